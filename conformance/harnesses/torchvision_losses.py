"""torchvision's losses where its compiled operators do not load (its wheels are built for CUDA builds of torch).

The losses are pure Python. What fails without the operators is the registration of their shape functions, so their
schemas are declared first; nothing here calls one of them.
"""

import torch

NAMES = (
    "nms", "qnms", "roi_align", "_roi_align_backward", "roi_pool", "_roi_pool_backward", "ps_roi_align", "_ps_roi_align_backward",
    "ps_roi_pool", "_ps_roi_pool_backward", "deform_conv2d", "_deform_conv2d_backward",
)  # fmt: skip
declared = torch.library.Library("torchvision", "FRAGMENT")  # type: ignore[no-untyped-call]
for name in NAMES:
    if not hasattr(torch.ops.torchvision, name):
        declared.define(f"{name}(Tensor x) -> Tensor")  # type: ignore[no-untyped-call]

from torchvision.ops import (  # type: ignore[import-untyped]  # noqa: E402
    complete_box_iou_loss,
    distance_box_iou_loss,
    generalized_box_iou_loss,
    sigmoid_focal_loss,
)

__all__ = ["complete_box_iou_loss", "distance_box_iou_loss", "generalized_box_iou_loss", "sigmoid_focal_loss"]

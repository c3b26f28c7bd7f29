"""torchvision's own compute_loss of SSD, RetinaNet and FCOS, without a backbone: outputs and truths in, terms and gradients out.

Its detectors are modules around a backbone; what their compute_loss needs of `self` is little, and is given here.
"""

from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from . import torchvision_losses  # declares the operators without which torchvision does not import

assert torchvision_losses
from torchvision.models.detection._utils import BoxCoder, Matcher, SSDMatcher  # type: ignore[import-untyped]  # noqa: E402
from torchvision.models.detection.fcos import FCOS, FCOSHead  # type: ignore[import-untyped]  # noqa: E402
from torchvision.models.detection.retinanet import RetinaNet, RetinaNetHead  # type: ignore[import-untyped]  # noqa: E402
from torchvision.models.detection.ssd import SSD  # type: ignore[import-untyped]  # noqa: E402
from torchvision.ops import box_iou  # type: ignore[import-untyped]  # noqa: E402

Truths = Sequence[dict[str, Tensor]]  # "boxes" and "labels", which count from 0 here
Terms = dict[str, Tensor]


def ssd(classes: Tensor, codes: Tensor, targets: Truths, priors: Tensor, ratio: float = 3.0) -> Terms:
    """SSD.forward's matching, and compute_loss. Logits have the background first, so labels go up by one."""
    targets = [{"boxes": t["boxes"], "labels": t["labels"] + 1} for t in targets]
    matched = []
    for t in targets:
        none = torch.full((len(priors),), -1, dtype=torch.int64)
        matched.append(SSDMatcher(0.5)(box_iou(t["boxes"], priors)) if len(t["boxes"]) else none)
    detector = SimpleNamespace(box_coder=BoxCoder(weights=(10.0, 10.0, 5.0, 5.0)), neg_to_pos_ratio=ratio)
    found = SSD.compute_loss(detector, targets, {"bbox_regression": codes, "cls_logits": classes}, [priors] * len(targets), matched)
    return {"box": found["bbox_regression"], "classes": found["classification"]}


def retinanet(classes: Tensor, codes: Tensor, targets: Truths, priors: Tensor, box_loss: str = "l1") -> Terms:
    """box_loss: "l1", or "giou", of retinanet_resnet50_fpn_v2."""
    head = RetinaNetHead(8, 1, classes.shape[-1])
    head.regression_head._loss_type = box_loss
    detector = SimpleNamespace(head=head, proposal_matcher=Matcher(0.5, 0.4, allow_low_quality_matches=True))
    found = RetinaNet.compute_loss(detector, targets, {"bbox_regression": codes, "cls_logits": classes}, [priors] * len(targets))
    return {"box": found["bbox_regression"], "classes": found["classification"]}


def fcos(classes: Tensor, codes: Tensor, centerness: Tensor, targets: Truths, priors: Tensor) -> Terms:
    """priors: rows (x, y, stride), finest scale first; torchvision has squares of the stride around (x, y)."""
    half = priors[:, 2:] / 2
    anchors = torch.cat([priors[:, :2] - half, priors[:, :2] + half], dim=1)
    scales = torch.unique_consecutive(priors[:, 2], return_counts=True)[1].tolist()
    detector = SimpleNamespace(head=FCOSHead(32, 1, classes.shape[-1]), center_sampling_radius=1.5)
    outputs = {"bbox_regression": codes, "cls_logits": classes, "bbox_ctrness": centerness[..., None]}
    found = FCOS.compute_loss(detector, targets, outputs, [anchors] * len(targets), scales)
    return {"box": found["bbox_regression"], "classes": found["classification"], "centerness": found["bbox_ctrness"]}


def evaluate(name: str, outputs: dict[str, Any], targets: Sequence[Any], priors: Any, **choices: Any) -> tuple[Any, Any]:
    """(terms, gradients by the outputs) of NumPy arrays, in their dtype."""
    inputs = {part: torch.tensor(values, requires_grad=True) for part, values in outputs.items()}
    dtype = next(iter(inputs.values())).dtype
    truths = [
        {"boxes": torch.tensor(t["gt_boxes"], dtype=dtype).reshape(-1, 4), "labels": torch.tensor(t["gt_labels"], dtype=torch.int64)}
        for t in targets
    ]
    of: dict[str, Callable[..., Terms]] = {"ssd": ssd, "retinanet": retinanet, "fcos": fcos}
    terms = of[name](**inputs, targets=truths, priors=torch.tensor(priors, dtype=dtype), **choices)
    gradients = torch.autograd.grad(list(terms.values()), list(inputs.values()), allow_unused=True)
    return {term: value.detach().numpy()[()] for term, value in terms.items()}, {
        part: np.zeros_like(outputs[part]) if slope is None else slope.numpy() for part, slope in zip(inputs, gradients, strict=True)
    }

"""The losses as modules: parameters are given, and checked, once; tensors, weights and normalizer at each call."""

from typing import Any, Literal

import torch
from torch import Tensor

from refloss._engine.check import REDUCTIONS, choice
from refloss._engine.record import REGISTRY, Reduction

from .call import evaluate
from .functions import BoxFormat, Normalizer


class LossModule(torch.nn.Module):
    """Base of the modules. `reduction` is "none" by default, as in the functions (and unlike torch.nn's "mean")."""

    def __init__(self, name: str, reduction: Reduction, **parameters: Any) -> None:
        super().__init__()
        REGISTRY[name].setting(**parameters)
        choice(name, "reduction", reduction, REDUCTIONS)
        self.name, self.reduction, self.settings = name, reduction, parameters

    def forward(self, first: Tensor, second: Tensor, weights: Tensor | None = None, normalizer: Normalizer = None) -> Tensor:
        """The loss of predictions and what they should be, in the order of the function's arguments."""
        return evaluate(self.name, first, second, self.settings, weights, self.reduction, normalizer)

    def extra_repr(self) -> str:
        return ", ".join(f"{name}={value!r}" for name, value in {**self.settings, "reduction": self.reduction}.items())


class BinaryCrossEntropy(LossModule):
    """`refloss_torch.binary_cross_entropy` as a module; reduction="none" unless told."""

    def __init__(self, *, alpha: float | None = None, label_smoothing: float = 0.0, reduction: Reduction = "none") -> None:
        super().__init__("binary_cross_entropy", reduction, alpha=alpha, label_smoothing=label_smoothing)


class FocalLoss(LossModule):
    """`refloss_torch.focal_loss` as a module; reduction="none" unless told."""

    def __init__(self, *, alpha: float | None = 0.25, gamma: float = 2.0, reduction: Reduction = "none") -> None:
        super().__init__("focal_loss", reduction, alpha=alpha, gamma=gamma)


class FocalLossWithIntegerLabels(LossModule):
    """`refloss_torch.focal_loss_with_integer_labels` as a module; reduction="none" unless told."""

    def __init__(self, *, alpha: float | None = 0.25, gamma: float = 2.0, reduction: Reduction = "none") -> None:
        super().__init__("focal_loss_with_integer_labels", reduction, alpha=alpha, gamma=gamma)


class SoftmaxCrossEntropyWithIntegerLabels(LossModule):
    """`refloss_torch.softmax_cross_entropy_with_integer_labels` as a module; reduction="none" unless told."""

    def __init__(self, *, reduction: Reduction = "none") -> None:
        super().__init__("softmax_cross_entropy_with_integer_labels", reduction)


class SoftmaxFocalLossWithIntegerLabels(LossModule):
    """`refloss_torch.softmax_focal_loss_with_integer_labels` as a module; reduction="none" unless told."""

    def __init__(self, *, alpha: float | None = None, gamma: float = 2.0, reduction: Reduction = "none") -> None:
        super().__init__("softmax_focal_loss_with_integer_labels", reduction, alpha=alpha, gamma=gamma)


class SquaredError(LossModule):
    """`refloss_torch.squared_error` as a module; reduction="none" unless told."""

    def __init__(self, *, factor: float = 1.0, reduction: Reduction = "none") -> None:
        super().__init__("squared_error", reduction, factor=factor)


class L1Loss(LossModule):
    """`refloss_torch.l1_loss` as a module; reduction="none" unless told."""

    def __init__(self, *, reduction: Reduction = "none") -> None:
        super().__init__("l1_loss", reduction)


class SmoothL1Loss(LossModule):
    """`refloss_torch.smooth_l1_loss` as a module; reduction="none" unless told."""

    def __init__(self, *, beta: float = 1.0, reduction: Reduction = "none") -> None:
        super().__init__("smooth_l1_loss", reduction, beta=beta)


class HuberLoss(LossModule):
    """`refloss_torch.huber_loss` as a module; reduction="none" unless told."""

    def __init__(self, *, delta: float = 1.0, reduction: Reduction = "none") -> None:
        super().__init__("huber_loss", reduction, delta=delta)


class IoULoss(LossModule):
    """`refloss_torch.iou_loss` as a module; reduction="none" unless told."""

    def __init__(
        self,
        *,
        kind: Literal["linear", "log", "squared"] = "linear",
        box_format: BoxFormat = "xyxy",
        eps: float = 0.0,
        reduction: Reduction = "none",
    ) -> None:
        super().__init__("iou_loss", reduction, kind=kind, box_format=box_format, eps=eps)


class GIoULoss(LossModule):
    """`refloss_torch.giou_loss` as a module; reduction="none" unless told."""

    def __init__(self, *, box_format: BoxFormat = "xyxy", eps: float = 0.0, reduction: Reduction = "none") -> None:
        super().__init__("giou_loss", reduction, box_format=box_format, eps=eps)


class DIoULoss(LossModule):
    """`refloss_torch.diou_loss` as a module; reduction="none" unless told."""

    def __init__(self, *, box_format: BoxFormat = "xyxy", eps: float = 0.0, reduction: Reduction = "none") -> None:
        super().__init__("diou_loss", reduction, box_format=box_format, eps=eps)


class CIoULoss(LossModule):
    """`refloss_torch.ciou_loss` as a module; reduction="none" unless told."""

    def __init__(
        self, *, box_format: BoxFormat = "xyxy", eps: float = 0.0, differentiate_alpha: bool = False, reduction: Reduction = "none"
    ) -> None:
        super().__init__("ciou_loss", reduction, box_format=box_format, eps=eps, differentiate_alpha=differentiate_alpha)

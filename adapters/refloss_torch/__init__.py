"""refloss for PyTorch: the losses of `refloss` as functions and modules, with gradients, on any device."""

from . import team
from .functions import (
    binary_cross_entropy,
    ciou_loss,
    diou_loss,
    focal_loss,
    focal_loss_with_integer_labels,
    giou_loss,
    huber_loss,
    iou_loss,
    l1_loss,
    smooth_l1_loss,
    softmax_cross_entropy_with_integer_labels,
    softmax_focal_loss_with_integer_labels,
    squared_error,
)
from .modules import (
    BinaryCrossEntropy,
    CIoULoss,
    DIoULoss,
    FocalLoss,
    FocalLossWithIntegerLabels,
    GIoULoss,
    HuberLoss,
    IoULoss,
    L1Loss,
    SmoothL1Loss,
    SoftmaxCrossEntropyWithIntegerLabels,
    SoftmaxFocalLossWithIntegerLabels,
    SquaredError,
)

team.use()

__all__ = [
    "BinaryCrossEntropy",
    "CIoULoss",
    "DIoULoss",
    "FocalLoss",
    "FocalLossWithIntegerLabels",
    "GIoULoss",
    "HuberLoss",
    "IoULoss",
    "L1Loss",
    "SmoothL1Loss",
    "SoftmaxCrossEntropyWithIntegerLabels",
    "SoftmaxFocalLossWithIntegerLabels",
    "SquaredError",
    "binary_cross_entropy",
    "ciou_loss",
    "diou_loss",
    "focal_loss",
    "focal_loss_with_integer_labels",
    "giou_loss",
    "huber_loss",
    "iou_loss",
    "l1_loss",
    "smooth_l1_loss",
    "softmax_cross_entropy_with_integer_labels",
    "softmax_focal_loss_with_integer_labels",
    "squared_error",
]

"""The losses, one file a family. Each reads from top to bottom: formula, kernel, public function."""

from .cross_entropy import binary_cross_entropy
from .focal import focal_loss, focal_loss_with_integer_labels, prior_bias
from .iou import ciou_loss, diou_loss, giou_loss, iou_loss
from .regression import huber_loss, l1_loss, smooth_l1_loss, squared_error
from .softmax import softmax_cross_entropy_with_integer_labels, softmax_focal_loss_with_integer_labels

__all__ = [
    "binary_cross_entropy",
    "ciou_loss",
    "diou_loss",
    "focal_loss",
    "focal_loss_with_integer_labels",
    "giou_loss",
    "huber_loss",
    "iou_loss",
    "l1_loss",
    "prior_bias",
    "smooth_l1_loss",
    "softmax_cross_entropy_with_integer_labels",
    "softmax_focal_loss_with_integer_labels",
    "squared_error",
]

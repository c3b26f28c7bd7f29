"""refloss for Keras 3, on TensorFlow, JAX and torch: pure keras.ops, so that every backend compiles and differentiates it.

Functions take (first, second, *, parameters), as refloss does, and answer the unreduced loss. Classes are `keras.losses.Loss`:
`FocalLoss(alpha=0.25, gamma=2.0, reduction="sum")(y_true, y_pred, sample_weight=None)`.
"""

from . import criteria
from ._functions import function as _function
from ._losses import loss_class as _loss_class

binary_cross_entropy = _function("binary_cross_entropy")
focal_loss = _function("focal_loss")
focal_loss_with_integer_labels = _function("focal_loss_with_integer_labels")
softmax_cross_entropy_with_integer_labels = _function("softmax_cross_entropy_with_integer_labels")
softmax_focal_loss_with_integer_labels = _function("softmax_focal_loss_with_integer_labels")
squared_error = _function("squared_error")
l1_loss = _function("l1_loss")
smooth_l1_loss = _function("smooth_l1_loss")
huber_loss = _function("huber_loss")
iou_loss = _function("iou_loss")
giou_loss = _function("giou_loss")
diou_loss = _function("diou_loss")
ciou_loss = _function("ciou_loss")

BinaryCrossEntropy = _loss_class("BinaryCrossEntropy", "binary_cross_entropy")
FocalLoss = _loss_class("FocalLoss", "focal_loss")
FocalLossWithIntegerLabels = _loss_class("FocalLossWithIntegerLabels", "focal_loss_with_integer_labels")
SoftmaxCrossEntropyWithIntegerLabels = _loss_class("SoftmaxCrossEntropyWithIntegerLabels", "softmax_cross_entropy_with_integer_labels")
SoftmaxFocalLossWithIntegerLabels = _loss_class("SoftmaxFocalLossWithIntegerLabels", "softmax_focal_loss_with_integer_labels")
SquaredError = _loss_class("SquaredError", "squared_error")
L1Loss = _loss_class("L1Loss", "l1_loss")
SmoothL1Loss = _loss_class("SmoothL1Loss", "smooth_l1_loss")
HuberLoss = _loss_class("HuberLoss", "huber_loss")
IoULoss = _loss_class("IoULoss", "iou_loss")
GIoULoss = _loss_class("GIoULoss", "giou_loss")
DIoULoss = _loss_class("DIoULoss", "diou_loss")
CIoULoss = _loss_class("CIoULoss", "ciou_loss")

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
    "criteria",
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

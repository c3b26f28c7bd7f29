"""The losses as functions of tensors: the names, arguments and defaults of `refloss`.

Every one of them: only the first tensor gets a gradient (a second argument, weights or normalizer that asks for one is an error).
`weights` broadcast to the loss. `normalizer`, a number or a 0-d tensor (which is not read on the host), divides a "none" or
"sum" result. `reduction` is "none" by default; "mean" divides by what is not ignored. The result has the dtype of the first
tensor; under autocast, half precision becomes float32 first, and so does the result. On CPU tensors values are checked
(targets in [0, 1], labels in range, corners in order); on other devices only what needs no wait: types, shapes, devices.
Second derivatives come from the formula in torch operations; third ones raise an error. Under torch.func, and on devices
other than CPU and CUDA, the formula is all that runs.
"""

from typing import Literal

from torch import Tensor

from refloss._engine.record import Reduction

from .call import evaluate

Normalizer = float | Tensor | None
BoxFormat = Literal["xyxy", "cxcywh"]


def binary_cross_entropy(
    logits: Tensor, targets: Tensor, *, alpha: float | None = None, label_smoothing: float = 0.0, weights: Tensor | None = None,
    reduction: Reduction = "none", normalizer: Normalizer = None,
) -> Tensor:  # fmt: skip
    """Sigmoid cross entropy with targets in [0, 1]; alpha balances it.

    Formula and arguments: `refloss.binary_cross_entropy`. No reduction by default.
    """
    return evaluate(
        "binary_cross_entropy", logits, targets, {"alpha": alpha, "label_smoothing": label_smoothing}, weights, reduction, normalizer
    )


def focal_loss(
    logits: Tensor, targets: Tensor, *, alpha: float | None = 0.25, gamma: float = 2.0, weights: Tensor | None = None,
    reduction: Reduction = "none", normalizer: Normalizer = None,
) -> Tensor:  # fmt: skip
    """Sigmoid focal loss (Lin et al. 2017), targets in [0, 1] of the shape of the logits.

    Formula and arguments: `refloss.focal_loss`. No reduction by default.
    """
    return evaluate("focal_loss", logits, targets, {"alpha": alpha, "gamma": gamma}, weights, reduction, normalizer)


def focal_loss_with_integer_labels(
    logits: Tensor, labels: Tensor, *, alpha: float | None = 0.25, gamma: float = 2.0, weights: Tensor | None = None,
    reduction: Reduction = "none", normalizer: Normalizer = None,
) -> Tensor:  # fmt: skip
    """Sigmoid focal loss of logits (..., classes) and labels (...), a loss for each logit; NEGATIVE and IGNORE rows.

    Formula and arguments: `refloss.focal_loss_with_integer_labels`. No reduction by default.
    """
    return evaluate("focal_loss_with_integer_labels", logits, labels, {"alpha": alpha, "gamma": gamma}, weights, reduction, normalizer)


def softmax_cross_entropy_with_integer_labels(
    logits: Tensor, labels: Tensor, *, weights: Tensor | None = None,
    reduction: Reduction = "none", normalizer: Normalizer = None,
) -> Tensor:  # fmt: skip
    """Softmax cross entropy of logits (..., classes) and labels (...), a loss for each row; IGNORE rows.

    Formula and arguments: `refloss.softmax_cross_entropy_with_integer_labels`. No reduction by default.
    """
    return evaluate("softmax_cross_entropy_with_integer_labels", logits, labels, {}, weights, reduction, normalizer)


def softmax_focal_loss_with_integer_labels(
    logits: Tensor, labels: Tensor, *, alpha: float | None = None, gamma: float = 2.0, weights: Tensor | None = None,
    reduction: Reduction = "none", normalizer: Normalizer = None,
) -> Tensor:  # fmt: skip
    """Softmax focal loss of logits (..., classes) and labels (...), a loss for each row; IGNORE rows.

    Formula and arguments: `refloss.softmax_focal_loss_with_integer_labels`. No reduction by default.
    """
    return evaluate(
        "softmax_focal_loss_with_integer_labels", logits, labels, {"alpha": alpha, "gamma": gamma}, weights, reduction, normalizer
    )


def squared_error(
    predictions: Tensor, targets: Tensor, *, factor: float = 1.0, weights: Tensor | None = None,
    reduction: Reduction = "none", normalizer: Normalizer = None,
) -> Tensor:  # fmt: skip
    """factor * (predictions - targets) ** 2.

    Formula and arguments: `refloss.squared_error`. No reduction by default.
    """
    return evaluate("squared_error", predictions, targets, {"factor": factor}, weights, reduction, normalizer)


def l1_loss(
    predictions: Tensor, targets: Tensor, *, weights: Tensor | None = None,
    reduction: Reduction = "none", normalizer: Normalizer = None,
) -> Tensor:  # fmt: skip
    """|predictions - targets|, with gradient 0 where they are equal.

    Formula and arguments: `refloss.l1_loss`. No reduction by default.
    """
    return evaluate("l1_loss", predictions, targets, {}, weights, reduction, normalizer)


def smooth_l1_loss(
    predictions: Tensor, targets: Tensor, *, beta: float = 1.0, weights: Tensor | None = None,
    reduction: Reduction = "none", normalizer: Normalizer = None,
) -> Tensor:  # fmt: skip
    """Quadratic up to beta, then |difference| - beta / 2.

    Formula and arguments: `refloss.smooth_l1_loss`. No reduction by default.
    """
    return evaluate("smooth_l1_loss", predictions, targets, {"beta": beta}, weights, reduction, normalizer)


def huber_loss(
    predictions: Tensor, targets: Tensor, *, delta: float = 1.0, weights: Tensor | None = None,
    reduction: Reduction = "none", normalizer: Normalizer = None,
) -> Tensor:  # fmt: skip
    """Quadratic up to delta, then delta (|difference| - delta / 2).

    Formula and arguments: `refloss.huber_loss`. No reduction by default.
    """
    return evaluate("huber_loss", predictions, targets, {"delta": delta}, weights, reduction, normalizer)


def iou_loss(
    boxes: Tensor, target_boxes: Tensor, *, kind: Literal["linear", "log", "squared"] = "linear", box_format: BoxFormat = "xyxy",
    eps: float = 0.0, weights: Tensor | None = None,
    reduction: Reduction = "none", normalizer: Normalizer = None,
) -> Tensor:  # fmt: skip
    """1 - IoU, -ln IoU or 1 - IoU ** 2 of aligned pairs of boxes (..., 4).

    Formula and arguments: `refloss.iou_loss`. No reduction by default.
    """
    return evaluate("iou_loss", boxes, target_boxes, {"kind": kind, "box_format": box_format, "eps": eps}, weights, reduction, normalizer)


def giou_loss(
    boxes: Tensor, target_boxes: Tensor, *, box_format: BoxFormat = "xyxy", eps: float = 0.0,
    weights: Tensor | None = None,
    reduction: Reduction = "none", normalizer: Normalizer = None,
) -> Tensor:  # fmt: skip
    """Generalised IoU loss of aligned pairs of boxes (..., 4).

    Formula and arguments: `refloss.giou_loss`. No reduction by default.
    """
    return evaluate("giou_loss", boxes, target_boxes, {"box_format": box_format, "eps": eps}, weights, reduction, normalizer)


def diou_loss(
    boxes: Tensor, target_boxes: Tensor, *, box_format: BoxFormat = "xyxy", eps: float = 0.0,
    weights: Tensor | None = None,
    reduction: Reduction = "none", normalizer: Normalizer = None,
) -> Tensor:  # fmt: skip
    """Distance IoU loss of aligned pairs of boxes (..., 4).

    Formula and arguments: `refloss.diou_loss`. No reduction by default.
    """
    return evaluate("diou_loss", boxes, target_boxes, {"box_format": box_format, "eps": eps}, weights, reduction, normalizer)


def ciou_loss(
    boxes: Tensor, target_boxes: Tensor, *, box_format: BoxFormat = "xyxy", eps: float = 0.0, differentiate_alpha: bool = False,
    weights: Tensor | None = None,
    reduction: Reduction = "none", normalizer: Normalizer = None,
) -> Tensor:  # fmt: skip
    """Complete IoU loss of aligned pairs of boxes (..., 4); alpha is constant unless differentiate_alpha.

    Formula and arguments: `refloss.ciou_loss`. No reduction by default.
    """
    return evaluate(
        "ciou_loss",
        boxes,
        target_boxes,
        {"box_format": box_format, "eps": eps, "differentiate_alpha": differentiate_alpha},
        weights,
        reduction,
        normalizer,
    )

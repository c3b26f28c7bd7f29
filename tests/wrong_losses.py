"""Losses written out in torch, right and wrong, as other people write them: what the checker must tell apart."""

import math
from typing import Any

import torch
from torch import Tensor


def softplus(x: Tensor) -> Tensor:
    """log(1 + exp(x)); torch's own is x beyond a threshold, and loses the other tail."""
    return -torch.nn.functional.logsigmoid(-x)


def _focal(x: Tensor, t: Tensor, alpha: float | None, gamma: float) -> Tensor:
    """Sigmoid focal loss in the stable form."""
    ce = t * softplus(-x) + (1 - t) * softplus(x)
    q = torch.sigmoid(-x) * t + torch.sigmoid(x) * (1 - t)
    weight = 1.0 if alpha is None else alpha * t + (1 - alpha) * (1 - t)
    alive = q >= torch.finfo(q.dtype).tiny
    power = torch.where(alive, torch.exp(gamma * torch.log(torch.where(alive, q, 1))), 0) if gamma else torch.ones_like(q)
    return weight * power * ce


def focal_right(logits: Tensor, targets: Tensor, alpha: float | None = 0.25, gamma: float = 2.0) -> Tensor:
    return _focal(logits, targets, alpha, gamma)


def focal_alpha_ignored(logits: Tensor, targets: Tensor, alpha: float | None = 0.25, gamma: float = 2.0) -> Tensor:
    return _focal(logits, targets, None, gamma)


def focal_alpha_swapped(logits: Tensor, targets: Tensor, alpha: float | None = 0.25, gamma: float = 2.0) -> Tensor:
    return _focal(logits, targets, None if alpha is None else 1 - alpha, gamma)


def focal_alpha_for_all(logits: Tensor, targets: Tensor, alpha: float | None = 0.25, gamma: float = 2.0) -> Tensor:
    return _focal(logits, targets, None, gamma) * (1 if alpha is None else alpha)


def focal_log10(logits: Tensor, targets: Tensor, alpha: float | None = 0.25, gamma: float = 2.0) -> Tensor:
    return _focal(logits, targets, alpha, gamma) * math.log10(math.e)


def focal_log2(logits: Tensor, targets: Tensor, alpha: float | None = 0.25, gamma: float = 2.0) -> Tensor:
    return _focal(logits, targets, alpha, gamma) * math.log2(math.e)


def focal_clipped(logits: Tensor, targets: Tensor, alpha: float | None = 0.25, gamma: float = 2.0, floor: float = 1e-4) -> Tensor:
    p, q = torch.sigmoid(logits), torch.sigmoid(-logits)
    held = p.clamp(floor, 1 - floor)
    ce = -(targets * held.log() + (1 - targets) * (1 - held).log())
    weight = 1.0 if alpha is None else alpha * targets + (1 - alpha) * (1 - targets)
    miss = targets * q + (1 - targets) * p
    return weight * (miss**gamma if gamma else 1) * ce


def focal_clipped_and_swapped(logits: Tensor, targets: Tensor, alpha: float | None = 0.25, gamma: float = 2.0) -> Tensor:
    return focal_clipped(logits, targets, None if alpha is None else 1 - alpha, gamma, 1e-3)


def focal_wrong_power(logits: Tensor, targets: Tensor, alpha: float | None = 0.25, gamma: float = 2.0) -> Tensor:
    ce = softplus(-logits) * targets + softplus(logits) * (1 - targets)
    weight = 1.0 if alpha is None else alpha * targets + (1 - alpha) * (1 - targets)
    return weight * (torch.sigmoid(-logits) ** gamma if gamma else 1) * ce


def focal_product(logits: Tensor, targets: Tensor, alpha: float | None = 0.25, gamma: float = 2.0) -> Tensor:
    q = torch.sigmoid(-logits) * targets + torch.sigmoid(logits) * (1 - targets)
    return _focal(logits, targets, alpha, 0.0) * gamma * q


def focal_nan(logits: Tensor, targets: Tensor, alpha: float | None = 0.25, gamma: float = 2.0) -> Tensor:
    p = torch.sigmoid(logits)
    p_t = p * targets + (1 - p) * (1 - targets)
    return _focal(logits, targets, alpha, 0.0) * (1 - p_t) ** gamma


def focal_mean(logits: Tensor, targets: Tensor, alpha: float | None = 0.25, gamma: float = 2.0) -> Tensor:
    return _focal(logits, targets, alpha, gamma).mean()


def focal_sum(logits: Tensor, targets: Tensor, alpha: float | None = 0.25, gamma: float = 2.0) -> Tensor:
    return _focal(logits, targets, alpha, gamma).sum()


def focal_softmax(logits: Tensor, targets: Tensor, alpha: float | None = 0.25, gamma: float = 2.0) -> Tensor:
    p = torch.softmax(logits, 0)
    return -(targets * torch.log(p + 1e-9) + (1 - targets) * torch.log(1 - p + 1e-9))


def focal_inventive(logits: Tensor, targets: Tensor, alpha: float | None = 0.25, gamma: float = 2.0) -> Tensor:
    return _focal(logits, targets, alpha, gamma) * (1.3 + torch.sin(logits) * torch.cos(3 * targets))


def labels_softmax(logits: Tensor, labels: Tensor, alpha: float | None = 0.25, gamma: float = 2.0) -> Tensor:
    p = torch.softmax(logits, -1)
    t = (labels[:, None] == torch.arange(logits.shape[1])).to(logits.dtype)
    counted = (labels != -2).to(logits.dtype)[:, None]
    ce = torch.where(t == 1, -torch.log_softmax(logits, -1), -torch.log(1 - p))
    weight = 1.0 if alpha is None else alpha * t + (1 - alpha) * (1 - t)
    return torch.where(counted == 0, 0.0, weight * ((t * (1 - p) + (1 - t) * p) ** gamma if gamma else 1.0) * ce)


def bce_smoothing_first(logits: Tensor, targets: Tensor, alpha: float | None = None, label_smoothing: float = 0.0) -> Tensor:
    smooth = targets * (1 - label_smoothing) + 0.5 * label_smoothing
    weight = 1.0 if alpha is None else torch.where(smooth == 1, alpha, 1 - alpha)
    return weight * (smooth * softplus(-logits) + (1 - smooth) * softplus(logits))


def bce_right(logits: Tensor, targets: Tensor, alpha: float | None = None, label_smoothing: float = 0.0) -> Tensor:
    smooth = targets * (1 - label_smoothing) + 0.5 * label_smoothing
    weight = 1.0 if alpha is None else targets * alpha + (1 - targets) * (1 - alpha)
    return weight * (smooth * softplus(-logits) + (1 - smooth) * softplus(logits))


def huber(predictions: Tensor, targets: Tensor, beta: float = 1.0) -> Tensor:
    d = (predictions - targets).abs()
    return torch.where(d < beta, 0.5 * d * d, beta * (d - 0.5 * beta))


def cutoff_only(predictions: Tensor, targets: Tensor, beta: float = 1.0) -> Tensor:
    d = (predictions - targets).abs()
    return torch.where(d < beta, 0.5 * d * d, d - 0.5)


def smooth_right(predictions: Tensor, targets: Tensor, beta: float = 1.0) -> Tensor:
    d = (predictions - targets).abs()
    return d if beta == 0 else torch.where(d < beta, 0.5 * d * d / beta, d - 0.5 * beta)


def half_square(predictions: Tensor, targets: Tensor, factor: float = 1.0) -> Tensor:
    return 0.5 * factor * (predictions - targets) ** 2


def _divide(a: Tensor, b: Tensor) -> Tensor:
    return torch.where(b > 0, a / torch.where(b > 0, b, 1), 0)


def _corners(boxes: Tensor, box_format: str) -> Tensor:
    if box_format == "xyxy":
        return boxes
    center, half = boxes[..., :2], boxes[..., 2:] / 2
    return torch.cat([center - half, center + half], -1)


def boxes_loss(
    a: Tensor, b: Tensor, form: str, eps: float = 0.0, pixel: float = 0.0, square: bool = False, gate: bool = False, detach: bool = True,
    area_i: bool = False, union_eps: float = 0.0, hull_eps: float = 0.0, raw: bool = False, root: bool = False,
) -> Tensor:  # fmt: skip
    """The IoU losses of xyxy boxes, with switches for what people get wrong."""
    low, high = torch.maximum(a[..., :2], b[..., :2]), torch.minimum(a[..., 2:], b[..., 2:])
    overlap = high - low + pixel
    inner = (overlap if raw else overlap.clamp(min=0)).prod(-1)
    (w, h), (tw, th) = (a[..., 2:] - a[..., :2] + pixel).unbind(-1), (b[..., 2:] - b[..., :2] + pixel).unbind(-1)
    union = w * h + tw * th - inner
    iou = _divide(inner, union + eps + union_eps)
    hull = torch.maximum(a[..., 2:], b[..., 2:]) - torch.minimum(a[..., :2], b[..., :2]) + pixel
    if form in ("linear", "log", "squared"):
        return {"linear": 1 - iou, "log": -torch.log(iou.clamp(min=1e-6)), "squared": 1 - iou**2}[form]
    if form == "giou":
        area = hull.prod(-1)
        return 1 - iou + _divide(area - (inner if area_i else union), area + eps + hull_eps)
    distance = ((a[..., :2] + a[..., 2:] - b[..., :2] - b[..., 2:]) ** 2).sum(-1) / 4
    penalty = _divide(distance, (hull**2).sum(-1) + eps + hull_eps)
    if root:
        penalty = torch.where(penalty > 0, torch.where(penalty > 0, penalty, 1).sqrt(), 0)
    if form == "diou":
        return 1 - iou + penalty
    across, along = tw * h - w * th, w * tw + h * th
    point = (across == 0) & (along == 0)
    angle = torch.atan2(across, torch.where(point, 1, along))
    v = (4 / math.pi**2) ** (2 if square else 1) * angle**2
    alpha = _divide(v, 1 - iou + v + eps)
    alpha = torch.where(iou > 0.5, alpha, 0) if gate else alpha
    return 1 - iou + penalty + (alpha.detach() if detach else alpha) * v


def _loss(form: str, read: str | None = None, which: str = "both", **wrong):  # type: ignore[no-untyped-def]
    """A box loss of (boxes, target_boxes, box_format, eps). `read`: the format that it believes in, whatever it is told."""

    def convert(boxes: Tensor, told: str, mine: bool) -> Tensor:
        if read is None or not mine:
            return _corners(boxes, told)
        if read == "xywh":
            return torch.cat([boxes[..., :2], boxes[..., :2] + boxes[..., 2:]], -1)
        return boxes[..., [1, 0, 3, 2]] if read == "yxyx" else _corners(boxes, read)

    def function(boxes: Tensor, target_boxes: Tensor, box_format: str = "xyxy", eps: float = 0.0) -> Tensor:
        first = convert(boxes, box_format, which in ("both", "boxes"))
        return boxes_loss(first, convert(target_boxes, box_format, which in ("both", "targets")), form, eps, **wrong)

    return function


iou_right, giou_right, diou_right, ciou_right = (_loss(form) for form in ("linear", "giou", "diou", "ciou"))
iou_log, iou_squared = _loss("log"), _loss("squared")
iou_pixel, giou_pixel = _loss("linear", pixel=1.0), _loss("giou", pixel=1.0)
iou_raw = _loss("linear", raw=True)
giou_area_i = _loss("giou", area_i=True)
giou_read_xyxy, giou_read_cxcywh, giou_read_xywh = _loss("giou", "xyxy"), _loss("giou", "cxcywh"), _loss("giou", "xywh")
giou_targets_yxyx, giou_boxes_cxcywh = _loss("giou", "yxyx", "targets"), _loss("giou", "cxcywh", "boxes")
diou_root = _loss("diou", root=True)
ciou_squared, ciou_gated, ciou_alpha = _loss("ciou", square=True), _loss("ciou", gate=True), _loss("ciou", detach=False)
ciou_squared_and_alpha = _loss("ciou", square=True, detach=False)
giou_union_eps, giou_hull_eps, iou_union_eps = _loss("giou", union_eps=1e-5), _loss("giou", hull_eps=1e-3), _loss("linear", union_eps=1e-4)


def iou_similarity(boxes: Tensor, target_boxes: Tensor, eps: float = 0.0) -> Tensor:
    return 1 - boxes_loss(boxes, target_boxes, "linear", eps)


def raises(logits: Tensor, targets: Tensor) -> Tensor:
    raise KeyError("no such thing")


def wrong_shape(logits: Tensor, targets: Tensor) -> Tensor:
    return torch.zeros(7, 7)


def returns_text(logits: Tensor, targets: Tensor) -> str:
    return "loss"


def focal_swapped_mean(logits: Tensor, targets: Tensor, alpha: float | None = 0.25, gamma: float = 2.0) -> Tensor:
    return focal_alpha_swapped(logits, targets, alpha, gamma).mean()


def focal_swapped_sum(logits: Tensor, targets: Tensor, alpha: float | None = 0.25, gamma: float = 2.0) -> Tensor:
    return focal_alpha_swapped(logits, targets, alpha, gamma).sum()


def focal_per_positive(logits: Tensor, targets: Tensor, alpha: float | None = 0.25, gamma: float = 2.0) -> Tensor:
    return focal_sum(logits, targets, alpha, gamma) / (targets > 0).sum().clamp(min=1)


def focal_mean_of_rows(logits: Tensor, targets: Tensor, alpha: float | None = 0.25, gamma: float = 2.0) -> Tensor:
    assert logits.ndim == 2
    return _focal(logits, targets, alpha, gamma).mean(-1)


def focal_by_its_root(logits: Tensor, targets: Tensor, alpha: float | None = 0.25, gamma: float = 2.0) -> Tensor:
    return focal_sum(logits, targets, alpha, gamma) / max(1, logits.numel()) ** 0.5


def softmax_per_foreground(logits: Tensor, labels: Tensor) -> Tensor:
    return torch.nn.functional.cross_entropy(logits, labels, reduction="sum") / (labels > 0).sum().clamp(min=1)


def bce_per_negative(logits: Tensor, targets: Tensor) -> Tensor:
    return torch.nn.functional.binary_cross_entropy_with_logits(logits, targets, reduction="sum") / (targets == 0).sum().clamp(min=1)


def bce_per_positive_of_a_row(logits: Tensor, targets: Tensor) -> Tensor:
    loss = torch.nn.functional.binary_cross_entropy_with_logits(logits, targets, reduction="none")
    return loss.sum(1) / (targets > 0).sum(1).clamp(min=1)


def softmax_per_background(logits: Tensor, labels: Tensor) -> Tensor:
    return torch.nn.functional.cross_entropy(logits, labels, reduction="sum") / (labels == 0).sum().clamp(min=1)


class _SmoothL1(torch.autograd.Function):
    """Its backward forgets something: what comes from above, or what the mean divides by."""

    @staticmethod
    def forward(ctx: Any, predictions: Tensor, targets: Tensor, mean: bool) -> Tensor:
        ctx.save_for_backward(predictions - targets)
        ctx.mean = mean
        return torch.nn.functional.smooth_l1_loss(predictions, targets, reduction="mean" if mean else "none")

    @staticmethod
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor, None, None]:
        (difference,) = ctx.saved_tensors
        slope = difference.clamp(-1, 1)
        return (upstream * slope if ctx.mean else slope), None, None


def smooth_l1_upstream_ignored(predictions: Tensor, targets: Tensor) -> Tensor:
    return _SmoothL1.apply(predictions, targets, False)


def smooth_l1_gradient_of_the_sum(predictions: Tensor, targets: Tensor) -> Tensor:
    return _SmoothL1.apply(predictions, targets, True)


def l1_mean_with_gradient(predictions: Any, targets: Any) -> tuple[Any, Any]:
    """Right; for the arrays of any framework."""
    difference = predictions - targets
    return abs(difference).mean(), ((difference > 0) * 1.0 - (difference < 0) * 1.0) / difference.size


def l1_sum_with_gradient(predictions: Any, targets: Any) -> tuple[Any, Any]:
    difference = predictions - targets
    return abs(difference).sum(), (difference > 0) * 1.0 - (difference < 0) * 1.0

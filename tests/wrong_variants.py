"""What the field's projects compute under a name that means something else, written out as they would: one or two for each number of
the table in test_variants.py that has none in wrong_losses.py. Boxes are corners; forms that darknet has are by centre and size."""

import math

import numpy as np
import torch
from torch import Tensor
from wrong_losses import ciou_right


# Probabilities clipped or logarithms of another base (6, 7).
def bce_clipped(floor: float):  # type: ignore[no-untyped-def]
    def function(logits: Tensor, targets: Tensor) -> Tensor:
        p = torch.sigmoid(logits).clamp(floor, 1 - floor)
        return -(targets * torch.log(p) + (1 - targets) * torch.log(1 - p))

    return function


bce_clipped_7, bce_clipped_8, bce_clipped_15 = bce_clipped(1e-7), bce_clipped(1e-8), bce_clipped(1e-15)


def softmax_focal_by_sigmoid(logits: Tensor, labels: Tensor, alpha: float | None = None, gamma: float = 2.0) -> Tensor:
    """The label's own logit through a sigmoid, where a softmax was stated (5)."""
    own = torch.where(labels == -2, 0.0, logits.gather(1, labels.clamp(min=0)[:, None])[:, 0])
    weight = 1.0 if alpha is None else torch.where(labels == 0, 1 - alpha, alpha)
    power = torch.sigmoid(-own) ** gamma if gamma else 1.0
    return torch.where(labels == -2, 0.0, weight * power * -torch.nn.functional.logsigmoid(own))


def bce_pos_weight(logits: Tensor, targets: Tensor, alpha: float | None = None) -> Tensor:
    """alpha as torch's pos_weight."""
    log_p, log_q = torch.nn.functional.logsigmoid(logits), torch.nn.functional.logsigmoid(-logits)
    return -((1.0 if alpha is None else alpha) * targets * log_p + (1 - targets) * log_q)


# Boxes.
def _sides(a: Tensor, b: Tensor):  # type: ignore[no-untyped-def]
    """Overlap, hull (w, h each), sizes of both, and the distance of centres."""
    over = torch.minimum(a[..., 2:], b[..., 2:]) - torch.maximum(a[..., :2], b[..., :2])
    hull = torch.maximum(a[..., 2:], b[..., 2:]) - torch.minimum(a[..., :2], b[..., :2])
    return over, hull, a[..., 2:] - a[..., :2], b[..., 2:] - b[..., :2], ((a[..., :2] + a[..., 2:]) - (b[..., :2] + b[..., 2:])) / 2


def _iou(a: Tensor, b: Tensor, eps: float = 0.0, floor: float = 0.0, plus: float = 0.0) -> Tensor:
    over, _, size, target, _ = _sides(a, b)
    inner = over.clamp(min=0).prod(-1)
    union = size.prod(-1) + target.prod(-1) - inner
    union = union.clamp(min=floor) if floor else union
    return _by(inner + plus, union + eps + plus)


def _by(a: Tensor, b: Tensor) -> Tensor:
    return torch.where(b > 0, a / torch.where(b > 0, b, 1), 0)


def iou_log10(boxes: Tensor, target_boxes: Tensor) -> Tensor:
    return -torch.log10(_iou(boxes, target_boxes).clamp(min=1e-6))


def iou_fcos(boxes: Tensor, target_boxes: Tensor) -> Tensor:
    return -torch.log(_iou(boxes, target_boxes, plus=1.0))


def iou_linear(boxes: Tensor, target_boxes: Tensor) -> Tensor:
    return 1 - _iou(boxes, target_boxes)


def iou_floored(boxes: Tensor, target_boxes: Tensor) -> Tensor:
    return 1 - _iou(boxes, target_boxes, floor=1e-6)


def iou_height_eps(boxes: Tensor, target_boxes: Tensor) -> Tensor:
    (x1, y1, x2, y2), (u1, v1, u2, v2) = boxes.unbind(-1), target_boxes.unbind(-1)
    inner = (torch.minimum(x2, u2) - torch.maximum(x1, u1)).clamp(0) * (torch.minimum(y2, v2) - torch.maximum(y1, v1)).clamp(0)
    union = (x2 - x1) * (y2 - y1 + 1e-3) + (u2 - u1) * (v2 - v1 + 1e-3) - inner
    return 1 - _by(inner, union)


def giou_eps_twice(boxes: Tensor, target_boxes: Tensor) -> Tensor:
    """eps in the area and once more in the division."""
    eps = 1e-4
    over, hull, size, target, _ = _sides(boxes, target_boxes)
    inner = over.clamp(min=0).prod(-1)
    union = size.prod(-1) + target.prod(-1) - inner
    area = hull.prod(-1)
    return 1 - inner / ((union + eps) + eps) + (area - union) / (area + eps)


def giou_floored(boxes: Tensor, target_boxes: Tensor) -> Tensor:
    over, hull, size, target, _ = _sides(boxes, target_boxes)
    inner = over.clamp(min=0).prod(-1)
    union = (size.prod(-1) + target.prod(-1) - inner).clamp(min=1e-5)
    area = hull.prod(-1).clamp(min=1e-5)
    return 1 - inner / union + (area - union) / area


def diou_power(boxes: Tensor, target_boxes: Tensor) -> Tensor:
    _, hull, _, _, away = _sides(boxes, target_boxes)
    ratio = _by((away * away).sum(-1), (hull * hull).sum(-1))
    return 1 - _iou(boxes, target_boxes) + torch.where(ratio > 0, torch.where(ratio > 0, ratio, 1) ** 0.6, 0)


def _ciou(a: Tensor, b: Tensor, alpha, iou: Tensor | None = None) -> Tensor:  # type: ignore[no-untyped-def]
    """alpha: of (v, IoU), as written in each project."""
    _, hull, size, target, away = _sides(a, b)
    across, along = target[..., 0] * size[..., 1] - size[..., 0] * target[..., 1], (size * target).sum(-1)
    v = 4 / math.pi**2 * torch.atan2(across, torch.where((across == 0) & (along == 0), 1, along)) ** 2
    iou = _iou(a, b) if iou is None else iou
    with torch.no_grad():
        weight = alpha(v, iou)
    return 1 - iou + _by((away * away).sum(-1), (hull * hull).sum(-1)) + weight * v


def ciou_clamped(boxes: Tensor, target_boxes: Tensor, box_format: str = "xyxy", eps: float = 0.0) -> Tensor:
    return 1 - (1 - ciou_right(boxes, target_boxes, box_format, eps)).clamp(-1, 1)


def ciou_zero_by_zero(boxes: Tensor, target_boxes: Tensor) -> Tensor:
    return _ciou(boxes, target_boxes, lambda v, iou: v / (1 - iou + v))


def ciou_rounded(boxes: Tensor, target_boxes: Tensor) -> Tensor:
    return _ciou(boxes, target_boxes, lambda v, iou: v / (v - iou + (1 + 1e-9)))


def ciou_mmdet(boxes: Tensor, target_boxes: Tensor) -> Tensor:
    """Gated, with 0 / 0 for perfect boxes."""
    return _ciou(boxes, target_boxes, lambda v, iou: (iou > 0.5) * v / (1 - iou + v))


def eiou_efficient(boxes: Tensor, target_boxes: Tensor) -> Tensor:
    _, hull, size, target, away = _sides(boxes, target_boxes)
    sides = _by((size - target) ** 2, hull * hull).sum(-1)
    return 1 - _iou(boxes, target_boxes) + _by((away * away).sum(-1), (hull * hull).sum(-1)) + sides


def eiou_extended(boxes: Tensor, target_boxes: Tensor) -> Tensor:
    """The intersection by inclusion and exclusion of the areas between the hull's corner and those of the overlap."""
    corner = torch.minimum(boxes[..., :2], target_boxes[..., :2])
    start = torch.maximum(boxes[..., :2], target_boxes[..., :2]) - corner
    end = torch.minimum(boxes[..., 2:], target_boxes[..., 2:]) - corner
    low, high = torch.minimum(start, end), torch.maximum(start, end)
    inner = end.prod(-1) + low.prod(-1) - start[..., 0] * high[..., 1] - high[..., 0] * start[..., 1]
    _, _, size, target, _ = _sides(boxes, target_boxes)
    rest = 1 - _by(inner, size.prod(-1) + target.prod(-1) - inner)
    return torch.where(rest < 0.1, 0.5 * rest**2 / 0.1, rest - 0.05)


def siou(sign: float):  # type: ignore[no-untyped-def]
    def function(boxes: Tensor, target_boxes: Tensor) -> Tensor:
        _, hull, size, target, away = _sides(boxes, target_boxes)
        sigma = torch.where(away.abs().sum(-1) > 0, (away**2).sum(-1), 1).sqrt()
        sine = away.abs().min(-1).values / sigma
        angle = torch.sin(2 * torch.asin(sine.clamp(max=1 - 1e-12)))
        rho = _by(away, hull) ** 2
        distance = (1 - torch.exp(sign * (2 - angle[..., None]) * rho)).sum(-1)
        shape = ((1 - torch.exp(-_by((size - target).abs(), torch.maximum(size, target)))) ** 4).sum(-1)
        return 1 - _iou(boxes, target_boxes) + (distance + shape) / 2

    return function


siou_paper, siou_rewarding = siou(-1.0), siou(1.0)


class _Handed(torch.autograd.Function):
    """A function whose gradient is handed on as it is: darknet's logits without the sigmoid's derivative."""

    @staticmethod
    def forward(context, t):  # type: ignore[no-untyped-def]
        return torch.exp(torch.nn.functional.logsigmoid(t))

    @staticmethod
    def backward(context, upstream):  # type: ignore[no-untyped-def]
        return upstream


def handed_sigmoid(t: Tensor) -> Tensor:
    return _Handed.apply(t)  # type: ignore[no-any-return,no-untyped-call]


def ciou_aspect(power: float):  # type: ignore[no-untyped-def]
    """CIoU with a surrogate for v: its gradient times (w^2 + h^2)^power; -1 in place of a power flips it."""

    def function(boxes: Tensor, target_boxes: Tensor) -> Tensor:
        _, hull, size, target, away = _sides(boxes, target_boxes)
        across, along = target[..., 0] * size[..., 1] - size[..., 0] * target[..., 1], (size * target).sum(-1)
        v = 4 / math.pi**2 * torch.atan2(across, torch.where((across == 0) & (along == 0), 1, along)) ** 2
        factor = -1.0 if power < 0 else (size.detach() ** 2).sum(-1)
        v = v.detach() + factor * (v - v.detach())
        iou = _iou(boxes, target_boxes)
        alpha = _by(v, 1 - iou + v).detach()
        return 1 - iou + _by((away * away).sum(-1), (hull * hull).sum(-1)) + alpha * v

    return function


ciou_aspect_unnormalised, ciou_aspect_flipped = ciou_aspect(1.0), ciou_aspect(-1.0)


# Losses of a difference (27, 28).
def smooth_sigma(predictions: Tensor, targets: Tensor, beta: float = 1.0) -> Tensor:
    """The argument is sigma: the switch lies at 1 / sigma^2."""
    d, square = (predictions - targets).abs(), beta * beta
    return torch.where(d * square < 1, 0.5 * square * d * d, d - 0.5 / square if square else 0 * d)


def smooth_half_divided(predictions: Tensor, targets: Tensor, beta: float = 1.0) -> Tensor:
    d = (predictions - targets).abs()
    return torch.where(d < beta, 0.5 * d * d, d - 0.5 * beta)


def smooth_masked(predictions: Tensor, targets: Tensor, beta: float = 1.0) -> Tensor:
    d = (predictions - targets).abs()
    right = d if beta == 0 else torch.where(d < beta, 0.5 * d * d / beta, d - 0.5 * beta)
    return right * (targets != 0)


def huber_as_smooth(predictions: Tensor, targets: Tensor, delta: float = 1.0) -> Tensor:
    return torch.nn.functional.smooth_l1_loss(predictions, targets, reduction="none", beta=delta)


def square_doubled(predictions: Tensor, targets: Tensor, factor: float = 1.0) -> Tensor:
    return 2 * factor * (predictions - targets) ** 2


def square_of_the_weighted(predictions: Tensor, targets: Tensor, factor: float = 1.0) -> Tensor:
    return (factor * (predictions - targets)) ** 2


def square_darknet(predictions, targets, factor: float = 1.0):  # type: ignore[no-untyped-def]
    """The cost is the square, and delta, t - x without a 2, points downhill."""
    delta = np.asarray(targets, np.float64) - np.asarray(predictions, np.float64)
    return factor * delta**2, factor * delta


def square_without_two(predictions, targets, factor: float = 1.0):  # type: ignore[no-untyped-def]
    value, delta = square_darknet(predictions, targets, factor)
    return value, -delta


def focal_over_classes(logits, labels, alpha=0.25, gamma: float = 2.0):  # type: ignore[no-untyped-def]
    """Softmax over the classes where each should have its sigmoid; values alone (5)."""
    e = np.exp(logits - logits.max(axis=1, keepdims=True))
    p = e / e.sum(axis=1, keepdims=True)
    t = labels[:, None] == np.arange(logits.shape[1])
    hit = np.where(t, p, 1 - p)
    weight = 1 if alpha is None else np.where(t, logits.dtype.type(alpha), logits.dtype.type(1 - alpha))
    return np.where(labels[:, None] == -2, 0, weight * (1 - hit) ** gamma * -np.log(hit)).astype(logits.dtype)

"""The IoU losses with the places where implementations differ."""

import math
from typing import Any

from .record import TEMPLATES

BOXES = ("iou_loss", "giou_loss", "diou_loss", "ciou_loss")
LOG_FLOOR = 1e-6
OTHERS: dict[str, Any] = {}  # further losses of the family, which are only ever computed by mistake: see other_boxes.py
TOPS = {"xxyy": (0, 2, 1, 3), "yxyx": (1, 0, 3, 2)}


def ratio(xp: Any, a: Any, b: Any) -> Any:
    """a / b, and 0 where b is 0."""
    alive = b > 0
    return xp.where(alive, a / xp.where(alive, b, 1), 0)


def _bare(xp: Any, a: Any, b: Any) -> Any:
    return a / b


def to_xyxy(xp: Any, boxes: Any, box_format: str) -> tuple[Any, Any, Any, Any]:
    """The corners of boxes of a format."""
    a, b, c, d = (boxes[..., j] for j in TOPS.get(box_format, (0, 1, 2, 3)))
    if box_format == "cxcywh":
        return a - c / 2, b - d / 2, a + c / 2, b + d / 2
    return (a, b, a + c, b + d) if box_format == "xywh" else (a, b, c, d)


def turned(xp: Any, x: Any, slope: Any) -> Any:
    """The value of x, with `slope` times its gradient."""
    held = xp.stop_gradient(x)
    return held + slope * (x - held)


def _sized(xp: Any, low: Any, high: Any, by: float) -> tuple[Any, Any]:
    """The same ends, with `by` times the gradient on what is between them."""
    size = high - low
    more = (by - 1) * (size - xp.stop_gradient(size)) / 2
    return low - more, high + more


def _pushed(xp: Any, low: Any, high: Any) -> tuple[Any, Any]:
    """The same ends, with the opposite gradient on their centre."""
    centre = (low + high) / 2
    back = 2 * (centre - xp.stop_gradient(centre))
    return low - back, high - back


def _spans(xp: Any, x1: Any, x2: Any, u1: Any, u2: Any) -> tuple[Any, Any]:
    """Along one axis: the overlap, negative where there is none, and the hull."""
    return xp.minimum(x2, u2) - xp.maximum(x1, u1), xp.maximum(x2, u2) - xp.minimum(x1, u1)


def template(
    xp: Any, boxes: Any, target_boxes: Any, *, loss: str, box_format: str, eps: float, kind: str = "linear",
    differentiate_alpha: bool = False,
    reads: tuple[str | None, str | None] = (None, None), pixel: float = 0, union_eps: float = 0, union_floor: Any = None,
    hull_eps: float = 0, hull_floor: Any = None, height_eps: float = 0, overlap: str = "clamped", ratio_plus: float = 0,
    hull_minus: str = "union", penalty_power: float = 1, v_constant: float = 1, gate: bool = False, alpha_is_one: bool = False,
    clamp: bool = False, log_floor: Any = LOG_FLOOR, log_eps: float = 0, bare_division: bool = False, bare_angle: bool = False,
    bare_alpha: bool = False, alpha_one: Any = None, rest_eps: float | None = None, size_gradient: float = 1, hull_pushed: bool = False,
    aspect: str = "",
) -> Any:  # fmt: skip
    """The IoU losses with the places where implementations differ; without the keywords from `reads` on, the specification."""
    all_eps, eps = eps, eps if rest_eps is None else rest_eps
    divide: Any = _bare if bare_division else ratio
    x1, y1, x2, y2 = to_xyxy(xp, boxes, reads[0] or box_format)
    u1, v1, u2, v2 = to_xyxy(xp, target_boxes, reads[1] or box_format)
    x2, y2, u2, v2 = x2 + pixel, y2 + pixel, u2 + pixel, v2 + pixel
    w, h, tw, th = x2 - x1, y2 - y1 + height_eps, u2 - u1, v2 - v1 + height_eps
    (iw, hull_w), (ih, hull_h) = _spans(xp, x1, x2, u1, u2), _spans(xp, y1, y2, v1, v2)
    area = w * h
    if size_gradient != 1:
        (a1, a2), (b1, b2) = _sized(xp, x1, x2, size_gradient), _sized(xp, y1, y2, size_gradient)
        (iw, other_w), (ih, other_h) = _spans(xp, a1, a2, u1, u2), _spans(xp, b1, b2, v1, v2)
        area = (a2 - a1) * (b2 - b1 + height_eps)
        if loss == "giou_loss":
            hull_w, hull_h = other_w, other_h
    inner = iw * ih if overlap == "raw" else xp.maximum(iw, 0) * xp.maximum(ih, 0)
    if overlap == "raw gradient":
        inner = xp.stop_gradient(inner) + turned(xp, iw * ih, 1) - xp.stop_gradient(iw * ih)
    union = area + tw * th - inner
    below = union if union_floor is None else xp.maximum(union, union_floor)
    iou = divide(xp, inner + ratio_plus, below + eps + union_eps + ratio_plus)
    if loss == "iou_loss":
        if kind == "log":
            return -xp.log(iou + log_eps if log_floor is None else xp.maximum(iou, log_floor))
        return 1 - iou * iou if kind == "squared" else 1 - iou
    if loss == "giou_loss":
        hull = hull_w * hull_h
        around = (hull if hull_floor is None else xp.maximum(hull, hull_floor)) + eps + hull_eps
        result = 1 - iou + divide(xp, hull - (inner if hull_minus == "inner" else union), around)
        return xp.minimum(xp.maximum(result, 0), 2) if clamp else result
    dx, dy = ((x1 - u1) + (x2 - u2)) / 2, ((y1 - v1) + (y2 - v2)) / 2
    if loss in OTHERS:
        ends = [(start, start + inner) for start, inner in ((xp.abs(x1 - u1), iw), (xp.abs(y1 - v1), ih))]
        result = OTHERS[loss](xp, 1 - iou, (dx, dy), (w, tw, hull_w, ends[0]), (h, th, hull_h, ends[1]), eps, divide)
        return xp.minimum(xp.maximum(result, 0), 2) if clamp else result
    if hull_pushed:
        hull_w, hull_h = (_spans(xp, *_pushed(xp, x1, x2), u1, u2)[1], _spans(xp, *_pushed(xp, y1, y2), v1, v2)[1])
    diagonal = hull_w * hull_w + hull_h * hull_h
    diagonal = (diagonal if hull_floor is None else xp.maximum(diagonal, hull_floor)) + eps + hull_eps
    penalty = divide(xp, dx * dx + dy * dy, diagonal)
    if penalty_power != 1:
        penalty = xp.exp(penalty_power * xp.log(xp.where(penalty > 0, penalty, 1))) * xp.where(penalty > 0, 1, 0)
    result = 1 - iou + penalty
    if loss == "ciou_loss":
        across, along = tw * h - w * th, w * tw + h * th
        angle = xp.arctan2(across, xp.where((across == 0) & (along == 0), 1, along))
        if bare_angle:
            angle = xp.arctan2(tw / th, 1) - xp.arctan2(w / h, 1)
        v = v_constant * (4 / math.pi**2) * angle * angle
        alpha = (_bare if bare_alpha else divide)(xp, v, (1 - iou) + v + all_eps)
        if alpha_one is not None:
            alpha = _bare(xp, v, v - iou + (1 + alpha_one))
        alpha = xp.where(iou > 0.5, alpha, 0) if gate else alpha
        alpha = 1 if alpha_is_one else alpha if differentiate_alpha else xp.stop_gradient(alpha)
        slope = {"": 1, "flipped": -1, "unnormalised": xp.stop_gradient(w * w + h * h)}[aspect]
        result = result + alpha * (turned(xp, v, slope) if aspect else v)
    return xp.minimum(xp.maximum(result, 0), 2) if clamp else result


def _of(loss: str) -> Any:
    def formula(xp: Any, first: Any, second: Any, **parameters: Any) -> Any:
        return template(xp, first, second, loss=loss, **parameters)

    return formula


TEMPLATES.update({loss: _of(loss) for loss in BOXES})

"""The codings with the places where implementations differ; without the keywords after the first three, the specification.

`reads` and `gives` are box formats that arguments are misread in, or that the result comes in, in place of the stated one.
"""

import math
from typing import Any

import numpy as np

from .overlaps import TOPS, to_xyxy
from .overlaps import turned as turned_by
from .record import TEMPLATES

LEAST = 2.0**-126  # ln of a smaller ratio is -inf with gradient 0, by the specification
BARE = "bare"  # plain logarithm and square root: right values at 0, infinite derivatives


def centred(xp: Any, boxes: Any, box_format: str, pixel: float = 0) -> tuple[Any, Any, Any, Any]:
    """Centre and size of boxes of a format."""
    if box_format == "cxcywh":
        return boxes[..., 0], boxes[..., 1], boxes[..., 2], boxes[..., 3]
    x1, y1, x2, y2 = to_xyxy(xp, boxes, box_format)
    return (x1 + x2 + pixel) / 2, (y1 + y2 + pixel) / 2, x2 - x1 + pixel, y2 - y1 + pixel


def given(xp: Any, x: Any, y: Any, w: Any, h: Any, box_format: str, pixel: float = 0) -> Any:
    """Boxes of that centre and size in a format."""
    if box_format == "cxcywh":
        return xp.stack([x, y, w, h])
    x1, y1 = x - w / 2, y - h / 2
    if box_format == "xywh":
        return xp.stack([x1, y1, w, h])
    corners = [x1, y1, x + w / 2 - pixel, y + h / 2 - pixel]
    order = TOPS.get(box_format, (0, 1, 2, 3))
    return xp.stack([corners[order.index(j)] for j in range(4)])


def log_of(xp: Any, a: Any, b: Any, zero: Any = None) -> Any:
    """ln(a / b) for a, b >= 0. zero: BARE, or a floor for a and b, or ("plus", what is added to a)."""
    if zero is BARE:
        return xp.log(a / b)
    if isinstance(zero, tuple):
        a = a + zero[1]
    elif zero is not None:
        a, b = xp.maximum(a, zero), xp.maximum(b, zero)
    low, high = a < LEAST * b, b < LEAST * a
    edge = low | high
    usual = xp.log(xp.where(edge, 1, a) / xp.where(edge, 1, b))
    return xp.where(low, -math.inf, xp.where(high, math.inf, usual))


def _weights(weights: Any, how: str) -> Any:
    if how == "ignored":
        return (1, 1, 1, 1)
    if how == "inverse":
        return tuple(1 / w for w in weights)
    if how == "swapped":
        return (*weights[2:], *weights[:2])
    return (weights[0],) * 4 if how == "first" else weights


def delta_encode(
    xp: Any, boxes: Any, priors: Any, *, weights: Any, wh_clip: float | None, box_format: str,
    reads: tuple[str | None, str | None] = (None, None), pixel: float = 0, weighting: str = "", logarithm: float = 1, zero: Any = None,
    corner: bool = False, turned: bool = False, mirrored: bool = False, clipped: bool = False, transposed: bool = False,
) -> Any:  # fmt: skip
    x, y, w, h = centred(xp, boxes, reads[0] or box_format, pixel)
    px, py, pw, ph = centred(xp, priors, reads[1] or "xyxy", pixel)
    wx, wy, ww, wh = _weights(weights, weighting)
    if corner:
        px, py = px - pw / 2, py - ph / 2
    dx, dy = (px - x, py - y) if mirrored else (x - px, y - py)
    sizes = [log_of(xp, w, pw, zero) / logarithm, log_of(xp, h, ph, zero) / logarithm]
    if clipped and wh_clip is not None:
        sizes = [xp.minimum(size, wh_clip) for size in sizes]
    if transposed:  # weights go with the place
        wx, wy, ww, wh = wy, wx, wh, ww
    result = [wx * dx / pw, wy * dy / ph, ww * sizes[0], wh * sizes[1]]
    order = (1, 0, 3, 2) if transposed else (0, 1, 3, 2) if turned else range(4)
    return xp.stack([result[j] for j in order])


def delta_decode(
    xp: Any, codes: Any, priors: Any, *, weights: Any, wh_clip: float | None, box_format: str,
    reads: tuple[str | None, str | None] = (None, None), gives: str | None = None, pixel: float = 0, weighting: str = "",
    logarithm: float = 1, corner: bool = False, turned: bool = False, mirrored: bool = False, clip: Any = "stated",
    transposed: bool = False,
) -> Any:  # fmt: skip
    order = (1, 0, 3, 2) if transposed else (0, 1, 3, 2) if turned else (0, 1, 2, 3)
    t, chosen = [codes[..., j] for j in order], _weights(weights, weighting)
    chosen = [chosen[j] for j in order] if transposed else chosen
    usual, limit = math.log(1000 / 16), wh_clip
    if clip == "fallback":
        limit = usual if wh_clip is None else wh_clip
    else:
        limit = wh_clip if clip in ("stated", "both", "early") else clip if clip != "default" else usual
    if clip == "early" and limit is not None:
        t[2:] = [xp.minimum(x, limit) for x in t[2:]]
    dx, dy, dw, dh = (x / weight for x, weight in zip(t, chosen, strict=True))
    if limit is not None and clip != "early":
        dw, dh = xp.minimum(dw, limit), xp.minimum(dh, limit)
    if limit is not None and clip == "both":
        dw, dh = xp.maximum(dw, -limit), xp.maximum(dh, -limit)
    px, py, pw, ph = centred(xp, priors, reads[1] or "xyxy", pixel)
    if corner:
        px, py = px - pw / 2, py - ph / 2
    side = -1 if mirrored else 1
    w, h = pw * xp.exp(logarithm * dw), ph * xp.exp(logarithm * dh)
    return given(xp, px + side * dx * pw, py + side * dy * ph, w, h, gives or box_format, pixel)


def _cell(xp: Any, priors: Any, transposed: bool, half: float, in_cells: bool) -> tuple[Any, Any, Any, Any, Any]:
    column, row, w, h, stride = (priors[..., j] for j in range(5))
    column, row = (row, column) if transposed else (column, row)
    return column + half, row + half, *((w * stride, h * stride) if in_cells else (w, h)), stride


def _scales(scale_xy: Any, scale: str) -> tuple[Any, Any]:
    """Scale of the sigmoid, and what is taken off."""
    s = {"ignored": 1, "two": 2}.get(scale, scale_xy)
    return s, 0 if scale == "no_shift" else (s - 1) / 2


def yolo_encode(
    xp: Any, boxes: Any, priors: Any, *, scale_xy: float, size: str, border: float,
    reads: tuple[str | None, str | None] = (None, None), scale: str = "", sizing: str | None = None, logarithm: float = 1, zero: Any = None,
    half: float = 0, unit: str = "", in_cells: bool = False, transposed: bool = False, turned: bool = False, linear: bool = False,
) -> Any:  # fmt: skip
    x, y, w, h = centred(xp, boxes, reads[0] or "xyxy")
    column, row, pw, ph, stride = _cell(xp, priors, transposed, half, in_cells)
    s, shift = _scales(scale_xy, scale)

    def held(f: Any) -> tuple[Any, Any]:
        f = xp.minimum(xp.maximum(f, border), 1 - border) if np.any(border) else f
        return f, 1 - f

    def place(centre: Any, cell: Any) -> Any:
        f = ((centre if unit == "none" else centre / stride) - cell + shift) / s
        return f if linear else log_of(xp, *held(f), zero)

    def shape(length: Any, prior: Any) -> Any:
        ratio = (length / stride if unit == "cells" else length) / prior
        if (sizing or size) == "squared_sigmoid":
            return log_of(xp, *held(xp.sqrt(ratio) / 2), zero)
        if sizing == "sigmoid":
            return log_of(xp, *held(ratio / 2), zero)
        return log_of(xp, xp.maximum(ratio, border) if np.any(border) else ratio, ratio * 0 + 1, zero) / logarithm

    result = [place(x, column), place(y, row), shape(w, pw), shape(h, ph)]
    return xp.stack([result[0], result[1], result[3], result[2]] if turned else result)


def _rounded_sigmoid(xp: Any, t: Any) -> Any:
    """With the derivative p (1 - p) of the rounded p, as frameworks have it."""
    p = xp.stop_gradient(xp.sigmoid(t))
    return p + p * (1 - p) * (t - xp.stop_gradient(t))


def yolo_decode(
    xp: Any, codes: Any, priors: Any, *, scale_xy: float, size: str, border: float,
    gives: str | None = None, scale: str = "", sizing: str | None = None, logarithm: float = 1, half: float = 0, unit: str = "",
    in_cells: bool = False, transposed: bool = False, turned: bool = False, linear: bool = False, rounded: bool = False, slope: str = "",
) -> Any:  # fmt: skip
    def sigmoid(t: Any) -> Any:
        if slope == "no sigmoid":
            return xp.stop_gradient(xp.sigmoid(t)) + (t - xp.stop_gradient(t))
        return _rounded_sigmoid(xp, t) if rounded else xp.sigmoid(t)

    def sized(by: Any, grown: Any) -> Any:
        return turned_by(xp, by * grown, 1 / by) if slope == "no prior" else by * grown

    tx, ty, tw, th = (codes[..., j] for j in ((0, 1, 3, 2) if turned else range(4)))
    column, row, pw, ph, stride = _cell(xp, priors, transposed, half, in_cells)
    s, shift = _scales(scale_xy, scale)
    x, y = ((t if linear else s * sigmoid(t) - shift) + cell for t, cell in ((tx, column), (ty, row)))
    chosen = sizing or size

    def grow(t: Any) -> Any:
        if chosen == "exp":
            return xp.exp(logarithm * t)
        return 4 * sigmoid(t) * sigmoid(t) if chosen == "squared_sigmoid" else 2 * sigmoid(t)

    w, h = sized(pw, grow(tw)), sized(ph, grow(th))
    x, y = (x, y) if unit else (x * stride, y * stride)
    x, y = (turned_by(xp, x, 1 / stride), turned_by(xp, y, 1 / stride)) if slope == "no stride" else (x, y)
    w, h = (w / stride, h / stride) if unit == "cells" else (w, h)
    return given(xp, x, y, w, h, gives or "xyxy")


def yolov1_encode(
    xp: Any, boxes: Any, priors: Any, *, reads: tuple[str | None, str | None] = (None, None), half: float = 0, transposed: bool = False,
    turned: bool = False, root: str = "", unit: str = "", zero: Any = None,
) -> Any:  # fmt: skip
    x, y, w, h = centred(xp, boxes, reads[0] or "xyxy")
    column, row, cells = (priors[..., j] for j in ((1, 0, 2) if transposed else range(3)))
    column, row = column + half, row + half
    places = [x - column / cells, y - row / cells] if unit == "none" else [x * cells - column, y * cells - row]
    places = [x * cells, y * cells] if unit == "no_cell" else places
    sizes = [w, h] if root == "none" else [xp.log(v) / 2 if root == "log" else _root(xp, v, zero) for v in (w, h)]
    return xp.stack([*places, *(reversed(sizes) if turned else sizes)])


def _root(xp: Any, x: Any, zero: Any) -> Any:
    """The square root; BARE: with its infinite derivative at 0, by way of the logarithm's."""
    if zero is not BARE:
        return xp.sqrt(x)
    return xp.sqrt(x) + xp.where(x == 0, 0 * xp.exp(0 * xp.log(x)), 0)


def yolov1_decode(
    xp: Any, codes: Any, priors: Any, *, gives: str | None = None, half: float = 0, transposed: bool = False, turned: bool = False,
    root: str = "", unit: str = "",
) -> Any:  # fmt: skip
    tx, ty, tw, th = (codes[..., j] for j in ((0, 1, 3, 2) if turned else range(4)))
    column, row, cells = (priors[..., j] for j in ((1, 0, 2) if transposed else range(3)))
    column, row = column + half, row + half
    x, y = (tx + column / cells, ty + row / cells) if unit == "none" else ((tx + column) / cells, (ty + row) / cells)
    x, y = (tx / cells, ty / cells) if unit == "no_cell" else (x, y)
    grow = {"": lambda t: t * t, "none": lambda t: t, "log": lambda t: xp.exp(2 * t), "held": lambda t: xp.maximum(t, 0) * xp.maximum(t, 0)}
    return given(xp, x, y, grow[root](tw), grow[root](th), gives or "xyxy")


def ltrb_encode(
    xp: Any, boxes: Any, priors: Any, *, normalize: bool, activation: str, reads: tuple[str | None, str | None] = (None, None),
    unit: str = "", curve: str | None = None, logarithm: float = 1, zero: Any = None, half: float = 0, order: tuple[int, ...] = (0, 1, 2,
    3),
    clamped: bool = False,
) -> Any:  # fmt: skip
    x1, y1, x2, y2 = to_xyxy(xp, boxes, reads[0] or "xyxy")
    x, y, stride = (priors[..., j] for j in range(3))
    x, y = x + half * stride, y + half * stride
    by = stride if (normalize or unit == "always") and unit != "never" else stride / stride
    sides = [x - x1, y - y1, x2 - x, y2 - y]
    sides = [xp.maximum(side, 0) for side in sides] if clamped else sides
    chosen = curve or activation
    result = [side / by if chosen == "linear" else log_of(xp, side, by, zero) / logarithm for side in sides]
    return xp.stack([result[j] for j in order])


def ltrb_decode(
    xp: Any, codes: Any, priors: Any, *, normalize: bool, activation: str, gives: str | None = None, unit: str = "",
    curve: str | None = None, logarithm: float = 1, half: float = 0, order: tuple[int, ...] = (0, 1, 2, 3), clamped: bool = False,
) -> Any:  # fmt: skip
    x, y, stride = (priors[..., j] for j in range(3))
    x, y = x + half * stride, y + half * stride
    by = stride if (normalize or unit == "always") and unit != "never" else stride / stride
    chosen = curve or activation
    t = [codes[..., order.index(j)] for j in range(4)]
    t = [xp.maximum(v, 0) for v in t] if clamped and chosen == "linear" else t
    left, top, right, bottom = (by * (v if chosen == "linear" else xp.exp(logarithm * v)) for v in t)
    x1, y1, x2, y2 = x - left, y - top, x + right, y + bottom
    if gives is None:
        return xp.stack([x1, y1, x2, y2])
    return given(xp, (x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1, gives)


TEMPLATES.update({
    "delta_coder.encode": delta_encode, "delta_coder.decode": delta_decode, "yolo_coder.encode": yolo_encode,
    "yolo_coder.decode": yolo_decode, "yolov1_coder.encode": yolov1_encode, "yolov1_coder.decode": yolov1_decode,
    "ltrb_coder.encode": ltrb_encode, "ltrb_coder.decode": ltrb_decode,
})  # fmt: skip

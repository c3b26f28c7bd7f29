"""The direction in which AlexeyAB/darknet (box.c, dx_box_iou) moves a box: the gradient of no function, and what its networks learnt from.

Against the true derivative of IoU, GIoU, DIoU, CIoU with respect to (x, y, w, h): intersections are not clamped at 0; w and h count
twice in IoU and GIoU; the enclosing box's term has the other sign in DIoU; the aspect term lacks 1 / (w^2 + h^2), and its alpha
has 1e-6 in the denominator. Where boxes do not meet, only the term that is added to IoU's stands.
"""

import math

import numpy as np

from .._engine.record import Array

ALPHA_EPS = 1e-6


def descent(boxes: Array, truths: Array, kind: str) -> Array:
    """(n, 4): by (x, y, w, h), in what to add to them. Boxes and truths are (n, 4) rows (x, y, w, h) of one unit."""
    (x, y, w, h), (u, v, s, t) = boxes.T, truths.T
    across = _axis(x, w, u, s)
    down = _axis(y, h, v, t)
    with np.errstate(all="ignore"):  # what is not finite becomes 0 in the end
        intersection = across.meet * down.meet
        area = (across.high - across.low) * (down.high - down.low)
        union = area + s * t - intersection
        parts = []
        for one, other in ((across, down), (down, across)):
            by_low, by_high = _of_iou(one, other, intersection, union)
            if kind == "giou":
                more_low, more_high = _of_giou(one, other, union)
                apart = (across.meet <= 0) | (down.meet <= 0)
                by_low, by_high = np.where(apart, 0, by_low) + more_low, np.where(apart, 0, by_high) + more_high
            parts.append((by_low + by_high, by_high - by_low))
        move = np.stack([parts[0][0], parts[1][0], parts[0][1], parts[1][1]], axis=1)
        if kind in ("diou", "ciou"):
            more = _of_distance(boxes, truths, across, down)
            if kind == "ciou":
                more += _of_aspect(boxes, truths, intersection / union)
            apart = (across.meet <= 0) | (down.meet <= 0)
            move = np.where(apart[:, None], 0, move) + more
    return np.where(np.isfinite(move), move, 0)


class _axis:  # noqa: N801
    """One axis: the box's ends, the signed length of the intersection, the hull, and which of the box's ends are inner or outer."""

    def __init__(self, centre: Array, size: Array, other: Array, other_size: Array) -> None:
        self.low, self.high = centre - size / 2, centre + size / 2
        low, high = other - other_size / 2, other + other_size / 2
        self.meet = np.minimum(self.high, high) - np.maximum(self.low, low)
        self.hull = np.maximum(self.high, high) - np.minimum(self.low, low)
        self.inner = self.low > low, self.high < high
        self.outer = self.low < low, self.high > high


def _of_iou(one: _axis, other: _axis, intersection: Array, union: Array) -> tuple[Array, Array]:
    """d(I / U) by the low and the high end."""
    ends = []
    for inner, sign in zip(one.inner, (-1, 1), strict=True):
        d_intersection = sign * inner * other.meet
        d_union = sign * (other.high - other.low) - d_intersection
        ends.append(np.where(union > 0, (d_intersection * union - intersection * d_union) / union**2, 0))
    return ends[0], ends[1]


def _of_giou(one: _axis, other: _axis, union: Array) -> tuple[Array, Array]:
    """d(U / C) by the low and the high end, C the area of the hull."""
    hull, ends = one.hull * other.hull, []
    for inner, outer, sign in zip(one.inner, one.outer, (-1, 1), strict=True):
        d_union = sign * (other.high - other.low) - sign * inner * other.meet
        ends.append(np.where(hull > 0, (d_union * hull - union * sign * outer * other.hull) / hull**2, 0))
    return ends[0], ends[1]


def _of_distance(boxes: Array, truths: Array, across: _axis, down: _axis) -> Array:
    apart = truths[:, :2] - boxes[:, :2]
    distance, diagonal = (apart**2).sum(axis=1), across.hull**2 + down.hull**2
    move, grow = [], []
    for j, one in enumerate((across, down)):
        left, right = (outer.astype(boxes.dtype) for outer in one.outer)
        move.append((2 * apart[:, j] * diagonal - 2 * one.hull * (right - left) * distance) / diagonal**2)
        grow.append(2 * one.hull * (right + left) / 2 * distance / diagonal**2)
    made = np.stack([*move, *grow], axis=1)
    return np.where((diagonal > 0)[:, None], made, 0)


def _of_aspect(boxes: Array, truths: Array, iou: Array) -> Array:
    turn = np.arctan(truths[:, 2] / truths[:, 3]) - np.arctan(boxes[:, 2] / boxes[:, 3])
    v = 4 / math.pi**2 * turn**2
    pull = v / (1 - iou + v + ALPHA_EPS) * 8 / math.pi**2 * turn
    zero = np.zeros_like(turn)
    return np.stack([zero, zero, pull * boxes[:, 3], -pull * boxes[:, 2]], axis=1)

"""Intersection over union, aligned or of all pairs."""

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from .._engine import check, memory
from .._engine.compile import jit, read, source_digest, written
from .._engine.overlap import EMPTY, meeting, over
from .._engine.record import Array
from .._engine.threads import over_blocks
from ..errors import bad_value
from .formats import area, box_rows, ordered

_ROWS = 256


@functools.cache
def _matrix(T: Any) -> Callable[..., Any]:
    stamp = source_digest()

    def rows(one, two, matrix, first, last):  # type: ignore[no-untyped-def]
        stamp  # noqa: B018
        for i in range(first * _ROWS, min(one.shape[1], last * _ROWS)):
            x1, y1, x2, y2 = one[0, i], one[1, i], one[2, i], one[3, i]
            u1, v1, u2, v2, out = two[0], two[1], two[2], two[3], matrix[i]
            for j in range(out.size):
                intersection = meeting(x1, x2, u1[j], u2[j]) * meeting(y1, y2, v1[j], v2[j])
                union = ((x2 - x1) * (y2 - y1) + (u2[j] - u1[j]) * (v2[j] - v1[j])) - intersection
                out[j] = over(intersection, union) if union == union else union

    return jit(rows, f"iou_matrix_{T.__name__}", read(T, 2), read(T, 2), written(T, 2), int, int)


def iou_matrix(boxes: ArrayLike, others: ArrayLike) -> Array:
    """Intersection over union of all pairs of xyxy boxes: (n, 4) and (m, 4) give (n, m), in [0, 1].

    0 where the union is empty (below 2^-126). NaN gives NaN. Nothing of size (n, m) is made but the result; an assigner that needs
    the best match of each box should not call this (see `refloss.assign`), since n m numbers are its memory.

    >>> iou_matrix([[0.0, 0.0, 10.0, 10.0]], [[0.0, 0.0, 10.0, 20.0], [20.0, 20.0, 30.0, 30.0]])
    array([[0.5, 0. ]])
    """
    one, two = box_rows("iou_matrix", "boxes", boxes), box_rows("iou_matrix", "others", others)
    for name, array in (("boxes", one), ("others", two)):
        if array.ndim != 2:
            bad_value("iou_matrix", name, "of shape (n, 4)", f"{array.shape}", "use iou for aligned boxes of any shape")
        ordered("iou_matrix", name, array)
    if one.dtype != two.dtype:
        bad_value("iou_matrix", "others", f"of the dtype of boxes ({one.dtype})", f"{two.dtype}", "convert with others.astype(boxes.dtype)")
    T = np.float32 if check.is_half(one.dtype) else one.dtype.type
    matrix = memory.empty((len(one), len(two)), T)
    if matrix.size:
        columns = np.ascontiguousarray(one.T, T), np.ascontiguousarray(two.T, T)
        compiled = _matrix(T)
        over_blocks(lambda first, last: compiled(*columns, matrix, first, last), -(-len(one) // _ROWS), matrix.size)
    return matrix.astype(one.dtype, copy=False)


def iou(boxes: ArrayLike, others: ArrayLike) -> Array:
    """Intersection over union of aligned xyxy boxes: (..., 4) and (..., 4) of one shape give (...), in [0, 1].

    0 where the union is empty (below 2^-126, as everywhere here). NaN gives NaN, and so do boxes whose areas overflow.
    `iou_loss` is 1 minus this; use that where a gradient is needed.

    >>> iou([[0.0, 0.0, 10.0, 10.0]], [[0.0, 0.0, 10.0, 20.0]])
    array([0.5])
    """
    one, two = box_rows("iou", "boxes", boxes), box_rows("iou", "others", others)
    if one.shape != two.shape or one.dtype != two.dtype:
        got = f"{two.dtype}{two.shape}"
        bad_value("iou", "others", f"of the shape and dtype of boxes {one.dtype}{one.shape}", got, "use iou_matrix for all pairs")
    ordered("iou", "boxes", one)
    ordered("iou", "others", two)
    p, q = (a.astype(np.float32) if check.is_half(a.dtype) else a for a in (one, two))
    meet = np.maximum(np.minimum(p[..., 2:], q[..., 2:]) - np.maximum(p[..., :2], q[..., :2]), 0)
    intersection = meet[..., 0] * meet[..., 1]
    with np.errstate(over="ignore", invalid="ignore"):
        union = area(p) + area(q) - intersection
        empty = union < EMPTY
        return np.where(empty, 0, intersection / np.where(empty, 1, union)).astype(one.dtype, copy=False)[()]

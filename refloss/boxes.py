"""Boxes: formats, areas, and intersection over union, aligned or of all pairs."""

import functools
from collections.abc import Callable
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from ._engine import check
from ._engine.compile import jit, source_digest
from ._engine.overlap import meeting, over
from ._engine.record import Array
from ._engine.threads import over_blocks
from .errors import bad_value

BoxFormat = Literal["xyxy", "xywh", "cxcywh", "rel_xyxy", "rel_xywh", "rel_cxcywh"]
FORMATS = ("xyxy", "xywh", "cxcywh", "rel_xyxy", "rel_xywh", "rel_cxcywh")
_ROWS = 256


def _boxes(function: str, argument: str, values: ArrayLike) -> Array:
    array = check.floats(function, argument, values, f"convert with {argument}.astype(np.float32)")
    if array.ndim == 0 or array.shape[-1] != 4:
        bad_value(function, argument, "of shape (..., 4)", f"{array.shape}", "give one box of four numbers in each row")
    return array


def convert(boxes: ArrayLike, source: BoxFormat, target: BoxFormat, *, image_size: tuple[float, float] | None = None) -> Array:
    """Boxes of one format in another.

    Formats: "xyxy" corners (x1, y1, x2, y2), exclusive, no +1; "xywh" top left corner and size; "cxcywh" centre and size; the
    same with "rel_", as fractions of the image instead of pixels. Computed in the dtype given (half precision in float32).

    Arguments:
        boxes: (..., 4), any float dtype.
        source, target: the two formats.
        image_size: (height, width) in pixels; needed when exactly one of the two is relative.

    Raises ReflossError for an unknown format, another shape, or a missing image_size.

    >>> convert([10.0, 20.0, 30.0, 60.0], "xyxy", "cxcywh")
    array([20., 40., 20., 40.])
    >>> convert([0.5, 0.5, 0.5, 1.0], "rel_cxcywh", "xyxy", image_size=(100, 200))
    array([ 50.,   0., 150., 100.])
    """
    array = _boxes("convert", "boxes", boxes)
    check.choice("convert", "source", source, FORMATS)
    check.choice("convert", "target", target, FORMATS)
    dtype = array.dtype
    a, b, c, d = np.moveaxis(array.astype(np.float32) if check.is_half(dtype) else array, -1, 0)
    kinds = source.removeprefix("rel_"), target.removeprefix("rel_")
    if kinds[0] != kinds[1]:
        x, y, w, h = (a, b, c - a, d - b) if kinds[0] == "xyxy" else (a, b, c, d)
        if kinds[0] == "cxcywh":
            x, y = a - c / 2, b - d / 2
        a, b, c, d = {"xyxy": (x, y, x + w, y + h), "xywh": (x, y, w, h), "cxcywh": (x + w / 2, y + h / 2, w, h)}[kinds[1]]
    if source.startswith("rel_") != target.startswith("rel_"):
        height, width = _image_size(image_size)
        if source.startswith("rel_"):
            a, b, c, d = a * width, b * height, c * width, d * height
        else:
            a, b, c, d = a / width, b / height, c / width, d / height
    return np.stack([a, b, c, d], axis=-1).astype(dtype, copy=False)


def _image_size(image_size: Any) -> tuple[float, float]:
    if image_size is None or np.shape(image_size) != (2,) or not all(float(v) > 0 for v in image_size):
        bad_value("convert", "image_size", "(height, width), both positive", repr(image_size), "pass image_size=image.shape[:2]")
    return float(image_size[0]), float(image_size[1])


def area(boxes: ArrayLike) -> Array:
    """Areas (...) of xyxy boxes (..., 4), in square pixels.

    >>> area([[0.0, 0.0, 10.0, 20.0]])
    array([200.])
    """
    array = _boxes("area", "boxes", boxes)
    wide = array.astype(np.float32) if check.is_half(array.dtype) else array
    result: Array = (wide[..., 2] - wide[..., 0]) * (wide[..., 3] - wide[..., 1])
    return result.astype(array.dtype, copy=False)


@functools.cache
def _matrix(stamp: str) -> Callable[..., Any]:
    def rows(one, two, matrix, first, last):  # type: ignore[no-untyped-def]
        stamp  # noqa: B018
        for i in range(first * _ROWS, min(one.shape[1], last * _ROWS)):
            x1, y1, x2, y2 = one[0, i], one[1, i], one[2, i], one[3, i]
            u1, v1, u2, v2, out = two[0], two[1], two[2], two[3], matrix[i]
            for j in range(out.size):
                intersection = meeting(x1, x2, u1[j], u2[j]) * meeting(y1, y2, v1[j], v2[j])
                union = ((x2 - x1) * (y2 - y1) + (u2[j] - u1[j]) * (v2[j] - v1[j])) - intersection
                out[j] = over(intersection, union) if union == union else union

    return jit(rows)


def iou_matrix(boxes: ArrayLike, others: ArrayLike) -> Array:
    """Intersection over union of all pairs of xyxy boxes: (n, 4) and (m, 4) give (n, m), in [0, 1].

    0 where both boxes have no area. Nothing of size (n, m) is made but the result; an assigner that needs the best match of
    each box should not call this (see `refloss.assign`), since n m numbers are its memory.

    >>> iou_matrix([[0.0, 0.0, 10.0, 10.0]], [[0.0, 0.0, 10.0, 20.0], [20.0, 20.0, 30.0, 30.0]])
    array([[0.5, 0. ]])
    """
    one, two = _boxes("iou_matrix", "boxes", boxes), _boxes("iou_matrix", "others", others)
    for name, array in (("boxes", one), ("others", two)):
        if array.ndim != 2:
            bad_value("iou_matrix", name, "of shape (n, 4)", f"{array.shape}", "use iou for aligned boxes of any shape")
        _ordered("iou_matrix", name, array)
    if one.dtype != two.dtype:
        bad_value("iou_matrix", "others", f"of the dtype of boxes ({one.dtype})", f"{two.dtype}", "convert with others.astype(boxes.dtype)")
    T = np.float32 if check.is_half(one.dtype) else one.dtype.type
    matrix = np.empty((len(one), len(two)), T)
    if matrix.size:
        columns = np.ascontiguousarray(one.T, T), np.ascontiguousarray(two.T, T)
        compiled = _matrix(source_digest())
        over_blocks(lambda first, last: compiled(*columns, matrix, first, last), -(-len(one) // _ROWS), matrix.size)
    return matrix.astype(one.dtype, copy=False)


def iou(boxes: ArrayLike, others: ArrayLike) -> Array:
    """Intersection over union of aligned xyxy boxes: (..., 4) and (..., 4) of one shape give (...), in [0, 1].

    0 where both boxes have no area. `iou_loss` is 1 minus this; use that where a gradient is needed.

    >>> iou([[0.0, 0.0, 10.0, 10.0]], [[0.0, 0.0, 10.0, 20.0]])
    array([0.5])
    """
    one, two = _boxes("iou", "boxes", boxes), _boxes("iou", "others", others)
    if one.shape != two.shape or one.dtype != two.dtype:
        got = f"{two.dtype}{two.shape}"
        bad_value("iou", "others", f"of the shape and dtype of boxes {one.dtype}{one.shape}", got, "use iou_matrix for all pairs")
    _ordered("iou", "boxes", one)
    _ordered("iou", "others", two)
    p, q = (a.astype(np.float32) if check.is_half(a.dtype) else a for a in (one, two))
    meet = np.maximum(np.minimum(p[..., 2:], q[..., 2:]) - np.maximum(p[..., :2], q[..., :2]), 0)
    intersection = meet[..., 0] * meet[..., 1]
    union = area(p) + area(q) - intersection
    empty = union == 0
    return (intersection / np.where(empty, 1, union)).astype(one.dtype, copy=False)


def _ordered(function: str, argument: str, boxes: Array) -> None:
    wrong = (boxes[..., 2:] < boxes[..., :2]).any(axis=-1)
    if wrong.any():
        where = int(np.argmax(wrong))
        got = f"{boxes.reshape(-1, 4)[where].tolist()} at index {where}"
        bad_value(function, argument, "boxes with x2 >= x1 and y2 >= y1", got, 'sort the corners, or convert(boxes, "xywh", "xyxy") first')

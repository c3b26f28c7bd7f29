"""Formats of boxes, and areas."""

from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from .._engine import check
from .._engine.record import Array
from ..errors import bad_value

BoxFormat = Literal["xyxy", "xywh", "cxcywh", "rel_xyxy", "rel_xywh", "rel_cxcywh"]
FORMATS = ("xyxy", "xywh", "cxcywh", "rel_xyxy", "rel_xywh", "rel_cxcywh")


def box_rows(function: str, argument: str, values: ArrayLike) -> Array:
    array = check.floats(function, argument, values, f"convert with {argument}.astype(np.float32)")
    if array.shape == (0,):  # []: no boxes
        return array.reshape(0, 4)
    if array.ndim == 0 or array.shape[-1] != 4:
        bad_value(function, argument, "of shape (..., 4)", f"{array.shape}", "give one box of four numbers in each row")
    return array


def ordered(function: str, argument: str, boxes: Array) -> None:
    wrong = (boxes[..., 2:] < boxes[..., :2]).any(axis=-1)
    if wrong.any():
        where = int(np.argmax(wrong))
        got = f"{boxes.reshape(-1, 4)[where].tolist()} at index {where}"
        bad_value(function, argument, "boxes with x2 >= x1 and y2 >= y1", got, 'sort the corners, or convert(boxes, "xywh", "xyxy") first')


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
    array = box_rows("convert", "boxes", boxes)
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
    array = box_rows("area", "boxes", boxes)
    wide = array.astype(np.float32) if check.is_half(array.dtype) else array
    result: Array = (wide[..., 2] - wide[..., 0]) * (wide[..., 3] - wide[..., 1])
    return result.astype(array.dtype, copy=False)

"""What every assigner asks of its boxes and thresholds. Failures are one sentence, in the name of the function that was called."""

from typing import Any

import numpy as np

from .._engine import check
from .._engine.overlap import EMPTY
from .._engine.record import Array
from ..errors import bad_type, bad_value

_ROWS = 32_768  # looked at in slices of this many, so that the temporary arrays stay in a cache


def boxes(function: str, argument: str, values: Any) -> Array:
    """(n, 4) finite xyxy boxes of any float dtype; [] is none."""
    array = _rows(function, argument, check.floats(function, argument, values, f"convert with {argument}.astype(np.float32)"))
    _sound(function, argument, array)
    return array


def truths(function: str, values: Any, priors: Array, argument: str = "gt_boxes", of: str = "priors") -> Array:
    """(m, 4) finite xyxy boxes of the dtype of the priors, which a list (and an array of none) takes."""
    array = _rows(function, argument, check.floats(function, argument, values, f"convert with {argument}.astype({of}.dtype)"))
    if not hasattr(values, "dtype") or not array.size:
        with np.errstate(over="ignore"):  # found below, and said with the argument's name
            array = array.astype(priors.dtype)
    if array.dtype != priors.dtype:
        way_out = f"convert with {argument}.astype({of}.dtype)"
        bad_type(function, argument, f"of the dtype of {of} ({priors.dtype})", f"{array.dtype}", way_out)
    _sound(function, argument, array)
    return array


def _rows(function: str, argument: str, array: Array) -> Array:
    if array.shape == (0,):
        return array.reshape(0, 4)
    if array.ndim != 2 or array.shape[1] != 4:
        bad_value(function, argument, "of shape (n, 4)", f"{array.shape}", "give the boxes of one image, four numbers in each row")
    return array


def _sound(function: str, argument: str, array: Array) -> None:
    for start in range(0, len(array), _ROWS):
        part = array[start : start + _ROWS]
        if _sizes_are_sound(part):
            continue
        finite, ordered = np.isfinite(part).all(axis=1), (part[:, 2:] >= part[:, :2]).all(axis=1)
        if not finite.all():
            row = int(np.argmin(finite))
            got = f"{part[row].tolist()} at index {start + row}"
            way_out = "look for a division by 0, a log of 0, or an exp that overflowed, where they are made"
            bad_value(function, argument, "boxes of finite numbers", got, way_out)
        if not ordered.all():
            row = int(np.argmin(ordered))
            got = f"{part[row].tolist()} at index {start + row}"
            way_out = f'sort the corners, or refloss.boxes.convert({argument}, "xywh", "xyxy") first'
            bad_value(function, argument, "boxes with x2 >= x1 and y2 >= y1", got, way_out)


def _sizes_are_sound(boxes: Array) -> bool:
    """Sizes that are finite and not negative belong to finite, ordered corners; the reverse fails only near the largest numbers."""
    with np.errstate(over="ignore", invalid="ignore"):
        width, height = boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1]
    return all(size.min() >= 0 and size.max() < np.inf for size in (width, height))  # False for NaN


def working(array: Array) -> Array:
    """The same boxes in the dtype of the computation: half precision is widened to float32."""
    return np.ascontiguousarray(array, np.float32 if check.is_half(array.dtype) else array.dtype)


def iou_threshold(function: str, argument: str, value: Any) -> float:
    """An IoU in (0, 1] from which on boxes match. 0 is refused: every prior would then match a truth it does not touch."""
    way_out = "give an IoU, such as 0.5"
    real = check.number(function, argument, value, 0.0, 1.0, way_out)
    if real < EMPTY:  # 0 in float32
        bad_value(function, argument, "above 0", f"{real:g}", way_out)
    return real

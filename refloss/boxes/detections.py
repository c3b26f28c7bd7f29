"""What a detector puts out, checked: boxes with scores, and labels."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from .._engine import check
from .._engine.record import Array
from ..errors import bad_type, bad_value
from .formats import box_rows, ordered


def detections(function: str, boxes: ArrayLike, scores: ArrayLike, *, classes: bool = False) -> tuple[Array, Array]:
    """Finite xyxy boxes (n, 4), and scores (n,), or with `classes` also (n, classes), of one dtype and without NaN."""
    if not hasattr(boxes, "dtype") and np.size(boxes) == 0:  # [] has no dtype, and no four columns
        score_array = check.floats(function, "scores", scores, "convert with scores.astype(np.float32)")
        box_array = np.empty((0, 4), score_array.dtype)
    else:
        box_array = box_rows(function, "boxes", boxes)
        if not hasattr(scores, "dtype") and np.size(scores) == 0:
            scores = np.empty(np.shape(scores), box_array.dtype)
        score_array = check.floats(function, "scores", scores, "convert with scores.astype(boxes.dtype)")
    if box_array.ndim != 2:
        bad_value(function, "boxes", "of shape (n, 4)", f"{box_array.shape}", "give the boxes of one image")
    ordered(function, "boxes", box_array)
    wrong = ~np.isfinite(box_array).all(axis=1)
    if wrong.any():
        where = int(np.argmax(wrong))
        got = f"{box_array[where].tolist()} at index {where}"
        bad_value(function, "boxes", "finite", got, "look for the overflow or the division by zero that made it")
    n = len(box_array)
    if score_array.shape != (n,) and not (classes and score_array.ndim == 2 and score_array.shape[0] == n):
        wanted = f"of shape ({n},) or ({n}, classes)" if classes else f"of shape ({n},)"
        bad_value(function, "scores", wanted, f"{score_array.shape}", "give a score for each box")
    if score_array.dtype != box_array.dtype:
        way_out = "convert with scores.astype(boxes.dtype)"
        bad_type(function, "scores", f"of the dtype of boxes ({box_array.dtype})", f"{score_array.dtype}", way_out)
    no_nan(function, "scores", score_array)
    return box_array, score_array


def no_nan(function: str, argument: str, values: Array) -> None:
    """The least of numbers is NaN if one is: a pass without a temporary array."""
    if values.size and np.isnan(values.min()):
        got = f"NaN at index {tuple(int(i) for i in np.argwhere(np.isnan(values))[0])}"
        bad_value(function, argument, "without NaN", got, "a NaN has no rank; look for where it came from")


def group_labels(function: str, labels: ArrayLike, n: int) -> Array:
    """Integers (n,): equal ones form a group."""
    array = np.asarray(labels)
    if array.size == 0 and not hasattr(labels, "dtype"):
        array = array.astype(np.int64)
    if array.dtype.kind not in "iu":
        bad_type(function, "labels", "an array of integers", f"dtype {array.dtype}", "convert with labels.astype(np.int64)")
    if array.shape != (n,):
        bad_value(function, "labels", f"of shape ({n},)", f"{array.shape}", "give a label for each box")
    return array.astype(np.int64, copy=False)


def at_most(function: str, argument: str, value: Any, everything: int) -> int:
    """A count that limits; None is no limit."""
    if value is None:
        return everything
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
        bad_type(function, argument, "an integer or None", type(value).__name__, "None is no limit")
    if value < 0:
        bad_value(function, argument, "at least 0", f"{value}", "None is no limit")
    return min(int(value), everything)


def computed_in(array: Array) -> Array:
    """The array in the dtype that it is computed in: half precision in float32."""
    return array.astype(np.float32) if check.is_half(array.dtype) else array


def columns(boxes: Array) -> Array:
    """Rows (n, 4) as contiguous columns (5, n): x1, y1, x2, y2 and the area."""
    out = np.empty((5, len(boxes)), boxes.dtype)
    out[:4] = boxes.T
    np.multiply(out[2] - out[0], out[3] - out[1], out=out[4])
    return out

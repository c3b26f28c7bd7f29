"""Checks of arguments. Each failure is one sentence; nothing is computed before the arguments are known to be good."""

import math
from typing import Any

import numpy as np

from ..errors import bad_type, bad_value
from .record import Array, Loss

REDUCTIONS = ("none", "mean", "sum")
NEGATIVE, IGNORE = -1, -2  # a row that belongs to no class; a row that does not count


def number(function: str, argument: str, value: Any, low: float, high: float, way_out: str) -> float:
    """A real number in [low, high]."""
    if isinstance(value, (bool, str)) or (not isinstance(value, (int, float)) and np.ndim(value) != 0):
        bad_type(function, argument, "a number", type(value).__name__, way_out)
    try:
        real = float(value)
    except (TypeError, ValueError):
        bad_type(function, argument, "a number", type(value).__name__, way_out)
    except OverflowError:  # an integer beyond float64
        real = math.inf if value > 0 else -math.inf
    if not low <= real <= high:
        wanted = f"in [{low:g}, {high:g}]" if math.isfinite(high) else f"at least {low:g}" if math.isfinite(low) else "a number"
        bad_value(function, argument, wanted, f"{real:g}", way_out)
    return real


def choice(function: str, argument: str, value: Any, allowed: tuple[str, ...]) -> int:
    """The index of a named choice."""
    if not isinstance(value, str) or value not in allowed:
        bad_value(function, argument, " or ".join(map(repr, allowed)), repr(value), "choose one of them by name")
    return allowed.index(value)


def is_half(dtype: np.dtype[Any]) -> bool:
    return dtype.itemsize == 2 and (dtype.kind == "f" or dtype.name == "bfloat16")


def floats(function: str, argument: str, values: Any, way_out: str) -> Array:
    """An array of float64, float32, float16 or bfloat16; a Python list or number becomes float64."""
    try:
        array = np.asarray(values)
    except ValueError:  # ragged
        bad_value(function, argument, "an array of one shape", "rows of different lengths", "pad them, or call once for each")
    array = array.astype(array.dtype.newbyteorder("="), copy=False)
    if not isinstance(values, np.ndarray) and not hasattr(values, "dtype") and array.dtype.kind in "iu":
        array = array.astype(np.float64)  # [1, 2]: a list says nothing of its type
    if array.dtype not in (np.float64, np.float32) and not is_half(array.dtype):
        bad_type(function, argument, "an array of float64, float32, float16 or bfloat16", f"dtype {array.dtype}", way_out)
    return array


def arrays(loss: Loss[Any], first: Any, second: Any) -> tuple[Array, Array]:
    """Both array arguments, with shapes and types that belong together."""
    name, (one, two) = loss.name, loss.arrays
    x = floats(name, one, first, f"convert with {one}.astype(np.float32)")
    if loss.targets == "labels":
        return x, _labels(name, one, x, np.asarray(second))
    t = floats(name, two, second, f"convert with {two}.astype({one}.dtype)")
    if t.dtype != x.dtype:
        bad_type(name, two, f"of the dtype of {one} ({x.dtype})", f"{t.dtype}", f"convert with {two}.astype({one}.dtype)")
    if t.shape != x.shape:
        bad_value(name, two, f"of the shape of {one} {x.shape}", f"{t.shape}", "broadcast it first, with np.broadcast_to")
    if loss.kind == "pairs" and (x.ndim == 0 or x.shape[-1] != 4):
        bad_value(name, one, "of shape (..., 4)", f"{x.shape}", "give one box of four numbers in each row")
    return x, t


def _labels(name: str, one: str, x: Array, labels: Array) -> Array:
    if labels.size == 0 and labels.dtype.kind == "f":
        labels = labels.astype(np.int64)  # np.asarray([]) is float64
    if labels.dtype.kind not in "iu":
        bad_type(name, "labels", "an array of integers", f"dtype {labels.dtype}", "convert with labels.astype(np.int64)")
    if x.ndim == 0 or x.shape[-1] == 0 or labels.shape != x.shape[:-1]:
        bad_value(
            name, "labels", f"of the shape of {one} without its last axis ({one}: {x.shape})", f"{labels.shape}",
            f"give {one} (..., classes), with at least one class, and labels (...)",
        )  # fmt: skip
    return labels


def label_range(name: str, labels: Array, classes: int, lowest: int) -> None:
    """Labels are classes, or the named codes from `lowest` up."""
    if labels.size == 0:
        return
    codes = "NEGATIVE (-1), IGNORE (-2)" if lowest == NEGATIVE else "IGNORE (-2)"
    # Unsigned labels have no codes; the comparison below is made in Python integers, so nothing wraps.
    low, high = int(labels.min()), int(labels.max())
    wrong = high if high >= classes else low if low < IGNORE else None
    if wrong is None and lowest == 0 and low < 0 and bool((labels == NEGATIVE).any()):
        wrong = NEGATIVE
    if wrong is not None:
        bad_value(name, "labels", f"in [0, {classes - 1}] or {codes}", str(wrong), "check the number of classes and the label map")


def weights(name: str, values: Any, shape: tuple[int, ...], dtype: Any) -> Array:
    """Elementwise multipliers, broadcast to the shape of the loss; an array of size 0 where there are none."""
    if values is None:
        return np.empty(0, dtype)
    array = np.asarray(values)
    if array.dtype.kind not in "iufb" and not is_half(array.dtype):
        bad_type(name, "weights", "an array of numbers", f"dtype {array.dtype}", "convert with weights.astype(np.float32)")
    try:
        return np.ascontiguousarray(np.broadcast_to(array, shape), dtype).reshape(-1)
    except ValueError:
        bad_value(name, "weights", f"of a shape that broadcasts to {shape}", f"{array.shape}", "give one weight for each loss")


def divisor(name: str, reduction: Any, normalizer: Any, count: int) -> float:
    """What the result is divided by: the normalizer, the number of elements for a mean, or 1."""
    choice(name, "reduction", reduction, REDUCTIONS)
    if normalizer is None:
        return float(max(count, 1)) if reduction == "mean" else 1.0
    if reduction == "mean":
        bad_value(name, "normalizer", 'None with reduction="mean"', repr(normalizer), 'use reduction="sum", which it divides')
    real = number(name, "normalizer", normalizer, 0.0, math.inf, "give a positive number, such as max(1, number of positives)")
    if real == 0.0 or math.isinf(real):
        bad_value(name, "normalizer", "positive and finite", f"{real:g}", "give max(1, number of positives)")
    return real

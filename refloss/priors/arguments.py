"""Checks that every kind of prior shares: the image's size, the feature maps on it, their strides, and the dtype."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from .._engine.record import Array
from ..errors import bad_type, bad_value

Size = int | tuple[int, int]  # of a square, or (height, width)
_HALF = "convert the result with .astype, knowing that half precision places a corner at 2048 to 2 pixels"


def rounded(function: str, rows: Array, dtype: DTypeLike) -> Array:
    """The rows, computed in float64, rounded once."""
    try:
        wanted = np.dtype(dtype)
    except TypeError:
        bad_type(function, "dtype", "float32 or float64", repr(dtype), "np.float32 is the default")
    if wanted not in (np.float32, np.float64):
        bad_type(function, "dtype", "float32 or float64", str(wanted), _HALF)
    return np.ascontiguousarray(rows, wanted)


def number(function: str, argument: str, value: Any, wanted: str, way_out: str) -> float:
    """A finite number; not a string, a bool or an array."""
    if isinstance(value, (bool, str)) or np.ndim(value) != 0:
        bad_type(function, argument, wanted, repr(value), way_out)
    try:
        real = float(value)
    except (TypeError, ValueError):
        bad_type(function, argument, wanted, repr(value), way_out)
    if not math.isfinite(real):
        bad_value(function, argument, wanted, repr(value), way_out)
    return real


def whole(function: str, argument: str, value: Any, wanted: str = "a positive whole number") -> int:
    real = number(function, argument, value, wanted, "give an int")
    if real != int(real) or real < 1:
        bad_value(function, argument, wanted, repr(value), "give an int of at least 1")
    return int(real)


def size(function: str, argument: str, value: Any) -> tuple[int, int]:
    """(height, width) of a whole number or a pair."""
    wanted, way_out = "a positive whole number, or (height, width)", "give 416 or (320, 416)"
    if not hasattr(value, "__iter__") or isinstance(value, str):
        side = whole(function, argument, value, wanted)
        return side, side
    pair = list(value)
    if len(pair) != 2:
        bad_value(function, argument, wanted, repr(value), way_out)
    return whole(function, argument, pair[0], wanted), whole(function, argument, pair[1], wanted)


def image_of_strides(function: str, value: Any, strides: Sequence[int]) -> tuple[int, int]:
    """(height, width) of an image that every stride divides."""
    height, width = size(function, "image_size", value)
    for stride in strides:
        if height % stride or width % stride:
            bad_value(
                function, "image_size", f"divisible by the stride {stride}", f"(height {height}, width {width})",
                f"pad the image to multiples of {math.lcm(*strides)}",
            )  # fmt: skip
    return height, width


def each(function: str, argument: str, values: Any, wanted: str, way_out: str) -> list[Any]:
    """A list of what an argument gives for each feature map."""
    if isinstance(values, (str, bytes)) or not hasattr(values, "__iter__"):
        bad_type(function, argument, wanted, repr(values), way_out)
    items = list(values)
    if not items:
        bad_value(function, argument, wanted, "nothing", way_out)
    return items


def positive(function: str, argument: str, values: Any, wanted: str, way_out: str) -> list[float]:
    """Positive, finite numbers."""
    numbers = [number(function, argument, value, wanted, way_out) for value in each(function, argument, values, wanted, way_out)]
    for real in numbers:
        if real <= 0:
            bad_value(function, argument, wanted, f"{real:g}", way_out)
    return numbers


def shapes(function: str, argument: str, values: Any) -> tuple[tuple[float, float], ...]:
    """((width, height), ...), positive and finite."""
    wanted, way_out = "(width, height) pairs, positive and finite", "give ((10, 13), (16, 30))"
    pairs = []
    for pair in each(function, argument, values, wanted, way_out):
        numbers = positive(function, argument, pair, wanted, way_out)
        if len(numbers) != 2:
            bad_value(function, argument, wanted, repr(pair), way_out)
        pairs.append((numbers[0], numbers[1]))
    return tuple(pairs)


def maps(function: str, values: Any) -> list[tuple[int, int]]:
    """(height, width) of each feature map."""
    items = each(function, "feature_maps", values, "a size for each feature map", "give (38, 19) or ((25, 38), (13, 19))")
    return [size(function, "feature_maps", item) for item in items]


def steps(function: str, argument: str, values: Any, levels: int) -> list[tuple[float, float]]:
    """(down, across) in pixels for each feature map, from a number or a pair."""
    wanted, way_out = f"{levels} positive numbers or (down, across) pairs, one for each feature map", "give (8, 16, 32) for three"
    items = each(function, argument, values, wanted, way_out)
    if len(items) != levels:
        bad_value(function, argument, wanted, f"{len(items)}", way_out)
    pairs = []
    for item in items:
        numbers = positive(function, argument, item if hasattr(item, "__iter__") else (item, item), wanted, way_out)
        if len(numbers) != 2:
            bad_value(function, argument, wanted, repr(item), way_out)
        pairs.append((numbers[0], numbers[1]))
    return pairs

"""What goes into a callable and comes out of it, in any framework."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from .golden import Array

Function = Callable[[Any, Any], Any]
Upstream = tuple[float, ...] | None


class Outcome(NamedTuple):
    """What a call gave: the value as it came, and the gradient by the first array of its (upstream-weighted) sum, if there is one."""

    value: Array
    gradient: Array | None


def cotangent(upstream: Upstream, shape: tuple[int, ...]) -> Array:
    """What a result of this shape is multiplied by before it is summed: ones, or the four numbers of a coding over and over."""
    return np.ones(shape) if upstream is None else np.resize(np.array(upstream), shape)


class Returned(Exception):  # noqa: N818  (a result, not an error of ours)
    """The callable gave something that is no array; the text says what."""


def as_array(value: Any) -> Array:
    """A result of NumPy or a plain number, copied: the next call may reuse its memory."""
    if value is None or isinstance(value, (str, dict, list, tuple)):
        raise Returned(f"it returned a {type(value).__name__}, not an array")
    array = np.array(value)
    if array.dtype.kind not in "fiu":
        raise Returned(f"it returned an array of {array.dtype}, not of floats")
    return array

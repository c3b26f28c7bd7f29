"""The arguments of mining, checked."""

from collections.abc import Iterable, Sequence
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from .._engine import check
from .._engine.record import Array
from ..assign.assignment import Assignment
from ..boxes.detections import computed_in, no_nan
from ..errors import bad_type, bad_value

Assignments = Assignment | Sequence[Assignment] | ArrayLike


def indices(function: str, assignments: Assignments) -> Array:
    """Truth indices (..., priors) with NEGATIVE and IGNORE, of an Assignment, a list of them (one an image), or as they are."""
    if isinstance(assignments, Assignment):
        array = assignments.gt_index
    elif isinstance(assignments, (list, tuple)) and assignments and all(isinstance(a, Assignment) for a in assignments):
        counts = {len(a) for a in assignments}
        if len(counts) > 1:
            bad_value(function, "assignments", "of one number of priors", f"{sorted(counts)}", "call once for each image")
        array = np.stack([a.gt_index for a in assignments])
    else:
        array = np.asarray(assignments)
    if array.size == 0 and array.dtype.kind == "f":
        array = array.astype(np.int64)  # np.asarray([]) is float64
    if array.dtype.kind not in "iu":
        bad_type(function, "assignments", "Assignments or an array of integers", f"dtype {array.dtype}", "pass what refloss.assign returns")
    if array.ndim == 0:
        bad_value(function, "assignments", "of shape (..., priors)", "a single number", "give one index for each prior")
    if array.size and int(array.min()) < check.IGNORE:
        got = f"{int(array.min())} at index {tuple(int(i) for i in np.argwhere(array == array.min())[0])}"
        bad_value(function, "assignments", "truth indices, NEGATIVE (-1) or IGNORE (-2)", got, "pass what refloss.assign returns")
    return array


def losses_of(function: str, losses: ArrayLike) -> Array:
    """Losses (..., priors) without NaN, half precision as float32."""
    array = check.floats(function, "losses", losses, "convert with losses.astype(np.float32)")
    if array.ndim == 0:
        bad_value(function, "losses", "of shape (..., priors)", "a single number", 'give one loss for each prior, with reduction="none"')
    no_nan(function, "losses", array)
    return computed_in(array)


def same_shape(function: str, losses: Array, index: Array) -> None:
    if losses.shape != index.shape:
        way_out = 'give one loss for each prior, with reduction="none"'
        bad_value(function, "losses", f"of the shape of assignments {index.shape}", f"{losses.shape}", way_out)


def times(factor: float, count: int) -> Fraction:
    """factor * count with the factor as the decimal that it prints as: 0.29 * 100 is 29, where floats make it 28.999999999999996."""
    return Fraction(repr(factor)) * count


def count_of(function: str, argument: str, value: Any, way_out: str) -> int:
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
        bad_type(function, argument, "an integer", type(value).__name__, way_out)
    if value < 0:
        bad_value(function, argument, "at least 0", f"{value}", way_out)
    return int(value)


def images(*arrays: Array) -> Iterable[tuple[Array, ...]]:
    """The rows of arrays (..., priors) of one shape, one image after the other."""
    if arrays[0].size == 0:
        return ()
    return zip(*(a.reshape(-1, a.shape[-1]) for a in arrays), strict=True)

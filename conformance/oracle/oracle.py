"""The oracle: true value, gradient and condition of a formula at given inputs, to 40 digits.

The working precision comes from the inputs: it doubles until two precisions agree.
"""

import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from mpmath import mp

from refloss_conformance.dual import Ties
from refloss_conformance.gradients import conditioned, value_and_gradient

from .mp import exact_parameters, mp_xp, numbers

DIGITS = 40
FIRST_PRECISION, LAST_PRECISION = 50, 6400
MOST_TIES = 12


class Truth(NamedTuple):
    """Of one case. Numbers or arrays of mpmath numbers; low and high are None away from a kink."""

    value: Any
    gradient: Any
    value_scale: Any
    gradient_scale: Any
    gradient_low: Any = None
    gradient_high: Any = None


def agree(a: Any, b: Any, more_digits: int) -> bool:
    """b, computed with more digits than a, confirms it: the same 40 digits, or both no more than rounding noise around 0."""
    if a == b:
        return True
    return bool(abs(a - b) <= abs(b) * mp.mpf(10) ** -DIGITS or abs(b) <= abs(a) * mp.mpf(10) ** (-0.8 * more_digits))


def truths(
    formula: Callable[..., Any], kind: str, first: Any, second: Any, parameters: Mapping[str, Any], boxes: tuple[bool, bool] = (True, True)
) -> list[Truth]:
    """The truth of each case of a batch; first and second are float64 arrays (or integer labels), one case a row.

    boxes: which of both are boxes, for the condition of pairs and codings.
    """
    ties = [_ties(formula, kind, first[i : i + 1], second[i : i + 1], parameters) for i in range(len(first))]
    found: dict[int, Truth] = {}
    for tied in (False, True):  # apart, because scales at ties are evaluated five times
        at = [i for i, count in enumerate(ties) if bool(count) == tied]
        if at:
            found |= dict(zip(at, _smooth(formula, kind, first[at], second[at], parameters, boxes), strict=True))
    for i, count in enumerate(ties):
        if count:
            found[i] = _with_kink(formula, kind, first[i : i + 1], second[i : i + 1], parameters, found[i], count)
    return [found[i] for i in range(len(first))]


def near_a_limit(before: Truth, below: Truth, above: Truth) -> Truth:
    """A truth within a rounding of a limit, at which the gradient jumps: what it is just below and just above is right, too.

    The scales are those of both sides: how far a jump moves when the limit does by a rounding says nothing.
    """
    low, high = np.minimum(below.gradient, above.gradient), np.maximum(below.gradient, above.gradient)
    if not np.any(high - low > np.maximum(abs(low), abs(high)) / 8):
        return before
    low, high = np.minimum(low, before.gradient), np.maximum(high, before.gradient)
    jumps = high - low > np.maximum(abs(low), abs(high)) / 8
    low, high = np.where(jumps, low, before.gradient), np.where(jumps, high, before.gradient)
    scale = np.maximum(np.maximum(below.gradient_scale, above.gradient_scale), np.maximum(abs(low), abs(high)))
    return before._replace(gradient_low=low, gradient_high=high, gradient_scale=scale)


def _smooth(
    formula: Callable[..., Any], kind: str, first: Any, second: Any, parameters: Mapping[str, Any], boxes: tuple[bool, bool]
) -> list[Truth]:
    """Truths without the intervals of kinks."""

    def at(digits: int) -> tuple[Any, Any]:
        with mp.workdps(digits):
            return value_and_gradient(formula, _mp(first, second), exact_parameters(parameters), kind=kind, base=mp_xp)

    digits = FIRST_PRECISION
    before = at(digits)
    while digits < LAST_PRECISION:
        digits *= 2
        with mp.workdps(digits):
            now = conditioned(formula, _mp(first, second), exact_parameters(parameters), kind=kind, base=mp_xp, boxes=boxes)
        if all(_agree(a, b, digits) for a, b in zip(before, (now.value, now.gradient), strict=True)):
            value, gradient = (_clean(a, b, digits) for a, b in zip(before, (now.value, now.gradient), strict=True))
            beyond = at(8 * digits) if any(x == 0 for x in (*value.flat, *gradient.flat)) else (value, gradient)
            if all(_still_zero(a, b, digits) for a, b in zip((value, gradient), beyond, strict=True)):
                scales = _scale(now.value_scale, value), _scale(now.gradient_scale, gradient)
                return [Truth(*row) for row in zip(value, gradient, *scales, strict=True)]
        before = now.value, now.gradient
    raise ArithmeticError(f"no {DIGITS} digits of {formula.__name__} with {parameters} at {LAST_PRECISION} digits")


def _agree(before: Any, now: Any, digits: int) -> bool:
    return all(agree(a, b, digits // 2) for a, b in zip(before.flat, now.flat, strict=True))


def _still_zero(zeros: Any, beyond: Any, digits: int) -> bool:
    """What came out as 0 does so with eight times the digits, too: no cancellation hid a number."""
    return all(a != 0 or abs(b) < mp.mpf(10) ** (-3 * digits) for a, b in zip(zeros.flat, beyond.flat, strict=True))


def _scale(scales: Any, results: Any) -> Any:
    """0 for an infinite result, which is met or missed. NaN is no result: such inputs lie outside a formula's domain."""
    finite = np.frompyfunc(mp.isfinite, 1, 1)(results).astype(bool)
    if any(mp.isnan(x) for x in (*results.flat, *scales[finite])):
        raise ArithmeticError("NaN among the results")
    return np.where(finite, scales, mp.mpf(0))


def _mp(first: Any, second: Any) -> Any:
    return numbers(first), (second if second.dtype.kind == "i" else numbers(second))


def _clean(before: Any, now: Any, digits: int) -> Any:
    """Exact zeros for numbers that shrink as fast as the precision rises."""
    out = now.copy()
    for index in np.ndindex(now.shape):
        if abs(now[index]) <= abs(before[index]) * mp.mpf(10) ** (-0.4 * digits) and mp.isfinite(now[index]):
            out[index] = mp.mpf(0)
    return out


def _ties(formula: Any, kind: str, first: Any, second: Any, parameters: Mapping[str, Any]) -> int:
    """How many maxima, minima and absolute values are tied at a case."""
    ties = Ties(())
    value_and_gradient(formula, (first, second), parameters, kind=kind, ties=ties)
    if ties.met > MOST_TIES:
        raise ArithmeticError(f"{formula.__name__}: {ties.met} ties at {first}, {second}")
    return ties.met


def _with_kink(formula: Any, kind: str, first: Any, second: Any, parameters: Mapping[str, Any], truth: Truth, ties: int) -> Truth:
    """With the interval that the one-sided derivatives of the ties span, component by component, if it is one."""
    low, high = _corners(formula, kind, first, second, parameters, ties)
    if all(a == b for a, b in zip(np.ravel(low), np.ravel(high), strict=True)):
        return truth
    size = np.maximum(np.maximum(abs(low), abs(high)), truth.gradient_scale)  # their middle may cancel
    return truth._replace(gradient_low=low, gradient_high=high, gradient_scale=size)


def _corners(formula: Any, kind: str, first: Any, second: Any, parameters: Mapping[str, Any], count: int) -> tuple[Any, Any]:
    """The gradient is linear in each tie's weight, so its extremes lie where all weights are 0 or 1.

    Which corners those are, float64 tells; only they are computed to full precision.
    """
    corners = np.array(list(itertools.product((0.0, 1.0), repeat=count)))
    copies = [np.repeat(array, len(corners), axis=0) for array in (first, second)]
    rough = _gradient(formula, kind, *copies, parameters, list(corners.T))
    flat = rough.reshape(len(corners), -1)
    low, high = np.empty(flat.shape[1], object), np.empty(flat.shape[1], object)
    exact: dict[int, Any] = {}
    with mp.workdps(2 * FIRST_PRECISION):
        for j in range(flat.shape[1]):
            ends = []
            for i in (int(np.argmin(flat[:, j])), int(np.argmax(flat[:, j]))):
                if i not in exact:
                    exact[i] = _gradient(formula, kind, *_mp(first, second), exact_parameters(parameters), corners[i], mp_xp).ravel()
                ends.append(exact[i][j])
            low[j], high[j] = min(ends), max(ends)
    return low.reshape(first.shape[1:])[()], high.reshape(first.shape[1:])[()]


def _gradient(
    formula: Any, kind: str, first: Any, second: Any, parameters: Mapping[str, Any], weights: Sequence[Any], base: Any = None
) -> Any:
    options = {} if base is None else {"base": base}
    return value_and_gradient(formula, (first, second), parameters, kind=kind, ties=Ties(weights), **options)[1]

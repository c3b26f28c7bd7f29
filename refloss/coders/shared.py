"""What several coders need: logarithms of ratios up to the border of their domain, corners from centres. Two words throughout."""

import math
from typing import Any

from .._engine.fma import fma
from .._engine.overlap import EMPTY
from .._engine.scalar import log, portable, rounded, total


def log_ratio_formula(xp: Any, a: Any, b: Any) -> Any:
    """ln(a / b) for a, b >= 0; -inf or inf, with gradient 0, where one of them is (in effect) 0."""
    low, high = a < EMPTY * b, b < EMPTY * a
    edge = low | high
    usual = xp.log(xp.where(edge, 1, a) / xp.where(edge, 1, b))
    return xp.where(low, -math.inf, xp.where(high, math.inf, usual))


def corners_formula(xp: Any, x: Any, y: Any, w: Any, h: Any) -> Any:
    """xyxy of centres and sizes."""
    return xp.stack([x - w / 2, y - h / 2, x + w / 2, y + h / 2])


@portable
def log_ratio(a: Any, a_lo: Any, b: Any, b_lo: Any) -> Any:
    """ln(a / b) in two words, and whether it is finite: -inf below a ratio of 2^-126, inf above 2^126, NaN of negative numbers."""
    T = type(a)
    q = a / b
    usual = (q >= T(EMPTY)) & (q <= T(1 / EMPTY))
    s = q if usual else T(1)
    hi, lo = log(s, (fma(-s, b, a) + fma(-s, b_lo, a_lo)) / b)
    edge = T(-math.inf) if (q >= T(0)) & (q < T(1)) else (T(math.inf) if q > T(1) else T(math.nan))
    return (hi if usual else edge), (lo if usual else T(0)), usual


@portable
def kept(lo: Any) -> Any:
    """The second word, where the first is finite; where that has overflowed, 0."""
    return lo if lo - lo == type(lo)(0) else type(lo)(0)


@portable
def ends(c: Any, c_lo: Any, w: Any, w_lo: Any) -> Any:
    """c - w / 2 and c + w / 2 of two-word numbers, rounded once: for w = 0 both are the same."""
    T = type(c)
    half, more = rounded(T(0.5), w), rounded(T(0.5), w_lo)
    low, low_lo = total(c, -half)
    high, high_lo = total(c, half)
    return low + kept(low_lo + (c_lo - more)), high + kept(high_lo + (c_lo + more))


@portable
def quotient(a: Any, b: Any, b_lo: Any) -> Any:
    """a / b in two words, of a two-word b."""
    q = a / b
    return q, kept(fma(-q, b_lo, fma(-q, b, a)) / b)


@portable
def pulled(upstream: Any, rate: Any) -> Any:
    """upstream * rate, and 0 where upstream is 0 even if the rate has overflowed: what a loss ignores must not poison its gradient."""
    return upstream * rate if upstream != type(upstream)(0) else type(upstream)(0)


@portable
def size_of(size: Any) -> Any:
    """A prior's size: NaN, which spreads, where it is not positive or not finite."""
    T = type(size)
    return size if (size > T(0)) & (size < T(math.inf)) else T(math.nan)

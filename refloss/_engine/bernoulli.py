"""The part that all sigmoid losses share: cross entropy of a logit, and its modulating power, in two words."""

from typing import Any

from ..errors import bad_type
from . import check
from .fma import fma
from .scalar import exp_of_minus, exp_of_size, log, log1p_unit, near_exp_of_size, portable, quick_exp_of_size, quick_log1p, rounded


def balance(function: str, alpha: Any) -> tuple[float, float]:
    """(weight of positives, weight of negatives) for alpha in [0, 1], or None for no balancing."""
    if alpha is None:
        return 1.0, 1.0
    if isinstance(alpha, (list, tuple)):
        bad_type(function, "alpha", "a number in [0, 1] or None", type(alpha).__name__, "weight classes one by one with weights=")
    positive = check.number(function, "alpha", alpha, 0.0, 1.0, "alpha weights positives and 1 - alpha negatives; None is no weighting")
    return positive, 1.0 - positive


GENERIC = 3
HARD = 8  # added to a mode: the loop has seen that all targets of the block are 0 or 1


def power_mode(gamma: float) -> int:
    """How the kernels compute q**gamma: 0 and 2 have code of their own, the rest goes through a logarithm."""
    return int(gamma) if gamma in (0.0, 2.0) else GENERIC


@portable
def odds(mode: Any, close: Any, x: Any) -> Any:
    """exp(-|x|) in two words, the odds of the less likely class; a generic power multiplies its error by gamma. `close`: |x| <= near."""
    if mode == GENERIC or mode == GENERIC + HARD:
        result = exp_of_size(x)
    elif close:
        result = near_exp_of_size(x)
    else:
        result = quick_exp_of_size(x)
    return result


@portable
def complement(t: Any) -> Any:
    """1 - t in two words, for t in [0, 1]."""
    T = type(t)
    c = T(1) - t
    return c, (T(1) - c) - t


@portable
def likelier(mode: Any, e: Any, e_lo: Any) -> Any:
    """(1 / (1 + e), log(1 + e) in two words), the second of them only where a generic power needs it."""
    T = type(e)
    if mode == GENERIC:
        log_hi, log_lo = log1p_unit(e, e_lo)
    else:
        log_hi, log_lo = quick_log1p(e, e_lo), -T(0)  # which every compiler knows to add nothing; 0 would turn -0 into 0
    return T(1) / (T(1) + e), log_hi, log_lo


@portable
def missed(r: Any, e: Any, k: Any, k_lo: Any) -> Any:
    """k / (1 + e) in two words, for a two-word k, given r = 1 / (1 + e)."""
    T = type(e)
    d = T(1) + e
    q = rounded(r, k)
    return q, r * (fma(-q, e - (d - T(1)), fma(-q, d, k)) + k_lo)  # what the division has left over


@portable
def power(mode: Any, q: Any, q_lo: Any, log_hi: Any, log_lo: Any, gamma: Any, gamma_lo: Any) -> Any:
    """q**gamma for a two-word 0 <= q <= 1 whose -log is log_hi + log_lo (used in the generic mode only)."""
    T = type(q)
    if mode == 0:
        result = T(1)
    elif mode == 2:
        result = fma(q, q, rounded(q + q, q_lo))
    else:
        p = gamma * log_hi
        hi, lo = exp_of_minus(p, fma(gamma, log_hi, -p) + fma(gamma, log_lo, gamma_lo * log_hi))
        result = hi + lo
    return result


@portable
def minus_log(mode: Any, k: Any, k_lo: Any, a: Any, use_a: Any, l_hi: Any, l_lo: Any) -> Any:
    """-log(k) + l in two words, k in (0, 1]; a stands for -log(k) where use_a says so. Only the generic power needs it."""
    T = type(k)
    if mode == 0 or mode == 2:
        top, bottom = T(0), T(0)
    else:
        h, lo = log(k, k_lo)
        h, lo = (a if a < T(1e30) else T(1e30), T(0)) if use_a else (-h, -lo)  # an infinite a would leave inf - inf below
        top = l_hi + h
        z = top - l_hi
        bottom = ((l_hi - (top - z)) + (h - z)) + (l_lo + lo)
    return top, bottom

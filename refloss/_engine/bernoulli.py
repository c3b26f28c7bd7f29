"""The part that all sigmoid losses share: cross entropy of a logit, and its modulating power, in two words."""

from typing import Any

from ..errors import bad_type
from . import check
from .fma import fma
from .scalar import exp_of_minus, log, portable, rounded


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
def complement(t: Any) -> Any:
    """1 - t in two words, for t in [0, 1]."""
    T = type(t)
    c = T(1) - t
    return c, (T(1) - c) - t


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

"""The coefficients in refloss/_engine/polynomials.py: `python -m oracle.fit` prints them with the error of each fit.

Near-minimax polynomials by Lawson's method: least squares on Chebyshev nodes, reweighted by the error until it is level.
Errors are relative to the function that a polynomial ends up in, before its coefficients are rounded.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from mpmath import mp

DIGITS = 60
ROUNDS = 12


class Fit(NamedTuple):
    """A polynomial in `variable(x)` for `function(x)`; an error there counts `weight(x)` times in the result."""

    name: str
    function: Callable[[Any], Any]
    weight: Callable[[Any], Any]
    variable: Callable[[Any], Any]
    interval: Callable[[], tuple[Any, Any]]
    terms32: int
    terms64: int


def _around_zero() -> tuple[Any, Any]:
    half = mp.log(2) / 2 * mp.mpf("1.001")
    return -half, half


FITS = (
    Fit("EXP", lambda r: (mp.exp(r) - 1 - r) / r**2, lambda r: r**2 / mp.exp(r), lambda r: r, _around_zero, 5, 11),
    Fit(
        "LOG", lambda s: (mp.log((1 + s) / (1 - s)) - 2 * s) / s**3, lambda s: s**3 / mp.log((1 + s) / (1 - s)), lambda s: s * s,
        lambda: (mp.mpf("1e-6"), mp.mpf("0.2002")), 4, 9,
    ),
    Fit(
        "LOG1P", lambda e: (mp.log(1 + e) - e) / e**2, lambda e: e**2 / mp.log(1 + e), lambda e: e,
        lambda: (mp.mpf("1e-9"), mp.mpf(1)), 9, 20,
    ),
    Fit(
        "ATAN", lambda t: (mp.atan(t) - t) / t**3, lambda t: t**3 / mp.atan(t), lambda t: t * t,
        lambda: (mp.mpf("1e-6"), mp.mpf("0.4143")), 5, 12,
    ),
)  # fmt: skip


def fit(wanted: Fit, terms: int) -> tuple[list[Any], Any]:
    """(coefficients, largest weighted error)."""
    low, high = wanted.interval()
    count = 8 * terms + 40
    nodes = [(low + high) / 2 + (high - low) / 2 * mp.cos(mp.pi * (k + mp.mpf(1) / 2) / count) for k in range(count)]
    nodes = [x for x in nodes if x != 0]
    rows = mp.matrix(len(nodes), terms)
    aim = mp.matrix(len(nodes), 1)
    for i, x in enumerate(nodes):
        weight = wanted.weight(x)
        aim[i] = weight * wanted.function(x)
        for j in range(terms):
            rows[i, j] = weight * wanted.variable(x) ** j
    level = [mp.mpf(1)] * len(nodes)
    for _ in range(ROUNDS):
        scaled, scaled_aim = rows.copy(), aim.copy()
        for i, weight in enumerate(level):
            root = mp.sqrt(weight)
            scaled_aim[i] *= root
            for j in range(terms):
                scaled[i, j] *= root
        found = mp.lu_solve(scaled.T * scaled, scaled.T * scaled_aim)
        errors = [abs(e) for e in rows * found - aim]
        level = [weight * e for weight, e in zip(level, errors, strict=True)]
        mean = sum(level) / len(level)
        level = [weight / mean for weight in level]
    return list(found), max(errors)


def tables() -> dict[str, tuple[tuple[float, ...], float]]:
    """By name (EXP32, EXP64, ...): coefficients rounded to their type, and log2 of the error."""
    made = {}
    with mp.workdps(DIGITS):
        for wanted in FITS:
            for bits, terms, kind in ((32, wanted.terms32, np.float32), (64, wanted.terms64, np.float64)):
                coefficients, error = fit(wanted, terms)
                made[f"{wanted.name}{bits}"] = tuple(float(kind(float(c))) for c in coefficients), float(mp.log(error, 2))
    return made


if __name__ == "__main__":
    for name, (coefficients, error) in tables().items():
        print(f"_{name}: 2^{error:.1f}\n    {', '.join(map(repr, coefficients))}")

"""Losses of a difference: squared error, L1, smooth L1 and Huber."""

import math
from typing import Any

from numpy.typing import ArrayLike

from .._engine import check
from .._engine.fma import fma
from .._engine.record import Reduction, Setting, loss
from .._engine.scalar import portable


def squared_formula(xp: Any, predictions: Any, targets: Any, *, factor: float) -> Any:
    difference = predictions - targets
    return factor * difference * difference


def l1_formula(xp: Any, predictions: Any, targets: Any) -> Any:
    return xp.abs(predictions - targets)


def smooth_l1_formula(xp: Any, predictions: Any, targets: Any, *, beta: float) -> Any:
    distance = xp.abs(predictions - targets)
    if beta == 0:
        return distance
    return xp.where(distance < beta, distance * distance / (2 * beta), distance - beta / 2)


def huber_formula(xp: Any, predictions: Any, targets: Any, *, delta: float) -> Any:
    distance = xp.abs(predictions - targets)
    if math.isinf(delta):
        return distance * distance / 2
    return xp.where(distance < delta, distance * distance / 2, delta * (distance - delta / 2))


@portable
def sign(d: Any) -> Any:
    """-1, 0 or 1; NaN for NaN."""
    T = type(d)
    return T(1) if d > T(0) else (T(-1) if d < T(0) else d - d)


@portable
def squared_kernel(mode: Any, x: Any, t: Any, params: Any) -> Any:
    factor = params[0]
    T = type(x)
    d = x - t
    scaled = factor * d
    return scaled * d, T(2) * scaled


@portable
def l1_kernel(mode: Any, x: Any, t: Any, params: Any) -> Any:
    d = x - t
    return abs(d), sign(d)


@portable
def smooth_l1_kernel(mode: Any, x: Any, t: Any, params: Any) -> Any:
    """a < beta is never true for beta = 0, which leaves a - 0 and the sign: L1."""
    beta = params[0]
    T = type(x)
    d = x - t
    a = abs(d)
    slope = d / beta
    value = T(0.5) * (a * abs(slope)) if a < beta else fma(T(-0.5), beta, a)
    return value, slope if a < beta else sign(d)


@portable
def huber_kernel(mode: Any, x: Any, t: Any, params: Any) -> Any:
    delta = params[0]
    T = type(x)
    d = x - t
    a = abs(d)
    value = T(0.5) * (a * a) if a < delta else delta * fma(T(-0.5), delta, a)
    return value, d if a < delta else delta * sign(d)


def _positive(function: str, argument: str, value: float, way_out: str) -> float:
    return check.number(function, argument, value, 0.0, math.inf, way_out)


@loss(
    kind="elementwise", targets="real", formula=squared_formula, kernel=squared_kernel,
    settings=({"factor": 1.0}, {"factor": 0.5}, {"factor": 0.0}, {"factor": 5.0}),
)  # fmt: skip
def squared_error(
    predictions: ArrayLike, targets: ArrayLike, *, factor: float = 1.0,
    weights: ArrayLike | None = None, reduction: Reduction = "none", normalizer: float | None = None,
) -> Setting:  # fmt: skip
    """Doc."""
    return Setting(0, (_positive("squared_error", "factor", factor, "1 is (p - t)^2, 0.5 makes the gradient p - t"),))


@loss(kind="elementwise", targets="real", formula=l1_formula, kernel=l1_kernel, settings=({},))
def l1_loss(
    predictions: ArrayLike, targets: ArrayLike, *,
    weights: ArrayLike | None = None, reduction: Reduction = "none", normalizer: float | None = None,
) -> Setting:  # fmt: skip
    """Doc."""
    return Setting(0)


@loss(
    kind="elementwise", targets="real", formula=smooth_l1_formula, kernel=smooth_l1_kernel,
    settings=({"beta": 1.0}, {"beta": 0.0}, {"beta": 0.1}, {"beta": 1 / 9}, {"beta": 4.0}),
)  # fmt: skip
def smooth_l1_loss(
    predictions: ArrayLike, targets: ArrayLike, *, beta: float = 1.0,
    weights: ArrayLike | None = None, reduction: Reduction = "none", normalizer: float | None = None,
) -> Setting:  # fmt: skip
    """Doc."""
    return Setting(0, (_positive("smooth_l1_loss", "beta", beta, "0 is L1, 1 is Fast R-CNN's"),))


@loss(
    kind="elementwise", targets="real", formula=huber_formula, kernel=huber_kernel,
    settings=({"delta": 1.0}, {"delta": 0.0}, {"delta": 0.1}, {"delta": 4.0}, {"delta": math.inf}),
)  # fmt: skip
def huber_loss(
    predictions: ArrayLike, targets: ArrayLike, *, delta: float = 1.0,
    weights: ArrayLike | None = None, reduction: Reduction = "none", normalizer: float | None = None,
) -> Setting:  # fmt: skip
    """Doc."""
    return Setting(0, (_positive("huber_loss", "delta", delta, "infinity is half the squared error"),))

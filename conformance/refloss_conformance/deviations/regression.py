"""Deviations of the losses of a difference."""

import math
from typing import Any

from .record import deviation

SMOOTH = ("smooth_l1_loss",)
HUBER = ("huber_loss",)


@deviation(
    "huber_for_smooth_l1", title="Huber loss in place of smooth L1: not divided by beta", seen="TensorFlow's object detection API, AutoML",
    losses=SMOOTH, effect="The box loss is beta times as large as stated, which shifts its balance with the classification loss.",
)  # fmt: skip
def huber_for_smooth_l1(base: Any, xp: Any, first: Any, second: Any, *, beta: float) -> Any:
    return beta * base(xp, first, second, beta=beta)


@deviation(
    "smooth_l1_for_huber", title="smooth L1 in place of Huber loss: divided by delta ({constant})",
    seen="frameworks that use one name for both",
    losses=HUBER, effect="The loss is 1/delta times as large as stated, which shifts its balance with the other losses.",
    constants=("everywhere", "where that is a number"),
)  # fmt: skip
def smooth_l1_for_huber(base: Any, xp: Any, first: Any, second: Any, *, delta: float, constant: str) -> Any:
    if constant != "everywhere":
        return base(xp, first, second, delta=delta) / (delta if 0 < delta < math.inf else 1)
    return xp.abs(first - second) if delta == 0 else base(xp, first, second, delta=delta) / delta


@deviation(
    "smooth_l1_not_divided", title="d^2 / 2 below the cutoff without division by beta, and |d| - 1/2 above it", seen="KerasCV 0.9.0",
    losses=SMOOTH, effect="The loss jumps at the cutoff and small errors have a slope that does not meet that of large ones.",
)  # fmt: skip
def smooth_l1_not_divided(base: Any, xp: Any, first: Any, second: Any, *, beta: float) -> Any:
    distance = xp.abs(first - second)
    return xp.where(distance < beta, distance * distance / 2, distance - 0.5)


@deviation(
    "smooth_l1_half_divided", title="d^2 / 2 below the cutoff without division by beta, and |d| - beta / 2 above it",
    seen="home-made ports",
    losses=SMOOTH, effect="The loss jumps at the cutoff: small errors are weighted beta times as much as stated.",
)  # fmt: skip
def smooth_l1_half_divided(base: Any, xp: Any, first: Any, second: Any, *, beta: float) -> Any:
    distance = xp.abs(first - second)
    return xp.where(distance < beta, distance * distance / 2, distance - beta / 2)


@deviation(
    "beta_read_as_sigma", title="beta is read as sigma, with beta = 1 / sigma^2", seen="Faster R-CNN and keras-retinanet (sigma = 3)",
    losses=SMOOTH, effect="The switch from square to linear lies elsewhere: at 1/9 for a beta of 3.",
)  # fmt: skip
def beta_read_as_sigma(base: Any, xp: Any, first: Any, second: Any, *, beta: float) -> Any:
    return base(xp, first, second, beta=1 / (beta * beta) if beta else math.inf)


@deviation(
    "zero_cutoff_not_handled", title="a cutoff of 0 divides 0 by 0", seen="the formula written out without the limit",
    losses=SMOOTH, effect="A perfect prediction gives NaN.",
)  # fmt: skip
def zero_cutoff_not_handled(base: Any, xp: Any, first: Any, second: Any, *, beta: float) -> Any:
    distance = xp.abs(first - second)
    if beta == 0:
        return xp.where(distance == 0, distance * math.nan, distance)
    return base(xp, first, second, beta=beta)


@deviation(
    "zero_targets_dropped", title="numbers whose target is 0 do not count", seen="AutoML's EfficientDet",
    losses=("l1_loss", "squared_error", *SMOOTH, *HUBER), effect="A coordinate that is exactly right at 0 is never learned.",
)  # fmt: skip
def zero_targets_dropped(base: Any, xp: Any, first: Any, second: Any, **parameters: Any) -> Any:
    return xp.where(second == 0, 0, base(xp, first, second, **parameters))


@deviation(
    "factor_squared", title="the factor is squared, as a weight inside the square is", seen="TensorFlow's object detection API",
    losses=("squared_error",), effect="A weight of 3 counts ninefold.",
)  # fmt: skip
def factor_squared(base: Any, xp: Any, first: Any, second: Any, *, factor: float) -> Any:
    return base(xp, first, second, factor=factor * factor)

"""Losses of a difference: squared error, L1, smooth L1 and Huber."""

import math
from typing import Any

from numpy.typing import ArrayLike

from .._engine import check
from .._engine.fma import fma
from .._engine.record import Reduction, Setting, loss
from .._engine.scalar import portable, rounded


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
    scaled = rounded(factor, d)
    return rounded(scaled, d), T(2) * scaled


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
    value = rounded(T(0.5) * a, abs(slope)) if a < beta else fma(T(-0.5), beta, a)
    return value, slope if a < beta else sign(d)


@portable
def huber_kernel(mode: Any, x: Any, t: Any, params: Any) -> Any:
    delta = params[0]
    T = type(x)
    d = x - t
    a = abs(d)
    value = rounded(T(0.5) * a, a) if a <= delta else rounded(delta, fma(T(-0.5), delta, a))
    return value, d if a <= delta else delta * sign(d)


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
    """Squared error: factor (prediction - target)^2, the loss of YOLOv1 (Redmon et al. 2016, eq. 3: factor 1).

    Gradient: 2 factor (prediction - target).

    Domain: real. Units: those of the arguments, squared.

    Arguments:
        predictions: any shape; float64, float32, float16 or bfloat16.
        targets: the same shape and dtype.
        factor: what the square is multiplied by, >= 0. 1 is the plain square; 0.5 makes the gradient the plain difference.
        weights: multiplier of each loss, broadcast to the shape of predictions.
        reduction: "none" (the shape of predictions), "mean" (over all elements) or "sum".
        normalizer: positive number that a "none" or "sum" result is divided by.

    Raises ReflossError (a ValueError or TypeError) for any argument outside these.

    >>> import numpy as np, refloss
    >>> refloss.squared_error.value_and_grad(np.array([3.0]), np.array([1.0]))
    (array([4.]), array([4.]))

    Does not: take square roots of sizes (YOLOv1 does, in its coder), or multiply by lambda (a weight).
    Neighbours: `huber_loss` with delta=inf is factor=0.5.
    Elsewhere: darknet's gradient has no factor 2 and its printed cost squares the weights; TensorFlow's object detection API
    computes 0.5 (w d)^2, with the weight inside the square.
    """
    return Setting(0, (check.number("squared_error", "factor", factor, 0.0, 1e30, "1 is (p - t)^2, 0.5 makes the gradient p - t"),))


@loss(kind="elementwise", targets="real", formula=l1_formula, kernel=l1_kernel, settings=({},))
def l1_loss(
    predictions: ArrayLike, targets: ArrayLike, *,
    weights: ArrayLike | None = None, reduction: Reduction = "none", normalizer: float | None = None,
) -> Setting:  # fmt: skip
    """Absolute error |prediction - target|. Gradient: the sign of the difference, 0 at 0.

    Domain: real. Units: those of the arguments.

    Arguments:
        predictions: any shape; float64, float32, float16 or bfloat16.
        targets: the same shape and dtype.
        weights: multiplier of each loss, broadcast to the shape of predictions.
        reduction: "none" (the shape of predictions), "mean" (over all elements) or "sum".
        normalizer: positive number that a "none" or "sum" result is divided by.

    Raises ReflossError (a ValueError or TypeError) for any argument outside these.

    >>> import numpy as np, refloss
    >>> refloss.l1_loss.value_and_grad(np.array([3.0, 1.0]), np.array([1.0, 1.0]))
    (array([2., 0.]), array([1., 0.]))

    Does not: sum over the four coordinates of a box.
    Neighbours: the limit of `smooth_l1_loss` for beta -> 0, and that loss at beta=0.
    Elsewhere: torchvision's and mmdet's RetinaNet use it as their box loss, where detectron2 uses smooth L1 with beta=0.1.
    """
    return Setting(0)


@loss(
    kind="elementwise", targets="real", formula=smooth_l1_formula, kernel=smooth_l1_kernel,
    settings=({"beta": 1.0}, {"beta": 0.0}, {"beta": 0.1}, {"beta": 1 / 9}, {"beta": 4.0}),
)  # fmt: skip
def smooth_l1_loss(
    predictions: ArrayLike, targets: ArrayLike, *, beta: float = 1.0,
    weights: ArrayLike | None = None, reduction: Reduction = "none", normalizer: float | None = None,
) -> Setting:  # fmt: skip
    """Smooth L1 loss: d^2 / (2 beta) where |d| < beta, else |d| - beta / 2, d = prediction - target.

    Girshick 2015 (Fast R-CNN), eq. 3, is beta = 1. The slope of the outer part is 1 for every beta.
    Gradient: d / beta where |d| < beta, else the sign of d. Value and gradient are continuous at beta.

    Domain: real. Units: those of the arguments, as beta's.

    Arguments:
        predictions: any shape; float64, float32, float16 or bfloat16.
        targets: the same shape and dtype.
        beta: where the square ends, >= 0. Limits: 0 is `l1_loss` exactly; as beta grows, the loss falls to 0.
        weights: multiplier of each loss, broadcast to the shape of predictions.
        reduction: "none" (the shape of predictions), "mean" (over all elements) or "sum".
        normalizer: positive number that a "none" or "sum" result is divided by.

    Raises ReflossError (a ValueError or TypeError) for any argument outside these.

    >>> import numpy as np, refloss
    >>> refloss.smooth_l1_loss.value_and_grad(np.array([0.5, 3.0]), np.zeros(2), beta=2.0)
    (array([0.0625, 2.    ]), array([0.25, 1.  ]))

    Does not: sum over the four coordinates of a box.
    Neighbours: `huber_loss` with delta=beta is beta times this.
    Elsewhere: TensorFlow's detectors call Huber's loss smooth L1 (off by the factor beta); keras-cv 0.9.0 leaves out the
    division by beta, so that the loss jumps at |d| = beta; Caffe's sigma means beta = 1 / sigma^2.
    """
    return Setting(0, (_positive("smooth_l1_loss", "beta", beta, "0 is L1, 1 is Fast R-CNN's"),))


@loss(
    kind="elementwise", targets="real", formula=huber_formula, kernel=huber_kernel,
    settings=({"delta": 1.0}, {"delta": 0.0}, {"delta": 0.1}, {"delta": 4.0}, {"delta": math.inf}),
)  # fmt: skip
def huber_loss(
    predictions: ArrayLike, targets: ArrayLike, *, delta: float = 1.0,
    weights: ArrayLike | None = None, reduction: Reduction = "none", normalizer: float | None = None,
) -> Setting:  # fmt: skip
    """Huber's loss (Huber 1964): d^2 / 2 where |d| < delta, else delta (|d| - delta / 2), d = prediction - target.

    Gradient: d where |d| < delta, else delta times the sign of d.

    Domain: real. Units: those of the arguments, squared; delta has the arguments' unit.

    Arguments:
        predictions: any shape; float64, float32, float16 or bfloat16.
        targets: the same shape and dtype.
        delta: where the square ends, >= 0. Limits: infinity is half the squared error exactly; 0 is the constant 0.
        weights: multiplier of each loss, broadcast to the shape of predictions.
        reduction: "none" (the shape of predictions), "mean" (over all elements) or "sum".
        normalizer: positive number that a "none" or "sum" result is divided by.

    Raises ReflossError (a ValueError or TypeError) for any argument outside these.

    >>> import numpy as np, refloss
    >>> refloss.huber_loss.value_and_grad(np.array([0.5, 3.0]), np.zeros(2), delta=2.0)
    (array([0.125, 4.   ]), array([0.5, 2. ]))

    Does not: keep the slope at 1; `smooth_l1_loss` does.
    Neighbours: delta times `smooth_l1_loss` with beta=delta; equal to it for 1.
    Elsewhere: google/automl uses delta=0.1 and divides by four times the positives.
    """
    return Setting(0, (_positive("huber_loss", "delta", delta, "infinity is half the squared error"),))

"""The smooth L1 loss in plain NumPy with its gradient, right and wrong, as somebody else's test suite would hold it."""

from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


def smooth(predictions: Array, targets: Array, beta: float = 1.0) -> tuple[Array, Array]:
    apart = predictions - targets
    size = np.abs(apart)
    half = predictions.dtype.type(0.5)
    inside = size < beta
    scaled = np.divide(apart, beta, out=np.zeros_like(apart), where=inside)
    return np.where(inside, half * apart * scaled, size - half * predictions.dtype.type(beta)), np.where(inside, scaled, np.sign(apart))


def huber(predictions: Array, targets: Array, beta: float = 1.0) -> tuple[Array, Array]:
    """Not divided by beta: the same at beta = 1 only."""
    value, gradient = smooth(predictions, targets, beta)
    return value * predictions.dtype.type(beta), gradient * predictions.dtype.type(beta)


def far_off(predictions: Array, targets: Array, beta: float = 1.0) -> tuple[Array, Array]:
    """One case in a few is wrong: the gradient of errors above 100."""
    value, gradient = smooth(predictions, targets, beta)
    return value, np.where(np.abs(predictions - targets) > 100, 2 * gradient, gradient)

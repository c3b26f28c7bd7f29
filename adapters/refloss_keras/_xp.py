"""The primitives a formula is written in, over keras.ops; the same values and gradients on TensorFlow, JAX and torch.

Why so few are plain `keras.ops` calls:

* Keras promotes float64 to float32 in every binary op on JAX and torch (`maximum`, `arctan2`, `logaddexp`, ...), and in `arctan`
  on JAX. `where`, arithmetic operators and most unary ops keep the type, so maximum and minimum are selects here.
* At a tie, TensorFlow gives the whole gradient of a maximum to one side, the others half to each. Here it is half to each, and
  the slope of abs at 0, which is 1 on JAX, is 0: the core's convention on every backend.
* torch's softplus is the identity above 20, sigmoid gradients are formed as p (1 - p), sqrt and arctan2 have a gradient of
  infinity or NaN at 0: accurate, finite replacements are a few lines each.
"""

import functools
import math
from typing import Any

import numpy as np

from ._keras import keras, ops


class Primitives:
    """The table for one floating type ("float32" or "float64"). Python numbers become constants of that type."""

    def __init__(self, dtype: str) -> None:
        self.dtype = dtype
        self.tiny = float(np.finfo(dtype).tiny)
        self.pi = math.pi
        self.exp, self.log, self.log1p = ops.exp, ops.log, ops.log1p
        self.stop_gradient = ops.stop_gradient

    def constant(self, x: Any) -> Any:
        return ops.convert_to_tensor(x, self.dtype) if isinstance(x, (int, float)) else x

    def where(self, condition: Any, x: Any, y: Any) -> Any:
        return ops.where(condition, self.constant(x), self.constant(y))

    def maximum(self, x: Any, y: Any) -> Any:
        return self.where(x > y, x, self.where(y > x, y, 0.5 * (self.constant(x) + y)))

    def minimum(self, x: Any, y: Any) -> Any:
        return self.where(x < y, x, self.where(y < x, y, 0.5 * (self.constant(x) + y)))

    def abs(self, x: Any) -> Any:
        return self.where(x == 0, 0, ops.abs(x))

    def softplus(self, z: Any) -> Any:
        # The select, and not abs or maximum, has the right slope at 0: 1 - 1/2.
        positive = z >= 0
        return self.where(positive, z, 0) + ops.log1p(ops.exp(self.where(positive, -z, z)))

    def sigmoid(self, z: Any) -> Any:
        positive = z >= 0
        e = ops.exp(self.where(positive, -z, z))
        return self.where(positive, 1, e) / (1 + e)

    def power(self, q: Any, gamma: float) -> Any:
        """q in [0, 1]. Below gamma = 1 the slope at 0 is infinite, and 0 times infinity would follow: subnormal q count as 0."""
        if gamma == 0:
            return ops.ones_like(q)
        if gamma >= 1:
            return ops.power(q, self.constant(gamma))
        none = q <= self.tiny
        return self.where(none, 0, ops.power(self.where(none, 1, q), self.constant(gamma)))

    def sqrt(self, x: Any) -> Any:
        """With slope 0 at 0."""
        none = x == 0
        return self.where(none, 0, ops.sqrt(self.where(none, 1, x)))

    def arctan2(self, y: Any, x: Any) -> Any:
        """The angle of (x, y), with gradient 0 at the origin. A scale changes no angle: neither x^2 + y^2 nor 1 / x overflows."""
        below = y < 0  # before a tiny y becomes 0
        size = ops.stop_gradient(self.maximum(ops.abs(x), ops.abs(y)))
        none = size == 0
        size = self.where(none, 1, size)
        x, y = self.where(none, 1, x / size), self.where(none, 0, y / size)
        steep = ops.abs(y) > ops.abs(x)
        angle = self._arctan(self.where(steep, x, y) / self.where(steep, y, x))
        behind = self.where(x < 0, self.where(below, -math.pi, math.pi), 0)
        return self.where(steep, self.where(below, -math.pi / 2, math.pi / 2) - angle, angle + behind)

    def _arctan(self, t: Any) -> Any:
        if self.dtype == "float64" and keras.backend.backend() == "jax":
            import jax.numpy as jnp  # ops.arctan narrows to float32 on JAX

            return jnp.arctan(t)
        return ops.arctan(t)

    def one_hot(self, labels: Any, like: Any) -> Any:
        """1 where the last axis of `like` is the label, else 0; a negative label (a code) is nowhere."""
        classes = ops.arange(ops.shape(like)[-1], dtype=keras.backend.standardize_dtype(labels.dtype))
        return ops.cast(labels[..., None] == classes, self.dtype)

    def sum(self, x: Any) -> Any:
        return ops.sum(x, axis=-1)

    def max(self, x: Any) -> Any:
        return ops.max(x, axis=-1)

    def stack(self, xs: list[Any]) -> Any:
        return ops.stack(xs, axis=-1)


@functools.cache
def table(dtype: str) -> Primitives:
    return Primitives(dtype)

"""Value and gradient by the active backend's own autodiff, from NumPy to NumPy: what a checker calls."""

from typing import Any

import numpy as np

from refloss._engine.record import REGISTRY

from ._functions import evaluate
from ._keras import keras, ops

Array = np.ndarray[Any, Any]


def value_and_grad(loss_name: str, first: Array, second: Array, parameters: dict[str, Any], compiled: bool = False) -> tuple[Array, Array]:
    """The unreduced loss, and the gradient of its sum with respect to `first`, of the type of `first`.

    compiled: through XLA (TensorFlow's jit_compile=True, jax.jit); torch always runs eagerly.
    float64 needs `jax.config.update("jax_enable_x64", True)` (or JAX_ENABLE_X64=1) on JAX.
    """
    loss = REGISTRY[loss_name]
    loss.setting(**parameters)
    first = np.asarray(first)
    x, t = _tensor(first), _tensor(np.asarray(second))
    if keras.backend.standardize_dtype(x.dtype) != first.dtype.name:
        raise RuntimeError(f"{first.dtype} became {x.dtype}; set JAX_ENABLE_X64=1 to use float64 on JAX")
    value, gradient = _BY_BACKEND[keras.backend.backend()](lambda x, t: evaluate(loss, x, t, parameters), x, t, compiled)
    return _array(value, first.dtype), _array(gradient, first.dtype)


def _tensor(array: Array) -> Any:
    if array.dtype.name == "bfloat16":
        return ops.cast(ops.convert_to_tensor(array.astype(np.float32)), "bfloat16")
    return ops.convert_to_tensor(array)


def _array(x: Any, dtype: Any) -> Array:
    return np.asarray(ops.convert_to_numpy(ops.cast(x, "float32") if dtype.name == "bfloat16" else x)).astype(dtype)


def _tensorflow(function: Any, x: Any, t: Any, compiled: bool) -> tuple[Any, Any]:
    import tensorflow as tf

    def both(x: Any, t: Any) -> Any:
        with tf.GradientTape() as tape:
            tape.watch(x)
            value = function(x, t)
        return value, tape.gradient(value, x, unconnected_gradients="zero")

    value, gradient = (tf.function(both, jit_compile=True) if compiled else both)(x, t)
    return value, gradient


def _jax(function: Any, x: Any, t: Any, compiled: bool) -> tuple[Any, Any]:
    import jax

    def both(x: Any, t: Any) -> Any:
        value, pull = jax.vjp(lambda x: function(x, t), x)
        return value, pull(ops.ones_like(value))[0]

    value, gradient = (jax.jit(both) if compiled else both)(x, t)
    return value, gradient


def _torch(function: Any, x: Any, t: Any, compiled: bool) -> tuple[Any, Any]:
    import torch

    x = x.detach().clone().requires_grad_(True)
    value = function(x, t)
    gradient = torch.autograd.grad(value.sum(), x)[0] if value.requires_grad else torch.zeros_like(x)
    return value.detach(), gradient


_BY_BACKEND = {"tensorflow": _tensorflow, "jax": _jax, "torch": _torch}

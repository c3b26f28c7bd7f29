"""How a callable of each framework is fed, called and differentiated. A framework is imported when it is used."""

import sys
from types import ModuleType
from typing import Any, Protocol

import numpy as np

from .asking import Function, Outcome, Upstream, as_array, cotangent
from .errors import UsageError
from .golden import Array
from .jax_arrays import Jax
from .target import Target

NAMES = ("numpy", "torch", "tensorflow", "jax")
# Top-level packages, and what their functions want.
HOMES = {
    "torch": ("torch", "torchvision", "kornia", "fvcore", "detectron2", "mmdet", "mmcv", "refloss_torch"),
    "tensorflow": ("tensorflow", "tensorflow_models", "official", "tensorflow_addons", "tf_keras"),
    "jax": ("jax", "optax", "flax"),
    "keras": ("keras", "keras_cv", "keras_hub", "refloss_keras"),
    "numpy": ("numpy", "scipy", "refloss"),
}


class Framework(Protocol):
    name: str
    differentiates: bool

    def run(self, function: Function, first: Array, second: Array, gradient: bool, upstream: Upstream = None) -> Outcome: ...


class NumPy:
    name, differentiates = "numpy", False

    def run(self, function: Function, first: Array, second: Array, gradient: bool, upstream: Upstream = None) -> Outcome:
        with np.errstate(all="ignore"):
            return Outcome(as_array(function(np.array(first), np.array(second))), None)  # it may write into them


class Torch:
    name, differentiates = "torch", True

    def run(self, function: Function, first: Array, second: Array, gradient: bool, upstream: Upstream = None) -> Outcome:
        import torch

        x = torch.from_numpy(np.array(first)).requires_grad_(gradient)
        result = function(x, torch.from_numpy(np.array(second)))
        if not isinstance(result, torch.Tensor):
            return Outcome(as_array(result), None)
        slope = None
        if gradient and result.requires_grad:
            push = torch.from_numpy(cotangent(upstream, tuple(result.shape))).to(result)
            # grad() that is given outputs imports sympy, half a second; of the sum of products it is the same to the bit
            (found,) = torch.autograd.grad((result * push).sum(), x, allow_unused=True)
            slope = np.zeros_like(first) if found is None else found.detach().cpu().numpy()
        return Outcome(as_array(result.detach().cpu().numpy()), slope)


class TensorFlow:
    name, differentiates = "tensorflow", True

    def run(self, function: Function, first: Array, second: Array, gradient: bool, upstream: Upstream = None) -> Outcome:
        import tensorflow as tf

        x, t = tf.constant(first), tf.constant(second)
        with tf.GradientTape() as tape:
            tape.watch(x)
            result = function(x, t)
        if not tf.is_tensor(result):
            return Outcome(as_array(result), None)
        push = tf.cast(cotangent(upstream, tuple(result.shape)), result.dtype) if gradient else None
        slope = tape.gradient(result, x, output_gradients=push) if gradient else None
        return Outcome(as_array(result.numpy()), None if slope is None else np.asarray(slope))


FRAMEWORKS: dict[str, type[Framework]] = {"numpy": NumPy, "torch": Torch, "tensorflow": TensorFlow, "jax": Jax}


def framework(stated: str | None, target: Target) -> Framework:
    """The framework that --arrays states, or else the callable's own; it must be importable."""
    name = stated or _native(target.package, target.module)
    if name not in NAMES:
        raise UsageError(f"--arrays is {' or '.join(NAMES)}, not {name!r}")
    try:
        if name != "numpy":
            __import__(name)
    except ImportError:
        raise UsageError(f"{name} is not installed in this environment, so its arrays cannot be made") from None
    if name == "jax":
        return Jax(whole=not hasattr(target.function, "lower"))  # jax.jit gives what it makes a lower()
    return FRAMEWORKS[name]()


def _native(package: str, module: ModuleType) -> str:
    """The framework that a callable's package works with; for an unknown module, the one that it imports."""
    home = next((name for name, packages in HOMES.items() if package in packages), None)
    if home is None:
        used = {_root(value) for value in vars(module).values()} & {"torch", "tensorflow", "jax", "keras"}
        if len(used) > 1:
            raise UsageError(f"{module.__name__} uses {' and '.join(sorted(used))}; say which arrays it wants with --arrays")
        home = used.pop() if used else "numpy"
    if home == "keras":
        import keras

        home = str(keras.backend.backend())
        if home not in FRAMEWORKS:
            raise UsageError(f"the Keras backend {home!r} has no gradients here; set KERAS_BACKEND to tensorflow, jax or torch")
    return home


def _root(value: Any) -> str:
    """The top-level package of a module, function or class found in a namespace."""
    name = value.__name__ if isinstance(value, ModuleType) else getattr(value, "__module__", None)
    return name.split(".")[0] if isinstance(name, str) and name.split(".")[0] in sys.modules else ""

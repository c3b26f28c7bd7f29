"""How a callable of each framework is fed, called and differentiated. A framework is imported when it is used."""

import contextlib
import functools
import sys
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any, NamedTuple, Protocol

import numpy as np

from .errors import UsageError
from .golden import Array
from .target import Target

Function = Callable[[Any, Any], Any]
Upstream = tuple[float, ...] | None
NAMES = ("numpy", "torch", "tensorflow", "jax")
# Top-level packages, and what their functions want.
HOMES = {
    "torch": ("torch", "torchvision", "kornia", "fvcore", "detectron2", "mmdet", "mmcv", "refloss_torch"),
    "tensorflow": ("tensorflow", "tensorflow_models", "official", "tensorflow_addons", "tf_keras"),
    "jax": ("jax", "optax", "flax"),
    "keras": ("keras", "keras_cv", "keras_hub", "refloss_keras"),
    "numpy": ("numpy", "scipy", "refloss"),
}


class Outcome(NamedTuple):
    """What a call gave: the value as it came, and the gradient by the first array of its (upstream-weighted) sum, if there is one."""

    value: Array
    gradient: Array | None


def cotangent(upstream: Upstream, shape: tuple[int, ...]) -> Array:
    """What a result of this shape is multiplied by before it is summed: ones, or the four numbers of a coding over and over."""
    return np.ones(shape) if upstream is None else np.resize(np.array(upstream), shape)


class Framework(Protocol):
    name: str
    differentiates: bool

    def run(self, function: Function, first: Array, second: Array, gradient: bool, upstream: Upstream = None) -> Outcome: ...


class Returned(Exception):  # noqa: N818  (a result, not an error of ours)
    """The callable gave something that is no array; the text says what."""


def as_array(value: Any) -> Array:
    """A result of NumPy or a plain number, copied: the next call may reuse its memory."""
    if value is None or isinstance(value, (str, dict, list, tuple)):
        raise Returned(f"it returned a {type(value).__name__}, not an array")
    array = np.array(value)
    if array.dtype.kind not in "fiu":
        raise Returned(f"it returned an array of {array.dtype}, not of floats")
    return array


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


ROUND = 128  # cases; one alone is never padded
# Step by step as written: nothing rewritten (algsimp) nor contracted (which optimisation does), in a third of the time.
# Tiny programs are not cut into pieces for several threads.
AS_WRITTEN = {
    "xla_disable_hlo_passes": "algsimp", "xla_backend_optimization_level": 0, "xla_cpu_use_fusion_emitters": False,
    "xla_cpu_parallel_codegen_split_count": 1,
}  # fmt: skip


class Jax:
    name, differentiates = "jax", True

    def __init__(self, whole: bool = True) -> None:
        self.whole = whole  # whether the callable is compiled as one, with its gradient; not if its author does, or it cannot be traced
        self._compiled = functools.cache(_compiled)

    def run(self, function: Function, first: Array, second: Array, gradient: bool, upstream: Upstream = None) -> Outcome:
        """Operations are compiled anew for each length, so large batches go up to a multiple of ROUND with copies of their last case.

        That is for results with a value for each case; others (a sum) are asked again as they are.
        """
        n, more = len(first), -len(first) % ROUND
        if n == 1 or not more:
            return self._run(function, first, second, gradient, upstream)
        longer = [np.concatenate([array, array[-1:].repeat(more, axis=0)]) for array in (first, second)]
        value, slope = self._run(function, longer[0], longer[1], gradient, upstream)
        if value.shape[:1] != (n + more,):
            return self._run(function, first, second, gradient, upstream)
        return Outcome(value[:n], None if slope is None else slope[:n])

    def _run(self, function: Function, first: Array, second: Array, gradient: bool, upstream: Upstream) -> Outcome:
        import jax
        import jax.numpy as jnp

        with _double(jax) if first.dtype == np.float64 else contextlib.nullcontext():
            x, t = jnp.asarray(first), jnp.asarray(second)
            if not gradient:
                return Outcome(as_array(function(x, t)), None)
            result, slope = self._both(function, upstream, x, t)
            return Outcome(as_array(result), None if slope is None else np.asarray(slope))

    def _both(self, function: Function, upstream: Upstream, x: Any, t: Any) -> Any:
        """Value and gradient, compiled as one if that is possible: one by one, each operation takes 40 ms."""
        if self.whole:
            with contextlib.suppress(Exception):  # whatever tracing or a compiler without these options raises
                return self._compiled(function, upstream)(x, t)
        found = _with_gradient(function, upstream, x, t)
        self.whole = False  # not before it has worked: what the callable turns down is not for the tracing
        return found


def _compiled(function: Function, upstream: Upstream) -> Function:
    import jax

    whole: Function = jax.jit(functools.partial(_with_gradient, function, upstream), compiler_options=AS_WRITTEN)
    return whole


def _with_gradient(function: Function, upstream: Upstream, x: Any, t: Any) -> Any:
    import jax
    import jax.numpy as jnp

    result, back = jax.vjp(lambda x: function(x, t), x)
    if not hasattr(result, "shape"):
        return result, None
    (slope,) = back(jnp.asarray(cotangent(upstream, result.shape), result.dtype))
    return result, slope


@contextlib.contextmanager
def _double(jax: Any) -> Iterator[None]:
    """float64 for the length of one call, so that nothing else in the process changes its defaults."""
    if hasattr(jax, "enable_x64"):
        with jax.enable_x64(True):
            yield
    else:
        from jax.experimental import enable_x64

        with enable_x64():
            yield


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

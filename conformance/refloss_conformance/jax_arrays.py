"""How a JAX callable is called and differentiated: compiled as one where it can be, and ahead of time on another core."""

import contextlib
import functools
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import numpy as np

from .asking import Function, Outcome, Upstream, as_array, cotangent
from .golden import Array

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
        self._coming: dict[Any, Future[Function]] = {}
        self._other_core = ThreadPoolExecutor(1)

    def expect(self, function: Function, first: Array, second: Array, upstream: Upstream = None) -> None:
        """A run that will come: traced here and now, compiled beside what follows. Whatever fails is left to that run to tell."""
        import jax.numpy as jnp

        if not self.whole:
            return
        with contextlib.suppress(Exception, SystemExit), precision(first.dtype):
            x, t = map(jnp.asarray, _padded(first, second))
            self._coming[_key(function, upstream, x, t)] = self._other_core.submit(self._compiled(function, upstream).lower(x, t).compile)

    def run(self, function: Function, first: Array, second: Array, gradient: bool, upstream: Upstream = None) -> Outcome:
        """Operations are compiled anew for each length, so large batches go up to a multiple of ROUND with copies of their last case.

        That is for results with a value for each case; others (a sum) are asked again as they are.
        """
        n, longer = len(first), _padded(first, second)
        value, slope = self._run(function, *longer, gradient, upstream)
        if len(longer[0]) == n:
            return Outcome(value, slope)
        if value.shape[:1] != longer[0].shape[:1]:
            return self._run(function, first, second, gradient, upstream)
        return Outcome(value[:n], None if slope is None else slope[:n])

    def _run(self, function: Function, first: Array, second: Array, gradient: bool, upstream: Upstream) -> Outcome:
        import jax.numpy as jnp

        with precision(first.dtype):
            x, t = jnp.asarray(first), jnp.asarray(second)
            if not gradient:
                return Outcome(as_array(function(x, t)), None)
            result, slope = self._both(function, upstream, x, t)
            return Outcome(as_array(result), None if slope is None else np.asarray(slope))

    def _both(self, function: Function, upstream: Upstream, x: Any, t: Any) -> Any:
        """Value and gradient, compiled as one if that is possible: one by one, each operation takes 40 ms."""
        if self.whole:
            coming = self._coming.pop(_key(function, upstream, x, t), None)
            with contextlib.suppress(Exception):  # whatever tracing or a compiler without these options raises
                return (self._compiled(function, upstream) if coming is None else coming.result())(x, t)
        found = _with_gradient(function, upstream, x, t)
        self.whole = False  # not before it has worked: what the callable turns down is not for the tracing
        return found


def _padded(first: Array, second: Array) -> tuple[Array, Array]:
    more = -len(first) % ROUND if len(first) > 1 else 0
    longer = [np.concatenate([array, array[-1:].repeat(more, axis=0)]) if more else array for array in (first, second)]
    return longer[0], longer[1]


def _key(function: Function, upstream: Upstream, *arrays: Any) -> tuple[Any, ...]:
    return function, upstream, *((array.shape, array.dtype.name) for array in arrays)


def _compiled(function: Function, upstream: Upstream) -> Any:
    import jax

    return jax.jit(functools.partial(_with_gradient, function, upstream), compiler_options=AS_WRITTEN)


def _with_gradient(function: Function, upstream: Upstream, x: Any, t: Any) -> Any:
    import jax
    import jax.numpy as jnp

    result, back = jax.vjp(lambda x: function(x, t), x)
    if not hasattr(result, "shape"):
        return result, None
    (slope,) = back(jnp.asarray(cotangent(upstream, result.shape), result.dtype))
    return result, slope


@contextlib.contextmanager
def precision(dtype: Any) -> Iterator[None]:
    """float64 for the length of one call, so that nothing else in the process changes its defaults."""
    import jax

    if dtype != np.float64:
        yield
    elif hasattr(jax, "enable_x64"):
        with jax.enable_x64(True):
            yield
    else:
        from jax.experimental import enable_x64

        with enable_x64():
            yield

"""Numba, loaded at the first kernel: it learns the scalar functions here, and compiles the loops.

The disk cache is keyed by the source of the whole package (Numba alone would not see a change in another file), and does
without the disk where nothing can be written.
"""

import functools
import hashlib
import pathlib
from collections.abc import Callable
from typing import Any

import numpy as np

from . import addresses
from .fma import fma
from .scalar import BY_DTYPE, PORTABLE


@functools.cache
def source_digest() -> str:
    """Changes with any source file of the package; a loop that closes over it is never served from a stale cache."""
    digest = hashlib.sha256()
    for path in sorted(pathlib.Path(__file__).parents[1].rglob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()


_taught: dict[str, set[Callable[..., Any]]] = {"cpu": set(), "cuda": set()}


def teach_cpu() -> None:
    """Tell Numba's CPU target what the scalar functions mean: all that are known by now, each once."""
    from numba import types
    from numba.extending import intrinsic, overload

    teach = functools.partial(overload, jit_options={"error_model": "numpy", "forceinline": True})
    if fma not in _taught["cpu"]:
        _taught["cpu"].add(fma)

        @intrinsic
        def llvm_fma(typing: Any, a: Any, b: Any, c: Any) -> Any:
            return a(a, b, c), lambda context, builder, signature, arguments: builder.fma(*arguments)

        teach(fma)(lambda a, b, c: lambda a, b, c: llvm_fma(a, b, c))
        addresses.teach(teach)
    _teach("cpu", teach, types.float32)


def teach_cuda() -> None:
    """The same for the CUDA target."""
    from numba import cuda
    from numba.cuda import types
    from numba.cuda.extending import overload

    teach = functools.partial(overload, jit_options={"forceinline": True})
    if fma not in _taught["cuda"]:
        _taught["cuda"].add(fma)
        teach(fma)(lambda a, b, c: lambda a, b, c: cuda.fma(a, b, c))
    _teach("cuda", teach, types.float32)


def _teach(target: str, overload: Callable[..., Any], float32: Any) -> None:
    for name, choices in BY_DTYPE.items():
        if name not in _taught[target]:
            _taught[target].add(name)
            for function in choices:
                overload(function, strict=False)(_always(function))
            overload(name, strict=False)(_chosen(*choices, float32))
    for function in PORTABLE:
        if function not in _taught[target]:
            _taught[target].add(function)
            overload(function, strict=False)(_always(function))


def _always(function: Callable[..., Any]) -> Callable[..., Any]:
    return lambda *arguments: function


def _chosen(for32: Callable[..., Any], for64: Callable[..., Any], float32: Any) -> Callable[..., Any]:
    return lambda x: for32 if x == float32 else for64


OPTIONS = {"nogil": True, "error_model": "numpy", "fastmath": False}  # strict IEEE, no lock held, no check for division by zero


def _cached(compiler: Callable[..., Any], function: Callable[..., Any], **options: Any) -> Any:
    try:
        return compiler(cache=True, **options)(function)
    except RuntimeError:  # nowhere to keep a cache: a read-only installation and home
        return compiler(**options)(function)


def jit(function: Callable[..., Any], name: str, *arguments: Any) -> Callable[..., Any]:
    """A loop's outer part, compiled now, once, for arguments of these types (see `read`), under a name of its own.

    Left to itself Numba compiles one for each mix of read-only and other arrays, and its names are no good: on the disk they are
    random, so that code which calls this one would never be found again; functions of one name share files, whose index two
    processes at once can leave wrong; and in the machine code they are told apart by counting, in each process anew.
    """
    import numba

    teach_cpu()
    function.__qualname__ = name
    compiled = _cached(numba.njit, function, **OPTIONS)
    if numba.config.DISABLE_JIT:  # somebody debugs: the function itself
        return function
    compiled._set_uuid(f"refloss {name} {source_digest()}")
    compiled.compile(tuple(numba.from_dtype(np.dtype(one)) if isinstance(one, type) else one for one in arguments))
    compiled.disable_compile()
    found: Callable[..., Any] = compiled
    return found


def read(T: Any, rank: int) -> Any:
    """An argument of `jit`: an array of numbers of type T that is not written to, and may be read-only."""
    from numba import from_dtype, types

    return types.Array(from_dtype(np.dtype(T)), rank, "C", readonly=True)


def written(T: Any, rank: int) -> Any:
    """The same of one that is written to."""
    from numba import from_dtype, types

    return types.Array(from_dtype(np.dtype(T)), rank, "C")


def several(T: Any, count: int) -> Any:
    """A tuple of so many numbers of type T."""
    from numba import from_dtype, types

    return types.UniTuple(from_dtype(np.dtype(T)), count)


def pointer(function: Callable[..., Any], signature: Any) -> Any:
    """A loop's inner part with a kernel in it, as a C function: `.address` is what the outer part calls.

    Compiled by itself it takes 0.2 s; inlined into the outer part, every kernel would take 1.2 s.
    """
    import numba

    teach_cpu()
    return _cached(functools.partial(numba.cfunc, signature), function, nopython=True, error_model="numpy", fastmath=False)

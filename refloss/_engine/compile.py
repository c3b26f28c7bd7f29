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
    from llvmlite import ir
    from numba import carray, types
    from numba.core import cgutils
    from numba.extending import intrinsic, overload

    teach = functools.partial(overload, jit_options={"error_model": "numpy", "forceinline": True})
    if fma not in _taught["cpu"]:
        _taught["cpu"].add(fma)

        @intrinsic
        def llvm_fma(typing: Any, a: Any, b: Any, c: Any) -> Any:
            return a(a, b, c), lambda context, builder, signature, arguments: builder.fma(*arguments)

        @intrinsic
        def function_at(typing: Any, address: Any, arguments: Any) -> Any:
            function = types.FunctionType(types.void(*arguments.types))

            def code(context: Any, builder: Any, signature: Any, values: Any) -> Any:
                view = cgutils.create_struct_proxy(function)(context, builder)
                view.c_addr = builder.inttoptr(values[0], cgutils.voidptr_t)
                view.py_addr = view.jit_addr = cgutils.get_null_value(cgutils.voidptr_t)
                return view._getvalue()

            return function(address, arguments), code

        @intrinsic
        def pointer_to(typing: Any, address: Any, one: Any) -> Any:
            def code(context: Any, builder: Any, signature: Any, values: Any) -> Any:
                return builder.inttoptr(values[0], context.get_value_type(signature.return_type))

            return types.CPointer(one)(address, one), code

        @intrinsic
        def fetch_and_add(typing: Any, address: Any) -> Any:
            def code(context: Any, builder: Any, signature: Any, values: Any) -> Any:
                place = builder.inttoptr(values[0], cgutils.intp_t.as_pointer())
                return builder.atomic_rmw("add", place, cgutils.intp_t(1), "monotonic")

            return types.intp(address), code

        def fetch(write: int) -> Any:
            @intrinsic
            def code_of(typing: Any, address: Any) -> Any:
                def code(context: Any, builder: Any, signature: Any, values: Any) -> Any:
                    place, number = cgutils.voidptr_t, cgutils.int32_t
                    kind = ir.FunctionType(ir.VoidType(), [place, number, number, number])
                    function = builder.module.declare_intrinsic("llvm.prefetch", [place], fnty=kind)
                    builder.call(function, [builder.inttoptr(values[0], place), number(write), number(3), number(1)])
                    return context.get_dummy_value()

                return types.void(address), code

            return code_of

        to_read, to_write = fetch(0), fetch(1)
        teach(read_soon_at)(lambda address: lambda address: to_read(address))
        teach(write_soon_at)(lambda address: lambda address: to_write(address))
        teach(take_at)(lambda address: lambda address: fetch_and_add(address))
        teach(fma)(lambda a, b, c: lambda a, b, c: llvm_fma(a, b, c))
        teach(array_at)(lambda address, size, one: lambda address, size, one: carray(pointer_to(address, one), size))
        teach(call_at)(lambda address, arguments: lambda address, arguments: function_at(address, arguments)(*arguments))
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


def call_at(address: int, arguments: tuple[Any, ...]) -> None:
    """Call the C function at an address, from compiled code; `teach_cpu` gives it its meaning."""
    raise TypeError("call_at is for compiled code")


def array_at(address: int, size: int, one: Any) -> Any:
    """So many numbers of the type of `one` from an address on, as an array, in compiled code."""
    raise TypeError("array_at is for compiled code")


def take_at(address: int) -> int:
    """The integer at an address, which is one more from now on: no two threads are given the same. In compiled code."""
    raise TypeError("take_at is for compiled code")


def read_soon_at(address: int) -> None:
    """Ask for the line of memory at an address to come into the cache; any address will do. In compiled code."""
    raise TypeError("read_soon_at is for compiled code")


def write_soon_at(address: int) -> None:
    """The same of a line that will be written to."""
    raise TypeError("write_soon_at is for compiled code")

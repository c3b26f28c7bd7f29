"""The CPU loops, one module for each kind of loss, in two parts.

`hot` holds the kernel: a C function over one block, compiled for each kernel, mode and type. `drive` goes over blocks, and is
compiled once for each type. All arrays are flat, contiguous and of one type T (labels: int64); an array of size 0 stands for
what is absent (weights, upstream: factors of the gradient) or not wanted (value, grad, sums: two words for each block).
Blocks first <= b < last are done, so that threads can share them; flags[b] is set where a target left its domain.
Inner loops run over slices from 0: only then does LLVM see unit stride and vectorise (law 1).
"""

import functools
from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np

from . import cpu_codes, cpu_elementwise, cpu_labels, cpu_pairs, cpu_rows
from .blocks import added_up
from .compile import jit, pointer, source_digest

KINDS: dict[str, ModuleType] = {
    "elementwise": cpu_elementwise, "labels": cpu_labels, "rows": cpu_rows, "pairs": cpu_pairs, "codes": cpu_codes,
}  # fmt: skip
PARAMS = 8  # kernels take this many numbers, unused ones 0, so that one `drive` serves all


@functools.cache
def drive(kind: str) -> Callable[..., Any]:
    """The outer loop."""
    return named(KINDS[kind].drive(source_digest()), f"drive_{kind}")


def named(function: Callable[..., Any], name: str) -> Callable[..., Any]:
    """Compiled to be called by other compiled code, under a name of its own: Numba's is found a second time neither on the disk (it is
    random) nor in the machine code, where functions that were compiled apart are taken for each other (they are counted)."""
    function.__qualname__ = name
    driver: Any = jit(function)
    driver._set_uuid(f"refloss {name} {source_digest()}")
    found: Callable[..., Any] = driver
    return found


@functools.cache
def adding() -> Callable[..., Any]:
    return jit(added_up)


@functools.cache
def hot(kind: str, kernel: Callable[..., Any], mode: int, dtype: Any) -> Any:
    """The inner loop around a kernel, as a C function."""
    from numba import types

    scalar = types.float32 if dtype is np.float32 else types.float64
    line, params = types.Array(scalar, 1, "C"), types.UniTuple(scalar, PARAMS)
    module = KINDS[kind]
    block = module.hot(kernel, mode, source_digest())
    block.__qualname__ = f"{kind}_{kernel.__module__}_{kernel.__name__}_{mode}"  # see `named`
    return pointer(block, module.signature(types, scalar, line, params))


def blocks_of(kind: str, shape: tuple[int, ...]) -> int:
    """How many blocks the loop of this kind cuts a first argument of this (flat) shape into."""
    module = KINDS[kind]
    if kind == "elementwise":
        return -(-shape[0] // module.BLOCK)
    return -(-shape[0] // module.rows_in_block(shape[1]))

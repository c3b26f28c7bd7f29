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
from .compile import jit, pointer, read, several, source_digest, written

KINDS: dict[str, ModuleType] = {
    "elementwise": cpu_elementwise, "labels": cpu_labels, "rows": cpu_rows, "pairs": cpu_pairs, "codes": cpu_codes,
}  # fmt: skip
PARAMS = 8  # kernels take this many numbers, unused ones 0, so that one `drive` serves all


@functools.cache
def drive(kind: str, T: Any) -> Callable[..., Any]:
    """The outer loop."""
    return jit(KINDS[kind].drive(source_digest()), f"drive_{kind}_{T.__name__}", *_arguments(kind, T))


def _arguments(kind: str, T: Any) -> tuple[Any, ...]:
    flags = written(np.uint8, 1)
    if kind == "codes":
        numbers = several(T, cpu_codes.PARAMS)
        return int, read(T, 2), read(T, 2), numbers, read(T, 2), written(T, 2), written(T, 2), flags, int, int
    rank = 1 if kind == "elementwise" else 2
    target = read(np.int64, 1) if kind in ("labels", "rows") else read(T, rank)
    results = written(T, 1), written(T, rank), written(T, 2)
    return int, read(T, rank), target, several(T, PARAMS), read(T, 1), read(T, 1), T, *results, flags, int, int


@functools.cache
def adding(T: Any) -> Callable[..., Any]:
    stamp = source_digest()

    def add(sums):  # type: ignore[no-untyped-def]
        stamp  # noqa: B018
        return added_up(sums)

    return jit(add, f"adding_{T.__name__}", read(T, 2))


@functools.cache
def hot(kind: str, kernel: Callable[..., Any], mode: int, T: Any) -> Any:
    """The inner loop around a kernel, as a C function."""
    from numba import types

    scalar, line, params = types.float32 if T is np.float32 else types.float64, written(T, 1), several(T, PARAMS)
    module = KINDS[kind]
    block = module.hot(kernel, mode, source_digest())
    block.__qualname__ = f"{kind}_{kernel.__module__}_{kernel.__name__}_{mode}_{T.__name__}"
    return pointer(block, module.signature(types, scalar, line, params))


def blocks_of(kind: str, shape: tuple[int, ...]) -> int:
    """How many blocks the loop of this kind cuts a first argument of this (flat) shape into."""
    module = KINDS[kind]
    if kind == "elementwise":
        return -(-shape[0] // module.BLOCK)
    return -(-shape[0] // module.rows_in_block(shape[1]))

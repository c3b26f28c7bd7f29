"""The CPU loops, one module for each kind of loss, in two parts.

`hot` holds the kernel: a C function over one block, compiled for each kernel, mode and type. `drive` goes over blocks, and is
compiled once for each type. All arrays are flat, contiguous and of one type T (labels: int64); an array of size 0 stands for
what is absent (weights, upstream: factors of the gradient) or not wanted (value, grad, sums: two words for each block).
Blocks first <= b < last are done, so that threads can share them; flags[b] is set where a target left its domain.
Inner loops run over slices from 0: only then does LLVM see unit stride and vectorise (law 1).
"""

import functools
import math
from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np

from . import cpu_codes, cpu_elementwise, cpu_labels, cpu_pairs, cpu_rows
from .compile import array_at, jit, pointer, source_digest

KINDS: dict[str, ModuleType] = {
    "elementwise": cpu_elementwise, "labels": cpu_labels, "rows": cpu_rows, "pairs": cpu_pairs, "codes": cpu_codes,
}  # fmt: skip
PARAMS = 8  # kernels take this many numbers, unused ones 0, so that one `drive` serves all


@functools.cache
def drive(kind: str, unit: bool) -> Callable[..., Any]:
    """The outer loop; `unit` asks it to check that targets lie in [0, 1]."""
    driver: Any = jit(KINDS[kind].drive(unit, source_digest()))
    driver._set_uuid(f"refloss {kind} {unit} {source_digest()}")  # Numba's own is random: what calls it would never be found on the disk
    found: Callable[..., Any] = driver
    return found


@functools.cache
def drive_at(kind: str, unit: bool) -> Callable[..., Any]:
    """All of a small elementwise or pairs call, without weights and upstream, on addresses: of x, t, value, grad, total (0: not wanted).

    `total` is for the divided sum of a single block; more than one leave their `sums`. Answers whether something left its domain.
    Handing over seven arrays and eight numbers takes longer than computing 64 pairs.
    """
    driver, pairs, stamp = drive(kind, unit), kind == "pairs", source_digest()

    def blocks(kernel, x, t, numbers, divisor, value, grad, size, sums, count, total):  # type: ignore[no-untyped-def]
        stamp  # noqa: B018
        one, none, flags = sums.dtype.type(1), np.empty(0, sums.dtype), np.zeros(count, np.uint8)
        params = (numbers[0], numbers[1], numbers[2], numbers[3], numbers[4], numbers[5], numbers[6], numbers[7])
        by, words = sums.dtype.type(divisor), np.empty((1, 2), sums.dtype) if total else sums
        xs, ts, gs = array_at(x, size, one), array_at(t, size, one), array_at(grad, size if grad else 0, one)
        if pairs:
            vs = array_at(value, size // 4 if value else 0, one)
            rows, others, slopes = xs.reshape(-1, 4), ts.reshape(-1, 4), gs.reshape(-1, 4)
            driver(kernel, rows, others, params, none, none, by, vs, slopes, words, flags, 0, count)
        else:
            vs = array_at(value, size if value else 0, one)
            driver(kernel, xs, ts, params, none, none, by, vs, gs, words, flags, 0, count)
        if total:
            high = np.float64(words[0, 0])
            array_at(total, 1, one)[0] = (high + words[0, 1] if math.isfinite(high) else high) / divisor
        return flags.any()

    return jit(blocks)


@functools.cache
def hot(kind: str, kernel: Callable[..., Any], mode: int, dtype: Any) -> Any:
    """The inner loop around a kernel, as a C function."""
    from numba import types

    scalar = types.float32 if dtype is np.float32 else types.float64
    line, params = types.Array(scalar, 1, "C"), types.UniTuple(scalar, PARAMS)
    module = KINDS[kind]
    return pointer(module.hot(kernel, mode, source_digest()), module.signature(types, scalar, line, params))


def blocks_of(kind: str, shape: tuple[int, ...]) -> int:
    """How many blocks the loop of this kind cuts a first argument of this (flat) shape into."""
    module = KINDS[kind]
    if kind == "elementwise":
        return -(-shape[0] // module.BLOCK)
    return -(-shape[0] // module.rows_in_block(shape[1]))

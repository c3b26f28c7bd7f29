"""Whole elementwise and pairs calls on addresses, without weights and upstream: x, t, value, grad, total (0: not wanted).

Handing over seven arrays and eight numbers takes longer than computing 64 pairs. And where a host (torch, with OpenMP) lends its
threads, a large call is shared out without Python: its closures, callbacks and arrays took half a millisecond, more than a third
of 262 144 pairs, since everything that they touch has left the caches by then.
"""

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from .addresses import array_at, call_at, take_at
from .blocks import added_up
from .compile import jit, pointer, read, source_digest, written
from .cpu import drive

KERNEL, FIRST, SECOND, NUMBERS, DIVISOR, VALUE, GRAD, SIZE, SUMS, BLOCKS, FLAGS, TURNS, LAST, NEXT = range(14)  # what threads are told


@functools.cache
def _part(kind: str, T: Any) -> Callable[..., Any]:
    driver, pairs, stamp = drive(kind, T), kind == "pairs", source_digest()

    def part(kernel, x, t, numbers, divisor, value, grad, size, sums, flags, first, last):  # type: ignore[no-untyped-def]
        stamp  # noqa: B018
        one, none = numbers.dtype.type(1), np.empty(0, numbers.dtype)
        params = (numbers[0], numbers[1], numbers[2], numbers[3], numbers[4], numbers[5], numbers[6], numbers[7])
        by = numbers.dtype.type(divisor)
        xs, ts, gs = array_at(x, size, one), array_at(t, size, one), array_at(grad, size if grad else 0, one)
        if pairs:
            vs = array_at(value, size // 4 if value else 0, one)
            rows, others, slopes = xs.reshape(-1, 4), ts.reshape(-1, 4), gs.reshape(-1, 4)
            driver(kernel, rows, others, params, none, none, by, vs, slopes, sums, flags, first, last)
        else:
            vs = array_at(value, size if value else 0, one)
            driver(kernel, xs, ts, params, none, none, by, vs, gs, sums, flags, first, last)

    at = int, int, int, read(T, 1), float, int, int, int  # kernel, x, t, numbers, divisor, value, grad, size
    return jit(part, f"part_{kind}_{T.__name__}", *at, written(T, 2), written(np.uint8, 1), int, int)


@functools.cache
def drive_at(kind: str, T: Any) -> Callable[..., Any]:
    """On one thread. The divided sum goes to `total`. Answers whether something left its domain."""
    part, stamp = _part(kind, T), source_digest()

    def blocks(kernel, x, t, numbers, divisor, value, grad, size, count, total):  # type: ignore[no-untyped-def]
        stamp  # noqa: B018
        flags, sums = np.zeros(count, np.uint8), np.empty((count if total else 0, 2), numbers.dtype)
        part(kernel, x, t, numbers, divisor, value, grad, size, sums, flags, 0, count)
        if total:
            array_at(total, 1, numbers.dtype.type(1))[0] = added_up(sums) / divisor
        return flags.any()

    return jit(blocks, f"drive_at_{kind}_{T.__name__}", int, int, int, read(T, 1), float, int, int, int, int, int)


@functools.cache
def share(kind: str, T: Any) -> Any:
    """What every thread of a host runs: turn after turn, until none is left. Its argument is where it finds what it is told."""
    from numba import types

    part, one, stamp = _part(kind, T), T(1), source_digest()
    byte, integer, real = np.uint8(1), np.int64(1), np.float64(1)

    def work(told):  # type: ignore[no-untyped-def]
        stamp  # noqa: B018
        words = array_at(told, 14, integer)
        divisor = array_at(told + 8 * DIVISOR, 1, real)[0]
        numbers, flags = array_at(words[NUMBERS], 8, one), array_at(words[FLAGS], words[BLOCKS], byte)
        sums = array_at(words[SUMS], 2 * words[BLOCKS] if words[SUMS] else 0, one).reshape(-1, 2)
        turns = array_at(words[TURNS], words[LAST] + 1, integer)
        turn = take_at(told + 8 * NEXT)
        while turn < words[LAST]:
            part(
                words[KERNEL], words[FIRST], words[SECOND], numbers, divisor, words[VALUE], words[GRAD], words[SIZE], sums, flags,
                turns[turn], turns[turn + 1],
            )  # fmt: skip
            turn = take_at(told + 8 * NEXT)

    work.__qualname__ = f"share_{kind}_{T.__name__}"
    return pointer(work, types.void(types.int64))


@functools.cache
def drive_together(T: Any) -> Callable[..., Any]:
    """On `count` threads of a host whose GOMP_parallel(function, data, threads, flags) is at `parallel`; turn i goes from block
    turns[i] to turns[i + 1]. Answers whether something left its domain, or was not done."""
    stamp = source_digest()

    def blocks(kernel, x, t, numbers, divisor, value, grad, size, total, turns, work, parallel, count):  # type: ignore[no-untyped-def]
        stamp  # noqa: B018
        last = turns.size - 1
        flags, sums = np.zeros(turns[last], np.uint8), np.empty((turns[last] if total else 0, 2), numbers.dtype)
        words = np.empty(14, np.int64)
        words[KERNEL], words[FIRST], words[SECOND], words[VALUE], words[GRAD], words[SIZE] = kernel, x, t, value, grad, size
        words.view(np.float64)[DIVISOR] = divisor
        words[NUMBERS], words[FLAGS], words[TURNS] = numbers.ctypes.data, flags.ctypes.data, turns.ctypes.data
        words[SUMS] = sums.ctypes.data if total else 0
        words[BLOCKS], words[LAST], words[NEXT] = turns[last], last, 0
        call_at(parallel, (work, words.ctypes.data, np.uint32(count), np.uint32(0)))
        if total:
            array_at(total, 1, numbers.dtype.type(1))[0] = added_up(sums) / divisor
        return flags.any() or words[NEXT] < last  # asked for here, `flags` and `words` are alive until now

    at = int, int, int, written(T, 1), float, int, int, int, int  # kernel, x, t, numbers, divisor, value, grad, size, total
    return jit(blocks, f"drive_together_{T.__name__}", *at, written(np.int64, 1), int, int, int)

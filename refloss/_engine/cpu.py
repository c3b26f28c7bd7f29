"""The CPU loops, one for each kind of loss. A kernel is compiled into each once for each mode and type.

All take flat, contiguous arrays of one type T, and arrays of size 0 for what is absent or not wanted:
weights, upstream (factors of the gradient), value, grad (outputs), sums (two words for each block).
They work on blocks first <= b < last, so that threads can share them, and set flags[b] where a target left its domain.
Inner loops run over slices from 0: only then does LLVM see unit stride and vectorise (law 1).
"""

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from .blocks import BLOCK, LANES, finish, fixed_sum
from .check import IGNORE
from .compile import jit, source_digest
from .cpu_pairs import PAIRS, box_pairs
from .cpu_rows import rows_in_block, softmax_rows


@functools.cache
def loop(kind: str, kernel: Callable[..., Any], mode: int, unit: bool) -> Callable[..., Any]:
    """The compiled loop for a kernel; `unit` asks it to check that targets lie in [0, 1]."""
    return jit(LOOPS[kind](kernel, mode, unit, source_digest()))


def _elementwise(kernel: Callable[..., Any], mode: int, unit: bool, stamp: str) -> Callable[..., Any]:
    def run(x, t, params, weights, upstream, divisor, value, grad, sums, flags, first, last):  # type: ignore[no-untyped-def]
        stamp  # noqa: B018  a closure variable: see source_digest
        scratch, lanes = np.empty((2, BLOCK), x.dtype), np.empty((2, LANES), x.dtype)
        one = type(divisor)(1)
        for b in range(first, last):
            lo, hi = b * BLOCK, min(x.size, (b + 1) * BLOCK)
            xs, ts = x[lo:hi], t[lo:hi]
            vs = value[lo:hi] if value.size else scratch[0, : hi - lo]
            gs = grad[lo:hi] if grad.size else scratch[1, : hi - lo]
            for i in range(xs.size):
                vs[i], gs[i] = kernel(mode, xs[i], ts[i], params)
            if unit:
                outside = 0
                for i in range(ts.size):
                    outside |= not (ts[i] >= 0 and ts[i] <= 1)
                flags[b] = outside
            ws = weights[lo:hi] if weights.size else weights
            us = upstream[lo:hi] if upstream.size else upstream
            if value.size or sums.size:
                finish(vs, ws, weights[:0], divisor if value.size else one)
            if grad.size:
                finish(gs, ws, us, divisor)
            if sums.size:
                sums[b, 0], sums[b, 1] = fixed_sum(vs, lanes)

    return run


def _labels(kernel: Callable[..., Any], mode: int, unit: bool, stamp: str) -> Callable[..., Any]:
    """Every logit as a negative, in bulk; then the few that a label makes positive. No one-hot array."""

    def run(x, labels, params, weights, upstream, divisor, value, grad, sums, flags, first, last):  # type: ignore[no-untyped-def]
        stamp  # noqa: B018
        n, classes = x.shape
        rows = max(1, BLOCK // classes)
        flat, flat_grad = x.reshape(-1), grad.reshape(-1)
        scratch, lanes = np.empty((2, rows * classes), x.dtype), np.empty((2, LANES), x.dtype)
        zero, one = type(divisor)(0), type(divisor)(1)
        for b in range(first, last):
            lo, hi = b * rows * classes, min(n, (b + 1) * rows) * classes
            xs, cs = flat[lo:hi], labels[b * rows : (b + 1) * rows]
            vs = value[lo:hi] if value.size else scratch[0, : hi - lo]
            gs = flat_grad[lo:hi] if grad.size else scratch[1, : hi - lo]
            for i in range(xs.size):
                vs[i], gs[i] = kernel(mode, xs[i], zero, params)
            for r in range(cs.size):
                c = cs[r]
                if c >= 0 and c < classes:
                    i = r * classes + c
                    vs[i], gs[i] = kernel(mode, xs[i], one, params)
                elif c == IGNORE:
                    vs[r * classes : (r + 1) * classes] = zero
                    gs[r * classes : (r + 1) * classes] = zero
            ws = weights[lo:hi] if weights.size else weights
            us = upstream[lo:hi] if upstream.size else upstream
            if value.size or sums.size:
                finish(vs, ws, weights[:0], divisor if value.size else one)
            if grad.size:
                finish(gs, ws, us, divisor)
            if sums.size:
                sums[b, 0], sums[b, 1] = fixed_sum(vs, lanes)

    return run


def blocks_of(kind: str, x: Any) -> int:
    """How many blocks the loop of this kind cuts x into."""
    if kind == "elementwise":
        return -(-x.size // BLOCK)
    per_block = {"labels": max(1, BLOCK // x.shape[1]), "rows": rows_in_block(x.shape[1]), "pairs": PAIRS}[kind]
    return -(-x.shape[0] // per_block)


LOOPS = {"elementwise": _elementwise, "labels": _labels, "rows": softmax_rows, "pairs": box_pairs}

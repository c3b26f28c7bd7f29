"""The CUDA loops: the kernels of `cpu.py`, a block of threads for a block of elements, the sums in the same order.

LANES threads work on the elements that are one block on the CPU, and thread j adds what lane j adds there, so that value,
gradient and sums have the CPU's bits. No atomics, no float64 in a float32 kernel, nothing here waits for the device, and
nothing that would have to wait is checked: a target outside its domain gives NaN or a finite number, not an error.
"""

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
from numba import cuda, types
from numba.core import config

from . import cpu_codes, cpu_labels, cpu_pairs, cpu_rows
from .blocks import BLOCK, LANES
from .call import two_words
from .check import IGNORE
from .coding import Coding, words
from .compile import teach_cuda
from .cpu import blocks_of
from .record import Loss, Setting
from .scalar import exp_of_minus, portable, rounded


@portable
def scaled(value: Any, weights: Any, upstream: Any, i: Any, divisor: Any) -> Any:
    """value * weights[i] * upstream[i] / divisor, as `blocks.finish` does it."""
    v = rounded(value, weights[i]) if weights.size else value
    v = rounded(v, upstream[i]) if upstream.size else v
    return v / divisor if divisor != type(divisor)(1) else v


@portable
def add(hi: Any, lo: Any, v: Any) -> Any:
    """(hi, lo) + v in two words."""
    s = hi + v
    z = s - hi
    return s, lo + ((hi - (s - z)) + (v - z))


def _folded(T: Any) -> Callable[..., Any]:
    """The end of every loop: fold the threads' two-word sums in halves, as `blocks.fixed_sum` does."""
    scalar = types.float32 if T is np.float32 else types.float64

    def fold(sums, hi, lo):  # type: ignore[no-untyped-def]
        high = cuda.shared.array(LANES, scalar)
        low = cuda.shared.array(LANES, scalar)  # a line of its own: the simulator tells arrays apart by their lines
        j = cuda.threadIdx.x
        high[j], low[j] = hi, lo
        width = LANES // 2
        while width > 0:
            cuda.syncthreads()
            if j < width:
                s = high[j] + high[j + width]
                z = s - high[j]
                low[j] = low[j] + (low[j + width] + ((high[j] - (s - z)) + (high[j + width] - z)))
                high[j] = s
            width //= 2
        if j == 0:
            sums[cuda.blockIdx.x, 0], sums[cuda.blockIdx.x, 1] = high[0], low[0]

    return fold


def _elementwise(kernel: Any, mode: int, fold: Any) -> Callable[..., Any]:
    def loop(x, t, params, weights, upstream, divisor, value, grad, sums):  # type: ignore[no-untyped-def]
        hi = lo = type(divisor)(0)
        one = type(divisor)(1)
        first = cuda.blockIdx.x * BLOCK
        for i in range(first + cuda.threadIdx.x, min(x.size, first + BLOCK), LANES):
            v, g = kernel(mode, x[i], t[i], params)
            v = scaled(v, weights, weights[:0], i, divisor if value.size else one)
            if value.size:
                value[i] = v
            if grad.size:
                grad[i] = scaled(g, weights, upstream, i, divisor)
            hi, lo = add(hi, lo, v)
        if sums.size:
            fold(sums, hi, lo)

    return loop


def _labels(kernel: Any, mode: int, fold: Any) -> Callable[..., Any]:
    rows_in_block = cpu_labels.rows_in_block

    def loop(x, labels, params, weights, upstream, divisor, value, grad, sums):  # type: ignore[no-untyped-def]
        T = type(divisor)
        hi = lo = T(0)
        n, classes = x.shape
        rows = rows_in_block(classes)
        first = cuda.blockIdx.x * rows * classes
        for i in range(first + cuda.threadIdx.x, min(n * classes, first + rows * classes), LANES):
            row = i // classes
            label = labels[row]
            v, g = kernel(mode, x[row, i - row * classes], T(1) if i - row * classes == label else T(0), params)
            v, g = (T(0), T(0)) if label == IGNORE else (v, g)
            v = scaled(v, weights, weights[:0], i, divisor if value.size else T(1))
            if value.size:
                value[i] = v
            if grad.size:
                grad[row, i - row * classes] = scaled(g, weights, upstream, i, divisor)
            hi, lo = add(hi, lo, v)
        if sums.size:
            fold(sums, hi, lo)

    return loop


def _rows(kernel: Any, mode: int, fold: Any) -> Callable[..., Any]:
    rows_in_block = cpu_rows.rows_in_block

    def loop(x, labels, params, weights, upstream, divisor, value, grad, sums):  # type: ignore[no-untyped-def]
        T = type(divisor)
        hi = lo = T(0)
        n, classes = x.shape
        rows = rows_in_block(classes)
        first = cuda.blockIdx.x * rows
        for i in range(first + cuda.threadIdx.x, min(n, first + rows), LANES):
            label = labels[i]
            largest = x[i, 0]
            for c in range(1, classes):
                largest = x[i, c] if x[i, c] > largest else largest
            gap, gap_lo, e, others, others_lo = T(0), T(0), T(1), T(0), T(0)
            for c in range(classes):
                below = largest - x[i, c]
                z = below - largest
                below_lo = (largest - (below - z)) - (x[i, c] + z) if below < T(1e30) else T(0)
                top, bottom = exp_of_minus(below, below_lo)
                if c == label:
                    gap, gap_lo, e = below, below_lo, top
                else:
                    s = others + top
                    z = s - others
                    others_lo += ((others - (s - z)) + (top - z)) + bottom
                    others = s
            v, pull, push = kernel(mode, label, gap, gap_lo, e, others, others_lo, params)
            v = T(0) if label == IGNORE else v
            v = scaled(v, weights, weights[:0], i, divisor if value.size else T(1))
            if value.size:
                value[i] = v
            if grad.size:
                pull, push = scaled(pull, weights, upstream, i, divisor), scaled(push, weights, upstream, i, divisor)
                for c in range(classes):
                    below = largest - x[i, c]
                    z = below - largest
                    below_lo = (largest - (below - z)) - (x[i, c] + z) if below < T(1e30) else T(0)
                    top, _ = exp_of_minus(below, below_lo)
                    g = -pull if c == label else push * top
                    grad[i, c] = T(0) if label == IGNORE else g
            hi, lo = add(hi, lo, v)
        if sums.size:
            fold(sums, hi, lo)

    return loop


def _pairs(kernel: Any, mode: int, fold: Any) -> Callable[..., Any]:
    rows, corners = cpu_pairs.PAIRS, cpu_pairs.corners

    def loop(x, t, params, weights, upstream, divisor, value, grad, sums):  # type: ignore[no-untyped-def]
        T = type(divisor)
        hi = lo = T(0)
        centred = params[7] != T(0)
        first = cuda.blockIdx.x * rows
        for i in range(first + cuda.threadIdx.x, min(x.shape[0], first + rows), LANES):
            x1, y1, x2, y2, w, h = corners(centred, x[i, 0], x[i, 1], x[i, 2], x[i, 3])
            u1, v1, u2, v2, tw, th = corners(centred, t[i, 0], t[i, 1], t[i, 2], t[i, 3])
            v, g0, g1, g2, g3 = kernel(mode, x1, y1, x2, y2, w, h, u1, v1, u2, v2, tw, th, params)
            v = scaled(v, weights, weights[:0], i, divisor if value.size else T(1))
            if value.size:
                value[i] = v
            if grad.size:
                grad[i, 0] = scaled(g0, weights, upstream, i, divisor)
                grad[i, 1] = scaled(g1, weights, upstream, i, divisor)
                grad[i, 2] = scaled(g2, weights, upstream, i, divisor)
                grad[i, 3] = scaled(g3, weights, upstream, i, divisor)
            hi, lo = add(hi, lo, v)
        if sums.size:
            fold(sums, hi, lo)

    return loop


def _codes(kernel: Any, mode: int, fold: Any) -> Callable[..., Any]:
    rows = cpu_codes.ROWS

    def loop(x, priors, params, upstream, value, grad):  # type: ignore[no-untyped-def]
        T = type(params[0])
        count, size = priors.shape
        first = cuda.blockIdx.x * rows
        for i in range(first + cuda.threadIdx.x, min(x.shape[0], first + rows), LANES):
            j = i % count
            p3, p4 = priors[j, 3] if size > 3 else T(0), priors[j, 4] if size > 4 else T(0)
            u0, u1, u2, u3 = T(0), T(0), T(0), T(0)
            if grad.shape[0] > 0:
                u0, u1, u2, u3 = upstream[i, 0], upstream[i, 1], upstream[i, 2], upstream[i, 3]
            o0, o1, o2, o3, g0, g1, g2, g3 = kernel(
                mode, x[i, 0], x[i, 1], x[i, 2], x[i, 3], priors[j, 0], priors[j, 1], priors[j, 2], p3, p4, u0, u1, u2, u3, params
            )
            if value.shape[0] > 0:
                value[i, 0], value[i, 1], value[i, 2], value[i, 3] = o0, o1, o2, o3
            if grad.shape[0] > 0:
                grad[i, 0], grad[i, 1], grad[i, 2], grad[i, 3] = g0, g1, g2, g3

    return loop


LOOPS = {"elementwise": _elementwise, "labels": _labels, "rows": _rows, "pairs": _pairs, "codes": _codes}


SIMULATED = bool(config.ENABLE_CUDASIM)


def source(loss: Loss[Any] | Coding, mode: int, T: Any) -> Callable[..., Any]:
    """The Python text of a loss's or a coding's CUDA kernel, before compilation."""
    fold = _folded(T)
    if not SIMULATED:
        teach_cuda()
        fold = cuda.jit(device=True)(fold)
    return LOOPS[loss.kind](loss.kernel, mode, fold)


@functools.cache
def _compiled(loss: Loss[Any] | Coding, mode: int, T: Any) -> Any:
    return cuda.jit(source(loss, mode, T))


def run(
    loss: Loss[Any], setting: Setting, x: Any, t: Any, *, weights: Any, upstream: Any, divisor: float,
    value: Any, grad: Any, sums: Any, stream: int = 0,
) -> None:  # fmt: skip
    """As `call.run`, on device arrays (anything with __cuda_array_interface__), queued on a stream; nothing waits.

    `sums`: a (blocks, 2) array for the two words of each block's sum, see `cpu.blocks_of`, or one of size 0.
    """
    arrays = [x, t, weights, upstream, value, grad, sums]
    if not SIMULATED:
        arrays = [cuda.as_cuda_array(a, sync=False) for a in arrays]
    x, t, weights, upstream, value, grad, sums = arrays
    T = np.dtype(x.dtype).type
    queue = cuda.external_stream(stream) if stream and not SIMULATED else 0
    compiled = _compiled(loss, setting.mode, T)
    compiled[blocks_of(loss.kind, x.shape), LANES, queue](x, t, two_words(setting, T), weights, upstream, T(divisor), value, grad, sums)


def run_codes(
    coding: Coding, setting: Setting, x: Any, priors: Any, *, upstream: Any,
    value: Any, grad: Any, eps: float | None = None, stream: int = 0,
) -> None:  # fmt: skip
    """As `coding.run`, on device arrays, queued on a stream; what lies outside the domain comes out as NaN, without an error."""
    if x.shape[0] == 0:
        return
    arrays = [x, priors, upstream, value, grad]
    if not SIMULATED:
        arrays = [cuda.as_cuda_array(a, sync=False) for a in arrays]
    x, priors, upstream, value, grad = arrays
    T = np.dtype(x.dtype).type
    queue = cuda.external_stream(stream) if stream and not SIMULATED else 0
    compiled = _compiled(coding, setting.mode, T)
    compiled[-(-x.shape[0] // cpu_codes.ROWS), LANES, queue](x, priors, words(setting, T, eps), upstream, value, grad)

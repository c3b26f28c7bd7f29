"""The CPU loop of box losses: pairs of boxes, turned from rows of four into columns so that the vector units see unit stride.

Boxes come as corners or as centre and size (`centred`, the last of params); kernels see corners *and* sizes.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from .blocks import LANES, finish, fixed_sum
from .compile import call_at
from .scalar import portable

PAIRS = 256  # 17 columns of 256 float32 stay in a 32 KiB cache


@portable
def rows_in_block(four: Any) -> Any:
    return PAIRS


@portable
def turn(boxes: Any, columns: Any, centred: Any) -> Any:
    """Rows (n, 4) into columns x1, y1, x2, y2, w, h; answers 1 if a box is reversed."""
    T = type(boxes[0, 0])
    n = boxes.shape[0]
    flat = boxes.reshape(-1)  # constant strides in one loop: LLVM then loads whole vectors and shuffles them
    a, b, c, d = columns[0, :n], columns[1, :n], columns[2, :n], columns[3, :n]
    for i in range(n):
        a[i], b[i], c[i], d[i] = flat[4 * i], flat[4 * i + 1], flat[4 * i + 2], flat[4 * i + 3]
    wrong = 0
    for j in range(2):
        low, high, size = columns[j, :n], columns[2 + j, :n], columns[4 + j, :n]
        if centred:
            for i in range(n):
                centre = low[i]
                size[i] = high[i] + (centre - centre)  # a NaN in the centre must reach the areas
                half = T(0.5) * size[i]
                low[i], high[i] = centre - half, centre + half
        else:
            for i in range(n):
                size[i] = high[i] - low[i]
        for i in range(n):
            wrong |= size[i] < T(0)
    return wrong


def signature(types: Any, scalar: Any, line: Any, params: Any) -> Any:
    return types.void(types.Array(scalar, 2, "C"), params, line, types.int64)


def hot(kernel: Callable[..., Any], mode: int, stamp: str) -> Callable[..., Any]:
    """kernel(mode, x1, y1, x2, y2, w, h, the same of the target, params) -> value and the derivatives by the box's four numbers."""

    def block(columns, params, value, n):  # type: ignore[no-untyped-def]
        stamp  # noqa: B018
        a0, a1, a2, a3, a4, a5 = columns[0, :n], columns[1, :n], columns[2, :n], columns[3, :n], columns[4, :n], columns[5, :n]
        b0, b1, b2, b3, b4, b5 = columns[6, :n], columns[7, :n], columns[8, :n], columns[9, :n], columns[10, :n], columns[11, :n]
        g0, g1, g2, g3 = columns[13, :n], columns[14, :n], columns[15, :n], columns[16, :n]
        for i in range(value.size):
            value[i], g0[i], g1[i], g2[i], g3[i] = kernel(
                mode, a0[i], a1[i], a2[i], a3[i], a4[i], a5[i], b0[i], b1[i], b2[i], b3[i], b4[i], b5[i], params
            )

    return block


def drive(unit: bool, stamp: str) -> Callable[..., Any]:
    def blocks(kernel, x, t, params, weights, upstream, divisor, value, grad, sums, flags, first, last):  # type: ignore[no-untyped-def]
        stamp  # noqa: B018
        n = x.shape[0]
        columns, lanes = np.empty((17, PAIRS), x.dtype), np.empty((2, LANES), x.dtype)
        one = type(divisor)(1)
        centred = params[7] != type(divisor)(0)
        for b in range(first, last):
            lo, hi = b * PAIRS, min(n, (b + 1) * PAIRS)
            count = hi - lo
            flags[b] = turn(x[lo:hi], columns[0:6], centred) | turn(t[lo:hi], columns[6:12], centred)
            vs = value[lo:hi] if value.size else columns[12, :count]
            call_at(kernel, (columns, params, vs, count))
            ws = weights[lo:hi] if weights.size else weights
            if value.size or sums.size:
                finish(vs, ws, weights[:0], divisor if value.size else one)
            if grad.size:
                us = upstream[lo:hi] if upstream.size else upstream
                for j in range(13, 17):
                    finish(columns[j, :count], ws, us, divisor)
                g0, g1, g2, g3 = columns[13, :count], columns[14, :count], columns[15, :count], columns[16, :count]
                out = grad[lo:hi].reshape(-1)
                for i in range(count):
                    out[4 * i], out[4 * i + 1], out[4 * i + 2], out[4 * i + 3] = g0[i], g1[i], g2[i], g3[i]
            if sums.size:
                sums[b, 0], sums[b, 1] = fixed_sum(vs, lanes)

    return blocks

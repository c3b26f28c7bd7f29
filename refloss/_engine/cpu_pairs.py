"""The CPU loop of box losses: pairs of boxes, turned from rows of four into columns so that the vector units see unit stride."""

from collections.abc import Callable
from typing import Any

import numpy as np

from .blocks import LANES, finish, fixed_sum
from .scalar import portable

PAIRS = 512  # 13 columns of 512 float32 stay in a 32 KiB cache


@portable
def turn(boxes: Any, columns: Any) -> Any:
    """Rows (n, 4) into columns."""
    for j in range(4):
        column = columns[j]
        for i in range(boxes.shape[0]):
            column[i] = boxes[i, j]


@portable
def reversed_corners(columns: Any, n: int) -> Any:
    wrong = 0
    x1, y1, x2, y2 = columns[0, :n], columns[1, :n], columns[2, :n], columns[3, :n]
    for i in range(n):
        wrong |= (x2[i] < x1[i]) | (y2[i] < y1[i])
    return wrong


@portable
def negative_sizes(columns: Any, n: int) -> Any:
    wrong = 0
    w, h = columns[2, :n], columns[3, :n]
    for i in range(n):
        wrong |= (w[i] < 0) | (h[i] < 0)
    return wrong


def box_pairs(kernel: Callable[..., Any], mode: int, unit: bool, stamp: str) -> Callable[..., Any]:
    """kernel(mode, x1, y1, x2, y2, their targets', params) -> value and four derivatives. Bit 0 of mode: boxes are cxcywh."""

    def run(x, t, params, weights, upstream, divisor, value, grad, sums, flags, first, last):  # type: ignore[no-untyped-def]
        stamp  # noqa: B018
        n = x.shape[0]
        columns, lanes = np.empty((13, PAIRS), x.dtype), np.empty((2, LANES), x.dtype)
        one = type(divisor)(1)
        for b in range(first, last):
            lo, hi = b * PAIRS, min(n, (b + 1) * PAIRS)
            count = hi - lo
            turn(x[lo:hi], columns[0:4])
            turn(t[lo:hi], columns[4:8])
            if mode & 1:
                flags[b] = negative_sizes(columns[0:4], count) | negative_sizes(columns[4:8], count)
            else:
                flags[b] = reversed_corners(columns[0:4], count) | reversed_corners(columns[4:8], count)
            a0, a1, a2, a3 = columns[0, :count], columns[1, :count], columns[2, :count], columns[3, :count]
            b0, b1, b2, b3 = columns[4, :count], columns[5, :count], columns[6, :count], columns[7, :count]
            g0, g1, g2, g3 = columns[8, :count], columns[9, :count], columns[10, :count], columns[11, :count]
            vs = value[lo:hi] if value.size else columns[12, :count]
            for i in range(count):
                vs[i], g0[i], g1[i], g2[i], g3[i] = kernel(mode, a0[i], a1[i], a2[i], a3[i], b0[i], b1[i], b2[i], b3[i], params)
            ws = weights[lo:hi] if weights.size else weights
            if value.size or sums.size:
                finish(vs, ws, weights[:0], divisor if value.size else one)
            if sums.size:
                sums[b, 0], sums[b, 1] = fixed_sum(vs, lanes)
            if grad.size:
                us = upstream[lo:hi] if upstream.size else upstream
                for j in range(4):
                    finish(columns[8 + j, :count], ws, us, divisor)
                    column, out = columns[8 + j], grad[lo:hi]
                    for i in range(count):
                        out[i, j] = column[i]

    return run

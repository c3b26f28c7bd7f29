"""The CPU loop of box losses: pairs of boxes, rows of four numbers, which the loop around the kernel turns into vectors as it goes.

Turning them into columns first, checking these, and turning the gradient back took 34 ns of 88 for 16 pairs; what this one loop
spends on it is hidden behind divisions. Boxes come as corners or as centre and size, and each has a loop of its own: where the
choice was made in the loop, it was made sixteen times. Kernels see corners *and* sizes.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from .addresses import call_at
from .blocks import BLOCK, LANES, divide, finish, fixed_sum
from .scalar import bits, portable, rounded

PAIRS = BLOCK // 4  # summed up together; half of a sum of 256 was folding
CENTRED = 64  # added to a kernel's mode: boxes are centre and size, not corners


@portable
def rows_in_block(four: Any) -> Any:
    return PAIRS


@portable
def corners(centred: Any, a: Any, b: Any, c: Any, d: Any) -> Any:
    """x1, y1, x2, y2, w, h of a box."""
    T = type(a)
    half_w, half_h = rounded(T(0.5), c), rounded(T(0.5), d)  # c + (a - a): a NaN in the centre must reach the areas
    return (a - half_w, b - half_h, a + half_w, b + half_h, c + (a - a), d + (b - b)) if centred else (a, b, c, d, c - a, d - b)


@portable
def reversed_box(boxes: Any, centred: Any) -> Any:
    """1 if one of the boxes has a negative size."""
    T = type(boxes[0])
    wrong = 0
    for i in range(0, boxes.size, 4):
        _, _, _, _, w, h = corners(centred, boxes[i], boxes[i + 1], boxes[i + 2], boxes[i + 3])
        wrong |= (w < T(0)) | (h < T(0))
    return wrong


def signature(types: Any, scalar: Any, line: Any, params: Any) -> Any:
    return types.void(line, line, params, line, line, types.Array(types.uint8, 1, "C"))


def hot(kernel: Callable[..., Any], mode: int, stamp: str) -> Callable[..., Any]:
    """kernel(mode, x1, y1, x2, y2, w, h, the same of the target, params) -> value and the derivatives by the box's four numbers.

    `suspect` is set where a size may be negative: by its sign bit, which -0 and NaN may have too.
    """
    centred, mode = mode >= CENTRED, mode % CENTRED

    def block(x, t, params, value, grad, suspect):  # type: ignore[no-untyped-def]
        stamp  # noqa: B018
        T = type(params[0])
        numbers = (*params[:7], T(centred))
        sign = bits(T(0))
        for i in range(value.size):
            x1, y1, x2, y2, w, h = corners(centred, x[4 * i], x[4 * i + 1], x[4 * i + 2], x[4 * i + 3])
            u1, v1, u2, v2, tw, th = corners(centred, t[4 * i], t[4 * i + 1], t[4 * i + 2], t[4 * i + 3])
            sign = min(sign, bits(w), bits(h), bits(tw), bits(th))
            value[i], grad[4 * i], grad[4 * i + 1], grad[4 * i + 2], grad[4 * i + 3] = kernel(
                mode, x1, y1, x2, y2, w, h, u1, v1, u2, v2, tw, th, numbers
            )
        suspect[0] = sign < 0

    return block


@portable
def multiply_rows(rows: Any, factors: Any) -> None:
    for i in range(factors.size):
        for j in range(4 * i, 4 * i + 4):
            rows[j] = rows[j] * factors[i]


def drive(stamp: str) -> Callable[..., Any]:
    def blocks(kernel, x, t, params, weights, upstream, divisor, value, grad, sums, flags, first, last):  # type: ignore[no-untyped-def]
        stamp  # noqa: B018
        n = x.shape[0]
        lanes = np.empty((2, LANES), x.dtype)
        values, slopes = np.empty(PAIRS, x.dtype), np.empty(0 if grad.size else 4 * PAIRS, x.dtype)
        one = type(divisor)(1)
        centred = params[7] != type(divisor)(0)
        for b in range(first, last):
            lo, hi = b * PAIRS, min(n, (b + 1) * PAIRS)
            xs, ts = x[lo:hi].reshape(-1), t[lo:hi].reshape(-1)
            vs = value[lo:hi] if value.size else values[: hi - lo]
            gs = grad[lo:hi].reshape(-1) if grad.size else slopes[: 4 * (hi - lo)]
            call_at(kernel, (xs, ts, params, vs, gs, flags[b : b + 1]))
            if flags[b]:
                flags[b] = reversed_box(xs, centred) | reversed_box(ts, centred)
            ws = weights[lo:hi] if weights.size else weights
            if value.size or sums.size:
                finish(vs, ws, weights[:0], divisor if value.size else one)
            if grad.size:
                if weights.size:
                    multiply_rows(gs, ws)
                if upstream.size:
                    multiply_rows(gs, upstream[lo:hi])
                if divisor != one:
                    divide(gs, divisor)
            if sums.size:
                sums[b, 0], sums[b, 1] = fixed_sum(vs, lanes)

    return blocks

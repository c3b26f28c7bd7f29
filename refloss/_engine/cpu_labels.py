"""The CPU loop of sigmoid losses with integer labels: every logit as a negative, in bulk; then the few that a label makes
positive. There is no one-hot array, and targets are not read."""

from collections.abc import Callable
from typing import Any

import numpy as np

from .addresses import call_at
from .bernoulli import HARD
from .blocks import BLOCK, LANES, PIECE, exponentials, finish, fixed_sum
from .check import IGNORE
from .scalar import AFTER_EXP, portable


@portable
def rows_in_block(classes: Any) -> Any:
    return max(1, BLOCK // classes)


def signature(types: Any, scalar: Any, line: Any, params: Any) -> Any:
    return types.void(line, types.Array(types.int64, 1, "C"), types.int64, params, line, line)


def hot(kernel: Callable[..., Any], mode: int, stamp: str) -> Callable[..., Any]:
    rest = AFTER_EXP[kernel]

    def block(x, labels, classes, params, value, grad):  # type: ignore[no-untyped-def]
        stamp  # noqa: B018
        zero, one = type(params[0])(0), type(params[0])(1)
        work = np.empty((2, PIECE), x.dtype)
        for start in range(0, x.size, PIECE):
            xs, vs, gs = x[start : start + PIECE], value[start : start + PIECE], grad[start : start + PIECE]
            exponentials(mode, xs, work)
            e, e_lo = work[0], work[1]
            for i in range(xs.size):
                vs[i], gs[i] = rest(mode + HARD, xs[i], e[i], e_lo[i], zero, params)
        for r in range(labels.size):
            c = labels[r]
            if c >= 0 and c < classes:
                i = r * classes + c
                value[i], grad[i] = kernel(mode + HARD, x[i], one, params)
            elif c == IGNORE:
                value[r * classes : (r + 1) * classes] = zero
                grad[r * classes : (r + 1) * classes] = zero

    return block


def drive(stamp: str) -> Callable[..., Any]:
    def blocks(kernel, x, labels, params, weights, upstream, divisor, value, grad, sums, flags, first, last):  # type: ignore[no-untyped-def]
        stamp  # noqa: B018
        n, classes = x.shape
        rows = rows_in_block(classes)
        flat, flat_grad = x.reshape(-1), grad.reshape(-1)
        scratch, lanes = np.empty((2, rows * classes), x.dtype), np.empty((2, LANES), x.dtype)
        one = type(divisor)(1)
        for b in range(first, last):
            lo, hi = b * rows * classes, min(n, (b + 1) * rows) * classes
            vs = value[lo:hi] if value.size else scratch[0, : hi - lo]
            gs = flat_grad[lo:hi] if grad.size else scratch[1, : hi - lo]
            call_at(kernel, (flat[lo:hi], labels[b * rows : (b + 1) * rows], classes, params, vs, gs))
            ws = weights[lo:hi] if weights.size else weights
            us = upstream[lo:hi] if upstream.size else upstream
            if value.size or sums.size:
                finish(vs, ws, weights[:0], divisor if value.size else one)
            if grad.size:
                finish(gs, ws, us, divisor)
            if sums.size:
                sums[b, 0], sums[b, 1] = fixed_sum(vs, lanes)

    return blocks

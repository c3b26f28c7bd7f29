"""The CPU loop of softmax losses: rows of logits, turned so that the vector units run across rows, whatever the classes."""

from collections.abc import Callable
from typing import Any

import numpy as np

from .blocks import BLOCK, LANES, finish, fixed_sum
from .check import IGNORE
from .scalar import exp_of_minus


def rows_in_block(classes: int) -> int:
    """At least 64, so that the vector units stay full; at most what keeps the scratch in the cache."""
    return max(64, BLOCK // classes)


def softmax_rows(kernel: Callable[..., Any], mode: int, unit: bool, stamp: str) -> Callable[..., Any]:
    """kernel(mode, gap, e, others, others_lo, params) -> value, pull, push, for one row.

    gap: how far the label's logit lies below the largest; e: exp(-gap); others: the sum of exp(logit - largest) over the
    other classes. The gradient is -pull at the label and push * exp(logit - largest) elsewhere.
    """

    def run(x, labels, params, weights, upstream, divisor, value, grad, sums, flags, first, last):  # type: ignore[no-untyped-def]
        stamp  # noqa: B018
        n, classes = x.shape
        rows = rows_in_block(classes)
        turned, lanes = np.empty((classes, rows), x.dtype), np.empty((2, LANES), x.dtype)
        work = np.empty((7, rows), x.dtype)
        scratch = np.empty(rows, x.dtype)
        zero, one = type(divisor)(0), type(divisor)(1)
        for b in range(first, last):
            lo, hi = b * rows, min(n, (b + 1) * rows)
            count = hi - lo
            xs, cs = x[lo:hi], labels[lo:hi]
            largest, gap, e, others, others_lo, pull, push = (
                work[0, :count], work[1, :count], work[2, :count], work[3, :count], work[4, :count], work[5, :count], work[6, :count],
            )  # fmt: skip
            for r in range(count):
                for c in range(classes):
                    turned[c, r] = xs[r, c]
            largest[:] = turned[0, :count]
            for c in range(1, classes):
                column = turned[c, :count]
                for r in range(count):
                    largest[r] = column[r] if column[r] > largest[r] else largest[r]
            gap[:], e[:], others[:], others_lo[:] = zero, one, zero, zero
            for c in range(classes):
                column = turned[c, :count]
                for r in range(count):
                    below = largest[r] - column[r]
                    top, bottom = exp_of_minus(below, zero)
                    at_label = cs[r] == c
                    gap[r] = below if at_label else gap[r]
                    e[r] = top if at_label else e[r]
                    add = zero if at_label else top
                    s = others[r] + add
                    z = s - others[r]
                    others_lo[r] += ((others[r] - (s - z)) + (add - z)) + (zero if at_label else bottom)
                    others[r] = s
                    column[r] = top
            vs = value[lo:hi] if value.size else scratch[:count]
            for r in range(count):
                vs[r], pull[r], push[r] = kernel(mode, gap[r], e[r], others[r], others_lo[r], params)
            for r in range(count):
                vs[r] = zero if cs[r] == IGNORE else vs[r]
            ws = weights[lo:hi] if weights.size else weights
            if value.size or sums.size:
                finish(vs, ws, weights[:0], divisor if value.size else one)
            if sums.size:
                sums[b, 0], sums[b, 1] = fixed_sum(vs, lanes)
            if grad.size:
                us = upstream[lo:hi] if upstream.size else upstream
                finish(pull, ws, us, divisor)
                finish(push, ws, us, divisor)
                for r in range(count):
                    row = grad[lo + r]
                    for c in range(classes):
                        row[c] = push[r] * turned[c, r]
                    if cs[r] == IGNORE:
                        row[:] = zero
                    elif cs[r] >= 0 and cs[r] < classes:
                        row[cs[r]] = -pull[r]

    return run

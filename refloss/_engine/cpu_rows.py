"""The CPU loop of softmax losses: rows of logits, turned so that the vector units run across rows, whatever the classes."""

from collections.abc import Callable
from typing import Any

import numpy as np

from .addresses import call_at
from .blocks import BLOCK, LANES, finish, fixed_sum
from .check import IGNORE
from .scalar import exp_of_minus, portable


@portable
def rows_in_block(classes: Any) -> Any:
    """At least 64, so that the vector units stay full; at most what keeps the scratch in the cache."""
    return max(64, BLOCK // classes)


@portable
def shares(column: Any, here: Any, largest: Any, gap: Any, gap_lo: Any, e: Any, others: Any, others_lo: Any) -> Any:
    """One class of all rows: exp(logit - largest) replaces the logit, and is added to `others` unless it is `here` (the label's)."""
    T = type(column[0])
    zero = T(0)
    for r in range(column.size):
        below = largest[r] - column[r]
        z = below - largest[r]
        # What the subtraction lost: exp would multiply it by |logit|. Of an infinite difference nothing is lost.
        below_lo = (largest[r] - (below - z)) - (column[r] + z) if below < T(1e30) else zero
        top, bottom = exp_of_minus(below, below_lo)
        at_label = here[r]
        gap[r] = below if at_label else gap[r]
        gap_lo[r] = below_lo if at_label else gap_lo[r]
        e[r] = top if at_label else e[r]
        add = zero if at_label else top
        s = others[r] + add
        z = s - others[r]
        others_lo[r] += ((others[r] - (s - z)) + (add - z)) + (zero if at_label else bottom)
        others[r] = s
        column[r] = top


def signature(types: Any, scalar: Any, line: Any, params: Any) -> Any:
    return types.void(types.Array(types.int64, 1, "C"), types.Array(scalar, 2, "C"), params, line, types.int64)


def hot(kernel: Callable[..., Any], mode: int, stamp: str) -> Callable[..., Any]:
    """kernel(mode, label, gap, gap_lo, e, others, others_lo, params) -> value, pull, push, for one row.

    gap: how far the label's logit lies below the largest, in two words; e: exp(-gap); others: the sum of exp(logit - largest)
    over the other classes. The gradient is -pull at the label and push * exp(logit - largest) elsewhere.
    """

    def block(labels, work, params, value, count):  # type: ignore[no-untyped-def]
        stamp  # noqa: B018
        gap, gap_lo, e = work[1, :count], work[2, :count], work[3, :count]
        others, others_lo, pull, push = work[4, :count], work[5, :count], work[6, :count], work[7, :count]
        for r in range(labels.size):
            value[r], pull[r], push[r] = kernel(mode, labels[r], gap[r], gap_lo[r], e[r], others[r], others_lo[r], params)

    return block


def drive(stamp: str) -> Callable[..., Any]:
    def blocks(kernel, x, labels, params, weights, upstream, divisor, value, grad, sums, flags, first, last):  # type: ignore[no-untyped-def]
        stamp  # noqa: B018
        n, classes = x.shape
        rows = rows_in_block(classes)
        turned, lanes = np.empty((classes, rows), x.dtype), np.empty((2, LANES), x.dtype)
        work, scratch, here = np.empty((8, rows), x.dtype), np.empty(rows, x.dtype), np.empty(rows, np.uint8)
        zero, one = type(divisor)(0), type(divisor)(1)
        for b in range(first, last):
            lo, hi = b * rows, min(n, (b + 1) * rows)
            count = hi - lo
            xs, cs = x[lo:hi], labels[lo:hi]
            for r in range(count):
                for c in range(classes):
                    turned[c, r] = xs[r, c]
            largest = work[0, :count]
            for r in range(count):
                largest[r] = turned[0, r]
            for c in range(1, classes):
                column = turned[c, :count]
                for r in range(count):
                    largest[r] = column[r] if column[r] > largest[r] else largest[r]
            work[1:6, :count] = zero
            work[3, :count] = one
            for c in range(classes):
                for r in range(count):
                    here[r] = cs[r] == c
                shares(
                    turned[c, :count], here[:count], largest, work[1, :count], work[2, :count], work[3, :count],
                    work[4, :count], work[5, :count],
                )  # fmt: skip
            vs = value[lo:hi] if value.size else scratch[:count]
            call_at(kernel, (cs, work, params, vs, count))
            for r in range(count):
                vs[r] = zero if cs[r] == IGNORE else vs[r]
            ws = weights[lo:hi] if weights.size else weights
            if value.size or sums.size:
                finish(vs, ws, weights[:0], divisor if value.size else one)
            if sums.size:
                sums[b, 0], sums[b, 1] = fixed_sum(vs, lanes)
            if grad.size:
                us = upstream[lo:hi] if upstream.size else upstream
                pull, push = work[6, :count], work[7, :count]
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

    return blocks

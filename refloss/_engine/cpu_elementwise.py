"""The CPU loop of losses of a prediction and a target of the same shape. kernel(mode, x, t, params) -> value, gradient."""

from collections.abc import Callable
from typing import Any

import numpy as np

from .addresses import call_at
from .bernoulli import GENERIC, HARD, odds
from .blocks import BLOCK, LANES, PIECE, STRIP, coming, far_exponentials, finish, fixed_sum
from .scalar import AFTER_EXP, bits, near, portable


def signature(types: Any, scalar: Any, line: Any, params: Any) -> Any:
    return types.void(types.Array(types.uint8, 1, "C"), line, line, params, line, line)


def hot(kernel: Callable[..., Any], mode: int, stamp: str) -> Callable[..., Any]:
    """A block; sigmoid losses set flag[0] where a target lies outside [0, 1]."""
    if kernel in AFTER_EXP:
        return _in_two(AFTER_EXP[kernel], mode, stamp)

    def block(flag, x, t, params, value, grad):  # type: ignore[no-untyped-def]
        stamp  # noqa: B018  a closure variable: see source_digest
        for i in range(x.size):
            value[i], grad[i] = kernel(mode, x[i], t[i], params)

    return block


def _in_two(rest: Callable[..., Any], mode: int, stamp: str) -> Callable[..., Any]:
    power = mode in (2, GENERIC)  # of a focal loss; the others have nothing to save on hard targets

    def block(flag, x, t, params, value, grad):  # type: ignore[no-untyped-def]
        stamp  # noqa: B018
        work = np.empty((2, PIECE), x.dtype)
        for start in range(0, x.size, PIECE):
            xs, ts, vs, gs = x[start : start + PIECE], t[start : start + PIECE], value[start : start + PIECE], grad[start : start + PIECE]
            soft, wrong = first_pass(mode, xs, ts, work)
            flag[0] |= wrong
            for low in range(0, xs.size, STRIP):
                high = low + STRIP
                coming(x, t, grad, start + PIECE + low)
                a, b, c, d, e, e_lo = xs[low:high], ts[low:high], vs[low:high], gs[low:high], work[0, low:high], work[1, low:high]
                if power and not soft:  # saves a division and a dozen other steps: the same bits
                    for i in range(a.size):
                        c[i], d[i] = rest(mode + HARD, a[i], e[i], e_lo[i], b[i], params)
                else:
                    for i in range(a.size):
                        c[i], d[i] = rest(mode, a[i], e[i], e_lo[i], b[i], params)

    return block


@portable
def first_pass(mode: Any, x: Any, t: Any, work: Any) -> Any:
    """The exponentials of x; and is one of the targets neither 0 nor 1, and is one outside [0, 1]?

    In one loop, as reading t by itself would wait for the memory. t (t - 1) is 0 at both ends, and nowhere else.
    """
    one = type(x[0])(1)
    e, e_lo = work[0], work[1]
    far = between = bits(one - one)
    for i in range(x.size):
        e[i], e_lo[i] = odds(mode, True, x[i])
        far = max(far, bits(abs(x[i])))
        between = type(far)(between | bits(abs(t[i] * (t[i] - one))))
    if far > bits(near(one)):
        far_exponentials(mode, x, work)
    return between != 0, between != 0 and outside(t)


@portable
def outside(t: Any) -> Any:
    """Is one of the targets outside [0, 1]? t (t - 1) is positive there; NaN's bits lie beyond infinity's."""
    one = type(t[0])(1)
    size = signed = bits(one - one)
    for i in range(t.size):
        y = t[i] * (t[i] - one)
        size = max(size, bits(abs(y)))
        signed = max(signed, bits(y))
    return signed > 0 or size > bits(one / (one - one))


def drive(stamp: str) -> Callable[..., Any]:
    def blocks(kernel, x, t, params, weights, upstream, divisor, value, grad, sums, flags, first, last):  # type: ignore[no-untyped-def]
        stamp  # noqa: B018
        scratch, lanes = np.empty((2, BLOCK), x.dtype), np.empty((2, LANES), x.dtype)
        one = type(divisor)(1)
        for b in range(first, last):
            lo, hi = b * BLOCK, min(x.size, (b + 1) * BLOCK)
            xs, ts = x[lo:hi], t[lo:hi]
            vs = value[lo:hi] if value.size else scratch[0, : hi - lo]
            gs = grad[lo:hi] if grad.size else scratch[1, : hi - lo]
            call_at(kernel, (flags[b : b + 1], xs, ts, params, vs, gs))
            ws = weights[lo:hi] if weights.size else weights
            us = upstream[lo:hi] if upstream.size else upstream
            if value.size or sums.size:
                finish(vs, ws, weights[:0], divisor if value.size else one)
            if grad.size:
                finish(gs, ws, us, divisor)
            if sums.size:
                sums[b, 0], sums[b, 1] = fixed_sum(vs, lanes)

    return blocks

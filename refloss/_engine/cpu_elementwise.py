"""The CPU loop of losses of a prediction and a target of the same shape. kernel(mode, x, t, params) -> value, gradient."""

from collections.abc import Callable
from typing import Any

import numpy as np

from .bernoulli import GENERIC, HARD
from .blocks import BLOCK, LANES, finish, fixed_sum
from .compile import call_at


def signature(types: Any, scalar: Any, line: Any, params: Any) -> Any:
    return types.void(line, line, params, line, line)


def hot(kernel: Callable[..., Any], mode: int, stamp: str) -> Callable[..., Any]:
    power = mode in (2, GENERIC)  # of a focal loss; the others have nothing to save

    def block(x, t, params, value, grad):  # type: ignore[no-untyped-def]
        stamp  # noqa: B018  a closure variable: see source_digest
        soft = 0
        if power:
            for i in range(t.size):
                soft |= (t[i] != 0) & (t[i] != 1)
        if power and not soft:  # saves one division of three: the same bits, 6 % sooner
            for i in range(x.size):
                value[i], grad[i] = kernel(mode + HARD, x[i], t[i], params)
        else:
            for i in range(x.size):
                value[i], grad[i] = kernel(mode, x[i], t[i], params)

    return block


def drive(unit: bool, stamp: str) -> Callable[..., Any]:
    def blocks(kernel, x, t, params, weights, upstream, divisor, value, grad, sums, flags, first, last):  # type: ignore[no-untyped-def]
        stamp  # noqa: B018
        scratch, lanes = np.empty((2, BLOCK), x.dtype), np.empty((2, LANES), x.dtype)
        one = type(divisor)(1)
        for b in range(first, last):
            lo, hi = b * BLOCK, min(x.size, (b + 1) * BLOCK)
            xs, ts = x[lo:hi], t[lo:hi]
            vs = value[lo:hi] if value.size else scratch[0, : hi - lo]
            gs = grad[lo:hi] if grad.size else scratch[1, : hi - lo]
            call_at(kernel, (xs, ts, params, vs, gs))
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

    return blocks

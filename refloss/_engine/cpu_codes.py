"""The CPU loop of box coders: rows of four and their priors, turned into columns so that the vector units see unit stride.

Priors are shared by what lies in front of them: row i has prior i % (number of priors). The results overwrite the columns that they
are made from: LLVM vectorises only where it can tell columns apart with fewer than 128 comparisons at run time.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from .addresses import call_at
from .scalar import portable

ROWS = 256  # 13 columns of 256 stay in a 32 KiB cache
PARAMS = 12  # numbers that kernels take; the last is the eps of the caller's dtype, of which the corners are rounded numbers


@portable
def rows_in_block(four: Any) -> Any:
    return ROWS


@portable
def four_columns(rows: Any, columns: Any) -> None:
    n = rows.shape[0]
    flat = rows.reshape(-1)  # constant strides in one loop: LLVM then loads whole vectors and shuffles them
    a, b, c, d = columns[0, :n], columns[1, :n], columns[2, :n], columns[3, :n]
    for i in range(n):
        a[i], b[i], c[i], d[i] = flat[4 * i], flat[4 * i + 1], flat[4 * i + 2], flat[4 * i + 3]


@portable
def four_rows(columns: Any, rows: Any) -> None:
    n = rows.shape[0]
    flat = rows.reshape(-1)
    a, b, c, d = columns[0, :n], columns[1, :n], columns[2, :n], columns[3, :n]
    for i in range(n):
        flat[4 * i], flat[4 * i + 1], flat[4 * i + 2], flat[4 * i + 3] = a[i], b[i], c[i], d[i]


@portable
def prior_columns(priors: Any, columns: Any, start: Any, count: Any) -> None:
    """`count` rows of priors from row `start` on, and from row 0 again after the last."""
    m, size = priors.shape
    filled = 0
    while filled < count:
        step = min(count - filled, m - start)
        flat = priors[start : start + step].reshape(-1)
        for j in range(size):
            out = columns[j, filled : filled + step]
            if size == 4:
                for i in range(step):
                    out[i] = flat[4 * i + j]
            elif size == 5:
                for i in range(step):
                    out[i] = flat[5 * i + j]
            else:
                for i in range(step):
                    out[i] = flat[3 * i + j]
        filled += step
        start = 0


@portable
def any_nan(columns: Any, count: Any) -> Any:
    wrong = 0
    for j in range(4):
        column = columns[j, :count]
        for i in range(count):
            wrong |= column[i] != column[i]
    return wrong


def signature(types: Any, scalar: Any, line: Any, params: Any) -> Any:
    return types.void(types.Array(scalar, 2, "C"), types.UniTuple(scalar, PARAMS), types.int64)


def hot(kernel: Callable[..., Any], mode: int, stamp: str) -> Callable[..., Any]:
    """kernel(mode, four numbers, five of the prior, four of the upstream, params) -> four numbers, and four of the gradient."""

    def block(columns, params, n):  # type: ignore[no-untyped-def]
        stamp  # noqa: B018
        a0, a1, a2, a3 = columns[0, :n], columns[1, :n], columns[2, :n], columns[3, :n]
        p0, p1, p2, p3, p4 = columns[4, :n], columns[5, :n], columns[6, :n], columns[7, :n], columns[8, :n]
        u0, u1, u2, u3 = columns[9, :n], columns[10, :n], columns[11, :n], columns[12, :n]
        for i in range(a0.size):
            a0[i], a1[i], a2[i], a3[i], u0[i], u1[i], u2[i], u3[i] = kernel(
                mode, a0[i], a1[i], a2[i], a3[i], p0[i], p1[i], p2[i], p3[i], p4[i], u0[i], u1[i], u2[i], u3[i], params
            )

    return block


def drive(stamp: str) -> Callable[..., Any]:
    def blocks(kernel, x, priors, params, upstream, value, grad, flags, first, last):  # type: ignore[no-untyped-def]
        stamp  # noqa: B018
        n = x.shape[0]
        columns = np.zeros((13, ROWS), x.dtype)
        for b in range(first, last):
            lo, hi = b * ROWS, min(n, (b + 1) * ROWS)
            count = hi - lo
            four_columns(x[lo:hi], columns[0:4])
            prior_columns(priors, columns[4:9], lo % priors.shape[0], count)
            if upstream.shape[0]:
                four_columns(upstream[lo:hi], columns[9:13])
            call_at(kernel, (columns, params, count))
            flags[b] = any_nan(columns[0:4], count)
            if value.shape[0]:
                four_rows(columns[0:4], value[lo:hi])
            if grad.shape[0]:
                four_rows(columns[9:13], grad[lo:hi])

    return blocks

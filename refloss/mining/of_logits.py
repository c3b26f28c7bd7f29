"""SSD's hard negatives from the logits themselves: the exact cross entropy only of the priors that are near the last one chosen.

Mining asks for an order, not for values. With d_c = x_c - x_background a prior's cross entropy is log(1 + S), S = sum of exp(d_c) over the
other classes, so S orders alike, and one pass in float32 that rounds as it likes gives S to a few parts in 10^5. Only where it leaves
open who is chosen the losses themselves are asked, and the answer is theirs, equal losses included.
"""

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from .._engine import check
from .._engine.compile import jit, read, source_digest, written
from .._engine.fma import fma
from .._engine.record import Array
from .._engine.scalar import portable
from .._engine.threads import over_blocks
from ..boxes.ranking import top
from ..losses import softmax_cross_entropy_with_integer_labels as cross_entropy
from .hard import hard_negatives

ROWS = 16  # of a block: with 91 classes it takes 6 KiB of a 32 KiB cache
# d is rounded once (5e-6 of exp at |d| = 88), exp good to 2e-6, a sum of C terms to C 1e-8; the losses round too, to 4e-5 of 1 + S.
SLACK, SLACK_A_CLASS = 2e-4, 4e-8
LEAST, MOST = 1e-25, 1e37  # S between them is good: exp(d) is not below exp(-87) = 2e-38, and not above exp(88)


@portable
def about_exp(d: Any) -> Any:
    """exp(d) in float32 to 2e-6 for -87 <= d <= 88, the ends beyond; NaN stays. Taylor's series of the rest after 2^n."""
    F = np.float32
    d = F(-87) if d < F(-87) else d
    d = F(88) if d > F(88) else d
    k = fma(d, F(1.4426950408889634), F(12582912.0))  # n in its last bits
    r = fma(F(12582912.0) - k, F(0.6931471805599453), d)
    p = fma(r, fma(r, fma(r, fma(r, fma(r, F(1 / 120), F(1 / 24)), F(1 / 6)), F(0.5)), F(1)), F(1))
    return p * np.int32((F(k).view(np.int32) << np.int32(23)) + np.int32(0x3F800000)).view(np.float32)


@functools.cache
def _odds(T: Any) -> Callable[..., Any]:
    stamp = source_digest()

    def blocks(logits, background, out, first, last):  # type: ignore[no-untyped-def]
        stamp  # noqa: B018
        n, classes = logits.shape
        work, even = np.empty(ROWS * classes, np.float32), classes - classes % 8
        for b in range(first, last):
            lo, count = b * ROWS, min(n - b * ROWS, ROWS)
            for r in range(count):
                row, line = logits[lo + r], work[r * classes : (r + 1) * classes]
                own = row[background]
                for c in range(classes):
                    line[c] = np.float32(row[c] - own)
                line[background] = np.float32(-np.inf)
            flat = work[: count * classes]
            for i in range(flat.size):  # over the ends of rows, so that the vector units stay full
                flat[i] = about_exp(flat[i])
            for r in range(count):
                line = work[r * classes : (r + 1) * classes]
                s0 = s1 = s2 = s3 = s4 = s5 = s6 = s7 = np.float32(0)
                for c in range(0, even, 8):  # eight sums at a time: one addition would wait for the other
                    s0, s1, s2, s3 = s0 + line[c], s1 + line[c + 1], s2 + line[c + 2], s3 + line[c + 3]
                    s4, s5, s6, s7 = s4 + line[c + 4], s5 + line[c + 5], s6 + line[c + 6], s7 + line[c + 7]
                for c in range(even, classes):
                    s0 += line[c]
                s = ((s0 + s1) + (s2 + s3)) + ((s4 + s5) + (s6 + s7))
                known = s < MOST and abs(logits[lo + r, background]) < np.inf  # NaN is not
                out[lo + r] = s if known else np.inf

    return jit(blocks, f"odds_{T.__name__}", read(T, 2), int, written(np.float32, 1), int, int)


def odds(logits: Array, background: int) -> Array:
    """S of each row (..., classes). Where it is not between LEAST and MOST only that is known; where nothing is known it is infinite:
    of NaN, and of an infinite background."""
    rows = np.ascontiguousarray(logits).reshape(-1, logits.shape[-1])
    T: Any = rows.dtype.type
    out, compiled = np.empty(len(rows), np.float32), _odds(T)
    over_blocks(lambda first, last: compiled(rows, background, out, first, last), -(-len(rows) // ROWS), rows.size)
    return out.reshape(logits.shape[:-1])


def hardest(logits: Array, index: Array, *, background: int, **rule: Any) -> Array:
    """`hard_negatives` of the cross entropy of "background": a mask (images, priors). rule: its arguments.

    logits: (images, priors, classes), float32 or float64. index: (images, priors) truth indices. A NaN counts as infinite.
    """
    rough = odds(logits, background)
    mined = hard_negatives(rough, index, **rule)
    slack = SLACK + SLACK_A_CLASS * logits.shape[-1]
    for i, (out, values, truth) in enumerate(zip(mined, rough, index, strict=True)):
        open_ = truth == check.NEGATIVE
        chosen = out & open_
        least = values[chosen].min(initial=np.inf)
        if least > LEAST and values.max(initial=0) < np.inf:
            open_ &= (values >= least * (1 - slack)) & (values <= least * (1 + slack))
        rows = np.flatnonzero(open_)
        count = int(np.count_nonzero(chosen[rows]))
        if 0 < count < len(rows):
            losses = cross_entropy(logits[i, rows], np.full(len(rows), background))
            out[rows] = top(np.where(np.isnan(losses), np.inf, losses), count)
    return mined

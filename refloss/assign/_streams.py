"""Boxes against truths in one pass, in linear memory: the IoU of a pair is used where it is made, and there is no matrix.

Boxes go by in blocks of columns that stay in a 32 KiB cache, several blocks to a chunk. A truth that does not meet the hull of a
block costs nothing there. Each chunk leaves the largest IoU of each truth: with at most CHUNKS of them that is little memory,
and who looks for the boxes of a truth later visits one chunk in place of all.
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from .._engine.compile import jit, read, source_digest, written
from .._engine.overlap import EMPTY, meeting
from .._engine.record import Array
from .._engine.scalar import BITS, bits, portable, rounded
from .._engine.threads import over_blocks

BLOCK = 256  # boxes; with index and IoU, 15 KiB in float64
CHUNKS = 256


@portable
def overlap(x1: Any, y1: Any, x2: Any, y2: Any, area: Any, u1: Any, v1: Any, u2: Any, v2: Any, target_area: Any) -> Any:
    """IoU in plain IEEE steps; 0 where the union is empty, or not a number because an area overflowed. Never above 1."""
    T = type(x1)
    meet = rounded(meeting(x1, x2, u1, u2), meeting(y1, y2, v1, v2))
    union = (area + target_area) - meet
    return meet / union if union >= T(EMPTY) else T(0)


@portable
def improve(columns: Any, best: Any, index: Any, u1: Any, v1: Any, u2: Any, v2: Any, target_area: Any, j: Any) -> Any:
    """Offer truth j to a block; answers the bits of the largest IoU. Equal IoUs stay with the earlier truth."""
    x1, y1, x2, y2, area = columns[0], columns[1], columns[2], columns[3], columns[4]
    top = bits(type(u1)(0))  # numbers >= 0 order as these integers, whose maximum vectorises without fast-math
    for i in range(best.size):
        iou = overlap(x1[i], y1[i], x2[i], y2[i], area[i], u1, v1, u2, v2, target_area)
        old, whose = best[i], index[i]  # read here, not in the selects: a load in a branch makes LLVM's alias check fail, always
        better = iou > old
        best[i], index[i] = iou if better else old, j if better else whose
        top = max(top, bits(iou))
    return top


@functools.cache
def _stream(T: Any) -> Callable[..., Any]:
    stamp = source_digest()

    def chunks(boxes, truths, rows, best, index, tops, first, last):  # type: ignore[no-untyped-def]
        stamp  # noqa: B018  a closure variable: see source_digest
        n = boxes.shape[0]
        columns, which = np.empty((5, BLOCK), boxes.dtype), np.empty(BLOCK, np.int32)
        for c in range(first, last):
            for lo in range(c * rows, min(n, (c + 1) * rows), BLOCK):
                four, found, whose = boxes[lo : lo + BLOCK], best[lo : lo + BLOCK], index[lo : lo + BLOCK]
                left, above, right, below = T(np.inf), T(np.inf), T(-np.inf), T(-np.inf)  # the hull; comparisons pass over NaN
                for i in range(found.size):
                    x1, y1, x2, y2 = four[i, 0], four[i, 1], four[i, 2], four[i, 3]
                    columns[0, i], columns[1, i], columns[2, i], columns[3, i] = x1, y1, x2, y2
                    columns[4, i] = rounded(x2 - x1, y2 - y1)
                    which[i] = 0
                    left, above = x1 if x1 < left else left, y1 if y1 < above else above
                    right, below = x2 if x2 > right else right, y2 if y2 > below else below
                for j in range(truths.shape[1]):
                    u1, v1, u2, v2, target_area = truths[0, j], truths[1, j], truths[2, j], truths[3, j], truths[4, j]
                    if u1 < right and u2 > left and v1 < below and v2 > above:
                        tops[c, j] = max(tops[c, j], improve(columns, found, which, u1, v1, u2, v2, target_area, np.int32(j)))
                for i in range(found.size):
                    whose[i] = which[i]

    results = written(T, 1), written(np.int64, 1), written(BITS[T], 2)
    return jit(chunks, f"stream_{T.__name__}", read(T, 2), read(T, 2), int, *results, int, int)


class Stream(NamedTuple):
    """What one pass over the boxes leaves: each box's best truth, and each truth's largest IoU by chunks."""

    boxes: Array  # (n, 4)
    truths: Array  # (5, m): corners and areas, in columns
    rows: int  # boxes in a chunk
    whose: Array  # (n,) int64: the truth of the largest IoU, the earliest of equals; 0 where nothing meets, as argmax says
    iou: Array  # (n,)
    tops: Array  # (chunks, m): the largest IoU of each truth in each chunk


def stream(boxes: Array, gt_boxes: Array) -> Stream:
    """Boxes (n, 4) and truths (m, 4), both checked, C-contiguous and of one dtype, float32 or float64."""
    n, m = len(boxes), len(gt_boxes)
    rows = BLOCK * max(1, -(-n // (BLOCK * CHUNKS)))
    with np.errstate(over="ignore"):
        width, height = (gt_boxes[:, 2:] - gt_boxes[:, :2]).T
        truths = np.stack([*gt_boxes.T, width * height])
    best, index = np.zeros(n, boxes.dtype), np.zeros(n, np.int64)
    tops = np.zeros((-(-n // rows), m), BITS[boxes.dtype.type])
    if n and m:
        compiled = _stream(boxes.dtype.type)
        over_blocks(lambda first, last: compiled(boxes, truths, rows, best, index, tops, first, last), len(tops), n * m)
    return Stream(boxes, truths, rows, index, best, tops.view(boxes.dtype))


def best_truth(boxes: Array, gt_boxes: Array) -> tuple[Array, Array]:
    """(index (n,) int64, IoU (n,)) of the truth that overlaps each box most; the smaller index of equals.

    Where a box meets nothing (and where there are no truths) the index is 0 and the IoU 0. A box with NaN meets nothing.
    boxes (n, 4) and gt_boxes (m, 4) are xyxy, C-contiguous, of one dtype, float32 or float64 (`_check.working`).
    """
    found = stream(boxes, gt_boxes)
    return found.whose, found.iou

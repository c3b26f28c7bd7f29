"""SSD's matching: every truth gets a prior of its own first; then every prior that overlaps a truth enough takes it."""

import functools
from collections.abc import Callable
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from .._engine import check
from .._engine.check import NEGATIVE
from .._engine.compile import jit, read, source_digest, written
from .._engine.record import Array
from .._engine.scalar import portable, rounded
from ._check import boxes, iou_threshold, truths, working
from ._streams import overlap, stream
from .assignment import Assignment, from_index

DIALECTS = ("paper", "caffe", "ssd.pytorch", "torchvision")
CAFFE_FLOOR = 1e-6  # an overlap up to this does not exist


@portable
def best_free(boxes: Any, truths: Any, rows: Any, bounds: Any, taken: Any, floor: Any, j: Any) -> Any:
    """(IoU, prior) of truth j's largest IoU above the floor, at the smallest free prior that attains it; (0, -1) if there is none.

    The pass over the priors has left each truth's largest IoU in each chunk. It bounds what the chunk's free priors attain, so the
    chunk of the largest bound is scanned, its bound lowered, until the bound is attained: mostly one chunk, in place of all.
    """
    u1, v1, u2, v2, target_area = truths[0, j], truths[1, j], truths[2, j], truths[3, j], truths[4, j]
    while True:
        chunk = 0
        for c in range(bounds.shape[1]):
            if bounds[j, c] > bounds[j, chunk]:
                chunk = c
        bound, best = bounds[j, chunk], type(u1)(0)
        if not bound > floor:
            return best, -1
        for i in range(chunk * rows, min(boxes.shape[0], (chunk + 1) * rows)):
            if not taken[i]:
                x1, y1, x2, y2 = boxes[i, 0], boxes[i, 1], boxes[i, 2], boxes[i, 3]
                iou = overlap(x1, y1, x2, y2, rounded(x2 - x1, y2 - y1), u1, v1, u2, v2, target_area)
                if iou == bound:
                    return iou, i
                best = max(best, iou)
        bounds[j, chunk] = best


@functools.cache
def _own(T: Any) -> Callable[..., Any]:
    stamp = source_digest()

    def own(boxes, truths, rows, bounds, floor, shared, index):  # type: ignore[no-untyped-def]
        stamp  # noqa: B018
        m, taken = bounds.shape[0], np.zeros(boxes.shape[0], np.bool_)
        iou, prior = np.empty(m, boxes.dtype), np.empty(m, np.int64)
        for j in range(m):
            iou[j], prior[j] = best_free(boxes, truths, rows, bounds, taken, floor, j)
        if shared:  # each truth takes its best prior, prior 0 if it meets none; of several truths the last one keeps it
            for j in range(m):
                index[max(prior[j], 0)] = j
            return
        while True:  # the largest IoU of all free pairs, again and again
            first = 0
            for j in range(m):
                if iou[j] > iou[first] or (iou[j] == iou[first] and prior[j] < prior[first]):
                    first = j
            gone = prior[first]
            if gone < 0:
                return
            index[gone], taken[gone], iou[first], prior[first] = first, True, 0, -1
            for j in range(m):
                if prior[j] == gone:
                    iou[j], prior[j] = best_free(boxes, truths, rows, bounds, taken, floor, j)

    return jit(own, f"ssd_{T.__name__}", read(T, 2), read(T, 2), int, written(T, 2), T, bool, written(np.int64, 1))


def ssd(
    priors: ArrayLike,
    gt_boxes: ArrayLike,
    *,
    threshold: float = 0.5,
    dialect: Literal["paper", "caffe", "ssd.pytorch", "torchvision"] = "paper",
) -> Assignment:
    """Match truths and priors, each truth to a prior of its own, then match what is left by IoU (Liu et al. 2016, section 2.2).

    1. The free pair (prior, truth) of the largest IoU is matched, while one above 0 is free: pairs are unique, and of equal IoUs
       the smaller prior goes first, then the smaller truth. Truths beyond the number of priors stay without.
    2. Each other prior whose largest IoU is >= threshold takes the truth of it, the smallest of equal ones.
    All other priors are NEGATIVE; none is IGNORE. Which negatives count is for hard-negative mining to say.

    Arguments:
        priors: (n, 4) xyxy boxes in pixels (or all relative to the image), finite, any float dtype.
        gt_boxes: (m, 4), the same; the dtype of the priors, which a list takes. None at all ([]): every prior is NEGATIVE.
        threshold: in (0, 1]; rounded to the dtype of the computation.
        dialect: "caffe" (the authors' code): the same, but an IoU up to 1e-6 does not exist. "ssd.pytorch" and "torchvision",
            which agree: in step 1 each truth takes its best prior, whoever has it. Where two truths share their best prior the
            earlier one is lost, and a truth that meets no prior takes prior 0.

    Computed in float32 or float64 (half precision in float32), with a union below 2^-126 giving IoU 0, so a truth without area
    matches nothing; a sum of areas that overflows the dtype gives 0 too: a float32 box 1e20 wide and high does not match itself.
    Memory beyond inputs and outputs: the IoU of each prior and a flag (and boxes of half precision in float32), no matrix. A truth
    whose prior went to another looks again at few of them. That is the square of the truths that compete for the same priors:
    400 equal ones take 60 ms with the 8732 priors of SSD300, 2000 with 20 000 priors 2 s (one core).

    Raises ReflossError for boxes that are not finite, ordered and of one dtype, a threshold out of range, an unknown dialect.

    >>> priors = [[0.0, 0.0, 10.0, 10.0], [0.0, 0.0, 10.0, 14.0], [50.0, 50.0, 60.0, 60.0]]
    >>> truths = [[0.0, 0.0, 10.0, 10.0], [0.0, 0.0, 10.0, 11.0]]  # both overlap prior 0 most
    >>> ssd(priors, truths).gt_index
    array([ 0,  1, -1])
    >>> ssd(priors, truths, dialect="torchvision").gt_index  # truth 0 is lost
    array([ 1,  1, -1])

    Elsewhere: torchvision's SSDMatcher on CUDA keeps any of the truths that share a prior.
    """
    name = "ssd"
    rows = boxes(name, "priors", priors)
    targets = truths(name, gt_boxes, rows)
    limit = iou_threshold(name, "threshold", threshold)
    check.choice(name, "dialect", dialect, DIALECTS)
    return matched(working(rows), working(targets), limit, dialect)


def matched(rows: Array, targets: Array, limit: float, dialect: str) -> Assignment:
    """`ssd` of boxes that are checked, contiguous and of the computation's dtype: a criterion checks its priors once."""
    if not len(targets) or not len(rows):
        return from_index(np.full(len(rows), NEGATIVE))
    found = stream(rows, targets)
    index, T = found.whose, found.iou.dtype.type
    floor, shared = T(CAFFE_FLOOR if dialect == "caffe" else 0), dialect in ("ssd.pytorch", "torchvision")
    index[(found.iou < T(limit)) | (found.iou <= floor)] = NEGATIVE
    bounds = np.ascontiguousarray(found.tops.T)
    _own(found.boxes.dtype.type)(found.boxes, found.truths, found.rows, bounds, floor, shared, index)
    return from_index(index)

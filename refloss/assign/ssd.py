"""SSD's matching: every truth gets a prior of its own first; then every prior that overlaps a truth enough takes it."""

import functools
import heapq
from collections.abc import Callable
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from .._engine import check
from .._engine.check import NEGATIVE
from .._engine.compile import jit, source_digest
from .._engine.scalar import rounded
from ._check import boxes, iou_threshold, truths, working
from ._streams import Stream, overlap, stream
from .assignment import Assignment, from_index

DIALECTS = ("paper", "caffe", "ssd.pytorch", "torchvision")
CAFFE_FLOOR = 1e-6  # an overlap up to this does not exist


@functools.cache
def _scan(stamp: str) -> Callable[..., Any]:
    def best_of(boxes, truths, j, taken, lo):  # type: ignore[no-untyped-def]
        stamp  # noqa: B018
        u1, v1, u2, v2, target_area = truths[0, j], truths[1, j], truths[2, j], truths[3, j], truths[4, j]
        best, where = type(u1)(0), -1
        for i in range(taken.size):
            if not taken[i]:
                x1, y1, x2, y2 = boxes[i, 0], boxes[i, 1], boxes[i, 2], boxes[i, 3]
                iou = overlap(x1, y1, x2, y2, rounded(x2 - x1, y2 - y1), u1, v1, u2, v2, target_area)
                if iou > best:
                    best, where = iou, lo + i
        return best, where

    return jit(best_of)


class Bests:
    """The best free prior of each truth, found when it is asked for.

    The pass over the priors has left each truth's largest IoU in each chunk. It bounds what the chunk's free priors attain, so
    the chunk of the largest bound is scanned, its bound lowered, until the bound is attained: mostly one chunk, in place of all.
    """

    def __init__(self, found: Stream, floor: float) -> None:
        self.found = found
        self.bounds = np.ascontiguousarray(found.tops.T)
        self.taken = np.zeros(len(found.boxes), np.bool_)
        self.floor = self.bounds.dtype.type(floor)
        self.scan = _scan(source_digest())

    def of(self, truth: int) -> tuple[float, int] | None:
        """(IoU, prior) of the largest IoU above the floor, at the smallest prior that attains it."""
        found, bounds = self.found, self.bounds[truth]
        while True:
            chunk = int(np.argmax(bounds))
            if not bounds[chunk] > self.floor:
                return None
            lo = chunk * found.rows
            hi = lo + found.rows
            iou, prior = self.scan(found.boxes[lo:hi], found.truths, truth, self.taken[lo:hi], lo)
            if iou == bounds[chunk]:
                return float(iou), int(prior)
            bounds[chunk] = iou


def _bipartite(bests: Bests) -> dict[int, int]:
    """{prior: truth} of unique pairs: the largest IoU of all free pairs, again and again."""
    matched: dict[int, int] = {}
    queue: list[tuple[float, int, int]] = []  # (-IoU, prior, truth): the order in which pairs are taken

    def offer(truth: int) -> None:
        best = bests.of(truth)
        if best:
            heapq.heappush(queue, (-best[0], best[1], truth))

    for truth in range(len(bests.bounds)):
        offer(truth)
    while queue:
        _, prior, truth = heapq.heappop(queue)
        if bests.taken[prior]:
            offer(truth)
        else:
            bests.taken[prior] = True
            matched[prior] = truth
    return matched


def _each_truth(bests: Bests) -> dict[int, int]:
    """{prior: truth}: each truth takes its best prior, prior 0 if it meets none; of several truths the last one keeps it."""
    best = [bests.of(truth) for truth in range(len(bests.bounds))]
    return {(found[1] if found else 0): truth for truth, found in enumerate(best)}


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
    matches nothing. Memory beyond inputs and outputs: the IoU of each prior and a flag (and boxes of half precision in
    float32), no matrix; a truth whose prior went to another looks again at few of them.

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
    if not len(targets) or not len(rows):
        return from_index(np.full(len(rows), NEGATIVE))
    found = stream(working(rows), working(targets))
    bests = Bests(found, CAFFE_FLOOR if dialect == "caffe" else 0.0)
    matched = _each_truth(bests) if dialect in ("ssd.pytorch", "torchvision") else _bipartite(bests)
    index = found.whose
    index[(found.iou < found.iou.dtype.type(limit)) | (found.iou <= bests.floor)] = NEGATIVE
    index[list(matched)] = list(matched.values())
    return from_index(index)

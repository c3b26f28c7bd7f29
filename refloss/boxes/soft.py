"""Soft non-maximum suppression: a box that overlaps a better one loses score instead of its place."""

import functools
import math
from collections.abc import Callable
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from .._engine import check
from .._engine.compile import jit, read, source_digest, written
from .._engine.record import Array
from .._engine.scalar import BITS, exp_of_minus, portable, rounded
from ..errors import bad_value
from .detections import at_most, columns, computed_in, detections
from .similarity import pair_iou

Method = Literal["linear", "gaussian"]
METHODS = ("linear", "gaussian")
_GONE = -1  # the score of a box that has been taken or has fallen too low: below every threshold


@portable
def linear(iou: Any, threshold: Any) -> Any:
    T = type(iou)
    return (T(1) - iou) if iou > threshold else T(1)


@portable
def gaussian(iou: Any, sigma: Any) -> Any:
    hi, lo = exp_of_minus(rounded(iou, iou) / sigma, type(iou)(0))
    return hi + lo


@portable
def lowered(score: Any, factor: Any, lowest: Any) -> Any:
    T = type(score)
    new = score * factor  # of a gone box -factor, and factors are in [0, 1]: it stays gone
    return new if new > lowest else T(_GONE)


@portable
def lead(ranks: Any) -> Any:
    """(largest, how many are above 0). Scores as integers: those of positive floats have the same order, and maxima of integers
    fill the vector units, which those of floats, with their NaN, do not."""
    largest, alive = ranks[0], 0
    for i in range(ranks.size):
        rank = ranks[i]
        largest = rank if rank > largest else largest
        alive += 1 if rank > type(rank)(0) else 0
    return largest, alive


@functools.cache
def _kernel(T: Any) -> Callable[..., Any]:
    stamp = source_digest()

    def run(method, boxes, scores, ranks, index, parameter, lowest, taken, taken_scores):  # type: ignore[no-untyped-def]
        stamp  # noqa: B018
        n = scores.size
        for i in range(n):
            scores[i] = scores[i] if scores[i] > lowest else T(_GONE)
        for count in range(taken.size):
            largest, alive = lead(ranks[:n])
            if alive == 0:
                return count
            if 2 * alive < n:  # close the gaps, so that the gone cost nothing more
                m = 0
                for i in range(n):
                    if scores[i] > T(0):
                        boxes[0, m], boxes[1, m], boxes[2, m], boxes[3, m], boxes[4, m] = (
                            boxes[0, i], boxes[1, i], boxes[2, i], boxes[3, i], boxes[4, i],
                        )  # fmt: skip
                        scores[m], index[m] = scores[i], index[i]
                        m += 1
                n = m
            best = 0
            while ranks[best] != largest:  # the first: boxes stay in the order of their indices
                best += 1
            taken[count], taken_scores[count] = index[best], scores[best]
            scores[best] = T(_GONE)
            x1, y1, x2, y2, area = boxes[0, best], boxes[1, best], boxes[2, best], boxes[3, best], boxes[4, best]
            u1, v1, u2, v2, areas, left = boxes[0, :n], boxes[1, :n], boxes[2, :n], boxes[3, :n], boxes[4, :n], scores[:n]
            if method == 0:
                for i in range(left.size):
                    iou = pair_iou(x1, y1, x2, y2, area, u1[i], v1[i], u2[i], v2[i], areas[i])
                    left[i] = lowered(left[i], linear(iou, parameter), lowest)
            else:
                for i in range(left.size):
                    iou = pair_iou(x1, y1, x2, y2, area, u1[i], v1[i], u2[i], v2[i], areas[i])
                    left[i] = lowered(left[i], gaussian(iou, parameter), lowest)
        return taken.size

    ranks, taken = read(BITS[T], 1), written(np.int64, 1)
    return jit(run, f"soft_nms_{T.__name__}", int, written(T, 2), written(T, 1), ranks, taken, T, T, taken, written(T, 1))


def soft_nms(
    boxes: ArrayLike, scores: ArrayLike, *, method: Method = "linear", sigma: float = 0.5, iou_threshold: float = 0.3,
    score_threshold: float = 0.001, max_detections: int | None = None,
) -> tuple[Array, Array]:  # fmt: skip
    """(indices (m,) int64, new scores (m,)) of the boxes that stay, by falling new score: Soft-NMS (Bodla et al. 2017).

    The box M of the largest score is taken, and the scores of all that are left are multiplied by f(IoU with M), again and again:
    "linear" (eq. 2): f = 1 - IoU where IoU > iou_threshold, else 1; "gaussian" (eq. 3): f = exp(-IoU^2 / sigma).

    Arguments:
        boxes: (n, 4) xyxy, finite, in any one unit. float64, float32, float16 or bfloat16.
        scores: (n,) of the boxes' dtype, finite and not negative. Of equal scores the smaller index is taken first.
        method: "linear" or "gaussian".
        sigma: in [1e-6, 1e6], for "gaussian"; the paper's is 0.5.
        iou_threshold: in [0, 1], for "linear", rounded to the dtype; a box *at* the threshold keeps its score. The paper's is 0.3.
        score_threshold: at least 0, rounded to the dtype. A box goes when its score is not above it.
        max_detections: stop when so many are taken.

    Raises ReflossError for any argument outside these. No box in, nothing out.
    Limits: computed in the dtype (half precision in float32, the new scores rounded once); IoU as in `nms`. All boxes of one call
    meet each other: call once for each class. Time grows with the square of the number of boxes above score_threshold.

    >>> boxes = [[0.0, 0.0, 10.0, 10.0], [0.0, 0.0, 10.0, 20.0], [30.0, 0.0, 40.0, 10.0]]
    >>> soft_nms(boxes, [0.9, 0.8, 0.7])
    (array([0, 2, 1]), array([0.9, 0.7, 0.4]))

    Neighbours: `nms` is eq. 1, where f = 0.
    Elsewhere: eq. 2 prints IoU >= iou_threshold, the authors' code is strict, and keeps a score *at* score_threshold. TensorFlow's
    soft_nms_sigma is half of this sigma: it computes exp(-IoU^2 / (2 soft_nms_sigma)).
    """
    box_array, score_array = detections("soft_nms", boxes, scores)
    chosen = check.choice("soft_nms", "method", method, METHODS)
    spread = check.number("soft_nms", "sigma", sigma, 1e-6, 1e6, "0.5 is the paper's")
    threshold = check.number("soft_nms", "iou_threshold", iou_threshold, 0.0, 1.0, "0.3 is the paper's")
    lowest = check.number("soft_nms", "score_threshold", score_threshold, 0.0, math.inf, "0.001 is the authors'")
    most = at_most("soft_nms", "max_detections", max_detections, len(box_array))
    wrong = ~((score_array >= 0) & np.isfinite(score_array))
    if wrong.any():
        where = int(np.argmax(wrong))
        got = f"{float(score_array[where]):g} at index {where}"
        bad_value("soft_nms", "scores", "finite and not negative", got, "give probabilities, not logits")
    new, five = computed_in(score_array).copy(), columns(computed_in(box_array))
    T = new.dtype.type
    taken, taken_scores = np.empty(most, np.int64), np.empty(most, T)
    ranks, index = new.view(BITS[T]), np.arange(new.size)
    parameter = T(spread if chosen else threshold)
    run = _kernel(T)
    count = run(chosen, five, new, ranks, index, parameter, T(lowest), taken, taken_scores) if new.size else 0
    return taken[:count].copy(), taken_scores[:count].astype(score_array.dtype)

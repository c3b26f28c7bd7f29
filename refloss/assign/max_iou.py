"""Each prior takes the truth that overlaps it most: the rule of Faster R-CNN's proposal network and of RetinaNet."""

import functools
from collections.abc import Callable
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from .._engine import check
from .._engine.check import IGNORE, NEGATIVE
from .._engine.compile import jit, read, source_digest, written
from .._engine.scalar import rounded
from .._engine.threads import over_blocks
from ..errors import bad_value
from ._check import boxes, iou_threshold, truths, working
from ._streams import Stream, overlap, stream
from .assignment import Assignment, from_index

DIALECTS = ("paper", "torchvision", "mmdet")
FORCED = 2.0  # above every threshold: the IoU that a low-quality match is given


@functools.cache
def _raise(T: Any) -> Callable[..., Any]:
    stamp = source_digest()

    def chunks(boxes, truths, rows, tops, top, untouched, later, iou, index, first, last):  # type: ignore[no-untyped-def]
        stamp  # noqa: B018
        n = boxes.shape[0]
        for c in range(first, last):
            lo, hi = c * rows, min(n, (c + 1) * rows)
            four, found, whose = boxes[lo:hi], iou[lo:hi], index[lo:hi]
            for j in range(top.size):
                if tops[c, j] == top[j] and (top[j] > T(0) or untouched):
                    u1, v1, u2, v2, target_area = truths[0, j], truths[1, j], truths[2, j], truths[3, j], truths[4, j]
                    for i in range(found.size):
                        x1, y1, x2, y2 = four[i, 0], four[i, 1], four[i, 2], four[i, 3]
                        if overlap(x1, y1, x2, y2, rounded(x2 - x1, y2 - y1), u1, v1, u2, v2, target_area) == top[j]:
                            found[i] = T(FORCED)
                            whose[i] = j if later else whose[i]

    given = read(T, 2), read(T, 2), int, read(T, 2), read(T, 1), bool, bool
    return jit(chunks, f"max_iou_{T.__name__}", *given, written(T, 1), written(np.int64, 1), int, int)


def _low_quality(found: Stream, dialect: str) -> None:
    """Raise the priors that attain a truth's largest IoU above every threshold; visits only the chunks that hold one."""
    compiled = _raise(found.boxes.dtype.type)
    top, untouched, later = found.tops.max(axis=0), dialect != "paper", dialect == "mmdet"

    def run(first: int, last: int) -> None:
        compiled(found.boxes, found.truths, found.rows, found.tops, top, untouched, later, found.iou, found.whose, first, last)

    over_blocks(run, len(found.tops), int(np.count_nonzero(found.tops == top)) * found.rows)


def max_iou(
    priors: ArrayLike,
    gt_boxes: ArrayLike,
    *,
    positive_threshold: float = 0.5,
    negative_threshold: float = 0.4,
    low_quality_matches: bool = False,
    dialect: Literal["paper", "torchvision", "mmdet"] = "paper",
) -> Assignment:
    """Assign each prior to the truth that overlaps it most (Ren et al. 2015, section 3.1.2; Lin et al. 2017, section 4).

    With b the largest IoU of a prior over the truths, at the smallest truth index that attains it, the prior
        is positive, with that truth,   if b >= positive_threshold
        is NEGATIVE                     if b <  negative_threshold
        is IGNORE                       between.
    low_quality_matches adds rule (i) of the proposal network: of each truth that meets any prior, all priors that attain the
    truth's largest IoU exactly are positive too. Such a prior keeps the truth that overlaps *it* most: rule (i) gives a label,
    "object", and a prior that covers one truth well must not be taken from it by another that it barely touches.

    Arguments:
        priors: (n, 4) xyxy boxes in pixels, finite, any float dtype.
        gt_boxes: (m, 4), the same; the dtype of the priors, which a list takes. None at all ([]): every prior is NEGATIVE.
        positive_threshold, negative_threshold: in (0, 1] and [0, positive_threshold]. The defaults are RetinaNet's; the proposal
            network has 0.7 and 0.3, with low-quality matches. They are rounded to the dtype of the computation.
        low_quality_matches: see above.
        dialect: how low-quality matches are made; without them all are the same. "torchvision": a truth that meets no prior
            matches every prior (all attain its largest IoU, 0). "mmdet": that, and the prior is forced to the truth whose largest
            IoU it attains, the last of several, even if it overlaps another more.

    Computed in float32 or float64 (half precision in float32), with a union below 2^-126 giving IoU 0, so a truth without area
    matches nothing; a sum of areas that overflows the dtype gives 0 too: a float32 box 1e20 wide and high does not match itself.
    Memory beyond inputs and outputs: the IoU of each prior (and boxes of half precision in float32), no matrix.

    Raises ReflossError for boxes that are not finite, ordered and of one dtype, thresholds out of order, an unknown dialect.

    >>> priors = [[0.0, 0.0, 10.0, 10.0], [0.0, 0.0, 10.0, 22.0], [5.0, 5.0, 15.0, 15.0], [90.0, 90.0, 99.0, 99.0]]
    >>> max_iou(priors, [[0.0, 0.0, 10.0, 10.0], [90.0, 90.0, 92.0, 99.0]]).gt_index  # IoU 1, 0.45, 0.14; 0.22
    array([ 0, -2, -1, -1])
    >>> max_iou(priors, [[0.0, 0.0, 10.0, 10.0], [90.0, 90.0, 92.0, 99.0]], low_quality_matches=True).gt_index
    array([ 0, -2, -1,  1])

    Elsewhere: torchvision's Matcher and mmdet's MaxIoUAssigner (with min_pos_iou=0) are the dialects: one truth outside the
    priors turns all of them positive. torchvision raises where there are no truths. detectron2 gives a low-quality match the
    label, and leaves its truth, as here.
    """
    name = "max_iou"
    rows = boxes(name, "priors", priors)
    targets = truths(name, gt_boxes, rows)
    high = iou_threshold(name, "positive_threshold", positive_threshold)
    way_out = "give RetinaNet's 0.5 and 0.4, or the proposal network's 0.7 and 0.3"
    low = check.number(name, "negative_threshold", negative_threshold, 0.0, 1.0, way_out)
    if low > high:
        bad_value(name, "negative_threshold", f"at most positive_threshold ({high:g})", f"{low:g}", way_out)
    check.choice(name, "dialect", dialect, DIALECTS)
    if not len(targets):
        return from_index(np.full(len(rows), NEGATIVE))
    found = stream(working(rows), working(targets))
    if low_quality_matches and len(rows):
        _low_quality(found, dialect)
    T = found.iou.dtype.type
    found.whose[found.iou < T(high)] = IGNORE
    found.whose[found.iou < T(low)] = NEGATIVE
    return from_index(found.whose)

"""Non-maximum suppression: of boxes that show the same object, the one with the best score."""

import functools
from collections.abc import Callable
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from .._engine import check
from .._engine.compile import jit, read, source_digest, written
from .._engine.record import Array
from .._engine.threads import over_blocks
from .detections import at_most, columns, computed_in, detections, group_labels
from .ranking import falling, grouped
from .similarity import distance, pair_iou, power

Kind = Literal["iou", "diou"]
KINDS = ("iou", "diou")
_TOGETHER = 64  # kept boxes that a candidate is compared with before it may leave: whole vectors, and seldom in vain


@functools.cache
def _kernel(T: Any) -> Callable[..., Any]:
    stamp = source_digest()

    def groups(boxes, starts, threshold, beta, most, kept, first, last):  # type: ignore[no-untyped-def]
        stamp  # noqa: B018
        none, one = type(beta)(0), type(beta)(1)
        for g in range(first, last):
            low, high = starts[g], starts[g + 1]
            x1, y1, x2, y2, areas = boxes[0, low:high], boxes[1, low:high], boxes[2, low:high], boxes[3, low:high], boxes[4, low:high]
            flags = kept[low:high]
            count = 0  # the kept boxes are moved to the front of the group: there is no other memory
            for i in range(flags.size):
                if count == most:
                    break
                a, b, c, d, area = x1[i], y1[i], x2[i], y2[i], areas[i]
                alike = np.int32(0)
                for start in range(0, count, _TOGETHER):
                    end = min(count, start + _TOGETHER)
                    u1, v1, u2, v2, others = x1[start:end], y1[start:end], x2[start:end], y2[start:end], areas[start:end]
                    for j in range(u1.size):
                        alike |= np.int32(pair_iou(a, b, c, d, area, u1[j], v1[j], u2[j], v2[j], others[j]) > threshold)
                    if alike and beta != none:  # what is subtracted is not negative: only boxes alike by IoU can be alike
                        alike = np.int32(0)
                        for j in range(u1.size):
                            apart = distance(a, b, c, d, u1[j], v1[j], u2[j], v2[j])
                            apart = apart if beta == one else power(apart, beta)
                            value = pair_iou(a, b, c, d, area, u1[j], v1[j], u2[j], v2[j], others[j]) - apart
                            alike |= np.int32(value > threshold)
                    if alike:
                        break
                if not alike:
                    x1[count], y1[count], x2[count], y2[count], areas[count] = a, b, c, d, area
                    flags[i] = True
                    count += 1

    return jit(groups, f"suppress_{T.__name__}", written(T, 2), read(np.int64, 1), T, T, int, written(bool, 1), int, int)


def suppress(boxes: Array, starts: Array, setting: tuple[float, float], most: int) -> Array:
    """Which (n,) of the boxes (n, 4) stay; group g is rows starts[g] to starts[g + 1], each falling by score."""
    threshold, beta = setting
    kept = np.zeros(len(boxes), bool)
    if kept.size and most:
        five, T = columns(boxes), boxes.dtype.type
        run = _kernel(T)
        sizes = np.diff(starts).astype(float)
        work = int(min((sizes * sizes).sum() / 4, 1e18))  # pairs, if half of the boxes stay
        over_blocks(lambda first, last: run(five, starts, T(threshold), T(beta), most, kept, first, last), len(sizes), work)
    return kept


def settle(function: str, iou_threshold: Any, kind: Any, beta: Any) -> tuple[float, float]:
    """(threshold, beta) of the kernel; beta 0 stands for IoU alone."""
    threshold = check.number(function, "iou_threshold", iou_threshold, 0.0, 1.0, "0.5 is the usual one")
    power_of = check.number(function, "beta", beta, 0.1, 10.0, "1 is the paper's, 0.6 is darknet's")
    return threshold, power_of * check.choice(function, "kind", kind, KINDS)


def nms(
    boxes: ArrayLike, scores: ArrayLike, *, iou_threshold: float = 0.5, kind: Kind = "iou", beta: float = 1.0,
    max_detections: int | None = None,
) -> Array:  # fmt: skip
    """Indices (m,) int64 of the boxes that stay, by falling score: greedy non-maximum suppression.

    The best box stays and removes every box that is too like it; so does the best of the rest, until none is left.
    kind="diou" (DIoU-NMS, Zheng et al. 2020, "Non-Maximum Suppression using DIoU"): alike is IoU - (rho^2 / c^2)^beta, rho the
    distance of the centres and c the diagonal of the smallest box around both, so that more often both boxes stay where two
    objects overlap.

    Arguments:
        boxes: (n, 4) xyxy, finite, in any one unit; they may reach beyond the image. float64, float32, float16 or bfloat16.
        scores: (n,), of the boxes' dtype, without NaN. Of equal scores the smaller index comes first.
        iou_threshold: in [0, 1], rounded to the dtype. A box goes when the likeness is above it; one *at* the threshold stays.
        kind: "iou" or "diou".
        beta: in [0.1, 10], for "diou": 1 is the paper's, 0.6 darknet's.
        max_detections: stop when so many stay.

    Raises ReflossError for any argument outside these. No box in, no index out.
    Limits: IoU is I / ((A + B) - I) in the boxes' dtype (half precision in float32), and 0 where that divisor is below 2^-126, so a
    box without area removes nothing and stays.
    Memory is about 55 bytes a box in float32; time is that of comparing each box with those that stay, until one removes it.

    >>> boxes = [[0.0, 0.0, 10.0, 10.0], [0.0, 0.0, 10.0, 20.0], [0.0, 0.0, 10.0, 9.0]]
    >>> nms(boxes, [0.9, 0.8, 0.7], iou_threshold=0.5)
    array([0, 1])

    Neighbours: `batched_nms` keeps classes apart, `soft_nms` lowers scores instead, `select` is a detector's whole last step.
    Elsewhere: torchvision, TensorFlow and darknet are strict too; Bodla et al. and Zheng et al. print >= in their formulas.
    Darknet's greedynms is this "diou" with beta 0.6. torchvision leaves the order of equal scores open on CUDA; code from the Caffe
    age adds one pixel to sizes.
    """
    box_array, score_array = detections("nms", boxes, scores)
    setting = settle("nms", iou_threshold, kind, beta)
    most = at_most("nms", "max_detections", max_detections, len(box_array))
    order = falling(computed_in(score_array))
    kept = suppress(computed_in(box_array)[order], np.array([0, order.size]), setting, most)
    return order[kept]


def batched_nms(
    boxes: ArrayLike, scores: ArrayLike, labels: ArrayLike, *, iou_threshold: float = 0.5, kind: Kind = "iou", beta: float = 1.0,
    max_detections: int | None = None,
) -> Array:  # fmt: skip
    """Indices (m,) int64 of the boxes that stay, by falling score: `nms` among the boxes of each label by themselves.

    Arguments:
        boxes, scores, iou_threshold, kind, beta: as for `nms`.
        labels: (n,) integers; boxes of different labels never remove each other.
        max_detections: of all labels together, at most so many, the best.

    Raises ReflossError as `nms`, and for labels of another dtype or shape. Threads share the labels; the result does not depend on them.

    >>> boxes = [[0.0, 0.0, 10.0, 10.0], [0.0, 0.0, 10.0, 9.0], [0.0, 0.0, 10.0, 8.0]]
    >>> batched_nms(boxes, [0.7, 0.8, 0.9], [0, 1, 0])
    array([2, 1])

    Elsewhere: torchvision and others add label * (largest coordinate + 1) to the boxes and run one `nms`, which rounds float32
    coordinates: with 90 classes and images of 1333 pixels to 1/128 of a pixel, so that IoU near the threshold goes either way.
    """
    box_array, score_array = detections("batched_nms", boxes, scores)
    groups = group_labels("batched_nms", labels, len(box_array))
    setting = settle("batched_nms", iou_threshold, kind, beta)
    most = at_most("batched_nms", "max_detections", max_detections, len(box_array))
    return kept_of_groups(computed_in(box_array), computed_in(score_array), groups, setting, most)


def kept_of_groups(boxes: Array, scores: Array, groups: Array, setting: tuple[float, float], most: int) -> Array:
    """Indices by falling score, of equal scores the smaller first."""
    order, starts = grouped(groups, scores)
    kept = np.sort(order[suppress(boxes[order], starts, setting, most)])
    return kept[falling(scores[kept])[:most]]

"""Selection on prediction: what a detector does with its decoded boxes and scores."""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from .._engine import check
from .._engine.record import Array
from ..errors import bad_value
from .detections import at_most, computed_in, detections, group_labels
from .ranking import grouped, top
from .suppression import Kind, kept_of_groups, settle


class Selection(NamedTuple):
    """The detections of an image, by falling score; of equal scores the smaller index first, then the smaller label."""

    boxes: Array  # (m, 4), rows of the boxes given
    scores: Array  # (m,)
    labels: Array  # (m,) int64
    indices: Array  # (m,) int64, into the boxes given


def select(
    boxes: ArrayLike, scores: ArrayLike, *, labels: ArrayLike | None = None, score_threshold: float = 0.05, iou_threshold: float = 0.5,
    top_k: int | None = 1000, top_k_per_class: bool = False, max_detections: int | None = 100, per_class: bool = True,
    kind: Kind = "iou", beta: float = 1.0,
) -> Selection:  # fmt: skip
    """The detections of one image: scores above a threshold, the best top_k of them, `nms` in each class, the best max_detections.

    With scores (n, classes) every box is a candidate for every class. With scores (n,) it is one for its label, or for label 0:
    YOLO's best class is scores.max(axis=1), labels=scores.argmax(axis=1), where scores = objectness * class probability.

    Arguments:
        boxes: (n, 4) xyxy, finite, in any one unit. float64, float32, float16 or bfloat16.
        scores: (n,) or (n, classes), of the boxes' dtype, without NaN.
        labels: (n,) integers, with scores (n,) only.
        score_threshold: any number, rounded to the dtype. A candidate stays when its score is above it; one *at* it goes.
        iou_threshold, kind, beta: as for `nms`: above the threshold a box goes, *at* it it stays.
        top_k: at most so many candidates go into the suppression, of all classes together; None for all.
        top_k_per_class: at most top_k of each class instead.
        max_detections: at most so many detections come out; None for all.
        per_class: False lets boxes of different classes remove each other.

    Raises ReflossError for any argument outside these. No box in, empty arrays out.
    Where scores are equal at a limit, the smaller index goes first, then the smaller label.

    >>> boxes = [[0.0, 0.0, 10.0, 10.0], [0.0, 0.0, 10.0, 9.0], [30.0, 0.0, 40.0, 10.0]]
    >>> found = select(boxes, [[0.9, 0.1], [0.8, 0.7], [0.05, 0.3]], score_threshold=0.05)
    >>> found.labels, found.indices
    (array([0, 1, 1]), array([0, 1, 2]))
    >>> found.scores
    array([0.9, 0.7, 0.3])

    Detectors: SSD (Liu et al. 2016, section 3.7): score_threshold=0.01, iou_threshold=0.45, max_detections=200, and, in the Caffe code,
    top_k=400 with top_k_per_class. RetinaNet (Lin et al. 2017, section 4.1): 0.05, 0.5, and the best 1000 of each pyramid level,
    which is one cut for each level before this call. FCOS as RetinaNet, with iou_threshold=0.6 in its code.
    Elsewhere: the side of the score's equality differs: torchvision, TensorFlow and darknet are strict as here.
    """
    box_array, score_array = detections("select", boxes, scores, classes=True)
    setting = settle("select", iou_threshold, kind, beta)
    lowest = check.number("select", "score_threshold", score_threshold, -math.inf, math.inf, "0.05 is RetinaNet's, 0.01 SSD's")
    values = computed_in(score_array)
    flat = np.flatnonzero(values.ravel() > values.dtype.type(lowest))
    if score_array.ndim == 1:
        given = np.zeros(len(box_array), np.int64) if labels is None else group_labels("select", labels, len(box_array))
        rows, classes = flat, given[flat]
    else:
        if labels is not None:
            bad_value("select", "labels", "None with scores (n, classes)", "an array", "give scores (n,), one for each box and its label")
        rows, classes = np.divmod(flat, max(score_array.shape[1], 1))
    values = values.ravel()[flat]
    before = at_most("select", "top_k", top_k, flat.size)
    after = at_most("select", "max_detections", max_detections, flat.size)
    best = _best_of_each(values, classes, before) if top_k_per_class else top(values, before)
    flat, rows, classes, values = flat[best], rows[best], classes[best], values[best]
    groups = classes if per_class else np.zeros_like(classes)
    kept = kept_of_groups(computed_in(box_array)[rows], values, groups, setting, min(after, flat.size))
    return Selection(box_array[rows[kept]], score_array.ravel()[flat[kept]], classes[kept], rows[kept])


def _best_of_each(values: Array, classes: Array, count: int) -> Array:
    order, starts = grouped(classes, values)
    rank = np.arange(order.size) - np.repeat(starts[:-1], np.diff(starts))
    chosen = np.empty(order.size, bool)
    chosen[order] = rank < count
    return chosen

"""The answer of every assigner: where each prior belongs."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from .._engine import check
from .._engine.check import IGNORE, NEGATIVE
from .._engine.record import Array
from ..errors import bad_type, bad_value


@dataclass(frozen=True, eq=False)
class Assignment:
    """Which ground truth each prior of one image belongs to.

    gt_index: (priors,) int64; the index of a truth, NEGATIVE (-1, background) or IGNORE (-2, takes no part in the loss).
    pairs: (matches, 2) int64 rows (prior, truth), every match, in the order in which the assigner's rule finds them. A prior
        that several truths claim (YOLOv2 and later allow it) has a row for each, and the winner in gt_index.
    """

    gt_index: Array
    pairs: Array

    @property
    def positive(self) -> Array:
        """(priors,) bool: belongs to a truth."""
        return np.asarray(self.gt_index >= 0)

    @property
    def negative(self) -> Array:
        """(priors,) bool: background."""
        return np.asarray(self.gt_index == NEGATIVE)

    @property
    def ignored(self) -> Array:
        """(priors,) bool: takes no part in the loss."""
        return np.asarray(self.gt_index == IGNORE)

    def __len__(self) -> int:
        return len(self.gt_index)

    def labels(self, gt_labels: ArrayLike, classes: int) -> Array:
        """(priors,) int64: the class of each prior's truth, NEGATIVE or IGNORE; what the *_with_integer_labels losses take.

        gt_labels: (truths,) integers in [0, classes).
        """
        labels = np.asarray(gt_labels)
        if labels.size == 0:
            labels = labels.astype(np.int64)
        if isinstance(classes, bool) or not isinstance(classes, (int, np.integer)) or classes < 1:
            bad_value("Assignment.labels", "classes", "a positive whole number", repr(classes), "count the classes, without a background")
        if labels.dtype.kind not in "iu":
            bad_type(
                "Assignment.labels", "gt_labels", "an array of integers", f"dtype {labels.dtype}", "convert with gt_labels.astype(np.int64)"
            )
        need = int(self.gt_index.max(initial=NEGATIVE)) + 1
        if labels.ndim != 1 or len(labels) < need:
            bad_value(
                "Assignment.labels",
                "gt_labels",
                f"one label for each of at least {need} truths",
                f"{labels.shape}",
                "pass the labels of the same image",
            )
        wrong = (labels < 0) | (labels >= classes)
        if wrong.any():
            bad_value(
                "Assignment.labels", "gt_labels", f"in [0, {classes - 1}]", f"{int(labels[wrong][0])} at index {int(np.argmax(wrong))}",
                "check the number of classes; the background is no label here",
            )  # fmt: skip
        return self._taken(labels.astype(np.int64))

    def boxes(self, gt_boxes: ArrayLike) -> Array:
        """(positives, 4): the truth's box of each positive prior, in the order of the priors.

        gt_boxes: (truths, 4), those that were assigned; an array keeps its dtype, a list becomes float32, as priors are by default.
        """
        array = check.floats("Assignment.boxes", "gt_boxes", gt_boxes, "convert with gt_boxes.astype(np.float32)")
        array = array.reshape(0, 4) if array.shape == (0,) else array
        need = int(self.gt_index.max(initial=NEGATIVE)) + 1
        if array.ndim != 2 or array.shape[1] != 4 or len(array) < need:
            wanted = f"of shape (truths, 4), with at least {need} truths"
            bad_value("Assignment.boxes", "gt_boxes", wanted, f"{array.shape}", "pass those that were assigned")
        return (array if hasattr(gt_boxes, "dtype") else array.astype(np.float32))[self.gt_index[self.positive]]

    def _taken(self, values: Array) -> Array:
        out: Any = self.gt_index.copy()
        positive = self.positive
        out[positive] = values[self.gt_index[positive]]
        return np.asarray(out)


def from_index(gt_index: Array) -> Assignment:
    """The Assignment in which each prior belongs to at most one truth."""
    index = gt_index.astype(np.int64, copy=False)
    positive = index >= 0
    pairs = np.empty((np.count_nonzero(positive), 2), np.int64)
    pairs[:, 0] = np.flatnonzero(positive)  # one column after the other: the assigners' peak of memory is here
    pairs[:, 1] = index[positive]
    return Assignment(index, pairs)

"""Scaled-YOLOv4's loss for Keras."""

from typing import Any, ClassVar

import numpy as np

from refloss import criteria
from refloss.errors import bad_value

from .._keras import ops
from ._loss import registered
from ._yolo import LABEL, Matches
from .yolov4 import YOLOv4


@registered
class ScaledYOLOv4(YOLOv4):
    """`refloss.criteria.ScaledYOLOv4` as a Keras loss; arguments and terms are its, dialect="paper" and box_loss "ciou".

    y_pred and y_true: as `YOLOv3`. A truth has at most three times as many matches as there are anchors over all scales: max_matches
    is that times max_boxes, unless it is given (on real data a tenth does); more are an error of the encoder.
    """

    make: ClassVar[Any] = criteria.ScaledYOLOv4

    def _prepare(self) -> None:
        super()._prepare()
        core = self.core
        if core.normalizer == "image":
            bad_value("ScaledYOLOv4", "normalizer", '"batch" or a number', "'image'", '"batch" is the means of the authors\' code')
        if core.box_loss != "ciou":
            bad_value("ScaledYOLOv4", "box_loss", "'ciou'", repr(core.box_loss), "YOLOv4 has the others")
        self.matches_of_a_truth *= 3
        counts = np.array([grid.count for grid in core.grids])
        self._ends = np.cumsum(counts)
        per_prior = 1 / counts if core.normalizer == "batch" else np.full(len(counts), 1 / core.normalizer)
        self._weights = self._constant(np.repeat(per_prior * core.balance, counts) * core.objectness_weight)

    def _shares(self, y_true: Any, y_pred: Any) -> dict[str, Any]:
        core = self.core
        matches = self._matches(y_true, y_pred)
        share, wins, predicted = self._share(matches), matches.wins, matches.predicted
        # 1
        value = self._box(y_true, matches)
        # 3
        targets = self._smooth(self.xp.one_hot(ops.cast(ops.round(y_true[..., LABEL]), "int32"), predicted[..., 5:]))
        classes = ops.sum(self._entropy(predicted[..., 5:], targets), axis=-1) * (core.class_weight / core.classes)
        # 2
        similarity = self.xp.stop_gradient(self.xp.maximum(1 - value, 0)) if core.iou_as_objectness else ops.ones_like(wins)
        weights = ops.convert_to_tensor(self._weights)
        weights = weights / self._images(y_pred) if core.normalizer == "batch" else weights
        free = ops.cast(ops.logical_not(self._held(matches, y_pred)), self.dtype)
        full = self._entropy(predicted[..., 4], similarity) * wins * ops.take(weights, matches.prior, axis=0)
        objectness = ops.sum(self._empty(y_pred[..., 4]) * free * weights, axis=1) + ops.sum(full, axis=1)
        return {
            "box": core.box_weight * ops.sum(value * share, axis=1), "objectness": objectness, "classes": ops.sum(classes * share, axis=1),
        }  # fmt: skip

    def _share(self, matches: Matches) -> Any:
        """(images, rows): what a match counts: 1 over the matches of the batch in its grid."""
        if self.core.normalizer != "batch":
            return matches.real / float(self.core.normalizer)
        total, start = ops.zeros_like(matches.real), 0
        for end in self._ends:
            here = ops.logical_and(matches.prior >= start, matches.prior < int(end))
            real = matches.real * ops.cast(here, self.dtype)
            total, start = total + real / self.xp.maximum(ops.sum(real), 1), int(end)
        return total

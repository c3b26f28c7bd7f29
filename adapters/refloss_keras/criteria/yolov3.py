"""YOLOv3's loss for Keras."""

from typing import Any

from refloss import criteria

from .._keras import ops
from ._loss import registered
from ._yolo import CLASSES, CODES, WEIGHT, YoloLoss


@registered
class YOLOv3(YoloLoss):
    """`refloss.criteria.YOLOv3` as a Keras loss; arguments, dialects and terms are its.

    y_pred: (images, priors, 5 + classes), as `concatenate_heads` makes it of the three scales' outputs (images, rows, columns,
    anchors (5 + classes)): one prediction, because the ignore test and the normaliser look at all scales. y_true: `encoder()`, a row
    for each of max_boxes truths. How it is reduced: see `CriterionLoss`.
    max_boxes: no image has more; a longer list of truths is an error of the encoder.
    """

    make = criteria.YOLOv3

    def _shares(self, y_true: Any, y_pred: Any) -> dict[str, Any]:
        core, matches = self.core, self._matches(y_true, y_pred)
        divisor = self._divisor(self._counts(matches), self._images(y_pred))
        predicted, wins, held = matches.predicted, matches.wins, self._held(matches, y_pred)
        # 1, 2
        box = ops.sum(self._entropy(predicted[..., :2], y_true[..., CODES][..., :2]), axis=-1)
        box = box + ops.sum(self._loss("squared_error", predicted[..., 2:4], y_true[..., CODES][..., 2:], factor=0.5), axis=-1)
        weights = wins * y_true[..., WEIGHT] if core.small_boxes_count_more else wins
        # 3
        counts = ops.logical_not(ops.logical_or(held, self._too_good(self._best_iou(y_true, y_pred))))
        empty = self._empty(y_pred[..., 4]) * ops.cast(counts, self.dtype)
        full = self._entropy(predicted[..., 4], ops.ones_like(wins)) * wins
        # 4
        classes = ops.sum(self._entropy(predicted[..., 5:], y_true[..., CLASSES:]), axis=-1) * wins
        return {
            "box": ops.sum(box * weights, axis=1) / divisor, "objectness": (ops.sum(empty, axis=1) + ops.sum(full, axis=1)) / divisor,
            "classes": ops.sum(classes, axis=1) / divisor,
        }  # fmt: skip

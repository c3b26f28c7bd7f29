"""YOLOv2's loss for Keras."""

from typing import Any

from refloss import criteria
from refloss.errors import bad_value

from .._keras import ops
from ._loss import registered
from ._yolo import BOX, CLASSES, CODES, LABEL, WEIGHT, YoloLoss


@registered
class YOLOv2(YoloLoss):
    """`refloss.criteria.YOLOv2` as a Keras loss; arguments, dialects and terms are its, but for warm_up and match="predicted".

    y_pred: (images, priors, 5 + classes), as `concatenate_heads([head], grids)` makes it. y_true: as `YOLOv3`.
    A warm-up counts images, and a loss has no state: dialect="darknet" needs warm_up=False.
    """

    make = criteria.YOLOv2

    def _prepare(self) -> None:
        core = self.core
        if core.warm_up:
            bad_value("YOLOv2", "warm_up", "False", "True", "a loss does not count images; say warm_up=False")
        if core.match != "prior":
            bad_value("YOLOv2", "match", "'prior'", repr(core.match), "matches are made on the host, without predictions")
        super()._prepare()

    def _through(self, logits: Any, targets: Any) -> Any:
        if self.core.through_sigmoid:
            return self._loss("squared_error", self.xp.sigmoid(logits), targets, factor=0.5)
        return self._entropy(logits, targets)

    def _shares(self, y_true: Any, y_pred: Any) -> dict[str, Any]:
        core = self.core
        xp, matches = self.xp, self._matches(y_true, y_pred)
        divisor = self._divisor(self._counts(matches), self._images(y_pred))
        predicted, wins, codes = matches.predicted, matches.wins, y_true[..., CODES]
        # 1, 2
        box = ops.sum(self._through(predicted[..., :2], codes[..., :2]), axis=-1)
        box = box + ops.sum(self._loss("squared_error", predicted[..., 2:4], codes[..., 2:], factor=0.5), axis=-1)
        weights = core.coordinate_weight * (wins * y_true[..., WEIGHT] if core.small_boxes_count_more else wins)
        # 3
        wanted = ops.ones_like(wins)
        if core.iou_as_objectness:
            wanted = xp.stop_gradient(self._iou(self._boxes_of(matches), y_true[..., BOX]))
        there = core.object_weight * self._through(predicted[..., 4], wanted) * wins
        # 4
        counts = ops.logical_not(ops.logical_or(self._held(matches, y_pred), self._too_good(self._best_iou(y_true, y_pred))))
        logits = y_pred[..., 4]
        elsewhere = core.no_object_weight * self._through(logits, ops.zeros_like(logits)) * ops.cast(counts, self.dtype)
        # 5
        labels, rows = ops.cast(ops.round(y_true[..., LABEL]), "int32"), predicted[..., 5:]
        if core.softmax:
            classes = self._loss("softmax_cross_entropy_with_integer_labels", rows, labels)
        else:
            classes = ops.sum(self._entropy(rows, y_true[..., CLASSES:]), axis=-1)
        return {
            "box": ops.sum(box * weights, axis=1) / divisor, "objectness": (ops.sum(there, axis=1) + ops.sum(elsewhere, axis=1)) / divisor,
            "classes": core.class_weight * ops.sum(classes * wins, axis=1) / divisor,
        }  # fmt: skip

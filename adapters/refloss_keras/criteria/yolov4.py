"""YOLOv4's loss for Keras."""

from typing import Any, ClassVar

from refloss import criteria
from refloss.criteria.yolov4 import BOX_LOSSES
from refloss.errors import bad_value

from .._keras import ops
from ._loss import registered
from ._yolo import BOX, CLASSES, Matches, YoloLoss


@registered
class YOLOv4(YoloLoss):
    """`refloss.criteria.YOLOv4` as a Keras loss; arguments and terms are its, dialect="paper" and box_loss an IoU's.

    y_pred and y_true: as `YOLOv3`. A truth has at most as many matches as there are anchors over all scales: max_matches is that
    times max_boxes, unless it is given (on real data a tenth does); more are an error of the encoder.
    darknet's directions of box gradients are no gradient of a function, so none that autodiff could find: its dialect is an error.
    """

    make: ClassVar[Any] = criteria.YOLOv4

    def _prepare(self) -> None:
        core = self.core
        title = type(self).__name__
        if core.box_gradient != "true" or core.average_box:
            got = f'box_gradient={core.box_gradient!r}, average_box={core.average_box}, as in dialect="darknet"'
            way_out = 'these directions are the gradient of no loss; use dialect="paper", or train with refloss_torch'
            bad_value(title, "box_gradient", '"true", without average_box', got, way_out)
        if core.box_loss not in BOX_LOSSES:
            bad_value(title, "box_loss", " or ".join(map(repr, BOX_LOSSES)), repr(core.box_loss), "YOLOv3 has squared errors")
        self.matches_of_a_truth = sum(len(grid.shapes) for grid in core.grids)
        super()._prepare()

    def _shares(self, y_true: Any, y_pred: Any) -> dict[str, Any]:
        core, matches = self.core, self._matches(y_true, y_pred)
        divisor = self._divisor(self._counts(matches), self._images(y_pred))
        # 1
        box = core.box_weight * ops.sum(self._box(y_true, matches) * matches.real, axis=1)
        # 2
        objectness = core.objectness_weight * self._objectness(y_true, y_pred, matches)
        # 3
        targets = self._smooth(y_true[..., CLASSES:])
        classes = ops.sum(ops.sum(self._entropy(matches.predicted[..., 5:], targets), axis=-1) * matches.wins, axis=1)
        return {"box": box / divisor, "objectness": objectness / divisor, "classes": classes / divisor}

    def _box(self, y_true: Any, matches: Matches) -> Any:
        """(images, rows): the box loss of each match."""
        return self._loss(BOX_LOSSES[self.core.box_loss].name, self._boxes_of(matches), y_true[..., BOX])

    def _smooth(self, targets: Any) -> Any:
        e = self.core.label_smoothing
        return targets * (1 - e) + 0.5 * e

    def _objectness(self, y_true: Any, y_pred: Any, matches: Matches) -> Any:
        """(images,) summed over priors."""
        core = self.core
        xp, logits = self.xp, y_pred[..., 4]
        best = self._best_iou(y_true, y_pred)
        good = self._too_good(best)
        if core.ignore_needs_class:
            sure = xp.sigmoid(xp.stop_gradient(xp.max(y_pred[..., 5:]))) > core.ignore_needs_class
            good = ops.logical_and(good, sure)
        free = ops.logical_not(self._held(matches, y_pred))
        if core.iou_as_objectness:
            others = self._entropy(logits, xp.where(good, best, 0)) * ops.cast(free, self.dtype)
        else:
            others = self._empty(logits) * ops.cast(ops.logical_and(free, ops.logical_not(good)), self.dtype)
        full = self._entropy(matches.predicted[..., 4], ops.ones_like(matches.wins)) * matches.wins
        return ops.sum(others, axis=1) + ops.sum(full, axis=1)

"""What YOLOv2, v3, v4 and Scaled-YOLOv4 share: y_true is a list of matches, y_pred has a row for each prior.

A row of y_true holds one of the image's truths, for the ignore test, and one match of a truth and a prior; both lists end in padding.
"""

import copy
from typing import Any, ClassVar, NamedTuple

import numpy as np

from refloss._engine.coding import CODINGS
from refloss._engine.record import Array
from refloss.assign import _cells
from refloss.assign.assignment import Assignment
from refloss.criteria._targets import Truth
from refloss.criteria._yolo import Yolo, box_targets, cells_away, relative_area
from refloss.errors import bad_value
from refloss.losses.iou import Geometry, ratio
from refloss.priors import yolo_priors

from .._keras import ops
from ._encoder import Encoder
from ._loss import CriterionLoss
from .heads import split_heads

# Columns of y_true. Padding: a truth without area, a prior of -1, the rest 0.
TRUTH, PRIOR, WINS, BOX, CODES, WEIGHT, LABEL, CLASSES = slice(0, 4), 4, 5, slice(6, 10), slice(10, 14), 14, 15, 16
CHUNK = 16  # truths whose IoU with all predictions is in memory at once


class YoloEncoder(Encoder):
    """Rows: a truth's box; a match: its prior, whether it holds that (the last of its matches), its truth's box, place and logarithm of
    size, 2 - w h, and class; then every class that is claimed of the prior."""

    core: Yolo

    def __init__(self, core: Yolo, dtype: str, max_boxes: int, max_matches: int) -> None:
        super().__init__(core, dtype)
        self.max_boxes, self.max_matches = max_boxes, max_matches
        self.shape = (max(max_boxes, max_matches), CLASSES + core.classes)

    def _fill(self, rows: Array, truth: Truth) -> None:
        core, title = self.core, f"{type(self.core).__name__}.encoder"
        if len(truth.boxes) > self.max_boxes:
            bad_value(title, "gt_boxes", f"at most {self.max_boxes} boxes", f"{len(truth.boxes)}", "raise max_boxes of the loss")
        prior, index = (found := self._assigned(truth)).pairs.T
        if len(prior) > self.max_matches:
            way_out = "raise max_matches of the loss"
            bad_value(title, "gt_boxes", f"boxes with at most {self.max_matches} matches with priors", f"{len(prior)}", way_out)
        # darknet's list of truths ends early
        shown = _cells.shown(_cells.scene(title, core.grids, truth.boxes), core.dialect).truths
        rows[: len(shown), TRUTH] = shown
        rows[:, PRIOR] = -1
        boxes, priors, match = truth.boxes[index], core._priors(rows.dtype)[prior], rows[: len(prior)]
        match[:, PRIOR], match[:, WINS] = prior, found.gt_index[prior] == index
        # where darknet runs on into another row's cell, it compares boxes as if both lay there
        match[:, BOX] = boxes - np.tile(cells_away(boxes, priors, core.dialect) * priors[:, 4:], 2)
        match[:, CODES] = np.concatenate(box_targets(boxes, priors, core.dialect), axis=1)
        match[:, WEIGHT] = 2 - relative_area(boxes, core.image_size)
        match[:, LABEL] = truth.labels[index]
        unique, which = np.unique(prior, return_inverse=True)
        claimed = np.zeros((len(unique), core.classes), rows.dtype)
        claimed[which, truth.labels[index]] = 1
        match[:, CLASSES:] = claimed[which]

    def _assigned(self, truth: Truth) -> Assignment:
        """The criterion's matches; its ignore test, which needs predictions, switched off."""
        blind: Any = copy.copy(self.core)
        blind.ignore_threshold = 1.0
        count = sum(grid.count for grid in self.core.grids)
        found: Assignment = blind._assign({"codes": np.zeros((count, 4), self.dtype), "classes": np.zeros((count, 1), self.dtype)}, truth)
        return found


class Matches(NamedTuple):
    """The matches of y_true, (images, rows) each, and the rows of y_pred at their priors."""

    prior: Any  # 0 where there is no match
    real: Any  # 1 or 0: is a match
    wins: Any  # 1 or 0: holds its prior
    predicted: Any  # (images, rows, 5 + classes); 0 where there is no match


class YoloLoss(CriterionLoss):
    """y_pred: (images, priors, 5 + classes)."""

    extra: ClassVar[dict[str, Any]] = {"max_boxes": 100, "max_matches": None}
    max_boxes: int
    max_matches: int | None
    matches_of_a_truth = 1

    def encoder(self) -> Encoder:
        most = self.max_boxes * self.matches_of_a_truth if self.max_matches is None else self.max_matches
        return YoloEncoder(self.core, self.dtype, self.max_boxes, most)

    def _prepare(self) -> None:
        for name in ("max_boxes", "max_matches"):
            value = getattr(self, name)
            if not (isinstance(value, int) and value > 0) and not (value is None and name == "max_matches"):
                bad_value(type(self).__name__, name, "a positive whole number", repr(value), "the most that an image of the data has")
        self._rows = yolo_priors(self.core.grids, dtype=self.dtype)
        counts = [grid.count for grid in self.core.grids]
        self._scale = np.repeat(self._constant([coder.scale_xy for coder in self.core.coders]), counts)

    def _channels(self) -> tuple[int, ...]:
        return len(self._rows), 5 + self.core.classes

    def _layout(self) -> str:
        return "concatenate_heads makes that of the outputs of the scales"

    def _outputs(self, y_pred: Array) -> list[Array]:
        return split_heads(y_pred, self.core.grids)

    def _matches(self, y_true: Any, y_pred: Any) -> Matches:
        prior = ops.cast(ops.round(y_true[..., PRIOR]), "int32")
        real = prior >= 0
        prior = ops.where(real, prior, 0)
        rows = ops.take_along_axis(y_pred, prior[..., None], axis=1)
        return Matches(prior, ops.cast(real, self.dtype), y_true[..., WINS], self.xp.where(real[..., None], rows, 0))

    def _held(self, matches: Matches, y_pred: Any) -> Any:
        """(images, priors) bool: belongs to a truth."""
        images, priors = ops.shape(y_pred)[0], len(self._rows)
        first = ops.arange(images, dtype="int32")[:, None] * priors
        where = ops.where(matches.wins > 0, first + matches.prior, images * priors)  # what holds nothing is written behind the end
        flat = ops.zeros((images * priors + 1,), self.dtype)
        flat = ops.scatter_update(flat, ops.reshape(where, (-1, 1)), ops.ones_like(ops.reshape(matches.wins, (-1,))))
        return ops.reshape(flat[:-1], (images, priors)) > 0

    def _constants(self) -> tuple[Any, Any]:
        """The priors (n, 5) and how far their centres reach (n,)."""
        return ops.convert_to_tensor(self._rows), ops.convert_to_tensor(self._scale)

    def _boxes(self, codes: Any, priors: Any, scale: Any) -> Any:
        size = self.core.coders[0].size
        return CODINGS["yolo_coder.decode"].formula(self.xp, codes, priors, scale_xy=scale, size=size, border=0.0)

    def _boxes_of(self, matches: Matches) -> Any:
        """(images, rows, 4): the predicted boxes of the matches."""
        rows, scale = (ops.take(x, matches.prior, axis=0) for x in self._constants())
        return self._boxes(matches.predicted[..., :4], rows, scale)

    def _iou(self, boxes: Any, others: Any) -> Any:
        pair = Geometry(self.xp, boxes, others, "xyxy")
        return ratio(self.xp, pair.intersection, pair.union)

    def _best_iou(self, y_true: Any, y_pred: Any) -> Any:
        """(images, priors): the largest IoU of each predicted box with any truth, a constant; NaN, which exceeds nothing, of no box."""
        boxes = self._boxes(self.xp.stop_gradient(y_pred[..., :4]), *self._constants())[:, :, None]
        best = ops.zeros_like(y_pred[..., 0])
        for start in range(0, self.max_boxes, CHUNK):
            truths = y_true[:, None, start : min(start + CHUNK, self.max_boxes), TRUTH]
            best = self.xp.maximum(best, self.xp.max(self._iou(boxes, truths)))
        return self.xp.stop_gradient(best)

    def _too_good(self, best: Any) -> Any:
        """Where a prediction that holds no truth is ignored."""
        return best > float(self._constant(self.core.ignore_threshold))

    def _counts(self, matches: Matches) -> Any:
        return ops.sum(matches.wins, axis=1)

    def _entropy(self, logits: Any, targets: Any) -> Any:
        return self._loss("binary_cross_entropy", logits, targets)

    def _empty(self, logits: Any) -> Any:
        """Objectness where nothing is."""
        return self._entropy(logits, ops.zeros_like(logits))

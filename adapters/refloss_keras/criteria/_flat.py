"""What SSD, RetinaNet and FCOS share: y_true and y_pred have a row for each prior."""

import math
from typing import Any

import numpy as np

from refloss._engine.coding import CODINGS
from refloss._engine.record import Array
from refloss.criteria._flat import Flat
from refloss.criteria._targets import Truth

from .._keras import ops
from ._encoder import Encoder
from ._loss import CriterionLoss


class FlatEncoder(Encoder):
    """Rows: the four codes (or the box, if the box loss is of boxes) of the prior's truth, then its class, NEGATIVE or IGNORE."""

    core: Flat
    columns = 5

    def __init__(self, core: Flat, dtype: str) -> None:
        super().__init__(core, dtype)
        self.shape = (len(core.priors), self.columns)

    def _fill(self, rows: Array, truth: Truth) -> None:
        core, assignment = self.core, self.core._assign({}, truth)
        positive = np.flatnonzero(assignment.positive)
        boxes = assignment.boxes(truth.boxes)
        rows[positive, :4] = boxes if core.on_boxes else core.coder.encode(boxes, core.rows(self.dtype)[positive])
        rows[:, 4] = assignment.labels(truth.labels, core.classes)
        self._fill_more(rows, truth, assignment)

    def _fill_more(self, rows: Array, truth: Truth, assignment: Any) -> None:
        """Further columns."""


class FlatLoss(CriterionLoss):
    """y_pred: (images, priors, 4 + ...), the codes first."""

    coding: str
    encode: Any = FlatEncoder

    def encoder(self) -> Encoder:
        made: Encoder = self.encode(self.core, self.dtype)
        return made

    def _prepare(self) -> None:
        self._rows = self._constant(self.core.rows(self.dtype))

    def _channels(self) -> tuple[int, ...]:
        return len(self.core.priors), sum(max(1, count) for count in self.core.numbers.values())

    def _layout(self) -> str:
        return "give each prior its four codes, then the logits of the classes"

    def _outputs(self, y_pred: Array) -> dict[str, Array]:
        return {"codes": y_pred[..., :4], "classes": y_pred[..., 4:]}

    def _labels(self, y_true: Any) -> tuple[Any, Any]:
        """Labels (images, priors) as integers, and which rows are positive."""
        labels = ops.cast(ops.round(y_true[..., 4]), "int32")
        return labels, labels >= 0

    def _number(self, truth: Any) -> Any:
        return ops.cast(truth, self.dtype)

    def _box(self, codes: Any, wanted: Any, positive: Any, weights: Any = 1.0) -> Any:
        """(images,) the box loss of positive priors, summed. weights: of what the loss is of."""
        core, xp = self.core, self.xp
        first = xp.where(positive[..., None], codes, 0)  # of the others nothing may overflow
        if core.on_boxes:
            parameters = {key: getattr(core.coder, key) for key in CODINGS[self.coding].defaults}
            first = CODINGS[self.coding].formula(xp, first, ops.convert_to_tensor(self._rows), **parameters)
        value = self._loss(core.box_loss.name, first, wanted, **core._parameters)
        counted = self._number(positive)
        if core.on_boxes:
            value = xp.where(ops.all(ops.isfinite(first), axis=-1), value, math.nan)  # as in the criterion
            return ops.sum(value * counted * weights, axis=1)
        return ops.sum(value * counted[..., None] * weights, axis=(1, 2))

"""FCOS's loss for Keras."""

import math
from typing import Any

import numpy as np

from refloss import criteria
from refloss._engine.record import Array
from refloss.criteria._targets import Truth
from refloss.criteria.fcos import LEAST_CENTERNESS

from .._keras import ops
from ._flat import FlatEncoder, FlatLoss
from ._loss import registered


class FCOSEncoder(FlatEncoder):
    """One column more: the centerness."""

    columns = 6

    def _fill_more(self, rows: Array, truth: Truth, assignment: Any) -> None:
        rows[np.flatnonzero(assignment.positive), 5] = self.core._centerness(truth, assignment)  # type: ignore[attr-defined]


@registered
class FCOS(FlatLoss):
    """`refloss.criteria.FCOS` as a Keras loss; arguments, dialects and terms are its.

    y_pred: (images, priors, 5 + classes), of each location the four codes, the centerness's logit, then the logits of the classes, in
    the order given. y_true: `encoder()`, (priors, 6). How it is reduced: see `CriterionLoss`.
    With activation="linear" codes must be >= 0, as a head ends that has a ReLU: a graph cannot raise, so codes of a positive location
    that make no box (left + right or top + bottom below 0) make the loss NaN.
    """

    make = criteria.FCOS
    coding = "ltrb_coder.decode"
    encode = FCOSEncoder

    def _layout(self) -> str:
        return "give each location its four codes, its centerness, then the logits of the classes"

    def _outputs(self, y_pred: Array) -> dict[str, Array]:
        return {"codes": y_pred[..., :4], "centerness": y_pred[..., 4], "classes": y_pred[..., 5:]}

    def _shares(self, y_true: Any, y_pred: Any) -> dict[str, Any]:
        core, (labels, positive), centre = self.core, self._labels(y_true), y_true[..., 5]
        images, counted = self._images(y_pred), self._number(positive)
        each = of_boxes = self._divisor(ops.sum(counted, axis=1), images)
        if core.weigh_by_centerness and isinstance(core.normalizer, str):
            of_boxes = self._divisor(ops.sum(centre, axis=1), images, LEAST_CENTERNESS)
        # 2
        classes = self._loss("focal_loss_with_integer_labels", y_pred[..., 5:], labels, alpha=core.alpha, gamma=core.gamma)
        # 4
        logits = self.xp.where(positive, y_pred[..., 4], 0)  # of the others not even NaN counts
        centerness = self._loss("binary_cross_entropy", logits, centre) * counted
        # 3
        codes = self._distances(y_pred[..., :4])
        box = core.box_weight * self._box(codes, y_true[..., :4], positive, centre if core.weigh_by_centerness else 1.0)
        return {
            "box": box / of_boxes, "classes": ops.sum(classes, axis=(1, 2)) / each, "centerness": ops.sum(centerness, axis=1) / each,
        }  # fmt: skip

    def _distances(self, codes: Any) -> Any:
        """What the coder takes."""
        xp, activation = self.xp, self.core.activation
        if activation == "relu":
            return xp.where(codes <= 0, 0, codes)  # NaN stays
        if activation == "linear":
            box = ops.all(codes[..., :2] + codes[..., 2:] >= 0, axis=-1, keepdims=True)
            return xp.where(box, codes, math.nan)
        return codes

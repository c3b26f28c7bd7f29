"""SSD's loss for Keras."""

import math
from typing import Any

import numpy as np

from refloss import criteria
from refloss._engine.check import NEGATIVE
from refloss._engine.record import Array
from refloss.criteria._targets import Truth

from .._keras import ops
from ._flat import FlatEncoder, FlatLoss
from ._loss import registered


class SSDEncoder(FlatEncoder):
    """Instead of the class its column in the logits."""

    def _fill_more(self, rows: Array, truth: Truth, assignment: Any) -> None:
        columns = self.core._columns  # type: ignore[attr-defined]
        rows[:, 4] = np.where(rows[:, 4] >= 0, columns[rows[:, 4].astype(np.int64)], rows[:, 4])


@registered
class SSD(FlatLoss):
    """`refloss.criteria.SSD` as a Keras loss; arguments, dialects and terms are its.

    y_pred: (images, priors, 4 + 1 + classes), of each prior the four codes, then the logits of background and classes, priors in the
    order given. y_true: `encoder()`, (priors, 5). How it is reduced: see `CriterionLoss`. The mining sorts the priors of each image.
    """

    make = criteria.SSD
    coding = "delta_coder.decode"
    encode = SSDEncoder

    def _shares(self, y_true: Any, y_pred: Any) -> dict[str, Any]:
        core, xp, (labels, positive) = self.core, self.xp, self._labels(y_true)
        matched = ops.sum(self._number(positive), axis=1)
        divisor = self._divisor(matched, self._images(y_pred))
        # 2
        box = core.alpha * self._box(y_pred[..., :4], y_true[..., :4], positive)
        # 3
        losses = self._loss("softmax_cross_entropy_with_integer_labels", y_pred[..., 4:], ops.where(positive, labels, core.background))
        mined = self._mined(xp.stop_gradient(losses), labels, positive, matched)
        # 4
        times = self._number(positive) + self._number(mined)
        return {"box": box / divisor, "classes": ops.sum(losses * times, axis=1) / divisor}

    def _mined(self, losses: Any, labels: Any, positive: Any, matched: Any) -> Any:
        """As `refloss.mining.hard_negatives`. All sorts of Keras's backends are stable: of equal losses the smaller prior counts first."""
        core = self.core
        paper = core.mining == "paper"
        able = labels == NEGATIVE if paper else ops.logical_not(positive)
        order = ops.argsort(self.xp.where(able, -losses, math.inf), axis=1)
        rank = ops.cast(ops.argsort(order, axis=1), self.dtype)
        wanted = core.ratio * matched
        wanted = self.xp.maximum(ops.floor(wanted), float(core.min_negatives)) if paper else ops.ceil(wanted)
        mined = rank < wanted[:, None]
        return ops.logical_and(mined, able) if paper else mined

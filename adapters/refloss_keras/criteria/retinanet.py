"""RetinaNet's loss for Keras."""

from typing import Any

from refloss import criteria

from .._keras import ops
from ._flat import FlatLoss
from ._loss import registered


@registered
class RetinaNet(FlatLoss):
    """`refloss.criteria.RetinaNet` as a Keras loss; arguments, dialects and terms are its.

    y_pred: (images, priors, 4 + classes), of each prior the four codes, then the logits of the classes, priors in the order given:
    with anchors last in a head's channels, reshape each level's (images, rows, columns, anchors (4 + classes)) to rows of 4 + classes
    and concatenate. y_true: `encoder()`, (priors, 5). How it is reduced: see `CriterionLoss`.
    """

    make = criteria.RetinaNet
    coding = "delta_coder.decode"

    def _shares(self, y_true: Any, y_pred: Any) -> dict[str, Any]:
        core, (labels, positive), wanted = self.core, self._labels(y_true), y_true[..., :4]
        divisor = self._divisor(ops.sum(self._number(positive), axis=1), self._images(y_pred))
        # 2
        logits = y_pred[..., 4:]
        classes = self._loss("focal_loss_with_integer_labels", logits, labels, alpha=core.alpha, gamma=core.gamma)
        # 3
        weights = 1.0 if core.zeros_count or core.on_boxes else self._number(wanted != 0)
        box = core.box_weight * self._box(y_pred[..., :4], wanted, positive, weights)
        return {"box": box / divisor, "classes": ops.sum(classes, axis=(1, 2)) / divisor}

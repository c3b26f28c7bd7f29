"""RetinaNet's loss."""

import math
from collections.abc import Sequence
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import ArrayLike

from .. import assign
from .._engine import check as checks
from .._engine.record import Array
from ..assign.assignment import Assignment, from_index
from ..coders import DeltaCoder
from ..losses import focal_loss_with_integer_labels
from ._criterion import Normalizer, Outside, Parts, choices, flags, summed
from ._flat import BoxLoss, Flat, each_image_at_least_one, one_more
from ._targets import Truth
from ._yolo import sigmoid

CLIP = math.log(1000 / 16)
_LIBRARY = {
    "negative_threshold": 0.4, "low_quality_matches": "torchvision", "gamma": 2.0, "box_loss": "l1", "beta": 1.0,
    "box_weight": 1.0, "zeros_count": True, "wh_clip": CLIP,
}  # fmt: skip
DIALECTS: dict[str, dict[str, Any]] = {
    "paper": {**_LIBRARY, "low_quality_matches": None, "box_loss": "smooth_l1", "normalizer": "batch", "wh_clip": math.inf},
    "torchvision": {**_LIBRARY, "normalizer": "image"},
    "mmdet": {**_LIBRARY, "low_quality_matches": "mmdet", "normalizer": each_image_at_least_one},
    "detectron2": {**_LIBRARY, "box_loss": "smooth_l1", "beta": 0.1, "normalizer": "batch"},
    "automl": {
        **_LIBRARY, "negative_threshold": 0.5, "low_quality_matches": "automl", "gamma": 1.5, "box_loss": "huber", "beta": 0.1,
        "box_weight": 50 / 4, "zeros_count": False, "normalizer": one_more, "wh_clip": math.inf,
    },
}  # fmt: skip


class RetinaNet(Flat):
    """RetinaNet (Lin et al. 2017, sections 3 and 4), summed over the priors of the batch and divided by N = max(1, positives):

    1. matching: a prior whose largest IoU with a truth is >= 0.5 belongs to it, one below 0.4 is background, others are ignored;
    2. classes: sigmoid focal loss, alpha 0.25, gamma 2, of every class of every prior that is not ignored;
    3. box: smooth L1 (beta 1, as in Fast R-CNN) of the four codes of the positive priors.

    Arguments:
        classes: how many; there is no background among them.
        priors: (n, 4) xyxy pixels, such as `refloss.priors.retinanet_anchors(image_size)`, in the order of the outputs.
        image_size: pixels, of a square or as (height, width).
        dialect: an argument that is None is the dialect's.
            "paper": as above. The paper does not print the divisor of 3; N, as all the others.
            "torchvision": each truth also has the priors that overlap it most; plain L1; each image is divided by
                max(1, its positives), then the mean over images is taken.
            "mmdet": the same matching, but such a prior takes that truth; L1; N is the sum of max(1, positives of an image).
            "detectron2": matching as torchvision; smooth L1 with beta 0.1. Its N is a moving average over batches, which is no
                function of one: pass normalizer=MovingAverage() for it; without, N is the batch's.
            "automl" (EfficientDet): one best prior of each truth (one that is best for several goes to the first; one that meets none
                takes prior 0), and priors at IoU >= 0.5, none ignored; gamma 1.5; Huber's loss (delta 0.1), a quarter of it, times
                50, without the codes whose target is exactly 0; N is positives + 1.
        alpha, gamma: of 2. positive_threshold, negative_threshold: of 1.
        low_quality_matches: True, False, or the dialect's.
        box_loss: "smooth_l1", "l1" or "huber" of the codes; or of the boxes they stand for "giou" (torchvision's second version), "iou",
            "log_iou". beta: where smooth L1's square ends, or Huber's delta. eps: of the last three. box_weight: of 3.
        weights: of the codes. wh_clip: the largest logarithm of a size that `decode` takes; inf is no limit.
        normalizer, outside, check: see `Criterion`.

    Outputs: {"classes": (images, n, classes) logits, "codes": (images, n, 4)}. Targets: for each image {"gt_boxes": (m, 4) xyxy pixels,
    "gt_labels": (m,)}, or padded arrays with counts. Truths without area match nothing in any dialect.

    >>> criterion = RetinaNet(1, [[0.0, 0.0, 10.0, 10.0], [20.0, 20.0, 30.0, 30.0]], 30)
    >>> outputs = {"classes": np.zeros((1, 2, 1)), "codes": np.zeros((1, 2, 4))}
    >>> terms = criterion(outputs, [{"gt_boxes": [[1.0, 0.0, 11.0, 10.0]], "gt_labels": [0]}])  # codes (0.1, 0, 0, 0)
    >>> {name: round(float(value), 6) for name, value in terms.items()}  # 0.1^2 / 2; (0.25 + 0.75) ln(2) / 4
    {'box': 0.005, 'classes': 0.173287}

    Elsewhere: mmdet adds 1.2e-7 to N, and clips sizes below too; google/automl also cuts the class loss of each level at 2, which is
    not repeated; keras-hub has loss 0 in a batch without objects.
    """

    terms: ClassVar[dict[str, str]] = {"box": "codes", "classes": "classes"}

    def __init__(
        self, classes: int, priors: ArrayLike, image_size: int | tuple[int, int], *,
        dialect: Literal["paper", "torchvision", "mmdet", "detectron2", "automl"] = "paper",
        alpha: float = 0.25, gamma: float | None = None, positive_threshold: float = 0.5, negative_threshold: float | None = None,
        low_quality_matches: bool | None = None, box_loss: BoxLoss | None = None,
        beta: float | None = None, eps: float = 1e-7, box_weight: float | None = None, weights: Sequence[float] = (1.0, 1.0, 1.0, 1.0),
        wh_clip: float | None = None, normalizer: Normalizer | None = None, outside: Outside = "error", check: bool = False,
    ) -> None:  # fmt: skip
        chosen = choices(
            "RetinaNet", dialect, DIALECTS, gamma=gamma, negative_threshold=negative_threshold, box_loss=box_loss, beta=beta,
            box_weight=box_weight, wh_clip=wh_clip, normalizer=normalizer,
        )  # fmt: skip
        super().__init__(classes, priors, image_size, normalizer=chosen["normalizer"], outside=outside, check_outputs=check)
        self.dialect, self.zeros_count = dialect, chosen["zeros_count"]
        self.alpha, self.gamma = alpha, chosen["gamma"]
        self.positive_threshold, self.negative_threshold = positive_threshold, chosen["negative_threshold"]
        flags("RetinaNet", low_quality_matches=low_quality_matches)
        self.low_quality_matches = chosen["low_quality_matches"] is not None if low_quality_matches is None else low_quality_matches
        self.low_quality_dialect: Any = chosen["low_quality_matches"] or "paper"
        self._set_box_loss(chosen["box_loss"], beta=chosen["beta"], eps=eps)
        self.box_weight = checks.number("RetinaNet", "box_weight", chosen["box_weight"], 0.0, 1e30, "1 is the paper's")
        self.coder = DeltaCoder(weights=weights, wh_clip=chosen["wh_clip"])  # type: ignore[arg-type]
        # Whoever takes these arguments checks them: asked once here, so that a wrong one is known before the first batch.
        self._matched(self.rows(np.float64)[:1], np.empty((0, 4)))
        focal_loss_with_integer_labels.setting(alpha=alpha, gamma=self.gamma)

    def _matched(self, priors: Array, gt_boxes: Array) -> Assignment:
        """1."""
        automl = self.low_quality_dialect == "automl"
        found = assign.max_iou(
            priors, gt_boxes, positive_threshold=self.positive_threshold, negative_threshold=self.negative_threshold,
            low_quality_matches=self.low_quality_matches and not automl, dialect="paper" if automl else self.low_quality_dialect,
        )  # fmt: skip
        if not (automl and self.low_quality_matches):
            return found
        # The best prior of each truth alone. There the last of several truths has it, and in automl the first: so they go backwards.
        best = assign.ssd(priors, gt_boxes[::-1], threshold=1.0, dialect="torchvision").gt_index
        return from_index(np.where(best >= 0, len(gt_boxes) - 1 - best, found.gt_index))

    def _box(self, codes: Array, priors: Array, boxes: Array, divisor: float) -> tuple[float, Array]:
        """3."""
        weights = None if self.zeros_count or self.on_boxes else self.coder.encode(boxes, priors) != 0
        value, slope = self._regression(codes, priors, boxes, divisor=divisor, weights=weights)
        return self.box_weight * value, self.box_weight * slope

    def _image(self, image: Parts, truth: Truth, assignment: Assignment, divisor: float, gradient: Parts) -> dict[str, float]:
        labels = assignment.labels(truth.labels, self.classes)
        # 2
        classes = summed(
            focal_loss_with_integer_labels, image["classes"], labels, divisor=divisor, gradient=gradient.get("classes"),
            alpha=self.alpha, gamma=self.gamma,
        )  # fmt: skip
        # 3
        positive = np.flatnonzero(assignment.positive)
        priors, boxes = self.rows(truth.boxes.dtype)[positive], assignment.boxes(truth.boxes)
        box, slope = self._box(image["codes"][positive], priors, boxes, divisor)
        if gradient:
            gradient["codes"][positive] = slope
        return {"box": box, "classes": classes}

    def _scores(self, parts: Parts) -> Array:
        """Class probabilities."""
        return sigmoid(parts["classes"])

"""FCOS's loss."""

import math
from collections.abc import Sequence
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import ArrayLike

from .. import assign
from .._engine import check as checks
from .._engine.record import Array
from ..assign.assignment import Assignment
from ..coders import LTRBCoder
from ..errors import bad_value
from ..losses import binary_cross_entropy, focal_loss_with_integer_labels
from ..priors import FCOS_SIZE_RANGES
from ._criterion import Detections, Normalizer, Outside, Parts, choices, summed
from ._flat import BoxLoss, Flat
from ._targets import Truth
from ._yolo import sigmoid

_LIBRARY = {
    "matching": "torchvision", "radius": 1.5, "normalize": True, "activation": "linear", "box_loss": "giou", "eps": 1e-7,
    "weigh_by_centerness": False, "score": "geometric", "normalizer": "batch",
}  # fmt: skip
DIALECTS: dict[str, dict[str, Any]] = {
    "paper": {**_LIBRARY, "matching": "paper", "activation": "exp", "eps": 0.0},
    "torchvision": _LIBRARY,
    "mmdet": {
        **_LIBRARY, "matching": "mmdet", "radius": math.inf, "normalize": False, "activation": "exp", "box_loss": "log_iou", "eps": 0.0,
        "weigh_by_centerness": True, "score": "product",
    },
    "detectron2": {**_LIBRARY, "activation": "relu"},
}  # fmt: skip
LEAST_CENTERNESS = 1e-6  # mmdet's least divisor


class FCOS(Flat):
    """FCOS (Tian et al. 2019, section 3, and its journal version of 2020), summed over the locations of the batch and divided by
    N = max(1, positives):

    1. matching: a location belongs to the smallest of the truths it lies in, near the centre, in its scale's range of sizes;
    2. classes (eq. 2): sigmoid focal loss, alpha 0.25, gamma 2, of every class of every location;
    3. box (eq. 2): GIoU loss of the positive locations' boxes, which lie exp(code) strides to the left, above, right, below;
    4. centerness (eq. 3): binary cross entropy with sqrt(min(l, r) / max(l, r) min(t, b) / max(t, b)) at the positive locations.

    Arguments:
        classes: how many; there is no background among them.
        priors: (n, 3), rows (x, y, stride), such as `refloss.priors.fcos_locations(image_size)`, in the order of the outputs.
        image_size: pixels, of a square or as (height, width).
        dialect: an argument that is None is the dialect's.
            "paper": as above, the journal version. The first version: radius=inf, normalize=False, box_loss="log_iou", score="product".
            "torchvision": 1 as its assigner (see `refloss.assign.fcos`); 3 of codes that are strides already: the head ends in a ReLU.
            "mmdet": no centre sampling; 3 is -ln(IoU), in exp(code) pixels, weighted by the centerness of 4 and divided by the batch's
                sum of that (at least 1e-6).
            "detectron2": torchvision's with the ReLU in 3. Its N is a moving average over batches, which is no function of one: pass
                normalizer=MovingAverage(300) for it; without, N is the batch's.
        alpha, gamma: of 2. size_ranges, radius: of 1; radius=inf is without centre sampling.
        normalize: codes are in strides; False: in pixels. activation: "exp"; "linear", of codes >= 0; or "relu", max(0, code).
        box_loss: "giou", "iou" or "log_iou" (-ln IoU). eps: of its denominators. box_weight: of 3, the paper's lambda.
        weigh_by_centerness: as in mmdet; normalizer="image" then takes each image's own sum, and a number or function is for 3 too.
        score: what a class probability p becomes by the centerness c: "geometric", sqrt(p c); or "product", p c.
        normalizer, outside, check: see `Criterion`.

    Outputs: {"classes": (images, n, classes) logits, "codes": (images, n, 4), "centerness": (images, n) logits}. Targets: for each image
    {"gt_boxes": (m, 4) xyxy pixels, "gt_labels": (m,)}, or padded arrays with counts.

    >>> criterion = FCOS(1, [[4.0, 4.0, 8.0], [12.0, 4.0, 8.0]], 16, size_ranges=((0, 64),))
    >>> outputs = {"classes": np.zeros((1, 2, 1)), "codes": np.zeros((1, 2, 4)), "centerness": np.zeros((1, 2))}
    >>> terms = criterion(outputs, [{"gt_boxes": [[0.0, 0.0, 8.0, 8.0]], "gt_labels": [0]}])  # predicted: 8 pixels to each side
    >>> {name: round(float(value), 6) for name, value in terms.items()}  # 1 - 64 / 256; (0.25 + 0.75) ln(2) / 4; ln 2
    {'box': 0.75, 'classes': 0.173287, 'centerness': 0.693147}

    Elsewhere: the authors' first code computes -ln((I + 1) / (U + 1)); mmdet adds 1.2e-7 to its divisors.
    """

    terms: ClassVar[dict[str, str]] = {"box": "codes", "classes": "classes", "centerness": "centerness"}
    prior_size = 3

    def __init__(
        self, classes: int, priors: ArrayLike, image_size: int | tuple[int, int], *,
        dialect: Literal["paper", "torchvision", "mmdet", "detectron2"] = "paper", alpha: float = 0.25, gamma: float = 2.0,
        size_ranges: Sequence[tuple[float, float]] = FCOS_SIZE_RANGES, radius: float | None = None, normalize: bool | None = None,
        activation: Literal["exp", "linear", "relu"] | None = None, box_loss: BoxLoss | None = None, eps: float | None = None,
        box_weight: float = 1.0, weigh_by_centerness: bool | None = None, score: Literal["geometric", "product"] | None = None,
        normalizer: Normalizer | None = None, outside: Outside = "error", check: bool = False,
    ) -> None:  # fmt: skip
        chosen = choices(
            "FCOS", dialect, DIALECTS, radius=radius, normalize=normalize, activation=activation, box_loss=box_loss, eps=eps,
            weigh_by_centerness=weigh_by_centerness, score=score, normalizer=normalizer,
        )  # fmt: skip
        super().__init__(classes, priors, image_size, normalizer=chosen["normalizer"], outside=outside, check_outputs=check)
        self.numbers["centerness"] = 0
        self.dialect, self.matching, self.size_ranges = dialect, chosen["matching"], size_ranges
        self.radius = None if chosen["radius"] == math.inf else chosen["radius"]
        self.alpha, self.gamma, self.weigh_by_centerness = alpha, gamma, chosen["weigh_by_centerness"]
        self.activation, self.score = chosen["activation"], chosen["score"]
        checks.choice("FCOS", "activation", self.activation, ("exp", "linear", "relu"))
        checks.choice("FCOS", "score", self.score, ("geometric", "product"))
        checks.choice("FCOS", "box_loss", chosen["box_loss"], ("giou", "iou", "log_iou"))
        self._set_box_loss(chosen["box_loss"], beta=1.0, eps=chosen["eps"])
        self.box_weight = checks.number("FCOS", "box_weight", box_weight, 0.0, 1e30, "1 is the paper's")
        self.coder = LTRBCoder(normalize=chosen["normalize"], activation="exp" if self.activation == "exp" else "linear")
        # Whoever takes these arguments checks them: asked once here, so that a wrong one is known before the first batch.
        self._matched(self.priors, np.empty((0, 4), self.priors.dtype))
        focal_loss_with_integer_labels.setting(alpha=alpha, gamma=gamma)

    def _matched(self, priors: Array, gt_boxes: Array) -> Assignment:
        return assign.fcos(priors, gt_boxes, size_ranges=self.size_ranges, radius=self.radius, dialect=self.matching)  # 1

    def _centerness(self, truth: Truth, assignment: Assignment) -> Array:
        """Of each positive location: 1 in the middle of its truth, 0 at the edge."""
        boxes, places = assignment.boxes(truth.boxes), self.rows(truth.boxes.dtype)[assignment.positive]
        sides = LTRBCoder(normalize=False).encode(boxes, places).reshape(-1, 2, 2)  # (l, t), (r, b)
        ratios: Array = (sides.min(axis=1) / sides.max(axis=1)).prod(axis=1)
        return np.sqrt(ratios)

    def _shares(self, given: list[Truth], assignments: list[Assignment]) -> list[Any]:
        counts = super()._shares(given, assignments)
        if not self.weigh_by_centerness or not isinstance(self.normalizer, str):
            return list(zip(counts, counts, strict=True))
        sums = [float(self._centerness(truth, assignment).sum()) for truth, assignment in zip(given, assignments, strict=True)]
        return list(zip(counts, self._divisors(sums, LEAST_CENTERNESS), strict=True))

    def _image(self, image: Parts, truth: Truth, assignment: Assignment, divisor: tuple[float, float], gradient: Parts) -> dict[str, float]:
        positive = np.flatnonzero(assignment.positive)
        each, of_boxes = divisor
        # 2
        labels = assignment.labels(truth.labels, self.classes)
        classes = summed(
            focal_loss_with_integer_labels, image["classes"], labels, divisor=each, gradient=gradient.get("classes"),
            alpha=self.alpha, gamma=self.gamma,
        )  # fmt: skip
        # 4
        centre, logits = self._centerness(truth, assignment), image["centerness"][positive]
        centre_slope = np.empty_like(logits)
        centerness = summed(binary_cross_entropy, logits, centre, divisor=each, gradient=centre_slope)
        # 3
        codes, priors = image["codes"][positive], self.rows(truth.boxes.dtype)[positive]
        box, slope = self._regression(
            self._distances(codes, positive), priors, assignment.boxes(truth.boxes), divisor=of_boxes,
            weights=centre if self.weigh_by_centerness else None,
        )  # fmt: skip
        if gradient:
            gradient["centerness"][positive] = centre_slope
            gradient["codes"][positive] = self.box_weight * slope * (codes > 0 if self.activation == "relu" else 1)
        return {"box": self.box_weight * box, "classes": classes, "centerness": centerness}

    def _distances(self, codes: Array, index: Array | None = None) -> Array:
        """What the coder takes: codes after the ReLU; without one they make boxes only where both sides together are positive."""
        if self.activation == "relu":
            return np.maximum(codes, 0)
        if self.activation == "linear":
            wrong = (codes[..., :2] + codes[..., 2:] < 0).any(axis=-1)
            if wrong.any():
                at = tuple(int(i) for i in np.argwhere(wrong)[0])
                prior = at[-1] if index is None else int(index[at[-1]])
                got = f"{codes[at].tolist()} at prior {prior}"
                way_out = 'end the head in a ReLU, or say activation="relu"'
                bad_value(type(self).__name__, "outputs['codes']", "distances >= 0", got, way_out)
        return codes

    def _boxes(self, parts: Parts) -> Array:
        return super()._boxes({"codes": self._distances(parts["codes"])})

    def _scores(self, parts: Parts) -> Array:
        """Class probabilities, lowered where the location is far from the middle of its box."""
        scores = sigmoid(parts["classes"])
        scores *= sigmoid(parts["centerness"])[..., None]
        return np.sqrt(scores, out=scores) if self.score == "geometric" else scores

    def select(
        self, outputs: Any, *, score_threshold: float = 0.05, iou_threshold: float = 0.6, max_detections: int = 100
    ) -> list[Detections]:
        """The detections of each image; the defaults are the authors' code's."""
        return super().select(outputs, score_threshold=score_threshold, iou_threshold=iou_threshold, max_detections=max_detections)

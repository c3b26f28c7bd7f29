"""SSD's loss."""

import math
from collections.abc import Sequence
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import ArrayLike

from .. import assign
from .._engine import check as checks
from .._engine.check import NEGATIVE
from .._engine.record import Array
from ..assign.assignment import Assignment
from ..assign.ssd import matched
from ..coders import DeltaCoder
from ..losses import softmax_cross_entropy_with_integer_labels as cross_entropy
from ..mining import hard_negatives
from ..mining.of_logits import hardest
from ._criterion import Detections, Normalizer, Outside, Parts, choices, summed_rows
from ._flat import Flat, background_of, columns_of, each_image_at_least_one, softmax
from ._targets import Truth

CLIP = math.log(1000 / 16)
DIALECTS: dict[str, dict[str, Any]] = {
    "paper": {"matching": "paper", "mining": "paper", "background": 0, "normalizer": "batch", "wh_clip": math.inf},
    "torchvision": {"matching": "torchvision", "mining": "torchvision", "background": 0, "normalizer": "batch", "wh_clip": CLIP},
    "mmdet": {"matching": "torchvision", "mining": "paper", "background": -1, "normalizer": each_image_at_least_one, "wh_clip": CLIP},
}


class SSD(Flat):
    """SSD (Liu et al. 2016, section 2.2): L = (L_conf + alpha L_loc) / N, N the matched priors of the batch; 0 where N is 0.

    1. matching: each truth gets the prior that overlaps it most, then every prior with an IoU >= 0.5 its truth;
    2. box, L_loc (eq. 2): smooth L1 of the four codes ((cx, cy) offsets / 0.1, log sizes / 0.2) of the matched priors;
    3. mining: of each image's other priors, the 3 N_i with the largest cross entropy of "background" count;
    4. classes, L_conf (eq. 3): softmax cross entropy of the matched priors, and of the background at the mined ones.

    Arguments:
        classes: how many, without the background.
        priors: (n, 4) xyxy pixels, such as `refloss.priors.ssd_default_boxes(**SSD300)`, in the order of the outputs.
        image_size: pixels, of a square or as (height, width).
        dialect: "paper"; "torchvision" (1: a truth may lose its prior to a later one, and one that meets no prior gets prior 0;
            3: where negatives run out positives are mined too, and count twice); or "mmdet" (1 as torchvision; N is the sum of
            max(1, N_i); the background is the last column). An argument that is None is the dialect's.
        alpha: weight of L_loc. beta: of smooth L1. threshold: of 1. ratio: negatives for each positive, in 3.
        min_negatives: of each image, in 3; with it an image without objects has a loss, and N is at least 1. Not in torchvision's.
        weights: of the codes; the inverses of the variances (0.1, 0.1, 0.2, 0.2).
        wh_clip: the largest logarithm of a size that `decode` takes; inf is no limit, ln(1000 / 16) the two libraries'.
        background: its column in the logits, 0 first, -1 last.
        normalizer, outside, check: see `Criterion`.

    Outputs: {"classes": (images, n, classes + 1) logits, "codes": (images, n, 4)}. Targets: for each image {"gt_boxes": (m, 4) xyxy
    pixels, "gt_labels": (m,) in [0, classes)}, or padded arrays with counts. Truths without area match nothing in any dialect.
    NaN in the classes is the hardest negative of all: in an image with positives the loss is NaN, so that a step can be skipped.

    >>> criterion = SSD(1, [[0.0, 0.0, 10.0, 10.0], [20.0, 20.0, 30.0, 30.0]], 30)
    >>> outputs = {"classes": np.zeros((1, 2, 2)), "codes": np.zeros((1, 2, 4))}
    >>> terms = criterion(outputs, [{"gt_boxes": [[0.5, 0.0, 10.5, 10.0]], "gt_labels": [0]}])  # codes (0.5, 0, 0, 0)
    >>> {name: round(float(value), 6) for name, value in terms.items()}  # 0.5^2 / 2; 2 ln 2
    {'box': 0.125, 'classes': 1.386294}

    Elsewhere: torchvision's labels begin with 1, the background being 0; mmdet adds 1.2e-7 to N in L_loc, and clips sizes below too.
    """

    terms: ClassVar[dict[str, str]] = {"box": "codes", "classes": "classes"}

    def __init__(
        self, classes: int, priors: ArrayLike, image_size: int | tuple[int, int], *,
        dialect: Literal["paper", "torchvision", "mmdet"] = "paper", alpha: float = 1.0, beta: float = 1.0, threshold: float = 0.5,
        ratio: float = 3.0, min_negatives: int = 0, weights: Sequence[float] = (10.0, 10.0, 5.0, 5.0), wh_clip: float | None = None,
        background: int | None = None, normalizer: Normalizer | None = None, outside: Outside = "error", check: bool = False,
    ) -> None:  # fmt: skip
        chosen = choices("SSD", dialect, DIALECTS, wh_clip=wh_clip, background=background, normalizer=normalizer)
        super().__init__(classes, priors, image_size, normalizer=chosen["normalizer"], outside=outside, check_outputs=check)
        self.dialect, self.matching, self.mining = dialect, chosen["matching"], chosen["mining"]
        self.alpha = checks.number("SSD", "alpha", alpha, 0.0, 1e30, "1 is the paper's")
        self.threshold, self.ratio, self.min_negatives = threshold, ratio, min_negatives
        self._set_box_loss("smooth_l1", beta=beta, eps=0.0)
        self.coder = DeltaCoder(weights=weights, wh_clip=chosen["wh_clip"])  # type: ignore[arg-type]
        self.background = background_of("SSD", chosen["background"], self.classes)
        self.numbers["classes"] = self.classes + 1
        self._columns = columns_of(self.classes, self.background)
        # Whoever takes these arguments checks them: asked once here, so that a wrong one is known before the first batch.
        none = assign.ssd(self.priors[:1], [], threshold=threshold, dialect=self.matching)
        hard_negatives(np.zeros(1), none, ratio=ratio, min_negatives=min_negatives, dialect=self.mining)

    def _way_out(self, part: str) -> str:
        return f"there are {self.classes} classes and the background" if part == "classes" else super()._way_out(part)

    def _matched(self, priors: Array, gt_boxes: Array) -> Assignment:
        return matched(priors, gt_boxes, self.threshold, self.matching)  # 1

    def _batch(
        self, parts: Parts, given: list[Truth], assignments: list[Assignment], divisors: list[float], gradient: Parts
    ) -> dict[str, float]:
        """All images at once, in rows: a prior of an image. Lists of the rows that count are short, arrays of all rows are bytes."""
        n, logits, codes = len(self.priors), parts["classes"].reshape(-1, self.classes + 1), parts["codes"].reshape(-1, 4)
        slopes = {part: values.reshape(-1, values.shape[-1]) for part, values in gradient.items()}
        boxes, labels = (np.concatenate(values) for values in zip(*given, strict=True))
        starts = np.cumsum([0, *map(len, (truth.labels for truth in given[:-1]))])
        image = np.repeat(np.arange(len(given)), [len(assignment.pairs) for assignment in assignments])
        prior, truth = np.concatenate([assignment.pairs for assignment in assignments]).T
        row, truth = n * image + prior, starts[image] + truth
        # 3
        index = np.full((len(given), n), NEGATIVE, np.int8)
        index.reshape(-1)[row] = 0  # a truth, whichever
        rule = {"ratio": self.ratio, "min_negatives": self.min_negatives, "dialect": self.mining}
        times = hardest(parts["classes"], index, background=self.background, **rule).reshape(-1).view(np.uint8)
        times[row] += 1
        counted = np.flatnonzero(times > 0)
        columns = np.full(len(counted), self.background)
        columns[np.searchsorted(counted, row)] = self._columns[labels[truth]]
        total = dict.fromkeys(self.terms, 0.0)
        by = np.array(divisors)
        for divisor in dict.fromkeys(divisors):  # mostly one
            # 2
            of = by[image] == divisor
            box, slope = self._regression(codes[row[of]], self.rows(boxes.dtype)[prior[of]], boxes[truth[of]], divisor=divisor)
            total["box"] += self.alpha * box
            if gradient:
                slopes["codes"][row[of]] = self.alpha * slope
            # 4
            of = by[counted // n] == divisor
            rows = counted[of]
            total["classes"] += summed_rows(
                cross_entropy, logits, columns[of], rows, divisor=divisor, weights=times[rows], gradient=slopes.get("classes")
            )
        return total

    def _scores(self, parts: Parts) -> Array:
        """Class probabilities, without the background's."""
        return np.delete(softmax(parts["classes"]), self.background, axis=-1)

    def select(
        self, outputs: Any, *, score_threshold: float = 0.01, iou_threshold: float = 0.45, max_detections: int = 200
    ) -> list[Detections]:
        """The detections of each image; the defaults are the paper's (section 3.7)."""
        return super().select(outputs, score_threshold=score_threshold, iou_threshold=iou_threshold, max_detections=max_detections)

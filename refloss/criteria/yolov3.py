"""YOLOv3's loss."""

from collections.abc import Sequence
from typing import ClassVar, Literal

import numpy as np

from ..assign.assignment import Assignment
from ..assign.yolov3 import yolov3
from ..coders import YOLOCoder
from ..losses import squared_error
from ..priors import Grid, yolov3_grids
from ._criterion import Normalizer, Outside, Parts, choices, summed
from ._targets import Truth
from ._yolo import Yolo, box_targets, cross_entropy, relative_area

DIALECTS = {
    "paper": {"ignore_threshold": 0.5, "small_boxes_count_more": False},
    "darknet": {"ignore_threshold": 0.7, "small_boxes_count_more": True},
}


class YOLOv3(Yolo):
    """YOLOv3 (Redmon and Farhadi 2018, sections 2.1 and 2.2), summed over priors:

    1. box, centre: binary cross entropy of sigma(t_x), sigma(t_y) with the centre's place in its cell, whose gradient is the
       difference of both (the paper's "ground truth minus prediction", and what the authors' code computes);
    2. box, size: (t_w - ln(w / p_w))^2 / 2 and the same of t_h; both over the priors that a truth belongs to;
    3. objectness: binary cross entropy, 1 for those priors, 0 for the others, but for the ignored ones;
    4. classes: a binary cross entropy for each class, over the same priors; a prior that several truths claim has all their classes.

    Arguments:
        classes: how many.
        grids: from `refloss.priors.yolov3_grids`, in the order of the outputs.
        dialect: "paper", or "darknet" (pjreddie/darknet, yolov3.cfg): the ignore threshold is 0.7, and 1 and 2 are weighted by
            2 - w h, w and h relative to the image.
        ignore_threshold: a prior without a truth whose predicted box has a larger IoU with any truth is ignored.
        small_boxes_count_more: the weight 2 - w h.
        normalizer, outside, check: see `Criterion`. The paper divides by nothing, and so does this: 1.

    Outputs: for each grid an array (images, anchors, 5 + classes, rows, columns) of t_x, t_y, t_w, t_h, objectness, classes, all
    before any sigmoid. Targets: for each image {"gt_boxes": (m, 4) xyxy pixels, "gt_labels": (m,)}, or padded arrays with counts.
    """

    terms: ClassVar[dict[str, str]] = {"box": "codes", "objectness": "objectness", "classes": "classes"}

    def __init__(
        self, classes: int, grids: Sequence[Grid] | None = None, *, dialect: Literal["paper", "darknet"] = "paper",
        ignore_threshold: float | None = None, small_boxes_count_more: bool | None = None, normalizer: Normalizer = 1.0,
        outside: Outside = "error", check: bool = False,
    ) -> None:  # fmt: skip
        chosen = choices("YOLOv3", dialect, DIALECTS, ignore_threshold=ignore_threshold, small_boxes_count_more=small_boxes_count_more)
        self.ignore_threshold, self.small_boxes_count_more = chosen["ignore_threshold"], chosen["small_boxes_count_more"]
        given = yolov3_grids(416) if grids is None else grids
        self._settle(classes, given, (YOLOCoder(),) * len(given), dialect, normalizer, outside, check)

    def _assign(self, image: Parts, truth: Truth) -> Assignment:
        boxes = self._finite_boxes(image)
        return yolov3(
            self.grids,
            truth.boxes,
            predicted_boxes=boxes,
            ignore_threshold=self.ignore_threshold,
            dialect=self.dialect,
        )

    def _image(self, image: Parts, truth: Truth, assignment: Assignment, divisor: float, gradient: Parts) -> dict[str, float]:
        positive = np.flatnonzero(assignment.positive)
        boxes, priors = truth.boxes[assignment.gt_index[positive]], self._priors(truth.boxes.dtype)[positive]
        codes = image["codes"][positive]
        offset, size = box_targets(boxes, priors, self.dialect)
        weights = 2 - relative_area(boxes, self.image_size)[:, None] if self.small_boxes_count_more else None
        centre_slope, size_slope = np.empty_like(offset), np.empty_like(size)
        # 1, 2
        box = cross_entropy(codes[:, :2], offset, divisor=divisor, weights=weights, gradient=centre_slope)
        box += summed(squared_error, codes[:, 2:], size, divisor=divisor, weights=weights, gradient=size_slope, factor=0.5)
        # 4: every claimant's class
        claimed = np.zeros_like(image["classes"])
        claimed[assignment.pairs[:, 0], truth.labels[assignment.pairs[:, 1]]] = 1
        rows = image["classes"][positive]
        class_slope = np.empty_like(rows)
        classes = cross_entropy(rows, claimed[positive], divisor=divisor, gradient=class_slope)
        if gradient:
            gradient["codes"][positive] = np.concatenate([centre_slope, size_slope], axis=1)
            gradient["classes"][positive] = class_slope
        # 3
        objectness = cross_entropy(
            image["objectness"], assignment.positive, divisor=divisor, weights=~assignment.ignored, gradient=gradient.get("objectness")
        )
        return {"box": box, "objectness": objectness, "classes": classes}

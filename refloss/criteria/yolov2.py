"""YOLOv2's loss."""

from collections.abc import Sequence
from typing import Any, ClassVar, Literal

import numpy as np

from .._engine.record import Array
from ..assign.assignment import Assignment
from ..assign.yolov2 import yolov2
from ..boxes import iou
from ..coders import YOLOCoder
from ..losses import softmax_cross_entropy_with_integer_labels, squared_error
from ..priors import Grid, prior_boxes, yolov2_grids
from ._criterion import Normalizer, Outside, Parts, choices, flags, summed
from ._targets import Truth
from ._yolo import Yolo, box_targets, cells_away, cross_entropy, relative_area, sigmoid, squared_error_of_sigmoid

WARM_UP_IMAGES, WARM_UP_WEIGHT = 12_800, 0.01
DIALECTS = {
    "paper": {"through_sigmoid": True, "small_boxes_count_more": False, "warm_up": False},
    "darknet": {"through_sigmoid": False, "small_boxes_count_more": True, "warm_up": True},
}


class YOLOv2(Yolo):
    """YOLOv2 (Redmon and Farhadi 2017, section 2), whose paper prints no loss: that of YOLOv1 on the new codes.

    1. box, centre: coordinate_weight times the squared errors, halved, of sigma(t_x), sigma(t_y) from the centre's place in its cell;
    2. box, size: the same of t_w from ln(w / p_w), and of t_h; both over the priors that a truth belongs to;
    3. objectness, there: object_weight times the squared error, halved, of sigma(t_o) from the IoU of the predicted box with the truth;
    4. objectness, elsewhere: no_object_weight times that from 0, but for the ignored priors;
    5. classes: softmax cross entropy over the same priors as 1.

    Arguments:
        classes: how many.
        grids: one Grid in a sequence, as `refloss.priors.yolov2_grids` gives it.
        dialect: "paper", or "darknet" (pjreddie/darknet, region_layer.c, yolov2.cfg), where the gradient of 1, 3 and 4 leaves out
            the sigmoid's derivative (so they are cross entropies with a soft target), 1 and 2 are weighted by 2 - w h (relative to
            the image), and the first 12 800 images draw every other prior to its cell's middle and its own shape with weight 0.01.
        ignore_threshold: a prior without a truth whose predicted box has a larger IoU with any truth is ignored.
        coordinate_weight, object_weight, no_object_weight, class_weight: those of the authors' configuration by default.
        iou_as_objectness: False asks for 1 instead of the IoU (darknet's rescore=0).
        softmax: False is a binary cross entropy for each class instead (darknet's softmax=0); then a prior that several truths claim
            has all their classes.
        match: "prior" compares a truth's shape with the priors', "predicted" with the predictions' in its cell (bias_match=0).
        images_seen: how many the training has seen; settable, and the head's owner counts. Only a warm-up looks at it.
        through_sigmoid, small_boxes_count_more, warm_up: what the dialects differ in.
        normalizer, outside, check: see `Criterion`. Nothing is divided by default.

    Outputs and targets: as `YOLOv3`, one grid.
    """

    terms: ClassVar[dict[str, str]] = {"box": "codes", "objectness": "objectness", "classes": "classes"}

    def __init__(
        self, classes: int = 20, grids: Sequence[Grid] | None = None, *, dialect: Literal["paper", "darknet"] = "paper",
        ignore_threshold: float = 0.6, coordinate_weight: float = 1.0, object_weight: float = 5.0, no_object_weight: float = 1.0,
        class_weight: float = 1.0, iou_as_objectness: bool = True, softmax: bool = True, match: Literal["prior", "predicted"] = "prior",
        images_seen: int = 0, through_sigmoid: bool | None = None, small_boxes_count_more: bool | None = None,
        warm_up: bool | None = None, normalizer: Normalizer = 1.0, outside: Outside = "error", check: bool = False,
    ) -> None:  # fmt: skip
        chosen = choices(
            "YOLOv2", dialect, DIALECTS, through_sigmoid=through_sigmoid, small_boxes_count_more=small_boxes_count_more, warm_up=warm_up
        )
        flags("YOLOv2", iou_as_objectness=iou_as_objectness, softmax=softmax)
        self.through_sigmoid, self.small_boxes_count_more = chosen["through_sigmoid"], chosen["small_boxes_count_more"]
        self.warm_up, self.images_seen, self.match = chosen["warm_up"], images_seen, match
        self.ignore_threshold, self.softmax, self.iou_as_objectness = ignore_threshold, softmax, iou_as_objectness
        self.coordinate_weight, self.class_weight = coordinate_weight, class_weight
        self.object_weight, self.no_object_weight = object_weight, no_object_weight
        given = yolov2_grids(416) if grids is None else grids
        self._settle(classes, given, (YOLOCoder(),) * len(given), dialect, normalizer, outside, check)

    def _scores(self, parts: Parts) -> Array:
        if not self.softmax:
            return super()._scores(parts)
        raised = np.exp(parts["classes"] - parts["classes"].max(axis=-1, keepdims=True))
        scores: Array = sigmoid(parts["objectness"])[..., None] * raised / raised.sum(axis=-1, keepdims=True)
        return scores

    def _assign(self, image: Parts, truth: Truth) -> Assignment:
        return yolov2(
            self.grids, truth.boxes, predicted_boxes=self._finite_boxes(image), ignore_threshold=self.ignore_threshold, match=self.match,
            dialect=self.dialect,
        )  # fmt: skip

    def _image(self, image: Parts, truth: Truth, assignment: Assignment, divisor: float, gradient: Parts) -> dict[str, float]:
        positive = np.flatnonzero(assignment.positive)
        index = assignment.gt_index[positive]
        boxes, priors = truth.boxes[index], self._priors(truth.boxes.dtype)
        through = squared_error_of_sigmoid if self.through_sigmoid else cross_entropy

        def coordinates(rows: Array, targets: Array, weights: Any) -> float:
            """1 and 2 over some priors."""
            codes, (place, size) = image["codes"][rows], box_targets(targets, priors[rows], self.dialect)
            by_place, by_size = np.empty_like(place), np.empty_like(size)
            total = through(codes[:, :2], place, divisor=divisor, weights=weights, gradient=by_place)
            total += summed(squared_error, codes[:, 2:], size, divisor=divisor, weights=weights, gradient=by_size, factor=0.5)
            if gradient:
                gradient["codes"][rows] = np.concatenate([by_place, by_size], axis=1)
            return total

        # 1, 2
        weights = 2 - relative_area(boxes, self.image_size)[:, None] if self.small_boxes_count_more else np.ones((1, 1), boxes.dtype)
        box = coordinates(positive, boxes, weights * self.coordinate_weight)
        if self.warm_up and self.images_seen < WARM_UP_IMAGES:
            others = np.flatnonzero(~assignment.positive)
            box += coordinates(others, prior_boxes(priors)[others], WARM_UP_WEIGHT)
        # 3, 4
        wanted, weight = np.zeros_like(image["objectness"]), np.full_like(image["objectness"], self.no_object_weight)
        if self.iou_as_objectness:
            away = cells_away(boxes, priors[positive], self.dialect) * priors[positive][:, 4:]
            wanted[positive] = iou(self._boxes(image)[positive] + np.tile(away, 2), boxes)
        else:
            wanted[positive] = 1
        weight[positive], weight[assignment.ignored] = self.object_weight, 0
        objectness = through(image["objectness"], wanted, divisor=divisor, weights=weight, gradient=gradient.get("objectness"))
        # 5
        rows, labels = image["classes"][positive], truth.labels[index]
        slope = np.empty_like(rows)
        if self.softmax:
            classes = summed(
                softmax_cross_entropy_with_integer_labels,
                rows,
                labels,
                divisor=divisor,
                weights=self.class_weight,
                gradient=slope,
            )
        else:
            claimed = np.zeros_like(image["classes"])  # every claimant's class
            claimed[assignment.pairs[:, 0], truth.labels[assignment.pairs[:, 1]]] = 1
            classes = cross_entropy(rows, claimed[positive], divisor=divisor, weights=self.class_weight, gradient=slope)
        if gradient:
            gradient["classes"][positive] = slope
        return {"box": box, "objectness": objectness, "classes": classes}

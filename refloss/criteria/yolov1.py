"""YOLOv1's loss."""

from typing import Any, ClassVar, Literal

import numpy as np

from .._engine import check as checks
from .._engine.record import Array
from ..assign.assignment import Assignment
from ..assign.yolov1 import SMALLEST, matched
from ..boxes import iou
from ..coders import YOLOv1Coder
from ..errors import bad_value
from ..losses import squared_error
from ..priors import arguments, yolov1_cells
from ._criterion import Criterion, Normalizer, Outside, Parts, as_given, choices, flags, summed
from ._targets import Truth
from ._yolo import finite_boxes

DIALECTS = {"paper": {"factor": 1.0, "smallest": 0.0}, "darknet": {"factor": 0.5, "smallest": SMALLEST}}


class YOLOv1(Criterion):
    """YOLOv1 (Redmon et al. 2016, eq. 3), sums of squared errors over cells i and predictors j:

    1. box: coordinate_weight times the errors of x and y, places in the cell, and of sqrt w and sqrt h, relative to the image,
       where predictor j of cell i is responsible for a truth;
    2. objectness, there: the error of the confidence from the IoU of the predicted box with the truth, a constant;
    3. objectness, elsewhere: no_object_weight times the error of the confidence from 0;
    4. classes: the error of each class score from 1 for the truth's class and 0 for others, in cells that hold a truth.

    Arguments:
        classes: C. grid: S, cells along a side. boxes: B, predictors of a cell.
        image_size: (height, width) in pixels, or one number.
        dialect: "paper", or "darknet" (pjreddie/darknet, detection_layer.c): every error counts half, so that its gradient is the
            plain difference; truths of less than 0.005 are dropped, and see `refloss.assign.yolov1`.
        coordinate_weight, no_object_weight: lambda_coord and lambda_noobj of the paper. object_weight, class_weight: of 2 and 4.
        iou_as_confidence: False asks for a confidence of 1 instead of the IoU (darknet's rescore=0).
        square_roots: False if the head gives w and h themselves (darknet's sqrt=0); a negative one makes a box that meets nothing.
        factor: of every error. smallest: truths with w or h below it, relative to the image, are dropped.
        normalizer, outside, check: see `Criterion`. The paper divides by nothing, and so does this: 1.

    Outputs: (images, S, S, B * 5 + C), in each cell B times x, y, sqrt w, sqrt h, confidence, then the class scores; nothing is
    activated. Targets: for each image {"gt_boxes": (m, 4) xyxy pixels, "gt_labels": (m,)}, or padded arrays with counts.
    """

    terms: ClassVar[dict[str, str]] = {"box": "codes", "objectness": "objectness", "classes": "classes"}

    def __init__(
        self, classes: int = 20, image_size: int | tuple[int, int] = 448, *, grid: int = 7, boxes: int = 2,
        dialect: Literal["paper", "darknet"] = "paper", coordinate_weight: float = 5.0, no_object_weight: float = 0.5,
        object_weight: float = 1.0, class_weight: float = 1.0, iou_as_confidence: bool = True, square_roots: bool = True,
        factor: float | None = None, smallest: float | None = None, normalizer: Normalizer = 1.0, outside: Outside = "error",
        check: bool = False,
    ) -> None:  # fmt: skip
        self.classes, self.dialect = arguments.whole("YOLOv1", "classes", classes), dialect
        self.grid, self.boxes = arguments.whole("YOLOv1", "grid", grid), arguments.whole("YOLOv1", "boxes", boxes)
        self.image_size = arguments.size("YOLOv1", "image_size", image_size)
        checks.choice("YOLOv1", "outside", outside, ("error", "clip", "keep"))
        flags("YOLOv1", iou_as_confidence=iou_as_confidence, square_roots=square_roots, check=check)
        self.coordinate_weight, self.no_object_weight = coordinate_weight, no_object_weight
        self.object_weight, self.class_weight = object_weight, class_weight
        self.iou_as_confidence, self.square_roots = iou_as_confidence, square_roots
        chosen = choices("YOLOv1", dialect, DIALECTS, factor=factor, smallest=smallest)
        self.factor, self.smallest = chosen["factor"], chosen["smallest"]
        self.normalizer, self.outside, self.check = normalizer, outside, check
        if not callable(normalizer):
            self._divisors([1])  # checks it

    def _split(self, outputs: Any) -> dict[str, Array]:
        values = checks.floats("YOLOv1", "outputs", outputs, "convert with astype(np.float32)")
        wanted = (self.grid, self.grid, 5 * self.boxes + self.classes)
        if values.ndim != 4 or values.shape[1:] != wanted:
            way_out = f"channels are {self.boxes} times x, y, w, h, confidence, then {self.classes} classes"
            bad_value("YOLOv1", "outputs", f"of shape (images, {', '.join(map(str, wanted))})", f"{values.shape}", way_out)
        values = values.astype(np.float32) if checks.is_half(values.dtype) else values
        predictors = values[..., : 5 * self.boxes].reshape(len(values), -1, 5)
        classes = values[..., 5 * self.boxes :].reshape(len(values), -1, self.classes)
        parts = {"codes": predictors[..., :4], "objectness": predictors[..., 4], "classes": classes}
        return {name: np.ascontiguousarray(part) for name, part in parts.items()}

    def _join(self, outputs: Any, gradient: Parts) -> Array:
        side = (len(gradient["codes"]), self.grid, self.grid)
        predictors = np.concatenate([gradient["codes"], gradient["objectness"][..., None]], axis=2).reshape(*side, -1)
        whole: Array = np.concatenate([predictors, gradient["classes"].reshape(*side, -1)], axis=3)
        return as_given(whole, outputs)

    def _relative(self, codes: Array) -> Array:
        """Boxes as fractions of the image; reversed where a head that gives sizes themselves gives a negative one."""
        priors = yolov1_cells(self.grid, self.boxes, dtype=codes.dtype)
        if self.square_roots:
            return YOLOv1Coder().decode(codes, priors)
        centre, half = (codes[..., :2] + priors[:, :2]) / self.grid, codes[..., 2:] / 2
        return np.concatenate([centre - half, centre + half], axis=-1)

    def _boxes(self, parts: Parts) -> Array:
        relative = self._relative(parts["codes"])
        relative = np.concatenate([relative[..., :2], np.maximum(relative[..., :2], relative[..., 2:])], axis=-1)
        boxes: Array = relative * np.array([*self.image_size[::-1]] * 2, relative.dtype)
        return boxes

    def _scores(self, parts: Parts) -> Array:
        """Confidence times class score, as the paper's section 2.2 has it."""
        of_each = np.repeat(parts["classes"], self.boxes, axis=1)
        scores: Array = np.clip(parts["objectness"], 0, 1)[..., None] * np.clip(of_each, 0, 1)
        return scores

    def _relative_truth(self, truth: Truth) -> Array:
        boxes: Array = truth.boxes / np.array([*self.image_size[::-1]] * 2, truth.boxes.dtype)
        return boxes

    def _assign(self, image: Parts, truth: Truth) -> Assignment:
        boxes = finite_boxes(self._relative(image["codes"]))
        return matched("YOLOv1", boxes, self._relative_truth(truth), self.grid, self.dialect == "darknet", self.smallest)

    def _image(self, image: Parts, truth: Truth, assignment: Assignment, divisor: float, gradient: Parts) -> dict[str, float]:
        positive = np.flatnonzero(assignment.positive)
        index = assignment.gt_index[positive]
        boxes, codes = self._relative_truth(truth)[index], image["codes"]
        wanted = YOLOv1Coder().encode(boxes, yolov1_cells(self.grid, self.boxes, dtype=codes.dtype)[positive])
        if not self.square_roots:
            wanted[:, 2:] = boxes[:, 2:] - boxes[:, :2]

        def errors(part: str, rows: Any, targets: Array, weights: Any) -> float:
            """Weighted squared errors of some rows of a part."""
            slope = np.empty_like(targets)
            values = image[part][rows]
            total = summed(squared_error, values, targets, divisor=divisor, weights=weights, gradient=slope, factor=self.factor)
            if gradient:
                gradient[part][rows] = slope
            return total

        # 1
        box = errors("codes", positive, wanted, self.coordinate_weight)
        # 2, 3
        confidence, weights = np.zeros_like(image["objectness"]), np.full_like(image["objectness"], self.no_object_weight)
        if self.iou_as_confidence:
            ours = self._relative(codes)[positive]
            reversed_ = np.asarray((ours[:, 2:] < ours[:, :2]).any(axis=1))
            confidence[positive] = np.where(reversed_, 0, iou(np.where(reversed_[:, None], 0, ours), boxes))
        else:
            confidence[positive] = 1
        weights[positive] = self.object_weight
        objectness = errors("objectness", slice(None), confidence, weights)
        # 4
        cells = positive // self.boxes
        one_hot = np.zeros((len(cells), self.classes), codes.dtype)
        one_hot[np.arange(len(cells)), truth.labels[index]] = 1
        return {"box": box, "objectness": objectness, "classes": errors("classes", cells, one_hot, self.class_weight)}

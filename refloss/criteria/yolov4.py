"""YOLOv4's loss."""

import math
from collections.abc import Sequence
from typing import Any, ClassVar, Literal

import numpy as np

from .. import boxes as _boxes
from .._engine import check as checks
from .._engine.check import NEGATIVE
from .._engine.record import Array
from ..assign._streams import best_truth
from ..assign.assignment import Assignment
from ..assign.yolov4 import yolov4
from ..coders import YOLOCoder
from ..errors import bad_type
from ..losses import ciou_loss, diou_loss, giou_loss, iou_loss
from ..priors import Grid, yolov4_grids
from ._criterion import Normalizer, Outside, Parts, choices, flags
from ._darknet import descent
from ._targets import Truth
from ._yolo import Yolo, box_targets, cells_away, cross_entropy, relative_area, sigmoid

BOX_LOSSES: dict[str, Any] = {"iou": iou_loss, "giou": giou_loss, "diou": diou_loss, "ciou": ciou_loss}
SCALE_XY = (1.2, 1.1, 1.05)  # strides 8, 16, 32
DIALECTS = {
    "paper": {"box_gradient": "true", "ignore_needs_class": 0.0, "average_box": False},
    "darknet": {"box_gradient": "darknet", "ignore_needs_class": 0.25, "average_box": True},
}


class YOLOv4(Yolo):
    """YOLOv4 (Bochkovskiy et al. 2020, section 3.4), summed over priors:

    1. box: box_weight times the CIoU loss of the decoded box, for every match of a truth and a prior;
    2. objectness: binary cross entropy, 1 for matched priors, 0 for the others, but for the ignored ones;
    3. classes: a binary cross entropy for each class, over matched priors; one that several truths claim has all their classes.

    Arguments:
        classes: how many.
        grids: from `refloss.priors.yolov4_grids`, in the order of the outputs.
        scale_xy: for each grid, how far a centre reaches (see `refloss.coders.YOLOCoder`).
        dialect: "paper", or "darknet" (AlexeyAB/darknet, yolo_layer.c, yolov4.cfg), whose box gradient is the one of `_darknet.py`
            (with respect to x, y as they leave the sigmoid, and to t_w, t_h): then value_and_grad gives no true gradient.
        iou_threshold, ignore_threshold: see `refloss.assign.yolov4`.
        box_loss: "ciou", "diou", "giou", "iou", or "squares": half the squared errors of places and logarithms of sizes as in
            YOLOv3, weighted by 2 - w h.
        box_weight, objectness_weight: iou_normalizer and obj_normalizer of darknet.
        label_smoothing: e; class targets are 1 - e / 2 and e / 2.
        box_gradient: "true" or "darknet". average_box: a prior's box gradient is divided by the number of its classes that grow.
        ignore_needs_class: priors are ignored only if some class probability exceeds this.
        iou_as_objectness: ignored priors learn their IoU as objectness instead (darknet's objectness_smooth=1).
        max_delta: darknet's limit of each coordinate's gradient for each match; 0 is none.
        normalizer, outside, check: see `Criterion`. Nothing is divided by default.

    Outputs and targets: as `YOLOv3`.
    """

    terms: ClassVar[dict[str, str]] = {"box": "codes", "objectness": "objectness", "classes": "classes"}

    def __init__(
        self, classes: int, grids: Sequence[Grid] | None = None, *, scale_xy: Sequence[float] = SCALE_XY,
        dialect: Literal["paper", "darknet"] = "paper", iou_threshold: float = 0.213, ignore_threshold: float = 0.7,
        box_loss: Literal["ciou", "diou", "giou", "iou", "squares"] = "ciou", box_weight: float = 0.07, objectness_weight: float = 1.0,
        label_smoothing: float = 0.0, box_gradient: Literal["true", "darknet"] | None = None, average_box: bool | None = None,
        ignore_needs_class: float | None = None, iou_as_objectness: bool = False, max_delta: float = 5.0,
        normalizer: Normalizer = 1.0, outside: Outside = "error", check: bool = False,
    ) -> None:  # fmt: skip
        chosen = choices(
            "YOLOv4", dialect, DIALECTS, box_gradient=box_gradient, average_box=average_box, ignore_needs_class=ignore_needs_class
        )
        self.box_gradient, self.average_box, self.ignore_needs_class = (
            chosen["box_gradient"], chosen["average_box"], chosen["ignore_needs_class"]
        )  # fmt: skip
        name = type(self).__name__
        checks.choice(name, "box_loss", box_loss, (*BOX_LOSSES, "squares"))
        self.iou_threshold, self.ignore_threshold, self.max_delta = iou_threshold, ignore_threshold, max_delta
        self.box_loss, self.box_weight, self.objectness_weight = box_loss, box_weight, objectness_weight
        self.label_smoothing, self.iou_as_objectness = label_smoothing, iou_as_objectness
        for key, value in (("box_weight", box_weight), ("objectness_weight", objectness_weight), ("max_delta", max_delta)):
            checks.number(name, key, value, 0.0, math.inf, "give a finite number, at least 0")
        checks.number(name, "label_smoothing", label_smoothing, 0.0, 1.0, "0 is none")
        checks.choice(name, "box_gradient", self.box_gradient, ("true", "darknet"))
        flags(name, iou_as_objectness=iou_as_objectness)
        given = yolov4_grids(608) if grids is None else grids
        self._settle(classes, given, self._coders_of(scale_xy), dialect, normalizer, outside, check)

    def _coders_of(self, scale_xy: Any) -> list[YOLOCoder]:
        if not isinstance(scale_xy, Sequence):
            bad_type(type(self).__name__, "scale_xy", "one number for each grid", repr(scale_xy), "give them in the grids' order")
        return [YOLOCoder(scale_xy=s) for s in scale_xy]

    def _assign(self, image: Parts, truth: Truth) -> Assignment:
        found = yolov4(
            self.grids, truth.boxes, predicted_boxes=self._finite_boxes(image), iou_threshold=self.iou_threshold,
            ignore_threshold=self.ignore_threshold, dialect=self.dialect,
        )  # fmt: skip
        if self.ignore_needs_class:
            unsure = found.ignored & (sigmoid(image["classes"]).max(axis=1, initial=0) <= self.ignore_needs_class)
            found.gt_index[unsure] = NEGATIVE
        return found

    def _image(self, image: Parts, truth: Truth, assignment: Assignment, divisor: float, gradient: Parts) -> dict[str, float]:
        # 3: classes first, since darknet divides box gradients by what comes out
        positive = np.flatnonzero(assignment.positive)
        claimed = np.zeros_like(image["classes"])
        claimed[assignment.pairs[:, 0], truth.labels[assignment.pairs[:, 1]]] = 1
        targets = claimed[positive] * (1 - self.label_smoothing) + 0.5 * self.label_smoothing
        slope = np.empty_like(targets)
        classes = cross_entropy(image["classes"][positive], targets, divisor=divisor, gradient=slope)
        # 1
        box, box_slope = self._box(image, truth, assignment, divisor)
        if self.average_box and self.iou_threshold < 1:  # darknet's code averages only then
            growing = (targets > sigmoid(image["classes"][positive])).sum(axis=1)
            box_slope[positive] /= np.maximum(growing, 1)[:, None]
        if gradient:
            gradient["classes"][positive], gradient["codes"][:] = slope, box_slope
        # 2
        wanted, weights = self._objectness(image, truth, assignment)
        objectness = cross_entropy(
            image["objectness"], wanted, divisor=divisor, weights=weights * self.objectness_weight, gradient=gradient.get("objectness")
        )
        return {"box": box, "objectness": objectness, "classes": classes}

    def _objectness(self, image: Parts, truth: Truth, assignment: Assignment) -> tuple[Array, Array]:
        """Targets and weights of the objectness."""
        wanted = assignment.positive.astype(image["objectness"].dtype)
        if not self.iou_as_objectness:
            return wanted, (~assignment.ignored).astype(wanted.dtype)
        seen = truth.boxes
        if self.dialect == "darknet":  # whose list of truths ends at a centre at x = 0
            zeros = np.flatnonzero(seen[:, 0] + seen[:, 2] == 0)
            seen = seen[: zeros[0]] if len(zeros) else seen
        _, best = best_truth(np.ascontiguousarray(self._finite_boxes(image)), np.array(seen, order="C"))
        learns = best > self.ignore_threshold
        if self.ignore_needs_class:
            learns &= sigmoid(image["classes"]).max(axis=1, initial=0) > self.ignore_needs_class
        if self.box_gradient == "darknet":  # its positives keep what the ignore test left them, unless that is nothing
            wanted = np.where(learns, best, 0)
            p = sigmoid(image["objectness"])
            wanted[assignment.positive & (np.abs(wanted - p) <= 2 * np.finfo(p.dtype).tiny)] = 1
            return wanted, np.ones_like(wanted)
        return np.where(learns & ~assignment.positive, best, wanted), np.ones_like(wanted)

    def _box(self, image: Parts, truth: Truth, assignment: Assignment, divisor: float) -> tuple[float, Array]:
        """The box term, and its gradient by the codes, for all priors."""
        prior, index = assignment.pairs.T
        codes, slope = image["codes"], np.zeros_like(image["codes"])
        boxes, truths = self._boxes(image), truth.boxes[index]
        if self.box_loss == "squares":
            errors, steps = self._errors(codes, truths, prior)
            weights = (2 - relative_area(truths, self.image_size))[:, None] * (self.box_weight / divisor)
            np.add.at(slope, prior, weights * errors * (1 if self.box_gradient == "darknet" else steps))
            return float((weights * errors**2).sum() / 2), slope
        priors = self._priors(codes.dtype)[prior]
        there = boxes[prior] + np.tile(cells_away(truths, priors, self.dialect) * priors[:, 4:], 2)
        value, by_box = BOX_LOSSES[self.box_loss].value_and_grad(there, truths)
        if self.box_gradient == "true":
            upstream = np.zeros_like(boxes)
            np.add.at(upstream, prior, by_box * (self.box_weight / divisor))
            slope = self._decode_vjp(codes, upstream)
        else:
            high, wide = self.image_size
            of_image = np.array([wide, high, wide, high], codes.dtype)
            ours, theirs = (_boxes.convert(b, "xyxy", "cxcywh") / of_image for b in (there, truths))
            ours[:, 2:] = np.where(ours[:, 2:] == 0, 1, ours[:, 2:])  # as box.c has it
            move = descent(ours, theirs, self.box_loss) * self._chain(codes[prior]) * self.box_weight
            limit = self.max_delta or np.inf
            np.add.at(slope, prior, -np.clip(np.where(np.isfinite(move), move, 0), -limit, limit) / divisor)
        return self._told(float(value.sum()) * self.box_weight / divisor, codes, slope), slope

    def _chain(self, codes: Array) -> Array:
        """How far darknet follows a box's numbers back to the codes: w and h through exp, x and y not at all."""
        return np.concatenate([np.ones_like(codes[:, :2]), np.exp(codes[:, 2:])], axis=1)

    def _places(self, codes: Array, prior: Array) -> tuple[Array, Array]:
        """(n, 2): sigma(t_x), sigma(t_y), stretched by each grid's scale_xy; and the derivatives."""
        counts = [grid.count for grid in self.grids]
        scale = np.repeat([coder.scale_xy for coder in self.coders], counts)[prior][:, None].astype(codes.dtype)
        p = sigmoid(codes[:, :2])
        return p * scale - (scale - 1) / 2, scale * p * (1 - p)

    def _errors(self, codes: Array, truths: Array, prior: Array) -> tuple[Array, Array]:
        """Of places in the cell and logarithms of sizes, from the truth's; and their derivatives by the codes."""
        place, size = box_targets(truths, self._priors(codes.dtype)[prior], self.dialect)
        places, steps = self._places(codes[prior], prior)
        return np.concatenate([places - place, codes[prior][:, 2:] - size], axis=1), np.concatenate([steps, np.ones_like(size)], axis=1)

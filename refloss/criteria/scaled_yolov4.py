"""Scaled-YOLOv4's loss."""

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import numpy as np

from .._engine import check as checks
from .._engine.record import Array
from ..assign.assignment import Assignment
from ..assign.scaled_yolov4 import scaled_yolov4
from ..coders import YOLOCoder
from ..errors import bad_value
from ..losses import ciou_loss
from ..priors import Grid, scaled_yolov4_grids
from ._criterion import Normalizer, Outside, Parts
from ._targets import Truth
from ._yolo import box_targets, cross_entropy, logit, sigmoid
from .yolov4 import DIALECTS, YOLOv4

BALANCE = {3: (4.0, 1.0, 0.4), 4: (4.0, 1.0, 0.4, 0.1), 5: (4.0, 1.0, 0.5, 0.4, 0.1)}


class Means(NamedTuple):
    """What the terms of an image are divided by: the matches of the batch in each grid, and the batch's images."""

    matches: Array
    images: float


class ScaledYOLOv4(YOLOv4):
    """Scaled-YOLOv4 (Wang et al. 2021), whose paper prints no loss: that of the authors' training code, summed over grids.

    1. box: box_weight times the mean CIoU loss over the matches of the grid, each of a truth and a prior;
    2. objectness: objectness_weight times the grid's balance times the mean binary cross entropy over all its priors, with the
       clipped CIoU of the predicted box, a constant, as the target of a matched prior (of the later match, where there are several);
    3. classes: class_weight times the mean binary cross entropy over matches and classes.

    Arguments:
        classes: how many.
        grids: from `refloss.priors.scaled_yolov4_grids`, in the order of the outputs.
        dialect: "paper", or "darknet" (AlexeyAB/darknet with new_coords=1, yolov4-csp.cfg), which is darknet's YOLOv4 on outputs that
            have been through the sigmoid, with gradients that end there; see `YOLOv4` for what its arguments mean.
        ratio: matches are closer in width and height than this factor, 4 (see `refloss.assign.scaled_yolov4`); the paper's dialect only.
        balance: of the objectness, for each grid; by default the authors' 4, 1, 0.4 for three (in darknet's cfg, obj_normalizer).
        class_weight: 0.5, the paper's dialect only. box_weight, objectness_weight: hyperparameters of the authors' code.
        iou_threshold, ignore_threshold, box_loss, max_delta: darknet's dialect only (0.2, 0.7, "ciou", 5); see `YOLOv4`.
        normalizer: "batch" is the means above; a number divides plain sums instead, as darknet's dialect always does.

    Outputs and targets: as `YOLOv3`; in darknet's dialect outputs lie in (0, 1).

    Elsewhere: the authors' code multiplies everything by the number of images in the batch, which its learning rate expects.
    """

    def __init__(
        self, classes: int, grids: Sequence[Grid] | None = None, *, dialect: Literal["paper", "darknet"] = "paper",
        ratio: float | None = None, balance: Sequence[float] | None = None, scale_xy: float = 2.0, class_weight: float | None = None,
        iou_threshold: float | None = None, ignore_threshold: float | None = None,
        box_loss: Literal["ciou", "diou", "giou", "iou", "squares"] | None = None, box_weight: float = 0.05,
        objectness_weight: float = 1.0, label_smoothing: float = 0.0, iou_as_objectness: bool = True, max_delta: float | None = None,
        normalizer: Normalizer | None = None, outside: Outside = "error", check: bool = False,
    ) -> None:  # fmt: skip
        checks.choice("ScaledYOLOv4", "dialect", dialect, tuple(DIALECTS))
        of_paper = {"ratio": ratio, "class_weight": class_weight}
        of_darknet = {
            "iou_threshold": iou_threshold, "ignore_threshold": ignore_threshold, "box_loss": box_loss, "max_delta": max_delta,
        }  # fmt: skip
        for key, value in (of_darknet if dialect == "paper" else of_paper).items():
            if value is not None:
                bad_value("ScaledYOLOv4", key, f"left out with dialect={dialect!r}", repr(value), "it has no effect there")
        given = scaled_yolov4_grids(512) if grids is None else grids
        usual: Normalizer = "batch" if dialect == "paper" else 1.0
        super().__init__(
            classes, given, scale_xy=(scale_xy,) * len(given), dialect=dialect,
            iou_threshold=0.2 if iou_threshold is None else iou_threshold,
            ignore_threshold=0.7 if ignore_threshold is None else ignore_threshold, box_loss=box_loss or "ciou", box_weight=box_weight,
            objectness_weight=objectness_weight, label_smoothing=label_smoothing, iou_as_objectness=iou_as_objectness,
            max_delta=5.0 if max_delta is None else max_delta,
            normalizer=usual if normalizer is None else normalizer, outside=outside, check=check,
        )  # fmt: skip
        self.ratio, self.class_weight = 4.0 if ratio is None else ratio, 0.5 if class_weight is None else class_weight
        weights = balance if balance is not None else BALANCE.get(len(given), (1.0,) * len(given))
        if len(weights) != len(given):
            bad_value(
                "ScaledYOLOv4", "balance", f"one number for each of {len(given)} grids", f"{len(weights)}", "give them in the grids' order"
            )
        self.balance = tuple(weights)

    def _coders_of(self, scale_xy: Any) -> list[YOLOCoder]:
        return [YOLOCoder(scale_xy=s, size="squared_sigmoid") for s in scale_xy]

    def _split(self, outputs: Any) -> dict[str, Array]:
        parts = super()._split(outputs)
        if self.dialect == "darknet":  # back through the sigmoid; where that has ended, one step before the end
            for name, values in parts.items():
                if ((values < 0) | (values > 1)).any():
                    way_out = "darknet's dialect takes what has been through the sigmoid"
                    bad_value("ScaledYOLOv4", "outputs", "in [0, 1]", f"{name} beyond", way_out)
            parts = {name: logit(values) for name, values in parts.items()}
        return parts

    def _objectness(self, image: Parts, truth: Truth, assignment: Assignment) -> tuple[Array, Array]:
        wanted, weights = super()._objectness(image, truth, assignment)
        return wanted, weights * np.repeat(self.balance, [grid.count for grid in self.grids]).astype(weights.dtype)

    def _chain(self, codes: Array) -> Array:
        return np.ones_like(codes)

    def _errors(self, codes: Array, truths: Array, prior: Array) -> tuple[Array, Array]:
        priors = self._priors(codes.dtype)[prior]
        place, _ = box_targets(truths, priors, self.dialect)
        root = np.sqrt((truths[:, 2:] - truths[:, :2]) / (4 * priors[:, 2:4]))
        (places, steps), p = self._places(codes[prior], prior), sigmoid(codes[prior][:, 2:])
        return np.concatenate([places - place, p - root], axis=1), np.concatenate([steps, p * (1 - p)], axis=1)

    def _assign(self, image: Parts, truth: Truth) -> Assignment:
        if self.dialect == "darknet":
            return super()._assign(image, truth)
        return scaled_yolov4(self.grids, truth.boxes, ratio=self.ratio)

    def _shares(self, given: list[Truth], assignments: list[Assignment]) -> list[Any]:
        if self.normalizer != "batch" or self.dialect == "darknet":
            return super()._shares(given, assignments)
        grids = [self._grid_of(assignment.pairs[:, 0]) for assignment in assignments]
        matches = np.bincount(np.concatenate(grids), minlength=len(self.grids))
        return [Means(self.of_batch(matches, 1), float(self.of_batch(len(assignments), 1)))] * len(assignments)

    def _grid_of(self, prior: Array) -> Array:
        ends = np.cumsum([grid.count for grid in self.grids])
        index: Array = np.searchsorted(ends, prior, side="right")
        return index

    def _image(self, image: Parts, truth: Truth, assignment: Assignment, divisor: Any, gradient: Parts) -> dict[str, float]:
        if self.dialect == "darknet":
            return super()._image(image, truth, assignment, divisor, gradient)
        counts = np.array([grid.count for grid in self.grids])
        if isinstance(divisor, Means):
            per_match, per_prior = 1 / divisor.matches, 1 / (divisor.images * counts)
        else:
            per_match, per_prior = np.full(len(counts), 1 / divisor), np.full(len(counts), 1 / divisor)
        dtype, (prior, index) = image["codes"].dtype, assignment.pairs.T
        share = per_match[self._grid_of(prior)].astype(dtype)
        # 1
        boxes, truths = self._boxes(image), truth.boxes[index]
        value, by_box = ciou_loss.value_and_grad(boxes[prior], truths)
        box = float((value * share).sum()) * self.box_weight
        # 3
        one_hot = (truth.labels[index][:, None] == np.arange(self.classes)).astype(dtype)
        one_hot = one_hot * (1 - self.label_smoothing) + 0.5 * self.label_smoothing
        rows = image["classes"][prior]
        slope, weights = np.empty_like(rows), (share * (self.class_weight / self.classes))[:, None]
        classes = cross_entropy(rows, one_hot, divisor=1.0, weights=weights, gradient=slope)
        # 2
        wanted = np.zeros_like(image["objectness"])
        similarity = np.maximum(1 - value, 0) if self.iou_as_objectness else np.ones_like(value)
        wanted[prior] = similarity  # of several matches of a prior the later stays, as NumPy's assignment has it
        weights = np.repeat(per_prior * self.balance, counts).astype(dtype) * dtype.type(self.objectness_weight)
        objectness = cross_entropy(image["objectness"], wanted, divisor=1.0, weights=weights, gradient=gradient.get("objectness"))
        if gradient:
            upstream = np.zeros_like(boxes)
            np.add.at(upstream, prior, by_box * (share * dtype.type(self.box_weight))[:, None])
            gradient["codes"][:] = self._decode_vjp(image["codes"], upstream)
            np.add.at(gradient["classes"], prior, slope)
        return {"box": box, "objectness": objectness, "classes": classes}

"""What SSD, RetinaNet and FCOS share: outputs by name, flat arrays with a row for each prior; box losses; normalisers."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal

import numpy as np

from .._engine import check
from .._engine.check import NEGATIVE
from .._engine.record import Array, Loss
from ..assign.assignment import Assignment, from_index
from ..coders import DeltaCoder, LTRBCoder
from ..errors import bad_type, bad_value
from ..losses import giou_loss, huber_loss, iou_loss, l1_loss, smooth_l1_loss
from ..priors import arguments
from ._criterion import Criterion, Normalizer, Outside, Parts, as_given, flags, same_image, summed
from ._targets import Truth

# Of codes, or (kind "pairs") of the boxes that they are decoded to.
BOX_LOSSES: dict[str, Loss[Any]] = {
    "smooth_l1": smooth_l1_loss, "l1": l1_loss, "huber": huber_loss, "giou": giou_loss, "iou": iou_loss, "log_iou": iou_loss,
}  # fmt: skip
BoxLoss = Literal["smooth_l1", "l1", "huber", "giou", "iou", "log_iou"]
SMALLEST = 2.0**-100  # pixels; a side below has no logarithm, relative to a prior's, in float32


class Flat(Criterion):
    """Outputs: a mapping of arrays (images, priors, numbers); a part of one number for each prior is (images, priors)."""

    numbers: dict[str, int]  # of each part, in a row; 0 for a part without that axis
    prior_size: ClassVar[int] = 4
    coder: DeltaCoder | LTRBCoder

    def __init__(
        self, classes: Any, priors: Any, image_size: Any, *, normalizer: Normalizer, outside: Outside, check_outputs: bool
    ) -> None:
        name = type(self).__name__
        self.classes = arguments.whole(name, "classes", classes)
        self.image_size = arguments.size(name, "image_size", image_size)
        self.priors = _priors(name, priors, self.prior_size).copy()  # the caller may go on with theirs
        self._priors_of = {T: np.ascontiguousarray(self.priors, T) for T in (np.float32, np.float64)}
        check.choice(name, "outside", outside, ("error", "clip", "keep"))
        flags(name, check=check_outputs)
        self.normalizer, self.outside, self.check = normalizer, outside, check_outputs
        if not callable(normalizer):
            self._divisors([1])  # checks it
        self.numbers = {"classes": self.classes, "codes": 4}

    def rows(self, dtype: Any) -> Array:
        """The priors in that dtype."""
        return self._priors_of[np.dtype(dtype).type]

    def _split(self, outputs: Any) -> dict[str, Array]:
        name = type(self).__name__
        missing = [part for part in self.numbers if not isinstance(outputs, Mapping) or part not in outputs]
        if missing:
            got = f"no {missing[0]!r}" if isinstance(outputs, Mapping) else type(outputs).__name__
            way_out = "give arrays (images, priors, ...), all scales after one another, in the order of the priors"
            bad_type(name, "outputs", f"a mapping with {', '.join(map(repr, self.numbers))}", got, way_out)
        parts = {}
        for part, count in self.numbers.items():
            argument = f"outputs[{part!r}]"
            values = check.floats(name, argument, outputs[part], "convert with astype(np.float32)")
            wanted = (len(self.priors), count) if count else (len(self.priors),)
            if values.ndim != 1 + len(wanted) or values.shape[1:] != wanted:
                shape = f"of shape (images, {', '.join(map(str, wanted))})"
                bad_value(name, argument, shape, f"{values.shape}", self._way_out(part))
            parts[part] = values.astype(np.float32) if check.is_half(values.dtype) else values
        same_image(name, [len(values) for values in parts.values()])
        if len({values.dtype for values in parts.values()}) != 1:
            got = ", ".join(f"{part} {values.dtype}" for part, values in parts.items())
            bad_type(name, "outputs", "arrays of one dtype", got, "convert them alike")
        return parts

    def _way_out(self, part: str) -> str:
        return f"this criterion has {self.classes} classes and {len(self.priors)} priors; (images, channels, rows, columns) is turned first"

    def _join(self, outputs: Any, gradient: Parts) -> dict[str, Array]:
        return {part: as_given(values, outputs[part]) for part, values in gradient.items()}

    def _boxes(self, parts: Parts) -> Array:
        codes = parts["codes"]
        return self.coder.decode(codes, self.rows(codes.dtype))

    def _matched(self, priors: Array, gt_boxes: Array) -> Assignment:
        raise NotImplementedError

    def _assign(self, image: Parts, truth: Truth) -> Assignment:
        """The detector's rule, for truths that have a size: what clipping has left of the others has no code."""
        priors, boxes = self.rows(truth.boxes.dtype), truth.boxes
        sized = np.flatnonzero((boxes[:, 2:] - boxes[:, :2] >= SMALLEST).all(axis=1))
        found = self._matched(priors, boxes[sized])
        if len(sized) == len(boxes) or not len(sized):
            return found
        return from_index(np.where(found.gt_index >= 0, sized[found.gt_index], found.gt_index))

    def _set_box_loss(self, box_loss: Any, *, beta: float, eps: float) -> None:
        check.choice(type(self).__name__, "box_loss", box_loss, tuple(BOX_LOSSES))
        check.number(type(self).__name__, "beta", beta, 0.0, 1e30, "1 is Fast R-CNN's, 0 is L1")
        check.number(type(self).__name__, "eps", eps, 0.0, 1.0, "0 is the paper's formula, 1e-7 is torchvision's")
        if box_loss == "huber" and beta == 0:
            bad_value(type(self).__name__, "beta", 'above 0 with box_loss="huber"', "0", 'Huber\'s loss is 0 there; say box_loss="l1"')
        self.box_loss, self.beta, self.eps = BOX_LOSSES[box_loss], beta, eps
        self.on_boxes = self.box_loss.kind == "pairs"
        given = {"beta": beta, "delta": beta, "eps": eps, "kind": "log" if box_loss == "log_iou" else "linear"}
        self._parameters = {name: value for name, value in given.items() if name in self.box_loss.defaults}

    def _regression(
        self, codes: Array, priors: Array, boxes: Array, *, divisor: float, weights: Array | None = None
    ) -> tuple[float, Array]:
        """The box loss of positive priors, summed and divided, and its gradient by their codes. weights: of what the loss is of."""
        first = self.coder.decode(codes, priors) if self.on_boxes else codes
        second = boxes if self.on_boxes else self.coder.encode(boxes, priors)
        slope = np.empty_like(first)
        value = summed(self.box_loss, first, second, divisor=divisor, weights=weights, gradient=slope, **self._parameters)
        if not self.on_boxes:
            return value, slope
        slope = self.coder.decode_vjp(codes, priors, slope)
        return self._told(value, codes, slope), slope


def _priors(name: str, values: Any, size: int) -> Array:
    array = check.floats(name, "priors", values, "convert with priors.astype(np.float32)")
    if array.ndim != 2 or array.shape[1] != size or not len(array):
        bad_value(name, "priors", f"of shape (n, {size})", f"{array.shape}", "make them with refloss.priors")
    if check.is_half(array.dtype):
        bad_type(name, "priors", "float32 or float64", f"{array.dtype}", "make them with refloss.priors, which rounds them once")
    sizes = array[:, 2:] - array[:, :2] if size == 4 else array[:, 2:]
    good = np.isfinite(array).all(axis=1) & (sizes > 0).all(axis=1)
    if not good.all():
        row = int(np.argmin(good))
        wanted = "finite, with " + ("x2 > x1 and y2 > y1" if size == 4 else "a stride above 0")
        bad_value(name, "priors", wanted, f"{array[row].tolist()} at index {row}", "make them with refloss.priors")
    return array


def each_image_at_least_one(counts: Sequence[float]) -> float:
    """mmdet's normaliser of SSD and RetinaNet: each image counts its positives, and an image without any counts 1."""
    return float(max(1, sum(max(1, count) for count in counts)))


def one_more(counts: Sequence[float]) -> float:
    """google/automl's normaliser: the positives of the batch, and 1."""
    return float(sum(counts) + 1)


class MovingAverage:
    """detectron2's normaliser: a moving average of max(1, positives of the batch). Its state moves at every call of a criterion.

    initial: 100 for its RetinaNet, 300 for its FCOS. momentum: what stays of it, in [0, 1).

    >>> average = MovingAverage(initial=100.0, momentum=0.9)
    >>> [round(average(counts), 6) for counts in ([0, 10], [0, 0])]
    [91.0, 82.0]
    """

    def __init__(self, initial: float = 100.0, momentum: float = 0.9) -> None:
        self.value = check.number("MovingAverage", "initial", initial, 1.0, 1e9, "100 is detectron2's for RetinaNet")
        self.momentum = check.number("MovingAverage", "momentum", momentum, 0.0, 0.999999, "0.9 is detectron2's")

    def __call__(self, counts: Sequence[float]) -> float:
        self.value = self.momentum * self.value + (1 - self.momentum) * max(1, sum(counts))
        return self.value


def softmax(logits: Array) -> Array:
    e: Array = logits - logits.max(axis=-1, keepdims=True)
    np.exp(e, out=e)
    e /= e.sum(axis=-1, keepdims=True)
    return e


def background_of(name: str, value: Any, classes: int) -> int:
    """The column of the background, counted from 0."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
        bad_type(name, "background", "an integer", type(value).__name__, "0 is the first column, -1 the last")
    if not -1 <= value <= classes:
        bad_value(name, "background", f"in [-1, {classes}]", f"{value}", "0 is the first column, -1 the last")
    return int(value) % (classes + 1)


def columns_of(classes: int, background: int) -> Array:
    """The column of each class; one more, the last, is the background's: so NEGATIVE (-1) finds it."""
    assert NEGATIVE == -1
    return np.append(np.delete(np.arange(classes + 1), background), background)

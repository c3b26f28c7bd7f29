"""What all criteria share: outputs in parts, truths, normalisation, terms. What a detector is, stands in its own file.

A criterion sees a head's outputs as *parts*, arrays (images, priors, ...) by name, and each term of the loss depends on one part
only; its gradient is that part's. So a term can be weighted afterwards by scaling one part of the gradient.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, Literal, NamedTuple

import numpy as np

from .. import boxes as _boxes
from .._engine import call, check, memory
from .._engine.record import Array, Loss
from .._engine.threads import SERIAL_BELOW, over_blocks
from ..assign.assignment import Assignment
from ..errors import bad_type, bad_value
from ._targets import Truth, truths

Parts = Mapping[str, Array]
Outside = Literal["error", "clip", "keep"]
Normalizer = Literal["batch", "image"] | float | Callable[[list[int]], float]


class Detections(NamedTuple):
    """What was found in one image: boxes (k, 4) xyxy pixels, scores (k,) falling, labels (k,) int64."""

    boxes: Array
    scores: Array
    labels: Array


class Criterion(ABC):
    """`criterion(outputs, targets)` gives the named terms of a loss, their sum is the loss; `value_and_grad` the gradient too.

    classes: how many, without a background. image_size: (height, width) in pixels.
    normalizer: what every term is divided by. "batch": max(1, positives of the batch). "image": each image by max(1, its positives),
        and the mean over images. A positive number. Or a function of the list of positives (one for each image) that gives one.
    outside: truths that leave the image are an "error", or "clip" them, or "keep" them as they are.
    check: look for NaN in the outputs first, and name image and part; where a loss is of boxes, name codes whose box has overflowed.
    """

    terms: ClassVar[dict[str, str]]  # name of a term -> name of the part that it depends on
    classes: int
    image_size: tuple[int, int]
    normalizer: Normalizer
    outside: Outside
    check: bool

    def __call__(self, outputs: Any, targets: Any) -> dict[str, Any]:
        return self._evaluate(outputs, targets, False)[0]

    def value_and_grad(self, outputs: Any, targets: Any) -> tuple[dict[str, Any], Any]:
        """(terms, the gradient of their sum with respect to the outputs, in the outputs' layout)."""
        terms, gradient = self._evaluate(outputs, targets, True)
        return terms, self._join(outputs, gradient)

    def decode(self, outputs: Any) -> tuple[Array, Array]:
        """(boxes (images, priors, 4) xyxy pixels, scores (images, priors, classes)) of a head's outputs."""
        parts = self._split(outputs)
        if self.check:
            _no_nan(type(self).__name__, parts)
        return self._boxes(parts), self._scores(parts)

    def select(
        self, outputs: Any, *, score_threshold: float = 0.05, iou_threshold: float = 0.5, max_detections: int = 100
    ) -> list[Detections]:
        """The detections of each image: scores above the threshold, then non-maximum suppression for each class.

        A prior whose box has no finite area (a size that overflowed, NaN) or is reversed is none; of a NaN check=True tells.
        """
        found = []
        limits: Any = {"score_threshold": score_threshold, "iou_threshold": iou_threshold, "max_detections": max_detections}
        for boxes, scores in zip(*self.decode(outputs), strict=True):
            sound = _of_finite_area(boxes)
            kept = _boxes.select(*((boxes, scores) if sound.all() else (boxes[sound], scores[sound])), **limits)
            found.append(Detections(kept.boxes, kept.scores, kept.labels))
        return found

    @abstractmethod
    def _split(self, outputs: Any) -> dict[str, Array]:
        """The outputs as parts, checked; float32 or float64."""

    @abstractmethod
    def _join(self, outputs: Any, gradient: Parts) -> Any:
        """A gradient by parts in the layout and dtype of the outputs."""

    @abstractmethod
    def _boxes(self, parts: Parts) -> Array: ...

    @abstractmethod
    def _scores(self, parts: Parts) -> Array: ...

    @abstractmethod
    def _assign(self, image: Parts, truth: Truth) -> Assignment:
        """Which truth each prior belongs to."""

    def _image(self, image: Parts, truth: Truth, assignment: Assignment, divisor: Any, gradient: Parts) -> dict[str, float]:
        """The terms of one image; `gradient` (no parts: not wanted) holds zeros, to be filled."""
        raise NotImplementedError

    def _batch(
        self, parts: Parts, given: list[Truth], assignments: list[Assignment], divisors: list[Any], gradient: Parts
    ) -> dict[str, float]:
        """The terms of the batch, an image after the other; who has a quicker way puts it here in place of `_image`."""
        total = dict.fromkeys(self.terms, 0.0)
        for i, (truth, assignment, divisor) in enumerate(zip(given, assignments, divisors, strict=True)):
            image, slope = ({part: values[i] for part, values in of.items()} for of in (parts, gradient))
            for term, value in self._image(image, truth, assignment, divisor, slope).items():
                total[term] += value
        return total

    def _count(self, assignment: Assignment) -> int:
        return int(assignment.positive.sum())

    def _evaluate(self, outputs: Any, targets: Any, wanted: bool) -> tuple[dict[str, Any], dict[str, Array]]:
        parts = self._split(outputs)
        first = next(iter(parts.values()))
        name, images = type(self).__name__, len(first)
        if self.check:
            _no_nan(name, parts)
        given = truths(
            name, targets, images=images, classes=self.classes, image_size=self.image_size, dtype=first.dtype, outside=self.outside
        )
        each = [{part: values[i] for part, values in parts.items()} for i in range(images)]
        assignments = [self._assign(image, truth) for image, truth in zip(each, given, strict=True)]
        divisors = self._shares(given, assignments)
        gradient = {part: memory.zeros(values.shape, values.dtype) for part, values in parts.items()} if wanted else {}
        total = self._batch(parts, given, assignments, divisors, gradient) if images else dict.fromkeys(self.terms, 0.0)
        return {term: first.dtype.type(value) for term, value in total.items()}, gradient

    def _told(self, value: float, codes: Array, slope: Array) -> float:
        """A loss of boxes: NaN where its gradient by the codes is. IoU is 0 of a box with a side that overflowed, its slope is no number,
        and whoever skips a step on a loss that is not finite must see that. With check=True it is an error."""
        wrong = np.isnan(slope).any(axis=-1)
        if not wrong.any():
            return value
        if self.check:
            way_out = "bound the codes, with wh_clip where there is one, or lower the learning rate"
            got = f"codes {codes[np.argmax(wrong)].tolist()}"
            bad_value(type(self).__name__, "outputs", "codes of boxes with a finite area", got, way_out)
        return math.nan

    def _shares(self, given: list[Truth], assignments: list[Assignment]) -> list[Any]:
        """What each image is divided by: its `divisor`."""
        return self._divisors([self._count(assignment) for assignment in assignments])

    @staticmethod
    def of_batch(count: Any, least: float) -> Any:
        """What a count over the batch divides by: at least `least`. An adapter whose batch lies in several processes puts its own here."""
        return np.maximum(count, least)

    def _divisors(self, counts: list[Any], least: float = 1.0) -> list[float]:
        if self.normalizer == "batch":
            return [float(self.of_batch(sum(counts), least))] * len(counts)
        if self.normalizer == "image":
            return [float(max(least, count) * len(counts)) for count in counts]
        value = self.normalizer(counts) if callable(self.normalizer) else self.normalizer
        number = check.number(type(self).__name__, "normalizer", value, 0.0, float("inf"), 'or say "batch" or "image"')
        if not 0.0 < number < float("inf"):
            bad_value(type(self).__name__, "normalizer", "positive and finite", f"{number:g}", "give max(1, number of positives)")
        return [number] * len(counts)


def summed(
    loss: Loss[Any], first: Array, second: Array, *, divisor: float, weights: Any = None, gradient: Array | None = None,
    **parameters: Any,
) -> float:  # fmt: skip
    """The loss summed and divided; its gradient written into `gradient` (contiguous, of the shape of `first`) without a copy."""
    flat = (-1,) if loss.kind == "elementwise" else (-1, first.shape[-1])
    x = np.ascontiguousarray(first).reshape(flat)
    t = np.ascontiguousarray(second, np.int64 if loss.targets == "labels" else x.dtype)
    none = np.empty(0, x.dtype)
    if not x.size:
        return 0.0
    shape = first.shape if loss.kind in ("elementwise", "labels") else first.shape[:-1]
    total = call.run(
        loss, loss.setting(**parameters), x, t.reshape(-1 if loss.targets == "labels" else flat),
        weights=check.weights(loss.name, weights, shape, x.dtype), upstream=none, divisor=divisor, value=none,
        grad=np.empty((0,) * x.ndim, x.dtype) if gradient is None else gradient.reshape(x.shape), total=True,
    )  # fmt: skip
    return total / divisor


def summed_rows(
    loss: Loss[Any], logits: Array, labels: Array, rows: Array, *, divisor: float, weights: Array, gradient: Array | None = None
) -> float:
    """`summed` of some rows of many; their gradient goes to its rows in `gradient`. labels, weights: of the rows.

    In pieces by several threads, so that copies stay in a cache and nobody waits alone for the pages of a fresh gradient.
    """
    size = max(1, SERIAL_BELOW // 2 // logits.shape[1])  # a piece is too small for threads of its own
    found = [0.0] * -(-len(rows) // size)

    def some(first: int, last: int) -> None:
        for k in range(first, last):
            piece = slice(k * size, (k + 1) * size)
            x = logits[rows[piece]]
            slope = None if gradient is None else np.empty_like(x)
            found[k] = summed(loss, x, labels[piece], divisor=divisor, weights=weights[piece], gradient=slope)
            if gradient is not None:
                gradient[rows[piece]] = slope

    over_blocks(some, len(found), len(rows) * logits.shape[1])
    return sum(found)


def _of_finite_area(boxes: Array) -> Array:
    """(n,) which boxes can be compared with others."""
    with np.errstate(over="ignore", invalid="ignore"):
        sizes = boxes[:, 2:] - boxes[:, :2]
        found: Array = np.isfinite(sizes.prod(axis=1)) & (sizes >= 0).all(axis=1)
    return found


def _no_nan(name: str, parts: Parts) -> None:
    for part, values in parts.items():
        wrong = np.isnan(values).any(axis=tuple(range(1, values.ndim)))
        if wrong.any():
            got = f"NaN in the {part} of image {int(np.argmax(wrong))}"
            bad_value(name, "outputs", "numbers", got, "look at the learning rate, or at what the network was fed")


def flags(name: str, **given: Any) -> None:
    """Each is True or False; None, the dialect's, is not asked here."""
    for argument, value in given.items():
        if value is not None and not isinstance(value, (bool, np.bool_)):
            bad_type(name, argument, "True or False", repr(value), "a string or number is no such choice")


def choices(name: str, dialect: Any, dialects: Mapping[str, Mapping[str, Any]], **given: Any) -> dict[str, Any]:
    """A dialect's table with what was given instead of None."""
    check.choice(name, "dialect", dialect, tuple(dialects))
    flags(name, **{key: value for key, value in given.items() if isinstance(dialects[dialect].get(key), bool)})
    return {**dialects[dialect], **{key: value for key, value in given.items() if value is not None}}


def as_given(gradient: Array, values: Any) -> Array:
    """A gradient in the dtype of what it is by: half precision again, where that was half; a list has float64."""
    dtype = getattr(values, "dtype", None)
    return gradient.astype(dtype, copy=False) if dtype is not None and check.is_half(np.dtype(dtype)) else gradient


def same_image(name: str, images: Sequence[int]) -> int:
    """The number of images that all arrays agree on."""
    if len(set(images)) != 1:
        bad_value(name, "outputs", "arrays of one number of images", f"{list(images)}", "pass the outputs of one batch")
    return images[0]

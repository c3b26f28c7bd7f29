"""A criterion taken apart: the terms of each image before any division, so that every normaliser and mistake can be tried on them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from refloss._engine.check import NEGATIVE

from ..criteria import Case, Criteria, Outputs
from ..golden import Array

Divisors = Sequence[Any]  # one number for each image, or one for each of its grids
Choices = Mapping[str, Any]  # everything that an evaluation can do otherwise, by name


class Piece(NamedTuple):
    """One term of one image: its plain sum, the gradient by the term's output, and how many numbers it was summed over."""

    value: float
    gradient: Outputs  # of this image
    elements: float
    selected: float  # elements that took part
    by_grid: Array | None = None  # the value of each grid, where grids are divided apart
    counts: Array | None = None  # and how many numbers each is the sum of


class Image(NamedTuple):
    """One image: its terms, and what normalisers count."""

    terms: Mapping[str, Piece]
    positives: int
    priors: int
    truths: int
    counted: int  # priors that are not ignored
    share: float = 0.0  # a count of another kind: FCOS's sum of centerness


@dataclass(frozen=True)
class Evaluated:
    """All images of a case, in the order of the batch."""

    images: Sequence[Image]

    def value(self, term: str, divisors: Divisors) -> float:
        """A term whose images are divided so."""
        total = 0.0
        with np.errstate(all="ignore"):
            for image, divisor in zip(self.images, divisors, strict=True):
                piece = image.terms[term]
                whole: Any = piece.value if np.ndim(divisor) == 0 else piece.by_grid
                total += float(np.sum(np.asarray(whole, np.float64) / divisor))
        return total

    def slope(self, file: Criteria, term: str, divisors: Divisors) -> Array:
        """Its gradient by the term's entries, in one row. Of divisors by grid each output, a head, has its own."""
        outputs = file.terms[term].outputs
        apart = [np.broadcast_to(np.asarray(divisor, np.float64), len(outputs)) for divisor in divisors]
        with np.errstate(all="ignore"):
            arrays = {
                output: np.stack([one.terms[term].gradient[output] / d[k] for one, d in zip(self.images, apart, strict=True)])
                for k, output in enumerate(outputs)
            }
        return file.terms[term].entries(arrays)


Evaluate = Callable[[Case, Choices], Evaluated]


def moved_labels(labels: Array, shift: int, classes: int) -> Array:
    """Labels that are read with another first class; what falls out at an end is no class."""
    moved = labels + shift
    return np.where((moved < 0) | (moved >= classes), NEGATIVE, moved)


def read_boxes(boxes: Array, as_format: str) -> Array:
    """xyxy boxes, taken for another format and converted."""
    a, b, c, d = boxes.T
    made = {
        "xyxy": (a, b, c, d), "cxcywh": (a - c / 2, b - d / 2, a + c / 2, b + d / 2), "xywh": (a, b, a + c, b + d), "yxyx": (b, a, d, c),
    }  # fmt: skip
    converted: Array = np.stack(made[as_format], axis=1)
    return converted if len(boxes) else boxes

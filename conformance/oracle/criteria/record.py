"""What an oracle of a criterion is: scenes, settings, and a function that adds up terms, gradients and their conditions."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np
from mpmath import mp

from refloss_conformance.gradients import Conditioned, conditioned, value_and_gradient

from ..decisions import Decisions
from ..mp import exact_parameters, mp_xp, numbers

SMALLEST_MARGIN = 64 * 2.0**-23  # as for golden scenes: no rounding of a sensible implementation decides otherwise
Truth = Mapping[str, Any]  # "gt_boxes" and "gt_labels" of one image


@dataclass(frozen=True)
class Scene:
    """A batch. config: what the head is (classes, priors, image_size, ...). settings: those that are asked; all, if None."""

    slug: str
    flags: tuple[str, ...]
    config: Mapping[str, Any]
    outputs: Mapping[str, Any]
    targets: Sequence[Truth]
    settings: tuple[str, ...] | None = None


class Term(NamedTuple):
    """Which entries of the outputs a term depends on: of these arrays all, or some channels along an axis."""

    outputs: tuple[str, ...]
    axis: int | None = None
    channels: tuple[int, ...] | None = None


@dataclass(frozen=True)
class Output:
    """One array of the head's; shape holds numbers, and names of lengths."""

    shape: tuple[int | str, ...]
    description: str


class Ledger:
    """Terms and gradients being added up, each with its condition scale; `parts` holds the head's outputs."""

    scales_wanted = True  # they take most of the time, and a second precision needs none

    def __init__(self, parts: Mapping[str, Any], terms: Sequence[str]) -> None:
        zero = mp.mpf(0)
        self.terms, self.scales = dict.fromkeys(terms, zero), dict.fromkeys(terms, zero)
        self.gradient = {name: numbers(np.zeros(np.shape(values))) for name, values in parts.items()}
        self.gradient_scale = {name: numbers(np.zeros(np.shape(values))) for name, values in parts.items()}
        self.positives: list[int] = []

    def add(
        self, term: str, formula: Callable[..., Any], kind: str, at: tuple[str, int, Sequence[int]], first: Any, second: Any,
        times: Sequence[Any], only: Any = slice(None), **parameters: Any,
    ) -> None:  # fmt: skip
        """Add the losses of some rows, each times a number. at: (part, image, rows); only: the columns of `first` that are of that part."""
        if not len(first):
            return
        part, image, rows = at
        given = (first, second), exact_parameters(parameters)
        if self.scales_wanted:
            found = conditioned(formula, *given, kind=kind, base=mp_xp)
        else:
            value, gradient = value_and_gradient(formula, *given, kind=kind, base=mp_xp)
            found = Conditioned(value, gradient, abs(value), abs(gradient))
        for k, row in enumerate(rows):
            w = mp.mpf(times[k])
            values, scales = np.atleast_1d(found.value[k]), np.atleast_1d(found.value_scale[k])
            self.terms[term] += w * values.sum()
            self.scales[term] += w * sum(max(abs(v), s) for v, s in zip(values, scales, strict=True))
            slope, slope_scale = found.gradient[k], found.gradient_scale[k]
            if np.ndim(slope):
                slope, slope_scale = slope[only], np.maximum(slope_scale[only], abs(slope[only]))
            else:
                slope_scale = max(slope_scale, abs(slope))
            self.gradient[part][image, row] += w * slope
            self.gradient_scale[part][image, row] += w * slope_scale


@dataclass(frozen=True)
class Oracle:
    """One criterion. evaluate(decisions, scene, parameters) gives a Ledger whose parts are laid out as the outputs."""

    name: str
    terms: Mapping[str, Term]
    outputs: Mapping[str, Output]
    config: Mapping[str, str]
    defaults: Mapping[str, Any]
    settings: Mapping[str, Mapping[str, Any]]
    notes: Mapping[str, tuple[str, str]]
    scenes: Callable[[], Sequence[Scene]]
    evaluate: Callable[[Decisions, Scene, Mapping[str, Any]], Ledger]


def exactly(values: Any) -> Any:
    """Floats, or mpmath's numbers, as nested lists of fractions."""
    if isinstance(values, (list, tuple, np.ndarray)):
        return [exactly(one) for one in values]
    if isinstance(values, mp.mpf):
        sign, man, exp, _ = values._mpf_
        return Fraction(int(man)) * Fraction(2) ** int(exp) * (-1 if sign else 1)
    return Fraction(values)


def with_area(truth: Truth) -> list[int]:
    """Truths without area match nothing."""
    return [j for j, (x1, y1, x2, y2) in enumerate(truth["gt_boxes"]) if x2 > x1 and y2 > y1]


def renumbered(gt_index: Sequence[int], kept: Sequence[int]) -> list[int]:
    """Indices into a part of the truths, as indices into all."""
    return [kept[j] if j >= 0 else j for j in gt_index]


def divisors(normalizer: Any, counts: Sequence[Any], least: Any = 1) -> list[Any]:
    """What each image is divided by."""
    if normalizer == "batch":
        return [max(least, sum(counts))] * len(counts)
    if normalizer == "image":
        return [max(least, count) * len(counts) for count in counts]
    if normalizer == "each image at least one":
        return [max(1, sum(max(1, count) for count in counts))] * len(counts)
    if normalizer == "one more":
        return [sum(counts) + 1] * len(counts)
    return [normalizer] * len(counts)

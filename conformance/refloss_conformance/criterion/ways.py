"""By which normaliser, and times what, answers follow from known deviations: each term by its value and by its own gradient.

A term is linear in its images: each has a plain sum and a gradient, and a normaliser says what divides them. So a case's images are
evaluated once under a stack of deviations and divided in every known way.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..criteria import Criteria
from ..golden import Array
from ..vectors import EPS
from .deviations import Candidate, applicable
from .evaluators import MODULES, base, evaluate, normalizer
from .images import Evaluated
from .normalizers import MOVING, NORMALIZERS, STATED, divisors_of
from .outcome import Outcome, right, total_scale

NOISE = 1024  # eps, of the local scale
FLOOR = 1 / 16  # of the largest number of a gradient: what rounding of other numbers may leave in one that is nearly 0
NAMES = (STATED.name, *NORMALIZERS, *MOVING)
Stack = tuple[Candidate, ...]


@dataclass(frozen=True)
class Divided:
    """How a term is divided: by a normaliser, then times a constant (of the value and of the gradient, which may differ)."""

    name: str
    factor: float = 1.0
    slope_factor: float = 1.0

    @property
    def plain(self) -> bool:
        return self.factor == 1 and self.slope_factor == 1

    def price(self, usual: str) -> int:
        return 2 * (self.name != usual) + 3 * (not self.plain)


@dataclass(frozen=True)
class Given:
    """What was answered of a term in one outcome."""

    value: Array | None
    slope: Array | None
    value_scale: Array
    slope_scale: Array


def _agrees(got: Array, predicted: Array, scale: Array, dtype: str) -> bool:
    """Numbers within the noise; what is not finite where the prediction is not, or 0 where it divides 0 by 0."""
    size = np.abs(np.nan_to_num(predicted, nan=0.0, posinf=0.0, neginf=0.0))
    tolerance = NOISE * EPS[dtype] * np.maximum(np.maximum(size, scale), FLOOR * size.max(initial=0.0))
    with np.errstate(invalid="ignore"):
        near = np.abs(got - predicted) <= tolerance
    lost = ~np.isfinite(predicted) & (~np.isfinite(got) | (np.isnan(predicted) & (got == 0)))
    return bool((near | lost).all())


def _constant(got: Array, predicted: Array) -> float | None:
    """The factor between both, from the largest number; None where there is nothing to tell it from."""
    if not np.isfinite(got).all() or not np.isfinite(predicted).all():
        return None
    k = int(np.argmax(np.abs(predicted)))
    return float(got[k] / predicted[k]) if abs(predicted[k]) > 1e-9 else None


class Ways:
    """The answers of one implementation, and how a stack of deviations gives each term of them.

    The batch with most images comes first: it refutes most. Right answers to a setting that is not taken apart, such as darknet's
    of YOLOv4, say nothing of the others and are left out.
    """

    def __init__(self, file: Criteria, outcomes: Sequence[Outcome]) -> None:
        self.file = file
        self._images: dict[Any, Evaluated | None] = {}
        self.outcomes = [one for one in outcomes if one.answered]
        self.possible = bool(self.outcomes) and file.name in MODULES
        if self.possible:
            apart = [self.images((), k) is not None for k in range(len(self.outcomes))]
            self.outcomes = [one for one, whole in zip(self.outcomes, apart, strict=True) if whole or not right(file, one)]
        self.possible = self.possible and bool(self.outcomes)
        self.order = sorted(
            range(len(self.outcomes)), key=lambda k: (-len(self.outcomes[k].case.positives), self.outcomes[k].dtype != "float64")
        )
        self.stated = [normalizer(file.name, one.case.parameters) for one in self.outcomes]
        first = self.stated[0] if self.stated else {}
        self.usual = {term: name if all(one[term] == name for one in self.stated) else STATED.name for term, name in first.items()}
        self.names = [name for name in NAMES if name != STATED.name or name in self.usual.values()]
        self._ways: dict[Any, list[Divided]] = {}
        self._touches: dict[Any, frozenset[str]] = {}
        self.given = {term: [self._given(term, one) for one in self.outcomes] for term in file.terms}
        self.known = [
            term for term, all_of in self.given.items() if any(one.value is not None or one.slope is not None for one in all_of)
        ]  # fmt: skip
        self.candidates = [one for one in applicable(file.name) if self.possible and self.applies((one,))]

    def _given(self, term: str, one: Outcome) -> Given:
        value = None if one.terms is None or term not in one.terms else np.atleast_1d(np.float64(one.terms[term]))
        what = self.file.terms[term]
        whole = one.slopes is not None and all(output in one.slopes for output in what.outputs)
        slope = what.entries(one.slopes or {}).astype(np.float64) if whole else None
        return Given(value, slope, np.atleast_1d(float(one.case.term_scales[term])), one.case.slope(what).scale)

    def choices(self, stack: Stack, parameters: Mapping[str, Any]) -> dict[str, Any] | None:
        """A setting's choices with the deviations of a stack; None where one of them changes nothing."""
        chosen: dict[str, Any] | None = base(self.file.name, parameters)
        for candidate in stack:
            chosen = None if chosen is None else candidate.change(chosen)
        return chosen

    def applies(self, stack: Stack) -> bool:
        """In every setting that was run."""
        settings = {one.case.setting: one.case.parameters for one in self.outcomes}
        return all(self.choices(stack, parameters) is not None for parameters in settings.values())

    def images(self, stack: Stack, k: int) -> Evaluated | None:
        """The images of an outcome's case under a stack; None where it cannot be evaluated."""
        one = self.outcomes[k]
        place = (key(stack), one.case.id)
        if place not in self._images:
            chosen = self.choices(stack, one.case.parameters)
            try:
                with np.errstate(all="ignore"):
                    self._images[place] = None if chosen is None else evaluate(self.file.name, one.case, chosen)
            except (ValueError, TypeError, IndexError, FloatingPointError):
                self._images[place] = None
        return self._images[place]

    def touches(self, candidate: Candidate) -> frozenset[str]:
        """The terms that a deviation changes in some case."""
        place = key((candidate,))
        if place not in self._touches:
            pairs = [(self.images((), k), self.images((candidate,), k)) for k in range(len(self.outcomes)) if self._first(k)]
            self._touches[place] = frozenset(
                term for term in self.file.terms if any(b is None or (a is not None and differs(a, b, term)) for a, b in pairs)
            )
        return self._touches[place]

    def _first(self, k: int) -> bool:
        """One outcome for each case."""
        return all(self.outcomes[i].case is not self.outcomes[k].case for i in range(k))

    def of_term(self, stack: Stack, term: str) -> Stack:
        """The part of a stack that touches a term."""
        return tuple(candidate for candidate in stack if term in self.touches(candidate))

    def divisors(self, stack: Stack, name: str, term: str, k: int) -> list[Any]:
        """What divides the images of an outcome."""
        name = self.stated[k][term] if name == STATED.name else name
        calls = range(k + 1) if name in MOVING else (k,)
        found = [self.images(stack, i) for i in calls]
        return divisors_of(name, [one.images for one in found if one is not None], term)[-1]

    def of(self, stack: Stack, term: str, scaled: bool = False) -> list[Divided]:
        """Every normaliser (and, if scaled, constant) by which this stack gives all that was answered of a term."""
        place = (key(stack), term, scaled)
        if place not in self._ways:
            found = [self._way(stack, term, name, scaled) for name in self.names]
            self._ways[place] = [way for way in found if way is not None]
        return self._ways[place]

    def _way(self, stack: Stack, term: str, name: str, scaled: bool) -> Divided | None:
        factors: list[float | None] = [None, None] if scaled else [1.0, 1.0]
        for k in self.order:
            images, given = self.images(stack, k), self.given[term][k]
            if images is None:
                return None
            divisors = self.divisors(stack, name, term, k)
            if np.isnan(divisors[0]).any():  # of grids, where there are none
                return None
            for j, (got, scale) in enumerate(((given.value, given.value_scale), (given.slope, given.slope_scale))):
                if got is None:
                    continue
                predicted = np.atleast_1d(images.value(term, divisors)) if j == 0 else images.slope(self.file, term, divisors)
                if factors[j] is None:
                    factors[j] = _constant(got, predicted)
                factor = 1.0 if factors[j] is None else float(factors[j] or 0.0)
                with np.errstate(invalid="ignore"):  # 0 times infinity
                    scaled_prediction = factor * predicted
                if not _agrees(got, scaled_prediction, abs(factor) * scale, self.outcomes[k].dtype):
                    return None
        a, b = (1.0 if f is None or abs(f - 1) < 1e-6 else f for f in factors)
        b = a if abs(b - a) <= 1e-6 * abs(a) else b
        has_value = any(one.value is not None for one in self.given[term])
        has_slope = any(one.slope is not None for one in self.given[term])
        return Divided(name, a if has_value else b, b if has_slope else a)

    def total_agrees(self, stack: Stack, divided: Mapping[str, Divided]) -> bool:
        """Whether the totals that were answered are the sum of the terms."""
        parts = {term: self.of_term(stack, term) for term in divided}
        for k in self.order:
            one = self.outcomes[k]
            if one.total is None or set(divided) != set(self.file.terms):
                continue
            whole = 0.0
            for term, way in divided.items():
                images = self.images(parts[term], k)
                divisors = self.divisors(parts[term], way.name, term, k)
                if images is None or np.isnan(divisors[0]).any():
                    return False
                whole += way.factor * images.value(term, divisors)
            if not _agrees(np.atleast_1d(one.total), np.atleast_1d(whole), np.atleast_1d(total_scale(one.case)), one.dtype):
                return False
        return True


def key(stack: Stack) -> Any:
    return tuple((candidate.deviation.name, candidate.constant) for candidate in stack)


def differs(one: Evaluated, other: Evaluated, term: str) -> bool:
    """Whether a term, or what it is divided by, is another."""
    for a, b in zip(one.images, other.images, strict=True):
        if a._replace(terms={}) != b._replace(terms={}) or a.terms[term].value != b.terms[term].value:
            return True
        if not np.array_equal(a.terms[term].counts, b.terms[term].counts):  # type: ignore[arg-type]
            return True
        if any(not np.array_equal(a.terms[term].gradient[k], b.terms[term].gradient[k], equal_nan=True) for k in a.terms[term].gradient):
            return True
    return False

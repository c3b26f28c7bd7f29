"""Which normaliser each term has, and which known deviations give what was answered.

A term is linear in its images: each has a plain sum and a gradient, and a normaliser says what divides them. So a stack of deviations
is tried by evaluating a case's images once and dividing them in every known way. Terms are solved apart, each by its value and by
the gradient of the outputs that are its own, with the deviations that touch it; then stacks of all terms are put together.
"""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
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
ALTERNATIVES = 6
COMBINATIONS = 3000
NAMES = (STATED.name, *NORMALIZERS, *MOVING)
# (deviations of a term, besides its normaliser; whether constants are fitted), the simplest first
SEARCHED = ((0, False), (1, False), (0, True), (1, True), (2, False), (2, True))
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
class Explanation:
    """Deviations, and how each term is divided; all answers follow from them. usual: the stated normaliser of each term."""

    stack: Stack
    divided: Mapping[str, Divided]
    usual: Mapping[str, str]
    cost: int = field(default=0)


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


class Search:
    """The answers of one implementation, and every way of giving them. The batch with most images comes first: it refutes most.

    Right answers to a setting that is not taken apart, such as darknet's of YOLOv4, say nothing of the others and are left out.
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
        key = (_key(stack), one.case.id)
        if key not in self._images:
            chosen = self.choices(stack, one.case.parameters)
            try:
                with np.errstate(all="ignore"):
                    self._images[key] = None if chosen is None else evaluate(self.file.name, one.case, chosen)
            except (ValueError, TypeError, IndexError, FloatingPointError):
                self._images[key] = None
        return self._images[key]

    def touches(self, candidate: Candidate) -> frozenset[str]:
        """The terms that a deviation changes in some case."""
        key = _key((candidate,))
        if key not in self._touches:
            pairs = [(self.images((), k), self.images((candidate,), k)) for k in range(len(self.outcomes)) if self._first(k)]
            self._touches[key] = frozenset(
                term for term in self.file.terms if any(b is None or (a is not None and _differs(a, b, term)) for a, b in pairs)
            )
        return self._touches[key]

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

    def ways(self, stack: Stack, term: str, scaled: bool = False) -> list[Divided]:
        """Every normaliser (and, if scaled, constant) by which this stack gives all that was answered of a term."""
        key = (_key(stack), term, scaled)
        if key not in self._ways:
            found = [self._way(stack, term, name, scaled) for name in self.names]
            self._ways[key] = [way for way in found if way is not None]
        return self._ways[key]

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
                if not _agrees(got, factor * predicted, abs(factor) * scale, self.outcomes[k].dtype):
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

    def of_stack(self, stack: Stack, scaled: bool) -> list[Explanation]:
        """Explanations by a stack: each term by some normaliser, the stated one if that will do."""
        if not self.known:
            return self._by_totals(stack)
        per_term: dict[str, list[Divided]] = {}
        for term in self.known:
            ways = self.ways(self.of_term(stack, term), term, scaled)
            if not ways:
                return []
            least = min(way.price(self.usual[term]) for way in ways)
            per_term[term] = [way for way in ways if way.price(self.usual[term]) == least]
        common = set.intersection(*({way.name for way in ways} for ways in per_term.values()))
        if common:  # one name for all terms, where there is one
            choices = [
                {term: next(way for way in ways if way.name == name) for term, ways in per_term.items()}
                for name in self.names if name in common
            ]  # fmt: skip
        else:
            some = itertools.islice(itertools.product(*per_term.values()), ALTERNATIVES)
            choices = [dict(zip(per_term, each, strict=True)) for each in some]
        return [self._made(stack, chosen) for chosen in choices if self.total_agrees(stack, chosen)]

    def _by_totals(self, stack: Stack) -> list[Explanation]:
        """Only totals are known: the stated normalisers, one for all terms, or (without a deviation) each its own."""
        terms = list(self.file.terms)
        tries: list[Mapping[str, Divided]] = [{term: Divided(self.usual[term]) for term in terms}]
        tries += [{term: Divided(name) for term in terms} for name in (self.names if len(stack) < 2 else NORMALIZERS)]
        if not stack:
            tries += [dict(zip(terms, map(Divided, some), strict=True)) for some in itertools.product(NORMALIZERS, repeat=len(terms))]
        different = [one for k, one in enumerate(tries) if one not in tries[:k]]
        found = [self._made(stack, chosen) for chosen in different if self.total_agrees(stack, chosen)]
        least = min((one.cost for one in found), default=0)
        return [one for one in found if one.cost == least][:ALTERNATIVES]

    def _made(self, stack: Stack, divided: Mapping[str, Divided]) -> Explanation:
        others = {way.name for term, way in divided.items() if way.name != self.usual[term]}
        cost = 2 * len(stack) + 2 * len(others) + sum(3 for way in divided.values() if not way.plain)
        return Explanation(stack, divided, self.usual, cost)

    def explain(self) -> list[Explanation]:
        """The cheapest explanations of all answers: alternatives that the cases cannot tell apart."""
        for depth, scaled in SEARCHED if self.possible else ():
            stacks = self.stacks(depth) if not self.known else self.put_together(depth, scaled)
            found = [one for stack in stacks for one in self.of_stack(stack, scaled)]
            if found:
                least = min(one.cost for one in found)
                return [one for one in found if one.cost == least][:ALTERNATIVES]
        return []

    def stacks(self, depth: int, term: str | None = None) -> Iterator[Stack]:
        """Deviations that apply (and touch a term), so many at once."""
        single = [candidate for candidate in self.candidates if depth and (term is None or term in self.touches(candidate))]
        for chosen in itertools.combinations(single, depth):
            if len({candidate.deviation.name for candidate in chosen}) == depth and (depth < 2 or self.applies(chosen)):
                yield chosen

    def solved(self, term: str, depth: int, scaled: bool) -> list[Stack]:
        """The smallest stacks, of at most so many deviations, that give a term alone."""
        for size in range(depth + 1):
            found = [stack for stack in self.stacks(size, term) if self.ways(stack, term, scaled)]
            if found:
                return found
        return []

    def put_together(self, depth: int, scaled: bool) -> list[Stack]:
        """Stacks of all terms: the union of one that gives each. The smallest first."""
        each = [self.solved(term, depth, scaled) for term in self.known]
        unions: dict[Any, Stack] = {}
        for chosen in itertools.islice(itertools.product(*each), COMBINATIONS):
            union = {_key((candidate,)): candidate for stack in chosen for candidate in stack}
            ordered = tuple(candidate for candidate in self.candidates if _key((candidate,)) in union)
            if len({candidate.deviation.name for candidate in ordered}) == len(ordered):
                unions[_key(ordered)] = ordered
        return sorted(unions.values(), key=len)


def _key(stack: Stack) -> Any:
    return tuple((candidate.deviation.name, candidate.constant) for candidate in stack)


def _differs(one: Evaluated, other: Evaluated, term: str) -> bool:
    """Whether a term, or what it is divided by, is another."""
    for a, b in zip(one.images, other.images, strict=True):
        if a._replace(terms={}) != b._replace(terms={}) or a.terms[term].value != b.terms[term].value:
            return True
        if not np.array_equal(a.terms[term].counts, b.terms[term].counts):  # type: ignore[arg-type]
            return True
        if any(not np.array_equal(a.terms[term].gradient[k], b.terms[term].gradient[k], equal_nan=True) for k in a.terms[term].gradient):
            return True
    return False


def by_term(search: Search) -> dict[str, list[tuple[Stack, Divided]]]:
    """For each term what gives it alone, where nothing gives all of them."""
    found: dict[str, list[tuple[Stack, Divided]]] = {}
    for term in search.known if search.possible else ():
        for depth, scaled in SEARCHED[:4]:
            some = [(stack, way) for stack in search.solved(term, depth, scaled) for way in search.ways(stack, term, scaled)]
            if some:
                found[term] = some[:ALTERNATIVES]
                break
    return found

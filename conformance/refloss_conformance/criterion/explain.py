"""Which known deviations give what was answered, and how each term is divided then.

Terms are solved apart (ways.py), each with the deviations that touch it; then stacks of all terms are put together.
"""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..criteria import Criteria
from .normalizers import NORMALIZERS
from .outcome import Outcome
from .ways import Divided, Stack, Ways, key

ALTERNATIVES = 6
COMBINATIONS = 3000
# (deviations of a term, besides its normaliser; whether constants are fitted), the simplest first
SEARCHED = ((0, False), (1, False), (0, True), (1, True), (2, False), (2, True))
SHALLOW = SEARCHED[:4]  # where a search is repeated: pairs take a dozen times as long


@dataclass(frozen=True)
class Explanation:
    """Deviations, and how each term is divided; all answers follow from them. usual: the stated normaliser of each term."""

    stack: Stack
    divided: Mapping[str, Divided]
    usual: Mapping[str, str]
    cost: int = field(default=0)


class Search:
    """The answers of one implementation, and every way of giving them."""

    def __init__(self, file: Criteria, outcomes: Sequence[Outcome]) -> None:
        self.file = file
        self.ways = Ways(file, outcomes)
        self.possible, self.outcomes, self.known, self.usual = self.ways.possible, self.ways.outcomes, self.ways.known, self.ways.usual

    def of_stack(self, stack: Stack, scaled: bool) -> list[Explanation]:
        """Explanations by a stack: each term by some normaliser, the stated one if that will do."""
        if not self.known:
            return self._by_totals(stack)
        per_term: dict[str, list[Divided]] = {}
        for term in self.known:
            ways = self.ways.of(self.ways.of_term(stack, term), term, scaled)
            if not ways:
                return []
            least = min(way.price(self.usual[term]) for way in ways)
            per_term[term] = [way for way in ways if way.price(self.usual[term]) == least]
        common = set.intersection(*({way.name for way in ways} for ways in per_term.values()))
        if common:  # one name for all terms, where there is one
            choices = [
                {term: next(way for way in ways if way.name == name) for term, ways in per_term.items()}
                for name in self.ways.names if name in common
            ]  # fmt: skip
        else:
            some = itertools.islice(itertools.product(*per_term.values()), ALTERNATIVES)
            choices = [dict(zip(per_term, each, strict=True)) for each in some]
        return [self._made(stack, chosen) for chosen in choices if self.ways.total_agrees(stack, chosen)]

    def _by_totals(self, stack: Stack) -> list[Explanation]:
        """Only totals are known: the stated normalisers, one for all terms, or (without a deviation) each its own."""
        terms = list(self.file.terms)
        tries: list[Mapping[str, Divided]] = [{term: Divided(self.usual[term]) for term in terms}]
        tries += [{term: Divided(name) for term in terms} for name in (self.ways.names if len(stack) < 2 else NORMALIZERS)]
        if not stack:
            tries += [dict(zip(terms, map(Divided, some), strict=True)) for some in itertools.product(NORMALIZERS, repeat=len(terms))]
        different = [one for k, one in enumerate(tries) if one not in tries[:k]]
        found = [self._made(stack, chosen) for chosen in different if self.ways.total_agrees(stack, chosen)]
        least = min((one.cost for one in found), default=0)
        return [one for one in found if one.cost == least][:ALTERNATIVES]

    def _made(self, stack: Stack, divided: Mapping[str, Divided]) -> Explanation:
        others = {way.name for term, way in divided.items() if way.name != self.usual[term]}
        cost = 2 * len(stack) + 2 * len(others) + sum(3 for way in divided.values() if not way.plain)
        return Explanation(stack, divided, self.usual, cost)

    def explain(self, searched: Sequence[tuple[int, bool]] = SEARCHED) -> list[Explanation]:
        """The cheapest explanations of all answers: alternatives that the cases cannot tell apart."""
        for depth, scaled in searched if self.possible else ():
            stacks = self.stacks(depth) if not self.known else self.put_together(depth, scaled)
            found = [one for stack in stacks for one in self.of_stack(stack, scaled)]
            if found:
                least = min(one.cost for one in found)
                return [one for one in found if one.cost == least][:ALTERNATIVES]
        return []

    def stacks(self, depth: int, term: str | None = None) -> Iterator[Stack]:
        """Deviations that apply (and touch a term), so many at once."""
        single = [candidate for candidate in self.ways.candidates if depth and (term is None or term in self.ways.touches(candidate))]
        for chosen in itertools.combinations(single, depth):
            if len({candidate.deviation.name for candidate in chosen}) == depth and (depth < 2 or self.ways.applies(chosen)):
                yield chosen

    def solved(self, term: str, depth: int, scaled: bool) -> list[Stack]:
        """The smallest stacks, of at most so many deviations, that give a term alone."""
        for size in range(depth + 1):
            found = [stack for stack in self.stacks(size, term) if self.ways.of(stack, term, scaled)]
            if found:
                return found
        return []

    def put_together(self, depth: int, scaled: bool) -> list[Stack]:
        """Stacks of all terms: the union of one that gives each. The smallest first."""
        each = [self.solved(term, depth, scaled) for term in self.known]
        unions: dict[Any, Stack] = {}
        for chosen in itertools.islice(itertools.product(*each), COMBINATIONS):
            union = {key((candidate,)): candidate for stack in chosen for candidate in stack}
            ordered = tuple(candidate for candidate in self.ways.candidates if key((candidate,)) in union)
            if len({candidate.deviation.name for candidate in ordered}) == len(ordered):
                unions[key(ordered)] = ordered
        return sorted(unions.values(), key=len)


def by_term(search: Search) -> dict[str, list[tuple[Stack, Divided]]]:
    """For each term what gives it alone, where nothing gives all of them."""
    found: dict[str, list[tuple[Stack, Divided]]] = {}
    for term in search.known if search.possible else ():
        for depth, scaled in SHALLOW:
            some = [(stack, way) for stack in search.solved(term, depth, scaled) for way in search.ways.of(stack, term, scaled)]
            if some:
                found[term] = some[:ALTERNATIVES]
                break
    return found

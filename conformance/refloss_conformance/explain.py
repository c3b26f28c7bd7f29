"""Which known deviation, or stack of them, gives the results that were got.

The search looks at a sample of the cases: every deviation alone, every pair, then what can be added to the best of those.
Values come first, which are cheap; gradients only of the stacks whose values fit. An answer is verified on all cases, and
the cases that refute one join the sample.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .agreement import NEARLY_ALL, Explanation, agreeing, failing, reach
from .deviations import Candidate, applicable
from .golden import Array
from .predict import Stack, evaluate_all, remembering
from .verdict import Judged, Part, per_case, typical

__all__ = ["Explanation", "explain"]

DEEPEST = 4  # deviations in one stack
BEAM = 5
COMMON = (1e-7, 1e-6)  # constants that are always tried in stacks
MANY = 10  # constants from which on two deviations are not combined at first
SHEETS, CASES = 8, 24  # batches in the sample, and cases of each
KEPT = 160  # stacks that are ranked on the second sheet; half as many on each further one
RANKED = 16  # of them, those whose gradients are compared though none fits
FAR, MOST = 0.2, 0.6  # relative error, and share of the cases, that rule a stack out at first sight
PROMISING = 0.1  # of the failures: what a deviation alone must explain for more than two to be looked for
LEAST, SHARE = 2, 0.125  # cases that are right, and their share, that rule a stack out if it is far off in them
REFUTED = 3  # cases of a batch that join the sample when they refute an answer


@dataclass
class Score:
    """How far stacks reach on the sample; `total` counts values and gradients apart, so that half an explanation is seen."""

    stacks: list[Stack]
    explained: Array
    contradicted: Array
    serious: Array
    total: Array
    hairs: Array
    failing: int = 0

    @classmethod
    def none(cls, stacks: Sequence[Stack]) -> "Score":
        a, b, c, d, e = np.zeros((5, len(stacks)), int)
        return cls(list(stacks), a, b, c, d, e)

    def take(self, index: Any) -> "Score":
        return Score(
            [self.stacks[i] for i in index], self.explained[index], self.contradicted[index], self.serious[index], self.total[index],
            self.hairs[index], self.failing,
        )  # fmt: skip

    @property
    def fits(self) -> Array:
        """Nothing contradicted, and all explained that matters, so far."""
        enough = (self.explained >= NEARLY_ALL * (self.failing - self.hairs)) & (self.explained >= self.hairs)
        return np.asarray((self.contradicted == 0) & (self.serious == 0) & enough)

    def order(self) -> Array:
        """Best first."""
        return np.asarray(np.argsort(-self.total, kind="stable"))

    def add(self, one: Judged, gradient: bool) -> None:
        """One more sheet."""
        value, slope = agreeing(self.stacks, one, gradient)
        fails, matters, hair = failing(one, gradient)
        agrees = value if slope is None else value & slope
        self.failing += int(fails.sum())
        self.explained += (agrees & fails).sum(axis=1)
        self.contradicted += (~agrees & ~fails).sum(axis=1)
        self.serious += (~agrees & matters).sum(axis=1)
        self.hairs += (~agrees & hair).sum(axis=1)
        for part, good in ((one.value, value), (one.gradient, slope)):
            if part is not None and good is not None:
                wrong = part.strict.reshape(len(part.strict), -1).any(axis=1)
                self.total += (good & wrong).sum(axis=1) - (~good & ~wrong).sum(axis=1)


class Search:
    """The sample, and what is tried on it."""

    def __init__(self, judged: Sequence[Judged], candidates: Sequence[Candidate]) -> None:
        self.judged, self.candidates = judged, list(candidates)
        self.with_gradients = any(one.gradient is not None for one in judged)
        self.chosen: dict[int, set[int]] = {}
        share = max(CASES, SHEETS * CASES // max(len(judged), 1))
        counts = np.array([failing(one, True)[0].sum() for one in judged])
        for i in _spread(_foremost(counts), SHEETS):
            bad = failing(judged[i], True)[0]
            some = {*_spread(np.flatnonzero(bad), 3 * share // 4).tolist(), *_spread(np.flatnonzero(~bad), share // 4).tolist()}
            self.chosen[int(i)] = some
        self.sheets = self._sheets()

    def _sheets(self) -> list[Judged]:
        return [take(self.judged[i], sorted(cases)) for i, cases in self.chosen.items()]

    def ranked(self, stacks: Sequence[Stack], narrowing: bool) -> Score:
        """By values alone, best first; `narrowing` leaves the hopeless ones out on the way."""
        score, keep = Score.none(stacks), KEPT
        for k, sheet in enumerate(self.sheets if len(stacks) else []):
            if narrowing and k == 0 and len(stacks) > 2 * KEPT:
                score = self._leading(stacks, sheet)
            else:
                score.add(sheet, False)
            if narrowing:
                score = score.take(score.order()[: max(keep, RANKED)])
                keep //= 2
        return score.take(score.order())

    def _leading(self, stacks: Sequence[Stack], sheet: Judged) -> Score:
        """The scores on one sheet of those among very many stacks that can be the best: in the order of what they can reach at most."""
        wrong = per_case(sheet.value.strict)
        far = self._far(stacks, sheet)[0]
        most = (wrong & ~far).sum(axis=1) - (~wrong & far).sum(axis=1)
        order = np.argsort(-most, kind="stable")
        seen, total = 0, np.zeros(0, int)
        while seen < len(order) and (seen < KEPT or np.sort(total)[-KEPT] <= most[order[seen]]):
            score = Score.none([stacks[i] for i in order[seen : seen + 2 * KEPT]])
            score.add(sheet, False)
            total = np.concatenate([total, score.total])
            seen += 2 * KEPT
        chosen = np.sort(order[:seen])
        score = Score.none([stacks[i] for i in chosen])
        score.add(sheet, False)
        return score

    def fitting(self, stacks: Sequence[Stack], gradient: bool) -> Score:
        """The stacks that fit; each is dropped as soon as it does not."""
        score = Score.none(stacks if gradient or len(stacks) <= KEPT else self._near(stacks))
        for sheet in self.sheets:
            if len(score.stacks):
                score.add(sheet, gradient)
                score = score.take(np.flatnonzero((score.contradicted == 0) & (score.serious == 0)))
        score = score.take(np.flatnonzero(score.fits))
        return score.take(score.order())

    def _near(self, stacks: Sequence[Stack]) -> list[Stack]:
        """Very many stacks without those that are far off in most cases of the first sheet, or in some that pass, whatever the noise."""
        far, runs = self._far(stacks, self.sheets[0])
        right = ~failing(self.sheets[0], False)[0]
        refuted = (far & right).sum(axis=1) >= max(LEAST, SHARE * right.sum())
        return [stacks[i] for i in np.flatnonzero(runs & ~refuted & (far.mean(axis=1) <= MOST)).tolist()]

    def _far(self, stacks: Sequence[Stack], one: Judged) -> tuple[Array, Array]:
        """Which cases' values each stack misses by far, seen in float64 alone; and whether it can be computed."""
        found = evaluate_all(stacks, one.batch, np.float64, False)
        with np.errstate(all="ignore"):
            size = np.maximum(np.abs(found.value), np.abs(one.value.got)) + 1e-2 * typical(one.value.wanted.number)
            far = np.abs(found.value - one.value.got) > FAR * size
        return far.reshape(*found.value.shape[:2], -1).any(axis=2), found.runs

    def verified(self, stacks: Sequence[Stack]) -> list[Explanation]:
        """The stacks that hold on all cases, one for each set of names: constants that cannot be told apart keep the first."""
        found: dict[frozenset[str], Explanation] = {}
        left = list(stacks)
        while left:
            stack = left.pop(0)
            names = frozenset(c.name for c in stack)
            if names not in found:
                whole = reach(stack, self.judged, lambda one: one.contradicted > 0 or one.unexplained_in_training > 0)
                if whole.complete:
                    found[names] = whole
                elif self._learn(stack):
                    left = self.fitting(left, self.with_gradients).stacks
        return list(found.values())

    def _learn(self, stack: Stack) -> bool:
        """Put cases that refute a stack into the sample, for the next levels."""
        for i, one in enumerate(self.judged):
            value, slope = agreeing([stack], one, True)
            refuting = np.flatnonzero(~(value[0] if slope is None else value[0] & slope[0]))
            fresh = [int(c) for c in _spread(refuting, REFUTED) if int(c) not in self.chosen.get(i, ())]
            if fresh:
                self.chosen.setdefault(i, set()).update(fresh)
                self.sheets = self._sheets()
                return True
        return False

    def level(self, stacks: Sequence[Stack]) -> list[Explanation]:
        """The stacks that explain everything."""
        fitting = self.fitting(stacks, False).stacks
        return self.verified(self.fitting(fitting, True).stacks if self.with_gradients else fitting)

    def best(self, stacks: Sequence[Stack]) -> Score:
        """Where no stack explains everything: the best, by values and gradients. `stacks` come best first by values."""
        score = Score.none(stacks[:RANKED])
        for sheet in self.sheets:
            score.add(sheet, True)
        return score.take(score.order())


def explain(judged: Sequence[Judged]) -> list[Explanation]:
    """The shortest stacks that explain every failure, all of one length; or the best partial one; or nothing."""
    if not any(part.strict.any() for one in judged for part in one.parts):
        return []
    with remembering():
        return _explain(judged)


def _explain(judged: Sequence[Judged]) -> list[Explanation]:
    loss = judged[0].batch.loss
    search = Search(judged, applicable(loss))
    singles: list[Stack] = [(c,) for c in search.candidates]
    usual = [c for c in search.candidates if not c.deviation.alone]
    found = search.level(singles) or search.level(_pairs(usual, False)) or search.level(_pairs(usual, True))
    if found:
        return found
    ranked = search.ranked([(c,) for c in usual], narrowing=False)
    few = _few_constants(ranked, usual)
    slips = search.ranked([stack for stack in singles if stack[0].deviation.alone], narrowing=True)
    best = search.best(_merged(ranked, slips))
    if best.total[0] < PROMISING * best.failing:
        return []
    pairs = _pairs(few, False) + _pairs(few, True)
    for depth in range(2, DEEPEST + 1):
        more = _extended([stack for stack in best.stacks[:BEAM] if depth > 2 or stack[0].deviation.alone], few)
        stacks = [*pairs, *more] if depth == 2 else more
        found = search.level(more)
        if found:
            return found
        tried = search.best(search.ranked(stacks, narrowing=True).stacks)
        if not tried.stacks or tried.total[0] <= best.total[0]:
            break
        best = tried
    whole = reach(best.stacks[0], judged)
    cases = sum(len(one.batch) for one in judged)
    return [whole] if whole.explained >= 0.6 * whole.failing and whole.contradicted <= 0.02 * cases else []


def _pairs(candidates: Sequence[Candidate], unknown: bool) -> list[Stack]:
    """All pairs, in both orders where that matters: those of two deviations that each have an `unknown` constant, or the others."""
    known = [(c, c.name, len(c.deviation.constants) >= MANY, c.deviation.keyword) for c in candidates]
    return [
        (a, b)
        for i, (a, name, open_a, keyword) in enumerate(known)
        for j, (b, other, open_b, free) in enumerate(known)
        if name != other and unknown == (open_a and open_b) and not (keyword and free and j < i)
    ]


def _extended(beam: Iterable[Stack], few: Sequence[Candidate]) -> list[Stack]:
    """One more deviation on each stack of the beam."""
    found: dict[Any, Stack] = {}
    for stack in beam:
        for candidate in few:
            if all(candidate.name != c.name for c in stack):
                found.setdefault(frozenset((c.name, c.constant) for c in (*stack, candidate)), (*stack, candidate))
    return list(found.values())


def _merged(a: Score, b: Score) -> list[Stack]:
    """The stacks of both, best first."""
    total = np.concatenate([a.total, b.total])
    both = [*a.stacks, *b.stacks]
    return [both[i] for i in np.argsort(-total, kind="stable")]


def _few_constants(score: Score, candidates: Sequence[Candidate]) -> list[Candidate]:
    """Of each deviation with an unknown constant the two best (the score's stacks come best first), and common defaults."""
    kept: dict[str, list[Candidate]] = {}
    for stack in score.stacks:
        kept.setdefault(stack[0].name, []).append(stack[0])
    return [c for c in candidates if c in kept[c.name][:2] or c.constant in (None, *COMMON)]


def take(one: Judged, chosen: list[int]) -> Judged:
    """Some cases."""
    parts = (one.value, one.gradient)
    return Judged(one.batch.take(chosen), *(None if part is None else _part(part, chosen) for part in parts))  # type: ignore[arg-type]


def _part(part: Part, chosen: list[int]) -> Part:
    arrays = (part.got, part.error, part.strict, part.training, part.severity)
    return Part(part.what, part.wanted.take(chosen), *(array[chosen] for array in arrays))


def _foremost(counts: Array) -> Array:
    """Batches with failures, in the order of the file; all of them where few fail."""
    bad = np.flatnonzero(counts)
    return bad if len(bad) >= SHEETS else np.arange(len(counts)) if len(counts) <= SHEETS else _padded(bad, len(counts))


def _padded(bad: Array, count: int) -> Array:
    others = np.setdiff1d(np.arange(count), bad)
    return np.sort(np.concatenate([bad, _spread(others, SHEETS - len(bad))]))


def _spread(indices: Array, count: int) -> Array:
    if len(indices) <= count:
        return indices
    return np.asarray(indices[np.linspace(0, len(indices) - 1, count).astype(int)])

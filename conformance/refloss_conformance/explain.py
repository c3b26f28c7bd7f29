"""Which known deviation, or stack of them, gives the results that were got.

A deviation explains a failing number if it gives that number: to 1e-3, or to the rounding noise of the deviation itself
(the difference between its wider and its working-precision evaluation). It must also give the numbers that are right.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from refloss._engine.xp import numpy_xp

from .cases import Batch
from .deviations import Candidate, applicable, base_formula
from .dual import Ties
from .golden import Array
from .gradients import value_and_gradient
from .limits import THIRD_PARTY
from .records import RECORDS
from .vectors import EPS, SMALLEST_NORMAL
from .verdict import NEGLIGIBLE, Judged, Part, per_case, typical

AGREE = 1e-3
NEARLY_ALL = 0.75
DEEPEST = 4  # deviations in one stack
BEAM = 5
COMMON = (1e-7, 1e-6)  # constants that are always tried in stacks
MOST = 150  # stacks whose gradients are looked at
SAMPLE, BATCHES = 120, 10  # cases, and batches, that the search looks at; the answer is verified on all of them
Formula = Callable[..., Any]
Stack = tuple[Candidate, ...]


@dataclass(frozen=True)
class Explanation:
    """A stack of deviations, and how far it reaches."""

    stack: Stack
    explained: int  # failing cases that it gives
    failing: int
    contradicted: int  # passing cases that it does not give
    unexplained_in_training: int = 0  # failing cases that matter to a gradient step, and that it does not give

    @property
    def complete(self) -> bool:
        """All that matters in training, and nearly all of the rest: what fails strictly only may be noise of another kind."""
        enough = self.explained >= NEARLY_ALL * self.failing and self.unexplained_in_training == 0
        return self.failing > 0 and enough and self.contradicted == 0

    @property
    def score(self) -> float:
        return (self.explained - self.contradicted) / max(self.failing, 1)


def stacked(loss: str, stack: Stack) -> Formula:
    formula = base_formula(loss)
    for candidate in stack:
        formula = candidate.change(formula)
    return formula


def evaluate(formula: Formula, batch: Batch, dtype: Any, gradient: bool, ties: Ties | None = None) -> tuple[Array, Array | None]:
    """Value and gradient of a formula on a batch, computed in a dtype."""
    loss = RECORDS[batch.loss]
    first = batch.first.astype(dtype)
    second = batch.second if batch.second.dtype.kind == "i" else batch.second.astype(dtype)
    with np.errstate(all="ignore"):
        value = np.asarray(formula(numpy_xp, first, second, **batch.parameters), np.float64)
        value = np.broadcast_to(value, batch.value.number.shape)
        if not gradient:
            return value, None
        if loss.kind != "labels":
            _, slope = value_and_gradient(formula, (first, second), batch.parameters, kind=loss.kind, ties=ties)
            return value, slope.astype(np.float64)

        def total(xp: Any, logits: Any, labels: Any, **parameters: Any) -> Any:  # a class's loss may depend on other classes
            return xp.sum(formula(xp, logits, labels, **parameters))

        _, slope = value_and_gradient(total, (first, second), batch.parameters, kind="rows", ties=ties)
        return value, slope.astype(np.float64)


def agreement(part: Part, predictions: Sequence[Array], dtype: str) -> tuple[Array, Array]:
    """(agrees, comparable) for each number. predictions: in a wider dtype, in the working dtype, and (gradients) at the corners of ties."""
    got, wanted = part.got, part.wanted.number
    wide, narrow = predictions[0], predictions[1]
    with np.errstate(all="ignore"):
        gap = np.abs(got - wanted)
        noise = np.abs(wide - narrow)
        size = np.where(np.isinf(wanted), 0, np.abs(got))
        true = np.where(np.isinf(wanted), 0, np.abs(wanted))
        last = size.max(axis=-1, keepdims=True) if size.ndim > 1 else size  # a box's small components share its rounding
        last = np.where(np.isfinite(last), last, 0)
        rounding = THIRD_PARTY.eps * EPS[dtype] * np.maximum(part.wanted.scale, true) + 2 * SMALLEST_NORMAL[dtype]
        unimportant = NEGLIGIBLE * typical(wanted) if got.ndim == 1 else 0.0
        rounding = rounding + np.where(part.strict, 0.0, unimportant)
        noise = np.where(np.isfinite(noise), 4 * noise, 0)
        tolerance = np.maximum(AGREE * last, noise) + rounding
        telling = part.strict & (gap > noise)  # below the noise a failure says nothing of where it comes from
        tolerance = np.where(telling & np.isfinite(gap), np.minimum(tolerance, 0.5 * gap), tolerance)
        tolerance = np.maximum(tolerance, np.where(np.isfinite(gap), AGREE * gap, 0))
        agrees = np.zeros(got.shape, bool)
        for prediction in predictions:
            agrees |= np.abs(got - prediction) <= tolerance
            agrees |= ~np.isfinite(got) & ~np.isfinite(prediction)
        if len(predictions) > 2:  # kinks of the deviation: anything between its corners
            corners = np.stack(predictions[:1] + predictions[2:])  # type: ignore[operator]
            agrees |= (got >= corners.min(axis=0) - tolerance) & (got <= corners.max(axis=0) + tolerance)
    comparable = ~part.wanted.kink if part.what == "gradient" else np.ones(got.shape, bool)
    return agrees | ~comparable, comparable


def reach(stack: Stack, judged: Sequence[Judged], gradient: bool, give_up: Callable[[Explanation], bool] | None = None) -> Explanation:
    """How many failing cases a stack gives, and how many passing ones it contradicts."""
    explained = failing = contradicted = serious = 0
    for one in judged:
        batch, dtype = one.batch, np.dtype(one.batch.dtype)
        wider = np.float64 if dtype == np.float32 else np.longdouble
        formula = stacked(batch.loss, stack)
        parts = one.parts if gradient else (one.value,)
        slopes = gradient and one.gradient is not None
        try:
            answers = [evaluate(formula, batch, wider, slopes), evaluate(formula, batch, dtype, slopes)]
        except (TypeError, ZeroDivisionError, ValueError, OverflowError, IndexError):
            return Explanation(stack, 0, sum(int(per_case(p.strict).sum()) for o in judged for p in o.parts), 0)
        fails, agrees = np.zeros(len(batch), bool), np.ones(len(batch), bool)
        matters = np.zeros(len(batch), bool)
        for index, part in enumerate(parts):
            predictions = [np.asarray(answer[index]) for answer in answers]
            good, comparable = agreement(part, predictions, batch.dtype)
            if index == 1 and not good.all():
                corners = [evaluate(formula, batch, dtype, True, Ties([w] * 64))[1] for w in (0.0, 1.0)]
                good, comparable = agreement(part, [*predictions, *(np.asarray(c) for c in corners)], batch.dtype)
            fails |= per_case(part.strict & comparable)
            matters |= per_case(part.training & comparable)
            agrees &= ~per_case(~good)
        failing += int(fails.sum())
        explained += int((fails & agrees).sum())
        contradicted += int((~fails & ~agrees).sum())
        serious += int((matters & ~agrees).sum())
        if give_up is not None and give_up(Explanation(stack, explained, failing, contradicted, serious)):
            break
    return Explanation(stack, explained, failing, contradicted, serious)


def sample(judged: Sequence[Judged]) -> list[Judged]:
    """Some failing and some passing cases of each batch; the same ones each time."""
    chosen = []
    share = max(SAMPLE // max(min(len(judged), BATCHES), 1), 12)
    for one in judged:
        fails = np.zeros(len(one.batch), bool)
        for part in one.parts:
            fails |= per_case(part.strict)
        bad, good = np.flatnonzero(fails), np.flatnonzero(~fails)
        picked = sorted({*_spread(bad, 3 * share // 4).tolist(), *_spread(good, share // 4).tolist()})
        if picked:
            chosen.append(Judged(one.batch.take(picked), *(_take(part, picked) for part in (one.value, one.gradient))))  # type: ignore[arg-type]
    return [chosen[i] for i in _spread(np.arange(len(chosen)), BATCHES)]


def _spread(indices: Array, count: int) -> Array:
    if len(indices) <= count:
        return indices
    return np.asarray(indices[np.linspace(0, len(indices) - 1, count).astype(int)])


def _take(part: Part | None, picked: list[int]) -> Part | None:
    if part is None:
        return None
    return Part(
        part.what, part.wanted.take(picked), part.got[picked], part.error[picked], part.strict[picked], part.training[picked],
        part.severity[picked],
    )  # fmt: skip


def explain(judged: Sequence[Judged]) -> list[Explanation]:
    """The shortest stacks that explain every failure, all of one length; or the best partial one; or nothing."""
    failing = [one for one in judged if any(part.strict.any() for part in one.parts)]
    if not failing:
        return []
    loss = failing[0].batch.loss
    few, candidates = sample(judged), applicable(loss)
    beam: list[Stack] = [()]
    best: Explanation | None = None
    for _ in range(DEEPEST):
        tried = _extend(beam, candidates, few)
        if beam == [()]:
            candidates = _best_constants(tried, candidates)
        found = [verified for one in tried if one.complete and (verified := reach(one.stack, judged, True)).complete]
        if found:
            return _distinct(found)
        if not tried or (best is not None and tried[0].score <= best.score + 1e-9):
            break
        best = tried[0]
        beam = [one.stack for one in tried[:BEAM]]
    if best is None:
        return []
    whole = reach(best.stack, judged, True)
    return [whole] if whole.explained >= 0.6 * whole.failing and whole.contradicted <= 0.02 * sum(len(one.batch) for one in judged) else []


def _extend(beam: Sequence[Stack], candidates: Sequence[Candidate], few: Sequence[Judged]) -> list[Explanation]:
    """One more deviation on each stack of the beam: by values first, which is cheap, then with gradients; best first."""
    stacks, seen = [], set()
    for stack in beam:
        for candidate in candidates:
            key = frozenset((c.name, c.constant) for c in (*stack, candidate))
            if any(candidate.name == c.name for c in stack) or key in seen:
                continue
            seen.add(key)
            stacks.append((*stack, candidate))
    values = [reach(stack, few, False) for stack in stacks]
    values.sort(key=lambda one: (-(one.explained - one.contradicted), len(one.stack)))
    if not any(one.batch for one in few) or all(one.gradient is None for one in few):
        return values
    best = values[0].explained - values[0].contradicted
    keep = [one for one in values if one.contradicted == 0 or one.explained - one.contradicted >= 0.5 * best]
    full = [reach(one.stack, few, True) for one in keep[:MOST]]
    full.sort(key=lambda one: -(one.explained - one.contradicted))
    return full


def _best_constants(tried: Sequence[Explanation], candidates: Sequence[Candidate]) -> list[Candidate]:
    """For the deeper search: of each deviation with an unknown constant only the two best, and those near common defaults."""
    kept: dict[str, list[Candidate]] = {}
    for one in tried:
        kept.setdefault(one.stack[0].name, []).append(one.stack[0])
    return [c for c in candidates if c in kept.get(c.name, [])[:2] or c.constant in (None, *COMMON)]


def _distinct(found: Sequence[Explanation]) -> list[Explanation]:
    """One entry for each set of names: constants that the cases cannot tell apart keep the first."""
    chosen: dict[frozenset[str], Explanation] = {}
    for one in found:
        chosen.setdefault(frozenset(c.name for c in one.stack), one)
    return list(chosen.values())

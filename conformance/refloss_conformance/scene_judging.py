"""Is an answer to a scene right, and which known deviations give it if it is not?"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import numpy as np

from .scenes import Answer, Part, Scene, Scenes
from .vectors import EPS

MOST = 4  # deviations in one explanation


def same(part: Part, got: Any, wanted: Any, dtype: str) -> bool:
    """Exactly the same integers; pairs in any order; numbers within the tolerance."""
    if part.kind == "numbers":
        return _close(got, wanted, part.tolerance * EPS[dtype])
    if part.kind == "pairs":
        return sorted(map(tuple, got)) == sorted(map(tuple, wanted))
    return list(got) == list(wanted)


def worst_error(got: Any, wanted: Any, dtype: str) -> float:
    """The largest error of some numbers, in eps of the dtype relative to the largest number of their row; infinite for other shapes."""
    found, exact = np.asarray(got, np.float64), np.array(_floats(wanted), np.float64)
    if found.shape != exact.shape or not np.isfinite(found).all():
        return float("inf")
    if found.size == 0:
        return 0.0
    rows, right = found.reshape(-1, found.shape[-1]), exact.reshape(-1, exact.shape[-1])
    rest = np.array([float(Decimal(text) - Decimal(float(text))) for text in _flat(wanted)]).reshape(right.shape)
    size = np.abs(right).max(axis=1, keepdims=True)
    error = np.abs((rows - right) - rest) / np.where(size == 0, 1, size)
    return float(error.max() / EPS[dtype])


def _close(got: Any, wanted: Any, tolerance: float) -> bool:
    return worst_error(got, wanted, "float64") * EPS["float64"] <= tolerance


def _floats(nested: Any) -> Any:
    return [_floats(one) for one in nested] if isinstance(nested, list) else float(nested)


def _flat(nested: Any) -> list[str]:
    return [text for one in nested for text in _flat(one)] if isinstance(nested, list) else [nested]


def agrees(parts: Mapping[str, Part], got: Answer, wanted: Answer, dtype: str) -> bool:
    """Whether all parts that the callable answered are the same."""
    return all(same(parts[name], got[name], wanted[name], dtype) for name in got)


@dataclass(frozen=True)
class Outcome:
    """What was answered to one scene in one dtype: some parts, or what was raised. status: of a program's lack of an answer, in a word."""

    scene: Scene
    dtype: str
    got: Answer | None
    raised: str = ""
    status: str = ""

    @property
    def answered(self) -> bool:
        return self.got is not None

    def right(self, parts: Mapping[str, Part]) -> bool:
        return self.got is not None and any(agrees(parts, self.got, answer, self.dtype) for answer in self.scene.allowed)

    def ours(self, parts: Mapping[str, Part]) -> bool:
        return self.got is not None and agrees(parts, self.got, self.scene.expected, self.dtype)

    def gives(self, name: str, parts: Mapping[str, Part]) -> bool:
        """Whether this is the answer that a deviation gives."""
        changes, answer = self.scene.deviating(name, self.dtype)
        if not changes:
            return self.right(parts)
        if self.got is None or answer is None:
            return self.got is None and answer is None
        return agrees(parts, self.got, answer, self.dtype)


@dataclass(frozen=True)
class Explanation:
    """Deviations that together give the failing answers: each of these is one deviation's answer."""

    names: tuple[str, ...]
    explained: int
    failing: int
    contradicted: int

    @property
    def complete(self) -> bool:
        return self.explained == self.failing and self.contradicted == 0


def explain(file: Scenes, outcomes: Sequence[Outcome]) -> list[Explanation]:
    """Every deviation that gives all answers; or the fewest that together give all failing ones; or the best part of them."""
    failing = [one for one in outcomes if not one.right(file.parts)]
    if not failing:
        return []
    changing = {name for one in outcomes for each in one.scene.deviations for name in each.names}
    candidates = [name for name in file.deviations if name in changing]
    passing = [one for one in outcomes if one.right(file.parts)]
    fits = [name for name in candidates if all(one.gives(name, file.parts) for one in passing)]
    hits = {name: [one.gives(name, file.parts) for one in failing] for name in fits}
    complete = [name for name in fits if all(hits[name])]
    if complete:
        return [Explanation((name,), len(failing), len(failing), 0) for name in complete]
    chosen: list[str] = []
    covered = np.zeros(len(failing), bool)
    while len(chosen) < MOST and not covered.all():
        gains = {name: int((np.array(hits[name]) & ~covered).sum()) for name in fits if name not in chosen}
        best = max(gains, key=lambda name: gains[name], default="")
        if not best or gains[best] == 0:
            break
        chosen.append(best)
        covered |= np.array(hits[best])
    if not chosen or covered.mean() < 0.6:
        return []
    return [Explanation(tuple(chosen), int(covered.sum()), len(failing), 0)]

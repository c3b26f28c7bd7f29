"""Decisions of an assignment: how near each came to going the other way, and what else a tie would have allowed.

A reference (conformance/oracle/references) asks a `Decisions` for every comparison that its answer hangs on. Run over exact
numbers (fractions) it tells the decision margin of a case; run over floats it decides as the kernels do.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

Answer = TypeVar("Answer")
MOST_ANSWERS = 64


class Decisions:
    """`margin` is the smallest relative distance |a - b| / max(|a|, |b|) of all comparisons; 0 for a tie.

    `script` says which of the tied candidates is taken at the first, second, ... tie; 0, the first of them, when it has ended.
    """

    def __init__(self, script: Sequence[int] = ()) -> None:
        self.margin = float("inf")
        self.script = tuple(script)
        self.ties: list[int] = []  # how many candidates each tie had

    def _compare(self, a: Any, b: Any) -> None:
        size = max(abs(a), abs(b))
        if size > 0:
            self.margin = min(self.margin, float(abs(a - b) / size))

    def at_least(self, a: Any, b: Any) -> bool:
        """a >= b, at a threshold whose equality belongs to the upper side."""
        self._compare(a, b)
        return bool(a >= b)

    def above(self, a: Any, b: Any) -> bool:
        """a > b, at a threshold whose equality belongs to the lower side."""
        self._compare(a, b)
        return bool(a > b)

    def best(self, candidates: Iterable[Any], value: Callable[[Any], Any]) -> Any:
        """The candidate of the largest value; of equal ones the first, unless the script says otherwise."""
        ordered = list(candidates)
        values = [value(c) for c in ordered]
        top = max(values)
        tied = [c for c, v in zip(ordered, values, strict=True) if v == top]
        for v in values:
            if v != top:
                self._compare(v, top)
        if len(tied) == 1:
            return tied[0]
        self.margin = 0.0
        turn = len(self.ties)
        self.ties.append(len(tied))
        return tied[self.script[turn] if turn < len(self.script) else 0]


def answers(run: Callable[[Decisions], Answer]) -> tuple[list[Answer], float]:
    """Every answer that some way of breaking ties leads to (first our own), and the margin of ours."""
    found: list[Answer] = []
    todo: list[tuple[int, ...]] = [()]
    margin = None
    while todo and len(found) < MOST_ANSWERS:
        script = todo.pop(0)
        decisions = Decisions(script)
        answer = run(decisions)
        margin = decisions.margin if margin is None else margin
        if answer not in found:
            found.append(answer)
        for turn in range(len(script), len(decisions.ties)):
            before = script + (0,) * (turn - len(script))
            todo += [(*before, choice) for choice in range(1, decisions.ties[turn])]
    assert margin is not None
    return found, margin

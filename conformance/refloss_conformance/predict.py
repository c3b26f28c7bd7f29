"""What stacks of deviations give on a batch: values and gradients. Stacks that differ in their constants alone are computed at once."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from refloss._engine.xp import numpy_xp

from .cases import Batch
from .deviations import Candidate, base_formula
from .dual import Ties, primal
from .golden import Array
from .gradients import value_and_gradient
from .records import RECORDS

Formula = Callable[..., Any]
Stack = tuple[Candidate, ...]
# The corners of a kink that are looked at: how maximum, minimum and abs pass a derivative on at a tie.
CORNERS = tuple(
    {"maximum": high, "minimum": low, "abs": size}
    for high, low, size in ((0, 0, 0), (1, 1, 1), (0, 0, 0.5), (1, 1, 0.5), (0, 1, 0.5), (1, 0, 0.5))
)
CANNOT = (TypeError, ZeroDivisionError, ValueError, OverflowError, IndexError)  # a stack that makes no sense at some setting


@dataclass(frozen=True)
class Predictions:
    """Of some stacks, which are the first axis. A stack that cannot be computed does not `run`. tied: it met a tie."""

    value: Array
    gradient: Array | None
    runs: Array
    tied: Array


def stacked(loss: str, stack: Stack) -> Formula:
    formula = base_formula(loss)
    for candidate in stack:
        formula = candidate.change(formula)
    return formula


def evaluate(formula: Formula, batch: Batch, dtype: Any, gradient: bool, ties: Ties | None = None) -> tuple[Array, Array | None]:
    """Value and gradient of a formula on a batch, computed in a dtype."""
    return _evaluate(formula, batch, _copies(batch, dtype, 1), gradient, ties)


def _copies(batch: Batch, dtype: Any, count: int) -> tuple[Array, Array]:
    """The inputs in a dtype, one copy after the other."""
    second = batch.second if batch.second.dtype.kind == "i" else batch.second.astype(dtype)
    first = batch.first.astype(dtype)
    return (first, second) if count == 1 else (np.concatenate([first] * count), np.concatenate([second] * count))


def _evaluate(
    formula: Formula, batch: Batch, inputs: tuple[Array, Array], gradient: bool, ties: Ties | None
) -> tuple[Array, Array | None]:  # fmt: skip
    kind = RECORDS[batch.loss].kind
    with np.errstate(all="ignore"):
        value = np.asarray(formula(numpy_xp, *inputs, **batch.parameters), np.float64)
        value = np.broadcast_to(value, (len(inputs[0]), *batch.value.number.shape[1:]))
        if not gradient:
            return value, None
        if kind != "labels":
            _, slope = value_and_gradient(formula, inputs, batch.parameters, kind=kind, ties=ties)
            return value, slope.astype(np.float64)

        def total(xp: Any, logits: Any, labels: Any, **parameters: Any) -> Any:  # a class's loss may depend on other classes
            return xp.sum(formula(xp, logits, labels, **parameters))

        _, slope = value_and_gradient(total, inputs, batch.parameters, kind="rows", ties=ties)
        return value, slope.astype(np.float64)


class Known:
    """The values of stacks on one batch, in one dtype, as far as they have been computed: a search asks for many of them again."""

    def __init__(self, batch: Batch) -> None:
        self.batch = batch  # held, so that no other batch has its id
        self.rows: dict[tuple[int, ...], int] = {}
        self.value = np.zeros((0, *batch.value.number.shape))
        self.runs = np.zeros(0, bool)

    def of(self, stacks: Sequence[Stack], dtype: Any) -> Predictions:
        keys = [tuple(map(id, stack)) for stack in stacks]
        fresh = {key: stack for key, stack in zip(keys, stacks, strict=True) if key not in self.rows}
        if fresh:
            more = _evaluate_all(list(fresh.values()), self.batch, dtype, False, ({},))[0]
            self.rows.update(zip(fresh, range(len(self.rows), len(self.rows) + len(fresh)), strict=True))
            self.value, self.runs = np.concatenate([self.value, more.value]), np.concatenate([self.runs, more.runs])
        rows = [self.rows[key] for key in keys]
        return Predictions(self.value[rows], None, self.runs[rows], np.zeros(len(rows), bool))


_known: ContextVar[dict[Any, Known] | None] = ContextVar("known", default=None)


@contextmanager
def remembering() -> Iterator[None]:
    """Within it, values of stacks are computed once. Stacks are told by the ids of their candidates, which must live as long."""
    token = _known.set({})
    try:
        yield
    finally:
        _known.reset(token)


def evaluate_all(stacks: Sequence[Stack], batch: Batch, dtype: Any, gradient: bool) -> Predictions:
    """The same for many stacks."""
    known = _known.get()
    if gradient or known is None:
        return _evaluate_all(stacks, batch, dtype, gradient, ({},))[0]
    return known.setdefault((id(batch), np.dtype(dtype)), Known(batch)).of(stacks, dtype)


def evaluate_corners(stacks: Sequence[Stack], batch: Batch, dtype: Any) -> list[Predictions]:
    """The gradients at all CORNERS, computed at once."""
    return _evaluate_all(stacks, batch, dtype, True, CORNERS)


class Corners(Ties):
    """Copies of the cases, one after the other, each with weights of its own for the ties that it meets."""

    def __init__(self, corners: Sequence[Mapping[str, float]], cases: int, dtype: Any) -> None:
        each: dict[str, Any] = {k: np.repeat(np.array([one[k] for one in corners], dtype), cases) for k in corners[0]}
        super().__init__(default=each)

    def weight(self, name: str, *operands: Any) -> Any:
        found = super().weight(name, *operands)
        return found.reshape(-1, *(1,) * (max(np.ndim(primal(x)) for x in operands) - 1))


def _evaluate_all(
    stacks: Sequence[Stack], batch: Batch, dtype: Any, gradient: bool, corners: Sequence[Mapping[str, float]]
) -> list[Predictions]:  # fmt: skip
    """One result for each of the corners; {} is the project's own convention for ties."""
    shape, count = (len(stacks), *batch.value.number.shape), len(corners)
    value = np.full((count, *shape), np.nan)
    slope = np.full((count, len(stacks), *batch.first.shape), np.nan) if gradient else None
    runs, tied = np.ones(len(stacks), bool), np.zeros(len(stacks), bool)
    for members in _families(stacks):
        copies = len(members) * len(batch)
        ties = Ties(default=corners[0]) if count == 1 else Corners(corners, copies, dtype)
        many = _together([stacks[i] for i in members], len(batch), RECORDS[batch.loss].kind, dtype)
        if count > 1 and len(members) > 1:
            many = _tiled(many, count)
        try:
            found, rate = _evaluate(stacked(batch.loss, many), batch, _copies(batch, dtype, len(members) * count), gradient, ties)
        except CANNOT:
            runs[members] = False
            continue
        value[:, members] = found.reshape((count, len(members), *shape[1:]))
        if slope is not None and rate is not None:
            slope[:, members] = rate.reshape((count, len(members), *batch.first.shape))
        tied[members] = ties.any
    return [Predictions(value[k], None if slope is None else slope[k], runs, tied) for k in range(count)]


def _families(stacks: Sequence[Stack]) -> list[list[int]]:
    """Places of stacks that differ in numeric constants alone."""
    found: dict[Any, list[int]] = {}
    parts = {id(c): (c.name, isinstance(c.constant, float) or c.constant) for stack in stacks for c in stack}
    for i, stack in enumerate(stacks):
        found.setdefault(tuple(parts[id(c)] for c in stack), []).append(i)
    return list(found.values())


def _together(stacks: Sequence[Stack], cases: int, kind: str, dtype: Any) -> Stack:
    """One stack whose constants are arrays: a number for each copy of each case."""
    if len(stacks) == 1:
        return stacks[0]
    many = []
    for place, candidate in enumerate(stacks[0]):
        if isinstance(candidate.constant, float):
            constant = np.repeat(np.array([stack[place].constant for stack in stacks]).astype(dtype), cases)
            many.append(Candidate(candidate.deviation, constant[:, None] if kind == "labels" else constant))
        else:
            many.append(candidate)
    return tuple(many)


def _tiled(stack: Stack, count: int) -> Stack:
    """The same for as many copies of all of it."""
    return tuple(
        replace(c, constant=np.concatenate([c.constant] * count)) if isinstance(c.constant, np.ndarray) else c for c in stack
    )  # fmt: skip

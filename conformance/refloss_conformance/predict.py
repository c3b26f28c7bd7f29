"""What stacks of deviations give on a batch: values and gradients. Stacks that differ in their constants alone are computed at once."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from refloss._engine.xp import numpy_xp

from .cases import Batch
from .deviations import Candidate, base_formula
from .dual import Ties
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


def evaluate_all(stacks: Sequence[Stack], batch: Batch, dtype: Any, gradient: bool, corner: Any = None) -> Predictions:
    """The same for many stacks. corner: one of CORNERS."""
    shape = (len(stacks), *batch.value.number.shape)
    value = np.full(shape, np.nan)
    slope = np.full((len(stacks), *batch.first.shape), np.nan) if gradient else None
    runs, tied = np.ones(len(stacks), bool), np.zeros(len(stacks), bool)
    for members in _families(stacks):
        ties = Ties(default=corner)
        many = _together([stacks[i] for i in members], len(batch), RECORDS[batch.loss].kind, dtype)
        try:
            found, rate = _evaluate(stacked(batch.loss, many), batch, _copies(batch, dtype, len(members)), gradient, ties)
        except CANNOT:
            runs[members] = False
            continue
        value[members] = found.reshape((len(members), *shape[1:]))
        if slope is not None and rate is not None:
            slope[members] = rate.reshape((len(members), *batch.first.shape))
        tied[members] = ties.any
    return Predictions(value, slope, runs, tied)


def _families(stacks: Sequence[Stack]) -> list[list[int]]:
    """Places of stacks that differ in numeric constants alone."""
    found: dict[Any, list[int]] = {}
    for i, stack in enumerate(stacks):
        key = tuple((c.name, isinstance(c.constant, float) or c.constant) for c in stack)
        found.setdefault(key, []).append(i)
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

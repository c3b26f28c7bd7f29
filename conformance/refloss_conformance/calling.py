"""Calling somebody's loss: the shapes it takes, what it reduces, and the smoke test that tells a broken mapping from a broken loss."""

import contextlib
import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from .cases import Batch
from .errors import UsageError
from .frameworks import Framework, Function, Outcome, Returned
from .golden import Array
from .gradients import UPSTREAM
from .mapping import Plan
from .target import one_line

NORMALIZED = ("mean", "sum", "positives")  # what a batch may give
CLOSE = 1e-3


REFUSALS = (ValueError, TypeError, RuntimeError, NotImplementedError, AssertionError)


class CannotCall(Exception):  # noqa: N818  (an outcome to report)
    """The callable raised, or gave something that is no result; the text is one sentence without its subject.

    refused: it raised one of the exceptions by which an argument is turned down.
    """

    def __init__(self, text: str, refused: bool = False) -> None:
        super().__init__(text)
        self.refused = refused


@dataclass(frozen=True)
class Manner:
    """How cases are handed over, as the smoke test found it.

    column: scalars as (n, 1) in place of (n,). alone: one case in each call. reduction: what it does to a batch by itself.
    """

    column: bool = False
    alone: bool = False
    reduction: str = "none"
    over: str = ""  # "everything" or "the last axis"
    coupled: bool = False
    shift_invariant: bool = False


class Caller:
    """A callable, at one set of parameters, in one framework."""

    def __init__(self, plan: Plan, framework: Framework, returns: str, kind: str) -> None:
        self.plan, self.framework, self.returns, self.kind = plan, framework, returns, kind
        self.upstream = UPSTREAM if kind == "codes" and returns != "similarity" else None
        self._functions: dict[str, Function] = {}

    @property
    def gradients(self) -> bool:
        return self.returns == "value_and_grad" or self.framework.differentiates

    def raw(self, parameters: Mapping[str, Any], first: Array, second: Array) -> Outcome:
        """One call, as it is: CannotCall in place of whatever it raises."""
        function = self._function(parameters)
        try:
            if self.returns == "value_and_grad":
                return self._pair(function, first, second)
            return self.framework.run(function, first, second, True, self.upstream)
        except Returned as reason:
            raise CannotCall(str(reason)) from None
        except (Exception, SystemExit) as error:  # whatever the callable raises is a result to report
            raise CannotCall(f"it raised {one_line(error)}", isinstance(error, REFUSALS)) from None

    def _function(self, parameters: Mapping[str, Any]) -> Function:
        """The same object for the same parameters: a framework may have compiled it."""
        key = repr(sorted(parameters.items()))
        if key not in self._functions:
            function = self.plan.call(parameters)
            self._functions[key] = (lambda x, t: 1 - function(x, t)) if self.returns == "similarity" else function
        return self._functions[key]

    def _pair(self, function: Function, first: Array, second: Array) -> Outcome:
        kept: list[Any] = []

        def value(x: Any, t: Any) -> Any:
            result = function(x, t)
            if not isinstance(result, tuple) or len(result) != 2:
                raise Returned(f"with --returns value_and_grad it must return (value, gradient), and returned a {type(result).__name__}")
            kept.append(result[1])
            return result[0]

        found = self.framework.run(value, first, second, False).value
        gradient = self.framework.run(lambda x, t: kept[0], first, second, False).value
        return Outcome(found, gradient)

    def batch(self, batch: Batch, manner: Manner) -> Outcome:
        """All cases of a batch, each with a value and (if there is one) a gradient of the shape that the vectors have."""
        if manner.alone:
            parts = [self._shaped(batch.take([i]), manner) for i in range(len(batch))]
            slopes = [part.gradient for part in parts if part.gradient is not None]
            slope = np.concatenate(slopes) if len(slopes) == len(parts) else None
            return Outcome(np.concatenate([part.value for part in parts]), slope)
        return self._shaped(batch, manner)

    def _shaped(self, batch: Batch, manner: Manner) -> Outcome:
        first, second = batch.first, batch.second
        if manner.column:
            first, second = first[:, None], second[:, None]
        value, slope = self.raw(batch.parameters, first, second)
        wanted = batch.value.number.shape
        if value.size != int(np.prod(wanted)):
            raise CannotCall(f"it returned the shape {value.shape} for inputs of shape {first.shape} and {second.shape}, not {wanted}")
        if slope is not None and slope.size != batch.first.size:
            raise CannotCall(f"its gradient has the shape {slope.shape}, not {first.shape}")
        return Outcome(value.reshape(wanted), None if slope is None else slope.reshape(batch.first.shape))


def smoke(caller: Caller, easy: Batch) -> Manner:
    """A few easy cases through every way of handing them over. Ends in one sentence if none works.

    Where values alone would do, gradients are asked for too: a framework that compiles a callable has it compiled with its gradient.
    """
    tried: list[str] = []
    columns = (False, True) if caller.kind == "elementwise" else (False,)
    for column in columns:
        for alone in (False, True):
            manner = Manner(column=column, alone=alone)
            try:
                got = caller.batch(easy, manner)
            except CannotCall as reason:
                if str(reason) not in tried:
                    tried.append(str(reason))
                continue
            if alone:
                return _reduction(caller, easy, manner)
            return _coupling(caller, easy, manner, got)
    raise UsageError(
        f"{_written(caller, easy)} does not work: {tried[0]}; check --map and --set against its arguments "
        f"({', '.join(caller.plan.target.names()) or 'unknown'})"
    )


def _written(caller: Caller, easy: Batch) -> str:
    """The call, as a person would write it."""
    plan = caller.plan
    shapes = [f"{plan.first}={caller.framework.name} {easy.first.dtype}{list(easy.first.shape)}",
              f"{plan.second}={easy.second.dtype}{list(easy.second.shape)}"]  # fmt: skip
    named = [f"{theirs}={easy.parameters[ours]!r}" for ours, theirs in plan.passed.items()]
    constants = [f"{name}={value!r}" for name, value in plan.constants.items()]
    return f"{plan.target.spec}({', '.join(shapes + named + constants)})"


def _scalar(caller: Caller, easy: Batch, column: bool) -> float | None:
    """The result for a whole batch where it is a single number."""
    first, second = (easy.first[:, None], easy.second[:, None]) if column else (easy.first, easy.second)
    try:
        value = caller.raw(easy.parameters, first, second).value
    except CannotCall:
        return None
    return float(value.reshape(())) if value.size == 1 else None


def _reduction(caller: Caller, easy: Batch, manner: Manner) -> Manner:
    """A batch gives one number: is it the mean or the sum of its cases? If only along the last axis, hand over columns."""
    names = _which(caller, easy, manner)
    for batch in _mixed(caller.kind, easy):  # where some are positive, what divides by their number gives no mean
        with contextlib.suppress(CannotCall):  # it takes no codes, perhaps
            names &= _which(caller, batch, manner)
    name = _first(names)
    if caller.kind == "elementwise" and not manner.column:
        try:
            caller.batch(easy, Manner(column=True))
            return Manner(column=True, reduction=name, over="the last axis")
        except CannotCall:
            pass
    return Manner(column=manner.column, alone=True, reduction=name, over="everything")


def _mixed(kind: str, easy: Batch) -> list[Batch]:
    """The same cases, some of them positive, or of a foreground class."""
    patterns = {"elementwise": [(1, 1, 0)], "labels": [(0, 0, -1), (1, 1, 0)], "rows": [(1, 1, 0)]}.get(kind, [])
    second = easy.second
    return [Batch(**{**vars(easy), "second": np.resize(np.array(some, second.dtype), second.shape)}) for some in patterns]


def _which(caller: Caller, batch: Batch, manner: Manner) -> set[str]:
    """What the number for all cases may be of the numbers for each alone."""
    single = caller.batch(batch, manner).value.reshape(len(batch), -1).sum(axis=1)
    return _names(batch, single, _scalar(caller, batch, manner.column))


def _names(batch: Batch, single: Array, whole: float | None) -> set[str]:
    least = (-1, 0) if batch.second.dtype.kind == "i" else (0,)  # a positive has a class, or one that is not the background's
    counts = {max(1, int(np.count_nonzero(batch.second > code))) for code in least}
    by = {"mean": {len(batch)}, "sum": {1}, "positives": counts}
    total = float(single.sum())
    close = functools.partial(np.isclose, whole, rtol=CLOSE, atol=0)
    return set() if whole is None else {name for name in NORMALIZED if any(close(total / count) for count in by[name])}


def _first(names: set[str]) -> str:
    return next((name for name in NORMALIZED if name in names), "unknown")


def _coupling(caller: Caller, easy: Batch, manner: Manner, together: Outcome) -> Manner:
    """Does a case's result depend on the other cases? Then they are handed over alone. A column may still be reduced."""
    alone = Manner(column=manner.column, alone=True)
    try:
        single = caller.batch(easy, alone).value
    except CannotCall:
        return manner
    value = together.value
    if manner.column and easy.first.ndim == 1:
        manner = _last_axis(caller, easy, single)
    largest = float(np.abs(single[np.isfinite(single)]).max(initial=1e-30))
    if np.allclose(value, single, rtol=CLOSE, atol=1e-6 * largest, equal_nan=True):
        return manner
    shifted = Batch(**{**vars(easy), "first": easy.first + easy.first.dtype.type(1)})
    moved = caller.batch(shifted, manner).value
    invariant = (
        easy.first.dtype.kind == "f" and caller.kind == "elementwise" and bool(np.allclose(moved, value, rtol=CLOSE, equal_nan=True))
    )
    return Manner(column=manner.column, alone=True, coupled=True, shift_invariant=invariant)


def _last_axis(caller: Caller, easy: Batch, single: Array) -> Manner:
    """Columns work; a row of the same cases shows whether the last axis is reduced."""
    try:
        value = caller.raw(easy.parameters, easy.first[None, :], easy.second[None, :]).value
    except CannotCall:
        return Manner(column=True)
    if value.size != 1 or len(easy) == 1:
        return Manner(column=True)
    return Manner(column=True, reduction=_first(_names(easy, single, float(value.reshape(())))), over="the last axis")

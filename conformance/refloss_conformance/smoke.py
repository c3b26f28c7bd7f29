"""The smoke test: how a callable takes batches, and what it does with them by itself."""

import contextlib
import copy
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from .asking import Outcome
from .calling import CLOSE, Caller, CannotCall, Manner
from .cases import Batch
from .errors import UsageError
from .reducing import NORMALIZED, mixed, normalized

Ask = Callable[[Batch], Outcome | None]
COLUMN, ROW, AS_THEY_ARE = (slice(None), None), (None, slice(None)), (...,)


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
                return _with_upstream(caller, easy, _reduced(caller, easy, manner))
            return _with_upstream(caller, easy, _coupling(caller, easy, manner, got))
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


def _together(caller: Caller, place: Any) -> Ask:
    """All cases in one call, as it answers. place: an index that adds an axis, or none: COLUMN, ROW, AS_THEY_ARE."""

    def ask(batch: Batch) -> Outcome | None:
        with contextlib.suppress(CannotCall):
            return caller.raw(batch.parameters, batch.first[place], batch.second[place])
        return None

    return ask


def _reduced(caller: Caller, easy: Batch, manner: Manner) -> Manner:
    """A batch does not give a number for each case: is it the mean or the sum? If only along the last axis, hand over columns."""
    name, gives = _name(caller, easy, manner, _together(caller, COLUMN if manner.column else AS_THEY_ARE))
    if caller.kind == "elementwise" and not manner.column:
        with contextlib.suppress(CannotCall):
            caller.batch(easy, Manner(column=True))
            return Manner(column=True, reduction=name, over="the last axis", gives=gives)
    return Manner(column=manner.column, alone=True, reduction=name, over="everything", gives=gives)


def _name(caller: Caller, easy: Batch, manner: Manner, together: Ask) -> tuple[str, str]:
    """One of NORMALIZED that all answers fit, or "unknown"; and, in words, what is given if that is not a single number."""
    names = set(NORMALIZED)
    alone = replace(manner, alone=True)
    for batch in (easy, *mixed(caller.kind, easy)):  # where some are positive, what divides by their number gives no mean
        with contextlib.suppress(CannotCall):  # it takes no codes, perhaps
            single, whole = caller.batch(batch, alone), together(batch)
            if whole is None:
                return "unknown", ""
            if whole.value.size != 1:
                return "unknown", f"numbers of shape {whole.value.shape}"
            names &= normalized(caller.kind, batch, single, whole)
    return next((name for name in NORMALIZED if name in names), "unknown"), ""


def _with_upstream(caller: Caller, easy: Batch, manner: Manner) -> Manner:
    """Does the gradient double where what comes from above does? That of a coding is asked for with numbers of its own."""
    if caller.upstream is not None or caller.returns == "value_and_grad" or not caller.framework.differentiates:
        return manner
    other = copy.copy(caller)
    other.upstream = (2.0, 2.0, 2.0, 2.0)
    with contextlib.suppress(CannotCall):
        once, twice = caller.batch(easy, manner).gradient, other.batch(easy, manner).gradient
        same = once is not None and twice is not None and np.any(once) and np.allclose(once, twice, rtol=CLOSE, equal_nan=True)
        return replace(manner, ignores_upstream=bool(same))
    return manner


def _coupling(caller: Caller, easy: Batch, manner: Manner, together: Outcome) -> Manner:
    """Does a case's result depend on the other cases? Then they are handed over alone. A column may still be reduced."""
    alone = Manner(column=manner.column, alone=True)
    try:
        single = caller.batch(easy, alone).value
    except CannotCall:
        return manner
    value = together.value
    if manner.column and easy.first.ndim == 1:
        row = _together(caller, ROW)
        answer = row(easy) if len(easy) > 1 else None
        manner = Manner(column=True)
        if answer is not None and answer.value.size == 1:
            manner = Manner(column=True, reduction=_name(caller, easy, manner, row)[0], over="the last axis")
    largest = float(np.abs(single[np.isfinite(single)]).max(initial=1e-30))
    if np.allclose(value, single, rtol=CLOSE, atol=1e-6 * largest, equal_nan=True):
        return manner
    shifted = Batch(**{**vars(easy), "first": easy.first + easy.first.dtype.type(1)})
    moved = caller.batch(shifted, manner).value
    invariant = (
        easy.first.dtype.kind == "f" and caller.kind == "elementwise" and bool(np.allclose(moved, value, rtol=CLOSE, equal_nan=True))
    )
    return Manner(column=manner.column, alone=True, coupled=True, shift_invariant=invariant)

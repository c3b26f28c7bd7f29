"""Calling somebody's loss: the shapes it takes, what it reduces, and the smoke test that tells a broken mapping from a broken loss."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from .asking import Function, Outcome, Returned
from .cases import Batch
from .frameworks import Framework
from .golden import Array
from .gradients import UPSTREAM
from .jax_arrays import Jax
from .mapping import Plan
from .target import one_line

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
    gives: str = ""  # in words, where a batch gives neither a number for each case nor a single one
    coupled: bool = False
    shift_invariant: bool = False
    ignores_upstream: bool = False


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
        gradient = self.framework.run(lambda x, t: kept[-1], first, second, False).value
        return Outcome(found, gradient)

    def batch(self, batch: Batch, manner: Manner) -> Outcome:
        """All cases of a batch, each with a value and (if there is one) a gradient of the shape that the vectors have."""
        if manner.alone:
            parts = [self._shaped(batch.take([i]), manner) for i in range(len(batch))]
            slopes = [part.gradient for part in parts if part.gradient is not None]
            slope = np.concatenate(slopes) if len(slopes) == len(parts) else None
            return Outcome(np.concatenate([part.value for part in parts]), slope)
        return self._shaped(batch, manner)

    def expect(self, batch: Batch, manner: Manner) -> None:
        """Say that this batch will be asked for, to a framework that can prepare for it."""
        if isinstance(self.framework, Jax) and self.returns != "value_and_grad" and not manner.alone:
            self.framework.expect(self._function(batch.parameters), *_handed(batch, manner), self.upstream)

    def _shaped(self, batch: Batch, manner: Manner) -> Outcome:
        first, second = _handed(batch, manner)
        value, slope = self.raw(batch.parameters, first, second)
        wanted = batch.value.number.shape
        if value.size != int(np.prod(wanted)):
            raise CannotCall(f"it returned the shape {value.shape} for inputs of shape {first.shape} and {second.shape}, not {wanted}")
        if slope is not None and slope.size != batch.first.size:
            raise CannotCall(f"its gradient has the shape {slope.shape}, not {first.shape}")
        return Outcome(value.reshape(wanted), None if slope is None else slope.reshape(batch.first.shape))


def _handed(batch: Batch, manner: Manner) -> tuple[Array, Array]:
    return (batch.first[:, None], batch.second[:, None]) if manner.column else (batch.first, batch.second)

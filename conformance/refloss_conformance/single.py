"""Golden cases one by one, for a test suite that wants a test for each."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .asking import Returned, as_array
from .cases import Batch, batches, known, missing_dtype, notes
from .errors import UsageError
from .golden import Array, Golden, errors, flushed
from .limits import THIRD_PARTY, autodiff_gradient
from .mapping import differing, nothing_has
from .vectors import DTYPES, INTERPRETATION
from .verdict import symptom


@dataclass(frozen=True)
class Case:
    """A question and its answer. Inputs are arrays of the dtype, without an axis for the case; labels are int64."""

    id: str
    loss: str
    dtype: str
    parameters: Mapping[str, Any]
    inputs: Mapping[str, Array]
    flags: tuple[str, ...]
    batch: Batch = field(repr=False)  # this case alone

    interpretation = INTERPRETATION

    @property
    def value(self) -> Array:
        """The true value in float64."""
        return np.asarray(self.batch.value.number[0])

    @property
    def gradient(self) -> Array:
        """The true gradient by the first input, in float64; at a kink, where several are right, the middle."""
        return np.asarray(self.batch.gradient.number[0])

    @property
    def notes(self) -> tuple[str, ...]:
        """What a failure of this case means."""
        known_flags = notes(self.loss)
        return tuple(known_flags[flag]["description"] for flag in self.flags if known_flags[flag]["kind"] != "basic")

    def check(self, value: Any = None, gradient: Any = None, *, eps: float = THIRD_PARTY.eps) -> None:
        """Raise AssertionError, one sentence, unless value and gradient (those that are given) are right within eps.

        eps counts roundings of the dtype, condition-aware; 64 is the strict tier's limit. Any shape with the right number of
        elements is taken, and any array: NumPy's, torch's, TensorFlow's, JAX's, or a plain number.
        """
        __tracebackhide__ = True  # pytest shows the caller's line
        if value is None and gradient is None:
            raise UsageError(f"{self.id}: check() takes a value, a gradient or both")
        if value is not None:
            self._judge("value", value, self.batch.value, eps)
        if gradient is not None:
            self._judge("gradient", gradient, autodiff_gradient(self.batch), eps)

    def _judge(self, what: str, answer: Any, wanted: Golden, eps: float) -> None:
        __tracebackhide__ = True
        right = wanted.number[0]
        try:
            got = as_array(_plain(answer)).astype(np.float64)
        except Returned as reason:
            raise AssertionError(f"{self.id} ({self.dtype}): the {what}: {reason}") from None
        if got.size != right.size:
            raise AssertionError(f"{self.id} ({self.dtype}): the {what} has the shape {got.shape}, wanted {right.shape}")
        got = got.reshape(wanted.number.shape)
        error = np.where(flushed(wanted, got, self.dtype), 0.0, errors(wanted, got, self.dtype, aware=True))[0]
        if float(np.max(error)) <= eps:
            return
        at = np.unravel_index(int(np.argmax(error)), error.shape)
        place = f" {list(map(int, at))}" if at else ""
        between = f" (anything from {wanted.low[0][0][at]:.9g} to {wanted.high[0][0][at]:.9g})" if wanted.kink[0][at] else ""
        means = "".join(f"; {note}" for note in self.notes[:1])
        raise AssertionError(
            f"{self.id} ({self.dtype}): the {what}{place} is {got[0][at]:.9g}, wanted {right[at]:.9g}{between}: "
            f"{symptom(float(got[0][at]), float(right[at]))}, {error[at]:.3g} eps where {eps:g} are allowed{means}"
        )


def _plain(answer: Any) -> Any:
    """A tensor without its tape, in a type that NumPy has."""
    if hasattr(answer, "detach"):
        answer = answer.detach().cpu()
        return answer.double().numpy() if answer.is_floating_point() else answer.numpy()
    if isinstance(answer, (list, tuple)):
        return np.array(answer, np.float64)
    return answer if answer is None or isinstance(answer, (str, dict)) else np.asarray(answer)


def cases(loss: str, dtype: str = "float32", **parameters: Any) -> list[Case]:
    """The golden cases of a loss or coding that a dtype holds, at the settings with these values of parameters."""
    record = known(loss)
    if dtype not in DTYPES:
        raise UsageError(f"there is no dtype {dtype!r}, only {', '.join(DTYPES)}")
    absent = missing_dtype(dtype)
    if absent is not None:
        raise UsageError(absent)
    for name in parameters:
        if name not in record.defaults:
            raise UsageError(f"{loss} has no parameter {name!r}, it has {', '.join(record.defaults) or 'none'}")
    chosen = [b for b in batches(loss, (dtype,)) if differing(parameters, b.parameters) is None]
    if not chosen:
        raise nothing_has(parameters, loss)
    return [_case(record, batch.take([i])) for batch in chosen for i in range(len(batch))]


def _case(record: Any, batch: Batch) -> Case:
    inputs = dict(zip(record.arrays, (batch.first[0, ...], batch.second[0, ...]), strict=True))
    return Case(batch.ids[0], batch.loss, batch.dtype, batch.parameters, inputs, batch.flags[0], batch)


def refloss_cases(loss: str, dtype: str = "float32", **parameters: Any) -> list[Any]:
    """The same for @pytest.mark.parametrize("case", refloss_cases("ciou_loss")): the tests have the cases' ids."""
    import pytest

    return [pytest.param(case, id=case.id) for case in cases(loss, dtype, **parameters)]

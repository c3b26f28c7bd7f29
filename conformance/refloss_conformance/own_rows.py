"""One job of `refloss check` without a target: a loss, function or criterion on one backend, in this process."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from . import criteria, criteria_own, scene_own, scenes
from .backends import BACKENDS, Backend
from .cases import Batch, batches
from .golden import Array, errors, flushed
from .limits import autodiff_gradient, cancels, limit
from .records import RECORDS

CORE = scene_own.BACKEND


class Job(NamedTuple):
    backend: str
    name: str
    dtypes: tuple[str, ...]

    @property
    def said(self) -> str:
        return f"{self.backend} {self.name}"


@dataclass
class Worst:
    """The case that comes closest to its limit, or exceeds it most."""

    case: str
    dtype: str
    what: str
    eps: float
    limit: float
    got: str
    wanted: str


@dataclass
class Row:
    """One loss on one backend."""

    loss: str
    backend: str
    cases: int = 0
    failed: int = 0
    value_eps: float = 0.0
    gradient_eps: float = 0.0
    left_out: int = 0  # cases with subnormal inputs, on a framework that reads them as 0
    error: str | None = None  # what the backend raised
    worst: list[Worst] = field(default_factory=list)

    @property
    def verdict(self) -> str:
        return "error" if self.error else "fail" if self.failed else "pass" if self.cases else "nothing ran"


def _per_case(values: Array) -> Array:
    return values.reshape(len(values), -1).max(axis=1) if values.size else np.zeros(len(values))


def judge(batch: Batch, path: str, answer: tuple[Array, Array], row: Row) -> None:
    """Add a batch's errors to a row."""
    loss = RECORDS[batch.loss]
    allowed = limit(path, loss, batch.parameters, batch.dtype)
    failed = np.zeros(len(batch), bool)
    slopes = batch.gradient if path == "kernel" else autodiff_gradient(batch)
    for what, wanted, got in (("value", batch.value, answer[0]), ("gradient", slopes, answer[1])):
        if np.shape(got) != wanted.number.shape:
            raise ValueError(f"{what} of shape {np.shape(got)}, not {wanted.number.shape}")
        error = errors(wanted, got, batch.dtype, allowed.aware)
        if not allowed.aware and what == "gradient":
            rows = cancels(batch).reshape((-1,) + (1,) * (error.ndim - 1))
            error = np.where(rows, errors(wanted, got, batch.dtype, True), error)
        if path == "portable":
            error = np.where(flushed(wanted, got, batch.dtype), 0.0, error)
        case = _per_case(error)
        failed |= case > allowed.eps
        if what == "value":
            row.value_eps = max(row.value_eps, float(case.max(initial=0)))
        else:
            row.gradient_eps = max(row.gradient_eps, float(case.max(initial=0)))
        for i in np.argsort(-case)[:3]:
            if case[i] > allowed.eps:
                shown = (str(np.asarray(got)[i].tolist()), str(wanted.number[i].tolist()))
                row.worst.append(Worst(batch.ids[i], batch.dtype, what, float(case[i]), allowed.eps, *shown))
    row.cases += len(batch)
    row.failed += int(failed.sum())
    row.worst = sorted(row.worst, key=lambda w: -w.eps / w.limit)[:5]


def measure(backend: Backend, name: str, dtypes: Sequence[str]) -> Row:
    """One loss on one backend."""
    row = Row(name, backend.name)
    for batch in batches(name, dtypes):
        try:
            if backend.path == "portable":  # frameworks may read subnormal inputs as 0
                normal = np.flatnonzero(~batch.with_subnormals())
                row.left_out += len(batch) - len(normal)
                batch = batch.take(normal)  # noqa: PLW2901
            if len(batch):
                judge(batch, backend.path, backend.compute(batch), row)
        except Exception as error:  # a backend that raises has failed; the others go on
            row.error = f"{batch.group} {batch.dtype}: {type(error).__name__}: {' '.join(str(error).split())[:200]}"
            break
    return row


def measure_scenes(name: str, dtypes: Sequence[str]) -> Row:
    """One function on its golden scenes."""
    row, file = Row(name, CORE), scenes.load(name)
    for one in scene_own.measure(name, dtypes):
        error = scene_own.worst(file, one)
        row.cases += 1
        if error == np.inf:
            row.failed += 1
            if len(row.worst) < 5:
                row.worst.append(Worst(one.scene.id, one.dtype, "answer", error, 0.0, one.raised or str(one.got), str(one.scene.expected)))
        else:
            row.value_eps = max(row.value_eps, error)
    return row


def measure_criterion(name: str, backend: str, dtypes: Sequence[str]) -> Row:
    """One criterion on its golden values."""
    row, allowed = Row(name, backend), criteria_own.LIMIT.eps
    for one in criteria_own.measure(name, backend, dtypes):
        row.cases += 1
        row.value_eps, row.gradient_eps = max(row.value_eps, one.value_eps), max(row.gradient_eps, one.gradient_eps)
        if not one.passed:
            row.failed += 1
            what, got, wanted = one.worst
            worst = max(one.value_eps, one.gradient_eps)
            row.worst.append(Worst(f"{one.case.id} {what}".strip(), one.dtype, "answer", worst, allowed, one.raised or got, wanted))
    row.worst = sorted(row.worst, key=lambda worst: -worst.eps)[:5]
    return row


def row_of(job: Job) -> Row:
    if job.name in scenes.names():
        return measure_scenes(job.name, job.dtypes)
    if job.name in criteria.names():
        return measure_criterion(job.name, job.backend, job.dtypes)
    return measure(BACKENDS[job.backend], job.name, job.dtypes)

"""`refloss check` without a target: every own backend that is present, against all golden vectors."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from . import criteria, criteria_own, scene_own, scenes
from .backends import BACKENDS, Backend
from .cases import Batch, batches, has_vectors, known, missing_dtype
from .errors import UsageError
from .golden import Array, errors, flushed
from .limits import autodiff_gradient, cancels, limit
from .records import RECORDS
from .vectors import DTYPES


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
    """One loss or criterion on one backend, in this process."""
    if name in criteria.names():
        return measure_criterion(name, backend.name, dtypes)
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


def _elsewhere(backend: Backend, losses: Sequence[str], dtypes: Sequence[str]) -> Iterator[Row]:
    """The same in a process of its own, which prints a row of JSON for each loss."""
    command = [sys.executable, "-m", "refloss_conformance.worker", backend.name, ",".join(dtypes), *losses]
    environment = {**os.environ, **(backend.environment or {})}
    environment["PYTHONPATH"] = os.pathsep.join(path for path in sys.path if path)
    waiting = list(losses)
    with (
        tempfile.TemporaryFile("w+") as noise_file,
        subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=noise_file, text=True) as process,
    ):
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith("{"):
                data = json.loads(line)
                waiting.remove(data["loss"])
                yield Row(**{**data, "worst": [Worst(**w) for w in data["worst"]]})
        process.wait()
        noise_file.seek(0)
        noise = noise_file.read().strip().splitlines()
    for name in waiting:
        yield Row(name, backend.name, error=f"its process ended with code {process.returncode}: {noise[-1] if noise else 'no message'}")


def measure_scenes(name: str, dtypes: Sequence[str]) -> Row:
    """One function on its golden scenes, in this process."""
    row, file = Row(name, scene_own.BACKEND), scenes.load(name)
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
    """One criterion on its golden values, in this process."""
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


@dataclass
class OwnReport:
    rows: list[Row]
    absent: dict[str, str]  # backend -> reason
    dtypes: list[str]
    left_out: dict[str, str]  # dtype -> reason

    @property
    def cases(self) -> int:
        return sum(row.cases for row in self.rows)

    @property
    def passed(self) -> bool:
        return self.cases > 0 and all(row.verdict == "pass" for row in self.rows)

    def as_json(self) -> dict[str, Any]:
        rows = [{**asdict(row), "verdict": row.verdict} for row in self.rows]
        return {
            "schema": 1, "report": "backends", "passed": self.passed, "cases": self.cases, "rows": rows, "absent": self.absent,
            "dtypes": self.dtypes, "left_out": self.left_out,
        }  # fmt: skip


def choose(chosen: Sequence[str], available: Sequence[str], what: str) -> list[str]:
    """The names asked for, or all; a name that does not exist is a usage error."""
    for name in chosen:
        if name not in available:
            raise UsageError(f"there is no {what} {name!r}; there are {', '.join(available)}")
    return [name for name in available if name in chosen] if chosen else list(available)


def check(
    losses: Sequence[str], backends: Sequence[str], dtypes: Sequence[str], step: Callable[[str, int, int], None] = lambda *_: None
) -> OwnReport:
    """Run everything; `step(what, done, of)` is told of each row."""
    functions, detectors = ([name for name in some if not losses or name in losses] for some in (scenes.names(), criteria.names()))
    plain = [name for name in losses if name not in (*functions, *detectors)]
    for name in plain:
        known(name)
    losses = choose(plain, has_vectors(), "loss with golden vectors") if plain or not losses else []
    names = choose(backends, [*BACKENDS, scene_own.BACKEND], "backend")
    on_core = (functions, detectors) if scene_own.BACKEND in names else ([], [])
    names = [name for name in names if name != scene_own.BACKEND]
    wanted = choose(dtypes, DTYPES, "dtype")
    left_out = {dtype: reason for dtype in wanted if (reason := missing_dtype(dtype))}
    absent = {name: reason for name in names if (reason := BACKENDS[name].absent())}
    present = [BACKENDS[name] for name in names if name not in absent]
    report = OwnReport([], absent, [d for d in wanted if d not in left_out], left_out)
    todo = {backend.name: [name for name in losses if backend.has(name)] for backend in present}
    for name in todo.keys() & criteria_own.BACKENDS.keys():
        todo[name] += detectors
    total = sum(map(len, todo.values())) + sum(map(len, on_core))

    def elsewhere(backend: Backend) -> list[Row]:
        return list(_elsewhere(backend, todo[backend.name], report.dtypes))

    # Processes that need none of the loops compiled here run beside this one, one after the other: that is for the second core.
    with ThreadPoolExecutor(1) as beside:
        apart = [b for b in present if b.environment is not None and b.path == "portable" and todo[b.name]]
        ahead = {b.name: beside.submit(elsewhere, b) for b in apart}
        for name in on_core[0]:
            step(f"{scene_own.BACKEND} {name}", len(report.rows), total)
            report.rows.append(measure_scenes(name, scene_own.dtypes_of(name, report.dtypes, bool(dtypes))))
        for name in on_core[1]:
            step(f"{scene_own.BACKEND} {name}", len(report.rows), total)
            report.rows.append(measure_criterion(name, scene_own.BACKEND, report.dtypes))
        for backend in present:
            step(f"{backend.name}", len(report.rows), total)
            mine = todo[backend.name]
            if backend.name in ahead:
                rows: Any = ahead[backend.name].result()
            elif backend.environment is None:
                rows = (measure(backend, name, report.dtypes) for name in mine)
            else:
                rows = _elsewhere(backend, mine, report.dtypes) if mine else ()
            for row in rows:
                report.rows.append(row)
                step(f"{backend.name} {row.loss}", len(report.rows), total)
    return report

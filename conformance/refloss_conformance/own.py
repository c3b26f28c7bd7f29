"""`refloss check` without a target: every own backend that is present, against all golden vectors."""

from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Any

from refloss._engine.threads import thread_count

from . import criteria, criteria_own, scene_own, scenes
from .backends import BACKENDS, Backend
from .cases import has_vectors, known, missing_dtype
from .errors import UsageError
from .own_rows import CORE, Job, Row, row_of
from .processes import started
from .vectors import DTYPES

Step = Callable[[str, int, int], None]
SHARED = (CORE, "formula", "cpu")  # what a second process like this one may do
SEVERAL = 12  # jobs for which it is started: it needs a second to begin


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


def check(losses: Sequence[str], backends: Sequence[str], dtypes: Sequence[str], step: Step = lambda *_: None) -> OwnReport:
    """Run everything; `step(what, done, of)` is told of each job."""
    functions, detectors = ([name for name in some if not losses or name in losses] for some in (scenes.names(), criteria.names()))
    plain = [name for name in losses if name not in (*functions, *detectors)]
    for name in plain:
        known(name)
    losses = choose(plain, has_vectors(), "loss with golden vectors") if plain or not losses else []
    names = choose(backends, [*BACKENDS, CORE], "backend")
    wanted = choose(dtypes, DTYPES, "dtype")
    left_out = {dtype: reason for dtype in wanted if (reason := missing_dtype(dtype))}
    absent = {name: reason for name in names if name != CORE and (reason := BACKENDS[name].absent())}
    run = tuple(dtype for dtype in wanted if dtype not in left_out)
    jobs = []
    if CORE in names:
        jobs += [Job(CORE, name, tuple(scene_own.dtypes_of(name, run, bool(dtypes)))) for name in functions]
        jobs += [Job(CORE, name, run) for name in detectors]
    for backend in (BACKENDS[name] for name in names if name != CORE and name not in absent):
        more = detectors if backend.name in criteria_own.BACKENDS else []
        jobs += [Job(backend.name, name, run) for name in (*(name for name in losses if backend.has(name)), *more)]
    return OwnReport(_rows(jobs, step), absent, list(run), left_out)


def _rows(jobs: Sequence[Job], step: Step) -> list[Row]:
    """A row for each job, in their order. A second process takes jobs from the end of those that are done here: on a new machine
    nearly all the time goes to compiling, which one process does on one core; each finds on the disk what the other has compiled."""
    done: dict[Job, Row] = {}
    shared = deque(job for job in jobs if job.backend in SHARED)
    names = dict.fromkeys(job.backend for job in jobs if job.backend not in SHARED)
    others = {name: [job for job in jobs if job.backend == name] for name in names}

    def here(todo: deque[Job]) -> None:
        while todo:
            try:
                job = todo.popleft()
            except IndexError:  # the second process has taken the last one
                return
            step(job.said, len(done), len(jobs))
            done[job] = row_of(job)

    with ThreadPoolExecutor(1) as beside:
        try:
            second = beside.submit(_help, shared, done) if len(shared) >= SEVERAL and thread_count() > 1 else None
            # After it, in processes of their own, frameworks that need none of the loops compiled here, one after the other.
            apart = [name for name in others if BACKENDS[name].environment is not None and BACKENDS[name].path == "portable"]
            ahead = [beside.submit(_elsewhere, BACKENDS[name], others.pop(name), done) for name in apart]
            here(shared)
            if second is not None:
                second.result()
                here(shared)  # what it could not do
            for name, mine in others.items():
                if BACKENDS[name].environment is None:
                    here(deque(mine))
                else:
                    _elsewhere(BACKENDS[name], mine, done, lambda job: step(job.said, len(done), len(jobs)))
            for one in ahead:
                step("frameworks", len(done), len(jobs))
                one.result()
        finally:
            shared.clear()
            beside.shutdown(wait=False, cancel_futures=True)
    return [done[job] for job in jobs]


def _help(jobs: deque[Job], done: dict[Job, Row]) -> None:
    """Do jobs from the end, elsewhere. Whatever goes wrong there, the job is left to be done here, where it is seen."""
    job = None
    with suppress(Exception), started({}) as process:  # also where there is no process to be had, or the last job has just been taken
        while jobs:
            job = jobs.pop()
            row = process.row(job)
            if row is None:
                break
            done[job] = row
    if job is not None and job not in done:
        jobs.append(job)


def _elsewhere(backend: Backend, jobs: Sequence[Job], done: dict[Job, Row], step: Callable[[Job], None] = lambda _: None) -> None:
    """Jobs of a framework, in a process of its own."""
    with started(backend.environment or {}) as process:
        for job in jobs:
            step(job)
            row = process.row(job)
            if row is None:
                error = process.end()
                done.update({left: Row(left.name, left.backend, error=error) for left in jobs if left not in done})
                return
            done[job] = row

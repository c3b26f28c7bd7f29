"""`refloss check` shares its work with a second process: the rows do not depend on it, nor on its death."""

import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from refloss_conformance import own
from refloss_conformance.errors import UsageError
from refloss_conformance.own_rows import Job, Row, row_of
from refloss_conformance.processes import Process, started

LOSSES = ("squared_error", "l1_loss", "huber_loss")  # in the order of a report


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Job]]:
    """What this process does itself."""
    here: list[Job] = []

    def noted(job: Job) -> Row:
        here.append(job)
        return row_of(job)

    monkeypatch.setattr(own, "row_of", noted)
    monkeypatch.setattr(own, "SEVERAL", 2)
    monkeypatch.setattr(own, "thread_count", lambda: 2)
    yield here


def rows() -> list[Row]:
    return own.check(LOSSES, ("formula", "cpu"), ("float32",)).rows


def test_two_processes_give_the_rows_of_one(counted: list[Job], monkeypatch: pytest.MonkeyPatch) -> None:
    helped, ask, noted = threading.Event(), Process.row, own.row_of

    def row(process: Process, job: Job) -> Row | None:
        found = ask(process, job)
        helped.set()
        return found

    monkeypatch.setattr(Process, "row", row)
    monkeypatch.setattr(own, "row_of", lambda job: helped.wait(60) and noted(job))  # so that the second one has its turn
    shared, done_here = rows(), len(counted)
    assert done_here < len(shared) == 6
    monkeypatch.setattr(own, "SEVERAL", 99)
    assert rows() == shared and len(counted) == done_here + 6
    assert [(row.backend, row.loss) for row in shared] == [(backend, loss) for backend in ("formula", "cpu") for loss in LOSSES]


DYING = {
    "at once": "",
    "in the middle of a row": """import os; print('{"loss": "x", "ba', end="", flush=True); os.kill(os.getpid(), 9)""",
    "after saying what is no row": r"""import os; os.write(1, b'{not json}\n[]\n{"loss": 1}\n\xff\xfe\n')""",
}


@pytest.mark.parametrize("how", DYING)
def test_a_second_process_that_dies_is_no_loss(counted: list[Job], how: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    program = tmp_path / "program"
    program.write_text(f"#!{sys.executable}\n{DYING[how]}\n")
    program.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(program))
    assert [row.verdict for row in rows()] == ["pass"] * 6 and len(set(counted)) == len(counted) == 6


@pytest.mark.parametrize("program", ["/no/such/program", None])
def test_no_second_process_is_no_loss(counted: list[Job], program: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", program)
    assert [row.verdict for row in rows()] == ["pass"] * 6 and len(set(counted)) == len(counted) == 6


def test_what_goes_wrong_there_is_seen_here(counted: list[Job]) -> None:
    """A job that ends the process that does it is done here at last, whose end would be seen."""
    with pytest.raises(UsageError):
        own._rows([Job("formula", name, ("float32",)) for name in (*LOSSES, "no_such_loss")], lambda *_: None)
    assert Job("formula", "no_such_loss", ("float32",)) in counted


def test_one_processor_has_one_process(counted: list[Job], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(own, "thread_count", lambda: 1)
    assert len(rows()) == len(counted) == 6


def test_it_takes_nothing_from_the_folder_that_it_is_started_in(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A checkout holds another refloss than the one that is installed; and any folder may hold a json.py."""
    (tmp_path / "json.py").write_text("raise SystemExit('the wrong json')")
    (tmp_path / "refloss").mkdir()
    (tmp_path / "refloss" / "__init__.py").write_text("raise SystemExit('the wrong refloss')")
    monkeypatch.setattr(sys, "path", [str(Path(path).resolve()) for path in sys.path if path])
    monkeypatch.chdir(tmp_path)
    with started({}) as process:
        row = process.row(Job("formula", "l1_loss", ("float32",)))
    assert row is not None and row.verdict == "pass"

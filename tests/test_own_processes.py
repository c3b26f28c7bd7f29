"""`refloss check` shares its work with a second process: the rows do not depend on it, nor on its death."""

import sys
import time
from collections.abc import Iterator

import pytest

from refloss_conformance import own
from refloss_conformance.errors import UsageError
from refloss_conformance.own_rows import Job, Row, row_of

LOSSES = ("squared_error", "l1_loss", "huber_loss")  # in the order of a report
here: list[Job] = []


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Job]]:
    """What this process does itself."""

    def noted(job: Job) -> Row:
        here.append(job)
        return row_of(job)

    here.clear()
    monkeypatch.setattr(own, "row_of", noted)
    monkeypatch.setattr(own, "SEVERAL", 2)
    monkeypatch.setattr(own, "thread_count", lambda: 2)
    yield here


def rows() -> list[Row]:
    return own.check(LOSSES, ("formula", "cpu"), ("float32",)).rows


def test_two_processes_give_the_rows_of_one(counted: list[Job], monkeypatch: pytest.MonkeyPatch) -> None:
    noted = own.row_of
    monkeypatch.setattr(own, "row_of", lambda job: (time.sleep(0.7), noted(job))[1])  # so that the second one has its turn
    shared, helped = rows(), len(counted)
    monkeypatch.setattr(own, "row_of", noted)
    assert helped < len(shared) == 6
    monkeypatch.setattr(own, "SEVERAL", 99)
    assert rows() == shared and len(counted) == helped + 6
    assert [(row.backend, row.loss) for row in shared] == [(backend, loss) for backend in ("formula", "cpu") for loss in LOSSES]


@pytest.mark.parametrize("program", ["/bin/false", "/no/such/program"])
def test_a_second_process_that_dies_is_no_loss(counted: list[Job], program: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", program)
    assert [row.verdict for row in rows()] == ["pass"] * 6 and sorted(counted) == sorted(set(counted)) and len(counted) == 6


def test_what_goes_wrong_there_is_seen_here(counted: list[Job]) -> None:
    """A job that ends the process that does it is done here at last, whose end would be seen."""
    with pytest.raises(UsageError):
        own._rows([Job("formula", name, ("float32",)) for name in (*LOSSES, "no_such_loss")], lambda *_: None)
    assert Job("formula", "no_such_loss", ("float32",)) in counted


def test_one_processor_has_one_process(counted: list[Job], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(own, "thread_count", lambda: 1)
    assert len(rows()) == len(counted) == 6

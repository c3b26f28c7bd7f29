"""Questions and answers with a program that may fail at any of them.

A message that fails (a crash, a hang, garbage) is asked again case by case, so that a bad case costs only itself; the program is
started again wherever its state is in doubt. After IN_A_ROW failures without a result between them nothing is taken apart any more
until there is one. Failures may cost PATIENCE times the time limit in all; then the rest is given up.
"""

import signal
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn, Protocol, TypeVar

from ..engine import Trouble
from . import messages
from .messages import Declined, Fault, Program
from .session import Session

PATIENCE = 6
IN_A_ROW = 8
IN_STEP = ("misshapen", "invalid")  # after these the program still answers what it was asked
NAMES = {  # a case's state -> the verdict about the program
    "hung": "hangs", "crashed": "crashes", "exited": "exits_early", "truncated": "truncated", "garbled": "garbled", "flooded": "floods",
    "misordered": "misordered", "misshapen": "misshapen", "invalid": "breaks_schema", "errored": "errors", "given_up": "given_up",
}  # fmt: skip
Result = TypeVar("Result")
Result_co = TypeVar("Result_co", covariant=True)


class Question(Protocol[Result_co]):
    """Cases that go into one message. take: some of them; read: what an answer says of each."""

    @property
    def ids(self) -> Sequence[str]: ...
    def take(self, index: Sequence[int]) -> "Question[Result_co]": ...
    def letter(self, seq: int) -> bytes: ...
    def read(self, message: Mapping[str, Any], gradients: bool) -> Sequence[Result_co | Declined]: ...


def _terminated(*_: Any) -> NoReturn:
    sys.exit(128 + signal.SIGTERM)


class Talk:
    """A program, by its command line. Use it in a `with`, which leaves nothing running behind."""

    def __init__(self, words: Sequence[str], timeout: float, start_timeout: float, strict: bool) -> None:
        self._words, self._timeout, self._start_timeout, self._strict = words, timeout, start_timeout, strict
        self._session: Session | None = None
        self._seq, self._gradients, self._started = 0, True, False
        self._lost, self._in_a_row = 0.0, 0  # what failures have cost, in seconds; failures since the last result
        self._given_up: Declined | None = None
        self.troubles: dict[str, Trouble] = {}

    def __enter__(self) -> "Talk":
        """SIGTERM, as a CI or timeout(1) sends it, would end us without a word to the program."""
        ours = threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
        self._term = signal.signal(signal.SIGTERM, _terminated) if ours else None
        return self

    def __exit__(self, *_: Any) -> None:
        self._end()
        if self._term is not None:
            signal.signal(signal.SIGTERM, self._term)

    def _end(self) -> None:
        if self._session is not None:
            self._session.kill()
        self._session = None

    def note(self, name: str, text: str, cases: int = 0, first: str | None = None) -> None:
        """A trouble; the first sentence of each name is kept, and its cases are counted."""
        old = self.troubles.get(name, Trouble(name, text))
        self.troubles[name] = Trouble(name, old.text, old.cases + cases, old.first or first)

    def start(self) -> Program | None:
        """What the program says of itself; without a usable answer everything is given up."""
        self._seq, self._session = 0, Session(self._words)
        try:
            found = messages.program(self._answer(messages.start(0), self._start_timeout, "start_answer"))
        except Fault as fault:
            self._end()
            self.note(NAMES[fault.status], f"at its start {fault.text}")
            self._given_up = Declined(fault.status, f"at its start {fault.text}")
            return None
        if not self._started:  # what it says later of itself changes nothing
            self._gradients, self._started = found.gradients, True
        return found

    def outcomes(self, question: Question[Result]) -> list[Result | Declined]:
        """One for each case, come what may."""
        if self._given_up is None and self._session is None:
            began = time.monotonic()
            self.start()
            self._lost += time.monotonic() - began
        if self._given_up is not None:
            self._count(self._given_up, question.ids)
            return [self._given_up] * len(question.ids)
        began = time.monotonic()
        try:
            found = self._ask(question)
        except Fault as fault:
            self._lost += time.monotonic() - began
            self._in_a_row += fault.status not in IN_STEP
            return self._after(fault, question)
        self._in_a_row = 0
        for name, one in zip(question.ids, found, strict=True):
            if isinstance(one, Declined) and one.status != "skipped":
                self._count(one, [name])
        return found

    def _count(self, one: Declined, ids: Sequence[str]) -> None:
        self.note(NAMES[one.status], one.reason, len(ids), ids[0])

    def _ask(self, question: Question[Result]) -> list[Result | Declined]:
        message = self._answer(question.letter(self._seq), self._timeout, "run_answer")
        return list(question.read(message, self._gradients))

    def _answer(self, letter: bytes, seconds: float, definition: str) -> dict[str, Any]:
        assert self._session is not None
        message = messages.decode(self._session.ask(letter, seconds), self._strict)
        messages.ordered(message, self._seq)
        self._seq += 1
        if self._strict:
            messages.validate(message, definition)
        return message

    def _after(self, fault: Fault, question: Question[Result]) -> list[Result | Declined]:
        if fault.status not in IN_STEP:
            self._end()
        if self._lost > PATIENCE * self._timeout and self._given_up is None:
            text = f"failures cost more than {PATIENCE} times the time limit of {self._timeout:g} s, so the rest was not asked"
            self._given_up = Declined("given_up", text)
        count = len(question.ids)
        if count == 1 or self._in_a_row > IN_A_ROW:
            self._count(Declined(fault.status, fault.text), question.ids)
            return [Declined(fault.status, fault.text)] * count
        found: list[Result | Declined] = []
        while len(found) < count:
            done = len(found)
            found += self.outcomes(question.take(range(done, done + 1 if self._in_a_row <= IN_A_ROW else count)))
        if all(not isinstance(one, Declined) or one.status in ("skipped", "errored") for one in found):
            text = f"{fault.text} (with {count} cases in a message, and with none of them alone)"
            self.note(NAMES[fault.status], text, 0, question.ids[0])
        return found

    def stop(self) -> None:
        """Asks it to end. What it does wrong in that touches no number and, apart from a flood, is told only when strict."""
        for name, text in self._session.stop(messages.stop(self._seq), self._timeout) if self._session is not None else ():
            if self._strict or name == "floods":
                self.note(name, text)

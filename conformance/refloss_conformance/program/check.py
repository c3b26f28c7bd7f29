"""`refloss check --command TEXT --as LOSS`: from a program to a report. Scenes and criteria: one_by_one.py."""

import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .. import engine
from ..cases import Batch, batches, known, load, missing_dtype
from ..errors import UsageError
from ..mapping import differing, must_have, nothing_has
from ..vectors import USUAL_DTYPES
from . import messages
from .messages import Declined, Program, Result
from .talk import Talk

Step = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Request:
    """What was asked. program: the words of --command; timeout: seconds for each answer; command: how to reproduce it."""

    program: str
    loss: str
    only: Mapping[str, Any] = field(default_factory=dict)
    dtypes: Sequence[str] = ()
    timeout: float = 10.0
    strict: bool = False
    command: str = ""
    start_timeout: float = 60.0


def run(request: Request, step: Step = lambda *_: None) -> dict[str, Any]:
    """The whole check, as the JSON document that it prints."""
    words = split(request)
    _exists(request)
    with talk_to(words, request) as talk:
        program = talk.start() or Program(words[0], None, "unknown", (request.loss,))
        asked = ask(talk, program, request, step)
        talk.stop()
    step("explaining", 1, 1)
    return asked.document(request, program, list(talk.troubles.values()))


@dataclass
class Asked:
    """What came of asking for all cases of a loss."""

    dtypes: dict[str, str | None]
    groups: dict[str, dict[str, Any]] = field(default_factory=dict)
    answers: list[engine.Answered] = field(default_factory=list)
    unanswered: list[engine.Unanswered] = field(default_factory=list)

    def document(self, request: Request, program: Program, troubles: Sequence[engine.Trouble]) -> dict[str, Any]:
        subject = engine.Subject(
            request.program, request.command, "program", program.name, program.version, program.language,
            gradients="returned" if program.gradients else "none: the program states that it has none",
        )  # fmt: skip
        return engine.document(
            subject, known(request.loss), self.answers, groups=list(self.groups.values()), dtypes=self.dtypes,
            unanswered=self.unanswered, troubles=troubles,
        )  # fmt: skip


def ask(talk: Talk, program: Program, request: Request, step: Step = lambda *_: None) -> Asked:
    """All cases of the request's loss."""
    arrays = known(request.loss).arrays
    stated(request, "losses", program.losses)
    asked = Asked({dtype: why_not(program, dtype) for dtype in request.dtypes or USUAL_DTYPES})
    todo = batches(request.loss, [dtype for dtype, reason in asked.dtypes.items() if reason is None])
    for done, batch in enumerate(todo):
        step(batch.group, done, len(todo))
        group = asked.groups.setdefault(batch.group, engine.group_row(batch))
        other = differing(request.only, batch.parameters)
        if other is not None:
            group.update(status="skipped", reason=f"{other}={batch.parameters[other]!r}: --param says otherwise")
            continue
        usable = batch.take(np.flatnonzero(~batch.with_subnormals())) if program.flushes_subnormals else batch
        outcomes = [one for piece in messages.pieces(usable) for one in talk.outcomes(messages.Cases(piece, arrays))]
        asked.answers += _answered(usable, outcomes)
        asked.unanswered += [
            engine.Unanswered(case, batch.dtype, one.status, one.reason, one.link)
            for case, one in zip(usable.ids, outcomes, strict=True) if isinstance(one, Declined)
        ]  # fmt: skip
        _tell(group, batch, usable, outcomes)
    return asked


def split(request: Request) -> list[str]:
    """The command, and every mistake in it and in --timeout that can be seen before it runs."""
    try:
        words = shlex.split(request.program)
    except ValueError as error:
        raise UsageError(f"--command {request.program}: {str(error).lower()}; quote it as in a shell") from None
    if not words:
        raise UsageError("--command is empty; give it as in a shell, such as --command 'node harness.js'")
    if not request.timeout > 0:
        raise UsageError(f"--timeout is a positive number of seconds, not {request.timeout}")
    return words


def talk_to(words: Sequence[str], request: Request) -> Talk:
    return Talk(words, request.timeout, request.start_timeout, request.strict)


def stated(request: Request, key: str, names: Sequence[str]) -> None:
    """What is asked must be in the program's list of that key."""
    if request.loss not in names:
        raise UsageError(f"{request.program}: it states no {request.loss}, only {', '.join(names) or 'nothing at all'}, in {key}")


def why_not(program: Program, dtype: str) -> str | None:
    """Why a dtype is not run, or None."""
    if program.dtypes is not None and dtype not in program.dtypes:
        return f"{program.name} does not state it"
    return missing_dtype(dtype)


def _exists(request: Request) -> None:
    """The parameters of --param, and a setting that has them."""
    must_have(known(request.loss).defaults, request.only, request.loss)
    if all(differing(request.only, group.parameters) for group in load(request.loss).groups):
        raise nothing_has(request.only, request.loss)


def _answered(batch: Batch, outcomes: Sequence[Result | Declined]) -> list[engine.Answered]:
    """The cases with numbers, as arrays of the vectors' shapes."""
    index = [i for i, one in enumerate(outcomes) if isinstance(one, Result)]
    numbers = [one for one in outcomes if isinstance(one, Result)]
    if not numbers:
        return []
    slopes = [one.gradient for one in numbers if one.gradient is not None]
    gradient = np.array(slopes) if len(slopes) == len(numbers) else None
    return [engine.Answered(batch.take(index), np.array([one.value for one in numbers]), gradient)]


def _tell(group: dict[str, Any], batch: Batch, usable: Batch, outcomes: Sequence[Result | Declined]) -> None:
    """What became of a parameter setting."""
    declined = [one for one in outcomes if isinstance(one, Declined)]
    group["cases"] += len(outcomes) - len(declined)
    group["left_out"] += len(batch) - len(usable)
    if len(usable) < len(batch):
        group["why_left_out"] = "subnormal inputs, which the program states to read as 0"
    wrong = [one for one in declined if one.status != "skipped"]
    if group["cases"]:
        group.update(status="run", reason=None)
    elif wrong:
        group.update(status="errored", reason=wrong[0].reason)
    elif declined and group["status"] != "errored":  # in another dtype
        group.update(status="skipped", reason=declined[0].reason)

"""`refloss check --command TEXT --as CRITERION`: from a program to a report on whole criteria, with the verdicts of callables."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from .. import engine
from ..criteria import Case, Criteria, load
from ..criterion.check import told
from ..criterion.outcome import Outcome
from ..mapping import differing, must_have, not_held, nothing_has
from ..running import GOOD
from ..scene_third_party import listed, tuples
from ..vectors import USUAL_DTYPES
from .check import Request, split, stated, talk_to, why_not
from .criteria_messages import Question
from .messages import Declined, Program
from .talk import Talk

Step = Callable[[str, int, int], None]


def run(request: Request, step: Step = lambda *_: None) -> dict[str, Any]:
    """The whole check, as the JSON document that it prints."""
    words, file = split(request), load(request.loss)
    only = {name: tuples(value) for name, value in request.only.items()}
    must_have(file.defaults, only, file.name)
    settings = [{**file.defaults, **parameters} for parameters in file.settings.values()]
    if all(differing(only, setting) for setting in settings):
        raise nothing_has(not_held(only, settings), file.name, "values")
    with talk_to(words, request) as talk:
        program = talk.start() or Program(words[0], None, "unknown", functions=(file.name,))
        stated(request, "functions", program.functions)
        asked = Asked({dtype: why_not(program, dtype) for dtype in request.dtypes or USUAL_DTYPES})
        _ask(talk, file, only, asked, step)
        talk.stop()
    subject = engine.Subject(
        request.program, request.command, "program", program.name, program.version, program.language,
        gradients="returned" if program.gradients else "none: the program states that it has none",
    )  # fmt: skip
    return told(
        subject, file, asked.outcomes, step, groups=asked.groups, dtypes=asked.dtypes, unanswered=asked.unanswered,
        troubles=list(talk.troubles.values()),
    )  # fmt: skip


@dataclass
class Asked:
    """What came of asking for all cases of a criterion."""

    dtypes: dict[str, str | None]
    groups: list[dict[str, Any]] = field(default_factory=list)
    outcomes: list[Outcome] = field(default_factory=list)
    unanswered: list[engine.Unanswered] = field(default_factory=list)

    def add(self, case: Case, dtype: str, one: Outcome | Declined) -> None:
        """An answer; or what stands in its place, which is a wrong one unless it is skipped."""
        if not isinstance(one, Declined):
            self.outcomes.append(one)
            return
        self.unanswered.append(engine.Unanswered(case.id, dtype, one.status, one.reason, one.link))
        if one.status not in GOOD:
            self.outcomes.append(Outcome(case, dtype, raised=one.reason, status=one.status))


def _ask(talk: Talk, file: Criteria, only: Mapping[str, Any], asked: Asked, step: Step) -> None:
    for done, (name, given) in enumerate(file.settings.items()):
        step(f"{file.name} {name}", done, len(file.settings) + 1)
        group = {"id": name, "parameters": listed(dict(given)), "status": "skipped", "reason": None, "cases": 0}
        asked.groups.append(group)
        parameters = {**file.defaults, **given}
        other = differing(only, parameters)
        if other is not None:
            group["reason"] = f"{other}={parameters[other]!r}: --param says otherwise"
            continue
        before = len(asked.outcomes), len(asked.unanswered)
        for dtype in (one for one, reason in asked.dtypes.items() if reason is None):
            for case in (one for one in file.of(name) if dtype in one.dtypes):
                (one,) = talk.outcomes(Question(file, case, dtype))
                asked.add(case, dtype, one)
        group["cases"] = len({one.case.id for one in asked.outcomes[before[0] :]})
        if group["cases"]:
            group["status"] = "run"
        else:
            said = asked.unanswered[before[1] :]
            group["reason"] = said[0].reason if said else "no dtype of it was run"

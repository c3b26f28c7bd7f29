"""Golden cases that are asked one at a time, the scenes of a function or the batches of a criterion: of a program here, of a folder in
case_exchange.py. Who says what they are: scene_check.py and criteria_check.py."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from ..engine import Subject, Trouble, Unanswered
from ..mapping import differing, must_have, not_held, nothing_has
from ..running import GOOD
from ..scene_third_party import tuples
from ..vectors import USUAL_DTYPES
from .check import Request, split, stated, talk_to, why_not
from .messages import Declined, Program
from .talk import Question

Step = Callable[[str, int, int], None]


class Case(Protocol):
    """A scene, or a batch of a criterion."""

    @property
    def id(self) -> str: ...
    @property
    def dtypes(self) -> Sequence[str]: ...


@dataclass(frozen=True)
class Setting:
    """Parameters and their cases. row: how a report begins to tell of it; words: it in short."""

    row: Mapping[str, Any]
    parameters: Mapping[str, Any]
    cases: Sequence[Case]
    words: str


@dataclass(frozen=True)
class Questions:
    """A golden file. question: of a case in a dtype; outcome: of a case, a dtype, and what was answered or a Declined.
    cases, golden: what the cases, and what is golden of them, are called."""

    name: str
    defaults: Mapping[str, Any]
    settings: Sequence[Setting]
    question: Callable[[Any, str], Question[Any]]
    outcome: Callable[[Any, str, Any], Any]
    cases: str
    golden: str

    def fitting(self, only: Mapping[str, Any]) -> list[Setting]:
        """The settings with these parameters, or a sentence why there are none."""
        must_have(self.defaults, only, self.name)
        wanted = {name: tuples(value) for name, value in only.items()}
        found = [one for one in self.settings if differing(wanted, one.parameters) is None]
        if not found:
            raise nothing_has(not_held(wanted, [one.parameters for one in self.settings]), self.name, self.golden)
        return found


@dataclass
class Asked:
    """What came of asking. dtypes: why each was not asked, or None; only: of --param; otherwise: why a setting has no answers."""

    questions: Questions
    subject: Subject
    dtypes: Mapping[str, str | None]
    only: Mapping[str, Any]
    otherwise: str
    outcomes: list[Any] = field(default_factory=list)
    unanswered: list[Unanswered] = field(default_factory=list)
    troubles: Sequence[Trouble] = ()
    judged: set[str] = field(default_factory=set)

    def add(self, case: Case, dtype: str, one: Any) -> None:
        """An answer; or what stands in its place, which is a wrong one unless it is skipped."""
        if isinstance(one, Declined):
            self.unanswered.append(Unanswered(case.id, dtype, one.status, one.reason, one.link))
            if one.status in GOOD:
                return
        self.judged.add(case.id)
        self.outcomes.append(self.questions.outcome(case, dtype, one))

    def rows(self) -> dict[str, Any]:
        """What a report says besides the outcomes."""
        groups = [self._group(setting) for setting in self.questions.settings]
        return {"groups": groups, "dtypes": self.dtypes, "unanswered": self.unanswered, "troubles": self.troubles}

    def _group(self, setting: Setting) -> dict[str, Any]:
        """What became of a parameter setting."""
        ids = {case.id for case in setting.cases}
        count, reason, other = len(ids & self.judged), None, differing(self.only, setting.parameters)
        if other is not None:
            reason = f"{other}={setting.parameters[other]!r}: --param says otherwise"
        elif not count:
            said = next((one.reason for one in self.unanswered if one.id in ids), self.otherwise)
            reason = said if "id" in setting.row else f"{setting.words}: {said}"
        return {**setting.row, "status": "run" if count else "skipped", "reason": reason, "cases": count}


def ask(request: Request, questions: Questions, step: Step) -> Asked:
    """All cases of a program."""
    words, settings = split(request), questions.fitting(request.only)
    with talk_to(words, request) as talk:
        program = talk.start() or Program(words[0], None, "unknown", functions=(questions.name,))
        stated(request, "functions", program.functions)
        subject = Subject(
            request.program, request.command, "program", program.name, program.version, program.language,
            gradients="returned" if program.gradients else "none: the program states that it has none",
        )  # fmt: skip
        dtypes = {dtype: why_not(program, dtype) for dtype in request.dtypes or USUAL_DTYPES}
        asked = Asked(questions, subject, dtypes, request.only, "no dtype of it was run")
        for done, setting in enumerate(settings):
            step(f"{questions.name} {setting.words}", done, len(settings) + 1)
            for dtype in (name for name, reason in dtypes.items() if reason is None):
                for case in (one for one in setting.cases if dtype in one.dtypes):
                    (one,) = talk.outcomes(questions.question(case, dtype))
                    asked.add(case, dtype, one)
        talk.stop()
    asked.troubles = list(talk.troubles.values())
    return asked

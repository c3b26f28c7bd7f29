"""`refloss check --command TEXT --as CRITERION`: from a program to a report on whole criteria, with the verdicts of callables."""

from typing import Any

from ..criteria import Case, Criteria, load
from ..criterion.check import told
from ..criterion.outcome import Outcome
from ..scene_third_party import listed
from .check import Request
from .criteria_messages import Question
from .messages import Declined
from .one_by_one import Questions, Setting, Step, ask


def run(request: Request, step: Step = lambda *_: None) -> dict[str, Any]:
    """The whole check, as the JSON document that it prints."""
    file = load(request.loss)
    asked = ask(request, questions(file), step)
    return told(asked.subject, file, asked.outcomes, step, **asked.rows())


def questions(file: Criteria) -> Questions:
    """All cases of a criterion."""
    settings = [
        Setting({"id": name, "parameters": listed(dict(given))}, {**file.defaults, **given}, file.of(name), name)
        for name, given in file.settings.items()
    ]
    return Questions(file.name, file.defaults, settings, lambda case, dtype: Question(file, case, dtype), _outcome, "cases", "values")


def _outcome(case: Case, dtype: str, one: Outcome | Declined) -> Outcome:
    return Outcome(case, dtype, raised=one.reason, status=one.status) if isinstance(one, Declined) else one

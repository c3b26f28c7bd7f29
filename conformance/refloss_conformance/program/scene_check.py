"""`refloss check --command TEXT --as FUNCTION`: from a program to a report on golden scenes, with the verdicts of callables."""

from collections.abc import Mapping
from typing import Any

from ..scene_judging import Outcome
from ..scene_third_party import document, listed
from ..scenes import Answer, Scene, Scenes, load
from .check import Request
from .messages import Declined
from .one_by_one import Questions, Setting, Step, ask
from .scene_messages import Question


def run(request: Request, step: Step = lambda *_: None) -> dict[str, Any]:
    """The whole check, as the JSON document that it prints."""
    file = load(request.loss)
    asked = ask(request, questions(file), step)
    step("explaining", 1, 1)
    return document(asked.subject, file, asked.outcomes, **asked.rows())


def questions(file: Scenes) -> Questions:
    """All scenes of a function."""
    settings = [
        Setting({"parameters": listed(dict(one))}, one, [s for s in file.scenes if s.parameters == one], _told(one, file.defaults))
        for one in file.settings()
    ]
    return Questions(
        file.function, file.defaults, settings, lambda scene, dtype: Question(file, scene, dtype), _outcome, "scenes", "scenes"
    )  # fmt: skip


def _outcome(scene: Scene, dtype: str, one: Answer | Declined) -> Outcome:
    return Outcome(scene, dtype, None, one.reason, one.status) if isinstance(one, Declined) else Outcome(scene, dtype, one)


def _told(setting: Mapping[str, Any], defaults: Mapping[str, Any]) -> str:
    """A setting by what is not as usual in it."""
    return ", ".join(f"{name}={value!r}" for name, value in setting.items() if value != defaults[name]) or "the defaults"

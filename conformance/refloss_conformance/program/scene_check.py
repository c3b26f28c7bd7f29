"""`refloss check --command TEXT --as FUNCTION`: from a program to a report on golden scenes, with the verdicts of callables."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from .. import engine, scene_third_party
from ..mapping import differing, must_have, nothing_has
from ..running import GOOD
from ..scene_judging import Outcome
from ..scenes import Answer, Scene, Scenes, load
from ..vectors import USUAL_DTYPES
from .check import Request, split, stated, talk_to, why_not
from .messages import Declined, Program
from .scene_messages import Question
from .talk import Talk

Step = Callable[[str, int, int], None]


def run(request: Request, step: Step = lambda *_: None) -> dict[str, Any]:
    """The whole check, as the JSON document that it prints."""
    words, file = split(request), load(request.loss)
    only = {name: scene_third_party.tuples(value) for name, value in request.only.items()}
    must_have(file.defaults, only, file.function)
    if all(differing(only, setting) for setting in file.settings()):
        raise nothing_has(only, file.function, "scenes")
    with talk_to(words, request) as talk:
        program = talk.start() or Program(words[0], None, "unknown", functions=(file.function,))
        stated(request, "functions", program.functions)
        asked = Asked({dtype: why_not(program, dtype) for dtype in request.dtypes or USUAL_DTYPES})
        _ask(talk, file, only, asked, step)
        talk.stop()
    step("explaining", 1, 1)
    subject = engine.Subject(request.program, request.command, "program", program.name, program.version, program.language)
    return scene_third_party.document(
        subject, file, asked.outcomes, groups=asked.groups, dtypes=asked.dtypes, unanswered=asked.unanswered,
        troubles=list(talk.troubles.values()),
    )  # fmt: skip


@dataclass
class Asked:
    """What came of asking for all scenes of a function."""

    dtypes: dict[str, str | None]
    groups: list[dict[str, Any]] = field(default_factory=list)
    outcomes: list[Outcome] = field(default_factory=list)
    unanswered: list[engine.Unanswered] = field(default_factory=list)

    def add(self, scene: Scene, dtype: str, one: Answer | Declined) -> None:
        """An answer; or what stands in its place, which is a wrong one unless it is skipped."""
        if not isinstance(one, Declined):
            self.outcomes.append(Outcome(scene, dtype, one))
            return
        self.unanswered.append(engine.Unanswered(scene.id, dtype, one.status, one.reason, one.link))
        if one.status not in GOOD:
            self.outcomes.append(Outcome(scene, dtype, None, one.reason, one.status))


def _ask(talk: Talk, file: Scenes, only: Mapping[str, Any], asked: Asked, step: Step) -> None:
    settings = file.settings()
    for done, setting in enumerate(settings):
        step(file.function, done, len(settings))
        group = {"parameters": scene_third_party.listed(dict(setting)), "status": "skipped", "reason": None, "cases": 0}
        asked.groups.append(group)
        other = differing(only, setting)
        if other is not None:
            group["reason"] = f"{other}={setting[other]!r}: --param says otherwise"
            continue
        before = len(asked.outcomes), len(asked.unanswered)
        for dtype in (name for name, reason in asked.dtypes.items() if reason is None):
            for scene in (one for one in file.scenes if one.parameters == setting and dtype in one.dtypes):
                (one,) = talk.outcomes(Question(file, scene, dtype))
                asked.add(scene, dtype, one)
        group["cases"] = len({one.scene.id for one in asked.outcomes[before[0] :]})
        if group["cases"]:
            group["status"] = "run"
        else:
            said = asked.unanswered[before[1] :]
            group["reason"] = f"{_told(setting, file.defaults)}: {said[0].reason if said else 'no dtype of it was run'}"


def _told(setting: Mapping[str, Any], defaults: Mapping[str, Any]) -> str:
    """A setting by what is not as usual in it."""
    return ", ".join(f"{name}={value!r}" for name, value in setting.items() if value != defaults[name]) or "the defaults"

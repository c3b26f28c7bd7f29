"""`refloss check MODULE:CALLABLE --as assign.max_iou`: from a callable to a report on golden scenes; and from any answers to one."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from . import jsonable
from .engine import Subject, Trouble, Unanswered
from .errors import UsageError
from .frameworks import framework
from .mapping import Plan, fitted, free_names, must_fit, not_held, nothing_has
from .outcomes import a_few
from .outcomes import refused as refused_dtypes
from .scene_calling import Codes, answer, framework_ready, native, outcomes, picked
from .scene_judging import Explanation, Outcome, explain
from .scene_offers import USUAL, names, offer
from .scenes import Scene, Scenes, load
from .target import Target, locate
from .vectors import INTERPRETATION, USUAL_DTYPES

RAISES = ("errored", "crashed", "exited")  # how a program raises
OURS = Codes()
WITHOUT = ("raises_without_truths", "it raises where the image has no truth")


@dataclass(frozen=True)
class Request:
    """What was asked on the command line."""

    spec: str
    function: str
    mapping: Mapping[str, str] = field(default_factory=dict)
    constants: Mapping[str, Any] = field(default_factory=dict)
    init: Mapping[str, Any] = field(default_factory=dict)
    only: Mapping[str, Any] = field(default_factory=dict)
    arrays: str | None = None
    dtypes: Sequence[str] = ()
    codes: Mapping[str, Any] = field(default_factory=dict)
    pick: Any = None
    command: str = ""


def tuples(value: Any) -> Any:
    """Lists from a command line, as parameters are held."""
    return tuple(tuples(one) for one in value) if isinstance(value, (list, tuple)) else value


def plan(file: Scenes, target: Target, request: Request) -> Plan:
    """Match their arguments with ours, or say in one sentence what does not fit."""
    offered = names(file)
    must_fit(request, target, file.function, offered, file.defaults)
    inputs = {theirs: ours for theirs, ours in request.mapping.items() if ours in offered}
    free = free_names(request, target)
    for ours in offered:
        if ours not in inputs.values():
            found = next((name for name in (ours, *USUAL.get(ours, ())) if name in free), None)
            if found is not None:
                inputs[found] = ours
                free.remove(found)
    if not inputs and file.inputs:
        has = ", ".join(target.names())
        raise UsageError(f"which argument of {target.spec} takes {', '.join(offered)}? It has {has}; say --map THEIRS=OURS")
    return fitted(request, target, inputs, file.defaults)


def codes_of(given: Mapping[str, Any]) -> Codes:
    """--codes negative=0,first=1: what is not said follows from the rest; ignore is one below negative."""
    for name, value in given.items():
        if name not in ("negative", "ignore", "first"):
            raise UsageError(f"--codes {name}=...: there are negative, ignore and first")
        if not isinstance(value, int) or isinstance(value, bool):
            raise UsageError(f"--codes {name}={value}: a code is an integer")
    negative = given.get("negative", -1)
    return Codes(negative, given.get("ignore", negative - 1), given.get("first", negative + 1))


def run(request: Request, step: Callable[[str, int, int], None] = lambda *_: None, target: Target | None = None) -> dict[str, Any]:
    """The whole check, as the JSON document that it prints. target: a live callable in place of request.spec."""
    file = load(request.function)
    codes = codes_of(request.codes)
    target = target or locate(request.spec, request.init)
    the_plan = plan(file, target, request)
    arrays = framework(request.arrays, target).name

    def ask(scene: Scene, dtype: str) -> dict[str, Any]:
        given = offer(file, scene, dtype, list(the_plan.inputs.values()))
        theirs = [native(arrays, given[ours]) for ours in the_plan.inputs.values()]
        with framework_ready(arrays):
            result = picked(the_plan.call(scene.parameters)(*theirs), request.pick)
            return answer(result, file, offer(file, scene, dtype, list(file.inputs)), codes)

    done: list[Outcome] = []
    groups: list[dict[str, Any]] = []
    settings = file.settings()
    for i, parameters in enumerate(settings):
        step(file.function, i, len(settings))
        reason = the_plan.reason_to_skip(parameters)
        group = {"parameters": listed(dict(parameters)), "status": "skipped" if reason else "run", "reason": reason, "cases": 0}
        groups.append(group)
        if reason is None:
            scenes = [scene for scene in file.scenes if scene.parameters == parameters]
            group["cases"] = len(scenes)
            for dtype in request.dtypes or USUAL_DTYPES:
                done += outcomes(ask, file, scenes, dtype)
    refused = refused_dtypes(done)
    done = [one for one in done if one.dtype not in refused]
    if not done:
        raise nothing_has(not_held({name: tuples(value) for name, value in the_plan.fixed.items()}, settings), file.function, "scenes")
    if not any(one.answered for one in done):
        said = done[0].raised
        raise UsageError(f"{the_plan.written(arrays)} does not work: {said}; check --map, --set and --pick against its arguments")
    subject = Subject(
        target.spec, request.command, package=target.package, version=target.version, arrays=arrays, arguments=the_plan.arguments(),
        constants=the_plan.constants,
    )  # fmt: skip
    dtypes = {name: refused.get(name) for name in request.dtypes or USUAL_DTYPES}
    return document(subject, file, done, groups=groups, dtypes=dtypes, codes=codes)


def _findings(file: Scenes, done: Sequence[Outcome]) -> tuple[list[dict[str, str]], list[Outcome]]:
    """What is said apart from answers, and the outcomes that are left to explain."""
    found = []
    empty = [one for one in done if not one.answered and one.scene.inputs.get("gt_boxes", None) == []]
    rest = list(done)
    if empty:
        text = f"{WITHOUT[1]} ({empty[0].raised})"
        effect = "Training ends at the first image without an object, unless every caller leaves such images out."
        found.append({"kind": "deviation", "name": WITHOUT[0], "text": text, "effect": effect})
        rest = [one for one in done if one not in empty]
    low = [one for one in rest if one.dtype == "float64" and not one.right(file.parts)]
    if any(replace(one, dtype="float32").right(file.parts) for one in low):  # another fault may spoil the others
        text = "numbers that float64 is asked for are computed with float32's precision"
        found.append({"kind": "precision", "name": "float64_in_float32", "text": text, "effect": "None for training in float32."})
        rest = [replace(one, dtype="float32") if one in low else one for one in rest]
    tied = [one for one in rest if len(one.scene.allowed) > 1 and one.right(file.parts)]
    others = sum(not one.ours(file.parts) for one in tied)
    if others:
        text = f"ties are broken in another way in {others} of {len(tied)} answers to scenes with a tie; all of them are allowed"
        found.append({"kind": "note", "name": "ties_broken_otherwise", "text": text, "effect": ""})
    return found, rest


def document(
    subject: Subject, file: Scenes, done: Sequence[Outcome], *, groups: Sequence[Mapping[str, Any]], dtypes: Mapping[str, str | None],
    codes: Codes = OURS, unanswered: Sequence[Unanswered] = (), troubles: Sequence[Trouble] = (),
) -> dict[str, Any]:  # fmt: skip
    """The whole report as a JSON document. dtypes: why each one that was asked for was not run, or None."""
    works = 2 * sum(one.answered for one in done) > len(done)
    findings, rest = _findings(file, [one for one in done if one.answered or not one.status or (works and _of_the_scene(one))])
    explanations = explain(file, rest)
    wrong = [one for one in done if not one.right(file.parts)]
    passed = bool(done) and not wrong and not troubles
    named = bool(explanations) or any(one["kind"] != "note" for one in findings) or not failures(wrong)
    answered = sorted({name for one in done for name in one.got or ()})
    return {
        "schema": 1, "report": "scenes", "interpretation": INTERPRETATION, "command": subject.command, "function": file.function,
        "via": subject.via, "callable": subject.callable, "language": subject.language, "package": subject.package,
        "version": subject.version, "arrays": subject.arrays, "arguments": dict(subject.arguments),
        "constants": jsonable.plain(subject.constants), "codes": vars(codes), "answered": [name for name in file.parts if name in answered],
        "dtypes": [{"dtype": name, "run": reason is None, "reason": reason} for name, reason in dtypes.items()],
        "groups": [dict(group) for group in groups], "cases": len(done), "failed": len(wrong),
        "raised": sum(not one.answered for one in done), "findings": findings, "passed": passed,
        "worst": [_case(file, one) for one in _worst(wrong)], "deviations": [_explanation(file, one) for one in explanations],
        "known": "right" if passed else "named" if named else "unknown", "unknown": None, "failures": failures(wrong),
        "unanswered": [vars(one) for one in unanswered], "troubles": [vars(one) for one in troubles], "plots": [], "expected": None,
    }  # fmt: skip


def _of_the_scene(one: Outcome) -> bool:
    """Whether a deviation, or an image without truths, may be why a program that mostly works does not answer this. What else befalls
    it is named as its trouble, and leaves the other answers to be explained."""
    raises = any(each.answer is None and one.dtype in each.dtypes for each in one.scene.deviations)
    return one.status in RAISES and (raises or one.scene.inputs.get("gt_boxes") == [])


def failures(wrong: Sequence[Outcome]) -> list[dict[str, Any]]:
    """Every answer that is not right; what a program does not answer stands among what is unanswered."""
    told = {"what": "answer", "error_eps": math.inf, "matters": True}
    return [{"id": one.scene.id, "dtype": one.dtype, **told} for one in wrong if not one.status]


def _worst(wrong: Sequence[Outcome]) -> list[Outcome]:
    """A few failing cases, the smallest first, each scene once, as different as their flags."""
    ordered = sorted(wrong, key=lambda one: (not one.answered, len(str(one.scene.inputs)), one.scene.id, one.dtype))
    return a_few(ordered, lambda one: one.scene)


def _case(file: Scenes, one: Outcome) -> dict[str, Any]:
    notes = [file.notes[flag]["description"] for flag in one.scene.flags if file.notes[flag]["kind"] != "basic"]
    shown = offer(file, one.scene, one.dtype, list(file.inputs))
    return {
        "id": one.scene.id, "dtype": one.dtype, "parameters": listed(dict(one.scene.parameters)),
        "inputs": {name: value.tolist() if hasattr(value, "tolist") else listed(value) for name, value in shown.items()},
        "got": one.got, "raised": one.raised, "expected": {k: v for k, v in one.scene.expected.items() if one.got is None or k in one.got},
        "allowed": len(one.scene.allowed), "flags": list(one.scene.flags), "notes": notes,
    }  # fmt: skip


def listed(value: Any) -> Any:
    """As JSON has it: lists for tuples."""
    if isinstance(value, dict):
        return {name: listed(one) for name, one in value.items()}
    return [listed(one) for one in value] if isinstance(value, (list, tuple)) else value


def _explanation(file: Scenes, one: Explanation) -> dict[str, Any]:
    known = [file.deviations[name] for name in one.names]
    return {
        "names": list(one.names), "titles": [d.title for d in known], "constants": [None for _ in known], "seen": [d.seen for d in known],
        "effects": [d.effect for d in known], "explained": one.explained, "failing": one.failing, "contradicted": one.contradicted,
        "complete": one.complete,
    }  # fmt: skip

"""`refloss check MODULE:CALLABLE --as assign.max_iou`: from a callable to a report on golden scenes."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from .errors import UsageError
from .frameworks import NAMES, framework, native
from .mapping import OPTIONAL, same
from .scene_calling import Codes, answer, framework_ready, outcomes, picked
from .scene_calling import native as native_array
from .scene_judging import Explanation, Outcome, explain
from .scene_offers import USUAL, names, offer
from .scenes import Scene, Scenes, load
from .target import Target, locate
from .vectors import INTERPRETATION

DTYPES = ("float32", "float64")
SHOWN = 5
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


@dataclass(frozen=True)
class Plan:
    """How the callable is called: theirs -> our array, ours -> their parameter, and what only one value of can be tested."""

    target: Target
    arrays: Mapping[str, str]
    passed: Mapping[str, str]
    constants: Mapping[str, Any]
    fixed: Mapping[str, Any]
    why: Mapping[str, str]

    def reason_to_skip(self, parameters: Mapping[str, Any]) -> str | None:
        for name, value in self.fixed.items():
            if not same(parameters[name], value):
                return f"{name}={parameters[name]!r}: {self.why[name]}"
        return None

    def call(self, given: Mapping[str, Any], parameters: Mapping[str, Any]) -> Any:
        arguments = {**self.constants, **{theirs: parameters[ours] for ours, theirs in self.passed.items()}, **given}
        order = [p.name for p in self.target.parameters if p.positional_only]
        positional = [arguments.pop(name) for name in order if name in arguments]
        return self.target.function(*positional, **arguments)


def tuples(value: Any) -> Any:
    """Lists from a command line, as parameters are held."""
    return tuple(tuples(one) for one in value) if isinstance(value, (list, tuple)) else value


def plan(file: Scenes, target: Target, request: Request) -> Plan:
    """Match their arguments with ours, or say in one sentence what does not fit."""
    offered = names(file)
    known = (*offered, *file.defaults)
    takes = target.names()
    for theirs, ours in request.mapping.items():
        if ours not in known:
            raise UsageError(f"--map {theirs}={ours}: {file.function} has no {ours!r}, it has {', '.join(known)}")
    for option, given in (("--map", request.mapping), ("--set", request.constants)):
        for theirs in given:
            if theirs not in takes and not target.open_ended:
                raise UsageError(f"{option} {theirs}=...: {target.spec} has no argument {theirs!r}, it has {', '.join(takes)}")
    for ours in request.only:
        if ours not in file.defaults:
            raise UsageError(f"--param {ours}=...: {file.function} has no parameter {ours!r}, it has {', '.join(file.defaults) or 'none'}")
    arrays = {theirs: ours for theirs, ours in request.mapping.items() if ours in offered}
    free = [name for name in takes if name not in request.mapping and name not in request.constants]
    for ours in offered:
        if ours not in arrays.values():
            found = next((name for name in (ours, *USUAL.get(ours, ())) if name in free), None)
            if found is not None:
                arrays[found] = ours
                free.remove(found)
    if not arrays and file.inputs:
        raise UsageError(f"which argument of {target.spec} takes {', '.join(offered)}? It has {', '.join(takes)}; say --map THEIRS=OURS")
    passed = {ours: theirs for theirs, ours in request.mapping.items() if ours in file.defaults}
    fixed = {name: tuples(value) for name, value in request.only.items()}
    why = dict.fromkeys(fixed, "--param says otherwise")
    for ours, default in file.defaults.items():
        if ours in passed:
            continue
        if ours in request.constants:
            fixed[ours], why[ours] = tuples(request.constants[ours]), f"--set fixes it at {request.constants[ours]!r}"
        elif ours in free:
            passed[ours] = ours
        elif ours not in fixed:
            fixed[ours] = default
            why[ours] = f"the callable has no such argument, so only our default {default!r} is comparable (or another one with --param)"
    for parameter in target.parameters:
        if parameter.default is OPTIONAL and parameter.name not in {*arrays, *passed.values(), *request.constants}:
            raise UsageError(
                f"{target.spec} needs {parameter.name!r} too; say --set {parameter.name}=VALUE, or --map {parameter.name}=OURS"
            )
    return Plan(target, arrays, passed, dict(request.constants), fixed, why)


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
    arrays = request.arrays or native(target.package, target.module)
    if arrays not in NAMES:
        raise UsageError(f"--arrays is {' or '.join(NAMES)}, not {arrays!r}")
    framework(arrays)  # it must be importable

    def ask(scene: Scene, dtype: str) -> dict[str, Any]:
        given = offer(file, scene, dtype, list(the_plan.arrays.values()))
        theirs = {name: native_array(arrays, given[ours]) for name, ours in the_plan.arrays.items()}
        with framework_ready(arrays):
            result = picked(the_plan.call(theirs, scene.parameters), request.pick)
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
            for dtype in request.dtypes or DTYPES:
                done += outcomes(ask, file, scenes, dtype)
    refused = _refused(done)
    done = [one for one in done if one.dtype not in refused]
    if not done:
        held = ", ".join(f"{k}={v!r}" for k, v in the_plan.fixed.items())
        raise UsageError(f"no golden scenes of {file.function} have {held}; refloss show {file.function} lists the settings that have")
    if all(one.got is None for one in done):
        said = done[0].raised
        raise UsageError(f"{_written(the_plan, arrays)} does not work: {said}; check --map, --set and --pick against its arguments")
    return _document(request, file, the_plan, arrays, codes, groups, done, refused)


def _refused(done: Sequence[Outcome]) -> dict[str, str]:
    """Dtypes in which every call failed, though another one works: the callable does not take them."""
    dtypes = {one.dtype for one in done}
    silent = {dtype: next(one.raised for one in done if one.dtype == dtype) for dtype in dtypes
              if all(one.got is None for one in done if one.dtype == dtype)}  # fmt: skip
    return silent if len(silent) < len(dtypes) else {}


def _written(the_plan: Plan, arrays: str) -> str:
    given = [f"{theirs}={ours}" for theirs, ours in the_plan.arrays.items()]
    named = [f"{theirs}={ours}" for ours, theirs in the_plan.passed.items()]
    return f"{the_plan.target.spec}({', '.join(given + named + [f'{n}={v!r}' for n, v in the_plan.constants.items()])}) on {arrays} arrays"


def _findings(file: Scenes, done: Sequence[Outcome]) -> tuple[list[dict[str, str]], list[Outcome]]:
    """What is said apart from answers, and the outcomes that are left to explain."""
    found = []
    empty = [one for one in done if one.got is None and one.scene.inputs.get("gt_boxes", None) == []]
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


def _document(
    request: Request, file: Scenes, the_plan: Plan, arrays: str, codes: Codes, groups: list[dict[str, Any]], done: Sequence[Outcome],
    refused: Mapping[str, str],
) -> dict[str, Any]:  # fmt: skip
    findings, rest = _findings(file, done)
    explanations = explain(file, rest)
    wrong = [one for one in done if not one.right(file.parts)]
    named = bool(explanations) or any(one["kind"] != "note" for one in findings)
    answered = sorted({name for one in done for name in one.got or ()})
    return {
        "schema": 1, "report": "scenes", "interpretation": INTERPRETATION, "command": request.command, "function": file.function,
        "via": "callable", "callable": the_plan.target.spec, "language": "Python",
        "package": the_plan.target.package, "version": the_plan.target.version, "arrays": arrays,
        "arguments": {**the_plan.arrays, **{theirs: ours for ours, theirs in the_plan.passed.items()}},
        "constants": {name: v if isinstance(v, (str, int, float, bool, type(None))) else repr(v) for name, v in the_plan.constants.items()},
        "codes": vars(codes), "answered": [name for name in file.parts if name in answered],
        "dtypes": [{"dtype": name, "run": name not in refused, "reason": refused.get(name)} for name in request.dtypes or DTYPES],
        "groups": groups, "cases": len(done), "failed": len(wrong),
        "raised": sum(one.got is None for one in done), "findings": findings, "passed": not wrong,
        "worst": [_case(file, one) for one in _worst(wrong)],
        "deviations": [_explanation(file, one) for one in explanations],
        "known": "right" if not wrong else "named" if named else "unknown", "unknown": None, "failures": failures(wrong), "unanswered": [],
        "troubles": [], "plots": [], "expected": None,
    }  # fmt: skip


def failures(wrong: Sequence[Outcome]) -> list[dict[str, Any]]:
    """Every answer that is not right."""
    return [{"id": one.scene.id, "dtype": one.dtype, "what": "answer", "error_eps": math.inf, "matters": True} for one in wrong]


def _worst(wrong: Sequence[Outcome]) -> list[Outcome]:
    """A few failing cases, the smallest first, each scene once, as different as their flags."""
    ordered = sorted(wrong, key=lambda one: (one.got is None, len(str(one.scene.inputs)), one.scene.id, one.dtype))
    chosen: list[Outcome] = []
    for fresh in (True, False):
        for one in ordered:
            seen = {flag for other in chosen for flag in other.scene.flags}
            if len(chosen) < SHOWN and one.scene.id not in [o.scene.id for o in chosen] and (not fresh or set(one.scene.flags) - seen):
                chosen.append(one)
    return chosen


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

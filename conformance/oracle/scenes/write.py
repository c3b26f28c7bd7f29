"""Scene files: JSON with a scene a line, so that a changed answer is one line of a diff; the same bytes on each run."""

import json
import math
from typing import Any

from refloss.priors.grid import Grid
from refloss_conformance.scenes import INTERPRETATION, SCHEMA_VERSION

from .. import withdrawn
from .record import Answered, Function, Scene, answered, deviating, digits

NOTES = {
    "threshold": ("threshold",
    "A comparison is exactly at its threshold. The side is stated, so there is one answer: >= and > differ here."),
    "tie": ("tie", "Two candidates are exactly alike. All answers that some way of breaking the tie gives are listed under `allowed`."),
    "rounding": ("rounding", "The answer hangs on the rounding of the dtype that is listed; exact arithmetic would decide otherwise."),
}  # fmt: skip


def short_hex(x: float) -> str:
    """float.hex without trailing zeros: 0x1.4p+3."""
    mantissa, _, exponent = x.hex().partition("p")
    head, _, tail = mantissa.partition(".")
    tail = tail.rstrip("0")
    return f"{head}.{tail or '0'}p{exponent}"


def written(value: Any) -> Any:
    if isinstance(value, Grid):
        return {**value._asdict(), "shapes": written(value.shapes)}
    if isinstance(value, (list, tuple)):
        return [written(one) for one in value]
    return short_hex(value) if isinstance(value, float) else value


def parameter(value: Any) -> Any:
    """Plain JSON numbers; infinity as a text."""
    if isinstance(value, (list, tuple)):
        return [parameter(one) for one in value]
    return "inf" if isinstance(value, float) and math.isinf(value) else value


def scene_json(function: Function, scene: Scene, result: Answered) -> dict[str, Any]:
    flags = [*scene.flags, *(["threshold"] if result.at_threshold else []), *(["tie"] if len(result.allowed) > 1 else [])]
    document: dict[str, Any] = {
        "id": f"{function.name}/{scene.slug}", "flags": list(dict.fromkeys(flags)) or ["basic"], "dtypes": list(scene.dtypes),
        "parameters": {name: parameter(value) for name, value in {**function.defaults, **scene.parameters}.items()},
        "inputs": {
            name: (parameter if one.kind == "plain" else written)(scene.inputs.get(name)) for name, one in function.inputs.items()
        },
        "expected": digits(function, result.allowed[0]),
    }  # fmt: skip
    if len(result.allowed) > 1:
        document["allowed"] = [digits(function, answer) for answer in result.allowed]
    document["margin"] = None if result.nearest is None else f"{result.nearest:.5g}"
    document["deviations"] = [
        {"names": names, **({} if dtypes == scene.dtypes else {"dtypes": list(dtypes)}), "answer": digits(function, answer)}
        for answer, dtypes, names in deviating(function, scene, result.allowed)
    ]
    return document


def text_of(function: Function) -> str:
    """The file of one function."""
    made = [scene_json(function, scene, answered(function, scene)) for scene in function.scenes]
    documents = withdrawn.kept(f"{function.name}/", made)
    used = {flag for document in documents for flag in document["flags"]}
    named = {name for document in documents for one in document["deviations"] for name in one["names"]}
    unused = [one.name for one in function.deviations if one.name not in named]
    if unused:
        raise ValueError(f"{function.name}: no scene tells {', '.join(unused)} from what is right")
    notes = {**function.notes, **NOTES}
    head: dict[str, Any] = {
        "schema": SCHEMA_VERSION, "interpretation": INTERPRETATION, "function": function.name, "licence": "CC0-1.0",
        "inputs": {name: {"kind": one.kind, "shape": list(one.shape), "description": one.description} for name,
        one in function.inputs.items()},
        "answer": {name: {"kind": one.kind, "description": one.description, "tolerance": one.tolerance} for name,
        one in function.parts.items()},
        "defaults": {name: parameter(value) for name, value in function.defaults.items()},
        "notes": {flag: {"kind": notes[flag][0], "description": notes[flag][1]} for flag in notes if flag in used},
        "deviations": {one.name: {"title": one.title, "seen": one.seen, "effect": one.effect} for one in function.deviations},
    }  # fmt: skip
    for flag in used - head["notes"].keys():
        raise ValueError(f"{function.name}: the flag {flag} is not explained")
    ids = [document["id"] for document in documents]
    if len(ids) != len(set(ids)):
        raise ValueError(f"{function.name}: two scenes have one id")
    lines = "\n".join(f"{json.dumps(key)}: {json.dumps(value)}," for key, value in head.items())
    scenes = ",\n".join("  " + json.dumps(document) for document in documents)
    return "{" + lines + '\n"scenes": [\n' + scenes + "\n]}\n"

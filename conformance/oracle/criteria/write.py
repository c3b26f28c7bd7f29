"""The files of golden criteria: JSON with an answer a line, so that a changed number is one line of a diff; the same bytes on each run."""

import json
import math
from collections.abc import Mapping
from typing import Any
from unittest.mock import patch

import numpy as np
from mpmath import mp

from .. import withdrawn
from ..decisions import Decisions
from .record import SMALLEST_MARGIN, Ledger, Oracle, Scene

SCHEMA_VERSION = 1
INTERPRETATION = 1
DIGITS = (50, 100)  # two working precisions that must agree
AGREED = mp.mpf(10) ** -32


def text_of(oracle: Oracle) -> str:
    """The file of one criterion."""
    found, gone = list(oracle.scenes()), withdrawn.kept(f"{oracle.name}/", [])
    used = {flag for scene in found for flag in scene.flags} | {flag for one in gone for flag in one["flags"]}
    head: dict[str, Any] = {
        "schema": SCHEMA_VERSION, "interpretation": INTERPRETATION, "criterion": oracle.name, "licence": "CC0-1.0",
        "terms": {name: term._asdict() for name, term in oracle.terms.items()},
        "outputs": {name: {"shape": list(one.shape), "description": one.description} for name, one in oracle.outputs.items()},
        "config": dict(oracle.config), "defaults": plain(dict(oracle.defaults)), "settings": plain(dict(oracle.settings)),
        "notes": {flag: {"kind": oracle.notes[flag][0], "description": oracle.notes[flag][1]} for flag in oracle.notes if flag in used},
    }  # fmt: skip
    for flag in used - head["notes"].keys():
        raise ValueError(f"{oracle.name}: the flag {flag} is not explained")
    slugs = [scene.slug for scene in found]
    if len(slugs) != len(set(slugs)):
        raise ValueError(f"{oracle.name}: two scenes have one id")
    made = [scene_text(oracle, scene) for scene in found if scene.slug not in {one["id"].rpartition("/")[2] for one in gone}]
    lines = "\n".join(f"{json.dumps(key)}: {json.dumps(value)}," for key, value in head.items())
    return "{" + lines + '\n"scenes": [\n' + ",\n".join([*made, *(kept_text(one) for one in gone)]) + "\n]}\n"


def kept_text(scene: Mapping[str, Any]) -> str:
    """A withdrawn scene as it was issued."""
    head = {name: value for name, value in scene.items() if name != "answers"}
    answers = ",\n".join("    " + json.dumps(one) for one in scene["answers"])
    return "  " + json.dumps(head)[:-1] + ', "answers": [\n' + answers + "\n  ]}"


def scene_text(oracle: Oracle, scene: Scene) -> str:
    check_lattice(scene)
    head = {
        "id": f"{oracle.name}/{scene.slug}", "flags": list(scene.flags), "dtypes": ["float64", "float32"], "config": plain(scene.config),
        "outputs": plain(scene.outputs), "targets": plain(list(scene.targets)),
    }  # fmt: skip
    settings = {name: p for name, p in oracle.settings.items() if scene.settings is None or name in scene.settings}
    answers = ",\n".join("    " + json.dumps(answer(oracle, scene, name, p)) for name, p in settings.items())
    return "  " + json.dumps(head)[:-1] + ', "answers": [\n' + answers + "\n  ]}"


def answer(oracle: Oracle, scene: Scene, setting: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """One setting's terms and gradient, confirmed by a second precision."""
    ledgers = []
    for digits, wanted in zip(DIGITS, (True, False), strict=True):
        with mp.workdps(digits), patch.object(Ledger, "scales_wanted", wanted):
            d = Decisions()
            ledgers.append(oracle.evaluate(d, scene, parameters))
            if d.margin < SMALLEST_MARGIN:
                raise ValueError(f"{oracle.name}/{scene.slug}, {setting}: a decision is {d.margin:.1e} from going the other way")
    one, two = ledgers
    with mp.workdps(DIGITS[1]):
        if not _agree(one, two):
            raise ArithmeticError(f"{oracle.name}/{scene.slug}, {setting}: {DIGITS[0]} digits are not enough")
    return {
        "setting": setting, "positives": two.positives, "margin": None if math.isinf(d.margin) else f"{d.margin:.5g}",
        "terms": {name: decimal(value, 25) for name, value in two.terms.items()},
        "term_scales": {name: decimal(value, 4) for name, value in one.scales.items()},
        "gradient": {name: each(values, 25) for name, values in two.gradient.items()},
        "gradient_scale": {name: each(values, 2) for name, values in one.gradient_scale.items()},
    }  # fmt: skip


def _agree(one: Ledger, two: Ledger) -> bool:
    pairs = [(one.terms[name], two.terms[name]) for name in two.terms]
    pairs += [pair for name in two.gradient for pair in zip(one.gradient[name].flat, two.gradient[name].flat, strict=True)]
    return all(mp.isfinite(b) and abs(a - b) <= AGREED * abs(b) for a, b in pairs)


def decimal(x: Any, digits: int) -> str:
    """0 is "0"."""
    return "0" if x == 0 else str(mp.nstr(x, digits))


def each(values: Any, digits: int) -> Any:
    return [each(one, digits) for one in values] if isinstance(values, np.ndarray) else decimal(values, digits)


def plain(value: Any) -> Any:
    """Plain JSON numbers, whole ones without a point; infinity as a text."""
    if isinstance(value, Mapping):
        return {name: plain(one) for name, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(one) for one in value]
    if isinstance(value, float) and math.isinf(value):
        return "inf"
    return int(value) if isinstance(value, float) and value.is_integer() and abs(value) < 2**20 else value


def check_lattice(scene: Scene) -> None:
    """Outputs and boxes are multiples of 1/64, so that what is written is what float32 holds."""

    def numbers_of(value: Any) -> Any:
        if isinstance(value, Mapping):
            value = list(value.values())
        if isinstance(value, (list, tuple)):
            for one in value:
                yield from numbers_of(one)
        else:
            yield value

    for value in numbers_of([scene.outputs, list(scene.targets), scene.config.get("priors", [])]):
        if (value * 64) % 1 or abs(value) >= 2**12:
            raise ValueError(f"{scene.slug}: {value} is no multiple of 1/64 below 4096")

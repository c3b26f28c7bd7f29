"""A failing case in words, for every kind of report: numbers of a loss, integers of an assigner, terms of a criterion."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..printing import number, parameters
from ..scene_printing import short
from .words import eps, line, real


@dataclass(frozen=True)
class Told:
    said: str  # gradient vanishes; wrong answer; wrong: boxes
    inputs: Mapping[str, str]
    setting: str
    got: str
    wanted: str
    error: str  # in eps; empty where answers are right or wrong
    single: bool  # got and wanted are numbers, which stand on the right


def told(case: Mapping[str, Any]) -> Told:
    numbers = "wanted" in case
    got = case["got"]
    inputs = {name: short(value) for name, value in case.get("inputs", {}).items()}
    inputs |= {"positives of its images": short(case["positives"])} if "positives" in case else {}
    return Told(
        _said(case, numbers), inputs, f"{parameters(case['parameters'])}, {case['dtype']}",
        line(case.get("raised") or "nothing") if got is None else answer(got), answer(case["wanted"] if numbers else case["expected"]),
        eps(real(case["error_eps"])) if numbers else "", numbers and not isinstance(got, (list, dict)),
    )  # fmt: skip


def _said(case: Mapping[str, Any], numbers: bool) -> str:
    if numbers:
        return f"{case['what']} {case['symptom']}"
    if case["got"] is None:
        return "no answer"
    wrong = [str(name) for name in case.get("wrong", ())]
    slopes = [
        f"gradient of {one['term']}, number {one['entry']}: got {number(one['got'])}, wanted {number(one['wanted'])}"
        for one in case.get("gradients", ())
    ]
    return "; ".join([*([f"wrong {' and '.join(wrong)}"] if wrong else []), *slopes]) or "wrong answer"


def answer(value: Any) -> str:
    if isinstance(value, dict):
        return "; ".join(f"{name} {short(part)}" for name, part in value.items())
    return number(value)

"""The document of a check of a criterion."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from .. import jsonable
from ..criteria import INTERPRETATION, Criteria
from ..engine import Subject, Trouble, Unanswered
from ..outcomes import a_few
from ..plotting import few, short
from ..scene_third_party import RAISES as RAISED
from .evaluators import base
from .explain import Explanation, Search
from .normalizers import known as known_normalizer
from .outcome import Number, Outcome, judged, right
from .raising import raising
from .settings import Apart
from .ways import Divided, Stack


def document(
    subject: Subject, file: Criteria, done: Sequence[Outcome], *, groups: Sequence[Mapping[str, Any]], dtypes: Mapping[str, str | None],
    findings: Sequence[dict[str, str]], explanations: Sequence[Explanation], alone: Mapping[str, Sequence[tuple[Stack, Divided]]],
    apart: Apart, search: Search, unanswered: Sequence[Unanswered] = (), troubles: Sequence[Trouble] = (),
) -> dict[str, Any]:  # fmt: skip
    """The whole report. dtypes: why each one that was asked for was not run, or None."""
    wrong = [one for one in done if not right(file, one)]
    findings = [*findings, *_findings(file, done)]
    failing = sum(one.answered for one in wrong)
    deviations = [_explanation(one, failing) for one in explanations if one.stack or _unusual(one)]
    dialects = _dialects(file, done) if failing else []
    for name in dialects:
        text = f"every answer is right with the setting {name} ({_words(file.settings[name])})"
        findings.append({"kind": "note", "name": "another_setting", "text": text, "effect": ""})
        if not deviations:
            deviations = [_dialect(file, name, search, failing)]
    failed = [failure for one in wrong if not one.status for failure in _failures(file, one)]
    named = bool(deviations) or any(one["kind"] == "deviation" for one in findings) or not failed
    passed = bool(done) and not wrong and not troubles
    return {
        "schema": 1, "report": "criteria", "interpretation": INTERPRETATION, "language": subject.language, "via": subject.via,
        "command": subject.command, "criterion": file.name, "callable": subject.callable, "package": subject.package,
        "version": subject.version, "arrays": subject.arrays, "gradients": subject.gradients, "arguments": dict(subject.arguments),
        "constants": jsonable.plain(subject.constants), "answered": _answered(done),
        "dtypes": [{"dtype": name, "run": reason is None, "reason": reason} for name, reason in dtypes.items()],
        "groups": [dict(group) for group in groups], "cases": len(done), "failed": len(wrong),
        "raised": sum(not one.answered for one in done), "findings": findings,
        "passed": passed, "normalizers": _normalizers(explanations, alone), "worst": [_case(file, one) for one in _worst(file, wrong)],
        "deviations": deviations, "known": "right" if passed else "named" if named else "unknown",
        "failures": failed, "unanswered": [vars(one) for one in unanswered],
        "troubles": [vars(one) for one in troubles], "plots": _plots(file, done),
        "expected": None, "unknown": _unknown(file, done, alone, apart, search) if wrong and not named else None,
    }  # fmt: skip


def _answered(done: Sequence[Outcome]) -> str:
    if any(one.terms is not None for one in done):
        return "terms"
    return "total" if any(one.answered for one in done) else "nothing"


def _findings(file: Criteria, done: Sequence[Outcome]) -> list[dict[str, str]]:
    """What is said apart from numbers. Of a program that answers anything what it raises counts; the rest are its troubles."""
    found = []
    works = any(one.answered for one in done)
    raised = [one for one in done if not one.answered and (not one.status or (works and one.status in RAISED))]
    fitting = raising(raised, done)
    found += fitting
    if not fitting and any(not one.status for one in raised):
        cases = ", ".join(dict.fromkeys(one.case.id for one in raised))
        found.append({"kind": "note", "name": "raises", "text": f"it raises in {cases} ({raised[0].raised})", "effect": ""})
    bad = [one for one in done if one.answered and not _finite(one) and not any(one.case.positives)]
    if bad:
        text = f"a batch without positives is not finite ({bad[0].case.id})"
        effect = "One such batch makes every weight NaN."
        found.append({"kind": "note", "name": "not_finite_without_positives", "text": text, "effect": effect})
    return found


def _finite(one: Outcome) -> bool:
    numbers = [*(one.terms or {}).values(), *([] if one.total is None else [one.total])]
    return all(map(math.isfinite, numbers)) and all(np.isfinite(slope).all() for slope in (one.slopes or {}).values())


def _unusual(one: Explanation) -> bool:
    return any(way.name != one.usual[term] or not way.plain for term, way in one.divided.items())


def _normalizers(
    explanations: Sequence[Explanation], alone: Mapping[str, Sequence[tuple[Stack, Divided]]]
) -> dict[str, list[dict[str, Any]]]:  # fmt: skip
    """For each term the normalisers that it may have, by name, and what it is multiplied by."""
    found: dict[str, list[dict[str, Any]]] = {}
    ways = [(term, way) for one in explanations for term, way in one.divided.items()]
    ways += [(term, way) for term, some in alone.items() for _, way in some]
    for term, way in ways:
        entry = {"name": way.name, "title": known_normalizer(way.name).title, "times": way.factor}
        if entry not in found.setdefault(term, []):
            found[term].append(entry)
    return found


def described(stack: Stack, divided: Mapping[str, Divided], usual: Mapping[str, str]) -> list[tuple[str, str, Any, str, str]]:
    """(name, title, constant, seen, effect) of everything that is otherwise."""
    found = [(c.deviation.name, c.title, c.constant, c.deviation.seen, c.deviation.effect) for c in stack]
    others: dict[str, list[str]] = {}
    for term, way in divided.items():
        if way.name != usual[term]:
            others.setdefault(way.name, []).append(term)
    for name, terms in others.items():
        what = known_normalizer(name)
        whose = "" if len(terms) == len(divided) else f"the {' and the '.join(terms)} term{'s' if len(terms) > 1 else ''}: "
        found.append((name, whose + what.title, None, what.seen, what.effect))
    for term, way in divided.items():
        if way.factor not in (1.0, way.slope_factor) or (way.factor != 1 and way.factor == way.slope_factor):
            effect = f"The {term} term has another weight against the others."
            found.append(
                ("term_times_constant", f"the {term} term is {way.factor:.6g} times as large", way.factor, "other weights", effect)
            )
        if way.slope_factor != way.factor:
            found.append(_slope(term, way))
    return found


def _slope(term: str, way: Divided) -> tuple[str, str, Any, str, str]:
    if way.slope_factor == 0:
        effect = f"Nothing is learnt from the {term} term, though its value is printed."
        return "gradient_missing", f"the {term} term has no gradient", None, "detached tensors, NumPy in the middle", effect
    ratio = way.slope_factor / way.factor if way.factor else math.inf
    effect = f"The {term} term pulls with another force than its value says."
    return (
        "gradient_times_constant",
        f"the gradient of the {term} term is {ratio:.6g} times its value's",
        ratio,
        "hand-written gradients",
        effect,
    )


def _explanation(one: Explanation, failing: int) -> dict[str, Any]:
    rows = described(one.stack, one.divided, one.usual)
    return {
        "names": [row[0] for row in rows], "titles": [row[1] for row in rows],
        "constants": [list(row[2]) if isinstance(row[2], tuple) else row[2] for row in rows], "seen": [row[3] for row in rows],
        "effects": [row[4] for row in rows], "explained": failing, "failing": failing, "contradicted": 0, "complete": True,
    }  # fmt: skip


def _dialects(file: Criteria, done: Sequence[Outcome]) -> list[str]:
    """Other settings under which every answer is right."""
    by_id = {case.id: case for case in file.cases}
    found = []
    for setting in file.settings:
        pairs = [(one, by_id.get(f"{one.case.scene}/{setting}")) for one in done if one.answered]
        if pairs and all(case is not None and right(file, replace(one, case=case)) for one, case in pairs):
            found.append(setting)
    return found


def _words(parameters: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={value!r}" for name, value in parameters.items())


def _dialect(file: Criteria, name: str, search: Search, failing: int) -> dict[str, Any]:
    """A whole setting's rules in place of those that were asked for."""
    asked, theirs = base(file.name, search.outcomes[0].case.parameters), base(file.name, file.settings[name])
    others = ", ".join(
        f"{key}={value!r}" for key, value in theirs.items() if asked.get(key) != value and key not in ("dialect", "normalizer")
    )
    return {
        "names": ["another_setting"], "titles": [f"the rules of the setting {name}: {others}"], "constants": [name], "seen": [name],
        "effects": ["Another loss: say which one is meant with --param."], "explained": failing, "failing": failing, "contradicted": 0,
        "complete": True,
    }  # fmt: skip


def _failures(file: Criteria, one: Outcome) -> list[dict[str, Any]]:
    if not one.answered:
        return [{"id": one.case.id, "dtype": one.dtype, "what": "answer", "error_eps": "inf", "matters": True}]
    worst: dict[str, float] = {}
    for number in judged(file, one):
        if number.wrong:
            worst[number.what] = max(worst.get(number.what, 0.0), number.worst)
    return [{"id": one.case.id, "dtype": one.dtype, "what": what, "error_eps": eps, "matters": True} for what, eps in worst.items()]


def _plots(file: Criteria, done: Sequence[Outcome]) -> list[dict[str, Any]]:
    """Errors over the positives of the batch."""
    found: dict[tuple[str, str], list[list[Any]]] = {}
    for one in done:
        for number in judged(file, one) if one.answered else ():
            points = found.setdefault((number.what, one.dtype), [])
            points.append([sum(one.case.positives), short(number.worst), int(number.wrong)])
    return [
        {"what": what, "dtype": dtype, "x": "positives of the batch", "points": few(points)} for (what, dtype), points in found.items()
    ]  # fmt: skip


def _worst(file: Criteria, wrong: Sequence[Outcome]) -> list[Outcome]:
    """A few failing cases, the smallest first, each once, as different as their flags."""
    ordered = sorted(wrong, key=lambda one: (not one.answered, len(one.case.positives), one.case.id, one.dtype))
    return a_few(ordered, lambda one: one.case)


def _case(file: Criteria, one: Outcome) -> dict[str, Any]:
    numbers = judged(file, one) if one.answered else []
    values = {number.term or "total": number for number in numbers if number.what == "value"}
    return {
        "id": one.case.id, "dtype": one.dtype, "parameters": {**one.case.parameters}, "positives": list(one.case.positives),
        "got": {name: float(number.got) for name, number in values.items()} if one.answered else None,
        "expected": {name: float(number.wanted) for name, number in values.items()} if one.answered else dict(one.case.terms),
        "wrong": [name for name, number in values.items() if number.wrong],
        "gradients": [_slope_case(number) for number in numbers if number.what == "gradient" and number.wrong], "raised": one.raised,
        "flags": list(one.case.flags), "notes": [file.notes[f]["description"] for f in one.case.flags if file.notes[f]["kind"] != "basic"],
    }  # fmt: skip


def _slope_case(number: Number) -> dict[str, Any]:
    k = int(np.argmax(number.errors))
    return {"term": number.term, "entry": k, "got": float(number.got[k]), "wanted": float(number.wanted[k]), "error_eps": number.worst}


def _unknown(
    file: Criteria, done: Sequence[Outcome], alone: Mapping[str, Sequence[tuple[Stack, Divided]]], apart: Apart, search: Search
) -> dict[str, Any]:
    """What can be said of a fault that has no name."""
    facts = []
    answered = [one for one in done if one.answered]
    rows = [(one, number) for one in answered for number in judged(file, one)]
    for term in (*file.terms, None):
        for what in ("value", "gradient"):
            mine = [(one, number) for one, number in rows if number.term == term and number.what == what]
            bad = [(one, number) for one, number in mine if number.wrong]
            label = f"the {what} of {'the total' if term is None else f'the {term} term'}"
            if mine and not bad:
                facts.append(f"{label} is right in all {len(mine)} cases")
            elif bad:
                facts.append(f"{label} is wrong in {len(bad)} of {len(mine)} cases{_ratio(bad)}{_flags(bad, mine)}")
    for term, some in alone.items():
        titles = [
            f"{' and '.join(c.title for c in stack) or 'no deviation'}, {known_normalizer(way.name).title}" for stack, way in some[:3]
        ]
        facts.append(f"the {term} term alone would be: {'; or '.join(titles)}")
    for setting, explanations in apart.items():
        titles = ["; ".join(row[1] for row in described(one.stack, one.divided, one.usual)) for one in explanations[:3]]
        if titles:
            facts.append(f"the setting {setting} alone would be: {'; or '.join(titles)}")
    text = "No known deviation, nor two of a term with any normaliser, gives these answers."
    return {"text": text if search.possible else f"No deviations of {file.name} are known yet.", "facts": facts}


def _ratio(bad: Sequence[tuple[Outcome, Number]]) -> str:
    ratios = [g / w for _, n in bad for g, w in zip(np.ravel(n.got), np.ravel(n.wanted), strict=True) if w and math.isfinite(g)]
    if ratios and max(abs(ratio - 1) for ratio in ratios) < 1e-4:
        return ""
    if len(ratios) > 1 and max(ratios) - min(ratios) <= 1e-4 * abs(ratios[0]):
        return f", always {ratios[0]:.6g} times what is right"
    if ratios and all(r < 0 for r in ratios):
        return ", of the other sign"
    return ""


def _flags(bad: Sequence[tuple[Outcome, Number]], mine: Sequence[tuple[Outcome, Number]]) -> str:
    failing = {flag for one, _ in bad for flag in one.case.flags}
    passing = {flag for one, number in mine if not number.wrong for flag in one.case.flags}
    only = sorted(failing - passing)
    return f", only in {', '.join(only)}" if passing and only and len(bad) < len(mine) else ""

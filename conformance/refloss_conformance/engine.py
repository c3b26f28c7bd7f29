"""From answers to the report: what every way in (a callable, a program, a folder of files) has in common."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from . import jsonable
from .cases import Batch, notes
from .explain import Explanation, explain
from .golden import Array
from .plotting import plots
from .running import GOOD
from .unknown import describe
from .vectors import INTERPRETATION
from .verdict import Judged, judge, per_case, tally, worst_cases

Findings = list[dict[str, str]]


@dataclass(frozen=True)
class Subject:
    """Who is checked, as the report says it. callable: MODULE:CALLABLE, a command line, or a folder; via: which of them."""

    callable: str
    command: str
    via: str = "callable"  # "callable", "program" or "files"
    package: str = ""
    version: str | None = None
    language: str = "Python"
    arrays: str = "json"
    gradients: str = "returned"
    arguments: Mapping[str, str] = field(default_factory=dict)  # ours -> theirs
    constants: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Answered:
    """What was answered to a batch: a value and (if there is one) a gradient of the shapes that the vectors have."""

    batch: Batch
    value: Array
    gradient: Array | None = None


@dataclass(frozen=True)
class Unanswered:
    """A case without a result. status: "skipped" (stated with a reason, no failure), or what went wrong in a word."""

    id: str
    dtype: str
    status: str
    reason: str
    link: str | None = None


@dataclass(frozen=True)
class Trouble:
    """A named verdict about a program or a folder, apart from numbers."""

    name: str
    text: str
    cases: int = 0
    first: str | None = None


def group_row(batch: Batch) -> dict[str, Any]:
    """A parameter setting, as the report lists it."""
    return {
        "id": batch.group, "parameters": dict(batch.parameters), "status": "run", "reason": None, "cases": 0, "left_out": 0,
        "why_left_out": "",
    }  # fmt: skip


def document(
    subject: Subject, loss: Any, answers: Sequence[Answered], *, groups: Sequence[Mapping[str, Any]], dtypes: Mapping[str, str | None],
    findings: Sequence[dict[str, str]] = (), unanswered: Sequence[Unanswered] = (), troubles: Sequence[Trouble] = (),
) -> dict[str, Any]:  # fmt: skip
    """The whole report as a JSON document. dtypes: why each one that was asked for was not run, or None."""
    judged = [judge(one.batch, one.value, one.gradient, loss.kind == "pairs") for one in answers]
    low, evidence = precision(judged, loss.kind == "pairs")
    found = [*findings, *low]
    explanations = explain(evidence)
    value, gradient = tally(judged, "value"), tally(judged, "gradient")
    cases = sum(len(one.batch) for one in judged)
    broken = bool(troubles) or any(one.status not in GOOD for one in unanswered) or any(group["status"] == "errored" for group in groups)
    faulty = broken or any(finding["kind"] == "deviation" for finding in found)
    imprecise = any(finding["kind"] == "precision" for finding in found)
    parts = [part for part in (value, gradient) if part is not None]
    strict = cases > 0 and not faulty and not imprecise and all(part["strict"]["passed"] for part in parts)
    deciding = [gradient] if gradient is not None and loss.kind != "codes" else parts
    training = cases > 0 and not faulty and all(part["training"]["passed"] for part in deciding)
    training = training and all(part["not_finite"] == 0 for part in parts)
    named = bool(explanations) or faulty or imprecise or not cases
    known = "right" if strict else "named" if named else "unknown"
    return {
        "schema": 1, "report": "callable", "interpretation": INTERPRETATION, "command": subject.command, "loss": loss.name,
        "via": subject.via, "callable": subject.callable, "language": subject.language, "package": subject.package,
        "version": subject.version, "arrays": subject.arrays, "gradients": subject.gradients, "arguments": dict(subject.arguments),
        "constants": jsonable.plain(subject.constants),
        "dtypes": [{"dtype": name, "run": reason is None, "reason": reason} for name, reason in dtypes.items()],
        "groups": [dict(group) for group in groups], "cases": cases, "findings": found, "troubles": [vars(one) for one in troubles],
        "unanswered": [vars(one) for one in unanswered], "value": value, "gradient": gradient, "strict": strict, "training": training,
        "worst": worst_cases(judged, notes(loss.name), loss.arrays), "failures": failures(judged),
        "deviations": [_explanation(one) for one in explanations],
        "known": known, "unknown": describe(evidence) if known == "unknown" else None, "plots": plots(judged), "expected": None,
    }  # fmt: skip


def failures(judged: Sequence[Judged]) -> list[dict[str, Any]]:
    """Every value and gradient that fails strictly."""
    return [
        {"id": one.batch.ids[i], "dtype": one.batch.dtype, "what": part.what, "error_eps": float(np.max(part.error[i])),
         "matters": bool(np.any(part.training[i]))}
        for one in judged for part in one.parts for i in np.flatnonzero(per_case(part.strict))
    ]  # fmt: skip


def precision(judged: Sequence[Judged], boxes: bool) -> tuple[Findings, Sequence[Judged]]:
    """Is float64 computed in float32? Then its results are explained as those of float32."""
    shares, round_trips = [], []
    for one in judged:
        if one.batch.dtype == "float64":
            plain = one.batch.with_kind("basic") & (one.value.wanted.number.reshape(len(one.batch), -1) != 0).all(axis=1)
            shares += list(one.value.severity.reshape(len(one.batch), -1).max(axis=1)[plain])
            with np.errstate(over="ignore", invalid="ignore"):
                round_trips += list(one.value.got[plain].astype(np.float32).astype(np.float64).ravel() == one.value.got[plain].ravel())
    if not shares or np.mean(round_trips) < 0.9 or not 1e-10 < float(np.median(shares)) < 1e-6:
        return [], judged
    text = "float64 is computed with float32's precision: plain cases are off by about 1e-8"
    effect = "None for training in float32; a check of the gradient by finite differences in float64 fails."
    lower = [
        judge(replace(one.batch, dtype="float32"), one.value.got, None if one.gradient is None else one.gradient.got, boxes)
        if one.batch.dtype == "float64" else one
        for one in judged
    ]  # fmt: skip
    return [{"kind": "precision", "name": "float64_in_float32", "text": text, "effect": effect}], lower


def _explanation(one: Explanation) -> dict[str, Any]:
    return {
        "names": [c.name for c in one.stack], "titles": [c.title for c in one.stack], "constants": [c.constant for c in one.stack],
        "seen": [c.deviation.seen for c in one.stack], "effects": [c.deviation.effect for c in one.stack],
        "explained": one.explained, "failing": one.failing, "contradicted": one.contradicted, "complete": one.complete,
    }  # fmt: skip

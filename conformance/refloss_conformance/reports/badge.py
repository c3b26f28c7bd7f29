"""A shields.io endpoint: one sentence that tells cases, worst error and interpretation; what did not pass is said, whatever the reason."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from .entries import FAIL, NOT_RUN, PASS, TRAINING, Entry, entries, interpretations, settings, unanswered
from .merge import together
from .words import count, eps


def badge(documents: Mapping[str, Any] | Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """{"schemaVersion": 1, "label": "refloss ciou_loss", "message": "402 cases, worst 1.9 eps, i1", "color": "brightgreen"}"""
    given = together(documents)
    found = entries(given)
    subjects = {entry.what for entry in found}
    label = f"refloss {subjects.pop()}" if len(subjects) == 1 else "refloss"
    reports = [entry.document for entry in found if entry.document is not None]
    lost = sum(unanswered(report)[0] for report in reports)
    more = sum(unanswered(report)[0] for report in reports if "failed" not in report)  # the others have them among their cases
    skipped = sum(unanswered(report)[1] for report in reports)
    closed = sum(every - ran for ran, every in map(settings, reports))
    message = [_passed(found, more + skipped)]
    message += [f"{skipped} skipped"] if skipped else []
    message += [f"{lost} without an answer"] if lost else []
    message += [f"{count(closed, 'setting')} skipped"] if closed else []
    absent = sum(entry.verdict == NOT_RUN for entry in found)
    message += [f"{count(absent, 'check')} not run"] if 0 < absent < len(found) else []
    if len(found) == 1:
        apart = [one for report in reports for one in (*report.get("findings", ()), *report.get("troubles", ()))]
        message += sorted({str(one["name"]) for one in apart if one.get("kind") != "note"})
    errors = [entry.worst for entry in found if entry.worst is not None and entry.cases]
    message += [f"worst {eps(max(errors, key=lambda e: math.inf if math.isnan(e) else e))}"] if errors else []
    message += [", ".join(f"i{number}" for number in interpretations(given))] if reports or errors else []
    return {"schemaVersion": 1, "label": label, "message": ", ".join(message), "color": _color(found, bool(skipped or closed))}


def _passed(found: Sequence[Entry], more: int) -> str:
    cases = sum(entry.cases for entry in found)
    failed = sum(entry.failed for entry in found)
    if cases + more == 0:
        return "nothing ran"
    if not failed and not more:
        return count(cases, "case")
    checks = f"{sum(entry.verdict == PASS for entry in found)} of {len(found)} checks and " if len(found) > 1 else ""
    return f"{checks}{cases - failed} of {cases + more} cases pass"


def _color(found: Sequence[Entry], skipped: bool) -> str:
    verdicts = {entry.verdict for entry in found}
    if FAIL in verdicts:
        return "red"
    if TRAINING in verdicts:
        return "yellow"
    if PASS not in verdicts:
        return "lightgrey"
    return "green" if skipped or NOT_RUN in verdicts else "brightgreen"

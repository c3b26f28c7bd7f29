"""A report of any kind as entries: one implementation, checked as one loss, function or criterion."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .words import command, count, eps, figure, real

PASS, TRAINING, FAIL, NOT_RUN = "pass", "training only", "fail", "not run"
VERDICTS = (PASS, TRAINING, FAIL, NOT_RUN)
FAMILIES = ("Losses", "Coders", "Assigners, priors and boxes", "Criteria", "Recordings")
Document = Mapping[str, Any]


@dataclass(frozen=True)
class Entry:
    """who: implementation with its version, what the matrix counts in its one direction; what: in its other."""

    title: str
    who: str
    what: str
    family: str
    verdict: str
    short: str = ""  # what the matrix says beside the verdict
    cases: int = 0  # answered
    failed: int = 0
    worst: float | None = None  # in eps; infinite for NaN; None where answers are right or wrong
    reproduce: str = ""
    why: str = ""  # it was not run
    document: Document | None = None  # of a callable, a program, files
    row: Document | None = None  # of an own backend or a recorded system


def interpretations(documents: Sequence[Document]) -> list[int]:
    """Of the judgements; reports from before the number was written are of the first."""
    return sorted({int(row["report"].get("interpretation", 1)) for one in documents for row in rows(one) if row.get("report")})


def rows(document: Document) -> Sequence[Document]:
    """The rows of a merged report; any other one is a row by itself."""
    if document["report"] in ("merged", "packages"):
        return list(document["rows"])
    return [{"title": "", "reproduce": command(document.get("command", "")), "status": "run", "report": document}]


def entries(documents: Sequence[Document]) -> list[Entry]:
    return [entry for document in documents for row in rows(document) for entry in _of_row(row)]


def _of_row(row: Document) -> Iterator[Entry]:
    report = row.get("report")
    if report is None:
        reason = str(row["status"]).removeprefix("not run: ")
        what = str(row.get("loss") or _claimed(str(row["reproduce"])))
        who = str(row.get("package") or row["title"])
        yield Entry(row["title"], who, what, family(what), NOT_RUN, reproduce=row["reproduce"], why=reason)
    elif report["report"] == "backends":
        for one in report["rows"]:
            worst = max(real(one["value_eps"]), real(one["gradient_eps"]))
            verdict = PASS if one["verdict"] == "pass" else NOT_RUN if one["verdict"] == "nothing ran" else FAIL
            name = f"refloss, {one['backend']}"
            short = "error" if one.get("error") else eps(worst)
            yield Entry(name, name, one["loss"], family(one["loss"]), verdict, short,
                        one["cases"], one["failed"], worst, row["reproduce"], one.get("error") or "", row=one)  # fmt: skip
    elif report["report"] == "replay":
        for system in dict.fromkeys(case["system"] for case in report["cases"]):
            mine = [case for case in report["cases"] if case["system"] == system]
            failed = sum(not case["passed"] for case in mine)
            worst = max(real(case["delta"]) for case in mine)
            yield Entry("refloss's criteria", "refloss's criteria", system, "Recordings", FAIL if failed else PASS,
                        f"off by {worst:.1g}", len(mine), failed, None, row["reproduce"] or "refloss replay",
                        row={"cases": mine, "limit": report["limit"]})  # fmt: skip
    else:
        yield _checked(row, report)


def _checked(row: Document, report: Document) -> Entry:
    what = subject(report)
    tallied = "strict" in report
    if tallied:
        verdict = PASS if report["strict"] else TRAINING if report["training"] else FAIL
    else:
        verdict = PASS if report["passed"] else FAIL
    worst, failed = worst_eps(report), failures(row, report)
    short = eps(worst) if tallied else f"{failed} of {report['cases']} wrong" if failed else f"{count(report['cases'], 'answer')} right"
    if not report["cases"]:
        verdict, short = (FAIL, "no answer") if report.get("troubles") or unanswered(report)[0] else (NOT_RUN, "")
    why = "" if report["cases"] else "no case was run"
    kind = "Criteria" if report["report"] == "criteria" else family(what)
    return Entry(row["title"] or report["callable"], implementation(report), what, kind, verdict, short, report["cases"], failed, worst,
                 row["reproduce"], why, document=report)  # fmt: skip


def subject(report: Document) -> str:
    """The loss, function or criterion that it claims to be."""
    return str(report.get("loss") or report.get("function") or report.get("criterion") or "?")


def implementation(report: Document) -> str:
    name = report.get("package") or report["callable"]
    version = f" {report['version']}" if report.get("version") else ""
    arrays, language = str(report.get("arrays", "json")), str(report.get("language", "Python"))
    with_what = language if language not in ("Python", "") else "" if arrays in ("json", "numpy", name) else f"{arrays} arrays"
    return f"{name}{version}" + (f", {with_what}" if with_what else "")


def family(what: str) -> str:
    if what.endswith((".encode", ".decode")):
        return "Coders"
    return FAMILIES[2] if what.partition(".")[0] in ("assign", "priors", "boxes", "mining", "select") and "." in what else "Losses"


def parts(report: Document) -> list[tuple[str, Document]]:
    """The tallies of values and gradients that were judged."""
    return [(what, report[what]) for what in ("value", "gradient") if report.get(what)]


def worst_eps(report: Document) -> float | None:
    errors = [math.inf if part["not_finite"] else real(part["worst_eps"]) for _, part in parts(report)]
    return max(errors) if errors else None


def failures(row: Document, report: Document) -> int:
    """Cases that fail strictly, in any of their numbers; at least, where the report lists only a few of them."""
    if "failed" in report:
        return int(report["failed"])
    if "failures" in report:
        return len({(one["id"], one["dtype"]) for one in report["failures"]})
    return int(row.get("failed") or max((part["strict"]["failed"] for _, part in parts(report)), default=0))


def unanswered(report: Document) -> tuple[int, int]:
    """Cases without a result: (what went wrong, what was skipped with a reason or left out). Answers that are right or wrong count
    the former among their cases."""
    skipped = sum(one["status"] == "skipped" for one in report.get("unanswered", ()))
    return len(report.get("unanswered", ())) - skipped, skipped + sum(group.get("left_out", 0) for group in report.get("groups", ()))


def settings(report: Document) -> tuple[int, int]:
    """(parameter settings that ran, all of them)"""
    groups = report.get("groups", ())
    return sum(group["status"] == "run" for group in groups), len(groups)


def counts(found: Sequence[Entry]) -> str:
    """12 pass, 4 training only, 19 fail"""
    numbers = {verdict: sum(entry.verdict == verdict for entry in found) for verdict in VERDICTS}
    return ", ".join(f"{number} {verdict}" for verdict, number in numbers.items() if number)


def tally_text(part: Document, tier: str) -> str:
    failed = part[tier]["failed"]
    return "pass" if not failed else f"{failed} of {part['cases']} fail"


def worst_text(part: Document) -> str:
    return figure(real(part["worst_eps"])) + (f", and {part['not_finite']} NaN or infinite" if part["not_finite"] else "")


def _claimed(command: str) -> str:
    return command.partition(" --as ")[2].split(" ")[0] or "?"

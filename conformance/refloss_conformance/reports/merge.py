"""Several reports as one. A later run of the same implementation, loss and dtypes takes the place of an earlier one."""

import json
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from .entries import failures, interpretations, rows, subject
from .words import WRITTEN

Row = dict[str, Any]
NOT_PART = (*WRITTEN, "--dtype", "--tier", "--expect", "--min-cases", "--timeout")
LONG = ("failures", "plots")  # the lists that make a report large
KEPT = 3  # worst cases of a slim report


def merge(documents: Sequence[Mapping[str, Any]], title: str = "") -> Row:
    """One document of the kind "merged"."""
    found: list[Row] = []
    for document in documents:
        for row in rows(document):
            _add(found, dict(row))
    titles = [title, *(str(one.get("title") or "") for one in documents if one["report"] in ("merged", "packages"))]
    whole: Row = {"schema": 1, "report": "merged", "interpretation": 1, "title": next(filter(None, titles), ""), "rows": found}
    return {**whole, "interpretation": max(interpretations([whole]), default=1)}


def together(documents: Mapping[str, Any] | Sequence[Mapping[str, Any]], title: str = "") -> list[Mapping[str, Any]]:
    """One report as it is, several merged."""
    given = [documents] if isinstance(documents, Mapping) else list(documents)
    return given if len(given) == 1 else [merge(given, title)]


def _add(found: list[Row], row: Row) -> None:
    report = row.get("report")
    if report and report["report"] == "backends":
        found[:] = [one for old in found if (one := _without(old, report)) is not None]
        found.append(row)
        return
    for place, old in enumerate(found):
        if _replaces(row, old):
            found[place] = row if row["title"] else {**row, "title": old["title"], "reproduce": old["reproduce"]}
            return
        if not report and _same_command(row, old):
            return  # what ran once is not forgotten because a package is missing now
    found.append(row)


def _replaces(row: Row, old: Row) -> bool:
    if not row.get("report") or not old.get("report"):
        return bool(row.get("report")) and _same_command(row, old)
    if row["title"] and old["title"] and not _same_command(row, old):  # variables before the command are no part of it
        return False
    return bool(_identity(old) == _identity(row) and _ran(old) <= _ran(row))


def _same_command(row: Row, old: Row) -> bool:
    return _words(row["reproduce"]) == _words(old["reproduce"]) != ()


def _identity(row: Row) -> Any:
    """What was asked: the implementation, how it was called, and what it claims to be; not where the answer was written."""
    report = row["report"]
    if report["report"] in ("replay", "backends"):
        return report["report"]
    called = _words(str(report.get("command", ""))) or json.dumps([report.get("arguments"), report.get("constants")], sort_keys=True)
    return (report["report"], report["callable"], subject(report), report.get("language", "Python"), report.get("arrays"), called)


def _words(command: str) -> tuple[str, ...]:
    try:
        words = shlex.split(command)
    except ValueError:
        words = command.split()
    kept, skip = [], False
    for word in words:
        if not skip and word.partition("=")[0] not in NOT_PART:
            kept.append(word)
        skip = word in NOT_PART and not skip
    return tuple(kept)


def _ran(row: Row) -> frozenset[str]:
    """The dtypes that were run; recorded cases take their place in a replay."""
    report = row["report"]
    if report["report"] == "replay":
        return frozenset(f"{case['system']} {case['name']}" for case in report["cases"])
    return frozenset(one["dtype"] for one in report.get("dtypes", ()) if isinstance(one, dict) and one["run"])


def _without(old: Row, later: Mapping[str, Any]) -> Row | None:
    """An earlier report of own backends, less what a later one did again."""
    report = old.get("report")
    if not report or report["report"] != "backends" or not set(report["dtypes"]) <= set(later["dtypes"]):
        return old
    again = {(one["loss"], one["backend"]) for one in later["rows"]}
    kept = [one for one in report["rows"] if (one["loss"], one["backend"]) not in again]
    present = {one["backend"] for one in later["rows"]}
    absent = {name: reason for name, reason in report["absent"].items() if name not in present | set(later["absent"])}
    if not kept and not absent:
        return None
    passed = bool(kept) and all(one["verdict"] == "pass" for one in kept)
    return {**old, "report": {**report, "rows": kept, "absent": absent, "cases": sum(one["cases"] for one in kept), "passed": passed}}


def slim(document: Mapping[str, Any]) -> Row:
    """A merged report without the lists of every case, for keeping."""
    kept = []
    for row in rows(document):
        report = row.get("report")
        if report and "failures" in report and "failed" not in report:
            row = {**row, "failed": failures(row, report)}  # noqa: PLW2901
        shorter = report and {key: value[:KEPT] if key == "worst" else value for key, value in report.items() if key not in LONG}
        kept.append({**row, "report": shorter} if report else dict(row))
    return {**document, "rows": kept}

"""What becomes of a report: the forms it is written in, and the verdict that decides the exit code."""

import argparse
import pathlib
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from . import jsonable
from .errors import UsageError

FORMS = ("json", "junit", "markdown", "html", "badge")
Document = Mapping[str, Any]


def to_stdout(arguments: argparse.Namespace) -> bool:
    """Whether a report goes to standard output, so that nothing else may."""
    there = [form for form in FORMS if getattr(arguments, form) == "-"]
    if len(there) > 1:
        raise UsageError(f"--{there[0]} - and --{there[1]} -: only one report goes to standard output")
    return bool(there)


def write(arguments: argparse.Namespace, documents: Sequence[Document], title: str = "") -> None:
    """Every form that was asked for; all are made before any is written."""
    tier = getattr(arguments, "tier", "strict")
    asked = [form for form in FORMS if getattr(arguments, form) is not None]
    for form in asked:
        _writable(f"--{form}", getattr(arguments, form))
    texts = {form: _rendered(form, documents, title, tier) for form in asked}
    for form, text in texts.items():
        put(f"--{form}", getattr(arguments, form), text)


def _writable(option: str, where: str) -> None:
    """Seen before anything is written, so that no run leaves some of its reports beside older ones."""
    path = pathlib.Path(where)
    if where != "-" and (path.is_dir() or not path.parent.is_dir()):
        why = "it is a folder" if path.is_dir() else f"there is no folder {path.parent}"
        raise UsageError(f"{option} {where}: cannot be written ({why})")


def _rendered(form: str, documents: Sequence[Document], title: str, tier: str) -> str:
    if form == "json" and len(documents) == 1:
        return as_json(documents[0])
    from . import reports

    if form == "html":
        return reports.html(documents, title)
    if form == "badge":
        return as_json(reports.badge(documents))
    whole = documents[0] if len(documents) == 1 else reports.merge(documents, title)
    if form == "json":
        return as_json(whole)
    return reports.junit(whole, tier) if form == "junit" else reports.markdown(whole, title)


def as_json(document: Document) -> str:
    return jsonable.dumps(document)


def put(option: str, where: str, text: str) -> None:
    """A text into a file, or to standard output."""
    if where == "-":
        sys.stdout.write(text)
        return
    try:
        pathlib.Path(where).write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{option} {where}: cannot be written ({error.strerror})") from None


def passed(document: Document, tier: str) -> bool:
    """The verdict that decides, expectations apart."""
    return bool(document["passed"] if "passed" in document else document[tier])

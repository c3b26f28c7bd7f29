"""Which cases a report speaks of, and what failed in it: whatever needs an expectation."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from . import criteria, scenes, vectors
from .cases import load
from .records import RECORDS

GOOD = ("skipped",)  # the states of unanswered cases that are no failure
Ran = set[tuple[str, str]]  # (id, dtype)


class Item(NamedTuple):
    """A failure. what: "value", "gradient", "answer", "unanswered", or "finding", which has the finding's name as its id.

    dtype is empty, and the id ends in /*, where a whole group could not be run.
    """

    id: str
    dtype: str
    what: str
    matters: bool = True


def subject(document: Mapping[str, Any]) -> str:
    """The loss, function or criterion that a report is about."""
    return str(next((document[key] for key in ("loss", "function", "criterion") if key in document), ""))


def items(document: Mapping[str, Any]) -> list[Item]:
    """Every failure of a report, each once."""
    found = [Item(one["id"], one["dtype"], one["what"], one["matters"]) for one in document["failures"]]
    found += [Item(one["id"], one["dtype"], "unanswered") for one in document["unanswered"] if one["status"] not in GOOD]
    listed = {one.id.rpartition("/")[0] for one in found if one.what == "unanswered"}
    for group in document.get("groups", ()):
        place = f"{subject(document)}/{group.get('id')}"
        if group.get("status") == "errored" and place not in listed:
            found.append(Item(f"{place}/*", "", "unanswered"))
    found += [Item(one["name"], "", "finding") for one in document.get("findings", ()) if one["kind"] == "deviation"]
    found += [Item(one["name"], "", "finding") for one in document.get("troubles", ()) if not one["cases"]]
    return list(dict.fromkeys(found))


def ran(document: Mapping[str, Any]) -> Ran | None:
    """The cases that were run, as far as the report and the golden files tell; None: they do not."""
    name = subject(document)
    dtypes = [one["dtype"] for one in document.get("dtypes", ()) if one["run"]]
    if document.get("report") == "callable" and name in RECORDS:
        found = _of_loss(name, document["groups"], dtypes)
    elif document.get("report") == "scenes" and name in scenes.names():
        found = _of_function(name, document["groups"], dtypes)
    elif document.get("report") == "criteria" and name in criteria.names():
        run = [group["id"] for group in document["groups"] if group["status"] == "run"]
        whole = [case for setting in run for case in criteria.load(name).of(setting)]
        found = {(case.id, dtype) for case in whole for dtype in dtypes if dtype in case.dtypes}
    else:
        return None
    found -= {(one["id"], one["dtype"]) for one in document["unanswered"] if one["status"] in GOOD}
    return found | {(one["id"], one["dtype"]) for one in document["failures"]}


def _of_loss(name: str, groups: Sequence[Mapping[str, Any]], dtypes: Sequence[str]) -> Ran:
    run = {group["id"]: group["left_out"] for group in groups if group["status"] == "run"}
    return {
        (case.id, dtype)
        for group, case in load(name).cases() if group.id in run
        for dtype in dtypes if dtype in case.dtypes and not (run[group.id] and _may_be_left_out(case, dtype))
    }  # fmt: skip


def _may_be_left_out(case: vectors.Case, dtype: str) -> bool:
    """Subnormal inputs, and codes for rows without a class: some callables do not take them."""

    def numbers(nested: Any) -> list[Any]:
        return [x for one in nested for x in numbers(one)] if isinstance(nested, list) else [nested]

    return any(
        x < 0 if isinstance(x, int) else 0 < abs(float.fromhex(x)) < vectors.SMALLEST_NORMAL[dtype]
        for nested in case.inputs.values() for x in numbers(nested)
    )  # fmt: skip


def _of_function(name: str, groups: Sequence[Mapping[str, Any]], dtypes: Sequence[str]) -> Ran:
    run = [_plain(group["parameters"]) for group in groups if group["status"] == "run"]
    return {
        (scene.id, dtype)
        for scene in scenes.load(name).scenes if _plain(scene.parameters) in run
        for dtype in dtypes if dtype in scene.dtypes
    }  # fmt: skip


def _plain(value: Any) -> Any:
    """Comparable whether it went through JSON or not."""
    if isinstance(value, Mapping):
        return {name: _plain(one) for name, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(one) for one in value]
    return "inf" if value == float("inf") else value

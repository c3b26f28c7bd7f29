"""`refloss check ... --write-expect FILE`: expectations from the present failures.

A whole group, or loss, becomes a glob only where every case of it that ran fails in the same way; else ids are listed. Where the
file exists, reasons, links and conditions are kept for what still fails, and so are entries that say nothing of this check.
"""

import contextlib
import json
import os
import pathlib
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import replace
from fnmatch import fnmatchcase
from typing import Any

from .conditions import facts, holds
from .errors import UsageError
from .expectations import SCHEMA_VERSION, TODO, WHATS, Expectation, load
from .running import Item, Ran, items, ran, subject
from .vectors import DTYPES, INTERPRETATION

HEAD = f"""# Failures that are known: refloss check ... --expect THIS_FILE. Give each a reason; --write-expect brings the list up to date.
schema = {SCHEMA_VERSION}
interpretation = {INTERPRETATION}
"""
NEW = Expectation("", (), (), (), "", "", TODO, "", "")


def write(document: Mapping[str, Any], path: str | pathlib.Path) -> int:
    """Write the file; answers the number of entries. Whole or not at all."""
    file, name = pathlib.Path(path), subject(document)
    old = load(file).entries if file.exists() else ()
    known, cases = facts(document), ran(document)
    reason = f"{TODO}: {_suspicion(document)}" if _suspicion(document) else TODO
    kept = []
    for one in old:
        rest = _elsewhere(one, name, known, cases, document)
        if rest or _idle_finding(one, name, known):
            kept.append(replace(one, id=rest))
    mine = [one for one in old if not one.when or holds(one.when, known)]
    entries = [*kept, *_new(items(document), cases, mine, name, replace(NEW, reason=reason))]
    text = HEAD + "".join(f"\n[[expect]]\n{_lines(one)}" for one in entries)
    try:
        _put(file, text)
    except OSError as error:
        raise UsageError(f"--write-expect {path}: cannot be written ({error.strerror})") from None
    return len(entries)


def _suspicion(document: Mapping[str, Any]) -> str:
    sets = [" and ".join(one["names"]) for one in document.get("deviations", ()) if one["complete"]]
    return f"looks like {' or '.join(sets)}" if sets else ""


def _elsewhere(
    one: Expectation, name: str, known: Mapping[str, str | None], cases: Ran | None, document: Mapping[str, Any]
) -> tuple[str, ...]:
    """The patterns of an old entry that this check says nothing of."""
    if one.when and not holds(one.when, known):
        return one.id
    about = one.about(name)
    failed = items(document)
    return tuple(
        pattern for pattern in one.id
        if pattern not in about or not (one.ran(pattern, cases, document) or any(one.meets(pattern, item) for item in failed))
    )  # fmt: skip


def _idle_finding(one: Expectation, name: str, known: Mapping[str, str | None]) -> bool:
    return bool(one.finding) and (not one.about(name) or bool(one.when and not holds(one.when, known)))


def _new(failed: Iterable[Item], cases: Ran | None, old: list[Expectation], name: str, new: Expectation) -> list[Expectation]:
    """Entries that meet exactly these failures."""
    whats: dict[tuple[str, str], set[str]] = defaultdict(set)  # (id, dtype) -> what fails
    entries: list[Expectation] = []
    for item in failed:
        if item.what == "finding":
            before = next((one for one in old if one.finding == item.id and one.about(name)), new)
            entries.append(replace(before, finding=item.id, loss=name))
        else:
            whats[item.id, item.dtype].add(item.what)
    found: dict[tuple[Expectation, tuple[str, ...], str], list[str]] = defaultdict(list)
    for (one, dtype), what in whats.items():
        key = tuple(w for w in WHATS if w in what)
        found[_inherited(one, dtype, key, old, name, new), key, dtype].append(one)
    merged: dict[tuple[Expectation, tuple[str, ...], tuple[str, ...]], list[str]] = defaultdict(list)
    for (origin, key, dtype), ids in found.items():
        merged[origin, key, tuple(_globs(ids, dtype, cases))].append(dtype)
    for (origin, key, patterns), dtypes in merged.items():
        given = tuple(d for d in DTYPES if d in dtypes)
        entries.append(replace(origin, id=patterns, dtype=given, what=key))
    return entries


def _inherited(one: str, dtype: str, what: tuple[str, ...], old: list[Expectation], name: str, new: Expectation) -> Expectation:
    """Reason, link and condition of the first old entry that expected this failure."""
    for entry in old:
        for pattern in entry.about(name):
            if any(entry.meets(pattern, Item(one, dtype, each)) for each in what):
                return replace(new, reason=entry.reason, link=entry.link, when=entry.when)
    return new


def _globs(ids: list[str], dtype: str, cases: Ran | None) -> list[str]:
    """The ids, with a glob for a whole loss or group of which every case that ran is among them."""
    if cases is None:
        return ids
    mine, ours = set(ids), {one for one, d in cases if d == dtype}
    everything = f"{ids[0].split('/')[0]}/*"
    if ours and ours <= mine and all(fnmatchcase(one, everything) for one in mine):
        return [everything]
    members: dict[str, set[str]] = defaultdict(set)
    for one in ours:
        members[one.rpartition("/")[0]].add(one)
    found = []
    for one in ids:
        group = one.rpartition("/")[0]
        whole = "/" in group and len(members[group]) > 1 and members[group] <= mine
        found.append(f"{group}/*" if whole else one)
    return list(dict.fromkeys(found))


def _lines(entry: Expectation) -> str:
    lines = []
    for key in ("id", "finding", "loss", "dtype", "what", "when", "link", "reason"):
        value = getattr(entry, key)
        if isinstance(value, tuple) and len(value) > 1:
            inside = ", ".join(map(_text, value))
            short = len(inside) <= 100
            lines.append(f"{key} = [{inside}]" if short else f"{key} = [\n" + "".join(f"  {_text(one)},\n" for one in value) + "]")
        elif value:
            lines.append(f"{key} = {_text(value if isinstance(value, str) else value[0])}")
    return "".join(f"{line}\n" for line in lines)


def _text(value: str) -> str:
    """A basic string of TOML: JSON's, but for DEL, which TOML wants escaped."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _put(file: pathlib.Path, text: str) -> None:
    handle, temporary = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as out:
            out.write(text)
        pathlib.Path(temporary).chmod(file.stat().st_mode & 0o777 if file.exists() else 0o644)
        pathlib.Path(temporary).replace(file)
    except BaseException:
        with contextlib.suppress(OSError):
            pathlib.Path(temporary).unlink()
        raise

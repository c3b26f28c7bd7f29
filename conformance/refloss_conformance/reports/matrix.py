"""The tables of a page: implementations by losses, and the list that can be sorted."""

import math
from collections.abc import Sequence
from typing import Any

from .entries import FAIL, FAMILIES, NOT_RUN, PASS, TRAINING, Entry, settings, unanswered
from .markup import code, e, table
from .words import count, eps, named

NUMBERS = ("cases", "failing", "worst error")
STYLES = {PASS: "pass", TRAINING: "training", FAIL: "fail", NOT_RUN: "none"}
Numbered = Sequence[tuple[int, Entry]]


def tag(verdict: str) -> str:
    return f'<span class="v {STYLES[verdict]}">{verdict}</span>'


def anchor(i: int, entry: Entry) -> str:
    return f"check-{i}" if entry.document is not None or entry.verdict == NOT_RUN else "own"


def matrices(found: Sequence[Entry]) -> str:
    """One for each family, so that none is mostly empty. The longer of the two lists goes down the page."""
    numbered = list(enumerate(found, 1))
    parts = []
    for name in FAMILIES:
        mine = [(i, entry) for i, entry in numbered if entry.family == name]
        if mine:
            parts.append(f'<div class="wide">{_matrix(name, mine)}</div>')
    return "".join(parts)


def _matrix(name: str, found: Numbered) -> str:
    who = list(dict.fromkeys(entry.who for _, entry in found))
    what = list(dict.fromkeys(entry.what for _, entry in found))
    turned = len(what) > max(len(who), 8)
    down, across = (what, who) if turned else (who, what)
    cells: dict[tuple[str, str], list[tuple[int, Entry]]] = {}
    for i, entry in found:
        cells.setdefault((entry.what, entry.who) if turned else (entry.who, entry.what), []).append((i, entry))
    head = [("loss" if turned else "implementation", False), *((e(one) if turned else code(one), False) for one in across)]
    rows = []
    for one in down:
        stacks = [cells.get((one, other), []) for other in across]
        shown = ["".join(_cell(i, entry, len(stack) > 1) for i, entry in stack) for stack in stacks]
        rows.append([code(one) if turned else e(one), *shown])
    return table(f"<strong>{e(name)}</strong>", head, rows, "matrix")


def _cell(i: int, entry: Entry, several: bool) -> str:
    short = entry.short or entry.why
    note = f"{short}, as expected" if _expected(entry) else short
    label = f"<small>{e(entry.title)}</small>" if several else ""
    return f'<a class="{STYLES[entry.verdict]}" href="#{anchor(i, entry)}"><b>{entry.verdict}</b><small>{e(note)}</small>{label}</a>'


def _expected(entry: Entry) -> bool:
    """Whether all failures were, and still are, expected."""
    expected = entry.document.get("expected") if entry.document else None
    return expected is not None and not expected["unexpected"] and not expected["stale"] and expected["matched"] > 0


def listing(found: Sequence[Entry]) -> str:
    names = ("implementation", "checked as", "verdict", "cases", "failing", "worst error", "what was named")
    order = {verdict: place for place, verdict in enumerate((PASS, TRAINING, FAIL, NOT_RUN))}
    rows = "".join(
        f'<tr role="row" data-verdict="{entry.verdict}" data-text="{sought(entry)}">{_row(i, entry, order[entry.verdict])}</tr>'
        for i, entry in enumerate(found, 1)
    )
    heading = "".join(
        f'<th scope="col" role="columnheader"{" class=n" if name in NUMBERS else ""}><button type="button" disabled>{name}</button></th>'
        for name in names
    )
    return (
        '<div class="wide"><table role="table" class="cards list"><caption>Every check, with a link to the command that shows it again'
        f'</caption><thead role="rowgroup"><tr role="row">{heading}</tr></thead><tbody role="rowgroup">{rows}</tbody></table></div>'
    )


def _row(i: int, entry: Entry, rank: int) -> str:
    report = entry.document or {}
    ran, every = settings(report)
    lost, skipped = unanswered(report)
    notes = [entry.who] if entry.who != entry.title else []
    notes += [f"{ran} of {count(every, 'setting')}"] if ran < every else []
    notes += [f"{skipped} skipped"] if skipped else []
    notes += [f"{lost} without an answer"] if lost else []
    title = f'<a href="#{anchor(i, entry)}">{e(entry.title)}</a><br><span class="as">{e("; ".join(notes))}</span>'
    worst = -1.0 if entry.worst is None else min(entry.worst, 1e300) if not math.isnan(entry.worst) else 1e300
    absent = entry.verdict == NOT_RUN
    cells: list[tuple[str, str, Any]] = [
        ("checked as", code(entry.what), None), ("verdict", tag(entry.verdict), rank),
        ("cases", "" if absent else str(entry.cases), -1 if absent else entry.cases),
        ("failing", "" if absent else str(entry.failed), -1 if absent else entry.failed),
        ("worst error", eps(entry.worst) if entry.document is None or entry.cases else "", f"{worst:g}"),
        ("named", code(named(report)) if named(report) else e(entry.why), None),
    ]  # fmt: skip
    shown = [f'<th scope="row" role="rowheader">{title}</th>']
    for label, text, key in cells:
        kind = " class=n" if label in NUMBERS else ""
        sort = "" if key is None else f' data-sort="{key}"'
        shown.append(f'<td role="cell" data-label="{label}"{kind}{sort}>{text}</td>')
    return "".join(shown)


def sought(entry: Entry) -> str:
    """What the filter looks in."""
    return e(f"{entry.title} {entry.who} {entry.what} {entry.verdict} {named(entry.document or {})}".lower())

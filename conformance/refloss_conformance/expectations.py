"""Failures that are known, with a reason for each: `refloss check ... --expect FILE`.

A TOML file, described by schema/expectations.json:

    schema = 1
    interpretation = 1

    [[expect]]
    id = "focal_loss/alpha_0.25-gamma_0.5/*"  # ids, or globs (* ? [...]; * crosses "/" too); a list of them is fine
    dtype = "float32"                         # optional, as the next three: without one, all of them
    what = ["value", "gradient"]              # value, gradient, answer, unanswered
    when = "version < '0.24'"                 # conditions.py
    link = "https://example.org/issues/1"
    reason = "1 - p_t is formed by subtraction"

    [[expect]]
    finding = "mean_for_sum"                  # what has no case: a deviation of the smoke test, a trouble with a program
    loss = "focal_loss"
    reason = "documented so"

Every failure must be expected. An expectation whose condition holds and whose cases ran, but that meets no failure, is stale and
fails too: the list never outlives the fault.
"""

import pathlib
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from .close import nearest
from .conditions import FACTS, facts, holds
from .errors import UsageError
from .running import Item, Ran, items, ran, subject
from .vectors import DTYPES, INTERPRETATION

SCHEMA_VERSION = 1
WHATS = ("value", "gradient", "answer", "unanswered")
TEXTS, LISTS = ("finding", "loss", "reason", "link", "when"), ("id", "dtype", "what")
LARGEST_FILE = 5_000_000
TODO = "TODO"


@dataclass(frozen=True)
class Expectation:
    """One entry. An empty tuple or text: not given."""

    place: str  # "file.toml, entry 3"
    id: tuple[str, ...]
    dtype: tuple[str, ...]
    what: tuple[str, ...]
    finding: str
    loss: str
    reason: str
    link: str
    when: str

    def about(self, name: str) -> tuple[str, ...]:
        """The patterns that can meet a case of a loss (or the finding)."""
        if self.loss and self.loss != name:
            return ()
        if self.finding:
            return (self.finding,)
        return tuple(one for one in self.id if fnmatchcase(name, one.split("/")[0]))

    def meets(self, pattern: str, item: Item) -> bool:
        """Whether a failure is what this pattern of the entry expects."""
        if self.finding or item.what == "finding":
            return item.what == "finding" and item.id == self.finding
        fits = (not self.dtype or not item.dtype or item.dtype in self.dtype) and (not self.what or item.what in self.what)
        return fits and fnmatchcase(item.id, pattern)

    def ran(self, pattern: str, cases: Ran | None, document: Mapping[str, Any]) -> bool:
        """Whether anything that the pattern speaks of was run."""
        if self.finding or cases is None:
            return bool(document["cases"])
        if self.what == ("gradient",) and "gradient" in document and document["gradient"] is None:
            return False
        return any((not self.dtype or dtype in self.dtype) and fnmatchcase(one, pattern) for one, dtype in cases)


@dataclass(frozen=True)
class Expectations:
    file: str
    entries: tuple[Expectation, ...]


def load(path: str | pathlib.Path) -> Expectations:
    """The expectations in a file."""
    file = pathlib.Path(path)
    try:
        if file.stat().st_size > LARGEST_FILE:
            raise UsageError(f"{path}: larger than {LARGEST_FILE} bytes; it is no file of expectations")
        data = tomllib.loads(file.read_text("utf-8"))
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({error.strerror}); --write-expect writes one from the present failures") from None
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{path}: is no TOML ({error})") from None
    for key, known in (("schema", SCHEMA_VERSION), ("interpretation", INTERPRETATION)):
        if data.get(key) != known:
            raise UsageError(f"{path}: {key} is {data.get(key)!r}, this version of refloss knows {known}")
    unknown = sorted(data.keys() - {"schema", "interpretation", "expect"})
    given = data.get("expect", [])
    if unknown or not isinstance(given, list):
        raise UsageError(f"{path}: has {unknown[0] if unknown else 'expect'!r}; entries are written [[expect]]")
    return Expectations(str(path), tuple(_entry(f"{path}, entry {k}", one) for k, one in enumerate(given, start=1)))


def _entry(place: str, data: Any) -> Expectation:
    if not isinstance(data, dict):
        raise UsageError(f"{place}: is no table; entries are written [[expect]]")
    for name, value in data.items():
        if name not in (*TEXTS, *LISTS):
            raise UsageError(f"{place}: has {name!r}{nearest(name, (*TEXTS, *LISTS)) or ', there are ' + ', '.join((*LISTS, *TEXTS))}")
        plain = [value] if isinstance(value, str) else value if name in LISTS and isinstance(value, list) else []
        if not plain or not all(isinstance(one, str) and one for one in plain):
            raise UsageError(f"{place}: {name} must be a text{' or a list of texts' if name in LISTS else ''}, and not empty")
    lists = {name: (data[name],) if isinstance(data.get(name), str) else tuple(data.get(name, ())) for name in LISTS}
    finding, loss, reason, link, when = (data.get(name, "") for name in TEXTS)
    entry = Expectation(place, lists["id"], lists["dtype"], lists["what"], finding, loss, reason, link, when)
    if bool(entry.id) == bool(entry.finding):
        raise UsageError(f"{place}: needs an id or a finding, and not both")
    if entry.finding and (entry.dtype or entry.what):
        raise UsageError(f"{place}: a finding is of all dtypes; leave dtype and what out")
    if not entry.reason:
        raise UsageError(f"{place}: needs a reason, one sentence for whoever reads this next year")
    for name, known in (("dtype", DTYPES), ("what", WHATS)):
        for one in lists[name]:
            if one not in known:
                raise UsageError(f"{place}: there is no {name} {one!r}, only {', '.join(known)}")
    if entry.when:
        try:
            holds(entry.when, dict.fromkeys(FACTS, None))
        except UsageError as error:
            raise UsageError(f"{place}: {error}") from None
    return entry


def apply(document: dict[str, Any], expectations: Expectations, tier: str = "strict") -> dict[str, Any]:
    """The report with `expected` filled in. With the training tier, what fails only strictly may, but need not, be expected."""
    known, cases, name = facts(document), ran(document), subject(document)
    failed = items(document)
    met: set[Item] = set()
    stale, idle, notes = [], [], []
    for entry in expectations.entries:
        if entry.when and not holds(entry.when, known):
            continue
        mine: set[Item] = set()
        for pattern in entry.about(name):
            found = [one for one in failed if entry.meets(pattern, one)]
            mine.update(found)
            where = f"{entry.place}: {pattern}{_only(entry)}"
            if not found and entry.ran(pattern, cases, document):
                stale.append(f"{where} no longer fails; remove it (its reason was: {entry.reason})")
            elif not found:
                idle.append(f"{where} meets no case that was run")
        met |= mine
        if mine and entry.reason.startswith(TODO):
            notes.append(f"{entry.place}: {len(mine)} failure{'' if len(mine) == 1 else 's'} expected without a reason ({entry.reason})")
    missed = [one.id for one in failed if one not in met and (tier == "strict" or one.matters)]
    expected = {
        "file": expectations.file, "matched": len(met), "stale": stale, "unexpected": list(dict.fromkeys(missed)), "not_run": idle,
        "notes": notes,
    }  # fmt: skip
    return {**document, "expected": expected}


def _only(entry: Expectation) -> str:
    given = ", ".join((*entry.dtype, *entry.what))
    return f" ({given})" if given else ""


def passed(document: Mapping[str, Any]) -> bool:
    """The verdict after apply(): something ran, every failure was expected, and every expectation still meets one."""
    expected = document["expected"]
    return bool(document["cases"]) and not expected["stale"] and not expected["unexpected"]


def too_few(documents: Sequence[Mapping[str, Any]], least: int) -> str | None:
    """What is wrong where fewer cases were run than --min-cases (or none): a check of nothing passes nothing."""
    count = sum(int(one["cases"]) for one in documents)
    return None if count >= max(least, 1) else f"{count or 'no'} case{'' if count == 1 else 's'} ran, and at least {max(least, 1)} must"

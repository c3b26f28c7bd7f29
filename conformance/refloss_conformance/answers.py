"""`refloss check FOLDER`: answers to an export, computed anywhere, judged like any other implementation's."""

import json
import pathlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from . import exchange, folders, npy
from .cases import Batch, known
from .engine import Answered, Unanswered, document, group_row
from .errors import UsageError
from .folders import ANSWERS, INPUTS, MANIFEST
from .golden import Array
from .vectors import DTYPES

WORDS = {"nan": np.nan, "-nan": np.nan, "inf": np.inf, "-inf": -np.inf, "infinity": np.inf, "-infinity": -np.inf}
DECIMAL = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,5})?")
HEX = re.compile(r"[+-]?0[xX][0-9a-fA-F]{1,40}(\.[0-9a-fA-F]{0,40})?[pP][+-]?\d{1,5}|[+-]?0[xX]\.[0-9a-fA-F]{1,40}[pP][+-]?\d{1,5}")
SEVERAL = 10  # different numbers, before anything is said of their digits
ENOUGH = {"float64": 15, "float32": 6, "float16": 3, "bfloat16": 2}  # digits that any number of the dtype has; fewer: they were cut


@dataclass(frozen=True)
class Given:
    """What a batch's files say: a row of numbers or None for each case. digits: the most that any number is written with."""

    values: list[Array | None]
    gradients: list[Array | None]
    digits: int | None = None

    @property
    def whole(self) -> Array:
        """Which cases have a value and a gradient."""
        return np.array([v is not None and g is not None for v, g in zip(self.values, self.gradients, strict=True)])

    def without(self, left_out: Array) -> "Given":
        """The same with no answer to some cases."""
        values = [None if out else value for value, out in zip(self.values, left_out, strict=True)]
        return Given(values, self.gradients, self.digits)


def check(folder: str | pathlib.Path, command: str = "") -> dict[str, Any]:
    """The report on a folder. UsageError: it is no export, a changed one, or holds files that are no answers."""
    place = pathlib.Path(folder)
    manifest = folders.manifest(place)
    if "function" in manifest:
        from . import criteria_exchange, scene_exchange

        whole = manifest["function"].startswith("criteria.")
        return (criteria_exchange.check if whole else scene_exchange.check)(place, manifest, command)
    loss = known(manifest["loss"])
    expected = _batches(place, loss, manifest)
    files, about = _files(place, expected)
    answered: list[Answered] = []
    unanswered: list[Unanswered] = []
    groups: dict[str, dict[str, Any]] = {}
    short: list[str] = []
    read = {name: _given(place, name, batch, files) for name, batch in expected.items()}
    gradients = any(given.whole.any() for given in read.values())
    for name, batch in expected.items():
        given = read[name]
        if about.get("flushes_subnormals"):
            given = given.without(batch.with_subnormals())
        if gradients:
            given = given.without(~given.whole)
        answered += _answered(batch, given)
        missing = [k for k, value in enumerate(given.values) if value is None]
        lost = [_why(batch, k, name, about, read[name].values[k] is not None) for k in missing]
        unanswered += lost
        group = groups.setdefault(batch.group, group_row(batch))
        _count(group, len(batch) - len(missing), lost)
        if given.digits is not None and given.digits < ENOUGH[batch.dtype]:
            short.append(name)
    if not answered and not any(one.status == "skipped" for one in unanswered):
        raise folders.none(place)
    connected = any(one.gradient is not None for one in answered)
    subject = folders.subject(place, command, about, connected)
    dtypes = dict.fromkeys((d for d in reversed(DTYPES) if d in {batch.dtype for batch in expected.values()}), None)
    return document(
        subject, loss, answered, groups=list(groups.values()), dtypes=dtypes, findings=_cut(short), unanswered=unanswered,
    )  # fmt: skip


def _cut(short: Sequence[str]) -> list[dict[str, str]]:
    if not short:
        return []
    text = f"no number of {short[0]} has enough digits for its dtype, so the answers were cut when they were written"
    return [{"kind": "note", "name": "few_digits", "text": f"{text}; print 9 for float32 (%.9g), 17 for float64, or hex", "effect": ""}]


def _batches(place: pathlib.Path, loss: Any, manifest: Mapping[str, Any]) -> dict[str, Batch]:
    """The batches of the manifest, which must be those of the vectors as they are today, and of the files as they were written."""
    dtypes = tuple({entry["dtype"] for entry in manifest["batches"]})
    index = {(batch.dtype, one): (batch, k) for batch in exchange.choose(loss, dtypes, {}) for k, one in enumerate(batch.ids)}
    found: dict[str, Batch] = {}
    for entry in manifest["batches"]:
        name = entry["name"]
        places = [at for one in entry["ids"] if (at := index.get((entry["dtype"], one))) is not None]
        whole = len(places) == len(entry["ids"]) and all(home is places[0][0] for home, _ in places)
        batch = places[0][0].take(k for _, k in places) if whole else None
        if batch is None or name in found or exchange.checksum(loss, name, batch) != entry["sha256"]:
            raise UsageError(f"{place / MANIFEST}: {name} is not what this version's vectors hold; export again, and compute again")
        found[name] = batch
        _untouched(place, loss, name, batch)
    return found


def _untouched(place: pathlib.Path, loss: Any, name: str, batch: Batch) -> None:
    folders.untouched(place / INPUTS / f"{name}.json", exchange.inputs_text(loss, name, batch).encode())
    for key, array in zip(loss.arrays, (batch.first, batch.second), strict=True):
        folders.untouched(place / INPUTS / f"{name}.{key}.npy", exchange.npy(array))


def _files(place: pathlib.Path, expected: Mapping[str, Batch]) -> tuple[set[str], Any]:
    """The names of the answers' files, and what about.json says."""
    folder = place / ANSWERS
    found, about = folders.answers(place, [f"{name}{end}" for name in expected for end in (".json", ".value.npy", ".gradient.npy")])
    for name in expected:
        if f"{name}.json" in found and found & {f"{name}.value.npy", f"{name}.gradient.npy"}:
            raise UsageError(f"{folder}: {name} is answered twice, in .json and in .npy; keep one of them")
        if f"{name}.gradient.npy" in found and f"{name}.value.npy" not in found:
            raise UsageError(f"{folder}: {name}.gradient.npy is there without {name}.value.npy")
    return found, about


def _given(place: pathlib.Path, name: str, batch: Batch, files: set[str]) -> Given:
    folder, count = place / ANSWERS, len(batch)
    if f"{name}.json" in files:
        return _of_json(folder / f"{name}.json", batch)
    if f"{name}.value.npy" not in files:
        return Given([None] * count, [None] * count)
    values = npy.read(folder / f"{name}.value.npy", batch.value.number.shape)
    slopes: list[Array | None] = [None] * count
    if f"{name}.gradient.npy" in files:
        slopes = list(npy.read(folder / f"{name}.gradient.npy", batch.first.shape))
    return Given(list(values), slopes)


def _of_json(path: pathlib.Path, batch: Batch) -> Given:
    data = folders.read(path, "answers.json", "answers")
    if "ids" in data and data["ids"] != list(batch.ids):
        raise UsageError(f"{path}: its ids are not those of the inputs, in their order")
    values = _rows(path, "values", data["values"], batch.value.number.shape)
    given = data.get("gradients")
    slopes: list[Array | None] = [None] * len(batch)
    if given is not None:
        slopes = _rows(path, "gradients", given, batch.first.shape)
    numbers = set(map(str, _flat([data["values"], given])))
    return Given(values, slopes, max(map(_digits, numbers)) if len(numbers) >= SEVERAL else None)


def _rows(path: pathlib.Path, key: str, data: list[Any], shape: tuple[int, ...]) -> list[Array | None]:
    """A row for each case; a flat list in the same order is taken too."""
    width = int(np.prod(shape[1:]))
    flat = len(shape) > 1 and len(data) == shape[0] * width and not any(isinstance(one, list) for one in data)
    cut = [data[k : k + width] for k in range(0, len(data), width)] if flat and len(data) != shape[0] else data
    if len(cut) != shape[0]:
        raise UsageError(f"{path}: {key} has {len(data)} entries for {shape[0]} cases")
    return [_row(f"{path}: {key}[{k}]", one, shape[1:]) for k, one in enumerate(cut)]


def _row(where: str, one: Any, shape: tuple[int, ...]) -> Array | None:
    if one is None or (isinstance(one, list) and one and all(x is None for x in one)):
        return None
    row = one if isinstance(one, list) else [one]
    if len(row) != (shape[0] if shape else 1) or any(isinstance(x, list) for x in row) or (not shape and isinstance(one, list)):
        raise UsageError(f"{where} is {json.dumps(one)[:60]}, not {f'{shape[0]} numbers' if shape else 'a number'}")
    return np.array([_number(where, x) for x in row], np.float64).reshape(shape)


def _number(where: str, x: Any) -> float:
    if isinstance(x, str):
        if x.lower() in WORDS:
            return WORDS[x.lower()]
        if DECIMAL.fullmatch(x):
            return float(x)
        if HEX.fullmatch(x):
            try:
                return float.fromhex(x)
            except OverflowError:
                return -np.inf if x.startswith("-") else np.inf
    elif isinstance(x, (int, float)) and not isinstance(x, bool):
        try:
            return float(x)
        except OverflowError:
            return np.inf if x > 0 else -np.inf
    hint = '; NaN is the text "nan"' if x is None else ""
    raise UsageError(f"{where} holds {json.dumps(x)[:40]}, which is no number{hint}")


def _flat(nested: Any) -> Iterator[Any]:
    for one in nested or ():
        if isinstance(one, list):
            yield from _flat(one)
        elif one is not None:
            yield one


def _digits(number: str) -> int:
    """Significant digits that a number is written with; a hexadecimal one has all of them."""
    text = number.lower()
    if "0x" in text:
        return 17
    return len(text.partition("e")[0].replace(".", "").strip("+-").lstrip("0").rstrip("0")) if text not in WORDS else 0


def _answered(batch: Batch, given: Given) -> list[Answered]:
    """The cases with an answer: all of them with a gradient, or none."""
    some = [k for k, value in enumerate(given.values) if value is not None]
    if not some:
        return []
    slopes = [given.gradients[k] for k in some]
    gradient = None if any(slope is None for slope in slopes) else np.array(slopes, np.float64)
    return [Answered(batch.take(some), np.array([given.values[k] for k in some], np.float64), gradient)]


def _why(batch: Batch, k: int, name: str, about: Mapping[str, Any], half: bool) -> Unanswered:
    if about.get("flushes_subnormals") and batch.take([k]).with_subnormals()[0]:
        return Unanswered(batch.ids[k], batch.dtype, "skipped", "a subnormal input, which it reads as 0")
    skip = folders.skipped(about, batch.ids[k], batch.dtype)
    if skip is not None:
        return skip
    if half:
        return Unanswered(batch.ids[k], batch.dtype, "misshapen", "it has a value and no gradient, and others have one; give all or none")
    return Unanswered(batch.ids[k], batch.dtype, "missing", f"there is no answer to it in {ANSWERS}/{name}.json or .value.npy")


def _count(group: dict[str, Any], cases: int, lost: Sequence[Unanswered]) -> None:
    """What became of a parameter setting."""
    group["cases"] += cases
    if group["cases"]:
        group.update(status="run", reason=None)
    elif lost and all(one.status == "skipped" for one in lost):
        group.update(status="skipped", reason=lost[0].reason)
    elif lost:
        group.update(status="errored", reason=lost[0].reason)

"""Golden vectors: loading them, turning them into arrays of a dtype, and the error of an answer in eps.

The files are described in vectors/README.md for readers in any language. Nothing here executes anything from a file.
"""

import math
import pathlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import numpy as np

from refloss.errors import ReflossError

from . import safe

Array = np.ndarray[Any, Any]
Words = tuple[Array, Array]  # a number in two float64 words, about 32 digits

FOLDER = pathlib.Path(__file__).parent / "vectors"
SCHEMA = pathlib.Path(__file__).parent / "schema" / "vectors.json"
SCHEMA_VERSION = 1  # of the layout
INTERPRETATION = 1  # of what a runner must do with it
LARGEST_FILE = 20_000_000  # bytes; ours are far below

# Spacing of the numbers at 1, and the smallest normal number.
EPS = {"float64": 2.0**-52, "float32": 2.0**-23, "float16": 2.0**-10, "bfloat16": 2.0**-7}
SMALLEST_NORMAL = {"float64": 2.0**-1022, "float32": 2.0**-126, "float16": 2.0**-14, "bfloat16": 2.0**-126}
DTYPES = tuple(EPS)
USUAL_DTYPES = ("float32", "float64")  # what others are checked in, where nothing else is said


class VectorError(ReflossError, ValueError):
    """A vector file that cannot be used."""


@dataclass(frozen=True)
class Case:
    """One element, row or pair. Numbers are kept as written: hex floats for inputs, decimal strings for results."""

    id: str
    flags: tuple[str, ...]
    dtypes: tuple[str, ...]
    inputs: Mapping[str, Any]
    value: Any
    gradient: Any
    value_scale: Any
    gradient_scale: Any
    gradient_low: Any = None
    gradient_high: Any = None


@dataclass(frozen=True)
class Group:
    """The cases of one setting of the parameters."""

    id: str
    parameters: Mapping[str, Any]
    cases: tuple[Case, ...]


@dataclass(frozen=True)
class Vectors:
    """One file: one loss."""

    loss: str
    kind: str
    inputs: tuple[str, str]
    formula_sha256: str
    notes: Mapping[str, Mapping[str, str]]
    groups: tuple[Group, ...]
    upstream: tuple[float, ...] | None = None  # of codings: the gradient by the result, the same for all cases

    def cases(self, dtype: str | None = None) -> Iterator[tuple[Group, Case]]:
        for group in self.groups:
            for case in group.cases:
                if dtype is None or dtype in case.dtypes:
                    yield group, case


@dataclass(frozen=True)
class Batch:
    """Cases of a group that go into one call. Results are two-word float64; low and high equal the gradient where there is no kink."""

    cases: tuple[Case, ...]
    first: Array
    second: Array
    value: Words
    gradient: Words
    value_scale: Array
    gradient_scale: Array
    gradient_low: Words
    gradient_high: Words


def names(folder: pathlib.Path = FOLDER) -> list[str]:
    """Losses that have vectors."""
    return sorted(path.stem for path in folder.glob("*.json"))


def load(loss: str, folder: pathlib.Path = FOLDER) -> Vectors:
    """The vectors of a loss, by name."""
    if loss not in names(folder):
        raise VectorError(f"vectors: there are none for {loss!r}; known losses are {', '.join(names(folder)) or 'none'}")
    return load_file(folder / f"{loss}.json")


def load_file(path: pathlib.Path) -> Vectors:
    """The vectors in a file."""
    data = load_json(path, "vectors", LARGEST_FILE)
    _versions(path.name, data)
    try:
        return _vectors(data)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise VectorError(f"vectors: {path.name} is damaged ({type(error).__name__}: {error}); fetch the file again") from error


def load_json(path: pathlib.Path, what: str, largest: int) -> Any:
    """The JSON of a golden file; what: "vectors" or "scenes"."""
    try:
        return safe.read(path, safe.Bounds(largest))
    except OSError as error:
        raise VectorError(f"{what}: cannot read {path}: {error.strerror or error}") from error
    except safe.Unsafe as error:
        raise VectorError(f"{what}: {path.name} {error}; install refloss again or fetch the file again") from error


def _versions(name: str, data: Any) -> None:
    if not isinstance(data, dict) or "schema" not in data or "interpretation" not in data:
        raise VectorError(f"vectors: {name} is JSON, but no vector file: it lacks schema and interpretation numbers")
    for key, known in (("schema", SCHEMA_VERSION), ("interpretation", INTERPRETATION)):
        if data[key] != known:
            raise VectorError(f"vectors: {name} has {key} {data[key]!r}, this version knows {known}; update refloss or the file")


def _vectors(data: Mapping[str, Any]) -> Vectors:
    first, second = data["inputs"]
    groups = []
    for group in data["groups"]:
        parameters = {k: _parameter(v) for k, v in group["parameters"].items()}
        groups.append(Group(group["id"], parameters, tuple(_case(case) for case in group["cases"] if "withdrawn" not in case)))
    upstream = tuple(map(float, data["upstream"])) if data["kind"] == "codes" else None
    return Vectors(data["loss"], data["kind"], (first, second), data["formula_sha256"], data["notes"], tuple(groups), upstream)


def _parameter(value: Any) -> Any:
    if isinstance(value, list):
        return tuple(map(_parameter, value))
    return math.inf if value == "inf" else value


def _case(data: Mapping[str, Any]) -> Case:
    fields = dict(data)
    unknown = [d for d in fields["dtypes"] if d not in EPS]
    if unknown:
        raise ValueError(f"unknown dtype {unknown[0]!r}")
    return Case(**{**fields, "flags": tuple(fields["flags"]), "dtypes": tuple(fields["dtypes"])})


def numpy_dtype(name: str) -> Any:
    """The NumPy type of that name; bfloat16 needs ml_dtypes."""
    if name != "bfloat16":
        return np.dtype(name)
    import ml_dtypes

    return np.dtype(ml_dtypes.bfloat16)


def _each(f: Callable[[Any], Any], nested: Any) -> Any:
    return [_each(f, x) for x in nested] if isinstance(nested, list) else f(nested)


def words(nested: Any) -> Words:
    """Decimal strings in two float64 words."""

    def low(text: str) -> float:
        high = float(text)
        return float(Decimal(text) - Decimal(high)) if math.isfinite(high) else 0.0

    return np.array(_each(float, nested), np.float64), np.array(_each(low, nested), np.float64)


def batches(vectors: Vectors, group: Group, dtype: str) -> list[Batch]:
    """The group's cases for a dtype, as arrays that one call takes: all of them, or those with as many classes."""
    cases = [case for case in group.cases if dtype in case.dtypes]
    by_classes: dict[int, list[Case]] = {}
    for case in cases:
        logits = case.inputs[vectors.inputs[0]]
        by_classes.setdefault(len(logits) if isinstance(logits, list) else 0, []).append(case)
    return [_batch(vectors, tuple(some), numpy_dtype(dtype)) for some in by_classes.values()]


def _input(values: list[Any], dtype: Any) -> Array:
    if isinstance(values[0], int):
        return np.array(values, np.int64)
    return np.array(_each(float.fromhex, values), np.float64).astype(dtype)


def _batch(vectors: Vectors, cases: tuple[Case, ...], dtype: Any) -> Batch:
    first, second = (_input([case.inputs[name] for case in cases], dtype) for name in vectors.inputs)
    low = words([case.gradient if case.gradient_low is None else case.gradient_low for case in cases])
    high = words([case.gradient if case.gradient_high is None else case.gradient_high for case in cases])
    return Batch(
        cases, first, second, words([case.value for case in cases]), words([case.gradient for case in cases]),
        words([case.value_scale for case in cases])[0], words([case.gradient_scale for case in cases])[0], low, high,
    )  # fmt: skip


def _words(x: Any) -> Any:
    if isinstance(x, tuple):
        return x
    return np.asarray(x), 0.0


def errors_in_eps(got: Any, want: Any, scale: Any, dtype: str, *, low: Any = None, high: Any = None) -> Array:
    """|got - want| / (eps(dtype) max(|want|, scale, smallest normal number)), for each number.

    want, low and high may be pairs of float64 words. scale = 0 makes it the strict, relative error. NaN for NaN and infinity
    for the same infinity are no error; only one of them is an infinite one. Between low and high (a kink) any answer is right.
    """
    hi, lo = _words(want)
    answer = np.asarray(got)
    answer = answer if answer.dtype == np.longdouble else answer.astype(np.float64)
    with np.errstate(all="ignore"):
        size = np.maximum(np.maximum(np.abs(hi), np.asarray(scale)), SMALLEST_NORMAL[dtype])
        difference = np.abs((answer - hi) - lo)
        if low is not None and high is not None:
            (bottom, bottom_lo), (top, top_lo) = _words(low), _words(high)
            below, above = (bottom - answer) + bottom_lo, (answer - top) - top_lo
            difference = np.where((below <= 0) & (above <= 0), 0, np.minimum(difference, np.maximum(below, above)))
        error = difference / EPS[dtype] / size
        same = (answer == hi) | (np.isnan(answer) & np.isnan(hi))
        error = np.where(np.isinf(hi) | np.isnan(error), np.where(same, 0, np.inf), error)
    return np.asarray(error, np.float64)

"""What a program is told and what it answers: newline-delimited JSON, one object a line, described by schema/protocol.json.

What is sent is plain enough for a program without a JSON parser: ASCII without spaces, keys in a fixed order, no quotation mark or
backslash within a string, at most LONGEST bytes a line. What comes back is read with more patience, and never trusted.
"""

import functools
import json
import math
import pathlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from .. import jsonable
from ..cases import Batch
from ..golden import Array
from ..gradients import UPSTREAM
from ..misfit import misfit

Read = TypeVar("Read")
PROTOCOL = 1
MOST = 64  # cases in a message, so that a crash loses few
LONGEST = 65_535  # bytes of a line that we send, its newline included
SCHEMA = pathlib.Path(__file__).parents[1] / "schema" / "protocol.json"
BARE = re.compile(rb"[:,\[]\s*-?(nan|inf)", re.IGNORECASE)  # as C prints them
WORDS = {"nan": math.nan, "inf": math.inf, "infinity": math.inf, "-inf": -math.inf, "-infinity": -math.inf, "-nan": math.nan}


class Fault(Exception):  # noqa: N818  (an outcome to report)
    """What is wrong with an answer. status: the state of the cases that have no result because of it."""

    def __init__(self, status: str, text: str) -> None:
        super().__init__(text)
        self.status, self.text = status, text


@dataclass(frozen=True)
class Program:
    """What a program says of itself."""

    name: str
    version: str | None
    language: str
    losses: tuple[str, ...] = ()
    functions: tuple[str, ...] = ()  # those with golden scenes
    dtypes: tuple[str, ...] | None = None
    gradients: bool = True
    flushes_subnormals: bool = False
    homepage: str | None = None


@dataclass(frozen=True)
class Result:
    """A case's numbers."""

    value: Array
    gradient: Array | None


@dataclass(frozen=True)
class Declined:
    """A case that the program states to have no result for. status: "skipped" or "errored"."""

    status: str
    reason: str
    link: str | None = None


def encode(message: Mapping[str, Any]) -> bytes:
    return json.dumps(jsonable.clean(dict(message)), separators=(",", ":"), allow_nan=False).encode("ascii") + b"\n"


def start(seq: int) -> bytes:
    return encode({"seq": seq, "cmd": "start", "protocol": PROTOCOL})


def run(seq: int, batch: Batch, arrays: Sequence[str]) -> bytes:
    """The order of the keys is part of the protocol."""
    inputs = {name: _plain(array) for name, array in zip(arrays, (batch.first, batch.second), strict=True)}
    upstream = {"upstream": list(UPSTREAM)} if "coder." in batch.loss else {}
    return encode({
        "seq": seq, "cmd": "run", "loss": batch.loss, "dtype": batch.dtype, "count": len(batch),
        "parameters": batch.parameters, "inputs": inputs, **upstream, "cases": list(batch.ids),
    })  # fmt: skip


def stop(seq: int) -> bytes:
    return encode({"seq": seq, "cmd": "stop"})


def _plain(array: Array) -> Any:
    """As Python's numbers: their shortest decimals, read as float64, are exactly the inputs in every dtype."""
    return array.tolist() if array.dtype.kind == "i" else array.astype(np.float64).tolist()


def pieces(batch: Batch) -> list[Batch]:
    """The batch in parts for a message each; tests see that no such line of ours exceeds LONGEST."""
    return [batch.take(range(first, min(first + MOST, len(batch)))) for first in range(0, len(batch), MOST)]


@dataclass(frozen=True)
class Cases:
    """A batch as a question to a program (see talk.Question)."""

    batch: Batch
    arrays: Sequence[str]

    @property
    def ids(self) -> Sequence[str]:
        return self.batch.ids

    def take(self, index: Sequence[int]) -> "Cases":
        return Cases(self.batch.take(index), self.arrays)

    def letter(self, seq: int) -> bytes:
        return run(seq, self.batch, self.arrays)

    def read(self, message: Mapping[str, Any], gradients: bool) -> list["Result | Declined"]:
        return results(message, self.batch, gradients)


def decode(line: bytes, strict: bool) -> dict[str, Any]:
    """A line as an object, whatever it holds."""

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            raise ValueError("it names a key twice")
        return found

    def constant(text: str) -> float:
        if strict:
            raise ValueError(text)
        return float(text)

    try:
        found = json.loads(line.decode("utf-8"), object_pairs_hook=once, parse_constant=constant)
    except UnicodeDecodeError as error:
        raise Fault("garbled", f"a line is not UTF-8, byte {error.start} of it: {shown(line)}") from None
    except (ValueError, RecursionError) as error:
        why = "it is nested too deeply" if isinstance(error, RecursionError) else str(error)
        why = 'a number is bare nan or inf; write "nan", "inf" or "-inf"' if BARE.search(line) else why
        raise Fault("garbled", f"a line is no JSON ({why}): {shown(line)}") from None
    if not isinstance(found, dict):
        raise Fault("garbled", f"a line is no JSON object: {shown(line)}")
    return found


def shown(line: bytes) -> str:
    """The start of what was said, fit to be printed."""
    text = line[:60].decode("utf-8", "backslashreplace").encode("unicode_escape").decode("ascii")
    return f"{text} ... ({len(line)} bytes)" if len(line) > 60 else text or "an empty line"


@functools.cache
def _validator(name: str) -> Any:
    import jsonschema

    document = json.loads(SCHEMA.read_text("utf-8"))
    return jsonschema.Draft202012Validator({"$defs": document["$defs"], "$ref": f"#/$defs/{name}"})


def validate(message: Any, name: str) -> None:
    """Against the definition of that name in the schema; a Fault says where it fails."""
    why = misfit(_validator(name), message, "the message")
    if why is not None:
        raise Fault("invalid", f"an answer breaks the schema at {tidy(why)}")


def ordered(message: Mapping[str, Any], seq: int) -> None:
    got = message.get("seq")
    if got != seq or isinstance(got, (bool, float)):
        raise Fault("misordered", f"an answer has seq {cut(got)} where {seq} was asked" if "seq" in message else "an answer has no seq")


def refusal(message: Mapping[str, Any]) -> Declined | None:
    """A message, or a case's result, that states there is none."""
    if message.get("skipped") is True:
        link = message.get("link")
        return Declined("skipped", _text(message, "reason"), tidy(link) if isinstance(link, str) else None)
    return Declined("errored", _text(message, "message")) if message.get("errored") is True else None


def _text(message: Mapping[str, Any], key: str) -> str:
    found = message.get(key)
    return tidy(found) if isinstance(found, str) and found.strip() else f"no {key} is given"


def tidy(text: str) -> str:
    """What somebody wrote, on one line, without what a terminal would obey."""
    return "".join(c if c.isprintable() else "\ufffd" for c in " ".join(text.split()))[:500]


def program(message: Mapping[str, Any]) -> Program:
    """The answer to `start`."""
    declined = refusal(message)
    if declined is not None:
        raise Fault("errored", f"it refuses to start: {declined.reason}")
    for key in ("name", "language"):
        if not isinstance(message.get(key), str):
            raise Fault("misshapen", f"the answer to start has no text {key!r}")
    lists: dict[str, tuple[str, ...] | None] = {}
    for key in ("losses", "functions", "dtypes"):
        found = message.get(key)
        if found is None and (key != "losses" or message.get("functions") is not None):
            lists[key] = None
            continue
        if not isinstance(found, list) or not all(isinstance(one, str) for one in found):
            raise Fault("misshapen", f"the answer to start has no list of names {key!r}")
        lists[key] = tuple(found)
    version, home = (tidy(str(message[key])) if message.get(key) is not None else None for key in ("version", "homepage"))
    return Program(
        tidy(message["name"]), version, tidy(message["language"]), lists["losses"] or (), lists["functions"] or (),
        lists["dtypes"], message.get("gradients", True) is True, message.get("flushes_subnormals") is True, home,
    )  # fmt: skip


def results(message: Mapping[str, Any], batch: Batch, gradients: bool) -> list[Result | Declined]:
    """The answer to `run`: for each case a result, or why there is none."""

    def read(one: Mapping[str, Any]) -> Result:
        gradient = _numbers(one, "gradient", batch.first.shape[1:]) if gradients else None
        return Result(_numbers(one, "value", batch.value.number.shape[1:]), gradient)

    return each(message, len(batch), read)


def each(message: Mapping[str, Any], count: int, read: Callable[[Mapping[str, Any]], Read]) -> list[Read | Declined]:
    """What `read` makes of each of so many results; a result that is none costs only itself."""
    declined = refusal(message)
    if declined is not None:
        return [declined] * count
    found = message.get("results")
    if not isinstance(found, list):
        raise Fault("misshapen", "an answer to run has neither results nor skipped nor errored")
    if len(found) != count:
        raise Fault("misshapen", f"an answer has {len(found)} results for {count} case{'' if count == 1 else 's'}")
    return [_one(one, read) for one in found]


def _one(one: Any, read: Callable[[Mapping[str, Any]], Read]) -> Read | Declined:
    if not isinstance(one, dict):
        return Declined("misshapen", f"a result is no object: {cut(one)}")
    try:
        return refusal(one) or read(one)
    except Fault as fault:
        return Declined(fault.status, fault.text)


def cut(found: Any) -> str:
    return tidy(json.dumps(found)[:60])


def _numbers(one: Mapping[str, Any], key: str, shape: tuple[int, ...]) -> Array:
    if key not in one:
        raise Fault("misshapen", f"a result has no {key}")
    nested, name = one[key], f"{shape[0]} numbers" if shape else "a number"
    if isinstance(nested, list) != bool(shape) or (shape and len(nested) != shape[0]):
        raise Fault("misshapen", f"a {key} is {cut(nested)}, not {name}")
    return np.array([number(x, key) for x in nested] if shape else number(nested, key), np.float64)


def number(x: Any, key: str) -> float:
    if isinstance(x, str) and x.lower() in WORDS:
        return WORDS[x.lower()]
    if isinstance(x, bool) or not isinstance(x, (int, float)):
        hint = ' (JSON.stringify makes null of NaN; write "nan")' if x is None else ""
        raise Fault("misshapen", f"a {key} holds {cut(x)}, which is no number{hint}")
    try:
        return float(x)
    except OverflowError:
        return math.inf if x > 0 else -math.inf

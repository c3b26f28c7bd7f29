"""JSON from anywhere: bounded in size, depth and number of values, and one sentence for whatever is not as it should be.

Nothing that is read is executed. Python's own parser takes duplicate keys, NaN, numbers that overflow and files of any size;
here they are mistakes. The scan before the parser takes about 15 ms a megabyte.
"""

import json
import math
import pathlib
import re
from typing import Any, NamedTuple, NoReturn

import numpy as np

TEXTS = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?', re.DOTALL)  # linear also where a text never ends
STEP = np.zeros(256, np.int8)
STEP[list(b"[{")], STEP[list(b"]}")] = 1, -1
SEPARATORS = np.isin(np.arange(256), list(b"[{,"))
FOREIGN = (
    (b"<", "HTML or XML, perhaps the page of an error"), (b"version https://git-lfs", "a Git LFS pointer; fetch the file itself"),
    (b"\x1f\x8b", "compressed with gzip"), (b"PK\x03\x04", "a ZIP archive"), (b"\x80\x04", "a pickle, which is never loaded"),
    (b"\x93NUMPY", "a .npy array"), (b"\xff\xfe", "UTF-16; write UTF-8"), (b"\xfe\xff", "UTF-16; write UTF-8"),
)  # fmt: skip


class Bounds(NamedTuple):
    """What a file may hold at most. The defaults are several times what ours hold."""

    size: int = 20_000_000  # bytes
    depth: int = 32
    values: int = 2_000_000


BOUNDS = Bounds()


class Unsafe(ValueError):  # noqa: N818  (an outcome; callers make their own error of it)
    """What is wrong with a text, as a sentence without its subject: "is damaged: it is cut short (...)"."""


def read(path: pathlib.Path, bounds: Bounds = BOUNDS) -> Any:
    """The JSON value in a file. Unsafe says what is wrong with it; OSError, that it cannot be read."""
    if path.exists() and not path.is_file():
        raise Unsafe("is no file")
    with path.open("rb") as file:
        data = file.read(bounds.size + 1)
    return parse(data, bounds)


def parse(data: bytes, bounds: Bounds = BOUNDS) -> Any:
    """The JSON value in some bytes."""
    if len(data) > bounds.size:
        raise Unsafe(f"has more than {bounds.size} bytes")
    data = data.removeprefix(b"\xef\xbb\xbf")
    if not data.strip():
        raise Unsafe("is no JSON: it is empty")
    for start, what in FOREIGN:
        if data.startswith(start):
            raise Unsafe(f"is no JSON: it is {what}")
    _bounded(data, bounds)
    try:
        return json.loads(data.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_constant, parse_float=_finite)
    except UnicodeDecodeError as error:
        raise Unsafe(f"is damaged (byte {error.start} is no UTF-8)") from None
    except json.JSONDecodeError as error:
        cut = not error.doc[error.pos :].strip() or error.msg.startswith("Unterminated")
        where = f"line {error.lineno}, column {error.colno}: {error.msg}"
        raise Unsafe(f"is damaged: it is cut short ({where})" if cut else f"is damaged ({where})") from None
    except Unsafe:
        raise
    except (ValueError, RecursionError) as error:  # an integer of thousands of digits
        raise Unsafe(f"is damaged ({error})") from None


def _bounded(data: bytes, bounds: Bounds) -> None:
    """Depth and number of values, before the parser builds anything from them."""
    marks = np.frombuffer(TEXTS.sub(b"", data), np.uint8)
    depth = int(np.cumsum(STEP[marks], dtype=np.int32).max(initial=0))
    if depth > bounds.depth:
        raise Unsafe(f"is nested {depth} deep, more than {bounds.depth}")
    values = int(np.count_nonzero(SEPARATORS[marks]))
    if values > bounds.values:
        raise Unsafe(f"has {values} values, more than {bounds.values}")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise Unsafe(f"has {twice[:60]!r} twice in one object")
    return found


def _constant(token: str) -> NoReturn:
    text = {"NaN": "nan", "Infinity": "inf", "-Infinity": "-inf"}[token]
    raise Unsafe(f'has {token}, which is no JSON; the text "{text}" stands for it')


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise Unsafe(f"has a number that no float64 holds: {text[:40]}")
    return value

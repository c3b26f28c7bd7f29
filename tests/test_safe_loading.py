"""Files from strangers: one clear sentence each, in little time and memory, and nothing executed."""

import gzip
import json
import pathlib
import pickle
import time

import pytest

from refloss_conformance import replay, safe, scenes, vectors
from refloss_conformance.errors import UsageError
from refloss_conformance.safe import Bounds, Unsafe, parse, read
from refloss_conformance.vectors import VectorError

GOOD = {"a": [1, 2.5, -0.0, 1e300, "x", None, True, {"b": []}], "ключ": 'quote " and \\ and [{,'}

BAD = [
    (b"", "is no JSON: it is empty"),
    (b" \n ", "is no JSON: it is empty"),
    (b'{"a": 1', r"is damaged: it is cut short \(line 1, column 8"),
    (b'{"a": "text that nev', r"is damaged: it is cut short \(line 1, column 7"),
    (b'{"a": 1}}', r"is damaged \(line 1, column 9: Extra data\)"),
    (b"{'a': 1}", r"is damaged \(line 1"),
    (b'{"a": 1, "a": 2}', "has 'a' twice in one object"),
    (b'{"a": [{"b": 1, "c": 1, "b": 1}]}', "has 'b' twice"),
    (b'{"a": NaN}', 'has NaN, which is no JSON; the text "nan" stands for it'),
    (b'{"a": -Infinity}', 'has -Infinity, which is no JSON; the text "-inf" stands for it'),
    (b"[1e999]", "has a number that no float64 holds: 1e999"),
    (b"[" + b"9" * 5000 + b"]", "is damaged"),
    (b'["\xff"]', r"is damaged \(byte 2 is no UTF-8\)"),
    ("[1]".encode("utf-16"), "is no JSON: it is UTF-16"),
    (b"<!DOCTYPE html><html>404</html>", "is no JSON: it is HTML"),
    (b"version https://git-lfs.github.com/spec/v1\noid", "is a Git LFS pointer"),
    (gzip.compress(b"[1]"), "compressed with gzip"),
    (pickle.dumps([1]), "a pickle, which is never loaded"),
    (b"[" * 100_000, "is nested 100000 deep, more than 32"),
    (b'{"a":' * 33 + b"1" + b"}" * 33, "is nested 33 deep"),
    (b"[" + b"0," * 2_000_000 + b"0]", "has 2000001 values, more than 2000000"),
]


@pytest.mark.parametrize(("data", "sentence"), BAD, ids=[sentence[:40] for _, sentence in BAD])
def test_whatever_is_wrong_is_one_sentence(data: bytes, sentence: str) -> None:
    with pytest.raises(Unsafe, match=sentence) as caught:
        parse(data)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 200


def test_what_is_right_is_read_as_it_is() -> None:
    for text in (json.dumps(GOOD), json.dumps(GOOD, ensure_ascii=False, indent=1)):
        assert parse(text.encode()) == GOOD
        assert parse(b"\xef\xbb\xbf" + text.encode()) == GOOD  # the mark that some editors write
    assert parse(b"[" * 32 + b"]" * 32)
    assert parse(b'["' + b"[" * 1000 + b'"]') == ["[" * 1000]  # brackets in a text nest nothing


def test_texts_that_never_end_take_no_longer() -> None:
    """A quadratic scan would take hours on each."""
    for data in (b'"' + b'\\"' * 5_000_000, b'["' + b"x" * 10_000_000, b'"\\' * 5_000_000, b"\\" * 10_000_000):
        start = time.perf_counter()
        with pytest.raises(Unsafe):
            parse(data)
        assert time.perf_counter() - start < 5


def test_files(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(b"[1, 2]")
    assert read(path) == [1, 2]
    with pytest.raises(Unsafe, match="has more than 5 bytes"):
        read(path, Bounds(size=5))
    with pytest.raises(Unsafe, match="has 2 values, more than 1"):
        read(path, Bounds(values=1))
    with pytest.raises(Unsafe, match="is no file"):
        read(tmp_path)
    with pytest.raises(Unsafe, match="is no file"):
        read(pathlib.Path("/dev/zero"))
    with pytest.raises(OSError):
        read(tmp_path / "none.json")


@pytest.mark.parametrize(
    "data", [b"", b"<html>", b"[" * 50, b'{"schema": 1, "schema": 1}', b'{"schema": NaN}', b'{"schema": 1', b"[]", b"5"]
)
def test_every_loader_is_bounded_and_clear(data: bytes, tmp_path: pathlib.Path) -> None:
    path = tmp_path / "it.json"
    path.write_bytes(data)
    with pytest.raises(VectorError, match=r"^vectors: it\.json"):
        vectors.load_file(path)
    with pytest.raises(VectorError, match=r"^scenes: it\.json"):
        scenes.load_file(path)
    with pytest.raises(UsageError, match=r"it\.json: "):
        replay.load(str(path))


def test_our_own_files_are_far_inside_the_bounds() -> None:
    for folder in (vectors.FOLDER, scenes.FOLDER, replay.FOLDER):
        for path in folder.glob("*.json"):
            assert read(path, Bounds(safe.BOUNDS.size // 10, 12, safe.BOUNDS.values // 10))

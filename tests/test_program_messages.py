"""The protocol: what is sent keeps the promises of the page and of the schema, and no answer can do more than be refused."""

import json
import math
import re

import jsonschema
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from refloss_conformance.cases import batches, has_vectors, known
from refloss_conformance.program import messages
from refloss_conformance.program.messages import Declined, Fault, Result

SCHEMA = json.loads(messages.SCHEMA.read_text("utf-8"))
SENT = [
    (piece, messages.run(10**6, piece, known(name).arrays))
    for name in has_vectors() for batch in batches(name) for piece in messages.pieces(batch)
]  # fmt: skip
PAIR = batches("ciou_loss", ("float64",))[0].take([0, 1])
ROWS = next(batch for batch in batches("focal_loss_with_integer_labels", ("float64",)) if batch.first.shape[1] == 3).take([0])
ORDER = ["seq", "cmd", "loss", "dtype", "count", "parameters", "inputs", "upstream", "cases"]
BOX = {"value": 1, "gradient": [0.5, "nan", "-inf", -1e400]}


def test_the_schema_is_one():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("letter", [messages.start(0), messages.stop(7)])
def test_start_and_stop_keep_to_the_schema(letter):
    found = json.loads(letter)
    messages.validate(found, found["cmd"])
    with pytest.raises(Fault, match="unexpected"):
        messages.validate({**found, "more": 1}, found["cmd"])


def test_every_question_keeps_the_promises_to_programs_without_a_parser():
    assert len(SENT) > 500
    for piece, letter in SENT:
        text = letter.decode("ascii")
        assert len(letter) <= messages.LONGEST and len(piece) <= messages.MOST and text.endswith("\n") and text.count("\n") == 1
        assert "\\" not in text and " " not in text
        pairs = json.loads(text, object_pairs_hook=list)
        keys = [key for key, _ in pairs]
        assert keys == [key for key in ORDER if key in keys] and ("upstream" in keys) == ("coder." in piece.loss)
        for key in [*keys, *(key for key, _ in dict(pairs)["parameters"] + dict(pairs)["inputs"])]:
            assert text.count(f'"{key}":') == 1  # so that searching finds it


def test_every_question_keeps_to_the_schema():
    validator = jsonschema.Draft202012Validator({"$defs": SCHEMA["$defs"], "$ref": "#/$defs/run"})
    for _, letter in SENT[::7]:
        validator.validate(json.loads(letter))


def test_inputs_arrive_exactly():
    for piece, letter in SENT:
        found = json.loads(letter)
        for name, array in zip(known(piece.loss).arrays, (piece.first, piece.second), strict=True):
            got = np.array(found["inputs"][name])
            assert got.shape == array.shape and np.array_equal(got.astype(array.dtype), array)
            assert array.dtype.kind == "i" or np.array_equal(got, array.astype(np.float64))
            if array.dtype.kind == "i":
                assert not re.search(rf'"{name}":\[[^]]*\.', letter.decode())  # C's %d reads them
        assert found["count"] == len(piece) == len(found["cases"])


def test_infinite_and_absent_parameters():
    assert any(b'"delta":"inf"' in letter for _, letter in SENT) and any(b'"alpha":null' in letter for _, letter in SENT)


def test_a_batch_is_cut_without_loss():
    for batch in batches("focal_loss"):
        parts = messages.pieces(batch)
        assert sum((part.ids for part in parts), ()) == batch.ids and all(1 <= len(part) <= messages.MOST for part in parts)


def test_a_right_answer_is_read():
    one, two = messages.results({"results": [BOX, {"value": "NaN", "gradient": [1, 2, 3, 4]}]}, PAIR, True)
    assert isinstance(one, Result) and isinstance(two, Result) and one.gradient is not None
    assert one.value == 1 and np.isnan(two.value)
    np.testing.assert_array_equal(one.gradient, [0.5, math.nan, -math.inf, -math.inf])
    (row,) = messages.results({"results": [{"value": [1, 2, 3], "gradient": [4, 5, 6]}]}, ROWS, True)
    assert isinstance(row, Result) and row.value.tolist() == [1, 2, 3]


def test_gradients_are_not_asked_of_a_program_without():
    (row,) = messages.results({"results": [{"value": [1, 2, 3]}]}, ROWS, False)
    assert isinstance(row, Result) and row.gradient is None


def test_a_skipped_case_and_a_skipped_message():
    skipped = {"skipped": True, "reason": "no  such\nthing", "link": "https://example.org/1"}
    found = messages.results({"results": [BOX, skipped]}, PAIR, True)
    assert found[1] == Declined("skipped", "no such thing", "https://example.org/1") and isinstance(found[0], Result)
    assert messages.results(skipped, PAIR, True) == [found[1]] * 2
    assert messages.results({"errored": True, "message": "x"}, PAIR, True) == [Declined("errored", "x")] * 2
    assert messages.results({"errored": True}, PAIR, True)[0].reason == "no message is given"


@pytest.mark.parametrize(
    "wrong",
    [
        [], {}, 1, None, {"value": 1}, {"value": [1], "gradient": [1, 2, 3, 4]}, {"value": 1, "gradient": [1, 2, 3]},
        {"value": 1, "gradient": [1, 2, 3, "4"]}, {"value": 1, "gradient": [[1], [2], [3], [4]]}, {"value": True, "gradient": [1, 2, 3, 4]},
        {"value": 1, "gradient": 1}, {"value": {}, "gradient": [1, 2, 3, 4]}, {"value": 1, "gradient": None},
    ],
)  # fmt: skip
def test_a_case_of_the_wrong_shape_costs_only_itself(wrong):
    one, two = messages.results({"results": [wrong, BOX]}, PAIR, True)
    assert isinstance(one, Declined) and one.status == "misshapen" and isinstance(two, Result)


@pytest.mark.parametrize("wrong", [{}, {"results": None}, {"results": {}}, {"results": []}, {"results": [BOX] * 3}, {"skipped": False}])
def test_an_answer_of_the_wrong_count_is_refused(wrong):
    with pytest.raises(Fault) as caught:
        messages.results(wrong, PAIR, True)
    assert caught.value.status == "misshapen"


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (b"", "empty line"), (b"[]", "no JSON object"), (b"\xff", "not UTF-8"), (b'{"a":1,"a":2}', "twice"), (b'{"a":-nan}', "bare nan"),
        (b"[" * 100_000, "nested too deeply"), (b'{"a":' + b"9" * 5000 + b"}", "no JSON"), (b'{"a":1', "no JSON"),
        (b"\x1b[31mred", "no JSON"),
    ],
)  # fmt: skip
def test_garbage_is_one_sentence(line, says):
    with pytest.raises(Fault, match=says) as caught:
        messages.decode(line, False)
    assert caught.value.status == "garbled" and caught.value.text.isprintable() and len(caught.value.text) < 400


def test_python_s_own_nan_is_read_unless_strict():
    assert math.isnan(messages.decode(b'{"a":NaN}', False)["a"])
    with pytest.raises(Fault, match="bare nan"):
        messages.decode(b'{"a":NaN}', True)


@pytest.mark.parametrize("seq", [None, 2, "1", 1.0, True, [1]])
def test_another_seq_is_out_of_order(seq):
    messages.ordered({"seq": 1}, 1)
    with pytest.raises(Fault, match="seq"):
        messages.ordered({"seq": seq} if seq is not None else {}, 1)


def test_a_program_s_own_words_cannot_steer_a_terminal():
    found = messages.program({"name": "\x1b[2Jx\ud800", "version": 2, "language": "C\n", "losses": ["l1_loss"], "dtypes": ["float64"]})
    assert (found.name, found.version, found.language) == ("\ufffd[2Jx\ufffd", "2", "C") and found.dtypes == ("float64",)
    assert found.gradients and not found.flushes_subnormals


@pytest.mark.parametrize(
    ("start", "status"),
    [
        ({"errored": True, "message": "unknown protocol"}, "errored"), ({}, "misshapen"), ({"name": "x", "language": "C"}, "misshapen"),
        ({"name": "x", "language": "C", "losses": "l1_loss"}, "misshapen"), ({"name": 1, "language": "C", "losses": []}, "misshapen"),
        ({"name": "x", "language": "C", "losses": [], "dtypes": [1]}, "misshapen"),
        ({"name": "x", "language": "C", "functions": "boxes.nms"}, "misshapen"),
        ({"name": "x", "language": "C", "functions": ["boxes.nms"], "losses": 0}, "misshapen"),
    ],
)  # fmt: skip
def test_a_start_that_cannot_be_used(start, status):
    with pytest.raises(Fault) as caught:
        messages.program(start)
    assert caught.value.status == status


GOOD_START = {"seq": 0, "name": "x", "version": "1", "language": "C", "losses": ["l1_loss"]}


@pytest.mark.parametrize(
    "more", [{"protocol": 1}, {"losses": []}, {"functions": []}, {"dtypes": ["float"]}, {"version": 1}, {"gradients": "yes"}]
)
def test_the_schema_of_a_start(more):
    messages.validate(GOOD_START, "start_answer")
    with pytest.raises(Fault, match="breaks the schema"):
        messages.validate({**GOOD_START, **more}, "start_answer")


@pytest.mark.parametrize(
    "answer", [{"results": [{"value": "NaN"}]}, {"results": [{"value": 1, "x": 1}]}, {"results": [], "more": 1}, {"skipped": True}, {}]
)
def test_the_schema_of_an_answer(answer):
    messages.validate({"seq": 1, "results": [{**BOX, "gradient": [1, "inf"]}, {"skipped": True, "reason": "x"}]}, "run_answer")
    messages.validate({"seq": 1, "skipped": True, "reason": "x", "link": "y"}, "run_answer")
    with pytest.raises(Fault, match="breaks the schema"):
        messages.validate({"seq": 1, **answer}, "run_answer")


FAST = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
JSON = some.recursive(
    some.none() | some.booleans() | some.integers() | some.floats() | some.text() | some.sampled_from(["nan", "inf", 1, 0.5]),
    lambda inner: (
        some.lists(inner, max_size=5)
        | some.dictionaries(some.sampled_from(["results", "value", "gradient", "skipped", "errored", "reason", "message", "link"]), inner)
    ),
    max_leaves=20,
)


@FAST
@given(some.dictionaries(some.sampled_from(["seq", "results", "skipped", "errored", "name", "language", "losses", "dtypes"]), JSON))
def test_whatever_is_answered_is_read_or_refused(found):
    for read in (lambda: messages.program(found), lambda: messages.results(found, PAIR, True), lambda: messages.ordered(found, 0)):
        try:
            read()
        except Fault as fault:
            assert fault.text.isprintable()


@FAST
@given(some.binary(max_size=60) | JSON.map(lambda x: json.dumps(x).encode()))
def test_whatever_is_printed_is_read_or_refused(line):
    for strict in (False, True):
        try:
            assert isinstance(messages.decode(line, strict), dict)
        except Fault as fault:
            assert fault.text.isprintable()


def test_an_integer_that_no_double_holds_is_infinite():
    answer = {"results": [{"value": -(10**400), "gradient": 10**400}]}
    (found,) = messages.results(answer, batches("l1_loss", ("float64",))[0].take([0]), True)
    assert isinstance(found, Result) and found.value == -np.inf and found.gradient == np.inf

"""What a program is told of a golden scene keeps the promises of the page and of the schema; what it answers is read or refused."""

import json
import math

import jsonschema
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from refloss_conformance import scenes
from refloss_conformance.program import messages
from refloss_conformance.program.messages import Declined, Fault
from refloss_conformance.program.scene_messages import Question
from refloss_conformance.scene_judging import Outcome
from refloss_conformance.vectors import USUAL_DTYPES

SCHEMA = json.loads(messages.SCHEMA.read_text("utf-8"))
ASKED = [
    Question(file, scene, dtype)
    for file in map(scenes.load, scenes.names()) for scene in file.scenes for dtype in USUAL_DTYPES if dtype in scene.dtypes
]  # fmt: skip
ORDER = ["seq", "cmd", "function", "dtype", "parameters", "inputs", "cases"]


# What is asked.


def test_every_question_keeps_the_promises_of_the_page():
    assert len(ASKED) > 800
    for question in ASKED:
        letter = question.letter(10**6)
        text = letter.decode("ascii")
        assert len(letter) <= messages.LONGEST and text.endswith("\n") and text.count("\n") == 1 and "\\" not in text and " " not in text
        pairs = json.loads(text, object_pairs_hook=list)
        assert [key for key, _ in pairs] == ORDER
        for key in [*ORDER, *(key for key, _ in dict(pairs)["parameters"] + dict(pairs)["inputs"])]:
            assert text.count(f'"{key}":') == 1


def test_every_question_keeps_to_the_schema():
    validator = jsonschema.Draft202012Validator({"$defs": SCHEMA["$defs"], "$ref": "#/$defs/run_scene"})
    for question in ASKED[::5]:
        validator.validate(json.loads(question.letter(0)))
    assert list(SCHEMA["$defs"]["run_scene"]["properties"]) == ORDER
    assert set(SCHEMA["$defs"]["decision"]["properties"]) == {name for one in ASKED for name in one.file.parts}


def test_inputs_arrive_exactly():
    for question in ASKED:
        found = json.loads(question.letter(0))["inputs"]
        assert list(found) == list(question.file.inputs)
        for name, wanted in scenes.arrays(question.file, question.scene, question.dtype).items():
            if isinstance(wanted, np.ndarray):
                got = np.array(found[name], np.float64).reshape(wanted.shape)
                assert np.array_equal(got.astype(wanted.dtype), wanted) and np.array_equal(got, wanted.astype(np.float64))
            elif wanted is None:
                assert found[name] is None
            elif question.file.inputs[name].kind == "grids":
                assert [tuple(tuple(map(tuple, x)) if isinstance(x, list) else x for x in one.values()) for one in found[name]] == [*wanted]


def test_no_input_is_subnormal_so_flushing_them_leaves_nothing_out():
    for question in ASKED:
        for value in scenes.arrays(question.file, question.scene, question.dtype).values():
            if isinstance(value, np.ndarray) and value.dtype.kind == "f":
                assert not ((value != 0) & (np.abs(value) < np.finfo(value.dtype).tiny)).any()


# What is answered.


@pytest.mark.parametrize("function", scenes.names())
def test_what_is_expected_is_read_as_it_is_written(function):
    """Of every kind of part; the answers in the file are from the oracle."""
    for question in [one for one in ASKED if one.file.function == function][:12]:
        wanted = question.scene.expected
        written = {name: as_numbers(value) if question.file.parts[name].kind == "numbers" else value for name, value in wanted.items()}
        messages.validate({"seq": 0, "results": [written]}, "run_answer")
        assert question.read({"results": [written]}, True) == [written]


def as_numbers(value):
    return [as_numbers(one) for one in value] if isinstance(value, list) else float(value)


CODES = next(one for one in ASKED if one.scene.id == "assign.max_iou/two_truths")
PAIRS = next(one for one in ASKED if one.file.function == "assign.yolov3" and one.scene.expected["pairs"])
MASK = next(one for one in ASKED if one.file.function == "mining.ohem")
NUMBERS = next(one for one in ASKED if one.file.function == "priors.yolo_priors")
SOFT = next(one for one in ASKED if one.file.function == "boxes.soft_nms")
OK = CODES.scene.expected["gt_index"]


@pytest.mark.parametrize(
    ("question", "answer", "says"),
    [
        (CODES, {}, "without gt_index"), (CODES, {"keep": []}, '"keep", and there is gt_index'), (CODES, {"gt_index": OK, "x": 1}, '"x"'),
        (CODES, {"gt_index": OK[1:]}, f"is {len(OK) - 1} long, not {len(OK)}"), (CODES, {"gt_index": [*OK, -1]}, "long, not"),
        (CODES, {"gt_index": 0}, "not a list"), (CODES, {"gt_index": None}, "not a list"),
        (CODES, {"gt_index": [[x] for x in OK]}, "no integer"), (CODES, {"gt_index": [0.5 for _ in OK]}, "0.5, which is no integer"),
        (CODES, {"gt_index": [True for _ in OK]}, "true, which is no integer"),
        (CODES, {"gt_index": ["0" for _ in OK]}, "no integer"), (CODES, {"gt_index": [math.nan for _ in OK]}, "no integer"),
        (CODES, {"gt_index": [math.inf for _ in OK]}, "no integer"), (CODES, {"gt_index": [None for _ in OK]}, "null, which is no integer"),
        (CODES, [OK], "no object"), (CODES, None, "no object"),
        (PAIRS, {"pairs": [[0]]}, "a pair of pairs is 1 long, not 2"), (PAIRS, {"pairs": [0, 0]}, "not a list"),
        (PAIRS, {"pairs": [[0, 0.5]]}, "no integer"),
        (MASK, {"mask": [0 for _ in MASK.scene.expected["mask"]]}, "neither true nor false"), (MASK, {"mask": [True]}, "long, not"),
        (NUMBERS, {"priors": [1.0]}, "a row of priors is 1.0, not a list"), (NUMBERS, {"priors": [[1.0]]}, "is 1 long, not"),
        (NUMBERS, {"priors": [[None] * len(NUMBERS.scene.expected["priors"][0])]}, "no number"), (SOFT, {"scores": [[1.0]]}, "no number"),
    ],
)  # fmt: skip
def test_the_wrong_form_is_one_sentence(question, answer, says):
    (found,) = question.read({"results": [answer]}, True)
    assert isinstance(found, Declined) and found.status == "misshapen" and says in found.reason and found.reason.isprintable()


def test_an_integer_may_be_written_as_a_float():
    """Lua and PHP do."""
    assert CODES.read({"results": [{"gt_index": [float(x) for x in OK]}]}, True) == [{"gt_index": OK}]


ANY = some.recursive(
    some.none() | some.booleans() | some.integers() | some.floats() | some.text(max_size=3),
    lambda inner: some.lists(inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    some.sampled_from([CODES, PAIRS, MASK, NUMBERS, SOFT]),
    some.dictionaries(some.sampled_from(["gt_index", "pairs", "mask", "priors", "scores", "indices", "skipped"]), ANY, max_size=2),
)
def test_whatever_is_answered_is_read_or_refused_and_judged(question, answer):
    try:
        (found,) = question.read({"results": [answer]}, True)
    except Fault as fault:
        assert fault.text.isprintable()
        return
    if not isinstance(found, Declined):
        assert Outcome(question.scene, question.dtype, found).right(question.file.parts) in (True, False)

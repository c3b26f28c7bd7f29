"""What a program is told of a golden criterion keeps the promises of the page and of the schema; what it answers is read or refused."""

import json
import math
import re

import jsonschema
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from refloss_conformance import criteria
from refloss_conformance.criterion.outcome import Outcome, right
from refloss_conformance.program import messages
from refloss_conformance.program.criteria_messages import Question
from refloss_conformance.program.messages import Declined, Fault
from refloss_conformance.vectors import USUAL_DTYPES

SCHEMA = json.loads(messages.SCHEMA.read_text("utf-8"))
ASKED = [
    Question(file, case, dtype)
    for file in map(criteria.load, criteria.names()) for case in file.cases for dtype in USUAL_DTYPES if dtype in case.dtypes
]  # fmt: skip
ORDER = ["seq", "cmd", "function", "dtype", "parameters", "config", "inputs", "cases"]
OF_A_GRID = ["shapes", "stride", "height", "width"]
LONGEST = 8_250  # bytes, as the page says; the limit is 65536


def flat(nested):
    return [x for one in nested for x in flat(one)] if isinstance(nested, list) else [nested]


# What is asked.


def test_every_question_keeps_the_promises_of_the_page():
    assert len(ASKED) > 400
    longest = 0
    for question in ASKED:
        letter = question.letter(10**6)
        text = letter.decode("ascii")
        longest = max(longest, len(letter))
        assert text.endswith("\n") and text.count("\n") == 1 and "\\" not in text and " " not in text
        pairs = json.loads(text, object_pairs_hook=list)
        assert [key for key, _ in pairs] == ORDER
        inner = [key for part in ("parameters", "config", "inputs") for key, _ in dict(pairs)[part]]
        for key in [*ORDER, *inner]:
            assert text.count(f'"{key}":') == 1, key
        for key in OF_A_GRID:
            assert text.count(f'"{key}":') == len(question.case.config.get("grids", ()))
    assert LONGEST - 100 < longest <= LONGEST < messages.LONGEST


def test_every_question_keeps_to_the_schema():
    validator = jsonschema.Draft202012Validator({"$defs": SCHEMA["$defs"], "$ref": "#/$defs/run_criterion"})
    for question in ASKED[::5]:
        validator.validate(json.loads(question.letter(0)))
    assert list(SCHEMA["$defs"]["run_criterion"]["properties"]) == ORDER
    whole = jsonschema.Draft202012Validator(SCHEMA)
    whole.validate(json.loads(ASKED[0].letter(0)))


def test_inputs_arrive_exactly():
    for question in ASKED:
        message, case = json.loads(question.letter(0)), question.case
        assert list(message["inputs"]) == [*question.file.outputs, "gt_boxes", "gt_labels"]
        for name, wanted in case.arrays(question.dtype).items():
            got = np.array(message["inputs"][name], np.float64)
            assert np.array_equal(got.astype(wanted.dtype), wanted) and np.array_equal(got, wanted.astype(np.float64))
        assert message["inputs"]["gt_labels"] == [list(one["gt_labels"]) for one in case.truths]
        assert message["inputs"]["gt_boxes"] == [[list(map(float, box)) for box in one["gt_boxes"]] for one in case.truths]


def test_all_parameters_and_the_whole_head_are_told():
    for question in ASKED:
        message, case = json.loads(question.letter(0)), question.case
        told = {**message["config"], "classes": message["config"]["number_of_classes"]}
        del told["number_of_classes"]
        assert criteria.read(told) == dict(case.config)
        assert criteria.read(message["parameters"]) == {**question.file.defaults, **case.parameters}


def test_no_number_is_subnormal_so_flushing_them_leaves_nothing_out():
    for question in ASKED:
        for array in question.case.arrays(question.dtype).values():
            assert not ((array != 0) & (np.abs(array) < np.finfo(array.dtype).tiny)).any()


def numbers(text, key):
    """As a program without a parser reads them: what stands after the name until its bracket closes."""
    at, depth, found = text.index(f'"{key}":') + len(key) + 3, 0, []
    while True:
        if text[at] in "[],":
            depth += {"[": 1, "]": -1, ",": 0}[text[at]]
            at += 1
        else:
            number = re.compile(r"[-+0-9.eE]+").match(text, at)
            found.append(float(number[0]))
            at = number.end()
        if depth == 0:
            return found


def test_the_numbers_are_found_without_a_parser():
    for question in ASKED:
        text = question.letter(7).decode("ascii")
        for name, array in question.case.arrays(question.dtype).items():
            assert numbers(text, name) == array.astype(np.float64).ravel().tolist()
        assert numbers(text, "number_of_classes") == [question.case.config["classes"]]
        if "priors" in question.case.config:
            assert numbers(text, "priors") == [float(x) for row in question.case.config["priors"] for x in row]


# What is answered.


def golden(question):
    gradient = {name: values.tolist() for name, values in question.case.slopes[0].items()}
    return {"terms": {name: float(value) for name, value in question.case.terms.items()}, "gradient": gradient}


@pytest.mark.parametrize("name", criteria.names())
def test_what_is_golden_is_read_as_it_is_written(name):
    for question in [one for one in ASKED if one.file.name == name][:6]:
        written = golden(question)
        messages.validate({"seq": 0, "results": [written]}, "run_answer")
        (found,) = question.read({"results": [written]}, True)
        assert right(question.file, found) and found.terms == written["terms"] and found.total is None
        assert {output: values.tolist() for output, values in found.slopes.items()} == written["gradient"]
        total = {"total": math.fsum(written["terms"].values()), "gradient": written["gradient"]}
        messages.validate({"seq": 0, "results": [total]}, "run_answer")
        (found,) = question.read({"results": [total]}, True)
        assert right(question.file, found) and found.terms is None
        (found,) = question.read({"results": [{"terms": written["terms"]}]}, False)
        assert right(question.file, found) and found.slopes is None


@pytest.mark.parametrize("wrong", [{}, {"gradient": {}}, {"terms": {}}, {"terms": {"box": 1}, "total": 1}, {"terms": {"box": None}}])
def test_the_schema_refuses(wrong):
    with pytest.raises(Fault):
        messages.validate({"seq": 0, "results": [wrong]}, "run_answer")


ONE = next(one for one in ASKED if one.case.id == "criteria.yolov3/batch_0_0_3_5/paper")
FLAT = next(one for one in ASKED if one.case.id == "criteria.fcos/batch_0_0_3_5/paper")
ANY = some.recursive(
    some.none() | some.booleans() | some.integers() | some.floats() | some.text(max_size=3),
    lambda inner: some.lists(inner, max_size=4) | some.dictionaries(some.sampled_from(["box", "codes", "output_0"]), inner, max_size=2),
    max_leaves=12,
)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    some.sampled_from([ONE, FLAT]),
    some.dictionaries(some.sampled_from(["terms", "total", "gradient", "skipped", "value"]), ANY, max_size=3),
    some.sampled_from(["", "terms", "gradient"]),
    some.booleans(),
)
def test_whatever_is_answered_is_read_or_refused_and_judged(question, answer, keep, gradients):
    """keep: a part that is right beside the rest."""
    if keep:
        answer = {**answer, keep: golden(question)[keep]}
    try:
        (found,) = question.read({"results": [answer]}, gradients)
    except Fault as fault:
        assert fault.text.isprintable()
        return
    if isinstance(found, Outcome):
        assert right(question.file, found) in (True, False)
    else:
        assert isinstance(found, Declined) and found.reason.isprintable()


@pytest.mark.parametrize("path", [(0,), (0, 0), (0, 0, 0)])
def test_a_list_of_the_wrong_length_is_found_on_every_axis(path):
    for spoil in (lambda row: row.append(row[-1]), lambda row: row.pop(), lambda row: row.__setitem__(0, 1.0)):
        answer = json.loads(json.dumps(golden(ONE)))
        row = answer["gradient"]["output_1"]
        for step in path:
            row = row[step]
        spoil(row)
        (found,) = ONE.read({"results": [answer]}, True)
        assert isinstance(found, Declined) and found.status == "misshapen"
        assert "gradient by output_1" in found.reason and "it has the shape [4, 1, 7, 2, 2]" in found.reason

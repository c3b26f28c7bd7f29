"""What a program may state: dtypes, no gradients, flushed subnormals, cases that it skips or fails to do. And what options leave out."""

import json
import pathlib
import shlex
import sys

import jsonschema
import pytest

from refloss_conformance import jsonable
from refloss_conformance.cases import batches
from refloss_conformance.errors import UsageError
from refloss_conformance.program import check as program
from refloss_conformance.program.check import Request, run
from refloss_conformance.program.talk import IN_A_ROW

HERE = pathlib.Path(__file__).parent
REPORT = HERE.parent / "conformance" / "refloss_conformance" / "schema" / "report.json"
IDS = [batch.ids for batch in batches("l1_loss", ("float32", "float64"))]
SKIPPED = {"skipped": True, "reason": "not below 0", "link": "https://example.org/7"}
ERRORED = {"errored": True, "message": "domain error"}


def command(script, *arguments):
    words = [json.dumps(one) if isinstance(one, dict) else str(one) for one in arguments]
    return shlex.join([sys.executable, "-S", str(HERE / "hostile" / f"{script}.py"), *words])


def states(start, more=None, *where, **options):
    document = run(Request(command("states", start, more or {}, *where), "l1_loss", timeout=20.0, strict=True, **options))
    jsonschema.Draft202012Validator(json.loads(REPORT.read_text("utf-8"))).validate(json.loads(jsonable.dumps(document)))
    return document


def test_who_it_is():
    document = states({"name": "mine", "version": "3.1", "language": "Zig", "homepage": "https://example.org"})
    assert document["strict"] and document["known"] == "right"
    assert (document["package"], document["version"], document["language"]) == ("mine", "3.1", "Zig")
    assert (document["via"], document["arrays"], document["gradients"]) == ("program", "json", "returned")


def test_a_dtype_that_is_not_stated_is_not_run():
    document = states({"dtypes": ["float64"]})
    assert document["dtypes"] == [
        {"dtype": "float32", "run": False, "reason": "honest does not state it"},
        {"dtype": "float64", "run": True, "reason": None},
    ]
    assert document["strict"] and document["cases"] == len(IDS[1])


def test_without_gradients_values_are_judged():
    document = states({"gradients": False})
    assert document["gradient"] is None and document["value"]["strict"]["passed"] and document["gradients"].startswith("none")


def test_flushed_subnormals_leave_cases_out():
    document = states({"flushes_subnormals": True})
    (group,) = document["groups"]
    assert document["strict"] and group["left_out"] == 3 and "subnormal" in group["why_left_out"]
    assert document["cases"] == sum(map(len, IDS)) - 3 and not document["unanswered"]


def test_a_skipped_case_is_no_failure_and_is_told():
    document = states({}, SKIPPED, IDS[0][5])
    expected = [
        {"id": IDS[0][5], "dtype": dtype, "status": "skipped", "reason": "not below 0", "link": "https://example.org/7"}
        for dtype in ("float32", "float64")
    ]
    assert document["unanswered"] == expected and document["strict"] and not document["troubles"]
    assert document["groups"][0]["status"] == "run" and document["groups"][0]["left_out"] == 0  # each is counted once


def test_an_errored_case_fails_by_its_id():
    document = states({}, ERRORED, IDS[0][5])
    assert [(one["id"], one["status"], one["reason"]) for one in document["unanswered"]] == [(IDS[0][5], "errored", "domain error")] * 2
    assert document["troubles"] == [{"name": "errors", "text": "domain error", "cases": 2, "first": IDS[0][5]}]
    assert not document["strict"] and document["cases"] == sum(map(len, IDS)) - 2


def test_all_skipped_is_not_passed():
    document = states({}, SKIPPED, "all")
    assert document["cases"] == 0 and not document["strict"] and not document["troubles"]
    assert document["groups"][0]["status"] == "skipped" and document["groups"][0]["reason"] == "not below 0"


def test_all_errored():
    document = states({}, ERRORED, "all")
    assert {one["status"] for one in document["unanswered"]} == {"errored"} and len(document["unanswered"]) == sum(map(len, IDS))
    assert document["groups"][0]["status"] == "errored" and document["groups"][0]["left_out"] == 0


def test_an_unknown_protocol_is_refused_and_told():
    document = states({"errored": True, "message": "I speak protocol 7"})
    assert document["troubles"][0]["name"] in ("errors", "breaks_schema") and document["cases"] == 0
    document = run(Request(command("states", {"errored": True, "message": "I speak protocol 7"}, {}), "l1_loss"))
    assert document["troubles"][0]["name"] == "errors" and "I speak protocol 7" in document["troubles"][0]["text"]


def test_a_message_against_the_schema_counts_only_when_strict():
    more = {"mood": "good"}
    assert states(more)["troubles"][0]["name"] == "breaks_schema"
    assert run(Request(command("states", more, {}), "l1_loss"))["strict"]


def test_a_program_that_fails_at_everything_is_not_started_for_each_case(tmp_path):
    document = run(Request(command("garbage", "run", tmp_path / "starts"), "l1_loss", timeout=60.0))
    starts = len((tmp_path / "starts").read_text().splitlines())
    assert len(document["unanswered"]) == sum(map(len, IDS)) and {one["status"] for one in document["unanswered"]} == {"garbled"}
    assert IN_A_ROW < starts <= IN_A_ROW + 4  # the first message, its first cases, the rest of it, the second message


def test_only_the_asked_parameters(tmp_path):
    harness = HERE.parent / "conformance" / "harnesses" / "numpy_harness.py"
    request = Request(shlex.join([sys.executable, str(harness)]), "smooth_l1_loss", {"beta": 1}, ("float64",), 60.0)
    document = run(request)
    ran = [group for group in document["groups"] if group["status"] == "run"]
    assert [group["parameters"] for group in ran] == [{"beta": 1.0}] and document["strict"]
    assert all("--param says otherwise" in group["reason"] for group in document["groups"] if group["status"] == "skipped")
    assert document["dtypes"] == [{"dtype": "float64", "run": True, "reason": None}]


@pytest.mark.parametrize(
    ("loss", "only", "says"),
    [("l1_loss", {"beta": 1}, "has no parameter 'beta'"), ("huber_loss", {"delta": 77}, "no golden vectors of huber_loss have delta=77")],
)
def test_parameters_that_are_not_there(loss, only, says):
    with pytest.raises(UsageError, match=says):
        run(Request("anything", loss, only))


def test_a_time_limit_is_positive():
    with pytest.raises(UsageError, match="--timeout"):
        run(Request("anything", "l1_loss", timeout=0.0))


def test_progress_is_told():
    seen = []
    program.run(Request(command("honest"), "l1_loss"), lambda what, done, of: seen.append((what, done, of)))
    assert seen[0][1:] == (0, 2) and seen[-1] == ("explaining", 1, 1)

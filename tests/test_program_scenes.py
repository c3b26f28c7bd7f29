"""Programs that answer golden scenes: right ones pass, wrong ones are named, hostile ones end in a named verdict and cost one scene."""

import json
import pathlib
import shlex
import shutil
import subprocess
import sys
import time

import jsonschema
import pytest

from refloss_conformance import jsonable, scenes
from refloss_conformance.errors import UsageError
from refloss_conformance.program import messages
from refloss_conformance.program.check import Request
from refloss_conformance.program.scene_check import run
from refloss_conformance.program.talk import Talk

HERE = pathlib.Path(__file__).parent
JAVASCRIPT = HERE.parent / "conformance" / "harnesses" / "javascript"
REPORT = json.loads((messages.SCHEMA.parent / "report.json").read_text("utf-8"))
OF_NMS = [one for one in scenes.load("boxes.nms").scenes if one.parameters["kind"] == "iou"]
OF_MAX_IOU = [one for one in scenes.load("assign.max_iou").scenes if one.parameters["dialect"] == "paper"]
EACH = OF_NMS[7].id
IN_TIME = 45  # seconds, on a machine that does much else
needs_cc = pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler")
needs_node = pytest.mark.skipif(shutil.which("node") is None, reason="no node")


def program(*arguments):
    return shlex.join([sys.executable, "-S", str(HERE / "hostile" / "decides.py"), *arguments])


def check(*arguments, function="boxes.nms", dtypes=("float64",), timeout=20.0, **more):
    began = time.monotonic()
    document = run(Request(program(*arguments), function, dtypes=dtypes, timeout=timeout, **more))
    assert time.monotonic() - began < IN_TIME
    jsonschema.Draft202012Validator(REPORT).validate(json.loads(jsonable.dumps(document)))
    return document


def troubles(document):
    return {one["name"]: one for one in document["troubles"]}


def lost(document):
    return [(one["id"], one["status"]) for one in document["unanswered"] if one["status"] != "skipped"]


def names(document):
    return {one for each in document["deviations"] for one in each["names"]}


# Who is right.


def test_an_honest_program_passes():
    document = check(dtypes=())
    assert document["passed"] and document["known"] == "right" and document["cases"] == 2 * len(OF_NMS) and not document["troubles"]
    assert (document["via"], document["arrays"], document["language"]) == ("program", "json", "Python")
    assert (document["package"], document["version"], document["answered"]) == ("decides", "1", ["indices"])
    assert [one["dtype"] for one in document["dtypes"] if one["run"]] == ["float32", "float64"]


def test_another_project_s_rule_is_skipped_and_told():
    document = check(function="assign.max_iou", strict=True)
    assert document["passed"] and document["cases"] == len(OF_MAX_IOU)
    (one, other) = (group for group in document["groups"] if group["status"] == "skipped")
    assert one["reason"] == "low_quality_matches=True, dialect='mmdet': another project's" and "torchvision" in other["reason"]
    assert len(document["unanswered"]) == len(scenes.load("assign.max_iou").scenes) - len(OF_MAX_IOU)
    assert {(one["status"], one["reason"]) for one in document["unanswered"]} == {("skipped", "another project's")}


@needs_node
@pytest.mark.parametrize("function", ["boxes.nms", "assign.max_iou"])
def test_javascript_passes(function):
    document = run(Request(shlex.join(["node", str(JAVASCRIPT / "harness.js")]), function, timeout=60.0, strict=True))
    count = len(scenes.load("boxes.nms").scenes) if function == "boxes.nms" else len(OF_MAX_IOU)
    assert document["passed"] and document["cases"] == 2 * count and not document["troubles"] and document["language"] == "JavaScript"


def compiled(folder, wrong=("", "")):
    text = (JAVASCRIPT.parent / "c" / "nms.c").read_text("utf-8")
    assert wrong == ("", "") or text.count(wrong[0]) == 1
    (folder / "nms.c").write_text(text.replace(*wrong), "utf-8")
    line = ["cc", "-O2", "-std=c11", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-o", str(folder / "nms"), str(folder / "nms.c"), "-lm"]
    subprocess.run(line, check=True, timeout=120)
    return Request(shlex.quote(str(folder / "nms")), "boxes.nms", timeout=60.0, strict=True)


@needs_cc
def test_c_without_a_parser_passes(tmp_path):
    document = run(compiled(tmp_path))
    assert document["passed"] and document["cases"] == 2 * len(OF_NMS) and not document["troubles"] and document["language"] == "C"


@needs_cc
@pytest.mark.parametrize(
    ("right", "wrong", "name"),
    [("boxes[i]) > threshold", "boxes[i]) >= threshold", "inclusive_thresholds"), ("count >= most", "most < 0", "no_limit")],
)
def test_one_wrong_thing_in_c_is_named(right, wrong, name, tmp_path):
    document = run(compiled(tmp_path, (right, wrong)))
    assert names(document) == {name} and document["deviations"][0]["complete"] and not document["passed"]


@needs_node
@pytest.mark.parametrize(
    ("right", "wrong", "function", "name"),
    [
        ("best[p] >= positive_threshold", "best[p] > positive_threshold", "assign.max_iou", "exclusive_positive_threshold"),
        ("best[p] >= negative_threshold", "best[p] > negative_threshold", "assign.max_iou", "exclusive_negative_threshold"),
        ("low_quality_matches && ", "false && ", "assign.max_iou", "low_quality_missing"),
        ("low_quality_matches && ", "", "assign.max_iou", "low_quality_always"),
        ("IGNORED = -2", "IGNORED = -1", "assign.max_iou", "ignored_as_background"),
        ("table.map(code)", "table.map(code).map((c) => c + 1)", "assign.max_iou", "codes_one_higher"),
        ("boxes[i]) > threshold", "boxes[i]) >= threshold", "boxes.nms", "inclusive_thresholds"),
        ("scores[j] - scores[i]", "scores[i] - scores[j]", "boxes.nms", "worst_first"),
        ("(most ?? Infinity)", "Infinity", "boxes.nms", "no_limit"),
        ('kind === "diou"', "false", "boxes.nms", "iou_for_diou"),
        ("return { indices };", "return { indices: indices.sort((i, j) => i - j) };", "boxes.nms", "order_of_the_input"),
    ],
)  # fmt: skip
def test_one_wrong_thing_in_javascript_is_named(right, wrong, function, name, tmp_path):
    for file in ("harness.js", "losses.js", "scenes.js"):
        text = (JAVASCRIPT / file).read_text("utf-8")
        assert (text.count(right) == 1) == (file == "scenes.js")
        (tmp_path / file).write_text(text.replace(right, wrong), "utf-8")
    document = run(Request(shlex.join(["node", str(tmp_path / "harness.js")]), function, timeout=60.0, strict=True))
    assert names(document) == {name} and document["known"] == "named"
    assert document["deviations"][0]["complete"]
    assert not document["passed"] and len(document["failures"]) == document["failed"] > 0 and not document["troubles"]


@pytest.mark.parametrize(
    ("fault", "function"),
    [
        ("exclusive_thresholds", "assign.max_iou"), ("low_quality_missing", "assign.max_iou"), ("codes_one_higher", "assign.max_iou"),
        ("plus_one_pixel", "boxes.nms"), ("inclusive_thresholds", "boxes.nms"),
    ],
)  # fmt: skip
def test_a_wrong_program_is_named(fault, function):
    document = check(fault, function=function)
    assert names(document) == {fault} and document["known"] == "named" and not document["passed"]


@pytest.mark.parametrize(
    ("fault", "status", "says"), [("empty_raises", "errored", "max() of nothing"), ("empty_aborts", "crashed", "SIGABRT")]
)
def test_a_program_that_raises_without_truths(fault, status, says):
    document = check(fault, function="assign.max_iou")
    empty = [one.id for one in OF_MAX_IOU if one.inputs["gt_boxes"] == []]
    (finding,) = document["findings"]
    assert finding["name"] == "raises_without_truths" and says in finding["text"] and document["known"] == "named"
    assert lost(document) == [(one, status) for one in empty] and document["raised"] == document["failed"] == len(empty)
    assert not document["failures"] and not document["deviations"] and document["cases"] == len(OF_MAX_IOU)


# Who is hostile.


@pytest.mark.parametrize(
    ("fault", "status", "verdict", "says"),
    [
        ("crash", "crashed", "crashes", "vector::at"), ("exit", "exited", "exits_early", "exit code 0"),
        ("garbage", "garbled", "garbled", "keep ="), ("seq", "misordered", "misordered", "was asked"),
        ("errored", "errored", "errors", "out of memory"),
        ("twice", "misshapen", "misshapen", "2 results for 1 case"), ("half", "misshapen", "misshapen", "no integer"),
        ("null", "misshapen", "misshapen", "null"), ("true", "misshapen", "misshapen", "true, which is no integer"),
        ("scalar", "misshapen", "misshapen", "not a list"), ("object", "misshapen", "misshapen", "not a list"),
        ("unknown", "misshapen", "misshapen", '"keep", and there is indices'), ("more", "misshapen", "misshapen", '"value"'),
        ("empty", "misshapen", "misshapen", "without indices"), ("list", "misshapen", "misshapen", "no object"),
        ("rows", "misshapen", "misshapen", "no integer"), ("text", "misshapen", "misshapen", "no integer"),
        ("nan", "misshapen", "misshapen", "nan"),
    ],
)  # fmt: skip
def test_a_fault_in_one_scene_is_named_and_costs_it_alone(fault, status, verdict, says):
    document = check(fault, EACH)
    assert lost(document) == [(EACH, status)] and not document["failures"] and not document["passed"]
    assert set(troubles(document)) == {verdict} and says in troubles(document)[verdict]["text"]
    assert (troubles(document)[verdict]["first"], troubles(document)[verdict]["cases"]) == (EACH, 1)
    assert document["cases"] == len(OF_NMS) and document["failed"] == document["raised"] == 1 and document["known"] == "named"
    assert [one["id"] for one in document["worst"]] == [EACH] and says[:6] in document["worst"][0]["raised"]


def test_codes_of_the_wrong_length_are_no_answer():
    document = check("short", "assign.max_iou/two_truths", function="assign.max_iou")
    assert lost(document) == [("assign.max_iou/two_truths", "misshapen")] and "long, not" in troubles(document)["misshapen"]["text"]


def test_indices_of_another_length_are_wrong_answers():
    document = check("long", EACH)
    assert [one["id"] for one in document["failures"]] == [EACH] and not document["troubles"] and document["known"] == "unknown"


def test_an_absurd_integer_is_a_wrong_answer():
    assert [one["id"] for one in check("huge", EACH)["failures"]] == [EACH]


def test_a_hang_in_one_scene():
    document = check("hang", EACH, timeout=1.0)
    assert lost(document) == [(EACH, "hung")] and set(troubles(document)) == {"hangs"}


def test_a_hang_without_truths_is_a_hang():
    empty = next(one.id for one in OF_MAX_IOU if one.inputs["gt_boxes"] == [])
    document = check("hang", empty, function="assign.max_iou", timeout=1.0, only={"low_quality_matches": False})
    assert lost(document) == [(empty, "hung")] and not document["findings"]


def test_a_bad_end_is_told_when_strict_and_touches_no_answer():
    document = check("bad_end", strict=True)
    assert set(troubles(document)) == {"exits_with_error"} and not document["passed"] and document["failed"] == 0
    assert check("bad_end")["passed"]


def test_a_program_that_always_hangs_is_given_up():
    document = check("hang", timeout=0.3)
    assert set(troubles(document)) == {"hangs", "given_up"} and len(document["unanswered"]) >= document["cases"] == document["failed"]
    assert not document["passed"] and document["answered"] == []


def test_a_crash_does_not_hide_what_is_wrong_elsewhere():
    document = check("crash+inclusive_thresholds", EACH)
    assert names(document) == {"inclusive_thresholds"} and document["deviations"][0]["complete"]
    assert lost(document) == [(EACH, "crashed")] and len(document["failures"]) == document["failed"] - 1 == 3
    assert check("crash+long", OF_NMS[0].id)["known"] == "named"


def test_all_skipped_is_not_passed():
    document = check("skipped")
    assert document["cases"] == 0 and not document["passed"] and not document["troubles"]
    assert {one["status"] for one in document["groups"]} == {"skipped"} and all(one["reason"] for one in document["groups"])


def test_a_part_that_the_schema_does_not_know_counts_when_strict():
    document = check("unknown", EACH, strict=True)
    assert lost(document) == [(EACH, "invalid")] and set(troubles(document)) == {"breaks_schema"}
    assert check(strict=True)["passed"]


@pytest.mark.parametrize("function", ["boxes.nms", "assign.max_iou"])
def test_a_start_that_fails(function):
    document = check("start", json.dumps({"errored": True, "message": "no licence"}), function=function)
    assert not document["findings"] and not document["deviations"]  # images without truths are not what it fails at
    assert set(troubles(document)) == {"errors"} and "no licence" in troubles(document)["errors"]["text"]
    assert len(lost(document)) == document["cases"] == len(scenes.load(function).scenes) and not document["passed"]


# What is stated and asked for.


def test_a_dtype_that_is_not_stated_is_not_run():
    document = check("start", json.dumps({"dtypes": ["float64"]}), dtypes=())
    assert document["dtypes"][0] == {"dtype": "float32", "run": False, "reason": "decides does not state it"} and document["passed"]


def test_only_the_asked_parameters():
    document = check(only={"max_detections": 2})
    assert [one["parameters"]["max_detections"] for one in document["groups"] if one["status"] == "run"] == [2] and document["passed"]
    assert all("--param says otherwise" in one["reason"] for one in document["groups"] if one["status"] == "skipped")
    with pytest.raises(UsageError, match="has no parameter 'sigma'"):
        check(only={"sigma": 2})
    with pytest.raises(UsageError, match=r"no golden scenes of boxes.nms have iou_threshold=0.77"):
        check(only={"iou_threshold": 0.77})


def test_a_function_that_is_not_stated():
    with pytest.raises(UsageError, match=r"it states no boxes.soft_nms, only boxes.nms, assign.max_iou, in functions"):
        check(function="boxes.soft_nms")
    honest = shlex.join([sys.executable, "-S", str(HERE / "hostile" / "honest.py")])
    with pytest.raises(UsageError, match=r"it states no boxes.nms, only nothing at all, in functions"):
        run(Request(honest, "boxes.nms"))


def test_a_program_of_functions_alone_needs_no_losses():
    with Talk(shlex.split(program()), 20.0, 20.0, True) as talk:
        found = talk.start()
        assert found is not None and not talk.troubles
        assert (found.losses, found.functions) == ((), ("boxes.nms", "assign.max_iou"))


def test_a_check_of_scenes_imports_no_framework():
    line = (
        "import sys; from refloss_conformance.cli import main;"
        f"assert main(['check', '--command', {program()!r}, '--as', 'boxes.nms']) == 0;"
        "print([name for name in ('numba', 'torch', 'tensorflow', 'jax', 'jsonschema', 'mpmath') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", line], capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout.splitlines()[-1] == "[]"

"""Programs that answer golden criteria: right ones pass, wrong ones are named, hostile ones end in a named verdict and cost one case."""

import json
import pathlib
import re
import shlex
import shutil
import subprocess
import sys
import time

import jsonschema
import numpy as np
import pytest

from refloss_conformance import criteria, jsonable
from refloss_conformance.criterion.explain import Explanation
from refloss_conformance.criterion.settings import in_common
from refloss_conformance.criterion.ways import Divided
from refloss_conformance.errors import UsageError
from refloss_conformance.program import messages
from refloss_conformance.program.check import Request
from refloss_conformance.program.criteria_check import run
from refloss_conformance.program.criteria_messages import Question

HERE = pathlib.Path(__file__).parent
SSD = HERE.parent / "conformance" / "harnesses" / "javascript" / "ssd.js"
REPORT = json.loads((messages.SCHEMA.parent / "report.json").read_text("utf-8"))
FILE = criteria.load("criteria.ssd")
PAPER = FILE.of("paper")
EACH = next(case.id for case in PAPER if all(len(truth["gt_labels"]) for truth in case.truths))
EMPTY = [case.id for case in FILE.cases if any(not len(truth["gt_labels"]) for truth in case.truths)]
IN_TIME = 120  # seconds, on a machine that does much else
needs_cc = pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler")
needs_node = pytest.mark.skipif(shutil.which("node") is None, reason="no node")


def program(*arguments):
    return shlex.join([sys.executable, "-S", str(HERE / "hostile" / "recites.py"), *arguments])


def check(*arguments, name="criteria.ssd", dtypes=("float64",), timeout=20.0, **more):
    return checked(Request(program(*arguments), name, dtypes=dtypes, timeout=timeout, **more))


def checked(request):
    began = time.monotonic()
    document = run(request)
    assert time.monotonic() - began < IN_TIME
    jsonschema.Draft202012Validator(REPORT).validate(json.loads(jsonable.dumps(document)))
    return document


def troubles(document):
    return {one["name"]: one for one in document["troubles"]}


def lost(document):
    return [(one["id"], one["status"]) for one in document["unanswered"] if one["status"] != "skipped"]


def named(document):
    return [dict(zip(one["names"], one["constants"], strict=True)) for one in document["deviations"]]


def divided(document):
    return {term: [one["name"] for one in some] for term, some in document["normalizers"].items()}


# Who is right.


@pytest.mark.parametrize("name", criteria.names())
def test_what_is_golden_passes_in_every_setting(name):
    document = check(name=name, strict=True, dtypes=())
    assert document["passed"] and document["known"] == "right" and not document["troubles"] and not document["deviations"]
    assert document["cases"] == 2 * len(criteria.load(name).cases) and document["answered"] == "terms"
    assert all(group["status"] == "run" for group in document["groups"])
    assert (document["via"], document["arrays"], document["language"]) == ("program", "json", "Python")
    assert (document["package"], document["version"], document["gradients"]) == ("recites", "1", "returned")
    assert set(divided(document)) == set(criteria.load(name).terms)


def test_settings_that_divide_otherwise_are_told_to_be_as_stated():
    assert divided(check()) == {"box": ["stated"], "classes": ["stated"]}
    assert divided(check("paper_only")) == {"box": ["batch"], "classes": ["batch"]}


@pytest.mark.parametrize("name", ["criteria.ssd", "criteria.yolov1"])
def test_the_total_alone_is_enough(name):
    document = check("total", name=name, strict=True)
    assert document["passed"] and document["answered"] == "total" and document["known"] == "right"


def test_a_program_without_gradients():
    document = check("start+values", json.dumps({"gradients": False}), strict=True)
    assert document["passed"] and document["gradients"] == "none: the program states that it has none"
    assert {plot["what"] for plot in document["plots"]} == {"value"}


def test_another_project_s_rule_is_skipped_and_told():
    document = check("paper_only", strict=True)
    assert document["passed"] and document["cases"] == len(FILE.of("paper")) + len(FILE.of("min_negatives"))
    assert {one["id"]: one["reason"] for one in document["groups"] if one["status"] == "skipped"} == {
        "torchvision": "the paper's rules only", "mmdet": "the paper's rules only",
    }  # fmt: skip
    assert {(one["status"], one["link"]) for one in document["unanswered"]} == {("skipped", "https://example.org/paper")}


@needs_node
def test_javascript_passes():
    document = checked(Request(shlex.join(["node", str(SSD)]), "criteria.ssd", timeout=60.0, strict=True))
    assert document["passed"] and document["cases"] == 2 * len(FILE.cases) and not document["troubles"] and not document["unanswered"]
    assert document["language"] == "JavaScript" and document["answered"] == "terms"


def compiled(folder, *wrong):
    text = (SSD.parents[1] / "c" / "yolov1.c").read_text("utf-8")
    for right, other in wrong:
        assert text.count(right) == 1
        text = text.replace(right, other)
    (folder / "yolov1.c").write_text(text, "utf-8")
    line = ["cc", "-O2", "-std=c11", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-o", "yolov1", "yolov1.c", "-lm"]
    subprocess.run(line, check=True, timeout=120, cwd=folder)
    return checked(Request(shlex.quote(str(folder / "yolov1")), "criteria.yolov1", timeout=60.0, strict=True))


@needs_cc
def test_c_without_a_parser_passes(tmp_path):
    document = compiled(tmp_path)
    ran = [group["id"] for group in document["groups"] if group["status"] == "run"]
    assert document["passed"] and document["language"] == "C" and ran == ["paper", "by_positives"] and not document["troubles"]
    assert document["cases"] == 2 * sum(case.setting in ran for case in criteria.load("criteria.yolov1").cases)


@needs_cc
@pytest.mark.parametrize(
    ("wrong", "name"),
    [
        ((("squared(&objectness, no_object_weight,", "squared(&objectness, 1,"),), "no_object_weight_missing"),
        ((("squared(&box_term, coordinate_weight,", "squared(&box_term, 1,"),), "coordinate_weight_missing"),
        ((("*term += weight *", "*term += 0.5 * weight *"), ("= 2 * weight", "= weight")), "errors_halved"),
        ((("c == label", "c == label - 1"),), "labels_one_lower"),
    ],
)  # fmt: skip
def test_one_wrong_thing_in_c_is_named(wrong, name, tmp_path):
    document = compiled(tmp_path, *wrong)
    assert {name} in [set(one) for one in named(document)] and document["known"] == "named" and not document["passed"]


@needs_cc
def test_what_is_too_large_for_a_program_is_skipped(tmp_path):
    document = compiled(tmp_path, ("MOST = 8192", "MOST = 64"))
    assert document["cases"] == 0 and not document["passed"] and not document["troubles"]


@needs_node
def test_the_conversation_on_the_page():
    """What the page shows is valid, is what is asked, and is what the harness answers, to the digits that are shown."""
    page = (SSD.parents[1] / "README.md").read_text("utf-8").partition("## Whole criteria")[2].partition("\n## ")[0]
    said = re.findall(r"^    ([<>]) (.*)$", page, re.MULTILINE)
    asked, shown = ([json.loads(text) for mark, text in said if mark == wanted] for wanted in "><")
    (case,) = (case for case in FILE.cases if [case.id] == asked[1]["cases"])
    assert messages.encode(asked[1]) == Question(FILE, case, "float64").letter(1)
    lines = "".join(text + "\n" for mark, text in said if mark == ">")
    done = subprocess.run(["node", str(SSD)], input=lines, capture_output=True, text=True, timeout=60, check=True)
    start, answer = map(json.loads, done.stdout.splitlines())
    assert start == shown[0] and answer.keys() == shown[1].keys()
    for question, definition in zip(asked, ("start", "run_criterion", "stop"), strict=True):
        messages.validate(question, definition)
    messages.validate(shown[1], "run_answer")
    (one,), (other,) = answer["results"], shown[1]["results"]
    assert one["terms"] == pytest.approx(other["terms"], rel=1e-4)
    for name, values in one["gradient"].items():
        assert np.allclose(values, other["gradient"][name], rtol=1e-4, atol=0)
    assert f"in {len(SSD.read_text('utf-8').splitlines())} lines" in page and all(f"`{name}" in page for name in criteria.names())


# Who is wrong.


@needs_node
@pytest.mark.parametrize(
    ("right", "wrong", "name"),
    [
        ("(mined.has(p) ? 1 : 0)", "(t < 0 ? 1 : 0)", {"negatives_not_mined": None}),
        ("divisor += Math.max(rules.least, positives)", "divisor += priors.length", {"priors": None}),
        ("divisor += Math.max(rules.least, positives)", "divisor += 1", {"batch_size": None}),
        ("divisor += Math.max(rules.least, positives)", "divisor += positives", {"batch": None}),
        ("Math.max(1, divisor)", "divisor", {"batch_or_nan": None}),
        ("Math.floor(ratio * positives)", "2 * positives", {"mining_ratio_other": 2.0}),
        ("(t >= 0 ? t : others[p])", "others[p]", {"forced_matches_missing": None}),
        (">= threshold", ">= 0.4", {"threshold_other": 0.4}),
        ("rules.background ?? many", "many", {"background_last": None}),
        ("labels[image][t] + first", "labels[image][t]", {"labels_one_lower": None}),
        ("alpha * slope", "2 * alpha * slope", {"gradient_times_constant": 2.0}),
        ("(d, beta) =>", "(d, beta) => true ? [Math.abs(d), Math.sign(d)] :", {"box_loss_other": "l1"}),
    ],
)  # fmt: skip
def test_one_wrong_thing_in_javascript_is_named(right, wrong, name, tmp_path):
    """In all settings at once, of which some may be right."""
    text = SSD.read_text("utf-8")
    assert text.count(right) == 1
    (tmp_path / "ssd.js").write_text(text.replace(right, wrong), "utf-8")
    request = Request(shlex.join(["node", str(tmp_path / "ssd.js")]), "criteria.ssd", dtypes=["float64"], timeout=60.0, strict=True)
    document = checked(request)
    assert named(document)[0] == pytest.approx(name) if name.keys() == {"gradient_times_constant"} else name in named(document)
    assert document["known"] == "named" and not document["passed"] and not document["troubles"]
    assert len({one["id"] for one in document["failures"]}) == document["failed"] > 0 and document["unknown"] is None
    assert all(one["complete"] for one in document["deviations"])


@needs_node
def test_what_has_a_name_in_some_settings_only_is_told_of_these(tmp_path):
    """One more than the sum of max(1, positives of an image), mmdet's divisor, has none."""
    (tmp_path / "ssd.js").write_text(SSD.read_text("utf-8").replace("Math.max(1, divisor)", "(divisor + 1)"), "utf-8")
    request = Request(shlex.join(["node", str(tmp_path / "ssd.js")]), "criteria.ssd", dtypes=["float64"], timeout=60.0)
    document = checked(request)
    alone = [fact for fact in document["unknown"]["facts"] if fact.startswith("the setting")]
    assert document["known"] == "unknown" and not document["deviations"]
    assert alone == [f"the setting {one} alone would be: divided by the positives of the batch plus 1"
                     for one in ("paper", "torchvision", "min_negatives")]  # fmt: skip
    assert named(checked(Request(request.program, "criteria.ssd", {"dialect": "paper"}, ["float64"], 60.0))) == [{"one_more": None}]


def test_what_settings_have_in_common_is_measured_by_what_each_of_them_says():
    """As stated is the same in two settings that divide otherwise; by the batch is as stated in one of them, and not in the other."""

    def one(way, usual):
        return Explanation((), {"box": Divided(way, 2.0, 2.0)}, {"box": usual})

    by_image, stated, other = one("image_mean", "image_mean"), one("batch", "batch"), one("batch", "image_mean")
    assert in_common({"paper": [stated], "torchvision": [other, by_image]}) == [stated]
    assert not in_common({"paper": [stated], "torchvision": [other]}) and not in_common({"paper": [stated], "torchvision": []})
    assert not in_common({})


@pytest.mark.parametrize(
    ("fault", "name"),
    [("box_twice", {"term_times_constant": 2.0}), ("by_images+paper_only", {"batch_size": None}),
     ("nan_when_empty+paper_only", {"batch_or_nan": None}), ("by_images+paper_only+total", {"batch_size": None})],
)  # fmt: skip
def test_a_wrong_program_is_named(fault, name):
    document = check(fault)
    assert name in [{key: x if x is None else pytest.approx(x) for key, x in one.items()} for one in named(document)]
    assert document["known"] == "named" and not document["passed"] and document["failures"]


def test_darknet_s_right_answers_do_not_hide_what_is_wrong_with_the_paper_s():
    """YOLOv4's darknet dialects are not taken apart."""
    document = check("paper_uphill", name="criteria.yolov4")
    assert document["known"] == "named" and {one["id"] for one in document["groups"]} == set(criteria.load("criteria.yolov4").settings)
    (one,) = document["deviations"]
    assert set(one["names"]) == {"gradient_times_constant"} and one["constants"] == pytest.approx([-1.0, -1.0, -1.0])
    assert not any("darknet" in failure["id"] for failure in document["failures"]) and document["failures"]


@pytest.mark.parametrize("name", ["criteria.ssd", "criteria.yolov1"])
def test_a_program_that_raises_without_objects(name):
    document = check("raises_on_empty", name=name)
    empty = [case.id for case in criteria.load(name).cases if any(not len(truth["gt_labels"]) for truth in case.truths)]
    assert [one["name"] for one in document["findings"]] == ["raises_without_objects", "raises_with_several_images"]  # no case tells
    assert all("max() of nothing" in one["text"] and "the cases do not tell" in one["text"] for one in document["findings"])
    assert document["known"] == "named" and sorted(lost(document)) == sorted((one, "errored") for one in empty)
    assert document["raised"] == document["failed"] == len(empty) and not document["failures"] and not document["deviations"]


# Who is hostile.


@pytest.mark.parametrize(
    ("fault", "status", "verdict", "says"),
    [
        ("crash", "crashed", "crashes", "vector::at"), ("exit", "exited", "exits_early", "exit code 0"),
        ("garbage", "garbled", "garbled", "loss ="), ("seq", "misordered", "misordered", "was asked"),
        ("errored", "errored", "errors", "out of memory"), ("twice", "misshapen", "misshapen", "2 results for 1 case"),
        ("list", "misshapen", "misshapen", "no object"),
        ("empty", "misshapen", "misshapen", "either terms"), ("neither", "misshapen", "misshapen", "either terms"),
        ("both", "misshapen", "misshapen", "or the total alone"), ("more", "misshapen", "misshapen", 'holds "value", and there is terms'),
        ("no_term", "misshapen", "misshapen", "terms has no box"), ("other_term", "misshapen", "misshapen", 'terms holds "bbox"'),
        ("terms_list", "misshapen", "misshapen", "not an object with box, classes"), ("term_null", "misshapen", "misshapen", "null"),
        ("term_text", "misshapen", "misshapen", '"1.5", which is no number'), ("term_true", "misshapen", "misshapen", "true, which is no"),
        ("term_list", "misshapen", "misshapen", "no number"), ("total_list", "misshapen", "misshapen", "no number"),
        ("total_null", "misshapen", "misshapen", "null"), ("no_gradient", "misshapen", "misshapen", "no gradient"),
        ("no_output", "misshapen", "misshapen", "gradient has no classes"), ("other_output", "misshapen", "misshapen", '"logits"'),
        ("gradient_list", "misshapen", "misshapen", "not an object with classes, codes"),
        ("short", "misshapen", "misshapen", "long along axis 0"), ("deep", "misshapen", "misshapen", "along axis"),
        ("ragged", "misshapen", "misshapen", "along axis 1"), ("flat", "misshapen", "misshapen", "along axis 0"),
        ("scalar", "misshapen", "misshapen", "0.0 along axis 0"), ("null", "misshapen", "misshapen", 'null, which is no number (JSON'),
        ("text", "misshapen", "misshapen", '"x", which is no number'),
    ],
)  # fmt: skip
def test_a_fault_in_one_case_is_named_and_costs_it_alone(fault, status, verdict, says):
    document = check(fault, EACH, only={"dialect": "paper"})
    assert lost(document) == [(EACH, status)] and not document["failures"] and not document["passed"]
    assert set(troubles(document)) == {verdict} and says in troubles(document)[verdict]["text"]
    assert (troubles(document)[verdict]["first"], troubles(document)[verdict]["cases"]) == (EACH, 1)
    assert document["cases"] == 2 * len(PAPER) and document["failed"] == document["raised"] == 1 and document["known"] == "named"
    assert [one["id"] for one in document["worst"]] == [EACH] and says[:6] in document["worst"][0]["raised"]
    assert not document["deviations"] and not document["findings"]


def test_numbers_that_are_none_are_wrong_answers():
    for fault in ("nan", "huge"):
        document = check(fault, EACH, only={"dialect": "paper", "min_negatives": 0})
        assert [(one["id"], one["what"], one["error_eps"]) for one in document["failures"]] == [(EACH, "value", float("inf"))]
        assert not document["troubles"]


def test_a_hang_in_one_case():
    document = check("hang", EACH, timeout=1.0)
    assert lost(document) == [(EACH, "hung")] and set(troubles(document)) == {"hangs"} and document["known"] == "named"


def test_a_hang_without_objects_is_a_hang():
    document = check("hang", "criteria.ssd/no_object/mmdet", timeout=1.0, only={"dialect": "mmdet"})
    assert lost(document) == [("criteria.ssd/no_object/mmdet", "hung")] and not document["findings"]


def test_a_program_that_always_hangs_is_given_up():
    document = check("hang", timeout=0.3)
    assert set(troubles(document)) == {"hangs", "given_up"} and len(document["unanswered"]) == document["cases"] == document["failed"]
    assert not document["passed"] and document["answered"] == "nothing" and not document["findings"] and not document["normalizers"]


def test_a_crash_does_not_hide_what_is_wrong_elsewhere():
    document = check("crash+box_twice", EACH)
    assert "term_times_constant" in named(document)[0] and lost(document) == [(EACH, "crashed")]
    assert len({one["id"] for one in document["failures"]}) == document["failed"] - 1


def test_all_skipped_is_not_passed():
    document = check("skipped")
    assert document["cases"] == 0 and not document["passed"] and not document["troubles"]
    assert {one["status"] for one in document["groups"]} == {"skipped"} and all(one["reason"] for one in document["groups"])


def test_strict_holds_to_the_schema_and_to_a_good_end():
    assert set(troubles(check("more", EACH, strict=True))) == {"breaks_schema"}
    document = check("bad_end", strict=True)
    assert set(troubles(document)) == {"exits_with_error"} and not document["passed"] and document["failed"] == 0
    assert check("bad_end")["passed"]


def test_a_start_that_fails():
    document = check("start", json.dumps({"errored": True, "message": "no licence"}))
    assert set(troubles(document)) == {"errors"} and "no licence" in troubles(document)["errors"]["text"]
    assert len(lost(document)) == document["cases"] == len(FILE.cases) and not document["findings"] and not document["deviations"]


# What is stated and asked for.


def test_a_dtype_that_is_not_stated_is_not_run():
    document = check("start", json.dumps({"dtypes": ["float64"]}), dtypes=())
    assert document["dtypes"][0] == {"dtype": "float32", "run": False, "reason": "recites does not state it"} and document["passed"]


def test_only_the_asked_parameters():
    document = check(only={"dialect": "mmdet"})
    assert [one["id"] for one in document["groups"] if one["status"] == "run"] == ["mmdet"] and document["passed"]
    assert all("--param says otherwise" in one["reason"] for one in document["groups"] if one["status"] == "skipped")
    assert divided(document)["box"] == ["each_image_at_least_one"]
    assert check(only={"weights": [10, 10, 5, 5]})["cases"] == len(FILE.cases)
    with pytest.raises(UsageError, match="has no parameter 'sigma'"):
        check(only={"sigma": 2})
    with pytest.raises(UsageError, match=r"no golden values of criteria.ssd have threshold=0.7"):
        check(only={"threshold": 0.7})


def test_a_criterion_that_is_not_stated():
    with pytest.raises(UsageError, match=r"it states no criteria.ssd, only boxes.nms, assign.max_iou, in functions"):
        run(Request(shlex.join([sys.executable, "-S", str(HERE / "hostile" / "decides.py")]), "criteria.ssd"))


def test_a_check_of_criteria_imports_no_framework():
    line = (
        "import sys; from refloss_conformance.cli import main;"
        f"assert main(['check', '--command', {program()!r}, '--as', 'criteria.yolov1']) == 0;"
        "print([name for name in ('torch', 'tensorflow', 'jax', 'jsonschema', 'mpmath') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", line], capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout.splitlines()[-1] == "[]"

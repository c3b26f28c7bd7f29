"""JUnit XML: what its readers take, and nothing lost."""

from typing import Any
from xml.etree import ElementTree

import pytest
from report_inputs import EVIL, absent, criteria, evil, failing, own, passing, replay, scenes, trifling

from refloss_conformance.reports import junit, merge, slim

# The schema of Jenkins's reader (junit-10), as far as we use it: attributes that may be there, children that may be inside.
ATTRIBUTES = {
    "testsuites": {"name", "tests", "failures", "errors", "time"},
    "testsuite": {"name", "tests", "failures", "errors", "skipped", "time"},
    "properties": set(), "property": {"name", "value"}, "testcase": {"classname", "name", "time"}, "failure": {"message", "type"},
    "error": {"message", "type"}, "skipped": {"message"},
}  # fmt: skip
INSIDE = {
    "testsuites": ["testsuite"], "testsuite": ["properties", "testcase"], "properties": ["property"], "property": [],
    "testcase": ["failure", "error", "skipped"], "failure": [], "error": [], "skipped": [],
}  # fmt: skip


def read(document: dict[str, Any], tier: str = "strict") -> ElementTree.Element:
    """Parsed, and held to the schema; the counts are those of what is inside."""
    root = ElementTree.fromstring(junit(document, tier))
    for element in root.iter():
        assert set(element.attrib) <= ATTRIBUTES[element.tag] and {child.tag for child in element} <= set(INSIDE[element.tag])
        if element.tag in ("testsuites", "testsuite"):
            assert int(element.attrib["tests"]) == len(list(element.iter("testcase")))
            assert int(element.attrib["failures"]) == len(list(element.iter("failure")))
            assert int(element.attrib["errors"]) == len(list(element.iter("error")))
    for suite in root:
        names = [(case.attrib["classname"], case.attrib["name"]) for case in suite.iter("testcase")]
        assert len(set(names)) == len(names)  # GitLab tells cases apart by these
    return root


def states(document: dict[str, Any], tier: str = "strict") -> dict[str, str]:
    return {case.attrib["name"]: case[0].tag if len(case) else "passed" for case in read(document, tier).iter("testcase")}


def messages(document: dict[str, Any], name: str) -> str:
    return next(case[0].attrib["message"] for case in read(document).iter("testcase") if case.attrib["name"] == name)


def test_a_case_for_each_setting_dtype_and_kind_of_number() -> None:
    assert states(passing()) == {
        "gamma_5": "skipped", "gamma_2 float32 value": "passed", "gamma_2 float32 gradient": "passed", "gamma_2 float64 value": "passed",
        "gamma_2 float64 gradient": "passed",
    }  # fmt: skip
    assert "no such argument" in messages(passing(), "gamma_5")


def test_a_case_for_each_failure() -> None:
    assert states(failing()) == {
        "gamma_5": "skipped", "gamma_2 float32 value": "passed", "gamma_2 float32 gradient": "failure", "gamma_2 float64 value": "passed",
        "gamma_2 float64 gradient": "failure", "ciou_loss/gamma_2/far float32 gradient": "failure",
        "ciou_loss/gamma_2/far float64 gradient": "failure",
    }  # fmt: skip
    said = messages(failing(), "ciou_loss/gamma_2/far float32 gradient")
    for part in ("NaN", "limit 64", "got [nan, 0, 0, 0]", "wanted [0.25, 0, 0, 0]", "deviation: eps_in_the_union (1e-07)"):
        assert part in said
    said = messages(failing(), "ciou_loss/gamma_2/far float64 gradient")
    assert "97.5 eps, limit 64" in said and "too small to matter in training" in said


def test_the_training_tier_fails_by_what_matters() -> None:
    assert states(failing(), "training")["ciou_loss/gamma_2/far float32 gradient"] == "failure"
    assert "ciou_loss/gamma_2/far float64 gradient" not in states(failing(), "training")
    assert set(states(trifling(), "training").values()) == {"passed", "skipped"}
    value = {"id": "ciou_loss/gamma_2/far", "dtype": "float32", "what": "value", "error_eps": 1e6, "matters": True}
    assert "failure" not in states(trifling(failures=[value]), "training").values()  # values count only where they are not finite
    assert "failure" in states(trifling(failures=[value | {"error_eps": "inf"}]), "training").values()
    assert "failure" in states(trifling(failures=[value], loss="delta_coder.encode"), "training").values()


def test_expected_failures_are_skipped_and_stale_ones_fail() -> None:
    expected = {"file": "known.toml", "matched": 2, "stale": [], "unexpected": []}
    found = states(failing(expected=expected))
    assert set(found.values()) == {"passed", "skipped"} and found["ciou_loss/gamma_2/far float32 gradient"] == "skipped"
    assert found["gamma_2 float32 gradient"] == "skipped" and found["gamma_2 float32 value"] == "passed"
    assert "failure" in states(failing(expected={**expected, "unexpected": ["ciou_loss/gamma_2/far"]})).values()
    stale = states(failing(expected={**expected, "stale": ["known.toml, entry 3: near"]}))
    assert stale["expectation: known.toml, entry 3: near"] == "failure"


def test_what_has_no_answer() -> None:
    lost = [{"id": "a", "dtype": "float32", "status": "hung", "reason": "no answer within 10 s", "link": None},
            {"id": "b", "dtype": "float32", "status": "skipped", "reason": "no atan", "link": "https://example.org/1"}]  # fmt: skip
    trouble = {"name": "hangs", "text": "it does not answer", "cases": 1, "first": "a"}
    document = passing(unanswered=lost, troubles=[trouble], strict=False, training=False)
    found = states(document)
    assert (found["a float32"], found["b float32"], found["program: hangs"]) == ("error", "skipped", "error")
    assert messages(document, "b float32") == "skipped: no atan (https://example.org/1)"
    finding = {"kind": "deviation", "name": "mean_for_sum", "text": "mean for the stated sum", "effect": "Scaled."}
    assert states(passing(findings=[finding], strict=False))["finding: mean_for_sum"] == "failure"
    assert "finding" not in str(states(passing(findings=[finding | {"kind": "note"}])))
    half = [{"dtype": "float32", "run": True, "reason": None}, {"dtype": "float64", "run": False, "reason": "it returns float32"}]
    assert states(passing(dtypes=half))["float64"] == "skipped"


@pytest.mark.parametrize("tier", ["strict", "training"])
def test_it_fails_if_the_check_does(tier: str) -> None:
    nothing = passing(cases=0, strict=False, training=False, value=None, gradient=None, groups=[])
    old = {key: value for key, value in failing().items() if key not in ("failures", "unanswered", "troubles", "plots")}
    for document in (passing(), failing(), trifling(), scenes(), scenes(passed=True, failed=0, failures=[], worst=[]), nothing, old,
                     slim(merge([failing()]))["rows"][0]["report"], {**old, "worst": []}):  # fmt: skip
        good = document.get(tier, document.get("passed"))
        assert good == (not {"failure", "error"} & set(states(document, tier).values()))


def test_scenes() -> None:
    found = states(scenes())
    assert found["threshold=0.5 float32 answer"] == "failure" and found["assign.ssd/chain float32 answer"] == "failure"
    assert found["assign.ssd/empty float32"] == "skipped"
    assert "got gt_index [1], wanted gt_index [0]" in messages(scenes(), "assign.ssd/chain float32 answer")
    more = [{"parameters": {"threshold": t}, "status": "run", "reason": None, "cases": 2} for t in (0.5, 0.6)]
    assert states(scenes(groups=more))["2 settings float32 answer"] == "failure"


def test_criteria() -> None:
    assert states(criteria()) == {
        "criteria.retinanet/empty/defaults float32": "error", "another": "skipped", "defaults float32 value": "failure",
        "defaults float32 gradient": "failure", "defaults float32 answer": "failure",
        "criteria.retinanet/crowd/defaults float32 value": "failure", "criteria.retinanet/crowd/defaults float32 gradient": "failure",
        "criteria.retinanet/empty/defaults float32 answer": "failure",
    }  # fmt: skip
    said = messages(criteria(), "criteria.retinanet/crowd/defaults float32 gradient")
    assert "wrong boxes and total; gradient of boxes, number 7: got 0.125, wanted 0.0625" in said and "8.0e6 eps, limit 256" in said


def test_own_backends_and_recordings() -> None:
    found = states(own(("l1_loss", "cpu", "pass"), ("l1_loss", "torch", "fail"), ("l2_loss", "jax", "error")))
    assert found == {"refloss, cpu": "passed", "refloss, torch": "failure", "l1_loss/a float32 value": "failure", "refloss, jax": "error"}
    assert states(replay("a", "b", broken="b")) == {"a": "passed", "b": "failure"}


def test_a_suite_for_each_check() -> None:
    whole = merge([failing(), passing(loss="diou_loss"), failing(arrays="torch"), absent()])
    suites = [suite.attrib["name"] for suite in read(whole)]
    assert suites == ["mine:loss as ciou_loss", "mine:loss as diou_loss", "mine:loss as ciou_loss again", "Gone as focal_loss"]
    assert states(whole)["Gone"] == "skipped"
    assert junit(whole) == junit(whole) and "mine:loss --as ciou_loss" in junit(whole) and "out.json" not in junit(whole)


def test_nothing_breaks_out_of_xml() -> None:
    text = junit(evil())
    root = ElementTree.fromstring(text)  # a control character would end the parser
    assert "<script>" not in text and {element.tag for element in root.iter()} <= set(ATTRIBUTES)
    assert EVIL.split("\n", maxsplit=1)[0] in root[0].attrib["name"]

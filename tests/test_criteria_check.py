"""`refloss check MODULE:CALLABLE --as criteria.*`: right criteria conform, wrong ones are named, alone or in a stated set."""

import importlib.util
import io
import os
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console

from refloss_conformance import jsonable
from refloss_conformance.criteria import CLASSES, load, names
from refloss_conformance.criteria_printing import criteria_report, list_criteria, show_criterion
from refloss_conformance.criterion import evaluators
from refloss_conformance.criterion.check import Request, run
from refloss_conformance.criterion.deviations import DEVIATIONS
from refloss_conformance.criterion.normalizers import MOVING, NORMALIZERS
from refloss_conformance.criterion.outcome import Outcome
from refloss_conformance.criterion.raising import raising
from refloss_conformance.criterion.report import _plots
from refloss_conformance.errors import UsageError

pytest.importorskip("torch")
HERE = Path(__file__).parent
HARNESS = HERE.parent / "conformance" / "harnesses" / "torchvision_detectors.py"


def check(callable_name, *, spec="wrong_criteria", **more):
    detector = callable_name.split("_")[0].removesuffix(":")
    return run(Request(f"{spec}:{callable_name}", f"criteria.{detector}", **{"arrays": "torch", **more}))


def named(document):
    return [dict(zip(one["names"], one["constants"], strict=True)) for one in document["deviations"]]


@pytest.mark.parametrize("callable_name, more", [
    ("retinanet", {}), ("retinanet_total", {}), ("retinanet_values", {}), ("retinanet_tuple", {"pick": "classes,box"}),
    ("ssd", {}), ("fcos", {}),
    ("yolov3", {}),
    ("retinanet_numpy", {"arrays": "numpy", "returns": "value_and_grad"}),
])  # fmt: skip
def test_right_ones_conform(callable_name, more):
    document = check(callable_name, **more)
    assert document["passed"] and document["known"] == "right" and not document["deviations"] and not document["failures"], document[
        "worst"
    ]
    assert document["cases"] >= 10 and document["interpretation"] == 1


@pytest.mark.parametrize("callable_name, wanted", [
    ("retinanet_image_mean", {"image_mean": None}), ("retinanet_one_more", {"one_more": None}),
    ("retinanet_each_at_least_one", {"each_image_at_least_one": None}), ("retinanet_four_n", {"positive_codes": None}),
    ("retinanet_swapped_by_elements", {"alpha_swapped": None, "elements": None}),
    ("retinanet_ignored_counts", {"ignored_as_background": None}), ("retinanet_labels_off", {"labels_one_higher": None}),
    ("retinanet_only_positive", {"classes_of_positives_only": None}), ("retinanet_silent", {"silent_without_positives": None}),
    ("retinanet_nan", {"batch_or_nan": None}), ("retinanet_detached", {"gradient_missing": None}),
    ("retinanet_three_times_l1", {"box_loss_other": "l1", "term_times_constant": 3.0}),
    ("ssd_no_variances", {"code_weights_other": [1.0] * 4}), ("ssd_background_last", {"background_last": None}),
    ("ssd_not_mined", {"negatives_not_mined": None}), ("ssd_not_forced_by_image", {"forced_matches_missing": None, "image_mean": None}),
    ("fcos_weighted", {"box_weighted_by_centerness": None, "shares": None}), ("fcos_no_root", {"centerness_without_root": None}),
    ("yolov3_none_ignored_by_images", {"ignored_as_background": None, "batch_size": None}),
    ("yolov3_squares_and_iou", {"squares_for_places": None, "iou_as_objectness": None}),
    ("fcos_no_sampling", {"centre_sampling_missing": None}), ("fcos_largest", {"largest_truth_wins": None}),
])  # fmt: skip
def test_wrong_ones_are_named(callable_name, wanted):
    document = check(callable_name, dtypes=("float64",))  # the search takes as long for each dtype
    assert not document["passed"] and document["known"] == "named"
    found = named(document)
    assert any(one.keys() == wanted.keys() for one in found), found
    best = next(one for one in found if one.keys() == wanted.keys())
    assert all(
        best[name] == pytest.approx(value, rel=1e-5) for name, value in wanted.items() if value is not None and name != "box_loss_other"
    )
    assert len(found) <= 4 and all(len(one) <= len(wanted) for one in found)
    assert document["failures"] and document["unknown"] is None


def test_a_moving_average_is_named():
    document = run(Request("wrong_criteria:MovingAverage", "criteria.retinanet", arrays="torch"))
    assert named(document) == [{"moving_average_from_100": None}]


def test_the_normaliser_of_each_term_is_told():
    told = check("retinanet_four_n")["normalizers"]
    assert "positive_codes" in [one["name"] for one in told["box"]] and [one["name"] for one in told["classes"]] == ["batch"]
    assert [one["name"] for one in check("retinanet")["normalizers"]["box"]] == ["batch"]


def test_values_alone_are_enough_for_a_normaliser():
    document = check("retinanet_one_more", returns="value", pick="loss_bbox,loss_cls")
    assert named(document) == [{"one_more": None}]


def test_an_unknown_fault_is_called_unknown():
    document = check("retinanet_odd")
    assert document["known"] == "unknown" and not document["deviations"]
    facts = " ".join(document["unknown"]["facts"])
    assert "the value of the classes term is right in all" in facts and "the value of the box term is wrong" in facts
    assert [one["name"] for one in document["normalizers"]["classes"]] == ["batch"]


def test_causes_of_raising():
    """What only the cases that raise have; several, where they have several."""
    cases = load("criteria.retinanet").of("paper")
    empty = [case for case in cases if any(not len(truth["gt_labels"]) for truth in case.truths)]
    bare = [case for case in cases if not any(len(truth["gt_labels"]) for truth in case.truths)]
    several = [case for case in cases if len(case.truths) > 1]
    assert 0 < len(bare) < len(empty) < len(cases) and 0 < len(several) < len(cases)

    def names(raising_cases):
        raised = [Outcome(case, "float64", raised="it raised ValueError") for case in raising_cases]
        done = [*raised, *(Outcome(case, "float64") for case in cases if case not in raising_cases)]
        return [(one["name"], one["text"]) for one in raising(raised, done)]

    (one,) = names(bare)
    assert one[0] == "raises_without_objects"
    assert one[1].startswith("it raises where no image of the batch has an object (it raised ValueError)")
    assert "raises_with_several_images" in [name for name, _ in names(several)]
    assert "raises_without_objects" in [name for name, _ in names(empty)]
    assert names(cases[:1]) == [] and names([]) == []


def test_raising_without_objects_is_named():
    document = check("retinanet_raises")
    known = [one["name"] for one in document["findings"] if one["kind"] == "deviation"]
    assert known == ["raises_without_objects", "raises_with_several_images"]
    assert document["known"] == "named" and document["raised"] == len(document["unanswered"]) == 4
    assert all(one["status"] == "errored" and "reduction dim" in one["reason"] for one in document["unanswered"])


@pytest.mark.skipif(importlib.util.find_spec("torchvision") is None, reason="torchvision is not installed")
@pytest.mark.parametrize("callable_name, wanted", [
    ("retinanet", {"low_quality_matches": "torchvision", "box_loss_other": "l1", "image_mean": None}),
    ("ssd", {"matched_as_in": "torchvision", "positives_mined_when_exhausted": None}),
    ("fcos", {"activation_other": "relu", "eps_other": 1e-7}),
])  # fmt: skip
def test_torchvision(callable_name, wanted):
    right = check(callable_name, spec=str(HARNESS), only={"dialect": "torchvision"})
    assert right["passed"] and right["package"] == "torchvision", right["worst"]
    other = check(callable_name, spec=str(HARNESS))
    assert not other["passed"] and wanted in named(other)
    assert any("the setting torchvision" in one["text"] for one in other["findings"])


@pytest.mark.parametrize("name", sorted(evaluators.MODULES))
def test_every_deviation_changes_some_answer(name):
    """No deviation is idle: each moves a term or a count of some golden case, in the setting it deviates from."""
    from refloss_conformance.criterion.deviations import applicable
    from refloss_conformance.criterion.ways import differs

    file, idle = load(name), []
    for candidate in applicable(name):
        moves, applies = False, False
        for case in file.cases:
            if moves:
                break
            base = evaluators.base(name, case.parameters)
            chosen = candidate.change(base)
            if chosen is None:
                continue
            try:
                one, other = evaluators.evaluate(name, case, base), evaluators.evaluate(name, case, chosen)
            except ValueError:  # some choices exclude others
                continue
            applies |= any(len(truth["gt_labels"]) for truth in case.truths)
            moves = chosen["empty_batch"] != base["empty_batch"] or any(differs(one, other, term) for term in file.terms)
        if applies and not moves:
            idle.append((candidate.deviation.name, candidate.constant))
    assert not idle, idle


@pytest.mark.parametrize("name", sorted(evaluators.MODULES))
def test_what_is_taken_apart_adds_up_to_what_is_golden(name):

    file = load(name)
    for case in file.cases:
        if name in ("criteria.yolov4", "criteria.scaled_yolov4") and case.parameters.get("dialect") == "darknet":
            with pytest.raises(ValueError, match="not taken apart"):  # a wrong target of theirs is called unknown
                evaluators.evaluate(name, case, evaluators.base(name, case.parameters))
            continue
        images = evaluators.evaluate(name, case, evaluators.base(name, case.parameters))
        assert [one.positives for one in images.images] == list(case.positives), case.id
        for term, entries in file.terms.items():
            divisors = NORMALIZERS[evaluators.normalizer(name, case.parameters)[term]].divisors(images.images, term)
            assert images.value(term, divisors) == pytest.approx(float(case.terms[term]), rel=1e-12, abs=1e-300), case.id
            assert images.slope(file, term, divisors) == pytest.approx(case.slope(entries).number, rel=1e-9, abs=1e-14), case.id


def test_words():
    for one in (*DEVIATIONS.values(), *NORMALIZERS.values(), *MOVING.values()):
        assert one.title and one.seen and one.effect.endswith(".") and not one.title.endswith("."), one.name
    assert not set(DEVIATIONS) & set(NORMALIZERS)


def test_it_prints_and_is_json():
    console = Console(file=io.StringIO(), width=200)
    document = check("retinanet_swapped_by_elements")
    criteria_report(console, document)
    criteria_report(console, check("retinanet_odd"))
    list_criteria(console)
    for name in names():
        assert show_criterion(console, name) == 0
    text = console.file.getvalue()
    for words in ("alpha_swapped + elements", "the mean over all elements", "does not conform", "unknown", "criteria.yolov4"):
        assert words in text
    assert '"report": "criteria"' in jsonable.dumps(document)


@pytest.mark.parametrize("more, says", [
    ({"mapping": {"nothing": "classes"}}, "has no argument 'nothing'"), ({"mapping": {"classes": "klasses"}}, "has no 'klasses'"),
    ({"only": {"color": 1}}, "has no parameter 'color'"), ({"only": {"alpha": 0.3}}, "no golden values"),
    ({"constants": {"classes": 3}}, "which argument"), ({"returns": "similarity"}, "--returns similarity"),
    ({"arrays": "cupy"}, "--arrays is"),
    ({"pick": "a,b"}, None), ({"mapping": {"truths": "gt_boxes"}}, "does not work"),
])  # fmt: skip
def test_misuse_is_one_sentence(more, says):
    if says is None:
        assert check("retinanet", **more)["passed"]
        return
    with pytest.raises(UsageError, match=says):
        check("retinanet", **more)


@pytest.mark.parametrize("name", ["YOLOv1", "YOLOv2", "YOLOv4", "ScaledYOLOv4"])
def test_refloss_in_torch_is_right_and_a_doubled_term_is_told(name):
    criterion = next(one for one, theirs in CLASSES.items() if theirs == name)
    document = run(Request(f"own_criteria:{name}", criterion, arrays="torch"))
    assert document["passed"], document["worst"]
    wrong = run(Request(f"own_criteria:{name}Twice", criterion, arrays="torch"))
    assert wrong["known"] == "named" and {"term_times_constant": 2.0} in [
        {k: pytest.approx(v, rel=1e-6) for k, v in one.items()} for one in named(wrong)
    ]


ELSEWHERE = """
import sys
from refloss_conformance.criterion.check import Request, run
found = run(Request(f"wrong_criteria:retinanet_{sys.argv[1]}", "criteria.retinanet", arrays=sys.argv[1]))
assert found["passed"] and found["gradients"] == "automatic differentiation", found["worst"]
"""


@pytest.mark.xdist_group("keras")  # one framework at a time beside torch
@pytest.mark.parametrize("framework", ["jax", "tensorflow"])
def test_other_frameworks(framework):
    if importlib.util.find_spec(framework) is None:
        pytest.skip(f"{framework} is not installed")
    quiet = {"JAX_PLATFORMS": "cpu", "CUDA_VISIBLE_DEVICES": "", "TF_CPP_MIN_LOG_LEVEL": "3"}
    quiet["PYTHONPATH"] = os.pathsep.join(filter(None, sys.path))
    command = [sys.executable, "-c", ELSEWHERE, framework]
    done = subprocess.run(command, env={**os.environ, **quiet}, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-3000:]


def test_a_failing_point_survives_the_thinning_of_a_plot():
    file = load("criteria.retinanet")
    case = file.of("paper")[0]
    right = [Outcome(case, "float64", total=float(case.total().number) * (1 + k * 2.0**-52)) for k in range(200)]
    wrong = Outcome(case, "float64", total=1.5 * float(case.total().number))
    (plot,) = _plots(file, [*right, *right, wrong])
    assert [point[2] for point in plot["points"]].count(1) == 1 and len(plot["points"]) <= 300
    assert all(error == float(f"{error:.4g}") for _, error, _ in plot["points"])


def test_show_lists_the_deviations_of_each_criterion_in_a_process_of_its_own():
    words = [sys.executable, "-m", "refloss_conformance.cli", "show", "criteria.yolov1"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    done = subprocess.run(words, env=environment, capture_output=True, text=True, timeout=300, check=True)
    assert "lambdas_swapped" in done.stdout

"""Deliberately wrong assigners, miners and suppressions: the checker must name what is wrong, and call the right ones right."""

import json
from typing import Any

import jsonschema
import numpy as np
import pytest

from refloss_conformance import scenes, third_party
from refloss_conformance.cli import main
from refloss_conformance.errors import UsageError
from refloss_conformance.scene_judging import Outcome, explain
from refloss_conformance.scene_third_party import Request, run

LOW = {"low_quality_matches": True}
WRONG = [
    ("max_iou_mmdet_codes", "assign.max_iou", {"codes_one_higher"}, {}),
    ("max_iou_from_one", "assign.max_iou", {"truth_index_one_higher"}, {}),
    ("max_iou_no_band", "assign.max_iou", {"ignored_as_background"}, {}),
    ("max_iou_exclusive", "assign.max_iou", {"exclusive_thresholds"}, {}),
    ("max_iou_exclusive_below", "assign.max_iou", {"exclusive_negative_threshold"}, {}),
    ("max_iou_pixel", "assign.max_iou", {"plus_one_pixel"}, {}),
    ("max_iou_zero", "assign.max_iou", {"zero_iou_truth_matches_all"}, {}),
    ("max_iou_zero", "assign.max_iou", {"zero_iou_truth_matches_all"}, {"only": LOW}),
    ("max_iou_mmdet", "assign.max_iou", {"zero_iou_truth_takes_all"}, {}),
    ("max_iou_forced", "assign.max_iou", {"low_quality_forced_to_truth"}, {}),
    ("max_iou_single", "assign.max_iou", {"low_quality_single_prior"}, {}),
    ("max_iou_never_low", "assign.max_iou", {"low_quality_missing"}, {}),
    ("max_iou_always_low", "assign.max_iou", {"low_quality_always"}, {}),
    ("max_iou_raises", "assign.max_iou", {"raises_without_truths"}, {}),
    ("ssd_threshold_only", "assign.ssd", {"no_forced_match"}, {}),
    ("ssd_pytorch", "assign.ssd", {"each_truth_its_best_prior"}, {}),
    ("ssd_lost", "assign.ssd", {"truth_lost_on_shared_prior"}, {}),
    ("yolov1_first_predictor", "assign.yolov1", {"first_predictor_responsible"}, {}),
    ("yolov3_as_darknet", "assign.yolov3", {"cell_past_the_border", "list_ends_at_zero"}, {}),
    ("yolov3_tests_priors", "assign.yolov3", {"ignore_test_on_priors"}, {}),
    ("yolov3_first_keeps", "assign.yolov3", {"first_truth_keeps_the_prior"}, {}),
    ("yolov4_best_only", "assign.yolov4", {"only_the_best_anchor"}, {}),
    ("scaled_yolov4_own_cell", "assign.scaled_yolov4", {"no_neighbour_cells"}, {}),
    ("scaled_yolov4_authors", "assign.scaled_yolov4", {"clamped_to_gain"}, {}),
    ("fcos_both", "assign.fcos", {"boundary_on_both_levels"}, {}),
    ("fcos_none", "assign.fcos", {"boundary_on_no_level"}, {}),
    ("fcos_constant", "assign.fcos", {"area_tie_in_float32"}, {}),
    ("fcos_no_sampling", "assign.fcos", {"no_centre_sampling"}, {}),
    ("hard_negatives_with_positives", "mining.hard_negatives", {"positives_are_mined"}, {}),
    ("nms_inclusive", "boxes.nms", {"inclusive_thresholds"}, {}),
    ("nms_by_place", "boxes.nms", {"order_of_the_input"}, {}),
]  # fmt: skip


def checked(function: str, name: str, **more: Any) -> dict[str, Any]:
    return run(Request(f"wrong_assigners:{function}", name, **more))


@pytest.mark.parametrize(("function", "name", "named", "more"), WRONG, ids=[f"{w[0]}-{i}" for i, w in enumerate(WRONG)])
def test_named(function: str, name: str, named: set[str], more: dict[str, Any]) -> None:
    report = checked(function, name, **more)
    assert not report["passed"] and report["known"] == "named"
    found = [set(one["names"]) for one in report["deviations"]] + [{f["name"]} for f in report["findings"] if f["kind"] == "deviation"]
    assert named in found, found
    assert all(one["complete"] for one in report["deviations"])


RIGHT = [
    ("max_iou_right", "assign.max_iou", {}),
    ("max_iou_mmdet_codes", "assign.max_iou", {"codes": {"negative": 0, "first": 1}}),
    ("max_iou_dictionary", "assign.max_iou", {"pick": "matches"}),
    ("ssd_pytorch", "assign.ssd", {"only": {"dialect": "ssd.pytorch"}}),
    ("hard_negatives_right", "mining.hard_negatives", {}),
    ("nms", "boxes.nms", {}),
    ("nms_mask", "boxes.nms", {}),
    ("fcos_right", "assign.fcos", {}),
]  # fmt: skip


@pytest.mark.parametrize(("function", "name", "more"), RIGHT, ids=[f"{r[0]}-{i}" for i, r in enumerate(RIGHT)])
def test_right_is_called_right(function: str, name: str, more: dict[str, Any]) -> None:
    report = checked(function, name, **more)
    assert report["passed"], (report["worst"], report["deviations"])
    assert report["known"] == "right" and report["deviations"] == [] and report["cases"] >= 14


def test_other_ties_are_allowed_and_noted() -> None:
    report = checked("max_iou_other_ties", "assign.max_iou")
    assert report["passed"] and [f["name"] for f in report["findings"]] == ["ties_broken_otherwise"]


def test_two_mistakes_that_meet_are_explained_in_part() -> None:
    """The scene with an IoU of exactly 0.5 shows both at once, which neither alone gives; that is said, not hidden."""
    (one,) = checked("max_iou_exclusive_without_a_band", "assign.max_iou")["deviations"]
    assert one["names"] == ["ignored_as_background"] and not one["complete"] and one["explained"] < one["failing"]


def test_unknown_is_called_unknown() -> None:
    report = checked("max_iou_inventive", "assign.max_iou")
    assert report["known"] == "unknown" and report["deviations"] == []


@pytest.mark.parametrize("function", scenes.names())
def test_every_deviation_can_be_told(function: str) -> None:
    """Whoever answers as a deviation does is told so, alone or among those that no scene tells from it."""
    file = scenes.load(function)
    for name in file.deviations:
        outcomes = []
        for scene in file.scenes:
            for dtype in scene.dtypes:
                changes, answer = scene.deviating(name, dtype)
                outcomes.append(Outcome(scene, dtype, _plain(file, answer if changes else scene.expected)))
        explanations = explain(file, outcomes)
        assert (name,) in [one.names for one in explanations if one.complete], f"{function}: {name}"


def test_a_deviation_that_right_answers_contradict_is_not_named() -> None:
    """Codes one higher in a single scene, and right in all others, are no convention of codes."""
    file = scenes.load("assign.max_iou")
    outcomes = []
    for scene in file.scenes:
        changes, answer = scene.deviating("codes_one_higher", "float32")
        wrong = changes and scene.id.endswith("/two_truths_alike")
        outcomes.append(Outcome(scene, "float32", answer if wrong else scene.expected))
    assert sum(not one.right(file.parts) for one in outcomes) == 1
    assert explain(file, outcomes) == []


def _plain(file: scenes.Scenes, answer: Any) -> Any:
    """An answer as a callable gives it: decimal strings as numbers."""
    if answer is None:
        return None
    return {part: np.array(value, np.float64).tolist() if file.parts[part].kind == "numbers" else value for part, value in answer.items()}


def test_no_two_deviations_are_alike() -> None:
    """Deviations that no scene tells apart would be listed together for ever."""
    for function in scenes.names():
        file = scenes.load(function)
        seen: dict[str, str] = {}
        for name in file.deviations:
            key = str([(scene.id, dtype, scene.deviating(name, dtype)) for scene in file.scenes for dtype in scene.dtypes])
            assert key not in seen, f"{function}: {name} and {seen[key]}"
            seen[key] = name


MISTAKES = [
    (["--map", "priors=anchors"], "assign.max_iou has no 'anchors'"),
    (["--map", "nonsense=priors"], "has no argument 'nonsense'"),
    (["--set", "nonsense=1"], "has no argument 'nonsense'"),
    (["--param", "gamma=2"], "has no parameter 'gamma'"),
    (["--param", "dialect=darknet"], "no golden scenes of assign.max_iou have"),
    (["--codes", "zero=1"], "--codes zero=...: there are negative, ignore and first"),
    (["--codes", "negative=none"], "a code is an integer"),
    (["--pick", "labels"], "check --pick"),
    (["--returns", "similarity"], "--returns is for losses"),
    (["--reduction", "mean"], "--reduction is for losses"),
    (["--arrays", "cupy"], "--arrays is numpy or torch"),
]


@pytest.mark.parametrize(("options", "sentence"), MISTAKES, ids=[" ".join(m[0]) for m in MISTAKES])
def test_mistakes_get_one_sentence(options: list[str], sentence: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "wrong_assigners:max_iou_right", "--as", "assign.max_iou", *options]) == 2
    error = capsys.readouterr().err
    assert sentence in error and error.count("\n") == 1


@pytest.mark.parametrize(("function", "sentence"), [("max_iou_broken", "no luck today"), ("max_iou_text", "not an array of numbers")])
def test_what_never_answers_is_a_mistake(function: str, sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        checked(function, "assign.max_iou")


def test_options_of_scenes_are_not_for_losses(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "wrong_losses:smooth_right", "--as", "smooth_l1_loss", "--pick", "0"]) == 2
    assert "--pick is for assigners" in capsys.readouterr().err


def test_report(capsys: pytest.CaptureFixture[str]) -> None:
    schema = json.loads((scenes.SCHEMA.parent / "report.json").read_text("utf-8"))
    for function in ("max_iou_zero", "max_iou_raises", "max_iou_right"):
        code = main(["check", f"wrong_assigners:{function}", "--as", "assign.max_iou", "--dtype", "float32", "--json", "-"])
        report = json.loads(capsys.readouterr().out)
        jsonschema.validate(report, schema)
        assert report["passed"] == (code == 0) == (function == "max_iou_right")
    assert main(["check", "wrong_assigners:max_iou_zero", "--as", "assign.max_iou"]) == 1
    shown = capsys.readouterr().out
    assert "zero_iou_truth_matches_all" in shown and "wanted gt_index" in shown and "got" in shown and "does not conform" in shown


LABELS = [
    ("background_is_0", "focal_loss_with_integer_labels", "background_is_label_0"),
    ("one_too_high", "focal_loss_with_integer_labels", "labels_one_too_high"),
    ("background_is_the_last", "focal_loss_with_integer_labels", "background_label_is_the_last_class"),
    ("ignored_is_background", "focal_loss_with_integer_labels", "ignored_rows_as_background"),
    ("softmax_one_too_low", "softmax_cross_entropy_with_integer_labels", "softmax_labels_one_too_low"),
    ("softmax_one_too_high", "softmax_cross_entropy_with_integer_labels", "softmax_labels_one_too_high"),
    ("softmax_focal_background_last", "softmax_focal_loss_with_integer_labels", "background_is_the_last_class"),
]


@pytest.mark.parametrize(("function", "loss", "named"), LABELS, ids=[case[0] for case in LABELS])
def test_labels_that_mean_something_else(function: str, loss: str, named: str) -> None:
    report = third_party.run(third_party.Request(f"wrong_labels:{function}", loss, dtypes=("float64",)))
    assert not report["strict"] and [named] in [one["names"] for one in report["deviations"] if one["complete"]], report["deviations"]

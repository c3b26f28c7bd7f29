"""Every deviation the checker must recognise, on implementations written independently of it; and right ones called right."""

import math
from typing import Any

import numpy as np
import pytest

from refloss._engine.xp import numpy_xp
from refloss_conformance.cases import batches, has_vectors
from refloss_conformance.deviations import DEVIATIONS, Candidate, applicable, base_formula
from refloss_conformance.deviations.grouping import lines
from refloss_conformance.gradients import value_and_gradient
from refloss_conformance.predict import evaluate
from refloss_conformance.records import RECORDS
from refloss_conformance.third_party import Request, run

WRONG = [
    ("focal_alpha_ignored", "focal_loss", {"alpha_ignored"}),
    ("focal_alpha_swapped", "focal_loss", {"alpha_swapped"}),
    ("focal_alpha_for_all", "focal_loss", {"alpha_for_all"}),
    ("focal_log10", "focal_loss", {"log10"}),
    ("focal_log2", "focal_loss", {"log2"}),
    ("focal_clipped", "focal_loss", {"probability_clipped"}),
    ("focal_clipped_and_swapped", "focal_loss", {"probability_clipped", "alpha_swapped"}),
    ("focal_wrong_power", "focal_loss", {"modulator_of_positives_for_all"}),
    ("focal_product", "focal_loss", {"gamma_multiplied"}),
    ("focal_nan", "focal_loss", {"power_of_a_rounded_miss"}),
    ("labels_softmax", "focal_loss_with_integer_labels", {"softmax_for_sigmoid"}),
    ("bce_smoothing_first", "binary_cross_entropy", {"smoothing_before_the_alpha_test"}),
    ("huber", "smooth_l1_loss", {"huber_for_smooth_l1"}),
    ("cutoff_only", "smooth_l1_loss", {"smooth_l1_not_divided"}),
    ("half_square", "squared_error", {"constant_factor"}),
    ("iou_log", "iou_loss", {"minus_log_iou"}),
    ("iou_squared", "iou_loss", {"one_minus_iou_squared"}),
    ("iou_pixel", "iou_loss", {"one_pixel_added"}),
    ("iou_raw", "iou_loss", {"overlap_not_clamped"}),
    ("iou_union_eps", "iou_loss", {"eps_in_the_union"}),
    ("iou_similarity", "iou_loss", {"similarity_for_loss"}),
    ("giou_pixel", "giou_loss", {"one_pixel_added"}),
    ("giou_area_i", "giou_loss", {"giou_intersection_for_union"}),
    ("giou_read_xyxy", "giou_loss", {"both_boxes_read_as_xyxy"}),
    ("giou_read_cxcywh", "giou_loss", {"both_boxes_read_as_cxcywh"}),
    ("giou_read_xywh", "giou_loss", {"both_boxes_read_as_xywh"}),
    ("giou_targets_yxyx", "giou_loss", {"target_boxes_read_as_yxyx"}),
    ("giou_boxes_cxcywh", "giou_loss", {"boxes_read_as_cxcywh"}),
    ("giou_union_eps", "giou_loss", {"eps_in_the_union"}),
    ("giou_hull_eps", "giou_loss", {"eps_in_the_enclosure"}),
    ("diou_root", "diou_loss", {"distance_square_root"}),
    ("ciou_squared", "ciou_loss", {"ciou_constant_squared"}),
    ("ciou_gated", "ciou_loss", {"ciou_gated"}),
    ("ciou_alpha", "ciou_loss", {"ciou_alpha_differentiated"}),
    ("ciou_squared_and_alpha", "ciou_loss", {"ciou_constant_squared", "ciou_alpha_differentiated"}),
]
# They have a second fault, where 1 - p rounds or underflows.
ALSO_ROUND = ("focal_clipped", "focal_clipped_and_swapped", "focal_wrong_power", "labels_softmax")
CONSTANTS = {"focal_clipped": 1e-4, "half_square": 0.5, "giou_union_eps": 1e-5, "giou_hull_eps": 1e-3, "iou_union_eps": 1e-4}


@pytest.mark.parametrize(("function", "loss", "names"), WRONG, ids=[f"{case[0]}-{case[1]}" for case in WRONG])
def test_named(function: str, loss: str, names: set[str]) -> None:
    dtype = ("float32", "float64")[[case[0] for case in WRONG].index(function) % 2]
    report = run(Request(f"wrong_losses:{function}", loss, dtypes=(dtype,)))
    assert not report["strict"], "a wrong loss was called right"
    assert report["gradient"] is not None
    found = [set(one["names"]) for one in report["deviations"]]
    extra = 1 if function in ALSO_ROUND else 0
    fitting = [one for one in report["deviations"] if names <= set(one["names"]) and len(one["names"]) <= len(names) + extra]
    assert fitting, found
    if function in CONSTANTS:
        assert CONSTANTS[function] in fitting[0]["constants"]


RIGHT = [
    ("focal_right", "focal_loss"), ("bce_right", "binary_cross_entropy"), ("smooth_right", "smooth_l1_loss"), ("iou_right", "iou_loss"),
    ("giou_right", "giou_loss"), ("diou_right", "diou_loss"), ("ciou_right", "ciou_loss"),
]  # fmt: skip


@pytest.mark.parametrize(("function", "loss"), RIGHT)
def test_right_is_called_right(function: str, loss: str) -> None:
    report = run(Request(f"wrong_losses:{function}", loss))
    assert report["training"], report["worst"]
    assert report["strict"], (report["worst"], report["deviations"])
    assert report["deviations"] == [] and report["findings"] == []


def test_unknown_is_called_unknown() -> None:
    report = run(Request("wrong_losses:focal_inventive", "focal_loss"))
    assert report["known"] == "unknown" and report["deviations"] == []


@pytest.mark.parametrize("function", ["mean", "sum"])
def test_reduction_is_a_finding_and_not_a_failure(function: str) -> None:
    report = run(Request(f"wrong_losses:focal_{function}", "focal_loss", only={"alpha": 0.25, "gamma": 2.0}, dtypes=("float64",)))
    assert report["strict"] and report["cases"] > 50
    assert [(f["kind"], f["name"]) for f in report["findings"]] == [("note", f"{function}_over_everything")]


@pytest.mark.parametrize(("does", "stated"), [("mean", "sum"), ("sum", "mean")])
def test_reduction_other_than_stated(does: str, stated: str) -> None:
    only = {"alpha": 0.25, "gamma": 2.0}
    report = run(Request(f"wrong_losses:focal_{does}", "focal_loss", only=only, reduction=stated, dtypes=("float64",)))
    assert not report["strict"]
    assert [(f["kind"], f["name"]) for f in report["findings"]] == [("deviation", f"{does}_for_{stated}")]


SOFTMAX = "softmax_cross_entropy_with_integer_labels"


@pytest.mark.parametrize(
    ("function", "loss", "stated", "finding"),
    [
        ("focal_per_positive", "focal_loss", "none", ("note", "positives_over_everything")),  # the paper's normaliser
        ("focal_per_positive", "focal_loss", "mean", ("deviation", "positives_for_mean")),
        ("softmax_per_foreground", SOFTMAX, "sum", ("deviation", "positives_for_sum")),
        ("softmax_per_background", SOFTMAX, "sum", ("deviation", "unknown_reduction")),
        ("focal_mean_of_rows", "focal_loss", "none", ("note", "mean_over_the_last_axis")),
        ("bce_per_positive_of_a_row", "binary_cross_entropy", "mean", ("deviation", "positives_for_mean")),
        ("bce_per_negative", "binary_cross_entropy", "sum", ("deviation", "unknown_reduction")),
        ("focal_by_its_root", "focal_loss", "none", ("deviation", "unknown_reduction")),
        ("focal_by_its_root", "focal_loss", "mean", ("deviation", "unknown_reduction")),
        ("smooth_l1_gradient_of_the_sum", "smooth_l1_loss", "mean", ("deviation", "unknown_reduction")),
        ("smooth_l1_upstream_ignored", "smooth_l1_loss", "none", ("deviation", "upstream_ignored")),
    ],
)
def test_what_a_batch_gives(function: str, loss: str, stated: str, finding: tuple[str, str]) -> None:
    """Each of these once passed for the mean, for the sum or for right: the same in value for some targets, or in value alone."""
    report = run(Request(f"wrong_losses:{function}", loss, reduction=stated, dtypes=("float64",)))
    assert [(f["kind"], f["name"]) for f in report["findings"]] == [finding]
    assert report["strict"] == (finding[0] == "note")


def test_softmax_of_a_vector_of_logits() -> None:
    report = run(Request("wrong_losses:focal_softmax", "focal_loss", only={"alpha": 0.25, "gamma": 2.0}, dtypes=("float64",)))
    assert "softmax_for_sigmoid" in [f["name"] for f in report["findings"]]


@pytest.mark.parametrize("loss", has_vectors())
def test_templates_are_the_specification(loss: str) -> None:
    """Without a deviation, what deviations change is the loss's own formula, in value and gradient."""
    record = RECORDS[loss]
    for batch in batches(loss, ("float64",)):
        with np.errstate(all="ignore"):
            value, gradient = evaluate(base_formula(loss), batch, np.float64, True)
            wanted, slope = value_and_gradient(record.formula, (batch.first, batch.second), batch.parameters, kind=record.kind)
        plain = ~batch.with_kind("degenerate_box", "saturation", "tie")
        assert gradient is not None
        np.testing.assert_allclose(value[plain], wanted[plain], rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(gradient[plain], slope[plain], rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("loss", has_vectors())
def test_steps_are_the_specification(loss: str) -> None:
    """A formula in steps, none of which is done otherwise, is the loss's own: a slip changes what it says and nothing else."""

    def in_steps(xp: Any, first: Any, second: Any, **parameters: Any) -> Any:
        return base_formula(loss)(xp, first, second, slips={}, **parameters)

    for batch in batches(loss, ("float64",)):
        value, gradient = evaluate(in_steps, batch, np.float64, True)
        plain = ~batch.with_kind("degenerate_box", "saturation", "tie")
        assert gradient is not None
        np.testing.assert_allclose(value[plain], batch.value.number[plain], rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(gradient[plain], batch.gradient.number[plain], rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("loss", ["iou_loss", "giou_loss", "diou_loss", "ciou_loss"])
def test_templates_stay_in_their_dtype(loss: str) -> None:
    """An integer or float64 array on the way would hide every rounding, such as 1 + 1e-9 = 1 in float32."""
    (batch, *_) = batches(loss, ("float32",))
    assert base_formula(loss)(numpy_xp, batch.first, batch.second, **batch.parameters).dtype == np.float32


@pytest.mark.parametrize("loss", has_vectors())
def test_each_deviation_runs_and_differs_somewhere(loss: str) -> None:
    """Every deviation changes the value or the gradient of some case of each loss it is offered for."""
    sets = batches(loss, ("float64",))
    seen: set[str] = set()
    for candidate in applicable(loss):
        if candidate.name in seen:
            continue
        for batch in sets:
            with np.errstate(all="ignore"):
                value, gradient = evaluate(candidate.change(base_formula(loss)), batch, np.float64, True)
            assert value.shape == batch.value.number.shape and gradient is not None
            apart = ~np.isclose(value, batch.value.number, rtol=1e-12, atol=0, equal_nan=False)
            if apart.any() or (~np.isclose(gradient, batch.gradient.number, rtol=1e-12, atol=0)).any():
                seen.add(candidate.name)
                break
    assert seen == {candidate.name for candidate in applicable(loss)}


@pytest.mark.parametrize("loss", has_vectors())
def test_lines_name_every_deviation_once(loss: str) -> None:
    """Families are one line for a reader, and nothing is lost in them."""
    named = []
    for line in lines(loss):
        stem, brace, words = line.names.rstrip("}").partition("{")
        named += [stem + word for word in words.split(", ")] if brace else [stem]
        assert "{" not in line.title and line.effect.endswith(".")
    assert sorted(named) == sorted({candidate.name for candidate in applicable(loss)})


def test_texts() -> None:
    for deviation in DEVIATIONS.values():
        assert deviation.effect.endswith("."), deviation.name
        for constant in deviation.constants:
            assert "{" not in Candidate(deviation, constant).title
        assert any(deviation.applies(loss) for loss in RECORDS), deviation.name
    assert math.isclose(1 / math.log(10), 0.4343, rel_tol=1e-3)

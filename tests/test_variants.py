"""The 37 variants that the field is known for, by number: each is named, on an implementation written as its authors would.

Criteria as a whole (the numbers in CRITERIA) have tests of their own. PAIRS are three pairs of boxes whose losses under each
variant were measured on those projects' own code.
"""

import math
from typing import Any, NamedTuple

import numpy as np
import pytest

from refloss._engine.xp import numpy_xp
from refloss_conformance import scene_third_party
from refloss_conformance.deviations.overlaps import template
from refloss_conformance.third_party import Request, run


class Variant(NamedTuple):
    number: int
    function: str
    loss: str
    names: set[str]
    constants: tuple[float, ...] = ()
    more: dict[str, Any] = {}  # noqa: RUF012  (options of the check)


LOG = {"only": {"kind": "log"}}
CENTRED = {"only": {"box_format": "cxcywh", "eps": 0.0}, "returns": "value_and_grad", "dtypes": ("float64",)}
PAIR = {"returns": "value_and_grad", "dtypes": ("float64",)}
FOCAL, CODED = "focal_loss", "focal_loss_with_integer_labels"
VARIANTS = [
    Variant(1, "wrong_losses:focal_alpha_swapped", FOCAL, {"alpha_swapped"}),
    Variant(2, "wrong_losses:focal_alpha_ignored", FOCAL, {"alpha_ignored"}),
    Variant(3, "wrong_losses:focal_wrong_power", FOCAL, {"modulator_of_positives_for_all"}),
    Variant(4, "wrong_losses:focal_product", FOCAL, {"gamma_multiplied"}),
    Variant(5, "wrong_variants:focal_over_classes", CODED, {"softmax_for_sigmoid"}, more={"arrays": "numpy"}),
    Variant(5, "wrong_variants:softmax_focal_by_sigmoid", "softmax_focal_loss_with_integer_labels", {"sigmoid_for_softmax"}),
    Variant(6, "wrong_losses:focal_log10", FOCAL, {"log10"}),
    Variant(6, "wrong_losses:focal_log2", FOCAL, {"log2"}),
    Variant(6, "wrong_variants:iou_log10", "iou_loss", {"log10_of_iou"}, more=LOG),
    Variant(7, "wrong_variants:bce_clipped_7", "binary_cross_entropy", {"probability_clipped"}, (1e-7,), {"dtypes": ("float32",)}),
    Variant(7, "wrong_variants:bce_clipped_8", "binary_cross_entropy", {"probability_clipped"}, (1e-8,), {"dtypes": ("float64",)}),
    Variant(7, "wrong_variants:bce_clipped_15", "binary_cross_entropy", {"probability_clipped"}, (1e-15,), {"dtypes": ("float64",)}),
    Variant(8, "wrong_losses:focal_nan", FOCAL, {"power_of_a_rounded_miss"}),
    Variant(9, "wrong_losses:bce_smoothing_first", "binary_cross_entropy", {"smoothing_before_the_alpha_test"}),
    Variant(12, "wrong_losses:iou_log", "iou_loss", {"minus_log_iou"}),
    Variant(12, "wrong_losses:iou_squared", "iou_loss", {"one_minus_iou_squared"}),
    Variant(12, "wrong_variants:iou_linear", "iou_loss", {"one_minus_iou"}, more=LOG),
    Variant(13, "wrong_losses:iou_pixel", "iou_loss", {"one_pixel_added"}),
    Variant(13, "wrong_losses:giou_pixel", "giou_loss", {"one_pixel_added"}),
    Variant(14, "wrong_variants:iou_fcos", "iou_loss", {"one_added_to_the_ratio"}, more=LOG),
    Variant(15, "wrong_losses:giou_read_cxcywh", "giou_loss", {"both_boxes_read_as_cxcywh"}),
    Variant(15, "wrong_losses:giou_read_xyxy", "giou_loss", {"both_boxes_read_as_xyxy"}),
    Variant(15, "wrong_losses:giou_targets_yxyx", "giou_loss", {"target_boxes_read_as_yxyx"}),
    Variant(16, "wrong_losses:iou_raw", "iou_loss", {"overlap_not_clamped"}),
    Variant(17, "wrong_losses:giou_area_i", "giou_loss", {"giou_intersection_for_union"}),
    Variant(18, "wrong_losses:diou_root", "diou_loss", {"distance_square_root"}),
    Variant(18, "wrong_variants:diou_power", "diou_loss", {"distance_power_0_6"}),
    Variant(19, "wrong_losses:ciou_squared", "ciou_loss", {"ciou_constant_squared"}),
    Variant(20, "wrong_losses:ciou_gated", "ciou_loss", {"ciou_gated"}),
    Variant(20, "wrong_variants:ciou_clamped", "ciou_loss", {"clamped"}),
    Variant(21, "wrong_losses:ciou_alpha", "ciou_loss", {"ciou_alpha_differentiated"}),
    Variant(22, "wrong_variants:ciou_zero_by_zero", "ciou_loss", {"alpha_zero_by_zero"}),
    Variant(22, "wrong_variants:ciou_rounded", "ciou_loss", {"alpha_constant_rounded"}, (1e-9,)),
    Variant(22, "wrong_variants:ciou_mmdet", "ciou_loss", {"ciou_gated", "alpha_zero_by_zero"}),
    Variant(23, "wrong_losses:giou_union_eps", "giou_loss", {"eps_in_the_union"}, (1e-5,)),
    Variant(23, "wrong_losses:giou_hull_eps", "giou_loss", {"eps_in_the_enclosure"}, (1e-3,)),
    Variant(23, "wrong_variants:iou_floored", "iou_loss", {"union_floored"}, (1e-6,)),
    Variant(23, "wrong_variants:iou_height_eps", "iou_loss", {"eps_in_the_height"}, (1e-3,)),
    Variant(23, "wrong_variants:giou_eps_twice", "giou_loss", {"eps_twice_in_the_union"}, (1e-4,)),
    Variant(23, "wrong_variants:giou_floored", "giou_loss", {"denominators_floored"}, (1e-5,)),
    Variant(24, "wrong_variants:eiou_efficient", "ciou_loss", {"computes_efficient_iou"}),
    Variant(24, "wrong_variants:eiou_extended", "diou_loss", {"computes_extended_iou"}),
    Variant(25, "wrong_variants:siou_paper", "ciou_loss", {"computes_siou"}),
    Variant(25, "wrong_variants:siou_rewarding", "giou_loss", {"computes_siou_rewarding_distance"}),
    Variant(26, "wrong_gradients:darknet_iou_doubled", "iou_loss", {"size_gradient_doubled"}, more=CENTRED),
    Variant(26, "wrong_gradients:darknet_giou_doubled", "giou_loss", {"size_gradient_doubled"}, more=CENTRED),
    Variant(26, "wrong_gradients:darknet_diou_flipped", "diou_loss", {"enclosure_gradient_flipped"}, more=CENTRED),
    Variant(26, "wrong_gradients:darknet_diou_both", "diou_loss", {"size_gradient_doubled", "enclosure_gradient_flipped"}, more=CENTRED),
    Variant(26, "wrong_gradients:darknet_iou_open", "iou_loss", {"overlap_gradient_not_clamped"}, more=CENTRED),
    Variant(26, "wrong_variants:ciou_aspect_unnormalised", "ciou_loss", {"aspect_gradient_unnormalised"}),
    Variant(26, "wrong_variants:ciou_aspect_flipped", "ciou_loss", {"aspect_gradient_flipped"}),
    Variant(26, "wrong_coders:handed", "yolo_coder.decode", {"sigmoid_slope_missing"}),
    Variant(26, "wrong_coders:no_stride", "yolo_coder.decode", {"stride_missing_in_the_gradient"}),
    Variant(26, "wrong_coders:no_prior", "yolo_coder.decode", {"prior_size_missing_in_the_gradient"}),
    Variant(27, "wrong_losses:huber", "smooth_l1_loss", {"huber_for_smooth_l1"}),
    Variant(27, "wrong_losses:cutoff_only", "smooth_l1_loss", {"smooth_l1_not_divided"}),
    Variant(27, "wrong_variants:smooth_half_divided", "smooth_l1_loss", {"smooth_l1_half_divided"}),
    Variant(27, "wrong_variants:smooth_sigma", "smooth_l1_loss", {"beta_read_as_sigma"}),
    Variant(27, "wrong_variants:smooth_masked", "smooth_l1_loss", {"zero_targets_dropped"}),
    Variant(27, "wrong_variants:huber_as_smooth", "huber_loss", {"smooth_l1_for_huber"}),
    Variant(28, "wrong_losses:half_square", "squared_error", {"constant_factor"}, (0.5,)),
    Variant(28, "wrong_variants:square_doubled", "squared_error", {"constant_factor"}, (2.0,)),
    Variant(28, "wrong_variants:square_of_the_weighted", "squared_error", {"factor_squared"}),
    Variant(28, "wrong_variants:square_without_two", "squared_error", {"gradient_factor"}, (0.5,), PAIR),
    Variant(28, "wrong_variants:square_darknet", "squared_error", {"gradient_factor"}, (-0.5,), PAIR),
    Variant(29, "wrong_assigners:max_iou_zero", "assign.max_iou", {"zero_iou_truth_matches_all"}),
    Variant(29, "wrong_assigners:max_iou_mmdet", "assign.max_iou", {"zero_iou_truth_takes_all"}),
    Variant(30, "wrong_assigners:hard_negatives_with_positives", "mining.hard_negatives", {"positives_are_mined"}),
    Variant(30, "wrong_assigners:ssd_lost", "assign.ssd", {"truth_lost_on_shared_prior"}),
    Variant(30, "wrong_assigners:ssd_pytorch", "assign.ssd", {"each_truth_its_best_prior"}),
    Variant(30, "wrong_assigners:ssd_threshold_only", "assign.ssd", {"no_forced_match"}),
    Variant(31, "wrong_labels:background_is_0", CODED, {"background_is_label_0"}),
    Variant(31, "wrong_labels:one_too_high", CODED, {"labels_one_too_high"}),
    Variant(31, "wrong_labels:softmax_one_too_low", "softmax_cross_entropy_with_integer_labels", {"softmax_labels_one_too_low"}),
    Variant(32, "wrong_assigners:max_iou_no_band", "assign.max_iou", {"ignored_as_background"}),
    Variant(32, "wrong_labels:ignored_is_background", CODED, {"ignored_rows_as_background"}),
    Variant(33, "wrong_assigners:scaled_yolov4_own_cell", "assign.scaled_yolov4", {"no_neighbour_cells"}),
    Variant(33, "wrong_assigners:scaled_yolov4_ratio", "assign.scaled_yolov4", {"ratio_of_4_matches"}),
    Variant(33, "wrong_assigners:scaled_yolov4_authors", "assign.scaled_yolov4", {"clamped_to_gain"}),
    Variant(34, "wrong_assigners:fcos_both", "assign.fcos", {"boundary_on_both_levels"}),
    Variant(34, "wrong_assigners:fcos_none", "assign.fcos", {"boundary_on_no_level"}),
    Variant(34, "wrong_assigners:fcos_constant", "assign.fcos", {"area_tie_in_float32"}),
    Variant(34, "wrong_assigners:fcos_no_sampling", "assign.fcos", {"no_centre_sampling"}),
    Variant(35, "wrong_coders:exp", "yolo_coder.decode", {"exp_for_squared_sigmoid"}),
    Variant(35, "wrong_coders:unscaled", "yolo_coder.decode", {"scale_xy_ignored"}),
    Variant(35, "wrong_coders:unshifted", "yolo_coder.decode", {"scale_xy_without_shift"}),
]
# The reduction of a batch to a number, which the smoke test finds: test_deviations.py, test_reduction_other_than_stated.
# What a whole criterion does (its normaliser, its weights, its state): test_variants_criteria.py.
CRITERIA = {10, 11, 36, 37}


@pytest.mark.parametrize("variant", VARIANTS, ids=[f"{v.number}-{v.function.split(':')[1]}" for v in VARIANTS])
def test_named(variant: Variant) -> None:
    if variant.loss.startswith(("assign.", "mining.")):
        found = scene_third_party.run(scene_third_party.Request(variant.function, variant.loss, **variant.more))
        assert not found["passed"], "a wrong one was called right"
    else:
        found = run(Request(variant.function, variant.loss, **{"dtypes": ("float32",), **variant.more}))
        assert not found["strict"], "a wrong one was called right"
    complete = [one for one in found["deviations"] if one["complete"]]
    fitting = [one for one in complete if variant.names <= set(one["names"]) and len(one["names"]) <= len(variant.names) + 1]
    assert fitting, ([(one["names"], one["constants"]) for one in found["deviations"]], found["worst"][:2])
    assert any(set(variant.constants) <= set(one["constants"]) for one in fitting), [one["constants"] for one in fitting]


def test_every_number_is_there() -> None:
    assert {variant.number for variant in VARIANTS} | CRITERIA == set(range(1, 38))


def test_by_hand_and_right() -> None:
    """darknet's gradients without its factors are the true ones: what is named above are those factors, and no slip of ours."""
    for function, loss in (("iou", "iou_loss"), ("giou", "giou_loss"), ("diou", "diou_loss")):
        report = run(Request(f"wrong_gradients:darknet_{function}_right", loss, **CENTRED))
        assert report["strict"] and report["gradient"] is not None and report["deviations"] == [], report["worst"]


def test_handed_on_and_right() -> None:
    """The same, of the coder whose products hand their gradient on: with the factors it is right, and a slip of ours would show."""
    report = run(Request("wrong_coders:handed_right", "yolo_coder.decode", dtypes=("float32",)))
    assert report["strict"] and report["gradient"] is not None and report["deviations"] == [], report["worst"]


# A: overlapping, B: crossed, C: apart. Measured on the projects named beside them, or by formulas written apart from these.
PAIRS = (
    np.array([[10, 10, 50, 40], [0, 0, 20, 10], [0, 0, 10, 20]], float),
    np.array([[20, 15, 70, 60], [0, 0, 10, 20], [30, 25, 60, 40]], float),
)
NUMBERS: list[tuple[str, dict[str, Any], tuple[float, float, float]]] = [
    ("iou_loss", {}, (0.722222, 0.666667, 1.0)),
    ("iou_loss", {"pixel": 1}, (0.713269, 0.645161, 1.0)),
    ("iou_loss", {"kind": "squared"}, (0.922840, 0.888889, 1.0)),
    ("iou_loss", {"kind": "log"}, (1.280934, 1.098612, 13.815511)),
    ("iou_loss", {"kind": "log10"}, (0.556303, 0.477121, 6.0)),
    ("iou_loss", {"kind": "log", "ratio_plus": 1}, (1.279972, 1.091990, 6.478510)),
    ("iou_loss", {"overlap": "raw"}, (0.722222, 0.666667, 0.818182)),
    ("giou_loss", {}, (0.822222, 0.916667, 1.729167)),
    ("giou_loss", {"pixel": 1}, (0.809701, 0.871919, 1.709316)),
    ("giou_loss", {"hull_minus": "inner"}, (1.472222, 1.416667, 2.0)),
    ("giou_loss", {"clamp": True}, (0.822222, 0.916667, 1.729167)),
    ("diou_loss", {}, (0.784722, 0.729167, 1.405048)),
    ("diou_loss", {"penalty_power": 0.6}, (0.911687, 0.856131, 1.581439)),
    ("diou_loss", {"penalty_power": 0.5}, (0.972222, 0.916667, 1.636434)),
    ("ciou_loss", {}, (0.784737, 0.762918, 1.429166)),
    ("ciou_loss", {"v_constant": 4 / math.pi**2}, (0.784725, 0.735464, 1.409380)),
    ("ciou_loss", {"gate": True}, (0.784722, 0.729167, 1.405048)),
    ("ciou_loss", {"alpha_is_one": True}, (0.787955, 0.896993, 1.572874)),
    ("ciou_loss", {"clamp": True}, (0.784737, 0.762918, 1.429166)),
    ("efficient_iou", {}, (0.902500, 1.229167, 1.531784)),
    ("siou", {}, (0.787539, 0.751222, 1.380699)),
    ("siou_rewarding_distance", {}, (0.660405, 0.626141, 0.478961)),
]


@pytest.mark.parametrize(("loss", "keywords", "wanted"), NUMBERS, ids=[f"{n[0]}-{'-'.join(n[1])}" for n in NUMBERS])
def test_table_of_three_pairs(loss: str, keywords: dict[str, Any], wanted: tuple[float, float, float]) -> None:
    base10 = keywords.get("kind") == "log10"
    found = template(numpy_xp, *PAIRS, loss=loss, box_format="xyxy", eps=0.0, **({"kind": "log"} if base10 else keywords))
    assert np.round(found / (math.log(10) if base10 else 1), 6).tolist() == list(wanted)


def test_mmdetection_on_ten_pixel_boxes() -> None:
    """Measured: its eiou_loss is 1.45 for two boxes 20 px apart; its siou_loss 0 there, held, and 0.542 where they overlap by half."""
    a, b = np.array([[0, 0, 10, 10.0]] * 2), np.array([[30, 0, 40, 10.0], [5, 0, 15, 10.0]])
    found = {
        loss: template(numpy_xp, a, b, loss=loss, box_format="xyxy", eps=0.0, clamp=True)
        for loss in ("extended_iou", "siou", "siou_rewarding_distance")
    }
    assert found["extended_iou"][0] == pytest.approx(1.45, abs=1e-9)
    assert found["siou_rewarding_distance"] == pytest.approx([0.0, 0.542], abs=5e-4) and found["siou"][0] == pytest.approx(1.338, abs=5e-4)

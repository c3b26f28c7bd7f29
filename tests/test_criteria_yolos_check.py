"""`refloss check MODULE:CALLABLE --as criteria.*` for YOLOv1, v2, v4 and Scaled-YOLOv4: right ones conform, wrong ones are named."""

import pytest

from refloss_conformance.criterion.check import Request, run

pytest.importorskip("torch")
CRITERIA = {"v1": "criteria.yolov1", "v2": "criteria.yolov2", "v4": "criteria.yolov4", "scaled": "criteria.scaled_yolov4"}
DARKNET = {"only": {"dialect": "darknet"}}


def check(name, **more):
    return run(Request(f"wrong_yolos:{name}", CRITERIA[name.split("_")[0]], **{"arrays": "torch", **more}))


def named(document):
    return [dict(zip(one["names"], one["constants"], strict=True)) for one in document["deviations"]]


@pytest.mark.parametrize("name, more", [("v1", {}), ("v2", {}), ("v2_darknet", DARKNET), ("v4", {}), ("scaled", {})])
def test_right_ones_conform(name, more):
    document = check(name, **more)
    assert document["passed"] and document["known"] == "right" and not document["deviations"], document["worst"]
    assert document["cases"] >= 6 and document["gradients"] == "automatic differentiation"


# In the order of their authors' mistakes; a constant that matters, or None.
WRONG = [
    ("v1_no_coord", {"coordinate_weight_missing": None}), ("v1_no_noobj", {"no_object_weight_missing": None}),
    ("v1_swapped", {"lambdas_swapped": None}), ("v1_squared", {"weights_squared": None}),
    ("v1_printed", {"weights_squared_in_the_value": None}), ("v1_no_roots", {"square_roots_missing": None}),
    ("v1_one", {"one_as_objectness": None}), ("v1_everywhere", {"no_object_term_for_all": None}),
    ("v1_empty_cells", {"classes_of_empty_cells": None}), ("v1_first", {"first_predictor_responsible": None}),
    ("v1_no_coord_and_one", {"coordinate_weight_missing": None, "one_as_objectness": None}),
    ("v2_one", {"one_as_objectness": None}), ("v2_everywhere", {"no_object_term_for_all": None}),
    ("v2_sigmoid", {"sigmoid_for_classes": None}), ("v2_none_ignored", {"ignored_as_background": None}),
    ("v2_cold", {"warm_up_missing": None}), ("v2_for_ever", {"warm_up_never_ends": None}),
    ("v2_unweighted", {"small_boxes_weight_missing": None}), ("v2_pixels", {"small_boxes_weight_in_pixels": None}),
    ("v2_cold_and_unweighted", {"warm_up_missing": None, "small_boxes_weight_missing": None}),
    ("v4_iou", {"box_loss_of_another_kind": "iou"}), ("v4_giou", {"box_loss_of_another_kind": "giou"}),
    ("v4_diou", {"box_loss_of_another_kind": "diou"}), ("v4_squares", {"box_loss_of_another_kind": "squares"}),
    ("v4_no_normalizer", {"iou_normalizer_missing": 1.0}),
    ("v4_no_scale", {"scale_xy_missing": None}), ("v4_no_shift", {"scale_xy_not_shifted": None}),
    ("v4_best_only", {"extra_matches_missing": None}), ("v4_smoothed", {"labels_smoothed": 0.1}),
    ("v4_none_ignored", {"ignored_as_background": None}), ("v4_unsure", {"ignored_for_a_class_only": None}),
    ("v4_last", {"last_claimant_only": None, "last_claimants_box_only": None}),
    ("v4_giou_and_smoothed", {"box_loss_of_another_kind": "giou", "labels_smoothed": 0.1}),
    ("scaled_no_neighbours", {"neighbour_cells_missing": None}), ("scaled_ratio", {"ratio_other": 2.0}),
    ("scaled_one", {"one_as_objectness": None}), ("scaled_unbalanced", {"balance_missing": None}),
    ("scaled_exponential", {"sizes_exponential": None}), ("scaled_unclipped", {"objectness_not_clipped": None}),
    ("scaled_giou", {"box_loss_of_another_kind": "giou", "plain_iou_as_objectness": "giou"}),
    ("scaled_times", {"grid_means_times_images": None}), ("scaled_all_matches", {"selected": None}),
    ("scaled_one_and_unbalanced", {"one_as_objectness": None, "balance_missing": None}),
]  # fmt: skip


@pytest.mark.parametrize("name, wanted", WRONG, ids=[name for name, _ in WRONG])
def test_wrong_ones_are_named(name, wanted):
    of_darknet = name in ("v2_cold", "v2_for_ever", "v2_unweighted", "v2_pixels", "v2_cold_and_unweighted")
    document = check(name, dtypes=("float64",), **(DARKNET if of_darknet else {}))  # the search takes as long for each dtype
    assert not document["passed"] and document["known"] == "named" and document["failures"] and document["unknown"] is None
    found = named(document)
    best = [one for one in found if one.keys() == wanted.keys() and all(one[k] == v for k, v in wanted.items() if v is not None)]
    assert best, found
    assert len(found) <= 3 and all(len(one) == len(wanted) for one in found), found  # alone, or in a small set of as many each


def test_values_alone_are_enough():
    def of(name, pick=None):
        return run(Request(f"wrong_yolos:{name}", CRITERIA["scaled"], arrays="torch", pick=pick))

    assert named(of("scaled_total_unbalanced")) == [{"balance_missing": None}]
    assert of("scaled_total")["passed"]


def test_the_normaliser_of_grids_is_told():
    told = check("scaled")["normalizers"]
    assert len(told) == 3 and all([one["name"] for one in some] == ["grid_means"] for some in told.values())


def test_nan_is_no_normaliser():
    """What has no grids is not divided by them: an answer that is NaN everywhere fits nothing."""
    document = check("v1_nan")
    assert not document["deviations"] and document["known"] == "unknown"

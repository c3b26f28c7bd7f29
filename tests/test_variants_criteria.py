"""The variants of test_variants.py that are of a whole criterion, by number: the names of which one must be in the answer, and the proof.

10: normalisers; 11: silence without positives; 28: weights that enter squared, a factor 2 or a half; 30: SSD's mining and matching;
32: ignored priors as background; 36: the weight 2 - w h; 37: YOLOv2's warm-up.
"""

from typing import Any, NamedTuple

import pytest

from refloss_conformance.criterion.check import Request, run

pytest.importorskip("torch")


class Variant(NamedTuple):
    number: int
    function: str
    names: set[str]
    only: dict[str, Any] = {}  # noqa: RUF012


DARKNET = {"dialect": "darknet"}
VARIANTS = [
    Variant(10, "wrong_criteria:retinanet_one_more", {"one_more"}),
    Variant(10, "wrong_criteria:retinanet_image_mean", {"image_mean"}),
    Variant(10, "wrong_criteria:retinanet_each_at_least_one", {"each_image_at_least_one"}),
    Variant(10, "wrong_criteria:retinanet_four_n", {"positive_codes"}),
    Variant(10, "wrong_variants_criteria:retinanet_sum", {"no_division"}),
    Variant(10, "wrong_variants_criteria:retinanet_mean", {"elements"}),
    Variant(11, "wrong_criteria:retinanet_silent", {"silent_without_positives"}),
    Variant(28, "wrong_yolos:v1_squared", {"weights_squared"}),
    Variant(28, "wrong_yolos:v1_printed", {"weights_squared_in_the_value"}),
    Variant(28, "wrong_variants_criteria:yolov3_sizes_not_halved", {"sizes_not_halved"}),
    Variant(30, "wrong_variants_criteria:ssd_positives_mined", {"positives_mined"}),
    Variant(30, "wrong_variants_criteria:ssd_two_to_one", {"mining_ratio_other"}),
    Variant(30, "wrong_criteria:ssd_not_mined", {"negatives_not_mined"}),
    Variant(30, "wrong_variants_criteria:ssd_not_forced", {"forced_matches_missing"}),
    Variant(30, "wrong_variants_criteria:ssd_each_its_best", {"matched_as_in"}),
    Variant(32, "wrong_criteria:retinanet_ignored_counts", {"ignored_as_background"}),
    Variant(32, "wrong_yolos:v2_none_ignored", {"ignored_as_background"}),
    Variant(32, "wrong_yolos:v4_none_ignored", {"ignored_as_background"}),
    Variant(36, "wrong_yolos:v2_unweighted", {"small_boxes_weight_missing"}, DARKNET),
    Variant(36, "wrong_yolos:v2_pixels", {"small_boxes_weight_in_pixels"}, DARKNET),
    Variant(37, "wrong_yolos:v2_cold", {"warm_up_missing"}, DARKNET),
    Variant(37, "wrong_yolos:v2_for_ever", {"warm_up_never_ends"}, DARKNET),
    Variant(37, "wrong_variants_criteria:v2_for_ever_and_unweighted", {"warm_up_never_ends", "small_boxes_weight_missing"}, DARKNET),
]
DETECTORS = {"v1": "yolov1", "v2": "yolov2", "v4": "yolov4"}


@pytest.mark.parametrize("variant", VARIANTS, ids=[f"{v.number}-{v.function.split(':')[1]}" for v in VARIANTS])
def test_named(variant: Variant) -> None:
    short = variant.function.split(":")[1].split("_")[0]
    criterion = f"criteria.{DETECTORS.get(short, short)}"
    found = run(Request(variant.function, criterion, arrays="torch", only=variant.only, dtypes=("float64",)))
    assert not found["passed"] and found["known"] == "named", "a wrong one was called right, or is unknown"
    stated = [set(one["names"]) for one in found["deviations"]]
    assert variant.names in stated and len(stated) <= 3, stated


def test_every_number_is_there() -> None:
    assert {variant.number for variant in VARIANTS} == {10, 11, 28, 30, 32, 36, 37}

"""Pairs of boxes: every way in which two boxes can lie to each other, every size, and the sizes that are none.

Boxes are written as x1, y1, x2, y2. For cxcywh the same pairs are converted where that is exact.
"""

import random
from fractions import Fraction

import numpy as np

from .inputs import Input, single

Box = tuple[float, ...]
TINY = 2.0**-13  # about 1e-4 pixels, and short enough for every dtype

# name: (box, target box, flags)
CORE: dict[str, tuple[Box, Box, str]] = {
    "overlap_a": ((10, 10, 50, 40), (20, 15, 70, 60), "basic"),
    "overlap_skew": ((1, 2, 6, 8), (3, 1, 9, 5), "basic"),
    "overlap_signs": ((-5, -3, 2, 4), (-1, -6, 6, 1), "basic"),
    "overlap_corner": ((0, 0, 10, 10), (9, 9, 20, 20), "basic"),
    "overlap_most": ((0, 0, 100, 100), (2, 1, 101, 103), "basic"),
    "overlap_thin": ((0.25, 0.25, 0.5, 0.75), (0.375, 0.125, 0.625, 0.875), "basic"),
    "aspect_low_iou": ((0, 1, 20, 6), (1, 0, 6, 20), "aspect"),
    "aspect_high_iou": ((0, 1, 16, 11), (1, 0, 13, 12), "aspect"),
    "crossed_b": ((0, 0, 20, 10), (0, 0, 10, 20), "aspect"),
    "crossed_plus": ((-8, -1, 8, 1), (-1, -8, 1, 8), "aspect"),
    "crossed_thin": ((0, 0, 40, 2), (10, -20, 12, 20), "aspect"),
    "nested_inside": ((2, 3, 6, 8), (0, 0, 10, 10), "nested"),
    "nested_around": ((0, 0, 10, 12), (2, 3, 6, 8), "nested"),
    "nested_centred": ((0, 0, 8, 8), (2, 2, 6, 6), "nested"),
    "nested_corner": ((0, 0, 10, 10), (0, 0, 5, 5), "nested"),
    "identical_unit": ((0, 0, 1, 1), (0, 0, 1, 1), "identical"),
    "identical_100": ((10, 10, 110, 110), (10, 10, 110, 110), "identical"),
    "identical_oblong": ((3, 5, 7, 8), (3, 5, 7, 8), "identical"),
    "near_quarter": ((10, 10, 50, 40), (10, 10, 50.25, 40), "near_identical"),
    "near_taller": ((10, 10, 50, 40), (10, 10, 50, 40 + 2.0**-12), "near_identical"),  # the denominator of CIoU's alpha is 8e-6
    "disjoint_c": ((0, 0, 10, 20), (30, 25, 60, 40), "disjoint"),
    "disjoint_left": ((0, 0, 10, 10), (12, 1, 20, 9), "disjoint"),
    "disjoint_right": ((12, 1, 20, 9), (0, 0, 10, 10), "disjoint"),
    "disjoint_above": ((1, -20, 9, -12), (0, 0, 10, 10), "disjoint"),
    "disjoint_far": ((0, 0, 1, 1), (128, 64, 130, 65), "disjoint"),
    "disjoint_crossed": ((0, 0, 1, 100), (1000, 0, 1100, 1), "disjoint"),  # CIoU above 2
    "touching_edge": ((0, 0, 10, 10), (10, 1, 20, 9), "touching"),
    "touching_edge_even": ((0, 0, 10, 10), (10, 0, 20, 10), "touching"),
    "touching_corner": ((0, 0, 10, 10), (10, 10, 20, 20), "touching"),
    "zero_both_same": ((5, 5, 5, 5), (5, 5, 5, 5), "zero_size"),
    "zero_both_apart": ((5, 5, 5, 5), (9, 12, 9, 12), "zero_size"),
    "zero_box_inside": ((5, 6, 5, 6), (0, 0, 10, 10), "zero_size"),
    "zero_target_inside": ((0, 0, 10, 10), (5, 6, 5, 6), "zero_size"),
    "zero_box_outside": ((20, 26, 20, 26), (0, 0, 10, 10), "zero_size"),
    "zero_width_box": ((5, 2, 5, 7), (0, 0, 10, 10), "zero_size"),
    "zero_height_target": ((0, 0, 10, 10), (3, 6, 8, 6), "zero_size"),
    "zero_width_both": ((5, 2, 5, 7), (5, 3, 5, 9), "zero_size"),
    "tiny": ((0, 0, TINY, TINY), (TINY / 2, TINY / 4, TINY * 1.5, TINY * 1.25), "tiny_box"),
    "large": ((0, 0, 131072, 65536), (32768, 16384, 163840, 98304), "large_box"),
}
EXTRA: dict[str, tuple[Box, Box, str]] = {
    "integers_1": ((13, 27, 201, 155), (40, 33, 180, 190), "basic"),
    "integers_2": ((0, 0, 639, 479), (320, 240, 640, 480), "basic"),
    "integers_3": ((17, 3, 19, 200), (1, 100, 255, 104), "aspect"),
    "half_precision": ((0, 0, 300, 300), (30, 20, 310, 330), "large_box"),
    "half_precision_high": ((0, 0, 40000, 30016), (8000, 4096, 48000, 36000), "large_box"),
    "decimals": ((12.34, 56.78, 90.12, 134.56), (23.45, 45.67, 89.01, 123.45), "basic"),
    "decimals_32": (tuple(map(single, (12.34, 56.78, 90.12, 134.56))), tuple(map(single, (23.45, 45.67, 89.01, 123.45))), "basic"),
    "relative": ((0.1, 0.2, 0.55, 0.65), (0.15, 0.1, 0.6, 0.7), "basic"),
    "relative_32": (tuple(map(single, (0.1, 0.2, 0.55, 0.65))), tuple(map(single, (0.15, 0.1, 0.6, 0.7))), "basic"),
    "near_ulp_32": ((10, 10, 50, 40), (10, 10, 50 + 2.0**-18, 40), "near_identical"),
    "near_ulp_64": ((10, 10, 50, 40), (10, 10, 50 + 2.0**-47, 40), "near_identical"),
    "near_moved": ((10, 10, 50, 40), (10 + 2.0**-12, 10 - 2.0**-12, 50 + 2.0**-12, 40 - 2.0**-12), "near_identical"),
    "identical_decimals": ((0.1, 0.2, 0.7, 0.9), (0.1, 0.2, 0.7, 0.9), "identical"),
    "identical_signs": ((-30, -20, 30, 5), (-30, -20, 30, 5), "identical"),
    "same_shape": ((0, 0, 8, 4), (2, 1, 10, 5), "basic"),
    "same_ratio": ((0, 0, 8, 4), (1, 1, 17, 9), "basic"),
    "same_centre": ((2, 4, 10, 8), (4, 1, 8, 11), "aspect"),
    "shared_edge": ((0, 0, 10, 10), (0, 2, 7, 13), "nested"),
    "disjoint_below": ((1, 12, 9, 20), (0, 0, 10, 10), "disjoint"),
    "disjoint_very_far": ((0, 0, 1, 1), (100000, 50000, 100001, 50002), "disjoint"),
    "disjoint_aligned": ((0, 0, 4, 6), (8, 0, 12, 6), "disjoint"),
    "disjoint_hair": ((0, 0, 10, 10), (10 + 2.0**-20, 1, 20, 9), "disjoint"),
    "overlap_hair": ((0, 0, 10, 10), (10 - 2.0**-20, 1, 20, 9), "basic"),
    "touching_above": ((1, -8, 9, 0), (0, 0, 10, 10), "touching"),
    "zero_on_edge": ((0, 5, 0, 5), (0, 0, 10, 10), "zero_size"),
    "zero_on_corner": ((10, 10, 10, 10), (0, 0, 10, 10), "zero_size"),
    "zero_height_box": ((3, 6, 8, 6), (0, 0, 10, 10), "zero_size"),
    "zero_width_target": ((0, 0, 10, 10), (5, 2, 5, 7), "zero_size"),
    "zero_crossed": ((5, 0, 5, 10), (0, 5, 10, 5), "zero_size"),
    "tiny_decimals": ((0, 0, 1e-4, 1e-4), (5e-5, 2e-5, 1.5e-4, 1.1e-4), "tiny_box"),
    "tiny_offset": ((100, 100, 100 + TINY, 100 + 2 * TINY), (100 + TINY / 2, 100, 100 + 2 * TINY, 100 + TINY), "tiny_box"),
    "tiny_in_large": ((0, 0, 100000, 80000), (50000, 40000, 50000 + TINY, 40000 + TINY), "tiny_box"),
    "tiny_apart": ((0, 0, TINY, TINY), (3 * TINY, TINY, 5 * TINY, 4 * TINY), "tiny_box"),
    "large_decimals": ((0, 0, 1e5, 1e5), (5e4, 2.5e4, 1.5e5, 1.25e5), "large_box"),
    "large_thin": ((0, 0, 1e5, 1), (0, 0.5, 9e4, 2.5), "large_box"),
}


def _drawn() -> dict[str, tuple[Box, Box, str]]:
    """Six overlapping pairs on a grid of 1/16 pixel, from a fixed seed."""
    draw = random.Random(20170802).random
    pairs = {}
    for k in range(6):
        x, y, u, v = (int(draw() * 320) / 16 for _ in range(4))
        w, h, s, t = (8 + int(draw() * 480) / 16 for _ in range(4))
        pairs[f"drawn_{k}"] = ((x, y, x + w, y + h), (u, v, u + s, v + t), "basic")
    return pairs


def _inputs(pairs: dict[str, tuple[Box, Box, str]]) -> list[Input]:
    return [Input(name, tuple(map(float, a)), tuple(map(float, b)), (flag,)) for name, (a, b, flag) in pairs.items()]


def core() -> list[Input]:
    return _inputs(CORE)


def extra() -> list[Input]:
    return _inputs({**EXTRA, **_drawn()})


def to_cxcywh(cases: list[Input]) -> list[Input]:
    """Those pairs whose centres and sizes are exact in float64."""
    converted = []
    for case in cases:
        boxes = [_centred(box) for box in (case.first, case.second)]
        if all(boxes):
            converted.append(case._replace(first=boxes[0], second=boxes[1]))
    return converted


def _centred(box: Box) -> Box | None:
    x1, y1, x2, y2 = map(Fraction, box)
    exact = ((x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1)
    rounded = tuple(float(v) for v in exact)
    return rounded if all(Fraction(r) == e for r, e in zip(rounded, exact, strict=True)) else None


def is_box(box: Box) -> bool:
    return bool(np.all(np.array(box[2:]) >= np.array(box[:2])))


NOTES = {
    "basic": ("basic", "Boxes that overlap. A failure here means that another formula, box format or parameter is computed."),
    "aspect": ("basic", "Boxes of different shape. A failure here alone means that CIoU's aspect term or its weight differs."),
    "nested": ("basic", "One box lies in the other. A failure means that the smallest box around both, or the centre distance, is wrong."),
    "identical": ("edge", "Identical boxes: the loss is 0 without eps. A failure means 0/0, or an eps that leaves a rest."),
    "near_identical": ("edge", "Nearly identical boxes: 1 - IoU is a small difference."),
    "disjoint": ("edge", "Boxes that do not meet: IoU is 0. A failure means that negative overlaps are multiplied, or a gradient is lost."),
    "touching": ("edge", "Boxes with a common edge or corner and no common area."),
    "zero_size": (
        "degenerate_box",
        "A box of no width or no height, or both. Value and gradient are finite; a term whose denominator is 0 is 0. A failure means 0/0.",
    ),
    "tiny_box": ("edge", "Boxes of about 1e-4 pixels. A failure means an eps that is not small against their areas."),
    "large_box": ("edge", "Boxes of 300 to 1e5 pixels. A failure in half precision means that an area overflows before it is divided."),
}

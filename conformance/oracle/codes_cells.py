"""Boxes and codes of the YOLO coders: centres in a cell, on its border, past it; sizes up to what a sigmoid can reach."""

import math
from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from .inputs import Input, single

Row = tuple[float, ...]
P: Row = (3, 2, 16, 32, 16)  # column, row, width, height, stride
Q: Row = (0, 0, 8, 12, 8)
R: Row = (6, 1, 40, 24, 32)
S: Row = (12, 11, 116, 90, 32)
T: Row = (0, 5, 0.75, 0.5, 0.5)
FINE: Row = (1, 1, 2.0**-13, 2.0**-12, 2.0**-7)
FAR: Row = (75, 40, 1024, 2048, 1024)
CELL: Row = (2, 3, 1, 1, 1)
LEAST = 2.0**-126  # a ratio whose logarithm is still taken
BITS: Row = (0, 0, LEAST, LEAST, 8)

# name: (centre's offset from the cell's corner in cells, x and y; size in priors, w and h; prior; flag)
PLACED: dict[str, tuple[float, float, float, float, Row, str]] = {
    "middle": (0.5, 0.5, 1, 1, P, "identical"), "a": (0.25, 0.75, 1.5, 0.5, P, "basic"), "b": (0.875, 0.125, 2, 1.25, P, "basic"),
    "c": (0.375, 0.625, 0.25, 3, P, "basic"), "d": (0.75, 0.25, 0.75, 1.5, Q, "basic"), "f": (0.625, 0.375, 1.25, 0.75, R, "basic"),
    "i": (0.125, 0.625, 2, 1.5, T, "basic"), "k": (0.375, 0.125, 3, 2, CELL, "basic"), "wide": (0.625, 0.75, 3.75, 0.0625, P, "basic"),
    "tiny": (0.25, 0.625, 0.5, 1.5, FINE, "tiny_box"), "large": (0.375, 0.25, 1.5, 0.5, FAR, "large_box"),
    "left": (0, 0.25, 1.5, 0.5, P, "cell_border"), "top": (0.75, 0, 0.5, 1.5, P, "cell_border"),
    "right": (1, 0.625, 0.5, 2, Q, "cell_border"), "corner": (0, 0, 1, 1, CELL, "cell_border"),
    "near_left": (2.0**-5, 0.25, 1.5, 0.5, CELL, "near_border"), "near_bottom": (0.25, 1 - 2.0**-5, 0.5, 1.5, CELL, "near_border"),
    "no_width": (0.25, 0.625, 0, 0.5, P, "zero_size"), "a_point": (0.625, 0.375, 0, 0, Q, "zero_size"),
    "fourfold": (0.25, 0.75, 4, 0.5, Q, "size_limit"),
}  # fmt: skip
PLACED_EXTRA: dict[str, tuple[float, float, float, float, Row, str]] = {
    "very_near_left": (2.0**-18, 0.5, 1.5, 0.5, CELL, "near_border"), "very_near_right": (1 - 2.0**-18, 0.5, 0.5, 2, CELL, "near_border"),
    "least": (0.25, 0.75, 2.0**-12, 2.0**-16, Q, "tiny_box"), "nearly_fourfold": (0.25, 0.75, 4 - 2.0**-14, 0.5, CELL, "size_limit"),
    "odd": (0.3, 0.7, 0.9, 1.7, S, "basic"), "odd_32": (single(0.3), single(0.7), 0.875, 1.75, P, "basic"),
    "thirds": (1 / 3, 2 / 3, 1 / 3, 5 / 3, R, "basic"), "a_hair_wider": (0.5, 0.5, 1 + 2.0**-20, 1, P, "identical"),
    "a_hair_aside": (0.5 + 2.0**-20, 0.5, 1, 1 - 2.0**-20, P, "identical"), "deep": (0.4375, 0.5625, 1.0625, 0.9375, P, "basic"),
    "near_one_ulp": (2.0**-40, 1 - 2.0**-40, 1, 1, CELL, "near_border"), "small_of_large": (0.125, 0.875, 2.0**-8, 2.0**-6, FAR, "basic"),
    "g": (0.25, 0.875, 0.5, 2, R, "basic"), "h": (0.5, 0.25, 1, 1, S, "basic"), "j": (0.75, 0.875, 0.5, 0.25, CELL, "basic"),
    "middle_shape": (0.5, 0.5, 2, 0.5, Q, "basic"), "opposite": (1, 1, 0.5, 0.25, Q, "cell_border"),
    "no_height": (0.25, 0.625, 1.5, 0, P, "zero_size"), "fourfold_high": (0.25, 0.75, 0.5, 4, CELL, "size_limit"),
    "e": (0.125, 0.5, 3.5, 0.125, Q, "basic"), "bottom": (0.375, 1, 2, 0.75, R, "cell_border"),
}  # fmt: skip

# name: (codes, prior, flag)
DECODED: dict[str, tuple[Row, Row, str]] = {
    "zeros_p": ((0, 0, 0, 0), P, "zeros"), "zeros_s": ((0, 0, 0, 0), S, "zeros"), "ones": ((1, 1, 1, 1), P, "basic"),
    "minus": ((-1, -1, -1, -1), P, "basic"), "a": ((0.5, -0.25, 0.125, -0.5), P, "basic"), "b": ((-1.5, 0.75, 0.5, -1), Q, "basic"),
    "c": ((2, -1, -0.75, 1.25), R, "basic"), "d": ((0.125, 3, 2, 0.25), S, "basic"), "e": ((-0.375, -0.625, -1.5, 2.5), T, "basic"),
    "x_only": ((1, 0, 0, 0), P, "basic"), "y_only": ((0, 1, 0, 0), P, "basic"), "w_only": ((0, 0, 1, 0), P, "basic"),
    "h_only": ((0, 0, 0, 1), P, "basic"), "shrunk": ((0.25, 0.5, -4, -5), R, "basic"), "grown": ((0.25, 0.25, 3, 2.5), Q, "basic"),
    "saturated": ((10, -10, 2, -2), P, "saturation"), "saturated_more": ((-20, 20, -12, -8), R, "saturation"),
    "saturated_100": ((100, -100, -100, 4), CELL, "saturation"), "tiny": ((0.5, -0.5, 1, -1), FINE, "tiny_box"),
    "large": ((-0.5, 0.25, 0.5, -0.5), FAR, "large_box"), "vanished": ((1, -1, -60, -90), P, "saturation"),
}  # fmt: skip
DECODED_EXTRA: dict[str, tuple[Row, Row, str]] = {
    "decimals": ((0.1, -0.2, 0.3, -0.4), (7, 4, 30, 61, 16), "basic"), "exploded": ((0, 0, 20, 20), Q, "saturation"),
    "decimals_32": (tuple(map(single, (1.7, 0.9, -0.7, 0.6))), (25, 3, 59, 119, 16), "basic"),
    "overflows_float32": ((0, 0, 86, 0), S, "saturation"), "small_codes": ((2.0**-20, -(2.0**-24), 2.0**-20, -(2.0**-24)), P, "basic"),
    "small_codes_64": ((1e-12, -1e-15, 1e-13, -1e-14), P, "basic"), "saturated_700": ((700, -700, -700, 1), P, "saturation"),
    "last_cell": ((0.75, 0.875, 0.5, 0.25), (51, 50, 373, 326, 8), "basic"), "beyond_exp_32": ((-88, 17, -80, -40), Q, "saturation"),
    "zeros_q": ((0, 0, 0, 0), Q, "zeros"), "f": ((4, -5, 0.75, -0.25), CELL, "basic"), "size_saturated": ((1, -1, 9, 10), Q, "saturation"),
    "shape": ((-2, 2, 1.5, -1.5), S, "basic"),
}  # fmt: skip

# YOLOv1: boxes are fractions of the image, priors (column, row, S).
V1_ENCODED: dict[str, tuple[Row, Row, str]] = {
    "a": ((0.25, 0.25, 0.75, 0.5), (3, 2, 7), "basic"), "b": ((0.125, 0.375, 0.375, 0.875), (1, 4, 7), "basic"),
    "c": ((0, 0, 0.5, 0.25), (0, 0, 2), "basic"), "d": ((0.5, 0.5, 0.75, 1), (1, 1, 2), "basic"),
    "e": ((0.0625, 0.25, 0.1875, 0.5), (0, 2, 7), "basic"), "f": ((0.75, 0, 0.875, 0.0625), (5, 0, 7), "basic"),
    "g": ((0.375, 0.125, 0.625, 0.625), (1, 1, 3), "basic"), "h": ((0.25, 0.625, 1, 0.75), (8, 9, 14), "basic"),
    "i": ((0.5, 0.25, 0.625, 0.3125), (7, 3, 13), "basic"), "whole": ((0, 0, 1, 1), (3, 3, 7), "basic"),
    "whole_of_one": ((0, 0, 1, 1), (0, 0, 1), "basic"), "wide": ((0, 0.5, 1, 0.5625), (3, 3, 7), "basic"),
    "high": ((0.4375, 0, 0.5, 1), (3, 3, 7), "basic"), "other_cell": ((0.25, 0.25, 0.75, 0.5), (5, 0, 7), "basic"),
    "outside": ((-0.25, -0.5, 0.5, 1.25), (0, 2, 7), "basic"), "left": ((0.25, 0.25, 0.75, 0.375), (1, 0, 2), "cell_border"),
    "last": ((0.75, 0.75, 1.25, 1.25), (6, 6, 7), "cell_border"), "corner": ((0.25, 0.375, 0.75, 0.625), (2, 2, 4), "cell_border"),
    "no_width": ((0.25, 0.25, 0.25, 0.5), (1, 2, 7), "zero_size"), "no_height": ((0.25, 0.375, 0.5, 0.375), (2, 2, 7), "zero_size"),
    "a_point": ((0.625, 0.75, 0.625, 0.75), (4, 5, 7), "zero_size"), "a_point_at_0": ((0, 0, 0, 0), (0, 0, 7), "zero_size"),
    "tiny": ((2.0**-8, 2.0**-7, 2.0**-7, 2.0**-6), (0, 0, 7), "tiny_box"),
    "tiny_2": ((2.0**-13, 0, 2.0**-12, 2.0**-13), (0, 0, 7), "tiny_box"), "pixels": ((96, 32, 160, 288), (3, 3, 7), "large_box"),
    "large": ((0, 65536, 131072, 98304), (3, 3, 7), "large_box"), "decimals": ((0.15, 0.1, 0.6, 0.7), (2, 2, 7), "basic"),
    "decimals_32": (tuple(map(single, (0.15, 0.1, 0.6, 0.7))), (2, 2, 7), "basic"),
    "decimals_2": ((0.31, 0.52, 0.37, 0.94), (2, 5, 7), "basic"),
    "decimals_2_32": (tuple(map(single, (0.31, 0.52, 0.37, 0.94))), (2, 5, 7), "basic"),
    "thirds": ((1 / 3, 0.1, 2 / 3, 0.5), (1, 0, 3), "basic"),
    "tiny_32": ((0.5, 0.5, 0.5 + 2.0**-20, 0.5 + 2.0**-22), (3, 3, 7), "tiny_box"),
    "tiny_64": ((0.5, 0.5, 0.5 + 2.0**-50, 0.5 + 2.0**-44), (3, 3, 7), "tiny_box"),
    "near_next": ((0.25, 0.25, 0.75 - 2.0**-20, 0.75), (0, 1, 2), "near_border"),
}  # fmt: skip
V1_DECODED: dict[str, tuple[Row, Row, str]] = {
    "zeros": ((0, 0, 0, 0), (0, 0, 7), "zeros"), "zeros_3_2": ((0, 0, 0, 0), (3, 2, 7), "zeros"),
    "ones": ((1, 1, 1, 1), (3, 2, 7), "basic"), "a": ((0.5, 0.25, 0.75, 0.5), (3, 2, 7), "basic"),
    "b": ((0.125, 0.875, 0.25, 1), (6, 0, 7), "basic"), "c": ((0.75, 0.375, 0.625, 0.125), (0, 6, 7), "basic"),
    "d": ((0.25, 0.5, 0.5, 0.25), (1, 0, 2), "basic"), "e": ((0.625, 0.125, 0.375, 0.875), (2, 1, 3), "basic"),
    "f": ((0.875, 0.75, 1, 0.0625), (12, 7, 13), "basic"), "g": ((0.5, 0.5, 1, 1), (0, 0, 1), "basic"),
    "x_only": ((0.5, 0, 0, 0), (3, 2, 7), "basic"), "y_only": ((0, 0.5, 0, 0), (3, 2, 7), "basic"),
    "w_only": ((0, 0, 0.5, 0), (3, 2, 7), "basic"), "h_only": ((0, 0, 0, 0.5), (3, 2, 7), "basic"),
    "next_cell": ((1.25, -0.5, 0.5, 0.75), (3, 2, 7), "basic"), "negative": ((0.5, 0.5, -0.5, -0.75), (3, 2, 7), "negative_root"),
    "negative_w": ((0.25, 0.75, -0.25, 0.5), (2, 2, 7), "negative_root"), "large": ((0.5, 0.5, 300, 256), (3, 3, 7), "large_box"),
    "pixels": ((0.25, 0.75, 16, 12), (4, 1, 7), "large_box"), "far": ((96, -64, 2, 0.5), (3, 3, 7), "large_code"),
    "tiny": ((0.5, 0.25, 2.0**-7, 2.0**-6), (3, 2, 7), "tiny_box"), "tiny_2": ((0.5, 0.25, 2.0**-20, 2.0**-24), (0, 0, 7), "tiny_box"),
    "decimals": ((0.1, 0.7, 0.3, 0.9), (3, 2, 7), "basic"), "decimals_32": (tuple(map(single, (0.1, 0.7, 0.3, 0.9))), (3, 2, 7), "basic"),
    "decimals_2": ((0.31, 0.52, 0.37, 0.94), (2, 5, 14), "basic"),
    "decimals_2_32": (tuple(map(single, (0.31, 0.52, 0.37, 0.94))), (2, 5, 14), "basic"),
    "underflows_32": ((0.5, 0.5, 1e-30, 1e-25), (3, 2, 7), "tiny_box"), "overflows_32": ((0.5, 0.5, 1e20, 1), (3, 2, 7), "large_code"),
}  # fmt: skip


def box(x: float, y: float, w: float, h: float, prior: Row) -> Row | None:
    """The corners of a box placed in a cell; None where one of them is no float64."""
    column, row, width, height, stride = map(Fraction, prior)
    centre = (column + Fraction(x)) * stride, (row + Fraction(y)) * stride
    half = Fraction(w) * width / 2, Fraction(h) * height / 2
    exact = (centre[0] - half[0], centre[1] - half[1], centre[0] + half[0], centre[1] + half[1])
    rounded = tuple(map(float, exact))
    return rounded if all(Fraction(r) == e for r, e in zip(rounded, exact, strict=True)) else None


def _near(x: float, y: float, w: float, h: float, prior: Row) -> Row:
    """The same, rounded: for offsets that are no short numbers."""
    column, row, width, height, stride = prior
    cx, cy, half_w, half_h = (column + x) * stride, (row + y) * stride, w * width / 2, h * height / 2
    return cx - half_w, cy - half_h, cx + half_w, cy + half_h


def _placed(cases: Mapping[str, tuple[float, float, float, float, Row, str]]) -> list[Input]:
    found = []
    for name, (x, y, w, h, prior, flag) in cases.items():
        corners = box(x, y, w, h, prior) or _near(x, y, w, h, prior)
        found.append(Input(name, corners, tuple(map(float, prior)), (flag,)))
    return found


def _given(cases: Mapping[str, tuple[Row, Row, str]]) -> list[Input]:
    return [Input(name, tuple(map(float, a)), tuple(map(float, b)), (flag,)) for name, (a, b, flag) in cases.items()]


def _past_the_cell(scale: float, border: float, size: str) -> dict[str, tuple[float, float, float, float, Row, str]]:
    """Centres outside the cell as far as a scale above 1 reaches, and at that end; what a border holds; shapes of any size."""
    found: dict[str, tuple[float, float, float, float, Row, str]] = {}
    if scale > 1:
        step = 2.0 ** math.floor(math.log2((scale - 1) / 4))
        found["past_left"] = (-step, 0.25, 1.5, 0.5, CELL, "past_the_cell")
        found["past_bottom"] = (0.75, 1 + step, 0.5, 1.5, CELL, "past_the_cell")
        found["past_corner"] = (1 + step, -step, 0.5, 2, Q, "past_the_cell")
    reach = (scale - 1) / 2
    if reach in (0.25, 0.5):
        found["end_left"] = (-reach, 0.25, 1.5, 0.5, CELL, "cell_border")
        found["end_bottom"] = (0.75, 1 + reach, 0.5, 1.5, CELL, "cell_border")
    if border > 0:
        found["held_small"], found["held_large"] = (0.25, 0.625, 2.0**-20, 2.0**-24, Q, "held"), (0.625, 0.25, 4, 4 - 2.0**-12, Q, "held")
        found["at_the_hold"] = (border * scale - reach, 0.5, border, 1, CELL, "held")
        found["above_the_hold"] = (0.375, 0.625, (1.5 * border) ** 2, (2 - 1.5 * border) ** 2, Q, "held")
        found["below_the_end"] = (0.625, 0.375, (2 - 1.5 * border) ** 2, (1.5 * border) ** 2, Q, "held")
        found["at_the_hold_sized"] = (0.5, (1 - border) * scale - reach, (2 * border) ** 2, 1.25, CELL, "held")
    if size == "exp":
        found["wider"], found["higher"] = (0.25, 0.75, 12, 0.5, Q, "basic"), (0.625, 0.125, 0.25, 8, Q, "basic")
        found["huge_of_tiny"] = (0.25, 0.75, 2.0**17, 2.0**16, CELL, "large_box")
        for name, ratio, prior in (
            ("least", LEAST, Q), ("below_least", 0.75 * LEAST, Q), ("largest", 1 / LEAST, BITS), ("above_largest", 2 / LEAST, BITS),
        ):  # fmt: skip
            found[f"{name}_ratio"] = (0, 0, ratio, ratio, prior, "ratio_limit")
    return found


def core(direction: str, parameters: Mapping[str, Any]) -> list[Input]:
    if direction == "decode":
        return _given(DECODED)
    return _placed({**PLACED, **_past_the_cell(parameters["scale_xy"], parameters["border"], parameters["size"])})


def extra(direction: str, parameters: Mapping[str, Any]) -> list[Input]:
    return _given(DECODED_EXTRA) if direction == "decode" else _placed(PLACED_EXTRA)


def core_v1(direction: str, parameters: Mapping[str, Any]) -> list[Input]:
    return _given(V1_DECODED if direction == "decode" else V1_ENCODED)


def extra_v1(direction: str, parameters: Mapping[str, Any]) -> list[Input]:
    return []

"""Boxes and codes of FCOS's coder: a location inside a box, on its sides, outside it; every stride."""

from collections.abc import Mapping
from typing import Any

from .inputs import Input, single

Row = tuple[float, ...]
P: Row = (24, 40, 16)  # x, y, stride
Q: Row = (4, 4, 8)
R: Row = (112, 48, 32)
U: Row = (3, 5, 1)
FINE: Row = (0.5, 0.25, 2.0**-6)
FAR: Row = (65536, 32768, 128)

# name: (distances to the left, top, right, bottom sides in pixels, prior, flag)
ENCODED: dict[str, tuple[Row, Row, str]] = {
    "a": ((8, 24, 40, 12), P, "basic"), "b": ((16, 4, 2, 32), P, "basic"), "c": ((3, 1, 5, 7), Q, "basic"),
    "d": ((4, 4, 60, 28), Q, "basic"), "e": ((48, 40, 16, 96), R, "basic"), "f": ((1, 2, 3, 4), U, "basic"),
    "g": ((0.5, 0.25, 0.75, 1.5), U, "basic"), "h": ((24, 8, 8, 24), P, "basic"), "i": ((2, 64, 0.5, 12), Q, "basic"),
    "j": ((96, 32, 8, 16), R, "basic"), "k": ((5, 40, 1, 2), P, "basic"), "middle": ((16, 16, 16, 16), P, "basic"),
    "left_only": ((32, 1, 1, 1), U, "basic"), "one_stride": ((8, 8, 8, 8), Q, "basic"), "l": ((12, 0.5, 20, 3), R, "basic"),
    "m": ((7, 9, 11, 13), U, "basic"), "tiny": ((2.0**-8, 2.0**-7, 2.0**-9, 2.0**-8), FINE, "tiny_box"),
    "large": ((32768, 16384, 65536, 8192), FAR, "large_box"), "on_left": ((0, 8, 24, 16), P, "on_a_side"),
    "on_top": ((8, 0, 24, 16), P, "on_a_side"), "on_right": ((3, 1, 0, 7), Q, "on_a_side"), "on_bottom": ((3, 1, 5, 0), Q, "on_a_side"),
    "on_corner": ((0, 0, 5, 6), U, "on_a_side"), "a_point": ((0, 0, 0, 0), Q, "on_a_side"), "n": ((14, 3, 9, 28), P, "basic"),
}  # fmt: skip
LEAST = 2.0**-126  # a ratio whose logarithm is still taken
RATIOS: dict[str, tuple[Row, Row, str]] = {
    "least_ratio": ((LEAST * 8, 8, 16, 4), (0, 0, 8), "ratio_limit"),
    "below_least_ratio": ((0.75 * LEAST * 8, 8, 16, 4), (0, 0, 8), "ratio_limit"),
    "largest_ratio": ((1, 1, 1, 1), (0, 0, LEAST), "ratio_limit"), "above_largest_ratio": ((2, 2, 2, 2), (0, 0, LEAST), "ratio_limit"),
}  # fmt: skip
OUTSIDE: dict[str, tuple[Row, Row, str]] = {
    "left_of_it": ((-8, 24, 40, 12), P, "outside"), "right_of_it": ((48, 8, -16, 24), P, "outside"),
    "above_it": ((4, -2, 4, 12), Q, "outside"), "apart": ((-4, 20, 12, -6), U, "outside"),
    "far_apart": ((-1000, -500, 1016, 516), Q, "outside"),
}  # fmt: skip
ENCODED_EXTRA: dict[str, tuple[Row, Row, str]] = {
    "decimals": ((7.3, 11.9, 20.6, 33.1), (28, 44, 8), "basic"),
    "decimals_32": (tuple(map(single, (7.3, 11.9, 20.6, 33.1))), (28, 44, 8), "basic"),
    "thirds": ((1 / 3, 2 / 3, 4 / 3, 8 / 3), U, "basic"), "hair": ((2.0**-18, 8, 16, 4), U, "tiny_box"),
    "wide_range": ((0.0625, 100, 3000, 0.125), Q, "large_box"), "image": ((639.5, 3.5, 0.5, 476.5), (640, 4, 8), "basic"),
    "stride_128": ((64, 448, 320, 192), (448, 448, 128), "basic"), "hair_64": ((2.0**-44, 8, 16, 4), U, "tiny_box"),
}  # fmt: skip

# name: (codes, prior, flag)
DECODED: dict[str, tuple[Row, Row, str]] = {
    "zeros_p": ((0, 0, 0, 0), P, "zeros"), "zeros_far": ((0, 0, 0, 0), R, "zeros"), "ones": ((1, 1, 1, 1), P, "basic"),
    "a": ((0.5, 1.5, 2, 0.75), P, "basic"), "b": ((0.125, 0.25, 1.25, 3), Q, "basic"), "c": ((2, 0.5, 1, 0.25), R, "basic"),
    "d": ((3, 4, 1, 2), U, "basic"), "e": ((-0.5, 0.75, -1, 2.5), P, "basic"), "f": ((0.0625, 1.75, 0.375, 0.625), U, "basic"),
    "g": ((1.5, -2, 0.5, -0.25), Q, "basic"), "l_only": ((1, 0, 0, 0), P, "basic"), "t_only": ((0, 1, 0, 0), P, "basic"),
    "r_only": ((0, 0, 1, 0), P, "basic"), "b_only": ((0, 0, 0, 1), P, "basic"), "minus": ((-1, -1, -1, -1), P, "basic"),
    "h": ((2.5, 0.875, -3, 1.125), R, "basic"), "i": ((-4, -5, 4, 3), U, "basic"), "j": ((0.25, 2.25, 0.5, 1), Q, "basic"),
    "k": ((1.125, 3.5, 2.75, 0.375), P, "basic"), "tiny": ((0.5, 1, 0.25, 0.75), FINE, "tiny_box"),
    "large": ((6, 4, 5, 3), FAR, "large_box"), "many": ((10, 8, 9, 7), P, "large_code"),
    "vanished": ((-20, -60, -90, -12), Q, "large_code"), "one_sided": ((-8, 2, 9, -12), Q, "large_code"),
    "n": ((0.75, 0.5, 1.5, -0.125), R, "basic"),
}  # fmt: skip
DECODED_EXTRA: dict[str, tuple[Row, Row, str]] = {
    "decimals": ((0.1, 1.2, 0.3, 2.4), (28, 44, 8), "basic"),
    "decimals_32": (tuple(map(single, (0.1, 1.2, 0.3, 2.4))), (28, 44, 8), "basic"), "overflows_32": ((0, 0, 100, 0), Q, "large_code"),
    "exploded": ((20, 20, 20, 20), Q, "large_code"), "small_codes": ((2.0**-20, -(2.0**-24), 2.0**-20, -(2.0**-24)), U, "basic"),
    "cancels": ((1.5, 2.5, 1, 1), P, "basic"), "stride_128": ((0.5, 3.5, 2.5, 1.5), (448, 448, 128), "basic"),
}  # fmt: skip


def _around(cases: Mapping[str, tuple[Row, Row, str]]) -> list[Input]:
    """Boxes by the distances of their sides from the prior's point."""
    found = []
    for name, ((left, top, right, bottom), prior, flag) in cases.items():
        x, y = prior[:2]
        found.append(Input(name, tuple(map(float, (x - left, y - top, x + right, y + bottom))), tuple(map(float, prior)), (flag,)))
    return found


def _given(cases: Mapping[str, tuple[Row, Row, str]]) -> list[Input]:
    return [Input(name, tuple(map(float, a)), tuple(map(float, b)), (flag,)) for name, (a, b, flag) in cases.items()]


def core(direction: str, parameters: Mapping[str, Any]) -> list[Input]:
    """The logarithm of a distance is not defined for a location outside the box."""
    if direction == "decode":
        return _given(DECODED)
    return _around({**ENCODED, **(RATIOS if parameters["activation"] == "exp" else OUTSIDE)})


def extra(direction: str, parameters: Mapping[str, Any]) -> list[Input]:
    return _given(DECODED_EXTRA) if direction == "decode" else _around(ENCODED_EXTRA)

"""Boxes, codes and priors of the codings: ordinary ones, then each end of a coding's domain, and what lies beyond a limit.

Boxes are written as x1, y1, x2, y2, priors as their coder wants them. `core` belongs to every setting, of `extra` a third.
"""

import math
import random
from collections.abc import Mapping
from typing import Any

import numpy as np

from . import codes_cells, codes_points
from .boxes import _centred
from .inputs import Input, single

Row = tuple[float, ...]
CLIP = math.log(1000 / 16)  # the limit that is applied where none was asked for
TINY = 2.0**-13
LEAST = 2.0**-126  # ln of a smaller ratio is -inf

A: Row = (10, 10, 50, 40)
B: Row = (1, 2, 6, 8)
C: Row = (-5, -3, 2, 4)
D: Row = (0, 1, 20, 6)
E: Row = (0.25, 0.25, 0.5, 0.75)
F: Row = (0, 0, 8, 16)
HUGE: Row = (0, 0, 131072, 65536)
SMALL: Row = (0, 0, TINY, 2 * TINY)
UNIT: Row = (0, 0, 1, 1)

# name: (box, prior, flag)
ENCODE_CORE: dict[str, tuple[Row, Row, str]] = {
    "a": ((20, 15, 70, 60), A, "basic"), "b": ((3, 1, 9, 5), B, "basic"), "signs": ((-1, -6, 6, 1), C, "basic"),
    "aspect": ((1, 0, 6, 20), D, "basic"), "far": ((30, 25, 60, 40), F, "basic"), "inside": ((20, 20, 28, 22), A, "basic"),
    "shifted_x": ((11, 10, 51, 40), A, "basic"), "shifted_y": ((10, 12, 50, 42), A, "basic"), "wider": ((-10, 10, 70, 40), A, "basic"),
    "higher": ((10, 5, 50, 45), A, "basic"), "grown": ((0, 0, 16, 40), F, "basic"), "identical_a": (A, A, "identical"),
    "identical_signs": (C, C, "identical"), "no_width": ((30, 12, 30, 40), A, "zero_size"),
    "no_height": ((12, 30, 40, 30), A, "zero_size"), "a_point": ((30, 25, 30, 25), A, "zero_size"),
    "tiny_in_a": ((16, 16, 16.125, 16.0625), A, "tiny_box"), "large_both": ((32768, 16384, 163840, 98304), HUGE, "large_box"),
    "large_around": ((0, 0, 131072, 65536), F, "large_box"),
}  # fmt: skip
ENCODE_EXTRA: dict[str, tuple[Row, Row, str]] = {
    "decimals": ((23.45, 45.67, 89.01, 123.45), (12.34, 56.78, 90.12, 134.56), "basic"),
    "decimals_32": (tuple(map(single, (23.45, 45.67, 89.01, 123.45))), tuple(map(single, (12.34, 56.78, 90.12, 134.56))), "basic"),
    "relative": ((0.15, 0.1, 0.6, 0.7), (0.1, 0.2, 0.55, 0.65), "basic"),
    "relative_32": (tuple(map(single, (0.15, 0.1, 0.6, 0.7))), tuple(map(single, (0.1, 0.2, 0.55, 0.65))), "basic"),
    "integers_1": ((13, 27, 201, 155), (40, 33, 180, 190), "basic"), "integers_2": ((320, 240, 640, 480), (0, 0, 639, 479), "basic"),
    "integers_3": ((1, 100, 255, 104), (17, 3, 19, 200), "basic"), "far_away": ((100000, 50000, 100001, 50002), UNIT, "large_box"),
    "near_ulp_32": ((10, 10, 50 + 2.0**-18, 40), A, "identical"), "near_ulp_64": ((10, 10, 50 + 2.0**-47, 40), A, "identical"),
    "near_moved": ((10 + 2.0**-12, 10 - 2.0**-12, 50 + 2.0**-12, 40 - 2.0**-12), A, "identical"),
    "identical_decimals": ((0.1, 0.2, 0.7, 0.9), (0.1, 0.2, 0.7, 0.9), "identical"),
    "tiny_decimals": ((5e-5, 2e-5, 1.5e-4, 1.1e-4), (0, 0, 1e-4, 1e-4), "tiny_box"),
    "tiny_far_out": ((100, 100, 100 + TINY, 100 + 2 * TINY), (96, 96, 104, 128), "tiny_box"),
    "large_in_tiny": ((0, 0, 1e5, 8e4), (0, 0, TINY, TINY), "large_box"), "large_thin": ((0, 0.5, 9e4, 2.5), (0, 0, 1e5, 1), "large_box"),
    "no_size_at_the_edge": ((10, 10, 10, 10), A, "zero_size"), "no_width_far": ((-60, 0, -60, 64), F, "zero_size"),
    "least_ratio": ((0, 0, LEAST * 2**20, 1), (0, 0, 2**20, 1), "ratio_limit"),
    "below_least_ratio": ((0, 0, 0.75 * LEAST * 2**20, 1), (0, 0, 2**20, 1), "ratio_limit"),
    "largest_ratio": ((0, 0, 1, 64), (0, 0, LEAST, 64), "ratio_limit"),
    "above_largest_ratio": ((0, 0, 2, 64), (0, 0, LEAST, 64), "ratio_limit"), "corner": ((0, 0, 5, 5), (0, 0, 10, 10), "basic"),
    "around": ((0, -8, 64, 120), A, "basic"), "flat": ((-3, 0, 125, 1), D, "basic"), "identical_below_1": (E, E, "identical"),
    "tiny_both": ((TINY, 0, 3 * TINY, TINY), SMALL, "tiny_box"), "below_1": ((0.375, 0.125, 0.625, 0.875), E, "basic"),
}  # fmt: skip

# name: (codes, prior, flag)
DECODE_CORE: dict[str, tuple[Row, Row, str]] = {
    "zeros_a": ((0, 0, 0, 0), A, "zeros"), "zeros_signs": ((0, 0, 0, 0), C, "zeros"), "a": ((0.5, -0.25, 0.125, -0.5), A, "basic"),
    "b": ((-1, 0.5, 1, -1), B, "basic"), "c": ((2, -1.5, -0.75, 1.25), C, "basic"), "x_only": ((1, 0, 0, 0), A, "basic"),
    "y_only": ((0, 1, 0, 0), A, "basic"), "w_only": ((0, 0, 1, 0), A, "basic"), "h_only": ((0, 0, 0, 1), A, "basic"),
    "grown": ((0.25, 0.25, 3, 2.5), F, "basic"), "vanished": ((1, 1, -120, -200), F, "large_code"),
    "far": ((96, -64, 0.5, 0.5), B, "large_code"), "tiny": ((0.5, 0.25, -1, 1), SMALL, "tiny_box"),
    "large": ((0.5, -0.5, 0.25, -0.25), HUGE, "large_box"),
}  # fmt: skip
DECODE_EXTRA: dict[str, tuple[Row, Row, str]] = {
    "decimals": ((0.1, -0.2, 0.3, -0.4), (12.34, 56.78, 90.12, 134.56), "basic"),
    "decimals_32": (tuple(map(single, (0.1, -0.2, 0.3, -0.4))), tuple(map(single, (12.34, 56.78, 90.12, 134.56))), "basic"),
    "relative_32": (tuple(map(single, (1.7, 0.9, -0.7, 0.6))), tuple(map(single, (0.1, 0.2, 0.55, 0.65))), "basic"),
    "exploded": ((0, 0, 20, 20), F, "large_code"), "overflows_float32": ((0, 0, 100, 0), F, "large_code"),
    "vanished_64": ((3, 0, -700, 0), F, "large_code"), "small_codes": ((2.0**-20, -(2.0**-24), 2.0**-20, -(2.0**-24)), A, "basic"),
    "small_codes_64": ((1e-12, -1e-15, 1e-13, -1e-14), A, "basic"), "far_out": ((1000, -30000, 1, 1), B, "large_code"),
    "cancels_x": ((-1.5, -25 / 30, 0, 0), (20, 10, 30, 40), "basic"),
    "tiny_far_out": ((0.5, 0.5, 1, -1), (100, 100, 100 + TINY, 100 + 2 * TINY), "tiny_box"), "unit": ((0.5, 0.5, 0.5, 0.5), UNIT, "basic"),
    "zeros_below_1": ((0, 0, 0, 0), E, "zeros"), "e": ((-0.375, -0.625, -1.5, 2.5), E, "basic"), "f": ((8, -5, 0.75, -0.25), F, "basic"),
    "shrunk": ((0, 0, -4, -5), A, "basic"), "large_flat": ((0, 0.75, -2, 1), HUGE, "large_box"), "d": ((0.125, 3, 2, 0.25), D, "basic"),
}  # fmt: skip


def drawn(seed: int, count: int) -> list[tuple[Row, Row]]:
    """Box and prior with corners on a grid of 1/16 pixel, from a fixed seed."""
    draw = random.Random(seed).random
    found = []
    for _ in range(count):
        x, y, u, v = (int(draw() * 320) / 16 for _ in range(4))
        w, h, s, t = (8 + int(draw() * 480) / 16 for _ in range(4))
        found.append(((x, y, x + w, y + h), (u, v, u + s, v + t)))
    return found


def _inputs(cases: Mapping[str, tuple[Row, Row, str]]) -> list[Input]:
    return [Input(name, tuple(map(float, a)), tuple(map(float, b)), (flag,)) for name, (a, b, flag) in cases.items()]


def _centre(cases: list[Input]) -> list[Input]:
    """Those whose box has an exact centre and size in float64; priors stay corners."""
    return [case._replace(first=box) for case in cases if (box := _centred(case.first))]


def _at_the_clip(parameters: Mapping[str, Any]) -> dict[str, tuple[Row, Row, str]]:
    """Codes whose size is at the limit, one ulp beside it, beyond it, and at its negative, which is no limit."""
    clip = CLIP if parameters["wh_clip"] is None else parameters["wh_clip"]
    if math.isinf(clip):
        return {}
    w, h = (clip * weight for weight in parameters["weights"][2:])
    short = float(np.float32(w))
    beside = float(np.nextafter(np.float32(w), np.float32(-1)))
    flag = "clip"
    return {
        "clip_w": ((0.5, 0.25, w, 0.5), B, flag), "clip_h": ((0.5, 0.25, 0.5, h), B, flag),
        "clip_below": ((0.5, 0.25, math.nextafter(w, -1), 0), B, flag),
        "clip_above": ((0.5, 0.25, math.nextafter(w, math.inf), 0), B, flag),
        "clip_short": ((0.5, 0.25, short, 0), B, flag), "clip_short_below": ((0.5, 0.25, beside, 0), B, flag),
        "clip_beyond": ((0.5, 0.25, math.ceil(w) + 2, math.ceil(h) + 1), B, flag),
        "clip_beyond_w": ((0.5, 0.25, math.ceil(w) + 1, -0.5), B, flag),
        "clip_far_beyond": ((0, 0, math.ceil(w) + 8, math.ceil(h) + 8), A, flag),
        "clip_negative": ((0.5, 0.25, -math.ceil(w) - 1, -math.ceil(h) - 2), B, flag),
    }  # fmt: skip


def core(coding: Any, parameters: Mapping[str, Any]) -> list[Input]:
    """Cases of every setting."""
    family, direction = coding.name.split(".")
    if family == "delta_coder":
        if direction == "decode":
            return _inputs({**DECODE_CORE, **_at_the_clip(parameters)})
        cases = _inputs(ENCODE_CORE)
        return _centre(cases) if parameters["box_format"] == "cxcywh" else cases
    others = {"yolo_coder": codes_cells.core, "yolov1_coder": codes_cells.core_v1, "ltrb_coder": codes_points.core}
    return others[family](direction, parameters)


def extra(coding: Any, parameters: Mapping[str, Any]) -> list[Input]:
    """Cases of which each setting takes a third."""
    family, direction = coding.name.split(".")
    if family == "delta_coder":
        if direction == "decode":
            return _inputs(DECODE_EXTRA)
        pairs = {f"drawn_{k}": (*pair, "basic") for k, pair in enumerate(drawn(20150604, 6))}
        cases = _inputs({**ENCODE_EXTRA, **pairs})
        return _centre(cases) if parameters["box_format"] == "cxcywh" else cases
    others = {"yolo_coder": codes_cells.extra, "yolov1_coder": codes_cells.extra_v1, "ltrb_coder": codes_points.extra}
    return others[family](direction, parameters)


NOTES = {
    "basic": ("basic", "An ordinary box or code. A failure here means that another formula, box format, prior or parameter is computed."),
    "identical": ("basic", "The box is the prior, or nearly so: codes of 0, or small ones. A failure alone means cancellation, or an eps."),
    "zeros": ("basic", "Codes of 0 give the prior. A failure here means that another centre, size or parameter is meant."),
    "zero_size": (
        "degenerate_box",
        "A box of no width or no height, or both: its logarithm is -inf, with gradient 0. A failure means an eps or a floor.",
    ),
    "negative_root": ("edge", "The square root of a size is given as negative: its square counts."),
    "tiny_box": ("edge", "Boxes of a fraction of a pixel. A failure means an eps, or a floor, that is not small against their sizes."),
    "large_box": ("edge", "Boxes of 300 to 1e5 pixels. A failure in half precision means an overflow on the way."),
    "large_code": (
        "edge",
        "Large or very negative codes: sizes of many priors, or of none. A failure means a limit that was not asked for.",
    ),
    "ratio_limit": ("edge", "A ratio of sizes at 2^-126 or 2^126, within which the logarithm is taken; beyond it is infinite."),
    "clip": ("edge", "A size's code at the limit, beside it, beyond it, or far below 0. A failure means another limit, or none, or two."),
    "saturation": ("saturation", "Codes at which a sigmoid is 0 or 1 to within a rounding, or an exponential vanishes."),
    "cell_border": ("edge", "The centre lies where the sigmoid would have to be 0 or 1 (an infinite code), or would without its scale."),
    "near_border": ("edge", "The centre lies next to a border: the sigmoid's inverse is steep. A failure means a clip, or cancellation."),
    "past_the_cell": (
        "edge",
        "The centre lies in a neighbouring cell, within scale_xy's reach. A failure means that the scale is not used.",
    ),
    "size_limit": ("edge", "A size of (nearly) four priors, which is all that the squared sigmoid reaches."),
    "held": ("edge", "A centre or size that the coder's border holds away from the ends of the sigmoid."),
    "on_a_side": ("edge", "The location lies on a side of the box: a distance of 0, whose logarithm is -inf with gradient 0."),
    "outside": ("edge", "The location lies outside the box: a negative distance. A failure means that it was cut off at 0."),
}

"""Slips of the pen in the distance of the centres and in the aspect term."""

import math
from typing import Any

from .box_steps import AXES, along, at, on_each
from .box_words import numbers
from .overlaps import ratio
from .steps import Slip

CENTRED, CIOU = ("diou_loss", "ciou_loss"), ("ciou_loss",)

_far = Slip(CENTRED, "home-made distance IoU", "Boxes are pulled together with another force than the paper's, or along one axis only.")
_far(
    "distance_factor",
    "the squared distance of the centres is multiplied by {constant}",
    {
        word: {"distance": lambda w, f=f: f * w.usual("distance")}
        for word, f in (("4: the 2 of the mean is forgotten", 4), ("1/4", 0.25), ("2", 2), ("1/2", 0.5), ("16", 16))
    },
)
_far(
    "distance_factor_on_one_axis",
    "the distance of the centres is {constant}",
    {
        f"{word} along {a}": along("away", lambda w, b, f=f: f * (at(w, "low_away", b) + at(w, "high_away", b)) / 2, (a,))
        for a in AXES
        for word, f in (("doubled", 2), ("halved", 0.5), ("multiplied by 4", 4))
    },
)
_far(
    "distance_of_one_axis",
    "the distance is {constant}",
    {
        "dx^2": {"distance": lambda w: w.away_x * w.away_x},
        "dy^2": {"distance": lambda w: w.away_y * w.away_y},
        "dx^2 - dy^2": {"distance": lambda w: w.away_x * w.away_x - w.away_y * w.away_y},
        "dx + dy^2": {"distance": lambda w: w.away_x + w.away_y * w.away_y},
        "dx^2 + dy": {"distance": lambda w: w.away_x * w.away_x + w.away_y},
        "2 dx^2": {"distance": lambda w: 2 * w.away_x * w.away_x},
        "2 dy^2": {"distance": lambda w: 2 * w.away_y * w.away_y},
        "dx dy + dy^2": {"distance": lambda w: w.away_x * w.away_y + w.away_y * w.away_y},
        "dx^2 + dx dy": {"distance": lambda w: w.away_x * w.away_x + w.away_x * w.away_y},
        "|dx| + |dy|": {"distance": lambda w: w.xp.abs(w.away_x) + w.xp.abs(w.away_y)},
    },
)
_PLACES = (
    ("between the upper left edges", lambda w, a: at(w, "low_away", a)),
    ("between the lower right edges", lambda w, a: at(w, "high_away", a)),
    ("half of that between the upper left edges", lambda w, a: at(w, "low_away", a) / 2),
    ("half of that between the lower right edges", lambda w, a: at(w, "high_away", a) / 2),
    ("half the difference of the sizes", lambda w, a: (at(w, "low_away", a) - at(w, "high_away", a)) / 2),
)
_far(
    "distance_of_other_places",
    "the distance of the centres is {constant}",
    {f"{word} along {where}": words for word, step in _PLACES for where, words in on_each("away", step).items()},
)


def _corner_slips() -> dict[str, Any]:
    """One of the four edges in the distance of the centres with another sign, lost, or of the other box."""
    words: dict[str, Any] = {}
    for edge, which in (("low", "upper left"), ("high", "lower right")):
        for a in AXES:
            for word, f in (
                ("a + for a -", lambda p, t: p + t),
                ("only the predicted edge", lambda p, t: p),
                ("only the target's edge", lambda p, t: -t),
            ):
                step = along(f"{edge}_away", lambda w, b, edge=edge, f=f: f(at(w, edge, b), at(w, f"target_{edge}", b)), (a,))
                words[f"{which} edges along {a}: {word}"] = step
    return words


_far("distance_of_edges", "in the distance of the centres, {constant}", _corner_slips())
_far("distance_of_a_wrong_number", "the distance of the centres takes {constant}", numbers("{low}_away", lambda xp, k, a, b: a - b))
_far(
    "diagonal_of_other_lengths",
    "the squared diagonal is {constant}",
    {
        "w^2": {"diagonal": lambda w: w.hull_x * w.hull_x},
        "h^2": {"diagonal": lambda w: w.hull_y * w.hull_y},
        "2 w^2": {"diagonal": lambda w: 2 * w.hull_x * w.hull_x},
        "2 h^2": {"diagonal": lambda w: 2 * w.hull_y * w.hull_y},
        "w^2 - h^2": {"diagonal": lambda w: w.hull_x * w.hull_x - w.hull_y * w.hull_y},
        "w + h": {"diagonal": lambda w: w.hull_x + w.hull_y},
        "w h": {"diagonal": lambda w: w.hull_x * w.hull_y},
        "w + h^2": {"diagonal": lambda w: w.hull_x + w.hull_y * w.hull_y},
        "w^2 + h": {"diagonal": lambda w: w.hull_x * w.hull_x + w.hull_y},
        "(w + h)^2": {"diagonal": lambda w: (w.hull_x + w.hull_y) * (w.hull_x + w.hull_y)},
        "w h + h^2": {"diagonal": lambda w: w.hull_x * w.hull_y + w.hull_y * w.hull_y},
        "w^2 + w h": {"diagonal": lambda w: w.hull_x * w.hull_x + w.hull_x * w.hull_y},
        "not squared: sqrt(w^2 + h^2)": {"diagonal": lambda w: w.xp.sqrt(w.usual("diagonal"))},
        "sqrt(union)": {"diagonal": lambda w: w.union},
    },
)
_far(
    "distance_not_divided",
    "the squared distance is {constant}",
    {
        "not divided by the diagonal": {"penalty": lambda w: w.distance + 0 * w.diagonal},
        "multiplied by the diagonal": {"penalty": lambda w: w.distance * w.diagonal},
        "under the diagonal": {"penalty": lambda w: ratio(w.xp, w.diagonal + w.eps, w.distance)},
    },
)

_aspect = Slip(CIOU, "home-made CIoU", "The shape of a box is learned with another weight than the paper's.")
_aspect(
    "aspect_constant",
    "the aspect term has {constant}",
    {
        f"{word} for 4 / pi^2": {"v_scale": lambda w, f=f: f}
        for word, f in (
            ("1", 1.0),
            ("4 / pi", 4 / math.pi),
            ("1 / pi^2", math.pi**-2),
            ("2 / pi^2", 2 * math.pi**-2),
            ("2 / pi", 2 / math.pi),
            ("16 / pi^2", 16 * math.pi**-2),
            ("8 / pi^2", 8 * math.pi**-2),
            ("4 pi^2", 4 * math.pi**2),
            ("4", 4.0),
            ("pi^2 / 4", math.pi**2 / 4),
            ("4 / pi^3", 4 * math.pi**-3),
            ("4 / (2 pi)", 4 / (2 * math.pi)),
            ("4 / 2^pi", 4 / 2**math.pi),
        )
    },
)
_aspect(
    "aspect_angle",
    "the aspect term has {constant}",
    {
        "the angle, not its square": {"v": lambda w: w.v_scale * w.angle},
        "|angle|": {"v": lambda w: w.v_scale * w.xp.abs(w.angle)},
        "tan of the angle": {"angle": lambda w: w.across / w.along},
        "w / h in place of the angles": {"angle": lambda w: w.target_size_x / w.target_size_y - w.size_x / w.size_y},
        "h / w for one box": {"angle": lambda w: w.xp.arctan2(w.target_size_x, w.target_size_y) - w.xp.arctan2(w.size_y, w.size_x)},
        "the sum of the angles": {"angle": lambda w: w.xp.arctan2(w.target_size_x, w.target_size_y) + w.xp.arctan2(w.size_x, w.size_y)},
        "its two arguments exchanged": {"angle": lambda w: w.xp.arctan2(w.along, w.across)},
    },
)
_aspect(
    "aspect_alpha",
    "alpha is {constant}",
    {
        "v / (IoU + v)": {"share": lambda w: ratio(w.xp, w.v, w.iou + w.v + w.eps)},
        "v / (1 - IoU)": {"share": lambda w: ratio(w.xp, w.v, (1 - w.iou) + w.eps)},
        "v / (1 - IoU - v)": {"share": lambda w: w.v / ((1 - w.iou) - w.v + w.eps)},
        "v / (1 + IoU + v)": {"share": lambda w: ratio(w.xp, w.v, (1 + w.iou) + w.v + w.eps)},
        "v / (1 + v)": {"share": lambda w: w.v / (1 + w.v + w.eps)},
        "v": {"share": lambda w: w.v},
        "1 - IoU + v": {"share": lambda w: (1 - w.iou) + w.v + w.eps},
        "v / v": {"share": lambda w: ratio(w.xp, w.v, w.v + w.eps)},
        "v / (2 - IoU + v)": {"share": lambda w: w.v / ((2 - w.iou) + w.v + w.eps)},
        "v (1 - IoU + v)": {"share": lambda w: w.v * ((1 - w.iou) + w.v + w.eps)},
    },
)

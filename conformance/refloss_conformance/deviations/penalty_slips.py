"""Slips of the pen in the sum of a box loss and in its penalty: a sign, a term, the enclosing box."""

from typing import Any

from .box_steps import AXES, along, at, on_each
from .box_words import EDGES, OTHER, both_edges, edge_words, numbers, outward, wrong_extremes
from .overlaps import BOXES, ratio
from .steps import Slip

GIOU, CIOU, PENALISED = ("giou_loss",), ("ciou_loss",), ("giou_loss", "diou_loss", "ciou_loss")

_sum = Slip(
    BOXES,
    "a sign or a term lost on the way",
    "What is minimised is not the loss: boxes may be driven apart, or one part of it is not learned.",
)


def _of_iou(name: str, title: str, f: Any) -> None:
    """1 - IoU, or 1 - IoU^2, written otherwise."""
    linear, squared = {"apart": lambda w: f(w.iou)}, {"squared_result": lambda w: f(w.iou * w.iou)}
    _sum(name, title, linear, PENALISED)
    _sum(
        f"{name}_of_a_kind",
        f"{title}, for kind = {{constant}}",
        {"linear": linear, "squared": squared, "linear and squared": linear | squared},
        ("iou_loss",),
    )


_of_iou("one_missing", "the 1 of 1 - IoU is forgotten: a negative similarity", lambda iou: -iou)
_of_iou("two_minus_iou", "2 - IoU for 1 - IoU", lambda iou: 2 - iou)
_of_iou("iou_for_one_minus_iou", "IoU for 1 - IoU", lambda iou: iou)
_of_iou("one_plus_iou", "1 + IoU for 1 - IoU", lambda iou: 1 + iou)
_sum("iou_dropped", "only the penalty is left, without 1 - IoU", {"apart": lambda w: 0 * w.iou}, PENALISED)
_sum("iou_constant", "1 for 1 - IoU", {"apart": lambda w: 0 * w.iou + 1}, PENALISED)
_KINDS = {"linear": "apart", "log": "log_result", "squared": "squared_result"}
_sum(
    "kind_ignored",
    "kind = {constant}",
    {
        **{f"{a} is computed for {b}": {_KINDS[b]: lambda w, a=a: getattr(w, _KINDS[a])} for a in _KINDS for b in _KINDS if a != b},
        **{f"{a} is computed for all": {_KINDS[b]: lambda w, a=a: w.usual(_KINDS[a]) for b in _KINDS if a != b} for a in _KINDS},
        "linear and squared are exchanged": {"apart": lambda w: w.usual("squared_result"), "squared_result": lambda w: w.usual("apart")},
    },
    ("iou_loss",),
)
_sum("iou_without_logarithm", "-IoU for -ln IoU", {"log_result": lambda w: -w.xp.maximum(w.iou, 1e-6)}, ("iou_loss",))
_sum("log_iou_without_sign", "ln IoU for -ln IoU", {"log_result": lambda w: -w.usual("log_result")}, ("iou_loss",))
_sum("penalty_subtracted", "the penalty is subtracted", {"penalty": lambda w: -w.usual("penalty")}, PENALISED)
_sum("penalty_dropped", "the penalty is missing", {"penalty": lambda w: 0 * w.usual("penalty")}, CIOU)
_sum("aspect_subtracted", "the aspect term is subtracted", {"aspect": lambda w: -w.usual("aspect")}, CIOU)
_sum("aspect_without_gradient", "the aspect term has no gradient", {"aspect": lambda w: w.xp.stop_gradient(w.usual("aspect"))}, CIOU)
_sum(
    "aspect_of_alpha_or_v",
    "the aspect term is {constant} alone",
    {"alpha": {"aspect": lambda w: w.alpha + 0 * w.v}, "alpha^2": {"aspect": lambda w: w.alpha * w.alpha}},
    CIOU,
)
_sum(
    "iou_in_steps_held",
    "{constant} has no gradient",
    {
        "the union": {"union": lambda w: w.xp.stop_gradient(w.usual("union"))},
        "the overlap": {"inner": lambda w: w.xp.stop_gradient(w.usual("inner"))},
    },
)
_sum(
    "penalty_part_held",
    "{constant} of the penalty has no gradient",
    {
        "the numerator": {
            "slack": lambda w: w.xp.stop_gradient(w.usual("slack")),
            "distance": lambda w: w.xp.stop_gradient(w.usual("distance")),
        },
        "the denominator": {
            "enclosure": lambda w: w.xp.stop_gradient(w.usual("enclosure")),
            "diagonal": lambda w: w.xp.stop_gradient(w.usual("diagonal")),
        },
        "all": {"penalty": lambda w: w.xp.stop_gradient(w.usual("penalty"))},
    },
    PENALISED,
)

_hull = Slip(
    PENALISED,
    "home-made enclosing boxes",
    "The penalty is not that of the smallest enclosing box: boxes that do not meet are pulled to the wrong places.",
)
_hull("enclosure_of_a_wrong_number", "the enclosing box takes {constant}", numbers("hull_{edge}", outward))
_hull("enclosure_edge_of_one_box", "the enclosing box has its {constant}", {**edge_words("hull_"), **both_edges("hull_")})
_hull(
    "enclosure_edge_of_the_overlap", "min and max are exchanged for the enclosing box's {constant}", wrong_extremes("hull_", "max", "min")
)
_hull(
    "enclosure_axes_mixed",
    "the enclosing box has its {constant} from the other axis",
    {
        f"{which} edge along {a}": along(f"hull_{edge}", lambda w, b, edge=edge: at(w, f"hull_{edge}", OTHER[b]), (a,))
        for edge, _, which in EDGES
        for a in AXES
    },
)
_hull(
    "enclosure_negated",
    "start - end for end - start of the enclosing box along {constant}",
    on_each("hull", lambda w, a: at(w, "hull_start", a) - at(w, "hull_end", a)),
)
_hull(
    "enclosure_edge_alone",
    "the enclosing box's size along {constant}",
    {
        **{f"{a} is its end": along("hull", lambda w, b: at(w, "hull_end", b), (a,)) for a in AXES},
        **{f"{a} is minus its start": along("hull", lambda w, b: -at(w, "hull_start", b), (a,)) for a in AXES},
        **{f"{a} is end + start": along("hull", lambda w, b: at(w, "hull_end", b) + at(w, "hull_start", b), (a,)) for a in AXES},
    },
)
_hull(
    "giou_other_quotient",
    "the penalty is {constant}",
    {
        "(C - U) / U": {"enclosure": lambda w: w.union + w.eps},
        "U / C": {"slack": lambda w: w.union},
        "C / U": {"penalty": lambda w: w.hull_area / (w.union + w.eps)},
        "(C + U) / C": {"slack": lambda w: w.hull_area + w.union},
        "C - U": {"penalty": lambda w: w.slack + 0 * w.eps},
        "C / C": {"slack": lambda w: w.hull_area},
        "(C - U) * C": {"penalty": lambda w: w.slack * w.enclosure},
        "C / (C - U)": {"penalty": lambda w: ratio(w.xp, w.enclosure, w.slack)},
    },
    GIOU,
)
_hull(
    "enclosure_of_one_side",
    "the enclosing area is {constant}",
    {
        "its width": {"hull_area": lambda w: w.hull_x},
        "its height": {"hull_area": lambda w: w.hull_y},
        "w + h": {"hull_area": lambda w: w.hull_x + w.hull_y},
        "w^2": {"hull_area": lambda w: w.hull_x * w.hull_x},
        "h^2": {"hull_area": lambda w: w.hull_y * w.hull_y},
        "w / h": {"hull_area": lambda w: w.hull_x / w.hull_y},
    },
    GIOU,
)

"""Deviations of the IoU family."""

import math
from typing import Any

from .record import EPSILONS, TEMPLATES, deviation

BOXES = ("iou_loss", "giou_loss", "diou_loss", "ciou_loss")
CENTERED = ("diou_loss", "ciou_loss")
LOG_FLOOR = 1e-6
READINGS = ("xyxy", "cxcywh", "xywh", "yxyx", "xxyy")
TOPS = {"xxyy": (0, 2, 1, 3), "yxyx": (1, 0, 3, 2)}


def ratio(xp: Any, a: Any, b: Any) -> Any:
    """a / b, and 0 where b is 0."""
    alive = b > 0
    return xp.where(alive, a / xp.where(alive, b, 1), 0)


def _bare(xp: Any, a: Any, b: Any) -> Any:
    return a / b


def to_xyxy(xp: Any, boxes: Any, box_format: str) -> tuple[Any, Any, Any, Any]:
    """The corners of boxes of a format."""
    a, b, c, d = (boxes[..., j] for j in TOPS.get(box_format, (0, 1, 2, 3)))
    if box_format == "cxcywh":
        return a - c / 2, b - d / 2, a + c / 2, b + d / 2
    return (a, b, a + c, b + d) if box_format == "xywh" else (a, b, c, d)


def template(
    xp: Any, boxes: Any, target_boxes: Any, *, loss: str, box_format: str, eps: float, kind: str = "linear",
    differentiate_alpha: bool = False,
    reads: tuple[str | None, str | None] = (None, None), pixel: float = 0, union_eps: float = 0, union_floor: float = 0,
    hull_eps: float = 0,
    height_eps: float = 0, overlap: str = "clamped", ratio_plus: float = 0, hull_minus: str = "union",
    penalty_power: float = 1, v_constant: float = 1, gate: bool = False, alpha_is_one: bool = False, clamp: bool = False,
    log_floor: float = LOG_FLOOR, log_eps: float = 0, bare_division: bool = False,
    bare_angle: bool = False, rest_eps: float | None = None,
) -> Any:  # fmt: skip
    """The IoU losses with the places where implementations differ; without the keywords from `reads` on, the specification."""
    all_eps, eps = eps, eps if rest_eps is None else rest_eps
    divide: Any = _bare if bare_division else ratio
    x1, y1, x2, y2 = to_xyxy(xp, boxes, reads[0] or box_format)
    u1, v1, u2, v2 = to_xyxy(xp, target_boxes, reads[1] or box_format)
    x2, y2, u2, v2 = x2 + pixel, y2 + pixel, u2 + pixel, v2 + pixel
    w, h, tw, th = x2 - x1, y2 - y1 + height_eps, u2 - u1, v2 - v1 + height_eps
    iw, ih = xp.minimum(x2, u2) - xp.maximum(x1, u1), xp.minimum(y2, v2) - xp.maximum(y1, v1)
    inner = iw * ih if overlap == "raw" else xp.maximum(iw, 0) * xp.maximum(ih, 0)
    union = w * h + tw * th - inner
    below = xp.maximum(union, union_floor) if union_floor else union
    iou = divide(xp, inner + ratio_plus, below + eps + union_eps + ratio_plus)
    hull_w, hull_h = xp.maximum(x2, u2) - xp.minimum(x1, u1), xp.maximum(y2, v2) - xp.minimum(y1, v1)
    if loss == "iou_loss":
        if kind == "log":
            return -xp.log(xp.maximum(iou, log_floor) if log_floor else iou + log_eps)
        return 1 - iou * iou if kind == "squared" else 1 - iou
    if loss == "giou_loss":
        hull = hull_w * hull_h
        result = 1 - iou + divide(xp, hull - (inner if hull_minus == "inner" else union), hull + eps + hull_eps)
        return xp.minimum(xp.maximum(result, 0), 2) if clamp else result
    dx, dy = ((x1 - u1) + (x2 - u2)) / 2, ((y1 - v1) + (y2 - v2)) / 2
    penalty = divide(xp, dx * dx + dy * dy, hull_w * hull_w + hull_h * hull_h + eps + hull_eps)
    if penalty_power != 1:
        penalty = xp.exp(penalty_power * xp.log(xp.where(penalty > 0, penalty, 1))) * xp.where(penalty > 0, 1, 0)
    result = 1 - iou + penalty
    if loss == "ciou_loss":
        across, along = tw * h - w * th, w * tw + h * th
        angle = xp.arctan2(across, along + xp.where((across == 0) & (along == 0), 1, 0))
        if bare_angle:
            angle = xp.arctan2(tw / th, 1) - xp.arctan2(w / h, 1)
        v = v_constant * (4 / math.pi**2) * angle * angle
        alpha = divide(xp, v, (1 - iou) + v + all_eps)
        alpha = xp.where(iou > 0.5, alpha, 0) if gate else alpha
        alpha = 1 if alpha_is_one else alpha if differentiate_alpha else xp.stop_gradient(alpha)
        result = result + alpha * v
    return xp.minimum(xp.maximum(result, 0), 2) if clamp else result


def _of(loss: str) -> Any:
    def formula(xp: Any, first: Any, second: Any, **parameters: Any) -> Any:
        return template(xp, first, second, loss=loss, **parameters)

    return formula


TEMPLATES.update({loss: _of(loss) for loss in BOXES})


def _keyword(
    name: str, title: str, seen: str, effect: str, losses: tuple[str, ...], constants: tuple[Any, ...] = (None,), **keywords: Any
) -> None:
    """Register a deviation that is one keyword of the template; a keyword of value ... takes the constant."""

    @deviation(name, title=title, seen=seen, effect=effect, losses=losses, constants=constants)
    def change(base: Any, xp: Any, first: Any, second: Any, *, constant: Any = None, **parameters: Any) -> Any:
        chosen = {key: constant if value is ... else value for key, value in keywords.items()}
        return base(xp, first, second, **{**parameters, **chosen})


def _misread(which: str, places: tuple[bool, bool]) -> None:
    for reading in READINGS:
        _keyword(
            f"{which}_read_as_{reading}", f"{which.replace('_', ' ')} read as {reading}", "a format flag left at its default",
            "Boxes other than the predicted ones are compared: the gradient pulls edges to the wrong places.", BOXES,
            reads=tuple(reading if misread else None for misread in places),
        )  # fmt: skip


_misread("both_boxes", (True, True))
_misread("boxes", (True, False))
_misread("target_boxes", (False, True))

_keyword(
    "one_pixel_added", "1 pixel is added to widths and heights", "Caffe's unnormalised boxes, early Detectron",
    "Small boxes overlap more than they do, and normalised boxes (sizes below 1) always overlap.", BOXES, pixel=1,
)  # fmt: skip
_keyword(
    "one_added_to_the_ratio", "(I + 1) / (U + 1) for I / U", "the authors' FCOS code", "Boxes of a few pixels count as overlapping.",
    BOXES, ratio_plus=1,
)  # fmt: skip
_keyword(
    "overlap_not_clamped", "negative overlaps are not set to 0", "darknet's gradient, early YOLO ports",
    "Boxes that are apart in both directions count as overlapping, with a gradient that drives them further apart.", BOXES, overlap="raw",
)  # fmt: skip
_keyword(
    "minus_log_iou", "-ln IoU for what was stated", "mmdetection's and FCOS's default", "Poor overlaps weigh much more than stated.",
    ("iou_loss",), kind="log",
)  # fmt: skip
_keyword(
    "one_minus_iou", "1 - IoU for what was stated", "names that do not tell the forms apart",
    "Poor overlaps weigh less than with the logarithm, good ones less than with the square.", ("iou_loss",), kind="linear",
)  # fmt: skip
_keyword(
    "one_minus_iou_squared", "1 - IoU^2 for what was stated", "YOLOX's default",
    "The gradient is 2 IoU times that of 1 - IoU: poor overlaps are hardly pulled.", ("iou_loss",), kind="squared",
)  # fmt: skip
_keyword(
    "log_of_iou_floored", "IoU is held at {constant} before the logarithm", "mmdetection, FCOS",
    "Boxes that do not meet have another loss, still with no gradient.", ("iou_loss",), EPSILONS, log_floor=...,
)  # fmt: skip
_keyword(
    "log_of_iou_plus_eps", "ln(IoU + {constant}) for ln(IoU)", "YOLOX, home-made losses",
    "Boxes that do not meet have another loss, and poor overlaps a smaller gradient.", ("iou_loss",), EPSILONS, log_floor=0, log_eps=...,
)  # fmt: skip
_keyword(
    "giou_intersection_for_union", "(C - I) / C for (C - U) / C", "YOLOX before September 2021, ByteTrack, BoxMOT",
    "The penalty never vanishes, not even for a perfect box, and grows with the boxes' own size.", ("giou_loss",), hull_minus="inner",
)  # fmt: skip
_keyword(
    "distance_square_root", "the distance term is rho / c, not its square", "a misreading of the DIoU paper",
    "Boxes that are nearly right are pulled far too hard, and the gradient is infinite at a perfect match.", CENTERED, penalty_power=0.5,
)  # fmt: skip
_keyword(
    "distance_power_0_6", "the distance term is raised to 0.6", "darknet's box_diou", "The printed loss is not the one that is trained.",
    CENTERED, penalty_power=0.6,
)  # fmt: skip
_keyword(
    "ciou_constant_squared", "the constant of the aspect term is squared: (4 / pi^2)^2 for 4 / pi^2", "KerasCV 0.9.0",
    "The aspect ratio is corrected with 41 % of its weight, or less.", ("ciou_loss",), v_constant=4 / math.pi**2,
)  # fmt: skip
_keyword(
    "ciou_gated", "the aspect term counts only where IoU > 0.5", "mmdetection, the journal version of the CIoU paper",
    "Boxes with a poor overlap get no gradient on their aspect ratio.", ("ciou_loss",), gate=True,
)  # fmt: skip
_keyword(
    "ciou_alpha_differentiated", "alpha is differentiated instead of held constant", "Keras, KerasCV, mmdetection before August 2021",
    "The gradient on the aspect ratio is larger than the paper's, and points partly along the overlap.", ("ciou_loss",),
    differentiate_alpha=True,
)  # fmt: skip
_keyword(
    "ciou_alpha_constant", "alpha is held constant where differentiating it was stated", "the paper's own convention",
    "The gradient is not that of the printed value.", ("ciou_loss",), differentiate_alpha=False,
)  # fmt: skip
_keyword(
    "ciou_without_alpha", "the aspect term is v, not alpha v", "home-made CIoU losses",
    "The aspect ratio is corrected even where boxes do not overlap at all.", ("ciou_loss",), alpha_is_one=True,
)  # fmt: skip
_keyword(
    "clamped", "the result is clamped to [0, 2]", "mmdetection, YOLOX", "Boxes far apart with the wrong shape get no gradient at all.",
    ("giou_loss", "diou_loss", "ciou_loss"), clamp=True,
)  # fmt: skip
_keyword(
    "division_by_zero_area", "0 / 0 for boxes without area", "torchvision's box_iou",
    "Two boxes without area give NaN, which destroys every weight.",
    BOXES, bare_division=True,
)  # fmt: skip

_keyword(
    "angle_of_a_point", "arctan(w / h) is 0 / 0 for a box without width and height", "torchvision, mmdetection",
    "A box that has collapsed to a point gives NaN, which destroys every weight.", ("ciou_loss",), bare_angle=True,
)  # fmt: skip

_SMALL = "Boxes whose area is near the constant (in normalised coordinates: small objects) get a wrong overlap and a weak gradient."
_keyword(
    "eps_everywhere", "eps = {constant} is added to every denominator", "torchvision, fvcore, most ports", _SMALL, BOXES, EPSILONS, eps=...
)
_keyword("eps_in_the_union", "{constant} is added to the union", "torchvision, fvcore, ultralytics", _SMALL, BOXES, EPSILONS, union_eps=...)
_keyword("union_floored", "the union is held at {constant}", "mmdetection", _SMALL, BOXES, EPSILONS, union_floor=...)
_keyword(
    "eps_in_the_enclosure", "{constant} is added to the enclosing box", "torchvision, fvcore", _SMALL, ("giou_loss", *CENTERED), EPSILONS,
    hull_eps=...,
)  # fmt: skip
_keyword(
    "eps_in_the_height", "{constant} is added to heights but not to widths", "YOLO ports, mmdetection, Keras", _SMALL, BOXES, EPSILONS,
    height_eps=...,
)  # fmt: skip
_keyword(
    "eps_everywhere_and_in_the_height", "{constant} is added to every denominator, and to heights but not to widths",
    "Keras, KerasCV, ultralytics, YOLO ports", _SMALL + " A box without width or height gets a gradient of 1 / eps.", BOXES, EPSILONS,
    eps=..., height_eps=...,
)  # fmt: skip
_keyword(
    "eps_in_alpha_only", "eps reaches alpha only; IoU and distance always use {constant}", "torchvision's complete_box_iou_loss",
    "The argument does not do what it says; at its default nothing changes.", ("ciou_loss",), (1e-7, 1e-6, 1e-9), rest_eps=...,
)  # fmt: skip

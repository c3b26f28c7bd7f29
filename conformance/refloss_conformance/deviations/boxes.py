"""Deviations of the IoU family."""

import math
from typing import Any

from .overlaps import BOXES
from .record import EPSILONS, deviation

CENTERED = ("diou_loss", "ciou_loss")
READINGS = ("xyxy", "cxcywh", "xywh", "yxyx", "xxyy")


def _keyword(
    name: str, title: str, seen: str, effect: str, losses: tuple[str, ...], constants: tuple[Any, ...] = (None,), **keywords: Any
) -> None:
    """Register a deviation that is one keyword of the template; a keyword of value ... takes the constant."""

    @deviation(name, title=title, seen=seen, effect=effect, losses=losses, constants=constants, keyword=True)
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
    "Boxes that do not meet have another loss, and poor overlaps a smaller gradient.", ("iou_loss",), EPSILONS, log_floor=None, log_eps=...,
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
    "alpha_zero_by_zero", "alpha is 0 / 0 for a perfect match", "mmdetection; ports whose constant is below the rounding of 1",
    "A perfect box gives NaN, which destroys every weight; it takes a training that goes well to see it.", ("ciou_loss",), bare_alpha=True,
)  # fmt: skip
_keyword(
    "alpha_constant_rounded", "alpha is v / (v - IoU + (1 + {constant}))", "Keras, mmyolo, YOLOv5, YOLOv7",
    "Where 1 + the constant rounds to 1 (1e-9 in float32), a perfect box gives 0 / 0: NaN.", ("ciou_loss",),
    (1e-9, *(e for e in EPSILONS if e != 1e-9)), alpha_one=...,
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
    "eps_twice_in_the_union", "twice {constant} is added to the union, and once to the other denominators", "Keras, KerasCV", _SMALL, BOXES,
    EPSILONS, union_eps=..., eps=...,
)  # fmt: skip
_keyword(
    "denominators_floored", "the union and the enclosing box are held at {constant}", "mmdetection, YOLOX", _SMALL,
    ("giou_loss", *CENTERED), EPSILONS, union_floor=..., hull_floor=...,
)  # fmt: skip
_keyword(
    "enclosure_floored", "the enclosing box is held at {constant}", "YOLOX, mmdetection", _SMALL, ("giou_loss", *CENTERED), EPSILONS,
    hull_floor=...,
)  # fmt: skip
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

# Seen in gradients only: the value is right.
_keyword(
    "size_gradient_doubled", "the gradient of the overlap by width and height is twice the true one", "darknet's hand-written gradient",
    "Boxes change their size twice as fast as they move; the printed loss does not tell.", BOXES, size_gradient=2,
)  # fmt: skip
_keyword(
    "overlap_gradient_not_clamped", "where boxes do not meet, the gradient is that of the product of two negative overlaps",
    "darknet's hand-written gradient", "Boxes apart are pushed in directions that have nothing to do with the target.", BOXES,
    overlap="raw gradient",
)  # fmt: skip
_keyword(
    "enclosure_gradient_flipped", "the enclosing box's part of the gradient by the centre has the wrong sign",
    "darknet's hand-written gradient (AlexeyAB#7165)", "Boxes far apart are pulled three to six times as hard as stated.", CENTERED,
    hull_pushed=True,
)  # fmt: skip
_keyword(
    "aspect_gradient_flipped", "the gradient of the aspect term has the wrong sign", "the DIoU paper's printed derivative of v",
    "The aspect ratio is driven away from the target's.", ("ciou_loss",), aspect="flipped",
)  # fmt: skip
_keyword(
    "aspect_gradient_unnormalised", "the gradient of the aspect term lacks 1 / (w^2 + h^2)",
    "darknet, the authors' CIoU code for PyTorch", "The pull on the aspect ratio grows with the square of the box, unlike the loss.",
    ("ciou_loss",), aspect="unnormalised",
)  # fmt: skip

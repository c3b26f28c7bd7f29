"""FCOS's deviations: centerness, which locations are positive, and what codes mean."""

import math
from functools import partial

from .record import Deviation, register

KNOWN: dict[str, Deviation] = {}
deviation = partial(register, KNOWN)

deviation(
    "box_weighted_by_centerness", "the box loss is weighted by the centerness", "FCOS's authors and mmdet",
    "Locations in the middle of an object learn boxes, those at its edge hardly.", ("criteria.fcos",), {"weigh_by_centerness": True},
)  # fmt: skip
deviation(
    "box_not_weighted_by_centerness", "the box loss is not weighted by the centerness", "torchvision, detectron2",
    "Locations at an object's edge learn boxes as much as those in its middle.", ("criteria.fcos",), {"weigh_by_centerness": False},
)  # fmt: skip
deviation(
    "centerness_without_root", "the centerness target lacks the square root", "ports",
    "Targets fall off faster from the middle, so good boxes are ranked too low.", ("criteria.fcos",), {"root": False},
)  # fmt: skip
deviation(
    "centerness_everywhere", "the centerness loss is of all locations, 0 for the background", "ports",
    "The background dominates it: centerness becomes another objectness.", ("criteria.fcos",), {"centerness_rows": "all"},
)  # fmt: skip
deviation(
    "centerness_of_one", "the centerness target is 1 at every positive location", "ports that leave the target out",
    "Centerness ranks nothing.", ("criteria.fcos",), {"centerness_target": "one"},
)  # fmt: skip
deviation(
    "centre_sampling_missing", "locations anywhere in a truth are positive", "FCOS's first version, mmdet's default",
    "Locations at an object's edge learn it, too.", ("criteria.fcos",), {"radius": math.inf},
)  # fmt: skip
deviation(
    "centre_sampling", "only locations within 1.5 strides of a truth's centre are positive", "FCOS's journal version, torchvision",
    "Fewer and better locations learn an object.", ("criteria.fcos",), {"radius": 1.5},
)  # fmt: skip
deviation(
    "largest_truth_wins", "a location in several truths takes the largest", "ports with argmax for argmin",
    "Objects before larger ones are never learnt.", ("criteria.fcos",), {"prefer": "large"},
)  # fmt: skip
deviation(
    "first_truth_wins", "a location in several truths takes the first", "ports without the rule of the smallest area",
    "Which object is learnt depends on the order of the annotations.", ("criteria.fcos",), {"prefer": "first"},
)  # fmt: skip
deviation(
    "size_ranges_missing", "truths of any size are learnt at every scale", "ports without regression ranges",
    "Each object is learnt by many scales, and locations are ambiguous.", ("criteria.fcos",), {"size_ranges": "any"},
)  # fmt: skip
deviation(
    "distances_in_pixels", "codes are distances in pixels", "FCOS's first version (norm_reg_targets off), mmdet",
    "A head that gives strides predicts boxes 8 to 128 times too small.", ("criteria.fcos",), {"normalize": False},
)  # fmt: skip
deviation(
    "distances_in_strides", "codes are distances in strides", "torchvision, detectron2, FCOS's journal version",
    "A head that gives pixels predicts boxes 8 to 128 times too large.", ("criteria.fcos",), {"normalize": True},
)  # fmt: skip
deviation(
    "activation_other", "codes become distances through {constant}", "exp in the paper, a ReLU in torchvision's and detectron2's heads",
    "Other distances than the head means.", ("criteria.fcos",), {"activation": "{constant}"}, ("exp", "relu", "linear"),
)  # fmt: skip
deviation(
    "eps_other", "{constant} is added to the denominators of the box loss", "torchvision 1e-7, fvcore 1e-8 or none",
    "None in practice.", ("criteria.fcos", "criteria.retinanet"), {"eps": "{constant}"}, (0.0, 1e-8, 1e-7, 1e-6),
)  # fmt: skip

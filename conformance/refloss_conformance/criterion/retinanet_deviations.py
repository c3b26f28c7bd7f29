"""RetinaNet's deviations, and those that other detectors share with it."""

from collections.abc import Mapping
from functools import partial
from typing import Any

from .images import Choices
from .record import Deviation, register

FOCAL = ("criteria.fcos", "criteria.retinanet")
ON_CODES = ("smooth_l1", "l1", "l2", "huber")
ALL = tuple(f"criteria.{name}" for name in ("fcos", "retinanet", "ssd", "yolov1", "yolov2", "yolov3", "yolov4", "scaled_yolov4"))
KNOWN: dict[str, Deviation] = {}
deviation = partial(register, KNOWN)


def swapped_alpha(choices: Choices, constant: Any) -> Mapping[str, Any] | None:
    return None if choices["alpha"] is None else {"alpha": 1 - choices["alpha"]}


deviation(
    "alpha_swapped", "alpha and 1 - alpha are swapped", "fudannlp16/focal-loss#2, ports",
    "The background, of which there is a thousand times more, counts three times a positive, in place of a third.", FOCAL, swapped_alpha,
)  # fmt: skip
deviation(
    "alpha_ignored", "alpha is not applied", "Keras's focal losses without apply_class_balancing",
    "The class loss is about four times as large for positives, 1.3 times for the background.", FOCAL, {"alpha": None},
)  # fmt: skip
deviation(
    "alpha_for_all", "alpha multiplies negatives, too", "mmcv's softmax focal loss, Keras's categorical one",
    "Positives and background keep their ratio; the class loss is a quarter.", FOCAL, {"alpha": None, "class_weight": 0.25},
)  # fmt: skip
deviation(
    "gamma_other", "gamma is {constant}", "other configurations",
    "Easy examples count for more with a smaller gamma, for less with a larger one; 0 is plain cross entropy.", FOCAL,
    {"gamma": "{constant}"}, (0.0, 1.0, 1.5, 2.0, 5.0),
)  # fmt: skip
deviation(
    "softmax_for_sigmoid", "softmax over the classes and a background of logit 0, for a sigmoid of each class",
    "ports of softmax focal loss",
    "Classes compete: raising one lowers the others, and the head's scores are no longer independent.", ("criteria.retinanet",),
    {"power_of": "softmax"},
)  # fmt: skip
deviation(
    "classes_of_positives_only", "the class loss is of positive priors alone", "ports that index with the positives before both terms",
    "Nothing ever teaches the background: every prior fires.", FOCAL, {"class_rows": "positive"},
)  # fmt: skip
deviation(
    "classes_of_negatives_only", "the class loss leaves the positives out", "masks that are inverted",
    "No class is ever learnt.", FOCAL, {"class_rows": "negative"},
)  # fmt: skip
deviation(
    "ignored_as_background", "ignored priors count as background", "many ports",
    "Priors that fit an object almost well enough are trained to deny it.",
    ("criteria.retinanet", "criteria.yolov2", "criteria.yolov3", "criteria.yolov4"), {"ignored": "background"},
)  # fmt: skip
deviation(
    "labels_one_higher", "each truth's class is one column further", "mmdet#1299, ports that keep a column for the background",
    "Everything is learnt under the next class's name; the last class is never learnt, the first column never used.", ALL,
    {"label_shift": 1},
)  # fmt: skip
deviation(
    "labels_one_lower", "each truth's class is one column earlier", "labels read as counted from 1, with 0 for the background",
    "Everything is learnt under another class's name, and the first class as background.", ALL, {"label_shift": -1},
)  # fmt: skip
deviation(
    "truths_read_as", "ground-truth boxes are read as {constant}", "callers that leave boxes in another format",
    "Priors are matched with boxes that are not there, and learn their shapes.", ALL, {"boxes_read_as": "{constant}"},
    ("cxcywh", "xywh", "yxyx"),
)  # fmt: skip
deviation(
    "codes_in_yxhw", "codes are in the order y, x, h, w", "Keras's and TensorFlow's coders",
    "None if the head was trained so; a head that gives x first learns nothing of boxes.", ("criteria.retinanet", "criteria.ssd"),
    {"codes_order": (1, 0, 3, 2)},
)  # fmt: skip
deviation(
    "low_quality_matches_missing", "a truth whose best prior is below the threshold has none", "ports without allow_low_quality_matches",
    "Objects of an unusual shape or size are never learnt.", ("criteria.retinanet",), {"low_quality": None},
)  # fmt: skip
deviation(
    "low_quality_matches", "each truth has its best priors, however little they overlap ({constant}'s way)",
    "torchvision, detectron2 (a prior keeps its own best truth), mmdet (it takes that truth), automl (one prior a truth)",
    "Every object is learnt, some at priors that hardly fit.", ("criteria.retinanet",), {"low_quality": "{constant}"},
    ("torchvision", "mmdet", "paper", "automl"),
)  # fmt: skip
deviation(
    "thresholds_other", "matching thresholds are {constant}", "other configurations",
    "More, or fewer, priors are positive.", ("criteria.retinanet",),
    lambda choices, constant: {"positive_threshold": constant[0], "negative_threshold": constant[1]},
    ((0.7, 0.3), (0.5, 0.3), (0.6, 0.4), (0.4, 0.4)),
)  # fmt: skip
deviation(
    "box_loss_other", "the box loss is {constant}", "torchvision's is L1, its second version's GIoU; TensorFlow's Huber",
    "Another balance of small and large errors of boxes.", ("criteria.retinanet", "criteria.ssd", "criteria.fcos"),
    lambda choices, constant: None if constant in ON_CODES and "beta" not in choices else {"box_loss": constant},
    ("smooth_l1", "l1", "l2", "giou", "iou", "log_iou", "diou", "ciou"),
)  # fmt: skip
deviation(
    "beta_other", "smooth L1's beta is {constant}", "detectron2 0.1, Detectron and maskrcnn-benchmark 1/9, torch's default 1",
    "Errors between both betas are pulled in with another force.", ("criteria.retinanet", "criteria.ssd"),
    lambda choices, constant: {"box_loss": "smooth_l1", "beta": constant}, (1.0, 0.5, 1 / 9, 0.1),
)  # fmt: skip
deviation(
    "huber_for_smooth_l1", "Huber's loss with delta {constant}, called smooth L1", "TensorFlow's object detection, google/automl",
    "Off by the factor delta: the box loss is that much smaller.", ("criteria.retinanet", "criteria.ssd"),
    lambda choices, constant: {"box_loss": "huber", "beta": constant}, (0.5, 1 / 9, 0.1),
)  # fmt: skip
deviation(
    "zero_targets_dropped", "codes whose target is exactly 0 do not count", "google/automl's mask target != 0",
    "A box that is right where its prior is, is not held there.", ("criteria.retinanet",), {"zeros_count": False},
)  # fmt: skip
deviation(
    "zero_targets_count", "codes whose target is exactly 0 count", "all but google/automl", "None in practice.", ("criteria.retinanet",),
    {"zeros_count": True},
)  # fmt: skip
deviation(
    "code_weights_other", "targets are scaled by {constant}", "SSD's variances 0.1, 0.1, 0.2, 0.2, or none, where the other is meant",
    "The box term's errors are five to ten times as large, or as small, so boxes are learnt too hard or hardly.",
    ("criteria.retinanet", "criteria.ssd"), {"weights": "{constant}"},
    ((1.0, 1.0, 1.0, 1.0), (10.0, 10.0, 5.0, 5.0), (10.0, 10.0, 10.0, 10.0), (5.0, 5.0, 5.0, 5.0), (2.0, 2.0, 1.0, 1.0)),
)  # fmt: skip
deviation(
    "silent_without_positives", "the loss of a batch without positives is 0", "keras-hub's RetinaNet, Caffe's SSD",
    "Batches without objects teach nothing, so false positives on empty images stay.", ALL, {"empty_batch": "zero"},
)  # fmt: skip
deviation(
    "empty_images_skipped", "images without a truth add nothing", "loops with `continue` for an empty image",
    "False positives on empty images stay.", ALL, {"empty_image": "skip"},
)  # fmt: skip

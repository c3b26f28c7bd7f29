"""Known mistakes, and other projects' conventions, in whole criteria: each is a choice made otherwise, by its name."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .images import Choices

FLAT = ("criteria.fcos", "criteria.retinanet", "criteria.ssd")
YOLO_2_3, YOLO_3_4 = ("criteria.yolov2", "criteria.yolov3"), ("criteria.yolov3", "criteria.yolov4")
YOLO_2_3_4 = ("criteria.yolov2", *YOLO_3_4)
Change = Callable[[Choices, Any], Mapping[str, Any] | None]  # (choices, constant) -> the choices that change; None: it does not apply


@dataclass(frozen=True)
class Deviation:
    """name: what is printed, and never changes. effect: on training, in a sentence. title may hold {constant}."""

    name: str
    title: str
    seen: str
    effect: str
    criteria: tuple[str, ...]
    change: Change = field(repr=False)
    constants: tuple[Any, ...] = (None,)  # candidates for a constant that the cases identify


@dataclass(frozen=True)
class Candidate:
    """A deviation with its constant chosen."""

    deviation: Deviation
    constant: Any = None

    @property
    def title(self) -> str:
        return self.deviation.title if self.constant is None else self.deviation.title.format(constant=shown(self.constant))

    def change(self, choices: Choices) -> dict[str, Any] | None:
        """The choices with this deviation in them; None where it changes none of them."""
        moved = self.deviation.change(choices, self.constant)
        if moved is None or all(choices[name] == value for name, value in moved.items()):
            return None
        return {**choices, **moved}


DEVIATIONS: dict[str, Deviation] = {}


def shown(constant: Any) -> str:
    return f"{constant:g}" if isinstance(constant, float) else str(constant)


def deviation(
    name: str, title: str, seen: str, effect: str, criteria: Sequence[str], change: Change | Mapping[str, Any],
    constants: Sequence[Any] = (None,),
) -> None:  # fmt: skip
    """Register one; change may be the choices themselves, in which "{constant}" stands for the constant."""
    table = dict(change) if isinstance(change, Mapping) else {}

    def of_table(choices: Choices, constant: Any) -> Mapping[str, Any] | None:
        return (
            {key: constant if value == "{constant}" else value for key, value in table.items()} if table.keys() <= choices.keys() else None
        )

    made = of_table if isinstance(change, Mapping) else change
    DEVIATIONS[name] = Deviation(name, title, seen, effect, tuple(criteria), made, tuple(constants))


def applicable(criterion: str) -> list[Candidate]:
    """Every deviation of a criterion, with every constant it may have."""
    return [Candidate(one, constant) for one in DEVIATIONS.values() if criterion in one.criteria for constant in one.constants]


FOCAL = ("criteria.fcos", "criteria.retinanet")
ON_CODES = ("smooth_l1", "l1", "l2", "huber")
ALL = (*FLAT, *(f"criteria.{name}" for name in ("yolov1", "yolov2", "yolov3", "yolov4", "scaled_yolov4")))


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
deviation(
    "background_last", "the background is the last column", "mmdet; TensorFlow and the papers have it first",
    "Every class is learnt one column off.", ("criteria.ssd",), {"background": -1},
)  # fmt: skip
deviation(
    "background_first", "the background is the first column", "the paper, torchvision, ssd.pytorch",
    "Every class is learnt one column off.", ("criteria.ssd",), {"background": 0},
)  # fmt: skip
deviation(
    "negatives_not_mined", "all negatives count", "ports without hard negative mining",
    "The background dominates: the loss of positives is a small part of it, and everything becomes background.", ("criteria.ssd",),
    {"mine": False},
)  # fmt: skip
deviation(
    "mining_ratio_other", "{constant} negatives are mined for each positive", "other configurations",
    "More false positives with fewer negatives, fewer detections with more.", ("criteria.ssd",), {"ratio": "{constant}"},
    (1.0, 2.0, 3.0, 4.0, 5.0),
)  # fmt: skip
deviation(
    "positives_mined", "positives are among those that are mined, and count twice", "rykov8/ssd_keras#5, ports",
    "Hard positives count twice and push hard negatives out.", ("criteria.ssd",), {"also_negative": True},
)  # fmt: skip
deviation(
    "positives_mined_when_exhausted", "where negatives run out positives are mined too, and count twice", "torchvision",
    "None in practice: there are thousands of negatives.", ("criteria.ssd",), {"mining": "torchvision"},
)  # fmt: skip
deviation(
    "mined_by_background_score", "negatives are mined by the background's logit in place of their loss", "ports",
    "Nearly the same negatives, as long as classes' logits are alike.", ("criteria.ssd",), {"mined_by": "background"},
)  # fmt: skip
deviation(
    "forced_matches_missing", "a truth whose best prior is below the threshold has none", "ports that only threshold",
    "Objects of an unusual shape or size are never learnt.", ("criteria.ssd",), {"forced": False},
)  # fmt: skip
deviation(
    "matched_as_in", "truths take their best priors as in {constant}",
    "torchvision and ssd.pytorch (a truth may lose its prior to a later one, one that meets none gets prior 0), Caffe (unique pairs)",
    "Some objects have no prior, or one that does not fit.", ("criteria.ssd",), {"matching": "{constant}"},
    ("paper", "torchvision", "ssd.pytorch", "caffe"),
)  # fmt: skip
deviation(
    "threshold_other", "a prior is positive from an IoU of {constant}", "other configurations", "More, or fewer, priors are positive.",
    ("criteria.ssd",), {"threshold": "{constant}"}, (0.35, 0.4, 0.6, 0.7),
)  # fmt: skip
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
deviation(
    "small_boxes_weight_missing", "the box loss lacks the weight 2 - w h", "ports of YOLOv3; mmdet",
    "Large boxes dominate the box loss, small ones are learnt up to twice as slowly.", YOLO_2_3,
    {"small_boxes_count_more": False},
)  # fmt: skip
deviation(
    "small_boxes_count_more", "the box loss is weighted by 2 - w h", "darknet", "Small boxes count up to twice as much as large ones.",
    YOLO_2_3, {"small_boxes_count_more": True},
)  # fmt: skip
deviation(
    "small_boxes_weight_in_pixels", "the weight 2 - w h takes w and h in pixels", "ports that leave boxes in pixels",
    "The weight is negative and huge: boxes are driven away from their truths.", YOLO_2_3, {"small_boxes_count_more": "pixels"},
)  # fmt: skip
deviation(
    "ignore_threshold_other", "predictions are ignored above an IoU of {constant}", "darknet's yolov3.cfg 0.7, yolov3-voc.cfg 0.5",
    "More, or fewer, good predictions next to a truth are trained to deny it.", YOLO_2_3_4, {"ignore_threshold": "{constant}"},
    (0.4, 0.5, 0.6, 0.7),
)  # fmt: skip
deviation(
    "ignored_by_priors", "priors are ignored by their own IoU, not by that of their predictions", "mmdet's GridAssigner, the paper's words",
    "Good predictions of far priors are trained to deny an object.", YOLO_2_3_4, {"ignored_by": "priors"},
)  # fmt: skip
deviation(
    "squares_for_places", "places in the cell have squared errors through the sigmoid", "ports of the paper's sum of squares",
    "The gradient of x and y lacks its force where the sigmoid is flat.", YOLO_2_3, {"places": "squares"},
)  # fmt: skip
deviation(
    "sizes_not_halved", "the squared errors of sizes are not halved", "torch's mse_loss", "Sizes are learnt twice as hard as places.",
    YOLO_2_3, {"size_factor": 1.0},
)  # fmt: skip
deviation(
    "iou_as_objectness", "the objectness of a positive prior is the IoU of its prediction", "YOLOv2, ultralytics' YOLOv3",
    "Scores tell how good a box is, and are lower than what the paper's threshold expects.", YOLO_3_4, {"objectness": "iou"},
)  # fmt: skip
deviation(
    "softmax_for_classes", "classes have a softmax in place of a sigmoid each", "YOLOv2's classes",
    "An object has one class only, and labels that overlap are impossible.", YOLO_3_4, {"class_loss": "softmax"},
)  # fmt: skip
deviation(
    "last_claimant_only", "a prior that two truths claim has the last one's class alone", "mmdet, pjreddie/darknet where it returns early",
    "The other class is trained away there.", YOLO_3_4, {"claimants": "last"},
)  # fmt: skip
deviation(
    "no_object_weight", "the objectness of negatives is weighted by {constant}", "YOLOv1's lambda_noobj, ports",
    "More false positives with a smaller weight.", YOLO_2_3_4, {"no_object_weight": "{constant}"}, (0.5, 0.1, 100.0),
)  # fmt: skip

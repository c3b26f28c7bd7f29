"""Known mistakes and conventions in YOLO's other versions; those that they share with the third stand in yolov3_deviations.py."""

from collections.abc import Mapping
from functools import partial
from typing import Any

from .images import Choices
from .record import Deviation, register

KNOWN: dict[str, Deviation] = {}
deviation = partial(register, KNOWN)
V1, V2, V4, SCALED = (f"criteria.{name}" for name in ("yolov1", "yolov2", "yolov4", "scaled_yolov4"))


def swapped(choices: Choices, constant: Any) -> Mapping[str, Any]:
    return {"coordinate_weight": choices["no_object_weight"], "no_object_weight": choices["coordinate_weight"]}


deviation(
    "coordinate_weight_missing", "the box term lacks the weight lambda_coord", "ports of YOLOv1",
    "Boxes are learnt a fifth as hard, and drown in the confidences.", (V1,), {"coordinate_weight": 1.0},
)  # fmt: skip
deviation(
    "no_object_weight_missing", "the confidences without an object lack the weight lambda_noobj", "ports of YOLOv1",
    "Most predictors hold no object: they push confidences towards 0 and overpower the gradient of those that do.", (V1,),
    {"no_object_weight": 1.0},
)  # fmt: skip
deviation(
    "lambdas_swapped", "lambda_coord and lambda_noobj are swapped", "ports of YOLOv1",
    "Empty predictors count five times, boxes half: everything becomes background.", (V1,), swapped,
)  # fmt: skip
deviation(
    "weights_squared", "weights multiply errors before they are squared, so that they enter squared", "ports of YOLOv1",
    "Boxes count 25 times, empty predictors a quarter.", (V1,), {"weights": "squared"},
)  # fmt: skip
deviation(
    "weights_squared_in_the_value", "weights enter the value squared, the gradient once and without the factor 2",
    "pjreddie/darknet, whose printed cost is the sum of squared gradients", "None for training: only the number that is printed.", (V1,),
    {"weights": "squared_in_value"},
)  # fmt: skip
deviation(
    "errors_halved", "every squared error counts half", "darknet's gradient", "None but for the learning rate.", (V1,), {"factor": 0.5},
)  # fmt: skip
deviation(
    "errors_not_halved", "squared errors are not halved", "the paper; torch's mse_loss", "None but for the learning rate.", (V1,),
    {"factor": 1.0},
)  # fmt: skip
deviation(
    "square_roots_missing", "the loss compares sizes themselves, though the head's numbers are squared for its boxes", "ports of YOLOv1",
    "The head learns w where its box takes w squared: boxes come out too small.", (V1,), {"sizes": "roots_missing"},
)  # fmt: skip
deviation(
    "sizes_without_roots", "the head gives sizes, not their square roots, and these are compared", "darknet with sqrt=0, ports of YOLOv1",
    "Large boxes dominate: an error of ten pixels counts alike for a small box and a large one.", (V1,), {"sizes": "plain"},
)  # fmt: skip
deviation(
    "roots_of_the_heads_sizes", "the head gives sizes, and the loss takes their square roots", "many ports of YOLOv1",
    "Right for a head that gives sizes; a negative or zero size makes the loss or its gradient NaN or infinite.", (V1,),
    {"sizes": "roots_taken"},
)  # fmt: skip
deviation(
    "squares_of_the_heads_roots", "the head's numbers are squared, and compared with sizes", "ports that decode before the loss",
    "Large boxes dominate, and sizes near 0 have no gradient.", (V1,), {"sizes": "squares"},
)  # fmt: skip
deviation(
    "centres_relative_to_the_image", "x and y are relative to the image, not to the cell", "ports of YOLOv1",
    "Places have errors S times as small, and any cell can point anywhere.", (V1,), {"places": "image"},
)  # fmt: skip
deviation(
    "first_predictor_responsible", "the first predictor of a cell is responsible, whatever its box", "ports of YOLOv1",
    "Predictors do not specialise; all but the first never learn a box.", (V1,), {"responsible": "first"},
)  # fmt: skip
deviation(
    "all_predictors_responsible", "all predictors of a cell are responsible for its truth", "ports of YOLOv1",
    "Predictors learn the same box, and each object is found several times.", (V1,), {"responsible": "all"},
)  # fmt: skip
deviation(
    "one_as_objectness", "the objectness of a positive prior is 1, not the IoU of its prediction", "darknet's rescore=0, ports; gr = 0",
    "Scores tell that there is an object, not how good its box is.", (V1, V2, SCALED), {"objectness": "one"},
)  # fmt: skip
deviation(
    "no_object_term_for_all", "responsible priors have the term of those without an object, too", "ports whose mask of the others is all",
    "Confidences of objects are pulled towards 0.", (V1, V2), {"no_object_rows": "all"},
)  # fmt: skip
deviation(
    "no_object_term_of_empty_cells", "predictors beside the responsible one have no term for their confidence", "ports of YOLOv1",
    "The other predictors of a cell with an object keep firing there.", (V1,), {"no_object_rows": "empty_cells"},
)  # fmt: skip
deviation(
    "classes_of_empty_cells", "cells without an object learn that they have no class", "ports of YOLOv1 without the mask of the class term",
    "Class scores are pulled towards 0 by far more cells than hold an object.", (V1,), {"class_rows": "all"},
)  # fmt: skip
deviation(
    "cross_entropy_for_class_squares", "classes have a cross entropy ({constant}) in place of squared errors", "ports of YOLOv1",
    "Classes are learnt harder, and scores are logits, not probabilities.", (V1,), {"class_loss": "{constant}"}, ("softmax", "sigmoid"),
)  # fmt: skip

# YOLOv2
deviation(
    "warm_up_missing", "the first 12 800 images do not draw priors to their own shapes", "ports of YOLOv2",
    "Boxes of priors without an object start anywhere, so early training is less stable.", (V2,), {"warm_up": "never"},
)  # fmt: skip
deviation(
    "warm_up_never_ends", "the warm-up draws priors to their own shapes for ever", "ports of YOLOv2 that count no images",
    "Every prediction without an object is held at its prior's box, which boxes that should move pay for.", (V2,), {"warm_up": "always"},
)  # fmt: skip
deviation(
    "warm_up_weight_missing", "the warm-up lacks its weight 0.01", "ports of YOLOv2",
    "At first nearly all of the box loss is of priors without an object.", (V2,), {"warm_up_weight": 1.0},
)  # fmt: skip
deviation(
    "object_weight_missing", "the objectness of positive priors lacks its weight 5", "ports of YOLOv2",
    "Objects are found less surely: the background counts five times as much as it should.", (V2,), {"object_weight": 1.0},
)  # fmt: skip
deviation(
    "entropy_for_places", "places in the cell have a cross entropy in place of squared errors through the sigmoid",
    "darknet's gradient, YOLOv3", "The gradient of x and y keeps its force where the sigmoid is flat.", (V2,), {"places": "entropy"},
)  # fmt: skip
deviation(
    "entropy_for_objectness", "the objectness has a cross entropy in place of squared errors through the sigmoid",
    "darknet's gradient, YOLOv3", "Priors that are surely wrong are corrected harder.", (V2,), {"objectness_loss": "entropy"},
)  # fmt: skip
deviation(
    "squares_for_objectness", "the objectness has squared errors through the sigmoid in place of a cross entropy",
    "ports of the paper's sum of squares", "Priors that are surely wrong have hardly a gradient.", (V2,), {"objectness_loss": "squares"},
)  # fmt: skip
deviation(
    "slope_of_places_missing", "the gradient of places leaves out the sigmoid's derivative, the value is of squared errors", "darknet",
    "As with a cross entropy: the gradient of x and y keeps its force.", (V2,), {"places": "slopeless"},
)  # fmt: skip
deviation(
    "slope_of_objectness_missing", "the gradient of the objectness leaves out the sigmoid's derivative, the value is of squared errors",
    "darknet", "As with a cross entropy: priors that are surely wrong are corrected harder.", (V2,), {"objectness_loss": "slopeless"},
)  # fmt: skip
deviation(
    "sigmoid_for_classes", "classes have a sigmoid each in place of a softmax", "YOLOv3's classes, darknet's softmax=0",
    "Classes no longer compete; an object may have several.", (V2,), {"class_loss": "sigmoid"},
)  # fmt: skip

# YOLOv4
deviation(
    "iou_normalizer_missing", "the box term lacks its weight ({constant} for what is stated)", "ports; darknet's default is 0.75",
    "Boxes are learnt more than ten times as hard as meant, and classes and objectness drown.", (V4, SCALED), {"box_weight": "{constant}"},
    (1.0, 0.75, 0.5, 0.05, 0.07),
)  # fmt: skip
deviation(
    "box_loss_of_another_kind", "the box loss is {constant}", "darknet's default is squares (mse); others take iou, giou, diou",
    "Boxes that miss their truth, or have its place and not its shape, are pulled in another way.", (V4, SCALED),
    lambda choices, constant: None if constant == "squares" and "iou_threshold" not in choices else {"box_loss": constant},
    ("iou", "log_iou", "giou", "diou", "ciou", "squares"),
)  # fmt: skip
deviation(
    "scale_xy_missing", "centres reach just their cell: scale_xy is 1", "ports of YOLOv4; heads of YOLOv3",
    "Centres on a cell's border are out of reach.", (V4, SCALED), {"scale_xy": "one"},
)  # fmt: skip
deviation(
    "scale_xy_not_shifted", "centres are s sigma(t) without - (s - 1) / 2", "ports of YOLOv4",
    "Every centre is off to the right and below.", (V4, SCALED), {"scale_xy": "unshifted"},
)  # fmt: skip
deviation(
    "extra_matches_missing", "a truth has its best prior alone, not all above iou_thresh", "YOLOv3; ports of YOLOv4",
    "Fewer priors learn an object, and the others are trained to deny it.", (V4,), {"iou_threshold": 1.0},
)  # fmt: skip
deviation(
    "extra_matches", "a truth has all priors whose shape has an IoU above {constant}", "darknet's yolov4.cfg",
    "More priors learn an object.", (V4,), {"iou_threshold": "{constant}"}, (0.213, 0.5),
)  # fmt: skip
deviation(
    "label_smoothing_missing", "labels are not smoothed", "darknet's yolov4.cfg (label_smooth_eps 0)",
    "Class scores are driven to certainty.", (V4, SCALED), {"label_smoothing": 0.0},
)  # fmt: skip
deviation(
    "labels_smoothed", "labels are smoothed by {constant}", "other configurations", "Class scores stay away from 0 and 1.", (V4, SCALED),
    {"label_smoothing": "{constant}"}, (0.1, 0.05, 0.01),
)  # fmt: skip
deviation(
    "last_claimants_box_only", "a prior that two truths claim learns the last one's box alone", "ports with one target for each prior",
    "The other truth's box is not learnt there.", (V4,), {"boxes_of": "last"},
)  # fmt: skip
deviation(
    "ignored_for_a_class_only", "priors are ignored only where some class is likelier than 0.25", "AlexeyAB/darknet",
    "Good predictions of uncertain class are trained to deny an object.", (V4,), {"ignore_needs_class": 0.25},
)  # fmt: skip
deviation(
    "sizes_squared_sigmoid", "sizes are p (2 sigma(t))^2 in place of p e^t", "Scaled-YOLOv4, YOLOv5", "Sizes reach four priors at most.",
    (V4,), {"sizes": "squared_sigmoid"},
)  # fmt: skip

# Scaled-YOLOv4
deviation(
    "sizes_exponential", "sizes are p e^t in place of p (2 sigma(t))^2", "YOLOv2 to YOLOv4",
    "Sizes are unbounded and their gradient grows with them, which is what the other form was made against.", (SCALED,), {"sizes": "exp"},
)  # fmt: skip
deviation(
    "ratio_other", "a prior matches within a factor of {constant}", "other configurations (anchor_t)",
    "More, or fewer, priors learn an object.", (SCALED,), {"ratio": "{constant}"}, (2.0, 3.0, 4.0, 5.0),
)  # fmt: skip
deviation(
    "neighbour_cells_missing", "a truth belongs to its own cell alone, not to the nearer neighbours", "YOLOv4; ports of YOLOv5",
    "A third of the positives: slower learning, and centres near a border are learnt less well.", (SCALED,), {"cells": "own"},
)  # fmt: skip
deviation(
    "neighbours_in_the_truths_cell", "neighbour cells are taught the place in the truth's own cell", "ports of YOLOv5",
    "Neighbours learn boxes that are one cell away from the object.", (SCALED,), {"boxes_in": "cells"},
)  # fmt: skip
deviation(
    "best_prior_only", "a truth takes its best prior by shape, in its own cell", "YOLOv3's rule", "A tenth of the positives.", (SCALED,),
    {"rule": "best"},
)  # fmt: skip
deviation(
    "matched_by_shape_iou", "priors match by an IoU of shapes above 0.2, not by the ratio of sides, in the truth's own cell",
    "darknet's yolov4-csp.cfg", "Other priors learn an object, and fewer.", (SCALED,), {"rule": "shape_iou"},
)  # fmt: skip
deviation(
    "balance_missing", "the objectness of all grids has one weight", "ports of YOLOv5",
    "Small objects, on the finest grid, are found less surely.", (SCALED,), {"balance": "none"},
)  # fmt: skip
deviation(
    "plain_iou_as_objectness", "the objectness of a match is its {constant}, not the CIoU", "ports; other versions",
    "Scores tell another quality of the box.", (SCALED,), {"objectness": "{constant}"}, ("iou", "giou"),
)  # fmt: skip
deviation(
    "objectness_not_clipped", "the CIoU that the objectness is taught may be negative", "ports without clamp(0)",
    "Boxes that miss are pushed below 0, without end.", (SCALED,), {"objectness": "ciou_not_clipped"},
)  # fmt: skip
deviation(
    "prior_of_two_truths", "of several truths at one prior the {constant} one's IoU is its objectness",
    "orders of writes, which CUDA does not fix; sort_obj_iou", "None in practice.", (SCALED,), {"claimants": "{constant}"},
    ("first", "best"),
)  # fmt: skip

"""YOLOv3's deviations, which the second or the fourth version share."""

from functools import partial

from .record import Deviation, register

YOLO_2_3, YOLO_3_4 = ("criteria.yolov2", "criteria.yolov3"), ("criteria.yolov3", "criteria.yolov4")
YOLO_2_3_4 = ("criteria.yolov2", *YOLO_3_4)
KNOWN: dict[str, Deviation] = {}
deviation = partial(register, KNOWN)

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

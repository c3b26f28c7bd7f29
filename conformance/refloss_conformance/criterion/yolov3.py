"""YOLOv3 taken apart: what its implementations choose, one name for each choice."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from refloss import assign, boxes, losses
from refloss._engine.check import IGNORE, NEGATIVE
from refloss.coders import YOLOCoder
from refloss.criteria.yolov3 import DIALECTS
from refloss.priors import yolo_priors

from ..criteria import Case, grids
from ..golden import Array
from .heads import by_batch_or_image, claims, image_of, rows, spread
from .images import Choices, Evaluated, Piece, moved_labels, read_boxes

FREE: dict[str, Any] = {
    "label_shift": 0, "boxes_read_as": "xyxy", "ignored": "ignored", "ignored_by": "predictions", "places": "entropy", "size_factor": 0.5,
    "objectness": "one", "class_loss": "sigmoid", "claimants": "all", "no_object_weight": 1.0,
}  # fmt: skip
normalizer = by_batch_or_image


def base(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """The choices of a setting."""
    table = DIALECTS[parameters.get("dialect", "paper")]
    return {**FREE, **table, **{name: value for name, value in parameters.items() if value is not None}}


def box_term(codes: Array, priors: Array, own: Array, c: Choices) -> tuple[Array, Array]:
    """(value (n,), gradient by the codes (n, 4)), not weighted."""
    place = (own[:, :2] + own[:, 2:]) / 2 / priors[:, 4:] - priors[:, :2]
    size = np.log((own[:, 2:] - own[:, :2]) / priors[:, 2:4])
    if c["places"] == "entropy":
        value, slope = losses.binary_cross_entropy.value_and_grad(codes[:, :2], place)
    else:
        p = 1 / (1 + np.exp(-codes[:, :2]))
        value, slope = (p - place) ** 2 / 2, (p - place) * p * (1 - p)
    error = codes[:, 2:] - size
    whole = np.sum(value, axis=1) + c["size_factor"] * (error**2).sum(axis=1)
    return whole, np.concatenate([slope, 2 * c["size_factor"] * error], axis=1)


def weights(own: Array, side: tuple[float, float], c: Choices) -> Array:
    areas = (own[:, 2:] - own[:, :2]).prod(axis=1)
    if not c["small_boxes_count_more"]:
        return np.ones(len(own))
    found: Array = 2 - areas / (1.0 if c["small_boxes_count_more"] == "pixels" else side[0] * side[1])
    return found


def class_term(logits: Array, claimed: Array, last: Array, c: Choices) -> tuple[Array, Array]:
    """(value (n,), gradient (n, classes))."""
    if c["class_loss"] == "softmax":
        value, slope = losses.softmax_cross_entropy_with_integer_labels.value_and_grad(logits, np.where(last < 0, IGNORE, last))
        return np.asarray(value), np.asarray(slope)
    wanted = claimed if c["claimants"] == "all" else (last[:, None] == np.arange(logits.shape[1])).astype(np.float64)
    value, slope = losses.binary_cross_entropy.value_and_grad(logits, wanted)
    return np.sum(value, axis=1), np.asarray(slope)


def evaluate(case: Case, c: Choices) -> Evaluated:
    outputs, of, classes = case.arrays("float64"), grids(case.config), case.config["classes"]
    priors, side = yolo_priors(of, dtype=np.float64), (of[0].height * of[0].stride, of[0].width * of[0].stride)
    images = []
    for i, truth in enumerate(case.targets("float64")):
        whole = np.concatenate([rows(outputs[f"output_{k}"][i]) for k in range(len(of))])
        codes, objectness, logits = whole[:, :4], whole[:, 4], whole[:, 5:]
        truths = read_boxes(truth["gt_boxes"], c["boxes_read_as"])
        predicted = YOLOCoder().decode(codes, priors)
        asked = predicted if c["ignored_by"] == "predictions" else None
        found = assign.yolov3(of, truths, predicted_boxes=asked, ignore_threshold=c["ignore_threshold"], dialect=c["dialect"])
        index = np.where(found.gt_index == IGNORE, NEGATIVE, found.gt_index) if c["ignored"] == "background" else found.gt_index
        positive = np.flatnonzero(index >= 0)
        own, labels = truths[index[positive]], moved_labels(truth["gt_labels"], c["label_shift"], classes)
        times = weights(own, side, c)
        of_box, by_codes = box_term(codes[positive], priors[positive], own, c) if len(positive) else (np.zeros(0), np.zeros((0, 4)))
        claimed = claims(found.pairs, labels, len(priors), classes)
        last = labels[index[positive]] if len(positive) else np.zeros(0, np.int64)
        by_class, class_slope = (
            class_term(logits[positive], claimed[positive], last, c) if len(positive) else (np.zeros(0), np.zeros((0, classes)))
        )
        wanted = (index >= 0).astype(np.float64)
        if c["objectness"] == "iou" and len(positive):
            wanted[positive] = boxes.iou(predicted[positive], own)
        weight = np.where(index >= 0, 1.0, np.where(index == IGNORE, 0.0, c["no_object_weight"]))
        value, slope = losses.binary_cross_entropy.value_and_grad(objectness, wanted)
        box = Piece(
            float((times * of_box).sum()), spread(case, positive, slice(0, 4), times[:, None] * by_codes, whole),
            4 * len(priors), 4 * len(positive),
        )  # fmt: skip
        weighted = (value * weight, slope * weight)
        images.append(image_of(case, whole, index, len(truths), box=box, objectness=weighted, classes=(by_class, class_slope)))
    return Evaluated(images)

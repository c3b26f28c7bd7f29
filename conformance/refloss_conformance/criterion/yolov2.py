"""YOLOv2 taken apart: what its implementations choose, one name for each choice."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from refloss import assign, boxes, losses
from refloss._engine.check import IGNORE, NEGATIVE
from refloss.criteria._yolo import box_targets, cells_away
from refloss.criteria.yolov2 import DIALECTS, WARM_UP_IMAGES, WARM_UP_WEIGHT
from refloss.priors import prior_boxes

from ..criteria import Case, grids
from ..golden import Array
from .heads import by_batch_or_image, claims, decoded, image_of, priors_of, side_of, spread, squares, whole
from .images import Choices, Evaluated, Piece, moved_labels, read_boxes
from .yolov3 import class_term, weights

FREE: dict[str, Any] = {
    "ignore_threshold": 0.6, "coordinate_weight": 1.0, "object_weight": 5.0, "no_object_weight": 1.0, "label_shift": 0,
    "boxes_read_as": "xyxy", "ignored": "ignored", "ignored_by": "predictions", "size_factor": 0.5, "objectness": "iou",
    "class_loss": "softmax", "claimants": "all", "no_object_rows": "others", "images_seen": 0, "warm_up_weight": WARM_UP_WEIGHT,
    "match": "prior",
}  # fmt: skip
normalizer = by_batch_or_image


def base(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """The choices of a setting."""
    given = {name: value for name, value in parameters.items() if value is not None}
    found = {**FREE, **DIALECTS[parameters.get("dialect", "paper")], **given}
    kind = "squares" if found.pop("through_sigmoid") else "entropy"
    return {**found, "places": kind, "objectness_loss": kind, "warm_up": "at_first" if found["warm_up"] else "never"}


def through(kind: str, logits: Array, targets: Array) -> tuple[Array, Array]:
    """Squares through the sigmoid, the same without its slope, or a cross entropy with a soft target."""
    if kind == "entropy":
        found: tuple[Array, Array] = losses.binary_cross_entropy.value_and_grad(logits, targets)
        return found
    return squares(logits, targets, kind == "squares")


def coordinates(codes: Array, priors: Array, wanted: Array, c: Choices) -> tuple[Array, Array]:
    """(value (n,), gradient by the codes (n, 4)), not weighted."""
    if not len(codes):
        return np.zeros(0), np.zeros((0, 4))
    place, size = box_targets(wanted, priors, c["dialect"])
    value, slope = through(c["places"], codes[:, :2], place)
    error = codes[:, 2:] - size
    total: Array = value.sum(axis=1) + c["size_factor"] * (error**2).sum(axis=1)
    return total, np.concatenate([slope, 2 * c["size_factor"] * error], axis=1)


def objectness_term(logits: Array, index: Array, wanted: Array, c: Choices) -> tuple[Array, Array]:
    """(value (n,), gradient (n,)); wanted (n,) of the positive ones."""
    positive = index >= 0
    weight = np.where(positive, c["object_weight"], np.where(index == IGNORE, 0.0, c["no_object_weight"]))
    value, slope = through(c["objectness_loss"], logits, wanted)
    value, slope = weight * value, weight * slope
    if c["no_object_rows"] == "all":
        more, by_more = through(c["objectness_loss"], logits, np.zeros_like(logits))
        value, slope = value + c["no_object_weight"] * positive * more, slope + c["no_object_weight"] * positive * by_more
    return value, slope


def evaluate(case: Case, c: Choices) -> Evaluated:
    outputs, of, classes, images = case.arrays("float64"), grids(case.config), case.config["classes"], []
    priors, side = priors_of(case), side_of(case)
    warming = c["warm_up"] == "always" or (c["warm_up"] == "at_first" and c["images_seen"] < WARM_UP_IMAGES)
    for i, truth in enumerate(case.targets("float64")):
        values = whole(outputs, i)
        codes = values[:, :4]
        truths = read_boxes(truth["gt_boxes"], c["boxes_read_as"])
        predicted, _ = decoded(codes, priors, np.ones(len(priors)))
        found = assign.yolov2(
            of, truths, predicted_boxes=predicted if "predictions" in (c["ignored_by"], f"{c['match']}s") else None,
            ignore_threshold=c["ignore_threshold"], match=c["match"], dialect=c["dialect"],
        )  # fmt: skip
        index = np.where(found.gt_index == IGNORE, NEGATIVE, found.gt_index) if c["ignored"] == "background" else found.gt_index
        positive, others = np.flatnonzero(index >= 0), np.flatnonzero(index < 0)
        own, labels = truths[index[positive]], moved_labels(truth["gt_labels"], c["label_shift"], classes)
        times = weights(own, side, c) * c["coordinate_weight"]
        box, by_code = coordinates(codes[positive], priors[positive], own, c)
        total, box_rows, slopes = float((times * box).sum()), positive, times[:, None] * by_code
        if warming:
            more, by_more = coordinates(codes[others], priors[others], prior_boxes(priors)[others], c)
            total += c["warm_up_weight"] * float(more.sum())
            box_rows, slopes = np.concatenate([positive, others]), np.concatenate([slopes, c["warm_up_weight"] * by_more])
        wanted = (index >= 0).astype(np.float64)
        if c["objectness"] == "iou" and len(positive):
            away = cells_away(own, priors[positive], c["dialect"]) * priors[positive][:, 4:]
            wanted[positive] = boxes.iou(predicted[positive] + np.tile(away, 2), own)
        value, slope = objectness_term(values[:, 4], index, wanted, c)
        claimed = claims(found.pairs, labels, len(priors), classes)
        by_class, class_slope = np.zeros(0), np.zeros((0, classes))
        if len(positive):
            by_class, class_slope = class_term(values[positive, 5:], claimed[positive], labels[index[positive]], c)
        piece = Piece(total, spread(case, box_rows, slice(0, 4), slopes, values), 4 * len(priors), 4 * len(positive))
        images.append(image_of(case, values, index, len(truths), box=piece, objectness=(value, slope), classes=(by_class, class_slope)))
    return Evaluated(images)

"""YOLOv4 taken apart: what its implementations choose, one name for each choice."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from refloss import assign, boxes, losses
from refloss._engine.check import IGNORE, NEGATIVE
from refloss.criteria.yolov4 import DIALECTS

from ..criteria import Case, grids
from ..golden import Array
from .box import ON_BOXES, on_boxes
from .heads import (
    by_batch_or_image,
    by_codes,
    claims,
    decoded,
    grid_of,
    image_of,
    priors_of,
    side_of,
    sigmoid,
    smoothed,
    softmax,
    spread,
    whole,
)
from .images import Choices, Evaluated, Piece, moved_labels, read_boxes

FREE: dict[str, Any] = {
    "iou_threshold": 0.213, "ignore_threshold": 0.7, "box_loss": "ciou", "box_weight": 0.07, "objectness_weight": 1.0,
    "label_smoothing": 0.0, "label_shift": 0, "boxes_read_as": "xyxy", "ignored": "ignored", "ignored_by": "predictions",
    "objectness": "one", "class_loss": "sigmoid", "claimants": "all", "boxes_of": "all", "scale_xy": "own", "sizes": "exp",
    "no_object_weight": 1.0,
}  # fmt: skip
normalizer = by_batch_or_image


def base(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """The choices of a setting."""
    given = {name: value for name, value in parameters.items() if value is not None}
    return {**FREE, **DIALECTS[parameters.get("dialect", "paper")], **given}


def scales(case: Case, c: Choices) -> Array:
    """(priors,) how far each prior's centre reaches."""
    each = np.array(case.config.get("scale_xy", (2.0,) * len(grids(case.config))), np.float64)
    found: Array = each[grid_of(case)] if c["scale_xy"] != "one" else np.ones(len(grid_of(case)))
    return found


def boxes_of(codes: Array, priors: Array, scale: Array, c: Choices) -> tuple[Array, Array]:
    """Boxes and their derivatives, by scale_xy and sizes."""
    return decoded(codes, priors, scale, shift=c["scale_xy"] != "unshifted", squared=c["sizes"] == "squared_sigmoid")


def box_term(codes: Array, priors: Array, scale: Array, own: Array, c: Choices, side: tuple[int, int]) -> tuple[Array, Array]:
    """(value (n,), gradient by the codes (n, 4)), not weighted."""
    if not len(codes):
        return np.zeros(0), np.zeros((0, 4))
    if c["box_loss"] in ON_BOXES:
        made, by_code = boxes_of(codes, priors, scale, c)
        value, by_box = on_boxes(c["box_loss"], made, own, 1e-7 if c["box_loss"] == "log_iou" else 0.0)
        return value, by_codes(by_box, by_code)
    s, p = scale[:, None], sigmoid(codes[:, :2])
    place = (own[:, :2] + own[:, 2:]) / 2 / priors[:, 4:] - priors[:, :2]
    off = s * p - (s - 1) / 2 * (c["scale_xy"] != "unshifted") - place
    grown = codes[:, 2:] - np.log((own[:, 2:] - own[:, :2]) / priors[:, 2:4])
    times = (2 - (own[:, 2:] - own[:, :2]).prod(axis=1) / (side[0] * side[1]))[:, None]
    value = times * np.concatenate([off, grown], axis=1) ** 2 / 2
    return value.sum(axis=1), times * np.concatenate([off * s * p * (1 - p), grown], axis=1)


def classes_of(logits: Array, wanted: Array, c: Choices) -> tuple[Array, Array]:
    """(value (n,), gradient (n, classes))."""
    if not len(logits):
        return np.zeros(0), np.zeros_like(logits)
    if c["class_loss"] == "softmax":
        return softmax(logits, wanted)
    value, slope = losses.binary_cross_entropy.value_and_grad(logits, smoothed(wanted, c["label_smoothing"]))
    return value.sum(axis=1), slope


def evaluate(case: Case, c: Choices) -> Evaluated:
    if c["dialect"] == "darknet":
        raise ValueError("darknet's deltas are not taken apart: no deviation of them is known")
    outputs, of, classes, images = case.arrays("float64"), grids(case.config), case.config["classes"], []
    priors, scale, side = priors_of(case), scales(case, c), side_of(case)
    for i, truth in enumerate(case.targets("float64")):
        values, truths = whole(outputs, i), read_boxes(truth["gt_boxes"], c["boxes_read_as"])
        predicted, _ = boxes_of(values[:, :4], priors, scale, c)
        found = assign.yolov4(
            of, truths, predicted_boxes=predicted if c["ignored_by"] == "predictions" else None, iou_threshold=c["iou_threshold"],
            ignore_threshold=c["ignore_threshold"], dialect=c["dialect"],
        )  # fmt: skip
        index, pairs = np.where(found.gt_index == IGNORE, NEGATIVE, found.gt_index), found.pairs
        if c["ignored"] != "background":
            sure = sigmoid(values[:, 5:]).max(axis=1) > c["ignore_needs_class"] if c["ignore_needs_class"] else True
            index = np.where((found.gt_index == IGNORE) & sure, IGNORE, index)
        positive, labels = np.flatnonzero(index >= 0), moved_labels(truth["gt_labels"], c["label_shift"], classes)
        last = np.stack([positive, index[positive]], axis=1)
        prior, j = (last if c["boxes_of"] == "last" else pairs).T
        box, by_code = box_term(values[prior, :4], priors[prior], scale[prior], truths[j], c, side)
        claimed = claims(last if c["claimants"] == "last" else pairs, labels, len(priors), classes)
        by_class, class_slope = classes_of(values[positive, 5:], claimed[positive], c)
        wanted = (index >= 0).astype(np.float64)
        if c["objectness"] == "iou" and len(positive):
            wanted[positive] = boxes.iou(predicted[positive], truths[index[positive]])
        value, slope = losses.binary_cross_entropy.value_and_grad(values[:, 4], wanted)
        weight = np.where(index >= 0, 1.0, np.where(index == IGNORE, 0.0, c["no_object_weight"])) * c["objectness_weight"]
        numbers = 1 if c["box_loss"] in ON_BOXES else 4
        piece = Piece(
            float(c["box_weight"] * box.sum()), spread(case, prior, slice(0, 4), c["box_weight"] * by_code, values),
            numbers * len(priors), numbers * len(prior),
        )  # fmt: skip
        objectness = (weight * value, weight * slope)
        images.append(image_of(case, values, index, len(truths), box=piece, objectness=objectness, classes=(by_class, class_slope)))
    return Evaluated(images)

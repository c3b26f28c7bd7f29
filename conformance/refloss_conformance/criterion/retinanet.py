"""RetinaNet taken apart: what its implementations choose, one name for each choice."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from refloss import assign, losses
from refloss._engine.check import IGNORE, NEGATIVE
from refloss.coders import DeltaCoder
from refloss.criteria.retinanet import DIALECTS

from ..criteria import Case
from ..golden import Array
from .box import regression
from .images import Choices, Evaluated, Image, Piece, moved_labels, read_boxes

FREE: dict[str, Any] = {
    "alpha": 0.25, "positive_threshold": 0.5, "eps": 1e-7, "weights": (1.0, 1.0, 1.0, 1.0), "label_shift": 0, "boxes_read_as": "xyxy",
    "codes_order": (0, 1, 2, 3), "class_rows": "counted", "ignored": "ignored", "power_of": "miss",
}  # fmt: skip


def base(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """The choices of a setting."""
    table = DIALECTS[parameters.get("dialect", "paper")]
    low = table["low_quality_matches"]
    return {**FREE, **table, **{name: value for name, value in parameters.items() if value is not None}, "low_quality": low}


def normalizer(parameters: Mapping[str, Any]) -> dict[str, str]:
    """Which normaliser each term of a setting has."""
    by_dialect = {
        "paper": "batch",
        "torchvision": "image_mean",
        "mmdet": "each_image_at_least_one",
        "detectron2": "batch",
        "automl": "one_more",
    }
    given = parameters.get("normalizer")
    name = {"batch": "batch", "image": "image_mean"}.get(str(given), by_dialect[parameters.get("dialect", "paper")])
    return {"box": name, "classes": name}


def matched(priors: Array, boxes: Array, c: Choices) -> Array:
    """gt_index of each prior."""
    thresholds = {"positive_threshold": c["positive_threshold"], "negative_threshold": c["negative_threshold"]}
    low = c["low_quality"]
    if low == "automl":
        found = assign.max_iou(priors, boxes, **thresholds).gt_index
        best = assign.ssd(priors, boxes[::-1], threshold=1.0, dialect="torchvision").gt_index
        return np.where(best >= 0, len(boxes) - 1 - best, found)
    index = assign.max_iou(priors, boxes, **thresholds, low_quality_matches=low is not None, dialect=low or "paper").gt_index
    return np.where(index == IGNORE, NEGATIVE, index) if c["ignored"] == "background" else index


def class_loss(logits: Array, labels: Array, c: Choices) -> tuple[Array, Array]:
    """Elementwise focal loss, (rows, classes) each."""
    if c["power_of"] == "miss":
        value, slope = losses.focal_loss_with_integer_labels.value_and_grad(logits, labels, alpha=c["alpha"], gamma=c["gamma"])
        return np.asarray(value), np.asarray(slope)
    # Softmax over the classes and a background of logit 0
    extended = np.concatenate([logits, np.zeros((len(logits), 1))], axis=1)
    wanted = np.where(labels == NEGATIVE, logits.shape[1], labels)
    value, slope = losses.softmax_focal_loss_with_integer_labels.value_and_grad(extended, wanted, alpha=None, gamma=c["gamma"])
    spread = np.zeros_like(logits)
    spread[:, 0] = value
    return spread, np.asarray(slope)[:, :-1]


def evaluate(case: Case, c: Choices) -> Evaluated:
    outputs, priors = case.arrays("float64"), np.array(case.config["priors"], np.float64)
    coder, images = DeltaCoder(weights=c["weights"]), []
    order = list(c["codes_order"])
    for i, truth in enumerate(case.targets("float64")):
        boxes = read_boxes(truth["gt_boxes"], c["boxes_read_as"])
        sized = (boxes[:, 2:] > boxes[:, :2]).all(axis=1) if len(boxes) else np.zeros(0, bool)
        kept = np.flatnonzero(sized)
        index = matched(priors, boxes[kept], c)
        index = np.where(index >= 0, kept[index] if len(kept) else index, index)
        classes = case.config["classes"]
        shifted = moved_labels(truth["gt_labels"], c["label_shift"], classes)
        labels = index.copy()
        labels[index >= 0] = shifted[index[index >= 0]]
        positive = np.flatnonzero(index >= 0)
        rows = {"counted": labels != IGNORE, "positive": index >= 0, "negative": index == NEGATIVE}[c["class_rows"]]
        value, slope = class_loss(outputs["classes"][i], np.where(rows, labels, IGNORE), c)
        box, box_slope, numbers = regression(coder, outputs["codes"][i][positive][:, order], priors[positive], boxes[index[positive]], c)
        codes = np.zeros_like(outputs["codes"][i])
        codes[positive[:, None], order] = c["box_weight"] * box_slope
        terms = {
            "classes": Piece(float(value.sum()), {"classes": slope}, value.size, float(rows.sum() * classes)),
            "box": Piece(float(c["box_weight"] * box.sum()), {"codes": codes}, len(priors) * numbers, len(positive) * numbers),
        }
        images.append(Image(terms, len(positive), len(priors), len(kept), int((index != IGNORE).sum())))
    return Evaluated(images)

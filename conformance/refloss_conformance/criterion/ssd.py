"""SSD taken apart: what its implementations choose, one name for each choice."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from refloss import assign, losses, mining
from refloss._engine.check import NEGATIVE
from refloss.assign.assignment import from_index
from refloss.coders import DeltaCoder
from refloss.criteria.ssd import DIALECTS

from ..criteria import Case
from ..golden import Array
from .box import regression
from .images import Choices, Evaluated, Image, Piece, moved_labels, read_boxes

FREE: dict[str, Any] = {
    "box_weight": 1.0, "beta": 1.0, "eps": 1e-7, "threshold": 0.5, "ratio": 3.0, "min_negatives": 0, "weights": (10.0, 10.0, 5.0, 5.0),
    "box_loss": "smooth_l1", "label_shift": 0, "boxes_read_as": "xyxy", "codes_order": (0, 1, 2, 3), "forced": True, "mined_by": "loss",
    "mine": True, "also_negative": False,
}  # fmt: skip


def base(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """The choices of a setting."""
    given = {("box_weight" if name == "alpha" else name): value for name, value in parameters.items() if value is not None}
    return {**FREE, **DIALECTS[parameters.get("dialect", "paper")], **given}


def normalizer(parameters: Mapping[str, Any]) -> dict[str, str]:
    """Which normaliser each term of a setting has."""
    name = "each_image_at_least_one" if parameters.get("dialect") == "mmdet" else "batch"
    name = {"batch": "batch", "image": "image_mean"}.get(str(parameters.get("normalizer")), name)
    return {"box": name, "classes": name}


def matched(priors: Array, boxes: Array, c: Choices) -> Array:
    """gt_index of each prior."""
    if c["forced"]:
        return assign.ssd(priors, boxes, threshold=c["threshold"], dialect=c["matching"]).gt_index
    return assign.max_iou(priors, boxes, positive_threshold=c["threshold"], negative_threshold=c["threshold"]).gt_index


def counted(value: Array, logits: Array, index: Array, background: int, c: Choices) -> Array:
    """How often each row's cross entropy is added."""
    positive = (index >= 0).astype(np.float64)
    if not c["mine"]:
        return np.ones(len(index))
    losses_of = value if c["mined_by"] == "loss" else -logits[:, background]
    mined = mining.hard_negatives(
        losses_of, from_index(index), ratio=c["ratio"], min_negatives=c["min_negatives"], dialect=c["mining"]
    )  # fmt: skip
    if c["also_negative"]:  # the hardest of all priors, positives among them
        wanted = min(int(c["ratio"] * positive.sum()), len(index))
        mined = np.zeros(len(index), bool)
        mined[np.argsort(-losses_of, kind="stable")[:wanted]] = True
    return positive + mined


def evaluate(case: Case, c: Choices) -> Evaluated:
    outputs, priors = case.arrays("float64"), np.array(case.config["priors"], np.float64)
    coder, images, order = DeltaCoder(weights=c["weights"]), [], list(c["codes_order"])
    classes = case.config["classes"]
    background = c["background"] % (classes + 1)
    columns = np.append(np.delete(np.arange(classes + 1), background), background)
    for i, truth in enumerate(case.targets("float64")):
        boxes = read_boxes(truth["gt_boxes"], c["boxes_read_as"])
        kept = np.flatnonzero((boxes[:, 2:] > boxes[:, :2]).all(axis=1)) if len(boxes) else np.zeros(0, np.int64)
        index = matched(priors, boxes[kept], c)
        index = np.where(index >= 0, kept[index] if len(kept) else index, index)
        shifted = moved_labels(truth["gt_labels"], c["label_shift"], classes)
        labels = np.full(len(index), NEGATIVE)
        labels[index >= 0] = shifted[index[index >= 0]]
        logits = outputs["classes"][i]
        value, slope = losses.softmax_cross_entropy_with_integer_labels.value_and_grad(logits, columns[labels])
        times = counted(value, logits, index, background, c)
        positive = np.flatnonzero(index >= 0)
        box, box_slope, numbers = regression(coder, outputs["codes"][i][positive][:, order], priors[positive], boxes[index[positive]], c)
        codes = np.zeros_like(outputs["codes"][i])
        codes[positive[:, None], order] = c["box_weight"] * box_slope
        terms = {
            "classes": Piece(float((value * times).sum()), {"classes": slope * times[:, None]}, len(priors), float(times.sum())),
            "box": Piece(float(c["box_weight"] * box.sum()), {"codes": codes}, len(priors) * numbers, len(positive) * numbers),
        }
        images.append(Image(terms, len(positive), len(priors), len(kept), len(priors)))
    return Evaluated(images)

"""FCOS taken apart: what its implementations choose, one name for each choice."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from refloss import assign, losses
from refloss._engine.check import IGNORE, NEGATIVE
from refloss.coders import LTRBCoder
from refloss.criteria.fcos import DIALECTS

from ..criteria import Case
from ..golden import Array
from .box import on_boxes
from .images import Choices, Evaluated, Image, Piece, moved_labels, read_boxes

FREE: dict[str, Any] = {
    "alpha": 0.25, "gamma": 2.0, "box_weight": 1.0, "label_shift": 0, "boxes_read_as": "xyxy", "class_rows": "counted", "power_of": "miss",
    "root": True, "centerness_rows": "positive", "prefer": "small", "centerness_target": "centerness", "size_ranges": "own",
}  # fmt: skip


def base(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """The choices of a setting."""
    return {**FREE, **DIALECTS[parameters.get("dialect", "paper")], **{k: v for k, v in parameters.items() if v is not None}}


def normalizer(parameters: Mapping[str, Any]) -> dict[str, str]:
    """Which normaliser each term of a setting has."""
    name = {"image": "image_mean"}.get(str(parameters.get("normalizer")), "batch")
    weighs = DIALECTS[parameters.get("dialect", "paper")]["weigh_by_centerness"]
    return {"box": "shares" if weighs else name, "classes": name, "centerness": name}


def matched(places: Array, boxes: Array, ranges: Any, c: Choices) -> Array:
    """gt_index of each location."""
    radius = None if c["radius"] in (None, math.inf) else c["radius"]

    def ask(truths: Array) -> Array:
        if c["size_ranges"] == "own":
            return assign.fcos(places, truths, size_ranges=ranges, radius=radius, dialect=c["matching"]).gt_index
        found = np.full(len(places), NEGATIVE)  # each scale alone, for truths of any size
        for stride in np.unique(places[:, 2]):
            mine = places[:, 2] == stride
            some = assign.fcos(places[mine], truths, size_ranges=((0, math.inf),), radius=radius, dialect=c["matching"])
            found[mine] = some.gt_index
        return found

    index = ask(boxes)
    if c["prefer"] == "small" or not len(boxes):
        return index
    # Each truth alone; then the largest, or the first, of those that a location lies in.
    each = np.stack([ask(boxes[j : j + 1]) >= 0 for j in range(len(boxes))])
    areas = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1)
    rank = areas if c["prefer"] == "large" else -np.arange(len(boxes), dtype=np.float64)
    best = np.where(each, rank[:, None], -np.inf).argmax(axis=0)
    return np.where(each.any(axis=0), best, NEGATIVE)


def centerness(places: Array, boxes: Array, root: bool) -> Array:
    sides = LTRBCoder(normalize=False).encode(boxes, places).reshape(-1, 2, 2)
    ratios: Array = (sides.min(axis=1) / sides.max(axis=1)).prod(axis=1)
    return np.sqrt(ratios) if root else ratios


def box_term(codes: Array, places: Array, boxes: Array, c: Choices) -> tuple[Array, Array]:
    """(value (n,), gradient by the codes (n, 4))."""
    if not len(codes):
        return np.zeros(0), np.zeros((0, 4))
    coder = LTRBCoder(normalize=c["normalize"], activation="exp" if c["activation"] == "exp" else "linear")
    held = np.maximum(codes, 0) if c["activation"] == "relu" else codes
    value, by_box = on_boxes(c["box_loss"], coder.decode(held, places), boxes, c["eps"])
    slope = coder.decode_vjp(held, places, by_box)
    return value, slope * (codes > 0) if c["activation"] == "relu" else slope


def evaluate(case: Case, c: Choices) -> Evaluated:
    outputs, places, images = case.arrays("float64"), np.array(case.config["priors"], np.float64), []
    classes = case.config["classes"]
    for i, truth in enumerate(case.targets("float64")):
        boxes = read_boxes(truth["gt_boxes"], c["boxes_read_as"])
        kept = np.flatnonzero((boxes[:, 2:] > boxes[:, :2]).all(axis=1)) if len(boxes) else np.zeros(0, np.int64)
        index = matched(places, boxes[kept], case.config["size_ranges"], c)
        index = np.where(index >= 0, kept[index] if len(kept) else index, index)
        shifted = moved_labels(truth["gt_labels"], c["label_shift"], classes)
        labels, positive = index.copy(), np.flatnonzero(index >= 0)
        labels[positive] = shifted[index[positive]]
        rows = {"counted": index != IGNORE, "positive": index >= 0, "negative": index == NEGATIVE}[c["class_rows"]]
        value, slope = losses.focal_loss_with_integer_labels.value_and_grad(
            outputs["classes"][i], np.where(rows, labels, IGNORE), alpha=c["alpha"], gamma=c["gamma"]
        )
        own = boxes[index[positive]]
        centre = centerness(places[positive], own, c["root"]) if len(positive) else np.zeros(0)
        wanted, where = np.zeros(len(places)), np.zeros(len(places))
        wanted[positive] = centre if c["centerness_target"] == "centerness" else 1.0
        where[positive] = 1
        where = np.ones(len(places)) if c["centerness_rows"] == "all" else where
        middle, by_middle = losses.binary_cross_entropy.value_and_grad(outputs["centerness"][i], wanted)
        box, by_codes = box_term(outputs["codes"][i][positive], places[positive], own, c)
        weights = c["box_weight"] * (centre if c["weigh_by_centerness"] else np.ones(len(positive)))
        codes = np.zeros_like(outputs["codes"][i])
        codes[positive] = weights[:, None] * by_codes
        terms = {
            "classes": Piece(float(np.sum(value)), {"classes": np.asarray(slope)}, slope.size, float(rows.sum() * classes)),
            "box": Piece(float((weights * box).sum()), {"codes": codes}, len(places), len(positive)),
            "centerness": Piece(float((middle * where).sum()), {"centerness": by_middle * where}, len(places), float(where.sum())),
        }
        images.append(Image(terms, len(positive), len(places), len(kept), len(places), float(centre.sum())))
    return Evaluated(images)

"""Scaled-YOLOv4 taken apart: what its implementations choose, one name for each choice."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from refloss import assign, boxes, losses

from ..criteria import Case, grids
from ..golden import Array
from .box import on_boxes
from .heads import by_codes, grid_of, priors_of, sigmoid, smoothed, spread, whole
from .images import Choices, Evaluated, Image, Piece, moved_labels, read_boxes
from .yolov4 import boxes_of, scales

FREE: dict[str, Any] = {
    "dialect": "paper", "ratio": 4.0, "class_weight": 0.5, "box_weight": 0.05, "objectness_weight": 1.0, "label_smoothing": 0.0,
    "divisor": 1.0, "sums": False, "label_shift": 0, "boxes_read_as": "xyxy", "cells": "near", "objectness": "ciou", "balance": "own",
    "scale_xy": "own", "sizes": "squared_sigmoid", "box_loss": "ciou", "claimants": "last", "rule": "ratio", "boxes_in": "image",
}  # fmt: skip
OF_DARKNET: dict[str, Any] = {"scale_xy": 2.0, "iou_threshold": 0.2, "ignore_threshold": 0.7, "box_loss": "ciou", "max_delta": 5.0}


def base(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """The choices of a setting."""
    found = {**FREE, **{name: value for name, value in parameters.items() if value is not None}}
    number = found.pop("normalizer", "batch")
    found["objectness"] = "ciou" if found.pop("iou_as_objectness", True) else "one"
    if found["dialect"] == "darknet":
        return {**found, **OF_DARKNET, **parameters}
    return found if number == "batch" else {**found, "divisor": float(number), "sums": True}


def normalizer(parameters: Mapping[str, Any]) -> dict[str, str]:
    """Which normaliser each term of a setting has."""
    name = "grid_means" if parameters.get("normalizer", "batch") == "batch" else "no_division"
    return dict.fromkeys(("box", "objectness", "classes"), name)


def matches(case: Case, truths: Array, c: Choices) -> Array:
    """(matches, 2) rows (prior, truth), those in a truth's own cell last."""
    of, priors = grids(case.config), priors_of(case)
    pairs = assign.scaled_yolov4(of, truths, ratio=c["ratio"]).pairs
    if c["rule"] == "best":  # one anchor for each truth, as in the versions before
        return assign.yolov4(of, truths, iou_threshold=1.0, ignore_threshold=1.0).pairs
    if c["rule"] == "shape_iou":
        return assign.yolov4(of, truths, iou_threshold=0.2, ignore_threshold=1.0).pairs
    if c["cells"] == "own" and len(pairs):
        middle = (truths[:, :2] + truths[:, 2:])[pairs[:, 1]] / 2 / priors[pairs[:, 0], 4:]
        pairs = pairs[np.flatnonzero((np.floor(middle) == priors[pairs[:, 0], :2]).all(axis=1))]
    return pairs


def similarity(made: Array, own: Array, kind: str) -> Array:
    """What the objectness of a match is taught."""
    if kind == "one" or not len(made):
        return np.ones(len(made))
    if kind == "iou":
        return np.asarray(boxes.iou(made, own))
    found = 1 - on_boxes("ciou" if kind != "giou" else "giou", made, own, 0.0)[0]
    return found if kind == "ciou_not_clipped" else np.maximum(found, 0)


def evaluate(case: Case, c: Choices) -> Evaluated:
    if c["dialect"] == "darknet":
        raise ValueError("darknet's deltas are not taken apart: no deviation of them is known")
    outputs, classes, images, grid = case.arrays("float64"), case.config["classes"], [], grid_of(case)
    priors, scale, of = priors_of(case), scales(case, c), int(grid_of(case)[-1]) + 1
    balance = np.array(case.config["balance"] if c["balance"] == "own" else (1.0,) * of, np.float64)[grid]
    for i, truth in enumerate(case.targets("float64")):
        values, truths = whole(outputs, i), read_boxes(truth["gt_boxes"], c["boxes_read_as"])
        labels, (prior, j) = moved_labels(truth["gt_labels"], c["label_shift"], classes), matches(case, truths, c).T
        made, by_code = boxes_of(values[prior, :4], priors[prior], scale[prior], c)
        own = truths[j]
        if c["boxes_in"] == "cells" and len(own):  # the place in the truth's own cell, asked of its neighbours, too
            middle = (own[:, :2] + own[:, 2:]) / 2 / priors[prior, 4:]
            own = own - np.tile((np.floor(middle) - priors[prior, :2]) * priors[prior, 4:], 2)
        box, by_box = on_boxes(c["box_loss"], made, own, 0.0) if len(own) else (np.zeros(0), np.zeros((0, 4)))
        one_hot = (labels[j][:, None] == np.arange(classes)).astype(np.float64)
        rows, by_row = losses.binary_cross_entropy.value_and_grad(values[prior, 5:], smoothed(one_hot, c["label_smoothing"]))
        wanted, taught = np.zeros(len(priors)), similarity(made, own, c["objectness"])
        order = np.arange(len(taught))[:: -1 if c["claimants"] == "first" else 1]
        order = np.argsort(taught, kind="stable") if c["claimants"] == "best" else order
        wanted[prior[order]] = taught[order]
        value, slope = np.logaddexp(0, values[:, 4]) - values[:, 4] * wanted, sigmoid(values[:, 4]) - wanted  # of any target
        weight, every = balance * c["objectness_weight"] / c["divisor"], np.arange(len(priors))
        box_weight, share = c["box_weight"] / c["divisor"], 1 / (c["divisor"] * (classes if c["sums"] else 1))
        counts, all_of = np.bincount(grid[prior], minlength=of), np.bincount(grid, minlength=of)

        def by_grid(where: Array, what: Array) -> Array:
            return np.bincount(grid[where], what, minlength=of)

        terms = {
            "box": Piece(
                float(box_weight * box.sum()), spread(case, prior, slice(0, 4), box_weight * by_codes(by_box, by_code), values),
                len(priors), len(prior), by_grid(prior, box_weight * box), counts,
            ),
            "objectness": Piece(
                float((weight * value).sum()), spread(case, every, 4, weight * slope, values), len(priors), len(priors),
                by_grid(every, weight * value), all_of,
            ),
            "classes": Piece(
                float(share * rows.sum()), spread(case, prior, slice(5, None), share * by_row, values), len(priors) * classes,
                len(prior) * classes, by_grid(prior, share * rows.sum(axis=1)), counts * classes,
            ),
        }  # fmt: skip
        images.append(Image(terms, len(np.unique(prior)), len(priors), len(truths), len(priors)))
    return Evaluated(images)

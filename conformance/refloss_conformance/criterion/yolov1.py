"""YOLOv1 taken apart: what its implementations choose, one name for each choice."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from refloss import boxes, losses
from refloss.assign.yolov1 import matched
from refloss.criteria.yolov1 import DIALECTS
from refloss.priors import yolov1_cells

from ..criteria import Case
from ..golden import Array
from .heads import by_batch_or_image, softmax
from .images import Choices, Evaluated, Image, Piece, moved_labels, read_boxes

FREE: dict[str, Any] = {
    "coordinate_weight": 5.0, "no_object_weight": 0.5, "object_weight": 1.0, "label_shift": 0, "boxes_read_as": "xyxy", "sizes": "roots",
    "places": "cell", "objectness": "iou", "no_object_rows": "others", "class_rows": "objects", "class_loss": "squares",
    "responsible": "iou", "weights": "plain",
}  # fmt: skip
normalizer = by_batch_or_image


def base(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """The choices of a setting."""
    given = {name: value for name, value in parameters.items() if value is not None}
    found = {**FREE, **DIALECTS[parameters.get("dialect", "paper")], **given}
    return {**found, "objectness": "iou" if found.pop("iou_as_confidence", True) else "one"}


def squares(values: Array, targets: Array, weight: Any, c: Choices) -> tuple[Array, Array]:
    """Weighted squared errors and their gradient; darknet prints the sum of squared gradients in place of its loss."""
    error = values - targets
    if c["weights"] == "squared_in_value":
        return (weight * error) ** 2, weight * error
    weight = weight**2 if c["weights"] == "squared" else weight
    return c["factor"] * weight * error**2, 2 * c["factor"] * weight * error


def predicted(codes: Array, cells: Array, side: int, c: Choices) -> Array:
    """Boxes relative to the image."""
    centre = codes[:, :2] if c["places"] == "image" else (codes[:, :2] + cells[:, :2]) / side
    half = (codes[:, 2:] ** 2 if c["sizes"] in ("roots", "roots_missing", "squares") else codes[:, 2:]) / 2
    return np.concatenate([centre - half, centre + half], axis=1)


def box_term(codes: Array, own: Array, cells: Array, side: int, c: Choices) -> tuple[Array, Array]:
    """(value (n, 4), gradient by the codes (n, 4))."""
    centre, size = (own[:, :2] + own[:, 2:]) / 2, own[:, 2:] - own[:, :2]
    place = centre if c["places"] == "image" else centre * side - cells[:, :2]
    wanted, held, slope = size, codes[:, 2:], np.ones_like(size)
    if c["sizes"] == "roots":
        wanted = np.sqrt(size)
    elif c["sizes"] == "roots_taken":
        wanted, held, slope = np.sqrt(size), np.sqrt(codes[:, 2:]), 0.5 / np.sqrt(codes[:, 2:])
    elif c["sizes"] == "squares":
        held, slope = codes[:, 2:] ** 2, 2 * codes[:, 2:]
    first, by_place = squares(codes[:, :2], place, c["coordinate_weight"], c)
    second, by_size = squares(held, wanted, c["coordinate_weight"], c)
    return np.concatenate([first, second], axis=1), np.concatenate([by_place, by_size * slope], axis=1)


def confidences(codes: Array, confidence: Array, positive: Array, own: Array, c: Choices, cells: Array, of: tuple[int, int]) -> Any:
    """(value, gradient) of every predictor's confidence."""
    side, count = of
    others = np.full(len(confidence), c["no_object_weight"])
    if c["no_object_rows"] == "empty_cells":
        others[np.isin(np.arange(len(others)) // count, positive // count)] = 0
    elif c["no_object_rows"] == "others":
        others[positive] = 0
    value, slope = squares(confidence, np.zeros_like(confidence), others, c)
    wanted = np.ones(len(positive))
    if c["objectness"] == "iou" and len(positive):
        ours = predicted(codes, cells, side, c)[positive]
        turned = np.asarray((ours[:, 2:] < ours[:, :2]).any(axis=1))
        wanted = np.where(turned, 0, boxes.iou(np.where(turned[:, None], 0, ours), own))
    there, by_there = squares(confidence[positive], wanted, c["object_weight"], c)
    value[positive] += there
    slope[positive] += by_there
    return value, slope


def class_term(scores: Array, wanted: Array, c: Choices) -> tuple[Array, Array]:
    """(value (n,), gradient (n, classes))."""
    if c["class_loss"] == "squares":
        value, slope = squares(scores, wanted, 1.0, c)
        return value.sum(axis=1), slope
    if c["class_loss"] == "sigmoid":
        value, slope = losses.binary_cross_entropy.value_and_grad(scores, wanted)
        return value.sum(axis=1), slope
    return softmax(scores, wanted)


def evaluate(case: Case, c: Choices) -> Evaluated:
    output, side, count = case.arrays("float64")["output"], case.config["grid"], case.config["boxes"]
    classes, size = case.config["classes"], np.array([*case.config["image_size"][::-1]] * 2, np.float64)
    cells, images = yolov1_cells(side, count, dtype=np.float64), []
    for i, truth in enumerate(case.targets("float64")):
        flat = output[i].reshape(side * side, -1)
        predictors, scores = flat[:, : 5 * count].reshape(-1, 5), flat[:, 5 * count :]
        codes, truths = predictors[:, :4], read_boxes(truth["gt_boxes"], c["boxes_read_as"]) / size
        found = matched("yolov1", predicted(codes, cells, side, c), truths, side, c["dialect"] == "darknet", c["smallest"])
        index = found.gt_index
        if c["responsible"] != "iou":
            of_cell = index.reshape(-1, count).max(axis=1)
            index = np.repeat(of_cell, count)
            index = np.where(np.arange(len(index)) % count > 0, -1, index) if c["responsible"] == "first" else index
        positive = np.flatnonzero(index >= 0)
        own, labels = truths[index[positive]], moved_labels(truth["gt_labels"], c["label_shift"], classes)
        box, by_code = box_term(codes[positive], own, cells[positive], side, c)
        value, slope = confidences(codes, predictors[:, 4], positive, own, c, cells, (side, count))
        here = np.unique(positive // count)
        wanted = np.zeros_like(scores)
        known = labels[index[positive]] >= 0
        wanted[positive[known] // count, labels[index[positive]][known]] = 1
        taught = np.arange(len(scores)) if c["class_rows"] == "all" else here
        by_class, class_slope = class_term(scores[taught], wanted[taught], c) if len(taught) else (np.zeros(0), np.zeros((0, classes)))
        gradients = {name: np.zeros_like(flat) for name in ("box", "objectness", "classes")}
        of_predictors = np.zeros_like(predictors)
        of_predictors[positive, :4] = by_code
        gradients["box"][:, : 5 * count] = of_predictors.reshape(len(flat), -1)
        gradients["objectness"][:, 4 : 5 * count : 5] = slope.reshape(len(flat), -1)
        gradients["classes"][taught, 5 * count :] = class_slope
        out = {name: {"output": one.reshape(output[i].shape)} for name, one in gradients.items()}
        terms = {
            "box": Piece(float(box.sum()), out["box"], codes.size, 4 * len(positive)),
            "objectness": Piece(float(value.sum()), out["objectness"], len(codes), len(codes)),
            "classes": Piece(float(by_class.sum()), out["classes"], scores.size, len(taught) * classes),
        }
        images.append(Image(terms, len(positive), len(codes), len(truths), len(codes)))
    return Evaluated(images)

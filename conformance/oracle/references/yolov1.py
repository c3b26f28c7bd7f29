"""Reference of `assign.yolov1`, and what the other YOLO references share: overlap, size and cell of a box."""

import math
from collections.abc import Sequence
from typing import Any

from refloss import NEGATIVE

from ..decisions import Decisions

Box = Sequence[Any]
Answer = tuple[list[int], list[tuple[int, int]]]
EMPTY = 2.0**-126


def iou(box: Box, other: Box) -> Any:
    """Intersection over union of two xyxy boxes."""
    width = min(box[2], other[2]) - max(box[0], other[0])
    height = min(box[3], other[3]) - max(box[1], other[1])
    intersection = max(width, width * 0) * max(height, height * 0)
    union = ((box[2] - box[0]) * (box[3] - box[1]) + (other[2] - other[0]) * (other[3] - other[1])) - intersection
    return union * 0 if union < EMPTY else intersection / union


def centred(box: Box) -> tuple[Any, Any, Any, Any]:
    """(centre x, centre y, width, height) of an xyxy box."""
    return (box[0] + box[2]) / 2, (box[1] + box[3]) / 2, box[2] - box[0], box[3] - box[1]


def cell(d: Decisions, position: Any, cells: int, clamp: bool) -> int:
    """The cell of a position in cells: on a border the one after it. Clamped, the image's far border belongs to the last cell."""
    last = cells - 1 if clamp else cells
    found: int = min(math.floor(position), last)
    if found > 0:
        d.at_least(position, found)
    if found < last:
        d.at_least(position, found + 1)
    return found


def yolov1(d: Decisions, predicted_boxes: Sequence[Box], gt_boxes: Sequence[Box], *, grid: int = 7, dialect: str = "paper") -> Answer:
    darknet = dialect == "darknet"
    count = len(predicted_boxes) // (grid * grid)
    gt_index, pairs, held = [NEGATIVE] * len(predicted_boxes), [], set()
    for j, truth in enumerate(gt_boxes):
        x, y, w, h = centred(truth)
        if not (w > 0 and h > 0):
            continue
        smallest = type(w)(0.005)
        if darknet and not (d.at_least(w, smallest) and d.at_least(h, smallest)):
            continue
        column, row = cell(d, x * grid, grid, not darknet), cell(d, y * grid, grid, not darknet)
        place = row * grid + column
        if place >= grid * grid or place in held:
            continue
        held.add(place)
        if column == grid:  # darknet's: the truth now sits at the left of the next row
            down = type(w)(1) / grid
            truth = (truth[0] - 1, truth[1] + down, truth[2] - 1, truth[3] + down)  # noqa: PLW2901
        best = responsible(d, predicted_boxes, range(place * count, (place + 1) * count), truth)
        gt_index[best] = j
        pairs.append((best, j))
    return gt_index, pairs


def responsible(d: Decisions, predicted_boxes: Sequence[Box], priors: range, truth: Box) -> int:
    overlaps = {k: iou(predicted_boxes[k], truth) for k in priors}
    merits = overlaps if max(overlaps.values()) > 0 else {k: -distance(predicted_boxes[k], truth) for k in priors}
    best: int = d.best(priors, merits.__getitem__)
    return best


def distance(box: Box, truth: Box) -> Any:
    """Squares of the differences in (x, y, w, h), added up: of two predictors the lower has the lower RMSE."""
    (x, y, w, h), (tx, ty, tw, th) = centred(box), centred(truth)
    return (((x - tx) * (x - tx) + (y - ty) * (y - ty)) + (w - tw) * (w - tw)) + (h - th) * (h - th)

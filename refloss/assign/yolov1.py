"""YOLO's first version: the cell that holds a truth's centre, and the one of its predictors that is responsible."""

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from .._engine import check
from .._engine.overlap import EMPTY
from .._engine.record import Array
from ..errors import bad_value
from ..priors import arguments
from . import _check
from ._cells import DIALECTS, centred
from .assignment import Assignment

SMALLEST = 0.005  # sides of a truth below this are dropped by the authors' loader


def yolov1(predicted_boxes: ArrayLike, gt_boxes: ArrayLike, *, grid: int = 7, dialect: Literal["paper", "darknet"] = "paper") -> Assignment:
    """YOLOv1 (Redmon et al. 2016, section 2 and 2.2): one predictor for each truth, in the cell that holds its centre.

    The image is cut into S x S cells. Of a cell's B predictors the one whose *predicted* box has the highest IoU with the truth
    is responsible. Where none overlaps the paper is silent: then the lowest root of the mean squared difference in (x, y, w, h),
    as in the authors' code. Every other prior is NEGATIVE; none is ignored.

    Arguments:
        predicted_boxes: (S, S, B, 4) or (S S B, 4), by row, column, predictor, as `yolov1_cells`; xyxy as fractions of the image.
        gt_boxes: (m, 4), xyxy as fractions of the image, of the same dtype; [] is an image without objects.
        grid: S.
        dialect: "paper", or "darknet", whose cell is int(x S) without a limit: a centre at x = 1 falls into the next row's first
            cell (and is compared there as if it lay on that cell's left border), past the last row it is lost; truths with
            w or h < 0.005 are dropped, equality stays.

    Equality: a centre on the border of two cells belongs to the right or lower one, on the image's right or lower border to the
    last. Equal IoUs, or equal distances: the first predictor. Two truths in one cell: the first listed holds it, the other is lost.
    A truth without area matches nothing, and holds no cell.

    Raises ReflossError for boxes that are not finite or reversed, another number of predictions, a centre outside the image.

    >>> import numpy as np
    >>> predicted = np.full((2, 2, 2, 4), [0.0, 0.0, 0.1, 0.1])  # 2 x 2 cells, two predictors each
    >>> predicted[1, 0, 1] = [0.1, 0.6, 0.4, 0.9]
    >>> found = yolov1(predicted, [[0.1, 0.5, 0.4, 0.9]], grid=2)
    >>> found.gt_index.tolist(), found.pairs.tolist()
    ([-1, -1, -1, -1, -1, 0, -1, -1], [[5, 0]])

    Elsewhere: darknet shuffles the truths first, so which of two in one cell is learnt changes with every visit; its options
    `forced` and `random` choose predictors without regard to IoU.
    """
    darknet = check.choice("yolov1", "dialect", dialect, DIALECTS) == 1
    side = arguments.whole("yolov1", "grid", grid)
    boxes = _predicted(predicted_boxes, side)
    truths = _check.working(_check.truths("yolov1", gt_boxes, boxes, of="predicted_boxes"))
    return matched("yolov1", _check.working(boxes), truths, side, darknet, SMALLEST if darknet else 0.0)


def matched(function: str, boxes: Array, truths: Array, side: int, darknet: bool, smallest: float) -> Assignment:
    """The rule; boxes (S S B, 4) may be reversed, as darknet's are where a head gives a negative size: they meet nothing."""
    T = boxes.dtype.type
    x, y, w, h = (v[:, 0] for v in centred(function, truths, (1, 1), "as fractions"))
    column, row = np.floor(x * T(side)).astype(np.int64), np.floor(y * T(side)).astype(np.int64)
    kept = (w > 0) & (h > 0) & (w >= T(smallest)) & (h >= T(smallest))
    if darknet:
        wrapped = np.stack([np.full_like(x, -1), np.full_like(x, T(1) / T(side))] * 2, axis=1)
        truths = np.where((column == side)[:, None], truths + wrapped, truths)
    else:
        column, row = np.minimum(column, side - 1), np.minimum(row, side - 1)
    cell = row * side + column
    index = np.flatnonzero(kept & (cell < side * side))
    index = index[np.sort(np.unique(cell[index], return_index=True)[1])]  # the first of each cell
    cell, count = cell[index], len(boxes) // (side * side)
    prior = cell * count + _responsible(boxes.reshape(side * side, count, 4)[cell], truths[index][:, None])
    gt_index = np.full(len(boxes), check.NEGATIVE, np.int64)
    gt_index[prior] = index
    return Assignment(gt_index, np.stack([prior, index], axis=1))


def _predicted(values: ArrayLike, side: int) -> Array:
    array = check.floats("yolov1", "predicted_boxes", values, "convert with predicted_boxes.astype(np.float32)")
    if array.ndim == 4 and array.shape[:2] == (side, side):
        array = array.reshape(-1, array.shape[3])
    if array.ndim != 2 or array.shape[1] != 4 or not len(array) or len(array) % (side * side):
        wanted = f"of shape ({side}, {side}, B, 4) or ({side * side} B, 4)"
        bad_value("yolov1", "predicted_boxes", wanted, f"{np.shape(values)}", "pass grid=, the number of cells along a side")
    return _check.boxes("yolov1", "predicted_boxes", array)


def _responsible(boxes: Array, truths: Array) -> Array:
    """Of the predictors (n, B, 4) of each truth (n, 1, 4), which."""
    size, other = boxes[..., 2:] - boxes[..., :2], truths[..., 2:] - truths[..., :2]
    meet = np.minimum(boxes[..., 2:], truths[..., 2:]) - np.maximum(boxes[..., :2], truths[..., :2])
    with np.errstate(over="ignore", invalid="ignore"):
        meet = np.maximum(meet, 0)
        intersection = meet[..., 0] * meet[..., 1]
        union = (size[..., 0] * size[..., 1] + other[..., 0] * other[..., 1]) - intersection
        empty = ~(union >= EMPTY)
        iou = np.where(empty, 0, intersection / np.where(empty, 1, union))
        half = boxes.dtype.type(0.5)
        off, grown = (boxes[..., :2] + boxes[..., 2:]) * half - (truths[..., :2] + truths[..., 2:]) * half, size - other
        off, grown = off * off, grown * grown
        distance = ((off[..., 0] + off[..., 1]) + grown[..., 0]) + grown[..., 1]
    chosen: Array = np.where(iou.max(axis=1) > 0, iou.argmax(axis=1), distance.argmin(axis=1))
    return chosen

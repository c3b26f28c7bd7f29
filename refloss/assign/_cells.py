"""Truths, anchors and cells: what the assigners of YOLO's versions 2 to 4 share. Few truths, so plain NumPy, truths x anchors."""

import functools
from typing import Any, NamedTuple

import numpy as np

from .._engine import check
from .._engine.overlap import EMPTY
from .._engine.record import Array
from ..errors import bad_value
from ..priors.grid import Grid
from ..priors.yolo import checked_grids, prior_boxes, yolo_priors
from . import _check
from ._streams import best_truth
from .assignment import Assignment

DIALECTS = ("paper", "darknet")


class Anchors(NamedTuple):
    """Every shape of every grid, in order, (anchors,) each: size and stride in pixels, and where its priors lie."""

    w: Array
    h: Array
    stride: Array
    columns: Array
    rows: Array
    first: Array  # its prior in the upper left cell
    end: Array  # past its grid's last prior


class Scene(NamedTuple):
    """One image: its grids, and truths as columns (truths, 1) of centre and size, in the dtype of the computation."""

    grids: tuple[Grid, ...]
    anchors: Anchors
    predicted: Array | None  # (priors, 4)
    truths: Array  # (truths, 4)
    x: Array
    y: Array
    w: Array
    h: Array

    @property
    def solid(self) -> Array:
        """(truths, 1) bool: has an area."""
        return np.asarray((self.w > 0) & (self.h > 0))


def checked(function: str, grids: Any) -> tuple[Grid, ...]:
    """Grids of one image."""
    kept = checked_grids(function, grids)
    sizes = [f"{g.width * g.stride} x {g.height * g.stride}" for g in kept]
    if len(set(sizes)) > 1:
        got = f"grids of {' and '.join(dict.fromkeys(sizes))} pixels"
        bad_value(function, "grids", "grids of one image", got, "make them in one call, such as yolov3_grids(416)")
    return kept


@functools.lru_cache(maxsize=64)
def anchors_of(grids: tuple[Grid, ...], dtype: Any) -> Anchors:
    rows: list[tuple[float, ...]] = []
    first = 0
    for grid in grids:
        cells = grid.height * grid.width
        for a, (w, h) in enumerate(grid.shapes):
            rows.append((w, h, grid.stride, grid.width, grid.height, first + a * cells, first + grid.count))
        first += grid.count
    columns = np.array(rows, np.float64).T
    with np.errstate(over="ignore"):  # a shape beyond the dtype matches nothing
        shapes = columns[:3].astype(dtype)
    return Anchors(*shapes, *columns[3:].astype(np.int64))


def scene(function: str, grids: Any, gt_boxes: Any, predicted_boxes: Any = None) -> Scene:
    """Everything checked; half precision is widened."""
    kept = checked(function, grids)
    if predicted_boxes is None:
        predicted, truths = None, _check.working(_check.boxes(function, "gt_boxes", gt_boxes))
    else:
        boxes = _check.boxes(function, "predicted_boxes", predicted_boxes)
        count = sum(grid.count for grid in kept)
        if len(boxes) != count:
            bad_value(
                function, "predicted_boxes", f"of shape ({count}, 4)", f"{boxes.shape}", "give one decoded box a prior, in their order"
            )
        truths = _check.working(_check.truths(function, gt_boxes, boxes, of="predicted_boxes"))
        predicted = _check.working(boxes)
    size = kept[0].width * kept[0].stride, kept[0].height * kept[0].stride
    return Scene(kept, anchors_of(kept, truths.dtype), predicted, truths, *centred(function, truths, size, "pixels"))


def centred(function: str, truths: Array, size: tuple[int, int], unit: str) -> tuple[Array, Array, Array, Array]:
    """x, y, w, h as (truths, 1); a centre outside the image belongs to no cell and is an error."""
    half = truths.dtype.type(0.5)
    with np.errstate(over="ignore"):
        x, y = (truths[:, :1] + truths[:, 2:3]) * half, (truths[:, 1:2] + truths[:, 3:]) * half
        w, h = truths[:, 2:3] - truths[:, :1], truths[:, 3:] - truths[:, 1:2]
    outside = ((x < 0) | (y < 0) | (x > size[0]) | (y > size[1]))[:, 0]
    if outside.any():
        row = int(np.argmax(outside))
        wanted = f"boxes whose centre lies in the image, {size[0]} x {size[1]} {unit}"
        way_out = "drop such boxes, or clip them to the image, before they are assigned"
        bad_value(function, "gt_boxes", wanted, f"{truths[row].tolist()} at index {row}", way_out)
    return x, y, w, h


def shown(s: Scene, dialect: str) -> Scene:
    """All truths; darknet's list ends at the first whose centre is at x = 0."""
    zero = s.x[:, 0] == 0
    if dialect == "paper" or not zero.any():
        return s
    m = int(np.argmax(zero))
    return s._replace(truths=s.truths[:m], x=s.x[:m], y=s.y[:m], w=s.w[:m], h=s.h[:m])


def cells_of(s: Scene, clamp: bool) -> tuple[Array, Array, Array]:
    """Column and row of each truth in each anchor's grid, and the prior there: (truths, anchors) each.

    On a border the cell after it; clamped, the image's far border belongs to the last cell. Unclamped, it runs on into the
    memory that follows: the next row's first cell, or the next anchor's first row. Past the grid the prior is -1.
    """
    a = s.anchors
    column, row = np.floor(s.x / a.stride).astype(np.int64), np.floor(s.y / a.stride).astype(np.int64)
    if clamp:
        column, row = np.minimum(column, a.columns - 1), np.minimum(row, a.rows - 1)
    return column, row, inside(s, a.first + row * a.columns + column)


def inside(s: Scene, prior: Array) -> Array:
    return np.where(prior < s.anchors.end, prior, -1)


def shape_iou(s: Scene, shapes: tuple[Array, Array] | None = None) -> Array:
    """IoU of each truth with each anchor (or with other shapes) about one centre, (truths, anchors)."""
    w, h = shapes or (s.anchors.w, s.anchors.h)
    with np.errstate(over="ignore", invalid="ignore"):
        meet = np.minimum(s.w, w) * np.minimum(s.h, h)
        union = (s.w * s.h + w * h) - meet
        empty = ~(union >= EMPTY)
        return np.where(empty, 0, meet / np.where(empty, 1, union)).astype(meet.dtype, copy=False)


def pairs_of(prior: Array, chosen: Array) -> Array:
    """(matches, 2) rows (prior, truth) of what is chosen of (truths, anchors, ...), by truth, then anchor."""
    where = chosen & (prior >= 0)
    return np.stack([prior[where], np.nonzero(where)[0]], axis=1)


def settled(s: Scene, *pairs: Array) -> Assignment:
    """The later pair wins a prior."""
    rows = np.concatenate(pairs)
    gt_index = np.full(sum(grid.count for grid in s.grids), check.NEGATIVE, np.int64)
    gt_index[rows[:, 0]] = rows[:, 1]
    return Assignment(gt_index, rows)


def with_ignored(s: Scene, found: Assignment, threshold: float) -> Assignment:
    """Priors without a truth are ignored where their box (predicted, or else their own) meets one too well: IoU > threshold."""
    if len(s.truths) and threshold < 1:
        boxes = resting(s.grids, s.truths.dtype) if s.predicted is None else s.predicted
        _, iou = best_truth(boxes, np.ascontiguousarray(s.truths))
        found.gt_index[(found.gt_index == check.NEGATIVE) & (iou > s.truths.dtype.type(threshold))] = check.IGNORE
    return found


@functools.lru_cache(maxsize=8)
def resting(grids: tuple[Grid, ...], dtype: Any) -> Array:
    """Every prior's own box."""
    return prior_boxes(yolo_priors(grids, dtype=dtype))


def ignore_threshold(function: str, value: Any) -> float:
    return check.number(function, "ignore_threshold", value, 0.0, 1.0, "give an IoU, such as 0.5; 1 ignores nothing")


def best_anchor(s: Scene, dialect: str, match: str = "prior") -> tuple[Array, Array]:
    """Each truth's prior at each anchor, and where that is the best shape (the first of equals): (truths, anchors) each."""
    prior = cells_of(s, dialect == "paper")[2]
    sizes = None
    if match == "predicted" and s.predicted is not None:
        boxes = s.predicted[prior]
        sizes = boxes[..., 2] - boxes[..., 0], np.where(prior < 0, 0, boxes[..., 3] - boxes[..., 1])  # no prediction there: no shape
    iou = shape_iou(s, sizes)
    best = np.argmax(iou, axis=1)[:, None] == np.arange(iou.shape[1])
    return prior, best & s.solid

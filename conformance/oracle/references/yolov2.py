"""Reference of `assign.yolov2`, and what those of the later versions share: truths, anchors, and the ignore test."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from refloss import IGNORE, NEGATIVE
from refloss.priors import Grid

from ..decisions import Decisions
from .yolov1 import EMPTY, Answer, Box, cell, centred, iou


class Anchor(NamedTuple):
    """One shape of one grid; `first` is its prior in the upper left cell, `end` is past its grid's last prior."""

    grid: Grid
    w: Any
    h: Any
    first: int
    end: int


def anchors_of(grids: Sequence[Grid], truths: Sequence[Box]) -> list[Anchor]:
    """In the numbers that the truths are made of."""
    number = type(truths[0][0]) if truths else float
    found, first = [], 0
    for grid in grids:
        for a, (w, h) in enumerate(grid.shapes):
            found.append(Anchor(grid, number(w), number(h), first + a * grid.height * grid.width, first + grid.count))
        first += grid.count
    return found


def visible(gt_boxes: Sequence[Box], dialect: str) -> list[Box]:
    """All truths; darknet's list ends at the first whose centre is at x = 0."""
    zeros = [j for j, box in enumerate(gt_boxes) if centred(box)[0] == 0] if dialect == "darknet" else []
    return list(gt_boxes[: zeros[0]] if zeros else gt_boxes)


def with_area(truths: Sequence[Box]) -> Iterator[tuple[int, tuple[Any, Any, Any, Any]]]:
    for j, truth in enumerate(truths):
        x, y, w, h = centred(truth)
        if w > 0 and h > 0:
            yield j, (x, y, w, h)


def shape_iou(anchor: Anchor, w: Any, h: Any) -> Any:
    intersection = min(w, anchor.w) * min(h, anchor.h)
    union = (w * h + anchor.w * anchor.h) - intersection
    return union * 0 if union < EMPTY else intersection / union


def prior_at(d: Decisions, anchor: Anchor, x: Any, y: Any, dialect: str) -> int | None:
    """The anchor's prior in the cell that holds a point; unclamped cells run on into the memory that follows."""
    grid, clamp = anchor.grid, dialect == "paper"
    column, row = cell(d, x / grid.stride, grid.width, clamp), cell(d, y / grid.stride, grid.height, clamp)
    prior = anchor.first + row * grid.width + column
    return prior if prior < anchor.end else None


def resting(anchors: Sequence[Anchor]) -> list[Box]:
    """Every prior's own box: its shape in the middle of its cell."""
    boxes: list[Box] = []
    for anchor in anchors:
        stride, half = anchor.grid.stride, type(anchor.w)(1) / 2
        for row in range(anchor.grid.height):
            for column in range(anchor.grid.width):
                x, y = (column + half) * stride, (row + half) * stride
                boxes.append((x - anchor.w * half, y - anchor.h * half, x + anchor.w * half, y + anchor.h * half))
    return boxes


def finished(
    d: Decisions,
    grids: Sequence[Grid],
    truths: Sequence[Box],
    pairs: list[tuple[int, int]],
    predicted: Sequence[Box] | None,
    threshold: Any,
) -> Answer:
    """The later pair wins a prior; priors without one are ignored where their box meets a truth too well."""
    gt_index = [NEGATIVE] * sum(grid.count for grid in grids)
    for prior, j in pairs:
        gt_index[prior] = j
    if truths:
        number = type(truths[0][0])
        for k, box in enumerate(resting(anchors_of(grids, truths)) if predicted is None else predicted):
            if gt_index[k] == NEGATIVE and d.above(max(iou(box, truth) for truth in truths), number(threshold)):
                gt_index[k] = IGNORE
    return gt_index, pairs


def shape_in_cell(anchor: Anchor, predicted: Sequence[Box], prior: int | None) -> Anchor:
    """The anchor with the size of the box that is predicted at its prior; none where there is no such prior."""
    if prior is None:
        return anchor._replace(h=anchor.h * 0)
    x1, y1, x2, y2 = predicted[prior]
    return anchor._replace(w=x2 - x1, h=y2 - y1)


def best_pairs(
    d: Decisions, grids: Sequence[Grid], truths: Sequence[Box], dialect: str, predicted: Sequence[Box] | None = None
) -> list[tuple[int, int, Anchor]]:
    """(prior, truth, anchor): each truth's best shape, in its own cell. predicted: compare with these shapes."""
    anchors, found = anchors_of(grids, truths), []
    for j, (x, y, w, h) in with_area(truths):
        offered = anchors
        if predicted is not None:
            offered = [shape_in_cell(anchor, predicted, prior_at(d, anchor, x, y, dialect)) for anchor in anchors]
        best: Anchor = d.best(offered, lambda anchor: shape_iou(anchor, w, h))  # noqa: B023
        prior = prior_at(d, best, x, y, dialect)
        if prior is not None:
            found.append((prior, j, best))
    return found


def yolov2(
    d: Decisions, grids: Sequence[Grid], gt_boxes: Sequence[Box], *, predicted_boxes: Sequence[Box] | None = None,
    ignore_threshold: Any = 0.6, match: str = "prior", dialect: str = "paper",
) -> Answer:  # fmt: skip
    truths = visible(gt_boxes, dialect)
    shapes = predicted_boxes if match == "predicted" else None
    pairs = [(prior, j) for prior, j, _ in best_pairs(d, grids, truths, dialect, shapes)]
    return finished(d, grids, truths, pairs, predicted_boxes, ignore_threshold)

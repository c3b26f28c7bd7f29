"""Reference of `assign.yolov4`: the best anchor, and every other of a good enough shape."""

from collections.abc import Sequence
from typing import Any

from refloss.priors import Grid

from ..decisions import Decisions
from .yolov1 import Answer, Box
from .yolov2 import anchors_of, finished, prior_at, shape_iou, visible, with_area


def yolov4(
    d: Decisions, grids: Sequence[Grid], gt_boxes: Sequence[Box], *, predicted_boxes: Sequence[Box] | None = None,
    iou_threshold: Any = 0.213, ignore_threshold: Any = 0.7, dialect: str = "paper",
) -> Answer:  # fmt: skip
    truths = visible(gt_boxes, dialect)
    anchors = anchors_of(grids, truths)
    extra: list[tuple[int, int]] = []
    best: list[tuple[int, int]] = []
    for j, (x, y, w, h) in with_area(truths):
        winner = d.best(range(len(anchors)), lambda a: shape_iou(anchors[a], w, h))  # noqa: B023
        for a, anchor in enumerate(anchors):
            if a == winner or d.above(shape_iou(anchor, w, h), type(x)(iou_threshold)):
                prior = prior_at(d, anchor, x, y, dialect)
                if prior is not None:
                    (best if a == winner else extra).append((prior, j))
    return finished(d, grids, truths, extra + best, predicted_boxes, ignore_threshold)

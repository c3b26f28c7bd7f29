"""Reference of `assign.yolov3`: version 2's rule over the anchors of all grids."""

from collections.abc import Sequence
from typing import Any

from refloss.priors import Grid

from ..decisions import Decisions
from .yolov1 import Answer, Box
from .yolov2 import yolov2


def yolov3(
    d: Decisions, grids: Sequence[Grid], gt_boxes: Sequence[Box], *, predicted_boxes: Sequence[Box] | None = None,
    ignore_threshold: Any = 0.5, dialect: str = "paper",
) -> Answer:  # fmt: skip
    return yolov2(d, grids, gt_boxes, predicted_boxes=predicted_boxes, ignore_threshold=ignore_threshold, dialect=dialect)

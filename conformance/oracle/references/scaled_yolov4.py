"""Reference of `assign.scaled_yolov4`: every anchor of a similar shape, in the truth's cell and in the nearest neighbours."""

from collections.abc import Sequence
from typing import Any

from refloss import NEGATIVE
from refloss.priors import Grid

from ..decisions import Decisions
from .yolov1 import Answer, Box, cell
from .yolov2 import anchors_of, with_area


def step(d: Decisions, position: Any, cells: int, dialect: str) -> int:
    """To the nearer neighbour along one axis: -1, 1, or 0 where it is outside or both are equally near."""
    paper = dialect == "paper"
    home = cell(d, position, cells, paper)
    half = type(position)(1) / 2
    if d.above(home + half, position):  # home + 1/2 is exact
        return -1 if (home > 0 if paper else d.above(position, 1)) else 0
    return 1 if d.above(position, home + half) and home + 1 < cells else 0


def scaled_yolov4(d: Decisions, grids: Sequence[Grid], gt_boxes: Sequence[Box], *, ratio: Any = 4.0, dialect: str = "paper") -> Answer:
    clamp, anchors = dialect == "paper", anchors_of(grids, gt_boxes)
    near, own = [], []
    for j, (x, y, w, h) in with_area(gt_boxes):
        for anchor in anchors:
            if not d.above(type(x)(ratio), max(w / anchor.w, anchor.w / w, h / anchor.h, anchor.h / h)):
                continue
            grid = anchor.grid
            column, row = cell(d, x / grid.stride, grid.width, clamp), cell(d, y / grid.stride, grid.height, clamp)
            home = anchor.first + row * grid.width + column
            across = step(d, x / grid.stride, grid.width, dialect)
            down = step(d, y / grid.stride, grid.height, dialect) * grid.width
            near += [(prior, j) for prior in (home + across, home + down) if prior != home and prior < anchor.end]
            own += [(home, j)] if home < anchor.end else []
    gt_index = [NEGATIVE] * sum(grid.count for grid in grids)
    for prior, j in near + own:
        gt_index[prior] = j
    return gt_index, near + own

"""Scaled-YOLOv4: every anchor of a similar shape, in the truth's cell and in the neighbours nearest to it."""

import math
from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from .._engine import check
from .._engine.record import Array
from ..errors import bad_value
from ..priors.grid import Grid
from . import _cells
from .assignment import Assignment


def scaled_yolov4(
    grids: Sequence[Grid], gt_boxes: ArrayLike, *, ratio: float = 4.0, dialect: Literal["paper", "scaled_yolov4"] = "paper"
) -> Assignment:
    """Scaled-YOLOv4 (Wang et al. 2021): anchors whose sides are within `ratio` of the truth's, in up to three cells each.

    The paper leaves this to its code. An anchor (p_w, p_h) matches where max(w / p_w, p_w / w, h / p_h, p_h / h) < ratio; it does so in
    the cell of its scale that holds the truth's centre, in the nearer neighbour to the left or right, and in the nearer one above or
    below, as far as these lie in the grid. Every other prior is NEGATIVE; none is ignored.

    Arguments:
        grids: from `scaled_yolov4_grids`, all of one image.
        gt_boxes: (m, 4), xyxy in pixels; float64, float32, float16 or bfloat16; [] is an image without objects.
        ratio: above 1.
        dialect: "paper", or "scaled_yolov4", the authors' code, whose cell indices are limited to W and H, not W - 1 and H - 1: a
            centre on the image's right border falls into the next row's first cell, one on the lower border into the next anchor's
            first row, past the scale's last anchor it is lost; and a centre at exactly one cell from the left (upper) border
            has no left (upper) neighbour.

    Equality: a ratio of exactly `ratio` is no match. A centre in the middle of its cell has no nearer neighbour on that axis, and gets
    none. A centre on the border of two cells belongs to the right or lower one (and the other is its nearest neighbour), on the
    image's right or lower border to the last. `pairs` lists first the neighbours, then the own cells, each by truth, then anchor (then
    along x before along y); where several truths meet at one prior the last of these has the gt_index: an own cell before a neighbour,
    then the later truth. A truth without area matches nothing.

    Raises ReflossError for boxes that are not finite or reversed, a centre outside the image, a ratio not above 1.

    >>> from refloss.priors import Grid
    >>> grid = Grid(shapes=((10.0, 10.0),), stride=16, height=3, width=3)
    >>> found = scaled_yolov4([grid], [[18.0, 14.0, 38.0, 34.0]])  # the centre (28, 24) lies in the middle cell, to its right
    >>> found.gt_index.reshape(3, 3).tolist(), found.pairs.tolist()
    ([[-1, -1, -1], [-1, 0, 0], [-1, -1, -1]], [[5, 0], [4, 0]])

    Elsewhere: where several truths meet, the authors' code leaves the winner to the order of writes, which CUDA does not fix.
    Scaled-YOLOv4 in darknet is `yolov4` with iou_threshold=0.2.
    """
    paper = check.choice("scaled_yolov4", "dialect", dialect, ("paper", "scaled_yolov4")) == 0
    limit = check.number("scaled_yolov4", "ratio", ratio, -math.inf, math.inf, "the authors' is 4")
    if not 1 < limit < math.inf:
        bad_value("scaled_yolov4", "ratio", "above 1 and finite", f"{limit:g}", "the authors' is 4")
    s = _cells.scene("scaled_yolov4", grids, gt_boxes)
    a, half = s.anchors, s.truths.dtype.type(0.5)
    with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
        widest = np.maximum(np.maximum(s.w / a.w, a.w / s.w), np.maximum(s.h / a.h, a.h / s.h))
        match = (widest < s.truths.dtype.type(limit)) & s.solid
    column, row, prior = _cells.cells_of(s, paper)

    def step(position: Array, home: Array, cells: Array) -> Array:
        """To the nearer neighbour: -1, 1, or 0 where there is none."""
        off = position - home.astype(position.dtype)
        back = (off < half) & (home > 0 if paper else position > 1)
        return np.where(back, -1, np.where((off > half) & (home + 1 < cells), 1, 0))

    along = np.stack([step(s.x / a.stride, column, a.columns), step(s.y / a.stride, row, a.rows) * a.columns], axis=2)
    base = (a.first + row * a.columns + column)[..., None]
    near = np.where(base + along < a.end[:, None], base + along, -1)
    return _cells.settled(s, _cells.pairs_of(near, match[..., None] & (along != 0)), _cells.pairs_of(prior, match))

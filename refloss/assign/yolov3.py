"""YOLO's third version: the best anchor over all scales."""

from collections.abc import Sequence
from typing import Any, Literal

from numpy.typing import ArrayLike

from .._engine import check
from ..priors.grid import Grid
from . import _cells
from .assignment import Assignment


def yolov3(
    grids: Sequence[Grid], gt_boxes: ArrayLike, *, predicted_boxes: ArrayLike | None = None, ignore_threshold: float = 0.5,
    dialect: Literal["paper", "darknet"] = "paper",
) -> Assignment:  # fmt: skip
    """YOLOv3 (Redmon and Farhadi 2018, section 2.1): each truth's best anchor by shape over all scales, in its cell of that scale.

    Shapes are compared by the IoU of both about one centre. A prior without a truth is NEGATIVE, or IGNORE where its box has
    IoU > ignore_threshold with any truth.

    Arguments:
        grids: from `yolov3_grids`, all of one image.
        gt_boxes: (m, 4), xyxy in pixels; [] is an image without objects.
        predicted_boxes: (priors, 4), the decoded predictions, xyxy in pixels, of the dtype of gt_boxes, in the order of the priors
            (scale, anchor, row, column): the authors' code tests these. None: the priors themselves, each shape in the middle of
            its cell, take the ignore test; so the paper words it.
        ignore_threshold: an IoU in [0, 1]; 0.5 is the paper's, 0.7 that of the authors' yolov3.cfg; 1 ignores nothing.
        dialect: "paper", or "darknet", whose list of truths ends at the first with its centre at x = 0 (that one and all after it
            match nothing and ignore nothing), and whose cell is int(x W) without a limit: a centre on the image's right border
            falls into the next row's first cell, one on the lower border into the next anchor's first row, past the scale's last
            anchor it is lost.

    Equality: an IoU of ignore_threshold is NEGATIVE. Equal shapes: the first anchor of the first grid. A centre on the border of two
    cells belongs to the right or lower one, on the image's right or lower border to the last. Two truths at one prior: both are in
    `pairs` (in the order of truths), the later has the gt_index, as in the authors' code. A truth without area matches nothing.

    Raises ReflossError for boxes that are not finite or reversed, another number of predictions, a centre outside the image.

    >>> from refloss.priors import Grid
    >>> grids = Grid(((8.0, 8.0),), 16, 2, 2), Grid(((30.0, 30.0),), 32, 1, 1)
    >>> found = yolov3(grids, [[1.0, 17.0, 11.0, 27.0], [2.0, 2.0, 28.0, 28.0]])
    >>> found.gt_index.tolist(), found.pairs.tolist()
    ([-1, -1, 0, -1, 1], [[2, 0], [4, 1]])

    Neighbours: `yolov4` adds every anchor of a good enough shape.
    Elsewhere: AlexeyAB's fork ignores a prediction only if one of its class scores exceeds 0.25 (see `yolov4`); mmdet's ignore test
    is on anchors, and its threshold belongs to the negatives too.
    """
    check.choice("yolov3", "dialect", dialect, _cells.DIALECTS)
    return assigned("yolov3", grids, gt_boxes, predicted_boxes, ignore_threshold, dialect)


def assigned(
    function: str, grids: Any, gt_boxes: Any, predicted_boxes: Any, ignore_threshold: Any, dialect: str, match: str = "prior"
) -> Assignment:
    """The best anchor of all, and the ignore test."""
    threshold = _cells.ignore_threshold(function, ignore_threshold)
    s = _cells.shown(_cells.scene(function, grids, gt_boxes, predicted_boxes), dialect)
    return _cells.with_ignored(s, _cells.settled(s, _cells.pairs_of(*_cells.best_anchor(s, dialect, match))), threshold)

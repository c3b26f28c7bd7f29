"""YOLO's fourth version: the best anchor over all scales, and every other of a good enough shape."""

from collections.abc import Sequence
from typing import Literal

from numpy.typing import ArrayLike

from .._engine import check
from ..priors.grid import Grid
from . import _cells
from .assignment import Assignment


def yolov4(
    grids: Sequence[Grid], gt_boxes: ArrayLike, *, predicted_boxes: ArrayLike | None = None, iou_threshold: float = 0.213,
    ignore_threshold: float = 0.7, dialect: Literal["paper", "darknet"] = "paper",
) -> Assignment:  # fmt: skip
    """YOLOv4 (Bochkovskiy et al. 2020, section 3.4, "multiple anchors for a single ground truth"): `yolov3`, and more anchors.

    Each truth takes its best anchor by shape, and every other anchor, of any scale, with a shape IoU > iou_threshold; each in the
    cell of its own scale that holds the truth's centre. A prior without a truth is NEGATIVE, or IGNORE where its box has
    IoU > ignore_threshold with any truth. Both thresholds are those of the authors' yolov4.cfg; Scaled-YOLOv4 in darknet
    (yolov4-csp.cfg) is this with iou_threshold=0.2.

    Arguments:
        grids: from `yolov4_grids`, all of one image.
        gt_boxes: (m, 4), xyxy in pixels; [] is an image without objects.
        predicted_boxes: (priors, 4), the decoded predictions, xyxy in pixels, of the dtype of gt_boxes, in the order of the priors
            (scale, anchor, row, column). None: the priors themselves, each shape in the middle of its cell, take the ignore test.
        iou_threshold: an IoU in [0, 1]; 1 leaves the best anchors alone.
        ignore_threshold: an IoU in [0, 1]; 1 ignores nothing.
        dialect: "paper", or "darknet": see `yolov3`.

    Equality: an IoU of either threshold is on the lower side: no match, NEGATIVE. Equal shapes: the first anchor of the first grid is
    best. A centre on the border of two cells belongs to the right or lower one, on the image's right or lower border to the last.
    `pairs` lists first the extra matches, then the best ones, each by truth, then anchor; where several truths meet at one prior
    the last of these has the gt_index: a best match before an extra one, then the later truth. A truth without area matches nothing.

    Raises ReflossError for boxes that are not finite or reversed, another number of predictions, a centre outside the image.

    >>> from refloss.priors import Grid
    >>> grids = Grid(((10.0, 10.0), (10.0, 40.0)), 16, 2, 2), Grid(((40.0, 40.0),), 32, 1, 1)
    >>> found = yolov4(grids, [[1.0, 17.0, 11.0, 27.0]])  # shape IoU 1, 1/4 and 1/16
    >>> found.gt_index.tolist(), found.pairs.tolist()
    ([-1, -1, 0, -1, -1, -1, 0, -1, -1], [[6, 0], [2, 0]])

    Elsewhere: the authors' code ignores a prediction only if one of its class scores, of any class, exceeds 0.25. For that:
    `gt_index[(gt_index == IGNORE) & (scores.max(axis=1) <= 0.25)] = NEGATIVE`, with scores (priors, classes).
    """
    check.choice("yolov4", "dialect", dialect, _cells.DIALECTS)
    extra_threshold = check.number(
        "yolov4", "iou_threshold", iou_threshold, 0.0, 1.0, "give an IoU, such as 0.213; 1 takes the best anchor alone"
    )
    threshold = _cells.ignore_threshold("yolov4", ignore_threshold)
    s = _cells.shown(_cells.scene("yolov4", grids, gt_boxes, predicted_boxes), dialect)
    prior, best = _cells.best_anchor(s, dialect)
    extra = (_cells.shape_iou(s) > s.truths.dtype.type(extra_threshold)) & ~best
    return _cells.with_ignored(s, _cells.settled(s, _cells.pairs_of(prior, extra), _cells.pairs_of(prior, best)), threshold)

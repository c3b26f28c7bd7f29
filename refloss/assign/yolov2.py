"""YOLO's second version: the best anchor of the cell that holds a truth's centre."""

from collections.abc import Sequence
from typing import Literal

from numpy.typing import ArrayLike

from .._engine import check
from ..errors import bad_value
from ..priors.grid import Grid
from . import _cells
from .assignment import Assignment
from .yolov3 import assigned


def yolov2(
    grids: Sequence[Grid], gt_boxes: ArrayLike, *, predicted_boxes: ArrayLike | None = None, ignore_threshold: float = 0.6,
    match: Literal["prior", "predicted"] = "prior", dialect: Literal["paper", "darknet"] = "paper",
) -> Assignment:  # fmt: skip
    """YOLOv2 (Redmon and Farhadi 2017, section 2): each truth's best anchor by shape, in the cell that holds its centre.

    Shapes are compared by the IoU of both about one centre. A prior without a truth is NEGATIVE, or IGNORE where its predicted
    box has IoU > ignore_threshold with any truth: the paper is silent on this, the authors' configuration says 0.6.

    Arguments:
        grids: one Grid, in a sequence, as `yolov2_grids` gives it.
        gt_boxes: (m, 4), xyxy in pixels; [] is an image without objects.
        predicted_boxes: (priors, 4), the decoded predictions, xyxy in pixels, of the dtype of gt_boxes, in the order of the priors
            (anchor, row, column). None: the priors themselves, each shape in the middle of its cell, take the ignore test.
        ignore_threshold: an IoU in [0, 1]; 1 ignores nothing.
        match: "prior" compares a truth's shape with the anchors', "predicted" with the predicted boxes' in its cell, which must be
            given (darknet's bias_match=0, the way of YOLOv1).
        dialect: "paper", or "darknet", whose list of truths ends at the first with its centre at x = 0 (that one and all after it
            match nothing and ignore nothing), and whose cell is int(x W) without a limit: a centre on the image's right border
            falls into the next row's first cell, one on the lower border into the next anchor's first row, past the last anchor
            it is lost.

    Equality: an IoU of ignore_threshold is NEGATIVE. Equal shapes: the first anchor. A centre on the border of two cells belongs to
    the right or lower one, on the image's right or lower border to the last. Two truths at one prior: both are in `pairs` (in the
    order of truths), the later has the gt_index, as in the authors' code. A truth without area matches nothing.

    Raises ReflossError for boxes that are not finite or reversed, another number of predictions, a centre outside the image.

    >>> from refloss.priors import Grid
    >>> grid = Grid(shapes=((10.0, 10.0), (30.0, 30.0)), stride=16, height=2, width=2)
    >>> found = yolov2([grid], [[16.0, 4.0, 28.0, 14.0], [2.0, 1.0, 32.0, 31.0]])
    >>> found.gt_index.tolist(), found.pairs.tolist()  # the larger truth's centre lies in the lower right cell
    ([-1, 0, -1, -1, -1, -1, -1, 1], [[1, 0], [7, 1]])

    Neighbours: `yolov3` is the same over several grids.
    Elsewhere: darknet's loader drops truths past the 30th (later the 90th), which is not repeated here.
    """
    found = _cells.checked("yolov2", grids)
    if len(found) != 1:
        bad_value("yolov2", "grids", "one Grid in a sequence", f"{len(found)}", "use yolov3 for several scales")
    check.choice("yolov2", "dialect", dialect, _cells.DIALECTS)
    if check.choice("yolov2", "match", match, ("prior", "predicted")) and predicted_boxes is None:
        bad_value("yolov2", "predicted_boxes", 'given with match="predicted"', "None", 'decode the predictions, or say match="prior"')
    return assigned("yolov2", found, gt_boxes, predicted_boxes, ignore_threshold, dialect, match)

"""Hard examples: the priors of the largest loss."""

import math
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from .._engine import check
from .._engine.record import Array
from ..boxes.ranking import top
from ..errors import bad_value
from .inputs import Assignments, count_of, images, indices, losses_of, same_shape, times

Dialect = Literal["paper", "ssd.pytorch", "torchvision"]
DIALECTS = ("paper", "ssd.pytorch", "torchvision")


def hard_negatives(
    losses: ArrayLike, assignments: Assignments, *, ratio: float = 3.0, min_negatives: int = 0, dialect: Dialect = "paper"
) -> Array:
    """Mask (..., priors) of the negatives that count: SSD's hard negative mining (Liu et al. 2016, section 2.2).

    For each image the negatives are sorted by their classification loss, and the max(floor(ratio * positives), min_negatives)
    hardest count, or all if there are fewer. Never a positive, never an ignored prior. An image without positives has
    min_negatives of them: by default none.

    Arguments:
        losses: (..., priors), a classification loss for each prior (of several classes: their sum, or the row's cross entropy),
            without NaN; an image for each row. float64, float32, float16 or bfloat16.
        assignments: what `refloss.assign` returns, a list of that, one an image, or an array of its truth indices (..., priors).
        ratio: negatives for each positive, in [0, 1e9]. ratio * positives is rounded down.
        min_negatives: for each image, an integer of at least 0.
        dialect: "paper", or one of
            "torchvision": whatever is not positive is a negative, the count is rounded up, and positives are ranked with a loss of
                -inf: where an image has fewer negatives than ratio * positives, positives are in the mask, and its criterion, which
                adds the mask's losses to the positives', counts them twice.
            "ssd.pytorch": as torchvision, but positives are ranked with a loss of 0, and at most priors - 1 count: positives are in
                the mask when negatives run out or have loss 0. Its criterion takes the union of both, so that does no harm.

    Raises ReflossError for any argument outside these; the dialects know no min_negatives.
    Equal losses: the smaller prior index counts first. Memory is a few copies of one image's losses.

    >>> hard_negatives([0.1, 2.0, 0.5, 0.9, 0.7, 0.3], [0, -1, -1, -2, -1, -1], ratio=2.0)
    array([False,  True, False, False,  True, False])

    Neighbours: `ohem` ranks positives and negatives together; `random_sample` does not look at the loss.
    Elsewhere: Caffe, mmdet and torchvision multiply by the number of positives as here; TensorFlow's HardExampleMiner has
    min_negatives_per_image. All of them leave the order of equal losses open.
    """
    index, loss = indices("hard_negatives", assignments), losses_of("hard_negatives", losses)
    same_shape("hard_negatives", loss, index)
    per_positive = check.number("hard_negatives", "ratio", ratio, 0.0, 1e9, "3 is the paper's")
    fewest = count_of("hard_negatives", "min_negatives", min_negatives, "0 is the paper's")
    which = check.choice("hard_negatives", "dialect", dialect, DIALECTS)
    if which and fewest:
        bad_value("hard_negatives", "min_negatives", f"0 with dialect={dialect!r}", f"{fewest}", 'only dialect="paper" has it')
    mask = np.zeros(index.shape, bool)
    for out, row, truth in images(mask, loss, index):
        wanted = times(per_positive, int((truth >= 0).sum()))
        if which == 0:
            negatives = np.flatnonzero(truth == check.NEGATIVE)
            out[negatives] = top(row[negatives], min(max(math.floor(wanted), fewest), negatives.size))
        else:
            most = truth.size if DIALECTS[which] == "torchvision" else truth.size - 1
            ranked = np.where(truth >= 0, row.dtype.type(-math.inf if DIALECTS[which] == "torchvision" else 0), row)
            out[:] = top(ranked, min(math.ceil(wanted), most))
    return mask


def ohem(losses: ArrayLike, count: int, *, assignments: Assignments | None = None) -> Array:
    """Mask (..., priors) of the `count` largest losses of each image, positives and negatives together.

    Online hard example mining (Shrivastava et al. 2016, section 4), without its suppression of overlapping regions, for which
    `refloss.boxes.nms` with the losses as scores serves.

    Arguments:
        losses: (..., priors), the whole loss of each prior, without NaN; an image for each row.
        count: for each image, an integer of at least 0; where an image has fewer priors, all count.
        assignments: as for `hard_negatives`; ignored priors never count. Without it every prior may.

    Raises ReflossError for any argument outside these. Equal losses: the smaller prior index counts first.

    >>> ohem([0.1, 2.0, 0.5, 0.9], 2, assignments=[0, -1, -1, -2])
    array([False,  True,  True, False])
    """
    loss = losses_of("ohem", losses)
    most = count_of("ohem", "count", count, "give the number of priors of each image that count, such as 128")
    mask = np.zeros(loss.shape, bool)
    index = mask.astype(np.int8) if assignments is None else indices("ohem", assignments)
    same_shape("ohem", loss, index)
    for out, row, truth in images(mask, loss, index):
        able = np.flatnonzero(truth != check.IGNORE)
        out[able] = top(row[able], most)
    return mask

"""A random choice of priors at a fixed ratio."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from .._engine import check
from .._engine.record import Array
from ..boxes.ranking import top
from ..errors import bad_type, bad_value
from .inputs import Assignments, count_of, images, indices, times

Seed = int | Sequence[int]


def random_sample(
    assignments: Assignments, *, seed: Seed, count: int | None = 256, positive_fraction: float = 0.5, ratio: float | None = None
) -> Array:
    """Mask (..., priors) of a random choice for each image, as Faster R-CNN's (Ren et al. 2015, section 3.1.3).

    At most floor(count * positive_fraction) positives, then negatives until there are `count`; with `ratio` at most
    floor(ratio * the positives taken) negatives, so that an image with few positives is not mostly background.

    Arguments:
        assignments: what `refloss.assign` returns, a list of that, one an image, or an array of its truth indices (..., priors).
        seed: an integer of at least 0 or a sequence of them, such as (run, step). The same seed gives the same mask, on every
            machine and with every version of NumPy; give another at each step. NumPy's global state is neither read nor changed.
        count: for each image; None takes every positive, and every negative that `ratio` allows.
        positive_fraction: in [0, 1]. 0.5 is the proposal network's; 0.25 (1:3, with count=128) is Fast R-CNN's. Not used without count.
        ratio: negatives for each positive taken, in [0, 1e9]; None for no such limit. count=None, ratio=3 is a fixed 1:3.

    Raises ReflossError for any argument outside these. Ignored priors are never taken. Every choice of the same size is as likely.

    >>> index = [0, 1, -1, -1, -1, -1, -2, -1]
    >>> random_sample(index, seed=0, count=4).sum(), random_sample(index, seed=0, count=4)[:2].sum()
    (np.int64(4), np.int64(2))
    >>> random_sample(index[1:], seed=(0, 1), count=None, ratio=3.0).sum()
    np.int64(4)

    Neighbours: `hard_negatives` and `ohem` look at the loss.
    """
    index = indices("random_sample", assignments)
    most = None if count is None else count_of("random_sample", "count", count, "256 is Faster R-CNN's; None takes all")
    fraction = check.number("random_sample", "positive_fraction", positive_fraction, 0.0, 1.0, "0.5 is Faster R-CNN's")
    limit = None if ratio is None else check.number("random_sample", "ratio", ratio, 0.0, 1e9, "3 is 1:3; None is no limit")
    # Raw words of a bit generator: NumPy keeps those the same between versions, but not what its Generator makes of them.
    words = np.random.PCG64(_seed(seed)).random_raw(index.size).reshape(index.shape)
    mask = np.zeros(index.shape, bool)
    for out, row, truth in images(mask, words, index):
        positives, negatives = np.flatnonzero(truth >= 0), np.flatnonzero(truth == check.NEGATIVE)
        taken = positives.size if most is None else min(math.floor(times(fraction, most)), positives.size)
        rest = negatives.size if most is None else min(most - taken, negatives.size)
        rest = rest if limit is None else min(rest, math.floor(times(limit, taken)))
        for able, size in ((positives, taken), (negatives, rest)):
            out[able] = top(row[able], size)
    return mask


def _seed(seed: Any) -> Any:
    numbers = seed if isinstance(seed, (list, tuple)) else (seed,)
    if not numbers or any(isinstance(v, bool) or not isinstance(v, (int, np.integer)) for v in numbers):
        bad_type("random_sample", "seed", "an integer or a sequence of them", repr(seed), "give (run, step)")
    if any(v < 0 for v in numbers):
        bad_value("random_sample", "seed", "at least 0", repr(seed), "give (run, step)")
    return np.random.SeedSequence([int(v) for v in numbers] if isinstance(seed, (list, tuple)) else int(seed))

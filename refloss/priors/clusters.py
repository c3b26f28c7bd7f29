"""Anchor shapes from a set of boxes: k-means by IoU."""

from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from .._engine import check
from .._engine.record import Array
from ..errors import bad_type, bad_value
from . import arguments

UPDATES = ("mean", "median")
_BLOCK, _PATIENCE = 4096, 10
_LOW, _HIGH = 1e-100, 1e100  # areas and their sums stay far from the ends of float64


def kmeans_anchors(
    sizes: ArrayLike, k: int, *, seed: int = 0, starts: int = 10, update: Literal["mean", "median"] = "mean",
    iterations: int = 300, dtype: DTypeLike = np.float32,
) -> Array:  # fmt: skip
    """k anchor shapes for a set of boxes (Redmon and Farhadi 2017, section 2, "Dimension clusters"), by d = 1 - IoU.

    IoU is that of two shapes with a common centre: min(w, w') min(h, h') / (w h + w' h' - min(w, w') min(h, h')).
    The start is k-means++ with probabilities proportional to d: first a box, then always one that is far from the shapes there are.
    Then each box goes to its nearest shape (of equals the first), and each shape becomes its boxes' mean, until no box moves. A shape
    that loses all its boxes moves to the box farthest from its own. Since a mean does not minimise d, the average IoU may fall
    from one update to the next: a start also ends after ten updates that bring nothing better, and the shapes returned are the
    best seen, in all starts.

    Arguments:
        sizes: (n, 2), widths and heights, or (n, 4), xyxy boxes; in the unit that the shapes shall have: cells for
            `yolov2_grids`, pixels of the network's input for `yolov3_grids`.
        k: number of shapes.
        seed: of the starts. One seed gives one result, whatever the order of the boxes.
        starts: so many times all of this; a single one often ends in a poor optimum.
        update: "mean", as the paper and darknet; "median", of width and of height, feels outliers less
            and mostly fits better.
        iterations: at most so many updates of each start.
        dtype: float32 or float64. Computed in float64, rounded once.

    Returns (k, 2), widths and heights, by area. `average_iou` tells how well they fit.

    Raises ReflossError for boxes without area, or fewer distinct sizes than k.
    Memory: some 100 bytes a box, whatever k.

    >>> sizes = [[10.0, 10.0], [10.0, 12.0], [11.0, 11.0], [40.0, 80.0], [42.0, 84.0], [80.0, 40.0]]
    >>> shapes = kmeans_anchors(sizes, 3)
    >>> print(shapes.round(2), round(average_iou(sizes, shapes), 4))
    [[10.33 11.  ]
     [80.   40.  ]
     [41.   82.  ]] 0.9356

    Elsewhere: scripts that cluster with Euclidean distance favour large boxes: the paper's reason for d.
    """
    name = "kmeans_anchors"
    rows = _sizes(name, sizes)
    count, steps = arguments.whole(name, "k", k), arguments.whole(name, "iterations", iterations)
    runs, middle = arguments.whole(name, "starts", starts), check.choice(name, "update", update, UPDATES)
    if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)) or seed < 0:
        bad_type(name, "seed", "a whole number of at least 0", repr(seed), "give seed=0")
    # Equal boxes once, with their number, in sorted order: duplicates cost nothing, and the order of the boxes is gone.
    distinct, numbers = np.unique(rows, axis=0, return_counts=True)
    random, best, score = np.random.default_rng(seed), distinct[:count], -1.0
    for _ in range(runs):
        shapes, average = _run(distinct, numbers, _start(name, distinct, numbers, count, random), middle == 1, steps)
        if average > score:
            best, score = shapes, average
    order = np.lexsort((best[:, 0], best[:, 0] * best[:, 1]))
    return arguments.rounded(name, best[order], dtype)


def average_iou(sizes: ArrayLike, shapes: ArrayLike) -> float:
    """The mean over boxes of the IoU with the best of the shapes, all with a common centre: the "Avg IOU" of YOLOv2's table 1.

    Arguments:
        sizes: (n, 2), widths and heights, or (n, 4), xyxy boxes.
        shapes: (k, 2), in the same unit.

    Raises ReflossError for boxes or shapes without area.

    >>> average_iou([[10.0, 10.0], [20.0, 20.0]], [[10.0, 20.0]])
    0.5
    """
    rows, anchors = _sizes("average_iou", sizes), _sizes("average_iou", shapes, "shapes", (2,))
    return float(_nearest(rows, anchors)[1].mean())


def _sizes(function: str, values: Any, argument: str = "sizes", columns: tuple[int, ...] = (2, 4)) -> Array:
    """(n, 2) widths and heights in float64."""
    rows = check.floats(function, argument, values, f"convert with {argument}.astype(np.float32)").astype(np.float64)
    if rows.ndim != 2 or rows.shape[1] not in columns or len(rows) == 0:
        wanted = "of shape (n, 2), or (n, 4) for xyxy boxes" if len(columns) > 1 else "of shape (k, 2)"
        bad_value(function, argument, wanted + ", with at least one row", f"{rows.shape}", "give widths and heights")
    if rows.shape[1] == 4:
        with np.errstate(invalid="ignore", over="ignore"):  # of infinite corners; the check below names them
            rows = rows[:, 2:] - rows[:, :2]
    good = ((rows >= _LOW) & (rows <= _HIGH)).all(axis=1)
    if not good.all():
        where = int(np.argmin(good))
        got = f"width {rows[where, 0]:g} and height {rows[where, 1]:g} at index {where}"
        bad_value(function, argument, "of positive, finite width and height", got, "leave out boxes without area")
    return rows


def _nearest(rows: Array, shapes: Array) -> tuple[Array, Array]:
    """Of each row the first shape of the greatest IoU, and that IoU. By blocks that stay in cache: no (rows, shapes) matrix."""
    label, best = np.zeros(len(rows), np.int64), np.full(len(rows), -1.0)
    for first in range(0, len(rows), _BLOCK):
        block = slice(first, first + _BLOCK)
        width, height = np.ascontiguousarray(rows[block].T)
        area, most, which = width * height, best[block], label[block]
        for j, (w, h) in enumerate(shapes):
            meet = np.minimum(width, w) * np.minimum(height, h)
            iou = meet / (area + (w * h - meet))
            np.copyto(which, j, where=iou > most)
            np.maximum(most, iou, out=most)
    return label, best


def _run(rows: Array, numbers: Array, shapes: Array, median: bool, iterations: int) -> tuple[Array, float]:
    """The best shapes from one start, and the sum of their boxes' IoUs."""
    k, many = len(shapes), numbers.astype(np.float64)
    best, score, labels, waited = shapes, -1.0, np.empty(0, np.int64), 0
    for _ in range(iterations + 1):
        nearest, iou = _nearest(rows, shapes)
        total, empty = float(np.sum(many * iou)), np.bincount(nearest, minlength=k) == 0
        if total > score and not empty.any():
            best, score, waited = shapes, total, 0
        waited += 1
        _refill(nearest, iou, empty)
        if waited > _PATIENCE or np.array_equal(nearest, labels):
            break
        labels = nearest
        shapes = _medians(rows, numbers, labels, k) if median else _means(rows, many, labels, k)
    return best, score


def _start(function: str, rows: Array, numbers: Array, k: int, random: Any) -> Array:
    """k-means++: distinct rows, each drawn with probability proportional to number times distance."""
    chosen: list[int] = []
    weights, best = numbers.astype(np.float64), np.zeros(len(rows))
    while len(chosen) < k:
        total = np.cumsum(weights)
        if total[-1] <= 0:
            bad_value(function, "k", f"at most the number of distinct sizes, {len(chosen)}", f"{k}", "ask for fewer shapes")
        drawn = np.searchsorted(total, random.random() * total[-1], side="right")  # weights of 0 are never drawn
        chosen.append(min(int(drawn), int(np.flatnonzero(weights)[-1])))
        best = np.maximum(best, _nearest(rows, rows[chosen[-1:]])[1])
        best[chosen[-1]] = 1.0
        weights = numbers * (1.0 - best)
    return rows[chosen]


def _refill(labels: Array, iou: Array, empty: Array) -> None:
    """In place: gives each empty shape the row that fits its own shape worst, of those that do not hold a shape alone."""
    for j in np.flatnonzero(empty):
        alone = np.bincount(labels, minlength=empty.size)[labels] == 1
        worst = int(np.argmin(np.where(alone, np.inf, iou)))
        labels[worst], iou[worst] = j, 1.0


def _means(rows: Array, many: Array, labels: Array, k: int) -> Array:
    total = np.bincount(labels, many, k)
    return np.stack([np.bincount(labels, many * rows[:, axis], k) / total for axis in (0, 1)], axis=1)


def _medians(rows: Array, numbers: Array, labels: Array, k: int) -> Array:
    members = [np.repeat(rows[labels == j], numbers[labels == j], axis=0) for j in range(k)]
    return np.array([np.median(one, axis=0) for one in members])

"""FCOS: locations and the truths they lie in, one pass in linear memory."""

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from .._engine import check
from .._engine.compile import jit, read, source_digest, written
from .._engine.record import Array
from .._engine.threads import over_blocks
from ..errors import bad_value
from ..priors.fcos import FCOS_SIZE_RANGES
from . import _check
from .assignment import Assignment, from_index

DIALECTS = ("paper", "official", "mmdet", "torchvision")
BLOCK = 512  # locations; seven columns of float64 are 26 KiB


@functools.cache
def _claim(T: Any) -> Callable[..., Any]:
    stamp = source_digest()

    def blocks(locations, levels, truths, gt_index, first, last):  # type: ignore[no-untyped-def]
        stamp  # noqa: B018
        n = gt_index.size
        best, index, columns = np.empty(BLOCK, truths.dtype), np.empty(BLOCK, np.int32), np.empty((5, BLOCK), truths.dtype)
        for b in range(first, last):
            lo, hi = b * BLOCK, min(n, (b + 1) * BLOCK)
            rows, cost, which = locations[lo:hi], best[: hi - lo], index[: hi - lo]
            x, y, reach, low, high = columns[0], columns[1], columns[2], columns[3], columns[4]
            for i in range(cost.size):
                level = 0
                while levels[0, level] != rows[i, 2]:
                    level += 1
                x[i], y[i], reach[i], low[i], high[i] = rows[i, 0], rows[i, 1], levels[1, level], levels[2, level], levels[3, level]
                cost[i] = T(np.inf)
                which[i] = -1
            for j in range(truths.shape[1]):
                x1, y1, x2, y2, own = truths[0, j], truths[1, j], truths[2, j], truths[3, j], truths[4, j]
                cx, cy, number = truths[5, j], truths[6, j], np.int32(j)
                for i in range(cost.size):
                    left, top, right, bottom = x[i] - x1, y[i] - y1, x2 - x[i], y2 - y[i]
                    near, far = min(left, top, right, bottom), max(left, top, right, bottom)
                    off = max(abs(x[i] - cx), abs(y[i] - cy))
                    better = (near > T(0)) & (off < reach[i]) & (far > low[i]) & (far < high[i]) & (own < cost[i])
                    cost[i] = own if better else cost[i]
                    which[i] = number if better else which[i]
            out = gt_index[lo:hi]
            for i in range(out.size):
                out[i] = which[i]

    return jit(blocks, f"fcos_{T.__name__}", read(T, 2), read(T, 2), read(T, 2), written(np.int64, 1), int, int)


def fcos(
    locations: ArrayLike, gt_boxes: ArrayLike, *, size_ranges: Sequence[tuple[float, float]] = FCOS_SIZE_RANGES, radius: float | None = 1.5,
    dialect: Literal["paper", "official", "mmdet", "torchvision"] = "paper",
) -> Assignment:  # fmt: skip
    """FCOS (Tian et al. 2019, section 3.1 and 3.2; centre sampling: the journal version, 2020).

    With (l, t, r, b) = (x - x1, y - y1, x2 - x, y2 - y), a truth claims the locations inside it, min(l, t, r, b) > 0, near its centre,
    |x - x_c| < radius stride and |y - y_c| < radius stride, whose level's size range holds max(l, t, r, b). Of several truths the
    one of the smallest area has the location. Every other prior is NEGATIVE; none is ignored.

    Arguments:
        locations: (n, 3), rows (x, y, stride) in pixels, as `fcos_locations`; float64, float32, float16 or bfloat16.
        gt_boxes: (m, 4), xyxy in pixels, of the same dtype; [] is an image without objects.
        size_ranges: (low, high) in pixels for each level, the level of the smallest stride first; as many as there are strides. They
            do not overlap; between them may be a gap, whose sizes belong to no level.
        radius: of centre sampling, in strides; None is without, as in the first version of the paper.
        dialect: how a size range takes its ends, and areas compare. "paper": low <= size < high, areas as they are. "official" and
            "mmdet": low <= size <= high, so that a size of 64 belongs to two levels. "torchvision": low < size < high, so that 64
            belongs to none; and the largest 1e8 - area wins, which float32 rounds to multiples of 8 square pixels: areas of 103 and
            105 are equal, and 1e8 or more matches nothing.

    Equality: a location on a truth's edge is outside, at exactly radius strides it is not near. A size of 64 belongs to the range
    that begins with 64. Equal areas: the truth of the smaller index, in every dialect. A truth without area has no inside.

    Raises ReflossError for numbers that are not finite, reversed boxes, ranges that are not one for each stride or out of order.
    Memory beyond inputs and outputs: below 24 bytes a location, whatever the number of truths (and locations of half precision in
    float32).

    >>> locations = [[4.0, 4.0, 8.0], [12.0, 4.0, 8.0], [8.0, 8.0, 16.0]]  # two levels
    >>> found = fcos(locations, [[0.0, 0.0, 16.0, 12.0], [1.0, 1.0, 9.0, 9.0]], size_ranges=((0, 12), (12, 64)))
    >>> found.gt_index.tolist(), found.pairs.tolist()  # max(l, t, r, b) of truth 0 is 12 at the first two, 8 at the third location
    ([1, -1, -1], [[0, 1]])

    Elsewhere: FCOS's own code and mmdet have centre sampling off by default, torchvision and detectron2 on. To FCOS's own code and
    mmdet an area of 1e8 means no truth at all, which is not repeated here.
    """
    kind = DIALECTS[check.choice("fcos", "dialect", dialect, DIALECTS)]
    rows = _locations(locations)
    truths = _check.working(_check.truths("fcos", gt_boxes, rows, of="locations"))
    T = truths.dtype.type
    places = _check.working(rows)
    levels = _levels(np.unique(places[:, 2]), size_ranges, radius, kind)
    n, m = len(places), len(truths)
    gt_index = np.full(n, check.NEGATIVE, np.int64)
    if n and m:
        with np.errstate(over="ignore"):
            size = truths[:, 2:] - truths[:, :2]
            area, centre = size[:, 0] * size[:, 1], (truths[:, :2] + truths[:, 2:]) * T(0.5)
        if kind == "torchvision":
            cost = np.where(T(1e8) - area < T(1e-5), T(np.inf), area - T(1e8))
        else:
            cost = np.minimum(area, np.finfo(T).max)  # infinite is what no truth at all costs
        told = np.ascontiguousarray(np.concatenate([truths.T, [cost], centre.T]))
        compiled = _claim(T)
        over_blocks(lambda first, last: compiled(places, levels, told, gt_index, first, last), -(-n // BLOCK), n * m)
    return from_index(gt_index)


def _locations(values: ArrayLike) -> Array:
    array = check.floats("fcos", "locations", values, "convert with locations.astype(np.float32)")
    if array.shape == (0,):
        array = array.reshape(0, 3)
    if array.ndim != 2 or array.shape[1] != 3:
        bad_value("fcos", "locations", "of shape (n, 3)", f"{array.shape}", "give rows (x, y, stride), as fcos_locations makes them")
    good = np.isfinite(array).all(axis=1) & (array[:, 2] > 0)
    if not good.all():
        row = int(np.argmin(good))
        got = f"{array[row].tolist()} at index {row}"
        bad_value("fcos", "locations", "finite, with a stride above 0", got, "give rows (x, y, stride), as fcos_locations makes them")
    return array


def _levels(strides: Array, size_ranges: Any, radius: Any, kind: str) -> Array:
    """Of each level the stride, how far a centre may be, and the open interval of sizes: (4, levels)."""
    T = strides.dtype.type
    ranges = _ranges(size_ranges, T)
    if len(strides) == 0:
        strides = np.ones(len(ranges), T)  # no locations: any ranges do
    if len(strides) != len(ranges):
        got = f"{len(ranges)} for the strides {strides.tolist()}"
        bad_value("fcos", "size_ranges", "one (low, high) for each stride of locations", got, "give a range for each level, finest first")
    if radius is not None:
        radius = check.number("fcos", "radius", radius, -math.inf, math.inf, "give 1.5, or None for no centre sampling")
        if not 0 < radius < math.inf:
            bad_value("fcos", "radius", "above 0 and finite, or None", f"{radius:g}", "None is without centre sampling")
    low, high = ranges[:, 0], ranges[:, 1]
    if kind != "torchvision":  # x >= low is x > the number before low
        low = np.nextafter(low, T(-np.inf))
    if kind in ("official", "mmdet"):
        high = np.nextafter(high, T(np.inf))
    reach = np.full_like(strides, np.inf) if radius is None else strides * T(radius)
    return np.stack([strides, reach, low, high])


def _ranges(values: Any, T: Any) -> Array:
    wanted, way_out = "(low, high) pairs with 0 <= low < high", "give ((0, 64), (64, inf)), the level of the smallest stride first"
    try:
        array = np.array(values, np.float64)
    except (TypeError, ValueError):
        bad_value("fcos", "size_ranges", wanted, repr(values), way_out)
    if array.ndim != 2 or array.shape[1] != 2 or not ((array[:, 0] >= 0) & (array[:, 0] < array[:, 1])).all():
        bad_value("fcos", "size_ranges", wanted, repr(values), way_out)
    if (array[1:, 0] < array[:-1, 1]).any():
        wanted = "(low, high) pairs in order, none from below the high before"
        bad_value("fcos", "size_ranges", wanted, repr(values), way_out)
    with np.errstate(over="ignore"):  # beyond the dtype is infinite
        return array.astype(T)

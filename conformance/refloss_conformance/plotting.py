"""The points of a report's plots: each case's error over what it is about."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from .cases import Batch
from .golden import Array
from .limits import corners
from .records import RECORDS
from .verdict import Judged, Part, per_case

MOST = 300  # points of a plot
DIFFERENCES = ("predictions", "targets")


def axis(batch: Batch) -> tuple[str, Array]:
    """What the error is drawn over, and its number for each case."""
    loss = RECORDS[batch.loss]
    first, second = batch.first.astype(np.float64), batch.second.astype(np.float64)
    if loss.kind == "pairs":
        return "IoU of the pair", _iou(*(corners(boxes, batch.parameters.get("box_format")) for boxes in (first, second)))
    if loss.kind == "elementwise":
        name = loss.arrays[0]
        return ("prediction - target", first - second) if name == DIFFERENCES[0] else (name.removesuffix("s"), first)
    if loss.kind in ("labels", "rows"):
        return "largest logit", first.max(axis=-1)
    return f"first number of {loss.arrays[0]}", first[..., 0]


def _iou(a: Array, b: Array) -> Array:
    low, high = np.maximum(a[:, :2], b[:, :2]), np.minimum(a[:, 2:], b[:, 2:])
    inner = np.prod(np.maximum(high - low, 0), axis=1)
    union = np.prod(a[:, 2:] - a[:, :2], axis=1) + np.prod(b[:, 2:] - b[:, :2], axis=1) - inner
    return np.asarray(np.divide(inner, union, out=np.zeros_like(inner), where=union > 0))


def plots(judged: Sequence[Judged]) -> list[dict[str, Any]]:
    """One plot for values and one for gradients, in each dtype; failing cases go first where there are too many."""
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for one in judged:
        label, x = axis(one.batch)
        for part in one.parts:
            plot = found.setdefault((part.what, one.batch.dtype), {"what": part.what, "dtype": one.batch.dtype, "x": label, "points": []})
            plot["points"] += _points(part, x)
    for plot in found.values():
        plot["points"] = few(plot["points"])
    return list(found.values())


def _points(part: Part, x: Array) -> list[list[Any]]:
    error = part.error.reshape(len(x), -1).max(axis=1)
    failed = per_case(part.strict)
    return [[short(x[i]), short(error[i]), int(failed[i])] for i in range(len(x))]


def short(number: Any) -> float:
    """Four digits: nobody sees more in a plot."""
    return float(f"{float(number):.4g}")


def few(points: list[list[Any]]) -> list[list[Any]]:
    """Points that are drawn on one another once; then a spread of them, of failing ones first."""
    distinct = list({tuple(point): point for point in points}.values())
    bad, good = ([point for point in distinct if point[2] == failed] for failed in (1, 0))
    room = max(MOST - len(good), 2 * MOST // 3)
    bad = _spread(bad, room)
    return sorted(bad + _spread(good, MOST - len(bad)))


def _spread(points: list[list[Any]], count: int) -> list[list[Any]]:
    if len(points) <= count:
        return points
    ordered = sorted(points)
    return [ordered[i] for i in np.linspace(0, len(ordered) - 1, count).astype(int)]

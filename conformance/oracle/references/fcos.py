"""Reference of `assign.fcos`: the smallest truth that a location lies in, near its centre, at its level."""

import math
from collections.abc import Sequence
from typing import Any

from refloss import NEGATIVE

from ..decisions import Decisions
from .yolov1 import Answer, Box

RANGES = ((0, 64), (64, 128), (128, 256), (256, 512), (512, math.inf))


def fcos(
    d: Decisions, locations: Sequence[Sequence[Any]], gt_boxes: Sequence[Box], *, size_ranges: Sequence[tuple[Any, Any]] = RANGES,
    radius: Any = 1.5, dialect: str = "paper",
) -> Answer:  # fmt: skip
    levels = sorted({row[2] for row in locations})
    gt_index, pairs = [], []
    for k, (x, y, stride) in enumerate(locations):
        low, high = size_ranges[levels.index(stride)]
        claims = [j for j, truth in enumerate(gt_boxes) if fits(d, x, y, stride, truth, low, high, radius, dialect)]
        best = d.best(claims, lambda j: merit(gt_boxes[j], dialect)) if claims else NEGATIVE
        gt_index.append(best)
        if claims:
            pairs.append((k, best))
    return gt_index, pairs


def area(truth: Box) -> Any:
    return (truth[2] - truth[0]) * (truth[3] - truth[1])


def merit(truth: Box, dialect: str) -> Any:
    """The smaller the better; torchvision subtracts from 1e8, in which float32 forgets up to 4 square pixels."""
    return type(truth[0])(1e8) - area(truth) if dialect == "torchvision" else -area(truth)


def fits(d: Decisions, x: Any, y: Any, stride: Any, truth: Box, low: Any, high: Any, radius: Any, dialect: str) -> bool:
    x1, y1, x2, y2 = truth
    number = type(x)
    sides = (x - x1, y - y1, x2 - x, y2 - y)
    if not d.above(min(sides), 0):
        return False
    if radius is not None:
        reach = number(radius) * stride
        if not (d.above(reach, abs(x - (x1 + x2) / 2)) and d.above(reach, abs(y - (y1 + y2) / 2))):
            return False
    far = max(sides)
    if dialect == "torchvision" and merit(truth, dialect) < number(1e-5):
        return False
    enough = d.above(far, number(low)) if dialect == "torchvision" else d.at_least(far, number(low))
    if not enough or math.isinf(high):
        return enough
    return d.above(number(high), far) if dialect in ("paper", "torchvision") else d.at_least(number(high), far)

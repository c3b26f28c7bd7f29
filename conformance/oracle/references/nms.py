"""Suppression and selection, slow and obvious: one comparison after the other, over any numbers (fractions are exact)."""

import math
from collections.abc import Sequence
from typing import Any

from ..decisions import Decisions

Box = Sequence[Any]
EMPTY = 2.0**-126


def iou(a: Box, b: Box) -> Any:
    zero = a[0] - a[0]
    across = max(zero, min(a[2], b[2]) - max(a[0], b[0]))
    down = max(zero, min(a[3], b[3]) - max(a[1], b[1]))
    intersection = across * down
    union = ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1])) - intersection
    return zero if union < EMPTY else intersection / union


def apart(a: Box, b: Box, beta: Any) -> Any:
    """(rho^2 / c^2)^beta."""
    two = type(a[0])(2)
    dx, dy = ((a[0] - b[0]) + (a[2] - b[2])) / two, ((a[1] - b[1]) + (a[3] - b[3])) / two
    w, h = max(a[2], b[2]) - min(a[0], b[0]), max(a[3], b[3]) - min(a[1], b[1])
    diagonal = w * w + h * h
    share = dx * dx - dx * dx if diagonal < EMPTY else (dx * dx + dy * dy) / diagonal
    return share if beta == 1 else type(a[0])(float(share) ** beta)


def likeness(a: Box, b: Box, kind: str, beta: Any) -> Any:
    return iou(a, b) if kind == "iou" else iou(a, b) - apart(a, b, beta)


def nms(
    d: Decisions, boxes: Sequence[Box], scores: Sequence[Any], *, iou_threshold: Any = 0.5, kind: str = "iou", beta: Any = 1,
    max_detections: int | None = None,
) -> list[int]:  # fmt: skip
    threshold = type(boxes[0][0])(iou_threshold) if boxes else iou_threshold
    left, kept = list(range(len(boxes))), list[int]()
    while left and (max_detections is None or len(kept) < max_detections):
        best = d.best(left, lambda i: scores[i])
        kept.append(best)
        left = [i for i in left if i != best and not d.above(likeness(boxes[best], boxes[i], kind, beta), threshold)]
    return kept


def batched_nms(d: Decisions, boxes: Sequence[Box], scores: Sequence[Any], labels: Sequence[int], **options: Any) -> list[int]:
    """All labels without a limit; a limit is for the caller, who has the order."""
    kept = []
    for label in sorted(set(labels)):
        mine = [i for i in range(len(boxes)) if labels[i] == label]
        kept += [mine[j] for j in nms(d, [boxes[i] for i in mine], [scores[i] for i in mine], **options)]
    return by_score(d, kept, scores)


def by_score(d: Decisions, indices: Sequence[int], scores: Sequence[Any]) -> list[int]:
    left, order = sorted(indices), []
    while left:
        order.append(d.best(left, lambda i: scores[i]))
        left.remove(order[-1])
    return order


def soft_nms(
    d: Decisions, boxes: Sequence[Box], scores: Sequence[Any], *, method: str = "linear", sigma: Any = 0.5, iou_threshold: Any = 0.3,
    score_threshold: Any = 0.001,
) -> tuple[list[int], list[Any]]:  # fmt: skip
    if not boxes:
        return [], []
    number = type(boxes[0][0])
    width, threshold, lowest = number(sigma), number(iou_threshold), number(score_threshold)
    now = dict(enumerate(scores))
    left = [i for i in now if d.above(now[i], lowest)]
    taken = []
    while left:
        best = d.best(left, lambda i: now[i])
        taken.append(best)
        left.remove(best)
        for i in left:
            value = iou(boxes[best], boxes[i])
            if method == "gaussian":
                now[i] = now[i] * number(math.exp(-(value * value) / width))
            elif d.above(value, threshold):
                now[i] = now[i] * (1 - value)
        left = [i for i in left if d.above(now[i], lowest)]
    return taken, [now[i] for i in taken]


def select(
    d: Decisions, boxes: Sequence[Box], scores: Sequence[Sequence[Any]], *, score_threshold: Any, iou_threshold: Any, top_k: int,
    top_k_per_class: bool, max_detections: int, per_class: bool,
) -> list[tuple[int, int]]:  # fmt: skip
    """(index, label) of each detection; scores are (n, classes)."""
    pairs = [(i, c) for i in range(len(boxes)) for c in range(len(scores[i])) if d.above(scores[i][c], score_threshold)]
    values = [scores[i][c] for i, c in pairs]
    groups = [[k for k, pair in enumerate(pairs) if pair[1] == c] for c in sorted({c for _, c in pairs})]
    if not top_k_per_class:
        groups = [list(range(len(pairs)))]
    chosen = sorted(k for group in groups for k in by_score(d, group, values)[:top_k])
    kept = batched_nms(
        d, [boxes[pairs[k][0]] for k in chosen], [values[k] for k in chosen], [pairs[k][1] if per_class else 0 for k in chosen],
        iou_threshold=iou_threshold,
    )  # fmt: skip
    return [pairs[chosen[j]] for j in kept[:max_detections]]

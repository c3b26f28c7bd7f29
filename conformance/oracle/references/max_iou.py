"""What refloss.assign.max_iou must answer, pair by pair in plain Python. Numbers of any kind: floats, NumPy scalars, fractions."""

from typing import Any

from refloss import IGNORE, NEGATIVE

from ..decisions import Decisions

EMPTY = 2.0**-126


def iou(box: Any, truth: Any) -> Any:
    """Intersection over union of two xyxy boxes, 0 if the union is empty."""
    width = max(min(box[2], truth[2]) - max(box[0], truth[0]), 0)
    height = max(min(box[3], truth[3]) - max(box[1], truth[1]), 0)
    area, target_area = ((b[2] - b[0]) * (b[3] - b[1]) for b in (box, truth))
    union = (area + target_area) - width * height
    return width * height / union if union >= EMPTY else 0


def max_iou(
    d: Decisions,
    priors: Any,
    gt_boxes: Any,
    *,
    positive_threshold: Any = 0.5,
    negative_threshold: Any = 0.4,
    low_quality_matches: bool = False,
    dialect: str = "paper",
) -> tuple[list[int], list[tuple[int, int]]]:
    """gt_index of each prior, and the matches (prior, truth)."""
    n, m = range(len(priors)), range(len(gt_boxes))
    table = [[iou(prior, truth) for truth in gt_boxes] for prior in priors]
    answer = [NEGATIVE for _ in n]
    for p in n if m else ():
        best = max(table[p])
        if d.at_least(best, positive_threshold):
            answer[p] = _own(d, table, p)
        elif d.at_least(best, negative_threshold):
            answer[p] = IGNORE
    for t in m if n and low_quality_matches else ():
        top = max(table[p][t] for p in n)
        if top > 0:
            top = table[d.best(n, lambda p, t=t: table[p][t])][t]  # all that attain it match: which of them is asked for is no matter
        elif dialect == "paper":
            continue
        for p in n:
            if table[p][t] == top:
                answer[p] = t if dialect == "mmdet" else _own(d, table, p)
    return answer, [(p, answer[p]) for p in n if answer[p] >= 0]


def _own(d: Decisions, table: Any, p: int) -> int:
    """The truth that overlaps a prior most; the first, without a decision, where none does."""
    return int(d.best(range(len(table[p])), lambda t: table[p][t])) if max(table[p]) > 0 else 0

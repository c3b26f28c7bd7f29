"""What refloss.assign.ssd must answer, pair by pair in plain Python. Numbers of any kind: floats, NumPy scalars, fractions."""

from typing import Any

from refloss import NEGATIVE

from ..decisions import Decisions
from .max_iou import iou


def ssd(
    d: Decisions, priors: Any, gt_boxes: Any, *, threshold: Any = 0.5, dialect: str = "paper"
) -> tuple[list[int], list[tuple[int, int]]]:
    """gt_index of each prior, and the matches (prior, truth)."""
    n, m = range(len(priors)), range(len(gt_boxes))
    table = [[iou(prior, truth) for truth in gt_boxes] for prior in priors]
    floor = 1e-6 if dialect == "caffe" else 0
    argmax = dialect in {"ssd.pytorch", "torchvision"}
    first = _each_truth(d, table, n, m) if argmax else _bipartite(d, table, {(p, t) for p in n for t in m}, floor)
    answer = [NEGATIVE for _ in n]
    for p in n if m else ():
        best = max(table[p])
        if p in first:
            answer[p] = first[p]
        elif d.at_least(best, threshold) and best > floor:
            answer[p] = d.best(m, lambda t, p=p: table[p][t])
    return answer, [(p, answer[p]) for p in n if answer[p] >= 0]


def _bipartite(d: Decisions, table: Any, free: set[tuple[int, int]], floor: Any) -> dict[int, int]:
    """The best pair of all that are free, again and again. Only pairs that exclude each other are compared for the margin:
    the order in which others are taken changes nothing."""
    first: dict[int, int] = {}
    while free:
        prior, truth = min(free, key=lambda pair: (-table[pair[0]][pair[1]], *pair))
        if not d.above(table[prior][truth], floor):
            break
        rivals = sorted(pair for pair in free if pair[0] == prior or pair[1] == truth)
        prior, truth = d.best(rivals, lambda pair: table[pair[0]][pair[1]])
        first[prior] = truth
        free = {pair for pair in free if pair[0] != prior and pair[1] != truth}
    return first


def _each_truth(d: Decisions, table: Any, n: Any, m: Any) -> dict[int, int]:
    """Each truth's best prior, prior 0 if it meets none; a later truth takes it from an earlier one."""
    first: dict[int, int] = {}
    for t in m if n else ():
        first[d.best(n, lambda p, t=t: table[p][t]) if max(table[p][t] for p in n) > 0 else 0] = t
    return first

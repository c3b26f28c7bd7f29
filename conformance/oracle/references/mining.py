"""Mining, slow and obvious: the hardest is picked, again and again."""

import math
from collections.abc import Sequence
from typing import Any

from ..decisions import Decisions

NEGATIVE, IGNORE = -1, -2


def hardest(d: Decisions, losses: Sequence[Any], able: Sequence[int], count: int) -> list[bool]:
    left, chosen = list(able), set[int]()
    while left and len(chosen) < count:
        best = d.best(left, lambda i: losses[i])
        chosen.add(best)
        left.remove(best)
    return [i in chosen for i in range(len(losses))]


def hard_negatives(
    d: Decisions, losses: Sequence[Any], gt_index: Sequence[int], *, ratio: float = 3.0, min_negatives: int = 0, dialect: str = "paper"
) -> list[bool]:
    """The mask of one image."""
    priors = range(len(losses))
    positives = [i for i in priors if gt_index[i] >= 0]
    wanted = ratio * len(positives)
    if dialect == "paper":
        return hardest(d, losses, [i for i in priors if gt_index[i] == NEGATIVE], max(int(wanted), min_negatives))
    stand_in = -math.inf if dialect == "torchvision" else 0
    ranked = [stand_in if gt_index[i] >= 0 else losses[i] for i in priors]
    count = sum(rank < wanted for rank in priors)  # as both compare ranks with a product that is no integer
    return hardest(d, ranked, priors, count if dialect == "torchvision" else min(count, len(losses) - 1))


def ohem(d: Decisions, losses: Sequence[Any], count: int, *, gt_index: Sequence[int]) -> list[bool]:
    """The mask of one image."""
    return hardest(d, losses, [i for i in range(len(losses)) if gt_index[i] != IGNORE], count)

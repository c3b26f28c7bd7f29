"""What the number for a batch is of the numbers for its cases: the mean, the sum, or the sum over the positives."""

import numpy as np

from .asking import Outcome
from .calling import CLOSE
from .cases import Batch

NORMALIZED = ("mean", "sum", "positives")  # what a batch may give
# Targets among which few or many are positive, or of a foreground class: what divides by the number of either kind is seen.
PATTERNS: dict[str, list[tuple[float, ...]]] = {
    "elementwise": [(1, 1, 0), (1, 0, 0), (0.75, 0.75, 0)],
    "labels": [(0, 0, -1), (1, 1, 0), (0, -1, -1)],
    "rows": [(1, 1, 0), (1, 0, 0)],
}


def mixed(kind: str, easy: Batch) -> list[Batch]:
    """The same cases with other targets."""
    second = easy.second
    return [
        Batch(**{**vars(easy), "second": np.resize(np.array(some, second.dtype), second.shape)}) for some in PATTERNS.get(kind, [])
    ]  # fmt: skip


def normalized(kind: str, batch: Batch, alone: Outcome, whole: Outcome) -> set[str]:
    """Which of NORMALIZED the value, and the gradient if there is one, may be."""
    total = float(alone.value.sum())
    found = set()
    for name, counts in _counts(kind, batch).items():
        for count in counts:
            right = bool(np.isclose(float(whole.value.reshape(())) * count, total, rtol=CLOSE, atol=0))
            if right and alone.gradient is not None and whole.gradient is not None:
                slope = whole.gradient.reshape(alone.gradient.shape) * count
                largest = float(np.abs(alone.gradient).max(initial=0))
                right = np.allclose(slope, alone.gradient, rtol=CLOSE, atol=CLOSE * largest)
            if right:
                found.add(name)
    return found


def _counts(kind: str, batch: Batch) -> dict[str, set[float]]:
    """What the sum may be divided by."""
    positives: set[float] = set()
    if kind == "elementwise":
        positives = {float(np.count_nonzero(batch.second > 0)), float(batch.second.sum())}
    elif kind in PATTERNS:  # a positive has a class, or one that is not the background's
        positives = {float(np.count_nonzero(batch.second > code)) for code in (-1, 0)}
    return {"mean": {len(batch)}, "sum": {1}, "positives": {max(1.0, count) for count in positives}}

"""Golden numbers as arrays, and the error of a result against them."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from .vectors import EPS, SMALLEST_NORMAL, Words, errors_in_eps

Array = np.ndarray[Any, Any]
LARGEST = {"float64": float(np.finfo(np.float64).max), "float32": float(np.finfo(np.float32).max), "float16": 65504.0}


@dataclass(frozen=True)
class Golden:
    """Arrays of one shape. At a kink `low` < `high`, and every number between them is right."""

    words: Words
    scale: Array  # the condition scale: sum of |input * d(result) / d(input)|
    low: Words
    high: Words

    @property
    def number(self) -> Array:
        return self.words[0]

    @property
    def kink(self) -> Array:
        return self.low[0] < self.high[0]

    def take(self, index: Any) -> "Golden":
        def pair(words: Words) -> Words:
            return words[0][index], words[1][index]

        return Golden(pair(self.words), self.scale[index], pair(self.low), pair(self.high))


def golden(words: Words, scale: Array, low: Words | None = None, high: Words | None = None) -> Golden:
    return Golden(words, np.broadcast_to(scale, words[0].shape), low or words, high or words)


def errors(wanted: Golden, got: Array, dtype: str, aware: bool) -> Array:
    """Errors in eps of the dtype: relative to the true result, or condition-aware. Infinite where the result is not finite."""
    values = np.asarray(got, dtype=np.float64)
    result = errors_in_eps(
        values, wanted.words, wanted.scale if aware else 0.0, dtype, low=wanted.low, high=wanted.high
    )  # fmt: skip
    beyond = np.abs(wanted.number) > LARGEST.get(dtype, np.inf) * (1 - EPS[dtype] / 4)  # rounds to infinity in this dtype
    overflow = beyond & np.isinf(values) & (np.sign(values) == np.sign(wanted.number))
    return np.where(overflow, 0.0, result)


def flushed(wanted: Golden, got: Array, dtype: str) -> Array:
    """Where both numbers are below the smallest normal one (or next to it), which some processors and XLA set to 0."""
    tiny = 2 * SMALLEST_NORMAL[dtype]
    return (np.abs(wanted.number) <= tiny) & (np.abs(np.asarray(got, np.float64)) <= tiny)

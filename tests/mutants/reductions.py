"""Losses that reduce in another way than stated: the formulas as they are, and one of these at the end; callables of this module."""

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

from refloss._engine.record import REGISTRY
from refloss._engine.xp import numpy_xp

REDUCTIONS: dict[str, Callable[[Any], Any]] = {
    "none": lambda value: value,
    "sum": np.sum,
    "mean": np.mean,
    "mean_of_one_more": lambda value: np.sum(value) / (value.size + 1),
    "mean_of_one_less": lambda value: np.sum(value) / max(value.size - 1, 1),
    "half_the_sum": lambda value: np.sum(value) / 2,
    "root_mean_square": lambda value: np.sqrt(np.mean(value * value)),
}
WRONG = [(stated, does) for stated in ("mean", "sum") for does in REDUCTIONS if does != stated]


def reduced(loss: str, does: str) -> Callable[..., Any]:
    """A loss, reduced."""
    record = REGISTRY[loss]

    def function(first: Any, second: Any, /, **given: Any) -> Any:
        first, second = np.asarray(first), np.asarray(second)
        with np.errstate(all="ignore"):
            return REDUCTIONS[does](np.asarray(record.formula(numpy_xp, first, second, **{**record.defaults, **given})))

    own = inspect.signature(record).parameters
    kept = [p.replace(annotation=inspect.Parameter.empty) for name, p in own.items() if name in (*record.arrays, *record.defaults)]
    function.__signature__ = inspect.Signature(kept)  # type: ignore[attr-defined]
    return function


def __getattr__(name: str) -> Callable[..., Any]:
    loss, _, does = name.partition("__reduced_to_")
    if does not in REDUCTIONS:
        raise AttributeError(name)
    return reduced(loss, does)

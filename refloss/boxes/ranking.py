"""Ranking without chance: the larger value first, and of equal values the smaller index."""

import numpy as np

from .._engine.record import Array


def falling(values: Array) -> Array:
    """The order (n,) of values (n,) without NaN, from the largest to the smallest."""
    return np.argsort(-values, kind="stable")


def top(values: Array, count: int) -> Array:
    """Which (n,) of values (n,) without NaN are the `count` first of `falling`, without sorting them all."""
    if count >= values.size:
        return np.ones(values.shape, bool)
    if count <= 0:
        return np.zeros(values.shape, bool)
    least = np.partition(values, values.size - count)[values.size - count]
    chosen: Array = values > least
    ties = np.flatnonzero(values == least)
    chosen[ties[: count - int(chosen.sum())]] = True
    return chosen


def grouped(labels: Array, values: Array) -> tuple[Array, Array]:
    """(order, starts): groups of one label by rising label, each falling by value; group g is order[starts[g] : starts[g + 1]]."""
    order = falling(values)
    order = order[np.argsort(labels[order], kind="stable")]
    sorted_labels = labels[order]
    starts = np.flatnonzero(np.concatenate([[True], sorted_labels[1:] != sorted_labels[:-1]])) if order.size else order
    return order, np.append(starts, order.size)

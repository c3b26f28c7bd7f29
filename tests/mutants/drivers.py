"""What the engine's loops do around a kernel, over arrays: boxes turned into sizes, labels into targets, rows into shares."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from refloss._engine.bernoulli import HARD
from refloss._engine.check import IGNORE
from refloss_conformance.gradients import UPSTREAM
from refloss_conformance.records import RECORDS

from .golden_cases import Answer, Merged

Space = Mapping[str, Any]


def elementwise(kernel: Callable[..., Any], space: Space, one: Merged) -> Answer:
    value, gradient = kernel(one.mode, one.batch.first, one.batch.second, one.params)
    return value, gradient


def labels(kernel: Callable[..., Any], space: Space, one: Merged) -> Answer:
    x, label = one.batch.first, one.batch.second[:, None]
    t = (label == np.arange(x.shape[1])).astype(x.dtype)
    value, gradient = kernel(one.mode + HARD, x, t, tuple(p[:, None] for p in one.params))
    counted = label != IGNORE
    return np.where(counted, value, 0), np.where(counted, gradient, 0)


def rows(kernel: Callable[..., Any], space: Space, one: Merged) -> Answer:
    x, label = one.batch.first, one.batch.second
    n, classes = x.shape
    zeros = np.zeros(n, x.dtype)
    largest = x.max(axis=1)
    gap, gap_lo, e, others, others_lo = zeros, zeros, zeros + 1, zeros, zeros
    shares = np.empty_like(x)
    for c in range(classes):
        column, here = x[:, c], label == c
        below = largest - column
        z = below - largest
        below_lo = np.where(below < 1e30, (largest - (below - z)) - (column + z), zeros)
        top, bottom = space["exp_of_minus"](below, below_lo)
        gap, gap_lo, e = np.where(here, below, gap), np.where(here, below_lo, gap_lo), np.where(here, top, e)
        add = np.where(here, zeros, top)
        s = others + add
        z = s - others
        others_lo = others_lo + ((others - (s - z)) + (add - z)) + np.where(here, zeros, bottom)
        others, shares[:, c] = s, top
    value, pull, push = kernel(one.mode, label, gap, gap_lo, e, others, others_lo, one.params)
    counted = label != IGNORE
    at_label = label[:, None] == np.arange(classes)
    gradient = np.where(at_label, -np.broadcast_to(pull, n)[:, None], np.broadcast_to(push, n)[:, None] * shares)
    return np.where(counted, value, 0), np.where(counted[:, None], gradient, 0)


def pairs(kernel: Callable[..., Any], space: Space, one: Merged) -> Answer:
    columns = [*_turned(one.batch.first, one.centred), *_turned(one.batch.second, one.centred)]
    value, *gradient = kernel(one.mode, *columns, (*one.params[:7], one.params[7][0]))
    return value, np.stack(np.broadcast_arrays(*gradient, value)[:4], axis=-1)


def _turned(boxes: Any, centred: bool) -> tuple[Any, ...]:
    a, b, c, d = (boxes[:, j] for j in range(4))
    if not centred:
        return a, b, c, d, c - a, d - b
    half_w, half_h = c / 2, d / 2
    return a - half_w, b - half_h, a + half_w, b + half_h, c + (a - a), d + (b - b)


def codes(kernel: Callable[..., Any], space: Space, one: Merged) -> Answer:
    first, priors = one.batch.first, one.batch.second
    n, T = len(first), first.dtype.type
    five = [priors[:, j] if j < priors.shape[1] else np.zeros(n, T) for j in range(5)]
    result = kernel(one.mode, *(first[:, j] for j in range(4)), *five, *(np.full(n, T(u)) for u in UPSTREAM), one.params)
    whole = np.broadcast_arrays(*result, first[:, 0])
    return np.stack(whole[:4], axis=-1), np.stack(whole[4:8], axis=-1)


DRIVERS = {"elementwise": elementwise, "labels": labels, "rows": rows, "pairs": pairs, "codes": codes}


def run_kernel(name: str, kernel: Callable[..., Any], space: Space, one: Merged) -> Answer:
    with np.errstate(all="ignore"):
        return DRIVERS[RECORDS[name].kind](kernel, space, one)

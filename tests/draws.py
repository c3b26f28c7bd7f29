"""Random inputs for the accuracy ledger: spread over each domain, from a seed that the names of loss and dtype fix."""

import zlib
from typing import Any

import numpy as np

from refloss import IGNORE, NEGATIVE

Array = np.ndarray[Any, Any]


def generator(*names: str) -> np.random.Generator:
    return np.random.default_rng(zlib.crc32("/".join(names).encode()))


def logits(rng: np.random.Generator, shape: tuple[int, ...], dtype: str) -> Array:
    """Ordinary, up to and past exp's range, and tiny ones."""
    reach = 110 if dtype == "float32" else 760
    which = rng.random(shape)
    tiny = rng.choice([-1.0, 1.0], shape) * 10 ** rng.uniform(-30, 0, shape)
    x = np.where(which < 0.6, 8 * rng.standard_normal(shape), np.where(which < 0.8, rng.uniform(-reach, reach, shape), tiny))
    return x.astype(dtype)


def unit_targets(rng: np.random.Generator, n: int, dtype: str) -> Array:
    """Two fifths zeros, two fifths ones, the rest soft."""
    which = rng.random(n)
    return np.where(which < 0.4, 0.0, np.where(which < 0.8, 1.0, rng.random(n))).astype(dtype)


def real_pairs(rng: np.random.Generator, n: int, dtype: str) -> tuple[Array, Array]:
    """Differences from 1e-4 to 1e2, around targets of any size."""
    t = rng.standard_normal(n) * 10 ** rng.uniform(-3, 3, n)
    return (t + rng.standard_normal(n) * 10 ** rng.uniform(-4, 2, n)).astype(dtype), t.astype(dtype)


def box_pairs(rng: np.random.Generator, n: int, dtype: str, box_format: str) -> tuple[Array, Array]:
    """Boxes of 1e-4 to 1e5 pixels; half of the pairs overlap closely, the others lie anywhere near."""
    size = 10 ** rng.uniform(-4, 5, (n, 1))
    middle, shape = rng.uniform(-3, 3, (n, 2)), np.exp(rng.uniform(-2, 2, (n, 2)))
    close = rng.random((n, 1)) < 0.5
    jitter = 10 ** rng.uniform(-4, -0.3, (n, 1))
    other_middle = np.where(close, middle + jitter * rng.standard_normal((n, 2)), rng.uniform(-3, 3, (n, 2)))
    other_shape = np.where(close, shape * np.exp(jitter * rng.standard_normal((n, 2))), np.exp(rng.uniform(-2, 2, (n, 2))))
    boxes = []
    for m, s in ((middle, shape), (other_middle, other_shape)):
        centred = np.concatenate([m * size, s * size], axis=1)
        corners = np.concatenate([(m - s / 2) * size, (m + s / 2) * size], axis=1)
        boxes.append((corners if box_format == "xyxy" else centred).astype(dtype))
    if box_format == "cxcywh":
        clear = _clear_of_kinks(*boxes, dtype)
        boxes = [b[clear] for b in boxes]
    return boxes[0], boxes[1]


def _clear_of_kinks(one: Array, two: Array, dtype: str) -> Array:
    """Pairs whose edges differ by more than the rounding of an edge: nearer, a rounding decides which side of a kink counts."""
    a, b = (boxes.astype(np.float64) for boxes in (one, two))
    a_low, a_high, b_low, b_high = (boxes[:, :2] + sign * boxes[:, 2:] / 2 for boxes in (a, b) for sign in (-1, 1))
    blur = 4 * np.finfo(dtype).eps * np.max(np.abs([a_low, a_high, b_low, b_high]), axis=0)
    gaps = np.min(np.abs([a_low - b_low, a_high - b_high, a_low - b_high, a_high - b_low]), axis=0)
    return (gaps > blur).all(axis=1)


def draw(loss: Any, parameters: Any, n: int, dtype: str, rng: np.random.Generator, classes: int = 4) -> tuple[Array, Array]:
    """n inputs: numbers, or rows of `classes` logits, or pairs."""
    if loss.targets == "unit":
        return logits(rng, (n,), dtype), unit_targets(rng, n, dtype)
    if loss.targets == "real":
        return real_pairs(rng, n, dtype)
    if loss.targets == "labels":
        lowest = IGNORE if loss.kind == "labels" else 0
        labels = rng.integers(lowest, classes, n)
        return logits(rng, (n, classes), dtype), np.where(rng.random(n) < 0.01, NEGATIVE if loss.kind == "labels" else IGNORE, labels)
    return box_pairs(rng, n, dtype, parameters["box_format"])

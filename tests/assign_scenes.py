"""Random scenes for assigners: boxes of one image, small enough that a reference can go through all pairs."""

from collections.abc import Iterator
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
KINDS = ("anywhere", "grid", "near")


def boxes(rng: np.random.Generator, n: int, kind: str, dtype: Any = np.float64, extent: float = 32.0) -> Array:
    """(n, 4) xyxy. "anywhere": any corners. "grid": corners on a lattice of a few whole numbers, so that equal boxes, equal IoUs,
    IoUs of exactly 1/2 and boxes without area abound. "near": multiples of a third, equal in the reals, seldom in floats."""
    if kind == "anywhere":
        size = rng.uniform(0.05, 0.6, (n, 2)) * extent
        low = rng.uniform(-0.1, 0.9, (n, 2)) * extent
        return np.concatenate([low, low + size], axis=1).astype(dtype)
    low = rng.integers(0, 5, (n, 2)).astype(float)
    corners = np.concatenate([low, low + rng.choice([0, 1, 2, 3, 4], (n, 2), p=[0.04, 0.24, 0.24, 0.24, 0.24])], axis=1)
    return (corners * extent / (8 if kind == "grid" else 24)).astype(dtype)


def scenes(count: int, dtype: Any = np.float64, seed: int = 0, priors: int = 14, truths: int = 4) -> Iterator[tuple[Array, Array]]:
    """(priors, gt_boxes), up to 2 * priors - 1 and 2 * truths - 1 of them, sometimes none, sometimes fewer priors than truths."""
    rng = np.random.default_rng([seed, np.dtype(dtype).itemsize])
    for turn in range(count):
        kind = KINDS[turn % len(KINDS)]
        n, m = int(rng.integers(1, 2 * priors)), int(rng.integers(0, 2 * truths))
        if rng.random() < 0.1:
            n = int(rng.integers(0, 4))
        yield boxes(rng, n, kind, dtype), boxes(rng, m, kind, dtype)


def numbers(array: Array) -> list[Any]:
    """Rows of scalars that compute in the array's own dtype: Python's float is float64, and quicker."""
    return array.tolist() if array.dtype == np.float64 else list(array)  # type: ignore[no-any-return]

"""Random inputs for any loss of the registry, and nothing else."""

from typing import Any

import numpy as np

from refloss._engine.record import Loss


def random_inputs(loss: Loss[Any], n: int, dtype: Any = np.float64, seed: int = 0, classes: int = 5, **setting: Any) -> tuple[Any, Any]:
    """n elements, rows or pairs; half of the targets in [0, 1] are hard."""
    rng = np.random.default_rng(seed)
    if loss.kind == "pairs":
        centres, sizes = rng.uniform(0, 100, (2, n, 2)), rng.uniform(1, 60, (2, n, 2))
        if {**loss.defaults, **setting}["box_format"] == "cxcywh":
            return tuple(np.concatenate([centres, sizes], axis=2).astype(dtype))
        return tuple(np.concatenate([centres - sizes / 2, centres + sizes / 2], axis=2).astype(dtype))
    if loss.targets == "labels":
        return (rng.standard_normal((n, classes)) * 5).astype(dtype), rng.integers(0, classes, n)
    x = (rng.standard_normal(n) * 5).astype(dtype)
    if loss.targets == "unit":
        t = rng.random(n)
        return x, np.where(np.arange(n) % 2 == 0, np.round(t), t).astype(dtype)
    return x, (rng.standard_normal(n) * 5).astype(dtype)

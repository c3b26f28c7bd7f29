"""The primitives a formula is written in, for NumPy. Other tables (mpmath, keras.ops, torch) offer the same names."""

import math
from types import SimpleNamespace
from typing import Any

import numpy as np


def _softplus(z: Any) -> Any:
    return np.maximum(z, 0) + np.log1p(np.exp(-np.abs(z)))


def _sigmoid(z: Any) -> Any:
    e = np.exp(-np.abs(z))
    rare = e / (1 + e)
    return np.where(z >= 0, 1 - rare, rare)


def _one_hot(labels: Any, like: Any) -> Any:
    """1 where the last axis of `like` is the label, else 0; a negative label (a code) is nowhere."""
    return (labels[..., None] == np.arange(like.shape[-1])).astype(like.dtype)


numpy_xp = SimpleNamespace(
    pi=math.pi,
    exp=np.exp, log=np.log, log1p=np.log1p, softplus=_softplus, sigmoid=_sigmoid, power=np.power, maximum=np.maximum,
    minimum=np.minimum, abs=np.abs, sqrt=np.sqrt, arctan2=np.arctan2, where=np.where, stop_gradient=lambda x: x, one_hot=_one_hot,
    sum=lambda x: np.sum(x, axis=-1), max=lambda x: np.max(x, axis=-1), stack=lambda xs: np.stack(xs, axis=-1),
)  # fmt: skip

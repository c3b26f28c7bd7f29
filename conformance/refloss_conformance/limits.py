"""What errors are allowed, in eps of the dtype. One table, each row with its reason.

An error is strict (relative to the true result) or condition-aware (relative to how far the result moves when its inputs
move by one eps: the error that no implementation which rounds its inputs or its steps can avoid).
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from .cases import Batch
from .golden import Array, Golden
from .records import RECORDS


class Limit(NamedTuple):
    eps: float
    aware: bool
    reason: str


KERNEL = Limit(4.0, False, "the project's bar for its kernels on the classification and regression losses")
KERNEL_POWER = Limit(8.0, False, "a gamma that is no multiple of 1/2 needs the logarithm of the base in two words")
KERNEL_BOXES = Limit(8.0, True, "IoU and its kin, and codings, subtract coordinates, so the project's bar is condition-aware")
HALF = Limit(1.0, False, "computed in float32 and rounded once")
HALF_AWARE = Limit(1.0, True, "computed in float32 and rounded once; the result itself cancels")
FORMULA = Limit(4.0, True, "the formula in working precision, condition-aware throughout")
FORMULA_POWER = Limit(8.0, True, "the same, for a power through NumPy or boxes")
PORTABLE = Limit(64.0, True, "autodiff through a framework's own exp and log, which differ by some eps between builds")
THIRD_PARTY = Limit(64.0, True, "room for any stable order of operations; a different function is thousands of eps away")


def is_half(dtype: str) -> bool:
    return dtype in ("float16", "bfloat16")


def _power(parameters: Mapping[str, Any]) -> bool:
    gamma = parameters.get("gamma", 0)
    return isinstance(gamma, (int, float)) and (2 * gamma) % 1 != 0


def limit(path: str, loss: Any, parameters: Mapping[str, Any], dtype: str) -> Limit:
    """The limit of a path ("kernel", "formula", "portable", "third_party") for a loss, its parameters and a dtype."""
    boxes = loss.kind in ("pairs", "codes")
    if path == "third_party":
        return THIRD_PARTY
    if path == "portable":
        return PORTABLE
    if path == "formula":
        return FORMULA_POWER if boxes or _power(parameters) else FORMULA
    if is_half(dtype):
        return HALF_AWARE if boxes else HALF
    return KERNEL_BOXES if boxes else KERNEL_POWER if _power(parameters) else KERNEL


def autodiff_gradient(batch: Batch) -> Golden:
    """The golden gradient with the scale of what automatic differentiation of a sound formula can reach.

    Boxes: the components share their roundings, and terms of the order of 1 / extent cancel where boxes are far apart or one
    is tiny. Labels: p - y is formed with an exact y, so its absolute error is a few eps.
    """
    kind, wanted = RECORDS[batch.loss].kind, batch.gradient
    if kind in ("elementwise", "codes"):
        return wanted
    largest = np.abs(wanted.number).max(axis=-1, keepdims=True)
    if kind == "pairs":
        first, second = (corners(a.astype(np.float64), batch.parameters.get("box_format")) for a in (batch.first, batch.second))
        both = np.stack([first.reshape(-1, 2, 2), second.reshape(-1, 2, 2)], axis=1).reshape(-1, 4, 2)
        extent = (both.max(axis=1) - both.min(axis=1)).max(axis=-1, keepdims=True)
        floor = np.maximum(largest, np.where(extent > 0, 1 / np.where(extent > 0, extent, 1), 0))
    else:
        floor = np.maximum(largest, 1 / 16)  # with the limit of 64: 4 eps
    return replace(wanted, scale=np.maximum(wanted.scale, floor))


def corners(boxes: Array, box_format: Any) -> Array:
    """Boxes as (x1, y1, x2, y2)."""
    if box_format != "cxcywh":
        return boxes
    center, half = boxes[:, :2], boxes[:, 2:] / 2
    return np.concatenate([center - half, center + half], axis=1)


def cancels(batch: Batch) -> Array:
    """Cases whose true gradient is a difference (sigma - y with a soft or smoothed target): strictness asks the impossible there."""
    smoothed = batch.parameters.get("label_smoothing", 0) != 0
    return np.asarray(batch.with_kind("soft_target") | smoothed)

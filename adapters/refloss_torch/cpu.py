"""The operators on CPU tensors: the engine's kernels over NumPy views of them, without a copy."""

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor

from refloss._engine import call, check
from refloss._engine.record import REGISTRY, Array, Loss, Setting

from .common import counted, inputs, loss_shape, number, plain

NONE: dict[torch.dtype, Array] = {torch.float32: np.empty(0, np.float32), torch.float64: np.empty(0, np.float64)}
NO_ROWS: dict[torch.dtype, Array] = {dtype: none.reshape(0, 0) for dtype, none in NONE.items()}
LIMITS = {dtype: (float(np.finfo(none.dtype).tiny), float(np.finfo(none.dtype).max)) for dtype, none in NONE.items()}


def value(
    first: Tensor, second: Tensor, weights: Tensor | None, normalizer: Tensor | None,
    loss: str, mode: int, numbers: list[float], centred: bool, reduction: str, divisor: float,
) -> Tensor:  # fmt: skip
    record = REGISTRY[loss]
    if record.targets == "labels":
        check.label_range(loss, second.detach().numpy(), first.shape[-1], check.NEGATIVE if record.kind == "labels" else 0)
    divisor = _divisor(record, first, second, normalizer, reduction, divisor)
    x, t, w = inputs(record, first, second, weights)
    out = torch.empty(loss_shape(record, first), dtype=x.dtype) if reduction == "none" else None
    total = 0.0
    if x.numel():
        none, no_grad = NONE[x.dtype], (NONE if record.kind == "elementwise" else NO_ROWS)[x.dtype]
        total = call.run(
            record, Setting(mode, tuple(numbers), centred), _array(record, x), _array(record, t), weights=_flat(w, none), upstream=none,
            divisor=divisor, value=_flat(out, none), grad=no_grad, total=out is None,
        )  # fmt: skip
    if out is None:
        return torch.full((), total / divisor, dtype=first.dtype)
    return out if out.dtype == first.dtype else out.to(first.dtype)


def gradient(
    upstream: Tensor, first: Tensor, second: Tensor, weights: Tensor | None, normalizer: Tensor | None,
    loss: str, mode: int, numbers: list[float], centred: bool, reduction: str, divisor: float,
) -> Tensor:  # fmt: skip
    record = REGISTRY[loss]
    x, t, w = inputs(record, first, second, weights)
    out, none = torch.empty(x.shape, dtype=x.dtype), NONE[x.dtype]
    if x.numel():
        divisor = _divisor(record, first, second, normalizer, reduction, divisor)
        factor = number(upstream)
        divisor, after = (divisor, 1.0) if factor is None else fold(divisor, factor.item(), LIMITS[x.dtype])
        call.run(
            record, Setting(mode, tuple(numbers), centred), _array(record, x), _array(record, t), weights=_flat(w, none),
            upstream=none if factor is not None else _flat(plain(upstream, x.dtype), none), divisor=divisor, value=none,
            grad=_array(record, out), total=False,
        )  # fmt: skip
        if after != 1.0:
            out *= after
    return out if out.dtype == first.dtype else out.to(first.dtype)


def _array(loss: Loss[Any], tensor: Tensor) -> Array:
    """As the kernels take it: one axis for elementwise losses and labels, else rows."""
    array: Array = tensor.numpy()
    return array.reshape(-1) if loss.kind == "elementwise" or array.dtype.kind == "i" else array.reshape(-1, array.shape[-1])


def _flat(tensor: Tensor | None, none: Array) -> Array:
    return none if tensor is None else tensor.numpy().reshape(-1)


def _divisor(loss: Loss[Any], first: Tensor, second: Tensor, normalizer: Tensor | None, reduction: str, divisor: float) -> float:
    """On the CPU what the result is divided by is a number."""
    if normalizer is not None:
        divisor *= check.divisor(loss.name, reduction, normalizer.item(), 1)
    return divisor * float(counted(loss, first, second)) if reduction == "mean" else divisor


def fold(divisor: float, factor: float, limits: tuple[float, float]) -> tuple[float, float]:
    """(divisor / factor, 1) where dividing by that is as good as multiplying by the factor, else both as they are.

    It saves a pass over memory. A factor of 0 leaves an infinite divisor, an infinite one 0, NaN stays: as in a product.
    """
    if factor == 0.0:
        return math.copysign(math.inf, factor), 1.0
    quotient = divisor / factor
    if limits[0] <= abs(quotient) <= limits[1] or not math.isfinite(factor):
        return quotient, 1.0
    return divisor, factor

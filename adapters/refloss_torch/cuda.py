"""The operators on CUDA tensors: the engine's kernels on the caller's current stream. Nothing here waits for the device."""

from typing import Any

import torch
from torch import Tensor

from refloss._engine.cpu import blocks_of
from refloss._engine.record import REGISTRY, Setting

from .common import counted, inputs, loss_shape


def value(first: Tensor, second: Tensor, weights: Tensor | None, normalizer: Tensor | None, *call: Any) -> Tensor:
    return _run(False, first, second, weights, normalizer, *call)[0]


def both(first: Tensor, second: Tensor, weights: Tensor | None, normalizer: Tensor | None, *call: Any) -> tuple[Tensor, Tensor]:
    return _run(True, first, second, weights, normalizer, *call)


def _run(
    with_gradient: bool, first: Tensor, second: Tensor, weights: Tensor | None, normalizer: Tensor | None,
    loss: str, mode: int, numbers: list[float], centred: bool, reduction: str, divisor: float,
) -> tuple[Tensor, Tensor]:  # fmt: skip
    """What the result is divided by stays a tensor where it depends on the data (labels, normalizer)."""
    from refloss._engine import cuda

    record, reduced = REGISTRY[loss], reduction != "none"
    x, t, w = inputs(record, first, second, weights)
    x = x.view(-1) if record.kind == "elementwise" else x.view(-1, x.shape[-1])
    t = t.view(-1) if record.targets == "labels" else t.view(x.shape)
    none, no_grad = x.new_empty(0), x.new_empty((0,) * x.ndim)
    out = none if reduced else x.new_empty(loss_shape(record, first))
    grad = x.new_empty(first.shape) if with_gradient else none
    sums = x.new_zeros((blocks_of(record.kind, tuple(x.shape)) if reduced and x.numel() else 0, 2))
    if x.numel():
        with torch.cuda.device(first.device):
            cuda.run(
                record, Setting(mode, tuple(numbers), centred), x, t, weights=none if w is None else w.view(-1), upstream=none,
                divisor=divisor, value=out.view(-1), grad=grad.view(x.shape) if with_gradient else no_grad, sums=sums,
                stream=torch.cuda.current_stream().cuda_stream,
            )  # fmt: skip
    scale = None if normalizer is None else normalizer.detach().double()
    if reduction == "mean":
        scale = torch.as_tensor(counted(record, first, second), dtype=torch.float64, device=first.device)
    result = sums.double().sum() / divisor if reduced else out
    if scale is not None:
        result = result / scale
        grad = grad.div_(scale)
    return result.to(first.dtype), grad

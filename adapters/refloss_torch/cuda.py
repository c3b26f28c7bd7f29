"""The operators on CUDA tensors: the engine's kernels on the caller's current stream. Nothing here waits for the device."""

import numpy as np
import torch
from torch import Tensor

from refloss._engine.cpu import blocks_of
from refloss._engine.record import REGISTRY, Setting

from .common import counted, inputs, loss_shape, number, plain


def value(
    first: Tensor, second: Tensor, weights: Tensor | None, normalizer: Tensor | None,
    loss: str, mode: int, numbers: list[float], centred: bool, reduction: str, divisor: float,
) -> Tensor:  # fmt: skip
    return _run(None, first, second, weights, normalizer, loss, mode, numbers, centred, reduction, divisor)


def gradient(
    upstream: Tensor, first: Tensor, second: Tensor, weights: Tensor | None, normalizer: Tensor | None,
    loss: str, mode: int, numbers: list[float], centred: bool, reduction: str, divisor: float,
) -> Tensor:  # fmt: skip
    return _run(upstream, first, second, weights, normalizer, loss, mode, numbers, centred, reduction, divisor)


def _run(
    upstream: Tensor | None, first: Tensor, second: Tensor, weights: Tensor | None, normalizer: Tensor | None,
    loss: str, mode: int, numbers: list[float], centred: bool, reduction: str, divisor: float,
) -> Tensor:  # fmt: skip
    """The value where upstream is None, else the gradient. What depends on the data (labels, normalizer) stays a tensor."""
    from refloss._engine import cuda

    record = REGISTRY[loss]
    x, t, w = inputs(record, first, second, weights)
    x = x.view(-1) if record.kind == "elementwise" else x.view(-1, x.shape[-1])
    t = t.view(-1) if record.targets == "labels" else t.view(x.shape)
    none, no_grad = x.new_empty(0), x.new_empty((0,) * x.ndim)
    total = upstream is None and reduction != "none"
    factor = None if upstream is None else number(upstream)
    out = x.new_empty(0 if total else loss_shape(record, first) if upstream is None else first.shape)
    blocks = blocks_of(record.kind, np.broadcast_to(np.empty(()), x.shape)) if total and x.numel() else 0  # it wants .size as a number
    sums = x.new_zeros((blocks, 2))
    if x.numel():
        with torch.cuda.device(first.device):
            cuda.run(
                record, Setting(mode, tuple(numbers), centred), x, t, weights=none if w is None else w.view(-1),
                upstream=none if upstream is None or factor is not None else plain(upstream, x.dtype).view(-1),
                divisor=1.0 if total else divisor, value=out.view(-1) if upstream is None else none,
                grad=no_grad if upstream is None else out.view(x.shape), sums=sums, stream=torch.cuda.current_stream().cuda_stream,
            )  # fmt: skip
    scale = None if normalizer is None else normalizer.detach().double()
    if reduction == "mean":
        scale = torch.as_tensor(counted(record, first, second), dtype=torch.float64, device=first.device)
    if total:
        result = sums.double().sum() / divisor
        return (result if scale is None else result / scale).to(first.dtype)
    if factor is not None:
        out.mul_(factor.double() if scale is None else factor.double() / scale)
    elif scale is not None:
        out.div_(scale)
    return out.to(first.dtype)

"""What the operators of every device need to know of a call."""

import math
from typing import Any

import torch
from torch import Tensor

from refloss._engine.check import IGNORE
from refloss._engine.record import Loss

from . import check

HALF = (torch.float16, torch.bfloat16)
PRE_DISPATCH = torch._C.DispatchKey.PreDispatch  # on while make_fx(pre_dispatch=True) traces plain tensors
PLAIN = (Tensor, torch.nn.Parameter)


def loss_shape(loss: Loss[Any], first: Tensor) -> torch.Size:
    """The shape of the loss with reduction="none"."""
    return first.shape if loss.kind in ("elementwise", "labels") else first.shape[:-1]


def counted(loss: Loss[Any], first: Tensor, second: Tensor) -> Tensor | int:
    """What a mean divides by: the elements of the loss that are not ignored; a tensor where that depends on the labels."""
    if loss.targets != "labels":
        return max(1, math.prod(loss_shape(loss, first)))
    rows = (second != IGNORE).sum()
    return (rows * first.shape[-1] if loss.kind == "labels" else rows).clamp(min=1)


def plain(tensor: Tensor, dtype: torch.dtype) -> Tensor:
    """Contiguous, of this type, and without history; a copy only where it has to be one."""
    if tensor.requires_grad:
        tensor = tensor.detach()
    if tensor.is_neg():  # a view that is negated when it is read
        tensor = tensor.resolve_neg()
    return tensor if tensor.dtype == dtype and tensor.is_contiguous() else tensor.to(dtype).contiguous()


def inputs(loss: Loss[Any], first: Tensor, second: Tensor, weights: Tensor | None) -> tuple[Tensor, Tensor, Tensor | None]:
    """The tensors as the kernels read them: half precision as float32, labels as int64, weights of the shape of the loss."""
    check.forms(loss, first, second)  # once more: a graph that was traced comes here with whatever it is given
    dtype = torch.float32 if first.dtype in HALF else first.dtype
    if weights is not None:
        weights = plain(weights.expand(loss_shape(loss, first)), dtype)
    return plain(first, dtype), plain(second, torch.int64 if loss.targets == "labels" else dtype), weights


def nobody_looks(*tensors: Tensor) -> bool:
    """Plain CPU tensors, and nothing that traces or intercepts operators: then numbers can be read, and torch's dispatcher
    (10 us a call) need not be asked."""
    for tensor in tensors:  # a generator would take as long again
        if type(tensor) not in PLAIN or not tensor.is_cpu:
            return False
    return not (
        torch.compiler.is_compiling() or torch._C._len_torch_dispatch_stack() or torch._C._get_tracing_state() is not None
        or torch._C._dispatch_tls_is_dispatch_key_included(PRE_DISPATCH)
    )  # fmt: skip


def times(upstream: Tensor, gradient: Tensor, loss: Loss[Any], dtype: torch.dtype) -> Tensor:
    """upstream, of the shape of the loss, times the gradient; nothing is done where it is the 1 that .backward() starts with."""
    if nobody_looks(upstream):
        if upstream.ndim and not any(upstream.stride()):
            upstream = upstream.as_strided((), ())  # one number, expanded, as .sum().backward() leaves it
        if upstream.ndim == 0 and upstream.item() == 1.0:
            return gradient if gradient.dtype == dtype else gradient.to(dtype)
    if upstream.ndim and loss.kind in ("rows", "pairs"):
        upstream = upstream[..., None]
    return (gradient * upstream.to(gradient.dtype)).to(dtype)

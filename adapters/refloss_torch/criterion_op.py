"""`refloss::criterion`: a whole detector's loss as one registered operator, so that torch.compile and FakeTensor see no NumPy.

A criterion is named by a number, since an operator's arguments are tensors and plain values. Its core runs on the host: outputs on
another device are copied there, and the gradient back.
"""

import copy
import functools
import itertools
import weakref
from collections.abc import Callable
from typing import Any, NoReturn

import numpy as np
import torch
from torch import Tensor

from refloss._engine import memory
from refloss.criteria import Criterion
from refloss.errors import ReflossError

_numbers = itertools.count()
_alive: weakref.WeakValueDictionary[int, Any] = weakref.WeakValueDictionary()

# wanted: the gradient too, else an empty list. together: normalizer="batch" counts over all processes
torch.library.define(
    "refloss::criterion",
    "(int criterion, bool wanted, bool together, Tensor[] outputs, Tensor boxes, Tensor labels, Tensor counts) -> (Tensor, Tensor[])",
    tags=(torch.Tag.pt2_compliant_tag,),
)


def register(module: Any) -> int:
    """A number for a module with a `core`; it is forgotten with the module."""
    number = next(_numbers)
    _alive[number] = module
    return number


@torch.library.impl("refloss::criterion", "CompositeExplicitAutograd")
def _criterion(
    criterion: int, wanted: bool, together: bool, outputs: list[Tensor], boxes: Tensor, labels: Tensor, counts: Tensor
) -> tuple[Tensor, list[Tensor]]:
    module, where = _alive[criterion], outputs[0].device
    core: Criterion = module.core
    if together and torch.distributed.is_available() and torch.distributed.is_initialized():
        core = copy.copy(core)  # the module's own stays one process's
        core.of_batch = functools.partial(over_processes, where=where)  # type: ignore[method-assign]
    arrays = module.pack([host(tensor) for tensor in outputs])
    targets = {"gt_boxes": host(boxes), "gt_labels": host(labels), "counts": host(counts)}
    terms, gradient = core.value_and_grad(arrays, targets) if wanted else (core(arrays, targets), None)
    values = torch.tensor([float(terms[name]) for name in core.terms], dtype=wide(outputs[0].dtype), device=where)
    slopes = module.unpack(gradient) if wanted else []
    return values, [device(slope, tensor.device) for slope, tensor in zip(slopes, outputs, strict=False)]


def _fake(
    criterion: int, wanted: bool, together: bool, outputs: list[Tensor], boxes: Tensor, labels: Tensor, counts: Tensor
) -> tuple[Tensor, list[Tensor]]:
    first = outputs[0]
    terms = first.new_empty((len(_alive[criterion].core.terms),), dtype=wide(first.dtype))
    return terms, [torch.empty(t.shape, dtype=wide(t.dtype), device=t.device) for t in outputs] if wanted else []


torch.library.register_fake("refloss::criterion", _fake)


def wide(dtype: torch.dtype) -> torch.dtype:
    """What a dtype is computed in: half precision in float32, so that the loss and its gradient round and overflow as float32 does."""
    return torch.float64 if dtype == torch.float64 else torch.float32


def host(tensor: Tensor) -> Any:
    """A NumPy view, or a copy: from another device, and of half precision in float32."""
    tensor = tensor.detach().cpu()
    return (tensor.float() if tensor.dtype in (torch.bfloat16, torch.float16) else tensor).numpy()


def device(array: Any, where: torch.device) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(array)).to(where)


def over_processes(count: Any, least: float, *, where: torch.device) -> Any:
    """The count of all processes, at least `least`, by process: the mean of gradients over processes, which is what
    DistributedDataParallel makes, is then the gradient of the whole batch. where: the outputs' device."""
    total = torch.as_tensor(np.asarray(count, np.float64), device=where_added(torch.distributed.get_backend(), where))
    torch.distributed.all_reduce(total)
    share: Any = np.maximum(total.cpu().numpy(), least) / torch.distributed.get_world_size()
    return share


def where_added(backend: str, where: torch.device) -> torch.device:
    """The device of a sum over processes: gloo adds on the host, the others where the outputs are; NCCL on no host."""
    if backend == "gloo":
        return torch.device("cpu")
    return torch.device("cuda", torch.cuda.current_device()) if backend == "nccl" and where.type == "cpu" else where


def evaluate(criterion: int, channels: Any, boxes: Tensor, labels: Tensor, counts: Tensor, outputs: list[Tensor]) -> Tensor:
    """The terms as one tensor."""
    together = torch.is_grad_enabled()
    if not together or not any(tensor.requires_grad for tensor in outputs):
        terms: Tensor = torch.ops.refloss.criterion(criterion, False, together, outputs, boxes, labels, counts)[0]
        return terms
    # One element of each output stands for it where a second derivative is refused, so that no outputs are kept.
    ties = [] if torch.compiler.is_compiling() else [tensor[(slice(0, 1),) * tensor.ndim].clone() for tensor in outputs]
    return terms_of(criterion, channels, boxes, labels, counts, *outputs, *ties)


def numbers(upstream: Tensor) -> list[float]:
    """None of an upstream that cannot be looked at: while torch.compile traces, on a device (that would wait for it), or under vmap."""
    if torch.compiler.is_compiling() or upstream.device.type != "cpu":
        return []
    try:
        found: list[float] = upstream.tolist()
        return found
    except RuntimeError:
        return []


# Whether the backward that runs keeps its graph for another; torch's own compiled graphs ask this before they reuse what was saved.
keeps: Callable[[], bool] = getattr(torch._C._autograd, "_get_current_graph_task_keep_graph", lambda: True)


def product(gradient: Tensor, factor: Tensor) -> Tensor:
    """NumPy asks for huge pages above 4 MB, torch does not: of 51 MB that saves 15 ms of 24 ms."""
    if gradient.device.type != "cpu":
        return gradient * factor
    return torch.mul(gradient, factor, out=torch.from_numpy(memory.empty(tuple(gradient.shape), gradient.numpy().dtype)))


class Terms(torch.autograd.Function):
    """The terms as one tensor; backward gives each output array the upstream of the term that its channels belong to."""

    @staticmethod
    def forward(ctx: Any, criterion: int, channels: Any, boxes: Tensor, labels: Tensor, counts: Tensor, *both: Tensor) -> Tensor:
        outputs, ties = both[: len(channels)], both[len(channels) :]
        terms: Tensor
        terms, gradient = torch.ops.refloss.criterion(criterion, True, True, list(outputs), boxes, labels, counts)
        ctx.save_for_backward(*gradient, *ties)
        ctx.channels, ctx.dtypes = channels, [tensor.dtype for tensor in outputs]
        return terms

    @staticmethod
    def backward(ctx: Any, upstream: Tensor) -> tuple[Any, ...]:
        count, scaled, seen = len(ctx.channels), [], numbers(upstream)
        once_only = bool(seen) and not torch.is_grad_enabled()  # and not create_graph=True
        times = product if once_only else torch.mul
        # Of the plain sum of the terms the gradient is the answer as it stands, where nobody asks for it again.
        plain = once_only and all(value == 1 for value in seen) and not keeps()
        gradients, ties = ctx.saved_tensors[:count], ctx.saved_tensors[count:]
        for k, (gradient, (axis, terms)) in enumerate(zip(gradients, ctx.channels, strict=True)):
            factor = upstream[terms] if axis is None else upstream[terms].reshape(-1, *(1,) * (gradient.ndim - 1 - axis))
            result = (gradient if plain else times(gradient, factor)).to(ctx.dtypes[k])  # rounded once
            if ties and torch.is_grad_enabled():  # create_graph=True
                result = once(result, ties[k])
            scaled.append(result)
        return (None, None, None, None, None, *scaled, *(None,) * len(ties))


class _Once(torch.autograd.Function):
    """A gradient, tied to what it depends on, so that differentiating it is an error and never a silent zero."""

    @staticmethod
    def forward(ctx: Any, gradient: Tensor, output: Tensor) -> Tensor:
        return gradient.view_as(gradient)

    @staticmethod
    def backward(ctx: Any, *_: Tensor) -> NoReturn:
        raise ReflossError("refloss_torch: a criterion has no second derivatives; use the losses by themselves, which have them")


once: Callable[[Tensor, Tensor], Tensor] = _Once.apply
terms_of: Callable[..., Tensor] = Terms.apply

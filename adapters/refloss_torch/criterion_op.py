"""`refloss::criterion`: a whole detector's loss as one registered operator, so that torch.compile and FakeTensor see no NumPy.

A criterion is named by a number, since an operator's arguments are tensors and plain values. Its core runs on the host: outputs on
another device are copied there, and the gradient back.
"""

import itertools
import weakref
from collections.abc import Callable
from typing import Any, NoReturn

import numpy as np
import torch
from torch import Tensor

from refloss.criteria import Criterion
from refloss.errors import ReflossError

_numbers = itertools.count()
_alive: weakref.WeakValueDictionary[int, Any] = weakref.WeakValueDictionary()

torch.library.define(
    "refloss::criterion",
    "(int criterion, Tensor[] outputs, Tensor boxes, Tensor labels, Tensor counts) -> (Tensor, Tensor[])",
    tags=(torch.Tag.pt2_compliant_tag,),
)


def register(module: Any) -> int:
    """A number for a module with a `core`; it is forgotten with the module."""
    number = next(_numbers)
    _alive[number] = module
    return number


@torch.library.impl("refloss::criterion", "CompositeExplicitAutograd")
def _criterion(criterion: int, outputs: list[Tensor], boxes: Tensor, labels: Tensor, counts: Tensor) -> tuple[Tensor, list[Tensor]]:
    module = _alive[criterion]
    core: Criterion = module.core
    core.of_batch = over_processes if torch.distributed.is_available() and torch.distributed.is_initialized() else Criterion.of_batch  # type: ignore[method-assign]
    arrays = [host(tensor) for tensor in outputs]
    targets = {"gt_boxes": host(boxes), "gt_labels": host(labels), "counts": host(counts)}
    terms, gradient = core.value_and_grad(module.pack(arrays), targets)
    first = outputs[0]
    values = torch.tensor([float(terms[name]) for name in core.terms], dtype=wide(first.dtype), device=first.device)
    return values, [device(array, tensor) for array, tensor in zip(module.unpack(gradient), outputs, strict=True)]


def _fake(criterion: int, outputs: list[Tensor], boxes: Tensor, labels: Tensor, counts: Tensor) -> tuple[Tensor, list[Tensor]]:
    first = outputs[0]
    terms = first.new_empty((len(_alive[criterion].core.terms),), dtype=wide(first.dtype))
    return terms, [torch.empty(t.shape, dtype=t.dtype, device=t.device) for t in outputs]


torch.library.register_fake("refloss::criterion", _fake)


def wide(dtype: torch.dtype) -> torch.dtype:
    return torch.float64 if dtype == torch.float64 else torch.float32


def host(tensor: Tensor) -> Any:
    """A NumPy view, or a copy from another device; bfloat16, which NumPy lacks, as float32."""
    tensor = tensor.detach().cpu()
    return (tensor.float() if tensor.dtype == torch.bfloat16 else tensor).numpy()


def device(array: Any, like: Tensor) -> Tensor:
    tensor: Tensor = torch.from_numpy(np.ascontiguousarray(array))
    return tensor.to(device=like.device, dtype=like.dtype)


def over_processes(count: Any, least: float) -> Any:
    """The count of all processes, at least `least`, by process: the mean of gradients over processes, which is what
    DistributedDataParallel makes, is then the gradient of the whole batch."""
    where = torch.device("cuda", torch.cuda.current_device()) if torch.distributed.get_backend() == "nccl" else torch.device("cpu")
    total = torch.as_tensor(np.asarray(count, np.float64), device=where)
    torch.distributed.all_reduce(total)
    share: Any = np.maximum(total.cpu().numpy(), least) / torch.distributed.get_world_size()
    return share


class Terms(torch.autograd.Function):
    """The terms as one tensor; backward gives each output array the upstream of the term that its channels belong to."""

    @staticmethod
    def forward(ctx: Any, criterion: int, channels: Any, boxes: Tensor, labels: Tensor, counts: Tensor, *outputs: Tensor) -> Tensor:
        terms: Tensor
        terms, gradient = torch.ops.refloss.criterion(criterion, list(outputs), boxes, labels, counts)
        ctx.save_for_backward(*gradient, *outputs)
        ctx.channels = channels
        return terms

    @staticmethod
    def backward(ctx: Any, upstream: Tensor) -> tuple[Any, ...]:
        count, scaled = len(ctx.channels), []
        gradients, outputs = ctx.saved_tensors[:count], ctx.saved_tensors[count:]
        for gradient, output, (axis, terms) in zip(gradients, outputs, ctx.channels, strict=True):
            factor = upstream.to(gradient.dtype)[terms]
            result = gradient * (factor if axis is None else factor.reshape(-1, *(1,) * (gradient.ndim - 1 - axis)))
            if torch.is_grad_enabled() and not torch.compiler.is_compiling():  # create_graph=True
                result = once(result, output)
            scaled.append(result)
        return (None, None, None, None, None, *scaled)


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

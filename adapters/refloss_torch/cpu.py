"""The operators on CPU tensors: the engine's kernels over NumPy views of them, without a copy."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from refloss._engine import call, check, memory, threads
from refloss._engine.record import REGISTRY, Array, Loss, Setting
from refloss.errors import bad_value

from .common import counted, inputs, loss_shape

SMALL = 40_000  # numbers: too few for two threads
NONE: dict[torch.dtype, Array] = {torch.float32: np.empty(0, np.float32), torch.float64: np.empty(0, np.float64)}
NOTHING = {dtype: torch.empty(0, dtype=dtype, device="cpu") for dtype in NONE}
NUMBER = {dtype: torch.empty((), dtype=dtype, device="cpu") for dtype in NONE}
NO_ROWS: dict[torch.dtype, Array] = {dtype: none.reshape(0, 0) for dtype, none in NONE.items()}


def value(*given: Any) -> Tensor:
    return _run(False, *given)[0]


def both(*given: Any) -> tuple[Tensor, Tensor]:
    return _run(True, *given)


def at_hand(record: Loss[Any], first: Tensor, second: Tensor) -> bool:
    """Whether the kernels can read both where they lie: of one type of theirs, of one shape, gap-free, not to be negated on reading."""
    shape, dtype, size = first.shape, first.dtype, first.numel()
    if not (
        dtype in NONE and dtype == second.dtype and shape == second.shape and record.targets != "labels"
        and size > 0 and (size <= SMALL or threads.parallel()) and (record.kind != "pairs" or shape[-1:] == (4,))
        and first.is_contiguous() and second.is_contiguous() and not first.is_neg() and not second.is_neg()
    ):  # fmt: skip
        return False
    try:
        return first.data_ptr() != 0 and second.data_ptr() != 0
    except RuntimeError:  # they do not say: what a transform of torch.func has left behind
        return False


def _scalar(number: float, like: Tensor) -> Tensor:
    """On the device of the tensors, whatever torch's default is; and infinite where it is too large, which a plain fill refuses."""
    if like.dtype in NONE and abs(number) < 3e38:
        return like.new_full((), number)
    return like.new_full((), number, dtype=torch.float64).to(like.dtype)


def at(
    with_gradient: bool, first: Tensor, second: Tensor, record: Loss[Any], setting: Setting, reduction: str, divisor: float
) -> tuple[Tensor, Tensor] | None:
    """A call on the memory of tensors that are `at_hand`; None if something is outside its domain, which `call.run` will name."""
    each, dtype = reduction == "none", first.dtype
    if reduction == "mean":
        divisor *= float(counted(record, first, second))
    grad = _made(first, first.shape) if with_gradient else NOTHING[dtype]
    value = _made(first, loss_shape(record, first)) if each else torch.empty_like(NUMBER[dtype])
    here = value.data_ptr()
    inside = call.run_at(
        record, setting, NONE[dtype].dtype.type, first.numel(), first.data_ptr(), second.data_ptr(), divisor=divisor,
        value=here if each else 0, grad=grad.data_ptr(), total=0 if each else here,
    )  # fmt: skip
    return (value, grad) if inside else None


def _run(
    with_gradient: bool, first: Tensor, second: Tensor, weights: Tensor | None, normalizer: Tensor | None,
    loss: str, mode: int, numbers: list[float], centred: bool, reduction: str, divisor: float,
) -> tuple[Tensor, Tensor]:  # fmt: skip
    record, setting = REGISTRY[loss], Setting(mode, tuple(numbers), centred)
    labels = record.targets == "labels"
    if normalizer is not None:  # on the CPU what the result is divided by is a number
        divisor *= check.divisor(loss, reduction, normalizer.item(), 1)
    if weights is None and at_hand(record, first, second):
        found = at(with_gradient, first, second, record, setting, reduction, divisor)
        if found is not None:
            return found
    if reduction == "mean" and not labels:
        divisor *= float(counted(record, first, second))
    x, t, w = inputs(record, first, second, weights)
    if labels:
        check.label_range(loss, _numpy(record, t), x.shape[-1], check.NEGATIVE if record.kind == "labels" else 0)
        if reduction == "mean":
            divisor *= float(counted(record, first, t))
    none = NONE[x.dtype]
    out = _empty(loss_shape(record, first), none) if reduction == "none" else None
    grad = _empty(x.shape if with_gradient else torch.Size((0,)), none)
    total = 0.0
    if x.numel():
        total = call.run(
            record, setting, _array(record, x), _array(record, t), weights=_flat(record, w, none), upstream=none,
            divisor=divisor, value=_flat(record, out, none), total=out is None,
            grad=_array(record, grad) if with_gradient else (NONE if record.kind == "elementwise" else NO_ROWS)[x.dtype],
        )  # fmt: skip
    if out is None:
        return _scalar(total / divisor, first), grad
    return out if out.dtype == first.dtype else out.to(first.dtype), grad


def _made(like: Tensor, shape: torch.Size) -> Tensor:
    if like.numel() > SMALL:
        return _empty(shape, NONE[like.dtype])
    if shape != like.shape:
        return like.new_empty(shape)  # takes twice as long: it takes a shape apart
    return torch.empty_like(like, memory_format=torch.contiguous_format)


def _empty(shape: torch.Size, like: Array) -> Tensor:
    """NumPy asks for huge pages above 4 MB, torch does not: for 32 MB that saves 11 ms of 12 ms in page faults."""
    return torch.from_numpy(memory.empty(tuple(shape), like.dtype))


def _array(loss: Loss[Any], tensor: Tensor) -> Array:
    """As the kernels take it: one axis for elementwise losses and labels, else rows."""
    array = _numpy(loss, tensor)
    return array.reshape(-1) if loss.kind == "elementwise" or array.dtype.kind == "i" else array.reshape(-1, array.shape[-1])


def _flat(loss: Loss[Any], tensor: Tensor | None, none: Array) -> Array:
    return none if tensor is None else _numpy(loss, tensor).reshape(-1)


def _nowhere(tensor: Tensor) -> bool:
    try:
        return tensor.data_ptr() == 0
    except RuntimeError:  # it does not say, and reading it will
        return False


def _numpy(loss: Loss[Any], tensor: Tensor) -> Array:
    if tensor.numel() and _nowhere(tensor):
        way_out = "its storage was freed, or it belongs to a torch.func transform that is over; pass a copy made before"
        bad_value(loss.name, "a tensor", "with memory", "one without", way_out)
    array: Array = tensor.numpy()
    return array

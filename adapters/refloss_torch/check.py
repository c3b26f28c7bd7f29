"""Checks of tensors that never look at a value, so that none of them waits for a device; values are checked by the CPU operators."""

import math
from typing import Any

import torch
from torch import Tensor

from refloss._engine import check
from refloss._engine.record import Loss, Setting
from refloss.errors import bad_type, bad_value

REAL = (torch.float32, torch.float64, torch.float16, torch.bfloat16)
INTEGERS = (torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8)
_settings: dict[Any, Setting] = {}


def setting(loss: Loss[Any], parameters: dict[str, Any]) -> Setting:
    """The checked parameters as a kernel takes them, remembered (a traced call cannot remember: it checks each time)."""
    if torch.compiler.is_compiling():
        return loss.setting(**parameters)
    key = (loss.name, *parameters.values(), *map(type, parameters.values()))
    try:
        return _settings[key]
    except (KeyError, TypeError):  # TypeError: cannot be hashed, so not a number or a name; checking tells
        made = loss.setting(**parameters)
        if len(_settings) < 1000 and not any(isinstance(value, Tensor) for value in parameters.values()):
            _settings[key] = made
        return made


def tensors(loss: Loss[Any], first: Any, second: Any, weights: Any) -> None:
    """Both tensors and the weights have types, shapes, devices that belong together, and only the first asks for a gradient."""
    name, (one, two), labels = loss.name, loss.arrays, loss.targets == "labels"
    if not isinstance(first, Tensor):
        _no_tensor(name, one, first)
    if not isinstance(second, Tensor):
        _no_tensor(name, two, second)
    if weights is not None and not isinstance(weights, Tensor):
        _no_tensor(name, "weights", weights)
    forms(loss, first, second)
    if not labels and second.dtype != first.dtype:
        bad_type(name, two, f"of the dtype of {one} ({first.dtype})", str(second.dtype), f"convert with {two}.to({one}.dtype)")
    if second.device != first.device:
        bad_value(name, two, f"on the device of {one} ({first.device})", second.device, f"move it with {two}.to({one}.device)")
    if second.requires_grad:
        _no_gradient(name, two, one)
    if weights is not None:
        _weights(loss, first, weights)


def forms(loss: Loss[Any], first: Tensor, second: Tensor) -> None:
    """Numbers of the right kind; the second argument has the shape of the first, or of its rows; boxes are rows of four."""
    name, (one, two), labels = loss.name, loss.arrays, loss.targets == "labels"
    if first.dtype not in REAL:
        bad_type(name, one, "a tensor of float64, float32, float16 or bfloat16", str(first.dtype), f"convert with {one}.to(torch.float32)")
    if labels and second.dtype not in INTEGERS:
        bad_type(name, two, "a tensor of integers", str(second.dtype), f"convert with {two}.to(torch.int64)")
    if second.is_complex():
        bad_type(name, two, "a tensor of real numbers", str(second.dtype), f"convert with {two}.to({one}.dtype)")
    if labels and (first.ndim == 0 or first.shape[-1] == 0 or second.shape != first.shape[:-1]):
        bad_value(
            name, two, f"of the shape of {one} without its last axis ({one}: {tuple(first.shape)})", tuple(second.shape),
            f"give {one} (..., classes), with at least one class, and labels (...)",
        )  # fmt: skip
    if not labels and second.shape != first.shape:
        bad_value(
            name,
            two,
            f"of the shape of {one} {tuple(first.shape)}",
            tuple(second.shape),
            f"broadcast it first, with {two}.expand_as({one})",
        )
    if loss.kind == "pairs" and (first.ndim == 0 or first.shape[-1] != 4):
        bad_value(name, one, "of shape (..., 4)", tuple(first.shape), "give one box of four numbers in each row")


def _no_tensor(name: str, argument: str, given: Any) -> None:
    bad_type(name, argument, "a torch.Tensor", type(given).__name__, f"convert with torch.as_tensor({argument})")


def _weights(loss: Loss[Any], first: Tensor, weights: Tensor) -> None:
    name, shape = loss.name, first.shape if loss.kind in ("elementwise", "labels") else first.shape[:-1]
    if weights.is_complex():
        bad_type(name, "weights", "a tensor of real numbers", str(weights.dtype), f"convert with weights.to({loss.arrays[0]}.dtype)")
    if weights.device != first.device:
        way_out = f"move it with weights.to({loss.arrays[0]}.device)"
        bad_value(name, "weights", f"on the device of {loss.arrays[0]} ({first.device})", weights.device, way_out)
    if weights.ndim > len(shape) or any(w not in (1, n) for w, n in zip(reversed(weights.shape), reversed(shape), strict=False)):
        bad_value(name, "weights", f"of a shape that broadcasts to {tuple(shape)}", tuple(weights.shape), "give one weight for each loss")
    if weights.requires_grad:
        _no_gradient(name, "weights", loss.arrays[0])


def _no_gradient(name: str, argument: str, one: str) -> None:
    bad_value(
        name, argument, "a tensor that asks for no gradient", "requires_grad=True",
        f"only {one} is differentiated; pass {argument}.detach()",
    )  # fmt: skip


def divisor(loss: Loss[Any], first: Tensor, reduction: Any, normalizer: Any) -> tuple[float, Tensor | None]:
    """The normalizer, as a number or as a tensor that stays where it is; it must go with the reduction."""
    if not isinstance(normalizer, Tensor):
        if normalizer is None and reduction in check.REDUCTIONS:
            return 1.0, None
        if isinstance(normalizer, float) and 0.0 < normalizer < math.inf and reduction in ("none", "sum"):
            return normalizer, None  # also what torch.compile follows when the number changes from call to call
        return check.divisor(loss.name, reduction, normalizer, 1), None
    check.divisor(loss.name, reduction, None, 1)
    way_out = "give a number or a tensor such as num_positives.clamp(min=1)"
    if normalizer.ndim != 0 or normalizer.is_complex() or normalizer.dtype == torch.bool:
        bad_type(loss.name, "normalizer", "one real number", f"a tensor of shape {tuple(normalizer.shape)} and {normalizer.dtype}", way_out)
    if reduction == "mean":
        bad_value(loss.name, "normalizer", 'None with reduction="mean"', "a tensor", 'use reduction="sum", which it divides')
    if normalizer.device not in (first.device, torch.device("cpu")):
        way_out = f"move it with normalizer.to({loss.arrays[0]}.device)"
        bad_value(loss.name, "normalizer", f"on the device of {loss.arrays[0]} ({first.device})", normalizer.device, way_out)
    if normalizer.requires_grad:
        _no_gradient(loss.name, "normalizer", loss.arrays[0])
    return 1.0, normalizer

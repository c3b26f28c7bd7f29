"""From a call to its result: check, choose between kernel and formula, and tell autograd where the gradient comes from."""

from collections.abc import Callable
from typing import Any, NoReturn

import torch
from torch import Tensor
from torch.autograd import forward_ad

from refloss._engine.check import REDUCTIONS
from refloss._engine.record import REGISTRY, Loss, Setting
from refloss.errors import ReflossError

from . import check, cpu, formula
from .common import HALF, nobody_looks, times
from .ops import both as both_op
from .ops import registered_times as times_op
from .ops import value as value_op

KERNELS = ("cuda", "meta")  # besides "cpu"
Call = tuple[str, int, tuple[float, ...], bool, str, float]  # loss, its Setting, reduction, divisor: as the operators take them


class _Loss(torch.autograd.Function):
    """One pass gives the value and its gradient; the backward pass multiplies by what comes from upstream, whatever that is.

    The gradient that waits is as large as the one that backward has to give anyway, and a second pass would take as long as
    the first (CONTRIBUTING has the measurement).
    """

    @staticmethod
    def forward(
        ctx: Any, first: Tensor, second: Tensor, weights: Tensor | None, normalizer: Tensor | None, call: Call, parameters: dict[str, Any],
        setting: Setting | None = None,
    ) -> Tensor:  # fmt: skip
        """setting: of a call that is known to be plain."""
        found = None if setting is None else cpu.at(True, first, second, REGISTRY[call[0]], setting, call[4], call[5])
        value, gradient = both_op(first, second, weights, normalizer, *call) if found is None else found
        ctx.save_for_backward(gradient, first, second, *(() if weights is None and normalizer is None else (weights, normalizer)))
        ctx.call, ctx.parameters = call, parameters
        return value

    @staticmethod
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor | None, ...]:
        saved = ctx.saved_tensors
        gradient, first = saved[0], saved[1]
        if torch.compiler.is_compiling():
            result = times_op(upstream, gradient, first, ctx.call[0])
        elif torch.is_grad_enabled():  # create_graph=True
            result = differentiable_gradient(upstream, *(*saved, None, None)[:5], ctx.call, ctx.parameters)
        else:
            result = times(upstream, gradient, REGISTRY[ctx.call[0]], first.dtype)
            if result is gradient and torch._C._autograd._get_current_graph_task_keep_graph():  # retain_graph=True: keep ours
                result = gradient.clone()
        return result, None, None, None, None, None, None


class _Gradient(torch.autograd.Function):
    """The gradient as a function that can be differentiated once more."""

    @staticmethod
    def forward(
        ctx: Any, upstream: Tensor, gradient: Tensor, first: Tensor, second: Tensor, weights: Tensor | None, normalizer: Tensor | None,
        call: Call, parameters: dict[str, Any],
    ) -> Tensor:  # fmt: skip
        ctx.save_for_backward(upstream, first, second, weights, normalizer)
        ctx.call, ctx.parameters = call, parameters
        result = times(upstream, gradient, REGISTRY[call[0]], first.dtype)
        return result.clone() if result is gradient else result

    @staticmethod
    def backward(ctx: Any, outer: Tensor) -> tuple[Tensor | None, ...]:
        name, *_, reduction, divisor = ctx.call
        upstream, first, *others = ctx.saved_tensors
        by_upstream, by_first = formula.second_derivative(outer, upstream, first, others, name, reduction, divisor, ctx.parameters)
        if torch.is_grad_enabled():
            by_upstream, by_first = last(by_upstream, by_first, outer, upstream, first)
        return by_upstream, None, by_first, None, None, None, None, None


class _Last(torch.autograd.Function):
    """Second derivatives, tied to what they depend on, so that differentiating them is an error and never a zero."""

    @staticmethod
    def forward(ctx: Any, by_upstream: Tensor, by_first: Tensor, *sources: Tensor) -> tuple[Tensor, Tensor]:
        return by_upstream.view_as(by_upstream), by_first.view_as(by_first)

    @staticmethod
    def backward(ctx: Any, *_: Tensor) -> NoReturn:
        raise ReflossError("refloss_torch: third derivatives are not there; torch.func.grad differentiates the formula to any order")


differentiable: Callable[..., Tensor] = _Loss.apply
# What apply() calls when no torch.func transform is active, which evaluate() has seen to: a fifth of the time of a small loss.
differentiable_now: Callable[..., Tensor] = super(torch.autograd.Function, _Loss).apply
differentiable_gradient: Callable[..., Tensor] = _Gradient.apply
last: Callable[..., tuple[Tensor, Tensor]] = _Last.apply


def evaluate(
    name: str, first: Tensor, second: Tensor, parameters: dict[str, Any], weights: Tensor | None, reduction: str,
    normalizer: float | Tensor | None,
) -> Tensor:  # fmt: skip
    """What every function and module of this package does."""
    loss = REGISTRY[name]
    setting = check.setting(loss, parameters)
    call = (name, *setting, reduction, 1.0)
    if weights is None and normalizer is None and reduction in REDUCTIONS and _plain(loss, first, second):
        if first.requires_grad and torch.is_grad_enabled():
            return differentiable_now(first, second, None, None, call, parameters, setting)
        found = cpu.at(False, first, second, loss, setting, reduction, 1.0)
        return value_op(first, second, None, None, *call) if found is None else found[0]
    if torch._C._is_any_autocast_enabled() and isinstance(first, Tensor) and _under_autocast(first.device.type):
        first, second = _widened(first), _widened(second)
    check.tensors(loss, first, second, weights)
    divisor, scale = check.divisor(loss, first, reduction, normalizer)
    if not (first.is_cpu or first.device.type in KERNELS) or torch._C._are_functorch_transforms_active() or forward_ad._current_level >= 0:
        return formula.value(first, second, weights, scale, name, reduction, divisor, parameters)
    call = (name, *setting, reduction, divisor)
    if first.requires_grad and torch.is_grad_enabled():
        plain = not torch.compiler.is_compiling() and not torch._C._functorch.is_functorch_wrapped_tensor(first)
        apply = differentiable_now if plain else differentiable
        return apply(first, second, weights, scale, call, parameters)
    return value_op(first, second, weights, scale, *call)


def _plain(loss: Loss[Any], first: Any, second: Any) -> bool:
    """Whether nothing is wrong with the tensors, nobody looks, and the kernels read them where they lie: most calls, a fifth sooner."""
    return (
        nobody_looks(first, second) and not second.requires_grad and not torch._C._is_any_autocast_enabled()
        and not torch._C._are_functorch_transforms_active() and forward_ad._current_level < 0 and cpu.at_hand(loss, first, second)
    )  # fmt: skip


def _under_autocast(device: str) -> bool:
    return (device in ("cpu", "cuda") or torch.amp.is_autocast_available(device)) and torch.is_autocast_enabled(device)


def _widened(tensor: Tensor) -> Tensor:
    """As torch's own losses under autocast: float32 in, float32 out; float64 and integers are left alone."""
    return tensor.float() if isinstance(tensor, Tensor) and tensor.dtype in HALF else tensor

"""A loss's formula in torch operations: what other devices, torch.func and second derivatives run."""

import functools
import math
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor

from refloss._engine.record import REGISTRY

from .common import HALF, counted


def _softplus(z: Tensor) -> Tensor:
    return torch.nn.functional.softplus(z, threshold=40.0)  # torch's own 20 costs 2e-9: too much in float64


def _power(q: Tensor, gamma: float) -> Tensor:
    """0**0 is 1 with gradient 0; where q has underflowed the gradient is 0 and not infinite."""
    if gamma == 0:
        return torch.ones_like(q)
    real = q > torch.finfo(q.dtype).tiny
    return torch.where(real, torch.where(real, q, 1.0) ** gamma, 0.0)


def _split_ties(choose: Callable[[Tensor, Tensor], Tensor]) -> Callable[[Any, Any], Tensor]:
    """maximum or minimum, taking Python numbers too; torch.clamp would take them, but does not split a tie."""

    def chosen(a: Any, b: Any) -> Tensor:
        if not isinstance(a, Tensor):
            a, b = b, a
        return choose(a, b if isinstance(b, Tensor) else torch.full_like(a, b))

    return chosen


def _one_hot(labels: Tensor, like: Tensor) -> Tensor:
    return (labels[..., None] == torch.arange(like.shape[-1], device=like.device)).to(like.dtype)


@functools.cache
def primitives(dtype: torch.dtype, stop_gradient: Callable[[Tensor], Tensor] = Tensor.detach) -> SimpleNamespace:
    """The table of primitives for formulas in `dtype`."""

    def where(condition: Tensor, a: Any, b: Any) -> Tensor:
        if not isinstance(a, Tensor) and not isinstance(b, Tensor):  # torch would round 0.1 to float32, whatever it multiplies
            a = torch.full((), a, dtype=dtype, device=condition.device)
        return torch.where(condition, a, b)

    return SimpleNamespace(
        pi=math.pi, exp=torch.exp, log=torch.log, log1p=torch.log1p, softplus=_softplus, sigmoid=torch.sigmoid, power=_power,
        maximum=_split_ties(torch.maximum), minimum=_split_ties(torch.minimum), abs=torch.abs, sqrt=torch.sqrt,
        arctan2=torch.arctan2, where=where, stop_gradient=stop_gradient, one_hot=_one_hot,
        sum=lambda x: x.sum(-1), max=lambda x: x.amax(-1), stack=lambda xs: torch.stack(xs, -1),
    )  # fmt: skip


def value(
    first: Tensor, second: Tensor, weights: Tensor | None, normalizer: Tensor | None,
    name: str, reduction: str, divisor: float, parameters: dict[str, Any], stop_gradient: Callable[[Tensor], Tensor] = Tensor.detach,
) -> Tensor:  # fmt: skip
    """The whole loss: differentiable to any order, by autograd and by torch.func."""
    loss, dtype = REGISTRY[name], first.dtype
    if dtype in HALF:
        first, second = first.float(), second if loss.targets == "labels" else second.float()
    result = loss.formula(primitives(first.dtype, stop_gradient), first, second, **parameters)
    if weights is not None:
        result = result * weights.to(result.dtype)
    if reduction != "none":
        result = result.sum()
    if reduction == "mean":
        result = result / counted(loss, first, second)
    if divisor != 1.0:
        result = result / divisor
    answer: Tensor = result if normalizer is None else result / normalizer
    return answer.to(dtype)


def second_derivative(
    outer: Tensor, upstream: Tensor, first: Tensor, others: Any, name: str, reduction: str, divisor: float, parameters: dict[str, Any]
) -> tuple[Tensor, Tensor]:
    """outer times the derivative of the gradient with respect to (upstream, first); others: second, weights, normalizer.

    A term that the gradient holds constant (CIoU's alpha) still moves with `first`, and the gradient with it: such a term
    enters as a variable of its own, and what reaches it goes on to `first` in the end.
    """
    second, weights, normalizer = others
    held: list[tuple[Tensor, Tensor]] = []

    def hold(term: Tensor) -> Tensor:
        held.append((term, term.detach().requires_grad_()))
        return held[-1][1]

    with torch.enable_grad():
        x, u = first.detach().requires_grad_(), upstream.detach().requires_grad_()
        result = value(x, second, weights, normalizer, name, reduction, divisor, parameters, hold)
        (gradient,) = torch.autograd.grad(result, x, u, create_graph=True)
        options: dict[str, Any] = {"allow_unused": True, "materialize_grads": True}
        by_upstream, by_first, *by_held = torch.autograd.grad(
            gradient, (u, x, *(variable for _, variable in held)), outer, retain_graph=True, **options
        )
        for (term, _), reached in zip(held, by_held, strict=True):
            if term.requires_grad:
                by_first = by_first + torch.autograd.grad(term, x, reached, retain_graph=True, **options)[0]
    return by_upstream, by_first

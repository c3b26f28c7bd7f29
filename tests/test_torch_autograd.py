"""First derivatives come from the kernel, scaled by any upstream gradient; second ones are right; third ones are an error."""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from test_torch_cases import CASES, LOSSES, REDUCTIONS, call, data, same_bits
from torch.utils._python_dispatch import TorchDispatchMode

import refloss
import refloss_torch
from refloss._engine.record import REGISTRY, Loss

TORCH_WARNS = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # forward mode uses torch.jit.script inside torch


class Seen(TorchDispatchMode):
    """Counts the project's operators, and the largest tensor that anything makes."""

    def __init__(self) -> None:
        super().__init__()
        self.operators: list[str] = []
        self.largest = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        if func.namespace == "refloss":
            self.operators.append(func._opname)
        if isinstance(result, torch.Tensor):
            self.largest = max(self.largest, result.untyped_storage().nbytes() if func._opname != "detach" else 0)
        return result


def gradient(loss: Loss[Any], first: torch.Tensor, second: torch.Tensor, upstream: torch.Tensor, **options: Any) -> torch.Tensor:
    first = first.detach().requires_grad_()
    (result,) = torch.autograd.grad(call(loss, first, second, **options), first, upstream)
    return result


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("loss", LOSSES)
def test_nothing_is_computed_twice(loss: Loss[Any], reduction: str) -> None:
    first, second = data(loss, shape=(64, 4))
    with Seen() as seen:
        call(loss, first, second, reduction=reduction)
    assert seen.operators == ["value"]
    assert reduction == "none" or seen.largest <= 8  # a reduced loss that nobody differentiates writes nothing per element
    first.requires_grad_()
    with Seen() as seen:
        call(loss, first, second, reduction=reduction).sum().backward()
    assert seen.operators == ["both"]


@pytest.mark.parametrize("factor", [0.0, -0.0, -1.0, 3.0, 0.1, 65536.0, 1e-38, 1e-42, 3e38, math.inf, -math.inf, math.nan])
@pytest.mark.parametrize("loss", LOSSES)
def test_upstream_of_a_reduced_loss(loss: Loss[Any], factor: float) -> None:
    """A product: the same zeros, infinities, NaN."""
    first, second = data(loss)
    upstream = torch.tensor(factor)
    for options in (
        {"reduction": "sum"}, {"reduction": "mean"}, {"reduction": "sum", "normalizer": 7.0},
        {"reduction": "sum", "normalizer": torch.tensor(7.0)},
    ):  # fmt: skip
        plain = gradient(loss, first, second, torch.tensor(1.0), **options)
        got, want = gradient(loss, first, second, upstream, **options), plain.double() * upstream.double()
        close(loss, got, want.float())


def close(loss: Loss[Any], got: torch.Tensor, want: torch.Tensor) -> None:
    """Two roundings apart; for boxes relative to the largest of a box's four derivatives, which share terms that cancel."""
    scale = want.double().abs()
    if loss.kind == "pairs":
        scale = scale.amax(-1, keepdim=True).expand(want.shape)
    finite = want.isfinite()
    assert torch.equal(got[~finite].nan_to_num(), want[~finite].nan_to_num())
    assert ((got.double() - want.double()).abs() <= 3e-7 * scale + 3e-45)[finite].all()


@pytest.mark.parametrize("loss", LOSSES)
def test_upstream_of_every_element(loss: Loss[Any]) -> None:
    first, second = data(loss)
    shape = call(loss, first, second).shape
    upstream = torch.from_numpy(np.random.default_rng(1).normal(size=shape)).float()
    ones = gradient(loss, first, second, torch.ones(shape))
    spread = upstream if loss.kind in ("elementwise", "labels") else upstream[..., None]
    close(loss, gradient(loss, first, second, upstream), ones * spread)
    for layout in (upstream.t().contiguous().t() if upstream.ndim == 2 else upstream, torch.stack([upstream, upstream], -1)[..., 0]):
        assert torch.equal(gradient(loss, first, second, layout), gradient(loss, first, second, upstream))
    expanded = torch.tensor(0.1).expand(shape)
    torch.testing.assert_close(
        gradient(loss, first, second, expanded), gradient(loss, first, second, expanded.contiguous()), rtol=2e-7, atol=0
    )


@pytest.mark.parametrize("reduction", ["none", "mean"])
@pytest.mark.parametrize(("loss", "setting"), CASES)
def test_gradcheck(loss: Loss[Any], setting: dict[str, Any], reduction: str) -> None:
    first, second = data(loss, torch.float64, shape=(3, 3))
    weights = torch.rand(call(loss, first, second).shape, dtype=torch.float64) + 0.5
    first.requires_grad_()

    def function(x: torch.Tensor) -> torch.Tensor:
        return call(loss, x, second, **setting, reduction=reduction, weights=weights)

    if not (loss.name == "ciou_loss" and not setting["differentiate_alpha"]):  # whose gradient is not the value's, by definition
        assert torch.autograd.gradcheck(function, (first,))
    assert torch.autograd.gradgradcheck(function, (first,))


def test_create_graph_keeps_the_kernel_s_bits() -> None:
    for loss in REGISTRY.values():
        first, second = data(loss)
        first.requires_grad_()
        (got,) = torch.autograd.grad(call(loss, first, second, reduction="sum"), first, create_graph=True)
        assert got.requires_grad
        assert torch.equal(got, gradient(loss, first, second, torch.tensor(1.0), reduction="sum"))


def test_second_derivative_reaches_earlier_layers() -> None:
    """A gradient penalty: the second derivative of something that is no leaf."""
    logits, targets = data(REGISTRY["focal_loss"], torch.float64)
    scale = torch.tensor(0.7, dtype=torch.float64, requires_grad=True)

    def penalty(scale: torch.Tensor) -> torch.Tensor:
        value = refloss_torch.focal_loss(scale * logits, targets, reduction="sum")
        (slope,) = torch.autograd.grad(value, scale, create_graph=True)
        return slope**2

    assert torch.autograd.gradcheck(penalty, (scale,))


def test_third_derivative_is_an_error() -> None:
    x = torch.tensor([0.3], requires_grad=True)
    value = refloss_torch.focal_loss(x, torch.ones(1), reduction="sum")
    (first,) = torch.autograd.grad(value, x, create_graph=True)
    (second,) = torch.autograd.grad(first, x, torch.ones(1), create_graph=True)
    with pytest.raises(refloss.ReflossError, match="third derivatives"):
        torch.autograd.grad(second.sum() + (x**3).sum(), x)


@TORCH_WARNS
@pytest.mark.parametrize("loss", LOSSES)
def test_forward_mode(loss: Loss[Any]) -> None:
    """It runs the formula: the tangent along v is the gradient times v."""
    from torch.autograd import forward_ad

    first, second = data(loss, torch.float64)
    along = torch.randn_like(first)
    with forward_ad.dual_level():
        value = call(loss, forward_ad.make_dual(first, along), second, reduction="sum")
        tangent = forward_ad.unpack_dual(value).tangent
    torch.testing.assert_close(tangent, (gradient(loss, first, second, torch.tensor(1.0), reduction="sum") * along).sum())


def test_a_gradient_that_was_handed_out_is_the_callers_own() -> None:
    x = torch.randn(5, requires_grad=True)
    value = refloss_torch.focal_loss(x, torch.ones(5), reduction="sum")
    (one,) = torch.autograd.grad(value, x, retain_graph=True)
    kept = one.clone()
    one.numpy()[:] *= 100
    assert torch.equal(torch.autograd.grad(value, x)[0], kept)


def test_a_changed_input_is_an_error() -> None:
    x = torch.tensor([0.3], requires_grad=True)
    y = x * 1
    value = refloss_torch.focal_loss(y, torch.ones(1), reduction="sum")
    y.mul_(2)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        value.backward()


def test_backward_twice_and_accumulation() -> None:
    x = torch.tensor([0.3, -2.0], requires_grad=True)
    value = refloss_torch.focal_loss(x, torch.ones(2), reduction="sum")
    value.backward(retain_graph=True)
    assert x.grad is not None
    once = x.grad.clone()
    value.backward()
    assert torch.equal(x.grad, 2 * once)


@TORCH_WARNS
@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("loss", LOSSES)
def test_torch_func(loss: Loss[Any], reduction: str) -> None:
    """grad, vmap, jacrev and jvp run the formula."""
    first, second = data(loss, torch.float64, shape=(3, 4))

    def total(x: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        return call(loss, x, t, reduction=reduction).sum()

    want = gradient(loss, first, second, torch.ones_like(call(loss, first, second, reduction=reduction)), reduction=reduction)
    torch.testing.assert_close(torch.func.grad(total)(first, second), want)
    each = torch.func.vmap(torch.func.grad(total))(first, second)
    alone = [
        gradient(loss, x, t, torch.ones_like(call(loss, x, t, reduction=reduction)), reduction=reduction)
        for x, t in zip(first, second, strict=True)
    ]
    torch.testing.assert_close(each, torch.stack(alone))
    _, tangent = torch.func.jvp(lambda x: total(x, second), (first,), (torch.ones_like(first),))
    torch.testing.assert_close(tangent, want.sum())
    both = torch.func.vmap(lambda x, t: call(loss, x, t, reduction=reduction))(first, second)
    torch.testing.assert_close(both, torch.stack([call(loss, x, t, reduction=reduction) for x, t in zip(first, second, strict=True)]))


def test_threads_of_the_caller() -> None:
    """Concurrent calls do not disturb each other."""
    from concurrent.futures import ThreadPoolExecutor

    loss = REGISTRY["focal_loss"]
    inputs = [data(loss, shape=(200_000,), seed=seed) for seed in range(6)]
    want = [gradient(loss, x, t, torch.tensor(1.0), reduction="sum") for x, t in inputs]
    with ThreadPoolExecutor(3) as pool:
        got = list(pool.map(lambda xt: gradient(loss, *xt, torch.tensor(1.0), reduction="sum"), inputs))
    assert all(same_bits(g, w.numpy()) for g, w in zip(got, want, strict=True))


@pytest.fixture(autouse=True)
def _seed() -> Iterator[None]:
    torch.manual_seed(0)
    yield

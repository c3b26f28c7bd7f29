"""The torch adapter on CPU tensors gives the bits of the core, whatever the type, layout, weights and reduction."""

import copy
import os
import pickle
import signal
import time
from typing import Any

import pytest
import torch
from test_torch_cases import CASES, HALF, LOSSES, REDUCTIONS, call, data, modules, numpy, same_bits

import refloss
import refloss_torch
from refloss import ReflossError
from refloss._engine import threads
from refloss._engine.record import REGISTRY, Loss
from refloss_torch import formula


def both(loss: Loss[Any], first: torch.Tensor, second: torch.Tensor, **options: Any) -> None:
    """The adapter and the core agree to the bit, in value and gradient, and the value does not depend on asking for a gradient."""
    for_core = {key: numpy(value) if isinstance(value, torch.Tensor) else value for key, value in options.items()}
    value, gradient = loss.value_and_grad(numpy(first), numpy(second), **for_core)
    first = first.detach().requires_grad_()
    got = call(loss, first, second, **options)
    assert same_bits(got, value)
    got.sum().backward()
    assert first.grad is not None
    assert same_bits(first.grad, gradient)
    with torch.no_grad():
        assert same_bits(call(loss, first, second, **options), value)


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize(("loss", "setting"), CASES)
def test_same_bits_as_the_core(loss: Loss[Any], setting: dict[str, Any], reduction: str) -> None:
    both(loss, *data(loss), **setting, reduction=reduction)


@pytest.mark.parametrize("dtype", [torch.float64, *HALF])
@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("loss", LOSSES)
def test_types(loss: Loss[Any], reduction: str, dtype: torch.dtype) -> None:
    both(loss, *data(loss, dtype), reduction=reduction)


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("loss", LOSSES)
def test_large_calls_on_all_threads(loss: Loss[Any], reduction: str) -> None:
    both(loss, *data(loss, shape=(30_001, 4)), reduction=reduction)


@pytest.mark.parametrize("shape", [(), (1,), (0,), (0, 4), (3, 0, 4), (2, 3, 4)])
@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("loss", LOSSES)
def test_shapes(loss: Loss[Any], reduction: str, shape: tuple[int, ...]) -> None:
    if loss.kind != "elementwise" and shape[-1:] != (4,):
        pytest.skip("needs a last axis")
    both(loss, *data(loss, shape=shape), reduction=reduction)


@pytest.mark.parametrize("loss", LOSSES)
def test_layouts(loss: Loss[Any]) -> None:
    first, second = data(loss, shape=(6, 5, 4))
    both(loss, first.transpose(0, 1), second.transpose(0, 1))
    both(loss, first[::2], second[::2], reduction="sum")
    both(loss, first[:1].expand(3, 5, 4), second[:1].expand(3, *second.shape[1:]), reduction="mean")
    if loss.kind == "elementwise":
        both(loss, first.flatten()[::2], second.flatten()[::2])
    output = call(loss, first.transpose(0, 1).requires_grad_(), second.transpose(0, 1))
    assert output.is_contiguous()


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("loss", LOSSES)
def test_weights_and_normalizer(loss: Loss[Any], reduction: str) -> None:
    first, second = data(loss, shape=(6, 5, 4))
    shape = call(loss, first, second).shape
    for weights in (
        torch.rand(shape),
        torch.rand(shape[-1]),
        torch.tensor(0.5),
        torch.rand(shape, dtype=torch.float64),
        torch.ones(shape[-1], dtype=torch.int64),
    ):
        both(loss, first, second, reduction=reduction, weights=weights)
    if reduction != "mean":
        both(loss, first, second, reduction=reduction, normalizer=7.0)
        with_number = call(loss, first, second, reduction=reduction, normalizer=7)
        with_tensor = call(loss, first, second, reduction=reduction, normalizer=torch.tensor(7))
        assert torch.equal(with_number, with_tensor)


def test_a_half_sum_is_divided_before_it_is_rounded() -> None:
    first = torch.full((1000,), 20.0, dtype=torch.float16, requires_grad=True)
    total = refloss_torch.l1_loss(first, torch.full_like(first, -100.0), reduction="sum", normalizer=torch.tensor(1000))
    assert total.item() == 120.0


@pytest.mark.parametrize("dtype", [torch.int32, torch.int8, torch.uint8])
def test_labels_of_other_integer_types(dtype: torch.dtype) -> None:
    for loss in REGISTRY.values():
        if loss.targets == "labels":
            first, labels = data(loss)
            labels = labels.clamp(min=0)
            assert torch.equal(call(loss, first, labels.to(dtype)), call(loss, first, labels))


@pytest.mark.parametrize("loss", LOSSES)
def test_nan_stays_where_it_is(loss: Loss[Any]) -> None:
    first, second = data(loss, shape=(6, 4))
    first[3, 1] = torch.nan
    first.requires_grad_()
    value = call(loss, first, second)
    value.sum().backward()
    touched = value.detach().isnan().reshape(6, -1).any(1)
    assert touched.tolist() == [False, False, False, True, False, False]
    assert first.grad is not None
    assert first.grad.isnan().any(1).tolist() == touched.tolist()


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize(("loss", "setting"), CASES)
def test_formula_agrees_with_kernel(loss: Loss[Any], setting: dict[str, Any], reduction: str) -> None:
    """What other devices run, here on the CPU in float64."""
    first, second = data(loss, torch.float64)
    weights = torch.rand(call(loss, first, second).shape, dtype=torch.float64)
    first.requires_grad_()
    want = call(loss, first, second, **setting, weights=weights, reduction=reduction)
    (want_gradient,) = torch.autograd.grad(want.sum(), first)
    got = formula.value(first, second, weights, None, loss.name, reduction, 1.0, {**loss.defaults, **setting})
    (got_gradient,) = torch.autograd.grad(got.sum(), first)
    torch.testing.assert_close(got, want, rtol=1e-12, atol=1e-13)
    torch.testing.assert_close(got_gradient, want_gradient, rtol=1e-12, atol=1e-13)


def test_a_choice_between_two_numbers_is_not_rounded_to_float32() -> None:
    chosen = formula.primitives(torch.float64).where(torch.tensor([True, False]), 0.9, 0.1)
    assert chosen.tolist() == [0.9, 0.1]


@pytest.mark.parametrize("name", ["smooth_l1_loss", "l1_loss", "huber_loss", "iou_loss", "giou_loss"])
def test_formula_splits_ties_like_the_kernel(name: str) -> None:
    loss = REGISTRY[name]
    first, _ = data(loss, torch.float64)
    second = first.clone()
    first.requires_grad_()
    (want,) = torch.autograd.grad(call(loss, first, second).sum(), first)
    (got,) = torch.autograd.grad(formula.value(first, second, None, None, name, "sum", 1.0, dict(loss.defaults)), first)
    torch.testing.assert_close(got, want, rtol=1e-12, atol=1e-13)


def test_formula_is_finite_where_probabilities_underflow() -> None:
    for gamma in (0.0, 0.3, 0.5, 2.0):
        logits = torch.tensor([-800.0, -100.0, 100.0, 800.0], dtype=torch.float64).repeat(2).requires_grad_()
        targets = torch.tensor([0.0, 1.0], dtype=torch.float64).repeat_interleave(4)
        got = formula.value(logits, targets, None, None, "focal_loss", "sum", 1.0, {"alpha": 0.25, "gamma": gamma})
        got.backward()
        assert logits.grad is not None
        assert logits.grad.isfinite().all()


@pytest.mark.parametrize("module", [pytest.param(m, id=m.__name__) for m in modules()])
def test_modules(module: type[Any]) -> None:
    for reduction in REDUCTIONS:
        made = module(reduction=reduction)
        loss = REGISTRY[made.name]
        first, second = data(loss)
        weights = torch.rand(call(loss, first, second).shape)
        for copied in (made, copy.deepcopy(made), pickle.loads(pickle.dumps(made))):
            assert torch.equal(copied(first, second, weights), call(loss, first, second, weights=weights, reduction=reduction))
    assert torch.equal(module(reduction="sum")(first, second, normalizer=3.0), call(loss, first, second, reduction="sum", normalizer=3.0))


def test_module_parameters_reach_the_kernel() -> None:
    logits, targets = data(REGISTRY["focal_loss"])
    module = refloss_torch.FocalLoss(alpha=None, gamma=0.5)
    assert same_bits(module(logits, targets), refloss.focal_loss(numpy(logits), numpy(targets), alpha=None, gamma=0.5))
    assert not torch.equal(module(logits, targets), refloss_torch.focal_loss(logits, targets))
    assert repr(module) == "FocalLoss(alpha=None, gamma=0.5, reduction='none')"


@pytest.mark.parametrize("dtype", HALF)
@pytest.mark.parametrize("loss", LOSSES)
def test_autocast_computes_in_float32(loss: Loss[Any], dtype: torch.dtype) -> None:
    first, second = data(loss, dtype)
    first.requires_grad_()
    with torch.autocast("cpu", dtype=dtype):
        value = call(loss, first, second, reduction="sum")
    wide = first.detach().float().requires_grad_()
    want = call(loss, wide, second.float() if second.is_floating_point() else second, reduction="sum")
    assert torch.equal(value, want)
    assert value.dtype == torch.float32
    value.backward()
    want.backward()
    assert first.grad is not None
    assert wide.grad is not None
    assert torch.equal(first.grad, wide.grad.to(dtype))


def test_autocast_leaves_float64_and_mixes_half_with_float32() -> None:
    loss = REGISTRY["focal_loss"]
    first, second = data(loss, torch.float64)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert call(loss, first, second).dtype == torch.float64
        assert call(loss, first.bfloat16(), second.float()).dtype == torch.float32


def test_the_same_bits_each_time() -> None:
    first, second = data(REGISTRY["focal_loss"], shape=(500_000,))
    totals = {numpy(refloss_torch.focal_loss(first, second, reduction="sum")).tobytes() for _ in range(5)}
    assert len(totals) == 1


def test_inputs_are_left_alone() -> None:
    for loss in REGISTRY.values():
        first, second = data(loss)
        kept = first.clone(), second.clone()
        first.requires_grad_()
        call(loss, first, second).sum().backward()
        assert torch.equal(first, kept[0])
        assert torch.equal(second, kept[1])


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")  # Python 3.12 on: fork beside threads
def test_a_forked_child_does_not_ask_for_threads_it_has_not() -> None:
    """A DataLoader's worker: libgomp would hang there, the engine's own pool works."""
    x, t = torch.randn(400_000), torch.ones(400_000)
    expected = refloss_torch.focal_loss(x, t, reduction="sum")
    pid = os.fork()
    if pid == 0:
        torch.set_num_threads(1)
        os._exit(0 if torch.equal(refloss_torch.focal_loss(x, t, reduction="sum"), expected) else 1)
    for _ in range(300):
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            break
        time.sleep(0.1)
    else:
        os.kill(pid, signal.SIGKILL)
        pytest.fail("the child hangs")
    assert os.waitstatus_to_exitcode(status) == 0


def test_an_error_on_a_thread_of_the_team_reaches_the_caller() -> None:
    t = torch.ones(400_000)
    t[399_000] = 2
    with pytest.raises(ReflossError, match="flat index 399000"):
        refloss_torch.focal_loss(torch.zeros(400_000), t)
    if threads.team is not None:
        with pytest.raises(ZeroDivisionError):
            threads.team(lambda: 1 // 0, 2)  # type: ignore[arg-type, return-value]

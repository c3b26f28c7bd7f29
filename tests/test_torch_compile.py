"""torch.compile without a graph break, opcheck, fake and meta tensors, export: each sees an operator, and gets the same bits."""

import functools
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from test_torch_cases import HALF, LOSSES, REDUCTIONS, call, data, modules, same_bits

import refloss_torch
from refloss._engine.record import REGISTRY, Loss
from refloss_torch import ops

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")  # torch.compile's own


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    torch._dynamo.reset()
    yield
    torch._dynamo.reset()


def numpy(tensor: torch.Tensor) -> Any:
    return tensor.detach().numpy()


@pytest.mark.parametrize("reduction", ["none", "mean"])  # "sum": the modules below
@pytest.mark.parametrize("loss", LOSSES)
def test_compiled_functions(loss: Loss[Any], reduction: str) -> None:
    first, second = data(loss)
    compiled = torch.compile(functools.partial(call, loss, reduction=reduction), fullgraph=True)
    want = loss.value_and_grad(numpy(first), numpy(second), reduction=reduction)
    if loss.name == "focal_loss":
        assert same_bits(compiled(first, second), want[0])
    first.requires_grad_()
    value = compiled(first, second)
    value.sum().backward()
    assert same_bits(value, want[0])
    assert first.grad is not None
    assert same_bits(first.grad, want[1])


@pytest.mark.parametrize("module", [pytest.param(m, id=m.__name__) for m in modules()])
def test_compiled_modules_with_weights_and_normalizer(module: type[Any]) -> None:
    made = module(reduction="sum")
    loss = REGISTRY[made.name]
    first, second = data(loss)
    weights, normalizer = torch.rand(call(loss, first, second).shape), torch.tensor(3.0)
    first.requires_grad_()
    value = torch.compile(made, fullgraph=True)(first, second, weights, normalizer)
    value.backward()
    want = loss.value_and_grad(numpy(first), numpy(second), reduction="sum", weights=numpy(weights), normalizer=3.0)
    assert same_bits(value, want[0])
    assert first.grad is not None
    assert same_bits(first.grad, want[1])


def test_compiled_inside_a_model() -> None:
    """Other layers before and after, a scaled loss, autocast, shapes that change."""
    torch.manual_seed(0)
    model, loss = torch.nn.Linear(4, 3), refloss_torch.FocalLossWithIntegerLabels(reduction="mean")

    def step(x: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            return 3.0 * loss(model(x), labels)

    for rows in (8, 5, 13):
        x, labels = torch.randn(rows, 4), torch.randint(-2, 3, (rows,))
        gradients = []
        for function in (step, torch.compile(step, fullgraph=True)):
            model.zero_grad()
            function(x, labels).backward()
            assert model.weight.grad is not None
            gradients.append(model.weight.grad.clone())
        torch.testing.assert_close(gradients[0], gradients[1], rtol=2e-2, atol=1e-4)


def test_compiled_with_changing_parameters() -> None:
    compiled = torch.compile(refloss_torch.focal_loss, fullgraph=True)
    x, t = data(REGISTRY["focal_loss"])
    for gamma in (2.0, 0.5, 0.0, 3.0):
        assert torch.equal(compiled(x, t, gamma=gamma), refloss_torch.focal_loss(x, t, gamma=gamma))
    for normalizer in (3.0, 5.0, 7.0):
        assert torch.equal(compiled(x, t, normalizer=normalizer), refloss_torch.focal_loss(x, t, normalizer=normalizer))


@pytest.mark.parametrize("backend", ["inductor", "aot_eager"])
def test_compiled_double_backward_is_an_error(backend: str) -> None:
    x, t = data(REGISTRY["focal_loss"])
    x.requires_grad_()
    value = torch.compile(refloss_torch.focal_loss, fullgraph=True, backend=backend)(x, t, reduction="sum")
    (slope,) = torch.autograd.grad(value, x, create_graph=True)
    with pytest.raises(RuntimeError, match="does not currently support double backward"):
        torch.autograd.grad(slope.sum() + (x**3).sum(), x)


def arguments(loss: Loss[Any], reduction: str, dtype: torch.dtype, permuted: bool) -> tuple[Any, ...]:
    first, second = data(loss, dtype, shape=(3, 5, 4))
    weights = torch.rand(call(loss, first, second).shape)
    if permuted:
        first, second, weights = first.transpose(0, 1), second.transpose(0, 1), weights.transpose(0, 1)
    return (
        first,
        second,
        weights if permuted else None,
        None if reduction == "mean" else torch.tensor(2.0),
        loss.name,
        *loss.setting(),
        reduction,
        1.0,
    )


@pytest.mark.parametrize("permuted", [False, True])
@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("loss", LOSSES)
def test_opcheck(loss: Loss[Any], reduction: str, permuted: bool) -> None:
    inputs = arguments(loss, reduction, torch.bfloat16 if permuted else torch.float32, permuted)
    torch.library.opcheck(ops.registered_value, inputs)
    torch.library.opcheck(ops.registered_both, inputs)
    for one, two in ((ops.value(*inputs), ops.registered_value(*inputs)), (ops.both(*inputs)[1], ops.registered_both(*inputs)[1])):
        assert torch.equal(one, two)


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("loss", LOSSES)
def test_fake_and_meta_tensors(loss: Loss[Any], reduction: str) -> None:
    for dtype in (torch.float32, *HALF):
        first, second = data(loss, dtype)
        want = call(loss, first, second, reduction=reduction)
        leaf = first.clone().requires_grad_()
        with torch._subclasses.FakeTensorMode() as mode:
            fake = mode.from_tensor(leaf)
            value = call(loss, fake, mode.from_tensor(second), reduction=reduction)
            (gradient,) = torch.autograd.grad(value.sum(), fake)
        meta = call(loss, first.to("meta"), second.to("meta"), reduction=reduction)
        for got in (value, meta):
            assert (got.shape, got.dtype, got.stride()) == (want.shape, want.dtype, want.stride())
        assert (gradient.shape, gradient.dtype) == (first.shape, first.dtype)


def test_export() -> None:
    module = refloss_torch.FocalLoss(reduction="sum")
    x, t = data(REGISTRY["focal_loss"])
    program = torch.export.export(module, (x, t))
    assert torch.equal(program.module()(x, t), module(x, t))
    assert any("refloss.value" in str(node.target) for node in program.graph.nodes)

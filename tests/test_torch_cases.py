"""Inputs for the suites of the torch adapter, made from the registry, and the check that the adapter covers the registry."""

import inspect
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch

import refloss
import refloss_torch
from refloss._engine.record import REGISTRY, Loss
from refloss_torch.modules import LossModule

CASES = [
    pytest.param(loss, setting, id=f"{name}-{number}") for name, loss in REGISTRY.items() for number, setting in enumerate(loss.settings)
]
LOSSES = [pytest.param(loss, id=name) for name, loss in REGISTRY.items()]
REDUCTIONS = ("none", "sum", "mean")
HALF = (torch.float16, torch.bfloat16)


def data(
    loss: Loss[Any], dtype: torch.dtype = torch.float32, shape: tuple[int, ...] = (6, 5), seed: int = 0
) -> tuple[torch.Tensor, torch.Tensor]:
    """Both arguments: random and spread out; boxes that meet and that do not; labels with all codes, at least one a real class."""
    rng = np.random.default_rng(seed)
    if loss.kind == "pairs":
        low = rng.uniform(0, 10, (2, *shape[:-1], 4))
        low[..., 2:] = rng.uniform(1, 8, low[..., 2:].shape)
        if not low.size:
            return torch.from_numpy(low[0]).to(dtype), torch.from_numpy(low[1]).to(dtype)
        return torch.from_numpy(corners(low[0])).to(dtype), torch.from_numpy(corners(low[1])).to(dtype)
    first = torch.from_numpy(rng.normal(0, 4, shape)).to(dtype)
    if loss.targets == "labels":
        labels = rng.integers(-1 if loss.kind == "labels" else 0, shape[-1], shape[:-1])
        if labels.size > 2:
            labels.flat[0], labels.flat[1] = refloss.IGNORE, shape[-1] - 1
        return first, torch.from_numpy(np.asarray(labels))
    second = rng.uniform(0, 1, shape) if loss.targets == "unit" else rng.normal(0, 2, shape)
    return first, torch.from_numpy(np.asarray(second)).to(dtype)


def corners(boxes: Any) -> Any:
    """(x, y, w, h) to corners; the numbers are a fair cxcywh box too, being positive."""
    return np.concatenate([boxes[..., :2], boxes[..., :2] + boxes[..., 2:]], -1)


def call(loss: Loss[Any], *arguments: Any, **options: Any) -> torch.Tensor:
    result = getattr(refloss_torch, loss.name)(*arguments, **options)
    assert isinstance(result, torch.Tensor)
    return result


def numpy(tensor: torch.Tensor) -> Any:
    if tensor.dtype != torch.bfloat16:
        return tensor.detach().numpy()
    import ml_dtypes

    return tensor.detach().contiguous().view(torch.int16).numpy().view(ml_dtypes.bfloat16)


def same_bits(tensor: torch.Tensor, array: Any) -> bool:
    got, want = np.ascontiguousarray(numpy(tensor)), np.ascontiguousarray(array)
    return got.dtype == want.dtype and got.shape == want.shape and got.tobytes() == want.tobytes()


def modules() -> Iterator[type[torch.nn.Module]]:
    for name in refloss_torch.__all__:
        exported = getattr(refloss_torch, name)
        if inspect.isclass(exported) and issubclass(exported, LossModule):  # criteria are modules too: test_torch_criteria.py
            yield exported


@pytest.mark.parametrize("loss", LOSSES)
def test_the_inputs_are_spread(loss: Loss[Any]) -> None:
    first, second = data(loss)
    assert first.unique().numel() > 10
    assert second.unique().numel() > 2


def test_every_loss_is_a_function_with_the_arguments_of_the_core_and_a_module() -> None:
    assert set(REGISTRY) == {name for name in refloss_torch.__all__ if inspect.isfunction(getattr(refloss_torch, name))}
    assert {module().name for module in modules()} == set(REGISTRY)
    for name, loss in REGISTRY.items():
        core = inspect.signature(loss.settle).parameters
        ours = inspect.signature(getattr(refloss_torch, name)).parameters
        assert [(p.name, p.default, p.kind) for p in core.values()] == [(p.name, p.default, p.kind) for p in ours.values()]
    for module in modules():
        made = module()
        ours = inspect.signature(module).parameters
        assert {n: p.default for n, p in ours.items()} == {**REGISTRY[made.name].defaults, "reduction": "none"}
        assert all(f"{n}={p.default!r}" in repr(made) for n, p in ours.items())

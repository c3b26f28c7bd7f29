"""What the CUDA operators do around the kernels, run here on CPU tensors with the CPU's kernels behind the same interface."""

import contextlib
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from test_torch_cases import LOSSES, REDUCTIONS, call, data

from refloss._engine import call as engine
from refloss._engine.record import Loss, Setting
from refloss_torch import cpu, cuda

pytest.importorskip("numba.cuda")


def run(
    loss: Loss[Any],
    setting: Setting,
    x: Any,
    t: Any,
    *,
    weights: Any,
    upstream: Any,
    divisor: float,
    value: Any,
    grad: Any,
    sums: Any,
    stream: int,
) -> None:
    assert stream == 7
    assert all(tensor.is_contiguous() and not tensor.requires_grad for tensor in (x, t, weights, upstream, value, grad, sums))
    views = {"weights": weights.numpy(), "upstream": upstream.numpy(), "value": value.numpy(), "grad": grad.numpy()}
    total = engine.run(loss, setting, x.numpy(), t.numpy(), divisor=divisor, total=sums.numel() > 0, **views)
    if sums.numel():
        words = sums.numpy()
        words[-1, 0] = total
        words[-1, 1] = total - float(words[-1, 0])


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("loss", LOSSES)
def test_the_branch(loss: Loss[Any], reduction: str, monkeypatch: pytest.MonkeyPatch) -> None:
    import refloss._engine.cuda

    monkeypatch.setattr(refloss._engine.cuda, "run", run)
    monkeypatch.setattr(torch.cuda, "device", lambda _: contextlib.nullcontext())
    monkeypatch.setattr(torch.cuda, "current_stream", lambda: SimpleNamespace(cuda_stream=7))
    for dtype in (torch.float32, torch.float64, torch.float16):
        for shape in ((6, 5, 4), (0, 4)):
            first, second = data(loss, dtype, shape)
            out_shape = call(loss, first, second).shape
            first.requires_grad_()
            for weights, normalizer, divisor in ((None, None, 1.0), (torch.rand(out_shape), None, 3.0), (None, torch.tensor(3), 1.0)):
                if reduction == "mean" and (normalizer is not None or divisor != 1):
                    continue
                rest = (first, second, weights, normalizer, loss.name, *loss.setting(), reduction, divisor)
                value, wanted = unread(monkeypatch, cuda.value, *rest), cpu.value(*rest)
                pairs = zip(unread(monkeypatch, cuda.both, *rest), cpu.both(*rest), strict=True)
                for got, want in ((value, wanted), *pairs):
                    assert (got.dtype, got.shape) == (want.dtype, want.shape)
                    torch.testing.assert_close(got, want, rtol=4 * torch.finfo(got.dtype).eps, atol=torch.finfo(got.dtype).tiny)


def unread(monkeypatch: pytest.MonkeyPatch, operator: Callable[..., Any], *arguments: Any) -> Any:
    """Run it where reading a number on the host is an error."""
    with monkeypatch.context() as host:
        for reader in ("item", "tolist", "__float__", "__int__", "__bool__"):
            host.setattr(torch.Tensor, reader, lambda _: pytest.fail("the host waits for the device"))
        return operator(*arguments)

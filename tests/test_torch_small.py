"""Small calls run on the tensors' own memory (refloss_torch.cpu): the same bits as the core, and never on memory that is none."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import refloss  # noqa: E402
import refloss_torch  # noqa: E402
from refloss._engine.record import REGISTRY  # noqa: E402
from refloss_torch import cpu  # noqa: E402

LOSSES = sorted(name for name, loss in REGISTRY.items() if loss.kind in ("elementwise", "pairs"))
Case = tuple["torch.Tensor", "torch.Tensor"]


def case(name: str, n: int, dtype: str) -> Case:
    rng = np.random.default_rng(n)
    if REGISTRY[name].kind == "pairs":
        low = rng.random((2, n, 2)) * 9
        both = np.concatenate([low, low + rng.random((2, n, 2)) * 9], -1).astype(dtype)
    else:
        both = np.stack([rng.standard_normal(n) * 9, rng.random(n)]).astype(dtype)
    return torch.from_numpy(both[0].copy()), torch.from_numpy(both[1].copy())


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", LOSSES)
def test_the_same_bits_as_the_core(name: str, dtype: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """On both sides of a block, and of what counts as small; values, gradients, sums and means."""
    ours = refloss.__dict__[name]
    ran: list[int] = []
    small = cpu._small
    monkeypatch.setattr(cpu, "_small", lambda *given: ran.append(given[1].numel()) or small(*given))
    for n in (1, 63, 256, 257, 4097, 10_000, 10_001, 40_001):
        x, t = case(name, n, dtype)
        before = len(ran)
        for reduction in ("none", "sum", "mean"):
            for normalizer in (None,) if reduction == "mean" else (None, 3.7):
                wanted, slope = ours.value_and_grad(x.numpy(), t.numpy(), reduction=reduction, normalizer=normalizer)
                leaf = x.clone().requires_grad_()
                value = refloss_torch.__dict__[name](leaf, t, reduction=reduction, normalizer=normalizer)
                np.testing.assert_array_equal(value.detach().numpy(), wanted, strict=True)
                value.sum().backward()
                np.testing.assert_array_equal(leaf.grad.numpy(), slope, strict=True)
                with torch.no_grad():
                    alone = refloss_torch.__dict__[name](x, t, reduction=reduction, normalizer=normalizer)
                np.testing.assert_array_equal(alone.numpy(), wanted, strict=True)
        assert (len(ran) - before == 10) == (x.numel() <= cpu.SMALL) and len(ran) - before in (0, 10)


def test_what_does_not_lie_as_the_kernels_read_it() -> None:
    """Slices, gaps, broadcasts, and tensors that are negated on reading; zeros without memory have torch's own error."""
    x, t = case("l1_loss", 64, "float32")
    with pytest.raises(RuntimeError, match="ZeroTensor"):
        refloss_torch.l1_loss(torch._efficientzerotensor(64), t)
    for first in (x[8:40], x[::2], x[:1].expand(9), x.flip(0), torch._neg_view(x), x.reshape(8, 8).T):
        for second in (t[: first.numel()].reshape(first.shape), torch._neg_view(t[: first.numel()].reshape(first.shape))):
            found = refloss_torch.l1_loss(first, second)
            np.testing.assert_array_equal(found.numpy(), abs(first.clone() - second.clone()).numpy())
    whole = torch.arange(20.0)
    found = refloss_torch.squared_error(whole[3:7], whole[9:13])
    assert found.tolist() == [36.0] * 4 and whole.tolist() == list(range(20))


def test_what_is_outside_its_domain_is_named() -> None:
    x, t = case("focal_loss", 9, "float32")
    t[7] = 1.5
    with pytest.raises(refloss.ReflossError, match=r"focal_loss: targets must be in \[0, 1\], got 1.5 at flat index 7"):
        refloss_torch.focal_loss(x, t)
    boxes = torch.tensor([[0.0, 0, 2, 2], [3, 0, 2, 2]])
    with pytest.raises(refloss.ReflossError, match="index 1"):
        refloss_torch.ciou_loss(boxes, boxes.flip(0), reduction="sum")


def test_a_loss_that_waits_holds_its_own_gradient() -> None:
    """Two calls before the first backward; a gradient that is asked for twice; and inputs that are not changed."""
    x, t = case("ciou_loss", 30, "float32")
    leaf, kept = x.clone().requires_grad_(), x.clone()
    first, second = refloss_torch.ciou_loss(leaf, t, reduction="sum"), refloss_torch.ciou_loss(leaf, t.flip(0), reduction="sum")
    one = torch.autograd.grad(first, leaf, retain_graph=True)[0]
    again = torch.autograd.grad(first, leaf)[0]
    other = torch.autograd.grad(second, leaf)[0]
    assert torch.equal(one, again) and one.data_ptr() != again.data_ptr() and not torch.equal(one, other)
    assert torch.equal(leaf.detach(), kept)

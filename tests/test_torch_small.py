"""Small calls run on the tensors' own memory (refloss_torch.cpu): the same bits as the core, and never on memory that is none."""

import itertools
import os
import pathlib
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch.fx.experimental.proxy_tensor import make_fx  # noqa: E402

import refloss  # noqa: E402
import refloss_torch  # noqa: E402
from refloss._engine import threads  # noqa: E402
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
    """On both sides of a block, of what counts as small, and of what one thread does; values, gradients, sums and means."""
    ours = refloss.__dict__[name]
    ran: list[int] = []
    small = cpu.at
    monkeypatch.setattr(cpu, "at", lambda *given: ran.append(given[1].numel()) or small(*given))
    shared = threads.parallel() != 0
    for n in (1, 63, 256, 257, 4097, 10_000, 10_001, 40_001, 120_001):
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
        assert len(ran) - before == (10 if x.numel() <= cpu.SMALL or shared else 0)


def test_a_forked_child_has_no_threads_of_its_host(monkeypatch: pytest.MonkeyPatch) -> None:
    """There, and where a host has none to lend, large losses run as NumPy's do: the same bits."""
    x, t = case("ciou_loss", 120_001, "float32")
    wanted = refloss_torch.ciou_loss(x, t, reduction="sum")
    monkeypatch.setattr(threads, "host", (1, os.getpid() + 1))
    monkeypatch.setattr(threads, "team", None)
    monkeypatch.setattr(cpu, "at", lambda *given: 1 / 0)
    assert threads.parallel() == 0
    torch.testing.assert_close(refloss_torch.ciou_loss(x, t, reduction="sum"), wanted, rtol=0, atol=0)


def test_what_does_not_lie_as_the_kernels_read_it() -> None:
    """Slices, gaps, broadcasts, and tensors that are negated on reading; zeros without memory are an error."""
    x, t = case("l1_loss", 64, "float32")
    with pytest.raises(refloss.ReflossError, match="with memory"):
        refloss_torch.l1_loss(torch._efficientzerotensor(64), t)
    for first in (x[8:40], x[::2], x[:1].expand(9), x.flip(0), torch._neg_view(x), x.reshape(8, 8).T):
        for second in (t[: first.numel()].reshape(first.shape), torch._neg_view(t[: first.numel()].reshape(first.shape))):
            found = refloss_torch.l1_loss(first, second)
            np.testing.assert_array_equal(found.numpy(), abs(first.clone() - second.clone()).numpy())
    whole = torch.arange(20.0)
    found = refloss_torch.squared_error(whole[3:7], whole[9:13])
    assert found.tolist() == [36.0] * 4 and whole.tolist() == list(range(20))


def test_a_graph_is_given_something_else() -> None:
    """Another type is converted, another shape is an error: neither is read as what was traced."""
    traced = make_fx(lambda a, b: refloss_torch.l1_loss(a, b))(torch.rand(8), torch.rand(8))
    for first, second in itertools.product((torch.float32, torch.float64), (torch.float32, torch.float64, torch.int64, torch.float16)):
        found = traced(torch.zeros(8, dtype=first), torch.ones(8, dtype=second))
        assert found.dtype == first and found.tolist() == [1.0] * 8
    with pytest.raises((refloss.ReflossError, RuntimeError), match="of the shape of predictions"):
        traced(torch.zeros(64), torch.ones(4))
    with pytest.raises((refloss.ReflossError, RuntimeError), match=r"of shape \(\.\.\., 4\)"):
        torch.ops.refloss.value(torch.rand(8, 3), torch.rand(8, 3), None, None, "iou_loss", 0, [0.0], False, "sum", 1.0)
    with pytest.raises((refloss.ReflossError, RuntimeError), match="real numbers"):
        traced(torch.zeros(8), torch.ones(8, dtype=torch.complex64))
    with pytest.raises((refloss.ReflossError, RuntimeError), match="float64, float32, float16 or bfloat16"):
        traced(torch.zeros(8, dtype=torch.int32), torch.ones(8))


def test_the_default_device_is_none_of_its_business() -> None:
    x, t = case("l1_loss", 8, "float32")
    leaf = x.clone().requires_grad_()
    with torch.device("meta"):
        for reduction in ("none", "sum", "mean"):
            assert refloss_torch.l1_loss(x, t, reduction=reduction).device.type == "cpu"
        refloss_torch.l1_loss(leaf, t).sum().backward()
    np.testing.assert_array_equal(leaf.grad.numpy(), np.sign((x - t).numpy()))


def test_what_a_transform_leaves_behind() -> None:
    """The numbers that were in it, as from torch's own losses; or one sentence where no memory is left."""
    kept: list[torch.Tensor] = []
    torch.func.grad(lambda z: (kept.append(z.detach()), z.sum())[1])(torch.ones(8))
    for reduction, wanted in (("mean", 1.0), ("sum", 8.0)):
        assert refloss_torch.l1_loss(kept[0], torch.zeros(8), reduction=reduction).item() == wanted
        leaf = torch.zeros(8, requires_grad=True)
        refloss_torch.l1_loss(leaf, kept[0], reduction=reduction).backward()
        assert leaf.grad.tolist() == [-wanted / 8] * 8
    torch.func.functionalize(lambda z: (kept.append(z), z * 2)[1])(torch.linspace(-1, 1, 8))
    freed = torch.ones(8)
    freed.untyped_storage().resize_(0)
    for one in (kept[1], freed):
        with pytest.raises(refloss.ReflossError, match="with memory"):
            refloss_torch.l1_loss(one, torch.zeros(8), reduction="sum")
        with pytest.raises((refloss.ReflossError, RuntimeError), match=r"with memory|out of bounds for storage of size 0"):
            refloss_torch.l1_loss(torch.ones(8), torch.zeros(8), weights=one)
    labels = torch.full((8,), 2)
    labels.untyped_storage().resize_(0)
    with pytest.raises(refloss.ReflossError, match="with memory"):
        refloss_torch.softmax_cross_entropy_with_integer_labels(torch.rand(8, 3), labels)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_a_sum_that_is_too_large_is_infinite(dtype: "torch.dtype") -> None:
    for n in (9, cpu.SMALL + 1):
        x = torch.full((n,), torch.finfo(dtype).max, dtype=dtype)
        assert refloss_torch.l1_loss(x, torch.zeros_like(x), reduction="sum").item() == np.inf
        assert refloss_torch.l1_loss(torch.zeros_like(x), torch.ones_like(x), reduction="sum", normalizer=1e-320).item() == np.inf


@pytest.mark.parametrize("options", [{}, {"pre_dispatch": True}, {"pre_dispatch": True, "tracing_mode": "fake"}], ids=str)
def test_a_tracer_sees_the_operator(options: dict[str, Any]) -> None:
    graph = make_fx(lambda a, b: refloss_torch.l1_loss(a, b), **options)(torch.rand(8), torch.rand(8))
    assert graph(torch.zeros(8), torch.ones(8)).tolist() == [1.0] * 8


RACE = """
import pickle, threading, torch, refloss_torch, numpy as np
from refloss._engine import cpu
x, errors, gate = torch.rand(8), [], threading.Barrier(8)
refloss_torch.l1_loss(x, x, weights=torch.ones(8))  # the loop is there, that on addresses is not
pickle.dumps(cpu.drive("elementwise", np.float32))
def first():
    gate.wait()
    try:
        refloss_torch.l1_loss(x, x, reduction="sum")
    except BaseException as error:
        errors.append(error)
threads = [threading.Thread(target=first) for _ in range(8)]
[one.start() for one in threads], [one.join() for one in threads]
assert not errors, errors
"""


def test_threads_may_come_at_once() -> None:
    subprocess.run([sys.executable, "-c", RACE], check=True, timeout=300)


@pytest.mark.parametrize("name", ["l1_loss", "ciou_loss"])
def test_the_second_process_compiles_nothing(name: str, tmp_path: pathlib.Path) -> None:
    """Numba's files are found again; and no more are written. Each index has one code: two processes at once can leave no index that
    promises the one's code and finds the other's."""
    shape = "(8, 4)" if name == "ciou_loss" else "8"
    code = f"import torch, refloss_torch; x = torch.rand({shape}).sort(-1).values; refloss_torch.{name}(x, x, reduction='sum')"
    seen = []
    for _ in range(2):
        subprocess.run([sys.executable, "-c", code], check=True, env={**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}, timeout=300)
        seen.append(sorted((path.name, path.stat().st_mtime_ns) for path in tmp_path.rglob("*.nb*")))
    assert seen[0] and seen[0] == seen[1]
    assert not [file for file, _ in seen[0] if not file.endswith((".nbi", ".1.nbc"))]


APART = """
import sys, numpy as np
from refloss._engine import cpu_at
if sys.argv[1:]:
    cpu_at.share(sys.argv[1], np.float32)
    sys.exit()
import torch, refloss, refloss_torch
x = torch.rand(200_000).reshape(-1, 2, 2).sort(1).values.reshape(-1, 4)
for name in ("focal_loss", "ciou_loss"):
    found = getattr(refloss_torch, name)(x, x.flip(0), reduction="sum")
    assert found == torch.as_tensor(getattr(refloss, name)(x.numpy(), x.flip(0).numpy(), reduction="sum")), name
"""


@pytest.mark.skipif(threads.parallel() == 0 or threads.thread_count() == 1, reason="large losses run in one thread, or in the pool's")
def test_what_was_compiled_apart_keeps_apart(tmp_path: pathlib.Path) -> None:
    """Numba names functions by counting, in each process anew; one that finds two of the same name on the disk must not mix them up."""
    for kind in (["pairs"], ["elementwise"], []):
        subprocess.run([sys.executable, "-c", APART, *kind], check=True, env={**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}, timeout=300)


def test_what_is_outside_its_domain_is_named() -> None:
    x, t = case("focal_loss", 9, "float32")
    t[7] = 1.5
    with pytest.raises(refloss.ReflossError, match=r"focal_loss: targets must be in \[0, 1\], got 1.5 at flat index 7"):
        refloss_torch.focal_loss(x, t)
    boxes = torch.tensor([[0.0, 0, 2, 2], [3, 0, 2, 2]])
    with pytest.raises(refloss.ReflossError, match="index 1"):
        refloss_torch.ciou_loss(boxes, boxes.flip(0), reduction="sum")


@pytest.mark.parametrize("n", [1, 4096, 4097, 12_000])
def test_sums_of_nothing_lost(n: int) -> None:
    """In one block and in several: exactly 0, and NaN and infinity as they are."""
    for number, wanted in ((0.0, 0.0), (float("nan"), float("nan")), (float("inf"), float("inf"))):
        x = torch.zeros(n)
        x[-1] = number
        for reduction in ("sum", "mean"):
            sevens = [torch.full((), 7.0) for _ in range(100)]  # what a result that nobody writes would be made of
            del sevens
            np.testing.assert_equal(refloss_torch.l1_loss(x, torch.zeros(n), reduction=reduction).item(), wanted)


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

"""Speed of the torch adapter against the formulas everyone writes, in float32, forward and backward.

Groups for pytest-benchmark (`pytest tests/benchmarks --benchmark-enable`), and one test that interleaves the contenders,
prints ratios of medians (`-s`), and holds them against the bars only if REFLOSS_SPEED_BARS is set: times are noisy.
"""

import math
import os
from collections.abc import Callable
from typing import Any

import pytest
import torch
from interleaved import medians
from torch import Tensor

import refloss_torch

LOGITS = 8_000_000
PAIRS = (64, 8192, 262_144)
BARS = {"focal": {"eager": 15.0, "compiled": 2.5}, 64: {"eager": 8.0}, 8192: {"eager": 15.0}, 262_144: {"eager": 15.0}}
RATIOS = "REFLOSS_SPEED" in os.environ or "REFLOSS_SPEED_BARS" in os.environ
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")  # torch.compile's own


def usual_focal(logits: Tensor, targets: Tensor, alpha: float = 0.25, gamma: float = 2.0) -> Tensor:
    """Lin et al. 2017, equation 5, from torch's operations, as torchvision and most others have it."""
    p = torch.sigmoid(logits)
    cross_entropy = torch.nn.functional.binary_cross_entropy_with_logits(logits, targets, reduction="none")
    p_t = p * targets + (1 - p) * (1 - targets)
    alpha_t = alpha * targets + (1 - alpha) * (1 - targets)
    return (alpha_t * cross_entropy * (1 - p_t) ** gamma).sum()


def usual_ciou(boxes: Tensor, target_boxes: Tensor, eps: float = 1e-7) -> Tensor:
    """Zheng et al. 2020, from torch's operations, with eps where torchvision has it."""
    x1, y1, x2, y2 = boxes.unbind(-1)
    u1, v1, u2, v2 = target_boxes.unbind(-1)
    w, h, tw, th = x2 - x1, y2 - y1, u2 - u1, v2 - v1
    overlap_w, overlap_h = torch.min(x2, u2) - torch.max(x1, u1), torch.min(y2, v2) - torch.max(y1, v1)
    intersection = torch.where((overlap_w > 0) & (overlap_h > 0), overlap_w * overlap_h, torch.zeros_like(w))
    iou = intersection / (w * h + tw * th - intersection + eps)
    hull_w, hull_h = torch.max(x2, u2) - torch.min(x1, u1), torch.max(y2, v2) - torch.min(y1, v1)
    distance = ((x1 + x2 - u1 - u2) / 2) ** 2 + ((y1 + y2 - v1 - v2) / 2) ** 2
    v = (4 / math.pi**2) * (torch.atan(tw / th) - torch.atan(w / h)) ** 2
    with torch.no_grad():
        alpha = v / (1 - iou + v + eps)
    return (1 - iou + distance / (hull_w**2 + hull_h**2 + eps) + alpha * v).sum()


def focal_inputs(n: int = LOGITS) -> tuple[Tensor, Tensor]:
    torch.manual_seed(0)
    return (torch.randn(n) * 3).requires_grad_(), (torch.rand(n) < 0.05).float()


def box_inputs(n: int) -> tuple[Tensor, Tensor]:
    torch.manual_seed(0)
    corners = torch.rand(2, n, 2) * 100
    one, two = torch.cat([corners, corners + 1 + torch.rand(2, n, 2) * 50], -1)
    return one.requires_grad_(), two + torch.rand(n, 1)


def step(loss: Callable[[Tensor, Tensor], Tensor], first: Tensor, second: Tensor) -> Callable[[], None]:
    def both_ways() -> None:
        first.grad = None
        loss(first, second).backward()

    both_ways()
    return both_ways


def ours_focal(logits: Tensor, targets: Tensor) -> Tensor:
    return refloss_torch.focal_loss(logits, targets, reduction="sum")


def ours_ciou(boxes: Tensor, target_boxes: Tensor) -> Tensor:
    return refloss_torch.ciou_loss(boxes, target_boxes, reduction="sum")


class Nothing(torch.autograd.Function):
    """The least that a loss with a gradient of its own takes in Python: autograd's machinery, and no arithmetic at all."""

    @staticmethod
    def forward(ctx: Any, boxes: Tensor, target_boxes: Tensor) -> Tensor:
        ctx.save_for_backward(boxes)
        return boxes.new_zeros(())

    @staticmethod
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor, None]:
        return torch.empty_like(ctx.saved_tensors[0]), None


def contenders(what: str | int, *names: str) -> dict[str, Callable[[], None]]:
    """Each with tensors of its own, so that no one's turn begins with freeing the gradient that another has left."""
    if what == "focal":
        losses = {"ours": ours_focal, "eager": usual_focal, "compiled": torch.compile(usual_focal)}
        return {name: step(losses[name], *focal_inputs()) for name in names or losses}
    losses = {"ours": ours_ciou, "eager": usual_ciou}
    return {name: step(losses[name], *box_inputs(int(what))) for name in names or losses}


def test_the_contenders_compute_the_same() -> None:
    for ours, usual, inputs in ((ours_focal, usual_focal, focal_inputs(10_000)), (ours_ciou, usual_ciou, box_inputs(1000))):
        gradients = [torch.autograd.grad(loss(*inputs), inputs[0])[0] for loss in (ours, usual)]
        torch.testing.assert_close(gradients[0], gradients[1], rtol=1e-3, atol=1e-5)
        torch.testing.assert_close(ours(*inputs), usual(*inputs), rtol=1e-5, atol=0)


@pytest.mark.parametrize("who", ["ours", "eager", "compiled"])
@pytest.mark.benchmark(group="focal loss, 8 M logits, forward and backward")
def test_focal(benchmark: Callable[[Callable[[], None]], None], who: str) -> None:
    benchmark(contenders("focal", who)[who])


@pytest.mark.parametrize("pairs", PAIRS)
@pytest.mark.parametrize("who", ["ours", "eager"])
def test_ciou(benchmark: object, who: str, pairs: int) -> None:
    benchmark.group = f"CIoU, {pairs} pairs, forward and backward"  # type: ignore[attr-defined]
    benchmark(contenders(pairs, who)[who])  # type: ignore[operator]


@pytest.mark.skipif(not RATIOS, reason="set REFLOSS_SPEED=1, or REFLOSS_SPEED_BARS=1 to hold the bars")
def test_ratios() -> None:
    for what, bars in BARS.items():
        runs, rounds = contenders(what), 9 if what == "focal" else 41  # type: ignore[arg-type]
        seconds = medians(runs, rounds, repeats=50 if what == 64 else 1)
        for name, bar in bars.items():
            ratio = seconds[name] / seconds["ours"]
            print(f"{what}: ours {seconds['ours'] * 1e6:.0f} us, {name} {seconds[name] * 1e6:.0f} us: {ratio:.1f} x (bar {bar} x)")
            assert ratio >= bar or "REFLOSS_SPEED_BARS" not in os.environ


@pytest.mark.skipif(not RATIOS, reason="set REFLOSS_SPEED=1, or REFLOSS_SPEED_BARS=1 to hold the bars")
@pytest.mark.parametrize("pairs", PAIRS[:2])
def test_ratio_of_nothing(pairs: int) -> None:
    """How many times nothing goes into the eager formula: no loss written in Python has a larger ratio."""
    runs = contenders(pairs, "eager") | {"nothing": step(Nothing.apply, *box_inputs(pairs))}
    seconds = medians(runs, 41, repeats=50 if pairs == 64 else 1)
    nothing, eager = seconds["nothing"], seconds["eager"]
    print(f"{pairs}: nothing {nothing * 1e6:.0f} us, eager {eager * 1e6:.0f} us: {eager / nothing:.1f} x")
    assert nothing < eager

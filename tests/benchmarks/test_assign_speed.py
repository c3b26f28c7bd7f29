"""Speed of max_iou against torchvision's box_iou and Matcher: 120 000 anchors, 50 truths, low-quality matches.

REFLOSS_SPEED=1 pytest -s -o addopts="" tests/benchmarks/test_assign_speed.py      prints the ratios
REFLOSS_SPEED_BARS=1 ...                                                           and holds them against the bar
"""

import os
import tracemalloc
from collections.abc import Callable

import harnesses.torchvision_losses  # noqa: F401  lets torchvision be imported

# isort: split
import numpy as np
import pytest
import torch
from interleaved import medians
from torchvision.models.detection._utils import Matcher  # type: ignore[import-untyped]
from torchvision.ops import box_iou  # type: ignore[import-untyped]

from refloss import assign

BAR = 10.0
RATIOS = "REFLOSS_SPEED" in os.environ or "REFLOSS_SPEED_BARS" in os.environ
ORDERS = ("pyramid", "shuffled")
HEIGHT, WIDTH = 800, 1064


def anchors() -> np.ndarray:
    """Nine anchors a place on five levels, in the order of torchvision's generator: level, row, column, anchor."""
    sizes = np.array([(2 ** (s / 3) * r**-0.5, 2 ** (s / 3) * r**0.5) for r in (0.5, 1.0, 2.0) for s in range(3)])
    levels = []
    for stride in (8, 16, 32, 64, 128):
        y, x = np.mgrid[0:HEIGHT:stride, 0:WIDTH:stride] + stride / 2
        centres = np.stack([x, y], axis=-1).reshape(-1, 1, 2)
        levels.append(np.concatenate([centres - 2 * stride * sizes, centres + 2 * stride * sizes], axis=2).reshape(-1, 4))
    return np.concatenate(levels)[:120_000].astype(np.float32)


def contenders(order: str) -> dict[str, Callable[[], np.ndarray]]:
    """ "shuffled": no two neighbours lie near each other, so that no block can be passed over."""
    rng = np.random.default_rng(0)
    priors = anchors()
    priors = rng.permutation(priors) if order == "shuffled" else priors
    low, size = rng.uniform(0, 0.8, (50, 2)), np.exp(rng.uniform(-4, -0.7, (50, 2)))
    truths = (np.concatenate([low, low + size], axis=1) * [WIDTH, HEIGHT, WIDTH, HEIGHT]).astype(np.float32)
    matcher = Matcher(0.5, 0.4, allow_low_quality_matches=True)
    one, two = torch.from_numpy(priors), torch.from_numpy(truths)

    def ours() -> np.ndarray:
        return assign.max_iou(priors, truths, low_quality_matches=True, dialect="torchvision").gt_index

    return {"ours": ours, "torchvision": lambda: matcher(box_iou(two, one)).numpy()}


@pytest.mark.parametrize("order", ORDERS)
def test_the_contenders_agree(order: str) -> None:
    runs = contenders(order)
    answer = runs["ours"]()
    assert len(answer) == 120_000
    assert (answer >= 0).any()
    np.testing.assert_array_equal(answer, runs["torchvision"]())


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("who", ["ours", "torchvision"])
def test_max_iou(benchmark: object, who: str, order: str) -> None:
    benchmark.group = f"max_iou, 120 000 anchors, 50 truths, {order}"  # type: ignore[attr-defined]
    benchmark(contenders(order)[who])  # type: ignore[operator]


@pytest.mark.skipif(not RATIOS, reason="set REFLOSS_SPEED=1, or REFLOSS_SPEED_BARS=1 to hold the bar")
def test_ratios() -> None:
    for order in ORDERS:
        seconds = medians(contenders(order), rounds=21)
        ratio = seconds["torchvision"] / seconds["ours"]
        ours, theirs = seconds["ours"] * 1e3, seconds["torchvision"] * 1e3
        print(f"max_iou, {order}: ours {ours:.2f} ms, torchvision {theirs:.1f} ms: {ratio:.0f} x (bar {BAR:.0f} x)")
        assert ratio >= BAR or "REFLOSS_SPEED_BARS" not in os.environ


def test_memory() -> None:
    """200 000 anchors, 200 truths: bytes an anchor at the peak, beyond inputs and outputs (gt_index and pairs)."""
    generator = np.random.default_rng(0)
    low, side = generator.uniform(0, 800, (200_200, 2)), generator.uniform(8, 300, (200_200, 2))
    boxes = np.concatenate([low, low + side], axis=1).astype(np.float32)
    priors, truths = boxes[:200_000], boxes[200_000:]
    assign.max_iou(priors[:1000], truths, low_quality_matches=True)  # compiles
    tracemalloc.start()
    try:
        found = assign.max_iou(priors, truths, low_quality_matches=True)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    each = (peak - found.gt_index.nbytes - found.pairs.nbytes) / len(priors)
    print(f"max_iou: {each:.1f} bytes an anchor (bar 24)")
    assert each < 24

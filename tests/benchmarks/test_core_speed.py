"""Speed of the NumPy functions against copying the bytes they move: what no implementation can beat.

REFLOSS_SPEED=1 pytest -s -o addopts="" tests/benchmarks/test_core_speed.py        prints the ratio
REFLOSS_SPEED_BARS=1 ...                                                           and holds it against the bar
"""

import os
from collections.abc import Callable

import numpy as np
import pytest
from interleaved import medians

import refloss

N = 8_000_000
BAR = 1.5
RATIOS = "REFLOSS_SPEED" in os.environ or "REFLOSS_SPEED_BARS" in os.environ


def contenders() -> dict[str, Callable[[], object]]:
    rng = np.random.default_rng(0)
    logits = (rng.standard_normal(N) * 3 - 4).astype(np.float32)
    targets = (rng.random(N) < 0.01).astype(np.float32)

    def copy() -> None:  # two arrays read, two made
        for array in (logits, targets):
            np.copyto(np.empty_like(array), array)

    return {"copy": copy, "ours": lambda: refloss.focal_loss.value_and_grad(logits, targets)}


@pytest.mark.parametrize("who", ["copy", "ours"])
@pytest.mark.benchmark(group="focal loss, value and gradient of 8 M logits")
def test_focal(benchmark: Callable[[Callable[[], object]], None], who: str) -> None:
    benchmark(contenders()[who])


@pytest.mark.skipif(not RATIOS, reason="set REFLOSS_SPEED=1, or REFLOSS_SPEED_BARS=1 to hold the bar")
def test_ratio() -> None:
    times = medians(contenders(), rounds=15)
    ratio = times["ours"] / times["copy"]
    print(f"focal: ours {times['ours'] * 1e3:.2f} ms, copy {times['copy'] * 1e3:.2f} ms: {ratio:.2f} x (bar {BAR} x)")
    assert ratio <= BAR or "REFLOSS_SPEED_BARS" not in os.environ

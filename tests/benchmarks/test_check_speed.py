"""Seconds of `refloss check` as a process of its own, beside those of importing what the callable imports.

REFLOSS_SPEED=1 pytest -s -o addopts="" tests/benchmarks/test_check_speed.py        prints them
REFLOSS_SPEED_BARS=1 ...                                                            and holds them against the bar
"""

import importlib.util
import os
import pathlib
import subprocess
import sys
import time

import pytest

BAR = 2.0  # seconds beyond the import of the framework and the package
ROUNDS = 3
RATIOS = "REFLOSS_SPEED" in os.environ or "REFLOSS_SPEED_BARS" in os.environ
TESTS = pathlib.Path(__file__).parents[1]
# What is imported, and what follows `refloss check`.
CHECKS = {
    "NumPy, right": ("numpy", f"{TESTS}/smooth_numpy.py:smooth --as smooth_l1_loss --returns value_and_grad"),
    "torch, right": ("torch", f"{TESTS}/wrong_losses.py:focal_right --as focal_loss"),
    "torch, wrong": ("torch", f"{TESTS}/wrong_losses.py:focal_clipped_and_swapped --as focal_loss"),
    "torch, three faults": ("torch", f"{TESTS}/benchmarks/ciou_in_torch.py:three_faults --as ciou_loss"),
    "JAX, right": ("optax", "optax:sigmoid_focal_loss --as focal_loss --map labels=targets"),
}


def seconds(*words: str) -> float:
    """The least of several runs, in wall time, as a user sees it."""
    found = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        done = subprocess.run([sys.executable, *words], capture_output=True, text=True, check=False, timeout=120)
        found.append(time.perf_counter() - start)
        assert done.returncode in (0, 1), done.stderr  # 1: it was found wrong
    return min(found)


@pytest.mark.skipif(not RATIOS, reason="set REFLOSS_SPEED=1, or REFLOSS_SPEED_BARS=1 to hold the bar")
@pytest.mark.parametrize("what", CHECKS)
def test_check(what: str) -> None:
    module, check = CHECKS[what]
    if importlib.util.find_spec(module) is None:
        pytest.skip(f"{module} is not installed")
    alone = seconds("-c", f"import {module}")
    whole = seconds("-m", "refloss_conformance.cli", "check", *check.split())
    print(f"check, {what}: {whole:.2f} s, of which import {module} {alone:.2f} s: {whole - alone:.2f} s of ours (bar {BAR:g} s)")
    assert whole - alone <= BAR or "REFLOSS_SPEED_BARS" not in os.environ

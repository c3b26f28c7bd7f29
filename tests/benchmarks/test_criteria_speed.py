"""Speed and memory of whole criteria against torchvision's own compute_loss with autograd, in float32, forward and backward.

REFLOSS_SPEED=1 pytest -s -o addopts="" tests/benchmarks/test_criteria_speed.py    prints the ratios
REFLOSS_SPEED_BARS=1 ...                                                           and holds them against the bars

Both start from the same outputs and truths, and end with the gradient by the outputs; both match truths and priors on the way.
Memory is what the peak of a fresh process rises by while it does that once, after a small scene has loaded all code.
"""

import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from interleaved import medians

from refloss import criteria
from refloss.priors import SSD300, fcos_locations, retinanet_anchors, ssd_default_boxes

BARS = {"retinanet": 8.0, "ssd": 5.0, "fcos": None}
MEMORY_BAR = 1 / 3
RATIOS = "REFLOSS_SPEED" in os.environ or "REFLOSS_SPEED_BARS" in os.environ


def inputs(what: str, small: bool = False) -> dict[str, Any]:
    """RetinaNet and FCOS: two images of 800 x 1333, 91 classes. SSD300: 16 images, 90 classes and the background."""
    size = {"ssd": (300, 300)}.get(what, (64, 96) if small else (800, 1333))
    priors = {
        "ssd": lambda: ssd_default_boxes(**SSD300), "retinanet": lambda: retinanet_anchors(size), "fcos": lambda: fcos_locations(size),
    }[what]()  # fmt: skip
    images, objects, classes = (16, 8, 90) if what == "ssd" else (2, 20, 91)
    rng = np.random.default_rng(0)
    n = len(priors)
    outputs = {
        "classes": rng.standard_normal((images, n, classes + (what == "ssd")), np.float32) - np.float32(0 if what == "ssd" else 4),
        "codes": rng.standard_normal((images, n, 4), np.float32),
    }
    if what == "fcos":
        outputs["codes"] = np.abs(outputs["codes"])
        outputs["centerness"] = rng.standard_normal((images, n), np.float32)
    targets = []
    for _ in range(images):
        sides = rng.uniform(0.05, 0.6, (objects, 2)) * size[::-1]
        low = rng.random((objects, 2)) * (np.array(size[::-1]) - sides)
        boxes = np.concatenate([low, low + sides], axis=1).astype(np.float32)
        targets.append({"gt_boxes": boxes, "gt_labels": rng.integers(0, classes, objects)})
    return {"priors": priors, "outputs": outputs, "targets": targets, "classes": classes, "image_size": size}


def ours(what: str, given: dict[str, Any]) -> Callable[[], Any]:
    made = {"ssd": criteria.SSD, "retinanet": criteria.RetinaNet, "fcos": criteria.FCOS}[what]
    criterion = made(given["classes"], given["priors"], given["image_size"], dialect="torchvision")
    return lambda: criterion.value_and_grad(given["outputs"], given["targets"])


def torchvisions(what: str, given: dict[str, Any]) -> Callable[[], Any]:
    import torch

    from harnesses import torchvision_criteria

    leaves: dict[str, Any] = {part: torch.from_numpy(values).requires_grad_() for part, values in given["outputs"].items()}
    priors = torch.from_numpy(given["priors"])
    targets = [{"boxes": torch.from_numpy(t["gt_boxes"]), "labels": torch.from_numpy(t["gt_labels"])} for t in given["targets"]]

    def both_ways() -> Any:
        for leaf in leaves.values():
            leaf.grad = None
        terms = getattr(torchvision_criteria, what)(**leaves, targets=targets, priors=priors)
        sum(terms.values()).backward()
        return {term: value.item() for term, value in terms.items()}, {part: leaf.grad.numpy() for part, leaf in leaves.items()}

    return both_ways


def modules(what: str, given: dict[str, Any]) -> Callable[[], Any]:
    """refloss_torch's modules, as a training step uses them."""
    import torch

    import refloss_torch

    made = {"ssd": refloss_torch.SSD, "retinanet": refloss_torch.RetinaNet, "fcos": refloss_torch.FCOS}[what]
    module = made(given["classes"], given["priors"], given["image_size"], dialect="torchvision")
    leaves: dict[str, Any] = {part: torch.from_numpy(values).requires_grad_() for part, values in given["outputs"].items()}
    targets = [{key: torch.from_numpy(values) for key, values in t.items()} for t in given["targets"]]

    def both_ways() -> Any:
        for leaf in leaves.values():
            leaf.grad = None
        terms = module(leaves, targets)
        sum(terms.values()).backward()
        return {term: value.item() for term, value in terms.items()}, {part: leaf.grad.numpy() for part, leaf in leaves.items()}

    return both_ways


CONTENDERS = {"ours": ours, "module": modules, "torchvision": torchvisions}


@pytest.mark.parametrize("what", BARS)
def test_the_contenders_compute_the_same(what: str) -> None:
    given = inputs(what, small=True)
    (terms, gradient), *others = (contender(what, given)() for contender in CONTENDERS.values())
    for their_terms, their_gradient in others:
        for term, value in terms.items():
            assert value == pytest.approx(their_terms[term], rel=1e-5)
        for part, values in gradient.items():
            np.testing.assert_allclose(values, their_gradient[part], rtol=1e-4, atol=1e-5 * np.abs(values).max())


@pytest.mark.parametrize("what", BARS)
@pytest.mark.parametrize("who", CONTENDERS)
def test_criterion(benchmark: Any, what: str, who: str) -> None:
    benchmark.group = f"{what}, forward and backward"
    benchmark(CONTENDERS[who](what, inputs(what)))


def rise_of_the_peak(what: str, who: str) -> int:
    """Bytes, measured in this process; call it in a fresh one."""
    CONTENDERS[who](what, inputs(what, small=True))()
    run = CONTENDERS[who](what, inputs(what))
    status = open("/proc/self/status").read()  # noqa: PTH123, SIM115
    before = int(status.split("VmRSS:")[1].split()[0])
    with open("/proc/self/clear_refs", "w") as peak:  # noqa: PTH123
        peak.write("5")  # the peak starts anew from here
    found = run()
    status = open("/proc/self/status").read()  # noqa: PTH123, SIM115
    assert found
    return 1024 * (int(status.split("VmHWM:")[1].split()[0]) - before)


@pytest.mark.skipif(not RATIOS, reason="set REFLOSS_SPEED=1, or REFLOSS_SPEED_BARS=1 to hold the bars")
@pytest.mark.parametrize("what", BARS)
def test_ratio(what: str) -> None:
    given, bar = inputs(what), BARS[what]
    seconds = medians({who: contender(what, given) for who, contender in CONTENDERS.items()}, rounds=7)
    for who in ("ours", "module"):
        ratio = seconds["torchvision"] / seconds[who]
        said = "" if bar is None else f" (bar {bar} x)"
        print(f"\n{what}: {who} {seconds[who] * 1e3:.1f} ms, torchvision {seconds['torchvision'] * 1e3:.1f} ms: {ratio:.1f} x{said}")
        assert bar is None or ratio >= bar or "REFLOSS_SPEED_BARS" not in os.environ


@pytest.mark.skipif(not RATIOS or not sys.platform.startswith("linux"), reason="set REFLOSS_SPEED=1; it reads Linux's /proc")
@pytest.mark.parametrize("what", BARS)
def test_memory(what: str) -> None:
    peaks = {}
    for who in CONTENDERS:
        done = subprocess.run([sys.executable, __file__, what, who], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        peaks[who] = int(done.stdout)
    for who in ("ours", "module"):
        share = peaks[who] / peaks["torchvision"]
        bar = f" (bar {MEMORY_BAR:.2f})" if what == "retinanet" else ""
        print(f"\n{what}: {who} {peaks[who] / 1e6:.0f} MB, torchvision {peaks['torchvision'] / 1e6:.0f} MB: {share:.2f}{bar}")
        assert what != "retinanet" or share <= MEMORY_BAR or "REFLOSS_SPEED_BARS" not in os.environ


if __name__ == "__main__":
    print(rise_of_the_peak(sys.argv[1], sys.argv[2]))

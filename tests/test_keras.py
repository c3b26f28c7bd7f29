"""refloss_keras on every Keras backend that is installed. Keras chooses its backend at import: each runs in its own process."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import refloss
from refloss._engine.record import REGISTRY

BACKENDS = ("tensorflow", "jax", "torch")
WORKER = Path(__file__).with_name("keras_worker.py")
ROWS = 60
# Each test process starts two threads' worth of framework: one at a time, on one of pytest-xdist's workers.
pytestmark = pytest.mark.xdist_group("keras")


def inputs(loss, parameters, rng):
    """Random inputs that float32 holds exactly, then the edges: saturation, ties, touching, identical, empty, far boxes."""
    if loss.kind == "pairs":
        low, size = rng.uniform(0, 40, (2, ROWS, 2)), rng.uniform(1, 50, (2, ROWS, 2))
        x, t = np.concatenate([low, low + size], axis=2)
        unit = [0, 0, 4, 4]
        others = [[4, 0, 8, 4], [0, 0, 4, 4], [9, 9, 12, 13], [1, 1, 2, 2], [2, 2, 2, 2], [0, 0, 4, 2], [0, 0, 8, 8], [1, 2, 5, 2]]
        x, t = np.vstack([x, [unit] * 8, others]), np.vstack([t, others, [unit] * 8])
        x, t = np.vstack([x, [[2, 2, 2, 2]] * 2]), np.vstack([t, [[2, 2, 2, 2], [5, 5, 5, 5]]])
        edges = 18
        if parameters.get("box_format") == "cxcywh":
            x, t = (np.concatenate([(b[:, :2] + b[:, 2:]) / 2, b[:, 2:] - b[:, :2]], axis=1) for b in (x, t))
    elif loss.targets == "labels":
        x, t = rng.normal(size=(ROWS, 5)) * 10, rng.integers(-2 if loss.kind == "rows" else -1, 5, ROWS)
        t[t == -1] = -1 if loss.kind == "labels" else 0
        x = np.vstack([x, np.zeros((1, 5)), [[200, -200, 0, 0, 0]] * 3])
        t, edges = np.append(t, [1, 0, 1, -2]), 4
    else:
        x, t = rng.normal(size=ROWS) * 20, rng.uniform(size=ROWS)
        t[:20], t[20:40] = 0, 1
        x = np.append(x, [0, 0, 0, 1, 200, 200, -200, -200, 85, -85, 1])
        t = np.append(t, [0, 1, 0.5, 1, 0, 1, 0, 1, 1, 0, 0])
        edges = 11
    labels = loss.targets == "labels"
    return x.astype(np.float32).astype(float), t if labels else t.astype(np.float32).astype(float), edges


def scales(loss, parameters, x, t, edges):
    """How far value and gradient move when the inputs do, by perturbation: an estimate of the condition scale.

    The edges stay put: at a kink the gradient jumps, and their numbers are small integers.
    """
    value, gradient = loss.value_and_grad(x, t, **parameters)
    value_scale, gradient_scale, rng = np.abs(value), np.abs(gradient), np.random.default_rng(8)
    for _ in range(8):
        moved = [a * (1 + 1e-7 * rng.choice([-1, 1], a.shape)) if a.dtype.kind == "f" else a for a in (x, t)]
        for now, then in zip(moved, (x, t), strict=True):
            now[-edges:] = then[-edges:]
        v, g = loss.value_and_grad(moved[0], np.clip(moved[1], 0, 1) if loss.targets == "unit" else moved[1], **parameters)
        value_scale = np.maximum(value_scale, np.abs(v - value) * 1e7)
        gradient_scale = np.maximum(gradient_scale, np.abs(g - gradient) * 1e7)
    if loss.kind == "pairs":  # 1 - IoU is no better than its parts, which are of the order of 1
        value_scale[-edges:], gradient_scale[-edges:] = np.maximum(value_scale[-edges:], 1), np.maximum(gradient_scale[-edges:], 1)
    if loss.targets == "labels":  # exp(x) has a relative error of |x| eps
        value_scale[-edges:] *= np.maximum(1, np.abs(x[-edges:]).max(axis=-1)).reshape(-1, *(1,) * (value.ndim - 1))
        gradient_scale[-edges:] *= np.maximum(1, np.abs(x[-edges:]).max(axis=-1, keepdims=True))
    if loss.kind != "elementwise":  # a row is one computation
        gradient_scale = np.broadcast_to(gradient_scale.max(axis=-1, keepdims=True), gradient.shape)
    return value, gradient, value_scale, gradient_scale


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    """The core's values and gradients in float64, with their condition scales."""
    rng, arrays = np.random.default_rng(7), {}
    for name, loss in REGISTRY.items():
        for index, parameters in enumerate(loss.settings):
            x, t, edges = inputs(loss, parameters, rng)
            value, gradient, value_scale, gradient_scale = scales(loss, parameters, x, t, edges)
            for key, array in zip(
                ("first", "second", "value", "gradient", "value_scale", "gradient_scale"),
                (x, t, value, gradient, value_scale, gradient_scale),
                strict=True,
            ):
                arrays[f"{name}/{index}/{key}"] = array
    path = tmp_path_factory.mktemp("keras") / "reference.npz"
    np.savez(path, **arrays)
    return path


@pytest.mark.parametrize("part", ["numbers", "behaviour"])
@pytest.mark.parametrize("backend", BACKENDS)
def test_backend(backend, part, reference):
    for package in ("keras", backend):
        if importlib.util.find_spec(package) is None:
            pytest.skip(f"{package} is not installed")
    paths = [p for p in sys.path if p]
    environment = {
        **os.environ,
        "KERAS_BACKEND": backend,
        "JAX_ENABLE_X64": "1" if part == "numbers" else "0",
        "JAX_PLATFORMS": "cpu",
        "CUDA_VISIBLE_DEVICES": "",
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "PYTHONPATH": os.pathsep.join(paths),
    }
    done = subprocess.run(
        [sys.executable, str(WORKER), part, str(reference)], env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr[-6000:]}"
    assert done.stdout.rstrip().endswith("checks passed"), done.stdout


def test_every_loss_has_a_function_and_a_class():
    """Read, not imported: Keras would choose a backend in this process."""
    source = Path(importlib.util.find_spec("refloss_keras").origin).read_text(encoding="utf-8")
    for name in REGISTRY:
        assert f'{name} = _function("{name}")' in source
        assert f', "{name}")' in source
    assert refloss.IGNORE == -2

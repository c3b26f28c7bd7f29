"""refloss_keras.criteria on every Keras backend that is installed. Keras chooses its backend at import: each runs in its own process."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

BACKENDS = ("tensorflow", "jax", "torch")
WORKER = Path(__file__).with_name("keras_worker.py")
# Each test process starts two threads' worth of framework: one at a time, on one of pytest-xdist's workers.
pytestmark = pytest.mark.xdist_group("keras")


@pytest.mark.parametrize("backend", BACKENDS)
def test_backend(backend, tmp_path):
    for package in ("keras", backend):
        if importlib.util.find_spec(package) is None:
            pytest.skip(f"{package} is not installed")
    reference = tmp_path / "reference.npz"
    np.savez(reference)  # the worker's checks ask the NumPy criteria themselves
    environment = {
        **os.environ,
        "KERAS_BACKEND": backend,
        "JAX_ENABLE_X64": "0",
        "JAX_PLATFORMS": "cpu",
        "CUDA_VISIBLE_DEVICES": "",
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "XLA_FLAGS": "--xla_backend_optimization_level=0",  # most of the time here is XLA's: a third without what makes it fast
        "PYTHONPATH": os.pathsep.join(p for p in sys.path if p),
    }
    done = subprocess.run(
        [sys.executable, str(WORKER), "criteria", str(reference)], env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr[-6000:]}"
    assert done.stdout.rstrip().endswith("checks passed"), done.stdout

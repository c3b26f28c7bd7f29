"""How frameworks are asked for gradients: JAX compiles a callable as one where it can, torch imports nothing more for them."""

import importlib.util
import pathlib
import subprocess
import sys

import pytest

HERE = pathlib.Path(__file__).parent


@pytest.mark.skipif(importlib.util.find_spec("jax") is None, reason="jax is not installed")
def test_jax() -> None:
    """In a process of its own: where JAX runs, nothing may fork any more."""
    words = ["-m", "pytest", "-q", "-W", "error", "-o", "addopts=", "-p", "no:cacheprovider", str(HERE / "jax_frameworks.py")]
    done = subprocess.run([sys.executable, *words], capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]


def test_torch_imports_no_more() -> None:
    """A gradient does not import sympy, which takes half a second."""
    pytest.importorskip("torch")
    lines = "import sys, numpy as np, torch; from refloss_conformance.frameworks import Torch; x = np.ones(3, np.float32)"
    lines += "; found = Torch().run(lambda a, b: a * a * b, x, x, True); print(found.gradient, 'sympy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", lines], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[2. 2. 2.] False"

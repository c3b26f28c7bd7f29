"""The coders on CUDA without a GPU: every coding compiles to PTX for two generations; the simulator gives the CPU's bits."""

import importlib.util
import os
import pathlib
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from coder_inputs import MODES
from test_cuda import no_driver, pairs

from refloss._engine.coding import Coding

pytestmark = pytest.mark.skipif(importlib.util.find_spec("numba_cuda") is None, reason="numba-cuda is not installed")
assert no_driver


def ptx(coding: Coding, mode: int, dtype: Any, cc: tuple[int, int]) -> str:
    from numba import cuda
    from numba.cuda import types

    from refloss._engine.cpu_codes import PARAMS
    from refloss._engine.cuda import source

    scalar = types.float32 if dtype is np.float32 else types.float64
    rows = types.Array(scalar, 2, "C")
    signature = types.void(rows, rows, types.UniTuple(scalar, PARAMS), rows, rows, rows)
    text, _ = cuda.compile_ptx(source(coding, mode, dtype), signature, cc=cc)
    return str(text)


@pytest.mark.usefixtures("no_driver")
@pytest.mark.parametrize("key", MODES, ids=lambda key: f"{key[0]}-{key[1]}")
def test_ptx(key: Any) -> None:
    for cc in ((8, 0), (9, 0)):
        text = ptx(MODES[key][0], key[1], np.float32, cc)
        assert f".target sm_{cc[0]}{cc[1]}" in text
        assert ".f64" not in text
        assert not pairs(text)
        assert "sqrt.approx" not in text
        assert "div.full" not in text
    assert not pairs(ptx(MODES[key][0], key[1], np.float64, (9, 0)))


def test_simulated_cuda_has_the_bits_of_the_cpu(tmp_path: pathlib.Path) -> None:
    """Results and gradients of every coding and mode, with priors that are shared by several rows."""
    script = pathlib.Path(__file__).with_name("coder_worker.py")
    outputs = []
    for side in ("cpu", "simulator"):
        environment = {**os.environ, "NUMBA_ENABLE_CUDASIM": "1" if side == "simulator" else "0"}
        outputs.append(tmp_path / f"{side}.npz")
        done = subprocess.run([sys.executable, script, side, outputs[-1]], env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    with np.load(outputs[0]) as cpu, np.load(outputs[1]) as simulator:
        assert len(cpu.files) == 8 * len(MODES)
        for name in cpu.files:
            np.testing.assert_array_equal(cpu[name], simulator[name], err_msg=name)
            assert name.endswith("-0-grad") or np.ptp(cpu[name]) > 0, name

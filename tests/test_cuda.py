"""CUDA without a GPU: every kernel compiles to PTX for two generations with no driver; the simulator runs the loops."""

import importlib.util
import os
import pathlib
import re
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from refloss._engine.record import REGISTRY

needs_numba_cuda = pytest.mark.skipif(importlib.util.find_spec("numba_cuda") is None, reason="numba-cuda is not installed")
MODES = {}
for _loss in REGISTRY.values():
    for _parameters in _loss.settings:
        MODES.setdefault((_loss.name, _loss.setting(**_parameters).mode), _loss)


def ptx(loss: Any, mode: int, dtype: Any, cc: tuple[int, int]) -> str:
    from numba import cuda
    from numba.cuda import types

    from refloss._engine.cuda import source

    scalar = types.float32 if dtype is np.float32 else types.float64
    first = types.Array(scalar, 1 if loss.kind == "elementwise" else 2, "C")
    second = types.Array(types.int64, 1, "C") if loss.targets == "labels" else first
    line = types.Array(scalar, 1, "C")
    signature = types.void(first, second, types.UniTuple(scalar, 8), line, line, scalar, line, first, types.Array(scalar, 2, "C"))
    text, _ = cuda.compile_ptx(source(loss, mode, dtype), signature, cc=cc)
    return str(text)


@pytest.fixture
def no_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    """Numba asks the current device for its generation whenever a kernel calls a function; answer without a driver."""
    import numba.cuda

    class Device:
        compute_capability, id = (9, 0), 0

    for name, module in list(sys.modules.items()):
        if name.startswith("numba") and hasattr(module, "get_current_device"):
            monkeypatch.setattr(module, "get_current_device", Device)
    assert numba.cuda


def pairs(text: str) -> list[str]:
    """Additions that use the result of a multiplication: what the assembler would contract."""
    products: dict[str, bool] = {}
    found = []
    for line in text.splitlines():
        match = re.match(r"\s*([\w.]+)\s+(%\w+), ([^;]*);", line)
        if match:
            operation, result, operands = match.groups()
            if re.match(r"(add|sub)(\.rn)?\.f(32|64)", operation) and any(products.get(o) for o in re.findall(r"%\w+", operands)):
                found.append(line)
            products[result] = re.match(r"mul(\.rn)?\.f(32|64)", operation) is not None
    return found


@needs_numba_cuda
@pytest.mark.usefixtures("no_driver")
@pytest.mark.parametrize("key", MODES, ids=lambda key: f"{key[0]}-{key[1]}")
def test_ptx(key: Any) -> None:
    loss = MODES[key]
    for cc in ((8, 0), (9, 0)):
        text = ptx(loss, key[1], np.float32, cc)
        assert f".target sm_{cc[0]}{cc[1]}" in text
        assert ".f64" not in text
        assert not pairs(text)
        assert "atom" not in text
    assert not pairs(ptx(loss, key[1], np.float64, (9, 0)))


@needs_numba_cuda
@pytest.mark.usefixtures("no_driver")
def test_nothing_is_fused_behind_our_back() -> None:
    """L1's kernel has no fma: those of its loop are the products written with one, whose addend is zero."""
    text = ptx(REGISTRY["l1_loss"], 0, np.float32, (9, 0))
    assert re.findall(r"fma\.rn\.f32[^;]*", text)
    assert all(line.rstrip().endswith("0f00000000") for line in re.findall(r"fma\.rn\.f32[^;]*", text))


def test_the_pair_check_can_fail() -> None:
    assert pairs("mul.f32 %r3, %r1, %r2;\nadd.f32 %r5, %r3, %r4;")
    assert not pairs("mul.f32 %r3, %r1, %r2;\nadd.f32 %r5, %r6, %r4;")


@needs_numba_cuda
def test_simulated_cuda_has_the_bits_of_the_cpu(tmp_path: pathlib.Path) -> None:
    """Value, gradient and sums of every kind of loss, with weights, upstream and divisor, from both, compared bit by bit."""
    script = pathlib.Path(__file__).with_name("cuda_worker.py")
    outputs = []
    for side in ("cpu", "simulator"):
        environment = {**os.environ, "NUMBA_ENABLE_CUDASIM": "1" if side == "simulator" else "0"}
        outputs.append(tmp_path / f"{side}.npz")
        done = subprocess.run([sys.executable, script, side, outputs[-1]], env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    with np.load(outputs[0]) as cpu, np.load(outputs[1]) as simulator:
        assert len(cpu.files) >= 2 * len(REGISTRY)
        for name in cpu.files:
            np.testing.assert_array_equal(cpu[name], simulator[name], err_msg=name)
            assert np.ptp(cpu[name]) > 0, name

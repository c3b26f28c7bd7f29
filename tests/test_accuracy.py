"""The accuracy ledger holds: no loss, path or dtype is worse than tests/accuracy.toml says, nor above its bar."""

from typing import Any

import draws
import ledger
import ml_dtypes
import numpy as np
import pytest

import refloss  # noqa: F401  registers the losses
from refloss._engine.record import REGISTRY
from refloss_conformance import vectors

NAMES = sorted(REGISTRY)
HALVES = {"float16": np.float16, "bfloat16": ml_dtypes.bfloat16}


def check(name: str, dtype: str, figures: ledger.Figures, what: str) -> None:
    rows = ledger.recorded().get(name, {})
    for (path, figure), worst in figures.items():
        limit = rows.get(path, {}).get(dtype, {}).get(figure)
        assert limit is not None, f"{name}.{path}.{dtype}.{figure} is not in the ledger; run python tests/ledger.py"
        bar = ledger.bar(REGISTRY[name], figure)
        allowed = min(limit * ledger.SLACK, bar)
        assert worst <= allowed, f"{name}.{path}.{dtype}: {figure} is {worst:.3g} eps over {what}; recorded {limit}, bar {bar}"


@pytest.mark.parametrize("dtype", ledger.DTYPES)
@pytest.mark.parametrize("name", NAMES)
def test_vectors(name: str, dtype: str) -> None:
    check(name, dtype, ledger.over_vectors(name, dtype), "the golden vectors")


@pytest.mark.skipif(not ledger.EXTENDED, reason="np.longdouble has not 80 bits here, so there is no reference for random inputs")
@pytest.mark.parametrize("dtype", ledger.DTYPES)
@pytest.mark.parametrize("name", NAMES)
def test_random_inputs(name: str, dtype: str) -> None:
    check(name, dtype, ledger.over_random(name, dtype), "random inputs")


def test_the_ledger_lists_every_loss_and_no_other() -> None:
    assert sorted(ledger.recorded()) == NAMES


def test_recorded_figures_are_below_their_bars() -> None:
    for name, paths in ledger.recorded().items():
        for path, dtypes in paths.items():
            for dtype, row in dtypes.items():
                for figure, worst in row.items():
                    if figure != "reason":
                        assert worst <= ledger.bar(REGISTRY[name], figure), f"{name}.{path}.{dtype}.{figure}"


@pytest.mark.parametrize("dtype", ledger.DTYPES)
@pytest.mark.parametrize("name", NAMES)
def test_random_inputs_are_spread(name: str, dtype: str) -> None:
    """Test data that is constant, one-sided or the same each time proves nothing."""
    total = 0
    for _, first, second in ledger.random_inputs(name, dtype, 20_000):
        total += first.shape[0]
        assert first.dtype == dtype
        assert (first > 0).any()
        assert (first < 0).any()
        assert np.unique(first).size > 0.9 * first.size
        assert np.unique(second).size >= min(3, second.shape[0])
        sizes = np.abs(first[first != 0])
        assert np.quantile(sizes, 0.95) / np.quantile(sizes, 0.05) > 30
    assert total >= 0.9 * 20_000 / (9 if REGISTRY[name].kind == "labels" else 1)
    chunks = [next(ledger.random_inputs(name, dtype, 100))[1] for _ in range(2)]
    np.testing.assert_array_equal(chunks[0], chunks[1])


@pytest.mark.parametrize("name", NAMES)
def test_the_ledger_sees_a_wrong_kernel(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A relative error of 1e-5 in what a loss answers is found in every figure of the kernel."""
    loss = REGISTRY[name]
    answer = loss.value_and_grad

    def perturbed(*args: Any, **options: Any) -> Any:
        value, gradient = answer(*args, **options)
        return value * (1 + 1e-5), gradient * (1 + 1e-5)

    monkeypatch.setattr(loss, "value_and_grad", perturbed, raising=False)
    for (path, figure), worst in ledger.over_vectors(name, "float32").items():
        assert (worst > ledger.bar(loss, figure)) == (path == "kernel"), f"{path} {figure}: {worst}"


def ulps_apart(a: Any, b: Any) -> Any:
    """How many numbers of their 16-bit type lie between a and b; 0 for NaN and NaN."""
    orders = []
    for x in (a, b):
        bits = x.view(np.int16).astype(np.int32)
        orders.append(np.where(bits < 0, -(bits & 0x7FFF), bits))
    return np.where(np.isnan(a.astype(np.float32)) & np.isnan(b.astype(np.float32)), 0, np.abs(orders[0] - orders[1]))


@pytest.mark.parametrize("dtype", HALVES)
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.filterwarnings("ignore:overflow encountered")
def test_half_precision_is_float32_rounded_once(name: str, dtype: str) -> None:
    loss, golden, half = REGISTRY[name], vectors.load(name), HALVES[dtype]
    rng = draws.generator(name, dtype)
    seen = 0
    for group in golden.groups:
        inputs = [(batch.first, batch.second) for batch in vectors.batches(golden, group, dtype)]
        a, b = draws.draw(loss, group.parameters, 2000, "float32", rng)
        if loss.kind == "pairs" and group.parameters["box_format"] == "xyxy":
            a, b = (np.clip(x, -3e4, 3e4) for x in (a, b))
        inputs.append((a.astype(half), b if b.dtype.kind == "i" else b.astype(half)))
        for first, second in inputs:
            value, gradient = loss.value_and_grad(first, second, **group.parameters)
            wide = second if second.dtype.kind == "i" else second.astype(np.float32)
            want, want_gradient = loss.value_and_grad(first.astype(np.float32), wide, **group.parameters)
            assert value.dtype == gradient.dtype == half
            assert ulps_apart(value, want.astype(half)).max(initial=0) <= 1
            assert ulps_apart(gradient, want_gradient.astype(half)).max(initial=0) <= 1
            seen += first.shape[0]
    assert seen > 1000

"""JAX compiles a callable as one where it can: run by test_frameworks.py in a process of its own, since JAX forbids forks."""

import numpy as np
import pytest

from refloss_conformance.asking import Outcome
from refloss_conformance.gradients import UPSTREAM
from refloss_conformance.jax_arrays import Jax
from refloss_conformance.third_party import Request, run

jax = pytest.importorskip("jax")
jnp = jax.numpy


def focal(x, t):  # type: ignore[no-untyped-def]
    p = jax.nn.sigmoid(x)
    return -(t * (1 - p) ** 2 * jax.nn.log_sigmoid(x) + (1 - t) * p**2.5 * jax.nn.log_sigmoid(-x))


def asks(x, t):  # type: ignore[no-untyped-def]
    """A condition on a number: it cannot be traced."""
    return focal(x, t) if float(t.sum()) > 0 else -focal(x, t)


def overflows(x, t):  # type: ignore[no-untyped-def]
    """Infinite and NaN from about 90: what a compiler that rewrites log(exp(x)) would hide."""
    return jnp.log(jnp.exp(x)) + jnp.exp(x) * jnp.exp(-x) * t


def inputs(dtype: str, n: int = 100) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(1)
    return (rng.standard_normal(n) * 40).astype(dtype), (rng.random(n) < 0.3).astype(dtype)


def alike(a: Outcome, b: Outcome) -> None:
    """Up to the rounding of sums of products, which some operations of JAX contract; NaN and infinities in the same places."""
    for one, two in zip(a, b, strict=True):
        assert one is not None and two is not None and one.dtype == two.dtype
        np.testing.assert_allclose(one, two, rtol=4 * np.finfo(one.dtype).eps, atol=0)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("function", [focal, overflows], ids=lambda f: f.__name__)
@pytest.mark.parametrize("n", [1, 3, 100])
def test_as_one_or_one_by_one(function, n, dtype) -> None:  # type: ignore[no-untyped-def]
    as_one, one_by_one = Jax(), Jax(whole=False)
    alike(as_one.run(function, *inputs(dtype, n), True), one_by_one.run(function, *inputs(dtype, n), True))
    assert as_one.whole
    if function is overflows and n == 100:
        assert not np.isfinite(as_one.run(function, *inputs("float32", n), True).value).all()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_what_is_expected_is_compiled_meanwhile(dtype: str) -> None:
    """And answers as what is not; also where labels become int32. One that cannot be traced is asked in the end as it is."""
    calls = []

    def once(x, t):  # type: ignore[no-untyped-def]
        calls.append(type(x))
        return focal(x, jnp.where(t == 1, 1.0, 0.0))

    (x, t), framework = inputs(dtype), Jax()
    labels = t.astype(np.int64)
    framework.expect(once, x, labels)
    assert len(calls) == 1
    alike(framework.run(once, x, labels, True), Jax(whole=False).run(focal, x, t, True))
    assert len(calls) == 1 and framework.whole
    framework.expect(asks, x, t)
    alike(framework.run(asks, x, t, True), Jax(whole=False).run(focal, x, t, True))


def test_one_that_exits_is_reported(tmp_path, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    """Also where it is traced before it is asked: the rest is judged, and the check does not end with its code."""
    lines = ["import sys, jax.numpy as jnp", "def l1(predictions, targets, beta):", "    if beta == 0: sys.exit()"]
    (tmp_path / "exits.py").write_text("\n".join([*lines, "    return 1.5 * jnp.abs(predictions - targets)"]))
    monkeypatch.syspath_prepend(str(tmp_path))
    report = run(Request("exits:l1", "smooth_l1_loss", arrays="jax"))
    assert not report["strict"] and {group["status"] for group in report["groups"]} == {"run", "errored"}


def test_codes() -> None:
    x, t = (a.reshape(-1, 4) for a in inputs("float32"))
    alike(*(one.run(lambda x, t: x * t + x[:, ::-1], x, t, True, UPSTREAM) for one in (Jax(), Jax(whole=False))))


def test_what_cannot_be_traced() -> None:
    """It is asked as it is, from then on; but an error of its own says nothing of tracing."""
    found = Jax()
    for _ in range(2):
        alike(found.run(asks, *inputs("float32"), True), Jax(whole=False).run(focal, *inputs("float32"), True))
    assert not found.whole
    found = Jax()
    with pytest.raises(ZeroDivisionError):
        found.run(lambda x, t: 1 / 0, *inputs("float32"), True)
    assert found.whole


@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_a_reduction_with_its_own_gradient_is_right(reduction: str) -> None:
    """A batch is padded, and asked again as it is: the gradient is that of the second call."""
    spec = f"wrong_losses:l1_{reduction}_with_gradient"
    report = run(Request(spec, "l1_loss", returns="value_and_grad", reduction=reduction, arrays="jax"))
    assert report["strict"] and not report["findings"]

"""The checker's own parts: verdicts, backends that break, callables in every framework, mappings, files."""

import json
import math
import os
import pathlib
import subprocess
import sys
import textwrap

import numpy as np
import pytest

from refloss._engine.record import REGISTRY
from refloss_conformance import own, third_party
from refloss_conformance.backends import BACKENDS, Backend
from refloss_conformance.cases import batches
from refloss_conformance.golden import errors, golden
from refloss_conformance.jsonable import dumps
from refloss_conformance.vectors import words
from refloss_conformance.verdict import judge, symptom


def test_a_broken_backend_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    """One value of one case, wrong by 1 %, is a failure; a backend that raises is an error; both are not a pass."""

    right = BACKENDS["formula"].compute

    def off(batch):  # type: ignore[no-untyped-def]
        value, gradient = right(batch)
        value = value.copy()
        value.ravel()[-1] += 1.0
        return value, gradient

    def broken(batch):  # type: ignore[no-untyped-def]
        raise RuntimeError("no luck today")

    for compute, verdict in ((off, "fail"), (broken, "error")):
        monkeypatch.setitem(BACKENDS, "formula", Backend("formula", "formula", lambda: None, compute))
        report = own.check(["l1_loss"], ["formula"], ["float64"])
        assert not report.passed and report.rows[0].verdict == verdict


def test_zero_cases_do_not_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(BACKENDS, "formula", Backend("formula", "formula", lambda: "gone away", BACKENDS["formula"].compute))
    report = own.check(["l1_loss"], ["formula"], ["float64"])
    assert report.cases == 0 and not report.passed and report.absent == {"formula": "gone away"}


def test_a_dying_process_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """The keras backends run elsewhere: a name that the process does not know ends it, and every loss is accounted for."""
    backend = Backend("no-such-backend", "portable", lambda: None, BACKENDS["formula"].compute, {})
    monkeypatch.setitem(BACKENDS, backend.name, backend)
    report = own.check(["l1_loss", "huber_loss"], [backend.name], ["float64"])
    assert [row.verdict for row in report.rows] == ["error", "error"] and "ended with code 1" in str(report.rows[0].error)


def test_errors() -> None:
    wanted = golden(words(["1.0", "1e-30", "0.0", "1e39"]), np.zeros(4))
    got = errors(wanted, np.array([1 + 2.0**-23, math.nan, 2.0**-149, math.inf]), "float32", aware=False)
    assert got[0] == pytest.approx(1.0) and got[1] == math.inf and got[2] == pytest.approx(1.0) and got[3] == 0


def test_kinks_accept_the_interval() -> None:
    wanted = golden(words(["0.0"] * 4), np.ones(4), words(["-1.0"] * 4), words(["1.0"] * 4))
    got = errors(wanted, np.array([-1.0, 0.3, 1.0, 1.5]), "float64", aware=True)
    assert (got[:3] == 0).all() and got[3] > 1e14


def test_tiers() -> None:
    """A relative error of 3e-4 fails strictly and does not matter in training; one of 1e-2 fails both."""
    batch = next(b for b in batches("focal_loss", ("float32",)) if b.parameters == {"alpha": 0.25, "gamma": 2.0})
    batch = batch.take(np.flatnonzero(batch.with_kind("basic"))[:10])
    for off, training in ((3e-4, False), (1e-2, True)):
        result = judge(batch, batch.value.number, batch.gradient.number * (1 + off), boxes=False)
        assert result.gradient is not None and result.gradient.strict.any() and result.gradient.training.any() == training
        assert not result.value.strict.any()


def test_symptoms() -> None:
    pairs = [(math.nan, 1.0), (math.inf, 1.0), (0.0, 1.0), (-1.0, 1.0), (20.0, 1.0), (1.1, 1.0), (0.5, 0.0)]
    seen = [symptom(*pair) for pair in pairs]
    assert seen == ["NaN", "infinite", "vanishes", "wrong sign", "far too large", "off by 10 %", "not zero"]


def test_json_has_no_bare_nan() -> None:
    assert json.loads(dumps({"x": [math.nan, math.inf, -math.inf, 1.5]})) == {"x": ["nan", "inf", "-inf", 1.5]}


def checked(function: str, loss: str, **more: object) -> dict:  # type: ignore[type-arg]
    return third_party.run(third_party.Request(f"my_losses:{function}", loss, **more))  # type: ignore[arg-type]


MINE = """
    import numpy as np

    def value(p, t, beta=1.0):
        d = np.abs(p - t)
        return np.where(d < beta, 0.5 * d * d / (beta or 1), d - beta / 2)

    def both(p, t, beta=1.0):
        d = p - t
        return value(p, t, beta), np.where(np.abs(d) < beta, d / (beta or 1), np.sign(d))

    def one_gradient_wrong(p, t, beta=1.0):
        return value(p, t, beta), np.sign(p - t)

    def positional(p, t, /):
        return value(p, t)

    def crossed(logits, targets, alpha):  # its alpha is our gamma
        p, q = np.exp(-np.logaddexp(0, -logits)), np.exp(-np.logaddexp(0, logits))
        entropy = targets * np.logaddexp(0, -logits) + (1 - targets) * np.logaddexp(0, logits)
        return (0.75 - 0.5 * targets) * (targets * q + (1 - targets) * p) ** alpha * entropy

    def anything(*args, **kwargs):
        return value(kwargs["predictions"], kwargs["targets"], kwargs.get("beta", 1.0))

    class Callable:
        def __init__(self, scale=1.0):
            self.scale = scale

        def __call__(self, pred, target, beta=1.0):
            return self.scale * value(pred, target, beta)
"""


@pytest.fixture
def mine(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "my_losses.py").write_text(textwrap.dedent(MINE), "utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "my_losses", raising=False)


@pytest.mark.usefixtures("mine")
def test_numpy_callables() -> None:
    mapping = {"p": "predictions", "t": "targets"}
    report = checked("value", "smooth_l1_loss", mapping=mapping)
    assert report["strict"] and report["gradient"] is None and report["arrays"] == "numpy" and "no autodiff" in report["gradients"]
    report = checked("both", "smooth_l1_loss", mapping=mapping, returns="value_and_grad")
    assert report["strict"] and report["gradient"]["cases"] == report["value"]["cases"]
    report = checked("one_gradient_wrong", "smooth_l1_loss", mapping=mapping, returns="value_and_grad")
    assert not report["strict"] and report["value"]["strict"]["passed"] and not report["gradient"]["training"]["passed"]


@pytest.mark.usefixtures("mine")
def test_mappings() -> None:
    report = checked("positional", "smooth_l1_loss", mapping={"p": "predictions", "t": "targets"})
    ran = [group["parameters"] for group in report["groups"] if group["status"] == "run"]
    assert report["strict"] and ran == [{"beta": 1.0}]
    assert all("no such argument" in group["reason"] for group in report["groups"] if group["status"] == "skipped")
    assert checked("Callable", "smooth_l1_loss")["strict"]
    report = checked("Callable", "smooth_l1_loss", init={"scale": 2.0})
    assert [one["names"] for one in report["deviations"]] == [["constant_factor"]]
    assert checked("anything", "smooth_l1_loss")["cases"] > 50
    report = checked("crossed", "focal_loss", mapping={"alpha": "gamma"}, only={"alpha": 0.25})
    ran = [group["parameters"] for group in report["groups"] if group["status"] == "run"]
    assert report["arguments"] == {"logits": "logits", "targets": "targets", "gamma": "alpha"} and report["value"]["training"]["passed"]
    assert {one["alpha"] for one in ran} == {0.25} and len({one["gamma"] for one in ran}) > 1


@pytest.mark.usefixtures("mine")
def test_a_file(tmp_path: pathlib.Path) -> None:
    request = third_party.Request(f"{tmp_path}/my_losses.py:value", "smooth_l1_loss", {"p": "predictions", "t": "targets"})
    assert third_party.run(request)["strict"]


REAL = {
    "jax": ("optax:sigmoid_focal_loss", ["--as", "focal_loss", "--map", "labels=targets", "--param", "gamma=2.0"], 0, None),
    "tensorflow": (
        "tensorflow.nn:sigmoid_cross_entropy_with_logits",
        ["--as", "binary_cross_entropy", "--map", "labels=targets", "--tier", "training"], 0, None,
    ),
    "keras": (
        "keras.losses:binary_focal_crossentropy",
        ["--as", "focal_loss", "--map", "y_true=targets,y_pred=logits", "--set", "from_logits=True"], 1, "probability_clipped",
    ),
}  # fmt: skip


@pytest.mark.parametrize("framework", REAL)
def test_real_packages(framework: str, tmp_path: pathlib.Path) -> None:
    """In a process of its own: the frameworks do not share one well."""
    pytest.importorskip(framework)
    target, arguments, code, named = REAL[framework]
    path = tmp_path / "report.json"
    line = [sys.executable, "-m", "refloss_conformance.cli", "check", target, *arguments, "--json", str(path)]
    search = os.pathsep.join(p for p in sys.path if p)
    environment = {**os.environ, "KERAS_BACKEND": "torch", "TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONPATH": search}
    done = subprocess.run(line, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == code, done.stderr[-2000:] + done.stdout[-3000:]
    report = json.loads(path.read_text("utf-8"))
    assert report["gradient"]["cases"] == report["cases"] > 100
    if named:
        assert any(named in one["names"] and "alpha_ignored" in one["names"] for one in report["deviations"])


def test_every_loss_has_a_limit_on_every_path() -> None:
    from refloss_conformance.limits import limit

    for loss in REGISTRY.values():
        for path in ("kernel", "formula", "portable", "third_party"):
            for parameters in loss.settings:
                for dtype in ("float64", "float16"):
                    assert 0 < limit(path, loss, parameters, dtype).eps <= 64

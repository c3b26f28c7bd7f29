"""The command: exit codes, sentences for every mistake, JSON that its schema describes, and what is printed."""

import json
import pathlib

import jsonschema
import pytest

import refloss_conformance
from refloss._engine.record import REGISTRY
from refloss_conformance.cli import main
from refloss_conformance.options import literal

SCHEMA = json.loads((pathlib.Path(refloss_conformance.__file__).parent / "schema" / "report.json").read_text("utf-8"))
ONE = ["--loss", "l1_loss", "--backend", "formula", "--dtype", "float32"]
SMOOTH = ["check", "wrong_losses:smooth_right", "--as", "smooth_l1_loss"]


def words(capsys: pytest.CaptureFixture[str], given: list[str], code: int) -> tuple[str, str]:
    """What the command prints; its exit code must be the stated one."""
    assert main(given) == code
    return capsys.readouterr()


def test_own_backend(capsys: pytest.CaptureFixture[str]) -> None:
    out, _ = words(capsys, ["check", *ONE], 0)
    assert "l1_loss" in out and "formula" in out and "all passed" in out


def test_own_backends_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    out, _ = words(capsys, ["check", *ONE, "--json", "-"], 0)
    report = json.loads(out)
    jsonschema.validate(report, SCHEMA)
    assert report["passed"] and report["cases"] == report["rows"][0]["cases"] > 20


def test_callable(capsys: pytest.CaptureFixture[str], tmp_path: pathlib.Path) -> None:
    path = tmp_path / "report.json"
    out, _ = words(capsys, [*SMOOTH, "--json", str(path)], 0)
    assert "conforms" in out and "beta=0.1" in out
    report = json.loads(path.read_text("utf-8"))
    jsonschema.validate(report, SCHEMA)
    assert report["strict"] and report["training"] and report["known"] == "right"
    assert report["command"].startswith("refloss check wrong_losses:smooth_right")


def test_broken_callable_fails_and_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    out, _ = words(capsys, ["check", "wrong_losses:huber", "--as", "smooth_l1_loss", "--dtype", "float64"], 1)
    assert "huber_for_smooth_l1" in out and "got" in out and "wanted" in out and "does not conform" in out
    report = json.loads(words(capsys, ["check", "wrong_losses:huber", "--as", "smooth_l1_loss", "--json", "-"], 1)[0])
    jsonschema.validate(report, SCHEMA)
    assert [one["names"] for one in report["deviations"]] == [["huber_for_smooth_l1"]]


def test_restricted_settings_are_said(capsys: pytest.CaptureFixture[str]) -> None:
    out, _ = words(capsys, ["check", "wrong_losses:huber", "--as", "smooth_l1_loss", "--param", "beta=1"], 0)
    assert "ran 1 of 5" in out and "--param says otherwise" in out
    out, _ = words(capsys, ["check", "torch.nn.functional:l1_loss", "--as", "l1_loss", "--set", "reduction=none"], 0)
    assert "input=predictions" in out and "target=targets" in out


@pytest.mark.filterwarnings("ignore")
def test_class_with_init(capsys: pytest.CaptureFixture[str]) -> None:
    out, _ = words(capsys, ["check", "torch.nn:SmoothL1Loss", "--as", "smooth_l1_loss", "--init", "reduction=none", "--init", "beta=0.1",
                            "--param", "beta=0.1"], 0)  # fmt: skip
    assert "ran 1 of 5" in out


MISTAKES = [
    (["check", "--loss", "no_such_loss"], "there is no loss 'no_such_loss'"),
    (["check", "--backend", "abacus"], "there is no backend 'abacus'"),
    (["check", "--dtype", "float8"], "there is no dtype 'float8'"),
    (["check", "--as", "focal_loss"], "--as needs a MODULE:CALLABLE"),
    (["check", "math:sqrt"], "--as LOSS"),
    (["check", "math:sqrt", "--as", "no_such_loss"], "there is no loss"),
    (["check", "math", "--as", "l1_loss"], "names no callable"),
    (["check", "math:pi", "--as", "l1_loss"], "not a callable"),
    (["check", "no_such_module:f", "--as", "l1_loss"], "there is no module 'no_such_module'"),
    (["check", "no_such_file.py:f", "--as", "l1_loss"], "there is no file"),
    (["check", "wrong_losses:hubr", "--as", "l1_loss"], "has no 'hubr'"),
    ([*SMOOTH, "--map", "beta"], "--map beta: the form is"),
    ([*SMOOTH, "--map", "predictions=logits"], "smooth_l1_loss has no 'logits'"),
    ([*SMOOTH, "--map", "y=targets"], "has no argument 'y'"),
    ([*SMOOTH, "--set", "z=1"], "has no argument 'z'"),
    ([*SMOOTH, "--param", "gamma=1"], "has no parameter 'gamma'"),
    ([*SMOOTH, "--param", "beta=77"], "no golden vectors of smooth_l1_loss have beta=77"),
    ([*SMOOTH, "--arrays", "cupy"], "--arrays is numpy or torch"),
    ([*SMOOTH, "--returns", "hope"], "--returns is value"),
    ([*SMOOTH, "--reduction", "median"], "--reduction is none"),
    ([*SMOOTH, "--backend", "cpu"], "--backend is for refloss's own backends"),
    ([*SMOOTH, "--json", "/no/such/folder/x.json"], "cannot be written"),
    (["check", "wrong_losses:raises", "--as", "focal_loss"], "does not work: it raised KeyError"),
    (["check", "wrong_losses:wrong_shape", "--as", "focal_loss"], "it returned the shape (7, 7)"),
    (["check", "wrong_losses:returns_text", "--as", "focal_loss"], "it returned a str"),
    (["show", "no_such_loss"], "there is no loss"),
    (["check", "math:sqrt", "--as", "nms"], "there is no loss 'nms'; did you mean boxes.nms?"),
    (["show", "retinanet"], "there is no loss 'retinanet'; did you mean criteria.retinanet?"),
]


@pytest.mark.parametrize(("given", "sentence"), MISTAKES, ids=[" ".join(m[0])[-40:] for m in MISTAKES])
def test_mistakes_get_one_sentence_and_exit_code_2(given: list[str], sentence: str, capsys: pytest.CaptureFixture[str]) -> None:
    out, err = words(capsys, given, 2)
    assert sentence in err and err.count("\n") == 1 and "Traceback" not in err
    assert out == "" or "--json" in given


def test_list(capsys: pytest.CaptureFixture[str]) -> None:
    out, _ = words(capsys, ["list"], 0)
    assert all(name in out for name in REGISTRY)


@pytest.mark.parametrize("name", REGISTRY)
def test_show(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    out, _ = words(capsys, ["show", name], 0)
    assert "formula" in out and "known deviations" in out and "an example" in out and name in out


def test_literals() -> None:
    assert [literal(text) for text in ("1", "0.5", "True", "None", "none", "'x y'", "inf")] == [
        1,
        0.5,
        True,
        None,
        "none",
        "x y",
        float("inf"),
    ]

"""Which argument takes what: by place or by name, two for one of ours, and options that contradict each other."""

import functools
import pathlib
import textwrap
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import refloss.boxes
from refloss_conformance import assert_conforms
from refloss_conformance.cli import main
from refloss_conformance.errors import UsageError
from refloss_conformance.target import locate

SMOOTH = ["check", "wrong_losses:smooth_right", "--as", "smooth_l1_loss"]


def smooth(difference: Any, beta: float) -> Any:
    far = np.abs(difference)
    return np.where(far < beta, 0.5 * far * far / (beta or 1), far - beta / 2)


def weighted(pred: Any, target: Any, weight: float = 1.0, beta: float = 1.0, /) -> Any:
    return smooth(pred - target, beta) * weight


def shifted(pred: Any, target: Any, eps: float = 0.0, beta: float = 1.0, /) -> Any:
    return smooth(pred - target, beta) + eps


def reduced(predictions: Any, targets: Any, reduction: str = "none", beta: float = 1.0, /) -> Any:
    assert reduction == "none", reduction
    return smooth(predictions - targets, beta)


def between(predictions: Any, weight: Any = None, targets: Any = None, /, beta: float = 1.0) -> Any:
    assert weight is None
    return smooth(predictions - targets, beta)


def of_names(*, predictions: Any, targets: Any, beta: float = 1.0) -> Any:
    return smooth(predictions - targets, beta)


def of_both(beta: float, /, predictions: Any, targets: Any) -> Any:
    return smooth(predictions - targets, beta)


def twice(pred: Any, target: Any, b1: float = 1.0, b2: float = 1.0) -> Any:
    return smooth(pred - target, b1) / 2 + smooth(pred - target, b2) / 2


def suppress(boxes: Any, scores: Any, labels: Any = None, iou_threshold: float = 0.5, /) -> Any:
    assert labels is None, "labels given"
    return refloss.boxes.nms(boxes, scores, iou_threshold=iou_threshold)


def suppress_twice(boxes: Any, scores: Any, t1: float = 0.5, t2: float = 0.5) -> Any:
    return refloss.boxes.nms(boxes, scores, iou_threshold=(t1 + t2) / 2)


@pytest.mark.parametrize("function", [weighted, shifted, reduced, between, of_names, of_both])
def test_places_and_names(function: Callable[..., Any]) -> None:
    """What must be given by place is, with the defaults of those before that are not passed."""
    report = assert_conforms(function, "smooth_l1_loss", dtype="float64")
    assert report["strict"] and {group["status"] for group in report["groups"]} == {"run"}


def test_places_of_scenes() -> None:
    assert assert_conforms(suppress, "boxes.nms", arrays="numpy")["passed"]


def test_arrays_that_stand_first_go_by_place() -> None:
    """jax.value_and_grad takes what it differentiates by place alone; the names are those of the function within."""

    def named(predictions: Any, targets: Any, beta: float = 1.0) -> Any:
        return smooth(predictions - targets, beta)

    @functools.wraps(named)
    def by_place(*arguments: Any, **others: Any) -> Any:
        assert len(arguments) == 2, "the first two arguments go by place"
        return named(*arguments, **others)

    assert_conforms(by_place, "smooth_l1_loss", dtype="float64")


HELD = """
    import functools

    class Held:
        def __init__(self, beta=1.0):
            self.beta = beta

        @functools.lru_cache
        def cached(self, predictions, targets): ...

        @staticmethod
        @functools.lru_cache
        def alone(predictions, targets): ...

        class Within:
            def __call__(self, predictions, targets): ...
"""


def test_a_method_under_a_decorator_gets_its_instance(tmp_path: pathlib.Path) -> None:
    (tmp_path / "held.py").write_text(textwrap.dedent(HELD), "utf-8")
    for name in ("Held.cached", "Held.alone", "Held.Within"):
        assert locate(f"{tmp_path}/held.py:{name}").names() == ("predictions", "targets"), name
    assert locate(f"{tmp_path}/held.py:Held.cached", {"beta": 0.5}).function.__self__.beta == 0.5


@pytest.mark.parametrize("order", [("b1", "b2"), ("b2", "b1")])
def test_two_of_theirs_for_one_of_ours(order: tuple[str, str]) -> None:
    """Both get it, whichever is said first."""
    report = assert_conforms(twice, "smooth_l1_loss", map=dict.fromkeys(order, "beta"), dtype="float64")
    assert report["arguments"] == {"predictions": "pred", "targets": "target", "beta": "=".join(order)}
    document = assert_conforms(suppress_twice, "boxes.nms", map={"t1": "iou_threshold", "t2": "iou_threshold"}, arrays="numpy")
    assert document["arguments"] == {"boxes": "boxes", "scores": "scores", "t1": "iou_threshold", "t2": "iou_threshold"}


def test_a_constant_is_no_array() -> None:
    """What --set names is given that, whatever it is called."""
    seen: set[Any] = set()

    def three(target: Any, x: Any, pred: Any = None) -> Any:
        seen.add(pred)
        return np.abs(x - target)

    assert assert_conforms(three, "l1_loss", set={"pred": 3}, arrays="numpy")["arguments"] == {"predictions": "x", "targets": "target"}
    assert seen == {3}


def heads(logits: Any, codes: Any, priors: Any, gt_boxes: Any, gt_labels: Any, alpha: float = 0.25, gamma: float = 2.0) -> Any:
    raise ValueError


def anything(**given: Any) -> Any:
    return given["predictions"] - given["targets"]


def swapped(target: Any, pred: Any = None) -> Any:
    return np.abs(pred - target)


MISTAKES: list[tuple[Any, str, dict[str, Any], str]] = [
    (twice, "smooth_l1_loss", {"map": {"b1": "beta"}, "set": {"b1": 3}}, "--map b1=beta and --set b1=3 both say what b1 takes; "),
    (suppress, "boxes.nms", {"map": {"boxes": "boxes"}, "set": {"boxes": 3}}, "--map boxes=boxes and --set boxes=3 both say "),
    (weighted, "smooth_l1_loss", {"set": {"beta": 0.1}, "param": {"beta": 1.0}}, "--param beta=1.0 and --set beta=0.1 contradict each "),
    (suppress, "boxes.nms", {"set": {"iou_threshold": 0.3}, "param": {"iou_threshold": 0.5}}, "--param iou_threshold=0.5 and --set "),
    (anything, "l1_loss", {"set": {"predictions": 3}}, "which argument of .* takes our predictions"),
    (swapped, "l1_loss", {"map": {"target": "targets", "pred": "targets"}}, "--map target=targets,pred=targets: our targets goes to one "),
    (heads, "criteria.retinanet", {"set": {"gamma": 9}}, "no golden values of criteria.retinanet have gamma=9; refloss show "),
    (suppress, "boxes.nms", {"set": {"iou_threshold": 9}}, "no golden scenes of boxes.nms have iou_threshold=9; refloss show "),
    (suppress, "boxes.nms", {"set": {"iou_threshold": 0.7}, "param": {"kind": "diou"}}, "have kind='diou', iou_threshold=0.7, beta=1.0, "),
]  # fmt: skip


@pytest.mark.parametrize(("function", "name", "options", "says"), MISTAKES)
def test_contradictions_are_one_sentence(function: Any, name: str, options: dict[str, Any], says: str) -> None:
    with pytest.raises(UsageError, match=says) as caught:
        assert_conforms(function, name, **{"arrays": "numpy", **options})
    assert "\n" not in str(caught.value)


def test_what_agrees_is_no_contradiction() -> None:
    report = assert_conforms(weighted, "smooth_l1_loss", set={"beta": 1}, param={"beta": 1.0}, dtype="float64")
    assert [group["parameters"] for group in report["groups"] if group["status"] == "run"] == [{"beta": 1.0}]


@pytest.mark.parametrize(("options", "says"), [
    (["--set", "delta=1", "--set", "delta=2"], "--set delta=2: --set delta=1 says otherwise; leave one of them out"),
    (["--param", "beta=1", "--param", "beta=4"], "--param beta=4: --param beta=1 says otherwise"),
    (["--map", "pred=predictions,pred=targets"], "--map pred=targets: --map pred=predictions says otherwise"),
    (["--init", "a=1", "--init", "a=2"], "--init a=2: --init a=1 says otherwise"),
])  # fmt: skip
def test_an_option_given_twice(options: list[str], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*SMOOTH, *options]) == 2
    error = capsys.readouterr().err
    assert says in error and error.count("\n") == 1


def test_an_option_repeated_is_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*SMOOTH, "--param", "beta=1", "--param", "beta=1", "--dtype", "float64"]) == 0
    assert "ran 1 of 5" in capsys.readouterr().out


def test_help_says_which_dtypes_callables_have(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["check", "--help"])
    said = " ".join(capsys.readouterr().out.split())
    assert "float32, float64; float16 and bfloat16 for refloss's own backends alone" in said

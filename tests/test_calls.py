"""What calling a loss promises, for every loss: types, shapes, reductions, determinism, NaN, memory."""

import os
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from inputs import random_inputs

import refloss
from refloss._engine import threads
from refloss._engine.record import REGISTRY, Loss

LOSSES = list(REGISTRY.values())
every_loss = pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: loss.name)


@every_loss
@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.float16, ml_dtypes.bfloat16])
def test_types_and_shapes(loss: Loss[Any], dtype: Any) -> None:
    x, t = random_inputs(loss, 24, dtype)
    x = x.reshape(2, 12, *x.shape[1:])
    t = t.reshape(2, 12, *t.shape[1:])
    value, gradient = loss.value_and_grad(x, t)
    assert value.dtype == gradient.dtype == x.dtype
    assert gradient.shape == x.shape
    assert value.shape == (x.shape if loss.kind in ("elementwise", "labels") else x.shape[:-1])
    assert np.isfinite(value.astype(np.float64)).all()
    np.testing.assert_array_equal(loss(x, t), value)
    if x.dtype.itemsize == 2:  # computed in float32, rounded once
        wide = loss.value_and_grad(x.astype(np.float32), t if loss.targets == "labels" else t.astype(np.float32))
        np.testing.assert_array_equal(value, wide[0].astype(dtype))
        np.testing.assert_array_equal(gradient, wide[1].astype(dtype))


@every_loss
def test_strides_and_read_only(loss: Loss[Any]) -> None:
    x, t = random_inputs(loss, 40)
    expected = loss.value_and_grad(x[::2], t[::2])
    wide = np.repeat(x, 2, axis=0)[::4]
    np.testing.assert_array_equal(wide, x[::2])
    fixed = np.asfortranarray(x[::2])
    fixed.flags.writeable = False
    reversed_twice = np.ascontiguousarray(x[::2][::-1])[::-1]
    for view in (wide, fixed, reversed_twice):
        for got, want in zip(loss.value_and_grad(view, t[::2]), expected, strict=True):
            np.testing.assert_array_equal(got, want)


@every_loss
@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
def test_nothing_in_nothing_out(loss: Loss[Any], reduction: Any) -> None:
    x, t = random_inputs(loss, 3)
    value, gradient = loss.value_and_grad(x[:0], t[:0], reduction=reduction)
    assert gradient.shape == x[:0].shape
    assert value.shape == ((0, *x.shape[1:]) if loss.kind in ("elementwise", "labels") else (0,)) if reduction == "none" else value == 0


def test_zero_dimensions() -> None:
    value, gradient = refloss.focal_loss.value_and_grad(np.float32(1.5), np.float32(1))
    assert value.shape == gradient.shape == ()
    assert value.dtype == np.float32
    assert refloss.iou_loss(np.array([0.0, 0, 2, 2]), np.array([0.0, 0, 2, 1])).shape == ()
    assert refloss.softmax_cross_entropy_with_integer_labels(np.zeros(2), 1) == pytest.approx(np.log(2))


@every_loss
def test_reductions(loss: Loss[Any]) -> None:
    x, t = random_inputs(loss, 1000)
    if loss.targets == "labels":
        t[:100] = refloss.IGNORE
    value, gradient = loss.value_and_grad(x, t)
    counted = value.size if loss.targets != "labels" else value.size * 900 // 1000
    for reduction, divisor in (("sum", 1.0), ("mean", counted)):
        reduced, slope = loss.value_and_grad(x, t, reduction=reduction)
        assert reduced == pytest.approx(value.sum() / divisor, rel=1e-13)
        np.testing.assert_allclose(slope, gradient / divisor, rtol=1e-15 if loss.kind != "rows" else 4e-15)
        assert loss(x, t, reduction=reduction) == reduced
    halved, slope = loss.value_and_grad(x, t, reduction="sum", normalizer=2)
    assert halved == loss(x, t, reduction="sum") / 2
    np.testing.assert_array_equal(slope, gradient / 2)
    np.testing.assert_array_equal(loss(x, t, normalizer=4.0), value / 4)


@every_loss
def test_weights(loss: Loss[Any]) -> None:
    x, t = random_inputs(loss, 300)
    value, gradient = loss.value_and_grad(x, t)
    weights = np.random.default_rng(2).random(value.shape)
    weighted, slope = loss.value_and_grad(x, t, weights=weights)
    np.testing.assert_array_equal(weighted, value * weights)
    by_row = weights if gradient.shape == weights.shape else weights[..., None]
    np.testing.assert_allclose(slope, gradient * by_row, rtol=1e-14, atol=1e-300)
    np.testing.assert_array_equal(loss(x, t, weights=2), value * 2)


@every_loss
def test_the_sum_of_nothing_counted_is_zero(loss: Loss[Any]) -> None:
    if loss.targets != "labels":
        pytest.skip("only labels can ignore")
    x, t = random_inputs(loss, 10)
    x[0, 0] = np.nan
    value, gradient = loss.value_and_grad(x, np.full_like(t, refloss.IGNORE), reduction="mean")
    assert value == 0
    assert not gradient.any()


@every_loss
def test_nan_stays_where_it_is(loss: Loss[Any]) -> None:
    x, t = random_inputs(loss, 37, np.float32)
    clean_value, clean_gradient = loss.value_and_grad(x, t)
    x[5] = np.nan
    value, gradient = loss.value_and_grad(x, t)
    assert np.isnan(value[5]).all()
    assert np.isnan(gradient[5]).all()
    others = np.arange(37) != 5
    np.testing.assert_array_equal(value[others], clean_value[others])
    np.testing.assert_array_equal(gradient[others], clean_gradient[others])


@every_loss
def test_threads_do_not_change_a_bit(loss: Loss[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    n = 130_000 if loss.kind == "elementwise" else 30_000
    x, t = random_inputs(loss, n, np.float32)
    results = []
    for count in ("1", "2", "7"):
        monkeypatch.setenv("REFLOSS_NUM_THREADS", count)
        results.append((*loss.value_and_grad(x, t), loss(x, t, reduction="sum")))
    for other in results[1:]:
        for one, two in zip(results[0], other, strict=True):
            np.testing.assert_array_equal(one, two)


def test_a_sum_is_as_good_as_its_terms() -> None:
    """4 million float32 terms: the running sum of a float32 would be off by 1e-4."""
    x, t = np.full(2**22, -3.0, np.float32), np.zeros(2**22, np.float32)
    one = refloss.focal_loss(x[:1], t[:1])[0]
    assert refloss.focal_loss(x, t, reduction="sum") == np.float32(float(one) * 2**22)


def test_an_infinite_sum_is_infinite() -> None:
    assert refloss.squared_error(np.array([np.inf, 1.0]), np.zeros(2), reduction="sum") == np.inf


@pytest.mark.parametrize("name", [loss.name for loss in LOSSES if loss.kind == "pairs"])
def test_a_size_that_is_not_known_is_not_negative(name: str) -> None:
    """A centre that is NaN, of either sign, or infinite leaves no size, whatever else is in its block. A negative size is named."""
    loss = REGISTRY[name]
    fine = np.array([[0.0, 0.0, 1.0, 1.0]] * 3, np.float32)
    for centre in (np.nan, -np.nan, np.inf, -np.inf):
        boxes = fine.copy()
        boxes[0] = centre, 0, -1, 1
        boxes[2] = np.inf, 0, 1, 1
        for some in (boxes[:1], boxes):
            value, gradient = loss.value_and_grad(some, fine[: len(some)], box_format="cxcywh")
            assert np.isnan(value[0]) and np.isnan(gradient[0]).any()
    for at in (0, 2):
        for column in (2, 3):
            boxes = fine.copy()
            boxes[1, 0] = np.nan
            boxes[at, column] = -1
            for pair in ((boxes, fine), (fine, boxes)):
                with pytest.raises(refloss.ReflossError, match=f"index {at}"):
                    loss(*pair, box_format="cxcywh")


@pytest.mark.parametrize("blocks", [1, 2, 3, 17, 256, 1954])
@pytest.mark.parametrize("count", [2, 3, 64])
def test_turns_cover_every_block_once(blocks: int, count: int) -> None:
    """The first turns are long, the last ones short, and none but the last is shorter than it should be."""
    turns = threads._turns(blocks, count, 2)
    assert [block for first, last in turns for block in range(first, last)] == list(range(blocks))
    sizes = [last - first for first, last in turns]
    assert sizes == sorted(sizes, reverse=True)
    assert min(sizes[:-1], default=2) == 2 or len(sizes) == 1
    assert sizes[0] <= max(2, blocks // (3 * count))


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")  # Python 3.12 on: fork beside threads
def test_fork_after_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "team", None)  # the engine's own pool, whatever an adapter in this process has brought
    x, t = random_inputs(REGISTRY["focal_loss"], 200_000, np.float32)
    expected = refloss.focal_loss(x, t, reduction="sum")
    assert threads._pools or threads.thread_count() == 1
    pid = os.fork()
    if pid == 0:  # a DataLoader's worker
        os._exit(0 if refloss.focal_loss(x, t, reduction="sum") == expected else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def test_infinite_logits_give_the_limit() -> None:
    infinite = np.array([np.inf, np.inf, -np.inf, -np.inf])
    targets = np.array([1.0, 0.0, 1.0, 0.0])
    for loss in (refloss.binary_cross_entropy, refloss.focal_loss):
        value, gradient = loss.value_and_grad(infinite, targets)
        np.testing.assert_array_equal(value, [0, np.inf, np.inf, 0])
        assert not np.isnan(gradient).any()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_gamma_between_0_and_1_has_finite_gradients(dtype: Any) -> None:
    x = np.linspace(-800, 800, 4001).astype(dtype)
    for gamma in (0.0, 1e-3, 0.3, 0.5, 0.999):
        for target in (0, 1):
            value, gradient = refloss.focal_loss.value_and_grad(x, np.full_like(x, target), gamma=gamma)
            assert np.isfinite(value).all()
            assert np.isfinite(gradient).all()


def test_gamma_0_is_cross_entropy_to_the_bit() -> None:
    x, t = random_inputs(REGISTRY["focal_loss"], 5000, np.float32)
    hard = np.round(t)
    for alpha in (None, 0.25):
        for one, two in zip(
            refloss.focal_loss.value_and_grad(x, hard, alpha=alpha, gamma=0),
            refloss.binary_cross_entropy.value_and_grad(x, hard, alpha=alpha),
            strict=True,
        ):
            np.testing.assert_array_equal(one, two)


def test_integer_labels_are_the_one_hot_loss_to_the_bit() -> None:
    x, labels = random_inputs(REGISTRY["focal_loss_with_integer_labels"], 500, np.float32)
    labels[::5] = refloss.NEGATIVE
    one_hot = (labels[:, None] == np.arange(x.shape[1])).astype(np.float32)
    for one, two in zip(
        refloss.focal_loss_with_integer_labels.value_and_grad(x, labels), refloss.focal_loss.value_and_grad(x, one_hot), strict=True
    ):
        np.testing.assert_array_equal(one, two)


BOX = st.tuples(*[st.floats(0, 50, width=32)] * 2, *[st.sampled_from([0.0, 1e-4, 1.0, 7.0, 30.0])] * 2)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(BOX, BOX), min_size=1, max_size=8), st.sampled_from(["xyxy", "cxcywh"]))
def test_box_losses_are_finite_for_any_boxes(boxes: Any, box_format: Any) -> None:
    array = np.array(boxes, np.float32)
    if box_format == "xyxy":
        array[..., 2:] += array[..., :2]
    x, t = np.ascontiguousarray(array[:, 0]), np.ascontiguousarray(array[:, 1])
    for loss in (refloss.iou_loss, refloss.giou_loss, refloss.diou_loss, refloss.ciou_loss):
        for one, two in ((x, t), (x, x)):
            value, gradient = loss.value_and_grad(one, two, box_format=box_format)
            assert np.isfinite(value).all()
            assert np.isfinite(gradient).all()


@pytest.mark.parametrize("box_format", ["xyxy", "cxcywh"])
def test_nan_in_any_number_of_a_pair(box_format: Any) -> None:
    losses = [(REGISTRY["iou_loss"], {"kind": kind}) for kind in ("linear", "log", "squared")]
    losses += [(REGISTRY[f"{name}_loss"], {}) for name in ("giou", "diou", "ciou")]
    for loss, parameters in losses:
        for j in range(8):
            boxes = np.array([[[1.0, 2, 4, 6]], [[2.0, 3, 5, 5]]], np.float32)
            boxes[j // 4, 0, j % 4] = np.nan
            value, gradient = loss.value_and_grad(boxes[0], boxes[1], box_format=box_format, **parameters)
            assert np.isnan(value).all()
            assert np.isnan(gradient).all()


def test_masked_classes() -> None:
    """A logit of minus infinity takes no part; at the label itself the loss is infinite."""
    x = np.array([[0.0, -np.inf, 1.0], [-np.inf, 0.0, 0.0]])
    for loss in (refloss.softmax_cross_entropy_with_integer_labels, refloss.softmax_focal_loss_with_integer_labels):
        value, gradient = loss.value_and_grad(x, np.array([0, 0]))
        two = loss.value_and_grad(np.array([[0.0, 1.0]]), np.array([0]))
        assert value[0] == two[0][0]
        np.testing.assert_array_equal(gradient[0], [two[1][0, 0], 0, two[1][0, 1]])
        assert value[1] == np.inf
        np.testing.assert_allclose(gradient[1], [-1, 0.5, 0.5])


@pytest.mark.parametrize("exponent", [-17, -14, 0, 13, 17])
def test_giou_over_the_range_of_float32(exponent: int) -> None:
    boxes = np.array([[0.0, 0, 3, 2], [1.0, 1, 5, 6]], np.float32) * np.float32(10.0**exponent)
    got = refloss.giou_loss.value_and_grad(boxes[:1], boxes[1:])[1]
    want = refloss.giou_loss.value_and_grad(boxes[:1].astype(np.float64), boxes[1:].astype(np.float64))[1]
    np.testing.assert_allclose(got, want, rtol=1e-6, atol=1e-6 * np.abs(want).max())

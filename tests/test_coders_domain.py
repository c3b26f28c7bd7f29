"""The coders at the borders of their domains, on any shape and type, in any number of threads."""

import math
import pickle
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from coder_inputs import BOX, CELL, CLIP, EACH, MODES, PLACE, PRIOR, Array, coder_of, each_coding, rows

import refloss
from refloss._engine.coding import CODINGS, Coding
from refloss.coders import DeltaCoder, LTRBCoder, YOLOCoder, YOLOv1Coder

# ---- The borders of the domains


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("coder", [YOLOCoder(), YOLOCoder(scale_xy=2), YOLOCoder(scale_xy=2, size="squared_sigmoid")], ids=str)
def test_the_border_of_a_cell(coder: YOLOCoder, dtype: Any) -> None:
    reach = (coder.scale_xy - 1) / 2 * 32
    low, high = 6 * 32 - reach, 7 * 32 + reach
    boxes = np.array([[x - 10, 100, x + 10, 130] for x in (low, high)], dtype)
    codes = coder.encode(boxes, CELL.astype(dtype)[[0, 0]])
    np.testing.assert_array_equal(codes[:, 0], [-math.inf, math.inf])
    assert np.isfinite(codes[:, 1:]).all()
    np.testing.assert_array_equal(coder.decode(codes, CELL.astype(dtype)[[0, 0]])[:, [0, 2]].mean(axis=1), [low, high])
    gradient = coder.encode_vjp(boxes, CELL.astype(dtype)[[0, 0]], np.ones_like(boxes))
    assert np.isfinite(gradient).all()
    assert (gradient[:, 0] == -gradient[:, 2]).all(), "only the size has a gradient"
    for nudge in (-0.01, 0.01):
        inside = np.array([low, high]) + nudge
        bad = int(np.argmax((inside < low) | (inside > high)))
        with pytest.raises(
            refloss.ReflossValueError, match=f"boxes must be centred in the reach of the prior's cell, got .* at index {bad};"
        ):
            coder.encode(boxes + np.array([nudge, 0, nudge, 0], dtype), CELL.astype(dtype)[[0, 0]])


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_rounded_corners_do_not_leave_the_cell(dtype: Any) -> None:
    """Boxes whose centre is on the border: rounding puts half of them beyond it."""
    rng = np.random.default_rng(0)
    cells = rng.integers(0, 60, (4000, 2)).astype(float)
    centre, size = cells * 8 + rng.choice([0, 8], (4000, 2)), rng.uniform(0.1, 300, (4000, 2))
    boxes = np.concatenate([centre - size / 2, centre + size / 2], axis=1).astype(dtype)
    beyond = (boxes[:, :2].astype(float) + boxes[:, 2:]) / 2 - cells * 8
    assert ((beyond < 0) | (beyond > 8)).mean() > 0.001
    priors = np.concatenate([cells, np.full((4000, 2), 50.0), np.full((4000, 1), 8.0)], axis=1).astype(dtype)
    codes = YOLOCoder().encode(boxes, priors)
    assert np.isinf(codes[:, :2]).mean() > 0.3
    assert (np.abs(codes[:, :2]) > 2).all()
    held = YOLOCoder(border=1e-3).encode(boxes, priors)
    np.testing.assert_allclose(np.abs(held[:, :2]).astype(float).max(), math.log(0.999 / 0.001), rtol=1e-3)


def test_a_border_keeps_codes_finite() -> None:
    boxes = np.array([[192.0 - 10, 96.0, 192 + 10, 96.0], [220.0 - 232, 100, 220 + 232, 120]])
    for size in ("exp", "squared_sigmoid"):
        codes = YOLOCoder(size=size, border=0.01).encode(boxes, CELL[[0, 0]])  # type: ignore[arg-type]
        assert np.isfinite(codes).all()
        logit = math.log(0.01 / 0.99)
        np.testing.assert_allclose(codes[0, [0, 1, 3]], [logit, logit, math.log(0.01) if size == "exp" else logit], rtol=1e-14)
        np.testing.assert_allclose(codes[1, 2], math.log(4) if size == "exp" else -logit, rtol=1e-14)
        gradient = YOLOCoder(size=size, border=0.01).encode_vjp(boxes, CELL[[0, 0]], np.ones((2, 4)))  # type: ignore[arg-type]
        assert np.isfinite(gradient).all()
        np.testing.assert_array_equal(gradient[0, [1, 3]], 0)


def test_where_a_border_is_met_the_gradient_is_halved() -> None:
    """u = 8 of 32 pixels is border = 1/4."""
    box = np.array([[200.0 - 10, 100.0, 200 + 10, 120.0]])
    free, held = (YOLOCoder(border=b).encode_vjp(box, CELL, np.array([[1.0, 0, 0, 0]])) for b in (0.0, 0.25))
    np.testing.assert_allclose(free[0, 0], (1 / 8 + 1 / 24) / 2, rtol=1e-14)
    np.testing.assert_array_equal(held, free / 2)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    ("coder", "prior"),
    [
        (DeltaCoder(), PRIOR), (DeltaCoder((10, 10, 5, 5), CLIP), PRIOR), (DeltaCoder((0.3, 0.7, 0.1, 3)), PRIOR),
        (DeltaCoder(box_format="cxcywh"), PRIOR), (YOLOCoder(), CELL), (YOLOCoder(2, "squared_sigmoid"), CELL),
        (YOLOv1Coder(), np.array([[0.0, 0.0, 1.0]])),
    ],
    ids=str,
)  # fmt: skip
def test_zero_sizes_come_back_as_zero(coder: Any, prior: Array, dtype: Any) -> None:
    rng = np.random.default_rng(0)
    middle = np.array([0.5, 0.5]) if isinstance(coder, YOLOv1Coder) else np.array([208.0, 112.0])
    points = middle + rng.uniform(-0.4, 0.4, (500, 2))
    centred = getattr(coder, "box_format", "xyxy") == "cxcywh"
    boxes = np.concatenate([points, points * (0 if centred else 1)], axis=1).astype(dtype)
    priors = np.repeat(prior, 500, axis=0).astype(dtype)
    codes = coder.encode(boxes, priors)
    np.testing.assert_array_equal(codes[:, 2:], 0 if isinstance(coder, YOLOv1Coder) else -math.inf)
    back = coder.decode(codes, priors)
    np.testing.assert_array_equal(back[:, 2:], 0 if centred else back[:, :2])
    np.testing.assert_allclose(back, boxes, rtol=4 * np.finfo(dtype).eps, atol=np.finfo(dtype).eps * 100)
    upstream = np.ones_like(codes)
    upstream[:, :2] = 0
    np.testing.assert_array_equal(coder.encode_vjp(boxes, priors, upstream), 0)
    assert np.isfinite(coder.decode_vjp(codes, priors, np.ones_like(codes))).all()


def test_exponential_distances_of_zero() -> None:
    coder, boxes = LTRBCoder(activation="exp"), np.array([[28.0, 20.0, 50.0, 60.0]])
    codes = coder.encode(boxes, PLACE)
    np.testing.assert_array_equal(np.isinf(codes), [[True, False, False, True]])
    np.testing.assert_allclose(coder.decode(codes, PLACE), boxes, rtol=1e-15)
    assert coder.decode(codes, PLACE)[0, 0] == 28
    np.testing.assert_allclose(coder.encode_vjp(boxes, PLACE, np.ones((1, 4))), [[0, -1 / 40, 1 / 22, 0]])


def test_the_largest_squared_size() -> None:
    coder, boxes = YOLOCoder(2, "squared_sigmoid"), np.array([[208.0 - 232, 112 - 180.0, 208 + 232, 112 + 180]])
    codes = coder.encode(boxes, CELL)
    np.testing.assert_array_equal(codes, [[0, 0, math.inf, math.inf]])
    np.testing.assert_array_equal(coder.decode(codes, CELL), boxes)
    np.testing.assert_array_equal(coder.encode_vjp(boxes, CELL, np.array([[0.0, 0, 1, 1]])), 0)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_clip(dtype: Any) -> None:
    """Above it sizes and gradients stop; on it the gradient is the mean of both sides; below, and far below, nothing is clipped."""
    coder, priors = DeltaCoder(wh_clip=2.0), np.repeat(PRIOR, 4, axis=0).astype(dtype)
    codes = np.array([[0, 0, t, t] for t in (1.5, 2.0, 2.5, -9.0)], dtype)
    size = coder.decode(codes, priors)[:, 2] - coder.decode(codes, priors)[:, 0]
    np.testing.assert_allclose(size, 40 * np.exp([1.5, 2, 2, -9]), rtol=1e-4)
    gradient = coder.decode_vjp(codes, priors, np.array([[-1.0, 0, 1, 0]] * 4, dtype))[:, 2]
    np.testing.assert_allclose(gradient, 40 * np.exp([1.5, 2, 2, -9]) * [1, 0.5, 0, 1], rtol=1e-4)
    np.testing.assert_array_equal(
        DeltaCoder(wh_clip=2.0).encode(np.array([[0.0, 0, 4000, 2000]], dtype), priors[:1])[0, 2:], np.log(dtype(100))
    )


def test_codes_of_zero_are_the_prior() -> None:
    boxes, priors = rows(CODINGS["delta_coder.encode"], 2000, np.float32, {})
    np.testing.assert_array_equal(DeltaCoder().decode(np.zeros_like(boxes), priors), priors)
    np.testing.assert_array_equal(DeltaCoder().encode(priors, priors), 0)


def test_overflow_and_nan() -> None:
    box = DeltaCoder().decode(np.array([[0.0, 0, 800, 0]]), PRIOR)
    np.testing.assert_array_equal(box, [[-math.inf, 10, math.inf, 30]])
    nan = DeltaCoder().decode(np.array([[math.nan, 0, 0, 0]]), PRIOR)
    np.testing.assert_array_equal(nan, [[math.nan, 10, math.nan, 30]])
    for made, parameters in EACH:
        if made.arrays[0] == "codes":
            codes, priors = rows(made, 1, np.float32, parameters)
            codes[0, 3] = math.nan
            coder = coder_of(made, parameters)
            assert np.isnan(coder.decode(codes, priors)[0, 3])
            assert not np.isnan(coder.decode(codes, priors)[0, [0, 2]]).any()
            assert np.isnan(coder.decode_vjp(codes, priors, np.array([[1, 2, 3, 4]], np.float32))[0, 3]) or made.owner == "LTRBCoder"
    np.testing.assert_array_equal(YOLOCoder().decode(np.array([[-800.0, 800, -800, 0]]), CELL)[0, [0, 2]], 192)


OVERFLOWING: list[tuple[Any, Array]] = [
    (DeltaCoder(), PRIOR), (DeltaCoder(box_format="cxcywh"), PRIOR), (DeltaCoder(wh_clip=900), PRIOR), (YOLOCoder(), CELL),
    (LTRBCoder(activation="exp"), PLACE), (YOLOv1Coder(), np.array([[0.0, 0.0, 1.0]])),
]  # fmt: skip


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize(("coder", "prior"), OVERFLOWING, ids=lambda v: str(v) if not isinstance(v, np.ndarray) else "")
def test_what_a_loss_ignores_does_not_poison_its_gradient(coder: Any, prior: Array, dtype: Any) -> None:
    """A row whose box overflows, then an ordinary one, then an infinite and a NaN code: where upstream is 0, so is the gradient."""
    large = np.finfo(dtype).max if isinstance(coder, YOLOv1Coder) else 1000
    codes = np.array([[0, 0, large, large], [0, 0, 1, 1], [0, 0, math.inf, math.inf], [0, 0, math.nan, math.nan]], dtype)
    priors = np.repeat(prior, 4, axis=0).astype(dtype)
    assert np.isinf(coder.decode(codes, priors)[0, 2:]).all()
    upstream = np.zeros_like(codes)
    np.testing.assert_array_equal(coder.decode_vjp(codes, priors, upstream), 0)
    upstream[1] = [0, 0, 1, 2]
    gradient = coder.decode_vjp(codes, priors, upstream)
    assert (gradient[1, 2:] > 0).all()
    np.testing.assert_array_equal(gradient[[0, 2, 3]], 0)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("coder", "prior"), [OVERFLOWING[i] for i in (0, 1, 3, 4)], ids=["delta", "centred", "yolo", "ltrb"])
def test_an_overflowing_box_has_an_infinite_gradient(coder: Any, prior: Array, dtype: Any) -> None:
    codes, priors = np.array([[0, 0, 1000, 1000]], dtype), prior.astype(dtype)
    gradient = coder.decode_vjp(codes, priors, np.array([[0, 0, 1, -1]], dtype))
    np.testing.assert_array_equal(gradient[0, 2:], [math.inf, -math.inf])
    assert np.isfinite(gradient[0, :2]).all()
    assert np.isnan(coder.decode_vjp(codes, priors, np.array([[0, 0, math.nan, math.nan]], dtype))[0, 2:]).all()


def test_half_precision_overflows_early() -> None:
    """The size of a prior of 100 pixels passes 65504 at a code of ln(655) = 6.48."""
    prior = np.array([[0, 0, 100, 100]], np.float16)
    sizes = [DeltaCoder(box_format="cxcywh").decode(np.full((1, 4), code, np.float16), prior)[0, 2] for code in (6.45, 6.5)]
    assert sizes[0] < sizes[1] == math.inf


# ---- Shapes and types


@pytest.mark.parametrize("weight", [1e-30, 1e30])
def test_the_largest_and_the_smallest_weights(weight: float) -> None:
    coder, prior = DeltaCoder((weight,) * 4), PRIOR.astype(np.float32)
    np.testing.assert_array_equal(coder.decode(np.zeros((1, 4), np.float32), prior), prior)
    box = BOX.astype(np.float32)
    np.testing.assert_allclose(coder.decode(coder.encode(box, prior), prior), box, rtol=1e-6)


@each_coding
def test_a_batch_shares_its_priors(made: Coding, parameters: Any) -> None:
    x, priors = rows(made, 100, np.float32, parameters)
    name, coder = made.name.rsplit(".", maxsplit=1)[-1], coder_of(made, parameters)
    call, vjp = getattr(coder, name), getattr(coder, f"{name}_vjp")
    single = call(x, priors)
    assert single.dtype == np.float32
    assert single.flags.c_contiguous
    batch = np.stack([x] * 7).reshape(7, 100, 4)
    np.testing.assert_array_equal(call(batch, priors), np.stack([single] * 7))
    np.testing.assert_array_equal(call(batch.reshape(7, 5, 20, 4), priors.reshape(5, 20, -1)).reshape(7, 100, 4), np.stack([single] * 7))
    np.testing.assert_array_equal(call(batch, np.stack([priors] * 7)), np.stack([single] * 7))
    np.testing.assert_array_equal(call(x[3], priors[3]), single[3])
    np.testing.assert_array_equal(call(np.stack([x[3]] * 2), priors[3]), single[[3, 3]])
    upstream = np.random.default_rng(0).standard_normal(x.shape).astype(np.float32)
    np.testing.assert_array_equal(vjp(batch, priors, np.stack([upstream] * 7)), np.stack([vjp(x, priors, upstream)] * 7))
    wide = np.zeros((100, 9), np.float32)
    wide[:, 1::2] = x
    np.testing.assert_array_equal(call(wide[:, 1::2], np.asfortranarray(priors)), single)
    np.testing.assert_array_equal(call(x[::-1], priors[::-1]), single[::-1])
    np.testing.assert_array_equal(call(x.astype(">f4"), priors), single)
    empty = call(x[:0], priors[:0])
    assert (empty.shape, empty.dtype) == ((0, 4), np.float32)
    assert call(batch[:0], priors).shape == (0, 100, 4)
    assert call([], []).shape == (0, 4)
    assert vjp([], [], []).shape == (0, 4)


@pytest.mark.parametrize("half", [np.float16, ml_dtypes.bfloat16], ids=["float16", "bfloat16"])
@pytest.mark.parametrize("key", MODES, ids=lambda key: f"{key[0]}-{key[1]}")
def test_half_precision_is_rounded_once(key: Any, half: Any) -> None:
    made, parameters = MODES[key]
    x, priors = rows(made, 50, np.float32, parameters)
    if made.owner == "YOLOCoder":
        priors[:, :2] %= 4  # boxes far out would leave their cell by a rounding
        codes, _ = rows(CODINGS["yolo_coder.decode"], 50, np.float32, parameters)
        x = coder_of(made, parameters).decode(np.clip(codes, -1, 1), priors) if made.arrays[0] == "boxes" else codes
    if key == ("ltrb_coder.encode", 1):
        x = x + np.array([-16, -16, 16, 16], np.float32)  # rounded, boxes still hold their location
    x = x.astype(half)
    name, coder = made.name.rsplit(".", maxsplit=1)[-1], coder_of(made, parameters)
    for method, more in ((name, ()), (f"{name}_vjp", (x,))):
        got = getattr(coder, method)(x, priors, *more)
        want = getattr(coder, method)(x.astype(np.float32), priors, *(m.astype(np.float32) for m in more))
        assert got.dtype == half
        np.testing.assert_array_equal(got.astype(np.float32), want.astype(half).astype(np.float32))
    if name == "decode":
        whole = np.full_like(priors, 64) if made.owner != "DeltaCoder" else np.repeat(PRIOR, 50, axis=0)
        np.testing.assert_array_equal(coder.decode(x, whole.astype(half)), coder.decode(x, whole.astype(np.float32)))


def test_threads_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    made = CODINGS["delta_coder.decode"]
    x, priors = rows(made, 50_000, np.float32, {})
    results = []
    for threads in ("1", "3"):
        monkeypatch.setenv("REFLOSS_NUM_THREADS", threads)
        results.append(DeltaCoder().decode(np.stack([x, x]), priors))
    np.testing.assert_array_equal(*results)


def test_coders_are_values() -> None:
    assert DeltaCoder([10, 10, 5, 5]) == DeltaCoder(weights=(10.0, 10.0, 5.0, 5.0))  # type: ignore[arg-type]
    assert hash(YOLOCoder(2)) == hash(YOLOCoder(2.0))
    assert repr(LTRBCoder()) == "LTRBCoder(normalize=True, activation='linear')"
    assert pickle.loads(pickle.dumps(DeltaCoder(wh_clip=2.0))) == DeltaCoder(wh_clip=2.0)
    assert pickle.loads(pickle.dumps(CODINGS["delta_coder.encode"])) is CODINGS["delta_coder.encode"]
    assert CODINGS["yolo_coder.encode"].defaults == {"scale_xy": 1.0, "size": "exp", "border": 0.0}
    assert LTRBCoder(np.True_) == LTRBCoder(True)  # type: ignore[arg-type]
    assert repr(LTRBCoder(np.False_)) == "LTRBCoder(normalize=False, activation='linear')"  # type: ignore[arg-type]
    assert CODINGS["delta_coder.decode"].setting(box_format="cxcywh").mode == 1

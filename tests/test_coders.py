"""The coders: hand-worked numbers, inverses, gradients, the oracle, torchvision, the borders of the domains, the laws of the kernels."""

import importlib
import importlib.util
import math
import re
from typing import Any

import numba
import numpy as np
import pytest
from coder_inputs import BOX, CELL, CLIP, EACH, MODES, PLACE, PRIOR, Array, are_boxes, both, coder_of, each_coding, rows
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from mpmath import mp
from numba import types
from test_engine import products_in_sums

from oracle.mp import exact_parameters, mp_xp, numbers
from refloss._engine import coding, cpu_codes
from refloss._engine.coding import CODINGS, Coding
from refloss._engine.compile import teach_cpu
from refloss._engine.xp import numpy_xp
from refloss.coders import DeltaCoder, LTRBCoder, YOLOCoder, YOLOv1Coder
from refloss_conformance.gradients import UPSTREAM, conditioned, value_scale

SIGMA_1, SQUARED_1, E = 0.731059, 2.137788, 2.718282  # sigma(1), (2 sigma(1))^2, exp(1)


# ---- Numbers worked out by hand


def close(got: Array, *want: float) -> None:
    np.testing.assert_allclose(got[0], want, rtol=0, atol=1e-3 if max(map(abs, want)) > 10 else 1e-6)


def test_delta_by_hand() -> None:
    """Prior: centre (30, 20), size 40 x 20. Box: centre (40, 30), size 40 x 40."""
    box = np.array([[20.0, 10.0, 60.0, 50.0]])
    close(DeltaCoder().encode(box, PRIOR), 10 / 40, 10 / 20, 0, math.log(2))
    close(DeltaCoder(weights=(10, 10, 5, 5)).encode(box, PRIOR), 2.5, 5, 0, 3.465736)
    close(DeltaCoder().decode(np.ones((1, 4)), PRIOR), 70 - 20 * E, 40 - 10 * E, 70 + 20 * E, 40 + 10 * E)
    close(DeltaCoder(box_format="cxcywh").decode(np.ones((1, 4)), PRIOR), 70, 40, 40 * E, 20 * E)
    close(DeltaCoder(box_format="cxcywh").encode(np.array([[40.0, 30.0, 40.0, 40.0]]), PRIOR), 0.25, 0.5, 0, math.log(2))


def test_yolov1_by_hand() -> None:
    """The cell (3, 2) of 7 x 7: the centre (0.5, 0.375) is at (3.5, 2.625) cells."""
    box, prior = np.array([[0.25, 0.25, 0.75, 0.5]]), np.array([[3.0, 2.0, 7.0]])
    close(YOLOv1Coder().encode(box, prior), 0.5, 0.625, math.sqrt(0.5), 0.5)
    close(YOLOv1Coder().decode(np.array([[0.5, 0.625, 0.5, 0.25]]), prior), 0.375, 0.34375, 0.625, 0.40625)


@pytest.mark.parametrize(
    ("coder", "reach", "grown"),
    [
        (YOLOCoder(), SIGMA_1, E),
        (YOLOCoder(scale_xy=1.2), 1.2 * SIGMA_1 - 0.1, E),
        (YOLOCoder(scale_xy=2, size="squared_sigmoid"), 2 * SIGMA_1 - 0.5, SQUARED_1),
    ],
)
def test_yolo_by_hand(coder: YOLOCoder, reach: float, grown: float) -> None:
    """Codes of 1, where the variants differ; of 0 they give the middle of the cell and the anchor shape."""
    x, y, w, h = (6 + reach) * 32, (3 + reach) * 32, 116 * grown, 90 * grown
    box = coder.decode(np.ones((1, 4)), CELL)
    close(box, x - w / 2, y - h / 2, x + w / 2, y + h / 2)
    np.testing.assert_allclose(coder.encode(box, CELL), np.ones((1, 4)), rtol=1e-14)
    np.testing.assert_array_equal(coder.decode(np.zeros((1, 4)), CELL), [[208 - 58, 112 - 45, 208 + 58, 112 + 45]])


def test_ltrb_by_hand() -> None:
    close(LTRBCoder().encode(BOX, PLACE), 18 / 8, 40 / 8, 22 / 8, 40 / 8)
    close(LTRBCoder(normalize=False).encode(BOX, PLACE), 18, 40, 22, 40)
    close(LTRBCoder(activation="exp").encode(BOX, PLACE), math.log(18 / 8), math.log(5), math.log(22 / 8), math.log(5))
    close(LTRBCoder(activation="exp").decode(np.ones((1, 4)), PLACE), 28 - 8 * E, 60 - 8 * E, 28 + 8 * E, 60 + 8 * E)
    close(LTRBCoder(normalize=False).decode(np.ones((1, 4)), PLACE), 27, 59, 29, 61)


# ---- The oracle

# The accuracy ledger of the coders, which tests/accuracy.toml leaves to this file: the worst errors of value and gradient in eps, against
# the larger of the number and its condition scale, over 10^5 random rows in float32 and 40 a setting in float64 (judged in 60 digits).
# A kernel has the same bits on every processor, so there is no slack; figures only go down. The bar is 2.5.
LEDGER = {
    "delta_coder.encode": (0.59, 0.40), "delta_coder.decode": (0.49, 0.46),
    "yolov1_coder.encode": (0.72, 0.64), "yolov1_coder.decode": (0.25, 0.26),
    "yolo_coder.encode": (0.50, 0.51), "yolo_coder.decode": (0.48, 1.8),
    "ltrb_coder.encode": (0.50, 0.45), "ltrb_coder.decode": (0.50, 0.89),
}  # fmt: skip


@each_coding
def test_float32_against_the_formula_in_float64(made: Coding, parameters: Any) -> None:
    x, priors = rows(made, 1000, np.float32, parameters, seed=3)
    got = both(made, parameters, x, priors, np.broadcast_to(np.array(UPSTREAM, np.float32), x.shape).copy())
    full = {**made.defaults, **parameters}
    true = conditioned(made.formula, (x.astype(float), priors.astype(float)), full, kind="codes", boxes=are_boxes(made, parameters))
    scales = true.value_scale, true.gradient_scale
    for result, want, scale, worst in zip(got, (true.value, true.gradient), scales, LEDGER[made.name], strict=True):
        finite = np.isfinite(want)
        assert finite.mean() > 0.999
        error = np.abs(result - want)[finite] / np.finfo(np.float32).eps
        assert (error <= worst * np.maximum(np.abs(want), scale)[finite]).all()


@each_coding
def test_float64_against_the_formula_in_60_digits(made: Coding, parameters: Any) -> None:
    x, priors = rows(made, 3, np.float64, parameters, seed=4)
    got = both(made, parameters, x, priors, np.broadcast_to(np.array(UPSTREAM), x.shape).copy())
    with mp.workdps(60):
        exact = exact_parameters({**made.defaults, **parameters})
        arrays = numbers(x), numbers(priors)
        true = conditioned(made.formula, arrays, exact, kind="codes", base=mp_xp, boxes=are_boxes(made, parameters))
        scales = true.value_scale, true.gradient_scale
        for result, want, scale, worst in zip(got, (true.value, true.gradient), scales, LEDGER[made.name], strict=True):
            assert (abs(numbers(result) - want) <= worst * np.finfo(np.float64).eps * np.maximum(abs(want), scale)).all()


@each_coding
def test_gradients_are_the_slopes_of_the_values(made: Coding, parameters: Any) -> None:
    x, priors = rows(made, 50, np.float64, parameters, seed=5)
    coder, name = coder_of(made, parameters), made.name.rsplit(".", maxsplit=1)[-1]
    upstream = np.random.default_rng(6).standard_normal(x.shape)
    got = getattr(coder, f"{name}_vjp")(x, priors, upstream)
    for j in range(4):
        step = np.zeros_like(x)
        step[:, j] = 1e-7 * np.maximum(np.abs(x[:, j]), 1e-2)
        up, down = (getattr(coder, name)(x + sign * step, priors) for sign in (1, -1))
        slope = (upstream * (up - down)).sum(axis=1) / (2 * step[:, j])
        assert np.all(np.abs(slope - got[:, j]) <= 1e-3 * np.maximum(np.abs(got[:, j]), np.abs(got).max(axis=1)) + 1e-7)


# ---- encode and decode are inverses


def number(low: float, high: float) -> st.SearchStrategy[float]:
    return st.floats(low, high, allow_subnormal=False)


@st.composite
def coder_code_prior(draw: Any) -> tuple[Any, list[float], list[float]]:
    """A coder with any parameters, codes, and a prior."""
    kind = draw(st.sampled_from(["delta", "yolov1", "yolo", "ltrb"]))
    size = [draw(number(0.5, 500)) for _ in range(2)]
    corner = [draw(number(-2000, 2000)) for _ in range(2)]
    stride = draw(st.sampled_from([4.0, 8.0, 16.0, 32.0, 64.0, 128.0]))
    if kind == "delta":
        weights = tuple(draw(number(0.1, 20)) for _ in range(4))
        coder: Any = DeltaCoder(weights, draw(st.sampled_from([None, 5.0])), draw(st.sampled_from(["xyxy", "cxcywh"])))
        code = [draw(number(-5, 5)) * w for w in weights[:2]] + [draw(number(-4, 4)) * w for w in weights[2:]]
        return coder, code, [*corner, corner[0] + size[0], corner[1] + size[1]]
    if kind == "yolov1":
        cells = draw(st.integers(1, 40))
        cell = [float(draw(st.integers(0, cells - 1))) for _ in range(2)]
        return YOLOv1Coder(), [draw(number(0, 1)) for _ in range(2)] + [draw(number(1e-6, 1)) for _ in range(2)], [*cell, float(cells)]
    if kind == "yolo":
        coder = YOLOCoder(draw(number(1, 3)), draw(st.sampled_from(["exp", "squared_sigmoid"])))
        cell = [float(draw(st.integers(0, 100))) for _ in range(2)]
        return coder, [draw(number(-5, 5)) for _ in range(2)] + [draw(number(-3, 3)) for _ in range(2)], [*cell, *size, stride]
    coder = LTRBCoder(draw(st.booleans()), draw(st.sampled_from(["linear", "exp"])))
    return coder, [draw(number(0, 20) if coder.activation == "linear" else number(-5, 5)) for _ in range(4)], [*corner, stride]


@settings(max_examples=200, deadline=None)
@given(coder_code_prior(), st.sampled_from([np.float32, np.float64]))
def test_inverses(drawn: Any, dtype: Any) -> None:
    """encode(decode(x)) = x and decode(encode(b)) = b: within 2 eps of how far rounded boxes, or rounded codes, move the result."""
    coder, code, prior = drawn
    codes, priors = np.array([code], dtype), np.array([prior], dtype)
    boxes = coder.decode(codes, priors)
    back = coder.encode(boxes, priors)
    again = coder.decode(back, priors)
    for made, source, want, got in ((coder.codings[0], boxes, codes, back), (coder.codings[1], back, boxes, again)):
        parameters = vars(coder)
        assume(getattr(coder, "box_format", "xyxy") == "cxcywh" or (boxes[:, 2:] > boxes[:, :2]).all())
        arrays = source.astype(np.float64), priors.astype(np.float64)
        scale = value_scale(made.formula, arrays, parameters, kind="codes", boxes=are_boxes(made, parameters))
        limit = 2 * np.finfo(dtype).eps * np.maximum(np.abs(want), scale)
        assume(np.isfinite(limit).all() and (limit <= 0.05 * np.maximum(np.abs(want), 1)).all())  # else a box is thinner than a rounding
        assert (np.abs(got.astype(np.float64) - want) <= limit).all()


# ---- torchvision


@pytest.mark.skipif(importlib.util.find_spec("torchvision") is None, reason="torchvision is not installed; the test extra has it")
def test_torchvision() -> None:
    """BoxCoder and BoxLinearCoder, pure Python in torchvision, in float64."""
    torch: Any = importlib.import_module("torch")
    importlib.import_module("harnesses.torchvision_losses")  # first: it lets torchvision be imported without its operators
    theirs: Any = importlib.import_module("torchvision.models.detection._utils")
    for weights in ((1.0, 1.0, 1.0, 1.0), (10.0, 10.0, 5.0, 5.0), (2.0, 3.0, 0.5, 0.25)):
        ours, parameters = DeltaCoder(weights, wh_clip=CLIP), {"weights": weights}
        boxes, priors = rows(CODINGS["delta_coder.encode"], 200, np.float64, parameters)
        codes, _ = rows(CODINGS["delta_coder.decode"], 200, np.float64, parameters)
        coder = theirs.BoxCoder(weights)
        encoded = coder.encode_single(torch.tensor(boxes), torch.tensor(priors)).numpy()
        np.testing.assert_allclose(ours.encode(boxes, priors), encoded, rtol=1e-11, atol=1e-11)
        decoded = coder.decode_single(torch.tensor(codes), torch.tensor(priors)).numpy()
        size = np.abs(decoded).max(axis=1, keepdims=True)
        assert (codes[:, 2:] / weights[2:] > CLIP).any()
        assert (np.abs(ours.decode(codes, priors) - decoded) <= 1e-12 * size).all()
    places = rows(CODINGS["ltrb_coder.encode"], 200, np.float64, {})[1]
    boxes = np.concatenate([places[:, :2] - 30, places[:, :2] + 50], axis=1)
    anchors = torch.tensor(np.concatenate([places[:, :2] - places[:, 2:] / 2, places[:, :2] + places[:, 2:] / 2], axis=1))
    for normalize in (True, False):
        linear, coder = LTRBCoder(normalize=normalize), theirs.BoxLinearCoder(normalize_by_size=normalize)
        codes = linear.encode(boxes, places)
        np.testing.assert_allclose(codes, coder.encode(anchors, torch.tensor(boxes)).numpy(), rtol=1e-12, atol=1e-12)
        np.testing.assert_allclose(linear.decode(codes, places), coder.decode(torch.tensor(codes), anchors).numpy(), rtol=1e-12)


# ---- The laws of the kernels


@pytest.mark.parametrize("key", MODES, ids=lambda key: f"{key[0]}-{key[1]}")
def test_hot_loop(key: Any) -> None:
    """Packed instructions, no float64 in a float32 kernel, no product left for a compiler to fuse (see test_engine.py)."""
    teach_cpu()
    loop = cpu_codes.hot(MODES[key][0].kernel, key[1], "fresh")
    library = numba.cfunc(cpu_codes.signature(types, types.float32, None, None), nopython=True, error_model="numpy")(loop)._library
    ir, assembly = library.get_llvm_str(), library.get_asm_str()
    assert not products_in_sums(ir)
    assert "double" not in re.sub(r"declare [^\n]*", "", ir).split("define", 1)[1], "float64 in a float32 kernel"
    packed = len(re.findall(r"\b[vV]?(?:fn?m(?:add|sub)\d*|mul|add|sub|div)ps\b|\bf(?:mla|mul|add|sub|div)\s+v", assembly))
    assert packed >= 20, "the hot loop holds no packed arithmetic"


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("key", MODES, ids=lambda key: f"{key[0]}-{key[1]}")
def test_plain_python_gives_the_compiled_bits(key: Any, dtype: Any) -> None:
    made, parameters = MODES[key]
    x, priors = rows(made, 6, dtype, parameters, seed=9)
    upstream = np.random.default_rng(9).standard_normal(x.shape).astype(dtype)
    value, grad = both(made, parameters, x, priors, upstream)
    five = np.concatenate([priors, np.zeros((6, 5 - made.prior_size), dtype)], axis=1)
    params, setting = coding.words(made.setting(**parameters), dtype), made.setting(**parameters)
    with np.errstate(all="ignore"):
        plain = [made.kernel(setting.mode, *a, *p, *u, params) for a, p, u in zip(x, five, upstream, strict=True)]
    np.testing.assert_array_equal(np.concatenate([value, grad], axis=1), plain)
    assert {type(v) for row in plain for v in row} == {dtype}


def test_the_formula_is_readable_numpy_too() -> None:
    for made, parameters in EACH:
        x, priors = rows(made, 20, np.float64, parameters)
        want = getattr(coder_of(made, parameters), made.name.rsplit(".", maxsplit=1)[-1])(x, priors)
        with np.errstate(all="ignore"):
            got = made.formula(numpy_xp, x, priors, **{**made.defaults, **parameters})
        np.testing.assert_allclose(got, want, rtol=1e-8, atol=1e-8)

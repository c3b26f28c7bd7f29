"""Checks of values and gradients, run by keras_worker.py: against the core, at the hazards, primitive by primitive."""

from typing import Any

import numpy as np

from refloss._engine.record import REGISTRY
from refloss_keras import _functions
from refloss_keras._backend import _BY_BACKEND, value_and_grad
from refloss_keras._keras import keras, ops
from refloss_keras._xp import table

REFERENCE: Any = None  # set by the worker
BACKEND = keras.backend.backend()
LIMIT = 16  # eps, against the condition scale
# By automatic differentiation GIoU's dC - dU cancels in single words (the kernel keeps two): 45 eps measured in float32. The limit is
# the one that `refloss check` states for the gradients of frameworks.
GIOU_GRADIENT_LIMIT = 64


def worst(got: Any, want: Any, scale: Any, dtype: Any) -> float:
    """The largest error in eps; JAX and TensorFlow flush subnormal numbers, so nothing below the smallest normal one counts."""
    info = np.finfo(dtype)
    error = np.abs(got.astype(float) - want) - 64 * float(info.tiny)
    bad = ~np.isfinite(got)
    with np.errstate(over="ignore"):
        relative = error / (info.eps * np.maximum(np.maximum(scale, np.abs(want)), info.tiny))
    return np.inf if bad.any() else float(relative.max())


def differentiate(function: Any, *arrays: Any, compiled: bool = False) -> tuple[Any, Any]:
    """Value, and gradient of the first array, of any function of one or two tensors."""
    x, t = (ops.convert_to_tensor(a) for a in (*arrays, arrays[0])[:2])
    value, gradient = _BY_BACKEND[BACKEND](function, x, t, compiled)
    return ops.convert_to_numpy(value), ops.convert_to_numpy(gradient)


def check_against_the_core() -> None:
    """All settings in both types as they are, and the first of each loss compiled."""
    problems = []
    for name, loss in REGISTRY.items():
        for index, parameters in enumerate(loss.settings):
            first, second, value, gradient, value_scale, gradient_scale = (
                REFERENCE[f"{name}/{index}/{key}"] for key in ("first", "second", "value", "gradient", "value_scale", "gradient_scale")
            )
            for dtype in (np.float32, np.float64):
                for compiled in (False, True) if index == 0 and dtype is np.float32 and BACKEND != "torch" else (False,):
                    t = second if loss.targets == "labels" else second.astype(dtype)
                    v, g = value_and_grad(name, first.astype(dtype), t, parameters, compiled)
                    assert v.dtype == g.dtype == dtype
                    assert v.shape == value.shape and g.shape == gradient.shape
                    errors = worst(v, value, value_scale, dtype), worst(g, gradient, gradient_scale, dtype)
                    limits = LIMIT, GIOU_GRADIENT_LIMIT if name == "giou_loss" else LIMIT
                    if not all(error <= limit for error, limit in zip(errors, limits, strict=True)):
                        problems.append(f"{name} {parameters} {dtype.__name__} {compiled=}: {errors[0]:.3g}, {errors[1]:.3g} eps")
    assert not problems, "\n".join(problems)


def check_gradients_are_finite() -> None:
    """Saturated logits at every gamma, and boxes of every degenerate sort and size, in float32."""
    logits = np.float32([-1e30, -1e4, -200, -104, -103, -88, -87, -30, -1e-30, 0, 1e-45, 1, 30, 87, 88, 103, 200, 1e4, 1e30])
    rows = np.stack([np.zeros_like(logits), logits, -logits / 2], axis=1)
    sides = np.float32([0, 1e-8, 1e-4, 1, 1e5, 1e9])  # JAX divides by the square of the union: 1e-10 is too small for it
    boxes = np.array([[0, 0, w, h] for w in sides for h in sides], np.float32)
    pairs = [(boxes, boxes)] + [(boxes, np.roll(boxes, k, axis=0)) for k in (1, 5, 17)]
    pairs.append((boxes, boxes + np.float32(2e9)))
    for name, loss in REGISTRY.items():
        for index, parameters in enumerate(loss.settings):
            if loss.kind == "pairs":
                sets = pairs
            elif loss.targets == "labels":
                sets = [(rows, np.full(len(rows), label)) for label in (0, 1, 2, -2)]
            elif loss.targets == "unit":
                sets = [(logits, np.full_like(logits, t)) for t in (0, 1, 0.5, 1e-6)]
            else:
                sets = [(logits[1:-1], np.zeros_like(logits[1:-1])), (logits[1:-1], logits[1:-1])]
            first, second = (np.concatenate(arrays) for arrays in zip(*sets, strict=True))
            for compiled in (False, True) if index == 0 and BACKEND != "torch" else (False,):
                v, g = value_and_grad(name, first, second, parameters, compiled)
                bad = ~np.isfinite(g).reshape(len(first), -1).all(axis=1)
                assert not bad.any(), f"{name} {parameters}: gradient of {first[bad][:3]}, {second[bad][:3]} is {g[bad][:3]}"
                assert not np.isnan(v).any(), f"{name} {parameters}: value"


def check_primitives() -> None:
    """Values, and slopes where autodiff of the obvious form fails."""
    primitives(np.float32)
    primitives(np.float64)


def primitives(dtype: Any) -> None:
    xp, eps = table(np.dtype(dtype).name), np.finfo(dtype).eps
    z = dtype([-80, -50, -20, -17, -1, -1e-3, 0, 1e-3, 1, 17, 20, 21, 30, 50, 80])
    p, n = 1 / (1 + np.exp(-z.astype(np.longdouble))), 1 / (1 + np.exp(z.astype(np.longdouble)))
    for function, value, slope in (
        (xp.softplus, np.logaddexp(0, z.astype(np.longdouble)), p),
        (xp.sigmoid, p, p * n),
        (lambda x: xp.maximum(x, 0), np.maximum(z, 0), np.where(z == 0, 0.5, z > 0)),
        (lambda x: xp.minimum(0, x), np.minimum(z, 0), np.where(z == 0, 0.5, z < 0)),
        (xp.abs, np.abs(z), np.sign(z)),
    ):
        v, g = differentiate(lambda x, _, f=function: f(x), z)
        assert v.dtype == dtype
        assert np.all(np.abs(v - value) <= 3 * eps * np.abs(value)), (function, dtype, v, value)
        assert np.all(np.abs(g - slope) <= 6 * eps * np.abs(slope)), (function, dtype, g, slope)
    q = dtype([0, 1e-38, 0.25, 1])
    for gamma in (0, 0.3, 1, 2.5):
        v, g = differentiate(lambda x, _, gamma=gamma: xp.power(x, gamma), q)
        assert np.isfinite(g).all() and np.allclose(v, q**gamma, rtol=60 * eps, atol=1e-11), (gamma, v)
        assert gamma != 0 or (np.all(v == 1) and np.all(g == 0))
    v, g = differentiate(lambda x, _: xp.sqrt(x), q)
    assert np.isfinite(g).all() and np.allclose(v[2:], [0.5, 1], rtol=eps)
    y, x = (a.ravel().astype(dtype) for a in np.meshgrid([-1e20, -2, -1e-20, 0, 1e-20, 1, 3, 1e20], [-1e20, -1, 0, 1e-20, 1, 4, 1e20]))
    v, g = differentiate(xp.arctan2, y, x)
    assert np.all(np.abs(v - np.arctan2(y, x)) <= 4 * eps * np.abs(np.arctan2(y, x)) + np.finfo(dtype).tiny), (dtype, y, x, v)
    a, b = x.astype(np.longdouble), y.astype(np.longdouble)
    slope = np.where((a == 0) & (b == 0), 0, a / np.where((a == 0) & (b == 0), 1, a * a + b * b)).astype(float)
    assert np.all(np.abs(g - slope) <= 8 * eps * np.abs(slope) + np.finfo(dtype).tiny), (dtype, y, x, g, slope)
    v, _ = differentiate(lambda x, _: xp.stack([xp.sum(x), xp.max(x)]), np.arange(6, dtype=dtype).reshape(2, 3))
    assert v.tolist() == [[3, 2], [12, 5]]


def check_half_precision() -> None:
    """Computed in float32, rounded once."""
    x = np.linspace(-9, 9, 37, dtype=np.float16)
    t = (x > 1).astype(np.float16)
    want, slope = value_and_grad("focal_loss", x.astype(np.float32), t.astype(np.float32), {})
    got, gradient = value_and_grad("focal_loss", x, t, {})
    assert got.dtype == gradient.dtype == np.float16
    assert np.array_equal(got, want.astype(np.float16)) and np.array_equal(gradient, slope.astype(np.float16))
    low = ops.cast(ops.convert_to_tensor(x), "bfloat16")
    out = _functions.function("focal_loss")(low, ops.convert_to_tensor(t))
    assert keras.backend.standardize_dtype(out.dtype) == "bfloat16"
    exact = _functions.function("focal_loss")(ops.cast(low, "float32"), ops.convert_to_tensor(t))
    assert np.array_equal(*(ops.convert_to_numpy(ops.cast(a, "float32")) for a in (out, ops.cast(exact, "bfloat16"))))


def check_nan_stays_where_it_is() -> None:
    """NaN in a logit gives NaN there and nowhere else, in value and gradient."""
    for parameters in ({"gamma": 2.0}, {"gamma": 0.3}, {"gamma": 0.0}):
        v, g = value_and_grad("focal_loss", np.float32([1, np.nan, -1]), np.float32([1, 0, 0]), parameters)
        assert np.isnan(v).tolist() == np.isnan(g).tolist() == [False, True, False], (parameters, v, g)

"""Checks of the loss classes as Keras uses them, run by keras_worker.py: training, weights, masks, configuration, labels."""

import tempfile
from pathlib import Path
from typing import Any

import numpy as np

import refloss
import refloss_keras as rk
from refloss_keras._keras import keras, ops

REFERENCE: Any = None
BACKEND = keras.backend.backend()
RNG = np.random.default_rng(3)
CLASSES = [value for name, value in vars(rk).items() if isinstance(value, type) and name in rk.__all__]


def raises(kind: type[Exception], text: str, function: Any, *args: Any, **kwargs: Any) -> None:
    try:
        function(*args, **kwargs)
    except kind as error:
        assert text in str(error), error
        return
    raise AssertionError(f"{kind.__name__} was not raised by {function}")


def number(x: Any) -> float:
    return float(ops.convert_to_numpy(x))


def close(x: Any, y: Any) -> bool:
    return np.allclose(ops.convert_to_numpy(x), ops.convert_to_numpy(y), rtol=2e-6, atol=1e-7)


def model(out: int, loss: Any, **how: Any) -> Any:
    keras.utils.set_random_seed(1)
    made = keras.Sequential([keras.layers.Input((6,)), keras.layers.Dense(out)])
    made.compile(optimizer=keras.optimizers.Adam(0.1), loss=loss, **how)
    return made


def targets(loss: Any, n: int, out: int) -> Any:
    kind, domain = loss.refloss_loss.kind, loss.refloss_loss.targets
    if domain == "labels":
        return RNG.integers(-2, out, n) if kind == "labels" else RNG.integers(0, out, n)
    if kind == "pairs":
        corner = RNG.uniform(0, 1, (n, 2))
        return np.concatenate([corner, corner + RNG.uniform(0.5, 2, (n, 2))], axis=1).astype(np.float32)
    return (RNG.uniform(size=(n, out)) > 0.7).astype(np.float32)


def check_training() -> None:
    """Each family learns; compiled by XLA where the backend has it, as a plain graph and eagerly on TensorFlow too."""
    ways: list[dict[str, Any]] = [{"jit_compile": BACKEND != "torch"}]
    x = RNG.normal(size=(32, 6)).astype(np.float32)
    for loss in (
        rk.FocalLoss(),
        rk.SoftmaxFocalLossWithIntegerLabels(gamma=0.5),
        rk.CIoULoss(box_format="cxcywh"),
        rk.SmoothL1Loss(beta=0.1),
    ):
        more = [{"jit_compile": False}, {"run_eagerly": True}] if BACKEND == "tensorflow" and isinstance(loss, rk.FocalLoss) else []
        for how in ways + more:
            y = targets(loss, 32, 4)
            x[:, :4] = y if y.ndim == 2 else np.eye(4)[y]
            history = model(4, loss, **how).fit(x, y, epochs=12, batch_size=16, verbose=0, sample_weight=np.ones(32)).history["loss"]
            assert np.isfinite(history).all() and history[-1] < 0.8 * history[0], (loss.name, how, history)


def check_mixed_precision() -> None:
    """A bfloat16 model: the loss is computed in float32."""
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        x = RNG.normal(size=(16, 6)).astype(np.float32)
        made = model(3, rk.FocalLossWithIntegerLabels(reduction="sum"), jit_compile=False)
        history = made.fit(x, RNG.integers(-2, 3, 16), epochs=6, verbose=0).history["loss"]
    finally:
        keras.config.set_dtype_policy("float32")
    assert np.isfinite(history).all() and history[-1] < history[0], history
    out = rk.FocalLoss(dtype="float16", reduction="sum")(np.zeros((300, 300)), np.full((300, 300), 2.0))
    one = number(rk.FocalLoss(reduction="sum")(np.zeros((300, 300)), np.full((300, 300), 2.0)))
    assert keras.backend.standardize_dtype(out.dtype) == "float16"
    assert one < 65504 * 2 and (np.isinf(number(out)) if one > 65519 else abs(number(out) - one) <= one * 2**-10)


def check_reductions_and_weights_as_keras() -> None:
    """SquaredError against Keras's MeanSquaredError: the means agree with every weight and mask; a sum is of all elements."""
    t, p = RNG.normal(size=(2, 4, 3, 5)).astype(np.float32)
    weights = [None, 2.0, [[1.0], [0.0], [2.0], [3.0]], RNG.uniform(size=(4, 3)), RNG.uniform(size=(4, 3, 1))]
    for reduction in ("sum_over_batch_size", "mean", "mean_with_sample_weight", "sum"):
        ours, theirs = rk.SquaredError(reduction=reduction), keras.losses.MeanSquaredError(reduction=reduction)
        scale = 5 if reduction == "sum" else 1
        for weight in weights:
            for masked in (False, True):
                got = [ops.convert_to_tensor(p) for _ in range(2)]
                for tensor in got if masked else ():
                    keras.src.backend.set_keras_mask(tensor, ops.convert_to_tensor(np.arange(12).reshape(4, 3) % 3 > 0))
                w = None if weight is None else np.float32(weight)
                # Keras sums weights as they come, spread or not; here each counts once for each of its elements.
                spread = None if w is None else np.broadcast_to(w.reshape(w.shape[:2]), (4, 3))
                a, b = number(ours(t, got[0], sample_weight=w)), number(theirs(t, got[1], sample_weight=spread)) * scale
                assert abs(a - b) <= 2e-6 * abs(b), (reduction, weight, masked, a, b)
    for reduction in (None, "none"):
        unreduced = rk.SquaredError(reduction=reduction)(t, p, sample_weight=np.float32([1, 2, 3, 4]))
        assert close(unreduced, (t - p) ** 2 * np.float32([1, 2, 3, 4])[:, None, None])


def check_weights_are_of_samples() -> None:
    """(batch,) weights against a (batch, n) loss, even where batch = n; shapes that do not belong together raise."""
    t, p = RNG.normal(size=(2, 4, 4)).astype(np.float32)
    w = np.float32([1, 0, 2, 3])
    assert close(rk.SquaredError(reduction="sum")(t, p, sample_weight=w), ((t - p) ** 2 * w[:, None]).sum())
    assert close(rk.SquaredError(reduction="sum")(t, p, sample_weight=t * t), ((t - p) ** 2 * t * t).sum())
    tensor = ops.convert_to_tensor(w)
    rk.FocalLossWithIntegerLabels()(np.array([0, -2, 1, 2]), p[0][:, None] + p, sample_weight=tensor)
    assert close(tensor, w), "the weights were changed in place"
    raises(refloss.ReflossError, "sample_weight must be", rk.SquaredError(), t[:3], p[:3], sample_weight=w)
    raises(refloss.ReflossError, "sample_weight must be", rk.SquaredError(), t, p, sample_weight=np.ones((4, 4, 2)))
    assert close(rk.IoULoss(reduction="sum")(t * 0, np.float32([[0, 0, 1, 1]] * 4), sample_weight=w[:, None]), 6)
    assert close(rk.SquaredError(reduction="sum")(t[:, 0], p[:, :1], sample_weight=w), ((t[:, 0] - p[:, 0]) ** 2 * w).sum())
    raises(refloss.ReflossError, "nothing is broadcast", rk.SquaredError(), t[:, 0], p)
    raises(refloss.ReflossError, "nothing is broadcast", rk.squared_error, t[:, :1], p)


def check_labels() -> None:
    """Codes and class ids survive as integers or floats, (n,) or (n, 1); ignored rows leave the mean, as ignore_class does."""
    p, labels = RNG.normal(size=(6, 4)).astype(np.float32), np.array([0, 3, -2, 1, -2, 2])
    want = [number(rk.SoftmaxCrossEntropyWithIntegerLabels(reduction=r)(labels, p)) for r in ("sum_over_batch_size", "sum")]
    keep = labels >= 0
    for r, w in zip(("sum_over_batch_size", "sum"), want, strict=True):
        theirs = keras.losses.SparseCategoricalCrossentropy(from_logits=True, reduction=r)(labels[keep], p[keep])
        assert abs(number(theirs) - w) < 1e-5 * w, (r, w)
    for form in (
        labels.astype(np.float32),
        labels[:, None],
        labels.astype(np.int8),
        labels.astype(np.float64)[:, None],
        labels.astype(np.int32),
    ):
        assert abs(number(rk.SoftmaxCrossEntropyWithIntegerLabels()(form, p)) - want[0]) < 1e-6
    assert number(rk.SoftmaxCrossEntropyWithIntegerLabels()(np.full(6, -2), p)) == 0
    codes = np.array([0, -1, -2, 3, -1, 2])
    core = refloss.focal_loss_with_integer_labels(p.astype(float), codes)
    loss = rk.FocalLossWithIntegerLabels(reduction="none")
    assert close(loss(codes.astype(np.float32), p), core) and close(loss.call(codes, p), core)
    assert close(rk.FocalLossWithIntegerLabels()(codes, p, sample_weight=np.arange(6)), (core * np.arange(6)[:, None]).sum() / 20)
    assert close(rk.focal_loss_with_integer_labels(p, codes.astype(np.uint8) % 4), refloss.focal_loss_with_integer_labels(p, codes % 4))


def check_configuration() -> None:
    """Everything round-trips, type included; a compiled model is saved and loaded with its loss."""
    for cls in CLASSES:
        for parameters in cls.refloss_loss.settings:
            for dtype in ("float64", "float16", None):
                loss = cls(**parameters, reduction="sum", name="mine", dtype=dtype)
                twin = keras.losses.deserialize(keras.losses.serialize(loss))
                assert type(twin) is cls and twin.get_config() == loss.get_config() == cls.from_config(loss.get_config()).get_config()
                assert (twin.name, twin.reduction, twin.dtype) == ("mine", "sum", dtype or "float32") and twin.parameters == loss.parameters
        assert cls().parameters == cls.refloss_loss.defaults
        assert keras.saving.get_registered_name(cls) == f"refloss>{cls.__name__}"
    assert rk.FocalLoss(reduction=None).get_config()["reduction"] is None
    raises(refloss.ReflossError, "gamma", rk.FocalLoss, gamma=-1)
    raises(refloss.ReflossError, "gamma", rk.focal_loss, np.zeros(2, np.float32), np.zeros(2, np.float32), gamma=-1)
    raises(TypeError, "beta", rk.FocalLoss, beta=1)
    raises(TypeError, "beta", rk.focal_loss, 1.0, 1.0, beta=1)
    raises(refloss.ReflossError, "dtype int32", rk.focal_loss, np.int32([1]), np.float32([1]))
    made = model(4, rk.FocalLoss(alpha=0.1, gamma=0.3, dtype="float32", reduction="sum"), jit_compile=False)
    x, y = RNG.normal(size=(8, 6)).astype(np.float32), targets(made.loss, 8, 4)
    with tempfile.TemporaryDirectory() as folder:
        made.save(Path(folder) / "model.keras")
        loaded = keras.saving.load_model(Path(folder) / "model.keras")
    assert loaded.loss.get_config() == made.loss.get_config()
    assert abs(loaded.evaluate(x, y, verbose=0) - made.evaluate(x, y, verbose=0)) < 1e-4


def check_functions_and_symbols() -> None:
    """Positional and keyword arguments; a KerasTensor gives a KerasTensor of the unreduced shape."""
    p, t = np.float32([[0.5, -2.0]]), np.float32([[1, 0]])
    assert close(rk.focal_loss(p, t, gamma=1.5), refloss.focal_loss(p, t, gamma=1.5))
    assert close(rk.focal_loss(targets=t, logits=p, alpha=None), refloss.focal_loss(p, t, alpha=None))
    for cls in CLASSES:
        kind, labels = cls.refloss_loss.kind, cls.refloss_loss.targets == "labels"
        first = keras.Input((7, 4))
        second = keras.Input((7,), dtype="int32") if labels else keras.Input((7, 4))
        for parameters in cls.refloss_loss.settings[:2]:
            out = getattr(rk, cls.refloss_loss.name)(first, second, **parameters)
            assert tuple(out.shape) == ((None, 7, 4) if kind in ("elementwise", "labels") else (None, 7)), (cls, out)
    logits, labels = keras.Input((3,)), keras.Input((), dtype="int32")
    graph = keras.Model([logits, labels], rk.focal_loss_with_integer_labels(logits, labels, gamma=0.5))
    twin = keras.Model.from_config(graph.get_config())
    x, codes = RNG.normal(size=(4, 3)).astype(np.float32), np.array([-2, -1, 0, 2])
    want = refloss.focal_loss_with_integer_labels(x, codes, gamma=0.5)
    assert close(graph([x, codes]), want) and close(twin([x, codes]), want)

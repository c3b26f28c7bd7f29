"""Checks of refloss_keras.criteria's arguments: weights, dtypes, configurations, and what is an error."""

import json
from typing import Any

import numpy as np
from keras_criteria_cases import (
    BACKEND,
    CLASSES,
    COMPILES,
    COUNTS,
    FLAT,
    GRIDS,
    RANGES,
    SIDE,
    YOLO,
    Case,
    both,
    flat_arguments,
    joined,
    model_of,
    number,
    raises,
)  # fmt: skip

from refloss import criteria
from refloss_keras import criteria as rk
from refloss_keras._keras import keras, ops

__all__ = [
    "check_configuration",
    "check_errors",
    "check_nan",
    "check_ragged_targets",
    "check_tensors",
    "check_types",
    "check_weights_and_reductions",
]


def check_weights_and_reductions() -> None:
    """Weights are of images; the mean is the criterion, the sum that times the images; padding changes nothing."""
    if BACKEND == "jax":
        return  # each of these would be compiled; what reduces is Keras's
    case = Case("YOLOv3", {"ignore_threshold": 0.3}, COUNTS[0])
    shares = []
    for i in range(3):
        one = [head[i : i + 1] for head in case.outputs]
        shares.append(sum(float(term) for term in case.core(one, case.targets[i : i + 1]).values()))
    for weights in ([1.0, 2.0, 0.5], [[0.0], [0.0], [3.0]]):
        got = number(case.loss(case.y_true, case.y_pred, sample_weight=np.float32(weights)))
        assert np.isclose(got, np.ravel(weights) @ shares, rtol=1e-5), (weights, got)
    config = case.loss.get_config()
    for reduction, want in (("sum", 3 * case.value), ("mean", case.value), (None, 3 * np.array(shares))):
        got = ops.convert_to_numpy(rk.YOLOv3.from_config({**config, "reduction": reduction})(case.y_true, case.y_pred))
        assert np.allclose(got, want, rtol=1e-5), (reduction, got, want)
    roomy = rk.YOLOv3.from_config({**config, "max_boxes": 40, "max_matches": 50})
    assert roomy.encoder().shape == (50, 16 + CLASSES)
    assert np.isclose(number(roomy(roomy.encoder().batch(case.targets), case.y_pred)), case.value, rtol=1e-6)


def check_types() -> None:
    """Half-precision predictions are widened; float64 is float64; a mixed-precision model trains."""
    case = Case("RetinaNet", {"box_loss": "giou"}, COUNTS[0])
    half = ops.cast(case.y_pred, "bfloat16")
    wide = ops.convert_to_numpy(ops.cast(half, "float32"))
    terms, want = case.core.value_and_grad({"codes": wide[..., :4], "classes": wide[..., 4:]}, case.targets)
    value, gradient = both(case.loss)(case.y_true, half)
    assert np.isclose(number(value), sum(terms.values()), rtol=1e-5)
    assert keras.backend.standardize_dtype(gradient.dtype) == "bfloat16"
    assert np.allclose(ops.convert_to_numpy(ops.cast(gradient, "float32")), joined("RetinaNet", want), rtol=2**-7, atol=1e-8)
    if not COMPILES:  # JAX narrows float64, unless told otherwise
        wide_case = Case("YOLOv4", {"scale_xy": (1.2, 1.05)}, COUNTS[0], dtype="float64")
        outputs = [head.astype(np.float64) for head in wide_case.outputs]
        want = sum(float(term) for term in wide_case.core(outputs, wide_case.targets).values())
        got = wide_case.loss.terms(wide_case.loss.encoder().batch(wide_case.targets), wide_case.y_pred.astype(np.float64))
        assert abs(sum(map(number, got.values())) - want) < 1e-12 * want  # Keras's own mean divides in float32
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        made = model_of(case.loss)
        made.compile(optimizer="adam", loss=case.loss, jit_compile=BACKEND == "jax")
        history = made.fit(np.ones((3, SIDE), np.float32), case.y_true, batch_size=3, epochs=3, verbose=0).history["loss"]
    finally:
        keras.config.set_dtype_policy("float32")
    assert np.isfinite(history).all() and history[-1] < history[0]


def check_configuration() -> None:
    """Everything round-trips, through JSON; a wrong argument is the criterion's error, and what a graph cannot do is one too."""
    for name in [*FLAT, *YOLO]:
        for setting in FLAT[name][0] if name in FLAT else YOLO[name]:
            loss = Case(name, setting, (1,), reduction="sum", name="mine").loss
            text = json.dumps(keras.losses.serialize(loss))
            twin = keras.losses.deserialize(json.loads(text))
            assert type(twin) is getattr(rk, name) and twin.get_config() == loss.get_config() and twin.core.dialect == loss.core.dialect
            assert keras.saving.get_registered_name(type(loss)) == f"refloss>{name}"
            y_true, y_pred = np.zeros((2, *loss.encoder().shape), np.float32), np.zeros((2, *loss._channels()), np.float32)
            if BACKEND == "torch":
                assert number(twin(y_true, y_pred)) == number(loss(y_true, y_pred))


def check_errors() -> None:
    """One sentence each."""
    case = Case("RetinaNet", {}, COUNTS[0])
    raises("y_pred must be of shape (images, 60, 7), got (3, 60, 6)", case.loss, case.y_true, case.y_pred[..., :6])
    raises("y_true must be of shape (images, 60, 5), got (3, 60)", case.loss, case.y_true[..., 0], case.y_pred)
    raises("sample_weight must be of shape (images,)", case.loss, case.y_true, case.y_pred, sample_weight=np.ones((3, 60)))
    masked = ops.convert_to_tensor(case.y_pred)
    keras.src.backend.set_keras_mask(masked, ops.ones((3, 60), "bool"))
    raises("y_pred must be without a mask", case.loss, case.y_true, masked)
    arguments = flat_arguments("RetinaNet")
    raises("normalizer must be", rk.RetinaNet, *arguments, normalizer=criteria.MovingAverage())
    raises("check must be False", rk.RetinaNet, *arguments, check=True)
    raises("dtype must be float32 or float64", rk.RetinaNet, *arguments, dtype="float16")
    raises("gamma", rk.RetinaNet, *arguments, gamma=-1.0)
    raises("beat", rk.RetinaNet, *arguments, beat=1.0, kind=TypeError)
    raises("box_gradient must be", rk.YOLOv4, CLASSES, GRIDS, dialect="darknet", scale_xy=(1.0, 1.0))
    raises("box_gradient must be", rk.ScaledYOLOv4, CLASSES, GRIDS, dialect="darknet")
    raises("box_loss must be", rk.YOLOv4, CLASSES, GRIDS, box_loss="squares", scale_xy=(1.0, 1.0))
    raises("warm_up must be False", rk.YOLOv2, CLASSES, GRIDS[:1], dialect="darknet")
    raises("match must be", rk.YOLOv2, CLASSES, GRIDS[:1], match="predicted")
    raises("dialect must be 'paper'", rk.YOLOv1, dialect="darknet")
    raises("max_boxes must be", rk.YOLOv3, CLASSES, GRIDS, max_boxes=0)
    encoder = rk.YOLOv4(CLASSES, GRIDS, scale_xy=(1.0, 1.0), max_boxes=2, max_matches=1).encoder()
    box = [[1.0, 1.0, 30.0, 30.0]]
    raises("at most 2 boxes, got 3", encoder, box * 3, [0, 0, 0])
    raises("at most 1 matches", encoder, box * 2, [0, 1])
    raises("gt_labels must be in [0, 2]", encoder, box, [3])
    raises("inside the image", encoder, [[1.0, 1.0, 70.0, 30.0]], [0])


def check_nan() -> None:
    """What is wrong reaches the loss, and what does not count does not."""
    for dialect, code in (("detectron2", np.nan), ("torchvision", -1.0), ("paper", 1e3)):
        case = Case("FCOS", {"dialect": dialect, "size_ranges": RANGES}, COUNTS[0])
        positive = case.y_true[..., 4] >= 0
        assert positive.any() and not positive.all()
        wrong, other = case.y_pred.copy(), case.y_pred.copy()
        wrong[..., :4] = np.where(positive[..., None], code, wrong[..., :4])
        assert np.isnan(number(case.loss(case.y_true, wrong))), (dialect, code)
        other[..., :5] = np.where(positive[..., None], other[..., :5], np.nan)  # codes and centerness
        assert np.isclose(number(case.loss(case.y_true, other)), case.value, rtol=1e-5), dialect
    case = Case("RetinaNet", {"box_loss": "iou"}, COUNTS[0])
    wrong = case.y_pred.copy()
    wrong[..., 2] = 1e3
    assert np.isnan(number(case.loss(case.y_true, wrong)))
    assert np.isnan(case.core({"codes": wrong[..., :4], "classes": wrong[..., 4:]}, case.targets)["box"])


def check_tensors() -> None:
    """Priors as a tensor of the backend: the configuration holds numbers."""
    arguments = flat_arguments("RetinaNet")
    loss = rk.RetinaNet(CLASSES, ops.convert_to_tensor(arguments[1].astype(np.float32)), SIDE)
    twin = keras.losses.deserialize(json.loads(json.dumps(keras.losses.serialize(loss))))
    assert np.array_equal(twin.core.priors, loss.core.priors)


def check_ragged_targets() -> None:
    """One sentence for what is no batch; integers in lists are boxes, padded too."""
    encoder = rk.RetinaNet(*flat_arguments("RetinaNet")).encoder()
    raises("targets must be a list of mappings", encoder.batch, 5)
    raises("targets must be a list of mappings", encoder.batch, "boxes")
    padded: dict[str, Any] = {"gt_boxes": [[[1, 2, 30, 40], [0, 0, 0, 0]]], "gt_labels": [[1, 0]], "counts": [1]}
    assert np.array_equal(encoder.batch(padded), encoder.batch([{"gt_boxes": [[1, 2, 30, 40]], "gt_labels": [1]}]))
    raises("['gt_labels'] must be an array of one shape", encoder.batch, {**padded, "gt_labels": [[1], [1, 2]]})
    raises("['gt_boxes'] must be an array of one shape", encoder.batch, {**padded, "gt_boxes": [[[1, 2, 3, 4]], []]})
    raises("gt_labels must be an array of one shape", encoder, [[1, 2, 30, 40]], [[1], [1, 2]])
    raises("targets must be a mapping with gt_boxes, gt_labels and counts", encoder.batch, {"counts": 3})

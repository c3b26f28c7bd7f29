"""The golden values of whole criteria on the Keras backend that is running: run by keras_worker.py. Keras's value is the loss."""

import os
from typing import Any

import numpy as np

from refloss_conformance.criteria import CLASSES, Case, Criteria, arguments, load, names
from refloss_keras import criteria as rk
from refloss_keras._backend import _BY_BACKEND
from refloss_keras._keras import keras, ops

REFERENCE: Any = None
BACKEND = keras.backend.backend()
# Every batch has other shapes, for which JAX compiles the whole loss anew: there, unless REFLOSS_KERAS asks for all (two minutes), the
# telling ones are enough.
TELLING = {"batch"} if BACKEND == "jax" and "REFLOSS_KERAS" not in os.environ else None
# What Keras's losses say in another way, where that is the same on these batches; None: not at all (a warm-up counts images, and
# what darknet takes for YOLOv4's slope is no gradient).
OTHERWISE: dict[tuple[str, str], dict[str, Any] | None] = {
    ("criteria.yolov1", "darknet"): {"factor": 0.5}, ("criteria.yolov2", "darknet"): None,
    ("criteria.yolov2", "darknet_warmed_up"): {"dialect": "darknet", "warm_up": False},
    **{
        (name, setting): None for name in ("criteria.yolov4", "criteria.scaled_yolov4")
        for setting, given in load(name).settings.items() if given["dialect"] == "darknet"
    },
}  # fmt: skip
LIMIT = 64 * 2.0**-23  # condition-aware: room for any stable order of operations, as for losses through a framework's own autodiff
PARTS = {
    "criteria.retinanet": ("codes", "classes"), "criteria.ssd": ("codes", "classes"), "criteria.fcos": ("codes", "centerness", "classes"),
}  # fmt: skip
FLOOR = 1 / 16  # of a gradient's largest number: automatic differentiation forms small ones as differences


def both(loss: Any, y_true: Any, y_pred: Any) -> Any:
    """(value, gradient); compiled only on JAX, whose separate operations take longer still: all batches differ in shape."""
    if BACKEND == "torch":
        return _BY_BACKEND["torch"](lambda x, t: loss(t, x), *map(ops.convert_to_tensor, (y_pred, y_true)), False)
    if BACKEND == "jax":
        import jax

        made = jax.jit(jax.value_and_grad(lambda x, t: loss(t, x)))
        return made(y_pred, y_true)
    import tensorflow as tf

    x = tf.convert_to_tensor(y_pred)
    with tf.GradientTape() as tape:
        tape.watch(x)
        value = loss(tf.convert_to_tensor(y_true), x)
    return value, tape.gradient(value, x)


def layout(file: Criteria, arrays: Any) -> Any:
    """By output, as y_pred has it: flat parts beside one another, YOLO's heads as rows after one another."""
    order = PARTS.get(file.name)
    if order is not None:
        return np.concatenate([arrays[part] if arrays[part].ndim == 3 else arrays[part][..., None] for part in order], axis=2)
    if file.name == "criteria.yolov1":
        return arrays["output"]
    heads = [np.moveaxis(head, 2, -1) for head in arrays.values()]
    return np.concatenate([head.reshape(len(head), -1, head.shape[-1]) for head in heads], axis=1)


def failing(file: Criteria, case: Case) -> str:
    """What is off, or nothing."""
    said = OTHERWISE.get((file.name, case.setting), case.parameters)
    loss = getattr(rk, CLASSES[file.name])(**{k: v for k, v in arguments(case).items() if k not in case.parameters}, **(said or {}))
    y_true = loss.encoder().batch(case.targets("float32"))
    value, slope = (ops.convert_to_numpy(x) for x in both(loss, y_true, layout(file, case.arrays("float32"))))
    wanted = case.total()
    off = abs(float(value) - float(wanted.number)) / max(float(wanted.scale), abs(float(wanted.number)), 2.0**-126)
    if not off <= LIMIT:
        return f"{case.id}: the loss is {float(value)!r}, not {float(wanted.number)!r}"
    high, _, scale = case.slopes
    right, room = layout(file, high), layout(file, scale)
    size = np.maximum(np.maximum(np.abs(right), room), FLOOR * np.abs(right).max())
    bad = ~(np.abs(slope - right) <= LIMIT * size)
    where = np.argwhere(bad)
    return f"{case.id}: the gradient at {where[0].tolist()} is {slope[bad][0]!r}, not {right[bad][0]!r}" if len(where) else ""


def check_golden_criteria() -> None:
    wrong, ran = [], 0
    for name in names():
        file = load(name)
        for case in file.cases:
            asked = TELLING is None or set(case.flags) & TELLING
            if not asked or OTHERWISE.get((name, case.setting), {}) is None:
                continue
            ran += 1
            try:
                wrong.append(failing(file, case))
            except Exception as error:
                wrong.append(f"{case.id}: {type(error).__name__}: {error}")
    wrong = [text for text in wrong if text]
    assert ran > 20 and not wrong, f"{len(wrong)} of {ran} wrong: " + "\n".join(wrong[:10])
    print(f"{ran} cases on {os.environ['KERAS_BACKEND']}")

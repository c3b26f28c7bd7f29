"""The cases of the checks of refloss_keras.criteria: batches with truths, the criterion's numbers, and what the checks share."""

from typing import Any

import numpy as np

import refloss
from refloss import criteria
from refloss.priors import Grid, fcos_locations
from refloss_keras import criteria as rk
from refloss_keras._backend import _BY_BACKEND
from refloss_keras._keras import keras, ops

BACKEND = keras.backend.backend()
COMPILES = BACKEND != "torch"
SIDE, CLASSES = 64, 3
GRIDS = (Grid(((10.0, 12.0), (30.0, 20.0)), 16, 4, 4), Grid(((40.0, 30.0), (60.0, 60.0)), 32, 2, 2))
RANGES = ((0, 32), (32, np.inf))
COUNTS = ((3, 0, 6), (0, 0, 0))  # truths of each image of each batch


def boxes_on_cells() -> Any:
    """Three shapes on 4 x 4 and 2 x 2 cells."""
    made = []
    for stride, side in ((16, 18.0), (32, 36.0)):
        y, x = np.mgrid[stride / 2 : SIDE : stride, stride / 2 : SIDE : stride]
        centre = np.stack([x, y], axis=-1).reshape(-1, 1, 2)
        size = side * np.array([[1.0, 1.0], [1.4, 0.7], [0.7, 1.4]]) / 2
        made.append(np.concatenate([centre - size, centre + size], axis=2).reshape(-1, 4))
    return np.concatenate(made)


def truths(rng: Any, counts: tuple[int, ...]) -> list[dict[str, Any]]:
    made = []
    for count in counts:
        size = rng.uniform(8, 44, (count, 2))
        low = rng.uniform(0, 1, (count, 2)) * (SIDE - size)
        boxes = np.concatenate([low, low + size], axis=1)
        if count > 4:
            boxes[-1], boxes[-2, 2] = boxes[0] + 0.25, boxes[-2, 0]  # two at one prior; one without area
            boxes[-1] = boxes[-1].clip(0, SIDE)
        made.append({"gt_boxes": boxes.astype(np.float32), "gt_labels": rng.integers(0, CLASSES, count)})
    return made


def flat_arguments(name: str) -> tuple[Any, ...]:
    priors = fcos_locations(SIDE, strides=(8, 16), dtype=np.float64) if name == "FCOS" else boxes_on_cells()
    return CLASSES, priors, SIDE


# name: (arguments, settings, the parts of y_pred in their order with how many numbers they have; 0 for one without an axis)
FLAT: dict[str, tuple[list[dict[str, Any]], dict[str, int]]] = {
    "RetinaNet": (
        [
            *({"dialect": d} for d in ("paper", "torchvision", "mmdet", "detectron2", "automl")),
            {"box_loss": "giou", "normalizer": "image"},
            {"alpha": None, "gamma": 1.0, "normalizer": 7.0, "weights": (10.0, 10.0, 5.0, 5.0)},
        ],
        {"codes": 4, "classes": CLASSES},
    ),
    "SSD": (
        [
            *({"dialect": d} for d in ("paper", "torchvision", "mmdet")), {"ratio": 40.0}, {"dialect": "torchvision", "ratio": 40.0},
            {"min_negatives": 5, "alpha": 0.5, "background": -1, "normalizer": "image"},
        ],
        {"codes": 4, "classes": CLASSES + 1},
    ),
    "FCOS": (
        [
            *({"dialect": d, "size_ranges": RANGES} for d in ("paper", "torchvision", "mmdet", "detectron2")),
            {"dialect": "mmdet", "normalizer": "image", "size_ranges": RANGES},
        ],
        {"codes": 4, "centerness": 0, "classes": CLASSES},
    ),
}  # fmt: skip
YOLO: dict[str, list[dict[str, Any]]] = {
    "YOLOv1": [
        {}, {"square_roots": False, "iou_as_confidence": False, "normalizer": "image"},
        {"square_roots": False, "smallest": 0.3, "factor": 0.5},
    ],
    "YOLOv2": [
        {"normalizer": "batch"}, {"dialect": "darknet", "warm_up": False, "iou_as_objectness": False},
        {"dialect": "darknet", "warm_up": False, "outside": "keep"},
        {"softmax": False, "through_sigmoid": False, "class_weight": 2.0, "coordinate_weight": 3.0, "ignore_threshold": 0.2},
    ],
    "YOLOv3": [
        {}, {"dialect": "darknet"}, {"normalizer": "batch", "ignore_threshold": 0.2}, {"normalizer": "image"},
        {"dialect": "darknet", "outside": "keep"},
    ],
    "YOLOv4": [
        {"scale_xy": (1.2, 1.05), "ignore_threshold": 0.5},
        {"scale_xy": (1.1, 1.1), "iou_as_objectness": True, "label_smoothing": 0.1, "ignore_threshold": 0.3},
        {"scale_xy": (1.1, 1.1), "box_loss": "giou", "ignore_needs_class": 0.6, "ignore_threshold": 0.2, "normalizer": "batch"},
    ],
    "ScaledYOLOv4": [{}, {"iou_as_objectness": False, "label_smoothing": 0.1, "normalizer": 4.0}, {"ratio": 2.0, "balance": (1.0, 3.0)}],
}  # fmt: skip


class Case:
    """A loss, its criterion, a batch, and what the criterion says of it, in y_pred's layout."""

    def __init__(self, name: str, setting: dict[str, Any], counts: tuple[int, ...], /, *, level: bool = False, **more: Any) -> None:
        rng = np.random.default_rng([7, len(counts), sum(counts)])
        self.targets = truths(rng, counts)
        if name in FLAT:
            arguments, parts = flat_arguments(name), FLAT[name][1]
            rows = len(arguments[1])
            if name == "RetinaNet" and counts[0]:  # a truth that is a prior: codes of 0, which automl does not count
                self.targets[0]["gt_boxes"][0] = arguments[1][(arguments[1] >= 0).all(axis=1) & (arguments[1] <= SIDE).all(axis=1)][0]
            outputs: Any = {
                part: rng.normal(0, 1, (len(counts), rows, n) if n else (len(counts), rows)).astype(np.float32) for part, n in parts.items()
            }
            if level:
                outputs["classes"][:] = 0
            if setting.get("dialect") == "torchvision" and name == "FCOS":
                outputs["codes"] = np.abs(outputs["codes"])  # behind a ReLU
        elif name == "YOLOv1":
            arguments, setting = (CLASSES, SIDE), {"grid": 4, **setting}
            outputs = rng.normal(0, 0.4, (len(counts), 4, 4, 10 + CLASSES)).astype(np.float32)
        else:
            grids = GRIDS[:1] if name == "YOLOv2" else GRIDS
            arguments = (CLASSES, grids)
            outputs = [rng.normal(0, 1, (len(counts), len(g.shapes), 5 + CLASSES, g.height, g.width)).astype(np.float32) for g in grids]
        self.core = getattr(criteria, name)(*arguments, **setting)
        if name not in FLAT and name != "YOLOv1":
            meet_predictions(self.core, outputs, self.targets)
        if setting.get("outside") == "keep" and counts[0]:  # a centre on the image's right border: darknet's cell is the next row's first
            self.targets[0]["gt_boxes"][0] = [SIDE - 9, 8, SIDE + 9, 27]
        self.outputs = outputs
        self.loss = getattr(rk, name)(*arguments, **setting, **more)
        terms, gradient = self.core.value_and_grad(outputs, self.targets)
        self.terms = {key: float(value) for key, value in terms.items()}
        self.value = sum(self.terms.values())
        self.y_pred, self.gradient = (joined(name, x) for x in (outputs, gradient))
        self.y_true = self.loss.encoder().batch(self.targets)


def joined(name: str, outputs: Any) -> Any:
    if name == "YOLOv1":
        return outputs
    if name in FLAT:
        return np.concatenate([values if (values := outputs[part]).ndim == 3 else values[..., None] for part in FLAT[name][1]], axis=2)
    return np.concatenate([np.moveaxis(head, 2, -1).reshape(len(head), -1, head.shape[2]) for head in outputs], axis=1)


def meet_predictions(core: Any, outputs: Any, targets: Any) -> None:
    """Two truths of each image, and the last of many, lie on predicted boxes, moved a little: those are ignored, or held."""
    boxes = core.decode(outputs)[0].clip(1, SIDE - 1)
    for image, truth in zip(boxes, targets, strict=True):
        for i, prior in enumerate((5, len(image) // 2)[: len(truth["gt_boxes"])]):
            truth["gt_boxes"][i] = image[prior] + [0.25, 0.125, 0.5, 0.375]
            if len(truth["gt_boxes"]) > 4:
                truth["gt_boxes"][-1] = image[5] + [-0.25, 0.25, 0.375, 0.125]


def both(loss: Any) -> Any:
    """(y_true, y_pred) -> (value, gradient): through XLA, compiled once; on torch eagerly."""
    if BACKEND == "torch":
        return lambda y_true, y_pred: _BY_BACKEND["torch"](lambda x, t: loss(t, x), *map(ops.convert_to_tensor, (y_pred, y_true)), False)
    if BACKEND == "jax":
        import jax

        made = jax.jit(jax.value_and_grad(lambda x, t: loss(t, x)))
        return lambda y_true, y_pred: made(y_pred, y_true)
    import tensorflow as tf

    @tf.function(jit_compile=True, autograph=False)
    def traced(y_true: Any, y_pred: Any) -> Any:
        with tf.GradientTape() as tape:
            tape.watch(y_pred)
            value = loss(y_true, y_pred)
        return value, tape.gradient(value, y_pred)

    return lambda y_true, y_pred: traced(*map(tf.convert_to_tensor, (y_true, y_pred)))


def model_of(loss: Any) -> Any:
    """Any images in, the loss's predictions out."""
    keras.utils.set_random_seed(1)
    shape = loss._channels()
    dense = keras.layers.Dense(int(np.prod(shape)), kernel_initializer="normal")
    return keras.Sequential([keras.layers.Input((SIDE,)), dense, keras.layers.Reshape(shape)])


def raises(text: str, function: Any, *args: Any, kind: type[Exception] = refloss.ReflossError, **kwargs: Any) -> None:
    try:
        function(*args, **kwargs)
    except kind as error:
        assert text in str(error), error
        return
    raise AssertionError(f"no error that says {text!r}")


def number(x: Any) -> float:
    return float(ops.convert_to_numpy(x))

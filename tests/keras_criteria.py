"""Checks of refloss_keras.criteria, run by keras_worker.py: against the NumPy criteria, compiled, trained, saved, fed by every loader."""

import json
import pickle
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

import refloss
from refloss import criteria
from refloss.priors import Grid, fcos_locations
from refloss_keras import criteria as rk
from refloss_keras._backend import _BY_BACKEND
from refloss_keras._keras import keras, ops
from refloss_keras.criteria.heads import split_heads

REFERENCE: Any = None
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


def equals(case: Case, got: tuple[Any, Any], what: Any) -> None:
    value, gradient = (ops.convert_to_numpy(x) for x in got)
    assert np.isfinite(gradient).all(), what
    assert abs(value - case.value) <= 1e-5 * abs(case.value), (what, value, case.value)
    size = np.abs(case.gradient).max()
    worst = np.abs(gradient - case.gradient).max()
    assert worst <= 1e-5 * size, (what, worst, size)
    assert np.all(np.abs(gradient - case.gradient) <= 1e-5 * np.abs(case.gradient) + 1e-6 * size), what


def extremes(name: str, case: Case, function: Any) -> None:
    """Logits of +-1e4 and boxes of infinite size leave value and gradient finite."""
    y_pred = case.y_pred.copy()
    y_pred[..., 4:] = np.sign(y_pred[..., 4:]) * 1e4
    y_pred[1, :, 2:4] = 200.0  # that image has no truths; with some, a box loss of such boxes is as infinite as the criterion's
    value, gradient = map(ops.convert_to_numpy, function(case.y_true, y_pred))
    assert np.isfinite(value) and np.isfinite(gradient).all(), name


# What XLA compiles: the settings of each criterion that differ in what is computed. On torch all run, eagerly.
COMPILED = {"RetinaNet": (5,), "SSD": (4,)}


def check_values_and_gradients() -> None:
    """Batches with an empty image, and without any truth; of SSD also one in which all logits are equal, so that only the order counts."""
    for name in [*FLAT, *YOLO]:
        settings = FLAT[name][0] if name in FLAT else YOLO[name]
        for setting in settings if not COMPILES else [settings[k] for k in COMPILED.get(name, (0,))]:
            function = None
            for counts, level in [(c, False) for c in COUNTS] + [(COUNTS[0], True)] * (name == "SSD"):
                case, what = Case(name, setting, counts, level=level), (name, setting, counts, level)
                function = function or both(case.loss)
                equals(case, function(case.y_true, case.y_pred), what)
                if name in ("RetinaNet", "SSD", "YOLOv3") and counts[0]:
                    extremes(name, case, function)
                if not COMPILES:
                    terms = {key: float(term) for key, term in case.loss.terms(case.y_true, case.y_pred).items()}
                    assert set(terms) == set(case.terms), what
                    assert all(abs(terms[key] - case.terms[key]) <= 1e-5 * max(case.terms[key], 1e-3) for key in terms), (what, terms)


def check_that_the_scenes_have_everything() -> None:
    """Ignored priors and priors with two truths in YOLO's; in SSD's, fewer negatives than are asked for."""
    for name, setting in (("YOLOv2", {"ignore_threshold": 0.2}), ("YOLOv3", {}), ("YOLOv4", YOLO["YOLOv4"][0])):
        case = Case(name, setting, COUNTS[0])
        parts = case.core._split(case.outputs)
        ignored = []
        for i, truth in enumerate(case.targets):
            image = {part: values[i] for part, values in parts.items()}
            found = case.core._assign(image, criteria._targets.Truth(truth["gt_boxes"], truth["gt_labels"]))
            ignored.append(int(found.ignored.sum()))
        assert max(ignored) > 0, name
        assert (case.y_true[2, :, 4] >= 0).sum() > (case.y_true[2, :, 5] > 0).sum(), name
    case = Case("SSD", {"ratio": 40.0}, COUNTS[0])
    labels = case.y_true[..., 4]
    assert (40 * (labels >= 0).sum(axis=1) > (labels < 0).sum(axis=1)).any()


def model_of(loss: Any) -> Any:
    """Any images in, the loss's predictions out."""
    keras.utils.set_random_seed(1)
    shape = loss._channels()
    dense = keras.layers.Dense(int(np.prod(shape)), kernel_initializer="normal")
    return keras.Sequential([keras.layers.Input((SIDE,)), dense, keras.layers.Reshape(shape)])


def check_training() -> None:
    """compile and fit, through XLA where there is one; the first loss is the criterion of what the model predicts."""
    x = np.random.default_rng(0).normal(size=(3, SIDE)).astype(np.float32)
    for name in ("RetinaNet", "YOLOv3") if COMPILES else (*FLAT, *YOLO):
        case = Case(name, (FLAT[name][0] if name in FLAT else YOLO[name])[0], COUNTS[0])
        made = model_of(case.loss)
        made.compile(optimizer=keras.optimizers.Adam(0.01), loss=case.loss, jit_compile=COMPILES)
        outputs = case.loss._outputs(ops.convert_to_numpy(made(x)))
        want = sum(float(term) for term in case.core(outputs, case.targets).values())
        history = made.fit(x, case.y_true, batch_size=3, epochs=4, verbose=0).history["loss"]
        assert abs(history[0] - want) <= 1e-5 * want, (name, history, want)
        assert np.isfinite(history).all() and history[-1] < 0.8 * history[0], (name, history)


def check_heads() -> None:
    """Convolutions, channels last, in a model that is compiled, trained, saved and loaded; its detections are the criterion's."""
    assert keras.config.image_data_format() == "channels_last"
    loss = rk.YOLOv3(CLASSES, GRIDS, max_boxes=8)
    image = keras.Input((SIDE, SIDE, 1))
    heads = [keras.layers.Conv2D(2 * (5 + CLASSES), g.stride, g.stride, kernel_initializer="normal")(image) for g in GRIDS]
    made = keras.Model(image, rk.concatenate_heads(heads, GRIDS))
    made.compile(optimizer="sgd", loss=loss, jit_compile=BACKEND == "jax")
    x, targets = np.random.default_rng(0).normal(size=(3, SIDE, SIDE, 1)).astype(np.float32), truths(np.random.default_rng(1), COUNTS[0])
    y = loss.encoder().batch(targets)
    assert y.shape[1:] == loss.encoder().shape == (8, 16 + CLASSES)
    raw = [np.asarray(head) for head in keras.Model(image, heads).predict(x, verbose=0)]
    # channel (5 + classes) a + k of a cell is number k of its anchor a
    outputs = [head.reshape(*head.shape[:3], 2, -1).transpose(0, 3, 4, 1, 2) for head in raw]
    y_pred = made.predict(x, verbose=0)
    for one, two in zip(split_heads(y_pred, GRIDS), outputs, strict=True):
        assert np.allclose(one, two, atol=1e-6)
    want = sum(float(term) for term in criteria.YOLOv3(CLASSES, GRIDS)(outputs, targets).values())
    assert abs(made.evaluate(x, y, batch_size=3, verbose=0) - want) <= 1e-5 * want
    for one, two in zip(loss.select(y_pred), loss.core.select(split_heads(y_pred, GRIDS)), strict=True):
        assert all(np.array_equal(a, b) for a, b in zip(one, two, strict=True)) and len(one.boxes)
    assert loss.decode(y_pred)[0].shape == (3, 40, 4)
    with tempfile.TemporaryDirectory() as folder:
        made.save(Path(folder) / "model.keras")
        loaded = keras.saving.load_model(Path(folder) / "model.keras")
    assert loaded.loss.get_config() == loss.get_config()
    assert abs(loaded.evaluate(x, y, batch_size=3, verbose=0) - want) <= 1e-5 * want
    raises("in the order of the grids", rk.concatenate_heads, heads[:1], GRIDS)
    raises("(images, 4, 4, 2 (5 + classes))", rk.concatenate_heads, heads[::-1], GRIDS)


def check_loaders() -> None:
    """The encoder in tf.data, a torch DataLoader with a worker, a PyDataset: each gives what the batch gives."""
    case = Case("YOLOv3", {}, COUNTS[0], max_boxes=7)
    encoder, want = case.loss.encoder(), case.y_true
    boxes, labels = [t["gt_boxes"] for t in case.targets], [t["gt_labels"] for t in case.targets]
    twin = pickle.loads(pickle.dumps(encoder))
    assert np.array_equal(np.stack([twin(*image) for image in zip(boxes, labels, strict=True)]), want) and want.dtype == np.float32
    padded = {
        "gt_boxes": np.stack([np.pad(b, ((0, 9 - len(b)), (0, 0)), constant_values=-5) for b in boxes]),
        "gt_labels": np.stack([np.pad(k, (0, 9 - len(k)), constant_values=99) for k in labels]), "counts": np.array(list(map(len, boxes))),
    }  # fmt: skip
    assert np.array_equal(encoder.batch(padded), want)
    x = np.zeros((3, SIDE), np.float32)
    if BACKEND == "tensorflow":
        import tensorflow as tf

        signature = (tf.TensorSpec((SIDE,)), tf.TensorSpec((None, 4)), tf.TensorSpec((None,), tf.int64))
        data: Any = tf.data.Dataset.from_generator(lambda: zip(x, boxes, labels, strict=True), output_signature=signature)
        data = data.map(lambda x, b, k: (x, tf.ensure_shape(tf.numpy_function(encoder, (b, k), tf.float32), encoder.shape))).batch(3)
    elif BACKEND == "torch":
        import torch

        def collate(items: Any) -> Any:
            return torch.stack([torch.as_tensor(x) for x, _ in items]), torch.from_numpy(encoder.batch([t for _, t in items]))

        data = torch.utils.data.DataLoader(list(zip(x, case.targets, strict=True)), batch_size=3, collate_fn=collate, num_workers=1)  # type: ignore[arg-type]
    else:

        class Batches(keras.utils.PyDataset):  # type: ignore[misc]
            def __len__(self) -> int:
                return 1

            def __getitem__(self, index: int) -> Any:
                return x, encoder.batch(case.targets)

        data = Batches()
    ((_, y),) = [(data[0] if BACKEND == "jax" else next(iter(data)))]
    assert np.array_equal(ops.convert_to_numpy(y), want)
    made = model_of(case.loss)
    made.compile(optimizer="sgd", loss=case.loss, jit_compile=BACKEND == "jax")
    expected = made.evaluate(x, want, batch_size=3, verbose=0)
    assert abs(made.evaluate(data, verbose=0) - expected) <= 1e-6 * expected
    assert np.isfinite(made.fit(data, verbose=0).history["loss"]).all()


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


def raises(text: str, function: Any, *args: Any, kind: type[Exception] = refloss.ReflossError, **kwargs: Any) -> None:
    try:
        function(*args, **kwargs)
    except kind as error:
        assert text in str(error), error
        return
    raise AssertionError(f"no error that says {text!r}")


def number(x: Any) -> float:
    return float(ops.convert_to_numpy(x))


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

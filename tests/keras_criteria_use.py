"""Checks of refloss_keras.criteria in models: trained, saved, fed by every loader."""

import pickle
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from keras_criteria_cases import BACKEND, CLASSES, COMPILES, COUNTS, FLAT, GRIDS, SIDE, YOLO, Case, model_of, raises, truths

from refloss import criteria
from refloss_keras import criteria as rk
from refloss_keras._keras import keras, ops
from refloss_keras.criteria.heads import split_heads

__all__ = ["check_heads", "check_loaders", "check_training"]


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

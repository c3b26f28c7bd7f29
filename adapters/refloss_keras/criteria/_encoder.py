"""Ground truth as y_true, on the host: NumPy and refloss's own loops only, nothing of Keras."""

from abc import ABC, abstractmethod
from typing import Any

import numpy as np

from refloss._engine.record import Array
from refloss.criteria import Criterion
from refloss.criteria._targets import Truth, truths


class Encoder(ABC):
    """`encoder(gt_boxes, gt_labels)` is one image's y_true, `encoder.batch(targets)` that of several; a loss's `encoder()` makes it.

    shape: (rows, columns) of one image, always the same. dtype: float32, unless the loss computes in float64.

    It can be pickled, and called from threads and forked or spawned processes:

        dataset.map(lambda x, boxes, labels: (x, tf.ensure_shape(tf.numpy_function(encoder, (boxes, labels), tf.float32), encoder.shape)))

        def collate(items):  # of a torch DataLoader
            images, targets = zip(*items)
            return torch.stack(images), torch.from_numpy(encoder.batch(targets))

        class Batches(keras.utils.PyDataset):
            def __getitem__(self, index):
                return self.images(index), encoder.batch(self.targets(index))
    """

    shape: tuple[int, int]

    def __init__(self, core: Criterion, dtype: str) -> None:
        self.core, self.dtype = core, dtype

    def __call__(self, gt_boxes: Any, gt_labels: Any) -> Array:
        """(rows, columns) of one image: gt_boxes (m, 4) xyxy pixels, gt_labels (m,) integers, no padding."""
        made: Array = self.batch([{"gt_boxes": gt_boxes, "gt_labels": gt_labels}])[0]
        return made

    def batch(self, targets: Any) -> Array:
        """(images, rows, columns): targets as the criterion takes them, a list of mappings or padded arrays with counts."""
        core = self.core
        given = truths(
            f"{type(core).__name__}.encoder", targets, images=None, classes=core.classes, image_size=core.image_size, dtype=self.dtype,
            outside=core.outside,
        )  # fmt: skip
        made = np.zeros((len(given), *self.shape), self.dtype)
        for rows, truth in zip(made, given, strict=True):
            self._fill(rows, truth)
        return made

    @abstractmethod
    def _fill(self, rows: Array, truth: Truth) -> None:
        """One image's rows, which are 0."""

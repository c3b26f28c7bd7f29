"""KerasCV's box matcher as its RetinaNet label encoder uses it, without the rest of KerasCV."""

import importlib
import pathlib
import sys
from typing import Any

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from keras_cv_ciou import bare

for package in ("keras_cv.src.layers", "keras_cv.src.layers.object_detection"):
    bare(package)

box_matcher = importlib.import_module("keras_cv.src.layers.object_detection.box_matcher")


class BoxMatcher:
    """similarity is (anchors, truths); the answer holds -1 for the background and -2 for ignored anchors, as is asked of it here."""

    def __init__(self, force_match: bool = False) -> None:
        self.matcher = box_matcher.BoxMatcher(thresholds=[0.4, 0.5], match_values=[-1, -2, 1], force_match_for_each_col=force_match)

    def __call__(self, similarity: Any) -> Any:
        import tensorflow as tf

        index, values = self.matcher(similarity)
        return tf.where(tf.equal(values, 1), tf.cast(index, tf.int32), tf.cast(values, tf.int32))

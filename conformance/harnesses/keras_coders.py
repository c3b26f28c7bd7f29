"""Keras's box coder with refloss's arguments: variances are 1 / weights, and priors come first there."""

from collections.abc import Sequence
from typing import Any

import keras

PACKAGE = "keras"
ONES = (1.0, 1.0, 1.0, 1.0)


def _variance(weights: Sequence[float]) -> list[float]:
    return [1 / w for w in weights]


def encode(boxes: Any, priors: Any, weights: Sequence[float] = ONES) -> Any:
    formats = {"anchor_format": "xyxy", "box_format": "xyxy"}
    return keras.utils.bounding_boxes.encode_box_to_deltas(priors, boxes, **formats, variance=_variance(weights))


def decode(codes: Any, priors: Any, weights: Sequence[float] = ONES) -> Any:
    formats = {"anchor_format": "xyxy", "box_format": "xyxy"}
    return keras.utils.bounding_boxes.decode_deltas_to_boxes(priors, codes, **formats, variance=_variance(weights))

"""KerasCV's box coder with refloss's arguments: variances are 1 / weights, and priors come first there."""

import importlib
import pathlib
import sys
from collections.abc import Sequence
from typing import Any

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import keras_cv_ciou  # noqa: F401  KerasCV without the rest of it

PACKAGE = "keras_cv"
FORMATS = {"anchor_format": "xyxy", "box_format": "xyxy"}
ONES = (1.0, 1.0, 1.0, 1.0)
converters = importlib.import_module("keras_cv.src.bounding_box.converters")


def encode(boxes: Any, priors: Any, weights: Sequence[float] = ONES) -> Any:
    return converters._encode_box_to_deltas(priors, boxes, **FORMATS, variance=[1 / w for w in weights])


def decode(codes: Any, priors: Any, weights: Sequence[float] = ONES) -> Any:
    return converters._decode_deltas_to_boxes(priors, codes, **FORMATS, variance=[1 / w for w in weights])

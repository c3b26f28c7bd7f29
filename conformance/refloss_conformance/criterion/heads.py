"""What YOLO's heads share: outputs as rows of priors and back, boxes decoded in every way that is seen, squared errors by sigmoids."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from refloss._engine.check import IGNORE
from refloss.priors import yolo_priors

from ..criteria import Case, Outputs, grids
from ..golden import Array
from .images import Image, Piece


def by_batch_or_image(parameters: Mapping[str, Any]) -> dict[str, str]:
    """Which normaliser each term of a setting of the versions 1 to 4 has."""
    name = {"batch": "batch", "image": "image_mean"}.get(str(parameters.get("normalizer")), "no_division")
    return dict.fromkeys(("box", "objectness", "classes"), name)


def rows(head: Array) -> Array:
    """(anchors, channels, rows, columns) as (priors, channels)."""
    return np.moveaxis(head, 1, -1).reshape(-1, head.shape[1])


def whole(outputs: Mapping[str, Array], image: int) -> Array:
    """All heads of an image as (priors, channels)."""
    return np.concatenate([rows(head[image]) for head in outputs.values()])


def heads(values: Array, case: Case) -> Outputs:
    """(priors, channels) as an image's outputs."""
    made, start = {}, 0
    for k, grid in enumerate(grids(case.config)):
        some = values[start : start + grid.count].reshape(len(grid.shapes), grid.height, grid.width, -1)
        made[f"output_{k}"] = np.moveaxis(some, -1, 1)
        start += grid.count
    return made


def spread(case: Case, rows_of: Sequence[int] | Array, columns: slice | int, values: Array, like: Array) -> Outputs:
    """The gradient by an image's outputs: added to these rows and columns, 0 elsewhere."""
    found = np.zeros_like(like)
    of_columns = found[:, columns]  # a view
    np.add.at(of_columns, np.asarray(rows_of, np.int64), values)
    return heads(found, case)


def grid_of(case: Case) -> Array:
    """(priors,) the index of each prior's grid."""
    found: Array = np.repeat(np.arange(len(grids(case.config))), [grid.count for grid in grids(case.config)])
    return found


def priors_of(case: Case) -> Array:
    return yolo_priors(grids(case.config), dtype=np.float64)


def side_of(case: Case) -> tuple[int, int]:
    """(height, width) of the image in pixels."""
    first = grids(case.config)[0]
    return first.height * first.stride, first.width * first.stride


def claims(pairs: Array, labels: Array, priors: int, classes: int) -> Array:
    """(priors, classes) ones where a truth claims a prior; labels below 0 claim nothing."""
    claimed = np.zeros((priors, classes))
    for prior, truth in pairs:
        if labels[truth] >= 0:
            claimed[prior, labels[truth]] = 1
    return claimed


def image_of(
    case: Case, values: Array, index: Array, truths: int, *, box: Piece, objectness: tuple[Array, Array], classes: tuple[Array, Array]
) -> Image:
    """An image whose objectness is of all priors that are not ignored, and whose classes are of the positive ones.

    index (priors,): each one's truth; objectness, classes: values and gradients of those rows, weights in them.
    """
    positive, counted, priors, width = np.flatnonzero(index >= 0), int((index != IGNORE).sum()), len(index), values.shape[1] - 5
    terms = {
        "box": box,
        "objectness": Piece(float(objectness[0].sum()), spread(case, np.arange(priors), 4, objectness[1], values), priors, counted),
        "classes": Piece(
            float(classes[0].sum()), spread(case, positive, slice(5, None), classes[1], values), priors * width, len(positive) * width
        ),
    }
    return Image(terms, len(positive), priors, truths, counted)


def sigmoid(x: Array) -> Array:
    found: Array = 1 / (1 + np.exp(-x))
    return found


def decoded(codes: Array, priors: Array, scale: Array, *, shift: bool = True, squared: bool = False) -> tuple[Array, Array]:
    """(boxes (n, 4) xyxy pixels, derivatives (n, 4) of centre and size by their codes).

    scale (n,): how far a centre reaches, s sigma(t) - (s - 1) / 2, or s sigma(t) without shift. squared: sizes are p (2 sigma)^2,
    not p e^t.
    """
    s, p, stride = scale[:, None], sigmoid(codes[:, :2]), priors[:, 4:]
    centre = (s * p - (s - 1) / 2 * shift + priors[:, :2]) * stride
    q = sigmoid(codes[:, 2:])
    size = priors[:, 2:4] * ((2 * q) ** 2 if squared else np.exp(codes[:, 2:]))
    by_code = np.concatenate([s * p * (1 - p) * stride, 2 * size * (1 - q) if squared else size], axis=1)
    return np.concatenate([centre - size / 2, centre + size / 2], axis=1), by_code


def by_codes(by_box: Array, by_code: Array) -> Array:
    """A gradient by boxes as one by codes."""
    found: Array = np.concatenate([by_box[:, :2] + by_box[:, 2:], (by_box[:, 2:] - by_box[:, :2]) / 2], axis=1) * by_code
    return found


def squares(logits: Array, targets: Array, through: bool = True) -> tuple[Array, Array]:
    """(sigma(x) - target)^2 / 2 and its gradient; without the sigmoid's derivative, as darknet has it, if not through."""
    p = sigmoid(logits)
    return (p - targets) ** 2 / 2, (p - targets) * (p * (1 - p) if through else 1.0)


def smoothed(targets: Array, e: float) -> Array:
    found: Array = targets * (1 - e) + e / 2
    return found


def softmax(logits: Array, wanted: Array) -> tuple[Array, Array]:
    """Cross entropies (n,) of the rows and their gradient; wanted (n, classes) may have several ones, or none."""
    top = logits.max(axis=1, keepdims=True)
    whole_of = np.exp(logits - top).sum(axis=1, keepdims=True)
    log, many = logits - top - np.log(whole_of), wanted.sum(axis=1, keepdims=True)
    return -(wanted * log).sum(axis=1), many * np.exp(log) - wanted

"""The arrays of a scene that a callable may ask for: the inputs themselves, and the same facts in other forms.

IoUs are exact, rounded once, so that a callable which starts from a matrix is not judged by somebody else's rounding.
"""

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from .scenes import Scene, Scenes, arrays
from .vectors import numpy_dtype

Array = np.ndarray[Any, Any]
# What the field calls them; used where --map says nothing, and always printed.
USUAL = {
    "priors": ("anchors", "default_boxes", "prior_boxes"),
    "gt_boxes": ("truths", "gt_bboxes", "ground_truth", "targets"),
    "iou_matrix": ("match_quality_matrix", "overlaps", "ious"),
    "boxes": ("bboxes", "dets"),
    "scores": (),
}
FORMS: dict[str, Callable[[Array], Array]] = {
    "cxcywh": lambda b: np.stack([(b[:, 0] + b[:, 2]) / 2, (b[:, 1] + b[:, 3]) / 2, b[:, 2] - b[:, 0], b[:, 3] - b[:, 1]], axis=1),
    "xywh": lambda b: np.concatenate([b[:, :2], b[:, 2:] - b[:, :2]], axis=1),
    "yxyx": lambda b: b[:, [1, 0, 3, 2]],
}


def iou(one: Sequence[float], two: Sequence[float]) -> Fraction:
    """Exact intersection over union of two xyxy boxes; 0 where both have no area."""
    (x1, y1, x2, y2), (u1, v1, u2, v2) = ([Fraction(x) for x in box] for box in (one, two))
    intersection = max(Fraction(0), min(x2, u2) - max(x1, u1)) * max(Fraction(0), min(y2, v2) - max(y1, v1))
    union = (x2 - x1) * (y2 - y1) + (u2 - u1) * (v2 - v1) - intersection
    return intersection / union if union else Fraction(0)


def matrix(truths: Array, priors: Array, dtype: str) -> Array:
    """(truths, priors), each number rounded once."""
    rows = [[_rounded(iou(t, p), dtype) for p in priors.tolist()] for t in truths.tolist()]
    return np.array(rows, numpy_dtype(dtype)).reshape(len(truths), len(priors))


def _rounded(exact: Fraction, dtype: str) -> Any:
    """The nearest number of the dtype: by way of float64 it may be a neighbour, so the neighbours are tried."""
    T = numpy_dtype(dtype).type
    near = T(float(exact))
    around = (near, np.nextafter(near, T(-1)), np.nextafter(near, T(2)))
    return min(around, key=lambda x: abs(Fraction(float(x)) - exact))


def names(file: Scenes) -> list[str]:
    """Everything that --map can name, of inputs; parameters come on top."""
    boxes = [name for name, one in file.inputs.items() if one.kind == "floats" and one.shape[1:] == (4,)]
    found = list(file.inputs) + [f"{name}_{form}" for name in boxes for form in FORMS]
    if "gt_boxes" in file.inputs:
        found.append("gt_labels")
    if {"gt_boxes", "priors"} <= set(boxes):
        found += ["iou_matrix", "iou_matrix_transposed"]
    return found


def offer(file: Scenes, scene: Scene, dtype: str, wanted: Sequence[str]) -> Mapping[str, Any]:
    """The arrays of these names. gt_labels counts the truths from 0, so that labels tell which truth was taken."""
    given = arrays(file, scene, dtype)
    found: dict[str, Any] = {}
    for name in wanted:
        base, _, form = name.rpartition("_")
        if name in given:
            found[name] = given[name]
        elif name == "gt_labels":
            found[name] = np.arange(len(given["gt_boxes"]))
        elif name.startswith("iou_matrix"):
            table = matrix(given["gt_boxes"], given["priors"], dtype)
            found[name] = np.ascontiguousarray(table.T) if name.endswith("transposed") else table
        else:
            found[name] = None if given[base] is None else FORMS[form](given[base])
    return found

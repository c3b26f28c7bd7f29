"""Ground truth of a batch: a list with a mapping for each image, or padded arrays with counts."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from .._engine import check
from .._engine.record import Array
from ..errors import bad_type, bad_value


class Truth(NamedTuple):
    """One image's ground truth: boxes (m, 4) xyxy in pixels, labels (m,) int64."""

    boxes: Array
    labels: Array


def truths(
    function: str, targets: Any, *, images: int | None, classes: int, image_size: tuple[int, int], dtype: Any, outside: str = "error"
) -> list[Truth]:
    """The truth of every image, checked.

    targets: a sequence of mappings with "gt_boxes" and "gt_labels", one for each image; or one mapping with padded "gt_boxes"
    (images, most, 4), "gt_labels" (images, most) and "counts" (images,). images: how many there must be; None asks for none in particular.
    """
    if isinstance(targets, Mapping):
        targets = _unpadded(function, targets)
    if not isinstance(targets, Sequence) or isinstance(targets, str):
        bad_type(function, "targets", "a list of mappings, one for each image", type(targets).__name__, "or padded arrays with counts")
    if images is not None and len(targets) != images:
        bad_value(
            function, "targets", f"one mapping for each of {images} images", len(targets), "an image without objects has empty arrays"
        )
    return [_truth(function, f"targets[{i}]", entry, classes, image_size, dtype, outside) for i, entry in enumerate(targets)]


def _unpadded(function: str, targets: Mapping[str, Any]) -> list[dict[str, Any]]:
    missing = [key for key in ("gt_boxes", "gt_labels", "counts") if key not in targets]
    if missing:
        bad_value(function, "targets", "a mapping with gt_boxes, gt_labels and counts", f"no {missing[0]!r}", "or a list of mappings")
    boxes = check.floats(function, "targets['gt_boxes']", targets["gt_boxes"], "convert with gt_boxes.astype(np.float32)")
    labels, counts = (_regular(function, f"targets[{key!r}]", targets[key]) for key in ("gt_labels", "counts"))
    if boxes.ndim != 3 or labels.shape != boxes.shape[:2] or counts.shape != boxes.shape[:1] or counts.dtype.kind not in "iu":
        got = f"{boxes.shape}, {labels.shape}, {counts.dtype}{counts.shape}"
        wanted = "gt_boxes (images, most, 4), gt_labels (images, most), integer counts (images,)"
        bad_value(function, "targets", wanted, got, "pad all images alike")
    if counts.size and not 0 <= int(counts.min()) <= int(counts.max()) <= boxes.shape[1]:
        bad_value(function, "counts", f"in [0, {boxes.shape[1]}]", counts.tolist(), "count the rows that are no padding")
    return [{"gt_boxes": b[:n], "gt_labels": k[:n]} for b, k, n in zip(boxes, labels, counts.tolist(), strict=True)]


def _regular(function: str, argument: str, values: Any) -> Array:
    try:
        return np.asarray(values)
    except ValueError:  # ragged
        way_out = "pad them, or give a list with a mapping for each image"
        bad_value(function, argument, "an array of one shape", "rows of different lengths", way_out)


def _truth(function: str, name: str, entry: Any, classes: int, image_size: tuple[int, int], dtype: Any, outside: str) -> Truth:
    if not isinstance(entry, Mapping) or "gt_boxes" not in entry or "gt_labels" not in entry:
        bad_type(function, name, "a mapping with gt_boxes and gt_labels", type(entry).__name__, "give the boxes and labels of an image")
    labels = _regular(function, f"{name}.gt_labels", entry["gt_labels"])
    if labels.size == 0:
        labels = labels.astype(np.int64).reshape(-1)
    if labels.dtype.kind not in "iu" or labels.ndim != 1:
        bad_type(function, f"{name}.gt_labels", "integers (m,)", f"{labels.dtype}{labels.shape}", "convert with gt_labels.astype(np.int64)")
    given = entry["gt_boxes"]
    boxes = check.floats(function, f"{name}.gt_boxes", given, "convert with gt_boxes.astype(np.float32)").astype(dtype, copy=False)
    if boxes.size == 0:
        boxes = boxes.reshape(-1, 4)
    if boxes.ndim != 2 or boxes.shape != (len(labels), 4):
        bad_value(function, f"{name}.gt_boxes", f"of shape ({len(labels)}, 4)", f"{boxes.shape}", "one box for each label")
    wrong = (labels < 0) | (labels >= classes)
    if wrong.any():
        got = f"{int(labels[wrong][0])} at index {int(np.argmax(wrong))}"
        bad_value(function, f"{name}.gt_labels", f"in [0, {classes - 1}]", got, "check the number of classes and the label map")
    high, wide = image_size
    no_box = ~np.isfinite(boxes).all(axis=1) | (boxes[:, 2:] < boxes[:, :2]).any(axis=1)
    if no_box.any():
        got = f"{boxes[no_box][0].tolist()} at index {int(np.argmax(no_box))}"
        bad_value(
            function, f"{name}.gt_boxes", "finite, with x2 >= x1 and y2 >= y1", got, 'boxes.convert(..., "xywh", "xyxy") makes corners'
        )
    if outside == "clip":
        boxes = np.clip(boxes, 0, np.array([wide, high, wide, high], boxes.dtype))
    beyond = (boxes[:, :2] < 0).any(axis=1) | (boxes[:, 2] > wide) | (boxes[:, 3] > high)
    if outside == "error" and beyond.any():
        got = f"{boxes[beyond][0].tolist()} at index {int(np.argmax(beyond))}"
        bad_value(function, f"{name}.gt_boxes", f"inside the image (width {wide}, height {high})", got, 'say outside="clip", or "keep"')
    return Truth(boxes, labels.astype(np.int64))

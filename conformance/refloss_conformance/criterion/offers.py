"""What an argument of theirs may be given: outputs, truths in the forms that are usual, priors, image sizes."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from ..criteria import Case, Criteria, Outputs, as_outputs
from ..golden import Array
from ..vectors import numpy_dtype

Arrays = Callable[[Array], Any]  # a NumPy array as one of theirs

# What the field calls them; used where --map says nothing, and always printed.
USUAL = {
    "classes": ("cls_logits", "class_logits", "logits", "cls_scores", "cls_preds", "conf", "scores"),
    "codes": ("bbox_regression", "box_codes", "deltas", "bbox_preds", "box_preds", "loc", "regression"),
    "centerness": ("bbox_ctrness", "ctrness", "centernesses"),
    "outputs": ("heads", "predictions", "preds", "head_outputs"), "output": ("outputs", "predictions", "preds", "x"),
    "priors": ("anchors", "default_boxes", "prior_boxes", "points", "locations"), "targets": ("ground_truth",),
    "gt_boxes": ("boxes", "gt_bboxes"), "gt_labels": ("labels", "gt_classes"), "image_size": (), "number_of_classes": ("num_classes",),
}  # fmt: skip
TARGETS = {
    "targets": "a list with gt_boxes and gt_labels for each image", "truths": "the same with boxes and labels",
    "truths_from_1": "the same, labels counted from 1",
    "gt_boxes": "a list of boxes for each image", "gt_labels": "a list of labels for each image",
    "gt_labels_from_1": "the same, counted from 1", "padded_boxes": "(images, most, 4), zeros below",
    "padded_labels": "(images, most), -1 below", "padded_labels_from_1": "(images, most) counted from 1, 0 below",
    "counts": "(images,), how many truths each has",
}  # fmt: skip


def names(file: Criteria) -> list[str]:
    """Everything that --map can name, of inputs; parameters come on top."""
    found = [*file.outputs, "outputs", *TARGETS, *file.config, "number_of_classes"]
    if "priors" in file.config:
        found.append("priors_cxcywh")
    if "grids" in file.config:
        found += ["anchors", "strides"]
    return [name for name in dict.fromkeys(found) if name != "classes" or "classes" in file.outputs]


def offer(file: Criteria, case: Case, dtype: str, wanted: Sequence[str], outputs: Outputs, native: Arrays) -> dict[str, Any]:
    """The things of these names. outputs: the head's, already theirs (and watched by autodiff, where there is any)."""
    return {name: _one(file, case, dtype, name, outputs, native) for name in wanted}


def _one(file: Criteria, case: Case, dtype: str, name: str, outputs: Outputs, native: Arrays) -> Any:
    if name in file.outputs:
        return outputs[name]
    if name == "outputs":
        return as_outputs(file.name, outputs)
    truths = case.targets(dtype)
    if name in TARGETS:
        return _truths(truths, name, native)
    if name == "number_of_classes":
        return case.config["classes"]
    if name == "anchors":
        return [native(np.array(grid["shapes"], numpy_dtype(dtype))) for grid in case.config["grids"]]
    if name == "strides":
        return [grid["stride"] for grid in case.config["grids"]]
    if name.startswith("priors"):
        rows = np.array(case.config["priors"], np.float64)
        if name == "priors_cxcywh":
            rows = np.concatenate([(rows[:, :2] + rows[:, 2:]) / 2, rows[:, 2:] - rows[:, :2]], axis=1)
        return native(rows.astype(numpy_dtype(dtype)))
    return case.config[name]


def _truths(truths: Sequence[Mapping[str, Array]], name: str, native: Arrays) -> Any:
    more = 1 if name.endswith("from_1") else 0
    if name in ("targets", "truths", "truths_from_1"):
        boxes, labels = ("gt_boxes", "gt_labels") if name == "targets" else ("boxes", "labels")
        return [{boxes: native(one["gt_boxes"]), labels: native(one["gt_labels"] + more)} for one in truths]
    if name == "gt_boxes":
        return [native(one["gt_boxes"]) for one in truths]
    if name.startswith("gt_labels"):
        return [native(one["gt_labels"] + more) for one in truths]
    counts = [len(one["gt_labels"]) for one in truths]
    if name == "counts":
        return native(np.array(counts, np.int64))
    most = max([*counts, 1])
    if name == "padded_boxes":
        held: Array = np.zeros((len(truths), most, 4), truths[0]["gt_boxes"].dtype)
        for row, one in zip(held, truths, strict=True):
            row[: len(one["gt_boxes"])] = one["gt_boxes"]
        return native(held)
    padded: Array = np.full((len(truths), most), more - 1, np.int64)
    for row, one in zip(padded, truths, strict=True):
        row[: len(one["gt_labels"])] = one["gt_labels"] + more
    return native(padded)

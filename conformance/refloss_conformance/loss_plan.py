"""Which argument of a callable takes which array and parameter of a loss."""

from collections.abc import Mapping
from typing import Any

from .errors import UsageError
from .mapping import Asked, Plan, fitted, must_have, must_take
from .target import Target

# What the field calls the two arrays; used where --map says nothing, and always printed.
FIRST_NAMES = (
    "logits", "predictions", "prediction", "preds", "pred", "inputs", "input", "y_pred", "x", "boxes", "boxes1", "box1", "bboxes1",
    "pred_boxes", "outputs", "output",
)  # fmt: skip
SECOND_NAMES = (
    "targets", "target", "labels", "label", "y_true", "gt", "y", "t", "target_boxes", "boxes2", "box2", "bboxes2", "gt_boxes", "truth",
)  # fmt: skip
# The same for codings. `boxes` names what is encoded, or the priors of what is decoded; torchvision's reference_boxes may be either.
CODING_NAMES = {
    "boxes": ("gt_boxes", "gt_bboxes", "target_boxes", "bboxes", "box", "matched"),
    "codes": ("deltas", "rel_codes", "boxes_delta", "encoded_boxes", "bbox_deltas", "pred_bboxes", "offsets", "loc", "x"),
    "priors": ("anchors", "prior_boxes", "default_boxes", "locations", "points", "cells", "boxes", "bboxes"),
}


def _array_names(loss: Any, target: Target, mapping: Mapping[str, str]) -> tuple[str, str]:
    """Their names for our two arrays: stated, the same, or what the field uses."""
    theirs = {ours: name for name, ours in mapping.items()}
    available = [name for name in target.names() if name not in mapping]
    chosen = []
    both = [CODING_NAMES[ours] for ours in loss.arrays] if loss.kind == "codes" else (FIRST_NAMES, SECOND_NAMES)
    for ours, usual in zip(loss.arrays, both, strict=True):
        candidates = [ours, *usual]
        found = theirs.get(ours) or next((name for name in candidates if name in available), None)
        if found is None and target.open_ended and not target.parameters:
            found = ours
        if found is None:
            has = ", ".join(target.names()) or "no named arguments"
            raise UsageError(f"which argument of {target.spec} takes our {ours}? It has {has}; say --map THEIRS={ours}")
        available = [name for name in available if name != found]
        chosen.append(found)
    return chosen[0], chosen[1]


def plan(loss: Any, target: Target, asked: Asked) -> Plan:
    """Match their arguments with ours, or say in one sentence what does not fit."""
    ours_known = (*loss.arrays, *loss.defaults)
    for theirs, ours in asked.mapping.items():
        if ours not in ours_known:
            swapped = f"; the form is THEIRS=OURS, so say --map {ours}={theirs}" if theirs in ours_known and ours in target.names() else ""
            raise UsageError(f"--map {theirs}={ours}: {loss.name} has no {ours!r}, it has {', '.join(ours_known)}{swapped}")
        must_take(target, theirs, f"--map {theirs}={ours}")
    for theirs in asked.constants:
        must_take(target, theirs, f"--set {theirs}=...")
    must_have(loss.defaults, asked.only, loss.name)
    names = _array_names(loss, target, asked.mapping)
    return fitted(asked, target, dict(zip(names, loss.arrays, strict=True)), loss.defaults, other="")

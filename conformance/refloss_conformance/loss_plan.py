"""Which argument of a callable takes which array and parameter of a loss."""

from typing import Any

from .errors import UsageError
from .mapping import Asked, Plan, fitted, free_names, must_fit
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


def _array_names(loss: Any, target: Target, asked: Asked) -> tuple[str, str]:
    """Their names for our two arrays: stated, the same, or what the field uses."""
    theirs = _stated(loss, asked)
    available = free_names(asked, target)
    chosen = []
    both = [CODING_NAMES[ours] for ours in loss.arrays] if loss.kind == "codes" else (FIRST_NAMES, SECOND_NAMES)
    for ours, usual in zip(loss.arrays, both, strict=True):
        candidates = [ours, *usual]
        found = theirs.get(ours) or next((name for name in candidates if name in available), None)
        if found is None and target.open_ended and not target.parameters and ours not in asked.constants:
            found = ours
        if found is None:
            has = ", ".join(target.names()) or "no named arguments"
            raise UsageError(f"which argument of {target.spec} takes our {ours}? It has {has}; say --map THEIRS={ours}")
        available = [name for name in available if name != found]
        chosen.append(found)
    return chosen[0], chosen[1]


def _stated(loss: Any, asked: Asked) -> dict[str, str]:
    """What --map says of the arrays: each goes to one argument."""
    found: dict[str, str] = {}
    for theirs, ours in asked.mapping.items():
        if ours in loss.arrays and ours in found:
            raise UsageError(f"--map {found[ours]}={ours},{theirs}={ours}: our {ours} goes to one argument; leave one of them out")
        found[ours] = theirs
    return found


def plan(loss: Any, target: Target, asked: Asked) -> Plan:
    """Match their arguments with ours, or say in one sentence what does not fit."""
    must_fit(asked, target, loss.name, loss.arrays, loss.defaults)
    names = _array_names(loss, target, asked)
    return fitted(asked, target, dict(zip(names, loss.arrays, strict=True)), loss.defaults, other="")

"""The oracle of darknet's YOLOv4 and Scaled-YOLOv4 against a recording of darknet itself, which is what it may be trusted by."""

from collections.abc import Mapping
from typing import Any
from unittest.mock import patch

import numpy as np
from mpmath import mp

from ..decisions import Decisions
from . import yolo
from .darknet_evaluating import Layer, cost, evaluate
from .record import Ledger, Scene

DIGITS = 30


def differences(case: Mapping[str, Any]) -> tuple[float, float]:
    """The largest in delta, absolute, and the one in cost, relative."""
    p, shape = case["params"], case["shape"]
    raw, delta = (np.asarray(case[key], np.float32).astype(np.float64).reshape(shape) for key in ("raw", "delta"))
    scene = scene_of(case, raw)
    count = len(p["anchors_px"]) * shape[3] * shape[4]
    given = {
        "iou_threshold": p["iou_thresh"], "ignore_threshold": p["ignore_thresh"], "box_weight": p["iou_normalizer"],
        "box_loss": "squares" if p["iou_loss"] == "mse" else p["iou_loss"], "objectness_weight": p["obj_normalizer"],
        "label_smoothing": p["label_smooth_eps"], "iou_as_objectness": bool(p["objectness_smooth"]), "max_delta": p["max_delta"],
    }  # fmt: skip
    layer = Layer([p["scale_x_y"]] * count, [1.0] * count, bool(p["new_coords"]))
    with mp.workdps(DIGITS), patch.object(Ledger, "scales_wanted", False), patch.object(yolo, "CLASSES", p["classes"]):
        ledger, _ = evaluate(Decisions(), scene, given, layer)
        slopes = ledger.gradient["layer"]
        return float(np.abs(-slopes.astype(float) - delta).max()), float(abs(cost([slopes]) / mp.mpf(case["cost"]) - 1))


def scene_of(case: Mapping[str, Any], raw: Any) -> Scene:
    """A head with the layer's anchors in one grid, and with those of the other layers, any outputs, in others before and after it."""
    p, (images, _, channels, height, width) = case["params"], case["shape"]
    size, mask = p["net_size_hw"][::-1], p["mask"]
    runs = {"before": range(mask[0]), "layer": mask, "after": range(mask[-1] + 1, len(p["anchors_px"]))}
    runs = {name: run for name, run in runs.items() if len(run)}
    stride = size[0] // width
    grids = [
        {"shapes": [p["anchors_px"][k] for k in run], "stride": stride, "height": height, "width": width} for run in runs.values()
    ]  # fmt: skip
    outputs = {name: raw if name == "layer" else np.full((images, len(run), channels, height, width), 0.5) for name, run in runs.items()}
    targets = []
    for truth in case["truth"]:
        x, y, w, h = (np.asarray(truth["boxes_cxcywh"], np.float32).astype(np.float64).reshape(-1, 4) * [*size, *size]).T
        boxes = np.stack([x - w / 2, y - h / 2, x + w / 2, y + h / 2], axis=1)
        targets.append({"gt_boxes": boxes.tolist(), "gt_labels": truth["labels"]})
    return Scene(case["name"], (), {"grids": grids}, outputs, targets)

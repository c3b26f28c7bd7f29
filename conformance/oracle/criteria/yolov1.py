"""YOLOv1: squared errors of cells and their predictors (Redmon et al. 2016, eq. 3)."""

import random
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

import numpy as np
from mpmath import mp

from refloss.coders.yolov1 import yolov1_decode_formula, yolov1_encode_formula
from refloss.losses.iou import iou_formula

from ..decisions import Decisions
from ..mp import mp_xp, numbers
from ..references.yolov1 import yolov1 as match
from .flat import snapped
from .record import SMALLEST_MARGIN, Ledger, Oracle, Output, Scene, Term, divisors, exactly
from .yolo import positives

CLASSES, GRID, BOXES, SIDE = 3, 3, 2, 96.0
DEFAULTS: dict[str, Any] = {
    "dialect": "paper", "coordinate_weight": 5.0, "no_object_weight": 0.5, "object_weight": 1.0, "class_weight": 1.0,
    "iou_as_confidence": True, "factor": None, "normalizer": 1.0,
}  # fmt: skip
FACTORS = {"paper": 1.0, "darknet": 0.5}
SETTINGS: dict[str, dict[str, Any]] = {
    "paper": {"dialect": "paper"}, "darknet": {"dialect": "darknet"},
    "by_positives": {"dialect": "paper", "normalizer": "batch", "iou_as_confidence": False},
}  # fmt: skip
# Two predictors for each cell, row after row.
PRIORS = [[float(column), float(row), float(GRID)] for row in range(GRID) for column in range(GRID) for _ in range(BOXES)]


def squares(xp: Any, values: Any, targets: Any) -> Any:
    return (values - targets) ** 2


def box_loss(xp: Any, codes: Any, constants: Any) -> Any:
    """Of a row: x, y, sqrt w, sqrt h; constants are the prior (column, row, cells), then the truth's corners in pixels."""
    targets = yolov1_encode_formula(xp, constants[..., 3:] / SIDE, constants[..., :3])
    return xp.sum((codes - targets) ** 2)


def confidence_loss(xp: Any, row: Any, constants: Any) -> Any:
    """Of a row: four codes and the confidence, from the IoU of the predicted box, a constant."""
    ours = yolov1_decode_formula(xp, row[..., :4], constants[..., :3])
    wanted = 1 - iou_formula(xp, ours, constants[..., 3:] / SIDE, kind="linear", box_format="xyxy", eps=0)
    return (row[..., 4] - xp.stop_gradient(wanted)) ** 2


def parts_of(scene: Scene) -> dict[str, Any]:
    cells = np.array(scene.outputs["output"], object).reshape(len(scene.targets), GRID * GRID, -1)
    predictors = cells[..., : 5 * BOXES].reshape(len(cells), -1, 5)
    return {"codes": predictors[..., :4], "objectness": predictors[..., 4], "classes": cells[..., 5 * BOXES :]}


def answers(d: Decisions, scene: Scene, given: Mapping[str, Any]) -> list[Any]:
    codes, found = numbers(parts_of(scene)["codes"].astype(float)), []
    for i, truth in enumerate(scene.targets):
        predicted = exactly(yolov1_decode_formula(mp_xp, codes[i], numbers(PRIORS)))
        truths = [[Fraction(x) / Fraction(SIDE) for x in box] for box in truth["gt_boxes"]]
        found.append(match(d, predicted, truths, grid=GRID, dialect=given["dialect"]))
    return found


def evaluate(d: Decisions, scene: Scene, given: Mapping[str, Any]) -> Ledger:
    p = {**DEFAULTS, "factor": FACTORS[given["dialect"]], **{name: value for name, value in given.items() if value is not None}}
    plain = parts_of(scene)
    parts = {name: numbers(values.astype(float)) for name, values in plain.items()}
    ledger, found = Ledger(plain, ("box", "objectness", "classes")), answers(d, scene, given)
    ledger.positives = positives(found)
    for i, (truth, (gt_index, _), n) in enumerate(zip(scene.targets, found, divisors(p["normalizer"], ledger.positives), strict=True)):
        share, positive = mp.mpf(p["factor"]) / mp.mpf(n), [k for k, j in enumerate(gt_index) if j >= 0]
        constants = numbers([[*PRIORS[k], *truth["gt_boxes"][gt_index[k]]] for k in positive])
        codes, confidence = parts["codes"][i], parts["objectness"][i]
        times = [share * p["coordinate_weight"]] * len(positive)
        ledger.add("box", box_loss, "rows", ("codes", i, positive), codes[positive], constants, times)
        times = [share * p["object_weight"]] * len(positive)
        if p["iou_as_confidence"]:
            rows = np.array([[*codes[k], confidence[k]] for k in positive], object)
            ledger.add("objectness", confidence_loss, "rows", ("objectness", i, positive), rows, constants, times, 4)
        else:
            ones = numbers(np.ones(len(positive)))
            ledger.add("objectness", squares, "elementwise", ("objectness", i, positive), confidence[positive], ones, times)
        others = [k for k, j in enumerate(gt_index) if j < 0]
        times = [share * p["no_object_weight"]] * len(others)
        zeros = numbers(np.zeros(len(others)))
        ledger.add("objectness", squares, "elementwise", ("objectness", i, others), confidence[others], zeros, times)
        cells = [k // BOXES for k in positive]
        one_hot = numbers([[float(truth["gt_labels"][gt_index[k]] == c) for c in range(CLASSES)] for k in positive])
        times = [share * p["class_weight"]] * len(cells)
        ledger.add("classes", squares, "elementwise", ("classes", i, cells), parts["classes"][i][cells], one_hot, times)
    for table in (ledger.gradient, ledger.gradient_scale):
        side = (len(scene.targets), GRID, GRID)
        predictors = np.concatenate([table["codes"], table["objectness"][..., None]], axis=2).reshape(*side, -1)
        whole = np.concatenate([predictors, table["classes"].reshape(*side, -1)], axis=3)
        table.clear()
        table["output"] = whole
    return ledger


def drawn(slug: str, flags: tuple[str, ...], many: Sequence[int], settings: Sequence[Mapping[str, Any]]) -> Scene:
    """Truths in as many cells, and predictors that nearly see them."""
    for turn in range(3000):
        rng = random.Random(f"yolov1 {slug} {turn}")

        def cell(rng: random.Random = rng) -> list[float]:
            places = [[rng.uniform(0, 1) for _ in "xy"] + [rng.uniform(0.3, 0.8) for _ in "wh"] + [rng.uniform(0, 1)] for _ in range(BOXES)]
            return [snapped(v) for v in (*places[0], *places[1], *(rng.uniform(0, 1) for _ in range(CLASSES)))]

        output = [[[cell() for _ in range(GRID)] for _ in range(GRID)] for _ in many]
        targets = []
        for n in many:
            corners = [[rng.uniform(0, 60), rng.uniform(0, 60), rng.uniform(14, 34), rng.uniform(14, 34)] for _ in range(n)]
            boxes = [[snapped(v) for v in (x, y, x + w, y + h)] for x, y, w, h in corners]
            targets.append({"gt_boxes": boxes, "gt_labels": [rng.randrange(CLASSES) for _ in range(n)]})
        config = {"classes": CLASSES, "image_size": [int(SIDE), int(SIDE)], "grid": GRID, "boxes": BOXES}
        scene = Scene(slug, flags, config, {"output": output}, targets)
        good = True
        for setting in settings:
            d = Decisions()
            good = good and positives(answers(d, scene, setting)) == list(many) and d.margin >= SMALLEST_MARGIN
        if good:
            return scene
    raise ValueError(f"yolov1/{slug}: no scene is accepted")


def scenes() -> list[Scene]:
    settings = list(SETTINGS.values())
    return [
        drawn("batch_0_0_3_5", ("batch",), (0, 0, 3, 5), settings), drawn("one_image", ("basic",), (2,), settings),
        drawn("no_object", ("no_object",), (0, 0), settings),
    ]  # fmt: skip


NOTES = {
    "basic": ("basic", "A plain batch; a failure here is a wrong formula or a broken mapping."),
    "batch": ("normaliser", "A batch with 0, 0, 3 and 5 positives: it tells nearly all normalisers apart."),
    "no_object": ("edge", "No image has an object: every cell is background, and nothing may be NaN."),
}
TERMS = {
    "box": Term(("output",), 3, (0, 1, 2, 3, 5, 6, 7, 8)), "objectness": Term(("output",), 3, (4, 9)),
    "classes": Term(("output",), 3, tuple(range(10, 10 + CLASSES))),
}  # fmt: skip
OUTPUTS = {
    "output": Output(
        ("images", "rows", "columns", "5 boxes + classes"),
        "in each cell for each box x, y, sqrt w, sqrt h, confidence; then class scores",
    )
}
CONFIG = {
    "classes": "how many", "image_size": "height and width in pixels", "grid": "cells along a side", "boxes": "predictors of a cell",
}  # fmt: skip
ORACLE = Oracle("criteria.yolov1", TERMS, OUTPUTS, CONFIG, DEFAULTS, SETTINGS, NOTES, scenes, evaluate)


def counts(d: Decisions, scene: Scene, given: Mapping[str, Any]) -> list[int]:
    return positives(answers(d, scene, given))

"""Scaled-YOLOv4: means over each grid of CIoU, objectness towards the CIoU, and classes (the authors' training code).

darknet's dialect, whose gradients are made by hand and are those of no function, is in darknet_evaluating.py.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from mpmath import mp

from refloss.coders.yolo import yolo_decode_formula
from refloss.losses.cross_entropy import formula as binary
from refloss.losses.iou import ciou_formula

from ..decisions import Decisions
from ..mp import mp_xp, numbers
from ..references.scaled_yolov4 import scaled_yolov4 as match
from . import darknet_evaluating, darknet_scenes, yolo
from .record import Ledger, Oracle, Scene
from .yolov4 import PLAIN

DEFAULTS: dict[str, Any] = {
    "dialect": "paper", "ratio": 4.0, "class_weight": 0.5, "box_weight": 0.05, "objectness_weight": 1.0, "label_smoothing": 0.0,
    "iou_as_objectness": True, "scale_xy": 2.0, "iou_threshold": None, "ignore_threshold": None, "box_loss": None, "max_delta": None,
    "normalizer": "batch",
}  # fmt: skip
# An argument that is None is the dialect's.
OF_DARKNET = {"iou_threshold": 0.2, "ignore_threshold": 0.7, "box_loss": "ciou", "max_delta": 5.0}
SETTINGS: dict[str, dict[str, Any]] = {
    "paper": {"dialect": "paper"}, "ratio_2_sums": {"dialect": "paper", "ratio": 2.0, "normalizer": 4.0, "iou_as_objectness": False},
}  # fmt: skip
DARKNET: dict[str, dict[str, Any]] = {
    "darknet": {"dialect": "darknet"},
    "darknet_giou_smoothed": {
        "dialect": "darknet", "box_loss": "giou", "box_weight": 0.5, "label_smoothing": 0.125, "iou_as_objectness": False,
        "iou_threshold": 0.6, "ignore_threshold": 0.15, "max_delta": 0.0, "scale_xy": 1.5,
    },
    "darknet_diou": {"dialect": "darknet", "box_loss": "diou", "iou_threshold": 0.6, "ignore_threshold": 0.15, "max_delta": 0.0625},
    "darknet_squares": {"dialect": "darknet", "box_loss": "squares", "box_weight": 0.75, "iou_threshold": 0.5},
}  # fmt: skip
GRIDS = [yolo.FIRST, yolo.SECOND]
MORE = {"balance": [4.0, 1.0]}
SCALE = {"scale_xy": 2, "size": "squared_sigmoid", "border": 0}


def ciou(xp: Any, codes: Any, constants: Any) -> Any:
    """Of a row: its four codes; constants are the prior (column, row, width, height, stride), then the truth's corners."""
    ours = yolo_decode_formula(xp, codes, constants[..., :5], **SCALE)
    return ciou_formula(xp, ours, constants[..., 5:], box_format="xyxy", eps=0, differentiate_alpha=False)


def objectness_loss(xp: Any, row: Any, constants: Any) -> Any:
    """Of a row: four codes and the objectness, towards the clipped CIoU, a constant."""
    wanted = xp.maximum(1 - ciou(xp, row[..., :4], constants), 0)
    return yolo.cross_entropy(xp, row[..., 4], xp.stop_gradient(wanted))


def chosen(given: Mapping[str, Any]) -> dict[str, Any]:
    own = OF_DARKNET if given["dialect"] == "darknet" else {}
    return {**DEFAULTS, **own, **{name: value for name, value in given.items() if value is not None}}


def answers(d: Decisions, scene: Scene, given: Mapping[str, Any]) -> list[Any]:
    grids = yolo.grids_of(scene)
    return [match(d, grids, yolo.exact_boxes(truth["gt_boxes"]), ratio=chosen(given)["ratio"]) for truth in scene.targets]


def layer(scene: Scene, p: Mapping[str, Any]) -> darknet_evaluating.Layer:
    weights = [w for grid, w in zip(yolo.grids_of(scene), scene.config["balance"], strict=True) for _ in range(grid.count)]
    return darknet_evaluating.Layer([p["scale_xy"]] * len(weights), weights, True)


def evaluate(d: Decisions, scene: Scene, given: Mapping[str, Any]) -> Ledger:
    p, head = chosen(given), yolo.Head(scene)
    if p["dialect"] == "darknet":
        return darknet_evaluating.evaluate(d, scene, p, layer(scene, p))[0]
    ledger, found, images = head.ledger, answers(d, scene, given), len(scene.targets)
    ledger.positives = yolo.positives(found)
    grid_of = [g for g, grid in enumerate(head.grids) for _ in range(grid.count)]
    matches = [sum(grid_of[k] == g for _, pairs in found for k, _ in pairs) for g in range(len(head.grids))]
    sums = p["normalizer"] != "batch"
    per_match = [1 / mp.mpf(p["normalizer"] if sums else max(n, 1)) for n in matches]
    per_prior = [1 / mp.mpf(p["normalizer"] if sums else images * grid.count) for grid in head.grids]
    balance, smooth = scene.config["balance"], p["label_smoothing"]
    for i, (truth, (_, pairs)) in enumerate(zip(scene.targets, found, strict=True)):
        prior = [k for k, _ in pairs]
        constants = numbers([[*head.priors[k], *truth["gt_boxes"][j]] for k, j in pairs])
        codes, logits = head.mp["codes"][i], head.mp["objectness"][i]
        shares = [per_match[grid_of[k]] for k in prior]
        ledger.add("box", ciou, "rows", ("codes", i, prior), codes[prior], constants, [p["box_weight"] * share for share in shares])
        one_hot = numbers([[float(truth["gt_labels"][j] == c) * (1 - smooth) + smooth / 2 for c in range(yolo.CLASSES)] for _, j in pairs])
        times = [share * p["class_weight"] / yolo.CLASSES for share in shares]
        ledger.add("classes", binary, "elementwise", ("classes", i, prior), head.mp["classes"][i][prior], one_hot, times, **PLAIN)
        last = dict(zip(prior, range(len(prior)), strict=True))  # of several matches of a prior the later one
        times = [p["objectness_weight"] * balance[grid_of[k]] * per_prior[grid_of[k]] for k in range(len(head.priors))]
        held, rest = list(last), [k for k in range(len(head.priors)) if k not in last]
        if p["iou_as_objectness"]:
            rows = np.array([[*codes[k], logits[k]] for k in held], object)
            own = constants[[last[k] for k in held]] if held else constants
            at = ("objectness", i, held)
            ledger.add("objectness", objectness_loss, "rows", at, rows, own, [times[k] for k in held], 4)
        else:
            ones = numbers(np.ones(len(held)))
            ledger.add("objectness", binary, "elementwise", ("objectness", i, held), logits[held], ones, [times[k] for k in held], **PLAIN)
        zeros = numbers(np.zeros(len(rest)))
        ledger.add("objectness", binary, "elementwise", ("objectness", i, rest), logits[rest], zeros, [times[k] for k in rest], **PLAIN)
    return head.finished()


def far(d: Decisions, scene: Scene, given: Mapping[str, Any]) -> list[Any]:
    """The answers, if some match has a negative CIoU, and of two matches of a prior the earlier has the better one; nothing else."""
    found, head = answers(d, scene, given), yolo.Head(scene)
    losses: dict[tuple[int, int], list[Any]] = {}
    for i, (truth, (_, pairs)) in enumerate(zip(scene.targets, found, strict=True)):
        for k, j in pairs:
            losses.setdefault((i, k), []).append(ciou(mp_xp, head.mp["codes"][i][k], numbers([*head.priors[k], *truth["gt_boxes"][j]])))
    negative = any(some[-1] > 1.05 for some in losses.values())
    return found if negative and any(len(some) > 1 and 0.9 > some[-1] > 1.1 * some[0] for some in losses.values()) else []


def scenes() -> list[Scene]:
    settings = list(SETTINGS.values())

    def drawn(slug: str, flags: tuple[str, ...], many: Sequence[int], accept: Any, grids: Any = GRIDS) -> Scene:
        return yolo.draw("scaled_yolov4", slug, flags, many, grids, MORE, answers, settings, accept)

    def apart(found: Any) -> bool:
        return all(len({k for k, _ in pairs}) == len(pairs) for _, pairs in found)

    return [
        drawn("batch", ("batch",), (0, 0, 1, 2), lambda found: apart(found) and len(set(yolo.positives(found))) == 3),
        drawn("no_object", ("no_object",), (0, 0), lambda _: True, GRIDS[1:] * 2),
        drawn("claimed_twice", ("claimed_twice",), (2,), lambda found: not apart(found)),
        yolo.draw("scaled_yolov4", "far", ("far", "claimed_twice"), (2,), GRIDS, MORE, far, settings[:1], bool),
    ]


def all_scenes() -> list[Scene]:
    found = [replace(scene, settings=tuple(SETTINGS)) for scene in scenes()]
    of_darknet = {name: chosen(given) for name, given in DARKNET.items()}
    return found + darknet_scenes.scenes("scaled_yolov4", MORE, of_darknet, layer, ("darknet_giou_smoothed", "darknet_diou"))


CONFIG = {**yolo.CONFIG, "balance": "for each grid the weight of its objectness"}
ORACLE = Oracle(
    "criteria.scaled_yolov4", yolo.terms_of(2), {f"output_{k}": yolo.OUTPUT for k in range(2)}, CONFIG, DEFAULTS, {**SETTINGS, **DARKNET},
    darknet_scenes.NOTES, all_scenes, evaluate,
)  # fmt: skip


def counts(d: Decisions, scene: Scene, given: Mapping[str, Any]) -> list[int]:
    return yolo.positives(answers(d, scene, given))

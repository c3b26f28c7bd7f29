"""YOLOv4: CIoU of every match, cross entropies of objectness and classes (Bochkovskiy et al. 2020, section 3.4).

darknet's dialect, whose gradients are made by hand and are those of no function, is in darknet_evaluating.py.
"""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from mpmath import mp

from refloss import IGNORE
from refloss.coders.yolo import yolo_decode_formula
from refloss.losses.cross_entropy import formula as binary
from refloss.losses.iou import ciou_formula, giou_formula

from ..decisions import Decisions
from ..mp import numbers
from ..references.yolov4 import yolov4 as match
from . import darknet_evaluating, darknet_scenes, yolo
from .record import Ledger, Oracle, Scene, divisors

DEFAULTS: dict[str, Any] = {
    "dialect": "paper", "iou_threshold": 0.213, "ignore_threshold": 0.7, "box_loss": "ciou", "box_weight": 0.07, "objectness_weight": 1.0,
    "label_smoothing": 0.0, "iou_as_objectness": False, "max_delta": 5.0, "normalizer": 1.0,
}  # fmt: skip
SETTINGS: dict[str, dict[str, Any]] = {
    "paper": {"dialect": "paper"},
    "giou_smoothed": {"dialect": "paper", "box_loss": "giou", "label_smoothing": 0.125, "iou_threshold": 1.0, "ignore_threshold": 0.4},
    "by_positives": {"dialect": "paper", "normalizer": "batch"},
}
DARKNET: dict[str, dict[str, Any]] = {
    "darknet": {"dialect": "darknet"},
    "darknet_giou_smoothed": {
        "dialect": "darknet", "box_loss": "giou", "box_weight": 0.5, "label_smoothing": 0.125, "iou_threshold": 0.6,
        "ignore_threshold": 0.2, "max_delta": 0.75,
    },
    "darknet_iou_as_objectness": {
        "dialect": "darknet", "box_loss": "iou", "objectness_weight": 0.5, "iou_as_objectness": True, "iou_threshold": 0.6,
        "ignore_threshold": 0.2, "max_delta": 0.0,
    },
    "darknet_diou": {"dialect": "darknet", "box_loss": "diou", "iou_threshold": 0.5, "box_weight": 0.75},
    "darknet_squares": {"dialect": "darknet", "box_loss": "squares", "box_weight": 0.75, "iou_threshold": 0.5},
}  # fmt: skip
GRIDS = [yolo.FIRST, yolo.SECOND]
MORE = {"scale_xy": [1.1875, 1.0625]}
PLAIN = {"alpha": None, "label_smoothing": 0}


def box_loss(xp: Any, codes: Any, constants: Any, *, loss: str, size: str) -> Any:
    """Of a row: its four codes; constants are the prior (column, row, width, height, stride), scale_xy, then the truth's corners."""
    ours = yolo_decode_formula(xp, codes, constants[..., :5], scale_xy=constants[..., 5], size=size, border=0)
    if loss == "giou":
        return giou_formula(xp, ours, constants[..., 6:], box_format="xyxy", eps=0)
    return ciou_formula(xp, ours, constants[..., 6:], box_format="xyxy", eps=0, differentiate_alpha=False)


def chosen(given: Mapping[str, Any]) -> dict[str, Any]:
    return {**DEFAULTS, **{name: value for name, value in given.items() if value is not None}}


def scales(head: yolo.Head, scene: Scene) -> list[float]:
    return [scale for grid, scale in zip(head.grids, scene.config["scale_xy"], strict=True) for _ in range(grid.count)]


def answers(d: Decisions, scene: Scene, given: Mapping[str, Any]) -> list[Any]:
    p, head, found = chosen(given), yolo.Head(scene), []
    for i, truth in enumerate(scene.targets):
        predicted = yolo.exact_boxes(head.predicted(i, scales(head, scene), "exp"))
        found.append(
            match(
                d, head.grids, yolo.exact_boxes(truth["gt_boxes"]), predicted_boxes=predicted, iou_threshold=p["iou_threshold"],
                ignore_threshold=p["ignore_threshold"],
            )
        )  # fmt: skip
    return found


def unsure(scene: Scene) -> Scene:
    """The scene with all classes of the first prior that is ignored less likely than 0.25."""
    scene = replace(scene, slug="ignored_unsure", outputs=copy.deepcopy(scene.outputs))
    (gt_index, _), start = answers(Decisions(), scene, SETTINGS["paper"])[0], 0
    place = gt_index.index(IGNORE)
    for grid, head in zip(yolo.grids_of(scene), scene.outputs.values(), strict=True):
        if start <= place < start + grid.count:
            anchor, cell = divmod(place - start, grid.height * grid.width)
            for channel in range(5, 5 + yolo.CLASSES):
                head[0][anchor][channel][cell // grid.width][cell % grid.width] = -1.5 - channel / 8
        start += grid.count
    return scene


def layer(scene: Scene, _: Mapping[str, Any]) -> darknet_evaluating.Layer:
    each = scales(yolo.Head(scene), scene)
    return darknet_evaluating.Layer(each, [1.0] * len(each), False)


def evaluate(d: Decisions, scene: Scene, given: Mapping[str, Any]) -> Ledger:
    p, head = chosen(given), yolo.Head(scene)
    if p["dialect"] == "darknet":
        return darknet_evaluating.evaluate(d, scene, p, layer(scene, p))[0]
    ledger, found, scale = head.ledger, answers(d, scene, given), scales(head, scene)
    ledger.positives = yolo.positives(found)
    for i, (truth, (gt_index, pairs), n) in enumerate(zip(scene.targets, found, divisors(p["normalizer"], ledger.positives), strict=True)):
        share = 1 / mp.mpf(n)
        prior = [k for k, _ in pairs]
        constants = numbers([[*head.priors[k], scale[k], *truth["gt_boxes"][j]] for k, j in pairs])
        ledger.add(
            "box", box_loss, "rows", ("codes", i, prior), head.mp["codes"][i][prior], constants, [share * p["box_weight"]] * len(pairs),
            loss=p["box_loss"], size="exp",
        )  # fmt: skip
        rows = [k for k, j in enumerate(gt_index) if j != IGNORE]
        wanted = np.array([mp.mpf(int(gt_index[k] >= 0)) for k in rows], object)
        ledger.add(
            "objectness", binary, "elementwise", ("objectness", i, rows), head.mp["objectness"][i][rows], wanted,
            [share * p["objectness_weight"]] * len(rows), **PLAIN,
        )  # fmt: skip
        positive = [k for k, j in enumerate(gt_index) if j >= 0]
        smooth = p["label_smoothing"]
        targets = numbers([[c * (1 - smooth) + smooth / 2 for c in yolo.claimed(pairs, truth["gt_labels"], k)] for k in positive])
        logits = head.mp["classes"][i][positive]
        ledger.add("classes", binary, "elementwise", ("classes", i, positive), logits, targets, [share] * len(positive), **PLAIN)
    return head.finished()


def scenes() -> list[Scene]:
    settings = list(SETTINGS.values())

    def drawn(slug: str, flags: tuple[str, ...], many: Sequence[int], accept: Any) -> Scene:
        return yolo.draw("yolov4", slug, flags, many, GRIDS, MORE, answers, settings, accept)

    def ignores(found: Any) -> bool:
        return any(j == IGNORE for gt_index, _ in found for j in gt_index)

    surely = yolo.draw("yolov4", "ignored_at_0_7", ("ignored",), (4,), GRIDS, MORE, answers, settings[:1], ignores)
    return [
        drawn("batch_0_0_3_5", ("batch",), (0, 0, 3, 5), lambda found: yolo.positives(found) == [0, 0, 3, 5]),
        drawn("one_image", ("basic",), (2,), lambda found: yolo.positives(found) == [2]),
        yolo.draw("yolov4", "no_object", ("no_object",), (0, 0), GRIDS[1:] * 2, MORE, answers, settings, lambda _: True),
        yolo.draw("yolov4", "ignored", ("ignored",), (3,), GRIDS, MORE, answers, settings[1:2], ignores),
        drawn("claimed_twice", ("claimed_twice",), (3,), lambda found: yolo.positives(found) == [2]),
        yolo.draw(
            "yolov4", "extra_matches", ("extra_matches",), (2,), GRIDS, MORE, answers, settings[:1],
            lambda found: len(found[0][1]) > 2 and sum(yolo.positives(found)) == len(found[0][1]),
        ),
        surely,
        unsure(surely),
    ]  # fmt: skip


def all_scenes() -> list[Scene]:
    found = [replace(scene, settings=tuple(SETTINGS)) for scene in scenes()]
    easily = ("darknet_giou_smoothed", "darknet_iou_as_objectness")
    of_darknet = {name: chosen(given) for name, given in DARKNET.items()}
    return found + darknet_scenes.scenes("yolov4", MORE, of_darknet, layer, easily)


CONFIG = {**yolo.CONFIG, "scale_xy": "for each grid how far a centre reaches: s sigma(t) - (s - 1) / 2"}
ORACLE = Oracle(
    "criteria.yolov4", yolo.terms_of(2), {f"output_{k}": yolo.OUTPUT for k in range(2)}, CONFIG, DEFAULTS, {**SETTINGS, **DARKNET},
    darknet_scenes.NOTES, all_scenes, evaluate,
)  # fmt: skip


def counts(d: Decisions, scene: Scene, given: Mapping[str, Any]) -> list[int]:
    return yolo.positives(answers(d, scene, given))

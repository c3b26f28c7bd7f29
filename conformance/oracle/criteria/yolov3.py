"""YOLOv3: cross entropies of places, objectness and classes, squares of sizes (Redmon and Farhadi 2018, sections 2.1 and 2.2)."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from mpmath import mp

from refloss import IGNORE
from refloss.losses.cross_entropy import formula as binary

from ..decisions import Decisions
from ..mp import numbers
from ..references.yolov3 import yolov3 as match
from . import yolo
from .record import Ledger, Oracle, Scene, divisors

DEFAULTS: dict[str, Any] = {"dialect": "paper", "ignore_threshold": None, "small_boxes_count_more": None, "normalizer": 1.0}
# An argument that is None is the dialect's.
DIALECTS: dict[str, dict[str, Any]] = {
    "paper": {"ignore_threshold": 0.5, "small_boxes_count_more": False},
    "darknet": {"ignore_threshold": 0.7, "small_boxes_count_more": True},
}  # fmt: skip
SETTINGS: dict[str, dict[str, Any]] = {
    "paper": {"dialect": "paper"}, "darknet": {"dialect": "darknet"}, "by_positives": {"dialect": "paper", "normalizer": "batch"},
}  # fmt: skip
GRIDS = [yolo.FIRST, yolo.SECOND]
PLAIN = {"alpha": None, "label_smoothing": 0}


def box_loss(xp: Any, codes: Any, constants: Any) -> Any:
    """Of a row: its four codes; constants are the prior (column, row, width, height, stride), then the truth's corners."""
    column, row, w, h, stride, x1, y1, x2, y2 = (constants[..., k] for k in range(9))
    places = (x1 + x2) / 2 / stride - column, (y1 + y2) / 2 / stride - row
    sizes = xp.log((x2 - x1) / w), xp.log((y2 - y1) / h)
    centre = sum(binary(xp, codes[..., k], places[k], **PLAIN) for k in (0, 1))
    return centre + sum((codes[..., 2 + k] - sizes[k]) ** 2 / 2 for k in (0, 1))


def chosen(given: Mapping[str, Any]) -> dict[str, Any]:
    return {**DEFAULTS, **DIALECTS[given["dialect"]], **{name: value for name, value in given.items() if value is not None}}


def answers(d: Decisions, scene: Scene, given: Mapping[str, Any]) -> list[Any]:
    p, head = chosen(given), yolo.Head(scene)
    found = []
    for i, truth in enumerate(scene.targets):
        predicted = yolo.exact_boxes(head.predicted(i, [1.0] * len(head.priors), "exp"))
        found.append(
            match(
                d, head.grids, yolo.exact_boxes(truth["gt_boxes"]), predicted_boxes=predicted, ignore_threshold=p["ignore_threshold"],
                dialect=p["dialect"],
            )
        )  # fmt: skip
    return found


def evaluate(d: Decisions, scene: Scene, given: Mapping[str, Any]) -> Ledger:
    p, head = chosen(given), yolo.Head(scene)
    ledger, found = head.ledger, answers(d, scene, given)
    ledger.positives = yolo.positives(found)
    for i, (truth, (gt_index, pairs), n) in enumerate(zip(scene.targets, found, divisors(p["normalizer"], ledger.positives), strict=True)):
        share, positive = 1 / mp.mpf(n), [k for k, j in enumerate(gt_index) if j >= 0]
        boxes = [truth["gt_boxes"][gt_index[k]] for k in positive]
        constants = numbers([[*head.priors[k], *box] for k, box in zip(positive, boxes, strict=True)])
        times = [share * weight(box) if p["small_boxes_count_more"] else share for box in boxes]
        ledger.add("box", box_loss, "rows", ("codes", i, positive), head.mp["codes"][i][positive], constants, times)
        rows = [k for k, j in enumerate(gt_index) if j != IGNORE]
        wanted = np.array([mp.mpf(int(gt_index[k] >= 0)) for k in rows], object)
        logits = head.mp["objectness"][i][rows]
        ledger.add("objectness", binary, "elementwise", ("objectness", i, rows), logits, wanted, [share] * len(rows), **PLAIN)
        targets = numbers([yolo.claimed(pairs, truth["gt_labels"], k) for k in positive])
        logits = head.mp["classes"][i][positive]
        ledger.add("classes", binary, "elementwise", ("classes", i, positive), logits, targets, [share] * len(positive), **PLAIN)
    return head.finished()


def weight(box: Sequence[float]) -> Any:
    """2 - w h, relative to the image."""
    x1, y1, x2, y2 = map(mp.mpf, box)
    return 2 - (x2 - x1) * (y2 - y1) / mp.mpf(yolo.SIDE) ** 2


def scenes() -> list[Scene]:
    settings = list(SETTINGS.values())

    def drawn(slug: str, flags: tuple[str, ...], counts: Sequence[int], accept: Any, which: Any = settings, grids: Any = GRIDS) -> Scene:
        return yolo.draw("yolov3", slug, flags, counts, grids, {}, answers, which, accept)

    def ignores(found: Any) -> bool:
        return any(j == IGNORE for gt_index, _ in found for j in gt_index)

    return [
        drawn("batch_0_0_3_5", ("batch",), (0, 0, 3, 5), lambda found: yolo.positives(found) == [0, 0, 3, 5]),
        drawn("one_image", ("basic",), (2,), lambda found: yolo.positives(found) == [2]),
        drawn("no_object", ("no_object",), (0, 0), lambda _: True, grids=GRIDS[1:] * 2),
        drawn("ignored", ("ignored",), (3,), ignores, settings[:1]),
        drawn("claimed_twice", ("claimed_twice",), (3,), lambda found: yolo.positives(found) == [2]),
    ]


ORACLE = Oracle(
    "criteria.yolov3", yolo.terms_of(2), {f"output_{k}": yolo.OUTPUT for k in range(2)}, yolo.CONFIG, DEFAULTS, SETTINGS, yolo.NOTES,
    scenes, evaluate,
)  # fmt: skip


def counts(d: Decisions, scene: Scene, given: Mapping[str, Any]) -> list[int]:
    return yolo.positives(answers(d, scene, given))

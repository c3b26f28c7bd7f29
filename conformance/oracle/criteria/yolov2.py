"""YOLOv2: squared errors of places, sizes and objectness, softmax of classes (Redmon and Farhadi 2017, section 2)."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from mpmath import mp

from refloss import IGNORE
from refloss.coders.yolo import yolo_decode_formula
from refloss.losses.iou import iou_formula
from refloss.losses.softmax import formula as softmax_cross_entropy

from ..decisions import Decisions
from ..mp import numbers
from ..references.yolov2 import yolov2 as match
from . import yolo
from .record import Ledger, Oracle, Scene, divisors
from .yolov3 import weight

WARM_UP_IMAGES, WARM_UP_WEIGHT = 12_800, 0.01
DEFAULTS: dict[str, Any] = {
    "dialect": "paper", "ignore_threshold": 0.6, "coordinate_weight": 1.0, "object_weight": 5.0, "no_object_weight": 1.0,
    "class_weight": 1.0, "images_seen": 0, "through_sigmoid": None, "small_boxes_count_more": None, "warm_up": None, "normalizer": 1.0,
}  # fmt: skip
# An argument that is None is the dialect's.
DIALECTS: dict[str, dict[str, Any]] = {
    "paper": {"through_sigmoid": True, "small_boxes_count_more": False, "warm_up": False},
    "darknet": {"through_sigmoid": False, "small_boxes_count_more": True, "warm_up": True},
}
SETTINGS: dict[str, dict[str, Any]] = {
    "paper": {"dialect": "paper"}, "darknet": {"dialect": "darknet"},
    "darknet_warmed_up": {"dialect": "darknet", "images_seen": WARM_UP_IMAGES}, "by_positives": {"dialect": "paper", "normalizer": "batch"},
}  # fmt: skip
GRIDS = [yolo.FIRST]


def through(xp: Any, logits: Any, targets: Any, through_sigmoid: bool) -> Any:
    """Half a squared error, or (without the sigmoid's derivative in its gradient) a cross entropy."""
    return (xp.sigmoid(logits) - targets) ** 2 / 2 if through_sigmoid else yolo.cross_entropy(xp, logits, targets)


def box_loss(xp: Any, codes: Any, constants: Any, *, through_sigmoid: bool) -> Any:
    """Of a row: its four codes; constants are the prior (column, row, width, height, stride), then a box's corners."""
    column, row, w, h, stride, x1, y1, x2, y2 = (constants[..., k] for k in range(9))
    places = (x1 + x2) / 2 / stride - column, (y1 + y2) / 2 / stride - row
    sizes = xp.log((x2 - x1) / w), xp.log((y2 - y1) / h)
    centre = sum(through(xp, codes[..., k], places[k], through_sigmoid) for k in (0, 1))
    return centre + sum((codes[..., 2 + k] - sizes[k]) ** 2 / 2 for k in (0, 1))


def objectness_loss(xp: Any, row: Any, constants: Any, *, through_sigmoid: bool) -> Any:
    """Of a row: four codes and the objectness, from the IoU of the predicted box, a constant."""
    ours = yolo_decode_formula(xp, row[..., :4], constants[..., :5], scale_xy=1, size="exp", border=0)
    wanted = 1 - iou_formula(xp, ours, constants[..., 5:], kind="linear", box_format="xyxy", eps=0)
    return through(xp, row[..., 4], xp.stop_gradient(wanted), through_sigmoid)


def chosen(given: Mapping[str, Any]) -> dict[str, Any]:
    return {**DEFAULTS, **DIALECTS[given["dialect"]], **{name: value for name, value in given.items() if value is not None}}


def answers(d: Decisions, scene: Scene, given: Mapping[str, Any]) -> list[Any]:
    p, head, found = chosen(given), yolo.Head(scene), []
    for i, truth in enumerate(scene.targets):
        predicted = yolo.exact_boxes(head.predicted(i, [1.0] * len(head.priors), "exp"))
        boxes = yolo.exact_boxes(truth["gt_boxes"])
        found.append(
            match(d, head.grids, boxes, predicted_boxes=predicted, ignore_threshold=p["ignore_threshold"], dialect=p["dialect"])
        )  # fmt: skip
    return found


def telling(d: Decisions, scene: Scene, given: Mapping[str, Any]) -> list[Any]:
    """The answers, if a threshold of 0.5 ignores more; else nothing."""
    found, looser = answers(d, scene, given), answers(Decisions(), scene, {**given, "ignore_threshold": 0.5})
    return found if found[0][0] != looser[0][0] else []


def resting(prior: Sequence[float]) -> list[float]:
    """A prior's own box: its shape in the middle of its cell."""
    column, row, w, h, stride = prior
    x, y = (column + 0.5) * stride, (row + 0.5) * stride
    return [x - w / 2, y - h / 2, x + w / 2, y + h / 2]


def evaluate(d: Decisions, scene: Scene, given: Mapping[str, Any]) -> Ledger:
    p, head = chosen(given), yolo.Head(scene)
    ledger, found, how = head.ledger, answers(d, scene, given), {"through_sigmoid": p["through_sigmoid"]}
    ledger.positives = yolo.positives(found)
    for i, (truth, (gt_index, _), n) in enumerate(zip(scene.targets, found, divisors(p["normalizer"], ledger.positives), strict=True)):
        share = 1 / mp.mpf(n)
        positive = [k for k, j in enumerate(gt_index) if j >= 0]
        others = [k for k, j in enumerate(gt_index) if j < 0]
        boxes = [truth["gt_boxes"][gt_index[k]] for k in positive]
        constants = numbers([[*head.priors[k], *box] for k, box in zip(positive, boxes, strict=True)])
        times = [share * p["coordinate_weight"] * (weight(box) if p["small_boxes_count_more"] else 1) for box in boxes]
        codes, objectness = head.mp["codes"][i], head.mp["objectness"][i]
        ledger.add("box", box_loss, "rows", ("codes", i, positive), codes[positive], constants, times, **how)
        if p["warm_up"] and p["images_seen"] < WARM_UP_IMAGES:
            at_rest = numbers([[*head.priors[k], *resting(head.priors[k])] for k in others])
            ledger.add("box", box_loss, "rows", ("codes", i, others), codes[others], at_rest, [share * WARM_UP_WEIGHT] * len(others), **how)
        rows = np.array([[*codes[k], objectness[k]] for k in positive], object)
        ledger.add(
            "objectness", objectness_loss, "rows", ("objectness", i, positive), rows, constants,
            [share * p["object_weight"]] * len(positive), 4, **how,
        )  # fmt: skip
        negative = [k for k in others if gt_index[k] != IGNORE]
        zeros = numbers(np.zeros(len(negative)))
        ledger.add(
            "objectness", through, "elementwise", ("objectness", i, negative), objectness[negative], zeros,
            [share * p["no_object_weight"]] * len(negative), **how,
        )  # fmt: skip
        labels = np.array([truth["gt_labels"][gt_index[k]] for k in positive], np.int64)
        ledger.add(
            "classes", softmax_cross_entropy, "rows", ("classes", i, positive), head.mp["classes"][i][positive], labels,
            [share * p["class_weight"]] * len(positive),
        )  # fmt: skip
    return head.finished()


def scenes() -> list[Scene]:
    settings = list(SETTINGS.values())

    def drawn(slug: str, flags: tuple[str, ...], many: Sequence[int], accept: Any, which: Any = settings) -> Scene:
        return yolo.draw("yolov2", slug, flags, many, GRIDS, {}, answers, which, accept)

    def ignores(found: Any) -> bool:
        return any(j == IGNORE for gt_index, _ in found for j in gt_index)

    near = yolo.draw("yolov2", "nearly_ignored", ("nearly_ignored",), (2,), GRIDS, {}, telling, settings, bool)
    return [
        drawn("batch_0_0_3_5", ("batch",), (0, 0, 3, 5), lambda found: yolo.positives(found) == [0, 0, 3, 5]),
        drawn("no_object", ("no_object",), (0,), lambda _: True),
        drawn("ignored", ("ignored",), (3,), ignores),
        drawn("claimed_twice", ("claimed_twice",), (3,), lambda found: yolo.positives(found) == [2]),
        near,
    ]


ORACLE = Oracle(
    "criteria.yolov2", yolo.terms_of(1), {"output_0": yolo.OUTPUT}, yolo.CONFIG, DEFAULTS, SETTINGS, yolo.NOTES, scenes, evaluate,
)  # fmt: skip


def counts(d: Decisions, scene: Scene, given: Mapping[str, Any]) -> list[int]:
    return yolo.positives(answers(d, scene, given))

"""darknet's dialect of YOLOv4 and Scaled-YOLOv4 as oracles: terms are losses, gradients are darknet's deltas with the other sign."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from mpmath import mp

from refloss_conformance.gradients import value_scale

from ..decisions import Decisions
from ..mp import mp_xp, numbers
from ..references.yolov1 import iou
from ..references.yolov4 import yolov4 as match
from . import darknet, yolo
from .record import Ledger, Scene

SURE = 0.25  # some class must be likelier for a prediction to be ignored
Formula = Callable[..., Any]


@dataclass(frozen=True)
class Layer:
    """What a scene's images share: each prior's scale_x_y and weight of objectness, and darknet's new_coords."""

    scales: Sequence[Any]
    weights: Sequence[Any]
    new: bool


def wanted(xp: Any, row: Any, constants: Any, new: bool) -> Any:
    """The last constant; of rows with codes before the number, the IoU of the predicted box with the truth."""
    return darknet.similarity(xp, row[..., :4], constants, new) if row.shape[-1] > 1 else constants[..., 0]


def entropy(xp: Any, row: Any, constants: Any, new: bool) -> Any:
    """Of one number, the row's last."""
    x, target = row[..., -1], wanted(xp, row, constants, new)
    return -target * xp.log(x) - (1 - target) * xp.log(1 - x) if new else xp.softplus(x) - target * x


def error(xp: Any, row: Any, constants: Any, new: bool) -> Any:
    """What darknet takes for the slope of that."""
    return (row[..., -1] if new else xp.sigmoid(row[..., -1])) - wanted(xp, row, constants, new)


def box_value(xp: Any, codes: Any, constants: Any, new: bool, loss: str) -> Any:
    """The loss of a box; squares are weighted by 2 - w h."""
    if loss != "squares":
        return 1 - darknet.similarity(xp, codes, constants, new, loss)
    _, _, w, h = darknet.true(constants)
    return sum(weighted**2 for weighted in darknet.squares(xp, codes, constants, new)) / 2 / (2 - w * h)


def measured(formula: Formula, first: Any, second: Any, *more: Any) -> tuple[Any, Any]:
    """Values of rows, and their condition scales."""
    value = formula(mp_xp, first, second, *more)
    if not Ledger.scales_wanted:
        return value, abs(value)
    scale = value_scale(lambda xp, a, b: formula(xp, a, b, *more), (first, second), {}, kind="rows", base=mp_xp)
    return value, np.maximum(scale, abs(value))


class Image:
    """One image's share of a ledger: `index` and `pairs` are its matches, `best` the largest IoU of each prediction, and with which."""

    def __init__(self, d: Decisions, head: yolo.Head, i: int, found: Any, p: Mapping[str, Any], layer: Layer) -> None:
        self.d, self.ledger, self.i, (self.index, self.pairs), self.p, self.layer = d, head.ledger, i, found, p, layer
        self.codes, self.logits, scores = (head.mp[name][i] for name in ("codes", "objectness", "classes"))
        self.scores, self.truth, grid = scores, head.scene.targets[i], head.grids[0]
        image = [float(grid.stride * grid.width), float(grid.stride * grid.height)]
        self.priors = [[*prior, scale, *image] for prior, scale in zip(head.priors, layer.scales, strict=True)]
        self.likely = scores if layer.new else mp_xp.sigmoid(scores)

    def constants(self, pairs: Sequence[tuple[int, int]]) -> Any:
        return numbers([[*self.priors[k], *self.truth["gt_boxes"][j]] for k, j in pairs])

    def add(self, term: str, value: Any, times: Any) -> None:
        """Values and their scales, each times a weight."""
        self.ledger.terms[term] += sum(value[0] * times)
        self.ledger.scales[term] += sum(value[1] * times)

    def add_boxes(self) -> None:
        """Deltas of all matches of a prior accumulate, of IoUs each held to max_delta; then they are averaged."""
        rows, constants = self.codes[[k for k, _ in self.pairs]], self.constants(self.pairs)
        weight, loss = mp.mpf(self.p["box_weight"]), self.p["box_loss"]
        limit = self.p["max_delta"] if loss != "squares" else 0
        self.add("box", measured(box_value, rows, constants, self.layer.new, loss), weight)
        slope, scale = self.ledger.gradient["codes"][self.i], self.ledger.gradient_scale["codes"][self.i]
        self.compare(rows, constants)
        for axis in range(4):
            deltas, sizes = measured(darknet.pull, rows, constants, self.layer.new, loss, axis)
            for (k, _), pull, size in zip(self.pairs, deltas, sizes, strict=True):
                held = bool(limit) and self.d.above(abs(weight * pull), limit)
                slope[k, axis] -= mp.sign(pull) * limit if held else weight * pull
                scale[k, axis] += limit if held else weight * size
        for k in sorted({k for k, _ in self.pairs}):
            count = sum(self.d.above(target, x) for target, x in zip(self.targets(k), self.likely[k], strict=True))
            slope[k], scale[k] = slope[k] / max(count, 1), scale[k] / max(count, 1)

    def compare(self, rows: Any, constants: Any) -> None:
        """Which side is the inner one, and whether boxes meet, are decisions."""
        ours, theirs = darknet.sides(darknet.predicted(mp_xp, rows, constants, self.layer.new)), darknet.sides(darknet.true(constants))
        for a, b in [*zip(ours, theirs, strict=True), *((ours[s], theirs[s - 2]) for s in range(4))]:
            for x, y in zip(a, b, strict=True):
                self.d.above(x, y)

    def targets(self, prior: int) -> list[Any]:
        smooth = mp.mpf(self.p["label_smoothing"])
        return [c * (1 - smooth) + smooth / 2 for c in yolo.claimed(self.pairs, self.truth["gt_labels"], prior)]

    def near(self) -> dict[int, int]:
        """Priors whose prediction overlaps a truth enough, and is sure of some class, with the truth."""
        if not self.truth["gt_boxes"]:
            return {}
        found: dict[int, int] = {}
        truths = numbers(self.truth["gt_boxes"])
        boxes = darknet.predicted(mp_xp, self.codes, numbers([[*prior, 0, 0, 1, 1] for prior in self.priors]), self.layer.new)
        for k, box in enumerate(np.stack(darknet.sides(boxes), -1) * numbers([*self.priors[0][6:], *self.priors[0][6:]])):
            overlap, j = max((iou(box, truth), -j) for j, truth in enumerate(truths))
            if self.d.above(overlap, self.p["ignore_threshold"]) and self.d.above(max(self.likely[k]), SURE):
                found[k] = -j
        return found

    def add_objectness(self) -> list[int]:
        """0 but where it is ignored, then 1 at matches; or with objectness_smooth the IoU, and at matches nothing else. The ignored."""
        near, smooth = self.near(), self.p["iou_as_objectness"]
        for k, j in enumerate(self.index):
            if k in near and smooth:
                row, constants = np.array([[*self.codes[k], self.logits[k]]], object), self.constants([(k, near[k])])
            elif k not in near or j >= 0:
                row, constants = self.logits[[k]][:, None], numbers([[float(j >= 0 and not smooth)]])
            else:
                continue
            self.add_number("objectness", (self.i, k), row, constants, self.p["objectness_weight"] * mp.mpf(self.layer.weights[k]))
        return [k for k in near if self.index[k] < 0]

    def add_classes(self) -> None:
        for k in sorted({k for k, _ in self.pairs}):
            for c, target in enumerate(self.targets(k)):
                self.add_number("classes", (self.i, k, c), self.scores[[k]][:, [c]], np.array([[target]], object), mp.mpf(1))

    def add_number(self, term: str, at: tuple[int, ...], row: Any, constants: Any, weight: Any) -> None:
        self.add(term, measured(entropy, row, constants, self.layer.new), weight)
        (value,), (scale,) = measured(error, row, constants, self.layer.new)
        self.ledger.gradient[term][at] += weight * value
        self.ledger.gradient_scale[term][at] += weight * scale


def evaluate(d: Decisions, scene: Scene, p: Mapping[str, Any], layer: Layer) -> tuple[Ledger, list[Any]]:
    """The ledger, and of each image its pairs and its ignored priors."""
    head, shown = yolo.Head(scene), []
    for i, truth in enumerate(scene.targets):
        boxes = yolo.exact_boxes(truth["gt_boxes"])
        found = match(d, head.grids, boxes, predicted_boxes=[], iou_threshold=p["iou_threshold"], dialect="darknet")
        head.ledger.positives += yolo.positives([found])
        image = Image(d, head, i, found, p, layer)
        if found[1]:
            image.add_boxes()
            image.add_classes()
        shown.append((found[1], image.add_objectness()))
    return head.finished(), shown


def cost(slopes: Sequence[Any]) -> Any:
    """What darknet prints: the sum of squared deltas."""
    return sum((one**2).sum() for one in slopes)

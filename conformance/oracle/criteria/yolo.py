"""What the oracles of YOLOv2 and later share: heads as rows of priors, predicted boxes, drawn scenes."""

import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from refloss.coders.yolo import yolo_decode_formula
from refloss.losses.cross_entropy import formula as binary
from refloss.priors import Grid

from ..decisions import Decisions
from ..mp import mp_xp, numbers
from .flat import snapped
from .record import SMALLEST_MARGIN, Ledger, Output, Scene, Term, exactly

CLASSES = 2
NOTES = {
    "basic": ("basic", "A plain batch; a failure here is a wrong formula or a broken mapping."),
    "batch": ("normaliser", "A batch whose images have 0, 0, and different numbers of positives: it tells normalisers apart."),
    "no_object": ("edge", "No image has an object: every prior is background, and nothing may be NaN."),
    "ignored": ("edge", "Some priors take no part in the objectness."),
    "claimed_twice": ("edge", "Two truths claim one prior."),
    "nearly_ignored": ("edge", "Some predictions overlap a truth by 0.5 to 0.6: they are background, and a threshold of 0.5 ignores them."),
    "extra_matches": ("edge", "A truth has more priors than its best one."),
    "far": ("edge", "The predicted box of a match misses its truth so far that its CIoU is negative."),
}
CONFIG = {
    "classes": "how many", "grids": "of each head: its anchors' shapes (width, height) in pixels, stride in pixels, rows and columns",
}  # fmt: skip
OUTPUT = Output(("images", "anchors", "5 + classes", "rows", "columns"), "t_x, t_y, t_w, t_h, objectness, classes; all before any sigmoid")
FIRST = {"shapes": [[14.0, 40.0], [44.0, 14.0]], "stride": 32, "height": 3, "width": 3}
SECOND = {"shapes": [[64.0, 60.0]], "stride": 48, "height": 2, "width": 2}
SIDE = 96.0


def terms_of(heads: int) -> dict[str, Term]:
    names = tuple(f"output_{k}" for k in range(heads))
    channels = {"box": (0, 1, 2, 3), "objectness": (4,), "classes": tuple(range(5, 5 + CLASSES))}
    return {name: Term(names, 2, at) for name, at in channels.items()}


def grids_of(scene: Scene) -> list[Grid]:
    return [Grid(**{**grid, "shapes": tuple(tuple(shape) for shape in grid["shapes"])}) for grid in scene.config["grids"]]


def rows_of(arrays: Sequence[Any]) -> Any:
    """Heads as (images, priors, channels): by anchor, then row, then column, head after head."""
    each = [np.moveaxis(np.array(head, object), 2, -1) for head in arrays]
    return np.concatenate([head.reshape(len(head), -1, head.shape[-1]) for head in each], axis=1)


class Head:
    """A scene's outputs as parts, its priors, and its ledger."""

    def __init__(self, scene: Scene) -> None:
        self.scene, self.grids = scene, grids_of(scene)
        rows = rows_of(list(scene.outputs.values()))
        self.parts = {"codes": rows[..., :4], "objectness": rows[..., 4], "classes": rows[..., 5:]}
        self.ledger = Ledger(self.parts, ("box", "objectness", "classes"))
        self.mp = {name: numbers(values.astype(float)) for name, values in self.parts.items()}
        self.priors = [
            [float(column), float(row), *map(float, shape), float(grid.stride)]
            for grid in self.grids for shape in grid.shapes for row in range(grid.height) for column in range(grid.width)
        ]  # fmt: skip

    def predicted(self, image: int, scale_xy: Sequence[Any], size: str) -> Any:
        """Boxes of mpmath numbers; scale_xy is of each prior."""
        scales = numbers(scale_xy)
        codes = self.mp["codes"][image]
        return yolo_decode_formula(mp_xp, codes, numbers(self.priors), scale_xy=scales, size=size, border=0)

    def finished(self) -> Ledger:
        """The ledger in the layout of the outputs."""
        for table in (self.ledger.gradient, self.ledger.gradient_scale):
            whole = np.concatenate([table["codes"], table["objectness"][..., None], table["classes"]], axis=2)
            table.clear()
            start = 0
            for name, grid in zip(self.scene.outputs, self.grids, strict=True):
                some = whole[:, start : start + grid.count].reshape(len(whole), len(grid.shapes), grid.height, grid.width, -1)
                table[name] = np.moveaxis(some, -1, 2)
                start += grid.count
        return self.ledger


def exact_boxes(values: Any) -> list[list[Any]]:
    found: list[list[Any]] = exactly(values)
    return found


def cross_entropy(xp: Any, logits: Any, targets: Any) -> Any:
    return binary(xp, logits, targets, alpha=None, label_smoothing=0)


def claimed(pairs: Sequence[tuple[int, int]], labels: Sequence[int], prior: int) -> list[float]:
    """1 for every class whose truth claims the prior."""
    mine = {labels[j] for k, j in pairs if k == prior}
    return [float(c in mine) for c in range(CLASSES)]


def made(slug: str, flags: tuple[str, ...], truths: Sequence[Any], grids: Any, rng: random.Random, more: Mapping[str, Any]) -> Scene:
    """A scene with drawn outputs. truths: of each image pairs of a box and a label."""
    spread = (1.5, 1.5, 0.4, 0.4, 2.5) + (2.0,) * CLASSES
    outputs = {}
    for k, grid in enumerate(grids):
        outputs[f"output_{k}"] = [
            [
                [[[snapped(rng.uniform(-s, s)) for _ in range(grid["width"])] for _ in range(grid["height"])] for s in spread]
                for _ in grid["shapes"]
            ]
            for _ in truths
        ]
    targets = [{"gt_boxes": [list(b) for b, _ in image], "gt_labels": [label for _, label in image]} for image in truths]
    return Scene(slug, flags, {"classes": CLASSES, "grids": grids, **more}, outputs, targets)


def box(rng: random.Random, shapes: Sequence[Sequence[float]]) -> list[float]:
    """Nearly of one of the shapes, anywhere inside the image."""
    w, h = (min(side * rng.uniform(0.8, 1.25), SIDE - 1) for side in rng.choice(list(shapes)))
    x, y = rng.uniform(0, SIDE - w), rng.uniform(0, SIDE - h)
    return [snapped(v) for v in (x, y, x + w, y + h)]


def draw(
    name: str, slug: str, flags: tuple[str, ...], counts: Sequence[int], grids: Any, more: Mapping[str, Any],
    answers: Callable[[Decisions, Scene, Mapping[str, Any]], list[Any]], settings: Sequence[Mapping[str, Any]],
    accept: Callable[[list[Any]], bool],
) -> Scene:  # fmt: skip
    """The first drawn scene with so many truths in each image whose decisions are clear, and whose answers are accepted.

    answers: of each image (gt_index, pairs), in a setting.
    """
    shapes = [shape for grid in grids for shape in grid["shapes"]]
    for turn in range(5000):
        rng = random.Random(f"{name} {slug} {turn}")
        truths = [[(box(rng, shapes), rng.randrange(CLASSES)) for _ in range(n)] for n in counts]
        scene = made(slug, flags, truths, grids, rng, more)
        good = True
        for setting in settings:
            d = Decisions()
            found = answers(d, scene, setting)
            if d.margin < SMALLEST_MARGIN or not accept(found):
                good = False
                break
        if good:
            return scene
    raise ValueError(f"{name}/{slug}: no scene is accepted")


def positives(answers: Sequence[Any]) -> list[int]:
    return [sum(j >= 0 for j in gt_index) for gt_index, _ in answers]

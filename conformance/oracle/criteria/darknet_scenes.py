"""Scenes of darknet's YOLOv4 and Scaled-YOLOv4: an image that is no square, anchors that miss each other easily, and overlapping ones."""

import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from unittest.mock import patch

from mpmath import mp

from ..decisions import Decisions
from ..mp import mp_xp
from . import darknet, yolo
from .darknet_evaluating import Image, Layer, evaluate
from .flat import snapped
from .record import SMALLEST_MARGIN, Ledger, Scene

GRIDS = [
    {"shapes": [[40.0, 48.0], [24.0, 20.0]], "stride": 64, "height": 1, "width": 2},
    {"shapes": [[16.0, 14.0]], "stride": 32, "height": 2, "width": 4},
]  # fmt: skip
WIDTH, HEIGHT = 128.0, 64.0
NOTES = {
    **yolo.NOTES,
    "ignored": ("edge", "Some priors take no part in the objectness, or learn their IoU."),
    "border": ("edge", "Truths that end at the image's border, and one of a 64th of a pixel."),
}
Accept = Callable[[list["Seen"]], bool]


class Seen:
    """What one image's answer was: what scenes are chosen by."""

    def __init__(self, image: Image, pairs: Sequence[tuple[int, int]], ignored: Sequence[int]) -> None:
        self.image, self.pairs, self.ignored = image, pairs, ignored

    def positives(self) -> int:
        return len({k for k, _ in self.pairs})

    def twice(self) -> bool:
        """Two truths of different classes claim one prior."""
        return any(sum(yolo.claimed(self.pairs, self.image.truth["gt_labels"], k)) > 1 for k, _ in self.pairs)

    def unsure(self) -> bool:
        """Some class is less likely than it must be where a prediction meets a truth, and none is likelier."""
        with patch("oracle.criteria.darknet_evaluating.SURE", 0.0):
            return any(self.image.index[k] < 0 for k in self.image.near().keys() - set(self.ignored))

    def apart(self) -> bool:
        """A match overlaps its truth on neither axis, and another on one axis only."""
        return {0, 1} <= {self.axes(k, j) for k, j in self.pairs}

    def axes(self, k: int, j: int) -> int:
        """On how many axes a prediction and a truth meet."""
        constants = self.image.constants([(k, j)])
        ours = [side[0] for side in darknet.sides(darknet.predicted(mp_xp, self.image.codes[[k]], constants, self.image.layer.new))]
        theirs = [side[0] for side in darknet.sides(darknet.true(constants))]
        return sum(min(ours[a + 2], theirs[a + 2]) > max(ours[a], theirs[a]) for a in (0, 1))


def box(rng: random.Random) -> list[float]:
    """Nearly of one of the shapes, anywhere inside the image."""
    w, h = (side * rng.uniform(0.8, 1.25) for side in rng.choice([shape for grid in GRIDS for shape in grid["shapes"]]))  # type: ignore
    x, y = rng.uniform(0, WIDTH - w), rng.uniform(0, HEIGHT - h)
    return [snapped(v) for v in (x, y, x + w, y + h)]


def border(rng: random.Random) -> list[list[float]]:
    """At two corners, and of a 64th of a pixel."""
    w, h, x, y = (snapped(rng.uniform(8, 18)) for _ in range(4))
    return [[0.0, 0.0, w, h], [WIDTH - h, HEIGHT - w, WIDTH, HEIGHT], [40 + x, 24 + y, 40 + x + 1 / 64, 24 + y + 1 / 64]]


def made(slug: str, flags: tuple[str, ...], boxes: Sequence[Any], rng: random.Random, more: Mapping[str, Any], new: bool) -> Scene:
    truths = [[(one, rng.randrange(yolo.CLASSES)) for one in image] for image in boxes]
    scene = yolo.made(slug, flags, truths, GRIDS, rng, more)
    if new:  # every output has been through a sigmoid

        def drawn(values: Any) -> Any:
            return [drawn(one) for one in values] if isinstance(values, list) else snapped(rng.uniform(0.03, 0.97))

        scene = Scene(slug, flags, scene.config, {name: drawn(values) for name, values in scene.outputs.items()}, scene.targets)
    return scene


def draw(
    name: str, slug: str, flag: str, counts: Sequence[int], more: Mapping[str, Any], settings: Mapping[str, Mapping[str, Any]],
    layer: Callable[[Scene, Mapping[str, Any]], Layer], accept: Accept,
) -> Scene:  # fmt: skip
    """The first drawn scene whose decisions are clear, and whose answers are accepted, in all of the settings."""
    for turn in range(5000):
        rng = random.Random(f"{name} {slug} {turn}")
        boxes = [border(rng) if flag == "border" else [box(rng) for _ in range(n)] for n in counts]
        scene = made(slug, (flag,), boxes, rng, more, new=name == "scaled_yolov4")
        scene = Scene(slug, (flag,), scene.config, scene.outputs, scene.targets, tuple(settings))
        if all(good(scene, p, layer(scene, p), accept) for p in settings.values()):
            return scene
    raise ValueError(f"{name}/{slug}: no scene is accepted")


def good(scene: Scene, p: Mapping[str, Any], layer: Layer, accept: Accept) -> bool:
    d = Decisions()
    with mp.workdps(30), patch.object(Ledger, "scales_wanted", False):
        _, shown = evaluate(d, scene, p, layer)
        if d.margin < SMALLEST_MARGIN:
            return False
        head = yolo.Head(scene)
        return accept([
            Seen(Image(Decisions(), head, i, (index_of(head, pairs), pairs), p, layer), pairs, ignored)
            for i, (pairs, ignored) in enumerate(shown)
        ])  # fmt: skip


def index_of(head: yolo.Head, pairs: Sequence[tuple[int, int]]) -> list[int]:
    found = [-1] * len(head.priors)
    for k, j in pairs:
        found[k] = j
    return found


def scenes(
    name: str, more: Mapping[str, Any], settings: Mapping[str, Mapping[str, Any]], layer: Callable[..., Layer], ignoring: Sequence[str],
) -> list[Scene]:  # fmt: skip
    """settings: complete parameters by name, the plain one first; ignoring: those that ignore predictions easily."""
    plain, loosely = dict(list(settings.items())[:1]), {one: settings[one] for one in ignoring}
    boxes = {one: p for one, p in settings.items() if p["box_loss"] in ("iou", "giou", "ciou")}
    squares = {one: p for one, p in settings.items() if p["box_loss"] == "squares"}

    def drawn(slug: str, flag: str, counts: Sequence[int], which: Mapping[str, Any], accept: Accept) -> Scene:
        return draw(name, f"darknet_{slug}", flag, counts, more, which, layer, accept)

    return [
        drawn("batch", "batch", (0, 0, 1, 2), settings, lambda seen: len({one.positives() for one in seen}) == 3),
        drawn("no_object", "no_object", (0,), plain, lambda _: True),
        drawn("claimed_twice", "claimed_twice", (2,), {**plain, **loosely}, lambda seen: seen[0].twice()),
        drawn("ignored", "ignored", (3,), loosely, lambda seen: bool(seen[0].ignored) and seen[0].unsure()),
        drawn("far", "far", (2,), boxes, lambda seen: seen[0].apart()),
        drawn("border", "border", (1,), {**plain, **squares}, lambda seen: seen[0].positives() > 2),
    ]

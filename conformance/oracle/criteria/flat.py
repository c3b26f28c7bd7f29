"""What the scenes of SSD, RetinaNet and FCOS share: priors, drawn outputs and truths, all on a lattice of 1/64, and notes."""

import itertools
import random
from collections.abc import Callable, Sequence
from typing import Any

from ..decisions import Decisions
from .record import SMALLEST_MARGIN, Scene

CLASSES = 3
Truths = Sequence[Sequence[tuple[Sequence[float], int]]]  # of each image pairs of a box and a label
NOTES = {
    "basic": ("basic", "A plain batch; a failure here is a wrong formula or a broken mapping."),
    "batch": ("normaliser", "A batch with 0, 0, 3 and 5 positives: it tells nearly all normalisers apart."),
    "no_object": ("edge", "No image has an object: every prior is background, and nothing may be NaN."),
    "ignored": ("edge", "Some priors take no part in the loss."),
    "unmet": ("edge", "A truth that meets no prior, or lies around no location."),
    "shared": ("edge", "Two truths have one best prior."),
    "overlapping": ("edge", "Locations that lie in two truths."),
    "weak": ("edge", "A truth whose best prior overlaps it too little for the threshold."),
    "exact": ("edge", "A truth is its prior: all targets are 0."),
    "exhausted": ("edge", "There are fewer negatives than the ratio asks for."),
    "negative_codes": ("edge", "Codes below 0, which a ReLU at the head's end would hold."),
}


def snapped(x: float) -> float:
    return round(x * 64) / 64


def squares(side: float, centres: Sequence[tuple[float, float]], shapes: Sequence[tuple[float, float]]) -> list[list[float]]:
    """Boxes of some shapes (multiples of `side`) around each centre."""
    made = []
    for x, y in centres:
        for w, h in shapes:
            half_w, half_h = snapped(side * w / 2), snapped(side * h / 2)
            made.append([x - half_w, y - half_h, x + half_w, y + half_h])
    return made


def logits(rng: random.Random, images: int, rows: int, columns: int, spread: float = 2.5) -> list[list[list[float]]]:
    return [[[snapped(rng.uniform(-spread, spread)) for _ in range(columns)] for _ in range(rows)] for _ in range(images)]


def near(rng: random.Random, box: Sequence[float], size: float, largest: float) -> list[float]:
    """A box moved a little, inside a square image."""
    return [min(max(snapped(x + rng.uniform(-size, size)), 0.0), largest) for x in box]


def clear(
    evaluate: Callable[..., Any], scene: Scene, settings: Sequence[dict[str, Any]], wanted: Callable[[list[list[int]]], bool]
) -> bool:
    """Whether all decisions are clear in all settings, and the positives of each image are as wanted."""
    counts = []
    for setting in settings:
        d = Decisions()
        counts.append(evaluate(d, scene, setting))
        if d.margin < SMALLEST_MARGIN:
            return False
    return wanted(counts)


def draw_batch(make: Callable[[random.Random], Scene], accept: Callable[[Scene], bool], seed: str, turns: int = 400) -> Scene:
    """The first drawn scene that is accepted."""
    for turn in itertools.count():
        scene = make(random.Random(f"{seed} {turn}"))
        if accept(scene):
            return scene
        if turn == turns:
            break
    raise ValueError(f"no scene of {seed} is accepted")


def moved(box: Sequence[float], by: float) -> list[float]:
    """To the right, and a little down."""
    return [box[0] + by, box[1] + by / 8, box[2] + by, box[3] + by / 8]


def targets_of(truths: Truths) -> list[dict[str, Any]]:
    return [{"gt_boxes": [list(b) for b, _ in image], "gt_labels": [label for _, label in image]} for image in truths]


def of_priors(
    seed: str, slug: str, flags: tuple[str, ...], truths: Truths, priors: Sequence[Sequence[float]], columns: int, size: Sequence[int]
) -> Scene:
    """A scene of SSD or RetinaNet with drawn outputs."""
    rng = random.Random(seed)
    outputs = {
        "classes": logits(rng, len(truths), len(priors), columns), "codes": logits(rng, len(truths), len(priors), 4, 1.75),
    }  # fmt: skip
    return Scene(slug, flags, {"classes": CLASSES, "priors": priors, "image_size": list(size)}, outputs, targets_of(truths))


def near_priors(
    made: Callable[..., Scene], counts: Callable[..., Any], settings: Sequence[dict[str, Any]], priors: Sequence[Sequence[float]],
    name: str, slug: str, flags: tuple[str, ...], around: Sequence[Sequence[int]], wanted: Sequence[int],
) -> Scene:  # fmt: skip
    """Truths near some priors, such that in every setting each image has as many positives as wanted."""

    def make(rng: random.Random) -> Scene:
        return made(slug, flags, [[(near(rng, priors[k], 1.75, 64.0), rng.randrange(CLASSES)) for k in image] for image in around])

    return draw_batch(make, lambda s: clear(counts, s, settings, lambda found: all(c == list(wanted) for c in found)), f"{name} {slug}")

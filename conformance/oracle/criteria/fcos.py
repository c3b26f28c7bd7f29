"""FCOS: focal loss of all locations, box and centerness losses of the positive ones (Tian et al. 2019, section 3, and 2020)."""

import math
import random
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from mpmath import mp

from refloss.coders.ltrb import ltrb_decode_formula
from refloss.losses.cross_entropy import formula as cross_entropy
from refloss.losses.focal import labels_formula as focal
from refloss.losses.iou import giou_formula, iou_formula

from ..decisions import Decisions
from ..mp import numbers
from ..references.fcos import fcos as match
from .flat import CLASSES, NOTES, Truths, clear, draw_batch, logits, snapped, targets_of
from .record import Ledger, Oracle, Output, Scene, Term, divisors, exactly, renumbered, with_area

DEFAULTS: dict[str, Any] = {
    "dialect": "paper", "alpha": 0.25, "gamma": 2.0, "radius": None, "normalize": None, "activation": None, "box_loss": None, "eps": None,
    "box_weight": 1.0, "weigh_by_centerness": None, "normalizer": "batch",
}  # fmt: skip
# An argument that is None is the dialect's.
DIALECTS: dict[str, dict[str, Any]] = {
    "paper": {
        "matching": "paper", "radius": 1.5, "normalize": True, "activation": "exp", "box_loss": "giou", "eps": 0.0,
        "weigh_by_centerness": False,
    },
    "torchvision": {
        "matching": "torchvision", "radius": 1.5, "normalize": True, "activation": "linear", "box_loss": "giou", "eps": 1e-7,
        "weigh_by_centerness": False,
    },
    "mmdet": {
        "matching": "mmdet", "radius": None, "normalize": False, "activation": "exp", "box_loss": "log_iou", "eps": 0.0,
        "weigh_by_centerness": True,
    },
    "detectron2": {
        "matching": "torchvision", "radius": 1.5, "normalize": True, "activation": "relu", "box_loss": "giou", "eps": 1e-7,
        "weigh_by_centerness": False,
    },
}  # fmt: skip
SETTINGS: dict[str, dict[str, Any]] = {
    **{name: {"dialect": name} for name in DIALECTS},
    "first_version": {"dialect": "paper", "radius": math.inf, "normalize": False, "box_loss": "log_iou"},
}
LEAST_CENTERNESS = 1e-6


def box_loss(xp: Any, codes: Any, constants: Any, *, loss: str, eps: Any, normalize: bool, activation: str) -> Any:
    """Of a row: its four codes; constants are the location, then the truth's corners."""
    places, boxes = constants[..., :3], constants[..., 3:]
    codes = xp.maximum(codes, 0) if activation == "relu" else codes
    ours = ltrb_decode_formula(xp, codes, places, normalize=normalize, activation="exp" if activation == "exp" else "linear")
    if loss == "giou":
        return giou_formula(xp, ours, boxes, box_format="xyxy", eps=eps)
    return iou_formula(xp, ours, boxes, kind="log" if loss == "log_iou" else "linear", box_format="xyxy", eps=eps)


def matched(d: Decisions, scene: Scene, truth: Mapping[str, Any], p: Mapping[str, Any]) -> list[int]:
    kept = with_area(truth)
    boxes = exactly([truth["gt_boxes"][j] for j in kept])
    radius = None if p["radius"] in (None, math.inf) else p["radius"]
    found, _ = match(
        d, exactly(scene.config["priors"]), boxes, size_ranges=scene.config["size_ranges"], radius=radius, dialect=p["matching"]
    )
    return renumbered(found, kept)


def centerness(place: Sequence[float], box: Sequence[float]) -> Any:
    """sqrt(min(l, r) / max(l, r) min(t, b) / max(t, b)), of exact numbers."""
    (x, y, _), (x1, y1, x2, y2) = map(mp.mpf, place), map(mp.mpf, box)
    across, down = (x - x1, x2 - x), (y - y1, y2 - y)
    return mp.sqrt(min(across) / max(across) * min(down) / max(down))


def evaluate(d: Decisions, scene: Scene, given: Mapping[str, Any]) -> Ledger:
    chosen = DIALECTS[given.get("dialect", "paper")]
    p = {**DEFAULTS, **chosen, **{name: value for name, value in given.items() if value is not None}}
    ledger = Ledger(scene.outputs, ("box", "classes", "centerness"))
    places = scene.config["priors"]
    answers = [matched(d, scene, truth, p) for truth in scene.targets]
    ledger.positives = [sum(j >= 0 for j in answer) for answer in answers]
    centres = [
        {row: centerness(places[row], truth["gt_boxes"][j]) for row, j in enumerate(answer) if j >= 0}
        for truth, answer in zip(scene.targets, answers, strict=True)
    ]
    shares = divisors(p["normalizer"], ledger.positives)
    of_boxes = divisors(p["normalizer"], [sum(c.values()) for c in centres], LEAST_CENTERNESS) if p["weigh_by_centerness"] else shares
    logit, codes, middle = (numbers(scene.outputs[part]) for part in ("classes", "codes", "centerness"))
    for i, (truth, answer, centre) in enumerate(zip(scene.targets, answers, centres, strict=True)):
        labels = np.array([truth["gt_labels"][j] if j >= 0 else j for j in answer], np.int64)
        share, rows, positive = 1 / mp.mpf(shares[i]), range(len(answer)), list(centre)
        ledger.add(
            "classes", focal, "labels", ("classes", i, rows), logit[i], labels, [share] * len(rows), alpha=p["alpha"], gamma=p["gamma"]
        )
        targets = np.array([centre[row] for row in positive], object)
        ledger.add(
            "centerness", cross_entropy, "elementwise", ("centerness", i, positive), middle[i][positive], targets,
            [share] * len(positive), alpha=None, label_smoothing=0,
        )  # fmt: skip
        constants = numbers([[*places[row], *truth["gt_boxes"][answer[row]]] for row in positive])
        times = [mp.mpf(p["box_weight"]) / of_boxes[i] * (centre[row] if p["weigh_by_centerness"] else 1) for row in positive]
        ledger.add(
            "box", box_loss, "rows", ("codes", i, positive), codes[i][positive], constants, times,
            loss=p["box_loss"], eps=p["eps"], normalize=p["normalize"], activation=p["activation"],
        )  # fmt: skip
    return ledger


CONFIG = {
    "classes": "how many; there is no background among them", "priors": "(n, 3) locations x, y, stride in pixels, finest scale first",
    "image_size": "height and width in pixels",
    "size_ranges": "for each scale, which largest distances to a side are its own, in pixels",
}  # fmt: skip
OUTPUTS = {
    "classes": Output(("images", "priors", "classes"), "logits"),
    "codes": Output(("images", "priors", 4), "distances to the left, top, right and bottom; a setting says in which unit, and of what"),
    "centerness": Output(("images", "priors"), "logits"),
}
# Ranges as torchvision has them for strides 16 and 32: from 4 to 8 strides, the first scale's from 0, the last's without an end.
RANGES = [[0.0, 128.0], [128.0, math.inf]]
PRIORS = [[x, y, 16.0] for y in (72.0, 88.0, 104.0) for x in (56.0, 72.0, 88.0, 104.0)] + [
    [x, y, 32.0] for y in (80.0, 112.0) for x in (80.0, 112.0)
]


def made(
    slug: str, flags: tuple[str, ...], truths: Truths, priors: Any = PRIORS, lowest: float = 0.25,
    settings: tuple[str, ...] | None = None, highest: float = 3.5,
) -> Scene:  # fmt: skip
    """A scene with drawn outputs; codes as a ReLU gives them. truths: of each image pairs of a box and a label."""
    rng = random.Random(f"fcos {slug}")
    outputs = {
        "classes": logits(rng, len(truths), len(priors), CLASSES),
        "codes": [[[snapped(rng.uniform(lowest, highest)) or 0.25 for _ in range(4)] for _ in priors] for _ in truths],
        "centerness": [[snapped(rng.uniform(-2, 2)) for _ in priors] for _ in truths],
    }
    config = {"classes": CLASSES, "priors": priors, "image_size": [224, 224], "size_ranges": RANGES}
    return Scene(slug, flags, config, outputs, targets_of(truths), settings)


def counts(d: Decisions, scene: Scene, given: Mapping[str, Any]) -> list[int]:
    """Positives of each image."""
    p = {**DEFAULTS, **DIALECTS[given["dialect"]], **given}
    return [sum(j >= 0 for j in matched(d, scene, truth, p)) for truth in scene.targets]


def lattice(rng: random.Random, low: float, high: float) -> float:
    """An odd number of 1/64: no edge of a box predicted in quarters of pixels is there."""
    return snapped(rng.uniform(low, high) // 0.03125 * 0.03125) + 1 / 64


def box(rng: random.Random, smallest: float, largest: float) -> list[float]:
    """Around a point among the locations."""
    (x, y), (w, h) = (lattice(rng, 60, 116) for _ in range(2)), (rng.uniform(smallest, largest) for _ in range(2))
    sides = [max(x - w / 2, 0.0), max(y - h / 2, 0.0), min(x + w / 2, 223.9), min(y + h / 2, 223.9)]
    return [snapped(side // 0.03125 * 0.03125) + 1 / 64 for side in sides]


def drawn(slug: str, flags: tuple[str, ...], wanted: Sequence[int], sizes: Sequence[tuple[float, float]]) -> Scene:
    """Truths of which, but for the settings without centre sampling, each image has as many positives as wanted."""

    def make(rng: random.Random) -> Scene:
        return made(slug, flags, [[(box(rng, *size), rng.randrange(CLASSES)) for size in sizes] if n else [] for n in wanted])

    settings = [SETTINGS[name] for name in ("paper", "torchvision", "detectron2", "mmdet", "first_version")]
    return draw_batch(
        make, lambda s: clear(counts, s, settings, lambda found: all(c == list(wanted) for c in found[:3])), f"fcos {slug}", 20000
    )


SMALL, LARGE = [60.015625, 66.046875, 84.234375, 98.078125], [8.015625, 6.046875, 209.234375, 190.078125]
NOWHERE, OTHER = [60.015625, 76.046875, 66.234375, 79.078125], [64.015625, 66.046875, 82.234375, 99.078125]
AROUND = [40.015625, 60.046875, 110.234375, 117.078125]


def scenes() -> list[Scene]:
    some = PRIORS[:8] + PRIORS[12:14]
    return [
        drawn("batch_0_0_3_5", ("batch",), (0, 0, 3, 5), ((12, 40), (12, 40), (150, 200))),
        made("one_image", ("basic",), (((SMALL, 1), (LARGE, 2)),), some),
        made("no_object", ("no_object",), ((), ()), some[4:]),
        made("unmet", ("unmet",), (((NOWHERE, 2), (OTHER, 0)),), some),
        made("overlapping", ("overlapping",), (((AROUND, 0), (SMALL, 1)),), some),
        made("negative_codes", ("negative_codes",), (((SMALL, 1),),), some, -1.5, ("detectron2", "mmdet"), 2.5),
    ]


TERMS = {"box": Term(("codes",)), "classes": Term(("classes",)), "centerness": Term(("centerness",))}
ORACLE = Oracle("criteria.fcos", TERMS, OUTPUTS, CONFIG, DEFAULTS, SETTINGS, NOTES, scenes, evaluate)

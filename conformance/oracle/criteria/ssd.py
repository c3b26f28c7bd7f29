"""SSD: softmax cross entropy of positives and of the hardest negatives, and smooth L1 of the positives' codes (Liu et al. 2016, 2.2)."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
from mpmath import mp

from refloss.coders.delta import delta_encode_formula
from refloss.losses.regression import smooth_l1_formula
from refloss.losses.softmax import formula as cross_entropy

from ..decisions import Decisions
from ..mp import mp_xp, numbers
from ..references.mining import hard_negatives
from ..references.ssd import ssd as match
from .flat import CLASSES, NOTES, Truths, moved, near_priors, of_priors, squares
from .record import Ledger, Oracle, Output, Scene, Term, divisors, exactly, renumbered, with_area

DEFAULTS: dict[str, Any] = {
    "dialect": "paper", "alpha": 1.0, "beta": 1.0, "threshold": 0.5, "ratio": 3.0, "min_negatives": 0,
    "weights": (10.0, 10.0, 5.0, 5.0), "background": None, "normalizer": None,
}  # fmt: skip
# An argument that is None is the dialect's.
DIALECTS: dict[str, dict[str, Any]] = {
    "paper": {"matching": "paper", "mining": "paper", "background": 0, "normalizer": "batch"},
    "torchvision": {"matching": "torchvision", "mining": "torchvision", "background": 0, "normalizer": "batch"},
    "mmdet": {"matching": "torchvision", "mining": "paper", "background": -1, "normalizer": "each image at least one"},
}
SETTINGS: dict[str, dict[str, Any]] = {
    **{name: {"dialect": name} for name in DIALECTS},
    "min_negatives": {"dialect": "paper", "min_negatives": 4, "alpha": 0.5},
}


def box_loss(xp: Any, codes: Any, constants: Any, *, beta: Any, weights: Any) -> Any:
    """Of a row: its four codes; constants are the prior's corners, then the truth's."""
    targets = delta_encode_formula(xp, constants[..., 4:], constants[..., :4], weights=weights, wh_clip=None, box_format="xyxy")
    return xp.sum(smooth_l1_formula(xp, codes, targets, beta=beta))


def matched(d: Decisions, scene: Scene, truth: Mapping[str, Any], p: Mapping[str, Any]) -> list[int]:
    kept = with_area(truth)
    boxes = exactly([truth["gt_boxes"][j] for j in kept])
    found, _ = match(d, exactly(scene.config["priors"]), boxes, threshold=p["threshold"], dialect=p["matching"])
    return renumbered(found, kept)


def mined(d: Decisions, losses: Sequence[Any], answer: Sequence[int], p: Mapping[str, Any]) -> list[bool]:
    """The negatives that count. Where all priors are taken, the order in which they are decides nothing."""
    own = Decisions()
    found = hard_negatives(own, losses, answer, ratio=p["ratio"], min_negatives=p["min_negatives"], dialect=p["mining"])
    able = len(losses) if p["mining"] == "torchvision" else sum(j < 0 for j in answer)
    if sum(found) < able:
        d.margin = min(d.margin, own.margin)
    return found


def evaluate(d: Decisions, scene: Scene, given: Mapping[str, Any]) -> Ledger:
    p = {**DEFAULTS, **DIALECTS[given.get("dialect", "paper")], **{name: value for name, value in given.items() if value is not None}}
    background = p["background"] % (scene.config["classes"] + 1)
    columns = [k for k in range(scene.config["classes"] + 1) if k != background]
    ledger = Ledger(scene.outputs, ("box", "classes"))
    answers = [matched(d, scene, truth, p) for truth in scene.targets]
    ledger.positives = [sum(j >= 0 for j in answer) for answer in answers]
    logit, codes = (numbers(scene.outputs[part]) for part in ("classes", "codes"))
    for i, (truth, answer, n) in enumerate(zip(scene.targets, answers, divisors(p["normalizer"], ledger.positives), strict=True)):
        share, positive = 1 / mp.mpf(n), [row for row, j in enumerate(answer) if j >= 0]
        labels = np.array([columns[truth["gt_labels"][j]] if j >= 0 else background for j in answer], np.int64)
        losses = list(cross_entropy(mp_xp, logit[i], labels))
        counted = mined(d, losses, answer, p)
        times = [(row in positive) + counted[row] for row in range(len(answer))]
        rows = [row for row in range(len(answer)) if times[row]]
        ledger.add(
            "classes", cross_entropy, "rows", ("classes", i, rows), logit[i][rows], labels[rows], [times[row] * share for row in rows]
        )
        constants = numbers([[*scene.config["priors"][row], *truth["gt_boxes"][answer[row]]] for row in positive])
        ledger.add(
            "box", box_loss, "rows", ("codes", i, positive), codes[i][positive], constants, [mp.mpf(p["alpha"]) * share] * len(positive),
            beta=p["beta"], weights=tuple(p["weights"]),
        )  # fmt: skip
    return ledger


CONFIG = {
    "classes": "how many, without the background", "priors": "(n, 4) boxes x1, y1, x2, y2 in pixels, in the order of the outputs",
    "image_size": "height and width in pixels",
}  # fmt: skip
OUTPUTS = {
    "classes": Output(("images", "priors", "classes + 1"), "logits, the background's among them: its column is a parameter"),
    "codes": Output(
        ("images", "priors", 4), "offsets of the centre and logarithms of the sizes, relative to the prior's, times the weights"
    ),
}
CENTRES = tuple((x, y) for y in (16.0, 48.0) for x in (12.0, 36.0, 60.0, 84.0))
PRIORS = squares(14.0, CENTRES, ((1.0, 1.0), (2.125, 0.75), (0.75, 2.125)))


def made(slug: str, flags: tuple[str, ...], truths: Truths, priors: Any = PRIORS) -> Scene:
    """A scene with drawn outputs."""
    return of_priors(f"ssd {slug}", slug, flags, truths, priors, CLASSES + 1, (64, 96))


def counts(d: Decisions, scene: Scene, given: Mapping[str, Any]) -> list[int]:
    """Positives of each image."""
    p = {**DEFAULTS, **DIALECTS[given["dialect"]], **given}
    return [sum(j >= 0 for j in matched(d, scene, truth, p)) for truth in scene.targets]


drawn = partial(near_priors, made, counts, list(SETTINGS.values()), PRIORS, "ssd")


def scenes() -> list[Scene]:
    first = [PRIORS[0], PRIORS[3], PRIORS[12]]
    few, more = PRIORS[:12], [moved(PRIORS[0], 3.0), moved(PRIORS[0], 4.5)]
    return [
        drawn("batch_0_0_3_5", ("batch",), ((), (), (0, 4, 14), (1, 3, 5, 13, 17)), (0, 0, 3, 5)),
        # Two more priors overlap the first truth at 0.67 and 0.53.
        made("one_image", ("basic",), (((moved(first[0], 0.5), 0), (moved(first[1], 2.5), 2)),), [*PRIORS[:16], *more]),
        made("no_object", ("no_object",), ((), ()), few[:6]),
        made("unmet", ("unmet",), ((((46.015625, 1.0, 49.5, 5.25), 2), (moved(first[1], 1.25), 0)),), few[:9]),
        made("weak", ("weak",), (((moved(first[0], 7.5), 1), ((32.25, 11.5, 37.75, 17.25), 0)),), few),
        made("shared", ("shared",), (((moved(first[0], 1.25), 0), (moved(first[0], -2.0), 2)),), few),
        made("exhausted", ("exhausted",), (((moved(few[0], 1.25), 1), (moved(few[3], 0.75), 2)),), few[:5]),
    ]


TERMS = {"box": Term(("codes",)), "classes": Term(("classes",))}
ORACLE = Oracle("criteria.ssd", TERMS, OUTPUTS, CONFIG, DEFAULTS, SETTINGS, NOTES, scenes, evaluate)

"""RetinaNet: focal loss of all priors that are not ignored, and a box loss of the positive ones (Lin et al. 2017, sections 3 and 4)."""

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np

from refloss.coders.delta import delta_decode_formula, delta_encode_formula
from refloss.losses.focal import labels_formula as focal
from refloss.losses.iou import giou_formula, iou_formula
from refloss.losses.regression import huber_formula, l1_formula, smooth_l1_formula

from ..decisions import Decisions
from ..mp import numbers
from ..references.max_iou import iou, max_iou
from .flat import CLASSES, NOTES, Truths, moved, near_priors, of_priors, squares
from .record import Ledger, Oracle, Output, Scene, Term, divisors, exactly, renumbered, with_area

DEFAULTS: dict[str, Any] = {
    "dialect": "paper", "alpha": 0.25, "gamma": None, "positive_threshold": 0.5, "negative_threshold": None, "low_quality_matches": None,
    "box_loss": None, "beta": None, "eps": 1e-7, "box_weight": None, "weights": (1.0, 1.0, 1.0, 1.0), "normalizer": None,
}  # fmt: skip
# An argument that is None is the dialect's.
DIALECTS: dict[str, dict[str, Any]] = {
    "paper": {
        "gamma": 2.0, "negative_threshold": 0.4, "low_quality_matches": False, "box_loss": "smooth_l1", "beta": 1.0, "box_weight": 1.0,
        "normalizer": "batch",
    },
    "torchvision": {
        "gamma": 2.0, "negative_threshold": 0.4, "low_quality_matches": True, "box_loss": "l1", "beta": 1.0, "box_weight": 1.0,
        "normalizer": "image",
    },
    "mmdet": {
        "gamma": 2.0, "negative_threshold": 0.4, "low_quality_matches": True, "box_loss": "l1", "beta": 1.0, "box_weight": 1.0,
        "normalizer": "each image at least one",
    },
    "detectron2": {
        "gamma": 2.0, "negative_threshold": 0.4, "low_quality_matches": True, "box_loss": "smooth_l1", "beta": 0.1, "box_weight": 1.0,
        "normalizer": "batch",
    },
    "automl": {
        "gamma": 1.5, "negative_threshold": 0.5, "low_quality_matches": True, "box_loss": "huber", "beta": 0.1, "box_weight": 12.5,
        "normalizer": "one more",
    },
}  # fmt: skip
SETTINGS: dict[str, dict[str, Any]] = {
    **{name: {"dialect": name} for name in DIALECTS},
    "giou_by_image": {"dialect": "paper", "box_loss": "giou", "normalizer": "image"},
}


def box_loss(xp: Any, codes: Any, constants: Any, *, loss: str, beta: Any, eps: Any, weights: Any, zeros_count: bool) -> Any:
    """Of a row: its four codes; constants are the prior's corners, then the truth's."""
    priors, boxes = constants[..., :4], constants[..., 4:]
    coder = {"weights": weights, "wh_clip": None, "box_format": "xyxy"}
    if loss in ("giou", "iou", "log_iou"):
        ours = delta_decode_formula(xp, codes, priors, **coder)
        if loss == "giou":
            return giou_formula(xp, ours, boxes, box_format="xyxy", eps=eps)
        return iou_formula(xp, ours, boxes, kind="log" if loss == "log_iou" else "linear", box_format="xyxy", eps=eps)
    targets = delta_encode_formula(xp, boxes, priors, **coder)
    if loss == "l1":
        each = l1_formula(xp, codes, targets)
    else:
        each = smooth_l1_formula(xp, codes, targets, beta=beta) if loss == "smooth_l1" else huber_formula(xp, codes, targets, delta=beta)
    return xp.sum(each if zeros_count else xp.where(targets == 0, 0, each))


def automl(d: Decisions, priors: Any, boxes: Any, threshold: Any) -> list[int]:
    """One best prior of each truth (the first truth's, where it is best for several; prior 0 for a truth that meets none), and all
    priors at the threshold."""
    found, _ = max_iou(d, priors, boxes, positive_threshold=threshold, negative_threshold=threshold)
    for t in reversed(range(len(boxes))):
        overlaps = [iou(prior, boxes[t]) for prior in priors]
        found[d.best(range(len(priors)), overlaps.__getitem__) if max(overlaps) > 0 else 0] = t
    return found


def matched(d: Decisions, scene: Scene, truth: Mapping[str, Any], p: Mapping[str, Any]) -> list[int]:
    kept = with_area(truth)
    priors, boxes = exactly(scene.config["priors"]), exactly([truth["gt_boxes"][j] for j in kept])
    if p["dialect"] == "automl" and p["low_quality_matches"]:
        return renumbered(automl(d, priors, boxes, p["positive_threshold"]), kept)
    dialect = p["dialect"] if p["dialect"] in ("paper", "mmdet") else "torchvision"
    found, _ = max_iou(
        d, priors, boxes, positive_threshold=p["positive_threshold"], negative_threshold=p["negative_threshold"],
        low_quality_matches=p["low_quality_matches"], dialect=dialect,
    )  # fmt: skip
    return renumbered(found, kept)


def evaluate(d: Decisions, scene: Scene, given: Mapping[str, Any]) -> Ledger:
    chosen = DIALECTS[given.get("dialect", "paper")]
    p = {**DEFAULTS, **chosen, **{name: value for name, value in given.items() if value is not None}}
    ledger = Ledger(scene.outputs, ("box", "classes"))
    answers = [matched(d, scene, truth, p) for truth in scene.targets]
    ledger.positives = [sum(j >= 0 for j in answer) for answer in answers]
    logits, codes = (numbers(scene.outputs[part]) for part in ("classes", "codes"))
    for i, (truth, answer, n) in enumerate(zip(scene.targets, answers, divisors(p["normalizer"], ledger.positives), strict=True)):
        # Positives have their truth's class, background (-1) none; ignored priors (-2) do not count.
        labels = [truth["gt_labels"][j] if j >= 0 else j for j in answer]
        rows = range(len(answer))
        ledger.add(
            "classes", focal, "labels", ("classes", i, rows), logits[i], np.array(labels, np.int64), [1 / numbers(n)[()]] * len(rows),
            alpha=p["alpha"], gamma=p["gamma"],
        )  # fmt: skip
        positive = [row for row in rows if answer[row] >= 0]
        constants = numbers([[*scene.config["priors"][row], *truth["gt_boxes"][answer[row]]] for row in positive])
        ledger.add(
            "box", box_loss, "rows", ("codes", i, positive), codes[i][positive], constants,
            [p["box_weight"] / numbers(n)[()]] * len(positive),
            loss=p["box_loss"], beta=p["beta"], eps=p["eps"], weights=tuple(p["weights"]), zeros_count=p["dialect"] != "automl",
        )  # fmt: skip
    return ledger


CONFIG = {
    "classes": "how many, without a background", "priors": "(n, 4) boxes x1, y1, x2, y2 in pixels, in the order of the outputs",
    "image_size": "height and width in pixels",
}  # fmt: skip
OUTPUTS = {
    "classes": Output(("images", "priors", "classes"), "logits"),
    "codes": Output(("images", "priors", 4), "offsets of the centre and logarithms of the sizes, relative to the prior's"),
}
CENTRES = ((16.0, 16.0), (48.0, 16.0), (16.0, 48.0), (48.0, 48.0))
PRIORS = squares(14.0, CENTRES, ((1.0, 1.0), (2.125, 0.75), (0.75, 2.125)))


def made(slug: str, flags: tuple[str, ...], truths: Truths, priors: Any = PRIORS) -> Scene:
    """A scene with drawn outputs."""
    return of_priors(f"retinanet {slug} ", slug, flags, truths, priors, CLASSES, (64, 64))


def counts(d: Decisions, scene: Scene, given: Mapping[str, Any]) -> list[int]:
    """Positives of each image."""
    p = {**DEFAULTS, **DIALECTS[given["dialect"]], **given}
    return [sum(j >= 0 for j in matched(d, scene, truth, p)) for truth in scene.targets]


drawn = partial(near_priors, made, counts, list(SETTINGS.values()), PRIORS, "retinanet")


def scenes() -> list[Scene]:
    first = [PRIORS[0], PRIORS[3], PRIORS[6]]
    return [
        drawn("batch_0_0_3_5", ("batch",), ((), (), (0, 4, 8), (1, 3, 5, 7, 9)), (0, 0, 3, 5)),
        drawn("one_image", ("basic",), ((0, 5),), (2,)),
        made("no_object", ("no_object",), ((), ()), PRIORS[:6]),
        made("ignored", ("ignored",), (((moved(first[0], 4.25), 1), (moved(first[1], 4.75), 0), (moved(first[2], 1.5), 2)),)),
        made("unmet", ("unmet",), ((((28.015625, 1.0, 35.5, 5.25), 2), (moved(first[1], 1.25), 0)),), PRIORS[:9]),
        made("weak", ("weak",), (((moved(first[0], 7.5), 1), ((44.25, 11.5, 49.75, 17.25), 0)),)),
        made("shared", ("shared",), (((moved(first[0], 1.25), 0), (moved(first[0], -2.0), 2), (moved(first[2], 2.5), 1)),)),
        made("exact", ("exact",), (((first[0], 1), (moved(first[1], 1.25), 2)),), PRIORS[:6]),
    ]


TERMS = {"box": Term(("codes",)), "classes": Term(("classes",))}
ORACLE = Oracle("criteria.retinanet", TERMS, OUTPUTS, CONFIG, DEFAULTS, SETTINGS, NOTES, scenes, evaluate)

"""Rows of logits with one integer label: few and many classes, equal, dominated and far logits, and the codes that are no class."""

import math
from collections.abc import Sequence

from refloss._engine.check import IGNORE, NEGATIVE

from .inputs import Input, single

CODES = {NEGATIVE: "negative", IGNORE: "ignore"}


def row(name: str, logits: Sequence[float], label: int, *flags: str) -> Input:
    found = list(flags)
    if label in CODES:
        found.append("negative_row" if label == NEGATIVE else "ignored_row")
    gap = max(logits) - logits[label] if label >= 0 else 0.0
    if gap >= 16:
        found.append("saturated_wrong")
    rest = [x for k, x in enumerate(logits) if k != label]
    if label >= 0 and rest and logits[label] - max(rest) >= 16:
        found.append("saturated_right")
    return Input(
        f"{name}-label_{CODES.get(label, label)}", tuple(float(x) for x in logits), label, tuple(dict.fromkeys(found)) or ("basic",)
    )


WIDE = tuple((7 * k % 21) / 4 - 2.5 for k in range(21))
PEAKED = tuple(20.0 if k == 7 else -0.25 * k for k in range(21))


def core(kind: str) -> list[Input]:
    codes = [NEGATIVE, IGNORE] if kind == "labels" else [IGNORE]
    cases = [row("one_class", (1.5,), 0, "one_class"), *(row("one_class", (1.5,), code, "one_class") for code in codes)]
    pairs = {"zeros_2": (0, 0), "apart_2": (1, -1), "far_2": (17, -17), "near_2": (0.25, 0.5)}
    triples = {"ramp": (1, 2, 3), "equal": (2, 2, 2), "two_best": (3, 3, 0), "dominated": (10, 0, -2), "far": (104, 0, -104)}
    cases += [row(name, logits, label) for name, logits in pairs.items() for label in (0, 1)]
    cases += [row(name, logits, label) for name, logits in triples.items() for label in (0, 1, 2)]
    cases += [row(name, logits, code) for code in codes for name, logits in (("apart_2", (1, -1)), ("ramp", (1, 2, 3)), ("wide", WIDE))]
    return cases + [row("wide", WIDE, label, "many_classes") for label in (0, 7, 20)] + [row("peaked", PEAKED, 7, "many_classes")]


def extra(kind: str) -> list[Input]:
    rows = {
        "high": (1000, 1001, 1002), "low": (-1000, -1001, -1002), "overflow": (88, 89, 90), "overflow_64": (709, 710, 711),
        "underflow": (0, -103.5, -745), "tiny_steps": (2.0**-20, 0, -(2.0**-20)), "tenths": (0.1, 0.2, 0.3), "infinite_32": (1e4, -1e4, 0),
        "tenths_32": (single(0.1), single(0.2), single(0.3)), "sure_16": (9.375, -9.375, 0), "even": (-5, -5, -5),
        "irrational": (math.pi, math.e, -math.sqrt(2)), "edge_32": (single(16.6), 0, single(-87.3)),
        "hair": (1, 1 - 2.0**-24, 1 + 2.0**-23),
    }  # fmt: skip
    cases = [row(name, logits, label) for name, logits in rows.items() for label in (0, 1, 2)]
    cases += [row(f"two_{x}", (x, 0), label) for x in (16.5, 37, 40, 88.5, 104, 746) for label in (0, 1)]
    cases += [row("peaked", PEAKED, label, "many_classes") for label in (0, 20)]
    if kind == "labels":
        cases += [row("far", (104, 0, -104), NEGATIVE), row("tenths", (0.1, 0.2, 0.3), NEGATIVE)]
    return [*cases, row("far", (104, 0, -104), IGNORE)]


NOTES = {
    "basic": ("basic", "An ordinary row. A failure here means that another formula, parameter or reduction is computed."),
    "one_class": ("edge", "A single class. Softmax gives it probability 1, so its loss and gradient are 0; sigmoid losses are as usual."),
    "many_classes": ("basic", "21 classes. A failure here alone means that the sum over classes loses digits, or the label is off by one."),
    "negative_row": ("ignored", "Label -1: the row belongs to no class, and every logit of it counts as a negative."),
    "ignored_row": (
        "ignored",
        "Label -2: the row counts nothing; loss and gradient are 0. A failure means that it is taken for background.",
    ),
    "saturated_wrong": (
        "saturation",
        "The label's logit lies 16 or more below the best. A failure means a clipped or vanished probability.",
    ),
    "saturated_right": (
        "saturation",
        "The label's logit lies 16 or more above the rest. A failure means that 1 - p is formed by subtraction.",
    ),
}

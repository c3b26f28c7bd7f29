"""Scenes of mining.hard_negatives and mining.ohem: counts, ties, and images without positives."""

import math
import random
from collections.abc import Mapping, Sequence
from typing import Any

from refloss import IGNORE, NEGATIVE
from refloss_conformance.scenes import Input, Part

from ..references import mining as reference
from .common import IN_PAPER, NOTES, draw, of_dialect, with_dialect
from .record import Answer, Ask, Deviation, Function, Scene

FLAGS = {
    **NOTES,
    "no_positives": ("edge", "An image without positives has no hard negatives, unless min_negatives says so."),
    "few_negatives": ("edge", "Fewer negatives than wanted: all of them count, and nothing else."),
    "count": ("edge", "ratio times the positives is rounded down."),
    "hard_positive": ("basic", "A positive of a large loss, which is no negative."),
}
INPUTS = {
    "losses": Input("floats", ("priors",), "the classification loss of each prior of one image"),
    "assignments": Input("integers", ("priors",), "for each prior the index of its truth, -1 for the background, -2 for ignored"),
}
MASK = Part("mask", "for each prior whether it counts")


def scene(slug: str, *flags: str, losses: Sequence[float], at: Sequence[int], **parameters: Any) -> Scene:
    return Scene(slug, flags, {"losses": [float(x) for x in losses], "assignments": list(at)}, parameters)


ONE = {"losses": [0.5, 2, 0.25, 1, 0.75, 0.125, 1.5, 0.0625], "at": [0, -1, -1, -1, -1, -1, -1, -1]}
HARD = {"losses": [4, 2, 3, 1, 0.75, 0.125, 1.5, 0.25], "at": [0, -1, -1, 1, -1, -1, -2, -1]}


def by_hand() -> list[Scene]:
    return [
        scene("one_positive", "basic", **ONE),
        scene("two_positives", "basic", losses=[0.5, 2, 0.25, 1, 0.75, 0.125, 1.5, 0.0625, 3], at=[0, -1, -1, 0, -1, -1, -1, -1, -1]),
        scene("hard_positive", "hard_positive", "ignored", **HARD, ratio=1.0),
        scene("ignored_is_hard", "ignored", losses=[1, 9, 2, 3, 0.5, 0.25], at=[0, -2, -1, -1, -1, -1], ratio=2.0),
        scene("no_positives", "no_positives", losses=[1, 2, 3], at=[-1, -1, -1]),
        scene("no_positives_but_a_minimum", "no_positives", "parameter", losses=[1, 2, 3], at=[-1, -1, -1], min_negatives=2),
        scene("minimum_above_the_ratio", "parameter", losses=[1, 2, 3, 4, 5, 6], at=[0, -1, -1, -1, -1, -1], ratio=1.0, min_negatives=3),
        scene("minimum_below_the_ratio", "parameter", losses=[1, 2, 3, 4, 5, 6], at=[0, -1, -1, -1, -1, -1], min_negatives=1),
        scene("few_negatives", "few_negatives", losses=[1, 2, 3, 4], at=[0, -1, 1, -1]),
        scene("few_negatives_hard_positives", "few_negatives", "hard_positive", "ignored", losses=[5, 2, 6, 1, 7], at=[0, -1, 1, -1, -2]),
        scene("only_positives", "few_negatives", losses=[1, 2], at=[0, 0]),
        scene("only_ignored", "ignored", "no_positives", losses=[1, 2], at=[-2, -2], min_negatives=1),
        scene("no_priors", "empty_image", losses=[], at=[]),
        scene("ratio_2.5", "count", "parameter", **ONE, ratio=2.5),
        scene("ratio_0", "parameter", **ONE, ratio=0.0),
        scene("ratio_1", "parameter", **ONE, ratio=1.0),
        scene("equal_losses", losses=[1, 2, 2, 2, 0.5, 2], at=[0, -1, -1, -1, -1, -1]),
        scene("losses_of_zero", losses=[1, 0, 0, 2, 0], at=[0, -1, -1, -1, -1], ratio=2.0),
        scene("torchvision_ratio_2.5", "dialect", "count", **ONE, ratio=2.5, dialect="torchvision"),
        scene("torchvision_few_negatives", "dialect", "few_negatives", losses=[5, 2, 6, 1], at=[0, -1, 1, 2], dialect="torchvision",
            ratio=1.0),
        scene("torchvision_ignored_is_hard", "dialect", "ignored", losses=[1, 9, 2, 3, 0.5, 0.25], at=[0, -2, -1, -1, -1, -1], ratio=2.0,
              dialect="torchvision"),
        scene("ssd_pytorch_few_negatives", "dialect", "few_negatives", losses=[5, 2, 6, 1], at=[0, -1, 1, -1], dialect="ssd.pytorch",
            ratio=1.5),
        scene("ssd_pytorch_one_positive", "dialect", **ONE, dialect="ssd.pytorch"),
        scene("ssd_pytorch_losses_below_0", "dialect", "few_negatives", losses=[0.75, 0, 0.25, -2, -1, 0.75, -0.5],
              at=[1, 1, 1, 0, -1, -1, 1], dialect="ssd.pytorch", ratio=1.5),
        scene("torchvision_all_but_none", "dialect", "few_negatives", losses=[4, 1.5, -1], at=[1, 0, -1], dialect="torchvision", ratio=1.5),
        scene("torchvision_losses_below_0", "dialect", losses=[-0.5, 1.5, 0.5, 0.75], at=[-1, 0, -1, 1], dialect="torchvision", ratio=1.0),
    ]  # fmt: skip


def clear(rng: random.Random) -> Scene:
    at = [rng.choice([NEGATIVE] * 6 + [IGNORE, 0, 1]) for _ in range(16)]
    return scene("drawn", losses=[rng.randint(1, 4000) / 1024 for _ in at], at=at)


def wanted(inputs: Mapping[str, Any], parameters: Mapping[str, Any]) -> float:
    return float(parameters["ratio"]) * sum(k >= 0 for k in inputs["assignments"])


def positives_too(ask: Ask, inputs: Mapping[str, Any], parameters: Mapping[str, Any]) -> Answer:
    count = max(int(wanted(inputs, parameters)), parameters["min_negatives"])
    candidates = [NEGATIVE if k >= 0 else k for k in inputs["assignments"]]
    return ask({**inputs, "assignments": candidates}, {**parameters, "min_negatives": count})


def rounded_up(ask: Ask, inputs: Mapping[str, Any], parameters: Mapping[str, Any]) -> Answer:
    return ask(inputs, {**parameters, "min_negatives": max(math.ceil(wanted(inputs, parameters)), parameters["min_negatives"])})


def of_ratio(ratio: float) -> Any:
    return lambda ask, inputs, parameters: ask(inputs, {**parameters, "ratio": ratio})


def all_without_positives(ask: Ask, inputs: Mapping[str, Any], parameters: Mapping[str, Any]) -> Answer:
    if any(k >= 0 for k in inputs["assignments"]):
        return ask(inputs, parameters)
    return ask(inputs, {**parameters, "min_negatives": len(inputs["losses"])})


IGNORED_MINED = Deviation(
    "ignored_are_mined", "ignored priors count as negatives", "torchvision's SSD, which has none that are ignored",
    "Priors that fit an object almost well enough are hard, and are trained to deny it.",
    lambda ask, inputs, parameters: ask({**inputs, "assignments": [NEGATIVE if k == IGNORE else k for k in inputs["assignments"]]},
    parameters),
    IN_PAPER,
)  # fmt: skip
DEVIATIONS = (
    IGNORED_MINED,
    Deviation(
        "positives_are_mined", "positives are in the set that negatives are picked from", "rykov8/ssd_keras#5",
        "Hard positives are counted as negatives, or twice.", positives_too, IN_PAPER,
    ),
    Deviation("ratio_rounded_up", "ratio times the positives is rounded up", "torchvision, ssd.pytorch",
              "One negative more in some images.",
              rounded_up, IN_PAPER),
    Deviation("no_mining", "all negatives count", "ports", "The background outweighs the objects by hundreds to one.", of_ratio(1e9),
              IN_PAPER),
    Deviation("one_to_one", "one negative for each positive", "ports",
              "Fewer hard negatives than the paper's three, and more false detections.",
              of_ratio(1.0), IN_PAPER),
    Deviation(
        "easiest_negatives", "the smallest losses are picked", "ports (an ascending sort)", "Nothing is learned from the background.",
        lambda ask, inputs, parameters: ask({**inputs, "losses": [-x for x in inputs["losses"]]}, parameters), IN_PAPER,
    ),
    Deviation(
        "all_negatives_without_positives", "an image without positives counts all negatives", "ports",
        "Images without an object dominate the loss.", all_without_positives, IN_PAPER,
    ),
    Deviation("minimum_ignored", "min_negatives is not looked at", "most; the paper has none",
              "Images without an object teach nothing.", lambda ask, inputs, parameters: ask(inputs, {**parameters, "min_negatives": 0}),
              IN_PAPER),
    Deviation(
        "positives_ranked_last", "whatever is not positive is a negative, positives follow when these run out, and the count is rounded up",
        "torchvision's SSD", "Where negatives are few, positives are counted twice.", with_dialect("torchvision"), IN_PAPER,
    ),
    Deviation(
        "positives_ranked_as_0", "positives are ranked with a loss of 0, and one prior never counts", "ssd.pytorch",
        "None, where the criterion takes the union with the positives.", with_dialect("ssd.pytorch"), IN_PAPER,
    ),
    Deviation("as_in_the_paper", "the rule of the paper in place of the dialect's", "-", "None: it is the paper's rule.",
              with_dialect("paper"), of_dialect("torchvision", "ssd.pytorch")),
)  # fmt: skip


def mined(d: Any, losses: Any, assignments: Any, **parameters: Any) -> list[bool]:
    return reference.hard_negatives(d, losses, assignments, **parameters)


def hardest(d: Any, losses: Any, assignments: Any, *, count: int) -> list[bool]:
    return reference.ohem(d, losses, count, gt_index=assignments)


def function(scenes: Sequence[Scene]) -> Function:
    defaults = {"ratio": 3.0, "min_negatives": 0, "dialect": "paper"}
    return Function(
        "mining.hard_negatives", INPUTS, {"mask": MASK}, mined, lambda mask: {"mask": mask}, scenes, DEVIATIONS, FLAGS, defaults
    )


def of_ohem() -> Function:
    deviations = (
        Deviation("ignored_are_mined", IGNORED_MINED.title, "ports", IGNORED_MINED.effect, IGNORED_MINED.change),
        Deviation(
            "only_negatives_are_mined", "positives are not looked at", "SSD's rule", "Hard positives are not learned.",
            lambda ask, inputs, parameters: ask({**inputs, "assignments": [k if k < 0 else IGNORE for k in inputs["assignments"]]},
            parameters),
        ),
        Deviation("easiest_are_mined", "the smallest losses are picked", "ports (an ascending sort)", "Nothing is learned.",
                  lambda ask, inputs, parameters: ask({**inputs, "losses": [-x for x in inputs["losses"]]}, parameters)),
    )  # fmt: skip
    scenes = [
        scene("two_of_eight", "basic", **ONE, count=2),
        scene("hard_positive", "hard_positive", "ignored", **HARD, count=3),
        scene("none_wanted", "basic", **ONE, count=0),
        scene("more_than_there_are", "few_negatives", **ONE, count=20),
        scene("more_than_there_are_with_ignored", "few_negatives", "ignored", **HARD, count=8),
        scene("equal_losses", losses=[1, 2, 2, 2, 0.5, 2], at=[0, -1, 1, -1, -1, -2], count=2),
        scene("no_priors", "empty_image", losses=[], at=[], count=2),
    ]
    return Function("mining.ohem", INPUTS, {"mask": MASK}, hardest, lambda mask: {"mask": mask}, scenes, deviations, FLAGS, {"count": 2})


def functions() -> list[Function]:
    return [function([*by_hand(), *draw(function, clear, 3, 6)]), of_ohem()]

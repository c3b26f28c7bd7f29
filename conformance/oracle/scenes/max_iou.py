"""Scenes of assign.max_iou: thresholds and the band between them, and the matches of truths that reach no threshold."""

import random
from collections.abc import Mapping, Sequence
from typing import Any

from refloss_conformance.scenes import Input

from ..decisions import Decisions
from ..references.max_iou import iou, max_iou
from .common import (
    CODED,
    EXCLUSIVE,
    GT_BOXES,
    GT_INDEX,
    IGNORED_AS_BACKGROUND,
    IN_PAPER,
    NOTES,
    box,
    draw,
    index_only,
    of_dialect,
    plus_one_pixel,
    renumbered,
    with_dialect,
)
from .record import Answer, Ask, Deviation, Function, Scene

FLAGS = {
    **NOTES,
    "band": ("edge", "An IoU in [negative_threshold, positive_threshold) is ignored."),
    "low_quality": ("edge", "A truth below the positive threshold keeps the priors that fit it best."),
}
INPUTS = {"priors": Input("floats", ("priors", 4), "x1, y1, x2, y2 in pixels, corners exclusive"), "gt_boxes": GT_BOXES}


def cells(count: int, side: float = 8.0) -> list[tuple[float, ...]]:
    """Boxes side by side, count x count of them."""
    return [(c * side, r * side, (c + 1) * side, (r + 1) * side) for r in range(count) for c in range(count)]


FOUR, NINE = cells(2), cells(3)
TEN = [(0, 0, 10, 10), (10, 0, 20, 10), (0, 10, 10, 20), (40, 40, 50, 50)]
NESTED = [(0, 0, 10, 10), (0, 0, 10, 20), (0, 0, 20, 20), (5, 5, 15, 15), (20, 20, 40, 40), (30, 30, 40, 50)]
LOW = {"low_quality_matches": True}
HAIR = 1e-6  # no IoU of a scene lies that near a threshold but on it
RPN = {"positive_threshold": 0.7, "negative_threshold": 0.3, "low_quality_matches": True}


def scene(slug: str, *flags: str, priors: Any = FOUR, boxes: Any = (), **parameters: Any) -> Scene:
    given = {"priors": [tuple(map(float, b)) for b in priors], "gt_boxes": [tuple(map(float, b)) for b in boxes]}
    return Scene(slug, flags, given, parameters)


def plain() -> list[Scene]:
    return [
        scene("one_truth", "basic", boxes=[(1, 1, 8, 8)]),
        scene("two_truths", "basic", boxes=[(8, 0, 16, 7), (1, 8, 8, 16)]),
        scene("nine_priors", "basic", priors=NINE, boxes=[(7, 8, 16, 16), (16, 15, 24, 24), (0, 0, 6, 8)]),
        scene("nested_priors", "basic", priors=NESTED, boxes=[(0, 0, 10, 12), (22, 22, 40, 40)]),
        scene("empty_image", "empty_image"),
        scene("nine_priors_empty_image", "empty_image", priors=NINE),
        scene("iou_0.5", priors=TEN, boxes=[(0, 0, 10, 5)]),
        scene("iou_0.4", "band", priors=TEN, boxes=[(0, 0, 10, 4)]),
        scene("iou_0.45", "band", "ignored", priors=TEN, boxes=[(0, 0, 9, 5)]),
        scene("iou_0.39", priors=TEN, boxes=[(0, 0, 10, 3.90625)]),
        scene("two_in_one_prior", "one_cell", boxes=[(0, 0, 8, 6), (0, 0, 7, 8)]),
        scene("shared_best_prior", "shared", boxes=[(0, 0, 8, 4.5), (0, 0, 5, 8)]),
        scene("two_truths_alike", boxes=[(0, 0, 8, 7), (0, 0, 8, 7)]),
        scene("between_two_priors", "low_quality", boxes=[(4, 0, 12, 8)]),
        scene("between_four_priors", "low_quality", boxes=[(4, 4, 12, 12)]),
        scene("meets_no_prior", "zero_iou", boxes=[(20, 20, 30, 30)]),
        scene("one_meets_no_prior", "zero_iou", boxes=[(0, 0, 8, 7), (20, 20, 30, 30)]),
        scene("touches_the_priors", "zero_iou", boxes=[(16, 0, 20, 8), (0, 9, 8, 15)]),
        scene("no_area_on_either_side", "degenerate", "low_quality", priors=[(9, 7, 9, 18), (9, 19, 18, 21), (16, 14, 26, 19)],
              boxes=[(9, 7, 9, 18)], **LOW),
        scene("mmdet_apart_on_one_axis", "dialect", "low_quality", "zero_iou", priors=[(5, 1, 17, 4), (18, 20, 25, 24)],
              boxes=[(13, 18, 24, 24), (2, 20, 6, 32)], dialect="mmdet", **LOW),
        scene("more_truths_than_priors", "crowded", priors=FOUR[:1], boxes=[(0, 0, 8, 7), (0, 0, 8, 6), (0, 0, 7, 7)]),
        scene("degenerate", "degenerate", boxes=[(2, 2, 2, 6), (4, 4, 4, 4), (8, 0, 16, 7), (1, 9, 7, 9)]),
        scene("only_degenerate", "degenerate", boxes=[(4, 4, 4, 4)]),
        scene("prior_without_area", "degenerate", priors=[*FOUR[:2], (3, 3, 3, 3)], boxes=[(0, 0, 8, 7)]),
        scene("low_quality_meets_another", "low_quality", "shared", priors=TEN, boxes=[(0, 0, 10, 9), (0, 0, 10, 3)]),
        scene("low_quality_beside_the_first_prior", "low_quality", boxes=[(9, 1, 12, 5)]),
        scene("low_quality_of_a_small_truth", "low_quality", priors=NINE, boxes=[(2, 2, 5, 5), (16, 0, 24, 8)]),
    ]  # fmt: skip


SPECIAL = (
    "one_truth", "empty_image", "iou_0.4", "iou_0.45", "two_in_one_prior", "shared_best_prior", "between_two_priors", "between_four_priors",
    "meets_no_prior", "one_meets_no_prior", "touches_the_priors", "degenerate", "only_degenerate", "low_quality_meets_another",
    "low_quality_of_a_small_truth", "low_quality_beside_the_first_prior",
)  # fmt: skip


def again(prefix: str, slugs: Sequence[str], flag: str, **parameters: Any) -> list[Scene]:
    """Some of the plain scenes with other parameters."""
    return [
        Scene(f"{prefix}_{one.slug}", (*one.flags, flag), one.inputs, parameters) for slug in slugs for one in plain() if one.slug == slug
    ]


def by_hand() -> list[Scene]:
    zero = ("meets_no_prior", "one_meets_no_prior", "only_degenerate")
    return [
        *plain(),
        *again("low_quality", SPECIAL, "low_quality", **LOW),
        *again("rpn", ("one_truth", "empty_image", "iou_0.45", "shared_best_prior", "between_four_priors", "one_meets_no_prior"),
        "parameter", **RPN),
        scene("rpn_iou_0.7", "parameter", priors=[*TEN, (0, 0, 10, 7)], boxes=[(0, 0, 10, 7)], **RPN),
        scene("rpn_iou_0.3", "parameter", "band", priors=[*TEN, (0, 0, 10, 3)], boxes=[(0, 0, 10, 3)], **RPN),
        scene("no_band_iou_0.5", "parameter", priors=TEN, boxes=[(0, 0, 10, 5)], negative_threshold=0.5),
        *again("torchvision", zero, "dialect", dialect="torchvision", **LOW),
        *again("mmdet", (*zero, "low_quality_meets_another", "between_two_priors"), "dialect", dialect="mmdet", **LOW),
    ]  # fmt: skip


def clear(rng: random.Random) -> Scene:
    priors = [box(rng, 32, 8, 24) for _ in range(12)]
    return scene("drawn", "low_quality", priors=priors, boxes=[box(rng, 32, 4, 28) for _ in range(rng.randint(1, 4))], **LOW)


def clear_band(rng: random.Random) -> Scene:
    one = clear(rng)
    return Scene(one.slug, (), one.inputs, {})


def low_quality(parameters: Mapping[str, Any]) -> bool:
    return IN_PAPER(parameters) and parameters["low_quality_matches"] is True


def met(inputs: Mapping[str, Any]) -> list[int]:
    """Truths that meet some prior."""
    return [t for t, truth in enumerate(inputs["gt_boxes"]) if any(iou(prior, truth) > 0 for prior in inputs["priors"])]


def forced(ask: Ask, inputs: Mapping[str, Any], parameters: Mapping[str, Any]) -> Answer:
    """mmdet's, for truths that meet a prior."""
    some = met(inputs)
    answer = ask({**inputs, "gt_boxes": [inputs["gt_boxes"][t] for t in some]}, {**parameters, "dialect": "mmdet"})
    return renumbered(answer, some)


def own_prior(ask: Ask, inputs: Mapping[str, Any], parameters: Mapping[str, Any], t: int) -> int:
    """The first of the priors that fit a truth best."""
    alone = {**parameters, "positive_threshold": 2.0, "negative_threshold": 2.0}
    best: list[int] = ask({**inputs, "gt_boxes": [inputs["gt_boxes"][t]]}, alone)["gt_index"]
    return best.index(0)


def single(ask: Ask, inputs: Mapping[str, Any], parameters: Mapping[str, Any]) -> Answer:
    """Of the priors that fit a truth equally well only the first is kept, and it goes to that truth; the later truth wins."""
    index = list(ask(inputs, {**parameters, "low_quality_matches": False})["gt_index"])
    for t in met(inputs):
        index[own_prior(ask, inputs, parameters, t)] = t
    return {"gt_index": index}


def single_first(ask: Ask, inputs: Mapping[str, Any], parameters: Mapping[str, Any]) -> Answer:
    """The same with the earlier truth, and prior 0 for a truth that meets none: KerasCV's argmax over argmax."""
    index = list(ask(inputs, {**parameters, "low_quality_matches": False})["gt_index"])
    some = met(inputs)
    for t in reversed(range(len(inputs["gt_boxes"]))):
        index[own_prior(ask, inputs, parameters, t) if t in some else 0] = t
    return {"gt_index": index}


def single_and_padding(ask: Ask, inputs: Mapping[str, Any], parameters: Mapping[str, Any]) -> Answer:
    """A column of padding has its best prior too: the first, unless a truth has taken it."""
    index = list(single_first(ask, inputs, parameters)["gt_index"])
    count, some = len(inputs["gt_boxes"]), met(inputs)
    if count == len(some) and all(own_prior(ask, inputs, parameters, t) != 0 for t in some) and count:
        index[0] = count
    return {"gt_index": index}


class ExclusiveAt(Decisions):
    """> for >= at one threshold."""

    def __init__(self, threshold: Any) -> None:
        super().__init__()
        self.threshold = threshold

    def at_least(self, a: Any, b: Any) -> bool:
        return bool(a > b if b == self.threshold else a >= b)


def exclusive(which: str) -> Deviation:
    """At equal thresholds ExclusiveAt turns both comparisons; of the positive one alone it leaves an IoU at the threshold ignored."""

    def answers(ask: Any, inputs: Any, parameters: Any) -> Any:
        at = parameters[f"{which}_threshold"]
        if parameters["positive_threshold"] == parameters["negative_threshold"]:
            return ask(inputs, {**parameters, f"{which}_threshold": at + HAIR})
        return ask(inputs, parameters, ExclusiveAt(at))

    return Deviation(
        f"exclusive_{which}_threshold",
        f"> for >= at the {which} threshold alone",
        "ports",
        "None in practice; answers differ where an IoU is exactly the threshold, as for boxes on a grid.",
        answers,
        lambda parameters: bool(which == "positive" or parameters["positive_threshold"] != parameters["negative_threshold"]),
    )


def swap(parameter: str, value: Any) -> Any:
    return lambda ask, inputs, parameters: ask(inputs, {**parameters, parameter: value})


PLUS_ONE = Deviation(
    "plus_one_pixel", "widths and heights are counted with one pixel more", "the first Detectron, Caffe-SSD on pixels",
    "Small objects get an IoU that is too high, and too many priors.",
    lambda ask, inputs, parameters: ask(plus_one_pixel(inputs, "priors", "gt_boxes"), parameters),
)  # fmt: skip
DEVIATIONS = (
    *CODED,
    IGNORED_AS_BACKGROUND,
    EXCLUSIVE,
    exclusive("positive"),
    exclusive("negative"),
    PLUS_ONE,
    Deviation(
        "zero_iou_truth_matches_all", "a truth that meets no prior has all priors that it does not meet as its best ones",
        "torchvision's Matcher, detectron2's", "One object outside of the anchors, or without area, makes the whole background positive.",
        with_dialect("torchvision"), low_quality,
    ),
    Deviation(
        "zero_iou_truth_takes_all", "low-quality priors go to the truth that they are best for, and a truth that meets no prior takes all",
        "mmdet's MaxIoUAssigner with min_pos_iou=0", "One object outside of the anchors makes the whole background positive for its class.",
        with_dialect("mmdet"), low_quality,
    ),
    Deviation(
        "low_quality_forced_to_truth", "a low-quality prior goes to the truth that it is best for, even if it fits another one better",
        "mmdet, detectron2's wording", "Priors on one object learn the box of another.", forced, low_quality,
    ),
    Deviation(
        "low_quality_single_prior", "of priors that fit a truth equally well only the first is kept, and for that truth", "ports",
        "Fewer positives; which prior it is depends on the order.", single, low_quality,
    ),
    Deviation(
        "one_prior_for_each_truth",
        "each truth has the first of its best priors, prior 0 if it meets none; where two truths have the same, the first truth has it",
        "TensorFlow Models", "The first prior learns objects that are elsewhere, and of two objects on one prior the wrong one is learned.",
        single_first, low_quality,
    ),
    Deviation(
        "padding_takes_prior_0",
        "each truth has the first of its best priors, prior 0 if it meets none, and a column of padding has prior 0 where no truth has it",
        "KerasCV's BoxMatcher with force_match_for_each_col", "In most images the first prior is positive for a truth that does not exist.",
        single_and_padding, low_quality,
    ),
    Deviation(
        "low_quality_missing", "truths below the positive threshold keep no prior", "RetinaNet's paper",
        "Small and oddly shaped objects are background.", swap("low_quality_matches", False), low_quality,
    ),
    Deviation(
        "low_quality_always", "truths below the positive threshold keep their best priors though this is off",
        "torchvision's RetinaNet, which has it on", "Poor matches are trained as positives.", swap("low_quality_matches", True),
        lambda parameters: IN_PAPER(parameters) and parameters["low_quality_matches"] is False,
    ),
    Deviation("as_in_the_paper", "the rule of the paper in place of the dialect's", "-", "None: it is the paper's rule.",
              with_dialect("paper"), of_dialect("torchvision", "mmdet")),
)  # fmt: skip


def function(scenes: Sequence[Scene]) -> Function:
    return Function("assign.max_iou", INPUTS, {"gt_index": GT_INDEX}, max_iou, index_only, scenes, DEVIATIONS, FLAGS)


def functions() -> list[Function]:
    drawn = draw(function, clear, 3, 1) + [
        Scene(f"{one.slug}_with_a_band", one.flags, one.inputs, one.parameters) for one in draw(function, clear_band, 3, 2)
    ]
    return [function([*by_hand(), *drawn])]

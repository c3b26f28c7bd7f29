"""Scenes of assign.ssd: each truth has a prior of its own first, then priors above the threshold."""

import random
from collections.abc import Mapping, Sequence
from typing import Any

from ..decisions import Decisions
from ..references import ssd as reference
from .common import CODED, EXCLUSIVE, GT_INDEX, IN_PAPER, NOTES, box, draw, index_only, of_dialect, renumbered, replaced, with_dialect
from .max_iou import FOUR, INPUTS, NESTED, NINE, PLUS_ONE, TEN, met
from .record import Answer, Ask, Deviation, Function, Scene

FLAGS = {**NOTES, "bipartite": ("edge", "Which pairs are taken first decides.")}


def scene(slug: str, *flags: str, priors: Any = FOUR, boxes: Any = (), **parameters: Any) -> Scene:
    given = {"priors": [tuple(map(float, b)) for b in priors], "gt_boxes": [tuple(map(float, b)) for b in boxes]}
    return Scene(slug, flags, given, parameters)


# Both truths have prior 0 as their best; the second fits it better, so the first has its second best.
CHAIN = [(0, 0, 10, 10), (4, 0, 14, 10), (10, 0, 20, 10), (30, 30, 40, 40)]
CHAINED = [(1, 0, 12, 10), (0, 0, 10, 9)]


def plain() -> list[Scene]:
    return [
        scene("one_truth", "basic", boxes=[(1, 1, 8, 8)]),
        scene("three_truths_four_priors", "basic", boxes=[(8, 0, 16, 7), (1, 8, 8, 16), (9, 9, 12, 12)]),
        scene("nine_priors", "basic", priors=NINE, boxes=[(7, 8, 16, 16), (16, 15, 24, 24), (0, 0, 6, 8)]),
        scene("nested_priors", "basic", priors=NESTED, boxes=[(0, 0, 10, 12), (22, 22, 40, 40)]),
        scene("empty_image", "empty_image"),
        scene("nine_priors_empty_image", "empty_image", priors=NINE),
        scene("below_the_threshold", "bipartite", boxes=[(2, 2, 5, 5)]),
        scene("iou_0.5", priors=[(0, 0, 10, 20), *TEN], boxes=[(0, 0, 10, 10), (0, 10, 10, 20)]),
        scene("above_the_threshold_twice", "basic", priors=[(0, 0, 10, 10), (0, 0, 10, 9), (0, 0, 10, 8)], boxes=[(0, 0, 10, 10)]),
        scene("shared_best_prior", "shared", "bipartite", boxes=[(0, 0, 8, 4.5), (0, 0, 9, 8)]),
        scene("shared_best_prior_other_order", "shared", "bipartite", boxes=[(0, 0, 9, 8), (0, 0, 8, 4.5)]),
        scene("shared_best_prior_without_another", "shared", boxes=[(0, 0, 8, 7), (1, 1, 5, 7)]),
        scene("chain", "shared", "bipartite", priors=CHAIN, boxes=CHAINED),
        scene("chain_other_order", "shared", "bipartite", priors=CHAIN, boxes=CHAINED[::-1]),
        scene("three_share_one", "shared", "bipartite", priors=CHAIN, boxes=[(0, 0, 11, 10), (0, 0, 9, 10), (1, 0, 15, 10)]),
        scene("two_truths_alike", "shared", boxes=[(0, 0, 8, 7), (0, 0, 8, 7)]),
        scene("between_two_priors", boxes=[(4, 0, 12, 8)]),
        scene("between_two_priors_and_another", "bipartite", boxes=[(4, 0, 12, 8), (0, 0, 8, 7)]),
        scene("meets_no_prior", "zero_iou", boxes=[(20, 20, 30, 30)]),
        scene("one_meets_no_prior", "zero_iou", boxes=[(8, 0, 16, 7), (20, 20, 30, 30)]),
        scene("one_meets_no_prior_on_prior_0", "zero_iou", boxes=[(20, 20, 30, 30), (0, 0, 8, 7)]),
        scene("more_truths_than_priors", "crowded", priors=FOUR[:1], boxes=[(0, 0, 8, 5), (0, 0, 8, 7), (0, 0, 6, 7)]),
        scene("degenerate", "degenerate", boxes=[(2, 2, 2, 6), (4, 4, 4, 4), (8, 0, 16, 7), (1, 9, 7, 9)]),
        scene("only_degenerate", "degenerate", boxes=[(12, 4, 12, 4)]),
        scene("hardly_meets", "bipartite", priors=[(0, 0, 1024, 1024), (2048, 0, 3072, 1024)], boxes=[(3071.5, 0, 3200, 0.25)]),
    ]


def by_hand() -> list[Scene]:
    chosen = ("empty_image", "shared_best_prior", "chain", "one_meets_no_prior", "meets_no_prior", "only_degenerate", "three_share_one")
    again = [
        Scene(f"{name.replace('.', '_')}_{one.slug}", (*one.flags, "dialect"), one.inputs, {"dialect": name})
        for name in ("ssd.pytorch", "torchvision")
        for one in plain()
        if one.slug in chosen
    ]
    return [
        *plain(),
        scene("no_area_on_either_side", "degenerate", priors=[(11, 16, 11, 23), (11, 16, 23, 23), (12, 15, 18, 20), (20, 8, 26, 15)],
              boxes=[(11, 16, 11, 23)]),
        scene("threshold_0.6", "parameter", priors=[*TEN, (0, 0, 10, 20)], boxes=[(0, 0, 10, 10), (0, 0, 6, 10)], threshold=0.6),
        *again,
        *(Scene(f"caffe_{one.slug}", (*one.flags, "dialect"), one.inputs, {"dialect": "caffe"})
          for one in plain() if one.slug in ("hardly_meets", "chain", "one_meets_no_prior")),
    ]  # fmt: skip


def clear(rng: random.Random) -> Scene:
    priors = [box(rng, 32, 8, 24) for _ in range(10)]
    return scene("drawn", priors=priors, boxes=[box(rng, 32, 4, 28) for _ in range(rng.randint(2, 4))])


def patched(**functions: Any) -> Any:
    def change(ask: Ask, inputs: Mapping[str, Any], parameters: Mapping[str, Any]) -> Answer:
        with replaced(reference, **functions):
            return ask(inputs, parameters)

    return change


def lost(ask: Ask, inputs: Mapping[str, Any], parameters: Mapping[str, Any]) -> Answer:
    """torchvision's, for truths that meet a prior."""
    some = met(inputs)
    answer = ask({**inputs, "gt_boxes": [inputs["gt_boxes"][t] for t in some]}, {**parameters, "dialect": "torchvision"})
    return renumbered(answer, some)


def prior_0(ask: Ask, inputs: Mapping[str, Any], parameters: Mapping[str, Any]) -> Answer:
    index = list(ask(inputs, parameters)["gt_index"])
    for t in range(len(inputs["gt_boxes"])):
        if t not in met(inputs):
            index[0] = t
    return {"gt_index": index}


def in_order(d: Decisions, table: Any, free: set[tuple[int, int]], floor: Any) -> dict[int, int]:
    """Each truth in turn has the best of the priors that are left."""
    first: dict[int, int] = {}
    for t in sorted({truth for _, truth in free}):
        left = [p for p in sorted({prior for prior, _ in free}) if p not in first and table[p][t] > floor]
        if left:
            first[d.best(left, lambda p, t=t: table[p][t])] = t
    return first


DEVIATIONS = (
    *CODED,
    EXCLUSIVE,
    PLUS_ONE,
    Deviation(
        "truth_lost_on_shared_prior", "each truth takes its best prior, the later one where two have the same", "torchvision, ssd.pytorch",
        "An object whose best prior another one takes may have no prior at all.", lost, IN_PAPER,
    ),
    Deviation(
        "zero_iou_truth_forces_prior_0", "a truth that meets no prior takes prior 0", "torchvision, ssd.pytorch",
        "The first prior, in the corner of the image, learns objects that are elsewhere.", prior_0, IN_PAPER,
    ),
    Deviation(
        "each_truth_its_best_prior", "each truth takes its best prior, the later one where two have the same, and prior 0 if it meets none",
        "torchvision's SSDMatcher, ssd.pytorch", "Objects are lost, and the first prior learns objects that are elsewhere.",
        with_dialect("torchvision"), IN_PAPER,
    ),
    Deviation(
        "truths_served_in_order", "each truth in turn takes the best of the priors that are left", "ports",
        "Which object has to do with its second best prior depends on the order of the annotations.", patched(_bipartite=in_order),
        IN_PAPER,
    ),
    Deviation(
        "no_forced_match", "only priors above the threshold match", "ports", "Small objects, which reach no threshold, are background.",
        patched(_bipartite=lambda *given: {}), IN_PAPER,
    ),
    Deviation(
        "only_forced_matches", "each truth has one prior, and no threshold is looked at", "MultiBox's rule",
        "One positive for each object: too few to learn from, and well placed priors are trained as background.",
        lambda ask, inputs, parameters: ask(inputs, {**parameters, "threshold": 2.0}), IN_PAPER,
    ),
    Deviation(
        "overlap_of_a_millionth_needed", "IoUs up to 1e-6 do not match", "Caffe-SSD", "None in practice.", with_dialect("caffe"), IN_PAPER,
    ),
    Deviation("as_in_the_paper", "the rule of the paper in place of the dialect's", "-", "None: it is the paper's rule.",
              with_dialect("paper"), of_dialect("caffe", "ssd.pytorch", "torchvision")),
)  # fmt: skip


def function(scenes: Sequence[Scene]) -> Function:
    return Function("assign.ssd", INPUTS, {"gt_index": GT_INDEX}, reference.ssd, index_only, scenes, DEVIATIONS, FLAGS)


def functions() -> list[Function]:
    return [function([*by_hand(), *draw(function, clear, 4, 5)])]

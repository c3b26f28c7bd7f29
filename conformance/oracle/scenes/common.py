"""What the assigners' scenes share: the forms of inputs and answers, deviations of the answer's coding, and drawn scenes."""

import contextlib
import itertools
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import ModuleType
from typing import Any
from unittest.mock import patch

from refloss import IGNORE, NEGATIVE
from refloss_conformance.scenes import Input, Part

from .record import Answer, Ask, Deviation, Exclusive, Function, Inclusive, Scene, answered

Box = tuple[float, float, float, float]
GT_BOXES = Input("floats", ("truths", 4), "ground-truth boxes of one image: x1, y1, x2, y2 in pixels, corners exclusive")
GT_INDEX = Part("codes", "for each prior the index of its truth, -1 for the background, -2 for ignored")
PAIRS = Part("pairs", "every match as (prior, truth); in any order")

NOTES = {
    "basic": ("basic", "A plain scene; a failure here is a broken rule or a broken mapping."),
    "drawn": ("basic", "A scene drawn by a seeded generator."),
    "empty_image": ("edge", "No ground truth: every prior is background, and nothing is raised."),
    "one_cell": ("edge", "Two objects want one cell."),
    "cell_border": ("edge", "An object's centre is on the border of two cells, and belongs to the one after it."),
    "image_border": ("edge", "An object's centre is on the image's far border, and belongs to the last cell."),
    "last_cell": ("edge", "An object is in the last column or row, where a step too far leaves the grid."),
    "crowded": ("edge", "More truths than priors."),
    "degenerate": ("edge", "A truth without area matches nothing."),
    "zero_iou": ("edge", "A truth that meets no prior."),
    "shared": ("edge", "Two truths have one best prior."),
    "ignored": ("edge", "Some priors take no part in the loss."),
    "dialect": ("parameter", "The convention of another project, by its name."),
    "parameter": ("parameter", "Parameters that are not the default."),
}


def both(result: Any) -> Answer:
    """(gt_index, pairs) of a reference."""
    return {"gt_index": list(result[0]), "pairs": [list(pair) for pair in result[1]]}


def index_only(result: Any) -> Answer:
    return {"gt_index": list(result[0])}


def recoded(answer: Answer, code: Callable[[int], int]) -> Answer:
    """Another coding of the same answer."""
    found: Answer = {"gt_index": [code(k) for k in answer["gt_index"]]}
    if "pairs" in answer:
        found["pairs"] = [[prior, code(truth)] for prior, truth in answer["pairs"]]
    return found


def renumbered(answer: Answer, truth: Sequence[int]) -> Answer:
    """The answer for another order, or a part, of the truths in the numbers of the whole list."""
    return recoded(answer, lambda k: truth[k] if k >= 0 else k)


@contextlib.contextmanager
def replaced(module: ModuleType, **functions: Any) -> Iterator[None]:
    """Some functions of a reference, replaced for the length of a call."""
    with contextlib.ExitStack() as stack:
        for name, function in functions.items():
            stack.enter_context(patch.object(module, name, function))
        yield


def with_dialect(dialect: str) -> Callable[[Ask, Mapping[str, Any], Mapping[str, Any]], Answer | None]:
    return lambda ask, inputs, parameters: ask(inputs, {**parameters, "dialect": dialect})


def of_dialect(*dialects: str) -> Callable[[Mapping[str, Any]], bool]:
    return lambda parameters: parameters.get("dialect") in dialects


IN_PAPER = of_dialect("paper")

CODED = (
    Deviation(
        "codes_one_higher", "every code is one higher: 0 is the background, the first truth is 1", "mmdet's gt_inds, where it is right",
        "Whoever reads it as 0-based takes the background for the first truth; if it is meant, say --codes negative=0,ignore=-1,first=1.",
        lambda ask, inputs, parameters: recoded(ask(inputs, parameters), lambda k: k + 1),
    ),
    Deviation(
        "truth_index_one_higher", "truths are counted from 1", "mmdet#1299, and ports of SSD's labels",
        "Each prior learns the class and the box of the next truth, and the last one reads past the end.",
        lambda ask, inputs, parameters: recoded(ask(inputs, parameters), lambda k: k + 1 if k >= 0 else k),
    ),
)  # fmt: skip

IGNORED_AS_BACKGROUND = Deviation(
    "ignored_as_background", "ignored priors count as background", "many ports",
    "Priors that fit an object almost well enough are trained to deny it.",
    lambda ask, inputs, parameters: recoded(ask(inputs, parameters), lambda k: NEGATIVE if k == IGNORE else k),
)  # fmt: skip
EXCLUSIVE = Deviation(
    "exclusive_thresholds", "> for >=: equality at a threshold falls on the lower side", "ports",
    "None in practice; answers differ where an IoU is exactly a threshold, as for boxes on a grid.",
    lambda ask, inputs, parameters: ask(inputs, parameters, Exclusive()),
)  # fmt: skip
INCLUSIVE = Deviation(
    "inclusive_thresholds", ">= for >: equality at a threshold falls on the upper side", "ports",
    "None in practice; answers differ where a value is exactly a threshold.",
    lambda ask, inputs, parameters: ask(inputs, parameters, Inclusive()),
)  # fmt: skip


def later_truths_first(ask: Ask, inputs: Mapping[str, Any], parameters: Mapping[str, Any]) -> Answer:
    """The rule over the truths in the opposite order."""
    count = len(inputs["gt_boxes"])
    answer = ask({**inputs, "gt_boxes": list(inputs["gt_boxes"])[::-1]}, parameters)
    return renumbered(answer, range(count - 1, -1, -1))


def plus_one_pixel(inputs: Mapping[str, Any], *names: str) -> dict[str, Any]:
    """Corners one pixel further: widths counted as x2 - x1 + 1."""
    return {**inputs, **{name: [(x1, y1, x2 + 1.0, y2 + 1.0) for x1, y1, x2, y2 in inputs[name]] for name in names}}


def draw(function: Callable[[Sequence[Scene]], Function], make: Callable[[random.Random], Scene], count: int, seed: int) -> list[Scene]:
    """The first few drawn scenes whose decisions are all clear, and in which something happens."""
    found: list[Scene] = []
    for turn in itertools.count():
        scene = make(random.Random(f"{seed} {turn}"))
        scene = Scene(f"drawn_{len(found) + 1}", ("drawn", *scene.flags), scene.inputs, scene.parameters)
        try:
            answers = answered(function([scene]), scene).allowed
            if len(answers) == 1 and all(len(set(map(str, part))) > 1 for part in answers[0].values()):
                found.append(scene)
        except ValueError:
            continue
        if len(found) == count:
            return found
    return found


def box(rng: random.Random, side: float, smallest: float, largest: float, step: float = 0.25) -> Box:
    """A box inside a square image, on a lattice that float32 holds."""

    def snapped(x: float) -> float:
        return round(x / step) * step

    w, h = (snapped(rng.uniform(smallest, min(largest, side))) for _ in range(2))
    x, y = snapped(rng.uniform(0, side - w)), snapped(rng.uniform(0, side - h))
    return (x, y, x + w, y + h)

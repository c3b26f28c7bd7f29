"""Scenes of assign.yolov2, yolov3 and yolov4: cells, anchors, and the ignore test."""

import random
from collections.abc import Callable, Mapping, Sequence
from types import ModuleType
from typing import Any

from refloss.priors.grid import Grid
from refloss_conformance.scenes import Input

from ..references import yolov1, yolov2, yolov3, yolov4
from .common import (
    CODED,
    GT_BOXES,
    GT_INDEX,
    IGNORED_AS_BACKGROUND,
    IN_PAPER,
    INCLUSIVE,
    NOTES,
    PAIRS,
    both,
    box,
    draw,
    of_dialect,
    replaced,
    with_dialect,
)
from .record import Answer, Ask, Deviation, Function, Scene

GRIDS = Input(
    "grids", ("grids",),
    "each with shapes ((width, height) in pixels), stride, height and width in cells; priors count anchor, row, column, grid after grid",
)  # fmt: skip
PREDICTED = Input("floats", ("priors", 4), "decoded predictions, xyxy in pixels, one a prior; none: the priors' own boxes are tested")
INPUTS = {"grids": GRIDS, "gt_boxes": GT_BOXES, "predicted_boxes": PREDICTED}
FLAGS = {
    **NOTES,
    "predicted": ("basic", "The ignore test looks at predicted boxes."),
    "zero_x": ("edge", "A centre at x = 0, where darknet's list of truths ends."),
    "extra": ("edge", "An anchor that is not the best, but good enough."),
    "grids": ("edge", "Objects of all sizes: one anchor of all grids has each."),
}
ONE = (Grid(((8.0, 8.0), (16.0, 12.0)), 8, 3, 3),)  # 24 x 24 pixels
TWO = (Grid(((4.0, 4.0), (8.0, 6.0)), 8, 2, 2), Grid(((8.0, 16.0), (14.0, 14.0)), 16, 1, 1))  # 16 x 16 pixels
CELL = (Grid(((8.0, 8.0),), 8, 1, 1),)
TIED = (Grid(((8.0, 4.0), (4.0, 8.0)), 8, 2, 2),)


def scene(slug: str, *flags: str, grids: Any = ONE, boxes: Any = (), predicted: Any = None, **parameters: Any) -> Scene:
    held = None if predicted is None else [tuple(map(float, b)) for b in predicted]
    inputs = {"grids": list(grids), "gt_boxes": [tuple(map(float, b)) for b in boxes], "predicted_boxes": held}
    return Scene(slug, flags, inputs, parameters)


def around(x: float, y: float, w: float, h: float) -> tuple[float, float, float, float]:
    return (x - w / 2, y - h / 2, x + w / 2, y + h / 2)


def away(count: int, **boxes: Any) -> list[Any]:
    """Predictions that meet nothing, but for those that are given by prior, as p3=box."""
    return [boxes.get(f"p{k}", (0, 0, 0, 0)) for k in range(count)]


def by_hand(threshold: float) -> list[Scene]:
    """Scenes that all three have; an IoU of exactly `threshold` is not ignored."""
    part = round(threshold * 10)
    exactly = {"p1": (0, 0, part, 10), "p2": (0, 0, part + 1, 10), "p9": (0, 0, 10, part - 1)}
    return [
        scene("one_truth", "basic", boxes=[around(12, 12, 8, 7)]),
        scene("three_truths", "basic", boxes=[around(4, 4, 7, 8), around(13, 20, 15, 12), around(20, 5, 9, 8)]),
        scene("empty_image", "empty_image"),
        scene("empty_image_with_predictions", "empty_image", "predicted", predicted=away(18, p3=(0, 0, 8, 8))),
        scene("two_in_a_cell", "one_cell", boxes=[around(12, 12, 8, 7), around(11, 13, 7, 8)]),
        scene("two_in_a_cell_two_anchors", "one_cell", boxes=[around(12, 12, 8, 7), around(11, 13, 16, 13)]),
        scene("on_a_cell_border", "cell_border", boxes=[around(8, 12, 8, 7), around(12, 16, 15, 12)]),
        scene("on_the_image_border", "image_border", boxes=[around(24, 12, 8, 7), around(12, 24, 15, 12)]),
        scene("in_the_last_corner", "last_cell", boxes=[around(21, 22, 6, 4)]),
        scene("on_the_last_corner", "image_border", boxes=[around(24, 24, 8, 8)]),
        scene("more_truths_than_priors", "crowded", grids=CELL, boxes=[around(4, 4, 8, 8), around(3, 4, 6, 8), around(4, 5, 8, 6)]),
        scene("degenerate", "degenerate", boxes=[(4, 4, 4, 12), (12, 12, 12, 12), around(20, 20, 8, 8), (3, 9, 17, 9)]),
        scene("only_degenerate", "degenerate", boxes=[(12, 12, 12, 12)]),
        scene("two_shapes_alike", grids=TIED, boxes=[around(5, 5, 4, 4)]),
        scene("off_the_diagonal", "basic", boxes=[around(20, 4, 8, 7)]),
        scene("over_two_cells", "basic", boxes=[around(7, 12, 8, 7)]),
        scene("ignored_by_predictions", "ignored", "predicted", boxes=[around(12, 12, 8, 8)],
              predicted=away(18, p0=(8, 8, 16, 16), p4=(8, 8, 16, 16), p10=(8, 8, 16, 15), p17=(16, 16, 24, 24))),
        scene("at_the_ignore_threshold", "ignored", "predicted", boxes=[(0, 0, 10, 10)], predicted=away(18, **exactly)),
        scene("no_prior_ignored", "basic", boxes=[around(8.5, 12, 7.5, 8)]),
        scene("ignore_threshold_0.25", "ignored", "parameter", boxes=[around(9, 12, 8, 8)], ignore_threshold=0.25),
        scene("centre_at_zero", "zero_x", "image_border", boxes=[around(12, 12, 8, 7), around(0, 4, 6, 6), around(20, 20, 8, 8)]),
        scene("darknet_on_the_image_border", "dialect", "image_border", boxes=[around(24, 12, 8, 7), around(12, 24, 15, 12)],
              dialect="darknet"),
        scene("darknet_centre_at_zero", "dialect", "zero_x", boxes=[around(12, 12, 8, 7), around(0, 4, 6, 6), around(20, 20, 8, 8)],
              dialect="darknet"),
    ]  # fmt: skip


SMALL = scene("below_a_pixel", "basic", boxes=[around(10, 12.75, 0.5, 0.5), around(20, 4, 0.75, 7)])
FOLLOWING = scene("darknet_one_below_the_grid", "dialect", "image_border", boxes=[around(3, 24, 15, 12)], dialect="darknet")
WIDE_AND_TALL = scene("wide_and_tall", "extra", grids=TIED, boxes=[around(4.5, 4.5, 3.75, 9.25), around(1.25, 11.5, 16.5, 3.25),
                                                                     around(3.75, 3, 6, 1)])  # fmt: skip


def predicted_shapes() -> list[Scene]:
    """Truths go to the anchor whose predicted shape, in the truth's cell, is the most like theirs."""
    eight = [(-2, 0, 13, 12), (4, 2, 11, 12), (2, 6, 3, 11), (-2, 12, 10, 15), (-6, 3, 12, 16), (3, -1, 20, 12), (13, 5, 16, 5),
             (7, -2, 18, 3)]  # fmt: skip
    return [
        scene("darknet_predicted_shapes", "dialect", "predicted", "parameter", grids=TIED, predicted=eight, match="predicted",
              boxes=[around(16, 16, 6, 6), around(8.75, 9.25, 2.5, 7.25), around(4.5, 12.5, 1, 9.25)], dialect="darknet"),
        scene("predicted_shapes", "predicted", "parameter", match="predicted", boxes=[around(12, 12, 18, 7), around(20, 4, 7, 7)],
              predicted=away(18, p4=(0, 0, 8, 20), p13=(0, 0, 20, 8), p2=(2, 23, 10, 29), p11=(0, 0, 9, 10), p15=(9, 1, 16, 8),
                             p17=(9, 1, 16, 8))),
        scene("darknet_predicted_shape_below_the_grid", "dialect", "predicted", "image_border", boxes=[around(3, 24, 15, 12)],
              predicted=away(18, p9=(3, 2, 9, 7)), match="predicted", dialect="darknet"),
    ]  # fmt: skip


def clear(rng: random.Random) -> Scene:
    boxes = [box(rng, 24, 2, 20) for _ in range(rng.randint(1, 4))]
    predicted = [box(rng, 24, 2, 20) if rng.random() < 0.5 else rng.choice(boxes) for _ in range(18)]
    return scene("drawn", boxes=boxes, predicted=predicted)


def only_limits(module: ModuleType) -> Callable[[Ask, Mapping[str, Any], Mapping[str, Any]], Answer]:
    """darknet's cells without its end of the list."""

    def change(ask: Ask, inputs: Mapping[str, Any], parameters: Mapping[str, Any]) -> Answer:
        with replaced(module, visible=lambda truths, dialect: list(truths)):
            return ask(inputs, {**parameters, "dialect": "darknet"})

    return change


def list_ends(ask: Ask, inputs: Mapping[str, Any], parameters: Mapping[str, Any]) -> Answer:
    return ask({**inputs, "gt_boxes": yolov2.visible(inputs["gt_boxes"], "darknet")}, parameters)


def own_boxes(ask: Ask, inputs: Mapping[str, Any], parameters: Mapping[str, Any]) -> Answer:
    return ask({**inputs, "predicted_boxes": None}, parameters)


def first_keeps(ask: Ask, inputs: Mapping[str, Any], parameters: Mapping[str, Any]) -> Answer:
    answer = ask(inputs, parameters)
    index = list(answer["gt_index"])
    for prior, truth in reversed(answer["pairs"]):
        index[prior] = truth
    return {**answer, "gt_index": index}


def rounded_cells(ask: Ask, inputs: Mapping[str, Any], parameters: Mapping[str, Any]) -> Answer:
    with replaced(yolov2, cell=lambda d, position, cells, clamp: yolov1.cell(d, position + type(position)(1) / 2, cells, clamp)):
        return ask(inputs, parameters)


def turned(grids: Sequence[Grid]) -> list[int]:
    """Where each prior lands if the cell index is column * side + row."""
    found: list[int] = []
    for grid in grids:
        for _ in grid.shapes:
            first = len(found)
            found += [first + column * grid.height + row for row in range(grid.height) for column in range(grid.width)]
    return found


def swapped(ask: Ask, inputs: Mapping[str, Any], parameters: Mapping[str, Any]) -> Answer:
    """The rule on predictions that lie row by row, read column by column."""
    to = turned(inputs["grids"])
    predicted = inputs["predicted_boxes"]
    answer = ask({**inputs, "predicted_boxes": None if predicted is None else [predicted[k] for k in to]}, parameters)
    index = [0] * len(to)
    for k, code in enumerate(answer["gt_index"]):
        index[to[k]] = code
    return {"gt_index": index, "pairs": [[to[prior], truth] for prior, truth in answer["pairs"]]}


def each_grid(ask: Ask, inputs: Mapping[str, Any], parameters: Mapping[str, Any]) -> Answer:
    """The best anchor of each grid, with the ignore test as it would be."""
    index = list(ask(inputs, parameters)["gt_index"])
    pairs, first = [], 0
    for grid in inputs["grids"]:
        predicted = inputs["predicted_boxes"]
        part = ask({**inputs, "grids": [grid], "predicted_boxes": predicted and predicted[first : first + grid.count]}, parameters)
        for prior, truth in part["pairs"]:
            index[first + prior] = truth
            pairs.append([first + prior, truth])
        first += grid.count
    return {"gt_index": index, "pairs": pairs}


def deviations(module: ModuleType) -> tuple[Deviation, ...]:
    return (
        *CODED,
        IGNORED_AS_BACKGROUND,
        INCLUSIVE,
        Deviation(
            "cell_past_the_border", "the cell of a centre on the image's far border is not limited to the last one", "darknet",
            "The object is written into the next row, or the next anchor, or outside of the array.", only_limits(module), IN_PAPER,
        ),
        Deviation(
            "list_ends_at_zero", "the list of truths ends at the first whose centre is at x = 0", "darknet",
            "Every object after it is background.", list_ends, IN_PAPER,
        ),
        Deviation(
            "ignore_test_on_priors", "the ignore test looks at the priors' own boxes, not at the predicted ones", "mmdet's GridAssigner",
            "Predictions that have found an object from elsewhere are trained to deny it.", own_boxes, IN_PAPER,
        ),
        Deviation(
            "first_truth_keeps_the_prior", "of several truths that claim a prior the first keeps it", "ports",
            "Which of two objects in a cell is learned is the other one.", first_keeps,
        ),
        Deviation(
            "cell_rounded", "the cell is the centre rounded, not rounded down", "ports", "Half of the objects are learned one cell away.",
            rounded_cells, IN_PAPER,
        ),
        Deviation(
            "rows_and_columns_swapped", "a cell's place is column * side + row", "ports",
            "Objects are learned at the mirrored place; only those on the diagonal are right.", swapped, IN_PAPER,
        ),
        Deviation("as_in_the_paper", "the rule of the paper in place of the dialect's", "-", "None: it is the paper's rule.",
                  with_dialect("paper"), of_dialect("darknet")),
    )  # fmt: skip


TWO_GRIDS = scene(
    "two_grids", "grids", grids=TWO, boxes=[around(3, 3, 4, 5), around(11, 4, 9, 6), around(8, 8, 7, 15), around(9, 8, 13, 14)]
)
EACH_GRID = Deviation(
    "best_anchor_of_each_grid", "every grid's best anchor is positive, not the best one of all grids", "ports",
    "Anchors of sizes that do not fit are trained too.", each_grid, IN_PAPER,
)  # fmt: skip
NO_EXTRA = Deviation(
    "only_the_best_anchor", "each truth has its best anchor alone", "YOLOv3's rule",
    "Fewer positives than version 4 means to train.",
    lambda ask, inputs, parameters: ask(inputs, {**parameters, "iou_threshold": 1.0}), IN_PAPER,
)  # fmt: skip


def extra_scenes() -> list[Scene]:
    return [
        scene("two_anchors_fit", "extra", boxes=[around(12, 12, 12, 10)]),
        scene("at_the_anchor_threshold", "extra", "parameter", boxes=[around(12, 12, 8, 6)], iou_threshold=0.25),
        scene("all_anchors_fit", "extra", "grids", grids=TWO, boxes=[around(6, 6, 8, 8)]),
        scene("extra_meets_best", "extra", "one_cell", boxes=[around(12, 12, 8, 8), around(11, 11, 15, 12)]),
        scene("anchor_threshold_0.6", "extra", "parameter", boxes=[around(12, 12, 12, 10)], iou_threshold=0.6),
        scene("tie_of_all", "extra", grids=TIED, boxes=[around(5, 5, 4, 4)], iou_threshold=0.6),
    ]


def as_function(name: str, module: ModuleType, reference: Any, more: tuple[Deviation, ...]) -> Callable[[Sequence[Scene]], Function]:
    parts = {"gt_index": GT_INDEX, "pairs": PAIRS}
    return lambda scenes: Function(name, INPUTS, parts, reference, both, scenes, (*deviations(module), *more), FLAGS)


def functions() -> list[Function]:
    found = []
    for version, reference, module, threshold, more, extra in (
        (2, yolov2.yolov2, yolov2, 0.6, (), [SMALL, FOLLOWING, *predicted_shapes()]),
        (3, yolov3.yolov3, yolov2, 0.5, (EACH_GRID,), [TWO_GRIDS]),
        (4, yolov4.yolov4, yolov4, 0.7, (EACH_GRID, NO_EXTRA), [TWO_GRIDS, *extra_scenes(), SMALL, FOLLOWING, WIDE_AND_TALL]),
    ):
        make = as_function(f"assign.yolov{version}", module, reference, more)
        found.append(make([*by_hand(threshold), *extra, *draw(make, clear, 3, version)]))
    return found

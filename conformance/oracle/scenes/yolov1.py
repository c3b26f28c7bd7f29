"""Scenes of assign.yolov1: the responsible cell, and in it the responsible predictor. Everything is relative to the image."""

import random
from collections.abc import Mapping, Sequence
from typing import Any

from refloss_conformance.scenes import Input

from ..references import yolov1 as reference
from .common import (
    CODED,
    GT_INDEX,
    IN_PAPER,
    NOTES,
    PAIRS,
    both,
    draw,
    later_truths_first,
    of_dialect,
    replaced,
    with_dialect,
)
from .record import Answer, Ask, Deviation, Function, Scene
from .yolo import around

FLAGS = {
    **NOTES,
    "responsible": ("basic", "Of a cell's predictors the one of the highest IoU is responsible."),
    "distance": ("edge", "No predictor meets the truth: the one nearest in (x, y, w, h) is responsible."),
    "small": ("edge", "An object smaller than 0.005 of the image, which darknet drops."),
}
INPUTS = {
    "predicted_boxes": Input("floats", ("predictors", 4), "x1, y1, x2, y2 relative to the image; by row, column, predictor of the cell"),
    "gt_boxes": Input("floats", ("truths", 4), "ground-truth boxes: x1, y1, x2, y2 relative to the image"),
}
CELLS = [around((c + 0.5) / 2, (r + 0.5) / 2, 0.25, 0.25) for r in range(2) for c in range(2)]  # the middles of 2 x 2 cells
PAIR = [b for x1, y1, x2, y2 in CELLS for b in ((x1, y1, x2, y2), (x1 - 0.125, y1 - 0.125, x2 + 0.125, y2 + 0.125))]


def scene(slug: str, *flags: str, boxes: Any = (), predicted: Any = PAIR, grid: int = 2, **parameters: Any) -> Scene:
    def floats(rows: Any) -> Any:
        return [tuple(map(float, row)) for row in rows]

    return Scene(slug, flags, {"predicted_boxes": floats(predicted), "gt_boxes": floats(boxes)}, {"grid": grid, **parameters})


def lattice(side: int) -> list[Any]:
    """One predictor a cell of 7 x 7, all alike in size, on 1/64."""
    return [
        around(round((c + 0.5) * 64 / side) / 64, round((r + 0.5) * 64 / side) / 64, 0.125, 0.125) for r in range(side) for c in range(side)
    ]


def by_hand() -> list[Scene]:
    small, large = around(0.25, 0.25, 0.25, 0.25), around(0.25, 0.25, 0.5, 0.5)
    return [
        scene("small_predictor", "responsible", boxes=[small]),
        scene("large_predictor", "responsible", boxes=[large]),
        scene("a_truth_a_cell", "basic", boxes=[around(0.75, 0.25, 0.25, 0.25), around(0.25, 0.75, 0.5, 0.375), around(0.75, 0.75, 0.5,
            0.5)]),
        scene("default_grid", "basic", boxes=[around(0.5, 0.5, 0.25, 0.25), around(0.109375, 0.640625, 0.125, 0.125)],
            predicted=lattice(7), grid=7),
        scene("default_grid_empty_image", "empty_image", predicted=lattice(7), grid=7),
        scene("empty_image", "empty_image"),
        scene("two_in_a_cell", "one_cell", boxes=[small, large]),
        scene("two_in_a_cell_large_first", "one_cell", boxes=[large, small]),
        scene("on_the_cell_border", "cell_border", boxes=[around(0.5, 0.25, 0.25, 0.25), around(0.25, 0.5, 0.25, 0.25)]),
        scene("on_the_right_border", "image_border", boxes=[around(1, 0.25, 0.25, 0.25)]),
        scene("on_the_lower_border", "image_border", boxes=[around(0.25, 1, 0.25, 0.25)]),
        scene("on_the_corner", "image_border", boxes=[around(1, 1, 0.25, 0.25)]),
        scene("last_cell", "last_cell", boxes=[around(0.875, 0.9375, 0.25, 0.125)]),
        scene("more_truths_than_predictors", "crowded", grid=1, predicted=[(0.25, 0.25, 0.75, 0.75)], boxes=[small, large]),
        scene("degenerate", "degenerate", boxes=[(0.25, 0.25, 0.25, 0.5), (0.75, 0.75, 0.75, 0.75), around(0.75, 0.75, 0.25, 0.25)]),
        scene("degenerate_first_in_its_cell", "degenerate", "one_cell", boxes=[(0.25, 0.125, 0.25, 0.375), small]),
        scene("no_overlap", "distance", boxes=[around(0.0625, 0.0625, 0.0625, 0.0625)],
              predicted=[(0.5, 0.5, 0.75, 0.75), (0.25, 0.25, 0.375, 0.375), *PAIR[2:]]),
        scene("no_overlap_first_nearer", "distance", boxes=[around(0.0625, 0.0625, 0.0625, 0.0625)],
              predicted=[(0.25, 0.25, 0.375, 0.375), (0.5, 0.5, 0.75, 0.75), *PAIR[2:]]),
        scene("overlap_of_one", "responsible", boxes=[around(0.0625, 0.0625, 0.125, 0.125)],
              predicted=[(0.125, 0.125, 0.25, 0.25), (0, 0, 0.875, 0.875), *PAIR[2:]]),
        scene("two_predictors_alike", boxes=[small], predicted=[small, small, *PAIR[2:]]),
        scene("too_small_for_darknet", "small", boxes=[around(0.25, 0.25, 0.00390625, 0.25), small]),
        scene("darknet_too_small", "dialect", "small", boxes=[around(0.25, 0.25, 0.00390625, 0.25), small], dialect="darknet"),
        scene("darknet_on_the_right_border", "dialect", "image_border", boxes=[around(1, 0.25, 0.25, 0.25)], dialect="darknet"),
        scene("darknet_on_the_corner", "dialect", "image_border", boxes=[around(1, 1, 0.25, 0.25)], dialect="darknet"),
        scene("no_height", "degenerate", "distance", boxes=[(0.25, 0.125, 0.5, 0.125), around(0.234375, 0.21875, 0.0625, 0.265625)],
              predicted=[around(0.75, 0.359375, 0.59375, 0.09375), around(0.375, 0.953125, 0.0625, 0.390625), *PAIR[2:]]),
        scene("a_point_before_a_truth", "degenerate", boxes=[around(0.25, 0.25, 0, 0), around(0.15625, 0.65625, 0.234375, 0.1875)],
              predicted=[*PAIR[:4], around(0.109375, 0.65625, 0.0625, 0.5625), around(0.28125, 0.765625, 0.296875, 0.28125), *PAIR[6:]]),
        scene("larger_intersection_lower_iou", "responsible", boxes=[around(0.25, 0.25, 0.0625, 0.359375)],
              predicted=[around(0.5625, 0.125, 0.71875, 0.421875), around(0.3125, 0.015625, 0.234375, 0.3125), *PAIR[2:]]),
        scene("wide_truth", "responsible", boxes=[around(0.25, 0.25, 0.3125, 0.140625)],
              predicted=[around(0.28125, 0.625, 0.84375, 0.5), around(0.015625, 0.96875, 0.640625, 0.234375), *PAIR[2:]]),
        scene("wide_and_tall_predictors", "responsible", boxes=[around(0.25, 0.25, 0.125, 0.296875)],
              predicted=[around(0.34375, 0.28125, 0.859375, 0.140625), around(0.53125, 0.03125, 0.578125, 0.9375), *PAIR[2:]]),
        scene("darknet_moved_to_the_next_row", "dialect", "image_border", "responsible", boxes=[around(1, 0.484375, 0.0625, 0.140625)],
              predicted=[*PAIR[:4], around(0.390625, 0.921875, 0.484375, 0.578125), around(0.578125, 0.875, 0.1875, 0.203125), *PAIR[6:]],
              dialect="darknet"),
        scene("darknet_just_past_the_last_cell", "dialect", "image_border", boxes=[around(0.25, 1, 0.25, 0.25), around(1, 0.75, 0.25, 0.25),
              around(0.75, 0.75, 0.25, 0.25)], dialect="darknet"),
        scene("darknet_too_flat", "dialect", "small", boxes=[around(0.578125, 0.28125, 0.25, 0.00390625)], dialect="darknet"),
    ]  # fmt: skip


def clear(rng: random.Random) -> Scene:
    def one() -> Any:
        w, h = rng.randint(4, 40) / 64, rng.randint(4, 40) / 64
        return around(rng.randint(1, 63) / 64, rng.randint(1, 63) / 64, w, h)

    return scene("drawn", boxes=[one() for _ in range(rng.randint(1, 4))], predicted=[one() for _ in range(18)], grid=3)


def patched(**functions: Any) -> Any:
    def change(ask: Ask, inputs: Mapping[str, Any], parameters: Mapping[str, Any]) -> Answer:
        with replaced(reference, **functions):
            return ask(inputs, parameters)

    return change


CELL = reference.cell


def swapped(ask: Ask, inputs: Mapping[str, Any], parameters: Mapping[str, Any]) -> Answer:
    side = parameters["grid"]
    count = len(inputs["predicted_boxes"]) // side**2
    to = [(column * side + row) * count + b for row in range(side) for column in range(side) for b in range(count)]
    answer = ask({**inputs, "predicted_boxes": [inputs["predicted_boxes"][k] for k in to]}, parameters)
    index = [0] * len(to)
    for k, code in enumerate(answer["gt_index"]):
        index[to[k]] = code
    return {"gt_index": index, "pairs": [[to[prior], truth] for prior, truth in answer["pairs"]]}


def small_dropped(ask: Ask, inputs: Mapping[str, Any], parameters: Mapping[str, Any]) -> Answer:
    """A truth that darknet drops becomes one without area."""
    kept = [b if b[2] - b[0] >= 0.005 and b[3] - b[1] >= 0.005 else (b[0], b[1], b[0], b[1]) for b in inputs["gt_boxes"]]
    return ask({**inputs, "gt_boxes": kept}, parameters)


DEVIATIONS = (
    *CODED,
    Deviation(
        "cell_past_the_border", "the cell of a centre on the image's far border is not limited to the last one", "darknet",
        "The object is written into the next row, or is lost.", patched(cell=lambda d, at, cells, clamp: CELL(d, at, cells, False)),
        IN_PAPER,
    ),
    Deviation("small_objects_dropped", "objects below 0.005 of the image are dropped", "darknet", "They are trained as background.",
              small_dropped, IN_PAPER),
    Deviation(
        "last_truth_has_the_cell", "of several truths in a cell the last has it", "ports",
        "Which of two objects in a cell is learned is the other one.", later_truths_first,
    ),
    Deviation(
        "first_predictor_responsible", "a cell's first predictor is responsible, whatever it predicts", "ports",
        "The other predictors are never trained, and none of them specialises.",
        patched(iou=lambda box, other: 0 * box[0], distance=lambda box, truth: 0), IN_PAPER,
    ),
    Deviation(
        "first_predictor_where_none_overlaps", "where no predictor meets the truth the first is responsible", "ports",
        "Early in training, when little overlaps, one predictor takes all objects.", patched(distance=lambda box, truth: 0), IN_PAPER,
    ),
    Deviation(
        "rows_and_columns_swapped", "a cell's place is column * side + row", "ports",
        "Objects are learned at the mirrored place; only those on the diagonal are right.", swapped, IN_PAPER,
    ),
    Deviation(
        "cell_rounded", "the cell is the centre rounded, not rounded down", "ports", "Half of the objects are learned one cell away.",
        patched(cell=lambda d, at, cells, clamp: CELL(d, at + type(at)(1) / 2, cells, clamp)), IN_PAPER,
    ),
    Deviation("as_in_the_paper", "the rule of the paper in place of the dialect's", "-", "None: it is the paper's rule.",
              with_dialect("paper"), of_dialect("darknet")),
)  # fmt: skip


def function(scenes: Sequence[Scene]) -> Function:
    parts = {"gt_index": GT_INDEX, "pairs": PAIRS}
    return Function("assign.yolov1", INPUTS, parts, reference.yolov1, both, scenes, DEVIATIONS, FLAGS)


def functions() -> list[Function]:
    return [function([*by_hand(), *draw(function, clear, 3, 1)])]

"""Scenes of assign.scaled_yolov4: shapes within a ratio of 4, and the two nearest neighbours of the cell."""

import random
from collections.abc import Mapping, Sequence
from typing import Any

from refloss.priors.grid import Grid

from ..decisions import Decisions
from ..references import scaled_yolov4 as reference
from .common import CODED, GT_BOXES, GT_INDEX, IN_PAPER, NOTES, PAIRS, both, box, draw, of_dialect, replaced, with_dialect
from .record import Answer, Ask, Deviation, Function, Scene
from .yolo import GRIDS, around, first_keeps

FLAGS = {
    **NOTES,
    "neighbour": ("edge", "The truth also belongs to the cells that its centre is nearest to."),
    "middle": ("edge", "A centre in the middle of a cell, at fraction .5, has no nearer neighbour along that axis."),
    "ratio": ("edge", "A side exactly 4 times the anchor's does not match."),
    "grids": ("basic", "Every anchor of every grid whose shape is near enough has the truth."),
}
INPUTS = {"grids": GRIDS, "gt_boxes": GT_BOXES}
ONE = (Grid(((8.0, 8.0),), 8, 3, 3),)  # 24 x 24 pixels
TWO = (Grid(((4.0, 4.0), (8.0, 6.0)), 8, 2, 2), Grid(((14.0, 14.0),), 16, 1, 1))  # 16 x 16 pixels
CELL = (Grid(((8.0, 8.0),), 8, 1, 1),)


def scene(slug: str, *flags: str, grids: Any = ONE, boxes: Any = (), **parameters: Any) -> Scene:
    return Scene(slug, flags, {"grids": list(grids), "gt_boxes": [tuple(map(float, b)) for b in boxes]}, parameters)


def by_hand() -> list[Scene]:
    authors = {"dialect": "scaled_yolov4"}
    border = [around(24, 12, 8, 8)]
    return [
        scene("upper_left_of_its_cell", "neighbour", boxes=[around(10, 11, 8, 8)]),
        scene("lower_right_of_its_cell", "neighbour", boxes=[around(14, 13, 8, 8)]),
        scene("upper_right_of_its_cell", "neighbour", boxes=[around(13, 10, 8, 8)]),
        scene("in_the_middle", "middle", boxes=[around(12, 12, 8, 8)]),
        scene("in_the_middle_of_a_column", "middle", boxes=[around(12, 9, 8, 8)]),
        scene("empty_image", "empty_image"),
        scene("first_cell", "neighbour", boxes=[around(2, 3, 4, 6)]),
        scene("last_cell", "last_cell", boxes=[around(22, 21, 4, 6)]),
        scene("last_column", "last_cell", "neighbour", boxes=[around(23, 12, 2, 5)]),
        scene("on_a_cell_border", "cell_border", "neighbour", boxes=[around(8, 12, 8, 8)]),
        scene("on_the_first_cell_border", "cell_border", "neighbour", boxes=[around(8, 4, 8, 8)]),
        scene("on_the_right_border", "image_border", boxes=border),
        scene("on_the_lower_border", "image_border", boxes=[around(12, 24, 8, 8)]),
        scene("on_the_corner", "image_border", boxes=[around(24, 24, 8, 8)]),
        scene("at_the_left_border", "neighbour", boxes=[around(0, 12, 8, 8)]),
        scene("ratio_4_wide", "ratio", boxes=[around(12, 12, 2, 8)]),
        scene("ratio_4_tall", "ratio", grids=(Grid(((8.0, 4.0),), 8, 3, 3),), boxes=[around(12, 12, 8, 16)]),
        scene("ratio_below_4", "ratio", boxes=[around(12, 12, 2.25, 8)]),
        *too_large(),
        scene("ratio_2", "ratio", "parameter", boxes=[around(12, 12, 4, 8), around(4, 4, 4.25, 8)], ratio=2.0),
        scene("two_in_a_cell", "one_cell", boxes=[around(12, 12, 8, 8), around(11, 13, 6, 8)]),
        scene("neighbours_meet", "neighbour", "one_cell", boxes=[around(13, 12, 8, 8), around(20, 12, 8, 8)]),
        scene("neighbours_meet_otherwise", "neighbour", "one_cell", boxes=[around(20, 12, 8, 8), around(13, 12, 8, 8)]),
        scene("more_truths_than_priors", "crowded", grids=CELL, boxes=[around(4, 4, 8, 8), around(3, 5, 6, 6), around(5, 5, 6, 4)]),
        scene("degenerate", "degenerate", boxes=[(12, 12, 12, 20), (4, 4, 4, 4), around(19, 19, 6, 8)]),
        scene("two_grids", "grids", grids=TWO, boxes=[around(5, 5, 8, 8), around(12, 10, 3, 3)]),
        scene("no_shape_fits", "zero_iou", grids=TWO, boxes=[around(8, 8, 16, 1)]),
        scene("authors_on_the_right_border", "dialect", "image_border", boxes=border, **authors),
        scene("authors_on_the_corner", "dialect", "image_border", boxes=[around(24, 24, 8, 8)], **authors),
        scene("authors_on_the_first_cell_border", "dialect", "cell_border", "neighbour", boxes=[around(8, 4, 8, 8)], **authors),
    ]  # fmt: skip


def too_large() -> list[Scene]:
    """Truths that are more than 4 times as wide or as high as an anchor, whose other side fits."""
    crossed, authors = (Grid(((8.0, 2.0), (2.0, 6.0)), 8, 3, 3),), {"dialect": "scaled_yolov4"}
    return [
        scene("wider_and_taller", "ratio", grids=crossed, boxes=[around(7, 22, 39.75, 24.25), around(14, 11.75, 24.5, 2)], **authors),
        scene("wide_and_tall", "ratio", grids=crossed, boxes=[around(2.5, 21.25, 30.5, 0.5), around(11.5, 4, 0.75, 22.25)]),
        scene("wider_than_all", "ratio", "grids", grids=TWO, boxes=[around(13.25, 6.5, 32, 10.25)]),
        scene("flat", "ratio", grids=crossed, boxes=[around(4, 4.5, 29, 0.75)]),
        scene("authors_flat", "ratio", "dialect", "grids", grids=TWO, boxes=[around(16, 12.25, 29.75, 3.5), around(7, 11.25, 28.25, 0.75)],
              **authors),
    ]  # fmt: skip


def clear(rng: random.Random) -> Scene:
    return scene("drawn", grids=TWO, boxes=[box(rng, 16, 1, 14) for _ in range(rng.randint(1, 4))])


class RatioInclusive(Decisions):
    """A ratio of exactly 4 matches."""

    def __init__(self, ratio: Any) -> None:
        super().__init__()
        self.ratio = ratio

    def above(self, a: Any, b: Any) -> bool:
        return bool(a >= b if a == self.ratio else a > b)


STEP, CELL_OF = reference.step, reference.cell


def patched(**functions: Any) -> Any:
    def change(ask: Ask, inputs: Mapping[str, Any], parameters: Mapping[str, Any]) -> Answer:
        with replaced(reference, **functions):
            return ask(inputs, parameters)

    return change


def opposite(d: Decisions, position: Any, cells: int, dialect: str) -> int:
    """The farther neighbour, where there is one."""
    to = -STEP(d, position, cells, dialect)
    return to if 0 <= CELL_OF(d, position, cells, True) + to < cells else 0


def both_sides(d: Decisions, position: Any, cells: int, dialect: str) -> int:
    """A centre in the middle goes to the left and to the top."""
    home = CELL_OF(d, position, cells, True)
    return -1 if home > 0 and position == home + type(position)(1) / 2 else STEP(d, position, cells, dialect)


def past_the_grid(ask: Ask, inputs: Mapping[str, Any], parameters: Mapping[str, Any]) -> Answer | None:
    """The authors' code writes outside of the array for a centre on the far border in the last anchor; that is no answer."""
    return ask(inputs, {**parameters, "dialect": "scaled_yolov4"})


DEVIATIONS = (
    *CODED,
    Deviation(
        "ratio_of_4_matches", "<= for <: a side exactly 4 times the anchor's matches", "ports",
        "None in practice; answers differ for ratios of exactly 4.",
        lambda ask, inputs, parameters: ask(inputs, parameters, RatioInclusive(parameters["ratio"])),
    ),
    Deviation(
        "no_neighbour_cells", "only the truth's own cell is positive", "YOLOv3's and YOLOv4's rule",
        "A third of the positives, and x and y that reach beyond the cell are never trained.", patched(step=lambda *given: 0), IN_PAPER,
    ),
    Deviation(
        "opposite_neighbour_cells", "the neighbours on the far sides of the cell are positive", "ports (offsets added, not subtracted)",
        "Cells are trained to reach farther than (2 sigma - 0.5) can.", patched(step=opposite), IN_PAPER,
    ),
    Deviation(
        "middle_has_neighbours", "a centre at fraction .5 belongs to the left and upper neighbours too", "ports (<= .5 for < .5)",
        "None in practice; answers differ for centres exactly in the middle of a cell.", patched(step=both_sides), IN_PAPER,
    ),
    Deviation(
        "clamped_to_gain", "cells are limited to W and H, not to W - 1 and H - 1, and a centre at coordinate 1 has no neighbour before it",
        "ScaledYOLOv4; later YOLOs of the family limit to W - 1",
        "An object on the far border is written into the next row, the next anchor, or outside of the array.", past_the_grid, IN_PAPER,
    ),
    Deviation("first_truth_keeps_the_prior", "of several truths that claim a prior the first keeps it", "ports",
              "Which of two objects in a cell is learned is the other one.", first_keeps),
    Deviation("as_in_the_paper", "the rule of the paper in place of the dialect's", "-", "None: it is the paper's rule.",
              with_dialect("paper"), of_dialect("scaled_yolov4")),
)  # fmt: skip


def function(scenes: Sequence[Scene]) -> Function:
    parts = {"gt_index": GT_INDEX, "pairs": PAIRS}
    return Function("assign.scaled_yolov4", INPUTS, parts, reference.scaled_yolov4, both, scenes, DEVIATIONS, FLAGS)


def functions() -> list[Function]:
    return [function([*by_hand(), *draw(function, clear, 3, 4)])]

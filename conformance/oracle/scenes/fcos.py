"""Scenes of assign.fcos: ranges of sizes, the boundary at 64, areas alike in float32, and where the centre is."""

import math
import random
from collections.abc import Mapping, Sequence
from typing import Any

from refloss_conformance.scenes import Input

from ..decisions import Decisions
from ..references import fcos as reference
from .common import CODED, GT_BOXES, GT_INDEX, IN_PAPER, NOTES, box, draw, index_only, of_dialect, replaced, with_dialect
from .record import Answer, Ask, Deviation, Function, Scene

FLAGS = {
    **NOTES,
    "boundary": ("edge", "A side is exactly 64 long, which belongs to the next level, and to that alone."),
    "area_tie": ("edge", "Areas of 103 and 105 square pixels, which 1e8 - area in float32 takes for the same."),
    "border": ("edge", "A location on a truth's border is outside of it."),
    "radius": ("edge", "Centre sampling: locations far from the centre do not count, nor does what is outside of the truth."),
    "overlap": ("basic", "A location in several truths belongs to the smallest."),
}
INPUTS = {"locations": Input("floats", ("locations", 3), "x, y and the stride of their level, in pixels"), "gt_boxes": GT_BOXES}


def grid(stride: int, side: int, columns: int, first: int = 0) -> list[tuple[float, float, float]]:
    """Locations of a square piece of a level, from its cell `first` on."""
    places = [float(stride // 2 + stride * (first + i)) for i in range(columns)]
    return [(x, y, float(stride)) for y in places[:side] for x in places]


# Five levels of an image of 256 x 256: a few locations around its middle at each.
LEVELS = [*grid(8, 3, 3, 15), *grid(16, 2, 2, 7), *grid(32, 2, 2, 3), *grid(64, 2, 2, 1), *grid(128, 2, 2, 0)]
SMALL = [*grid(8, 3, 3)]  # one level of 24 x 24 pixels
ALL = {"size_ranges": ((0.0, math.inf),)}


def scene(slug: str, *flags: str, boxes: Any = (), at: Any = LEVELS, dtypes: Any = ("float64", "float32"), **parameters: Any) -> Scene:
    return Scene(slug, flags, {"locations": list(at), "gt_boxes": [tuple(map(float, b)) for b in boxes]}, parameters, dtypes)


AT_64 = [(60, 110, 180, 146), (56, 100, 180, 150)]  # 64 to the left of (124, y) at stride 8, and of (120, y) at stride 16
TIES = [(120.0, 127.5, 128.0, 140.625), (120.0, 127.75, 128.0, 140.625)]  # areas 105 and 103, both hold (124, 132)


def by_hand() -> list[Scene]:
    small = {"at": SMALL, **ALL}
    official = {"dialect": "official"}
    return [
        scene("one_truth_a_level", "basic", boxes=[(112, 118, 150, 144), (60, 70, 190, 180), (8, 20, 250, 230)]),
        scene("empty_image", "empty_image"),
        scene("small_empty_image", "empty_image", "parameter", **small),
        scene("small_one_truth", "basic", "parameter", boxes=[(2, 2, 22, 22)], **small),
        scene("small_two_overlapping", "overlap", "parameter", boxes=[(0, 0, 24, 24), (1, 1, 13, 13)], **small),
        scene("small_two_alike", "parameter", boxes=[(1, 1, 13, 13), (1, 1, 13, 13)], at=SMALL[:2], **ALL),
        scene("small_two_in_a_cell", "one_cell", "parameter", boxes=[(1, 1, 7, 7), (2, 2, 6, 6)], **small),
        scene("small_location_on_the_border", "border", "parameter", boxes=[(4, 4, 20, 20)], **small, radius=None),
        scene("small_more_truths_than_locations", "crowded", "parameter", at=SMALL[:1], **ALL,
              boxes=[(0, 0, 8, 8), (1, 1, 7, 7), (2, 2, 6, 6)]),
        scene("small_degenerate", "degenerate", "parameter", boxes=[(4, 4, 4, 20), (12, 12, 12, 12), (10, 3, 14, 3)], **small),
        scene("small_between_the_locations", "zero_iou", "parameter", boxes=[(5, 5, 11, 11)], **small),
        scene("small_beside_a_short_truth", "radius", "parameter", boxes=[(9, 9, 13, 14)], **small),
        scene("small_no_sampling", "parameter", "radius", boxes=[(1, 1, 23, 23)], **small, radius=None),
        scene("small_radius_of_half_a_stride", "parameter", "radius", boxes=[(1, 1, 23, 23)], **small, radius=0.5),
        scene("small_at_the_radius", "parameter", "radius", boxes=[(1, 1, 23, 23)], **small, radius=1.0),
        scene("small_reach", "parameter", "radius", boxes=[(0, 0, 24, 9)], **small),
        scene("a_side_of_64", "boundary", boxes=AT_64[:1]),
        scene("two_with_a_side_of_64", "boundary", boxes=AT_64),
        scene("a_side_of_128", "boundary", boxes=[(24, 60, 210, 190)]),
        scene("areas_of_103_and_105", "area_tie", boxes=TIES),
        scene("inside_a_large_one", "overlap", boxes=[(100, 100, 160, 160), (118, 118, 142, 142)]),
        scene("official_a_side_of_64", "dialect", "boundary", boxes=AT_64[:1], **official),
        scene("official_two_with_a_side_of_64", "dialect", "boundary", boxes=AT_64, **official),
        scene("torchvision_two_with_a_side_of_64", "dialect", "boundary", boxes=AT_64, dialect="torchvision"),
        scene("mmdet_two_with_a_side_of_64", "dialect", "boundary", boxes=AT_64, dialect="mmdet"),
        scene("torchvision_areas_of_103_and_105", "dialect", "area_tie", "rounding", boxes=TIES, dialect="torchvision",
              dtypes=("float32",)),
        scene("torchvision_areas_of_103_and_105_in_float64", "dialect", "area_tie", boxes=TIES, dialect="torchvision",
              dtypes=("float64",)),
    ]  # fmt: skip


def clear(rng: random.Random) -> Scene:
    return scene("drawn", boxes=[box(rng, 256, 8, 240) for _ in range(rng.randint(1, 4))])


class BorderInside(Decisions):
    """A distance of 0 to a side is inside."""

    def above(self, a: Any, b: Any) -> bool:
        return bool(a >= b if isinstance(b, int) and b == 0 else a > b)


FITS, MERIT = reference.fits, reference.merit


def both_levels(*given: Any) -> bool:
    return FITS(*given[:-1], "official")


def no_level(*given: Any) -> bool:
    with replaced(reference, merit=lambda truth, dialect: type(truth[0])(1e8) + MERIT(truth, "paper")):
        return FITS(*given[:-1], "torchvision")


def beyond(d: Decisions, x: Any, y: Any, stride: Any, truth: Sequence[Any], low: Any, high: Any, radius: Any, dialect: str) -> bool:
    """Inside of the sampled square counts, whether inside of the truth or not."""
    reach = type(x)(radius) * stride
    u, v = (truth[0] + truth[2]) / 2, (truth[1] + truth[3]) / 2
    grown = (min(truth[0], u - reach), min(truth[1], v - reach), max(truth[2], u + reach), max(truth[3], v + reach))
    far = max(x - truth[0], y - truth[1], truth[2] - x, truth[3] - y)
    return FITS(d, x, y, stride, grown, 0.0, math.inf, radius, dialect) and bool(low <= far < high)


def patched(**functions: Any) -> Any:
    def change(ask: Ask, inputs: Mapping[str, Any], parameters: Mapping[str, Any]) -> Answer:
        with replaced(reference, **functions):
            return ask(inputs, parameters)

    return change


def sampled(parameters: Mapping[str, Any]) -> bool:
    return IN_PAPER(parameters) and parameters["radius"] is not None


DEVIATIONS = (
    *CODED,
    Deviation(
        "boundary_on_both_levels", "a size exactly at the limit of two levels belongs to both", "FCOS's own code, mmdet",
        "Objects of exactly that size are learned twice.", patched(fits=both_levels), IN_PAPER,
    ),
    Deviation(
        "boundary_on_no_level", "a size exactly at the limit of two levels belongs to neither", "torchvision, detectron2",
        "Objects of exactly that size are missed at these locations.", patched(fits=no_level), IN_PAPER,
    ),
    Deviation(
        "area_tie_in_float32", "the smallest area is found as the largest 1e8 - area, which float32 rounds to multiples of 8",
        "torchvision, detectron2", "Of two objects of nearly the same size the first gets the location, whichever is smaller.",
        patched(merit=lambda truth, dialect: MERIT(truth, "torchvision")), IN_PAPER,
    ),
    Deviation(
        "no_centre_sampling", "every location inside of a truth is positive", "FCOS's first version, mmdet's default",
        "Locations at an object's edge are trained as positives; their boxes are poor.",
        lambda ask, inputs, parameters: ask(inputs, {**parameters, "radius": None}), sampled,
    ),
    Deviation(
        "centre_sampling_beyond_the_truth", "the sampled square around the centre is not cut off at the truth's sides", "ports",
        "Locations outside of small objects get distances below 0, whose logarithm or square root is NaN.", patched(fits=beyond), sampled,
    ),
    Deviation(
        "border_is_inside", "a location exactly on a truth's side counts as inside", "ports (>= 0 for > 0)",
        "A distance is 0 there, and the logarithm of the IoU, or the centre-ness, degenerates.",
        lambda ask, inputs, parameters: ask(inputs, parameters, BorderInside()),
    ),
    Deviation(
        "largest_truth_wins", "a location in several truths belongs to the largest", "ports",
        "Small objects in front of large ones are not learned.", patched(merit=lambda truth, dialect: -MERIT(truth, "paper")), IN_PAPER,
    ),
    Deviation(
        "first_truth_wins", "a location in several truths belongs to the first of them", "ports",
        "Which object is learned depends on the order of the annotations.", patched(merit=lambda truth, dialect: 0), IN_PAPER,
    ),
    Deviation(
        "as_in_the_paper", "the rule of the paper in place of the dialect's", "-", "None: it is the paper's rule.",
        with_dialect("paper"), of_dialect("official", "mmdet", "torchvision"),
    ),
)  # fmt: skip


def function(scenes: Sequence[Scene]) -> Function:
    return Function("assign.fcos", INPUTS, {"gt_index": GT_INDEX}, reference.fcos, index_only, scenes, DEVIATIONS, FLAGS)


def functions() -> list[Function]:
    return [function([*by_hand(), *draw(function, clear, 4, 14)])]

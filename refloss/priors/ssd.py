"""SSD's default boxes."""

import itertools
import math
from collections.abc import Sequence
from typing import Any, Literal, TypedDict

import numpy as np
from numpy.typing import DTypeLike

from .._engine import check
from .._engine.record import Array
from ..errors import bad_value
from . import arguments
from .arguments import Size
from .cells import around, corners_of, points

CLIPS, ORDERS = ("none", "corners", "size", "centre_size"), ("extra_second", "extra_last")


class SSDSettings(TypedDict):
    """Arguments of `ssd_default_boxes` that belong together: `ssd_default_boxes(**SSD300)`."""

    image_size: Size
    feature_maps: Sequence[Size]
    sizes: Sequence[float]
    aspect_ratios: Sequence[Sequence[float]]
    steps: Sequence[float] | None


def ssd_sizes(
    image_size: int, levels: int, *, scales: tuple[float, float] = (0.2, 0.9), first_scale: float | None = 0.1,
    rounding: Literal["none", "caffe"] = "none",
) -> tuple[float, ...]:  # fmt: skip
    """Sizes of SSD's default boxes (Liu et al. 2016, eq. 4): s_k = s_min + (s_max - s_min) (k - 1) / (m - 1), times the image.

    Arguments:
        image_size: pixels, of the shorter side.
        levels: number of feature maps.
        scales: (s_min, s_max). The paper's: (0.2, 0.9) for 300 pixels on VOC; s_min 0.15 for 300 on COCO and 512 on VOC; 0.1 for
            512 on COCO.
        first_scale: of the first map, conv4_3, which then is not one of the m: 0.1, 0.07, 0.07 and 0.04 in the same order.
            None: all maps follow the formula.
        rounding: "none" is the formula: 30, 60, 112.5, 165, 217.5, 270. "caffe" is what the authors' code makes of it: scales and
            their step in whole per cent, rounded down, and sizes cut to whole pixels: 30, 60, 111, 162, 213, 264.

    Returns levels + 1 sizes in pixels: the last serves the extra box of the last map only, and continues the series.

    Raises ReflossError for scales outside (0, 1] or with s_min above s_max, too few levels, or scales in parts of a per cent with "caffe".

    >>> ssd_sizes(300, 6)
    (30.0, 60.0, 112.5, 165.0, 217.5, 270.0, 322.5)
    >>> ssd_sizes(300, 6, rounding="caffe")
    (30.0, 60.0, 111.0, 162.0, 213.0, 264.0, 315.0)
    >>> ssd_sizes(512, 7, scales=(0.15, 0.9), first_scale=0.07, rounding="caffe")
    (35.0, 76.0, 153.0, 230.0, 307.0, 384.0, 460.0, 537.0)

    Elsewhere: torchvision's generator and TensorFlow's end the series with scale 1 instead, unless scales are given.
    """
    name = "ssd_sizes"
    pixels, count = arguments.whole(name, "image_size", image_size), arguments.whole(name, "levels", levels)
    exact = check.choice(name, "rounding", rounding, ("none", "caffe")) == 0
    given = [*scales] if first_scale is None else [*scales, first_scale]
    numbers = arguments.positive(name, "scales", given, "fractions of the image", "give scales=(0.2, 0.9), first_scale=0.1")
    if len(numbers) != (2 if first_scale is None else 3) or max(numbers) > 1 or numbers[0] >= numbers[1]:
        bad_value(
            name, "scales", "(s_min, s_max) and first_scale with 0 < s_min < s_max <= 1", repr(given), "the paper's is (0.2, 0.9), 0.1"
        )
    first = numbers[2:]
    gaps = count - len(first) - 1
    if gaps < 1:
        bad_value(name, "levels", f"at least {2 + len(first)}", f"{count}", "with one map, give its two sizes yourself")
    if exact:
        step = (numbers[1] - numbers[0]) / gaps
        series = [*first, *(numbers[0] + k * step for k in range(gaps + 2))]
        return tuple(round(pixels * s, 9) for s in series)
    per_cent = [round(100 * s) for s in numbers]
    if any(abs(100 * s - whole) > 1e-9 for s, whole in zip(numbers, per_cent, strict=True)):
        bad_value(name, "scales", 'whole per cents with rounding="caffe"', repr(given), 'use rounding="none"')
    stride = (per_cent[1] - per_cent[0]) // gaps
    whole_series = [*per_cent[2:], *(per_cent[0] + k * stride for k in range(gaps + 2))]
    return tuple(float(pixels * s // 100) for s in whole_series)


_RATIOS_300 = ((2.0,), (2.0, 3.0), (2.0, 3.0), (2.0, 3.0), (2.0,), (2.0,))
_RATIOS_512 = ((2.0,), (2.0, 3.0), (2.0, 3.0), (2.0, 3.0), (2.0, 3.0), (2.0,), (2.0,))


def _settings(image: int, maps: tuple[int, ...], steps: tuple[int, ...], ratios: Any, s_min: float, first: float) -> SSDSettings:
    sizes = ssd_sizes(image, len(maps), scales=(s_min, 0.9), first_scale=first, rounding="caffe")
    return SSDSettings(image_size=image, feature_maps=maps, sizes=sizes, aspect_ratios=ratios, steps=steps)


# The authors' Caffe settings. SSD300 has the sizes 30, 60, 111, 162, 213, 264 (315) on VOC, and 21, 45, 99, 153, 207, 261 (315) on COCO.
_MAPS = (38, 19, 10, 5, 3, 1), (8, 16, 32, 64, 100, 300), _RATIOS_300
SSD300, SSD300_COCO = _settings(300, *_MAPS, 0.2, 0.1), _settings(300, *_MAPS, 0.15, 0.07)
_MAPS_512 = (64, 32, 16, 8, 4, 2, 1), (8, 16, 32, 64, 128, 256, 512), _RATIOS_512
SSD512, SSD512_COCO = _settings(512, *_MAPS_512, 0.15, 0.07), _settings(512, *_MAPS_512, 0.1, 0.04)


def ssd_default_boxes(
    image_size: Size, feature_maps: Sequence[Size], sizes: Sequence[float], aspect_ratios: Sequence[Sequence[float]], *,
    steps: Sequence[float | tuple[float, float]] | None = None, clip: Literal["none", "corners", "size", "centre_size"] = "none",
    order: Literal["extra_second", "extra_last"] = "extra_second", dtype: DTypeLike = np.float32,
) -> Array:  # fmt: skip
    """SSD's default boxes (Liu et al. 2016, section 2.2) for any feature maps, xyxy in pixels.

    In each cell of map k: a square of size s_k, one of size sqrt(s_k s_{k+1}), and for each aspect ratio r a box s_k sqrt(r) wide and
    s_k / sqrt(r) high and the same turned by 90 degrees. Centres lie at (i + 0.5) times the step.

    Ready settings, the authors': `ssd_default_boxes(**SSD300)`, `SSD300_COCO`, `SSD512`, `SSD512_COCO`. Theirs differ from the
    paper's formulas in `sizes` (see `ssd_sizes`) and in `steps` (38 steps of 8 pixels are 304): for the paper's 300 boxes, give
    `{**SSD300, "sizes": ssd_sizes(300, 6), "steps": None}`.

    Arguments:
        image_size: pixels, of a square or as (height, width).
        feature_maps: cells of each map, of a square or as (height, width).
        sizes: s_k in pixels, one more than there are maps.
        aspect_ratios: for each map the ratios r = width / height other than 1; each gives two boxes.
        steps: for each map the pixels from cell to cell, or (down, across); None is the paper's, image size / map size.
        clip: "none" (the authors' released models). "corners" clips x1, y1, x2, y2 to the image (Caffe's `clip`). "size" clips
            width and height to the image's (torchvision). "centre_size" also clips the centre to the image (ssd.pytorch).
        order: within a cell. "extra_second": s_k, sqrt(s_k s_{k+1}), then r and 1 / r for each ratio (Caffe, ssd.pytorch,
            torchvision). "extra_last": the extra box after the ratios (TensorFlow's object detection API).
        dtype: float32 or float64. Computed in float64, rounded once.

    Returns (n, 4): map after map, by row, then column, then box of the cell.

    Raises ReflossError for lists of the wrong length, sizes or ratios that are not positive, or an aspect ratio of 1 (always there).

    >>> len(ssd_default_boxes(**SSD300)), len(ssd_default_boxes(**SSD512))
    (8732, 24564)
    >>> print(ssd_default_boxes(**SSD300)[:4].round(3))
    [[-11.    -11.     19.     19.   ]
     [-17.213 -17.213  25.213  25.213]
     [-17.213  -6.607  25.213  14.607]
     [ -6.607 -17.213  14.607  25.213]]

    Elsewhere: torchvision scales widths by the image's width and heights by its height, so that "squares" of an oblong image are
    oblong, and its SSD300 has the sizes of `SSD300_COCO` with clip="size".
    """
    name = "ssd_default_boxes"
    image = arguments.size(name, "image_size", image_size)
    maps = arguments.maps(name, feature_maps)
    way_out = "the last is for the last map's extra box; see ssd_sizes"
    numbers = arguments.positive(name, "sizes", sizes, "positive sizes in pixels", way_out)
    if len(numbers) != len(maps) + 1:
        bad_value(name, "sizes", f"{len(maps) + 1} numbers for {len(maps)} feature maps", f"{len(numbers)}", way_out)
    ratios = _ratios(name, aspect_ratios, len(maps))
    if steps is None:
        pitch = [(image[0] / height, image[1] / width) for height, width in maps]
    else:
        pitch = arguments.steps(name, "steps", steps, len(maps))
    last = check.choice(name, "order", order, ORDERS) == 1
    mode = CLIPS[check.choice(name, "clip", clip, CLIPS)]
    limit = np.array([image[1], image[0]], np.float64)
    blocks = []
    for size, step, (small, large), pairs in zip(maps, pitch, itertools.pairwise(numbers), ratios, strict=True):
        shapes = _shapes(small, large, pairs, last)
        centres = points(size, step, 0.5)
        if mode in ("size", "centre_size"):
            shapes = np.minimum(shapes, limit)
        if mode == "centre_size":
            centres = np.minimum(centres, limit)
        boxes = around(centres, corners_of(shapes))
        blocks.append(np.clip(boxes, 0, np.tile(limit, 2)) if mode == "corners" else boxes)
    return arguments.rounded(name, np.concatenate(blocks), dtype)


def _shapes(small: float, large: float, ratios: list[float], last: bool) -> Array:
    """(width, height) of a cell's boxes."""
    extra = math.sqrt(small * large)
    turned = [(small * math.sqrt(one), small / math.sqrt(one)) for r in ratios for one in (r, 1 / r)]
    return np.array([(small, small), *turned, (extra, extra)] if last else [(small, small), (extra, extra), *turned])


def _ratios(function: str, aspect_ratios: Any, levels: int) -> list[list[float]]:
    wanted, way_out = f"{levels} lists of ratios other than 1, one for each feature map", "give ((2,), (2, 3)) for two"
    lists = arguments.each(function, "aspect_ratios", aspect_ratios, wanted, way_out)
    if len(lists) != levels:
        bad_value(function, "aspect_ratios", wanted, f"{len(lists)}", way_out)
    ratios = [arguments.positive(function, "aspect_ratios", one, wanted, way_out) if np.size(one) else [] for one in lists]
    if any(r == 1 for one in ratios for r in one):
        bad_value(function, "aspect_ratios", wanted, repr(aspect_ratios), "leave out 1, whose two boxes are always there")
    for one in ratios:
        if len({max(r, 1 / r) for r in one}) < len(one):
            bad_value(function, "aspect_ratios", "ratios that differ, of r and 1 / r only one", repr(one), "each ratio makes both boxes")
    return ratios

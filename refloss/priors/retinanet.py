"""RetinaNet's anchors."""

import math
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import DTypeLike

from .._engine import check
from .._engine.record import Array
from ..errors import bad_value
from . import arguments
from .arguments import Size
from .cells import around, corners_of, points

STRIDES = (8, 16, 32, 64, 128)  # of P3 to P7


def feature_maps_of(function: str, image: tuple[int, int], feature_maps: Any, strides: list[tuple[float, float]]) -> list[tuple[int, int]]:
    """The maps given, or as many cells as cover the image."""
    if feature_maps is None:
        return [(math.ceil(image[0] / down), math.ceil(image[1] / across)) for down, across in strides]
    maps = arguments.maps(function, feature_maps)
    if len(maps) != len(strides):
        bad_value(function, "feature_maps", f"{len(strides)} sizes, one for each stride", f"{len(maps)}", "give strides too")
    return maps


def retinanet_anchors(
    image_size: Size, *, feature_maps: Sequence[Size] | None = None, strides: Sequence[float | tuple[float, float]] = STRIDES,
    sizes: Sequence[float] = (32, 64, 128, 256, 512), scales: Sequence[float] = (1.0, 2 ** (1 / 3), 2 ** (2 / 3)),
    aspect_ratios: Sequence[float] = (0.5, 1.0, 2.0), rounding: Literal["none", "torchvision"] = "none",
    centring: Literal["corner", "half_stride"] = "corner", order: Literal["by_ratio", "by_scale"] = "by_ratio",
    dtype: DTypeLike = np.float32,
) -> Array:  # fmt: skip
    """RetinaNet's anchors (Lin et al. 2017, section 4), xyxy in pixels: areas 32^2 to 512^2 on P3 to P7, three scales by three ratios.

    An anchor of size s, scale c and aspect ratio r has the area (s c)^2: it is s c / sqrt(r) wide and s c sqrt(r) high.

    Arguments:
        image_size: pixels, of a square or as (height, width).
        feature_maps: cells of each map, of a square or as (height, width); None: the cells that cover the image, rounded up.
        strides: for each map the pixels from cell to cell, or (down, across).
        sizes: for each map the side of the square anchor of scale 1.
        scales: factors of each size.
        aspect_ratios: r = height / width, as torchvision and detectron2; for width / height give the reciprocals.
        rounding: "none" is the paper's, detectron2's and mmdetection's. "torchvision": sizes times scales are cut to whole pixels,
            as its RetinaNet's are, and the corners of the anchor around (0, 0) rounded, halves to even.
        centring: "corner": the first anchor's centre is (0, 0) (torchvision, detectron2, mmdetection). "half_stride": it is the
            middle of the first cell (KerasCV, automl).
        order: within a cell. "by_ratio": all scales of the first ratio, then of the next (torchvision). "by_scale": all
            ratios of the first scale, then of the next (detectron2, KerasCV).
        dtype: float32 or float64. Computed in float64, rounded once.

    Returns (n, 4): map after map, by row, then column, then anchor of the cell. Anchors may leave the image; none is dropped.

    Raises ReflossError for lists of different lengths, or numbers that are not positive.

    >>> anchors = retinanet_anchors(640)
    >>> print(anchors.shape, anchors[3], anchors[-1].round(2))
    (76725, 4) [-16. -16.  16.  16.] [ 224.65  -62.7   799.35 1086.7 ]
    >>> retinanet_anchors(640, rounding="torchvision")[:3].tolist()
    [[-23.0, -11.0, 23.0, 11.0], [-28.0, -14.0, 28.0, 14.0], [-35.0, -18.0, 35.0, 18.0]]

    Elsewhere: torchvision's strides are image size // map size, 114 instead of 128 for P7 of 800 pixels (7 cells): give strides to
    get them. Before detectron2, Detectron's anchors had corners inclusive, one pixel less.
    """
    name = "retinanet_anchors"
    image = arguments.size(name, "image_size", image_size)
    way_out = "give one for each feature map"
    numbers = arguments.positive(name, "sizes", sizes, "positive sizes in pixels", way_out)
    steps = arguments.steps(name, "strides", strides, len(numbers))
    maps = feature_maps_of(name, image, feature_maps, steps)
    factors = arguments.positive(name, "scales", scales, "positive numbers", "the paper's are 1, 2 ** (1 / 3), 2 ** (2 / 3)")
    ratios = arguments.positive(name, "aspect_ratios", aspect_ratios, "positive ratios height / width", "the paper's are 0.5, 1, 2")
    whole = check.choice(name, "rounding", rounding, ("none", "torchvision")) == 1
    offset = 0.5 * check.choice(name, "centring", centring, ("corner", "half_stride"))
    by_scale = check.choice(name, "order", order, ("by_ratio", "by_scale")) == 1
    if whole and min(numbers) * min(factors) < 1:
        bad_value(name, "sizes", 'at least 1 pixel with rounding="torchvision"', f"{min(numbers) * min(factors):g}", 'use rounding="none"')
    blocks = []
    for size, cells, step in zip(numbers, maps, steps, strict=True):
        sides = np.array(factors) * size
        root = np.sqrt(np.array(ratios))[:, None]
        if whole:
            sides = np.floor(sides)
        shapes = np.stack([sides / root, sides * root], axis=-1)  # (ratios, scales, 2)
        corners = corners_of((shapes.swapaxes(0, 1) if by_scale else shapes).reshape(-1, 2))
        blocks.append(around(points(cells, step, offset), np.round(corners) if whole else corners))
    return arguments.rounded(name, np.concatenate(blocks), dtype)

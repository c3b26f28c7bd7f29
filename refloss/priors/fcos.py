"""FCOS's locations."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import DTypeLike

from .._engine.record import Array
from . import arguments
from .arguments import Size
from .cells import cells
from .retinanet import STRIDES, feature_maps_of

# Of max(l, t, r, b) in pixels, for P3 to P7 (section 3.2: m2 to m7).
FCOS_SIZE_RANGES = ((0.0, 64.0), (64.0, 128.0), (128.0, 256.0), (256.0, 512.0), (512.0, math.inf))


def fcos_locations(
    image_size: Size, *, feature_maps: Sequence[Size] | None = None, strides: Sequence[int] = STRIDES, dtype: DTypeLike = np.float32
) -> Array:
    """FCOS's locations (Tian et al. 2019, section 3.1): (floor(s / 2) + x s, floor(s / 2) + y s), near the middle of each cell.

    Arguments:
        image_size: pixels, of a square or as (height, width).
        feature_maps: cells of each map, of a square or as (height, width); None: the cells that cover the image, rounded up.
        strides: s, whole pixels from cell to cell, for each map.
        dtype: float32 or float64.

    Returns (n, 3), rows (x, y, stride) in pixels: map after map, by row, then column. `FCOS_SIZE_RANGES` has the paper's range of
    distances for each of the five strides.

    Raises ReflossError for strides that are not positive whole numbers, or feature maps of another number.

    >>> locations = fcos_locations((800, 1024))
    >>> locations.shape, locations[[0, 1, 128, -1]].tolist()
    ((17064, 3), [[4.0, 4.0, 8.0], [12.0, 4.0, 8.0], [4.0, 12.0, 8.0], [960.0, 832.0, 128.0]])

    Elsewhere: torchvision's locations are the cells' corners, (x s, y s).
    """
    name = "fcos_locations"
    image = arguments.size(name, "image_size", image_size)
    given = arguments.each(name, "strides", strides, "a whole number of pixels for each feature map", "give (8, 16, 32, 64, 128)")
    steps = [arguments.whole(name, "strides", s) for s in given]
    blocks = []
    for (height, width), s in zip(feature_maps_of(name, image, feature_maps, [(s, s) for s in steps]), steps, strict=True):
        row, column = cells(height, width)
        blocks.append(np.stack([s // 2 + column * s, s // 2 + row * s, np.full(row.size, float(s))], axis=1))
    return arguments.rounded(name, np.concatenate(blocks), dtype)

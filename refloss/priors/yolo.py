"""YOLO's priors: the cells of version 1, and the anchor shapes and grids of versions 2 to 4."""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from .._engine import check
from .._engine.record import Array
from ..errors import bad_type, bad_value
from . import arguments
from .arguments import Size
from .cells import cells
from .grid import Grid

Shapes = Sequence[tuple[float, float]]  # (width, height) of each anchor
Scales = Sequence[Shapes] | Array  # the same for each grid
STRIDES = (8, 16, 32)
# In cells of 32 pixels, as the authors' yolov2-voc.cfg and yolov2.cfg print them.
YOLOV2_SHAPES = {
    "voc": ((1.3221, 1.73145), (3.19275, 4.00944), (5.05587, 8.09892), (9.47112, 4.84053), (11.2364, 10.0071)),
    "coco": ((0.57273, 0.677385), (1.87446, 2.06253), (3.33843, 5.47434), (7.88282, 3.52778), (9.77052, 9.16828)),
}
# In pixels, finest scale first.
YOLOV3_SHAPES = (((10, 13), (16, 30), (33, 23)), ((30, 61), (62, 45), (59, 119)), ((116, 90), (156, 198), (373, 326)))
YOLOV4_SHAPES = (((12, 16), (19, 36), (40, 28)), ((36, 75), (76, 55), (72, 146)), ((142, 110), (192, 243), (459, 401)))
SCALED_YOLOV4_SHAPES: dict[str, Scales] = {
    "csp": YOLOV4_SHAPES,
    "p5": (
        ((13, 17), (31, 25), (24, 51), (61, 45)),
        ((48, 102), (119, 96), (97, 189), (217, 184)),
        ((171, 384), (324, 451), (616, 618), (800, 800)),
    ),
    "p6": (
        ((13, 17), (31, 25), (24, 51), (61, 45)),
        ((61, 45), (48, 102), (119, 96), (97, 189)),
        ((97, 189), (217, 184), (171, 384), (324, 451)),
        ((324, 451), (545, 357), (616, 618), (1024, 1024)),
    ),
}


def yolov1_cells(grid: int = 7, boxes: int = 2, *, dtype: DTypeLike = np.float32) -> Array:
    """What YOLOv1's head regresses from (Redmon et al. 2016, section 2): B predictors in each of S x S cells.

    Arguments:
        grid: S, cells along each side of the image.
        boxes: B, predictors of each cell.
        dtype: float32 or float64.

    Returns (S S B, 3), rows (column, row, S): by row, then column, then predictor.

    Raises ReflossError for anything but positive whole numbers.

    >>> yolov1_cells()[[0, 1, 2, 14, 97]].tolist()
    [[0.0, 0.0, 7.0], [0.0, 0.0, 7.0], [1.0, 0.0, 7.0], [0.0, 1.0, 7.0], [6.0, 6.0, 7.0]]
    >>> len(yolov1_cells())
    98

    Elsewhere: the authors' published configurations have B = 3; their layer keeps all boxes of a cell after its classes.
    """
    side, count = arguments.whole("yolov1_cells", "grid", grid), arguments.whole("yolov1_cells", "boxes", boxes)
    row, column = cells(side, side)
    rows = np.stack([column, row, np.full(side * side, float(side))], axis=1)
    return arguments.rounded("yolov1_cells", np.repeat(rows, count, axis=0), dtype)


def yolov2_grids(image_size: Size, *, shapes: Literal["voc", "coco"] | Shapes | Array = "voc", stride: int = 32) -> tuple[Grid, ...]:
    """YOLOv2's one grid (Redmon and Farhadi 2017, section 2): 13 x 13 cells of five anchors for an image of 416 pixels.

    Arguments:
        image_size: pixels, of a square or as (height, width); divisible by the stride.
        shapes: (width, height) of each anchor in *cells*; "voc" or "coco" are the authors' (yolov2-voc.cfg, yolov2.cfg).
        stride: a cell's side in pixels.

    Returns one Grid, its shapes in pixels.

    Raises ReflossError where the stride does not divide the image, or shapes are not positive.

    >>> (grid,) = yolov2_grids(416)
    >>> grid.count, grid.height, grid.shapes[0]
    (845, 13, (42.3072, 55.4064))

    Elsewhere: from version 3 on, shapes are given in pixels.
    """
    name = "yolov2_grids"
    step = arguments.whole(name, "stride", stride)
    if isinstance(shapes, str):
        check.choice(name, "shapes", shapes, tuple(YOLOV2_SHAPES))
        shapes = YOLOV2_SHAPES[shapes]
    pixels = tuple((w * step, h * step) for w, h in arguments.shapes(name, "shapes", shapes))
    return _grids(name, image_size, [pixels], (step,))


def yolov3_grids(image_size: Size, *, shapes: Scales = YOLOV3_SHAPES, strides: Sequence[int] = STRIDES) -> tuple[Grid, ...]:
    """YOLOv3's three grids (Redmon and Farhadi 2018, section 2.3), three anchors each.

    Arguments:
        image_size: pixels, of a square or as (height, width); divisible by every stride.
        shapes: for each stride, the (width, height) of its anchors in pixels; the paper's nine, or `kmeans_anchors(...)`
            of nine shapes as an array (3, 3, 2), `.reshape(3, 3, 2)`.
        strides: sides of a cell in pixels.

    Returns a Grid for each stride, finest first: the order in which the paper lists the anchors.

    Raises ReflossError where a stride does not divide the image, or shapes are not positive or not one list a stride.

    >>> grids = yolov3_grids(416)
    >>> [(grid.stride, grid.height, grid.count) for grid in grids], sum(grid.count for grid in grids)
    ([(8, 52, 8112), (16, 26, 2028), (32, 13, 507)], 10647)

    Elsewhere: the network of the paper gives its coarsest scale first; for outputs in that order, use `grids[::-1]`.
    """
    return _of_strides("yolov3_grids", image_size, shapes, strides)


def yolov4_grids(image_size: Size, *, shapes: Scales = YOLOV4_SHAPES, strides: Sequence[int] = STRIDES) -> tuple[Grid, ...]:
    """YOLOv4's three grids (Bochkovskiy et al. 2020), with the nine shapes of the authors' yolov4.cfg.

    Arguments, order and errors: as `yolov3_grids`.

    >>> sum(grid.count for grid in yolov4_grids(608))
    22743
    """
    return _of_strides("yolov4_grids", image_size, shapes, strides)


def scaled_yolov4_grids(
    image_size: Size, *, shapes: Literal["csp", "p5", "p6"] | Scales = "csp", strides: Sequence[int] | None = None
) -> tuple[Grid, ...]:
    """Scaled-YOLOv4's grids (Wang et al. 2021): YOLOv4-CSP and P5 have three, P6 has four.

    Arguments:
        image_size: pixels, of a square or as (height, width); divisible by every stride.
        shapes: "csp" (YOLOv4's nine), "p5" or "p6", from yolov4-csp.cfg, yolov4-p5.cfg and yolov4-p6.cfg; or, for each stride,
            the (width, height) of its anchors in pixels. In P6, shapes on the border of two scales belong to both.
        strides: sides of a cell in pixels; None is 8, 16, 32 and so on, one for each list of shapes.

    Order and errors: as `yolov3_grids`.

    >>> [sum(grid.count for grid in scaled_yolov4_grids(size, shapes=name)) for name, size in (("csp", 512), ("p6", 1280))]
    [16128, 136000]
    """
    name = "scaled_yolov4_grids"
    if isinstance(shapes, str):
        check.choice(name, "shapes", shapes, tuple(SCALED_YOLOV4_SHAPES))
        shapes = SCALED_YOLOV4_SHAPES[shapes]
    return _of_strides(name, image_size, shapes, strides)


def _of_strides(function: str, image_size: Size, shapes: Any, strides: Any) -> tuple[Grid, ...]:
    scales = arguments.each(function, "shapes", shapes, "a list of (width, height) for each stride", "give one list a stride")
    if strides is None:
        strides = [8 << level for level in range(len(scales))]
    given = arguments.each(function, "strides", strides, "a whole number of pixels for each scale", "give (8, 16, 32)")
    steps = tuple(arguments.whole(function, "strides", s) for s in given)
    if len(scales) != len(steps):
        way_out = "use np.reshape(shapes, (number of strides, -1, 2))"
        bad_value(function, "shapes", f"{len(steps)} lists, one for each stride", f"{len(scales)}", way_out)
    return _grids(function, image_size, [arguments.shapes(function, "shapes", scale) for scale in scales], steps)


def _grids(function: str, image_size: Size, shapes: list[tuple[tuple[float, float], ...]], strides: tuple[int, ...]) -> tuple[Grid, ...]:
    height, width = arguments.image_of_strides(function, image_size, strides)
    return tuple(Grid(pairs, stride, height // stride, width // stride) for pairs, stride in zip(shapes, strides, strict=True))


def checked_grids(function: str, grids: Any) -> tuple[Grid, ...]:
    """Grids with positive whole sizes and positive shapes."""
    kept = []
    for i, grid in enumerate(arguments.each(function, "grids", grids, "Grids", "call yolov3_grids(416)")):
        if not isinstance(grid, Grid):
            bad_type(function, "grids", "Grids", type(grid).__name__, "give a sequence of Grid, such as (grid,)")
        shapes = arguments.shapes(function, f"grids[{i}].shapes", grid.shapes)
        whole = (arguments.whole(function, f"grids[{i}].{name}", getattr(grid, name)) for name in ("stride", "height", "width"))
        kept.append(Grid(shapes, *whole))
    return tuple(kept)


def yolo_priors(grids: Sequence[Grid], *, dtype: DTypeLike = np.float32) -> Array:
    """What YOLOv2 and later regress from, as rows (column, row, width, height, stride), for a head's whole output.

    Arguments:
        grids: from `yolov3_grids` and its like, in the order of the head's outputs.
        dtype: float32 or float64.

    Returns (n, 5): scale after scale; in each by anchor, then row, then column, as (anchors, height, width) lies in memory.
    Columns and rows count cells; width, height and stride are pixels.

    Raises ReflossError for anything but grids.

    >>> priors = yolo_priors(yolov3_grids(416))
    >>> priors.shape, priors[0].tolist(), priors[-1].tolist()
    ((10647, 5), [0.0, 0.0, 10.0, 13.0, 8.0], [12.0, 12.0, 373.0, 326.0, 32.0])

    Elsewhere: a head (height, width, anchors), as in TensorFlow, needs another order: `priors[np.arange(n).reshape(anchors,
    height, width).transpose(1, 2, 0).ravel()]` for each scale.
    """
    name, blocks = "yolo_priors", []
    for grid in checked_grids(name, grids):
        row, column = cells(grid.height, grid.width)
        pairs = np.asarray(grid.shapes, np.float64).reshape(-1, 2)
        block = np.empty((len(pairs), row.size, 5))
        block[..., 0], block[..., 1], block[..., 4] = column, row, grid.stride
        block[..., 2:4] = pairs[:, None]
        blocks.append(block.reshape(-1, 5))
    return arguments.rounded(name, np.concatenate(blocks), dtype)


def prior_boxes(priors: ArrayLike) -> Array:
    """The boxes (n, 4), xyxy pixels, of YOLO's priors (n, 5): each shape centred in its cell.

    The same as decoding codes of sigmoid 0.5 and size factor 1: what a head starts from.

    Arguments:
        priors: rows of `yolo_priors`; float64, float32, float16 or bfloat16, and so is the result.

    Raises ReflossError for another shape or dtype.

    >>> prior_boxes(yolo_priors(yolov3_grids(416)))[[0, -1]].tolist()
    [[-1.0, -2.5, 9.0, 10.5], [213.5, 237.0, 586.5, 563.0]]
    """
    rows = check.floats("prior_boxes", "priors", priors, "convert with priors.astype(np.float32)")
    if rows.ndim != 2 or rows.shape[1] != 5:
        bad_value("prior_boxes", "priors", "of shape (n, 5)", f"{rows.shape}", "give the rows of yolo_priors")
    wide = rows.astype(np.float32) if check.is_half(rows.dtype) else rows
    half = wide.dtype.type(0.5)
    centre, around = (wide[:, :2] + half) * wide[:, 4:], wide[:, 2:4] * half
    return np.concatenate([centre - around, centre + around], axis=1).astype(rows.dtype, copy=False)

"""Small heads and truths for every criterion: three images, the second of them empty."""

from collections.abc import Callable
from typing import Any

import numpy as np

from refloss import criteria
from refloss.priors import Grid, fcos_locations

Array = np.ndarray[Any, Any]
CLASSES, SIDE = 3, 64
GRIDS = (Grid(((10.0, 12.0), (30.0, 20.0)), 16, 4, 4), Grid(((40.0, 30.0), (60.0, 60.0)), 32, 2, 2))
COUNTS = (3, 0, 5)


def priors() -> Array:
    """16 boxes of 24 pixels and 4 of 40, on the cells of 16 and 32 pixels."""
    made = []
    for stride, side in ((16, 24.0), (32, 40.0)):
        y, x = np.mgrid[stride / 2 : SIDE : stride, stride / 2 : SIDE : stride]
        centre = np.stack([x, y], -1).reshape(-1, 2)
        made.append(np.concatenate([centre - side / 2, centre + side / 2], axis=1))
    return np.concatenate(made)


def locations() -> Array:
    return fcos_locations(SIDE, strides=(16, 32), dtype=np.float64)


def truths(seed: int = 0, dtype: Any = np.float64) -> list[dict[str, Array]]:
    rng = np.random.default_rng(seed)
    made = []
    for count in COUNTS:
        centre, size = rng.uniform(10, SIDE - 10, (count, 2)), rng.uniform(6, 40, (count, 2))
        boxes = np.concatenate([centre - size / 2, centre + size / 2], axis=1).clip(0, SIDE)
        made.append({"gt_boxes": boxes.astype(dtype), "gt_labels": rng.integers(0, CLASSES, count)})
    return made


def heads(grids: Any = GRIDS, seed: int = 0, dtype: Any = np.float64) -> list[Array]:
    rng = np.random.default_rng(seed)
    shape = (len(COUNTS), 2, 5 + CLASSES)
    return [rng.standard_normal((*shape, grid.height, grid.width)).astype(dtype) for grid in grids]


def flat(rows: int, dtype: Any = np.float64, **numbers: int) -> dict[str, Array]:
    rng = np.random.default_rng(1)
    return {
        name: rng.standard_normal((len(COUNTS), rows, count) if count else (len(COUNTS), rows)).astype(dtype)
        for name, count in numbers.items()
    }


def yolov1_head(dtype: Any = np.float64) -> Array:
    return (0.3 * np.random.default_rng(2).standard_normal((len(COUNTS), 4, 4, 10 + CLASSES))).astype(dtype)


# name: (arguments of the criterion, its outputs in a dtype)
SCENES: dict[str, tuple[tuple[tuple[Any, ...], dict[str, Any]], Callable[[Any], Any]]] = {
    "YOLOv1": (((CLASSES, SIDE), {"grid": 4}), yolov1_head),
    "YOLOv2": (((CLASSES, GRIDS[:1]), {}), lambda dtype: heads(GRIDS[:1], dtype=dtype)),
    "YOLOv3": (((CLASSES, GRIDS), {}), lambda dtype: heads(dtype=dtype)),
    "YOLOv4": (((CLASSES, GRIDS), {"scale_xy": (1.1, 1.05)}), lambda dtype: heads(dtype=dtype)),
    "ScaledYOLOv4": (((CLASSES, GRIDS), {}), lambda dtype: heads(dtype=dtype)),
    "SSD": (((CLASSES, priors(), SIDE), {}), lambda dtype: flat(20, dtype, classes=CLASSES + 1, codes=4)),
    "RetinaNet": (((CLASSES, priors(), SIDE), {}), lambda dtype: flat(20, dtype, classes=CLASSES, codes=4)),
    "FCOS": (
        ((CLASSES, locations(), SIDE), {"size_ranges": ((0, 30), (30, 999))}),
        lambda dtype: flat(20, dtype, classes=CLASSES, codes=4, centerness=0),
    ),
}


def made(name: str, **parameters: Any) -> Any:
    """The criterion of that scene."""
    (positional, usual), _ = SCENES[name]
    return getattr(criteria, name)(*positional, **{**usual, **parameters})


def arrays_of(outputs: Any) -> list[Array]:
    """The arrays in a head's outputs, in order."""
    if isinstance(outputs, dict):
        return list(outputs.values())
    return list(outputs) if isinstance(outputs, list) else [outputs]

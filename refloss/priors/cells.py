"""Where priors lie: the cells of a feature map, row after row, and boxes of several shapes around each cell's point."""

import numpy as np

from .._engine.record import Array


def cells(height: int, width: int) -> tuple[Array, Array]:
    """Rows and columns, each (height width,)."""
    row, column = np.divmod(np.arange(height * width), width)
    return row.astype(np.float64), column.astype(np.float64)


def points(size: tuple[int, int], step: tuple[float, float], offset: float) -> Array:
    """(x, y) of each cell (height width, 2): (column + offset) times the step across, (row + offset) times the step down."""
    row, column = cells(*size)
    return np.stack([(column + offset) * step[1], (row + offset) * step[0]], axis=1)


def around(centres: Array, corners: Array) -> Array:
    """Boxes by point, then shape: (points, 2) and corners around the origin (shapes, 4) give (points shapes, 4)."""
    boxes: Array = np.tile(centres, 2)[:, None] + corners
    return boxes.reshape(-1, 4)


def corners_of(shapes: Array) -> Array:
    """(width, height) rows as xyxy boxes around the origin."""
    half = np.asarray(shapes, np.float64) / 2
    return np.concatenate([-half, half], axis=1)

"""A YOLO head's outputs as the one prediction that the losses here take."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from refloss._engine.record import Array
from refloss.errors import bad_type, bad_value
from refloss.priors import Grid

from .._keras import ops


def concatenate_heads(heads: Sequence[Any], grids: Sequence[Grid]) -> Any:
    """(images, priors, 5 + classes) of heads (images, rows, columns, anchors (5 + classes)), one for each grid, as convolutions leave them.

    Priors lie as `refloss.priors.yolo_priors` counts them: grid after grid, by anchor, row, column. For a functional model's end:

        outputs = concatenate_heads([fine, middle, coarse], grids)  # channels: x, y, w, h, objectness, classes, anchor after anchor
    """
    if not isinstance(heads, (list, tuple)) or len(heads) != len(grids):
        got = f"{len(heads)} tensors" if isinstance(heads, (list, tuple)) else type(heads).__name__
        bad_type("concatenate_heads", "heads", f"a list of {len(grids)} tensors, one for each grid", got, "in the order of the grids")
    rows = []
    for k, (head, grid) in enumerate(zip(heads, grids, strict=True)):
        shape, anchors = tuple(head.shape), len(grid.shapes)
        if len(shape) != 4 or shape[1:3] != (grid.height, grid.width) or shape[3] is None or shape[3] % anchors or shape[3] // anchors < 6:
            wanted = f"of shape (images, {grid.height}, {grid.width}, {anchors} (5 + classes))"
            bad_value("concatenate_heads", f"heads[{k}]", wanted, f"{shape}", "channels come last; grids are in the order of the heads")
        numbers = shape[3] // anchors
        apart = ops.reshape(head, (-1, grid.height, grid.width, anchors, numbers))
        rows.append(ops.reshape(ops.transpose(apart, (0, 3, 1, 2, 4)), (-1, grid.count, numbers)))
    return ops.concatenate(rows, axis=1) if len(rows) > 1 else rows[0]


def split_heads(y_pred: Array, grids: Sequence[Grid]) -> list[Array]:
    """What the criteria of `refloss` take: an array (images, anchors, 5 + classes, rows, columns) for each grid."""
    made, start = [], 0
    for grid in grids:
        rows = y_pred[:, start : start + grid.count].reshape(len(y_pred), len(grid.shapes), grid.height, grid.width, -1)
        made.append(np.ascontiguousarray(np.moveaxis(rows, -1, 2)))
        start += grid.count
    return made

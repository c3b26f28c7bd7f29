"""YOLO's priors: anchor shapes on the cells of one or more grids."""

from typing import NamedTuple


class Grid(NamedTuple):
    """One scale of a YOLO head: the anchor shapes that each of height x width cells has.

    shapes: ((width, height), ...) in pixels. stride: a cell's side in pixels.
    Priors are counted as a head (anchors, height, width) lies in memory: by anchor, then row, then column; scale after scale.
    """

    shapes: tuple[tuple[float, float], ...]
    stride: int
    height: int
    width: int

    @property
    def count(self) -> int:  # type: ignore[override]
        return len(self.shapes) * self.height * self.width

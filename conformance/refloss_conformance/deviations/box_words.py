"""Families of slips in boxes: an edge of one box alone, an extreme for the other, a number of the wrong place."""

from typing import Any

from .box_steps import AXES, along, at
from .steps import combined

AXIS_OF, OTHER = {"x": "width", "y": "height"}, {"x": "y", "y": "x"}
EDGES = (("start", "low", "upper left"), ("end", "high", "lower right"))
WHOSE = (("", "predicted"), ("target_", "target"))


def edge_words(prefix: str = "") -> dict[str, Any]:
    """Edges of the overlap (or the hull) taken from one box."""
    return {
        f"{which} edge along {a} that of the {box} box": along(
            f"{prefix}{edge}", lambda w, b, name=f"{whose}{corner}": at(w, name, b), (a,)
        )
        for edge, corner, which in EDGES
        for whose, box in WHOSE
        for a in AXES
    }


def both_edges(prefix: str = "") -> dict[str, Any]:
    return {
        f"{which} corner that of the {box} box": along(f"{prefix}{edge}", lambda w, b, name=f"{whose}{corner}": at(w, name, b))
        for edge, corner, which in EDGES
        for whose, box in WHOSE
    }


def wrong_extremes(prefix: str, start: str, end: str) -> dict[str, Any]:
    """min for max and max for min."""

    def smaller(w: Any, a: str, corner: str) -> Any:
        return w.xp.minimum(at(w, corner, a), at(w, f"target_{corner}", a))

    def larger(w: Any, a: str, corner: str) -> Any:
        return w.xp.maximum(at(w, corner, a), at(w, f"target_{corner}", a))

    first, last = (smaller, larger) if start == "min" else (larger, smaller)
    words = {}
    for axes in (("x",), ("y",), AXES):
        starts = along(f"{prefix}start", lambda w, b: first(w, b, "low"), axes)
        ends = along(f"{prefix}end", lambda w, b: last(w, b, "high"), axes)
        where = " and ".join(axes)
        words[f"upper left edge along {where}"], words[f"lower right edge along {where}"] = starts, ends
        words[f"edges along {where}"] = combined(starts, ends)
    return words


def numbers(step: str, combine: Any, flips: tuple[int, ...] = (1, 2)) -> dict[str, Any]:
    """An edge of one box read from the wrong place of the four numbers."""
    words: dict[str, Any] = {}
    for k, name in enumerate(("x1", "y1", "x2", "y2")):
        edge, a = ("start", "end")[k // 2], AXES[k % 2]
        for wrong in (k ^ flip for flip in flips):
            for which, box in (("corners", "predicted"), ("target_corners", "target")):

                def slip(w: Any, b: str, k: int = k, wrong: int = wrong, which: str = which) -> Any:
                    pair = [w.corners[k], w.target_corners[k]]
                    pair[which != "corners"] = getattr(w, which)[wrong]
                    return combine(w.xp, k, *pair)

                words[f"{('x1', 'y1', 'x2', 'y2')[wrong]} for {name} of the {box} box"] = along(
                    step.format(edge=edge, low=("low", "high")[k // 2]), slip, (a,)
                )
    return words


def inward(xp: Any, k: int, a: Any, b: Any) -> Any:
    return xp.maximum(a, b) if k < 2 else xp.minimum(a, b)


def outward(xp: Any, k: int, a: Any, b: Any) -> Any:
    return xp.minimum(a, b) if k < 2 else xp.maximum(a, b)

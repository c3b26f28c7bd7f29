"""Slips of the pen in overlap and union: an axis forgotten, an edge of the wrong box, a term."""

from typing import Any

from .box_steps import AXES, along, at, on_each
from .box_words import AXIS_OF, EDGES, OTHER, WHOSE, both_edges, edge_words, inward, numbers, wrong_extremes
from .overlaps import BOXES, ratio
from .steps import Slip, combined

_overlap = Slip(BOXES, "home-made IoU", "Boxes overlap by another measure than their areas: the gradient pulls edges to the wrong places.")
_overlap(
    "overlap_clamped_on_one_axis",
    "negative overlaps are set to 0 on the {constant} axis only",
    {a: along("overlap", lambda w, b: at(w, "gap", b), (OTHER[a],)) for a in AXES},
)
_overlap(
    "overlap_clamped_from_above",
    "the overlap is min(., 0) for max(., 0) along {constant}",
    on_each("overlap", lambda w, a: w.xp.minimum(at(w, "gap", a), 0)),
)
_overlap(
    "overlap_held_at_1",
    "the overlap is held at 1 for 0 along {constant}",
    on_each("overlap", lambda w, a: w.xp.maximum(at(w, "gap", a), 1)),
)
_overlap(
    "overlap_negated",
    "start - end for end - start of the overlap along {constant}",
    on_each("gap", lambda w, a: at(w, "start", a) - at(w, "end", a)),
)
_overlap(
    "overlap_of_one_axis",
    "the overlap is its {constant} alone, not an area",
    {AXIS_OF[a]: {"inner": lambda w, a=a: at(w, "overlap", a)} for a in AXES},
)
_overlap(
    "overlap_ends_at_one_edge",
    "the overlap along {constant}",
    {
        f"{a} is {word}": along("gap", step, (a,))
        for a in AXES
        for word, step in (
            ("end + start", lambda w, b: at(w, "end", b) + at(w, "start", b)),
            ("its end", lambda w, b: at(w, "end", b)),
            ("minus its start", lambda w, b: -at(w, "start", b)),
        )
    },
)
_overlap(
    "overlap_other_quotient",
    "I and U are combined as {constant}",
    {
        "U / I": {"iou": lambda w: ratio(w.xp, w.union + w.eps, w.inner)},
        "I U": {"iou": lambda w: w.inner * (w.union + w.eps)},
        "I": {"iou": lambda w: w.inner + 0 * w.eps},
        "I / (U - eps)": {"iou": lambda w: ratio(w.xp, w.inner, w.union - w.eps)},
        "(I + eps) / (U + eps)": {"iou": lambda w: ratio(w.xp, w.inner + w.eps, w.union + w.eps)},
        "I / U without eps": {"iou": lambda w: ratio(w.xp, w.inner, w.union)},
    },
)
_overlap("overlap_is_0", "the overlap is always 0", {"inner": lambda w: 0 * w.usual("inner")})


_overlap("overlap_of_a_wrong_number", "the overlap takes {constant}", numbers("{edge}", inward, (1,)))
_overlap("overlap_edge_of_one_box", "the overlap's {constant}, without max or min", {**edge_words(), **both_edges()})
_overlap("overlap_edge_of_the_hull", "min and max are exchanged for the overlap's {constant}", wrong_extremes("", "min", "max"))
_overlap(
    "overlap_axes_mixed",
    "the overlap's {constant} from the other axis",
    {f"{which} edge along {a}": along(edge, lambda w, b, edge=edge: at(w, edge, OTHER[b]), (a,)) for edge, _, which in EDGES for a in AXES},
)

_union = Slip(BOXES, "home-made IoU", "The overlap is divided by another area than the union: perfect boxes need not have IoU 1.")
_union(
    "union_without_overlap",
    "the union is the sum of the areas, from which the overlap is not subtracted",
    {"union": lambda w: w.area + w.target_area},
)
_union("overlap_added_to_the_union", "the overlap is added to the union", {"union": lambda w: w.area + w.target_area + w.inner})
_union(
    "union_of_one_area",
    "the overlap is divided by {constant}, not by the union",
    {
        "the predicted area": {"union": lambda w: w.area},
        "the target's area": {"union": lambda w: w.target_area},
        "the smaller area": {"union": lambda w: w.xp.minimum(w.area, w.target_area)},
        "the larger area": {"union": lambda w: w.xp.maximum(w.area, w.target_area)},
        "the predicted area without the overlap": {"union": lambda w: w.area - w.inner},
        "the target's area without the overlap": {"union": lambda w: w.target_area - w.inner},
        "the difference of the areas without the overlap": {"union": lambda w: w.area - w.inner - w.target_area},
        "the difference of the areas and the overlap": {"union": lambda w: w.inner - w.area + w.target_area},
    },
    seen="mmdetection's iof and iomin, and forgotten terms",
)
_union(
    "area_of_one_side",
    "{constant}",
    {
        f"the {box} area is {shown}": {
            f"{whose}area": lambda w, whose=whose, f=f: f(at(w, f"{whose}size", "x"), at(w, f"{whose}size", "y"))
        }
        for whose, box in WHOSE
        for shown, f in (
            ("its width", lambda x, y: x),
            ("its height", lambda x, y: y),
            ("its width squared", lambda x, y: x * x),
            ("its height squared", lambda x, y: y * y),
            ("w / h", lambda x, y: x / y),
            ("w + h", lambda x, y: x + y),
        )
    },
)


def _halves() -> dict[str, Any]:
    """Corners of a centre and a size, when the 2 is forgotten or the sign is wrong."""
    words: dict[str, Any] = {}

    def cxcywh(w: Any, boxes: Any, factors: tuple[float, ...], keep: tuple[int, ...] = (1, 1, 1, 1)) -> Any:
        if w.box_format != "cxcywh":
            return None
        x, y, width, height = (boxes[..., j] for j in range(4))
        return tuple(
            k * centre + f * size for k, centre, f, size in zip(keep, (x, y, x, y), factors, (width, height, width, height), strict=True)
        )

    def add(word: str, factors: tuple[float, ...], keep: tuple[int, ...] = (1, 1, 1, 1)) -> None:
        words[word] = {
            "corners": lambda w: cxcywh(w, w.boxes, factors, keep) or w.usual("corners"),
            "target_corners": lambda w: cxcywh(w, w.target_boxes, factors, keep) or w.usual("target_corners"),
            **along("size", lambda w, a: w.boxes[..., 2 + AXES.index(a)] if w.box_format == "cxcywh" else w.usual(f"size_{a}")),
            **along(
                "target_size",
                lambda w, a: w.target_boxes[..., 2 + AXES.index(a)] if w.box_format == "cxcywh" else w.usual(f"target_size_{a}"),
            ),
        }

    h = 0.5
    add("sizes are not halved", (-1, -1, 1, 1))
    for j, name in enumerate(("x1", "y1", "x2", "y2")):
        usual = [-h, -h, h, h]
        for word, f in (
            ("size not halved", 2 * usual[j]),
            ("size quartered", usual[j] / 2),
            ("size doubled", 4 * usual[j]),
            ("wrong sign", -usual[j]),
            ("the centre", 0.0),
        ):
            add(f"{name}: {word}", tuple(f if k == j else usual[k] for k in range(4)))
        add(f"{name}: the centre is forgotten", tuple(usual), tuple(0 if k == j else 1 for k in range(4)))
    return words


_overlap("corners_of_a_centre", "of (centre, size) boxes' corners, {constant}", _halves())


def _read(words: str) -> dict[str, Any]:
    """Widths and heights: the last two numbers as they stand, or less the first two."""

    def step(which: str) -> Any:
        def size(w: Any, a: str) -> Any:
            j, boxes = AXES.index(a), getattr(w, which)
            stands = {"as they stand": True, "as differences": False}.get(words, w.box_format == "xyxy")
            return boxes[..., j + 2] if stands else boxes[..., j + 2] - boxes[..., j]

        return size

    return combined(along("size", step("boxes")), along("target_size", step("target_boxes")))


_union(
    "sizes_of_another_format",
    "widths and heights are taken {constant}, while corners are right",
    {
        "as they stand": _read("as they stand"),
        "as differences": _read("as differences"),
        "as of the other format": _read(""),
    },
)
_union(
    "size_of_other_edges",
    "widths and heights are {constant}",
    {
        f"{'x2' if a == 'x' else 'y2'} {word} along {a} in xyxy": {
            **along(
                "size", lambda w, b, f=f: f(at(w, "low", b), at(w, "high", b)) if w.box_format == "xyxy" else w.usual(f"size_{b}"), (a,)
            ),
            **along(
                "target_size",
                lambda w, b, f=f: (
                    f(at(w, "target_low", b), at(w, "target_high", b)) if w.box_format == "xyxy" else w.usual(f"target_size_{b}")
                ),
                (a,),
            ),
        }
        for a in AXES
        for word, f in (
            ("+ the first edge", lambda p, q: q + p),
            ("alone", lambda p, q: q),
            ("forgotten: minus the first edge", lambda p, q: -p),
            ("subtracted from the first edge", lambda p, q: p - q),
        )
    },
)

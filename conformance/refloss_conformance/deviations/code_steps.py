"""The codings in steps. A step of one number is named with its place: x, y, w, h or a side."""

from typing import Any

from .coders import log_of
from .steps import Slip, Step, Steps, Work, in_steps

PLACES = ("x", "y", "w", "h")
AXIS = {"x": "w", "y": "h", "w": "w", "h": "h"}  # the prior's size that a place is measured in
OTHER = {"x": "y", "y": "x", "w": "h", "h": "w"}
COLUMN = {"x": 0, "y": 1, "w": 2, "h": 3}
DELTA, YOLO, V1, LTRB = ((f"{name}.encode", f"{name}.decode") for name in ("delta_coder", "yolo_coder", "yolov1_coder", "ltrb_coder"))
CENTRED = (*DELTA, *YOLO, *V1)


def of(work: Work, name: str, place: str) -> Any:
    return getattr(work, f"{name}_{place}")


def per(name: str, step: Any, places: tuple[str, ...] = PLACES) -> dict[str, Step]:
    return {f"{name}_{place}": lambda work, place=place: step(work, place) for place in places}  # type: ignore[misc]


def _four(name: str, step: Any) -> dict[str, Step]:
    """A step of each of four sides."""
    return {f"{name}_{k}": lambda work, k=k: step(work, k) for k in range(4)}  # type: ignore[misc]


def _by_length(work: Any, side: Any) -> Any:
    return side / work.length if work.activation == "linear" else log_of(work.xp, side, work.length)


def by_corners(w: Any) -> bool:
    return w.loss not in DELTA or w.box_format == "xyxy"


def _box(w: Any, place: str, boxes: str) -> Any:
    """Centre or size of the boxes, or of the priors of the delta coder."""
    numbers = getattr(w, boxes)
    j = COLUMN[place]
    if boxes == "first" and not by_corners(w):
        return numbers[..., j]
    low, high = numbers[..., j % 2], numbers[..., j % 2 + 2]
    return (low + high) / 2 if j < 2 else high - low


GIVEN: dict[str, tuple[str, str]] = {
    "delta_coder.decode": ("moved", "grown"),
    "yolo_coder.decode": ("place_in_pixels", "size_in_pixels"),
    "yolov1_coder.decode": ("v1_moved", "v1_grown"),
}
STEPS: dict[str, Step] = {
    **per("box", lambda w, p: _box(w, p, "first")),
    **per("prior", lambda w, p: _box(w, p, "second") if w.loss in DELTA else w.second[..., COLUMN[p]]),
    "stride": lambda w: w.second[..., 4 if w.loss in YOLO else 2],
    **per("weight", lambda w, p: w.weights[COLUMN[p]]),
    **per("number", lambda w, p: w.first[..., COLUMN[p]]),
    # encode
    **per("offset", lambda w, p: of(w, "box", p) - of(w, "prior", p), ("x", "y")),
    **per("unit", lambda w, p: of(w, "prior", AXIS[p])),
    **per("size_code", lambda w, p: log_of(w.xp, of(w, "box", p), of(w, "unit", p)), ("w", "h")),
    **per("place_code", lambda w, p: of(w, "offset", p) / of(w, "unit", p), ("x", "y")),
    **per("weighted", lambda w, p: of(w, "weight", p) * of(w, "place_code" if p in "xy" else "size_code", p)),
    # decode
    **per("unweighted", lambda w, p: of(w, "number", p) / of(w, "weight", p)),
    **per(
        "held",
        lambda w, p: w.xp.minimum(of(w, "unweighted", p), w.wh_clip) if w.wh_clip is not None else of(w, "unweighted", p),
        ("w", "h"),
    ),
    **per("moved", lambda w, p: of(w, "prior", p) + of(w, "unweighted", p) * of(w, "unit", p), ("x", "y")),
    **per("grown", lambda w, p: of(w, "unit", p) * w.xp.exp(of(w, "held", p)), ("w", "h")),
    # YOLO
    "shift": lambda w: (w.scale_xy - 1) / 2,
    **per("fraction", lambda w, p: (of(w, "box", p) / w.stride - of(w, "prior", p) + w.shift) / w.scale_xy, ("x", "y")),
    **per(
        "place_in_pixels", lambda w, p: (w.scale_xy * w.xp.sigmoid(of(w, "number", p)) - w.shift + of(w, "prior", p)) * w.stride, ("x", "y")
    ),
    **per(
        "growth",
        lambda w, p: (
            w.xp.exp(of(w, "number", p)) if w.size == "exp" else 4 * w.xp.sigmoid(of(w, "number", p)) * w.xp.sigmoid(of(w, "number", p))
        ),
        ("w", "h"),
    ),
    **per("size_in_pixels", lambda w, p: of(w, "prior", p) * of(w, "growth", p), ("w", "h")),
    **per("yolo_place", lambda w, p: _logit(w, of(w, "fraction", p)), ("x", "y")),
    **per("yolo_size", lambda w, p: _shape(w, of(w, "box", p), of(w, "prior", p)), ("w", "h")),
    # YOLOv1
    "cells": lambda w: w.second[..., 2],
    **per("v1_place", lambda w, p: of(w, "box", p) * w.cells - of(w, "prior", p), ("x", "y")),
    **per("v1_size", lambda w, p: w.xp.sqrt(of(w, "box", p)), ("w", "h")),
    **per("v1_moved", lambda w, p: (of(w, "number", p) + of(w, "prior", p)) / w.cells, ("x", "y")),
    **per("v1_grown", lambda w, p: of(w, "number", p) * of(w, "number", p), ("w", "h")),
    # all decoders but the distances
    **per("given", lambda w, p: of(w, GIVEN[w.loss][p in "wh"], p)),
    "x1": lambda w: w.given_x - w.given_w / 2,
    "y1": lambda w: w.given_y - w.given_h / 2,
    "x2": lambda w: w.given_x + w.given_w / 2,
    "y2": lambda w: w.given_y + w.given_h / 2,
    # distances
    **_four("side", lambda w, k: (1 if k < 2 else -1) * (w.second[..., k % 2] - w.first[..., k])),
    "length": lambda w: w.stride if w.normalize else w.stride / w.stride,
    **_four("distance", lambda w, k: _by_length(w, getattr(w, f"side_{k}"))),
    **_four("code", lambda w, k: w.first[..., k] if w.activation == "linear" else w.xp.exp(w.first[..., k])),
    **_four("far", lambda w, k: w.length * getattr(w, f"code_{k}")),
    **_four("edge", lambda w, k: w.second[..., k % 2] + (-1 if k < 2 else 1) * getattr(w, f"far_{k}")),
}
ENCODED = {
    "delta_coder.encode": ("weighted", "weighted"),
    "yolo_coder.encode": ("yolo_place", "yolo_size"),
    "yolov1_coder.encode": ("v1_place", "v1_size"),
}


def _logit(w: Any, f: Any) -> Any:
    rest = 1 - f
    if w.border:
        f, rest = (w.xp.minimum(w.xp.maximum(part, w.border), 1 - w.border) for part in (f, rest))
    return log_of(w.xp, f, rest)


def _shape(w: Any, length: Any, prior: Any) -> Any:
    if w.size == "squared_sigmoid":
        return _logit(w, w.xp.sqrt(length / prior) / 2)
    return log_of(w.xp, w.xp.maximum(length, w.border * prior) if w.border else length, prior)


def family(loss: str) -> Any:
    def formula(xp: Any, first: Any, second: Any, changed: Steps, **parameters: Any) -> Any:
        work = Work(STEPS, changed, xp=xp, first=first, second=second, loss=loss, **parameters)
        if loss in LTRB:
            return xp.stack([getattr(work, f"{'distance' if loss == LTRB[0] else 'edge'}_{k}") for k in range(4)])
        if loss.endswith("encode"):
            return xp.stack([of(work, ENCODED[loss][p in "wh"], p) for p in PLACES])
        return xp.stack([work.x1, work.y1, work.x2, work.y2] if by_corners(work) else [of(work, "given", p) for p in PLACES])

    return formula


in_steps((*CENTRED, *LTRB), family)


def each(name: str, step: Any, places: tuple[str, ...]) -> dict[str, Steps]:
    """For one place, and for all."""
    return {**{p: per(name, step, (p,)) for p in places}, " and ".join(places): per(name, step, places)}


code = Slip(
    CENTRED, "home-made coders", "Codes and boxes do not belong together: the network learns other boxes than those that were drawn."
)

WHERE, HOW = ("x", "y"), ("w", "h")

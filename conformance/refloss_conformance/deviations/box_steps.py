"""The IoU family in steps. x and y: the axes; a step of one axis is named with it."""

import math
from typing import Any

from refloss.losses.iou import LOG_FLOOR

from .overlaps import BOXES, ratio, to_xyxy
from .steps import Step, Steps, Work, in_steps

AXES = ("x", "y")


def at(work: Work, name: str, axis: str) -> Any:
    return getattr(work, f"{name}_{axis}")


def along(name: str, step: Any, axes: tuple[str, ...] = AXES) -> dict[str, Step]:
    """A step of (work, axis), on some axes."""
    return {f"{name}_{axis}": lambda work, axis=axis: step(work, axis) for axis in axes}  # type: ignore[misc]


def on_each(name: str, step: Any) -> dict[str, Steps]:
    """On the x axis, on the y axis, on both."""
    return {"x": along(name, step, ("x",)), "y": along(name, step, ("y",)), "x and y": along(name, step)}


STEPS: dict[str, Step] = {
    "corners": lambda w: to_xyxy(w.xp, w.boxes, w.box_format),
    "target_corners": lambda w: to_xyxy(w.xp, w.target_boxes, w.box_format),
    **{f"low_{axis}": lambda w, j=j: w.corners[j] for j, axis in enumerate(AXES)},  # type: ignore[misc]
    **{f"high_{axis}": lambda w, j=j: w.corners[j + 2] for j, axis in enumerate(AXES)},  # type: ignore[misc]
    **{f"target_low_{axis}": lambda w, j=j: w.target_corners[j] for j, axis in enumerate(AXES)},  # type: ignore[misc]
    **{f"target_high_{axis}": lambda w, j=j: w.target_corners[j + 2] for j, axis in enumerate(AXES)},  # type: ignore[misc]
    **along("size", lambda w, a: at(w, "high", a) - at(w, "low", a)),
    **along("target_size", lambda w, a: at(w, "target_high", a) - at(w, "target_low", a)),
    **along("start", lambda w, a: w.xp.maximum(at(w, "low", a), at(w, "target_low", a))),
    **along("end", lambda w, a: w.xp.minimum(at(w, "high", a), at(w, "target_high", a))),
    **along("gap", lambda w, a: at(w, "end", a) - at(w, "start", a)),
    **along("overlap", lambda w, a: w.xp.maximum(at(w, "gap", a), 0)),
    **along("hull_start", lambda w, a: w.xp.minimum(at(w, "low", a), at(w, "target_low", a))),
    **along("hull_end", lambda w, a: w.xp.maximum(at(w, "high", a), at(w, "target_high", a))),
    **along("hull", lambda w, a: at(w, "hull_end", a) - at(w, "hull_start", a)),
    **along("low_away", lambda w, a: at(w, "low", a) - at(w, "target_low", a)),
    **along("high_away", lambda w, a: at(w, "high", a) - at(w, "target_high", a)),
    **along("away", lambda w, a: (at(w, "low_away", a) + at(w, "high_away", a)) / 2),
    "inner": lambda w: w.overlap_x * w.overlap_y,
    "area": lambda w: w.size_x * w.size_y,
    "target_area": lambda w: w.target_size_x * w.target_size_y,
    "union": lambda w: w.area + w.target_area - w.inner,
    "iou": lambda w: ratio(w.xp, w.inner, w.union + w.eps),
    "apart": lambda w: 1 - w.iou,
    "hull_area": lambda w: w.hull_x * w.hull_y,
    "slack": lambda w: w.hull_area - w.union,
    "enclosure": lambda w: w.hull_area + w.eps,
    "distance": lambda w: w.away_x * w.away_x + w.away_y * w.away_y,
    "diagonal": lambda w: w.hull_x * w.hull_x + w.hull_y * w.hull_y,
    "penalty": lambda w: ratio(w.xp, w.slack, w.enclosure) if w.loss == "giou_loss" else ratio(w.xp, w.distance, w.diagonal + w.eps),
    "across": lambda w: w.target_size_x * w.size_y - w.size_x * w.target_size_y,
    "along": lambda w: w.size_x * w.target_size_x + w.size_y * w.target_size_y,
    "angle": lambda w: w.xp.arctan2(w.across, w.xp.where((w.across == 0) & (w.along == 0), 1, w.along)),
    "v_scale": lambda w: 4 / math.pi**2,
    "v": lambda w: w.v_scale * w.angle * w.angle,
    "share": lambda w: ratio(w.xp, w.v, (1 - w.iou) + w.v + w.eps),
    "alpha": lambda w: w.share if w.differentiate_alpha else w.xp.stop_gradient(w.share),
    "aspect": lambda w: w.alpha * w.v,
    "log_result": lambda w: -w.xp.log(w.xp.maximum(w.iou, LOG_FLOOR)),
    "squared_result": lambda w: 1 - w.iou * w.iou,
    "result": lambda w: w.apart + w.penalty + w.aspect if w.loss == "ciou_loss" else w.apart + w.penalty,
}


def family(loss: str) -> Any:
    def formula(
        xp: Any,
        boxes: Any,
        target_boxes: Any,
        changed: Steps,
        *,
        box_format: str,
        eps: float,
        kind: str = "linear",
        differentiate_alpha: bool = False,
    ) -> Any:
        work = Work(
            STEPS,
            changed,
            xp=xp,
            boxes=boxes,
            target_boxes=target_boxes,
            loss=loss,
            box_format=box_format,
            eps=eps,
            kind=kind,
            differentiate_alpha=differentiate_alpha,
        )
        if loss != "iou_loss":
            return work.result
        return {"linear": lambda: work.apart, "log": lambda: work.log_result, "squared": lambda: work.squared_result}[kind]()

    return formula


in_steps(BOXES, family)

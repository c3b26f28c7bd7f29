"""Losses of the IoU family that the registry does not have, computed where another one was stated."""

from typing import Any

from .overlaps import BOXES, OTHERS, template
from .record import deviation

SMOOTH_POINT = 0.1
Axis = tuple[Any, Any, Any, Any]  # the box's size, the target's, the hull's, and where their overlap starts and ends, from the hull's start
Pair = tuple[Any, Any]


def efficient(xp: Any, apart: Any, away: Pair, x: Axis, y: Axis, eps: Any, divide: Any) -> Any:
    """Efficient IoU (Zhang et al. 2021): distance, width and height, each by the hull's."""
    (dx, dy), (w, tw, cw, _), (h, th, ch, _) = away, x, y
    distance = divide(xp, dx * dx + dy * dy, cw * cw + ch * ch + eps)
    return apart + distance + divide(xp, (w - tw) * (w - tw), cw * cw + eps) + divide(xp, (h - th) * (h - th), ch * ch + eps)


def extended(xp: Any, apart: Any, away: Pair, x: Axis, y: Axis, eps: Any, divide: Any) -> Any:
    """Extended IoU (Peng and Yu 2021): an intersection that goes on below zero, and 1 - it, smoothed below SMOOTH_POINT."""
    (w, tw, _, (left, right)), (h, th, _, (top, bottom)) = x, y
    inner = right * bottom + xp.minimum(left, right) * xp.minimum(top, bottom)
    inner = inner - left * xp.maximum(top, bottom) - xp.maximum(left, right) * top
    rest = 1 - divide(xp, inner, w * h + tw * th - inner + eps)
    return xp.where(rest < SMOOTH_POINT, rest * rest / (2 * SMOOTH_POINT), rest - SMOOTH_POINT / 2)


def scylla(sign: float) -> Any:
    """SIoU (Gevorgyan 2022), theta = 4. sign: -1 is the paper's exp(-gamma rho), 1 the other one, which rewards distance."""

    def formula(xp: Any, apart: Any, away: Pair, x: Axis, y: Axis, eps: Any, divide: Any) -> Any:
        (dx, dy), (w, tw, cw, _), (h, th, ch, _) = away, x, y
        angle = 2 * divide(xp, xp.abs(dx) * xp.abs(dy), dx * dx + dy * dy)  # 1 - 2 sin^2(asin(dy / sigma) - pi / 4)
        rho = [divide(xp, d * d, c * c) for d, c in ((dx, cw), (dy, ch))]
        distance = sum(1 - xp.exp(sign * (2 - angle) * r) for r in rho)
        shape: Any = 0
        for a, b in ((w, tw), (h, th)):
            difference = 1 - xp.exp(-divide(xp, xp.abs(a - b), xp.maximum(a, b)))
            shape = shape + difference * difference * difference * difference
        return apart + (distance + shape) / 2

    return formula


OTHERS.update({"efficient_iou": efficient, "extended_iou": extended, "siou": scylla(-1), "siou_rewarding_distance": scylla(1)})


def _instead(name: str, title: str, seen: str, effect: str) -> None:
    @deviation(f"computes_{name}", title=title, seen=seen, effect=effect, losses=BOXES)
    def change(base: Any, xp: Any, first: Any, second: Any, *, box_format: str, eps: float, **rest: Any) -> Any:
        kept = {key: value for key, value in rest.items() if key not in ("kind", "differentiate_alpha")}
        return template(xp, first, second, loss=name, box_format=box_format, eps=eps, **kept)


_instead(
    "efficient_iou", "Efficient IoU is computed instead", "YOLO ports; Extended and Efficient IoU share the name EIoU",
    "Another loss is trained than the one that is stated.",
)  # fmt: skip
_instead(
    "extended_iou", "Extended IoU is computed instead", "mmdetection's eiou_loss; Extended and Efficient IoU share the name EIoU",
    "Another loss is trained than the one that is stated.",
)  # fmt: skip
_instead("siou", "SIoU is computed instead", "YOLOv6, mmyolo", "Another loss is trained than the one that is stated.")
_instead(
    "siou_rewarding_distance", "SIoU with exp(+gamma rho) for exp(-gamma rho) is computed instead", "mmdetection with neg_gamma=False",
    "Boxes far apart have a smaller loss than close ones: distance is rewarded.",
)  # fmt: skip

"""Wrong losses whose fault is beside a deviation's, not the same: none may be called by its neighbour's name.

Each hid, once, in an allowance that the comparison makes for rough constants, for ties or for NaN. Right ones in unusual style pass.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn.functional import logsigmoid, relu

from refloss_conformance import agreement
from refloss_conformance.golden import golden
from refloss_conformance.target import given
from refloss_conformance.third_party import Request, run
from refloss_conformance.verdict import Part, judge_part

Loss = Callable[..., Any]


def checked(loss: str, function: Loss, **more: Any) -> dict[str, Any]:
    return run(Request("", loss, **{"arrays": "torch", **more}), target=given(function))


# Wrong ones.
def _by(a: Tensor, b: Tensor) -> Tensor:
    return torch.where(b > 0, a / torch.where(b > 0, b, 1), 0)


def _parts(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Overlap, the two sizes, and the enclosing box."""
    low, high = torch.maximum(a[..., :2], b[..., :2]), torch.minimum(a[..., 2:], b[..., 2:])
    hull = torch.maximum(a[..., 2:], b[..., 2:]) - torch.minimum(a[..., :2], b[..., :2])
    return (high - low).clamp(min=0).prod(-1), a[..., 2:] - a[..., :2], b[..., 2:] - b[..., :2], hull


def _ciou(a: Tensor, b: Tensor, v: Tensor) -> Tensor:
    inner, size, other, hull = _parts(a, b)
    iou = _by(inner, size.prod(-1) + other.prod(-1) - inner)
    away = (a[..., :2] + a[..., 2:] - b[..., :2] - b[..., 2:]) / 2
    return 1 - iou + _by((away * away).sum(-1), (hull * hull).sum(-1)) + _by(v, 1 - iou + v).detach() * v


def ciou_pi_of_five_digits(boxes: Tensor, target_boxes: Tensor) -> Tensor:
    _, (w, h), (tw, th), _ = (x.unbind(-1) if x.ndim > 1 else x for x in _parts(boxes, target_boxes))
    across, along = tw * h - w * th, w * tw + h * th
    point = (across == 0) & (along == 0)
    return _ciou(boxes, target_boxes, 4 / 3.1416**2 * torch.atan2(across, torch.where(point, 1, along)) ** 2)


def ciou_eps_in_the_arctan(boxes: Tensor, target_boxes: Tensor) -> Tensor:
    """The heights are held from 0 in the quotients, and in the areas they are what they are."""
    _, (w, h), (tw, th), _ = (x.unbind(-1) if x.ndim > 1 else x for x in _parts(boxes, target_boxes))
    v = 4 / math.pi**2 * (torch.atan(tw / (th + 1e-7)) - torch.atan(w / (h + 1e-7))) ** 2
    return _ciou(boxes, target_boxes, v)


def iou_of_held_sides(least: float) -> Loss:
    def function(boxes: Tensor, target_boxes: Tensor) -> Tensor:
        inner, size, other, _ = _parts(boxes, target_boxes)
        return 1 - inner / (size.clamp(min=least).prod(-1) + other.clamp(min=least).prod(-1) - inner)

    return function


def ciou_with_a_floor_under_alpha(boxes: Tensor, target_boxes: Tensor) -> Tensor:
    """Seen by one gradient in float64 (near_taller): everywhere else the denominator is 0 or large."""
    inner, size, other, _ = _parts(boxes, target_boxes)
    iou = _by(inner, size.prod(-1) + other.prod(-1) - inner)
    (w, h), (tw, th) = size.unbind(-1), other.unbind(-1)
    across, along = tw * h - w * th, w * tw + h * th
    v = 4 / math.pi**2 * torch.atan2(across, torch.where((across == 0) & (along == 0), 1, along)) ** 2
    alpha, floored = _by(v, 1 - iou + v), v / (1 - iou + v).clamp(min=1e-4)
    return _ciou(boxes, target_boxes, v) + (floored - alpha).detach() * v


WRONG: dict[str, tuple[str, Loss]] = {
    "pi": ("ciou_loss", ciou_pi_of_five_digits), "arctan": ("ciou_loss", ciou_eps_in_the_arctan),
    "sides": ("iou_loss", iou_of_held_sides(1e-6)), "floor": ("ciou_loss", ciou_with_a_floor_under_alpha),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_not_called_by_a_neighbours_name(name: str) -> None:
    report = checked(*WRONG[name])
    assert not report["strict"]
    assert [(one["names"], one["constants"]) for one in report["deviations"]] == []


@pytest.mark.parametrize(("name", "allowance", "wide"), [("pi", "SHARE", 0.5), ("sides", "SPLIT", 0.0), ("arctan", "PASSES", 1e12)])
def test_the_allowances_matter(name: str, allowance: str, wide: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """With one of them as wide as it once was, each has a false name again."""
    monkeypatch.setattr(agreement, allowance, wide)
    report = checked(*WRONG[name])
    assert report["deviations"]


# The allowances alone: one row of four numbers, or two numbers, and what was predicted of them.
def part(wanted: Any, got: Any) -> Part:
    numbers = np.array(wanted, float)
    return judge_part("gradient", golden((numbers, np.zeros_like(numbers)), np.abs(numbers)), np.array(got, float), "float64", True)


def agrees(wanted: Any, got: Any, *predicted: Any) -> list[bool]:
    both = predicted if len(predicted) > 1 else predicted * 2
    return agreement.agreement(part(wanted, got), [np.array([one], float) for one in both], "float64")[0].ravel().tolist()  # type: ignore[no-any-return]


NAN = math.nan


def test_nan_spreads_in_a_row_to_what_is_right_or_0() -> None:
    """And to nothing else: a finite number that is wrong has another reason."""
    assert agrees([[1, 2, 3, 4]], [[NAN, 2, 0, 5]], [[NAN] * 4]) == [True, True, True, False]
    assert agrees([[1, 2, 3, 4]], [[1, 2, 0, 5]], [[NAN] * 4]) == [False] * 4


def test_nan_that_was_not_predicted() -> None:
    assert agrees([[1, 2, 3, 4]], [[NAN, 2, 3, 4]], [[1, 2, 3, 4]]) == [False, True, True, True]


def test_between_corners() -> None:
    """Ties are split in halves: 1e-6 of the way between two corners is no tie, a quarter may be one."""
    corners = [[9.0, 9, 9, 9]], [[9.0, 9, 9, 9]], [[0.0, 0, 0, 0]], [[1e6, 1e6, 1e6, 1e6]]
    assert agrees([[-1.0, -1, -1, -1]], [[1.0, 25e4, 1e6, 2e6]], *corners) == [False, True, True, False]


def test_a_small_fault_is_given_to_a_twentieth() -> None:
    """Of 1 + 1e-5 where 1 is right: 1 + 1.02e-5 is that fault in a rough hand, 1 + 1.3e-5 is another; and 1 is none."""
    assert agrees([1.0] * 3, [1 + 1e-5] * 3, [1 + 1.02e-5, 1 + 1.3e-5, 1.0]) == [True, False, False]


def test_what_is_right_must_be_predicted_as_right() -> None:
    """Not to 1e-3: a deviation that moves it by 1e-5 is refuted by it."""
    assert agrees([1.0] * 2, [1.0] * 2, [1 + 1e-5, 1 + 1e-14]) == [False, True]


# Right ones.
def focal_without_probabilities(logits: Tensor, targets: Tensor, alpha: float | None = 0.25, gamma: float = 2.0) -> Tensor:
    """Of logarithms alone; soft targets apart."""
    yes, no = logsigmoid(logits), logsigmoid(-logits)
    soft = (targets > 0) & (targets < 1)
    mixed = torch.log(torch.where(soft, targets * no.clamp(min=-80).exp() + (1 - targets) * yes.clamp(min=-80).exp(), 1))
    miss = torch.where(soft, mixed, torch.where(targets == 1, no, yes))
    weight = 1.0 if alpha is None else alpha * targets + (1 - alpha) * (1 - targets)
    return -weight * torch.exp(gamma * miss) * (targets * yes + (1 - targets) * no)


def focal_in_chunks(logits: Any, targets: Any, alpha: float | None = 0.25, gamma: float = 2.0) -> Any:
    """NumPy, seven at a time, in place."""
    found, number = np.empty_like(logits), logits.dtype.type
    for i in range(0, len(logits), 7):
        x, t, out = logits[i : i + 7], targets[i : i + 7], found[i : i + 7]
        e = np.exp(-np.abs(x))
        rest = np.log1p(e)
        p, q = np.where(x >= 0, 1, e) / (1 + e), np.where(x >= 0, e, 1) / (1 + e)
        out[:] = t * (np.maximum(-x, 0) + rest) + (1 - t) * (np.maximum(x, 0) + rest)
        out *= (t * q + (1 - t) * p) ** number(gamma)
        out *= 1 if alpha is None else number(alpha) * t + number(1 - alpha) * (1 - t)
    return found


def softmax_focal_of_the_others(logits: Tensor, labels: Tensor, alpha: float | None = None, gamma: float = 2.0) -> Tensor:
    """By the margin over the other classes; mean."""
    label = labels.clamp(min=0)
    own = torch.arange(logits.shape[1]) == label[:, None]
    others = torch.logsumexp(torch.where(own, -1e4 if logits.shape[1] == 1 else -math.inf, logits), 1)
    margin = logits.gather(1, label[:, None])[:, 0] - others
    weight = 1.0 if alpha is None else torch.where(label > 0, alpha, 1 - alpha)
    return torch.where(labels >= 0, -weight * torch.exp(gamma * logsigmoid(-margin)) * logsigmoid(margin), 0.0).mean()


def smooth_l1_without_branches(predictions: Tensor, targets: Tensor, beta: float = 1.0) -> Tensor:
    d = (predictions - targets).abs()
    near = d.clamp(max=beta)
    return d if beta == 0 else near * (d - near / 2) / beta


def huber_summed(predictions: Any, targets: Any, delta: float = 1.0) -> Any:
    d = np.abs(predictions - targets)
    near = np.minimum(d, d.dtype.type(delta))
    return np.sum(near * (d - near / 2), axis=-1)


def _xyxy(boxes: Tensor, box_format: str) -> Tensor:
    return boxes if box_format == "xyxy" else torch.cat((boxes[..., :2] - boxes[..., 2:] / 2, boxes[..., :2] + boxes[..., 2:] / 2), -1)


def giou_by_edges(boxes: Tensor, target_boxes: Tensor, box_format: str = "xyxy", eps: float = 0.0) -> Tensor:
    """Eight numbers, relu, and the two terms summed at last."""
    (a, b, c, d), (e, f, g, h) = _xyxy(boxes, box_format).unbind(-1), _xyxy(target_boxes, box_format).unbind(-1)
    inner = relu(torch.min(c, g) - torch.max(a, e)) * relu(torch.min(d, h) - torch.max(b, f))
    union = (c - a) * (d - b) + (g - e) * (h - f) - inner
    hull = (torch.max(c, g) - torch.min(a, e)) * (torch.max(d, h) - torch.min(b, f))
    return torch.stack([1 - _by(inner, union + eps), _by(hull - union, hull + eps)]).sum(0)


def giou_as_two_less_quotients(boxes: Tensor, target_boxes: Tensor) -> Tensor:
    inner, size, other, hull = _parts(boxes, target_boxes)
    union, area = size.prod(-1) + other.prod(-1) - inner, hull.prod(-1)
    return torch.where(area > 0, 2 - _by(inner, union) - _by(union, area), 1 - _by(inner, union))


def diou_of_fourfold_squares(boxes: Tensor, target_boxes: Tensor, box_format: str = "xyxy", eps: float = 0.0) -> Tensor:
    a, b = _xyxy(boxes, box_format), _xyxy(target_boxes, box_format)
    inner, size, other, hull = _parts(a, b)
    away = (a[..., :2] - b[..., :2]) + (a[..., 2:] - b[..., 2:])
    return 1 - _by(inner, size.prod(-1) + other.prod(-1) - inner + eps) + _by(away.square().sum(-1), 4 * (hull.square().sum(-1) + eps))


def iou_moved_to_the_common_corner(boxes: Tensor, target_boxes: Tensor) -> Tensor:
    corner = torch.minimum(boxes[..., :2], target_boxes[..., :2]).detach().repeat(1, 2)
    inner, size, other, _ = _parts(boxes - corner, target_boxes - corner)
    return 1 - _by(inner, size.prod(-1) + other.prod(-1) - inner)


def iou_mean(boxes: Any, target_boxes: Any) -> Any:
    inner = np.prod(np.clip(np.minimum(boxes, target_boxes)[:, 2:] - np.maximum(boxes, target_boxes)[:, :2], 0, None), -1)
    union = np.prod(boxes[:, 2:] - boxes[:, :2], -1) + np.prod(target_boxes[:, 2:] - target_boxes[:, :2], -1) - inner
    return np.mean(1 - np.divide(inner, union, out=np.zeros_like(inner), where=union > 0))


def ssd_decode(codes: Tensor, priors: Tensor, weights: Any = (1.0, 1.0, 1.0, 1.0), wh_clip: float | None = None) -> Tensor:
    size = priors[:, 2:] - priors[:, :2]
    codes = codes / torch.tensor(weights, dtype=codes.dtype)
    centre = priors[:, :2] + 0.5 * size + codes[:, :2] * size
    half = 0.5 * (codes[:, 2:] if wh_clip is None else codes[:, 2:].clamp(max=wh_clip)).exp() * size
    return torch.cat((centre - half, centre + half), 1)


def cross_entropy_by_logaddexp(logits: Tensor, targets: Tensor) -> Tensor:
    nothing = torch.zeros(()).to(logits)
    return targets * torch.logaddexp(nothing, -logits) + (1 - targets) * torch.logaddexp(nothing, logits)


RIGHT: dict[Loss, tuple[str, str]] = {
    focal_without_probabilities: ("focal_loss", "torch"), focal_in_chunks: ("focal_loss", "numpy"),
    softmax_focal_of_the_others: ("softmax_focal_loss_with_integer_labels", "torch"),
    smooth_l1_without_branches: ("smooth_l1_loss", "torch"), huber_summed: ("huber_loss", "numpy"),
    giou_by_edges: ("giou_loss", "torch"), giou_as_two_less_quotients: ("giou_loss", "torch"),
    diou_of_fourfold_squares: ("diou_loss", "torch"), iou_moved_to_the_common_corner: ("iou_loss", "torch"),
    iou_mean: ("iou_loss", "numpy"), ssd_decode: ("delta_coder.decode", "torch"),
    cross_entropy_by_logaddexp: ("binary_cross_entropy", "torch"),
}  # fmt: skip


@pytest.mark.parametrize("function", RIGHT, ids=[function.__name__ for function in RIGHT])
def test_right_in_its_own_way(function: Loss) -> None:
    loss, arrays = RIGHT[function]
    report = checked(loss, function, arrays=arrays)
    assert report["strict"] and report["training"] and report["deviations"] == [], (report["worst"][:1], report["deviations"])

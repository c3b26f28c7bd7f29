"""Box losses of positive priors in every kind that is seen, each row apart."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from refloss import losses

from ..golden import Array

ON_CODES = ("smooth_l1", "l1", "huber", "l2")
ON_BOXES = ("giou", "iou", "log_iou", "diou", "ciou")


def on_codes(kind: str, codes: Array, targets: Array, beta: float) -> tuple[Array, Array]:
    """Elementwise (value, gradient by the codes)."""
    if kind == "l1":
        return losses.l1_loss.value_and_grad(codes, targets)
    if kind == "l2":
        return losses.squared_error.value_and_grad(codes, targets, factor=0.5)
    if kind == "huber":
        return losses.huber_loss.value_and_grad(codes, targets, delta=beta)
    return losses.smooth_l1_loss.value_and_grad(codes, targets, beta=beta)


def on_boxes(kind: str, boxes: Array, truths: Array, eps: float) -> tuple[Array, Array]:
    """(value (n,), gradient by the boxes (n, 4))."""
    if kind in ("iou", "log_iou"):
        return losses.iou_loss.value_and_grad(boxes, truths, kind="log" if kind == "log_iou" else "linear", eps=eps)
    loss: Any = {"giou": losses.giou_loss, "diou": losses.diou_loss, "ciou": losses.ciou_loss}[kind]
    found: tuple[Array, Array] = loss.value_and_grad(boxes, truths, eps=eps)
    return found


def regression(coder: Any, codes: Array, priors: Array, truths: Array, choices: Mapping[str, Any]) -> tuple[Array, Array, int]:
    """(value (n,), gradient by the codes (n, 4), numbers that a row's value is the sum of), by box_loss, beta, eps and zeros_count."""
    if not len(codes):
        return np.zeros(0), np.zeros((0, 4)), 4 if choices["box_loss"] in ON_CODES else 1
    if choices["box_loss"] in ON_CODES:
        targets = coder.encode(truths, priors)
        value, slope = on_codes(choices["box_loss"], codes, targets, choices["beta"])
        counted = np.ones_like(targets) if choices.get("zeros_count", True) else (targets != 0).astype(np.float64)
        return (value * counted).sum(axis=1), slope * counted, 4
    value, by_box = on_boxes(choices["box_loss"], coder.decode(codes, priors), truths, choices["eps"])
    return value, coder.decode_vjp(codes, priors, by_box), 1

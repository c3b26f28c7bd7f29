"""Losses in JAX in their stable forms, as plain functions of arrays; the harness has them differentiated.

LOSSES: name -> (first, second, **parameters) -> values.
"""

import math

import jax
import jax.numpy as jnp
from jax.nn import logsumexp, softplus


def sigmoid(x):  # keeps both tails in its derivative, too; that of the framework's own is s (1 - s)
    return jnp.exp(-softplus(-x))


def weight(t, alpha):
    return 1 if alpha is None else t * alpha + (1 - t) * (1 - alpha)


def power(m, gamma):  # where m has vanished, a power below 1 would have an infinite derivative
    alive = m > 0
    return jnp.where(alive, jnp.where(alive, m, 1) ** gamma, float(gamma == 0))


def bce(x, t, alpha, label_smoothing):
    keep, share = 1 - label_smoothing, label_smoothing / 2
    return weight(t, alpha) * ((t * keep + share) * softplus(-x) + ((1 - t) * keep + share) * softplus(x))


def focal(x, t, alpha, gamma):
    miss = t * sigmoid(-x) + (1 - t) * sigmoid(x)
    return weight(t, alpha) * power(miss, gamma) * (t * softplus(-x) + (1 - t) * softplus(x))


def focal_labels(x, labels, alpha, gamma):
    t = jax.nn.one_hot(labels, x.shape[1], dtype=x.dtype)
    return jnp.where((labels == -2)[:, None], 0, focal(x, t, alpha, gamma))


def softmax_focal(x, labels, alpha=None, gamma=0.0):
    if x.shape[1] == 1:
        return 0 * x[:, 0]
    own = jax.nn.one_hot(labels, x.shape[1], dtype=bool)
    gap = logsumexp(jnp.where(own, -jnp.inf, x), axis=1) - jnp.where(own, x, 0).sum(1)
    loss = weight((labels != 0).astype(x.dtype), alpha) * power(sigmoid(gap), gamma) * softplus(gap)
    return jnp.where(labels == -2, 0, loss)


def smooth_l1(x, t, beta):
    d = jnp.abs(x - t)
    return d if beta == 0 else jnp.where(d < beta, d * d / (2 * beta), d - beta / 2)


def huber(x, t, delta):
    d = jnp.abs(x - t)
    return d * d / 2 if delta == math.inf else jnp.where(d < delta, d * d / 2, delta * (d - delta / 2))


def ratio(a, b):
    empty = b < 2.0**-126
    return jnp.where(empty, 0, a / jnp.where(empty, 1, b))


def corners(box, box_format):
    if box_format == "xyxy":
        return box[:, :2], box[:, 2:], box[:, 2:] - box[:, :2]
    return box[:, :2] - box[:, 2:] / 2, box[:, :2] + box[:, 2:] / 2, box[:, 2:]


def boxes(name, p, t, box_format, eps, kind="linear", differentiate_alpha=False):
    (low, high, side), (t_low, t_high, t_side) = corners(p, box_format), corners(t, box_format)
    inter = jnp.maximum(jnp.minimum(high, t_high) - jnp.maximum(low, t_low), 0).prod(1)
    union = (side.prod(1) - inter) + t_side.prod(1)
    iou = ratio(inter, union + eps)
    hull = jnp.maximum(high, t_high) - jnp.minimum(low, t_low)
    if name == "iou_loss":
        return {"linear": 1 - iou, "squared": 1 - iou * iou, "log": -jnp.log(jnp.maximum(iou, 1e-6))}[kind]
    if name == "giou_loss":
        return 1 - iou + ratio(hull.prod(1) - union, hull.prod(1) + eps)
    shift = ((low - t_low) + (high - t_high)) / 2
    diou = 1 - iou + ratio((shift * shift).sum(1), (hull * hull).sum(1) + eps)
    if name == "diou_loss":
        return diou
    across, along = t_side[:, 0] * side[:, 1] - side[:, 0] * t_side[:, 1], (side * t_side).sum(1)
    aspect = 4 / math.pi**2 * jnp.arctan2(across, jnp.where((across == 0) & (along == 0), 1, along)) ** 2
    alpha = ratio(aspect, (1 - iou) + aspect + eps)
    return diou + (alpha if differentiate_alpha else jax.lax.stop_gradient(alpha)) * aspect


LOSSES = {
    "l1_loss": lambda x, t: jnp.abs(x - t), "squared_error": lambda x, t, factor: factor * (x - t) ** 2,
    "smooth_l1_loss": smooth_l1, "huber_loss": huber, "binary_cross_entropy": bce, "focal_loss": focal,
    "focal_loss_with_integer_labels": focal_labels, "softmax_cross_entropy_with_integer_labels": softmax_focal,
    "softmax_focal_loss_with_integer_labels": softmax_focal,
    **{name: lambda *given, name=name, **more: boxes(name, *given, **more) for name in ("iou_loss", "giou_loss", "diou_loss", "ciou_loss")},
}  # fmt: skip

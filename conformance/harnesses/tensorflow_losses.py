"""Losses in TensorFlow in their stable forms, as plain functions of tensors; the harness has them differentiated.

LOSSES: name -> (first, second, **parameters) -> values.
"""

import math

import tensorflow as tf
from tensorflow.nn import softplus


def sigmoid(x):  # keeps both tails in its derivative, too; that of the framework's own is s (1 - s)
    return tf.exp(-softplus(-x))


def weight(t, alpha):
    return 1 if alpha is None else t * alpha + (1 - t) * (1 - alpha)


def power(m, gamma):  # where m has vanished, a power below 1 would have an infinite derivative
    alive = m > 0
    return tf.where(alive, tf.where(alive, m, 1) ** gamma, float(gamma == 0))


def bce(x, t, alpha, label_smoothing):
    keep, share = 1 - label_smoothing, label_smoothing / 2
    return weight(t, alpha) * ((t * keep + share) * softplus(-x) + ((1 - t) * keep + share) * softplus(x))


def focal(x, t, alpha, gamma):
    miss = t * sigmoid(-x) + (1 - t) * sigmoid(x)
    return weight(t, alpha) * power(miss, gamma) * (t * softplus(-x) + (1 - t) * softplus(x))


def focal_labels(x, labels, alpha, gamma):
    t = tf.one_hot(labels, x.shape[1], dtype=x.dtype)
    return tf.where((labels == -2)[:, None], 0, focal(x, t, alpha, gamma))


def softmax_focal(x, labels, alpha=None, gamma=0.0):
    if x.shape[1] == 1:
        return 0 * x[:, 0]
    own = tf.one_hot(labels, x.shape[1], on_value=True, off_value=False)
    gap = tf.reduce_logsumexp(tf.where(own, -math.inf, x), 1) - tf.reduce_sum(tf.where(own, x, 0), 1)
    loss = weight(tf.cast(labels != 0, x.dtype), alpha) * power(sigmoid(gap), gamma) * softplus(gap)
    return tf.where(labels == -2, 0, loss)


def smooth_l1(x, t, beta):
    d = tf.abs(x - t)
    return d if beta == 0 else tf.where(d < beta, d * d / (2 * beta), d - beta / 2)


def huber(x, t, delta):
    d = tf.abs(x - t)
    return d * d / 2 if delta == math.inf else tf.where(d < delta, d * d / 2, delta * (d - delta / 2))


def ratio(a, b):
    empty = b < 2.0**-126
    return tf.where(empty, 0, a / tf.where(empty, 1, b))


def corners(box, box_format):
    if box_format == "xyxy":
        return box[:, :2], box[:, 2:], box[:, 2:] - box[:, :2]
    return box[:, :2] - box[:, 2:] / 2, box[:, :2] + box[:, 2:] / 2, box[:, 2:]


def boxes(name, p, t, box_format, eps, kind="linear", differentiate_alpha=False):
    (low, high, side), (t_low, t_high, t_side) = corners(p, box_format), corners(t, box_format)
    inter = area(tf.maximum(tf.minimum(high, t_high) - tf.maximum(low, t_low), 0))
    union = (area(side) - inter) + area(t_side)
    iou = ratio(inter, union + eps)
    hull = tf.maximum(high, t_high) - tf.minimum(low, t_low)
    if name == "iou_loss":
        return {"linear": 1 - iou, "squared": 1 - iou * iou, "log": -tf.math.log(tf.maximum(iou, 1e-6))}[kind]
    if name == "giou_loss":
        return 1 - iou + ratio(area(hull) - union, area(hull) + eps)
    shift = ((low - t_low) + (high - t_high)) / 2
    diou = 1 - iou + ratio(tf.reduce_sum(shift * shift, 1), tf.reduce_sum(hull * hull, 1) + eps)
    if name == "diou_loss":
        return diou
    across, along = t_side[:, 0] * side[:, 1] - side[:, 0] * t_side[:, 1], tf.reduce_sum(side * t_side, 1)
    aspect = 4 / math.pi**2 * tf.atan2(across, tf.where((across == 0) & (along == 0), 1, along)) ** 2
    alpha = ratio(aspect, (1 - iou) + aspect + eps)
    return diou + (alpha if differentiate_alpha else tf.stop_gradient(alpha)) * aspect


def area(side):  # the derivative of reduce_prod by a side of 0 is not a number
    return side[:, 0] * side[:, 1]


LOSSES = {
    "l1_loss": lambda x, t: tf.abs(x - t), "squared_error": lambda x, t, factor: factor * (x - t) ** 2,
    "smooth_l1_loss": smooth_l1, "huber_loss": huber, "binary_cross_entropy": bce, "focal_loss": focal,
    "focal_loss_with_integer_labels": focal_labels, "softmax_cross_entropy_with_integer_labels": softmax_focal,
    "softmax_focal_loss_with_integer_labels": softmax_focal,
    **{name: lambda *given, name=name, **more: boxes(name, *given, **more) for name in ("iou_loss", "giou_loss", "diou_loss", "ciou_loss")},
}  # fmt: skip

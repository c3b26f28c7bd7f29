"""Losses in NumPy, written once over dual numbers: arrays v of values, and d of their derivatives by the numbers of the first input.

LOSSES: name -> (first, second, **parameters) -> (values, gradients).
"""

import math

import numpy as np


class Dual:
    __array_ufunc__ = None  # array * Dual comes to __rmul__

    def __init__(self, v, d):
        self.v, self.d = v, d

    def of(self, v, *terms):
        """A function's value, from the derivative by each of its arguments."""
        return Dual(v, sum(np.expand_dims(rate, -1) * x.d for rate, x in terms))

    def __add__(self, b):
        return Dual(self.v + b.v, self.d + b.d) if isinstance(b, Dual) else Dual(self.v + b, self.d)

    def __mul__(self, b):
        return self.of(self.v * b.v, (b.v, self), (self.v, b)) if isinstance(b, Dual) else self.of(self.v * b, (b, self))

    def __neg__(self):
        return Dual(-self.v, -self.d)

    def __sub__(self, b):
        return self + -b

    def __rsub__(self, b):
        return -self + b

    def __truediv__(self, b):  # 0 where there is nothing to divide by
        inverse = 1 / np.where(b.v < 2.0**-126, np.inf, b.v)
        return self.of(self.v * inverse, (inverse, self), (-self.v * inverse * inverse, b))

    def where(self, condition, b):
        return Dual(np.where(condition, self.v, b.v), np.where(np.expand_dims(condition, -1), self.d, b.d))

    __radd__, __rmul__ = __add__, __mul__


def larger(a, b):
    return a.where(a.v > b.v, b)


def smaller(a, b):
    return a.where(a.v < b.v, b)


def size(a):
    return a * np.sign(a.v)


def sigmoid(x):
    e = np.exp(-np.abs(x.v))
    return x.of(np.where(x.v >= 0, 1, e) / (1 + e), (e / (1 + e) ** 2, x))


def softplus(x):
    return x.of(np.maximum(x.v, 0) + np.log1p(np.exp(-np.abs(x.v))), (sigmoid(x).v, x))


def power(a, g):
    return a.of(a.v**g, (np.where(a.v == 0, 0, g * a.v**g / np.where(a.v == 0, 1, a.v)), a))


def angle(y, x):
    square = x.v * x.v + y.v * y.v
    inverse = 1 / np.where(square == 0, np.inf, square)
    return y.of(np.arctan2(y.v, x.v), (x.v * inverse, y), (-y.v * inverse, x))


def weight(t, alpha):
    return 1 if alpha is None else t * alpha + (1 - t) * (1 - alpha)


def cross_entropy(x, y, z):
    return y * softplus(-x) + z * softplus(x)


def bce(x, t, alpha, label_smoothing):
    keep, share = 1 - label_smoothing, label_smoothing / 2
    return weight(t, alpha) * cross_entropy(x, t * keep + share, (1 - t) * keep + share)


def focal(x, t, alpha, gamma):
    miss = t * sigmoid(-x) + (1 - t) * sigmoid(x)
    return weight(t, alpha) * (power(miss, gamma) * cross_entropy(x, t, 1 - t))


def smooth_l1(x, t, beta):
    d = size(x - t)
    return d if beta == 0 else (d * d * (1 / (2 * beta))).where(d.v < beta, d - beta / 2)


def huber(x, t, delta):
    d = size(x - t)
    return d * d * 0.5 if delta == math.inf else (d * d * 0.5).where(d.v < delta, (d - delta / 2) * delta)


def focal_labels(x, labels, alpha, gamma):
    t = (np.arange(x.v.shape[1]) == labels[:, None]).astype(x.v.dtype)
    return focal(x, t, alpha, gamma) * (labels != -2)[:, None]


def softmax_focal(logits, labels, alpha=None, gamma=0.0):
    own = np.arange(logits.shape[1]) == labels[:, None]
    others = np.where(own, -np.inf, logits)
    top = np.maximum(others.max(1), np.finfo(logits.dtype).min)
    shares = np.exp(others - top[:, None])
    total = np.where(shares.any(1), shares.sum(1), 1)
    gap = Dual(top + np.log(total) - (own * logits).sum(1), shares / total[:, None] - own)
    loss = weight((labels != 0).astype(logits.dtype), alpha) * (power(sigmoid(gap), gamma) * softplus(gap))
    return loss * ((labels != -2) & (logits.shape[1] > 1))


def boxes(kind):
    def loss(p, t, box_format, eps, differentiate_alpha=False, **more):
        a, b = corners(p, box_format), corners(t, box_format)
        (w, h), (u, v) = sides(p, box_format), sides(t, box_format)
        none = w * 0
        overlap = [larger(smaller(a[i + 2], b[i + 2]) - larger(a[i], b[i]), none) for i in (0, 1)]
        wide, high = (larger(a[i + 2], b[i + 2]) - smaller(a[i], b[i]) for i in (0, 1))
        inter = overlap[0] * overlap[1]
        union = (w * h - inter) + u * v
        iou = inter / (union + eps)
        if kind == "iou":
            near = larger(iou, none + 1e-6)
            return {"linear": 1 - iou, "squared": 1 - iou * iou, "log": near.of(-np.log(near.v), (-1 / near.v, near))}[more["kind"]]
        if kind == "giou":
            return (1 - iou) + (wide * high - union) / (wide * high + eps)
        dx, dy = (((a[i] - b[i]) + (a[i + 2] - b[i + 2])) * 0.5 for i in (0, 1))
        diou = (1 - iou) + (dx * dx + dy * dy) / (wide * wide + high * high + eps)
        if kind == "diou":
            return diou
        turn = angle(u * h - w * v, w * u + h * v)
        aspect = turn * turn * (4 / math.pi**2)
        alpha = aspect / ((1 - iou) + aspect + eps)
        return diou + (alpha if differentiate_alpha else alpha.v) * aspect

    return loss


def corners(box, form):
    return box if form == "xyxy" else [box[i % 2] + box[2 + i % 2] * (i // 2 - 0.5) for i in range(4)]


def sides(box, form):
    return [box[2] - box[0], box[3] - box[1]] if form == "xyxy" else box[2:]


def scalars(loss):
    def run(x, t, **parameters):
        found = loss(Dual(x, np.ones((*x.shape, 1), x.dtype)), t, **parameters)
        return found.v, found.d[..., 0]

    return run


def rows(loss):
    def run(x, t, **parameters):
        found = loss(x, t, **parameters)
        return found.v, found.d

    return run


def pairs(loss):
    def run(x, t, **parameters):
        p = [Dual(x[:, i], np.broadcast_to(np.eye(4, dtype=x.dtype)[i], x.shape)) for i in range(4)]
        q = [Dual(t[:, i], np.zeros_like(x)) for i in range(4)]
        found = loss(p, q, **parameters)
        return found.v, found.d

    return run


LOSSES = {
    "l1_loss": scalars(lambda x, t: size(x - t)),
    "squared_error": scalars(lambda x, t, factor: factor * ((x - t) * (x - t))),
    "smooth_l1_loss": scalars(smooth_l1), "huber_loss": scalars(huber),
    "binary_cross_entropy": scalars(bce), "focal_loss": scalars(focal), "focal_loss_with_integer_labels": scalars(focal_labels),
    "softmax_cross_entropy_with_integer_labels": rows(softmax_focal), "softmax_focal_loss_with_integer_labels": rows(softmax_focal),
    "iou_loss": pairs(boxes("iou")), "giou_loss": pairs(boxes("giou")), "diou_loss": pairs(boxes("diou")),
    "ciou_loss": pairs(boxes("ciou")),
}  # fmt: skip

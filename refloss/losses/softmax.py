"""Softmax cross entropy and its focal form, with integer labels: SSD's confidence loss."""

import math
from typing import Any

from numpy.typing import ArrayLike

from .._engine import check
from .._engine.bernoulli import balance, minus_log, power, power_mode
from .._engine.fma import fma
from .._engine.record import Reduction, Setting, loss
from .._engine.scalar import log, portable, rounded
from .focal import real_gamma


def focal_formula(xp: Any, logits: Any, labels: Any, *, alpha: float | None, gamma: float) -> Any:
    positive, negative = (1, 1) if alpha is None else (alpha, 1 - alpha)
    own = xp.one_hot(labels, logits) == 1
    rival = xp.stop_gradient(xp.max(xp.where(own, -math.inf, logits)))  # the largest of the others, to keep exp in range
    rival = xp.where(rival == -math.inf, 0, rival)  # one class: there is no other
    others = xp.sum(xp.where(own, 0, xp.exp(xp.where(own, 0, logits - rival[..., None]))))
    alone = others == 0
    margin = xp.log(xp.where(alone, 1, others)) + (rival - xp.sum(xp.where(own, logits, 0)))  # p of the label = sigmoid(-margin)
    loss = xp.where(alone, 0, xp.power(xp.sigmoid(margin), gamma) * xp.softplus(margin))
    return xp.where(labels == check.IGNORE, 0, xp.where(labels == 0, negative * loss, positive * loss))


def formula(xp: Any, logits: Any, labels: Any) -> Any:
    return focal_formula(xp, logits, labels, alpha=None, gamma=0)


@portable
def kernel(mode: Any, label: Any, gap: Any, gap_lo: Any, e: Any, others: Any, others_lo: Any, params: Any) -> Any:
    """e = exp(-gap) is the label's share and `others` that of the rest, both against the largest logit's 1.

    1 - p = others / (e + others) involves no subtraction. The gradient is -pull at the label and
    pull exp(-below) / others elsewhere, pull = alpha_t (1 - p)^gamma (gamma p CE + 1 - p).
    """
    positive, negative, gamma, gamma_lo = params[0], params[2], params[4], params[5]
    T = type(gap)
    whole = others + others_lo
    others, others_lo = whole, others_lo - (whole - others)
    total = e + others
    z = total - e
    total_lo = ((e - (total - z)) + (others - z)) + others_lo
    log_hi, log_lo = log(total, total_lo)
    cross_entropy = gap + (log_hi + (log_lo + gap_lo))
    inverse = T(1) / total
    miss = rounded(others, inverse)
    miss_lo = rounded(fma(-miss, total_lo, fma(-miss, total, others) + others_lo), inverse)
    top, bottom = minus_log(mode, others, others_lo, T(0), False, log_hi, log_lo)
    weight = (negative if label == 0 else positive) * power(mode, miss, miss_lo, top, bottom, gamma, gamma_lo)
    if mode == 0:
        pull, push = weight * (miss + miss_lo), weight * inverse
    else:
        steep = cross_entropy if cross_entropy < T(1e30) else T(1e30)  # e is 0 where this is infinite, and so is their product
        pull = weight * fma(gamma * (e * inverse), steep, miss)
        push = T(0) if others == T(0) else pull / others
    return rounded(weight, cross_entropy), pull, push


@loss(kind="rows", targets="labels", formula=formula, kernel=kernel, settings=({},))
def softmax_cross_entropy_with_integer_labels(
    logits: ArrayLike, labels: ArrayLike, *,
    weights: ArrayLike | None = None, reduction: Reduction = "none", normalizer: float | None = None,
) -> Setting:  # fmt: skip
    """Softmax cross entropy with one integer label a row: SSD's confidence loss (Liu et al. 2016, eq. 3).

    CE = ln(sum_c exp(x_c)) - x_label. Gradient: softmax(x)_c - [c = label].
    In SSD class 0 is the background; the sum over positives and mined negatives is divided by the number of positives.

    Domain: logits real; labels in [0, classes), or IGNORE. Link: softmax.

    Arguments:
        logits: (..., classes); float64, float32, float16 or bfloat16.
        labels: (...), integers: a class, or `refloss.IGNORE` (-2: loss 0, gradient 0, not counted by a mean).
        weights: multiplier of each row's loss, broadcast to the shape of labels.
        reduction: "none" (the shape of labels), "mean" (over rows that are not ignored) or "sum".
        normalizer: positive number that a "none" or "sum" result is divided by: max(1, positives).

    Raises ReflossError (a ValueError or TypeError) for any argument outside these; NEGATIVE (-1) is not a label here, since the
    background is a class of its own. NaN in a logit stays in its row.

    >>> import numpy as np, refloss
    >>> logits = np.log([[0.95, 0.05], [0.05, 0.95], [0.5, 0.5]])
    >>> refloss.softmax_cross_entropy_with_integer_labels(logits, np.array([0, 0, refloss.IGNORE]))
    array([0.05129329, 2.99573227, 0.        ])

    Does not: mine negatives, weight classes, or smooth labels.
    Neighbours: with two classes it is `binary_cross_entropy` of the difference of the logits; gamma=0 of the focal form is this.
    Elsewhere: PyTorch's ignore_index is -100 by default, and its mean of no row at all is NaN (here 0).
    """
    return Setting(0, (1.0, 1.0, 0.0))


@loss(
    kind="rows", targets="labels", formula=focal_formula, kernel=kernel,
    settings=tuple(
        {"alpha": alpha, "gamma": gamma}
        for alpha, gamma in (
            (None, 2.0), (0.25, 2.0), (0.0, 2.0), (1.0, 1.0), (0.75, 0.0), (0.25, 0.5), (None, 0.3), (None, 5.0),
        )
    ),
)  # fmt: skip
def softmax_focal_loss_with_integer_labels(
    logits: ArrayLike, labels: ArrayLike, *, alpha: float | None = None, gamma: float = 2.0,
    weights: ArrayLike | None = None, reduction: Reduction = "none", normalizer: float | None = None,
) -> Setting:  # fmt: skip
    """Softmax focal loss with one integer label a row: -alpha_t (1 - p)^gamma ln(p), p the softmax of the label's class.

    Lin et al. 2017, eq. 5, with the softmax in the place of the sigmoid (the paper's section 3.2 names the extension to many
    classes without a formula). Gradient: with G = alpha_t (1 - p)^gamma (1 - p - gamma p ln(p)), -G at the label and
    G p_c / (1 - p) at class c.

    Domain: logits real; labels in [0, classes), or IGNORE. Link: softmax.

    Arguments:
        logits: (..., classes); float64, float32, float16 or bfloat16.
        labels: (...), integers: a class, or `refloss.IGNORE` (-2: loss 0, gradient 0, not counted by a mean).
        alpha: weight in [0, 1] of rows labelled 1 or above, 1 - alpha that of class 0, the background (as SSD numbers classes);
            None (the default) weights neither.
        gamma: focusing parameter >= 0; 0 is cross entropy exactly.
        weights: multiplier of each row's loss, broadcast to the shape of labels.
        reduction: "none" (the shape of labels), "mean" (over rows that are not ignored) or "sum".
        normalizer: positive number that a "none" or "sum" result is divided by: max(1, positives).

    Raises ReflossError (a ValueError or TypeError) for any argument outside these. NaN in a logit stays in its row.

    >>> import numpy as np, refloss
    >>> logits = np.log([[0.95, 0.05], [0.05, 0.95]])
    >>> refloss.softmax_focal_loss_with_integer_labels(logits, np.array([0, 0]))
    array([1.28233236e-04, 2.70364838e+00])

    Does not: take a weight for each class; use weights=class_weights[labels].
    Neighbours: `softmax_cross_entropy_with_integer_labels` is gamma=0, alpha=None.
    Elsewhere: mmcv multiplies every class by alpha; Keras clips p at 1e-7, multiplies every class by alpha, and focuses each
    class by its own clipped probability; kornia weights class 0 by 1 - alpha, as here.
    """
    name = "softmax_focal_loss_with_integer_labels"
    real = real_gamma(name, gamma)
    return Setting(power_mode(real), (*balance(name, alpha), real))

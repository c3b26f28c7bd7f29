"""Sigmoid focal loss (Lin et al. 2017, "Focal Loss for Dense Object Detection"), with dense targets or integer labels."""

import math
from typing import Any

from numpy.typing import ArrayLike

from .._engine import check
from .._engine.bernoulli import HARD, balance, complement, likelier, minus_log, missed, odds, power, power_mode
from .._engine.fma import fma
from .._engine.record import Reduction, Setting, loss
from .._engine.scalar import after_exp, portable, product, rounded, total
from ..errors import bad_value


def formula(xp: Any, logits: Any, targets: Any, *, alpha: float | None, gamma: float) -> Any:
    positive, negative = (1, 1) if alpha is None else (alpha, 1 - alpha)
    cross_entropy = targets * xp.softplus(-logits) + (1 - targets) * xp.softplus(logits)
    miss = targets * xp.sigmoid(-logits) + (1 - targets) * xp.sigmoid(logits)  # 1 - p_t
    alpha_t = targets * positive + (1 - targets) * negative
    return alpha_t * xp.power(miss, gamma) * cross_entropy


def labels_formula(xp: Any, logits: Any, labels: Any, *, alpha: float | None, gamma: float) -> Any:
    targets = xp.one_hot(labels, logits)
    return xp.where((labels == check.IGNORE)[..., None], 0, formula(xp, logits, targets, alpha=alpha, gamma=gamma))


@portable
def kernel(mode: Any, x: Any, t: Any, params: Any) -> Any:
    e, e_lo = odds(mode, False, x)
    return kernel_after_exp(mode, x, e, e_lo, t, params)


@after_exp(kernel)
@portable
def kernel_after_exp(mode: Any, x: Any, e: Any, e_lo: Any, t: Any, params: Any) -> Any:
    """Orient everything to a = |x| >= 0: u is the weight of the likelier class, v of the other, r k = 1 - p_t, r = 1 / (1 + e).

    d/da = alpha_t (1 - p_t)^gamma r [gamma (v - u) CE e / k + v - e u], where e / k is 1 if v = 0 (a hard, right answer):
    no power gamma - 1 is ever formed, so gamma in (0, 1) is finite.
    """
    if mode >= HARD:
        result = hard(mode % HARD, x, e, e_lo, t, params)
    else:
        result = soft(mode, x, e, e_lo, t, params)
    return result


@portable
def soft(mode: Any, x: Any, e: Any, e_lo: Any, t: Any, params: Any) -> Any:
    positive, negative, gamma, gamma_lo = params[0], params[2], params[4], params[5]
    T = type(x)
    c, c_lo = complement(t)
    likely = x >= T(0)
    u, u_lo, v, v_lo = (t, T(0), c, c_lo) if likely else (c, c_lo, t, T(0))
    sure = v == T(0)
    p, p_lo = product(e, u)
    k, k_lo = total(p, v)
    k_lo = (k_lo + p_lo) + fma(e_lo, u, fma(e, u_lo, v_lo))
    r, log_hi, log_lo = likelier(mode, e, e_lo)
    a = abs(x)
    cross_entropy = fma(T(0) if sure else a, v, log_hi + log_lo)
    miss, miss_lo = missed(r, e, k, k_lo)
    top, bottom = minus_log(mode, k, k_lo, a, sure, log_hi, log_lo)
    weight = fma(t, positive, rounded(c, negative)) * power(mode, miss, miss_lo, top, bottom, gamma, gamma_lo)
    slope = fma(-e_lo, u, fma(-e, u, v))
    if mode != 0:
        steep = cross_entropy if cross_entropy < T(1e30) else T(1e30)  # 0 times infinity has the limit 0 here
        slope = fma(gamma * (v - u) * (T(1) if sure else e / k), steep, slope)
    gradient = weight * (r * slope)
    return rounded(weight, cross_entropy), gradient if likely else -gradient


@portable
def hard(mode: Any, x: Any, e: Any, e_lo: Any, t: Any, params: Any) -> Any:
    """The same bits where t is 0 or 1, and so u and v too: k is e or 1, and the gradient's sign is that of p - t."""
    positive, negative, gamma, gamma_lo = params[0], params[2], params[4], params[5]
    T = type(x)
    mine = t == T(1)
    sure = (x >= T(0)) == mine
    k, k_lo = (e, e_lo) if sure else (T(1), T(0))
    r, log_hi, log_lo = likelier(mode, e, e_lo)
    a = abs(x)
    cross_entropy = (T(0) if sure else a) + (log_hi + log_lo)
    miss, miss_lo = missed(r, e, k, k_lo)
    top, bottom = minus_log(mode, k, k_lo, a, sure, log_hi, log_lo)
    weight = (positive if mine else negative) * power(mode, miss, miss_lo, top, bottom, gamma, gamma_lo)
    slope = k
    if mode != 0:
        steep = cross_entropy if cross_entropy < T(1e30) else T(1e30)
        slope = fma(gamma * (T(1) if sure else e), steep, slope)
    gradient = weight * (r * slope)
    return rounded(weight, cross_entropy), -gradient if mine else gradient


SETTINGS = tuple(
    {"alpha": alpha, "gamma": gamma}
    for alpha, gamma in (
        (0.25, 2.0), (None, 2.0), (0.0, 2.0), (1.0, 2.0), (0.75, 1.0), (0.25, 0.0), (None, 0.0), (0.25, 0.5), (0.1, 0.3), (0.25, 5.0),
    )
)  # fmt: skip


def real_gamma(function: str, gamma: float) -> float:
    return check.number(function, "gamma", gamma, 0.0, 1e4, "0 is cross entropy, the paper's best is 2")


def _settle(function: str, alpha: float | None, gamma: float) -> Setting:
    real = real_gamma(function, gamma)
    return Setting(power_mode(real), (*balance(function, alpha), real))


@loss(kind="elementwise", targets="unit", formula=formula, kernel=kernel, settings=SETTINGS)
def focal_loss(
    logits: ArrayLike, targets: ArrayLike, *, alpha: float | None = 0.25, gamma: float = 2.0,
    weights: ArrayLike | None = None, reduction: Reduction = "none", normalizer: float | None = None,
) -> Setting:  # fmt: skip
    """Sigmoid focal loss (Lin et al. 2017, eq. 5): -alpha_t (1 - p_t)^gamma ln(p_t).

    p = 1 / (1 + exp(-x)), p_t = t p + (1 - t)(1 - p), alpha_t = alpha t + (1 - alpha)(1 - t), and -ln(p_t) is the cross
    entropy t softplus(-x) + (1 - t) softplus(x), so that soft targets mean what they mean in cross entropy.
    Gradient for t = 1: alpha (1 - p)^gamma (gamma p ln(p) + p - 1).

    Domain: logits real; targets in [0, 1]. Link: sigmoid.

    Arguments:
        logits: any shape; float64, float32, float16 or bfloat16.
        targets: the same shape and dtype, in [0, 1].
        alpha: weight of positives in [0, 1], 1 - alpha that of negatives; None weights neither.
        gamma: focusing parameter >= 0. 0 is cross entropy exactly; between 0 and 1 all gradients are finite.
        weights: multiplier of each loss, broadcast to the shape of logits.
        reduction: "none" (the shape of logits), "mean" (over all elements) or "sum".
        normalizer: positive number that a "none" or "sum" result is divided by; the paper's is the number of anchors
            assigned to an object, so give max(1, positives).

    Raises ReflossError (a ValueError or TypeError) for any argument outside these. NaN in a logit stays in its element.

    >>> import numpy as np, refloss
    >>> p = np.array([0.95, 0.05])
    >>> refloss.focal_loss(np.log(p / (1 - p)), np.array([1.0, 1.0]))
    array([3.20583090e-05, 6.75912094e-01])
    >>> value, gradient = refloss.focal_loss.value_and_grad(np.array([-17.0]), np.array([1.0]))
    >>> print(value, gradient)
    [4.24999966] [-0.25000032]

    Does not: take probabilities, clip, average over classes, or count positives.
    Neighbours: gamma=0 is `binary_cross_entropy`; `focal_loss_with_integer_labels` reads labels instead of dense targets;
    `softmax_focal_loss_with_integer_labels` has classes that exclude each other.
    Elsewhere: torchvision, fvcore and mmdet form 1 - p_t by subtraction, so gamma in (0, 1) gives NaN from logit 17 on the
    right side in float32; Keras ignores alpha unless told otherwise, clips p at 1e-7 and averages over the last axis;
    keras-cv smooths labels before it looks up alpha_t, so that every target counts as negative.
    """
    return _settle("focal_loss", alpha, gamma)


@loss(kind="labels", targets="labels", formula=labels_formula, kernel=kernel, settings=SETTINGS[:1] + SETTINGS[2:9])
def focal_loss_with_integer_labels(
    logits: ArrayLike, labels: ArrayLike, *, alpha: float | None = 0.25, gamma: float = 2.0,
    weights: ArrayLike | None = None, reduction: Reduction = "none", normalizer: float | None = None,
) -> Setting:  # fmt: skip
    """Sigmoid focal loss (Lin et al. 2017, eq. 5) of every class, with one integer label a row.

    The target of class c is 1 where the label is c, else 0: `focal_loss(logits, one_hot(labels))`, to the bit, but no one-hot
    array is made and none is read.

    Domain: logits real; labels in [0, classes), or a code. Link: sigmoid.

    Arguments:
        logits: (..., classes); float64, float32, float16 or bfloat16.
        labels: (...), integers: a class, `refloss.NEGATIVE` (-1: background, belongs to no class), or
            `refloss.IGNORE` (-2: the row has loss 0, gradient 0, and is not counted by a mean).
        alpha: weight of positives in [0, 1], 1 - alpha that of negatives; None weights neither.
        gamma: focusing parameter >= 0.
        weights: multiplier of each loss, broadcast to the shape of logits; weights of rows are weights[..., None].
        reduction: "none" (the shape of logits), "mean" (over the logits of rows that are not ignored) or "sum".
        normalizer: positive number that a "none" or "sum" result is divided by: max(1, positives).

    Raises ReflossError (a ValueError or TypeError) for any argument outside these; a label that is neither a class nor a code.

    >>> import numpy as np, refloss
    >>> logits = np.zeros((3, 2))
    >>> refloss.focal_loss_with_integer_labels(logits, np.array([1, refloss.NEGATIVE, refloss.IGNORE]))
    array([[0.1299651, 0.0433217],
           [0.1299651, 0.1299651],
           [0.       , 0.       ]])

    Does not: count a background class among the classes. If yours is class 0, pass labels - 1 (and logits without it).
    Neighbours: `focal_loss`; for one softmax over classes, `softmax_focal_loss_with_integer_labels`.
    Elsewhere: mmcv and mmdet use label == classes for background, apex -1 for background and -2 to ignore.
    """
    return _settle("focal_loss_with_integer_labels", alpha, gamma)


def prior_bias(pi: float = 0.01) -> float:
    """The bias -ln((1 - pi) / pi) that makes a new sigmoid classifier say pi everywhere (Lin et al. 2017, section 4.1).

    pi: prior probability of an object, in (0, 1); the paper's is 0.01. Start the last layer's bias with it, or the first
    batches are ruled by the background.

    >>> round(prior_bias(0.01), 6)
    -4.59512
    """
    real = check.number("prior_bias", "pi", pi, 0.0, 1.0, "the paper's is 0.01")
    if real in (0.0, 1.0):
        bad_value("prior_bias", "pi", "strictly between 0 and 1", f"{real:g}", "the paper's is 0.01")
    return math.log(real) - math.log1p(-real)

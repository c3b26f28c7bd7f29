"""Binary cross entropy from logits, plain or balanced, with hard or soft targets."""

from typing import Any

from numpy.typing import ArrayLike

from .._engine import check
from .._engine.bernoulli import balance, complement, odds
from .._engine.fma import fma
from .._engine.record import Reduction, Setting, loss
from .._engine.scalar import after_exp, portable, quick_log1p, rounded


def formula(xp: Any, logits: Any, targets: Any, *, alpha: float | None, label_smoothing: float) -> Any:
    positive, negative = (1, 1) if alpha is None else (alpha, 1 - alpha)
    smooth = targets * (1 - label_smoothing) + label_smoothing / 2
    rest = (1 - targets) * (1 - label_smoothing) + label_smoothing / 2  # 1 - smooth
    alpha_t = targets * positive + (1 - targets) * negative  # of the targets as given, not of the smoothed ones
    return alpha_t * (smooth * xp.softplus(-logits) + rest * xp.softplus(logits))


@portable
def kernel(mode: Any, x: Any, t: Any, params: Any) -> Any:
    e, e_lo = odds(mode, False, x)
    return kernel_after_exp(mode, x, e, e_lo, t, params)


@after_exp(kernel)
@portable
def kernel_after_exp(mode: Any, x: Any, e: Any, e_lo: Any, t: Any, params: Any) -> Any:
    """With a = |x|, u the smoothed weight of the likelier class and v of the other: CE = a v + log(1 + exp(-a)), and
    dCE/da = r (v - exp(-a) u), r = 1 / (1 + exp(-a)). u and v are each formed without subtraction from the other."""
    positive, negative, keep, share = params[0], params[2], params[4], params[6]
    T = type(x)
    r = T(1) / (T(1) + e)
    c, _ = complement(t)
    likely = x >= T(0)
    u, v = (t, c) if likely else (c, t)
    u, v = fma(u, keep, share), fma(v, keep, share)
    weight = fma(t, positive, rounded(c, negative))
    gradient = weight * (r * fma(-e_lo, u, fma(-e, u, v)))
    return rounded(weight, fma(T(0) if v == T(0) else abs(x), v, quick_log1p(e, e_lo))), gradient if likely else -gradient


SETTINGS = tuple(
    {"alpha": alpha, "label_smoothing": smoothing}
    for alpha, smoothing in (
        (None, 0.0), (0.25, 0.0), (0.0, 0.0), (1.0, 0.0), (0.75, 0.0), (None, 0.1), (None, 1.0), (0.25, 0.5), (0.25, 0.01),
    )
)  # fmt: skip


@loss(kind="elementwise", targets="unit", formula=formula, kernel=kernel, settings=SETTINGS)
def binary_cross_entropy(
    logits: ArrayLike, targets: ArrayLike, *, alpha: float | None = None, label_smoothing: float = 0.0,
    weights: ArrayLike | None = None, reduction: Reduction = "none", normalizer: float | None = None,
) -> Setting:  # fmt: skip
    """Binary cross entropy of logits; with `alpha`, balanced cross entropy (Lin et al. 2017, eq. 1 to 3).

    CE = t softplus(-x) + (1 - t) softplus(x), p = 1 / (1 + exp(-x)); times alpha_t = alpha t + (1 - alpha)(1 - t).
    Gradient: alpha_t (p - t). With label smoothing s, t in CE (not in alpha_t) becomes t (1 - s) + s / 2.

    Domain: logits real; targets in [0, 1], hard or soft. Link: sigmoid.

    Arguments:
        logits: any shape; float64, float32, float16 or bfloat16.
        targets: the same shape and dtype, in [0, 1].
        alpha: weight of positives in [0, 1], 1 - alpha that of negatives; None (the default) weights neither.
        label_smoothing: s in [0, 1]; 0.1 turns 1 into 0.95 and 0 into 0.05.
        weights: multiplier of each loss, broadcast to the shape of logits.
        reduction: "none" (the shape of logits), "mean" (over all elements) or "sum".
        normalizer: positive number that a "none" or "sum" result is divided by.

    Raises ReflossError (a ValueError or TypeError) for any argument outside these. NaN in a logit stays in its element;
    an infinite logit gives the limit.

    >>> import numpy as np, refloss
    >>> p = np.array([0.95, 0.05])
    >>> refloss.binary_cross_entropy(np.log(p / (1 - p)), np.array([1.0, 1.0]))
    array([0.05129329, 2.99573227])

    Does not: take probabilities, clip anything, or take the mean over classes.
    Neighbours: `focal_loss` with gamma=0 and the same alpha is this, to the bit if there is no smoothing; for alpha=0.5 it is
    half the unbalanced loss. `softmax_cross_entropy_with_integer_labels` has classes that exclude each other.
    Elsewhere: Keras clips probabilities at 1e-7, also "from logits", so that the loss stops at 16.118 and the gradient of the
    worst mistakes is lost; mmdet passes class weights as `pos_weight`; darknet prints the sum of squared (t - p).
    """
    positive, negative = balance("binary_cross_entropy", alpha)
    smoothing = check.number("binary_cross_entropy", "label_smoothing", label_smoothing, 0.0, 1.0, "0.1 turns 1 into 0.95, 0 into 0.05")
    return Setting(0, (positive, negative, 1.0 - smoothing, smoothing / 2))

"""Softmax cross entropy and its focal form, with integer labels: SSD's confidence loss."""

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
    at_label = xp.one_hot(labels, logits)
    below = xp.stop_gradient(xp.max(logits))[..., None] - logits
    gap = xp.sum(at_label * below)  # how far the label's logit lies below the largest
    others = xp.sum((1 - at_label) * xp.exp(-below))
    cross_entropy = gap + xp.log1p((xp.exp(-gap) - 1) + others)
    miss = others / (xp.exp(-gap) + others)  # 1 - p of the label
    alpha_t = xp.where(labels == 0, negative, positive)
    return xp.where(labels == check.IGNORE, 0, alpha_t * xp.power(miss, gamma) * cross_entropy)


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
        pull = weight * fma(gamma * (e * inverse), cross_entropy, miss)
        push = pull / others if others > T(0) else T(0)
    return weight * cross_entropy, pull, push


@loss(kind="rows", targets="labels", formula=formula, kernel=kernel, settings=({},))
def softmax_cross_entropy_with_integer_labels(
    logits: ArrayLike, labels: ArrayLike, *,
    weights: ArrayLike | None = None, reduction: Reduction = "none", normalizer: float | None = None,
) -> Setting:  # fmt: skip
    """Doc."""
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
    """Doc."""
    name = "softmax_focal_loss_with_integer_labels"
    real = real_gamma(name, gamma)
    return Setting(power_mode(real), (*balance(name, alpha), real))

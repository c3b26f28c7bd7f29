"""Sigmoid focal loss (Lin et al. 2017, "Focal Loss for Dense Object Detection"), with dense targets or integer labels."""

from typing import Any

from numpy.typing import ArrayLike

from .._engine import check
from .._engine.bernoulli import balance, complement, minus_log, power, power_mode
from .._engine.fma import fma
from .._engine.record import Reduction, Setting, loss
from .._engine.scalar import logistic, portable, rounded


def formula(xp: Any, logits: Any, targets: Any, *, alpha: float | None, gamma: float) -> Any:
    positive, negative = (1, 1) if alpha is None else (alpha, 1 - alpha)
    cross_entropy = targets * xp.softplus(-logits) + (1 - targets) * xp.softplus(logits)
    miss = targets * xp.sigmoid(-logits) + (1 - targets) * xp.sigmoid(logits)  # 1 - p_t
    alpha_t = targets * positive + (1 - targets) * negative
    return alpha_t * xp.power(miss, gamma) * cross_entropy


def labels_formula(xp: Any, logits: Any, labels: Any, *, alpha: float | None, gamma: float) -> Any:
    targets = xp.one_hot(labels, logits)
    counted = xp.where(labels == check.IGNORE, 0, 1)[..., None]
    return counted * formula(xp, logits, targets, alpha=alpha, gamma=gamma)


@portable
def kernel(mode: Any, x: Any, t: Any, params: Any) -> Any:
    """Orient everything to a = |x| >= 0: u is the weight of the likelier class, v of the other, r k = 1 - p_t.

    d/da = alpha_t (1 - p_t)^gamma r [gamma (v - u) CE e / k + v - e u], where e / k is 1 if v = 0 (a hard, right answer):
    no power gamma - 1 is ever formed, so gamma in (0, 1) is finite.
    """
    positive, negative, gamma, gamma_lo = params[0], params[2], params[4], params[5]
    T = type(x)
    a, e, e_lo, r, r_lo, log_hi, log_lo = logistic(x)
    c, c_lo = complement(t)
    likely = x >= T(0)
    u, u_lo, v, v_lo = (t, T(0), c, c_lo) if likely else (c, c_lo, t, T(0))
    sure = v == T(0)
    k = fma(e, u, v)
    k_lo = fma(e_lo, u, fma(e, u, v - k)) + fma(e, u_lo, v_lo)
    cross_entropy = fma(T(0) if sure else a, v, log_hi + log_lo)
    miss = r * k
    miss_lo = fma(r, k, -miss) + fma(r_lo, k, r * k_lo)
    top, bottom = minus_log(mode, k, k_lo, a, sure, log_hi, log_lo)
    weight = fma(t, positive, rounded(c, negative)) * power(mode, miss, miss_lo, top, bottom, gamma, gamma_lo)
    slope = fma(-e, u, v)
    if mode != 0:
        slope = fma(gamma * (v - u) * (T(1) if sure else e / k), cross_entropy, slope)
    gradient = weight * (r * slope)
    return weight * cross_entropy, gradient if likely else -gradient


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
    """Doc."""
    return _settle("focal_loss", alpha, gamma)


@loss(kind="labels", targets="labels", formula=labels_formula, kernel=kernel, settings=SETTINGS[:1] + SETTINGS[5:9])
def focal_loss_with_integer_labels(
    logits: ArrayLike, labels: ArrayLike, *, alpha: float | None = 0.25, gamma: float = 2.0,
    weights: ArrayLike | None = None, reduction: Reduction = "none", normalizer: float | None = None,
) -> Setting:  # fmt: skip
    """Doc."""
    return _settle("focal_loss_with_integer_labels", alpha, gamma)

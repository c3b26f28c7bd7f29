"""Deviations of the softmax losses."""

from typing import Any

from refloss._engine.check import IGNORE

from .record import EPSILONS, TEMPLATES, deviation
from .sigmoid import bare_power as bare

SOFTMAX = ("softmax_cross_entropy_with_integer_labels", "softmax_focal_loss_with_integer_labels")


def template(
    xp: Any, logits: Any, labels: Any, *, alpha: float | None = None, gamma: float = 0, clip: float | None = None,
    activation: str = "softmax",
    rounded: bool = False, plain_logarithm: bool = False, bare_power: bool = False,
) -> Any:  # fmt: skip
    """Softmax focal loss with the places where implementations differ."""
    at_label = xp.one_hot(labels, logits)
    below = xp.stop_gradient(xp.max(logits))[..., None] - logits
    gap = xp.sum(at_label * below)
    others = xp.sum((1 - at_label) * xp.exp(-below))
    cross_entropy = gap + xp.log1p((xp.exp(-gap) - 1) + others)
    miss = others / (xp.exp(-gap) + others)
    if plain_logarithm:
        cross_entropy = gap + xp.log(xp.exp(-gap) + others)
    if activation == "sigmoid":
        own = xp.sum(at_label * logits)
        cross_entropy, miss = xp.softplus(-own), xp.sigmoid(-own)
    if clip is not None or rounded:
        p = xp.exp(-gap) / (xp.exp(-gap) + others)
        cross_entropy = -xp.log(p if clip is None else xp.minimum(xp.maximum(p, clip), 1 - clip))
    power = bare(xp, miss, gamma) if bare_power else xp.power(miss, gamma)
    positive, negative = (1, 1) if alpha is None else (alpha, 1 - alpha)
    alpha_t = xp.where(labels == 0, negative, positive)
    return xp.where(labels == IGNORE, 0, alpha_t * power * cross_entropy)


TEMPLATES.update(dict.fromkeys(SOFTMAX, template))


@deviation(
    "softmax_probability_clipped", title="the probability is clipped to [{constant}, 1 - {constant}] before the logarithm",
    seen="Keras's categorical (focal) cross entropy on probabilities", losses=SOFTMAX, constants=EPSILONS,
    effect="The loss stops growing and its gradient vanishes for the worst mistakes.",
)  # fmt: skip
def softmax_probability_clipped(base: Any, xp: Any, first: Any, second: Any, *, constant: float, **parameters: Any) -> Any:
    return base(xp, first, second, clip=constant, **parameters)


@deviation(
    "logarithm_of_a_rounded_softmax", title="the logarithm of a softmax probability that has been rounded to 0",
    seen="log(softmax(x)) written out", losses=SOFTMAX,
    effect="Confident mistakes give infinity or NaN, which destroys every weight in one step.",
)  # fmt: skip
def logarithm_of_a_rounded_softmax(base: Any, xp: Any, first: Any, second: Any, **parameters: Any) -> Any:
    return base(xp, first, second, rounded=True, **parameters)


@deviation(
    "small_softmax_losses_lost", title="log(sum(exp)) where the sum is nearly 1, so that the loss of an easy example rounds",
    seen="torch's cross_entropy, and most others", losses=SOFTMAX,
    effect="None on gradients: only the printed loss of the easiest examples is 0 or coarse.",
)  # fmt: skip
def small_softmax_losses_lost(base: Any, xp: Any, first: Any, second: Any, **parameters: Any) -> Any:
    return base(xp, first, second, plain_logarithm=True, **parameters)


@deviation(
    "softmax_power_differentiated_at_zero", title="(1 - p)^gamma with gamma < 1 is differentiated where 1 - p is 0",
    seen="x ** gamma in every framework", losses=SOFTMAX[1:],
    effect="Where one logit is far above the others the gradient is NaN, which destroys every weight in one step.",
)  # fmt: skip
def softmax_power_differentiated_at_zero(base: Any, xp: Any, first: Any, second: Any, **parameters: Any) -> Any:
    return base(xp, first, second, bare_power=True, **parameters)


@deviation(
    "sigmoid_for_softmax", title="a sigmoid of the label's own logit in place of softmax", seen="ports between RetinaNet and SSD heads",
    losses=SOFTMAX, effect="The other classes' logits get no gradient, so wrong classes are never pushed down.",
)  # fmt: skip
def sigmoid_for_softmax(base: Any, xp: Any, first: Any, second: Any, **parameters: Any) -> Any:
    return base(xp, first, second, activation="sigmoid", **parameters)


@deviation(
    "ignored_rows_counted_as_background", title="ignored rows are trained as class 0", seen="ports that clamp labels at 0", losses=SOFTMAX,
    effect="Regions that were meant not to count are taught to be background.",
)  # fmt: skip
def ignored_rows_counted_as_background(base: Any, xp: Any, first: Any, second: Any, **parameters: Any) -> Any:
    return base(xp, first, xp.where(second == IGNORE, 0, second), **parameters)


@deviation(
    "softmax_labels_one_too_low", title="each label means the class before its own (labels counted from 1); 0 means the last class",
    seen="mmdet#1299, ports between heads with the background first and last", losses=SOFTMAX,
    effect="Every class is learned as its neighbour, the background as an object.",
)  # fmt: skip
def softmax_labels_one_too_low(base: Any, xp: Any, first: Any, second: Any, **parameters: Any) -> Any:
    return base(xp, first, xp.where(second >= 0, (second - 1) % first.shape[-1], second), **parameters)


@deviation(
    "softmax_labels_one_too_high", title="each label means the class after its own (a background is put first); the last means class 0",
    seen="ssd.pytorch's labels, which count from 1, given to a loss that counts on", losses=SOFTMAX,
    effect="Every class is learned as its neighbour.",
)  # fmt: skip
def softmax_labels_one_too_high(base: Any, xp: Any, first: Any, second: Any, **parameters: Any) -> Any:
    return base(xp, first, xp.where(second >= 0, (second + 1) % first.shape[-1], second), **parameters)


@deviation(
    "background_is_the_last_class", title="the background, which has the weight 1 - alpha, is the last class, not class 0",
    seen="mmdet, detectron2", losses=SOFTMAX, needs="alpha",
    effect="Background and the last class are weighted like objects and background: the balance between them is lost.",
)  # fmt: skip
def background_is_the_last_class(
    base: Any, xp: Any, first: Any, second: Any, *, alpha: float | None = None, **parameters: Any
) -> Any:  # fmt: skip
    plain = base(xp, first, second, alpha=None, **parameters)
    return plain if alpha is None else xp.where(second == first.shape[-1] - 1, 1 - alpha, alpha) * plain

"""Deviations of the sigmoid losses: binary cross entropy and focal loss."""

from typing import Any

from refloss._engine.check import IGNORE, NEGATIVE

from ..dual import Dual
from .record import EPSILONS, TEMPLATES, deviation

DENSE = ("binary_cross_entropy", "focal_loss")
FOCAL = ("focal_loss", "focal_loss_with_integer_labels")
SIGMOID = (*DENSE, "focal_loss_with_integer_labels")


def template(
    xp: Any, logits: Any, second: Any, *, alpha: float | None, gamma: float = 0.0, label_smoothing: float = 0.0, clip: float | None = None,
    clip_everywhere: bool = False, log_eps: float | None = None, rounded: bool = False, alpha_from: str = "targets", power_of: str = "miss",
    activation: str = "sigmoid", modulator: str = "power", split: bool = False,
    logit_added_back: bool = False, selected: bool = False,
) -> Any:  # fmt: skip
    """The sigmoid losses with the places where implementations differ; without the keywords from `clip` on, the specification."""
    counted: Any = 1
    targets = second
    if getattr(second, "dtype", None) is not None and second.dtype.kind == "i":
        targets = xp.one_hot(second, logits)
        counted = xp.where(second == IGNORE, 0, 1)[..., None]
    smooth = targets * (1 - label_smoothing) + label_smoothing / 2
    p, q = xp.sigmoid(logits), xp.sigmoid(-logits)
    minus_log_p, minus_log_q = xp.softplus(-logits), xp.softplus(logits)
    if activation == "softmax":
        e = xp.exp(logits - xp.stop_gradient(xp.max(logits))[..., None])
        p = e / xp.sum(e)[..., None]
        q = 1 - p
        minus_log_p, minus_log_q = -xp.log(p), -xp.log(q)
    if activation == "none":
        p, q = logits, 1 - logits
    if clip is not None:
        held = xp.minimum(xp.maximum(p, clip), 1 - clip)
        minus_log_p, minus_log_q = -xp.log(held), -xp.log(1 - held)
        if clip_everywhere:
            p, q = held, 1 - held
    if log_eps is not None:
        minus_log_p, minus_log_q = -xp.log(p + log_eps), -xp.log(1 - p + log_eps)
    if rounded:
        q = 1 - p
        minus_log_p, minus_log_q = -xp.log(p), -xp.log(q)
    cross_entropy = smooth * minus_log_p + (1 - smooth) * minus_log_q
    if selected:
        cross_entropy = xp.where(smooth == 1, minus_log_p, minus_log_q)
    if logit_added_back:
        cross_entropy = (1 - smooth) * logits + xp.softplus(-logits)
    hard = xp.where(targets == 1, 1, 0)
    shares = {"targets": targets, "smoothed": smooth, "smoothed == 1": xp.where(smooth == 1, 1, 0), "hard": hard}
    share = shares[alpha_from]
    positive, negative = (1, 1) if alpha is None else (alpha, 1 - alpha)
    alpha_t = share * positive + (1 - share) * negative
    whose = hard if alpha_from == "hard" else targets
    miss = {"miss": whose * q + (1 - whose) * p, "hit": whose * p + (1 - whose) * q, "q": q + 0 * whose}[power_of]
    factors = {
        "power": lambda: xp.power(miss, gamma),
        "product": lambda: gamma * miss,
        "bare": lambda: bare_power(xp, miss, gamma),
        "unguarded": lambda: _unguarded(xp, _rounded_miss(xp, logits, p, whose, power_of), gamma),
        "unguarded at 0": lambda: _unguarded(xp, _rounded_miss(xp, logits, p, whose, power_of), gamma, at_0=True),
        "exponential": lambda: _exponential(xp, logits, whose, gamma),
    }
    factor = factors[modulator]()
    if split:
        return counted * (smooth * positive * xp.power(q, gamma) * minus_log_p + (1 - smooth) * negative * xp.power(p, gamma) * minus_log_q)
    if selected:
        return xp.where(counted == 0, 0, alpha_t * factor * cross_entropy)
    return counted * alpha_t * factor * cross_entropy


def _rounded_miss(xp: Any, logits: Any, p: Any, whose: Any, power_of: str) -> Any:
    """1 - p_t by subtraction, the probability being 1 / (1 + exp(-x)): exactly 1 for a smaller x than the spacing of numbers asks for."""
    high = logits >= 0
    p = xp.where(high, 1 / (1 + xp.exp(-xp.where(high, logits, 0))), p)
    hit = p if power_of == "q" else whose * p + (1 - whose) * (1 - p)
    return hit if power_of == "hit" else 1 - hit


def bare_power(xp: Any, miss: Any, gamma: float) -> Any:
    """A power whose derivative at 0 is infinite below gamma = 1."""
    return xp.exp(gamma * xp.log(miss)) if 0 < gamma < 1 else xp.power(miss, gamma)


def _unguarded(xp: Any, miss: Any, gamma: float, at_0: bool = False) -> Any:
    """(1 - p_t) ** gamma with 1 - p_t by subtraction: 0 to a power, whose derivative is 0 * inf below gamma = 1."""
    if gamma == 0 and not (at_0 and isinstance(miss, Dual)):
        return 1  # 0 ** 0 is right; only its derivative is not
    return xp.exp(gamma * xp.log(miss)) if gamma < 1 else xp.power(miss, gamma)


def _exponential(xp: Any, logits: Any, targets: Any, gamma: float) -> Any:
    return xp.exp(-gamma * targets * logits - gamma * xp.log1p(xp.exp(-logits)))


TEMPLATES.update(dict.fromkeys(SIGMOID, template))


@deviation(
    "probability_clipped", title="the probability is clipped to [{constant}, 1 - {constant}] before the logarithm",
    seen="Keras's binary (focal) cross entropy with from_logits=True, KerasCV's focal loss", losses=SIGMOID, constants=EPSILONS,
    effect="The loss stops growing and its gradient vanishes for the worst mistakes, so the hardest examples are not learnt from.",
)  # fmt: skip
def probability_clipped(base: Any, xp: Any, first: Any, second: Any, *, constant: float, **parameters: Any) -> Any:
    return base(xp, first, second, clip=constant, **parameters)


@deviation(
    "probability_clipped_everywhere", title="the probability is clipped to [{constant}, 1 - {constant}] before the logarithm and the power",
    seen="home-made focal losses", losses=FOCAL, constants=EPSILONS,
    effect="The loss stops growing and its gradient is exactly zero for the worst mistakes.",
)  # fmt: skip
def probability_clipped_everywhere(base: Any, xp: Any, first: Any, second: Any, *, constant: float, **parameters: Any) -> Any:
    return base(xp, first, second, clip=constant, clip_everywhere=True, **parameters)


@deviation(
    "eps_in_the_logarithm", title="log(p + {constant}) for log(p)", seen="home-made focal losses", losses=SIGMOID, constants=EPSILONS,
    effect="The gradient of a mistake falls to zero as soon as the probability is below the constant.",
)  # fmt: skip
def eps_in_the_logarithm(base: Any, xp: Any, first: Any, second: Any, *, constant: float, **parameters: Any) -> Any:
    return base(xp, first, second, log_eps=constant, **parameters)


@deviation(
    "logarithm_of_a_rounded_probability", title="the logarithm of a probability that has been rounded to 0 or 1",
    seen="-log(sigmoid(x)) written out", losses=SIGMOID,
    effect="Confident mistakes give infinity or NaN, which destroys every weight in one step.",
)  # fmt: skip
def logarithm_of_a_rounded_probability(base: Any, xp: Any, first: Any, second: Any, **parameters: Any) -> Any:
    return base(xp, first, second, rounded=True, **parameters)


@deviation(
    "logit_added_back", title="the loss of an easy negative is x - log(sigmoid(x)), which rounds to 0",
    seen="torch's binary_cross_entropy_with_logits, and what is built on it", losses=SIGMOID,
    effect="None on gradients: only the printed loss of the easiest negatives is 0.",
)  # fmt: skip
def logit_added_back(base: Any, xp: Any, first: Any, second: Any, **parameters: Any) -> Any:
    return base(xp, first, second, logit_added_back=True, **parameters)


@deviation(
    "sigmoid_twice", title="the sigmoid is applied twice", seen="a model that ends in a sigmoid, with a loss that takes logits",
    losses=SIGMOID,
    effect="Probabilities stay between 0.27 and 0.73 of what is meant, and gradients shrink at least fourfold: training stalls.",
)  # fmt: skip
def sigmoid_twice(base: Any, xp: Any, first: Any, second: Any, **parameters: Any) -> Any:
    return base(xp, xp.sigmoid(first), second, **parameters)


@deviation(
    "logits_read_as_probabilities", title="logits are read as probabilities, clipped to [{constant}, 1 - {constant}]",
    seen="Keras losses without from_logits=True", losses=SIGMOID, constants=(1e-7, 1e-8, 1e-6, 1e-12, 1e-15),
    effect="Every logit outside (0, 1) gets no gradient at all.",
)  # fmt: skip
def logits_read_as_probabilities(base: Any, xp: Any, first: Any, second: Any, *, constant: float, **parameters: Any) -> Any:
    return base(xp, first, second, activation="none", clip=constant, clip_everywhere=True, **parameters)


@deviation(
    "softmax_for_sigmoid", title="softmax over the classes in place of a sigmoid for each ({constant})",
    seen="ports between SSD and RetinaNet heads",
    losses=("focal_loss_with_integer_labels",), constants=("terms multiplied by 0 or 1", "terms selected"),
    effect="Classes compete and background cannot be low for all of them; a detector with sigmoid heads does not converge to scores.",
)  # fmt: skip
def softmax_for_sigmoid(base: Any, xp: Any, first: Any, second: Any, *, constant: str, **parameters: Any) -> Any:
    return base(xp, first, second, activation="softmax", selected=constant == "terms selected", **parameters)


@deviation(
    "smoothing_before_the_alpha_test", title="labels are smoothed before alpha is chosen by target == 1", seen="KerasCV 0.9.0's focal loss",
    losses=("binary_cross_entropy",),
    effect="With any smoothing no target equals 1, so positives get the weight of negatives (1 - alpha).",
)  # fmt: skip
def smoothing_before_the_alpha_test(base: Any, xp: Any, first: Any, second: Any, **parameters: Any) -> Any:
    return base(xp, first, second, alpha_from="smoothed == 1", **parameters)


@deviation(
    "alpha_of_smoothed_targets", title="alpha is mixed by the smoothed targets", seen="losses that smooth first and weight later",
    losses=("binary_cross_entropy",), effect="Positives and negatives are weighted more alike than alpha says.",
)  # fmt: skip
def alpha_of_smoothed_targets(base: Any, xp: Any, first: Any, second: Any, **parameters: Any) -> Any:
    return base(xp, first, second, alpha_from="smoothed", **parameters)


@deviation(
    "soft_targets_are_negatives", title="only targets equal to 1 count as positive, for alpha and for 1 - p_t",
    seen="TensorFlow's model garden", losses=DENSE,
    effect="Soft or smoothed targets are weighted and modulated as if they were background.",
)  # fmt: skip
def soft_targets_are_negatives(base: Any, xp: Any, first: Any, second: Any, **parameters: Any) -> Any:
    return base(xp, first, second, alpha_from="hard", **parameters)


@deviation(
    "soft_targets_mix_hard_losses", title="for a soft target t: t times the loss of a positive plus 1 - t times that of a negative",
    seen="kornia", losses=FOCAL[:1],
    effect="None for hard targets; with soft ones alpha_t and (1 - p_t)^gamma belong to each class and are not shared.",
)  # fmt: skip
def soft_targets_mix_hard_losses(base: Any, xp: Any, first: Any, second: Any, **parameters: Any) -> Any:
    return base(xp, first, second, split=True, **parameters)


@deviation(
    "modulator_of_positives_for_all", title="(1 - p)^gamma for negatives too, where p^gamma belongs", seen="an SSD port", losses=FOCAL,
    effect="Easy negatives keep their full weight and hard ones lose it: the opposite of what focal loss is for.",
)  # fmt: skip
def modulator_of_positives_for_all(base: Any, xp: Any, first: Any, second: Any, **parameters: Any) -> Any:
    return base(xp, first, second, power_of="q", **parameters)


@deviation(
    "modulator_inverted", title="p_t^gamma for (1 - p_t)^gamma", seen="home-made focal losses", losses=FOCAL,
    effect="Easy examples dominate and hard ones are ignored: the opposite of what focal loss is for.",
)  # fmt: skip
def modulator_inverted(base: Any, xp: Any, first: Any, second: Any, **parameters: Any) -> Any:
    return base(xp, first, second, power_of="hit", **parameters)


@deviation(
    "gamma_multiplied", title="gamma (1 - p_t) for (1 - p_t)^gamma", seen="an early PyTorch port of focal loss", losses=FOCAL,
    effect="Easy examples are down-weighted far too little.",
)  # fmt: skip
def gamma_multiplied(base: Any, xp: Any, first: Any, second: Any, **parameters: Any) -> Any:
    return base(xp, first, second, modulator="product", **parameters)


@deviation(
    "power_of_a_rounded_miss", title="1 - p_t is formed by subtraction, rounds to 0 for easy examples, and is raised to a gamma {constant}",
    seen="torchvision, fvcore, Keras", losses=FOCAL, constants=("below 1", "below 1 or equal to 0"),
    effect="The gradient of the easiest examples is NaN, which destroys every weight in one step.",
)  # fmt: skip
def power_of_a_rounded_miss(base: Any, xp: Any, first: Any, second: Any, *, constant: str, **parameters: Any) -> Any:
    return base(xp, first, second, modulator="unguarded" if constant == "below 1" else "unguarded at 0", **parameters)


@deviation(
    "power_differentiated_at_zero", title="(1 - p_t)^gamma with gamma < 1 is differentiated where 1 - p_t underflows to 0",
    seen="x ** gamma in every framework", losses=FOCAL,
    effect="Where a logit is very far on one side the gradient is NaN, which destroys every weight in one step.",
)  # fmt: skip
def power_differentiated_at_zero(base: Any, xp: Any, first: Any, second: Any, **parameters: Any) -> Any:
    return base(xp, first, second, modulator="bare", **parameters)


@deviation(
    "modulator_overflows", title="(1 - p_t)^gamma through exp(-x), which overflows for large negative logits",
    seen="TensorFlow's model garden (legacy)", losses=FOCAL,
    effect="The worst mistakes get a modulator, a loss and a gradient of 0 or NaN.",
)  # fmt: skip
def modulator_overflows(base: Any, xp: Any, first: Any, second: Any, **parameters: Any) -> Any:
    return base(xp, first, second, modulator="exponential", **parameters)


LABELS = ("focal_loss_with_integer_labels",)


@deviation(
    "background_is_label_0", title="label 0 is the background, and label 1 the first class",
    seen="FCOS's own code", losses=LABELS,
    effect="The first class is never learned, and every other one as the class before it.",
)  # fmt: skip
def background_is_label_0(base: Any, xp: Any, first: Any, second: Any, **parameters: Any) -> Any:
    return base(xp, first, xp.where(second >= 0, second - 1, second), **parameters)


@deviation(
    "labels_one_too_high", title="each label means the class after its own, and the last one none", seen="mmdet#1299, the other way",
    losses=LABELS, effect="Every class is learned as its neighbour, and the last one as background.",
)  # fmt: skip
def labels_one_too_high(base: Any, xp: Any, first: Any, second: Any, **parameters: Any) -> Any:
    count = first.shape[-1]
    return base(xp, first, xp.where(second >= 0, xp.where(second + 1 == count, NEGATIVE, second + 1), second), **parameters)


@deviation(
    "background_label_is_the_last_class", title="the code for the background, -1, is read as the last class",
    seen="a one-hot array indexed with -1",
    losses=LABELS, effect="Every background anchor is trained as an object of the last class.",
)  # fmt: skip
def background_label_is_the_last_class(base: Any, xp: Any, first: Any, second: Any, **parameters: Any) -> Any:
    return base(xp, first, xp.where(second == NEGATIVE, first.shape[-1] - 1, second), **parameters)


@deviation(
    "ignored_rows_as_background", title="ignored rows count as background", seen="many ports", losses=LABELS,
    effect="Anchors that fit an object almost well enough are trained to deny it.",
)  # fmt: skip
def ignored_rows_as_background(base: Any, xp: Any, first: Any, second: Any, **parameters: Any) -> Any:
    return base(xp, first, xp.where(second == IGNORE, NEGATIVE, second), **parameters)

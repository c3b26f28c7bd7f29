"""Slips of the pen in the sigmoid losses."""

from typing import Any

from . import sigmoid_steps  # noqa: F401  (the templates take slips)
from .gamma_words import EFFECT, GAMMA_OFF, alpha_for_gamma
from .sigmoid import FOCAL, SIGMOID
from .steps import Slip

BCE = ("binary_cross_entropy",)


def _ones(w: Any) -> Any:
    return 0 * w.targets + 1


def _relu(w: Any, x: Any) -> Any:
    return w.xp.maximum(x, 0)


_class = Slip(SIGMOID, "home-made losses", "One class is learned with another loss than the other, or not at all.")
_class(
    "part_missing",
    "{constant} of the cross entropy is missing",
    {
        "the part of positives": {"smooth": lambda w: 0 * w.t},
        "the part of negatives": {"rest": lambda w: 0 * w.f},
    },
)
_class(
    "part_for_all",
    "{constant} of the cross entropy is not multiplied by its target",
    {
        "the part of positives": {"smooth": _ones},
        "the part of negatives": {"rest": _ones},
    },
)
_class(
    "logarithms_left_out",
    "the target stands alone, without its logarithm, in {constant}",
    {
        "the part of positives": {"minus_log_p": _ones},
        "the part of negatives": {"minus_log_q": _ones},
    },
)
_class(
    "parts_subtracted",
    "the parts of positives and negatives are subtracted: {constant}",
    {
        "positive - negative": {"rest": lambda w: -w.usual("rest")},
        "negative - positive": {"smooth": lambda w: -w.usual("smooth")},
    },
)
_class(
    "targets_inverted",
    "1 - t for t {constant}",
    {
        "in the cross entropy": {"smooth": lambda w: w.usual("rest"), "rest": lambda w: w.usual("smooth")},
        "everywhere": {"t": lambda w: w.usual("f"), "f": lambda w: w.usual("t")},
        "in alpha and the modulator": {"miss": lambda w: w.f * w.q + w.t * w.p, "alpha_t": lambda w: w.f * w.positive + w.t * w.negative},
        "in the logarithm of positives": {"smooth": lambda w: w.usual("rest")},
        "in the logarithm of negatives": {"rest": lambda w: w.usual("smooth")},
    },
)
_class(
    "logit_with_the_other_sign",
    "the logit has the wrong sign in {constant}",
    {
        "-log p": {"minus_log_p": lambda w: w.usual("minus_log_q")},
        "-log(1 - p)": {"minus_log_q": lambda w: w.usual("minus_log_p")},
        "both logarithms": {"minus_log_p": lambda w: w.usual("minus_log_q"), "minus_log_q": lambda w: w.usual("minus_log_p")},
        "p": {"p": lambda w: w.usual("q")},
        "1 - p": {"q": lambda w: w.usual("p")},
        "p and 1 - p": {"p": lambda w: w.usual("q"), "q": lambda w: w.usual("p")},
    },
)
_class(
    "relu_for_softplus",
    "max(x, 0) for log(1 + exp(x)) in {constant}",
    {
        "-log p": {"minus_log_p": lambda w: _relu(w, -w.logits)},
        "-log(1 - p)": {"minus_log_q": lambda w: _relu(w, w.logits)},
        "both logarithms": {"minus_log_p": lambda w: _relu(w, -w.logits), "minus_log_q": lambda w: _relu(w, w.logits)},
    },
)
_class(
    "softplus_otherwise",
    "log(1 + exp(x)) is {constant}",
    {
        word: {"minus_log_p": lambda w, f=f: f(w.xp, -w.logits), "minus_log_q": lambda w, f=f: f(w.xp, w.logits)}
        for word, f in (
            ("log(1 + exp(-|x|)), without max(x, 0)", lambda xp, x: xp.softplus(x) - xp.maximum(x, 0)),
            ("max(x, 0) - log(1 + exp(-|x|))", lambda xp, x: 2 * xp.maximum(x, 0) - xp.softplus(x)),
            ("min(x, 0) + log(1 + exp(-|x|))", lambda xp, x: xp.minimum(x, 0) + xp.softplus(-xp.abs(x))),
            ("x + log(1 + exp(-|x|))", lambda xp, x: x + xp.softplus(-xp.abs(x))),
            ("max(x, 1) + log(1 + exp(-|x|))", lambda xp, x: xp.maximum(x, 1) + xp.softplus(-xp.abs(x))),
            ("max(x, 0) + exp(-|x|)", lambda xp, x: xp.maximum(x, 0) + xp.exp(-xp.abs(x))),
            ("max(x, 0) + log(1 + exp(|x|))", lambda xp, x: xp.maximum(x, 0) + xp.softplus(xp.abs(x))),
        )
    },
)
_class(
    "probability_for_logarithm",
    "a probability where its logarithm belongs: {constant}",
    {
        "-p for -log p": {"minus_log_p": lambda w: -w.p, "minus_log_q": lambda w: -w.q},
        "1 - p for -log p": {"minus_log_p": lambda w: w.q, "minus_log_q": lambda w: w.p},
        "the logit": {"minus_log_p": lambda w: -w.logits, "minus_log_q": lambda w: w.logits},
    },
)

_alpha = Slip(SIGMOID, "home-made losses", "Positives and negatives are balanced in another way than alpha says.")
_alpha(
    "alpha_weights",
    "the weights of positives and negatives are {constant}",
    {
        word: {"alpha_t": lambda w, f=f, g=g: 1 if w.alpha is None else w.t * f(w.alpha) + w.f * g(w.alpha)}
        for word, f, g in (
            ("1 and alpha", lambda a: 1, lambda a: a),
            ("1 and 1 - alpha", lambda a: 1, lambda a: 1 - a),
            ("alpha and 0", lambda a: a, lambda a: 0),
            ("0 and 1 - alpha", lambda a: 0, lambda a: 1 - a),
            ("alpha and 1 + alpha", lambda a: a, lambda a: 1 + a),
            ("alpha and -alpha", lambda a: a, lambda a: -a),
            ("alpha and alpha - 1", lambda a: a, lambda a: a - 1),
            ("alpha and 2 - alpha", lambda a: a, lambda a: 2 - a),
            ("1 + alpha and 1", lambda a: 1 + a, lambda a: 1),
            ("alpha^2 and (1 - alpha)^2", lambda a: a * a, lambda a: (1 - a) ** 2),
            ("alpha / (1 - alpha) and 1", lambda a: a / (1 - a), lambda a: 1),
            ("alpha and 1 / (1 - alpha)", lambda a: a, lambda a: 1 / (1 - a)),
            ("1 / alpha and 1 - alpha", lambda a: 1 / a, lambda a: 1 - a),
            ("1 / alpha and 1 / (1 - alpha)", lambda a: 1 / a, lambda a: 1 / (1 - a)),
            ("2 alpha and 2 (1 - alpha)", lambda a: 2 * a, lambda a: 2 * (1 - a)),
            ("-alpha and 1 - alpha", lambda a: -a, lambda a: 1 - a),
        )
    },
)
_alpha(
    "alpha_for_labels_only",
    "alpha multiplies objects, and the background has weight 1",
    {
        "alpha_t": lambda w: 1 if w.alpha is None else w.t * w.alpha + w.f,
    },
    FOCAL[1:],
)
_alpha(
    "alpha_target_forgotten",
    "{constant}",
    {
        "alpha + (1 - t) (1 - alpha)": {"alpha_t": lambda w: w.positive + w.f * w.negative},
        "t alpha + 1 - alpha": {"alpha_t": lambda w: w.t * w.positive + w.negative},
        "t alpha - (1 - t) (1 - alpha)": {"alpha_t": lambda w: w.t * w.positive - w.f * w.negative},
        "t alpha + (1 + t) (1 - alpha)": {"alpha_t": lambda w: w.t * w.positive + (1 + w.t) * w.negative},
        "t alpha + (2 - t) (1 - alpha)": {"alpha_t": lambda w: w.t * w.positive + (2 - w.t) * w.negative},
        "t alpha - t (1 - alpha)": {"alpha_t": lambda w: w.t * w.positive - w.t * w.negative},
        "t alpha": {"alpha_t": lambda w: w.t * w.positive},
        "(1 - t) (1 - alpha)": {"alpha_t": lambda w: w.f * w.negative},
        "t + (1 - t) (1 - alpha)": {"alpha_t": lambda w: w.t + w.f * w.negative},
        "t alpha + 1 - t": {"alpha_t": lambda w: w.t * w.positive + w.f},
    },
)

_focal = Slip(FOCAL, "home-made focal losses", EFFECT)
_focal("gamma_off", "gamma is {constant}", GAMMA_OFF)
_focal("gamma_is_alpha", "alpha is used for gamma", {"exponent": alpha_for_gamma})
_focal(
    "gamma_on_the_cross_entropy",
    "the power gamma is taken of {constant}",
    {
        "the cross entropy": {"modulator": lambda w: 1, "cross_entropy": lambda w: w.xp.power(w.usual("cross_entropy"), w.gamma)},
        "the cross entropy, too": {"cross_entropy": lambda w: w.xp.power(w.usual("cross_entropy"), w.gamma)},
        "alpha_t, too": {"alpha_t": lambda w: w.xp.power(w.usual("alpha_t"), w.gamma)},
    },
)
_focal("cross_entropy_dropped", "only the weights are left, without the cross entropy", {"cross_entropy": _ones}, SIGMOID)
_focal("modulator_without_gradient", "(1 - p_t)^gamma has no gradient", {"modulator": lambda w: w.xp.stop_gradient(w.usual("modulator"))})
_focal(
    "modulator_otherwise",
    "1 - p_t is {constant}",
    {
        word: {"miss": lambda w, f=f: f(w)}
        for word, f in (
            ("p for all", lambda w: w.p + 0 * w.t),
            ("t (1 - p), without the part of negatives", lambda w: w.t * w.q),
            ("(1 - t) p, without the part of positives", lambda w: w.f * w.p),
            ("t + (1 - t) p", lambda w: w.t + w.f * w.p),
            ("1 - p + (1 - t) p", lambda w: w.q + w.f * w.p),
            ("t (1 - p) + p", lambda w: w.t * w.q + w.p),
            ("t (1 - p) + 1 - t", lambda w: w.t * w.q + w.f),
            ("t (1 - p) - (1 - t) p", lambda w: w.t * w.q - w.f * w.p),
            ("|t - p|", lambda w: w.xp.abs(w.t - w.p)),
            ("t (1 - p) + (1 + t) p", lambda w: w.t * w.q + (1 + w.t) * w.p),
            ("t (1 - p) + (2 - t) p", lambda w: w.t * w.q + (2 - w.t) * w.p),
            ("t (1 - p) - t p", lambda w: w.t * w.q - w.t * w.p),
            ("1 - t (1 - p)", lambda w: 1 - w.t * w.q),
            ("1 + p_t", lambda w: 1 + w.t * w.p + w.f * w.q),
            ("2 - p_t", lambda w: 1 + w.t * w.q + w.f * w.p),
        )
    },
)
_OTHER = (
    ("1 + t", lambda w: 1 + w.targets),
    ("2 - t", lambda w: 2 - w.targets),
    ("-t", lambda w: -w.targets),
    ("t - 1", lambda w: w.targets - 1),
    ("1 - x, of the logit", lambda w: 1 - w.logits),
    ("1 - p", lambda w: w.q),
)
_class(
    "one_minus_target_otherwise",
    "1 - t is {constant}",
    {
        **{f"{word} in the cross entropy": {"rest": lambda w, f=f: f(w) * (1 - w.s) + w.s / 2} for word, f in _OTHER},
        **{f"{word} in alpha_t": {"alpha_t": lambda w, f=f: w.t * w.positive + f(w) * w.negative} for word, f in _OTHER},
    },
)
_class(
    "logit_for_target",
    "the logit stands for the target {constant}",
    {
        "in the cross entropy": {"smooth": lambda w: w.logits * (1 - w.s) + w.s / 2},
        "in alpha_t": {"alpha_t": lambda w: w.logits * w.positive + w.f * w.negative},
        "in 1 - p_t": {"miss": lambda w: w.logits * w.q + w.f * w.p},
    },
)
_label = Slip(FOCAL[1:], "home-made label handling", "Objects are learned as background, or background as an object.")
_label(
    "background_is_the_first_class",
    "the codes of background and ignored rows are shifted with the labels, by {constant}",
    {
        "+ 1": {"targets": lambda w: w.xp.one_hot(w.labels + 1, w.logits)},
        "- 1": {"targets": lambda w: w.xp.one_hot(w.labels - 1, w.logits)},
    },
)

_smooth = Slip(BCE, "home-made label smoothing", "Labels are softened by another amount than was asked for.")
_smooth(
    "smoothing_otherwise",
    "smoothed targets are {constant}",
    {
        word: {"smooth": lambda w, f=f: f(w.t, w.s), "rest": lambda w, f=f: 1 - f(w.t, w.s)}
        for word, f in (
            ("t (1 - s) + s, without the / 2", lambda t, s: t * (1 - s) + s),
            ("t (1 - s)", lambda t, s: t * (1 - s)),
            ("t + s / 2", lambda t, s: t + s / 2),
            ("t (1 - s / 2)", lambda t, s: t * (1 - s / 2)),
            ("t (1 - s) + s / 4", lambda t, s: t * (1 - s) + s / 4),
            ("t (1 - 2 s) + s", lambda t, s: t * (1 - 2 * s) + s),
            ("t (1 - s / 2) + s / 4", lambda t, s: t * (1 - s / 2) + s / 4),
            ("t (1 + s) + s / 2", lambda t, s: t * (1 + s) + s / 2),
            ("t (1 - s) - s / 2", lambda t, s: t * (1 - s) - s / 2),
        )
    },
)
_SIDES = {"positives": ("smooth", "t"), "negatives": ("rest", "f")}
_smooth(
    "smoothing_of_one_side",
    "the target of {constant}",
    {
        f"{who} is {word}": {side: lambda w, f=f, of=of: f(getattr(w, of), w.s)}
        for who, (side, of) in _SIDES.items()
        for word, f in (
            ("not smoothed", lambda t, s: t),
            ("t (1 - s) + s", lambda t, s: t * (1 - s) + s),
            ("t (1 - s) + s / 4", lambda t, s: t * (1 - s) + s / 4),
            ("t (1 - s)", lambda t, s: t * (1 - s)),
            ("s / 2", lambda t, s: 0 * t + s / 2),
            ("t + s / 2", lambda t, s: t + s / 2),
            ("t (1 + s) + s / 2", lambda t, s: t * (1 + s) + s / 2),
            ("t (1 - s) - s / 2", lambda t, s: t * (1 - s) - s / 2),
            ("1 - s + s / 2", lambda t, s: 0 * t + 1 - s / 2),
            ("t (1 - s) + 2 s", lambda t, s: t * (1 - s) + 2 * s),
            ("t (2 - s) + s / 2", lambda t, s: t * (2 - s) + s / 2),
            ("-t s + s / 2", lambda t, s: -t * s + s / 2),
            ("t (s - 1) + s / 2", lambda t, s: t * (s - 1) + s / 2),
            ("t / (1 - s) + s / 2", lambda t, s: t / (1 - s) + s / 2),
        )
    },
)

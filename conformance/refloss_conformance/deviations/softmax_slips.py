"""Slips of the pen in the softmax losses, and their formulas in steps."""

import math
from typing import Any

from refloss._engine.check import IGNORE

from .gamma_words import EFFECT, GAMMA_OFF, alpha_for_gamma
from .softmax import SOFTMAX
from .steps import Slip, Step, Steps, Work, in_steps

FOCAL = SOFTMAX[1:]
STEPS: dict[str, Step] = {
    "at": lambda w: w.labels,
    "own": lambda w: w.xp.one_hot(w.at, w.logits) == 1,
    "rival": lambda w: w.xp.stop_gradient(w.xp.max(w.xp.where(w.own, -math.inf, w.logits))),
    "shift": lambda w: w.xp.where(w.rival == -math.inf, 0, w.rival),
    "others": lambda w: w.xp.sum(w.xp.where(w.own, 0, w.xp.exp(w.xp.where(w.own, 0, w.logits - w.shift[..., None])))),
    "alone": lambda w: w.others == 0,
    "own_logit": lambda w: w.xp.sum(w.xp.where(w.own, w.logits, 0)),
    "margin": lambda w: w.xp.log(w.xp.where(w.alone, 1, w.others)) + (w.shift - w.own_logit),
    "cross_entropy": lambda w: w.xp.softplus(w.margin),
    "miss": lambda w: w.xp.sigmoid(w.margin),
    "hit": lambda w: w.xp.sigmoid(-w.margin),
    "exponent": lambda w: w.gamma,
    "modulator": lambda w: w.xp.power(w.miss, w.exponent),
    "loss": lambda w: w.modulator * w.cross_entropy,
    "positive": lambda w: 1 if w.alpha is None else w.alpha,
    "negative": lambda w: 1 if w.alpha is None else 1 - w.alpha,
    "weight": lambda w: w.xp.where(w.labels == 0, w.negative, w.positive),
    "result": lambda w: w.weight * w.xp.where(w.alone, 0, w.loss),
}


def family(loss: str) -> Any:
    def formula(xp: Any, logits: Any, labels: Any, changed: Steps, *, alpha: float | None = None, gamma: float = 0) -> Any:
        work = Work(STEPS, changed, xp=xp, logits=logits, labels=labels, alpha=alpha, gamma=gamma)
        return xp.where(labels == IGNORE, 0, work.result)

    return formula


in_steps(SOFTMAX, family)

_class = Slip(SOFTMAX, "home-made cross entropies", "Another loss is trained than the one that is stated.")
_class(
    "softmax_logarithm_left_out",
    "{constant} for -log p of the label",
    {
        "1 - p": {"cross_entropy": lambda w: w.miss},
        "-p": {"cross_entropy": lambda w: -w.hit},
        "1": {"cross_entropy": lambda w: 0 * w.margin + 1},
        "-log(1 - p)": {"cross_entropy": lambda w: w.xp.softplus(-w.margin)},
        "minus the logit": {"cross_entropy": lambda w: -w.own_logit},
    },
)
_class("softmax_hinge", "max(margin, 0) for log(1 + exp(margin))", {"cross_entropy": lambda w: w.xp.maximum(w.margin, 0)})
_class("softmax_own_class_left_out", "the sum of exponentials lacks the label's own class", {"cross_entropy": lambda w: w.margin})
_class(
    "softmax_margin_otherwise",
    "the others' logarithm less the label's logit is {constant}",
    {
        "negated": {"margin": lambda w: -w.usual("margin")},
        "without the label's logit": {"margin": lambda w: w.usual("margin") + w.own_logit},
        "added to the label's logit": {"margin": lambda w: w.usual("margin") + 2 * w.own_logit},
        "only the largest other's": {"margin": lambda w: w.shift - w.own_logit},
        "only minus the label's logit": {"margin": lambda w: -w.own_logit},
        "without adding the shift back": {"margin": lambda w: w.usual("margin") - w.shift},
    },
)
_class(
    "softmax_ignored_as_the_next_label",
    "the label's class is {constant}, its weight that of the label",
    {
        "one too high": {"at": lambda w: w.labels + 1},
        "one too low": {"at": lambda w: w.labels - 1},
    },
)

_focal = Slip(FOCAL, "home-made focal losses", EFFECT)
_focal("softmax_gamma_off", "gamma is {constant}", GAMMA_OFF)
_focal("softmax_gamma_is_alpha", "alpha is used for gamma", {"exponent": alpha_for_gamma})
_focal(
    "softmax_modulator_otherwise",
    "(1 - p)^gamma is {constant}",
    {
        "p^gamma": {"miss": lambda w: w.hit},
        "gamma (1 - p)": {"modulator": lambda w: w.gamma * w.miss},
        "without gradient": {"modulator": lambda w: w.xp.stop_gradient(w.usual("modulator"))},
        "margin^gamma": {"miss": lambda w: w.margin},
        "(-log p)^gamma": {"miss": lambda w: w.cross_entropy},
        "(-log p)^gamma, without a logarithm beside it": {"loss": lambda w: w.xp.power(w.cross_entropy, w.gamma)},
        "divided by -log p": {"loss": lambda w: w.modulator / w.cross_entropy},
    },
)
_focal(
    "softmax_alpha_weights",
    "the weights of objects and background are {constant}",
    {
        word: {"weight": lambda w, f=f, g=g: 1 if w.alpha is None else w.xp.where(w.labels == 0, g(w.alpha), f(w.alpha))}
        for word, f, g in (
            ("alpha and 1", lambda a: a, lambda a: 1),
            ("1 and alpha", lambda a: 1, lambda a: a),
            ("1 and 1 - alpha", lambda a: 1, lambda a: 1 - a),
            ("alpha and 0", lambda a: a, lambda a: 0),
            ("0 and 1 - alpha", lambda a: 0, lambda a: 1 - a),
            ("alpha and 1 + alpha", lambda a: a, lambda a: 1 + a),
            ("1 - alpha for both", lambda a: 1 - a, lambda a: 1 - a),
            ("alpha and -alpha", lambda a: a, lambda a: -a),
            ("alpha and alpha - 1", lambda a: a, lambda a: a - 1),
            ("alpha and 2 - alpha", lambda a: a, lambda a: 2 - a),
            ("alpha^2 and (1 - alpha)^2", lambda a: a * a, lambda a: (1 - a) ** 2),
        )
    },
    effect="Objects and background are balanced in another way than alpha says.",
)
_focal(
    "softmax_background_is_class_1",
    "class 1, not 0, has the background's weight",
    {
        "weight": lambda w: w.xp.where(w.labels == 1, w.negative, w.positive),
    },
    effect="Background and the first object are weighted like each other.",
)
_class(
    "softmax_modulated", "(1 - p)^{constant} multiplies it", {"1": {"exponent": lambda w: 1}, "2": {"exponent": lambda w: 2}}, SOFTMAX[:1]
)

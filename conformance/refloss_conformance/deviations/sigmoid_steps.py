"""The sigmoid losses in steps."""

from typing import Any

from refloss._engine.check import IGNORE

from .sigmoid import DENSE, SIGMOID
from .steps import Step, Steps, Work, in_steps

STEPS: dict[str, Step] = {
    "targets": lambda w: w.xp.one_hot(w.labels, w.logits),
    "positive": lambda w: 1 if w.alpha is None else w.alpha,
    "negative": lambda w: 1 if w.alpha is None else 1 - w.alpha,
    "t": lambda w: w.targets,
    "f": lambda w: 1 - w.targets,
    "smooth": lambda w: w.t * (1 - w.s) + w.s / 2,
    "rest": lambda w: w.f * (1 - w.s) + w.s / 2,
    "minus_log_p": lambda w: w.xp.softplus(-w.logits),
    "minus_log_q": lambda w: w.xp.softplus(w.logits),
    "p": lambda w: w.xp.sigmoid(w.logits),
    "q": lambda w: w.xp.sigmoid(-w.logits),
    "cross_entropy": lambda w: w.smooth * w.minus_log_p + w.rest * w.minus_log_q,
    "miss": lambda w: w.t * w.q + w.f * w.p,
    "exponent": lambda w: w.gamma,
    "modulator": lambda w: w.xp.power(w.miss, w.exponent),
    "alpha_t": lambda w: w.t * w.positive + w.f * w.negative,
    "result": lambda w: w.alpha_t * w.modulator * w.cross_entropy,
}


def family(loss: str) -> Any:
    def formula(
        xp: Any, logits: Any, second: Any, changed: Steps, *, alpha: float | None, gamma: float = 0.0, label_smoothing: float = 0.0
    ) -> Any:
        dense = loss in DENSE
        given = {"targets": second} if dense else {"labels": second}
        work = Work(STEPS, changed, xp=xp, logits=logits, alpha=alpha, gamma=gamma, s=label_smoothing, **given)
        return work.result if dense else xp.where((second == IGNORE)[..., None], 0, work.result)

    return formula


in_steps(SIGMOID, family)

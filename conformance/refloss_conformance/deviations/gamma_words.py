"""What the slips of sigmoid and of softmax focal losses have in common: their words about gamma."""

from typing import Any

EFFECT = "Easy and hard examples are weighted otherwise than gamma says."
GAMMA_OFF = {
    word: {"exponent": lambda w, f=f: f(w.gamma)}
    for word, f in (
        ("gamma + 1", lambda g: g + 1),
        ("gamma - 1", lambda g: g - 1),
        ("2 gamma", lambda g: 2 * g),
        ("gamma / 2", lambda g: g / 2),
        ("always 0", lambda g: 0),
        ("always 1", lambda g: 1),
    )
}


def alpha_for_gamma(w: Any) -> Any:
    return w.gamma if w.alpha is None else w.alpha

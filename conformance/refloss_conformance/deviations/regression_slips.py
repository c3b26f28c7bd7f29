"""Slips of the pen in the losses of a difference, and their formulas in steps."""

import math
from typing import Any

from .steps import Slip, Step, Steps, Work, in_steps

L1, SQUARED, SMOOTH, HUBER = ("l1_loss",), ("squared_error",), ("smooth_l1_loss",), ("huber_loss",)
BENT = (*SMOOTH, *HUBER)
ALL = (*L1, *SQUARED, *BENT)
STEPS: dict[str, Step] = {
    "d": lambda w: w.first - w.second,
    "size": lambda w: w.xp.abs(w.d),
    "small": lambda w: w.size * w.size / (2 * w.cutoff) if w.divided else w.size * w.size / 2,
    "large": lambda w: w.size - w.cutoff / 2 if w.divided else w.cutoff * (w.size - w.cutoff / 2),
    "is_small": lambda w: w.size < w.cutoff,
    "bent": lambda w: (
        w.size if w.divided and w.cutoff == 0 else w.small if w.cutoff == math.inf else w.xp.where(w.is_small, w.small, w.large)
    ),
    "squared": lambda w: w.factor * w.d * w.d,
    "l1": lambda w: w.size,
}
RESULT = {"l1_loss": "l1", "squared_error": "squared", "smooth_l1_loss": "bent", "huber_loss": "bent"}


def family(loss: str) -> Any:
    def formula(
        xp: Any, first: Any, second: Any, changed: Steps, *, beta: float | None = None, delta: float | None = None, factor: float = 1
    ) -> Any:
        cutoff = delta if beta is None else beta
        work = Work(STEPS, changed, xp=xp, first=first, second=second, cutoff=cutoff, factor=factor, divided=beta is not None)
        return getattr(work, RESULT[loss])

    return formula


in_steps(ALL, family)

_difference = Slip(ALL, "home-made regression losses", "Predictions are not driven to their targets.")
_difference(
    "difference_otherwise",
    "the difference is {constant}",
    {
        "p + t": {"d": lambda w: w.first + w.second},
        "p": {"d": lambda w: w.first + 0 * w.second},
        "t": {"d": lambda w: 0 * w.first + w.second},
    },
)
_difference("sign_of_the_difference_kept", "d for |d|", {"size": lambda w: w.d}, (*L1, *BENT))
_difference("difference_reversed_and_kept", "t - p for |p - t|", {"size": lambda w: -w.d}, (*L1, *BENT))
_difference(
    "square_otherwise",
    "the square is {constant}",
    {
        "|d|": {"squared": lambda w: w.factor * w.size},
        "d": {"squared": lambda w: w.factor * w.d},
        "factor d": {"squared": lambda w: w.factor + 0 * w.d},
        "d^2 / factor": {"squared": lambda w: w.d * w.d / w.factor},
        "d^4": {"squared": lambda w: w.factor * w.d * w.d * w.d * w.d},
        "factor d^2 / 2": {"squared": lambda w: w.factor * w.d * w.d / 2},
    },
    SQUARED,
)

_bend = Slip(
    BENT,
    "home-made Huber losses",
    "The two branches do not meet, or bend elsewhere: small and large errors are weighted otherwise than stated.",
)
_SMALL = (
    ("d^2", lambda w: w.size * w.size),
    ("|d| / 2", lambda w: w.size / 2),
    ("|d|", lambda w: w.size),
    ("d^2 / 4", lambda w: w.size * w.size / 4),
    ("2 d^2", lambda w: 2 * w.size * w.size),
    ("beta d^2 / 2", lambda w: w.cutoff * w.size * w.size / 2),
    ("d^2 / beta", lambda w: w.size * w.size / w.cutoff),
    ("d^2 / (4 beta)", lambda w: w.size * w.size / (4 * w.cutoff)),
    ("2 d^2 beta", lambda w: 2 * w.size * w.size * w.cutoff),
    ("|d| / (2 beta)", lambda w: w.size / (2 * w.cutoff)),
    ("2 beta / d^2", lambda w: 2 * w.cutoff / (w.size * w.size)),
    ("2 / d^2", lambda w: 2 / (w.size * w.size)),
    ("1 / (2 beta)", lambda w: 0 * w.size + 1 / (2 * w.cutoff)),
    ("1 / 2", lambda w: 0 * w.size + 0.5),
    ("d^2 / (2 + beta)", lambda w: w.size * w.size / (2 + w.cutoff)),
)
_bend("small_errors_otherwise", "below the cutoff it is {constant}", {word: {"small": step} for word, step in _SMALL})
_PARTS = (
    ("beta", lambda b: b),
    ("1 / 2", lambda b: 0.5),
    ("beta / 4", lambda b: b / 4),
    ("beta^2 / 2", lambda b: b * b / 2),
    ("2 beta", lambda b: 2 * b),
    ("0", lambda b: 0),
    ("2 / beta", lambda b: 2 / b),
    ("-beta / 2", lambda b: -b / 2),
)
_LARGE = {
    **{
        f"(|d| - {word}){' beta' if times else ''}": {
            "large": lambda w, f=f, times=times: (w.cutoff if times else 1) * (w.size - f(w.cutoff))
        }
        for times in (False, True)
        for word, f in _PARTS
    },
    "beta / 2 - |d|": {"large": lambda w: w.cutoff / 2 - w.size},
    "beta (beta / 2 - |d|)": {"large": lambda w: w.cutoff * (w.cutoff / 2 - w.size)},
    "beta |d| - beta / 2": {"large": lambda w: w.cutoff * w.size - w.cutoff / 2},
    "(|d| - beta / 2) / beta": {"large": lambda w: (w.size - w.cutoff / 2) / w.cutoff},
    "beta / (|d| - beta / 2)": {"large": lambda w: w.cutoff / (w.size - w.cutoff / 2)},
    "beta": {"large": lambda w: w.cutoff + 0 * w.size},
    "-beta / 2": {"large": lambda w: -w.cutoff / 2 + 0 * w.size},
    "-beta^2 / 2": {"large": lambda w: -w.cutoff * w.cutoff / 2 + 0 * w.size},
}
_bend("large_errors_otherwise", "from the cutoff on it is {constant}", _LARGE)
_bend("small_errors_as_smooth_l1", "below the cutoff it is d^2 / (2 delta)", {"small": lambda w: w.size * w.size / (2 * w.cutoff)}, HUBER)
_bend("large_errors_as_smooth_l1", "from the cutoff on it is |d| - delta / 2", {"large": lambda w: w.size - w.cutoff / 2}, HUBER)
_bend(
    "large_errors_as_huber",
    "from the cutoff on it is beta (|d| - beta / 2)",
    {"large": lambda w: w.cutoff * (w.size - w.cutoff / 2)},
    SMOOTH,
)
_bend(
    "cutoff_otherwise",
    "the branches are chosen by {constant}",
    {
        "the other way round": {"is_small": lambda w: w.size >= w.cutoff},
        "|d| < 1": {"is_small": lambda w: w.size < 1},
        "|d| < 2 beta": {"is_small": lambda w: w.size < 2 * w.cutoff},
        "|d| < beta / 2": {"is_small": lambda w: w.size < w.cutoff / 2},
        "d < beta": {"is_small": lambda w: w.d < w.cutoff},
        "nothing: always the square": {"bent": lambda w: w.small},
        "nothing: always the line": {"bent": lambda w: w.large},
        "d^2 < beta": {"is_small": lambda w: w.size * w.size < w.cutoff},
    },
)

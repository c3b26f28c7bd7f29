"""Slips of the pen in the coder of four distances."""

from typing import Any

from .code_steps import LTRB
from .coders import log_of
from .steps import Slip, Steps

_SIDES = ("left", "top", "right", "bottom")
_side = Slip(
    LTRB, "home-made distance coders", "Codes and boxes do not belong together: the network learns other boxes than those that were drawn."
)
_sides: dict[str, Any] = {}
for _k, _word in enumerate(_SIDES):
    _sides[f"the {_word} one has the wrong sign"] = {
        f"side_{_k}": lambda w, k=_k: -w.usual(f"side_{k}"),
        f"far_{_k}": lambda w, k=_k: -w.usual(f"far_{k}"),
    }
    _sides[f"the {_word} one is not measured from the location"] = {
        f"side_{_k}": lambda w, k=_k: (-1 if k < 2 else 1) * w.first[..., k] + 0 * w.second[..., 0],
        f"edge_{_k}": lambda w, k=_k: (-1 if k < 2 else 1) * getattr(w, f"far_{k}"),
    }
    _sides[f"the {_word} one is the location alone"] = {
        f"side_{_k}": lambda w, k=_k: (1 if k < 2 else -1) * w.second[..., k % 2] + 0 * w.first[..., 0],
        f"edge_{_k}": lambda w, k=_k: w.second[..., k % 2] + 0 * w.first[..., 0],
    }
    for _flip, _which in ((1, "other axis"), (2, "opposite side")):
        _sides[f"the {_word} one is that of the {_which}"] = {
            f"side_{_k}": lambda w, k=_k, f=_flip: (1 if k < 2 else -1) * (w.second[..., k % 2] - w.first[..., k ^ f]),
            f"code_{_k}": lambda w, k=_k, f=_flip: w.usual(f"code_{k ^ f}"),
        }
    _sides[f"the {_word} one has the location of the other axis"] = {
        f"side_{_k}": lambda w, k=_k: (1 if k < 2 else -1) * (w.second[..., 1 - k % 2] - w.first[..., k]),
        f"edge_{_k}": lambda w, k=_k: w.second[..., 1 - k % 2] + (-1 if k < 2 else 1) * getattr(w, f"far_{k}"),
    }
_side("sides_otherwise", "of the four distances, {constant}", _sides)
_side(
    "sides_all_wrong",
    "the four distances have {constant}",
    {
        "the wrong sign": {f"{name}_{k}": lambda w, name=name, k=k: -w.usual(f"{name}_{k}") for name in ("side", "far") for k in range(4)},
    },
)


def _order(order: tuple[int, ...]) -> Steps:
    """Which distance stands at each place."""
    encode = {f"distance_{k}": lambda w, j=j: w.usual(f"distance_{j}") for k, j in enumerate(order)}
    return encode | {f"code_{j}": lambda w, k=k: w.usual(f"code_{k}") for k, j in enumerate(order)}


_side(
    "sides_added",
    "location + edge for their difference: {constant}",
    {word: {f"side_{k}": lambda w, k=k: w.first[..., k] + w.second[..., k % 2]} for k, word in enumerate(_SIDES)},
    LTRB[:1],
)
_side(
    "sides_in_another_order",
    "the four distances are {constant}",
    {
        ", ".join(_SIDES[j] for j in order): _order(order)
        for order in (
            (1, 0, 2, 3),
            (0, 1, 3, 2),
            (2, 1, 0, 3),
            (0, 3, 2, 1),
            (0, 2, 3, 1),
            (2, 0, 1, 3),
            (3, 2, 1, 0),
            (1, 2, 3, 0),
            (3, 0, 1, 2),
        )
    },
)
_side(
    "distances_by_the_stride",
    "the stride is {constant}",
    {
        "divided by for multiplied by, or the reverse": {"length": lambda w: 1 / w.stride if w.normalize else w.stride / w.stride},
        "used where pixels were stated, and left out where strides were": {
            "length": lambda w: w.stride / w.stride if w.normalize else w.stride
        },
        "squared": {"length": lambda w: w.stride * w.stride if w.normalize else w.stride / w.stride},
        "used squared where pixels were stated": {"length": lambda w: w.stride if w.normalize else w.stride * w.stride},
        "1 / stride where pixels were stated": {"length": lambda w: w.stride if w.normalize else 1 / w.stride},
    },
)
_side(
    "exponential_otherwise",
    "exp and identity are {constant}",
    {
        "exchanged": {
            **{f"code_{k}": lambda w, k=k: w.first[..., k] if w.activation != "linear" else w.xp.exp(w.first[..., k]) for k in range(4)},
            **{
                f"distance_{k}": lambda w, k=k: (
                    getattr(w, f"side_{k}") / w.length if w.activation != "linear" else log_of(w.xp, getattr(w, f"side_{k}"), w.length)
                )
                for k in range(4)
            },
        },
        "exp(-t) for exp(t)": {
            **{f"code_{k}": lambda w, k=k: w.first[..., k] if w.activation == "linear" else w.xp.exp(-w.first[..., k]) for k in range(4)},
            **{
                f"distance_{k}": lambda w, k=k: (
                    getattr(w, f"side_{k}") / w.length if w.activation == "linear" else log_of(w.xp, w.length, getattr(w, f"side_{k}"))
                )
                for k in range(4)
            },
        },
    },
)
_side(
    "relu_of_distances",
    "relu(t) for exp(t)",
    {f"code_{k}": lambda w, k=k: w.first[..., k] if w.activation == "linear" else w.xp.maximum(w.first[..., k], 0) for k in range(4)},
    LTRB[1:],
)

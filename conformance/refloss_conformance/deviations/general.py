"""Deviations that any loss may have."""

import math
from typing import Any

from refloss._engine.record import REGISTRY

from .record import base_formula, deviation

LOGARITHMIC = (
    "binary_cross_entropy", "focal_loss", "focal_loss_with_integer_labels", "softmax_cross_entropy_with_integer_labels",
    "softmax_focal_loss_with_integer_labels",
)  # fmt: skip


@deviation(
    "alpha_ignored", title="alpha is ignored", seen="Keras without apply_class_balancing=True, fvcore at its default", needs="alpha",
    effect="Positives and negatives weigh the same, so the foreground is not balanced as stated.",
)  # fmt: skip
def alpha_ignored(base: Any, xp: Any, first: Any, second: Any, *, alpha: float | None, **rest: Any) -> Any:
    return base(xp, first, second, alpha=None, **rest)


@deviation(
    "alpha_swapped", title="alpha and 1 - alpha are swapped", seen="home-made focal losses", needs="alpha",
    effect="With alpha = 0.25 positives weigh three times as much as meant and negatives a third: many false positives.",
)  # fmt: skip
def alpha_swapped(base: Any, xp: Any, first: Any, second: Any, *, alpha: float | None, **rest: Any) -> Any:
    return base(xp, first, second, alpha=None if alpha is None else 1 - alpha, **rest)


@deviation(
    "alpha_for_all", title="negatives are weighted as positives: alpha multiplies everything",
    seen="Keras's categorical focal loss, mmcv's softmax focal",
    needs="alpha", effect="The balance of positives and negatives is lost, and the whole loss is scaled by alpha.",
)  # fmt: skip
def alpha_for_all(base: Any, xp: Any, first: Any, second: Any, *, alpha: float | None, **rest: Any) -> Any:
    return (1 if alpha is None else alpha) * base(xp, first, second, alpha=None, **rest)


@deviation(
    "alpha_of_positives_only", title="alpha multiplies positives, and negatives have weight 1", seen="pos_weight in place of alpha",
    losses=("binary_cross_entropy", "focal_loss"), effect="Negatives weigh 1 / (1 - alpha) times as much as meant.",
)  # fmt: skip
def alpha_of_positives_only(base: Any, xp: Any, first: Any, second: Any, *, alpha: float | None, **rest: Any) -> Any:
    plain = base(xp, first, second, alpha=None, **rest)
    return plain if alpha is None else (second * alpha + (1 - second)) * plain


def _ignored(parameter: str, effect: str) -> None:
    @deviation(f"{parameter}_ignored", title=f"{parameter} is ignored: its default is used", seen="a parameter that is not passed on",
               needs=parameter, effect=effect)  # fmt: skip
    def change(base: Any, xp: Any, first: Any, second: Any, **parameters: Any) -> Any:
        owner = next(loss for loss in REGISTRY.values() if parameter in loss.defaults)
        return base(xp, first, second, **{**parameters, parameter: owner.defaults[parameter]})


for _parameter, _effect in (
    ("gamma", "Hard and easy examples are balanced as at gamma = 2, whatever is asked for."),
    ("beta", "The switch from square to linear stays at 1."),
    ("delta", "The switch from square to linear stays at 1."),
    ("factor", "The loss has the scale of factor 1."),
    ("label_smoothing", "Labels stay hard, so logits grow without bound."),
):
    _ignored(_parameter, _effect)


def _scaled(loss: str, parameters: dict[str, Any], by: float) -> float:
    return by if loss in LOGARITHMIC or parameters.get("kind") == "log" else 1.0


def _other_logarithm(name: str, number: int) -> None:
    for loss_kind, where in (("", LOGARITHMIC), ("_of_iou", ("iou_loss",))):

        @deviation(f"{name}{loss_kind}", title=f"{name} in place of the natural logarithm", seen="log10 or log2 taken for ln", losses=where,
                   effect=f"Loss and gradient are 1 / ln {number} = {1 / math.log(number):.4g} of what they should be.")  # fmt: skip
        def change(base: Any, xp: Any, first: Any, second: Any, **parameters: Any) -> Any:
            by = 1 / math.log(number) if parameters.get("kind", "log") == "log" else 1
            return by * base(xp, first, second, **parameters)


_other_logarithm("log10", 10)
_other_logarithm("log2", 2)


@deviation(
    "constant_factor", title="everything is multiplied by {constant}",
    seen="a factor of 1/2 too many or too few, a mean over the 4 coordinates",
    constants=(0.5, 2.0, 0.25, 4.0, 100.0, 0.01), effect="The balance with the other losses is shifted by that factor.",
)  # fmt: skip
def constant_factor(base: Any, xp: Any, first: Any, second: Any, *, constant: float, **parameters: Any) -> Any:
    return constant * base(xp, first, second, **parameters)


@deviation(
    "sign_flipped", title="the sign is flipped", seen="log likelihood in place of its negative",
    effect="Training moves away from the solution.",
)  # fmt: skip
def sign_flipped(base: Any, xp: Any, first: Any, second: Any, **parameters: Any) -> Any:
    return -base(xp, first, second, **parameters)


@deviation(
    "gradient_factor", title="the value is right, and its gradient is multiplied by {constant}",
    seen="darknet, whose gradients are written by hand: that of (t - x)^2 lacks the 2, and what it calls delta points downhill",
    constants=(0.5, 2.0, -1.0, -0.5), effect="The learning rate, or its sign, is another than the printed loss suggests.",
)  # fmt: skip
def gradient_factor(base: Any, xp: Any, first: Any, second: Any, *, constant: float, **parameters: Any) -> Any:
    value = base(xp, first, second, **parameters)
    held = xp.stop_gradient(value)
    return held + constant * (value - held)


@deviation(
    "similarity_for_loss", title="the similarity is returned: 1 - the loss",
    seen="functions named iou, giou, ciou (say --returns similarity)",
    applies=lambda loss: REGISTRY[loss].kind == "pairs", effect="Minimised as it stands, it drives boxes apart.",
)  # fmt: skip
def similarity_for_loss(base: Any, xp: Any, first: Any, second: Any, **parameters: Any) -> Any:
    return 1 - base(xp, first, second, **parameters)


@deviation(
    "arguments_swapped", title="predictions and targets are swapped", seen="y_true and y_pred in the other order",
    applies=lambda loss: REGISTRY[loss].targets in ("unit", "boxes"),
    effect="The targets are treated as predictions; what is learnt has little to do with the task.",
)  # fmt: skip
def arguments_swapped(base: Any, xp: Any, first: Any, second: Any, **parameters: Any) -> Any:
    return base(xp, second, first, **parameters)


def _alike(loss: str, other: str) -> bool:
    """Losses that take the same arrays, so that one may be computed in place of the other."""
    a, b = REGISTRY[loss], REGISTRY[other]
    return loss != other and (a.kind, a.targets, a.arrays) == (b.kind, b.targets, b.arrays)


def another_loss(other: str) -> None:
    """Registers: `other` is computed in place of the loss that is stated."""

    @deviation(f"computes_{other}", title=f"{other} is computed instead", seen="a name that says one thing and code that does another",
               applies=lambda loss: _alike(loss, other), effect="Another loss is trained than the one that is stated.")  # fmt: skip
    def change(base: Any, xp: Any, first: Any, second: Any, **parameters: Any) -> Any:
        defaults = REGISTRY[other].defaults
        foreign = {name for one in REGISTRY.values() for name in one.defaults} - set(defaults)
        kept = {**defaults, **{name: value for name, value in parameters.items() if name not in foreign}}
        return base_formula(other)(xp, first, second, **kept)


for _name in tuple(REGISTRY):
    if any(_alike(_other, _name) for _other in REGISTRY):
        another_loss(_name)

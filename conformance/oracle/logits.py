"""Logits with targets in [0, 1]: ordinary, at the edge where each dtype's exp saturates, subnormal, with hard and soft targets."""

import math

from .inputs import Input, number_slug, single

# From here on a clipped probability (1e-7) or one rounded to float32 shows.
SATURATES = 16.0
UNDERFLOWS = 87.0  # float32's exp(-x) leaves the normal numbers


def case(x: float, t: float) -> Input:
    """The flags follow from the numbers."""
    x, t = float(x), float(t)
    flags = []
    if 0 < t < 1:
        flags.append("soft_target")
        if abs(x) < 700 and abs(1 / (1 + math.exp(-x)) - t) < 1e-6:
            flags.append("cancellation")
    if 0 < abs(x) < 1e-6:
        flags.append("near_zero")
    if abs(x) >= UNDERFLOWS:
        flags.append("underflow")
    if abs(x) >= SATURATES and t in (0.0, 1.0):
        flags.append("saturated_right" if (x > 0) == (t == 1) else "saturated_wrong")
    return Input(f"x_{number_slug(x)}-t_{number_slug(t)}", x, t, tuple(flags) or ("basic",))


def core() -> list[Input]:
    positives = (
        0, 0.5, -0.5, 1, -1, 2.5, -3, 6, -6, 9.375, -9.375, 16.5, -16.5, 17, -17, 40, -40, 88, -88, 104, -104, 2.0**-10, -(2.0**-24),
    )  # fmt: skip
    negatives = (0, 0.5, -1, 2.5, -3, 9.375, -6, -17, 17, -40, 40, 88, -104, 104, 2.0**-133)
    soft = ((0, 0.5), (-2, 0.25), (3, 0.75), (0.5, 2.0**-10), (17, 0.5), (-17, 0.5), (30, 0.75), (-104, 2.0**-8), (1.5, 1 - 2.0**-8))
    return [case(x, 1) for x in positives] + [case(x, 0) for x in negatives] + [case(x, t) for x, t in soft]


def extra() -> list[Input]:
    edges = (  # ln of each dtype's largest, smallest normal and smallest number, and their neighbours
        16.6, single(16.6), 16.625, 18.375, 20, 36.75, 37, 64, single(87.3), single(87.33654), single(88.72283), single(88.72284), 89, 87.5,
        103.5, single(103.27893), single(103.97208), 105, 110, 150, 500, 708.39, 709.78, 710, 744.44, 745.13, 746, 1000, 11000,
        30000, 65504,
    )  # fmt: skip
    both = [case(sign * x, t) for k, x in enumerate(edges) for sign, t in ((1, 1), (-1, 1), (1 if k % 2 else -1, 0))]
    small = (
        single(0.1), single(-math.pi), math.log(2), -1e-3, single(1e-5), 2.0**-30, -(2.0**-60), 2.0**-126, 2.0**-149, -(2.0**-1022),
        5e-324, 1 - 2.0**-24, -(1.5 + 2.0**-52), single(-2.302585), single(4.59512), -12.75,
    )  # fmt: skip
    ordinary = [case(x, k % 2) for k, x in enumerate(small)] + [case(-x, k % 2) for k, x in enumerate(small)]
    targets = (1e-3, single(1e-3), 0.1, 0.9, single(0.9), 2.0**-24, 1 - 2.0**-24, 1 - 2.0**-53, 0.3, 2.0**-149)
    soft = [case(x, t) for t in targets for x in (single(-2.2), 5.0, 17.0, -30.0)]
    roots = [  # sigmoid(x) = t: the gradient of cross entropy cancels
        case(math.log(3), 0.75), case(single(math.log(3)), 0.75), case(single(-math.log(3)), 0.25), case(math.log(9), 0.9),
        case(2.0**-20, 0.5),
    ]  # fmt: skip
    return both + ordinary + soft + roots


NOTES = {
    "basic": ("basic", "An ordinary input. A failure here means that another formula, parameter or reduction is computed."),
    "near_zero": ("edge", "A logit near 0 or subnormal. A failure means that tiny inputs are flushed, or a branch at 0 is wrong."),
    "saturated_wrong": (
        "saturation",
        "A confident mistake: the probability of the target is below 1e-7. A failure means that it is clipped or rounded to 0 before the "
        "logarithm, so that the worst mistakes get a bounded loss and no gradient.",
    ),
    "saturated_right": (
        "saturation",
        "A confident right answer: 1 - p_t is below the dtype's resolution. A failure means that it is formed by subtraction: the loss "
        "becomes 0, and a power of it with gamma below 1 gets an infinite or NaN gradient.",
    ),
    "underflow": (
        "saturation",
        "exp(-|logit|) is subnormal or 0 in float32 or float64. A failure means that exp overflows or 0 * inf arises.",
    ),
    "soft_target": ("soft_target", "A target between 0 and 1. A failure means that it is rounded, or that an equality with 1 decides."),
    "cancellation": (
        "soft_target",
        "sigmoid(logit) nearly equals the target: the gradient is a small difference; compare with gradient_scale.",
    ),
}

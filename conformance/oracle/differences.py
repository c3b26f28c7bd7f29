"""Predictions with real targets: differences at ties, at a loss's threshold and one ulp beside it, large, tiny, cancelling."""

import math

import numpy as np

from .inputs import Input, number_slug, single


def case(p: float, t: float, *flags: str) -> Input:
    p, t = float(p), float(t)
    found = list(flags)
    if p == t:
        found.append("equal")
    elif abs(p - t) < 2.0**-20 * max(abs(p), abs(t)):
        found.append("cancellation")
    if 0 < abs(p - t) < 1e-6:
        found.append("tiny")
    if abs(p - t) > 1e4:
        found.append("large")
    return Input(f"p_{number_slug(p)}-t_{number_slug(t)}", p, t, tuple(dict.fromkeys(found)) or ("basic",))


def core() -> list[Input]:
    plain = [case(sign * d, 0) for d in (2.0**-10, 0.125, 0.25, 0.375, 0.75, 1.5, 2, 3, 8, 100) for sign in (1, -1)]
    shifted = [case(*pair) for pair in ((5, 3), (3, 5), (0.625, 0.5), (-1, 1), (-6, -6.5), (100, -28), (0, 0.875), (0, -12))]
    return plain + shifted + [case(v, v) for v in (0, 1.5, -7, 96)]


def extra() -> list[Input]:
    sizes = (
        single(1e-30), 2.0**-149, 2.0**-24, 5e-324, 2.0**-133, single(1e-20), 1e-160, 1e-5, single(0.1), 0.1, 0.3, single(1 / 3), math.pi,
        1000, 30000, 65504, 1e5, single(1e15), single(1e30), 1e150, 250, single(12.7),
    )  # fmt: skip
    pairs = (
        (0.1, 0.3), (single(0.1), single(0.3)), (1, 1 - 2.0**-24), (1 - 2.0**-53, 1), (1e8, 1e8 - 8), (single(0.3), single(-0.7)),
        (1, single(1e-10)), (1e-300, 1), (-0.7, 1.1), (math.e, math.pi),
    )  # fmt: skip
    return [case(d if k % 2 else -d, 0) for k, d in enumerate(sizes)] + [case(*pair) for pair in pairs]


def at(thresholds: list[float]) -> list[Input]:
    """|p - t| exactly at each number and one ulp beside it, in float64 and as a float32; in other places of the axis too."""
    distances = {}
    for v in thresholds:
        short = np.float32(v)
        for d in (v, math.nextafter(v, 0), math.nextafter(v, math.inf)):
            distances[d] = None
        for d in (short, np.nextafter(short, np.float32(0)), np.nextafter(short, np.float32(np.inf))):
            distances[float(d)] = None
    return [case(sign * d, 0, "threshold") for d in distances for sign in (1, -1)] + [case(2 * v, v, "threshold") for v in thresholds]


NOTES = {
    "basic": ("basic", "An ordinary difference. A failure here means that another formula, parameter or reduction is computed."),
    "equal": ("tie", "Prediction equals target. The loss is 0; where there is a kink the gradient is 0, the middle of the interval given."),
    "threshold": (
        "edge",
        "The difference is at a parameter's value or one ulp beside it. A failure means a jump between the two branches.",
    ),
    "cancellation": ("edge", "Prediction and target nearly agree; their difference is exact and must not be formed from rounded terms."),
    "tiny": ("edge", "A tiny difference. A failure means flushing to zero, or an eps that is added where none belongs."),
    "large": ("edge", "A large difference. A failure means clipping, or a square that overflows without need."),
}

"""How alike two boxes are, for the kernels of suppression: IoU, or IoU less the distance of the centres."""

from typing import Any

from .._engine.overlap import EMPTY, meeting, over
from .._engine.scalar import exp_of_minus, log, portable, rounded


@portable
def pair_iou(x1: Any, y1: Any, x2: Any, y2: Any, area: Any, u1: Any, v1: Any, u2: Any, v2: Any, other_area: Any) -> Any:
    """Areas are given; nothing is fused, so that the value is the same bits as a plain transcription of I / (A + B - I)."""
    intersection = rounded(meeting(x1, x2, u1, u2), meeting(y1, y2, v1, v2))
    return over(intersection, (area + other_area) - intersection)


@portable
def distance(x1: Any, y1: Any, x2: Any, y2: Any, u1: Any, v1: Any, u2: Any, v2: Any) -> Any:
    """rho^2 / c^2: the squared distance of the centres over the squared diagonal of the smallest box around both."""
    T = type(x1)
    dx, dy = T(0.5) * ((x1 - u1) + (x2 - u2)), T(0.5) * ((y1 - v1) + (y2 - v2))
    w, h = (x2 if x2 > u2 else u2) - (x1 if x1 < u1 else u1), (y2 if y2 > v2 else v2) - (y1 if y1 < v1 else v1)
    return over(rounded(dx, dx) + rounded(dy, dy), rounded(w, w) + rounded(h, h))


@portable
def power(r: Any, beta: Any) -> Any:
    """r^beta for 0 <= r < 1 and beta in [0.1, 10], as exp(beta ln r); about 10 eps. 0 for r below 2^-126."""
    T = type(r)
    none = r < T(EMPTY)
    hi, lo = log(T(1) if none else r, T(0))
    value, value_lo = exp_of_minus(-(beta * (hi + lo)), T(0))
    return T(0) if none else value + value_lo

"""The geometry of a pair of boxes, one axis at a time, with derivatives. At a tie the derivative is the mean of both sides."""

from typing import Any

from .fma import fma
from .scalar import portable, rounded

EMPTY = 2.0**-126  # an area below this counts as none, in every type, so that 1 / area is finite


@portable
def below(a: Any, b: Any) -> Any:
    """1 if a < b, 1/2 if they are equal, else 0."""
    T = type(a)
    return T(1) if a < b else (T(0.5) if a == b else T(0))


@portable
def axis(x1: Any, x2: Any, u1: Any, u2: Any) -> Any:
    """Length of the intersection of [x1, x2] and [u1, u2] with its derivatives by x1 and x2, and the same of the hull."""
    T = type(x1)
    low, high = x1 if x1 > u1 else u1, x2 if x2 < u2 else u2
    length = high - low
    meets = below(T(0), length)
    hull = (x2 if x2 > u2 else u2) - (x1 if x1 < u1 else u1)
    return (length if length > T(0) else T(0), -below(u1, x1) * meets, below(x2, u2) * meets, hull, -below(x1, u1), below(u2, x2))


@portable
def center_distance(x1: Any, x2: Any, u1: Any, u2: Any) -> Any:
    """Between the middles of two intervals; it is also the derivative of its square by x1, and by x2."""
    return type(x1)(0.5) * ((x1 - u1) + (x2 - u2))


@portable
def over(a: Any, b: Any) -> Any:
    """a / b, and 0 where b is empty: below 2^-126, the smallest normal float32 (NaN stays NaN)."""
    T = type(a)
    return T(0) if b < T(EMPTY) else a / b


@portable
def iou_parts(w: Any, h: Any, tw: Any, th: Any, x: Any, y: Any, eps: Any) -> Any:
    """(IoU, union, its denominator's inverse, d IoU / d intersection, d IoU / d area), the last two by the quotient rule."""
    T = type(w)
    intersection = x[0] * y[0]
    union = fma(w, h, fma(tw, th, -intersection))
    inverse = over(T(1), union + eps)
    iou = over(intersection, union + eps)
    return iou, union, inverse, rounded(T(1) + iou, inverse), rounded(-iou, inverse)

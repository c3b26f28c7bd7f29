"""The geometry of a pair of boxes, one axis at a time, with derivatives. At a tie the derivative is the mean of both sides."""

from typing import Any

from .fma import fma
from .scalar import portable, product, rounded, total

EMPTY = 2.0**-126  # an area below this counts as none, in every type, so that 1 / area is finite


@portable
def below(a: Any, b: Any) -> Any:
    """1 if a < b, 1/2 if they are equal, else 0."""
    T = type(a)
    return T(1) if a < b else (T(0.5) if a == b else T(0))


@portable
def meeting(x1: Any, x2: Any, u1: Any, u2: Any) -> Any:
    """Length of the intersection of [x1, x2] and [u1, u2]."""
    T = type(x1)
    length = (x2 if x2 < u2 else u2) - (x1 if x1 > u1 else u1)
    return length if length > T(0) else T(0)


@portable
def own(centred: Any, low: Any, high: Any) -> Any:
    """Derivatives by an interval's ends, as those by its own two numbers: its ends, or its centre and size."""
    T = type(low)
    return (low + high, T(0.5) * (high - low)) if centred else (low, high)


@portable
def axis(centred: Any, x1: Any, x2: Any, w: Any, u1: Any, u2: Any, tw: Any) -> Any:
    """Length of the intersection of [x1, x2] and [u1, u2] with its derivatives by the own two numbers, and the same of the hull.

    The derivatives are small multiples of 1/2, so they, their sums and differences are exact. Where one interval holds the other,
    both lengths are given sizes (w, tw), not differences of corners that a large centre has rounded.
    """
    T = type(x1)
    low, high = x1 if x1 > u1 else u1, x2 if x2 < u2 else u2
    inside, around = (x1 >= u1) & (x2 <= u2), (x1 <= u1) & (x2 >= u2)
    length = w if inside else (tw if around else high - low)
    meets = below(T(0), length)
    a, b = own(centred, -below(u1, x1), below(x2, u2))
    hull = tw if inside else (w if around else (x2 if x2 > u2 else u2) - (x1 if x1 < u1 else u1))
    c, d = own(centred, -below(x1, u1), below(u2, x2))
    return (length if length > T(0) else T(0)), a * meets, b * meets, hull, c, d


@portable
def over(a: Any, b: Any) -> Any:
    """a / b, and 0 where b is empty: below 2^-126, the smallest normal float32 (NaN stays NaN)."""
    T = type(a)
    return T(0) if b < T(EMPTY) else a / b


@portable
def quotient(w: Any, h: Any, tw: Any, th: Any, x: Any, y: Any, eps: Any) -> Any:
    """(IoU, union and what it lost to rounding, 1 / (union + eps)). Of a box with itself IoU is 1 exactly; it never exceeds 1."""
    T = type(w)
    meet, meet_lo = product(x[0], y[0])
    area, area_lo = product(w, h)
    target, target_lo = product(tw, th)
    small, large = (area, target) if area < target else (target, area)
    rest, rest_lo = total(small, -meet)  # in this order the union is exact where one box holds the other
    union, union_lo = total(large, rest)
    iou = over(meet, union + eps)
    lost = (union_lo + rest_lo) + ((area_lo + target_lo) - meet_lo)
    return (T(1) if iou > T(1) else iou), union, lost, over(T(1), union + eps)


@portable
def rates(centred: Any, a: Any, b: Any, length: Any, size: Any, iou: Any, inverse: Any) -> Any:
    """Derivatives of union and IoU by the two numbers of one axis: dI = (a, b) length, d area = d size * size of the other axis.

    dIoU = (dI - IoU dU) / U with dU = d area - dI: for each number by itself, before anything is rounded away.
    """
    first, second = rounded(a, length), rounded(b, length)
    one, two = (-first if centred else -size - first), size - second
    return one, two, rounded(fma(-iou, one, first), inverse), rounded(fma(-iou, two, second), inverse)

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
def beyond(half: Any, a: Any, b: Any) -> Any:
    """Twice `half` if a > b, once if they are equal, else 0: two comparisons and two selects, no product."""
    T = type(half)
    return half + half if a > b else (half if a >= b else T(0))


@portable
def within(half: Any, a: Any, b: Any) -> Any:
    """What `beyond` leaves of twice `half`."""
    T = type(half)
    return T(0) if a > b else (half if a >= b else half + half)


@portable
def meeting(x1: Any, x2: Any, u1: Any, u2: Any) -> Any:
    """Length of the intersection of [x1, x2] and [u1, u2]."""
    T = type(x1)
    length = (x2 if x2 < u2 else u2) - (x1 if x1 > u1 else u1)
    return length if length > T(0) else T(0)


@portable
def own(centred: Any, low: Any, high: Any) -> Any:
    """Derivatives by an interval's own two numbers: its ends, by which they are -low and high, or its centre and size."""
    T = type(low)
    return (high - low, rounded(T(0.5), low + high)) if centred else (-low, high)


@portable
def axis(centred: Any, x1: Any, x2: Any, w: Any, u1: Any, u2: Any, tw: Any) -> Any:
    """Of [x1, x2] and [u1, u2]: how far they overlap (less than 0 where they are apart), length of the intersection, and of the hull.

    Where one interval holds the other, these are sizes: of a centred box those given, as a large centre has rounded the corners.
    """
    T = type(x1)
    low, high = x1 if x1 > u1 else u1, x2 if x2 < u2 else u2
    first, last = x1 if x1 < u1 else u1, x2 if x2 > u2 else u2
    inside, around = centred & (x1 >= u1) & (x2 <= u2), centred & (x1 <= u1) & (x2 >= u2)
    overlap = w if inside else (tw if around else high - low)
    return overlap, (overlap if overlap > T(0) else T(0)), (tw if inside else (w if around else last - first))


@portable
def over(a: Any, b: Any) -> Any:
    """a / b, and 0 where b is empty: below 2^-126, the smallest normal float32 (NaN stays NaN)."""
    T = type(a)
    return T(0) if b < T(EMPTY) else a / b


@portable
def quotient(centred: Any, w: Any, h: Any, tw: Any, th: Any, x: Any, y: Any, eps: Any) -> Any:
    """(IoU, union and what it lost to rounding, 1 / (union + eps)) of an intersection x by y.

    Of a box with itself IoU is 1 exactly; it never exceeds 1.
    """
    T = type(w)
    meet, meet_lo = product(x, y)
    area, area_lo = product(w, h)
    target, target_lo = product(tw, th)
    small, large = (area, target) if area < target else (target, area)
    rest, rest_lo = total(small, -meet)  # in this order the union is exact where one box holds the other
    union, union_lo = total(large, rest)
    iou = over(meet, union + eps)
    lost = (union_lo + rest_lo) + ((area_lo + target_lo) - meet_lo)
    return (T(1) if centred & (iou > T(1)) else iou), union, lost, over(T(1), union + eps)


@portable
def touch(overlap: Any) -> Any:
    """1/2 where two boxes overlap, 1/4 where they only touch, 0 where they are apart, of the lesser of their overlaps.

    One answer serves the derivatives on both: those on an axis are also multiplied by the intersection's length on the other.
    """
    T = type(overlap)
    return beyond(T(0.25), overlap, T(0))


@portable
def rates(centred: Any, x1: Any, x2: Any, u1: Any, u2: Any, half: Any, size: Any, iou: Any) -> Any:
    """Derivatives by the two numbers of one axis: of the union U, and of IoU times U; `half` of how much of the other axis meets.

    dI = (-low, high): where this end is the box's own, all that meets, half of it at ties. d area = (-size, size), of the other axis.
    dIoU = (dI - IoU dU) / U, dU = d area - dI: before anything is rounded away.
    """
    low, high = beyond(half, x1, u1), beyond(half, u2, x2)
    first, second = own(centred, low, high)
    one, two = (-first if centred else low - size), size - second
    return one, two, fma(-iou, one, first), fma(-iou, two, second)

"""The coder of FCOS: distances from a location to the four sides of a box."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np

from .._engine import check
from .._engine.coding import Coder, Coding, Problem, each, finite, ordered, positive
from .._engine.fma import fma
from .._engine.record import Array, Setting
from .._engine.scalar import exp, portable, rounded, total
from ..errors import bad_type
from .shared import kept, log_ratio, log_ratio_formula, pulled, size_of

ACTIVATIONS = ("linear", "exp")


def ltrb_encode_formula(xp: Any, boxes: Any, priors: Any, *, normalize: bool, activation: str) -> Any:
    (x1, y1, x2, y2), (x, y, stride) = (boxes[..., j] for j in range(4)), (priors[..., j] for j in range(3))
    unit = stride if normalize else stride / stride
    sides = [x - x1, y - y1, x2 - x, y2 - y]
    return xp.stack([side / unit if activation == "linear" else log_ratio_formula(xp, side, unit) for side in sides])


def ltrb_decode_formula(xp: Any, codes: Any, priors: Any, *, normalize: bool, activation: str) -> Any:
    x, y, stride = (priors[..., j] for j in range(3))
    unit = stride if normalize else stride / stride
    left, top, right, bottom = (unit * (codes[..., j] if activation == "linear" else xp.exp(codes[..., j])) for j in range(4))
    return xp.stack([x - left, y - top, x + right, y + bottom])


@portable
def encode_side(mode: Any, side: Any, side_lo: Any, unit: Any, slop: Any, upstream: Any) -> Any:
    """The code of a distance, and the gradient by it."""
    T = type(side)
    if mode == 0:
        return side / unit, upstream / unit
    side, side_lo = (T(0), T(0)) if (side < T(0)) & (side >= slop) else (side, side_lo)
    hi, lo, live = log_ratio(side, side_lo, unit, T(0))
    return hi + lo, (upstream / side if live else T(0))


@portable
def encode_axis(mode: Any, low: Any, high: Any, place: Any, unit: Any, eps: Any, u_low: Any, u_high: Any) -> Any:
    T = type(low)
    size = high - low
    slop = T(-4) * eps * (abs(low) if abs(low) > abs(high) else abs(high))  # corners are rounded: so much outside is on the border
    sound = T(math.nan) if size < T(0) else size - size
    first, first_lo = total(place, -low)
    second, second_lo = total(high, -place)
    one, by_one = encode_side(mode, first, first_lo, unit, slop, u_low)
    two, by_two = encode_side(mode, second, second_lo, unit, slop, u_high)
    return one + sound, two + sound, -by_one, by_two


@portable
def ltrb_encode_kernel(
    mode: Any, a0: Any, a1: Any, a2: Any, a3: Any, p0: Any, p1: Any, p2: Any, p3: Any, p4: Any,
    u0: Any, u1: Any, u2: Any, u3: Any, params: Any,
) -> Any:  # fmt: skip
    """Mode: the index of `activation`."""
    unit = unit_of(p2, params)
    x, y = encode_axis(mode, a0, a2, p0, unit, params[11], u0, u2), encode_axis(mode, a1, a3, p1, unit, params[11], u1, u3)
    return x[0], y[0], x[1], y[1], x[2], y[2], x[3], y[3]


@portable
def unit_of(stride: Any, params: Any) -> Any:
    """The stride, or 1 without `normalize`; NaN for a stride that is no size."""
    T = type(stride)
    stride = size_of(stride)
    return stride if params[0] != T(0) else T(1) + (stride - stride)


@portable
def decode_side(mode: Any, sign: Any, code: Any, place: Any, unit: Any, upstream: Any) -> Any:
    """A corner, and the gradient by its code; sign says on which side of the place it lies."""
    T = type(code)
    if mode == 0:
        far, far_lo, rate = code, T(0), T(1)
    else:
        far, far_lo = exp(code, T(0))
        rate = far
    signed = sign * unit
    corner, rest = total(place, rounded(far, signed))
    rest = rest + fma(far_lo, signed, fma(far, signed, -rounded(far, signed)))
    return corner + kept(rest), pulled(upstream, signed * rate)


@portable
def ltrb_decode_kernel(
    mode: Any, a0: Any, a1: Any, a2: Any, a3: Any, p0: Any, p1: Any, p2: Any, p3: Any, p4: Any,
    u0: Any, u1: Any, u2: Any, u3: Any, params: Any,
) -> Any:  # fmt: skip
    """Mode: the index of `activation`."""
    T = type(a0)
    unit = unit_of(p2, params)
    x, y = p0 + (p0 - p0), p1 + (p1 - p1)
    o0, d0 = decode_side(mode, T(-1), a0, x, unit, u0)
    o1, d1 = decode_side(mode, T(-1), a1, y, unit, u1)
    o2, d2 = decode_side(mode, T(1), a2, x, unit, u2)
    o3, d3 = decode_side(mode, T(1), a3, y, unit, u3)
    return o0, o1, o2, o3, d0, d1, d2, d3


def ltrb_setting(normalize: bool = True, activation: str = "linear") -> Setting:
    if not isinstance(normalize, (bool, np.bool_)):
        bad_type("LTRBCoder", "normalize", "True or False", type(normalize).__name__, "True divides distances by the stride")
    return Setting(check.choice("LTRBCoder", "activation", activation, ACTIVATIONS), (float(normalize),))


def ltrb_problems(first: Array, priors: Array, **parameters: Any) -> Iterator[Problem]:
    yield finite("priors", priors)
    yield positive("a positive stride", priors[:, 2:])


def ltrb_encode_problems(boxes: Array, priors: Array, *, normalize: bool, activation: str) -> Iterator[Problem]:
    yield from ltrb_problems(boxes, priors)
    yield finite("boxes", boxes)
    yield ordered(boxes)
    if activation == "exp":
        place = each(priors, len(boxes))[:, :2]
        outside = ((place < boxes[:, :2]) | (place > boxes[:, 2:])).any(axis=1)
        yield "boxes", "around the location of their prior", outside, 'assign each box to locations inside it, or use activation="linear"'


@dataclass(frozen=True)
class LTRBCoder(Coder):
    """FCOS's codes (Tian et al. 2019, eq. 1): the distances from a location (x, y) to the left, top, right and bottom side of a box.

    encode: (x - x1, y - y1, x2 - x, y2 - y) / stride, or with activation="exp" their logarithms; decode is the inverse.

    Domain: finite xyxy boxes with x2 >= x1 and y2 >= y1, in pixels; with "exp" the location lies in the closed box, with "linear" anywhere
    (outside, distances are negative); priors with positive strides; any codes.

    Arguments:
        normalize: divide distances by the stride of the location's scale; False leaves them in pixels.
        activation: what decode does to a code before it is a distance. "linear": nothing (heads that end in a ReLU have done it);
            "exp": the paper's exp, whose trainable factor s_i is the head's affair.

    Methods: `encode(boxes, priors)`, `decode(codes, priors)`, and `encode_vjp`, `decode_vjp` with a third argument `upstream`, the
    gradient by the result; they return the gradient by the first argument. Boxes, codes and upstream: (..., n, 4) float64, float32,
    float16 or bfloat16 (computed in float32, rounded once); priors: (n, 3) rows (x px, y px, stride) of the same dtype (float32 with
    half precision), shared by the axes in front. A list, or an array without rows, takes the dtype of the others.

    Raises ReflossError (a ValueError or TypeError) for any argument outside these, a box or a prior by its index.
    Limits: with "exp" a distance of 0 (or below 2^-126 of the unit; or negative by up to 4 eps of the larger corner, as corners are rounded
    numbers) is encoded as -inf, with gradient 0, and decoded to the location exactly. Negative codes of both sides decode, with "linear",
    to reversed boxes. With "exp", codes past 88 (float32) or 709 (float64) less the logarithm of the stride decode to infinite corners;
    float16 ends at 65504, which a stride of 8 reaches at a code of 9. There decode_vjp gives 0 where upstream is 0, and infinity (or NaN,
    of a NaN upstream) elsewhere. NaN codes give NaN.

    >>> import numpy as np
    >>> from refloss.coders import LTRBCoder
    >>> boxes, priors = np.array([[10.0, 20.0, 50.0, 100.0]]), np.array([[28.0, 60.0, 8.0]])
    >>> LTRBCoder().encode(boxes, priors)
    array([[2.25, 5.  , 2.75, 5.  ]])
    >>> LTRBCoder(activation="exp").encode(boxes, priors).round(6)
    array([[0.81093 , 1.609438, 1.011601, 1.609438]])
    >>> LTRBCoder().decode(np.array([[2.25, 5.0, 2.75, 5.0]]), priors)
    array([[ 10.,  20.,  50., 100.]])

    Elsewhere: the official code divides by the stride only with NORM_REG_TARGETS, else exp gives pixels; torchvision divides by the sides
    of its square anchors, which are the stride.
    """

    normalize: bool = True
    activation: Literal["linear", "exp"] = "linear"
    codings: ClassVar[tuple[Coding, Coding]]

    def __post_init__(self) -> None:
        ltrb_setting(self.normalize, self.activation)
        object.__setattr__(self, "normalize", bool(self.normalize))


_SETTINGS: tuple[dict[str, Any], ...] = tuple({"normalize": n, "activation": a} for n in (True, False) for a in ACTIVATIONS)
LTRBCoder.codings = (
    Coding(
        "ltrb_coder.encode", "LTRBCoder", ("boxes", "priors"), 3, ltrb_encode_formula, ltrb_encode_kernel, ltrb_setting,
        ltrb_encode_problems, _SETTINGS,
    ),
    Coding(
        "ltrb_coder.decode", "LTRBCoder", ("codes", "priors"), 3, ltrb_decode_formula, ltrb_decode_kernel, ltrb_setting,
        ltrb_problems, _SETTINGS,
    ),
)  # fmt: skip

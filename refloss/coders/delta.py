"""The coder of Faster R-CNN, SSD and RetinaNet: offsets in units of a prior box."""

import math
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np

from .._engine import check
from .._engine.coding import Coder, Coding, finite, ordered, positive
from .._engine.fma import fma
from .._engine.record import Array, Setting
from .._engine.scalar import exp, portable, product, rounded, total
from ..errors import bad_type
from .shared import corners_formula, ends, kept, log_ratio, log_ratio_formula, pulled, quotient, size_of

FORMATS = ("xyxy", "cxcywh")
WEIGHTS = (1e-30, 1e30)  # beyond, float32 would hold them as 0 or infinity, or without all their digits


def centre_and_size(boxes: Any, box_format: str = "xyxy") -> tuple[Any, ...]:
    a, b, c, d = (boxes[..., j] for j in range(4))
    return ((a + c) / 2, (b + d) / 2, c - a, d - b) if box_format == "xyxy" else (a, b, c, d)


def delta_encode_formula(xp: Any, boxes: Any, priors: Any, *, weights: Any, wh_clip: float | None, box_format: str) -> Any:
    x, y, w, h = centre_and_size(boxes, box_format)
    prior_x, prior_y, prior_w, prior_h = centre_and_size(priors)
    return xp.stack([
        weights[0] * (x - prior_x) / prior_w, weights[1] * (y - prior_y) / prior_h,
        weights[2] * log_ratio_formula(xp, w, prior_w), weights[3] * log_ratio_formula(xp, h, prior_h),
    ])  # fmt: skip


def delta_decode_formula(xp: Any, codes: Any, priors: Any, *, weights: Any, wh_clip: float | None, box_format: str) -> Any:
    dx, dy, dw, dh = (codes[..., j] / weights[j] for j in range(4))
    if wh_clip is not None:
        dw, dh = xp.minimum(dw, wh_clip), xp.minimum(dh, wh_clip)
    prior_x, prior_y, prior_w, prior_h = centre_and_size(priors)
    centred = prior_x + dx * prior_w, prior_y + dy * prior_h, prior_w * xp.exp(dw), prior_h * xp.exp(dh)
    return corners_formula(xp, *centred) if box_format == "xyxy" else xp.stack(centred)


@portable
def encode_axis(
    centred: Any, a: Any, b: Any, low: Any, high: Any, u_move: Any, u_size: Any, weight: Any, weight_lo: Any, scale: Any, scale_lo: Any
) -> Any:
    """Codes of one axis, and the gradient by the box's two numbers there."""
    T = type(a)
    middle, middle_lo = (a + a, T(0)) if centred else total(a, b)  # twice the centre
    size, size_lo = (b, T(0)) if centred else total(b, -a)
    prior, prior_lo = total(low, high)
    unit, unit_lo = total(high, -low)
    unit = size_of(unit)
    apart = (middle - prior) + (middle_lo - prior_lo)
    move = fma(T(0.5) * apart, weight, rounded(T(0.5) * apart, weight_lo)) / unit
    hi, lo, live = log_ratio(size, size_lo, unit, unit_lo)
    grow = fma(hi, scale, fma(hi, scale_lo, rounded(lo, scale))) if live else hi
    sound = size - size  # NaN for an infinite box
    by_centre = rounded(u_move, weight / unit)
    by_size = rounded(u_size, scale / size) if live else T(0)
    half = rounded(T(0.5), by_centre)
    return move + sound, grow + sound, (by_centre if centred else half - by_size), (by_size if centred else half + by_size)


@portable
def delta_encode_kernel(
    mode: Any, a0: Any, a1: Any, a2: Any, a3: Any, p0: Any, p1: Any, p2: Any, p3: Any, p4: Any,
    u0: Any, u1: Any, u2: Any, u3: Any, params: Any,
) -> Any:  # fmt: skip
    """Mode: the box format."""
    x = encode_axis(mode == 1, a0, a2, p0, p2, u0, u2, params[0], params[1], params[4], params[5])
    y = encode_axis(mode == 1, a1, a3, p1, p3, u1, u3, params[2], params[3], params[6], params[7])
    return x[0], y[0], x[1], y[1], x[2], y[2], x[3], y[3]


@portable
def decode_axis(
    centred: Any, move: Any, grow: Any, low: Any, high: Any, u_low: Any, u_high: Any,
    weight: Any, weight_lo: Any, scale: Any, scale_lo: Any, clip: Any, clip_lo: Any,
) -> Any:  # fmt: skip
    """The box's two numbers on one axis, and the gradient by the two codes there."""
    T = type(move)
    prior, prior_lo = total(low, high)
    unit, unit_lo = total(high, -low)
    unit = size_of(unit)
    d, d_lo = quotient(move, weight, weight_lo)
    step, step_lo = product(d, unit)
    c, c_lo = total(rounded(T(0.5), prior), step)
    c_lo = c_lo + fma(T(0.5), prior_lo, fma(d, unit_lo, fma(d_lo, unit, step_lo)))
    q, q_lo = quotient(grow, scale, scale_lo)
    beyond = (q - clip) + (q_lo - clip_lo)
    slope = T(0) if beyond > T(0) else (T(0.5) if beyond == T(0) else T(1))
    q, q_lo = (clip, clip_lo) if beyond > T(0) else (q, q_lo)
    e, e_lo = exp(q, q_lo)
    w, w_lo = product(e, unit)
    w_lo = fma(e, unit_lo, fma(e_lo, unit, w_lo))
    first, second = (c + kept(c_lo), w + kept(w_lo)) if centred else ends(c, c_lo, w, w_lo)
    by_centre = u_low if centred else u_low + u_high
    by_size = u_high if centred else T(0.5) * (u_high - u_low)
    return first, second, by_centre * unit / weight, pulled(slope * by_size, w / scale)


@portable
def delta_decode_kernel(
    mode: Any, a0: Any, a1: Any, a2: Any, a3: Any, p0: Any, p1: Any, p2: Any, p3: Any, p4: Any,
    u0: Any, u1: Any, u2: Any, u3: Any, params: Any,
) -> Any:  # fmt: skip
    """Mode: the box format."""
    clip, clip_lo = params[8], params[9]
    x = decode_axis(mode == 1, a0, a2, p0, p2, u0, u2, params[0], params[1], params[4], params[5], clip, clip_lo)
    y = decode_axis(mode == 1, a1, a3, p1, p3, u1, u3, params[2], params[3], params[6], params[7], clip, clip_lo)
    return x[0], y[0], x[1], y[1], x[2], y[2], x[3], y[3]


def delta_setting(weights: Any = (1.0, 1.0, 1.0, 1.0), wh_clip: float | None = None, box_format: str = "xyxy") -> Setting:
    way_out = "SSD's variances (0.1, 0.1, 0.2, 0.2) are the weights (10, 10, 5, 5)"
    try:
        four = not isinstance(weights, str) and np.shape(weights) == (4,)
    except ValueError:  # ragged
        four = False
    if not four:
        bad_type("DeltaCoder", "weights", "four numbers (x, y, w, h)", repr(weights), way_out)
    numbers = tuple(check.number("DeltaCoder", "weights", w, *WEIGHTS, way_out) for w in weights)
    clip = math.inf if wh_clip is None else check.number("DeltaCoder", "wh_clip", wh_clip, 0.0, math.inf, "None does not clip")
    return Setting(check.choice("DeltaCoder", "box_format", box_format, FORMATS), (*numbers, clip))


def delta_problems(first: Array, priors: Array, *, box_format: str, **parameters: Any) -> Any:
    yield finite("priors", priors)
    yield positive("x2 > x1 and y2 > y1", priors[:, 2:] - priors[:, :2])


def delta_encode_problems(boxes: Array, priors: Array, *, box_format: str, **parameters: Any) -> Any:
    yield from delta_problems(boxes, priors, box_format=box_format)
    yield finite("boxes", boxes)
    yield ordered(boxes, box_format == "cxcywh")


@dataclass(frozen=True)
class DeltaCoder(Coder):
    """Offsets from a prior box, in units of its size (Ren et al. 2015, Faster R-CNN, eq. 2; SSD, RetinaNet, R-CNN).

    encode: t = (wx (x - xp) / wp, wy (y - yp) / hp, ww ln(w / wp), wh ln(h / hp)) for a box with the centre (x, y) and the size
    (w, h) and a prior with the centre (xp, yp) and the size (wp, hp). decode is its inverse, with tw / ww and th / wh held at
    wh_clip from above.

    Domain: finite boxes with x2 >= x1 and y2 >= y1, also outside the image; priors with x2 > x1 and y2 > y1; any codes.

    Arguments:
        weights: (wx, wy, ww, wh). SSD divides by its variances (0.1, 0.1, 0.2, 0.2): weights (10, 10, 5, 5). In
            [1e-30, 1e30].
        wh_clip: the largest logarithm of a size that decode takes, None for no limit. torchvision, Detectron: ln(1000 / 16).
        box_format: of the boxes, "xyxy" (corners, exclusive, no +1) or "cxcywh" (centre and size). Priors are always xyxy.

    Methods: `encode(boxes, priors)`, `decode(codes, priors)`, and `encode_vjp`, `decode_vjp` with a third argument `upstream`, the
    gradient by the result; they return the gradient by the first argument. Boxes, codes and upstream: (..., n, 4) float64, float32,
    float16 or bfloat16 (computed in float32, rounded once); priors: (n, 4) of the same dtype (float32 with half precision),
    shared by the axes in front. A list, or an array without rows, takes the dtype of the others.

    Raises ReflossError (a ValueError or TypeError) for any argument outside these, a box or a prior by its index.
    Limits: a size of 0 (or below 2^-126 of the prior's) is encoded as -inf, with gradient 0, and decoded to exactly 0. Codes of 0 are
    decoded to exactly the prior. Beyond the clip the gradient by the code is 0, at the clip 1/2 of the usual one, the mean of both
    sides. Without a clip codes of size past 88 (float32) or 709 (float64) less the logarithm of
    the prior's are decoded to infinite corners; float16 ends at 65504, so that
    the size of a 100 px prior overflows from a code of 6.5. There decode_vjp gives 0 where the corners' upstreams are 0 or cancel, and
    infinity (or NaN, of an infinite or NaN upstream) elsewhere. NaN codes give NaN.

    >>> import numpy as np
    >>> from refloss.coders import DeltaCoder
    >>> coder, priors = DeltaCoder(weights=(10, 10, 5, 5)), np.array([[10.0, 10.0, 50.0, 30.0]])
    >>> codes = coder.encode(np.array([[20.0, 10.0, 60.0, 50.0]]), priors)
    >>> codes.round(6)
    array([[2.5     , 5.      , 0.      , 3.465736]])
    >>> coder.decode(codes, priors)
    array([[20., 10., 60., 50.]])

    Elsewhere: mmdet clips both sides, at +-ln(1000 / 16); the first R-CNN codes add one pixel to sizes; keras-cv divides by variances
    of (0.1, 0.1, 0.2, 0.2) by default for RetinaNet too, keras-hub by 1.
    """

    weights: tuple[float, float, float, float] = (1.0, 1.0, 1.0, 1.0)
    wh_clip: float | None = None
    box_format: Literal["xyxy", "cxcywh"] = "xyxy"
    codings: ClassVar[tuple[Coding, Coding]]

    def __post_init__(self) -> None:
        numbers = delta_setting(self.weights, self.wh_clip, self.box_format).numbers
        object.__setattr__(self, "weights", numbers[:4])


_CLIP = math.log(1000 / 16)
_SETTINGS: tuple[dict[str, Any], ...] = (
    {},
    {"wh_clip": _CLIP},
    {"weights": (10.0, 10.0, 5.0, 5.0)},
    {"weights": (10.0, 10.0, 5.0, 5.0), "wh_clip": _CLIP},
    {"weights": (0.3, 2.0, 1.5, 0.7), "wh_clip": 2.0},
    {"weights": (3.0, 1.0, 0.1, 7.0), "wh_clip": 0.0},
    {"box_format": "cxcywh"},
    {"box_format": "cxcywh", "weights": (10.0, 10.0, 5.0, 5.0), "wh_clip": 3.0},
)
DeltaCoder.codings = (
    Coding(
        "delta_coder.encode", "DeltaCoder", ("boxes", "priors"), 4, delta_encode_formula, delta_encode_kernel, delta_setting,
        delta_encode_problems, _SETTINGS,
    ),
    Coding(
        "delta_coder.decode", "DeltaCoder", ("codes", "priors"), 4, delta_decode_formula, delta_decode_kernel, delta_setting,
        delta_problems, _SETTINGS,
    ),
)  # fmt: skip

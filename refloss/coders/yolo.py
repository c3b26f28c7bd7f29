"""The coder of YOLOv2, v3, v4 and Scaled-YOLOv4: a sigmoid places the centre in a cell, an anchor shape gives the size."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np

from .._engine import check
from .._engine.coding import Coder, Coding, Problem, each, finite, ordered, positive
from .._engine.fma import fma
from .._engine.overlap import below
from .._engine.record import Array, Setting
from .._engine.scalar import exp, exp_of_size, logistic, portable, product, rounded, square_root, total
from ..errors import bad_value
from .shared import corners_formula, ends, log_ratio, log_ratio_formula, pulled, size_of

SIZES = ("exp", "squared_sigmoid")


def logit(xp: Any, fraction: Any, border: float) -> Any:
    """ln(f / (1 - f)), f held in [border, 1 - border]."""
    f, rest = fraction, 1 - fraction
    if border:  # both held: 1 minus a held f would lose the digits of a small border
        f, rest = (xp.minimum(xp.maximum(part, border), 1 - border) for part in (f, rest))
    return log_ratio_formula(xp, f, rest)


def yolo_encode_formula(xp: Any, boxes: Any, priors: Any, *, scale_xy: float, size: str, border: float) -> Any:
    x1, y1, x2, y2 = (boxes[..., j] for j in range(4))
    column, row, prior_w, prior_h, stride = (priors[..., j] for j in range(5))

    def place(centre: Any, cell: Any) -> Any:
        return logit(xp, ((centre / stride - cell) + (scale_xy - 1) / 2) / scale_xy, border)

    def shape(length: Any, prior: Any) -> Any:
        if size == "squared_sigmoid":
            return logit(xp, xp.sqrt(length / prior) / 2, border)
        return log_ratio_formula(xp, xp.maximum(length, border * prior) if border else length, prior)

    return xp.stack([
        place((x1 + x2) / 2, column), place((y1 + y2) / 2, row), shape(x2 - x1, prior_w), shape(y2 - y1, prior_h),
    ])  # fmt: skip


def yolo_decode_formula(xp: Any, codes: Any, priors: Any, *, scale_xy: float, size: str, border: float) -> Any:
    tx, ty, tw, th = (codes[..., j] for j in range(4))
    column, row, prior_w, prior_h, stride = (priors[..., j] for j in range(5))
    x, y = ((scale_xy * xp.sigmoid(t) - (scale_xy - 1) / 2 + cell) * stride for t, cell in ((tx, column), (ty, row)))
    grow_w, grow_h = (xp.exp(t) if size == "exp" else 4 * xp.sigmoid(t) * xp.sigmoid(t) for t in (tw, th))
    return corners_formula(xp, x, y, prior_w * grow_w, prior_h * grow_h)


@portable
def encode_place(low: Any, high: Any, cell: Any, stride: Any, more: Any, more_lo: Any, border: Any, eps: Any, upstream: Any) -> Any:
    """The code of the centre on one axis and the gradient by both corners, from u and v: its distances to the ends of its reach.

    a = 2 u and b = 2 v are kept in two words, so that on the border they are 0; more = scale_xy - 1.
    """
    T = type(low)
    middle, middle_lo = total(low, high)
    origin, origin_lo = product(cell, stride)
    d, d_lo = total(middle, -(origin + origin))
    d_lo = d_lo + (middle_lo - (origin_lo + origin_lo))
    slack, slack_lo = product(more, stride)
    slack_lo = fma(more_lo, stride, slack_lo)
    a, a_lo = total(d, slack)
    a, a_lo = total(a, a_lo + (d_lo + slack_lo))
    width, width_lo = total(stride + stride, slack)
    b, b_lo = total(width, -d)
    b, b_lo = total(b, b_lo + ((width_lo + slack_lo) - d_lo))
    slop = T(4) * eps * (abs(low) if abs(low) > abs(high) else abs(high))  # corners are rounded: so much beyond is on the border
    sound = T(math.nan) if (a < -slop) | (b < -slop) else T(0)
    edge = border * (width + slack)
    under, over = a < edge, b < edge
    within = below(edge, a) * below(edge, b)
    slope = within * (T(1) / a + T(1) / b)
    a, a_lo = (border, T(0)) if under else ((T(1) - border, T(0)) if over else (a, a_lo))
    b, b_lo = (T(1) - border, T(0)) if under else ((border, T(0)) if over else (b, b_lo))
    hi, lo, live = log_ratio(a, a_lo, b, b_lo)
    return (hi + lo) + sound, (rounded(upstream, slope) if live & (within > T(0)) else T(0))


@portable
def encode_shape(mode: Any, low: Any, high: Any, prior: Any, border: Any, eps: Any, upstream: Any) -> Any:
    """The code of the size on one axis and the gradient by it."""
    T = type(low)
    w, w_lo = total(high, -low)
    sound = T(math.nan) if w < T(0) else w - w
    if mode == 0:
        edge = border * prior
        within = below(edge, w)
        slope = within / w
        w, w_lo = (edge, T(0)) if w < edge else (w, w_lo)
        hi, lo, live = log_ratio(w, w_lo, prior, T(0))
    else:  # q = w / prior, f = sqrt(q) / 2: f / (1 - f) = sqrt(q) (2 + sqrt(q)) / (4 - q)
        q = w / prior
        q_lo = (fma(-q, prior, w) + w_lo) / prior
        root = square_root(q)
        root_lo = (fma(-root, root, q) + q_lo) / (root + root) if root > T(0) else T(0)
        s, s_lo = total(T(2), root)
        a, a_lo = product(root, s)
        a_lo = fma(root, s_lo + root_lo, fma(root_lo, s, a_lo))
        b, b_lo = total(T(4), -q)
        b, b_lo = total(b, b_lo - q_lo)
        slop = T(4) * eps * (abs(low) if abs(low) > abs(high) else abs(high))
        sound = T(math.nan) if rounded(b, prior) < -slop else sound
        under, over = root < border + border, (root > T(2) - (border + border)) | (b < T(0))
        within = below(border + border, root) * below(root, T(2) - (border + border))
        slope = within * (s / w / b)
        a, a_lo = (border, T(0)) if under else ((T(1) - border, T(0)) if over else (a, a_lo))
        b, b_lo = (T(1) - border, T(0)) if under else ((border, T(0)) if over else (b, b_lo))
        hi, lo, live = log_ratio(a, a_lo, b, b_lo)
    return (hi + lo) + sound, (rounded(upstream, slope) if live & (within > T(0)) else T(0))


@portable
def encode_axis(mode: Any, low: Any, high: Any, cell: Any, prior: Any, stride: Any, u_place: Any, u_shape: Any, params: Any) -> Any:
    border, eps = params[4], params[11]
    place, by_centre = encode_place(low, high, cell, size_of(stride), params[2], params[3], border, eps, u_place)
    shape, by_size = encode_shape(mode, low, high, size_of(prior), border, eps, u_shape)
    return place, shape, by_centre - by_size, by_centre + by_size


@portable
def yolo_encode_kernel(
    mode: Any, a0: Any, a1: Any, a2: Any, a3: Any, p0: Any, p1: Any, p2: Any, p3: Any, p4: Any,
    u0: Any, u1: Any, u2: Any, u3: Any, params: Any,
) -> Any:  # fmt: skip
    """Mode: the index of `size`."""
    x, y = encode_axis(mode, a0, a2, p0, p2, p4, u0, u2, params), encode_axis(mode, a1, a3, p1, p3, p4, u1, u3, params)
    return x[0], y[0], x[1], y[1], x[2], y[2], x[3], y[3]


@portable
def sigmoid(t: Any) -> Any:
    """sigma(t) in two words, and 1 - sigma(t)."""
    T = type(t)
    e, e_lo = exp_of_size(t)
    r, r_lo = logistic(e, e_lo)
    rare, rare_lo = product(e, r)
    rare_lo = fma(e, r_lo, fma(e_lo, r, rare_lo))
    up = t >= T(0)
    return (r if up else rare), (r_lo if up else rare_lo), (rare if up else r)


@portable
def decode_axis(mode: Any, place: Any, shape: Any, cell: Any, prior: Any, stride: Any, u_low: Any, u_high: Any, params: Any) -> Any:
    """Both corners on one axis, and the gradient by the two codes there."""
    T = type(place)
    prior, stride = size_of(prior), size_of(stride)
    scale, scale_lo, more, more_lo = params[0], params[1], params[2], params[3]
    p, p_lo, rest = sigmoid(place)
    m, m_lo = product(scale, p)
    m_lo = fma(scale, p_lo, fma(scale_lo, p, m_lo))
    base, base_lo = total(cell + (cell - cell), rounded(T(-0.5), more))
    m, error = total(base, m)
    m_lo = (error + m_lo) + fma(T(-0.5), more_lo, base_lo)
    c, c_lo = product(m, stride)
    c_lo = fma(m_lo, stride, c_lo)
    if mode == 0:
        q, q_lo = exp(shape, T(0))
        steep = T(1)
    else:
        f, f_lo, far = sigmoid(shape)
        f, f_lo = f + f, f_lo + f_lo
        q, q_lo = product(f, f)
        q_lo = fma(f + f, f_lo, q_lo)
        steep = far + far
    w, w_lo = product(q, prior)
    w_lo = fma(q_lo, prior, w_lo)
    low, high = ends(c, c_lo, w, w_lo)
    by_centre, by_size = u_low + u_high, T(0.5) * (u_high - u_low)
    return low, high, pulled(by_centre, scale * stride * (p * rest)), pulled(by_size, steep * w)


@portable
def yolo_decode_kernel(
    mode: Any, a0: Any, a1: Any, a2: Any, a3: Any, p0: Any, p1: Any, p2: Any, p3: Any, p4: Any,
    u0: Any, u1: Any, u2: Any, u3: Any, params: Any,
) -> Any:  # fmt: skip
    """Mode: the index of `size`."""
    x, y = decode_axis(mode, a0, a2, p0, p2, p4, u0, u2, params), decode_axis(mode, a1, a3, p1, p3, p4, u1, u3, params)
    return x[0], y[0], x[1], y[1], x[2], y[2], x[3], y[3]


def yolo_setting(scale_xy: float = 1.0, size: str = "exp", border: float = 0.0) -> Setting:
    mode = check.choice("YOLOCoder", "size", size, SIZES)
    way_out = "YOLOv2 and v3 have 1, YOLOv4 1.05 to 1.2, Scaled-YOLOv4 2"
    scale = check.number("YOLOCoder", "scale_xy", scale_xy, 1.0, math.inf, way_out)
    if math.isinf(scale):
        bad_value("YOLOCoder", "scale_xy", "finite", "inf", way_out)
    held = check.number("YOLOCoder", "border", border, 0.0, 0.25, "0 leaves codes infinite on the border, 1e-6 is mmdet's")
    return Setting(mode, (scale, scale - 1.0, held))


def yolo_problems(first: Array, priors: Array, **parameters: Any) -> Iterator[Problem]:
    yield finite("priors", priors)
    yield positive("width, height and stride positive", priors[:, 2:])


def yolo_encode_problems(boxes: Array, priors: Array, *, scale_xy: float, size: str, border: float) -> Iterator[Problem]:
    yield from yolo_problems(boxes, priors)
    yield finite("boxes", boxes)
    yield ordered(boxes)
    prior = each(priors, len(boxes))
    centre = (boxes[:, :2] + boxes[:, 2:]) / 2
    beyond = np.abs(centre - (prior[:, :2] + 0.5) * prior[:, 4:]) > scale_xy / 2 * prior[:, 4:]
    yield "boxes", "centred in the reach of the prior's cell", beyond.any(axis=1), "assign each box to the cell that its centre lies in"
    if size == "squared_sigmoid":
        beyond = boxes[:, 2:] - boxes[:, :2] > 4 * prior[:, 2:4]
        yield "boxes", "at most 4 times as wide and high as the prior", beyond.any(axis=1), "match by shape first, as scaled_yolov4 does"


@dataclass(frozen=True)
class YOLOCoder(Coder):
    """YOLO's codes: x = (s sigma(tx) - (s - 1) / 2 + column) stride, w = pw exp(tw) or pw (2 sigma(tw))^2, s being scale_xy.

    YOLOv2 and v3 (Redmon & Farhadi 2017, section 2, and 2018, section 2.1): scale_xy=1, "exp". YOLOv4 (Bochkovskiy et al. 2020,
    "eliminate grid sensitivity"): scale_xy 1.05 to 1.2, by stride. Scaled-YOLOv4 (Wang et al. 2021): scale_xy=2, "squared_sigmoid".
    (x, y) is the centre, (w, h) the size of a box, in pixels; the prior is a cell (column, row) of a grid with that stride and an anchor
    shape (pw, ph). encode is the exact inverse: with f = ((x / stride - column) + (s - 1) / 2) / s, tx = ln(f / (1 - f)).

    Domain: finite xyxy boxes with x2 >= x1 and y2 >= y1, whose centre lies in the closed reach of the prior's cell, 0 <= f <= 1, and, with
    "squared_sigmoid", at most 4 times as wide and high as the anchor shape; priors with positive sizes and stride; any codes.

    Arguments:
        scale_xy: s, at least 1: how far the centre reaches, in cells.
        size: "exp" or "squared_sigmoid".
        border: 0, or how near encode lets f, w / pw ("exp", from below) and sqrt(w / pw) / 2 come to 0 and 1, so that codes stay finite;
            at most 1/4. The gradient beyond is 0, and 1/2 of the usual one where they meet it. decode does not use it.

    Methods: `encode(boxes, priors)`, `decode(codes, priors)`, and `encode_vjp`, `decode_vjp` with a third argument `upstream`, the
    gradient by the result; they return the gradient by the first argument. Boxes, codes and upstream: (..., n, 4) float64, float32,
    float16 or bfloat16 (computed in float32, rounded once); priors: (n, 5) rows (column, row, width px, height px, stride) of the same
    dtype (float32 with half precision), shared by the axes in front. A list, or an array without rows, takes the dtype of the others.

    Raises ReflossError (a ValueError or TypeError) for any argument outside these, a box or a prior by its index.
    Limits: on the border of what can be reached (corners are rounded numbers: up to 4 eps of the larger beyond count as on it) the code is
    -inf or inf, with gradient 0, and is decoded to the border exactly; so is a size of 0, or 4 times the anchor shape. With "exp", codes
    of size past 88 (float32) or 709 (float64) less the logarithm of the anchor's are decoded to infinite corners; float16 ends at 65504, so
    that the size of a 100 px anchor overflows from a code of 6.5. There decode_vjp gives 0 where the corners' upstreams are 0 or cancel,
    and infinity (or NaN, of an infinite or NaN upstream) elsewhere. NaN codes give NaN.

    >>> import numpy as np
    >>> from refloss.coders import YOLOCoder
    >>> priors = np.array([[6.0, 3.0, 116.0, 90.0, 32.0]])
    >>> YOLOCoder().decode(np.ones((1, 4)), priors).round(3)
    array([[ 57.734,  -2.929, 373.054, 241.717]])
    >>> coder = YOLOCoder(scale_xy=2.0, size="squared_sigmoid")
    >>> codes = coder.encode(np.array([[150.0, 60.0, 250.0, 160.0]]), priors)
    >>> codes.round(6)
    array([[-0.510826, -0.125163, -0.143291,  0.108291]])
    >>> coder.decode(codes, priors).round(6)
    array([[150.,  60., 250., 160.]])

    Elsewhere: a code of 0 gives the same for both sizes and any scale_xy, so a test needs another; darknet's new_coords leaves the
    derivative of the size out of the gradient; mmdet holds f in [1e-6, 1 - 1e-6].
    """

    scale_xy: float = 1.0
    size: Literal["exp", "squared_sigmoid"] = "exp"
    border: float = 0.0
    codings: ClassVar[tuple[Coding, Coding]]

    def __post_init__(self) -> None:
        yolo_setting(self.scale_xy, self.size, self.border)


_SETTINGS: tuple[dict[str, Any], ...] = (
    {},
    {"scale_xy": 1.05},
    {"scale_xy": 1.1},
    {"scale_xy": 1.2},
    {"scale_xy": 2.0, "size": "squared_sigmoid"},
    {"scale_xy": 1.5, "size": "squared_sigmoid"},
    {"scale_xy": 2.0, "border": 0.25},
    {"size": "squared_sigmoid"},
    {"border": 1e-6},
    {"scale_xy": 2.0, "size": "squared_sigmoid", "border": 0.01},
)
YOLOCoder.codings = (
    Coding(
        "yolo_coder.encode", "YOLOCoder", ("boxes", "priors"), 5, yolo_encode_formula, yolo_encode_kernel, yolo_setting,
        yolo_encode_problems, _SETTINGS,
    ),
    Coding(
        "yolo_coder.decode", "YOLOCoder", ("codes", "priors"), 5, yolo_decode_formula, yolo_decode_kernel, yolo_setting,
        yolo_problems, _SETTINGS,
    ),
)  # fmt: skip

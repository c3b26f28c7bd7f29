"""The IoU family: losses of aligned pairs of boxes. IoU, GIoU, DIoU and CIoU."""

import math
from typing import Any, Literal

from numpy.typing import ArrayLike

from .._engine import check
from .._engine.fma import fma
from .._engine.overlap import EMPTY, axis, over, own, quotient, rates, touch, within
from .._engine.record import Reduction, Setting, loss
from .._engine.scalar import arctan_of_ratio, log, portable, product, rounded, scale_of, total
from ..errors import bad_type

BoxFormat = Literal["xyxy", "cxcywh"]
FORMATS = ("xyxy", "cxcywh")
KINDS = ("linear", "log", "squared")
LOG_FLOOR = 1e-6  # -ln(IoU) of boxes that (nearly) do not meet is held at 13.8155, with gradient 0, instead of infinity


def ratio(xp: Any, a: Any, b: Any) -> Any:
    """a / b, and 0 where b is empty (in effect, where it is 0)."""
    empty = b < EMPTY
    return xp.where(empty, 0, a / xp.where(empty, 1, b))


class Geometry:
    """What the formulas need of a pair: sizes, intersection, union, hull (the smallest box around both)."""

    def __init__(self, xp: Any, boxes: Any, target_boxes: Any, box_format: str) -> None:
        one, two = self._corners(boxes, box_format), self._corners(target_boxes, box_format)
        (self.w, self.h), (self.tw, self.th) = self._sizes(boxes, box_format), self._sizes(target_boxes, box_format)
        low = [xp.maximum(one[j], two[j]) for j in (0, 1)]
        high = [xp.minimum(one[j], two[j]) for j in (2, 3)]
        self.intersection = xp.maximum(high[0] - low[0], 0) * xp.maximum(high[1] - low[1], 0)
        self.union = (self.w * self.h - self.intersection) + self.tw * self.th  # in this order it is exact for equal boxes
        self.hull_w = xp.maximum(one[2], two[2]) - xp.minimum(one[0], two[0])
        self.hull_h = xp.maximum(one[3], two[3]) - xp.minimum(one[1], two[1])
        self.dx = ((one[0] - two[0]) + (one[2] - two[2])) / 2  # between the centres
        self.dy = ((one[1] - two[1]) + (one[3] - two[3])) / 2

    @staticmethod
    def _corners(boxes: Any, box_format: str) -> tuple[Any, ...]:
        a, b, c, d = (boxes[..., j] for j in range(4))
        return (a, b, c, d) if box_format == "xyxy" else (a - c / 2, b - d / 2, a + c / 2, b + d / 2)

    @staticmethod
    def _sizes(boxes: Any, box_format: str) -> tuple[Any, Any]:
        a, b, c, d = (boxes[..., j] for j in range(4))
        return (c - a, d - b) if box_format == "xyxy" else (c, d)


def iou_formula(xp: Any, boxes: Any, target_boxes: Any, *, kind: str, box_format: str, eps: float) -> Any:
    g = Geometry(xp, boxes, target_boxes, box_format)
    iou = ratio(xp, g.intersection, g.union + eps)
    if kind == "log":
        return -xp.log(xp.maximum(iou, LOG_FLOOR))
    return 1 - iou * iou if kind == "squared" else 1 - iou


def giou_formula(xp: Any, boxes: Any, target_boxes: Any, *, box_format: str, eps: float) -> Any:
    g = Geometry(xp, boxes, target_boxes, box_format)
    hull = g.hull_w * g.hull_h
    return 1 - ratio(xp, g.intersection, g.union + eps) + ratio(xp, hull - g.union, hull + eps)


def diou_formula(xp: Any, boxes: Any, target_boxes: Any, *, box_format: str, eps: float) -> Any:
    g = Geometry(xp, boxes, target_boxes, box_format)
    penalty = ratio(xp, g.dx * g.dx + g.dy * g.dy, g.hull_w * g.hull_w + g.hull_h * g.hull_h + eps)
    return 1 - ratio(xp, g.intersection, g.union + eps) + penalty


def ciou_formula(xp: Any, boxes: Any, target_boxes: Any, *, box_format: str, eps: float, differentiate_alpha: bool) -> Any:
    g = Geometry(xp, boxes, target_boxes, box_format)
    # arctan(tw / th) - arctan(w / h) as one angle, which has a limit where a size is 0; 0 where a box is a point.
    across, along = g.tw * g.h - g.w * g.th, g.w * g.tw + g.h * g.th
    angle = xp.arctan2(across, xp.where((across == 0) & (along == 0), 1, along))
    v = (4 / xp.pi**2) * angle * angle
    iou = ratio(xp, g.intersection, g.union + eps)
    alpha = ratio(xp, v, (1 - iou) + v + eps)
    alpha = alpha if differentiate_alpha else xp.stop_gradient(alpha)
    return diou_formula(xp, boxes, target_boxes, box_format=box_format, eps=eps) + alpha * v


@portable
def iou_kernel(
    mode: Any, x1: Any, y1: Any, x2: Any, y2: Any, w: Any, h: Any, u1: Any, v1: Any, u2: Any, v2: Any, tw: Any, th: Any, params: Any
) -> Any:
    """Mode: the kind. dL = slope dIoU."""
    T = type(w)
    eps, centred = params[0], params[7] != T(0)
    x, meet_w, _ = axis(centred, x1, x2, w, u1, u2, tw)
    y, meet_h, _ = axis(centred, y1, y2, h, v1, v2, th)
    iou, _, _, inverse = quotient(centred, w, h, tw, th, meet_w, meet_h, eps)
    share = touch(x if x < y else y)
    _, _, g0, g2 = rates(centred, x1, x2, u1, u2, rounded(share, meet_h), h, iou)
    _, _, g1, g3 = rates(centred, y1, y2, v1, v2, rounded(share, meet_w), w, iou)
    if mode == 0:
        value, slope = T(1) - iou, T(-1)
    elif mode == 1:
        far = iou < T(LOG_FLOOR)
        hi, lo = log(T(LOG_FLOOR) if far else iou, T(0))
        value, slope = -(hi + lo), T(0) if far else T(-1) / iou
    else:
        value, slope = fma(-iou, iou, T(1)), T(-2) * iou
    return value, slope * (g0 * inverse), slope * (g1 * inverse), slope * (g2 * inverse), slope * (g3 * inverse)


@portable
def cross(a: Any, b: Any, u: Any, u_lo: Any, c: Any, c_lo: Any, once: Any, twice: Any) -> Any:
    """(a u - b c) / c^2 for two-word u and c, given 1 / c in two factors; 0 exactly for a = b and u = c: both are rounded alike."""
    p, p_lo = product(a, u)
    q, q_lo = product(b, c)
    return rounded(((p - q) + ((p_lo - q_lo) + (rounded(a, u_lo) - rounded(b, c_lo)))) * once, twice)


@portable
def giou_kernel(
    mode: Any, x1: Any, y1: Any, x2: Any, y2: Any, w: Any, h: Any, u1: Any, v1: Any, u2: Any, v2: Any, tw: Any, th: Any, params: Any
) -> Any:
    """E = (C - U) / (C + eps), dE = (dC (U + eps) - dU (C + eps)) / (C + eps)^2, that difference in two words: it cancels."""
    T = type(w)
    eps, centred = params[0], params[7] != T(0)
    x, meet_w, hull_w = axis(centred, x1, x2, w, u1, u2, tw)
    y, meet_h, hull_h = axis(centred, y1, y2, h, v1, v2, th)
    iou, union, union_lo, inverse = quotient(centred, w, h, tw, th, meet_w, meet_h, eps)
    share = touch(x if x < y else y)
    dx1, dx2, g0, g2 = rates(centred, x1, x2, u1, u2, rounded(share, meet_h), h, iou)
    dy1, dy2, g1, g3 = rates(centred, y1, y2, v1, v2, rounded(share, meet_w), w, iou)
    half_w, half_h = rounded(T(0.5), hull_w), rounded(T(0.5), hull_h)
    cx1, cx2 = own(centred, within(half_h, x1, u1), within(half_h, u2, x2))
    cy1, cy2 = own(centred, within(half_w, y1, v1), within(half_w, v2, y2))
    hull, hull_lo = product(hull_w, hull_h)
    empty = over((hull - union) + (hull_lo - union_lo), hull + eps)
    u, u_lo = total(union, eps)
    c, c_lo = total(hull, eps)
    u_lo, c_lo = u_lo + union_lo, c_lo + hull_lo
    unit = scale_of(c)  # a power of two that brings u and c near 1, so that their products with sizes stay in range
    u, u_lo, c, c_lo = u * unit, u_lo * unit, c * unit, c_lo * unit
    once = over(T(1), c)
    twice = unit * once
    return (
        (T(1) - iou) + empty,
        fma(-inverse, g0, cross(cx1, dx1, u, u_lo, c, c_lo, once, twice)),
        fma(-inverse, g1, cross(cy1, dy1, u, u_lo, c, c_lo, once, twice)),
        fma(-inverse, g2, cross(cx2, dx2, u, u_lo, c, c_lo, once, twice)),
        fma(-inverse, g3, cross(cy2, dy2, u, u_lo, c, c_lo, once, twice)),
    )


@portable
def ciou_kernel(
    mode: Any, x1: Any, y1: Any, x2: Any, y2: Any, w: Any, h: Any, u1: Any, v1: Any, u2: Any, v2: Any, tw: Any, th: Any, params: Any
) -> Any:
    """Mode 0 is DIoU: d(rho^2 / c^2) = (d rho^2 - rho^2 / c^2 dc^2) / c^2.

    Mode 1 adds alpha v: dv = 8 / pi^2 angle d angle, d angle / dw = -h / (w^2 + h^2), d angle / dh = w / (w^2 + h^2).
    Mode 2 differentiates alpha too: d(alpha v) = alpha (2 - alpha) dv + alpha^2 dIoU.
    """
    T = type(w)
    eps, centred = params[0], params[7] != T(0)
    x, meet_w, hull_w = axis(centred, x1, x2, w, u1, u2, tw)
    y, meet_h, hull_h = axis(centred, y1, y2, h, v1, v2, th)
    iou, _, _, inverse = quotient(centred, w, h, tw, th, meet_w, meet_h, eps)
    share = touch(x if x < y else y)
    _, _, g0, g2 = rates(centred, x1, x2, u1, u2, rounded(share, meet_h), h, iou)
    _, _, g1, g3 = rates(centred, y1, y2, v1, v2, rounded(share, meet_w), w, iou)
    dx_twice, dy_twice = (x1 - u1) + (x2 - u2), (y1 - v1) + (y2 - v2)
    dx, dy = rounded(T(0.5), dx_twice), rounded(T(0.5), dy_twice)  # between the centres
    per_diagonal = over(T(1), fma(hull_w, hull_w, fma(hull_h, hull_h, eps)))
    penalty = rounded(fma(dx, dx, dy * dy), per_diagonal)
    value = (T(1) - iou) + penalty
    slope, turn_w, turn_h, b0, b1 = T(-1), T(0), T(0), T(0), T(0)
    if mode >= 1:
        product = w * th  # tw h - w th as if it had one rounding (Kahan)
        across = fma(tw, h, -product) + fma(-w, th, product)
        angle = arctan_of_ratio(across, fma(w, tw, h * th))
        v = rounded(T(4 / math.pi**2) * angle, angle)
        alpha = over(v, ((T(1) - iou) + v) + eps)
        value = fma(alpha, v, value)
        if mode == 2:
            slope = fma(alpha, alpha, T(-1))
            alpha = alpha * (T(2) - alpha)
        pull = alpha * over(T(8 / math.pi**2) * angle, fma(w, w, h * h))
        turn_w, turn_h = -h * pull, w * pull
        b0, b1 = (b0, b1) if centred else (-turn_w, -turn_h)
    far_w, far_h = rounded(penalty, hull_w), rounded(penalty, hull_h)
    cx1, cx2 = own(centred, within(far_w, x1, u1), within(far_w, u2, x2))  # rho^2 / c^2 times half of dc^2
    cy1, cy2 = own(centred, within(far_h, y1, v1), within(far_h, v2, y2))
    a0, a2 = (dx_twice, T(0)) if centred else (dx, dx)  # d rho^2
    a1, a3 = (dy_twice, T(0)) if centred else (dy, dy)
    slope = slope * inverse
    return (
        value,
        fma(slope, g0, fma(a0 - cx1, per_diagonal, b0)),
        fma(slope, g1, fma(a1 - cy1, per_diagonal, b1)),
        fma(slope, g2, fma(a2 - cx2, per_diagonal, turn_w)),
        fma(slope, g3, fma(a3 - cy2, per_diagonal, turn_h)),
    )


def _setting(function: str, box_format: str, eps: float, mode: int = 0) -> Setting:
    centred = check.choice(function, "box_format", box_format, FORMATS) == 1
    return Setting(mode, (check.number(function, "eps", eps, 0.0, 1.0, "0 is the paper's formula, 1e-7 is torchvision's"),), centred)


_EPS = (0.0, 1e-7, 1e-3, 1.0)
_FORMATS_AND_EPS = tuple({"box_format": f, "eps": e} for f, e in (*(("xyxy", e) for e in _EPS), ("cxcywh", 0.0), ("cxcywh", 1e-7)))


@loss(
    kind="pairs", targets="boxes", formula=iou_formula, kernel=iou_kernel,
    settings=tuple({"kind": kind, **setting} for kind in KINDS for setting in _FORMATS_AND_EPS),
)  # fmt: skip
def iou_loss(
    boxes: ArrayLike, target_boxes: ArrayLike, *, kind: Literal["linear", "log", "squared"] = "linear",
    box_format: BoxFormat = "xyxy", eps: float = 0.0,
    weights: ArrayLike | None = None, reduction: Reduction = "none", normalizer: float | None = None,
) -> Setting:  # fmt: skip
    """Intersection over union as a loss: 1 - IoU, -ln IoU (Yu et al. 2016, UnitBox, algorithm 1), or 1 - IoU^2.

    IoU = I / U, I the area of the intersection and U = area + target area - I.

    Domain: boxes with x2 >= x1 and y2 >= y1 (or w, h >= 0), in any one unit; the loss has none.

    Arguments:
        boxes: (..., 4), predictions; float64, float32, float16 or bfloat16.
        target_boxes: the same shape and dtype, aligned: each box with its own target.
        kind: "linear" is 1 - IoU; "log" is -ln(max(IoU, 1e-6)), which stops at 13.8155 with gradient 0 where boxes (nearly)
            do not meet, since ln 0 would be infinite; "squared" is 1 - IoU^2.
        box_format: "xyxy", corners, exclusive, no +1; or "cxcywh", centre and size. The gradient is by these numbers.
        eps: added to every denominator, in squared units. 0 is the paper's formula; 1e-7 is torchvision's.
        weights: multiplier of each pair's loss, broadcast to (...).
        reduction: "none" (...), "mean" (over all pairs) or "sum".
        normalizer: positive number that a "none" or "sum" result is divided by.

    Raises ReflossError (a ValueError or TypeError) for any argument outside these, a reversed box by its index.
    Limits: a quotient by 0 (or by less than 2^-126) is 0: boxes without area have IoU 0.
    Value and gradient are finite for sizes of 0, and from 1e-18 up. Where edges coincide, the gradient is the mean of both sides.

    >>> import numpy as np, refloss
    >>> boxes, targets = np.array([[10.0, 10.0, 50.0, 40.0]]), np.array([[20.0, 15.0, 70.0, 60.0]])
    >>> [float(refloss.iou_loss(boxes, targets, kind=kind)[0].round(6)) for kind in ("linear", "log", "squared")]
    [0.722222, 1.280934, 0.92284]

    Does not: pull together boxes that do not meet (the gradient is 0 there); `giou_loss`, `diou_loss`, `ciou_loss` do.
    Neighbours: `refloss.iou` is the plain IoU, `refloss.iou_matrix` that of all pairs.
    Elsewhere: YOLOX's default is 1 - IoU^2, mmdet's is the logarithm with the floor 1e-6, FCOS computes (I + 1) / (U + 1), and
    code from the Caffe age adds one pixel to sizes.
    """
    return _setting("iou_loss", box_format, eps, check.choice("iou_loss", "kind", kind, KINDS))


@loss(kind="pairs", targets="boxes", formula=giou_formula, kernel=giou_kernel, settings=_FORMATS_AND_EPS)
def giou_loss(
    boxes: ArrayLike, target_boxes: ArrayLike, *, box_format: BoxFormat = "xyxy", eps: float = 0.0,
    weights: ArrayLike | None = None, reduction: Reduction = "none", normalizer: float | None = None,
) -> Setting:  # fmt: skip
    """Generalised IoU loss (Rezatofighi et al. 2019, algorithms 1 and 2): 1 - IoU + (C - U) / C.

    C is the area of the smallest box around both; the loss lies in [0, 2].

    Domain: boxes with x2 >= x1 and y2 >= y1 (or w, h >= 0), in any one unit; the loss has none.

    Arguments:
        boxes: (..., 4), predictions; float64, float32, float16 or bfloat16.
        target_boxes: the same shape and dtype, aligned: each box with its own target.
        box_format: "xyxy", corners, exclusive, no +1; or "cxcywh", centre and size. The gradient is by these numbers.
        eps: added to every denominator, in squared units. 0 is the paper's formula; 1e-7 is torchvision's.
        weights: multiplier of each pair's loss, broadcast to (...).
        reduction: "none" (...), "mean" (over all pairs) or "sum".
        normalizer: positive number that a "none" or "sum" result is divided by.

    Raises ReflossError (a ValueError or TypeError) for any argument outside these, a reversed box by its index.
    Limits: a quotient by 0 (or by less than 2^-126) is 0: boxes without area have IoU 0, and C = 0 adds nothing.
    Value and gradient are finite for sizes of 0, and from 1e-18 up. Where edges coincide, the gradient is the mean of both sides.

    >>> import numpy as np, refloss
    >>> boxes, targets = np.array([[0.0, 0.0, 10.0, 20.0]]), np.array([[30.0, 25.0, 60.0, 40.0]])
    >>> refloss.giou_loss(boxes, targets).round(6)
    array([1.729167])

    Does not: clamp.
    Neighbours: `iou_loss` without the last term; `diou_loss` replaces areas by the distance of centres.
    Elsewhere: YOLOX before September 2021 and its heirs use I for U in (C - U) / C, 0.65 too much for (10, 10, 50, 40) against
    (20, 15, 70, 60); mmdet converts only the prediction from half precision, which gives minus infinity for a box of 300 pixels.
    """
    return _setting("giou_loss", box_format, eps)


@loss(kind="pairs", targets="boxes", formula=diou_formula, kernel=ciou_kernel, settings=_FORMATS_AND_EPS)
def diou_loss(
    boxes: ArrayLike, target_boxes: ArrayLike, *, box_format: BoxFormat = "xyxy", eps: float = 0.0,
    weights: ArrayLike | None = None, reduction: Reduction = "none", normalizer: float | None = None,
) -> Setting:  # fmt: skip
    """Distance IoU loss (Zheng et al. 2020, eq. 7): 1 - IoU + rho^2 / c^2.

    rho is the distance of the centres, c the diagonal of the smallest box around both; the loss lies in [0, 2).

    Domain: boxes with x2 >= x1 and y2 >= y1 (or w, h >= 0), in any one unit; the loss has none.

    Arguments:
        boxes: (..., 4), predictions; float64, float32, float16 or bfloat16.
        target_boxes: the same shape and dtype, aligned: each box with its own target.
        box_format: "xyxy", corners, exclusive, no +1; or "cxcywh", centre and size. The gradient is by these numbers.
        eps: added to every denominator, in squared units. 0 is the paper's formula; 1e-7 is torchvision's.
        weights: multiplier of each pair's loss, broadcast to (...).
        reduction: "none" (...), "mean" (over all pairs) or "sum".
        normalizer: positive number that a "none" or "sum" result is divided by.

    Raises ReflossError (a ValueError or TypeError) for any argument outside these, a reversed box by its index.
    Limits: a quotient by 0 (or by less than 2^-126) is 0: boxes without area have IoU 0, and c = 0 adds nothing.
    Value and gradient are finite for sizes of 0, and from 1e-18 up. Where edges coincide, the gradient is the mean of both sides.

    >>> import numpy as np, refloss
    >>> boxes, targets = np.array([[0.0, 0.0, 10.0, 20.0]]), np.array([[30.0, 25.0, 60.0, 40.0]])
    >>> refloss.diou_loss(boxes, targets).round(6)
    array([1.405048])

    Does not: look at the aspect ratio; `ciou_loss` does.
    Neighbours: `ciou_loss` without alpha v.
    Elsewhere: darknet prints (rho^2 / c^2)^0.6 and differentiates another function.
    """
    return _setting("diou_loss", box_format, eps)


@loss(
    kind="pairs", targets="boxes", formula=ciou_formula, kernel=ciou_kernel,
    settings=tuple(
        {**setting, "differentiate_alpha": by}
        for setting, by in (*((s, False) for s in _FORMATS_AND_EPS), *((_FORMATS_AND_EPS[j], True) for j in (0, 1, 4)))
    ),
)  # fmt: skip
def ciou_loss(
    boxes: ArrayLike, target_boxes: ArrayLike, *, box_format: BoxFormat = "xyxy", eps: float = 0.0, differentiate_alpha: bool = False,
    weights: ArrayLike | None = None, reduction: Reduction = "none", normalizer: float | None = None,
) -> Setting:  # fmt: skip
    """Complete IoU loss (Zheng et al. 2020, eq. 8 to 11): 1 - IoU + rho^2 / c^2 + alpha v.

    v = (4 / pi^2) (arctan(w_t / h_t) - arctan(w / h))^2, alpha = v / ((1 - IoU) + v), a constant in the gradient.
    dv/dw = (8 / pi^2) (arctan(w_t / h_t) - arctan(w / h)) (-h / (w^2 + h^2)), and + w / (w^2 + h^2) for h: the paper's eq. 12
    prints both with the opposite sign.

    Domain: boxes with x2 >= x1 and y2 >= y1 (or w, h >= 0), in any one unit; the loss has none.

    Arguments:
        boxes: (..., 4), predictions; float64, float32, float16 or bfloat16.
        target_boxes: the same shape and dtype, aligned: each box with its own target.
        differentiate_alpha: False is the paper's; True gives the full derivative, as automatic differentiation would.
        box_format: "xyxy", corners, exclusive, no +1; or "cxcywh", centre and size. The gradient is by these numbers.
        eps: added to every denominator, in squared units. 0 is the paper's formula; 1e-7 is torchvision's.
        weights: multiplier of each pair's loss, broadcast to (...).
        reduction: "none" (...), "mean" (over all pairs) or "sum".
        normalizer: positive number that a "none" or "sum" result is divided by.

    Raises ReflossError (a ValueError or TypeError) for any argument outside these, a reversed box by its index.
    Limits: a quotient by 0 (or by less than 2^-126) is 0: boxes without area have IoU 0, c = 0 adds nothing,
    and a point has no aspect ratio (v = 0).
    Value and gradient are finite for sizes of 0, and from 1e-18 up. Where edges coincide, the gradient is the mean of both sides.

    >>> import numpy as np, refloss
    >>> boxes, targets = np.array([[0.0, 0.0, 20.0, 10.0]]), np.array([[0.0, 0.0, 10.0, 20.0]])
    >>> value, gradient = refloss.ciou_loss.value_and_grad(boxes, targets)
    >>> print(value.round(6), gradient.round(6))
    [0.762918] [[ 0.016826 -0.000491  0.016334 -0.032668]]

    Does not: gate alpha at IoU > 0.5 (the journal version and mmdet do), or clamp.
    Neighbours: `diou_loss` plus alpha v.
    Elsewhere: keras-cv 0.9.0 squares the constant 4 / pi^2 too (0.735464 for the pair above); Keras differentiates alpha;
    torchvision does not pass eps on to IoU and distance; most add eps to h only; darknet's gradient is a mixture of its own.
    """
    if not isinstance(differentiate_alpha, bool):
        bad_type("ciou_loss", "differentiate_alpha", "True or False", type(differentiate_alpha).__name__, "the paper's is False")
    return _setting("ciou_loss", box_format, eps, 2 if differentiate_alpha else 1)

"""The coder of YOLOv1: centres as offsets from a grid cell, square roots of sizes, all relative to the image."""

from dataclasses import dataclass
from typing import Any, ClassVar

from .._engine.coding import Coder, Coding, finite, ordered, positive
from .._engine.fma import fma
from .._engine.record import Array, Setting
from .._engine.scalar import portable, product, rounded, square_root, total
from .shared import corners_formula, ends, pulled, quotient, size_of


def yolov1_encode_formula(xp: Any, boxes: Any, priors: Any) -> Any:
    (x1, y1, x2, y2), (column, row, cells) = (boxes[..., j] for j in range(4)), (priors[..., j] for j in range(3))
    return xp.stack([(x1 + x2) / 2 * cells - column, (y1 + y2) / 2 * cells - row, xp.sqrt(x2 - x1), xp.sqrt(y2 - y1)])


def yolov1_decode_formula(xp: Any, codes: Any, priors: Any) -> Any:
    (tx, ty, tw, th), (column, row, cells) = (codes[..., j] for j in range(4)), (priors[..., j] for j in range(3))
    return corners_formula(xp, (tx + column) / cells, (ty + row) / cells, tw * tw, th * th)


@portable
def encode_axis(low: Any, high: Any, cell: Any, cells: Any, u_move: Any, u_size: Any) -> Any:
    T = type(low)
    middle, middle_lo = total(low, high)
    size = high - low
    root = square_root(size)
    half = T(0.5) * cells
    move = fma(middle, half, -cell) + rounded(middle_lo, half)
    sound = size - size
    by_centre = rounded(u_move, half)
    by_size = rounded(u_size, T(0.5) / root) if root > T(0) else T(0)
    return move + sound, root + sound, by_centre - by_size, by_centre + by_size


@portable
def yolov1_encode_kernel(
    mode: Any, a0: Any, a1: Any, a2: Any, a3: Any, p0: Any, p1: Any, p2: Any, p3: Any, p4: Any,
    u0: Any, u1: Any, u2: Any, u3: Any, params: Any,
) -> Any:  # fmt: skip
    cells = size_of(p2)
    x, y = encode_axis(a0, a2, p0, cells, u0, u2), encode_axis(a1, a3, p1, cells, u1, u3)
    return x[0], y[0], x[1], y[1], x[2], y[2], x[3], y[3]


@portable
def decode_axis(move: Any, root: Any, cell: Any, cells: Any, u_low: Any, u_high: Any) -> Any:
    T = type(move)
    place, place_lo = total(move, cell + (cell - cell))
    c, c_lo = quotient(place, cells, T(0))
    w, w_lo = product(root, root)
    low, high = ends(c, c_lo + place_lo / cells, w, w_lo)
    return low, high, (u_low + u_high) / cells, pulled(u_high - u_low, root)


@portable
def yolov1_decode_kernel(
    mode: Any, a0: Any, a1: Any, a2: Any, a3: Any, p0: Any, p1: Any, p2: Any, p3: Any, p4: Any,
    u0: Any, u1: Any, u2: Any, u3: Any, params: Any,
) -> Any:  # fmt: skip
    cells = size_of(p2)
    x, y = decode_axis(a0, a2, p0, cells, u0, u2), decode_axis(a1, a3, p1, cells, u1, u3)
    return x[0], y[0], x[1], y[1], x[2], y[2], x[3], y[3]


def yolov1_setting() -> Setting:
    return Setting(0)


def yolov1_problems(first: Array, priors: Array) -> Any:
    yield finite("priors", priors)
    yield positive("a positive grid size", priors[:, 2:])


def yolov1_encode_problems(boxes: Array, priors: Array) -> Any:
    yield from yolov1_problems(boxes, priors)
    yield finite("boxes", boxes)
    yield ordered(boxes)


@dataclass(frozen=True)
class YOLOv1Coder(Coder):
    """YOLOv1's codes (Redmon et al. 2016, section 2 and eq. 3): (x S - column, y S - row, sqrt(w), sqrt(h)).

    (x, y) is the centre and (w, h) the size of a box, as fractions of the image's width and height; the prior is a cell of an S x S
    grid. decode squares the last two, and is the inverse of encode for codes with tw, th >= 0.

    Domain: finite boxes with x2 >= x1 and y2 >= y1; the centre may lie in any cell (in its own, the first two codes lie in [0, 1]);
    priors with S > 0; any codes.

    Methods: `encode(boxes, priors)`, `decode(codes, priors)`, and `encode_vjp`, `decode_vjp` with a third argument `upstream`, the
    gradient by the result; they return the gradient by the first argument. Boxes are corners relative to the image ("rel_xyxy" of
    `refloss.boxes.convert`). Boxes, codes and upstream: (..., n, 4) float64, float32, float16 or bfloat16 (computed in float32,
    rounded once); priors: (n, 3) rows (column, row, S) of the same dtype (float32 with half precision), shared by the axes in front.
    A list, or an array without rows, takes the dtype of the others.

    Raises ReflossError (a ValueError or TypeError) for any argument outside these, a box or a prior by its index.
    Limits: the derivative of the square root is infinite at a size of 0; encode_vjp takes it as 0 there, so that training meets no NaN.
    Codes of size past 1.8e19 (float32) or 255 (float16) are decoded to infinite corners; decode_vjp gives 0 where upstream is 0 there too.

    >>> import numpy as np
    >>> from refloss.coders import YOLOv1Coder
    >>> codes = YOLOv1Coder().encode(np.array([[0.25, 0.25, 0.75, 0.5]]), np.array([[3.0, 2.0, 7.0]]))
    >>> codes.round(6)
    array([[0.5     , 0.625   , 0.707107, 0.5     ]])
    >>> YOLOv1Coder().decode(codes, np.array([[3.0, 2.0, 7.0]])).round(6)
    array([[0.25, 0.25, 0.75, 0.5 ]])

    Elsewhere: ports that regress w instead of its square root give large boxes more weight; darknet finds the cell without a clamp, so
    that a centre at x = 1 falls out of its row.
    """

    codings: ClassVar[tuple[Coding, Coding]]


YOLOv1Coder.codings = (
    Coding(
        "yolov1_coder.encode", "YOLOv1Coder", ("boxes", "priors"), 3, yolov1_encode_formula, yolov1_encode_kernel, yolov1_setting,
        yolov1_encode_problems, ({},),
    ),
    Coding(
        "yolov1_coder.decode", "YOLOv1Coder", ("codes", "priors"), 3, yolov1_decode_formula, yolov1_decode_kernel, yolov1_setting,
        yolov1_problems, ({},),
    ),
)  # fmt: skip

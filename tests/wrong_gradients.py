"""Box losses with gradients by hand, as darknet has them, with and without its factors: what the checker must tell apart."""

import numpy as np


# Boxes are centre and size; results are (value, gradient).
def _parts(a, b):  # type: ignore[no-untyped-def]
    (x, y, w, h), (u, v, tw, th) = a.T, b.T
    return (x, w, u, tw), (y, h, v, th)


def _axis(x, w, u, tw):  # type: ignore[no-untyped-def]
    """Overlap and hull along one axis, and their derivatives by the box's two ends; halves at a tie."""
    left, right, start, end = x - w / 2, x + w / 2, u - tw / 2, u + tw / 2
    inner, hull = np.minimum(right, end) - np.maximum(left, start), np.maximum(right, end) - np.minimum(left, start)
    by_left, by_right = np.where(left > start, 1, np.where(left == start, 0.5, 0)), np.where(right < end, 1, np.where(right == end, 0.5, 0))
    return inner, hull, (-by_left, by_right), (by_left - 1, 1 - by_right)


def _over(a, b):  # type: ignore[no-untyped-def]
    return np.divide(a, b, out=np.zeros_like(a), where=b > 0)


def _darknet(a, b, form: str, double: float = 1.0, flip: bool = False, open_ended: bool = False):  # type: ignore[no-untyped-def]
    """1 - IoU, GIoU or DIoU and the gradient by (x, y, w, h). double: of w and h in the overlap's part."""
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    px, py = _parts(a, b)
    (ix, cx, dix, dcx), (iy, cy, diy, dcy) = _axis(*px), _axis(*py)
    mx, my = np.maximum(ix, 0), np.maximum(iy, 0)
    inner = mx * my
    areas, target = a[:, 2] * a[:, 3], b[:, 2] * b[:, 3]
    union = areas + target - inner
    iou = _over(inner, union)
    ax, ay = np.where(ix > 0, 1, np.where(ix == 0, 0.5, 0)) * my, np.where(iy > 0, 1, np.where(iy == 0, 0.5, 0)) * mx
    if open_ended:
        ax, ay = iy, ix
    zero, gradient = np.zeros(len(a)), np.zeros_like(a)

    def ends(of, which):  # type: ignore[no-untyped-def]
        """By centre and size, from the derivative by the two ends."""
        along_x, along_y = of
        if which == "x":
            return along_x[0] + along_x[1], zero, (along_x[1] - along_x[0]) / 2, zero
        return zero, along_y[0] + along_y[1], zero, (along_y[1] - along_y[0]) / 2

    sizes = (zero, zero, a[:, 3], a[:, 2])
    cap = cx * cy if form == "giou" else cx * cx + cy * cy
    square = (a[:, 0] - b[:, 0]) ** 2 + (a[:, 1] - b[:, 1]) ** 2
    for j in range(4):
        which = "x" if j % 2 == 0 else "y"
        d_inner = ends((dix, diy), which)[j] * (ax if which == "x" else ay)
        d_hull = ends((dcx, dcy), which)[j]
        d_union = sizes[j] - d_inner
        part = -_over(d_inner * union - inner * d_union, union * union)
        if form == "giou":
            d_cap = d_hull * (cy if which == "x" else cx)
            part = part - _over(d_union * cap - union * d_cap, cap * cap)
        part = part * (double if j >= 2 else 1)
        if form == "diou":
            d_cap = 2 * d_hull * (cx if which == "x" else cy) * (-1 if flip and j < 2 else 1)
            d_square = 2 * (a[:, j] - b[:, j]) if j < 2 else zero
            part = part + _over(d_square * cap - square * d_cap, cap * cap)
        gradient[:, j] = part
    value = 1 - iou + (_over(cap - union, cap) if form == "giou" else _over(square, cap) if form == "diou" else 0)
    return value, gradient


def darknet_iou_right(boxes, target_boxes):  # type: ignore[no-untyped-def]
    return _darknet(boxes, target_boxes, "iou")


def darknet_giou_right(boxes, target_boxes):  # type: ignore[no-untyped-def]
    return _darknet(boxes, target_boxes, "giou")


def darknet_diou_right(boxes, target_boxes):  # type: ignore[no-untyped-def]
    return _darknet(boxes, target_boxes, "diou")


def darknet_iou_doubled(boxes, target_boxes):  # type: ignore[no-untyped-def]
    return _darknet(boxes, target_boxes, "iou", double=2.0)


def darknet_giou_doubled(boxes, target_boxes):  # type: ignore[no-untyped-def]
    return _darknet(boxes, target_boxes, "giou", double=2.0)


def darknet_diou_both(boxes, target_boxes):  # type: ignore[no-untyped-def]
    return _darknet(boxes, target_boxes, "diou", double=2.0, flip=True)


def darknet_diou_flipped(boxes, target_boxes):  # type: ignore[no-untyped-def]
    return _darknet(boxes, target_boxes, "diou", flip=True)


def darknet_iou_open(boxes, target_boxes):  # type: ignore[no-untyped-def]
    return _darknet(boxes, target_boxes, "iou", open_ended=True)

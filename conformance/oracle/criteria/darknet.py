"""darknet's YOLOv4 and Scaled-YOLOv4 (AlexeyAB/darknet, yolo_layer.c and box.c): deltas made by hand, which are no gradients of its losses.

Written from the rules that the recordings of darknet come with, and held to them by tests. Coordinates are relative to the image. A
formula's row is a prior's codes; its constants are the prior (column, row, width, height, stride), scale_x_y, the image's width and
height, then the truth's corners in pixels. `new` is darknet's new_coords: outputs have been through the sigmoid.
"""

from typing import Any

from refloss.losses.iou import ciou_formula, diou_formula, giou_formula, iou_formula

KINDS: dict[str, Any] = {"iou": iou_formula, "giou": giou_formula, "diou": diou_formula, "ciou": ciou_formula}


def places(xp: Any, codes: Any, constants: Any, new: bool) -> tuple[Any, Any]:
    """Where in its cell, from its upper left corner, a centre is."""
    scale = constants[..., 5]
    x, y = (codes[..., k] if new else xp.sigmoid(codes[..., k]) for k in (0, 1))
    return scale * x - (scale - 1) / 2, scale * y - (scale - 1) / 2


def predicted(xp: Any, codes: Any, constants: Any, new: bool) -> tuple[Any, Any, Any, Any]:
    """x, y, w, h of the predicted box."""
    column, row, w, h, stride, _, width, height = (constants[..., k] for k in range(8))
    x, y = places(xp, codes, constants, new)
    grown = [(2 * codes[..., k]) ** 2 if new else xp.exp(codes[..., k]) for k in (2, 3)]
    return (column + x) * stride / width, (row + y) * stride / height, w * grown[0] / width, h * grown[1] / height


def true(constants: Any) -> tuple[Any, Any, Any, Any]:
    """x, y, w, h of the truth."""
    width, height, x1, y1, x2, y2 = (constants[..., k] for k in range(6, 12))
    return (x1 + x2) / 2 / width, (y1 + y2) / 2 / height, (x2 - x1) / width, (y2 - y1) / height


def sides(box: Any) -> tuple[Any, Any, Any, Any]:
    """Left, top, right, bottom."""
    x, y, w, h = box
    return x - w / 2, y - h / 2, x + w / 2, y + h / 2


def similarity(xp: Any, codes: Any, constants: Any, new: bool, kind: str = "iou") -> Any:
    """1 less the loss: of a predicted box and a truth, in pixels, whose value it is in relative coordinates but for CIoU's aspects."""
    x, y, w, h = predicted(xp, codes, constants, new)
    width, height = constants[..., 6], constants[..., 7]
    ours = xp.stack(sides((x * width, y * height, w * width, h * height)))
    more = {"kind": "linear"} if kind == "iou" else {"differentiate_alpha": False} if kind == "ciou" else {}
    return 1 - KINDS[kind](xp, ours, constants[..., 8:], box_format="xyxy", eps=0, **more)


def pull(xp: Any, codes: Any, constants: Any, new: bool, loss: str, axis: int) -> Any:
    """The direction in which darknet moves x, y, w or h: before iou_normalizer and the limit."""
    if loss == "squares":
        return squares(xp, codes, constants, new)[axis]
    found = by_sides(xp, predicted(xp, codes, constants, new), true(constants), loss)[axis]
    return found if new or axis < 2 else found * xp.exp(codes[..., axis])


def squares(xp: Any, codes: Any, constants: Any, new: bool) -> list[Any]:
    """Errors of places and sizes, in what the head gives for them, times 2 - w h."""
    column, row, *shape = (constants[..., k] for k in range(4))
    stride, image, (x, y, w, h) = constants[..., 4], (constants[..., 6], constants[..., 7]), true(constants)
    ours = places(xp, codes, constants, new)
    off = [centre * side / stride - first - mine for centre, side, first, mine in zip((x, y), image, (column, row), ours, strict=True)]
    ratios = [size * side / own for size, side, own in zip((w, h), image, shape, strict=True)]
    grown = [xp.sqrt(ratio) / 2 if new else xp.log(ratio) for ratio in ratios]
    return [(2 - w * h) * error for error in (*off, grown[0] - codes[..., 2], grown[1] - codes[..., 3])]


def by_sides(xp: Any, p: Any, g: Any, loss: str) -> list[Any]:
    """Of x, y, w, h, from the derivatives by the four sides of p: no halves in w and h, and an intersection that nothing clamps."""
    pl, pt, pr, pb = sides(p)
    gl, gt, gr, gb = sides(g)
    iw, ih = xp.minimum(pr, gr) - xp.maximum(pl, gl), xp.minimum(pb, gb) - xp.maximum(pt, gt)
    cw, ch = xp.maximum(pr, gr) - xp.minimum(pl, gl), xp.maximum(pb, gb) - xp.minimum(pt, gt)
    shared, apart = iw * ih, (iw <= 0) | (ih <= 0)
    union, hull = p[2] * p[3] + g[2] * g[3] - shared, cw * ch

    def where(condition: Any, value: Any) -> Any:
        return xp.where(condition, value, value * 0)

    grows = (-p[3], -p[2], p[3], p[2])  # p's area with its left, top, right, bottom
    inner = (where(pl > gl, -ih), where(pt > gt, -iw), where(pr < gr, ih), where(pb < gb, iw))
    outer = (where(pl < gl, -ch), where(pt < gt, -cw), where(pr > gr, ch), where(pb > gb, cw))
    each = []
    for area, i, c in zip(grows, inner, outer, strict=True):
        u = area - i
        of_iou = (i * union - shared * u) / union**2
        own = of_iou if loss == "iou" else xp.where(apart, of_iou * 0, of_iou)
        each.append(own + (u * hull - union * c) / hull**2 if loss == "giou" else own)
    left, top, right, bottom = each
    found = [left + right, top + bottom, right - left, bottom - top]
    if loss not in ("diou", "ciou"):
        return found
    one = p[0] * 0 + 1
    far = where(pl < gl, one), where(pt < gt, one), where(pr > gr, one), where(pb > gb, one)
    s, c = (g[0] - p[0]) ** 2 + (g[1] - p[1]) ** 2, cw**2 + ch**2
    for k, side in ((0, cw), (1, ch)):
        found[k] = found[k] + (2 * (g[k] - p[k]) * c - 2 * side * (far[2 + k] - far[k]) * s) / c**2
        found[2 + k] = found[2 + k] + 2 * side * ((far[2 + k] + far[k]) / 2) * s / c**2
    if loss == "ciou":
        angle = xp.arctan2(g[2], g[3]) - xp.arctan2(p[2], p[3])
        v = 4 / xp.pi**2 * angle**2
        push = v / (1 - shared / union + v + 1e-6) * (8 / xp.pi**2) * angle
        found[2], found[3] = found[2] + push * p[3], found[3] - push * p[2]
    return found

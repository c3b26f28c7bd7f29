"""What YOLOv2 and later share: heads (images, anchors, 5 + classes, rows, columns), one for each grid, and sigmoid objectness."""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from .._engine import check
from .._engine.record import Array
from ..assign._cells import checked
from ..coders import YOLOCoder
from ..errors import bad_type, bad_value
from ..losses import binary_cross_entropy, squared_error
from ..priors import Grid, arguments, yolo_priors
from ._criterion import Criterion, Parts, as_given, flags, same_image, summed


class Yolo(Criterion):
    """Parts: codes (images, priors, 4), objectness (images, priors), classes (images, priors, classes); all are logits."""

    grids: tuple[Grid, ...]
    coders: tuple[YOLOCoder, ...]  # one for each grid
    dialect: Literal["paper", "darknet"]

    def _settle(
        self, classes: Any, grids: Any, coders: Sequence[YOLOCoder], dialect: Any, normalizer: Any, outside: Any, check_outputs: bool
    ) -> None:
        """What every version is given, checked once."""
        name = type(self).__name__
        self.classes, self.grids = arguments.whole(name, "classes", classes), checked(name, grids)
        if len(coders) != len(self.grids):
            wanted = f"one number for each of {len(self.grids)} grids"
            bad_value(name, "scale_xy", wanted, f"{len(coders)}", "give them in the grids' order")
        self.coders, self.dialect, self.image_size = tuple(coders), dialect, image_size_of(self.grids)
        check.choice(name, "outside", outside, ("error", "clip", "keep"))
        flags(name, check=check_outputs)
        self.normalizer, self.outside, self.check = normalizer, outside, check_outputs
        if not callable(normalizer):
            Criterion._divisors(self, [1])  # checks it

    def _finite_boxes(self, image: Parts) -> Array:
        """Predicted boxes for an assigner: one that has overflowed, or is NaN, meets nothing; its terms carry it on."""
        return finite_boxes(self._boxes(image))

    def _split(self, outputs: Any) -> dict[str, Array]:
        heads = self._heads(outputs)
        # (images, anchors, channels, rows, columns) -> (images, priors, channels): by anchor, then row, then column, as priors lie
        rows = [np.moveaxis(head, 2, -1).reshape(len(head), -1, head.shape[2]) for head in heads]
        return {
            "codes": np.concatenate([r[..., :4] for r in rows], axis=1),
            "objectness": np.concatenate([r[..., 4] for r in rows], axis=1),
            "classes": np.concatenate([r[..., 5:] for r in rows], axis=1),
        }

    def _heads(self, outputs: Any) -> list[Array]:
        name = type(self).__name__
        if isinstance(outputs, np.ndarray) or not isinstance(outputs, Sequence) or len(outputs) != len(self.grids):
            got = f"{len(outputs)} arrays" if isinstance(outputs, (list, tuple)) else type(outputs).__name__
            bad_type(name, "outputs", f"a list of {len(self.grids)} arrays, one for each grid", got, "in the order of the grids")
        heads = []
        for k, (values, grid) in enumerate(zip(outputs, self.grids, strict=True)):
            head = check.floats(name, f"outputs[{k}]", values, "convert with astype(np.float32)")
            wanted = (len(grid.shapes), 5 + self.classes, grid.height, grid.width)
            if head.ndim != 5 or head.shape[1:] != wanted:
                way_out = f"reshape (images, {wanted[0] * wanted[1]}, rows, columns) to that; channels are x, y, w, h, objectness, classes"
                bad_value(name, f"outputs[{k}]", f"of shape (images, {', '.join(map(str, wanted))})", f"{head.shape}", way_out)
            heads.append(head.astype(np.float32) if check.is_half(head.dtype) else head)
        same_image(name, [len(head) for head in heads])
        if len({head.dtype for head in heads}) != 1:
            bad_type(name, "outputs", "arrays of one dtype", ", ".join(str(head.dtype) for head in heads), "convert them alike")
        return heads

    def _join(self, outputs: Any, gradient: Parts) -> list[Array]:
        whole = np.concatenate([gradient["codes"], gradient["objectness"][..., None], gradient["classes"]], axis=2)
        made, start = [], 0
        for values, grid in zip(outputs, self.grids, strict=True):
            rows = whole[:, start : start + grid.count].reshape(len(whole), len(grid.shapes), grid.height, grid.width, -1)
            made.append(as_given(np.ascontiguousarray(np.moveaxis(rows, -1, 2)), values))
            start += grid.count
        return made

    def _priors(self, dtype: Any) -> Array:
        return yolo_priors(self.grids, dtype=dtype)

    def _boxes(self, parts: Parts) -> Array:
        codes, start, made = parts["codes"], 0, []
        for grid, coder in zip(self.grids, self.coders, strict=True):
            some = codes[..., start : start + grid.count, :]
            made.append(coder.decode(some, yolo_priors((grid,), dtype=codes.dtype)))
            start += grid.count
        return np.concatenate(made, axis=-2)

    def _decode_vjp(self, codes: Array, upstream: Array) -> Array:
        start, made = 0, []
        for grid, coder in zip(self.grids, self.coders, strict=True):
            rows = slice(start, start + grid.count)
            made.append(coder.decode_vjp(codes[rows], yolo_priors((grid,), dtype=codes.dtype), upstream[rows]))
            start += grid.count
        return np.concatenate(made)

    def _scores(self, parts: Parts) -> Array:
        """Objectness times class probability."""
        return sigmoid(parts["objectness"])[..., None] * sigmoid(parts["classes"])


def sigmoid(x: Array) -> Array:
    e = np.exp(-np.abs(x))
    result: Array = np.where(x >= 0, 1, e) / (1 + e)
    return result


def image_size_of(grids: Sequence[Grid]) -> tuple[int, int]:
    """(height, width) in pixels."""
    return grids[0].height * grids[0].stride, grids[0].width * grids[0].stride


def cross_entropy(logits: Array, targets: Any, *, divisor: float, gradient: Array | None, weights: Any = None) -> float:
    """Binary cross entropy, summed."""
    t = np.broadcast_to(np.asarray(targets, logits.dtype), logits.shape)
    return summed(binary_cross_entropy, logits, t, divisor=divisor, weights=weights, gradient=gradient)


def cells_away(boxes: Array, priors: Array, dialect: str) -> Array:
    """(n, 2): from the prior's cell to the centre's, in cells: 0, but for darknet's centres on the far border, which are learnt by the
    cell that follows in memory as if it were the one beyond the border."""
    if dialect != "darknet":
        return np.zeros_like(boxes[:, :2])
    away: Array = np.floor((boxes[:, :2] + boxes[:, 2:]) / 2 / priors[:, 4:]) - priors[:, :2]
    return away


def box_targets(boxes: Array, priors: Array, dialect: str) -> tuple[Array, Array]:
    """(n, 2) place of the centre in its cell, in cells; (n, 2) logarithm of the size over the prior's."""
    place = (boxes[:, :2] + boxes[:, 2:]) / 2 / priors[:, 4:] - priors[:, :2] - cells_away(boxes, priors, dialect)
    return place, np.log((boxes[:, 2:] - boxes[:, :2]) / priors[:, 2:4])


def finite_boxes(boxes: Array) -> Array:
    """Those that are finite; the others are points at 0, which no truth of any area meets."""
    with np.errstate(invalid="ignore", over="ignore"):
        good = np.isfinite(boxes).all(axis=1) & np.isfinite(boxes[:, 2:] - boxes[:, :2]).all(axis=1)
    return boxes if good.all() else np.where(good[:, None], boxes, 0)


def squared_error_of_sigmoid(logits: Array, targets: Array, *, divisor: float, gradient: Array | None, weights: Any = None) -> float:
    """(sigma(x) - target)^2 / 2, summed; its gradient goes through the sigmoid."""
    p = sigmoid(logits)
    total = summed(squared_error, p, targets, divisor=divisor, weights=weights, gradient=gradient, factor=0.5)
    if gradient is not None:
        gradient *= p * sigmoid(-logits)
    return total


def relative_area(boxes: Array, image_size: tuple[int, int]) -> Array:
    """(n,) w h, both relative to the image."""
    areas: Array = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1) / boxes.dtype.type(image_size[0] * image_size[1])
    return areas


def logit(p: Array) -> Array:
    """ln(p / (1 - p)), finite for p in [0, 1]."""
    tiny, eps = np.finfo(p.dtype).tiny, np.finfo(p.dtype).epsneg
    held = np.clip(p, tiny, 1 - eps)
    inverse: Array = np.log(held) - np.log1p(-held)
    return inverse

"""Box coders written out in torch, right and wrong, as other people write them: what the checker must tell apart.

Each maker gives a function of (boxes or codes, priors, the coder's parameters); the wrong ones differ in one place.
"""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from wrong_variants import handed_sigmoid

Function = Callable[..., Tensor]


def ln(x: Tensor) -> Tensor:
    """The logarithm, -inf or inf at the ends of a float32's range, without the infinite derivative there."""
    edge = (x < 2.0**-126) | (x > 2.0**126)
    return torch.where(edge, torch.where(x < 1, -math.inf, math.inf), torch.log(torch.where(edge, 1, x)))


def logit(f: Tensor, rest: Tensor) -> Tensor:
    edge = (f < 2.0**-126 * rest) | (rest < 2.0**-126 * f)
    usual = torch.log(torch.where(edge, 1, f)) - torch.log(torch.where(edge, 1, rest))
    return torch.where(edge, torch.where(f < rest, -math.inf, math.inf), usual)


def sigmoid(t: Tensor) -> Tensor:
    """With both tails: torch's own derivative is p (1 - p) of the rounded p."""
    return torch.exp(torch.nn.functional.logsigmoid(t))


def middle(box: Tensor) -> tuple[Tensor, Tensor]:
    """Centres and sizes of corners, (..., 2) each."""
    return (box[..., :2] + box[..., 2:]) / 2, box[..., 2:] - box[..., :2]


def corners(centre: Tensor, size: Tensor) -> Tensor:
    return torch.cat([centre - size / 2, centre + size / 2], -1)


def delta_encoder(
    log: Callable[[Tensor], Tensor] = ln, reweigh: Callable[[Tensor], Tensor] = lambda w: w, swap: bool = False, order: str = "0123",
    prior_order: str = "0123", pixel: float = 0, corner: float = 0, floor: float = 0,
) -> Function:  # fmt: skip
    def encode(boxes: Tensor, priors: Tensor, weights: Any = (1.0, 1.0, 1.0, 1.0), box_format: str = "xyxy") -> Tensor:
        boxes, priors = boxes[..., [int(j) for j in order]], priors[..., [int(j) for j in prior_order]]
        centre, size = middle(boxes) if box_format == "xyxy" else (boxes[..., :2], boxes[..., 2:])
        base, unit = middle(priors)
        size, unit = size + pixel, unit + pixel
        size, unit = (size.clamp(min=floor), unit.clamp(min=floor)) if floor else (size, unit)
        codes = torch.cat([(centre - base + corner * unit) / unit, log(size / unit)], -1) * reweigh(boxes.new_tensor(weights))
        return codes[..., [0, 1, 3, 2]] if swap else codes

    return encode


def delta_decoder(
    grow: Callable[[Tensor], Tensor] = torch.exp, reweigh: Callable[[Tensor], Tensor] = lambda w: w, swap: bool = False, pixel: float = 0,
    low: bool = False, high: bool = True, always: float = math.inf, corner: float = 0, give: str = "",
) -> Function:  # fmt: skip
    def decode(
        codes: Tensor, priors: Tensor, weights: Any = (1.0, 1.0, 1.0, 1.0), wh_clip: float | None = None, box_format: str = "xyxy"
    ) -> Tensor:
        codes = (codes[..., [0, 1, 3, 2]] if swap else codes) / reweigh(codes.new_tensor(weights))
        clip = always if always < math.inf else math.inf if wh_clip is None or not high else wh_clip
        base, unit = middle(priors)
        unit = unit + pixel
        size = unit * grow(codes[..., 2:].clamp(min=-clip if low else -math.inf, max=clip))
        centre = base + (codes[..., :2] - corner) * unit + pixel / 2
        wanted = give or box_format
        if wanted == "cxcywh":
            return torch.cat([centre, size], -1)
        if wanted == "xywh":
            return torch.cat([centre - size / 2, size], -1)
        box = corners(centre, size) - codes.new_tensor([0, 0, pixel, pixel])
        return box[..., [1, 0, 3, 2]] if wanted == "yxyx" else box

    return decode


def variances(w: Tensor) -> Tensor:
    return 1 / w


def ones(w: Tensor) -> Tensor:
    return torch.ones_like(w)


def crossed(w: Tensor) -> Tensor:
    return w[[2, 3, 0, 1]]


def yolo_decoder(
    sizes: str = "", scale: float | None = None, shift: bool = True, half: float = 0, stride_too: bool = True, swap: bool = False,
    transposed: bool = False, give: str = "", anchors_in_cells: bool = False, power: float = math.e,
    sigmoid: Callable[[Tensor], Tensor] = sigmoid,
) -> Function:  # fmt: skip
    def decode(codes: Tensor, priors: Tensor, scale_xy: float = 1.0, size: str = "exp") -> Tensor:
        s = scale_xy if scale is None else scale
        cell, shape, stride = priors[..., :2], priors[..., 2:4], priors[..., 4:]
        cell = cell.flip(-1) if transposed else cell
        t = codes[..., [3, 2]] if swap else codes[..., 2:]
        place = sigmoid(codes[..., :2]) * s - ((s - 1) / 2 if shift else 0) + cell + half
        kind = sizes or size
        grown = torch.exp(t * math.log(power)) if kind == "exp" else 2 * sigmoid(t)
        wh = (grown * grown if kind == "squared_sigmoid" else grown) * shape * (stride if anchors_in_cells else 1)
        centre = place * stride if stride_too else place
        return torch.cat([centre, wh], -1) if give == "cxcywh" else corners(centre, wh)

    return decode


def yolo_encoder(
    sizes: str = "", scale: float | None = None, shift: bool = True, half: float = 0, log: Callable[[Tensor], Tensor] = ln,
    hold: float = 0, transposed: bool = False, linear: bool = False,
) -> Function:  # fmt: skip
    def encode(boxes: Tensor, priors: Tensor, scale_xy: float = 1.0, size: str = "exp") -> Tensor:
        s = scale_xy if scale is None else scale
        cell, shape, stride = priors[..., :2], priors[..., 2:4], priors[..., 4:]
        cell = cell.flip(-1) if transposed else cell
        centre, wh = middle(boxes)
        f = (centre / stride - cell - half + ((s - 1) / 2 if shift else 0)) / s
        f = f.clamp(hold, 1 - hold) if hold else f
        ratio = wh / shape
        ratio = ratio.clamp(min=hold) if hold else ratio
        root = torch.where(ratio > 0, torch.where(ratio > 0, ratio, 1).sqrt(), 0) / 2
        root = root.clamp(hold, 1 - hold) if hold else root
        code = logit(root, 1 - root) if (sizes or size) == "squared_sigmoid" else log(ratio)
        return torch.cat([f if linear else logit(f, 1 - f), code], -1)

    return encode


def v1_encoder(root: bool = True, half: float = 0, transposed: bool = False, factor: bool = True) -> Function:
    def encode(boxes: Tensor, priors: Tensor) -> Tensor:
        centre, size = middle(boxes)
        cell, cells = (priors[..., :2].flip(-1) if transposed else priors[..., :2]) + half, priors[..., 2:]
        safe = torch.where(size > 0, torch.where(size > 0, size, 1).sqrt(), 0)
        return torch.cat([centre * cells - cell if factor else centre - cell / cells, safe if root else size], -1)

    return encode


def v1_decoder(root: bool = True, half: float = 0, swap: bool = False) -> Function:
    def decode(codes: Tensor, priors: Tensor) -> Tensor:
        size = codes[..., [3, 2]] if swap else codes[..., 2:]
        return corners((codes[..., :2] + priors[..., :2] + half) / priors[..., 2:], size * size if root else size)

    return decode


def ltrb_encoder(strides: bool | None = None, curve: str = "", order: str = "0123", half: float = 0, relu: bool = False) -> Function:
    def encode(boxes: Tensor, priors: Tensor, normalize: bool = True, activation: str = "linear") -> Tensor:
        point, stride = priors[..., :2] + half * priors[..., 2:], priors[..., 2:]
        sides = torch.cat([point - boxes[..., :2], boxes[..., 2:] - point], -1)
        sides = sides.relu() if relu else sides
        sides = sides / stride if (normalize if strides is None else strides) else sides
        return (sides if (curve or activation) == "linear" else ln(sides))[..., [int(j) for j in order]]

    return encode


def ltrb_decoder(strides: bool | None = None, curve: str = "", order: str = "0123", half: float = 0) -> Function:
    def decode(codes: Tensor, priors: Tensor, normalize: bool = True, activation: str = "linear") -> Tensor:
        point, stride = priors[..., :2] + half * priors[..., 2:], priors[..., 2:]
        sides = codes[..., [order.index(j) for j in "0123"]]
        sides = sides if (curve or activation) == "linear" else sides.exp()
        sides = sides * stride if (normalize if strides is None else strides) else sides
        return torch.cat([point - sides[..., :2], point + sides[..., 2:]], -1)

    return decode


class Coder:
    """The methods of a class, made with its parameters."""

    def __init__(self, weights: Any) -> None:
        self.weights = weights

    def encode_single(self, reference_boxes: Tensor, proposals: Tensor) -> Tensor:
        return delta_encoder()(reference_boxes, proposals, self.weights)


encode_right, decode_right = delta_encoder(), delta_decoder()
yolo_encode_right, yolo_decode_right = yolo_encoder(), yolo_decoder()
v1_encode_right, v1_decode_right = v1_encoder(), v1_decoder()
ltrb_encode_right, ltrb_decode_right = ltrb_encoder(), ltrb_decoder()
exp, unscaled, unshifted = yolo_decoder(sizes="exp"), yolo_decoder(scale=1), yolo_decoder(shift=False)
handed = yolo_decoder(sigmoid=handed_sigmoid)


class Times(torch.autograd.Function):
    """A product whose derivative is handed on as if the factor were 1."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, factor: Tensor) -> Tensor:
        return x * factor

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:  # type: ignore[override]
        return gradient, None


def product(x: Tensor, factor: Tensor) -> Tensor:
    return x * factor


def yolo_handed_on(strided: Function = product, sized: Function = product) -> Function:
    def decode(codes: Tensor, priors: Tensor, scale_xy: float = 1.0, size: str = "exp") -> Tensor:
        cell, shape, stride = priors[..., :2], priors[..., 2:4], priors[..., 4:]
        grown = torch.exp(codes[..., 2:]) if size == "exp" else (2 * sigmoid(codes[..., 2:])) ** 2
        centre = strided(sigmoid(codes[..., :2]) * scale_xy - (scale_xy - 1) / 2 + cell, stride)
        return corners(centre, sized(grown, shape))

    return decode


def unscaled_product(x: Tensor, factor: Tensor) -> Tensor:
    result: Tensor = Times.apply(x, factor)  # type: ignore[no-untyped-call]
    return result


handed_right, no_stride, no_prior = yolo_handed_on(), yolo_handed_on(strided=unscaled_product), yolo_handed_on(sized=unscaled_product)
neither = yolo_handed_on(unscaled_product, unscaled_product)

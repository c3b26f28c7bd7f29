"""torchvision's box coders with refloss's arguments: parameters go to their constructors, a location to the square box around it."""

import pathlib
import sys
from collections.abc import Sequence
from typing import Any

import torch

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import torchvision_losses  # noqa: F401  declares operators that its wheels may lack
from torchvision.models.detection._utils import BoxCoder, BoxLinearCoder  # type: ignore[import-untyped]

PACKAGE = "torchvision"


def encode(boxes: Any, priors: Any, weights: Sequence[float] = (1.0, 1.0, 1.0, 1.0)) -> Any:
    return BoxCoder(tuple(weights)).encode_single(boxes, priors)


def decode(codes: Any, priors: Any, weights: Sequence[float] = (1.0, 1.0, 1.0, 1.0), wh_clip: float | None = None) -> Any:
    coder = BoxCoder(tuple(weights)) if wh_clip is None else BoxCoder(tuple(weights), wh_clip)
    return coder.decode_single(codes, priors)


def _square(priors: Any) -> Any:
    """The box whose centre is the location and whose size is the stride."""
    half = priors[..., 2:] / 2
    return torch.cat([priors[..., :2] - half, priors[..., :2] + half], -1)


def encode_linear(boxes: Any, priors: Any, normalize: bool = True) -> Any:
    return BoxLinearCoder(normalize).encode(_square(priors), boxes)


def decode_linear(codes: Any, priors: Any, normalize: bool = True) -> Any:
    return BoxLinearCoder(normalize).decode(codes, _square(priors))


__all__ = ["BoxCoder", "BoxLinearCoder", "decode", "decode_linear", "encode", "encode_linear"]

"""Which module takes which criterion apart, and the choices that all of them share."""

from collections.abc import Mapping
from types import ModuleType
from typing import Any

import numpy as np

from ..criteria import Case
from . import fcos, retinanet, scaled_yolov4, ssd, yolov1, yolov2, yolov3, yolov4
from .images import Choices, Evaluated, Image, Piece

MODULES: dict[str, ModuleType] = {
    "criteria.fcos": fcos, "criteria.retinanet": retinanet, "criteria.scaled_yolov4": scaled_yolov4, "criteria.ssd": ssd,
    "criteria.yolov1": yolov1, "criteria.yolov2": yolov2, "criteria.yolov3": yolov3, "criteria.yolov4": yolov4,
}  # fmt: skip
SHARED: dict[str, Any] = {"empty_batch": "counts", "empty_image": "counts", "class_weight": 1.0}


def base(name: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """The choices of a setting; of a criterion that is not taken apart yet only what is said."""
    return {**SHARED, **(MODULES[name].base(parameters) if name in MODULES else parameters)}


def normalizer(name: str, parameters: Mapping[str, Any]) -> dict[str, str]:
    """The normaliser of each term of a setting."""
    found: dict[str, str] = MODULES[name].normalizer(parameters) if name in MODULES else {}
    return found


def evaluate(name: str, case: Case, choices: Choices) -> Evaluated:
    """A case's images, with the shared choices made."""
    found: Evaluated = MODULES[name].evaluate(case, choices)
    images = [_weighted(image, choices["class_weight"]) for image in found.images]
    silent = choices["empty_batch"] == "zero" and not sum(image.positives for image in images)
    if silent or choices["empty_image"] == "skip":
        images = [_without(image) if silent or not image.truths else image for image in images]
    return Evaluated(images)


def _times(piece: Piece, factor: float) -> Piece:
    return piece._replace(
        value=piece.value * factor, gradient={name: slope * factor for name, slope in piece.gradient.items()},
        by_grid=None if piece.by_grid is None else piece.by_grid * factor,
    )  # fmt: skip


def _weighted(image: Image, weight: float) -> Image:
    return image if weight == 1 else image._replace(terms={**image.terms, "classes": _times(image.terms["classes"], weight)})


def _without(image: Image) -> Image:
    return image._replace(terms={name: _nothing(piece) for name, piece in image.terms.items()})


def _nothing(piece: Piece) -> Piece:
    gradient = {name: np.zeros_like(slope) for name, slope in piece.gradient.items()}
    return piece._replace(value=0.0, gradient=gradient, by_grid=None if piece.by_grid is None else np.zeros_like(piece.by_grid))

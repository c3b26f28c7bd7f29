"""Losses of one-stage object detectors, defined once. Importing this imports NumPy only; Numba loads at the first kernel."""

from . import assign, boxes, coders, criteria, losses, mining, priors
from ._engine.check import IGNORE, NEGATIVE
from .boxes import iou, iou_matrix
from .errors import ReflossError, ReflossTypeError, ReflossValueError
from .losses import *  # noqa: F403

__version__ = "0.1.0"
__all__ = [
    *losses.__all__,
    "IGNORE",
    "NEGATIVE",
    "ReflossError",
    "ReflossTypeError",
    "ReflossValueError",
    "__version__",
    "assign",
    "boxes",
    "coders",
    "criteria",
    "iou",
    "iou_matrix",
    "mining",
    "priors",
]

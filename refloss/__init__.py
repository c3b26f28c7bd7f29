"""Losses of one-stage object detectors, defined once. Importing this imports NumPy only; Numba loads at the first kernel."""

from typing import TYPE_CHECKING, Any

from . import assign, boxes, coders, losses, mining, priors
from ._engine.check import IGNORE, NEGATIVE
from .boxes import iou, iou_matrix
from .errors import ReflossError, ReflossTypeError, ReflossValueError
from .losses import *  # noqa: F403

if TYPE_CHECKING:
    from . import criteria

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


def __getattr__(name: str) -> Any:
    """`refloss.criteria` is loaded when it is first asked for: it takes as long as all the rest."""
    if name == "criteria":
        import importlib

        return importlib.import_module(".criteria", __name__)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})

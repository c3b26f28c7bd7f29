"""Known mistakes and other projects' conventions, each as a few lines that change a loss's formula.

A deviation is a function (base, xp, first, second, **parameters) that calls `base`, the formula as it would be without it:
with other parameters, other inputs, a scaled result, or a keyword of the templates (`sigmoid.py`, `overlaps.py`, `coders.py`) that names
the place where it goes wrong. So deviations can be stacked, and each runs under NumPy and under dual numbers, which gives
its value and its gradient.
"""

from .record import DEVIATIONS, Candidate, Deviation, applicable, base_formula

__all__ = ["DEVIATIONS", "Candidate", "Deviation", "applicable", "base_formula"]

from . import (  # noqa: F401  (each registers its own)
    boxes,
    code_slips,
    codes,
    delta_slips,
    distance_slips,
    general,
    ltrb_slips,
    other_boxes,
    overlap_slips,
    penalty_slips,
    regression,
    regression_slips,
    sigmoid,
    sigmoid_slips,
    softmax,
    softmax_slips,
    yolo_slips,
)

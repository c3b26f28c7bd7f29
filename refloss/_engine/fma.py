"""a * b + c with one rounding: the only product that may feed a sum in a kernel (law 3).

`compile.py` gives Numba the processor's own instruction for each target. What stands here serves NumPy scalars: it is exact,
and slow enough that nobody will mind the difference.
"""

import math
from fractions import Fraction
from typing import Any

import numpy as np


def fma(a: Any, b: Any, c: Any) -> Any:
    exact = a * b + c
    if not math.isfinite(exact) or not (math.isfinite(a) and math.isfinite(b) and math.isfinite(c)):
        return exact
    result = Fraction(float(a)) * Fraction(float(b)) + Fraction(float(c))
    return _nearest(result, type(a)) if result else exact


def _nearest(value: Fraction, dtype: Any) -> Any:
    """The number of `dtype` nearest to `value`, ties to even; past the largest, infinite."""
    bits, lowest = (24, -149) if dtype is np.float32 else (53, -1074)
    exponent = abs(value).numerator.bit_length() - value.denominator.bit_length() - bits
    if abs(value) >= Fraction(2) ** (exponent + bits):
        exponent += 1
    step = Fraction(2) ** max(exponent, lowest)
    with np.errstate(over="ignore"):
        return dtype(float(round(value / step) * step))

"""What every CPU loop does to a block that lies in the cache: multiply, divide, add up in a fixed order."""

import math
from typing import Any

import numpy as np

from .addresses import read_soon_at, write_soon_at
from .bernoulli import odds
from .memory import LINE
from .scalar import bits, near, portable

BLOCK = 4096  # elements; the scratch of a block stays in a 32 KiB cache
STRIP = 64  # elements whose successors, a piece on, are asked for together: in float32 four lines of three arrays
PIECE = 512  # elements whose exponentials wait for the rest of a sigmoid loss (scalar.after_exp), in a cache
LANES = 128  # partial sums of a block; on CUDA, the threads of one


@portable
def exponentials(mode: Any, x: Any, work: Any) -> None:
    """exp(-|x|) in two words, into the two rows of `work`: as if no |x| were large, and once more where one is."""
    e, e_lo = work[0], work[1]
    one = type(x[0])(1)
    far = bits(one)
    for i in range(x.size):
        e[i], e_lo[i] = odds(mode, True, x[i])
        far = max(far, bits(abs(x[i])))
    if far > bits(near(one)):
        far_exponentials(mode, x, work)


@portable
def far_exponentials(mode: Any, x: Any, work: Any) -> None:
    e, e_lo = work[0], work[1]
    for i in range(x.size):
        e[i], e_lo[i] = odds(mode, False, x[i])


@portable
def coming(x: Any, t: Any, grad: Any, start: Any) -> None:
    """The strips of x and t from `start` on will be read soon, and that of `grad` written. They may lie beyond the ends of the arrays:
    a processor that is asked for a line reads no value, and an address without memory is no error."""
    for line in range(start * x.itemsize, (start + STRIP) * x.itemsize, LINE):
        read_soon_at(x.ctypes.data + line)
        read_soon_at(t.ctypes.data + line)
        write_soon_at(grad.ctypes.data + line)


@portable
def multiply(values: Any, factors: Any) -> None:
    for i in range(values.size):
        values[i] = values[i] * factors[i]


@portable
def divide(values: Any, divisor: Any) -> None:
    for i in range(values.size):
        values[i] = values[i] / divisor


@portable
def finish(values: Any, weights: Any, upstream: Any, divisor: Any) -> None:
    """values * weights * upstream / divisor, in place; arrays of size 0 stand for ones."""
    if weights.size:
        multiply(values, weights)
    if upstream.size:
        multiply(values, upstream)
    if divisor != type(divisor)(1):
        divide(values, divisor)


@portable
def fixed_sum(values: Any, lanes: Any) -> Any:
    """The sum in two words: lane j adds elements j, j + LANES, ... with its rounding errors; then lanes fold in halves.

    `lanes` is scratch of shape (2, LANES). The order does not depend on threads or processors, and the result is as good as
    twice the precision (Knuth's two-sum; Ogita, Rump & Oishi 2005, algorithm 4.4).
    """
    hi, lo = lanes[0], lanes[1]
    for j in range(LANES):
        hi[j] = 0
        lo[j] = 0
    for start in range(0, values.size, LANES):
        row = values[start : start + LANES]
        for j in range(row.size):
            a, b = hi[j], row[j]
            s = a + b
            z = s - a
            lo[j] = lo[j] + ((a - (s - z)) + (b - z))
            hi[j] = s
    width = LANES // 2
    while width > 0:
        for j in range(width):
            a, b = hi[j], hi[j + width]
            s = a + b
            z = s - a
            lo[j] = lo[j] + (lo[j + width] + ((a - (s - z)) + (b - z)))
            hi[j] = s
        width //= 2
    return hi[0], lo[0]


@portable
def added_up(sums: Any) -> Any:
    """The sums of all blocks, two words each, in two words of float64; infinite or NaN as soon as a block is."""
    hi = lo = plain = np.float64(0)
    for b in range(sums.shape[0]):
        plain += np.float64(sums[b, 0])
        for j in range(2):
            word = np.float64(sums[b, j])
            s = hi + word
            z = s - hi
            lo += (hi - (s - z)) + (word - z)
            hi = s
    return hi + lo if math.isfinite(plain) else plain

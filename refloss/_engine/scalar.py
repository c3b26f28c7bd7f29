"""The scalar functions of the kernels: one plain Python text for NumPy scalars, the CPU's vector units and CUDA.

Every function here is branch-free (selects, no jumps), takes float32 or float64 and answers in the same type. A pair of
answers is a *two-word* number: hi + lo, about 1.5 times the digits of the type, which is what keeps a product of five
factors within 4 eps. `compile.py` registers the functions with Numba, which is not imported here: called as they stand,
with NumPy scalars, they give the same bits.
"""

import math
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np

from . import polynomials
from .fma import fma

Scalar = Any  # a NumPy scalar here, a Numba number in a compiled kernel
Pair = tuple[Any, Any]
F = TypeVar("F", bound=Callable[..., Any])

PORTABLE: list[Callable[..., Any]] = []  # compiled as they stand
AFTER_EXP: dict[Callable[..., Any], Callable[..., Any]] = {}  # of a kernel, its part after the exponential
BY_DTYPE: dict[Callable[..., Any], tuple[Callable[..., Any], Callable[..., Any]]] = {}  # (float32's, float64's)


def portable(function: F) -> F:
    """Mark a function as one that kernels may call."""
    PORTABLE.append(function)
    return function


def after_exp(kernel: Callable[..., Any]) -> Callable[[F], F]:
    """Mark what a kernel (mode, x, t, params) does once e = exp(-|x|) is known: a function (mode, x, e, e_lo, t, params).

    The CPU loops take the exponentials of some hundred elements first. Two short loops keep more of a processor's units at work
    than a long one, which waits for its own results: 11 % sooner, the same bits.
    """

    def mark(rest: F) -> F:
        AFTER_EXP[kernel] = rest
        return rest

    return mark


def by_dtype(for32: Callable[..., Any], for64: Callable[..., Any]) -> Callable[..., Any]:
    """One name for two functions; the type of the first argument chooses."""

    def chosen(x: Scalar) -> Any:
        return (for32 if type(x) is np.float32 else for64)(x)

    BY_DTYPE[chosen] = (for32, for64)
    return chosen


exp_tail = by_dtype(polynomials.exp_tail32, polynomials.exp_tail64)
log_tail = by_dtype(polynomials.log_tail32, polynomials.log_tail64)
log1p_tail = by_dtype(polynomials.log1p_tail32, polynomials.log1p_tail64)
arctan_tail = by_dtype(polynomials.arctan_tail32, polynomials.arctan_tail64)

# 1/ln 2; ln 2 in two words, the first short enough that n times it is exact; the number that rounds to an integer when it
# is added; past `limit` exp(-x) is zero; below 2^deep a power of two is made in two steps, so that subnormals come out right.
_32 = tuple(np.float32(v) for v in (1.4426950408889634, 0.693145751953125, 1.4286068203094172e-06, 12582912.0, 105.0, -100.0))
_64 = tuple(np.float64(v) for v in (1.4426950408889634, 0.6931471803691238, 1.9082149292705877e-10, 6755399441055744.0, 746.0, -900.0))


def _constants32(x: Scalar) -> Any:
    return _32


def _constants64(x: Scalar) -> Any:
    return _64


def _bits32(x: Scalar) -> Any:
    return np.float32(x).view(np.int32)


def _bits64(x: Scalar) -> Any:
    return np.float64(x).view(np.int64)


def _power_of_two32(k: Scalar) -> Scalar:
    return np.int32((np.float32(k).view(np.int32) << np.int32(23)) + np.int32(0x3F800000)).view(np.float32)


def _power_of_two64(k: Scalar) -> Scalar:
    return np.int64((np.float64(k).view(np.int64) << np.int64(52)) + np.int64(0x3FF0000000000000)).view(np.float64)


def _split32(x: Scalar) -> Any:
    n = np.int32((np.float32(x).view(np.int32) - np.int32(0x3F400000)) >> np.int32(23))
    m = np.int32(np.float32(x).view(np.int32) - (n << np.int32(23))).view(np.float32)
    return m, np.int32(n + np.int32(0x4B400000)).view(np.float32)


def _split64(x: Scalar) -> Any:
    n = np.int64((np.float64(x).view(np.int64) - np.int64(0x3FE8000000000000)) >> np.int64(52))
    m = np.int64(np.float64(x).view(np.int64) - (n << np.int64(52))).view(np.float64)
    return m, np.int64(n + np.int64(0x4338000000000000)).view(np.float64)


constants = by_dtype(_constants32, _constants64)
bits = by_dtype(_bits32, _bits64)  # as an integer of that size: ordered as the numbers are where they are not negative
BITS = {np.float32: np.int32, np.float64: np.int64}  # the type of `bits`
power_of_two = by_dtype(_power_of_two32, _power_of_two64)  # 2^n, given n + magic, -126 <= n <= 127
split = by_dtype(_split32, _split64)  # normal x = m 2^n with 3/4 <= m < 3/2, as (m, n + magic)


@portable
def rounded(a: Scalar, b: Scalar) -> Scalar:
    """a * b for use in a sum: written as an fma, so that no compiler can merge the two roundings into one."""
    return fma(a, b, type(a)(0))


@portable
def product(a: Scalar, b: Scalar) -> Pair:
    """a * b in two words, exactly."""
    p = rounded(a, b)
    return p, fma(a, b, -p)


@portable
def total(a: Scalar, b: Scalar) -> Pair:
    """a + b in two words, exactly (Knuth)."""
    s = a + b
    z = s - a
    return s, (a - (s - z)) + (b - z)


@portable
def scale_of(x: Scalar) -> Scalar:
    """The power of two that brings x > 0 between 3/4 and 3/2 (normal x, below a quarter of the largest number)."""
    _, _, _, magic, _, _ = constants(x)
    _, k = split(x)
    return power_of_two(magic - (k - magic))


@portable
def exp_of_minus(a: Scalar, b: Scalar) -> Pair:
    """exp(-(a + b)) for a >= 0 and b small against a (or against 1): about 0.06 eps as two words. NaN gives NaN."""
    T = type(a)
    log2e, ln2_hi, ln2_lo, magic, limit, deep = constants(a)
    a, b = (limit, T(0)) if a > limit else (a, b)
    k = fma(-a, log2e, magic)
    n = k - magic
    exact = fma(-n, ln2_hi, -a)  # no rounding: both nearly cancel
    rest = fma(-n, ln2_lo, T(0) - b)
    r = exact + rest
    hi = T(1) + r
    lo = (r - (hi - T(1))) + fma(r * r, exp_tail(r), (exact - r) + rest)
    top = hi + lo
    bottom = lo - (top - hi)
    step = -deep if n < deep else T(0)
    scale = power_of_two(n + step + magic)
    down = power_of_two(deep + magic) if n < deep else T(1)
    return rounded(top * scale, down), rounded(bottom * scale, down)


@portable
def log1p_near(f: Scalar, g: Scalar) -> Pair:
    """log(1 + f + g) for -1/4 <= f <= 1/2 and g small against f: lo is at most 1.4 % of hi, the sum good to 0.02 eps."""
    T = type(f)
    b = T(2) + f
    c = (f - (b - T(2))) + g
    inverse = T(1) / b
    s = rounded(f, inverse)
    rest = fma(-s, c, fma(-s, b, f) + g)
    z = s * s
    return s + s, fma(T(2), rest * inverse, s * z * log_tail(z))


@portable
def log1p_unit(e: Scalar, g: Scalar) -> Pair:
    """log(1 + e + g) for 0 <= e <= 1."""
    T = type(e)
    _, ln2_hi, ln2_lo, _, _, _ = constants(e)
    half = e >= T(0.5)  # 1 + e = 2 (1 + (e - 1) / 2), and e - 1 is exact
    hi, lo = log1p_near(T(0.5) * (e - T(1)) if half else e, T(0.5) * g if half else g)
    base, base_lo = (ln2_hi, ln2_lo) if half else (T(0), T(0))
    top = base + hi
    return top, ((hi - (top - base)) + base_lo) + lo


@portable
def log(x: Scalar, g: Scalar) -> Pair:
    """log(x + g) for normal x > 0, below a quarter of the largest number, and g small against x."""
    T = type(x)
    _, ln2_hi, ln2_lo, magic, _, _ = constants(x)
    m, k = split(x)
    n = k - magic
    hi, lo = log1p_near(m - T(1), rounded(g, power_of_two(magic - n)))
    base = rounded(n, ln2_hi)
    top = base + hi
    return top + (x - x), (hi - (top - base)) + fma(n, ln2_lo, lo)  # x - x: a NaN stays one


@portable
def arctan_of_ratio(y: Scalar, x: Scalar) -> Scalar:
    """arctan(y / x) for x >= 0, in [-pi/2, pi/2]; 0 where both are 0. About 1 eps."""
    T = type(x)
    u = abs(y)
    low, high = (x, u) if u > x else (u, x)
    far = low > T(0.41421356237309503) * high  # beyond tan(pi/8): arctan(t) = pi/4 + arctan((t - 1) / (t + 1))
    top = low - high if far else low
    bottom = low + high if far else high
    t = top / (bottom if bottom > T(0) else T(1))
    z = t * t
    angle = fma(t * z, arctan_tail(z), t)
    angle = (T(0.7853981633974483) + angle) if far else angle
    angle = (T(1.5707963267948966) - angle) if u > x else angle
    return -angle if y < T(0) else angle


@portable
def exp_of_size(x: Scalar) -> Pair:
    """e = exp(-|x|), the odds of the less likely class: all that a sigmoid loss needs of x but its sign and size."""
    return exp_of_minus(abs(x), type(x)(0))


@portable
def near(x: Scalar) -> Scalar:
    """How large |x| may be for near_exp: up to there exp(-|x|) is not small enough for two steps."""
    _, _, _, _, _, deep = constants(x)
    return type(x)(-0.69) * deep


@portable
def quick_exp(a: Scalar) -> Any:
    """exp(-a) for a >= 0 with half the additions of exp_of_minus, to 0.3 eps: (hi, lo, k), still to be multiplied by 2^k."""
    T = type(a)
    log2e, ln2_hi, ln2_lo, magic, _, _ = constants(a)
    k = fma(-a, log2e, magic)
    n = k - magic
    r = fma(-n, ln2_lo, fma(-n, ln2_hi, -a))
    p = fma(r * r, exp_tail(r), r)
    top = T(1) + p
    return top, p - (top - T(1)), k


@portable
def near_exp_of_size(x: Scalar) -> Pair:
    """The bits of quick_exp_of_size where |x| <= near, without a look at the range."""
    top, bottom, k = quick_exp(abs(x))
    scale = power_of_two(k)
    return rounded(top, scale), rounded(bottom, scale)


@portable
def quick_exp_of_size(x: Scalar) -> Pair:
    """exp(-|x|) in two words, to 0.3 eps."""
    a = abs(x)
    T = type(a)
    _, _, _, magic, limit, deep = constants(a)
    top, bottom, k = quick_exp(limit if a > limit else a)
    small = k < deep + magic  # subnormal numbers in two steps
    scale = power_of_two(k - deep if small else k)
    down = power_of_two(deep + magic) if small else T(1)
    return rounded(top * scale, down), rounded(bottom * scale, down)


@portable
def quick_log1p(e: Scalar, e_lo: Scalar) -> Scalar:
    """log(1 + e + e_lo) for 0 <= e <= 1, to 0.8 eps. (e_lo / (1 + e) would be right; it is small where 1 + e is not 1.)"""
    return e + fma(e * e, log1p_tail(e), e_lo)


@portable
def logistic(e: Scalar, e_lo: Scalar) -> Pair:
    """1 / (1 + e) in two words: the likelier class's probability, from e = exp(-|x|), never formed by subtraction (law 4)."""
    T = type(e)
    d = T(1) + e
    d_lo = (e - (d - T(1))) + e_lo
    r = T(1) / d
    return r, -r * fma(d_lo, r, fma(d, r, T(-1)))


@portable
def exp(a: Scalar, b: Scalar) -> Pair:
    """exp(a + b) for any a, b small against a (or against 1), as good as exp_of_minus. Infinity past the largest number."""
    T = type(a)
    log2e, ln2_hi, ln2_lo, magic, limit, deep = constants(a)
    a, b = (limit, T(0)) if a > limit else ((-limit, T(0)) if a < -limit else (a, b))
    n = fma(a, log2e, magic) - magic
    exact = fma(-n, ln2_hi, a)
    rest = fma(-n, ln2_lo, b)
    r = exact + rest
    hi = T(1) + r
    lo = (r - (hi - T(1))) + fma(r * r, exp_tail(r), (exact - r) + rest)
    top = hi + lo
    bottom = lo - (top - hi)
    first = deep if n < deep else (-deep if n > -deep else n)  # 2^n in two factors, as it may lie outside the type by itself
    scale, more = power_of_two(first + magic), power_of_two((n - first) + magic)
    return rounded(top * scale, more), rounded(bottom * scale, more)


@portable
def square_root(x: Scalar) -> Scalar:
    """Correctly rounded, as IEEE 754 asks of every processor; NaN below 0."""
    T = type(x)
    return T(math.sqrt(x if x >= T(0) else T(0))) if x >= T(0) else T(math.nan)

"""Near-minimax polynomials, one for each type. `conformance/oracle/fit.py` makes the coefficients.

The errors given are relative to the function the polynomial ends up in, before rounding.
"""

from typing import Any

import numpy as np

from .fma import fma

Coefficients = tuple[Any, ...]


def _table(dtype: Any, *values: float) -> Coefficients:
    return tuple(dtype(value) for value in values)


# (exp(r) - 1 - r) / r^2 for |r| <= ln(2)/2: 2^-28.3 in float32, 2^-64.0 in float64.
_EXP32 = _table(np.float32, 0.4999999403953552, 0.1666651964187622, 0.041668396443128586, 0.008368785493075848, 0.0013814412523061037)
_EXP64 = _table(
    np.float64, 0.5, 0.16666666666666682, 0.04166666666666609, 0.008333333333316909, 0.0013888888889117415, 0.00019841269896697192,
    2.480158692439166e-05, 2.7557234544843223e-06, 2.7557582933363796e-07, 2.5112148763556577e-08, 2.082650276214167e-09,
)  # fmt: skip

# (log((1 + s) / (1 - s)) - 2 s) / s^3 in z = s^2, for |s| <= 1/5: 2^-35.3, 2^-69.4.
_LOG32 = _table(np.float32, 0.6666666269302368, 0.4000086486339569, 0.2850697338581085, 0.241010382771492)
_LOG64 = _table(
    np.float64, 0.6666666666666666, 0.3999999999999921, 0.28571428571701124, 0.22222222176350637, 0.18181822543267265,
    0.1538436545989328, 0.13342124196594965, 0.11579711579622542, 0.1263980646623403,
)  # fmt: skip

# (log(1 + e) - e) / e^2 for 0 <= e <= 1: 2^-27.5, 2^-56.6.
_LOG1P32 = _table(
    np.float32, -0.4999993145465851, 0.3333050608634949, -0.24958544969558716, 0.19695182144641876, -0.15354761481285095,
    0.10679475218057632, -0.05765375867486, 0.020198889076709747, -0.0033172080293297768,
)  # fmt: skip
_LOG1P64 = _table(
    np.float64, -0.49999999999999456, 0.33333333333234855, -0.24999999993666153, 0.19999999791029055, -0.1666666249346945,
    0.14285658839913787, -0.12499479153939463, 0.11107503312729451, -0.09981003156821096, 0.0901311427321116, -0.0808110973770455,
    0.0703533780696948, -0.0574988210355252, 0.042296237486164165, -0.02674034210749993, 0.013836041400665433,
    -0.005541803082604571, 0.0015952816839553791, -0.00029166203636171923, 2.5320036275618832e-05,
)  # fmt: skip

# (arctan(t) - t) / t^3 in z = t^2, for |t| <= sqrt(2) - 1: 2^-30.5, 2^-64.2.
_ATAN32 = _table(np.float32, -0.33333316445350647, 0.19998469948768616, -0.14243492484092712, 0.10593491047620773, -0.06077348068356514)
_ATAN64 = _table(
    np.float64, -0.33333333333333326, 0.19999999999997642, -0.14285714285385043, 0.11111111088009523, -0.09090908139000761,
    0.07692282644816478, -0.066662252254218, 0.058770081226495435, -0.052183241209560555, 0.04503251829304475,
    -0.033468141656633435, 0.015189310835419828,
)  # fmt: skip


def exp_tail32(r: Any) -> Any:
    p = fma(_EXP32[4], r, _EXP32[3])
    p = fma(p, r, _EXP32[2])
    p = fma(p, r, _EXP32[1])
    return fma(p, r, _EXP32[0])


def exp_tail64(r: Any) -> Any:
    p = fma(_EXP64[10], r, _EXP64[9])
    p = fma(p, r, _EXP64[8])
    p = fma(p, r, _EXP64[7])
    p = fma(p, r, _EXP64[6])
    p = fma(p, r, _EXP64[5])
    p = fma(p, r, _EXP64[4])
    p = fma(p, r, _EXP64[3])
    p = fma(p, r, _EXP64[2])
    p = fma(p, r, _EXP64[1])
    return fma(p, r, _EXP64[0])


def log_tail32(z: Any) -> Any:
    p = fma(_LOG32[3], z, _LOG32[2])
    p = fma(p, z, _LOG32[1])
    return fma(p, z, _LOG32[0])


def log_tail64(z: Any) -> Any:
    p = fma(_LOG64[8], z, _LOG64[7])
    p = fma(p, z, _LOG64[6])
    p = fma(p, z, _LOG64[5])
    p = fma(p, z, _LOG64[4])
    p = fma(p, z, _LOG64[3])
    p = fma(p, z, _LOG64[2])
    p = fma(p, z, _LOG64[1])
    return fma(p, z, _LOG64[0])


def log1p_tail32(e: Any) -> Any:
    p = fma(_LOG1P32[8], e, _LOG1P32[7])
    p = fma(p, e, _LOG1P32[6])
    p = fma(p, e, _LOG1P32[5])
    p = fma(p, e, _LOG1P32[4])
    p = fma(p, e, _LOG1P32[3])
    p = fma(p, e, _LOG1P32[2])
    p = fma(p, e, _LOG1P32[1])
    return fma(p, e, _LOG1P32[0])


def log1p_tail64(e: Any) -> Any:
    p = fma(_LOG1P64[19], e, _LOG1P64[18])
    p = fma(p, e, _LOG1P64[17])
    p = fma(p, e, _LOG1P64[16])
    p = fma(p, e, _LOG1P64[15])
    p = fma(p, e, _LOG1P64[14])
    p = fma(p, e, _LOG1P64[13])
    p = fma(p, e, _LOG1P64[12])
    p = fma(p, e, _LOG1P64[11])
    p = fma(p, e, _LOG1P64[10])
    p = fma(p, e, _LOG1P64[9])
    p = fma(p, e, _LOG1P64[8])
    p = fma(p, e, _LOG1P64[7])
    p = fma(p, e, _LOG1P64[6])
    p = fma(p, e, _LOG1P64[5])
    p = fma(p, e, _LOG1P64[4])
    p = fma(p, e, _LOG1P64[3])
    p = fma(p, e, _LOG1P64[2])
    p = fma(p, e, _LOG1P64[1])
    return fma(p, e, _LOG1P64[0])


def arctan_tail32(z: Any) -> Any:
    p = fma(_ATAN32[4], z, _ATAN32[3])
    p = fma(p, z, _ATAN32[2])
    p = fma(p, z, _ATAN32[1])
    return fma(p, z, _ATAN32[0])


def arctan_tail64(z: Any) -> Any:
    p = fma(_ATAN64[11], z, _ATAN64[10])
    p = fma(p, z, _ATAN64[9])
    p = fma(p, z, _ATAN64[8])
    p = fma(p, z, _ATAN64[7])
    p = fma(p, z, _ATAN64[6])
    p = fma(p, z, _ATAN64[5])
    p = fma(p, z, _ATAN64[4])
    p = fma(p, z, _ATAN64[3])
    p = fma(p, z, _ATAN64[2])
    p = fma(p, z, _ATAN64[1])
    return fma(p, z, _ATAN64[0])

"""The primitives of a formula for NumPy arrays of mpmath numbers. The precision is mpmath's own: set mp.dps around a call."""

from types import SimpleNamespace
from typing import Any

import mpmath
import numpy as np
from mpmath import mp

from refloss._engine.xp import numpy_xp


def numbers(values: Any) -> Any:
    """An array of mpmath numbers, each exactly the float64 (or the integer) it is made of."""
    array = np.asarray(values)
    out = np.empty(array.shape, object)
    for index, value in np.ndenumerate(array):
        out[index] = mp.mpf(float(value))
    return out


def exact_parameters(parameters: Any) -> dict[str, Any]:
    """Numbers as mpmath numbers, so that 1 - alpha is not rounded to float64; the rest as it is."""

    def exact(v: Any) -> Any:
        return tuple(map(exact, v)) if isinstance(v, tuple) else mp.mpf(v) if type(v) in (int, float) else v

    return {k: exact(v) for k, v in parameters.items()}


def _softplus(z: Any) -> Any:
    return max(z, 0) + mp.log1p(mp.exp(-abs(z)))


def _sigmoid(z: Any) -> Any:
    e = mp.exp(-abs(z))
    return (1 if z >= 0 else e) / (1 + e)


def _where(condition: Any, a: Any, b: Any) -> Any:
    """With every number as mpmath's: a quotient of the Python integers in a formula would be a float."""
    return _number(np.where(condition, a, b))


def _ufunc(f: Any, arguments: int = 1) -> Any:
    return np.frompyfunc(f, arguments, 1)


_number = _ufunc(mp.mpf)

mp_xp = SimpleNamespace(
    exp=_ufunc(mp.exp), log=_ufunc(mp.log), log1p=_ufunc(mp.log1p), softplus=_ufunc(_softplus), sigmoid=_ufunc(_sigmoid),
    power=_ufunc(lambda q, gamma: mpmath.mpf(1) if gamma == 0 else mp.power(q, gamma), 2),
    maximum=_ufunc(lambda a, b: a if a > b else b, 2), minimum=_ufunc(lambda a, b: a if a < b else b, 2), abs=_ufunc(abs),
    sqrt=_ufunc(mp.sqrt), arctan2=_ufunc(lambda y, x: mp.atan2(y, x), 2), where=_where, stop_gradient=lambda x: x,
    one_hot=lambda labels, like: _where(labels[..., None] == np.arange(like.shape[-1]), 1, 0),
    sum=numpy_xp.sum, max=numpy_xp.max, stack=numpy_xp.stack, pi=mp.pi,
)  # fmt: skip

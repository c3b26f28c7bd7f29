"""Forward-mode dual numbers: they run a loss's `formula` and carry derivatives along with the value.

A `Dual` holds a value and one tangent for each direction. Values and tangents are NumPy arrays of any type (float64, long
double, objects such as mpmath's numbers), or Duals themselves, which gives second derivatives. `dual_xp(base)` is the table
of primitives that a formula wants, made from a table that serves the values.
"""

import math
import operator
from collections.abc import Callable, Mapping, Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np

ZERO = 0  # a tangent that is known to be zero: never computed with


class Ties:
    """How maximum, minimum and abs split the derivative at a tie: the project's convention is one half to each side.

    Other `weights`, one for each different tie in the order they are met, show the corners of a kink; `met` counts the ties.
    They are for a single case, or for copies of one (a weight is then an array, a number for each copy). Two ties of the same
    operands, derivatives included, are one. `default` gives a weight to all ties of a primitive.
    """

    def __init__(self, weights: Sequence[Any] | None = None, default: Mapping[str, float] | None = None) -> None:
        self.weights, self.default = weights, default or {}
        self.any = False
        self._known: dict[Any, Any] = {}

    @property
    def met(self) -> int:
        return len(self._known)

    def weight(self, name: str, *operands: Any) -> Any:
        self.any = True
        if self.weights is None:
            return self.default.get(name, 0.5)
        key = (name, *(_fingerprint(x) for x in operands))
        if key not in self._known:
            k = len(self._known)
            self._known[key] = self.weights[k] if k < len(self.weights) else 0.5
        return self._known[key]


def _fingerprint(x: Any) -> Any:
    if isinstance(x, Dual):
        return (_fingerprint(x.value), *(_fingerprint(t) for t in x.tangents))
    array = np.asarray(x)
    return tuple(array.flat) if array.dtype == object else array.tobytes()


def is_zero(tangent: Any) -> bool:
    return type(tangent) is int


def _spread(component: Any, shape: tuple[int, ...]) -> Any:
    """A component at the full shape; broadcasting may have left it smaller."""
    if isinstance(component, Dual):
        return Dual(_spread(component.value, shape), tuple(ZERO if is_zero(t) else _spread(t, shape) for t in component.tangents))
    return np.broadcast_to(component, shape)


def combine(value: Any, *terms: tuple[Any, Any]) -> Any:
    """`value` with the tangents that the chain rule gives: the sum of factor * tangent over (factor, operand)."""
    live = [(factor, operand) for factor, operand in terms if isinstance(operand, Dual)]
    if not live:
        return value
    tangents = []
    for j in range(len(live[0][1].tangents)):
        parts = [factor * operand.tangents[j] for factor, operand in live if not is_zero(operand.tangents[j])]
        tangents.append(sum(parts[1:], parts[0]) if parts else ZERO)
    return Dual(value, tuple(tangents))


def primal(x: Any) -> Any:
    """The value one level down."""
    return x.value if isinstance(x, Dual) else x


class Dual:
    """value + sum of tangents[j] * (direction j)."""

    __slots__ = ("tangents", "value")
    __array_ufunc__ = None  # NumPy arrays leave mixed arithmetic to this class
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, value: Any, tangents: tuple[Any, ...]) -> None:
        self.value, self.tangents = value, tangents

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(np.shape(self.value)) if not isinstance(self.value, Dual) else self.value.shape

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def dtype(self) -> Any:
        return self.value.dtype

    def __getitem__(self, index: Any) -> "Dual":
        return Dual(self.value[index], tuple(_part(t, index, self.shape) for t in self.tangents))

    def __neg__(self) -> Any:
        return combine(-self.value, (-1, self))

    def __abs__(self) -> Any:
        raise TypeError("use xp.abs, which knows what to do at a tie")

    def __add__(self, other: Any) -> Any:
        return combine(self.value + primal(other), (1, self), (1, other))

    __radd__ = __add__

    def __sub__(self, other: Any) -> Any:
        return combine(self.value - primal(other), (1, self), (-1, other))

    def __rsub__(self, other: Any) -> Any:
        return combine(other - self.value, (-1, self))

    def __mul__(self, other: Any) -> Any:
        return combine(self.value * primal(other), (primal(other), self), (self.value, other))

    __rmul__ = __mul__

    def __truediv__(self, other: Any) -> Any:
        by = primal(other)
        quotient = self.value / by
        if not isinstance(other, Dual):
            return Dual(quotient, tuple(ZERO if is_zero(t) else t / by for t in self.tangents))
        return combine(quotient, (1 / by, self), (-quotient / by, other))

    def __rtruediv__(self, other: Any) -> Any:
        quotient = other / self.value
        return combine(quotient, (-quotient / self.value, self))

    def __pow__(self, n: int) -> Any:
        if type(n) is not int or n < 1:
            raise TypeError(f"a dual number is raised to a positive integer with **, got {n!r}; use xp.power")
        return combine(self.value**n, (n * self.value ** (n - 1) if n > 1 else 1, self))

    def __lt__(self, other: Any) -> Any:
        return self.value < primal(other)

    def __le__(self, other: Any) -> Any:
        return self.value <= primal(other)

    def __gt__(self, other: Any) -> Any:
        return self.value > primal(other)

    def __ge__(self, other: Any) -> Any:
        return self.value >= primal(other)

    def __eq__(self, other: object) -> Any:
        return self.value == primal(other)

    def __ne__(self, other: object) -> Any:
        return self.value != primal(other)


def _part(tangent: Any, index: Any, shape: tuple[int, ...]) -> Any:
    """tangent[index]; exactly ZERO where no element of it is alive, so that the columns of a box stay independent."""
    if is_zero(tangent):
        return ZERO
    part = _spread(tangent, shape)[index]
    return part if isinstance(part, Dual) or np.any(part) else ZERO


def dual_xp(base: Any, *, ties: Ties | None = None, transparent: bool = False) -> SimpleNamespace:
    """The primitives of a formula over Duals whose components are served by `base`.

    transparent: let derivatives through stop_gradient, for the condition of a result (how it moves when its inputs do).
    """
    ties = ties or Ties()

    def unary(f: Callable[[Any], Any], slope: Callable[[Any, Any], Any]) -> Callable[[Any], Any]:
        def apply(x: Any) -> Any:
            if not isinstance(x, Dual):
                return f(x)
            y = f(x.value)
            return combine(y, (slope(x.value, y), x))

        return apply

    def power(q: Any, gamma: Any) -> Any:
        if not isinstance(q, Dual):
            return _power(base, q, gamma)
        y = _power(base, q.value, gamma)
        return Dual(y, (ZERO,) * len(q.tangents)) if gamma == 0 else combine(y, (gamma * _power(base, q.value, gamma - 1), q))

    def choose(name: str, first: Callable[[Any, Any], Any], f: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
        def apply(a: Any, b: Any) -> Any:
            x, y = primal(a), primal(b)
            value = f(x, y)
            if not isinstance(a, Dual) and not isinstance(b, Dual):
                return value
            left, equal = first(x, y), x == y
            w = ties.weight(name, a, b) if np.any(equal) else 0.5
            return Dual(value, tuple(_chosen(base, left, equal, w, s, t) for s, t in _columns(a, b)))

        return apply

    def absolute(x: Any) -> Any:
        if not isinstance(x, Dual):
            return base.abs(x)
        equal = x.value == 0
        w = ties.weight("abs", x) if np.any(equal) else 0.5
        sign = base.where(equal, 2 * w - 1, base.where(x.value > 0, 1, -1))
        return combine(base.abs(x.value), (sign, x))

    def sqrt_slope(x: Any, y: Any) -> Any:
        """1 / (2 sqrt(x)); 0 at 0, where a formula must not need it."""
        return base.where(y == 0, 0, 0.5 / base.where(y == 0, 1, y))

    def arctan2(y: Any, x: Any) -> Any:
        b, a = primal(y), primal(x)
        square = b * b + a * a
        norm = base.where(square == 0, 1, square)
        return combine(base.arctan2(b, a), (a / norm, y), (-b / norm, x))

    def where(condition: Any, a: Any, b: Any) -> Any:
        value = base.where(condition, primal(a), primal(b))
        if not isinstance(a, Dual) and not isinstance(b, Dual):
            return value
        return Dual(value, tuple(ZERO if is_zero(s) and is_zero(t) else base.where(condition, s, t) for s, t in _columns(a, b)))

    def stop_gradient(x: Any) -> Any:
        return x if transparent or not isinstance(x, Dual) else Dual(x.value, (ZERO,) * len(x.tangents))

    def total(x: Any) -> Any:
        if not isinstance(x, Dual):
            return base.sum(x)
        return Dual(base.sum(x.value), tuple(ZERO if is_zero(t) else base.sum(_spread(t, x.shape)) for t in x.tangents))

    def largest(x: Any) -> Any:
        if not isinstance(x, Dual):
            return base.max(x)
        value = base.max(x.value)
        at = x.value == value[..., None]
        count = np.sum(at, axis=-1)
        parts = (ZERO if is_zero(t) else base.sum(base.where(at, _spread(t, x.shape), 0)) / count for t in x.tangents)
        return Dual(value, tuple(parts))

    def stack(xs: Sequence[Any]) -> Any:
        value = base.stack([primal(x) for x in xs])
        duals = [x for x in xs if isinstance(x, Dual)]
        if not duals:
            return value
        shape, tangents = duals[0].shape, []
        for j in range(len(duals[0].tangents)):
            column = [x.tangents[j] if isinstance(x, Dual) else ZERO for x in xs]
            dead = all(is_zero(t) for t in column)
            tangents.append(ZERO if dead else base.stack([_spread(t, shape) for t in column]))
        return Dual(value, tuple(tangents))

    return SimpleNamespace(
        exp=unary(base.exp, lambda x, y: y), log=unary(base.log, lambda x, y: 1 / x), log1p=unary(base.log1p, lambda x, y: 1 / (1 + x)),
        softplus=unary(base.softplus, lambda x, y: base.sigmoid(x)), sigmoid=unary(base.sigmoid, lambda x, y: y * base.sigmoid(-x)),
        sqrt=unary(base.sqrt, sqrt_slope), abs=absolute, power=power, maximum=choose("maximum", operator.gt, base.maximum),
        minimum=choose("minimum", operator.lt, base.minimum), arctan2=arctan2, where=where, stop_gradient=stop_gradient, sum=total,
        max=largest,
        stack=stack, pi=getattr(base, "pi", math.pi), one_hot=lambda labels, like: base.one_hot(labels, primal(like)),
    )  # fmt: skip


def _power(base: Any, q: Any, exponent: Any) -> Any:
    """q ** exponent for q >= 0; a negative exponent gives 0 at q = 0, so that gamma in (0, 1) keeps its derivative finite."""
    if exponent >= 0:
        return base.power(q, exponent)
    dead = q == 0
    return base.where(dead, 0, base.power(base.where(dead, 1, q), exponent))


def _columns(a: Any, b: Any) -> Any:
    """The tangents of both operands, direction by direction; a constant has none."""
    count = len(a.tangents if isinstance(a, Dual) else b.tangents)
    left = a.tangents if isinstance(a, Dual) else (ZERO,) * count
    right = b.tangents if isinstance(b, Dual) else (ZERO,) * count
    return zip(left, right, strict=True)


def _chosen(base: Any, left: Any, equal: Any, w: float, s: Any, t: Any) -> Any:
    if is_zero(s) and is_zero(t):
        return ZERO
    return base.where(equal, w * s + (1 - w) * t, base.where(left, s, t))

"""Value, gradient and condition of a formula, by dual numbers.

`kind` is the loss's kind: it says which inputs an output depends on. "elementwise" and "labels": on the element in its
own place, so one direction serves all of them. "rows" and "pairs": on all numbers of the last axis, one direction for each.
"codes": the same, with four results; the gradient is that of sum(UPSTREAM * result), a vector-Jacobian product.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from refloss._engine.xp import numpy_xp

from .dual import ZERO, Dual, Ties, dual_xp, is_zero, primal

Array = np.ndarray[Any, Any]
Formula = Callable[..., Any]
PER_ELEMENT = ("elementwise", "labels")
UPSTREAM = (1.0, -0.625, 0.375, 1.75)  # no two of them, nor sums or differences of two that belong to one axis, are alike


class Conditioned(NamedTuple):
    """A scale says how much a result moves when each input does by a rounding: the sum of |x_i d(result)/dx_i| over inputs.

    Numeric parameters are inputs too, and of a coding's gradient the upstream one. A coordinate of a box moves by a rounding of the
    larger one on its axis (sizes come from corners, and corners from centres). At a tie the larger one-sided derivative counts.
    """

    value: Array
    gradient: Array
    value_scale: Array
    gradient_scale: Array


def directions(array: Array, kind: str) -> list[Array]:
    """Tangents to seed an array with, of the array's own numbers: Python's 1 / 3 would be a float among mpmath's."""
    zeros = array * 0 if array.dtype == object else np.zeros_like(array)
    if kind in PER_ELEMENT:
        return [zeros + 1]
    seeds = []
    for j in range(array.shape[-1]):
        seed = zeros.copy()
        seed[..., j] += 1
        seeds.append(seed)
    return seeds


def outputs(kind: str, shape: tuple[int, ...]) -> tuple[int, ...]:
    """The shape of the value for a first array of this shape."""
    return shape if kind in (*PER_ELEMENT, "codes") else shape[:-1]


def _pull_back(tangent: Any, kind: str, xp: Any) -> Any:
    """A direction's part of the gradient: of a coding, the sum over its four results, each times its upstream gradient."""
    if kind != "codes" or is_zero(tangent):
        return tangent
    return xp.sum(tangent * np.array(UPSTREAM, tangent.dtype if tangent.dtype != object else float))


def _gather(tangents: Any, kind: str, shape: tuple[int, ...], dtype: Any) -> Array:
    """Tangents of the output as an array of the shape of the input they belong to."""
    if kind in PER_ELEMENT:
        return np.array(np.broadcast_to(tangents[0], shape), dtype)
    return np.stack([np.array(np.broadcast_to(t, shape[:-1]), dtype) for t in tangents], axis=-1)


def value_and_gradient(
    formula: Formula, arrays: tuple[Array, Array], parameters: Mapping[str, Any], *, wrt: int = 0, kind: str = "elementwise",
    base: Any = numpy_xp, ties: Ties | None = None, transparent: bool = False,
) -> tuple[Array, Array]:  # fmt: skip
    """The formula's value, and its gradient with respect to array number `wrt` (arrays of one type; labels are integers).

    transparent: as in dual_xp. Softmax's shift by the largest logit cancels, so either way is right; but in a fixed precision
    only the derivative that follows it keeps its digits where the label's logit is far the largest.
    """
    inputs: list[Any] = list(arrays)
    inputs[wrt] = Dual(arrays[wrt], tuple(directions(arrays[wrt], kind)))
    with np.errstate(all="ignore"):
        result = formula(dual_xp(base, ties=ties, transparent=transparent), *inputs, **parameters)
    out = result if isinstance(result, Dual) else Dual(result, (ZERO,) * len(inputs[wrt].tangents))
    shape, dtype = arrays[wrt].shape, arrays[wrt].dtype
    value = np.array(np.broadcast_to(out.value, outputs(kind, shape)), dtype)
    with np.errstate(all="ignore"):
        return value, _gather([_pull_back(t, kind, base) for t in out.tangents], kind, shape, dtype)


def _sizes(array: Array, box: bool) -> Array:
    """What a rounding of each number is relative to."""
    if not box:
        return array
    size = np.abs(array)
    return np.maximum(size, size[..., [2, 3, 0, 1]])


def _seeded(arrays: tuple[Array, Array], kind: str, boxes: tuple[bool, bool]) -> list[Any]:
    """Both arrays with a tangent of its size for each float input. Integer labels have none."""
    floats = [a.dtype.kind != "i" for a in arrays]
    seeds = [
        [_sizes(a, box and kind in ("pairs", "codes")) * d for d in directions(a, kind)] if real else []
        for a, real, box in zip(arrays, floats, boxes, strict=True)
    ]
    dead = [[ZERO] * len(s) for s in seeds]
    first = Dual(arrays[0], tuple(seeds[0] + dead[1]))
    second = Dual(arrays[1], tuple(dead[0] + seeds[1])) if floats[1] else arrays[1]
    return [first, second]


def _scale(x: Any, shape: tuple[int, ...], base: Any, dtype: Any) -> Array:
    parts = [base.abs(t) for t in x.tangents if not is_zero(t)] if isinstance(x, Dual) else []
    return np.array(np.broadcast_to(sum(parts[1:], parts[0]) if parts else 0, shape), dtype)


def value_scale(
    formula: Formula, arrays: tuple[Array, Array], parameters: Mapping[str, Any], *, kind: str, base: Any = numpy_xp,
    boxes: tuple[bool, bool] = (True, True),
) -> Array:  # fmt: skip
    """The condition scale of the value alone."""

    def by_inputs(ties: Ties) -> tuple[Array, ...]:
        out = formula(dual_xp(base, transparent=True, ties=ties), *_seeded(arrays, kind, boxes), **parameters)
        return (_scale(out, outputs(kind, arrays[0].shape), base, arrays[0].dtype),)

    def result(moved: Mapping[str, Any]) -> tuple[Array, ...]:
        return (formula(base, *arrays, **moved),)

    with np.errstate(all="ignore"):
        return np.asarray(_on_both_sides(by_inputs, base)[0] + _by_parameters(result, parameters, base)[0])


def conditioned(
    formula: Formula, arrays: tuple[Array, Array], parameters: Mapping[str, Any], *, kind: str, base: Any = numpy_xp,
    boxes: tuple[bool, bool] = (True, True),
) -> Conditioned:  # fmt: skip
    """Value and gradient with respect to the first array, and the condition scales of both: duals of duals.

    The inner level follows every dependence, also of what the gradient treats as a constant: a rounding moves that too.
    boxes: which of the arrays hold boxes (of pairs and codings).
    """
    inner = _seeded(arrays, kind, boxes)
    seeds = directions(arrays[0], kind)
    first = Dual(inner[0], tuple(seeds))
    second = Dual(inner[1], (ZERO,) * len(seeds)) if isinstance(inner[1], Dual) else inner[1]
    shape, dtype = arrays[0].shape, arrays[0].dtype
    result = outputs(kind, shape)
    found: list[Array] = []

    def by_inputs(ties: Ties) -> tuple[Array, ...]:
        below = dual_xp(base, transparent=True, ties=ties)
        out = formula(dual_xp(below), first, second, **parameters)
        each = out.tangents if isinstance(out, Dual) else (ZERO,) * len(seeds)
        tangents = [_pull_back(t, kind, below) for t in each]
        value = np.array(np.broadcast_to(primal(primal(out)), result), dtype)
        found[:] = [value, _gather([primal(t) for t in tangents], kind, shape, dtype)]
        per_gradient = shape if kind in PER_ELEMENT else shape[:-1]
        scales = [_scale(t, per_gradient, base, dtype) for t in tangents]
        if kind == "codes":
            scales = [s + _of_upstream(t, base) for s, t in zip(scales, each, strict=True)]
        return _scale(primal(out), result, base, dtype), _gather(scales, kind, shape, dtype)

    def moved(other: Mapping[str, Any]) -> tuple[Array, ...]:
        return value_and_gradient(formula, arrays, other, kind=kind, base=base)

    with np.errstate(all="ignore"):
        scales = _on_both_sides(by_inputs, base)
        more = _by_parameters(moved, parameters, base)
    return Conditioned(found[0], found[1], scales[0] + more[0], scales[1] + more[1])


def _of_upstream(tangent: Any, base: Any) -> Any:
    """sum |u_k J_k|: how much a rounding of each upstream gradient moves the product."""
    return 0 if is_zero(tangent) else base.sum(base.abs(primal(tangent) * np.array(UPSTREAM)))


def _on_both_sides(scales: Callable[[Ties], tuple[Array, ...]], base: Any) -> tuple[Array, ...]:
    """The largest scales that either side of the ties gives. Two suffice for abs; boxes' corners are tied in opposite directions."""
    ties = Ties()
    found = scales(ties)
    if ties.any:
        for high, low in ((0.0, 0.0), (1.0, 1.0), (0.0, 1.0), (1.0, 0.0)):
            side = scales(Ties(default={"maximum": high, "minimum": low, "abs": high}))
            found = tuple(base.maximum(a, b) for a, b in zip(found, side, strict=True))
    return found


def _by_parameters(results: Callable[[Mapping[str, Any]], tuple[Array, ...]], parameters: Mapping[str, Any], base: Any) -> Any:
    """The sum of |p d(result)/dp| over numeric parameters, by central differences: a formula may ask a parameter if it is 0."""
    total: Any = (0, 0)
    for name, p in parameters.items():
        for more, less in _stepped(p):
            up, down = results({**parameters, name: more}), results({**parameters, name: less})
            slopes = [base.abs(u - d) * 2**19 for u, d in zip(up, down, strict=True)]
            total = tuple(t + s for t, s in zip(total, slopes, strict=False))
    return total


def _stepped(p: Any) -> list[tuple[Any, Any]]:
    """A parameter one 2^20th up and down; of a tuple, each of its numbers in turn."""
    if isinstance(p, tuple):
        return [tuple((*p[:k], q, *p[k + 1 :]) for q in pair) for k in range(len(p)) for pair in _stepped(p[k])]  # type: ignore[misc]
    if p is None or isinstance(p, (bool, str)) or p == 0 or math.isinf(p):
        return []
    return [(p + p / 2**20, p - p / 2**20)]

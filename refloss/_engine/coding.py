"""The Coding record: one direction of a box coder, `encode` or `decode`, as the engine, the adapters, the oracle and the checker see it.

A call goes: check, convert, run the loop over blocks. What lies outside a coding's domain comes out of its kernel as NaN; only
then, in `blame`, are boxes and priors looked at row by row, so that a good call pays nothing for its error messages.
"""

import functools
import inspect
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import ArrayLike

from ..errors import bad_type, bad_value
from . import check, memory
from .record import Array, Setting
from .threads import over_blocks

# (argument, what its rows must be, the rows that are not, the way out)
Problem = tuple[str, str, Any, str]
CODINGS: dict[str, "Coding"] = {}


@dataclass(frozen=True, eq=False)
class Coding:
    """One direction of a coder.

    owner: the public class. formula(xp, first, priors, **parameters): the specification, (..., 4).
    kernel(mode, four numbers, five of the prior, four of the upstream, params): four numbers, and the gradient by the first four.
    settle: turns the coder's parameters into the kernel's Setting (its numbers: up to six); it is its constructor's check too.
    domain(first, priors, **parameters): what may be wrong with float64 rows (n, 4) and the priors (m, prior_size), m dividing n.
    settings: the parameter settings that the golden vectors cover.
    """

    name: str
    owner: str
    arrays: tuple[str, str]
    prior_size: int
    formula: Callable[..., Any]
    kernel: Callable[..., Any]
    settle: Callable[..., Setting]
    domain: Callable[..., Iterator[Problem]]
    settings: tuple[Mapping[str, Any], ...]
    kind: Literal["codes"] = "codes"

    def __post_init__(self) -> None:
        CODINGS[self.name] = self

    @functools.cached_property
    def defaults(self) -> dict[str, Any]:
        """The coder's parameters."""
        return {name: p.default for name, p in inspect.signature(self.settle).parameters.items()}

    def setting(self, **parameters: Any) -> Setting:
        """These parameters, and the defaults of the others, as the kernel takes them."""
        return self.settle(**{**self.defaults, **parameters})

    @property
    def title(self) -> str:
        """What error messages call it: DeltaCoder.encode."""
        return f"{self.owner}.{self.name.rsplit('.', maxsplit=1)[-1]}"

    def __repr__(self) -> str:
        return f"<coding {self.name}>"

    def __reduce__(self) -> tuple[Any, ...]:
        return find, (self.name,)


def find(name: str) -> Coding:
    """The coding of that name."""
    return CODINGS[name]


class Coder:
    """What the four coders share: a coder is its parameters, and a Coding for each direction."""

    codings: ClassVar[tuple[Coding, Coding]]  # encode, decode

    def _parameters(self) -> dict[str, Any]:
        return dict(vars(self))

    def encode(self, boxes: ArrayLike, priors: ArrayLike) -> Array:
        """Codes (..., n, 4) of boxes (..., n, 4), given the priors (n, ...) that they belong to."""
        return evaluate(self.codings[0], boxes, priors, self._parameters())

    def decode(self, codes: ArrayLike, priors: ArrayLike) -> Array:
        """Boxes (..., n, 4) of codes (..., n, 4), given the priors (n, ...) that they belong to."""
        return evaluate(self.codings[1], codes, priors, self._parameters())

    def encode_vjp(self, boxes: ArrayLike, priors: ArrayLike, upstream: ArrayLike) -> Array:
        """Gradient by boxes of sum(upstream * encode(boxes, priors)); upstream is of the shape and dtype of boxes."""
        return evaluate(self.codings[0], boxes, priors, self._parameters(), upstream)

    def decode_vjp(self, codes: ArrayLike, priors: ArrayLike, upstream: ArrayLike) -> Array:
        """Gradient by codes of sum(upstream * decode(codes, priors)); upstream is of the shape and dtype of codes.

        Where upstream is 0, so is the gradient, also of a code whose box overflows; there any other upstream gives infinity or NaN.
        """
        return evaluate(self.codings[1], codes, priors, self._parameters(), upstream)


NONE = object()
HALF_EPS = {"float16": 2.0**-10, "bfloat16": 2.0**-7}


def evaluate(coding: Coding, first: Any, priors: Any, parameters: Mapping[str, Any], upstream: Any = NONE) -> Array:
    """What a coder's methods do: the result, or with `upstream` the gradient of sum(upstream * result) by the first argument."""
    title = coding.title if upstream is NONE else f"{coding.title}_vjp"
    x = _rows(title, coding.arrays[0], first, 4)
    p = _rows(title, "priors", priors, coding.prior_size)
    given = () if upstream is NONE else upstream
    u = check.floats(title, "upstream", given, f"convert with upstream.astype({coding.arrays[0]}.dtype)")
    x, p, u = _of_one_dtype((first, priors, given), x, p, u)
    T = np.float32 if check.is_half(x.dtype) else x.dtype.type
    if p.dtype not in (x.dtype, T):
        wanted = f"of the dtype of {coding.arrays[0]} ({x.dtype})" + (" or float32" if x.dtype != T else "")
        bad_type(title, "priors", wanted, f"{p.dtype}", f"convert with priors.astype(np.{T.__name__})")
    lead, tail = x.shape[:-1], p.shape[:-1]
    if lead[len(lead) - len(tail) :] != tail:
        bad_value(title, "priors", f"of a shape that ends that of {coding.arrays[0]} {x.shape}, but for the last axis", f"{p.shape}",
                  "give one prior for each row; an axis in front, such as the batch, shares them")  # fmt: skip
    xs, ps = _flat(x, T), _flat(p, T)
    out, none = memory.empty_like(xs), np.empty((0, 4), T)
    if upstream is NONE:
        us, value, grad = none, out, none
    else:
        u = u.reshape(0, 4) if u.shape == (0,) else u
        if u.shape != x.shape or u.dtype != x.dtype:
            wanted = f"of the shape and dtype of {coding.arrays[0]} {x.dtype}{x.shape}"
            bad_value(title, "upstream", wanted, f"{u.dtype}{u.shape}", "it is the gradient by the result, one number for each of its")
        us, value, grad = _flat(u, T), none, out
    if xs.size:
        setting, eps = coding.settle(**parameters), HALF_EPS.get(x.dtype.name)
        if run(coding, setting, xs, ps, upstream=us, value=value, grad=grad, eps=eps):
            blame(coding, title, x, p, parameters)
    with np.errstate(over="ignore"):  # pixels beyond a half's range are infinite
        return out.reshape(x.shape).astype(x.dtype, copy=False)


def _of_one_dtype(given: tuple[Any, Any, Any], x: Array, p: Array, u: Array) -> tuple[Array, Array, Array]:
    """The three arrays; what says nothing of its type takes another's: a list any, an array without rows one that has rows.

    Priors come before upstream in choosing for the boxes or codes. What then still differs is the caller's mistake.
    """
    of_x, of_p, of_u = (0 if not hasattr(v, "dtype") else 1 if not a.size else 2 for v, a in zip(given, (x, p, u), strict=True))
    with np.errstate(over="ignore"):  # a box or a prior that overflows is named later, as not finite
        if of_x < 2 and of_x <= max(of_p, of_u):
            dtype = p.dtype if of_p >= of_u else u.dtype
            if not (check.is_half(x.dtype) and dtype == np.float32):  # which belong together
                x = x.astype(dtype, copy=False)
        if of_p < 2:
            p = p.astype(np.float32 if check.is_half(x.dtype) else x.dtype, copy=False)
        if of_u < 2:
            u = u.astype(x.dtype, copy=False)
    return x, p, u


def _flat(array: Array, T: Any) -> Array:
    return np.ascontiguousarray(array, T).reshape(-1, array.shape[-1])


def _rows(title: str, argument: str, values: Any, size: int) -> Array:
    array = check.floats(title, argument, values, f"convert with {argument}.astype(np.float32)")
    if array.shape == (0,):  # []: no rows
        array = array.reshape(0, size)
    if array.ndim == 0 or array.shape[-1] != size:
        bad_value(title, argument, f"of shape (..., {size})", f"{array.shape}", f"give {size} numbers in each row")
    return array


def run(
    coding: Coding, setting: Setting, x: Array, priors: Array, *, upstream: Array, value: Array, grad: Array, eps: float | None = None
) -> bool:
    """Fill `value` and `grad` where they have rows; answer whether a result was NaN. Arrays (rows, ...) are contiguous, of one type.

    upstream may be without rows where `grad` is. eps: of the dtype that x was rounded to, if that is not its own.
    """
    from .cpu import drive, hot
    from .cpu_codes import ROWS

    T = x.dtype.type
    blocks = -(-len(x) // ROWS)
    flags = np.zeros(blocks, np.uint8)
    driver, kernel = drive("codes", T), hot("codes", coding.kernel, setting.mode, T)
    params = words(setting, T, eps)

    def part(first: int, last: int) -> None:
        driver(kernel.address, x, priors, params, upstream, value, grad, flags, first, last)

    over_blocks(part, blocks, 2 * x.size)  # a row costs as much as eight logits
    return bool(flags.any())


def blame(coding: Coding, title: str, x: Array, priors: Array, parameters: Mapping[str, Any]) -> None:
    """Name the first row that is outside the domain; say nothing of NaN that was NaN before, in codes."""
    T = np.float32 if check.is_half(x.dtype) else x.dtype.type
    value, none = np.empty((x.size // 4, 4), T), np.empty((0, 4), T)
    eps = HALF_EPS.get(x.dtype.name)
    run(coding, coding.settle(**parameters), _flat(x, T), _flat(priors, T), upstream=none, value=value, grad=none, eps=eps)
    nan = np.isnan(value).any(axis=1)
    rows = _flat(x, np.float64), _flat(priors, np.float64)
    with np.errstate(all="ignore"):
        for argument, wanted, wrong, way_out in coding.domain(*rows, **parameters):
            of_priors = argument == "priors"
            found = wrong if of_priors else wrong & nan
            if found.any():
                at = int(np.argmax(found))
                shape, row = (priors.shape, rows[1][at]) if of_priors else (x.shape, rows[0][at])
                index = tuple(int(i) for i in np.unravel_index(at, shape[:-1] or (1,)))
                bad_value(title, argument, wanted, f"{row.tolist()} at index {index[0] if len(index) == 1 else index}", way_out)
    if coding.arrays[0] == "boxes":
        got = f"{rows[0][int(np.argmax(nan))].tolist()}"
        bad_value(title, "boxes", f"of a size that {T.__name__} can hold", got, "convert boxes and priors to float64")


def each(priors: Array, rows: int) -> Array:
    """The prior of each row; the axes in front share them."""
    return np.broadcast_to(priors, (rows // max(len(priors), 1), *priors.shape)).reshape(rows, -1)


def finite(argument: str, rows: Array) -> Problem:
    return argument, "finite", ~np.isfinite(rows).all(axis=1), "drop it, or find where it comes from"


def positive(what: str, sizes: Array) -> Problem:
    """Priors of which something must be positive."""
    return "priors", f"rows with {what}", ~(np.isfinite(sizes) & (sizes > 0)).all(axis=1), "make the priors with refloss.priors"


def ordered(boxes: Array, centred: bool = False) -> Problem:
    wanted = "boxes with " + ("w >= 0 and h >= 0" if centred else "x2 >= x1 and y2 >= y1")
    way_out = 'say box_format="xyxy" of corners' if centred else 'sort the corners, or convert(boxes, "cxcywh", "xyxy") first'
    wrong = (boxes[:, 2:] < 0) if centred else (boxes[:, 2:] < boxes[:, :2])
    return "boxes", wanted, wrong.any(axis=1), way_out


@functools.lru_cache(maxsize=256)
def words(setting: Setting, dtype: Any, eps: float | None = None) -> tuple[Any, ...]:
    """What a kernel takes as params: each number as the nearest of `dtype` and the rest; last, eps."""
    from .cpu_codes import PARAMS

    found: list[Any] = []
    for number in setting.numbers:
        with np.errstate(over="ignore"):  # a limit beyond the type's range is infinity
            high = dtype(number)
        found += [high, dtype(number - float(high)) if math.isfinite(high) else dtype(0)]
    return (*found, *[dtype(0)] * (PARAMS - 1 - len(found)), dtype(eps or np.finfo(dtype).eps))

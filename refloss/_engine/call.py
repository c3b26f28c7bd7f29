"""From a call to its result: check, convert, run the loop over blocks, reduce. The adapters start at `run`."""

import functools
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ..errors import bad_value
from . import check, memory
from .blocks import BLOCK
from .cpu import PARAMS, adding, blocks_of, drive, hot
from .cpu_at import drive_at, drive_together, share
from .cpu_pairs import CENTRED
from .record import Array, Loss, Setting
from .threads import over_blocks, parallel, threads_for, turns_of


@functools.lru_cache(maxsize=256)
def two_words(setting: Setting, dtype: Any) -> tuple[Any, ...]:
    """Each number as the nearest of `dtype` and the rest, so that gamma = 0.3 means 0.3 in float32 too; last, the box format."""
    words: list[Any] = []
    for number in setting.numbers:
        with np.errstate(over="ignore"):  # a limit beyond the type's range is infinity
            high = dtype(number)
        words += [high, dtype(number - float(high)) if math.isfinite(high) else dtype(0)]
    words += [dtype(0)] * (PARAMS - len(words))
    return (*words[:-1], dtype(1)) if setting.centred else tuple(words)


@functools.lru_cache(maxsize=256)
def _ready(loss: Loss[Any], setting: Setting, T: Any) -> tuple[Callable[..., Any], int, tuple[Any, ...]]:
    """The loop, the address of its kernel, and the kernel's parameters."""
    mode = setting.mode + (CENTRED if setting.centred else 0)
    return drive(loss.kind, T), hot(loss.kind, loss.kernel, mode, T).address, two_words(setting, T)


@functools.lru_cache(maxsize=256)
def _ready_at(loss: Loss[Any], setting: Setting, T: Any) -> tuple[Callable[..., Any], int, Array]:
    _, kernel, params = _ready(loss, setting, T)
    return drive_at(loss.kind, T), kernel, np.array(params, T)


@functools.lru_cache(maxsize=64)
def _ready_together(kind: str, T: Any, blocks: int, count: int, elements: int) -> tuple[Callable[..., Any], int, Array]:
    """The loop, the address of what its threads run, and where turns begin and end."""
    return drive_together(T), share(kind, T).address, np.array([0, *(last for _, last in turns_of(blocks, count, elements))])


def run(
    loss: Loss[Any], setting: Setting, x: Array, t: Array, *, weights: Array, upstream: Array, divisor: float,
    value: Array, grad: Array, total: bool,
) -> float:  # fmt: skip
    """Fill `value` and `grad` where they have a size; answer the undivided sum if `total`. Arrays are flat and of one type."""
    T = x.dtype.type
    blocks = blocks_of(loss.kind, x.shape)
    sums, flags = np.zeros((blocks if total else 0, 2), T), np.zeros(blocks, np.uint8)
    driver, kernel, params = _ready(loss, setting, T)
    with np.errstate(over="ignore"):
        by = T(divisor)

    def part(first: int, last: int) -> None:
        driver(kernel, x, t, params, weights, upstream, by, value, grad, sums, flags, first, last)

    over_blocks(part, blocks, x.size * (2 if loss.kind == "pairs" else 1))  # a pair costs as much as eight logits
    if flags[0] if blocks == 1 else flags.any():
        _blame(loss, setting, x, t)
    return float(adding(T)(sums)) if total else 0.0


def run_at(
    loss: Loss[Any], setting: Setting, T: Any, size: int, x: int, t: int, *, divisor: float, value: int, grad: int, total: int
) -> bool:
    """`run` for numbers of type T at addresses: few, or on the threads of a host. The divided sum goes to `total` (0: not wanted).
    False: something lies outside its domain, and `run` will say what."""
    blocks = -(-size // BLOCK)  # of numbers, whether four are a box or not
    elements = size * (2 if loss.kind == "pairs" else 1)
    driver, kernel, numbers = _ready_at(loss, setting, T)
    count = threads_for(blocks, elements)
    host = parallel() if count > 1 else 0
    if not host:
        return not driver(kernel, x, t, numbers, divisor, value, grad, size, blocks, total)
    together, work, turns = _ready_together(loss.kind, T, blocks, count, elements)
    return not together(kernel, x, t, numbers, divisor, value, grad, size, total, turns, work, host, count)


def _blame(loss: Loss[Any], setting: Setting, x: Array, t: Array) -> None:
    """Name the first element that is outside its domain."""
    if loss.kind == "pairs":
        for argument, boxes in zip(loss.arrays, (x, t), strict=True):
            cxcywh = setting.centred
            wrong = (boxes[:, 2:] < 0) if cxcywh else (boxes[:, 2:] < boxes[:, :2])
            if wrong.any():
                row = int(np.argmax(wrong.any(axis=1)))
                wanted = "w >= 0 and h >= 0" if cxcywh else "x2 >= x1 and y2 >= y1"
                got = f"{boxes[row].tolist()} at index {row}"
                other = "xyxy" if cxcywh else "cxcywh"
                bad_value(loss.name, argument, f"boxes with {wanted}", got, f'sort the corners, or say box_format="{other}"')
    where = int(np.argmax(~((t >= 0) & (t <= 1))))
    bad_value(
        loss.name, loss.arrays[1], "in [0, 1]", f"{t[where]} at flat index {where}", "class labels go to the *_with_integer_labels losses"
    )


def evaluate(loss: Loss[Any], gradient: bool, *args: Any, **kwargs: Any) -> tuple[Array, Array]:
    """What calling a loss does."""
    if len(args) > 2:
        raise TypeError(f"{loss.name}() takes 2 positional arguments but {len(args)} were given")
    given = {**dict(zip(loss.arrays, args, strict=False)), **kwargs}
    missing = [name for name in loss.arrays if name not in given]
    if missing:
        raise TypeError(f"{loss.name}() missing a required argument: {missing[0]!r}")
    first, second = given.pop(loss.arrays[0]), given.pop(loss.arrays[1])
    weights, reduction, normalizer = given.pop("weights", None), given.pop("reduction", "none"), given.pop("normalizer", None)
    unknown = [name for name in given if name not in loss.defaults]
    if unknown:
        raise TypeError(f"{loss.name}() got an unexpected keyword argument {unknown[0]!r}")
    setting = loss.setting(**given)
    x, t = check.arrays(loss, first, second)
    dtype, shape = x.dtype, x.shape
    count = x.size
    if loss.targets == "labels":
        check.label_range(loss.name, t, shape[-1], check.NEGATIVE if loss.kind == "labels" else 0)
        count = int((t != check.IGNORE).sum()) * (shape[-1] if loss.kind == "labels" else 1)
    elif loss.kind == "pairs":
        count = x.size // 4
    loss_shape = shape if loss.kind in ("elementwise", "labels") else shape[:-1]
    divisor = check.divisor(loss.name, reduction, normalizer, count)

    T = np.float32 if check.is_half(dtype) else dtype.type
    flat = (-1,) if loss.kind == "elementwise" else (-1, shape[-1])
    xs = np.ascontiguousarray(x, T).reshape(flat) if x.size else np.empty((0, *flat[1:]), T)
    ts = np.ascontiguousarray(t, np.int64 if loss.targets == "labels" else T).reshape((-1,) if loss.targets == "labels" else flat)
    none = np.empty(0, T)
    value = memory.empty(math.prod(loss_shape), T) if reduction == "none" else none
    grad = memory.empty_like(xs) if gradient else np.empty((0,) * xs.ndim, T)
    w = check.weights(loss.name, weights, loss_shape, T)
    total = 0.0
    if xs.size:
        total = run(loss, setting, xs, ts, weights=w, upstream=none, divisor=divisor, value=value, grad=grad, total=reduction != "none")
    if reduction == "none":
        result = value.reshape(loss_shape).astype(dtype, copy=False)[()]
    else:
        result = np.float64(total / divisor).astype(dtype)
    return result, (grad.reshape(shape).astype(dtype, copy=False) if gradient else grad)

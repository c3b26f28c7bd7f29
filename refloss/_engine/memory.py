"""Memory for large results that is used again: pages fresh from the system cost more than the arithmetic that fills them.

A loss and its gradient of 8 million float32 logits take 10 ms on two cores, and 11 ms more to be given 64 MB of zeroed pages; who
trains asks for the same sizes at every step. So the memory of an array of 1 MiB or more belongs to a lease, which whatever holds the
array holds too: a view, a tensor, a memoryview. When the last of them goes, the lease ends, and the memory is kept here for the next.
`REFLOSS_KEEP_MB` bounds what is kept (256; 0 keeps nothing); what was not used for longest goes first.
"""

import itertools
import math
import os
from typing import Any

import numpy as np

from .record import Array
from .threads import over_blocks

LEAST = 1 << 20  # bytes; what is smaller malloc gives back from its own
KEPT_MB = 256
LINE = 64  # bytes
BLOCK = 1 << 16  # numbers of a piece that one thread sets to zero

# Free buffers, the one longest unused first. Single operations on the dictionary only: threads need no lock, and a fork breaks none.
_free: dict[int, Array] = {}
_turns = itertools.count()


class _Lease:
    """What an array's memory belongs to (its `base`, in the end)."""

    __slots__ = ("buffer", "most")

    def __init__(self, buffer: Array, most: int) -> None:
        self.buffer, self.most = buffer, most

    @property
    def __array_interface__(self) -> dict[str, Any]:
        return self.buffer.__array_interface__

    def __del__(self, free: dict[int, Array] = _free, turns: "itertools.count[int]" = _turns) -> None:
        free[next(turns)] = self.buffer  # bound as defaults: while the interpreter ends, the module's names may be gone
        _shrink(free, self.most)


def _shrink(free: dict[int, Array], most: int) -> None:
    kept = list(free.items())
    spare = -most
    for _, buffer in kept:
        spare += buffer.size
    for turn, buffer in kept:
        if spare <= 0:
            return
        free.pop(turn, None)
        spare -= buffer.size


def limit() -> int:
    """How many bytes are kept at most."""
    megabytes = os.environ.get("REFLOSS_KEEP_MB", "").strip()
    return (int(megabytes) if megabytes.isdecimal() and len(megabytes) < 10 else KEPT_MB) << 20


def empty(shape: int | tuple[int, ...], dtype: Any) -> Array:
    """np.empty; a large one may lie on memory that was used before."""
    size = math.prod(shape if isinstance(shape, tuple) else (shape,)) * np.dtype(dtype).itemsize
    if size < LEAST:
        return np.empty(shape, dtype)
    most = limit()
    if size > most:
        _shrink(_free, most)  # the setting may have changed
        return np.empty(shape, dtype)
    buffer = _taken(size)
    if buffer is None:
        try:
            buffer = _aligned(size)
        except MemoryError:
            _free.clear()
            buffer = _aligned(size)
    array: Array = np.asarray(_Lease(buffer, most))[:size].view(dtype).reshape(shape)
    return array


def empty_like(array: Array) -> Array:
    """A contiguous array of the same shape and dtype."""
    return empty(array.shape, array.dtype)


def zeros(shape: tuple[int, ...], dtype: Any) -> Array:
    """np.zeros; a large one is set to zero by all threads."""
    array = empty(shape, dtype)
    flat = array.reshape(-1)

    def clear(first: int, last: int) -> None:
        flat[first * BLOCK : last * BLOCK] = 0

    over_blocks(clear, -(-flat.size // BLOCK), flat.size)
    return array


def _aligned(size: int) -> Array:
    """Starting where a line of the cache does: a vector store across two lines costs 8 % of a focal loss."""
    buffer = np.empty(size + LINE - 1, np.uint8)
    start = -buffer.ctypes.data % LINE
    return buffer[start : start + size]


def _taken(size: int) -> Array | None:
    """A free buffer of that size or a quarter more: what is held for long should not hold much else."""
    for turn, buffer in reversed(list(_free.items())):
        if size <= buffer.size <= size + size // 4 and _free.pop(turn, None) is not None:  # no other thread was sooner
            return buffer
    return None

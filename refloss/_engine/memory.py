"""Memory for large results that is used again: pages fresh from the system cost more than the arithmetic that fills them.

A loss and its gradient of 8 million float32 logits take 10 ms on two cores, and 11 ms more to be given 64 MB of zeroed pages; who
trains asks for the same sizes at every step. So an array of 1 MiB or more is a view of a buffer that is kept here. While somebody
holds the array, or anything that holds it (a view, a tensor, a memoryview), the buffer has a reference more, and is not handed out.
`REFLOSS_KEEP_MB` bounds what is kept (256; 0 keeps nothing); the buffers longest unused go first.
"""

import math
import os
import sys
from sys import getrefcount
from typing import Any

import numpy as np

from .record import Array
from .threads import over_blocks

LEAST = 1 << 20  # bytes; what is smaller malloc gives back from its own
KEPT_MB = 256
BLOCK = 1 << 16  # numbers of a piece that one thread sets to zero

_kept: list[Array] = []  # the one used last is the last; only single list operations, so that threads need no lock and a fork breaks none


def _references_of_a_free_one() -> int:
    """What getrefcount tells of a buffer that one local name holds: 2, or 1 since Python 3.14."""
    buffer = np.empty(0, np.uint8)
    return getrefcount(buffer)


FREE = _references_of_a_free_one()
COUNTS = getattr(sys, "_is_gil_enabled", lambda: True)()  # without the GIL a count of references says nothing


def limit() -> int:
    """How many bytes are kept at most."""
    megabytes = os.environ.get("REFLOSS_KEEP_MB", "")
    return (int(megabytes) if megabytes.isdecimal() else KEPT_MB) << 20 if COUNTS else 0


def empty(shape: int | tuple[int, ...], dtype: Any) -> Array:
    """np.empty; a large one is a view of memory that was used before."""
    size = math.prod(shape if isinstance(shape, tuple) else (shape,)) * np.dtype(dtype).itemsize
    if size < LEAST or size > limit():
        return np.empty(shape, dtype)
    buffer = _free(size)
    if buffer is None:
        buffer = np.empty(size, np.uint8)
    array: Array = buffer[:size].view(dtype).reshape(shape)  # its base is the buffer, and so is that of any view of it
    _kept.append(buffer)
    while sum(kept.size for kept in list(_kept)) > limit():
        del _kept[:1]  # its holders, if any, keep it alive
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


def _free(size: int) -> Array | None:
    """A kept buffer that nobody holds, of that size to twice that, taken off the list: until it is back no other thread sees it."""
    for _ in range(len(_kept)):
        try:
            buffer = _kept.pop(0)
        except IndexError:  # another thread has the rest
            return None
        if size <= buffer.size <= 2 * size and getrefcount(buffer) == FREE:
            return buffer
        _kept.append(buffer)
    return None

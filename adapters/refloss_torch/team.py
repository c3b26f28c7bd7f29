"""Torch's own OpenMP threads for the engine's loops, where torch runs on libgomp (Linux).

After every operator libgomp's threads spin for some milliseconds on their cores, waiting for the next one; a pool of threads beside them
gets half a core each meanwhile (measured on two cores, after a torch operator: focal loss of 8 M logits 13.4 ms, on libgomp's threads
10.7 ms; CIoU of 262 144 pairs 3.6 ms and 2.8 ms).
A forked child has no such threads and must not ask for them: there the engine's own pool works.
"""

import ctypes
import os
import pathlib
from collections.abc import Callable
from typing import Any

from refloss._engine import threads

_REGION = ctypes.CFUNCTYPE(None, ctypes.c_void_p)


def _gomp_parallel() -> Any:
    """libgomp's entry for a parallel region, from the very library that torch has loaded."""
    maps = pathlib.Path("/proc/self/maps")
    if not maps.exists():
        return None
    loaded = {line.split()[-1] for line in maps.read_text().splitlines() if "libgomp" in line}
    if len(loaded) != 1:  # none, or two that would fight
        return None
    entry = ctypes.CDLL(loaded.pop()).GOMP_parallel
    entry.argtypes, entry.restype = [_REGION, ctypes.c_void_p, ctypes.c_uint, ctypes.c_uint], None
    return entry


def use() -> None:
    """From now on, in this process, the engine's loops run on torch's threads."""
    parallel, home = _gomp_parallel(), os.getpid()
    if parallel is None:
        return

    def team(work: Callable[[], None], count: int) -> bool:
        if os.getpid() != home:
            return False
        errors: list[BaseException] = []

        def region(_: int | None) -> None:
            try:
                work()
            except BaseException as error:  # an exception must not leave through C
                errors.append(error)

        parallel(_REGION(region), None, count, 0)
        if errors:
            raise errors[0]
        return True

    threads.team = team
    threads.host = (ctypes.cast(parallel, ctypes.c_void_p).value or 0, home)

"""Blocks of work over a small pool of threads (law 7): plain threads around kernels that hold no lock.

The pool is made at first use in each process, so a fork (a DataLoader's worker) starts with none and makes its own.
`REFLOSS_NUM_THREADS` sets its size; the results do not depend on it.
"""

import functools
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

SERIAL_BELOW = 100_000  # elements; waking a second thread costs about 55 us
TURN = 40_000  # elements of the shortest turn, some 50 us: handing the next one over takes about 5
_pools: dict[int, ThreadPoolExecutor] = {}
host: tuple[int, int] | None = None  # where its GOMP_parallel is, and the process whose threads that is for
team: Callable[[Callable[[], None], int], bool] | None = None  # runs work() on so many threads of a host, or answers that it cannot


def thread_count() -> int:
    """How many threads a large call uses: REFLOSS_NUM_THREADS, or the processors this process may run on."""
    wanted = os.environ.get("REFLOSS_NUM_THREADS", "")
    if wanted.isdecimal() and int(wanted) > 0:
        return int(wanted)
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # macOS, Windows
        return os.cpu_count() or 1


def parallel() -> int:
    """The address of a host's GOMP_parallel, or 0: there is none, or its threads stayed behind in a process that was forked."""
    return host[0] if host is not None and host[1] == os.getpid() else 0


def threads_for(blocks: int, elements: int) -> int:
    return 1 if elements < SERIAL_BELOW else min(thread_count(), blocks)


@functools.lru_cache(maxsize=64)
def turns_of(blocks: int, threads: int, elements: int) -> list[tuple[int, int]]:
    return _turns(blocks, threads, -(-TURN * blocks // elements))


def _turns(blocks: int, threads: int, least: int) -> list[tuple[int, int]]:
    """Long turns first, each a third of a thread's share of what is left, so that at the end no thread waits long for another."""
    turns, first = [], 0
    while first < blocks:
        last = min(blocks, first + max(least, (blocks - first) // (3 * threads)))
        turns.append((first, last))
        first = last
    return turns


def over_blocks(run: Callable[[int, int], None], blocks: int, elements: int) -> None:
    """Call run(first, last) so that every block in range(blocks) is covered once, by up to thread_count() threads."""
    threads = threads_for(blocks, elements)
    if threads <= 1:
        run(0, blocks)
        return
    turns = iter(turns_of(blocks, threads, elements))  # shared: a thread that another program slows down takes fewer

    def work() -> None:
        for first, last in turns:
            run(first, last)

    if team is not None and team(work, threads):
        return
    pool = _pools.get(os.getpid())
    if pool is None:
        pool = _pools.setdefault(os.getpid(), ThreadPoolExecutor(max(threads, 16), thread_name_prefix="refloss"))
    try:
        jobs = [pool.submit(work) for _ in range(threads - 1)]
    except RuntimeError:  # the interpreter is shutting down and starts no more threads
        jobs = []
    try:
        work()
    finally:
        for job in jobs:
            job.result()

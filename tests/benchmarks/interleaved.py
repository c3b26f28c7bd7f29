"""Contenders take turns, so that a slow minute of the machine is everybody's; the median of each is what counts."""

import statistics
import time
from collections.abc import Callable, Mapping


def medians(runs: Mapping[str, Callable[[], object]], rounds: int, repeats: int = 1) -> dict[str, float]:
    """Median seconds of each; one turn is the mean of `repeats` calls. The first turn warms up and does not count."""
    times: dict[str, list[float]] = {name: [] for name in runs}
    for turn in range(rounds + 1):
        for name, run in runs.items():
            start = time.perf_counter()
            for _ in range(repeats):
                run()
            if turn:
                times[name].append((time.perf_counter() - start) / repeats)
    return {name: statistics.median(seen) for name, seen in times.items()}

"""Runs every coding through the CPU loop or through the simulated CUDA loop, and saves what they give (see test_coders_cuda.py)."""

import sys
from typing import Any

import numpy as np
from coder_inputs import MODES, rows

from refloss._engine import coding

side, path = sys.argv[1:]
saved: dict[str, Any] = {}
for (_, mode), (made, parameters) in MODES.items():
    for dtype in (np.float32, np.float64):
        # More rows than priors; of the cheapest coding, more than a block has.
        x, priors = rows(made, 100 if made.name == "ltrb_coder.decode" else 12, dtype, parameters)
        x = np.concatenate([x, x, x])
        upstream = np.random.default_rng(1).standard_normal(x.shape).astype(dtype)
        if made.arrays[0] == "codes":  # one box overflows, and does not count
            x[1, 2:], upstream[1] = 1000, 0
        for us in (upstream, upstream[:0]):
            value, grad = np.empty_like(x), np.empty_like(us)
            if side == "cpu":
                coding.run(made, made.setting(**parameters), x, priors, upstream=us, value=value, grad=grad)
            else:
                from refloss._engine import cuda

                cuda.run_codes(made, made.setting(**parameters), x, priors, upstream=us, value=value, grad=grad)
            key = f"{made.name}-{mode}-{dtype.__name__}-{len(us)}"
            saved[f"{key}-value"], saved[f"{key}-grad"] = value.astype(np.float64), grad.astype(np.float64)
np.savez(path, **saved)

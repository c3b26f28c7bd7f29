"""Runs every loss through the CPU loops or through the simulated CUDA loops, and saves what they give (see test_cuda.py)."""

import sys

import numpy as np
from inputs import random_inputs

from refloss._engine import call, cpu
from refloss._engine.blocks import added_up
from refloss._engine.record import REGISTRY

side, path = sys.argv[1:]
saved = {}
for loss in REGISTRY.values():
    for dtype in (np.float32, np.float64):
        n = 50 if loss.kind == "labels" else 140
        x, t = random_inputs(loss, n, dtype, classes=3)
        if loss.targets == "labels":
            t[::7] = -2
        size = x.size if loss.kind in ("elementwise", "labels") else n
        rng = np.random.default_rng(1)
        none = np.empty(0, dtype)
        for weights, upstream, divisor in (
            (rng.random(size).astype(dtype), rng.standard_normal(size).astype(dtype), 3.0),
            (none, none, 1.0),
        ):
            value, grad = np.empty(size, dtype), np.empty_like(x)
            no_grad = np.empty((0,) * x.ndim, dtype)
            setting = loss.setting()
            if side == "cpu":
                call.run(loss, setting, x, t, weights=weights, upstream=upstream, divisor=divisor, value=value, grad=grad, total=False)
                total = call.run(
                    loss, setting, x, t, weights=weights, upstream=upstream, divisor=divisor, value=none, grad=no_grad, total=True
                )
            else:
                from refloss._engine import cuda

                sums = np.zeros((cpu.blocks_of(loss.kind, x.shape), 2), dtype)
                cuda.run(
                    loss, setting, x, t, weights=weights, upstream=upstream, divisor=divisor, value=value, grad=grad, sums=none[:, None]
                )
                cuda.run(loss, setting, x, t, weights=weights, upstream=upstream, divisor=divisor, value=none, grad=no_grad, sums=sums)
                total = added_up(sums)
            key = f"{loss.name}-{dtype.__name__}-{divisor}"
            saved[key] = np.concatenate([value.ravel(), grad.ravel().astype(dtype)]).astype(np.float64)
            saved[f"{key}-total"] = np.array([0.0, total])
np.savez(path, **saved)

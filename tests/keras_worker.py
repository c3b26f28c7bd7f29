"""Runs the checks of refloss_keras on the backend that KERAS_BACKEND names: `keras_worker.py numbers|behaviour REFERENCE.npz`.

A check is a function called check_*; each prints what failed, and all run before the process exits with 1.
"""

import importlib
import sys
import time
import traceback
import warnings

import numpy as np


def main(part: str, reference: str) -> int:
    warnings.filterwarnings("error", module=r"refloss")
    warnings.filterwarnings("error", module=r"keras_(numbers|behaviour)")
    import keras

    checks = importlib.import_module(f"keras_{part}")
    checks.REFERENCE = np.load(reference)
    failed = 0
    names = [name for name in vars(checks) if name.startswith("check_")]
    for name in names:
        start = time.perf_counter()
        try:
            getattr(checks, name)()
            verdict = "ok"
        except Exception:
            failed += 1
            verdict = "FAILED\n" + traceback.format_exc()
        print(f"{keras.backend.backend()} {name} {time.perf_counter() - start:.1f} s: {verdict}", flush=True)
    print(f"{failed} of {len(names)} checks failed" if failed else f"{len(names)} checks passed")
    return 1 if failed or not names else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))

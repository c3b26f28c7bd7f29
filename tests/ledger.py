"""The accuracy ledger: measuring it, and `python tests/ledger.py` to rewrite tests/accuracy.toml.

For each loss, path (kernel; formula under NumPy) and dtype: the worst error in eps over all golden vectors and 10^6 random
inputs, spread over the settings. Random inputs are judged by the formula in 80-bit long doubles, on dual numbers.

A figure only goes down. To let one rise, give a reason, which is written beside it: `python tests/ledger.py --reason "..."`.
"""

import argparse
import math
import pathlib
import sys
import tomllib
from collections.abc import Iterator, Mapping
from types import SimpleNamespace
from typing import Any

import draws
import numpy as np

from refloss._engine.record import REGISTRY
from refloss._engine.xp import numpy_xp
from refloss_conformance import vectors
from refloss_conformance.gradients import conditioned, value_and_gradient, value_scale
from refloss_conformance.vectors import errors_in_eps

LEDGER = pathlib.Path(__file__).with_name("accuracy.toml")
DTYPES = ("float64", "float32")
RANDOM_INPUTS = 1_000_000
CHUNK = 8192  # stays in the cache
EXTENDED = np.finfo(np.longdouble).nmant == 63  # the reference needs the 80-bit type
SLACK = 1.1  # what another processor's exp and log may add to a recorded figure

Figures = dict[tuple[str, str], float]  # (path, figure) -> eps
long_xp = SimpleNamespace(**{**vars(numpy_xp), "pi": 4 * np.arctan(np.longdouble(1))})


def bar(loss: Any, figure: str) -> float:
    """What may be reached at most: 4 eps; 8 for boxes, and for a gamma that is no multiple of 1/2."""
    return 8.0 if loss.kind == "pairs" or figure.startswith("any_gamma_") else 4.0


def prefix(parameters: Mapping[str, Any]) -> str:
    """Settings with a bar of their own have figures of their own."""
    return "any_gamma_" if (2 * parameters.get("gamma", 0.0)) % 1 != 0 else ""


def kernel_scales(loss: Any, parameters: Mapping[str, Any], second: Any, of_value: Any, of_gradient: Any) -> tuple[Any, Any]:
    """Kernels are judged strictly (scale 0). Boxes are not, nor a gradient that itself cancels: sigma - y with soft targets."""
    if loss.kind == "pairs":
        return of_value, of_gradient
    if loss.targets == "unit":
        soft = (second > 0) & (second < 1) | (parameters.get("label_smoothing", 0) != 0)
        return 0.0, np.where(soft, of_gradient, 0.0)
    return 0.0, 0.0


def run_formula(loss: Any, first: Any, second: Any, parameters: Mapping[str, Any]) -> Any:
    with np.errstate(all="ignore"):
        return loss.formula(numpy_xp, first, second, **parameters)


def note(figures: Figures, path: str, figure: str, errors: Any) -> None:
    key = (path, figure)
    figures[key] = max(figures.get(key, 0.0), float(np.max(errors, initial=0.0)))


def over_vectors(name: str, dtype: str, folder: pathlib.Path = vectors.FOLDER) -> Figures:
    """Worst errors over the golden vectors."""
    loss, figures = REGISTRY[name], {}
    golden = vectors.load(name, folder)
    for group in golden.groups:
        p, pre = group.parameters, prefix(group.parameters)
        for batch in vectors.batches(golden, group, dtype):
            value, gradient = loss.value_and_grad(batch.first, batch.second, **p)
            scales = kernel_scales(loss, p, batch.second, batch.value_scale, batch.gradient_scale)
            note(figures, "kernel", pre + "value", errors_in_eps(value, batch.value, scales[0], dtype))
            note(figures, "kernel", pre + "gradient", errors_in_eps(gradient, batch.gradient, scales[1], dtype))
            result = run_formula(loss, batch.first, batch.second, p)
            note(figures, "formula", pre + "value", errors_in_eps(result, batch.value, batch.value_scale, dtype))
    return figures


def reference(loss: Any, first: Any, second: Any, parameters: Mapping[str, Any]) -> tuple[Any, Any]:
    """Value and gradient in long doubles, parameters too, so that 1 - alpha keeps its digits."""
    wide = {k: np.longdouble(v) if type(v) in (int, float) else v for k, v in parameters.items()}
    inputs = _as(first, second, np.longdouble)
    return value_and_gradient(loss.formula, inputs, wide, kind=loss.kind, base=long_xp, transparent=loss.kind == "rows")


def _as(first: Any, second: Any, dtype: Any) -> Any:
    return first.astype(dtype), second if second.dtype.kind == "i" else second.astype(dtype)


def scales_of(loss: Any, first: Any, second: Any, parameters: Mapping[str, Any]) -> tuple[Any, Any]:
    """Condition scales in float64, the gradient's where `kernel_scales` may ask for it."""
    inputs = _as(first, second, np.float64)
    of_value = value_scale(loss.formula, inputs, parameters, kind=loss.kind)
    of_gradient = np.zeros(first.shape)
    if loss.kind == "pairs":
        of_gradient = conditioned(loss.formula, inputs, parameters, kind=loss.kind).gradient_scale
    elif loss.targets == "unit":
        soft = np.flatnonzero((second > 0) & (second < 1) | (parameters.get("label_smoothing", 0) != 0))
        some = (inputs[0][soft], inputs[1][soft])
        of_gradient[soft] = conditioned(loss.formula, some, parameters, kind=loss.kind).gradient_scale
    return of_value, of_gradient


def random_inputs(name: str, dtype: str, count: int = RANDOM_INPUTS) -> Iterator[tuple[Mapping[str, Any], Any, Any]]:
    """(parameters, first, second), in chunks: `count` outputs over all settings."""
    loss, rng = REGISTRY[name], draws.generator(name, dtype)
    for k, setting in enumerate(loss.settings):
        classes = (2, 4, 9)[k % 3]
        rows = -(-count // len(loss.settings)) // (classes if loss.kind == "labels" else 1)
        for start in range(0, rows, CHUNK):
            parameters = {**loss.defaults, **setting}
            yield parameters, *draws.draw(loss, parameters, min(CHUNK, rows - start), dtype, rng, classes)


def over_random(name: str, dtype: str, count: int = RANDOM_INPUTS) -> Figures:
    """Worst errors over random inputs."""
    loss, figures = REGISTRY[name], {}
    for p, first, second in random_inputs(name, dtype, count):
        pre = prefix(p)
        want, want_gradient = reference(loss, first, second, p)
        of_value, of_gradient = scales_of(loss, first, second, p)
        value, gradient = loss.value_and_grad(first, second, **p)
        scales = kernel_scales(loss, p, second, of_value, of_gradient)
        note(figures, "kernel", pre + "value", errors_in_eps(value, want, scales[0], dtype))
        note(figures, "kernel", pre + "gradient", errors_in_eps(gradient, want_gradient, scales[1], dtype))
        note(figures, "formula", pre + "value", errors_in_eps(run_formula(loss, first, second, p), want, of_value, dtype))
    return figures


def recorded() -> dict[str, Any]:
    return tomllib.loads(LEDGER.read_text("utf-8")) if LEDGER.exists() else {}


def rounded_up(x: float) -> float:
    """Two digits, never less than x."""
    if x == 0 or not math.isfinite(x):
        return x
    step = 10.0 ** (math.floor(math.log10(x)) - 1)
    return float(f"{math.ceil(x / step - 1e-9) * step:.2g}")


HEADER = """\
# The accuracy ledger: the worst error of each loss x path x dtype, in eps, over all golden vectors and 10^6 random inputs.
# `python tests/ledger.py` measures and rewrites it. Figures only go down; one that rises carries a reason.
# kernel: strict for classification and regression, condition-aware for a gradient that cancels (soft targets) and for boxes.
# formula: under NumPy, value only, condition-aware. any_gamma: settings whose gamma is no multiple of 1/2 (bar 8 eps instead of 4).
# The suite fails above 1.1 times a figure (other processors round exp and log differently), and above the bar.
"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--reason", help="why figures may rise")
    parser.add_argument("losses", nargs="*")
    options = parser.parse_args()
    if not EXTENDED:
        sys.exit("ledger: this platform has no 80-bit long double to measure with; use an x86-64 machine")
    ledger, refused = recorded(), False
    for name in options.losses or sorted(REGISTRY):
        for dtype in DTYPES:
            figures = over_vectors(name, dtype)
            for key, worst in over_random(name, dtype).items():
                figures[key] = max(figures.get(key, 0.0), worst)
            for (path, figure), worst in sorted(figures.items()):
                row = ledger.setdefault(name, {}).setdefault(path, {}).setdefault(dtype, {})
                new, old = rounded_up(worst), row.get(figure)
                above = " ABOVE THE BAR" if new > bar(REGISTRY[name], figure) else ""
                print(f"{name}.{path}.{dtype}.{figure}: {worst:.3g}, recorded {old}{above}", flush=True)
                if old is not None and new > old and not options.reason:
                    refused = True
                    continue
                if old is not None and new > old:
                    row["reason"] = options.reason
                row[figure] = new
    lines = [HEADER]
    for name, paths in sorted(ledger.items()):
        for path, dtypes in sorted(paths.items(), reverse=True):
            for dtype, row in sorted(dtypes.items(), reverse=True):
                lines.append(f"[{name}.{path}.{dtype}]")
                lines += [f"{k} = {v!r}" if k != "reason" else f'reason = "{v}"' for k, v in sorted(row.items())]
                lines.append("")
    LEDGER.write_text("\n".join(lines), "utf-8")
    if refused:
        print('some figures rose and were not written; make them fall, or run again with --reason "..."')
    return int(refused)


if __name__ == "__main__":
    sys.exit(main())

"""The inputs of the golden vectors, chosen by domain. Deterministic: no setting or date changes what is listed here.

An input is made for float64; `exact_dtypes` says which dtypes hold it exactly. Many are short enough for bfloat16.
"""

import math
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import ml_dtypes
import numpy as np

DTYPES = {"float64": np.float64, "float32": np.float32, "float16": np.float16, "bfloat16": ml_dtypes.bfloat16}


class Input(NamedTuple):
    """One case before the oracle has seen it. Numbers are floats, labels ints, rows and boxes tuples."""

    slug: str
    first: Any
    second: Any
    flags: tuple[str, ...]


def exact_dtypes(numbers: Iterable[float]) -> list[str]:
    """The dtypes that hold all of them."""
    values = np.array([n for n in numbers if isinstance(n, float)], np.float64)
    with np.errstate(all="ignore"):
        return [name for name, dtype in DTYPES.items() if bool(np.all(values.astype(dtype).astype(np.float64) == values))]


def single(value: float) -> float:
    """The nearest float32."""
    return float(np.float32(value))


def number_slug(value: float) -> str:
    """A number as part of an id: 17 digits only where 6 do not tell it apart."""
    text = f"{value:.6g}"
    if float(text) != value:
        text = f"{value:.9g}" if single(value) == value else f"{value:.17g}"
    return text.replace("e-0", "e-").replace("e+", "e").replace("-", "m")


def inputs_for(loss: Any, parameters: Mapping[str, Any], group: str) -> list[Input]:
    """The cases of one group of one loss: a core, and a third of the extra ones, another third in the next group.

    Where there are three groups or fewer, all of them.
    """
    from . import boxes, classes, codes, differences, logits

    if loss.kind == "codes":
        core, extra = codes.core(loss, parameters), codes.extra(loss, parameters)
    elif loss.targets == "unit":
        core, extra = logits.core(), logits.extra()
    elif loss.targets == "real":
        thresholds = [float(v) for v in parameters.values() if type(v) in (int, float) and 0 < v < math.inf]
        core, extra = differences.at(thresholds) + differences.core(), differences.extra()
    elif loss.targets == "labels":
        core, extra = classes.core(loss.kind), classes.extra(loss.kind)
    else:
        core, extra = boxes.core(), boxes.extra()
    settings = [{**loss.defaults, **setting} for setting in loss.settings]
    turn = settings.index(dict(parameters)) % 3
    cases = core + [case for k, case in enumerate(extra) if len(settings) <= 3 or k % 3 == turn]
    if parameters.get("box_format") == "cxcywh" and loss.kind == "pairs":
        cases = boxes.to_cxcywh(cases)
    found: dict[str, Input] = {}
    for case in cases:
        same = found.setdefault(case.slug, case)
        if (same.first, same.second) != (case.first, case.second):
            raise ValueError(f"{loss.name}/{group}: two inputs have the id {case.slug!r}")
    return list(found.values())

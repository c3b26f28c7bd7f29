"""`refloss check` without a target, for what has golden scenes: refloss's own functions, which must answer exactly as expected."""

import importlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .scene_calling import Codes, answer, outcomes
from .scene_judging import Outcome, worst_error
from .scenes import Scene, Scenes, arrays, load

BACKEND = "core"
DTYPES = ("float64", "float32")
COMPILED = ("assign.fcos", "assign.max_iou", "assign.ssd", "boxes.batched_nms", "boxes.nms", "boxes.select", "boxes.soft_nms")


def dtypes_of(name: str, dtypes: Sequence[str], asked: bool) -> Sequence[str]:
    """Without --dtype, what is compiled runs in float32 alone: a second compilation of all of it takes six seconds."""
    return dtypes if asked or name not in COMPILED else [dtype for dtype in dtypes if dtype == "float32"]


def function_of(name: str) -> Callable[..., Any]:
    """refloss.assign.max_iou for assign.max_iou."""
    module, _, function = name.rpartition(".")
    found: Callable[..., Any] = getattr(importlib.import_module(f"refloss.{module}"), function)
    return found


def ask(function: Callable[..., Any], file: Scenes) -> Callable[[Scene, str], Any]:
    def run(scene: Scene, dtype: str) -> Any:
        given = arrays(file, scene, dtype)
        more = {"dtype": np.dtype(dtype)} if file.function.startswith("priors.") else {}
        return answer(function(**given, **scene.parameters, **more), file, given, Codes())

    return run


def worst(file: Scenes, one: Outcome) -> float:
    """The error of the numbers in an answer; infinite where integers differ."""
    if one.got is None or not one.ours(file.parts):
        return float("inf")
    numbers = [name for name in one.got if file.parts[name].kind == "numbers"]
    return max((worst_error(one.got[name], one.scene.expected[name], one.dtype) for name in numbers), default=0.0)


def measure(name: str, dtypes: Sequence[str]) -> list[Outcome]:
    """Every scene of a function, in every dtype that it has."""
    file = load(name)
    return [one for dtype in DTYPES if dtype in dtypes for one in outcomes(ask(function_of(name), file), file, file.scenes, dtype)]

"""Golden scenes: what an assigner, a miner, a selection or a maker of priors answers, exactly. Loading them, and their arrays.

The files are described in scenes/README.md for readers in any language. Nothing here executes anything from a file.
"""

import functools
import math
import pathlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from refloss.priors.grid import Grid

from .errors import UsageError
from .mistake import Mistake
from .vectors import EPS, LARGEST_FILE, VectorError, load_json, numpy_dtype

FOLDER = pathlib.Path(__file__).parent / "scenes"
SCHEMA = pathlib.Path(__file__).parent / "schema" / "scenes.json"
SCHEMA_VERSION = 1  # of the layout
INTERPRETATION = 1  # of what a runner must do with it
Answer = Mapping[str, Any]  # part -> nested lists of int, bool, or (numbers) decimal strings


@dataclass(frozen=True)
class Input:
    """An array, a list of grids, or plain numbers. shape holds numbers, and names for lengths that a scene chooses."""

    kind: str  # "floats", "integers", "grids" or "plain"
    shape: tuple[int | str, ...]
    description: str


@dataclass(frozen=True)
class Part:
    """One array of an answer. tolerance: of "numbers", in eps of the dtype, relative to the largest number of the row."""

    kind: str  # "codes", "pairs", "indices", "mask" or "numbers"
    description: str
    tolerance: float = 0.0


class Deviating(NamedTuple):
    """What some deviations answer to a scene, in these dtypes; None: they raise, or write outside their arrays."""

    names: tuple[str, ...]
    dtypes: tuple[str, ...]
    answer: Answer | None


@dataclass(frozen=True)
class Scene:
    """One question and its answer. `allowed` starts with ours; there are more where a tie leaves freedom."""

    id: str
    flags: tuple[str, ...]
    dtypes: tuple[str, ...]
    parameters: Mapping[str, Any]
    inputs: Mapping[str, Any]
    allowed: tuple[Answer, ...]
    margin: str | None
    deviations: tuple[Deviating, ...]

    @property
    def expected(self) -> Answer:
        return self.allowed[0]

    def deviating(self, name: str, dtype: str) -> tuple[bool, Answer | None]:
        """(whether the deviation changes this answer, what it answers)."""
        return next(((True, one.answer) for one in self.deviations if name in one.names and dtype in one.dtypes), (False, None))


@dataclass(frozen=True)
class Scenes:
    """One file: one function."""

    function: str
    inputs: Mapping[str, Input]
    parts: Mapping[str, Part]
    defaults: Mapping[str, Any]
    notes: Mapping[str, Mapping[str, str]]
    deviations: Mapping[str, Mistake]
    scenes: tuple[Scene, ...]

    def settings(self) -> list[Mapping[str, Any]]:
        """The settings of the parameters, in the order of the file, each once."""
        found: list[Mapping[str, Any]] = []
        for scene in self.scenes:
            if scene.parameters not in found:
                found.append(scene.parameters)
        return found


def names(folder: pathlib.Path = FOLDER) -> list[str]:
    """Functions that have scenes, such as assign.max_iou."""
    return sorted(path.name.removesuffix(".json") for path in folder.glob("*.json"))


@functools.cache
def load(function: str) -> Scenes:
    """The scenes of a function, read once."""
    if function not in names():
        raise UsageError(f"there is no function {function!r} with golden scenes; there are {', '.join(names()) or 'none'}")
    return load_file(FOLDER / f"{function}.json")


def load_file(path: pathlib.Path) -> Scenes:
    """The scenes in a file."""
    data = load_json(path, "scenes", LARGEST_FILE)
    if not isinstance(data, dict) or not {"schema", "interpretation", "function"} <= data.keys():
        raise VectorError(f"scenes: {path.name} is JSON, but no scene file: it lacks schema, interpretation or function")
    for key, known in (("schema", SCHEMA_VERSION), ("interpretation", INTERPRETATION)):
        if data[key] != known:
            raise VectorError(f"scenes: {path.name} has {key} {data[key]!r}, this version knows {known}; update refloss or the file")
    try:
        loaded = _scenes(data)
        for scene in loaded.scenes:
            arrays(loaded, scene, "float64")
    except (AttributeError, KeyError, TypeError, ValueError, IndexError) as error:
        raise VectorError(f"scenes: {path.name} is damaged ({type(error).__name__}: {error}); fetch the file again") from error
    return loaded


def _scenes(data: Mapping[str, Any]) -> Scenes:
    inputs = {name: Input(one["kind"], tuple(one["shape"]), one["description"]) for name, one in data["inputs"].items()}
    parts = {name: Part(**one) for name, one in data["answer"].items()}
    deviations = {name: Mistake(name, **one) for name, one in data["deviations"].items()}
    scenes = tuple(_scene(one, parts, data["notes"], deviations) for one in data["scenes"] if "withdrawn" not in one)
    defaults = {name: number(value) for name, value in data["defaults"].items()}
    return Scenes(data["function"], inputs, parts, defaults, data["notes"], deviations, scenes)


def _scene(data: Mapping[str, Any], parts: Mapping[str, Part], notes: Mapping[str, Any], known: Mapping[str, Mistake]) -> Scene:
    allowed = tuple(data.get("allowed") or [data["expected"]])
    dtypes = tuple(data["dtypes"])
    deviations = tuple(Deviating(tuple(one["names"]), tuple(one.get("dtypes", dtypes)), one["answer"]) for one in data["deviations"])
    if not {*dtypes, *(dtype for one in deviations for dtype in one.dtypes)} <= EPS.keys():
        raise ValueError(f"{data['id']} has an unknown dtype")
    for flag in data["flags"]:
        notes[flag]
    for answer in (data["expected"], *allowed, *(one.answer for one in deviations if one.answer is not None)):
        if answer.keys() != parts.keys():
            raise ValueError(f"{data['id']} answers {sorted(answer)} for {sorted(parts)}")
    if allowed[0] != data["expected"]:
        raise ValueError(f"{data['id']} does not allow first what it expects")
    for name in (name for one in deviations for name in one.names):
        known[name]
    parameters = {name: number(value) for name, value in data["parameters"].items()}
    return Scene(data["id"], tuple(data["flags"]), dtypes, parameters, data["inputs"], allowed, data["margin"], deviations)


def number(value: Any) -> Any:
    """A parameter as Python has it: "inf" is infinity, lists are tuples."""
    if isinstance(value, list):
        return tuple(number(one) for one in value)
    return math.inf if value == "inf" else value


def arrays(file: Scenes, scene: Scene, dtype: str) -> dict[str, Any]:
    """The scene's inputs as arrays of a dtype; one that is not given is None; grids are Grids, plain numbers are tuples."""
    return {name: None if scene.inputs[name] is None else _array(file.inputs[name], scene.inputs[name], dtype) for name in file.inputs}


def _array(what: Input, values: Any, dtype: str) -> Any:
    if what.kind == "plain":
        return number(values)
    if what.kind == "grids":
        return tuple(Grid(**{**grid, "shapes": tuple(tuple(map(float.fromhex, shape)) for shape in grid["shapes"])}) for grid in values)
    if what.kind == "floats":
        array = np.array(_each_float(values), np.float64).astype(numpy_dtype(dtype))
    else:
        array = np.array(values, np.int64)
    fixed = [n for n in what.shape if isinstance(n, int)]
    if array.size == 0:
        return array.reshape([n if isinstance(n, int) else 0 for n in what.shape])
    if array.ndim != len(what.shape) or [n for n, m in zip(array.shape, what.shape, strict=True) if isinstance(m, int)] != fixed:
        raise ValueError(f"an array of shape {array.shape}, not {what.shape}")
    return array


def _each_float(values: Any) -> Any:
    return [_each_float(one) for one in values] if isinstance(values, list) else float.fromhex(values)

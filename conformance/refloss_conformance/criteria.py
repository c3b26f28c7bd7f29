"""Golden criteria: whole losses of detectors on tiny heads, with their gradients. Loading them, and their arrays.

The files are described in criteria/README.md for readers in any language. Nothing here executes anything from a file.
"""

import functools
import math
import pathlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from refloss.priors.grid import Grid

from .errors import UsageError
from .golden import Array, Golden, golden
from .vectors import EPS, LARGEST_FILE, VectorError, load_json, numpy_dtype, words

FOLDER = pathlib.Path(__file__).parent / "criteria"
SCHEMA = pathlib.Path(__file__).parent / "schema" / "criteria.json"
SCHEMA_VERSION = 1  # of the layout
INTERPRETATION = 1  # of what a runner must do with it
DEEPEST = 12  # of nested arrays
CLASSES = {
    "criteria.fcos": "FCOS", "criteria.retinanet": "RetinaNet", "criteria.scaled_yolov4": "ScaledYOLOv4", "criteria.ssd": "SSD",
    "criteria.yolov1": "YOLOv1", "criteria.yolov2": "YOLOv2", "criteria.yolov3": "YOLOv3", "criteria.yolov4": "YOLOv4",
}  # fmt: skip
Outputs = dict[str, Array]


@dataclass(frozen=True)
class Term:
    """What entries of the outputs a term depends on: of these arrays all, or some channels along an axis."""

    outputs: tuple[str, ...]
    axis: int | None
    channels: tuple[int, ...] | None

    def entries(self, arrays: Mapping[str, Array]) -> Array:
        """Those, in one row."""
        chosen = [
            arrays[name] if self.axis is None else np.take(arrays[name], list(self.channels or ()), self.axis) for name in self.outputs
        ]
        return np.concatenate([np.asarray(one).ravel() for one in chosen])


@dataclass(frozen=True)
class Output:
    """One array of the head's: numbers, and names of lengths; and what it holds."""

    shape: tuple[int | str, ...]
    description: str


@dataclass(frozen=True)
class Case:
    """One batch under one setting. Numbers of the answer are kept as written, decimal strings."""

    id: str
    flags: tuple[str, ...]
    dtypes: tuple[str, ...]
    setting: str
    parameters: Mapping[str, Any]
    config: Mapping[str, Any]
    outputs: Mapping[str, Any]
    truths: tuple[Mapping[str, Any], ...]
    positives: tuple[int, ...]
    terms: Mapping[str, str]
    term_scales: Mapping[str, str]
    gradient: Mapping[str, Any]
    gradient_scale: Mapping[str, Any]

    @property
    def scene(self) -> str:
        """The id without the setting."""
        return self.id.rpartition("/")[0]

    def arrays(self, dtype: str) -> Outputs:
        """The head's outputs."""
        return {name: np.array(values, np.float64).astype(numpy_dtype(dtype)) for name, values in self.outputs.items()}

    def targets(self, dtype: str) -> list[dict[str, Array]]:
        """The truths of each image."""
        return [
            {
                "gt_boxes": np.array(one["gt_boxes"], np.float64).reshape(-1, 4).astype(numpy_dtype(dtype)),
                "gt_labels": np.array(one["gt_labels"], np.int64),
            }
            for one in self.truths
        ]  # fmt: skip

    def term(self, name: str) -> Golden:
        """The golden value of a term, without axes."""
        return golden(words(self.terms[name]), np.asarray(float(self.term_scales[name])))

    def total(self) -> Golden:
        """The golden sum of the terms."""
        high = np.array([float(value) for value in self.terms.values()])
        low = np.array([words(value)[1] for value in self.terms.values()])
        return golden((high.sum(), low.sum() + (math.fsum(high) - high.sum())), np.asarray(sum(map(float, self.term_scales.values()))))

    @functools.cached_property
    def slopes(self) -> tuple[Outputs, Outputs, Outputs]:
        """High words, low words and condition scales of the gradient, by output."""
        pairs = {name: words(values) for name, values in self.gradient.items()}
        scales = {name: np.array(_floats(values)) for name, values in self.gradient_scale.items()}
        return {k: p[0] for k, p in pairs.items()}, {k: p[1] for k, p in pairs.items()}, scales

    def slope(self, term: Term) -> Golden:
        """The golden gradient by the entries of a term, in one row."""
        high, low, scale = (term.entries(arrays) for arrays in self.slopes)
        return golden((high, low), scale)


@dataclass(frozen=True)
class Criteria:
    """One file: one criterion."""

    name: str
    terms: Mapping[str, Term]
    outputs: Mapping[str, Output]
    config: Mapping[str, str]
    defaults: Mapping[str, Any]
    settings: Mapping[str, Mapping[str, Any]]
    notes: Mapping[str, Mapping[str, str]]
    cases: tuple[Case, ...]

    def of(self, setting: str) -> list[Case]:
        """The cases of a setting, in the order of the file."""
        return [case for case in self.cases if case.setting == setting]


def names(folder: pathlib.Path = FOLDER) -> list[str]:
    """Criteria that have golden values, such as criteria.retinanet."""
    return sorted(path.name.removesuffix(".json") for path in folder.glob("*.json"))


@functools.cache
def load(name: str) -> Criteria:
    """The golden values of a criterion, read once."""
    if name not in names():
        raise UsageError(f"there is no criterion {name!r} with golden values; there are {', '.join(names()) or 'none'}")
    return load_file(FOLDER / f"{name}.json")


def load_file(path: pathlib.Path) -> Criteria:
    """The golden values in a file."""
    data = load_json(path, "criteria", LARGEST_FILE)
    if not isinstance(data, dict) or not {"schema", "interpretation", "criterion"} <= data.keys():
        raise VectorError(f"criteria: {path.name} is JSON, but no file of a criterion: it lacks schema, interpretation or criterion")
    for key, known in (("schema", SCHEMA_VERSION), ("interpretation", INTERPRETATION)):
        if data[key] != known:
            raise VectorError(f"criteria: {path.name} has {key} {data[key]!r}, this version knows {known}; update refloss or the file")
    try:
        loaded = _criteria(data)
        for case in loaded.cases:
            _sound(loaded, case)
    except (AttributeError, KeyError, TypeError, ValueError, IndexError, RecursionError) as error:
        raise VectorError(f"criteria: {path.name} is damaged ({type(error).__name__}: {error}); fetch the file again") from error
    return loaded


def _criteria(data: Mapping[str, Any]) -> Criteria:
    def one(term: Mapping[str, Any]) -> Term:
        return Term(tuple(term["outputs"]), term["axis"], None if term["channels"] is None else tuple(term["channels"]))

    settings = {name: {key: read(value) for key, value in given.items()} for name, given in data["settings"].items()}
    return Criteria(
        data["criterion"], {name: one(term) for name, term in data["terms"].items()},
        {name: Output(tuple(given["shape"]), given["description"]) for name, given in data["outputs"].items()}, data["config"],
        {name: read(value) for name, value in data["defaults"].items()}, settings, data["notes"],
        tuple(_cases(data["scenes"], settings, data["notes"])),
    )  # fmt: skip


def _cases(scenes: Any, settings: Mapping[str, Any], notes: Mapping[str, Any]) -> Iterator[Case]:
    for scene in scenes:
        if "withdrawn" in scene:
            continue
        if not set(scene["dtypes"]) <= EPS.keys():
            raise ValueError(f"{scene['id']} has an unknown dtype")
        for flag in scene["flags"]:
            notes[flag]
        for answer in scene["answers"]:
            yield Case(
                f"{scene['id']}/{answer['setting']}", tuple(scene["flags"]), tuple(scene["dtypes"]), answer["setting"],
                settings[answer["setting"]], {key: read(value) for key, value in scene["config"].items()}, scene["outputs"],
                tuple(scene["targets"]), tuple(answer["positives"]), answer["terms"], answer["term_scales"], answer["gradient"],
                answer["gradient_scale"],
            )  # fmt: skip


def _sound(file: Criteria, case: Case) -> None:
    """Shapes that belong together, and numbers that are numbers."""
    outputs, targets = case.arrays("float64"), case.targets("float64")
    if outputs.keys() != file.outputs.keys() or case.terms.keys() != file.terms.keys() or case.term_scales.keys() != file.terms.keys():
        raise ValueError(f"{case.id} has other outputs or terms than its file states")
    high, _, scale = case.slopes
    for name, array in outputs.items():
        if array.ndim != len(file.outputs[name].shape) or array.shape != high[name].shape or array.shape != scale[name].shape:
            raise ValueError(f"{case.id}: {name} and its gradient have the shapes {array.shape}, {high[name].shape}, {scale[name].shape}")
        if not np.isfinite(array).all() or not np.isfinite(high[name]).all() or len(array) != len(targets):
            raise ValueError(f"{case.id}: {name} holds no numbers, or is of another number of images than the targets")
    for truth in targets:
        if len(truth["gt_boxes"]) != len(truth["gt_labels"]):
            raise ValueError(f"{case.id}: an image has {len(truth['gt_boxes'])} boxes and {len(truth['gt_labels'])} labels")
    for name in case.terms:
        case.term(name)


def read(value: Any, depth: int = 0) -> Any:
    """A parameter as Python has it: "inf" is infinity, lists are tuples."""
    if depth > DEEPEST:
        raise ValueError("arrays are nested too deeply")
    if isinstance(value, list):
        return tuple(read(one, depth + 1) for one in value)
    if isinstance(value, dict):
        return {key: read(one, depth + 1) for key, one in value.items()}
    return math.inf if value == "inf" else value


def _floats(nested: Any) -> Any:
    return [_floats(one) for one in nested] if isinstance(nested, list) else float(nested)


def grids(config: Mapping[str, Any]) -> tuple[Grid, ...]:
    """The grids of a YOLO head."""
    return tuple(Grid(**{**grid, "shapes": tuple(tuple(shape) for shape in grid["shapes"])}) for grid in config["grids"])


def arguments(case: Case) -> dict[str, Any]:
    """What refloss's criterion of that name is made with."""
    given = dict(case.config)
    if "grids" in given:
        given["grids"] = grids(given)
    return {**given, **case.parameters}


def as_outputs(name: str, arrays: Any) -> Any:
    """The outputs as refloss's criterion takes them: by name, a list of heads, or the one array."""
    if name in ("criteria.ssd", "criteria.retinanet", "criteria.fcos"):
        return arrays
    return arrays["output"] if name == "criteria.yolov1" else list(arrays.values())


def by_name(file: Criteria, gradient: Any) -> Outputs:
    """A gradient in the outputs' layout, by the outputs' names."""
    if isinstance(gradient, Mapping):
        return {name: np.asarray(gradient[name]) for name in file.outputs}
    whole = list(gradient) if isinstance(gradient, (list, tuple)) else [gradient]
    return {name: np.asarray(one) for name, one in zip(file.outputs, whole, strict=True)}

"""The rules of assigners, miners, selections and priors, changed in one place, and asked the golden scenes.

What is changed is the slow reference that the oracle asks, one comparison after the other: what a port would be written from.
"""

import functools
import inspect
from collections.abc import Callable, Iterable, Iterator
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np

from oracle.decisions import Decisions
from oracle.references import fcos, max_iou, mining, nms, scaled_yolov4, ssd, yolov1, yolov2, yolov3, yolov4
from oracle.scenes import every
from oracle.scenes import priors as prior_scenes
from refloss_conformance.scene_judging import Outcome
from refloss_conformance.scenes import Scenes, arrays, load

from .operators import mutations
from .vectorised import functions_of, run_plain

MOST_DECISIONS = 5000  # of one scene; the largest has some hundreds
Parts = tuple[tuple[ModuleType, tuple[str, ...]], ...]
CELL = (yolov1, ("iou", "centred", "cell"))
SHAPES = ("anchors_of", "with_area", "shape_iou", "prior_at")
RULES: dict[str, Parts] = {
    "assign.max_iou": ((max_iou, ("iou", "max_iou", "_own")),),
    "assign.ssd": ((max_iou, ("iou",)), (ssd, ("ssd", "_bipartite", "_each_truth"))),
    "assign.yolov1": ((yolov1, ("iou", "centred", "cell", "yolov1", "responsible", "distance")),),
    "assign.yolov2": (CELL, (yolov2, (*SHAPES, "visible", "resting", "finished", "shape_in_cell", "best_pairs", "yolov2"))),
    "assign.yolov3": ((yolov1, ()), (yolov2, ("finished",)), (yolov3, ("yolov3",))),
    "assign.yolov4": ((yolov1, ()), (yolov2, SHAPES), (yolov4, ("yolov4",))),
    "assign.scaled_yolov4": ((yolov1, ("cell",)), (yolov2, SHAPES[:2]), (scaled_yolov4, ("step", "scaled_yolov4"))),
    "assign.fcos": ((fcos, ("fcos", "area", "merit", "fits")),),
    "mining.hard_negatives": ((mining, ("hardest", "hard_negatives")),),
    "mining.ohem": ((mining, ("hardest", "ohem")),),
    "boxes.nms": ((nms, ("iou", "apart", "likeness", "nms")),),
    "boxes.batched_nms": ((nms, ("nms", "batched_nms", "by_score")),),
    "boxes.soft_nms": ((nms, ("soft_nms",)),),
    "boxes.select": ((nms, ("batched_nms", "by_score", "select")),),
    "priors.ssd_default_boxes": ((prior_scenes, ("boxes_of", "points", "ssd_default_boxes")),),
    "priors.retinanet_anchors": ((prior_scenes, ("boxes_of", "points", "retinanet_anchors")),),
    "priors.fcos_locations": ((prior_scenes, ("fcos_locations",)),),
    "priors.yolo_priors": ((prior_scenes, ("yolo_priors",)),),
}


class Patient(Decisions):
    """Asked too often, by a loop that never ends, it gives up."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = 0

    def _compare(self, a: Any, b: Any) -> None:
        pass

    def at_least(self, a: Any, b: Any) -> bool:
        return self._counted(super().at_least(a, b))

    def above(self, a: Any, b: Any) -> bool:
        return self._counted(super().above(a, b))

    def best(self, candidates: Iterable[Any], value: Callable[[Any], Any]) -> Any:
        return self._counted(super().best(candidates, value))

    def _counted(self, answer: Any) -> Any:
        self.asked += 1
        if self.asked > MOST_DECISIONS:
            raise RuntimeError("it never ends")
        return answer


class Rule(NamedTuple):
    """A reference with one change; function None: without."""

    id: str
    record: str
    operator: str
    module: ModuleType | None = None
    function: str = ""
    tree: Any = None


def mutants(record: str, wanted: Callable[[str], bool] = lambda label: True) -> Iterator[Rule]:
    for module, names in RULES[record]:
        originals = {node.name: node for node in functions_of(module).body if hasattr(node, "args")}
        for name in names:
            start = f"{record} rule {name}: "
            for one in mutations(originals[name], lambda text, start=start: wanted(start + text)):
                yield Rule(start + one.text, record, one.operator, module, name, one.tree)


@functools.cache
def asked(record: str) -> Any:
    """The oracle's description of a function: how its reference is called, and its result read."""
    return next(function for module in every.MODULES for function in module.functions() if function.name == record)


def reference(rule: Rule) -> Callable[..., Any]:
    """The function that the oracle asks, over the changed text; it is called as the scenes' files say."""
    space: dict[str, Any] = {}
    for module, _ in RULES[rule.record]:
        kept = {name: space[name] for name in space if inspect.isfunction(space[name]) and name in vars(module)}
        space.update({name: value for name, value in vars(module).items() if not name.startswith("__")} | kept)
        tree = functions_of(module)
        if rule.module is module:
            tree.body = [rule.tree if getattr(node, "name", "") == rule.function else node for node in tree.body]
        run_plain(tree, space)
    run: Callable[..., Any] = space[rule.record.partition(".")[2]]
    if rule.record == "mining.hard_negatives":
        return lambda d, losses, assignments, **parameters: run(d, losses, assignments, **parameters)
    if rule.record == "mining.ohem":
        return lambda d, losses, assignments, *, count: run(d, losses, count, gt_index=assignments)
    if rule.record == "boxes.batched_nms":
        return lambda d, boxes, scores, labels, *, max_detections, **options: run(d, boxes, scores, labels, **options)[:max_detections]
    if rule.record == "boxes.select":
        return lambda d, boxes, scores, **given: run(d, boxes, scores, **{k: 10**6 if v is None else v for k, v in given.items()})
    return run


@functools.cache
def scenes_of(record: str) -> tuple[Scenes, tuple[tuple[Any, str, dict[str, Any]], ...]]:
    """(scene, dtype, inputs) of a file: lists of NumPy scalars, as the references take them."""
    file = load(record)
    found = [
        (scene, dtype, {name: _scalars(value) for name, value in arrays(file, scene, dtype).items()})
        for scene in file.scenes for dtype in ("float64", "float32") if dtype in scene.dtypes
    ]  # fmt: skip
    return file, tuple(found)


def _scalars(value: Any) -> Any:
    if not isinstance(value, np.ndarray):
        return value
    if value.dtype.kind == "i":
        return value.tolist()
    return [_scalars(row) for row in value] if value.ndim > 1 else list(value)


def wrong_scene(rule: Rule) -> str | None:
    """The first scene that it answers as none of the allowed answers, or None. What it raises goes on."""
    function, (file, scenes) = reference(rule), scenes_of(rule.record)
    read = asked(rule.record).read
    for scene, dtype, inputs in scenes:
        with np.errstate(all="ignore"):
            result = read(function(Patient(), **inputs, **{**file.defaults, **scene.parameters}))
        got = {name: _plain(value) for name, value in result.items()}
        if not Outcome(scene, dtype, got).right(file.parts):
            return f"{scene.id} in {dtype}"
    return None


def _plain(value: Any) -> Any:
    """What a checker has read from arrays: numbers as floats."""
    if isinstance(value, (list, tuple)):
        return [_plain(one) for one in value]
    return float(value) if not isinstance(value, (int, bool)) else value

"""Which of our arrays and parameters goes to which argument of theirs, and which parameter groups that leaves to test."""

import inspect
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from .errors import UsageError
from .target import Target

OPTIONAL = inspect.Parameter.empty
# What the field calls the two arrays; used where --map says nothing, and always printed.
FIRST_NAMES = (
    "logits", "predictions", "prediction", "preds", "pred", "inputs", "input", "y_pred", "x", "boxes", "boxes1", "box1", "bboxes1",
    "pred_boxes", "outputs", "output",
)  # fmt: skip
SECOND_NAMES = (
    "targets", "target", "labels", "label", "y_true", "gt", "y", "t", "target_boxes", "boxes2", "box2", "bboxes2", "gt_boxes", "truth",
)  # fmt: skip
# The same for codings. `boxes` names what is encoded, or the priors of what is decoded; torchvision's reference_boxes may be either.
CODING_NAMES = {
    "boxes": ("gt_boxes", "gt_bboxes", "target_boxes", "bboxes", "box", "matched"),
    "codes": ("deltas", "rel_codes", "boxes_delta", "encoded_boxes", "bbox_deltas", "pred_bboxes", "offsets", "loc", "x"),
    "priors": ("anchors", "prior_boxes", "default_boxes", "locations", "points", "cells", "boxes", "bboxes"),
}


@dataclass(frozen=True)
class Plan:
    """How the callable is called."""

    target: Target
    first: str  # their name for our first array
    second: str
    passed: Mapping[str, str]  # our parameter -> their argument
    constants: Mapping[str, Any]  # their argument -> value
    fixed: Mapping[str, Any]  # our parameter -> the only value that is tested, for the reason beside it
    why_fixed: Mapping[str, str] = field(default_factory=dict)

    def call(self, parameters: Mapping[str, Any]) -> Callable[[Any, Any], Any]:
        """The callable at one parameter setting, as a function of the two arrays."""
        named: dict[str, Any] = dict(self.constants)
        named.update({theirs: parameters[ours] for ours, theirs in self.passed.items()})
        order = [p.name for p in self.target.parameters if p.positional_only]

        def function(first: Any, second: Any) -> Any:
            arguments = {**named, self.first: first, self.second: second}
            positional = [arguments.pop(name) for name in order if name in arguments]
            return self.target.function(*positional, **arguments)

        return function

    def reason_to_skip(self, parameters: Mapping[str, Any]) -> str | None:
        """Why a parameter group cannot be run, or None."""
        for name, value in self.fixed.items():
            if name in parameters and not same(parameters[name], value):
                return f"{name}={parameters[name]!r}: {self.why_fixed[name]}"
        return None


def same(a: Any, b: Any) -> bool:
    """Equal parameter values; numbers may differ in type, True is not 1."""
    if isinstance(a, (tuple, list)) and isinstance(b, (tuple, list)):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, bool) or isinstance(b, bool) or not (isinstance(a, (int, float)) and isinstance(b, (int, float))):
        return type(a) is type(b) and bool(a == b)
    return math.isclose(a, b, rel_tol=1e-12)


def _array_names(loss: Any, target: Target, mapping: Mapping[str, str]) -> tuple[str, str]:
    """Their names for our two arrays: stated, the same, or what the field uses."""
    theirs = {ours: name for name, ours in mapping.items()}
    available = [name for name in target.names() if name not in mapping]
    chosen = []
    both = [CODING_NAMES[ours] for ours in loss.arrays] if loss.kind == "codes" else (FIRST_NAMES, SECOND_NAMES)
    for ours, usual in zip(loss.arrays, both, strict=True):
        candidates = [ours, *usual]
        found = theirs.get(ours) or next((name for name in candidates if name in available), None)
        if found is None and target.open_ended and not target.parameters:
            found = ours
        if found is None:
            has = ", ".join(target.names()) or "no named arguments"
            raise UsageError(f"which argument of {target.spec} takes our {ours}? It has {has}; say --map THEIRS={ours}")
        available = [name for name in available if name != found]
        chosen.append(found)
    return chosen[0], chosen[1]


def plan(loss: Any, target: Target, mapping: Mapping[str, str], constants: Mapping[str, Any], only: Mapping[str, Any]) -> Plan:
    """Match their arguments with ours, or say in one sentence what does not fit."""
    ours_known = (*loss.arrays, *loss.defaults)
    for theirs, ours in mapping.items():
        if ours not in ours_known:
            swapped = f"; the form is THEIRS=OURS, so say --map {ours}={theirs}" if theirs in ours_known and ours in target.names() else ""
            raise UsageError(f"--map {theirs}={ours}: {loss.name} has no {ours!r}, it has {', '.join(ours_known)}{swapped}")
        _must_take(target, theirs, f"--map {theirs}={ours}")
    for theirs in constants:
        _must_take(target, theirs, f"--set {theirs}=...")
    for ours in only:
        if ours not in loss.defaults:
            raise UsageError(f"--param {ours}=...: {loss.name} has no parameter {ours!r}, it has {', '.join(loss.defaults) or 'none'}")
    first, second = _array_names(loss, target, mapping)
    passed = {ours: theirs for theirs, ours in mapping.items() if ours in loss.defaults}
    fixed, why = dict(only), dict.fromkeys(only, "--param says otherwise")
    defaults = {p.name: p.default for p in target.parameters}
    for ours, default in loss.defaults.items():
        if ours in passed:
            continue
        if ours in constants:
            fixed[ours], why[ours] = constants[ours], f"--set fixes it at {constants[ours]!r}"
        elif ours in defaults and ours not in (first, second):
            passed[ours] = ours
        elif ours not in fixed:
            fixed[ours], why[ours] = default, f"the callable has no such argument, so only our default {default!r} is comparable"
    _nothing_left_open(target, first, second, passed, constants)
    return Plan(target, first, second, passed, dict(constants), fixed, why)


def _must_take(target: Target, name: str, option: str) -> None:
    if name not in target.names() and not target.open_ended:
        raise UsageError(f"{option}: {target.spec} has no argument {name!r}, it has {', '.join(target.names())}")


def _nothing_left_open(target: Target, first: str, second: str, passed: Mapping[str, str], constants: Mapping[str, Any]) -> None:
    given = {first, second, *passed.values(), *constants}
    for parameter in target.parameters:
        if parameter.default is OPTIONAL and parameter.name not in given:
            raise UsageError(
                f"{target.spec} needs {parameter.name!r} too; say --set {parameter.name}=VALUE, or --map {parameter.name}=OURS"
            )

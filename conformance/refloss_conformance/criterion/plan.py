"""Which of our outputs, truths and parameters goes to which argument of theirs, and which settings that leaves to test."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..criteria import Case, Criteria
from ..errors import UsageError
from ..mapping import OPTIONAL, same
from ..target import Target
from .evaluators import base
from .offers import USUAL, names


@dataclass(frozen=True)
class Request:
    """What was asked on the command line."""

    spec: str
    criterion: str
    mapping: Mapping[str, str] = field(default_factory=dict)
    constants: Mapping[str, Any] = field(default_factory=dict)
    init: Mapping[str, Any] = field(default_factory=dict)
    only: Mapping[str, Any] = field(default_factory=dict)
    arrays: str | None = None
    returns: str = "value"
    dtypes: Sequence[str] = ()
    pick: Any = None
    command: str = ""


@dataclass(frozen=True)
class Plan:
    """theirs -> our input, ours -> their parameter, and the only value of a parameter that can be tested, with the reason."""

    target: Target
    inputs: Mapping[str, str]
    passed: Mapping[str, str]
    constants: Mapping[str, Any]
    fixed: Mapping[str, Any]
    why: Mapping[str, str]

    def reason_to_skip(self, file: Criteria, parameters: Mapping[str, Any]) -> str | None:
        for name, value in self.fixed.items():
            ours = parameters.get(name, file.defaults[name])
            if not same(ours, value):
                return f"{name}={ours!r}: {self.why[name]}"
        return None

    def call(self, file: Criteria, case: Case, given: Mapping[str, Any]) -> Any:
        """The callable with its inputs, and the setting's parameters that it takes."""
        resolved = {**file.defaults, **base(file.name, case.parameters), **case.parameters}
        arguments = {**self.constants, **{theirs: resolved[ours] for ours, theirs in self.passed.items()}, **given}
        order = [p.name for p in self.target.parameters if p.positional_only]
        positional = [arguments.pop(name) for name in order if name in arguments]
        return self.target.function(*positional, **arguments)


def tuples(value: Any) -> Any:
    """Lists from a command line, as parameters are held."""
    return tuple(tuples(one) for one in value) if isinstance(value, (list, tuple)) else value


def plan(file: Criteria, target: Target, request: Request) -> Plan:
    """Match their arguments with ours, or say in one sentence what does not fit."""
    offered = names(file)
    known, takes = (*offered, *file.defaults), target.names()
    for theirs, ours in request.mapping.items():
        if ours not in known:
            raise UsageError(f"--map {theirs}={ours}: {file.name} has no {ours!r}, it has {', '.join(known)}")
    for option, given in (("--map", request.mapping), ("--set", request.constants)):
        for theirs in given:
            if theirs not in takes and not target.open_ended:
                raise UsageError(f"{option} {theirs}=...: {target.spec} has no argument {theirs!r}, it has {', '.join(takes)}")
    for ours in request.only:
        if ours not in file.defaults:
            raise UsageError(f"--param {ours}=...: {file.name} has no parameter {ours!r}, it has {', '.join(file.defaults)}")
    inputs = {theirs: ours for theirs, ours in request.mapping.items() if ours in offered}
    free = [name for name in takes if name not in request.mapping and name not in request.constants]
    for usual in (False, True):  # our own names first, all of them
        for ours in offered:
            found = next((name for name in (USUAL.get(ours, ()) if usual else (ours,)) if name in free), None)
            if found is not None and ours not in inputs.values() and not _covered(ours, inputs.values(), file):
                inputs[found] = ours
                free.remove(found)
    missing = [name for name in file.outputs if not _covered(name, inputs.values(), file)]
    if missing:
        wanted = ", ".join(missing)
        raise UsageError(f"which argument of {target.spec} takes {wanted}? It has {', '.join(takes)}; say --map THEIRS={missing[0]}")
    passed = {ours: theirs for theirs, ours in request.mapping.items() if ours in file.defaults}
    fixed, why = {name: tuples(value) for name, value in request.only.items()}, dict.fromkeys(request.only, "--param says otherwise")
    for ours, default in file.defaults.items():
        if ours in passed:
            continue
        if ours in request.constants:
            fixed[ours], why[ours] = tuples(request.constants[ours]), f"--set fixes it at {request.constants[ours]!r}"
        elif ours in free:
            passed[ours] = ours
        elif ours not in fixed:
            fixed[ours] = default
            why[ours] = f"the callable has no such argument, so only our default {default!r} is comparable (or another one with --param)"
    for parameter in target.parameters:
        if parameter.default is OPTIONAL and parameter.name not in {*inputs, *passed.values(), *request.constants}:
            raise UsageError(
                f"{target.spec} needs {parameter.name!r} too; say --set {parameter.name}=VALUE, or --map {parameter.name}=OURS"
            )
    return Plan(target, inputs, passed, dict(request.constants), fixed, why)


def _covered(name: str, given: Any, file: Criteria) -> bool:
    """Whether an output is passed, alone or in `outputs`; targets of one form are enough, too."""
    taken = set(given)
    if name in file.outputs:
        return name in taken or "outputs" in taken
    return name == "outputs" and bool(taken & set(file.outputs))

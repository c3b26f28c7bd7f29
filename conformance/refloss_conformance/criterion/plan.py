"""Which of our outputs, truths and parameters goes to which argument of theirs, and which settings that leaves to test."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..criteria import Criteria
from ..errors import UsageError
from ..mapping import Plan, fitted, free_names, must_fit
from ..target import Target
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


def plan(file: Criteria, target: Target, request: Request) -> Plan:
    """Match their arguments with ours, or say in one sentence what does not fit."""
    offered = names(file)
    must_fit(request, target, file.name, offered, file.defaults)
    inputs = {theirs: ours for theirs, ours in request.mapping.items() if ours in offered}
    free = free_names(request, target)
    for usual in (False, True):  # our own names first, all of them
        for ours in offered:
            found = next((name for name in (USUAL.get(ours, ()) if usual else (ours,)) if name in free), None)
            if found is not None and ours not in inputs.values() and not _covered(ours, inputs.values(), file):
                inputs[found] = ours
                free.remove(found)
    missing = [name for name in file.outputs if not _covered(name, inputs.values(), file)]
    if missing:
        wanted, has = ", ".join(missing), ", ".join(target.names())
        raise UsageError(f"which argument of {target.spec} takes {wanted}? It has {has}; say --map THEIRS={missing[0]}")
    return fitted(request, target, inputs, file.defaults)


def _covered(name: str, given: Any, file: Criteria) -> bool:
    """Whether an output is passed, alone or in `outputs`; targets of one form are enough, too."""
    taken = set(given)
    if name in file.outputs:
        return name in taken or "outputs" in taken
    return name == "outputs" and bool(taken & set(file.outputs))

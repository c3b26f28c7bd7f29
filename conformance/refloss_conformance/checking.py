"""`refloss check` of somebody else's: which way in the options ask for, and the document that comes out."""

import argparse
import os
import shlex
from collections.abc import Callable
from typing import Any

from . import scene_command, scenes
from .errors import UsageError
from .options import mapping, values

Step = Callable[[str, int, int], None]
OWN_ONLY = ("loss", "backend")
CALLABLE_ONLY = ("map", "set", "init", "arrays", "codes", "pick")
PROGRAM_ONLY = ("timeout", "strict")
SCENES_ONLY = ("codes", "pick")
EXPECTED = ("expect", "write_expect")
DEFAULTS = {"returns": "value", "reduction": "none"}
SPELLED = {"loss_name": "as", "program": "command", "write_expect": "write-expect"}
REFUSED: dict[str, dict[str, tuple[str, ...]]] = {
    "own": {
        "needs a MODULE:CALLABLE, a --command or a FOLDER": ("loss_name", "param", *CALLABLE_ONLY, *PROGRAM_ONLY),
        "is for what others wrote: refloss's own backends must pass": EXPECTED,
    },
    "callable": {"is for refloss's own backends; say --as LOSS": OWN_ONLY, "is for a --command": PROGRAM_ONLY},
    "program": {"is for refloss's own backends; say --as LOSS": OWN_ONLY, "is for callables": CALLABLE_ONLY},
    "files": {
        "is for refloss's own backends": OWN_ONLY, "is for callables": CALLABLE_ONLY, "is for a --command": PROGRAM_ONLY,
        "was settled by refloss export": ("loss_name", "param", "dtype"),
    },
}  # fmt: skip


def way_in(arguments: argparse.Namespace) -> str:
    """ "own", "callable", "program" or "files"; options that have no effect there are mistakes."""
    if arguments.program is not None and arguments.target is not None:
        raise UsageError(f"--command and {arguments.target} are two things to check; give one of them")
    way = "program" if arguments.program is not None else "own" if arguments.target is None else "callable"
    if way == "callable" and os.path.isdir(arguments.target):  # noqa: PTH112  (a name that is too long is no folder)
        way = "files"
    for why, names in REFUSED[way].items():
        for name in names:
            if getattr(arguments, name):
                raise UsageError(f"--{SPELLED.get(name, name)} {why}")
    for name, default in DEFAULTS.items():
        if way != "callable" and getattr(arguments, name) != default:
            raise UsageError(f"--{name} is for callables")
    if way in ("callable", "program") and not arguments.loss_name:
        raise UsageError(f"say which loss {arguments.target or arguments.program} is, with --as LOSS; refloss list shows them")
    return way


def document(arguments: argparse.Namespace, way: str, step: Step) -> dict[str, Any]:
    """The report of a callable, a program or a folder."""
    again = shlex.join(["refloss", *arguments.given])
    if way == "files":
        from . import exchange

        found = exchange.check(arguments.target, again)
        if found["report"] == "scenes":
            scene_command.fits(arguments, found["function"])
        if found["report"] == "criteria":
            from . import criteria_command

            criteria_command.fits(arguments, found["criterion"])
        return found
    if way == "program":
        return _program(arguments, again, step)
    dtypes = arguments.dtype or ()
    if arguments.loss_name.startswith("criteria."):
        from . import criteria_command

        criteria_command.fits(arguments, arguments.loss_name)
        return criteria_command.run(arguments, mapping(arguments.map), values, dtypes, step)
    if arguments.loss_name in scenes.names():
        scene_command.fits(arguments, arguments.loss_name)
        return scene_command.run(arguments, mapping(arguments.map), values, dtypes, step)
    for name in SCENES_ONLY:
        if getattr(arguments, name):
            raise UsageError(f"--{name} is for assigners and the like; {arguments.loss_name} answers with numbers")
    from . import third_party

    request = third_party.Request(
        arguments.target, arguments.loss_name, mapping(arguments.map), values("--set", arguments.set), values("--init", arguments.init),
        values("--param", arguments.param), arguments.arrays, arguments.returns, arguments.reduction, dtypes, again,
    )  # fmt: skip
    return third_party.run(request, step)


def _program(arguments: argparse.Namespace, again: str, step: Step) -> dict[str, Any]:
    from . import criteria_command
    from .program import check, criteria_check, scene_check

    way: Any = check
    if arguments.loss_name.startswith("criteria."):
        criteria_command.fits(arguments, arguments.loss_name)
        way = criteria_check
    elif arguments.loss_name in scenes.names():
        scene_command.fits(arguments, arguments.loss_name)
        way = scene_check
    timeout = arguments.timeout or 10.0
    request = check.Request(
        arguments.program, arguments.loss_name, values("--param", arguments.param), arguments.dtype or (), timeout, arguments.strict, again,
        max(60.0, timeout),
    )  # fmt: skip
    found: dict[str, Any] = way.run(request, step)
    return found

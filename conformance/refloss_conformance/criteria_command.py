"""The command's part for whole criteria: the request from the options."""

import argparse
import shlex
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from .criterion import check
from .errors import UsageError

LOSSES_ONLY = {"reduction": "none", "tier": "strict"}  # and what they are if nothing is said


def fits(arguments: argparse.Namespace, criterion: str) -> None:
    """Options that have no effect are mistakes."""
    for name, default in LOSSES_ONLY.items():
        if getattr(arguments, name) != default:
            raise UsageError(f"--{name} is for losses; {criterion} is a whole criterion, which divides and sums by itself")
    if arguments.codes:
        raise UsageError(f"--codes is for assigners; {criterion} answers with numbers")


def run(
    arguments: argparse.Namespace, mapping: Mapping[str, str], values: Callable[[str, Sequence[str] | None], dict[str, Any]],
    dtypes: Sequence[str], step: Callable[[str, int, int], None],
) -> dict[str, Any]:  # fmt: skip
    """The report of one callable."""
    pick = int(arguments.pick) if arguments.pick is not None and arguments.pick.lstrip("-").isdigit() else arguments.pick
    request = check.Request(
        arguments.target, arguments.loss_name, mapping, values("--set", arguments.set), values("--init", arguments.init),
        values("--param", arguments.param), arguments.arrays, arguments.returns, dtypes, pick, shlex.join(["refloss", *arguments.given]),
    )  # fmt: skip
    return check.run(request, step)

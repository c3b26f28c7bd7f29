"""The `refloss` command: check, list, show. Exit code 0: all passed; 1: failures; 2: the command was used wrongly."""

import argparse
import ast
import math
import pathlib
import shlex
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from refloss.errors import ReflossError

from . import jsonable, own, printing, replay, scene_command, scene_printing, scenes, third_party
from .backends import BACKENDS
from .errors import UsageError
from .frameworks import NAMES
from .show import list_losses, show_loss
from .vectors import DTYPES

Step = Callable[[str, int, int], None]


def literal(text: str) -> Any:
    """A value from the command line: a Python literal, or else the text itself."""
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return {"inf": math.inf, "-inf": -math.inf}.get(text, text)


def pairs(option: str, given: Sequence[str] | None, form: str) -> dict[str, str]:
    """name=value options; commas separate several where a value holds none."""
    found: dict[str, str] = {}
    for entry in given or ():
        name, equals, value = entry.partition("=")
        if not equals or not name or not value:
            raise UsageError(f"{option} {entry}: the form is {option} {form}")
        found[name.strip()] = value.strip()
    return found


def mapping(given: Sequence[str] | None) -> dict[str, str]:
    entries = [entry for text in given or () for entry in text.split(",") if entry]
    return pairs("--map", entries, "THEIRS=OURS,...")


def values(option: str, given: Sequence[str] | None) -> dict[str, Any]:
    return {name: literal(value) for name, value in pairs(option, given, "NAME=VALUE").items()}


@contextmanager
def progress(quiet: bool) -> Iterator[Step]:
    """A bar on a terminal; nothing elsewhere."""
    console = Console(stderr=True)
    if quiet or not console.is_terminal:
        yield lambda what, done, of: None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("starting", total=None)
        yield lambda what, done, of: bar.update(task, description=what, completed=done, total=of)


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog="refloss", description=__doc__)
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    check = commands.add_parser("check", help="check refloss's own backends, or any callable, against the golden vectors")
    check.add_argument("target", nargs="?", metavar="MODULE:CALLABLE", help="what to check; without it, refloss's own backends")
    check.add_argument("--loss", action="append", metavar="NAME", help="own backends: only this loss (repeatable)")
    check.add_argument(
        "--backend", action="append", metavar="NAME", help=f"own backends: only this one (repeatable): {', '.join(BACKENDS)}"
    )
    check.add_argument("--dtype", action="append", metavar="NAME", help=f"only this dtype (repeatable): {', '.join(DTYPES)}")
    check.add_argument("--as", dest="loss_name", metavar="LOSS", help="the loss that the callable claims to be")
    check.add_argument("--map", action="append", metavar="THEIRS=OURS,...", help="their argument takes our array or parameter")
    check.add_argument("--set", action="append", metavar="NAME=VALUE", help="a constant for one of their arguments (repeatable)")
    check.add_argument("--init", action="append", metavar="NAME=VALUE", help="an argument for making the instance of a class (repeatable)")
    check.add_argument("--param", action="append", metavar="NAME=VALUE", help="only settings with this value of our parameter (repeatable)")
    check.add_argument("--arrays", metavar="KIND", help=f"what arrays it takes: {', '.join(NAMES)}; found from its module if not given")
    check.add_argument("--returns", default="value", metavar="WHAT", help="value, value_and_grad, or similarity (1 - it is the loss)")
    check.add_argument("--reduction", default="none", metavar="NAME", help="what it is stated to do to a batch: none, mean or sum")
    check.add_argument("--codes", action="append", metavar="NAME=CODE,...", help="assigners: how theirs writes negative, ignore and first")
    check.add_argument("--pick", metavar="WHICH", help="functions: which part of its result is the answer: a place, a key or an attribute")
    check.add_argument("--tier", default="strict", choices=("strict", "training"), help="which verdict decides the exit code")
    check.add_argument("--json", metavar="FILE", help="write everything as JSON; - is standard output")
    commands.add_parser("list", help="the losses, codings and functions, their parameters and how many cases each has")
    show = commands.add_parser("show", help="one of them: formula, parameters, flags, known deviations, an example")
    show.add_argument("name", metavar="LOSS")
    again = commands.add_parser("replay", help="recordings of a detector's original code against the criterion of the same rules")
    again.add_argument("file", nargs="*", metavar="FILE", help="recordings; without any, darknet's that come with refloss")
    again.add_argument("--json", metavar="FILE", help="write the outcome as JSON; - is standard output")
    return top


OWN_ONLY, CALLABLE_ONLY = ("loss", "backend"), ("loss_name", "map", "set", "init", "param", "arrays", "codes", "pick")
SCENES_ONLY = ("codes", "pick")


def _fits(arguments: argparse.Namespace) -> None:
    """Options that have no effect are mistakes."""
    spelled = {"loss_name": "as"}
    for name in CALLABLE_ONLY if arguments.target is None else OWN_ONLY:
        if getattr(arguments, name):
            where = "needs a MODULE:CALLABLE" if arguments.target is None else "is for refloss's own backends; say --as LOSS"
            raise UsageError(f"--{spelled.get(name, name)} {where}")
    if arguments.target is not None and not arguments.loss_name:
        raise UsageError(f"say which loss {arguments.target} is, with --as LOSS; refloss list shows them")
    if arguments.loss_name in scenes.names():
        scene_command.fits(arguments)
        return
    for name in SCENES_ONLY:
        if getattr(arguments, name):
            raise UsageError(f"--{name} is for assigners and the like; {arguments.loss_name} answers with numbers")


def _write(document: Any, where: str) -> None:
    text = jsonable.dumps(document)
    if where == "-":
        sys.stdout.write(text)
        return
    try:
        pathlib.Path(where).write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"--json {where}: cannot be written ({error.strerror})") from None


def check(arguments: argparse.Namespace, console: Console) -> int:
    _fits(arguments)
    if arguments.target is None:
        with progress(arguments.json == "-") as step:
            report = own.check(arguments.loss or (), arguments.backend or (), arguments.dtype or (), step)
        if arguments.json != "-":
            printing.own_report(console, report)
        if arguments.json:
            _write(report.as_json(), arguments.json)
        return 0 if report.passed else 1
    dtypes = own.choose(arguments.dtype or (), third_party.DTYPES, "dtype for callables") if arguments.dtype else ()
    if arguments.loss_name in scenes.names():
        with progress(arguments.json == "-") as step:
            found = scene_command.run(arguments, mapping(arguments.map), values, dtypes, step)
        if arguments.json != "-":
            scene_printing.scene_report(console, found)
        if arguments.json:
            _write(found, arguments.json)
        return 0 if found["passed"] else 1
    request = third_party.Request(
        arguments.target, arguments.loss_name, mapping(arguments.map), values("--set", arguments.set), values("--init", arguments.init),
        values("--param", arguments.param), arguments.arrays, arguments.returns, arguments.reduction, dtypes,
        shlex.join(["refloss", *arguments.given]),
    )  # fmt: skip
    with progress(arguments.json == "-") as step:
        document = third_party.run(request, step)
    if arguments.json != "-":
        printing.callable_report(console, document)
    if arguments.json:
        _write(document, arguments.json)
    return 0 if document[arguments.tier] else 1


def replayed(arguments: argparse.Namespace, console: Console) -> int:
    found = replay.run(arguments.file)
    if arguments.json != "-":
        printing.replay_report(console, found, replay.LIMIT)
    if arguments.json:
        cases = [{**asdict(one), "passed": one.passed} for one in found]
        _write({"schema": 1, "report": "replay", "limit": replay.LIMIT, "cases": cases}, arguments.json)
    return 0 if found and all(one.passed for one in found) else 1


def main(given: Sequence[str] | None = None) -> int:
    """The command; answers the exit code."""
    words = list(sys.argv[1:] if given is None else given)
    arguments = parser().parse_args(words)
    arguments.given = words
    console = Console(width=None if sys.stdout.isatty() else 160, highlight=False, soft_wrap=True)
    try:
        if arguments.command == "check":
            return check(arguments, console)
        if arguments.command == "list":
            return list_losses(console)
        if arguments.command == "replay":
            return replayed(arguments, console)
        return show_loss(console, arguments.name)
    except (UsageError, ReflossError) as error:
        print(f"refloss: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())

"""The options of the `refloss` command, and how their texts are read."""

import argparse
import ast
import math
from collections.abc import Sequence
from typing import Any

from .backends import BACKENDS
from .errors import UsageError
from .frameworks import NAMES
from .vectors import DTYPES, USUAL_DTYPES


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
        name, value = name.strip(), value.strip()
        if found.setdefault(name, value) != value:
            raise UsageError(f"{option} {name}={value}: {option} {name}={found[name]} says otherwise; leave one of them out")
    return found


def mapping(given: Sequence[str] | None) -> dict[str, str]:
    entries = [entry for text in given or () for entry in text.split(",") if entry]
    return pairs("--map", entries, "THEIRS=OURS,...")


def values(option: str, given: Sequence[str] | None) -> dict[str, Any]:
    return {name: literal(value) for name, value in pairs(option, given, "NAME=VALUE").items()}


def _seconds(text: str) -> float:
    value = float(text)
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError("a number of seconds above 0")
    return value


def _count(text: str) -> int:
    value = int(text)
    if value < 0:
        raise argparse.ArgumentTypeError("a number of cases, 0 or more")
    return value


def parser(description: str | None) -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog="refloss", description=description)
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _check(commands.add_parser("check", help="check refloss's own backends, any callable, any program, or a folder of answers"))
    export = commands.add_parser("export", help="write golden inputs into a folder, to be computed anywhere; then refloss check FOLDER")
    export.add_argument("folder", metavar="FOLDER", help="a new folder")
    export.add_argument("--as", dest="loss_name", metavar="LOSS", required=True, help="the loss, coding, function or criterion")
    export.add_argument("--dtype", action="append", metavar="NAME", help="only this dtype (repeatable); float32 and float64 if not given")
    export.add_argument("--param", action="append", metavar="NAME=VALUE", help="only settings with this value of a parameter (repeatable)")
    report = commands.add_parser("report", help="reports of several checks (refloss check --json) merged into one page")
    report.add_argument("file", nargs="+", metavar="FILE", help="what refloss check --json wrote; a later file replaces the same check")
    report.add_argument("--title", default="", metavar="TEXT", help="heading of the page")
    _outputs(report)
    commands.add_parser("list", help="the losses, codings, functions and criteria, their parameters and how many cases each has")
    show = commands.add_parser("show", help="one of them: formula, parameters, flags, known deviations, an example")
    show.add_argument("name", metavar="LOSS")
    again = commands.add_parser("replay", help="recordings of a detector's original code against the criterion of the same rules")
    again.add_argument("file", nargs="*", metavar="FILE", help="recordings; without any, darknet's that come with refloss")
    again.add_argument("--json", metavar="FILE", help="write the outcome as JSON; - is standard output")
    return top


def _check(check: argparse.ArgumentParser) -> None:
    check.add_argument("target", nargs="?", metavar="MODULE:CALLABLE|FOLDER", help="what to check; without it, refloss's own backends")
    check.add_argument(
        "--command", dest="program", metavar="TEXT", help="check a program that speaks JSON lines, such as 'node harness.js'"
    )
    check.add_argument("--as", dest="loss_name", metavar="LOSS", help="the loss that it claims to be")
    check.add_argument("--loss", action="append", metavar="NAME", help="own backends: only this loss (repeatable)")
    check.add_argument(
        "--backend", action="append", metavar="NAME", help=f"own backends: only this one (repeatable): {', '.join(BACKENDS)}"
    )
    own_only = " and ".join(name for name in DTYPES if name not in USUAL_DTYPES)
    dtypes = f"only this dtype (repeatable): {', '.join(USUAL_DTYPES)}; {own_only} for refloss's own backends alone"
    check.add_argument("--dtype", action="append", metavar="NAME", help=dtypes)
    check.add_argument("--param", action="append", metavar="NAME=VALUE", help="only settings with this value of our parameter (repeatable)")
    check.add_argument("--tier", default="strict", choices=("strict", "training"), help="which verdict decides the exit code")
    callables = check.add_argument_group("callables")
    callables.add_argument("--map", action="append", metavar="THEIRS=OURS,...", help="their argument takes our array or parameter")
    callables.add_argument("--set", action="append", metavar="NAME=VALUE", help="a constant for one of their arguments (repeatable)")
    callables.add_argument(
        "--init", action="append", metavar="NAME=VALUE", help="an argument for making the instance of a class (repeatable)"
    )
    callables.add_argument("--arrays", metavar="KIND", help=f"what arrays it takes: {', '.join(NAMES)}; found from its module if not given")
    callables.add_argument("--returns", default="value", metavar="WHAT", help="value, value_and_grad, or similarity (1 - it is the loss)")
    callables.add_argument("--reduction", default="none", metavar="NAME", help="what it is stated to do to a batch: none, mean or sum")
    callables.add_argument("--codes", action="append", metavar="NAME=CODE,...", help="assigners: how theirs writes negative, ignore, first")
    callables.add_argument(
        "--pick", metavar="WHICH", help="functions: which part of its result is the answer: a place, a key, an attribute"
    )
    programs = check.add_argument_group("programs")
    programs.add_argument("--timeout", type=_seconds, metavar="SECONDS", help="for each answer (10); the first one has 60 at least")
    programs.add_argument("--strict", action="store_true", help="hold every message to the protocol's JSON Schema")
    gate = check.add_argument_group("expectations")
    gate.add_argument("--expect", metavar="FILE", help="failures that are known, with reasons; a stale one fails")
    gate.add_argument("--write-expect", metavar="FILE", help="write a file of expectations from the present failures")
    gate.add_argument("--min-cases", type=_count, default=1, metavar="N", help="fewer cases than this are a failure (1)")
    _outputs(check.add_argument_group("reports (- is standard output)"))


def _outputs(parser: Any) -> None:
    parser.add_argument("--json", metavar="FILE", help="everything, as JSON")
    parser.add_argument("--junit", metavar="FILE", help="JUnit XML, for a CI's test view")
    parser.add_argument("--markdown", metavar="FILE", help="Markdown, for a CI's summary")
    parser.add_argument("--html", metavar="FILE", help="one page that works offline")
    parser.add_argument("--badge", metavar="FILE", help="JSON for a shields.io endpoint badge")

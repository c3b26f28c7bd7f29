"""The `refloss` command: check, export, report, list, show, replay. Exit code 0: all passed; 1: failures; 2: it was used wrongly."""

import argparse
import atexit
import gc
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import asdict
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from refloss.errors import ReflossError

from . import checking, expectations, expectations_writing, finishing, own, printing, scene_printing
from .errors import UsageError
from .options import parser, values
from .vectors import USUAL_DTYPES

Step = Callable[[str, int, int], None]


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


def check(arguments: argparse.Namespace, console: Console) -> int:
    """`refloss check`: every way in."""
    way, quiet = checking.way_in(arguments), finishing.to_stdout(arguments)
    if way == "own":
        return _own(arguments, console, quiet)
    known = expectations.load(arguments.expect) if arguments.expect else None
    if arguments.dtype:
        arguments.dtype = own.choose(arguments.dtype, USUAL_DTYPES, "dtype to check others in")
    with progress(quiet) as step, redirect_stdout(sys.stderr):  # what a callable prints is no part of the report
        found = checking.document(arguments, way, step)
    if known is not None:
        found = expectations.apply(found, known, arguments.tier)
    if not quiet:
        _show(console, found)
    finishing.write(arguments, [found])
    if arguments.write_expect:
        count = expectations_writing.write(found, arguments.write_expect)
        console.print(f"{count} expectations in {arguments.write_expect}")
    good = finishing.passed(found, arguments.tier) if known is None else expectations.passed(found)
    return 0 if _enough(found, arguments.min_cases) and good else 1


def _show(console: Console, found: dict[str, Any]) -> None:
    if found["report"] == "scenes":
        scene_printing.scene_report(console, found)
    elif found["report"] == "criteria":
        from . import criteria_printing

        criteria_printing.criteria_report(console, found)
    else:
        printing.callable_report(console, found)
    printing.expectations(console, found["expected"])


def _own(arguments: argparse.Namespace, console: Console, quiet: bool) -> int:
    with progress(quiet) as step:
        report = own.check(arguments.loss or (), arguments.backend or (), arguments.dtype or (), step)
    if not quiet:
        printing.own_report(console, report)
    found = report.as_json()
    finishing.write(arguments, [found])
    return 0 if _enough(found, arguments.min_cases) and report.passed else 1


def _enough(found: dict[str, Any], least: int) -> bool:
    problem = expectations.too_few([found], least)
    if problem:
        print(f"refloss: {problem}", file=sys.stderr)
    return problem is None


def replayed(arguments: argparse.Namespace, console: Console) -> int:
    from . import replay

    found = replay.run(arguments.file)
    if arguments.json != "-":
        printing.replay_report(console, found, replay.LIMIT)
    if arguments.json:
        cases = [{**asdict(one), "passed": one.passed} for one in found]
        finishing.put("--json", arguments.json, finishing.as_json({"schema": 1, "report": "replay", "limit": replay.LIMIT, "cases": cases}))
    return 0 if found and all(one.passed for one in found) else 1


def exported(arguments: argparse.Namespace, console: Console) -> int:
    from . import exchange

    dtypes = own.choose(arguments.dtype or (), USUAL_DTYPES, "dtype to check others in")
    console.print(exchange.export(arguments.folder, arguments.loss_name, dtypes, values("--param", arguments.param)))
    return 0


def reported(arguments: argparse.Namespace, console: Console) -> int:
    """Several reports as one; where no form is asked for, Markdown on standard output."""
    from .reports import load

    documents = [load(file) for file in arguments.file]
    if not any(getattr(arguments, form) for form in finishing.FORMS):
        arguments.markdown = "-"
    finishing.to_stdout(arguments)
    finishing.write(arguments, documents, arguments.title)
    return 0


def _collect_seldom() -> None:
    """Where the process is the command's: looking for garbage in all that a framework imports takes a quarter of the time of the import."""
    gc.set_threshold(100_000, 50, 1000)
    atexit.register(gc.freeze)  # and so does looking once more at the end


def main(given: Sequence[str] | None = None) -> int:
    """The command; answers the exit code."""
    if given is None:
        _collect_seldom()
    words = list(sys.argv[1:] if given is None else given)
    arguments = parser(__doc__).parse_args(words)
    arguments.given = words
    console = Console(width=None if sys.stdout.isatty() else 160, highlight=False, soft_wrap=True)
    try:
        if arguments.command in ("list", "show"):
            from . import show

            return show.list_losses(console) if arguments.command == "list" else show.show_loss(console, arguments.name)
        return {"check": check, "replay": replayed, "export": exported, "report": reported}[arguments.command](arguments, console)
    except (UsageError, ReflossError) as error:
        print(f"refloss: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())

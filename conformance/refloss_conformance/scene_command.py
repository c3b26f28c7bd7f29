"""The command's part for functions with golden scenes: the request from the options, and `refloss list` and `show` of them."""

import argparse
import importlib
import inspect
import shlex
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from . import scene_third_party, scenes
from .errors import UsageError
from .printing import parameters
from .scene_offers import names as offered
from .scene_own import function_of
from .scene_printing import short

LOSSES_ONLY = {"returns": "value", "reduction": "none", "tier": "strict"}  # and what they are if nothing is said


def fits(arguments: argparse.Namespace, function: str) -> None:
    """Options that have no effect are mistakes."""
    for name, default in LOSSES_ONLY.items():
        if getattr(arguments, name) != default:
            raise UsageError(f"--{name} is for losses; {function} answers with integers, which are right or wrong")


def run(
    arguments: argparse.Namespace, mapping: Mapping[str, str], values: Callable[[str, Sequence[str] | None], dict[str, Any]],
    dtypes: Sequence[str], step: Callable[[str, int, int], None],
) -> dict[str, Any]:  # fmt: skip
    """The report of one callable."""
    codes = values("--codes", [entry for text in arguments.codes or () for entry in text.split(",") if entry])
    pick = int(arguments.pick) if arguments.pick is not None and arguments.pick.lstrip("-").isdigit() else arguments.pick
    request = scene_third_party.Request(
        arguments.target, arguments.loss_name, mapping, values("--set", arguments.set), values("--init", arguments.init),
        values("--param", arguments.param), arguments.arrays, dtypes, codes, pick, shlex.join(["refloss", *arguments.given]),
    )  # fmt: skip
    return scene_third_party.run(request, step)


def list_functions(console: Console) -> None:
    """All functions with scenes."""
    table = Table("function", "parameters", "settings", "scenes")
    for name in scenes.names():
        file = scenes.load(name)
        table.add_row(name, escape(parameters(dict(file.defaults))), str(len(file.settings())), str(len(file.scenes)))
    console.print(table)


def show(console: Console, name: str) -> int:
    """Everything about one function."""
    file = scenes.load(name)
    signature = [*file.inputs, *(f"{key}={value!r}" for key, value in file.defaults.items())]
    console.print(f"[bold]{escape(name)}[/]({escape(', '.join(signature))})")
    console.print(escape(inspect.getdoc(function_of(name)) or ""))
    module = importlib.import_module(function_of(name).__module__)
    console.print(f"\n[bold]source[/] {escape(str(module.__name__))}")
    console.print(f"[bold]arrays for --map[/] {escape(', '.join(offered(file)))}")
    for part, one in file.parts.items():
        console.print(f"[bold]answer[/] {part}: {escape(one.description)}")
    console.print("\n[bold]known deviations[/]")
    for deviation in file.deviations.values():
        text = f"{deviation.title}. {deviation.effect}"
        console.print(f"  [magenta]{deviation.name}[/]: {escape(text)} [dim]Seen in: {escape(deviation.seen)}.[/]")
    console.print("\n[bold]settings[/]")
    for setting in file.settings():
        count = sum(scene.parameters == setting for scene in file.scenes)
        console.print(f"  {escape(parameters(dict(setting)))}: {count} scenes")
    console.print("\n[bold]flags[/]")
    for flag, note in file.notes.items():
        console.print(f"  [cyan]{flag}[/] ({note['kind']}): {escape(note['description'])}")
    _example(console, file)
    return 0


def _example(console: Console, file: scenes.Scenes) -> None:
    one = file.scenes[0]
    console.print(f"\n[bold]an example[/]\n  {escape(one.id)}")
    for name, value in scenes.arrays(file, one, "float64").items():
        console.print(f"  {name} = {escape(short(value.tolist() if hasattr(value, 'tolist') else value))}")
    for part, value in one.expected.items():
        console.print(f"  [bold]{part}[/] = {escape(short(value))}")

"""`refloss list` and `refloss show NAME`."""

import inspect
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

import refloss.coders

from . import cases, criteria, criteria_printing, scene_command, scenes
from .deviations import grouping
from .printing import number, parameters
from .records import RECORDS


def list_losses(console: Console) -> int:
    """All losses; one without golden vectors says so."""
    table = Table()
    table.add_column("loss", no_wrap=True)
    for heading in ("kind", "parameters", "settings", "cases"):
        table.add_column(heading, overflow="fold")
    present = cases.has_vectors()
    for name, loss in RECORDS.items():
        counts = ("-", "no vectors")
        if name in present:
            loaded = cases.load(name)
            counts = (str(len(loaded.groups)), str(sum(len(group.cases) for group in loaded.groups)))
        table.add_row(name, loss.kind, parameters(loss.defaults), *counts)
    console.print(table)
    scene_command.list_functions(console)
    criteria_printing.list_criteria(console)
    return 0


def show_loss(console: Console, name: str) -> int:
    """Everything about one loss, coding or function."""
    if name in scenes.names():
        return scene_command.show(console, name)
    if name in criteria.names():
        return criteria_printing.show_criterion(console, name)
    loss: Any = cases.known(name)
    signature = [f"{array}" for array in loss.arrays] + [f"{key}={value!r}" for key, value in loss.defaults.items()]
    if loss.kind == "codes":
        console.print(f"[bold]{escape(name)}[/]({escape(', '.join(signature))}): refloss.coders.{loss.title}")
        console.print(escape(inspect.getdoc(getattr(refloss.coders, loss.owner)) or ""))
    else:
        console.print(f"[bold]{escape(name)}[/]({escape(', '.join(signature))}, weights=None, reduction='none', normalizer=None)")
        console.print(escape(inspect.getdoc(loss.settle) or ""))
    console.print("\n[bold]formula[/]")
    console.print(escape(inspect.getsource(loss.formula)))
    console.print("[bold]known deviations[/]")
    for line in grouping.lines(name):
        console.print(f"  [magenta]{escape(line.names)}[/]: {escape(f'{line.title}. {line.effect}')} [dim]Seen in: {escape(line.seen)}.[/]")
    if name not in cases.has_vectors():
        console.print("[yellow]no golden vectors[/]")
        return 0
    loaded = cases.load(name)
    console.print("\n[bold]settings[/]")
    for group in loaded.groups:
        console.print(f"  {escape(parameters(dict(group.parameters)))}: {len(group.cases)} cases")
    console.print("\n[bold]flags[/]")
    for flag, note in loaded.notes.items():
        console.print(f"  [cyan]{flag}[/] ({note['kind']}): {escape(note['description'])}")
    _example(console, loss, cases.batches(name, ("float32",))[0])
    return 0


def _example(console: Console, loss: Any, batch: cases.Batch) -> None:
    one = batch.take([min(1, len(batch) - 1)])
    first, second = loss.arrays
    console.print("\n[bold]an example[/]")
    console.print(f"  {escape(one.ids[0])}")
    console.print(f"  {first} = {escape(number(one.first[0].tolist()))}, {second} = {escape(number(one.second[0].tolist()))}")
    value, gradient = one.value.number[0].tolist(), one.gradient.number[0].tolist()
    console.print(f"  value = {escape(number(value))}, gradient = {escape(number(gradient))}")

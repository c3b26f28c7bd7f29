"""What the command shows of a whole criterion."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from .criteria import Criteria, load, names
from .criterion.deviations import DEVIATIONS
from .criterion.normalizers import MOVING, NORMALIZERS
from .criterion.offers import names as offered
from .printing import deviations, heading, not_run, troubles
from .scene_printing import findings, right


def short(value: float) -> str:
    return f"{value:.8g}"


def criteria_report(console: Console, report: dict[str, Any]) -> None:
    """One implementation: how it was called, its normalisers, worst cases side by side, the deviation, the verdict."""
    heading(console, report, report["criterion"], report["arguments"], f"gradients: {report['gradients']}")
    ran = [group["id"] for group in report["groups"] if group["status"] == "run"]
    console.print(f"ran {len(ran)} of {len(report['groups'])} settings: {', '.join(ran)}")
    reasons: dict[str, list[str]] = {}
    for group in report["groups"]:
        if group["status"] != "run":
            reasons.setdefault(group["reason"], []).append(group["id"])
    for why, settings in reasons.items():
        console.print(f"[yellow]skipped[/] {', '.join(settings)}: {escape(why)}")
    not_run(console, report)
    troubles(console, report)
    findings(console, report)
    _normalizers(console, report["normalizers"])
    for case in report["worst"]:
        _case(console, case)
    deviations(console, report, "cases", lambda one: ", which gives every answer")
    if report["unknown"] is not None:
        console.print(f"[bold]deviation[/] unknown: {escape(report['unknown']['text'])}")
        for fact in report["unknown"]["facts"]:
            console.print(f"    {escape(fact)}")
    right(console, report, "batches")


def _normalizers(console: Console, found: Mapping[str, Sequence[Mapping[str, Any]]]) -> None:
    told: dict[str, list[str]] = {}
    for term, entries in found.items():
        texts = [one["title"] + ("" if one["times"] == 1 else f", times {one['times']:.6g}") for one in entries]
        told.setdefault("; or ".join(texts), []).append(term)
    for text, terms in told.items():
        console.print(f"[bold]normaliser[/] of {' and '.join(terms)}: {escape(text)}")


def _case(console: Console, case: Mapping[str, Any]) -> None:
    positives = ", ".join(map(str, case["positives"]))
    console.print(f"[red]wrong[/] {escape(case['id'])} ({case['dtype']}, positives of its images {positives})")
    if case["got"] is None:
        console.print(f"    [bold]got[/] nothing: {escape(case['raised'])}")
    else:
        for name, value in case["got"].items():
            mark = "[red]" if name in case["wrong"] else "[green]"
            console.print(f"    {name}: wanted {short(case['expected'][name])}, {mark}got {short(value)}[/]")
    for slope in case["gradients"]:
        wanted, got = short(slope["wanted"]), short(slope["got"])
        console.print(f"    gradient of {slope['term']}, number {slope['entry']}: wanted {wanted}, [red]got {got}[/]")
    for note in case["notes"]:
        console.print(f"    [dim]{escape(note)}[/]")


def list_criteria(console: Console) -> None:
    """All criteria with golden values."""
    table = Table("criterion", "terms", "settings", "cases")
    for name in names():
        file = load(name)
        table.add_row(name, ", ".join(file.terms), ", ".join(file.settings), str(len(file.cases)))
    console.print(table)


def show_criterion(console: Console, name: str) -> int:
    """Everything about one criterion."""
    import inspect

    import refloss.criteria

    from .criteria import CLASSES

    file: Criteria = load(name)
    console.print(f"[bold]{escape(name)}[/]: refloss.criteria.{CLASSES[name]}")
    console.print(escape(inspect.getdoc(getattr(refloss.criteria, CLASSES[name])) or ""))
    console.print(f"\n[bold]inputs for --map[/] {escape(', '.join(offered(file)))}")
    for output, what in file.outputs.items():
        console.print(f"[bold]output[/] {output} ({escape(', '.join(map(str, what.shape)))}): {escape(what.description)}")
    console.print("\n[bold]settings[/]")
    for setting, parameters in file.settings.items():
        given = ", ".join(f"{key}={value!r}" for key, value in parameters.items())
        console.print(f"  {setting} ({escape(given)}): {len(file.of(setting))} cases")
    console.print("\n[bold]normalisers that are told apart[/]")
    for one in (*NORMALIZERS.values(), *MOVING.values()):
        console.print(f"  [magenta]{one.name}[/]: {escape(one.title)}. {escape(one.effect)} [dim]Seen in: {escape(one.seen)}.[/]")
    console.print("\n[bold]known deviations[/]")
    for deviation in DEVIATIONS.values():
        if name in deviation.criteria:
            title = deviation.title.replace("{constant}", "c")
            console.print(
                f"  [magenta]{deviation.name}[/]: {escape(title)}. {escape(deviation.effect)} [dim]Seen in: {escape(deviation.seen)}.[/]"
            )
    console.print("\n[bold]flags[/]")
    for flag, note in file.notes.items():
        console.print(f"  [cyan]{flag}[/] ({note['kind']}): {escape(note['description'])}")
    return 0

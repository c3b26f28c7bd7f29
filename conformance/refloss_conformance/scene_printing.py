"""What the command shows of a callable's answers to golden scenes."""

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.markup import escape

from .printing import deviations, explained, heading, not_run, parameters, troubles, verdict

WIDE = 110


def short(value: Any) -> str:
    """An array on one line; long ones are cut."""
    text = str(_read(value)).replace(".0,", ",").replace(".0]", "]")
    return text if len(text) <= WIDE else f"{text[: WIDE - 4]} ..."


def _read(value: Any) -> Any:
    """Decimal strings as numbers, and numbers with six digits."""
    if isinstance(value, (list, tuple)):
        return [_read(one) for one in value]
    if isinstance(value, str) and value[:1] in "-0123456789" and value:
        value = float(value)
    return float(f"{value:.6g}") if isinstance(value, float) else value


def scene_report(console: Console, report: dict[str, Any]) -> None:
    """One implementation: how it was called, the verdict, worst cases side by side, the deviation."""
    codes = ", ".join(f"{name}={code}" for name, code in report["codes"].items())
    heading(console, report, report["function"], report["arguments"], f"codes read as {codes}")
    ran = [parameters(group["parameters"]) for group in report["groups"] if group["status"] == "run"]
    console.print(f"ran {len(ran)} of {len(report['groups'])} parameter settings: {escape('; '.join(ran))}")
    reasons: dict[str, list[str]] = {}
    for group in report["groups"]:
        if group["status"] != "run":
            setting, _, why = group["reason"].partition(": ")
            reasons.setdefault(why, []).append(setting)
    for why, settings in reasons.items():
        console.print(f"[yellow]skipped[/] {escape(', '.join(dict.fromkeys(settings)))}: {escape(why)}")
    not_run(console, report)
    troubles(console, report)
    findings(console, report)
    for case in report["worst"]:
        _case(console, case)
    deviations(console, report, "scenes", lambda one: f", failing answers it explains: {explained(one)}")
    if report["known"] == "unknown":
        console.print("[bold]deviation[/] unknown: no known deviation gives these answers")
    right(console, report, "answers")


def findings(console: Console, report: Mapping[str, Any]) -> None:
    """What is said apart from answers."""
    for finding in report["findings"]:
        mark = "[yellow]note[/]" if finding["kind"] == "note" else f"[bold]deviation[/] [bold magenta]{finding['name']}[/]"
        console.print(f"{mark}: {escape(finding['text'])}. {escape(finding['effect'])}".rstrip())


def right(console: Console, report: Mapping[str, Any], answers: str) -> None:
    """The last line: how many are right, and the verdict."""
    passed = report["cases"] - report["failed"]
    how = "raised" if report["via"] == "callable" else "were not given"
    raised = f", {report['raised']} of the others {how}" if report["raised"] else ""
    ran_in = ", ".join(one["dtype"] for one in report["dtypes"] if one["run"])
    good = verdict(report["passed"], "conforms", "does not conform")
    console.print(f"{passed} of {report['cases']} {answers} are right{raised} ({ran_in}): {good}")


def _case(console: Console, case: dict[str, Any]) -> None:
    console.print(f"[red]wrong[/] {escape(case['id'])} ({escape(parameters(case['parameters']))}, {case['dtype']})")
    for name, value in case["inputs"].items():
        console.print(f"    {escape(name)} = {escape(short(value))}")
    for part, wanted in case["expected"].items():
        more = f" (or one of {case['allowed'] - 1} others that the tie allows)" if case["allowed"] > 1 else ""
        console.print(f"    wanted {part} = {escape(short(wanted))}{more}")
        if case["got"] is not None:
            console.print(f"    [bold]got[/]    {part} = {escape(short(case['got'][part]))}")
    if case["got"] is None:
        console.print(f"    [bold]got[/]    nothing: {escape(case['raised'])}")
    for note in case["notes"]:
        console.print(f"    [dim]{escape(note)}[/]")

"""What the command shows, with rich: tables, verdicts, worst cases."""

import math
from collections.abc import Callable, Mapping
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

COLOURS = {"pass": "green", "fail": "red", "error": "red", "nothing ran": "red"}


def number(value: Any) -> str:
    """A short number; lists in brackets."""
    if isinstance(value, list):
        return "[" + ", ".join(number(v) for v in value) + "]"
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _eps(value: float) -> str:
    return "inf" if math.isinf(value) else f"{value:.3g}"


def verdict(good: bool, yes: str = "pass", no: str = "fail") -> str:
    return f"[green]{yes}[/]" if good else f"[bold red]{no}[/]"


def parameters(values: dict[str, Any]) -> str:
    return ", ".join(f"{name}={value!r}" for name, value in values.items()) or "no parameters"


def own_report(console: Console, report: Any) -> None:
    """The matrix of losses and backends, and the functions that have scenes."""
    detectors = [row for row in report.rows if row.loss.startswith("criteria.")]
    scene_rows = [row for row in report.rows if row.backend == "core" and row not in detectors]
    losses = list(dict.fromkeys(row.loss for row in report.rows if row.backend != "core" and row not in detectors))
    backends = list(dict.fromkeys(row.backend for row in report.rows if row.backend != "core"))
    if losses:
        console.print(_matrix(report.rows, losses, backends))
    if detectors:
        asked = list(dict.fromkeys(row.backend for row in detectors))
        console.print(_matrix(detectors, list(dict.fromkeys(row.loss for row in detectors)), asked))
    if scene_rows:
        console.print(_scene_table(scene_rows))
    for row in report.rows:
        if row.error:
            console.print(f"[red]error[/] {row.backend} {row.loss}: {escape(row.error)}")
        for worst in row.worst:
            error = f"{_eps(worst.eps)} eps (limit {worst.limit:g})"
            text = f"{worst.case} {worst.dtype} {worst.what}: {error}, got {worst.got}, wanted {worst.wanted}"
            console.print(f"[red]fail[/] {row.backend} {escape(text)}")
    for backend in backends:
        left_out = sum(row.left_out for row in report.rows if row.backend == backend)
        if left_out:
            console.print(f"[yellow]left out[/] {backend}: {left_out} cases with subnormal inputs, which frameworks may read as 0")
    for name, reason in {**report.absent, **report.left_out}.items():
        console.print(f"[yellow]not run[/] {name}: {escape(reason)}")
    failed = sum(row.failed for row in report.rows)
    ran = f"{report.cases} cases on {len({row.backend for row in report.rows})} backends in {', '.join(report.dtypes)}"
    console.print(f"{ran}: {verdict(report.passed, 'all passed', f'{failed} failed' if report.cases else 'nothing ran')}")


def _matrix(rows: list[Any], losses: list[str], backends: list[str]) -> Table:
    """What each of some losses, or criteria, did on each backend."""
    table = Table(title="cases, worst error of value / gradient in eps", title_justify="left")
    table.add_column("criterion" if losses[0].startswith("criteria.") else "loss", no_wrap=True)
    for backend in backends:
        table.add_column(backend, justify="right")
    found = {(row.loss, row.backend): row for row in rows}
    for loss in losses:
        cells = []
        for backend in backends:
            row = found.get((loss, backend))
            if row is None:  # a coding, on a backend that has losses only
                cells.append("")
                continue
            shown = row.verdict if row.error else f"{row.cases}  {_eps(row.value_eps)} / {_eps(row.gradient_eps)}  {row.verdict}"
            cells.append(f"[{COLOURS[row.verdict]}]{shown}[/]")
        table.add_row(loss, *cells)
    return table


def _scene_table(rows: list[Any]) -> Table:
    """Functions with integer answers: how many answers, and whether all are exactly as expected."""
    title = "golden scenes, answers exactly as expected (compiled functions in float32, unless --dtype says otherwise)"
    table = Table("function", "answers", "verdict", title=title, title_justify="left")
    for row in rows:
        numbers = f"  {_eps(row.value_eps)}" if row.value_eps else ""
        table.add_row(row.loss, str(row.cases), f"[{COLOURS[row.verdict]}]{row.verdict}[/]{numbers}")
    return table


def heading(console: Console, report: Mapping[str, Any], name: str, arguments: Mapping[str, str], more: str) -> None:
    """Who is checked as what; and how a callable is called. arguments: theirs -> ours."""
    known = " ".join(filter(None, (report["package"], report["version"])))
    version = f" ({known})" if known and (report["version"] or report["via"] != "callable") else ""
    written = f", written in {report['language']}" if report["via"] == "program" and report["language"] != "unknown" else ""
    console.print(f"[bold]{escape(report['callable'])}[/]{escape(version + written)} as [bold]{name}[/]")
    if report["via"] == "callable":
        given = [f"{theirs}={ours}" for theirs, ours in arguments.items()]
        constants = [f"{name}={value!r}" for name, value in report["constants"].items()]
        console.print(f"called with {escape(', '.join(given + constants))}; {report['arrays']} arrays; {more}")


def callable_report(console: Console, report: dict[str, Any]) -> None:
    """One implementation: how it was called, verdicts, worst cases, the deviation."""
    arguments = {theirs: ours for ours, theirs in report["arguments"].items()}
    heading(console, report, report["loss"], arguments, f"gradient: {report['gradients']}")
    not_run(console, report)
    _groups(console, report["groups"])
    for finding in report["findings"]:
        mark = {"note": "[yellow]note[/]", "precision": "[red]precision[/]", "deviation": "[bold red]deviation[/]"}[finding["kind"]]
        console.print(f"{mark} {escape(finding['text'])}. {escape(finding['effect'])}".rstrip())
    troubles(console, report)
    table = Table("", "cases", "strict", "training", "worst, in eps", "NaN or infinite")
    for what in ("value", "gradient"):
        part = report[what]
        if part is not None:
            tiers = [verdict(part[tier]["passed"], "pass", f"{part[tier]['failed']} fail") for tier in ("strict", "training")]
            table.add_row(what, str(part["cases"]), *tiers, _eps(part["worst_eps"]), str(part["not_finite"]))
    if report["cases"]:
        console.print(table)
    for case in report["worst"]:
        _case(console, case)
    deviations(console, report, "cases", _reach)
    _unknown(console, report)
    strict = verdict(report["strict"], "conforms", "does not conform")
    values_only = " (values only: no gradient was judged)" if report["cases"] and report["gradient"] is None else ""
    console.print(f"strict: {strict}{values_only}; training: {verdict(report['training'], 'good enough', 'not good enough')}")


def not_run(console: Console, report: Mapping[str, Any]) -> None:
    """The dtypes that were left out, and why."""
    for dtype in report["dtypes"]:
        if not dtype["run"]:
            console.print(f"[yellow]not run[/] {dtype['dtype']}: {escape(dtype['reason'])}")


def troubles(console: Console, report: dict[str, Any]) -> None:
    """What went wrong apart from numbers, and the cases without an answer, by reason."""
    for trouble in report["troubles"]:
        console.print(f"[bold red]{trouble['name'].replace('_', ' ')}[/] {escape(trouble['text'])}")
    reasons: dict[tuple[str, str, str], list[str]] = {}
    for one in report["unanswered"]:
        reasons.setdefault((one["status"], one["reason"], one["link"] or ""), []).append(one["id"])
    for (status, reason, link), ids in reasons.items():
        colour = "yellow" if status == "skipped" else "red"
        console.print(f"[{colour}]{status}[/] {len(ids)} cases, first {escape(ids[0])}: {escape(' '.join([reason, link]).strip())}")


def expectations(console: Console, expected: dict[str, Any] | None) -> None:
    """What became of the expectations."""
    if expected is None:
        return
    console.print(f"expected: {expected['matched']} failures are known ({escape(expected['file'])})")
    said = [*expected["not_run"], *expected["notes"]]
    for text in said[:5]:
        console.print(f"[yellow]note[/] {escape(text)}")
    if len(said) > 5:
        console.print(f"[yellow]note[/] and {len(said) - 5} more of that kind")
    for text in expected["stale"]:
        console.print(f"[bold red]stale[/] {escape(text)}")
    if expected["unexpected"]:
        shown = ", ".join(expected["unexpected"][:5]) + (" ..." if len(expected["unexpected"]) > 5 else "")
        console.print(f"[bold red]unexpected[/] {len(expected['unexpected'])} failures: {escape(shown)}")


def _groups(console: Console, groups: list[dict[str, Any]]) -> None:
    ran = [parameters(group["parameters"]) for group in groups if group["status"] == "run"]
    listed = f": {escape('; '.join(ran))}" if ran else ""
    console.print(f"ran {len(ran)} of {len(groups)} parameter settings{listed}")
    reasons: dict[str, list[str]] = {}
    for group in groups:
        if group["status"] != "run":
            reasons.setdefault(f"{group['status']}: {group['reason']}", []).append(group["id"])
        elif group["left_out"]:
            console.print(f"[yellow]left out[/] {group['left_out']} cases of {group['id']}: {escape(group['why_left_out'])}")
    for reason, ids in reasons.items():
        status, text = reason.split(": ", 1)
        colour = "red" if status == "errored" else "yellow"
        console.print(f"[{colour}]{status}[/] {escape(', '.join(ids))}: {escape(text)}")


def _case(console: Console, case: dict[str, Any]) -> None:
    inputs = ", ".join(f"{name}={number(value)}" for name, value in case["inputs"].items())
    setting = parameters(case["parameters"])
    matters = "" if case["matters"] else " (too small to matter in training)"
    console.print(
        f"[red]{case['what']} {case['symptom']}[/]{matters} at {escape(inputs)} ({escape(setting)}, {case['dtype']}): "
        f"got [bold]{escape(number(case['got']))}[/], wanted [bold]{escape(number(case['wanted']))}[/]"
    )
    for note in case["notes"]:
        console.print(f"    [dim]{escape(note)}[/]")


def deviations(console: Console, report: Mapping[str, Any], cases: str, reach: Callable[[Mapping[str, Any]], str]) -> None:
    """The deviations by name, each with what it is, does and where it is seen. reach(one) says how much it explains."""
    if len(report["deviations"]) > 1:
        console.print(f"the {cases} cannot tell these apart:")
    for one in report["deviations"]:
        console.print(f"[bold]deviation[/] [bold magenta]{' + '.join(one['names'])}[/]{reach(one)}")
        for title, effect, seen in zip(one["titles"], one["effects"], one["seen"], strict=True):
            console.print(f"    {escape(title)}. {escape(effect)} [dim]Seen in: {escape(seen)}.[/]")


def explained(one: Mapping[str, Any]) -> str:
    return "all" if one["explained"] == one["failing"] else f"{one['explained']} of {one['failing']}"


def _reach(one: Mapping[str, Any]) -> str:
    matter = "" if one["explained"] == one["failing"] or not one["complete"] else " (all that matter in training)"
    known = [f"{constant:g}" if isinstance(constant, float) else str(constant) for constant in one["constants"] if constant is not None]
    constants = escape(f" ({', '.join(known)})") if known else ""
    return f"{constants}, failing cases it explains: {explained(one)}{matter}"


def _unknown(console: Console, report: Mapping[str, Any]) -> None:
    failed = not report["strict"] and any(report[what] and not report[what]["strict"]["passed"] for what in ("value", "gradient"))
    if failed and not report["deviations"]:
        console.print("[bold]deviation[/] unknown: no known deviation, nor a stack of them, gives these results")
        for fact in (report["unknown"] or {"facts": []})["facts"]:
            console.print(f"    {escape(fact)}")


def replay_report(console: Console, cases: list[Any], limit: float) -> None:
    """A line for each recorded case, and where it is furthest off."""
    table = Table("system", "case", "delta, largest difference", "cost, relative", "", "at", box=None)
    for one in cases:
        table.add_row(one.system, escape(one.name), f"{one.delta:.2g}", f"{one.cost:.2g}", verdict(one.passed), escape(one.where))
    console.print(table)
    failed = sum(not one.passed for one in cases)
    console.print(
        f"{len(cases)} cases, limit {limit:g}: " + (verdict(True, "all passed") if not failed else verdict(False, no=f"{failed} failed"))
    )

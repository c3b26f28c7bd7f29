"""One check on a page: how it was called, the verdict, why, the worst cases, and the command that shows it again."""

from collections.abc import Mapping
from typing import Any

from ..printing import parameters
from .entries import Entry, parts, settings, tally_text, unanswered
from .markup import code, e, link, table
from .matrix import sought, tag
from .plots import plots
from .words import count, cut, deviation, eps, figure, line, reach, real
from .worst import told

Report = Mapping[str, Any]


def section(i: int, entry: Entry) -> str:
    head = f'<h3>{e(entry.title)} <span class="as">as {code(entry.what)}</span> {tag(entry.verdict)}</h3>'
    report = entry.document
    body = f"<p>Not run: {e(entry.why)}.</p>" if report is None else _facts(entry, report)
    body += command(entry.reproduce)
    if report is not None:
        drawn = plots(report)
        why = _tiers(report) + _apart(report) + _deviations(report) + _expected(report)
        body += f'<div class="two{"" if drawn else " alone"}"><div>{why}</div>{drawn}</div>' + _cases(report) + _left(report)
    return f'<section class="check" id="check-{i}" data-verdict="{entry.verdict}" data-text="{sought(entry)}">{head}{body}</section>'


def command(text: Any) -> str:
    if not text:
        return ""
    button = '<button type="button" class="copy" hidden data-needs-script>copy</button>'
    return f'<div class="command">{button}<pre>{e(text)}</pre></div>'


def _facts(entry: Entry, report: Report) -> str:
    passed = report.get("arguments", {}).items()
    arguments = [f"{theirs}={ours}" for ours, theirs in passed] if parts(report) else [f"{theirs}={ours}" for theirs, ours in passed]
    constants = [f"{name}={value!r}" for name, value in report.get("constants", {}).items()]
    ran = [one["dtype"] for one in report["dtypes"] if one["run"]]
    facts = [e(entry.who), code(report["callable"]) if report["callable"] != entry.title else ""]
    facts += [f"called with {code(', '.join(arguments + constants))}"] if arguments or constants else []
    facts += [f"gradient: {e(report['gradients'])}"] if report.get("gradients") else []
    facts += [e(f"{count(report['cases'], 'case')} in {', '.join(ran)}"), f"interpretation {e(report.get('interpretation', 1))}"]
    return f'<p class="facts">{"; ".join(filter(None, facts))}</p>'


def _tiers(report: Report) -> str:
    if not parts(report) and not report["cases"]:
        return ""  # also a loss of which nothing was answered
    if not parts(report):
        passed = report["cases"] - report["failed"]
        how = "raised" if report.get("via", "callable") == "callable" else "were not given"
        raised = f", {report['raised']} of the others {how}" if report.get("raised") else ""
        return f"<p>{passed} of {report['cases']} answers are right{raised}.</p>"
    head = [("numbers", False), ("cases", True), ("strict", True), ("training", True), ("worst, eps", True), ("NaN, inf", True)]
    rows = [
        [what, str(part["cases"]), tally_text(part, "strict"), tally_text(part, "training"), figure(real(part["worst_eps"])),
         str(part["not_finite"])]
        for what, part in parts(report)
    ]  # fmt: skip
    return table("The two tiers", head, rows)


def _apart(report: Report) -> str:
    lines = [f"<li><b>{e(one['name'])}</b>: {e(one['text'])} ({count(one['cases'], 'case')})</li>" for one in report.get("troubles", ())]
    for one in report.get("findings", ()):
        name = "note" if one["kind"] == "note" else f"<b>{e(one['name'])}</b>"
        lines.append(f"<li>{name}: {e(one['text'])}. {e(one.get('effect', ''))}</li>")
    return f"<ul>{''.join(lines)}</ul>" if lines else ""


def _deviations(report: Report) -> str:
    found = report["deviations"]
    kinds = {one["kind"] for one in report.get("findings", ())}
    how = " that are left where float64 is judged as float32" if "precision" in kinds else " that are left" if "deviation" in kinds else ""
    lines = ["<h4>What it does instead</h4>"] if found else []
    lines += ["<p>The cases cannot tell these apart:</p>"] if len(found) > 1 else []
    for one in found:
        lines.append(f'<div class="deviation"><p>{code(deviation(one))} {reach(one)}{how}.</p>')
        for title, effect, seen in zip(one["titles"], one["effects"], one["seen"], strict=False):
            lines.append(f'<p><b>{e(title)}.</b> {e(effect)} <span class="note">Seen in: {e(seen)}.</span></p>')
        lines.append("</div>")
    unknown = report.get("unknown")
    if unknown:
        facts = "".join(f"<li>{e(fact)}</li>" for fact in unknown["facts"])
        lines.append(f"<h4>Not a known deviation</h4><p>{e(unknown['text'])}</p><ul>{facts}</ul>")
    elif report.get("known") == "unknown" and not found:
        lines.append("<h4>Not a known deviation</h4><p>No known mistake, nor a stack of them, gives these results.</p>")
    return "".join(lines)


def _expected(report: Report) -> str:
    expected = report.get("expected")
    if not expected:
        return ""
    stale = "".join(f"<li>stale: {e(one)}</li>" for one in expected["stale"])
    missed = len(expected["unexpected"])
    said = f"{count(expected['matched'], 'failure')} expected by {code(expected['file'])}; {missed or 'none'} unexpected."
    return f"<h4>Expectations</h4><p>{said}</p>{f'<ul>{stale}</ul>' if stale else ''}"


def _cases(report: Report) -> str:
    cases = [(case, told(case)) for case in report["worst"]]
    if not cases:
        return ""
    rows = []
    for case, one in cases:
        trifle = "" if case.get("matters", True) else ", too small to matter in training"
        notes = "".join(f"<small>{e(note)}</small>" for note in case.get("notes", ()))
        inputs = "<br>".join(code(f"{name} = {cut(value, 150)}") for name, value in one.inputs.items())
        rows.append([f"<b>{e(one.said)}</b>{e(trifle)}<small>{code(case['id'])}</small>{notes}", f"{inputs}<small>{e(one.setting)}</small>",
                     code(cut(one.got, 160)), code(cut(one.wanted, 160)), e(one.error)])  # fmt: skip
    single = all(one.single for _, one in cases)
    head = [("case", False), ("inputs", False), ("got", single), ("wanted", single), ("error", True)]
    shown = len(head) if any(one.error for _, one in cases) else len(head) - 1
    return table("Worst cases, of different kinds", head[:shown], [row[:shown] for row in rows], "cases")


def _left(report: Report) -> str:
    """What was not judged, and why."""
    ran, every = settings(report)
    lines: dict[str, list[str]] = {}
    for group in report["groups"]:
        if group["status"] != "run":
            reason = str(group["reason"] or "")
            name, colon, why = reason.partition(": ")
            named = bool(colon) and "=" in name and group["status"] == "skipped"
            shown = name if named else parameters(group["parameters"])
            lines.setdefault(f"{group['status']}: {why if named else reason}", []).append(shown)
        elif group.get("left_out"):
            shown = f"{count(group['left_out'], 'case')} of {parameters(group['parameters'])}"
            lines.setdefault(f"left out: {group.get('why_left_out', '')}", []).append(shown)
    for one in report["dtypes"]:
        if not one["run"]:
            lines.setdefault(f"not run: {one['reason']}", []).append(one["dtype"])
    items = [f"<li>{e(why)} ({code('; '.join(dict.fromkeys(names)))})</li>" for why, names in lines.items()]
    reasons: dict[tuple[str, str, str], int] = {}
    for one in report.get("unanswered", ()):
        key = (one["status"], str(one["reason"]), str(one.get("link") or ""))
        reasons[key] = reasons.get(key, 0) + 1
    for (status, reason, where), several in reasons.items():
        items.append(f"<li>{count(several, 'case')} {e(status)}: {link(where, e(reason)) if where else e(reason)}</li>")
    if not items:
        return ""
    lost, skipped = unanswered(report)
    more = f"; {count(lost + skipped, 'case')} without a judged answer" if lost + skipped else ""
    return f"<details><summary>Ran {ran} of {count(every, 'parameter setting')}{more}</summary><ul>{''.join(items)}</ul></details>"


def own(found: list[Entry]) -> str:
    """Refloss's own backends and the recordings: tables, and the cases that fail."""
    rows = [[e(entry.title), code(entry.what), tag(entry.verdict), str(entry.cases), str(entry.failed), e(entry.short), _details(entry)]
            for entry in found if entry.row is not None]  # fmt: skip
    names = ("implementation", "loss", "verdict", "cases", "failing", "worst error", "what fails")
    head = [(name, name in ("cases", "failing", "worst error")) for name in names]
    shown = table("Own backends, and recordings of original code", head, rows)
    return f'<section id="own"><h2>refloss itself</h2><div class="wide">{shown}</div></section>'


def _details(entry: Entry) -> str:
    row = entry.row or {}
    if entry.why:
        return e(entry.why)
    if "limit" in row:
        return "<br>".join(e(f"{case['name']}: {case['where']}") for case in row["cases"] if not case["passed"])
    lines = [f"{one['case']} {one['dtype']} {one['what']}: {eps(real(one['eps']))}, limit {one['limit']}; got {cut(line(one['got']), 80)}, "
             f"wanted {cut(line(one['wanted']), 80)}" for one in row.get("worst", ())]  # fmt: skip
    return "<br>".join(map(e, lines))

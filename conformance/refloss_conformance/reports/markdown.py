"""A report as Markdown, for the summary of a CI run or a file in a repository: the verdict first, then why, then how to see it again."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from .entries import FAMILIES, NOT_RUN, Entry, counts, entries, interpretations, parts, rows, settings, tally_text, unanswered, worst_text
from .words import LIMIT, count, cut, deviation, eps, line, named, reach, real, visible
from .worst import told

SPECIAL = re.compile(r"([\\`*\[\]<>#|~&$]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9]))")
WHAT_WORDS_MEAN = f"""*Pass*: every number is within {LIMIT} eps (units in the last place of the dtype, against the condition of the
problem). *Training only*: some numbers are not, but no gradient step would notice. *Fail*: it would; or an integer answer is wrong. A
*deviation* is the known mistake, or other convention, that gives the failing results. *Interpretation* is the number of the rules of
judging: it changes only if a runner must change."""


def text(value: Any) -> str:
    """Plain text that no Markdown in it changes."""
    return SPECIAL.sub(r"\\\1", line(value))


def code(value: Any) -> str:
    """A span of code, whatever backticks and bars are in it."""
    inside = line(value)
    fence = "`" * (1 + max((len(run) for run in re.findall("`+", inside)), default=0))
    space = " " if inside.startswith("`") or inside.endswith("`") else ""
    return f"{fence}{space}{inside}{space}{fence}".replace("|", "\\|")


def block(value: Any) -> list[str]:
    return ["", *("    " + row for row in visible(value).splitlines()), ""]


def table(head: Sequence[str], body: Sequence[Sequence[str]]) -> list[str]:
    """A column whose head ends in a colon is a column of numbers."""
    align = ["---:" if name.endswith(":") else "---" for name in head]
    lines = [[name.removesuffix(":") for name in head], align, *body]
    return ["", *("| " + " | ".join(cells) + " |" for cells in lines), ""]


def markdown(document: Mapping[str, Any], title: str = "") -> str:
    """One report: its verdict and what is behind it. Several: a table, and each of them below."""
    found = entries([document])
    single = len(found) == 1 and found[0].row is None
    lines = [] if single and not title else [f"# {text(title or document.get('title') or 'refloss')}", ""]
    if single:
        return "\n".join(_tidy([*lines, *_section(found[0], 0)]))
    numbers = ", ".join(map(str, interpretations([document]))) or "1"
    lines += [f"**{counts(found)}**: {count(len(found), 'check')} against refloss's golden values, interpretation {numbers}.", ""]
    lines += [*WHAT_WORDS_MEAN.splitlines()]
    for name in FAMILIES:
        mine = [(i, entry) for i, entry in enumerate(found, 1) if entry.family == name]
        if mine:
            lines += ["", f"## {name}", *table(("implementation", "as", "verdict", "worst", "named"), [_row(i, one) for i, one in mine])]
    lines += _absent(document)
    shown = [(i, entry) for i, entry in enumerate(found, 1) if entry.document is not None or entry.verdict == NOT_RUN]
    lines += ["", "## Each check, and the command that shows it again", ""] if shown else []
    for i, entry in shown:
        lines += ["", f'<a id="check-{i}"></a>', "", *_section(entry, i)]
    own = [entry for entry in found if entry.row is not None and (entry.why or entry.row.get("worst"))]
    lines += [f"- {text(entry.title)} {code(entry.what)}: {text(entry.why or _own(entry.row or {}))}" for entry in own]
    return "\n".join(_tidy(lines))


def _tidy(lines: Sequence[str]) -> list[str]:
    """No two empty lines in a row; one line end at the end."""
    kept = [row for i, row in enumerate(lines) if row or (i and lines[i - 1])]
    while kept and not kept[-1]:
        kept.pop()
    return [*kept, ""]


def _row(i: int, entry: Entry) -> list[str]:
    link = entry.document is not None or entry.verdict == NOT_RUN
    title = f"[{text(entry.title)}](#check-{i})" if link else text(entry.title)
    version = entry.document.get("version") if entry.document else None
    says = text(entry.why) if not entry.document else code(named(entry.document)) if named(entry.document) else ""
    return [title + (f"<br>{text(version)}" if version else ""), code(entry.what), entry.verdict, text(entry.short), says]


def _absent(document: Mapping[str, Any]) -> list[str]:
    reports = [row["report"] for row in rows(document) if row.get("report")]
    absent = {name: reason for report in reports if report["report"] == "backends" for name, reason in report["absent"].items()}
    return ["", *(f"- not run: {text(name)}: {text(reason)}" for name, reason in absent.items()), ""]


def _own(row: Mapping[str, Any]) -> str:
    worst = row["worst"][0]
    error = f"{eps(real(worst['eps']))}, limit {worst['limit']}"
    return f"{worst['case']} {worst['dtype']} {worst['what']}: {error}; got {cut(line(worst['got']), 120)}, wanted {worst['wanted']}"


def _section(entry: Entry, i: int) -> list[str]:
    head = f"{'###' if i else '##'} {text(entry.title)} as {code(entry.what)}: {entry.verdict}"
    if entry.document is None:
        return [head, "", f"Not run: {text(entry.why)}.", *block(entry.reproduce)]
    report = entry.document
    ran, every = settings(report)
    lost, skipped = unanswered(report)
    right = "" if parts(report) or not report["cases"] else f"{report['cases'] - entry.failed} of {report['cases']} answers are right"
    facts = [entry.who, right or count(report["cases"], "case"), ", ".join(one["dtype"] for one in report["dtypes"] if one["run"])]
    facts += [f"{ran} of {count(every, 'parameter setting')}"]
    facts += [f"{skipped} skipped"] if skipped else []
    facts += [f"{lost} without an answer"] if lost else []
    facts += [f"interpretation {report.get('interpretation', 1)}"]
    lines = [head, "", text("; ".join(filter(None, facts))) + ".", ""]
    if parts(report):
        body = [[what, str(part["cases"]), tally_text(part, "strict"), tally_text(part, "training"), worst_text(part)]
                for what, part in parts(report)]  # fmt: skip
        lines += table(("", "cases:", "strict", "training", "worst, in eps:"), body)
    lines += [f"- {text(one['name'])}: {text(one['text'])}" for one in report.get("troubles", ())]
    for one in report.get("findings", ()):
        lines += [f"- {text(one['kind'])}: {text(one['text'])}. {text(one.get('effect', ''))}".rstrip()]
    lines += _why(report)
    lines += _cases(report, 3 if i else 5)
    return [*lines, "To see it again:", *block(entry.reproduce)]


def _why(report: Mapping[str, Any]) -> list[str]:
    lines = ["The cases cannot tell these apart:", ""] if len(report["deviations"]) > 1 else []
    for one in report["deviations"]:
        lines += [f"- {code(deviation(one))} {reach(one)}."]
        for title, effect, seen in zip(one["titles"], one["effects"], one["seen"], strict=False):
            lines += [f"    - {text(title)}. {text(effect)} Seen in: {text(seen)}."]
    unknown = report.get("unknown")
    if unknown:
        lines += [text(unknown["text"]), "", *(f"- {text(fact)}" for fact in unknown["facts"])]
    elif report.get("known") == "unknown" and not report["deviations"]:
        lines += ["No known deviation, nor a stack of them, gives these results."]
    expected = report.get("expected")
    if expected:
        lines += ["", f"Expected by {code(expected['file'])}: {expected['matched']}; not expected: {len(expected['unexpected'])}."]
        lines += [f"- stale: {text(one)}" for one in expected["stale"]]
    return ["", *lines, ""] if lines else []


def _cases(report: Mapping[str, Any], most: int) -> list[str]:
    body = []
    for one in map(told, report["worst"][:most]):
        inputs = ", ".join(f"{name} = {value}" for name, value in one.inputs.items())
        body.append([text(one.said), code(cut(inputs, 220)), text(one.setting), code(cut(one.got, 160)), code(cut(one.wanted, 160))])
    return ["Worst cases:", *table(("", "inputs", "setting", "got", "wanted"), body)] if body else []

"""A report as one HTML file that needs nothing else: style, script and plots are in it, and no text from outside is trusted.

The page forbids itself everything but its own style and script, by their checksums: what is escaped badly still does not run.
"""

import base64
import hashlib
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

from .entries import VERDICTS, Entry, counts, entries, interpretations, rows
from .markup import e
from .matrix import listing, matrices
from .merge import together
from .plots import CROSS
from .section import own, section
from .words import LIMIT, OF_SUMS, count

NOTHING_ELSE = "base-uri 'none'; form-action 'none'"
HERE = pathlib.Path(__file__).parent
WORDS = {
    "pass": f"Strict: every value and every gradient is within {LIMIT} eps of the true number ({OF_SUMS} eps for whole criteria, which add "
    "many up). Any sensible order of the right operations passes.",
    "training only": "Some numbers are further off than that, but a step of training would not notice: gradients are finite and right to a "
    "thousandth, or too small to count.",
    "fail": "A step of training would notice: a gradient is NaN, vanishes, points the other way or is off by more than a thousandth. "
    "Functions that answer with integers (which prior takes which object) are right or wrong: one wrong answer fails.",
    "not run": "Nothing was judged; the reason is given. Skipped cases count as not passed wherever a share is told.",
    "eps": "The step from 1 to the next number of the dtype: 1.2e-7 in float32, 2.2e-16 in float64. An error of 3 eps is about 3 of the "
    "last digit. Where the problem itself loses digits (a difference of nearly equal numbers), errors count against what was subtracted.",
    "deviation": "A known mistake, or another project's convention, as a formula of its own: it gives the very numbers that fail. Several "
    "that are joined by + are needed together; where the cases cannot tell some apart, all of them are listed.",
    "interpretation": "The number of the rules by which answers are judged. It changes only if the same answer could get another verdict; "
    "new cases leave it as it is. Compare counts only where it is the same.",
    "plots": "Each point is a golden case: a dot passes, a cross fails. Both axes are logarithmic where numbers span decades; the dashed "
    "line is the limit in eps, the dotted one an error as large as the number itself. At most 300 points are drawn.",
}


def html(documents: Mapping[str, Any] | Sequence[Mapping[str, Any]], title: str = "") -> str:
    """One page for a report or several. Without a title, that of a merged report, or the implementation's name."""
    given = together(documents, title)
    found = entries(given)
    title = title or next((str(one["title"]) for one in given if one.get("title")), "") or _title(found)
    body = [f"<h1>{e(title)}</h1>", _lead(given, found)]
    if len(found) > 1:
        body += [_controls(), "<h2>Implementations and losses</h2>", matrices(found)]
    body += [_absent(given)]
    if len(found) > 1:
        body += [_legend(), "<h2>All checks</h2>", listing(found)]
    body += [_sections(found)]
    body += [own(found)] if any(entry.row is not None for entry in found) else []
    body += [_legend()] if len(found) <= 1 else []
    style, script = ((HERE / name).read_text("utf-8") for name in ("style.css", "script.js"))
    policy = f"default-src 'none'; style-src {_checksum(style)}; script-src {_checksum(script)}; img-src data:; {NOTHING_ELSE}"
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}"><meta name="referrer" content="no-referrer">'
        f'<link rel="icon" href="data:,"><title>{e(title)}</title>\n<style>{style}</style></head>\n<body>{CROSS}<main>\n'
        + "\n".join(part for part in body if part)
        + f"\n</main>\n<script>{script}</script></body></html>\n"
    )


def _checksum(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _title(found: Sequence[Entry]) -> str:
    return f"{found[0].title} as {found[0].what}" if len(found) == 1 else "refloss: conformance report"


def _lead(given: Sequence[Mapping[str, Any]], found: Sequence[Entry]) -> str:
    numbers = ", ".join(map(str, interpretations(given))) or "1"
    who = len({entry.who for entry in found})
    of = f"{count(len(found), 'check')} of {count(who, 'implementation')}" if len(found) != 1 else "One check"
    return (
        f'<p class="lead"><strong>{counts(found) or "Nothing was checked"}.</strong> {of} against the golden values of refloss, '
        f"interpretation {numbers}.</p>"
    )


def _controls() -> str:
    options = "".join(f'<option value="{verdict}">{verdict}</option>' for verdict in VERDICTS)
    return (
        '<form class="controls" hidden data-needs-script><label>Filter <input id="filter" type="search" '
        'placeholder="name, loss, deviation" autocomplete="off"></label><label>Verdict <select id="verdict"><option value="">any</option>'
        f'{options}</select></label><output id="shown" aria-live="polite"></output></form>'
    )


def _absent(given: Sequence[Mapping[str, Any]]) -> str:
    reports = [row["report"] for one in given for row in rows(one) if row.get("report")]
    backends = [one["absent"] for one in reports if one["report"] == "backends"]
    absent = [f"<li>{e(name)}: {e(reason)}</li>" for one in backends for name, reason in one.items()]
    return f"<p>Backends that were not run:</p><ul>{''.join(absent)}</ul>" if absent else ""


def _legend() -> str:
    words = "".join(f"<div><dt>{e(word)}</dt><dd>{e(meaning)}</dd></div>" for word, meaning in WORDS.items())
    return f'<h2>What the words mean</h2><dl class="words">{words}</dl>'


def _sections(found: Sequence[Entry]) -> str:
    """Checks of the same implementation stand together, in the order in which each came first."""
    groups: dict[str, list[str]] = {}
    for i, entry in enumerate(found, 1):
        if entry.row is None:
            groups.setdefault(entry.who, []).append(section(i, entry))
    return "\n".join(f"<div data-group><h2>{e(who)}</h2>\n" + "\n".join(parts) + "</div>" for who, parts in groups.items())

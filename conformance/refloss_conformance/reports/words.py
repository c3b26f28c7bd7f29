"""Numbers and names as the reports write them."""

import math
import re
import shlex
from collections.abc import Mapping
from typing import Any

WRITTEN = ("--json", "--junit", "--markdown", "--html", "--badge", "--write-expect")
LIMIT, OF_SUMS = 64, 256  # eps: the strict tier's; and that of whole criteria, which add many numbers up
CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufffe\uffff\ud800-\udfff]")


def visible(text: Any) -> str:
    """Without what no document may hold: control characters, halves of surrogates, marks that turn the direction of text."""
    return CONTROL.sub("\ufffd", str(text))


def line(text: Any) -> str:
    """On one line."""
    return " ".join(visible(text).split())


def cut(text: str, wide: int) -> str:
    return text if len(text) <= wide else f"{text[: wide - 4]} ..."


def real(value: Any) -> float:
    """A number of a report, where "nan", "inf" and "-inf" stand for those."""
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        return math.nan


def eps(value: float | None) -> str:
    """An error: 1.9 eps, 4.2e6 eps."""
    if value is None:
        return ""
    return f"{figure(value)} eps" if math.isfinite(value) else "NaN or infinite"


def figure(value: float) -> str:
    """Three digits below a thousand, then two and an exponent; 0 and what rounds to it are 0."""
    if not math.isfinite(value):
        return str(value)
    if abs(value) < 1e-3:
        return "0"
    if abs(value) < 1000:
        return f"{float(f'{value:.3g}'):g}"
    mantissa, _, exponent = f"{value:.1e}".partition("e")
    return f"{mantissa}e{int(exponent)}"


def command(text: Any) -> str:
    """A command without what only says where its answer was written."""
    try:
        words = shlex.split(str(text))
    except ValueError:
        return line(text)
    return shlex.join(word for i, word in enumerate(words) if not _written(word) and not (i and words[i - 1] in WRITTEN))


def _written(word: str) -> bool:
    return word.partition("=")[0] in WRITTEN


def limit(report: Mapping[str, Any]) -> int:
    """In eps, for the line in plots and for messages; the verdicts themselves are in the report."""
    return OF_SUMS if report["report"] == "criteria" else LIMIT


def count(number: int, what: str, several: str = "") -> str:
    return f"{number} {what if number == 1 else several or what + 's'}"


def deviation(one: Mapping[str, Any]) -> str:
    """probability_clipped + power_of_a_rounded_miss (1e-07, below 1)"""
    known = [f"{c:g}" if isinstance(c, float) else str(c) for c in one.get("constants", ()) if c is not None]
    return " + ".join(map(str, one["names"])) + (f" ({', '.join(known)})" if known else "")


def reach(one: Mapping[str, Any]) -> str:
    if one["explained"] == one["failing"]:
        return f"explains all {one['failing']} failing cases" if one["failing"] != 1 else "explains the failing case"
    return f"explains {one['explained']} of {one['failing']} failing cases"


def named(document: Mapping[str, Any]) -> str:
    """All that was named, in answers and apart from them, on one line."""
    found = [" or ".join(deviation(one) for one in document.get("deviations", ()))] if document.get("deviations") else []
    found += [str(one["name"]) for one in (*document.get("findings", ()), *document.get("troubles", ())) if one.get("kind") != "note"]
    return "; ".join(found) or ("unknown" if document.get("known") == "unknown" else "")

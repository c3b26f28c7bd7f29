"""JSON that any parser reads: numbers that are not finite become the strings "nan", "inf" and "-inf"."""

import json
import math
import re
from collections.abc import Mapping
from typing import Any

# A list of plain values, spread over lines. No line break stands inside of a JSON string, so only layout is touched.
PLAIN_LIST = re.compile(r"\[\n\s+([^\[\]{}]*?)\n\s+\]")
BREAK = re.compile(r"\n\s+")


def clean(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return "nan" if math.isnan(value) else "inf" if value > 0 else "-inf"
    if isinstance(value, dict):
        return {str(key): clean(part) for key, part in value.items()}
    return [clean(part) for part in value] if isinstance(value, (list, tuple)) else value


def plain(constants: Mapping[str, Any]) -> dict[str, Any]:
    """Constants as a report has them: what JSON has no word for as it is written in Python."""
    return {name: v if isinstance(v, (str, int, float, bool, type(None))) else repr(v) for name, v in constants.items()}


def dumps(document: Any) -> str:
    """Indented, with lists of plain values on one line."""
    text = json.dumps(clean(document), indent=2, allow_nan=False)
    return PLAIN_LIST.sub(lambda found: f"[{BREAK.sub(' ', found[1])}]", text) + "\n"

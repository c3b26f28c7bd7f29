"""JSON that any parser reads: numbers that are not finite become the strings "nan", "inf" and "-inf"."""

import json
import math
from typing import Any


def clean(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return "nan" if math.isnan(value) else "inf" if value > 0 else "-inf"
    if isinstance(value, dict):
        return {str(key): clean(part) for key, part in value.items()}
    return [clean(part) for part in value] if isinstance(value, (list, tuple)) else value


def dumps(document: Any) -> str:
    return json.dumps(clean(document), indent=2, allow_nan=False) + "\n"

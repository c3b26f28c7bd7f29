"""Why data do not fit a JSON Schema, in one sentence."""

import json
from typing import Any

LONGEST = 60  # of what is repeated of the data


def misfit(validator: Any, data: Any, whole: str) -> str | None:
    """Where, and why; None if they fit. whole: the data's name."""
    error = next(validator.iter_errors(data), None)
    if error is None:
        return None
    while error.context:  # of alternatives, that with the fewest misfits
        alternatives: dict[Any, list[Any]] = {}
        for one in error.context:
            alternatives.setdefault(one.relative_schema_path[0], []).append(one)
        error = min(alternatives.values(), key=lambda some: sum(map(_weight, some)))[0]
    where = "/".join(map(str, error.absolute_path)) or whole
    return f"{where}: {error.message.replace(repr(error.instance), json.dumps(error.instance)[:LONGEST])[:200]}"


def _weight(error: Any) -> int:
    """How many things are wrong: each key counts that has no place."""
    if error.validator == "additionalProperties":
        return len(set(error.instance) - set(error.schema.get("properties", ())))
    return 1

"""The sentence on data that do not fit a schema names what is wrong and does not recite the data."""

import jsonschema
import pytest

from refloss_conformance.misfit import misfit

SCHEMA = {
    "oneOf": [
        {"type": "object", "required": ["total"], "properties": {"total": {"type": "number"}}, "additionalProperties": False},
        {"type": "object", "required": ["skipped"], "properties": {"skipped": {"const": True}}, "additionalProperties": False},
    ]
}


@pytest.mark.parametrize(("data", "says"), [
    ({"total": 1.5}, None), ({"skipped": True}, None),
    ({"total": "a"}, 'total: "a" is not of type \'number\''),
    ({"total": 1.0, "foo": list(range(1000))}, "the answer: Additional properties are not allowed ('foo' was unexpected)"),
])  # fmt: skip
def test_of_alternatives_the_nearest(data: object, says: str | None) -> None:
    assert misfit(jsonschema.Draft202012Validator(SCHEMA), data, "the answer") == says


def test_what_is_long_is_cut() -> None:
    told = misfit(jsonschema.Draft202012Validator({"type": "object"}), [{"indices": [1, 2, 3]}] * 100, "the whole")
    assert told is not None and told.endswith("is not of type 'object'") and len(told) < 120

"""Golden vectors of the detection losses, and a checker that says what an implementation does wrong.

In a test suite: `assert_conforms(function, "ciou_loss")`, and `refloss_cases("ciou_loss")` to parametrise a test with single cases.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .conforms import assert_conforms as assert_conforms
    from .errors import UsageError as UsageError
    from .single import Case as Case
    from .single import refloss_cases as refloss_cases

HOMES = {"assert_conforms": "conforms", "UsageError": "errors", "Case": "single", "refloss_cases": "single"}
__all__ = ["Case", "UsageError", "assert_conforms", "refloss_cases"]


def __getattr__(name: str) -> Any:
    """Nothing is loaded before it is used: pytest imports this package wherever it is installed."""
    if name not in HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f".{HOMES[name]}", __name__), name)

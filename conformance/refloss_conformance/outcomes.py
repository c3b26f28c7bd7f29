"""What checks of scenes and of criteria do with their outcomes: dtypes that are not taken, and a few failing cases to show."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

One = TypeVar("One")
SHOWN = 5


def refused(done: Sequence[Any]) -> dict[str, str]:
    """Dtypes in which every call failed, though another one works: the callable does not take them."""
    dtypes = {one.dtype for one in done}
    silent = {dtype: next(one.raised for one in done if one.dtype == dtype) for dtype in dtypes
              if not any(one.answered for one in done if one.dtype == dtype)}  # fmt: skip
    return silent if len(silent) < len(dtypes) else {}


def a_few(ordered: Sequence[One], case_of: Callable[[One], Any]) -> list[One]:
    """The first of them, each case once, as different as their flags."""
    chosen: dict[str, One] = {}
    flags: set[str] = set()
    for fresh in (True, False):
        for one in ordered:
            case = case_of(one)
            if len(chosen) < SHOWN and case.id not in chosen and (not fresh or set(case.flags) - flags):
                chosen[case.id] = one
                flags |= set(case.flags)
    return list(chosen.values())

"""Answers to several settings of which no explanation gives all: each setting alone.

A deviation from one setting may be another one's rule, or have no name beside it.
"""

from collections.abc import Mapping, Sequence

from ..criteria import Criteria
from .explain import SHALLOW, Explanation, Search
from .outcome import Outcome, right

Apart = Mapping[str, Sequence[Explanation]]


def by_setting(file: Criteria, done: Sequence[Outcome]) -> dict[str, list[Explanation]]:
    """What gives the answers to each setting with a wrong one, and to it alone; nothing where only one setting was run."""
    answered: dict[str, list[Outcome]] = {}
    for one in done:
        if one.answered:
            answered.setdefault(one.case.setting, []).append(one)
    wrong = [name for name, some in answered.items() if not all(right(file, one) for one in some)]
    return {name: Search(file, answered[name]).explain(SHALLOW) for name in wrong} if len(answered) > 1 else {}


def in_common(apart: Apart) -> list[Explanation]:
    """Explanations that every setting with a wrong answer has."""
    if not apart:
        return []
    first, *others = ({_what(one): one for one in some} for some in apart.values())
    return [one for what, one in first.items() if all(what in other for other in others)]


def _what(one: Explanation) -> tuple[object, ...]:
    """Its deviations, and what is otherwise in the division of each term."""
    stack = tuple((candidate.deviation.name, candidate.constant) for candidate in one.stack)
    divided = ((term, "" if way.name == one.usual[term] else way.name, f"{way.factor:.5g} {way.slope_factor:.5g}")
               for term, way in one.divided.items())  # fmt: skip
    return (stack, *divided)

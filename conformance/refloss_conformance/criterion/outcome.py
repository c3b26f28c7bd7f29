"""What a callable answered to a case, and whether it is right."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..criteria import Case, Criteria, Outputs
from ..golden import Array, errors
from ..limits import Limit

LIMIT = Limit(256.0, True, "room for any stable order of operations over sums; another function is thousands of eps away")


@dataclass(frozen=True)
class Outcome:
    """terms by our names, or only their total; slopes: the gradient of the total by output; raised: in place of both.

    status: of a program's lack of an answer, in a word.
    """

    case: Case
    dtype: str
    terms: Mapping[str, float] | None = None
    total: float | None = None
    slopes: Outputs | None = None
    raised: str = ""
    status: str = ""

    @property
    def answered(self) -> bool:
        return not self.raised


@dataclass(frozen=True)
class Number:
    """One thing that was judged: a term's value, the total, or the gradient by a term's entries."""

    what: str  # "value" or "gradient"
    term: str | None  # None: the total
    got: Array
    wanted: Array
    scale: Array
    errors: Array

    @property
    def wrong(self) -> bool:
        return bool((self.errors > LIMIT.eps).any())

    @property
    def worst(self) -> float:
        return float(self.errors.max(initial=0.0))


def total_scale(case: Case) -> float:
    return sum(float(scale) for scale in case.term_scales.values())


def judged(file: Criteria, one: Outcome) -> list[Number]:
    """Everything that it answered, against what is golden."""
    found = []
    if one.terms is not None:
        for name, value in one.terms.items():
            wanted = one.case.term(name)
            got = np.asarray(value)
            found.append(Number("value", name, got, wanted.number, wanted.scale, errors(wanted, got, one.dtype, True)))
    elif one.total is not None:
        got, scale = np.asarray(one.total), np.asarray(total_scale(one.case))
        golden = one.case.total()
        found.append(Number("value", None, got, golden.number, scale, errors(golden, got, one.dtype, True)))
    if one.slopes is not None:
        for name, term in file.terms.items():
            if not all(output in one.slopes for output in term.outputs):
                continue
            slope, entries = one.case.slope(term), term.entries(one.slopes)
            found.append(Number("gradient", name, entries, slope.number, slope.scale, errors(slope, entries, one.dtype, True)))
    return found


def right(file: Criteria, one: Outcome) -> bool:
    return one.answered and not any(number.wrong for number in judged(file, one))


def flat(value: Any) -> list[float]:
    return [float(x) for x in np.ravel(value)]

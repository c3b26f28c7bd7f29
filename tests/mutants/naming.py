"""How many of the wrong formulas the checker names: a deviation, or a stack of them, that gives the mutant's numbers on every case."""

import os
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from refloss_conformance.deviations import base_formula
from refloss_conformance.explain import Explanation, explain
from refloss_conformance.golden import Array
from refloss_conformance.predict import evaluate
from refloss_conformance.verdict import Judged

from . import implementations, running
from .golden_cases import fails, judged, plain
from .implementations import Mutant

SAMPLE = int(os.environ.get("REFLOSS_NAMED", "1"))  # mutants of each formula; 0 is all, which takes most of an hour
AGREE, NEGLIGIBLE = 1e-2, 1e-6  # of a number's own size, and of what is usual in its batch
NOISE = 8  # times what rounding does to the name's own numbers: what lies below says nothing


@dataclass
class Names:
    """Of one record: mutants by what was said of them."""

    named: dict[str, str] = field(default_factory=dict)
    unknown: list[str] = field(default_factory=list)
    misnamed: dict[str, str] = field(default_factory=dict)


def chosen(record: str, count: int = SAMPLE) -> Iterator[tuple[Mutant, list[Judged]]]:
    """The first few by a checksum of their ids, so that a new mutant changes little; those that answer every case, some of them wrongly."""
    known = running.excused()
    ids: list[str] = []
    list(implementations.mutants(record, "formula", lambda label: bool(label not in known and ids.append(label))))
    ids.sort(key=_order)
    wanted = set(ids if count == 0 else ids[: 4 * count])
    given = 0
    for mutant in sorted(implementations.mutants(record, "formula", wanted.__contains__), key=lambda one: _order(one.id)):
        if 0 < count <= given:
            return
        try:
            found = results(mutant)
        except Exception:  # it says by itself what is wrong with it
            continue
        if any(fails(one) for one in found):
            given += 1
            yield mutant, found


def results(mutant: Mutant) -> list[Judged]:
    """As `refloss check --dtype float64` has them."""
    formula = implementations.Formula(mutant.record, mutant)
    return [judged(batch, formula(batch)) for batch in plain(mutant.record) if batch.dtype == "float64"]


class Name(NamedTuple):
    explanation: Explanation

    @property
    def names(self) -> list[str]:
        return [candidate.name for candidate in self.explanation.stack]

    @property
    def text(self) -> str:
        return " and ".join(c.name if c.constant is None else f"{c.name}({c.constant})" for c in self.explanation.stack)


def said_of(found: Sequence[Judged]) -> list[Name]:
    """The complete explanations: any of them may be meant."""
    return [Name(one) for one in explain(found) if one.complete]


def _order(label: str) -> int:
    """By another checksum than the sample had from which the deviations' author learnt: what is printed is no training score."""
    return zlib.crc32(label.encode(), 2)


def name_all(record: str, count: int = SAMPLE) -> Names:
    names = Names()
    for mutant, found in chosen(record, count):
        said = said_of(found)
        if not said:
            names.unknown.append(mutant.id)
            continue
        text = ", or ".join(one.text for one in said)
        wrong = [share for one in said if (share := agreement(one.explanation, found)) < 1]
        if wrong:
            names.misnamed[mutant.id] = f"{text}: agrees in {min(wrong):.0%}"
        else:
            names.named[mutant.id] = text
    return names


def agreement(explanation: Explanation, found: Sequence[Judged]) -> float:
    """The share of the failing cases that the mutant has as its name says; computed here anew, by the deviations' own formulas.

    Not compared: numbers at kinks of the loss, what rounding alone may do to the name's own numbers, and beside a NaN of a case's
    gradient the other numbers of it, as how far NaN spreads depends on the order of the steps.
    """
    same: list[Array] = []
    for one in found:
        formula: Any = base_formula(one.batch.loss)
        for candidate in explanation.stack:
            formula = candidate.change(formula)
        wide, narrow = (evaluate(formula, one.batch, dtype, True) for dtype in (np.longdouble, np.float64))
        for part, said, rounded in zip(one.parts, wide, narrow, strict=True):
            fails = (part.strict & ~(part.wanted.kink if part.what == "gradient" else False)).reshape(len(one.batch), -1).any(axis=1)
            with np.errstate(all="ignore"):
                noise = np.abs(np.asarray(said - rounded, np.float64))
            alike = _alike(part.got, np.asarray(said, np.float64), np.where(np.isfinite(noise), noise, 0), part.wanted.kink)
            same.append(alike.reshape(len(one.batch), -1).all(axis=1)[fails])
    return float(np.mean(np.concatenate(same))) if same else 0.0


def _alike(got: Array, said: Array, noise: Array, kink: Array) -> Array:
    with np.errstate(all="ignore"):
        size = np.abs(got)
        size = np.broadcast_to(np.where(np.isfinite(size), size, 0).max(axis=-1, keepdims=True), got.shape) if got.ndim > 1 else size
        usual = np.median(size[np.isfinite(size) & (size > 0)]) if (size > 0).any() else 0.0
        close = (np.abs(got - said) <= AGREE * size + NEGLIGIBLE * usual + NOISE * noise) | (got == said)
    lost = ~np.isfinite(got)
    beside = lost.any(axis=-1, keepdims=True) if got.ndim > 1 else lost
    return np.asarray(close | (lost & ~np.isfinite(said)) | (beside & np.isnan(said)) | kink)

"""The golden vectors of a record as few large batches: all settings of one mode, one dtype and one number of classes in one call."""

import functools
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from refloss._engine.bernoulli import GENERIC, HARD
from refloss._engine.call import two_words
from refloss._engine.coding import words
from refloss_conformance.cases import Batch, batches
from refloss_conformance.golden import Array, Golden
from refloss_conformance.records import RECORDS
from refloss_conformance.verdict import Judged, judge

DTYPES = ("float64", "float32")
Answer = tuple[Array, Array]


class Merged(NamedTuple):
    """params: what a kernel takes, each a number for each case."""

    batch: Batch
    mode: int
    centred: bool
    params: tuple[Any, ...]


@functools.cache
def plain(name: str) -> list[Batch]:
    """The vectors as the checker hands them over."""
    return batches(name, DTYPES)


@functools.cache
def merged(name: str) -> list[Merged]:
    record, groups = RECORDS[name], dict[Any, list[tuple[Batch, tuple[Any, ...]]]]()
    for batch in plain(name):
        setting = record.setting(**batch.parameters)
        dtype = np.dtype(batch.dtype).type
        params = words(setting, dtype) if record.kind == "codes" else two_words(setting, dtype)
        groups.setdefault((batch.dtype, setting.mode, setting.centred, batch.first.shape[1:]), []).append((batch, params))
    found = []
    for (_, mode, centred, _), some in groups.items():
        sizes = [len(batch) for batch, _ in some]
        columns = tuple(np.repeat(np.array(column), sizes) for column in zip(*(params for _, params in some), strict=True))
        one = Merged(joined([batch for batch, _ in some]), mode, centred, columns)
        found.append(one)
        if record.kind == "elementwise" and mode in (2, GENERIC):  # hard targets go both ways: alone in a block, or among soft ones
            hard = np.flatnonzero((one.batch.second == 0) | (one.batch.second == 1))
            found.append(Merged(one.batch.take(hard), mode + HARD, centred, tuple(column[hard] for column in columns)))
    return found


def joined(some: Sequence[Batch]) -> Batch:
    def together(parts: Sequence[Golden]) -> Golden:
        def pair(name: str) -> tuple[Array, Array]:
            return tuple(np.concatenate([getattr(part, name)[k] for part in parts]) for k in (0, 1))  # type: ignore[return-value]

        return Golden(pair("words"), np.concatenate([part.scale for part in parts]), pair("low"), pair("high"))

    return replace(
        some[0], ids=sum((b.ids for b in some), ()), flags=sum((b.flags for b in some), ()), kinds=sum((b.kinds for b in some), ()),
        first=np.concatenate([b.first for b in some]), second=np.concatenate([b.second for b in some]),
        value=together([b.value for b in some]), gradient=together([b.gradient for b in some]),
    )  # fmt: skip


def judged(batch: Batch, answer: Answer) -> Judged:
    """As `refloss check` judges a function that returns these arrays."""
    value, gradient = (np.broadcast_to(got, wanted.number.shape) for got, wanted in zip(answer, (batch.value, batch.gradient), strict=True))
    return judge(batch, value, gradient, RECORDS[batch.loss].kind == "pairs")


def fails(one: Judged) -> bool:
    return any(bool(part.strict.any()) for part in one.parts)

"""Golden vectors as batches: the cases of one parameter group, one dtype and one shape, as arrays."""

import functools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from . import criteria, scenes, vectors
from .errors import UsageError
from .golden import Array, Golden, golden
from .records import RECORDS


@dataclass(frozen=True)
class Batch:
    """Arrays with one case in each place of the leading axis."""

    loss: str
    group: str
    parameters: Mapping[str, Any]
    dtype: str
    ids: tuple[str, ...]
    flags: tuple[tuple[str, ...], ...]
    kinds: tuple[frozenset[str], ...]  # the kinds of those flags: basic, edge, saturation, tie, ...
    first: Array
    second: Array
    value: Golden
    gradient: Golden

    def __len__(self) -> int:
        return len(self.ids)

    def take(self, chosen: Iterable[int]) -> "Batch":
        """Some of the cases."""
        index = [int(i) for i in chosen]
        return replace(
            self, ids=tuple(self.ids[i] for i in index), flags=tuple(self.flags[i] for i in index),
            kinds=tuple(self.kinds[i] for i in index), first=self.first[index], second=self.second[index],
            value=self.value.take(index), gradient=self.gradient.take(index),
        )  # fmt: skip

    def with_subnormals(self) -> Array:
        """Which cases have an input below the dtype's smallest normal number, which XLA and TensorFlow read as 0."""
        tiny, found = vectors.SMALLEST_NORMAL[self.dtype], np.zeros(len(self), bool)
        for array in (self.first, self.second):
            if array.dtype.kind != "i":
                size = np.abs(array.astype(np.float64)).reshape(len(self), -1)
                found |= ((size > 0) & (size < tiny)).any(axis=1)
        return found

    def with_kind(self, *kinds: str) -> Array:
        """Which cases have a flag of one of these kinds."""
        return np.array([bool(own & set(kinds)) for own in self.kinds], dtype=bool)


def known(name: str) -> Any:
    """The loss, or the coding, of that name."""
    if name not in RECORDS:
        likely = [one for one in (*RECORDS, *scenes.names(), *criteria.names()) if one.endswith(f".{name}")]
        hint = f"did you mean {' or '.join(likely)}?" if likely else f"there are {', '.join(RECORDS)}"
        raise UsageError(f"there is no loss {name!r}; {hint}")
    return RECORDS[name]


@functools.cache
def load(name: str) -> vectors.Vectors:
    """The vectors of a loss, read once."""
    known(name)
    return vectors.load(name)


def has_vectors() -> list[str]:
    """Losses and codings that have golden vectors, in the order of their registries."""
    present = set(vectors.names())
    return [name for name in RECORDS if name in present]


def missing_dtype(dtype: str) -> str | None:
    """Why a dtype cannot be run here, or None."""
    if dtype == "bfloat16":
        try:
            vectors.numpy_dtype(dtype)
        except ImportError:
            return "bfloat16 needs ml_dtypes, which is not installed"
    return None


def batches(name: str, dtypes: Iterable[str] = vectors.DTYPES) -> list[Batch]:
    """All cases of a loss that the dtypes hold exactly, in the order of the file."""
    known(name)
    return list(_batches(name, tuple(dtype for dtype in dtypes if missing_dtype(dtype) is None)))


@functools.lru_cache(maxsize=4)
def _batches(name: str, wanted: tuple[str, ...]) -> list[Batch]:
    loaded = load(name)
    return [
        _batch(loaded, group, dtype, batch)
        for group in loaded.groups
        for dtype in wanted
        for batch in vectors.batches(loaded, group, dtype)
    ]


def _batch(loaded: vectors.Vectors, group: vectors.Group, dtype: str, batch: vectors.Batch) -> Batch:
    return Batch(
        loss=loaded.loss, group=group.id, parameters=group.parameters, dtype=dtype,
        ids=tuple(case.id for case in batch.cases), flags=tuple(case.flags for case in batch.cases),
        kinds=tuple(frozenset(loaded.notes[flag]["kind"] for flag in case.flags) for case in batch.cases),
        first=batch.first, second=batch.second, value=golden(batch.value, batch.value_scale),
        gradient=golden(batch.gradient, batch.gradient_scale, batch.gradient_low, batch.gradient_high),
    )  # fmt: skip


def notes(name: str) -> Mapping[str, Mapping[str, str]]:
    """What each flag of a loss's vectors means."""
    return load(name).notes

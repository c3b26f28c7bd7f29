"""Calling somebody's assigner, miner or selection: arrays of its framework in, an answer to a scene out."""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from refloss._engine.check import IGNORE, NEGATIVE

from .jax_arrays import precision
from .scene_judging import Outcome
from .scenes import Part, Scene, Scenes
from .target import one_line

UNKNOWN = -1000  # a code that is none of the stated ones becomes this and less, which no answer holds


class NoAnswer(Exception):  # noqa: N818  (an outcome to report)
    """The callable gave something that is no answer; the text says what."""


@dataclass(frozen=True)
class Codes:
    """How an assigner writes its answer: background, ignored, and the first truth. Ours, and torchvision's, unless stated."""

    negative: int = NEGATIVE
    ignore: int = IGNORE
    first: int = 0

    def ours(self, values: Any) -> list[int]:
        def one(code: int) -> int:
            if code == self.negative:
                return NEGATIVE
            if code == self.ignore:
                return IGNORE
            return code - self.first if code >= self.first else UNKNOWN + code

        return [one(int(code)) for code in values]


@contextlib.contextmanager
def framework_ready(name: str) -> Iterator[None]:
    """JAX computes float64 only where it is told to."""
    if name == "jax":
        with precision(np.float64):
            yield
    else:
        yield


def native(framework: str, value: Any) -> Any:
    """An array of theirs; what is no array goes as it is."""
    if not isinstance(value, np.ndarray):
        return value
    if framework == "torch":
        import torch

        return torch.from_numpy(np.array(value))
    if framework == "tensorflow":
        import tensorflow as tf

        return tf.constant(value)
    if framework == "jax":
        import jax.numpy as jnp

        return jnp.asarray(value)
    return np.array(value)


def plain(value: Any) -> Any:
    """A result as NumPy: tensors leave their device, sequences of numbers become arrays."""
    if hasattr(value, "detach"):
        value = value.detach().cpu()
    try:
        array = np.asarray(value)
    except (TypeError, ValueError) as error:
        raise NoAnswer(f"it returned a {type(value).__name__}, which is no array ({one_line(error)})") from None
    if array.dtype.kind not in "biuf":
        raise NoAnswer(f"it returned a {type(value).__name__}, not an array of numbers")
    return array


def picked(result: Any, pick: Any) -> Any:
    """A place of a tuple, a key of a dictionary, or an attribute."""
    if pick is None:
        return result
    try:
        if isinstance(pick, int) or (isinstance(result, Mapping) and pick in result):
            return result[pick]
        return getattr(result, pick)
    except (AttributeError, KeyError, IndexError, TypeError):
        raise NoAnswer(f"its result, a {type(result).__name__}, has no {pick!r}; check --pick") from None


def answer(result: Any, file: Scenes, given: Mapping[str, Any], codes: Codes) -> dict[str, Any]:
    """The parts that a result holds: by name, by place, or the one array that it is."""
    parts = file.parts
    if isinstance(result, Mapping) or any(hasattr(result, name) for name in parts):
        held = result if isinstance(result, Mapping) else {name: getattr(result, name) for name in parts if hasattr(result, name)}
        named = {name: held[name] for name in parts if name in held}
        if not named:
            raise NoAnswer(f"it returned a {type(result).__name__} without {' or '.join(parts)}; name the array with --pick")
    elif isinstance(result, (tuple, list)) and len(parts) > 1 and len(result) == len(parts) and np.ndim(result[0]) > 0:
        named = dict(zip(parts, result, strict=True))
    elif isinstance(result, tuple):
        if len(result) != 1:
            raise NoAnswer(f"it returned {len(result)} things; say which of them is the answer with --pick 0, 1, ...")
        named = _single(result[0], parts)
    else:
        named = _single(result, parts)
    return {name: _read(plain(value), name, parts[name], given, codes) for name, value in named.items()}


def _single(result: Any, parts: Mapping[str, Part]) -> dict[str, Any]:
    """Rows of two are pairs where the file has them; anything else is the first part."""
    array = plain(result)
    pairs = [name for name, part in parts.items() if part.kind == "pairs"]
    first = next(iter(parts))
    return {pairs[0] if pairs and array.ndim == 2 else first: array}


def _read(array: Any, name: str, part: Part, given: Mapping[str, Any], codes: Codes) -> Any:
    if part.kind == "numbers":
        return array.astype(np.float64).tolist()
    if array.dtype.kind == "f" and not np.array_equal(array, np.round(array)):
        raise NoAnswer(f"{name} holds {array.ravel()[0]}, and integers are wanted")
    if part.kind == "pairs":
        if array.ndim != 2 or (array.size and array.shape[1] != 2):
            raise NoAnswer(f"{name} has the shape {array.shape}, not (matches, 2)")
        return [[int(prior), *codes.ours([truth])] for prior, truth in array]
    if array.ndim != 1:
        array = array.reshape(-1) if array.size == max(array.shape, default=0) else array
    if array.ndim != 1:
        raise NoAnswer(f"{name} has the shape {array.shape}, and one number for each is wanted")
    if part.kind == "mask":
        return array.tolist() if array.dtype.kind == "b" else _members(array.astype(int), _length(given))
    if part.kind == "indices":
        return _by_score(array, given) if array.dtype.kind == "b" else [int(i) for i in array]
    return codes.ours(array)


def _members(indices: Any, length: int) -> list[bool]:
    chosen = set(indices.tolist())
    if not chosen <= set(range(length)):
        raise NoAnswer(f"it returned the index {max(chosen, key=abs)} among {length}")
    return [i in chosen for i in range(length)]


def _length(given: Mapping[str, Any]) -> int:
    return next(len(value) for value in given.values() if isinstance(value, np.ndarray))


def _by_score(mask: Any, given: Mapping[str, Any]) -> list[int]:
    """A mask of what is kept says nothing of the order, which the scores do."""
    kept = np.flatnonzero(mask)
    scores = given.get("scores")
    return [int(i) for i in (kept if scores is None or np.ndim(scores) > 1 else kept[np.argsort(-scores[kept], kind="stable")])]


def outcomes(ask: Any, file: Scenes, scenes: Sequence[Scene], dtype: str) -> list[Outcome]:
    """What `ask(scene, dtype)` answers to each scene; what it raises is an outcome too."""
    found = []
    for scene in (one for one in scenes if dtype in one.dtypes):
        try:
            found.append(Outcome(scene, dtype, ask(scene, dtype)))
        except NoAnswer as reason:
            found.append(Outcome(scene, dtype, None, str(reason)))
        except (Exception, SystemExit) as error:  # whatever it raises is a result to report
            found.append(Outcome(scene, dtype, None, f"it raised {one_line(error)}"))
    return found

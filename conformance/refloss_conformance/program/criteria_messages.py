"""What a program is told of a batch of a whole criterion, and what it answers: terms by name, and the gradient by the head's outputs.

A batch is a message of its own, as a scene is. The number of classes has another name here than in the golden files, where a head's
output may be called classes, too: each key stands in a message once.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..criteria import Case, Criteria, Outputs
from ..criterion.outcome import Outcome
from ..golden import Array
from .messages import Declined, Fault, cut, each, encode, number

RENAMED = {"classes": "number_of_classes"}
KEYS = ("terms", "total", "gradient")


@dataclass(frozen=True)
class Question:
    """A case in a dtype as a question to a program (see talk.Question)."""

    file: Criteria
    case: Case
    dtype: str

    @property
    def ids(self) -> Sequence[str]:
        return (self.case.id,)

    def take(self, index: Sequence[int]) -> "Question":
        """There is one case to take."""
        return self

    def letter(self, seq: int) -> bytes:
        """The order of the keys is part of the protocol."""
        outputs = {name: array.astype(np.float64).tolist() for name, array in self.case.arrays(self.dtype).items()}
        truths = self.case.targets(self.dtype)
        return encode({
            "seq": seq, "cmd": "run", "function": self.file.name, "dtype": self.dtype,
            "parameters": {**self.file.defaults, **self.case.parameters},
            "config": {RENAMED.get(name, name): value for name, value in self.case.config.items()},
            "inputs": {
                **outputs, "gt_boxes": [one["gt_boxes"].astype(np.float64).tolist() for one in truths],
                "gt_labels": [one["gt_labels"].tolist() for one in truths],
            },
            "cases": list(self.ids),
        })  # fmt: skip

    def read(self, message: Mapping[str, Any], gradients: bool) -> list[Outcome | Declined]:
        return each(message, 1, lambda one: self._outcome(one, gradients))

    def _outcome(self, one: Mapping[str, Any], gradients: bool) -> Outcome:
        """A Fault where something has not the form that is asked for, whatever the numbers are."""
        _only("an answer", one, KEYS)
        if ("terms" in one) == ("total" in one):
            raise Fault("misshapen", "an answer holds either terms, whose sum is the loss, or the total alone")
        slopes = _slopes(one, self.case.arrays("float64")) if gradients else None
        if "total" in one:
            return Outcome(self.case, self.dtype, total=number(one["total"], "total"), slopes=slopes)
        terms = _whole("terms", one["terms"], tuple(self.file.terms))
        return Outcome(self.case, self.dtype, {name: number(terms[name], f"term {name}") for name in self.file.terms}, slopes=slopes)


def _only(what: str, found: Mapping[str, Any], known: Sequence[str]) -> None:
    other = next((name for name in found if name not in known), None)
    if other is not None:
        raise Fault("misshapen", f"{what} holds {cut(other)}, and there is {', '.join(known)}")


def _whole(what: str, found: Any, names: Sequence[str]) -> Mapping[str, Any]:
    """An object with all of these names and no other."""
    if not isinstance(found, dict):
        raise Fault("misshapen", f"{what} is {cut(found)}, not an object with {', '.join(names)}")
    _only(what, found, names)
    missing = next((name for name in names if name not in found), None)
    if missing is not None:
        raise Fault("misshapen", f"{what} has no {missing}")
    return found


def _slopes(one: Mapping[str, Any], outputs: Outputs) -> Outputs:
    if "gradient" not in one:
        raise Fault("misshapen", 'a result has no gradient; a program without any states "gradients":false, a folder has none at all')
    found = _whole("gradient", one["gradient"], tuple(outputs))
    return {name: _array(f"gradient by {name}", found[name], array.shape) for name, array in outputs.items()}


def _array(name: str, nested: Any, shape: tuple[int, ...]) -> Array:
    """Numbers nested as the output is, which has this shape."""
    rows = [nested]
    for axis, length in enumerate(shape):
        for row in rows:
            if not isinstance(row, list) or len(row) != length:
                got = f"{len(row)} long" if isinstance(row, list) else cut(row)
                raise Fault("misshapen", f"a {name} is {got} along axis {axis}, where {length} are wanted: it has the shape {list(shape)}")
        rows = [one for row in rows for one in row]
    return np.array([number(x, name) for x in rows], np.float64).reshape(shape)

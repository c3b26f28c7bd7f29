"""What a program is told of a scene, and what it answers: the parts of the answer by name, in the forms of scenes/README.md.

A scene is a message of its own: its inputs have lengths of their own, and a crash costs one answer. There is no "count" in it, which
is a parameter's name, too, and each key stands in a message once.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from refloss.priors.grid import Grid

from ..scenes import Answer, Part, Scene, Scenes, arrays
from .messages import Declined, Fault, cut, each, encode, number


@dataclass(frozen=True)
class Question:
    """A scene in a dtype as a question to a program (see talk.Question)."""

    file: Scenes
    scene: Scene
    dtype: str

    @property
    def ids(self) -> Sequence[str]:
        return (self.scene.id,)

    def take(self, index: Sequence[int]) -> "Question":
        """There is one scene to take."""
        return self

    def letter(self, seq: int) -> bytes:
        """The order of the keys is part of the protocol."""
        given = {name: _plain(value) for name, value in arrays(self.file, self.scene, self.dtype).items()}
        return encode({
            "seq": seq, "cmd": "run", "function": self.file.function, "dtype": self.dtype,
            "parameters": dict(self.scene.parameters), "inputs": given, "cases": list(self.ids),
        })  # fmt: skip

    def read(self, message: Mapping[str, Any], gradients: bool) -> list[Answer | Declined]:
        return each(message, 1, lambda one: _answer(one, self.file.parts, self.scene.expected))


def _plain(value: Any) -> Any:
    """As JSON has it; floats as the shortest decimals that float64 reads exactly."""
    if isinstance(value, np.ndarray):
        return value.tolist() if value.dtype.kind == "i" else value.astype(np.float64).tolist()
    if isinstance(value, Grid):
        return {"shapes": value.shapes, "stride": value.stride, "height": value.height, "width": value.width}
    return [_plain(one) for one in value] if isinstance(value, tuple) else value


def _answer(one: Mapping[str, Any], parts: Mapping[str, Part], expected: Answer) -> Answer:
    """Some parts of the answer, or all. A Fault where something has not the form of its part, whatever the numbers are."""
    wanted = " and ".join(parts)
    unknown = next((name for name in one if name not in parts), None)
    if unknown is not None:
        raise Fault("misshapen", f"an answer holds {cut(unknown)}, and there is {wanted}")
    if not one:
        raise Fault("misshapen", f"an answer is empty, without {wanted}")
    return {name: FORMS[parts[name].kind](name, value, expected[name]) for name, value in one.items()}


def _list(name: str, value: Any, length: int | None = None) -> list[Any]:
    if not isinstance(value, list):
        raise Fault("misshapen", f"{name} is {cut(value)}, not a list")
    if length is not None and len(value) != length:
        raise Fault("misshapen", f"{name} is {len(value)} long, not {length}")
    return value


def _integer(name: str, x: Any) -> int:
    if isinstance(x, bool) or not isinstance(x, (int, float)) or (isinstance(x, float) and not x.is_integer()):
        raise Fault("misshapen", f"{name} holds {cut(x)}, which is no integer")
    return int(x)


def _codes(name: str, value: Any, wanted: Any) -> list[int]:
    return [_integer(name, x) for x in _list(name, value, len(wanted))]


def _indices(name: str, value: Any, wanted: Any) -> list[int]:
    return [_integer(name, x) for x in _list(name, value)]


def _pairs(name: str, value: Any, wanted: Any) -> list[list[int]]:
    return [[_integer(name, x) for x in _list(f"a pair of {name}", pair, 2)] for pair in _list(name, value)]


def _mask(name: str, value: Any, wanted: Any) -> list[bool]:
    for x in _list(name, value, len(wanted)):
        if not isinstance(x, bool):
            raise Fault("misshapen", f"{name} holds {cut(x)}, which is neither true nor false")
    return list(value)


def _numbers(name: str, value: Any, wanted: Any) -> list[Any]:
    """Numbers, or rows of as many as are expected."""
    row = f"row of {name}"
    if not (wanted and isinstance(wanted[0], list)):
        return [number(x, row) for x in _list(name, value)]
    return [[number(x, row) for x in _list(f"a {row}", one, len(wanted[0]))] for one in _list(name, value)]


FORMS: Mapping[str, Callable[[str, Any, Any], Any]] = {
    "codes": _codes, "indices": _indices, "pairs": _pairs, "mask": _mask, "numbers": _numbers,
}  # fmt: skip

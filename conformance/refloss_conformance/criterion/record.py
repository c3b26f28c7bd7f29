"""A known mistake in whole criteria, or another project's convention: a choice made otherwise, by its name."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..mistake import Mistake
from .images import Choices

Change = Callable[[Choices, Any], Mapping[str, Any] | None]  # (choices, constant) -> the choices that change; None: it does not apply


@dataclass(frozen=True)
class Deviation(Mistake):
    """title may hold {constant}. criteria: where it can happen."""

    criteria: tuple[str, ...]
    change: Change = field(repr=False)
    constants: tuple[Any, ...] = (None,)  # candidates for a constant that the cases identify


@dataclass(frozen=True)
class Candidate:
    """A deviation with its constant chosen."""

    deviation: Deviation
    constant: Any = None

    @property
    def title(self) -> str:
        return self.deviation.title if self.constant is None else self.deviation.title.format(constant=shown(self.constant))

    def change(self, choices: Choices) -> dict[str, Any] | None:
        """The choices with this deviation in them; None where it changes none of them."""
        moved = self.deviation.change(choices, self.constant)
        if moved is None or all(choices[name] == value for name, value in moved.items()):
            return None
        return {**choices, **moved}


def shown(constant: Any) -> str:
    return f"{constant:g}" if isinstance(constant, float) else str(constant)


def register(
    known: dict[str, Deviation], name: str, title: str, seen: str, effect: str, criteria: Sequence[str], change: Change | Mapping[str, Any],
    constants: Sequence[Any] = (None,),
) -> None:  # fmt: skip
    """Put one into `known`; change may be the choices themselves, in which "{constant}" stands for the constant."""
    table = dict(change) if isinstance(change, Mapping) else {}

    def of_table(choices: Choices, constant: Any) -> Mapping[str, Any] | None:
        return (
            {key: constant if value == "{constant}" else value for key, value in table.items()} if table.keys() <= choices.keys() else None
        )

    made = of_table if isinstance(change, Mapping) else change
    known[name] = Deviation(name, title, seen, effect, tuple(criteria), made, tuple(constants))

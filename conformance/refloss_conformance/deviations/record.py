"""What a deviation is, and the table of all of them."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from ..mistake import Mistake
from ..records import RECORDS

Formula = Callable[..., Any]
Change = Callable[..., Any]
# Unknown constants are looked for among these: the decades, and the spacings of float32 and float64 at 1.
EPSILONS = (1e-3, 1e-4, 1e-5, 1e-6, 2e-7, 1e-7, 1e-8, 1e-9, 1e-10, 1e-12, 1e-15, 1e-16, 2.0**-23, 2.0**-24, 2.0**-52)


@dataclass(frozen=True)
class Deviation(Mistake):
    """losses: where it can happen."""

    losses: tuple[str, ...]
    change: Change = field(repr=False)
    constants: tuple[Any, ...] = (None,)  # candidates for a constant that the cases identify
    applies: Callable[[str], bool] = field(default=lambda _: True, repr=False)
    keyword: bool = False  # only sets keywords of the template: the order among such deviations does not matter
    alone: bool = False  # a slip of the pen: not combined with others unless it explains much by itself


@dataclass(frozen=True)
class Candidate:
    """A deviation with its constant chosen."""

    deviation: Deviation
    constant: Any = None

    @property
    def name(self) -> str:
        return self.deviation.name

    @property
    def title(self) -> str:
        return self.deviation.title if self.constant is None else self.deviation.title.format(constant=_short(self.constant))

    def change(self, base: Formula) -> Formula:
        """The formula with this deviation in it."""
        extra = {} if self.constant is None else {"constant": self.constant}

        def formula(xp: Any, first: Any, second: Any, **parameters: Any) -> Any:
            return self.deviation.change(base, xp, first, second, **extra, **parameters)

        return formula


def _short(constant: Any) -> str:
    known = {2.0**-23: "2^-23 (float32's eps)", 2.0**-24: "2^-24", 2.0**-52: "2^-52 (float64's eps)"}
    return known.get(constant) or (f"{constant:g}" if isinstance(constant, float) else str(constant))


DEVIATIONS: dict[str, Deviation] = {}
TEMPLATES: dict[str, Formula] = {}


def deviation(
    name: str, *, title: str, seen: str, effect: str, losses: tuple[str, ...] = (), needs: str | None = None,
    constants: tuple[Any, ...] = (None,), applies: Callable[[str], bool] | None = None, keyword: bool = False, alone: bool = False,
) -> Callable[[Change], Change]:  # fmt: skip
    """Register a deviation of these losses or codings, or of every loss that has the parameter it `needs`, or where it `applies`."""

    def matches(loss: str) -> bool:
        if loss not in losses and (losses or RECORDS[loss].kind == "codes"):
            return False
        if needs is not None and needs not in RECORDS[loss].defaults:
            return False
        return applies is None or applies(loss)

    def decorate(change: Change) -> Change:
        DEVIATIONS[name] = Deviation(name, title, seen, effect, losses, change, constants, matches, keyword, alone)
        return change

    return decorate


def base_formula(loss: str) -> Formula:
    """The formula that deviations change: a template that knows the places of mistakes, or the loss's own."""
    formula: Formula = TEMPLATES.get(loss) or RECORDS[loss].formula
    return formula


def applicable(loss: str) -> list[Candidate]:
    """Every deviation of a loss, with every constant it may have; slips of the pen come last."""
    every = sorted(DEVIATIONS.values(), key=lambda one: one.alone)
    return [Candidate(deviation, constant) for deviation in every if deviation.applies(loss) for constant in deviation.constants]

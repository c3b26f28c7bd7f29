"""Formulas as named steps, and slips of the pen: deviations that are one step done otherwise.

A step is a function of the work, whose attributes are the inputs and the results of other steps; each is computed when it is first
asked for. A slip is some steps, or some for each of a few words that complete its title: an axis, an edge, a factor. A formula in steps
knows no keywords of the templates, so a slip is combined with what changes inputs, parameters or results, and with no other slip.
"""

from collections.abc import Callable, Mapping
from typing import Any

from .record import TEMPLATES, Formula, base_formula, deviation

Step = Callable[[Any], Any]
Steps = Mapping[str, Step]


class Work:
    """One evaluation of a formula that is made of steps."""

    def __init__(self, steps: Steps, done_otherwise: Steps, **given: Any) -> None:
        self.steps, self.done_otherwise = steps, done_otherwise
        self.__dict__.update(given)

    def __getattr__(self, name: str) -> Any:
        if name not in self.steps:
            raise AttributeError(name)
        result = (self.done_otherwise.get(name) or self.steps[name])(self)
        self.__dict__[name] = result
        return result

    def usual(self, name: str) -> Any:
        """What a step gives where it is not done otherwise."""
        return self.steps[name](self)


Family = Callable[..., Any]  # (xp, first, second, steps done otherwise, **parameters): value


def in_steps(losses: tuple[str, ...], family: Callable[[str], Family]) -> None:
    """Lets the templates of some losses take `slips`, steps done otherwise, which leave no room for other keywords."""
    for loss in losses:
        TEMPLATES[loss] = _either(base_formula(loss), family(loss))


def _either(template: Formula, family: Family) -> Formula:
    def formula(xp: Any, first: Any, second: Any, *, slips: Steps | None = None, **parameters: Any) -> Any:
        return template(xp, first, second, **parameters) if slips is None else family(xp, first, second, slips, **parameters)

    return formula


class Slip:
    """What a family of slips shares. Called with a name, a title and the steps done otherwise, or with those for each word."""

    def __init__(self, losses: tuple[str, ...], seen: str, effect: str) -> None:
        self.losses, self.seen, self.effect = losses, seen, effect

    def __call__(
        self, name: str, title: str, steps: Mapping[str, Any], losses: tuple[str, ...] = (), effect: str = "", seen: str = ""
    ) -> None:
        words = tuple(steps) if all(isinstance(one, Mapping) for one in steps.values()) else (None,)

        @deviation(
            name,
            title=title,
            seen=seen or self.seen,
            effect=effect or self.effect,
            losses=losses or self.losses,
            constants=words,
            alone=True,
        )
        def change(base: Any, xp: Any, first: Any, second: Any, *, constant: str | None = None, **parameters: Any) -> Any:
            return base(xp, first, second, slips=steps if constant is None else steps[constant], **parameters)


def combined(*parts: Steps) -> dict[str, Step]:
    return {name: step for part in parts for name, step in part.items()}

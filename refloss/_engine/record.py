"""The Loss record: everything the engine, the adapters, the oracle and the checker need to know of one loss."""

import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Any, Generic, Literal, NamedTuple, ParamSpec

import numpy as np

P = ParamSpec("P")
Array = np.ndarray[Any, Any]
Reduction = Literal["none", "mean", "sum"]
Kind = Literal["elementwise", "labels", "rows", "pairs"]
Targets = Literal["real", "unit", "labels", "boxes"]
REGISTRY: dict[str, "Loss[Any]"] = {}
COMMON = ("weights", "reduction", "normalizer")  # the engine's own, the same for every loss


class Setting(NamedTuple):
    """A loss's parameters as its kernel takes them: a compile-time choice, and numbers (passed in two words each)."""

    mode: int
    numbers: tuple[float, ...] = ()  # up to four, or three for pairs
    centred: bool = False  # of pairs: boxes are (cx, cy, w, h)


class Loss(Generic[P]):
    """A loss that can be called; `value_and_grad` adds the gradient with respect to the first argument.

    kind: how elements lie. "elementwise": predictions and targets of one shape. "labels": logits (..., classes) with integer
    labels (...), a loss for each logit. "rows": the same, a loss for each row. "pairs": boxes (..., 4), a loss for each pair.
    targets: the domain of the second argument: "real", "unit" ([0, 1]), "labels" or "boxes".
    settle: checks the parameters, and turns them into the kernel's Setting. It is the decorated function itself.
    settings: the parameter settings that the golden vectors cover.
    """

    def __init__(
        self, settle: Callable[P, Setting], kind: Kind, targets: Targets,
        formula: Callable[..., Any], kernel: Callable[..., Any], settings: tuple[Mapping[str, Any], ...],
    ) -> None:  # fmt: skip
        functools.update_wrapper(self, settle)
        self.name = settle.__name__
        self.kind, self.targets = kind, targets
        self.formula, self.kernel, self.settle = formula, kernel, settle
        self.settings = settings
        self.__signature__ = inspect.signature(settle).replace(return_annotation=Array)  # what help() shows
        parameters = self.__signature__.parameters
        self.arrays = tuple(parameters)[:2]
        self.defaults = {n: p.default for n, p in parameters.items() if n not in (*self.arrays, *COMMON)}

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Array:
        from .call import evaluate

        return evaluate(self, False, *args, **kwargs)[0]

    def value_and_grad(self, *args: P.args, **kwargs: P.kwargs) -> tuple[Array, Array]:
        """(value, gradient with respect to the first argument); with a reduction, the gradient of the reduced value."""
        from .call import evaluate

        return evaluate(self, True, *args, **kwargs)

    def setting(self, **parameters: Any) -> Setting:
        """These parameters, and the defaults of the others, as the kernel takes them."""
        settle: Callable[..., Setting] = self.settle
        return settle(None, None, **{**self.defaults, **parameters})

    def __repr__(self) -> str:
        bare = [p.replace(annotation=inspect.Parameter.empty) for p in self.__signature__.parameters.values()]
        return f"<loss {self.name}{inspect.Signature(bare)}>"

    def __reduce__(self) -> tuple[Any, ...]:
        return find, (self.name,)


def find(name: str) -> Loss[Any]:
    """The loss of that name."""
    return REGISTRY[name]


def loss(
    *, kind: Kind, targets: Targets, formula: Callable[..., Any], kernel: Callable[..., Any], settings: tuple[Mapping[str, Any], ...]
) -> Callable[[Callable[P, Setting]], Loss[P]]:
    """Make a Loss of a function whose signature and docstring are the public ones, and whose body is `settle`."""

    def decorate(settle: Callable[P, Setting]) -> Loss[P]:
        made = Loss(settle, kind, targets, formula, kernel, settings)
        REGISTRY[made.name] = made
        return made

    return decorate

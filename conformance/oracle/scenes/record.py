"""A golden scene before it is written: inputs of an assigner, and the exact answer of its reference with all that a tie allows."""

import inspect
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal, localcontext
from fractions import Fraction
from typing import Any

import numpy as np

from refloss.priors.grid import Grid
from refloss_conformance.scene_judging import agrees
from refloss_conformance.scenes import Input, Part
from refloss_conformance.vectors import EPS

from ..decisions import Decisions

Answer = dict[str, Any]
NEAREST = 64  # eps of the dtype: what is nearer to a threshold than this, and not exactly at it, is nobody's fault
MOST_RUNS, MOST_ANSWERS = 3000, 64
TYPES = {"float64": np.float64, "float32": np.float32}


class Watched(Decisions):
    """Tells equality at a threshold from nearness."""

    def __init__(self, script: Sequence[int] = ()) -> None:
        super().__init__(script)
        self.nearest: float | None = None
        self.equalities = 0

    def _compare(self, a: Any, b: Any) -> None:
        super()._compare(a, b)
        size = max(abs(a), abs(b))
        if size > 0 and not math.isinf(size):
            if a == b:
                self.equalities += 1
            else:
                distance = float(abs(a - b) / size)
                self.nearest = distance if self.nearest is None else min(self.nearest, distance)


class Exclusive(Decisions):
    """Equality at every threshold falls on the lower side."""

    def at_least(self, a: Any, b: Any) -> bool:
        return bool(a > b)


class Inclusive(Decisions):
    """Equality at every threshold falls on the upper side."""

    def above(self, a: Any, b: Any) -> bool:
        return bool(a >= b)


@dataclass(frozen=True)
class Scene:
    """slug: never changes its meaning. inputs: floats that float32 holds. parameters: those that are not the default."""

    slug: str
    flags: tuple[str, ...]
    inputs: Mapping[str, Any]
    parameters: Mapping[str, Any] = field(default_factory=dict)
    dtypes: tuple[str, ...] = ("float64", "float32")


Ask = Callable[..., Answer]  # (inputs, parameters, decisions=Decisions()) -> the reference's answer


@dataclass(frozen=True)
class Deviation:
    """A known mistake, as another dialect of the reference or a small change around it: change(ask, inputs, parameters) -> answer.

    None for an answer means that it raises, or writes outside its arrays.
    """

    name: str
    title: str
    seen: str
    effect: str
    change: Callable[[Ask, Mapping[str, Any], Mapping[str, Any]], Answer | None]
    applies: Callable[[Mapping[str, Any]], bool] = lambda parameters: True


@dataclass(frozen=True)
class Function:
    """Everything about one file. read: the reference's result as the parts of an answer."""

    name: str
    inputs: Mapping[str, Input]
    parts: Mapping[str, Part]
    reference: Callable[..., Any]
    read: Callable[[Any], Answer]
    scenes: Sequence[Scene]
    deviations: Sequence[Deviation]
    notes: Mapping[str, tuple[str, str]]
    parameters: Mapping[str, Any] | None = None  # defaults, where they are not the reference's own

    @property
    def defaults(self) -> dict[str, Any]:
        if self.parameters is not None:
            return dict(self.parameters)
        found = inspect.signature(self.reference).parameters.values()
        return {p.name: p.default for p in found if p.kind is p.KEYWORD_ONLY and p.name not in self.inputs}

    def ask(self, number: Callable[[Any], Any]) -> Ask:
        """The reference over numbers of one type. Parameters mean the decimal that is written."""

        def run(inputs: Mapping[str, Any], parameters: Mapping[str, Any], decisions: Decisions | None = None) -> Answer:
            given = {name: each(number, value) for name, value in inputs.items()}
            settings = {name: each(decimal if number is Fraction else float, value) for name, value in parameters.items()}
            with np.errstate(invalid="ignore"):  # infinite stand-ins have no distance
                return self.read(self.reference(Decisions() if decisions is None else decisions, **given, **settings))

        return run


def decimal(x: float) -> Any:
    """The decimal that a parameter was written as: 0.4 is 2/5."""
    return x if math.isinf(x) else Fraction(repr(x))


def each(number: Callable[[Any], Any], value: Any) -> Any:
    """Floats as another type, however deep; integers, texts and grids as they are."""
    if isinstance(value, Grid):
        return value
    if isinstance(value, (list, tuple)):
        return type(value)(each(number, one) for one in value)
    return number(value) if isinstance(value, float) else value


def digits(function: Function, answer: Answer | None) -> Any:
    """An answer as it is written: numbers with 25 digits."""
    if answer is None:
        return None
    return {name: each_number(value) if function.parts[name].kind == "numbers" else value for name, value in answer.items()}


def each_number(value: Any) -> Any:
    if isinstance(value, (list, tuple)):
        return [each_number(one) for one in value]
    exact = Fraction(value) if not isinstance(value, Fraction) else value
    with localcontext(prec=25):
        return f"{Decimal(exact.numerator) / Decimal(exact.denominator):f}" if exact else "0.0"


@dataclass(frozen=True)
class Answered:
    allowed: list[Answer]
    nearest: float | None
    at_threshold: bool


def every_answer(run: Callable[[Decisions], Answer]) -> Answered:
    """Ours first, then what other ways of breaking ties lead to. Ties that change nothing alone are not combined where there are many."""
    watched = Watched()
    ours = run(watched)
    ties, found = list(watched.ties), [ours]

    def flipped(turn: int, choice: int) -> tuple[Answer, list[int]]:
        other = Watched((*(0,) * turn, choice))
        return run(other), other.ties

    matters = list(range(len(ties)))
    if math.prod(ties) > MOST_RUNS:
        matters = [t for t, n in enumerate(ties) if any(flipped(t, c) != (ours, ties) for c in range(1, n))]
    todo: list[tuple[int, ...]] = [()]
    for _ in range(MOST_RUNS):
        if not todo:
            return Answered(found, watched.nearest, watched.equalities > 0)
        script = todo.pop(0)
        other = Watched(script)
        answer = run(other)
        if answer not in found:
            found.append(answer)
        for turn in range(len(script), len(other.ties)):
            if turn in matters or turn >= len(ties):
                before = script + (0,) * (turn - len(script))
                todo += [(*before, choice) for choice in range(1, other.ties[turn])]
    raise ValueError("so many ties that their answers cannot be listed")


def answered(function: Function, scene: Scene) -> Answered:
    """The scene's exact answer, proved to be what float64 and float32 decide."""
    parameters = {**function.defaults, **scene.parameters}
    name = f"{function.name}/{scene.slug}"
    if "rounding" in scene.flags:
        (dtype,) = scene.dtypes
        return Answered([function.ask(TYPES[dtype])(scene.inputs, parameters)], None, False)
    exact = function.ask(Fraction)
    try:
        result = every_answer(lambda d: exact(scene.inputs, parameters, d))
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None
    if len(result.allowed) > MOST_ANSWERS:
        raise ValueError(f"{name}: {len(result.allowed)} answers are too many")
    limit = NEAREST * max(EPS[dtype] for dtype in scene.dtypes)
    if result.nearest is not None and result.nearest < limit:
        raise ValueError(f"{name}: a decision hangs on {result.nearest:.3g}, less than {limit:.3g}, and is not exactly at its threshold")
    for dtype in scene.dtypes:
        got = function.ask(TYPES[dtype])(scene.inputs, parameters)
        if not agrees(function.parts, got, digits(function, result.allowed[0]), dtype):
            raise ValueError(f"{name}: {dtype} decides {got}, and exact numbers {result.allowed[0]}")
    return result


def deviating(function: Function, scene: Scene, allowed: list[Answer]) -> list[tuple[Answer | None, tuple[str, ...], list[str]]]:
    """(answer, dtypes, names of the deviations that give it), for answers that are not allowed."""
    parameters = {**function.defaults, **scene.parameters}
    found: list[tuple[Answer | None, tuple[str, ...], list[str]]] = []
    for deviation in function.deviations:
        if not deviation.applies(parameters):
            continue
        exact = any(part.kind == "numbers" for part in function.parts.values())
        given = {
            dtype: deviation.change(function.ask(Fraction if exact else TYPES[dtype]), scene.inputs, parameters) for dtype in scene.dtypes
        }
        for answer in [a for i, a in enumerate(given.values()) if a not in list(given.values())[:i] and a not in allowed]:
            dtypes = tuple(dtype for dtype in scene.dtypes if given[dtype] == answer)
            same = next((names for other, where, names in found if other == answer and where == dtypes), None)
            if same is None:
                found.append((answer, dtypes, [deviation.name]))
            else:
                same.append(deviation.name)
    return found

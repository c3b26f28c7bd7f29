"""Which of our inputs and parameters goes to which argument of theirs, and which parameter settings that leaves to test."""

import inspect
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from .errors import UsageError
from .target import Target

OPTIONAL = inspect.Parameter.empty


class Asked(Protocol):
    """What a request says of arguments: --map, their name -> ours; --set, their name -> value; --param, our name -> the value to test."""

    @property
    def mapping(self) -> Mapping[str, str]: ...
    @property
    def constants(self) -> Mapping[str, Any]: ...
    @property
    def only(self) -> Mapping[str, Any]: ...


@dataclass(frozen=True)
class Plan:
    """How the callable is called."""

    target: Target
    inputs: Mapping[str, str]  # their argument -> our array
    passed: Mapping[str, str]  # our parameter -> their argument
    constants: Mapping[str, Any]  # their argument -> value
    fixed: Mapping[str, Any]  # our parameter -> the only value that is tested, for the reason beside it
    why_fixed: Mapping[str, str]

    @property
    def first(self) -> str:
        """Their name for a loss's first array."""
        return next(iter(self.inputs))

    @property
    def second(self) -> str:
        return list(self.inputs)[1]

    def call(self, parameters: Mapping[str, Any]) -> Callable[..., Any]:
        """The callable at one parameter setting, as a function of the inputs in their order."""
        named = {**self.constants, **{theirs: parameters[ours] for ours, theirs in self.passed.items()}}
        order = [p.name for p in self.target.parameters if p.positional_only]

        def function(*given: Any) -> Any:
            arguments = {**named, **dict(zip(self.inputs, given, strict=True))}
            positional = [arguments.pop(name) for name in order if name in arguments]
            return self.target.function(*positional, **arguments)

        return function

    def reason_to_skip(self, parameters: Mapping[str, Any]) -> str | None:
        """Why a parameter setting cannot be run, or None."""
        for name, value in self.fixed.items():
            if name in parameters and not same(parameters[name], value):
                return f"{name}={parameters[name]!r}: {self.why_fixed[name]}"
        return None

    def arguments(self) -> dict[str, str]:
        """Their argument -> our array or parameter."""
        return {**self.inputs, **{theirs: ours for ours, theirs in self.passed.items()}}

    def written(self, arrays: str) -> str:
        """The call, as it is reported where it does not work."""
        named = [*self.arguments().items(), *((name, repr(value)) for name, value in self.constants.items())]
        return f"{self.target.spec}({', '.join(f'{theirs}={ours}' for theirs, ours in named)}) on {arrays} arrays"


def same(a: Any, b: Any) -> bool:
    """Equal parameter values; numbers may differ in type, True is not 1."""
    if isinstance(a, (tuple, list)) and isinstance(b, (tuple, list)):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, bool) or isinstance(b, bool) or not (isinstance(a, (int, float)) and isinstance(b, (int, float))):
        return type(a) is type(b) and bool(a == b)
    return math.isclose(a, b, rel_tol=1e-12)


def nothing_has(settings: Mapping[str, Any], name: str, what: str = "vectors") -> UsageError:
    """What is raised where no golden file has a setting that can be tested."""
    held = ", ".join(f"{ours}={value!r}" for ours, value in settings.items())
    return UsageError(f"no golden {what} of {name} have {held}; refloss show {name} lists the settings that have")


def must_have(defaults: Mapping[str, Any], only: Iterable[str], name: str) -> None:
    """Every name of --param is a parameter of ours."""
    for ours in only:
        if ours not in defaults:
            raise UsageError(f"--param {ours}=...: {name} has no parameter {ours!r}, it has {', '.join(defaults) or 'none'}")


def must_take(target: Target, name: str, option: str) -> None:
    """An argument of theirs that an option names is one."""
    if name not in target.names() and not target.open_ended:
        raise UsageError(f"{option}: {target.spec} has no argument {name!r}, it has {', '.join(target.names())}")


def must_fit(asked: Asked, target: Target, name: str, inputs: Iterable[str], defaults: Mapping[str, Any]) -> None:
    """Every name in --map, --set and --param is one of theirs, or of ours, as it should be."""
    known = (*inputs, *defaults)
    for theirs, ours in asked.mapping.items():
        if ours not in known:
            raise UsageError(f"--map {theirs}={ours}: {name} has no {ours!r}, it has {', '.join(known)}")
    for option, given in (("--map", asked.mapping), ("--set", asked.constants)):
        for theirs in given:
            must_take(target, theirs, f"{option} {theirs}=...")
    must_have(defaults, asked.only, name)


def free_names(asked: Asked, target: Target) -> list[str]:
    """The arguments of theirs that no option speaks of."""
    return [name for name in target.names() if name not in asked.mapping and name not in asked.constants]


def fitted(
    asked: Asked, target: Target, inputs: Mapping[str, str], defaults: Mapping[str, Any], other: str = " (or another one with --param)"
) -> Plan:
    """The plan with these inputs: which parameters are passed, which have one value only and why, and that nothing is left open."""
    passed = {ours: theirs for theirs, ours in asked.mapping.items() if ours in defaults}
    fixed, why = dict(asked.only), dict.fromkeys(asked.only, "--param says otherwise")
    free = [name for name in free_names(asked, target) if name not in inputs]
    for ours, default in defaults.items():
        if ours in passed:
            continue
        if ours in asked.constants:
            fixed[ours], why[ours] = asked.constants[ours], f"--set fixes it at {asked.constants[ours]!r}"
        elif ours in free:
            passed[ours] = ours
        elif ours not in fixed:
            fixed[ours], why[ours] = default, f"the callable has no such argument, so only our default {default!r} is comparable{other}"
    for parameter in target.parameters:
        name = parameter.name
        if parameter.default is OPTIONAL and name not in {*inputs, *passed.values(), *asked.constants}:
            raise UsageError(f"{target.spec} needs {name!r} too; say --set {name}=VALUE, or --map {name}=OURS")
    return Plan(target, inputs, passed, dict(asked.constants), fixed, why)

"""Which of our inputs and parameters goes to which argument of theirs, and which parameter settings that leaves to test."""

import inspect
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from .errors import UsageError
from .target import Parameter, Target

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
    taken: Mapping[str, str]  # their argument -> our parameter
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

    @property
    def passed(self) -> dict[str, str]:
        """Our parameter -> their argument; several are joined, so that one=two=ours is what is reported."""
        found: dict[str, str] = {}
        for theirs, ours in self.taken.items():
            found[ours] = f"{found[ours]}={theirs}" if ours in found else theirs
        return found

    def call(self, parameters: Mapping[str, Any]) -> Callable[..., Any]:
        """The callable at one parameter setting, as a function of the inputs in their order."""
        named = {**self.constants, **{theirs: parameters[ours] for theirs, ours in self.taken.items()}}
        first = self._by_place(named)

        def function(*given: Any) -> Any:
            arguments = {**named, **dict(zip(self.inputs, given, strict=True))}
            positional = [arguments.pop(p.name, p.default) for p in first]
            return self.target.function(*positional, **arguments)

        return function

    def _by_place(self, named: Mapping[str, Any]) -> Sequence[Parameter]:
        """The parameters that are given by place: up to the last one that must be, then inputs that follow (jax.grad takes no names)."""
        order = self.target.parameters
        count = max((k + 1 for k, p in enumerate(order) if p.positional_only and (p.name in named or p.name in self.inputs)), default=0)
        while count < len(order) and order[count].name in self.inputs and not order[count].keyword_only:
            count += 1
        return order[:count]

    def reason_to_skip(self, parameters: Mapping[str, Any]) -> str | None:
        """Why a parameter setting cannot be run, or None."""
        name = differing(self.fixed, parameters)
        return None if name is None else f"{name}={parameters[name]!r}: {self.why_fixed[name]}"

    def arguments(self) -> dict[str, str]:
        """Their argument -> our array or parameter."""
        return {**self.inputs, **self.taken}

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


def differing(wanted: Mapping[str, Any], setting: Mapping[str, Any]) -> str | None:
    """The first parameter that a setting has otherwise than wanted; one that it lacks is none."""
    return next((name for name, value in wanted.items() if name in setting and not same(setting[name], value)), None)


def nothing_has(settings: Mapping[str, Any], name: str, what: str = "vectors") -> UsageError:
    """What is raised where no golden file has a setting that can be tested."""
    held = ", ".join(f"{ours}={value!r}" for ours, value in settings.items())
    return UsageError(f"no golden {what} of {name} have {held}; refloss show {name} lists the settings that have")


def not_held(fixed: Mapping[str, Any], settings: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The fixed values that no setting has; all of them, where each is in one but none has them together."""
    missing = {ours: value for ours, value in fixed.items() if not any(ours in one and same(one[ours], value) for one in settings)}
    return missing or dict(fixed)


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
            swapped = f"; the form is THEIRS=OURS, so say --map {ours}={theirs}" if theirs in known and ours in target.names() else ""
            raise UsageError(f"--map {theirs}={ours}: {name} has no {ours!r}, it has {', '.join(known)}{swapped}")
        if theirs in asked.constants:
            held = asked.constants[theirs]
            raise UsageError(f"--map {theirs}={ours} and --set {theirs}={held!r} both say what {theirs} takes; leave one of them out")
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
    taken = {theirs: ours for theirs, ours in asked.mapping.items() if ours in defaults}
    mapped = set(taken.values())
    fixed, why = dict(asked.only), dict.fromkeys(asked.only, "--param says otherwise")
    free = [name for name in free_names(asked, target) if name not in inputs]
    for ours, default in defaults.items():
        if ours in mapped:
            continue
        if ours in asked.constants:
            held = asked.constants[ours]
            if ours in asked.only and not same(asked.only[ours], held):
                both = f"--param {ours}={asked.only[ours]!r} and --set {ours}={held!r}"
                raise UsageError(f"{both} contradict each other; leave one of them out")
            fixed[ours], why[ours] = held, f"--set fixes it at {held!r}"
        elif ours in free:
            taken[ours] = ours
        elif ours not in fixed:
            fixed[ours], why[ours] = default, f"the callable has no such argument, so only our default {default!r} is comparable{other}"
    for parameter in target.parameters:
        name = parameter.name
        if parameter.default is OPTIONAL and name not in {*inputs, *taken, *asked.constants}:
            raise UsageError(f"{target.spec} needs {name!r} too; say --set {name}=VALUE, or --map {name}=OURS")
    return Plan(target, inputs, taken, dict(asked.constants), fixed, why)

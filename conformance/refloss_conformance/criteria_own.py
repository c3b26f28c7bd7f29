"""`refloss check` without a target, for criteria: refloss's own, on the core and as torch modules, against their golden values."""

import importlib.util
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

import refloss.criteria

from .criteria import CLASSES, Case, Criteria, Outputs, arguments, as_outputs, by_name, load
from .golden import Array, errors
from .limits import Limit

DTYPES = ("float64", "float32")
LIMIT = Limit(32.0, True, "decoding, a loss and a vector-Jacobian product, a few eps each, then weights and a divisor; condition-aware")
Answer = tuple[Mapping[str, Any], Outputs]


class Measured(NamedTuple):
    """One case in one dtype: the largest errors, in eps and condition-aware; what was raised."""

    case: Case
    dtype: str
    value_eps: float
    gradient_eps: float
    worst: tuple[str, str, str]  # which number, got, wanted
    raised: str = ""

    @property
    def passed(self) -> bool:
        return not self.raised and max(self.value_eps, self.gradient_eps) <= LIMIT.eps


def core(file: Criteria, case: Case, dtype: str) -> Answer:
    """refloss.criteria: (terms, gradient by output)."""
    criterion = getattr(refloss.criteria, CLASSES[file.name])(**arguments(case))
    terms, gradient = criterion.value_and_grad(as_outputs(file.name, case.arrays(dtype)), case.targets(dtype))
    return terms, by_name(file, gradient)


def torch(file: Criteria, case: Case, dtype: str) -> Answer:
    """refloss_torch.criteria, by autograd."""
    import torch as t

    import refloss_torch.criteria

    module = getattr(refloss_torch.criteria, CLASSES[file.name])(**arguments(case))
    arrays = {name: t.from_numpy(values).requires_grad_() for name, values in case.arrays(dtype).items()}
    targets = [{name: t.from_numpy(values) for name, values in one.items()} for one in case.targets(dtype)]
    terms = module(as_outputs(file.name, arrays), targets)
    slopes = t.autograd.grad(sum(terms.values()), list(arrays.values()))
    return {name: v.detach().numpy() for name, v in terms.items()}, {k: g.numpy() for k, g in zip(arrays, slopes, strict=True)}


BACKENDS: dict[str, Callable[[Criteria, Case, str], Answer]] = {"core": core, "torch": torch}


def absent(backend: str) -> str | None:
    """Why a backend cannot be asked here."""
    return "torch is not installed" if backend == "torch" and importlib.util.find_spec("torch") is None else None


def judged(file: Criteria, case: Case, dtype: str, answer: Answer) -> Measured:
    """The errors of an answer."""
    terms, gradient = answer
    found: list[tuple[float, float, str, str, str]] = []
    for name, term in file.terms.items():
        value = float(errors(case.term(name), np.asarray(terms[name]), dtype, True))
        wanted = case.slope(term)
        got = term.entries(gradient)
        each = errors(wanted, got, dtype, True)
        k = int(np.argmax(each))
        found.append((value, 0.0, f"the {name} term", str(terms[name]), case.terms[name][:20]))
        found.append((0.0, float(each[k]), f"the gradient of {name}, number {k}", str(got[k]), str(wanted.number[k])))
    worst = max(found, key=lambda one: max(one[:2]))
    return Measured(case, dtype, max(one[0] for one in found), max(one[1] for one in found), worst[2:])


def measure(name: str, backend: str = "core", dtypes: Sequence[str] = DTYPES) -> Iterator[Measured]:
    """Every case of a criterion in every dtype; what is raised is a result, too."""
    file = load(name)
    for case in file.cases:
        for dtype in (one for one in DTYPES if one in dtypes and one in case.dtypes):
            try:
                yield judged(file, case, dtype, BACKENDS[backend](file, case, dtype))
            except Exception as error:  # whatever it is, it is the answer
                yield Measured(case, dtype, np.inf, np.inf, ("", "", ""), f"{type(error).__name__}: {error}")


def value_only(file: Criteria, case: Case, dtype: str) -> Array:
    """The core's terms without a gradient, in the order of the file."""
    criterion = getattr(refloss.criteria, CLASSES[file.name])(**arguments(case))
    terms = criterion(as_outputs(file.name, case.arrays(dtype)), case.targets(dtype))
    return np.array([terms[name] for name in file.terms])

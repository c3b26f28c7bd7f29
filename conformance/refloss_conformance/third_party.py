"""`refloss check MODULE:CALLABLE --as LOSS`: from a callable to a report."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .calling import Caller, CannotCall, Manner
from .cases import Batch, batches, known
from .engine import Answered, Subject, document, group_row
from .errors import UsageError
from .frameworks import framework
from .loss_plan import plan
from .mapping import Plan, nothing_has
from .smoke import smoke
from .target import Target, locate
from .vectors import USUAL_DTYPES

RETURNS = ("value", "value_and_grad", "similarity")
REDUCTIONS = ("none", "mean", "sum")
EASY = 3
FLUSHING = ("tensorflow", "jax")  # their CPU code reads subnormal numbers as 0
REDUCED = {
    "mean": "the mean", "sum": "the sum", "positives": "the sum divided by the positives (their number, or their sum)",
    "unknown": "a single number that is neither the mean nor the sum of its cases, nor the sum divided by the positives",
}  # fmt: skip


@dataclass(frozen=True)
class Request:
    """What was asked on the command line."""

    spec: str
    loss: str
    mapping: Mapping[str, str] = field(default_factory=dict)
    constants: Mapping[str, Any] = field(default_factory=dict)
    init: Mapping[str, Any] = field(default_factory=dict)
    only: Mapping[str, Any] = field(default_factory=dict)
    arrays: str | None = None
    returns: str = "value"
    reduction: str = "none"
    dtypes: Sequence[str] = ()
    command: str = ""


def easy_cases(loss: Any, request_plan: Plan, dtype: str) -> Batch:
    """A few plain cases of a parameter group that can be run, our defaults if they can."""
    runnable = [b for b in batches(loss.name, (dtype,)) if request_plan.reason_to_skip(b.parameters) is None]
    if not runnable:
        raise nothing_has(request_plan.fixed, loss.name)
    runnable.sort(key=lambda b: (sum(b.parameters[k] != v for k, v in loss.defaults.items() if k in b.parameters), -len(b)))
    best = runnable[0]
    plain = np.flatnonzero(best.with_kind("basic") & ~best.with_kind("edge", "saturation", "tie", "degenerate_box", "ignored"))
    chosen: list[int] = []
    for i in plain if len(plain) >= EASY else range(len(best)):
        if not any(np.array_equal(best.value.number[i], best.value.number[j]) for j in chosen):
            chosen.append(int(i))
    return best.take(chosen[:EASY])


def _findings(manner: Manner, stated: str) -> list[dict[str, str]]:
    """What the smoke test saw, apart from numbers. `kind`: "note" is no fault, "deviation" is one."""
    found = []
    if manner.coupled:
        if manner.shift_invariant:
            text = "softmax for sigmoid: adding a constant to all logits changes nothing, so elements are normalised against each other"
            effect = "Classes and anchors compete with each other; a detector with sigmoid heads does not converge to scores."
            found.append({"kind": "deviation", "name": "softmax_for_sigmoid", "text": text, "effect": effect})
        else:
            text = "the result of an element depends on the other elements of the batch; each case was run alone"
            found.append({"kind": "deviation", "name": "elements_coupled", "text": text, "effect": "The loss depends on the batch."})
    if manner.ignores_upstream:
        text = "the gradient stays the same where the gradient from above is doubled: backward ignores what it is given"
        effect = "A loss that is scaled, weighted or divided after it was computed trains as if it were not."
        found.append({"kind": "deviation", "name": "upstream_ignored", "text": text, "effect": effect})
    if manner.reduction == stated:
        return found
    if manner.reduction == "none":
        text = f"{stated} for a batch was stated, and a value for each case is returned"
        found.append({"kind": "deviation", "name": f"none_for_{stated}", "text": text, "effect": "No reduction takes place."})
        return found
    what = REDUCED[manner.reduction] + (f" over {manner.over}" if manner.over else "")
    if manner.reduction == "unknown":
        text = f"for a batch it returns {manner.gives or what}, and not a number for each case"
        effect = "What a case weighs depends on the others, in a way that cases handed over alone do not show."
        found.append({"kind": "deviation", "name": "unknown_reduction", "text": text, "effect": effect})
    elif stated == "none":
        text = f"it reduces by itself: {what}; cases were handed over so that this does not matter"
        found.append({"kind": "note", "name": f"{manner.reduction}_over_{manner.over.replace(' ', '_')}", "text": text, "effect": ""})
    else:
        text = f"{what} for the stated {stated}"
        effect = "The gradient is scaled by the number of elements, so the learning rate and the balance with other losses depend on it."
        found.append({"kind": "deviation", "name": f"{manner.reduction}_for_{stated}", "text": text, "effect": effect})
    return found


def _dtype_problem(caller: Caller, loss: Any, the_plan: Plan, manner: Manner, dtype: str) -> str | None:
    """Why a dtype cannot be tested, or None."""
    easy = easy_cases(loss, the_plan, dtype)
    try:
        got = caller.batch(easy, manner)
    except CannotCall as reason:
        return f"{reason}"
    if got.value.dtype != np.dtype(dtype):
        return f"it returns {got.value.dtype} for {dtype}"
    return None


def run(request: Request, step: Callable[[str, int, int], None] = lambda *_: None, target: Target | None = None) -> dict[str, Any]:
    """The whole check, as the JSON document that it prints. target: a live callable in place of request.spec."""
    loss = known(request.loss)
    if request.returns not in RETURNS:
        raise UsageError(f"--returns is {' or '.join(RETURNS)}, not {request.returns!r}")
    if request.reduction not in REDUCTIONS:
        raise UsageError(f"--reduction is {' or '.join(REDUCTIONS)}, not {request.reduction!r}")
    target = target or locate(request.spec, request.init)
    the_plan = plan(loss, target, request)
    their_framework = framework(request.arrays, target)
    arrays = their_framework.name
    caller = Caller(the_plan, their_framework, request.returns, loss.kind)
    wanted = list(request.dtypes or USUAL_DTYPES)
    manner, smoke_dtype = _first_manner(caller, loss, the_plan, wanted)
    dtypes: dict[str, str | None] = {}
    for dtype in wanted:
        dtypes[dtype] = None if dtype == smoke_dtype else _dtype_problem(caller, loss, the_plan, manner, dtype)
    answers, groups = _run_groups(caller, loss, the_plan, manner, [d for d in wanted if dtypes[d] is None], step)
    step("explaining", 1, 1)
    connected = any(one.gradient is not None for one in answers)
    findings = _findings(manner, request.reduction)
    if not connected and caller.gradients:
        text = f"the result is not connected to {the_plan.first} in {arrays}: there is no gradient"
        effect = "Nothing is learned from it; look for detach(), numpy() or float() on the way."
        findings.append({"kind": "deviation", "name": "gradient_cut", "text": text, "effect": effect})
    subject = Subject(
        target.spec, request.command, package=target.package, version=target.version, arrays=arrays,
        gradients=_how(caller, arrays, connected), constants=the_plan.constants,
        arguments={loss.arrays[0]: the_plan.first, loss.arrays[1]: the_plan.second, **the_plan.passed},
    )  # fmt: skip
    return document(subject, loss, answers, groups=groups, dtypes=dtypes, findings=findings)


def _first_manner(caller: Caller, loss: Any, the_plan: Plan, wanted: Sequence[str]) -> tuple[Manner, str]:
    """The smoke test, in the first dtype that the callable takes."""
    problem: UsageError | None = None
    for dtype in wanted:
        try:
            manner = smoke(caller, easy_cases(loss, the_plan, dtype))
            why = _dtype_problem(caller, loss, the_plan, manner, dtype)
            if why is None:
                return manner, dtype
            problem = UsageError(f"{caller.plan.target.spec}: {why}; a loss has the dtype of its input")
        except UsageError as error:
            problem = problem or error
    raise problem or UsageError("no dtype was asked for")


def _run_groups(
    caller: Caller, loss: Any, the_plan: Plan, manner: Manner, dtypes: Sequence[str], step: Callable[[str, int, int], None]
) -> tuple[list[Answered], list[dict[str, Any]]]:
    """Every group that can be run, and what became of each."""
    answers: list[Answered] = []
    groups: dict[str, dict[str, Any]] = {}
    todo = [(batch, _read_as_written(caller, batch)) for batch in batches(loss.name, dtypes)]
    for _, batch in todo:
        if the_plan.reason_to_skip(batch.parameters) is None:
            caller.expect(batch, manner)
    for done, (whole, batch) in enumerate(todo):
        step(batch.group, done, len(todo))
        group = groups.setdefault(batch.group, group_row(batch))
        reason = the_plan.reason_to_skip(batch.parameters)
        if reason is not None:
            group.update(status="skipped", reason=reason)
            continue
        if len(batch) < len(whole):
            group["why_left_out"] = f"subnormal inputs, which {caller.framework.name} reads as 0"
        try:
            usable, outcome = _tolerant(caller, batch, manner)
        except CannotCall as error:
            group.update(status="refused" if error.refused else "errored", reason=str(error))
            continue
        group["cases"] += len(usable)
        group["left_out"] += len(whole) - len(usable)
        if len(usable) < len(batch):
            group["why_left_out"] = "codes for rows without a class, which it does not take"
        answers.append(Answered(usable, outcome.value, outcome.gradient))
    return answers, list(groups.values())


def _read_as_written(caller: Caller, batch: Batch) -> Batch:
    """The cases whose inputs a framework does not change."""
    return batch.take(np.flatnonzero(~batch.with_subnormals())) if caller.framework.name in FLUSHING else batch


def _tolerant(caller: Caller, batch: Batch, manner: Manner) -> tuple[Batch, Any]:
    """The batch; or, where codes for ignored and negative rows are not taken, what is left without them."""
    try:
        return batch, caller.batch(batch, manner)
    except CannotCall:
        if batch.second.dtype.kind != "i":
            raise
        plain = np.flatnonzero(batch.second >= 0)
        if len(plain) in (0, len(batch)):
            raise
        usable = batch.take(plain)
        return usable, caller.batch(usable, manner)


def _how(caller: Caller, arrays: str, found: bool) -> str:
    if caller.returns == "value_and_grad":
        return "returned"
    if not caller.framework.differentiates:
        return "none: NumPy has no autodiff (return (value, gradient) and say --returns value_and_grad)"
    return f"{arrays} autodiff" if found else f"none: the result is not connected to the input in {arrays}"

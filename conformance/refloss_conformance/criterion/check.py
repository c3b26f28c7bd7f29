"""`refloss check MODULE:CALLABLE --as criteria.retinanet`: from a callable to a report; and from any answers to one."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ..criteria import Case, Criteria, Outputs, load, names
from ..engine import Subject, Trouble, Unanswered
from ..errors import UsageError
from ..frameworks import framework
from ..mapping import not_held, nothing_has
from ..outcomes import refused as refused_dtypes
from ..scene_calling import native
from ..scene_third_party import listed
from ..target import Target, locate
from ..vectors import USUAL_DTYPES
from .calling import outcomes
from .evaluators import base
from .explain import Search, by_term
from .offers import offer
from .outcome import Outcome, right
from .plan import Request, plan
from .report import document
from .settings import by_setting, in_common

RETURNS = ("value", "value_and_grad")
Step = Callable[[str, int, int], None]
__all__ = ["Request", "names", "run"]


def run(request: Request, step: Step = lambda *_: None, target: Target | None = None) -> dict[str, Any]:
    """The whole check, as the JSON document that it prints. target: a live callable in place of request.spec."""
    file = load(request.criterion)
    if request.returns not in RETURNS:
        raise UsageError(f"--returns {request.returns}: a criterion returns {' or '.join(RETURNS)}")
    target = target or locate(request.spec, request.init)
    the_plan = plan(file, target, request)
    arrays = framework(request.arrays, target).name

    def call(case: Case, dtype: str, outputs: Outputs) -> Any:
        wanted = list(the_plan.inputs.values())
        given = offer(file, case, dtype, wanted, outputs, lambda array: native(arrays, array))
        parameters = {**file.defaults, **base(file.name, case.parameters), **case.parameters}
        return the_plan.call(parameters)(*(given[ours] for ours in the_plan.inputs.values()))

    groups: list[dict[str, Any]] = []
    done: list[Outcome] = []
    for k, (setting, parameters) in enumerate(file.settings.items()):
        step(f"{file.name} {setting}", k, len(file.settings) + 1)
        reason = the_plan.reason_to_skip({**file.defaults, **parameters})
        cases = [] if reason else file.of(setting)
        status = "skipped" if reason else "run"
        groups.append({"id": setting, "parameters": listed(parameters), "status": status, "reason": reason, "cases": len(cases)})
        if reason is None:
            done += outcomes(call, file, cases, request.dtypes or USUAL_DTYPES, arrays=arrays, returns=request.returns, pick=request.pick)
    refused = refused_dtypes(done)
    done = [one for one in done if one.dtype not in refused]
    if not done:
        settings = [{**file.defaults, **parameters} for parameters in file.settings.values()]
        raise nothing_has(not_held(the_plan.fixed, settings), file.name, "values")
    if not any(one.answered for one in done):
        raise UsageError(f"{the_plan.written(arrays)} does not work: {done[0].raised}; check --map, --set and --pick against its arguments")
    subject = Subject(
        target.spec, request.command, package=target.package, version=target.version, arrays=arrays, gradients=_gradients(request, done),
        arguments=the_plan.arguments(), constants=the_plan.constants,
    )  # fmt: skip
    dtypes = {name: refused.get(name) for name in request.dtypes or USUAL_DTYPES}
    raised = [Unanswered(one.case.id, one.dtype, "errored", one.raised) for one in done if not one.answered]
    return told(subject, file, done, step, groups=groups, dtypes=dtypes, unanswered=raised)


def told(
    subject: Subject, file: Criteria, done: Sequence[Outcome], step: Step, *, groups: Sequence[Mapping[str, Any]],
    dtypes: Mapping[str, str | None], unanswered: Sequence[Unanswered], troubles: Sequence[Trouble] = (),
) -> dict[str, Any]:  # fmt: skip
    """Answers of whatever kind of implementation, explained, as the report."""
    step(f"{file.name}: which normaliser", len(file.settings), len(file.settings) + 1)
    read, findings = _precision(file, done)
    judged = done if any(one["kind"] == "deviation" for one in findings) else read
    search = Search(file, read)
    explanations = search.explain()
    apart = {} if explanations else by_setting(file, read)
    explanations = explanations or in_common(apart)
    alone = {} if explanations else by_term(search)
    return document(
        subject, file, judged, groups=groups, dtypes=dtypes, findings=findings, explanations=explanations, alone=alone, apart=apart,
        search=search, unanswered=unanswered, troubles=troubles,
    )  # fmt: skip


def _gradients(request: Request, done: Sequence[Outcome]) -> str:
    if request.returns == "value_and_grad":
        return "returned"
    return "automatic differentiation" if any(one.slopes is not None for one in done) else "none: values only"


def _precision(file: Criteria, done: Sequence[Outcome]) -> tuple[list[Outcome], list[dict[str, str]]]:
    """float64 answers that are right as float32's are read so, with a finding; a deviation, where float64 is all that was answered."""
    low = [one for one in done if one.dtype == "float64" and one.answered and not right(file, one)]
    single = [one for one in done if one.dtype == "float32" and one.answered]
    alike = all(right(file, replace(one, dtype="float32")) for one in low) and all(right(file, one) for one in single)
    if not low or not alike:
        return list(done), []
    text = "numbers that float64 is asked for are computed with float32's precision"
    kind = "precision" if single else "deviation"
    found = {"kind": kind, "name": "float64_in_float32", "text": text, "effect": "None for training in float32."}
    return [replace(one, dtype="float32") if one in low else one for one in done], [found]

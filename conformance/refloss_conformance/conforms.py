"""One line in a test suite: assert_conforms(my_loss, "focal_loss", set={"reduction": "none"})."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from . import expectations, scene_third_party, scenes, third_party
from .criterion import check as criterion
from .errors import UsageError
from .running import items
from .target import given
from .vectors import USUAL_DTYPES

TIERS = ("strict", "training")


def assert_conforms(
    function: Callable[..., Any], loss: str, *, map: Mapping[str, str] | None = None,  # noqa: A002  (named as the command's options)
    set: Mapping[str, Any] | None = None, param: Mapping[str, Any] | None = None,  # noqa: A002
    arrays: str | None = None, returns: str = "value", reduction: str = "none", dtype: str | Sequence[str] | None = None,
    tier: str = "strict", codes: Mapping[str, int] | None = None, pick: Any = None, expect: Any = None, min_cases: int = 1,
) -> dict[str, Any]:  # fmt: skip
    """Check a live callable against the golden vectors of a loss (or coding, the scenes of a function, a whole criterion).

    The keywords are those of `refloss check`: `map` says which of its arguments takes which of ours ({theirs: ours}), `set` fixes
    others of its arguments, `param` keeps to settings with these values of our parameters, `expect` names a file of expectations.

    Returns the report, a dict (schema/report.json).

    Raises AssertionError that says what is wrong with the callable, in a few lines. Raises UsageError (exit code 2 of the command)
    where it cannot be called so.
    """
    __tracebackhide__ = True  # pytest shows the caller's line
    if tier not in TIERS:
        raise UsageError(f"tier is {' or '.join(TIERS)}, not {tier!r}")
    known = expectations.load(expect) if expect is not None else None
    try:
        document = run(function, loss, map or {}, set or {}, param or {}, arrays, returns, reduction, dtype, codes or {}, pick)
    except UsageError as error:
        raise UsageError(str(error)) from None  # without frames of ours
    few = expectations.too_few([document], min_cases)
    if few is not None:
        raise AssertionError(f"{document['callable']}: {few}")
    if known is not None:
        document = expectations.apply(document, known, tier)
        good = expectations.passed(document)
    else:
        good = bool(document["passed"] if "passed" in document else document[tier])
    if not good:
        raise AssertionError("\n".join(_lines(document, tier)))
    return document


def run(
    function: Callable[..., Any], loss: str, mapping: Mapping[str, str], constants: Mapping[str, Any], only: Mapping[str, Any],
    arrays: str | None, returns: str, reduction: str, dtype: str | Sequence[str] | None, codes: Mapping[str, int], pick: Any,
) -> dict[str, Any]:  # fmt: skip
    """The report of a live callable."""
    target = given(function)
    dtypes = (dtype,) if isinstance(dtype, str) else tuple(dtype or ())
    for one in dtypes:
        if one not in USUAL_DTYPES:
            raise UsageError(f"dtype is {' or '.join(USUAL_DTYPES)}, not {one!r}")
    if loss in scenes.names():
        asked = scene_third_party.Request(target.spec, loss, mapping, constants, {}, only, arrays, dtypes, codes, pick)
        return scene_third_party.run(asked, target=target)
    if loss.startswith("criteria."):
        if codes or reduction != "none":
            raise UsageError(f"codes and reduction are for assigners and losses; {loss} answers with numbers, and divides by itself")
        whole = criterion.Request(target.spec, loss, mapping, constants, {}, only, arrays, returns, dtypes, pick)
        return criterion.run(whole, target=target)
    if codes or pick is not None:
        raise UsageError(f"codes and pick are for assigners and the like; {loss} answers with numbers")
    request = third_party.Request(target.spec, loss, mapping, constants, {}, only, arrays, returns, reduction, dtypes)
    return third_party.run(request, target=target)


def _lines(document: Mapping[str, Any], tier: str) -> list[str]:
    """What a test's log should say: the count, the deviation with its effect, the worst case, and where to read on."""
    name = document.get("loss") or document.get("function") or document["criterion"]
    lines = [f"{document['callable']} does not conform to {name} ({tier}): {_counts(document)}"]
    lines += [f"  {one['text']}. {one['effect']}".rstrip() for one in document["findings"] if one["kind"] != "note"]
    expected = document["expected"]
    if expected is not None:
        lines += [f"  stale: {text}" for text in expected["stale"]]
        lines += [f"  not expected in {expected['file']}: {text}" for text in expected["unexpected"][:3]]
    for one in document["deviations"]:
        stack = zip(one["names"], one["titles"], one["constants"], one["effects"], strict=True)
        said = [f"{n} ({t}{'' if c is None else f', with {c}'}). {effect}" for n, t, c, effect in stack]
        lines.append(f"  it computes {'' if one['complete'] else 'in part '}{'; and '.join(said)}")
    if items(document) and not document["deviations"] and not any(one["kind"] == "deviation" for one in document["findings"]):
        lines.append("  no known deviation gives these results")
    lines += [f"  {text}" for one in document["worst"][:1] for text in _worst(one)]
    return lines


def _counts(document: Mapping[str, Any]) -> str:
    failed: dict[str, int] = {}
    for one in document["failures"]:
        failed[one["what"]] = failed.get(one["what"], 0) + 1
    counted = [f"{count} {what}s" if count > 1 else f"one {what}" for what, count in failed.items()]
    dtypes = ", ".join(one["dtype"] for one in document["dtypes"] if one["run"])
    return f"{' and '.join(counted) or 'no number'} fail{'s' if not counted else ''} in {document['cases']} cases ({dtypes})"


def _worst(case: Mapping[str, Any]) -> list[str]:
    """The case as a line for each of: where, what, why it is in the vectors."""
    inputs = ", ".join(f"{name}={short(value)}" for name, value in {**case.get("inputs", {}), **case["parameters"]}.items())
    lines = [f"worst case {case['id']} ({case['dtype']}): {inputs}"]
    if "what" in case:
        error = short(float(case["error_eps"]))
        lines.append(f"{case['what']}: got {short(case['got'])}, wanted {short(case['wanted'])}; {case['symptom']}, {error} eps")
    elif case["got"] is None:
        lines.append(f"raised {case['raised']}")
    else:
        wrong = {name: got for name, got in case["got"].items() if name in case.get("wrong", case["got"]) and got != case["expected"][name]}
        lines += [f"{name}: got {short(got)}, wanted {short(case['expected'][name])}" for name, got in wrong.items()]
    lines += [f"gradient of {one['term'] or 'the total'}: {short(float(one['error_eps']))} eps" for one in case.get("gradients", ())]
    return lines + [f"why it is there: {note}" for note in case["notes"][:1]]


def short(value: Any) -> str:
    """At most 160 characters; nine digits of a number."""
    if isinstance(value, list):
        text = f"[{', '.join(map(short, value))}]"
    else:
        text = f"{value:.9g}" if isinstance(value, float) else str(value)
    return text if len(text) <= 160 else f"{text[:157]}..."

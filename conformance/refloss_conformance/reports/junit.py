"""A report as JUnit XML, in the form that Jenkins, GitLab and GitHub's readers take. The same report gives the same bytes.

One suite a report. One test case for each parameter setting, dtype and kind of number; one more for each case that fails in it.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from xml.sax.saxutils import escape, quoteattr

from ..printing import parameters
from .entries import Entry, entries, interpretations, parts, subject
from .words import cut, deviation, eps, limit, line, named, real
from .worst import told


@dataclass(frozen=True)
class Test:
    """state: "", "failure", "error" or "skipped"."""

    place: str
    name: str
    state: str = ""
    message: str = ""
    detail: str = ""


@dataclass
class Suite:
    name: str
    properties: dict[str, str] = field(default_factory=dict)
    tests: list[Test] = field(default_factory=list)


def junit(document: Mapping[str, Any], tier: str = "strict") -> str:
    """tier: "strict", or "training", in which a case fails only if a gradient step would notice."""
    suites: dict[str, Suite] = {}
    for entry in entries([document]):
        name = line(f"{entry.title} as {entry.what}") if entry.row is None else line(entry.title)
        while entry.row is None and name in suites:
            name += " again"
        suite = suites.setdefault(name, Suite(name))
        suite.properties |= {"command": line(entry.reproduce), "interpretation": ", ".join(map(str, interpretations([document]))) or "1"}
        suite.tests += _tests(entry, tier)
    body = "".join(map(_suite, suites.values()))
    totals = _totals([test for suite in suites.values() for test in suite.tests])
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<testsuites name="refloss" {totals}>\n{body}</testsuites>\n'


def _totals(tests: Sequence[Test], *more: str) -> str:
    """more: "skipped" in a suite; Jenkins's schema has no such attribute of all suites."""
    states = [test.state for test in tests]
    counts = [f'{name}="{states.count(name.removesuffix("s"))}"' for name in ("failures", "errors")]
    counts += [f'{name}="{states.count(name)}"' for name in more]
    return f'tests="{len(tests)}" {" ".join(counts)} time="0"'


def _suite(suite: Suite) -> str:
    given = "".join(f"      <property name={_attribute(name)} value={_attribute(value)}/>\n" for name, value in suite.properties.items())
    tests = "".join(map(_test, suite.tests))
    head = f"  <testsuite name={_attribute(suite.name)} {_totals(suite.tests, 'skipped')}>\n"
    return f"{head}    <properties>\n{given}    </properties>\n{tests}  </testsuite>\n"


def _test(test: Test) -> str:
    head = f'    <testcase classname={_attribute(test.place)} name={_attribute(test.name)} time="0"'
    if not test.state:
        return f"{head}/>\n"
    kind = "" if test.state == "skipped" else f' type="{test.state}"'
    inside = f">{escape(line(test.detail))}</{test.state}>" if test.detail and test.state != "skipped" else "/>"
    return f"{head}>\n      <{test.state} message={_attribute(test.message)}{kind}{inside}\n    </testcase>\n"


def _attribute(text: str) -> str:
    return quoteattr(line(text))


def _tests(entry: Entry, tier: str) -> Iterator[Test]:
    if entry.row is not None:
        yield from _own(entry)
        return
    if entry.document is None:
        yield Test(f"refloss.{entry.what}", entry.title, "skipped", f"not run: {entry.why}")
        return
    report = entry.document
    place = f"refloss.{subject(report)}"
    if not report["cases"]:
        yield Test(place, "cases", "error", "no case was run")
    yield from _apart(report, place)
    failing = [one for one in report.get("failures", report["worst"]) if tier == "strict" or _matters(report, one)]
    yield from _groups(report, place, failing)
    yield from _cases(report, place, failing)
    fails = any(not report.get(name, True) for name in (("passed", "strict") if tier == "strict" else ("passed", "training")))
    if fails and not _said(report, tier, failing):
        yield Test(place, "verdict", "failure", f"does not pass ({tier}); this file does not list why")


def _matters(report: Mapping[str, Any], one: Mapping[str, Any]) -> bool:
    """As the training tier is judged: by gradients where there are any, and by values only in that they must be finite."""
    if "training" not in report:
        return True
    deciding = one.get("what") == "gradient" or not report["gradient"] or subject(report).endswith((".encode", ".decode"))
    return bool(one.get("matters", True)) and (deciding or one["error_eps"] == "inf")


def _said(report: Mapping[str, Any], tier: str, failing: Sequence[Any]) -> bool:
    findings = any(one["kind"] == "deviation" or (tier == "strict" and one["kind"] == "precision") for one in report.get("findings", ()))
    lost = any(one["status"] != "skipped" for one in report.get("unanswered", ()))
    errored = any(group["status"] == "errored" for group in report["groups"])
    return bool(failing or findings or lost or errored or report.get("troubles") or not report["cases"])


def _apart(report: Mapping[str, Any], place: str) -> Iterator[Test]:
    """What is said apart from numbers."""
    for one in report.get("troubles", ()):
        yield Test(place, f"program: {one['name']}", "error", str(one["text"]))
    for one in report.get("findings", ()):
        if one["kind"] != "note":
            state = "skipped" if _is_expected(report, one["name"]) else "failure"
            yield Test(place, f"finding: {one['name']}", state, str(one["text"]), str(one.get("effect", "")))
    for one in report["dtypes"]:
        if not one["run"]:
            yield Test(place, str(one["dtype"]), "skipped", f"not run: {one['reason']}")
    for one in report.get("unanswered", ()):
        link = f" ({one['link']})" if one.get("link") else ""
        state = "skipped" if one["status"] == "skipped" or _is_expected(report, one["id"]) else "error"
        yield Test(place, f"{one['id']} {one['dtype']}", state, f"{one['status']}: {one['reason']}{link}")
    for text in (report.get("expected") or {}).get("stale", ()):
        yield Test(place, f"expectation: {text}", "failure", "stale: what is expected to fail does not")


def _groups(report: Mapping[str, Any], place: str, failing: Sequence[Mapping[str, Any]]) -> Iterator[Test]:
    """Settings by dtypes by kinds of numbers. Answers to scenes do not say their setting: those of all settings stand together."""
    kinds = [what for what, _ in parts(report)] or (["value"] if report["report"] == "criteria" else ["answer"])
    kinds = list(dict.fromkeys([*kinds, *(str(one.get("what", "answer")) for one in failing)]))
    ran: list[tuple[str, str]] = []
    for group in report["groups"]:
        name = str(group.get("id") or parameters(group["parameters"]))
        if group["status"] == "run" and group["cases"]:
            ran.append((name, f"/{group['id']}/" if "id" in group else ""))
        else:
            state = "error" if group["status"] == "errored" else "skipped"
            yield Test(place, name, state, f"{group['status']}: {group['reason'] or group.get('why_left_out') or 'no case was run'}")
    if len(ran) > 1 and not any(within for _, within in ran):
        ran = [(f"{len(ran)} settings", "")]
    for name, within in ran:
        for dtype in (one["dtype"] for one in report["dtypes"] if one["run"]):
            for what in kinds:
                mine = [one for one in failing if one["dtype"] == dtype and one.get("what", "answer") == what and within in f"{one['id']}/"]
                unexpected = [one for one in mine if not _is_expected(report, one["id"])]
                message = f"{len(mine)} cases fail, each by itself below" if len(mine) != 1 else "1 case fails, by itself below"
                state = "failure" if unexpected else "skipped" if mine else ""
                yield Test(place, f"{name} {dtype} {what}", state, message + ("" if unexpected or not mine else "; all are expected"))


def _is_expected(report: Mapping[str, Any], name: Any) -> bool:
    """Of a case or a finding, after --expect."""
    expected = report.get("expected")
    return expected is not None and name not in expected["unexpected"]


def _cases(report: Mapping[str, Any], place: str, failing: Sequence[Mapping[str, Any]]) -> Iterator[Test]:
    shown = {(case["id"], case["dtype"], case.get("what", "answer")): told(case) for case in report["worst"]}
    because = " or ".join(deviation(one) for one in report["deviations"]) or named(report)
    for one in failing:
        what = str(one.get("what", "answer"))
        case = shown.get((one["id"], one["dtype"], what)) or shown.get((one["id"], one["dtype"], "answer"))
        parts_of = [case.said if case else f"{what} fails"]
        if what != "answer":
            parts_of.append(f"{eps(real(one['error_eps']))}, limit {limit(report)}")
        if case:
            parts_of.append(f"got {cut(case.got, 200)}, wanted {cut(case.wanted, 200)}")
        parts_of += [] if one.get("matters", True) else ["too small to matter in training"]
        parts_of += [f"deviation: {because}"] if because else []
        detail = "; ".join(f"{name} = {cut(value, 400)}" for name, value in case.inputs.items()) if case else ""
        state = "skipped" if _is_expected(report, one["id"]) else "failure"
        message = "; ".join(parts_of)
        yield Test(place, f"{one['id']} {one['dtype']} {what}", state, f"expected: {message}" if state == "skipped" else message, detail)


def _own(entry: Entry) -> Iterator[Test]:
    """A row of refloss's own backends, or a recorded system."""
    row = entry.row or {}
    if "limit" in row:
        for case in row["cases"]:
            differs = f"delta off by {real(case['delta']):.2g}, cost by {real(case['cost']):.2g}, limit {row['limit']:g}"
            state = "" if case["passed"] else "failure"
            yield Test(f"refloss.replay.{entry.what}", case["name"], state, f"{differs}: {case['where']}")
        return
    place = f"refloss.{entry.what}"
    state = "" if entry.verdict == "pass" else "error" if entry.why else "failure"
    message = entry.why or (f"{entry.failed} of {entry.cases} cases fail" if entry.cases else "nothing ran")
    yield Test(place, entry.title, state, message)
    for worst in row["worst"] if state == "failure" else ():
        numbers = f"got {cut(line(worst['got']), 200)}, wanted {cut(line(worst['wanted']), 200)}"
        name = f"{worst['case']} {worst['dtype']} {worst['what']}"
        yield Test(place, name, "failure", f"{eps(real(worst['eps']))}, limit {worst['limit']}; {numbers}")

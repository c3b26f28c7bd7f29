"""Reports from files, several as one, and the badge."""

import json
import pathlib
import re
from html import escape as html_escape
from typing import Any

import jsonschema
import pytest
from report_inputs import absent, criteria, failing, group, own, passing, replay, scenes, tally, trifling

from harnesses import run
from refloss_conformance import jsonable
from refloss_conformance.cli import main
from refloss_conformance.criterion import outcome
from refloss_conformance.errors import UsageError
from refloss_conformance.limits import THIRD_PARTY
from refloss_conformance.reports import badge, load, merge, slim
from refloss_conformance.reports.entries import entries
from refloss_conformance.reports.load import SCHEMA, known
from refloss_conformance.reports.words import LIMIT, OF_SUMS, command, eps, figure, limit, visible

BADGE = json.loads((SCHEMA.parent / "badge.json").read_text("utf-8"))
ALL = [
    passing(),
    failing(),
    trifling(),
    scenes(),
    criteria(),
    own(("l1_loss", "cpu", "pass")),
    replay("a"),
    absent(),
    merge([failing(), scenes()]),
]


def written(folder: pathlib.Path, document: Any) -> str:
    path = folder / "report.json"
    path.write_text(document if isinstance(document, str) else jsonable.dumps(document), "utf-8")
    return str(path)


@pytest.mark.parametrize("document", ALL, ids=lambda one: one["report"])
def test_reports_are_read(document: dict[str, Any], tmp_path: pathlib.Path) -> None:
    assert load(written(tmp_path, document)) == json.loads(jsonable.dumps(document))


def test_what_a_check_writes_is_read(tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "report.json"
    assert main(["check", "wrong_losses:huber", "--as", "smooth_l1_loss", "--dtype", "float32", "--json", str(path)]) == 1
    capsys.readouterr()
    (entry,) = entries([load(str(path))])
    assert (entry.verdict, entry.what, entry.failed > 0) == ("fail", "smooth_l1_loss", True)
    assert "wrong_losses:huber" in entry.reproduce and str(path) not in entry.reproduce


def damaged() -> dict[str, Any]:
    """What is in the file -> a word of the sentence."""
    broken = passing(groups=[{"id": "a"}])
    strange = {**failing(), "worst": [{"id": "a", "dtype": "float32"}]}
    return {
        "": "empty", json.dumps(passing())[:500]: "cut short", "{nothing": "damaged", "[1, 2]": "no report", '{"a": 1}': "no report",
        "<html>": "HTML", json.dumps(passing(schema=2)): "newer", json.dumps(passing(schema="1")): "schema number 1;",
        json.dumps(passing(report="dream")): "dream", json.dumps(passing(cases="many")): "cases", json.dumps(broken): "groups/0",
        json.dumps(strange): "worst/0", "[" * 500 + "]" * 500: "nested", '{"schema": 1, "report": "callable", "cases": NaN}': "NaN",
        json.dumps(passing(value=None, plots=[{"points": 3}])): "plots/0", json.dumps({**absent(), "rows": [{"title": "x"}]}): "rows/0",
        json.dumps({"schema": 1, "report": "merged", "rows": [{"title": "", "reproduce": "", "status": "run"}]}): "rows/0",
        json.dumps({"schema": 1, "report": "backends"}): "passed", json.dumps(replay("a") | {"cases": [1]}): "cases/0",
    }  # fmt: skip


@pytest.mark.parametrize(("text", "word"), damaged().items(), ids=damaged().values())
def test_damaged_and_foreign_files(text: str, word: str, tmp_path: pathlib.Path) -> None:
    with pytest.raises(UsageError) as raised:
        load(written(tmp_path, text))
    said = str(raised.value)
    assert word in said and "report.json" in said and "\n" not in said and len(said) < 400


def test_files_that_are_none(tmp_path: pathlib.Path) -> None:
    with pytest.raises(UsageError, match=r"none\.json: cannot be read \(No such file"):
        load(str(tmp_path / "none.json"))
    with pytest.raises(UsageError, match="is no file"):
        load(str(tmp_path))


def test_schemas_are_schemas() -> None:
    for path in (SCHEMA, SCHEMA.parent / "badge.json"):
        jsonschema.Draft202012Validator.check_schema(json.loads(path.read_text("utf-8")))


def titles(*documents: dict[str, Any]) -> list[tuple[str, str]]:
    return [(entry.what, entry.verdict) for entry in entries([merge(documents)])]


def test_a_later_run_replaces_an_earlier_one() -> None:
    assert titles(failing(), passing()) == [("ciou_loss", "pass")]
    assert titles(passing(), failing(command="refloss check mine:loss --json other.json --as ciou_loss")) == [("ciou_loss", "fail")]
    assert titles(passing(), failing(version="1.3")) == [("ciou_loss", "fail")]


def test_other_checks_stand_beside_each_other() -> None:
    other = failing(command="refloss check mine:loss --as ciou_loss --set from_logits=True")
    assert titles(passing(), other) == [("ciou_loss", "pass"), ("ciou_loss", "fail")]
    assert titles(passing(), failing(loss="diou_loss")) == [("ciou_loss", "pass"), ("diou_loss", "fail")]
    assert titles(passing(), failing(arrays="torch")) == [("ciou_loss", "pass"), ("ciou_loss", "fail")]
    assert titles(scenes(), passing(), scenes(passed=True, failed=0)) == [("assign.ssd", "pass"), ("ciou_loss", "pass")]


def test_dtypes_that_were_run_are_not_lost() -> None:
    half = [{"dtype": "float32", "run": True, "reason": None}, {"dtype": "float64", "run": False, "reason": "refused"}]
    assert titles(passing(), failing(dtypes=half)) == [("ciou_loss", "pass"), ("ciou_loss", "fail")]
    assert titles(failing(dtypes=half), passing()) == [("ciou_loss", "pass")]


def test_without_a_command_arguments_tell_checks_apart() -> None:
    assert len(titles(passing(command=""), failing(command=""))) == 1
    assert len(titles(passing(command=""), failing(command="", constants={"eps": 1e-7}))) == 2


def test_a_missing_package_does_not_erase_what_ran() -> None:
    gone = absent()
    ran = {**gone, "rows": [{**gone["rows"][0], "status": "run", "report": failing(loss="focal_loss")}]}
    assert titles(gone) == [("focal_loss", "not run")]
    assert titles(ran, gone) == titles(gone, ran) == [("focal_loss", "fail")]
    assert len(titles(gone, absent(reproduce="refloss check other:loss --as focal_loss"))) == 2


def test_titles_and_commands_of_a_merged_report_stay() -> None:
    row = {"title": "My CIoU", "reproduce": "X=1 refloss check mine:loss --as ciou_loss", "status": "run", "report": failing()}
    merged = merge([{"schema": 1, "report": "merged", "title": "Ours", "rows": [row]}, passing()])
    assert merged["title"] == "Ours" and len(merged["rows"]) == 1
    assert (merged["rows"][0]["title"], merged["rows"][0]["reproduce"]) == ("My CIoU", row["reproduce"])
    assert merged["rows"][0]["report"]["strict"]
    assert merge([merged]) == merged
    other = {**row, "title": "My CIoU on Y", "reproduce": "X=2 refloss check mine:loss --as ciou_loss"}
    assert len(merge([{"schema": 1, "report": "merged", "title": "", "rows": [row, other]}])["rows"]) == 2
    known(merged, "merged")


def test_own_backends_are_merged_by_loss_and_backend() -> None:
    first = own(("l1_loss", "cpu", "fail"), ("l2_loss", "cpu", "pass"), absent=("cuda",))
    later = own(("l1_loss", "cpu", "pass"), ("l1_loss", "cuda", "pass"), dtypes=("float32", "float64"))
    found = merge([first, later])
    assert [(e.what, e.who, e.verdict) for e in entries([found])] == [
        ("l2_loss", "refloss, cpu", "pass"), ("l1_loss", "refloss, cpu", "pass"), ("l1_loss", "refloss, cuda", "pass")]  # fmt: skip
    assert found["rows"][0]["report"]["absent"] == {} and found["rows"][0]["report"]["passed"]
    assert len(entries([merge([later, first])])) == 4  # fewer dtypes replace nothing
    assert len(entries([merge([replay("a", "b"), replay("b", broken="b")])])) == 2
    assert [e.verdict for e in entries([merge([replay("a"), replay("a", "b", broken="b")])])] == ["fail"]


def test_slim_keeps_every_verdict_and_count() -> None:
    whole = merge([failing(), scenes(), trifling(loss="diou_loss"), absent(), own(("l1_loss", "cpu", "fail"))])
    short = slim(whole)
    known(short, "short")
    assert not any("plots" in (row.get("report") or {}) or "failures" in (row.get("report") or {}) for row in short["rows"])
    told = [[(e.title, e.what, e.verdict, e.short, e.cases, e.failed, e.worst) for e in entries([one])] for one in (whole, short)]
    assert told[0] == told[1]
    assert merge([short]) == short


BADGES: dict[str, tuple[Any, str, str, str]] = {
    "all right": (passing(groups=[group("gamma_2")]), "refloss ciou_loss", "4 cases, worst 1.88 eps, i1", "brightgreen"),
    "a setting skipped": (passing(), "refloss ciou_loss", "4 cases, 1 setting skipped, worst 1.88 eps, i1", "green"),
    "cases skipped": (
        passing(groups=[group("a", left_out=2, why_left_out="subnormal")]), "refloss ciou_loss",
        "4 of 6 cases pass, 2 skipped, worst 1.88 eps, i1", "green"),
    "cases errored": (
        passing(strict=False, training=False, groups=[group("a")], interpretation=2,
                unanswered=[{"id": "x", "dtype": "float32", "status": "crashed", "reason": "ended with code 1", "link": None}]),
        "refloss ciou_loss", "4 of 5 cases pass, 1 without an answer, worst 1.88 eps, i2", "red"),
    "failing": (failing(groups=[group("a")]), "refloss ciou_loss", "2 of 4 cases pass, worst NaN or infinite, i1", "red"),
    "value and gradient of a case": (
        failing(groups=[group("a")], failures=[*failing()["failures"], {**failing()["failures"][0], "what": "value"}]),
        "refloss ciou_loss", "2 of 4 cases pass, worst NaN or infinite, i1", "red"),
    "trifles": (trifling(groups=[group("a")]), "refloss ciou_loss", "3 of 4 cases pass, worst 97.5 eps, i1", "yellow"),
    "a finding": (
        passing(strict=False, training=False, groups=[group("a")],
                findings=[{"kind": "deviation", "name": "mean_for_sum", "text": "mean for the stated sum", "effect": "Scaled."}]),
        "refloss ciou_loss", "4 cases, mean_for_sum, worst 1.88 eps, i1", "red"),
    "nothing": (passing(cases=0, strict=False, training=False, value=None, gradient=None, groups=[]), "refloss ciou_loss",
                "nothing ran, i1", "lightgrey"),
    "answers": (scenes(), "refloss assign.ssd", "3 of 5 cases pass, 1 skipped, i1", "red"),
    "a criterion": (criteria(), "refloss criteria.retinanet", "1 of 3 cases pass, 1 without an answer, 1 setting skipped, i1", "red"),
    "several": ([failing(groups=[group("a")]), scenes(unanswered=[])], "refloss",
                "0 of 2 checks and 5 of 8 cases pass, worst NaN or infinite, i1", "red"),
    "of both interpretations": ([passing(), passing(loss="diou_loss", interpretation=2)], "refloss",
                                "8 cases, 2 settings skipped, worst 1.88 eps, i1, i2", "green"),
    "one not installed": ([passing(), absent()], "refloss", "4 cases, 1 setting skipped, 1 check not run, worst 1.88 eps, i1", "green"),
    "own": (own(("l1_loss", "cpu", "pass")), "refloss l1_loss", "10 cases, worst 1.5 eps, i1", "brightgreen"),
    "from before failures were listed": (
        {k: v for k, v in failing(groups=[group("a")]).items() if k not in ("failures", "interpretation", "unanswered", "plots")},
        "refloss ciou_loss", "2 of 4 cases pass, worst NaN or infinite, i1", "red"),
}  # fmt: skip


@pytest.mark.parametrize(("documents", "label", "message", "color"), BADGES.values(), ids=BADGES)
def test_badge(documents: Any, label: str, message: str, color: str) -> None:
    found = badge(documents)
    jsonschema.validate(found, BADGE)
    assert found == {"schemaVersion": 1, "label": label, "message": message, "color": color}


@pytest.mark.parametrize(("number", "text"), [
    (0.0, "0"), (1e-30, "0"), (1.875, "1.88"), (64.0, "64"), (999.4, "999"), (1000.0, "1.0e3"), (4194303.7, "4.2e6"), (1.2e223, "1.2e223"),
])  # fmt: skip
def test_numbers_are_short(number: float, text: str) -> None:
    assert figure(number) == text and eps(number) == f"{text} eps"


def test_the_limits_are_those_of_the_verdicts() -> None:
    assert (THIRD_PARTY.eps, outcome.LIMIT.eps) == (LIMIT, OF_SUMS)
    assert (limit(failing()), limit(scenes()), limit(criteria())) == (LIMIT, LIMIT, OF_SUMS)


def test_words() -> None:
    assert eps(float("inf")) == eps(float("nan")) == "NaN or infinite" and eps(None) == ""
    assert command("A=1 refloss check x:y --json f.json --as 'a b' --html=p.html") == "A=1 refloss check x:y --as 'a b'"
    assert command("refloss 'broken") == "refloss 'broken"
    assert visible("a\x00b\u202ec\ud800\tö") == "a\ufffdb\ufffdc\ufffd\tö"
    assert tally()["worst_eps"] == 1.875


def package(title: str, expect: str) -> dict[str, Any]:
    check = "wrong_losses:huber --as smooth_l1_loss --dtype float32"
    return {"title": title, "module": "wrong_losses", "check": check, "expect": [expect], "environment": {"X": "1"}}


def test_packages_are_checked(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """What `python -m harnesses.run` writes and answers."""
    found = [package("Huber", "huber_for_smooth_l1"), {**package("Gone", "anything"), "module": "no_such_module", "environment": {}}]
    monkeypatch.setattr(run, "packages", lambda only: found)
    assert run.main(["--reports", str(tmp_path), "--expect"]) == 0
    said = "X=1 refloss check wrong_losses:huber --as smooth_l1_loss --dtype float32"
    for name in ("README.md", "index.html", "report.json"):
        assert (tmp_path / name).read_text("utf-8").count(said) >= 1
    assert capsys.readouterr().out.count(said) == 1
    huber, gone = load(str(tmp_path / "report.json"))["rows"]
    assert huber["report"]["known"] == "named" and huber["failed"] > 0 and gone["status"] == "not run: no_such_module is not installed"
    monkeypatch.setattr(run, "outcome", lambda package: {**huber, "expect": ["another"]})
    assert run.main(["--reports", str(tmp_path), "--expect"]) == 1 and run.main(["--reports", str(tmp_path)]) == 0
    assert "Huber: another was not named" in capsys.readouterr().out


def test_what_is_installed_must_be_checked(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A check that ends without a report is a failure under --expect, and no package that is absent."""
    monkeypatch.setattr(run, "packages", lambda only: [{**package("Broken", "x"), "check": "wrong_losses:no_such --as smooth_l1_loss"}])
    assert run.main(["--reports", str(tmp_path), "--expect"]) == 1
    assert "Broken: not run: " in capsys.readouterr().out


def test_a_missing_program_is_said() -> None:
    row = run.outcome({"title": "Theirs", "program": "no_such_program", "check": "--command 'no_such_program x.js' --as l1_loss"})
    assert (row["status"], row["package"], row["loss"]) == ("not run: no_such_program is not installed", "no_such_program", "l1_loss")


def test_the_reports_in_the_repository() -> None:
    """At least 12 third-party implementations with their outcomes, each with its command; the pages are of the same checks."""
    document = load(str(run.REPORTS / "report.json"))
    ran = [row for row in document["rows"] if row["status"] == "run"]
    assert len({row["report"]["callable"] for row in ran}) >= 12 and len(ran) == len(document["rows"])
    pages = [(run.REPORTS / name).read_text("utf-8") for name in ("README.md", "index.html")]
    for row in ran:
        assert row["reproduce"] in pages[0] and html_escape(row["reproduce"]) in pages[1]
    assert sum(path.stat().st_size for path in run.REPORTS.iterdir()) < 900_000
    assert not re.search(r"/(home|work|root|tmp|Users)/", "".join(pages))

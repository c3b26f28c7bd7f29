"""Expectations: what they meet, when they are stale, what is wrong with a file, and files written from failures."""

import json
import pathlib
import platform
import sys
from collections.abc import Callable
from typing import Any

import jsonschema
import numpy as np
import pytest
import smooth_numpy

import refloss_conformance
from refloss_conformance import conditions, conforms, jsonable
from refloss_conformance.conditions import holds, parts
from refloss_conformance.errors import UsageError
from refloss_conformance.expectations import apply, load, passed, too_few
from refloss_conformance.expectations_writing import write
from refloss_conformance.running import items, ran, subject

SCHEMA = json.loads((pathlib.Path(refloss_conformance.__file__).parent / "schema" / "expectations.json").read_text("utf-8"))
Document = dict[str, Any]


def report(function: Callable[..., Any] = smooth_numpy.huber, loss: str = "smooth_l1_loss", **given: Any) -> Document:
    """A report as it is after a trip through its file."""
    settings = {
        "mapping": {},
        "constants": {},
        "only": {},
        "arrays": "numpy",
        "returns": "value_and_grad",
        "reduction": "none",
        "dtype": None,
    }
    document = conforms.run(function, loss, **{**settings, "codes": {}, "pick": None, **given})
    loaded: Document = json.loads(jsonable.dumps(document))
    return loaded


@pytest.fixture(scope="module")
def huber() -> Document:
    return report()


@pytest.fixture(scope="module")
def right() -> Document:
    return report(smooth_numpy.smooth)


def file(tmp_path: pathlib.Path, *entries: str, head: str = "schema = 1\ninterpretation = 1\n") -> pathlib.Path:
    path = tmp_path / "expect.toml"
    path.write_text(head + "".join(f"[[expect]]\n{entry}\n" for entry in entries), "utf-8")
    return path


def test_the_fixtures_are_what_they_say(huber: Document, right: Document) -> None:
    assert right["strict"] and not right["failures"]
    assert not huber["strict"]
    groups = {one["id"].rpartition("/")[0] for one in huber["failures"]}
    assert "smooth_l1_loss/beta_1" not in groups
    assert "smooth_l1_loss/beta_0.1" in groups


def test_what_a_report_ran(huber: Document) -> None:
    """Every case of the file in each of the two dtypes: 261 hold float64, fewer float32."""
    cases = ran(huber)
    assert cases is not None
    assert len(cases) == huber["cases"]
    assert len({one for one, dtype in cases if dtype == "float64"}) == 261
    assert subject(huber) == "smooth_l1_loss"


def test_every_failure_is_expected(tmp_path: pathlib.Path, huber: Document) -> None:
    done = apply(huber, load(file(tmp_path, 'id = "smooth_l1_loss/*"\nreason = "it is Huber\'s"')))
    assert passed(done)
    assert done["expected"]["matched"] == len(huber["failures"]) == len(items(huber))
    assert done["expected"]["stale"] == done["expected"]["unexpected"] == done["expected"]["not_run"] == []
    assert huber["expected"] is None  # the report that was given is as it was


def test_what_is_not_expected_fails(tmp_path: pathlib.Path, huber: Document) -> None:
    done = apply(huber, load(file(tmp_path, 'id = "smooth_l1_loss/beta_0.1/*"\nreason = "r"')))
    assert not passed(done)
    unexpected = done["expected"]["unexpected"]
    assert unexpected and not any(one.startswith("smooth_l1_loss/beta_0.1/") for one in unexpected)
    assert done["expected"]["stale"] == []


@pytest.mark.parametrize("narrow", ['dtype = "float32"', 'what = "gradient"', 'dtype = ["float64"]\nwhat = ["value"]'])
def test_dtype_and_what_narrow_an_entry(narrow: str, tmp_path: pathlib.Path, huber: Document) -> None:
    done = apply(huber, load(file(tmp_path, f'id = "smooth_l1_loss/*"\nreason = "r"\n{narrow}')))
    assert not passed(done)
    assert 0 < done["expected"]["matched"] < len(huber["failures"])


def test_a_stale_expectation_fails(tmp_path: pathlib.Path, huber: Document, right: Document) -> None:
    everything = 'id = "smooth_l1_loss/*"\nreason = "it is Huber\'s"'
    done = apply(right, load(file(tmp_path, everything)))
    assert not passed(done)
    assert done["expected"]["stale"] == [
        f"{tmp_path}/expect.toml, entry 1: smooth_l1_loss/* no longer fails; remove it (its reason was: it is Huber's)"
    ]
    one_group = load(file(tmp_path, everything, 'id = "smooth_l1_loss/beta_1/*"\nreason = "r"'))  # equal there
    assert "entry 2: smooth_l1_loss/beta_1/*" in apply(huber, one_group)["expected"]["stale"][0]
    narrowed = load(file(tmp_path, everything, 'id = "smooth_l1_loss/beta_1/*"\nreason = "r"\ndtype = "float32"\nwhat = "value"'))
    assert "smooth_l1_loss/beta_1/* (float32, value) no longer fails" in apply(huber, narrowed)["expected"]["stale"][0]


def test_each_id_of_a_list_is_held_to_it(tmp_path: pathlib.Path, huber: Document) -> None:
    done = apply(huber, load(file(tmp_path, 'id = ["smooth_l1_loss/*", "smooth_l1_loss/beta_1/*"]\nreason = "r"')))
    assert [text.split(": ")[1].split()[0] for text in done["expected"]["stale"]] == ["smooth_l1_loss/beta_1/*"]


def test_what_did_not_run_is_said_and_is_not_stale(tmp_path: pathlib.Path) -> None:
    some = report(only={"beta": 0.1}, dtype="float64")
    everything = 'id = "smooth_l1_loss/beta_0.1/*"\nreason = "r"'
    idle = ['id = "smooth_l1_loss/beta_4/*"\nreason = "r"', 'id = "smooth_l1_loss/*"\ndtype = "float32"\nreason = "r"']
    done = apply(some, load(file(tmp_path, everything, *idle)))
    assert passed(done)
    assert ["entry 2" in done["expected"]["not_run"][0], "entry 3" in done["expected"]["not_run"][1]] == [True, True]
    values = report(lambda *given, **named: smooth_numpy.huber(*given, **named)[0], returns="value", mapping={}, only={"beta": 1.0})
    assert values["gradient"] is None and values["strict"]
    done = apply(values, load(file(tmp_path, 'id = "smooth_l1_loss/*"\nwhat = "gradient"\nreason = "r"')))
    assert passed(done) and len(done["expected"]["not_run"]) == 1


def test_entries_of_other_losses_are_left_alone(tmp_path: pathlib.Path, right: Document) -> None:
    entries = [
        'id = "focal_loss/*"\nreason = "r"',
        'id = "*"\nloss = "l1_loss"\nreason = "r"',
        'finding = "f"\nloss = "l1_loss"\nreason = "r"',
    ]
    done = apply(right, load(file(tmp_path, *entries)))
    assert passed(done) and done["expected"]["not_run"] == []


def test_conditions_switch_an_entry_off(tmp_path: pathlib.Path, huber: Document, right: Document) -> None:
    on = f"platform == '{sys.platform}' and python >= '3.11'"
    for condition, good in ((on, True), (f"not ({on})", False), ("platform == 'plan9'", False), ("version('numpy') >= '2'", True)):
        entry = f'id = "smooth_l1_loss/*"\nreason = "r"\nwhen = "{condition}"'
        assert passed(apply(huber, load(file(tmp_path, entry)))) is good, condition
        assert passed(apply(right, load(file(tmp_path, entry)))) is not good, condition


def test_unanswered_cases_findings_and_troubles_need_an_entry_too(tmp_path: pathlib.Path, right: Document) -> None:
    first = sorted(ran(right) or ())[0]
    lost = {"id": first[0], "dtype": first[1], "status": "hung", "reason": "no answer within 10 s", "link": None}
    broken = {
        **right, "unanswered": [lost, {**lost, "id": "smooth_l1_loss/beta_1/else", "status": "skipped"}],
        "findings": [{"kind": kind, "name": "mean_for_sum", "text": "", "effect": ""} for kind in ("deviation", "note")],
        "troubles": [{"name": "hangs", "text": "", "cases": 1, "first": None}, {"name": "zombie", "text": "", "cases": 0, "first": None}],
    }  # fmt: skip
    assert [(one.id, one.what) for one in items(broken)] == [(first[0], "unanswered"), ("mean_for_sum", "finding"), ("zombie", "finding")]
    entries = [
        f'id = "{first[0]}"\nwhat = "unanswered"\nreason = "r"',
        'finding = "mean_for_sum"\nreason = "r"',
        'finding = "zombie"\nreason = "r"',
    ]
    assert passed(apply(broken, load(file(tmp_path, *entries))))
    for left_out in range(3):
        done = apply(broken, load(file(tmp_path, *(entry for k, entry in enumerate(entries) if k != left_out))))
        assert not passed(done) and len(done["expected"]["unexpected"]) == 1
    assert len(apply(right, load(file(tmp_path, *entries)))["expected"]["stale"]) == 3


def test_a_group_that_could_not_be_run_needs_an_entry(tmp_path: pathlib.Path, right: Document) -> None:
    groups = [{**group, "status": "errored", "reason": "it raised"} if group["id"] == "beta_1" else group for group in right["groups"]]
    broken = {**right, "groups": groups}
    assert not passed(apply(broken, load(file(tmp_path))))
    assert passed(apply(broken, load(file(tmp_path, 'id = "smooth_l1_loss/beta_1/*"\nreason = "r"'))))


def test_the_training_tier_asks_for_less(tmp_path: pathlib.Path, huber: Document) -> None:
    slight = {**huber, "failures": [{**one, "matters": False} for one in huber["failures"]]}
    nothing = load(file(tmp_path))
    assert not passed(apply(slight, nothing))
    assert passed(apply(slight, nothing, "training"))
    assert not passed(apply(huber, nothing, "training"))


def test_too_few_cases(right: Document) -> None:
    assert too_few([right], 100) is None
    assert too_few([right], right["cases"] + 1) == f"{right['cases']} cases ran, and at least {right['cases'] + 1} must"
    assert too_few([{**right, "cases": 0}], 0) == "no cases ran, and at least 1 must"
    assert not passed(apply({**right, "cases": 0}, load_nothing()))


def load_nothing() -> Any:
    return type("Nothing", (), {"file": "f", "entries": ()})()


def test_scenes(tmp_path: pathlib.Path) -> None:
    """An NMS that keeps everything."""

    def keep_all(boxes: Any, scores: Any, iou_threshold: float = 0.5) -> Any:
        return np.argsort(-scores, kind="stable")

    document = report(keep_all, "boxes.nms", returns="value")
    cases = ran(document)
    assert cases is not None and len(cases) == document["cases"]
    assert {one.what for one in items(document)} == {"answer"}
    path = tmp_path / "nms.toml"
    write(document, path)
    assert passed(apply(document, load(path)))
    assert not passed(apply(document, load(file(tmp_path))))
    done = apply(document, load(file(tmp_path, 'id = "boxes.nms/*"\nreason = "r"')))
    assert passed(done)


BAD = [
    ("", "schema is None"),
    ("schema = 2\ninterpretation = 1", "schema is 2, this version of refloss knows 1"),
    ("schema = 1\ninterpretation = 9", "interpretation is 9"),
    ("schema = 1\ninterpretation = 1\nexpect = 3", "entries are written"),
    ("schema = 1\ninterpretation = 1\nexpect = [3]", "entry 1: is no table"),
    ("schema = 1\ninterpretation = 1\nfoo = 3", "has 'foo'"),
    ("schema = ", "is no TOML"),
]
BAD_ENTRIES = [
    ('id = "a/*"', "entry 1: needs a reason"),
    ('id = "a/*"\nreason = ""', "reason must be a text, and not empty"),
    ('id = "a/*"\nreason = 3', "reason must be a text"),
    ('reason = "r"', "needs an id or a finding"),
    ('id = "a"\nfinding = "b"\nreason = "r"', "and not both"),
    ('id = []\nreason = "r"', "id must be a text or a list of texts"),
    ('id = ["a", 3]\nreason = "r"', "id must be a text or a list of texts"),
    ('id = "a"\nresaon = "r"', "has 'resaon'; did you mean reason?"),
    ('id = "a"\nxyzzy = "r"', "has 'xyzzy', there are id, dtype"),
    ('id = "a"\nreason = "r"\ndtype = "float8"', "there is no dtype 'float8'"),
    ('id = "a"\nreason = "r"\nwhat = "values"', "there is no what 'values'"),
    ('finding = "a"\nreason = "r"\ndtype = "float32"', "a finding is of all dtypes"),
    ('id = "a"\nreason = "r"\nwhen = "plattform == 1"', "cannot be read at '1'"),
    ('id = "a"\nreason = "r"\nwhen = "plattform == \'x\'"', "names 'plattform'; did you mean platform?"),
]


@pytest.mark.parametrize(("text", "says"), BAD)
def test_files_that_are_none(text: str, says: str, tmp_path: pathlib.Path) -> None:
    path = tmp_path / "expect.toml"
    path.write_text(text, "utf-8")
    with pytest.raises(UsageError, match=says):
        load(path)


def test_absent_and_huge_files(tmp_path: pathlib.Path) -> None:
    with pytest.raises(UsageError, match=r"cannot be read .*--write-expect writes one"):
        load(tmp_path / "none.toml")
    path = tmp_path / "expect.toml"
    path.write_bytes(b"#" * 5_000_001)
    with pytest.raises(UsageError, match="larger than"):
        load(path)


@pytest.mark.parametrize(("entry", "says"), BAD_ENTRIES)
def test_entries_with_a_mistake(entry: str, says: str, tmp_path: pathlib.Path) -> None:
    path = file(tmp_path, entry)
    with pytest.raises(UsageError, match=says):
        load(path)
    if "when" not in entry:
        import tomllib

        assert not jsonschema.Draft202012Validator(SCHEMA).is_valid(tomllib.loads(path.read_text("utf-8")))


KNOWN: dict[str, str | None] = {
    **dict.fromkeys(conditions.FACTS),
    "platform": "linux",
    "python": "3.12.4",
    "version": "0.26.0+cpu",
    "via": "program",
}
TRUE = [
    "platform == 'linux'", 'platform != "darwin"', "python >= '3.9'", "python < '3.13' and python > '3.12'", "version == '0.26'",
    "version < '0.100'", "'lin' in platform", "'mac' not in platform", "not platform == 'darwin'", "not (python < '3' or via == 'files')",
    "platform == 'x' and via == 'x' or via == 'program'", "via == 'program' or platform == 'x' and via == 'x'", "'3.12' <= python",
    "platform=='linux'and via=='program'", "'0.26' == version",
    "version == '0.26.0.0'", "version('numpy') > '1.9'", "not version('no-such-package') >= '1'",
]  # fmt: skip
FALSE = [
    "platform == 'darwin'", "python == '3.12'", "machine != 'x'", "machine == 'x'", "version('no-such-package') != '1'",
    "'x' not in arrays",
    "platform == 'linux' and via == 'files'", "platform == 'darwin' or via == 'files'", "version > '0.26'", "not platform in 'linux'",
]  # fmt: skip
WRONG = [
    ("", "ends too early"), ("platform", "compares nothing"), ("platform ==", "ends too early"), ("platform = 'x'", "cannot be read at"),
    ("platform == 'x' 'y'", "goes on with"), ("(platform == 'x'", "lacks a"), ("platform == 'x')", "goes on with"),
    ("system == 'x'", "names 'system'"), ("__import__('os')", "names '__import__'"), ("platform == 'x", "cannot be read"),
    ("python >= 'new'", "compares the version"), ("version('numpy' >= '1'", "without a package's name"),
    ("1 == 1", "cannot be read at '1 == 1'"),
    ("not " * 50 + "platform == 'x'", "nested more than 20 deep"), ("(" * 400, "nested more than 20 deep"),
    (" " * 2000, "longer than 1000"),
    ("platform and python", "has 'and' where it compares"),
]  # fmt: skip


@pytest.mark.parametrize("condition", TRUE)
def test_conditions_that_hold(condition: str) -> None:
    assert holds(condition, KNOWN)


@pytest.mark.parametrize("condition", FALSE)
def test_conditions_that_do_not(condition: str) -> None:
    assert not holds(condition, KNOWN)


@pytest.mark.parametrize(("condition", "says"), WRONG)
def test_conditions_with_a_mistake(condition: str, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        holds(condition, KNOWN)


def test_facts_and_versions() -> None:
    known = conditions.facts({"language": "C", "version": None, "via": "program"})
    assert known.keys() == conditions.FACTS.keys()
    assert (known["platform"], known["python"], known["language"]) == (sys.platform, platform.python_version(), "C")
    assert known["version"] is None
    assert parts("2.13.0+cpu") == [2, 13, 0]
    assert parts("v1.2rc3") == [1, 2]
    assert parts("nightly") == []


# Files written from failures


def test_written_files_expect_exactly_what_fails(tmp_path: pathlib.Path, huber: Document, right: Document) -> None:
    import tomllib

    for document in (huber, report(smooth_numpy.far_off), report(only={"beta": 0.1}), report(smooth_numpy.far_off, dtype="float32")):
        path = tmp_path / "written.toml"
        path.unlink(missing_ok=True)
        assert write(document, path) > 0
        jsonschema.validate(tomllib.loads(path.read_text("utf-8")), SCHEMA)
        done = apply(document, load(path))
        assert passed(done), done["expected"]
        notes = done["expected"]["notes"]
        assert len(notes) == len(load(path).entries) and all("expected without a reason (TODO" in text for text in notes)
        assert not passed(apply(right, load(path)))
        before = path.read_bytes()
        write(document, path)
        assert path.read_bytes() == before


def test_globs_only_where_a_whole_group_fails_alike(tmp_path: pathlib.Path) -> None:
    def all_but_one_group(predictions: Any, targets: Any, beta: float = 1.0) -> Any:
        value, gradient = smooth_numpy.smooth(predictions, targets, beta)
        return (value * np.nan, gradient) if beta != 1 else (value, gradient)

    path = tmp_path / "written.toml"
    write(report(all_but_one_group), path)
    patterns = {pattern for entry in load(path).entries for pattern in entry.id}
    assert patterns == {f"smooth_l1_loss/beta_{beta}/*" for beta in ("0", "0.1", "0.1111111111111111", "4")}, patterns
    write(report(lambda *given, **named: tuple(x * np.nan for x in smooth_numpy.smooth(*given, **named))), path := tmp_path / "all.toml")
    assert [(entry.id, entry.what) for entry in load(path).entries] == [(("smooth_l1_loss/*",), ("value", "gradient"))]
    write(report(smooth_numpy.far_off), path := tmp_path / "few.toml")
    entries = load(path).entries
    assert all("*" not in pattern for entry in entries for pattern in entry.id)
    assert {entry.what for entry in entries} == {("gradient",)}


def test_writing_again_keeps_reasons_and_what_belongs_to_others(tmp_path: pathlib.Path, huber: Document) -> None:
    path = tmp_path / "expect.toml"
    write(huber, path)
    assert "huber_for_smooth_l1" in path.read_text("utf-8")
    others = ['id = "focal_loss/*"\nreason = "other"', 'id = "smooth_l1_loss/*"\nwhen = "platform == \'plan9\'"\nreason = "there"']
    mine = 'id = ["smooth_l1_loss/beta_0.1/*", "smooth_l1_loss/beta_1/*"]\nreason = "known \\"since\\" 2019: é\\t"\nlink = "https://example.org/1"'
    file(tmp_path, *others, mine)
    write(huber, path)
    entries = load(path).entries
    assert [entry.reason for entry in entries[:2]] == ["other", "there"]
    kept = [entry for entry in entries if entry.reason == 'known "since" 2019: é\t']
    assert kept and all(entry.link == "https://example.org/1" for entry in kept)
    assert all(pattern.startswith("smooth_l1_loss/beta_0.1/") for entry in kept for pattern in entry.id)  # beta_1 does not fail
    assert any(entry.reason.startswith("TODO") for entry in entries)
    assert passed(apply(huber, load(path)))
    some = report(only={"beta": 4})  # says nothing of beta 0.1
    write(some, path)
    assert passed(apply(some, load(path))) and passed(apply(report(only={"beta": 0.1}), load(path)))


def test_nothing_is_half_written(tmp_path: pathlib.Path, huber: Document, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match=r"--write-expect .*: cannot be written"):
        write(huber, tmp_path / "absent" / "expect.toml")
    path = file(tmp_path, 'id = "focal_loss/*"\nreason = "other"')
    before = path.read_bytes()

    def fails(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pathlib.Path, "replace", fails)
    with pytest.raises(UsageError, match="No space left"):
        write(huber, path)
    assert path.read_bytes() == before
    assert [one.name for one in tmp_path.iterdir()] == ["expect.toml"]

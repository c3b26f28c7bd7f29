"""The golden vectors as files: their layout, their spread, and what the loader does with damaged ones."""

import json
import math
import pathlib
import sys
from typing import Any

import jsonschema
import numpy as np
import pytest

from refloss_conformance import scenes, vectors
from refloss_conformance.records import RECORDS
from refloss_conformance.vectors import FOLDER, SCHEMA, VectorError, batches, errors_in_eps, load, load_file, words

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "conformance"))  # the oracle is not installed
from oracle import generate, issued, withdrawn

NAMES = sorted(RECORDS)


@pytest.fixture(params=NAMES, scope="module")
def golden(request: pytest.FixtureRequest) -> vectors.Vectors:
    return load(request.param)


def test_every_loss_has_vectors_and_nothing_else_has() -> None:
    assert vectors.names() == NAMES


def test_all_vectors_stay_under_5_mb() -> None:
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) < 5_000_000


@pytest.mark.parametrize("name", NAMES)
def test_files_follow_the_schema(name: str) -> None:
    validator = jsonschema.Draft202012Validator(json.loads(SCHEMA.read_text("utf-8")))
    data = json.loads((FOLDER / f"{name}.json").read_text("utf-8"))
    assert not list(validator.iter_errors(data))
    for damage in ({"extra": 1}, {"schema": 2}, {"groups": []}, {"licence": "MIT"}):
        assert not validator.is_valid({**data, **damage})
    case = data["groups"][0]["cases"][0]
    for broken in ({**case, "more": 1}, {**case, "value": 1.0}, {**case, "dtypes": ["float8"]}, {**case, "inputs": {}}):
        assert not validator.is_valid({**data, "groups": [{**data["groups"][0], "cases": [broken]}]})


def test_ids_are_unique_and_flags_are_explained(golden: vectors.Vectors) -> None:
    ids = [case.id for _, case in golden.cases()]
    assert len(ids) == len(set(ids))
    assert all(case.id.startswith(f"{golden.loss}/{group.id}/") for group, case in golden.cases())
    written = json.loads((FOLDER / f"{golden.loss}.json").read_text("utf-8"))  # withdrawn cases are written, and not loaded
    assert {flag for group in written["groups"] for case in group["cases"] for flag in case["flags"]} == set(golden.notes)


def test_every_setting_is_a_group_and_every_number_takes_four_values(golden: vectors.Vectors) -> None:
    loss = RECORDS[golden.loss]
    assert [dict(group.parameters) for group in golden.groups] == [{**loss.defaults, **setting} for setting in loss.settings]
    for name, default in loss.defaults.items():
        values = {group.parameters[name] for group in golden.groups}
        numeric = [v for v in values if type(v) in (int, float)]
        if numeric or isinstance(default, float):
            assert len(numeric) >= 4, f"{golden.loss}: {name} takes only {numeric}"
        else:
            assert len(values) >= 2, f"{golden.loss}: {name} is always {values}"


def test_groups_are_large_enough_and_spread(golden: vectors.Vectors) -> None:
    for group in golden.groups:
        assert len(group.cases) >= 25
        by_dtype = {dtype: sum(dtype in case.dtypes for case in group.cases) for dtype in vectors.DTYPES}
        assert by_dtype["float64"] == len(group.cases)
        assert min(by_dtype.values()) >= 15, f"{golden.loss}/{group.id}: {by_dtype}"
        results = {str(case.value) for case in group.cases}
        constant = any(group.parameters.get(k) == 0 for k in ("factor", "delta"))
        assert constant or len(results) >= len(group.cases) / 5, f"{golden.loss}/{group.id}: only {len(results)} different values"


def test_dtypes_hold_the_inputs_exactly(golden: vectors.Vectors) -> None:
    for group in golden.groups:
        exact = {case.id: batch for batch in batches(golden, group, "float64") for case in batch.cases}
        for dtype in ("float32", "float16", "bfloat16"):
            for batch in batches(golden, group, dtype):
                assert batch.first.dtype == vectors.numpy_dtype(dtype)
                for i, case in enumerate(batch.cases):
                    whole = exact[case.id]
                    j = whole.cases.index(case)
                    np.testing.assert_array_equal(batch.first[i].astype(np.float64), whole.first[j])
                    np.testing.assert_array_equal(batch.second[i].astype(np.float64), whole.second[j].astype(np.float64))


def test_scales_and_intervals_enclose(golden: vectors.Vectors) -> None:
    for group in golden.groups:
        for batch in batches(golden, group, "float64"):
            assert (batch.value_scale >= 0).all()
            assert (batch.gradient_scale >= 0).all()
            assert (batch.gradient_low[0] <= batch.gradient[0]).all()
            assert (batch.gradient[0] <= batch.gradient_high[0]).all()
            for i, case in enumerate(batch.cases):
                assert ("tie" in case.flags) == bool((batch.gradient_low[0][i] != batch.gradient_high[0][i]).any())


def properties(schema: Any, place: str) -> list[tuple[str, Any]]:
    """Every property that a schema names, with where."""
    found = []
    if isinstance(schema, dict):
        for key, value in schema.items():
            if key == "properties" and not place.endswith(("/if", "/then", "/else")):
                found += [(f"{place}/{name}", one) for name, one in value.items()]
            found += properties(value, f"{place}/{key}")
    elif isinstance(schema, list):
        found += [one for k, part in enumerate(schema) for one in properties(part, f"{place}/{k}")]
    return found


@pytest.mark.parametrize("name", ["vectors", "scenes", "expectations", "export", "answers"])
def test_every_field_is_described(name: str) -> None:
    schema = json.loads((SCHEMA.parent / f"{name}.json").read_text("utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    found = properties(schema, "")
    assert len(found) > 9
    assert [place for place, one in found if len(one.get("description", "")) < 10] == []


def test_withdrawn_cases_stay_in_the_file_and_are_not_run(tmp_path: pathlib.Path) -> None:
    data = json.loads((FOLDER / "l1_loss.json").read_text("utf-8"))
    case = data["groups"][0]["cases"][0]
    case["withdrawn"] = "its result was that of another formula"
    path = tmp_path / "l1_loss.json"
    path.write_text(json.dumps(data), "utf-8")
    jsonschema.Draft202012Validator(json.loads(SCHEMA.read_text("utf-8"))).validate(data)
    ids = [one.id for _, one in load_file(path).cases()]
    assert case["id"] not in ids and len(ids) == len(data["groups"][0]["cases"]) - 1
    data = json.loads((scenes.FOLDER / "boxes.nms.json").read_text("utf-8"))
    data["scenes"][0]["withdrawn"] = "its answer was that of another rule"
    path.write_text(json.dumps(data), "utf-8")
    jsonschema.Draft202012Validator(json.loads(scenes.SCHEMA.read_text("utf-8"))).validate(data)
    assert data["scenes"][0]["id"] not in [one.id for one in scenes.load_file(path).scenes]
    assert len(scenes.load_file(path).scenes) == len(data["scenes"]) - 1


def test_the_generator_keeps_what_is_withdrawn(tmp_path: pathlib.Path) -> None:
    made = [{"id": "a/g/one", "value": 1}, {"id": "a/g/two", "value": 2}, {"id": "a/h/one", "value": 3}]
    path = tmp_path / "withdrawn.toml"
    lines = [{"id": "a/g/two", "value": 7}, {"id": "a/g/never_made_today", "value": 8}, {"id": "b/g/two", "value": 9}]
    path.write_text("".join(f"[[withdrawn]]\ncase = '''{json.dumps(one)}'''\nreason = 'it was wrong'\n" for one in lines))
    known = withdrawn.entries(path)
    kept = withdrawn.kept("a/g/", made[:2], known)
    gone = {"withdrawn": "it was wrong"}
    assert kept == [made[0], {"id": "a/g/never_made_today", "value": 8, **gone}, {"id": "a/g/two", "value": 7, **gone}]
    assert withdrawn.kept("a/h/", made[2:], known) == made[2:]
    assert withdrawn.unplaced("a/", ["a/g", "a/h"], known) == []
    assert withdrawn.unplaced("a/", ["a/h"], known) == ["a/g/two", "a/g/never_made_today"]
    for broken in ("reason = 'short'", "reason = 'long enough to be one'\nmore = 1"):
        path.write_text(f"[[withdrawn]]\ncase = '{json.dumps(lines[0])}'\n{broken}\n")
        withdrawn.entries.cache_clear()
        with pytest.raises(ValueError, match="a/g/two needs a case and a reason"):
            withdrawn.entries(path)
    withdrawn.entries.cache_clear()
    assert {one["id"] for one in withdrawn.entries().values()} == set(withdrawn.entries())


def test_a_withdrawn_case_reaches_the_generated_file(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that the oracle makes, and one that it makes no more."""
    first = json.loads((FOLDER / "l1_loss.json").read_text("utf-8"))["groups"][0]["cases"][0]
    old = {**first, "id": "l1_loss/default/of_old"}
    reason = {"withdrawn": "this was wrong all the time"}
    known = {one["id"]: {**one, **reason} for one in (first, old)}
    monkeypatch.setattr(withdrawn, "entries", lambda: known)
    cases = json.loads(generate.text_of("l1_loss"))["groups"][0]["cases"]
    assert cases[-2:] == sorted(known.values(), key=lambda one: str(one["id"]))
    assert [one["id"] for one in cases].count(first["id"]) == 1
    monkeypatch.setattr(withdrawn, "entries", lambda: {"l1_loss/no_group/x": {"id": "l1_loss/no_group/x"}})
    with pytest.raises(ValueError, match="l1_loss/no_group/x is withdrawn, and its group is gone"):
        generate.text_of("l1_loss")


def test_no_id_that_was_issued_is_gone_or_means_another_case() -> None:
    """conformance/oracle/issued.json lists all; python -m oracle.generate adds to it, nothing takes from it."""
    old, there = issued.load(), issued.present()
    assert issued.lost(old, there) == []
    assert issued.unlisted(old, there) == []
    assert sum(map(len, old.values())) >= 7424
    assert issued.PATH.stat().st_size <= 150_000


def test_a_changed_case_is_found(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    data = json.loads((FOLDER / "l1_loss.json").read_text("utf-8"))
    path, listed = tmp_path / "l1_loss.json", tmp_path / "list" / "issued.json"
    listed.parent.mkdir()

    def outcome(check: bool) -> tuple[int, str]:
        path.write_text(json.dumps(data), "utf-8")
        return generate._issued(check, listed, [path]), capsys.readouterr().out

    assert outcome(True)[0] == len(data["groups"][0]["cases"])  # nothing is listed yet
    assert outcome(False) == (0, "issued: 64 ids, all there\n")
    before = listed.read_bytes()
    case = data["groups"][0]["cases"][3]
    for key, value in (("value", "0.5"), ("flags", ["edge"]), ("withdrawn", "a good reason")):
        case[key] = value
    assert outcome(True)[0] == 0  # results may be put right, each with an entry in the changelog
    case["inputs"] = {**case["inputs"], "targets": "0x1.0p+9"}
    wrong, said = outcome(False)
    assert (
        wrong == 1 and "l1_loss/default: 1 of the 64 cases that were issued are gone or have other inputs; new or changed there: " in said
    )
    assert case["id"] in said and listed.read_bytes() == before
    del data["groups"][0]["cases"][3]
    assert outcome(False)[0] == 1
    data = json.loads((FOLDER / "l1_loss.json").read_text("utf-8"))
    data["groups"][0]["parameters"] = {"beta": 1}
    assert "64 of the 64 cases" in outcome(True)[1]
    data["groups"] = []
    assert "64 of the 64 cases" in outcome(False)[1]


def test_two_words_hold_25_digits() -> None:
    text = "0.1234567890123456789012345"
    high, low = words([text])
    assert high[0] == float(text)
    assert abs(low[0] - (-2.6e-18)) < 1e-17
    assert math.isclose(low[0], float(vectors.Decimal(text) - vectors.Decimal(high[0])))
    assert words(["1.5e-2000"])[0][0] == 0


def test_errors_in_eps() -> None:
    def error(*args: Any, **options: Any) -> float:
        return float(errors_in_eps(*args, "float32", **options))

    eps = 2.0**-23
    assert error(1 + eps, 1.0, 0.0) == 1
    assert error(1 + eps, 1.0, 4.0) == 0.25
    assert error(1.0, (np.array(1.0), np.array(eps / 4)), 0.0) == pytest.approx(0.25)
    assert error(2.0**-149, 0.0, 0.0) == 1  # one subnormal step
    assert error(0.0, 1e-300, 0.0) < 1e-200
    assert error(np.nan, np.nan, 0.0) == 0
    assert error(np.inf, np.inf, 0.0) == 0
    assert error(-np.inf, np.inf, 0.0) == np.inf
    assert error(np.nan, 1.0, 0.0) == np.inf
    assert error(np.inf, 1.0, 9.0) == np.inf
    assert error(1.0, np.nan, 0.0) == np.inf
    assert error(1.0, np.inf, 0.0) == np.inf
    assert error(np.float32(0.7), 0.0, 1.0, low=-1.0, high=1.0) == 0
    assert error(1 + eps, 0.0, 1.0, low=-1.0, high=1.0) == 1
    assert error(-1 - eps, 0.0, 1.0, low=-1.0, high=1.0) == 1
    assert errors_in_eps(np.float32(1 + 2**-10), 1.0, 0.0, "float16") == 1
    assert errors_in_eps([], [], 0.0, "float64").shape == (0,)


def damaged(name: str, text: str) -> Any:
    """The same file with one thing wrong."""
    data = json.loads(text)
    if name == "cut":
        return text[:-20]
    if name == "list":
        return "[]"
    if name == "deep":
        return "[" * 100_000
    changes: dict[str, Any] = {
        "schema": {"schema": 7},
        "interpretation": {"interpretation": 2},
        "groups": {"groups": 5},
        "inputs": {"inputs": ["x"]},
    }
    if name in changes:
        return json.dumps({**data, **changes[name]})
    case = data["groups"][0]["cases"][0]
    if name == "field":
        case["surprise"] = 1
    elif name == "dtype":
        case["dtypes"] = ["float8"]
    else:
        del case["value"]
    return json.dumps(data)


@pytest.mark.parametrize("damage", ["cut", "list", "deep", "schema", "interpretation", "groups", "inputs", "field", "dtype", "missing"])
def test_damaged_files_are_one_clear_error(damage: str, tmp_path: Any) -> None:
    path = tmp_path / "l1_loss.json"
    path.write_text(damaged(damage, (FOLDER / "l1_loss.json").read_text("utf-8")), "utf-8")
    with pytest.raises(VectorError, match=r"^vectors: l1_loss\.json"):
        load_file(path)


def test_unknown_absent_and_oversized_files_are_one_clear_error(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(VectorError, match="none for 'l3_loss'; known losses are"):
        load("l3_loss")
    with pytest.raises(VectorError, match=r"none for '\.\./README'"):
        load("../README")
    with pytest.raises(VectorError, match="cannot read"):
        load_file(tmp_path / "absent.json")
    monkeypatch.setattr(vectors, "LARGEST_FILE", 100)
    with pytest.raises(VectorError, match="more than 100"):
        load("l1_loss")

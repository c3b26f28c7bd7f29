"""A withdrawn scene of a criterion stays in its file as it was issued, and is not run; and assert_conforms for whole criteria."""

import json

import jsonschema
import pytest

from oracle import issued, withdrawn
from oracle.criteria import write, yolov1
from refloss_conformance import criteria
from refloss_conformance.conforms import assert_conforms

NAME = "criteria.yolov1"


def test_a_withdrawn_scene_is_kept_and_not_run(monkeypatch, tmp_path):
    data = json.loads((criteria.FOLDER / f"{NAME}.json").read_text("utf-8"))
    scene = next(one for one in data["scenes"] if one["id"].endswith("/one_image"))
    wrong = {**scene, "answers": [{**one, "terms": {**one["terms"], "box": "77"}} for one in scene["answers"]]}
    path = tmp_path / "withdrawn.toml"
    path.write_text(f"[[withdrawn]]\nreason = 'a box term that nobody can have'\ncase = '''{json.dumps(wrong)}'''\n", "utf-8")
    known = withdrawn.entries(path)
    monkeypatch.setattr(withdrawn, "entries", lambda: known)
    monkeypatch.setattr(write, "scene_text", lambda oracle, made: json.dumps(by_id[f"{oracle.name}/{made.slug}"]))  # as it was made
    by_id = {one["id"]: one for one in data["scenes"]}

    file = tmp_path / f"{NAME}.json"
    file.write_text(write.text_of(yolov1.ORACLE), "utf-8")
    now = json.loads(file.read_text("utf-8"))
    jsonschema.validate(now, json.loads(criteria.SCHEMA.read_text("utf-8")))
    last = now["scenes"][-1]
    assert last["id"] == scene["id"] and last["withdrawn"] == "a box term that nobody can have"
    assert [one["terms"]["box"] for one in last["answers"]] == ["77"] * len(scene["answers"])
    assert len(now["scenes"]) == len(data["scenes"]) and sum("withdrawn" in one for one in now["scenes"]) == 1
    ids = {case.id for case in criteria.load_file(file).cases}
    assert ids == {case.id for case in criteria.load(NAME).cases if "/one_image/" not in case.id}
    assert issued.of_file(now) == issued.of_file(data)  # its id and its inputs count on


def test_assert_conforms_takes_criteria():
    pytest.importorskip("torch")
    import wrong_yolos

    report = assert_conforms(wrong_yolos.scaled, "criteria.scaled_yolov4", arrays="torch")
    assert report["report"] == "criteria" and report["cases"] >= 8
    with pytest.raises(AssertionError) as found:
        assert_conforms(wrong_yolos.scaled_unbalanced, "criteria.scaled_yolov4", arrays="torch", dtype="float64")
    text = str(found.value)
    assert "does not conform to criteria.scaled_yolov4" in text and "it computes balance_missing (" in text
    assert "objectness: got" in text and "box: got" not in text and "gradient of objectness: " in text and len(text.splitlines()) < 12

"""The golden scenes as files: their layout, their regeneration, what they hold, and what refloss itself answers."""

import json
import pathlib
from fractions import Fraction
from typing import Any

import jsonschema
import numpy as np
import pytest

from oracle import generate
from oracle.decisions import Decisions
from oracle.scenes import every
from oracle.scenes.max_iou import function as max_iou_function
from oracle.scenes.max_iou import scene as max_iou_scene
from oracle.scenes.record import answered, every_answer
from refloss_conformance import own, own_rows, scene_own, scenes
from refloss_conformance.scene_calling import Codes, NoAnswer, answer
from refloss_conformance.scene_judging import worst_error
from refloss_conformance.scene_offers import iou, matrix, offer
from refloss_conformance.scenes import FOLDER, SCHEMA, load, load_file
from refloss_conformance.show import list_losses, show_loss
from refloss_conformance.vectors import VectorError

NAMES = scenes.names()
ASSIGNERS = ("fcos", "max_iou", "scaled_yolov4", "ssd", "yolov1", "yolov2", "yolov3", "yolov4")


def written(name: str) -> Any:
    return json.loads((FOLDER / f"{name}.json").read_text("utf-8"))


def test_every_function_has_scenes() -> None:
    wanted = {f"assign.{name}" for name in ASSIGNERS} | {"boxes.nms", "boxes.batched_nms", "boxes.soft_nms", "boxes.select"}
    wanted |= {"mining.hard_negatives", "mining.ohem"}
    assert wanted <= set(NAMES) and any(name.startswith("priors.") for name in NAMES)


def test_all_scenes_stay_under_700_kb() -> None:
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) < 700_000


@pytest.mark.parametrize("name", NAMES)
def test_files_follow_the_schema(name: str) -> None:
    validator = jsonschema.Draft202012Validator(json.loads(SCHEMA.read_text("utf-8")))
    data = written(name)
    assert not list(validator.iter_errors(data))
    for damage in ({"extra": 1}, {"schema": 2}, {"scenes": []}, {"licence": "MIT"}, {"function": "max iou"}, {"answer": {}}):
        assert not validator.is_valid({**data, **damage}), damage
    scene = data["scenes"][0]
    for broken in ({"more": 1}, {"expected": {}}, {"dtypes": ["float16"]}, {"flags": []}, {"margin": 0.5}, {"id": "no id"}):
        assert not validator.is_valid({**data, "scenes": [{**scene, **broken}]}), broken


def test_committed_files_are_what_the_oracle_makes(tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Byte for byte; and a file that is changed, missing or belongs to nothing is found."""
    texts = every.texts()
    assert list(texts) and sorted(texts) == NAMES
    for name, text in texts.items():
        same = (FOLDER / f"{name}.json").read_text("utf-8") == text
        assert same, f"{name}: the committed scenes are not what the oracle makes; run python -m oracle.generate {name}"
    assert every.texts() == texts
    (tmp_path / "assign.ssd.json").write_text(texts["assign.ssd"] + " ", "utf-8")
    assert generate._written({"assign.ssd": texts["assign.ssd"]}, tmp_path, True, True) == 1
    assert generate._written({"assign.ssd": texts["assign.ssd"]}, tmp_path, False, True) == 0
    assert generate._written({"assign.ssd": texts["assign.ssd"]}, tmp_path, True, True) == 0
    (tmp_path / "assign.nothing.json").write_text("{}", "utf-8")
    assert generate._written({"assign.ssd": texts["assign.ssd"]}, tmp_path, True, True) == 1
    assert "belongs to nothing" in capsys.readouterr().out


@pytest.mark.parametrize("name", NAMES)
def test_scenes_hold_what_the_page_says(name: str) -> None:
    """Unique ids, explained flags, inputs that float32 holds, margins, and a list of allowed answers where there is a tie."""
    file, data = load(name), written(name)
    ids = [scene.id for scene in file.scenes]
    assert len(ids) == len(set(ids)) and all(one.startswith(f"{name}/") for one in ids)
    assert {flag for scene in file.scenes for flag in scene.flags} == set(file.notes)
    assert set(file.deviations) == {one for scene in file.scenes for each in scene.deviations for one in each.names}
    for scene, raw in zip(file.scenes, data["scenes"], strict=True):
        assert ("tie" in scene.flags) == (len(scene.allowed) > 1) == ("allowed" in raw)
        assert scene.parameters.keys() == file.defaults.keys()
        assert (len(scene.dtypes) == 1) <= ("rounding" in scene.flags or scene.parameters.get("dialect") == "torchvision")
        limit = 64 * max(2.0**-23 if "float32" in scene.dtypes else 2.0**-52, 2.0**-52)
        assert scene.margin is None or float(scene.margin) >= limit
        for key, array in scenes.arrays(file, scene, "float64").items():
            if isinstance(array, np.ndarray) and array.dtype.kind == "f":
                assert np.array_equal(array, array.astype(np.float32)), f"{scene.id}: {key}"
        for each in scene.deviations:
            assert each.answer not in scene.allowed, f"{scene.id}: {each.names} is no deviation"


def test_each_dialect_differs_from_the_default() -> None:
    """A dialect's scenes hold one whose answer is not the paper's."""
    for name in NAMES:
        file = load(name)
        for dialect in {str(scene.parameters["dialect"]) for scene in file.scenes if "dialect" in scene.parameters} - {"paper"}:
            mine = [scene for scene in file.scenes if scene.parameters["dialect"] == dialect]
            assert any(scene.deviating("as_in_the_paper", scene.dtypes[0])[0] for scene in mine), f"{name}: {dialect}"


HAND = [
    ("assign.max_iou/iou_0.5", "gt_index", [0, -1, -1, -1]),  # 50 of 100 pixels
    ("assign.max_iou/iou_0.4", "gt_index", [-2, -1, -1, -1]),
    ("assign.max_iou/iou_0.45", "gt_index", [-2, -1, -1, -1]),
    ("assign.max_iou/low_quality_between_two_priors", "gt_index", [0, 0, -1, -1]),
    ("assign.max_iou/low_quality_meets_no_prior", "gt_index", [-1, -1, -1, -1]),
    ("assign.max_iou/torchvision_meets_no_prior", "gt_index", [0, 0, 0, 0]),
    ("assign.max_iou/mmdet_low_quality_meets_another", "gt_index", [1, -1, -1, -1]),
    ("assign.ssd/chain", "gt_index", [1, 0, -1, -1]),  # truth 1 fits prior 0 better, so truth 0 has its second best
    ("assign.ssd/torchvision_one_meets_no_prior", "gt_index", [1, 0, -1, -1]),
    ("assign.yolov2/on_the_image_border", "pairs", [[5, 0], [16, 1]]),  # row 1, column 2 of anchor 0; row 2, column 1 of anchor 1
    ("assign.yolov2/darknet_on_the_image_border", "pairs", [[6, 0]]),
    ("assign.scaled_yolov4/ratio_4_wide", "pairs", []),
    ("assign.scaled_yolov4/in_the_middle", "pairs", [[4, 0]]),
    ("assign.scaled_yolov4/upper_left_of_its_cell", "pairs", [[3, 0], [1, 0], [4, 0]]),
    ("assign.fcos/areas_of_103_and_105", "gt_index", [-1, -1, -1, 1, -1, -1, 1, *[-1] * 18]),
    ("assign.fcos/torchvision_areas_of_103_and_105", "gt_index", [-1, -1, -1, 0, -1, -1, 0, *[-1] * 18]),
    ("mining.hard_negatives/one_positive", "mask", [False, True, False, True, False, False, True, False]),
    ("mining.hard_negatives/no_positives", "mask", [False, False, False]),
    ("boxes.nms/iou_0.5", "indices", [0, 1]),  # exactly at the threshold stays, 52.5 of 100 goes
    ("boxes.nms/chain", "indices", [0, 2]),
    ("boxes.soft_nms/one_of_two", "scores", ["0.75", "0.25"]),  # 0.5 * (1 - 0.5)
    ("priors.retinanet_anchors/rounded", "priors", [["-23", "-11", "23", "11"], ["-28", "-14", "28", "14"]]),
]


@pytest.mark.parametrize(("name", "part", "wanted"), HAND, ids=[h[0] for h in HAND])
def test_worked_by_hand(name: str, part: str, wanted: list[Any]) -> None:
    scene = next(one for one in load(name.split("/", maxsplit=1)[0]).scenes if one.id == name)
    got = scene.expected[part]
    assert (sorted(got) == sorted(wanted)) if part == "pairs" else got[: len(wanted)] == wanted


@pytest.mark.parametrize("name", NAMES)
def test_refloss_answers_exactly_so(name: str) -> None:
    row = own_rows.measure_scenes(name, ["float64", "float32"])
    assert row.verdict == "pass", row.worst
    assert row.cases == sum(len(scene.dtypes) for scene in load(name).scenes)
    assert row.value_eps <= 1 or name == "boxes.soft_nms"


def test_a_wrong_answer_of_ours_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    right = scene_own.function_of("boxes.nms")
    monkeypatch.setattr(scene_own, "function_of", lambda name: lambda **given: right(**given)[::-1])
    row = own_rows.measure_scenes("boxes.nms", ["float64"])
    assert row.verdict == "fail" and row.failed > 5 and "got" not in row.worst[0].got
    report = own.check(["boxes.nms"], [], ["float64"])
    assert not report.passed and report.rows[0].backend == "core"


def test_own_check_takes_functions_by_name() -> None:
    report = own.check(["mining.ohem"], ["core"], [])
    assert report.passed and [row.loss for row in report.rows] == ["mining.ohem"]
    assert own.check([], ["core"], ["float16"]).cases == 0


DAMAGED = [
    ("{", "is damaged"),
    ("[]", "no scene file"),
    ('{"schema": 1, "interpretation": 1}', "no scene file"),
    ('{"schema": 9, "interpretation": 1, "function": "a.b"}', "has schema 9"),
    ('{"schema": 1, "interpretation": 7, "function": "a.b"}', "has interpretation 7"),
    ('{"schema": 1, "interpretation": 1, "function": "a.b"}', "is damaged"),
]


@pytest.mark.parametrize(("text", "sentence"), DAMAGED)
def test_damaged_files(text: str, sentence: str, tmp_path: pathlib.Path) -> None:
    path = tmp_path / "assign.max_iou.json"
    path.write_text(text, "utf-8")
    with pytest.raises(VectorError, match=sentence) as caught:
        load_file(path)
    assert "assign.max_iou.json" in str(caught.value) and "\n" not in str(caught.value)


def damage(data: Any, how: str) -> None:
    scene = data["scenes"][0]
    if how == "ragged":
        scene["inputs"]["priors"][0].pop()
    elif how == "not hex":
        scene["inputs"]["priors"][0][0] = "ten"
    elif how == "no input":
        del scene["inputs"]["priors"]
    elif how == "another part":
        scene["expected"] = {"index": [0]}
    elif how == "not ours first":
        scene["allowed"] = [{"gt_index": [5]}, scene["expected"]]
    elif how == "flag":
        scene["flags"] = ["never_heard_of"]
    elif how == "deviation":
        scene["deviations"][0]["names"] = ["never_heard_of"]
    elif how == "dtype":
        scene["dtypes"] = ["float8"]


@pytest.mark.parametrize("how", ["ragged", "not hex", "no input", "another part", "not ours first", "flag", "deviation", "dtype"])
def test_damaged_scenes(how: str, tmp_path: pathlib.Path) -> None:
    data = written("assign.max_iou")
    path = tmp_path / "assign.max_iou.json"
    path.write_text(json.dumps(data), "utf-8")
    assert load_file(path).scenes
    damage(data, how)
    path.write_text(json.dumps(data), "utf-8")
    with pytest.raises(VectorError, match=r"is damaged"):
        load_file(path)


def test_a_missing_or_huge_file(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(VectorError, match="cannot read"):
        load_file(tmp_path / "none.json")
    monkeypatch.setattr(scenes, "LARGEST_FILE", 10)
    with pytest.raises(VectorError, match="more than 10"):
        load_file(FOLDER / "assign.max_iou.json")


def test_too_near_a_threshold_is_refused() -> None:
    """An IoU a few ulp beside 0.5; exactly at it is fine."""
    for height, fine in ((5.0, True), (5.0 + 2.0**-17, False), (5.0 + 2.0**-10, True)):
        scene = max_iou_scene("near", priors=[(0, 0, 10, 10)], boxes=[(0, 0, 10, height)])
        if fine:
            assert answered(max_iou_function([scene]), scene).at_threshold == (height == 5)
        else:
            with pytest.raises(ValueError, match="a decision hangs on"):
                answered(max_iou_function([scene]), scene)


def test_every_way_of_breaking_ties() -> None:
    def two_ties(d: Decisions) -> dict[str, Any]:
        return {"found": [d.best("ab", lambda _: 1), d.best("xyz", lambda _: 2)]}

    found = every_answer(two_ties)
    assert found.allowed[0] == {"found": ["a", "x"]} and len(found.allowed) == 6 and found.nearest is None


def test_offered_arrays() -> None:
    assert iou((0, 0, 10, 10), (0, 0, 10, 4)) == Fraction(2, 5) and iou((3, 3, 3, 3), (3, 3, 3, 3)) == 0
    table = matrix(np.array([[0.0, 0, 10, 4]]), np.array([[0.0, 0, 10, 10], [20, 0, 30, 10]]), "float32")
    assert table.dtype == np.float32 and table.tolist() == [[float(np.float32(0.4)), 0.0]]
    file = load("assign.max_iou")
    scene = next(one for one in file.scenes if one.id.endswith("/two_truths"))
    given = offer(file, scene, "float64", ["iou_matrix", "iou_matrix_transposed", "gt_labels", "priors_cxcywh", "gt_boxes_yxyx"])
    assert given["iou_matrix"].shape == (2, 4) and np.array_equal(given["iou_matrix"].T, given["iou_matrix_transposed"])
    assert given["gt_labels"].tolist() == [0, 1] and given["priors_cxcywh"][1].tolist() == [12, 4, 8, 8]
    assert given["gt_boxes_yxyx"][0].tolist() == [0, 8, 7, 16]


def test_answers_in_other_forms() -> None:
    file, nms = load("assign.yolov2"), load("boxes.nms")
    assert answer(np.array([0, -1, 2]), file, {}, Codes())["gt_index"] == [0, -1, 2]
    assert answer(np.array([[4, 1]]), file, {}, Codes(first=1)) == {"pairs": [[4, 0]]}
    assert answer((np.array([1.0, 0.0, -1.0]), [[0, 1]]), file, {}, Codes(0, -1, 1)) == {"gt_index": [0, -1, -2], "pairs": [[0, 0]]}
    assert answer(np.array([True, False, True]), nms, {"scores": np.array([0.1, 0.2, 0.3])}, Codes()) == {"indices": [2, 0]}
    assert answer(np.array([7]), load("assign.ssd"), {}, Codes(first=8, negative=0))["gt_index"][0] < -2
    for wrong in ("text", None, np.zeros((2, 3)), np.array([0.5])):
        with pytest.raises(NoAnswer):
            answer(wrong, load("assign.ssd"), {}, Codes())


def test_numbers_are_compared_by_row() -> None:
    wanted = [["1.0", "1000.0"], ["0.0", "2.0"]]
    assert worst_error([[1.0, 1000.0], [0.0, 2.0]], wanted, "float64") == 0
    assert worst_error([[1.0 + 2.0**-42, 1000.0], [0.0, 2.0]], wanted, "float64") == pytest.approx(1.024, rel=0.01)
    assert worst_error([[1.0, 1000.0]], wanted, "float64") == worst_error([[1.0, np.nan], [0, 2]], wanted, "float64") == np.inf


@pytest.mark.parametrize("name", NAMES)
def test_show_and_list(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    from rich.console import Console

    console = Console(width=160)
    assert show_loss(console, name) == 0 and list_losses(console) == 0
    out = capsys.readouterr().out
    assert name in out and "known deviations" in out and "an example" in out and "arrays for --map" in out

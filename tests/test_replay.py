"""`refloss replay`: the original code's recordings, and what happens to files that are none."""

import json
import pathlib
from typing import Any

import pytest

from refloss_conformance import replay
from refloss_conformance.cli import main
from refloss_conformance.errors import UsageError

FILES = sorted(replay.FOLDER.glob("*.json"))
CASES = [(path.name, k) for path in FILES for k in range(len(json.loads(path.read_text())))]


def case(name: str, k: int = 0) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((replay.FOLDER / name).read_text())[k]
    return found


def test_there_are_recordings_of_all_five() -> None:
    assert [path.stem for path in FILES] == ["scaled_yolov4", "yolov1", "yolov2", "yolov3", "yolov4"]
    assert len(CASES) == 26


@pytest.mark.parametrize(("name", "k"), CASES)
def test_the_criterion_does_what_the_original_did(name: str, k: int) -> None:
    found = replay.replay(case(name, k), name)
    assert found.passed, found
    assert found.delta < 1e-6  # float32 printed: rules followed in float64 agree to 7e-7
    assert found.cost < 1e-6


@pytest.mark.parametrize("name", [path.name for path in FILES])
def test_a_changed_number_is_seen(name: str) -> None:
    changed = case(name)
    changed["delta"][7] += 1e-5
    assert not replay.replay(changed, name).passed
    changed = case(name)
    changed["cost"] *= 1 + 1e-5
    assert not replay.replay(changed, name).passed


def test_the_command(tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> None:
    good, bad = case("yolov1.json"), case("yolov1.json", 1)
    bad["delta"][7] += 0.5
    good_file, bad_file, out = tmp_path / "good.json", tmp_path / "bad.json", tmp_path / "out.json"
    good_file.write_text(json.dumps([good]))
    bad_file.write_text(json.dumps([bad]))
    assert main(["replay", str(good_file)]) == 0
    assert main(["replay", str(good_file), str(bad_file), "--json", str(out)]) == 1
    shown = capsys.readouterr().out
    assert "all passed" in shown
    assert "1 failed" in shown
    document = json.loads(out.read_text())
    assert [one["passed"] for one in document["cases"]] == [True, False]
    assert "class score 7 of image 0" in document["cases"][1]["where"]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"system": "yolov9"}, "unknown system 'yolov9'; there are yolov1, yolov2"),
        ({"params": {}}, r"is damaged \(KeyError"),
        ({"truth": None}, r"is damaged \(TypeError"),
        ({"raw": [1.0]}, "raw has 1 numbers, its shape"),
        ({"cost": "much"}, r"is damaged \(ValueError"),
    ],
)
def test_damaged_cases(change: dict[str, Any], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        replay.replay({**case("yolov3.json"), **change}, "file")


def test_settings_that_are_not_covered() -> None:
    other = case("yolov3.json")
    other["params"]["truth_thresh"] = 0.9
    with pytest.raises(UsageError, match=r"truth_thresh=0.9 is not covered; only 1.0 is"):
        replay.replay(other, "file")


@pytest.mark.parametrize(
    ("text", "says"),
    [("[", "is damaged: it is cut short"), ("{}", "is a list of cases"), ("[]", "is a list of cases"), ("[1]", "is a list of cases")],
)
def test_files_that_are_none(tmp_path: pathlib.Path, text: str, says: str, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "file.json"
    path.write_text(text)
    assert main(["replay", str(path)]) == 2
    assert says in capsys.readouterr().err
    assert main(["replay", str(tmp_path / "absent.json")]) == 2

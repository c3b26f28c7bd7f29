"""Golden scenes as files: what is written, right and wrong answers from elsewhere, and everything that can be wrong with them."""

import json
import pathlib
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import jsonschema
import pytest

import refloss_conformance
from refloss.boxes import nms
from refloss_conformance import cli, folders, scene_exchange, scenes
from refloss_conformance.answers import check
from refloss_conformance.errors import UsageError
from refloss_conformance.exchange import export
from refloss_conformance.jsonable import dumps

SCHEMAS = pathlib.Path(refloss_conformance.__file__).parent / "schema"
PAGE = pathlib.Path(__file__).parents[1] / "conformance" / "README.md"
Scene = Mapping[str, Any]


def loaded(path: pathlib.Path) -> Any:
    return json.loads(path.read_text("utf-8"))


def valid(name: str, document: Any) -> None:
    jsonschema.Draft202012Validator(loaded(SCHEMAS / name)).validate(document)


def golden(function: str) -> dict[str, Any]:
    """The file itself, with its scenes by id."""
    data = loaded(scenes.FOLDER / f"{function}.json")
    return {**data, "scenes": {one["id"]: one for one in data["scenes"] if "withdrawn" not in one}}


def written(answer: Any) -> Any:
    """An answer of the golden file as somebody writes it: numbers for decimal texts."""
    if isinstance(answer, dict):
        return {name: written(part) for name, part in answer.items()}
    return [written(one) for one in answer] if isinstance(answer, list) else float(answer) if isinstance(answer, str) else answer


def right(scene: Scene, dtype: str) -> Any:
    return written(scene["expected"])


def answer(folder: pathlib.Path, give: Callable[[Scene, str], Any] = right) -> None:
    manifest = loaded(folder / "manifest.json")
    truth = golden(manifest["function"])["scenes"]
    for batch in manifest["batches"]:
        document = {"results": [give(truth[one], batch["dtype"]) for one in batch["ids"]]}
        valid("answers.json", document)
        (folder / "answers" / f"{batch['name']}.json").write_text(json.dumps(document))


def checked(folder: pathlib.Path) -> dict[str, Any]:
    report = check(folder)
    valid("report.json", json.loads(dumps(report)))
    return report


def lost(report: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [(one["status"], one["reason"]) for one in report["unanswered"]]


# Who is right, and who is not.


@pytest.mark.parametrize("function", scenes.names())
def test_right_answers(function: str, tmp_path: pathlib.Path) -> None:
    said = export(tmp_path / "out", function)
    assert f"{len(golden(function)['scenes'])} scenes of {function} (float32, float64)" in said and "refloss check" in said
    answer(tmp_path / "out")
    (tmp_path / "out" / "answers" / "about.json").write_text('{"name": "mine", "version": "2", "language": "Ada"}')
    report = checked(tmp_path / "out")
    assert report["passed"] and report["known"] == "right" and report["unanswered"] == report["failures"] == report["troubles"] == []
    assert (report["via"], report["arrays"], report["interpretation"]) == ("files", "json", 1)
    assert (report["package"], report["version"], report["language"]) == ("mine", "2", "Ada")
    assert report["cases"] == sum(len(one["dtypes"]) for one in golden(function)["scenes"].values())
    assert {group["status"] for group in report["groups"]} == {"run"} and report["answered"] == list(golden(function)["answer"])
    assert sum(group["cases"] for group in report["groups"]) == len(golden(function)["scenes"])


@pytest.mark.parametrize("function", scenes.names())
def test_what_every_known_mistake_answers_is_named(function: str, tmp_path: pathlib.Path) -> None:
    export(tmp_path / "out", function)

    def mistaken(scene: Scene, dtype: str) -> Any:
        for one in scene["deviations"]:
            if name in one["names"] and dtype in one.get("dtypes", scene["dtypes"]):
                return {"errored": True, "message": "IndexError"} if one["answer"] is None else written(one["answer"])
        return right(scene, dtype)

    for name in golden(function)["deviations"]:
        answer(tmp_path / "out", mistaken)
        report = checked(tmp_path / "out")
        assert not report["passed"] and report["known"] == "named", name
        told = {each for one in report["deviations"] if one["complete"] for each in one["names"]}
        assert name in told | {one["name"] for one in report["findings"]}, name


def test_every_answer_that_a_tie_allows_is_right(tmp_path: pathlib.Path) -> None:
    export(tmp_path / "out", "assign.max_iou")
    answer(tmp_path / "out", lambda scene, dtype: written(scene.get("allowed", [scene["expected"]])[-1]))
    report = checked(tmp_path / "out")
    assert report["passed"] and [one["name"] for one in report["findings"]] == ["ties_broken_otherwise"]


def test_a_wrong_answer_that_nobody_knows(tmp_path: pathlib.Path) -> None:
    export(tmp_path / "out", "boxes.nms", ("float32",))
    answer(tmp_path / "out", lambda scene, dtype: {"indices": [17]})
    report = checked(tmp_path / "out")
    assert report["known"] == "unknown" and report["failed"] == report["cases"] == len(report["failures"])
    assert {one["error_eps"] for one in report["failures"]} == {float("inf")} and report["worst"][0]["got"] == {"indices": [17]}


def test_some_of_the_parts_are_enough(tmp_path: pathlib.Path) -> None:
    export(tmp_path / "out", "assign.yolov3")
    answer(tmp_path / "out", lambda scene, dtype: {"pairs": scene["expected"]["pairs"][::-1]})
    report = checked(tmp_path / "out")
    assert report["passed"] and report["answered"] == ["pairs"]


def test_the_notebook_on_the_page(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    export("FOLDER", "boxes.nms")
    (code,) = (one for one in re.findall(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL) if "my_nms" in one)
    exec(code, {"my_nms": lambda **given: nms(**given).tolist()})
    assert checked(tmp_path / "FOLDER")["passed"]


# What is written.


def plain(kind: str, values: Any) -> Any:
    """Inputs of the golden file as they are exported."""
    if isinstance(values, list):
        return [plain(kind, one) for one in values]
    if isinstance(values, dict):
        return {**values, "shapes": plain("floats", values["shapes"])}
    return float.fromhex(values) if isinstance(values, str) and kind != "plain" else values


@pytest.mark.parametrize("function", ["assign.yolov2", "mining.ohem", "boxes.batched_nms", "priors.ssd_default_boxes", "assign.fcos"])
def test_what_is_exported(function: str, tmp_path: pathlib.Path) -> None:
    folder, truth = tmp_path / "out", golden(function)
    export(folder, function)
    manifest = loaded(folder / "manifest.json")
    valid("export.json", manifest)
    assert sorted(str(one.relative_to(folder)) for one in folder.rglob("*")) == [
        "README.txt", "answers", "inputs", "inputs/float32.json", "inputs/float64.json", "manifest.json",
    ]  # fmt: skip
    assert manifest["inputs"] == truth["inputs"] and list(manifest["answer"]) == list(truth["answer"])
    for batch in manifest["batches"]:
        text = (folder / "inputs" / f"{batch['name']}.json").read_text("utf-8")
        given = json.loads(text)
        assert (given["function"], given["dtype"], [one["id"] for one in given["scenes"]]) == (function, batch["dtype"], batch["ids"])
        assert sorted(batch["ids"]) == sorted(one for one, scene in truth["scenes"].items() if batch["dtype"] in scene["dtypes"])
        assert text.count('\n{"id": ') == len(batch["ids"])  # one a line, for who has no parser
        for one in given["scenes"]:
            scene = truth["scenes"][one["id"]]
            assert one["parameters"] == scene["parameters"]
            assert one["inputs"] == {name: plain(truth["inputs"][name]["kind"], value) for name, value in scene["inputs"].items()}
    guide = (folder / "README.txt").read_text("utf-8")
    assert function in guide and all(f"{name}: " in guide and one["description"] in guide for name, one in truth["answer"].items())
    export(tmp_path / "again", function)
    for path in (one for one in folder.rglob("*") if one.is_file()):
        assert path.read_bytes() == (tmp_path / "again" / path.relative_to(folder)).read_bytes()


def test_parameters_and_dtypes_choose(tmp_path: pathlib.Path) -> None:
    export(tmp_path / "out", "assign.max_iou", ("float64",), {"dialect": "mmdet"})
    answer(tmp_path / "out")
    report = checked(tmp_path / "out")
    assert report["passed"] and [one["dtype"] for one in report["dtypes"]] == ["float64"]
    groups = [(one["parameters"]["dialect"], one["status"]) for one in report["groups"]]
    assert {status for dialect, status in groups if dialect == "mmdet"} == {"run"}
    assert {status for dialect, status in groups if dialect != "mmdet"} == {"skipped"}
    assert all(one["reason"].endswith(": it was not exported") for one in report["groups"] if one["status"] == "skipped")


WRONG_EXPORTS: list[tuple[tuple[Any, ...], str]] = [
    (("assign.max_iou", ("float16",)), "--dtype float16: only float32, float64"),
    (("assign.max_iou", (), {"beta": 1}), "assign.max_iou has no parameter 'beta', it has positive_threshold"),
    (("assign.max_iou", (), {"dialect": "yours"}), "no golden scenes of assign.max_iou have dialect='yours'"),
    (("assign.min_iou",), "assign.min_iou"),
]


@pytest.mark.parametrize(("given", "says"), WRONG_EXPORTS)
def test_exports_with_a_mistake(given: tuple[Any, ...], says: str, tmp_path: pathlib.Path) -> None:
    with pytest.raises(UsageError, match=says):
        export(tmp_path / "out", *given)
    assert not list(tmp_path.iterdir())


def test_nothing_is_half_written(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "mine.txt").write_text("mine")
    with pytest.raises(UsageError, match="is not empty; name a new folder"):
        export(tmp_path / "mine", "boxes.nms")

    def full_disk(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(folders, "as_text", full_disk)  # the inputs are written by then
    with pytest.raises(UsageError, match="No space left"):
        export(tmp_path / "out", "boxes.nms")
    assert [one.name for one in tmp_path.rglob("*")] == ["mine", "mine.txt"]


# Answers that are not all there.


@pytest.fixture
def folder(tmp_path: pathlib.Path) -> pathlib.Path:
    """An export with the right answers."""
    export(tmp_path / "out", "assign.max_iou", (), {"dialect": "paper"})
    answer(tmp_path / "out")
    return tmp_path / "out"


def change(path: pathlib.Path, **changes: Any) -> None:
    path.write_text(json.dumps({**loaded(path), **changes}))


def test_missing_answers_are_unanswered_and_not_right(folder: pathlib.Path) -> None:
    count = checked(folder)["cases"]
    (folder / "answers" / "float64.json").unlink()
    path = folder / "answers" / "float32.json"
    results = loaded(path)["results"]
    change(path, results=[None, *results[1:]])
    report = checked(folder)
    ids = {batch["dtype"]: batch["ids"] for batch in loaded(folder / "manifest.json")["batches"]}
    assert [one["id"] for one in report["unanswered"]] == [ids["float32"][0], *ids["float64"]]
    assert {one["status"] for one in report["unanswered"]} == {"missing"} and "answers/float64.json" in lost(report)[-1][1]
    assert not report["passed"] and report["failures"] == [] and report["deviations"] == []
    assert (report["cases"], report["failed"]) == (count, 1 + len(ids["float64"]))


def test_missing_answers_do_not_hide_a_mistake(folder: pathlib.Path) -> None:
    answer(folder, lambda scene, dtype: {"gt_index": [max(code, -1) for code in scene["expected"]["gt_index"]]})
    path = folder / "answers" / "float32.json"
    change(path, results=[None] * 9 + loaded(path)["results"][9:])
    report = checked(folder)
    assert [one["names"] for one in report["deviations"]] == [["ignored_as_background"]] and report["deviations"][0]["complete"]
    assert len(report["unanswered"]) == 9


def test_what_is_left_out_on_purpose_is_no_failure(folder: pathlib.Path) -> None:
    (folder / "answers" / "float64.json").unlink()
    skip = {"id": "assign.max_iou/*", "dtype": "float64", "reason": "no float64 on this device", "link": "https://example.org"}
    (folder / "answers" / "about.json").write_text(json.dumps({"skipped": [skip]}))
    path = folder / "answers" / "float32.json"
    change(path, results=[{"skipped": True, "reason": "mine"}, *loaded(path)["results"][1:]])
    report = checked(folder)
    assert report["passed"] and {(one["status"], one["reason"], one["link"]) for one in report["unanswered"]} == {
        ("skipped", skip["reason"], skip["link"]), ("skipped", "mine", None),
    }  # fmt: skip
    (folder / "answers" / "about.json").write_text(json.dumps({"skipped": [{**skip, "dtype": "float32"}]}))
    assert not checked(folder)["passed"]


def test_all_left_out_on_purpose_is_told_and_no_pass(folder: pathlib.Path) -> None:
    answer(folder, lambda scene, dtype: {"skipped": True, "reason": "not today"})
    report = checked(folder)
    assert report["cases"] == 0 and not report["passed"] and set(lost(report)) == {("skipped", "not today")}
    reasons = {one["reason"].rpartition(": ")[2] for one in report["groups"]}
    assert reasons == {"not today", "it was not exported"} and {one["status"] for one in report["groups"]} == {"skipped"}


MISSHAPEN: list[tuple[str, Any, str]] = [
    ("assign.max_iou", {"gt_index": [0]}, r"gt_index is 1 long, not \d+"),
    ("assign.max_iou", {"gt_index": 0}, "gt_index is 0, not a list"),
    ("assign.max_iou", {"indices": [0]}, 'an answer holds "indices", and there is gt_index'),
    ("assign.max_iou", {}, "an answer is empty, without gt_index"),
    ("assign.max_iou", {"value": 0.5, "gradient": [0.5]}, 'an answer holds "value"'),
    ("assign.yolov3", {"pairs": [[0, 1, 2]]}, "a pair of pairs is 3 long, not 2"),
    ("boxes.nms", {"indices": [0.5]}, "indices holds 0.5, which is no integer"),
    ("boxes.nms", {"indices": ["0"]}, 'indices holds "0", which is no integer'),
    ("mining.ohem", {"mask": [1]}, r"mask is 1 long, not \d+"),
    ("priors.yolo_priors", {"priors": [[0.5]]}, r"a row of priors is 1 long, not 5"),
    ("priors.yolo_priors", {"priors": [["__import__('os')"] * 5]}, "which is no number"),
]


@pytest.mark.parametrize(("function", "result", "says"), MISSHAPEN)
def test_a_misshapen_answer_costs_only_itself(function: str, result: Any, says: str, tmp_path: pathlib.Path) -> None:
    export(tmp_path / "out", function, ("float64",))
    first = loaded(tmp_path / "out" / "manifest.json")["batches"][0]["ids"][0]
    answer(tmp_path / "out", lambda scene, dtype: result if scene["id"] == first else right(scene, dtype))
    report = checked(tmp_path / "out")
    assert [(one["id"], one["status"]) for one in report["unanswered"]] == [(first, "misshapen")]
    assert re.search(says, lost(report)[0][1]) and (report["failed"], report["failures"], report["passed"]) == (1, [], False)


def test_numbers_that_are_odd_are_wrong(tmp_path: pathlib.Path) -> None:
    export(tmp_path / "out", "priors.yolo_priors", ("float64",))
    for odd in ("nan", "-inf", 10**400, -(10**30), 1e-300):
        answer(tmp_path / "out", lambda scene, dtype, odd=odd: {"priors": [[odd, *row[1:]] for row in right(scene, dtype)["priors"]]})
        report = checked(tmp_path / "out")
        assert report["failed"] == report["cases"] and report["unanswered"] == []


# Answers that are none.


FILES: list[tuple[str, Any, str]] = [
    ("float16.json", "{}", r"float16.json answers nothing of this export; did you mean float"),
    ("float32.npy", "", r"float32.npy answers nothing of this export"),
    ("float32.json", "{", "is damaged: it is cut short"),
    ("float32.json", "", "is no JSON: it is empty"),
    ("float32.json", b"\x80\x04cos\n", "a pickle, which is never loaded"),
    ("float32.json", b"\xff\xfe{", "UTF-16"),
    ("float32.json", "[" * 100_000, "nested 100000 deep"),
    ("float32.json", "[1]", r"\[1\] is not of type 'object'"),
    ("float32.json", '{"values": [1]}', "'values' was unexpected|'results' is a required property"),
    ("float32.json", '{"results": [5]}', "results/0: 5 is not of type 'object', 'null'"),
    ("float32.json", '{"results": [NaN]}', "has NaN, which is no JSON"),
    ("float32.json", '{"results": [{"gt_index": [0], "gt_index": [1]}]}', "has 'gt_index' twice in one object"),
    ("float32.json", '{"results": [null, null]}', r"results has 2 entries for \d+ scenes; null stands for"),
    ("float32.json", '{"results": [], "ids": ["a"]}', "its ids are not those of the scenes, in their order"),
    ("about.json", '{"nmae": "x"}', "about.json: .*'nmae' was unexpected"),
]


@pytest.mark.parametrize(("name", "content", "says"), FILES)
def test_files_that_are_no_answers(name: str, content: Any, says: str, folder: pathlib.Path) -> None:
    (folder / "answers" / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(UsageError, match=says) as caught:
        check(folder)
    assert "\n" not in str(caught.value)


def test_no_answers_at_all(tmp_path: pathlib.Path) -> None:
    export(tmp_path / "out", "boxes.nms")
    says = r"there are no answers in .*answers; README\.txt says what to put there"
    with pytest.raises(UsageError, match=says):
        check(tmp_path / "out")
    answer(tmp_path / "out", lambda scene, dtype: None)
    with pytest.raises(UsageError, match=says):
        check(tmp_path / "out")
    (tmp_path / "out" / "answers" / ".DS_Store").write_bytes(b"\x00")
    answer(tmp_path / "out")
    assert checked(tmp_path / "out")["passed"]


def edited(manifest: dict[str, Any], how: str) -> None:
    first = manifest["batches"][0]
    if how == "id":
        first["ids"][0] = "assign.max_iou/gone"
    elif how == "order":
        first["ids"].reverse()
    elif how == "fewer":
        first["ids"].pop()
    elif how == "twice":
        manifest["batches"][1] = {**first, "ids": [*first["ids"]]}
    elif how == "sum":
        first["sha256"] = "0" * 64
    elif how == "dtype":
        first["dtype"] = "float64"
    elif how == "name":
        first["name"] = "float64"
    else:
        manifest["function"] = "assign.ssd"


@pytest.mark.parametrize("how", ["id", "order", "fewer", "twice", "sum", "dtype", "name", "function"])
def test_a_changed_export_is_refused(how: str, folder: pathlib.Path) -> None:
    manifest = loaded(folder / "manifest.json")
    edited(manifest, how)
    (folder / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(UsageError, match="is not what this version's scenes hold; export again, and compute again"):
        check(folder)


@pytest.mark.parametrize(
    ("key", "value", "says"),
    [
        ("interpretation", 2, "interpretation is 2, this version of refloss knows 1; export again"),
        ("schema", 2, "schema is 2, this version of refloss knows 1; export again"),
        ("function", "assign.other", "there is no function 'assign.other' with golden scenes"),
        ("function", "../secrets", 'function: "../secrets" does not match'),
        ("batches", [], "batches: "),
    ],
)
def test_other_exports_are_refused(key: str, value: Any, says: str, folder: pathlib.Path) -> None:
    change(folder / "manifest.json", **{key: value})
    with pytest.raises(UsageError, match=says):
        check(folder)


def test_changed_inputs_are_refused_and_lost_ones_are_not(folder: pathlib.Path) -> None:
    path = folder / "inputs" / "float32.json"
    path.write_text(path.read_text().replace("8.0", "9.0", 1))
    with pytest.raises(UsageError, match=r"float32.json was changed after the export"):
        check(folder)
    path.unlink()
    assert checked(folder)["passed"]


def test_a_withdrawn_scene_asks_for_a_new_export(folder: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = scenes.load("assign.max_iou")
    narrower = scenes.Scene(**{**vars(file.scenes[0]), "dtypes": ("float64",)})
    for changed in (file.scenes[1:], (narrower, *file.scenes[1:])):
        other = scenes.Scenes(**{**vars(file), "scenes": changed})
        monkeypatch.setattr(scene_exchange, "load", lambda name, other=other: other)
        with pytest.raises(UsageError, match="export again"):
            check(folder)
    more = scenes.Scenes(**{**vars(file), "scenes": (*file.scenes, scenes.Scene(**{**vars(file.scenes[0]), "id": "assign.max_iou/new"}))})
    monkeypatch.setattr(scene_exchange, "load", lambda name: more)
    assert checked(folder)["passed"]


# The command.


def test_the_command(tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder, report = str(tmp_path / "out"), tmp_path / "report.json"
    assert cli.main(["export", folder, "--as", "boxes.nms", "--param", "kind=iou", "--dtype", "float64"]) == 0
    assert cli.main(["check", folder]) == 2
    assert "README.txt says what to put there" in capsys.readouterr().err
    answer(tmp_path / "out", lambda scene, dtype: None if scene["id"].endswith("one_of_two") else right(scene, dtype))
    assert cli.main(["check", folder, "--json", str(report)]) == 1
    said = capsys.readouterr().out
    assert "missing 1 cases, first boxes.nms/one_of_two: there is no answer to it in answers/float64.json" in said
    assert "1 of the others were not given (float64): does not conform" in said and "()" not in said
    valid("report.json", loaded(report))
    assert loaded(report)["command"].startswith("refloss check ")
    answer(tmp_path / "out")
    forms = [f"--{form}={tmp_path / form}" for form in ("markdown", "html", "junit", "badge")]
    assert cli.main(["check", folder, "--json", "-", *forms]) == 0
    assert json.loads(capsys.readouterr().out)["via"] == "files"
    for option, says in (("--tier=training", "boxes.nms answers with integers"), ("--dtype=float32", "was settled by refloss export")):
        assert cli.main(["check", folder, option]) == 2
        assert says in capsys.readouterr().err


def test_expectations(tmp_path: pathlib.Path) -> None:
    export(tmp_path / "out", "boxes.nms", ("float64",))
    answer(tmp_path / "out", lambda scene, dtype: None if scene["id"].endswith("one_of_two") else right(scene, dtype))
    folder, file = str(tmp_path / "out"), str(tmp_path / "known.toml")
    assert cli.main(["check", folder, "--write-expect", file]) == 1
    assert cli.main(["check", folder, "--expect", file]) == 0
    answer(tmp_path / "out")
    assert cli.main(["check", folder, "--expect", file]) == 1  # stale


@pytest.mark.parametrize("how", [".", "link"])
def test_an_empty_folder_is_filled(how: str, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The working directory, and a link to one, are left what they are."""
    (tmp_path / "out").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "out")
    monkeypatch.chdir(tmp_path / "out")
    assert cli.main(["export", "." if how == "." else str(tmp_path / "link"), "--as", "boxes.nms"]) == 0
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"README.txt", "manifest.json", "inputs", "answers"}
    assert (tmp_path / "link").is_symlink() and pathlib.Path.cwd() == tmp_path / "out"


@pytest.mark.parametrize("at", [0, 1, 2, 3])
def test_an_existing_folder_is_filled_whole_or_not_at_all(at: int, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An interruption leaves it empty, and what a kill has left there is no obstacle; what appears meanwhile is not overwritten."""
    out = tmp_path / "out"
    (out / ".refloss.killed").mkdir(parents=True)
    replace, calls = pathlib.Path.replace, iter(range(99))

    def interrupted(self: pathlib.Path, target: pathlib.Path) -> pathlib.Path:
        if next(calls) == at:
            raise KeyboardInterrupt
        return replace(self, target)

    monkeypatch.setattr(pathlib.Path, "replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        export(out, "boxes.nms")
    assert [path.name for path in out.iterdir()] == [".refloss.killed"]
    monkeypatch.undo()

    def appears() -> Iterator[tuple[str, str]]:
        yield "manifest.json", "{}"
        (out / "manifest.json").write_text("mine")

    with pytest.raises(UsageError, match=r"manifest.json is there already"):
        folders.write(out, appears())
    assert (out / "manifest.json").read_text() == "mine" and {path.name for path in out.iterdir()} == {".refloss.killed", "manifest.json"}


@pytest.mark.parametrize("name", ["x" * 300, "a\0b"])
def test_names_that_are_none(name: str) -> None:
    with pytest.raises(UsageError, match="cannot be written"):
        folders.write(name, [])


def test_what_a_terminal_would_obey_is_not_repeated(folder: pathlib.Path) -> None:
    answer(folder)
    (folder / "answers" / "about.json").write_text(json.dumps({"name": "\x1b[31mevil\n", "version": "\x1b[2J"}))
    report = check(folder)
    assert "\x1b" not in json.dumps(report, ensure_ascii=False) and "evil" in report["package"]

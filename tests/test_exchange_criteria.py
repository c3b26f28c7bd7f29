"""Golden criteria as files: what is written, right and wrong answers from elsewhere, and everything that can be wrong with them."""

import json
import math
import pathlib
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from test_exchange_scenes import PAGE, change, checked, loaded, lost, valid

import refloss.criteria
from refloss_conformance import cli, criteria, criteria_exchange, criteria_own
from refloss_conformance.answers import check
from refloss_conformance.errors import UsageError
from refloss_conformance.exchange import export

SSD = "criteria.ssd"
Result = dict[str, Any]
Give = Callable[[Result, str], Any]


def golden(criterion: str) -> dict[str, Any]:
    """The file itself, and its answers by id, each with its scene."""
    data = loaded(criteria.FOLDER / f"{criterion}.json")
    scenes = [one for one in data["scenes"] if "withdrawn" not in one]
    answers = {f"{scene['id']}/{one['setting']}": {**one, "scene": scene} for scene in scenes for one in scene["answers"]}
    return {**data, "cases": {name: {**one, "id": name} for name, one in answers.items()}}


def floats(nested: Any, times: float = 1.0) -> Any:
    if isinstance(nested, dict):
        return {name: floats(one, times) for name, one in nested.items()}
    return [floats(one, times) for one in nested] if isinstance(nested, list) else times * float(nested)


def right(case: Result, dtype: str, times: float = 1.0) -> Result:
    return {"terms": floats(case["terms"], times), "gradient": floats(case["gradient"], times)}


def values_only(case: Result, dtype: str) -> Result:
    return {"terms": floats(case["terms"])}


def total_only(case: Result, dtype: str) -> Result:
    return {"total": math.fsum(map(float, case["terms"].values()))}


def plain(nested: Any) -> Any:
    """As JSON has it: "nan" is a text."""
    if isinstance(nested, dict):
        return {name: plain(one) for name, one in nested.items()}
    return [plain(one) for one in nested] if isinstance(nested, list) else "nan" if nested != nested else nested


def answer(folder: pathlib.Path, give: Give = right) -> None:
    manifest = loaded(folder / "manifest.json")
    cases = golden(manifest["function"])["cases"]
    for batch in manifest["batches"]:
        document = {"results": [plain(give(cases[one], batch["dtype"])) for one in batch["ids"]]}
        valid("answers.json", document)
        (folder / "answers" / f"{batch['name']}.json").write_text(json.dumps(document, allow_nan=False))


def report(folder: pathlib.Path, give: Give = right) -> dict[str, Any]:
    answer(folder, give)
    return checked(folder)


def named(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [dict(zip(one["names"], one["constants"], strict=True)) for one in document["deviations"]]


def divided(document: Mapping[str, Any]) -> dict[str, list[str]]:
    return {term: [one["name"] for one in some] for term, some in document["normalizers"].items()}


# Who is right, and who is not.


@pytest.mark.parametrize("criterion", criteria.names())
def test_right_answers(criterion: str, tmp_path: pathlib.Path) -> None:
    truth = golden(criterion)
    said = export(tmp_path / "out", criterion)
    assert f"{len(truth['cases'])} cases of {criterion} (float32, float64)" in said and "refloss check" in said
    (tmp_path / "out" / "answers" / "about.json").write_text('{"name": "mine", "version": "2", "language": "Ada"}')
    document = report(tmp_path / "out")
    assert document["passed"] and document["known"] == "right"
    assert document["unanswered"] == document["failures"] == document["troubles"] == document["deviations"] == []
    assert (document["report"], document["criterion"], document["answered"]) == ("criteria", criterion, "terms")
    assert (document["via"], document["arrays"], document["gradients"]) == ("files", "json", "returned")
    assert (document["package"], document["version"], document["language"]) == ("mine", "2", "Ada")
    assert document["cases"] == sum(len(one["scene"]["dtypes"]) for one in truth["cases"].values())
    assert {one["id"]: one["status"] for one in document["groups"]} == dict.fromkeys(truth["settings"], "run")
    assert sum(one["cases"] for one in document["groups"]) == len(truth["cases"]) and set(divided(document)) == set(truth["terms"])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_only_one_dtype_as_it_computes(dtype: str, tmp_path: pathlib.Path) -> None:
    """Answers of refloss itself, with the dtype's own rounding."""
    file = criteria.load(SSD)
    cases = {case.id: case for case in file.cases}
    export(tmp_path / "out", SSD, (dtype,))

    def computed(case: Result, dtype: str) -> Result:
        terms, gradient = criteria_own.core(file, cases[case["id"]], dtype)
        return {"terms": floats({**terms}), "gradient": {name: one.tolist() for name, one in gradient.items()}}

    document = report(tmp_path / "out", computed)
    assert document["passed"] and [one["dtype"] for one in document["dtypes"]] == [dtype]


def box_twice(case: Result, dtype: str) -> Result:
    found = right(case, dtype)
    return {"terms": {**found["terms"], "box": 2 * found["terms"]["box"]},
            "gradient": {**found["gradient"], "codes": floats(found["gradient"]["codes"], 2.0)}}  # fmt: skip


def by_images(case: Result, dtype: str) -> Result:
    """Where the setting divides by the positives of the batch."""
    return right(case, dtype, max(1, sum(case["positives"])) / len(case["positives"]))


def by_images_total(case: Result, dtype: str) -> Result:
    return {"total": math.fsum(by_images(case, dtype)["terms"].values())}


def nan_when_empty(case: Result, dtype: str) -> Result:
    return right(case, dtype, 1.0 if any(case["positives"]) else math.nan)


def uphill(case: Result, dtype: str) -> Result:
    return {**right(case, dtype), "gradient": floats(case["gradient"], -1.0)}


def detached(case: Result, dtype: str) -> Result:
    return {**right(case, dtype), "gradient": floats(case["gradient"], 0.0)}


def of_the_paper(case: Result, dtype: str) -> Result:
    return right(next(one for one in case["scene"]["answers"] if one["setting"] == "paper"), dtype)


PAPER = {"dialect": "paper"}
WRONG: list[tuple[str, dict[str, Any], Give, str, float | str | None]] = [
    (SSD, {}, box_twice, "term_times_constant", 2.0),
    (SSD, PAPER, by_images, "batch_size", None),
    (SSD, PAPER, nan_when_empty, "batch_or_nan", None),
    (SSD, {"dialect": "torchvision"}, of_the_paper, "another_setting", "paper"),
    (SSD, PAPER, by_images_total, "batch_size", None),
    ("criteria.fcos", {}, uphill, "gradient_times_constant", -1.0),
    ("criteria.yolov3", {}, detached, "gradient_missing", None),
]


@pytest.mark.parametrize(("criterion", "only", "give", "name", "constant"), WRONG)
def test_wrong_answers_are_named(
    criterion: str, only: dict[str, Any], give: Give, name: str, constant: Any, tmp_path: pathlib.Path
) -> None:  # fmt: skip
    export(tmp_path / "out", criterion, ("float64",), only)
    document = report(tmp_path / "out", give)
    assert {name: constant if constant is None or isinstance(constant, str) else pytest.approx(constant)}.items() <= named(document)[
        0
    ].items()
    assert document["known"] == "named" and not document["passed"] and document["failures"] and not document["unanswered"]


@pytest.mark.parametrize(
    ("criterion", "other", "name"),
    [("criteria.yolov1", {"no_object_weight": 1}, "no_object_weight_missing"), ("criteria.retinanet", {"alpha": 0.75}, "alpha_swapped")],
)
def test_another_loss_is_named(criterion: str, other: dict[str, Any], name: str, tmp_path: pathlib.Path) -> None:
    """refloss itself with another parameter than was asked for."""
    file = criteria.load(criterion)
    cases = {case.id: case for case in file.cases}
    export(tmp_path / "out", criterion, ("float64",), PAPER)

    def computed(case: Result, dtype: str) -> Result:
        mine = cases[case["id"]]
        terms, gradient = criteria_own.core(file, replace(mine, parameters={**mine.parameters, **other}), dtype)
        return {"terms": floats({**terms}), "gradient": {key: one.tolist() for key, one in gradient.items()}}

    document = report(tmp_path / "out", computed)
    assert name in {key for one in named(document) for key in one} and document["known"] == "named" and not document["passed"]


def test_a_wrong_answer_that_nobody_knows(tmp_path: pathlib.Path) -> None:
    export(tmp_path / "out", "criteria.yolov2", ("float32",), {**PAPER, "normalizer": 1})
    document = report(tmp_path / "out", lambda case, dtype: {"terms": dict.fromkeys(case["terms"], float(len(case["id"])))})
    assert document["known"] == "unknown" and document["failed"] == document["cases"] == len(document["failures"])
    assert document["unknown"]["facts"] and {one["what"] for one in document["failures"]} == {"value"}


def test_who_raises_without_objects_is_named(tmp_path: pathlib.Path) -> None:
    export(tmp_path / "out", "criteria.yolov1", ("float64",))
    raises = {"errored": True, "message": "max() of nothing"}
    document = report(
        tmp_path / "out", lambda case, dtype: right(case, dtype) if all(t["gt_labels"] for t in case["scene"]["targets"]) else raises
    )
    assert [one["name"] for one in document["findings"]] == ["raises_without_objects", "raises_with_several_images"]  # no case tells
    assert document["known"] == "named"
    assert set(lost(document)) == {("errored", "max() of nothing")} and not document["failures"]


# Gradients are given in all answers, or in none.


@pytest.mark.parametrize(("give", "answered"), [(values_only, "terms"), (total_only, "total")])
def test_values_without_gradients(give: Give, answered: str, tmp_path: pathlib.Path) -> None:
    export(tmp_path / "out", SSD)
    document = report(tmp_path / "out", give)
    assert document["passed"] and document["answered"] == answered and {one["what"] for one in document["plots"]} == {"value"}
    assert document["gradients"] == "none: there are none in the answers"
    nulls = report(tmp_path / "out", lambda case, dtype: {**give(case, dtype), "gradient": None})
    assert nulls["passed"] and nulls["gradients"] == document["gradients"]


def test_gradients_of_some_answers_only_fail(tmp_path: pathlib.Path) -> None:
    """Who leaves out the wrong ones does not pass; another dtype counts."""
    export(tmp_path / "out", SSD, (), PAPER)
    first = loaded(tmp_path / "out" / "manifest.json")["batches"][0]["ids"][0]
    document = report(tmp_path / "out", lambda case, dtype: (values_only if case["id"] == first else right)(case, dtype))
    assert [(one["id"], one["dtype"]) for one in document["unanswered"]] == [(first, "float32"), (first, "float64")]
    assert {status for status, _ in lost(document)} == {"misshapen"} and "a result has no gradient" in lost(document)[0][1]
    assert (document["failed"], document["passed"], document["gradients"]) == (2, False, "returned")
    document = report(tmp_path / "out", lambda case, dtype: (values_only if dtype == "float32" else right)(case, dtype))
    assert 2 * document["failed"] == document["cases"] and {one["dtype"] for one in document["unanswered"]} == {"float32"}


def test_the_notebook_on_the_page(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    export("FOLDER", SSD)
    (code,) = (one for one in re.findall(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL) if "my_criterion" in one)

    def mine(
        classes: Any, codes: Any, gt_boxes: Any, gt_labels: Any, number_of_classes: int, priors: Any, image_size: Any, **given: Any
    ) -> dict[str, float]:  # fmt: skip
        targets = [{"gt_boxes": a, "gt_labels": b} for a, b in zip(gt_boxes, gt_labels, strict=True)]
        loss = refloss.criteria.SSD(number_of_classes, priors, image_size=image_size, **given)
        return floats(dict(loss({"classes": np.array(classes), "codes": np.array(codes)}, targets)))  # type: ignore[no-any-return]

    exec(code, {"my_criterion": mine, "json": json, "pathlib": pathlib})
    assert checked(tmp_path / "FOLDER")["passed"]


# What is written.


@pytest.mark.parametrize("criterion", [SSD, "criteria.fcos", "criteria.yolov4"])
def test_what_is_exported(criterion: str, tmp_path: pathlib.Path) -> None:
    folder, truth = tmp_path / "out", golden(criterion)
    export(folder, criterion)
    manifest = loaded(folder / "manifest.json")
    valid("export.json", manifest)
    assert sorted(str(one.relative_to(folder)) for one in folder.rglob("*")) == [
        "README.txt", "answers", "inputs", "inputs/float32.json", "inputs/float64.json", "manifest.json",
    ]  # fmt: skip
    assert manifest["outputs"] == truth["outputs"] and manifest["terms"] == truth["terms"]
    assert manifest["config"] == {name.replace("classes", "number_of_classes"): text for name, text in truth["config"].items()}
    for batch in manifest["batches"]:
        text = (folder / "inputs" / f"{batch['name']}.json").read_text("utf-8")
        given = json.loads(text)
        assert (given["function"], given["dtype"], [one["id"] for one in given["cases"]]) == (criterion, batch["dtype"], batch["ids"])
        assert sorted(batch["ids"]) == sorted(name for name, one in truth["cases"].items() if batch["dtype"] in one["scene"]["dtypes"])
        assert text.count('\n{"id": ') == len(batch["ids"])  # one a line, for who has no parser
        for one in given["cases"]:
            case = truth["cases"][one["id"]]
            scene = case["scene"]
            assert one["parameters"] == {**truth["defaults"], **truth["settings"][case["setting"]]}
            assert one["config"] == {
                "number_of_classes": scene["config"]["classes"],
                **{k: v for k, v in scene["config"].items() if k != "classes"},
            }
            truths = {key: [image[key] for image in scene["targets"]] for key in ("gt_boxes", "gt_labels")}
            assert one["inputs"] == {**scene["outputs"], **truths}
    guide = (folder / "README.txt").read_text("utf-8")
    assert criterion in guide and all(f"{name}: {text}" in guide for name, text in manifest["config"].items())
    assert all(one["description"] in guide for one in truth["outputs"].values())
    (example,) = (json.loads(one) for one in re.findall(r'"results": \[(.*), \.\.\.\]', guide))
    assert list(example["terms"]) == list(truth["terms"]) and list(example["gradient"]) == list(truth["outputs"])
    export(tmp_path / "again", criterion)
    for path in (one for one in folder.rglob("*") if one.is_file()):
        assert path.read_bytes() == (tmp_path / "again" / path.relative_to(folder)).read_bytes()


def test_parameters_choose(tmp_path: pathlib.Path) -> None:
    export(tmp_path / "out", SSD, ("float64",), {"dialect": "mmdet", "weights": [10, 10, 5, 5]})
    document = report(tmp_path / "out")
    assert document["passed"] and {one["id"] for one in document["groups"] if one["status"] == "run"} == {"mmdet"}
    assert {one["reason"] for one in document["groups"] if one["status"] == "skipped"} == {"it was not exported"}


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ((SSD, ("float16",)), "--dtype float16: only float32, float64"),
        ((SSD, (), {"sigma": 1}), "criteria.ssd has no parameter 'sigma', it has dialect"),
        ((SSD, (), {"threshold": 0.7}), "no golden values of criteria.ssd have threshold=0.7"),
        (("criteria.yolov9",), "there is no criterion 'criteria.yolov9' with golden values"),
    ],
)
def test_exports_with_a_mistake(given: tuple[Any, ...], says: str, tmp_path: pathlib.Path) -> None:
    with pytest.raises(UsageError, match=says):
        export(tmp_path / "out", *given)
    assert not list(tmp_path.iterdir())


# Answers that are not all there, or of another form.


@pytest.fixture
def folder(tmp_path: pathlib.Path) -> pathlib.Path:
    """An export with the right answers."""
    export(tmp_path / "out", SSD, (), PAPER)
    answer(tmp_path / "out")
    return tmp_path / "out"


def test_missing_answers_are_unanswered_and_not_right(folder: pathlib.Path) -> None:
    count = checked(folder)["cases"]
    (folder / "answers" / "float64.json").unlink()
    path = folder / "answers" / "float32.json"
    change(path, results=[None, *loaded(path)["results"][1:]])
    document = checked(folder)
    ids = {batch["dtype"]: batch["ids"] for batch in loaded(folder / "manifest.json")["batches"]}
    assert [one["id"] for one in document["unanswered"]] == [ids["float32"][0], *ids["float64"]]
    assert set(lost(document)) == {("missing", f"there is no answer to it in answers/{dtype}.json") for dtype in ids}
    assert not document["passed"] and document["failures"] == document["deviations"] == []
    assert (document["cases"], document["failed"]) == (count, 1 + len(ids["float64"]))


def test_missing_answers_do_not_hide_a_mistake(folder: pathlib.Path) -> None:
    answer(folder, by_images)
    path = folder / "answers" / "float32.json"
    change(path, results=[None] * 3 + loaded(path)["results"][3:])
    document = checked(folder)
    assert named(document) == [{"batch_size": None}] and len(document["unanswered"]) == 3


def test_what_is_left_out_on_purpose_is_no_failure(folder: pathlib.Path) -> None:
    (folder / "answers" / "float64.json").unlink()
    skip = {"id": "criteria.ssd/*", "dtype": "float64", "reason": "no float64 on this device", "link": "https://example.org"}
    (folder / "answers" / "about.json").write_text(json.dumps({"skipped": [skip]}))
    path = folder / "answers" / "float32.json"
    change(path, results=[{"skipped": True, "reason": "mine"}, *loaded(path)["results"][1:]])
    document = checked(folder)
    assert document["passed"] and {(one["status"], one["reason"], one["link"]) for one in document["unanswered"]} == {
        ("skipped", skip["reason"], skip["link"]), ("skipped", "mine", None),
    }  # fmt: skip
    (folder / "answers" / "about.json").unlink()
    assert not checked(folder)["passed"]


def test_all_left_out_on_purpose_is_told_and_no_pass(folder: pathlib.Path) -> None:
    document = report(folder, lambda case, dtype: {"skipped": True, "reason": "not today"})
    assert document["cases"] == 0 and not document["passed"] and set(lost(document)) == {("skipped", "not today")}
    assert {one["reason"] for one in document["groups"]} == {"not today", "it was not exported"}


def spoil(**changes: Any) -> Callable[[Result], Any]:
    return lambda found: {name: one for name, one in {**found, **changes}.items() if one != "gone"}


MISSHAPEN: list[tuple[Callable[[Result], Any], str]] = [
    (lambda found: {}, "either terms, whose sum is the loss, or the total alone"),
    (spoil(terms="gone"), "either terms"),
    (spoil(total=0.5), "either terms"),
    (spoil(value=0.5), 'an answer holds "value", and there is terms, total, gradient'),
    (spoil(terms={"box": 0.5}), "terms has no classes"),
    (spoil(terms={"box": 0.5, "bbox": 0.5}), 'terms holds "bbox"'),
    (spoil(terms=[0.5, 0.5]), r"terms is \[0.5, 0.5\], not an object"),
    (spoil(terms={"box": 0.5, "classes": None}), "term classes holds null, which is no number"),
    (spoil(terms={"box": 0.5, "classes": "__import__('os')"}), "which is no number"),
    (spoil(terms={"box": 0.5, "classes": True}), "term classes holds true, which is no number"),
    (spoil(gradient="gone"), "a result has no gradient"),
    (spoil(gradient=None), "gradient is null, not an object with classes, codes"),
    (spoil(gradient=[0.5]), "not an object with classes, codes"),
    (spoil(gradient={"classes": [], "codes": []}), r"a gradient by classes is 0 long along axis 0, where \d+ are wanted"),
    (lambda found: {**found, "gradient": {**found["gradient"], "logits": []}}, 'gradient holds "logits"'),
    (lambda found: {**found, "gradient": {"classes": found["gradient"]["classes"]}}, "gradient has no codes"),
    (lambda found: {**found, "gradient": {**found["gradient"], "codes": [found["gradient"]["codes"]]}}, "gradient by codes is"),
    (lambda found: {**found, "gradient": {**found["gradient"], "codes": 0.0}}, "gradient by codes is 0.0 along axis 0"),
]


@pytest.mark.parametrize(("spoiled", "says"), MISSHAPEN)
def test_a_misshapen_answer_costs_only_itself(spoiled: Callable[[Result], Any], says: str, folder: pathlib.Path) -> None:
    path = folder / "answers" / "float64.json"
    results = loaded(path)["results"]
    change(path, results=[spoiled(results[0]), *results[1:]])
    document = checked(folder)
    first = loaded(folder / "manifest.json")["batches"][0]["ids"][0]
    assert [(one["id"], one["dtype"], one["status"]) for one in document["unanswered"]] == [(first, "float64", "misshapen")]
    assert re.search(says, lost(document)[0][1]) and (document["failed"], document["failures"], document["passed"]) == (1, [], False)


@pytest.mark.parametrize("odd", ["nan", 10**400, -(10**30)], ids=["nan", "huge", "negative"])
def test_numbers_that_are_odd_are_wrong(odd: Any, tmp_path: pathlib.Path) -> None:
    export(tmp_path / "out", "criteria.yolov1", ("float64",), PAPER)
    first = loaded(tmp_path / "out" / "manifest.json")["batches"][0]["ids"][0]

    def give(case: Result, dtype: str) -> Result:
        found = right(case, dtype)
        return {**found, "terms": {**found["terms"], "box": odd}} if case["id"] == first else found

    document = report(tmp_path / "out", give)
    assert [(one["id"], one["what"], one["error_eps"] > 1e9) for one in document["failures"]] == [(first, "value", True)]
    assert not document["unanswered"]


# Folders that are damaged, or another's.


FILES: list[tuple[str, Any, str]] = [
    ("float16.json", "{}", r"float16.json answers nothing of this export; did you mean float"),
    ("float32.json", "{", "is damaged: it is cut short"),
    ("float32.json", b"\x80\x04cos\n", "a pickle, which is never loaded"),
    ("float32.json", "[" * 100_000, "nested 100000 deep"),
    ("float32.json", '{"values": [1]}', "'values' was unexpected|'results' is a required property"),
    ("float32.json", '{"results": [5]}', "results/0: 5 is not of type 'object', 'null'"),
    ("float32.json", '{"results": [NaN]}', "has NaN, which is no JSON"),
    ("float32.json", '{"results": [{"total": 1, "total": 2}]}', "has 'total' twice in one object"),
    ("float32.json", '{"results": [null, null]}', r"results has 2 entries for \d+ cases; null stands for"),
    ("float32.json", '{"results": [], "ids": ["a"]}', "its ids are not those of the cases, in their order"),
    ("about.json", '{"nmae": "x"}', "about.json: .*'nmae' was unexpected"),
]


@pytest.mark.parametrize(("name", "content", "says"), FILES)
def test_files_that_are_no_answers(name: str, content: Any, says: str, folder: pathlib.Path) -> None:
    (folder / "answers" / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(UsageError, match=says) as caught:
        check(folder)
    assert "\n" not in str(caught.value)


def test_no_answers_at_all(tmp_path: pathlib.Path) -> None:
    export(tmp_path / "out", SSD)
    for give in (None, lambda case, dtype: None):
        if give is not None:
            answer(tmp_path / "out", give)
        with pytest.raises(UsageError, match=r"there are no answers in .*answers; README\.txt says what to put there"):
            check(tmp_path / "out")


def test_changed_exports_are_refused(folder: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    good = (folder / "manifest.json").read_text()
    manifest = loaded(folder / "manifest.json")
    first = manifest["batches"][0]
    for wrong in (
        {"ids": first["ids"][::-1]},
        {"ids": ["criteria.ssd/gone", *first["ids"][1:]]},
        {"sha256": "0" * 64},
        {"name": "float64"},
    ):
        change(folder / "manifest.json", batches=[{**first, **wrong}, *manifest["batches"][1:]])
        with pytest.raises(UsageError, match="is not what this version's cases hold; export again, and compute again"):
            check(folder)
    for key, value, says in (
        ("function", "criteria.yolov1", "is not what this version's cases hold"), ("schema", 2, "schema is 2, this version"),
        ("function", "criteria.yolov9", "there is no criterion"), ("function", "criteria.../x", "does not match"),
        ("batches", [], "batches: "),
    ):  # fmt: skip
        (folder / "manifest.json").write_text(good)
        change(folder / "manifest.json", **{key: value})
        with pytest.raises(UsageError, match=says):
            check(folder)
    (folder / "manifest.json").write_text(good)
    file = criteria.load(SSD)
    gone = criteria.Criteria(**{**vars(file), "cases": file.cases[1:]})
    with monkeypatch.context() as patched:
        patched.setattr(criteria_exchange, "load", lambda name: gone)
        with pytest.raises(UsageError, match="export again"):
            check(folder)
    path = folder / "inputs" / "float32.json"
    path.write_text(path.read_text().replace("0.6875", "0.6876", 1))
    with pytest.raises(UsageError, match=r"float32.json was changed after the export"):
        check(folder)
    path.unlink()
    assert checked(folder)["passed"]


# The command.


def test_the_command(tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = str(tmp_path / "out")
    assert cli.main(["export", folder, "--as", SSD, "--param", "dialect=paper", "--dtype", "float64"]) == 0
    assert cli.main(["check", folder]) == 2
    assert "README.txt says what to put there" in capsys.readouterr().err
    first = loaded(tmp_path / "out" / "manifest.json")["batches"][0]["ids"][0]
    answer(tmp_path / "out", lambda case, dtype: None if case["id"] == first else right(case, dtype))
    assert cli.main(["check", folder, "--json", str(tmp_path / "report.json")]) == 1
    said = " ".join(capsys.readouterr().out.split())
    assert f"missing 1 cases, first {first}: there is no answer to it in answers/float64.json" in said and "does not conform" in said
    valid("report.json", loaded(tmp_path / "report.json"))
    known = str(tmp_path / "known.toml")
    assert cli.main(["check", folder, "--write-expect", known]) == 1
    assert cli.main(["check", folder, "--expect", known]) == 0
    answer(tmp_path / "out")
    assert cli.main(["check", folder, "--expect", known]) == 1  # stale
    capsys.readouterr()
    forms = [f"--{form}={tmp_path / form}" for form in ("markdown", "html", "junit", "badge")]
    assert cli.main(["check", folder, "--json", "-", *forms]) == 0
    assert json.loads(capsys.readouterr().out)["via"] == "files"
    assert json.loads((tmp_path / "badge").read_text("utf-8"))["color"] != "red"
    for option, says in (
        ("--tier=training", "--tier is for losses; criteria.ssd is a whole criterion"), ("--min-cases=999", "999"),
        ("--dtype=float32", "was settled by refloss export"),
    ):  # fmt: skip
        code = cli.main(["check", folder, option])
        said = capsys.readouterr()
        assert code in (1, 2) and says in said.err + said.out


def test_float64_alone_in_float32_is_named_and_fails(tmp_path: pathlib.Path) -> None:
    """Where both are answered it is a finding, since float32 is right; alone there is nothing that is."""
    export(tmp_path / "out", "criteria.yolov1", ("float64",))
    rounded = lambda case, dtype: {"terms": {name: float(np.float32(value)) for name, value in right(case, dtype)["terms"].items()}}  # noqa: E731
    document = report(tmp_path / "out", rounded)
    assert [(one["kind"], one["name"]) for one in document["findings"]] == [("deviation", "float64_in_float32")]
    assert not document["passed"] and document["known"] == "named" and document["unknown"] is None


def test_a_gradient_beside_a_skip_asks_for_none(tmp_path: pathlib.Path) -> None:
    export(tmp_path / "out", "criteria.yolov1", ("float64",))
    first = iter([True])
    skip = {"skipped": True, "reason": "not today", "gradient": {}}
    document = report(tmp_path / "out", lambda case, dtype: skip if next(first, False) else values_only(case, dtype))
    assert document["passed"] and len(document["unanswered"]) == 1

"""Export and check of files: what is written, answers from elsewhere in every form, and everything that can be wrong with them."""

import json
import pathlib
import subprocess
import sys
from typing import Any

import file_program
import jsonschema
import numpy as np
import pytest

import refloss_conformance
from refloss_conformance import answers, exchange, npy, vectors
from refloss_conformance.answers import check
from refloss_conformance.errors import UsageError
from refloss_conformance.exchange import export

SCHEMAS = pathlib.Path(refloss_conformance.__file__).parent / "schema"
KINDS = ["l1_loss", "focal_loss_with_integer_labels", "softmax_cross_entropy_with_integer_labels", "giou_loss", "delta_coder.encode"]


def schema(name: str) -> Any:
    return jsonschema.Draft202012Validator(json.loads((SCHEMAS / name).read_text("utf-8")))


def loaded(path: pathlib.Path) -> Any:
    return json.loads(path.read_text("utf-8"))


def golden(loss: str) -> dict[str, Any]:
    """Cases by id, straight from the golden file."""
    return {case["id"]: case for group in loaded(vectors.FOLDER / f"{loss}.json")["groups"] for case in group["cases"]}


def answer(folder: pathlib.Path, loss: str, write: Any) -> None:
    """The golden answers, as `write` puts them."""
    truth = golden(loss)
    for batch in loaded(folder / "manifest.json")["batches"]:
        cases = [truth[one] for one in batch["ids"]]
        write(folder / "answers", batch["name"], [case["value"] for case in cases], [case["gradient"] for case in cases])


def as_texts(place: pathlib.Path, name: str, values: Any, gradients: Any) -> None:
    (place / f"{name}.json").write_text(json.dumps({"values": values, "gradients": gradients}))


def as_flat_numbers(place: pathlib.Path, name: str, values: Any, gradients: Any) -> None:
    def flat(nested: Any) -> list[Any]:
        numbers = np.array(nested, np.float64).ravel().tolist()
        return [x if np.isfinite(x) else str(x) for x in numbers]

    (place / f"{name}.json").write_text(json.dumps({"values": flat(values), "gradients": flat(gradients)}))


def as_arrays(place: pathlib.Path, name: str, values: Any, gradients: Any) -> None:
    np.save(place / f"{name}.value.npy", np.array(values, np.float64))
    np.save(place / f"{name}.gradient.npy", np.asfortranarray(np.array(gradients, np.float64).astype(">f8")))


def as_one_row(place: pathlib.Path, name: str, values: Any, gradients: Any) -> None:
    np.save(place / f"{name}.value.npy", np.array(values, np.float64).ravel())
    np.save(place / f"{name}.gradient.npy", np.array(gradients, np.float64).ravel())


@pytest.mark.parametrize("manner", ["decimal", "hex"])
def test_computed_elsewhere(manner: str, tmp_path: pathlib.Path) -> None:
    """A program that knows nothing of refloss, in a process without it."""
    folder = tmp_path / "out"
    said = export(folder, "smooth_l1_loss")
    assert f"refloss check {folder}" in said
    subprocess.run([sys.executable, "-I", file_program.__file__, str(folder), manner], check=True)
    (folder / "answers" / "about.json").write_text('{"name": "mine", "version": "2", "language": "Ada"}')
    report = check(folder, f"refloss check {folder}")
    assert report["strict"] and report["training"] and report["known"] == "right"
    assert (report["via"], report["package"], report["version"], report["language"]) == ("files", "mine", "2", "Ada")
    assert (report["callable"], report["gradients"], report["arrays"]) == (str(folder), "returned", "json")
    assert report["cases"] == sum(len(case["dtypes"][:2]) for case in golden("smooth_l1_loss").values())
    assert report["unanswered"] == report["failures"] == report["findings"] == []


def test_a_mistake_in_the_answers_is_named(tmp_path: pathlib.Path) -> None:
    folder = tmp_path / "out"
    export(folder, "smooth_l1_loss", ("float64",))
    file_program.main(str(folder), "huber")
    report = check(folder)
    assert not report["strict"] and [one["names"] for one in report["deviations"]] == [["huber_for_smooth_l1"]]
    assert report["language"] == "unknown"


def test_few_different_numbers_say_nothing_of_digits(tmp_path: pathlib.Path) -> None:
    """All zeros are a mistake, and not one of printing."""
    export(tmp_path / "out", "smooth_l1_loss", ("float64",))
    answer(tmp_path / "out", "smooth_l1_loss", lambda place, name, v, g: as_texts(place, name, [0] * len(v), [0.5] * len(v)))
    assert check(tmp_path / "out")["findings"] == []


def test_answers_that_were_cut_when_they_were_printed(tmp_path: pathlib.Path) -> None:
    export(tmp_path / "out", "smooth_l1_loss", ("float64",))
    file_program.main(str(tmp_path / "out"), "short")
    report = check(tmp_path / "out")
    assert not report["strict"]
    assert [one["name"] for one in report["findings"] if one["kind"] == "note"] == ["few_digits"]


@pytest.mark.parametrize("write", [as_texts, as_flat_numbers, as_arrays, as_one_row])
@pytest.mark.parametrize("loss", KINDS)
def test_every_kind_in_every_form(loss: str, write: Any, tmp_path: pathlib.Path) -> None:
    folder = tmp_path / "out"
    export(folder, loss)
    answer(folder, loss, write)
    report = check(folder)
    assert report["strict"], report["worst"]
    assert report["gradient"]["cases"] == report["cases"] > 0


def test_half_precision(tmp_path: pathlib.Path) -> None:
    folder = tmp_path / "out"
    export(folder, "l1_loss", ("bfloat16", "float16"))
    answer(folder, "l1_loss", as_texts)
    report = check(folder)
    assert report["strict"] and [one["dtype"] for one in report["dtypes"]] == ["bfloat16", "float16"]
    assert np.load(folder / "inputs" / "default.bfloat16.targets.npy").dtype == np.dtype("<f4")


@pytest.mark.parametrize("loss", KINDS)
def test_what_is_written(loss: str, tmp_path: pathlib.Path) -> None:
    """Files that their schema describes; the numbers, the hex texts and the arrays are the inputs of the golden file."""
    folder = tmp_path / "out"
    export(folder, loss, ("float32",))
    manifest, truth = loaded(folder / "manifest.json"), golden(loss)
    schema("export.json").validate(manifest)
    assert sorted(one.name for one in folder.iterdir()) == ["README.txt", "answers", "inputs", "manifest.json"]
    assert not list((folder / "answers").iterdir())
    assert len(list((folder / "inputs").iterdir())) == 3 * len(manifest["batches"])
    seen: list[str] = []
    for batch in manifest["batches"]:
        seen += batch["ids"]
        given = loaded(folder / "inputs" / f"{batch['name']}.json")
        assert (given["ids"], given["parameters"], given["dtype"]) == (batch["ids"], batch["parameters"], "float32")
        for name, shape in batch["shapes"].items():
            array = np.load(folder / "inputs" / f"{batch['name']}.{name}.npy", allow_pickle=False)
            assert list(array.shape) == shape and array.dtype.str in ("<f4", "<i8")
            for one, number, text, row in zip(batch["ids"], given["numbers"][name], given["hex"][name], array, strict=True):
                wanted = truth[one]["inputs"][name]
                exact = (
                    [float.fromhex(x) for x in wanted]
                    if isinstance(wanted, list)
                    else wanted
                    if isinstance(wanted, int)
                    else float.fromhex(wanted)
                )
                assert number == exact == row.tolist()
                assert np.array_equal(
                    [float.fromhex(x) if isinstance(x, str) else x for x in np.ravel(np.array(text, object))], np.ravel(exact)
                )
    assert sorted(seen) == sorted(one for one, case in truth.items() if "float32" in case["dtypes"])
    text = (folder / "README.txt").read_text("utf-8")
    assert loss in text and "{" in text and "answers/NAME.json" in text


def test_the_same_bytes_each_time(tmp_path: pathlib.Path) -> None:
    for name in ("a", "b"):
        export(tmp_path / name, "iou_loss", ("float32",))
    files = sorted(path.relative_to(tmp_path / "a") for path in (tmp_path / "a").rglob("*") if path.is_file())
    assert len(files) > 10 and all((tmp_path / "a" / one).read_bytes() == (tmp_path / "b" / one).read_bytes() for one in files)


def test_parameters_and_dtypes_choose(tmp_path: pathlib.Path) -> None:
    export(tmp_path / "out", "smooth_l1_loss", ("float64",), {"beta": 1})
    (batch,) = loaded(tmp_path / "out" / "manifest.json")["batches"]
    assert batch["parameters"] == {"beta": 1.0} and batch["dtype"] == "float64"


WRONG_EXPORTS: list[tuple[tuple[Any, ...], str]] = [
    (("l3_loss",), "there is no loss 'l3_loss'"),
    (("l1_loss", ("float8",)), "--dtype float8: only float64"),
    (("l1_loss", (), {"beta": 1}), "l1_loss has no parameter 'beta', it has none"),
    (("smooth_l1_loss", (), {"beta": 17}), "no golden vectors of smooth_l1_loss have beta=17"),
]


@pytest.mark.parametrize(("given", "says"), WRONG_EXPORTS)
def test_exports_with_a_mistake(given: tuple[Any, ...], says: str, tmp_path: pathlib.Path) -> None:
    with pytest.raises(UsageError, match=says):
        export(tmp_path / "out", *given)
    assert not list(tmp_path.iterdir())


def test_nothing_is_overwritten_or_half_written(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    full = tmp_path / "full"
    full.mkdir()
    (full / "mine.txt").write_text("mine")
    with pytest.raises(UsageError, match="is not empty; name a new folder"):
        export(full, "l1_loss")
    with pytest.raises(UsageError, match="is a file; name a new folder"):
        export(full / "mine.txt", "l1_loss")
    with pytest.raises(UsageError, match="cannot be written"):
        export(tmp_path / "absent" / "out", "l1_loss")
    assert (full / "mine.txt").read_text() == "mine"
    (tmp_path / "empty").mkdir()
    export(tmp_path / "empty", "l1_loss")
    assert (tmp_path / "empty" / "manifest.json").is_file()

    def full_disk(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(exchange, "npy", full_disk)
    with pytest.raises(UsageError, match="No space left"):
        export(tmp_path / "out", "l1_loss")
    assert sorted(one.name for one in tmp_path.iterdir()) == ["empty", "full"]


# Answers that are not all there


@pytest.fixture
def folder(tmp_path: pathlib.Path) -> pathlib.Path:
    """An export of one setting in two dtypes, with the right answers."""
    export(tmp_path / "out", "smooth_l1_loss", ("float32", "float64"), {"beta": 1})
    file_program.main(str(tmp_path / "out"), "decimal")
    return tmp_path / "out"


def change(path: pathlib.Path, **changes: Any) -> None:
    path.write_text(json.dumps({**loaded(path), **changes}))


def test_what_is_missing_is_named(folder: pathlib.Path) -> None:
    (folder / "answers" / "beta_1.float64.json").unlink()
    report = check(folder)
    missing = report["unanswered"]
    assert {one["status"] for one in missing} == {"missing"} and {one["dtype"] for one in missing} == {"float64"}
    assert "answers/beta_1.float64.json" in missing[0]["reason"]
    assert not report["strict"] and report["value"]["strict"]["passed"]
    assert len(missing) + report["cases"] == sum(len(one["ids"]) for one in loaded(folder / "manifest.json")["batches"])


def test_null_is_a_case_that_was_not_computed(folder: pathlib.Path) -> None:
    path = folder / "answers" / "beta_1.float32.json"
    data = loaded(path)
    change(path, values=[None, *data["values"][1:]], gradients=[None, None, *data["gradients"][2:]])
    report = check(folder)
    ids = loaded(folder / "manifest.json")["batches"][0]["ids"]
    assert [(one["id"], one["status"]) for one in report["unanswered"]] == [(ids[0], "missing"), (ids[1], "misshapen")]
    assert report["gradient"]["cases"] == report["value"]["cases"]
    assert not report["strict"]  # who leaves out the gradients that are wrong does not pass


def test_what_is_left_out_on_purpose_is_no_failure(folder: pathlib.Path) -> None:
    (folder / "answers" / "beta_1.float64.json").unlink()
    about = folder / "answers" / "about.json"
    skip = {"id": "smooth_l1_loss/beta_1/*", "dtype": "float64", "reason": "no float64 on this device", "link": "https://example.org"}
    about.write_text(json.dumps({"skipped": [skip]}))
    report = check(folder)
    assert report["strict"]
    assert {(one["status"], one["reason"], one["link"]) for one in report["unanswered"]} == {("skipped", skip["reason"], skip["link"])}
    about.write_text(json.dumps({"skipped": [{**skip, "dtype": "float32"}]}))
    assert not check(folder)["strict"]


def test_subnormal_inputs_that_are_read_as_zero(tmp_path: pathlib.Path) -> None:
    folder = tmp_path / "out"
    export(folder, "l1_loss", ("float32",))

    def flushing(place: pathlib.Path, name: str, values: Any, gradients: Any) -> None:
        as_texts(place, name, ["1.0" if 0 < float(v) < 2.0**-126 else v for v in values], gradients)

    answer(folder, "l1_loss", flushing)
    assert not check(folder)["strict"]
    (folder / "answers" / "about.json").write_text('{"flushes_subnormals": true}')
    report = check(folder)
    assert report["strict"] and {one["status"] for one in report["unanswered"]} == {"skipped"}


def test_answers_without_gradients(folder: pathlib.Path) -> None:
    for path in (folder / "answers").iterdir():
        path.write_text(json.dumps({"values": loaded(path)["values"]}))
    report = check(folder)
    assert report["strict"] and report["gradient"] is None and report["gradients"] == "none: there are none in the answers"


def test_numbers_that_are_not_finite_are_judged(folder: pathlib.Path) -> None:
    path = folder / "answers" / "beta_1.float32.json"
    for text in ("nan", "NaN", "inf", "-Infinity", "1e999", "0x1p9999"):
        change(path, values=[text, *loaded(path)["values"][1:]])
        report = check(folder)
        assert [one["error_eps"] for one in report["failures"]] == [np.inf], text


# Answers that are none


FILES: list[tuple[str, Any, str]] = [
    ("beta_2.float32.json", "{}", r"beta_2.float32.json answers nothing of this export; did you mean beta_1.float32.json\?"),
    ("beta_1.float32.value.npy", "", "is answered twice, in .json and in .npy"),
    ("beta_1.float32.json", "{", "is damaged: it is cut short"),
    ("beta_1.float32.json", "[1]", r"\[1\] is not of type 'object'"),
    ("beta_1.float32.json", '{"value": [1]}', "'value' was unexpected|'values' is a required property"),
    ("beta_1.float32.json", '{"values": [NaN]}', 'has NaN, which is no JSON; the text "nan" stands for it'),
    ("beta_1.float32.json", '{"values": [1, 2]}', r"values has 2 entries for \d+ cases"),
    ("beta_1.float32.json", {"values": [[1.0]]}, r"values\[0\] is \[1.0\], not a number"),
    ("beta_1.float32.json", {"values": ["__import__('os')"]}, r"values\[0\] holds .*, which is no number"),
    ("beta_1.float32.json", {"values": ["1_000"]}, "which is no number"),
    ("beta_1.float32.json", {"values": ["0x10"]}, "which is no number"),
    ("beta_1.float32.json", {"values": [True]}, "values/0: true is not"),
    ("beta_1.float32.json", {"ids": ["a"]}, "its ids are not those of the inputs, in their order"),
    ("about.json", '{"nmae": "x"}', "about.json: .*'nmae' was unexpected"),
    ("about.json", '{"skipped": [{"id": "*"}]}', "about.json: skipped/0: 'reason' is a required property"),
]


@pytest.mark.parametrize(("name", "content", "says"), FILES)
def test_files_that_are_no_answers(name: str, content: Any, says: str, folder: pathlib.Path) -> None:
    path = folder / "answers" / name
    if isinstance(content, dict):
        old = loaded(path)
        content = json.dumps({**old, **{key: value + (old[key][1:] if key in old else []) for key, value in content.items()}})
    path.write_text(content)
    with pytest.raises(UsageError, match=says) as caught:
        check(folder)
    assert "\n" not in str(caught.value)


def test_hidden_files_are_left_alone(folder: pathlib.Path) -> None:
    (folder / "answers" / ".DS_Store").write_bytes(b"\x00")
    assert check(folder)["strict"]


def test_no_answers_at_all(tmp_path: pathlib.Path) -> None:
    export(tmp_path / "out", "l1_loss")
    with pytest.raises(UsageError, match=r"there are no answers in .*README\.txt says"):
        check(tmp_path / "out")
    with pytest.raises(UsageError, match=r"holds no manifest\.json: it is no export; refloss export .* makes one"):
        check(tmp_path)


def edited(folder: pathlib.Path, how: str) -> None:
    path = folder / "manifest.json"
    data = loaded(path)
    first = data["batches"][0]
    if how == "id":
        first["ids"][0] = "smooth_l1_loss/beta_1/gone"
    elif how == "order":
        first["ids"].reverse()
    elif how == "twice":
        data["batches"].append(first)
    elif how == "parameter":
        first["sha256"] = "0" * 64
    elif how == "dtype":
        first["dtype"] = "float64"
    elif how == "loss":
        data["loss"] = "huber_loss"
    path.write_text(json.dumps(data))


@pytest.mark.parametrize("how", ["id", "order", "twice", "parameter", "dtype", "loss"])
def test_a_changed_export_is_refused(how: str, folder: pathlib.Path) -> None:
    edited(folder, how)
    with pytest.raises(UsageError, match="is not what this version's vectors hold; export again"):
        check(folder)


@pytest.mark.parametrize(("key", "value"), [("interpretation", 2), ("schema", 2)])
def test_other_versions_are_refused(key: str, value: int, folder: pathlib.Path) -> None:
    change(folder / "manifest.json", **{key: value})
    with pytest.raises(UsageError, match=f"{key} is {value}, this version of refloss knows 1; export again"):
        check(folder)


def test_changed_inputs_are_refused_and_lost_ones_are_not(folder: pathlib.Path) -> None:
    path = folder / "inputs" / "beta_1.float32.json"
    path.write_text(path.read_text().replace("0x1.0", "0x1.1", 1))
    with pytest.raises(UsageError, match=r"beta_1.float32.json was changed after the export"):
        check(folder)
    path.unlink()
    array = folder / "inputs" / "beta_1.float32.targets.npy"
    np.save(array, np.load(array) + 1)
    with pytest.raises(UsageError, match=r"beta_1.float32.targets.npy was changed"):
        check(folder)
    array.unlink()
    assert check(folder)["strict"]


# .npy


def test_arrays_of_strangers(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "a.npy"
    good = np.arange(6, dtype=np.float32).reshape(2, 3)
    for array, shape in ((good, (2, 3)), (good.ravel(), (2, 3)), (np.asfortranarray(good.astype(">f8")), (2, 3)), (good[0][:, None], (3,))):
        np.save(path, array)
        assert np.array_equal(npy.read(path, shape), np.ascontiguousarray(array).astype(np.float64).reshape(shape))
    np.save(path, good)
    whole = path.read_bytes()
    bad: list[tuple[Any, str]] = [
        (good[:1], r"has the shape \(1, 3\), wanted \(2, 3\)"), (good.astype(np.int32), "holds int32, not floats"),
        (good.T.copy(), r"has the shape \(3, 2\)"), (good.astype(np.complex64), "holds complex64"),
        (whole[:-1], "damaged one"), (whole + b"\x00", "damaged one"), (whole[:20], "damaged one"), (b"", "damaged one"),
        (b"PK\x03\x04" + whole, "damaged one"), (whole.replace(b"(2, 3)", b"(-2,3)"), "has the shape|damaged one"),
        (whole.replace(b"(2, 3)", b"(2**9)"), "damaged one"), (whole[:6] + b"\x09\x00" + whole[8:], "damaged one"),
    ]  # fmt: skip
    for content, says in bad:
        if isinstance(content, bytes):
            path.write_bytes(content)
        else:
            np.save(path, content)
        with pytest.raises(UsageError, match=says):
            npy.read(path, (2, 3))


def test_a_pickle_is_never_loaded(tmp_path: pathlib.Path) -> None:
    class Trap:
        def __reduce__(self) -> Any:
            return pathlib.Path.touch, (tmp_path / "caught",)

    path = tmp_path / "a.npy"
    np.save(path, np.array([Trap()] * 3, object), allow_pickle=True)
    with pytest.raises(UsageError, match="holds Python objects, which are never loaded"):
        npy.read(path, (3,))
    assert not (tmp_path / "caught").exists()


def test_digits() -> None:
    assert [answers._digits(str(x)) for x in (1.5, 0.1, 100.0, -0.00012, 1e-30, "0x1.8p1", "nan", 0)] == [2, 1, 1, 2, 1, 17, 0, 0]

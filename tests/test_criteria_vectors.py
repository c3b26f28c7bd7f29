"""Golden values of whole criteria: the files, the loader, and refloss's own core, torch modules and Keras losses against them."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import jsonschema
import numpy as np
import pytest

from oracle import generate
from oracle.criteria import darknet_recordings, every, write
from refloss_conformance import criteria, criteria_own, replay
from refloss_conformance.vectors import VectorError

NAMES = sorted(criteria.CLASSES)
WORKER = Path(__file__).with_name("keras_worker.py")


def test_every_criterion_has_a_file():
    assert criteria.names() == NAMES == sorted(every.ORACLES)
    assert sum(path.stat().st_size for path in criteria.FOLDER.glob("*.json")) < 1_000_000


@pytest.mark.parametrize("name", NAMES)
def test_files_have_their_schema_and_unique_ids(name):
    data = json.loads((criteria.FOLDER / f"{name}.json").read_text("utf-8"))
    jsonschema.validate(data, json.loads(criteria.SCHEMA.read_text("utf-8")))
    file = criteria.load(name)
    ids = [case.id for case in file.cases]
    assert len(ids) == len(set(ids)) and set(file.settings) == {case.setting for case in file.cases}
    used = {flag for case in file.cases for flag in case.flags}
    assert used == set(file.notes) and {"batch", "no_object"} <= used
    assert all(file.of(setting) and any("batch" in case.flags for case in file.of(setting)) for setting in file.settings)


@pytest.mark.parametrize("name", NAMES)
def test_entries_of_terms_are_a_partition(name):
    file = criteria.load(name)
    case = file.cases[0]
    numbered, start = {}, 0
    for output, values in case.arrays("float64").items():
        numbered[output] = np.arange(start, start + values.size).reshape(values.shape)
        start += values.size
    every_entry = np.concatenate([term.entries(numbered) for term in file.terms.values()])
    assert sorted(every_entry) == list(range(start))


def test_the_batch_tells_normalisers_apart():
    """8 positives; 9 with one more; 10 if an empty image counts one: peers.md part 3, number 10."""
    for name in ("criteria.retinanet", "criteria.ssd", "criteria.yolov3"):
        case = next(one for one in criteria.load(name).cases if "batch" in one.flags)
        assert case.positives == (0, 0, 3, 5)


def test_a_hand_worked_number():
    """RetinaNet, no objects: alpha_t = 3/4 for the background, each number 3/4 sigma(x)^2 ln(1 + e^x), over max(1, 0)."""
    case = next(one for one in criteria.load("criteria.retinanet").of("paper") if "no_object" in one.flags)
    x = case.arrays("float64")["classes"]
    by_hand = (0.75 / (1 + np.exp(-x)) ** 2 * np.log1p(np.exp(x))).sum()
    assert case.terms["box"] == "0" and abs(by_hand - float(case.terms["classes"])) < 1e-13 * by_hand
    by_image = next(one for one in criteria.load("criteria.retinanet").of("torchvision") if "no_object" in one.flags)
    assert float(by_image.terms["classes"]) == pytest.approx(by_hand / 2, rel=1e-13)


@pytest.mark.parametrize("backend", sorted(criteria_own.BACKENDS))
@pytest.mark.parametrize("name", NAMES)
def test_own_backends(name, backend):
    if criteria_own.absent(backend):
        pytest.skip(criteria_own.absent(backend))
    found = list(criteria_own.measure(name, backend))
    assert len(found) == 2 * len(criteria.load(name).cases)
    wrong = [(one.case.id, one.dtype, one.value_eps, one.gradient_eps, one.worst, one.raised) for one in found if not one.passed]
    assert not wrong, wrong[:5]


@pytest.mark.parametrize("name", NAMES)
def test_terms_without_a_gradient(name):
    file = criteria.load(name)
    for case in file.cases:
        terms = criteria_own.value_only(file, case, "float64")
        assert terms == pytest.approx([float(value) for value in case.terms.values()], rel=1e-13, abs=1e-300), case.id


@pytest.mark.parametrize("system", ["yolov4", "scaled_yolov4"])
def test_the_oracle_of_darknet_agrees_with_darknet(system):
    """To the float32 of recordings: 3e-7 in a delta of up to 4, 2e-7 of the cost."""
    for case in replay.load(str(replay.FOLDER / f"{system}.json")):
        delta, cost = darknet_recordings.differences(case)
        assert delta < 7e-7 and cost < 4e-7, case["name"]


@pytest.mark.parametrize("name", ["criteria.yolov1", "criteria.scaled_yolov4"])
def test_the_generator_writes_what_is_committed(name, tmp_path):
    assert generate.main(["--check", name]) == 0
    assert generate.main(["--criteria", str(tmp_path), name]) == 0
    assert (tmp_path / f"{name}.json").read_bytes() == (criteria.FOLDER / f"{name}.json").read_bytes()


def test_the_generator_sees_a_changed_file(tmp_path, capsys):
    text = (criteria.FOLDER / "criteria.scaled_yolov4.json").read_text("utf-8")
    (tmp_path / "criteria.scaled_yolov4.json").write_text(text.replace('"1.', '"2.', 1), "utf-8")
    assert generate.main(["--check", "--criteria", str(tmp_path), "criteria.scaled_yolov4"]) == 1
    assert "DIFFERS" in capsys.readouterr().out


def test_decisions_that_are_near_are_refused():
    """A scene in which a truth overlaps a prior by exactly the threshold is none: a rounding would decide it."""
    oracle = every.ORACLES["criteria.retinanet"]
    scene = oracle.scenes()[1]
    prior = scene.config["priors"][0]
    half = [prior[0], prior[1], prior[2], (prior[1] + prior[3]) / 2]
    near = [half[0], half[1], half[2], half[3] + 2**-24]
    moved = write.Scene("near", scene.flags, scene.config, scene.outputs, [{"gt_boxes": [near], "gt_labels": [0]}])
    with pytest.raises(ValueError, match="from going the other way"):
        write.answer(oracle, moved, "paper", oracle.settings["paper"])


@pytest.mark.parametrize("spoil, says", [
    (lambda text: text[:5000], "damaged"), (lambda text: text.replace('"schema": 1', '"schema": 2'), "schema 2"),
    (lambda text: text.replace('"interpretation": 1', '"interpretation": 9'), "interpretation 9"),
    (lambda text: text.replace('"flags": ["batch"]', '"flags": ["butch"]'), "damaged"), (lambda text: "[" * 100_000, "nested 100000 deep"),
    (lambda text: "[1, 2]", "no file of a criterion"), (lambda text: text.replace('"gt_labels": [', '"gt_labels": [0, ', 1), "damaged"),
    (lambda text: text.replace('"float32"', '"float31"'), "damaged"),
    (lambda text: text.replace('"terms": {"box": "', '"terms": {"bex": "'), "damaged"),
    (lambda text: text.replace('"gradient": {"output_0": [[', '"gradient": {"output_0": [[["1"],', 1), "damaged"),
])  # fmt: skip
def test_damaged_files_are_one_clear_error(spoil, says, tmp_path):
    text = (criteria.FOLDER / "criteria.yolov3.json").read_text("utf-8")
    assert spoil(text) != text
    path = tmp_path / "criteria.yolov3.json"
    path.write_text(spoil(text), "utf-8")
    with pytest.raises(VectorError, match=says) as found:
        criteria.load_file(path)
    assert "\n" not in str(found.value) and "criteria.yolov3.json" in str(found.value)


def test_large_files_are_not_read(tmp_path, monkeypatch):
    path = tmp_path / "criteria.yolov3.json"
    path.write_text(" " * 2000, "utf-8")
    monkeypatch.setattr(criteria, "LARGEST_FILE", 1000)
    with pytest.raises(VectorError, match="more than 1000"):
        criteria.load_file(path)


@pytest.mark.xdist_group("keras")
@pytest.mark.parametrize("backend", ["tensorflow", "jax", "torch"])
def test_keras(backend, tmp_path):
    for package in ("keras", backend):
        if importlib.util.find_spec(package) is None:
            pytest.skip(f"{package} is not installed")
    reference = tmp_path / "reference.npz"
    np.savez(reference)  # the golden values are files
    environment = {
        **os.environ, "KERAS_BACKEND": backend, "JAX_ENABLE_X64": "0", "JAX_PLATFORMS": "cpu", "CUDA_VISIBLE_DEVICES": "",
        "TF_CPP_MIN_LOG_LEVEL": "3", "XLA_FLAGS": "--xla_backend_optimization_level=0",
        "PYTHONPATH": os.pathsep.join(p for p in sys.path if p),
    }  # fmt: skip
    command = [sys.executable, str(WORKER), "criteria_vectors", str(reference)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr[-6000:]}"
    assert done.stdout.rstrip().endswith("checks passed"), done.stdout

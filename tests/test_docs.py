"""Every example in a docstring and in the README prints what it says."""

import doctest
import importlib
import pathlib
import re

import pytest

import refloss
from refloss._engine.record import REGISTRY

MODULES = (
    *(f"refloss.boxes.{name}" for name in ("formats", "overlaps", "suppression", "soft", "selection")), "refloss.losses.focal",
    *(f"refloss.priors.{name}" for name in ("yolo", "ssd", "retinanet", "fcos", "clusters")),
    *(f"refloss.coders.{name}" for name in ("delta", "yolov1", "yolo", "ltrb")),
    *(f"refloss.assign.{name}" for name in ("max_iou", "ssd", "yolov1", "yolov2", "yolov3", "yolov4", "scaled_yolov4", "fcos")),
    "refloss.mining.hard", "refloss.mining.sample", *(f"refloss.criteria.{name}" for name in ("_flat", "ssd", "retinanet", "fcos")),
)  # fmt: skip


def run(test: doctest.DocTest) -> doctest.TestResults:
    return doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE).run(test)


@pytest.mark.parametrize("name", REGISTRY)
def test_loss(name: str) -> None:
    loss = REGISTRY[name]
    tests = doctest.DocTestFinder().find(loss.settle, name, globs={})
    results = [run(test) for test in tests]
    assert sum(result.attempted for result in results) >= 2
    assert not sum(result.failed for result in results)
    text = loss.__doc__ or ""
    for part in ("Domain:", "Arguments:", "Raises", "Does not:", "Neighbours:", "Elsewhere:", *loss.arrays, *loss.defaults):
        assert part in text, f"{name} does not say: {part}"


@pytest.mark.parametrize("module", MODULES)
def test_module(module: str) -> None:
    loaded = importlib.import_module(module)
    results = [run(test) for test in doctest.DocTestFinder().find(loaded, globs=vars(loaded).copy())]
    assert sum(result.attempted for result in results)
    assert not sum(result.failed for result in results)


def test_every_public_name_is_there_and_documented() -> None:
    for name in refloss.__all__:
        assert hasattr(refloss, name)
    assert set(REGISTRY) <= set(refloss.__all__)


def test_readme() -> None:
    readme = pathlib.Path(__file__).parents[1] / "README.md"
    assert not re.search(r"@[A-Z]+@", readme.read_text()), "a figure is missing"
    result = run(doctest.DocTestParser().get_doctest(readme.read_text(), {}, "README", str(readme), 0))
    assert result.attempted >= 3
    assert not result.failed

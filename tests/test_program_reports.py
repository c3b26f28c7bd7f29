"""What becomes of the report on a program that crashes at one case, of golden scenes and of whole criteria alike."""

import json
import pathlib
import shlex
import sys
from typing import NamedTuple

import pytest

from refloss_conformance import cli, criteria, reports, scenes

HERE = pathlib.Path(__file__).parent


class Golden(NamedTuple):
    """What is asked of whom; each: the case of the crash; other: one that is answered; count: of all; kind: of the report."""

    name: str
    answers: str
    each: str
    other: str
    count: int
    kind: str

    def program(self, *arguments):
        return shlex.join([sys.executable, "-S", str(HERE / "hostile" / self.answers), *arguments])

    def command(self, *words):
        return cli.main(["check", "--command", self.program("crash", self.each), "--as", self.name, "--dtype", "float64", *words])


NMS = [one.id for one in scenes.load("boxes.nms").scenes if one.parameters["kind"] == "iou"]
SSD = [one.id for one in criteria.load("criteria.ssd").cases]
FULL = next(one.id for one in criteria.load("criteria.ssd").of("paper") if all(len(truth["gt_labels"]) for truth in one.truths))
OF_NMS = Golden("boxes.nms", "decides.py", NMS[7], NMS[8], len(NMS), "scenes")
OF_SSD = Golden("criteria.ssd", "recites.py", FULL, SSD[0], len(SSD), "criteria")
BOTH = pytest.mark.parametrize("golden", [OF_NMS, OF_SSD], ids=lambda one: one.name)


def lost(document):
    return [(one["id"], one["status"]) for one in document["unanswered"] if one["status"] != "skipped"]


@BOTH
def test_reports_of_every_form(golden, tmp_path, capsys):
    forms = [word for form in ("json", "junit", "markdown", "html", "badge") for word in (f"--{form}", str(tmp_path / form))]
    assert golden.command(*forms) == 1
    printed = " ".join(capsys.readouterr().out.split())
    assert "crashes" in printed and golden.each in printed and "does not conform" in printed
    if golden.kind == "criteria":
        assert "ran 4 of 4 settings" in printed
    document = reports.load(str(tmp_path / "json"))
    assert document["report"] == golden.kind and lost(document) == [(golden.each, "crashed")]
    assert document["command"].startswith("refloss check")
    for form in ("junit", "markdown", "html"):
        text = (tmp_path / form).read_text("utf-8")
        assert "vector::at" in text and "crashes" in text and (form == "markdown" or golden.each in text), form
    assert json.loads((tmp_path / "badge").read_text("utf-8"))["color"] == "red"


@BOTH
def test_a_crash_that_is_expected(golden, tmp_path):
    known = tmp_path / "known.toml"
    entry = f'schema = 1\ninterpretation = 1\n[[expect]]\nid = "{golden.each}"\nwhat = ["unanswered"]\nreason = "an index out of bounds"\n'
    known.write_text(entry, "utf-8")
    assert golden.command("--expect", str(known)) == 0
    assert cli.main(["check", "--command", golden.program(), "--as", golden.name, "--expect", str(known)]) == 1  # it is stale
    known.write_text(entry.replace(golden.each, golden.other), "utf-8")
    assert golden.command("--expect", str(known)) == 1
    assert golden.command("--write-expect", str(tmp_path / "new.toml")) == 1 and golden.each in (tmp_path / "new.toml").read_text("utf-8")


@BOTH
def test_fewer_cases_than_asked_for(golden):
    line = ["check", "--command", golden.program(), "--as", golden.name, "--dtype", "float64", "--min-cases"]
    assert cli.main([*line, str(golden.count)]) == 0 and cli.main([*line, str(golden.count + 1)]) == 1


@pytest.mark.parametrize(
    ("golden", "words", "says"),
    [
        *((one, ("--tier", "training"), "--tier is for losses") for one in (OF_NMS, OF_SSD)),
        *((one, ("--map", "a=boxes"), "--map is for callables") for one in (OF_NMS, OF_SSD)),
        (OF_NMS, ("--codes", "negative=0"), "--codes is for callables"), (OF_SSD, ("--pick", "box"), "--pick is for callables"),
        (OF_SSD, ("--returns", "value_and_grad"), "--returns is for callables"),
    ],
)  # fmt: skip
def test_options_without_effect_are_mistakes(golden, words, says, capsys):
    assert golden.command(*words) == 2 and says in capsys.readouterr().err

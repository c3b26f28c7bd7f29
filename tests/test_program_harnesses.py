"""The harnesses of the page: each passes for every loss it states, and a wrong one does not."""

import json
import pathlib
import re
import shlex
import shutil
import subprocess
import sys

import pytest

from refloss_conformance import scenes
from refloss_conformance.cases import batches, has_vectors, known
from refloss_conformance.program import messages
from refloss_conformance.program.check import Request, ask, run
from refloss_conformance.program.scene_messages import Question
from refloss_conformance.program.session import LONGEST_LINE, MOST_HELD
from refloss_conformance.program.talk import IN_A_ROW, NAMES, PATIENCE, Talk
from refloss_conformance.vectors import USUAL_DTYPES

FOLDER = pathlib.Path(__file__).parents[1] / "conformance" / "harnesses"
PAGE = (FOLDER / "README.md").read_text("utf-8")
LOSSES = [name for name in has_vectors() if known(name).kind != "codes"]
BOXES = ["iou_loss", "giou_loss", "diou_loss", "ciou_loss"]
ELEMENTWISE = ["l1_loss", "squared_error", "smooth_l1_loss", "huber_loss", "binary_cross_entropy", "focal_loss"]
NODE = shlex.join(["node", str(FOLDER / "javascript" / "harness.js")])
needs_cc = pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler")
needs_node = pytest.mark.skipif(shutil.which("node") is None, reason="no node")


def compiled(folder, source=FOLDER / "c" / "harness.c"):
    line = ["cc", "-O2", "-std=c11", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-o", str(folder / "harness"), str(source), "-lm"]
    subprocess.run(line, check=True, timeout=120)
    return shlex.quote(str(folder / "harness"))


@pytest.fixture(scope="session")
def c_harness(tmp_path_factory):
    return compiled(tmp_path_factory.mktemp("c"))


def python(name):
    return shlex.join([sys.executable, str(FOLDER / f"{name}_harness.py")])


def all_pass(command, losses, by_turns=False):
    """One program answers for all its losses, strictly, in both dtypes, or in one and the other by turns."""
    with Talk(shlex.split(command), 120.0, 300.0, True) as talk:
        program = talk.start()
        assert program is not None, talk.troubles
        assert sorted(program.losses) == sorted(losses) and program.gradients and program.dtypes is None
        for i, name in enumerate(losses):
            dtypes = USUAL_DTYPES[i % 2 :][:1] if by_turns else USUAL_DTYPES
            request = Request(command, name, dtypes=dtypes, timeout=120.0, strict=True)
            document = ask(talk, program, request).document(request, program, [])
            assert document["strict"] and document["training"], (name, document["worst"][:3], document["unanswered"][:3])
            assert all(entry["run"] for entry in document["dtypes"]) and not document["unanswered"]
            assert {group["status"] for group in document["groups"]} == {"run"}
            assert document["gradient"]["cases"] == document["cases"]
            todo = batches(name, dtypes)
            subnormal = sum(int(batch.with_subnormals().sum()) for batch in todo) if program.flushes_subnormals else 0
            assert document["cases"] == sum(map(len, todo)) - subnormal > 40
        talk.stop()
        assert not talk.troubles
    return program


@needs_cc
def test_c(c_harness):
    assert all_pass(c_harness, ELEMENTWISE + BOXES).language == "C"


@needs_node
def test_javascript():
    assert all_pass(NODE, LOSSES).language == "JavaScript"


def test_numpy():
    assert not all_pass(python("numpy"), LOSSES).flushes_subnormals


def test_torch():
    pytest.importorskip("torch")
    assert not all_pass(python("torch"), LOSSES).flushes_subnormals


@pytest.mark.parametrize("name", ["tensorflow", "jax"])
def test_tensorflow_and_jax(name, monkeypatch):
    pytest.importorskip(name)
    monkeypatch.setenv("JAX_DISABLE_MOST_OPTIMIZATIONS", "1")  # of 300 small functions, compiled for one call each
    assert all_pass(python(name), LOSSES, by_turns=name == "jax").flushes_subnormals  # JAX compiles twice as much for two dtypes


@needs_cc
@pytest.mark.parametrize(
    ("right", "wrong", "loss"),
    [
        ("0.40528473456935108577", "0.4", "ciou_loss"), ("of(alpha.v)", "alpha", "ciou_loss"), ("log1p(exp(", "log(1 + exp(", "focal_loss"),
        ("0x1p-126", "0x1p-20", "giou_loss"), ("v, d[4]; } D", "v; float d[4]; } D", "diou_loss"), ("2 * beta", "2", "smooth_l1_loss"),
    ],
)  # fmt: skip
def test_one_wrong_thing_in_c_fails(right, wrong, loss, tmp_path):
    for file in ("harness.c", "losses.h"):
        text = (FOLDER / "c" / file).read_text("utf-8")
        (tmp_path / file).write_text(text.replace(right, wrong), "utf-8")
    assert right in (FOLDER / "c" / "losses.h").read_text("utf-8")
    document = run(Request(compiled(tmp_path, tmp_path / "harness.c"), loss, timeout=60.0))
    assert not document["strict"] and document["failures"] and not document["troubles"] and not document["unanswered"]


def talk_to(command, *questions):
    text = "".join(json.dumps(question, separators=(",", ":")) + "\n" for question in questions)
    done = subprocess.run(shlex.split(command), input=text, capture_output=True, text=True, timeout=120, check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


COMMANDS = [
    pytest.param("c", marks=needs_cc), pytest.param(NODE, marks=needs_node, id="javascript"), pytest.param(python("numpy"), id="numpy"),
]  # fmt: skip


@pytest.mark.parametrize("command", COMMANDS)
def test_harnesses_refuse_what_they_do_not_know(command, c_harness):
    start, unknown = {"seq": 0, "cmd": "start", "protocol": 2}, {"seq": 1, "cmd": "run", "loss": "l0_loss", "inputs": {"a": [], "b": []}}
    answers = talk_to(c_harness if command == "c" else command, start, {**start, "protocol": 1}, unknown, {"seq": 2, "cmd": "stop"})
    assert [bool(answer.get("errored")) for answer in answers] == [True, False, True]
    messages.validate(answers[0], "start_answer")
    messages.validate(answers[2], "run_answer")


def conversation(which):
    """(questions, answers) of one of the conversations on the page, each of which is valid."""
    said = re.findall(r"^    ([<>]) (.*)$", PAGE, re.MULTILINE)
    starts = [i for i, (_, text) in enumerate(said) if '"cmd":"start"' in text]
    mine = said[starts[which] : [*starts, None][which + 1]]
    asked, shown = ([json.loads(text) for mark, text in mine if mark == wanted] for wanted in "><")
    for question, answer in zip(asked, [*shown, None], strict=True):
        messages.validate(question, "run_scene" if "function" in question else question["cmd"])
        if answer is not None:
            messages.validate(answer, f"{question['cmd']}_answer")
    return asked, shown


def order(definition):
    return list(json.loads(messages.SCHEMA.read_text("utf-8"))["$defs"][definition]["properties"])


@pytest.mark.parametrize("command", COMMANDS)
def test_the_conversation_on_the_page(command, c_harness):
    """What the page shows is valid, and is what a harness answers."""
    asked, shown = conversation(0)
    start, results = talk_to(c_harness if command == "c" else command, *asked)
    assert results == shown[1] and start["seq"] == 0 and set(shown[0]["losses"]) < set(start["losses"])
    assert list(asked[1]) == [key for key in order("run") if key != "upstream"]


@needs_node
def test_the_conversation_about_scenes_on_the_page():
    asked, shown = conversation(1)
    start, *results = talk_to(NODE, *asked)
    assert results == shown[1:] and set(start["functions"]) == set(shown[0]["functions"])
    for question in asked[1:3]:
        file = scenes.load(question["function"])
        (scene,) = (one for one in file.scenes if [one.id] == question["cases"])
        assert messages.encode(question) == Question(file, scene, question["dtype"]).letter(question["seq"])
        assert list(question) == order("run_scene")


def test_the_whole_harness_on_the_page_passes(tmp_path):
    (code,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    (tmp_path / "harness.py").write_text(code, "utf-8")
    document = run(Request(shlex.join([sys.executable, str(tmp_path / "harness.py")]), "l1_loss", timeout=60.0, strict=True))
    assert document["strict"] and document["package"] == "fifteen minutes"


def test_the_page_names_everything():
    for name in [*LOSSES, *NAMES.values(), "lingers", "exits_with_error", "leaves_children", "flushes_subnormals"]:
        assert f"`{name}`" in PAGE or f'"{name}"' in PAGE, name
    for name in LOSSES:
        assert all(f"`{parameter}`" in PAGE for parameter in known(name).defaults), name
        assert all(f"`{array}`" in PAGE for array in known(name).arrays), name
    parts = {(name, part.kind) for function in scenes.names() for name, part in scenes.load(function).parts.items()}
    rows = re.findall(r"^\| (`.*) \| (\w+) \|", PAGE, re.MULTILINE)
    assert {(name.strip("`"), kind) for names, kind in rows for name in names.split(", ")} == parts
    words = " ".join(PAGE.split())
    assert f"at most {messages.MOST} cases" in words and f"shorter than {messages.LONGEST + 1} bytes" in words
    assert f"more than {LONGEST_LINE // 10**6} MB, or {MOST_HELD // 10**6} MB" in words
    assert (PATIENCE, IN_A_ROW) == (6, 8) and "six times" in words and "eight failures" in words
    for link in re.findall(r"\]\(([^)#]+)\)", PAGE):
        assert (FOLDER / link).exists(), link


@needs_cc
def test_a_check_of_a_program_imports_no_framework(c_harness):
    line = (
        "import sys; from refloss_conformance.program.check import Request, run;"
        f"assert run(Request({c_harness!r}, 'ciou_loss'))['strict'];"
        "print([name for name in ('numba', 'torch', 'tensorflow', 'jax', 'jsonschema', 'mpmath') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", line], capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout.strip() == "[]"

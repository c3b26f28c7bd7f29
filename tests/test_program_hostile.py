"""Programs that hang, crash, flood, babble and die: each ends in a named verdict, in time, and costs no more cases than it must."""

import os
import pathlib
import resource
import shlex
import signal
import subprocess
import sys
import time

import pytest

from refloss_conformance.cases import batches
from refloss_conformance.errors import UsageError
from refloss_conformance.program.check import Request, run
from refloss_conformance.program.talk import IN_A_ROW

HOSTILE = pathlib.Path(__file__).parent / "hostile"
IDS = [batch.ids for batch in batches("l1_loss", ("float32", "float64"))]
CASES = sum(map(len, IDS))
EACH = IDS[0][17]  # of both dtypes
IN_TIME = 45  # seconds, on a machine that does much else; the hostile parts alone take far less


def check(script, *arguments, timeout=20.0, **more):
    command = shlex.join([sys.executable, "-S", str(HOSTILE / f"{script}.py"), *map(str, arguments)])
    began = time.monotonic()
    document = run(Request(command, "l1_loss", timeout=timeout, **more))
    assert time.monotonic() - began < IN_TIME
    return document


def troubles(document):
    return {one["name"]: one for one in document["troubles"]}


def states(document):
    return {one["status"] for one in document["unanswered"]}


def lost(document, *names):
    """All cases are lost, and these are the verdicts."""
    assert set(troubles(document)) == set(names), document["troubles"]
    assert not document["strict"] and not document["training"]
    assert document["cases"] == 0 and len(document["unanswered"]) == CASES


def test_an_honest_program_passes():
    document = check("honest", strict=True)
    assert document["strict"] and document["cases"] == CASES and not document["troubles"] and not document["unanswered"]


def test_a_program_that_hangs_is_given_up_after_six_time_limits():
    began = time.monotonic()
    document = check("hang", timeout=0.3)
    assert time.monotonic() - began > 6 * 0.3
    lost(document, "hangs", "given_up")
    assert states(document) == {"hung", "given_up"}
    assert "0.3 s" in troubles(document)["hangs"]["text"] and troubles(document)["hangs"]["first"] == IDS[0][0]


def test_a_case_that_hangs_costs_itself():
    document = check("hang", EACH, timeout=1.0, dtypes=("float64",))
    assert document["cases"] == len(IDS[1]) - 1
    assert [(one["id"], one["status"]) for one in document["unanswered"]] == [(EACH, "hung")]


def test_a_crash_is_told_by_its_case_and_costs_nothing_else():
    document = check("crash_at_case", "float64", EACH)
    assert document["cases"] == CASES - 1 and not document["strict"]
    (only,) = document["unanswered"]
    assert (only["id"], only["dtype"], only["status"]) == (EACH, "float64", "crashed")
    assert "SIGABRT" in only["reason"] and "assertion failed: x > 0" in only["reason"]
    assert troubles(document)["crashes"]["first"] == EACH and troubles(document)["crashes"]["cases"] == 1
    assert document["value"]["strict"]["passed"] and document["gradient"]["strict"]["passed"]


def test_many_crashes_cost_as_many_cases():
    crashing = IDS[1][1:40:3]
    document = check("crash_at_case", "float64", *crashing, dtypes=("float64",))
    assert len(crashing) > IN_A_ROW and [one["id"] for one in document["unanswered"]] == list(crashing)
    assert states(document) == {"crashed"} and document["cases"] == len(IDS[1]) - len(crashing)


def test_a_greeting_on_standard_output():
    document = check("garbage", "greeting")
    lost(document, "garbled")
    assert "Loading the model" in troubles(document)["garbled"]["text"]


def test_answers_that_are_no_json():
    document = check("garbage", "run", timeout=0.3)
    assert "garbled" in troubles(document) and document["cases"] == 0 and states(document) <= {"garbled", "given_up"}


def test_half_a_line():
    document = check("partial_line", timeout=0.3)
    lost(document, *troubles(document))
    assert "truncated" in troubles(document) and states(document) <= {"truncated", "given_up"}


@pytest.mark.parametrize(("how", "verdicts"), [("line", {"floods"}), ("lines", {"misordered", "floods"})])
def test_a_gigabyte(how, verdicts):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    document = check("flood", how, timeout=0.5)
    assert set(troubles(document)) & verdicts and not document["strict"], document["troubles"]
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000  # kilobytes


def test_a_gigabyte_after_the_last_answer():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    document = check("flood", "lines", dtypes=("float64",))
    assert set(troubles(document)) == {"floods"} and document["cases"] == len(IDS[1]) and not document["strict"]
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 150_000


def test_a_gigabyte_on_standard_error_is_read_and_forgotten():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    document = check("flood", "stderr", dtypes=("float64",))
    assert document["cases"] == len(IDS[1]) and not document["unanswered"]
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000


def test_answers_out_of_order():
    document = check("wrong_seq", timeout=0.3)
    lost(document, *troubles(document))
    assert "seq 0 where 1 was asked" in troubles(document)["misordered"]["text"]


@pytest.mark.parametrize("how", ["bare", "text"])
def test_nan_is_a_result_and_fails_as_a_number(how):
    document = check("nan", how)
    assert document["cases"] == CASES and not document["troubles"] and not document["strict"] and not document["training"]
    assert document["value"]["not_finite"] == document["value"]["strict"]["failed"] > CASES / 2
    assert document["gradient"]["strict"]["passed"]


def test_null_is_no_number():
    document = check("nan", "null")
    assert states(document) == {"misshapen"} and "JSON.stringify" in troubles(document)["misshapen"]["text"]
    assert document["cases"] == CASES - len(document["unanswered"]) > 0


def test_a_bare_nan_is_garbled_when_strict():
    assert "garbled" in troubles(check("nan", "bare", strict=True, timeout=0.3))


def test_slow_is_right_and_slower_than_the_limit_hangs():
    assert check("slow")["strict"]
    assert "hangs" in troubles(check("slow", timeout=0.1))


@pytest.mark.parametrize("session", ["own_session", "group"])
@pytest.mark.parametrize("how", ["dies", "works"])
def test_a_child_that_holds_the_pipes(how, session, tmp_path):
    document = check("zombie", tmp_path / "pid", session, how, timeout=0.6 if how == "dies" else 20.0)
    if how == "dies":
        lost(document, *troubles(document))
        assert "exits_early" in troubles(document)
    else:
        assert document["strict"]
    child = int((tmp_path / "pid").read_text("ascii"))
    if session == "group":
        assert _gone(child)
    else:
        _kill(child)


def test_a_child_that_outlives_its_program_is_told_when_strict(tmp_path):
    assert set(troubles(check("zombie", tmp_path / "pid", "group", "works", strict=True))) == {"leaves_children"}
    assert _gone(int((tmp_path / "pid").read_text("ascii")))


def test_an_interrupted_check_leaves_nothing_behind(tmp_path):
    command = shlex.join([sys.executable, "-S", str(HOSTILE / "zombie.py"), str(tmp_path / "pid"), "group", "waits"])
    line = [sys.executable, "-m", "refloss_conformance.cli", "check", "--command", command, "--as", "l1_loss", "--timeout", "60"]
    with subprocess.Popen(line, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as checker:
        until = time.monotonic() + IN_TIME
        while not ((tmp_path / "pid").exists() and (tmp_path / "pid").read_text("ascii")) and time.monotonic() < until:
            time.sleep(0.02)
        time.sleep(0.2)
        checker.send_signal(signal.SIGINT)
        assert checker.wait(IN_TIME) == 130
    assert _gone(int((tmp_path / "pid").read_text("ascii")))


@pytest.mark.parametrize(("how", "verdict"), [("stays", "lingers"), ("errs", "exits_with_error")])
def test_a_bad_end_is_told_when_strict_and_touches_no_number(how, verdict):
    assert set(troubles(check("lingers", how, strict=True, timeout=2.0))) == {verdict}
    assert check("lingers", how, timeout=2.0)["strict"]


@pytest.mark.parametrize(("pipe", "verdict"), [("stdin", "hangs"), ("stdout", "exits_early")])
def test_a_program_that_closes_a_pipe(pipe, verdict):
    document = check("deaf", pipe, timeout=0.3)
    lost(document, *troubles(document))
    assert verdict in troubles(document)


def test_not_utf8():
    document = check("not_utf8", timeout=0.3)
    lost(document, *troubles(document))
    assert "not UTF-8" in troubles(document)["garbled"]["text"]


@pytest.mark.parametrize("how", ["mean", "more", "lists", "values", "numbers", "none", "texts", "true"])
def test_the_wrong_shape(how):
    document = check("wrong_shape", how, dtypes=("float64",))
    assert "misshapen" in troubles(document) and not document["strict"] and states(document) <= {"misshapen"}
    if how == "mean":  # which is right for a case alone, and that is told
        assert document["cases"] == len(IDS[1]) and "with none of them alone" in troubles(document)["misshapen"]["text"]
    else:
        assert document["cases"] == 0


@pytest.mark.parametrize(("when", "state"), [("run", {"exited", "given_up"}), ("start", {"exited"})])
def test_exit_code_0_before_the_end(when, state):
    document = check("exit_early", when, timeout=0.3)
    lost(document, *troubles(document))
    assert "exit code 0" in troubles(document)["exits_early"]["text"] and states(document) <= state


def test_a_program_that_does_not_start_to_speak():
    command = shlex.join([sys.executable, "-S", "-c", "import time; time.sleep(3600)"])
    document = run(Request(command, "l1_loss", start_timeout=0.5))
    lost(document, "hangs")
    assert "at its start" in troubles(document)["hangs"]["text"]


@pytest.mark.parametrize(
    ("command", "says"),
    [
        ("no-such-program-here", "no such file"), (str(HOSTILE), "permission denied"), ("'unclosed", "no closing quotation"),
        ("", "is empty"),
    ],
)  # fmt: skip
def test_a_command_that_cannot_be_run_is_one_sentence(command, says):
    with pytest.raises(UsageError, match=says):
        run(Request(command, "l1_loss"))


def test_a_loss_that_the_program_does_not_state():
    with pytest.raises(UsageError, match="it states no huber_loss, only l1_loss"):
        run(Request(shlex.join([sys.executable, "-S", str(HOSTILE / "honest.py")]), "huber_loss"))


def _state(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()[0]
    except OSError:
        return "gone"


def _gone(pid):
    """Dead, whether or not somebody has noticed."""
    for _ in range(100):
        if _state(pid) in ("gone", "Z", "X"):
            return True
        time.sleep(0.05)
    return False


def _kill(pid):
    os.kill(pid, signal.SIGKILL)

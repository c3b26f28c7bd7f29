"""refloss in somebody else's test suite: cases as parameters, the marker, assert_conforms, and what their messages say."""

import importlib.metadata
import os
import pathlib
import re
import shlex
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
import smooth_numpy
from smooth_numpy import huber, smooth

import refloss.boxes
from refloss_conformance import Case, UsageError, assert_conforms, expectations, options, vectors
from refloss_conformance.single import cases
from refloss_conformance.target import given

pytest_plugins = ("pytester",)
PATHS = os.pathsep.join(str(pathlib.Path(one).resolve()) for one in sys.path)
NAME = "refloss_conformance.pytest_plugin"
SMOOTH: dict[str, Any] = {"arrays": "numpy", "returns": "value_and_grad"}


def installed() -> bool:
    return any(one.value == NAME for one in importlib.metadata.entry_points(group="pytest11"))


def pytest_on(pytester: pytest.Pytester, text: str, *options: str) -> pytest.RunResult:
    """A user's folder: a file of tests, and pytest with the plugin (through its entry point where refloss is installed)."""
    pytester.makepyfile(test_theirs=text)
    pytester._monkeypatch.setenv("PYTHONPATH", PATHS)  # also where the folders on it were relative
    found = () if installed() else ("-p", NAME)
    return pytester.runpytest_subprocess("-W", "error", "--strict-markers", "-p", "no:cacheprovider", *found, *options)


THEIRS = """
    import numpy as np
    import pytest
    from refloss_conformance import assert_conforms, refloss_cases

    def l1(predictions, targets):
        return np.abs(predictions - targets)

    @pytest.mark.parametrize("case", refloss_cases("l1_loss"))
    def test_by_hand(case):
        case.check(l1(**case.inputs), np.sign(case.inputs["predictions"] - case.inputs["targets"]))

    @pytest.mark.refloss("smooth_l1_loss", dtype="float64", beta=1)
    def test_marked(refloss_case):
        difference = np.abs(refloss_case.inputs["predictions"] - refloss_case.inputs["targets"])
        refloss_case.check(np.where(difference < 1, 0.5 * difference**2, difference - 0.5))

    @pytest.mark.refloss("l1_loss", "float32")
    def test_wrong(refloss_case):
        refloss_case.check(np.where(l1(**refloss_case.inputs) == 0, 1.0, 0.0))

    def test_whole():
        assert_conforms(l1, "l1_loss")

    @pytest.fixture
    def refloss_case():
        return 3

    def test_a_fixture_of_their_own(refloss_case):
        assert refloss_case == 3
"""


def test_in_a_suite(pytester: pytest.Pytester) -> None:
    counts = {dtype: sum(1 for _ in vectors.load("l1_loss").cases(dtype)) for dtype in ("float32", "float64")}
    beta_1 = sum(group.parameters["beta"] == 1 for group, _ in vectors.load("smooth_l1_loss").cases("float64"))
    result = pytest_on(pytester, THEIRS, "-q")
    outcomes = result.parseoutcomes()
    some = [(float(case.value), float(case.batch.value.scale[0])) for case in cases("l1_loss")]
    small = [value for value, scale in some if 0 < value <= max(2.0**-17 * scale, 2.0**-125)]  # 0 is within 64 eps of these
    assert outcomes["failed"] == counts["float32"] - len(small)
    assert outcomes["passed"] == counts["float32"] + beta_1 + len(small) + 2
    result.stdout.fnmatch_lines(["E *AssertionError: l1_loss/default/p_0-t_0 (float32): the value is 1, wanted 0*"])
    text = result.stdout.str()
    assert "single.py" not in text, "the traceback shows our insides"


def test_ids_select_cases(pytester: pytest.Pytester) -> None:
    result = pytest_on(pytester, THEIRS, "-q", "-k", "test_by_hand and p_0-t_0")
    assert 1 <= result.parseoutcomes()["passed"] <= 5
    assert "failed" not in result.parseoutcomes()


def test_a_mistake_is_said_when_tests_are_collected(pytester: pytest.Pytester) -> None:
    result = pytest_on(pytester, "from refloss_conformance import refloss_cases\nrefloss_cases('l2_loss')")
    result.stdout.fnmatch_lines(["*there is no loss 'l2_loss'; there are *"])
    result = pytest_on(pytester, "import pytest\n@pytest.mark.refloss('l1_loss', beta=3)\ndef test(refloss_case): pass")
    result.stdout.fnmatch_lines(["*l1_loss has no parameter 'beta', it has none*"])


def test_the_marker_is_listed(pytester: pytest.Pytester) -> None:
    pytest_on(pytester, "", "--markers").stdout.fnmatch_lines(["@pytest.mark.refloss(loss, dtype='float32', [*][*]parameters): *"])


def test_the_plugin_costs_nothing_until_it_is_used() -> None:
    code = f"import sys, {NAME}; print([name for name in sys.modules if name.split('.')[0] in ('numpy', 'numba', 'refloss', 'rich')])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env={**os.environ, "PYTHONPATH": PATHS})
    assert done.stdout.strip() == "[]"


PAGE = pathlib.Path(__file__).parents[1] / "conformance" / "README.md"
MINE = """
import numpy as np, refloss
def my_l1(p, t):
    return np.abs(p - t), np.sign(p - t)
def my_ciou(boxes=None, target_boxes=None, reduction="none", pred=None, gt=None, **parameters):
    return refloss.ciou_loss(boxes if pred is None else pred, target_boxes if gt is None else gt, reduction=reduction, **parameters)
"""


def test_the_page_runs(pytester: pytest.Pytester) -> None:
    """Its Python as two files of tests, with functions that are right."""
    blocks = [one for one in re.findall(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL) if "refloss_conformance" in one]
    assert len(blocks) == 2
    whole = blocks[0].replace("my_ciou, ", "lambda pred, gt, reduction='mean', **named: my_ciou(pred=pred, gt=gt, **named), ")
    for block, passing in ((whole, 1), (blocks[1], len(cases("ciou_loss", box_format="xyxy")) + len(cases("l1_loss")))):
        result = pytest_on(pytester, MINE + block, "-q")
        assert result.parseoutcomes() == {"passed": passing}


def test_the_page_and_the_workflow_say_what_the_command_takes(tmp_path: pathlib.Path) -> None:
    page = PAGE.read_text("utf-8")
    workflow = (PAGE.parent / "examples" / "github-workflow.yml").read_text("utf-8")
    found = re.findall(r"(?:^    |`)(refloss (?:check|export|report|list|show)[^`\n#]*)", page, re.MULTILINE)
    found += [" ".join(text.split()) for text in re.findall(r"run: >\n((?:          .*\n)+)", workflow)]
    found += re.findall(r"run: (refloss [^>\n]*)", workflow)
    assert len(found) >= 8
    for text in found:
        options.parser("").parse_args(shlex.split(text.replace("...", "a:b"))[1:])
    path = tmp_path / "expect.toml"
    path.write_text(re.findall(r"```toml\n(.*?)```", page, re.DOTALL)[0], "utf-8")
    assert len(expectations.load(path).entries) == 1


# Single cases


def test_a_case_is_what_the_file_says() -> None:
    golden = {case.id: (group, case) for group, case in vectors.load("ciou_loss").cases("float32")}
    found = cases("ciou_loss", "float32")
    assert [case.id for case in found] == list(golden)
    for case in found[::37]:
        group, written = golden[case.id]
        assert dict(case.parameters) == dict(group.parameters) and case.flags == written.flags
        for name, array in case.inputs.items():
            assert array.dtype == np.float32 and array.tolist() == [float.fromhex(x) for x in written.inputs[name]]
        assert float(case.value) == float(written.value) and case.gradient.tolist() == [float(x) for x in written.gradient]
    assert isinstance(found[0], Case) and found[0].interpretation == 1


@pytest.mark.parametrize("dtype", vectors.DTYPES)
@pytest.mark.parametrize("loss", ["focal_loss", "softmax_cross_entropy_with_integer_labels", "giou_loss", "delta_coder.decode"])
def test_the_truth_passes_and_what_is_beside_it_does_not(loss: str, dtype: str) -> None:
    """The truth rounded to the dtype passes; the truth moved by 1000 eps of itself and of its scale fails."""
    for case in cases(loss, dtype)[::7]:
        value = case.value.astype(vectors.numpy_dtype(dtype)).astype(np.float64)
        case.check(value, case.gradient)
        if np.isfinite(case.value).all():
            size = np.maximum(np.abs(case.value), case.batch.value.scale[0])
            far = case.value + 1000 * vectors.EPS[dtype] * size + 4 * vectors.SMALLEST_NORMAL[dtype]
            with pytest.raises(AssertionError, match=rf"^{re.escape(case.id)} \({dtype}\): the value"):
                case.check(far)


def test_parameters_choose_settings() -> None:
    for case in cases("focal_loss", gamma=2, alpha=0.25):
        assert case.parameters["gamma"] == 2 and case.parameters["alpha"] == 0.25
    assert {case.parameters["alpha"] for case in cases("focal_loss", alpha=None)} == {None}
    for bad, says in (
        ({"gamma": 17}, "no golden vectors of focal_loss have gamma=17"),
        ({"dtype": "float8"}, "there is no dtype 'float8'"),
    ):
        with pytest.raises(UsageError, match=says):
            cases("focal_loss", **bad)


def case_of(one: str, dtype: str = "float32") -> Case:
    return next(case for case in cases(one.partition("/")[0], dtype) if case.id == one)


def test_the_sentence_of_a_failure() -> None:
    """By hand: gamma = 2, alpha = 1/4, x = 0, t = 1: 0.25 * 0.5^2 * log 2 = 0.0433216988."""
    case = case_of("focal_loss/alpha_0.25-gamma_2/x_0-t_1")
    case.check(0.0433216988)
    with pytest.raises(AssertionError) as caught:
        case.check(0.125)
    text = str(caught.value)
    assert text.startswith("focal_loss/alpha_0.25-gamma_2/x_0-t_1 (float32): the value is 0.125, wanted 0.0433216988: off by")
    assert "eps where 64 are allowed" in text and "\n" not in text
    case.check(0.0433216988 * (1 + 1e-3), eps=1e5)
    case.check(np.array([[0.0433216988]]))
    for answer, says in ((np.zeros(2), r"the value has the shape \(2,\), wanted \(\)"), ("0", "returned a str"), (None, None)):
        with pytest.raises(AssertionError if says else UsageError, match=says or "takes a value, a gradient or both"):
            case.check(answer)
    with pytest.raises(AssertionError, match=r"the value is nan, wanted 0\.0433.*: NaN, inf eps"):
        case.check(float("nan"))


def test_any_answer_at_a_kink_passes() -> None:
    """|p - t| at p = t has every slope from -1 to 1."""
    case = case_of("l1_loss/default/p_0-t_0")
    for slope in (-1, -0.3, 0, 1):
        case.check(0.0, slope)
    with pytest.raises(AssertionError, match=r"the gradient is 1.5, wanted 0 \(anything from -1 to 1\)"):
        case.check(gradient=1.5)


def test_errors_are_condition_aware() -> None:
    """1 - 0.99999994 is one rounding of the inputs: 0 is as good an answer as inputs that were rounded can give; 2e-5 is none."""
    case = case_of("l1_loss/default/p_1-t_0.99999994")
    case.check(0.0)
    with pytest.raises(AssertionError, match=r"the value is 2e-05, wanted 5\.96046448e-08"):
        case.check(2e-5)


def test_what_a_flag_means_is_part_of_the_sentence() -> None:
    case = next(case for case in cases("focal_loss") if case.notes)
    with pytest.raises(AssertionError, match=re.escape(case.notes[0])):
        case.check(-5.0)


def test_tensors_are_taken_as_they_come() -> None:
    torch = pytest.importorskip("torch")
    case = cases("giou_loss")[3]
    value = torch.tensor(case.value, requires_grad=True)
    case.check(value, torch.tensor(case.gradient)[None])
    with pytest.raises(AssertionError, match=r"the gradient \[2\] is"):
        case.check(value, torch.tensor(case.gradient + np.array([0, 0, 1, 0])))
    case = cases("l1_loss", "bfloat16")[0]
    case.check(torch.tensor(float(case.value), dtype=torch.bfloat16))


# Whole implementations


def test_right_implementations_conform() -> None:
    report = assert_conforms(smooth, "smooth_l1_loss", **SMOOTH)
    assert report["strict"] and report["callable"] == "smooth_numpy:smooth" and report["cases"] > 400
    assert_conforms(refloss.boxes.nms, "boxes.nms", arrays="numpy")
    only = assert_conforms(smooth, "smooth_l1_loss", param={"beta": 1.0}, dtype="float64", **SMOOTH)
    assert 0 < only["cases"] < 100


def test_a_module_a_partial_and_a_lambda() -> None:
    import functools

    torch = pytest.importorskip("torch")
    assert_conforms(torch.nn.L1Loss(reduction="none"), "l1_loss", arrays="torch")
    partial = functools.partial(torch.nn.functional.smooth_l1_loss, reduction="none")
    assert given(partial).package == "torch"
    assert_conforms(partial, "smooth_l1_loss", param={"beta": 1.0}, set={"beta": 1.0}, tier="training")
    assert_conforms(lambda a, b: (a - b).abs(), "l1_loss", map={"a": "predictions", "b": "targets"}, arrays="torch")


def test_a_wrong_implementation_is_named_with_its_effect() -> None:
    with pytest.raises(AssertionError) as caught:
        assert_conforms(huber, "smooth_l1_loss", **SMOOTH)
    lines = str(caught.value).split("\n")
    assert re.match(
        r"smooth_numpy:huber does not conform to smooth_l1_loss \(strict\): \d+ values and \d+ gradients fail in \d+ cases", lines[0]
    )
    assert any("it computes huber_for_smooth_l1 (" in line for line in lines)
    assert any("worst case smooth_l1_loss/beta_" in line for line in lines)
    assert any(re.search(r"got .*, wanted .* eps", line) for line in lines)
    assert len(lines) <= 8 and all(len(line) <= 900 for line in lines)


def test_scenes_are_told_too() -> None:
    def keep_all(boxes: Any, scores: Any, iou_threshold: float = 0.5) -> Any:
        return np.argsort(-scores, kind="stable")

    with pytest.raises(
        AssertionError, match=r"does not conform to boxes\.nms .*: \d+ answers fail(.|\n)*worst case boxes\.nms/(.|\n)*got \["
    ):
        assert_conforms(keep_all, "boxes.nms", arrays="numpy")


def test_an_unknown_fault_is_called_unknown() -> None:
    with pytest.raises(AssertionError, match=r"smooth_l1_loss \(strict\): \d+ gradients fail in"):
        assert_conforms(smooth_numpy.far_off, "smooth_l1_loss", **SMOOTH)
    with pytest.raises(AssertionError, match="no known deviation gives these results"):
        assert_conforms(smooth_numpy.far_off, "smooth_l1_loss", **SMOOTH)


def test_expectations_and_a_least_number(tmp_path: Any) -> None:
    path = tmp_path / "expect.toml"
    path.write_text('schema = 1\ninterpretation = 1\n[[expect]]\nid = "smooth_l1_loss/*"\nreason = "r"\n')
    report = assert_conforms(huber, "smooth_l1_loss", expect=path, **SMOOTH)
    assert report["expected"]["matched"] > 100
    with pytest.raises(AssertionError, match=r"stale: .*entry 1: smooth_l1_loss/\* no longer fails"):
        assert_conforms(smooth, "smooth_l1_loss", expect=path, **SMOOTH)
    with pytest.raises(AssertionError, match="cases ran, and at least 100000 must"):
        assert_conforms(smooth, "smooth_l1_loss", min_cases=100_000, **SMOOTH)


MISTAKES: list[tuple[Any, str, dict[str, Any], str]] = [
    (smooth, "l3_loss", {}, "there is no loss 'l3_loss'"),
    (smooth, "criteria.ssd", {}, "does not work: it raised TypeError"),
    (smooth, "criteria.ssd", {"reduction": "sum"}, "divides by itself"),
    (3, "l1_loss", {}, "must be a callable, got a int"),
    (dict, "l1_loss", {}, "got a class; make an instance"),
    (smooth, "smooth_l1_loss", {"tier": "lax"}, "tier is strict or training"),
    (smooth, "smooth_l1_loss", {"dtype": "float16"}, "dtype is float32 or float64"),
    (smooth, "smooth_l1_loss", {"pick": 0}, "codes and pick are for assigners"),
    (smooth, "smooth_l1_loss", {"map": {"p": "predictions"}}, "has no argument 'p'"),
    (smooth, "smooth_l1_loss", {"expect": "none.toml"}, "cannot be read"),
]


@pytest.mark.parametrize(("function", "loss", "given_options", "says"), MISTAKES)
def test_mistakes(function: Any, loss: str, given_options: dict[str, Any], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        assert_conforms(function, loss, **{"arrays": "numpy", "returns": "value_and_grad", **given_options})


def test_a_callable_may_write_into_its_inputs_and_reuse_its_result():
    memory = np.zeros(10_000)

    def in_place(predictions: Any, targets: Any) -> Any:
        predictions -= targets
        return np.abs(predictions, out=predictions)

    def one_buffer(predictions: Any, targets: Any) -> Any:
        found = memory.view(predictions.dtype)[: predictions.size]
        found[:] = np.abs(predictions - targets)
        return found

    for function in (in_place, one_buffer, in_place):  # the golden cases are as they were
        assert_conforms(function, "l1_loss")


def test_a_dtype_without_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    """One sentence, and no talk of parameters that nothing has."""
    monkeypatch.setitem(sys.modules, "ml_dtypes", None)
    with pytest.raises(UsageError, match=r"^bfloat16 needs ml_dtypes, which is not installed$"):
        cases("l1_loss", "bfloat16")

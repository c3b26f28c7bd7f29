"""The oracle itself: closed forms, a second way to differentiate, hand-worked checkpoints, and that it makes what is committed."""

import itertools
import math
import pathlib
import sys
from typing import Any

import numpy as np
import pytest
from mpmath import mp

import refloss
from refloss._engine.record import REGISTRY
from refloss._engine.xp import numpy_xp
from refloss_conformance import vectors
from refloss_conformance.dual import Dual, Ties, dual_xp
from refloss_conformance.gradients import conditioned, value_and_gradient, value_scale

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "conformance"))  # the oracle is not installed
from oracle import fit, generate
from oracle.inputs import exact_dtypes, inputs_for, number_slug
from oracle.mp import exact_parameters, mp_xp, numbers
from oracle.oracle import Truth, truths

NAMES = sorted(REGISTRY)
DIGITS = mp.mpf(10) ** -38


def truth(name: str, first: Any, second: Any, **parameters: Any) -> Truth:
    """Of one case."""
    loss = REGISTRY[name]
    kind = np.int64 if loss.targets == "labels" else np.float64
    given = {**loss.defaults, **parameters}
    return truths(loss.formula, loss.kind, np.array([first], np.float64), np.array([second], kind), given)[0]


def close(got: Any, want: Any) -> bool:
    """To 38 digits; write what is wanted with exact numbers, or compute it under mp.workdps."""
    with mp.workdps(60):
        return all(abs(g - w) <= DIGITS * max(1, abs(w)) for g, w in zip(np.ravel(got), np.ravel(want), strict=True))


def exactly(text: str) -> Any:
    with mp.workdps(60):
        return mp.mpf(text)


def logit(p: str) -> Any:
    with mp.workdps(60):
        return mp.log(mp.mpf(p) / (1 - mp.mpf(p)))


def test_closed_forms_of_cross_entropy_and_focal_loss() -> None:
    with mp.workdps(60):
        assert close(truth("binary_cross_entropy", 0.0, 1.0).value, mp.log(2))
        assert close(truth("binary_cross_entropy", 0.0, 1.0).gradient, mp.mpf("-0.5"))
        assert close(truth("binary_cross_entropy", -1000.0, 1.0).value, 1000 + mp.log1p(mp.exp(-1000)))
        assert close(truth("binary_cross_entropy", 2.0, 0.25).gradient, 1 / (1 + mp.exp(-2)) - mp.mpf("0.25"))
        assert close(truth("focal_loss", 0.0, 1.0).value, mp.log(2) / 16)
        assert close(truth("focal_loss", 0.0, 0.0).value, 3 * mp.log(2) / 16)
        assert close(truth("focal_loss", 0.0, 1.0).gradient, -(1 + 2 * mp.log(2)) / 32)
        assert close(truth("focal_loss", 3.0, 1.0, alpha=None, gamma=0.0).value, mp.log1p(mp.exp(-3)))
        p = 1 / (1 + mp.exp(17))
        gradient = (1 - p) ** 2 * (2 * p * mp.log(p) + p - 1) / 4  # the paper's appendix: y (1 - p_t)^gamma (gamma p_t log p_t + p_t - 1)
        assert close(truth("focal_loss", -17.0, 1.0).gradient, gradient)


def test_closed_forms_of_softmax() -> None:
    with mp.workdps(60):
        equal = truth("softmax_cross_entropy_with_integer_labels", [2.0, 2.0, 2.0], 1)
        assert close(equal.value, mp.log(3))
        assert close(equal.gradient, [mp.mpf(1) / 3, mp.mpf(-2) / 3, mp.mpf(1) / 3])
        sigmoid_pair = truth("softmax_cross_entropy_with_integer_labels", [3.0, 0.0], 0)
        assert close(sigmoid_pair.value, truth("binary_cross_entropy", 3.0, 1.0).value)
        far = truth("softmax_cross_entropy_with_integer_labels", [1000.0, 0.0], 0)
        assert mp.almosteq(far.value, mp.exp(-1000), rel_eps=mp.mpf(10) ** -38)


def test_closed_forms_of_regression() -> None:
    assert close(truth("squared_error", 5.0, 3.0).value, 4)
    assert close(truth("squared_error", 5.0, 3.0).gradient, 4)
    assert close(truth("smooth_l1_loss", 0.5, 0.0, beta=4.0).value, mp.mpf(1) / 32)
    assert close(truth("smooth_l1_loss", 8.0, 0.0, beta=4.0).value, 6)
    assert close(truth("huber_loss", 8.0, 0.0, delta=4.0).value, 24)
    assert close(truth("huber_loss", -8.0, 0.0, delta=4.0).gradient, -4)
    kink = truth("l1_loss", 1.5, 1.5)
    assert (kink.value, kink.gradient, kink.gradient_low, kink.gradient_high) == (0, 0, -1, 1)


A, B, C = ((10, 10, 50, 40), (20, 15, 70, 60)), ((0, 0, 20, 10), (0, 0, 10, 20)), ((0, 0, 10, 20), (30, 25, 60, 40))


@pytest.mark.parametrize(
    ("name", "parameters", "wanted"),
    [
        ("iou_loss", {}, (0.722222, 0.666667, 1.0)),
        ("iou_loss", {"kind": "log"}, (1.280934, 1.098612, 13.815511)),
        ("iou_loss", {"kind": "squared"}, (0.922840, 0.888889, 1.0)),
        ("giou_loss", {}, (0.822222, 0.916667, 1.729167)),
        ("diou_loss", {}, (0.784722, 0.729167, 1.405048)),
        ("ciou_loss", {}, (0.784737, 0.762918, 1.429166)),
    ],
)
def test_box_losses_of_three_pairs_worked_out_elsewhere(name: str, parameters: Any, wanted: tuple[float, ...]) -> None:
    for pair, value in zip((A, B, C), wanted, strict=True):
        assert float(truth(name, *pair, **parameters).value) == pytest.approx(value, abs=6e-7)


def test_box_losses_by_hand() -> None:
    """Pair B: I = 100, U = 300, hull 20 x 20, centres (10, 5) and (5, 10); arctan 2 - arctan 1/2 = arctan 3/4."""
    with mp.workdps(60):
        assert close(truth("iou_loss", *B).value, mp.mpf(2) / 3)
        assert close(truth("giou_loss", *B).value, mp.mpf(2) / 3 + mp.mpf(1) / 4)
        assert close(truth("diou_loss", *B).value, mp.mpf(2) / 3 + mp.mpf(50) / 800)
        v = 4 / mp.pi**2 * mp.atan(mp.mpf(3) / 4) ** 2
        want = mp.mpf(2) / 3 + mp.mpf(1) / 16 + v * v / (mp.mpf(2) / 3 + v)
        assert close(truth("ciou_loss", *B).value, want), "is 4 / pi^2 in the formula as precise as the oracle?"
    inside = truth("iou_loss", (2, 3, 6, 8), (0, 0, 10, 10))  # IoU = 20 / 100: d/dx1 = h / 100
    assert close(inside.value, exactly("0.8"))
    assert close(inside.gradient, [exactly(text) for text in ("0.05", "0.04", "-0.05", "-0.04")])


@pytest.mark.parametrize(
    ("p", "target", "alpha", "gamma", "value", "digits"),
    [
        ("0.95", 1, None, 0.0, 0.0512932943875505, 1e-15),
        ("0.05", 1, None, 0.0, 2.995732273553991, 1e-15),
        ("0.95", 1, 0.25, 0.0, 0.0128, 5e-5),
        ("0.05", 0, 0.25, 0.0, 0.038, 5e-4),
        ("0.95", 1, 0.25, 2.0, 3.2058308992219e-5, 1e-17),
        ("0.05", 0, 0.25, 2.0, 9.61e-5, 1e-7),
        ("0.05", 1, 0.25, 2.0, 0.675912094220619, 1e-15),
        ("0.95", 0, 0.25, 2.0, 2.027736282661858, 1e-14),
        ("0.99", 1, 0.25, 2.0, 2.51e-7, 5e-10),
        ("0.01", 0, 0.25, 2.0, 7.5377518901261e-7, 1e-19),
        ("0.9", 1, None, 2.0, 0.00105, 5e-6),  # published as 0.00045, with log10 for ln
        ("0.9", 1, None, 0.0, 0.105, 5e-4),  # published as 0.0457
    ],
)
def test_published_worked_examples(p: str, target: int, alpha: float | None, gamma: float, value: float, digits: float) -> None:
    formula = REGISTRY["focal_loss"].formula
    with mp.workdps(50):
        x, t = np.array([logit(p)], object), numbers([target])
        got = value_and_gradient(formula, (x, t), exact_parameters({"alpha": alpha, "gamma": gamma}), base=mp_xp)[0][0]
        assert abs(got - mp.mpf(value)) <= digits * 1.01


def sample(name: str) -> list[tuple[dict[str, Any], Any, Any]]:
    """Golden cases of a loss away from kinks: (parameters, first, second), a few of each group."""
    loss, golden, found = REGISTRY[name], vectors.load(name), []
    for group in golden.groups:
        cases = [case for case in group.cases if not {"tie", "threshold", "zero_size", "tiny"} & set(case.flags)]
        for case in cases[:: max(1, len(cases) // 8)]:
            one, two = (case.inputs[n] for n in golden.inputs)
            wanted = vectors.words(case.value), vectors.words(case.gradient)
            found.append((dict(group.parameters), hexes(one), two if loss.targets == "labels" else hexes(two), wanted))
    return found


def hexes(nested: Any) -> Any:
    return [hexes(x) for x in nested] if isinstance(nested, list) else float.fromhex(nested)


@pytest.mark.parametrize("name", NAMES)
def test_gradients_agree_with_central_differences(name: str) -> None:
    """A second differentiation: differences of the plain formula at 250 digits, no dual number involved.

    Where the formula holds a term constant, so does the difference: stop_gradient answers what it was at the middle.
    """
    loss = REGISTRY[name]
    for parameters, first, second, (_, gradient) in sample(name):
        with mp.workdps(250):
            exact = exact_parameters(parameters)
            x = numbers([first])
            t = np.array([second]) if loss.targets == "labels" else numbers([second])
            held: list[Any] = []
            frozen = type(mp_xp)(**{**vars(mp_xp), "stop_gradient": lambda v, held=held: held.append(v) or v})
            loss.formula(frozen, x, t, **exact)
            wanted = np.ravel(gradient[0])
            for j in range(x.size):
                ends, step = [], max(1, abs(x.flat[j])) * mp.mpf(10) ** -40
                for sign in (1, -1):
                    moved = x.copy()
                    moved.flat[j] += sign * step
                    values = iter(held)
                    fixed = type(mp_xp)(**{**vars(mp_xp), "stop_gradient": lambda v, values=values: next(values)})
                    result = loss.formula(fixed, moved, t, **exact)
                    ends.append(np.sum(result))
                difference = float((ends[0] - ends[1]) / (2 * step))
                assert difference == pytest.approx(wanted[j], rel=1e-14, abs=1e-30), f"{parameters} {first} {second} [{j}]"


@pytest.mark.parametrize("name", NAMES)
def test_a_slightly_wrong_formula_is_seen(name: str) -> None:
    """One primitive that is off by 1e-9 moves golden values: the vectors would not be what is committed."""
    loss = REGISTRY[name]
    changed = dict.fromkeys(("softplus", "log1p", "abs", "maximum", "exp"), 0)
    worst = 0.0
    for primitive in changed:
        right = getattr(mp_xp, primitive)
        wrong = type(mp_xp)(**{**vars(mp_xp), primitive: lambda *a, right=right: right(*a) * (1 + mp.mpf(10) ** -9)})
        for parameters, first, second, (value, _) in sample(name)[:12]:
            x, t = numbers([first]), np.array([second]) if loss.targets == "labels" else numbers([second])
            got = np.ravel(loss.formula(wrong, x, t, **exact_parameters(parameters))).astype(float)
            want = np.ravel(value[0])
            worst = max(worst, float(np.max(np.abs(got - want) / np.maximum(np.abs(want), 1e-3))))
    assert worst > 1e-10 or name == "squared_error"  # which uses no primitive


def test_formula_checksum_follows_what_the_formula_calls() -> None:
    sums = {name: generate.formula_sha256(REGISTRY[name].formula) for name in NAMES}
    assert sums["focal_loss_with_integer_labels"] != sums["focal_loss"]
    for name in NAMES:
        assert vectors.load(name).formula_sha256 == sums[name], f"{name}: the formula changed; run python -m oracle.generate"


def test_generated_twice_is_the_same_and_as_committed() -> None:
    """All files are compared with the committed ones; a second generation, of three losses of three kinds, with the first."""
    first = generate.texts(NAMES)
    for name, text in first.items():
        committed = (vectors.FOLDER / f"{name}.json").read_text("utf-8")
        assert text == committed, f"{name}: the committed vectors are not what the oracle makes; run python -m oracle.generate"
    for name in ("focal_loss", "smooth_l1_loss", "softmax_cross_entropy_with_integer_labels"):
        assert generate.text_of(name) == first[name]


def test_generate_check_finds_a_changed_file(tmp_path: Any, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--folder", str(tmp_path), "l1_loss"]
    assert generate.main([*arguments, "--check"]) == 1
    assert generate.main(arguments) == 0
    assert generate.main([*arguments, "--check"]) == 0
    path = tmp_path / "l1_loss.json"
    path.write_text(path.read_text("utf-8").replace('"value": "0.125"', '"value": "0.126"', 1), "utf-8")
    assert generate.main([*arguments, "--check"]) == 1
    assert "DIFFERS" in capsys.readouterr().out


@pytest.mark.parametrize("name", NAMES)
def test_chosen_inputs_are_spread(name: str) -> None:
    """Constant or one-sided inputs prove nothing."""
    loss = REGISTRY[name]
    for setting in loss.settings:
        parameters = {**loss.defaults, **setting}
        cases = inputs_for(loss, parameters, generate.group_slug(parameters))
        numbers_of = [np.concatenate([np.ravel(c.first), np.ravel(c.second)]).astype(float) for c in cases]
        everything = np.concatenate(numbers_of)
        assert (everything > 0).any()
        assert (everything < 0).any()
        assert (everything == 0).any()
        sizes = np.abs(everything[everything != 0])
        assert np.log10(sizes.max()) - np.log10(sizes.min()) > 4
        assert len({tuple(row) for row in numbers_of}) == len(cases)
        if loss.targets == "labels":
            assert {np.size(c.first) for c in cases} >= {1, 2, 3, 21}
            assert {c.second for c in cases} >= {0, 1, 2, 7, 20, refloss.IGNORE}
        if loss.targets == "unit":
            assert {0.0, 1.0, 0.5} <= {c.second for c in cases}


def test_every_extra_input_is_used_by_some_group() -> None:
    from oracle import boxes, logits

    for name, extra in (("focal_loss", logits.extra()), ("ciou_loss", boxes.extra())):
        ids = {case.id.rsplit("/", 1)[1] for _, case in vectors.load(name).cases()}
        assert {case.slug for case in extra} <= ids


def test_exact_dtypes_and_slugs() -> None:
    assert exact_dtypes([1.0, -0.5]) == ["float64", "float32", "float16", "bfloat16"]
    assert exact_dtypes([709.0]) == ["float64", "float32", "float16"]
    assert exact_dtypes([1e5]) == ["float64", "float32"]
    assert exact_dtypes([0.1]) == ["float64"]
    assert number_slug(-16.625) == "m16.625"
    assert number_slug(1e-30) == "1em30"
    assert number_slug(0.1) != number_slug(float(np.float32(0.1)))


def test_ties_enumerate_the_corners_of_a_kink() -> None:
    touching = truth("iou_loss", (0, 0, 10, 10), (10, 0, 20, 10))
    assert close([touching.gradient_low[2], touching.gradient_high[2]], [exactly("-0.05"), 0])
    assert close(touching.gradient[2], exactly("-0.025"))  # the middle
    weighted = [dual_xp(numpy_xp, ties=Ties([w])).maximum(Dual(np.ones(1), (np.ones(1),)), np.ones(1)).tangents[0][0] for w in (0, 1)]
    assert weighted == [0, 1]


def test_conventions_at_ties() -> None:
    xp = dual_xp(numpy_xp)
    x, one = Dual(np.array([0.0, 2.0, -2.0]), (np.ones(3),)), np.zeros(3)
    np.testing.assert_array_equal(xp.maximum(x, one).tangents[0], [0.5, 1, 0])
    np.testing.assert_array_equal(xp.minimum(x, one).tangents[0], [0.5, 0, 1])
    np.testing.assert_array_equal(xp.abs(x).tangents[0], [0, 1, -1])
    np.testing.assert_array_equal(xp.stop_gradient(x).value, x.value)
    assert xp.stop_gradient(x).tangents == (0,)
    unity = xp.power(Dual(np.array([0.0, 0.5]), (np.ones(2),)), 0.0)
    np.testing.assert_array_equal(unity.value, [1, 1])
    assert unity.tangents == (0,)
    half = xp.power(Dual(np.array([0.0, 0.25]), (np.ones(2),)), 0.5)
    np.testing.assert_array_equal(half.tangents[0], [0, 1])
    largest = xp.max(Dual(np.array([[1.0, 1.0, 0.0]]), (np.array([[1.0, 0.0, 0.0]]),)))
    np.testing.assert_array_equal(largest.tangents[0], [0.5])
    with pytest.raises(TypeError, match=r"xp\.abs"):
        abs(x)


PRIMITIVES = {
    "exp": lambda xp, x: xp.exp(x), "log": lambda xp, x: xp.log(x), "log1p": lambda xp, x: xp.log1p(x), "sqrt": lambda xp, x: xp.sqrt(x),
    "softplus": lambda xp, x: xp.softplus(-x), "sigmoid": lambda xp, x: xp.sigmoid(x), "power": lambda xp, x: xp.power(x, 0.3),
    "arctan2": lambda xp, x: xp.arctan2(x * x, 1 + x), "divide": lambda xp, x: (1 - x) / (2 + x) - 3 / x + x / 2,
    "cube": lambda xp, x: x**3 - x, "where": lambda xp, x: xp.where(x > 0.5, x * x, -x),
    "extremes": lambda xp, x: xp.maximum(x, 0.5) * xp.minimum(0.7, x),
    "rows": lambda xp, x: xp.sum(xp.stack([x, x * x, 1 + 0 * x])) * xp.max(xp.stack([x, 0.55 + 0 * x])),
}  # fmt: skip


@pytest.mark.parametrize("name", PRIMITIVES)
def test_first_and_second_derivatives_of_every_primitive(name: str) -> None:
    """Nested duals against mpmath's numerical differentiation."""
    f = PRIMITIVES[name]
    for point in (0.3, 0.6, 0.9):
        x = np.array([point])
        inner = Dual(x, (np.ones(1),))
        outer = f(dual_xp(dual_xp(numpy_xp)), Dual(inner, (np.ones(1),)))
        slope = outer.tangents[0]
        with mp.workdps(40):
            plain = lambda v: f(mp_xp, np.array([v], object))[0]  # noqa: E731
            assert outer.value.value[0] == pytest.approx(float(plain(mp.mpf(point))), rel=1e-13)
            assert slope.value[0] == pytest.approx(float(mp.diff(plain, point)), rel=1e-12)
            second = slope.tangents[0][0] if isinstance(slope, Dual) and not isinstance(slope.tangents[0], int) else 0.0
            assert second == pytest.approx(float(mp.diff(plain, point, 2)), rel=1e-10, abs=1e-12)


@pytest.mark.parametrize("name", NAMES)
def test_numpy_and_mpmath_agree_and_softmax_shift_cancels(name: str) -> None:
    """The same duals over float64; and value, gradient and scales of every entry point are the same numbers."""
    loss = REGISTRY[name]
    for parameters, first, second, (value, gradient) in sample(name)[:20]:
        x, t = np.array([first]), np.array([second])
        fine = conditioned(loss.formula, (x, t), parameters, kind=loss.kind)
        one, slope = value_and_gradient(loss.formula, (x, t), parameters, kind=loss.kind)
        np.testing.assert_array_equal(fine.value, one)
        np.testing.assert_allclose(fine.gradient, slope, rtol=1e-12, atol=1e-300)
        np.testing.assert_allclose(value_scale(loss.formula, (x, t), parameters, kind=loss.kind), fine.value_scale, rtol=1e-6, atol=1e-300)
        np.testing.assert_allclose(np.ravel(one), np.ravel(value[0]), rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(np.ravel(slope), np.ravel(gradient[0]), rtol=1e-7, atol=1e-12)
        if loss.kind == "rows":
            with mp.workdps(60):
                given = (numbers(x), t)
                both = [
                    value_and_gradient(loss.formula, given, exact_parameters(parameters), kind="rows", base=mp_xp, transparent=way)
                    for way in (True, False)
                ]
                assert all(abs(a - b) < DIGITS for a, b in zip(both[0][1].flat, both[1][1].flat, strict=True))


def test_labels_are_elementwise_in_their_logits() -> None:
    """The kind "labels" says that a logit's loss depends on that logit alone; the one direction used for it relies on that."""
    loss = REGISTRY["focal_loss_with_integer_labels"]
    logits, labels = np.array([[1.0, 2.0, 3.0]]), np.array([1])
    before = loss.formula(numpy_xp, logits, labels, alpha=0.25, gamma=2.0)
    for j in range(3):
        moved = logits.copy()
        moved[0, j] += 1
        same = loss.formula(numpy_xp, moved, labels, alpha=0.25, gamma=2.0) == before
        assert same.tolist() == [[k != j for k in range(3)]]


def test_polynomials_are_what_the_fit_gives() -> None:
    from refloss._engine import polynomials

    for name, (coefficients, _) in fit.tables().items():
        assert tuple(map(float, getattr(polynomials, f"_{name}"))) == coefficients


def test_precision_rises_until_two_agree() -> None:
    """A formula that cancels 200 digits is still right, and an exact zero is found out."""

    def cancelling(xp: Any, x: Any, t: Any) -> Any:
        return (xp.exp(500 * x) + t) - xp.exp(500 * x)

    found = truths(cancelling, "elementwise", np.array([1.0]), np.array([0.1]), {})[0]
    assert close(found.value, mp.mpf(0.1))
    assert found.gradient == 0
    assert math.isclose(float(found.value_scale), 0.1)


def test_broken_order_of_arguments_is_seen() -> None:
    values = {float(truth("ciou_loss", *pair).value) for pair in itertools.permutations((*A,), 2)}
    gradients = [truth("ciou_loss", *pair).gradient for pair in (A, A[::-1])]
    assert len(values) <= 2
    assert not close(*gradients)

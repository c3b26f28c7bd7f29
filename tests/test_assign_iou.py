"""refloss.assign.max_iou and ssd: by hand, against slow references, against torchvision's own code."""

import re
import tracemalloc
from collections.abc import Iterator
from typing import Any

import harnesses.torchvision_losses  # noqa: F401  lets torchvision be imported

# isort: split
import numba
import numpy as np
import pytest
import torch
from assign_scenes import KINDS, boxes, numbers, scenes
from numba import types
from test_engine import products_in_sums
from torchvision.models.detection._utils import Matcher, SSDMatcher  # type: ignore[import-untyped]
from torchvision.ops import box_iou  # type: ignore[import-untyped]

import refloss
from oracle.decisions import Decisions
from oracle.references.max_iou import max_iou as max_iou_reference
from oracle.references.ssd import ssd as ssd_reference
from refloss import IGNORE, NEGATIVE, ReflossError
from refloss._engine.compile import OPTIONS, teach_cpu
from refloss.assign import _streams, max_iou, ssd
from refloss.coders import DeltaCoder

Array = np.ndarray[Any, Any]
TWO = [[0.0, 0, 10, 10], [10, 0, 20, 10], [0, 10, 10, 20], [10, 10, 20, 20]]  # a grid of 2 x 2 cells, 10 pixels wide
THREE = [[10.0 * c, 10 * r, 10 * c + 10, 10 * r + 10] for r in range(3) for c in range(3)]
PAPER: dict[str, Any] = {"low_quality_matches": True}
SETTINGS: list[dict[str, Any]] = [
    {},
    {"low_quality_matches": True},
    {"low_quality_matches": True, "dialect": "torchvision"},
    {"low_quality_matches": True, "dialect": "mmdet", "positive_threshold": 0.7, "negative_threshold": 0.3},
    {"positive_threshold": 0.5, "negative_threshold": 0.5},
]
DIALECTS = ("paper", "caffe", "ssd.pytorch", "torchvision")


def answer(assignment: Any) -> tuple[list[int], list[tuple[int, int]]]:
    return assignment.gt_index.tolist(), [tuple(pair) for pair in assignment.pairs.tolist()]


# By hand.


def test_max_iou_on_two_by_two() -> None:
    wide, whole = [0.0, 0, 20, 10], [0.0, 0, 20, 20]  # IoU 1/2 with two cells; 1/4 with each cell
    assert max_iou(TWO, [wide]).gt_index.tolist() == [0, 0, NEGATIVE, NEGATIVE], "an IoU of the positive threshold is positive"
    assert max_iou(TWO, [whole]).gt_index.tolist() == [NEGATIVE] * 4
    assert max_iou(TWO, [whole], negative_threshold=0.25).gt_index.tolist() == [IGNORE] * 4, (
        "an IoU of the negative threshold is not below it"
    )
    assert max_iou(TWO, [whole], **PAPER).gt_index.tolist() == [0] * 4, "all that attain the largest IoU"
    assert max_iou(TWO, [whole, wide], **PAPER).gt_index.tolist() == [1, 1, 0, 0], "each keeps its own best truth"
    assert max_iou(TWO, [wide, wide]).gt_index.tolist() == [0, 0, NEGATIVE, NEGATIVE], "of equal truths the first"
    assert max_iou(TWO, []).gt_index.tolist() == [NEGATIVE] * 4
    assert max_iou([], [wide], **PAPER).gt_index.shape == (0,)


def test_low_quality_matches() -> None:
    priors, truths = [[0.0, 0, 10, 10], [50, 50, 60, 60]], [[0.0, 0, 10, 10], [0, 0, 10, 2], [90, 0, 99, 9]]
    assert max_iou(priors, truths, **PAPER).gt_index.tolist() == [0, NEGATIVE], "truth 1 does not take the prior of truth 0"
    assert max_iou(priors, truths[:2], **PAPER, dialect="mmdet").gt_index.tolist() == [1, NEGATIVE]
    assert max_iou(priors, truths, **PAPER, dialect="mmdet").gt_index.tolist() == [2, 2]
    assert max_iou(priors, truths, **PAPER, dialect="torchvision").gt_index.tolist() == [0, 0]
    for dialect in ("paper", "torchvision", "mmdet"):
        assert max_iou(priors, truths, dialect=dialect).gt_index.tolist() == [0, NEGATIVE], "without low-quality matches all agree"
        assert max_iou(priors, [], **PAPER, dialect=dialect).gt_index.tolist() == [NEGATIVE, NEGATIVE]


def test_a_truth_outside_the_image_matches_nothing() -> None:
    priors = boxes(np.random.default_rng(0), 1000, "anywhere")
    outside, line = [[100.0, 100, 110, 110]], [[0.0, 0, 20, 0]]
    for truths in (outside, line):
        assert not max_iou(priors, truths, **PAPER).positive.any()
        for dialect in ("torchvision", "mmdet"):
            assert max_iou(priors, truths, **PAPER, dialect=dialect).positive.sum() == 1000
        assert not ssd(priors, truths).positive.any()
        assert ssd(priors, truths, dialect="torchvision").pairs.tolist() == [[0, 0]]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_thresholds_are_rounded_as_the_iou_is(dtype: Any) -> None:
    prior, truth = np.array([[0, 0, 7, 10]], dtype), np.array([[0, 0, 10, 10]], dtype)  # IoU 7/10; in float32 it is below 0.7
    assert max_iou(prior, truth, positive_threshold=0.7, negative_threshold=0.3).gt_index.tolist() == [0]
    assert max_iou(prior, truth, positive_threshold=0.8, negative_threshold=0.7).gt_index.tolist() == [IGNORE]


def test_ssd_on_three_by_three() -> None:
    centre, around = [10.0, 10, 20, 20], [8.0, 8, 22, 22]  # both overlap cell 4 most; `around` then cells 1, 3, 5, 7 alike
    free = [NEGATIVE] * 9
    assert ssd(THREE, [centre, around]).gt_index.tolist() == [-1, 1, -1, -1, 0, -1, -1, -1, -1], "the smaller of equal priors"
    assert ssd(THREE, [around, centre]).gt_index.tolist() == [-1, 0, -1, -1, 1, -1, -1, -1, -1]
    for dialect in ("ssd.pytorch", "torchvision"):
        assert ssd(THREE, [centre, around], dialect=dialect).gt_index.tolist() == [*free[:4], 1, *free[5:]], "truth 0 is lost"
    assert ssd(THREE, [centre] * 3).gt_index.tolist() == [*free[:4], 0, *free[5:]], "the copies meet no other cell"
    assert ssd(THREE, []).gt_index.tolist() == free
    assert ssd([], [centre], dialect="torchvision").gt_index.shape == (0,)


def test_ssd_matches_the_rest_by_iou() -> None:
    priors = [[0.0, 0, 10, 10], [0, 0, 10, 8], [0, 0, 10, 5], [0, 0, 10, 4]]  # IoU 1, 0.8, 0.5, 0.4
    assert ssd(priors, [[0.0, 0, 10, 10]]).gt_index.tolist() == [0, 0, 0, NEGATIVE], "an IoU of the threshold matches"
    assert ssd(priors, [[0.0, 0, 10, 10]], threshold=0.9).gt_index.tolist() == [0, NEGATIVE, NEGATIVE, NEGATIVE]
    far_better = [[0.0, 0, 10, 10], [0, 0, 10, 7]]  # prior 1 is the best of truth 1 (7/8), and overlaps truth 0 at 8/10
    assert ssd(priors, far_better).gt_index.tolist() == [0, 1, 1, 1]


def test_more_truths_than_priors() -> None:
    truths = [[0.0, 0, 10, 4], [0, 0, 10, 9], [0, 0, 10, 6]]
    assert ssd([[0.0, 0, 10, 10]], truths).gt_index.tolist() == [1]
    assert ssd([[0.0, 0, 10, 10], [0, 0, 10, 3]], truths).gt_index.tolist() == [1, 0]
    assert ssd([[0.0, 0, 10, 10]], truths, dialect="ssd.pytorch").gt_index.tolist() == [2]


def test_equal_ious_go_by_prior_and_then_by_truth() -> None:
    """All at 1/3: (0, 0), (0, 1), (1, 1), (1, 2). Truth 1 loses prior 0 to truth 0, and still comes before truth 2 at prior 1."""
    priors = [[0.0, 0, 10, 10], [20, 0, 30, 10]]
    assert ssd(priors, [[0.0, 0, 10, 30], [0, 0, 30, 10], [20, 0, 30, 30]]).gt_index.tolist() == [0, 1]


@pytest.mark.parametrize("n", [900, 5000])
def test_ssd_in_a_crowd(n: int) -> None:
    """300 truths of three kinds compete for the same priors, in one chunk and across several, until none is free."""
    rng = np.random.default_rng(n)
    priors = boxes(rng, n, "anywhere", np.float32, 64.0)
    truths = np.repeat(boxes(rng, 3, "anywhere", np.float32, 64.0), 100, axis=0)[rng.permutation(300)]
    want = greedy(matrix(priors, truths).numpy())
    assert len(set(want)) > 200, "most truths have a prior of their own"
    assert ssd(priors, truths).gt_index.tolist() == want


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_an_area_that_overflows_has_no_overlap(dtype: Any) -> None:
    side = np.sqrt(np.finfo(dtype).max)
    for half, index in ((0.4, 0), (0.9, NEGATIVE), (1.5, NEGATIVE)):  # the sum of areas finite; infinite; each area infinite
        one = np.array([[0, 0, side * half, side]], dtype)
        assert max_iou(one, one).gt_index.tolist() == ssd(one, one).gt_index.tolist() == [index]


def test_caffe_does_not_see_an_overlap_of_one_in_a_million() -> None:
    for side, seen in ((1000.0, [NEGATIVE]), (999.0, [0])):
        truth = [[0.0, 0, side, side]]
        assert ssd([[0.0, 0, 1, 1]], truth, dialect="caffe").gt_index.tolist() == seen
        assert ssd([[0.0, 0, 1, 1]], truth).gt_index.tolist() == [0]


# Against the references: 10^4 scenes each.


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("setting", range(len(SETTINGS)))
def test_max_iou_is_its_reference(setting: int, dtype: Any) -> None:
    for turn, (priors, truths) in enumerate(scenes(1000, dtype, seed=setting)):
        want = max_iou_reference(Decisions(), numbers(priors), numbers(truths), **SETTINGS[setting])
        assert answer(max_iou(priors, truths, **SETTINGS[setting])) == want, f"scene {turn}"


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("dialect", DIALECTS)
def test_ssd_is_its_reference(dialect: Any, dtype: Any) -> None:
    threshold = 0.5 if dialect != "caffe" else 0.3
    for turn, (priors, truths) in enumerate(scenes(1250, dtype, seed=len(dialect), priors=10)):
        want = ssd_reference(Decisions(), numbers(priors), numbers(truths), threshold=threshold, dialect=dialect)
        assert answer(ssd(priors, truths, threshold=threshold, dialect=dialect)) == want, f"scene {turn}"


# Against torchvision. Its 0 / 0, of two boxes without area, counts as 0 here.


def matrix(priors: Array, truths: Array) -> torch.Tensor:
    return torch.nan_to_num(box_iou(torch.from_numpy(truths), torch.from_numpy(priors)))


@pytest.fixture
def one_thread() -> Iterator[None]:
    """Small tensors: waking torch's threads costs more than the work."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.usefixtures("one_thread")
def test_torchvision_on_small_scenes(dtype: Any) -> None:
    for priors, truths in scenes(300, dtype, seed=9):
        if not len(priors) or not len(truths):
            continue
        iou = matrix(priors, truths)
        for high, low, low_quality in ((0.5, 0.4, True), (0.7, 0.3, True), (0.5, 0.4, False)):
            keywords: dict[str, Any] = {"positive_threshold": high, "negative_threshold": low, "low_quality_matches": low_quality}
            want = Matcher(high, low, allow_low_quality_matches=low_quality)(iou).tolist()
            assert max_iou(priors, truths, **keywords, dialect="torchvision").gt_index.tolist() == want
        assert ssd(priors, truths, dialect="torchvision").gt_index.tolist() == SSDMatcher(0.5)(iou).tolist()


def greedy(iou: Array) -> list[int]:
    """The bipartite matching and the rest, over a matrix (truths, priors)."""
    left, best = iou.copy(), iou.max(axis=0)
    index = np.where(best >= 0.5, iou.argmax(axis=0), NEGATIVE)
    while left.max() > 0:
        prior, truth = divmod(int(left.T.argmax()), len(left))
        index[prior] = truth
        left[truth], left[:, prior] = 0, 0
    return index.tolist()  # type: ignore[no-any-return]


@pytest.mark.parametrize("n", [256, 257, 2000, 70_000])
@pytest.mark.usefixtures("one_thread")
def test_many_blocks_and_chunks(n: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Equal IoUs in different blocks and chunks; truths whose prior is taken; any number of threads."""
    monkeypatch.setattr("refloss._engine.threads.SERIAL_BELOW", 1000)
    for seed in range(3 if n > 10_000 else 6):
        rng = np.random.default_rng([n, seed])
        priors, truths = (boxes(rng, count, KINDS[seed % 3], np.float32, extent=64.0) for count in (n, int(rng.integers(1, 30))))
        priors = priors[np.argsort(priors[:, seed % 4], kind="stable")] if seed % 2 else priors  # sorted: hulls are narrow
        iou = matrix(priors, truths)
        for threads in ("1", "2", "5"):
            monkeypatch.setenv("REFLOSS_NUM_THREADS", threads)
            got = max_iou(priors, truths, **PAPER, dialect="torchvision").gt_index
            np.testing.assert_array_equal(got, Matcher(0.5, 0.4, allow_low_quality_matches=True)(iou).numpy())
            assert ssd(priors, truths, dialect="torchvision").gt_index.tolist() == SSDMatcher(0.5)(iou).tolist()
            assert ssd(priors, truths).gt_index.tolist() == greedy(iou.numpy())
            index, best = _streams.best_truth(priors, truths)
            np.testing.assert_array_equal(index, iou.argmax(dim=0).numpy())
            np.testing.assert_array_equal(best, iou.amax(dim=0).numpy())


def test_half_precision_is_computed_in_float32() -> None:
    for priors, truths in scenes(50, np.float16):
        for function in (max_iou, ssd):
            got, want = function(priors, truths), function(priors.astype(np.float32), truths.astype(np.float32))
            assert answer(got) == answer(want)


def test_boxes_that_are_not_finite_meet_nothing() -> None:
    """best_truth is asked about predictions too, which may hold anything: the others in their block keep what is theirs."""
    found, nan = np.array(TWO * 100, np.float32), [0, 7, 300]
    found[nan, [0, 1, 3]] = np.nan
    found[5] = [-3e38, -3e38, 3e38, 3e38]  # its area overflows
    index, iou = _streams.best_truth(found, np.array(TWO[::-1], np.float32))
    assert not iou[[*nan, 5]].any()
    others = np.setdiff1d(np.arange(400), [*nan, 5])
    assert (iou[others] == 1).all()
    np.testing.assert_array_equal(index[others], 3 - others % 4)
    assert [part.tolist() for part in _streams.best_truth(found[:2], found[:0])] == [[0, 0], [0, 0]]


# Memory, machine code, errors.


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_memory_is_linear(dtype: Any) -> None:
    rng = np.random.default_rng(0)
    spread, truths = boxes(rng, 200_000, "anywhere", dtype, 1000.0), boxes(rng, 200, "anywhere", dtype, 1000.0)
    covered = np.tile(truths, (1000, 1))  # all priors positive
    for function, parameters, priors in ((max_iou, PAPER, spread), (ssd, {}, spread), (max_iou, {}, covered), (ssd, {}, covered)):
        function(priors[:300], truths, **parameters)  # compiled
        tracemalloc.start()
        assignment = function(priors, truths, **parameters)
        peak = tracemalloc.get_traced_memory()[1] - assignment.gt_index.nbytes - assignment.pairs.nbytes
        tracemalloc.stop()
        assert (len(assignment.pairs) == len(priors)) == (priors is covered)
        print(f"{function.__name__} {dtype.__name__}: {peak / len(priors):.1f} bytes a prior")
        assert peak < 24 * len(priors), "an IoU matrix would take 800 or 1600"


@pytest.mark.parametrize("dtype", [types.float32, types.float64])
def test_the_loop_is_packed(dtype: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    teach_cpu()
    monkeypatch.setattr(_streams, "jit", lambda function, *_: function)
    rows, line = types.Array(dtype, 2, "C"), types.Array(dtype, 1, "C")
    bits = types.int32 if dtype == types.float32 else types.int64
    signature = types.void(
        rows, rows, types.int64, line, types.Array(types.int64, 1, "C"), types.Array(bits, 2, "C"), types.int64, types.int64
    )
    loop = numba.njit(signature, **OPTIONS)(_streams._stream.__wrapped__(np.float32 if dtype == types.float32 else np.float64))
    ir, assembly = loop.inspect_llvm(loop.signatures[0]), loop.inspect_asm(loop.signatures[0])
    assert not products_in_sums(ir)
    assert dtype == types.float64 or "double" not in re.sub(r"declare [^\n]*", "", ir).split("define", 1)[1]
    packed = re.findall(r"\b[vV]?(?:div|add|sub)p[sd]\b|\bf(?:add|sub|div)\s+v", assembly)
    assert len(packed) >= 4, "the hot loop holds no packed arithmetic"
    assert "masked" not in ir, "a load in a branch: the vector loop is there, and its alias check never lets it run"


B, OTHER = [[0.0, 0, 2, 2]], np.zeros((1, 4), np.float32)
ERRORS: list[tuple[Any, Any, Any, dict[str, Any], type, str]] = [
    (max_iou, [[0.0, 0, 2]], B, {}, ValueError, "max_iou: priors must be of shape (n, 4), got (1, 3); give the boxes of one image"),
    (max_iou, B, [B], {}, ValueError, "max_iou: gt_boxes must be of shape (n, 4), got (1, 1, 4)"),
    (max_iou, B[0], B, {}, ValueError, "max_iou: priors must be of shape (n, 4), got (4,)"),
    (max_iou, np.zeros((1, 4), int), B, {}, TypeError, "max_iou: priors must be an array of float64, float32, float16 or bfloat16"),
    (max_iou, B, np.zeros((1, 4), int), {}, TypeError, "max_iou: gt_boxes must be an array of float64"),
    (max_iou, B, OTHER, {}, TypeError, "max_iou: gt_boxes must be of the dtype of priors (float64), got float32; convert with"),
    (max_iou, [[0.0, 0, 2, 2], [0, 0, np.nan, 1]], B, {}, ValueError, "max_iou: priors must be boxes of finite numbers, got [0.0"),
    (ssd, B, [[0.0, 0, np.inf, 2]], {}, ValueError, "ssd: gt_boxes must be boxes of finite numbers, got [0.0, 0.0, inf, 2.0] at index 0"),
    (ssd, OTHER, [[0.0, 0, 1e39, 2]], {}, ValueError, "ssd: gt_boxes must be boxes of finite numbers, got [0.0, 0.0, inf, 2.0] at index 0"),
    (ssd, B * 3 + [[2.0, 0, 0, 2]], B, {}, ValueError, "ssd: priors must be boxes with x2 >= x1 and y2 >= y1, got [2.0, 0.0, 0.0"),
    (ssd, B, [[0.0, 2, 2, 0]], {}, ValueError, "ssd: gt_boxes must be boxes with x2 >= x1 and y2 >= y1"),
    (max_iou, B, B, {"positive_threshold": 0}, ValueError, "max_iou: positive_threshold must be above 0, got 0; give an IoU"),
    (max_iou, B, B, {"positive_threshold": 1.5}, ValueError, "max_iou: positive_threshold must be in [0, 1], got 1.5"),
    (max_iou, B, B, {"positive_threshold": "a"}, TypeError, "max_iou: positive_threshold must be a number, got str"),
    (max_iou, B, B, {"negative_threshold": 0.6}, ValueError, "max_iou: negative_threshold must be at most positive_threshold (0.5), got"),
    (max_iou, B, B, {"negative_threshold": -0.1}, ValueError, "max_iou: negative_threshold must be in [0, 1], got -0.1"),
    (max_iou, B, B, {"negative_threshold": float("nan")}, ValueError, "max_iou: negative_threshold must be"),
    (max_iou, B, B, {"dialect": "caffe"}, ValueError, "max_iou: dialect must be 'paper' or 'torchvision' or 'mmdet', got 'caffe'"),
    (ssd, B, B, {"dialect": "mmdet"}, ValueError, "ssd: dialect must be 'paper' or 'caffe' or 'ssd.pytorch' or 'torchvision', got 'mmdet'"),
    (ssd, B, B, {"threshold": float("nan")}, ValueError, "ssd: threshold must be in [0, 1], got nan"),
    (ssd, B, [], {"threshold": 2}, ValueError, "ssd: threshold must be in [0, 1], got 2; give an IoU, such as 0.5"),
]  # fmt: skip


@pytest.mark.parametrize("case", ERRORS, ids=lambda case: case[-1].split(",")[0])
def test_errors(case: Any) -> None:
    function, priors, truths, parameters, kind, sentence = case
    with pytest.raises(refloss.ReflossError) as caught:
        function(priors, truths, **parameters)
    assert isinstance(caught.value, kind)
    assert str(caught.value).startswith(sentence)
    assert "; " in str(caught.value)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("column", range(4))
def test_every_number_is_looked_at(bad: float, column: int) -> None:
    priors = np.array(B * 40_000)
    priors[35_000, column] = bad
    with pytest.raises(refloss.ReflossError, match=r"ssd: priors must be boxes of finite numbers, got .*(nan|inf).* at index 35000; "):
        ssd(priors, B)
    priors[35_000] = [-1.5e308, -1.5e308, 1.5e308, 1.5e308]  # finite, though its size is not: it meets nothing
    assert ssd(priors, B).pairs.shape == (39_999, 2)


def test_what_is_taken() -> None:
    assert max_iou(OTHER, B).gt_index.tolist() == [NEGATIVE], "a list takes the dtype of the priors"
    assert max_iou(OTHER, np.zeros((0, 4))).gt_index.tolist() == [NEGATIVE], "none have no dtype"
    assert ssd([[0, 0, 2, 2]], [[0, 0, 2, 2]]).gt_index.tolist() == [0], "a list of whole numbers"
    every = np.array(B * 4)[::2]
    assert ssd(every[:, ::-1][:, ::-1], B, threshold=1).gt_index.tolist() == [0, 0], "any strides"
    assert max_iou(np.array(B, ">f8"), np.array(B, ">f8")).gt_index.tolist() == [0], "either byte order"


def test_boxes_of_an_assignment() -> None:
    """What the README does with an image without objects, and with a list of truths."""
    priors = np.array([[0, 0, 10, 10], [20, 20, 40, 40]], np.float32)
    for none in ([], np.zeros((0, 4)), np.zeros((0, 4), np.float32)):
        found = max_iou(priors, none)
        assert found.boxes(none).shape == (0, 4)
        assert DeltaCoder().encode(found.boxes(none), priors[found.positive]).shape == (0, 4)
    found = max_iou(priors, [[0, 0, 10, 9]])
    assert found.boxes([[0, 0, 10, 9]]).tolist() == [[0, 0, 10, 9]]
    assert found.boxes([[0, 0, 10, 9]]).dtype == np.float32
    for wrong in ([], np.zeros((3, 2)), np.zeros((5, 7))):
        with pytest.raises(ReflossError, match=r"Assignment.boxes: gt_boxes must be of shape \(truths, 4\), with at least 1"):
            found.boxes(wrong)
    with pytest.raises(ReflossError, match=r"Assignment.labels: classes must be a positive whole number, got 0"):
        found.labels([0], 0)
    assert found != max_iou(priors, [[0, 0, 10, 9]])  # compared by identity, and hashable
    assert len({found}) == 1


@pytest.mark.parametrize("threshold", [1e-46, 0, 10**400, float("nan")])
def test_positive_thresholds_that_mean_nothing(threshold: float) -> None:
    with pytest.raises(ReflossError, match="max_iou: positive_threshold must be"):
        max_iou(np.array([[50, 50, 60, 60]], np.float32), [[0, 0, 10, 10]], positive_threshold=threshold, negative_threshold=0)

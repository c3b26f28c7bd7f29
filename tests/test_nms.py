"""Suppression and selection: hand-worked scenes, a slow reference, TensorFlow."""

import importlib.util
import os
import re
import subprocess
import sys
from fractions import Fraction
from pathlib import Path
from typing import Any

import ml_dtypes
import numba
import numpy as np
import pytest
from numba import types
from test_engine import products_in_sums

from oracle.decisions import Decisions
from oracle.references import nms as slow
from refloss._engine.compile import OPTIONS, teach_cpu
from refloss.boxes import batched_nms, nms, select, soft, soft_nms, suppression
from refloss.errors import ReflossError

A, HALF, LESS = [0.0, 0.0, 10.0, 10.0], [0.0, 0.0, 10.0, 20.0], [0.0, 0.0, 10.0, 21.0]  # IoU 0.5 and 10/21 with A
SHIFTED = [5.0, 0.0, 15.0, 10.0]  # with A: IoU 1/3, rho^2 / c^2 = 25 / 325
POINT, FAR = [3.0, 3.0, 3.0, 3.0], [80.0, 80.0, 90.0, 90.0]
FLOATS = [np.float64, np.float32, np.float16, ml_dtypes.bfloat16]


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize(
    ("boxes", "scores", "options", "want"),
    [
        ([A, HALF], [0.9, 0.8], {}, [0, 1]),  # at the threshold a box stays
        ([A, HALF], [0.9, 0.8], {"iou_threshold": 0.49}, [0]),
        ([HALF, A], [0.8, 0.9], {"iou_threshold": 0.49}, [1]),
        ([A, A, A], [0.5, 0.5, 0.5], {}, [0]),  # equal scores: the smaller index
        ([FAR, A, A, HALF], [0.5, 0.25, 0.5, 0.5], {}, [0, 2, 3]),
        ([A, A], [0.5, 0.75], {"iou_threshold": 1.0}, [1, 0]),  # 1 is not above 1
        ([A, [10.0, 0.0, 20.0, 10.0]], [0.5, 0.75], {"iou_threshold": 0.0}, [1, 0]),  # they touch
        ([A, [9.0, 0.0, 20.0, 10.0]], [0.5, 0.75], {"iou_threshold": 0.0}, [1]),
        ([POINT, POINT, A], [0.5, 0.25, 0.125], {"iou_threshold": 0.0}, [0, 1, 2]),  # no area: nothing goes
        ([A, HALF, LESS], [0.25, 0.5, 0.75], {"iou_threshold": 0.5}, [2, 0]),  # HALF, which would remove nothing, goes: 20/21
        ([A, SHIFTED], [0.5, 0.25], {"iou_threshold": 0.3}, [0]),
        ([A, SHIFTED], [0.5, 0.25], {"iou_threshold": 0.3, "kind": "diou"}, [0, 1]),  # 1/3 - 1/13 = 0.2564
        ([A, SHIFTED], [0.5, 0.25], {"iou_threshold": 0.25, "kind": "diou"}, [0]),
        ([A, SHIFTED], [0.5, 0.25], {"iou_threshold": 0.2, "kind": "diou", "beta": 0.6}, [0, 1]),  # 1/3 - 13^-0.6 = 0.1187
        ([A, SHIFTED], [0.5, 0.25], {"iou_threshold": 0.11, "kind": "diou", "beta": 0.6}, [0]),
        ([A, A], [0.5, 0.25], {"iou_threshold": 0.99, "kind": "diou", "beta": 0.6}, [0]),  # 0^0.6 = 0
        ([POINT, POINT], [0.5, 0.25], {"iou_threshold": 0.0, "kind": "diou"}, [0, 1]),  # 0 / 0 is 0
        ([FAR, A, SHIFTED], [0.25, 0.5, 0.75], {"max_detections": 2}, [2, 1]),
        ([FAR, A], [0.25, 0.5], {"max_detections": 0}, []),
        ([FAR, A], [-np.inf, np.inf], {}, [1, 0]),
    ],
)
def test_nms_by_hand(boxes: Any, scores: Any, options: Any, want: list[int], dtype: Any) -> None:
    kept = nms(np.array(boxes, dtype), np.array(scores, dtype), **options)
    assert kept.dtype == np.int64
    assert kept.tolist() == want


def test_darknets_exponent() -> None:
    """1/3 - (25/325)^0.6, with ln 13 = 2.5649494: 0.3333333 - exp(-1.5389696) = 0.3333333 - 0.2146021."""
    for threshold, kept in ((0.118731, [0]), (0.118732, [0, 1])):
        assert nms([A, SHIFTED], [0.9, 0.8], iou_threshold=threshold, kind="diou", beta=0.6).tolist() == kept


@pytest.mark.parametrize("dtype", FLOATS)
def test_soft_nms_by_hand(dtype: Any) -> None:
    def run(boxes: Any, scores: Any, **options: Any) -> tuple[list[int], Any]:
        indices, new = soft_nms(np.array(boxes, dtype), np.array(scores, dtype), **options)
        assert (indices.dtype, new.dtype) == (np.int64, dtype)
        return indices.tolist(), new.astype(float)

    assert run([A, HALF, FAR], [1.0, 0.75, 0.5])[0] == [0, 2, 1]
    assert run([A, HALF, FAR], [1.0, 0.75, 0.5])[1].tolist() == [1.0, 0.5, 0.375]
    assert run([A, HALF, FAR], [1.0, 0.75, 0.5], iou_threshold=0.5)[1].tolist() == [1.0, 0.75, 0.5]  # at the threshold: untouched
    assert run([A, HALF, FAR], [1.0, 0.75, 0.5], score_threshold=0.375)[0] == [0, 2]  # at the threshold: gone
    assert run([A, HALF, FAR], [1.0, 0.75, 0.375])[0] == [0, 1, 2]  # 0.375 twice: the smaller index
    assert run([FAR, HALF, A], [0.375, 0.75, 1.0])[0] == [2, 0, 1]
    assert run([A, A, A], [1.0, 0.5, 0.25])[0] == [0]  # 1 - IoU = 0
    assert run([A, A, A], [1.0, 0.5, 0.25], max_detections=0) == ([], pytest.approx([]))
    # exp(-0.25 / 0.5) = 0.6065307, exp(-1 / 0.5) = 0.1353353 and exp(-0.25 / 0.25) = 0.3678794
    eps = float(ml_dtypes.finfo(dtype).eps)
    assert run([A, HALF], [1.0, 1.0], method="gaussian")[1] == pytest.approx([1, 0.6065307], rel=max(1e-6, eps))
    assert run([A, A], [0.5, 1.0], method="gaussian")[1] == pytest.approx([1, 0.06766764], rel=max(1e-6, eps))
    assert run([A, HALF], [1.0, 1.0], method="gaussian", sigma=0.25)[1] == pytest.approx([1, 0.3678794], rel=max(1e-6, eps))
    assert run([FAR, A], [0.7, 0.7], method="gaussian")[1].tolist() == [float(dtype(0.7))] * 2  # they do not meet: exp(0) is 1


def scene(rng: Any, n: int, *, ties: bool) -> tuple[Any, Any]:
    """Few places, sizes and scores for ties of every kind; otherwise none."""
    if ties:
        low, size, scores = rng.integers(0, 4, (n, 2)) * 2.0, rng.integers(0, 5, (n, 2)) * 2.0, rng.integers(1, 6, n) / 5.0
    else:
        low, size, scores = rng.uniform(0, 30, (n, 2)), rng.uniform(4, 30, (n, 2)), rng.uniform(0, 1, n)
    return np.concatenate([low, low + size], axis=1), scores


def plain(boxes: Any, scores: Any, dtype: Any) -> tuple[Any, Any]:
    """For the reference: Python's floats are NumPy's float64, four times as fast."""
    if dtype is np.float64:
        return boxes.tolist(), scores.tolist()
    return [list(row) for row in boxes], list(scores)


SETTINGS = [(kind, beta, t) for kind, beta in (("iou", 1), ("diou", 1)) for t in (0.0, 0.25, 1 / 3, 0.5, 0.7, 1.0)]


class Counting(Decisions):
    equal = 0

    def above(self, a: Any, b: Any) -> bool:
        self.equal += bool(a == b)
        return super().above(a, b)


@pytest.mark.parametrize(("dtype", "scenes"), [(np.float64, 10_000), (np.float32, 1_500)])
def test_nms_is_the_slow_reference(dtype: Any, scenes: int) -> None:
    rng = np.random.default_rng(1)
    tied = at_threshold = 0
    for s in range(scenes):
        boxes, scores = (a.astype(dtype) for a in scene(rng, int(rng.integers(0, 13)), ties=s % 4 != 0))
        kind, beta, threshold = SETTINGS[s // 4 % len(SETTINGS)]
        options: Any = {"kind": kind, "beta": beta, "iou_threshold": threshold, "max_detections": None if s % 5 else 3}
        d = Counting()
        assert nms(boxes, scores, **options).tolist() == slow.nms(d, *plain(boxes, scores, dtype), **options), (s, boxes, scores)
        tied += bool(d.ties)
        at_threshold += d.equal > 0
    assert tied > scenes / 4
    assert at_threshold > scenes / 20


def test_any_exponent_and_labels() -> None:
    """darknet's exponent is no exact number: scenes that come near a threshold do not count."""
    rng = np.random.default_rng(2)
    counted = 0
    for s in range(600):
        dtype = (np.float64, np.float32)[s % 2]
        boxes, scores = (a.astype(dtype) for a in scene(rng, 12, ties=False))
        labels = rng.integers(-1, 3, 12)
        options: Any = {"kind": "diou", "beta": (0.1, 0.6, 2.0, 10.0)[s % 4], "iou_threshold": 0.2}
        d = Decisions()
        want = slow.batched_nms(d, boxes.astype(float).tolist(), scores.astype(float).tolist(), labels.tolist(), **options)
        if d.margin > 1e-5:
            counted += 1
            assert batched_nms(boxes, scores, labels, **options).tolist() == want
            assert batched_nms(boxes, scores, labels, max_detections=2, **options).tolist() == want[:2]
    assert counted > 400


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_soft_nms_is_the_slow_reference(dtype: Any) -> None:
    rng = np.random.default_rng(3)
    eps, compared = float(np.finfo(dtype).eps), 0
    scenes = 2500 if dtype is np.float64 else 800
    for s in range(scenes):
        boxes, scores = (a.astype(dtype) for a in scene(rng, int(rng.integers(0, 13)), ties=s % 2 == 0))
        linear: Any = {"iou_threshold": (0.0, 0.25, 0.5)[s % 3], "score_threshold": (0.0, 0.001, 0.4)[s // 3 % 3]}
        want = slow.soft_nms(Decisions(), *plain(boxes, scores, dtype), **linear)
        indices, new = soft_nms(boxes, scores, **linear)
        assert (indices.tolist(), new.tolist()) == (want[0], [float(v) for v in want[1]]), (s, boxes, scores)
        if s % 2:
            d = Decisions()
            want = slow.soft_nms(d, *plain(boxes, scores, dtype), method="gaussian", sigma=(0.1, 0.5, 2.0)[s % 3])
            if d.margin > 100 * eps:
                indices, new = soft_nms(boxes, scores, method="gaussian", sigma=(0.1, 0.5, 2.0)[s % 3])
                assert indices.tolist() == want[0]
                np.testing.assert_allclose(new, want[1], rtol=2 * 12 * eps)
                compared += len(want[0])
    assert compared > scenes


def test_more_boxes_than_a_block() -> None:
    """Several blocks of kept boxes, gaps closed, several threads: against the reference, and class by class."""
    rng = np.random.default_rng(4)
    low, size, scores = rng.uniform(0, 400, (500, 2)), rng.uniform(20, 60, (500, 2)), rng.integers(1, 100, 500) / 100
    boxes = np.concatenate([low, low + size], axis=1)
    for kind in ("iou", "diou"):
        want = slow.nms(Decisions(), boxes.tolist(), scores.tolist(), kind=kind)
        assert 130 < len(want) < 450
        assert nms(boxes, scores, kind=kind).tolist() == want
    taken, new = slow.soft_nms(Decisions(), boxes[:300].tolist(), scores[:300].tolist(), score_threshold=0.3)
    indices, values = soft_nms(boxes[:300], scores[:300], score_threshold=0.3)
    assert (indices.tolist(), values.tolist()) == (taken, new)
    boxes, scores, labels = np.tile(boxes, (8, 1)), rng.random(4000), rng.integers(0, 6, 4000)
    kept = batched_nms(boxes, scores, labels)
    each = [np.flatnonzero(labels == c) for c in range(6)]
    assert sorted(kept.tolist()) == sorted(i for rows in each for i in rows[nms(boxes[rows], scores[rows])].tolist())
    assert (np.diff(scores[kept]) < 0).all()


def test_far_from_the_origin_labels_do_not_round() -> None:
    """IoU 1 / 1.998; the offset of label 89 would round 1.998 to a multiple of 1/128, which is 2."""
    boxes = np.array([[0, 0, 1000, 1], [0, 0, 1000, 1.998]], np.float32)
    far = np.array([[1300, 1300, 1333, 1333]], np.float32)
    rows, scores = np.concatenate([boxes, far]), np.array([0.9, 0.8, 0.7], np.float32)
    assert batched_nms(rows, scores, [89, 89, 0]).tolist() == [0, 2]
    offset = rows + np.array([[89 * 1334], [89 * 1334], [0]], np.float32)
    assert nms(offset, scores).tolist() == [0, 1, 2]


def test_exact_numbers_decide_alike() -> None:
    """The reference over fractions, where its margin says that rounding cannot matter."""
    rng = np.random.default_rng(5)
    for s in range(150):
        boxes, scores = scene(rng, 8, ties=s % 2 == 0)
        fractions = [[Fraction(v) for v in row] for row in boxes.tolist()], [Fraction(v) for v in scores.tolist()]
        for kind in ("iou", "diou"):
            d = Decisions()
            want = slow.nms(d, *fractions, kind=kind)
            if d.margin > 1e-12 or s % 2 == 0:  # small integers: no rounding at all near 1/2
                assert nms(boxes, scores, kind=kind).tolist() == want
        d = Decisions()
        taken, new = slow.soft_nms(d, *fractions)
        if d.margin > 1e-12:
            indices, values = soft_nms(boxes, scores)
            assert indices.tolist() == taken
            np.testing.assert_allclose(values, [float(v) for v in new], rtol=1e-14)


def test_half_precision_is_computed_in_float32() -> None:
    rng = np.random.default_rng(6)
    for dtype in (np.float16, ml_dtypes.bfloat16):
        boxes, scores = (a.astype(dtype) for a in scene(rng, 200, ties=False))
        scores = np.maximum(scores, np.array(0, dtype))
        wide = boxes.astype(np.float32), scores.astype(np.float32)
        assert nms(boxes, scores).tolist() == nms(*wide).tolist()
        (i, one), (j, two) = soft_nms(boxes, scores), soft_nms(*wide)
        assert i.tolist() == j.tolist()
        np.testing.assert_array_equal(one.astype(np.float32), two.astype(dtype).astype(np.float32))
        found = select(boxes, scores)
        assert found.boxes.dtype == found.scores.dtype == dtype


@pytest.mark.skipif(importlib.util.find_spec("tensorflow") is None, reason="needs tensorflow")
@pytest.mark.xdist_group("keras")
def test_tensorflow(tmp_path: Path) -> None:
    """The same boxes, in the same order; soft scores as near as float32 allows."""
    rng = np.random.default_rng(7)
    scenes = [tuple(a.astype(np.float32) for a in scene(rng, n, ties=ties)) for n, ties in ((60, True), (60, False), (0, False))]
    low, size = rng.uniform(0, 500, (3000, 2)), rng.uniform(1, 100, (3000, 2))
    scenes.append((np.concatenate([low, low + size], axis=1).astype(np.float32), rng.random(3000).astype(np.float32)))
    given, found = tmp_path / "given.npz", tmp_path / "found.npz"
    np.savez(given, **{f"{name}{i}": a for i, pair in enumerate(scenes) for name, a in zip(("boxes", "scores"), pair, strict=True)})
    worker = Path(__file__).with_name("tensorflow_suppression.py")
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": ""}
    done = subprocess.run(
        [sys.executable, str(worker), str(given), str(found)], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    with np.load(found) as theirs:
        for i, (boxes, scores) in enumerate(scenes):
            for threshold in (0.0, 0.3, 0.5, 1.0):
                assert nms(boxes, scores, iou_threshold=threshold).tolist() == theirs[f"nms{i}_{threshold}"].tolist()
            indices, new = soft_nms(boxes, scores, method="gaussian")
            want = dict(zip(theirs[f"soft{i}"].tolist(), theirs[f"scores{i}"].tolist(), strict=True))
            assert set(indices.tolist()) == set(want)
            np.testing.assert_allclose(new, [want[j] for j in indices.tolist()], rtol=2e-5)


def test_select_by_hand() -> None:
    boxes = np.array([A, [0, 0, 10, 9], FAR, HALF])
    scores = np.array([[0.9, 0.1], [0.8, 0.7], [0.05, 0.3], [0.6, 0.05]])
    found = select(boxes, scores)
    # Class 0: A, then [0, 0, 10, 9] (IoU 0.9) goes, HALF (0.5) stays. Class 1: A (0.1) goes for [0, 0, 10, 9]. 0.05 is not above 0.05.
    assert found.indices.tolist() == [0, 1, 3, 2]
    assert found.labels.tolist() == [0, 1, 0, 1]
    assert found.scores.tolist() == [0.9, 0.7, 0.6, 0.3]
    np.testing.assert_array_equal(found.boxes, boxes[[0, 1, 3, 2]])
    assert select(boxes, scores, max_detections=2).indices.tolist() == [0, 1]
    assert select(boxes, scores, top_k=2).indices.tolist() == [0]  # 0.9 and 0.8 of class 0: one removes the other
    assert select(boxes, scores, top_k=2, top_k_per_class=True).indices.tolist() == [0, 1, 2]
    assert select(boxes, scores, per_class=False).indices.tolist() == [0, 3, 2]
    assert select(boxes, scores, score_threshold=0.6).indices.tolist() == [0, 1]
    one = select(boxes, scores.max(axis=1), labels=scores.argmax(axis=1))
    assert (one.indices.tolist(), one.labels.tolist()) == ([0, 3, 2], [0, 0, 1])
    assert select(boxes, scores[:, 0]).labels.tolist() == [0, 0]
    equal = select([A, FAR], [[0.5, 0.5], [0.5, 0.5]], max_detections=3)
    assert list(zip(equal.indices.tolist(), equal.labels.tolist(), strict=True)) == [(0, 0), (0, 1), (1, 0)]
    assert select([A, FAR], [[0.5, 0.5], [0.5, 0.5]], top_k=3).labels.tolist() == [0, 1, 0]


def test_select_is_the_slow_reference() -> None:
    rng = np.random.default_rng(8)
    for s in range(1500):
        n, classes = int(rng.integers(0, 9)), int(rng.integers(1, 4))
        boxes, scores = scene(rng, n, ties=s % 2 == 0)
        scores = rng.integers(0, 8, (n, classes)) / 8 if s % 2 == 0 else rng.random((n, classes))
        options: Any = {
            "score_threshold": 0.125, "iou_threshold": 0.5, "top_k": int(rng.integers(0, 12)), "max_detections": int(rng.integers(0, 8)),
            "top_k_per_class": s % 3 == 0, "per_class": s % 5 != 0,
        }  # fmt: skip
        want = slow.select(Decisions(), boxes.tolist(), scores.tolist(), **options)
        found = select(boxes, scores, **options)
        assert list(zip(found.indices.tolist(), found.labels.tolist(), strict=True)) == want, (s, boxes, scores, options)


def test_nothing_in_nothing_out() -> None:
    none = np.empty((0, 4), np.float32), np.empty(0, np.float32)
    for boxes, scores in (([], []), none):
        assert nms(boxes, scores).shape == batched_nms(boxes, scores, []).shape == (0,)
        indices, new = soft_nms(boxes, scores)
        assert (indices.shape, indices.dtype, new.shape) == ((0,), np.int64, (0,))
        found = select(boxes, scores)
        assert found.boxes.shape == (0, 4)
        assert found.indices.dtype == found.labels.dtype == np.int64
    assert soft_nms(*none)[1].dtype == select(*none).boxes.dtype == np.float32
    assert select(none[0], np.empty((0, 80), np.float32)).labels.shape == (0,)
    assert select([A], np.empty((1, 0))).labels.shape == (0,)
    assert select([A], [0.01]).boxes.shape == (0, 4)


def test_inputs_are_left_alone_and_read_in_any_layout() -> None:
    rng = np.random.default_rng(9)
    boxes, scores = scene(rng, 40, ties=False)
    before = boxes.copy(), scores.copy()
    want = nms(boxes, scores).tolist(), soft_nms(boxes, scores)[1].tolist(), select(boxes, scores).scores.tolist()
    np.testing.assert_array_equal(before[0], boxes)
    np.testing.assert_array_equal(before[1], scores)
    odd, swapped = np.asfortranarray(boxes.repeat(2, axis=0))[::2], scores.astype(">f8")
    assert (nms(odd, swapped).tolist(), soft_nms(odd, swapped)[1].tolist(), select(odd, swapped).scores.tolist()) == want


@pytest.mark.parametrize("module", [suppression, soft])
def test_the_loops_are_packed(module: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    teach_cpu()
    monkeypatch.setattr(module, "jit", lambda function, *_: function)
    rows, line, whole = types.Array(types.float32, 2, "C"), types.Array(types.float32, 1, "C"), types.Array(types.int64, 1, "C")
    number, flags, ranks = types.float32, types.Array(types.boolean, 1, "C"), types.Array(types.int32, 1, "C")
    signature = (
        (rows, whole, number, number, types.int64, flags, types.int64, types.int64)
        if module is suppression
        else (types.int64, rows, line, ranks, whole, number, number, whole, line)
    )
    loop = numba.njit(signature, **OPTIONS)(module._kernel.__wrapped__(np.float32))
    ir, assembly = loop.inspect_llvm(loop.signatures[0]), loop.inspect_asm(loop.signatures[0])
    assert not products_in_sums(ir)
    assert not re.search(r"= f(?:add|sub|mul|div|cmp)[^\n]* double ", ir), "a constant without a type made the loop double"
    assert len(re.findall(r"\b[vV]?divps\b|\bfdiv\s+v", assembly)) >= 4, "a hot loop holds no packed division"


NAN, B, S = float("nan"), np.array([A, HALF]), np.array([0.5, 0.25])


@pytest.mark.parametrize(
    ("function", "arguments", "options", "says"),
    [
        (nms, (B, [0.5, NAN]), {}, "nms: scores must be without NaN, got NaN at index (1,)"),
        (nms, ([[0.0, 0.0, NAN, 1.0]], [0.5]), {}, "nms: boxes must be finite"),
        (nms, ([[0.0, 0.0, np.inf, 1.0]], [0.5]), {}, "nms: boxes must be finite, got [0.0, 0.0, inf, 1.0] at index 0"),
        (nms, ([[0.0, 5.0, 1.0, 1.0]], [0.5]), {}, "nms: boxes must be boxes with x2 >= x1 and y2 >= y1"),
        (nms, (B.astype(int), S), {}, "nms: boxes must be an array of float64"),
        (nms, (B, S.astype(np.float32)), {}, "nms: scores must be of the dtype of boxes (float64), got float32"),
        (nms, (B, S[:1]), {}, "nms: scores must be of shape (2,)"),
        (nms, (B, S[:, None]), {}, "nms: scores must be of shape (2,), got (2, 1)"),
        (nms, (B[None], S), {}, "nms: boxes must be of shape (n, 4)"),
        (nms, (B[:, :3], S), {}, "nms: boxes must be of shape (..., 4)"),
        (nms, (np.empty((0, 5)), []), {}, "nms: boxes must be of shape (..., 4)"),
        (nms, ([], [0.5]), {}, "nms: scores must be of shape (0,)"),
        (nms, (B, S), {"iou_threshold": 1.5}, "nms: iou_threshold must be in [0, 1], got 1.5"),
        (nms, (B, S), {"iou_threshold": NAN}, "nms: iou_threshold must be in [0, 1]"),
        (nms, (B, S), {"kind": "giou"}, "nms: kind must be 'iou' or 'diou', got 'giou'"),
        (nms, (B, S), {"beta": 0.0}, "nms: beta must be in [0.1, 10], got 0"),
        (nms, (B, S), {"max_detections": -1}, "nms: max_detections must be at least 0, got -1"),
        (nms, (B, S), {"max_detections": 2.0}, "nms: max_detections must be an integer or None, got float"),
        (batched_nms, (B, S, [0.0, 1.0]), {}, "batched_nms: labels must be an array of integers"),
        (batched_nms, (B, S, [0]), {}, "batched_nms: labels must be of shape (2,)"),
        (soft_nms, (B, [0.5, -0.25]), {}, "soft_nms: scores must be finite and not negative, got -0.25 at index 1"),
        (soft_nms, (B, [np.inf, 0.5]), {}, "soft_nms: scores must be finite"),
        (soft_nms, (B, [0.5, NAN]), {}, "soft_nms: scores must be without NaN"),
        (soft_nms, (B, S), {"method": "hard"}, "soft_nms: method must be 'linear' or 'gaussian'"),
        (soft_nms, (B, S), {"sigma": 0.0}, "soft_nms: sigma must be in [1e-06, 1e+06], got 0"),
        (soft_nms, (B, S), {"score_threshold": -0.5}, "soft_nms: score_threshold must be at least 0"),
        (select, (B, [[0.5, 0.5], [0.5, NAN]]), {}, "select: scores must be without NaN, got NaN at index (1, 1)"),
        (select, (B, S[:1]), {}, "select: scores must be of shape (2,) or (2, classes), got (1,)"),
        (select, (B, [[0.5], [0.5]]), {"labels": [0, 1]}, "select: labels must be None with scores (n, classes)"),
        (select, (B, S), {"labels": [0.0, 1.0]}, "select: labels must be an array of integers"),
        (select, (B, S), {"score_threshold": NAN}, "select: score_threshold must be"),
        (select, (B, S), {"top_k": True}, "select: top_k must be an integer or None"),
        (select, (B, S), {"max_detections": -2}, "select: max_detections must be at least 0"),
        (select, (B, S), {"iou_threshold": "0.5"}, "select: iou_threshold must be a number"),
    ],
)
def test_bad_input(function: Any, arguments: Any, options: Any, says: str) -> None:
    with pytest.raises(ReflossError) as caught:
        function(*arguments, **options)
    text = str(caught.value)
    assert text.startswith(says)
    assert "; " in text
    assert "\n" not in text

"""FCOS's assigner: scenes worked by hand, torchvision's own matching, and 10^4 random scenes against the reference."""

import importlib
import math
import re
import tracemalloc
from collections.abc import Callable
from fractions import Fraction
from types import SimpleNamespace
from typing import Any

import harnesses.torchvision_losses  # noqa: F401  lets torchvision be imported

# isort: split
import ml_dtypes
import numba
import numpy as np
import pytest
import torch
from draws import generator
from numba import types
from torchvision.models.detection.fcos import FCOS  # type: ignore[import-untyped]

from oracle.decisions import Decisions
from oracle.references.fcos import fcos as reference
from refloss import NEGATIVE, ReflossError
from refloss._engine.compile import OPTIONS, teach_cpu
from refloss.assign import fcos

Array = np.ndarray[Any, Any]
assign: Callable[..., Any] = fcos


def levels(size: int, *strides: int, dtype: Any = np.float64) -> Array:
    """Locations of a square image: floor(s / 2) + column s, level after level."""
    rows = []
    for stride in strides:
        row, column = np.divmod(np.arange((size // stride) ** 2), size // stride)
        rows.append(np.stack([stride // 2 + column * stride, stride // 2 + row * stride, np.full_like(row, stride)], axis=1))
    return np.concatenate(rows).astype(dtype)


ONE, TWO = ((0, math.inf),), ((0, 64), (64, math.inf))


# By hand.


def test_on_3_x_3_locations() -> None:
    """Stride 8, at 4, 12 and 20:   0 1 2     Truth 0, [0, 0, 24, 24], has its centre (12, 12) at location 4: within 12 pixels
    3 4 5     of it on both axes are all nine. Truth 1, [10, 2, 22, 14], smaller, holds 1 and 2
    6 7 8     (at (12, 4) and (20, 4)) and 4 and 5; its edge x2 = 20 would give up 2 and 5.
    """
    locations, large = levels(24, 8), [0.0, 0.0, 24.0, 24.0]
    found = fcos(locations, [large, [10.0, 2.0, 22.0, 14.0]], size_ranges=ONE)
    assert found.gt_index.tolist() == [0, 1, 1, 0, 1, 1, 0, 0, 0]
    assert found.pairs.tolist() == [[k, j] for k, j in enumerate([0, 1, 1, 0, 1, 1, 0, 0, 0])]
    assert fcos(locations, [large, [10.0, 2.0, 20.0, 14.0]], size_ranges=ONE).gt_index.tolist() == [0, 1, 0, 0, 1, 0, 0, 0, 0]
    assert fcos(locations, [large, [12.0, 2.0, 22.0, 14.0]], size_ranges=ONE).gt_index.tolist() == [0, 0, 1, 0, 0, 1, 0, 0, 0]


def test_centre_sampling_stops_before_its_radius() -> None:
    """8 pixels from the centre: radius 1 is exactly there, and not near."""
    locations, truth = levels(24, 8), [[0.0, 0.0, 24.0, 24.0]]
    assert fcos(locations, truth, size_ranges=ONE, radius=1.0).gt_index.tolist() == [-1, -1, -1, -1, 0, -1, -1, -1, -1]
    assert fcos(locations, truth, size_ranges=ONE, radius=1.0001).gt_index.tolist() == [0] * 9
    assert fcos(locations, truth, size_ranges=ONE, radius=0.1).gt_index.tolist() == [-1, -1, -1, -1, 0, -1, -1, -1, -1]
    assert (
        fcos(levels(64, 8), [[0.0, 0.0, 64.0, 64.0]], size_ranges=ONE).positive.sum() == 2 * 2
    )  # 4 and 12 pixels away, and 12 is not near
    assert fcos(levels(64, 8), [[0.0, 0.0, 64.0, 64.0]], size_ranges=ONE, radius=None).positive.all()


def test_a_size_of_64_belongs_to_one_level() -> None:
    """Both locations are 64 from the right edge, and nearer to the others."""
    locations, truth = [[16.0, 16.0, 8.0], [16.0, 16.0, 16.0]], [[0.0, 0.0, 80.0, 32.0]]
    sizes = {63.9: [0, -1], 64.0: [-1, 0], 64.1: [-1, 0]}
    for size, index in sizes.items():
        truth = [[0.0, 0.0, 16.0 + size, 32.0]]
        assert fcos(locations, truth, size_ranges=TWO, radius=None).gt_index.tolist() == index
    truth = [[0.0, 0.0, 80.0, 32.0]]
    answers = {"official": [0, 0], "mmdet": [0, 0], "torchvision": [-1, -1]}
    for dialect, index in answers.items():
        assert assign(locations, truth, size_ranges=TWO, radius=None, dialect=dialect).gt_index.tolist() == index


def test_levels_are_known_by_their_stride() -> None:
    """In any order; the smallest stride has the first range."""
    locations = np.array([[16.0, 16.0, 32.0], [16.0, 16.0, 8.0], [16.0, 16.0, 16.0]])
    ranges = ((0, 16), (16, 40), (40, 90))
    for reach, index in ((10.0, [-1, 0, -1]), (30.0, [-1, -1, 0]), (60.0, [0, -1, -1])):
        truth = [[16 - reach, 10.0, 17.0, 20.0]]
        assert fcos(locations, truth, size_ranges=ranges, radius=None).gt_index.tolist() == index


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_smaller_area_has_the_location(dtype: Any) -> None:
    """10.3 x 10 and 10.5 x 10: torchvision's 1e8 - area is 99999896 for both in float32, and the first has it."""
    locations = np.array([[5.0, 5.0, 8.0]], dtype)
    small, large = [0.0, 0.0, 10.3, 10.0], [0.0, 0.0, 10.5, 10.0]
    for dialect in ("paper", "official", "mmdet", "torchvision"):
        for truths, index in (([small, large], 0), ([large, small], 1)):
            lost = dialect == "torchvision" and dtype is np.float32
            assert assign(locations, truths, size_ranges=ONE, dialect=dialect).gt_index.tolist() == [0 if lost else index]
        assert assign(locations, [large, small, small], size_ranges=ONE, dialect=dialect).gt_index.tolist() == [0 if lost else 1]
    one, two = [0.0, 2.0, 10.0, 9.0], [2.0, 0.0, 9.0, 10.0]  # 70 each: the smaller index
    assert (
        fcos(locations, [one, two], size_ranges=ONE).gt_index.tolist()
        == fcos(locations, [two, one], size_ranges=ONE).gt_index.tolist()
        == [0]
    )


def test_areas_beyond_1e8() -> None:
    """20 000 pixels a side: lost in torchvision's difference."""
    locations, truth = np.array([[9e3, 9e3, 8.0]]), [[0.0, 0.0, 2e4, 2e4]]
    assert fcos(locations, truth, size_ranges=ONE, radius=None).gt_index.tolist() == [0]
    assert fcos(locations, truth, size_ranges=ONE, radius=None, dialect="torchvision").gt_index.tolist() == [-1]
    vast = np.array([[0, 0, 1e30, 1e30]], np.float32)  # its area is infinite in float32
    assert fcos(locations.astype(np.float32), vast, size_ranges=ONE, radius=None).gt_index.tolist() == [0]


def test_empty_images_and_empty_truths() -> None:
    locations = levels(32, 8, 16, dtype=np.float32)
    nothing: list[Any] = [[], np.zeros((0, 4), np.float32)]
    for none in nothing:
        found = fcos(locations, none, size_ranges=TWO)
        assert found.gt_index.tolist() == [NEGATIVE] * 20
        assert found.pairs.shape == (0, 2)
    flat = [[4.0, 0.0, 4.0, 32.0], [0.0, 4.0, 32.0, 4.0], [4.0, 4.0, 4.0, 4.0]]
    assert fcos(locations, flat, size_ranges=TWO).gt_index.tolist() == [NEGATIVE] * 20
    assert len(fcos([], [[0.0, 0.0, 8.0, 8.0]])) == 0


def test_more_truths_than_locations() -> None:
    truths = [[0.0, 0.0, 20.0 - k / 8, 20.0] for k in range(64)]
    assert fcos(levels(16, 8), truths, size_ranges=ONE).gt_index.tolist() == [63] * 4


@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16])
def test_half_precision_is_widened(dtype: Any) -> None:
    locations, truths = levels(32, 8), np.array([[0, 0, 15, 30], [8, 2, 30, 31]])
    found = fcos(locations.astype(dtype), truths.astype(dtype), size_ranges=ONE)
    assert found.gt_index.tolist() == fcos(locations, truths.astype(float), size_ranges=ONE).gt_index.tolist()
    assert found.positive.any()


def test_many_locations(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every one of 5456, by a matrix of all pairs; in any order, on any number of threads."""
    rng = np.random.default_rng(0)
    truths = rng.uniform(0, 500, (100, 4))
    truths[:, 2:] = truths[:, :2] + 10 ** rng.uniform(1, 2.5, (100, 2))
    locations = levels(512, 8, 16, 32, 64, 128)
    sides = np.concatenate([locations[:, None, :2] - truths[:, :2], truths[:, 2:] - locations[:, None, :2]], axis=2)
    level = np.log2(locations[:, 2:] / 8).astype(int)
    low, high = np.array([0, 64, 128, 256, 512])[level], np.array([64, 128, 256, 512, np.inf])[level]
    claims = (sides.min(axis=2) > 0) & (sides.max(axis=2) >= low) & (sides.max(axis=2) < high)
    area = np.where(claims, np.prod(truths[:, 2:] - truths[:, :2], axis=1), np.inf)
    want = np.where(claims.any(axis=1), area.argmin(axis=1), NEGATIVE)
    assert (want >= 0).sum() > 1000
    for threads in ("1", "3"):
        monkeypatch.setenv("REFLOSS_NUM_THREADS", threads)
        np.testing.assert_array_equal(fcos(locations, truths, radius=None).gt_index, want)
    order = rng.permutation(len(locations))
    np.testing.assert_array_equal(fcos(locations[order], truths, radius=None).gt_index, want[order])


def test_ranges_with_a_gap() -> None:
    """A size of 40 belongs to no level."""
    locations, ranges = [[16.0, 16.0, 8.0], [16.0, 16.0, 16.0]], ((0, 32), (64, math.inf))
    for size, index in ((31, [0, -1]), (40, [-1, -1]), (64, [-1, 0])):
        assert fcos(locations, [[0.0, 0.0, 16.0 + size, 32.0]], size_ranges=ranges, radius=None).gt_index.tolist() == index


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_memory_is_linear(dtype: Any) -> None:
    """Of 200 000 locations on two levels, against 200 truths: few are positive, or all of the first level."""
    rng = np.random.default_rng(0)
    truths = rng.uniform(0, 3000, (200, 4)).astype(dtype)
    truths[:, 2:] = truths[:, :2] + rng.uniform(10, 500, (200, 2)).astype(dtype)
    whole = np.array([[-10, -10, 4000, 4000]] * 200, dtype)
    locations = levels(3392, 8, 16, dtype=dtype)[:200_000]
    for boxes, radius, least, most in ((truths, 1.5, 1, 20_000), (whole, None, 179_000, 180_000)):
        parameters: dict[str, Any] = {"size_ranges": ((0, 9999), (9999, math.inf)), "radius": radius}
        fcos(locations[:300], boxes, size_ranges=ONE, radius=radius)  # compiled
        tracemalloc.start()
        found = fcos(locations, boxes, **parameters)
        peak = tracemalloc.get_traced_memory()[1] - found.gt_index.nbytes - found.pairs.nbytes
        tracemalloc.stop()
        print(f"{dtype.__name__}, {len(found.pairs)} positives: {peak / len(locations):.1f} bytes a location")
        assert least < len(found.pairs) < most
        assert peak < 24 * len(locations), "a matrix would take 800 or 1600"


@pytest.mark.parametrize("dtype", [types.float32, types.float64])
def test_the_loop_is_packed(dtype: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    teach_cpu()
    module = importlib.import_module("refloss.assign.fcos")
    monkeypatch.setattr(module, "jit", lambda function, *_: function)
    rows = types.Array(dtype, 2, "C")
    signature = types.void(rows, rows, rows, types.Array(types.int64, 1, "C"), types.int64, types.int64)
    loop = numba.njit(signature, **OPTIONS)(module._claim.__wrapped__(np.float32 if dtype == types.float32 else np.float64))
    ir, assembly = loop.inspect_llvm(loop.signatures[0]), loop.inspect_asm(loop.signatures[0])
    assert "fmul" not in ir.split("define", 1)[1]  # no product: nothing that could be contracted
    assert dtype == types.float64 or "double" not in re.sub(r"declare [^\n]*", "", ir).split("define", 1)[1]
    packed = re.findall(r"\b[vV]?subp[sd]\b|\bfsub\s+v", assembly)
    assert len(packed) >= 4, "the hot loop holds no packed arithmetic"


# Against the reference and torchvision.


def scene(rng: Any, dtype: Any) -> tuple[Array, Array, dict[str, Any]]:
    """32 x 32 pixels; half of the truths have corners on the lattice of the locations, which makes ties of every kind."""
    locations = rng.permutation(levels(32, 8, 16, dtype=dtype))[:16] if rng.random() < 0.5 else levels(32, 16, dtype=dtype)
    many = 2 if len(np.unique(locations[:, 2])) == 2 else 1
    truths = rng.random((int(rng.random() * 6), 4)) * 40
    if rng.random() < 0.6:
        truths = (truths // 4) * 4
    truths = np.concatenate([np.minimum(truths[:, :2], truths[:, 2:]), np.maximum(truths[:, :2], truths[:, 2:])], axis=1).astype(dtype)
    ranges = (((0, 16), (16, math.inf)), ((0, 20), (20, 24)), ((4, 17.9), (20, math.inf)))[int(rng.random() * 3)][:many]
    radius = (1.5, 1.0, 0.75, None)[int(rng.random() * 4)]
    dialect = ("paper", "paper", "official", "mmdet", "torchvision")[int(rng.random() * 5)]
    return locations, truths, {"size_ranges": ranges, "radius": radius, "dialect": dialect}


def scalars(array: Array, number: Any) -> Any:
    return [[number(v) for v in row] for row in array.tolist()]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_random_scenes(dtype: str) -> None:
    rng = generator("assign", "fcos", dtype)
    number = np.float32 if dtype == "float32" else float
    ties = matches = 0
    for _ in range(5000):
        locations, truths, keywords = scene(rng, dtype)
        decisions = Decisions()
        gt_index, pairs = reference(decisions, scalars(locations, number), scalars(truths, number), **keywords)
        found = fcos(locations, truths, **keywords)
        assert found.gt_index.tolist() == gt_index, (locations, truths, keywords)
        assert found.pairs.tolist() == [list(pair) for pair in pairs]
        ties += decisions.margin == 0
        matches += len(pairs)
    assert ties > 500
    assert matches > 5000


def test_the_reference_is_exact_over_fractions() -> None:
    rng = generator("exact", "fcos")
    far = 0
    for _ in range(300):
        locations, truths, keywords = scene(rng, np.float32)
        decisions = Decisions()
        gt_index, _ = reference(decisions, scalars(locations, Fraction), scalars(truths, Fraction), **keywords)
        if decisions.margin > 1e-5:
            assert fcos(locations, truths, **keywords).gt_index.tolist() == gt_index
            far += max(gt_index, default=-1) >= 0
    assert far > 50


def torchvisions(locations: Array, truths: Array, radius: float) -> list[int]:
    """What its FCOS matches before it computes a loss; levels in order."""
    rows, boxes = torch.from_numpy(locations), torch.from_numpy(truths)
    half = rows[:, 2:] / 2
    anchors = torch.cat([rows[:, :2] - half, rows[:, :2] + half], dim=1)
    head = SimpleNamespace(compute_loss=lambda targets, outputs, anchors, matched: matched)
    model = SimpleNamespace(center_sampling_radius=radius, head=head)
    counts = np.unique(locations[:, 2], return_counts=True)[1].tolist()
    (matched,) = FCOS.compute_loss(model, [{"boxes": boxes}], {}, [anchors], counts)
    found: list[int] = matched.tolist()
    return found


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_as_torchvision(dtype: str) -> None:
    rng = generator("torchvision", dtype)
    locations = levels(128, 8, 16, 32, dtype=dtype)
    ranges = ((0, 64), (64, 128), (128, math.inf))
    differs = 0
    for _ in range(100):
        truths = rng.random((int(rng.random() * 8) + 1, 4)) * 160
        if rng.random() < 0.6:
            truths = (truths // 4) * 4
        truths = np.concatenate([np.minimum(truths[:, :2], truths[:, 2:]), np.maximum(truths[:, :2], truths[:, 2:])], axis=1).astype(dtype)
        want = torchvisions(locations, truths, 1.5)
        assert fcos(locations, truths, size_ranges=ranges, dialect="torchvision").gt_index.tolist() == want
        differs += fcos(locations, truths, size_ranges=ranges).gt_index.tolist() != want
    assert differs > 10


# Bad input.


@pytest.mark.parametrize(
    ("locations", "truths", "keywords", "says"),
    [
        (np.zeros((4, 2)), [], {}, r"fcos: locations must be of shape \(n, 3\), got \(4, 2\); give rows \(x, y, stride\)"),
        (np.zeros((4, 3)), [], {}, r"fcos: locations must be finite, with a stride above 0, got \[0.0, 0.0, 0.0\] at index 0"),
        (levels(16, 8) * np.nan, [], {}, "locations must be finite"),
        (levels(16, 8).astype(int), [], {}, "locations must be an array of float64"),
        (levels(16, 8), [], {}, r"size_ranges must be one \(low, high\) for each stride of locations, got 5 for the strides \[8.0\]"),
        (levels(16, 8), [], {"size_ranges": ((64, 0),)}, r"must be \(low, high\) pairs with 0 <= low < high, got \(\(64, 0\),\)"),
        (levels(16, 8), [], {"size_ranges": ((0, 0),)}, "size_ranges must be"),
        (levels(16, 8), [], {"size_ranges": ((-1, 64),)}, "size_ranges must be"),
        (levels(16, 8), [], {"size_ranges": ((0, np.nan),)}, "size_ranges must be"),
        (levels(16, 8), [], {"size_ranges": (0, 64)}, "size_ranges must be"),
        (levels(16, 8), [], {"size_ranges": ((0, 64), (64,))}, "size_ranges must be"),
        (levels(16, 8, 16), [], {"size_ranges": ((64, 128), (0, 64))}, "pairs in order, none from below the high before, got"),
        (levels(16, 8, 16), [], {"size_ranges": ((0, 64), (32, 128))}, "none from below the high before, got"),
        (levels(16, 8), [], {"size_ranges": ONE, "radius": 0}, "radius must be above 0 and finite, or None, got 0; None is without"),
        (levels(16, 8), [], {"size_ranges": ONE, "radius": np.nan}, "radius must be"),
        (levels(16, 8), [], {"size_ranges": ONE, "radius": "1.5"}, "radius must be a number, got str"),
        (levels(16, 8), [], {"size_ranges": ONE, "dialect": "detectron2"}, "dialect must be 'paper' or 'official' or 'mmdet' or"),
        (levels(16, 8), [[4.0, 4.0, 2.0, 5.0]], {"size_ranges": ONE}, "gt_boxes must be boxes with x2 >= x1"),
        (levels(16, 8), [[4.0, 4.0, np.nan, 5.0]], {"size_ranges": ONE}, "gt_boxes must be boxes of finite numbers"),
        (levels(16, 8), np.zeros((1, 4), np.float32), {"size_ranges": ONE}, r"gt_boxes must be of the dtype of locations \(float64\)"),
    ],
)  # fmt: skip
def test_errors(locations: Any, truths: Any, keywords: dict[str, Any], says: str) -> None:
    with pytest.raises(ReflossError, match=says):
        assign(locations, truths, **keywords)

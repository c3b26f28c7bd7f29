"""Mining: hand-worked images, a slow reference, torchvision's own code, and what a random choice must keep."""

import importlib
import importlib.util
import math
import types
from fractions import Fraction
from typing import Any

import ml_dtypes
import numpy as np
import pytest

from oracle.decisions import Decisions
from oracle.references import mining as slow
from refloss import IGNORE, NEGATIVE
from refloss.assign.assignment import from_index
from refloss.errors import ReflossError
from refloss.mining import hard_negatives, ohem, random_sample

#            0    1    2    3    4    5    6    7
LOSSES = [0.25, 2.0, 0.5, 1.0, 0.75, 0.5, 4.0, 0.5]
INDEX = [0, NEGATIVE, NEGATIVE, IGNORE, NEGATIVE, NEGATIVE, 1, NEGATIVE]


def chosen(mask: Any) -> list[int]:
    assert mask.dtype == bool
    return np.flatnonzero(mask).tolist()


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.float16, ml_dtypes.bfloat16])
def test_hard_negatives_by_hand(dtype: Any) -> None:
    losses = np.array(LOSSES, dtype)
    assert chosen(hard_negatives(losses, INDEX)) == [1, 2, 4, 5, 7]  # 6 wanted, 5 there; not the ignored 1.0, not the positive 4.0
    assert chosen(hard_negatives(losses, INDEX, ratio=1.0)) == [1, 4]
    assert chosen(hard_negatives(losses, INDEX, ratio=1.5)) == [1, 2, 4]  # 0.5 three times: the smaller index
    assert chosen(hard_negatives(losses, INDEX, ratio=1.99)) == [1, 2, 4]  # 3.98 is 3
    assert chosen(hard_negatives(losses, INDEX, ratio=2.0)) == [1, 2, 4, 5]
    assert chosen(hard_negatives(losses, INDEX, ratio=0.0)) == []
    assert chosen(hard_negatives(losses, INDEX, ratio=0.0, min_negatives=1)) == [1]
    assert chosen(hard_negatives(losses, INDEX, ratio=1.0, min_negatives=1)) == [1, 4]
    assert chosen(hard_negatives(losses, INDEX, min_negatives=100)) == [1, 2, 4, 5, 7]
    none = [NEGATIVE if i >= 0 else i for i in INDEX]
    assert chosen(hard_negatives(losses, none)) == []
    assert chosen(hard_negatives(losses, none, min_negatives=2)) == [1, 6]


def test_dialects_by_hand() -> None:
    """Four priors, one positive: 3 wanted, 3 negatives. Two positives: 6 wanted, 2 negatives."""
    losses = [0.5, 0.25, 2.0, 1.0]
    for dialect, one, two, zero in (
        ("paper", [0, 1, 2], [1, 2], [2]),
        ("torchvision", [0, 1, 2], [0, 1, 2, 3], [0, 1, 2]),
        ("ssd.pytorch", [0, 1, 2], [0, 1, 2], [0, 1, 2]),
    ):
        assert chosen(hard_negatives(losses, [-1, -1, -1, 0], dialect=dialect)) == one  # type: ignore[arg-type]
        assert chosen(hard_negatives(losses, [1, -1, -1, 0], dialect=dialect)) == two  # type: ignore[arg-type]
        assert chosen(hard_negatives(losses, [IGNORE, IGNORE, -1, 0], dialect=dialect)) == zero  # type: ignore[arg-type]
        assert chosen(hard_negatives(losses, [-1] * 4, dialect=dialect)) == []  # type: ignore[arg-type]
    # A negative of loss 0 ties with the positive before it in ssd.pytorch alone.
    assert chosen(hard_negatives([9.0, 0.0, 0.0], [0, -1, -1], ratio=1.0, dialect="ssd.pytorch")) == [0]
    assert chosen(hard_negatives([9.0, 0.0, 0.0], [0, -1, -1], ratio=1.0, dialect="torchvision")) == [1]
    # 0.5 * 3 positives: down here, up there.
    index = [0, 0, 0, -1, -1, -1]
    assert chosen(hard_negatives([1.0] * 6, index, ratio=0.5)) == [3]
    assert chosen(hard_negatives([1.0] * 6, index, ratio=0.5, dialect="torchvision")) == [3, 4]


def test_ohem_by_hand() -> None:
    assert chosen(ohem(LOSSES, 3)) == [1, 3, 6]
    assert chosen(ohem(LOSSES, 3, assignments=INDEX)) == [1, 4, 6]  # 3 is ignored
    assert chosen(ohem(LOSSES, 5, assignments=INDEX)) == [1, 2, 4, 5, 6]
    assert chosen(ohem(LOSSES, 0)) == []
    assert chosen(ohem(LOSSES, 99, assignments=INDEX)) == [0, 1, 2, 4, 5, 6, 7]


def test_images_are_apart() -> None:
    """Each row is an image, whatever stands before the last axis; Assignments come alone or in a list."""
    rng = np.random.default_rng(1)
    losses, index = rng.integers(0, 9, (2, 3, 50)) / 8, rng.integers(-2, 3, (2, 3, 50))
    for mine in (lambda a, b: hard_negatives(a, b, ratio=0.4), lambda a, b: ohem(a, 7, assignments=b)):
        mask = mine(losses, index)
        assert mask.shape == losses.shape
        for i in np.ndindex(2, 3):
            np.testing.assert_array_equal(mask[i], mine(losses[i], index[i]))
            np.testing.assert_array_equal(mask[i], mine(losses[i], from_index(index[i])))
        np.testing.assert_array_equal(mask[0], mine(losses[0], [from_index(row) for row in index[0]]))
    sample = random_sample([from_index(row) for row in index[0]], seed=3, count=10)
    np.testing.assert_array_equal(sample, random_sample(index[0], seed=3, count=10))
    assert sample.sum(axis=1).tolist() == [10, 10, 10]


@pytest.mark.parametrize(("dtype", "images"), [(np.float64, 10_000), (np.float32, 1000)])
def test_the_slow_reference(dtype: Any, images: int) -> None:
    rng = np.random.default_rng(2)
    tied = 0
    for s in range(images):
        n = int(rng.integers(0, 25))
        losses = (rng.integers(0, 6, n) / 4 if s % 3 else rng.random(n)).astype(dtype)
        index = rng.choice([-2, -1, -1, -1, 0, 1], n)
        ratio, fewest = (0.5, 1.0, 2.5, 3.0)[s % 4], (0, 0, 2)[s % 3]
        numbers = losses.tolist() if dtype is np.float64 else list(losses)
        d = Decisions()
        want = slow.hard_negatives(d, numbers, index.tolist(), ratio=ratio, min_negatives=fewest)
        assert hard_negatives(losses, index, ratio=ratio, min_negatives=fewest).tolist() == want, (s, losses, index)
        tied += bool(d.ties)
        dialect: Any = ("torchvision", "ssd.pytorch")[s % 2]
        want = slow.hard_negatives(Decisions(), losses.tolist(), index.tolist(), ratio=ratio, dialect=dialect)
        assert hard_negatives(losses, index, ratio=ratio, dialect=dialect).tolist() == want, (s, losses, index)
        count = int(rng.integers(0, 12))
        want = slow.ohem(Decisions(), numbers, count, gt_index=index.tolist())
        assert ohem(losses, count, assignments=index).tolist() == want
    assert tied > images / 4


def test_exact_numbers_decide_alike() -> None:
    losses = [Fraction(v) for v in LOSSES]
    d = Decisions()
    assert slow.hard_negatives(d, losses, INDEX, ratio=1.0) == hard_negatives(LOSSES, INDEX, ratio=1.0).tolist()
    assert d.margin == pytest.approx(1 / 3)  # the nearest decision: 0.75 against 0.5
    d = Decisions()
    slow.hard_negatives(d, losses, INDEX, ratio=1.5)
    assert (d.margin, d.ties) == (0.0, [3])


def test_many_priors() -> None:
    """An SSD300 batch, with ties, against a sort."""
    rng = np.random.default_rng(4)
    losses = (rng.integers(0, 500, (8, 8732)) / 16).astype(np.float32)
    index = np.where(rng.random(losses.shape) < 0.01, 0, NEGATIVE)
    ranked = np.where(index == NEGATIVE, losses, -1)
    rank = np.argsort(np.argsort(-ranked, axis=1, kind="stable"), axis=1)
    np.testing.assert_array_equal(hard_negatives(losses, index), rank < 3 * (index >= 0).sum(axis=1, keepdims=True))
    np.testing.assert_array_equal(ohem(losses, 128).sum(axis=1), 128)


def test_infinite_losses_have_a_rank() -> None:
    assert chosen(hard_negatives([math.inf, 1.0, -math.inf, math.inf, 0.0], [-1, -1, -1, -1, 0], ratio=2.0)) == [0, 3]
    assert chosen(ohem([math.inf, 1.0, -math.inf, 0.0], 3)) == [0, 1, 3]


@pytest.mark.skipif(importlib.util.find_spec("torchvision") is None, reason="needs torchvision")
@pytest.mark.filterwarnings("ignore")
def test_torchvision() -> None:
    """Its SSD's own compute_loss: the sum of the losses that it counts tells which they are."""
    torch: Any = pytest.importorskip("torch")
    importlib.import_module("harnesses.torchvision_losses")  # first: it declares the operators that torchvision's import needs
    compute_loss = importlib.import_module("torchvision.models.detection.ssd").SSD.compute_loss

    rng = np.random.default_rng(5)
    stub = types.SimpleNamespace(encode_single=lambda boxes, anchors: boxes)
    counted_twice = 0
    for s in range(200):
        images, priors, ratio = 2, 12, (3, 1, 2.0, 0.5)[s % 4]
        logits = rng.normal(size=(images, priors, 3)) * 3
        matched = rng.choice([-1, -1, -1, -1, 0, 1], (images, priors))
        labels = np.where(matched >= 0, matched + 1, 0)
        targets = [{"boxes": torch.zeros(2, 4), "labels": torch.tensor([1, 2])}] * images
        outputs = {"bbox_regression": torch.zeros(images, priors, 4), "cls_logits": torch.tensor(logits)}
        theirs = compute_loss(
            types.SimpleNamespace(neg_to_pos_ratio=ratio, box_coder=stub), targets, outputs,
            [torch.zeros(priors, 4)] * images, list(torch.tensor(matched)),
        )["classification"].item()  # fmt: skip
        losses = np.log(np.exp(logits).sum(axis=2)) - np.take_along_axis(logits, labels[..., None], 2)[..., 0]
        positive, mask = matched >= 0, hard_negatives(losses, matched, ratio=ratio, dialect="torchvision")
        ours = (losses[positive].sum() + losses[mask].sum()) / max(1, positive.sum())
        assert ours == pytest.approx(theirs, rel=1e-12)
        twice = bool((mask & positive).any())
        counted_twice += twice
        if not twice and ratio != 0.5:  # where it does not count a positive twice, nor rounds up, it is the paper's
            np.testing.assert_array_equal(mask, hard_negatives(losses, matched, ratio=ratio))
    assert 20 < counted_twice < 180


def test_random_sample_keeps_its_counts() -> None:
    rng = np.random.default_rng(6)
    for s in range(300):
        index = rng.choice([-2, -1, -1, 0, 1], int(rng.integers(0, 60)))
        count, fraction = int(rng.integers(0, 40)), (0.0, 0.25, 0.5, 1.0)[s % 4]
        ratio = (None, 0.0, 1.5, 3.0)[s // 4 % 4]
        mask = random_sample(index, seed=s, count=count, positive_fraction=fraction, ratio=ratio)
        positives, negatives = int((index >= 0).sum()), int((index == NEGATIVE).sum())
        taken = min(int(count * fraction), positives)
        rest = min(count - taken, negatives)
        rest = rest if ratio is None else min(rest, int(ratio * taken))
        assert (int(mask[index >= 0].sum()), int(mask[index == NEGATIVE].sum())) == (taken, rest)
        assert not mask[index == IGNORE].any()
        everything = random_sample(index, seed=s, count=None, ratio=3.0)
        assert everything[index >= 0].all()
        assert everything[index == NEGATIVE].sum() == min(3 * positives, negatives)


def test_random_sample_is_random_and_repeats() -> None:
    index = np.array([0] * 8 + [NEGATIVE] * 32)
    np.random.seed(1)
    state = np.random.get_state()[1].copy()  # type: ignore[index]
    masks = np.array([random_sample(index, seed=(7, s), count=16, positive_fraction=0.25) for s in range(4000)])
    assert (np.random.get_state()[1] == state).all()  # type: ignore[index]
    np.testing.assert_array_equal(masks[5], random_sample(index, seed=(7, 5), count=16, positive_fraction=0.25))
    assert len(np.unique(masks, axis=0)) > 3990
    # 4 of 8, 12 of 32: each prior as often, within 5 standard deviations; and pairs, too.
    share = masks.mean(axis=0)
    assert np.abs(share[:8] - 4 / 8).max() < 5 * math.sqrt(0.25 / 4000)
    assert np.abs(share[8:] - 12 / 32).max() < 5 * math.sqrt(0.24 / 4000)
    assert abs((masks[:, 0] & masks[:, 1]).mean() - 4 * 3 / (8 * 7)) < 5 * math.sqrt(0.17 / 4000)
    rows = random_sample(np.stack([index, index]), seed=1, count=16)
    assert (rows[0] != rows[1]).any()


def test_the_same_choice_with_every_numpy() -> None:
    """NumPy's documentation prints default_rng(12345).random(6): 0.2273 0.3168 0.7974 0.6763 0.3911 0.3328, the same words as floats."""
    assert chosen(random_sample([-1] * 6, seed=12345, count=2)) == [2, 3]


def test_nothing() -> None:
    for shape in ((0,), (3, 0), (0, 5)):
        losses, index = np.empty(shape, np.float32), np.empty(shape, np.int64)
        assert hard_negatives(losses, index, dialect="ssd.pytorch").shape == shape
        assert hard_negatives(losses, index, min_negatives=3).shape == shape
        assert ohem(losses, 3).shape == random_sample(index, seed=0).shape == shape
    assert hard_negatives([], []).shape == (0,)


L3, I3 = [0.5, 0.25, 1.0], [0, -1, -1]


@pytest.mark.parametrize(
    ("function", "arguments", "options", "says"),
    [
        (hard_negatives, ([0.5, float("nan"), 1.0], I3), {}, "hard_negatives: losses must be without NaN, got NaN at index (1,)"),
        (hard_negatives, (L3, I3[:2]), {}, "hard_negatives: losses must be of the shape of assignments (2,), got (3,)"),
        (hard_negatives, (L3, [0.0, -1.0, -1.0]), {}, "hard_negatives: assignments must be Assignments or an array of integers"),
        (hard_negatives, (L3, [0, -1, -3]), {}, "hard_negatives: assignments must be truth indices, NEGATIVE (-1) or IGNORE (-2), got -3"),
        (hard_negatives, (np.array([1, 2, 3]), I3), {}, "hard_negatives: losses must be an array of float64"),
        (hard_negatives, (0.5, 0), {}, "hard_negatives: assignments must be of shape (..., priors)"),
        (hard_negatives, (L3, I3), {"ratio": -1.0}, "hard_negatives: ratio must be in [0, 1e+09], got -1"),
        (hard_negatives, (L3, I3), {"min_negatives": 1.0}, "hard_negatives: min_negatives must be an integer, got float"),
        (hard_negatives, (L3, I3), {"min_negatives": -1}, "hard_negatives: min_negatives must be at least 0"),
        (hard_negatives, (L3, I3), {"dialect": "mmdet"}, "hard_negatives: dialect must be 'paper' or 'ssd.pytorch' or 'torchvision'"),
        (hard_negatives, (L3, I3), {"dialect": "torchvision", "min_negatives": 1}, "hard_negatives: min_negatives must be 0 with dialect="),
        (
            hard_negatives, (L3, [from_index(np.array([0])), from_index(np.array([0, -1]))]), {},
            "hard_negatives: assignments must be of one number of priors, got [1, 2]",
        ),
        (ohem, (L3, -1), {}, "ohem: count must be at least 0, got -1"),
        (ohem, (L3, 2.0), {}, "ohem: count must be an integer, got float"),
        (ohem, (L3, 2), {"assignments": I3[:1]}, "ohem: losses must be of the shape of assignments"),
        (ohem, (0.5, 1), {}, "ohem: losses must be of shape (..., priors)"),
        (random_sample, (I3,), {"seed": -1}, "random_sample: seed must be at least 0, got -1"),
        (random_sample, (I3,), {"seed": 0.5}, "random_sample: seed must be an integer or a sequence of them, got 0.5"),
        (random_sample, (I3,), {"seed": ()}, "random_sample: seed must be an integer or a sequence of them"),
        (random_sample, (I3,), {"seed": 0, "count": 1.5}, "random_sample: count must be an integer"),
        (random_sample, (I3,), {"seed": 0, "positive_fraction": 1.5}, "random_sample: positive_fraction must be in [0, 1]"),
        (random_sample, (I3,), {"seed": 0, "ratio": -0.5}, "random_sample: ratio must be in [0, 1e+09]"),
    ],
)  # fmt: skip
def test_bad_input(function: Any, arguments: Any, options: Any, says: str) -> None:
    with pytest.raises(ReflossError) as caught:
        function(*arguments, **options)
    text = str(caught.value)
    assert text.startswith(says)
    assert "; " in text


def test_a_decimal_ratio_is_the_decimal() -> None:
    """0.29 * 100 is 28.999999999999996 in float64; floor of 29 is 29."""
    index = np.r_[np.zeros(100, int), np.full(200, -1)]
    assert hard_negatives(np.arange(300.0), index, ratio=0.29).sum() == 29
    assert random_sample(index, seed=0, count=100, positive_fraction=0.29)[:100].sum() == 29

"""SSD's mining from the logits: whatever they are, the mask is that of the losses themselves."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from refloss import softmax_cross_entropy_with_integer_labels as cross_entropy
from refloss.mining import hard_negatives, of_logits

Array = np.ndarray[Any, Any]


def from_losses(logits: Array, index: Array, background: int, **rule: Any) -> Array:
    losses = cross_entropy(logits, np.full(index.shape, background))
    return hard_negatives(np.where(np.isnan(losses), np.inf, losses), index, **rule)


def plain(x: Array, rng: np.random.Generator) -> Array:
    return x


def alike(x: Array, rng: np.random.Generator) -> Array:
    """Rows that differ by a few units in the last place, and many that are equal."""
    return x[:, :1] + rng.integers(-2, 3, x.shape) * np.spacing(x.dtype.type(1))


def far(x: Array, rng: np.random.Generator) -> Array:
    """Logits so large that losses overflow exp(88), others so small that they are beside 1e-30."""
    return x * rng.choice([1, 60, 1000], (*x.shape[:2], 1))


def good(x: Array, rng: np.random.Generator) -> Array:
    """A trained head: the background leads by 70 and more, so that losses are subnormal or 0."""
    return x - np.where(np.arange(x.shape[2]) == 1, 0, rng.uniform(60, 110, (*x.shape[:2], 1)))


def wrong(x: Array, rng: np.random.Generator) -> Array:
    """NaN and infinities here and there, also at the background."""
    return np.where(rng.random(x.shape) < 2e-3, rng.choice([np.nan, np.inf, -np.inf], x.shape), x)


def offset(x: Array, rng: np.random.Generator) -> Array:
    """Large logits of small differences, which a subtraction of 3.4e38 would not survive."""
    return x + rng.choice([0, 1e5, -3e30], (*x.shape[:2], 1))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("change", [plain, alike, far, good, wrong, offset])
@pytest.mark.parametrize("classes", [2, 5, 91])
def test_the_mask_of_the_losses(change: Callable[..., Array], classes: int, dtype: Any) -> None:
    rng = np.random.default_rng(classes)
    for seed in range(12):
        x = (3 * rng.standard_normal((3, 400, classes))).astype(dtype)
        x = change(x, rng).astype(dtype)
        index = np.where(rng.random((3, 400)) < (0.04, 0.3, 0.0)[seed % 3], 0, -1)
        for rule in ({"ratio": 3.0, "dialect": "torchvision"}, {"ratio": 2.5, "min_negatives": 7}, {"ratio": 0.3}):
            with np.errstate(invalid="ignore"):
                got, wanted = (f(x, index, background=1, **rule) for f in (of_logits.hardest, from_losses))
            np.testing.assert_array_equal(got, wanted)


def test_the_pass_is_as_good_as_it_says() -> None:
    """S against float64's sum: SLACK is 2e-4 for the pass and the losses together, and the pass has a tenth of it."""
    rng = np.random.default_rng(0)
    for classes in (1, 7, 8, 9, 91, 3000):
        x = (10 * rng.standard_normal((50, classes))).astype(np.float32)
        with np.errstate(over="ignore"):
            terms = np.exp(x.astype(np.float64) - x[:, -1:])[:, :-1]
        got, wanted = of_logits.odds(x, classes - 1), terms.sum(axis=1)
        sure = (wanted > of_logits.LEAST) & (wanted < of_logits.MOST)
        assert sure.any() or classes == 1
        np.testing.assert_allclose(got[sure], wanted[sure], rtol=2e-5)
        assert (got[wanted <= of_logits.LEAST] < 2 * of_logits.LEAST).all()
    for value, least in ((math.nan, math.inf), (math.inf, math.inf), (90.0, math.inf), (-math.inf, 0.0)):
        assert of_logits.odds(np.array([[0.0, value]]), 0)[0] == pytest.approx(least, abs=1e-37)
    assert of_logits.odds(np.array([[math.nan, 0.0]]), 0)[0] == math.inf


def test_only_what_is_open_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 8732 priors a few are near the last one that is chosen."""
    asked: list[int] = []

    def counting(logits: Array, labels: Array) -> Array:
        asked.append(len(labels))
        return np.asarray(cross_entropy(logits, labels))

    monkeypatch.setattr(of_logits, "cross_entropy", counting)
    rng = np.random.default_rng(1)
    x, index = rng.standard_normal((16, 8732, 21)).astype(np.float32), np.where(rng.random((16, 8732)) < 0.01, 0, -1)
    got = of_logits.hardest(x, index, background=0)
    assert sum(asked) < 16 * 20
    np.testing.assert_array_equal(got, from_losses(x, index, 0))

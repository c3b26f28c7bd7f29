"""What is computed at once, or once, is what is computed one by one and again: to the bit."""

import itertools
from collections.abc import Iterator

import numpy as np
import pytest

from refloss_conformance.cases import Batch, batches, has_vectors
from refloss_conformance.deviations import applicable
from refloss_conformance.predict import CORNERS, Corners, Predictions, Stack, _evaluate_all, evaluate_all, evaluate_corners, remembering

WIDE = {"float32": np.float64, "float64": np.longdouble}
CASES, STEP = 40, 7  # of a batch; of the deviations, one in so many


def samples(loss: str) -> Iterator[tuple[list[Stack], Batch]]:
    """Deviations alone and in pairs, constants of one among them, on a batch with ties of each dtype."""
    usual = [c for c in applicable(loss) if not c.deviation.alone]
    stacks = [(c,) for c in applicable(loss)[::STEP]] + [(a, b) for a, b in itertools.pairwise(usual) if a.name != b.name][::STEP]
    several = [(c,) for c in usual if len(c.deviation.constants) > 1][:5]
    for dtype in WIDE:
        some = max(batches(loss, (dtype,)), key=lambda batch: int(batch.with_kind("tie").sum()))
        ties = np.flatnonzero(some.with_kind("tie"))
        yield [*stacks, *several], some.take([*ties[: CASES // 2], *range(min(len(some), CASES // 2))])


def equal(a: Predictions, b: Predictions) -> None:
    for one, two in ((a.value, b.value), (a.gradient, b.gradient), (a.runs, b.runs)):
        assert (one is None) == (two is None)
        if one is not None and two is not None:
            np.testing.assert_array_equal(one, two)


@pytest.mark.parametrize("loss", has_vectors())
def test_corners_at_once(loss: str) -> None:
    """The corners of a kink are computed as copies of the cases, each with its own weights for the ties."""
    for stacks, batch in samples(loss):
        dtype = np.dtype(batch.dtype)
        one_by_one = [_evaluate_all(stacks, batch, dtype, True, (corner,))[0] for corner in CORNERS]
        for one, two in zip(evaluate_corners(stacks, batch, dtype), one_by_one, strict=True):
            equal(one, two)
            np.testing.assert_array_equal(one.tied, two.tied)


def test_corners_differ() -> None:
    """The samples above hold ties at which the corners are not the same."""
    found = set()
    for loss in has_vectors():
        for stacks, batch in samples(loss):
            slopes = [p.gradient for p in evaluate_corners(stacks, batch, np.dtype(batch.dtype))]
            if any(not np.array_equal(slopes[0], other, equal_nan=True) for other in slopes[1:]):
                found.add(loss)
    assert {"smooth_l1_loss", "l1_loss", "giou_loss", "ciou_loss", "delta_coder.decode"} <= found


@pytest.mark.parametrize("loss", ["focal_loss", "ciou_loss", "softmax_focal_loss_with_integer_labels", "yolo_coder.decode"])
def test_remembered(loss: str) -> None:
    """Asked again, in another order, and for batches of which each may lie where the one before did."""
    for stacks, batch in samples(loss):
        for dtype in (np.dtype(batch.dtype), WIDE[batch.dtype]):
            plain = evaluate_all(stacks, batch, dtype, False)
            with remembering():
                for order in (slice(None), slice(None, None, -2)):
                    equal(evaluate_all(stacks[order], batch, dtype, False), _take(plain, order, slice(None)))
                for k in range(min(len(batch), 3)):
                    equal(evaluate_all(stacks, batch.take([k]), dtype, False), _take(plain, slice(None), slice(k, k + 1)))


def _take(found: Predictions, order: slice, cases: slice) -> Predictions:
    return Predictions(found.value[order, cases], None, found.runs[order], found.tied)


def test_the_weights_of_corners() -> None:
    """A weight for each copy of each case, however many numbers a case has where the tie is met."""
    corners = Corners(CORNERS, 2, np.float32)
    assert corners.weight("abs", np.zeros(12)).tolist() == [0, 0, 1, 1, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5]
    for name in ("maximum", "minimum"):
        weight = corners.weight(name, np.zeros((12, 3)), 0.0)
        assert weight.shape == (12, 1) and weight.dtype == np.float32
        assert weight.ravel()[::2].tolist() == [corner[name] for corner in CORNERS]

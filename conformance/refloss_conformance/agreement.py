"""Whether predictions of deviations are the numbers that were got.

A deviation explains a failing number if it gives that number: to 1e-3, or to the rounding noise of the deviation itself
(the difference between its wider and its working-precision evaluation); and where the fault is small beside its number, to
a twentieth of the fault. It must also give the numbers that are right, as nearly as any implementation must.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from .golden import Array
from .limits import THIRD_PARTY
from .predict import Predictions, Stack, evaluate_all, evaluate_corners
from .vectors import EPS, SMALLEST_NORMAL
from .verdict import NEGLIGIBLE, Judged, Part, per_case, typical

AGREE = 1e-3
SHARE = 0.05  # of a fault that is small beside its number: what a rough constant may miss of it. At a half, pi = 3.1416 had another's name
NEARLY_ALL = 0.75
PASSES = 2  # times the limit, between a right number and its prediction: each may be off by what passes
SPLIT = 1 / 16  # of the way between two corners: a tie is split in halves, and four ties meet at most. A millionth of it is another fault
HAIR = 1e-6  # relative: what is off by less may be the rounding of another step
HOPELESS = 0.34  # of the cases: above it nobody looks whether ties are the reason


@dataclass(frozen=True)
class Explanation:
    """A stack of deviations, and how far it reaches."""

    stack: Stack
    explained: int  # failing cases that it gives
    failing: int
    contradicted: int  # passing cases that it does not give
    unexplained_in_training: int = 0  # failing cases that matter to a gradient step, and that it does not give
    unexplained_hairs: int = 0  # failing cases that are off by a hair, and that it does not give

    @property
    def complete(self) -> bool:
        """All that matters in training, and nearly all of the rest: what fails strictly only may be noise of another kind."""
        plain = self.failing - self.unexplained_hairs
        enough = self.explained >= NEARLY_ALL * plain and self.explained >= self.unexplained_hairs
        return self.explained > 0 and enough and self.unexplained_in_training == 0 and self.contradicted == 0


def agreement(part: Part, predictions: Sequence[Array], dtype: str) -> Array:
    """Which numbers agree, for each stack. predictions: in a wider dtype, in the working dtype, and (gradients) at the corners of ties."""
    got, wide = part.got, predictions[0]
    tolerance = _tolerance(part, wide, predictions[1], dtype)
    lost = ~np.isfinite(got)
    near = lost.any(axis=-1, keepdims=True) if got.ndim > 1 else lost
    spared = near & (~part.strict | (got == 0))  # how far NaN spreads in a row depends on the autodiff; the rest is right, or 0
    agrees = np.zeros(wide.shape, bool)
    with np.errstate(all="ignore"):
        for prediction in predictions:
            agrees |= np.abs(got - prediction) <= tolerance
            agrees |= (lost & ~np.isfinite(prediction)) | (spared & np.isnan(prediction))
        if len(predictions) > 2:  # kinks of the deviation: its corners, which are predictions, and what lies well between them
            corners = np.stack([wide, *predictions[2:]])
            low, high = corners.min(axis=0), corners.max(axis=0)
            agrees |= (got >= low + SPLIT * (high - low)) & (got <= high - SPLIT * (high - low))
    return agrees | ~comparable(part)


def _tolerance(part: Part, wide: Array, narrow: Array, dtype: str) -> Array:
    """How far a prediction may be from what was got, for each stack. wide and narrow: the prediction in the two dtypes."""
    got, wanted = part.got, part.wanted.number
    with np.errstate(all="ignore"):
        gap, noise = np.abs(got - wanted), np.abs(wide - narrow)
        noise = np.where(np.isfinite(noise), 4 * noise, 0)
        size, true = (np.where(np.isinf(wanted), 0, np.abs(x)) for x in (got, wanted))
        last = size.max(axis=-1, keepdims=True) if size.ndim > 1 else size  # a box's small components share its rounding
        last = np.where(np.isfinite(last), last, 0)
        rounding = THIRD_PARTY.eps * EPS[dtype] * np.maximum(part.wanted.scale, true) + 2 * SMALLEST_NORMAL[dtype]
        unimportant = NEGLIGIBLE * typical(wanted) if got.ndim == 1 else 0.0
        right = np.maximum(noise, PASSES * rounding + unimportant)
        wrong = np.maximum(AGREE * last, noise) + rounding
        telling = (gap > noise) & np.isfinite(gap)  # below the noise a failure says nothing of where it comes from
        wrong = np.where(telling, np.minimum(wrong, np.maximum(SHARE * gap, noise)), wrong)
        tolerance = np.where(part.strict, wrong, right)
        return np.maximum(tolerance, np.where(np.isfinite(gap), AGREE * gap, 0))


def comparable(part: Part) -> Array:
    """Not at a kink of the loss, where any number between two is right."""
    return ~part.wanted.kink if part.what == "gradient" else np.ones(part.got.shape, bool)


def agreeing(stacks: Sequence[Stack], one: Judged, gradient: bool, hopeless: float = HOPELESS) -> tuple[Array, Array | None]:
    """Which cases agree, for each stack: in value, and in gradient if that was judged."""
    batch, dtype = one.batch, np.dtype(one.batch.dtype)
    wider = np.float64 if dtype == np.float32 else np.longdouble
    slopes = gradient and one.gradient is not None
    both = [evaluate_all(stacks, batch, wider, slopes), evaluate_all(stacks, batch, dtype, slopes)]
    runs = (both[0].runs & both[1].runs)[:, None]
    value = _by_case(agreement(one.value, [p.value for p in both], batch.dtype)) & runs
    if not slopes or one.gradient is None:
        return value, None
    slope = _by_case(agreement(one.gradient, [_slopes(p) for p in both], batch.dtype)) & runs
    again = np.flatnonzero(both[1].tied & runs[:, 0] & ~slope.all(axis=1) & (slope.mean(axis=1) >= hopeless)).tolist()
    if len(again):
        some = [stacks[i] for i in again]
        corners = [_slopes(p) for p in evaluate_corners(some, batch, dtype)]
        slope[again] = _by_case(agreement(one.gradient, [*(_slopes(p)[again] for p in both), *corners], batch.dtype))
    return value, slope


def _slopes(predictions: Predictions) -> Array:
    assert predictions.gradient is not None
    return predictions.gradient


def _by_case(agrees: Array) -> Array:
    """All numbers of a case; the first two axes are stacks and cases."""
    return np.asarray(agrees.all(axis=tuple(range(2, agrees.ndim))))


def failing(one: Judged, gradient: bool) -> tuple[Array, Array, Array]:
    """Cases that fail, those that matter to a gradient step, and those that are off by a hair."""
    parts = one.parts if gradient else (one.value,)
    fails, matters, plain = (np.zeros(len(one.batch), bool) for _ in range(3))
    for part in parts:
        wrong = part.strict & comparable(part)
        with np.errstate(all="ignore"):
            hair = np.abs(part.got - part.wanted.number) <= HAIR * np.abs(part.wanted.number)
        fails |= per_case(wrong)
        matters |= per_case(part.training & comparable(part))
        plain |= per_case(wrong & ~hair)
    return fails, matters, fails & ~plain


def reach(stack: Stack, judged: Sequence[Judged], give_up: Callable[[Explanation], bool] | None = None) -> Explanation:
    """How many failing cases a stack gives, and how many passing ones it contradicts."""
    found = Explanation(stack, 0, 0, 0)
    for one in judged:
        value, slope = agreeing([stack], one, True, hopeless=0)
        agrees = value[0] if slope is None else value[0] & slope[0]
        fails, matters, hair = failing(one, True)
        found = Explanation(
            stack, found.explained + int((fails & agrees).sum()), found.failing + int(fails.sum()),
            found.contradicted + int((~fails & ~agrees).sum()), found.unexplained_in_training + int((matters & ~agrees).sum()),
            found.unexplained_hairs + int((hair & ~agrees).sum()),
        )  # fmt: skip
        if give_up is not None and give_up(found):
            break
    return found

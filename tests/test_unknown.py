"""What is said of faults that no deviation explains, on invented ones: each sentence must come, and none that is not true."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from refloss_conformance.cases import Batch, batches
from refloss_conformance.golden import Array
from refloss_conformance.records import RECORDS
from refloss_conformance.unknown import SENTENCES, describe
from refloss_conformance.verdict import Judged, judge

Answer = tuple[Array, Array | None]
Fault = Callable[[Batch, Array, Array], Answer]


def judged(loss: str, fault: Fault, dtypes: Sequence[str] = ("float32", "float64")) -> list[Judged]:
    """Golden numbers with a fault put into them."""
    found = []
    for batch in batches(loss, dtypes):
        value, gradient = fault(batch, np.array(batch.value.number), np.array(batch.gradient.number))
        found.append(judge(batch, value, gradient, RECORDS[loss].kind == "pairs"))
    return found


def said(loss: str, fault: Fault, **more: Any) -> list[str]:
    found = describe(judged(loss, fault, **more))
    assert found is not None and 1 <= len(found["facts"]) <= SENTENCES and found["text"] == " ".join(found["facts"])
    return list(found["facts"])


def _at(batch: Batch, numbers: Array, where: Array, new: Any) -> Array:
    out = numbers.copy()
    out[where] = new[where] if isinstance(new, np.ndarray) else new
    return out


FAULTS: dict[str, tuple[str, Fault, str, int]] = {
    "ratio": ("focal_loss", lambda b, v, g: (1.37 * v, 1.37 * g), "Every value is 1.37 times the true one.", 1),
    "sign": ("smooth_l1_loss", lambda b, v, g: (v, -g), "Every gradient is the true one with the other sign.", 1),
    "difference": ("giou_loss", lambda b, v, g: (v + 0.25, g), "Every value is the true one plus 0.25.", 1),
    "gradient": (
        "squared_error", lambda b, v, g: (v, g * np.cos(b.first.astype(float))),
        "Every value is right and the gradient of", 1,
    ),
    "value": ("l1_loss", lambda b, v, g: (v * (1 + np.abs(b.first.astype(float))), g), "Every gradient is right and the value of", 1),
    "nan": (
        "ciou_loss", lambda b, v, g: (_at(b, v, b.with_kind("degenerate_box"), np.nan), g),
        "Wherever the value is wrong it is NaN or infinite; every finite one is right.", 2,
    ),
    "edges": (
        "ciou_loss", lambda b, v, g: (_at(b, v, b.with_kind("degenerate_box"), v * 3 + 1), g),
        "Ordinary cases pass; only special ones fail (degenerate box). zero size: A box of no width or no height, or both.", 3,
    ),
    "soft": (
        "binary_cross_entropy", lambda b, v, g: (_at(b, v, b.with_kind("soft_target"), v * v + 0.1), g),
        "Ordinary cases pass; only special ones fail (soft target).", 3,
    ),
    "dtype": (
        "huber_loss", lambda b, v, g: (v * (1 + (1e-4 * np.sin(b.first.astype(float)) if b.dtype == "float32" else 0)), g),
        "Only float32 fails; in float64 all is right", 3,
    ),
    "parameter": (
        "focal_loss", lambda b, v, g: (v, g * np.exp(b.first) if b.parameters["gamma"] == 2 else g),
        "It fails only with gamma = 2; with every other value all is right.", 3,
    ),
    "setting": (
        "focal_loss", lambda b, v, g: (v, g * np.exp(b.first) if b.parameters["gamma"] == 0.5 else g),
        "It fails in a single setting, alpha = 0.25 and gamma = 0.5; in all others all is right.", 3,
    ),
    "coordinate": (
        "giou_loss", lambda b, v, g: (v, g * np.array([1, 1, 1, 0.5]) ** (1 + b.first[:, :1] % 3)),
        "Of the four numbers of a gradient only the fourth is ever wrong.", 3,
    ),
    "growth": (
        "smooth_l1_loss", lambda b, v, g: (v * (1 + 1e-3 * np.abs(b.first - b.second).astype(float) ** 1.5), g),
        "The error of the value grows with the size of the inputs", 4,
    ),
    "independent": ("binary_cross_entropy", lambda b, v, g: (np.sin(b.first).astype(float), np.cos(b.first).astype(float)),
                    "The value does not depend on the second input", 2),
    "zero": ("diou_loss", lambda b, v, g: (v, 0 * g), "Where the gradient is wrong it is 0.", 2),
    "factors": (
        "focal_loss", lambda b, v, g: (3 * v, 2 * g),
        "Value and gradient are off by different factors: the gradient is not that of the value.", 4,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", FAULTS)
def test_said(name: str) -> None:
    loss, fault, sentence, place = FAULTS[name]
    with np.errstate(all="ignore"):
        facts = said(loss, fault)
    at = [k for k, fact in enumerate(facts) if fact.startswith(sentence)]
    assert at and at[0] < place, facts


def test_only_at_kinks() -> None:
    """An answer outside the interval at a tie, in a loss whose gradient has one."""
    assert describe(judged("smooth_l1_loss", lambda b, v, g: (_at(b, v, b.with_kind("tie"), 1.0), g))) is not None
    facts = said("smooth_l1_loss", lambda b, v, g: (_at(b, v, b.with_kind("tie"), 1.0), g))
    assert "It fails only at kinks, where edges or numbers coincide." in facts[:2]


def test_nothing_to_say_of_what_is_right() -> None:
    assert describe(judged("ciou_loss", lambda b, v, g: (v, g))) is None
    assert describe([]) is None


def test_without_gradients() -> None:
    facts = said("focal_loss", lambda b, v, g: (v + np.sin(b.first.astype(float)), None))
    assert any("values only: no gradient was judged" in fact for fact in facts)


def test_a_fault_without_a_pattern_is_not_given_one() -> None:
    """Noise: no ratio, no sign, no setting, no dtype."""
    draw = np.random.default_rng(7)
    facts = said("focal_loss", lambda b, v, g: (v * draw.uniform(0.5, 2, v.shape), g * draw.uniform(0.5, 2, g.shape)))
    patterns = ("times the true one", "only", "never", "sign", "grows", "shrinks", "does not depend")
    assert not any(pattern in fact for fact in facts for pattern in patterns), facts

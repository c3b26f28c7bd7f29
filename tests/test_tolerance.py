"""How near a deviation must come to what was got: a rough constant of it is named, another constant is not."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from refloss._engine.xp import numpy_xp
from refloss_conformance import agreement
from refloss_conformance.cases import batches
from refloss_conformance.deviations import DEVIATIONS, Candidate, base_formula
from refloss_conformance.explain import explain
from refloss_conformance.predict import evaluate
from refloss_conformance.records import RECORDS
from refloss_conformance.verdict import judge

Formula = Callable[..., Any]


def named(loss: str, formula: Formula, dtype: str = "float64") -> list[set[tuple[str, Any]]]:
    """What is said to explain all of an implementation's failures."""
    boxes = RECORDS[loss].kind == "pairs"
    judged = [judge(one, *evaluate(formula, one, np.dtype(dtype), True), boxes) for one in batches(loss, (dtype,))]
    assert any(part.strict.any() for one in judged for part in one.parts)
    return [{(c.name, c.constant) for c in one.stack} for one in explain(judged) if one.complete]


def scaled(loss: str, by: float) -> Formula:
    base = RECORDS[loss].formula
    return lambda xp, first, second, **parameters: by * base(xp, first, second, **parameters)


def with_constant(loss: str, name: str, constant: float) -> Formula:
    return Candidate(DEVIATIONS[name], constant).change(base_formula(loss))


ROUGH = [
    ("focal_loss", 0.4343, ("log10", None)), ("focal_loss", 1.4427, ("log2", None)), ("smooth_l1_loss", 0.49999, ("constant_factor", 0.5)),
    ("giou_loss", 0.5 + 4e-5, ("constant_factor", 0.5)),
]  # fmt: skip


@pytest.mark.parametrize(("loss", "by", "wanted"), ROUGH, ids=[f"{loss}-{by}" for loss, by, _ in ROUGH])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_constants_of_four_digits_are_named(loss: str, by: float, wanted: tuple[str, Any], dtype: str) -> None:
    """1 / ln 10 written as 0.4343 is log10: refused at a tolerance of 1e-6."""
    assert {wanted} in named(loss, scaled(loss, by), dtype)


OTHER = [
    ("focal_loss", "", 0.4343 * 1.02), ("smooth_l1_loss", "", 0.5025), ("giou_loss", "", 2.04),
    ("giou_loss", "eps_in_the_union", 1.02e-3), ("iou_loss", "eps_in_the_union", 1.3e-7), ("ciou_loss", "eps_everywhere", 1.7e-5),
    ("focal_loss", "probability_clipped", 1.02e-3), ("binary_cross_entropy", "eps_in_the_logarithm", 1.3e-6),
    ("delta_coder.encode", "eps_in_sizes", 1.1e-3),
]  # fmt: skip


@pytest.mark.parametrize(("loss", "name", "constant"), OTHER, ids=[f"{one[0]}-{one[1]}-{one[2]:g}" for one in OTHER])
@pytest.mark.filterwarnings("ignore")
def test_other_constants_are_not_named(loss: str, name: str, constant: float) -> None:
    """2 % beside a known constant is another fault: at a tolerance of 1e-1 it would be called by its neighbour's name."""
    formula = with_constant(loss, name, constant) if name else scaled(loss, constant)
    assert named(loss, formula) == []


@pytest.mark.parametrize("loss", ["focal_loss", "giou_loss", "delta_coder.decode", "softmax_focal_loss_with_integer_labels"])
def test_hairs_alone_have_no_name(loss: str) -> None:
    """Right but for float32 inside: every failure is a hair, and a name for a few of them would be a guess."""
    base = RECORDS[loss].formula

    def inside(xp: Any, first: Any, second: Any, **parameters: Any) -> Any:
        return base(xp, first, second, **parameters) * (1 + 3e-7 if xp is numpy_xp else 1)

    assert named(loss, scaled(loss, 1 + 3e-7)) == []
    assert named(loss, inside) == []


@pytest.mark.parametrize(("wide", "narrow"), [(1e-1, 1e-6)])
def test_the_guard_guards(wide: float, narrow: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """The two tests above see a tolerance that is much too wide or much too narrow."""
    monkeypatch.setattr(agreement, "AGREE", wide)
    assert named("smooth_l1_loss", scaled("smooth_l1_loss", 0.51))
    monkeypatch.setattr(agreement, "AGREE", narrow)
    assert not named("focal_loss", scaled("focal_loss", 0.4343))

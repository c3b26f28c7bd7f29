"""Two deviations at once: pairs of each loss and coding, drawn once and for all, are found as that pair or as the same numbers.

The answers are those of the two formulas stacked, in float32; what the checker says is compared in float64, on all cases.
"""

import itertools
import random
from collections.abc import Iterator

import numpy as np
import pytest

from refloss_conformance.cases import batches, has_vectors
from refloss_conformance.deviations import Candidate, applicable
from refloss_conformance.explain import Explanation, explain
from refloss_conformance.predict import CANNOT, Stack, evaluate, stacked
from refloss_conformance.records import RECORDS
from refloss_conformance.third_party import Request, run
from refloss_conformance.verdict import Judged, judge

EACH = 4  # pairs of a loss
CLOSE = 2e-3


def answers(loss: str, stack: Stack, dtype: str) -> list[Judged]:
    formula, boxes = stacked(loss, stack), RECORDS[loss].kind == "pairs"
    return [judge(batch, *evaluate(formula, batch, np.dtype(dtype), True), boxes) for batch in batches(loss, (dtype,))]


def pairs(loss: str) -> Iterator[tuple[Stack, list[Judged]]]:
    """Pairs that fail somewhere, each with a constant drawn where it has one, and their answers."""
    draw = random.Random(f"{loss} 1")
    choices: dict[str, list[Candidate]] = {}
    for candidate in applicable(loss):
        if not candidate.deviation.alone:
            choices.setdefault(candidate.name, []).append(candidate)
    every = list(itertools.combinations(sorted(choices), 2))
    draw.shuffle(every)
    for a, b in every:
        stack = (draw.choice(choices[a]), draw.choice(choices[b]))
        try:
            judged = answers(loss, stack, "float32")
        except CANNOT:
            continue
        if any(part.strict.any() for one in judged for part in one.parts):
            yield stack, judged


def alike(loss: str, a: Stack, b: Stack) -> bool:
    """The same numbers, up to what the checker takes for the same, in all cases but one in a hundred: kinks."""
    differ = total = 0
    for one, two in zip(answers(loss, a, "float64"), answers(loss, b, "float64"), strict=True):
        for x, y in zip(one.parts, two.parts, strict=True):
            size = np.abs(x.got).max(axis=-1, keepdims=True) if x.got.ndim > 1 else np.abs(x.got)
            with np.errstate(all="ignore"):
                same = (np.abs(x.got - y.got) <= CLOSE * size + 1e-7) | (x.got == y.got) | (~np.isfinite(x.got) & ~np.isfinite(y.got))
            differ += int((~same).reshape(len(same), -1).any(axis=1).sum())
            total += len(same)
    return differ <= 0.01 * total


def right(loss: str, stack: Stack, found: list[Explanation]) -> bool:
    names = {c.name for c in stack}
    complete = [one for one in found if one.complete]
    return any({c.name for c in one.stack} == names for one in complete) or any(alike(loss, stack, one.stack) for one in complete)


@pytest.mark.parametrize("loss", has_vectors())
def test_pairs(loss: str) -> None:
    drawn = list(itertools.islice(pairs(loss), EACH))
    assert len(drawn) == EACH and EACH * len(has_vectors()) >= 60
    for stack, judged in drawn:
        found = explain(judged)
        assert right(loss, stack, found), ([(c.name, c.constant) for c in stack], [[c.name for c in one.stack] for one in found])


@pytest.mark.parametrize("function", ["mean", "sum"])
def test_alpha_swapped_and_reduced(function: str) -> None:
    """A wrong formula and a reduction: the one is a deviation, the other a finding."""
    report = run(Request(f"wrong_losses:focal_swapped_{function}", "focal_loss", dtypes=("float32",), only={"alpha": 0.25, "gamma": 2.0}))
    assert [f["name"] for f in report["findings"]] == [f"{function}_over_everything"]
    assert [one["names"] for one in report["deviations"] if one["complete"]] == [["alpha_swapped"]]

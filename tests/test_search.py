"""The search for stacks looks closely only at those that can win: what it leaves out early would have been left out late."""

import numpy as np
import pytest

from refloss_conformance import explain
from refloss_conformance.cases import batches
from refloss_conformance.deviations import Candidate, applicable
from refloss_conformance.explain import Score, Search
from refloss_conformance.predict import Stack, evaluate, remembering, stacked
from refloss_conformance.records import RECORDS
from refloss_conformance.verdict import Judged, judge

FAULTS = {
    "ciou_loss": (("eps_in_the_union", 1e-7), ("ciou_alpha_differentiated", None), ("eps_in_the_height", 1e-6)),
    "focal_loss": (("alpha_swapped", None), ("gamma_multiplied", None)),
    "giou_loss": (("boxes_read_as_cxcywh", None), ("one_pixel_added", None)),
}


def answers(loss: str, odd: float) -> tuple[list[Candidate], list[Judged]]:
    """What a loss with these faults gives in float32, and what it may be; `odd`: a factor nobody knows."""
    known = applicable(loss)
    chosen = [c for name, constant in FAULTS[loss] for c in known if (c.name, c.constant) == (name, constant)]
    assert len(chosen) == len(FAULTS[loss])
    formula, judged = stacked(loss, tuple(chosen)), []
    for batch in batches(loss, ("float32",)):
        value, gradient = evaluate(formula, batch, np.float32, True)
        judged.append(judge(batch, odd * value, gradient, RECORDS[loss].kind == "pairs"))
    return known, judged


@pytest.mark.parametrize("odd", [1.0, 1.25])
@pytest.mark.parametrize("loss", FAULTS)
def test_the_best_are_kept(loss: str, odd: float) -> None:
    """Ranked with most stacks unseen, the best of all are those that lead when every stack is scored."""
    known, judged = answers(loss, odd)
    pairs: list[Stack] = explain._pairs([c for c in known if not c.deviation.alone], False)[::2]
    with remembering():
        search = Search(judged, known)
        sheet = search.sheets[0]
        whole, part = Score.none(pairs), search._leading(pairs, sheet)
        whole.add(sheet, False)
    best = whole.take(whole.order()[: explain.KEPT]).stacks
    assert part.take(part.order()[: explain.KEPT]).stacks == best
    assert len(part.stacks) < len(pairs)


@pytest.mark.parametrize("loss", FAULTS)
def test_the_near_hold_all_that_fit(loss: str) -> None:
    """No stack that fits the first sheet is ruled out at first sight."""
    known, judged = answers(loss, 1.0)
    singles: list[Stack] = [(c,) for c in known]
    stacks = [*singles, *explain._pairs([c for c in known if not c.deviation.alone], False)[::2]]
    with remembering():
        search = Search(judged, known)
        near = search._near(stacks)
        score = Score.none(stacks)
        score.add(search.sheets[0], False)
    fitting = [stacks[i] for i in np.flatnonzero((score.contradicted == 0) & (score.serious == 0))]
    places = {id(stack) for stack in near}
    assert [stack for stack in fitting if id(stack) not in places] == []
    assert len(near) < len(stacks)

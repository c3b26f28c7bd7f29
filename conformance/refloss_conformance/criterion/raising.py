"""What the batches have in common for which a criterion raises."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ..criteria import Case
from .outcome import Outcome


@dataclass(frozen=True)
class Cause:
    """has: whether a batch could be one of those."""

    name: str
    text: str
    effect: str
    has: Callable[[Case], bool]


def _without_objects(case: Case) -> list[bool]:
    return [not len(truth["gt_labels"]) for truth in case.truths]


CAUSES = (
    Cause(
        "raises_without_objects", "it raises where an image has no object",
        "Training ends at the first image without an object, unless every caller leaves such images out.",
        lambda case: any(_without_objects(case)),
    ),
    Cause(
        "raises_without_objects", "it raises where no image of the batch has an object",
        "Training ends at the first batch without an object.",
        lambda case: all(_without_objects(case)),
    ),
    Cause(
        "raises_with_several_images", "it raises for a batch of several images", "Images can only be given one by one.",
        lambda case: len(case.truths) > 1,
    ),
)  # fmt: skip


def raising(raised: Sequence[Outcome], done: Sequence[Outcome]) -> list[dict[str, str]]:
    """The causes that hold where it raised and nowhere else: one, or several that the cases do not tell apart."""
    answered = [one.case for one in done if one.answered]
    fitting: dict[str, Cause] = {}
    for cause in CAUSES:
        if raised and all(cause.has(one.case) for one in raised) and not any(map(cause.has, answered)):
            fitting.setdefault(cause.name, cause)
    untold = f"; the cases do not tell which of {' and '.join(fitting)} it is" if len(fitting) > 1 else ""
    return [
        {"kind": "deviation", "name": cause.name, "text": f"{cause.text} ({raised[0].raised}){untold}", "effect": cause.effect}
        for cause in fitting.values()
    ]

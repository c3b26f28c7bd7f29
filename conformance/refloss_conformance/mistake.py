"""What is told of every known mistake, of losses, scenes and criteria alike."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Mistake:
    """A known mistake or another project's convention. name: what is printed, and never changes. effect: on training, in a sentence."""

    name: str
    title: str
    seen: str
    effect: str

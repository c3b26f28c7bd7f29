"""The deviations of a loss for a reader: those that differ in one word are one line."""

import re
from itertools import takewhile
from typing import NamedTuple

from .record import DEVIATIONS, Deviation

FAMILY = re.compile(r"(?P<stem>.*_(?:read|given)_as_|sides_as_|computes_)(?P<word>.+)")


class Line(NamedTuple):
    """names: `stem{word, word}` for a family. title: the same, for what it says."""

    names: str
    title: str
    seen: str
    effect: str


def lines(loss: str) -> list[Line]:
    """All deviations of a loss, in the order of the table; a family stands where its first member does."""
    families: dict[str, list[Deviation]] = {}
    for one in DEVIATIONS.values():
        if one.applies(loss):
            found = FAMILY.fullmatch(one.name)
            families.setdefault(found["stem"] if found else one.name, []).append(one)
    return [_line(stem, members) for stem, members in families.items()]


def _line(stem: str, members: list[Deviation]) -> Line:
    titles = [one.title.replace("{constant}", "c") for one in members]
    if len(members) == 1:
        return Line(members[0].name, titles[0], members[0].seen, members[0].effect)
    split = [title.split(" ") for title in titles]
    start = _shared(split)
    end = _shared([words[start:][::-1] for words in split])
    middle = [" ".join(words[start : len(words) - end]) for words in split]
    title = " ".join([*split[0][:start], f"{', '.join(middle[:-1])} or {middle[-1]}", *split[0][len(split[0]) - end :]])
    names = f"{stem}{{{', '.join(one.name.removeprefix(stem) for one in members)}}}"
    seen = "; ".join(dict.fromkeys(one.seen for one in members))
    return Line(names, title, seen, " ".join(dict.fromkeys(one.effect for one in members)))


def _shared(rows: list[list[str]]) -> int:
    """With how many equal words all rows begin."""
    return sum(1 for _ in takewhile(lambda words: len(set(words)) == 1, zip(*rows, strict=False)))

"""What a misspelled name was meant to be."""

import difflib
from collections.abc import Iterable


def nearest(name: str, known: Iterable[str]) -> str:
    """'; did you mean X?' for the end of a sentence, or nothing."""
    names = list(known)
    found = difflib.get_close_matches(name.lower(), [one.lower() for one in names], n=1, cutoff=0.6)
    return f"; did you mean {next(one for one in names if one.lower() == found[0])}?" if found else ""

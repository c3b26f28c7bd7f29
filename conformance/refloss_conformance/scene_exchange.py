"""`refloss export FOLDER --as assign.max_iou`: golden scenes as files, answered anywhere; and `refloss check FOLDER` of the answers.

The folder is that of case_exchange.py; a result is the parts of an answer by name.
"""

import json
import pathlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from . import case_exchange
from .program.scene_check import questions
from .scene_third_party import document
from .scenes import load

ASKED = """answer each scene in that dtype: an object with these parts, or with some of them
{parts}"""
FORMS: Mapping[str, tuple[str, Any]] = {  # of a part: how it is written, and an example
    "codes": ("a list of integers", [0, -1, -2]), "pairs": ("a list of pairs of integers", [[7, 0], [9, 1]]),
    "indices": ("a list of integers", [2, 0]), "mask": ("a list of true and false", [True, False]),
    "numbers": ("a list of numbers, or of rows of them", [0.5, 0.25]),
}  # fmt: skip


def contents(name: str, dtypes: Sequence[str], only: Mapping[str, Any]) -> tuple[Iterator[tuple[str, str | bytes]], str]:
    """The files of the folder by their paths in it, and a few words on them."""
    file = load(name)
    described = {
        "inputs": {key: {"kind": one.kind, "shape": list(one.shape), "description": one.description} for key, one in file.inputs.items()},
        "answer": {key: {"kind": one.kind, "description": one.description} for key, one in file.parts.items()},
    }
    parts = "\n".join(f"     {key}: {FORMS[one.kind][0]}: {one.description}" for key, one in file.parts.items())
    guide = {
        "told": '"parameters" and "inputs"', "asked": ASKED.format(parts=parts), "page": "scenes",
        "example": json.dumps({key: FORMS[one.kind][1] for key, one in file.parts.items()}),
    }  # fmt: skip
    return case_exchange.contents(questions(file), dtypes, only, described, guide)


def check(place: pathlib.Path, manifest: Mapping[str, Any], command: str = "") -> dict[str, Any]:
    """The report on a folder."""
    file = load(manifest["function"])
    asked = case_exchange.check(place, manifest, command, questions(file))
    return document(asked.subject, file, asked.outcomes, **asked.rows())

"""`refloss export FOLDER --as criteria.ssd`: golden criteria as files, answered anywhere; and `refloss check FOLDER` of the answers.

The folder is that of case_exchange.py; a result is the terms of a loss, or their sum, and the gradient by the head's outputs.
"""

import json
import pathlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from . import case_exchange
from .criteria import Criteria, load
from .criterion.check import told as document
from .program.criteria_check import questions
from .program.criteria_messages import RENAMED

ASKED = """compute the loss of each case in that dtype: an object with
     "terms": the value of each, divided and weighted as the loss adds it: {terms}; or "total", their sum alone
     "gradient": of the sum by each output of the head, in its layout; in all answers, or in none
   a parameter that is null is what the dialect says; the head is told by "config"
{config}
   "inputs" has its outputs, then "gt_boxes" (x1, y1, x2, y2 in pixels) and "gt_labels" (from 0), a list for each image
{outputs}"""


def contents(name: str, dtypes: Sequence[str], only: Mapping[str, Any]) -> tuple[Iterator[tuple[str, str | bytes]], str]:
    """The files of the folder by their paths in it, and a few words on them."""
    file = load(name)
    config = {RENAMED.get(key, key): text for key, text in file.config.items()}
    described = {
        "config": config, "outputs": {key: {"shape": list(one.shape), "description": one.description} for key, one in file.outputs.items()},
        "terms": {key: {"outputs": list(one.outputs), "axis": one.axis, "channels": one.channels} for key, one in file.terms.items()},
    }  # fmt: skip
    outputs = [f"     {key} ({' x '.join(map(str, one.shape))}): {one.description}" for key, one in file.outputs.items()]
    told = [f"     {key}: {text}" for key, text in config.items()]
    asked = ASKED.format(terms=", ".join(file.terms), config="\n".join(told), outputs="\n".join(outputs))
    guide = {"told": '"parameters", "config" and "inputs"', "asked": asked, "page": "criteria", "example": _example(file)}
    return case_exchange.contents(questions(file), dtypes, only, described, guide)


def _example(file: Criteria) -> str:
    return json.dumps({"terms": dict.fromkeys(file.terms, 0.5), "gradient": {key: [[0.25]] for key in file.outputs}})


def check(place: pathlib.Path, manifest: Mapping[str, Any], command: str = "") -> dict[str, Any]:
    """The report on a folder."""
    file = load(manifest["function"])
    asked = case_exchange.check(place, manifest, command, questions(file))
    return document(asked.subject, file, asked.outcomes, lambda *_: None, **asked.rows())

"""`refloss export FOLDER` of golden cases that are asked one at a time, and `refloss check FOLDER` of the answers.

    FOLDER/inputs/float32.json     the cases in one dtype, one a line: parameters and inputs as a program is told them
    FOLDER/answers/float32.json    "results": an answer for each, as a program gives it, or null

The rest of the folder is that of folders.py. There are no arrays: cases are small, and each has lengths of its own. What is particular
to scenes and to criteria: scene_exchange.py, criteria_exchange.py.
"""

import hashlib
import json
import pathlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from . import folders
from .errors import UsageError
from .folders import ANSWERS, INPUTS, MANIFEST
from .mapping import nothing_has
from .program.messages import Declined, refusal
from .program.one_by_one import Asked, Case, Questions
from .running import GOOD
from .vectors import USUAL_DTYPES

GUIDE = """refloss export: {held}

For each entry of "batches" in manifest.json:
1. read inputs/NAME.json: "{cases}", each with its {told}, in which numbers are exact in the entry's dtype;
   [] is an array without rows, null what is not given or not used, "inf" infinity;
2. {asked}
3. write answers/NAME.json, in the order of the {cases}: {{"results": [{example}, ...]}}
   null stands for one that was not computed, {{"skipped": true, "reason": "..."}} for one that is left out on purpose;
   numbers have all their digits (17 for float64, 9 for float32); "nan", "inf" and "-inf" are texts.
answers/about.json may say who you are: {{"name": "...", "version": "...", "language": "...",
"skipped": [{{"id": "glob of ids", "reason": "...", "link": "..."}}]}}.

Then: refloss check FOLDER
What the answers mean: refloss show {name}, and README.md beside refloss's golden {page}.
"""
TOLD = ("parameters", "config", "inputs")  # of what a program is told of a case


def inputs_text(questions: Questions, cases: Sequence[Case], dtype: str) -> str:
    """inputs/DTYPE.json; the same bytes each time."""
    letters = [json.loads(questions.question(case, dtype).letter(0)) for case in cases]
    lines = [json.dumps({"id": one["cases"][0], **{key: one[key] for key in TOLD if key in one}}) for one in letters]
    head = f'"function": {json.dumps(questions.name)},\n"dtype": {json.dumps(dtype)},\n"{questions.cases}": [\n'
    return "{" + head + ",\n".join(lines) + "\n]}\n"


def checksum(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def choose(questions: Questions, dtypes: Sequence[str], only: Mapping[str, Any]) -> dict[str, list[Case]]:
    """The cases that are asked for, by dtype; or a sentence why there are none."""
    for dtype in dtypes:
        if dtype not in USUAL_DTYPES:
            raise UsageError(f"--dtype {dtype}: only {', '.join(USUAL_DTYPES)}")
    fitting = [case for setting in questions.fitting(only) for case in setting.cases]
    found = {dtype: [case for case in fitting if dtype in case.dtypes] for dtype in dtypes}
    if not any(found.values()):
        raise nothing_has(only, questions.name, questions.golden)
    return {dtype: cases for dtype, cases in found.items() if cases}


def contents(
    questions: Questions, dtypes: Sequence[str], only: Mapping[str, Any], described: Mapping[str, Any], guide: Mapping[str, str]
) -> tuple[Iterator[tuple[str, str | bytes]], str]:
    """The files of the folder by their paths in it, and a few words on them. described: for the manifest; guide: for README.txt."""
    chosen = choose(questions, dtypes, only)
    count = len({one.id for cases in chosen.values() for one in cases})
    held = f"{count} {questions.cases} of {questions.name} ({', '.join(chosen)})"

    def files() -> Iterator[tuple[str, str | bytes]]:
        texts = {dtype: inputs_text(questions, cases, dtype) for dtype, cases in chosen.items()}
        for dtype, text in texts.items():
            yield f"{INPUTS}/{dtype}.json", text
        batches = [
            {"name": dtype, "dtype": dtype, "ids": [one.id for one in cases], "sha256": checksum(texts[dtype])}
            for dtype, cases in chosen.items()
        ]
        yield MANIFEST, folders.as_text({**folders.HEAD, "function": questions.name, **described, "batches": batches})
        yield folders.GUIDE, GUIDE.format(held=held, cases=questions.cases, name=questions.name, **guide)

    return files(), held


def check(place: pathlib.Path, manifest: Mapping[str, Any], command: str, questions: Questions) -> Asked:
    """The answers of a folder. UsageError: it is a changed one, or holds files that are no answers."""
    expected = _batches(place, questions, manifest)
    found, about = folders.answers(place, [f"{dtype}.json" for dtype in expected])
    results = {
        dtype: _results(place, dtype, questions, cases) if f"{dtype}.json" in found else [None] * len(cases)
        for dtype, cases in expected.items()
    }
    given = [one for some in results.values() for one in some if one is not None and refusal(one) is None]
    gradients = any(one.get("gradient") is not None for one in given)  # of all, or of none
    subject = folders.subject(place, command, about, gradients)
    dtypes = dict.fromkeys(sorted(expected, key=USUAL_DTYPES.index))
    asked = Asked(questions, subject, dtypes, {}, "it was not exported")
    for dtype, cases in expected.items():
        for case, result in zip(cases, results[dtype], strict=True):
            if result is None:
                asked.add(case, dtype, _lost(case, dtype, about))
            else:
                (one,) = questions.question(case, dtype).read({"results": [result]}, gradients)
                asked.add(case, dtype, one)
    if all(one.status == "missing" for one in asked.outcomes) and not any(one.status in GOOD for one in asked.unanswered):
        raise folders.none(place)
    return asked


def _batches(place: pathlib.Path, questions: Questions, manifest: Mapping[str, Any]) -> dict[str, list[Case]]:
    """The cases of the manifest by dtype, which must be those of today, and of the files as they were written."""
    found: dict[str, list[Case]] = {}
    for entry in manifest["batches"]:
        dtype = entry["dtype"]
        known = {case.id: case for setting in questions.settings for case in setting.cases if dtype in case.dtypes}
        cases = [known[one] for one in entry["ids"] if one in known]  # one that is gone changes the checksum
        text = inputs_text(questions, cases, dtype)
        if dtype in found or entry["name"] != dtype or checksum(text) != entry["sha256"]:
            says = f"{dtype} is not what this version's {questions.cases} hold; export again, and compute again"
            raise UsageError(f"{place / MANIFEST}: {says}")
        folders.untouched(place / INPUTS / f"{dtype}.json", text.encode())
        found[dtype] = cases
    return found


def _results(place: pathlib.Path, dtype: str, questions: Questions, cases: Sequence[Case]) -> list[Any]:
    path, what = place / ANSWERS / f"{dtype}.json", questions.cases
    data = folders.read(path, "answers.json", "results")
    if "ids" in data and data["ids"] != [one.id for one in cases]:
        raise UsageError(f"{path}: its ids are not those of the {what}, in their order")
    if len(data["results"]) != len(cases):
        raise UsageError(f"{path}: results has {len(data['results'])} entries for {len(cases)} {what}; null stands for one not computed")
    return list(data["results"])


def _lost(case: Case, dtype: str, about: Mapping[str, Any]) -> Declined:
    """Why there is no answer to a case."""
    skip = folders.skipped(about, case.id, dtype)
    if skip is not None:
        return Declined(skip.status, skip.reason, skip.link)
    return Declined("missing", f"there is no answer to it in {ANSWERS}/{dtype}.json")

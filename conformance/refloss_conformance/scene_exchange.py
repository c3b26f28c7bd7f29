"""`refloss export FOLDER --as assign.max_iou`: golden scenes as files, answered anywhere; and `refloss check FOLDER` of the answers.

    FOLDER/inputs/float32.json     the scenes in one dtype, one a line: parameters and inputs as a program is told them
    FOLDER/answers/float32.json    "results": an answer for each, as a program gives it, or null

The rest of the folder is that of folders.py. There are no arrays: scenes are small, and each has lengths of its own.
"""

import hashlib
import json
import pathlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from . import folders
from .errors import UsageError
from .folders import ANSWERS, INPUTS, MANIFEST
from .mapping import differing, must_have, nothing_has
from .printing import parameters
from .program.messages import Declined
from .program.scene_check import Asked
from .program.scene_messages import Question
from .running import GOOD
from .scene_third_party import document, listed, tuples
from .scenes import Answer, Part, Scene, Scenes, load
from .vectors import USUAL_DTYPES

GUIDE = """refloss export: {held}

For each entry of "batches" in manifest.json:
1. read inputs/NAME.json: "scenes", each with its "parameters" and "inputs", in which numbers are exact in the entry's dtype;
   [] is an array without rows, null what is not given or not used, "inf" infinity;
2. answer each scene in that dtype: an object with these parts, or with some of them
{parts}
3. write answers/NAME.json, in the order of the scenes: {{"results": [{example}, ...]}}
   null stands for a scene that was not computed, {{"skipped": true, "reason": "..."}} for one that is left out on purpose;
   numbers have all their digits (17 for float64, 9 for float32); "nan", "inf" and "-inf" are texts.
answers/about.json may say who you are: {{"name": "...", "version": "...", "language": "...",
"skipped": [{{"id": "glob of ids", "reason": "...", "link": "..."}}]}}.

Then: refloss check FOLDER
What the answers mean: refloss show {function}, and README.md beside refloss's golden scenes.
"""
FORMS: Mapping[str, tuple[str, Any]] = {  # of a part: how it is written, and an example
    "codes": ("a list of integers", [0, -1, -2]), "pairs": ("a list of pairs of integers", [[7, 0], [9, 1]]),
    "indices": ("a list of integers", [2, 0]), "mask": ("a list of true and false", [True, False]),
    "numbers": ("a list of numbers, or of rows of them", [0.5, 0.25]),
}  # fmt: skip


def inputs_text(file: Scenes, scenes: Sequence[Scene], dtype: str) -> str:
    """inputs/DTYPE.json; the same bytes each time."""
    said = [json.loads(Question(file, scene, dtype).letter(0)) for scene in scenes]
    inner = ",\n".join(json.dumps({"id": one["cases"][0], "parameters": one["parameters"], "inputs": one["inputs"]}) for one in said)
    return f'{{"function": {json.dumps(file.function)},\n"dtype": {json.dumps(dtype)},\n"scenes": [\n{inner}\n]}}\n'


def checksum(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def choose(file: Scenes, dtypes: Sequence[str], only: Mapping[str, Any]) -> dict[str, list[Scene]]:
    """The scenes that are asked for, by dtype; or a sentence why there are none."""
    for dtype in dtypes:
        if dtype not in USUAL_DTYPES:
            raise UsageError(f"--dtype {dtype}: only {', '.join(USUAL_DTYPES)}")
    must_have(file.defaults, only, file.function)
    wanted = {name: tuples(value) for name, value in only.items()}
    fitting = [scene for scene in file.scenes if differing(wanted, scene.parameters) is None]
    found = {dtype: [scene for scene in fitting if dtype in scene.dtypes] for dtype in dtypes}
    if not any(found.values()):
        raise nothing_has(wanted, file.function, "scenes")
    return {dtype: scenes for dtype, scenes in found.items() if scenes}


def contents(name: str, dtypes: Sequence[str], only: Mapping[str, Any]) -> tuple[Iterator[tuple[str, str | bytes]], str]:
    """The files of the folder by their paths in it, and a few words on them."""
    file = load(name)
    chosen = choose(file, dtypes, only)
    held = f"{len({one.id for scenes in chosen.values() for one in scenes})} scenes of {name} ({', '.join(chosen)})"

    def files() -> Iterator[tuple[str, str | bytes]]:
        texts = {dtype: inputs_text(file, scenes, dtype) for dtype, scenes in chosen.items()}
        for dtype, text in texts.items():
            yield f"{INPUTS}/{dtype}.json", text
        batches = [
            {"name": dtype, "dtype": dtype, "ids": [one.id for one in scenes], "sha256": checksum(texts[dtype])}
            for dtype, scenes in chosen.items()
        ]
        inputs = {key: {"kind": one.kind, "shape": list(one.shape), "description": one.description} for key, one in file.inputs.items()}
        parts = {key: {"kind": one.kind, "description": one.description} for key, one in file.parts.items()}
        yield MANIFEST, folders.as_text({**folders.HEAD, "function": name, "inputs": inputs, "answer": parts, "batches": batches})
        yield folders.GUIDE, _guide(name, file.parts, held)

    return files(), held


def _guide(function: str, parts: Mapping[str, Part], held: str) -> str:
    told = "\n".join(f"     {name}: {FORMS[one.kind][0]}: {one.description}" for name, one in parts.items())
    return GUIDE.format(function=function, held=held, parts=told, example=json.dumps({k: FORMS[one.kind][1] for k, one in parts.items()}))


def check(place: pathlib.Path, manifest: Mapping[str, Any], command: str = "") -> dict[str, Any]:
    """The report on a folder. UsageError: it is a changed one, or holds files that are no answers."""
    file = load(manifest["function"])
    expected = _batches(place, file, manifest)
    found, about = folders.answers(place, [f"{dtype}.json" for dtype in expected])
    asked = Asked(dict.fromkeys(sorted(expected, key=USUAL_DTYPES.index)))
    for dtype, scenes in expected.items():
        results = _results(place, dtype, scenes) if f"{dtype}.json" in found else [None] * len(scenes)
        for scene, result in zip(scenes, results, strict=True):
            asked.add(scene, dtype, _answer(file, scene, dtype, result, about))
    if all(one.status == "missing" for one in asked.outcomes) and not any(one.status in GOOD for one in asked.unanswered):
        raise folders.none(place)
    groups = [_group(setting, file, asked) for setting in file.settings()]
    subject = folders.subject(place, command, about)
    return document(subject, file, asked.outcomes, groups=groups, dtypes=asked.dtypes, unanswered=asked.unanswered)


def _batches(place: pathlib.Path, file: Scenes, manifest: Mapping[str, Any]) -> dict[str, list[Scene]]:
    """The scenes of the manifest by dtype, which must be those of today, and of the files as they were written."""
    found: dict[str, list[Scene]] = {}
    for entry in manifest["batches"]:
        dtype = entry["dtype"]
        known = {scene.id: scene for scene in file.scenes if dtype in scene.dtypes}
        scenes = [known[one] for one in entry["ids"] if one in known]  # one that is gone changes the checksum
        text = inputs_text(file, scenes, dtype)
        if dtype in found or entry["name"] != dtype or checksum(text) != entry["sha256"]:
            raise UsageError(f"{place / MANIFEST}: {dtype} is not what this version's scenes hold; export again, and compute again")
        folders.untouched(place / INPUTS / f"{dtype}.json", text.encode())
        found[dtype] = scenes
    return found


def _results(place: pathlib.Path, dtype: str, scenes: Sequence[Scene]) -> list[Any]:
    path = place / ANSWERS / f"{dtype}.json"
    data = folders.read(path, "answers.json", "results")
    if "ids" in data and data["ids"] != [one.id for one in scenes]:
        raise UsageError(f"{path}: its ids are not those of the scenes, in their order")
    if len(data["results"]) != len(scenes):
        raise UsageError(f"{path}: results has {len(data['results'])} entries for {len(scenes)} scenes; null stands for one not computed")
    return list(data["results"])


def _answer(file: Scenes, scene: Scene, dtype: str, result: Any, about: Mapping[str, Any]) -> Answer | Declined:
    """What a result says, read as a program's; or why there is none."""
    if result is not None:
        (one,) = Question(file, scene, dtype).read({"results": [result]}, False)
        return one
    skip = folders.skipped(about, scene.id, dtype)
    if skip is not None:
        return Declined(skip.status, skip.reason, skip.link)
    return Declined("missing", f"there is no answer to it in {ANSWERS}/{dtype}.json")


def _group(setting: Mapping[str, Any], file: Scenes, asked: Asked) -> dict[str, Any]:
    """What became of a parameter setting."""
    ids = {scene.id for scene in file.scenes if scene.parameters == setting}
    cases = len(ids & {one.scene.id for one in asked.outcomes})
    row = {"parameters": listed(dict(setting)), "status": "run", "reason": None, "cases": cases}
    if cases:
        return row
    why = next((one.reason for one in asked.unanswered if one.id in ids), "it was not exported")
    return {**row, "status": "skipped", "reason": f"{parameters(row['parameters'])}: {why}"}

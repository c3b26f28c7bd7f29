"""Every id that was ever issued, with what it stood for, as short digests: none may disappear or get another meaning.

issued.json has a line for each group of cases (or function with scenes): the digests of its members, in no order that matters.
"""

import hashlib
import json
import pathlib
from collections.abc import Iterable, Mapping
from typing import Any

from refloss_conformance import criteria, scenes, vectors

FOLDERS = (vectors.FOLDER, scenes.FOLDER, criteria.FOLDER)
PATH = pathlib.Path(__file__).parent / "issued.json"
LENGTH = 8  # hexadecimal digits: within a group, no two of some hundred are alike by chance but once in 10^5
Digests = dict[str, dict[str, str]]  # group -> digest -> id


def digest(*parts: Any) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True, separators=(",", ":")).encode()).hexdigest()[:LENGTH]


def of_file(data: Mapping[str, Any]) -> Digests:
    """Of a file of vectors, scenes or criteria: id, parameters, inputs, and what the gradient is pushed with."""
    found: Digests = {}
    for group in data.get("groups", ()):
        place = f"{data['loss']}/{group['id']}"
        found[place] = {
            digest(case["id"], group["parameters"], case["inputs"], data.get("upstream")): case["id"] for case in group["cases"]
        }
    if "criterion" in data:
        there = found.setdefault(data["criterion"], {})
        for one in data["scenes"]:
            given = (one["id"], one["config"], one["outputs"], one["targets"])
            there |= {digest(*given, data["settings"][name]): f"{one['id']}/{name}" for name in (a["setting"] for a in one["answers"])}
    elif "function" in data:
        found[data["function"]] = {digest(one["id"], one["parameters"], one["inputs"], None): one["id"] for one in data["scenes"]}
    return found


def present(paths: Iterable[pathlib.Path] | None = None) -> Digests:
    """Of the files that are there; without paths, of all golden files."""
    if paths is None:
        paths = [path for folder in FOLDERS for path in sorted(folder.glob("*.json"))]
    found: Digests = {}
    for path in paths:
        found |= of_file(json.loads(path.read_text("utf-8")))
    return found


def load(path: pathlib.Path = PATH) -> dict[str, list[str]]:
    """Digests that were issued, by group."""
    if not path.is_file():
        return {}
    return {group: text.split() for group, text in json.loads(path.read_text("utf-8")).items()}


def lost(old: Mapping[str, list[str]], new: Digests) -> list[str]:
    """What was issued and is no longer there, as sentences."""
    said = []
    for group, digests in old.items():
        there = new.get(group, {})
        missing = [one for one in digests if one not in there]
        if missing:
            fresh = [one for key, one in there.items() if key not in digests]
            hint = f"; new or changed there: {', '.join(fresh[:5])}" if fresh else ""
            said.append(f"{group}: {len(missing)} of the {len(digests)} cases that were issued are gone or have other inputs{hint}")
    return said


def unlisted(old: Mapping[str, list[str]], new: Digests) -> list[str]:
    """Ids that are there and are not listed yet."""
    return [one for group, there in new.items() for key, one in there.items() if key not in old.get(group, ())]


def text_of(old: Mapping[str, list[str]], new: Digests) -> str:
    """The list with all that is there added."""
    whole = {group: sorted({*old.get(group, ()), *new.get(group, {})}) for group in sorted({*old, *new})}
    return "{\n" + ",\n".join(f"{json.dumps(group)}: {json.dumps(' '.join(digests))}" for group, digests in whole.items()) + "\n}\n"

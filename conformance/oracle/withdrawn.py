"""Cases and scenes that were wrong: kept as they were issued, with the reason, whatever the oracle makes today."""

import functools
import json
import pathlib
import tomllib
from collections.abc import Mapping, Sequence
from typing import Any

PATH = pathlib.Path(__file__).parent / "withdrawn.toml"
Case = dict[str, Any]


@functools.cache
def entries(path: pathlib.Path = PATH) -> Mapping[str, Case]:
    """The withdrawn ones by id."""
    found: dict[str, Case] = {}
    for entry in tomllib.loads(path.read_text("utf-8")).get("withdrawn", []):
        case = json.loads(entry["case"])
        if entry.keys() != {"case", "reason"} or len(entry["reason"]) < 10:
            raise ValueError(f"withdrawn.toml: {case['id']} needs a case and a reason of one sentence, and nothing else")
        if case["id"] in found or "withdrawn" in case:
            raise ValueError(f"withdrawn.toml: {case['id']} is there twice")
        found[case["id"]] = {**case, "withdrawn": entry["reason"]}
    return found


def kept(prefix: str, made: Sequence[Case], known: Mapping[str, Case] | None = None) -> list[Case]:
    """What the oracle makes for the ids that start so, less what is withdrawn, which stands at the end as it was."""
    gone = {one: case for one, case in (entries() if known is None else known).items() if one.rpartition("/")[0] + "/" == prefix}
    return [case for case in made if case["id"] not in gone] + [gone[one] for one in sorted(gone)]


def unplaced(prefix: str, groups: Sequence[str], known: Mapping[str, Case] | None = None) -> list[str]:
    """Withdrawn ids of a file whose group is no longer there."""
    places = {f"{group}/" for group in groups}
    return [one for one in (entries() if known is None else known) if one.startswith(prefix) and one.rpartition("/")[0] + "/" not in places]

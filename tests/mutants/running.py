"""Which mutants are run, and what becomes of them: they fail, they raise, or they survive and are equivalent by a written argument."""

import ast
import functools
import os
import pathlib
import tomllib
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from . import assigning, implementations
from .golden_cases import fails, judged, merged, plain

SHARE = int(os.environ.get("REFLOSS_MUTANTS", "5"))  # one mutant in so many is run; 1 is all, which takes some minutes
SAME_KERNEL = {"ciou_loss": ("diou_loss",)}  # one text serves both, and must be right for both
GROUPS = [*((layer, record) for layer in implementations.LAYERS for record in implementations.LAYERS[layer]),
          *(("rule", record) for record in assigning.RULES)]  # fmt: skip


class Excuse(NamedTuple):
    """kind: "equivalent", or "hole": no case fails it yet. why: what a reader can check."""

    kind: str
    why: str


@functools.cache
def excused() -> dict[str, Excuse]:
    """The mutants that may survive, by their ids; what several records share is written as first|second ..."""
    found: dict[str, Excuse] = {}
    data = tomllib.loads(pathlib.Path(__file__).with_name("equivalents.toml").read_text("utf-8"))
    for kind in ("equivalent", "hole"):
        for one in data.get(kind, ()):
            for text in one["mutants"]:
                records, _, rest = text.partition(" ")
                for record in records.split("|"):
                    assert f"{record} {rest}" not in found, f"{text} is written twice"
                    found[f"{record} {rest}"] = Excuse(kind, one["why"])
    return found


def generate(layer: str, record: str, wanted: Callable[[str], bool] = lambda label: True) -> Iterator[Any]:
    return assigning.mutants(record, wanted) if layer == "rule" else implementations.mutants(record, layer, wanted)


def survives(layer: str, mutant: Any) -> bool:
    """Whether the checker would call it right. What it raises goes on."""
    if layer == "rule":
        return assigning.wrong_scene(mutant) is None
    if layer == "formula":
        formula = implementations.Formula(mutant.record, mutant)
        return not any(fails(judged(batch, formula(batch))) for batch in plain(mutant.record))
    kernel = implementations.Kernel(mutant.record, mutant)
    records = (mutant.record, *SAME_KERNEL.get(mutant.record, ()))
    return not any(fails(judged(one.batch, kernel(one))) for record in records for one in merged(record))


@dataclass
class Tally:
    """Of one group: how many mutants there are, what became of those that were run, and what is wrong with the list of equivalents."""

    population: int = 0
    run: Counter[str] = field(default_factory=Counter)
    operators: Counter[str] = field(default_factory=Counter)
    survivors: list[str] = field(default_factory=list)
    stale: list[str] = field(default_factory=list)
    raised: list[str] = field(default_factory=list)


def run(layer: str, record: str, share: int = SHARE) -> Tally:
    tally, known, labels = Tally(), excused(), set[str]()

    def wanted(label: str) -> bool:
        labels.add(label)
        return label in known or zlib.crc32(label.encode()) % share == 0

    for mutant in generate(layer, record, wanted):
        try:
            outcome = "survived" if survives(layer, mutant) else "failed"
        except Exception as error:  # an implementation that raises fails, and says little of the vectors
            outcome = "raised"
            tally.raised.append(f"{mutant.id} ({type(error).__name__})")
        if mutant.id in known:
            tally.stale += [] if outcome == "survived" else [f"{mutant.id}: it {outcome}, so it is not equivalent"]
            tally.run[known[mutant.id].kind] += outcome == "survived"
            continue
        tally.run[outcome] += 1
        tally.operators[mutant.operator] += 1
        tally.survivors += [mutant.id] if outcome == "survived" else []
    mine = [name for name in known if name.startswith(f"{record} {layer} ")]
    tally.stale += [f"{name}: there is no such mutant" for name in mine if name not in labels]
    tally.population = len(labels)
    return tally


def text_of(mutant: Any) -> str:
    return ast.unparse(mutant.tree)

"""Write the golden vectors: `python -m oracle.generate`, with conformance/ on the path. `--check` only compares.

One file a loss or coding, for each that is registered, one a function that has golden scenes (oracle/scenes), and one a criterion
(oracle/criteria); the same bytes on each run.
"""

import argparse
import hashlib
import inspect
import json
import math
import os
import pathlib
import re
import sys
import types
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from typing import Any

import ml_dtypes
import numpy as np
from mpmath import mp

from refloss_conformance.criteria import FOLDER as CRITERIA
from refloss_conformance.gradients import UPSTREAM
from refloss_conformance.records import RECORDS
from refloss_conformance.scenes import FOLDER as SCENES
from refloss_conformance.vectors import FOLDER, INTERPRETATION, SCHEMA_VERSION

from . import boxes, classes, codes, differences, issued, logits, withdrawn
from .criteria import every as every_criterion
from .inputs import Input, exact_dtypes, inputs_for
from .oracle import Truth, near_a_limit, truths
from .scenes import every

LARGEST = {
    name: float((np.finfo if name != "bfloat16" else ml_dtypes.finfo)(name).max) for name in ("float64", "float32", "float16", "bfloat16")
}
NOTES = {"unit": logits.NOTES, "real": differences.NOTES, "labels": classes.NOTES, "boxes": boxes.NOTES, "priors": codes.NOTES}
LIMITS = ("wh_clip", "border")  # parameters at which a gradient jumps
ZEROS = re.compile("([0-9a-f])0*p")
TIE = ("tie", "A kink: several derivatives are right. The gradient given is their middle, the interval what an answer may lie in.")


def group_slug(parameters: Mapping[str, Any]) -> str:
    """alpha_0.25-gamma_2; `default` for a loss without parameters."""
    words = {None: "none", True: "true", False: "false"}
    parts = [f"{k}_{words[v] if v is None or isinstance(v, bool) else _short(v)}" for k, v in parameters.items()]
    return "-".join(parts) or "default"


def _short(value: Any) -> str:
    if isinstance(value, tuple):
        return "_".join(map(_short, value))
    return value if isinstance(value, str) else repr(value).removesuffix(".0")


def domain(loss: Any) -> str:
    """What the second argument is: a row of NOTES."""
    return "priors" if loss.kind == "codes" else str(loss.targets)


def formula_sha256(formula: Callable[..., Any]) -> str:
    """Of the formula's source, and of what it calls in its own package."""
    found: dict[str, str] = {}

    def visit(function: Any) -> None:
        name = f"{function.__module__}.{function.__qualname__}"
        if name in found:
            return
        found[name] = inspect.getsource(function)
        codes = [function.__code__] if isinstance(function, types.FunctionType) else []
        if inspect.isclass(function):
            codes = [f.__code__ for f in vars(function).values() if isinstance(f, types.FunctionType)]
            codes += [f.__func__.__code__ for f in vars(function).values() if isinstance(f, staticmethod)]
        scope = vars(sys.modules[function.__module__])
        for used in sorted({n for code in codes for n in code.co_names}):
            other = scope.get(used)
            if (inspect.isfunction(other) or inspect.isclass(other)) and other.__module__.startswith(("refloss.losses", "refloss.coders")):
                visit(other)

    visit(formula)
    return hashlib.sha256("\n".join(found[name] for name in sorted(found)).encode()).hexdigest()


def each(f: Callable[[Any], Any], nested: Any) -> Any:
    return [each(f, x) for x in nested] if isinstance(nested, (list, tuple, np.ndarray)) else f(nested)


def decimal(digits: int) -> Callable[[Any], str]:
    """All of the oracle's digits up to so many; a number that is none of mpmath's is taken as it is."""

    def text(x: Any) -> str:
        if not mp.isfinite(x):
            return "inf" if x > 0 else "-inf"
        return str(mp.nstr(x if isinstance(x, mp.mpf) else mp.mpf(x), digits))

    return text


def case_json(loss: Any, group: str, case: Input, truth: Truth) -> dict[str, Any] | None:
    """One case as it is written; None where no dtype holds its inputs and its results."""
    given = [*np.ravel(case.first), *([] if domain(loss) == "labels" else np.ravel(case.second))]
    largest = max((abs(x) for x in (*np.ravel(truth.value), *np.ravel(truth.gradient)) if mp.isfinite(x)), default=0)
    dtypes = [d for d in exact_dtypes(map(float, given)) if largest <= LARGEST[d]]
    if not dtypes:
        return None
    kink = truth.gradient_low is not None
    results = decimal(25)
    hexes = [each(lambda x: x if isinstance(x, int) else x.hex(), x) for x in (case.first, case.second)]
    if loss.kind == "codes":  # shorter by a tenth
        hexes = [each(lambda x: ZEROS.sub(r"\1p", x), x) for x in hexes]
    written = {
        "id": f"{loss.name}/{group}/{case.slug}",
        "flags": [*case.flags, *(["tie"] if kink else [])],
        "dtypes": dtypes,
        "inputs": dict(zip(loss.arrays, hexes, strict=True)),
        "value": each(results, truth.value),
        "gradient": each(results, truth.gradient),
        "value_scale": each(decimal(5), truth.value_scale),
        "gradient_scale": each(decimal(5), truth.gradient_scale),
    }
    if kink:
        written |= {"gradient_low": each(results, truth.gradient_low), "gradient_high": each(results, truth.gradient_high)}
    return written


def group_cases(loss: Any, parameters: Mapping[str, Any], group: str) -> list[dict[str, Any]]:
    """All cases of a group, in the order of their inputs; the oracle takes those of one width at once."""
    chosen = inputs_for(loss, parameters, group)
    found: dict[int, Truth] = {}
    are_boxes = (loss.arrays[0] == "boxes", loss.prior_size == 4) if loss.kind == "codes" else (True, True)
    for width in sorted({np.size(case.first) for case in chosen}):
        at = [i for i, case in enumerate(chosen) if np.size(case.first) == width]
        first = np.array([chosen[i].first for i in at], np.float64)
        second = np.array([chosen[i].second for i in at], np.int64 if domain(loss) == "labels" else np.float64)
        found |= dict(zip(at, truths(loss.formula, loss.kind, first, second, parameters, are_boxes), strict=True))
        limits = [name for name in LIMITS if loss.kind == "codes" and parameters.get(name)]
        held = [k for k, i in enumerate(at) if limits and set(chosen[i].flags) & {"clip", "held"}]
        if held:
            sides = [
                truths(loss.formula, loss.kind, first[held], second[held], {**parameters, **moved}, are_boxes)
                for moved in ({name: parameters[name] * (1 + side * 2.0**-16) for name in limits} for side in (-1, 1))
            ]
            found |= {at[k]: near_a_limit(found[at[k]], *both) for k, both in zip(held, zip(*sides, strict=True), strict=True)}
    cases = [case_json(loss, group, case, found[i]) for i, case in enumerate(chosen)]
    return [case for case in cases if case is not None]


def text_of(name: str) -> str:
    """The file of one loss: JSON with a case a line, so that a changed golden value is one line of a diff."""
    loss = RECORDS[name]
    groups = []
    used: set[str] = set()
    for setting in loss.settings:
        parameters = {**loss.defaults, **setting}
        group = group_slug(parameters)
        cases = withdrawn.kept(f"{name}/{group}/", group_cases(loss, parameters, group))
        used |= {flag for case in cases for flag in case["flags"]}
        given = {k: "inf" if isinstance(v, float) and math.isinf(v) else v for k, v in parameters.items()}
        lines = ",\n".join("    " + json.dumps(case) for case in cases)
        groups.append(f'  {{"id": {json.dumps(group)}, "parameters": {json.dumps(given)}, "cases": [\n{lines}\n  ]}}')
    for one in withdrawn.unplaced(f"{name}/", [f"{name}/{group_slug({**loss.defaults, **setting})}" for setting in loss.settings]):
        raise ValueError(f"{one} is withdrawn, and its group is gone: a setting stays as long as one of its cases does")
    notes = {flag: dict(zip(("kind", "description"), note, strict=True)) for flag, note in {**NOTES[domain(loss)], "tie": TIE}.items()}
    head: dict[str, Any] = {
        "schema": SCHEMA_VERSION, "interpretation": INTERPRETATION, "loss": name, "kind": loss.kind, "inputs": list(loss.arrays),
        **({"upstream": list(UPSTREAM)} if loss.kind == "codes" else {}),
        "formula_sha256": formula_sha256(loss.formula), "licence": "CC0-1.0", "notes": {f: n for f, n in notes.items() if f in used},
    }  # fmt: skip
    lines = "\n".join(f"{json.dumps(key)}: {json.dumps(value)}," for key, value in head.items())
    return "{" + lines + '\n"groups": [\n' + ",\n".join(groups) + "\n]}\n"


def texts(names: list[str]) -> dict[str, str]:
    """File texts by loss, made by as many processes as there are processors."""
    with ProcessPoolExecutor(min(len(names), os.cpu_count() or 1)) as pool:
        return dict(zip(names, pool.map(text_of, names), strict=True))


def _written(found: Mapping[str, str], folder: pathlib.Path, check: bool, all_of_them: bool) -> int:
    """Write the files, or count those that differ or belong to nothing."""
    wrong = 0
    for name, text in found.items():
        path = folder / f"{name}.json"
        if check:
            same = path.is_file() and path.read_text("utf-8") == text
            wrong += not same
            print(f"{name}: {'as committed' if same else 'DIFFERS from the committed file; run python -m oracle.generate'}")
        else:
            path.write_text(text, "utf-8", newline="\n")
            print(f"{name}: {text.count(chr(10))} lines, {len(text) / 1e3:.0f} kB")
    for path in folder.glob("*.json") if check and all_of_them else ():
        if path.name.removesuffix(".json") not in found:
            wrong += 1
            print(f"{path.name}: belongs to nothing")
    return wrong


def _issued(check: bool, path: pathlib.Path = issued.PATH, files: list[pathlib.Path] | None = None) -> int:
    """No id that was ever issued may be gone; new ones are added to the list, or, with --check, must be on it."""
    old, there = issued.load(path), issued.present(files)
    wrong = [f"{text}; withdraw a case (withdrawn.toml), and give other inputs another id" for text in issued.lost(old, there)]
    if check:
        wrong += [f"{one} is not on the list of issued ids; run python -m oracle.generate" for one in issued.unlisted(old, there)]
    elif not wrong:
        path.write_text(issued.text_of(old, there), "utf-8", newline="\n")
    for text in wrong[:20]:
        print(text)
    if not wrong:
        print(f"issued: {sum(map(len, there.values()))} ids, all there")
    return len(wrong)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="oracle.generate", description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare with the files that are there; exit with 1 if they differ")
    parser.add_argument("--folder", type=pathlib.Path, default=FOLDER)
    parser.add_argument("--scenes", type=pathlib.Path, default=SCENES, help="the folder of the scenes")
    parser.add_argument("--criteria", type=pathlib.Path, default=CRITERIA, help="the folder of the criteria")
    parser.add_argument("losses", nargs="*", help="some losses, codings, functions or criteria; all if none are named")
    options = parser.parse_args(arguments)
    whole = [name for name in options.losses if name.startswith("criteria.")]
    wrong = 0
    if whole or not options.losses:
        wrong += _written(every_criterion.texts(whole or None), options.criteria, options.check, not options.losses)
    chosen = [name for name in options.losses if name not in whole]
    if whole and not chosen:
        return 1 if wrong else 0
    vectors = [name for name in chosen if "." not in name or name in RECORDS] if chosen else sorted(RECORDS)
    functions = every.texts() if not chosen or len(vectors) < len(chosen) else {}
    wrong += _written(texts(vectors) if vectors else {}, options.folder, options.check, not chosen)
    wrong += _written({name: functions[name] for name in chosen if name not in RECORDS} if chosen else functions,
                      options.scenes, options.check, not chosen)  # fmt: skip
    if not chosen and (options.folder, options.scenes, options.criteria) == (FOLDER, SCENES, CRITERIA):
        wrong += _issued(options.check)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())

"""`refloss export FOLDER --as LOSS`: the inputs of a loss as files, to be computed anywhere (scenes and criteria: case_exchange.py).

    FOLDER/inputs/NAME.json        the inputs of one parameter setting in one dtype, as hexadecimal texts and as numbers
    FOLDER/inputs/NAME.ARRAY.npy   the same as arrays (bfloat16 as float32, which holds it exactly)
    FOLDER/answers/                empty: for NAME.json, or NAME.value.npy and NAME.gradient.npy

The rest of the folder is that of folders.py. answers.py reads it again.
"""

import hashlib
import io
import json
import pathlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from . import folders, scenes
from .cases import Batch, batches, known, missing_dtype
from .errors import UsageError
from .folders import INPUTS, MANIFEST
from .gradients import UPSTREAM
from .jsonable import clean
from .limits import THIRD_PARTY
from .mapping import differing, must_have, nothing_has
from .vectors import DTYPES, USUAL_DTYPES

GUIDE = """refloss export: {loss}
{rule}

For each entry of "batches" in manifest.json:
1. read inputs/NAME.json ("numbers", or "hex": C's %a, exact) or inputs/NAME.*.npy, as arrays of the entry's dtype;
2. compute the loss at the entry's parameters: a value for each case, nothing reduced, weight 1, in that dtype;
   and, if you can, the gradient of {summed} by {first};
3. write answers/NAME.json: {{"values": [...], "gradients": [...]}} in the order of "ids" ("gradients": for all
   cases that have a value, or not at all), numbers with all their digits (17 for float64, 9 for float32), or hex texts;
   "nan", "inf" and "-inf" are texts; null for a case that was not computed. Or answers/NAME.value.npy and answers/NAME.gradient.npy.
answers/about.json may say who you are: {{"name": "...", "version": "...", "language": "...", "flushes_subnormals": false,
"skipped": [{{"id": "glob of ids", "reason": "...", "link": "..."}}]}}.

Then: refloss check FOLDER
What the numbers mean: refloss show {loss}, and README.md beside refloss's golden vectors.
"""


def name_of(batch: Batch, width: int) -> str:
    """A batch's files: its setting and dtype, and the number of classes where there are several."""
    return f"{batch.group}.{batch.dtype}" + (f".{width}" if width else "")


def named(chosen: Sequence[Batch]) -> dict[str, Batch]:
    """Batches by the names of their files."""
    several = {(b.group, b.dtype) for b in chosen if sum((o.group, o.dtype) == (b.group, b.dtype) for o in chosen) > 1}
    found = {name_of(b, b.first.shape[-1] if (b.group, b.dtype) in several else 0): b for b in chosen}
    if len(found) != len(chosen):
        raise ValueError("two batches have one name")
    return found


def _numbers(array: Any) -> Any:
    return array.tolist() if array.dtype.kind == "i" else array.astype(np.float64).tolist()


def _hex(nested: Any) -> Any:
    return [_hex(one) for one in nested] if isinstance(nested, list) else nested if isinstance(nested, int) else float(nested).hex()


def inputs_text(loss: Any, name: str, batch: Batch) -> str:
    """inputs/NAME.json; the same bytes each time."""
    arrays = {key: _numbers(array) for key, array in zip(loss.arrays, (batch.first, batch.second), strict=True)}
    document = {
        "batch": name, "loss": loss.name, "dtype": batch.dtype, "parameters": dict(batch.parameters), "ids": list(batch.ids),
        "numbers": arrays, "hex": {key: _hex(array) for key, array in arrays.items()},
    }  # fmt: skip
    lines = [f"{json.dumps(key)}: {json.dumps(clean(value))}" for key, value in document.items() if key not in ("numbers", "hex")]
    for key in ("numbers", "hex"):
        inner = ",\n".join(f"  {json.dumps(k)}: {json.dumps(v, allow_nan=False)}" for k, v in document[key].items())
        lines.append(f"{json.dumps(key)}: {{\n{inner}\n}}")
    return "{" + ",\n".join(lines) + "}\n"


def checksum(loss: Any, name: str, batch: Batch) -> str:
    """Of a batch as it is exported: it changes with any id, input or parameter."""
    return hashlib.sha256(inputs_text(loss, name, batch).encode()).hexdigest()


def npy(array: Any) -> bytes:
    """A .npy file, little-endian."""
    plain = array.astype(np.float32) if array.dtype.name == "bfloat16" else array
    buffer = io.BytesIO()
    np.save(buffer, plain.astype(plain.dtype.newbyteorder("<")), allow_pickle=False)
    return buffer.getvalue()


def choose(loss: Any, dtypes: Sequence[str], only: Mapping[str, Any]) -> list[Batch]:
    """The batches that are asked for, or a sentence why there are none."""
    for dtype in dtypes:
        reason = f"only {', '.join(DTYPES)}" if dtype not in DTYPES else missing_dtype(dtype)
        if reason is not None:
            raise UsageError(f"--dtype {dtype}: {reason}")
    must_have(loss.defaults, only, loss.name)
    found = [b for b in batches(loss.name, dtypes) if differing(only, b.parameters) is None]
    if not found:
        raise nothing_has(only, loss.name)
    return found


def manifest(loss: Any, chosen: Mapping[str, Batch]) -> dict[str, Any]:
    """What the folder holds."""
    coding = loss.kind == "codes"
    return {
        **folders.HEAD, "loss": loss.name, "kind": loss.kind,
        "inputs": list(loss.arrays), **({"upstream": list(UPSTREAM)} if coding else {}),
        "limit_eps": THIRD_PARTY.eps,
        "batches": [
            {
                "name": name, "group": batch.group, "parameters": clean(dict(batch.parameters)), "dtype": batch.dtype,
                "shapes": {key: list(array.shape) for key, array in zip(loss.arrays, (batch.first, batch.second), strict=True)},
                "value_shape": list(batch.value.number.shape), "gradient_shape": list(batch.first.shape), "ids": list(batch.ids),
                "sha256": checksum(loss, name, batch),
            }
            for name, batch in chosen.items()
        ],
    }  # fmt: skip


def export(folder: str | pathlib.Path, name: str, dtypes: Sequence[str] = (), only: Mapping[str, Any] | None = None) -> str:
    """Write the folder; answers a sentence that says what is in it."""
    if name.startswith("criteria."):
        from .criteria_exchange import contents
    elif name in scenes.names():
        from .scene_exchange import contents
    else:
        contents = _contents
    files, held = contents(name, dtypes or USUAL_DTYPES, only or {})
    folders.write(folder, files)
    return f"{held} in {folder}/{INPUTS}; put answers beside them, then refloss check {folder}"


def check(folder: str | pathlib.Path, command: str = "") -> dict[str, Any]:
    """The report on a folder with answers."""
    from .answers import check as of

    return of(folder, command)


def _contents(name: str, dtypes: Sequence[str], only: Mapping[str, Any]) -> tuple[Iterator[tuple[str, str | bytes]], str]:
    """The files of a loss's folder, and a few words on them."""
    loss = known(name)
    chosen = named(choose(loss, dtypes, only))
    document, count, coding = manifest(loss, chosen), sum(map(len, chosen.values())), loss.kind == "codes"

    def files() -> Iterator[tuple[str, str | bytes]]:
        for file, batch in chosen.items():
            yield f"{INPUTS}/{file}.json", inputs_text(loss, file, batch)
            for key, array in zip(loss.arrays, (batch.first, batch.second), strict=True):
                yield f"{INPUTS}/{file}.{key}.npy", npy(array)
        yield MANIFEST, folders.as_text(document)
        summed, rule = "sum(upstream * value)" if coding else "its value", f"{len(chosen)} batches of {loss.kind}, {count} cases"
        yield folders.GUIDE, GUIDE.format(loss=name, first=loss.arrays[0], summed=summed, rule=rule)

    return files(), f"{count} cases of {name} in {len(chosen)} files"

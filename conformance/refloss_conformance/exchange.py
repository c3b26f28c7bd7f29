"""`refloss export FOLDER --as LOSS`: the inputs of a loss as files, to be computed anywhere.

    FOLDER/README.txt              what to do, in a page
    FOLDER/manifest.json           what there is: schema/export.json
    FOLDER/inputs/NAME.json        the inputs of one parameter setting in one dtype, as hexadecimal texts and as numbers
    FOLDER/inputs/NAME.ARRAY.npy   the same as arrays (bfloat16 as float32, which holds it exactly)
    FOLDER/answers/                empty: for NAME.json, or NAME.value.npy and NAME.gradient.npy, and about.json

The folder appears whole or not at all. answers.py reads it again.
"""

import hashlib
import io
import json
import pathlib
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from . import scenes
from .cases import Batch, batches, known, missing_dtype
from .errors import UsageError
from .gradients import UPSTREAM
from .jsonable import clean
from .limits import THIRD_PARTY
from .mapping import differing, must_have, nothing_has
from .vectors import DTYPES, INTERPRETATION, USUAL_DTYPES

SCHEMA_VERSION = 1
MANIFEST, INPUTS, ANSWERS = "manifest.json", "inputs", "answers"
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
        "schema": SCHEMA_VERSION, "export": "refloss", "interpretation": INTERPRETATION, "loss": loss.name, "kind": loss.kind,
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


def export(folder: str | pathlib.Path, loss_name: str, dtypes: Sequence[str] = (), only: Mapping[str, Any] | None = None) -> str:
    """Write the folder; answers a sentence that says what is in it."""
    if loss_name in scenes.names():
        raise UsageError(f"{loss_name} needs no export: scenes/{loss_name}.json in refloss_conformance is read by any language as it is")
    if loss_name.startswith("criteria."):
        raise UsageError(f"{loss_name} needs no export: criteria/{loss_name}.json in refloss_conformance is read by any language as it is")
    loss, place = known(loss_name), pathlib.Path(folder)
    chosen = named(choose(loss, dtypes or USUAL_DTYPES, only or {}))
    if place.is_dir() and any(place.iterdir()):
        raise UsageError(f"{folder} is not empty; name a new folder")
    if place.exists() and not place.is_dir():
        raise UsageError(f"{folder} is a file; name a new folder")
    document = manifest(loss, chosen)
    temporary: pathlib.Path | None = None
    try:
        temporary = pathlib.Path(tempfile.mkdtemp(dir=place.absolute().parent, prefix=f".{place.name}."))
        _fill(temporary, loss, chosen, document)
        temporary.chmod(0o755)
        if place.exists():
            place.rmdir()
        temporary.replace(place)
    except OSError as error:
        raise UsageError(f"{folder}: cannot be written ({error.strerror or error})") from None
    finally:
        if temporary is not None and temporary.exists():
            shutil.rmtree(temporary, ignore_errors=True)
    count = sum(len(one["ids"]) for one in document["batches"])
    return f"{count} cases of {loss_name} in {len(chosen)} files in {folder}/inputs; put answers beside them, then refloss check {folder}"


def check(folder: str | pathlib.Path, command: str = "") -> dict[str, Any]:
    """The report on a folder with answers."""
    from .answers import check as of

    return of(folder, command)


def _fill(folder: pathlib.Path, loss: Any, chosen: Mapping[str, Batch], document: Mapping[str, Any]) -> None:
    (folder / INPUTS).mkdir()
    (folder / ANSWERS).mkdir()
    for name, batch in chosen.items():
        (folder / INPUTS / f"{name}.json").write_text(inputs_text(loss, name, batch), "utf-8", newline="\n")
        for key, array in zip(loss.arrays, (batch.first, batch.second), strict=True):
            (folder / INPUTS / f"{name}.{key}.npy").write_bytes(npy(array))
    (folder / MANIFEST).write_text(json.dumps(document, indent=1, allow_nan=False) + "\n", "utf-8", newline="\n")
    coding = loss.kind == "codes"
    guide = GUIDE.format(
        loss=loss.name, first=loss.arrays[0], summed="sum(upstream * value)" if coding else "its value",
        rule=f"{len(chosen)} batches of {loss.kind}, {sum(map(len, chosen.values()))} cases",
    )  # fmt: skip
    (folder / "README.txt").write_text(guide, "utf-8", newline="\n")

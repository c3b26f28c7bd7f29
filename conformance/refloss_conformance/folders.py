"""The folders of `refloss export` and `refloss check FOLDER`: written whole or not at all, and read with a sentence for what is wrong.

    FOLDER/README.txt      what to do, in a page
    FOLDER/manifest.json   what there is: schema/export.json
    FOLDER/inputs/         the questions
    FOLDER/answers/        empty, for the answers: schema/answers.json; about.json may say whose they are

What lies in inputs and answers: exchange.py for losses, case_exchange.py for golden scenes and criteria.
"""

import errno
import functools
import json
import pathlib
import shutil
import tempfile
from collections.abc import Collection, Iterable, Mapping
from fnmatch import fnmatchcase
from typing import Any

import jsonschema

from . import safe
from .close import nearest
from .engine import Subject, Unanswered
from .errors import UsageError
from .misfit import misfit
from .program.messages import tidy
from .vectors import INTERPRETATION

SCHEMA_VERSION = 1
PREFIX = ".refloss."  # of what is being written; a kill leaves it
GUIDE, MANIFEST, INPUTS, ANSWERS, ABOUT = "README.txt", "manifest.json", "inputs", "answers", "about.json"
SCHEMAS = pathlib.Path(__file__).parent / "schema"
HEAD = {"schema": SCHEMA_VERSION, "export": "refloss", "interpretation": INTERPRETATION}
CHANGED = "was changed after the export; export again, and compute again"


def write(folder: str | pathlib.Path, contents: Iterable[tuple[str, str | bytes]]) -> None:
    """The folder with these files, by their paths in it, and a place for the answers; or nothing, and a sentence why."""
    place = pathlib.Path(folder)
    temporary: pathlib.Path | None = None
    try:
        there = place.exists()
        if there and not place.is_dir():
            raise UsageError(f"{folder} is a file; name a new folder")
        if there and not all(path.name.startswith(PREFIX) for path in place.iterdir()):
            raise UsageError(f"{folder} is not empty; name a new folder")
        temporary = pathlib.Path(tempfile.mkdtemp(dir=place if there else place.absolute().parent, prefix=PREFIX))
        for name in (INPUTS, ANSWERS):
            (temporary / name).mkdir()
        for name, content in contents:
            (temporary / name).write_bytes(content.encode() if isinstance(content, str) else content)
        temporary.chmod(0o755)
        if there:  # perhaps a link, or somebody's working directory
            _moved_in(temporary, place)
        else:
            temporary.replace(place)
    except (OSError, ValueError) as error:  # ValueError: no path at all
        raise UsageError(f"{folder}: cannot be written ({getattr(error, 'strerror', None) or error})") from None
    finally:
        if temporary is not None and temporary.exists():
            shutil.rmtree(temporary, ignore_errors=True)


def _moved_in(source: pathlib.Path, place: pathlib.Path) -> None:
    """All that source holds, into place; or nothing."""
    moved: list[pathlib.Path] = []
    try:
        for path in sorted(source.iterdir()):
            target = place / path.name
            if target.exists():
                raise FileExistsError(errno.EEXIST, f"{path.name} is there already")
            path.replace(target)
            moved.append(target)
    except BaseException:
        for target in moved:
            target.replace(source / target.name)
        raise


def as_text(manifest: Mapping[str, Any]) -> str:
    return json.dumps(manifest, indent=1, allow_nan=False) + "\n"


@functools.cache
def _schema(name: str) -> Any:
    return jsonschema.Draft202012Validator(json.loads((SCHEMAS / name).read_text("utf-8")))


def read(path: pathlib.Path, schema: str, definition: str = "") -> Any:
    """A JSON file as its schema has it, or a sentence."""
    try:
        data = safe.read(path)
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({error.strerror})") from None
    except safe.Unsafe as error:
        raise UsageError(f"{path}: {error}") from None
    validator = _schema(schema)
    if definition:
        validator = validator.evolve(schema={"$ref": f"#/$defs/{definition}", "$defs": validator.schema["$defs"]})
    why = misfit(validator, data, "the whole")
    if why is not None:
        raise UsageError(f"{path}: {why}")
    return data


def manifest(place: pathlib.Path) -> Any:
    """What the folder holds, of this version."""
    path = place / MANIFEST
    if not path.is_file():
        raise UsageError(f"{place} holds no {MANIFEST}: it is no export; refloss export {place} --as LOSS makes one")
    data = read(path, "export.json", "any")
    for key, mine in (("schema", SCHEMA_VERSION), ("interpretation", INTERPRETATION)):
        if data.get(key) != mine:
            raise UsageError(f"{path}: {key} is {data.get(key)!r}, this version of refloss knows {mine}; export again")
    return read(path, "export.json")


def untouched(path: pathlib.Path, written: bytes) -> None:
    """The inputs that lie beside the answers are those of the export; they may be gone."""
    if path.is_file() and (path.stat().st_size != len(written) or path.read_bytes() != written):
        raise UsageError(f"{path} {CHANGED}")


def answers(place: pathlib.Path, allowed: Collection[str]) -> tuple[set[str], Any]:
    """The names of the answers' files, each an allowed one, and what about.json says."""
    folder = place / ANSWERS
    found = {path.name for path in folder.iterdir() if not path.name.startswith(".")} if folder.is_dir() else set()
    for name in sorted(found - {ABOUT, *allowed}):
        raise UsageError(f"{folder / name} answers nothing of this export{nearest(name, [ABOUT, *allowed])}")
    return found, read(folder / ABOUT, "answers.json", "about") if ABOUT in found else {}


def none(place: pathlib.Path) -> UsageError:
    """What is raised where nothing is answered, and nothing left out on purpose."""
    return UsageError(f"{place}: there are no answers in {place / ANSWERS}; {GUIDE} says what to put there")


def skipped(about: Mapping[str, Any], one: str, dtype: str) -> Unanswered | None:
    """A case that about.json leaves out on purpose."""
    for skip in about.get("skipped", ()):
        if fnmatchcase(one, skip["id"]) and skip.get("dtype", dtype) == dtype:
            return Unanswered(one, dtype, "skipped", skip["reason"], skip.get("link"))
    return None


def subject(place: pathlib.Path, command: str, about: Mapping[str, Any], gradients: bool) -> Subject:
    """Whose answers they are, as about.json says."""
    name, version, language = (tidy(about[key]) if key in about else None for key in ("name", "version", "language"))
    return Subject(
        str(place), command, "files", package=name or "", version=version, language=language or "unknown",
        gradients="returned" if gradients else "none: there are none in the answers",
    )  # fmt: skip

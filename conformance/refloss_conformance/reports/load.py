"""Reports from files, which anyone may have written: bounded, and checked before anything is made of them."""

import functools
import json
import pathlib
from typing import Any

from .. import safe
from ..errors import UsageError
from ..misfit import misfit

SCHEMA = pathlib.Path(__file__).parent.parent / "schema" / "merged.json"
BOUNDS = safe.Bounds(size=50_000_000)


def load(path: str) -> dict[str, Any]:
    """One report, of any kind that `refloss check --json`, `refloss replay --json` and `refloss report --json` write."""
    try:
        found = safe.read(pathlib.Path(path), BOUNDS)
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({error.strerror or error})") from None
    except safe.Unsafe as error:
        raise UsageError(f"{path}: {error}") from None
    return known(found, path)


def known(document: Any, name: str) -> dict[str, Any]:
    """The document, if it is a report; or a sentence that says what it is not."""
    if not isinstance(document, dict) or "schema" not in document or "report" not in document:
        raise UsageError(f"{name}: is no report of refloss; refloss check ... --json FILE writes one")
    if document["schema"] != 1:
        newer = isinstance(document["schema"], int) and document["schema"] > 1
        way_out = "; install a newer one" if newer else ""
        raise UsageError(f"{name}: has schema number {str(document['schema'])[:40]}; this refloss reads 1{way_out}")
    kinds = sorted(_schema()["$defs"]["kinds"]["enum"])
    if document["report"] not in kinds:
        raise UsageError(f"{name}: is a report of an unknown kind, {str(document['report'])[:40]!r}; there are {', '.join(kinds)}")
    problem = misfit(_validator(), document, "at the top")
    if problem:
        raise UsageError(f"{name}: is a damaged report ({problem})")
    return document


@functools.cache
def _schema() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(SCHEMA.read_text("utf-8"))
    return found


@functools.cache
def _validator() -> Any:
    import jsonschema  # half as long to import as all of refloss

    return jsonschema.Draft202012Validator(_schema())

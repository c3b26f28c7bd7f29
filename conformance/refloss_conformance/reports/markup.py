"""The only ways in which text gets into HTML: escaped, and able to break where it is long."""

import html
import re
from collections.abc import Sequence
from typing import Any

from .words import visible

BREAKS = re.compile(r"([/_:=]|[.,](?=[A-Za-z_]))(?=\w)")  # and not within numbers
WHOLE = re.compile(r"(\b[\d.]+e-\d+)")  # a line would break at the hyphen


def e(text: Any) -> str:
    """Escaped for elements and quoted attributes."""
    return html.escape(visible(text), quote=True)


def code(text: Any) -> str:
    """Code that may break after /, _ and the like, but not within a number."""
    parts = BREAKS.sub("\\1\0", visible(text)).split("\0")
    return "<code>" + "<wbr>".join(WHOLE.sub(r'<span class="k">\1</span>', e(part)) for part in parts) + "</code>"


def link(address: Any, text: str) -> str:
    """To a page on the web, and to nothing else: what follows another scheme would run here."""
    address = visible(address)
    if not re.match(r"https?://[^\s]+$", address):
        return f"{text} ({e(address)})"
    return f'<a href="{e(address)}" rel="noreferrer noopener">{text}</a>'


def table(caption: str, head: Sequence[tuple[str, bool]], rows: Sequence[Sequence[str]], kind: str = "") -> str:
    """head: (HTML, whether it is a column of numbers). The first cell of a row is its heading. Roles survive the narrow layout."""
    heads = "".join(f'<th scope="col" role="columnheader"{" class=n" if numeric else ""}>{text}</th>' for text, numeric in head)
    body = "".join(f'<tr role="row">{row(head, cells)}</tr>' for cells in rows)
    return (
        f'<table role="table" class="cards {kind}"><caption>{caption}</caption><thead role="rowgroup"><tr role="row">{heads}</tr></thead>'
        f'<tbody role="rowgroup">{body}</tbody></table>'
    )


def row(head: Sequence[tuple[str, bool]], cells: Sequence[str]) -> str:
    first = f'<th scope="row" role="rowheader">{cells[0]}</th>'
    return first + "".join(
        f'<td role="cell" data-label="{e(re.sub("<[^>]*>", "", text))}"{" class=n" if numeric else ""}>{cell}</td>'
        for (text, numeric), cell in zip(head[1:], cells[1:], strict=True)
    )

"""Where an expectation holds: `platform == "darwin" and version < "0.24"`. A grammar of one page, nothing is executed.

    condition  = all { "or" all }
    all        = one { "and" one }
    one        = "not" one | "(" condition ")" | operand OPERATOR operand
    operand    = 'text' | "text" | name | version("package")
    OPERATOR   = == != < <= > >= in "not in"

Names are facts of this machine and of what is checked. A comparison with a fact that is not known (a package that is not
installed, an unstated version) is false, with != and "not in" too. Versions compare number by number, other facts as texts.
"""

import importlib.metadata
import platform
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from .close import nearest
from .errors import UsageError

FACTS = {
    "platform": "sys.platform: linux, darwin, win32",
    "machine": "the processor: x86_64, arm64",
    "python": "version of this Python: 3.12.4",
    "implementation": "CPython, PyPy",
    "language": "language of what is checked",
    "via": "callable, program or files",
    "arrays": "numpy, torch, tensorflow, jax, json",
    "package": "name of what is checked",
    "version": "its version",
}
VERSIONS = ("python", "version")
TOKEN = re.compile(r"""\s*(?:(?P<text>'[^']*'|"[^"]*")|(?P<word>[A-Za-z_]+)|(?P<sign>==|!=|<=|>=|<|>|\(|\)))""")
COMPARE: Mapping[str, Callable[[Any, Any], bool]] = {
    "==": lambda a, b: a == b, "!=": lambda a, b: a != b, "<": lambda a, b: a < b, "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b, ">=": lambda a, b: a >= b,
}  # fmt: skip
LONGEST, DEEPEST = 1000, 20


class Operand(NamedTuple):
    """A text; None where the fact is not known. numbers: it is a version."""

    text: str | None
    numbers: bool


def facts(document: Mapping[str, Any]) -> dict[str, str | None]:
    """What is known here of a report."""
    return {
        "platform": sys.platform, "machine": platform.machine(), "python": platform.python_version(),
        "implementation": platform.python_implementation(),
        **{name: document.get(name) or None for name in ("language", "via", "arrays", "package", "version")},
    }  # fmt: skip


def holds(condition: str, known: Mapping[str, str | None]) -> bool:
    """Whether a condition is true. UsageError says what is wrong with its text."""
    return _Reader(condition, known).result()


def parts(version: str) -> list[int]:
    """The numbers a version starts with: 2.13.0+cpu is 2, 13, 0; nothing after a letter counts."""
    found = re.match(r"\d+(\.\d+)*", version.removeprefix("v"))
    return [int(number[:18]) for number in found.group().split(".")] if found else []


class _Reader:
    """One condition, read from left to right; everything is read, also what no longer matters."""

    def __init__(self, condition: str, known: Mapping[str, str | None]) -> None:
        self.condition, self.known, self.depth = condition, known, 0
        self.tokens = list(self._tokens())

    def _wrong(self, what: str) -> UsageError:
        return UsageError(f"the condition {self.condition[:80]!r} {what}; the form is platform == 'darwin' and version < '0.24'")

    def _tokens(self) -> Iterator[str]:
        if len(self.condition) > LONGEST:
            raise self._wrong(f"is longer than {LONGEST} characters")
        at = 0
        while self.condition[at:].strip():
            found = TOKEN.match(self.condition, at)
            if found is None:
                raise self._wrong(f"cannot be read at {self.condition[at:].strip()[:20]!r}")
            yield found.group().strip()
            at = found.end()

    def _take(self, *wanted: str) -> bool:
        if self.tokens[: len(wanted)] == list(wanted):
            del self.tokens[: len(wanted)]
            return True
        return False

    def result(self) -> bool:
        found = self._any()
        if self.tokens:
            raise self._wrong(f"goes on with {self.tokens[0]!r}")
        return found

    def _any(self) -> bool:
        found = self._all()
        while self._take("or"):
            found |= self._all()
        return found

    def _all(self) -> bool:
        found = self._one()
        while self._take("and"):
            found &= self._one()
        return found

    def _one(self) -> bool:
        self.depth += 1
        if self.depth > DEEPEST:
            raise self._wrong(f"is nested more than {DEEPEST} deep")
        if self._take("not"):
            found = not self._one()
        elif self._take("("):
            found = self._any()
            if not self._take(")"):
                raise self._wrong("lacks a )")
        else:
            found = self._comparison()
        self.depth -= 1
        return found

    def _comparison(self) -> bool:
        first = self._operand()
        absent = self._take("not", "in")
        sign = "in" if absent or self._take("in") else self.tokens.pop(0) if self.tokens else ""
        if sign != "in" and sign not in COMPARE:
            raise self._wrong(f"has {sign!r} where it compares" if sign else "compares nothing")
        second = self._operand()
        if first.text is None or second.text is None:
            return False
        if sign == "in":
            return (first.text in second.text) != absent
        if first.numbers or second.numbers:
            a, b = parts(first.text), parts(second.text)
            if not a or not b:
                raise self._wrong(f"compares the version {first.text!r} with {second.text!r}")
            width = max(len(a), len(b))
            return COMPARE[sign](a + [0] * (width - len(a)), b + [0] * (width - len(b)))
        return COMPARE[sign](first.text, second.text)

    def _operand(self) -> Operand:
        token = self.tokens.pop(0) if self.tokens else ""
        if token[:1] in ("'", '"'):
            return Operand(token[1:-1], False)
        if token == "version" and self._take("("):
            name = self.tokens.pop(0) if self.tokens else ""
            if name[:1] not in ("'", '"') or not self._take(")"):
                raise self._wrong("has a version(...) without a package's name in quotes")
            return Operand(_installed(name[1:-1]), True)
        if token not in self.known:
            near = nearest(token, self.known)
            raise self._wrong(f"names {token!r}{near or ', there are ' + ', '.join(self.known)}" if token else "ends too early")
        return Operand(self.known[token], token in VERSIONS)


def _installed(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except (importlib.metadata.PackageNotFoundError, ValueError):
        return None

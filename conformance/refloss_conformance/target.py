"""From `MODULE:CALLABLE` to something that can be called: import, dotted attributes, classes, signatures, versions."""

import contextlib
import functools
import importlib
import importlib.metadata
import importlib.util
import inspect
import pathlib
import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from .errors import UsageError

FORM = "give MODULE:CALLABLE, such as torch.nn.functional:smooth_l1_loss, MODULE:CLASS.METHOD, or FILE.py:CALLABLE"


@dataclass(frozen=True)
class Parameter:
    """One parameter of a callable; `default` is inspect.Parameter.empty where there is none."""

    name: str
    default: Any
    positional_only: bool = False
    keyword_only: bool = False


@dataclass(frozen=True)
class Target:
    """The callable under test."""

    spec: str
    function: Callable[..., Any]
    module: ModuleType
    parameters: tuple[Parameter, ...]
    open_ended: bool  # takes **kwargs: any name may be passed
    package: str
    version: str | None

    def names(self) -> tuple[str, ...]:
        return tuple(parameter.name for parameter in self.parameters)


def one_line(error: BaseException) -> str:
    """An exception as one line."""
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text[:300]}" if text else type(error).__name__


def _import(name: str) -> ModuleType:
    if name.endswith(".py"):
        path = pathlib.Path(name)
        if not path.is_file():
            raise UsageError(f"there is no file {name}; {FORM}")
        module_name = path.stem
        found = importlib.util.spec_from_file_location(module_name, path)
        if found is None or found.loader is None:
            raise UsageError(f"{name} cannot be loaded as Python; {FORM}")
        module = importlib.util.module_from_spec(found)
        sys.modules.setdefault(module_name, module)
        load: Callable[[], Any] = functools.partial(found.loader.exec_module, module)
    else:
        if "" not in sys.path and str(pathlib.Path.cwd()) not in sys.path:
            sys.path.insert(0, str(pathlib.Path.cwd()))  # a command does not see the folder it runs in, `python -m` does
        load = functools.partial(importlib.import_module, name)
    try:
        loaded = load()
    except ModuleNotFoundError as error:
        missing = error.name or name
        way_out = "check the name, or install it" if missing == name.split(".", maxsplit=1)[0] else f"{name} needs it; install it"
        raise UsageError(f"there is no module {missing!r}; {way_out} in this environment") from None
    except (Exception, SystemExit) as error:  # whatever a module does when it is imported
        raise UsageError(f"importing {name} failed: {one_line(error)}") from None
    return module if name.endswith(".py") else loaded


def locate(spec: str, init: Mapping[str, Any] | None = None) -> Target:
    """Import the callable. A class, also that of a method, is instantiated, a factory called, with `init`."""
    module_name, colon, path = spec.partition(":")
    if not colon or not module_name or not path:
        raise UsageError(f"{spec!r} names no callable; {FORM}")
    module = _import(module_name)
    found: Any = module
    for name in path.split("."):
        if not hasattr(found, name):
            close = sorted(n for n in dir(found) if name.lower().strip("_") in n.lower())[:5]
            hint = f"; did you mean {', '.join(close)}?" if close else ""
            raise UsageError(f"{module_name} has no {path!r}{hint}")
        owner, found, made = found, getattr(found, name), False
        if inspect.isclass(owner) and _is_method(inspect.getattr_static(owner, name)):  # which needs an instance
            found, made = getattr(_make(spec, owner, init or {}), name), True
    if not callable(found):
        raise UsageError(f"{spec} is a {type(found).__name__}, not a callable; {FORM}")
    if not made and (inspect.isclass(found) or init):
        found = _make(spec, found, init or {})
        if not callable(found):
            raise UsageError(f"{spec}(...) made something of type {type(found).__name__}, which cannot be called")
    parameters, open_ended = signature(found)
    package = module.__name__.split(".")[0]
    if module_name.endswith(".py"):  # a file of one's own that hands on a package's function
        home = str(getattr(found, "__module__", package)).split(".")[0]
        package = home if home in sys.modules and home != "builtins" else package
        package = getattr(module, "PACKAGE", package)  # an adapter says whose functions it calls
    return Target(spec, found, module, parameters, open_ended, package, _version(package, module))


def given(function: Callable[..., Any]) -> Target:
    """A live callable: a function, a partial one, or an instance with __call__ or forward()."""
    if not callable(function) or inspect.isclass(function):
        what = "a class; make an instance" if inspect.isclass(function) else f"a {type(function).__name__}"
        raise UsageError(f"what is checked must be a callable, got {what}")
    inner = function.func if isinstance(function, functools.partial) else function
    named = inner if hasattr(inner, "__qualname__") else type(inner)
    home = str(getattr(named, "__module__", None) or "builtins")
    module = sys.modules.get(home) or ModuleType(home)
    parameters, open_ended = signature(function)
    package = home.split(".", maxsplit=1)[0]
    return Target(f"{home}:{named.__qualname__}", function, module, parameters, open_ended, package, _version(package, module))


def _is_method(held: Any) -> bool:
    """What a class holds: a function, or one under a decorator that binds as functions do (jax.jit, functools.cache)."""
    wraps = hasattr(held, "__wrapped__") and hasattr(held, "__get__") and not isinstance(held, (staticmethod, classmethod))
    return inspect.isfunction(held) or (callable(held) and wraps)


def _make(spec: str, factory: Any, init: Mapping[str, Any]) -> Any:
    try:
        made = factory(**init)
    except (Exception, SystemExit) as error:  # anything a constructor may do
        raise UsageError(f"{spec}({', '.join(f'{k}={v!r}' for k, v in init.items())}) failed: {one_line(error)}; see --init") from None
    return made


@functools.cache
def _distributed(package: str) -> str | None:
    """The version of the distribution that holds a package. packages_distributions() says the same of all packages, in half a second."""
    for one in importlib.metadata.distributions():
        declared = (one.read_text("top_level.txt") or "").split()
        files = "" if declared else one.read_text("RECORD") or "\n".join(map(str, one.files or ()))
        if package in declared or re.search(rf"^{re.escape(package)}(/[^,\n]*)?\.py(,|$)", files, re.MULTILINE):
            return one.version
    return None


def _version(package: str, module: ModuleType) -> str | None:
    """Most distributions have the name of their package; the others are looked for."""
    with contextlib.suppress(importlib.metadata.PackageNotFoundError, ValueError):
        return importlib.metadata.version(package)
    found = _distributed(package) or getattr(sys.modules.get(package, module), "__version__", None)
    return None if found is None else str(found)


def signature(function: Callable[..., Any]) -> tuple[tuple[Parameter, ...], bool]:
    """(parameters, whether it takes any keyword). Modules answer through forward(), TorchScript through its schema."""
    schema = getattr(function, "schema", None)
    if schema is not None and hasattr(schema, "arguments"):
        empty = inspect.Parameter.empty
        return tuple(
            Parameter(a.name, a.default_value if a.has_default_value() else empty, keyword_only=a.kwarg_only) for a in schema.arguments
        ), False
    inspected: Any = function
    if hasattr(function, "forward") and not inspect.isfunction(function):  # torch.nn.Module: __call__ is (*args, **kwargs)
        inspected = function.forward
    try:
        parameters = inspect.signature(inspected).parameters.values()
    except (TypeError, ValueError):
        return (), True
    kinds = inspect.Parameter
    plain = tuple(
        Parameter(p.name, p.default, p.kind is kinds.POSITIONAL_ONLY, p.kind is kinds.KEYWORD_ONLY)
        for p in parameters
        if p.kind not in (kinds.VAR_POSITIONAL, kinds.VAR_KEYWORD)
    )
    return plain, any(p.kind is kinds.VAR_KEYWORD for p in parameters)

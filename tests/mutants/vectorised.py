"""The kernels' scalar functions over whole arrays, without Numba: their own source, with selects in the place of conditionals.

Compiling a mutant takes half a second, and there are hundreds. Here `a if c else b` becomes a select, `type(x)` an array's type, and
fma is made of error-free products and sums; the rest of the text runs as it stands. The test proves it on the kernels themselves.
"""

import __future__

import ast
import inspect
import math
from collections.abc import Callable, Iterable
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np

from refloss._engine import scalar

Namespace = dict[str, Any]
SPLITTER = 2.0**27 + 1  # Veltkamp's, for 53 bits


def type_of(x: Any) -> Any:
    """What `type` says of a scalar."""
    return x.dtype.type if isinstance(x, (np.ndarray, np.generic)) else type(x)


def select(condition: Any, a: Any, b: Any) -> Any:
    """`a if condition else b`, in every place; pairs are chosen from as such."""
    if isinstance(condition, (bool, np.bool_)):
        return a if condition else b
    if isinstance(a, tuple):
        return tuple(select(condition, x, y) for x, y in zip(a, b, strict=True))
    return np.where(condition, a, b)


def fma(a: Any, b: Any, c: Any) -> Any:
    """a * b + c, rounded once or (rarely) a last bit from that."""
    a, b, c = np.broadcast_arrays(a, b, c)
    if a.dtype == np.float32:
        return (a.astype(np.float64) * b + c).astype(np.float32)
    plain = a * b
    largest = np.maximum(np.abs(a), np.abs(b))
    tame = (largest < 2.0**990) & (np.abs(plain) < 2.0**1000) & ((np.abs(plain) > 2.0**-960) | (plain == 0)) & np.isfinite(c)
    x, y = np.where(tame, a, 1.0), np.where(tame, b, 1.0)
    p, z = x * y, np.where(tame, c, 0.0)
    (x_hi, x_lo), (y_hi, y_lo) = _halves(x), _halves(y)
    error = ((x_hi * y_hi - p) + x_hi * y_lo + x_lo * y_hi) + x_lo * y_lo
    s = p + z
    back = s - p
    lost = (p - (s - back)) + (z - back)
    return np.where(tame, s + (lost + error), plain + c)


def _halves(x: Any) -> tuple[Any, Any]:
    scaled = np.where(np.abs(x) > 2.0**900, x * 2.0**-60, x)
    high = SPLITTER * scaled - (SPLITTER * scaled - scaled)
    high = np.where(np.abs(x) > 2.0**900, high * 2.0**60, high)
    return high, x - high


class Selects(ast.NodeTransformer):
    """Conditional expressions become selects; a statement `if` asks a plain number, and stays."""

    def visit_IfExp(self, node: ast.IfExp) -> ast.AST:
        self.generic_visit(node)
        return ast.copy_location(ast.Call(ast.Name("select", ast.Load()), [node.test, node.body, node.orelse], []), node)


def run_source(tree: ast.Module, namespace: Namespace) -> Namespace:
    """Define a (transformed) text's functions in a namespace."""
    return run_plain(Selects().visit(tree), namespace)


def run_plain(tree: ast.Module, namespace: Namespace) -> Namespace:
    code = compile(
        ast.fix_missing_locations(tree), "<mutant>", "exec", flags=__future__.annotations.compiler_flag
    )  # annotations stay unread
    exec(code, namespace)
    return namespace


def functions_of(module: ModuleType, constants: Iterable[str] = ()) -> ast.Module:
    """A module's functions and classes without their decorators, and some of its constants: what can be run by itself."""
    body: list[ast.stmt] = []
    for node in ast.parse(inspect.getsource(module)).body:
        if isinstance(node, ast.FunctionDef):
            if not any("loss(" in ast.unparse(one) for one in node.decorator_list):
                node.decorator_list = []
                body.append(node)
        elif isinstance(node, ast.ClassDef):
            body += [] if node.decorator_list or node.bases else [node]
        elif isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) in constants:
            body.append(node)
    return ast.Module(body, [])


def by_dtype(for32: Callable[[Any], Any], for64: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda x: (for32 if type_of(x) is np.float32 else for64)(x)


def elementary() -> Namespace:
    """exp, log, arctan, and the arithmetic of two words: what every kernel is made of, and no mutant changes."""
    mathematics = SimpleNamespace(sqrt=np.sqrt, inf=math.inf, nan=math.nan, pi=math.pi)
    space: Namespace = {"np": np, "math": mathematics, "type": type_of, "select": select, "fma": fma, "Any": Any, "Pair": Any,
                        "Scalar": Any, "_32": scalar._32, "_64": scalar._64}  # fmt: skip
    for name in ("exp_tail", "log_tail", "log1p_tail", "arctan_tail"):
        space[name] = _tail(name)
    tree = functions_of(scalar)
    tree.body = [node for node in tree.body if not (isinstance(node, ast.FunctionDef) and node.name in ("portable", "by_dtype"))]
    run_source(tree, space)
    for name, private in (("constants", "_constants"), ("power_of_two", "_power_of_two"), ("split", "_split")):
        space[name] = by_dtype(space[f"{private}32"], space[f"{private}64"])
    return space


def _tail(name: str) -> Callable[[Any], Any]:
    """The polynomials, whose coefficients the module holds; its own fma is for scalars."""
    from refloss._engine import polynomials

    both = []
    for bits in ("32", "64"):
        function = getattr(polynomials, f"{name}{bits}")
        both.append(
            run_source(ast.parse(inspect.getsource(function)), {**vars(polynomials), "fma": fma, "select": select})[f"{name}{bits}"]
        )
    return by_dtype(*both)

"""What each kind of node in a formula, a kernel or an assigner's rule may be mistaken for."""

import ast
import re
from collections.abc import Iterator

Change = tuple[str, ast.AST | None]  # operator, and what replaces the node (None: the statement goes)
OTHERS = {0: (1,), 1: (2, 0), 2: (1, 4), 0.5: (1, 0.25), 3: (2,), 4: (2, 16), 8: (4,)}
TWINS = {
    "w": "h", "h": "w", "tw": "th", "th": "tw", "x": "y", "y": "x", "dx": "dy", "dy": "dx", "hull_w": "hull_h", "hull_h": "hull_w",
    "u": "v", "v": "u", "x1": "x2", "x2": "x1", "y1": "y2", "y2": "y1", "positive": "negative", "negative": "positive",
    "intersection": "union", "union": "intersection", "hull": "union", "targets": "logits", "one": "two", "two": "one",
    "column": "row", "row": "column", "prior_w": "prior_h", "prior_h": "prior_w", "prior_x": "prior_y", "prior_y": "prior_x",
    "left": "right", "right": "left", "top": "bottom", "bottom": "top", "low": "high", "high": "low", "gamma": "alpha",
    "NEGATIVE": "IGNORE", "IGNORE": "NEGATIVE", "width": "height", "height": "width", "across": "down", "down": "across",
    "area": "target_area", "sigma": "threshold", "g0": "g2", "g2": "g0", "g1": "g3", "g3": "g1", "turn_w": "turn_h", "turn_h": "turn_w",
    "u_low": "u_high", "u_high": "u_low", "u_move": "u_size", "u_size": "u_move", "by_centre": "by_size", "by_size": "by_centre",
    "miss": "cross_entropy", "pull": "push", "push": "pull", "smooth": "rest", "rest": "smooth", "own": "others",
}  # fmt: skip
SWAPPED = {"maximum": "minimum", "minimum": "maximum", "max": "min", "min": "max"}
SECOND_WORD = re.compile(r"(_lo|^lo|^error|^lost|^params\[(1|3|5|7|9)\])$")
GUARDS = ("sound", "slop")  # they make NaN of what lies outside the domain, where the vectors have no case
COMPARED = {ast.Lt: (ast.LtE, ast.GtE), ast.LtE: (ast.Lt, ast.Gt), ast.Gt: (ast.GtE, ast.LtE), ast.GtE: (ast.Gt, ast.Lt),
            ast.Eq: (ast.NotEq,), ast.NotEq: (ast.Eq,), ast.In: (ast.NotIn,), ast.NotIn: (ast.In,)}  # fmt: skip


def second_word(node: ast.AST) -> bool:
    """What holds only digits beyond the type's: dropping them costs less than the limit, and nobody owes them. Or what is 0 or NaN."""
    if isinstance(node, (ast.Name, ast.Subscript)):
        return bool(SECOND_WORD.search(ast.unparse(node))) or ast.unparse(node) in GUARDS
    if isinstance(node, ast.Tuple):
        return all(second_word(one) for one in node.elts)
    if isinstance(node, ast.UnaryOp):
        return second_word(node.operand)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Sub) and ast.unparse(node.left) == ast.unparse(node.right):
        return True
    if isinstance(node, ast.BinOp):
        either = second_word(node.left), second_word(node.right)
        return any(either) if isinstance(node.op, (ast.Mult, ast.Div)) else all(either)
    if isinstance(node, ast.IfExp):
        return second_word(node.body)
    if isinstance(node, ast.Call):
        low = [second_word(one) for one in node.args]
        return (
            low[2] and (low[0] or low[1]) if ast.unparse(node.func) == "fma" else ast.unparse(node.func) in ("rounded", "kept") and any(low)
        )
    return False


def _binary(node: ast.BinOp) -> Iterator[Change]:
    left, right = node.left, node.right

    def other(op: ast.operator, a: ast.expr = left, b: ast.expr = right) -> ast.BinOp:
        return ast.BinOp(a, op, b)

    low = second_word(right)
    if isinstance(node.op, ast.Add) and not low:
        yield from (("sign", other(ast.Sub())), ("term dropped", left), ("term dropped", right))
    elif isinstance(node.op, ast.Sub) and not low:
        minus = ast.UnaryOp(ast.USub(), right)
        yield from (("sign", other(ast.Add())), ("term dropped", left), ("term dropped", minus))
        yield "sides swapped", other(ast.Sub(), right, left)
    elif isinstance(node.op, ast.Mult):
        yield from (("factor inverted", other(ast.Div())), ("factor dropped", left), ("factor dropped", right))
    elif isinstance(node.op, ast.Div):
        guarded = ast.BinOp(right, ast.Add(), ast.Constant(1e-7))
        yield from (("factor inverted", other(ast.Mult())), ("factor dropped", left), ("sides swapped", other(ast.Div(), right, left)))
        if not isinstance(right, ast.Constant):
            yield "eps added", other(ast.Div(), left, guarded)
    elif isinstance(node.op, ast.FloorDiv):
        yield "rounding", other(ast.Div())
    elif isinstance(node.op, (ast.BitAnd, ast.BitOr)):
        yield "logic", other(ast.BitOr() if isinstance(node.op, ast.BitAnd) else ast.BitAnd())
        yield from (("condition dropped", left), ("condition dropped", right))


def _call(node: ast.Call) -> Iterator[Change]:
    name, args = ast.unparse(node.func), node.args
    short = name.rpartition(".")[2]

    def call(function: str, *new: ast.expr) -> ast.Call:
        made = ast.parse(f"{function}(0)", mode="eval").body
        assert isinstance(made, ast.Call)
        made.args, made.keywords = list(new or args), node.keywords
        return made

    def text(template: str) -> ast.expr:
        parts = {f"_{i}": ast.unparse(one) for i, one in enumerate(args)}
        return ast.parse(re.sub(r"_\d", lambda m: f"({parts[m[0]]})", template), mode="eval").body

    if short in ("maximum", "minimum", "max", "min") and len(args) == 2:
        yield "min for max", call(name.replace(short, SWAPPED[short]))
        yield from (("clamp dropped", args[0]), ("clamp dropped", args[1]))
    elif short in ("max", "min") and len(args) == 1:
        yield "min for max", call(SWAPPED[short] if name == short else name.replace("max", "sum"))
    elif short == "where":
        yield from (("branches", call(name, args[0], args[2], args[1])), ("branch dropped", args[1]), ("branch dropped", args[2]))
    elif short == "stop_gradient":
        yield "stop_gradient dropped", args[0]
    elif name in ("xp.log", "np.log"):
        yield from (("eps added", text(f"{name}(_0 + 1e-7)")), ("base of the logarithm", text(f"{name}(_0) / 2.302585092994046")))
        yield "function dropped", args[0]
    elif short == "log1p":
        yield from (("log1p", text(f"{name[:-2]}(1 + _0)")), ("function dropped", args[0]))
    elif short == "softplus":
        yield from (("function", text("xp.maximum(_0, 0)")), ("sign", text("xp.softplus(-(_0))")))
    elif short == "sigmoid":
        yield from (("sign", text(f"{name}(-(_0))")), *([("function dropped", args[0])] if name != "sigmoid" else []))
    elif short == "power" and name == "xp.power":
        yield from (("function", text("_0 * _1")), ("function dropped", args[0]), ("modulator inverted", text("xp.power(1 - _0, _1)")))
    elif short in ("exp", "sqrt", "abs", "square_root") or (short == "sum" and len(args) == 1 and name == "xp.sum"):
        yield "function dropped", args[0]
    elif short == "arctan2":
        yield from (("arguments swapped", call(name, args[1], args[0])), ("function", text("_0 / _1")))
    elif short == "one_hot":
        yield from (("off by one", text("xp.one_hot(_0 + 1, _1)")), ("off by one", text("xp.one_hot(_0 - 1, _1)")))
    elif name == "fma":
        if not second_word(args[2]):
            yield from (("term dropped", text("_0 * _1")), ("sign", text("fma(_0, _1, -(_2))")))
        if not second_word(args[0]) and not second_word(args[1]):
            yield from (("term dropped", args[2]), ("sign", text("fma(-(_0), _1, _2)")))
    elif name == "rounded":
        yield from (("factor dropped", args[0]), ("factor dropped", args[1]))
    elif name in ("d.above", "d.at_least"):
        yield "equality", call("d.at_least" if name == "d.above" else "d.above")
        yield "comparison", text(f"not {name}(_0, _1)")
    elif name == "d.best":
        yield "tie", text("d.best(list(_0)[::-1], _1)")
    elif name == "math.floor":
        yield from (("rounding", call("math.ceil")), ("rounding", call("round")))
    elif name == "range" and args:
        yield "off by one", call("range", *args[:-1], ast.BinOp(args[-1], ast.Sub(), ast.Constant(1)))
        if len(args) == 2:
            yield "off by one", call("range", ast.BinOp(args[0], ast.Add(), ast.Constant(1)), args[1])
    elif name == "sorted":
        yield "order", text("sorted(_0)[::-1]")
    elif name not in ("T", "product", "total", "len", "enumerate", "zip", "isinstance", "list", "int"):
        for i in range(len(args) - 1):
            texts = [ast.unparse(one) for one in args[i : i + 2]]
            if not {"xp", "d", "mode", "self"} & set(texts) and not any(second_word(one) for one in args[i : i + 2]):
                yield "arguments swapped", call(name, *args[:i], args[i + 1], args[i], *args[i + 2 :])


def changes(node: ast.AST, parents: dict[ast.AST, ast.AST], known: set[str]) -> Iterator[Change]:
    parent = parents[node]
    if isinstance(node, ast.Constant) and type(node.value) in (int, float):
        if not isinstance(parent, (ast.Subscript, ast.Slice)) and "[" not in ast.unparse(parent)[:1]:
            others = OTHERS.get(node.value, (node.value * 2,))
            yield from (("constant", ast.Constant(value)) for value in others)
    elif isinstance(node, ast.Subscript):
        yield from _index(node)
    elif isinstance(node, ast.BinOp):
        yield from _binary(node)
        if "pi" in ast.unparse(node) and isinstance(node.op, ast.Div):
            yield "constant", ast.BinOp(node, ast.Pow(), ast.Constant(2))
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, (ast.USub, ast.Not)) and not isinstance(node.operand, ast.Constant):
        yield "sign", node.operand
    elif isinstance(node, ast.Compare) and len(node.ops) == 1:
        for k, op in enumerate(COMPARED.get(type(node.ops[0]), ())):
            name = "equality" if k == 0 and op in (ast.Lt, ast.LtE, ast.Gt, ast.GtE) else "comparison"
            yield name, ast.Compare(node.left, [op()], node.comparators)
    elif isinstance(node, ast.BoolOp):
        yield "logic", ast.BoolOp(ast.Or() if isinstance(node.op, ast.And) else ast.And(), node.values)
        for k in range(len(node.values)):
            rest = [value for i, value in enumerate(node.values) if i != k]
            yield "condition dropped", rest[0] if len(rest) == 1 else ast.BoolOp(node.op, rest)
    elif isinstance(node, ast.IfExp):
        yield "branches", ast.IfExp(node.test, node.orelse, node.body)
        yield from (("branch dropped", node.body), ("branch dropped", node.orelse))
    elif isinstance(node, ast.Call):
        yield from _call(node)
    elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
        twin = TWINS.get(node.id, "")
        if twin and (twin in known or twin.isupper()) and not (isinstance(parent, ast.Call) and parent.func is node):
            yield "another name", ast.Name(twin, ast.Load())
        elif node.id.isupper() and len(node.id) > 2:
            yield "constant", ast.parse(f"{node.id} * 16", mode="eval").body
    elif isinstance(node, ast.Tuple) and isinstance(parent, ast.Return):
        yield from _result(node)
    elif isinstance(node, ast.List) and isinstance(node.ctx, ast.Load):
        for i in range(len(node.elts) - 1):
            yield "order", ast.List([*node.elts[:i], node.elts[i + 1], node.elts[i], *node.elts[i + 2 :]], ast.Load())
    elif isinstance(node, ast.If):
        yield "branches", ast.If(ast.UnaryOp(ast.Not(), node.test), node.body, node.orelse)
    elif isinstance(node, (ast.Continue, ast.Break, ast.Expr, ast.AugAssign)):
        yield "statement dropped", None


def _index(node: ast.Subscript) -> Iterator[Change]:
    """The next number of a row, and the one of the other corner or of the size."""
    index = node.slice
    parts = list(index.elts) if isinstance(index, ast.Tuple) else [index]
    if isinstance(parts[-1], ast.Constant) and type(parts[-1].value) is int:
        for flip in (1, 2):
            last = ast.Constant(parts[-1].value ^ flip)
            yield "index", ast.Subscript(node.value, ast.Tuple([*parts[:-1], last], ast.Load()) if len(parts) > 1 else last, ast.Load())
    elif isinstance(index, ast.Slice):
        yield "slice dropped", node.value


def _result(node: ast.Tuple) -> Iterator[Change]:
    """A result's parts with the other sign, lost, or in each other's place."""
    for i, one in enumerate(node.elts):
        if second_word(one):
            continue
        before, after = node.elts[:i], node.elts[i + 1 :]
        yield "sign", ast.Tuple([*before, ast.UnaryOp(ast.USub(), one), *after], ast.Load())
        yield "part lost", ast.Tuple([*before, ast.BinOp(one, ast.Mult(), ast.Constant(0)), *after], ast.Load())
        if after and not second_word(after[0]):
            yield "parts swapped", ast.Tuple([*before, after[0], one, *after[1:]], ast.Load())

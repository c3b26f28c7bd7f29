"""Every copy of a function that differs from it by one change."""

import ast
from collections.abc import Callable, Collection, Iterator
from typing import NamedTuple

from .changes import changes, second_word


class Mutation(NamedTuple):
    """text: the operator and the expression or statement before and after; of several places that read alike, the second is #2."""

    operator: str
    text: str
    tree: ast.FunctionDef


def mutations(
    function: ast.FunctionDef, wanted: Callable[[str], bool] = lambda text: True, used: Collection[str] | None = None
) -> Iterator[Mutation]:
    """Every changed copy of a function that is wanted by its text, none of them twice. used: attributes that somebody reads."""
    parents = {child: parent for parent in ast.walk(function) for child in ast.iter_child_nodes(parent)}
    skipped = _untouched(function, used)
    known = {one.arg for one in ast.walk(function) if isinstance(one, ast.arg)}
    known |= {one.id for one in ast.walk(function) if isinstance(one, ast.Name) and isinstance(one.ctx, ast.Store)}
    seen, alike = {ast.unparse(function)}, dict[str, int]()
    for node in list(ast.walk(function)):
        if node in skipped or node is function or _of_second_words(node, parents):
            continue
        shown = _shown(node, parents)
        before = ast.unparse(shown)
        for operator, new in changes(node, parents, known):
            _replace(parents[node], node, new)
            after = "nothing" if new is None else ast.unparse(new if shown is node else shown)
            text = f"{operator}: {before} => {after}"
            alike[text] = alike.get(text, 0) + 1
            text += f" #{alike[text]}" if alike[text] > 1 else ""
            if after != before and wanted(text) and (whole := ast.unparse(function)) not in seen:
                seen.add(whole)
                copy = ast.parse(whole).body[0]
                assert isinstance(copy, ast.FunctionDef)
                yield Mutation(operator, text, copy)
            _replace(parents[node], new if new is not None else HOLE, node)


HOLE = ast.Pass()


def _shown(node: ast.AST, parents: dict[ast.AST, ast.AST]) -> ast.AST:
    """What tells a reader where the change is: a constant or a name alone would not."""
    while isinstance(node, (ast.Constant, ast.Name, ast.cmpop, ast.operator)) or (
        isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "T"
    ):
        node = parents[node]
    return node


def _replace(parent: ast.AST, old: ast.AST, new: ast.AST | None) -> None:
    new = HOLE if new is None else new
    for name, value in ast.iter_fields(parent):
        if value is old:
            setattr(parent, name, new)
        elif isinstance(value, list) and any(one is old for one in value):
            value[[one is old for one in value].index(True)] = new


def _untouched(function: ast.FunctionDef, used: Collection[str] | None) -> set[ast.AST]:
    """Signatures, annotations, docstrings, the lengths of unpacking loops, what nobody reads."""
    found: set[ast.AST] = set()
    for node in ast.walk(function):
        whole: list[ast.AST] = []
        if isinstance(node, ast.FunctionDef):
            whole += [node.args, *([node.returns] if node.returns else []), *node.decorator_list]
            if ast.get_docstring(node):
                whole.append(node.body[0])
        elif isinstance(node, ast.AnnAssign):
            whole.append(node.annotation)
        elif isinstance(node, ast.If) and ast.unparse(node.body[0]).startswith("d."):
            whole.append(node)  # a decision that is only measured
        elif isinstance(node, ast.Assign) and ast.unparse(node.value).startswith("type("):
            whole.append(node)
        elif isinstance(node, ast.comprehension) and ast.unparse(node.iter).startswith("range(") and "[..., j]" in ast.unparse(function):
            whole.append(node.iter)
        elif isinstance(node, ast.arguments):
            whole.append(node)
        elif isinstance(node, ast.Assign) and used is not None and isinstance(node.targets[0], ast.Attribute):
            whole += [node] if node.targets[0].attr not in used else []
        elif isinstance(node, ast.BinOp) and ast.unparse(node) == "4 / math.pi ** 2":
            whole += [node.left, node.right]
        found.update(one for start in whole for one in ast.walk(start))
    return found


def _of_second_words(node: ast.AST, parents: dict[ast.AST, ast.AST]) -> bool:
    at: ast.AST = node
    while at in parents:
        if isinstance(at, ast.Assign) and second_word(at.targets[0]):
            return True
        if isinstance(at, ast.expr) and second_word(at):
            return True
        at = parents[at]
    return False

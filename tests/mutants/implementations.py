"""Of which functions each loss and coder is made, and an implementation of it from their (changed) texts."""

import ast
import functools
import math
from collections.abc import Callable, Iterator, Mapping
from types import ModuleType, SimpleNamespace
from typing import Any, NamedTuple

import numpy as np

from refloss._engine import bernoulli, check, overlap, scalar
from refloss._engine import xp as numpy_table
from refloss._engine.xp import numpy_xp
from refloss.coders import delta, ltrb, shared, yolo, yolov1
from refloss.losses import cross_entropy, focal, iou, regression, softmax
from refloss_conformance.cases import Batch
from refloss_conformance.gradients import value_and_gradient
from refloss_conformance.records import RECORDS

from . import drivers
from .golden_cases import Answer, Merged
from .operators import mutations
from .vectorised import elementary, functions_of, run_plain, run_source

CONSTANTS = ("HARD", "GENERIC", "EMPTY", "LOG_FLOOR")
SIGMOID = (numpy_table, ("_softplus", "_sigmoid"))
PAIR = (overlap, ("beyond", "within", "own", "axis", "over", "quotient", "touch", "rates"))
GEOMETRY = (iou, ("ratio", "__init__", "_corners", "_sizes"))
QUICK = (scalar, ("quick_exp", "quick_exp_of_size", "quick_log1p"))
SCALARS = (*QUICK[1], "exp_of_size", "logistic")  # and what calls one of them
Parts = tuple[tuple[ModuleType, tuple[str, ...]], ...]

# The functions that are changed, last the one that is called; for each layer of each record.
FORMULAS: dict[str, Parts] = {
    "binary_cross_entropy": (SIGMOID, (cross_entropy, ("formula",))),
    "focal_loss": (SIGMOID, (focal, ("formula",))),
    "focal_loss_with_integer_labels": ((numpy_table, ("_one_hot",)), (focal, ("labels_formula",))),
    "squared_error": ((regression, ("squared_formula",)),),
    "l1_loss": ((regression, ("l1_formula",)),),
    "smooth_l1_loss": ((regression, ("smooth_l1_formula",)),),
    "huber_loss": ((regression, ("huber_formula",)),),
    "iou_loss": (GEOMETRY, (iou, ("iou_formula",))),
    "giou_loss": (GEOMETRY, (iou, ("giou_formula",))),
    "diou_loss": (GEOMETRY, (iou, ("diou_formula",))),
    "ciou_loss": (GEOMETRY, (iou, ("diou_formula", "ciou_formula"))),
    "softmax_cross_entropy_with_integer_labels": ((softmax, ("formula",)),),
    "softmax_focal_loss_with_integer_labels": (SIGMOID, (softmax, ("focal_formula",))),
    "delta_coder.encode": ((shared, ("log_ratio_formula",)), (delta, ("centre_and_size", "delta_encode_formula"))),
    "delta_coder.decode": ((shared, ("corners_formula",)), (delta, ("centre_and_size", "delta_decode_formula"))),
    "ltrb_coder.encode": ((shared, ("log_ratio_formula",)), (ltrb, ("ltrb_encode_formula",))),
    "ltrb_coder.decode": ((ltrb, ("ltrb_decode_formula",)),),
    "yolo_coder.encode": ((shared, ("log_ratio_formula",)), (yolo, ("logit", "yolo_encode_formula"))),
    "yolo_coder.decode": ((shared, ("corners_formula",)), (yolo, ("yolo_decode_formula",))),
    "yolov1_coder.encode": ((yolov1, ("yolov1_encode_formula",)),),
    "yolov1_coder.decode": ((shared, ("corners_formula",)), (yolov1, ("yolov1_decode_formula",))),
}
KERNELS: dict[str, Parts] = {
    "binary_cross_entropy": (QUICK, (cross_entropy, ("kernel_after_exp", "kernel"))),
    "focal_loss": (
        (scalar, ("exp_of_size",)),
        (bernoulli, ("power",)),
        (focal, ("soft", "hard", "kernel_after_exp", "kernel")),
    ),
    "squared_error": ((regression, ("squared_kernel",)),),
    "l1_loss": ((regression, ("sign", "l1_kernel")),),
    "smooth_l1_loss": ((regression, ("sign", "smooth_l1_kernel")),),
    "huber_loss": ((regression, ("sign", "huber_kernel")),),
    "iou_loss": ((iou, ("iou_kernel",)),),
    "giou_loss": (PAIR, (iou, ("cross", "giou_kernel"))),
    "ciou_loss": ((iou, ("ciou_kernel",)),),
    "softmax_focal_loss_with_integer_labels": ((softmax, ("kernel",)),),
    "delta_coder.encode": ((delta, ("encode_axis", "delta_encode_kernel")),),
    "delta_coder.decode": ((delta, ("decode_axis", "delta_decode_kernel")),),
    "ltrb_coder.encode": ((ltrb, ("encode_side", "encode_axis", "unit_of", "ltrb_encode_kernel")),),
    "ltrb_coder.decode": ((ltrb, ("decode_side", "ltrb_decode_kernel")),),
    "yolo_coder.encode": ((yolo, ("encode_place", "encode_shape", "encode_axis", "yolo_encode_kernel")),),
    "yolo_coder.decode": (
        (scalar, ("logistic",)),
        (yolo, ("sigmoid", "decode_axis", "yolo_decode_kernel")),
    ),
    "yolov1_coder.encode": ((yolov1, ("encode_axis", "yolov1_encode_kernel")),),
    "yolov1_coder.decode": ((yolov1, ("decode_axis", "yolov1_decode_kernel")),),
}
LAYERS = {"formula": FORMULAS, "kernel": KERNELS}
BEFORE = {  # modules whose functions the kernels of a module call, in order: later ones hide earlier ones
    cross_entropy: (bernoulli,), focal: (bernoulli,), softmax: (bernoulli,), regression: (), iou: (overlap,), delta: (overlap, shared),
    ltrb: (overlap, shared), yolo: (overlap, shared), yolov1: (overlap, shared),
}  # fmt: skip


class Mutant(NamedTuple):
    """id: record, layer, function and change, as equivalents.toml writes it. tree: the changed function, of a module."""

    id: str
    record: str
    layer: str
    operator: str
    module: ModuleType
    function: str
    tree: ast.FunctionDef


def mutants(record: str, layer: str, wanted: Callable[[str], bool] = lambda label: True) -> Iterator[Mutant]:
    """All of a record's layer whose ids are wanted."""
    used = attributes(record, layer)
    for module, names in LAYERS[layer].get(record, ()):
        originals = definitions(functions_of(module, CONSTANTS))
        for name in names:
            start = f"{record} {layer} {name}: "
            for one in mutations(originals[name], lambda text, start=start: wanted(start + text), used):
                yield Mutant(start + one.text, record, layer, one.operator, module, name, one.tree)


def attributes(record: str, layer: str) -> set[str]:
    """What a record's functions read of an object: the rest of a shared geometry is no part of this loss."""
    texts = [definitions(functions_of(module))[name] for module, names in LAYERS[layer].get(record, ()) for name in names]
    return {one.attr for text in texts for one in ast.walk(text) if isinstance(one, ast.Attribute) and isinstance(one.ctx, ast.Load)}


def definitions(tree: ast.Module) -> dict[str, ast.FunctionDef]:
    """Functions by name, methods included."""
    return {node.name: node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


def source(module: ModuleType, mutant: Mutant | None) -> ast.Module:
    """A module's text, with the mutant's function in the place of its own."""
    tree = functions_of(module, CONSTANTS)
    if mutant is not None and mutant.module is module:
        for node in ast.walk(tree):
            body = getattr(node, "body", None)
            if isinstance(body, list):
                for i, one in enumerate(body):
                    if isinstance(one, ast.FunctionDef) and one.name == mutant.function:
                        mutant.tree.decorator_list = one.decorator_list
                        body[i] = mutant.tree
    return tree


class Formula:
    """A formula of changed text, with its gradient by dual numbers."""

    def __init__(self, record: str, mutant: Mutant | None = None) -> None:
        self.record = RECORDS[record]
        space: dict[str, Any] = {"math": math, "np": np, "check": check, "Any": Any, "EMPTY": overlap.EMPTY}
        module = FORMULAS[record][-1][0]
        for one in ((shared,) if module in (delta, ltrb, yolo, yolov1) else ()) + (module,):
            run_plain(source(one, mutant), space)
        self.function = space[self.record.formula.__name__]
        self.xp: Any = numpy_xp
        if mutant is not None and mutant.module is numpy_table:
            run_plain(source(numpy_table, mutant), space)
            changed = {name: space[f"_{name}"] for name in ("softplus", "sigmoid", "one_hot")}
            self.xp = SimpleNamespace(**{**vars(numpy_xp), **changed})

    def __call__(self, batch: Batch) -> Answer:
        inputs = (batch.first, batch.second)
        with np.errstate(all="ignore"):
            return value_and_gradient(self.function, inputs, batch.parameters, kind=self.record.kind, base=self.xp)


@functools.cache
def _elementary() -> Mapping[str, Any]:
    return elementary()


class Kernel:
    """A kernel of changed text, over arrays."""

    def __init__(self, record: str, mutant: Mutant | None = None) -> None:
        self.name = record
        space = dict(_elementary())
        module = KERNELS[record][-1][0]
        changed = (scalar,) if mutant is not None and mutant.module is scalar else ()
        for one in (*changed, *BEFORE[module], module):
            tree = source(one, mutant)
            if one is scalar:
                tree.body = [node for node in tree.body if getattr(node, "name", "") in SCALARS]
            run_source(tree, space)
        self.space, self.kernel = space, space[RECORDS[record].kernel.__name__]

    def __call__(self, one: Merged) -> Answer:
        return drivers.run_kernel(self.name, self.kernel, self.space, one)

"""Calling somebody's criterion: its framework's arrays in, terms or a total and the gradient by the outputs out."""

import contextlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from ..criteria import Case, Criteria, Outputs, by_name
from ..scene_calling import NoAnswer, framework_ready, plain
from ..scene_calling import native as native_array
from ..target import one_line
from .outcome import Outcome

# What the field calls the terms; --pick NAME,NAME,... says otherwise.
TERMS = {
    "box": (
        "bbox_regression", "localization", "regression", "loss_box_reg", "loss_bbox", "loss_box", "box_loss", "bbox_loss", "reg_loss",
        "loc_loss", "loss_loc", "bbox", "loc", "lbox", "reg",
    ),
    "classes": (
        "classification", "class", "cls", "loss_cls", "cls_loss", "class_loss", "classes_loss", "loss_class", "conf", "conf_loss", "lcls",
    ),
    "centerness": ("bbox_ctrness", "loss_centerness", "centerness_loss", "ctrness", "loss_ctr", "ctr"),
    "objectness": ("obj", "loss_obj", "obj_loss", "objectness_loss", "loss_objectness", "lobj", "confidence", "conf"),
}  # fmt: skip
Run = Callable[[Any], Any]  # their outputs -> what they return
Read = tuple[dict[str, Any] | None, Any]  # terms by our names, the total


def read(result: Any, file: Criteria, pick: Any) -> Read:
    """Terms by name, by place (in the order of --pick, or ours), or the one number that is the total."""
    picked = [name for name in str(pick).split(",") if name] if isinstance(pick, str) else []
    if isinstance(result, Mapping):
        return _of_mapping(result, file, picked)
    if isinstance(result, (tuple, list)):
        if isinstance(pick, int):
            return _total(result[pick])
        order = picked or list(file.terms)
        if len(result) == 1:
            return _total(result[0])
        if len(order) != len(result) or not set(order) <= {*file.terms, "_"}:
            raise NoAnswer(f"it returned {len(result)} things; say which they are with --pick {','.join(file.terms)} (_ for what is none)")
        terms = {name: value for name, value in zip(order, result, strict=True) if name != "_"}
        return terms, sum(terms.values())
    return _total(result)


def _of_mapping(result: Mapping[str, Any], file: Criteria, picked: list[str]) -> Read:
    if len(picked) == 1 and picked[0] in result and picked[0] not in file.terms:
        return _total(result[picked[0]])
    if picked and len(picked) == len(file.terms) and set(picked) <= set(result):  # their names, in the order of our terms
        terms = {name: result[theirs] for name, theirs in zip(file.terms, picked, strict=True)}
    else:
        terms = {}
        for name in file.terms:
            found = next((theirs for theirs in (name, *TERMS[name]) if theirs in result and result[theirs] is not None), None)
            if found is not None:
                terms[name] = result[found]
    if set(terms) != set(file.terms):
        total = next((result[name] for name in ("loss", "total", "total_loss") if name in result), None)
        if total is not None:
            return _total(total)
        wanted, given = ", ".join(file.terms), ", ".join(map(str, result))
        raise NoAnswer(f"its result has {given}, where {wanted} are wanted; say --pick with its names for them, in that order")
    return terms, sum(terms.values())


def _total(value: Any) -> Read:
    if value is None or isinstance(value, (str, bytes)):
        raise NoAnswer(f"it returned a {type(value).__name__}, not a number")
    return None, value


def _scalar(value: Any, what: str) -> float:
    array = plain(value)
    if array.size != 1:
        raise NoAnswer(f"{what} has the shape {array.shape}, and one number is wanted; reduce it")
    return float(array.reshape(()))


def torch_call(run: Run, outputs: Outputs, reading: Callable[[Any], Read]) -> tuple[Read, Outputs | None]:
    import torch

    given = {name: torch.from_numpy(np.array(values)).requires_grad_() for name, values in outputs.items()}
    found = reading(run(given))
    total = found[1]
    if not isinstance(total, torch.Tensor) or not total.requires_grad:
        return found, None
    slopes = torch.autograd.grad(total.sum(), list(given.values()), allow_unused=True)
    return found, {
        name: np.zeros_like(outputs[name]) if slope is None else slope.detach().cpu().numpy()
        for name, slope in zip(given, slopes, strict=True)
    }


def tensorflow_call(run: Run, outputs: Outputs, reading: Callable[[Any], Read]) -> tuple[Read, Outputs | None]:
    import tensorflow as tf

    given = {name: tf.constant(values) for name, values in outputs.items()}
    with tf.GradientTape() as tape:
        for values in given.values():
            tape.watch(values)
        found = reading(run(given))
        total = found[1]
    if not tf.is_tensor(total):
        return found, None
    slopes = tape.gradient(total, list(given.values()), unconnected_gradients=tf.UnconnectedGradients.ZERO)
    return found, {name: np.asarray(slope) for name, slope in zip(given, slopes, strict=True)}


def jax_call(run: Run, outputs: Outputs, reading: Callable[[Any], Read]) -> tuple[Read, Outputs | None]:
    import jax
    import jax.numpy as jnp

    def total(given: Any) -> Any:
        terms, whole = reading(run(given))
        return jnp.sum(whole), (terms, whole)

    slopes, found = jax.grad(total, has_aux=True)({name: jnp.asarray(values) for name, values in outputs.items()})
    return found, {name: np.asarray(slope) for name, slope in slopes.items()}


def numpy_call(run: Run, outputs: Outputs, reading: Callable[[Any], Read]) -> tuple[Read, Outputs | None]:
    return reading(run({name: np.array(values) for name, values in outputs.items()})), None


CALLS: dict[str, Callable[..., tuple[Read, Outputs | None]]] = {
    "numpy": numpy_call, "torch": torch_call, "tensorflow": tensorflow_call, "jax": jax_call,
}  # fmt: skip


def _with_gradient(run: Run, arrays: str, file: Criteria, outputs: Outputs, pick: Any) -> tuple[Read, Outputs | None]:
    """--returns value_and_grad: (terms or total, gradient in the outputs' layout)."""
    given = {name: native_array(arrays, np.array(values)) for name, values in outputs.items()}
    result = run(given)
    if not isinstance(result, tuple) or len(result) != 2:
        raise NoAnswer(f"with --returns value_and_grad it must return (terms or total, gradient), and returned a {type(result).__name__}")
    slopes = by_name(file, _plain(result[1]))
    for name, slope in slopes.items():
        if slope.shape != outputs[name].shape:
            raise NoAnswer(f"its gradient by {name} has the shape {slope.shape}, not {outputs[name].shape}")
    return read(result[0], file, pick), slopes


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: plain(one) for name, one in value.items()}
    return [plain(one) for one in value] if isinstance(value, (list, tuple)) else plain(value)


def ask(
    call: Callable[[Case, str, Outputs], Any], file: Criteria, case: Case, dtype: str, *, arrays: str, returns: str, pick: Any
) -> Outcome:
    """One case, called once. call(case, dtype, their outputs) -> what they return."""

    def run(outputs: Outputs) -> Any:
        return call(case, dtype, outputs)

    outputs = case.arrays(dtype)
    try:
        with framework_ready(arrays) if dtype == "float64" else contextlib.nullcontext(), np.errstate(all="ignore"):
            if returns == "value_and_grad":
                (terms, total), slopes = _with_gradient(run, arrays, file, outputs, pick)
            else:
                (terms, total), slopes = CALLS[arrays](run, outputs, lambda result: read(result, file, pick))
            if terms is not None:
                values = {name: _scalar(value, f"the term {name}") for name, value in terms.items()}
                return Outcome(case, dtype, values, None, slopes)
            return Outcome(case, dtype, None, _scalar(total, "its result"), slopes)
    except NoAnswer as reason:
        return Outcome(case, dtype, raised=str(reason))
    except (Exception, SystemExit) as error:  # whatever it raises is a result to report
        return Outcome(case, dtype, raised=f"it raised {one_line(error)}")


def outcomes(call: Any, file: Criteria, cases: Sequence[Case], dtypes: Sequence[str], **how: Any) -> list[Outcome]:
    """Every case in every dtype, each called once, in this order."""
    return [ask(call, file, case, dtype, **how) for dtype in dtypes for case in cases if dtype in case.dtypes]

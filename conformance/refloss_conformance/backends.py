"""refloss's own backends: whether each is present here, and how it answers a batch.

A framework runs in a process of its own (`worker.py`), because Keras fixes its backend when it is imported.
"""

import importlib
import importlib.util
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from .cases import Batch
from .golden import Array
from .gradients import UPSTREAM, value_and_gradient
from .limits import is_half
from .records import RECORDS
from .vectors import EPS

Answer = tuple[Array, Array]


class Backend(NamedTuple):
    """absent: the reason why it is not here, or None. path: its row in the table of limits. codings: whether it has the box coders."""

    name: str
    path: str
    absent: Callable[[], str | None]
    compute: Callable[[Batch], Answer]
    environment: dict[str, str] | None = None  # not None: runs in a process of its own, with these variables
    codings: bool = False

    def has(self, name: str) -> bool:
        return self.codings or RECORDS[name].kind != "codes"


def _here() -> None:
    return None


def _formula(batch: Batch) -> Answer:
    """The specification under NumPy; its gradient by dual numbers. Half precision is computed in float32 and rounded once."""
    loss = RECORDS[batch.loss]
    first, second = batch.first, batch.second
    if is_half(batch.dtype):
        first = first.astype(np.float32)
        second = second if second.dtype.kind == "i" else second.astype(np.float32)
    value, gradient = value_and_gradient(loss.formula, (first, second), batch.parameters, kind=loss.kind)
    return value.astype(batch.first.dtype), gradient.astype(batch.first.dtype)


def _kernel(batch: Batch) -> Answer:
    record = RECORDS[batch.loss]
    if record.kind == "codes":
        return _coder(record, batch)
    result: Answer = record.value_and_grad(batch.first, batch.second, **batch.parameters)
    return result


def _coder(coding: Any, batch: Batch) -> Answer:
    """Through the public class: the result, and the vector-Jacobian product with the vectors' upstream gradient."""
    coder = getattr(importlib.import_module("refloss.coders"), coding.owner)(**batch.parameters)
    direction = coding.name.rpartition(".")[2]
    upstream = np.broadcast_to(np.array(UPSTREAM, batch.first.dtype), batch.first.shape)
    return getattr(coder, direction)(batch.first, batch.second), getattr(coder, f"{direction}_vjp")(batch.first, batch.second, upstream)


def _no_cuda() -> str | None:
    if importlib.util.find_spec("numba_cuda") is None:
        return "numba-cuda is not installed (pip install refloss[cuda13])"
    try:
        from numba import cuda

        found = cuda.is_available()
    except Exception as error:  # a driver may fail in many ways
        return f"CUDA does not start: {type(error).__name__}"
    if not found:
        return "no NVIDIA GPU, or no driver"
    return None


def _cuda(batch: Batch) -> Answer:
    """The CUDA loops on arrays of the device, without any framework. Half precision is computed in float32 and rounded once."""
    from numba import cuda

    from refloss._engine import cuda as engine

    loss = RECORDS[batch.loss]
    T = np.float32 if is_half(batch.dtype) else batch.first.dtype.type
    first = batch.first.astype(T)
    second = batch.second if batch.second.dtype.kind == "i" else batch.second.astype(T)
    value, gradient = np.empty(batch.value.number.size, T), np.empty_like(first)
    none = np.empty(0, T)
    x, t, out, slope, empty, sums = (cuda.to_device(a) for a in (first, second, value, gradient, none, none.reshape(0, 2)))
    setting = loss.setting(**batch.parameters)
    if loss.kind == "codes":
        push = cuda.to_device(np.tile(np.array(UPSTREAM, T), (len(batch), 1)))
        eps = EPS[batch.dtype] if is_half(batch.dtype) else None
        engine.run_codes(loss, setting, x, t, upstream=push, value=out.reshape(first.shape), grad=slope, eps=eps)
    else:
        engine.run(loss, setting, x, t, weights=empty, upstream=empty, divisor=1.0, value=out, grad=slope, sums=sums)
    value, gradient = out.copy_to_host(), slope.copy_to_host()
    return value.reshape(batch.value.number.shape).astype(batch.first.dtype), gradient.astype(batch.first.dtype)


def _without(*modules: str) -> Callable[[], str | None]:
    def absent() -> str | None:
        for module in modules:
            if importlib.util.find_spec(module) is None:
                return f"{module} is not installed"
        return None

    return absent


def _torch(batch: Batch) -> Answer:
    import torch

    adapter: Any = importlib.import_module("refloss_torch")
    half = batch.dtype == "bfloat16"  # torch cannot take NumPy's bfloat16
    x = torch.from_numpy(batch.first.astype(np.float32) if half else np.array(batch.first))
    labels = batch.second.dtype.kind == "i"
    t = torch.from_numpy(batch.second.astype(np.float32) if half and not labels else np.array(batch.second))
    x = x.to(torch.bfloat16) if half else x
    t = t.to(torch.bfloat16) if half and not labels else t
    x.requires_grad_()
    value = getattr(adapter, batch.loss)(x, t, **batch.parameters)
    (gradient,) = torch.autograd.grad(value, x, torch.ones_like(value))
    widen = torch.float64 if x.dtype == torch.float64 else torch.float32
    return value.detach().to(widen).numpy(), gradient.to(widen).numpy()


def _keras(batch: Batch) -> Answer:
    adapter: Any = importlib.import_module("refloss_keras._backend")
    result: Answer = adapter.value_and_grad(batch.loss, batch.first, batch.second, dict(batch.parameters))
    return result


def _keras_on(backend: str) -> Backend:
    environment = {"KERAS_BACKEND": backend, "JAX_ENABLE_X64": "1", "TF_CPP_MIN_LOG_LEVEL": "3", "TF_ENABLE_ONEDNN_OPTS": "0"}
    return Backend(f"keras-{backend}", "portable", _without("keras", backend, "refloss_keras"), _keras, environment)


BACKENDS = {
    backend.name: backend
    for backend in (
        Backend("formula", "formula", _here, _formula, codings=True),
        Backend("cpu", "kernel", _here, _kernel, codings=True),
        Backend("cuda", "kernel", _no_cuda, _cuda, codings=True),
        Backend("torch", "kernel", _without("torch", "refloss_torch"), _torch, {}),
        *(_keras_on(backend) for backend in ("tensorflow", "jax", "torch")),
    )
}

"""A device that is none: tensors whose numbers lie in CPU tensors beside them, so that whatever takes them for the host's fails.

It stands in for an accelerator where something copies to the host and back. Every operator of the device runs through one fallback.
A process that has called `set_up` has the device for good, so it is called in a process of its own.
"""

from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_map
from torch.utils.backend_registration import _setup_privateuseone_for_python_backend

NAME = "pretended"
KEY = "PrivateUse1"
inside: dict[int, Tensor] = {}  # numbers by storage, which detached and saved tensors share; nothing is ever forgotten
copies: list[str] = []  # "to" and "from" the device, as they happen
_library: list[Any] = []


def _made(numbers: Tensor) -> Tensor:
    tensor: Tensor = torch._C._acc.create_empty_tensor(numbers.shape, numbers.dtype)
    inside[tensor.untyped_storage()._cdata] = numbers
    return tensor


def _in(value: Any) -> Any:
    if isinstance(value, torch.device):
        return torch.device("cpu") if value.type == NAME else value
    return inside[value.untyped_storage()._cdata] if isinstance(value, Tensor) and value.device.type == NAME else value


def _out(value: Any) -> Any:
    return _made(value) if isinstance(value, Tensor) and value.device.type == "cpu" else value


def _fallback(op: Any, *args: Any, **kwargs: Any) -> Any:
    result = op(*tree_map(_in, args), **tree_map(_in, kwargs))
    return args[0] if op._schema.name.endswith("_") else tree_map(_out, result)


def _empty(size: Any, dtype: Any = None, **_: Any) -> Tensor:
    return _made(torch.empty(size, dtype=dtype))


def _empty_strided(size: Any, stride: Any, dtype: Any = None, **_: Any) -> Tensor:
    return _made(torch.empty_strided(size, stride, dtype=dtype))


def _arange(end: Any, dtype: Any = None, **_: Any) -> Tensor:  # torch's own fills a tensor that it has resized
    return _made(torch.arange(end, dtype=dtype))


def _copy(source: Tensor, target: Tensor, non_blocking: bool = False) -> Tensor:
    if source.device != target.device:
        copies.append("to" if target.device.type == NAME else "from")
    _in(target).copy_(_in(source))
    return target


def set_up() -> None:
    """Make the device known to torch."""
    _setup_privateuseone_for_python_backend(NAME)
    _library.append(torch.library.Library("_", "IMPL"))
    _library[0].fallback(_fallback, KEY)
    for name, function in (("empty.memory_format", _empty), ("empty_strided", _empty_strided), ("arange", _arange), ("_copy_from", _copy)):
        torch.library.impl(f"aten::{name}", KEY, function)

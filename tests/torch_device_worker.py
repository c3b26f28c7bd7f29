"""The torch criteria on a device that is not the host's (python_device.py), against the same on the CPU. test_torch_device.py runs it."""

from typing import Any

import python_device
import torch
from criteria_scenes import SCENES, arrays_of
from test_torch_criteria import as_tensors, module, outputs, targets
from torch import Tensor


def moved(values: Any) -> Any:
    """The same on the device, as leaves."""
    if isinstance(values, Tensor):
        there = values.detach().to(python_device.NAME)
        return there.requires_grad_() if values.requires_grad else there
    return {k: moved(v) for k, v in values.items()} if isinstance(values, dict) else [moved(v) for v in values]


def alike(there: Tensor, here: Tensor, what: str) -> None:
    assert there.device.type == python_device.NAME, f"{what} is on {there.device}"
    assert torch.equal(there.detach().cpu(), here.detach()), what


def criterion(name: str, dtype: torch.dtype) -> None:
    """Terms, gradients, detections: on the outputs' device, with the CPU's bits; each output is copied to the host once a pass."""
    one, here = module(name), as_tensors(outputs(name), dtype=dtype)
    there = moved(here)
    python_device.copies.clear()
    on_device, on_host = one(there, moved(targets())), one(here, targets())
    assert python_device.copies.count("from") <= len(arrays_of(here)) + 3 * len(targets())
    for term, value in on_host.items():
        alike(on_device[term], value, term)
    (2 * sum(on_device.values())).backward()
    (2 * sum(on_host.values())).backward()
    for given, wanted in zip(arrays_of(there), arrays_of(here), strict=True):
        alike(given.grad, wanted.grad, "the gradient")
    for got, want in zip(one.decode(there), one.decode(here), strict=True):
        alike(got, want, "what is decoded")
    for each, other in zip(one.select(there), one.select(here), strict=True):
        for got, want in zip(each, other, strict=True):
            alike(got, want, "what is selected")


if __name__ == "__main__":
    python_device.set_up()
    for asked in (torch.float32, torch.float64, torch.bfloat16):
        for detector in SCENES:
            criterion(detector, asked)
    print("alike")

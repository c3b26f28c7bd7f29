"""The registered operators, each for all losses: `refloss::value`; `refloss::both`, value and gradient from one pass; and
`refloss::times`, upstream times gradient in a compiled backward pass, which names the first argument so that a second
derivative is seen to be missing.

Registered, so that torch.compile, export, FakeTensor and dispatch modes see an operator and never the Numba call inside it.
Both have one fixed schema; what is absent is None. `mode` and `numbers` are the loss's Setting, `reduction` is "none", "sum"
or "mean", and `divisor` times `normalizer` is what the result is divided by. Outputs are contiguous, inputs need not be.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from refloss._engine.record import REGISTRY

from . import cpu, cuda
from .common import HALF, loss_shape, nobody_looks, times

IN = (
    "Tensor first, Tensor second, Tensor? weights, Tensor? normalizer, "
    "str loss, int mode, float[] numbers, bool centred, str reduction, float divisor"
)


def _value_fake(
    first: Tensor, second: Tensor, weights: Tensor | None, normalizer: Tensor | None,
    loss: str, mode: int, numbers: list[float], centred: bool, reduction: str, divisor: float,
) -> Tensor:  # fmt: skip
    return first.new_empty(() if reduction != "none" else loss_shape(REGISTRY[loss], first))


def _both_fake(first: Tensor, second: Tensor, weights: Tensor | None, normalizer: Tensor | None, *call: Any) -> tuple[Tensor, Tensor]:
    wide = torch.float32 if first.dtype in HALF else first.dtype
    return _value_fake(first, second, weights, normalizer, *call), first.new_empty(first.shape, dtype=wide)


for name, schema, on_cpu, on_cuda, fake in (
    ("refloss::value", f"({IN}) -> Tensor", cpu.value, cuda.value, _value_fake),
    ("refloss::both", f"({IN}) -> (Tensor, Tensor)", cpu.both, cuda.both, _both_fake),
):
    torch.library.define(name, schema, tags=(torch.Tag.pt2_compliant_tag,))
    torch.library.impl(name, "CPU", on_cpu)
    torch.library.impl(name, "CUDA", on_cuda)
    torch.library.register_fake(name, fake)

torch.library.define(
    "refloss::times", "(Tensor upstream, Tensor gradient, Tensor first, str loss) -> Tensor", tags=(torch.Tag.pt2_compliant_tag,)
)


@torch.library.impl("refloss::times", "CompositeExplicitAutograd")
def _times(upstream: Tensor, gradient: Tensor, first: Tensor, loss: str) -> Tensor:
    result = times(upstream, gradient, REGISTRY[loss], first.dtype)
    return result.clone() if result is gradient else result  # an operator may not hand out its input


def _times_fake(upstream: Tensor, gradient: Tensor, first: Tensor, loss: str) -> Tensor:
    return first.new_empty(first.shape)


torch.library.register_fake("refloss::times", _times_fake)
registered_times: Callable[..., Tensor] = torch.ops.refloss.times.default
registered_value: Callable[..., Tensor] = torch.ops.refloss.value.default
registered_both: Callable[..., tuple[Tensor, Tensor]] = torch.ops.refloss.both.default


def value(first: Tensor, second: Tensor, *rest: Any) -> Tensor:
    return (cpu.value if nobody_looks(first, second) else registered_value)(first, second, *rest)


def both(first: Tensor, second: Tensor, *rest: Any) -> tuple[Tensor, Tensor]:
    """The value, and its gradient in the precision of the computation (float32 for half precision)."""
    return (cpu.both if nobody_looks(first, second) else registered_both)(first, second, *rest)

"""refloss's losses as functions of tensors: the value of each element, through the formula and keras.ops."""

import inspect
from collections.abc import Callable
from typing import Any

from refloss._engine.record import COMMON, REGISTRY, Loss
from refloss.errors import bad_type, bad_value

from ._keras import keras, ops
from ._xp import table

FLOATS = ("float64", "float32", "float16", "bfloat16")


def working(dtype: str) -> str:
    """What a type is computed in: half precision in float32, rounded once."""
    return "float64" if dtype == "float64" else "float32"


def tensor(x: Any, dtype: str | None = None) -> Any:
    """A tensor; what happens to KerasTensors happens in `Symbolic`."""
    return ops.convert_to_tensor(x, dtype)


def dtype_of(x: Any) -> str:
    name: str = keras.backend.standardize_dtype(x.dtype)
    return name


def labels_of(x: Any) -> Any:
    """Labels as integers. Keras hands y_true over as floats: exact below 2^24 in float32, 2048 in float16, 256 in bfloat16."""
    x = tensor(x)
    dtype = dtype_of(x)
    if dtype in ("int32", "int64"):
        return x
    return ops.cast(ops.round(x) if dtype in FLOATS else x, "int32")


def evaluate(loss: Loss[Any], first: Any, second: Any, parameters: dict[str, Any]) -> Any:
    """The unreduced loss, of the type of `first`; the parameters are known to be good."""
    x = tensor(first)
    dtype = dtype_of(x)
    if dtype not in FLOATS:
        wanted = "a tensor of float64, float32, float16 or bfloat16"
        bad_type(loss.name, loss.arrays[0], wanted, f"dtype {dtype}", f'convert with keras.ops.cast({loss.arrays[0]}, "float32")')
    compute = working(dtype)
    t = labels_of(second) if loss.targets == "labels" else tensor(second, compute)
    _check_shapes(loss, tuple(x.shape), tuple(t.shape))
    value = loss.formula(table(compute), tensor(x, compute), t, **{**loss.defaults, **parameters})
    return value if dtype == compute else ops.cast(value, dtype)


@keras.saving.register_keras_serializable(package="refloss")
class Symbolic(keras.Operation):  # type: ignore[misc]
    """A loss as one node of a functional model: KerasTensors do not compare, and formulas do."""

    def __init__(self, loss_name: str, parameters: dict[str, Any], name: str | None = None) -> None:
        super().__init__(name=name)
        self.loss, self.parameters = REGISTRY[loss_name], parameters

    def call(self, first: Any, second: Any) -> Any:
        return evaluate(self.loss, first, second, self.parameters)

    def compute_output_spec(self, first: Any, second: Any) -> Any:
        _check_shapes(self.loss, tuple(first.shape), tuple(second.shape))
        shape = first.shape if self.loss.kind in ("elementwise", "labels") else first.shape[:-1]
        return keras.KerasTensor(shape, dtype_of(first))


def _check_shapes(loss: Loss[Any], x: tuple[int | None, ...], t: tuple[int | None, ...]) -> None:
    """What is known of the shapes fits; a dimension that is only known at run time is None."""
    one, two = loss.arrays
    if loss.kind == "pairs" and (not x or x[-1] not in (4, None)):
        bad_value(loss.name, one, "of shape (..., 4)", f"{x}", "give one box of four numbers in each row")
    wanted = x
    if loss.targets == "labels":
        if not x:
            bad_value(loss.name, one, "of shape (..., classes)", f"{x}", "give a row of logits for each label")
        wanted = x[:-1]
    if len(t) != len(wanted) or any(None not in (a, b) and a != b for a, b in zip(t, wanted, strict=True)):
        what = "without its last axis " if loss.targets == "labels" else ""
        bad_value(loss.name, two, f"of the shape of {one} {what}{wanted}", f"{t}", "nothing is broadcast; reshape it first")


def function(name: str) -> Callable[..., Any]:
    """The function of that name: first array, second array, parameters; answers the unreduced loss."""
    loss = REGISTRY[name]

    def call(first: Any, second: Any, **parameters: Any) -> Any:
        loss.setting(**parameters)
        if isinstance(first, keras.KerasTensor) or isinstance(second, keras.KerasTensor):
            return Symbolic(name, parameters)(first, second)
        return evaluate(loss, first, second, parameters)

    full = inspect.signature(loss.settle)
    kept = [p.replace(annotation=Any) for p in full.parameters.values() if p.name not in COMMON]
    signature = full.replace(parameters=kept, return_annotation=Any)

    def public(*args: Any, **kwargs: Any) -> Any:
        try:
            bound = signature.bind(*args, **kwargs).arguments
        except TypeError as error:
            raise TypeError(f"{name}(): {error}") from None
        return call(bound.pop(loss.arrays[0]), bound.pop(loss.arrays[1]), **bound)

    public.__name__ = public.__qualname__ = name
    public.__module__ = "refloss_keras"
    public.__doc__ = f"`refloss.{name}` of tensors: the unreduced loss, by keras.ops. Half precision is computed in float32."
    public.__signature__ = signature  # type: ignore[attr-defined]
    return public

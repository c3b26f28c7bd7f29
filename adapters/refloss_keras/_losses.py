"""keras.losses.Loss over refloss's losses."""

import inspect
import re
from typing import Any, ClassVar

from refloss._engine.check import IGNORE
from refloss._engine.record import REGISTRY, Loss
from refloss.errors import bad_value

from ._functions import evaluate, labels_of, tensor, working
from ._keras import get_keras_mask, keras, ops, reduce_weighted_values


class RegistryLoss(keras.losses.Loss):  # type: ignore[misc]
    """What the loss classes share: shapes, weights, masks, reductions, configuration.

    The unreduced loss is elementwise: of the shape of y_pred for logits and differences, of y_pred without its last axis for
    softmax losses and boxes. Keras's own elementwise losses average the last axis first; so reduction="sum" is here the sum of
    all elements, where Keras's is that sum divided by the size of the last axis, and "none" keeps the axis. The means agree.
    sample_weight has the shape of the loss or of its leading axes ((batch,) weighs samples, also where batch = n) and counts
    once for each element it covers in "mean_with_sample_weight". Targets are not checked: what is outside its domain goes through.
    """

    refloss_loss: ClassVar[Loss[Any]]

    def __init__(
        self, *, reduction: str | None = "sum_over_batch_size", name: str | None = None, dtype: Any = None, **parameters: Any
    ) -> None:
        super().__init__(name=name, reduction=reduction, dtype=dtype)
        unknown = [key for key in parameters if key not in self.refloss_loss.defaults]
        if unknown:
            raise TypeError(f"{type(self).__name__}() got an unexpected keyword argument {unknown[0]!r}")
        self.parameters = {**self.refloss_loss.defaults, **parameters}
        self.refloss_loss.setting(**self.parameters)

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        """As Keras's, but that y_true is not cast (labels stay integers), and each weight and mask is spread over its elements."""
        compute = working(self.dtype)
        mask = get_keras_mask(y_pred)
        with keras.name_scope(self.name):
            y_true, y_pred = self._aligned(y_true, tensor(y_pred, compute))
            losses = evaluate(self.refloss_loss, y_pred, y_true, self.parameters)
            if sample_weight is not None:
                # 1.0 *: a tensor of its own, because Keras multiplies the mask into it in place.
                sample_weight = 1.0 * self._spread(tensor(sample_weight, compute), losses, "sample_weight")
            if mask is not None:
                mask = self._spread(ops.cast(mask, "bool"), losses, "the mask of y_pred")
            if self.refloss_loss.targets == "labels":
                counted = self._spread(labels_of(y_true) != IGNORE, losses, "y_true")
                mask = counted if mask is None else ops.logical_and(mask, counted)
            total = reduce_weighted_values(losses, sample_weight=sample_weight, mask=mask, reduction=self.reduction, dtype=compute)
            return tensor(total, self.dtype)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """The unreduced loss."""
        y_true, y_pred = self._aligned(y_true, tensor(y_pred))
        return evaluate(self.refloss_loss, y_pred, y_true, self.parameters)

    def _aligned(self, y_true: Any, y_pred: Any) -> tuple[Any, Any]:
        """Keras's leave to give y_true an axis of 1 too many or too few: (n, 1) labels, (n,) targets of (n, 1) predictions."""
        y_true = labels_of(y_true) if self.refloss_loss.targets == "labels" else tensor(y_true)
        want = len(y_pred.shape) - (self.refloss_loss.targets == "labels")
        if len(y_true.shape) == want + 1 and y_true.shape[-1] == 1:
            y_true = ops.squeeze(y_true, axis=-1)
        elif len(y_true.shape) == want - 1 and self.refloss_loss.kind == "elementwise" and y_pred.shape[-1] == 1:
            y_true = ops.expand_dims(y_true, axis=-1)
        return y_true, y_pred

    def _spread(self, values: Any, losses: Any, what: str) -> Any:
        """Weights (batch,), or of any leading axes of the loss, over all of its elements."""
        got, want = tuple(values.shape), tuple(losses.shape)
        if len(got) == len(want) + 1 and got[-1] == 1:
            values = ops.squeeze(values, axis=-1)
        shape = tuple(values.shape)
        if len(shape) > len(want) or any(None not in (a, b) and a not in (1, b) for a, b in zip(shape, want, strict=False)):
            bad_value(type(self).__name__, what, f"of the shape of the loss {want} or of its leading axes", f"{got}", "reshape it")
        if shape and len(shape) < len(want):
            values = ops.reshape(values, (*ops.shape(values), *(1,) * (len(want) - len(shape))))
        return ops.broadcast_to(values, ops.shape(losses))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "dtype": self._dtype_policy.name, **self.parameters}


def loss_class(name: str, loss_name: str) -> type[RegistryLoss]:
    """The registered class of that name: FocalLoss of focal_loss."""
    loss = REGISTRY[loss_name]
    members = {"refloss_loss": loss, "__module__": "refloss_keras", "__qualname__": name, "__doc__": _doc(loss)}
    keywords = [inspect.Parameter(n, inspect.Parameter.KEYWORD_ONLY, default=d) for n, d in loss.defaults.items()]
    common = list(inspect.signature(RegistryLoss).parameters.values())[:-1]
    made = type(name, (RegistryLoss,), {**members, "__signature__": inspect.Signature([*keywords, *common])})
    registered: type[RegistryLoss] = keras.saving.register_keras_serializable(package="refloss")(made)
    return registered


def _doc(loss: Loss[Any]) -> str:
    first, second = loss.arrays
    shape = "the shape of y_pred" if loss.kind in ("elementwise", "labels") else "the shape of y_pred without its last axis"
    return (
        re.sub(
            r" +",
            " ",
            f"""`refloss.{loss.name}` as a Keras loss: y_pred are its {first}, y_true its {second}.

 Unreduced, it has {shape}. {_LABELS if loss.targets == "labels" else ""}""",
        ).rstrip()
        + "\n"
    )


_LABELS = """Labels may come as floats (exact below 2^24 in float32).
 Ignored rows (-2) count in no mean, as with `ignore_class` of Keras's own losses. That labels are classes is not checked."""

"""keras.losses.Loss over refloss's criteria: what all detectors share."""

import inspect
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from refloss._engine.record import REGISTRY, Array
from refloss.criteria import Detections
from refloss.criteria._flat import each_image_at_least_one, one_more
from refloss.errors import bad_type, bad_value
from refloss.priors import Grid

from .._keras import get_keras_mask, keras, ops
from .._xp import Primitives, table
from ._encoder import Encoder

CODES = ("float32", "float64")  # y_true holds indices and pixels


class CriterionLoss(keras.losses.Loss):  # type: ignore[misc]
    """A criterion of `refloss.criteria` for `model.compile(loss=...)`; `core` is that criterion, whose arguments this takes.

    y_true comes from `encoder()`, on the host; what depends on predictions is computed here.

    Unreduced it has one number for each image: its share of the criterion, times the number of images. So with Keras's usual
    reduction, the mean over images, the loss is the criterion's number (the sum of its terms), whatever its normalizer; weights
    (images,) weigh the shares; and under tf.distribute each replica has its own batch, whose losses are averaged. On JAX's
    distributions the batch, and so its normalizer, is the global one. reduction="sum" is the criterion times the number of images.
    A mask on y_pred is an error. Computed in float32 or float64: a half-precision y_pred is widened.

    Not taken, since a graph has neither state nor exceptions: check=True, a normalizer that is a function.
    """

    make: ClassVar[Any]
    core: Any  # the criterion
    extra: ClassVar[dict[str, Any]] = {}  # arguments of this class, which the criterion does not have, and their defaults

    def __init__(
        self, *args: Any, reduction: str | None = "sum_over_batch_size", name: str | None = None, dtype: Any = None, **parameters: Any
    ) -> None:
        if dtype is None and keras.config.floatx() not in CODES:
            dtype = "float32"
        super().__init__(name=name, reduction=reduction, dtype=dtype)
        title = type(self).__name__
        if self.dtype not in CODES:
            bad_type(title, "dtype", "float32 or float64", f"{self.dtype}", "half-precision predictions are widened; leave dtype out")
        for key, default in self.extra.items():
            setattr(self, key, parameters.pop(key, default))
        given = inspect.signature(self.make).bind(*args, **parameters).arguments
        self.parameters = {key: ops.convert_to_numpy(value) if ops.is_tensor(value) else value for key, value in given.items()}
        if self.parameters.get("grids") is not None:
            self.parameters["grids"] = tuple(map(_grid, self.parameters["grids"]))
        if callable(self.parameters.get("normalizer")):
            bad_type(title, "normalizer", '"batch", "image" or a number', "a function", "leave it to the dialect, or divide by a number")
        if self.parameters.get("check"):
            bad_value(title, "check", "False", "True", "use keras.callbacks.TerminateOnNaN, or check=True in refloss.criteria")
        self.core = self.make(**self.parameters)
        self.xp: Primitives = table(self.dtype)
        self._prepare()

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        title = type(self).__name__
        if get_keras_mask(y_pred) is not None:
            bad_value(title, "y_pred", "without a mask", "a masked tensor", "weigh images with sample_weight")
        got = np.shape(sample_weight)
        if len(got) > 2 or (len(got) == 2 and got[1] != 1):
            bad_value(title, "sample_weight", "of shape (images,)", f"{tuple(got)}", "give one weight for each image")
        return super().__call__(y_true, y_pred, sample_weight)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """(images,): each image's share of the loss, times the number of images."""
        shares = self._checked_shares(y_true, y_pred)
        return sum(shares.values()) * self._images(y_pred)

    def terms(self, y_true: Any, y_pred: Any) -> dict[str, Any]:
        """The criterion's named terms, whose sum is the loss."""
        cast = (ops.convert_to_tensor(x, dtype=self.dtype) for x in (y_true, y_pred))
        return {name: ops.sum(share) for name, share in self._checked_shares(*cast).items()}

    def decode(self, y_pred: Any) -> tuple[Array, Array]:
        """(boxes (images, priors, 4) xyxy pixels, scores (images, priors, classes)), as NumPy arrays."""
        found: tuple[Array, Array] = self.core.decode(self._outputs(self._host(y_pred)))
        return found

    def select(self, y_pred: Any, **options: Any) -> list[Detections]:
        """The detections of each image, as NumPy arrays; options are those of the criterion's `select`."""
        found: list[Detections] = self.core.select(self._outputs(self._host(y_pred)), **options)
        return found

    def encoder(self) -> Encoder:
        """What makes y_true of ground truth."""
        raise NotImplementedError

    def get_config(self) -> dict[str, Any]:
        own = {key: getattr(self, key) for key in self.extra}
        return {**super().get_config(), "dtype": self.dtype, **own, **{key: _plain(value) for key, value in self.parameters.items()}}

    def _prepare(self) -> None:
        """Constants."""

    def _channels(self) -> tuple[int, ...]:
        """The shape of y_pred without its first axis."""
        raise NotImplementedError

    def _layout(self) -> str:
        """What the channels are, in words."""
        raise NotImplementedError

    def _shares(self, y_true: Any, y_pred: Any) -> dict[str, Any]:
        """Each image's share of each term, (images,)."""
        raise NotImplementedError

    def _outputs(self, y_pred: Array) -> Any:
        """A prediction as the criterion takes it."""
        raise NotImplementedError

    def _checked_shares(self, y_true: Any, y_pred: Any) -> dict[str, Any]:
        title = type(self).__name__
        _static(title, "y_pred", y_pred, self._channels(), self._layout())
        _static(title, "y_true", y_true, self.encoder().shape, "make it with encoder()")
        return self._shares(y_true, y_pred)

    def _host(self, y_pred: Any) -> Array:
        array: Array = np.asarray(ops.convert_to_numpy(y_pred))
        _static(type(self).__name__, "y_pred", array, self._channels(), self._layout())
        return array

    def _images(self, y_pred: Any) -> Any:
        return ops.cast(ops.shape(y_pred)[0], self.dtype)

    def _divisor(self, counts: Any, images: Any, least: float = 1.0) -> Any:
        """What each image's share is divided by, from the (images,) counts."""
        normalizer = self.core.normalizer
        if normalizer == "batch":
            return self.xp.maximum(ops.sum(counts), least)
        if normalizer == "image":
            return self.xp.maximum(counts, least) * images
        if normalizer is each_image_at_least_one:
            return ops.sum(self.xp.maximum(counts, 1))
        if normalizer is one_more:
            return ops.sum(counts) + 1
        return self.xp.constant(float(normalizer))

    def _constant(self, values: Any) -> Array:
        return np.asarray(values, self.dtype)

    def _loss(self, name: str, first: Any, second: Any, **parameters: Any) -> Any:
        """A loss of the registry, unreduced."""
        loss = REGISTRY[name]
        return loss.formula(self.xp, first, second, **{**loss.defaults, **parameters})


def registered(cls: Any) -> Any:
    """Known to keras.saving as refloss>Name, with the criterion's arguments as its signature."""
    own = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default)
        for name, default in {**cls.extra, "reduction": "sum_over_batch_size", "name": None, "dtype": None}.items()
    ]
    cls.__signature__ = inspect.Signature([*inspect.signature(cls.make).parameters.values(), *own])
    return keras.saving.register_keras_serializable(package="refloss")(cls)


def _static(title: str, argument: str, x: Any, wanted: tuple[int, ...], way_out: str) -> None:
    """What is known of a shape fits; a dimension that is only known at run time is None."""
    got = tuple(x.shape)
    if len(got) != 1 + len(wanted) or any(a is not None and a != b for a, b in zip(got[1:], wanted, strict=True)):
        bad_value(title, argument, f"of shape (images, {', '.join(map(str, wanted))})", f"{got}", way_out)


def _grid(value: Any) -> Grid:
    """A Grid, or what a configuration made of it."""
    if isinstance(value, Grid):
        return value
    shapes, stride, height, width = value
    return Grid(tuple((float(w), float(h)) for w, h in shapes), stride, height, width)


def _plain(value: Any) -> Any:
    """As JSON has it."""
    if isinstance(value, (np.ndarray, np.generic)):
        return value.tolist()
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, (tuple, list)) else value

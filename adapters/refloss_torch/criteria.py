"""The losses of whole detectors as modules: the criteria of `refloss.criteria`, on tensors, for autograd.

Each takes what its core takes, `refloss.criteria.YOLOv3(...)` and so on, and is called as `module(outputs, targets)`, with outputs as
tensors and targets as a list of {"gt_boxes": (m, 4), "gt_labels": (m,)} or one mapping of padded "gt_boxes", "gt_labels", "counts".
It answers a dict of terms, each a tensor without axes; their sum is the loss, and each may be weighted before. Half precision outputs
are computed in float32: terms are float32 (float64 for float64), and the gradient is rounded once, after the upstream (a loss scale
too) has met it. Without a gradient to make (torch.no_grad, or no output requires one) none is computed.

The core is NumPy on the host: outputs on another device are copied there, and the gradient back. Second derivatives are an error.
torch.compile takes both forms of targets whole; a list compiles anew as its lengths change, so pad it there.

Where torch.distributed is initialised, a call with normalizer="batch" is a collective: it counts over all processes, so that all must
call. DistributedDataParallel's mean of the gradients is then the gradient of the whole batch in one process; each process's terms are
its share, times the number of processes. Under torch.no_grad it is none: the count is the process's own, so that one process alone may
validate. A validation without no_grad waits for the others.
"""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor

from refloss import criteria
from refloss.criteria import Criterion
from refloss.criteria import Detections as _Detections
from refloss.errors import bad_type, bad_value

from .criterion_op import device, evaluate, host, register

Channels = tuple[int | None, Any]  # (axis, which term each of its entries belongs to); (None, term) for a whole array


class _Module(torch.nn.Module):
    """A criterion as a module; `core` is the `refloss.criteria` object."""

    make: ClassVar[Any]

    def __init__(self, *args: Any, **parameters: Any) -> None:
        super().__init__()
        self.core: Criterion = self.make(*args, **parameters)
        self.number = register(self)

    def __getstate__(self) -> dict[str, Any]:
        state: dict[str, Any] = super().__getstate__()  # type: ignore[no-untyped-call]
        return {name: value for name, value in state.items() if name != "number"}  # a copy is another module: it gets its own

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)  # type: ignore[no-untyped-call]
        self.number = register(self)

    def extra_repr(self) -> str:
        return ", ".join(f"{name}={getattr(self.core, name)!r}" for name in ("classes", "dialect"))

    def forward(self, outputs: Any, targets: Any) -> dict[str, Tensor]:
        arrays = self._tensors(outputs)
        if arrays[0].shape[:1] == (0,):
            bad_value(type(self).__name__, "outputs", "of at least one image", "none", "skip an empty batch")
        boxes, labels, counts = self._padded(targets, arrays[0])
        terms = evaluate(self.number, self._channels(), boxes, labels, counts, arrays)
        return {name: terms[k] for k, name in enumerate(self.core.terms)}

    def decode(self, outputs: Any) -> tuple[Tensor, Tensor]:
        """(boxes (images, priors, 4) xyxy pixels, scores (images, priors, classes))."""
        arrays = self._tensors(outputs)
        boxes, scores = self.core.decode(self.pack([host(tensor) for tensor in arrays]))
        return device(boxes, arrays[0].device), device(scores, arrays[0].device)

    def select(self, outputs: Any, **options: Any) -> list[_Detections]:
        """The detections of each image, as tensors; options are those of the core's `select`."""
        arrays = self._tensors(outputs)
        found = self.core.select(self.pack([host(tensor) for tensor in arrays]), **options)
        return [_Detections(*(device(values, arrays[0].device) for values in one)) for one in found]  # type: ignore[arg-type]

    def _padded(self, targets: Any, like: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Boxes (images, most, 4), labels (images, most), counts (images,)."""
        name = type(self).__name__
        if isinstance(targets, Mapping):
            missing = [key for key in ("gt_boxes", "gt_labels", "counts") if not isinstance(targets.get(key), Tensor)]
            if missing:
                bad_type(name, f"targets[{missing[0]!r}]", "a tensor", type(targets.get(missing[0])).__name__, "or give a list of mappings")
            return targets["gt_boxes"], targets["gt_labels"], targets["counts"]
        if not isinstance(targets, Sequence) or not all(isinstance(t, Mapping) and {"gt_boxes", "gt_labels"} <= set(t) for t in targets):
            bad_type(name, "targets", "a list of mappings with gt_boxes and gt_labels", type(targets).__name__, "one for each image")
        boxes = [_boxes(name, f"targets[{i}].gt_boxes", t["gt_boxes"]) for i, t in enumerate(targets)]
        labels = [torch.as_tensor(t["gt_labels"]) for t in targets]
        labels = [k if k.numel() else k.reshape(-1) for k in labels]
        for i, (b, k) in enumerate(zip(boxes, labels, strict=True)):
            if k.ndim != 1:
                bad_value(name, f"targets[{i}].gt_labels", "of shape (m,)", f"{tuple(k.shape)}", "one label for each box")
            if len(b) != len(k):
                bad_value(name, f"targets[{i}].gt_labels", f"one label for each of {len(b)} boxes", f"{len(k)}", "give as many labels")
            if len(k) and (k.dtype.is_floating_point or k.dtype == torch.bool):
                bad_type(name, f"targets[{i}].gt_labels", "a tensor of integers", str(k.dtype), "convert with gt_labels.to(torch.int64)")
        most = max([0, *(len(b) for b in boxes)])  # with default=0 torch.compile breaks the graph
        dtype = torch.float64 if like.dtype == torch.float64 else torch.float32
        padded, classes = torch.zeros(len(boxes), most, 4, dtype=dtype), torch.zeros(len(boxes), most, dtype=torch.int64)
        for i, (b, k) in enumerate(zip(boxes, labels, strict=True)):
            padded[i, : len(b)], classes[i, : len(k)] = b.detach().to("cpu", dtype), k.to("cpu", torch.int64)
        return padded, classes, torch.tensor([len(b) for b in boxes], dtype=torch.int64)

    def _tensors(self, outputs: Any) -> list[Tensor]:
        raise NotImplementedError

    def _channels(self) -> list[Channels]:
        raise NotImplementedError

    def pack(self, arrays: list[Any]) -> Any:
        """Arrays as the core's outputs."""
        raise NotImplementedError

    def unpack(self, gradient: Any) -> list[Any]:
        """The core's gradient as arrays."""
        raise NotImplementedError

    def _only_tensors(self, values: Sequence[Any]) -> list[Tensor]:
        for k, value in enumerate(values):
            if not isinstance(value, Tensor):
                bad_type(type(self).__name__, f"outputs[{k}]", "a tensor", type(value).__name__, "convert with torch.as_tensor")
        return list(values)


def _boxes(function: str, argument: str, given: Any) -> Tensor:
    """(m, 4) boxes of floats; a Python list may hold integers, an array or tensor may not, as in the core. Nothing is (0, 4)."""
    boxes = torch.as_tensor(given)
    if not boxes.numel():
        return boxes.reshape(-1, 4)
    if not hasattr(given, "dtype") and not boxes.dtype.is_floating_point and boxes.dtype != torch.bool:
        boxes = torch.as_tensor(given, dtype=torch.float64)
    if not boxes.dtype.is_floating_point:
        wanted = "an array of float64, float32, float16 or bfloat16"
        bad_type(function, argument, wanted, f"dtype {boxes.dtype}", "convert with gt_boxes.to(torch.float32)")
    if boxes.ndim != 2 or boxes.shape[1] != 4:
        bad_value(function, argument, "of shape (m, 4)", f"{tuple(boxes.shape)}", "give one box of four numbers in each row")
    return boxes


class _Heads(_Module):
    """Outputs: a list of tensors (images, anchors, 5 + classes, rows, columns)."""

    def _tensors(self, outputs: Any) -> list[Tensor]:
        if not isinstance(outputs, (list, tuple)) or not outputs:
            bad_type(type(self).__name__, "outputs", "a list of tensors, one for each grid", type(outputs).__name__, "in the grids' order")
        return self._only_tensors(outputs)

    def _channels(self) -> list[Channels]:
        terms = [0, 0, 0, 0, 1, *[2] * self.core.classes]
        return [(2, terms)] * len(self.core.grids)  # type: ignore[attr-defined]

    def pack(self, arrays: list[Any]) -> Any:
        return arrays

    def unpack(self, gradient: Any) -> list[Any]:
        return list(gradient)


class _Flat(_Module):
    """Outputs: a mapping of tensors by the core's names."""

    def _tensors(self, outputs: Any) -> list[Tensor]:
        names = list(self.core.numbers)  # type: ignore[attr-defined]
        if not isinstance(outputs, Mapping) or any(name not in outputs for name in names):
            bad_type(type(self).__name__, "outputs", f"a mapping with {', '.join(map(repr, names))}", type(outputs).__name__, "of tensors")
        return self._only_tensors([outputs[name] for name in names])

    def _channels(self) -> list[Channels]:
        of_part = {part: k for k, part in enumerate(self.core.terms.values())}
        return [(None, of_part[name]) for name in self.core.numbers]  # type: ignore[attr-defined]

    def pack(self, arrays: list[Any]) -> Any:
        return dict(zip(self.core.numbers, arrays, strict=True))  # type: ignore[attr-defined]

    def unpack(self, gradient: Any) -> list[Any]:
        return [gradient[name] for name in self.core.numbers]  # type: ignore[attr-defined]


class YOLOv1(_Heads):
    """`refloss.criteria.YOLOv1` on one tensor (images, S, S, B * 5 + C)."""

    make = criteria.YOLOv1

    def _tensors(self, outputs: Any) -> list[Tensor]:
        return self._only_tensors([outputs])

    def _channels(self) -> list[Channels]:
        return [(3, [*[0, 0, 0, 0, 1] * self.core.boxes, *[2] * self.core.classes])]  # type: ignore[attr-defined]

    def pack(self, arrays: list[Any]) -> Any:
        return arrays[0]

    def unpack(self, gradient: Any) -> list[Any]:
        return [gradient]


class YOLOv2(_Heads):
    """`refloss.criteria.YOLOv2`; set `module.core.images_seen` for its warm-up."""

    make = criteria.YOLOv2


class YOLOv3(_Heads):
    """`refloss.criteria.YOLOv3`."""

    make = criteria.YOLOv3


class YOLOv4(_Heads):
    """`refloss.criteria.YOLOv4`."""

    make = criteria.YOLOv4


class ScaledYOLOv4(_Heads):
    """`refloss.criteria.ScaledYOLOv4`."""

    make = criteria.ScaledYOLOv4


class SSD(_Flat):
    """`refloss.criteria.SSD`."""

    make = criteria.SSD


class RetinaNet(_Flat):
    """`refloss.criteria.RetinaNet`."""

    make = criteria.RetinaNet


class FCOS(_Flat):
    """`refloss.criteria.FCOS`."""

    make = criteria.FCOS

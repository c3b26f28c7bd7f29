"""Bad input is one sentence, a ReflossError that is a ValueError or TypeError; nothing is silently wrong."""

from typing import Any

import pytest
import torch
from test_torch_cases import LOSSES, call, data

import refloss
import refloss_torch
from refloss._engine.record import REGISTRY, Loss

X = torch.zeros(3)
BOX = torch.tensor([[0.0, 0.0, 1.0, 1.0]])
LABELS = torch.tensor([0, 1])
TYPE, VALUE = refloss.ReflossTypeError, refloss.ReflossValueError

BAD: list[tuple[type[Exception], str, str, tuple[Any, ...], dict[str, Any]]] = [
    (TYPE, "logits must be a torch.Tensor, got list; convert with torch.as_tensor(logits)", "focal_loss", ([1.0], X), {}),
    (TYPE, "targets must be a torch.Tensor, got ndarray; convert with torch.as_tensor(targets)", "focal_loss", (X, X.numpy()), {}),
    (TYPE, "got torch.int64; convert with logits.to(torch.float32)", "focal_loss", (X.long(), X), {}),
    (TYPE, "got torch.complex64", "l1_loss", (X + 0j, X + 0j), {}),
    (
        TYPE,
        "targets must be of the dtype of logits (torch.float32), got torch.float64; convert with targets.to(logits.dtype)",
        "focal_loss",
        (X, X.double()),
        {},
    ),
    (TYPE, "targets must be of the dtype of logits", "focal_loss", (X, X.long()), {}),
    (
        TYPE,
        "labels must be a tensor of integers, got torch.float32; convert with labels.to(torch.int64)",
        "focal_loss_with_integer_labels",
        (torch.zeros(2, 3), X[:2]),
        {},
    ),
    (VALUE, "of the shape of logits (3,), got (2,); broadcast it first, with targets.expand_as(logits)", "focal_loss", (X, X[:2]), {}),
    (VALUE, "of the shape of logits (3,), got (1, 3)", "focal_loss", (X, X[None]), {}),
    (
        VALUE,
        "without its last axis",
        "softmax_cross_entropy_with_integer_labels",
        (torch.zeros(2, 3), torch.zeros(3, dtype=torch.int64)),
        {},
    ),
    (VALUE, "at least one class", "softmax_cross_entropy_with_integer_labels", (torch.zeros(2, 0), LABELS), {}),
    (
        VALUE,
        "labels must be in [0, 2] or NEGATIVE (-1), IGNORE (-2), got 3",
        "focal_loss_with_integer_labels",
        (torch.zeros(2, 3), LABELS + 2),
        {},
    ),
    (VALUE, "got -1", "softmax_cross_entropy_with_integer_labels", (torch.zeros(2, 3), LABELS - 1), {}),
    (VALUE, "targets must be in [0, 1], got", "focal_loss", (X, X + 1.5), {}),
    (VALUE, "targets must be in [0, 1], got", "binary_cross_entropy", (X, X - 0.5), {"reduction": "sum"}),
    (VALUE, "boxes must be of shape (..., 4), got (3,)", "ciou_loss", (X, X), {}),
    (VALUE, "x2 >= x1", "ciou_loss", (BOX.flip(1), BOX), {}),
    (VALUE, "gamma must be", "focal_loss", (X, X), {"gamma": -1.0}),
    (TYPE, "gamma must be a number", "focal_loss", (X, X), {"gamma": "2"}),
    (TYPE, "gamma must be a number", "focal_loss", (X, X), {"gamma": [2.0]}),
    (VALUE, "alpha must be in [0, 1]", "focal_loss", (X, X), {"alpha": 1.5}),
    (VALUE, "box_format must be 'xyxy' or 'cxcywh', got 'xywh'", "iou_loss", (BOX, BOX), {"box_format": "xywh"}),
    (VALUE, "reduction must be 'none' or 'mean' or 'sum', got 'avg'", "focal_loss", (X, X), {"reduction": "avg"}),
    (VALUE, "reduction must be", "focal_loss", (X, X), {"reduction": None}),
    (VALUE, "normalizer must be positive and finite, got 0", "focal_loss", (X, X), {"reduction": "sum", "normalizer": 0}),
    (VALUE, "normalizer must be positive and finite, got 0", "focal_loss", (X, X), {"reduction": "sum", "normalizer": torch.tensor(0)}),
    (VALUE, "normalizer must be None", "focal_loss", (X, X), {"reduction": "mean", "normalizer": torch.tensor(2)}),
    (VALUE, "normalizer must be None", "focal_loss", (X, X), {"reduction": "mean", "normalizer": 2}),
    (TYPE, "normalizer must be one real number, got a tensor of shape (3,)", "focal_loss", (X, X), {"reduction": "sum", "normalizer": X}),
    (TYPE, "weights must be a torch.Tensor, got float", "focal_loss", (X, X), {"weights": 2.0}),
    (VALUE, "weights must be of a shape that broadcasts to (3,), got (2,)", "focal_loss", (X, X), {"weights": X[:2]}),
    (VALUE, "weights must be of a shape that broadcasts to (3,), got (1, 3)", "focal_loss", (X, X), {"weights": X[None]}),
    (VALUE, "weights must be of a shape that broadcasts to (1,), got (4,)", "ciou_loss", (BOX, BOX), {"weights": BOX[0]}),
    (TYPE, "weights must be a tensor of real numbers", "focal_loss", (X, X), {"weights": X + 0j}),
    (
        VALUE,
        "targets must be on the device of logits (cpu), got meta; move it with targets.to(logits.device)",
        "focal_loss",
        (X, X.to("meta")),
        {},
    ),
    (VALUE, "weights must be on the device of logits", "focal_loss", (X, X), {"weights": X.to("meta")}),
    (VALUE, "normalizer must be on the device", "focal_loss", (X, X), {"reduction": "sum", "normalizer": torch.tensor(1, device="meta")}),
    (
        VALUE,
        "targets must be a tensor that asks for no gradient, got requires_grad=True; only logits is differentiated; pass targets.detach()",
        "focal_loss",
        (X, X.clone().requires_grad_()),
        {},
    ),
    (VALUE, "pass weights.detach()", "focal_loss", (X, X), {"weights": X.clone().requires_grad_()}),
    (VALUE, "pass normalizer.detach()", "focal_loss", (X, X), {"reduction": "sum", "normalizer": torch.tensor(2.0, requires_grad=True)}),
]


@pytest.mark.parametrize("gradient", [False, True])
@pytest.mark.parametrize(("kind", "message", "name", "arguments", "options"), BAD, ids=range(len(BAD)))
def test_one_sentence(kind: type[Exception], message: str, name: str, arguments: Any, options: Any, gradient: bool) -> None:
    first, second = arguments
    if gradient and isinstance(first, torch.Tensor) and first.is_floating_point():
        first = first.detach().clone().requires_grad_()
    with pytest.raises(kind) as error:
        getattr(refloss_torch, name)(first, second, **options)
    assert str(error.value).startswith(f"{name}: ")
    assert message in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("loss", LOSSES)
def test_second_argument_that_asks_for_a_gradient(loss: Loss[Any]) -> None:
    first, second = data(loss)
    if second.is_floating_point():
        with pytest.raises(refloss.ReflossError, match="detach"):
            call(loss, first, second.requires_grad_())


def test_modules_check_their_parameters_when_made() -> None:
    with pytest.raises(VALUE, match="gamma"):
        refloss_torch.FocalLoss(gamma=-1.0)
    with pytest.raises(VALUE, match="reduction"):
        refloss_torch.L1Loss(reduction="avg")  # type: ignore[arg-type]
    with pytest.raises(VALUE, match="box_format"):
        refloss_torch.CIoULoss(box_format="xywh")  # type: ignore[arg-type]


def test_a_failed_setting_is_not_remembered() -> None:
    for _ in range(2):
        with pytest.raises(VALUE):
            refloss_torch.focal_loss(X, X, gamma=-1.0)
    assert torch.equal(refloss_torch.focal_loss(X, X, gamma=1), refloss_torch.focal_loss(X, X, gamma=1.0))
    with pytest.raises(TYPE):
        refloss_torch.focal_loss(X, X, gamma=True)
    assert len(REGISTRY) > 0

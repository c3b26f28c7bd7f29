"""The criteria as torch modules, apart from their numbers: targets, copies, what is computed and kept, where processes add."""

import copy
import gc
import io
import pickle
from typing import Any

import numpy as np
import pytest
import torch
from criteria_scenes import arrays_of
from test_torch_criteria import as_tensors, module, outputs, targets

from refloss.errors import ReflossError
from refloss_torch.criterion_op import where_added


@pytest.mark.parametrize(
    ("boxes", "labels", "message"),
    [
        (torch.rand(4, 5), 5, r"YOLOv3: targets\[0\].gt_boxes must be of shape \(m, 4\), got \(4, 5\)"),
        (torch.rand(4), 1, r"YOLOv3: targets\[0\].gt_boxes must be of shape \(m, 4\), got \(4,\)"),
        (torch.tensor([[1, 2, 3, 4]]), 1, r"YOLOv3: targets\[0\].gt_boxes must be .* float64, float32, float16 or bfloat16, got .*int64"),
        (np.array([[1, 2, 3, 4]]), 1, r"YOLOv3: targets\[0\].gt_boxes must be .* float64, float32, float16 or bfloat16, got .*int64"),
        (torch.rand(2, 4), 1, r"YOLOv3: targets\[0\].gt_labels must be one label for each of 2 boxes, got 1"),
    ],
)
def test_boxes_that_are_none(boxes: Any, labels: int, message: str) -> None:
    wrong = [{"gt_boxes": boxes, "gt_labels": torch.zeros(labels, dtype=torch.int64)}, *targets()[1:]]
    with pytest.raises(ReflossError, match=message):
        module("YOLOv3")(as_tensors(outputs("YOLOv3")), wrong)


def test_lists_of_numbers_and_of_nothing_are_targets() -> None:
    one, given, (_, empty, last) = module("YOLOv3"), as_tensors(outputs("YOLOv3")), targets()
    plain = one(given, [{"gt_boxes": [[1, 2, 30, 40]], "gt_labels": [1]}, {"gt_boxes": [], "gt_labels": []}, last])
    tensors = one(given, [{"gt_boxes": torch.tensor([[1.0, 2, 30, 40]]), "gt_labels": torch.tensor([1])}, empty, last])
    assert {key: value.item() for key, value in plain.items()} == {key: value.item() for key, value in tensors.items()}


def test_no_images_are_an_error() -> None:
    with pytest.raises(ReflossError, match="YOLOv3: outputs must be of at least one image, got none; skip an empty batch"):
        module("YOLOv3")([head[:0] for head in as_tensors(outputs("YOLOv3"))], [])


def test_the_printed_module() -> None:
    assert repr(module("YOLOv3", dialect="darknet")) == "YOLOv3(classes=3, dialect='darknet')"
    assert repr(module("SSD")) == "SSD(classes=3, dialect='paper')"


def test_copies_are_modules_of_their_own() -> None:
    """By deepcopy, pickle and torch.save; a copy outlives its original, and a copy's core is the copy's."""

    def box(one: Any) -> float:
        value: float = one(as_tensors(outputs("YOLOv2")), targets())["box"].item()
        return value

    first = module("YOLOv2", images_seen=0, dialect="darknet")
    early, late = box(first), box(module("YOLOv2", images_seen=20000, dialect="darknet"))
    other = copy.deepcopy(first)
    other.core.images_seen = 20000
    assert (box(first), box(other)) == (early, late) and early != late
    written, file = pickle.dumps(other), io.BytesIO()
    torch.save(torch.nn.Sequential(other), file)
    file.seek(0)
    del first, other
    gc.collect()
    kept = copy.deepcopy(module("YOLOv2", images_seen=20000, dialect="darknet"))
    assert box(kept) == box(pickle.loads(written)) == box(torch.load(file, weights_only=False)[0]) == late


def test_no_gradient_is_made_where_none_is_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    one, given = module("YOLOv3"), as_tensors(outputs("YOLOv3"))
    wanted = {key: value.item() for key, value in one(given, targets()).items()}
    monkeypatch.setattr(type(one.core), "value_and_grad", lambda *_: pytest.fail("a gradient was made"))
    with torch.no_grad():
        found = one(given, targets())
    detached = one([head.detach() for head in given], targets())
    for terms in (found, detached):
        assert {key: value.item() for key, value in terms.items()} == wanted
        assert not any(value.requires_grad for value in terms.values())


def test_one_gradient_is_kept_and_no_outputs() -> None:
    """What is saved for backward: the gradient, in float32; not the outputs as well, which may change in place."""
    kept: list[int] = []

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        kept.append(tensor.untyped_storage().nbytes())
        return tensor

    given = [leaf * 1 for leaf in as_tensors(outputs("YOLOv3"), dtype=torch.float32)]
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        loss = sum(module("YOLOv3")(given, targets()).values())
    assert sum(kept) <= sum(head.nbytes for head in given) + 64
    given[0].sigmoid_()
    loss.backward()


@pytest.mark.parametrize("name", ["SSD", "YOLOv3"])
def test_backward_hands_out_what_nobody_needs_again(name: str) -> None:
    """Of the plain sum the saved gradient itself; a kept graph, whose second backward must find it untouched, gives copies."""

    def loss_of(given: Any) -> Any:
        return sum(module(name)(given, targets()).values())

    given = as_tensors(outputs(name))
    leaves = arrays_of(given)
    wanted = [gradient.clone() for gradient in torch.autograd.grad(loss_of(given), leaves)]
    saved: list[int] = []
    with torch.autograd.graph.saved_tensors_hooks(lambda t: saved.append(t.data_ptr()) or t, lambda t: t):
        loss = loss_of(given)
    assert {g.data_ptr() for g in torch.autograd.grad(loss, leaves)} <= set(saved)
    loss = loss_of(given)
    for upstream in (1.0, 1.0, 3.0, 1.0):
        found = torch.autograd.grad(upstream * loss, leaves, retain_graph=True)
        for gradient, one in zip(found, wanted, strict=True):
            assert torch.equal(gradient, upstream * one)
            gradient.zero_()  # the user's own
    loss.backward(retain_graph=True)
    for leaf in leaves:
        leaf.grad.zero_()
    loss.backward()
    assert all(torch.equal(leaf.grad, one) for leaf, one in zip(leaves, wanted, strict=True))
    weight = torch.ones((), dtype=torch.float64, requires_grad=True)
    found = torch.autograd.grad(weight * loss_of(given), leaves, create_graph=True, retain_graph=False)
    with pytest.raises(ReflossError, match="no second derivatives"):
        torch.autograd.grad(found[0].sum(), weight)
    two = torch.autograd.grad(loss_of(given), leaves, torch.tensor([1.0, 2.0], dtype=torch.float64), is_grads_batched=True)
    assert all(torch.equal(both, torch.stack([one, 2 * one])) for both, one in zip(two, wanted, strict=True))


def test_where_processes_add() -> None:
    gpu, cpu = torch.device("cuda", 3), torch.device("cpu")
    assert [where_added(name, gpu) for name in ("gloo", "nccl", "mpi")] == [cpu, gpu, gpu]
    assert [where_added(name, cpu) for name in ("gloo", "mpi")] == [cpu, cpu]

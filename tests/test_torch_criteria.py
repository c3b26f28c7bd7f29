"""The criteria as torch modules: the core's numbers and gradients, weights of terms, compile, half precision, processes."""

import subprocess
import sys
from typing import Any

import numpy as np
import pytest
import torch
from criteria_scenes import SCENES, arrays_of, made, truths

import refloss_torch
from refloss.errors import ReflossError

NAMES = tuple(SCENES)


def module(name: str, **parameters: Any) -> Any:
    (positional, usual), _ = SCENES[name]
    return getattr(refloss_torch, name)(*positional, **{**usual, **parameters})


def outputs(name: str, dtype: Any = np.float64) -> Any:
    return SCENES[name][1](dtype)


def as_tensors(values: Any, grad: bool = True, dtype: torch.dtype | None = None) -> Any:
    def tensor(array: Any) -> torch.Tensor:
        return torch.from_numpy(array.copy()).to(dtype or torch.float64).requires_grad_(grad)

    if isinstance(values, dict):
        return {name: tensor(array) for name, array in values.items()}
    return [tensor(array) for array in values] if isinstance(values, list) else tensor(values)


def targets() -> list[dict[str, torch.Tensor]]:
    return [{key: torch.from_numpy(values) for key, values in truth.items()} for truth in truths()]


@pytest.mark.parametrize("name", NAMES)
def test_values_and_gradients_are_the_cores(name: str) -> None:
    terms, gradient = made(name).value_and_grad(outputs(name), truths())
    given = as_tensors(outputs(name))
    found = module(name)(given, targets())
    assert {key: value.item() for key, value in found.items()} == {key: float(value) for key, value in terms.items()}
    sum(found.values()).backward()  # type: ignore[union-attr]
    for tensor, wanted in zip(arrays_of(given), arrays_of(gradient), strict=True):
        assert np.array_equal(tensor.grad.numpy(), wanted)


@pytest.mark.parametrize("name", NAMES)
def test_each_term_has_a_gradient_of_its_own(name: str) -> None:
    """Weights of terms are weights of their gradients: for every term alone the finite differences' answer."""
    given = as_tensors(outputs(name))
    arrays, one = arrays_of(given), module(name)
    terms = one(given, targets())
    alone = {key: torch.autograd.grad(value, arrays, retain_graph=True) for key, value in terms.items()}
    together = torch.autograd.grad(sum((k + 1) * value for k, value in enumerate(terms.values())), arrays)  # type: ignore[arg-type]
    for k, weighted in enumerate(together):
        torch.testing.assert_close(weighted, sum((j + 1) * alone[key][k] for j, key in enumerate(terms)))
    core = made(name)
    rng = np.random.default_rng(4)
    for k, array in enumerate(arrays):
        at = tuple(int(rng.integers(n)) for n in array.shape)
        step = 1e-6
        ends = []
        for sign in (1, -1):
            moved = outputs(name)
            arrays_of(moved)[k][at] += sign * step
            ends.append(core(moved, truths()))
        for key in terms:
            if key != "box" or name not in ("YOLOv4", "ScaledYOLOv4"):  # CIoU holds its alpha constant
                slope = (float(ends[0][key]) - float(ends[1][key])) / (2 * step)
                if not constant_targets(name, key):
                    assert abs(slope - float(alone[key][k][at])) < 1e-5


def constant_targets(name: str, term: str) -> bool:
    """Terms whose targets depend on the outputs, and are constants: an IoU learnt as objectness."""
    return term == "objectness" and name in ("YOLOv1", "YOLOv2", "ScaledYOLOv4")


def test_gradcheck() -> None:
    given = as_tensors(outputs("YOLOv3"))
    one = module("YOLOv3")
    assert torch.autograd.gradcheck(lambda *heads: tuple(one(list(heads), targets()).values()), tuple(given))


@pytest.mark.parametrize("name", ["YOLOv3", "RetinaNet"])
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_compile_whole(name: str) -> None:
    one, given = module(name), as_tensors(outputs(name))
    boxes, labels, counts = one._padded(targets(), arrays_of(given)[0])
    padded = {"gt_boxes": boxes, "gt_labels": labels, "counts": counts}
    compiled = torch.compile(lambda given, padded: one(given, padded), fullgraph=True)
    found = compiled(given, padded)
    (2 * found["box"] + found["classes"]).backward()
    wanted = as_tensors(outputs(name))
    terms = one(wanted, targets())
    (2 * terms["box"] + terms["classes"]).backward()
    for a, b in zip(arrays_of(given), arrays_of(wanted), strict=True):
        torch.testing.assert_close(a.grad, b.grad)


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_compile_whole_with_a_list_of_mappings() -> None:
    one, given = module("YOLOv3"), as_tensors(outputs("YOLOv3"))
    compiled = torch.compile(lambda given, wanted: one(given, wanted), backend="aot_eager", fullgraph=True)
    found, wanted = compiled(given, targets()), one(given, targets())
    assert {key: value.item() for key, value in found.items()} == {key: value.item() for key, value in wanted.items()}


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
@pytest.mark.parametrize("name", ["YOLOv3", "SSD"])
def test_other_dtypes(name: str, dtype: torch.dtype) -> None:
    given = as_tensors(outputs(name), dtype=dtype)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        terms = module(name)(given, targets())
    sum(terms.values()).backward()  # type: ignore[union-attr]
    exact = made(name)(type(outputs(name))(rounded(outputs(name), dtype)), truths())
    tolerance = 1e-5 if dtype == torch.float32 else 1e-2
    for key, value in terms.items():
        assert value.dtype == torch.float32
        assert abs(value.item() - float(exact[key])) <= tolerance * (1 + abs(float(exact[key])))
    assert all(torch.isfinite(array.grad).all() and array.grad.dtype == dtype for array in arrays_of(given))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_a_loss_scale_meets_a_float32_gradient(dtype: torch.dtype) -> None:
    """2^-20 of a gradient is nothing in float16, and 70000 infinite; their product is the core's float32 one, rounded once."""
    given = as_tensors(outputs("YOLOv3"), dtype=dtype)
    (70000 * sum(module("YOLOv3", normalizer=2.0**20)(given, targets()).values())).backward()
    core = made("YOLOv3", normalizer=2.0**20)
    _, gradient = core.value_and_grad([head.detach().float().numpy() for head in given], truths(dtype=np.float32))
    for head, wanted in zip(given, gradient, strict=True):
        assert torch.isfinite(head.grad).all() and head.grad.any()
        assert torch.equal(head.grad, torch.from_numpy(wanted * np.float32(70000)).to(dtype))


def test_a_sum_beyond_float16_and_boxes_finer_than_it() -> None:
    """3 images of 40 priors at a logit of 1000: 120000 > 65504. Boxes of half precision heads are float32 numbers, as the core's."""
    given = [head.half() for head in as_tensors(outputs("YOLOv3"), False)]
    for head in given:
        head[:, :, 4] = 1000
    empty = [{"gt_boxes": torch.zeros(0, 4), "gt_labels": torch.zeros(0, dtype=torch.int64)}] * 3
    assert module("YOLOv3")(given, empty)["objectness"].item() == 120000.0
    assert [values.dtype for values in module("YOLOv3").decode(given)] == [torch.float32] * 2


def rounded(values: Any, dtype: torch.dtype) -> Any:
    def one(array: Any) -> Any:
        return torch.from_numpy(array).to(dtype).double().numpy()

    return {key: one(array) for key, array in values.items()} if isinstance(values, dict) else [one(array) for array in values]


def test_second_derivatives_are_an_error_and_no_silent_zero() -> None:
    given = as_tensors(outputs("YOLOv3"))
    loss = sum(module("YOLOv3")(given, targets()).values())
    gradients = torch.autograd.grad(loss, given, create_graph=True)  # type: ignore[arg-type]
    with pytest.raises(ReflossError, match="no second derivatives"):
        (gradients[0].square().sum() + given[0].sum()).backward()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (None, "YOLOv3: outputs must be a list of tensors"),
        ([np.zeros(3)], r"YOLOv3: outputs\[0\] must be a tensor, got ndarray"),
    ],
)
def test_outputs_that_are_none(given: Any, message: str) -> None:
    with pytest.raises(ReflossError, match=message):
        module("YOLOv3")(given, targets())


def test_bad_targets() -> None:
    one, given = module("YOLOv3"), as_tensors(outputs("YOLOv3"))
    with pytest.raises(ReflossError, match="YOLOv3: targets must be a list of mappings"):
        one(given, [1, 2, 3])
    with pytest.raises(ReflossError, match=r"gt_labels must be a tensor of integers"):
        one(given, [{"gt_boxes": torch.rand(1, 4), "gt_labels": torch.rand(1)}] * 3)
    with pytest.raises(ReflossError, match=r"targets\[0\].gt_labels must be in \[0, 2\], got 7"):
        one(given, [{"gt_boxes": torch.tensor([[1.0, 1, 9, 9]]), "gt_labels": torch.tensor([7])}] * 3)


def test_detections_are_tensors() -> None:
    found = module("YOLOv3").select(as_tensors(outputs("YOLOv3")), score_threshold=0.3)
    wanted = made("YOLOv3").select(outputs("YOLOv3"), score_threshold=0.3)
    assert len(found) == 3
    for ours, theirs in zip(found, wanted, strict=True):
        assert all(np.array_equal(a.numpy(), b) for a, b in zip(ours, theirs, strict=True))


TWO = """
import sys, torch, torch.distributed as dist
sys.path[:0] = {path!r}
import test_torch_criteria as t
rank = int(sys.argv[1])
dist.init_process_group("gloo", init_method="file://" + sys.argv[2], rank=rank, world_size=2)
half = slice(0, 1) if rank == 0 else slice(1, 3)
for name in ("RetinaNet", "ScaledYOLOv4"):
    whole = t.outputs(name)
    mine = t.as_tensors({{k: v[half] for k, v in whole.items()}} if isinstance(whole, dict) else [v[half] for v in whole])
    one = t.module(name, normalizer="batch")
    if rank == 0:  # validation in one process only: no other answers
        with torch.no_grad():
            found = one(mine, t.targets()[half])
        wanted = one.core(one.pack([a.detach().numpy() for a in t.arrays_of(mine)]), t.truths()[half])
        assert {{k: v.item() for k, v in found.items()}} == {{k: float(v) for k, v in wanted.items()}}
    loss = sum(one(mine, t.targets()[half]).values())
    gradients = torch.autograd.grad(loss, t.arrays_of(mine))
    for gradient in gradients:
        torch.save(gradient / 2, f"{{sys.argv[2]}}.{{name}}.{{rank}}.{{[id(g) for g in gradients].index(id(gradient))}}")
dist.destroy_process_group()
"""


def test_two_processes_are_one_batch(tmp_path: Any) -> None:
    """Two processes with one and two of three images: their gradients, averaged as DistributedDataParallel does, are the whole batch's."""
    script = tmp_path / "two.py"
    script.write_text(TWO.format(path=sys.path))
    store = str(tmp_path / "store")
    workers = [subprocess.Popen([sys.executable, str(script), str(rank), store]) for rank in (0, 1)]
    assert [worker.wait(timeout=240) for worker in workers] == [0, 0]
    for name in ("RetinaNet", "ScaledYOLOv4"):
        given = as_tensors(outputs(name))
        sum(module(name, normalizer="batch")(given, targets()).values()).backward()  # type: ignore[union-attr]
        for k, array in enumerate(arrays_of(given)):
            halves = [torch.load(f"{store}.{name}.{rank}.{k}") for rank in (0, 1)]
            torch.testing.assert_close(torch.cat(halves), array.grad, rtol=1e-6, atol=1e-12)

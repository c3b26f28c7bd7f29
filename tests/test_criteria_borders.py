"""Criteria at the borders of numbers and arguments: overflow, NaN, choices that are none, targets as plain lists."""

import math
from typing import Any

import numpy as np
import pytest
from criteria_scenes import SCENES, arrays_of, made, truths

from refloss import assign, criteria
from refloss._engine.threads import SERIAL_BELOW
from refloss.criteria import FCOS, RetinaNet
from refloss.errors import ReflossError
from refloss.mining import hard_negatives
from refloss.priors import SSD300, ssd_default_boxes

TWO = [[0.0, 0.0, 10.0, 10.0], [20.0, 20.0, 30.0, 30.0]]
ONE: list[dict[str, Any]] = [{"gt_boxes": [[0.0, 0.0, 9.0, 9.0]], "gt_labels": [0]}]


def head(code: float, dtype: Any = np.float32) -> dict[str, Any]:
    outputs = {"classes": np.zeros((1, 2, 1), dtype), "codes": np.zeros((1, 2, 4), dtype)}
    outputs["codes"][0, 0, 2] = code
    return outputs


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("value", [1e4, 60.0, np.nan])  # infinite; in float32 an infinite area; none
@pytest.mark.parametrize("name", SCENES)
def test_a_box_that_overflowed_is_no_detection(name: str, value: float, dtype: Any) -> None:
    """The others are what they are without it, and the wrong one is not among them."""
    outputs = SCENES[name][1](dtype)
    first = arrays_of(outputs)[1 if isinstance(outputs, dict) else 0]
    at: Any = (0, 1) if isinstance(outputs, dict) else (0, 0, slice(0, 5)) if name == "YOLOv1" else (0, 0, slice(2, 4), 1, 1)
    criterion = made(name)
    before = criterion.select(outputs, score_threshold=0.0, iou_threshold=1.0, max_detections=10_000)
    first[at] = value
    boxes, _ = criterion.decode(outputs)
    after = criterion.select(outputs, score_threshold=0.0, iou_threshold=1.0, max_detections=10_000)
    assert all(np.isfinite(found.boxes).all() for found in after)
    with np.errstate(over="ignore", invalid="ignore"):
        lost = int((~np.isfinite((boxes[0, :, 2:] - boxes[0, :, :2]).prod(axis=1))).sum())
    if value > 0 and name in ("YOLOv1", "ScaledYOLOv4"):
        assert lost == 0  # squares and sigmoids
    elif value == 1e4 or np.isnan(value) or (dtype == np.float32 and name != "SSD"):  # SSD's code is a fifth of it
        assert lost
    assert len(before[1].boxes) == len(after[1].boxes)


def test_select_names_nan_where_it_is_asked_to() -> None:
    for call in ("decode", "select"):
        with pytest.raises(ReflossError, match="RetinaNet: outputs must be numbers, got NaN in the codes of image 0"):
            getattr(RetinaNet(1, TWO, 30, check=True), call)(head(math.nan))


@pytest.mark.parametrize("box_loss", ["iou", "log_iou", "giou"])
@pytest.mark.parametrize("code", [1e3, math.inf, math.nan])
def test_a_side_that_overflowed_reaches_the_loss(box_loss: Any, code: float) -> None:
    """IoU is 0 of an infinite box, and its slope no number: whoever skips a step on a loss that is not finite must see it."""
    criterion = RetinaNet(1, TWO, 30, box_loss=box_loss)
    terms, gradient = criterion.value_and_grad(head(code), ONE)
    assert np.isnan(terms["box"]) and np.isnan(criterion(head(code), ONE)["box"])
    assert np.isnan(gradient["codes"]).any()
    assert np.isfinite(criterion(head(1.0), ONE)["box"])
    if code == 1e3:
        with pytest.raises(
            ReflossError, match=r"RetinaNet: outputs must be codes of boxes with a finite area, got codes \[0.0, 0.0, 1000.0"
        ):
            RetinaNet(1, TWO, 30, box_loss=box_loss, check=True)(head(code), ONE)
        assert np.isfinite(RetinaNet(1, TWO, 30, box_loss=box_loss, wh_clip=4.0)(head(code), ONE)["box"])


@pytest.mark.parametrize("box_loss", ["iou", "ciou"])
def test_yolov4s_too(box_loss: str) -> None:
    outputs = SCENES["YOLOv4"][1](np.float32)
    for array in outputs:
        array[:, :, 2:4] = 1e3
    assert np.isnan(made("YOLOv4", box_loss=box_loss)(outputs, truths())["box"])


def test_hubers_loss_of_delta_0_is_refused() -> None:
    with pytest.raises(ReflossError, match=r'RetinaNet: beta must be above 0 with box_loss="huber", got 0; .*say box_loss="l1"'):
        RetinaNet(1, TWO, 30, box_loss="huber", beta=0.0)


def test_none_is_the_dialects_normalizer() -> None:
    outputs, wanted = SCENES["FCOS"][1](np.float64), truths()
    assert made("FCOS", normalizer=None)(outputs, wanted) == made("FCOS", normalizer="batch")(outputs, wanted)


FLAGS = [
    *((name, "check") for name in SCENES), ("RetinaNet", "low_quality_matches"), ("FCOS", "weigh_by_centerness"), ("FCOS", "normalize"),
    ("YOLOv1", "iou_as_confidence"), ("YOLOv1", "square_roots"), ("YOLOv2", "softmax"), ("YOLOv2", "iou_as_objectness"),
    ("YOLOv2", "through_sigmoid"), ("YOLOv2", "small_boxes_count_more"), ("YOLOv2", "warm_up"), ("YOLOv3", "small_boxes_count_more"),
    ("YOLOv4", "average_box"), ("YOLOv4", "iou_as_objectness"), ("ScaledYOLOv4", "iou_as_objectness"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "argument"), FLAGS)
def test_a_choice_of_two_is_a_bool(name: str, argument: str) -> None:
    for value in ("no", 0, np.float64(1)):
        with pytest.raises(TypeError, match=f"{name}: {argument} must be True or False, got "):
            made(name, **{argument: value})
    assert getattr(criteria, name).__init__.__kwdefaults__[argument] in (True, False, None)  # all of them are asked
    made(name, **{argument: np.bool_(False)})


def test_every_choice_of_two_is_asked() -> None:
    for name in SCENES:
        hints = getattr(criteria, name).__init__.__annotations__
        two = {argument for argument, hint in hints.items() if hint in (bool, bool | None)}
        assert two == {argument for known, argument in FLAGS if known == name}


def test_padded_lists_of_integers() -> None:
    """A list says nothing of its type, padded or not; an array of integers does."""
    criterion, outputs = RetinaNet(1, TWO, 30), head(0.0, np.float64)
    padded: dict[str, Any] = {"gt_boxes": [[[0, 0, 9, 9], [0, 0, 0, 0]]], "gt_labels": [[0, 0]], "counts": [1]}
    assert criterion(outputs, padded) == criterion(outputs, ONE)
    with pytest.raises(ReflossError, match=r"targets\['gt_boxes'\] must be an array of float64"):
        criterion(outputs, {**padded, "gt_boxes": np.array(padded["gt_boxes"])})
    with pytest.raises(ReflossError, match=r"targets\['gt_labels'\] must be an array of one shape, got rows of different lengths"):
        criterion(outputs, {**padded, "gt_labels": [[0], [0, 0]]})
    with pytest.raises(ReflossError, match="targets must be a list of mappings"):
        criterion(outputs, "none")


def test_nan_does_not_become_0_in_a_relu() -> None:
    locations = [[4.0, 4.0, 8.0], [12.0, 4.0, 8.0]]
    outputs = {"classes": np.zeros((1, 2, 1)), "codes": np.full((1, 2, 4), np.nan), "centerness": np.zeros((1, 2))}
    target = [{"gt_boxes": [[0.0, 0.0, 16.0, 8.0]], "gt_labels": [0]}]
    for dialect in ("detectron2", "torchvision", "paper"):
        criterion = FCOS(1, locations, 16, size_ranges=((0, 64),), dialect=dialect)  # type: ignore[arg-type]
        assert np.isnan(criterion(outputs, target)["box"])


def test_one_divisor_each_is_the_sum_of_images() -> None:
    """SSD's whole batch at once: with a divisor for each image as with one."""
    outputs, wanted = SCENES["SSD"][1](np.float64), truths()
    each, whole = (made("SSD", normalizer=n).value_and_grad(outputs, wanted) for n in ("image", 1.0))
    counts = [len(made("SSD")._assign({}, criteria._targets.Truth(t["gt_boxes"], t["gt_labels"])).pairs) for t in wanted]
    assert len(set(counts)) == 3
    for i, count in enumerate(counts):
        for part in ("codes", "classes"):
            np.testing.assert_allclose(each[1][part][i] * 3 * max(1, count), whole[1][part][i], rtol=1e-14)
    one = [
        made("SSD", normalizer=3.0 * max(1, n))({k: v[i : i + 1] for k, v in outputs.items()}, [wanted[i]]) for i, n in enumerate(counts)
    ]
    for term, value in each[0].items():
        assert value == pytest.approx(sum(image[term] for image in one), rel=1e-14)


def test_an_ssd300_batch_against_the_formula() -> None:
    """Large enough for pieces and threads: softmax cross entropy in float64, written out, of the matched and the mined."""
    rng = np.random.default_rng(3)
    priors, images, classes = ssd_default_boxes(**SSD300), 3, 90
    outputs = {
        "classes": rng.standard_normal((images, len(priors), classes + 1), np.float32),
        "codes": rng.standard_normal((images, len(priors), 4), np.float32),
    }
    wanted = []
    for count in (40, 0, 60):
        low = rng.uniform(0, 200, (count, 2)).astype(np.float32)
        boxes = np.concatenate([low, low + rng.uniform(10, 100, (count, 2)).astype(np.float32)], axis=1)
        wanted.append({"gt_boxes": boxes, "gt_labels": rng.integers(0, classes, count)})
    terms, gradient = criteria.SSD(classes, priors, 300).value_and_grad(outputs, wanted)
    found = [assign.ssd(priors, truth["gt_boxes"]) for truth in wanted]
    n, total = sum(len(one.pairs) for one in found), 0.0
    assert 4 * n * (classes + 1) > 2 * SERIAL_BELOW
    for x, truth, one, slope in zip(outputs["classes"].astype(np.float64), wanted, found, gradient["classes"], strict=True):
        labels = np.zeros(len(priors), np.int64)
        labels[one.pairs[:, 0]] = 1 + truth["gt_labels"][one.pairs[:, 1]]
        p = np.exp(x) / np.exp(x).sum(axis=1, keepdims=True)
        losses = -np.log(p[np.arange(len(p)), labels])
        counted = one.positive | hard_negatives(losses, one)
        assert counted.sum() == 4 * len(one.pairs)
        total += losses[counted].sum() / n
        p[np.arange(len(p)), labels] -= 1
        np.testing.assert_allclose(slope, np.where(counted[:, None], p, 0) / n, rtol=1e-5, atol=1e-9)
    assert terms["classes"] == pytest.approx(total, rel=1e-6)

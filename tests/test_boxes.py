"""Formats and IoU."""

import os
import subprocess
import sys
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from inputs import random_inputs

import refloss
from refloss import boxes
from refloss._engine.record import REGISTRY

NUMBER = st.integers(0, 1000).map(float)


@settings(max_examples=200, deadline=None)
@given(st.tuples(NUMBER, NUMBER, NUMBER, NUMBER), st.sampled_from(boxes.FORMATS), st.sampled_from(boxes.FORMATS))
def test_there_and_back(numbers: Any, source: Any, target: Any) -> None:
    x, y, w, h = numbers
    start = boxes.convert([x, y, w, h], "xywh", source, image_size=(512, 256))
    back = boxes.convert(boxes.convert(start, source, target, image_size=(512, 256)), target, source, image_size=(512, 256))
    np.testing.assert_allclose(back, start, rtol=0, atol=1e-11 * 2000)


def test_by_hand() -> None:
    box = [10.0, 20.0, 30.0, 60.0]
    assert boxes.convert(box, "xyxy", "xywh").tolist() == [10, 20, 20, 40]
    assert boxes.convert(box, "xyxy", "cxcywh").tolist() == [20, 40, 20, 40]
    assert boxes.convert(box, "xyxy", "rel_xyxy", image_size=(100, 50)).tolist() == [0.2, 0.2, 0.6, 0.6]
    assert boxes.convert(np.array(box, ml_dtypes.bfloat16), "xyxy", "xywh").dtype == ml_dtypes.bfloat16
    assert boxes.area(box) == 800


def test_the_matrix_agrees_with_aligned_pairs_and_with_the_loss() -> None:
    one, two = random_inputs(REGISTRY["iou_loss"], 300)
    matrix = refloss.iou_matrix(one, two)
    np.testing.assert_array_equal(np.diag(matrix), refloss.iou(one, two))
    np.testing.assert_allclose(1 - refloss.iou(one, two), refloss.iou_loss(one, two), atol=1e-15)
    assert matrix.shape == (300, 300)
    assert 0.01 < matrix.mean() < 0.5
    np.testing.assert_array_equal(refloss.iou_matrix(two, one), matrix.T)


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
def test_edges(dtype: Any) -> None:
    point, box = np.array([[1, 1, 1, 1]], dtype), np.array([[0, 0, 2, 2]], dtype)
    assert refloss.iou(point, point) == 0
    assert refloss.iou(box, box) == 1
    assert refloss.iou_matrix(point, point).dtype == dtype
    assert refloss.iou_matrix(box[:0], box).shape == (0, 1)
    assert np.isnan(refloss.iou_matrix(box * np.array(np.nan, dtype), box)).all()


def test_empty_unions_and_empty_lists() -> None:
    """Both functions have one rule: a union below 2^-126 is none."""
    tiny = np.array([[0, 0, 1e-20, 1e-20]])
    assert refloss.iou(tiny, tiny).tolist() == refloss.iou_matrix(tiny, tiny)[0].tolist() == [0]
    assert refloss.iou([], []).shape == (0,)
    assert refloss.iou_matrix([], [[0.0, 0, 1, 1]]).shape == (0, 1)


def test_without_numbas_compiler() -> None:
    """NUMBA_DISABLE_JIT, with which people debug their own code: loops without a kernel run as Python."""
    code = "import refloss; print(refloss.iou_matrix([[0.0, 0, 2, 2]], [[0.0, 0, 2, 1]]), refloss.boxes.nms([[0.0, 0, 2, 2]], [1.0]))"
    done = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, "NUMBA_DISABLE_JIT": "1"}, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["[[0.5]]", "[0]"]

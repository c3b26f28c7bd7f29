"""Bad input gets one sentence: the function, the argument, what was wanted, what was got, and the way out."""

from typing import Any

import numpy as np
import pytest

import refloss

X, T, B = np.zeros(3), np.zeros(3), np.array([[0.0, 0, 2, 2]])
ROWS, LABELS = np.zeros((3, 2)), np.array([0, 1, 1])
CASES = [
    (refloss.focal_loss, (X, T[:2]), {}, ValueError, "targets must be of the shape of logits (3,), got (2,)"),
    (refloss.focal_loss, (X.astype(int), T), {}, TypeError, "logits must be an array of float64, float32"),
    (refloss.focal_loss, (np.array([None]), T[:1]), {}, TypeError, "got dtype object"),
    (refloss.focal_loss, (X, T.astype(np.float32)), {}, TypeError, "targets must be of the dtype of logits (float64)"),
    (refloss.focal_loss, (X, T + 2), {}, ValueError, "targets must be in [0, 1], got 2.0 at flat index 0"),
    (refloss.focal_loss, (X, T * np.nan), {}, ValueError, "targets must be in [0, 1], got nan"),
    (refloss.focal_loss, (X, T), {"gamma": -1}, ValueError, "gamma must be in [0, 10000], got -1"),
    (refloss.focal_loss, (X, T), {"gamma": float("nan")}, ValueError, "gamma must be in"),
    (refloss.focal_loss, (X, T), {"gamma": "2"}, TypeError, "gamma must be a number, got str"),
    (refloss.focal_loss, (X, T), {"alpha": 1.5}, ValueError, "alpha must be in [0, 1], got 1.5"),
    (refloss.focal_loss, (X, T), {"alpha": [0.2, 0.8]}, TypeError, "alpha must be a number in [0, 1] or None, got list"),
    (refloss.focal_loss, (X, T), {"reduction": "avg"}, ValueError, "reduction must be 'none' or 'mean' or 'sum', got 'avg'"),
    (refloss.focal_loss, (X, T), {"normalizer": 0, "reduction": "sum"}, ValueError, "normalizer must be positive and finite, got 0"),
    (refloss.focal_loss, (X, T), {"normalizer": 3, "reduction": "mean"}, ValueError, "normalizer must be None with reduction"),
    (refloss.focal_loss, (X, T), {"weights": np.zeros(2)}, ValueError, "weights must be of a shape that broadcasts to (3,), got (2,)"),
    (refloss.focal_loss, (X, T), {"weights": "a"}, TypeError, "weights must be an array of numbers"),
    (refloss.binary_cross_entropy, (X, T), {"label_smoothing": -0.1}, ValueError, "label_smoothing must be in [0, 1]"),
    (
        refloss.focal_loss_with_integer_labels,
        (ROWS, LABELS + 1),
        {},
        ValueError,
        "labels must be in [0, 1] or NEGATIVE (-1), IGNORE (-2), got 2",
    ),
    (refloss.focal_loss_with_integer_labels, (ROWS, LABELS - 3), {}, ValueError, "got -3"),
    (refloss.focal_loss_with_integer_labels, (ROWS, LABELS * 1.0), {}, TypeError, "labels must be an array of integers"),
    (
        refloss.focal_loss_with_integer_labels,
        (ROWS, LABELS[:2]),
        {},
        ValueError,
        "labels must be of the shape of logits without its last axis",
    ),
    (refloss.softmax_cross_entropy_with_integer_labels, (ROWS, LABELS - 1), {}, ValueError, "or IGNORE (-2), got -1"),
    (refloss.softmax_focal_loss_with_integer_labels, (ROWS, LABELS), {"gamma": -1}, ValueError, "gamma must be"),
    (refloss.smooth_l1_loss, (X, T), {"beta": -1}, ValueError, "beta must be at least 0, got -1"),
    (refloss.huber_loss, (X, T), {"delta": float("nan")}, ValueError, "delta must be at least 0, got nan"),
    (
        refloss.iou_loss,
        (B[:, ::-1], B),
        {},
        ValueError,
        "boxes must be boxes with x2 >= x1 and y2 >= y1, got [2.0, 2.0, 0.0, 0.0] at index 0",
    ),
    (refloss.ciou_loss, (B, B[:, ::-1]), {}, ValueError, "target_boxes must be boxes with x2 >= x1"),
    (refloss.ciou_loss, (B, -B), {"box_format": "cxcywh"}, ValueError, "target_boxes must be boxes with w >= 0 and h >= 0"),
    (refloss.iou_loss, (B[:, :3], B[:, :3]), {}, ValueError, "boxes must be of shape (..., 4), got (1, 3)"),
    (refloss.iou_loss, (B, B), {"kind": "ln"}, ValueError, "kind must be 'linear' or 'log' or 'squared'"),
    (refloss.iou_loss, (B, B), {"box_format": "xywh"}, ValueError, "box_format must be 'xyxy' or 'cxcywh'"),
    (refloss.ciou_loss, (B, B), {"differentiate_alpha": 1}, TypeError, "differentiate_alpha must be True or False"),
    (refloss.prior_bias, (0.0,), {}, ValueError, "pi must be strictly between 0 and 1"),
    (refloss.iou, (B[:, ::-1], B), {}, ValueError, "boxes must be boxes with x2 >= x1"),
    (refloss.iou_matrix, (B, B[0]), {}, ValueError, "others must be of shape (n, 4)"),
    (refloss.boxes.convert, (B, "xyxy", "rel_xyxy"), {}, ValueError, "image_size must be (height, width)"),
    (refloss.boxes.convert, (B, "ltrb", "xyxy"), {}, ValueError, "source must be 'xyxy'"),
]


@pytest.mark.parametrize(("function", "arguments", "options", "kind", "text"), CASES, ids=lambda v: v if isinstance(v, str) else "")
def test_one_sentence(function: Any, arguments: Any, options: Any, kind: type[Exception], text: str) -> None:
    with pytest.raises(refloss.ReflossError) as caught:
        function(*arguments, **options)
    message = str(caught.value)
    assert isinstance(caught.value, kind)
    name = getattr(function, "name", function.__name__)
    assert message.startswith(f"{name}: ")
    assert text in message
    assert message.count("\n") == 0
    assert "; " in message, "no way out is named"


def test_wrong_calls_are_python_errors() -> None:
    with pytest.raises(TypeError, match="unexpected keyword argument 'gama'"):
        refloss.focal_loss(X, T, gama=2)  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="missing a required argument: 'targets'"):
        refloss.focal_loss(X)  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="positional"):
        refloss.focal_loss(X, T, 0.25)  # type: ignore[misc]

"""Bad input to coders gets one sentence, and the row is named."""

import math
import re
from typing import Any

import numpy as np
import pytest
from coder_inputs import BOX, CELL, PLACE, PRIOR, rows

import refloss
from refloss._engine.coding import CODINGS
from refloss.coders import DeltaCoder, LTRBCoder, YOLOCoder, YOLOv1Coder

# ---- Bad input

NAN = np.array([[math.nan, 20.0, 50.0, 100.0]])
BAD = [
    (DeltaCoder, ((1, 1),), {}, TypeError, "DeltaCoder: weights must be four numbers"),
    (DeltaCoder, ("1111",), {}, TypeError, "DeltaCoder: weights must be four numbers"),
    (DeltaCoder, ([1, 1, 1, [1]],), {}, TypeError, "DeltaCoder: weights must be four numbers (x, y, w, h), got [1, 1, 1, [1]]"),
    *[
        (DeltaCoder, ((1, 1, w, 1),), {}, ValueError, f"DeltaCoder: weights must be in [1e-30, 1e+30], got {w:g}")
        for w in (0, -1, math.nan, math.inf, 1e-50, 2e30)
    ],
    (DeltaCoder, (), {"wh_clip": -1}, ValueError, "DeltaCoder: wh_clip must be at least 0, got -1"),
    (DeltaCoder, (), {"wh_clip": "4"}, TypeError, "DeltaCoder: wh_clip must be a number, got str"),
    (DeltaCoder, (), {"box_format": "xywh"}, ValueError, "DeltaCoder: box_format must be 'xyxy' or 'cxcywh', got 'xywh'"),
    (YOLOCoder, (0.5,), {}, ValueError, "YOLOCoder: scale_xy must be at least 1, got 0.5"),
    (YOLOCoder, (math.inf,), {}, ValueError, "YOLOCoder: scale_xy must be finite, got inf"),
    (YOLOCoder, (), {"size": "sigmoid"}, ValueError, "YOLOCoder: size must be 'exp' or 'squared_sigmoid', got 'sigmoid'"),
    (YOLOCoder, (), {"border": 0.5}, ValueError, "YOLOCoder: border must be in [0, 0.25], got 0.5"),
    (LTRBCoder, (), {"activation": "relu"}, ValueError, "LTRBCoder: activation must be 'linear' or 'exp', got 'relu'"),
    (LTRBCoder, (), {"normalize": 1}, TypeError, "LTRBCoder: normalize must be True or False, got int"),
    (DeltaCoder().encode, (BOX[:, :3], PRIOR), {}, ValueError, "DeltaCoder.encode: boxes must be of shape (..., 4), got (1, 3)"),
    (DeltaCoder().encode, (BOX, CELL), {}, ValueError, "DeltaCoder.encode: priors must be of shape (..., 4), got (1, 5)"),
    (YOLOCoder().encode, (BOX, PRIOR), {}, ValueError, "YOLOCoder.encode: priors must be of shape (..., 5), got (1, 4)"),
    (LTRBCoder().decode, (BOX, CELL), {}, ValueError, "LTRBCoder.decode: priors must be of shape (..., 3), got (1, 5)"),
    (DeltaCoder().encode, (BOX, 3.0), {}, ValueError, "DeltaCoder.encode: priors must be of shape (..., 4), got ()"),
    (DeltaCoder().encode, (BOX.astype(int), PRIOR), {}, TypeError, "DeltaCoder.encode: boxes must be an array of float64, float32"),
    (DeltaCoder().encode, (BOX, PRIOR.astype(int)), {}, TypeError, "DeltaCoder.encode: priors must be an array of float64, float32"),
    (DeltaCoder().encode, (BOX.astype(np.float32), PRIOR), {}, TypeError, "priors must be of the dtype of boxes (float32), got float64"),
    (
        DeltaCoder().decode, (BOX.astype(np.float16), PRIOR), {}, TypeError,
        "DeltaCoder.decode: priors must be of the dtype of codes (float16) or float32, got float64; convert with priors.astype(np.float32)",
    ),
    (DeltaCoder().encode, (BOX[[0, 0]], PRIOR[[0, 0, 0]]), {}, ValueError, "priors must be of a shape that ends that of boxes (2, 4)"),
    (DeltaCoder().encode, (BOX, PRIOR[None]), {}, ValueError, "priors must be of a shape that ends that of boxes (1, 4)"),
    (DeltaCoder().encode, (BOX[[0, 0]], PRIOR), {}, ValueError, "but for the last axis, got (1, 4); give one prior for each row"),
    (DeltaCoder().encode, ([], PRIOR), {}, ValueError, "priors must be of a shape that ends that of boxes (0, 4)"),
    (DeltaCoder().encode, ([[0, 0, 1e39, 1]], PRIOR.astype(np.float32)), {}, ValueError, "boxes must be finite, got [0.0, 0.0, inf, 1.0]"),
    (DeltaCoder().decode, (BOX.astype(np.float32), [[0, 0, 1e39, 1]]), {}, ValueError, "priors must be finite, got [0.0, 0.0, inf, 1.0]"),
    (DeltaCoder().encode_vjp, (BOX, PRIOR, BOX[0]), {}, ValueError, "encode_vjp: upstream must be of the shape and dtype of boxes"),
    (DeltaCoder().decode_vjp, (BOX, PRIOR, BOX.astype(np.float32)), {}, ValueError, "of codes float64(1, 4), got float32(1, 4)"),
    (DeltaCoder().encode, (NAN, PRIOR), {}, ValueError, "DeltaCoder.encode: boxes must be finite, got [nan, 20.0, 50.0, 100.0] at index 0"),
    (DeltaCoder().encode_vjp, (NAN, PRIOR, BOX), {}, ValueError, "DeltaCoder.encode_vjp: boxes must be finite"),
    (YOLOCoder().encode, (NAN * 0 + CELL[:, :4], CELL), {}, ValueError, "YOLOCoder.encode: boxes must be finite"),
    (YOLOv1Coder().encode, (BOX * math.inf, PLACE), {}, ValueError, "YOLOv1Coder.encode: boxes must be finite"),
    (LTRBCoder().encode, (BOX * math.inf, PLACE), {}, ValueError, "LTRBCoder.encode: boxes must be finite"),
    (DeltaCoder().encode, (BOX[:, ::-1], PRIOR), {}, ValueError, "x2 >= x1 and y2 >= y1, got [100.0, 50.0, 20.0, 10.0] at index 0"),
    (YOLOv1Coder().encode, (BOX[:, ::-1], PLACE), {}, ValueError, "YOLOv1Coder.encode: boxes must be boxes with x2 >= x1 and y2 >= y1"),
    (LTRBCoder().encode, (BOX[:, ::-1], PLACE), {}, ValueError, "LTRBCoder.encode: boxes must be boxes with x2 >= x1 and y2 >= y1"),
    (YOLOCoder().encode, (BOX[:, ::-1], CELL), {}, ValueError, "YOLOCoder.encode: boxes must be boxes with x2 >= x1"),
    (YOLOCoder(border=0.1).encode, (BOX[:, ::-1], CELL), {}, ValueError, "YOLOCoder.encode: boxes must be boxes with x2 >= x1"),
    (DeltaCoder(box_format="cxcywh").encode, (-BOX, PRIOR), {}, ValueError, "boxes must be boxes with w >= 0 and h >= 0"),
    (DeltaCoder().encode, (BOX, PRIOR * [1, 1, 0, 1]), {}, ValueError, "with x2 > x1 and y2 > y1, got [10.0, 10.0, 0.0, 30.0]"),
    (DeltaCoder().decode, (BOX, PRIOR[:, ::-1]), {}, ValueError, "DeltaCoder.decode: priors must be rows with x2 > x1 and y2 > y1"),
    (DeltaCoder().decode, (BOX, PRIOR * math.inf), {}, ValueError, "DeltaCoder.decode: priors must be finite"),
    (YOLOCoder().decode, (BOX / 100, CELL * [1, 1, 0, 1, 1]), {}, ValueError, "YOLOCoder.decode: priors must be rows with width"),
    (YOLOCoder().decode, (BOX / 100, CELL * [1, 1, 1, 1, -1]), {}, ValueError, "YOLOCoder.decode: priors must be rows with width"),
    (YOLOCoder().decode, (BOX / 100, CELL + np.array([math.inf, 0, 0, 0, 0])), {}, ValueError, "YOLOCoder.decode: priors must be finite"),
    (YOLOv1Coder().decode, (BOX, PLACE * 0), {}, ValueError, "YOLOv1Coder.decode: priors must be rows with a positive grid size"),
    (YOLOv1Coder().decode, (BOX, PLACE + np.array([math.inf, 0, 0])), {}, ValueError, "YOLOv1Coder.decode: priors must be finite"),
    (LTRBCoder().decode, (BOX, PLACE * 0), {}, ValueError, "LTRBCoder.decode: priors must be rows with a positive stride"),
    (LTRBCoder(normalize=False).encode, (BOX, -PLACE), {}, ValueError, "LTRBCoder.encode: priors must be rows with a positive stride"),
    (LTRBCoder().decode, (BOX, PLACE + np.array([math.inf, 0, 0])), {}, ValueError, "LTRBCoder.decode: priors must be finite"),
    (LTRBCoder(activation="exp").encode, (BOX + 30, PLACE), {}, ValueError, "around the location of their prior, got [40.0, 50.0"),
    (YOLOCoder().encode, (BOX, CELL), {}, ValueError, "centred in the reach of the prior's cell, got [10.0, 20.0, 50.0, 100.0]"),
    (
        YOLOCoder(2, "squared_sigmoid").encode, (np.array([[208.0 - 233, 100, 208 + 233, 120]]), CELL), {}, ValueError,
        "boxes must be at most 4 times as wide and high as the prior, got [-25.0, 100.0, 441.0, 120.0] at index 0; match by shape first",
    ),
    (
        DeltaCoder().encode, (np.array([[3e38, 0, 3.2e38, 1]], np.float32), PRIOR.astype(np.float32)), {}, ValueError,
        "DeltaCoder.encode: boxes must be of a size that float32 can hold",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("function", "arguments", "options", "kind", "text"), BAD, ids=[str(i) for i in range(len(BAD))])
def test_one_sentence(function: Any, arguments: Any, options: Any, kind: type[Exception], text: str) -> None:
    with pytest.raises(refloss.ReflossError) as caught:
        function(*arguments, **options)
    message = str(caught.value)
    assert isinstance(caught.value, kind)
    assert text in message
    assert message.count("\n") == 0
    assert "; " in message, "no way out is named"


def test_the_row_is_named() -> None:
    boxes, priors = rows(CODINGS["delta_coder.encode"], 1000, np.float32, {})
    boxes[700, [0, 2]] = boxes[700, [2, 0]]
    with pytest.raises(refloss.ReflossValueError, match="at index 700; sort the corners"):
        DeltaCoder().encode(boxes, priors)
    with pytest.raises(refloss.ReflossValueError, match=re.escape("at index (1, 200); sort the corners")):
        DeltaCoder().encode(boxes.reshape(2, 500, 4), priors[:500])
    with pytest.raises(refloss.ReflossValueError, match=re.escape("[0.0, 0.0, 0.0, 1.0] at index 499")):
        DeltaCoder().decode(np.zeros((2, 500, 4)), np.array([[0.0, 0, 1, 1]] * 499 + [[0.0, 0, 0, 1]]))

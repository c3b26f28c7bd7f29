"""Lists and arrays without rows beside arrays of other types: who takes whose dtype."""

from typing import Any

import ml_dtypes
import numpy as np
import pytest
from coder_inputs import CELL

from refloss.coders import DeltaCoder, YOLOCoder

LISTED = [[12, 14, 45, 29], [8.5, 3, 60, 33]]


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, ml_dtypes.bfloat16])
def test_a_list_takes_the_dtype_of_the_array_beside_it(dtype: Any) -> None:
    coder, boxes, priors = DeltaCoder(), np.array(LISTED, dtype), np.array([[10, 10, 50, 30]] * 2, dtype)
    want, slope = coder.encode(boxes, priors), coder.encode_vjp(boxes, priors, np.ones_like(boxes))
    ones = [[1, 1, 1, 1]] * 2
    for x, p in ((boxes, [[10, 10, 50, 30]] * 2), (LISTED, priors), (boxes, priors)):
        codes, gradient = coder.encode(x, p), coder.encode_vjp(x, p, ones)
        assert codes.dtype == gradient.dtype == dtype
        np.testing.assert_array_equal(codes, want)
        np.testing.assert_array_equal(gradient, slope)
    from_upstream = coder.encode_vjp(LISTED, priors.tolist(), np.ones_like(boxes))
    assert from_upstream.dtype == dtype
    np.testing.assert_array_equal(from_upstream, slope)
    assert coder.encode(LISTED, priors.tolist()).dtype == np.float64


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_an_array_of_no_rows_takes_the_dtype_of_the_other(dtype: Any) -> None:
    coder, none = YOLOCoder(), np.zeros((0, 5), dtype)
    for boxes in ([], np.zeros((0, 4))):
        assert coder.encode(boxes, none).dtype == coder.decode(boxes, none).dtype == dtype
        for upstream in ([], np.zeros((0, 4))):
            found = coder.encode_vjp(boxes, none, upstream)
            assert (found.shape, found.dtype) == ((0, 4), dtype)
    for priors in ([], np.zeros((0, 5), np.float32)):
        assert coder.encode(np.zeros((0, 4), dtype), priors).dtype == dtype
    batch = coder.encode(np.zeros((0, 1, 4)), CELL.astype(dtype))
    assert (batch.shape, batch.dtype) == ((0, 1, 4), dtype)


def test_priors_in_a_list_keep_float32_beside_half_precision() -> None:
    """float16 would make the prior's corners 2047 and 2050."""
    coder, codes, prior = DeltaCoder(box_format="cxcywh"), np.zeros((1, 4), np.float16), [[2047.4, 0, 2049.4, 2]]
    np.testing.assert_array_equal(coder.decode(codes, prior)[0, 2:], 2)
    assert coder.decode(codes, np.array(prior, np.float16))[0, 2] == 3

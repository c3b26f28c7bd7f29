"""Every coding with every setting, random rows inside its domain with the priors they belong to, and a few by hand."""

import math
from typing import Any

import numpy as np
import pytest

import refloss.coders
from refloss._engine import coding
from refloss._engine.coding import CODINGS, Coding

Array = np.ndarray[Any, Any]
MODES = {(c.name, c.setting(**parameters).mode): (c, parameters) for c in CODINGS.values() for parameters in c.settings}
EACH = [(c, parameters) for c in CODINGS.values() for parameters in c.settings]
CLIP = math.log(1000 / 16)
CELL = np.array([[6.0, 3.0, 116.0, 90.0, 32.0]])
BOX = np.array([[10.0, 20.0, 50.0, 100.0]])
PRIOR = np.array([[10.0, 10.0, 50.0, 30.0]])
PLACE = np.array([[28.0, 60.0, 8.0]])


each_coding = pytest.mark.parametrize(
    ("made", "parameters"), EACH, ids=lambda v: v.name if isinstance(v, Coding) else "-".join(map(str, v.values()))
)


def coder_of(made: Coding, parameters: Any) -> Any:
    return getattr(refloss.coders, made.owner)(**parameters)


def are_boxes(made: Coding, parameters: Any) -> tuple[bool, bool]:
    return made.arrays[0] == "boxes" and parameters.get("box_format", "xyxy") == "xyxy", made.owner == "DeltaCoder"


def both(made: Coding, parameters: Any, x: Array, priors: Array, upstream: Array) -> tuple[Array, Array]:
    value, grad = np.empty_like(x), np.empty_like(x)
    coding.run(made, made.setting(**parameters), x, priors, upstream=upstream, value=value, grad=grad)
    return value, grad


def rows(coding: Coding, n: int, dtype: Any, parameters: Any, seed: int = 0) -> tuple[Array, Array]:
    """(n, 4) boxes or codes, and (n, prior_size) priors."""
    rng = np.random.default_rng(seed)
    given = {**coding.defaults, **parameters}
    make = {"DeltaCoder": _delta, "YOLOv1Coder": _yolov1, "YOLOCoder": _yolo, "LTRBCoder": _ltrb}[coding.owner]
    boxes, codes, priors = make(rng, n, given)
    return (boxes if coding.arrays[0] == "boxes" else codes).astype(dtype), priors.astype(dtype)


def _corners(centre: Array, size: Array) -> Array:
    return np.concatenate([centre - size / 2, centre + size / 2], axis=1)


def _delta(rng: Any, n: int, given: Any) -> tuple[Array, Array, Array]:
    centre, size = rng.uniform(-50, 1000, (n, 2)), np.exp(rng.uniform(0, 6, (n, 2)))
    moved, grown = centre + size * rng.standard_normal((n, 2)), size * np.exp(rng.normal(0, 1.5, (n, 2)))
    boxes = np.concatenate([moved, grown], axis=1) if given["box_format"] == "cxcywh" else _corners(moved, grown)
    codes = rng.normal(0, 1.5, (n, 4)) * 10 ** rng.uniform(-2, 0.3, (n, 1)) * np.array(given["weights"])
    return boxes, codes, _corners(centre, size)


def _yolov1(rng: Any, n: int, given: Any) -> tuple[Array, Array, Array]:
    cells = rng.choice([3, 7, 13], (n, 1)).astype(float)
    cell = np.floor(rng.random((n, 2)) * cells)
    place, root = rng.random((n, 2)), rng.random((n, 2))
    boxes = _corners((cell + place) / cells, root * root)
    return boxes, np.concatenate([place, root], axis=1), np.concatenate([cell, cells], axis=1)


def _yolo(rng: Any, n: int, given: Any) -> tuple[Array, Array, Array]:
    stride, cell = rng.choice([8.0, 16.0, 32.0, 64.0], (n, 1)), rng.integers(0, 60, (n, 2)).astype(float)
    anchor = np.exp(rng.uniform(2, 6, (n, 2)))
    codes = np.concatenate([rng.normal(0, 2, (n, 2)), rng.normal(0, 1, (n, 2))], axis=1) * 10 ** rng.uniform(-1, 0.3, (n, 1))
    s = 1 / (1 + np.exp(-codes))
    centre = (given["scale_xy"] * (s[:, :2] - 0.5) + 0.5 + cell) * stride
    grown = anchor * (np.exp(codes[:, 2:]) if given["size"] == "exp" else (2 * s[:, 2:]) ** 2)
    return _corners(centre, grown), codes, np.concatenate([cell, anchor, stride], axis=1)


def _ltrb(rng: Any, n: int, given: Any) -> tuple[Array, Array, Array]:
    stride, place = rng.choice([8.0, 16.0, 32.0, 64.0, 128.0], (n, 1)), rng.uniform(0, 1000, (n, 2))
    codes = rng.normal(0, 1.5, (n, 4))
    far = np.exp(codes) * (stride if given["normalize"] else 1)
    return np.concatenate([place - far[:, :2], place + far[:, 2:]], axis=1), codes, np.concatenate([place, stride], axis=1)

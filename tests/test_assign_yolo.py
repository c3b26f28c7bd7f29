"""YOLO's assigners: scenes worked by hand, the equality side of every threshold, and 10^4 random scenes against the references."""

import importlib
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from draws import generator

from oracle.decisions import Decisions
from refloss import IGNORE, NEGATIVE, ReflossError
from refloss.assign import scaled_yolov4, yolov1, yolov2, yolov3, yolov4
from refloss.priors import Grid, prior_boxes, yolo_priors, yolov3_grids

Array = np.ndarray[Any, Any]
ASSIGNERS: dict[str, Callable[..., Any]] = {
    "yolov1": yolov1, "yolov2": yolov2, "yolov3": yolov3, "yolov4": yolov4, "scaled_yolov4": scaled_yolov4,
}  # fmt: skip
REFERENCES = {name: getattr(importlib.import_module(f"oracle.references.{name}"), name) for name in ASSIGNERS}
TWO = Grid(((10.0, 10.0), (30.0, 30.0)), stride=16, height=2, width=2)
SCALES = (Grid(((10.0, 10.0), (10.0, 40.0)), 16, 2, 2), Grid(((40.0, 40.0),), 32, 1, 1))
THREE = Grid(((10.0, 10.0),), stride=16, height=3, width=3)


def centred(x: float, y: float, w: float, h: float) -> list[float]:
    return [x - w / 2, y - h / 2, x + w / 2, y + h / 2]


# By hand.


def test_yolov1_on_2_x_2_cells() -> None:
    """Two predictors a cell, numbered by row, column, box:  0 1 | 2 3
                                                             ----+----
                                                             4 5 | 6 7
    Truth 0, centre (1/4, 3/4), lies in the lower left cell. Predictor 4 is [0, .5, .25, 1]: intersection with the truth
    [0, .5, .5, 1] is 1/8, union 1/4, IoU 1/2. Predictor 5 is the truth itself, IoU 1.
    Truth 1, centre (3/4, 1/4), upper right: neither 2 nor 3 overlaps it. Its (x, y, w, h) is (.75, .25, .5, .5); predictor 2 is
    (.125, .625, .25, .25): squares .390625 + .140625 + .0625 + .0625; 3 is (.875, .875, .25, .25): .015625 + .390625 + .125, less.
    """
    predicted = np.zeros((2, 2, 2, 4))
    predicted[1, 0] = [[0.0, 0.5, 0.25, 1.0], [0.0, 0.5, 0.5, 1.0]]
    predicted[0, 1] = [[0.0, 0.5, 0.25, 0.75], [0.75, 0.75, 1.0, 1.0]]
    truths = [[0.0, 0.5, 0.5, 1.0], [0.5, 0.0, 1.0, 0.5]]
    found = yolov1(predicted, truths, grid=2)
    assert found.gt_index.tolist() == [-1, -1, -1, 1, -1, 0, -1, -1]
    assert found.pairs.tolist() == [[5, 0], [3, 1]]
    assert yolov1(predicted.reshape(8, 4), truths, grid=2).pairs.tolist() == [[5, 0], [3, 1]]


def test_yolov1_two_truths_in_one_cell() -> None:
    """The first listed holds the cell, unless it has no area."""
    predicted, one, two = np.zeros((2, 2, 1, 4)), [0.0, 0.0, 0.4, 0.4], [0.1, 0.1, 0.3, 0.3]
    assert yolov1(predicted, [one, two], grid=2).pairs.tolist() == [[0, 0]]
    assert yolov1(predicted, [two, one], grid=2).pairs.tolist() == [[0, 0]]
    assert yolov1(predicted, [[0.2, 0.1, 0.2, 0.3], one], grid=2).pairs.tolist() == [[0, 1]]


def test_yolov1_on_borders() -> None:
    """3 x 3 cells of 1/3: (1/2, 1/2) is inside the middle one. 2 x 2: it is on the corner of all four, and belongs to the last."""
    middle = [0.25, 0.25, 0.75, 0.75]
    assert yolov1(np.zeros((9, 4)), [middle], grid=3).pairs.tolist() == [[4, 0]]
    assert yolov1(np.zeros((4, 4)), [middle], grid=2).pairs.tolist() == [[3, 0]]
    right, corner = [0.75, 0.0, 1.25, 0.5], [0.75, 0.75, 1.25, 1.25]  # centres (1, 1/4) and (1, 1)
    assert yolov1(np.zeros((4, 4)), [right, corner], grid=2).pairs.tolist() == [[1, 0], [3, 1]]
    assert yolov1(np.zeros((4, 4)), [[-0.25, 0.0, 0.25, 0.5]], grid=2).pairs.tolist() == [[0, 0]]


def test_yolov1_ties_take_the_first_predictor() -> None:
    truth = [0.25, 0.25, 0.75, 0.75]
    overlapping, apart = [[0.25, 0.25, 0.5, 0.5], [0.5, 0.5, 0.75, 0.75]], [[0.0, 0.0, 0.125, 0.125], [0.875, 0.875, 1.0, 1.0]]
    assert yolov1(overlapping, [truth], grid=1).pairs.tolist() == [[0, 0]]
    assert yolov1(apart, [truth], grid=1).pairs.tolist() == [[0, 0]]


def test_yolov1_as_darknet() -> None:
    """x = 1 falls into the next row, on its left border: there predictor 1 of cell (0, 1) fits, where 0 would fit the true place."""
    predicted = np.zeros((2, 2, 2, 4))
    predicted[1, 0] = [[0.75, 0.0, 1.25, 0.5], [-0.25, 0.5, 0.25, 1.0]]
    right = [0.75, 0.0, 1.25, 0.5]
    assert yolov1(predicted, [right], grid=2, dialect="darknet").pairs.tolist() == [[5, 0]]
    for lost in ([0.75, 0.5, 1.25, 1.0], [0.0, 0.75, 0.5, 1.25]):  # x = 1 in the last row; y = 1
        assert yolov1(predicted, [lost], grid=2, dialect="darknet").pairs.tolist() == []
        assert len(yolov1(predicted, [lost], grid=2).pairs) == 1
    thin, less = [0.0, 0.0, 0.005, 0.5], [0.0, 0.0, 0.00499, 0.5]
    assert len(yolov1(predicted, [thin], grid=2, dialect="darknet").pairs) == 1
    assert len(yolov1(predicted, [less], grid=2, dialect="darknet").pairs) == 0
    assert len(yolov1(predicted, [less], grid=2).pairs) == 1


def test_yolov2_on_2_x_2_cells() -> None:
    """Anchor 0 (10 x 10) has priors 0 to 3, anchor 1 (30 x 30) 4 to 7, each by row, then column.

    Truth 0, 12 x 10 about (22, 9): shape IoU 100/120 with anchor 0, 120/900 with 1; upper right cell: prior 1.
    Truth 1, 30 x 30 about (17, 16): anchor 1, lower right cell: prior 7. Truth 2, 30 x 20 about (20, 20): 100/600 and 600/900, prior 7
    again: later, so it has the index. Truth 3 is empty.
    """
    truths = [centred(22, 9, 12, 10), centred(17, 16, 30, 30), centred(20, 20, 30, 20), centred(5, 5, 0, 9)]
    found = yolov2([TWO], truths, ignore_threshold=1)
    assert found.gt_index.tolist() == [-1, 0, -1, -1, -1, -1, -1, 2]
    assert found.pairs.tolist() == [[1, 0], [7, 1], [7, 2]]


def test_the_ignore_test_looks_at_predicted_boxes() -> None:
    """Truth [0, 0, 10, 10] is prior 0's. IoU of the predictions [0, 0, 10, 20]: 1/2; [0, 0, 10, 16]: 5/8; the others: 0."""
    predicted = np.zeros((8, 4))
    predicted[[0, 3, 5]], predicted[[1, 6]] = [0, 0, 10, 16], [0, 0, 10, 20]
    truth = [[0.0, 0.0, 10.0, 10.0]]
    for assign in (yolov2, yolov3):
        found = assign([TWO], truth, predicted_boxes=predicted, ignore_threshold=0.5)
        assert found.gt_index.tolist() == [0, -1, -1, IGNORE, -1, IGNORE, -1, -1]
        assert assign([TWO], truth, predicted_boxes=predicted, ignore_threshold=0.49).gt_index.tolist() == [0, -2, -1, -2, -1, -2, -2, -1]
        assert assign([TWO], truth, predicted_boxes=predicted, ignore_threshold=0.625).gt_index.tolist() == [0] + [-1] * 7
    assert yolov4([TWO], truth, predicted_boxes=predicted, ignore_threshold=0.5).gt_index.tolist() == [0, -1, -1, -2, -1, -2, -1, -1]


def test_without_predictions_the_priors_are_tested() -> None:
    """Anchor 1's box in the upper left cell is [-7, -7, 23, 23]; of [0, 0, 23, 23] it covers 529 of 900, IoU 529/900 = 0.588."""
    truth = [[0.0, 0.0, 23.0, 23.0]]  # centre (11.5, 11.5); shape IoU 100/529 and 529/900: prior 4 itself
    grid = TWO._replace(shapes=((30.0, 30.0), (23.0, 23.0)))
    for assign in (yolov2, yolov3):
        assert assign([grid], truth, ignore_threshold=0.58).gt_index.tolist() == [-2, -1, -1, -1, 0, -1, -1, -1]
        assert assign([grid], truth, ignore_threshold=0.59).gt_index.tolist() == [-1, -1, -1, -1, 0, -1, -1, -1]
    boxes = prior_boxes(yolo_priors([grid], dtype=np.float64))
    assert yolov3([grid], truth, predicted_boxes=boxes).gt_index.tolist() == yolov3([grid], truth).gt_index.tolist()


def test_yolov3_takes_the_best_of_all_scales() -> None:
    """Priors 0 to 3 and 4 to 7 are the fine scale's two anchors, 8 is the coarse one's.

    10 x 10 about (6, 22): prior 2. 36 x 38 about (16, 16): 36 38 / 1600 = 0.855 with the coarse anchor, 380/1388 with 10 x 40: prior 8.
    20 x 20: 100/400 with each shape (10 x 10: 100/400, 10 x 40: 200/600, 40 x 40: 400/1600), so 10 x 40, at (25, 5): prior 5.
    """
    found = yolov3(SCALES, [centred(6, 22, 10, 10), centred(16, 16, 36, 38), centred(25, 5, 20, 20)], ignore_threshold=1)
    assert found.gt_index.tolist() == [-1, -1, 0, -1, -1, 2, -1, -1, 1]
    assert found.pairs.tolist() == [[2, 0], [8, 1], [5, 2]]


def test_equal_shapes_take_the_first_anchor_of_the_first_grid() -> None:
    same = (TWO._replace(shapes=((20.0, 20.0), (20.0, 20.0))), Grid(((20.0, 20.0),), 32, 1, 1))
    assert yolov3(same, [centred(5, 5, 20, 20)]).pairs.tolist() == [[0, 0]]
    assert yolov3(same[::-1], [centred(5, 5, 20, 20)]).pairs.tolist() == [[0, 0]]
    assert yolov4(same, [centred(5, 5, 20, 20)]).pairs.tolist() == [[4, 0], [8, 0], [0, 0]]


def test_yolov4_adds_every_anchor_of_a_good_shape() -> None:
    """Of a 10 x 10 truth the shape IoUs are 1, 1/4 and 1/16; of one of 10 x 40: 1/4, 1 and 1/4.

    Both have their centre in the lower left cell (8, 24). Extra: truth 0 takes prior 6, truth 1 takes 2 and 8; best: 2 and 6.
    The best matches win their priors, though truth 1 is the later at prior 2.
    """
    truths = [centred(8, 24, 10, 10), centred(8, 24, 10, 40)]
    found = yolov4(SCALES, truths, ignore_threshold=1)
    assert found.pairs.tolist() == [[6, 0], [2, 1], [8, 1], [2, 0], [6, 1]]
    assert found.gt_index.tolist() == [-1, -1, 0, -1, -1, -1, 1, -1, 1]
    assert yolov4(SCALES, truths, iou_threshold=0.25, ignore_threshold=1).pairs.tolist() == [[2, 0], [6, 1]]
    assert yolov4(SCALES, truths, iou_threshold=0.06, ignore_threshold=1).pairs.tolist() == [[6, 0], [8, 0], [2, 1], [8, 1], [2, 0], [6, 1]]
    assert yolov4(SCALES, truths, iou_threshold=1).pairs.tolist() == yolov3(SCALES, truths).pairs.tolist()


def test_a_best_anchor_need_not_be_good() -> None:
    assert yolov4(SCALES, [centred(8, 24, 1, 1)]).pairs.tolist() == [[2, 0]]


@pytest.mark.parametrize("assign", [yolov2, yolov3])
def test_cells_on_borders(assign: Callable[..., Any]) -> None:
    """Centres at 0, 16 (the border of two cells) and 32 (the image's)."""
    for (x, y), cell in {(0, 0): 0, (16, 0): 1, (0, 16): 2, (16, 16): 3, (32, 0): 1, (0, 32): 2, (32, 32): 3, (15.99, 31.99): 2}.items():
        assert assign([TWO], [centred(x, y, 10, 10)]).pairs.tolist() == [[cell, 0]]


def test_as_darknet() -> None:
    """x = 32 runs into the next row, y = 32 into the next anchor; past the scale it is lost, though another scale follows."""
    grids = (TWO, Grid(((100.0, 100.0),), 32, 1, 1))
    for assign in (yolov3, yolov4):
        for (x, y, size), prior in {(32, 8, 10): 2, (8, 32, 10): 4, (32, 24, 10): 4, (32, 32, 10): 6, (32, 8, 30): 6}.items():
            assert assign(grids, [centred(x, y, size, size)], dialect="darknet").pairs.tolist() == [[prior, 0]], (x, y, size)
        for x, y, size in ((8, 32, 30), (32, 24, 30), (32, 8, 100)):
            assert assign(grids, [centred(x, y, size, size)], dialect="darknet").pairs.tolist() == []
            assert len(assign(grids, [centred(x, y, size, size)]).pairs) == 1


@pytest.mark.parametrize("assign", [yolov2, yolov3, yolov4])
def test_darknets_list_ends_at_zero(assign: Callable[..., Any]) -> None:
    first, zero, last = centred(8, 8, 10, 10), centred(0, 8, 8, 8), centred(24, 24, 10, 10)
    near = np.tile(last, (8, 1))
    found = assign([TWO], [first, zero, last], predicted_boxes=near, dialect="darknet")
    assert found.pairs.tolist() == [[0, 0]]
    assert found.gt_index.tolist() == [0] + [-1] * 7  # what is hidden ignores nothing
    assert assign([TWO], [first, zero, last], predicted_boxes=near).gt_index.tolist() == [1, -2, -2, 2, -2, -2, -2, -2]
    padding = [0.0, 0.0, 0.0, 0.0]
    assert assign([TWO], [padding, last], dialect="darknet").pairs.tolist() == []
    assert assign([TWO], [padding, last]).pairs.tolist() == [[3, 1]]


def test_scaled_yolov4_on_3_x_3_cells() -> None:
    """One anchor, so priors are cells:  0 1 2
                                         3 4 5
                                         6 7 8
    Centre (28, 20) is 12 from the left of cell 4 and 4 from its top: neighbours 5 (right) and 1 (above).
    """
    found = scaled_yolov4([THREE], [centred(28, 20, 20, 20)])
    assert found.pairs.tolist() == [[5, 0], [1, 0], [4, 0]]
    assert found.gt_index.tolist() == [-1, 0, -1, -1, 0, 0, -1, -1, -1]


@pytest.mark.parametrize(
    ("x", "y", "near"),
    [
        (24, 24, []), (24, 20, [1]), (23.99, 24, [3]), (24.01, 24, [5]), (24, 28, [7]),  # the middle of a cell has no neighbour
        (16, 24, [3]), (32, 24, [4]), (16, 16, [3, 1]),  # on a border: the other side's cell
        (4, 8, []), (4, 4, []), (12, 8, [1]), (44, 40, []), (36, 44, [7]),  # none outside the grid
        (48, 24, []), (48, 48, []), (0, 0, []),
    ],
)  # fmt: skip
def test_scaled_yolov4_neighbours(x: float, y: float, near: list[int]) -> None:
    found = scaled_yolov4([THREE], [centred(x, y, 10, 10)])
    own = 3 * min(int(y) // 16, 2) + min(int(x) // 16, 2)
    assert found.pairs.tolist() == [[k, 0] for k in [*near, own]]


def test_scaled_yolov4_ratio() -> None:
    """Against 10 x 10: a side of 40 or 2.5 is a ratio of 4, no match; 39.9 and 2.6 match."""
    for w, h in ((40, 10), (10, 40), (2.5, 10), (10, 2.5)):
        assert scaled_yolov4([THREE], [centred(24, 24, w, h)]).pairs.tolist() == []
        assert scaled_yolov4([THREE], [centred(24, 24, w, h)], ratio=4.01).pairs.tolist() == [[4, 0]]
    assert scaled_yolov4([THREE], [centred(24, 24, 39.9, 2.6)]).pairs.tolist() == [[4, 0]]


def test_scaled_yolov4_an_own_cell_beats_a_neighbour() -> None:
    """Both matches of cell 4 and 5: truth 0 lies in 4, to its right; truth 1 in 5, to its left."""
    found = scaled_yolov4([THREE], [centred(28, 24, 10, 10), centred(36, 24, 10, 10)])
    assert found.pairs.tolist() == [[5, 0], [4, 1], [4, 0], [5, 1]]
    assert found.gt_index.tolist() == [-1, -1, -1, -1, 0, 1, -1, -1, -1]
    assert scaled_yolov4([THREE], [centred(24, 24, 10, 10), centred(24, 24, 12, 12)]).gt_index[4] == 1  # of two own cells the later


def test_scaled_yolov4_as_the_authors() -> None:
    """x = 48 runs into the next row; a centre at exactly one cell from the left has no left neighbour."""
    grids = [THREE._replace(shapes=((10.0, 10.0), (11.0, 11.0)))]

    def pairs(x: float, y: float) -> Any:
        return scaled_yolov4(grids, [centred(x, y, 10, 10)], dialect="scaled_yolov4").pairs[:, 0].tolist()

    assert pairs(48, 24) == [5, 14, 6, 15]  # left neighbours 5 and 14, own cells 6 and 15
    assert pairs(48, 40) == [8, 17, 9]  # the second anchor's own cell is past the end
    assert pairs(24, 48) == [7, 16, 10]
    assert pairs(16, 24) == [4, 13]
    assert pairs(16.5, 24) == [3, 12, 4, 13]
    assert pairs(32, 24) == [4, 13, 5, 14]
    assert pairs(24, 16) == [4, 13]


def test_yolov2_by_the_predicted_shapes() -> None:
    """Cell 0 of two anchors, 10 x 10 and 20 x 20; a truth of 10 x 10. The predictions there are 5 x 5 (IoU 1/4) and 8 x 10 (8/10)."""
    grid = TWO._replace(shapes=((10.0, 10.0), (20.0, 20.0)))
    predicted = np.zeros((8, 4))
    predicted[0], predicted[4] = [1, 1, 6, 6], [3, 2, 11, 12]
    truth = [centred(8, 8, 10, 10)]
    assert yolov2([grid], truth, predicted_boxes=predicted).pairs.tolist() == [[0, 0]]
    assert yolov2([grid], truth, predicted_boxes=predicted, match="predicted").pairs.tolist() == [[4, 0]]
    with pytest.raises(ReflossError, match='yolov2: predicted_boxes must be given with match="predicted"'):
        yolov2([grid], truth, match="predicted")


@pytest.mark.parametrize("name", ASSIGNERS)
@pytest.mark.parametrize("none", [[], np.zeros((0, 4), np.float32)])
def test_an_image_without_objects(name: str, none: Any) -> None:
    first = np.zeros((8, 4), np.float32) if name == "yolov1" else [TWO]
    found = ASSIGNERS[name](first, none, **({"grid": 2} if name == "yolov1" else {}))
    assert found.gt_index.tolist() == [NEGATIVE] * 8
    assert found.gt_index.dtype == found.pairs.dtype == np.int64
    assert found.pairs.shape == (0, 2)
    if name in ("yolov2", "yolov3", "yolov4"):
        assert len(ASSIGNERS[name](first, none, predicted_boxes=np.zeros((8, 4), np.float32)).pairs) == 0


@pytest.mark.parametrize("name", ASSIGNERS)
def test_truths_without_area_match_nothing(name: str) -> None:
    empty = np.array([[0.5, 0.25, 0.5, 0.75], [0.25, 0.5, 0.75, 0.5], [0.5, 0.5, 0.5, 0.5], [0.0, 0.0, 0.0, 0.0]])
    first = np.zeros((8, 4)) if name == "yolov1" else [TWO]
    found = ASSIGNERS[name](first, empty * (1 if name == "yolov1" else 32), **({"grid": 2} if name == "yolov1" else {}))
    assert found.gt_index.tolist() == [NEGATIVE] * 8
    assert found.pairs.tolist() == []


@pytest.mark.parametrize("name", ASSIGNERS)
@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16])
def test_half_precision_is_widened(name: str, dtype: Any) -> None:
    """10.5 pixels are exact in both; centres and IoUs are then made in float32."""
    truths = (np.array([[0, 0, 42, 42], [64, 80, 128, 128]]) / (128 if name == "yolov1" else 4)).astype(dtype)
    first = np.zeros((8, 4), dtype) if name == "yolov1" else [TWO]
    wide = np.zeros((8, 4), np.float32) if name == "yolov1" else [TWO]
    keywords = {"grid": 2} if name == "yolov1" else {}
    found = ASSIGNERS[name](first, truths, **keywords)
    assert found.pairs.tolist() == ASSIGNERS[name](wide, truths.astype(np.float32), **keywords).pairs.tolist() != []


def test_more_truths_than_priors() -> None:
    truths = np.random.default_rng(0).uniform(0, 16, (50, 4))
    truths[:, 2:] += truths[:, :2]
    for assign in (yolov3, yolov4, scaled_yolov4):
        found = assign(SCALES, truths)
        assert len(found.pairs) >= 50
        for prior in np.unique(found.pairs[:, 0]):
            assert found.gt_index[prior] == found.pairs[found.pairs[:, 0] == prior][-1, 1]  # the later pair wins
    assert len(yolov1(np.zeros((9, 4)), truths / 32, grid=3).pairs) == len(np.unique((truths[:, :2] + truths[:, 2:]) // (64 / 3), axis=0))


# Against the references, number for number.

SIDES = np.array([0.0, 2.0, 4.0, 8.0, 8.0, 16.0, 32.0])
GRIDS = (
    (TWO,), (THREE._replace(shapes=((8.0, 8.0), (8.0, 8.0))),), (Grid(((5.0, 9.0), (20.0, 16.0)), 12, 2, 3),),
    SCALES, (Grid(((8.0, 8.0), (16.0, 8.0)), 16, 2, 2), Grid(((16.0, 16.0), (8.0, 8.0), (32.0, 16.0)), 32, 1, 1)),
    (Grid(((30.0, 30.0),), 48, 1, 1), Grid(((10.0, 13.0),), 16, 3, 3)), (Grid(((30.0, 30.0),), 24, 1, 2), Grid(((7.0, 7.0),), 12, 2, 4)),
)  # fmt: skip


def boxes_in(rng: Any, n: int, width: int, height: int, lattice: bool) -> Array:
    """Boxes with their centre in the image; on the lattice they make ties of every kind, and some have no area."""
    if lattice:
        x, y, i, j = (rng.random((4, n)) * [[width // 4 + 1], [height // 4 + 1], [7], [7]]).astype(int)
        x, y, w, h = 4 * x, 4 * y, SIDES[i], SIDES[j]
    else:
        x, y, w, h = rng.random((4, n)) * [[width], [height], [45], [45]]
    return np.stack([x - w / 2, y - h / 2, x + w / 2, y + h / 2], axis=1)


def some(rng: Any, *options: Any) -> Any:
    return options[int(rng.random() * len(options))]


def within(truths: Array, width: int, height: int) -> Array:
    """Those whose centre rounding has not moved out of the image."""
    x, y = (truths[:, 0] + truths[:, 2]) / 2, (truths[:, 1] + truths[:, 3]) / 2
    return truths[(x >= 0) & (y >= 0) & (x <= width) & (y <= height)]


def grid_scene(name: str, rng: Any, dtype: Any) -> tuple[Any, Array, dict[str, Any]]:
    grids = some(rng, *GRIDS[: 3 if name == "yolov2" else None])
    width, height = grids[0].width * grids[0].stride, grids[0].height * grids[0].stride
    lattice = rng.random() < 0.6
    truths = within(boxes_in(rng, some(rng, 0, 1, 2, 3, 4, 5), width, height, lattice).astype(dtype), width, height)
    if name == "scaled_yolov4":
        return grids, truths, {"ratio": some(rng, 1.5, 2.0, 4.0), "dialect": some(rng, "paper", "scaled_yolov4")}
    keywords = {"ignore_threshold": some(rng, 0.2, 0.25, 0.5, 0.5, 0.6), "dialect": some(rng, "paper", "darknet")}
    if name == "yolov4":
        keywords["iou_threshold"] = some(rng, 0.125, 0.213, 0.25, 0.5)
    if rng.random() < 0.5:
        keywords["predicted_boxes"] = boxes_in(rng, sum(grid.count for grid in grids), width, height, lattice).astype(dtype)
        if name == "yolov2":
            keywords["match"] = some(rng, "prior", "predicted")
    return grids, truths, keywords


def cell_scene(rng: Any, dtype: Any) -> tuple[Any, Array, dict[str, Any]]:
    side, lattice = some(rng, 1, 2, 3), rng.random() < 0.6
    shrunk = some(rng, 1, 4)  # small predictions: many cells where none overlaps
    predicted = (boxes_in(rng, side * side * some(rng, 1, 2, 3), 32, 32, lattice) / (32 * shrunk)).astype(dtype)
    truths = (boxes_in(rng, some(rng, 0, 1, 2, 3, 4, 5), 32, 32, lattice) / some(rng, 32, 32, 32, 512)).astype(dtype)
    return predicted, within(truths, 1, 1), {"grid": side, "dialect": some(rng, "paper", "darknet")}


def scalars(array: Any, number: Any) -> Any:
    """Rows of scalars, in which the reference computes."""
    if isinstance(array, tuple):
        return array
    return [[number(v) for v in row] for row in array.tolist()]


def reference(name: str, first: Any, truths: Array, keywords: dict[str, Any], number: Any) -> tuple[Any, float]:
    if "predicted_boxes" in keywords:
        keywords = {**keywords, "predicted_boxes": scalars(keywords["predicted_boxes"], number)}
    decisions = Decisions()
    return REFERENCES[name](decisions, scalars(first, number), scalars(truths, number), **keywords), decisions.margin


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", ASSIGNERS)
def test_random_scenes(name: str, dtype: str) -> None:
    rng = generator("assign", name, dtype)
    number = np.float32 if dtype == "float32" else float
    ties = matches = 0
    for _ in range(5000):
        first, truths, keywords = cell_scene(rng, dtype) if name == "yolov1" else grid_scene(name, rng, dtype)
        (gt_index, pairs), margin = reference(name, first, truths, keywords, number)
        found = ASSIGNERS[name](first, truths, **keywords)
        assert found.gt_index.tolist() == gt_index, (first, truths, keywords)
        assert found.pairs.tolist() == [list(pair) for pair in pairs], (first, truths, keywords)
        ties += margin == 0
        matches += len(pairs)
    assert ties > 500
    assert matches > 5000


@pytest.mark.parametrize("name", ASSIGNERS)
def test_the_reference_is_exact_over_fractions(name: str) -> None:
    """Where no decision is near, exact numbers and float32 decide alike."""
    rng = generator("exact", name)
    far = 0
    for _ in range(300):
        first, truths, keywords = cell_scene(rng, np.float32) if name == "yolov1" else grid_scene(name, rng, np.float32)
        (gt_index, pairs), margin = reference(name, first, truths, keywords, Fraction)
        if margin > 1e-5:
            found = ASSIGNERS[name](first, truths, **keywords)
            assert (found.gt_index.tolist(), found.pairs.tolist()) == (gt_index, [list(pair) for pair in pairs])
            far += bool(pairs)
    assert far > 50


# Bad input.

SOME = np.zeros((98, 4))


@pytest.mark.parametrize(
    ("name", "first", "truths", "keywords", "says"),
    [
        ("yolov1", np.zeros((97, 4)), [], {}, r"yolov1: predicted_boxes must be of shape \(7, 7, B, 4\) or \(49 B, 4\), got \(97, 4\)"),
        ("yolov1", np.zeros((0, 4)), [], {}, "predicted_boxes must be of shape"),
        ("yolov1", np.zeros((7, 7, 2, 5)), [], {}, "predicted_boxes must be of shape"),
        ("yolov1", np.zeros((4, 4, 2, 4)), [], {}, r"got \(4, 4, 2, 4\); pass grid="),
        ("yolov1", SOME, [], {"grid": 0}, "grid must be a positive whole number, got 0"),
        ("yolov1", SOME, [], {"dialect": "v1"}, "dialect must be 'paper' or 'darknet', got 'v1'"),
        ("yolov1", np.zeros((98, 4), int), [], {}, "predicted_boxes must be an array of float64"),
        ("yolov1", SOME, [[0.9, 0.0, 1.2, 0.5]], {}, r"centre lies in the image, 1 x 1 as fractions, got \[0.9, 0.0, 1.2, 0.5\] at index"),
        ("yolov1", SOME, [[0.5, 0.0, 0.2, 0.5]], {}, r"gt_boxes must be boxes with x2 >= x1 .* at index 0"),
        ("yolov1", SOME, np.zeros((1, 4), np.float32), {}, r"gt_boxes must be of the dtype of predicted_boxes \(float64\)"),
        ("yolov1", SOME + np.nan, [], {}, "predicted_boxes must be boxes of finite numbers"),
        ("yolov2", SCALES, [], {}, "yolov2: grids must be one Grid in a sequence, got 2; use yolov3"),
        ("yolov2", TWO, [], {}, r"yolov2: grids must be Grids, got tuple; give a sequence of Grid, such as \(grid,\)"),
        ("yolov3", 416, [], {}, "yolov3: grids must be Grids, got 416"),
        ("yolov3", [], [], {}, "grids must be Grids, got nothing"),
        ("yolov3", (TWO, THREE), [], {}, "grids must be grids of one image, got grids of 32 x 32 and 48 x 48 pixels"),
        ("yolov3", [TWO._replace(stride=0)], [], {}, r"grids\[0\].stride must be a positive whole number, got 0"),
        ("yolov3", [TWO._replace(shapes=((0.0, 1.0),))], [], {}, r"grids\[0\].shapes must be \(width, height\) pairs, positive"),
        ("yolov3", [TWO], [[0.0, 0.0, 70.0, 10.0]], {}, r"yolov3: gt_boxes must be boxes whose centre lies in the image, 32 x 32 pixels"),
        ("yolov3", [TWO], [[0.0, np.inf, 70.0, np.inf]], {}, "gt_boxes must be boxes of finite numbers"),
        ("yolov3", [TWO], [0.0, 0.0, 70.0, 10.0], {}, r"gt_boxes must be of shape \(n, 4\)"),
        ("yolov3", [TWO], np.zeros((1, 4), int), {}, "gt_boxes must be an array of float64"),
        ("yolov3", [TWO], [], {"predicted_boxes": SOME}, r"predicted_boxes must be of shape \(8, 4\), got \(98, 4\)"),
        ("yolov3", [TWO], [], {"ignore_threshold": 1.1}, r"yolov3: ignore_threshold must be in \[0, 1\], got 1.1"),
        ("yolov3", [TWO], [], {"ignore_threshold": float("nan")}, "ignore_threshold must be in"),
        ("yolov4", [TWO], [], {"iou_threshold": -0.1}, r"yolov4: iou_threshold must be in \[0, 1\], got -0.1"),
        ("yolov4", [TWO], [], {"iou_threshold": "0.2"}, "iou_threshold must be a number, got str"),
        ("yolov4", [TWO], [], {"dialect": "AlexeyAB"}, "dialect must be 'paper' or 'darknet'"),
        ("scaled_yolov4", [TWO], [], {"ratio": 1}, "scaled_yolov4: ratio must be above 1 and finite, got 1"),
        ("scaled_yolov4", [TWO], [], {"ratio": np.inf}, "ratio must be above 1 and finite, got inf"),
        ("scaled_yolov4", [TWO], [], {"dialect": "darknet"}, "dialect must be 'paper' or 'scaled_yolov4', got 'darknet'"),
    ],
)  # fmt: skip
def test_errors(name: str, first: Any, truths: Any, keywords: dict[str, Any], says: str) -> None:
    with pytest.raises(ReflossError, match=says):
        ASSIGNERS[name](first, truths, **keywords)


def test_many_truths_of_a_large_image() -> None:
    """Sizes as in training: every best match is there, and only ignored priors besides."""
    rng = np.random.default_rng(1)
    truths = boxes_in(rng, 200, 416, 416, False).astype(np.float32)
    found = yolov3(yolov3_grids(416), truths)
    assert len(found) == 10647
    assert len(found.pairs) == 200
    assert set(found.gt_index.tolist()) <= {NEGATIVE, IGNORE, *range(200)}
    assert 0 < found.ignored.sum() < 1000

"""Priors: the counts that the papers print, rows worked by hand, torchvision's generators, and clusters that are there to be found."""

import doctest
import importlib
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import refloss
from harnesses import torchvision_losses  # declares the operators without which torchvision does not import
from refloss import boxes, priors
from refloss.errors import ReflossError
from refloss.priors import SSD300, SSD300_COCO, SSD512, SSD512_COCO, Grid, SSDSettings, clusters, ssd_default_boxes, yolo_priors

assert torchvision_losses
from torchvision.models.detection.anchor_utils import AnchorGenerator, DefaultBoxGenerator  # type: ignore[import-untyped]  # noqa: E402
from torchvision.models.detection.image_list import ImageList  # type: ignore[import-untyped]  # noqa: E402

SIDE = st.integers(1, 9)
MODULES = ("clusters", "fcos", "retinanet", "ssd", "yolo")


@pytest.mark.parametrize("module", MODULES)
def test_examples(module: str) -> None:
    result = doctest.testmod(importlib.import_module(f"refloss.priors.{module}"), optionflags=doctest.NORMALIZE_WHITESPACE)
    assert result.attempted
    assert not result.failed


def test_printed_counts() -> None:
    """98, 845 and 10647 boxes; SSD's table 7: 8732 and 24564; of 800 x 1024, FCOS has 100 x 128 + ... locations."""
    assert len(priors.yolov1_cells()) == 98
    assert sum(grid.count for grid in priors.yolov2_grids(416)) == 845
    assert sum(grid.count for grid in priors.yolov3_grids(416)) == 10647
    assert [len(priors.ssd_default_boxes(**one)) for one in (SSD300, SSD300_COCO, SSD512, SSD512_COCO)] == [8732, 8732, 24564, 24564]
    assert len(priors.fcos_locations((800, 1024))) == 12800 + 3200 + 800 + 208 + 56
    assert len(priors.retinanet_anchors((800, 1024))) == 9 * (12800 + 3200 + 800 + 208 + 56)


# --- YOLO ---


def test_yolo_by_hand() -> None:
    cells = priors.yolov1_cells(3, 1)
    assert cells.tolist() == [[0, 0, 3], [1, 0, 3], [2, 0, 3], [0, 1, 3], [1, 1, 3], [2, 1, 3], [0, 2, 3], [1, 2, 3], [2, 2, 3]]
    assert priors.yolov1_cells(2).tolist() == [[0, 0, 2], [0, 0, 2], [1, 0, 2], [1, 0, 2], [0, 1, 2], [0, 1, 2], [1, 1, 2], [1, 1, 2]]
    grids = priors.yolov3_grids((32, 64), shapes=[[(2, 4)], [(6, 8), (10, 12)]], strides=(16, 32))
    assert grids == (priors.Grid(((2, 4),), 16, 2, 4), priors.Grid(((6, 8), (10, 12)), 32, 1, 2))
    rows = priors.yolo_priors(grids)
    assert rows.dtype == np.float32
    assert rows.tolist() == [
        *([column, row, 2, 4, 16] for row in range(2) for column in range(4)),
        *([column, 0, w, h, 32] for w, h in ((6, 8), (10, 12)) for column in range(2)),
    ]
    # Column 3, row 1 of 16 pixels: centre (56, 24). Column 1, row 0 of 32: centre (48, 16).
    assert priors.prior_boxes(rows)[[7, 11]].tolist() == [[55, 22, 57, 26], [43, 10, 53, 22]]
    assert priors.prior_boxes(rows.astype(np.float16)).dtype == np.float16
    assert priors.prior_boxes(rows[:0]).shape == (0, 4)


def test_yolo_shapes() -> None:
    (voc,), (coco,) = priors.yolov2_grids(416), priors.yolov2_grids(608, shapes="coco")
    assert (voc.height, voc.stride, coco.width) == (13, 32, 19)
    np.testing.assert_allclose(voc.shapes[-1], (359.5648, 320.2272))
    np.testing.assert_allclose(coco.shapes[1], (1.87446 * 32, 2.06253 * 32))
    three, four = priors.yolov3_grids(416), priors.yolov4_grids(608)
    assert [grid.stride for grid in three] == [8, 16, 32]
    assert [grid.shapes[0] for grid in three] == [(10, 13), (30, 61), (116, 90)]
    assert [grid.shapes[-1] for grid in four] == [(40, 28), (72, 146), (459, 401)]
    assert priors.scaled_yolov4_grids(608) == four
    six = priors.scaled_yolov4_grids(1280, shapes="p6")
    assert [(grid.stride, grid.width, grid.shapes[-1]) for grid in six] == [
        (8, 160, (61, 45)), (16, 80, (97, 189)), (32, 40, (324, 451)), (64, 20, (1024, 1024)),
    ]  # fmt: skip
    assert [len(grid.shapes) for grid in priors.scaled_yolov4_grids(896, shapes="p5")] == [4, 4, 4]
    own = priors.kmeans_anchors(np.arange(1.0, 41.0).reshape(20, 2), 4).reshape(2, 2, 2)
    assert [grid.stride for grid in priors.scaled_yolov4_grids(64, shapes=own)] == [8, 16]


@settings(max_examples=100, deadline=None)
@given(SIDE, SIDE, st.integers(1, 3), st.integers(1, 3))
def test_any_yolo_grid(height: int, width: int, one: int, two: int) -> None:
    shapes = [[(5.0 + j, 7.0)] * count for j, count in enumerate((one, two))]
    grids = priors.yolov3_grids((height * 32, width * 32), shapes=shapes, strides=(16, 32))
    rows = priors.yolo_priors(grids)
    assert len(rows) == height * width * (4 * one + two) == sum(grid.count for grid in grids)
    # As a head (anchors, height, width) lies in memory.
    coarse = rows[-two * height * width :].reshape(two, height, width, 5)
    assert (coarse[..., 0] == np.arange(width)).all()
    assert (coarse[..., 1] == np.arange(height)[:, None]).all()
    centres = priors.prior_boxes(rows).reshape(-1, 2, 2).mean(axis=1)
    np.testing.assert_array_equal(centres, (rows[:, :2] + 0.5) * rows[:, 4:])


# --- SSD ---


def test_ssd_sizes() -> None:
    """Caffe's: examples/ssd/ssd_pascal.py, ssd_coco.py and their 512 versions, cut to whole pixels as prior_box_layer does."""
    assert SSD300["sizes"] == (30, 60, 111, 162, 213, 264, 315)
    assert SSD300_COCO["sizes"] == (21, 45, 99, 153, 207, 261, 315)
    assert SSD512["sizes"] == (35, 76, 153, 230, 307, 384, 460, 537)
    assert SSD512_COCO["sizes"] == (20, 51, 133, 215, 296, 378, 460, 542)
    # Equation 4 with m = 5 and, all maps alike, m = 6: 0.2 + 0.7 (k - 1) / 5.
    np.testing.assert_allclose(priors.ssd_sizes(300, 6), (30, 60, 112.5, 165, 217.5, 270, 322.5))
    np.testing.assert_allclose(priors.ssd_sizes(100, 6, first_scale=None), (20, 34, 48, 62, 76, 90, 104))


def test_ssd_by_hand() -> None:
    """Two maps of an image 8 x 16: 1 x 2 cells of 8 pixels, then one cell of the whole image."""
    arguments: dict[str, Any] = {"feature_maps": ((1, 2), 1), "sizes": (4, 9, 16), "aspect_ratios": ((4,), ()), "dtype": np.float64}
    rows = priors.ssd_default_boxes((8, 16), **arguments)
    cell = np.array([[-2, -2, 2, 2], [-3, -3, 3, 3], [-4, -1, 4, 1], [-1, -4, 1, 4]], np.float64)  # 4, 6, 8 x 2, 2 x 8
    last = np.array([[3.5, -0.5, 12.5, 8.5], [2, -2, 14, 10]])  # 9 and 12 around (8, 4)
    np.testing.assert_array_equal(rows, [*np.add(cell, [4, 4, 4, 4]), *np.add(cell, [12, 4, 12, 4]), *last])
    np.testing.assert_array_equal(priors.ssd_default_boxes((8, 16), **arguments, order="extra_last")[:4], rows[[0, 2, 3, 1]])
    corners = priors.ssd_default_boxes((8, 16), **arguments, clip="corners")
    np.testing.assert_array_equal(corners[-2:], [[3.5, 0, 12.5, 8], [2, 0, 14, 8]])
    sizes = priors.ssd_default_boxes((8, 16), **arguments, clip="size")
    np.testing.assert_array_equal(sizes[-2:], [[3.5, 0, 12.5, 8], [2, 0, 14, 8]])
    stepped = priors.ssd_default_boxes((8, 16), **arguments, steps=((8, 6), 40))
    np.testing.assert_array_equal(stepped[4], [7, 2, 11, 6])  # 1.5 steps of 6 across, half a step of 8 down
    np.testing.assert_array_equal(stepped[-1], [14, 14, 26, 26])  # its centre (20, 20) lies outside
    centred = priors.ssd_default_boxes((8, 16), **arguments, steps=((8, 6), 40), clip="centre_size")
    np.testing.assert_array_equal(centred[-1], [10, 4, 22, 12])  # 12 wide, 8 high, around (16, 8)


def test_ssd_first_and_last_rows() -> None:
    rows = priors.ssd_default_boxes(**SSD300)
    np.testing.assert_allclose(rows[0], [-11, -11, 19, 19])  # 30 around (4, 4)
    np.testing.assert_allclose(rows[8728], [18, 18, 282, 282])  # 264 around (150, 150)
    half = math.sqrt(264 * 315) / 2
    np.testing.assert_allclose(rows[8729], [150 - half, 150 - half, 150 + half, 150 + half], rtol=1e-6)
    wide, high = 132 * math.sqrt(2), 132 / math.sqrt(2)
    np.testing.assert_allclose(
        rows[-2:], [[150 - wide, 150 - high, 150 + wide, 150 + high], [150 - high, 150 - wide, 150 + high, 150 + wide]], rtol=1e-6
    )
    own: SSDSettings = {**SSD300, "sizes": priors.ssd_sizes(300, 6), "steps": None}
    paper = priors.ssd_default_boxes(**own)
    np.testing.assert_allclose(paper[0], [300 / 76 - 15, 300 / 76 - 15, 300 / 76 + 15, 300 / 76 + 15], rtol=1e-6)


def torchvision_rows(generator: Any, image: tuple[int, int], maps: list[tuple[int, int]]) -> Any:
    images = ImageList(torch.zeros(1, 3, *image), [image])
    return generator(images, [torch.zeros(1, 1, *size) for size in maps])[0].numpy()


@pytest.mark.parametrize("clip", [True, False])
@pytest.mark.parametrize("steps", [True, False])
@pytest.mark.parametrize("setting", [SSD300, SSD300_COCO, SSD512])
def test_ssd_like_torchvision(setting: Any, steps: bool, clip: bool) -> None:
    """Its SSD300's scales 0.07 to 1.05 are SSD300_COCO's sizes. It computes in float32, whose ulp at 500 pixels is 3e-5."""
    own = dict(setting) if steps else {**setting, "steps": None}
    side = setting["image_size"]
    ratios, scales = [[int(r) for r in one] for one in setting["aspect_ratios"]], [size / side for size in setting["sizes"]]
    generator = DefaultBoxGenerator(ratios, scales=scales, steps=list(setting["steps"]) if steps else None, clip=clip)
    theirs = torchvision_rows(generator, (side, side), [(cells, cells) for cells in setting["feature_maps"]])
    ours = priors.ssd_default_boxes(**own, clip="size" if clip else "none")
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-4)
    if setting is SSD300_COCO:
        np.testing.assert_allclose(scales, [0.07, 0.15, 0.33, 0.51, 0.69, 0.87, 1.05])


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(SIDE, SIDE, st.lists(st.sampled_from([1.5, 2.0, 3.0, 5.0]), max_size=3, unique=True)), min_size=1, max_size=4))
def test_any_ssd_maps(levels: list[tuple[int, int, list[float]]]) -> None:
    maps, ratios = [(h, w) for h, w, _ in levels], [one for *_, one in levels]
    sizes = [10.0 + 5 * k for k in range(len(levels) + 1)]
    rows = priors.ssd_default_boxes((77, 133), maps, sizes, ratios, dtype=np.float64)
    assert len(rows) == sum(h * w * (2 + 2 * len(one)) for h, w, one in levels)
    last = rows[-levels[-1][0] * levels[-1][1] * (2 + 2 * len(ratios[-1])) :].reshape(*maps[-1], -1, 4)
    areas = boxes.area(last)
    np.testing.assert_allclose(np.delete(areas, 1, axis=2), sizes[-2] ** 2)
    np.testing.assert_allclose(areas[..., 1], sizes[-2] * sizes[-1])
    middle = (last[..., :2] + last[..., 2:]) / 2
    np.testing.assert_allclose(middle[-1, -1], np.tile([133 - 133 / maps[-1][1] / 2, 77 - 77 / maps[-1][0] / 2], (last.shape[2], 1)))


# --- RetinaNet and FCOS ---

LEVELS = (32, 64, 128, 256, 512)
TORCHVISION_SIZES = tuple((x, int(x * 2 ** (1 / 3)), int(x * 2 ** (2 / 3))) for x in LEVELS)  # as its retinanet_resnet50_fpn


@pytest.mark.parametrize("image", [(640, 640), (800, 1088), (333, 517)])
def test_retinanet_like_torchvision(image: tuple[int, int]) -> None:
    maps = [(math.ceil(image[0] / s), math.ceil(image[1] / s)) for s in (8, 16, 32, 64, 128)]
    theirs = torchvision_rows(AnchorGenerator(TORCHVISION_SIZES, ((0.5, 1.0, 2.0),) * 5), image, maps)
    strides = [(image[0] // h, image[1] // w) for h, w in maps]
    np.testing.assert_array_equal(priors.retinanet_anchors(image, feature_maps=maps, strides=strides, rounding="torchvision"), theirs)


def test_retinanet_by_hand() -> None:
    """128 pixels: 16 x 16 cells of 8, then 8, 4, 2, 1. Nine anchors a cell, areas 1024, 1625.5, 2580.3 on P3."""
    rows = priors.retinanet_anchors(128, dtype=np.float64)
    assert len(rows) == 9 * (256 + 64 + 16 + 4 + 1)
    third, root = 2 ** (1 / 3), math.sqrt(2)
    wide, high = 16 * root, 16 / root  # ratio h / w = 1 / 2
    np.testing.assert_allclose(rows[:2], [[-wide, -high, wide, high], [-wide * third, -high * third, wide * third, high * third]])
    np.testing.assert_allclose(rows[[3, 6]], [[-16.0, -16, 16, 16], [-high, -wide, high, wide]])
    np.testing.assert_allclose(boxes.area(rows[:9]), 1024 * np.tile([1, third**2, third**4], 3))
    np.testing.assert_allclose(rows[9], [8 - wide, -high, 8 + wide, high])  # the next column
    np.testing.assert_allclose(rows[9 * 16], [-wide, 8 - high, wide, 8 + high])  # the next row
    half = 256 * third**2
    np.testing.assert_allclose(rows[-1], [-half / root, -half * root, half / root, half * root])  # P7's only cell
    np.testing.assert_allclose(
        priors.retinanet_anchors(128, centring="half_stride", dtype=np.float64)[[0, -1]], rows[[0, -1]] + [[4], [64]]
    )
    np.testing.assert_array_equal(priors.retinanet_anchors(128, order="by_scale", dtype=np.float64)[:9], rows[[0, 3, 6, 1, 4, 7, 2, 5, 8]])


def test_retinanet_like_keras_cv() -> None:
    """Rows 0, 4 and the last of keras-cv 0.9.0's AnchorGenerator for 480 x 640, recorded; its ratios are width / height."""
    recorded = [
        [-7.3137083, -18.627417, 15.313708, 26.627417],
        [-16.158737, -16.158737, 24.158737, 24.158737],
        [1.2994385, 160.64972, 1150.7006, 735.3503],
    ]
    rows = priors.retinanet_anchors((480, 640), centring="half_stride", order="by_scale", aspect_ratios=(2, 1, 0.5))
    assert len(rows) == 57600
    np.testing.assert_allclose(rows[[0, 4, -1]], recorded, rtol=0, atol=1e-4)


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 300), st.integers(1, 300))
def test_any_image_is_covered(height: int, width: int) -> None:
    rows = priors.fcos_locations((height, width))
    cells = [(-(-height // s), -(-width // s)) for s in (8, 16, 32, 64, 128)]
    assert len(rows) == sum(h * w for h, w in cells)
    assert len(priors.retinanet_anchors((height, width))) == 9 * len(rows)
    # Each pixel lies in the cell of a location of each stride.
    for (h, w), s in zip(cells, (8, 16, 32, 64, 128), strict=True):
        own = rows[rows[:, 2] == s]
        assert own.shape == (h * w, 3)
        assert own[0].tolist() == [s // 2, s // 2, s]
        assert own[-1].tolist() == [s // 2 + (w - 1) * s, s // 2 + (h - 1) * s, s]
        assert (own[-1, :2] + s / 2 >= [width, height]).all()


def test_fcos_by_hand() -> None:
    rows = priors.fcos_locations((10, 14), strides=(5,))  # floor(5 / 2) = 2
    assert rows.tolist() == [[2, 2, 5], [7, 2, 5], [12, 2, 5], [2, 7, 5], [7, 7, 5], [12, 7, 5]]
    assert ((0, 64), (64, 128), (128, 256), (256, 512), (512, math.inf)) == priors.FCOS_SIZE_RANGES


# --- k-means ---


def three_clusters(seed: int = 3) -> Any:
    random = np.random.default_rng(seed)
    return np.concatenate([np.array(shape) * random.uniform(0.95, 1.05, (200, 2)) for shape in ((10, 30), (60, 25), (100, 150))])


@pytest.mark.parametrize("update", ["mean", "median"])
def test_clusters_are_found(update: Any) -> None:
    sizes = three_clusters()
    shapes = priors.kmeans_anchors(sizes, 3, update=update, dtype=np.float64)
    middle = np.mean if update == "mean" else np.median
    np.testing.assert_allclose(shapes, [middle(sizes[i : i + 200], axis=0) for i in (0, 200, 400)])
    np.testing.assert_array_equal(shapes, priors.kmeans_anchors(sizes, 3, update=update, dtype=np.float64))
    shuffled = np.random.default_rng(0).permutation(sizes)
    np.testing.assert_array_equal(shapes, priors.kmeans_anchors(shuffled, 3, update=update, dtype=np.float64))
    corners = np.concatenate([np.zeros_like(sizes), sizes], axis=1)
    np.testing.assert_array_equal(shapes, priors.kmeans_anchors(corners, 3, update=update, dtype=np.float64))


def test_average_iou() -> None:
    """Against the IoU of boxes with a common corner, which is that with a common centre."""
    sizes = three_clusters()
    shapes = np.array(priors.YOLOV3_SHAPES, np.float64).reshape(9, 2)
    at_origin = [np.concatenate([np.zeros_like(one), one], axis=1) for one in (sizes, shapes)]
    wanted = boxes.iou_matrix(*at_origin).max(axis=1)
    assert priors.average_iou(sizes, shapes) == pytest.approx(wanted.mean(), rel=1e-14)
    assert priors.average_iou(shapes, shapes) == 1
    # (10, 30) fits (16, 30) best, (60, 25) fits (62, 45) and (100, 150) fits (116, 90); then (156, 198), with 0.4856.
    three = np.array([[10.0, 30], [60, 25], [100, 150]])
    assert priors.average_iou(three, shapes) == pytest.approx((300 / 480 + 1500 / 2790 + 9000 / 16440) / 3)
    # Shapes made for these boxes fit better than the paper's.
    assert priors.average_iou(sizes, shapes) < 0.6
    assert priors.average_iou(sizes, priors.kmeans_anchors(sizes, 9)) > 0.95


def naive(sizes: Any, starts: Any, updates: int) -> float:
    """The paper's loop over an IoU matrix, without any of the cares: the average IoU after so many updates."""
    shapes = starts
    for step in range(updates + 1):
        meet = np.minimum(sizes[:, None], shapes).prod(-1)
        iou = meet / (sizes.prod(-1)[:, None] + shapes.prod(-1) - meet)
        if step < updates:
            shapes = np.array([sizes[iou.argmax(1) == j].mean(0) for j in range(len(shapes))])
    return float(iou.max(1).mean())


@pytest.mark.parametrize("update", ["mean", "median"])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_more_updates_never_fit_worse(seed: int, update: Any) -> None:
    random = np.random.default_rng(seed)
    sizes = np.exp(random.normal(4, 1, (400, 2)))
    fits = [
        priors.average_iou(sizes, priors.kmeans_anchors(sizes, 6, seed=seed, starts=1, iterations=n, update=update, dtype=np.float64))
        for n in (1, 2, 3, 5, 8, 13, 21)
    ]
    assert (np.diff(fits) >= -1e-12).all()
    starts = [priors.average_iou(sizes, priors.kmeans_anchors(sizes, 6, seed=seed, starts=n, dtype=np.float64)) for n in (1, 3, 10)]
    assert (np.diff(starts) >= -1e-12).all()
    # Not worse than plain loops from six random boxes, at the median of eleven.
    plain = [naive(sizes, random.permutation(sizes)[:6], 15) for _ in range(11)]
    assert starts[-1] >= np.median(plain) - 1e-12


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(1, 6), st.integers(1, 6)), min_size=1, max_size=30),
    st.integers(1, 5),
    st.sampled_from(["mean", "median"]),
)
def test_duplicates_and_ties(pairs: list[tuple[int, int]], k: int, update: Any) -> None:
    """Small whole sizes: many equal boxes, many ties, clusters that lose all they have."""
    sizes = np.array(pairs, np.float64)
    distinct = np.unique(sizes, axis=0)
    if len(distinct) < k:
        with pytest.raises(refloss.ReflossValueError, match=f"at most the number of distinct sizes, {len(distinct)}, got {k}"):
            priors.kmeans_anchors(sizes, k)
        return
    shapes = priors.kmeans_anchors(sizes, k, update=update, dtype=np.float64)
    assert shapes.shape == (k, 2)
    assert (np.diff(shapes.prod(axis=1)) >= -1e-9).all()
    assert len(np.unique(shapes, axis=0)) == k
    assert (shapes >= sizes.min(axis=0) - 1e-12).all()
    assert (shapes <= sizes.max(axis=0) + 1e-12).all()
    if k == len(distinct):
        assert priors.average_iou(sizes, shapes) == 1
    np.testing.assert_array_equal(shapes, priors.kmeans_anchors(sizes[::-1], k, update=update, dtype=np.float64))
    np.testing.assert_allclose(shapes, priors.kmeans_anchors(np.repeat(sizes, 2, axis=0), k, update=update, dtype=np.float64), rtol=1e-12)


def test_a_shape_without_boxes_moves() -> None:
    labels, iou = np.array([0, 0, 0, 2]), np.array([0.9, 0.4, 0.5, 0.1])
    clusters._refill(labels, iou, np.array([False, True, False]))
    assert labels.tolist() == [0, 1, 0, 2]  # not the last row, which is shape 2's only one
    assert iou.tolist() == [0.9, 1, 0.5, 0.1]
    rows = np.array([[10.0, 10], [10, 10.5], [50, 20]])
    shapes, total = clusters._run(rows, np.ones(3, np.int64), np.array([[30.0, 30], [30, 30]]), False, 10)
    # The first row fits (30, 30) worst and becomes shape 1; the second row follows it.
    assert shapes.tolist() == [[50, 20], [10, 10.25]]
    assert total == pytest.approx(10 / 10.25 + 10.25 / 10.5 + 1)


def test_of_equals_the_first() -> None:
    """6 x 6 has IoU 1 / 2 with both 3 x 6 and 6 x 3."""
    label, iou = clusters._nearest(np.array([[6.0, 6], [6, 3]]), np.array([[3.0, 6], [6, 3], [6, 3]]))
    assert label.tolist() == [0, 1]
    assert iou.tolist() == [0.5, 1]


def test_equal_boxes_count_each() -> None:
    rows, numbers, labels = np.array([[1.0, 2], [5, 4], [9, 9]]), np.array([3, 1, 2]), np.array([0, 0, 1])
    assert clusters._means(rows, numbers.astype(np.float64), labels, 2).tolist() == [[2, 2.5], [9, 9]]
    assert clusters._medians(rows, numbers, labels, 2).tolist() == [[1, 2], [9, 9]]


@pytest.mark.parametrize("drawn", [0.0, 0.5, 1 - 2.0**-53])
def test_a_start_holds_no_box_twice(drawn: float) -> None:
    """Whatever the generator gives, the ends of its range too."""

    class Always:
        random = staticmethod(lambda: drawn)

    rows, numbers = np.array([[1.0, 2], [1, 3], [4, 4], [8, 8], [9, 8]]), np.array([7, 1, 1, 1, 7])
    starts = clusters._start("kmeans_anchors", rows, numbers, 5, Always())  # type: ignore[arg-type]
    assert len(np.unique(starts, axis=0)) == 5


# --- Arguments ---

GRID = priors.yolov3_grids(32)
SSD: dict[str, Any] = {"image_size": 300, "feature_maps": (2, 1), "sizes": (30, 60, 90), "aspect_ratios": ((2,), (2,))}
SIZES = [[1.0, 2.0], [3.0, 4.0]]
BAD: list[tuple[str, tuple[Any, ...], dict[str, Any], str]] = [
    ("yolov1_cells", (0,), {}, "grid must be a positive whole number, got 0"),
    ("yolov1_cells", (7.5,), {}, "grid must be a positive whole number, got 7.5"),
    ("yolov1_cells", (7, True), {}, "boxes must be a positive whole number, got True"),
    ("yolov1_cells", (), {"dtype": np.float16}, "dtype must be float32 or float64, got float16"),
    ("yolov1_cells", (), {"dtype": "nonsense"}, "dtype must be float32 or float64, got 'nonsense'"),
    ("yolov2_grids", (400,), {}, "divisible by the stride 32, got (height 400, width 400); pad the image to multiples of 32"),
    ("yolov3_grids", ((416, 424),), {}, "image_size must be divisible by the stride 16, got (height 416, width 424)"),
    ("yolov3_grids", ((416, 416, 3),), {}, "image_size must be a positive whole number, or (height, width), got (416, 416, 3)"),
    ("yolov3_grids", ("416",), {}, "image_size must be"),
    ("yolov3_grids", (math.nan,), {}, "image_size must be"),
    ("yolov2_grids", (416,), {"shapes": "voc2012"}, "shapes must be 'voc' or 'coco', got 'voc2012'"),
    ("yolov2_grids", (416,), {"shapes": [(1, 0)]}, "shapes must be (width, height) pairs, positive and finite, got 0"),
    ("yolov2_grids", (416,), {"shapes": [(1, 2, 3)]}, "shapes must be (width, height) pairs, positive and finite, got (1, 2, 3)"),
    ("yolov2_grids", (416,), {"shapes": []}, "shapes must be (width, height) pairs, positive and finite, got nothing"),
    ("yolov4_grids", (416,), {"shapes": [[(1, 2)]]}, "shapes must be 3 lists, one for each stride, got 1"),
    ("yolov3_grids", (416,), {"strides": ()}, "strides must be"),
    ("scaled_yolov4_grids", (416,), {"shapes": "p7"}, "shapes must be 'csp' or 'p5' or 'p6', got 'p7'"),
    ("scaled_yolov4_grids", (416,), {"shapes": 3}, "shapes must be"),
    ("yolo_priors", (GRID[0],), {}, "grids must be Grids, got tuple"),
    ("yolo_priors", ((),), {}, "grids must be Grids, got nothing"),
    ("prior_boxes", (np.zeros((3, 4)),), {}, "priors must be of shape (n, 5), got (3, 4)"),
    ("prior_boxes", (np.zeros((3, 5), int),), {}, "priors must be an array of float64"),
    ("ssd_sizes", (300, 2), {}, "levels must be at least 3, got 2"),
    ("ssd_sizes", (300, 6), {"scales": (0.9, 0.2)}, "scales must be (s_min, s_max) and first_scale with 0 < s_min < s_max <= 1"),
    ("ssd_sizes", (300, 6), {"scales": (0.125, 0.9), "rounding": "caffe"}, "scales must be whole per cents"),
    ("ssd_sizes", (300, 6), {"rounding": "floor"}, "rounding must be 'none' or 'caffe', got 'floor'"),
    ("ssd_default_boxes", (), SSD | {"sizes": (30, 60)}, "sizes must be 3 numbers for 2 feature maps, got 2"),
    ("ssd_default_boxes", (), SSD | {"sizes": (30, -60, 90)}, "sizes must be positive sizes in pixels, got -60"),
    ("ssd_default_boxes", (), SSD | {"sizes": (30, math.inf, 90)}, "sizes must be positive sizes in pixels, got inf"),
    ("ssd_default_boxes", (), SSD | {"aspect_ratios": ((2,),)}, "aspect_ratios must be 2 lists of ratios"),
    ("ssd_default_boxes", (), SSD | {"aspect_ratios": (2, 3)}, "aspect_ratios must be 2 lists of ratios"),
    ("ssd_default_boxes", (), SSD | {"aspect_ratios": ((1, 2), (2,))}, "leave out 1, whose two boxes are always there"),
    ("ssd_default_boxes", (), SSD | {"steps": (8,)}, "2 positive numbers or (down, across) pairs, one for each feature map, got 1"),
    ("ssd_default_boxes", (), SSD | {"steps": (8, (1, 2, 3))}, "steps must be"),
    ("ssd_default_boxes", (), SSD | {"clip": True}, "clip must be 'none' or 'corners' or 'size' or 'centre_size', got True"),
    ("ssd_default_boxes", (), SSD | {"order": "caffe"}, "order must be 'extra_second' or 'extra_last', got 'caffe'"),
    ("ssd_default_boxes", (), SSD | {"feature_maps": 38}, "feature_maps must be a size for each feature map, got 38"),
    ("retinanet_anchors", (640,), {"sizes": (32, 64)}, "strides must be 2 positive numbers"),
    ("retinanet_anchors", (640,), {"feature_maps": (80, 40)}, "feature_maps must be 5 sizes, one for each stride, got 2"),
    ("retinanet_anchors", (640,), {"scales": ()}, "scales must be positive numbers, got nothing"),
    ("retinanet_anchors", (640,), {"aspect_ratios": (0,)}, "aspect_ratios must be positive ratios height / width, got 0"),
    ("retinanet_anchors", (640,), {"rounding": True}, "rounding must be 'none' or 'torchvision', got True"),
    ("retinanet_anchors", (640,), {"centring": 0.5}, "centring must be 'corner' or 'half_stride', got 0.5"),
    ("retinanet_anchors", (640,), {"scales": (0.01,), "rounding": "torchvision"}, "sizes must be at least 1 pixel"),
    ("fcos_locations", (640,), {"strides": (8.5,)}, "strides must be a positive whole number, got 8.5"),
    ("fcos_locations", (640,), {"feature_maps": (80,)}, "feature_maps must be 5 sizes"),
    ("kmeans_anchors", (SIZES, 3), {}, "k must be at most the number of distinct sizes, 2, got 3"),
    ("kmeans_anchors", (SIZES, 0), {}, "k must be a positive whole number, got 0"),
    ("kmeans_anchors", ([[1.0, 2.0], [3.0, 0.0]], 1), {}, "of positive, finite width and height, got width 3 and height 0 at index 1"),
    ("kmeans_anchors", ([[1.0, math.nan]], 1), {}, "got width 1 and height nan at index 0"),
    ("kmeans_anchors", ([[0.0, 0.0, math.inf, 1.0]], 1), {}, "got width inf and height 1 at index 0"),
    ("kmeans_anchors", ([[5.0, 5.0, 4.0, 6.0]], 1), {}, "got width -1 and height 1 at index 0"),
    ("kmeans_anchors", ([], 1), {}, "sizes must be of shape (n, 2), or (n, 4) for xyxy boxes, with at least one row, got (0,)"),
    ("kmeans_anchors", (np.ones((3, 2), int), 1), {}, "sizes must be an array of float64"),
    ("kmeans_anchors", (SIZES, 1), {"seed": -1}, "seed must be a whole number of at least 0, got -1"),
    ("kmeans_anchors", (SIZES, 1), {"update": "mode"}, "update must be 'mean' or 'median', got 'mode'"),
    ("average_iou", (SIZES, np.ones((2, 4))), {}, "shapes must be of shape (k, 2)"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "positional", "keywords", "wanted"), BAD)
def test_bad_arguments(name: str, positional: tuple[Any, ...], keywords: dict[str, Any], wanted: str) -> None:
    with pytest.raises(refloss.ReflossError) as caught:
        getattr(priors, name)(*positional, **keywords)
    message = str(caught.value)
    assert message.startswith(f"{name}: ")
    assert wanted in message
    assert "; " in message


@pytest.mark.parametrize("dtype", [np.float32, np.float64, "float64"])
def test_dtypes(dtype: Any) -> None:
    """Rounded once: the float32 rows are the float64 rows, rounded."""
    calls: list[Callable[[Any], Any]] = [
        lambda d: priors.yolov1_cells(dtype=d),
        lambda d: priors.yolo_priors(priors.yolov2_grids(416), dtype=d),
        lambda d: priors.ssd_default_boxes(**SSD300, dtype=d),
        lambda d: priors.retinanet_anchors(333, dtype=d),
        lambda d: priors.fcos_locations(333, dtype=d),
        lambda d: priors.kmeans_anchors(three_clusters(), 3, dtype=d),
    ]
    for call in calls:
        rows = call(dtype)
        assert rows.dtype == np.dtype(dtype)
        assert rows.flags.c_contiguous
        np.testing.assert_array_equal(rows, call(np.float64).astype(dtype))


def test_a_ratio_and_its_inverse_are_one() -> None:
    with pytest.raises(ReflossError, match=r"ssd_default_boxes: aspect_ratios must be ratios that differ, of r and 1 / r only one"):
        ssd_default_boxes(300, [1], [30, 60], [(2, 0.5)])


@pytest.mark.parametrize("grid", [Grid((10, 13), 8, 1, 1), Grid(((10.0, 13.0),), 8, -1, 2), Grid(((1.0, 2.0),), "a", 1, 1)])  # type: ignore[arg-type]
def test_hand_made_grids_are_looked_at(grid: Grid) -> None:
    with pytest.raises(ReflossError, match=r"yolo_priors: grids\[0\]"):
        yolo_priors([grid])

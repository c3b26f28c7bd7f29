"""YOLO's criteria, by hand, by finite differences, and what they say to bad input. The darknet dialects are in test_replay.py.

The hand-worked scene: an image of 32 pixels, 2 x 2 cells of 16, one anchor of 16 x 16, two classes, every output 0; one truth
(4, 4, 20, 20) of class 1. Its centre (12, 12) lies in the first cell, at 3/4 of it on both axes; sigma(0) = 1/2, so the first
cell predicts (0, 0, 16, 16), whose IoU with the truth is 144 / 368 = 0.391304.
"""

import math
from typing import Any

import numpy as np
import pytest
from criteria_scenes import CLASSES, GRIDS, SIDE, arrays_of, heads, made, truths, yolov1_head

from refloss import ReflossError
from refloss.criteria import ScaledYOLOv4, YOLOv1, YOLOv2, YOLOv3, YOLOv4
from refloss.priors import Grid

TWO = Grid(((16.0, 16.0),), 16, 2, 2)
TRUTH = [{"gt_boxes": [[4.0, 4.0, 20.0, 20.0]], "gt_labels": [1]}]
ZEROS = [np.zeros((1, 1, 7, 2, 2))]
LN2 = math.log(2)
YOLOS = ("YOLOv1", "YOLOv2", "YOLOv3", "YOLOv4", "ScaledYOLOv4")


def outputs(name: str) -> Any:
    return yolov1_head() if name == "YOLOv1" else heads(GRIDS[:1] if name == "YOLOv2" else GRIDS)


def near(terms: dict[str, Any], **wanted: float) -> None:
    assert terms.keys() == wanted.keys()
    for name, value in wanted.items():
        assert float(terms[name]) == pytest.approx(value, abs=2e-6), name


def test_yolov1_by_hand() -> None:
    """One predictor, all confidences 0.2, every box a point in its cell's corner.

    box: 5 ((0 - 3/4)^2 + (0 - 3/4)^2 + 2 (0 - sqrt(1/2))^2) = 5 (1.125 + 1) = 10.625.
    objectness: the point's IoU is 0, so 0.2^2 = 0.04; and 3 cells without a truth, 3 * 0.5 * 0.04 = 0.06.
    classes: (0 - 0)^2 + (0 - 1)^2 = 1. With darknet's factor, the half of everything.
    """
    head = np.zeros((1, 2, 2, 7))
    head[..., 4] = 0.2
    near(YOLOv1(2, 32, grid=2, boxes=1)(head, TRUTH), box=10.625, objectness=0.1, classes=1.0)
    near(YOLOv1(2, 32, grid=2, boxes=1, dialect="darknet")(head, TRUTH), box=5.3125, objectness=0.05, classes=0.5)


def test_yolov2_by_hand() -> None:
    """box: the centre's places, 2 * (1/2 - 3/4)^2 / 2 = 0.0625; the sizes are right.

    objectness: 5 (1/2 - 0.391304)^2 / 2 = 0.029537, and 3 * (1/2)^2 / 2 = 0.375. classes: softmax of two zeros, ln 2.
    """
    near(YOLOv2(2, [TWO])(ZEROS, TRUTH), box=0.0625, objectness=0.404537, classes=LN2)


def test_yolov3_by_hand() -> None:
    """box: two binary cross entropies at logit 0, 2 ln 2. objectness: four, none ignored. classes: two.

    In darknet's dialect the box counts 2 - (16 / 32)^2 = 1.75 times.
    """
    near(YOLOv3(2, [TWO])(ZEROS, TRUTH), box=2 * LN2, objectness=4 * LN2, classes=2 * LN2)
    near(YOLOv3(2, [TWO], dialect="darknet")(ZEROS, TRUTH), box=3.5 * LN2, objectness=4 * LN2, classes=2 * LN2)


def test_yolov3_ignores() -> None:
    """Two anchors, 20 x 20 and 16 x 16, and a truth (0, 0, 20, 20). The first anchor's shape is best; the second predicts (0, 0, 16, 16)
    in the same cell, whose IoU 256 / 400 = 0.64 is above 0.5: of eight priors one is positive, one ignored.

    box: the centre (10, 10) at 5/8 of its cell; cross entropies at logit 0 are ln 2 whatever the target.
    """
    grid = Grid(((20.0, 20.0), (16.0, 16.0)), 16, 2, 2)
    terms = YOLOv3(2, [grid])([np.zeros((1, 2, 7, 2, 2))], [{"gt_boxes": [[0.0, 0.0, 20.0, 20.0]], "gt_labels": [0]}])
    near(terms, box=2 * LN2, objectness=7 * LN2, classes=2 * LN2)


def test_yolov4_by_hand() -> None:
    """box: centres (8, 8) and (12, 12), rho^2 = 32, the hull is 20 x 20, c^2 = 800, shapes are equal: 0.07 (1 - 0.391304 + 0.04)."""
    near(YOLOv4(2, [TWO], scale_xy=(1.2,))(ZEROS, TRUTH), box=0.07 * 0.648696, objectness=4 * LN2, classes=2 * LN2)


def test_scaled_yolov4_by_hand() -> None:
    """At 3/4 of the cell the right and the lower neighbour match too: (16, 0, 32, 16) has IoU 48 / 464 = 0.103448, rho^2 = 160,
    c^2 = 28^2 + 20^2 = 1184, so a loss of 1.031687, and the lower one the same.

    box: 0.05 (0.648696 + 2 * 1.031687) / 3. objectness: at logit 0 ln 2 whatever the target, the mean of four. classes: ln 2 / 2.
    """
    near(ScaledYOLOv4(2, [TWO])(ZEROS, TRUTH), box=0.05 * 2.712070 / 3, objectness=LN2, classes=LN2 / 2)


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("YOLOv1", {"iou_as_confidence": False}),
        ("YOLOv1", {"iou_as_confidence": False, "dialect": "darknet", "square_roots": False}),
        ("YOLOv2", {"iou_as_objectness": False}),
        ("YOLOv2", {"iou_as_objectness": False, "softmax": False, "normalizer": "batch"}),
        ("YOLOv2", {"iou_as_objectness": False, "dialect": "darknet"}),
        ("YOLOv3", {}),
        ("YOLOv3", {"normalizer": "image"}),
        ("YOLOv3", {"dialect": "darknet", "normalizer": 3.5}),
        ("YOLOv4", {"box_loss": "diou", "label_smoothing": 0.1}),
        ("YOLOv4", {"box_loss": "giou", "normalizer": lambda counts: sum(counts) + 1}),
        ("ScaledYOLOv4", {"iou_as_objectness": False, "box_weight": 0.0}),
        ("ScaledYOLOv4", {"iou_as_objectness": False, "box_weight": 0.0, "normalizer": 2.0}),
        ("YOLOv4", {"box_loss": "squares"}),
    ],
)
def test_gradients_by_finite_differences(name: str, parameters: dict[str, Any]) -> None:
    """Where targets are constants; CIoU's alpha is one as well, so its box term is tested through its own loss."""
    criterion, given, wanted = made(name, **parameters), outputs(name), truths()
    _, gradient = criterion.value_and_grad(given, wanted)
    rng, step = np.random.default_rng(5), 1e-6
    for array, slope in zip(arrays_of(given), arrays_of(gradient), strict=True):
        for _ in range(40):
            at = tuple(int(rng.integers(n)) for n in array.shape)
            kept, ends = array[at], []
            for sign in (1, -1):
                array[at] = kept + sign * step
                ends.append(float(sum(criterion(given, wanted).values())))
            array[at] = kept
            assert abs((ends[0] - ends[1]) / (2 * step) - slope[at]) < 1e-6 * max(1, abs(slope[at]))


@pytest.mark.parametrize("dialect", ["paper", "darknet"])
@pytest.mark.parametrize("name", YOLOS)
def test_no_object_anywhere(name: str, dialect: str) -> None:
    none = [{"gt_boxes": [], "gt_labels": []}] * 3
    given = outputs(name)
    if (name, dialect) == ("ScaledYOLOv4", "darknet"):
        given = [1 / (1 + np.exp(-head)) for head in given]
    terms, gradient = made(name, dialect=dialect).value_and_grad(given, none)
    assert all(np.isfinite(float(value)) for value in terms.values())
    assert float(terms["classes"]) == 0
    assert name == "YOLOv2" or float(terms["box"]) == 0  # darknet's warm-up draws boxes to their priors
    assert all(np.isfinite(array).all() for array in arrays_of(gradient))


@pytest.mark.parametrize("name", YOLOS)
def test_padded_targets_are_the_same(name: str) -> None:
    one = truths()
    most = max(len(t["gt_labels"]) for t in one) + 2
    padded = {"gt_boxes": np.full((3, most, 4), np.nan), "gt_labels": np.full((3, most), -7), "counts": np.array([3, 0, 5])}
    for i, t in enumerate(one):
        padded["gt_boxes"][i, : len(t["gt_boxes"])], padded["gt_labels"][i, : len(t["gt_labels"])] = t["gt_boxes"], t["gt_labels"]
    assert made(name)(outputs(name), padded) == made(name)(outputs(name), one)


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
@pytest.mark.parametrize("name", YOLOS)
def test_dtypes(name: str, dtype: Any) -> None:
    given = outputs(name)
    lower = given.astype(dtype) if name == "YOLOv1" else [head.astype(dtype) for head in given]
    higher = lower.astype(np.float64) if name == "YOLOv1" else [head.astype(np.float64) for head in lower]
    terms, gradient = made(name).value_and_grad(lower, truths(dtype=np.float32))
    wide = [{**t, "gt_boxes": t["gt_boxes"].astype(np.float64)} for t in truths(dtype=np.float32)]
    exact, slopes = made(name).value_and_grad(higher, wide)
    for term, value in terms.items():
        assert float(value) == pytest.approx(float(exact[term]), rel=1e-5)
    for array, slope in zip(arrays_of(gradient), arrays_of(slopes), strict=True):
        assert array.dtype == dtype
        np.testing.assert_allclose(array, slope, rtol=2e-3 if dtype == np.float16 else 1e-4, atol=1e-4 if dtype == np.float16 else 1e-5)


@pytest.mark.parametrize("name", YOLOS)
def test_select(name: str) -> None:
    found = made(name).select(outputs(name), score_threshold=0.02, max_detections=5)
    boxes, scores = made(name).decode(outputs(name))
    assert len(found) == len(boxes) == 3
    for image, every in zip(found, scores, strict=True):
        assert len(image.scores) <= 5
        assert (np.diff(image.scores) <= 0).all()
        assert image.scores[0] == every.max()


@pytest.mark.parametrize(
    ("name", "parameters", "given", "wanted", "says"),
    [
        ("YOLOv3", {}, ZEROS, TRUTH, "YOLOv3: outputs must be a list of 2 arrays, one for each grid, got 1 arrays"),
        ("YOLOv3", {}, ZEROS * 2, TRUTH, r"outputs\[0\] must be of shape \(images, 2, 8, 4, 4\), got \(1, 1, 7, 2, 2\); reshape"),
        ("YOLOv1", {}, ZEROS[0], TRUTH, r"YOLOv1: outputs must be of shape \(images, 4, 4, 13\)"),
        ("YOLOv3", {}, None, TRUTH, r"targets must be one mapping for each of 3 images, got 1"),
        ("YOLOv3", {}, None, [{"gt_boxes": [[0.0, 0, 9, 9]], "gt_labels": [3]}] * 3, r"gt_labels must be in \[0, 2\], got 3 at index 0"),
        ("YOLOv3", {}, None, [{"gt_boxes": [[0.0, 0, 9, 9]], "gt_labels": [0.5]}] * 3, "gt_labels must be integers"),
        ("YOLOv3", {}, None, [{"gt_boxes": [[0.0, 0, 70, 9]], "gt_labels": [0]}] * 3, r'inside the image .*; say outside="clip"'),
        ("YOLOv3", {}, None, [{"gt_boxes": [[9.0, 0, 0, 9]], "gt_labels": [0]}] * 3, "finite, with x2 >= x1"),
        ("YOLOv3", {"dialect": "tensorflow"}, None, TRUTH, "dialect must be 'paper' or 'darknet', got 'tensorflow'"),
        ("YOLOv3", {"normalizer": -1}, None, None, "YOLOv3: normalizer must be at least 0, got -1"),
        ("YOLOv4", {"box_loss": "siou"}, None, TRUTH, "box_loss must be 'iou' or"),
        ("ScaledYOLOv4", {"balance": (1.0,)}, None, TRUTH, "balance must be one number for each of 2 grids, got 1"),
    ],
)
def test_bad_input(name: str, parameters: dict[str, Any], given: Any, wanted: Any, says: str) -> None:
    with pytest.raises(ReflossError, match=says):
        made(name, **parameters)(outputs(name) if given is None else given, truths() if wanted is None else wanted)


def test_nan_is_named() -> None:
    given = heads()
    given[1][2, 0, 4, 1, 1] = np.nan
    with pytest.raises(ReflossError, match="YOLOv3: outputs must be numbers, got NaN in the objectness of image 2"):
        made("YOLOv3", check=True)(given, truths())


def test_boxes_that_leave_the_image() -> None:
    beyond = [{"gt_boxes": [[40.0, 40.0, 80.0, 72.0]], "gt_labels": [0]}] * 3
    inside = [{"gt_boxes": [[40.0, 40.0, SIDE, SIDE]], "gt_labels": [0]}] * 3
    assert made("YOLOv3", outside="clip")(heads(), beyond) == made("YOLOv3")(heads(), inside)
    assert made("YOLOv3", outside="keep")(heads(), beyond) != made("YOLOv3")(heads(), inside)
    assert CLASSES == 3


def test_the_squares_of_yolov4_have_a_true_gradient() -> None:
    """sigma' and scale_xy are in it, in the paper's dialect; darknet leaves them out."""
    criterion, given, wanted = made("YOLOv4", box_loss="squares", dialect="paper"), outputs("YOLOv4"), truths()
    _, gradient = criterion.value_and_grad(given, wanted)
    pairs = [(k, at) for k, slope in enumerate(gradient) for at in np.argwhere(slope[:, :, :4] != 0)[::7].tolist()]
    assert len(pairs) > 5
    for k, at in pairs:
        kept, ends = given[k][tuple(at)], []
        for sign in (1, -1):
            given[k][tuple(at)] = kept + sign * 1e-6
            ends.append(float(criterion(given, wanted)["box"]))
        given[k][tuple(at)] = kept
        assert abs((ends[0] - ends[1]) / 2e-6 - gradient[k][tuple(at)]) < 1e-6


@pytest.mark.parametrize("bad", [np.nan, np.inf, 100.0])
@pytest.mark.parametrize("name", ["YOLOv1", "YOLOv2", "YOLOv3", "YOLOv4"])
def test_outputs_that_overflow_do_not_raise(name: str, bad: float) -> None:
    """float32 exp(100) is infinite; mixed precision skips such a step, so the loss must not stop the run."""
    given = outputs(name)
    given = given.astype(np.float32) if name == "YOLOv1" else [head.astype(np.float32) for head in given]
    if name == "YOLOv1":
        given[0, 0, 0, 2] = bad
    else:
        given[0][0, 0, 2, 0, 0] = bad
    terms, _ = made(name).value_and_grad(given, truths(dtype=np.float32))
    assert set(terms) == {"box", "objectness", "classes"}


@pytest.mark.parametrize("name", ["YOLOv1", "YOLOv2", "YOLOv3", "YOLOv4"])
def test_nan_at_matched_priors_reaches_the_loss(name: str) -> None:
    given = outputs(name)
    for head in arrays_of(given):
        head[...] = np.nan  # of every predictor: YOLOv1 would take another
    assert np.isnan(float(made(name).value_and_grad(given, truths())[0]["box"]))


def test_darknet_rules_that_no_open_recording_shows() -> None:
    """Two truths of classes 0 and 1 at one prior, where the average over growing classes is, or is not, taken.

    With iou_threshold 1 darknet's code does not average: the box gradient is that of both truths, added; else half of it.
    """
    two = [{"gt_boxes": [[4.0, 4.0, 20.0, 20.0], [5.0, 5.0, 21.0, 21.0]], "gt_labels": [0, 1]}]
    slopes = []
    for threshold in (1.0, 0.999):
        criterion = YOLOv4(2, [TWO], scale_xy=(1.0,), dialect="darknet", iou_threshold=threshold)
        slopes.append(criterion.value_and_grad(ZEROS, two)[1][0][0, 0, :4, 0, 0])
    np.testing.assert_allclose(slopes[0], 2 * slopes[1])
    assert np.abs(slopes[0]).max() > 0
    # YOLOv2 with logistic classes keeps the class of the earlier truth; with softmax the later one's replaces it
    classes = [
        YOLOv2(2, [TWO], dialect="darknet", softmax=softmax, warm_up=False).value_and_grad(ZEROS, two)[1][0][0, 0, 5:, 0, 0]
        for softmax in (False, True)
    ]
    assert [c.tolist() for c in classes] == [[-0.5, -0.5], [0.5, -0.5]]


def test_yolov1_sizes_below_zero_meet_nothing() -> None:
    """A head that gives sizes themselves: -0.5 x 0.5 in the truth's place has IoU 0, so its confidence is to be 0."""
    head = np.zeros((1, 2, 2, 7))
    head[0, 0, 0] = [0.75, 0.75, -0.5, 0.5, 0.2, 0, 0]
    terms = YOLOv1(2, 32, grid=2, boxes=1, square_roots=False)(head, TRUTH)
    near(terms, box=5 * 1.0, objectness=0.04, classes=1.0)
    head[0, 0, 0, 2] = 0.5
    near(YOLOv1(2, 32, grid=2, boxes=1, square_roots=False)(head, TRUTH), box=0.0, objectness=0.64, classes=1.0)


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: YOLOv4(2, [TWO]), "YOLOv4: scale_xy must be one number for each of 1 grids, got 3"),
        (lambda: YOLOv4(2, [TWO], scale_xy=1.05), "YOLOv4: scale_xy must be one number for each grid, got 1.05"),  # type: ignore[arg-type]
        (lambda: YOLOv3(2.5, [TWO]), "YOLOv3: classes must be a positive whole number, got 2.5"),  # type: ignore[arg-type]
        (lambda: YOLOv3(2, []), "YOLOv3: grids must be Grids"),
        (lambda: YOLOv3(2, [TWO], outside="foo"), "YOLOv3: outside must be 'error' or 'clip' or 'keep'"),  # type: ignore[arg-type]
        (lambda: YOLOv3(2, [TWO], normalizer=0), "YOLOv3: normalizer must be positive and finite"),
        (lambda: YOLOv4(2, [TWO], scale_xy=(1,), label_smoothing=2), r"YOLOv4: label_smoothing must be in \[0, 1\], got 2"),
        (lambda: ScaledYOLOv4(2, [TWO], box_loss="giou"), "ScaledYOLOv4: box_loss must be left out with dialect='paper'"),
        (lambda: ScaledYOLOv4(2, [TWO], dialect="darknet", ratio=3), "ScaledYOLOv4: ratio must be left out with dialect='darknet'"),
        (lambda: ScaledYOLOv4(2, [TWO], dialect="darknet")([ZEROS[0] - 1], TRUTH), r"ScaledYOLOv4: outputs must be in \[0, 1\]"),
        (lambda: YOLOv1(2, 32.5), "YOLOv1: image_size must be"),  # type: ignore[arg-type]
    ],
)
def test_bad_settings(make: Any, says: str) -> None:
    with pytest.raises(ReflossError, match=says):
        make()

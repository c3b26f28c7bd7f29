"""refloss.criteria.SSD, RetinaNet and FCOS: by hand, against torchvision's compute_loss, by differences, and at the borders.

`python tests/test_criteria_flat.py` records torchvision's values again, in tests/recordings.
"""

import json
import math
import pathlib
import pickle
from typing import Any

import numpy as np
import pytest
from flat_scenes import RANGES, SIDE, cast, criterion, scene

from refloss.criteria import FCOS, SSD, MovingAverage, RetinaNet
from refloss.criteria._targets import Truth
from refloss.criteria.fcos import DIALECTS as OF_FCOS
from refloss.criteria.retinanet import DIALECTS as OF_RETINANET
from refloss.criteria.ssd import DIALECTS as OF_SSD
from refloss.errors import ReflossError

Array = np.ndarray[Any, Any]
RECORDED = pathlib.Path(__file__).parent / "recordings" / "torchvision_criteria.json"
LN2, LN3 = math.log(2), math.log(3)
DIALECTS = [("ssd", d) for d in OF_SSD] + [("retinanet", d) for d in OF_RETINANET] + [("fcos", d) for d in OF_FCOS]
FOUR = [[0.0, 0.0, 10.0, 10.0], [20.0, 20.0, 30.0, 30.0], [40.0, 40.0, 50.0, 50.0], [60.0, 60.0, 70.0, 70.0]]


def one(boxes: Any, labels: Any) -> list[dict[str, Any]]:
    return [{"gt_boxes": boxes, "gt_labels": labels}]


# By hand


@pytest.mark.parametrize(("ratio", "mined"), [(1.0, [2]), (2.0, [2, 3]), (3.0, [1, 2, 3])])
def test_ssd_by_hand(ratio: float, mined: list[int]) -> None:
    """Four priors, one object, one pixel to the right of prior 0: its codes are (1 / 10) / 0.1 = 1, then 0, 0, 0. N = 1.

    box: predicted (0.5, 0, 0, 3), so smooth L1 of -0.5 and of 3: 0.125 + 2.5.
    classes: the logits (background, object) make the background's cross entropy
        prior 1: (ln 3, 0): ln(4 / 3);  prior 2: (0, ln 3): ln 4;  prior 3: (0, 0): ln 2;
    so prior 2 is mined first, then 3, then 1. Prior 0 has (0, 0), and ln 2 for the object.
    Gradient: of a mined prior (p_0 - 1, p_1), of prior 0 (p_0, p_1 - 1). With the background last, both columns are the other way round.
    """
    classes = np.array([[[0, 0], [LN3, 0], [0, LN3], [0, 0]]])
    codes = np.zeros((1, 4, 4))
    codes[0, 0] = 0.5, 0, 0, 3
    target = one([[1.0, 0.0, 11.0, 10.0]], [0])
    for alpha, background, order in ((1.0, 0, slice(None)), (2.0, -1, slice(None, None, -1))):
        made = SSD(1, FOUR, 80, ratio=ratio, alpha=alpha, background=background)
        terms, gradient = made.value_and_grad({"classes": classes[..., order], "codes": codes}, target)
        assert terms["box"] == pytest.approx(alpha * 2.625, rel=1e-14)
        of_background = [0, math.log(4 / 3), math.log(4), LN2]
        assert terms["classes"] == pytest.approx(LN2 + sum(of_background[i] for i in mined), rel=1e-14)
        wanted = np.array([[0.5, -0.5], [-0.25, 0.25], [-0.75, 0.75], [-0.5, 0.5]])
        wanted[[i for i in (1, 2, 3) if i not in mined]] = 0
        np.testing.assert_allclose(gradient["classes"][0][:, order], wanted, atol=1e-15)
        np.testing.assert_allclose(gradient["codes"][0, 0], np.array([-0.5, 0, 0, 1]) * alpha, atol=1e-14)
        assert not gradient["codes"][0, 1:].any()


def test_ssd_mmdet_by_hand() -> None:
    """The background is the last column, and an image without objects counts 1: N = 1 + 1, the images having 0 and 1 positives.

    Image 1 as above with ratio 0 and logits (ln 3, 0): box 2.625 / 2, classes ln(4 / 3) / 2. Image 0 has nothing.
    """
    classes, codes = np.zeros((2, 4, 2)), np.zeros((2, 4, 4))
    classes[0] = 5, -5
    codes[1, 0] = 0.5, 0, 0, 3
    classes[1, 0] = LN3, 0
    targets = one([], []) + one([[1.0, 0.0, 11.0, 10.0]], [0])
    terms, gradient = SSD(1, FOUR, 80, dialect="mmdet", ratio=0.0).value_and_grad({"classes": classes, "codes": codes}, targets)
    assert terms["box"] == pytest.approx(2.625 / 2, rel=1e-14)
    assert terms["classes"] == pytest.approx(math.log(4 / 3) / 2, rel=1e-14)
    np.testing.assert_allclose(gradient["classes"][1, 0], [-0.125, 0.125], atol=1e-15)
    assert not gradient["classes"][0].any()


def test_ssd_torchvision_counts_a_mined_positive_twice() -> None:
    """Two priors, one object on each, of class 0: 6 are to be mined of no negative, so the positives are, and count twice: 2 x 2 ln 2."""
    outputs = {"classes": np.zeros((1, 2, 2)), "codes": np.zeros((1, 2, 4))}
    target = one(FOUR[:2], [0, 0])
    terms, gradient = SSD(1, FOUR[:2], 80, dialect="torchvision").value_and_grad(outputs, target)
    assert terms["classes"] == pytest.approx(2 * 2 * LN2 / 2, rel=1e-14)
    assert gradient["classes"].tolist() == [[[0.5, -0.5], [0.5, -0.5]]]
    assert SSD(1, FOUR[:2], 80)(outputs, target)["classes"] == pytest.approx(LN2, rel=1e-14)


def test_retinanet_by_hand() -> None:
    """Priors with IoU 1 (positive), 100 / 220 = 0.4545 (ignored) and 0 (negative); the object is of class 1 of 2. N = 1.

    box: predicted (0.2, -2, 0, 0) for (0, 0, 0, 0): 0.2^2 / 2 + (2 - 0.5) = 1.52; gradient (0.2, -1, 0, 0).
    classes, -alpha_t (1 - p_t)^2 ln(p_t):
        prior 0: p = 1/2, a negative: 0.75 (1/4) ln 2;          p = 3/4, the positive: 0.25 (1/16) ln(4 / 3)
        prior 2: p = 1/4, a negative: 0.75 (1/16) ln(4 / 3);    p = 1/2, a negative: 0.75 (1/4) ln 2
    Gradient of a negative at p = 1/2: alpha_t p^2 (p - 2 (1 - p) ln(1 - p)) = 0.75 / 4 (1/2 + ln 2).
    """
    priors = [[0.0, 0.0, 10.0, 10.0], [0.0, 0.0, 10.0, 22.0], [40.0, 40.0, 50.0, 50.0]]
    classes, codes = np.array([[[0, LN3], [7, -7], [-LN3, 0]]]), np.zeros((1, 3, 4))
    codes[0, 0], codes[0, 1] = (0.2, -2, 0, 0), (9, 9, 9, 9)
    terms, gradient = RetinaNet(2, priors, 80).value_and_grad({"classes": classes, "codes": codes}, one([priors[0]], [1]))
    assert terms["box"] == pytest.approx(1.52, rel=1e-14)
    assert terms["classes"] == pytest.approx(2 * 0.75 / 4 * LN2 + (0.25 + 0.75) / 16 * math.log(4 / 3), rel=1e-14)
    np.testing.assert_allclose(gradient["codes"][0], np.array([[0.2, -1, 0, 0], [0] * 4, [0] * 4]), atol=1e-15)
    steep = 0.75 / 4 * (0.5 + LN2)
    np.testing.assert_allclose([gradient["classes"][0, 0, 0], gradient["classes"][0, 2, 1]], [steep, steep], rtol=1e-14)
    assert not gradient["classes"][0, 1].any()


@pytest.mark.parametrize(
    ("dialect", "box", "gamma", "divisor"),
    [
        ("paper", 0.2**2 / 2 + 0.05**2 / 2 + 0.5**2 / 2, 2, 1),
        ("torchvision", 0.2 + 0.05 + 0.5, 2, 1),
        ("mmdet", 0.2 + 0.05 + 0.5, 2, 1),
        ("detectron2", (0.2 - 0.05) + 0.05**2 / 0.2 + (0.5 - 0.05), 2, 1),
        ("automl", 50 / 4 * 0.1 * (0.2 - 0.05), 1.5, 2),  # N = 1 + 1; only the first code has a target that is not 0
    ],
)
def test_retinanet_boxes_by_hand(dialect: Any, box: float, gamma: float, divisor: int) -> None:
    """The object lies one pixel to the right of prior 0: codes (0.1, 0, 0, 0); predicted are (0.3, -0.05, 0, 0.5), off by 0.2, 0.05, 0.5.

    All logits are 0, so p = 1/2: the positive has 0.25 2^-gamma ln 2, the other prior 0.75 2^-gamma ln 2.
    """
    outputs = {"classes": np.zeros((1, 2, 1)), "codes": np.array([[[0.3, -0.05, 0, 0.5], [1, 1, 1, 1]]])}
    terms = RetinaNet(1, FOUR[:2], 80, dialect=dialect)(outputs, one([[1.0, 0.0, 11.0, 10.0]], [0]))
    assert terms["box"] == pytest.approx(box / divisor, rel=1e-13)
    assert terms["classes"] == pytest.approx(0.5**gamma * LN2 / divisor, rel=1e-13)


def test_automl_matching_by_hand() -> None:
    """Priors 10 wide and 10, 22, 14 high at one corner, and one far away, of 10 x 10.

    Truths: (A) 10 x 10: IoU 1, 100 / 220, 100 / 140 = 0.71;  (B) 10 x 9: 0.9, 90 / 220, 90 / 140 = 0.64;  (C) meets none. A and B are both
    best met by prior 0, which A has, the first; prior 2 is above 0.5, with A; prior 1 has 0.4545, and is background. C alone takes prior 0;
    after A and B it gets nothing. Two thresholds leave prior 1 ignored; without low-quality matches the far truth D has nothing.
    """
    priors = [[0.0, 0.0, 10.0, 10.0], [0.0, 0.0, 10.0, 22.0], [0.0, 0.0, 10.0, 14.0], [40.0, 40.0, 50.0, 50.0]]
    a, b, c, d = [0.0, 0.0, 10.0, 10.0], [0.0, 0.0, 10.0, 9.0], [60.0, 60.0, 70.0, 70.0], [48.0, 48.0, 58.0, 58.0]

    def index(*truths: list[float], **choices: Any) -> Any:
        made = RetinaNet(1, priors, 80, dialect="automl", **choices)
        return made._matched(made.priors, np.array(truths)).gt_index.tolist()

    assert index(a, b, c, d) == [0, -1, 0, 3]
    assert index(b, a, c) == [0, -1, 1, -1]
    assert index(c) == [0, -1, -1, -1]
    assert index(a, negative_threshold=0.4) == [0, -2, 0, -1]
    assert index(a, d, low_quality_matches=False) == [0, -1, 0, -1]


@pytest.mark.parametrize("dialect", OF_RETINANET)
def test_the_normalisers_of_retinanet(dialect: Any) -> None:
    """Images with (0, 0, 3, 5) positives of 5 priors, L1 with every code off by 1 (4 a positive), tell the normalisers apart:

    8 (the batch's), 10 (each image at least 1: 1 + 1 + 3 + 5), 9 (one more), or the mean over images of each by its own.
    """
    priors = [*FOUR, [80.0, 80.0, 90.0, 90.0]]
    outputs = {"classes": np.full((4, 5, 1), -np.inf), "codes": np.ones((4, 5, 4))}
    targets = [{"gt_boxes": np.array(priors[:n]).reshape(-1, 4), "gt_labels": np.zeros(n, np.int64)} for n in (0, 0, 3, 5)]
    outputs["classes"][:] = -800  # of no weight where there is no object; 0.25 x 800 where there is one
    terms = RetinaNet(1, priors, 90, dialect=dialect, box_loss="l1", gamma=2.0, box_weight=1.0, wh_clip=math.inf)(outputs, targets)
    wanted = {"paper": 1 / 8, "torchvision": (1 / 3 * 3 + 1 / 5 * 5) / 4 / 8, "mmdet": 1 / 10, "detectron2": 1 / 8, "automl": 1 / 9}
    assert terms["classes"] == pytest.approx(8 * 200 * wanted[dialect], rel=1e-12)
    if dialect != "automl":  # all targets are 0, which it leaves out
        assert terms["box"] == pytest.approx(8 * 4 * wanted[dialect], rel=1e-12)


def test_fcos_by_hand() -> None:
    """Locations (4, 4), (12, 4), (4, 12), (12, 12) of stride 8; one object (0, 0, 16, 8), which holds the first two: N = 2.

    box: at (4, 4) codes ln(1/2, 1/2, 3/2, 1/2) are (4, 4, 12, 4) pixels, the object: 0. At (12, 4) codes 0 are 8 pixels, the box
        (4, -4, 20, 12): I = 12 x 8 = 96, U = 256 + 128 - 96 = 288, C = 20 x 16 = 320: 1 - 1/3 + 32 / 320 = 0.7666...
    classes: logits 0, two positives with (0.25 / 4) ln 2, two negatives with (0.75 / 4) ln 2: 0.5 ln 2 / 2.
    centerness: sqrt(4 / 12 x 4 / 4) for both; logits 0: ln 2 whatever the target; gradient (1/2 - sqrt(1/3)) / 2.
    """
    locations = [[4.0, 4.0, 8.0], [12.0, 4.0, 8.0], [4.0, 12.0, 8.0], [12.0, 12.0, 8.0]]
    outputs = {"classes": np.zeros((1, 4, 1)), "codes": np.zeros((1, 4, 4)), "centerness": np.zeros((1, 4))}
    outputs["codes"][0, 0] = np.log([0.5, 0.5, 1.5, 0.5])
    made = FCOS(1, locations, 16, size_ranges=((0, 64),))
    terms, gradient = made.value_and_grad(outputs, one([[0.0, 0.0, 16.0, 8.0]], [0]))
    assert terms["box"] == pytest.approx((1 - 1 / 3 + 0.1) / 2, rel=1e-14)
    assert terms["classes"] == pytest.approx(0.25 * LN2, rel=1e-14)
    assert terms["centerness"] == pytest.approx(LN2, rel=1e-14)
    np.testing.assert_allclose(gradient["centerness"][0], np.array([1, 1, 0, 0]) * (0.5 - 3**-0.5) / 2, rtol=1e-14)
    assert not gradient["codes"][0, 2:].any()


@pytest.mark.parametrize("dialect", OF_FCOS)
def test_fcos_boxes_by_hand(dialect: Any) -> None:
    """Locations (4, 4) and (12, 4); the object (2, 0, 18, 8): sides (2, 4, 14, 4) and (10, 4, 6, 4), centerness sqrt(1/7) and sqrt(3/5).

    Predicted: the object at the first, 8 pixels around the second: the box (4, -4, 20, 12), I = 14 x 8 = 112, U = 256 + 128 - 112 = 272,
    C = 18 x 16 = 288. GIoU loss 1 - 112/272 + 16/288, and N = 2. mmdet: -ln(112/272), weighted by sqrt(3/5) of sqrt(3/5) + sqrt(1/7).
    """
    pixels = np.array([[2.0, 4.0, 14.0, 4.0], [8.0, 8.0, 8.0, 8.0]])
    codes = {"paper": np.log(pixels / 8), "mmdet": np.log(pixels), "torchvision": pixels / 8, "detectron2": pixels / 8}[dialect]
    outputs = {"classes": np.zeros((1, 2, 1)), "codes": codes[None], "centerness": np.zeros((1, 2))}
    made = FCOS(1, [[4.0, 4.0, 8.0], [12.0, 4.0, 8.0]], (8, 18), size_ranges=((0, 64),), dialect=dialect)
    terms = made(outputs, one([[2.0, 0.0, 18.0, 8.0]], [0]))
    a, b = math.sqrt(1 / 7), math.sqrt(3 / 5)
    wanted = b / (a + b) * math.log(272 / 112) if dialect == "mmdet" else (1 - 112 / 272 + 16 / 288) / 2
    assert terms["box"] == pytest.approx(wanted, rel=1e-8)  # the libraries' eps of 1e-7
    boxes, scores = made.decode(outputs)
    np.testing.assert_allclose(boxes[0], [[2, 0, 18, 8], [4, -4, 20, 12]], atol=1e-13)
    assert scores == pytest.approx(0.25 if dialect == "mmdet" else 0.5)


# Against torchvision


KINDS: list[tuple[str, dict[str, Any]]] = [("ssd", {}), ("retinanet", {}), ("retinanet", {"box_loss": "giou"}), ("fcos", {})]


def off(got: Any, wanted: Any) -> float:
    """The largest difference, relative to the largest number of its array."""
    scale = np.abs(wanted).max()
    return float(np.abs(np.asarray(got) - wanted).max() / (scale if scale else 1.0))


def compare(name: str, given: dict[str, Any], dtype: Any, tolerance: float, **choices: Any) -> None:
    torchvision = pytest.importorskip("harnesses.torchvision_criteria", exc_type=ImportError)
    outputs = cast(given["outputs"], dtype)
    terms, gradient = criterion(name, given, dialect="torchvision", **choices).value_and_grad(outputs, given["targets"])
    terms_there, gradient_there = torchvision.evaluate(name, outputs, given["targets"], given["priors"].astype(dtype), **choices)
    assert set(terms) == set(terms_there)
    for term, value in terms.items():
        assert value.dtype == dtype
        assert off(value, terms_there[term]) <= tolerance, term
    for part, values in gradient.items():
        assert values.dtype == dtype
        assert off(values, gradient_there[part]) <= tolerance, part


@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float64, 1e-14), (np.float32, 2e-6)])
@pytest.mark.parametrize(("name", "choices"), [*KINDS, ("ssd", {"ratio": 1.5})])
def test_torchvision(name: str, choices: dict[str, Any], dtype: Any, tolerance: float) -> None:
    for seed, counts in enumerate([(0, 2, 0, 7), (0, 0), (1,), (0, 0, 3, 5), (6, 4), (12, 0, 1)]):
        compare(name, scene(name, np.random.default_rng(seed), counts), dtype, tolerance, **choices)


def test_torchvision_where_negatives_run_out() -> None:
    rng = np.random.default_rng(7)
    given = scene("ssd", rng, (14, 0, 20), small=True)
    made = criterion("ssd", given)
    positives = [int(made._matched(made.priors, t["gt_boxes"]).positive.sum()) for t in given["targets"]]
    assert max(positives) * 4 > len(given["priors"])
    compare("ssd", given, np.float64, 1e-14)


def test_torchvision_of_an_object_that_meets_no_prior() -> None:
    """Every anchor is its match in RetinaNet, prior 0 in SSD: the paper's rules leave it out."""
    for name in ("ssd", "retinanet"):
        given = scene(name, np.random.default_rng(3), (1, 0))
        given["image_size"] = (1000, 1000)
        given["targets"][0] = {"gt_boxes": np.array([[900.0, 900.0, 950.0, 950.0]]), "gt_labels": np.array([2])}
        compare(name, given, np.float64, 1e-14)
        assert not criterion(name, given).value_and_grad(given["outputs"], given["targets"])[1]["codes"].any()


def recorded() -> list[Any]:
    return json.loads(RECORDED.read_text()) if RECORDED.exists() else []


@pytest.mark.parametrize("case", recorded(), ids=lambda case: case["slug"])
def test_recorded(case: dict[str, Any]) -> None:
    """torchvision's float64 values, where torchvision need not be installed."""
    outputs = {part: np.array(values) for part, values in case["outputs"].items()}
    made = criterion(case["criterion"], {**case, "priors": np.array(case["priors"])}, dialect="torchvision", **case["choices"])
    for dtype, tolerance in ((np.float64, 1e-11), (np.float32, 2e-6)):  # 12 digits are recorded
        terms, gradient = made.value_and_grad(cast(outputs, dtype), case["targets"])
        for term, value in terms.items():
            assert off(value, case["terms"][term]) <= tolerance, term
        for part, values in gradient.items():
            assert off(values, np.array(case["gradient"][part])) <= tolerance, part


def test_the_recordings_are_there() -> None:
    assert len(recorded()) >= 6
    assert {case["criterion"] for case in recorded()} == {"ssd", "retinanet", "fcos"}
    for case in recorded():
        counts = [len(t["gt_labels"]) for t in case["targets"]]
        assert 0 in counts
        assert any(np.abs(case["gradient"]["codes"]).ravel() > 0) == any(counts)


def record() -> None:
    from harnesses import torchvision_criteria

    cases = []
    for seed, (name, choices) in enumerate(KINDS):
        for counts in ((0, 0, 3, 5), (0,)):
            given = scene(name, np.random.default_rng(100 + seed), counts, classes=2, small=True)
            terms, gradient = torchvision_criteria.evaluate(name, given["outputs"], given["targets"], given["priors"], **choices)
            slug = "-".join([name, *choices.values(), *map(str, counts)])
            numbers = {"terms": terms, "gradient": gradient}
            cases.append({"slug": slug, "criterion": name, "choices": choices, **given, **numbers})
    RECORDED.parent.mkdir(exist_ok=True)
    RECORDED.write_text("[\n" + ",\n".join(json.dumps(case, default=plain) for case in cases) + "\n]\n")


def plain(value: Any) -> Any:
    """12 digits, and 0 as 0."""
    if isinstance(value, np.integer):
        return int(value)
    if isinstance(value, np.floating):
        return float(f"{value:.12g}")
    return [plain(v) for v in value] if value.ndim else plain(value[()])


# Gradients


VARIANTS: list[tuple[str, dict[str, Any]]] = [
    *((name, {"dialect": dialect}) for name, dialect in DIALECTS),
    ("ssd", {"alpha": 0.5, "beta": 0.3, "min_negatives": 4, "ratio": 2.0, "normalizer": "image", "background": 2}),
    ("retinanet", {"box_loss": "giou", "weights": (10.0, 10.0, 5.0, 5.0)}),
    ("retinanet", {"box_loss": "log_iou", "low_quality_matches": True, "normalizer": 3.5}),
    ("retinanet", {"dialect": "automl", "box_loss": "iou", "gamma": 0.5, "alpha": 0.9}),
    ("fcos", {"weigh_by_centerness": True, "normalizer": "image", "box_weight": 2.0}),
    ("fcos", {"dialect": "mmdet", "normalizer": sum, "normalize": True}),
    ("fcos", {"box_loss": "iou", "radius": 0.9}),
]


@pytest.mark.parametrize(("name", "choices"), VARIANTS)
def test_central_differences(name: str, choices: dict[str, Any]) -> None:
    """In random directions of each part, at smooth points: the terms of the other parts do not move at all."""
    rng = np.random.default_rng(11)
    given = scene(name, rng, (3, 0, 6), small=True)
    made, outputs, targets = criterion(name, given, **choices), given["outputs"], given["targets"]
    if choices.get("dialect") == "detectron2" and name == "fcos":
        outputs["codes"] *= rng.choice([-1, 1], outputs["codes"].shape)
    terms, gradient = made.value_and_grad(outputs, targets)
    assert {term: float(value) for term, value in made(outputs, targets).items()} == pytest.approx(terms, rel=1e-14)
    for term, part in made.terms.items():
        assert gradient[part].any()
        for _ in range(15):
            direction = rng.standard_normal(outputs[part].shape) * (rng.random(outputs[part].shape) < 0.1)
            step = 1e-5
            high, low = (made({**outputs, part: outputs[part] + sign * step * direction}, targets) for sign in (1, -1))
            slope = (float(high[term]) - float(low[term])) / (2 * step)
            wanted = float((gradient[part] * direction).sum())
            assert abs(slope - wanted) <= 1e-6 * max(1.0, abs(wanted)), (term, slope, wanted)
            for other in set(made.terms) - {term}:
                assert high[other] == low[other] == terms[other]


# Borders


@pytest.mark.parametrize(("name", "dialect"), DIALECTS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_batches_without_objects(name: str, dialect: str, dtype: Any) -> None:
    given = scene(name, np.random.default_rng(5), (0, 0), small=True)
    outputs = cast(given["outputs"], dtype)
    empty: list[Any] = [{"gt_boxes": [], "gt_labels": []}, {"gt_boxes": np.empty((0, 4)), "gt_labels": np.empty(0, np.int64)}]
    for normalizer in (None, "batch", "image", 7.0):
        choices = {} if normalizer is None else {"normalizer": normalizer}
        made = criterion(name, given, dialect=dialect, **choices)
        terms, gradient = made.value_and_grad(outputs, empty)
        assert all(np.isfinite(value) for value in terms.values())
        assert all(np.isfinite(values).all() for values in gradient.values())
        assert terms["box"] == 0
        assert not gradient["codes"].any()
        assert (terms["classes"] > 0) == (name != "ssd")  # every prior is a negative of a focal loss, but none is mined
        assert terms.get("centerness", 0) == 0
    none = criterion(name, given, dialect=dialect).value_and_grad({part: values[:0] for part, values in outputs.items()}, [])
    assert all(value == 0 for value in none[0].values())
    assert none[1]["classes"].shape == outputs["classes"][:0].shape


@pytest.mark.parametrize(("name", "dialect"), DIALECTS)
def test_objects_without_area_match_nothing(name: str, dialect: str) -> None:
    """The middle two of these have no logarithm of a size, and in two dialects would be matched all the same."""
    given = scene(name, np.random.default_rng(5), (2, 1), small=True)
    made, (first, second) = criterion(name, given, dialect=dialect), given["targets"]
    boxes = np.stack([first["gt_boxes"][0], [5, 5, 5, 9], [7, 3, 7 + 1e-35, 9], first["gt_boxes"][1]])
    more = [{"gt_boxes": boxes, "gt_labels": np.array([first["gt_labels"][0], 0, 1, first["gt_labels"][1]])}, second]
    for dtype in (np.float32, np.float64):
        outputs = cast(given["outputs"], dtype)
        (terms, gradient), (same_terms, same_gradient) = made.value_and_grad(outputs, more), made.value_and_grad(outputs, given["targets"])
        assert terms == same_terms
        for part, values in gradient.items():
            np.testing.assert_array_equal(values, same_gradient[part])
    alone = [{"gt_boxes": boxes[1:3], "gt_labels": [0, 1]}] * 2
    assert made(given["outputs"], alone)["box"] == 0


@pytest.mark.parametrize("name", ["ssd", "retinanet", "fcos"])
def test_layouts_and_dtypes(name: str) -> None:
    given = scene(name, np.random.default_rng(9), (2, 0, 4))
    made, targets = criterion(name, given), given["targets"]
    before = {part: values.copy() for part, values in given["outputs"].items()}
    terms, gradient = made.value_and_grad(given["outputs"], targets)
    for part, values in given["outputs"].items():
        np.testing.assert_array_equal(values, before[part])
    turned = {p: np.asfortranarray(v) for p, v in before.items()}
    most = max(len(t["gt_labels"]) for t in targets)
    padded = {"gt_boxes": np.full((3, most, 4), np.nan), "gt_labels": np.full((3, most), -9), "counts": np.array([2, 0, 4])}
    for i, t in enumerate(targets):
        padded["gt_boxes"][i, : len(t["gt_labels"])], padded["gt_labels"][i, : len(t["gt_labels"])] = t["gt_boxes"], t["gt_labels"]
    again = pickle.loads(pickle.dumps(made))
    for other, outputs, truth in ((made, turned, targets), (made, before, padded), (again, before, targets)):
        terms_again, gradient_again = other.value_and_grad(outputs, truth)
        assert terms_again == terms
        for part, values in gradient.items():
            np.testing.assert_array_equal(gradient_again[part], values)
    half = cast(before, np.float16)
    low, low_gradient = made.value_and_grad(half, targets)
    wide = made.value_and_grad(cast(half, np.float32), targets)
    assert low == wide[0]
    for part, values in low_gradient.items():
        assert values.dtype == np.float16
        np.testing.assert_array_equal(values, wide[1][part].astype(np.float16))


@pytest.mark.parametrize("name", ["ssd", "retinanet", "fcos"])
def test_normalizers(name: str) -> None:
    given = scene(name, np.random.default_rng(2), (0, 0, 3, 5))
    outputs, targets = given["outputs"], given["targets"]
    counts = []

    def seen(positives: list[int]) -> float:
        counts.append(positives)
        return 2.0

    whole = criterion(name, given, normalizer=seen)(outputs, targets)
    positives = counts[0]
    assert positives[:2] == [0, 0]
    assert min(positives[2:]) > 0
    assert len(set(positives)) == 3
    batch, number = (criterion(name, given, normalizer=n)(outputs, targets) for n in ("batch", 5.0))
    average = MovingAverage(100.0, 0.9)
    moving = [criterion(name, given, normalizer=average)(outputs, targets) for _ in range(2)]
    first = 0.9 * 100 + 0.1 * sum(positives)
    images = [
        criterion(name, given)({p: v[i : i + 1] for p, v in outputs.items()}, targets[i : i + 1]) for i in range(4)
    ]  # one image each: a batch of its own
    each = criterion(name, given, normalizer="image")(outputs, targets)
    for term, value in whole.items():
        assert batch[term] == pytest.approx(2 * value / sum(positives), rel=1e-13)
        assert number[term] == pytest.approx(2 * value / 5, rel=1e-13)
        assert moving[0][term] == pytest.approx(2 * value / first, rel=1e-13)
        assert moving[1][term] == pytest.approx(2 * value / (0.9 * first + 0.1 * sum(positives)), rel=1e-13)
        assert each[term] == pytest.approx(sum(image[term] for image in images) / 4, rel=1e-13)


def test_a_number_of_ones_own_divides_weighted_boxes_too() -> None:
    given = scene("fcos", np.random.default_rng(2), (0, 5))
    counts: list[list[int]] = []

    def seen(positives: list[int]) -> float:
        counts.append(positives)
        return 3.0

    each, number, batch = (criterion("fcos", given, dialect="mmdet", normalizer=n) for n in (seen, 6.0, "batch"))
    terms, halves, usual = (made(given["outputs"], given["targets"]) for made in (each, number, batch))
    assert len(counts) == 1
    truths = [Truth(t["gt_boxes"], t["gt_labels"]) for t in given["targets"]]
    weights = np.concatenate([batch._centerness(truth, batch._matched(batch.priors, truth.boxes)) for truth in truths])
    assert weights.size == sum(counts[0])
    assert terms["box"] == pytest.approx(2 * halves["box"], rel=1e-13)
    assert terms["box"] == pytest.approx(usual["box"] * weights.sum() / 3, rel=1e-13)


def test_decode_and_select() -> None:
    """A head that knows: the boxes come back, of their labels."""
    rng = np.random.default_rng(4)
    for name, dialect in DIALECTS:
        given = scene(name, rng, (1, 3))
        made, outputs = criterion(name, given, dialect=dialect), {p: np.zeros_like(v) for p, v in given["outputs"].items()}
        outputs["classes"] -= 9
        if name == "ssd":
            outputs["classes"][..., made.background] = 9
        columns = made._columns if name == "ssd" else np.arange(3)
        seen = []
        for i, t in enumerate(given["targets"]):
            index = made._matched(made.priors, t["gt_boxes"]).gt_index
            at = np.flatnonzero(index >= 0)
            seen.append(sorted(set(index[at].tolist())))
            codes = made.coder.encode(t["gt_boxes"][index[at]], made.priors[at])
            outputs["codes"][i, at] = codes
            outputs["classes"][i, at, columns[t["gt_labels"][index[at]]]] = 15
            if name == "fcos":
                outputs["centerness"][i, at] = 9
        found = made.select(outputs)
        assert any(seen)
        for detections, t, objects in zip(found, given["targets"], seen, strict=True):
            assert (detections.scores > 0.9).all()
            assert sorted(detections.labels.tolist()) == sorted(t["gt_labels"][objects].tolist())
            distance = np.abs(detections.boxes[:, None] - t["gt_boxes"][None]).max(axis=2).min(axis=1)
            assert (distance < 1e-9).all()


def test_decode_like_torchvision() -> None:
    torch, utils = pytest.importorskip("torch"), pytest.importorskip("harnesses.torchvision_criteria", exc_type=ImportError)
    for name, weights in (("ssd", (10.0, 10.0, 5.0, 5.0)), ("retinanet", (1.0, 1.0, 1.0, 1.0))):
        given = scene(name, np.random.default_rng(6), (1, 0))
        codes = given["outputs"]["codes"] * 9  # beyond the clip too
        boxes, scores = criterion(name, given, dialect="torchvision").decode({**given["outputs"], "codes": codes})
        theirs = utils.BoxCoder(weights=weights).decode_single(torch.tensor(codes[0]), torch.tensor(given["priors"]))
        np.testing.assert_allclose(boxes[0], theirs.numpy(), rtol=1e-12, atol=1e-10)
        logits = torch.tensor(given["outputs"]["classes"])
        np.testing.assert_allclose(scores, torch.softmax(logits, -1)[..., 1:] if name == "ssd" else torch.sigmoid(logits), rtol=1e-12)


# Bad input


S = scene("ssd", np.random.default_rng(0), (1, 0), small=True)
F = scene("fcos", np.random.default_rng(0), (1, 0), small=True)
N = len(S["priors"])
BOX = S["priors"]
MADE: list[tuple[Any, dict[str, Any], type[Exception], str]] = [
    (SSD, {"classes": 0}, ValueError, "SSD: classes must be a positive whole number, got 0"),
    (SSD, {"image_size": (3, 4, 5)}, ValueError, "SSD: image_size must be a positive whole number, or (height, width), got (3, 4, 5)"),
    (SSD, {"priors": [[0.0, 0.0, 1.0]]}, ValueError, "SSD: priors must be of shape (n, 4), got (1, 3)"),
    (SSD, {"priors": [*FOUR, FOUR[0][::-1]]}, ValueError, "finite, with x2 > x1 and y2 > y1, got [10.0, 10.0, 0.0, 0.0] at index 4"),
    (SSD, {"priors": BOX.astype(int)}, TypeError, "SSD: priors must be an array of float64"),
    (SSD, {"priors": BOX.astype(np.float16)}, TypeError, "SSD: priors must be float32 or float64, got float16"),
    (SSD, {"dialect": "detectron2"}, ValueError, "SSD: dialect must be 'paper' or 'torchvision' or 'mmdet', got 'detectron2'"),
    (SSD, {"alpha": -1}, ValueError, "SSD: alpha must be in [0, 1e+30], got -1"),
    (SSD, {"beta": -1}, ValueError, "SSD: beta must be in [0, 1e+30], got -1"),
    (SSD, {"threshold": 0.0}, ValueError, "ssd: threshold must be"),
    (SSD, {"ratio": -1.0}, ValueError, "hard_negatives: ratio must be in [0, 1e+09], got -1"),
    (SSD, {"min_negatives": 1, "dialect": "torchvision"}, ValueError, "hard_negatives: min_negatives must be 0 with dialect='torchvision'"),
    (SSD, {"weights": (1.0, 2.0)}, TypeError, "DeltaCoder: weights must be four numbers"),
    (SSD, {"background": 4}, ValueError, "SSD: background must be in [-1, 3], got 4"),
    (SSD, {"background": True}, TypeError, "SSD: background must be an integer, got bool"),
    (SSD, {"normalizer": "mean"}, TypeError, 'SSD: normalizer must be a number, got str; or say "batch" or "image"'),
    (SSD, {"normalizer": 0.0}, ValueError, "SSD: normalizer must be positive and finite, got 0"),
    (SSD, {"outside": "drop"}, ValueError, "SSD: outside must be 'error' or 'clip' or 'keep', got 'drop'"),
    (RetinaNet, {"gamma": -1}, ValueError, "gamma must be in [0, 10000], got -1"),
    (RetinaNet, {"alpha": 2.0}, ValueError, "alpha must be in [0, 1], got 2"),
    (RetinaNet, {"negative_threshold": 0.6}, ValueError, "max_iou: negative_threshold must be"),
    (RetinaNet, {"box_loss": "ciou"}, ValueError, "RetinaNet: box_loss must be 'smooth_l1' or"),
    (RetinaNet, {"eps": -1.0}, ValueError, "RetinaNet: eps must be in [0, 1], got -1"),
    (RetinaNet, {"box_weight": -1.0}, ValueError, "RetinaNet: box_weight must be in [0, 1e+30], got -1"),
    (RetinaNet, {"wh_clip": -1.0}, ValueError, "DeltaCoder: wh_clip must be at least 0, got -1"),
    (FCOS, {"priors": [[4.0, 4.0, 0.0]]}, ValueError, "FCOS: priors must be finite, with a stride above 0, got [4.0, 4.0, 0.0] at index 0"),
    (FCOS, {"size_ranges": ((0, 64),)}, ValueError, "fcos: size_ranges must be one (low, high) for each stride"),
    (FCOS, {"radius": 0.0}, ValueError, "fcos: radius must be above 0"),
    (FCOS, {"activation": "softplus"}, ValueError, "FCOS: activation must be 'exp' or 'linear' or 'relu', got 'softplus'"),
    (FCOS, {"score": "sum"}, ValueError, "FCOS: score must be 'geometric' or 'product', got 'sum'"),
    (FCOS, {"box_loss": "l1"}, ValueError, "FCOS: box_loss must be 'giou' or 'iou' or 'log_iou', got 'l1'"),
    (FCOS, {"normalize": 1}, TypeError, "FCOS: normalize must be True or False, got 1"),
]


@pytest.mark.parametrize(("made", "wrong", "kind", "message"), MADE)
def test_bad_arguments(made: Any, wrong: dict[str, Any], kind: type[Exception], message: str) -> None:
    usual = {"priors": F["priors"], "size_ranges": RANGES} if made is FCOS else {"priors": BOX}
    given = {"classes": 3, "image_size": SIDE, **usual, **wrong}
    with pytest.raises(kind) as caught:
        made(**given)
    assert message in str(caught.value)
    assert ";" in str(caught.value)


def with_nan(values: Array) -> Array:
    changed = values.copy()
    changed[1, 2] = np.nan
    return changed


O, T = S["outputs"], S["targets"]
CALLS: list[tuple[Any, Any, type[Exception], str]] = [
    (O["classes"], T, TypeError, "SSD: outputs must be a mapping with 'classes', 'codes', got ndarray"),
    ({"classes": O["classes"]}, T, TypeError, "SSD: outputs must be a mapping with 'classes', 'codes', got no 'codes'"),
    (
        {**O, "classes": O["classes"][..., 1:]}, T, ValueError,
        f"SSD: outputs['classes'] must be of shape (images, {N}, 4), got (2, {N}, 3); there are 3 classes and the background",
    ),
    ({**O, "codes": O["codes"].swapaxes(1, 2)}, T, ValueError, f"SSD: outputs['codes'] must be of shape (images, {N}, 4), got (2, 4, {N})"),
    ({**O, "codes": O["codes"][:1]}, T, ValueError, "SSD: outputs must be arrays of one number of images, got [2, 1]"),
    ({**O, "codes": O["codes"].astype(np.float32)}, T, TypeError, "arrays of one dtype, got classes float64, codes float32"),
    ({**O, "codes": O["codes"].astype(int)}, T, TypeError, "SSD: outputs['codes'] must be an array of float64"),
    ({**O, "codes": with_nan(O["codes"])}, T, ValueError, "SSD: outputs must be numbers, got NaN in the codes of image 1"),
    (O, T[:1], ValueError, "SSD: targets must be one mapping for each of 2 images, got 1"),
    (O, [T[1], {"gt_boxes": [[0.0, 0.0, 9.0, 9.0]], "gt_labels": [3]}], ValueError, "[1].gt_labels must be in [0, 2], got 3 at index 0"),
    (
        O, [T[1], {"gt_boxes": [[0.0, 0.0, 97.0, 9.0]], "gt_labels": [0]}], ValueError,
        'SSD: targets[1].gt_boxes must be inside the image (width 96, height 96), got [0.0, 0.0, 97.0, 9.0] at index 0; say outside="clip"',
    ),
]  # fmt: skip


@pytest.mark.parametrize(("outputs", "targets", "kind", "message"), CALLS)
def test_bad_calls(outputs: Any, targets: Any, kind: type[Exception], message: str) -> None:
    made = SSD(3, BOX, SIDE, check=True)
    for call in (made, made.value_and_grad):
        with pytest.raises(kind) as caught:
            call(outputs, targets)
        assert message in str(caught.value)


def test_outside() -> None:
    """A box that leaves the image is clipped, or kept; one that lies outside has no area after clipping, and matches nothing."""
    far, beyond = one([[-5.0, 10.0, 40.0, 40.0]], [0]), one([[200.0, 10.0, 240.0, 40.0]], [0])
    outputs = {part: values[:1] for part, values in O.items()}
    clipped = one([[0.0, 10.0, 40.0, 40.0]], [0])
    for name in ("paper", "torchvision"):
        clip, keep = (SSD(3, BOX, SIDE, dialect=name, outside=outside) for outside in ("clip", "keep"))
        assert clip(outputs, far) == clip(outputs, clipped)
        assert keep(outputs, far) != clip(outputs, far)
        assert clip(outputs, beyond) == {"box": 0, "classes": 0}


def test_linear_distances_that_make_no_box() -> None:
    made = criterion("fcos", F, dialect="torchvision")
    outputs = {part: values.copy() for part, values in F["outputs"].items()}
    outputs["codes"][:] = -1
    message = r"FCOS: outputs\['codes'\] must be distances >= 0, got \[-1.0, -1.0, -1.0, -1.0\] at prior \d+; end the head in a ReLU"
    with pytest.raises(ValueError, match=message):
        made(outputs, F["targets"])
    with pytest.raises(ValueError, match=message):
        made.decode(outputs)
    relu = criterion("fcos", F, dialect="detectron2")
    terms, gradient = relu.value_and_grad(outputs, F["targets"])
    assert np.isfinite(terms["box"])
    assert not gradient["codes"].any()


if __name__ == "__main__":
    record()


TWO = np.array([[0, 0, 10, 10], [20, 20, 30, 30]], np.float32)
ONE = [{"gt_boxes": np.array([[1.0, 0, 11, 10]], np.float32), "gt_labels": [0]}]


def test_outputs_as_lists_of_integers() -> None:
    """The gradient of integers in a list is no integer: sigma' and codes as for zeros in float64."""
    lists = {"classes": [[[0], [0]]], "codes": [[[0, 0, 0, 0]] * 2]}
    arrays = {name: np.zeros(np.shape(values)) for name, values in lists.items()}
    (_, got), (_, wanted) = (RetinaNet(1, TWO, 30).value_and_grad(given, ONE) for given in (lists, arrays))
    for part, values in got.items():
        assert values.dtype == np.float64
        assert np.array_equal(values, wanted[part])
        assert values.any()


def test_the_priors_are_the_criterions_own() -> None:
    priors = TWO.copy()
    criterion = RetinaNet(1, priors, 30)
    priors += 100
    assert np.array_equal(criterion.priors, TWO)


def test_nan_in_ssds_classes_reaches_the_loss() -> None:
    outputs = {"classes": np.zeros((1, 2, 2), np.float32), "codes": np.zeros((1, 2, 4), np.float32)}
    outputs["classes"][0, 1, 0] = np.nan
    assert np.isnan(SSD(1, TWO, 30)(outputs, ONE)["classes"])
    with pytest.raises(ReflossError, match="SSD: outputs must be numbers, got NaN in the classes of image 0"):
        SSD(1, TWO, 30, check=True)(outputs, ONE)


@pytest.mark.parametrize("box", [[45.0, 0, 40, 10], [-np.inf, 0, np.inf, 10]])
def test_clipping_hides_no_box_that_is_none(box: list[float]) -> None:
    outputs = {"classes": np.zeros((1, 2, 1)), "codes": np.zeros((1, 2, 4))}
    with pytest.raises(ReflossError, match="finite, with x2 >= x1"):
        RetinaNet(1, TWO, 30, outside="clip")(outputs, [{"gt_boxes": [box], "gt_labels": [0]}])

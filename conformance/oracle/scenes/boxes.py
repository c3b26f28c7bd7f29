"""Scenes of boxes.nms, batched_nms, soft_nms and select: thresholds, ties, and the order of what is kept."""

import dataclasses
import random
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from types import SimpleNamespace
from typing import Any

from mpmath import mp

from refloss_conformance.scenes import Input, Part

from ..decisions import Decisions
from ..references import nms as reference
from .common import INCLUSIVE, NOTES, box, draw, plus_one_pixel, replaced
from .record import Answer, Ask, Deviation, Function, Scene

FLAGS = {
    **NOTES,
    "order": ("basic", "What is kept comes by falling score."),
    "chain": ("edge", "The first removes the second, which would have removed the third."),
    "limit": ("parameter", "At most so many."),
    "kind": ("parameter", "Another measure of likeness, or another way of lowering scores."),
    "labels": ("basic", "Boxes of different labels do not meet."),
}
BOXES = Input("floats", ("boxes", 4), "x1, y1, x2, y2, corners exclusive")
SCORES = Input("floats", ("boxes",), "one for each box")
LABELS = Input("integers", ("boxes",), "the class of each box")
KEPT = Part("indices", "of the boxes that stay, by falling score")
NEW = Part("numbers", "the new scores of these boxes", 16.0)

A, B, C, D = (0, 0, 10, 10), (0, 0, 10, 9), (0, 4, 10, 14), (30, 0, 40, 10)
HALF = [(0, 0, 10, 10), (0, 0, 10, 5), (0, 0, 10, 5.25)]  # the second has an IoU of exactly 1/2 with the first


def scene(slug: str, *flags: str, boxes: Any = (), scores: Any = (), labels: Any = None, **parameters: Any) -> Scene:
    rows = [[float(x) for x in row] if isinstance(row, tuple) else float(row) for row in scores]
    inputs: dict[str, Any] = {"boxes": [tuple(map(float, b)) for b in boxes], "scores": rows}
    if labels is not None:
        inputs["labels"] = list(labels)
    return Scene(slug, flags, inputs, parameters)


def plain() -> list[Scene]:
    return [
        scene("one_of_two", "basic", boxes=[A, B], scores=[0.5, 0.75]),
        scene("apart", "order", boxes=[A, D], scores=[0.25, 0.75]),
        scene("three", "order", boxes=[B, D, A], scores=[0.5, 0.75, 0.875]),
        scene("chain", "chain", boxes=[A, (0, 3, 10, 13), (0, 6, 10, 16)], scores=[0.875, 0.75, 0.5]),
        scene("chain_from_its_middle", "chain", boxes=[A, (0, 3, 10, 13), (0, 6, 10, 16)], scores=[0.5, 0.75, 0.625]),
        scene("iou_0.5", boxes=HALF, scores=[0.75, 0.5, 0.25]),
        scene("no_boxes", "empty_image"),
        scene("one_box", "basic", boxes=[A], scores=[0.5]),
        scene("same_box_and_score", boxes=[A, A], scores=[0.5, 0.5]),
        scene("equal_scores_apart", boxes=[A, D], scores=[0.5, 0.5]),
        scene("equal_scores_of_a_chain", "chain", boxes=[A, (0, 3, 10, 13), (0, 6, 10, 16)], scores=[0.5, 0.5, 0.5]),
        scene("degenerate", "degenerate", boxes=[(3, 3, 3, 8), A, (5, 5, 5, 5), B], scores=[0.875, 0.75, 0.625, 0.5]),
        scene("nested", "basic", boxes=[A, (2, 2, 8, 8), (1, 1, 9.5, 9.5)], scores=[0.75, 0.875, 0.5]),
        scene("small", "basic", boxes=[(0, 0, 1, 1), (0.5, 0, 1.5, 1), (0.25, 0, 1.25, 1)], scores=[0.875, 0.75, 0.5]),
        scene("negative_coordinates", "basic", boxes=[(-5, -5, 5, 5), (-4, -5, 6, 5), (4, 4, 9, 9)], scores=[0.5, 0.75, 0.25]),
    ]


def of_nms() -> list[Scene]:
    crossed = [(0, 0, 10, 10), (0, 2, 10, 12), (0, 0, 10, 8)]
    return [
        *plain(),
        scene("threshold_0.3", "parameter", boxes=[A, (0, 5, 10, 15), (0, 6, 10, 16)], scores=[0.75, 0.5, 0.25], iou_threshold=0.3),
        scene("threshold_0.7_at_it", "parameter", boxes=[A, (0, 0, 10, 7), (0, 0, 10, 8)], scores=[0.75, 0.5, 0.25], iou_threshold=0.7),
        scene("threshold_0", "parameter", boxes=[A, (9.5, 9.5, 19, 19), (10, 0, 20, 9)], scores=[0.75, 0.5, 0.25], iou_threshold=0.0),
        scene("at_most_2", "limit", boxes=[A, D, (60, 0, 70, 10)], scores=[0.25, 0.5, 0.75], max_detections=2),
        scene("diou", "kind", boxes=crossed, scores=[0.75, 0.5, 0.25], kind="diou", iou_threshold=0.66),
        scene("diou_no_boxes", "kind", "empty_image", kind="diou"),
        scene("iou_where_diou_differs", "parameter", boxes=crossed, scores=[0.75, 0.5, 0.25], iou_threshold=0.66),
        *of_diou(),
    ]


def of_diou() -> list[Scene]:
    """Centres and enclosing boxes that decide: any part of the distance that is wrong changes one of them."""
    four = [(36, 6, 54, 28), (35, 11, 59, 23), (36, 11, 59, 15), (25, 10, 54, 14)]
    other = [(40, 19, 69, 44), (38, 20, 73, 43), (33, 15, 72, 34), (43, 12, 70, 40)]
    mixed = [(45, 23, 52, 43), (41, 28, 56, 40), (42, 31, 65, 51), (32, 20, 65, 45)]
    diou = {"kind": "diou"}
    return [
        scene("diou_beta_0.5", "kind", boxes=four, scores=[0.75, 0.25, 0.875, 0.5], iou_threshold=0.4, beta=0.5, **diou),
        scene("diou_beta_0.5_nearby", "kind", boxes=other, scores=[0.5, 0.875, 0.25, 0.75], iou_threshold=0.3, beta=0.5, **diou),
        scene("diou_beta_0.5_across", "kind", boxes=[(10, 9, 24, 23), (17, 10, 22, 29), (14, -3, 16, 19)], scores=[0.875, 0.5, 0.75],
              iou_threshold=0.1, beta=0.5, **diou),
        scene("diou_beta_2", "kind", boxes=mixed, scores=[0.5, 0.75, 0.875, 0.25], iou_threshold=0.2, beta=2.0, **diou),
        scene("diou_0.2", "kind", boxes=[(40, 29, 55, 49), (30, 22, 51, 48), (31, 23, 53, 40)], scores=[0.875, 0.75, 0.5],
              iou_threshold=0.2, **diou),
    ]  # fmt: skip


def of_batched() -> list[Scene]:
    found = []
    for one in plain():
        labels = [(0, 1, 0, 1)[i % 4] for i in range(len(one.inputs["boxes"]))]
        found.append(Scene(one.slug, one.flags, {**one.inputs, "labels": labels}))
    return [
        *found,
        scene("one_label", "labels", boxes=[A, B, D], scores=[0.5, 0.75, 0.25], labels=[7, 7, 7]),
        scene("one_label_iou_0.5", "labels", boxes=HALF, scores=[0.75, 0.5, 0.25], labels=[1, 1, 1]),
        scene(
            "one_label_small", "labels", boxes=[(0, 0, 1, 1), (0.5, 0, 1.5, 1), (8, 0, 9, 1)], scores=[0.875, 0.75, 0.5], labels=[1, 1, 1]
        ),
        scene("labels_keep_apart", "labels", boxes=[A, B, A, D], scores=[0.5, 0.75, 0.625, 0.25], labels=[0, 1, 2, 0]),
        scene(
            "at_most_2_of_four",
            "limit",
            "labels",
            boxes=[A, D, (60, 0, 70, 10), B],
            scores=[0.5, 0.75, 0.25, 0.625],
            labels=[0, 0, 0, 1],
            max_detections=2,
        ),
        scene("at_most_2_of_all", "limit", "labels", boxes=[A, B, D], scores=[0.5, 0.75, 0.25], labels=[0, 1, 0], max_detections=2),
    ]


def of_soft() -> list[Scene]:
    return [
        scene("one_of_two", "basic", boxes=[A, (0, 0, 10, 5)], scores=[0.5, 0.75]),
        scene("apart", "order", boxes=[A, D], scores=[0.25, 0.75]),
        scene("falls_behind", "order", boxes=[A, (0, 0, 10, 8), D], scores=[0.875, 0.75, 0.5]),
        scene("lowered_twice", "chain", boxes=[A, (0, 3, 10, 13), (0, 6, 10, 16), (0, 1, 10, 11)], scores=[0.875, 0.75, 0.5, 0.625]),
        scene("gone", "basic", boxes=[A, A, D], scores=[0.875, 0.75, 0.5]),
        scene("at_the_threshold", "parameter", boxes=HALF, scores=[0.75, 0.5, 0.25], iou_threshold=0.5),
        scene("at_the_score_threshold", "parameter", boxes=[A, D], scores=[0.25, 0.5], score_threshold=0.25),
        scene("no_boxes", "empty_image"),
        scene("equal_scores_apart", boxes=[A, D], scores=[0.5, 0.5]),
        scene("degenerate", "degenerate", boxes=[(3, 3, 3, 8), A], scores=[0.875, 0.75]),
        scene("gaussian_one_of_two", "kind", boxes=[A, (0, 0, 10, 5)], scores=[0.5, 0.75], method="gaussian"),
        scene("gaussian_three", "kind", boxes=[A, (0, 0, 10, 8), (0, 2, 10, 12)], scores=[0.875, 0.75, 0.5], method="gaussian"),
        scene("gaussian_sigma_0.25", "kind", boxes=[A, (0, 0, 10, 8), D], scores=[0.875, 0.75, 0.5], method="gaussian", sigma=0.25),
        scene("gaussian_no_boxes", "kind", "empty_image", method="gaussian"),
    ]


def of_select() -> list[Scene]:
    two = {"boxes": [A, B, D], "scores": [(0.875, 0.125), (0.75, 0.6875), (0.03125, 0.25)]}
    return [
        scene("two_classes", "labels", **two),
        scene("one_class", "basic", boxes=[A, B, D], scores=[(0.5,), (0.75,), (0.25,)]),
        scene("at_the_score_threshold", "parameter", boxes=[A, D], scores=[(0.5, 0.25), (0.25, 0.75)], score_threshold=0.25),
        scene("nothing_above", "basic", boxes=[A, D], scores=[(0.03125, 0.0), (0.0, 0.03125)]),
        scene("no_boxes", "empty_image"),
        scene("classes_meet", "parameter", **two, per_class=False),
        scene("top_2", "limit", **two, top_k=2),
        scene("top_1_of_each_class", "limit", **two, top_k=1, top_k_per_class=True),
        scene("top_1_of_three_classes", "limit", boxes=[A, D, (60, 0, 70, 10)], top_k=1, top_k_per_class=True,
              scores=[(0.875, 0.5, 0.25), (0.75, 0.625, 0.125), (0.25, 0.375, 0.5)]),
        scene("at_most_2", "limit", **two, max_detections=2),
        scene("top_2_before_suppression", "limit", boxes=[A, B, D], scores=[(0.875,), (0.75,), (0.5,)], top_k=2),
        scene("iou_0.5", boxes=HALF, scores=[(0.75,), (0.5,), (0.25,)]),
        scene("equal_scores", boxes=[A, D], scores=[(0.5, 0.125), (0.125, 0.5)]),
    ]  # fmt: skip


def swap(parameter: str, value: Any) -> Any:
    return lambda ask, inputs, parameters: ask(inputs, {**parameters, parameter: value})


def by_place(ask: Ask, inputs: Mapping[str, Any], parameters: Mapping[str, Any]) -> Answer:
    return {"indices": sorted(ask(inputs, parameters)["indices"])}


def removed_remove(ask: Ask, inputs: Mapping[str, Any], parameters: Mapping[str, Any]) -> Answer:
    """Whatever is too like any better box goes, whether that one stays or not."""
    scores = inputs["scores"]
    order = sorted(range(len(scores)), key=lambda i: (-scores[i], i))
    kept = []
    for place, i in enumerate(order):
        pairs = [{name: [values[j], values[i]] for name, values in inputs.items()} for j in order[:place]]
        if all(len(ask(pair, {**parameters, "max_detections": None})["indices"]) == 2 for pair in pairs):
            kept.append(i)
    return {"indices": kept[: parameters["max_detections"]]}


def worst_first(ask: Ask, inputs: Mapping[str, Any], parameters: Mapping[str, Any]) -> Answer:
    return ask({**inputs, "scores": [-x for x in inputs["scores"]]}, parameters)


def pixels(*names: str) -> Deviation:
    return Deviation(
        "plus_one_pixel", "widths and heights are counted with one pixel more", "py-faster-rcnn's nms, Caffe-SSD on pixels",
        "Boxes of relative coordinates remove each other everywhere.",
        lambda ask, inputs, parameters: ask(plus_one_pixel(inputs, *names), parameters),
    )  # fmt: skip


def of_value(name: str, value: Any) -> Callable[[Mapping[str, Any]], bool]:
    return lambda parameters: parameters[name] == value


NMS = (
    dataclasses.replace(INCLUSIVE, seen="TensorFlow.js's nonMaxSuppression, ports"),
    pixels("boxes"),
    Deviation("order_of_the_input", "what is kept comes in the order of the input, not by score", "ports that return a mask",
              "Whoever cuts off after the first 100 keeps the wrong ones.", by_place),
    Deviation("removed_boxes_remove", "a box that has gone still removes others", "matrix forms of suppression",
              "Neighbours of objects are lost.",
              removed_remove),
    Deviation("worst_first", "the lowest score comes first", "ports (an ascending sort)", "The worst box of each object is kept.",
              worst_first),
    Deviation("no_limit", "max_detections is not looked at", "ports", "More detections than the evaluation counts.", swap("max_detections",
              None)),
)  # fmt: skip
DIOU = Deviation("iou_for_diou", "plain IoU is compared", "ports", "Boxes of two objects that overlap remove each other.", swap("kind",
"iou"),
                 of_value("kind", "diou"))  # fmt: skip
DIOU_FOR_IOU = Deviation(
    "diou_for_iou", "DIoU is compared", "darknet's greedynms", "More boxes stay.", swap("kind", "diou"), of_value("kind", "iou")
)


def one_label(ask: Ask, inputs: Mapping[str, Any], parameters: Mapping[str, Any]) -> Answer:
    return ask({**inputs, "labels": [0 for _ in inputs["labels"]]}, parameters)


def limit_of_each(ask: Ask, inputs: Mapping[str, Any], parameters: Mapping[str, Any]) -> Answer:
    """The reference's own, whose limit is for each label."""
    return {"indices": reference.batched_nms(Decisions(), **inputs, **parameters)}


BATCHED = (
    *NMS,
    Deviation("labels_not_looked_at", "boxes of all labels remove each other", "ports", "Objects of two classes in one place are one.",
              one_label),
    Deviation("limit_of_each_label", "max_detections counts for each label by itself", "TensorFlow's combined_non_max_suppression",
              "More detections than the evaluation counts.", limit_of_each),
)  # fmt: skip


def doubled(ask: Ask, inputs: Mapping[str, Any], parameters: Mapping[str, Any]) -> Answer:
    return ask(inputs, {**parameters, "sigma": 2 * parameters["sigma"]})


def exact_exp(x: Any) -> Fraction:
    with mp.workdps(40):
        return Fraction(mp.nstr(mp.exp(mp.mpf(x.numerator) / x.denominator), 38))


def soft(d: Decisions, **given: Any) -> Any:
    if any(isinstance(score, Fraction) for score in given["scores"]):
        with replaced(reference, math=SimpleNamespace(exp=exact_exp)):
            return reference.soft_nms(d, **given)
    return reference.soft_nms(d, **given)


SOFT = (
    INCLUSIVE,
    pixels("boxes"),
    Deviation("sigma_doubled", "exp(-IoU^2 / (2 sigma)) for exp(-IoU^2 / sigma)", "TensorFlow's soft_nms_sigma",
              "Scores are lowered less: half of the sigma is meant.", doubled, of_value("method", "gaussian")),
    Deviation("linear_for_gaussian", "scores are lowered linearly", "ports", "Another ranking of overlapping boxes.", swap("method",
              "linear"),
              of_value("method", "gaussian")),
    Deviation("gaussian_for_linear", "scores are lowered by exp(-IoU^2 / sigma)", "the paper's code, by default",
              "Another ranking of overlapping boxes.",
              swap("method", "gaussian"), of_value("method", "linear")),
)  # fmt: skip


def selected(d: Decisions, boxes: Any, scores: Any, **parameters: Any) -> Any:
    every = {"top_k": len(boxes) * 1000, "max_detections": len(boxes) * 1000}
    given = {name: every.get(name) if value is None else value for name, value in parameters.items()}
    return reference.select(d, boxes, scores, **given)


class ScoreInclusive(Decisions):
    """A score at its threshold stays."""

    def __init__(self, threshold: Any) -> None:
        super().__init__()
        self.threshold = threshold

    def above(self, a: Any, b: Any) -> bool:
        return bool(a >= b if b == self.threshold else a > b)


SELECT = (
    pixels("boxes"),
    Deviation("score_at_the_threshold_stays", ">= for >: a score at score_threshold stays", "ports", "None in practice.",
              lambda ask, inputs, parameters: ask(inputs, parameters, ScoreInclusive(parameters["score_threshold"]))),
    Deviation("iou_at_the_threshold_goes", ">= for >: a box at iou_threshold goes", "the formulas that papers print", "None in practice.",
              lambda ask, inputs, parameters: ask(inputs, parameters, ScoreInclusive(parameters["iou_threshold"])),
              lambda parameters: parameters["score_threshold"] != parameters["iou_threshold"]),
    Deviation("classes_meet", "boxes of all classes remove each other", "class-agnostic suppression",
              "Objects of two classes in one place are one.",
              swap("per_class", False)),
    Deviation("no_top_k", "top_k is not looked at", "ports", "More boxes than the paper's go into the suppression.", swap("top_k", None)),
    Deviation("no_limit", "max_detections is not looked at", "ports", "More detections than the evaluation counts.", swap("max_detections",
              None)),
)  # fmt: skip


def clear(rng: random.Random) -> Scene:
    boxes = [box(rng, 64, 12, 40) for _ in range(10)]
    return scene("drawn", boxes=boxes, scores=[rng.randint(1, 1023) / 1024 for _ in boxes])


def clear_labels(rng: random.Random) -> Scene:
    one = clear(rng)
    return Scene(one.slug, (), {**one.inputs, "labels": [rng.randint(0, 2) for _ in range(10)]})


def clear_rows(rng: random.Random) -> Scene:
    one = clear(rng)
    return Scene(one.slug, (), {**one.inputs, "scores": [[rng.randint(1, 1023) / 1024 for _ in range(3)] for _ in range(10)]})


def indices(result: Any) -> Answer:
    return {"indices": list(result)}


def batched(d: Decisions, boxes: Any, scores: Any, labels: Any, *, max_detections: int | None, **options: Any) -> list[int]:
    return reference.batched_nms(d, boxes, scores, labels, **options)[:max_detections]


OPTIONS = {"iou_threshold": 0.5, "kind": "iou", "beta": 1.0, "max_detections": None}


def nms(scenes: Sequence[Scene]) -> Function:
    inputs = {"boxes": BOXES, "scores": SCORES}
    return Function("boxes.nms", inputs, {"indices": KEPT}, reference.nms, indices, scenes, (*NMS, DIOU, DIOU_FOR_IOU), FLAGS, OPTIONS)


def batched_nms(scenes: Sequence[Scene]) -> Function:
    inputs = {"boxes": BOXES, "scores": SCORES, "labels": LABELS}
    return Function("boxes.batched_nms", inputs, {"indices": KEPT}, batched, indices, scenes, BATCHED, FLAGS, OPTIONS)


def soft_nms(scenes: Sequence[Scene]) -> Function:
    inputs = {"boxes": BOXES, "scores": SCORES}
    parts = {"indices": KEPT, "scores": NEW}
    defaults = {"method": "linear", "sigma": 0.5, "iou_threshold": 0.3, "score_threshold": 0.001}
    return Function(
        "boxes.soft_nms", inputs, parts, soft, lambda r: {"indices": list(r[0]), "scores": list(r[1])}, scenes, SOFT, FLAGS, defaults
    )


def select(scenes: Sequence[Scene]) -> Function:
    inputs = {"boxes": BOXES, "scores": Input("floats", ("boxes", "classes"), "a score for each class")}
    parts = {"indices": Part("indices", "of the boxes, by falling score"), "labels": Part("indices", "their classes")}
    defaults = {
        "score_threshold": 0.05, "iou_threshold": 0.5, "top_k": 1000, "top_k_per_class": False, "max_detections": 100, "per_class": True,
    }  # fmt: skip
    read = lambda result: {"indices": [i for i, _ in result], "labels": [c for _, c in result]}  # noqa: E731
    return Function("boxes.select", inputs, parts, selected, read, scenes, SELECT, FLAGS, defaults)


def functions() -> list[Function]:
    return [
        nms([*of_nms(), *draw(nms, clear, 4, 7)]),
        batched_nms([*of_batched(), *draw(batched_nms, clear_labels, 3, 8)]),
        soft_nms([*of_soft(), *draw(soft_nms, clear, 2, 9)]),
        select([*of_select(), *draw(select, clear_rows, 3, 10)]),
    ]

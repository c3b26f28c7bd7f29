"""Checks of refloss_keras.criteria, run by keras_worker.py: against the NumPy criteria; the other files' checks are imported."""

from typing import Any

import numpy as np
from keras_criteria_arguments import *  # noqa: F403
from keras_criteria_cases import COMPILES, COUNTS, FLAT, YOLO, Case, both
from keras_criteria_use import *  # noqa: F403

from refloss import criteria
from refloss_keras._keras import ops

REFERENCE: Any = None


def equals(case: Case, got: tuple[Any, Any], what: Any) -> None:
    value, gradient = (ops.convert_to_numpy(x) for x in got)
    assert np.isfinite(gradient).all(), what
    assert abs(value - case.value) <= 1e-5 * abs(case.value), (what, value, case.value)
    size = np.abs(case.gradient).max()
    worst = np.abs(gradient - case.gradient).max()
    assert worst <= 1e-5 * size, (what, worst, size)
    assert np.all(np.abs(gradient - case.gradient) <= 1e-5 * np.abs(case.gradient) + 1e-6 * size), what


def extremes(name: str, case: Case, function: Any) -> None:
    """Logits of +-1e4 and boxes of infinite size leave value and gradient finite."""
    y_pred = case.y_pred.copy()
    y_pred[..., 4:] = np.sign(y_pred[..., 4:]) * 1e4
    y_pred[1, :, 2:4] = 200.0  # that image has no truths; with some, a box loss of such boxes is as infinite as the criterion's
    value, gradient = map(ops.convert_to_numpy, function(case.y_true, y_pred))
    assert np.isfinite(value) and np.isfinite(gradient).all(), name


# What XLA compiles: the settings of each criterion that differ in what is computed. On torch all run, eagerly.
COMPILED = {"RetinaNet": (5,), "SSD": (4,)}


def check_values_and_gradients() -> None:
    """Batches with an empty image, and without any truth; of SSD also one in which all logits are equal, so that only the order counts."""
    for name in [*FLAT, *YOLO]:
        settings = FLAT[name][0] if name in FLAT else YOLO[name]
        for setting in settings if not COMPILES else [settings[k] for k in COMPILED.get(name, (0,))]:
            function = None
            for counts, level in [(c, False) for c in COUNTS] + [(COUNTS[0], True)] * (name == "SSD"):
                case, what = Case(name, setting, counts, level=level), (name, setting, counts, level)
                function = function or both(case.loss)
                equals(case, function(case.y_true, case.y_pred), what)
                if name in ("RetinaNet", "SSD", "YOLOv3") and counts[0]:
                    extremes(name, case, function)
                if not COMPILES:
                    terms = {key: float(term) for key, term in case.loss.terms(case.y_true, case.y_pred).items()}
                    assert set(terms) == set(case.terms), what
                    assert all(abs(terms[key] - case.terms[key]) <= 1e-5 * max(case.terms[key], 1e-3) for key in terms), (what, terms)


def check_that_the_scenes_have_everything() -> None:
    """Ignored priors and priors with two truths in YOLO's; in SSD's, fewer negatives than are asked for."""
    for name, setting in (("YOLOv2", {"ignore_threshold": 0.2}), ("YOLOv3", {}), ("YOLOv4", YOLO["YOLOv4"][0])):
        case = Case(name, setting, COUNTS[0])
        parts = case.core._split(case.outputs)
        ignored = []
        for i, truth in enumerate(case.targets):
            image = {part: values[i] for part, values in parts.items()}
            found = case.core._assign(image, criteria._targets.Truth(truth["gt_boxes"], truth["gt_labels"]))
            ignored.append(int(found.ignored.sum()))
        assert max(ignored) > 0, name
        assert (case.y_true[2, :, 4] >= 0).sum() > (case.y_true[2, :, 5] > 0).sum(), name
    case = Case("SSD", {"ratio": 40.0}, COUNTS[0])
    labels = case.y_true[..., 4]
    assert (40 * (labels >= 0).sum(axis=1) > (labels < 0).sum(axis=1)).any()

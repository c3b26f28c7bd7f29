"""Random scenes for the criteria over flat arrays: priors, outputs and truths, some images without any object."""

from typing import Any

import numpy as np

from refloss import criteria
from refloss.priors import fcos_locations, retinanet_anchors

Array = np.ndarray[Any, Any]
SIDE = 96
RANGES = ((0.0, 64.0), (64.0, np.inf))  # of strides 8 and 16, as torchvision's FCOS makes them of any two


def grid(values: Array) -> Array:
    """Rounded to 1/64: exact in float32, and short in print."""
    return np.round(values * 64) / 64


def truths(rng: np.random.Generator, count: int, classes: int, largest: float = 70.0) -> dict[str, Array]:
    sizes = rng.uniform(6, largest, (count, 2))
    low = rng.uniform(0, 1, (count, 2)) * (SIDE - sizes)
    return {"gt_boxes": grid(np.concatenate([low, low + sizes], axis=1)), "gt_labels": rng.integers(0, classes, count)}


def scene(name: str, rng: np.random.Generator, counts: tuple[int, ...], *, classes: int = 3, small: bool = False) -> dict[str, Any]:
    """Priors, outputs and targets of `len(counts)` images; small: a handful of priors."""
    images = len(counts)
    targets = [truths(rng, count, classes) for count in counts]
    if name == "fcos":
        priors = fcos_locations(SIDE if not small else (32, 48), strides=(8, 16), dtype=np.float64)
        if small:
            targets = [{**t, "gt_boxes": grid(t["gt_boxes"] * np.array([48, 32, 48, 32]) / SIDE)} for t in targets]
    else:
        priors = retinanet_anchors(SIDE, strides=(16, 32), sizes=(24, 48), scales=(1.0, 1.5), dtype=np.float64)
        priors = grid(priors + rng.uniform(-2, 2, priors.shape))  # no two alike, so no two losses are equal
        if small:
            priors = priors[rng.permutation(len(priors))[:24]]
    n = len(priors)
    outputs = {
        "classes": grid(rng.normal(-1, 2, (images, n, classes + (name == "ssd")))),
        "codes": grid(rng.normal(0, 0.7, (images, n, 4))) + 1 / 128,  # never 0
    }
    if name == "fcos":
        outputs["codes"] = np.abs(outputs["codes"]) * 3 + 1 / 64
        outputs["centerness"] = grid(rng.normal(0, 2, (images, n)))
    return {"priors": priors, "outputs": outputs, "targets": targets, "classes": classes, "image_size": (SIDE, SIDE)}


def criterion(name: str, given: dict[str, Any], **choices: Any) -> Any:
    made = {"ssd": criteria.SSD, "retinanet": criteria.RetinaNet, "fcos": criteria.FCOS}[name]
    if name == "fcos":
        choices = {"size_ranges": RANGES, **choices}
    return made(given["classes"], given["priors"], given["image_size"], **choices)


def cast(outputs: dict[str, Array], dtype: Any) -> dict[str, Array]:
    return {part: values.astype(dtype) for part, values in outputs.items()}

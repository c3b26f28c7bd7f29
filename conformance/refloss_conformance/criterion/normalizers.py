"""What terms are divided by, in the field: one name for each normaliser."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .images import Image

Divisors = Callable[[Sequence[Image], str], list[Any]]  # a number for each image, or an array with one for each of its grids


@dataclass(frozen=True)
class Normalizer:
    """divisors(images, term): what each image is divided by; 0 where theirs divides by 0. effect: on training, in a sentence."""

    name: str
    title: str
    seen: str
    effect: str
    divisors: Divisors = field(repr=False)


NORMALIZERS: dict[str, Normalizer] = {}


def normalizer(name: str, title: str, seen: str, effect: str) -> Callable[[Divisors], Divisors]:
    def decorate(divisors: Divisors) -> Divisors:
        NORMALIZERS[name] = Normalizer(name, title, seen, effect, divisors)
        return divisors

    return decorate


def _same(value: float, images: Sequence[Image]) -> list[float]:
    return [float(value)] * len(images)


@normalizer(
    "batch", "divided by the positives of the batch, at least 1", "the papers of SSD, RetinaNet and FCOS; fizyr/keras-retinanet",
    "Each positive counts alike, whichever image it is in.",
)  # fmt: skip
def batch(images: Sequence[Image], term: str) -> list[float]:
    return _same(max(1, sum(one.positives for one in images)), images)


@normalizer(
    "image_mean", "each image is divided by its positives, at least 1, then the mean over images is taken", "torchvision's RetinaNet",
    "An object in an image with few objects counts more than one in a crowd; images without objects count as much as any.",
)  # fmt: skip
def image_mean(images: Sequence[Image], term: str) -> list[float]:
    return [float(max(1, one.positives) * len(images)) for one in images]


@normalizer(
    "each_image_at_least_one", "divided by the sum of max(1, positives of an image)", "mmdet's SSD and RetinaNet",
    "Each empty image adds 1 to the divisor, so batches with many of them learn a little slower.",
)  # fmt: skip
def each_image_at_least_one(images: Sequence[Image], term: str) -> list[float]:
    return _same(max(1, sum(max(1, one.positives) for one in images)), images)


@normalizer(
    "one_more", "divided by the positives of the batch plus 1", "google/automl's EfficientDet",
    "A batch with few positives is weighted less than one with many: one positive counts half.",
)  # fmt: skip
def one_more(images: Sequence[Image], term: str) -> list[float]:
    return _same(sum(one.positives for one in images) + 1, images)


@normalizer(
    "no_division", "summed, divided by nothing", "losses written as plain sums; darknet",
    "The gradient grows with the number of objects and the batch size, so a learning rate suits one batch size only.",
)  # fmt: skip
def no_division(images: Sequence[Image], term: str) -> list[float]:
    return _same(1, images)


@normalizer(
    "batch_size", "divided by the number of images", "ports that take the mean over the batch of sums over an image",
    "Images with many objects dominate; the size of the loss depends on how many objects a data set has.",
)  # fmt: skip
def batch_size(images: Sequence[Image], term: str) -> list[float]:
    return _same(len(images), images)


@normalizer(
    "image_sum", "each image is divided by its positives, at least 1, and images are summed", "ports of torchvision's loop",
    "The gradient grows with the batch size.",
)  # fmt: skip
def image_sum(images: Sequence[Image], term: str) -> list[float]:
    return [float(max(1, one.positives)) for one in images]


@normalizer(
    "batch_or_nan", "divided by the positives of the batch, without a least divisor", "ssd.pytorch; apex's focal loss",
    "A batch without an object divides by 0: the loss is NaN or infinite, and so are all weights after that step.",
)  # fmt: skip
def batch_or_nan(images: Sequence[Image], term: str) -> list[float]:
    return _same(sum(one.positives for one in images), images)


@normalizer(
    "priors", "divided by the number of all priors", "losses with a mean over priors (and a sum over classes)",
    "With some 100 000 priors and a handful of positives the loss is thousands of times too small, and the positives with it.",
)  # fmt: skip
def priors(images: Sequence[Image], term: str) -> list[float]:
    return _same(sum(one.priors for one in images), images)


@normalizer(
    "elements", "the mean over all elements", "reduction='mean' over the whole output",
    "The positives drown: the loss is divided by priors and classes, thousands of times more than by positives.",
)  # fmt: skip
def elements(images: Sequence[Image], term: str) -> list[float]:
    return _same(sum(one.terms[term].elements for one in images), images)


@normalizer(
    "selected", "the mean over the elements that take part", "reduction='mean' over what a mask has left",
    "The size depends on how many negatives take part, and in the box term on the four codes.",
)  # fmt: skip
def selected(images: Sequence[Image], term: str) -> list[float]:
    return _same(sum(one.terms[term].selected for one in images), images)


@normalizer(
    "selected_at_least_one", "the mean over the elements that take part, at least 1", "reduction='mean' over a mask, guarded",
    "The size depends on how many negatives take part, and in the box term on the four codes.",
)  # fmt: skip
def selected_at_least_one(images: Sequence[Image], term: str) -> list[float]:
    return _same(max(1, sum(one.terms[term].selected for one in images)), images)


@normalizer(
    "counted", "divided by the number of priors that are not ignored", "losses that divide by the sum of their weights",
    "As with all priors: the positives drown.",
)  # fmt: skip
def counted(images: Sequence[Image], term: str) -> list[float]:
    return _same(max(1, sum(one.counted for one in images)), images)


@normalizer(
    "positive_codes", "divided by 4 times the positives of the batch, at least 1",
    "TensorFlow's object detection, google/automl's box loss",
    "The box term is a quarter of what its weight says.",
)  # fmt: skip
def positive_codes(images: Sequence[Image], term: str) -> list[float]:
    return _same(4 * max(1, sum(one.positives for one in images)), images)


@normalizer(
    "four_times_one_more", "divided by 4 times (the positives of the batch plus 1)", "google/automl's box loss",
    "The box term is a quarter of what its weight says, and less in batches with few positives.",
)  # fmt: skip
def four_times_one_more(images: Sequence[Image], term: str) -> list[float]:
    return _same(4 * (sum(one.positives for one in images) + 1), images)


@normalizer(
    "truths", "divided by the number of ground-truth boxes of the batch, at least 1", "DETR-like criteria, ports",
    "An object with many matching priors counts more than one with few.",
)  # fmt: skip
def truths(images: Sequence[Image], term: str) -> list[float]:
    return _same(max(1, sum(one.truths for one in images)), images)


@normalizer(
    "images_with_objects", "each image is divided by its positives, at least 1, then the mean over images with positives is taken",
    "loops that skip empty images", "Images without objects change nothing.",
)  # fmt: skip
def images_with_objects(images: Sequence[Image], term: str) -> list[float]:
    count = max(1, sum(one.positives > 0 for one in images))
    return [float(max(1, one.positives) * count) for one in images]


@normalizer(
    "batch_plus_eps", "divided by the positives of the batch, at least 1, plus 1.2e-7", "mmdet's weight_reduce_loss", "None in practice.",
)  # fmt: skip
def batch_plus_eps(images: Sequence[Image], term: str) -> list[float]:
    return [d + 2.0**-23 for d in batch(images, term)]


@normalizer(
    "each_image_at_least_one_plus_eps", "divided by the sum of max(1, positives of an image), plus 1.2e-7", "mmdet's weight_reduce_loss",
    "None in practice; an empty image adds 1 to the divisor.",
)  # fmt: skip
def each_image_at_least_one_plus_eps(images: Sequence[Image], term: str) -> list[float]:
    return [d + 2.0**-23 for d in each_image_at_least_one(images, term)]


@normalizer(
    "shares", "divided by the batch's sum of centerness, at least 1e-6", "FCOS's authors and mmdet, for the box term",
    "Locations in the middle of an object count for more; the divisor is smaller than the number of positives.",
)  # fmt: skip
def shares(images: Sequence[Image], term: str) -> list[float]:
    return _same(max(1e-6, sum(one.share for one in images)), images)


def _of_grids(images: Sequence[Image], term: str, times: float) -> list[Any]:
    """NaN, which agrees with nothing, where a criterion has no grids."""
    counts = [one.terms[term].counts for one in images]
    whole = [one for one in counts if one is not None]
    return [np.maximum(sum(whole), 1) / times] * len(images) if len(whole) == len(images) else [math.nan] * len(images)


@normalizer(
    "grid_means", "the mean of each grid (over its matches in the batch; the objectness over its priors), then the sum over grids",
    "the authors' Scaled-YOLOv4, YOLOv5 and later", "A grid with few matches counts as much as one with many.",
)  # fmt: skip
def grid_means(images: Sequence[Image], term: str) -> list[Any]:
    return _of_grids(images, term, 1.0)


@normalizer(
    "grid_means_times_images", "the mean of each grid, summed over grids, times the number of images",
    "what the authors' Scaled-YOLOv4 and YOLOv5 hand to their optimiser", "The gradient grows with the batch size.",
)  # fmt: skip
def grid_means_times_images(images: Sequence[Image], term: str) -> list[Any]:
    return _of_grids(images, term, float(len(images)))


@normalizer(
    "grid_means_of_images", "the means of each grid are of each image alone, and the mean over images is taken",
    "loops over images around a loss of one", "An object in an image with few objects counts more than one in a crowd.",
)  # fmt: skip
def grid_means_of_images(images: Sequence[Image], term: str) -> list[Any]:
    return [found * len(images) for one in images for found in _of_grids([one], term, 1.0)]


def _refuse(images: Sequence[Image], term: str) -> list[float]:
    raise TypeError("a moving average needs the calls before")


MOMENTUM = 0.9
STARTS = {"moving_average_from_100": (100, "detectron2's RetinaNet"), "moving_average_from_300": (300, "detectron2's FCOS")}
MOVING = {
    name: Normalizer(
        name, f"divided by a moving average of max(1, positives of the batch) that starts at {start} and keeps 0.9", seen,
        "The divisor is of earlier batches, so the loss is no function of the batch: the first steps are far too small.", _refuse,
    )
    for name, (start, seen) in STARTS.items()
}  # fmt: skip


STATED = Normalizer(
    "stated", "divided as each of the settings says", "criteria with an argument for it", "The settings' own.", _refuse,
)  # fmt: skip


def divisors_of(name: str, calls: Sequence[Sequence[Image]], term: str) -> list[list[Any]]:
    """The divisors of each call, in the order of the calls."""
    if name not in MOVING:
        return [NORMALIZERS[name].divisors(images, term) for images in calls]
    value, found = float(STARTS[name][0]), []
    for images in calls:
        value = MOMENTUM * value + (1 - MOMENTUM) * max(1, sum(one.positives for one in images))
        found.append(_same(value, images))
    return found


def known(name: str) -> Normalizer:
    return STATED if name == STATED.name else NORMALIZERS.get(name) or MOVING[name]

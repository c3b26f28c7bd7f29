"""Deviations of SSD alone: its background, mining and matching."""

from functools import partial

from .record import Deviation, register

KNOWN: dict[str, Deviation] = {}
deviation = partial(register, KNOWN)

deviation(
    "background_last", "the background is the last column", "mmdet; TensorFlow and the papers have it first",
    "Every class is learnt one column off.", ("criteria.ssd",), {"background": -1},
)  # fmt: skip
deviation(
    "background_first", "the background is the first column", "the paper, torchvision, ssd.pytorch",
    "Every class is learnt one column off.", ("criteria.ssd",), {"background": 0},
)  # fmt: skip
deviation(
    "negatives_not_mined", "all negatives count", "ports without hard negative mining",
    "The background dominates: the loss of positives is a small part of it, and everything becomes background.", ("criteria.ssd",),
    {"mine": False},
)  # fmt: skip
deviation(
    "mining_ratio_other", "{constant} negatives are mined for each positive", "other configurations",
    "More false positives with fewer negatives, fewer detections with more.", ("criteria.ssd",), {"ratio": "{constant}"},
    (1.0, 2.0, 3.0, 4.0, 5.0),
)  # fmt: skip
deviation(
    "positives_mined", "positives are among those that are mined, and count twice", "rykov8/ssd_keras#5, ports",
    "Hard positives count twice and push hard negatives out.", ("criteria.ssd",), {"also_negative": True},
)  # fmt: skip
deviation(
    "positives_mined_when_exhausted", "where negatives run out positives are mined too, and count twice", "torchvision",
    "None in practice: there are thousands of negatives.", ("criteria.ssd",), {"mining": "torchvision"},
)  # fmt: skip
deviation(
    "mined_by_background_score", "negatives are mined by the background's logit in place of their loss", "ports",
    "Nearly the same negatives, as long as classes' logits are alike.", ("criteria.ssd",), {"mined_by": "background"},
)  # fmt: skip
deviation(
    "forced_matches_missing", "a truth whose best prior is below the threshold has none", "ports that only threshold",
    "Objects of an unusual shape or size are never learnt.", ("criteria.ssd",), {"forced": False},
)  # fmt: skip
deviation(
    "matched_as_in", "truths take their best priors as in {constant}",
    "torchvision and ssd.pytorch (a truth may lose its prior to a later one, one that meets none gets prior 0), Caffe (unique pairs)",
    "Some objects have no prior, or one that does not fit.", ("criteria.ssd",), {"matching": "{constant}"},
    ("paper", "torchvision", "ssd.pytorch", "caffe"),
)  # fmt: skip
deviation(
    "threshold_other", "a prior is positive from an IoU of {constant}", "other configurations", "More, or fewer, priors are positive.",
    ("criteria.ssd",), {"threshold": "{constant}"}, (0.35, 0.4, 0.6, 0.7),
)  # fmt: skip

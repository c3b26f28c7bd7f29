"""torchvision's matchers and anchor generators as functions of plain arrays.

The generators take lists of images and feature maps, of which only the sizes matter.
"""

import pathlib
import sys
from typing import Any

import torch

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import torchvision_losses  # noqa: F401  declares operators that its wheels may lack
from torchvision.models.detection._utils import Matcher, SSDMatcher  # type: ignore[import-untyped]
from torchvision.models.detection.anchor_utils import AnchorGenerator, DefaultBoxGenerator  # type: ignore[import-untyped]
from torchvision.models.detection.image_list import ImageList  # type: ignore[import-untyped]


def _images(image_size: Any, feature_maps: Any) -> tuple[Any, list[torch.Tensor]]:
    images = ImageList(torch.zeros(1, 3, *image_size), [tuple(image_size)])
    return images, [torch.zeros(1, 1, *cells) for cells in feature_maps]


def retinanet_anchors(image_size: Any, feature_maps: Any, sizes: Any, scales: Any, aspect_ratios: Any) -> torch.Tensor:
    """As its RetinaNet makes them: sizes times scales are cut to whole pixels; strides follow from the sizes of image and maps."""
    scaled = tuple(tuple(int(size * scale) for scale in scales) for size in sizes)
    generator = AnchorGenerator(scaled, (tuple(aspect_ratios),) * len(scaled))
    return generator(*_images(image_size, feature_maps))[0]


def ssd_default_boxes(image_size: Any, feature_maps: Any, sizes: Any, aspect_ratios: Any, steps: Any = None) -> torch.Tensor:
    """Sizes are relative to the image there, and clipped to it."""
    scales = [size / image_size[0] for size in sizes]
    generator = DefaultBoxGenerator([list(ratios) for ratios in aspect_ratios], scales=scales, steps=None if steps is None else list(steps))
    return generator(*_images(image_size, feature_maps))[0]


__all__ = ["Matcher", "SSDMatcher", "retinanet_anchors", "ssd_default_boxes"]

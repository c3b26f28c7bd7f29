"""torchvision's detectors as callables for `refloss check --as criteria.*`: outputs by name, truths, priors; a dict of terms."""

import pathlib
import sys
from typing import Any

from torch import Tensor

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent))
from harnesses import torchvision_criteria

PACKAGE = "torchvision"


def ssd(classes: Tensor, codes: Tensor, truths: Any, priors: Tensor) -> Any:
    return torchvision_criteria.ssd(classes, codes, truths, priors)


def retinanet(classes: Tensor, codes: Tensor, truths: Any, priors: Tensor) -> Any:
    return torchvision_criteria.retinanet(classes, codes, truths, priors)


def retinanet_v2(classes: Tensor, codes: Tensor, truths: Any, priors: Tensor) -> Any:
    return torchvision_criteria.retinanet(classes, codes, truths, priors, "giou")


def fcos(classes: Tensor, codes: Tensor, centerness: Tensor, truths: Any, priors: Tensor) -> Any:
    return torchvision_criteria.fcos(classes, codes, centerness, truths, priors)

"""All functions that have scenes, and their files' texts."""

from types import ModuleType

from . import boxes, fcos, max_iou, mining, priors, scaled_yolov4, ssd, yolo, yolov1
from .write import text_of

MODULES: tuple[ModuleType, ...] = (max_iou, ssd, yolov1, yolo, scaled_yolov4, fcos, mining, boxes, priors)


def texts() -> dict[str, str]:
    """File texts by function."""
    return {function.name: text_of(function) for module in MODULES for function in module.functions()}

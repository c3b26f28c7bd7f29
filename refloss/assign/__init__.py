"""Assigners: which ground truth each prior of an image belongs to. Integers; nothing here has a gradient."""

from .assignment import Assignment
from .fcos import fcos
from .max_iou import max_iou
from .scaled_yolov4 import scaled_yolov4
from .ssd import ssd
from .yolov1 import yolov1
from .yolov2 import yolov2
from .yolov3 import yolov3
from .yolov4 import yolov4

__all__ = ["Assignment", "fcos", "max_iou", "scaled_yolov4", "ssd", "yolov1", "yolov2", "yolov3", "yolov4"]

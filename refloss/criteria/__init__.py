"""The losses of whole detectors: assign, encode, losses, and their normalisation."""

from ._criterion import Criterion, Detections
from ._flat import MovingAverage
from .fcos import FCOS
from .retinanet import RetinaNet
from .scaled_yolov4 import ScaledYOLOv4
from .ssd import SSD
from .yolov1 import YOLOv1
from .yolov2 import YOLOv2
from .yolov3 import YOLOv3
from .yolov4 import YOLOv4

__all__ = [
    "FCOS",
    "SSD",
    "Criterion",
    "Detections",
    "MovingAverage",
    "RetinaNet",
    "ScaledYOLOv4",
    "YOLOv1",
    "YOLOv2",
    "YOLOv3",
    "YOLOv4",
]

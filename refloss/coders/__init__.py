"""Box coders: `encode` turns boxes into what a head regresses, `decode` turns it back, given priors. No matching here."""

from .delta import DeltaCoder
from .ltrb import LTRBCoder
from .yolo import YOLOCoder
from .yolov1 import YOLOv1Coder

__all__ = ["DeltaCoder", "LTRBCoder", "YOLOCoder", "YOLOv1Coder"]

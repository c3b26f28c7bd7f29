"""Boxes: formats, areas, intersection over union, and the selection of detections.

>>> from refloss import boxes
>>> boxes.iou([0.0, 0.0, 10.0, 10.0], boxes.convert([0.0, 0.0, 10.0, 5.0], "xywh", "xyxy"))
np.float64(0.5)
"""

from .formats import FORMATS, BoxFormat, area, convert
from .overlaps import iou, iou_matrix
from .selection import Selection, select
from .soft import soft_nms
from .suppression import batched_nms, nms

__all__ = ["FORMATS", "BoxFormat", "Selection", "area", "batched_nms", "convert", "iou", "iou_matrix", "nms", "select", "soft_nms"]

"""Priors: what a detector's head regresses from. Default boxes, anchors, grid cells, locations; and anchor shapes from data."""

from .clusters import average_iou, kmeans_anchors
from .fcos import FCOS_SIZE_RANGES, fcos_locations
from .grid import Grid
from .retinanet import retinanet_anchors
from .ssd import SSD300, SSD300_COCO, SSD512, SSD512_COCO, SSDSettings, ssd_default_boxes, ssd_sizes
from .yolo import (
    SCALED_YOLOV4_SHAPES,
    YOLOV2_SHAPES,
    YOLOV3_SHAPES,
    YOLOV4_SHAPES,
    prior_boxes,
    scaled_yolov4_grids,
    yolo_priors,
    yolov1_cells,
    yolov2_grids,
    yolov3_grids,
    yolov4_grids,
)

__all__ = [
    "FCOS_SIZE_RANGES",
    "SCALED_YOLOV4_SHAPES",
    "SSD300",
    "SSD300_COCO",
    "SSD512",
    "SSD512_COCO",
    "YOLOV2_SHAPES",
    "YOLOV3_SHAPES",
    "YOLOV4_SHAPES",
    "Grid",
    "SSDSettings",
    "average_iou",
    "fcos_locations",
    "kmeans_anchors",
    "prior_boxes",
    "retinanet_anchors",
    "scaled_yolov4_grids",
    "ssd_default_boxes",
    "ssd_sizes",
    "yolo_priors",
    "yolov1_cells",
    "yolov2_grids",
    "yolov3_grids",
    "yolov4_grids",
]

"""CIoU with three faults at once, for the time that it takes to name them."""

import math

import torch
from torch import Tensor

EPS = 1e-7


def three_faults(boxes: Tensor, target_boxes: Tensor) -> Tensor:
    """EPS in the denominators and in one side of the boxes, and alpha differentiated."""
    (x1, y1, x2, y2), (u1, v1, u2, v2) = boxes.unbind(-1), target_boxes.unbind(-1)
    w, h, tw, th = x2 - x1, y2 - y1 + EPS, u2 - u1, v2 - v1 + EPS
    overlap = (torch.minimum(x2, u2) - torch.maximum(x1, u1)).relu() * (torch.minimum(y2, v2) - torch.maximum(y1, v1)).relu()
    iou = overlap / (w * h + tw * th - overlap + EPS)
    hull_w, hull_h = torch.maximum(x2, u2) - torch.minimum(x1, u1), torch.maximum(y2, v2) - torch.minimum(y1, v1)
    away = ((x1 + x2 - u1 - u2) ** 2 + (y1 + y2 - v1 - v2) ** 2) / 4
    v = (2 / math.pi * (torch.arctan(tw / th) - torch.arctan(w / h))) ** 2
    alpha = v / (v - iou + (1 + EPS))
    return 1 - iou + away / (hull_w**2 + hull_h**2 + EPS) + alpha * v

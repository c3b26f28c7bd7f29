"""The losses of whole detectors for `model.compile`: the criteria of `refloss.criteria`, with encoders that make y_true on the host.

loss = refloss_keras.criteria.RetinaNet(80, priors, 640)
encoder = loss.encoder()                      # encoder(gt_boxes, gt_labels) is one image's y_true, encoder.batch(targets) a batch's
model.compile(optimizer, loss=loss, jit_compile=True)
loss.select(model.predict(images))            # boxes, scores and labels, after NMS
"""

from ._encoder import Encoder
from ._loss import CriterionLoss
from .fcos import FCOS
from .heads import concatenate_heads
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
    "CriterionLoss",
    "Encoder",
    "RetinaNet",
    "ScaledYOLOv4",
    "YOLOv1",
    "YOLOv2",
    "YOLOv3",
    "YOLOv4",
    "concatenate_heads",
]

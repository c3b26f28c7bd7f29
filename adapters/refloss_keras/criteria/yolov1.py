"""YOLOv1's loss for Keras."""

from typing import Any

import numpy as np

from refloss import criteria
from refloss._engine.coding import CODINGS
from refloss._engine.record import Array
from refloss.coders import YOLOv1Coder
from refloss.coders.shared import corners_formula
from refloss.criteria._targets import Truth
from refloss.errors import bad_value
from refloss.losses.iou import Geometry, ratio
from refloss.priors import yolov1_cells

from .._keras import ops
from ._encoder import Encoder
from ._loss import CriterionLoss, registered


class YOLOv1Encoder(Encoder):
    """A row for each cell: the codes of the truth that it holds, its box relative to the image, its class; or -1 for that."""

    core: criteria.YOLOv1

    def __init__(self, core: criteria.YOLOv1, dtype: str) -> None:
        super().__init__(core, dtype)
        self.shape = (core.grid**2, 9)

    def _fill(self, rows: Array, truth: Truth) -> None:
        core, relative = self.core, self.core._relative_truth(truth)
        found = core._assign({"codes": np.zeros((len(rows) * core.boxes, 4), rows.dtype)}, truth)
        index = found.gt_index.reshape(len(rows), core.boxes).max(axis=1)  # which predictor is responsible is not the host's affair
        held = np.flatnonzero(index >= 0)
        boxes = relative[index[held]]
        codes = YOLOv1Coder().encode(boxes, yolov1_cells(core.grid, 1, dtype=rows.dtype)[held])
        if not core.square_roots:
            codes[:, 2:] = boxes[:, 2:] - boxes[:, :2]
        rows[:, 8] = -1
        rows[held, :4], rows[held, 4:8], rows[held, 8] = codes, boxes, truth.labels[index[held]]


@registered
class YOLOv1(CriterionLoss):
    """`refloss.criteria.YOLOv1` as a Keras loss; arguments and terms are its, dialect="paper".

    y_pred: (images, S, S, B * 5 + C), the criterion's own layout. y_true: `encoder()`, (S S, 9). How it is reduced: see `CriterionLoss`.
    """

    make = criteria.YOLOv1

    def encoder(self) -> Encoder:
        return YOLOv1Encoder(self.core, self.dtype)

    def _prepare(self) -> None:
        if self.core.dialect != "paper":
            way_out = "factor=0.5 halves the errors as darknet does; its truths on the image's border need predictions"
            bad_value("YOLOv1", "dialect", "'paper'", repr(self.core.dialect), way_out)
        self._cells = yolov1_cells(self.core.grid, 1, dtype=self.dtype)[:, None]

    def _channels(self) -> tuple[int, ...]:
        return self.core.grid, self.core.grid, 5 * self.core.boxes + self.core.classes

    def _layout(self) -> str:
        return f"channels are {self.core.boxes} times x, y, w, h, confidence, then {self.core.classes} classes"

    def _outputs(self, y_pred: Array) -> Array:
        return y_pred

    def _shares(self, y_true: Any, y_pred: Any) -> dict[str, Any]:
        core, xp, cells = self.core, self.xp, len(self._cells)
        predictors = ops.reshape(y_pred[..., : 5 * core.boxes], (-1, cells, core.boxes, 5))
        codes, confidence = predictors[..., :4], predictors[..., 4]
        scores = ops.reshape(y_pred[..., 5 * core.boxes :], (-1, cells, core.classes))
        label = ops.cast(ops.round(y_true[..., 8]), "int32")
        held = ops.cast(label >= 0, self.dtype)
        divisor = self._divisor(ops.sum(held, axis=1), self._images(y_pred))
        responsible, iou = self._responsible(codes, y_true[:, :, None, 4:8])
        responsible = responsible * held[..., None]

        def errors(values: Any, targets: Any) -> Any:
            return self._loss("squared_error", values, targets, factor=core.factor)

        # 1
        box = core.coordinate_weight * errors(codes, y_true[:, :, None, :4]) * responsible[..., None]
        # 2, 3
        there = core.object_weight * errors(confidence, iou if core.iou_as_confidence else ops.ones_like(iou)) * responsible
        elsewhere = core.no_object_weight * errors(confidence, ops.zeros_like(iou)) * (1 - responsible)
        # 4
        classes = core.class_weight * errors(scores, xp.one_hot(label, scores)) * held[..., None]
        return {
            "box": ops.sum(box, axis=(1, 2, 3)) / divisor, "objectness": ops.sum(there + elsewhere, axis=(1, 2)) / divisor,
            "classes": ops.sum(classes, axis=(1, 2)) / divisor,
        }  # fmt: skip

    def _responsible(self, codes: Any, truths: Any) -> tuple[Any, Any]:
        """(images, cells, B): 1 for the predictor of the largest IoU with its cell's truth, or of the smallest distance if none meets it;
        and the IoU. Both are constants."""
        xp, codes = self.xp, self.xp.stop_gradient(codes)
        cells = ops.convert_to_tensor(self._cells)
        if self.core.square_roots:
            boxes = CODINGS["yolov1_coder.decode"].formula(xp, codes, cells)
        else:  # reversed by a negative size: it meets nothing
            x, y = ((codes[..., j] + cells[..., j]) / self.core.grid for j in (0, 1))
            boxes = corners_formula(xp, x, y, codes[..., 2], codes[..., 3])
        pair = Geometry(xp, boxes, truths, "xyxy")
        iou = ratio(xp, pair.intersection, pair.union)
        grown_w, grown_h = pair.w - pair.tw, pair.h - pair.th
        distance = pair.dx * pair.dx + pair.dy * pair.dy + grown_w * grown_w + grown_h * grown_h
        meets = xp.max(iou) > 0
        chosen = ops.where(meets, ops.argmax(iou, axis=-1), ops.argmin(distance, axis=-1))
        return xp.one_hot(chosen, iou), iou

"""All criteria that have golden values, and their files' texts."""

import os
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor

from . import fcos, retinanet, scaled_yolov4, ssd, yolov1, yolov2, yolov3, yolov4
from .record import Oracle
from .write import text_of

ORACLES: dict[str, Oracle] = {
    module.ORACLE.name: module.ORACLE for module in (fcos, retinanet, scaled_yolov4, ssd, yolov1, yolov2, yolov3, yolov4)
}


def text(name: str) -> str:
    """The file of one criterion."""
    return text_of(ORACLES[name])


def texts(names: Sequence[str] | None = None) -> dict[str, str]:
    """File texts by criterion, made by as many processes as there are processors."""
    chosen = list(ORACLES if names is None else names)
    with ProcessPoolExecutor(min(len(chosen), os.cpu_count() or 1)) as pool:
        return dict(zip(chosen, pool.map(text, chosen), strict=True))

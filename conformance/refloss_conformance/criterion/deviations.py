"""Known mistakes, and other projects' conventions, in whole criteria, in the order in which they are tried."""

from . import fcos_deviations, retinanet_deviations, ssd_deviations, yolo_deviations, yolov3_deviations
from .record import Candidate, Deviation

__all__ = ["DEVIATIONS", "Candidate", "applicable"]

DEVIATIONS: dict[str, Deviation] = {
    **retinanet_deviations.KNOWN, **ssd_deviations.KNOWN, **fcos_deviations.KNOWN, **yolov3_deviations.KNOWN, **yolo_deviations.KNOWN,
}  # fmt: skip


def applicable(criterion: str) -> list[Candidate]:
    """Every deviation of a criterion, with every constant it may have."""
    return [Candidate(one, constant) for one in DEVIATIONS.values() if criterion in one.criteria for constant in one.constants]

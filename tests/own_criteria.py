"""refloss_torch's YOLOs with an argument for each thing, and the same with twice the box term."""

from refloss.priors import Grid
from refloss_torch import criteria


def _grids(grids):
    return tuple(Grid(**{**one, "shapes": tuple(map(tuple, one["shapes"]))}) for one in grids)


def YOLOv1(output, targets, number_of_classes, image_size, grid, boxes):  # noqa: N802
    return criteria.YOLOv1(number_of_classes, image_size, grid=grid, boxes=boxes)(output, targets)


def YOLOv2(outputs, targets, number_of_classes, grids):  # noqa: N802
    return criteria.YOLOv2(number_of_classes, _grids(grids))(outputs, targets)


def YOLOv4(outputs, targets, number_of_classes, grids, scale_xy):  # noqa: N802
    return criteria.YOLOv4(number_of_classes, _grids(grids), scale_xy=scale_xy)(outputs, targets)


def ScaledYOLOv4(outputs, targets, number_of_classes, grids, balance):  # noqa: N802
    return criteria.ScaledYOLOv4(number_of_classes, _grids(grids), balance=balance)(outputs, targets)


def _twice(terms):
    return {**terms, "box": 2 * terms["box"]}


def YOLOv1Twice(output, targets, number_of_classes, image_size, grid, boxes):  # noqa: N802
    return _twice(YOLOv1(output, targets, number_of_classes, image_size, grid, boxes))


def YOLOv2Twice(outputs, targets, number_of_classes, grids):  # noqa: N802
    return _twice(YOLOv2(outputs, targets, number_of_classes, grids))


def YOLOv4Twice(outputs, targets, number_of_classes, grids, scale_xy):  # noqa: N802
    return _twice(YOLOv4(outputs, targets, number_of_classes, grids, scale_xy))


def ScaledYOLOv4Twice(outputs, targets, number_of_classes, grids, balance):  # noqa: N802
    return _twice(ScaledYOLOv4(outputs, targets, number_of_classes, grids, balance))

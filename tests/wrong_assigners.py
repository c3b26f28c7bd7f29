"""Assigners, miners and suppressions in NumPy, right and wrong, as other people write them: what the checker must tell apart."""

from typing import Any

import numpy as np

import refloss.assign

Array = Any


def iou(a: Array, b: Array, plus: float = 0.0) -> Array:
    """(len(a), len(b))."""
    low, high = np.maximum(a[:, None, :2], b[None, :, :2]), np.minimum(a[:, None, 2:], b[None, :, 2:])
    meet = np.clip(high - low + plus, 0, None).prod(axis=2)
    areas = [(x[:, 2:] - x[:, :2] + plus).prod(axis=1) for x in (a, b)]
    union = areas[0][:, None] + areas[1][None] - meet
    return np.divide(meet, union, out=np.zeros_like(meet), where=union > 0)


def _matched(priors: Array, gt_boxes: Array, low: bool = False, *, plus: float = 0.0, exclusive: bool = False, zero: bool = False,
             own: bool = True, band: int = -2, single: bool = False) -> Array:  # fmt: skip
    answer = np.full(len(priors), -1)
    if not len(gt_boxes):
        return answer
    table = iou(priors, gt_boxes, plus)
    table[:, (gt_boxes[:, 2:] == gt_boxes[:, :2]).any(axis=1)] = 0
    best = table.max(axis=1)
    above = (lambda t: best > t) if exclusive else (lambda t: best >= t)
    half, least = priors.dtype.type(0.5), priors.dtype.type(0.4)
    answer[above(least)] = band
    answer[above(half)] = table.argmax(axis=1)[above(half)]
    for t in range(len(gt_boxes)) if low else ():
        if table[:, t].max() > 0 or zero:
            top = np.flatnonzero(table[:, t] == table[:, t].max())
            for p in top[:1] if single else top:
                answer[p] = table[p].argmax() if own and not single else t
    return answer


def max_iou_right(priors, gt_boxes, low_quality_matches=False):  # type: ignore[no-untyped-def]
    return _matched(priors, gt_boxes, low_quality_matches)


def max_iou_other_ties(priors, gt_boxes, low_quality_matches=False):  # type: ignore[no-untyped-def]
    """The last of equal truths."""
    found = _matched(priors, gt_boxes[::-1], low_quality_matches)
    return np.where(found >= 0, len(gt_boxes) - 1 - found, found)


def max_iou_mmdet_codes(priors, gt_boxes, low_quality_matches=False):  # type: ignore[no-untyped-def]
    return _matched(priors, gt_boxes, low_quality_matches) + 1


def max_iou_from_one(priors, gt_boxes, low_quality_matches=False):  # type: ignore[no-untyped-def]
    found = _matched(priors, gt_boxes, low_quality_matches)
    return np.where(found >= 0, found + 1, found)


def max_iou_no_band(priors, gt_boxes, low_quality_matches=False):  # type: ignore[no-untyped-def]
    return _matched(priors, gt_boxes, low_quality_matches, band=-1)


def max_iou_exclusive(priors, gt_boxes, low_quality_matches=False):  # type: ignore[no-untyped-def]
    return _matched(priors, gt_boxes, low_quality_matches, exclusive=True)


def max_iou_exclusive_without_a_band(priors, gt_boxes, low_quality_matches=False):  # type: ignore[no-untyped-def]
    """Two mistakes at once."""
    return _matched(priors, gt_boxes, low_quality_matches, exclusive=True, band=-1)


def max_iou_exclusive_below(priors, gt_boxes):  # type: ignore[no-untyped-def]
    """An IoU of exactly 0.4 is background, one of exactly 0.5 positive."""
    answer = _matched(priors, gt_boxes)
    if len(gt_boxes):
        answer[iou(priors, gt_boxes).max(axis=1) == priors.dtype.type(0.4)] = -1
    return answer


def max_iou_pixel(priors, gt_boxes):  # type: ignore[no-untyped-def]
    return _matched(priors, gt_boxes, plus=1.0)


def max_iou_zero(priors, gt_boxes, low_quality_matches=False):  # type: ignore[no-untyped-def]
    return _matched(priors, gt_boxes, low_quality_matches, zero=True)


def max_iou_mmdet(priors, gt_boxes, low_quality_matches=False):  # type: ignore[no-untyped-def]
    return _matched(priors, gt_boxes, low_quality_matches, zero=True, own=False)


def max_iou_forced(priors, gt_boxes, low_quality_matches=False):  # type: ignore[no-untyped-def]
    return _matched(priors, gt_boxes, low_quality_matches, own=False)


def max_iou_single(priors, gt_boxes, low_quality_matches=False):  # type: ignore[no-untyped-def]
    return _matched(priors, gt_boxes, low_quality_matches, single=True)


def max_iou_never_low(priors, gt_boxes, low_quality_matches=False):  # type: ignore[no-untyped-def]
    return _matched(priors, gt_boxes)


def max_iou_always_low(priors, gt_boxes, low_quality_matches=False):  # type: ignore[no-untyped-def]
    return _matched(priors, gt_boxes, True)


def max_iou_raises(priors, gt_boxes, low_quality_matches=False):  # type: ignore[no-untyped-def]
    if not len(gt_boxes):
        raise ValueError("nothing to match")
    return _matched(priors, gt_boxes, low_quality_matches)


def max_iou_inventive(priors, gt_boxes):  # type: ignore[no-untyped-def]
    return np.roll(_matched(priors, gt_boxes), 1)


def max_iou_text(priors, gt_boxes):  # type: ignore[no-untyped-def]
    return "a match"


def max_iou_dictionary(priors, gt_boxes):  # type: ignore[no-untyped-def]
    return {"labels": np.zeros(len(priors)), "matches": _matched(priors, gt_boxes)}


def max_iou_broken(priors, gt_boxes):  # type: ignore[no-untyped-def]
    raise RuntimeError("no luck today")


def ssd_threshold_only(priors, gt_boxes):  # type: ignore[no-untyped-def]
    table = iou(priors, gt_boxes)
    if not table.size:
        return np.full(len(priors), -1)
    return np.where(table.max(axis=1) >= 0.5, table.argmax(axis=1), -1)


def ssd_pytorch(priors, gt_boxes):  # type: ignore[no-untyped-def]
    """Each truth's best prior, the later truth wins, whatever the IoU."""
    answer = ssd_threshold_only(priors, gt_boxes)
    for t in range(len(gt_boxes)):
        answer[iou(priors, gt_boxes[t : t + 1]).argmax()] = t
    return answer


def ssd_lost(priors, gt_boxes):  # type: ignore[no-untyped-def]
    """The same for truths that meet a prior."""
    answer = ssd_threshold_only(priors, gt_boxes)
    for t in range(len(gt_boxes)):
        table = iou(priors, gt_boxes[t : t + 1])
        if table.max() > 0:
            answer[table.argmax()] = t
    return answer


def hard_negatives_with_positives(losses, assignments, ratio=3.0, min_negatives=0):  # type: ignore[no-untyped-def]
    able = np.flatnonzero(assignments != -2)
    count = max(int(ratio * (assignments >= 0).sum()), min_negatives)
    return able[np.argsort(-losses[able], kind="stable")][:count]  # indices, not a mask


def hard_negatives_right(losses, assignments, ratio=3.0, min_negatives=0):  # type: ignore[no-untyped-def]
    able = np.flatnonzero(assignments == -1)
    count = max(int(ratio * (assignments >= 0).sum()), min_negatives)
    mask = np.zeros(len(losses), bool)
    mask[able[np.argsort(-losses[able], kind="stable")][:count]] = True
    return mask


def nms(boxes, scores, iou_threshold=0.5, inclusive=False, place=False):  # type: ignore[no-untyped-def]
    left, kept = list(np.argsort(-scores, kind="stable")), []
    threshold = boxes.dtype.type(iou_threshold)
    while left:
        best = left.pop(0)
        kept.append(int(best))
        values = iou(boxes[best : best + 1], boxes[left])[0] if left else []
        left = [i for i, v in zip(left, values, strict=True) if (v < threshold if inclusive else v <= threshold)]
    return sorted(kept) if place else kept


def nms_inclusive(boxes, scores, iou_threshold=0.5):  # type: ignore[no-untyped-def]
    return nms(boxes, scores, iou_threshold, inclusive=True)


def nms_by_place(boxes, scores, iou_threshold=0.5):  # type: ignore[no-untyped-def]
    return nms(boxes, scores, iou_threshold, place=True)


def nms_mask(boxes, scores, iou_threshold=0.5):  # type: ignore[no-untyped-def]
    mask = np.zeros(len(boxes), bool)
    mask[nms(boxes, scores, iou_threshold)] = True
    return mask


def _fcos(locations, gt_boxes, radius=1.5, both=False, none=False, constant=False):  # type: ignore[no-untyped-def]
    ranges = {8: (0, 64), 16: (64, 128), 32: (128, 256), 64: (256, 512), 128: (512, np.inf)}
    answer = np.full(len(locations), -1)
    T = locations.dtype.type
    areas = [(b[2] - b[0]) * (b[3] - b[1]) for b in gt_boxes]
    for k, (x, y, stride) in enumerate(locations):
        low, high = ranges[int(stride)]
        claims = []
        for t, (x1, y1, x2, y2) in enumerate(gt_boxes):
            sides = (x - x1, y - y1, x2 - x, y2 - y)
            near = radius is None or max(abs(x - (x1 + x2) / 2), abs(y - (y1 + y2) / 2)) < radius * stride
            size = max(sides)
            fits = (low <= size <= high) if both else (low < size < high) if none else (low <= size < high)
            if min(sides) > 0 and near and fits:
                claims.append(t)
        if claims:
            answer[k] = max(claims, key=lambda t: (T(1e8) - areas[t], -t)) if constant else min(claims, key=lambda t: (areas[t], t))
    return answer


def fcos_right(locations, gt_boxes):  # type: ignore[no-untyped-def]
    return _fcos(locations, gt_boxes)


def fcos_both(locations, gt_boxes):  # type: ignore[no-untyped-def]
    return _fcos(locations, gt_boxes, both=True)


def fcos_none(locations, gt_boxes):  # type: ignore[no-untyped-def]
    return _fcos(locations, gt_boxes, none=True)


def fcos_constant(locations, gt_boxes):  # type: ignore[no-untyped-def]
    return _fcos(locations, gt_boxes, constant=True)


def fcos_no_sampling(locations, gt_boxes):  # type: ignore[no-untyped-def]
    return _fcos(locations, gt_boxes, radius=None)


def yolov3_as_darknet(grids, gt_boxes, predicted_boxes=None):  # type: ignore[no-untyped-def]
    return refloss.assign.yolov3(grids, gt_boxes, predicted_boxes=predicted_boxes, dialect="darknet")


def yolov3_tests_priors(grids, gt_boxes, predicted_boxes=None):  # type: ignore[no-untyped-def]
    return refloss.assign.yolov3(grids, gt_boxes)


def yolov3_first_keeps(grids, gt_boxes, predicted_boxes=None):  # type: ignore[no-untyped-def]
    found = refloss.assign.yolov3(grids, gt_boxes, predicted_boxes=predicted_boxes)
    index = found.gt_index.copy()
    for prior, truth in found.pairs[::-1]:
        index[prior] = truth
    return index


def yolov4_best_only(grids, gt_boxes, predicted_boxes=None):  # type: ignore[no-untyped-def]
    return refloss.assign.yolov4(grids, gt_boxes, predicted_boxes=predicted_boxes, iou_threshold=1.0)


def scaled_yolov4_ratio(grids, gt_boxes):  # type: ignore[no-untyped-def]
    """A ratio of exactly 4 matches."""
    return refloss.assign.scaled_yolov4(grids, gt_boxes, ratio=float(np.nextafter(np.float32(4), np.float32(5))))


def scaled_yolov4_own_cell(grids, gt_boxes):  # type: ignore[no-untyped-def]
    """The cell of the centre alone, without its neighbours."""
    answer, pairs, first = np.full(sum(g.count for g in grids), -1), [], 0
    for g in grids:
        for w, h in g.shapes:
            for t, (x1, y1, x2, y2) in enumerate(gt_boxes):
                a, b = x2 - x1, y2 - y1
                if a > 0 and b > 0 and max(a / w, w / a, b / h, h / b) < 4:
                    column, row = min(int((x1 + x2) / 2 / g.stride), g.width - 1), min(int((y1 + y2) / 2 / g.stride), g.height - 1)
                    pairs.append((first + row * g.width + column, t))
            first += g.height * g.width
    for prior, t in pairs:
        answer[prior] = t
    return answer


def scaled_yolov4_authors(grids, gt_boxes):  # type: ignore[no-untyped-def]
    return refloss.assign.scaled_yolov4(grids, gt_boxes, dialect="scaled_yolov4")


def yolov1_first_predictor(predicted_boxes, gt_boxes, grid=7):  # type: ignore[no-untyped-def]
    """The first predictor of each cell, whatever it predicts."""
    count, answer = len(predicted_boxes) // grid**2, np.full(len(predicted_boxes), -1)
    for t in reversed(range(len(gt_boxes))):
        x1, y1, x2, y2 = gt_boxes[t]
        if x2 > x1 and y2 > y1:
            column, row = (min(int(v * grid / 2), grid - 1) for v in (x1 + x2, y1 + y2))
            answer[(row * grid + column) * count] = t
    return answer

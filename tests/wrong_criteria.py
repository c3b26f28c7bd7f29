"""Whole criteria as people write them, in torch and NumPy, right and wrong; nothing here calls refloss.criteria or its assigners.

All take a head's outputs, truths as a list of {"boxes", "labels"}, priors; the first of each detector is right in the paper's dialect.
"""

import numpy as np
import torch
from torch.nn import functional


def overlaps(truths, priors):
    """(truths, priors) IoU."""
    low = torch.maximum(truths[:, None, :2], priors[None, :, :2])
    high = torch.minimum(truths[:, None, 2:], priors[None, :, 2:])
    meet = (high - low).clamp(min=0).prod(dim=2)
    area = [(b[:, 2:] - b[:, :2]).prod(dim=1) for b in (truths, priors)]
    return meet / (area[0][:, None] + area[1][None] - meet)


def encoded(boxes, priors, weights=(1.0, 1.0, 1.0, 1.0)):
    size, prior = boxes[:, 2:] - boxes[:, :2], priors[:, 2:] - priors[:, :2]
    move = ((boxes[:, :2] + boxes[:, 2:]) - (priors[:, :2] + priors[:, 2:])) / 2 / prior
    return torch.cat([move, (size / prior).log()], dim=1) * torch.tensor(weights, dtype=boxes.dtype)


def focal(logits, targets, alpha=0.25, gamma=2.0):
    p = torch.sigmoid(logits)
    miss = p + targets - 2 * p * targets
    share = 1.0 if alpha is None else alpha * targets + (1 - alpha) * (1 - targets)
    return share * miss**gamma * functional.binary_cross_entropy_with_logits(logits, targets, reduction="none")


def matched(boxes, priors, high=0.5, low=0.4):
    """Index of the truth, -1 for the background, -2 for ignored."""
    if not len(boxes):
        return torch.full((len(priors),), -1)
    best, index = overlaps(boxes, priors).max(dim=0)
    return torch.where(best >= high, index, torch.where(best >= low, -2, -1))


def one_hot(index, labels, columns):
    found = torch.zeros(len(index), columns, dtype=torch.float64)
    rows = index >= 0
    found[rows, labels[index[rows]]] = 1
    return found


def retina_terms(
    classes, codes, truths, priors, *, alpha=0.25, gamma=2.0, low=0.4, box=functional.smooth_l1_loss, shift=0, only_positive=False
):
    """For each image (box sum, class sum, positives)."""
    for logits, code, truth in zip(classes, codes, truths, strict=True):
        index = matched(truth["boxes"], priors, low=low)
        positive = index >= 0
        wanted = one_hot(index, truth["labels"] + shift, logits.shape[1] + 1)[:, : logits.shape[1]].to(logits)
        counted = positive if only_positive else index != -2
        cls = focal(logits, wanted, alpha, gamma)[counted].sum()
        targets = encoded(truth["boxes"][index[positive]], priors[positive])
        yield box(code[positive], targets, reduction="sum"), cls, int(positive.sum())


def retinanet(classes, codes, truths, priors):
    rows = list(retina_terms(classes, codes, truths, priors))
    n = max(1, sum(count for *_, count in rows))
    return {"box": sum(b for b, *_ in rows) / n, "classes": sum(c for _, c, _ in rows) / n}


def retinanet_total(classes, codes, truths, priors):
    return sum(retinanet(classes, codes, truths, priors).values())


def retinanet_tuple(classes, codes, truths, priors):
    found = retinanet(classes, codes, truths, priors)
    return found["classes"], found["box"]


def retinanet_values(classes, codes, truths, priors):
    """Without a gradient: NumPy numbers."""
    return {name: float(value.detach()) for name, value in retinanet(classes, codes, truths, priors).items()}


def retinanet_image_mean(classes, codes, truths, priors):
    rows = list(retina_terms(classes, codes, truths, priors))
    return {"box": sum(b / max(1, n) for b, _, n in rows) / len(rows), "classes": sum(c / max(1, n) for _, c, n in rows) / len(rows)}


def retinanet_one_more(classes, codes, truths, priors):
    rows = list(retina_terms(classes, codes, truths, priors))
    n = sum(count for *_, count in rows) + 1
    return {"loss_cls": sum(c for _, c, _ in rows) / n, "loss_bbox": sum(b for b, *_ in rows) / n}


def retinanet_each_at_least_one(classes, codes, truths, priors):
    rows = list(retina_terms(classes, codes, truths, priors))
    n = sum(max(1, count) for *_, count in rows)
    return {"box": sum(b for b, *_ in rows) / n, "classes": sum(c for _, c, _ in rows) / n}


def retinanet_swapped_by_elements(classes, codes, truths, priors):
    """Swapped alpha, and the mean over everything for the classes."""
    rows = list(retina_terms(classes, codes, truths, priors, alpha=0.75))
    n = max(1, sum(count for *_, count in rows))
    return {"box": sum(b for b, *_ in rows) / n, "classes": sum(c for _, c, _ in rows) / classes.numel()}


def retinanet_ignored_counts(classes, codes, truths, priors):
    rows = list(retina_terms(classes, codes, truths, priors, low=0.5))
    n = max(1, sum(count for *_, count in rows))
    return {"box": sum(b for b, *_ in rows) / n, "classes": sum(c for _, c, _ in rows) / n}


def retinanet_labels_off(classes, codes, truths, priors):
    rows = list(retina_terms(classes, codes, truths, priors, shift=1))
    n = max(1, sum(count for *_, count in rows))
    return {"box": sum(b for b, *_ in rows) / n, "classes": sum(c for _, c, _ in rows) / n}


def retinanet_four_n(classes, codes, truths, priors):
    rows = list(retina_terms(classes, codes, truths, priors))
    n = max(1, sum(count for *_, count in rows))
    return {"box": sum(b for b, *_ in rows) / (4 * n), "classes": sum(c for _, c, _ in rows) / n}


def retinanet_only_positive(classes, codes, truths, priors):
    rows = list(retina_terms(classes, codes, truths, priors, only_positive=True))
    n = max(1, sum(count for *_, count in rows))
    return {"box": sum(b for b, *_ in rows) / n, "classes": sum(c for _, c, _ in rows) / n}


def retinanet_silent(classes, codes, truths, priors):
    rows = list(retina_terms(classes, codes, truths, priors))
    n = sum(count for *_, count in rows)
    if n == 0:
        return {"box": classes.sum() * 0, "classes": classes.sum() * 0}
    return {"box": sum(b for b, *_ in rows) / n, "classes": sum(c for _, c, _ in rows) / n}


def retinanet_nan(classes, codes, truths, priors):
    rows = list(retina_terms(classes, codes, truths, priors))
    n = torch.tensor(float(sum(count for *_, count in rows)))
    return {"box": sum(b for b, *_ in rows) / n, "classes": sum(c for _, c, _ in rows) / n}


def retinanet_detached(classes, codes, truths, priors):
    found = retinanet(classes, codes.detach(), truths, priors)
    return {"box": found["box"], "classes": found["classes"]}


def retinanet_raises(classes, codes, truths, priors):
    if any(not len(truth["boxes"]) for truth in truths):
        raise IndexError("max(): Expected reduction dim 0 to have non-zero size")
    return retinanet(classes, codes, truths, priors)


def retinanet_three_times_l1(classes, codes, truths, priors):
    rows = list(retina_terms(classes, codes, truths, priors, box=functional.l1_loss))
    n = max(1, sum(count for *_, count in rows))
    return 3 * sum(b for b, *_ in rows) / n + sum(c for _, c, _ in rows) / n


def retinanet_odd(classes, codes, truths, priors):
    """A fault that nobody has a name for: the third code counts twice where it is large."""
    found = retinanet(classes, codes, truths, priors)
    return {"box": found["box"] + (codes[..., 2] ** 3).sum() / 7, "classes": found["classes"]}


class MovingAverage:
    """detectron2's: a state that moves at every call."""

    def __init__(self):
        self.value = 100.0

    def __call__(self, classes, codes, truths, priors):
        rows = list(retina_terms(classes, codes, truths, priors))
        self.value = 0.9 * self.value + 0.1 * max(1, sum(count for *_, count in rows))
        return {"box": sum(b for b, *_ in rows) / self.value, "classes": sum(c for _, c, _ in rows) / self.value}


def retinanet_numpy(classes, codes, truths, priors):
    """With the gradient by hand: (terms, gradients), by focal loss's closed form."""
    total = {"box": 0.0, "classes": 0.0}
    slopes = {"classes": np.zeros_like(classes), "codes": np.zeros_like(codes)}
    counts, rows = [], []
    for truth in truths:
        index = matched(torch.from_numpy(truth["boxes"]), torch.from_numpy(priors)).numpy()
        rows.append(index)
        counts.append(int((index >= 0).sum()))
    n = max(1, sum(counts))
    for i, (truth, index) in enumerate(zip(truths, rows, strict=True)):
        x, t = classes[i], np.zeros_like(classes[i])
        t[np.flatnonzero(index >= 0), truth["labels"][index[index >= 0]]] = 1
        z = np.where(t == 1, x, -x)
        p = 1 / (1 + np.exp(-z))
        a = np.where(t == 1, 0.25, 0.75) * (index != -2)[:, None]
        total["classes"] += (a * (1 - p) ** 2 * np.log1p(np.exp(-z))).sum() / n
        slopes["classes"][i] = np.where(t == 1, 1, -1) * a * (1 - p) ** 2 * (2 * p * np.log(p) + p - 1) / n
        positive = index >= 0
        boxes, prior = truth["boxes"][index[positive]], priors[positive]
        targets = encoded(torch.from_numpy(boxes), torch.from_numpy(prior)).numpy()
        d = codes[i][positive] - targets
        total["box"] += np.where(abs(d) < 1, d * d / 2, abs(d) - 0.5).sum() / n
        slopes["codes"][i][positive] = np.clip(d, -1, 1) / n
    return total, slopes


def ssd_matched(boxes, priors):
    """Unique pairs first, the best of all again and again; then the threshold."""
    index = torch.full((len(priors),), -1)
    if not len(boxes):
        return index
    table = overlaps(boxes, priors)
    best, own = table.max(dim=0)
    index = torch.where(best >= 0.5, own, index)
    left = table.clone()
    for _ in range(len(boxes)):
        flat = int(left.argmax())
        t, p = divmod(flat, len(priors))
        if left[t, p] <= 0:
            break
        index[p] = t
        left[t], left[:, p] = -1, -1
    return index


def ssd_rows(classes, codes, truths, priors, *, weights=(10.0, 10.0, 5.0, 5.0), ratio=3, background=0, mine=True, force=True):
    for logits, code, truth in zip(classes, codes, truths, strict=True):
        index = ssd_matched(truth["boxes"], priors) if force else matched(truth["boxes"], priors, 0.5, 0.5)
        positive = index >= 0
        labels = torch.full((len(priors),), background % logits.shape[1])
        labels[positive] = truth["labels"][index[positive]] + (1 if background == 0 else 0)
        losses = functional.cross_entropy(logits, labels, reduction="none")
        ranked = losses.detach().clone()
        ranked[positive] = -1
        hard = torch.zeros_like(positive)
        hard[ranked.argsort(descending=True)[: min(ratio * int(positive.sum()), int((~positive).sum()))]] = True
        counted = positive | hard if mine else torch.ones_like(positive)
        targets = encoded(truth["boxes"][index[positive]], priors[positive], weights)
        yield functional.smooth_l1_loss(code[positive], targets, reduction="sum"), losses[counted].sum(), int(positive.sum())


def ssd_of(rows):
    rows = list(rows)
    n = max(1, sum(count for *_, count in rows))
    return {"loc": sum(b for b, *_ in rows) / n, "conf": sum(c for _, c, _ in rows) / n}


def ssd(classes, codes, truths, priors):
    return ssd_of(ssd_rows(classes, codes, truths, priors))


def ssd_no_variances(classes, codes, truths, priors):
    return ssd_of(ssd_rows(classes, codes, truths, priors, weights=(1.0, 1.0, 1.0, 1.0)))


def ssd_background_last(classes, codes, truths, priors):
    return ssd_of(ssd_rows(classes, codes, truths, priors, background=-1))


def ssd_not_mined(classes, codes, truths, priors):
    return ssd_of(ssd_rows(classes, codes, truths, priors, mine=False))


def ssd_not_forced_by_image(classes, codes, truths, priors):
    """Neither forced matches nor the batch's positives: two at once."""
    rows = list(ssd_rows(classes, codes, truths, priors, force=False))
    return {"loc": sum(b / max(1, n) for b, _, n in rows) / len(rows), "conf": sum(c / max(1, n) for _, c, n in rows) / len(rows)}


def fcos_rows(classes, codes, centerness, truths, places, *, radius=1.5, root=True, prefer="small"):
    """Two scales, of strides 16 and 32: largest distances below and from 128."""
    for logits, code, middle, truth in zip(classes, codes, centerness, truths, strict=True):
        x, y, stride = places.T
        boxes = truth["boxes"]
        index = torch.full((len(places),), -1)
        if len(boxes):
            sides = torch.stack([x[:, None] - boxes[:, 0], y[:, None] - boxes[:, 1], boxes[:, 2] - x[:, None], boxes[:, 3] - y[:, None]], 2)
            far = sides.max(dim=2).values
            inside = (sides.min(dim=2).values > 0) & ((far < 128) == (stride[:, None] == 16))
            centre = (boxes[:, :2] + boxes[:, 2:]) / 2
            near = (x[:, None] - centre[:, 0]).abs().maximum((y[:, None] - centre[:, 1]).abs()) < radius * stride[:, None]
            area = (boxes[:, 2:] - boxes[:, :2]).prod(dim=1)
            rank = torch.where(inside & near, area if prefer == "small" else -area, torch.inf)
            best, own = rank.min(dim=1)
            index = torch.where(best < torch.inf, own, index)
        positive = index >= 0
        wanted = one_hot(index, truth["labels"], logits.shape[1]).to(logits)
        own = boxes[index[positive]]
        place = places[positive]
        left, right = place[:, 0] - own[:, 0], own[:, 2] - place[:, 0]
        top, bottom = place[:, 1] - own[:, 1], own[:, 3] - place[:, 1]
        target = torch.minimum(left, right) / torch.maximum(left, right) * torch.minimum(top, bottom) / torch.maximum(top, bottom)
        target = target.sqrt() if root else target
        reach = code[positive].exp() * place[:, 2:]
        ours = torch.cat([place[:, :2] - reach[:, :2], place[:, :2] + reach[:, 2:]], dim=1)
        low, high = torch.maximum(ours[:, :2], own[:, :2]), torch.minimum(ours[:, 2:], own[:, 2:])
        meet = (high - low).clamp(min=0).prod(dim=1)
        union = (ours[:, 2:] - ours[:, :2]).prod(dim=1) + (own[:, 2:] - own[:, :2]).prod(dim=1) - meet
        hull = (torch.maximum(ours[:, 2:], own[:, 2:]) - torch.minimum(ours[:, :2], own[:, :2])).prod(dim=1)
        giou = 1 - meet / union + (hull - union) / hull
        entropy = functional.binary_cross_entropy_with_logits(middle[positive], target, reduction="sum")
        yield giou, focal(logits, wanted).sum(), entropy, target, int(positive.sum())


def fcos(classes, codes, centerness, truths, priors):
    rows = list(fcos_rows(classes, codes, centerness, truths, priors))
    n = max(1, sum(row[4] for row in rows))
    return {"box": sum(r[0].sum() for r in rows) / n, "classes": sum(r[1] for r in rows) / n, "centerness": sum(r[2] for r in rows) / n}


def fcos_weighted(classes, codes, centerness, truths, priors):
    """Boxes weighted by centerness and divided by its sum."""
    rows = list(fcos_rows(classes, codes, centerness, truths, priors))
    n, whole = max(1, sum(row[4] for row in rows)), sum(row[3].sum() for row in rows).clamp(min=1e-6)
    box = sum((r[0] * r[3]).sum() for r in rows) / whole
    return {"box": box, "classes": sum(r[1] for r in rows) / n, "centerness": sum(r[2] for r in rows) / n}


def fcos_no_root(classes, codes, centerness, truths, priors):
    rows = list(fcos_rows(classes, codes, centerness, truths, priors, root=False))
    n = max(1, sum(row[4] for row in rows))
    return {"box": sum(r[0].sum() for r in rows) / n, "classes": sum(r[1] for r in rows) / n, "centerness": sum(r[2] for r in rows) / n}


def fcos_no_sampling(classes, codes, centerness, truths, priors):
    rows = list(fcos_rows(classes, codes, centerness, truths, priors, radius=1e6))
    n = max(1, sum(row[4] for row in rows))
    return {"box": sum(r[0].sum() for r in rows) / n, "classes": sum(r[1] for r in rows) / n, "centerness": sum(r[2] for r in rows) / n}


def fcos_largest(classes, codes, centerness, truths, priors):
    rows = list(fcos_rows(classes, codes, centerness, truths, priors, prefer="large"))
    n = max(1, sum(row[4] for row in rows))
    return {"box": sum(r[0].sum() for r in rows) / n, "classes": sum(r[1] for r in rows) / n, "centerness": sum(r[2] for r in rows) / n}


def yolov3_rows(outputs, truths, anchors, strides, *, threshold=0.5, places="entropy", objectness="one"):
    """For each image (box, objectness, class) sums."""
    for i, truth in enumerate(truths):
        rows, cells = [], []
        for head, shapes, stride in zip(outputs, anchors, strides, strict=True):
            found = head[i]
            a, _, h, w = found.shape
            rows.append(found.permute(0, 2, 3, 1).reshape(a * h * w, -1))
            y, x = torch.meshgrid(torch.arange(h), torch.arange(w), indexing="ij")
            place = torch.stack([x, y], dim=-1).reshape(1, -1, 2).expand(a, -1, 2)
            shape = shapes[:, None].expand(-1, h * w, 2)
            step = torch.full((a, h * w, 1), stride)
            cells.append(torch.cat([place.to(shape), shape, step.to(shape)], dim=2).reshape(-1, 5))
        t, prior = torch.cat(rows), torch.cat(cells)
        centre, size = (torch.sigmoid(t[:, :2]) + prior[:, :2]) * prior[:, 4:], t[:, 2:4].exp() * prior[:, 2:4]
        predicted = torch.cat([centre - size / 2, centre + size / 2], dim=1).detach()
        index, claimed = torch.full((len(t),), -1), torch.zeros(len(t), t.shape[1] - 5, dtype=t.dtype)
        for j, (box, label) in enumerate(zip(truth["boxes"], truth["labels"], strict=True)):
            middle, wh = (box[:2] + box[2:]) / 2, box[2:] - box[:2]
            meet = torch.minimum(wh, prior[:, 2:4]).prod(dim=1)
            shape = meet / (wh.prod() + prior[:, 2:4].prod(dim=1) - meet)
            here = (prior[:, :2] == (middle / prior[:, 4:]).floor()).all(dim=1)
            best = int(torch.where(here, shape, -1).argmax())
            index[best], claimed[best, label] = j, 1
        positive, counted = index >= 0, index == -1
        if len(truth["boxes"]):
            counted &= overlaps(truth["boxes"], predicted).max(dim=0).values <= threshold
        own = truth["boxes"][index[positive]]
        place = (own[:, :2] + own[:, 2:]) / 2 / prior[positive, 4:] - prior[positive, :2]
        if places == "entropy":
            box = functional.binary_cross_entropy_with_logits(t[positive, :2], place, reduction="sum")
        else:
            box = (torch.sigmoid(t[positive, :2]) - place).square().sum() / 2
        box = box + (t[positive, 2:4] - ((own[:, 2:] - own[:, :2]) / prior[positive, 2:4]).log()).square().sum() / 2
        wanted = positive.to(t)
        if objectness == "iou" and len(own):
            wanted[positive] = overlaps(own, predicted[positive]).diagonal()
        losses = functional.binary_cross_entropy_with_logits(t[:, 4], wanted, reduction="none")
        classes = functional.binary_cross_entropy_with_logits(t[positive, 5:], claimed[positive], reduction="sum")
        yield box, losses[positive | counted].sum(), classes


def yolov3(outputs, truths, anchors, strides):
    rows = list(yolov3_rows(outputs, truths, anchors, strides))
    return dict(zip(("box", "obj", "cls"), map(sum, zip(*rows, strict=True)), strict=True))


def yolov3_none_ignored_by_images(outputs, truths, anchors, strides):
    rows = list(yolov3_rows(outputs, truths, anchors, strides, threshold=2.0))
    return {name: value / len(rows) for name, value in zip(("box", "obj", "cls"), map(sum, zip(*rows, strict=True)), strict=True)}


def yolov3_squares_and_iou(outputs, truths, anchors, strides):
    rows = list(yolov3_rows(outputs, truths, anchors, strides, places="squares", objectness="iou"))
    return dict(zip(("box", "obj", "cls"), map(sum, zip(*rows, strict=True)), strict=True))


def _elsewhere(softplus, sigmoid, smooth, total):
    """RetinaNet in another framework; what hangs on boxes alone is NumPy's."""

    def criterion(classes, codes, truths, priors):
        priors, found = np.asarray(priors), []
        for i, truth in enumerate(truths):
            boxes = np.asarray(truth["boxes"])
            index = matched(torch.from_numpy(np.array(boxes)), torch.from_numpy(np.array(priors))).numpy()
            wanted = np.zeros(classes.shape[1:], boxes.dtype)
            wanted[np.flatnonzero(index >= 0), np.asarray(truth["labels"])[index[index >= 0]]] = 1
            x, counted = classes[i], (index != -2)[:, None].astype(boxes.dtype)
            p = sigmoid(x)
            each = (wanted * 0.25 + (1 - wanted) * 0.75) * (p + wanted - 2 * p * wanted) ** 2 * (softplus(x) - x * wanted)
            targets = np.zeros(codes.shape[1:], boxes.dtype)
            rows = index >= 0
            targets[rows] = encoded(torch.from_numpy(boxes[index[rows]]), torch.from_numpy(priors[rows])).numpy()
            found.append((total(smooth(codes[i] - targets) * rows[:, None].astype(boxes.dtype)), total(each * counted), int(rows.sum())))
        n = max(1, sum(count for *_, count in found))
        return sum(b for b, *_ in found) / n, sum(c for _, c, _ in found) / n

    return criterion


def retinanet_jax(classes, codes, truths, priors):
    import jax
    import jax.numpy as jnp

    def smooth(d):
        return jnp.where(abs(d) < 1, d * d / 2, abs(d) - 0.5)

    return _elsewhere(jax.nn.softplus, jax.nn.sigmoid, smooth, jnp.sum)(classes, codes, truths, priors)


def retinanet_tensorflow(classes, codes, truths, priors):
    import tensorflow as tf

    def smooth(d):
        return tf.where(abs(d) < 1, d * d / 2, abs(d) - 0.5)

    return _elsewhere(tf.math.softplus, tf.sigmoid, smooth, tf.reduce_sum)(classes, codes, truths, priors)

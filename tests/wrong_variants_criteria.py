"""More whole criteria with one mistake of the table of variants, on the same hand-written ones; nothing here calls refloss."""

import torch
from torch.nn import functional
from wrong_criteria import encoded, matched, overlaps, retina_terms, ssd_matched, ssd_of, ssd_rows, yolov3_rows
from wrong_yolos import v2_of


def retinanet_sum(classes, codes, truths, priors):
    rows = list(retina_terms(classes, codes, truths, priors))
    return {"box": sum(b for b, *_ in rows), "classes": sum(c for _, c, _ in rows)}


def retinanet_mean(classes, codes, truths, priors):
    """reduction="mean" over the whole of both outputs."""
    rows = list(retina_terms(classes, codes, truths, priors))
    return {"box": sum(b for b, *_ in rows) / codes.numel(), "classes": sum(c for _, c, _ in rows) / classes.numel()}


def yolov3_sizes_not_halved(outputs, truths, anchors, strides):
    """torch's mse_loss for sizes: what yolov3_rows adds a half of, again."""
    rows, more = list(yolov3_rows(outputs, truths, anchors, strides)), 0.0
    for i, truth in enumerate(truths):
        prior = torch.cat([_cells(head[i], shapes, stride) for head, shapes, stride in zip(outputs, anchors, strides, strict=True)])
        t = torch.cat([head[i].permute(0, 2, 3, 1).reshape(-1, head.shape[2]) for head in outputs])
        index = torch.full((len(t),), -1)
        for j, box in enumerate(truth["boxes"]):
            middle, wh = (box[:2] + box[2:]) / 2, box[2:] - box[:2]
            meet = torch.minimum(wh, prior[:, 2:4]).prod(dim=1)
            shape = meet / (wh.prod() + prior[:, 2:4].prod(dim=1) - meet)
            here = (prior[:, :2] == (middle / prior[:, 4:]).floor()).all(dim=1)
            index[int(torch.where(here, shape, -1).argmax())] = j
        own = truth["boxes"][index[index >= 0]]
        wanted = ((own[:, 2:] - own[:, :2]) / prior[index >= 0, 2:4]).log()
        more = more + functional.mse_loss(t[index >= 0, 2:4], wanted, reduction="sum") / 2
    box, objectness, classes = map(sum, zip(*rows, strict=True))
    return {"box": box + more, "obj": objectness, "cls": classes}


def _cells(head, shapes, stride):
    a, _, h, w = head.shape
    y, x = torch.meshgrid(torch.arange(h), torch.arange(w), indexing="ij")
    place = torch.stack([x, y], dim=-1).reshape(1, -1, 2).expand(a, -1, 2).to(shapes)
    return torch.cat([place, shapes[:, None].expand(-1, h * w, 2), torch.full((a, h * w, 1), float(stride)).to(shapes)], dim=2).reshape(
        -1, 5
    )


def ssd_two_to_one(classes, codes, truths, priors):
    return ssd_of(ssd_rows(classes, codes, truths, priors, ratio=2))


def ssd_not_forced(classes, codes, truths, priors):
    return ssd_of(ssd_rows(classes, codes, truths, priors, force=False))


def _ssd(classes, codes, truths, priors, match, positives_too):
    for logits, code, truth in zip(classes, codes, truths, strict=True):
        index = match(truth["boxes"], priors)
        positive = index >= 0
        labels = torch.zeros(len(priors), dtype=torch.int64)
        labels[positive] = truth["labels"][index[positive]] + 1
        losses = functional.cross_entropy(logits, labels, reduction="none")
        ranked = losses.detach().clone()
        if not positives_too:
            ranked[positive] = -1
        many = min(3 * int(positive.sum()), len(priors) if positives_too else int((~positive).sum()))
        hard = ranked.argsort(descending=True, stable=True)[:many]
        targets = encoded(truth["boxes"][index[positive]], priors[positive], (10.0, 10.0, 5.0, 5.0))
        box = functional.smooth_l1_loss(code[positive], targets, reduction="sum")
        yield box, losses[positive].sum() + losses[hard].sum(), int(positive.sum())


def ssd_positives_mined(classes, codes, truths, priors):
    """The hardest of all priors are mined, positives among them."""
    return ssd_of(_ssd(classes, codes, truths, priors, ssd_matched, True))


def each_its_best(boxes, priors):
    """Each truth takes its best prior in turn, as ssd.pytorch has it: a later one takes it away."""
    index = matched(boxes, priors, 0.5, 0.5)
    for j, best in enumerate(overlaps(boxes, priors).argmax(dim=1).tolist() if len(boxes) else ()):
        index[best] = j
    return index


def ssd_each_its_best(classes, codes, truths, priors):
    return ssd_of(_ssd(classes, codes, truths, priors, each_its_best, False))


v2_for_ever_and_unweighted = v2_of(True, for_ever=True, unweighted=True)

"""YOLOv1, v2, v4 and Scaled-YOLOv4 as people write their losses, in torch, right and wrong; nothing here calls refloss.

`v1`, `v2`, `v2_darknet`, `v4` and `scaled` are right; every other one is `of` one of these with something done otherwise.
"""

import math

import torch
from torch.nn import functional
from wrong_criteria import overlaps


def entropy(logits, targets):
    return functional.binary_cross_entropy_with_logits(logits, targets, reduction="none")


def v1_image(cells, truth, grid, boxes, scale, o):
    p, scores = cells[..., : 5 * boxes].reshape(grid, grid, boxes, 5), cells[..., 5 * boxes :]
    y, x = torch.meshgrid(torch.arange(grid), torch.arange(grid), indexing="ij")
    centre, size = (p[..., :2] + torch.stack([x, y], dim=-1)[:, :, None]) / grid, p[..., 2:4] ** 2
    ours = torch.cat([centre - size / 2, centre + size / 2], dim=-1).detach()
    box, there, other, classes = (cells.new_zeros(()) for _ in range(4))
    others, empty = torch.ones(grid, grid, boxes), torch.ones(grid, grid)
    for t, label in zip(truth["boxes"] / scale, truth["labels"], strict=True):
        middle, wh = (t[:2] + t[2:]) / 2, t[2:] - t[:2]
        column, row = (int(v) for v in (middle * grid).floor())
        if not empty[row, column]:
            continue
        iou = overlaps(t[None], ours[row, column])[0]
        far = (centre[row, column] - middle).square().sum(dim=1) + (size[row, column] - wh).square().sum(dim=1)
        j = 0 if o.get("first") else int(iou.argmax()) if iou.max() > 0 else int(far.argmin())
        empty[row, column], others[row, column, j] = 0, 0
        place = middle * grid - torch.tensor([column, row])
        wanted = torch.cat([place, wh if o.get("no_roots") else wh.sqrt()])
        box = box + (p[row, column, j, :4] - wanted).square().sum()
        there = there + (p[row, column, j, 4] - (1.0 if o.get("one") else iou[j])).square()
        classes = classes + (scores[row, column] - functional.one_hot(label, scores.shape[-1])).square().sum()
    if o.get("everywhere"):
        others = torch.ones_like(others)
    other = (others * p[..., 4].square()).sum()
    if o.get("empty_cells"):
        classes = classes + (empty[..., None] * scores.square()).sum()
    return box, there, other, classes


def v1_of(**o):
    def criterion(output, truths, image_size, grid, boxes):
        scale = torch.tensor([*image_size[::-1]] * 2, dtype=output.dtype)
        rows = [v1_image(cells, truth, grid, boxes, scale, o) for cells, truth in zip(output, truths, strict=True)]
        box, there, other, classes = map(sum, zip(*rows, strict=True))
        a, b = o.get("weights", (5.0, 0.5))
        if not o.get("printed"):
            return {"box": a * box, "objectness": there + b * other, "classes": classes}

        def told(value, moves):  # another value than the one that is differentiated
            return value.detach() + moves / 2 - (moves / 2).detach()

        found = told(a * a * box, a * box), told(there + b * b * other, there + b * other), told(classes, classes)
        return dict(zip(("box", "objectness", "classes"), found, strict=True))

    return criterion


v1, v1_no_coord, v1_no_noobj = v1_of(), v1_of(weights=(1.0, 0.5)), v1_of(weights=(5.0, 1.0))
v1_swapped, v1_squared, v1_no_roots = v1_of(weights=(0.5, 5.0)), v1_of(weights=(25.0, 0.25)), v1_of(no_roots=True)
v1_one, v1_everywhere, v1_empty_cells, v1_first = v1_of(one=True), v1_of(everywhere=True), v1_of(empty_cells=True), v1_of(first=True)
v1_no_coord_and_one, v1_printed = v1_of(weights=(1.0, 0.5), one=True), v1_of(printed=True)


def flat(outputs, anchors, strides, i):
    """An image's heads as (priors, channels), the priors (column, row, width, height, stride), and which head each is of."""
    rows, cells, of = [], [], []
    for k, (head, shapes, stride) in enumerate(zip(outputs, anchors, strides, strict=True)):
        a, _, h, w = head[i].shape
        rows.append(head[i].permute(0, 2, 3, 1).reshape(a * h * w, -1))
        y, x = torch.meshgrid(torch.arange(h), torch.arange(w), indexing="ij")
        place = torch.stack([x, y], dim=-1).reshape(1, -1, 2).expand(a, -1, 2).to(shapes)
        step = torch.full((a, h * w, 1), float(stride), dtype=shapes.dtype)
        cells.append(torch.cat([place, shapes[:, None].expand(-1, h * w, 2), step], dim=2).reshape(-1, 5))
        of.append(torch.full((a * h * w,), k))
    return torch.cat(rows), torch.cat(cells), torch.cat(of)


def shape_iou(wh, prior):
    meet = torch.minimum(wh, prior[:, 2:4]).prod(dim=1)
    return meet / (wh.prod() + prior[:, 2:4].prod(dim=1) - meet)


def corners(centre, size):
    return torch.cat([centre - size / 2, centre + size / 2], dim=1)


def v2_of(darknet=False, **o):
    def squared(logits, targets):
        return entropy(logits, targets) if darknet else (torch.sigmoid(logits) - targets).square() / 2

    def image(t, prior, truth, side, images_seen):
        centre, size = (torch.sigmoid(t[:, :2]) + prior[:, :2]) * prior[:, 4:], t[:, 2:4].exp() * prior[:, 2:4]
        predicted, index = corners(centre, size).detach(), torch.full((len(t),), -1)
        claimed = torch.zeros(len(t), t.shape[1] - 5, dtype=t.dtype)
        for j, (box, label) in enumerate(zip(truth["boxes"], truth["labels"], strict=True)):
            middle, wh = (box[:2] + box[2:]) / 2, box[2:] - box[:2]
            here = (prior[:, :2] == (middle / prior[:, 4:]).floor()).all(dim=1)
            best = int(torch.where(here, shape_iou(wh, prior), -1).argmax())
            index[best], claimed[best, label] = j, 1
        positive = index >= 0
        own = truth["boxes"][index[positive]]
        wanted = torch.zeros_like(t[:, 0])
        wanted[positive] = 1.0 if o.get("one") or not len(own) else overlaps(own, predicted[positive]).diagonal()
        counted = ~positive
        if len(truth["boxes"]) and not o.get("none_ignored"):
            counted &= overlaps(truth["boxes"], predicted).max(dim=0).values <= 0.6
        area = (own[:, 2:] - own[:, :2]).prod(dim=1) / (1.0 if o.get("pixels") else side**2)
        times = 2 - area if darknet and not o.get("unweighted") else torch.ones_like(area)
        place = (own[:, :2] + own[:, 2:]) / 2 / prior[positive, 4:] - prior[positive, :2]
        box = squared(t[positive, :2], place).sum(dim=1)
        box = box + (t[positive, 2:4] - ((own[:, 2:] - own[:, :2]) / prior[positive, 2:4]).log()).square().sum(dim=1) / 2
        total = (times * box).sum()
        if (darknet and not o.get("cold") and images_seen < 12800) or o.get("for_ever"):
            rest = t[~positive]
            total = total + 0.01 * (squared(rest[:, :2], torch.full_like(rest[:, :2], 0.5)).sum() + rest[:, 2:4].square().sum() / 2)
        losses = squared(t[:, 4], wanted)
        objectness = 5 * losses[positive].sum() + losses[counted].sum()
        if o.get("everywhere"):
            objectness = objectness + squared(t[positive, 4], torch.zeros_like(t[positive, 4])).sum()
        if o.get("sigmoid"):
            return total, objectness, entropy(t[positive, 5:], claimed[positive]).sum()
        return total, objectness, functional.cross_entropy(t[positive, 5:], truth["labels"][index[positive]], reduction="sum")

    def criterion(outputs, truths, anchors, strides, images_seen=0):
        side = outputs[0].shape[-1] * strides[0]
        rows = [image(*flat(outputs, anchors, strides, i)[:2], truth, side, images_seen) for i, truth in enumerate(truths)]
        return dict(zip(("box", "obj", "cls"), map(sum, zip(*rows, strict=True)), strict=True))

    return criterion


v2, v2_one, v2_everywhere, v2_sigmoid = v2_of(), v2_of(one=True), v2_of(everywhere=True), v2_of(sigmoid=True)
v2_none_ignored, v2_for_ever = v2_of(none_ignored=True), v2_of(True, for_ever=True)
v2_darknet, v2_cold, v2_unweighted, v2_pixels = v2_of(True), v2_of(True, cold=True), v2_of(True, unweighted=True), v2_of(True, pixels=True)
v2_cold_and_unweighted = v2_of(True, cold=True, unweighted=True)


def box_loss(a, b, kind):
    """1 - IoU, GIoU, DIoU or CIoU of rows."""
    low, high = torch.maximum(a[:, :2], b[:, :2]), torch.minimum(a[:, 2:], b[:, 2:])
    meet, (wh, size) = (high - low).clamp(min=0).prod(dim=1), [c[:, 2:] - c[:, :2] for c in (a, b)]
    union = wh.prod(dim=1) + size.prod(dim=1) - meet
    iou, hull = meet / union, torch.maximum(a[:, 2:], b[:, 2:]) - torch.minimum(a[:, :2], b[:, :2])
    if kind == "giou":
        return 1 - iou + (hull.prod(dim=1) - union) / hull.prod(dim=1)
    away = ((a[:, :2] + a[:, 2:] - b[:, :2] - b[:, 2:]) / 2).square().sum(dim=1) / hull.square().sum(dim=1)
    v = 4 / math.pi**2 * (torch.atan(size[:, 0] / size[:, 1]) - torch.atan(wh[:, 0] / wh[:, 1])).square()
    alpha = (v / (1 - iou + v)).detach()
    return {"iou": 1 - iou, "diou": 1 - iou + away, "ciou": 1 - iou + away + alpha * v}[kind]


def v4_of(kind="ciou", weight=0.07, extra=0.213, smooth=0.0, scaled=True, shifted=True, ignored=True, last=False, unsure=True):
    def image(t, prior, s, truth):
        p = torch.sigmoid(t[:, :2])
        centre = (s * p - (s - 1) / 2 * shifted + prior[:, :2]) * prior[:, 4:]
        ours = corners(centre, t[:, 2:4].exp() * prior[:, 2:4])
        claimed, counted, pairs = torch.zeros(len(t), t.shape[1] - 5, dtype=t.dtype), torch.ones(len(t), dtype=torch.bool), []
        if len(truth["boxes"]) and ignored:
            counted = overlaps(truth["boxes"], ours.detach()).max(dim=0).values <= 0.7
            counted |= torch.zeros_like(counted) if unsure else torch.sigmoid(t[:, 5:]).max(dim=1).values <= 0.25
        positive = torch.zeros_like(counted)
        for j, (box, label) in enumerate(zip(truth["boxes"], truth["labels"], strict=True)):
            middle, wh = (box[:2] + box[2:]) / 2, box[2:] - box[:2]
            here = (prior[:, :2] == (middle / prior[:, 4:]).floor()).all(dim=1)
            shape = torch.where(here, shape_iou(wh, prior), -1)
            for k in {int(shape.argmax()), *torch.nonzero(shape > extra).flatten().tolist()}:
                positive[k] = True
                claimed[k] = 0 if last else claimed[k]
                claimed[k, label] = 1
                pairs = [one for one in pairs if one[0] != k or not last] + [(k, j)]
        prior_of, truth_of = torch.tensor(pairs, dtype=torch.int64).reshape(-1, 2).T
        own = truth["boxes"][truth_of]
        if kind == "squares":
            wh, q = own[:, 2:] - own[:, :2], prior[prior_of]
            errors = torch.cat([
                s[prior_of] * p[prior_of] - (s[prior_of] - 1) / 2 - (own[:, :2] + own[:, 2:]) / 2 / q[:, 4:] + q[:, :2],
                t[prior_of, 2:4] - (wh / q[:, 2:4]).log(),
            ], dim=1)  # fmt: skip
            box = weight * ((2 - wh.prod(dim=1) / 96**2)[:, None] * errors.square()).sum() / 2
        else:
            box = weight * box_loss(ours[prior_of], own, kind).sum()
        objectness = entropy(t[:, 4], positive.to(t))[positive | counted].sum()
        wanted = claimed[positive] * (1 - smooth) + smooth / 2
        return box, objectness, entropy(t[positive, 5:], wanted).sum()

    def criterion(outputs, truths, anchors, strides, scale_xy):
        each = []
        for i, truth in enumerate(truths):
            t, prior, of = flat(outputs, anchors, strides, i)
            each.append(image(t, prior, torch.tensor(scale_xy if scaled else [1.0] * len(outputs), dtype=t.dtype)[of][:, None], truth))
        return dict(zip(("loss_box", "loss_obj", "loss_cls"), map(sum, zip(*each, strict=True)), strict=True))

    return criterion


v4, v4_giou, v4_diou, v4_iou, v4_no_normalizer = v4_of(), v4_of("giou"), v4_of("diou"), v4_of("iou"), v4_of(weight=1.0)
v4_no_scale, v4_no_shift, v4_best_only, v4_smoothed = v4_of(scaled=False), v4_of(shifted=False), v4_of(extra=2.0), v4_of(smooth=0.1)
v4_squares, v4_unsure = v4_of("squares"), v4_of(unsure=False)
v4_none_ignored, v4_last, v4_giou_and_smoothed = v4_of(ignored=False), v4_of(last=True), v4_of("giou", smooth=0.1)


def matches(truth, prior, of, outputs, limit, neighbours):
    """(prior, truth) of every match, a truth's own cells last."""
    near, own = [], []
    for j, box in enumerate(truth["boxes"]):
        middle, wh = (box[:2] + box[2:]) / 2, box[2:] - box[:2]
        for k, (column, row, w, h, stride) in enumerate(prior.tolist()):
            if max(float(wh[0]) / w, w / float(wh[0]), float(wh[1]) / h, h / float(wh[1])) >= limit:
                continue
            x, y = (middle / stride).tolist()
            home = math.floor(x), math.floor(y)
            if (column, row) == home:
                own.append((k, j))
            side = home[0] + (-1 if x - home[0] < 0.5 else 1), home[1]
            down = home[0], home[1] + (-1 if y - home[1] < 0.5 else 1)
            if neighbours and (column, row) in (side, down):
                near.append((k, j))
    return near + own


def scaled_of(limit=4.0, neighbours=True, kind="ciou", one=False, balanced=True, exponential=False, means="batch", floor=True):
    def criterion(outputs, truths, anchors, strides, balance):
        sums = {name: [outputs[0].new_zeros(()) for _ in outputs] for name in ("box", "obj", "cls")}
        counts, of_all = [0] * len(outputs), [0] * len(outputs)
        for i, truth in enumerate(truths):
            t, prior, of = flat(outputs, anchors, strides, i)
            k, j = torch.tensor(matches(truth, prior, of, outputs, limit, neighbours), dtype=torch.int64).reshape(-1, 2).T
            p = torch.sigmoid(t[k])
            size = prior[k, 2:4] * (t[k, 2:4].exp() if exponential else (2 * p[:, 2:4]) ** 2)
            losses = box_loss(corners((2 * p[:, :2] - 0.5 + prior[k, :2]) * prior[k, 4:], size), truth["boxes"][j], kind)
            wanted = torch.zeros_like(t[:, 4])
            for place, quality in zip(k, (1 - losses).detach(), strict=True):
                wanted[place] = 1.0 if one else quality.clamp(min=0) if floor else quality
            classes = entropy(t[k, 5:], functional.one_hot(truth["labels"][j], t.shape[1] - 5).to(t)).mean(dim=1)
            objectness = entropy(t[:, 4], wanted)
            for g in range(len(outputs)):
                mine = of[k] == g
                sums["box"][g] = sums["box"][g] + losses[mine].sum()
                sums["cls"][g] = sums["cls"][g] + classes[mine].sum()
                sums["obj"][g] = sums["obj"][g] + objectness[of == g].sum()
                counts[g] += int(mine.sum())
                of_all[g] += int((of == g).sum())
        per = [max(1, sum(counts)) if means == "matches" else max(1, n) for n in counts]
        times = len(truths) if means == "times" else 1
        return {
            "lbox": times * 0.05 * sum(a / b for a, b in zip(sums["box"], per, strict=True)),
            "lobj": times * sum(w * a / b for w, a, b in zip(balance if balanced else [1] * 5, sums["obj"], of_all, strict=False)),
            "lcls": times * 0.5 * sum(a / b for a, b in zip(sums["cls"], per, strict=True)),
        }

    return criterion


scaled, scaled_ratio, scaled_giou, scaled_one = scaled_of(), scaled_of(limit=2.0), scaled_of(kind="giou"), scaled_of(one=True)
scaled_no_neighbours, scaled_unbalanced, scaled_exponential = (
    scaled_of(neighbours=False),
    scaled_of(balanced=False),
    scaled_of(exponential=True),
)
scaled_times, scaled_all_matches, scaled_unclipped = scaled_of(means="times"), scaled_of(means="matches"), scaled_of(floor=False)
scaled_one_and_unbalanced = scaled_of(one=True, balanced=False)


def scaled_total(outputs, truths, anchors, strides, balance):
    return sum(scaled(outputs, truths, anchors, strides, balance).values())


def scaled_total_unbalanced(outputs, truths, anchors, strides, balance):
    """A number without a gradient."""
    return float(sum(scaled_unbalanced(outputs, truths, anchors, strides, balance).values()).detach())


def v1_nan(output, truths, image_size, grid, boxes):
    return {name: value * math.nan for name, value in v1(output, truths, image_size, grid, boxes).items()}

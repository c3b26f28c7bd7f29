"""Greedy suppression and the assignment of RetinaNet, right, or with the faults that are named ("crash+inclusive_thresholds"); spoiled in
the scenes that are named after them (all, if none is)."""

import json
import os
import sys
import time

from honest import say, serve

faults, where = set(" ".join(sys.argv[1:2]).split("+")), sys.argv[2:]
START = {"name": "decides", "version": "1", "language": "Python", "functions": ["boxes.nms", "assign.max_iou"]}


def iou(a, b, more=0):
    across, down = (max(0, min(a[i + 2], b[i + 2]) - max(a[i], b[i]) + more) for i in (0, 1))
    areas = [(x[2] - x[0] + more) * (x[3] - x[1] + more) for x in (a, b)]
    union = sum(areas) - across * down
    return across * down / union if union >= 2**-126 else 0


def nms(given, parameters):
    if parameters["kind"] != "iou":
        return {"skipped": True, "reason": "plain IoU only", "link": "https://example.org/diou"}
    boxes, scores, threshold = given["boxes"], given["scores"], parameters["iou_threshold"]
    more, inclusive = (1 if "plus_one_pixel" in faults else 0), "inclusive_thresholds" in faults
    left, kept = sorted(range(len(boxes)), key=lambda i: -scores[i]), []
    while left and (parameters["max_detections"] is None or len(kept) < parameters["max_detections"]):
        best = left.pop(0)
        kept.append(best)
        overlaps = {i: iou(boxes[best], boxes[i], more) for i in left}
        left = [i for i in left if not (overlaps[i] > threshold or (inclusive and overlaps[i] == threshold))]
    return {"indices": kept}


def assign(given, parameters):
    if parameters["dialect"] != "paper":
        return {"skipped": True, "reason": "another project's"}
    priors, truths = given["priors"], given["gt_boxes"]
    if not truths:
        if "empty_raises" in faults:
            raise ValueError("max() of nothing")
        if "empty_aborts" in faults:
            os.abort()
    table = [[iou(p, t) for t in truths] for p in priors]
    low = parameters["low_quality_matches"] and "low_quality_missing" not in faults
    top = [max(row[t] for row in table) if low and table else 0 for t in range(len(truths))]
    found = []
    for row in table:
        best = max(row, default=-1)
        limits = parameters["positive_threshold"], parameters["negative_threshold"]
        high, least = (best > x if "exclusive_thresholds" in faults else best >= x for x in limits)
        positive = high or any(row[t] == top[t] > 0 for t in range(len(truths)))
        found.append(row.index(best) if positive else -2 if least else -1)
    return {"gt_index": [code + 1 for code in found] if "codes_one_higher" in faults else found}


def spoiled(found):
    key = next(iter(found))
    spoils = {
        "short": {key: found[key][1:]}, "long": {key: [*found[key], 0]}, "half": {key: [x + 0.5 for x in found[key]]},
        "null": {key: [None for _ in found[key]]}, "true": {key: [True for _ in found[key]]}, "text": {key: ["0" for _ in found[key]]},
        "scalar": {key: 0}, "object": {key: {"0": 0}}, "rows": {key: [found[key]]}, "unknown": {"keep": found[key]},
        "more": {**found, "value": 1}, "empty": {}, "list": [found[key]], "errored": {"errored": True, "message": "out of memory"},
        "skipped": {"skipped": True, "reason": "no such boxes"}, "floats": {key: [float(x) for x in found[key]]}, "nan": {key: ["nan"]},
        "huge": {key: [10**300 for _ in found[key]]},
    }  # fmt: skip
    return next((spoils[one] for one in faults if one in spoils), found)


def run(message):
    if "function" not in message:
        return say(message, errored=True, message="no function is asked for")
    here = not where or set(where) & set(message["cases"])
    if here and "hang" in faults:
        time.sleep(3600)
    if here and {"crash", "exit"} & faults:
        print("terminate called after throwing: vector::at", file=sys.stderr, flush=True)
        (os.abort if "crash" in faults else lambda: os._exit(0))()
    if here and "garbage" in faults:
        return print("keep =", message["cases"][0], flush=True)
    if here and "seq" in faults:
        return say({"seq": message["seq"] - 1}, results=[{}])
    try:
        found = {"boxes.nms": nms, "assign.max_iou": assign}[message["function"]](message["inputs"], message["parameters"])
    except ValueError as error:
        found = {"errored": True, "message": str(error)}
    found = spoiled(found) if here and not {"skipped", "errored"} & set(found) else found
    return say(message, results=[found, found] if here and "twice" in faults else [found])


serve(
    run,
    start=lambda message: say(message, **{**START, **(json.loads(where[0]) if "start" in faults else {})}),
    stop=lambda: sys.exit(3 if "bad_end" in faults else 0),
)

"""Reports made by hand, for the tests of what is made of them."""

import copy
from typing import Any

EVIL = "<script>alert(1)</script> \"'&`|[x](javascript:alert(1))\n\x00\x1b[31m\u202e"


def tally(cases: int = 4, strict: int = 0, training: int = 0, worst: Any = 1.875, not_finite: int = 0) -> dict[str, Any]:
    return {
        "cases": cases, "worst_eps": worst, "not_finite": not_finite, "strict": {"passed": not strict, "failed": strict},
        "training": {"passed": not training, "failed": training},
    }  # fmt: skip


def group(name: str, status: str = "run", cases: int = 4, **more: Any) -> dict[str, Any]:
    reason = None if status == "run" else "gamma=5: the callable has no such argument"
    found = {"id": name, "parameters": {"gamma": 2.0}, "status": status, "reason": reason, "cases": cases if status == "run" else 0}
    return {**found, "left_out": 0, "why_left_out": "", **more}


def passing(**changes: Any) -> dict[str, Any]:
    """A callable of which all is right: two settings, one of them skipped; two cases in two dtypes."""
    return {
        "schema": 1, "report": "callable", "interpretation": 1, "command": "refloss check mine:loss --as ciou_loss --json out.json",
        "loss": "ciou_loss", "via": "callable", "callable": "mine:loss", "language": "Python", "package": "mine", "version": "1.2",
        "arrays": "numpy", "gradients": "returned", "arguments": {"boxes": "a", "target_boxes": "b"}, "constants": {},
        "dtypes": [{"dtype": name, "run": True, "reason": None} for name in ("float32", "float64")],
        "groups": [group("gamma_2"), group("gamma_5", "skipped")], "cases": 4, "findings": [], "troubles": [], "unanswered": [],
        "value": tally(), "gradient": tally(worst=0.5), "strict": True, "training": True, "worst": [], "failures": [], "deviations": [],
        "known": "right", "unknown": None, "expected": None,
        "plots": [{"what": "value", "dtype": "float32", "x": "logit", "points": [[-3.0, 0.0, 0], [2.0, 1.875, 0]]}],
        **changes,
    }  # fmt: skip


def failing(**changes: Any) -> dict[str, Any]:
    """One of two cases is wrong in both dtypes: its gradient is NaN in float32, and a trifle off in float64."""
    worst = {
        "id": "ciou_loss/gamma_2/far", "dtype": "float32", "parameters": {"gamma": 2.0}, "what": "gradient",
        "inputs": {"boxes": [0.0, 0.0, 1.0, 1.0], "target_boxes": [9.0, 9.0, 12.0, 12.0]}, "got": ["nan", 0.0, 0.0, 0.0],
        "wanted": [0.25, 0.0, 0.0, 0.0], "error_eps": "inf", "symptom": "NaN", "matters": True, "flags": ["apart"],
        "notes": ["Boxes that are far apart."],
    }  # fmt: skip
    deviation = {
        "names": ["eps_in_the_union"], "titles": ["1e-07 is added to the union"], "constants": [1e-7], "seen": ["somewhere"],
        "effects": ["Small objects get a weak gradient."], "explained": 2, "failing": 2, "contradicted": 0, "complete": True,
    }  # fmt: skip
    failures = [
        {"id": "ciou_loss/gamma_2/far", "dtype": "float32", "what": "gradient", "error_eps": "inf", "matters": True},
        {"id": "ciou_loss/gamma_2/far", "dtype": "float64", "what": "gradient", "error_eps": 97.5, "matters": False},
    ]
    plot = {"what": "gradient", "dtype": "float32", "x": "IoU of the pair", "points": [[0.0, "inf", 1], [0.5, 64.0, 0], [1.0, 0.125, 0]]}
    found = {"gradient": tally(strict=2, training=1, worst=97.5, not_finite=1), "strict": False, "training": False, "worst": [worst]}
    return {**passing(), **found, "failures": failures, "deviations": [deviation], "known": "named", "plots": [plot], **changes}


def trifling(**changes: Any) -> dict[str, Any]:
    """As `failing`, but only what does not matter in training."""
    found = failing()
    found |= {"training": True, "worst": [], "failures": found["failures"][1:], "gradient": tally(strict=1, worst=97.5)}
    return {**found, **changes}


def scenes(**changes: Any) -> dict[str, Any]:
    """An assigner: one of four answers is wrong, and one case is skipped."""
    worst = {
        "id": "assign.ssd/chain", "dtype": "float32", "parameters": {"threshold": 0.5}, "inputs": {"gt_boxes": [[0.0, 0.0, 8.0, 5.0]]},
        "got": {"gt_index": [1]}, "raised": "", "expected": {"gt_index": [0]}, "allowed": 1, "flags": ["shared"], "notes": ["A chain."],
    }  # fmt: skip
    return {
        "schema": 1, "report": "scenes", "interpretation": 1, "command": "refloss check mine:match --as assign.ssd",
        "function": "assign.ssd", "callable": "mine:match", "package": "mine", "version": None, "arrays": "torch",
        "arguments": {"boxes": "gt_boxes"}, "constants": {}, "codes": {"negative": -1, "ignore": -2, "first": 0},
        "answered": ["gt_index"], "dtypes": [{"dtype": "float32", "run": True, "reason": None}],
        "groups": [{"parameters": {"threshold": 0.5}, "status": "run", "reason": None, "cases": 4}], "cases": 4, "failed": 1,
        "raised": 0, "findings": [{"kind": "note", "name": "ties", "text": "ties are broken otherwise", "effect": ""}],
        "passed": False, "worst": [worst], "deviations": [], "known": "unknown",
        "failures": [{"id": "assign.ssd/chain", "dtype": "float32", "what": "answer", "error_eps": "inf", "matters": True}],
        "unanswered": [{"id": "assign.ssd/empty", "dtype": "float32", "status": "skipped", "reason": "not yet", "link": "https://example.org/7"}],
        **changes,
    }  # fmt: skip


def criteria(**changes: Any) -> dict[str, Any]:
    """A whole criterion: one of three batches has a wrong term, another one raised; a setting was skipped."""
    worst = {
        "id": "criteria.retinanet/crowd/defaults", "dtype": "float32", "parameters": {"alpha": 0.25}, "positives": [3, 0],
        "got": {"boxes": 0.5, "total": 1.5}, "expected": {"boxes": 0.25, "total": 1.25}, "wrong": ["boxes", "total"],
        "gradients": [{"term": "boxes", "entry": 7, "got": 0.125, "wanted": 0.0625, "error_eps": 8e6}], "raised": "",
        "flags": ["crowded"], "notes": ["More than one object."],
    }  # fmt: skip
    name = {"id": "criteria.retinanet/crowd/defaults", "dtype": "float32", "matters": True}
    empty = {"id": "criteria.retinanet/empty/defaults", "dtype": "float32"}
    groups = [group("defaults", cases=3), group("another", "skipped")]
    found = {
        **scenes(), "report": "criteria", "criterion": "criteria.retinanet", "command": "refloss check mine:head --as criteria.retinanet",
        "callable": "mine:head", "gradients": "automatic differentiation", "answered": "terms", "groups": groups, "cases": 3, "failed": 2,
        "raised": 1, "findings": [], "normalizers": {}, "worst": [worst],
        "failures": [{**name, "what": "value", "error_eps": 8e6}, {**name, "what": "gradient", "error_eps": 8e6},
                     {**empty, "what": "answer", "error_eps": "inf", "matters": True}],
        "unanswered": [{**empty, "status": "errored", "reason": "it raised IndexError", "link": None}],
        "plots": [{"what": "value", "dtype": "float32", "x": "positives of the batch", "points": [[3, 8e6, 1], [1, 0.5, 0]]}],
    }  # fmt: skip
    return {**{key: value for key, value in found.items() if key not in ("function", "codes")}, **changes}


def own(*rows: tuple[str, str, str], dtypes: tuple[str, ...] = ("float32",), absent: tuple[str, ...] = ()) -> dict[str, Any]:
    """refloss's own backends; rows are (loss, backend, verdict)."""
    worst = {"case": "l1_loss/a", "dtype": "float32", "what": "value", "eps": 12.0, "limit": 4.0, "got": "1.5", "wanted": "1.25"}
    made = [
        {"loss": loss, "backend": backend, "cases": 10, "failed": int(verdict == "fail"), "value_eps": 0.5, "gradient_eps": 1.5,
         "left_out": 0, "error": "TypeError: no" if verdict == "error" else None, "worst": [worst] if verdict == "fail" else [],
         "verdict": verdict}
        for loss, backend, verdict in rows
    ]  # fmt: skip
    return {
        "schema": 1, "report": "backends", "passed": all(row["verdict"] == "pass" for row in made), "cases": 10 * len(made), "rows": made,
        "absent": dict.fromkeys(absent, "no NVIDIA GPU, or no driver"), "dtypes": list(dtypes), "left_out": {},
    }  # fmt: skip


def replay(*names: str, broken: str = "") -> dict[str, Any]:
    cases = [
        {"name": name, "system": "yolov3", "delta": 1.0 if name == broken else 3e-8, "where": "x of image 0", "cost": 1e-7,
         "passed": name != broken}
        for name in names
    ]  # fmt: skip
    return {"schema": 1, "report": "replay", "limit": 2e-6, "cases": cases}


def absent(title: str = "Gone", reproduce: str = "refloss check gone:loss --as focal_loss") -> dict[str, Any]:
    """A merged report of a package that is not installed."""
    row = {"title": title, "reproduce": reproduce, "status": "not run: gone is not installed", "package": "gone", "loss": "focal_loss"}
    return {"schema": 1, "report": "merged", "title": "", "rows": [row]}


def evil() -> dict[str, Any]:
    """Every text that comes from outside is an attack."""

    def spoil(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: spoil(part) if key not in ("what", "dtype", "status", "kind", "report") else part for key, part in value.items()}
        if isinstance(value, list):
            return [spoil(part) for part in value]
        return EVIL if isinstance(value, str) and value not in ("nan", "inf") else value

    found = copy.deepcopy(failing())
    found |= {
        "unanswered": [{"id": "x", "dtype": "float32", "status": "errored", "reason": "x", "link": "x"}],
        "troubles": [{"name": "x", "text": "x", "cases": 1, "first": None}], "unknown": {"text": "x", "facts": ["x"]},
        "findings": [{"kind": "note", "name": "x", "text": "x", "effect": "x"}],
        "expected": {"file": "x", "matched": 0, "stale": ["x"], "unexpected": ["x"]}, "constants": {"x": "x"},
    }  # fmt: skip
    found = spoil(found)
    found["worst"][0] |= {"inputs": {EVIL: [1.0]}, "parameters": {EVIL: EVIL}}
    found["arguments"] = {EVIL: EVIL}
    return found

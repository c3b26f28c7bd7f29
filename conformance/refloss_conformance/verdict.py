"""Two tiers of judgement on somebody else's results.

Strict: at most 64 eps, condition-aware (see limits.py). A stable implementation in any order of operations passes.

Training: would a gradient step notice? A number matters if it fails strictly and is either not finite where the truth is,
or wrong by more than 1e-3 of the true size (of the largest component, for a box or a row) and by more than 1e-6 of what is
typical of its group: a hundred thousand easy anchors with such errors do not add up to one hard example. With gradients,
the tier is about gradients, and about values only in that they must be finite; but a coding's values are targets, and count.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .cases import Batch
from .golden import Array, Golden, errors, flushed
from .limits import THIRD_PARTY, autodiff_gradient

RELATIVE = 1e-3
NEGLIGIBLE = 1e-6
VANISHED = 0.01
EXPLODED = 10.0


@dataclass(frozen=True)
class Part:
    """The values, or the gradients, of a batch: what was got, and where it fails. Arrays are of the shape of `got`."""

    what: str
    wanted: Golden
    got: Array
    error: Array  # in eps, condition-aware
    strict: Array  # fails strictly
    training: Array  # fails, and matters to a gradient step
    severity: Array  # error relative to the larger of the true size and the group's typical one


@dataclass(frozen=True)
class Judged:
    batch: Batch
    value: Part
    gradient: Part | None

    @property
    def parts(self) -> tuple[Part, ...]:
        return (self.value,) if self.gradient is None else (self.value, self.gradient)


def per_case(mask: Array) -> Array:
    """Whether any number of a case is marked."""
    return np.asarray(mask.reshape(len(mask), -1).any(axis=1)) if mask.size else np.zeros(len(mask), bool)


def typical(values: Array) -> float:
    """The median of what is not zero."""
    alive = np.abs(values[np.isfinite(values) & (values != 0)])
    return float(np.median(alive)) if alive.size else 0.0


def judge_part(what: str, wanted: Golden, got: Array, dtype: str, boxes: bool) -> Part:
    values = np.asarray(got, np.float64)
    error = errors(wanted, values, dtype, aware=True)
    error = np.where(flushed(wanted, values, dtype), 0.0, error)
    strict = error > THIRD_PARTY.eps
    true = np.maximum(np.abs(wanted.number), np.maximum(np.abs(wanted.low[0]), np.abs(wanted.high[0])))
    infinite = np.isinf(true)  # codes at the ends of a coder's domain: a large finite one does as well in training
    true = np.where(infinite, 0, true)
    size = np.broadcast_to(true.max(axis=-1, keepdims=True), true.shape) if true.ndim > 1 else true
    with np.errstate(invalid="ignore", over="ignore"):
        distance = np.abs(values - wanted.number)
        usual = 0.0 if boxes else typical(wanted.number)
        large = (distance > RELATIVE * size) & (distance > NEGLIGIBLE * usual) & ~infinite
        severity = distance / np.maximum(np.maximum(size, usual), np.finfo(np.float64).tiny)
    training = strict & (large | ~np.isfinite(values))
    return Part(what, wanted, values, error, strict, training, np.where(np.isfinite(severity), severity, np.inf))


def judge(batch: Batch, value: Array, gradient: Array | None, boxes: bool) -> Judged:
    part = judge_part("value", batch.value, value, batch.dtype, boxes)
    return Judged(batch, part, None if gradient is None else judge_part("gradient", autodiff_gradient(batch), gradient, batch.dtype, boxes))


def symptom(got: float, wanted: float) -> str:
    """What is wrong with a number, in a word or two."""
    if np.isnan(got):
        return "NaN"
    if np.isinf(got):
        return "infinite"
    if abs(got) <= VANISHED * abs(wanted):
        return "vanishes"
    if wanted == 0:
        return "not zero"
    if got * wanted < 0:
        return "wrong sign"
    if abs(got) > EXPLODED * abs(wanted):
        return "far too large"
    share = abs(got - wanted) / abs(wanted)
    return f"off by {100 * share:.2g} %" if share >= 5e-5 else f"off by {share:.1g}"


def tally(judged: Sequence[Judged], what: str) -> dict[str, Any] | None:
    """Counts of a part over all batches, or None if it was not run."""
    pairs = [(one.batch, part) for one in judged for part in one.parts if part.what == what]
    if not pairs:
        return None
    finite = np.concatenate([part.error[np.isfinite(part.error)].ravel() for _, part in pairs])
    strict = sum(int(per_case(part.strict).sum()) for _, part in pairs)
    training = sum(int(per_case(part.training).sum()) for _, part in pairs)
    not_finite = sum(int(per_case(part.strict & ~np.isfinite(part.got)).sum()) for _, part in pairs)
    return {
        "cases": sum(len(batch) for batch, _ in pairs), "worst_eps": float(finite.max(initial=0.0)), "not_finite": not_finite,
        "strict": {"passed": strict == 0, "failed": strict}, "training": {"passed": training == 0, "failed": training},
    }  # fmt: skip


def worst_cases(judged: Sequence[Judged], notes: Any, names: tuple[str, str], count: int = 5) -> list[dict[str, Any]]:
    """The failing cases that matter most, of different kinds: each symptom of gradients and of values, then more of the same."""
    found = []
    for one in judged:
        for part in one.parts:
            failing, matters = per_case(part.strict), per_case(part.training)
            severity = part.severity.reshape(len(failing), -1).max(axis=1) if len(failing) else np.zeros(0)
            plain = one.batch.with_kind("basic")
            for i in sorted(np.flatnonzero(failing), key=lambda i: (not matters[i], -severity[i]))[:40]:
                case = _case(one.batch, part, int(i), notes, names)
                key = (not matters[i], -min(round(float(severity[i]), 1), 1.0), part.what == "value", not plain[i], one.batch.dtype)
                found.append((*key, float(np.abs(one.batch.first[i].astype(np.float64)).max()), one.batch.ids[i], case))
    found.sort(key=lambda entry: entry[:-1])
    chosen: list[dict[str, Any]] = []
    for most in (1, 2, count):  # cases of one symptom
        for *_, case in found:
            alike = sum((c["what"], c["symptom"][:3]) == (case["what"], case["symptom"][:3]) for c in chosen)
            if len(chosen) < count and alike < most and all((c["what"], c["inputs"]) != (case["what"], case["inputs"]) for c in chosen):
                chosen.append(case)
    return chosen


def _case(batch: Batch, part: Part, i: int, notes: Any, names: tuple[str, str]) -> dict[str, Any]:
    at = int(np.argmax(np.where(np.isnan(part.error[i]), np.inf, part.error[i]))) if np.ndim(part.got[i]) else None
    got, wanted = (float(x[i] if at is None else x[i][at]) for x in (part.got, part.wanted.number))
    return {
        "id": batch.ids[i], "dtype": batch.dtype, "parameters": dict(batch.parameters), "what": part.what,
        "inputs": {names[0]: batch.first[i].tolist(), names[1]: batch.second[i].tolist()}, "got": part.got[i].tolist(),
        "wanted": part.wanted.number[i].tolist(), "error_eps": float(np.max(part.error[i])), "symptom": symptom(got, wanted),
        "matters": bool(np.any(part.training[i])), "flags": list(batch.flags[i]),
        "notes": [notes[flag]["description"] for flag in batch.flags[i] if notes[flag]["kind"] != "basic"],
    }  # fmt: skip

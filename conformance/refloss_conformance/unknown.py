"""What can be said of a fault that no deviation explains: where it shows, what stays right, and what its numbers have in common.

Each question below looks at all failing numbers and gives a sentence with a weight, or nothing. The most telling come first.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .agreement import comparable
from .cases import Batch, notes
from .golden import Array
from .verdict import Judged, per_case, typical

SENTENCES = 6
FEW = 5  # numbers that a constancy is seen in at least
TINY = 1e-3  # of the typical number: below it one may pass, wrong as it is, for its condition
SAME = 2e-3  # relative spread of what counts as constant
Fact = tuple[float, str]


@dataclass(frozen=True)
class Side:
    """All values, or all gradients: the numbers in one row, and the cases they are of."""

    what: str  # "value" or "gradient"
    got: Array
    wanted: Array
    wrong: Array
    kink: Array
    case: Array  # of each number
    place: Array  # along the last axis: the coordinate or the class
    fails: Array  # of each case

    @property
    def bad(self) -> tuple[Array, Array]:
        """Failing numbers: what was got and what was wanted."""
        return self.got[self.wrong], self.wanted[self.wrong]

    @property
    def some(self) -> bool:
        return bool(self.wrong.any())


@dataclass(frozen=True)
class Evidence:
    batches: list[Batch]
    value: Side
    gradient: Side | None
    fails: Array  # of each case, in value or gradient

    @property
    def sides(self) -> list[Side]:
        return [side for side in (self.value, self.gradient) if side is not None]

    def of_cases(self, f: Callable[[Batch], Any]) -> Array:
        """A property of every case."""
        return np.concatenate([np.asarray(f(batch)) for batch in self.batches])


def describe(judged: Sequence[Judged]) -> dict[str, Any] | None:
    """{"text": a paragraph, "facts": its sentences} about the failures, or None if there are none."""
    sides = [side for what in ("value", "gradient") if (side := _side(judged, what)) is not None]
    if not any(side.some for side in sides):
        return None
    value, gradient = sides[0], sides[1] if len(sides) > 1 else None
    fails = np.array(value.fails)
    if gradient is not None:
        fails |= gradient.fails
    evidence = Evidence([one.batch for one in judged], value, gradient, fails)
    with np.errstate(all="ignore"):
        found = [fact for question in QUESTIONS for fact in question(evidence)]
    facts = [sentence for _, sentence in sorted(found, key=lambda fact: -fact[0])][:SENTENCES]
    return {"text": " ".join(facts), "facts": facts}


def _side(judged: Sequence[Judged], what: str) -> Side | None:
    got, wanted, wrong, kink, case, place, fails = ([] for _ in range(7))  # type: ignore[var-annotated]
    count = 0
    for one in judged:
        part = one.value if what == "value" else one.gradient
        if part is None:
            if what == "gradient":
                return None
            continue
        strict = part.strict & comparable(part)
        width = part.got[0].size if len(part.got) else 1
        cases = count + np.arange(len(part.got))
        for column, numbers in ((got, part.got), (wanted, part.wanted.number), (wrong, strict), (kink, ~comparable(part))):
            column.append(np.asarray(numbers).ravel())
        case.append(np.repeat(cases, width))
        place.append(np.tile(np.arange(width), len(cases)))
        fails.append(per_case(strict))
        count += len(cases)
    return Side(what, *(np.concatenate(column) for column in (got, wanted, wrong, kink, case, place, fails))) if got else None


def _list(words: Sequence[str]) -> str:
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else list(words))


def shown(value: Any) -> str:
    """A parameter's value."""
    return f"{value:g}" if isinstance(value, float) else str(value)


def extent(evidence: Evidence) -> list[Fact]:
    """How much fails, and whether in values or in gradients."""
    total, failing = len(evidence.fails), int(evidence.fails.sum())
    where = "all of the cases fail" if failing == total else f"{failing} of {total} cases fail"
    value, gradient = evidence.value, evidence.gradient
    if gradient is None:
        return [(5, f"{where[0].upper()}{where[1:]} (values only: no gradient was judged).")]
    if not value.some:
        return [(9, f"Every value is right and the gradient of {failing} of {total} cases is not: "
                    "the gradient is not the derivative of the value that is returned.")]  # fmt: skip
    if not gradient.some:
        return [(9, f"Every gradient is right and the value of {failing} of {total} cases is not: "
                    "what is printed differs from what is trained, by a constant or something held fixed.")]  # fmt: skip
    return [(5, f"{where[0].upper()}{where[1:]}: {int(value.fails.sum())} in value, {int(gradient.fails.sum())} in gradient.")]


def not_finite(evidence: Evidence) -> list[Fact]:
    found: list[Fact] = []
    for side in evidence.sides:
        got, _ = side.bad
        lost = ~np.isfinite(got)
        if lost.all() and len(got):
            found.append((9.5, f"Wherever the {side.what} is wrong it is NaN or infinite; every finite one is right."))
        elif lost.any():
            found.append((4, f"{int(lost.sum())} numbers of the {side.what} are NaN or infinite."))
    return found


def constant(evidence: Evidence) -> list[Fact]:
    """A ratio, a sign, a difference, or zero in all failing numbers."""
    found: list[Fact] = []
    ratios: dict[str, float] = {}
    for side in evidence.sides:
        got, wanted = side.bad
        keep = np.isfinite(got) & (wanted != 0) & np.isfinite(wanted)
        got, wanted = got[keep], wanted[keep]
        if len(got) < FEW or np.ptp(wanted) == 0:
            continue
        where = f"every {side.what} is" if _everywhere(side) else f"where the {side.what} is wrong it is"
        ratio = float(np.median(got / wanted))
        steady = _constant(got / wanted)
        if steady:
            ratios[side.what] = ratio
        if (got == 0).all():
            found.append((8, f"Where the {side.what} is wrong it is 0."))
        elif steady and abs(ratio - 1) > SAME:
            text = "the true one with the other sign" if abs(ratio + 1) < SAME else f"{ratio:.4g} times the true one"
            found.append((10, f"{where[0].upper()}{where[1:]} {text}."))
        elif _constant(got - wanted) and abs(np.median(got - wanted)) > 0:
            found.append((10, f"{where[0].upper()}{where[1:]} the true one plus {float(np.median(got - wanted)):.4g}."))
        elif (np.sign(got) == -np.sign(wanted)).all():
            found.append((6, f"Where the {side.what} is wrong it has the wrong sign."))
    if len(ratios) == 2 and abs(ratios["value"] - ratios["gradient"]) > SAME * abs(ratios["value"]):
        found.append((8.5, "Value and gradient are off by different factors: the gradient is not that of the value."))
    return found


def _everywhere(side: Side) -> bool:
    """Nothing but zeros is right."""
    plain = (np.abs(side.wanted) > TINY * typical(side.wanted)) & np.isfinite(side.wanted) & ~side.kink
    return bool(side.wrong[plain].mean() > 0.97)


def _constant(numbers: Array) -> bool:
    middle = np.median(numbers)
    return bool(np.isfinite(middle) and (np.abs(numbers - middle) <= SAME * abs(middle)).mean() >= 0.98)


def dtypes(evidence: Evidence) -> list[Fact]:
    names = evidence.of_cases(lambda batch: [batch.dtype] * len(batch))
    bad = sorted({str(name) for name in names[evidence.fails]})
    good = sorted({str(name) for name in names} - set(bad))
    if not good:
        return []
    if good == ["float64"]:
        return [(8.5, f"Only {_list(bad)} fails; in float64 all is right: digits are lost on the way, and the formula is not at fault.")]
    return [(7, f"Only {_list(bad)} fails; {_list(good)} is right.")]


def parameters(evidence: Evidence) -> list[Fact]:
    """Settings that fail, and settings that never do."""
    found: list[Fact] = []
    groups = evidence.of_cases(lambda batch: [batch.group] * len(batch))
    failing = sorted(set(groups[evidence.fails].tolist()))
    if len(failing) == 1 and len(set(groups.tolist())) > 2:
        only = next(batch.parameters for batch in evidence.batches if batch.group == failing[0])
        setting = _list([f"{name} = {shown(value)}" for name, value in only.items()])
        return [(8, f"It fails in a single setting, {setting}; in all others all is right.")]
    for name in evidence.batches[0].parameters:
        values = evidence.of_cases(lambda batch, name=name: [shown(batch.parameters[name])] * len(batch))  # type: ignore[misc]
        every = sorted(set(values.tolist()))
        bad = [value for value in every if evidence.fails[values == value].any()]
        good = [value for value in every if value not in bad]
        if bad and good:
            right = f"with {name} = {_list(good)} all is right" if len(good) <= 3 else "with every other value all is right"
            found.append((7.5, f"It fails only with {name} = {_list(bad)}; {right}.") if len(bad) <= len(good)
                         else (7, f"It never fails with {name} = {_list(good)}."))  # fmt: skip
    return found


def flags(evidence: Evidence) -> list[Fact]:
    """Flags that all failing cases share, and flags under which nothing fails."""
    loss = evidence.batches[0].loss
    known, owned = notes(loss), [set(flags) for batch in evidence.batches for flags in batch.flags]
    counts = {flag: np.array([flag in own for own in owned]) for flag in known}
    found: list[Fact] = []
    special = {flag for flag in known if known[flag]["kind"] != "basic"}
    covering: list[str] = []
    left = evidence.fails.copy()
    for flag in sorted(special, key=lambda flag: -(counts[flag] & evidence.fails).sum()):
        share = (evidence.fails & counts[flag]).sum() / max(counts[flag].sum(), 1)
        if left.any() and (left & counts[flag]).sum() and share > 2 * evidence.fails.mean():
            covering.append(flag)
            left &= ~counts[flag]
    if covering and not left.any() and len(covering) <= 3:
        kinds = _list(sorted({known[flag]["kind"].replace("_", " ") for flag in covering}))
        what = " ".join(f"{flag.replace('_', ' ')}: {_first(known[flag]['description'])}" for flag in covering)
        found.append((9, f"Ordinary cases pass; only special ones fail ({kinds}). {what}"))
    elif all(evidence.fails[counts[flag]].mean() > 0.5 for flag in known if known[flag]["kind"] == "basic" and counts[flag].any()):
        found.append((4.5, "Ordinary cases fail too, so another formula, parameter or unit is computed."))
    never = [flag for flag, own in counts.items() if own.sum() >= 3 and not evidence.fails[own].any()]
    if never and not (covering and not left.any()):
        found.append((3, f"Never at fault: cases flagged {_list(never)}."))
    return found


def _first(text: str) -> str:
    """What a flag means, without what a failure means."""
    return text.partition(" A failure")[0]


def kinks(evidence: Evidence) -> list[Fact]:
    tied = evidence.of_cases(lambda batch: batch.with_kind("tie"))
    if evidence.fails.any() and not evidence.fails[~tied].any():
        return [(9.2, "It fails only at kinks, where edges or numbers coincide.")]
    return []


def places(evidence: Evidence) -> list[Fact]:
    """Some of four numbers."""
    found: list[Fact] = []
    for side in evidence.sides:
        count = int(side.place.max()) + 1 if len(side.place) else 1
        bad = sorted(set(side.place[side.wrong].tolist()))
        if count == 4 and bad and len(bad) < count:
            which = _list([("first", "second", "third", "fourth")[j] for j in bad])
            found.append((8, f"Of the four numbers of a {side.what} only the {which} {'is' if len(bad) == 1 else 'are'} ever wrong."))
    return found


def growth(evidence: Evidence) -> list[Fact]:
    """Does the error grow with the inputs?"""
    size = evidence.of_cases(
        lambda b: np.maximum(*(np.abs(a.astype(np.float64)).reshape(len(b), -1).max(axis=1) for a in (b.first, b.second)))
    )
    for side in evidence.sides:
        got, wanted = side.bad
        of = size[side.case[side.wrong]]
        keep = np.isfinite(got) & (wanted != 0) & np.isfinite(wanted) & (got != 0) & (of > 0)
        if keep.sum() < 4 * FEW:
            continue
        error, of = np.abs(got[keep] / wanted[keep] - 1), of[keep]
        if np.ptp(error) == 0 or np.ptp(of) == 0:
            continue
        slope = float(np.asarray(np.corrcoef(np.stack([np.unique(x, return_inverse=True)[1] for x in (error, of)])))[0, 1])
        if abs(slope) > 0.8:
            low, high = np.quantile(of, (0.1, 0.9))
            text = f"The error of the {side.what} {'grows' if slope > 0 else 'shrinks'} with the size of the inputs: "
            near = [np.median(error[of <= low]), np.median(error[of >= high])]
            return [(6.5, text + f"about {near[0]:.2g} of the true one at {low:.3g}, {near[1]:.2g} at {high:.3g}.")]
    return []


def independence(evidence: Evidence) -> list[Fact]:
    """Is one of the inputs not looked at? Then cases that share the other one give one result."""
    got = evidence.value.got
    width = len(got) // max(len(evidence.fails), 1)
    if not len(evidence.fails) or width * len(evidence.fails) != len(got):
        return []
    got, wanted = got.reshape(-1, width), evidence.value.wanted.reshape(-1, width)
    for name, array in (("second", lambda b: b.first), ("first", lambda b: b.second)):
        keys = [(batch.group, batch.dtype, array(batch)[i].tobytes()) for batch in evidence.batches for i in range(len(batch))]  # type: ignore[no-untyped-call]
        rows: dict[Any, list[int]] = {}
        for i, key in enumerate(keys):
            rows.setdefault(key, []).append(i)
        telling = [some for some in rows.values() if np.ptp(wanted[some], axis=0).max() > 1e-3 * np.abs(wanted[some]).max()]
        if len(telling) >= FEW and all((got[some] == got[some[0]]).all() for some in telling):
            return [(10, f"The value does not depend on the {name} input: cases that differ in it alone give one result.")]
    return []


QUESTIONS = (extent, not_finite, constant, dtypes, parameters, flags, kinks, places, growth, independence)

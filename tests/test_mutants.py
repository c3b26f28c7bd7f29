"""Wrong implementations, made by machine: formulas, kernels and assigners with one change each. Golden vectors and scenes fail them all.

A mutant that survives is equivalent by an argument in mutants/equivalents.toml, or a hole in the vectors. Every fifth is run, and all
that the list excuses: REFLOSS_MUTANTS=1 runs all (4 minutes), REFLOSS_NAMED=0 asks for the name of every wrong formula (an hour).
"""

from collections.abc import Callable

import pytest
from mutants import assigning, naming, running
from mutants.golden_cases import judged, merged, plain
from mutants.implementations import FORMULAS, KERNELS, Formula, Kernel, mutants
from mutants.reductions import WRONG
from mutants.running import GROUPS, excused

from refloss._engine.record import REGISTRY
from refloss_conformance import third_party
from refloss_conformance.records import RECORDS

Record = Callable[[str, object], None]
FAMILIAR = {  # changes that are known mistakes: record, function, change: deviations
    ("focal_loss", "formula: factor dropped: alpha_t * xp.power(miss, gamma) => xp.power(miss, gamma)"): {"alpha_ignored"},
    ("focal_loss", "formula: term dropped: 1 - alpha => 1"): {"alpha_of_positives_only"},
    ("focal_loss", "formula: function: xp.power(miss, gamma) => miss * gamma"): {"gamma_multiplied"},
    ("focal_loss", "formula: modulator inverted: xp.power(miss, gamma) => xp.power(1 - miss, gamma)"): {"modulator_inverted"},
    ("focal_loss", "formula: another name: targets * positive => targets * negative"): {"alpha_for_all", "alpha_swapped"},
    ("focal_loss_with_integer_labels", "labels_formula: off by one: xp.one_hot(labels, logits) => xp.one_hot(labels - 1, logits)"):
        {"background_is_label_0"},
    ("squared_error", "squared_formula: factor dropped: factor * difference => difference"): {"factor_ignored"},
    ("smooth_l1_loss", "smooth_l1_formula: factor dropped: 2 * beta => 2"): {"smooth_l1_half_divided"},
    ("softmax_focal_loss_with_integer_labels", "focal_formula: comparison: labels == 0 => labels != 0"): {"alpha_swapped"},
    ("ciou_loss", "ciou_formula: stop_gradient dropped: xp.stop_gradient(alpha) => alpha"): {"ciou_alpha_differentiated"},
    ("delta_coder.decode", "delta_decode_formula: factor dropped: codes[..., j] / weights[j] => codes[..., j]"): {"coder_weights_ignored"},
    ("ltrb_coder.encode", "ltrb_encode_formula: factor dropped: stride / stride => stride"): {"stride_always"},
}  # fmt: skip


@pytest.mark.parametrize(("layer", "record"), GROUPS, ids=[f"{layer}-{record}" for layer, record in GROUPS])
def test_every_mutant_fails(layer: str, record: str, record_property: Record) -> None:
    tally = running.run(layer, record)
    for name, counts in (("population", {"mutants": tally.population}), ("outcomes", tally.run), ("operators", tally.operators)):
        for key, count in counts.items():
            record_property(f"mutants {name} {layer} {key}", count)
    assert not tally.survivors, "these wrong implementations pass: give the vectors a case, or mutants/equivalents.toml an argument"
    assert not tally.stale
    assert tally.run["raised"] <= 0.1 * sum(tally.run.values()) + 12, tally.raised  # to raise is to fail, and too easily
    assert tally.population > 0


@pytest.mark.parametrize("loss", [name for name, loss in REGISTRY.items() if loss.kind != "labels"])
def test_wrong_reductions_fail(loss: str, record_property: Record) -> None:
    """Through the whole check, as a callable whose result is one number; and the right ones pass."""
    setting = {**REGISTRY[loss].defaults, **REGISTRY[loss].settings[0]}
    for stated, does in (*WRONG, ("mean", "mean"), ("sum", "sum")):
        spec = f"mutants.reductions:{loss}__reduced_to_{does}"
        report = third_party.run(third_party.Request(spec, loss, only=setting, dtypes=("float64",), reduction=stated))
        assert report["strict"] == (does == stated) and report["cases"] > 10, (stated, does)
    record_property("mutants outcomes reduction failed", len(WRONG))


def test_the_population_is_large_and_holds_nothing_twice() -> None:
    """By the texts of all changed functions of a family that shares code."""
    for record in ("focal_loss", "ciou_loss", "yolov1_coder.encode"):
        for layer in ("formula", "kernel"):
            made = [(one.function, running.text_of(one)) for one in mutants(record, layer)]
            assert len(made) == len(set(made)) > 40
    assert len(excused()) < 450


@pytest.mark.parametrize("record", sorted(RECORDS))
def test_what_is_changed_is_right(record: str) -> None:
    """Without a change, the formulas' texts and the kernels over arrays stay within a tenth of the limit that mutants must exceed."""
    formula = Formula(record)
    for batch in plain(record):
        assert max(part.error.max(initial=0) for part in judged(batch, formula(batch)).parts) < 8
    if record in KERNELS:
        kernel = Kernel(record)
        for one in merged(record):
            assert max(part.error.max(initial=0) for part in judged(one.batch, kernel(one)).parts) < 3


@pytest.mark.parametrize("record", sorted(assigning.RULES))
def test_rules_that_are_changed_are_right(record: str) -> None:
    assert assigning.wrong_scene(assigning.Rule("", record, "")) is None


def test_kinds_of_excuses() -> None:
    for name, excuse in excused().items():
        assert name.split(" ")[1] in ("formula", "kernel", "rule")
        assert excuse.why.endswith(".") and len(excuse.why) > 20


@pytest.mark.parametrize("record", list(FORMULAS))
def test_names_are_right(record: str, record_property: Record) -> None:
    """Whatever the checker names among some wrong formulas has that deviation's numbers; most have no name, being no one's mistake."""
    names = naming.name_all(record)
    for said, count in (("named", len(names.named)), ("unknown", len(names.unknown)), ("misnamed", len(names.misnamed))):
        record_property(f"mutants names formulas {said}", count)
    assert not names.misnamed


@pytest.mark.parametrize(("record", "change"), list(FAMILIAR), ids=[f"{record}-{k}" for k, (record, _) in enumerate(FAMILIAR)])
def test_familiar_mistakes_are_named(record: str, change: str, record_property: Record) -> None:
    (mutant,) = mutants(record, "formula", f"{record} formula {change}".__eq__)
    found = [set(one.names) for one in naming.said_of(naming.results(mutant))]
    assert FAMILIAR[record, change] in found
    record_property("mutants names familiar named", 1)

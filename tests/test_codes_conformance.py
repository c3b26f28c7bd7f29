"""Box coders under the checker: each known mistake is named, right coders pass, and a broken formula, kernel or vector fails."""

import json
import math
from collections.abc import Callable
from typing import Any

import jsonschema
import numpy as np
import pytest
import torch
import wrong_coders as w

from refloss._engine.coding import CODINGS
from refloss_conformance import own, vectors
from refloss_conformance.backends import BACKENDS
from refloss_conformance.cases import Batch, batches
from refloss_conformance.cli import main
from refloss_conformance.gradients import UPSTREAM, conditioned
from refloss_conformance.third_party import Request, run
from refloss_conformance.vectors import FOLDER, SCHEMA
from refloss_conformance.verdict import judge

Maker = Callable[[], w.Function]
WRONG: list[tuple[str, Maker, set[str]]] = [
    ("delta_coder.encode", lambda: w.delta_encoder(reweigh=w.variances), {"variances_multiplied"}),
    ("delta_coder.encode", lambda: w.delta_encoder(reweigh=w.ones), {"coder_weights_ignored"}),
    ("delta_coder.encode", lambda: w.delta_encoder(reweigh=w.crossed), {"coder_weights_swapped"}),
    ("delta_coder.encode", lambda: w.delta_encoder(reweigh=lambda x: x[[0, 0, 0, 0]]), {"first_weight_for_all"}),
    ("delta_coder.encode", lambda: w.delta_encoder(log=lambda x: w.ln(x) / math.log(2)), {"log2_in_codes"}),
    ("delta_coder.encode", lambda: w.delta_encoder(swap=True), {"width_and_height_swapped"}),
    ("delta_coder.encode", lambda: w.delta_encoder(order="1032"), {"coded_boxes_read_as_yxyx"}),
    ("delta_coder.encode", lambda: w.delta_encoder(prior_order="1032"), {"prior_boxes_read_as_yxyx"}),
    ("delta_coder.encode", lambda: w.delta_encoder(order="1032", prior_order="1032"), {"codes_in_yxhw"}),
    ("delta_coder.encode", lambda: w.delta_encoder(order="0213"), {"coded_boxes_read_as_xxyy"}),
    ("delta_coder.encode", lambda: w.delta_encoder(pixel=1), {"one_pixel_in_sizes"}),
    ("delta_coder.encode", lambda: w.delta_encoder(corner=0.5), {"offsets_from_the_corner"}),
    ("delta_coder.encode", lambda: w.delta_encoder(floor=1e-7), {"sizes_floored"}),
    ("delta_coder.encode", lambda: w.delta_encoder(log=torch.log), {"zero_size_differentiated"}),
    (
        "delta_coder.encode",
        lambda: w.delta_encoder(log=torch.log, reweigh=w.variances),
        {"zero_size_differentiated", "variances_multiplied"},
    ),
    ("delta_coder.decode", lambda: w.delta_decoder(reweigh=w.variances), {"variances_multiplied"}),
    ("delta_coder.decode", lambda: w.delta_decoder(reweigh=w.ones), {"coder_weights_ignored"}),
    ("delta_coder.decode", lambda: w.delta_decoder(reweigh=w.crossed), {"coder_weights_swapped"}),
    ("delta_coder.decode", lambda: w.delta_decoder(grow=torch.exp2), {"log2_in_codes"}),
    ("delta_coder.decode", lambda: w.delta_decoder(swap=True), {"width_and_height_swapped"}),
    ("delta_coder.decode", lambda: w.delta_decoder(pixel=1), {"one_pixel_in_sizes"}),
    ("delta_coder.decode", lambda: w.delta_decoder(high=False), {"clip_missing"}),
    ("delta_coder.decode", lambda: w.delta_decoder(low=True), {"clip_on_both_sides"}),
    ("delta_coder.decode", lambda: w.delta_decoder(always=math.log(1000 / 16)), {"default_clip"}),
    ("delta_coder.decode", lambda: w.delta_decoder(corner=0.5), {"offsets_from_the_corner"}),
    ("delta_coder.decode", lambda: w.delta_decoder(give="cxcywh"), {"boxes_given_as_cxcywh"}),
    ("delta_coder.decode", lambda: w.delta_decoder(give="xywh"), {"boxes_given_as_xywh"}),
    ("delta_coder.decode", lambda: w.delta_decoder(give="yxyx"), {"boxes_given_as_yxyx"}),
    ("delta_coder.decode", lambda: w.delta_decoder(give="xyxy"), {"boxes_given_as_xyxy"}),
    ("yolo_coder.decode", lambda: w.yolo_decoder(sizes="exp"), {"exp_for_squared_sigmoid"}),
    ("yolo_coder.decode", lambda: w.yolo_decoder(sizes="squared_sigmoid"), {"squared_sigmoid_for_exp"}),
    ("yolo_coder.decode", lambda: w.yolo_decoder(sizes="sigmoid"), {"sigmoid_not_squared"}),
    ("yolo_coder.decode", lambda: w.yolo_decoder(scale=1), {"scale_xy_ignored"}),
    ("yolo_coder.decode", lambda: w.yolo_decoder(scale=2), {"scale_xy_always_2"}),
    ("yolo_coder.decode", lambda: w.yolo_decoder(shift=False), {"scale_xy_without_shift"}),
    ("yolo_coder.decode", lambda: w.yolo_decoder(half=0.5), {"centre_of_the_cell"}),
    ("yolo_coder.decode", lambda: w.yolo_decoder(stride_too=False), {"stride_missing"}),
    ("yolo_coder.decode", lambda: w.yolo_decoder(swap=True), {"width_and_height_swapped"}),
    ("yolo_coder.decode", lambda: w.yolo_decoder(transposed=True), {"row_and_column_swapped"}),
    ("yolo_coder.decode", lambda: w.yolo_decoder(give="cxcywh"), {"boxes_given_as_cxcywh"}),
    ("yolo_coder.decode", lambda: w.yolo_decoder(anchors_in_cells=True), {"sizes_in_cells"}),
    ("yolo_coder.decode", lambda: w.yolo_decoder(power=2), {"log2_in_codes"}),
    ("yolo_coder.decode", lambda: w.yolo_decoder(sigmoid=torch.sigmoid), {"sigmoid_gradient_rounded"}),
    ("yolo_coder.decode", lambda: w.yolo_decoder(sizes="exp", scale=1), {"exp_for_squared_sigmoid", "scale_xy_ignored"}),
    ("yolo_coder.encode", lambda: w.yolo_encoder(sizes="exp"), {"exp_for_squared_sigmoid"}),
    ("yolo_coder.encode", lambda: w.yolo_encoder(shift=False), {"scale_xy_without_shift"}),
    ("yolo_coder.encode", lambda: w.yolo_encoder(half=0.5), {"centre_of_the_cell"}),
    ("yolo_coder.encode", lambda: w.yolo_encoder(hold=1e-6), {"cell_border_held"}),
    ("yolo_coder.encode", lambda: w.yolo_encoder(linear=True), {"sigmoid_left_out"}),
    ("yolov1_coder.encode", lambda: w.v1_encoder(root=False), {"root_missing"}),
    ("yolov1_coder.encode", lambda: w.v1_encoder(transposed=True), {"row_and_column_swapped"}),
    ("yolov1_coder.encode", lambda: w.v1_encoder(factor=False), {"grid_size_missing"}),
    ("yolov1_coder.decode", lambda: w.v1_decoder(root=False), {"root_missing"}),
    ("yolov1_coder.decode", lambda: w.v1_decoder(half=0.5), {"centre_of_the_cell"}),
    ("yolov1_coder.decode", lambda: w.v1_decoder(swap=True), {"width_and_height_swapped"}),
    ("ltrb_coder.encode", lambda: w.ltrb_encoder(strides=False), {"stride_never"}),
    ("ltrb_coder.encode", lambda: w.ltrb_encoder(strides=True), {"stride_always"}),
    ("ltrb_coder.encode", lambda: w.ltrb_encoder(order="1032"), {"sides_as_tlbr"}),
    ("ltrb_coder.encode", lambda: w.ltrb_encoder(relu=True), {"distances_clamped"}),
    ("ltrb_coder.encode", lambda: w.ltrb_encoder(half=0.5), {"half_a_stride_off"}),
    ("ltrb_coder.decode", lambda: w.ltrb_decoder(strides=False), {"stride_never"}),
    ("ltrb_coder.decode", lambda: w.ltrb_decoder(curve="exp"), {"exp_of_distances"}),
    ("ltrb_coder.decode", lambda: w.ltrb_decoder(curve="linear"), {"distances_without_exp"}),
    ("ltrb_coder.decode", lambda: w.ltrb_decoder(order="0213"), {"sides_as_lrtb"}),
]


@pytest.mark.parametrize(("coding", "maker", "names"), WRONG, ids=[f"{c[0]}-{'+'.join(sorted(c[2]))}" for c in WRONG])
def test_named(coding: str, maker: Maker, names: set[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(w, "under_test", maker(), raising=False)
    turn = [case[1] for case in WRONG].index(maker)
    only = {"box_format": "xyxy"} if coding.startswith("delta") and names != {"boxes_given_as_xyxy"} else {}
    report = run(Request("wrong_coders:under_test", coding, dtypes=(("float32", "float64")[turn % 2],), only=only))
    assert not report["strict"], "a wrong coder was called right"
    assert report["gradient"] is not None
    found = [set(one["names"]) for one in report["deviations"]]
    assert names in found, (found, report["worst"][:2])


RIGHT = [
    ("encode_right", "delta_coder.encode"), ("decode_right", "delta_coder.decode"), ("yolo_encode_right", "yolo_coder.encode"),
    ("yolo_decode_right", "yolo_coder.decode"), ("v1_encode_right", "yolov1_coder.encode"), ("v1_decode_right", "yolov1_coder.decode"),
    ("ltrb_encode_right", "ltrb_coder.encode"), ("ltrb_decode_right", "ltrb_coder.decode"),
]  # fmt: skip


@pytest.mark.parametrize(("function", "coding"), RIGHT)
def test_right_is_called_right(function: str, coding: str) -> None:
    report = run(Request(f"wrong_coders:{function}", coding))
    assert report["strict"] and report["training"], (report["worst"], report["deviations"])
    assert report["deviations"] == [] and report["findings"] == [] and report["gradient"]["cases"] == report["cases"] > 40


def test_methods_of_classes_and_argument_names() -> None:
    """An instance is made with --init; which argument takes the boxes is said, as reference_boxes are priors elsewhere."""
    weights = (10.0, 10.0, 5.0, 5.0)
    mapping = {"reference_boxes": "boxes", "proposals": "priors"}
    report = run(
        Request("wrong_coders:Coder.encode_single", "delta_coder.encode", mapping, init={"weights": weights}, only={"weights": weights})
    )
    assert report["strict"] and report["cases"] > 50
    wrong = run(
        Request(
            "wrong_coders:Coder.encode_single",
            "delta_coder.encode",
            mapping,
            init={"weights": (1.0, 1.0, 1.0, 1.0)},
            only={"weights": weights},
        )
    )
    assert ["coder_weights_ignored"] in [one["names"] for one in wrong["deviations"]]


def test_reports_follow_the_schema(capsys: pytest.CaptureFixture[str]) -> None:
    schema = json.loads((SCHEMA.parent / "report.json").read_text("utf-8"))
    assert main(["check", "wrong_coders:ltrb_decode_right", "--as", "ltrb_coder.decode", "--json", "-"]) == 0
    jsonschema.validate(json.loads(capsys.readouterr().out), schema)
    assert main(["check", "--loss", "yolov1_coder.decode", "--backend", "formula", "--json", "-"]) == 0
    jsonschema.validate(json.loads(capsys.readouterr().out), schema)


@pytest.mark.parametrize("name", CODINGS)
def test_show_and_list(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show", name]) == 0
    out = capsys.readouterr().out
    assert "known deviations" in out and "an example" in out and CODINGS[name].owner in out and "Raises" in out
    assert main(["list"]) == 0
    assert name in capsys.readouterr().out


@pytest.mark.parametrize("name", CODINGS)
def test_own_backends_pass_and_a_hair_of_error_fails(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Formula and CPU loops; then each with its value, or its gradient, off by 1e-5."""
    report = own.check([name], ["formula", "cpu"], ["float32", "float64"])
    assert [row.verdict for row in report.rows] == ["pass", "pass"], [row.worst for row in report.rows]
    for backend in ("formula", "cpu"):
        right = BACKENDS[backend]
        for by in ((1 + 1e-5, 1), (1, 1 + 1e-5)):

            def broken(batch: Batch, compute: Any = right.compute, by: Any = by) -> Any:
                value, gradient = compute(batch)
                return value * by[0], gradient * by[1]

            monkeypatch.setitem(BACKENDS, backend, right._replace(compute=broken))
            assert own.check([name], [backend], ["float32"]).rows[0].verdict == "fail"


@pytest.mark.parametrize("name", CODINGS)
def test_vectors_are_well_formed(name: str) -> None:
    data = json.loads((FOLDER / f"{name}.json").read_text("utf-8"))
    validator = jsonschema.Draft202012Validator(json.loads(SCHEMA.read_text("utf-8")))
    assert not list(validator.iter_errors(data))
    assert not validator.is_valid({**data, "upstream": [1, 2, 3]}) and not validator.is_valid({**data, "kind": "pairs"})
    assert tuple(data["upstream"]) == UPSTREAM == vectors.load(name).upstream
    coding = CODINGS[name]
    assert [dict(g.parameters) for g in vectors.load(name).groups] == [{**coding.defaults, **setting} for setting in coding.settings]
    for group in data["groups"]:
        for dtype in ("float64", "float32", "float16", "bfloat16"):
            assert sum(dtype in case["dtypes"] for case in group["cases"]) >= 15, (group["id"], dtype)


def test_vectors_of_codings_stay_under_900_kb() -> None:
    assert sum((FOLDER / f"{name}.json").stat().st_size for name in CODINGS) < 900_000


def test_golden_numbers_have_25_digits() -> None:
    """1/30, worked by hand: the offset of a box 12 to 40 from a prior 10 to 40."""
    case = next(c for _, c in vectors.load("delta_coder.encode").cases() if c.id.endswith("box_format_xyxy/no_width"))
    assert case.value[:3] == ["0.0", "0.03333333333333333333333333", "-inf"]


def test_a_vector_that_is_off_fails(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The right coder against a vector file with one digit changed."""
    text = (FOLDER / "ltrb_coder.decode.json").read_text("utf-8")
    data = json.loads(text)
    case = next(c for c in data["groups"][0]["cases"] if c["id"].endswith("/a"))
    case["value"][2] = str(float(case["value"][2]) * (1 + 1e-5))
    (tmp_path / "ltrb_coder.decode.json").write_text(json.dumps(data), "utf-8")
    loaded = vectors.load_file(tmp_path / "ltrb_coder.decode.json")
    monkeypatch.setattr("refloss_conformance.cases.load", lambda name: loaded)
    row = own.check(["ltrb_coder.decode"], ["formula"], ["float64"]).rows[0]
    assert row.failed == 1 and row.worst[0].case.endswith("/a")


def test_the_scale_of_a_product_counts_its_upstream() -> None:
    """L = 2 u . x for the formula 2 x: the gradient 2 u does not move with x, but with u."""
    x, p = np.array([[1.0, -2.0, 3.0, 5.0]]), np.array([[1.0, 1.0, 1.0]])
    found = conditioned(lambda xp, a, b: 2 * a * b[..., :1], (x, p), {}, kind="codes", boxes=(False, False))
    np.testing.assert_allclose(found.gradient, [2 * np.array(UPSTREAM)])
    np.testing.assert_allclose(found.value_scale, 2 * 2 * np.abs(x))  # by x, and by the prior
    np.testing.assert_allclose(found.gradient_scale, [2 * 2 * np.abs(UPSTREAM)])  # by the prior, and by upstream


def test_infinite_codes_are_met_or_missed() -> None:
    """-inf passes only as -inf. A floor in its place fails strictly, and does not matter in training; NaN and +inf do."""
    batch = next(b for b in batches("delta_coder.encode", ("float32",)))
    true = batch.value.number
    missing = np.isinf(true)
    assert missing.sum() >= 3
    for instead, strict, training in ((-math.inf, False, False), (-20.0, True, False), (math.nan, True, True), (math.inf, True, True)):
        part = judge(batch, np.where(missing & (true < 0), instead, true), None, boxes=False).value
        assert part.strict.any() == strict and part.training.any() == training
        assert not part.strict[~missing].any()

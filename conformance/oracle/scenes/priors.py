"""Scenes of refloss.priors: small feature maps, every choice, 25 digits."""

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from typing import Any

from mpmath import mp

from refloss.priors.grid import Grid
from refloss_conformance.scenes import Input, Part

from .record import Answer, Ask, Deviation, Function, Scene
from .yolo import GRIDS

FLAGS = {
    "basic": ("basic", "A plain scene; a failure here is a broken rule, another order, or a broken mapping."),
    "oblong": ("edge", "Image or maps are not square: (height, width) comes in that order."),
    "choice": ("parameter", "One of the named choices that projects differ in."),
}
IMAGE = Input("plain", (), "(height, width) of the image in pixels")
MAPS = Input("plain", (), "(height, width) of each feature map in cells")
BOXES = Part("numbers", "x1, y1, x2, y2 of each prior: map after map, by row, then column, then box of the cell", 4.0)


def exact(x: Any) -> Fraction:
    """40 digits of a real number, 25 of which are written."""
    return Fraction(mp.nstr(x, 40)) if x else Fraction(0)


def numbers(rows: Sequence[Sequence[Any]]) -> Any:
    return [[exact(mp.mpf(x)) for x in row] for row in rows]


def real(x: Any) -> Any:
    return mp.mpf(x.numerator) / x.denominator if isinstance(x, Fraction) else mp.mpf(float(x))


def boxes_of(centres: Sequence[tuple[Any, Any]], shapes: Sequence[tuple[Any, Any]]) -> list[list[Any]]:
    return [[x - w / 2, y - h / 2, x + w / 2, y + h / 2] for x, y in centres for w, h in shapes]


def points(cells: Sequence[int], step: tuple[Any, Any], offset: Any) -> list[tuple[Any, Any]]:
    return [((column + offset) * step[1], (row + offset) * step[0]) for row in range(cells[0]) for column in range(cells[1])]


def both(step: Any) -> tuple[Any, Any]:
    return (real(step[0]), real(step[1])) if isinstance(step, (tuple, list)) else (real(step), real(step))


def ssd_default_boxes(
    d: Any, image_size: Any, feature_maps: Any, sizes: Any, aspect_ratios: Any, *, steps: Any = None, clip: str = "none",
    order: str = "extra_second",
) -> Any:  # fmt: skip
    """A square of s_k, one of sqrt(s_k s_{k+1}), and s_k sqrt(r) x s_k / sqrt(r) both ways for each ratio."""
    with mp.workdps(60):
        height, width = map(real, image_size)
        rows: list[list[Any]] = []
        for k, cells in enumerate(feature_maps):
            step = (height / cells[0], width / cells[1]) if steps is None else both(steps[k])
            small, large = real(sizes[k]), real(sizes[k + 1])
            wide = [(small * mp.sqrt(r), small / mp.sqrt(r)) for r in map(real, aspect_ratios[k])]
            turned = [shape for w, h in wide for shape in ((w, h), (h, w))]
            extra = (mp.sqrt(small * large),) * 2
            shapes = [(small, small), *turned, extra] if order == "extra_last" else [(small, small), extra, *turned]
            centres = points(cells, step, mp.mpf(1) / 2)
            if clip in ("size", "centre_size"):
                shapes = [(min(w, width), min(h, height)) for w, h in shapes]
            if clip == "centre_size":
                centres = [(min(x, width), min(y, height)) for x, y in centres]
            rows += boxes_of(centres, shapes)
        if clip == "corners":
            rows = [[min(max(x, 0), edge) for x, edge in zip(row, (width, height) * 2, strict=True)] for row in rows]
        return numbers(rows)


def retinanet_anchors(
    d: Any, image_size: Any, feature_maps: Any, strides: Any, sizes: Any, scales: Any, aspect_ratios: Any, *, rounding: str = "none",
    centring: str = "corner", order: str = "by_ratio",
) -> Any:  # fmt: skip
    """Area (s c)^2, h / w = r. Rounded: sides cut to whole pixels, then corners rounded, halves to even."""
    with mp.workdps(60):
        rows: list[list[Any]] = []
        for size, cells, stride in zip(sizes, feature_maps, strides, strict=True):
            pairs = [(c, r) for r in map(real, aspect_ratios) for c in map(real, scales)]
            if order == "by_scale":
                pairs = [(c, r) for c in map(real, scales) for r in map(real, aspect_ratios)]
            sides = [mp.floor(real(size) * c) if rounding == "torchvision" else real(size) * c for c, _ in pairs]
            shapes = [(s / mp.sqrt(r), s * mp.sqrt(r)) for s, (_, r) in zip(sides, pairs, strict=True)]
            if rounding == "torchvision":
                shapes = [(2 * mp.nint(w / 2), 2 * mp.nint(h / 2)) for w, h in shapes]
            rows += boxes_of(points(cells, both(stride), mp.mpf(1) / 2 if centring == "half_stride" else mp.mpf(0)), shapes)
        return numbers(rows)


def fcos_locations(d: Any, image_size: Any, feature_maps: Any, strides: Any) -> Any:
    """(floor(s / 2) + x s, floor(s / 2) + y s, s)."""
    rows = []
    for (height, width), s in zip(feature_maps, strides, strict=True):
        rows += [[s // 2 + column * s, s // 2 + row * s, s] for row in range(height) for column in range(width)]
    return numbers(rows)


def yolo_priors(d: Any, grids: Any) -> Any:
    """(column, row, width, height, stride): grid after grid, by shape, then row, then column."""
    return numbers(
        [
            [column, row, w, h, grid.stride]
            for grid in grids
            for w, h in grid.shapes
            for row in range(grid.height)
            for column in range(grid.width)
        ]
    )


def other(**parameters: Any) -> Callable[[Ask, Mapping[str, Any], Mapping[str, Any]], Answer]:
    return lambda ask, inputs, given: ask(inputs, {**given, **parameters})


def inverted(ask: Ask, inputs: Mapping[str, Any], parameters: Mapping[str, Any]) -> Answer:
    return ask({**inputs, "aspect_ratios": [1 / r for r in inputs["aspect_ratios"]]}, parameters)


def drawn_out(ask: Ask, inputs: Mapping[str, Any], parameters: Mapping[str, Any]) -> Answer:
    """Made for a square of the image's height, which is then drawn out to its width."""
    height, width = inputs["image_size"]
    steps = parameters["steps"] and [(y, x * height / width) for y, x in map(both, parameters["steps"])]
    square = ask({**inputs, "image_size": (height, height)}, {**parameters, "steps": steps})["priors"]
    wider = Fraction(width) / Fraction(height)
    return only([[x1 * wider, y1, x2 * wider, y2] for x1, y1, x2, y2 in square])


def is_choice(name: str, *values: str) -> Callable[[Mapping[str, Any]], bool]:
    return lambda parameters: parameters[name] in values


SSD_BASE = {"image_size": (32, 32), "feature_maps": ((1, 2), (1, 1)), "sizes": (10.0, 20.0, 30.0), "aspect_ratios": ((2,), (2, 3))}
RETINA_BASE = {
    "image_size": (8, 16), "feature_maps": ((1, 2), (1, 1)), "strides": (8, 16), "sizes": (32, 64),
    "scales": (1.0, 2 ** (1 / 3), 2 ** (2 / 3)), "aspect_ratios": (0.5, 1.0, 2.0),
}  # fmt: skip


def of_ssd() -> Function:
    def scene(slug: str, flag: str, more: Mapping[str, Any] | None = None, **parameters: Any) -> Scene:
        return Scene(slug, (flag,), {**SSD_BASE, **(more or {})}, parameters)

    inputs = {
        "image_size": IMAGE, "feature_maps": MAPS, "sizes": Input("plain", (), "s_k in pixels, one more than there are maps"),
        "aspect_ratios": Input("plain", (), "for each map the ratios other than 1; each gives two boxes"),
    }  # fmt: skip
    oblong = {"image_size": (24, 40), "feature_maps": ((2, 3), (1, 2)), "aspect_ratios": ((), (2,))}
    scenes = [
        scene("two_maps", "basic"),
        scene("one_map", "basic", {"feature_maps": ((3, 3),), "sizes": (8.0, 12.0), "aspect_ratios": ((1.5,),)}),
        scene("oblong", "oblong", oblong),
        scene("steps", "choice", steps=(20.0, 32.0)),
        scene("steps_of_an_oblong", "oblong", oblong, steps=((10.0, 14.0), (24.0, 20.0))),
        scene("clip_corners", "choice", clip="corners"),
        scene("clip_size", "choice", {"sizes": (10.0, 40.0, 50.0)}, clip="size"),
        scene("clip_centre_size", "choice", {"sizes": (10.0, 40.0, 50.0)}, clip="centre_size", steps=(24.0, 80.0)),
        scene("extra_last", "choice", order="extra_last"),
        scene("clip_corners_of_an_oblong", "oblong", oblong, clip="corners"),
        scene("clip_size_of_an_oblong", "oblong", {**oblong, "sizes": (30.0, 60.0, 80.0)}, clip="size"),
        scene(
            "clip_centre_size_of_an_oblong",
            "oblong",
            {**oblong, "sizes": (30.0, 60.0, 80.0)},
            clip="centre_size",
            steps=((20.0, 30.0), (48.0, 80.0)),
        ),
    ]
    deviations = (
        Deviation("clipped_to_the_image", "corners are clipped to the image", "Caffe-SSD's clip",
                  "Boxes at the border have other centres than the cells.", other(clip="corners"), is_choice("clip", "none")),
        Deviation("not_clipped", "nothing is clipped", "the authors' models", "Boxes reach beyond the image.", other(clip="none"),
                  is_choice("clip", "corners", "size", "centre_size")),
        Deviation("extra_box_last", "the box of size sqrt(s_k s_{k+1}) comes after the ratios", "TensorFlow's object detection API",
                  "Weights of one project give another project's boxes the wrong offsets.", other(order="extra_last"),
                  is_choice("order", "extra_second")),
        Deviation("extra_box_second", "the box of size sqrt(s_k s_{k+1}) comes second", "Caffe-SSD, ssd.pytorch, torchvision",
                  "Weights of one project give another project's boxes the wrong offsets.", other(order="extra_second"),
                  is_choice("order", "extra_last")),
        Deviation("sizes_follow_each_side", "widths are fractions of the image's width, and heights of its height", "torchvision",
                  "On an oblong image squares become oblong, and every ratio another one.", drawn_out),
        Deviation("steps_not_looked_at", "steps are image size / map size", "the paper, torchvision without steps",
                  "Centres are off by pixels.", other(steps=None), lambda parameters: parameters["steps"] is not None),
    )  # fmt: skip
    defaults = {"steps": None, "clip": "none", "order": "extra_second"}
    return Function("priors.ssd_default_boxes", inputs, {"priors": BOXES}, ssd_default_boxes, only, scenes, deviations, FLAGS, defaults)


def only(rows: Any) -> Answer:
    return {"priors": rows}


def of_retinanet() -> Function:
    def scene(slug: str, flag: str, more: Mapping[str, Any] | None = None, **parameters: Any) -> Scene:
        return Scene(slug, (flag,), {**RETINA_BASE, **(more or {})}, parameters)

    inputs = {
        "image_size": IMAGE, "feature_maps": MAPS, "strides": Input("plain", (), "of each map, in pixels"),
        "sizes": Input("plain", (), "of each map, the side of its square anchor of scale 1"),
        "scales": Input("plain", (), "factors of each size"), "aspect_ratios": Input("plain", (), "height / width"),
    }  # fmt: skip
    oblong = {"image_size": (24, 40), "feature_maps": ((3, 5),), "strides": (8,), "sizes": (16,), "scales": (1.0,)}
    scenes = [
        scene("two_maps", "basic"),
        scene("oblong", "oblong", oblong),
        scene("oblong_strides", "oblong", {**oblong, "feature_maps": ((2, 3),), "strides": ((12, 13),)}),
        scene("one_shape", "basic", {"scales": (1.0,), "aspect_ratios": (2.0,)}),
        scene("rounded", "choice", rounding="torchvision"),
        scene("half_stride", "choice", centring="half_stride"),
        scene("by_scale", "choice", order="by_scale"),
    ]
    deviations = (
        Deviation("anchors_rounded", "sides are cut to whole pixels, and corners rounded", "torchvision",
                  "Small anchors are off by up to a pixel: another IoU with small objects.", other(rounding="torchvision"),
                  is_choice("rounding", "none")),
        Deviation("anchors_not_rounded", "nothing is rounded", "the paper, detectron2", "None, if the weights were trained so.",
                  other(rounding="none"), is_choice("rounding", "torchvision")),
        Deviation("centred_in_cells", "the first anchor's centre is the middle of the first cell", "KerasCV, automl",
                  "Anchors are half a stride away.", other(centring="half_stride"), is_choice("centring", "corner")),
        Deviation("centred_on_corners", "the first anchor's centre is (0, 0)", "torchvision, detectron2, mmdet",
                  "Anchors are half a stride away.", other(centring="corner"), is_choice("centring", "half_stride")),
        Deviation("ordered_by_scale", "within a cell all ratios of the first scale come first", "detectron2, KerasCV",
                  "A head trained for one order reads the other one's offsets.", other(order="by_scale"), is_choice("order", "by_ratio")),
        Deviation("ordered_by_ratio", "within a cell all scales of the first ratio come first", "torchvision",
                  "A head trained for one order reads the other one's offsets.", other(order="by_ratio"), is_choice("order", "by_scale")),
        Deviation("ratio_is_width_by_height", "the aspect ratio is width / height", "TensorFlow, SSD",
                  "None with ratios that come with their reciprocals, but for the order.", inverted),
    )  # fmt: skip
    defaults = {"rounding": "none", "centring": "corner", "order": "by_ratio"}
    return Function("priors.retinanet_anchors", inputs, {"priors": BOXES}, retinanet_anchors, only, scenes, deviations, FLAGS, defaults)


def of_fcos() -> Function:
    inputs = {"image_size": IMAGE, "feature_maps": MAPS, "strides": Input("plain", (), "of each map, in whole pixels")}
    part = Part("numbers", "x, y, stride of each location: map after map, by row, then column", 0.0)

    def corners(ask: Ask, given: Mapping[str, Any], parameters: Mapping[str, Any]) -> Answer:
        return {"priors": [[x - s // 2, y - s // 2, s] for x, y, s in ask(given, parameters)["priors"]]}

    scenes = [
        Scene("two_maps", ("basic",), {"image_size": (16, 16), "feature_maps": ((2, 2), (1, 1)), "strides": (8, 16)}),
        Scene("oblong", ("oblong",), {"image_size": (16, 24), "feature_maps": ((2, 3),), "strides": (8,)}),
        Scene("odd_stride", ("basic",), {"image_size": (15, 15), "feature_maps": ((3, 3),), "strides": (5,)}),
    ]
    deviations = (
        Deviation("locations_on_corners", "locations are the cells' corners, (x s, y s)", "torchvision",
                  "Locations are half a stride away.", corners),
    )  # fmt: skip
    return Function("priors.fcos_locations", inputs, {"priors": part}, fcos_locations, only, scenes, deviations, FLAGS, {})


def of_yolo() -> Function:
    part = Part("numbers", "column, row, width, height, stride of each prior: grid after grid, by shape, then row, then column", 0.0)

    def by_cell(ask: Ask, given: Mapping[str, Any], parameters: Mapping[str, Any]) -> Answer:
        rows = []
        for grid in given["grids"]:
            mine = ask({"grids": [grid]}, parameters)["priors"]
            cells = grid.height * grid.width
            rows += [mine[a * cells + k] for k in range(cells) for a in range(len(grid.shapes))]
        return {"priors": rows}

    two = [Grid(((10.0, 13.0), (16.0, 30.0)), 8, 2, 2), Grid(((30.0, 61.0),), 16, 1, 1)]
    scenes = [
        Scene("two_grids", ("basic",), {"grids": two}),
        Scene("oblong", ("oblong",), {"grids": [Grid(((4.0, 6.5),), 8, 2, 3)]}),
    ]
    deviations = (
        Deviation("shapes_last", "by row, then column, then shape", "channels-last heads", "A head of the other layout is read crosswise.",
                  by_cell),
    )  # fmt: skip
    return Function("priors.yolo_priors", {"grids": GRIDS}, {"priors": part}, yolo_priors, only, scenes, deviations, FLAGS, {})


def functions() -> list[Function]:
    return [of_ssd(), of_retinanet(), of_fcos(), of_yolo()]

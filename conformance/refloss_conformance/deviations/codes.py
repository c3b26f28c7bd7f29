"""Deviations of the codings: what a box coder may get wrong, in either direction."""

import math
from typing import Any

from . import coders
from .record import EPSILONS, deviation

DELTA, YOLO, V1, LTRB = ((f"{name}.encode", f"{name}.decode") for name in ("delta_coder", "yolo_coder", "yolov1_coder", "ltrb_coder"))
ALL = (*DELTA, *YOLO, *V1, *LTRB)
ENCODE, DECODE = tuple(n for n in ALL if n.endswith("encode")), tuple(n for n in ALL if n.endswith("decode"))
LOGARITHMS = (*DELTA, *YOLO, *LTRB)
LIMIT = math.log(1000 / 16)


def _keyword(
    name: str, title: str, seen: str, effect: str, codings: tuple[str, ...], constants: tuple[Any, ...] = (None,), **keywords: Any
) -> None:
    """Register a deviation that is keywords of the templates; a keyword of value ... takes the constant."""

    @deviation(name, title=title, seen=seen, effect=effect, losses=codings, constants=constants, keyword=True)
    def change(base: Any, xp: Any, first: Any, second: Any, *, constant: Any = None, **parameters: Any) -> Any:
        chosen = {key: constant if value is ... else value for key, value in keywords.items()}
        return base(xp, first, second, **{**parameters, **chosen})


_OTHER_BOX = "The network learns another box than the one that was drawn."
for _format in ("xyxy", "cxcywh", "xywh", "yxyx", "xxyy"):
    _inputs = ENCODE if _format != "xyxy" else ("delta_coder.encode",)
    _results = DECODE if _format != "xyxy" else ("delta_coder.decode",)
    _keyword(
        f"coded_boxes_read_as_{_format}", f"boxes are read as {_format}", "a format flag left at its default", _OTHER_BOX, _inputs,
        reads=(_format, None),
    )  # fmt: skip
    _keyword(
        f"boxes_given_as_{_format}", f"decoded boxes are given as {_format}", "a coder that stops before the conversion, or converts twice",
        "Whatever follows compares other boxes than the predicted ones.", _results, gives=_format,
    )  # fmt: skip
    if _format != "xyxy":
        _keyword(
            f"prior_boxes_read_as_{_format}", f"priors are read as {_format}",
            "default boxes are kept as centres by some, as corners by others",
            "Offsets are measured from the wrong places in the wrong unit.", DELTA, reads=(None, _format),
        )  # fmt: skip
    if _format not in ("xyxy", "yxyx"):  # both read as yxyx: see codes_in_yxhw
        _keyword(
            f"coded_boxes_and_priors_read_as_{_format}", f"boxes and priors are read as {_format}", "a format flag left at its default",
            _OTHER_BOX, ("delta_coder.encode",), reads=(_format, _format),
        )  # fmt: skip

_keyword(
    "one_pixel_in_sizes", "1 pixel is added to widths and heights", "Fast R-CNN, the first Detectron, maskrcnn-benchmark",
    "Boxes are off by up to a pixel against coders without it; small boxes most.", DELTA, pixel=1,
)  # fmt: skip
_WEIGHTS = "The head regresses on another scale than its loss was balanced for, and weights trained with the right one decode wrongly."
_keyword(
    "variances_multiplied", "codes are multiplied by the variances (divided by the weights) where they should be divided, or the reverse",
    "ports of SSD", _WEIGHTS, DELTA, weighting="inverse",
)  # fmt: skip
_keyword("coder_weights_ignored", "weights (variances) are not used", "keras-hub, RetinaNet ports", _WEIGHTS, DELTA, weighting="ignored")
_keyword(
    "coder_weights_swapped", "the weights of centre and size are swapped", "variances in the other order", _WEIGHTS, DELTA,
    weighting="swapped",
)  # fmt: skip
_keyword("first_weight_for_all", "the first weight is used for all four", "ports with one variance", _WEIGHTS, DELTA, weighting="first")
_keyword(
    "offsets_from_the_corner", "offsets are measured from the prior's corner in place of its centre", "Caffe's CORNER codes",
    "Boxes are displaced by half a prior.", DELTA, corner=True,
)  # fmt: skip
_keyword(
    "offsets_mirrored", "offsets have the wrong sign", "prior minus box for box minus prior", "Boxes are pushed away from their objects.",
    DELTA, mirrored=True,
)  # fmt: skip
_keyword(
    "clip_missing", "sizes are not held at wh_clip", "SSD ports, mmdetection before 2.0",
    "One large code early in training gives infinite boxes, and NaN in the loss.", ("delta_coder.decode",), clip=None,
)  # fmt: skip
_keyword(
    "clip_on_both_sides", "sizes are held at wh_clip from above and at -wh_clip from below", "mmdetection",
    "None in training from sensible weights; boxes much smaller than their prior cannot be predicted.", ("delta_coder.decode",),
    clip="both",
)  # fmt: skip
_keyword(
    "default_clip", "sizes are held at ln(1000 / 16), whatever was stated", "torchvision, Detectron, mmdetection",
    "Boxes more than 62.5 times as large as their prior cannot be predicted.", ("delta_coder.decode",), clip="default",
)  # fmt: skip
_keyword(
    "default_clip_for_none", "sizes are held at ln(1000 / 16) where no limit was stated", "torchvision, whose limit has this default",
    "Boxes more than 62.5 times as large as their prior cannot be predicted.", ("delta_coder.decode",), clip="fallback",
)  # fmt: skip
_keyword(
    "codes_in_yxhw", "codes are in the order y, x, h, w", "Keras, KerasCV, TensorFlow's object detection API",
    "Heads and weights of another order decode to boxes mirrored at the diagonal.", DELTA, transposed=True,
)  # fmt: skip
_keyword(
    "clip_before_the_weights", "codes are held at wh_clip before they are divided by the weights", "home-made coders",
    "With SSD's weights boxes more than e^(wh_clip / 5) times as large as their prior cannot be predicted.", ("delta_coder.decode",),
    clip="early",
)  # fmt: skip
_keyword(
    "clip_in_encode", "the codes of sizes are held at wh_clip, too", "symmetric coders",
    "Large objects get the code of a smaller box.", ("delta_coder.encode",), clipped=True,
)  # fmt: skip

for _name, _by in (("log2", math.log(2)), ("log10", math.log(10))):
    _keyword(
        f"{_name}_in_codes", f"{_name} and its inverse in place of the natural ones", f"{_name} taken for ln",
        "Codes of sizes are on another scale; weights trained with the right one decode wrongly.", LOGARITHMS, logarithm=_by,
    )  # fmt: skip
_keyword(
    "width_and_height_swapped", "the codes of width and height are swapped", "heads that give y before x, or h before w",
    "Boxes come out turned by 90 degrees.", (*DELTA, *YOLO, *V1), turned=True,
)  # fmt: skip
_ZERO = "Boxes without width or height get a finite code and a gradient of up to 1 / eps."
_keyword(
    "sizes_floored", "sizes are held at {constant} before the logarithm", "KerasCV, Keras (1e-7), mmdetection's YOLO coder (1e-6)", _ZERO,
    ("delta_coder.encode", "yolo_coder.encode", "ltrb_coder.encode"), EPSILONS, zero=...,
)  # fmt: skip


@deviation(
    "eps_in_sizes", title="{constant} is added to sizes before the logarithm", seen="TensorFlow's object detection API (1e-8), YOLOX",
    effect="None but for tiny boxes, whose size is encoded as larger.", losses=("delta_coder.encode", "ltrb_coder.encode"),
    constants=(*EPSILONS, 1.0),
)  # fmt: skip
def eps_in_sizes(base: Any, xp: Any, first: Any, second: Any, *, constant: float, **parameters: Any) -> Any:
    return base(xp, first, second, **{**parameters, "zero": ("plus", constant)})


_keyword(
    "zero_size_differentiated", "the logarithm or root of 0 has an infinite derivative", "coders without a guard: torchvision, most ports",
    "None where codes are targets; where a loss flows through encode, one box without width or height gives NaN.", ENCODE, zero=coders.BARE,
)  # fmt: skip

_keyword(
    "exp_for_squared_sigmoid", "exp(t) for (2 sigma(t))^2", "YOLOv3's head with YOLOv5's weights; a code of 0 does not tell",
    "Sizes explode where they should stay below 4 priors.", YOLO, sizing="exp",
)  # fmt: skip
_keyword(
    "squared_sigmoid_for_exp", "(2 sigma(t))^2 for exp(t)", "YOLOv5's head with YOLOv3's weights; a code of 0 does not tell",
    "Boxes more than 4 times as large as their prior cannot be predicted.", YOLO, sizing="squared_sigmoid",
)  # fmt: skip
_keyword(
    "sigmoid_not_squared", "2 sigma(t) for (2 sigma(t))^2 or exp(t)", "home-made heads",
    "Boxes more than twice their prior cannot be predicted.",
    YOLO, sizing="sigmoid",
)  # fmt: skip
_keyword(
    "scale_xy_ignored", "sigma(t) for s sigma(t) - (s - 1) / 2: scale_xy is not used", "YOLOv3's head with YOLOv4's weights",
    "Centres near a cell's border are out of reach.", YOLO, scale="ignored",
)  # fmt: skip
_keyword(
    "scale_xy_without_shift", "s sigma(t) without - (s - 1) / 2: not centred on the cell", "ports of YOLOv4",
    "Every box is displaced by (s - 1) / 2 cells towards the lower right.", YOLO, scale="no_shift",
)  # fmt: skip
_keyword(
    "scale_xy_always_2", "2 sigma(t) - 0.5, whatever scale_xy", "YOLOv5's head for another model",
    "Offsets are larger than the weights were trained for.", YOLO, scale="two",
)  # fmt: skip
_keyword(
    "sigmoid_left_out", "the offset in the cell is the code itself, without a sigmoid",
    "coders of the sigmoid's result: mmdetection, YOLO ports",
    "Centres are not held in their cell, and weights trained with a sigmoid decode wrongly.", YOLO, linear=True,
)  # fmt: skip
_keyword(
    "sigmoid_gradient_rounded", "the derivative of the sigmoid is p (1 - p), which rounds to 0 for large codes",
    "autodiff of every framework",
    "None: what is lost is below the rounding of an ordinary gradient.", ("yolo_coder.decode",), rounded=True,
)  # fmt: skip
# Seen in gradients only: the boxes are right.
_BY_HAND = "darknet's gradients, which are handed to the codes without the whole chain rule"
for _slope, _name, _what in (
    ("no sigmoid", "sigmoid_slope_missing", "the derivative of the sigmoid"),
    ("no prior", "prior_size_missing_in_the_gradient", "the prior's width and height"),
    ("no stride", "stride_missing_in_the_gradient", "the stride"),
):  # fmt: skip
    _keyword(
        _name, f"the gradient lacks {_what}", _BY_HAND,
        "The gradient is not that of the loss: centres and sizes are learned at rates other than stated.",
        ("yolo_coder.decode",), slope=_slope,
    )  # fmt: skip
_keyword(
    "centre_of_the_cell", "offsets count from the cell's centre in place of its corner", "a grid with + 0.5",
    "Boxes are displaced by half a cell.",
    (*YOLO, *V1), half=0.5,
)  # fmt: skip
_keyword(
    "stride_missing", "centres stay in cells, sizes are in pixels", "a forgotten factor", "All boxes lie in the upper left corner.", YOLO,
    unit="none",
)  # fmt: skip
_keyword(
    "sizes_in_cells", "priors, given in pixels, are multiplied by the stride", "YOLOv2's priors are in cells, later ones in pixels",
    "Sizes are wrong by the stride.", YOLO, in_cells=True,
)  # fmt: skip
_keyword(
    "boxes_in_cells", "decoded boxes are in cells, not in pixels", "heads that decode in units of the grid",
    "Boxes are too small by the stride.",
    ("yolo_coder.decode",), unit="cells",
)  # fmt: skip
_keyword(
    "row_and_column_swapped", "row and column of the cell are swapped", "meshgrid with the other indexing",
    "Boxes lie mirrored at the diagonal; on a square image with centred objects it goes unnoticed.", (*YOLO, *V1), transposed=True,
)  # fmt: skip


@deviation(
    "cell_border_held", title="the fraction of the cell is held in [{constant}, 1 - {constant}] before the logarithm",
    seen="mmdetection's YOLO coder (1e-6)", effect="None on training, but codes at the border stay finite.", losses=("yolo_coder.encode",),
    constants=(1e-6, 1e-7, 1e-5, 1e-4, 1e-3, 1e-2, 1e-8, 1e-9, 1e-12, 1e-16),
)  # fmt: skip
def cell_border_held(base: Any, xp: Any, first: Any, second: Any, *, constant: float, border: float, **rest: Any) -> Any:
    return base(xp, first, second, border=border or constant, **rest)


_ROOT = "Large boxes weigh more in the loss than small ones with the same relative error."
_keyword("root_missing", "sizes are coded as they are, not as their square roots", "ports of YOLOv1", _ROOT, V1, root="none")
_keyword("log_for_root", "ln(w) / 2 for sqrt(w)", "a later YOLO's code", "Codes of small boxes are large and negative.", V1, root="log")
_keyword(
    "negative_roots_held", "a negative root counts as 0", "a ReLU on the head", "A box that starts with a negative root gets no gradient.",
    ("yolov1_coder.decode",), root="held",
)  # fmt: skip
_keyword(
    "grid_size_missing", "offsets are fractions of the image, not of the cell", "a forgotten factor S",
    "Boxes hardly leave their cell's corner.",
    V1, unit="none",
)  # fmt: skip
_keyword(
    "cell_missing", "the cell's column and row are not taken into account", "a forgotten term", "All boxes lie in the first cell.", V1,
    unit="no_cell",
)  # fmt: skip

_keyword(
    "stride_never", "distances are in pixels: not divided, or multiplied, by the stride", "FCOS before norm_reg_targets",
    "Coarse scales regress numbers up to 16 times as large as fine ones.", LTRB, unit="never",
)  # fmt: skip
_keyword(
    "stride_always", "distances are in strides where pixels were stated", "detectron2, torchvision, mmdetection",
    "Boxes are wrong by the stride.", LTRB, unit="always",
)  # fmt: skip
_keyword("exp_of_distances", "exp(t) for t", "FCOS's first head", "Distances cannot be 0, and explode with large codes.", LTRB, curve="exp")
_keyword(
    "distances_without_exp", "t for exp(t)", "FCOS's later head", "Distances may be negative: boxes turn inside out.", LTRB, curve="linear"
)
_keyword(
    "half_a_stride_off", "half a stride is added to locations that have it already", "grids with and without the offset",
    "Boxes are displaced by half a stride.", LTRB, half=0.5,
)  # fmt: skip
_keyword(
    "distances_clamped", "negative distances are 0", "a ReLU on the head: detectron2, torchvision", "None for locations inside their box.",
    LTRB,
    clamped=True,
)  # fmt: skip
for _order, _say in (
    ((1, 0, 3, 2), "top, left, bottom, right"), ((0, 2, 1, 3), "left, right, top, bottom"), ((2, 3, 0, 1), "right, bottom, left, top"),
):  # fmt: skip
    _keyword(
        f"sides_as_{''.join('ltrb'[j] for j in _order)}", f"the four distances are {_say}", "another order of sides",
        "Boxes are mirrored or turned about their location.", LTRB, order=_order,
    )  # fmt: skip

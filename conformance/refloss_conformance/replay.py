"""`refloss replay FILE...`: recordings of a detector's original code against the criterion that claims to compute the same."""

import itertools
import math
import pathlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from refloss import criteria
from refloss.boxes import convert
from refloss.criteria import ScaledYOLOv4, YOLOv1, YOLOv2, YOLOv3, YOLOv4
from refloss.errors import ReflossError
from refloss.priors import Grid

from . import safe
from .errors import UsageError

Array = np.ndarray[Any, Any]
LIMIT = 2e-6  # of delta, absolute; of cost, relative
INSIDE = 1e-12  # of a cell
FOLDER = pathlib.Path(__file__).parent / "recordings"
LARGEST_FILE = 50_000_000
CHANNELS = ("x", "y", "w", "h", "objectness")
BOX_LOSSES = {"mse": "squares", "iou": "iou", "giou": "giou", "diou": "diou", "ciou": "ciou"}


@dataclass(frozen=True)
class Replayed:
    """One case: the largest difference in delta with where it is, and the relative one in cost."""

    name: str
    system: str
    delta: float
    where: str
    cost: float

    @property
    def passed(self) -> bool:
        return self.delta <= LIMIT and self.cost <= LIMIT


@dataclass(frozen=True)
class Prepared:
    """A case as a criterion takes it, and its gradient as the recording has it."""

    criterion: criteria.Criterion
    outputs: Any
    targets: list[dict[str, Any]]
    as_recorded: Callable[[Any], Array]
    channel: Callable[[tuple[int, ...]], str]


def load(path: str) -> list[dict[str, Any]]:
    """The cases of a file."""
    file = pathlib.Path(path)
    try:
        cases = safe.read(file, safe.Bounds(LARGEST_FILE, depth=16, values=5_000_000))
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({error.strerror})") from None
    except safe.Unsafe as error:
        raise UsageError(f"{path}: {error}") from None
    if not isinstance(cases, list) or not cases or not all(isinstance(case, dict) for case in cases):
        raise UsageError(f"{path}: a recording is a list of cases, not empty")
    return cases


def replay(case: Mapping[str, Any], path: str) -> Replayed:
    """One case, in float64."""
    name = f"{path}: {case.get('name', 'a case without a name')}"
    try:
        system, shape = case["system"], tuple(case["shape"])
        if system not in SYSTEMS:
            raise UsageError(f"{name}: unknown system {system!r}; there are {', '.join(SYSTEMS)}")
        raw, wanted = (_numbers(name, case, key, shape) for key in ("raw", "delta"))
        prepared = SYSTEMS[system](case["params"], raw, case["truth"])
        cost = float(case["cost"])
    except (KeyError, TypeError, IndexError, ValueError, ZeroDivisionError) as error:
        if isinstance(error, (UsageError, ReflossError)):
            raise
        raise UsageError(f"{name}: is damaged ({type(error).__name__}: {error})") from None
    _, gradient = prepared.criterion.value_and_grad(prepared.outputs, prepared.targets)
    delta = -prepared.as_recorded(gradient)
    apart = np.abs(delta - wanted)
    apart = np.where(np.isnan(apart), np.inf, apart)
    at = tuple(int(k) for k in np.unravel_index(int(np.argmax(apart)), apart.shape))
    where = f"{prepared.channel(at)}: {delta[at]:.9g} for {wanted[at]:.9g}"
    total = float((delta**2).sum())
    relative = abs(total - cost) / abs(cost) if cost else abs(total)
    return Replayed(str(case["name"]), system, float(apart[at]), where, relative if math.isfinite(relative) else math.inf)


def _numbers(name: str, case: Mapping[str, Any], key: str, shape: tuple[int, ...]) -> Array:
    """As the float32 numbers that were printed."""
    values = np.asarray(case[key], np.float32).astype(np.float64)
    if values.size != math.prod(shape):
        raise UsageError(f"{name}: {key} has {values.size} numbers, its shape {list(shape)} asks for {math.prod(shape)}")
    return values.reshape(shape)


def _only(params: Mapping[str, Any], **supported: Any) -> None:
    for key, value in supported.items():
        if params.get(key, value) != value:
            raise UsageError(f"{key}={params[key]!r} is not covered; only {value!r} is")


def _targets(boxes: Any, labels: Sequence[int], width: float, height: float) -> dict[str, Any]:
    rows = np.asarray(boxes, np.float64).reshape(-1, 4) * [width, height, width, height]
    return {"gt_boxes": convert(rows, "cxcywh", "xyxy"), "gt_labels": np.asarray(labels, np.int64)}


def held(offset: float) -> float:
    """An offset that no later rounding moves out of its cell."""
    return min(max(float(offset), INSIDE), 1 - INSIDE)


def _in_cells(boxes: Sequence[Any], cells: Sequence[int]) -> Array:
    """Rows (x, y, w, h) whose centre lies, in float64 too, in the cell that float32 arithmetic finds: darknet's int(x W)."""
    rows = np.asarray(boxes, np.float32).reshape(-1, 4)
    exact = rows.astype(np.float64)
    for k, count in enumerate(cells):
        cell = np.floor(rows[:, k] * np.float32(count)).astype(np.float64)
        inside = np.clip(exact[:, k], (cell + INSIDE) / count, (cell + 1 - INSIDE) / count)
        exact[:, k] = np.where((cell < count) & (exact[:, k] > 0), inside, exact[:, k])
    return exact


def _channel(at: tuple[int, ...]) -> str:
    image, anchor, k, row, column = at
    what = CHANNELS[k] if k < len(CHANNELS) else f"class {k - len(CHANNELS)}"
    return f"{what} of image {image}, anchor {anchor}, row {row}, column {column}"


def _yolov1(params: Mapping[str, Any], raw: Array, truth: Sequence[Any]) -> Prepared:
    side, boxes, classes = params["side"], params["num"], params["classes"]
    _only(params, softmax=0)
    cells, images = side * side, len(raw)
    ends = np.cumsum([0, cells * classes, cells * boxes, cells * boxes * 4])
    size = 64 * side  # any

    def as_head(flat: Array) -> Array:
        scores, confidence, places = (flat[:, a:b] for a, b in itertools.pairwise(ends))
        five = np.concatenate([places.reshape(images, cells, boxes, 4), confidence.reshape(images, cells, boxes, 1)], axis=3)
        whole = np.concatenate([five.reshape(images, cells, -1), scores.reshape(images, cells, classes)], axis=2)
        return whole.reshape(images, side, side, -1)

    def as_recorded(head: Array) -> Array:
        rows = head.reshape(images, cells, -1)
        five = rows[..., : 5 * boxes].reshape(images, cells, boxes, 5)
        parts = (rows[..., 5 * boxes :], five[..., 4], five[..., :4])
        return np.concatenate([part.reshape(images, -1) for part in parts], axis=1)

    def channel(at: tuple[int, ...]) -> str:
        part = int(np.searchsorted(ends, at[1], side="right")) - 1
        return f"{('class score', 'confidence', 'box')[part]} {at[1] - int(ends[part])} of image {at[0]}"

    targets = []
    for cells_of_image in truth:
        rows = [((t["col"] + held(t["offset_x"])) / side, (t["row"] + held(t["offset_y"])) / side, t["w"], t["h"]) for t in cells_of_image]
        targets.append(_targets(rows, [t["label"] for t in cells_of_image], size, size))
    criterion = YOLOv1(
        classes, size, grid=side, boxes=boxes, dialect="darknet", coordinate_weight=params["coord_scale"],
        no_object_weight=params["noobject_scale"], object_weight=params["object_scale"], class_weight=params["class_scale"],
        iou_as_confidence=bool(params["rescore"]), square_roots=bool(params["sqrt"]), outside="keep", smallest=0.0,
    )  # fmt: skip
    return Prepared(criterion, as_head(raw), targets, as_recorded, channel)


def _yolov2(params: Mapping[str, Any], raw: Array, truth: Sequence[Any]) -> Prepared:
    stride, (height, width) = 32, raw.shape[3:]
    grid = Grid(tuple((w * stride, h * stride) for w, h in params["anchors_cells"]), stride, height, width)
    criterion = YOLOv2(
        params["classes"], (grid,), dialect="darknet", ignore_threshold=params["thresh"], coordinate_weight=params["coord_scale"],
        object_weight=params["object_scale"], no_object_weight=params["noobject_scale"], class_weight=params["class_scale"],
        iou_as_objectness=bool(params["rescore"]), softmax=bool(params["softmax"]),
        match="prior" if params["bias_match"] else "predicted", images_seen=params["images_seen"], outside="keep",
    )  # fmt: skip
    targets = [_targets(_in_cells(t["boxes_cxcywh"], (width, height)), t["labels"], width * stride, height * stride) for t in truth]
    return Prepared(criterion, [raw], targets, lambda gradient: np.asarray(gradient[0]), _channel)


def _layer(make: Callable[..., criteria.Criterion]) -> Callable[..., Prepared]:
    """One yolo layer: grids for all anchors of the network, of which those in `mask` are the layer's and have outputs."""

    def prepare(params: Mapping[str, Any], raw: Array, truth: Sequence[Any]) -> Prepared:
        _only(params, truth_thresh=1.0, focal_loss=0)
        (net_height, net_width), (height, width) = params["net_size_hw"], raw.shape[3:]
        stride = net_width // width
        if (height * stride, width * stride) != (net_height, net_width):
            raise UsageError(f"a grid of {height} x {width} cells does not divide {net_height} x {net_width} pixels into squares")
        shapes, mask = [tuple(shape) for shape in params["anchors_px"]], list(params["mask"])
        runs: list[list[int]] = []  # anchors in order; those that follow one another in the layer too share a grid, as in its memory
        for k in range(len(shapes)):
            follows = k in mask and k - 1 in mask and mask.index(k) == mask.index(k - 1) + 1
            runs = [*runs[:-1], [*runs[-1], k]] if follows else [*runs, [k]]
        grids = [Grid(tuple(shapes[k] for k in run), stride, height, width) for run in runs]
        others = np.full_like(raw[:, :1], 0.5)
        outputs = [raw[:, [mask.index(k) for k in run]] if run[0] in mask else others for run in runs]
        targets = [_targets(_in_cells(t["boxes_cxcywh"], (width, height)), t["labels"], net_width, net_height) for t in truth]
        criterion = make(params, grids)

        def as_recorded(gradient: Any) -> Array:
            layer = np.empty_like(raw)
            for run, part in zip(runs, gradient, strict=True):
                if run[0] in mask:
                    layer[:, [mask.index(k) for k in run]] = part
            return layer

        return Prepared(criterion, outputs, targets, as_recorded, _channel)

    return prepare


def _yolov3(params: Mapping[str, Any], grids: list[Grid]) -> YOLOv3:
    return YOLOv3(params["classes"], grids, dialect="darknet", ignore_threshold=params["ignore_thresh"], outside="keep")


def _yolov4(params: Mapping[str, Any], grids: list[Grid]) -> YOLOv4:
    common: dict[str, Any] = {
        "dialect": "darknet", "iou_threshold": params["iou_thresh"], "ignore_threshold": params["ignore_thresh"],
        "box_loss": BOX_LOSSES[params["iou_loss"]], "box_weight": params["iou_normalizer"],
        "objectness_weight": params["obj_normalizer"], "label_smoothing": params["label_smooth_eps"],
        "iou_as_objectness": bool(params["objectness_smooth"]), "max_delta": params["max_delta"], "outside": "keep",
    }  # fmt: skip
    if params["new_coords"]:
        return ScaledYOLOv4(params["classes"], grids, scale_xy=params["scale_x_y"], balance=(1.0,) * len(grids), **common)
    return YOLOv4(params["classes"], grids, scale_xy=(params["scale_x_y"],) * len(grids), **common)


SYSTEMS: dict[str, Callable[..., Prepared]] = {
    "yolov1": _yolov1, "yolov2": _yolov2, "yolov3": _layer(_yolov3), "yolov4": _layer(_yolov4), "scaled_yolov4": _layer(_yolov4),
}  # fmt: skip


def run(paths: Sequence[str]) -> list[Replayed]:
    """Every case of every file; the recordings that come with the package where no file is named."""
    files = list(paths) or sorted(str(path) for path in FOLDER.glob("*.json"))
    return [replay(case, path) for path in files for case in load(path)]

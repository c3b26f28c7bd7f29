"""Error over input as inline SVG: logarithmic in the error, dots for cases that pass, crosses for those that fail."""

import math
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any

from .markup import e
from .words import LIMIT, count, eps, figure, limit, real

WIDTH, HEIGHT = 340, 208
LEFT, RIGHT, TOP, BOTTOM = 44, 332, 24, 172
LOWEST = -2.0  # decades of eps; smaller errors are drawn there
WHOLE = {"float64": 2.0**52, "float32": 2.0**23, "float16": 2.0**10, "bfloat16": 2.0**7}  # eps in 1: an error of 100 %
Scale = Callable[[float], float]


# The cross of a failing case, drawn at the corners of a path that is itself not drawn: a third of the bytes.
CROSS = (
    '<svg width="0" height="0" aria-hidden="true" class="marks"><marker id="cross" viewBox="-4 -4 8 8" markerWidth="8" markerHeight="8" '
    'markerUnits="userSpaceOnUse"><path class="cross" d="M-3-3L3 3M3-3L-3 3"/></marker></svg>'
)


def plots(report: Mapping[str, Any]) -> str:
    found = "".join(plot(one, limit(report)) for one in report.get("plots", ()))
    return f'<div class="plots">{found}</div>' if found else ""


def plot(data: Mapping[str, Any], most: float = LIMIT) -> str:
    """One figure. Points are [x, error in eps, 1 if it fails]."""
    points = [(real(one[0]), real(one[1]), bool(one[2])) for one in data["points"] if isinstance(one, list) and len(one) == 3]
    points = [point for point in points if not math.isnan(point[0])]
    if not points:
        return ""
    finite = [math.log10(error) for _, error, _ in points if 0 < error < math.inf]
    whole = math.log10(WHOLE.get(str(data["dtype"]), 2.0**52))
    top = float(min(max(math.ceil(max(finite, default=0)), 3), math.ceil(whole) + 2))
    x_of, x_ticks = _across([x for x, _, _ in points])

    def y_of(error: float) -> float:
        if not math.isfinite(error):
            return TOP - 12
        decade = math.log10(error) if error > 0 else LOWEST
        return BOTTOM - (min(max(decade, LOWEST), top) - LOWEST) / (top - LOWEST) * (BOTTOM - TOP)

    broken = any(not math.isfinite(error) for _, error, _ in points)
    marks = "".join(f"M{x:.0f} {BOTTOM}v4" for x, _ in x_ticks)
    parts = [
        f'<path class="axis" d="M{LEFT} {TOP}V{BOTTOM}H{RIGHT}{marks}"/>',
        *_y_axis(y_of, top, most, broken, max(finite, default=0) > top),
    ]
    parts.append('<g class="x">' + "".join(f'<text x="{x:.0f}" y="{BOTTOM + 15}">{label}</text>' for x, label in x_ticks))
    parts.append(f'<text x="{(LEFT + RIGHT) // 2}" y="{HEIGHT - 5}">{e(data["x"])}</text></g>')
    places = sorted({(2 * round(x_of(x) / 2), 2 * round(y_of(error) / 2), failed) for x, error, failed in points})
    dots, crosses = ([(x, y) for x, y, failed in places if failed == wanted] for wanted in (False, True))
    parts.append(f'<path class="dot" d="{"".join(f"m{step}h0" for step in _steps(dots))}"/>' if dots else "")
    parts.append(f'<path class="bad" d="m{" ".join(_steps(crosses))}"/>' if crosses else "")
    if whole <= top:
        y = y_of(10.0**whole)
        parts.append(f'<path class="whole" d="M{LEFT} {y:.0f}H{RIGHT}"/><text class="over" x="{RIGHT}" y="{y - 3:.0f}">100 % off</text>')
    failing = sum(failed for _, _, failed in points)
    worst_x, worst, _ = max(points, key=lambda point: math.inf if math.isnan(point[1]) else point[1])
    said = f"{count(len(points), 'point')}, {failing} of them failing; the worst of them, {eps(worst)}, at {figure(worst_x)}"
    label = f"{data['what']} in {data['dtype']}: error in eps over {data['x']}. {said}."
    head = f"<b>{e(data['what'])}</b>, {e(data['dtype'])}: error in eps"
    svg = f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{e(label)}">{"".join(parts)}</svg>'
    return f"<figure><figcaption>{head}</figcaption>{svg}</figure>"


def _steps(places: Sequence[tuple[int, int]]) -> list[str]:
    """Each place from the one before it: half the bytes."""
    return [f"{x - a} {y - b}".replace(" -", "-") for (a, b), (x, y) in pairwise([(0, 0), *places])]


def _y_axis(y_of: Scale, top: float, most: float, broken: bool, beyond: bool) -> list[str]:
    labels = [(y_of(most), str(most))]
    lines = ""
    step = max(1, math.ceil((top - LOWEST) / 6))
    decades = [int(LOWEST), *range(int(top), int(LOWEST) + step - 1, -step)][::-1]
    for decade in (one for one in decades if abs(one - math.log10(most)) > step * 0.45):
        label = "≤0.01" if decade == LOWEST else f"≥{_power(decade)}" if beyond and decade == top else _power(decade)
        labels.append((y_of(10.0**decade), label))
        lines += f"M{LEFT} {y_of(10.0**decade):.0f}H{RIGHT}"
    labels += [(TOP - 12, "NaN, inf")] if broken else []
    shown = "".join(f'<text x="{LEFT - 5}" y="{y + 3:.0f}">{label}</text>' for y, label in labels)
    return [f'<path class="grid" d="{lines}"/><path class="limit" d="M{LEFT} {y_of(most):.0f}H{RIGHT}"/><g class="y">{shown}</g>']


def _across(values: Sequence[float]) -> tuple[Scale, list[tuple[float, str]]]:
    """Place and ticks along the inputs: linear, or logarithmic on both sides of 0 where they span decades."""
    finite = [x for x in values if math.isfinite(x)] or [0.0]
    low, high = min(finite), max(finite)
    sizes = sorted(abs(x) for x in finite if x)
    typical = sizes[len(sizes) // 2] if sizes else 1.0
    if sizes and sizes[-1] > 50 * typical:
        unit = 10.0 ** math.floor(math.log10(typical))
        bend: Scale = lambda x: math.copysign(math.log10(1 + abs(x) / unit), x)  # noqa: E731
        most = max(math.floor(math.log10(max(abs(low), abs(high)))), 0)
        step = max(1, math.ceil((most - math.log10(unit) + 1) / 3))
        decades = [10.0**k for k in range(most, math.floor(math.log10(unit)) - 1, -step)]
        ticks = [sign * size for sign in (-1, 1) for size in decades if low <= sign * size <= high] + [0.0] * (low <= 0 <= high)
    else:
        bend = lambda x: x  # noqa: E731
        ticks = _round_ticks(low, high)
    first, last = bend(low), bend(high)

    def place(x: float) -> float:
        share = (bend(min(max(x, low), high)) - first) / (last - first) if last > first else 0.5
        return LEFT + 6 + share * (RIGHT - LEFT - 12)

    placed = sorted((place(x), _power(math.log10(abs(x)), x < 0) if abs(x) >= 1e4 else f"{x:g}") for x in ticks)
    kept = placed[:1] + [b for a, b in pairwise(placed) if b[0] - a[0] > 18]
    return place, kept


def _round_ticks(low: float, high: float) -> list[float]:
    if high <= low:
        return [low]
    step = 10.0 ** math.floor(math.log10((high - low) / 2))
    step = next(s for s in (step * 5, step * 2.5, step * 2, step) if (high - low) / s >= 3) if (high - low) / step >= 3 else step / 2
    return [float(f"{k * step:.6g}") for k in range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1)]


def _power(decade: float, negative: bool = False) -> str:
    sign = "-" if negative else ""
    return f"{sign}1e{decade:.0f}" if abs(decade) > 3 else f"{sign}{10.0**decade:g}"

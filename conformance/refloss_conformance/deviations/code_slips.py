"""Slips of the pen where codings read their boxes and give them back: centres, sizes and corners."""

from typing import Any

from .code_steps import COLUMN, DELTA, HOW, OTHER, V1, WHERE, YOLO, by_corners, code, of, per
from .steps import combined

# Centres and sizes of boxes that are given by corners
_centre = {
    "the sum of the edges, without / 2": lambda a, c: a + c,
    "a quarter of the sum": lambda a, c: (a + c) / 4,
    "half the difference": lambda a, c: (a - c) / 2,
    "half the first edge": lambda a, c: a / 2,
    "half the second edge": lambda a, c: c / 2,
    "the first edge": lambda a, c: a,
    "the second edge": lambda a, c: c,
    "twice the sum": lambda a, c: (a + c) * 2,
    "2 / the sum": lambda a, c: 2 / (a + c),
}
_length = {
    "the sum of the edges": lambda a, c: a + c,
    "the second edge": lambda a, c: c,
    "minus the first edge": lambda a, c: -a,
    "the difference with the other sign": lambda a, c: a - c,
}


def _of_edges(kinds: dict[str, Any], places: tuple[str, ...]) -> dict[str, Any]:
    words: dict[str, Any] = {}
    for whose in ("boxes", "priors", "boxes and priors"):
        for word, f in kinds.items():
            for name in (*places, " and ".join(places)):
                chosen = tuple(p for p in places if p in name)

                def step(numbers: str, usual: str, f: Any = f) -> Any:
                    def edge(w: Any, place: str) -> Any:
                        corners = w.loss in DELTA if numbers == "second" else by_corners(w)
                        j = COLUMN[place] % 2
                        return f(getattr(w, numbers)[..., j], getattr(w, numbers)[..., j + 2]) if corners else w.usual(f"{usual}_{place}")

                    return edge

                parts = [per("box", step("first", "box"), chosen)] if "boxes" in whose else []
                parts += [per("prior", step("second", "prior"), chosen)] if "priors" in whose else []
                words[f"{name} of {whose} is {word}"] = combined(*parts)
    return words


_ENCODERS = ("delta_coder.encode", "yolo_coder.encode", "yolov1_coder.encode")


def _offered(words: dict[str, Any], priors: bool) -> dict[str, Any]:
    return {word: steps for word, steps in words.items() if priors == ("priors" in word)}


for _name, _kinds, _places in (("centre_otherwise", _centre, WHERE), ("length_otherwise", _length, HOW)):
    _words = _of_edges(_kinds, _places)
    code(_name, "{constant}", _offered(_words, False), _ENCODERS)
    code(f"{_name}_of_priors", "{constant}", {word: steps for word, steps in _words.items() if "of priors" in word}, DELTA)
    code(f"{_name}_of_both", "{constant}", {word: steps for word, steps in _words.items() if "boxes and priors" in word}, DELTA[:1])


# Corners of a centre and a size, at the end of decoding
_CORNERS = {"x1": ("x", "w", -1), "y1": ("y", "h", -1), "x2": ("x", "w", 1), "y2": ("y", "h", 1)}
_corner: dict[str, Any] = {}
for _edge, (_c, _s, _sign) in _CORNERS.items():
    for _word, _keep, _by in (
        ("the centre", 1, 0.0),
        ("without the centre", 0, 0.5),
        ("on the other side", 1, -0.5),
        ("a whole size away", 1, 1.0),
        ("a quarter of the size away", 1, 0.25),
        ("two sizes away", 1, 2.0),
        ("the other side of 0", -1, -0.5),
    ):
        _corner[f"{_edge} is {_word}"] = {
            _edge: lambda w, c=_c, s=_s, k=_keep, f=_sign * _by: k * of(w, "given", c) + f * of(w, "given", s)
        }
    _corner[f"{_edge} has the size of the other axis"] = {
        _edge: lambda w, c=_c, s=_s, f=_sign / 2: of(w, "given", c) + f * of(w, "given", OTHER[s])
    }
    _corner[f"{_edge} has the centre of the other axis"] = {
        _edge: lambda w, c=_c, s=_s, f=_sign / 2: of(w, "given", OTHER[c]) + f * of(w, "given", s)
    }
_corner["all are a whole size away"] = {
    e: lambda w, c=c, s=s, f=f: of(w, "given", c) + f * of(w, "given", s) for e, (c, s, f) in _CORNERS.items()
}
code("corner_otherwise", "of the decoded corners {constant}", _corner, (DELTA[1], YOLO[1], V1[1]))

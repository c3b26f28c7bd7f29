"""Slips of the pen in the YOLO coders, and numbers that are read from the wrong place."""

from .code_steps import COLUMN, DELTA, HOW, OTHER, PLACES, V1, WHERE, YOLO, code, each, of, per

code(
    "cell_forgotten",
    "the cell is {constant}",
    {
        f"{word} in {where}": steps
        for word, f in (
            ("forgotten", lambda c: 0 * c),
            ("added for subtracted, or subtracted for added", lambda c: -c),
            ("one too high", lambda c: c + 1),
        )
        for where, steps in each("prior", lambda w, p, f=f: f(w.second[..., COLUMN[p]]), WHERE).items()
    },
    (*YOLO, *V1),
)
code(
    "stride_otherwise",
    "the stride is {constant}",
    {
        "not used": {"stride": lambda w: w.second[..., 4] * 0 + 1},
        "divided by for multiplied by, or the reverse": {"stride": lambda w: 1 / w.second[..., 4]},
    },
    YOLO,
)
code(
    "shift_otherwise",
    "(s - 1) / 2 is {constant}",
    {
        "s - 1": {"shift": lambda w: w.scale_xy - 1},
        "(s - 1) / 4": {"shift": lambda w: (w.scale_xy - 1) / 4},
        "(s + 1) / 2": {"shift": lambda w: (w.scale_xy + 1) / 2},
        "s / 2": {"shift": lambda w: w.scale_xy / 2},
        "(1 - s) / 2": {"shift": lambda w: (1 - w.scale_xy) / 2},
        "2 (s - 1)": {"shift": lambda w: 2 * (w.scale_xy - 1)},
        "-1 / 2": {"shift": lambda w: -0.5},
        "0.5": {"shift": lambda w: 0.5},
        "(s - 2) / 2": {"shift": lambda w: (w.scale_xy - 2) / 2},
    },
    YOLO,
)
code(
    "grid_size_otherwise",
    "the grid's size is {constant}",
    {
        "not used": {"cells": lambda w: w.second[..., 2] * 0 + 1},
        "divided by for multiplied by, or the reverse": {"cells": lambda w: 1 / w.second[..., 2]},
    },
    V1,
)
code(
    "prior_size_of_the_other_side",
    "{constant} by the other side of the prior",
    {
        "widths are measured": per("prior", lambda w, p: w.second[..., COLUMN[OTHER[p]]], ("w",)),
        "heights are measured": per("prior", lambda w, p: w.second[..., COLUMN[OTHER[p]]], ("h",)),
    },
    YOLO,
)
code(
    "prior_size_otherwise",
    "the prior's size {constant}",
    {
        f"{word} in {where}": steps
        for word, f in (("is not used", lambda s: 0 * s + 1), ("is divided by for multiplied by, or the reverse", lambda s: 1 / s))
        for where, steps in each("prior", lambda w, p, f=f: f(w.second[..., COLUMN[p]]), HOW).items()
    },
    YOLO,
)
_SIGMOIDS = (
    ("2 sigma(t)^2", lambda s: 2 * s * s),
    ("16 sigma(t)^2", lambda s: 16 * s * s),
    ("sigma(t)^2", lambda s: s * s),
    ("4 sigma(t)", lambda s: 4 * s),
    ("(1 - 2 sigma(t))^2", lambda s: (1 - 2 * s) ** 2),
    ("4", lambda s: 0 * s + 4),
)
code(
    "squared_sigmoid_otherwise",
    "4 sigma(t)^2 is {constant}",
    {
        f"{word} in {where}": steps
        for word, f in _SIGMOIDS
        for where, steps in each(
            "growth", lambda w, p, f=f: w.usual(f"growth_{p}") if w.size == "exp" else f(w.xp.sigmoid(of(w, "number", p))), HOW
        ).items()
    },
    YOLO[1:],
)
code(
    "exp_otherwise",
    "exp(t) is {constant}",
    {
        f"{word} in {where}": steps
        for word, f in (
            ("t", lambda xp, t: t),
            ("1 + t", lambda xp, t: 1 + t),
            ("exp(-t)", lambda xp, t: xp.exp(-t)),
            ("sigma(t)", lambda xp, t: xp.sigmoid(t)),
        )
        for where, steps in each(
            "growth", lambda w, p, f=f: f(w.xp, of(w, "number", p)) if w.size == "exp" else w.usual(f"growth_{p}"), HOW
        ).items()
    },
    YOLO[1:],
)
code(
    "root_otherwise",
    "sqrt(w) is {constant}",
    {
        f"{word} in {where}": steps
        for word, f in (
            ("w", lambda xp, v: v),
            ("w^2", lambda xp, v: v * v),
            ("sqrt(w) / 2", lambda xp, v: xp.sqrt(v) / 2),
            ("-sqrt(w)", lambda xp, v: -xp.sqrt(v)),
        )
        for where, steps in each("v1_size", lambda w, p, f=f: f(w.xp, of(w, "box", p)), HOW).items()
    },
    V1[:1],
)
code(
    "square_of_root_otherwise",
    "t^2 is {constant}",
    {
        f"{word} in {where}": steps
        for word, f in (
            ("t", lambda xp, v: v),
            ("2 t", lambda xp, v: 2 * v),
            ("|t|", lambda xp, v: xp.abs(v)),
            ("1", lambda xp, v: 0 * v + 1),
            ("t^4", lambda xp, v: v * v * v * v),
        )
        for where, steps in each("v1_grown", lambda w, p, f=f: f(w.xp, of(w, "number", p)), HOW).items()
    },
    V1[1:],
)
_mixed = {
    f"{p} of the boxes is {word}": {
        f"box_{p}": lambda w, p=p, i=i, j=j: (w.first[..., i] + w.first[..., j]) / 2 if p in "xy" else w.first[..., j] - w.first[..., i]
    }
    for p, usual in (("x", (0, 2)), ("y", (1, 3)), ("w", (0, 2)), ("h", (1, 3)))
    for i, j, word in (
        (usual[0] ^ 1, usual[1], "of the other axis' first edge"),
        (usual[0], usual[1] ^ 1, "of the other axis' second edge"),
        (usual[1], usual[1], "of its second edge twice"),
        (usual[0], usual[0], "of its first edge twice"),
    )
}
code("edges_mixed", "{constant}", _mixed, (YOLO[0], V1[0]))
code(
    "numbers_mixed",
    "the code of {constant}",
    {
        f"{p} is read from {PLACES[COLUMN[p] ^ flip]}": per("number", lambda w, q, flip=flip: w.first[..., COLUMN[q] ^ flip], (p,))
        for p in PLACES
        for flip in (1, 2)
    },
    (DELTA[1], YOLO[1], V1[1]),
)
code(
    "prior_numbers_mixed",
    "{constant} of the cell or prior",
    {
        f"{p} is {PLACES[COLUMN[p] ^ flip]}": per("prior", lambda w, q, flip=flip: w.second[..., COLUMN[q] ^ flip], (p,))
        for p in PLACES
        for flip in (1, 2)
    },
    YOLO,
)

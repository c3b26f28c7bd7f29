"""Slips of the pen in the delta coder."""

import math

from .code_steps import AXIS, COLUMN, DELTA, HOW, OTHER, PLACES, WHERE, code, each, of, per
from .coders import log_of

_D, _E = DELTA[1:], DELTA[:1]
code(
    "offset_by_the_other_side",
    "offsets are {constant}",
    {
        f"{word} along {where}": steps
        for word, step in (
            ("measured by the other side", lambda w, p: of(w, "prior", AXIS[OTHER[p]])),
            ("not divided or multiplied by the prior's size", lambda w, p: of(w, "prior", AXIS[p]) * 0 + 1),
            ("divided for multiplied, or multiplied for divided", lambda w, p: 1 / of(w, "prior", AXIS[p])),
        )
        for where, steps in each("unit", step, WHERE).items()
    },
    DELTA,
)
code(
    "size_by_the_other_side",
    "sizes are {constant}",
    {
        f"{word} in {where}": steps
        for word, step in (
            ("measured by the other side", lambda w, p: of(w, "prior", OTHER[p])),
            ("not measured by the prior's size", lambda w, p: of(w, "prior", p) * 0 + 1),
            ("divided for multiplied", lambda w, p: 1 / of(w, "prior", p)),
        )
        for where, steps in each("unit", step, HOW).items()
    },
    DELTA,
)
code("offset_by_the_own_side", "offsets are divided by the box's own size", per("unit", lambda w, p: of(w, "box", AXIS[p]), WHERE), _E)
code(
    "offset_otherwise",
    "box - prior is {constant}",
    {
        f"{word} in {where}": steps
        for word, f in (
            ("prior - box", lambda b, p: p - b),
            ("box + prior", lambda b, p: b + p),
            ("box", lambda b, p: b),
            ("-prior", lambda b, p: -p),
        )
        for where, steps in each("offset", lambda w, p, f=f: f(of(w, "box", p), of(w, "prior", p)), WHERE).items()
    },
    _E,
)
code(
    "ratio_otherwise",
    "ln(w / prior) is {constant}",
    {
        f"{word} in {where}": steps
        for word, f in (
            ("ln(prior / w)", lambda xp, a, b: log_of(xp, b, a)),
            ("w / prior", lambda xp, a, b: a / b),
            ("ln w", lambda xp, a, b: log_of(xp, a, b / b)),
            ("w / prior - 1", lambda xp, a, b: a / b - 1),
            ("ln(w / prior) / ln 10", lambda xp, a, b: log_of(xp, a, b) / math.log(10)),
            ("ln(w prior)", lambda xp, a, b: log_of(xp, a * b, b / b)),
            ("ln(1 + w / prior)", lambda xp, a, b: xp.log(1 + a / b)),
            ("w - prior", lambda xp, a, b: a - b),
        )
        for where, steps in each("size_code", lambda w, p, f=f: f(w.xp, of(w, "box", p), of(w, "unit", p)), HOW).items()
    },
    _E,
)
code(
    "weights_of_one",
    "{constant}",
    {
        **{f"the weight of {p} is not used": per("weight", lambda w, q: 1, (p,)) for p in PLACES},
        **{
            f"{p} is divided for multiplied, or multiplied for divided, by its weight": per(
                "weight", lambda w, q: 1 / w.weights[COLUMN[q]], (p,)
            )
            for p in PLACES
        },
        **{
            f"the weight of {p} is that of {PLACES[COLUMN[p] ^ flip]}": per(
                "weight", lambda w, q, flip=flip: w.weights[COLUMN[q] ^ flip], (p,)
            )
            for p in PLACES
            for flip in (1, 2)
        },
    },
    DELTA,
)
code(
    "clip_otherwise",
    "wh_clip {constant}",
    {
        "holds only widths": {"held_h": lambda w: w.unweighted_h},
        "holds only heights": {"held_w": lambda w: w.unweighted_w},
        "is a lower limit of widths": {
            "held_w": lambda w: w.unweighted_w if w.wh_clip is None else w.xp.maximum(w.unweighted_w, w.wh_clip)
        },
        "is a lower limit of heights": {
            "held_h": lambda w: w.unweighted_h if w.wh_clip is None else w.xp.maximum(w.unweighted_h, w.wh_clip)
        },
        "is a lower limit": per(
            "held", lambda w, p: of(w, "unweighted", p) if w.wh_clip is None else w.xp.maximum(of(w, "unweighted", p), w.wh_clip), HOW
        ),
        "takes the place of widths": {"held_w": lambda w: w.unweighted_w if w.wh_clip is None else w.wh_clip + 0 * w.unweighted_w},
        "takes the place of heights": {"held_h": lambda w: w.unweighted_h if w.wh_clip is None else w.wh_clip + 0 * w.unweighted_h},
    },
    _D,
)
code(
    "move_otherwise",
    "prior + d prior_w is {constant}",
    {
        f"{word} in {where}": steps
        for word, f in (
            ("prior - d prior_w", lambda x, d, s: x - d * s),
            ("prior", lambda x, d, s: x + 0 * d),
            ("d prior_w", lambda x, d, s: d * s),
            ("prior + d", lambda x, d, s: x + d + 0 * s),
            ("prior + prior_w", lambda x, d, s: x + s + 0 * d),
            ("prior + d / prior_w", lambda x, d, s: x + d / s),
        )
        for where, steps in each(
            "moved", lambda w, p, f=f: f(of(w, "prior", p), of(w, "unweighted", p), of(w, "prior", AXIS[p])), WHERE
        ).items()
    },
    _D,
)
code(
    "growth_otherwise",
    "prior_w exp(d) is {constant}",
    {
        f"{word} in {where}": steps
        for word, f in (
            ("prior_w d", lambda xp, s, d: s * d),
            ("prior_w (1 + d)", lambda xp, s, d: s * (1 + d)),
            ("prior_w / exp(d)", lambda xp, s, d: s * xp.exp(-d)),
            ("exp(d)", lambda xp, s, d: xp.exp(d)),
            ("prior_w", lambda xp, s, d: s + 0 * d),
            ("prior_w + d", lambda xp, s, d: s + d),
        )
        for where, steps in each("grown", lambda w, p, f=f: f(w.xp, of(w, "prior", p), of(w, "held", p)), HOW).items()
    },
    _D,
)

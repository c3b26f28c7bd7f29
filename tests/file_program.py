"""The smooth L1 loss for a folder made by `refloss export`, as it would be done elsewhere: the standard library only.

`python file_program.py FOLDER decimal|hex|short|huber` reads FOLDER/README.txt's files and writes the answers.
"""

import json
import math
import pathlib
import sys


def smooth(p: float, t: float, beta: float) -> tuple[float, float]:
    d = p - t
    if abs(d) < beta:
        return 0.5 * d * (d / beta), d / beta
    return abs(d) - 0.5 * beta, math.copysign(1, d) if d else 0.0


def main(folder: str, manner: str) -> None:
    place = pathlib.Path(folder)
    for batch in json.loads((place / "manifest.json").read_text())["batches"]:
        given = json.loads((place / "inputs" / f"{batch['name']}.json").read_text())
        beta = batch["parameters"]["beta"]
        pairs = zip(*(map(float.fromhex, given["hex"][name]) for name in ("predictions", "targets")), strict=True)
        found = [smooth(p, t, beta) for p, t in pairs]
        if manner == "huber":
            found = [(value * beta, slope * beta) for value, slope in found]
        written = {"decimal": repr, "hex": float.hex, "short": lambda x: f"{x:.4g}", "huber": float}[manner]
        answers = {"values": [written(v) for v, _ in found], "gradients": [written(g) for _, g in found]}
        (place / "answers" / f"{batch['name']}.json").write_text(json.dumps(answers))


if __name__ == "__main__":
    main(*sys.argv[1:])

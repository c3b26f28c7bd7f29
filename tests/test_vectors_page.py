"""What vectors/README.md promises to readers in other languages: all fields, its example, and its way to read numbers."""

import json
import pathlib
import re
import shutil
import subprocess
from fractions import Fraction
from typing import Any

import pytest

from refloss_conformance import scenes
from refloss_conformance.vectors import FOLDER, SCHEMA, errors_in_eps

PAGE = (FOLDER / "README.md").read_text("utf-8")
TEXTS = sorted(set(re.findall(r'"(-?0x[^"]+)"', "".join(path.read_text("utf-8") for path in sorted(FOLDER.glob("*.json"))))))


def fields(page: str) -> set[str]:
    """Names in the first column of a table."""
    return {name for line in page.splitlines() if line.startswith("| `") for name in re.findall(r"`([a-z0-9_]+)`", line.split("|")[1])}


def test_every_field_of_the_files_is_on_its_page() -> None:
    schema = json.loads(SCHEMA.read_text("utf-8"))
    wanted = {*schema["properties"], *schema["$defs"]["group"]["properties"], *schema["$defs"]["case"]["properties"]}
    assert wanted <= fields(PAGE), wanted - fields(PAGE)
    schema = json.loads(scenes.SCHEMA.read_text("utf-8"))
    wanted = {*schema["properties"], *schema["$defs"]["scene"]["properties"]}
    page = (scenes.FOLDER / "README.md").read_text("utf-8")
    assert wanted <= fields(page), wanted - fields(page)


def test_the_case_by_hand() -> None:
    """Once more with fractions, and the numbers that the page prints."""
    data = json.loads((FOLDER / "giou_loss.json").read_text("utf-8"))
    case = next(c for g in data["groups"] for c in g["cases"] if c["id"] == "giou_loss/box_format_xyxy-eps_0/overlap_thin")
    (a, b, c, d), (t, u, v, w) = ([Fraction(float.fromhex(x)) for x in case["inputs"][name]] for name in ("boxes", "target_boxes"))
    assert [float(x) for x in (a, b, c, d, t, u, v, w)] == [0.25, 0.25, 0.5, 0.75, 0.375, 0.125, 0.625, 0.875]
    inter, hull = (min(c, v) - max(a, t)) * (min(d, w) - max(b, u)), (max(c, v) - min(a, t)) * (max(d, w) - min(b, u))
    union = (c - a) * (d - b) + (v - t) * (w - u) - inter
    loss, slope = 2 - inter / union - union / hull, Fraction(-1, 2) + Fraction(16, 9) - Fraction(64, 27)
    assert (loss, slope, inter, union, hull) == (Fraction(31, 36), Fraction(-59, 54), Fraction(1, 16), Fraction(1, 4), Fraction(9, 32))
    assert abs(Fraction(case["value"]) - loss) < Fraction(1, 10**24) and abs(Fraction(case["gradient"][0]) - slope) < Fraction(1, 10**23)
    for text in (case["value"], case["gradient"][0], case["value_scale"], case["gradient_scale"][0], "0.13 eps", "0.40 eps", "1.6e5 eps"):
        assert text in PAGE
    scales = float(case["value_scale"]), float(case["gradient_scale"][0])
    assert f"{float(errors_in_eps(0.8611112, 31 / 36, scales[0], 'float32')):.2f}" == "0.13"
    assert f"{float(errors_in_eps(-1.0925932, -59 / 54, scales[1], 'float32')):.2f}" == "0.40"
    assert f"{float(errors_in_eps(0.75, 31 / 36, scales[0], 'float32')):.1e}" == "1.6e+05"


def test_hexadecimal_texts_in_javascript() -> None:
    """The page's function on every text in the files: the bits that Python reads."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("there is no node here")
    (code,) = re.findall(r"```js\n(.*?)```", PAGE, re.DOTALL)
    script = f"{code}\nconst texts = JSON.parse(require('fs').readFileSync(0, 'utf8'));\nconsole.log(JSON.stringify(texts.map(hexFloat)));"
    done = subprocess.run([node, "-e", script], input=json.dumps(TEXTS), capture_output=True, text=True, check=True)
    read: list[Any] = json.loads(done.stdout)
    assert len(TEXTS) > 1000
    assert [text for text, number in zip(TEXTS, read, strict=True) if float(number) != float.fromhex(text)] == []


def test_links_lead_somewhere() -> None:
    for page in (FOLDER / "README.md", scenes.FOLDER / "README.md", pathlib.Path(__file__).parents[1] / "conformance" / "README.md"):
        for link in re.findall(r"\]\(([^)#]+)", page.read_text("utf-8")):
            assert link.startswith("http") or (page.parent / link).exists(), f"{page.name}: {link}"

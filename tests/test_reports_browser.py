"""The page in a real browser without a network: nothing asked for, nothing complained about, nothing wider than a telephone."""

import html as escaping
import json
import os
import pathlib
import re
import shutil
import subprocess
from typing import Any

import pytest
from report_inputs import absent, evil, failing, own, passing, replay, scenes, trifling

from refloss_conformance.reports import html

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
BROWSER = next((path for name in NAMES if (path := shutil.which(name))), None)
pytestmark = pytest.mark.skipif(BROWSER is None, reason=f"no browser here: none of {', '.join(NAMES)} is on the path")

# A page around the page: what it looks like at a width, and after its reader has done something.
DRIVER = """<!DOCTYPE html><meta charset="utf-8"><body>
<iframe id="narrow" {sandbox} style="width: 420px; height: 900px" srcdoc="{page}"></iframe>
<iframe id="wide" {sandbox} style="width: 1400px; height: 900px" srcdoc="{page}"></iframe><pre id="out"></pre>
<script>
addEventListener("load", () => {{
  const out = {{}};
  for (const id of ["narrow", "wide"]) {{
    const frame = document.getElementById(id), page = frame.contentDocument, root = page.documentElement;
    const seen = (selector) => [...page.querySelectorAll(selector)].filter((part) => part.getClientRects().length).length;
    const one = out[id] = {{ checks: seen(".check"), lines: seen(".list tbody tr") }};
    one.over = Math.max(root.scrollWidth, page.body.scrollWidth) - root.clientWidth;
    one.requests = frame.contentWindow.performance.getEntriesByType("resource").length;
    one.scripts = page.scripts.length;
    one.copy = seen("button.copy");
    one.controls = seen(".controls");
    const text = page.getElementById("filter"), verdict = page.getElementById("verdict");
    if (one.controls) {{
      text.value = "DIOU eps_in";
      text.dispatchEvent(new frame.contentWindow.Event("input"));
      one.filtered = [seen(".check"), seen(".list tbody tr"), page.getElementById("shown").textContent];
      text.value = "";
      text.dispatchEvent(new frame.contentWindow.Event("input"));
      verdict.value = "pass";
      verdict.dispatchEvent(new frame.contentWindow.Event("change"));
      one.passing = [seen(".check"), seen(".list tbody tr"), seen("[data-group] > h2")];
      verdict.value = "";
      verdict.dispatchEvent(new frame.contentWindow.Event("change"));
      const column = () => [...page.querySelectorAll(".list tbody tr")].map((row) => row.children[4].textContent);
      const button = page.querySelectorAll(".list thead button")[4];
      button.click();
      one.sorted = column();
      button.click();
      one.reversed = [column(), button.closest("th").getAttribute("aria-sort")];
    }}
  }}
  document.getElementById("out").textContent = JSON.stringify(out);
}});
</script>"""


def browse(path: pathlib.Path, *options: str) -> tuple[str, str]:
    """The page after it was loaded, and what was written on its console. No name of a host means anything."""
    line = [
        str(BROWSER), "--headless", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-component-update",
        "--host-resolver-rules=MAP * ~NOTFOUND", f"--user-data-dir={path.parent / 'profile'}", "--enable-logging=stderr", "--v=0",
        "--virtual-time-budget=3000", *(["--no-sandbox"] if os.geteuid() == 0 else []), *options, "--dump-dom", path.as_uri(),
    ]  # fmt: skip
    done = subprocess.run(line, capture_output=True, timeout=120, check=True, encoding="utf-8", errors="replace")
    return done.stdout, "\n".join(text for text in done.stderr.splitlines() if "CONSOLE" in text)


def measured(page: str, folder: pathlib.Path, scripts: bool = True) -> dict[str, Any]:
    driver = folder / "driver.html"
    sandbox = "" if scripts else 'sandbox="allow-same-origin"'
    driver.write_text(DRIVER.format(page=escaping.escape(page), sandbox=sandbox), "utf-8")
    dom, console = browse(driver)
    assert not [line for line in console.splitlines() if scripts or "Blocked script execution" not in line]
    found = re.search(r'<pre id="out">(.*?)</pre>', dom)
    assert found
    return dict(json.loads(escaping.unescape(found[1])))


def test_a_page_of_several(tmp_path: pathlib.Path) -> None:
    far = failing(loss="diou_loss", callable=f"{'a_very_long_name.' * 20}:loss", package="b" * 300, command="refloss check " + "x" * 500)
    documents = [failing(), passing(loss="giou_loss"), far, trifling(loss="iou_loss"), scenes(), absent(), replay("a"),
                 own(("l1_loss", "cpu", "pass"))]  # fmt: skip
    found = measured(html(documents), tmp_path)
    for width, one in found.items():
        assert (width, one["over"], one["requests"], one["scripts"]) == (width, 0, 0, 1)
        assert (one["checks"], one["lines"], one["copy"]) == (6, 8, 6)
        assert one["filtered"] == [1, 1, "1 of 8 checks"]
        assert one["passing"] == [1, 3, 1]
        assert one["sorted"] == ["", "0", "0", "0", "1", "1", "2", "2"]
        assert one["reversed"] == [one["sorted"][::-1], "descending"]


@pytest.mark.parametrize("documents", [failing(), evil(), [evil(), passing()]], ids=["one", "evil", "evil in a list"])
def test_other_pages(documents: Any, tmp_path: pathlib.Path) -> None:
    for one in measured(html(documents), tmp_path).values():
        assert (one["over"], one["requests"], one["scripts"]) == (0, 0, 1)


def test_without_script_everything_is_there(tmp_path: pathlib.Path) -> None:
    page = html([failing(), passing(loss="giou_loss")])
    for one in measured(page, tmp_path, scripts=False).values():
        assert (one["over"], one["requests"], one["checks"], one["lines"]) == (0, 0, 2, 2)
        assert (one["controls"], one["copy"]) == (0, 0)


def test_a_picture_can_be_taken(tmp_path: pathlib.Path) -> None:
    path, picture = tmp_path / "page.html", tmp_path / "page.png"
    path.write_text(html(failing()), "utf-8")
    line = [str(BROWSER), "--headless", "--disable-gpu", "--no-first-run", "--window-size=1400,900", f"--user-data-dir={tmp_path / 'p'}",
            *(["--no-sandbox"] if os.geteuid() == 0 else []), f"--screenshot={picture}", path.as_uri()]  # fmt: skip
    subprocess.run(line, capture_output=True, timeout=120, check=True)
    data = picture.read_bytes()
    assert data.startswith(b"\x89PNG") and len(data) > 20_000  # an empty page of this size has 5 kB

"""The page: complete in itself, escaped, and readable for who does not see it."""

import base64
import hashlib
import itertools
import math
import re
from html.parser import HTMLParser
from typing import Any

import pytest
from report_inputs import EVIL, absent, criteria, evil, failing, own, passing, replay, scenes, trifling

from refloss_conformance.reports import html, merge
from refloss_conformance.reports.markup import e, link
from refloss_conformance.reports.plots import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH, plot

VOID = {"meta", "link", "br", "wbr", "input"}
SVG_VOID = {"path"}
ALL = [
    failing(),
    trifling(loss="diou_loss"),
    passing(loss="giou_loss"),
    scenes(),
    criteria(),
    absent(),
    own(("l1_loss", "cpu", "fail")),
    replay("a"),
]


class Page(HTMLParser):
    """Elements with their attributes and texts; every element that opens is closed in its turn."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[str, list[str]] = {}
        self.open: list[str] = []
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        assert len(dict(attrs)) == len(attrs)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in SVG_VOID
        self.found.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.setdefault(self.open[-1] if self.open else "", []).append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.found if name == tag]


def test_it_is_complete_in_itself() -> None:
    page = Page(html(ALL, "All"))
    for tag, attributes in page.found:
        assert tag not in ("img", "iframe", "object", "embed", "base", "audio", "video", "use", "image") and "src" not in attributes
        assert not any(name.startswith("on") or name == "style" for name in attributes)
        where = attributes.get("href") or "#"
        assert where.startswith("#") or where == "data:," or (tag == "a" and where == "https://example.org/7")
    assert "url(" not in "".join(page.texts["style"]).replace("url(#cross)", "") and "@import" not in "".join(page.texts["style"])


def test_it_allows_itself_only_its_own_script_and_style() -> None:
    page = Page(html(failing()))
    policy = next(str(one["content"]) for one in page.all("meta") if one.get("http-equiv") == "Content-Security-Policy")
    assert policy.startswith("default-src 'none';") and "unsafe" not in policy
    for tag in ("style", "script"):
        assert len(page.all(tag)) == len(page.texts[tag]) == 1
        checksum = base64.b64encode(hashlib.sha256(page.texts[tag][0].encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{checksum}'" in policy


@pytest.mark.parametrize("documents", [evil(), [evil(), passing()]], ids=["one", "several"])
def test_nothing_from_outside_becomes_an_element(documents: Any) -> None:
    text = html(documents)
    page, plain = Page(text), Page(html([failing(), passing(loss="diou_loss")] if isinstance(documents, list) else failing()))
    assert len(page.all("script")) == 1 and "alert(1)" not in page.texts["script"][0]
    assert not any(name.startswith("on") for _, attributes in page.found for name in attributes)
    assert {tag for tag, _ in page.found} <= {tag for tag, _ in plain.found} | {"ul", "li", "h4"}
    assert not any(str(one.get("href")).startswith("javascript") for one in page.all("a"))
    assert not re.search("[\x00-\x08\x1b\u202e]", text) and "<script>alert(1)</script>" in "".join(page.texts["h3"])


def test_links_lead_to_the_web_or_are_none() -> None:
    assert link("https://example.org/?a=1&b=2", "x") == '<a href="https://example.org/?a=1&amp;b=2" rel="noreferrer noopener">x</a>'
    for bad in (
        "javascript:alert(1)",
        " javascript:alert(1)",
        "data:text/html,x",
        "//example.org",
        'https://x" onclick="y',
        "file:///etc",
        None,
    ):
        assert "href" not in link(bad, "x") and "<a" not in link(bad, "x")
    assert e(EVIL).count("<") == 0


def test_tables_have_headings_and_verdicts_have_words() -> None:
    page = Page(html(ALL))
    assert all(one.get("scope") in ("col", "row") for one in page.all("th"))
    assert len(page.all("caption")) == len(page.all("table"))
    assert all(one.get("role") == "img" and one.get("aria-label") for one in page.all("svg") if "viewbox" in one)
    assert page.all("html") == [{"lang": "en"}] and len(page.all("h1")) == 1
    said = page.texts["b"]  # the cells of the matrix
    assert {"pass", "training only", "fail", "not run"} <= set(said)
    ids = [one["id"] for _, one in page.found if "id" in one]
    assert len(set(ids)) == len(ids) and {str(one["href"])[1:] for one in page.all("a") if str(one["href"]).startswith("#")} <= set(ids)
    words = {"pass", "training only", "fail", "not run", "eps", "deviation", "interpretation", "plots"}
    assert words == set(page.texts["dt"])


def test_what_a_reader_needs_is_there() -> None:
    text = re.sub("<wbr>", "", html(failing()))
    for part in (
        "<title>mine:loss as ciou_loss</title>", "1 fail.", "<pre>refloss check mine:loss --as ciou_loss</pre>",
        "1e-07 is added to the union", "Small objects get a weak gradient.", "2 of 4 fail", "gradient NaN",
        "Boxes that are far apart.", "Ran 1 of 2 parameter settings",
        "a=boxes, b=target_boxes", "interpretation 1", "explains all 2 failing cases",
    ):  # fmt: skip
        assert part in text, part
    assert html(failing()) == html(failing())
    expected = {"file": "known.toml", "matched": 2, "stale": ["entry 3"], "unexpected": []}
    assert "2 failures expected by" in html(failing(expected=expected)) and "stale: entry 3" in html(failing(expected=expected))
    assert "as expected" in html([failing(expected={**expected, "stale": []}), passing(loss="diou_loss")])
    assert "as expected" not in html([failing(expected=expected), passing(loss="diou_loss")])
    assert "as expected" not in html([passing(expected={**expected, "matched": 0, "stale": []}), passing(loss="diou_loss")])
    lost = [{"id": str(i), "dtype": "float32", "status": "hung", "reason": "no answer", "link": None} for i in range(3)]
    assert "3 cases hung: no answer" in html(passing(unanswered=lost))


def test_a_later_run_replaces_an_earlier_one_on_the_page() -> None:
    assert html([failing(), passing()]) == html(merge([passing()]))


def test_forty_implementations_stay_small() -> None:
    points = [[x / 7, abs(math.sin(x)) * 10.0 ** (x % 12), int(x % 12 > 2)] for x in range(-150, 150)]
    plots = [
        {"what": what, "dtype": dtype, "x": "logit", "points": points} for what in ("value", "gradient") for dtype in ("float32", "float64")
    ]
    worst = failing()["worst"] * 5
    documents = [
        failing(package=f"package_{k}", command=f"refloss check p{k}:f --as ciou_loss", plots=plots, worst=worst) for k in range(40)
    ]
    text = html(documents)
    assert 500_000 < len(text) < 2_000_000 and text.count('class="check"') == 40


def drawn(points: list[list[Any]], dtype: str = "float32") -> tuple[list[tuple[float, float]], list[tuple[float, float]], str]:
    """Where the dots and crosses of a plot are."""
    text = plot({"what": "value", "dtype": dtype, "x": "logit", "points": points})
    found = [re.search(rf'class="{kind}" d="(.*?)"', text) for kind in ("dot", "bad")]
    dots, crosses = (places(one[1]) if one else [] for one in found)
    for x, y in dots + crosses:
        assert 0 <= x <= WIDTH and 0 <= y <= HEIGHT
    return dots, crosses, text


def places(path: str) -> list[tuple[float, float]]:
    """The corners of a path of relative steps."""
    steps = [int(number) for number in re.findall(r"-?\d+", path.replace("h0", ""))]
    return list(zip(itertools.accumulate(steps[::2]), itertools.accumulate(steps[1::2]), strict=True))


def test_points_are_where_their_numbers_are() -> None:
    dots, crosses, text = drawn([[0.0, 0.01, 0], [1.0, 1.0, 0], [2.0, 100.0, 1], [4.0, 1000.0, 1]])
    assert [x for x, _ in dots + crosses] == pytest.approx([LEFT + 6, LEFT + 75, LEFT + 144, RIGHT - 6], abs=1.5)  # linear
    assert [y for _, y in dots + crosses] == pytest.approx([BOTTOM, BOTTOM - 2 * 29.6, BOTTOM - 4 * 29.6, TOP], abs=1.5)  # decades
    limit = float(re.search(r'class="limit" d="M\d+ (\d+)H', text)[1])  # type: ignore[index]
    assert crosses[0][1] < limit < dots[1][1]
    assert "4 points, 2 of them failing; the worst of them, 1.0e3 eps, at 4" in text


def test_points_out_of_all_bounds() -> None:
    dots, crosses, text = drawn(
        [[-1e30, "nan", 1], [0.0, 0.0, 0], [3.0, 1e300, 1], ["inf", 2.0, 0], ["nan", 1.0, 0], [5.0, "inf", 1], [1], "x"]
    )
    assert len(dots) == 2 and len(crosses) == 3 and "NaN, inf" in text and "≥" in text and "NaN or infinite, at" in text
    assert drawn([[1.0, 0.0, 0]])[0] and plot({"what": "value", "dtype": "float32", "x": "", "points": []}) == ""
    wide = drawn([[-1e4, 1.0, 0], [-10.0, 1.0, 0], [0.0, 1.0, 0], [3.0, 1.0, 0], [10.0, 1.0, 0], [1e4, 1.0, 0]])[0]
    assert len(wide) == 6
    steps = [b[0] - a[0] for a, b in itertools.pairwise(wide)]
    assert min(steps) > 5  # logarithmic on both sides
    assert "100 % off" in drawn([[0.0, 1e8, 1]])[2] and "100 % off" not in drawn([[0.0, 1e8, 1]], "float64")[2]

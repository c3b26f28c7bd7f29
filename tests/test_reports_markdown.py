"""Markdown: the verdict first, tables that stay tables, and no text that becomes markup."""

import re
from typing import Any

import pytest
from report_inputs import absent, criteria, evil, failing, own, passing, replay, scenes, trifling

from refloss_conformance.reports import markdown, merge
from refloss_conformance.reports.markdown import code, text


def tables(page: str) -> list[list[str]]:
    """Rows of each table, and every row has as many cells as its head."""
    found: list[list[str]] = []
    for before, line in zip(["", *page.splitlines()], page.splitlines(), strict=False):
        if line.startswith("|"):
            found = found if before.startswith("|") else [*found, []]
            found[-1].append(line)
    for rows in found:
        assert len({len(re.findall(r"(?<!\\)\|", row)) for row in rows}) == 1
    return found


@pytest.mark.parametrize(("document", "head"), [
    (passing(), "## mine:loss as `ciou_loss`: pass"), (failing(), "## mine:loss as `ciou_loss`: fail"),
    (trifling(), "## mine:loss as `ciou_loss`: training only"), (scenes(), "## mine:match as `assign.ssd`: fail"),
    (absent(), "## Gone as `focal_loss`: not run"),
])  # fmt: skip
def test_the_verdict_comes_first(document: dict[str, Any], head: str) -> None:
    page = markdown(document)
    assert page.splitlines()[0] == head
    assert page.endswith("\n") and "\n\n\n" not in page
    tables(page)


def test_what_a_reader_needs_is_there() -> None:
    page = markdown(failing())
    for part in (
        "`eps_in_the_union (1e-07)` explains all 2 failing cases", "1e-07 is added to the union. Small objects get a weak gradient.",
        "Seen in: somewhere", "| gradient | 4 | 2 of 4 fail | 1 of 4 fail | 97.5, and 1 NaN or infinite |", "gradient NaN",
        "`[nan, 0, 0, 0]` | `[0.25, 0, 0, 0]`", "1 of 2 parameter settings", "interpretation 1",
        "\n    refloss check mine:loss --as ciou_loss\n",
    ):  # fmt: skip
        assert part in page
    said = markdown(scenes())
    assert "3 of 4 answers are right" in said and "gt_index [1]" in said and "1 skipped" in said and "No known deviation" in said
    said = markdown(criteria())
    assert (
        "as `criteria.retinanet`: fail" in said
        and "wrong boxes and total; gradient of boxes, number 7" in said
        and "1 of 3 answers are right" in said
    )
    unknown = {"text": "Nothing known does this.", "facts": ["Only gradients fail."]}
    assert "Only gradients fail." in markdown(failing(deviations=[], known="unknown", unknown=unknown))
    expected = {"file": "known.toml", "matched": 2, "stale": ["entry 3"], "unexpected": ["a"]}
    assert "Expected by `known.toml`: 2; not expected: 1." in markdown(failing(expected=expected))


def test_several_have_a_table_and_a_section_each() -> None:
    whole = merge(
        [failing(), passing(loss="diou_loss"), scenes(), own(("l1_loss", "cpu", "fail"), absent=("cuda",)), replay("a"), absent()]
    )
    page = markdown(whole, "All of ours")
    assert page.startswith("# All of ours\n\n**2 pass, 3 fail, 1 not run**: 6 checks")
    for link in re.findall(r"\]\(#(check-\d+)\)", page):
        assert page.count(f'<a id="{link}"></a>') == 1
    assert page.count("To see it again") == 3 and "- not run: cuda: no NVIDIA GPU, or no driver" in page
    assert "l1_loss/a float32 value: 12 eps, limit 4.0" in page
    assert len(tables(page)) > 6


def test_nothing_becomes_markup() -> None:
    for document in (evil(), merge([evil(), passing()])):
        page = markdown(document)
        plain = re.sub(r"\\[^\w\s]", "", page)  # what is escaped changes nothing, nor what is in spans and blocks of code
        outside = re.sub(r"(`+).*?\1|^    .*$", "", plain, flags=re.MULTILINE)
        assert not re.search(r"(?<!\\)<(?!br>|a id=|/a>)", outside) and not re.search(r"(?<!\\)\]\((?!#check-)", outside)
        assert "\x00" not in page and "\x1b" not in page and "\u202e" not in page
        tables(page)


def test_escapes() -> None:
    assert text("a_b *c* _d_ [e](f) <g> h|i\nj") == r"a_b \*c\* \_d\_ \[e\](f) \<g\> h\|i j"
    assert code("a`b|c") == r"``a`b\|c``" and code("`") == "`` ` ``" and code("") == "``"

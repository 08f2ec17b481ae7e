"""What every page must have, whatever runs it is about."""

import re
from collections.abc import Callable
from html import unescape

import pytest

from lmdistill.records.record import find_records
from lmdistill.report.html import report_html
from tests.browser.reports import REPORTS

TABLE = re.compile(r"<table.*?</table>", re.DOTALL)
FIGURE = re.compile(r"<figure>.*?</figure>", re.DOTALL)
LINK = re.compile(r'<a href="#([^"]+)">')
ALL_KINDS = ("Quality and cost", "Curves", "the run", "Environment", "Details", "tokens")
PARTS = {
    "run": (*ALL_KINDS, "Accuracy by class", "Accuracy by length", "loss by term", "reliability", "disagree most", "same answer"),
    "study": (*ALL_KINDS, "Confidence intervals and tests", "Quality and latency", "Sensitivity"),
    "language": (*ALL_KINDS, "by text length", "preceding tokens", "reliability", "disagree most", "agreement with"),
    "languages": (*ALL_KINDS, "by text length", "preceding tokens", "Confidence intervals and tests", "p against SFT"),
}  # fmt: skip
"""What the reader of each page is to find."""


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], str]:
    made: dict[str, str] = {}

    def page(name: str) -> str:
        if name not in made:
            folder = tmp_path_factory.mktemp(name)
            REPORTS[name](folder)
            made[name] = report_html(find_records([folder]))
        return made[name]

    return page


def unlinked(table: str, *, above: bool = False) -> list[str]:
    """Numbers of a table that lead nowhere: not by themselves, not by their row, not by their column."""
    titles = re.findall(r"<th scope=\"col\">(.*?)</th>", table)[1:]
    found = []
    for row in re.findall(r"<tr><th scope=\"row\">.*?</tr>", table, re.DOTALL):
        by_row = LINK.search(row.partition("</th>")[0]) is not None
        for title, cell in zip(titles, re.findall(r"<td>(.*?)</td>", row, re.DOTALL), strict=True):
            if re.search(r"\d", cell) and not (above or by_row or LINK.search(cell) or LINK.search(title)):
                found.append(f"{title}: {cell}")
    return found


@pytest.mark.parametrize("name", REPORTS)
def test_every_number_of_a_table_leads_to_a_record(name: str, pages: Callable[[str], str]) -> None:
    page = pages(name)
    places = set(re.findall(r'\bid="([^"]+)"', page))
    assert set(LINK.findall(page)) <= places
    for figure in FIGURE.findall(page):
        heading = figure.partition("<div")[0]
        assert unlinked(figure, above=LINK.search(heading) is not None) == [], heading
    tables = TABLE.findall(FIGURE.sub("", page.rpartition("Runs of each row")[0] or page))
    assert len(tables) >= 2
    assert [unlinked(table) for table in tables] == [[]] * len(tables)


@pytest.mark.parametrize("name", REPORTS)
def test_every_picture_has_words_and_its_numbers(name: str, pages: Callable[[str], str]) -> None:
    figures = FIGURE.findall(pages(name))
    assert len(figures) >= 4
    for figure in figures:
        words = re.search(r'role="img" aria-label="([^"]+)"', figure)
        assert words is not None
        assert len(unescape(words[1]).split()) >= 5
        assert figure.count("<td>") >= 2


@pytest.mark.parametrize("name", PARTS)
def test_every_page_has_the_parts_that_were_asked_for(name: str, pages: Callable[[str], str]) -> None:
    page = pages(name)
    head = page[page.index("<main>") : page.index("<table")]
    assert re.search(r"trained on (sst2|stories) with a teacher|runs compare", head)
    assert '<p class="lead"><a href="#' in head
    assert [part for part in PARTS[name] if part not in page] == []


def test_the_check_sees_a_number_that_leads_nowhere() -> None:
    table = '<tr><th scope="col"></th><th scope="col">a</th></tr><tr><th scope="row">KD</th><td>{}</td></tr>'
    assert unlinked(table.format("1.5")) == ["a: 1.5"]
    assert unlinked(table.format('<a href="#x">1.5</a>')) == unlinked(table.format("–")) == []


def test_a_page_shows_few_disagreements_and_hides_the_others(pages: Callable[[str], str]) -> None:
    part = pages("language").partition("disagree most</h2>")[2].partition("<h2>")[0]
    shown, _, hidden = part.partition("<details>")
    assert (shown.count('class="entry"'), hidden.count('class="entry"')) == (5, 15)
    assert "15 more" in hidden

"""Pages and pictures made from records: the same twice, others with other records."""

import csv
import re
from pathlib import Path

import pytest

from docs.build import paths
from docs.build.csv_rounding import same_table
from docs.build.figures import figures, pictures, write_figures
from docs.build.paper_tables import WRITTEN, write_tables
from docs.make import made
from lmdistill.report.plots.standalone_svg import standalone
from tests.docs.fake_claims import CLAIM, ask, runs
from tests.docs.pages import PAGES, REPO
from tests.report.plots.test_representations import mapped
from tests.report.studies import cell

PAGE = "".join(
    f"<!-- {kind} -->\n<!-- /{kind.split()[0]} -->\n"
    for kind in (
        "verdicts",
        "claims mixkd",
        "overview study",
        "costs study",
        "seeds study",
        "separation study",
        "figures study latency",
    )
)


def test_a_page_is_the_same_twice_and_changes_with_a_record(repository: Path) -> None:
    ask(repository, CLAIM)
    empty = made(PAGE)
    assert empty.count(paths.LATER) == 5
    runs(repository, tmkd=0.95, kd=0.55)
    page = made(PAGE)
    assert made(page) == page != empty
    assert "figures/study-sst2-latency.svg" in page
    cell(repository / "results" / "study", "KD", 0.65, seed=1)
    assert made(page) != page


def test_maps_have_a_file_for_each_network_and_a_table_of_what_they_rest_on(repository: Path) -> None:
    ask(repository, CLAIM)
    mapped(repository / "results" / "study", "KD")
    page = made(PAGE.replace("latency", "map-of"))
    assert re.search(r"\| KD +\| +0.250 ‡", page)
    assert sorted(pictures("study map-of")) == [
        "study-sst2-map-of-representations-kd.svg",
        "study-sst2-map-of-representations-teacher.svg",
    ]


def test_figures_are_the_same_bytes_and_old_ones_go(repository: Path) -> None:
    runs(repository, tmkd=0.95, kd=0.55, seeds=1)
    asked = ["study latency"]
    write_figures(asked)
    (path,) = paths.FIGURES.iterdir()
    assert f"(figures/{path.name})" in figures(asked[0])
    before = path.read_bytes()
    (paths.FIGURES / "study-old.svg").touch()
    (paths.FIGURES / "drawn-by-hand.svg").touch()
    write_figures(asked)
    assert path.read_bytes() == before
    assert {one.name for one in paths.FIGURES.iterdir()} == {path.name, "drawn-by-hand.svg"}


def test_tables_are_files_with_numbers_that_nothing_has_rounded_and_old_ones_go(repository: Path) -> None:
    runs(repository, tmkd=0.95, kd=0.555)
    (paths.TABLES).mkdir()
    (paths.TABLES / "old.csv").touch()
    write_tables([("overview", "study"), ("seeds", "study"), ("costs", "study")])
    assert {one.name for one in paths.TABLES.iterdir()} == {"study-overview.csv", "study-sst2-seeds.csv"}
    lines = list(csv.DictReader((paths.TABLES / "study-overview.csv").read_text().splitlines()))
    scores = {line["row"]: line["mean"] for line in lines}
    assert (scores["TMKD"], scores["KD"]) == ("0.95", "0.555")
    assert "(tables/study-overview.csv)" in made("<!-- overview study -->\n<!-- /overview -->\n")


def test_tables_of_the_pages_are_those_of_the_records() -> None:
    pages = [(REPO / "docs" / name).read_text(encoding="utf-8") for name in ("results.md", "transfer.md")]
    asked = [
        one
        for page in pages
        for one in re.findall(r"^<!-- (overview|costs|seeds) (\S+) -->$", page, re.MULTILINE)
        if (REPO / "results" / one[1]).exists()
    ]
    found = {stem: sheet.text for kind, name in asked for stem, _, sheet in WRITTEN[kind](name)}
    files = {path.stem: path.read_text(encoding="utf-8") for path in (REPO / "docs/tables").glob("*.csv")}
    assert files.keys() == found.keys(), "run make docs"
    assert [name for name, text in files.items() if not same_table(text, found[name])] == [], "run make docs"
    assert len(found) >= 5


def test_a_table_that_differs_by_rounding_alone_is_left_as_it_is(repository: Path) -> None:
    runs(repository, tmkd=0.95, kd=0.555)
    path, asked = paths.TABLES / "study-overview.csv", [("overview", "study")]
    write_tables(asked)
    made_here = path.read_text()
    elsewhere = made_here.replace("0.555", "0.5550000000000001")
    assert elsewhere != made_here
    for before, after in ((elsewhere, elsewhere), (made_here.replace("0.555", "0.5550001"), made_here)):
        path.write_text(before)
        write_tables(asked)
        assert path.read_text() == after


@pytest.mark.parametrize("other", ["a,b\n1.5,x\n", "a,c\n1.5,\n", "a,b\n1.50001,\n", "a,b\n1.5\n", "a,b\n"])
def test_tables_with_another_cell_are_not_the_same(other: str) -> None:
    assert same_table("a,b\n1.5,\n", "a,b\n1.5000000000000002,\n")
    assert not same_table("a,b\n1.5,\n", other)


def test_pictures_of_the_pages_are_files_and_show_what_the_records_say() -> None:
    results = (REPO / "docs" / "results.md").read_text(encoding="utf-8")
    for asked in [line[13:-4] for line in results.splitlines() if line.startswith("<!-- figures ")]:
        for name, (title, plot) in pictures(asked).items():
            text = (REPO / "docs" / "figures" / name).read_text(encoding="utf-8")
            head = standalone(plot, title).partition("<rect")[0]
            assert text.startswith(head), f"run make docs: {name} is not of these records"
    for page in PAGES:
        for target in re.findall(r"!\[[^\]]*\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).is_file(), f"{page.name} shows {target}, which is not there"

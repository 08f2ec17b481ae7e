"""Tables and pictures as files: all of the page, the same bytes twice, numbers that nothing has rounded."""

import csv
import io
import re
from itertools import product
from pathlib import Path
from xml.etree import ElementTree

import pytest

from lmdistill.records.record import find_records
from lmdistill.records.representation_map import MAP, write_map
from lmdistill.report.export_files import file_name, write_files
from lmdistill.report.page import page_of
from lmdistill.report.plots.standalone_svg import LETTER, standalone
from lmdistill.report.plots.svg import COLOURS, Mark, Plot
from tests.report.factory import NUM_DEV, make_record, plain_record, schedule, write_run
from tests.report.plots.test_representations import facts, places_of
from tests.report.studies import cell


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("study")
    for seed in range(2):
        write_run(root, make_record("FT", seed, 0.7 + 0.01 * seed), num_steps=5)
        write_run(root, make_record("KD", seed, 0.8 + 0.01 * seed), num_steps=5)
    write_run(root, make_record("MiniDisc", schedule=schedule()), num_steps=5)
    for place, (alpha, heat) in enumerate(product((0.1, 0.5), (1, 2))):
        method = {"name": "pkd", "alpha": alpha, "temperature": heat}
        write_run(root / f"map-{place}", make_record("PKD", 0, 0.8, method=method), num_steps=0)
    task = plain_record()["task"] | {"rows": {"train": 100, "dev": NUM_DEV}}
    write_run(root / "rows", make_record("FT", 0, 0.6, task=task), num_steps=0)
    cell(root, "FT", 0.6, task="rte", layers=2)
    return root


@pytest.fixture(scope="module")
def files(study: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("files")
    write_files(folder, find_records([study]))
    return folder


def lines(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8"))))


def test_names_say_task_and_contents(files: Path) -> None:
    names = {path.name for path in files.iterdir()}
    assert {
        "overview.csv",
        "costs.md",
        "overview.md",
        "sst2-quality.csv",
        "sst2-latency.svg",
        "rte-quality.md",
    } <= names
    assert {"sst2-sensitivity-to-alpha-and-temperature.svg", "sst2-training-rows.csv"} <= {
        name.replace("_", "-") for name in names
    }
    assert all(re.fullmatch(r"[a-z0-9+=._-]+", name) for name in names)


def test_every_table_and_picture_of_the_page_is_a_file(study: Path, files: Path) -> None:
    page = page_of(find_records([study]))
    plots = sum(
        len(one.pictures.trades)
        + len(one.pictures.curves)
        + sum(plot is not None for _, _, plot in one.accounts)
        for one in page.sections
    )
    assert len(list(files.glob("*.svg"))) == plots
    grids = sum(
        len(one.tables)
        + len(one.certainty)
        + len(one.slices)
        + len(one.schedules)
        + sum(account.table is not None for _, account, _ in one.accounts)
        for one in page.sections
    )
    assert len(list(files.glob("*.md"))) == grids + (page.overview is not None) + (page.costs is not None)
    assert {path.stem for path in files.glob("*.csv")} == {path.stem for path in files.iterdir()}


def test_the_same_records_give_the_same_bytes_and_other_files_stay(
    study: Path, files: Path, tmp_path: Path
) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    (tmp_path / "sst2-quality.csv").write_text("old")
    for path in write_files(tmp_path, find_records([study])):
        assert path.read_bytes() == (files / path.name).read_bytes(), path.name
    assert (tmp_path / "mine.txt").read_text() == "mine"
    assert not list(tmp_path.glob(".*"))


def test_numbers_are_those_of_the_records(study: Path, files: Path) -> None:
    runs = [run.record for run in find_records([study]) if run.record.name == "KD"]
    scores = [record.metrics["dev"]["accuracy"] for record in runs]
    (row,) = [line for line in lines(files / "sst2-quality.csv") if line["row"] == "KD"]
    assert float(row["dev accuracy mean"]) == pytest.approx(sum(map(float, scores)) / 2, rel=1e-12)
    assert float(row["dev accuracy sd"]) == pytest.approx(0.01 / 2**0.5, rel=1e-9)
    assert row["dev accuracy n"] == "2"
    assert int(row["parameters"]) == runs[0].student.parameters.total
    (gap,) = [
        one for one in lines(files / "sst2-details.csv") if (one["row"], one["figure"]) == ("KD", "gap")
    ]
    assert (float(gap["mean"]), gap["n"]) == (pytest.approx(0.16), "2")


def test_numbers_that_nothing_has_rounded_say_their_unit(files: Path) -> None:
    found = {one["figure"]: one for one in lines(files / "sst2-details.csv") if one["row"] == "KD"}
    assert (found["calibration error"]["unit"], float(found["calibration error"]["mean"])) == (
        "fraction",
        0.06,
    )
    assert (found["training time"]["unit"], found["training time"]["mean"]) == ("s", "412.0")
    assert found["latency p50, batch 1"]["unit"] == "ms"
    assert not [name for name in found if name.endswith("%")]


def test_settings_that_differ_have_columns(files: Path) -> None:
    found = {line["method.temperature"] for line in lines(files / "sst2-quality.csv")}
    assert {"1", "2"} <= found


def test_pictures_stand_alone(files: Path) -> None:
    for path in files.glob("*.svg"):
        text = path.read_text(encoding="utf-8")
        root = ElementTree.fromstring(text)
        assert root.tag == "{http://www.w3.org/2000/svg}svg"
        assert "currentColor" not in text, path.name
        assert "http" not in text.replace("http://www.w3.org/2000/svg", ""), path.name
        ids = re.findall(r'\bid="([^"]+)"', text)
        assert len(ids) == len(set(ids))
        assert set(re.findall(r'(?:href="#|url\(#)([^")]+)', text)) <= set(ids)


def test_names_in_the_legend_are_text_and_stay_inside() -> None:
    marks = tuple(Mark(label=f"<b>{'wide ' * 8}&{n}", colour=COLOURS[n], dash="dashed") for n in range(4))
    plot = Plot(svg='<svg viewBox="0 0 300 100"></svg>', title="T", alt="<i>", legend=marks, table=())
    text = standalone(plot, "A & B")
    root = ElementTree.fromstring(text)
    words = list(root.iter("{http://www.w3.org/2000/svg}text"))
    assert [one.text for one in words] == ["A & B", *(mark.label for mark in marks)]
    assert len({one.get("y") for one in words[1:]}) == 4
    height = float(root.get("height", "0"))
    assert all(float(one.get("y", "0")) < height for one in words)
    assert all(float(one.get("x", "0")) + LETTER * len(one.text or "") < 330 for one in words)


def test_a_name_with_control_characters_is_still_xml() -> None:
    plot = Plot(svg='<svg viewBox="0 0 9 9"></svg>', title="T", alt="a\x00b", legend=(), table=())
    root = ElementTree.fromstring(standalone(plot, "bell\x07 😀"))
    assert root.findtext("{http://www.w3.org/2000/svg}title") == "bell\N{REPLACEMENT CHARACTER} 😀"


def test_names_fit_every_file_system() -> None:
    assert file_name("a/b", "c:d", "x" * 300).startswith("a-b-c-d-xxx")
    assert len(file_name("x" * 300)) == 100


def test_a_map_is_a_file_whose_legend_has_the_shapes_of_its_points(tmp_path: Path) -> None:
    run = write_run(tmp_path / "runs", make_record(map=facts(examples=300)))
    write_map(run.path / MAP, places_of(300))
    names = {path.name for path in write_files(tmp_path / "files", [run])}
    pictures = [
        name for name in names if name.startswith("sst2-map-of-representations") and name.endswith(".svg")
    ]
    assert {"sst2-map.csv", "sst2-map.md"} <= names
    assert len(pictures) == 2  # the teacher's and the student's
    for name in pictures:
        tree = ElementTree.parse(tmp_path / "files" / name)
        paths = [str(path.get("d")) for path in tree.iter("{http://www.w3.org/2000/svg}path")]
        points = [path for path in paths if path.count("M") > 1]
        legend = [path for path in paths if path.count("M") == 1]
        shapes = [re.sub(r"^M[\d.]+ [\d.]+", "", path) for path in legend]
        assert len(points) == len(legend) == len(set(shapes)) > 1
        assert all(any(shape in path for path in points) for shape in shapes)


def test_a_name_is_short_in_bytes_too() -> None:
    name = file_name("文" * 120, "quality")
    assert 0 < len(name.encode()) <= 100
    assert set(name) == {"文"}

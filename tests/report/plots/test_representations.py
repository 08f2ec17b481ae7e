"""The maps of a page: what is drawn, what is told in words and numbers, and what it weighs."""

import re
from pathlib import Path

import numpy as np
import pytest

from lmdistill.analysis.compare import compare
from lmdistill.core.errors import RunError
from lmdistill.records.record import RecordedRun
from lmdistill.records.representation_map import MAP, MapPoint, Point, read_map, write_map
from lmdistill.records.schema import MapFacts, Separation
from lmdistill.report.html import report_html
from lmdistill.report.plots.representations import MARGIN, SHAPES, SHORT, SIDE, map_plot, maps
from lmdistill.report.plots.svg import COLOURS
from tests.report.factory import make_record, write_run

POINT = re.compile(r"M(-?\d+) (-?\d+)m")
SEPARATION = Separation(silhouette=0.25, spread_ratio=0.5)


def facts(student: float = 0.25, examples: int = 20) -> dict[str, object]:
    return {
        "split": "dev",
        "examples": examples,
        "pool": "first",
        "projection": "tsne",
        "student": {"silhouette": student, "spread_ratio": abs(2 * student)},
        "teacher": {"silhouette": 0.75, "spread_ratio": 3.0},
    }


def places_of(count: int, seed: int = 0, classes: int = 2) -> list[MapPoint]:
    points = np.random.default_rng(seed).normal(scale=30, size=(count, 4)).round(4).tolist()
    return [
        MapPoint(example=i, split="dev", label=i % classes, student=(a, b), teacher=(c, d))
        for i, (a, b, c, d) in enumerate(points)
    ]


def mapped(root: Path, name: str, seed: int = 0, student: float = 0.25, examples: int = 20) -> RecordedRun:
    record = make_record(name, seed, map=facts(student, examples))
    run = write_run(root, record, num_steps=20)
    write_map(run.path / MAP, places_of(examples, seed))
    return run


def plotted(points: list[Point], labels: list[int], names: tuple[str, ...] = ("no", "yes")) -> str:
    places = [
        MapPoint(example=i, split="dev", label=label, student=(0.0, 0.0)) for i, label in enumerate(labels)
    ]
    kept = MapFacts(split="dev", examples=2, pool="first", projection="pca", student=SEPARATION)
    return map_plot(places, points, names, kept, SEPARATION).svg


def test_what_is_written_is_read(tmp_path: Path) -> None:
    places = [*places_of(5), MapPoint(example=7, split="dev", label=1, student=(0.5, -1.0))]
    write_map(tmp_path / MAP, places)
    assert read_map(tmp_path / MAP) == places
    assert read_map(tmp_path / "none") == []


def test_a_page_has_a_table_and_a_map_for_each_row_the_teachers_first(tmp_path: Path) -> None:
    runs = [mapped(tmp_path, name, seed) for name in ("FT", "KD") for seed in (0, 1)]
    found = maps(compare(runs)[0])
    assert found is not None
    assert [who for who, _ in found.plots] == ["Teacher", "FT, seed 0", "KD, seed 0"]
    text = report_html(runs)
    section = text[text.index("<h2>Map of representations") : text.index("<h2>Curves")]
    assert section.count("<figure>") == 3
    assert all(plot.alt in section for _, plot in found.plots)
    assert section.count('role="img" aria-label="20 examples of dev by t-SNE: 10 of negative around') == 3
    assert section.count('<svg viewBox="0 0 400 ') == 3
    assert "map.jsonl" in section
    assert section.count("<td>10</td>") == 6  # examples of each class


def test_the_table_has_means_over_seeds_and_each_teacher_once(tmp_path: Path) -> None:
    runs = [mapped(tmp_path, "FT", seed, student) for seed, student in enumerate((0.1, 0.2, 0.6))]
    found = maps(compare([*runs, mapped(tmp_path, "KD", 0, -0.5)])[0])
    assert found is not None
    assert found.grid.rows == (
        ("Teacher", "0.750 ‡", "3.000 ‡", "1", "20"),
        ("FT", "0.300 ± 0.265", "0.600 ± 0.529", "3", "20"),
        ("KD", "-0.500 ‡", "1.000 ‡", "1", "20"),
    )
    assert any(note.startswith("‡") for note in found.grid.notes)


def test_runs_without_maps_have_no_section_and_rows_without_one_no_line(tmp_path: Path) -> None:
    old = [write_run(tmp_path / "old", make_record(name), num_steps=20) for name in ("FT", "KD")]
    assert maps(compare(old)[0]) is None
    assert "Map of representations" not in report_html(old)
    found = maps(compare([old[0], mapped(tmp_path, "KD")])[0])
    assert found is not None
    assert [line[0] for line in found.grid.rows] == ["Teacher", "KD"]
    assert [who for who, _ in found.plots] == ["Teacher", "KD"]


def test_numbers_stay_where_the_file_is_gone(tmp_path: Path) -> None:
    run = mapped(tmp_path, "KD")
    (run.path / MAP).unlink()
    found = maps(compare([run])[0])
    assert found is not None
    assert len(found.grid.rows) == 2
    assert found.plots == ()
    assert "Map of representations" in report_html([run])


def test_a_student_without_a_teacher_has_a_map_of_its_own(tmp_path: Path) -> None:
    alone = facts() | {"teacher": None}
    run = write_run(tmp_path, make_record("FT", teacher=None, teacher_metrics=None, map=alone), num_steps=20)
    write_map(
        run.path / MAP, [MapPoint(example=i, split="dev", label=i, student=(float(i), 0.0)) for i in range(2)]
    )
    found = maps(compare([run])[0])
    assert found is not None
    assert [who for who, _ in found.plots] == ["FT"]


def test_up_is_up_and_one_scale_holds_for_both_directions() -> None:
    svg = plotted([(0.0, 0.0), (10.0, 0.0), (0.0, 5.0)], [0, 0, 1])
    corner, right, top = [(int(x), int(y)) for x, y in POINT.findall(svg)]
    assert right[0] - corner[0] == SIDE - 2 * MARGIN
    assert right[1] == corner[1]
    assert top[0] == corner[0]
    assert corner[1] - top[1] == (SIDE - 2 * MARGIN) / 2


@pytest.mark.parametrize(
    ("points", "wanted"),
    [
        ([(0.0, 0.0)] * 3, SHORT),
        ([(-1e6, 3.0), (1e6, 3.0), (0.0, 4.0)], SHORT),
        ([(0.0, 0.0), (10.0, 0.0), (0.0, 5.0)], (SIDE - 2 * MARGIN) // 2 + 2 * MARGIN),
        ([(0.0, 0.0), (3.0, 0.0), (0.0, 50.0)], SIDE),
    ],
)
def test_every_point_lies_inside_the_frame_which_is_no_higher_than_they_need(
    points: list[Point], wanted: int
) -> None:
    svg = plotted(points, [0, 1, 1])
    found = POINT.findall(svg)
    assert len(found) == 3
    assert all(MARGIN <= int(across) <= SIDE - MARGIN for across, _ in found)
    height = int(re.findall(r'viewBox="0 0 400 (\d+)"', svg)[0])
    assert all(MARGIN <= int(down) <= height - MARGIN for _, down in found)
    assert height == wanted


def test_classes_differ_in_shape_and_in_colour_and_the_legend_says_which() -> None:
    names = tuple(f"class {i}" for i in range(6))
    places = places_of(60, classes=6)
    kept = MapFacts(split="dev", examples=60, pool="first", projection="tsne", student=SEPARATION)
    plot = map_plot(places, [one.student for one in places], names, kept, SEPARATION)
    assert [mark.label for mark in plot.legend] == list(names)
    assert {mark.shape for mark in plot.legend} == set(SHAPES)
    assert len({mark.colour for mark in plot.legend}) == 6
    for mark in plot.legend:
        (path,) = re.findall(rf'<path stroke="{mark.colour}" d="([^"]*)"', plot.svg)
        assert path.count(str(mark.shape)) == 10
    assert set(re.findall(r'<path stroke="([^"]*)"', plot.svg)) <= set(COLOURS)


def test_the_numbers_of_a_map_are_centres_and_spreads() -> None:
    points = [(0.0, 0.0), (2.0, 4.0), (10.0, 0.0), (10.0, 0.0)]
    places = [MapPoint(example=i, split="dev", label=i // 2, student=one) for i, one in enumerate(points)]
    kept = MapFacts(split="dev", examples=4, pool="first", projection="pca", student=SEPARATION)
    plot = map_plot(places, points, ("no", "yes", "never"), kept, SEPARATION)
    assert plot.table[1:] == (("no", "2", "1", "2", "2.236"), ("yes", "2", "10", "0", "0"))
    assert "4 examples of dev by PCA: 2 of no around (1.0, 2.0), 2 of yes around (10.0, 0.0)." in plot.alt
    assert "Silhouette before the projection: 0.250." in plot.alt


def test_a_map_of_a_thousand_examples_is_light(tmp_path: Path) -> None:
    found = maps(compare([mapped(tmp_path, "KD", examples=1000)])[0])
    assert found is not None
    assert all(25_000 < len(plot.svg) < 40_000 for _, plot in found.plots)


def test_names_of_classes_are_shown_and_never_obeyed(tmp_path: Path) -> None:
    run = mapped(tmp_path, "KD")
    nasty = ("<script>", '"&x')
    record = run.record.model_copy(update={"task": run.record.task.model_copy(update={"labels": nasty})})
    text = report_html([RecordedRun(path=run.path, record=record)])
    assert "<script>" not in text
    assert "&lt;script&gt; around" in text


@pytest.mark.parametrize(
    "line", ['{"example": 1}', '{"example": 0, "split": "dev", "label": 0, "student": [1.0]}']
)
def test_a_line_that_no_run_wrote_is_named(tmp_path: Path, line: str) -> None:
    (tmp_path / MAP).write_text(line + "\n", encoding="utf-8")
    with pytest.raises(RunError, match="a line that no run wrote"):
        read_map(tmp_path / MAP)

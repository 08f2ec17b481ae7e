"""Size and cost of the networks: by hand, from the shapes and times of the records."""

from pathlib import Path

import pytest

from lmdistill.analysis.compare import compare
from lmdistill.analysis.costs import speedup_of
from lmdistill.records.record import find_records
from lmdistill.report.tables.costs import costs_grid, sizes
from lmdistill.report.tables.quality import grid
from lmdistill.report.tables.seeds import seeds_grid, spreads
from tests.report.factory import latency, make_record, network, write_run
from tests.report.studies import cell


@pytest.fixture
def study(tmp_path: Path) -> Path:
    for layers in (2, 3):
        cell(tmp_path, "FT", 0.8, layers=layers)
        cell(tmp_path, "KD", 0.8, layers=layers, task="rte")
    return tmp_path


def test_each_shape_stands_once_whatever_the_task_and_the_method(study: Path) -> None:
    found = costs_grid(find_records([study]))
    assert found is not None
    assert [row[:2] for row in found.rows] == [
        ("Teacher, 6 layers, 10.65 M layer parameters", "–"),
        ("Student, 3 layers, 5.32 M layer parameters", "2"),
        ("Student, 2 layers, 3.55 M layer parameters", "2"),
    ]


def test_shares_and_speed_are_those_of_the_teacher_by_hand(study: Path) -> None:
    found = costs_grid(find_records([study]))
    assert found is not None
    half = dict(zip(found.header, found.rows[1], strict=True))
    assert (
        half["parameters, % of teacher"] == "76.56"
    )  # 11.919 + 5.323 + 0.149 of 11.919 + 10.647 + 0.149 million
    assert half["FLOPs, % of teacher"] == "50.00"
    assert half["latency p50, batch 16"] == "60.0 ms"
    assert half["speed-up, batch 1"] == half["speed-up, batch 16"] == "2.00 ×"


def test_one_size_needs_no_table(tmp_path: Path) -> None:
    cell(tmp_path, "FT", 0.8)
    assert costs_grid(find_records([tmp_path])) is None
    assert len(sizes(find_records([tmp_path]))) == 2


def test_a_student_that_taught_another_keeps_its_line(tmp_path: Path) -> None:
    assistant = make_record("KD", 0, student=network(3, "assistant"))
    write_run(tmp_path / "first", assistant)
    write_run(
        tmp_path / "second", make_record("KD", 0, student=network(2, "last"), teacher=network(3, "assistant"))
    )
    students = [size.label for size in sizes(find_records([tmp_path])) if size.records]
    assert students == [
        "Student, 3 layers, 5.32 M layer parameters",
        "Student, 2 layers, 3.55 M layer parameters",
    ]


def test_a_run_without_a_teacher_has_no_speedup(study: Path) -> None:
    records = [run.record.model_copy(update={"teacher": None}) for run in find_records([study])]
    assert speedup_of(records, 1) is None


def test_rows_of_one_shape_and_place_share_what_they_take(tmp_path: Path) -> None:
    def timed(name: str, layers: int, milliseconds: float, **changes: object) -> dict[str, object]:
        return network(layers, name) | {"latency": {"1": latency(milliseconds, 1) | changes}}

    def run(name: str, slow: float | None, student: dict[str, object]) -> None:
        teacher = None if slow is None else timed("teacher", 6, slow)
        write_run(tmp_path, make_record(name, student=student, teacher=teacher), num_steps=2)

    run("KD", 12.0, timed("KD", 3, 4.0))  # 3 times as fast
    run("PKD", 12.0, timed("PKD", 3, 12.0))  # as fast, on a busy machine
    run("FT", None, timed("FT", 3, 3.0))  # untaught, and lucky
    run("threads", 12.0, timed("threads", 3, 2.0, threads=8))
    run("small", 12.0, timed("small", 2, 3.0))
    run("untimed", 12.0, network(3, "untimed") | {"latency": {}})
    (table,) = compare(find_records([tmp_path]))
    rows = {row.label: row.cost for row in table.rows if row.role != "teacher"}
    assert {name: cost.latency_ms for name, cost in rows.items()} == {
        **dict.fromkeys(("KD", "PKD", "FT"), 4.0),
        "threads": 2.0,
        "small": 3.0,
        "untimed": None,
    }
    assert {name: cost.speedup for name, cost in rows.items()} == {
        **dict.fromkeys(("KD", "PKD"), 2.0),
        "FT": 12.0 / 4.0,
        "threads": 6.0,
        "small": 4.0,
        "untimed": None,
    }
    assert any(note.startswith("Latency and speed-up: over all rows") for note in grid(table).notes)


def test_seeds_have_their_ends_and_single_ones_no_line(tmp_path: Path) -> None:
    for seed, score in enumerate((0.80, 0.84, 0.82)):
        cell(tmp_path, "KD", score, seed=seed)
    cell(tmp_path, "FT", 0.7)
    (table,) = compare(find_records([tmp_path]))
    found = seeds_grid(table)
    assert found is not None
    assert found.rows == (("KD", "accuracy, %", "82.00", "2.00", "80.00", "84.00", "3"),)
    ((_, _, over, known),) = spreads(table)
    assert known == (0.80, 0.82, 0.84)
    assert over.count == 3


def test_what_nobody_measured_has_no_column(tmp_path: Path) -> None:
    for layers in (2, 3):
        bare = {"flops": None, "latency": {}}
        student, teacher = network(layers, f"s{layers}") | bare, network(6, "teacher") | bare
        write_run(tmp_path, make_record(f"KD{layers}", student=student, teacher=teacher), num_steps=2)
    found = costs_grid(find_records([tmp_path]))
    assert found is not None
    assert found.header == ("", "runs", "parameters", "parameters, % of teacher", "on disk")

import json

import pytest

from lmdistill.analysis.compare import compare
from lmdistill.core.errors import RunError
from lmdistill.records.benchmarks import (
    BENCHMARKS,
    BenchmarkFacts,
    BenchmarkFile,
    add_benchmarks,
    read_benchmarks,
)
from lmdistill.report.html import report_html
from lmdistill.report.tables.benchmarks import benchmark_grid
from tests.report.factory import make_record, network, write_run


def fact(task="arc_easy", value=0.5, few_shot=0, limit=None, error=0.02):
    return BenchmarkFacts(
        task=task, metric="acc", value=value, error=error, examples=100, few_shot=few_shot, limit=limit,
        harness="0.4.13",
    )  # fmt: skip


@pytest.fixture
def runs(tmp_path):
    return [
        write_run(tmp_path, make_record(name, seed=seed)) for name, seed in (("KD", 0), ("KD", 1), ("FT", 0))
    ]


def test_what_was_written_comes_back_and_newer_answers_replace_older_ones(tmp_path):
    assert read_benchmarks(tmp_path) == BenchmarkFile()
    add_benchmarks(tmp_path, {"student": [fact(), fact("boolq")], "teacher": [fact(value=0.7)]})
    add_benchmarks(tmp_path, {"student": [fact(value=0.6), fact(few_shot=5), fact(limit=10)]})
    found = read_benchmarks(tmp_path)
    assert found.student == (fact(value=0.6), fact("boolq"), fact(few_shot=5), fact(limit=10))
    assert found.teacher == (fact(value=0.7),)
    assert [path.name for path in tmp_path.iterdir()] == [BENCHMARKS]


def test_a_number_that_is_none_and_an_infinite_one_can_be_written(tmp_path):
    add_benchmarks(tmp_path, {"student": [fact(value=float("inf"), error=None)]})
    assert read_benchmarks(tmp_path).student == (fact(value=float("inf"), error=None),)


@pytest.mark.parametrize("text", ["{", json.dumps({"student": 7})])
def test_a_damaged_file_is_named(tmp_path, text):
    (tmp_path / BENCHMARKS).write_text(text)
    with pytest.raises(RunError, match=r"benchmarks\.json is damaged \(.*\)\. Remove it"):
        read_benchmarks(tmp_path)


def test_a_field_of_a_newer_version_is_ignored_and_never_lost(tmp_path):
    add_benchmarks(tmp_path, {"student": [fact()]})
    value = json.loads((tmp_path / BENCHMARKS).read_text())
    value["student"][0]["future"] = 1
    del value["checksum"]
    (tmp_path / BENCHMARKS).write_text(json.dumps(value))
    assert read_benchmarks(tmp_path).student == (fact(),)
    with pytest.raises(RunError, match=r"fields of a newer version of lmdistill.* Update lmdistill\."):
        add_benchmarks(tmp_path, {"student": [fact("boolq")]})
    assert json.loads((tmp_path / BENCHMARKS).read_text()) == value


def test_the_table_has_a_line_for_each_run_and_one_for_their_teacher(runs):
    (table,) = compare(runs)
    assert benchmark_grid(table) is None
    add_benchmarks(runs[0].path, {"student": [fact(value=0.4)], "teacher": [fact(value=0.7)]})
    add_benchmarks(runs[1].path, {"student": [fact(value=0.41), fact("boolq", 0.6, few_shot=5, error=None)]})
    add_benchmarks(runs[2].path, {"student": [fact(value=0.3, limit=10)]})
    grid = benchmark_grid(table)
    assert grid.header == (
        "",
        "arc_easy: acc, 0-shot",
        "arc_easy: acc, 0-shot, first 10",
        "boolq: acc, 5-shot",
    )
    assert set(grid.rows) == {
        ("Teacher", "0.7000 ± 0.0200", "–", "–"),
        ("KD, seed 0", "0.4000 ± 0.0200", "–", "–"),
        ("KD, seed 1", "0.4100 ± 0.0200", "–", "0.6000"),
        ("FT", "–", "0.3000 ± 0.0200", "–"),
    }
    assert grid.rows[0][0] == "Teacher"


def test_the_page_shows_benchmarks_where_there_are_some(runs):
    assert "<h2>Benchmarks</h2>" not in report_html(runs)
    add_benchmarks(runs[0].path, {"student": [fact(task="<b>task</b>", value=0.4321)]})
    page = report_html(runs)
    assert "<h2>Benchmarks</h2>" in page
    assert "0.4321 ± 0.0200" in page
    assert "<b>task" not in page


def test_rows_and_teachers_are_called_as_in_the_first_table(tmp_path):
    runs = [
        write_run(
            tmp_path / str(layers), make_record("KD", student=network(layers, f"s{layers}"), teacher=teacher)
        )
        for layers, teacher in ((2, network(6, "a")), (3, network(12, "b")))
    ]
    for run in runs:
        add_benchmarks(run.path, {"student": [fact()], "teacher": [fact()]})
    (table,) = compare(runs)
    labels = [row[0] for row in benchmark_grid(table).rows]
    assert labels[:2] == ["Teacher (6 layers)", "Teacher (12 layers)"]
    assert labels == [row.label for row in table.rows]

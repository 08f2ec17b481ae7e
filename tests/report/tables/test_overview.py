"""All tasks in one table: each size against its own baseline, and no mean that hides missing seeds."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lmdistill.analysis.compare import compare
from lmdistill.analysis.paired_comparison import ComparisonStats
from lmdistill.analysis.seed_and_example_variance import estimate
from lmdistill.analysis.significance import Spread
from lmdistill.records.predictions import PREDICTIONS
from lmdistill.records.record import find_records
from lmdistill.report.tables.overview import Cell, Overview, overview
from tests.report.factory import make_record, network, plain_record, write_run
from tests.report.studies import cell


def seen(root: Path, **options: Any) -> Overview:
    return overview(compare(find_records([root]), **options))


def cells(found: Overview) -> dict[tuple[str, str], str]:
    """Text by row and column."""
    return {
        (row[0], title): text
        for row in found.grid.rows
        for title, text in zip(found.grid.header[1:], row[1:], strict=True)
    }


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two tasks, two sizes; KD is far better than FT of its size, and worse than FT of the other."""
    root = tmp_path_factory.mktemp("study")
    for task in ("sst2", "rte"):
        for seed in range(2):
            cell(root, "FT", 0.60, seed=seed, task=task, layers=2)
            cell(root, "KD", 0.75, seed=seed, task=task, layers=2)
            cell(root, "FT", 0.88, seed=seed, task=task)
            cell(root, "KD", 0.885, seed=seed, task=task)
    return root


def test_rows_are_methods_and_columns_are_tasks_with_the_teacher_on_top(study: Path) -> None:
    grid = seen(study).grid
    assert grid.header[1:] == ("rte accuracy, %", "sst2 accuracy, %")
    assert [row[0] for row in grid.rows] == [
        "Teacher",
        "FT layers=2",
        "KD layers=2",
        "FT layers=3",
        "KD layers=3",
    ]
    assert grid.rows[0][1] == "90.00 ‡"


def test_rows_follow_the_wanted_order_below_their_baseline(tmp_path: Path) -> None:
    for name in ("FT", "A", "B", "C"):
        write_run(tmp_path, make_record(name), num_steps=2)
    found = seen(tmp_path, order=["C", "A"])
    assert [row[0] for row in found.grid.rows] == ["Teacher", "FT", "C", "A", "B"]


def test_a_size_is_tested_against_its_own_baseline(study: Path) -> None:
    text = cells(seen(study))
    assert text["KD layers=2", "rte accuracy, %"] == "75.00 ± 0.00 ↑"
    assert text["KD layers=3", "rte accuracy, %"] == "88.50 ± 0.00"
    assert any("FT layers=2" in note for note in seen(study).grid.notes)


def test_the_wanted_baseline_is_that_of_all_sizes(study: Path) -> None:
    found = seen(study, baseline="FT layers=3")
    text = cells(found)
    assert text["KD layers=2", "rte accuracy, %"] == "75.00 ± 0.00 ↓"
    assert {one.floor for one in found.cells if one.evidence.seeds} == {"FT layers=3"}


def test_arrows_go_by_the_p_values_of_the_tables_below(study: Path) -> None:
    tables = compare(find_records([study]))
    bold = {row.label for row in tables[0].rows if (row.evidence.p_holm or 1) < 0.05}
    rows = {one.row for one in overview(tables).cells if one.column.startswith("rte") and one.mark}
    assert rows == bold == {"KD layers=2"}


def test_augmented_rows_are_tested_against_the_baseline_on_the_originals(tmp_path: Path) -> None:
    for seed in range(3):
        cell(tmp_path, "FT", 0.70, seed=seed, augmentation="apertium", rows=13000)  # its folder comes first
        cell(tmp_path, "FT", 0.60, seed=seed)
    floors = {one.floor for one in seen(tmp_path).cells if one.floor}
    assert floors == {"FT augmentation=none"}


def test_cells_of_fewer_seeds_say_so(study: Path, tmp_path: Path) -> None:
    assert all("(" not in text for text in cells(seen(study)).values())
    assert "Students: 2 seeds per cell." in seen(study).grid.notes
    for task, seeds in (("sst2", 2), ("rte", 1)):
        for seed in range(seeds):
            cell(tmp_path, "FT", 0.8, seed=seed, task=task)
    text = cells(seen(tmp_path))
    assert text["FT layers=3 augmentation=none", "sst2 accuracy, %"] == "80.00 ± 0.00 (2)"
    assert text["FT layers=3 augmentation=none", "rte accuracy, %"] == "80.00 ‡ (1)"
    assert any("number of seeds" in note for note in seen(tmp_path).grid.notes)


def test_the_headline_of_what_dev_has_chosen_is_marked(tmp_path: Path) -> None:
    task = plain_record()["task"] | {"metrics": ["f1", "accuracy"]}
    for name, selected in (("FT", "last"), ("KD", "dev-best")):
        scores = {"dev": {"f1": 0.8, "accuracy": 0.7}}
        write_run(tmp_path, make_record(name, task=task, metrics=scores, selected=selected), num_steps=2)
    found = seen(tmp_path)
    assert cells(found)["KD", "sst2 f1, %"] == "80.00 ‡ †"
    assert cells(found)["KD", "sst2 accuracy, %"] == "70.00 ‡"
    assert cells(found)["FT", "sst2 f1, %"] == "80.00 ‡"
    assert any(note.startswith("† dev-selected") for note in found.grid.notes)


def test_one_seed_bears_no_mark(tmp_path: Path) -> None:
    cell(tmp_path, "FT", 0.5)
    cell(tmp_path, "KD", 0.9)
    text = cells(seen(tmp_path))
    assert text["KD", "sst2 accuracy, %"] == "90.00 ‡"


def test_what_was_not_run_is_a_dash_and_not_a_mean(tmp_path: Path) -> None:
    cell(tmp_path, "FT", 0.5, task="sst2")
    cell(tmp_path, "FT", 0.6, task="rte")
    cell(tmp_path, "KD", 0.7, task="rte")
    assert cells(seen(tmp_path))["KD", "sst2 accuracy, %"] == "–"


def test_amounts_of_data_are_columns_of_their_own(tmp_path: Path) -> None:
    for fraction, rows in ((0.1, 1000), (0.01, 100)):
        cell(tmp_path, "FT", 0.5, fraction=fraction, rows=rows)
    assert [row[0] for row in seen(tmp_path).grid.rows] == ["Teacher", "FT"]
    assert set(seen(tmp_path).grid.header[1:]) == {
        "sst2 (fraction 0.1, 1,000 examples) accuracy, %",
        "sst2 (fraction 0.01, 100 examples) accuracy, %",
    }


def test_students_of_one_depth_and_two_widths_have_rows_of_their_own(tmp_path: Path) -> None:
    for encoder, accuracy in ((4_000_000, 0.7), (2_000_000, 0.6)):
        student = network(3, f"KD-{encoder}")
        weights = student["parameters"]
        student["parameters"] = weights | {
            "encoder": encoder,
            "total": weights["total"] - weights["encoder"] + encoder,
        }
        write_run(tmp_path / str(encoder), make_record("KD", 0, accuracy, student=student), num_steps=2)
    assert [row[:2] for row in seen(tmp_path).grid.rows[1:]] == [
        ("KD, 3 layers, 2.00 M layer parameters", "60.00 ‡"),
        ("KD, 3 layers, 4.00 M layer parameters", "70.00 ‡"),
    ]


def test_teachers_of_two_depths_have_rows_of_their_own(tmp_path: Path) -> None:
    for layers, depth, score in ((2, 6, 0.9), (3, 12, 0.95)):
        facts = {"teacher": network(depth, f"t{depth}"), "teacher_metrics": {"dev": {"accuracy": score}}}
        write_run(tmp_path, make_record(f"KD{layers}", student=network(layers, f"s{layers}"), **facts))
    rows = dict(row[:2] for row in seen(tmp_path).grid.rows)
    assert rows["Teacher (6 layers)"] == "90.00 ‡"
    assert rows["Teacher (12 layers)"] == "95.00 ‡"


@pytest.mark.parametrize("counts", [(1, 2), (2, 1)])
def test_a_teacher_stands_with_all_its_seeds_where_one_size_has_fewer(
    tmp_path: Path, counts: tuple[int, int]
) -> None:
    for layers, seeds in zip((2, 3), counts, strict=True):
        for seed in range(seeds):
            facts = {
                "teacher": network(6, f"t{seed}"),
                "teacher_metrics": {"dev": {"accuracy": 0.9 + 0.02 * seed}},
            }
            write_run(
                tmp_path,
                make_record(f"KD{layers}", seed, student=network(layers, f"s{layers}{seed}"), **facts),
            )
    assert seen(tmp_path).grid.rows[0][:2] == ("Teacher", "91.00 ± 1.41")


def test_equally_many_other_dev_examples_have_a_column_of_their_own(tmp_path: Path) -> None:
    for contents, accuracy in (("a" * 16, 0.6), ("b" * 16, 0.8)):
        task = plain_record()["task"] | {"dev_fingerprint": contents}
        write_run(tmp_path / contents, make_record("KD", 0, accuracy, task=task), num_steps=2)
    found = cells(seen(tmp_path))
    assert found["KD", "sst2, 200 dev (aaaaaa) accuracy, %"] == "60.00 ‡"
    assert found["KD", "sst2, 200 dev (bbbbbb) accuracy, %"] == "80.00 ‡"


def test_dev_sets_of_unknown_contents_have_a_column_each(tmp_path: Path) -> None:
    for place, accuracy in enumerate((0.6, 0.8)):
        run = write_run(tmp_path / str(place), make_record("KD", 0, accuracy), num_steps=2)
        lines = (run.path / PREDICTIONS).read_text(encoding="utf-8")
        (run.path / PREDICTIONS).write_text(
            lines.replace('"label": 1', f'"label": {place}'), encoding="utf-8"
        )
    found = cells(seen(tmp_path))
    assert found["KD", "sst2, 200 dev (set 1) accuracy, %"] == "60.00 ‡"
    assert found["KD", "sst2, 200 dev (set 2) accuracy, %"] == "80.00 ‡"


def test_a_language_model_is_tested_against_the_baseline_on_as_many_texts(tmp_path: Path) -> None:
    for rows in (100, 1000):
        for name in ("SFT", "ATKD"):
            task = plain_record()["task"] | {"rows": {"train": rows, "dev": 200}}
            recipe = {"texts": {"rows": rows}}
            record = make_record(name, 0, 0.7, task=task, recipe=recipe, method={"name": name.lower()})
            write_run(tmp_path / str(rows), record, num_steps=2)
    found = seen(tmp_path)
    assert set(found.grid.header[1:]) == {"sst2 (rows 100) accuracy, %", "sst2 (rows 1000) accuracy, %"}
    assert {one.floor for one in found.cells if one.floor} == {"SFT"}


def test_the_run_that_made_the_teacher_does_not_say_how_much_data_its_students_had(tmp_path: Path) -> None:
    for fraction, accuracy in ((0.1, 0.7), (None, 0.8)):
        cell(tmp_path, "KD", accuracy, fraction=fraction, rows=6735 if fraction is None else 673)
    own = make_record("own", 0, 0.9, kind="finetune", student=network(6, "teacher-sst2"), teacher=None)
    write_run(tmp_path, own, num_steps=2)
    found = cells(seen(tmp_path))
    assert found["KD", "sst2 (fraction 0.1, 673 examples) accuracy, %"] == "70.00 ‡"
    assert found["KD", "sst2 accuracy, %"] == "80.00 ‡"


@pytest.mark.parametrize(
    ("metric", "value", "p_holm", "seeds", "mark"),
    [
        ("accuracy", 0.1, 0.049, 2, " ↑"),
        ("accuracy", -0.1, 0.049, 2, " ↓"),
        ("nats", -0.1, 0.049, 2, " ↑"),
        ("nats", 0.1, 0.049, 2, " ↓"),
        ("accuracy", 0.1, 0.05, 2, ""),
        ("accuracy", 0.1, None, 2, ""),
        ("accuracy", 0.1, 0.049, 1, ""),
    ],
)
def test_a_mark_needs_a_corrected_p_and_two_seeds_and_points_to_what_is_better(
    metric: str, value: float, p_holm: float | None, seeds: int, mark: str
) -> None:
    found = ComparisonStats(
        seeds=seeds, difference=estimate(np.full((2, 3), value)), p_value=0.01, p_holm=p_holm
    )
    quality = Spread(mean=0.5, sd=None, count=2)
    cell = Cell(
        row="KD",
        column="a",
        metric=metric,
        quality=quality,
        evidence=found,
        role="student",
        floor="FT",
        selected=False,
    )
    assert cell.mark == mark


def test_a_mark_of_the_headline_stands_at_no_other_score(tmp_path: Path) -> None:
    task = plain_record()["task"] | {"metrics": ["accuracy", "f1"]}
    for seed in range(2):
        for name, accuracy in (("FT", 0.5), ("KD", 0.9)):
            metrics = {"dev": {"accuracy": accuracy, "f1": 0.7}}
            write_run(tmp_path, make_record(name, seed, task=task, metrics=metrics), num_steps=2)
    text = cells(seen(tmp_path))
    assert text["KD", "sst2 accuracy, %"] == "90.00 ± 0.00 ↑"
    assert text["KD", "sst2 f1, %"] == "70.00 ± 0.00"


def test_two_dev_splits_are_two_columns(tmp_path: Path) -> None:
    metrics = {"dev": {"accuracy": 0.7}, "dev_mismatched": {"accuracy": 0.6}}
    write_run(tmp_path, make_record("KD", metrics=metrics), num_steps=2)
    text = cells(seen(tmp_path))
    assert text["KD", "sst2 dev accuracy, %"] == "70.00 ‡"
    assert text["KD", "sst2 dev mismatched accuracy, %"] == "60.00 ‡"

"""Rows are tested against what was only fine-tuned, and otherwise alike."""

from pathlib import Path

import pytest

from lmdistill.analysis.baselines import baselines
from lmdistill.analysis.compare import compare
from lmdistill.records.record import RecordedRun, find_records
from lmdistill.report.tables.quality import as_data, grid
from tests.report.studies import cell


def named(*runs: RecordedRun) -> list[tuple[str, list[RecordedRun]]]:
    return [(run.path.name, [run]) for run in runs]


@pytest.fixture
def two_sizes(tmp_path: Path) -> list[tuple[str, list[RecordedRun]]]:
    return named(*(cell(tmp_path, name, 0.7, layers=layers) for layers in (2, 3) for name in ("FT", "KD")))


def test_each_size_has_its_own(two_sizes: list[tuple[str, list[RecordedRun]]]) -> None:
    (small, _), (_, _), (large, _), (_, _) = two_sizes
    assert list(baselines(two_sizes, None).values()) == [small, small, large, large]


def test_a_named_one_is_that_of_all(two_sizes: list[tuple[str, list[RecordedRun]]]) -> None:
    wanted = two_sizes[3][0]
    assert set(baselines(two_sizes, wanted).values()) == {wanted}
    assert baselines(two_sizes, "of another table") == baselines(two_sizes, None)


def test_where_a_size_has_none_it_is_that_of_the_table(
    two_sizes: list[tuple[str, list[RecordedRun]]],
) -> None:
    assert set(baselines(two_sizes[1:], None).values()) == {two_sizes[2][0]}
    assert set(baselines([two_sizes[1], two_sizes[3]], None).values()) == {None}


def test_a_row_whose_baseline_is_of_another_size_says_so(tmp_path: Path) -> None:
    for name, layers in (("FT", 3), ("FT", 2), ("KD", 2), ("KD", 4)):
        cell(tmp_path, name, 0.7, layers=layers)
    (table,) = compare(find_records([tmp_path]))
    (said,) = [note for note in grid(table).notes if "another size" in note]
    assert said.startswith(
        "Tested against FT layers=2, which has another size or amount of data: KD layers=4."
    )


def test_new_rows_are_tested_against_the_originals_and_other_amounts_against_their_own(
    tmp_path: Path,
) -> None:
    new = cell(tmp_path, "FT", 0.7, augmentation="apertium", rows=13000)
    rows = named(new, cell(tmp_path, "FT", 0.6), cell(tmp_path, "FT", 0.5, fraction=0.1, rows=673))
    assert list(baselines(rows, None).values()) == [rows[1][0], rows[1][0], rows[2][0]]


def test_a_table_says_which_one_and_reckons_the_gap_from_it(tmp_path: Path) -> None:
    for seed in range(3):
        for layers, base in ((2, 0.6), (3, 0.8)):
            cell(tmp_path, "FT", base, seed=seed, layers=layers)
            cell(tmp_path, "KD", base + 0.05, seed=seed, layers=layers)
    (table,) = compare(find_records([tmp_path]))
    rows = {row.label: row for row in table.rows}
    assert {label: row.floor for label, row in rows.items() if row.role == "student"} == {
        "KD layers=2": "FT layers=2",
        "KD layers=3": "FT layers=3",
    }
    assert [rows[f"KD layers={n}"].closed for n in (2, 3)] == pytest.approx([0.05 / 0.3, 0.05 / 0.1])
    differences = [rows[f"KD layers={n}"].evidence.difference for n in (2, 3)]
    assert [one and one.value for one in differences] == pytest.approx([0.05, 0.05])
    found = grid(table)
    assert "p against baseline" in found.header
    assert any("(FT layers=2, FT layers=3)" in note for note in found.notes)
    assert [row["against"] for row in as_data(table)].count("FT layers=2") == 1

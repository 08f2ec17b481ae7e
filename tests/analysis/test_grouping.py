"""What belongs together in a table and in a row, and what rows are called."""

from pathlib import Path

import pytest

from lmdistill.analysis.compare import compare
from lmdistill.records.predictions import PREDICTIONS
from lmdistill.records.record import RecordedRun
from lmdistill.report.tables.quality import grid
from tests.report.factory import make_record, network, plain_record, schedule, write_run
from tests.report.fake_records import rows_of, run


def test_rows_of_one_name_are_told_apart_by_what_differs() -> None:
    few = plain_record()["task"] | {"rows": {"train": 673, "dev": 200}}
    settings = {"method": {"name": "mixkd", "alpha": 2.0}}
    rows = rows_of(run("MixKD"), run("MixKD", task=few), run("MixKD", **settings))
    names = ["(6,735 examples, alpha=1.0)", "(673 examples, alpha=1.0)", "(6,735 examples, alpha=2.0)"]
    assert list(rows) == ["Teacher", *(f"MixKD {name}" for name in names)]


def test_rows_whose_names_hold_the_same_words_are_both_there() -> None:
    rows = rows_of(run("KD epochs=1 epochs=2"), run("KD epochs=2 epochs=1"))
    assert list(rows) == ["Teacher", "KD", "KD, 2"]
    assert [len(row.runs) for row in rows.values() if row.role != "teacher"] == [1, 1]


def test_a_setting_that_is_none_is_as_good_as_one_that_is_missing() -> None:
    old, new = {"name": "kd", "alpha": 1.0}, {"name": "kd", "alpha": 1.0, "weight": None}
    rows = rows_of(run("KD", 0, method=old), run("KD", 1, method=new))
    assert len(rows["KD"].runs) == 2


def test_students_of_teachers_of_other_shapes_are_rows_of_their_own() -> None:
    rows = rows_of(run("KD", 0), run("KD", 1, teacher=network(12, "large")))
    assert list(rows)[-2:] == ["KD (teacher with 6 layers)", "KD (teacher with 12 layers)"]


def test_seeds_of_a_pruned_student_are_one_row_though_their_widths_differ_a_little() -> None:
    def pruned(seed: int, keep: float, fewer: int) -> RecordedRun:
        student = network(6, f"pruned-{keep}-{seed}")
        student["parameters"] |= {"encoder": 5_000_000 - fewer, "total": 17_000_000 - fewer}
        return run("MiniDisc", seed, student=student, schedule=schedule(keep=keep))

    rows = rows_of(pruned(0, 0.1, 0), pruned(1, 0.1, 6152), pruned(0, 0.2, 1000))
    students = {label: len(row.runs) for label, row in rows.items() if row.role != "teacher"}
    assert students == {"MiniDisc (keeps 10 %)": 2, "MiniDisc (keeps 20 %)": 1}


def test_settings_of_all_students_are_said_once_and_not_in_every_label() -> None:
    runs = [
        run("FT layers=3 ratio=1"),
        run("KD layers=3 ratio=1"),
        run("KD layers=3 ratio=2", task=plain_record()["task"] | {"name": "rte"}),
    ]
    tables = compare(runs)
    assert [[row.label for row in table.rows] for table in tables] == [
        ["Teacher", "FT ratio=1", "KD ratio=1"],
        ["Teacher", "KD ratio=2"],
    ]
    assert {table.shared for table in tables} == {("layers=3",)}
    assert all("All students: layers=3." in grid(table).notes for table in tables)
    (one,) = compare(runs[:1])
    assert [row.label for row in one.rows] == ["Teacher", "FT layers=3 ratio=1"]


@pytest.mark.parametrize("name", ["KD", "KD layers=3"])
def test_rows_are_named_with_or_without_what_all_share(name: str) -> None:
    rows = rows_of(
        run("FT layers=3"), run("KD layers=3"), run("A layers=3"), baseline=name, order=["A layers=3"]
    )
    assert [(label, row.role) for label, row in rows.items()] == [
        ("Teacher", "teacher"),
        ("KD", "baseline"),
        ("A", "student"),
        ("FT", "student"),
    ]


def test_each_task_has_its_own_comparison() -> None:
    other = plain_record()["task"] | {"name": "rte"}
    tables = compare([run("KD"), run("KD", task=other), run("FT")])
    assert [table.task.name for table in tables] == ["sst2", "rte"]
    assert len(tables[0].rows) == 3


def test_runs_on_other_dev_examples_stand_apart(tmp_path: Path) -> None:
    def runs(name: str, **changes: object) -> RecordedRun:
        task = plain_record()["task"] | changes
        return write_run(tmp_path / name, make_record(name, task=task), num_steps=1)

    few = plain_record()["task"]["rows"] | {"dev": 100}
    same, fewer = [runs("FT"), runs("KD")], runs("MixKD", rows=few)
    tables = compare([*same, fewer, runs("PKD", dev_fingerprint="a" * 16)])
    assert [[run.record.name for run in table.runs] for table in tables] == [["FT", "KD", "PKD"], ["MixKD"]]
    assert all(table.apart for table in tables)
    known = [runs("A", dev_fingerprint="a" * 16), runs("B", dev_fingerprint="b" * 16)]
    assert [table.apart for table in compare(known)] == [True, True]
    assert [table.apart for table in compare(same)] == [False]
    # what is not known of the first run does not bring together what is known of the others
    mixed = compare([*same, *known])
    assert [[run.record.name for run in table.runs] for table in mixed] == [["FT", "KD", "A"], ["B"]]


def test_other_labels_tell_other_dev_examples(tmp_path: Path) -> None:
    runs = [write_run(tmp_path, make_record(name), num_steps=1) for name in ("FT", "KD", "PKD")]
    lines = (runs[1].path / PREDICTIONS).read_text(encoding="utf-8")
    (runs[1].path / PREDICTIONS).write_text(lines.replace('"label": 1', '"label": 0'), encoding="utf-8")
    assert [[run.record.name for run in table.runs] for table in compare(runs)] == [["FT", "PKD"], ["KD"]]
    (runs[1].path / PREDICTIONS).unlink()  # what is not known speaks for no other set
    assert [len(table.runs) for table in compare(runs)] == [3]

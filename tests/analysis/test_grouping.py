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


def trained(name: str, seed: int = 0, accuracy: float = 0.8, **settings: object) -> RecordedRun:
    """A run whose recipe has these training settings."""
    recipe = {**make_record(name).recipe, "training": settings, "seeds": [seed]}
    return run(name, seed, accuracy, recipe=recipe)


RATES = [{"optimizer": {"learning_rate": rate}, "epochs": 3} for rate in (2e-5, 1e-3)]


def test_runs_with_other_training_settings_are_rows_of_their_own_that_say_so() -> None:
    rows = rows_of(*(trained("KD", seed, 0.5 + 0.4 * n, **RATES[n]) for seed in (0, 1) for n in (0, 1)))
    assert list(rows)[1:] == ["KD (learning_rate=2e-05)", "KD (learning_rate=0.001)"]
    assert [rows[label].quality["dev", "accuracy"].mean for label in list(rows)[1:]] == [0.5, 0.9]
    assert [len(row.runs) for row in list(rows.values())[1:]] == [2, 2]


@pytest.mark.parametrize(
    ("path", "values", "shown"),
    [
        ("training.epochs", (1, 3), "epochs=1"),
        ("teacher.training.epochs", (1, 3), "teacher.training.epochs=1"),
        ("student.init", ("teacher", "random"), "student.init=teacher"),
        ("texts.max_length", (64, 128), "texts.max_length=64"),
        ("schedule.name", ("direct", "path"), "schedule.name=direct"),
    ],
)
def test_every_setting_of_a_recipe_but_seeds_and_places_keeps_runs_apart(path, values, shown) -> None:
    def recipe(seed: int, value: object) -> dict[str, object]:
        table: dict[str, object] = {path.split(".")[-1]: value}
        for name in reversed(path.split(".")[:-1]):
            table = {name: table}
        places = {"data": {"source": f"/elsewhere/{seed}"}, "seeds": [seed], "seed": seed}
        return {**places, **table}

    runs = [run("KD", seed, recipe=recipe(seed, values[seed % 2])) for seed in range(4)]
    rows = list(rows_of(*runs).items())[1:]
    assert [len(row.runs) for _, row in rows] == [2, 2]
    assert rows[0][0] == f"KD ({shown})"
    assert len(rows_of(*(run("KD", seed, recipe=recipe(seed, values[0])) for seed in range(4)))) == 2


def test_a_setting_that_an_older_recipe_lacks_keeps_no_runs_apart() -> None:
    older, newer = trained("KD", 0, epochs=3), trained("KD", 1, epochs=3, compile=False)
    assert [len(row.runs) for row in rows_of(older, newer).values() if row.role != "teacher"] == [2]


def test_many_differing_settings_make_no_long_label() -> None:
    one, two = (dict.fromkeys("abcdef", value) for value in (1, 2))
    assert (
        list(rows_of(trained("KD", **one), trained("KD", **two)))[1] == "KD (a=1, b=1, c=1, 3 more settings)"
    )


def test_a_row_is_compared_with_the_baseline_that_was_trained_as_it_was() -> None:
    rows = rows_of(*(trained(name, **RATES[n]) for n in (0, 1) for name in ("FT", "KD")))
    for rate in ("2e-05", "0.001"):
        assert rows[f"KD (learning_rate={rate})"].floor == f"FT (learning_rate={rate})"

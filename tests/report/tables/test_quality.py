import json
from pathlib import Path

import pytest

from lmdistill.analysis.compare import compare
from lmdistill.records.record import RecordedRun
from lmdistill.report.grid import Grid, markdown
from lmdistill.report.tables.quality import as_data, grid, summary
from tests.report.factory import latency, make_record, network, plain_record


def run(name: str, seed: int = 0, accuracy: float = 0.8, **changes: object) -> RecordedRun:
    return RecordedRun(path=Path(f"{name}-{seed}"), record=make_record(name, seed, accuracy, **changes))


def table_of(*runs: RecordedRun) -> Grid:
    (table,) = compare(runs)
    return grid(table)


def two_rows() -> list[RecordedRun]:
    return [run("FT", 0, 0.8), run("FT", 1, 0.82), run("MixKD", 0, 0.86), run("MixKD", 1, 0.88)]


def test_every_cell_by_hand() -> None:
    # parameters of 3 layers: 11,918,592 + 3 * 1,774,464 + 148,610 = 17,390,594; four bytes each = 69.6 MB
    # MixKD: (86 + 88) / 2 = 87, deviation sqrt(2) = 1.41; 87 / 90 = 96.67 %; (87 - 81) / (90 - 81) = 66.67 %
    found = table_of(*two_rows())
    assert found.header == (
        "",
        "accuracy, %",
        "seeds",
        "parameters",
        "on disk",
        "latency p50, batch 1",
        "speed-up",
        "score, % of teacher",
        "gap closed, %",
    )
    assert found.rows == (
        ("Teacher", "90.00 ‡", "1", "22.71 M", "90.9 MB", "12.0 ms", "1.00 ×", "100.00", "–"),
        ("FT", "81.00 ± 1.41", "2", "17.39 M", "69.6 MB", "6.00 ms", "2.00 ×", "90.00", "0.00"),
        ("MixKD", "87.00 ± 1.41", "2", "17.39 M", "69.6 MB", "6.00 ms", "2.00 ×", "96.67", "66.67"),
    )
    assert found.caption == "sst2 (6,735 training, 200 dev examples; glue folder)"
    assert "‡ one seed, so no standard deviation." in found.notes
    assert "A constant prediction scores: accuracy 51.00." in found.notes


def test_what_nobody_measured_has_no_column() -> None:
    bare = network(3, "x") | {"latency": {}, "disk_bytes": None}
    found = table_of(run("KD", student=bare, teacher=None, teacher_metrics=None))
    assert found.header == ("", "accuracy, %", "seeds", "parameters")


def test_dev_selected_rows_bear_a_mark_and_a_note() -> None:
    found = table_of(run("FT"), run("KD", selected="dev-best"))
    assert [row[1] for row in found.rows] == ["90.00 ‡", "80.00 ‡", "80.00 ‡ †"]
    assert any(note.startswith("† dev-selected") for note in found.notes)
    assert not any("dev-selected" in note for note in table_of(run("FT")).notes)


@pytest.mark.parametrize(
    ("model", "keep", "mark"), [("bert", "best", " †"), ("bert", "last", ""), ("runs/teacher", "best", "")]
)
def test_a_teacher_that_dev_has_chosen_bears_the_mark_without_a_run_of_its_own(
    model: str, keep: str, mark: str
) -> None:
    recipe = {"teacher": {"model": model, "training": {"keep": keep}}}
    found = table_of(run("FT", recipe=recipe), run("KD", recipe=recipe))
    assert [row[1] for row in found.rows] == [f"90.00 ‡{mark}", "80.00 ‡", "80.00 ‡"]
    assert any(note.startswith("† dev-selected") for note in found.notes) == bool(mark)


def test_texts_without_labels_are_counted_in_the_caption() -> None:
    task = plain_record()["task"] | {"unlabelled_rows": 1200}
    assert "6,735 training, 1,200 without labels, 200 dev examples" in table_of(run("KD", task=task)).caption
    assert "without labels" not in table_of(run("KD")).caption


def test_synthetic_data_is_named_in_the_caption() -> None:
    task = plain_record()["task"] | {"synthetic": True}
    assert "synthetic data" in table_of(run("KD", task=task)).caption
    assert "synthetic" not in table_of(run("KD")).caption


def test_alarms_are_counted_in_the_table_and_said_once_below_it() -> None:
    found = table_of(run("KD", 0, alarms=["too low", "too odd"]), run("KD", 1, alarms=["too low"]), run("FT"))
    assert found.header[-1] == "alarms"
    assert [row[-1] for row in found.rows] == ["–", "–", "2"]
    assert found.alarms == ("KD: too low", "KD: too odd")


def test_two_dev_splits_are_two_columns() -> None:
    task = plain_record()["task"] | {"rows": {"train": 10, "dev_matched": 5, "dev_mismatched": 4}}
    scores = {"dev_matched": {"accuracy": 0.8}, "dev_mismatched": {"accuracy": 0.7}}
    found = table_of(run("KD", task=task, metrics=scores, teacher_metrics=scores))
    assert found.header[1:3] == ("dev matched accuracy, %", "dev mismatched accuracy, %")
    assert found.rows[1][1:3] == ("80.00 ‡", "70.00 ‡")
    assert "5 dev_matched, 4 dev_mismatched" in found.caption


def test_latencies_of_different_devices_are_not_left_unsaid() -> None:
    gpu = network(3, "KD-0") | {"latency": {"1": latency(1.0, 1) | {"device": "cuda"}}}
    assert any("different devices" in note for note in table_of(run("FT"), run("KD", student=gpu)).notes)
    assert not any("different devices" in note for note in table_of(*two_rows()).notes)


def test_a_seed_that_stands_twice_is_said() -> None:
    found = table_of(run("KD"), run("KD"))
    said = "KD: the row has several runs with the same seed (0)"
    assert any(alarm.startswith(said) for alarm in found.alarms), found.alarms


def test_markdown_has_as_many_bars_in_every_line_whatever_the_texts() -> None:
    task = plain_record()["task"] | {"name": "a|b <script>"}
    text = markdown(table_of(run("x | y\n<b>", task=task), run("FT", task=task)))
    lines = [line.replace("\\|", "") for line in text.splitlines() if line.startswith("|")]
    assert len(lines) == 5
    assert len({line.count("|") for line in lines}) == 1
    assert "<b>" not in text
    assert "<script>" not in text


def test_the_data_is_json_with_the_numbers_of_the_table() -> None:
    (table,) = compare(two_rows())
    rows = json.loads(json.dumps(as_data(table), allow_nan=False))
    assert [row["name"] for row in rows] == ["Teacher", "FT", "MixKD"]
    assert rows[2]["quality"]["dev/accuracy"]["count"] == 2
    assert rows[2]["seeds"] == [0, 1]
    assert rows[2]["parameters"] == 17_390_594


def test_the_summary_is_one_sentence_with_the_three_figures() -> None:
    (table,) = compare(two_rows())
    assert summary(table.rows[2], table) == (
        "MixKD keeps 96.67 % of the teacher's accuracy, has 77 % of its parameters and is 2.00 times as fast."
    )


def test_the_summary_is_about_the_own_teacher_of_the_row() -> None:
    small, large = network(6, "small"), network(12, "large")
    runs = [run("KD", teacher=small), run("PKD", teacher=large, teacher_metrics={"dev": {"accuracy": 0.8}})]
    (table,) = compare(runs)
    said = {row.label: summary(row, table) for row in table.rows}
    assert "has 77 % of its parameters" in said["KD"]
    assert "keeps 100.00 % of the teacher's accuracy, has 52 % of its parameters" in said["PKD"]


def test_the_summary_says_how_far_the_own_teacher_of_the_row_is() -> None:
    task = plain_record()["task"] | {"kind": "language", "labels": [], "metrics": ["nats"]}

    def taught(name: str, nats: float) -> RecordedRun:
        teacher = {"teacher": network(6, f"of {name}"), "teacher_metrics": {"dev": {"nats": nats}}}
        return run(name, task=task, metrics={"dev": {"nats": 2.0}}, majority={}, **teacher)

    (table,) = compare([taught("KD", 1.5), taught("PKD", 1.0)])
    said = [summary(row, table) for row in table.rows if row.role != "teacher"]
    assert ["0.500 more" in said[0], "1.000 more" in said[1]] == [True, True]


def test_a_summary_without_a_share_says_whose_parameters_it_means() -> None:
    (table,) = compare([run("KD", teacher_metrics={"dev": {"accuracy": 0.0}})])
    assert "has 77 % of the teacher's parameters and is" in summary(table.rows[1], table)


def test_a_row_without_a_teacher_is_not_measured_by_one_of_several() -> None:
    alone = run("FT", teacher=None, teacher_metrics=None)
    (table,) = compare([alone, run("KD", teacher=network(6, "a")), run("PKD", teacher=network(12, "b"))])
    (row,) = (row for row in table.rows if row.label == "FT")
    assert summary(row, table) == "FT has 80.00 accuracy, %."


def test_where_a_teacher_was_trained_says_nothing_of_latencies_that_its_students_took() -> None:
    gpu = network(6, "teacher") | {"latency": {"1": latency(1.0, 1) | {"device": "cuda"}}}
    found = table_of(run("own", kind="finetune", student=gpu, teacher=None), *two_rows())
    assert not any("different devices" in note for note in found.notes)

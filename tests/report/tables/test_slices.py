import json
from dataclasses import replace
from pathlib import Path

import pytest

from lmdistill.analysis.compare import compare
from lmdistill.core.errors import RunError
from lmdistill.records.disagreements import (
    DISAGREEMENTS,
    LONGEST,
    Text,
    instructive,
    shortened,
    write_disagreements,
)
from lmdistill.records.predictions import PREDICTIONS, Prediction, read_predictions, write_predictions
from lmdistill.records.record import RecordedRun
from lmdistill.report.quotes import quotes
from lmdistill.report.tables.slices import slices
from tests.report.factory import make_record, network, write_run

NEGATIVE, POSITIVE = (2.0, 0.0), (0.0, 2.0)


def one(
    example: int,
    label: int,
    student: tuple[float, ...],
    teacher: tuple[float, ...] | None,
    tokens: int | None = None,
) -> Prediction:
    return Prediction(
        example=example, split="dev", label=label, student=student, teacher=teacher, tokens=tokens
    )


def answered(root: Path, rows: list[Prediction], **changes: object) -> RecordedRun:
    run = write_run(root, make_record("KD", **changes))
    write_predictions(run.path / PREDICTIONS, rows)
    return run


def test_right_answers_by_class_and_by_length(tmp_path: Path) -> None:
    rows = [one(i, i % 2, NEGATIVE if i < 6 else POSITIVE, POSITIVE, tokens=i + 1) for i in range(8)]
    by_class, by_length = slices(compare([answered(tmp_path, rows)])[0])
    assert by_class.header == ("", "negative (4)", "positive (4)")
    assert by_class.rows == (("Teacher", "0.00", "100.00"), ("KD", "75.00", "25.00"))
    assert by_length.header[1:] == (
        "1 to 2 tokens (2)",
        "3 to 4 tokens (2)",
        "5 to 6 tokens (2)",
        "7 to 8 tokens (2)",
    )
    assert by_length.rows[1] == ("KD", "50.00", "50.00", "50.00", "50.00")


def test_a_part_of_one_length_says_one_number(tmp_path: Path) -> None:
    rows = [one(i, i % 2, NEGATIVE, POSITIVE, tokens=15 + (i > 2)) for i in range(4)]
    assert slices(compare([answered(tmp_path, rows)])[0])[1].header[1:] == ("15 tokens (3)", "16 tokens (1)")


def test_older_runs_have_no_lengths(tmp_path: Path) -> None:
    run = answered(tmp_path, [])
    lines = [{"example": i, "split": "dev", "label": i, "student": [0, 1]} for i in range(2)]
    (run.path / PREDICTIONS).write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert [found.tokens for found in read_predictions(run.path / PREDICTIONS)] == [None, None]
    (by_class,) = slices(compare([run])[0])
    assert by_class.rows == (("KD", "0.00", "100.00"),)


def test_runs_without_answers_or_classes_have_no_parts(tmp_path: Path) -> None:
    assert slices(compare([write_run(tmp_path, make_record("KD"))])[0]) == ()
    with pytest.raises(RunError, match=r"predictions\.jsonl is empty"):
        slices(compare([answered(tmp_path, [])])[0])


def test_those_that_differ_most_come_first_and_agreement_is_none() -> None:
    rows = [
        one(0, 1, NEGATIVE, POSITIVE),
        one(1, 1, (9.0, 0.0), POSITIVE),
        one(2, 1, (9.0, 0.0), NEGATIVE),
        one(3, 1, POSITIVE, (5.0, 0.0)),
        one(4, 1, NEGATIVE, None),
        one(5, 1, (float("nan"), 0.0), POSITIVE),
    ]
    assert [found.example for found in instructive(rows)] == [1, 3, 0]
    assert [found.example for found in instructive(rows, 1)] == [1]


def test_a_disagreement_is_shown_with_its_text_where_that_was_kept(tmp_path: Path) -> None:
    run = answered(tmp_path, [one(0, 1, NEGATIVE, POSITIVE), one(1, 1, (9.0, 0.0), POSITIVE)])
    write_disagreements(run.path / DISAGREEMENTS, [Text(example=1, split="dev", texts=("a film",))])
    found = quotes(run)
    assert found is not None
    first, second = found.found
    assert (first.title, first.texts, first.label) == ("dev, example 1", ("a film",), "positive")
    assert (first.student, first.teacher) == ("negative (100 %)", "positive (88 %)")
    assert second.texts == ()


@pytest.mark.parametrize("length", [0, LONGEST, LONGEST + 1, 10 * LONGEST])
def test_long_texts_are_cut(length: int) -> None:
    text = shortened("a" * length)
    assert len(text) == min(length, LONGEST)
    assert text.endswith("…") == (length > LONGEST)


def test_a_teacher_of_many_students_counts_once(tmp_path: Path) -> None:
    right = [one(i, i % 2, POSITIVE, (POSITIVE, NEGATIVE)[i % 2 == 0]) for i in range(4)]
    wrong = [one(i, i % 2, POSITIVE, (NEGATIVE, POSITIVE)[i % 2 == 0]) for i in range(4)]
    runs = []
    for name, teacher, rows in (("KD", "a", right), ("PKD", "a", right), ("MixKD", "b", wrong)):
        run = write_run(tmp_path, make_record(name, teacher=network(6, teacher)))
        write_predictions(run.path / PREDICTIONS, rows)
        runs.append(run)
    (by_class,) = slices(compare(runs)[0])
    assert by_class.rows[0] == ("Teacher", "50.00", "50.00")


def test_only_the_examples_of_the_headline_count(tmp_path: Path) -> None:
    rows = [one(i, i % 2, NEGATIVE, POSITIVE) for i in range(4)]
    others = [replace(row, split="dev_mismatched", student=POSITIVE) for row in rows]
    (by_class,) = slices(compare([answered(tmp_path, [*rows, *others])])[0])
    assert by_class.header == ("", "negative (2)", "positive (2)")
    assert by_class.rows[1] == ("KD", "100.00", "0.00")


def test_an_answer_that_is_no_number_leaves_its_part_without_a_share(tmp_path: Path) -> None:
    rows = [one(i, i % 2, (float("nan"), 0.0) if i == 2 else POSITIVE, POSITIVE, tokens=i) for i in range(4)]
    by_class, _ = slices(compare([answered(tmp_path, rows)])[0])
    assert by_class.rows[1] == ("KD", "–", "100.00")


def test_lengths_that_some_answers_lack_make_no_parts(tmp_path: Path) -> None:
    rows = [one(i, i % 2, POSITIVE, POSITIVE, tokens=None if i == 0 else i) for i in range(4)]
    assert len(slices(compare([answered(tmp_path, rows)])[0])) == 1


def test_shares_are_means_over_seeds(tmp_path: Path) -> None:
    runs = []
    for seed, student in enumerate((POSITIVE, NEGATIVE)):
        runs.append(write_run(tmp_path, make_record("KD", seed)))
        write_predictions(runs[-1].path / PREDICTIONS, [one(i, i % 2, student, POSITIVE) for i in range(4)])
    (by_class,) = slices(compare(runs)[0])
    assert by_class.rows[1] == ("KD", "50.00", "50.00")

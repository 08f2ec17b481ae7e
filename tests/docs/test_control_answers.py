"""The control answers of the studies: hard ones, and ones that belong to other texts."""

import csv
import subprocess
import sys
from collections import Counter

import pytest

from lmdistill.data.files.table_format import TableFormat
from lmdistill.data.tasks.task_spec import TaskSpec
from lmdistill.data.tasks.teacher_answers import read_answers
from tests.docs.pages import EXAMPLES

PROGRAM = EXAMPLES / "studies" / "control_answers.py"
ROWS = [
    {"text": f"text {number}", "predicted": "good" if share > 0.5 else "bad", "p_bad": f"{1 - share:g}", "p_good": f"{share:g}"}
    for number, share in enumerate([0.9, 0.2, 0.55, 0.4, 0.7, 0.05, 0.63, 0.31])
]  # fmt: skip


def read(path):
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    path = tmp_path_factory.mktemp("answers") / "answers.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, ROWS[0].keys())
        writer.writeheader()
        writer.writerows(ROWS)
    subprocess.run([sys.executable, PROGRAM, path], check=True)
    return path


def test_hard_answers_are_the_most_probable_class(written):
    hard = read(written.with_stem("answers-hard"))
    assert [(row["text"], row["predicted"]) for row in hard] == [
        (row["text"], row["predicted"]) for row in ROWS
    ]
    assert all(float(row[f"p_{row['predicted']}"]) == 1 for row in hard)
    assert all(float(row["p_bad"]) + float(row["p_good"]) == 1 for row in hard)


def test_shuffled_answers_are_the_same_answers_of_other_texts(written):
    shuffled = read(written.with_stem("answers-shuffled"))
    assert [row["text"] for row in shuffled] == [row["text"] for row in ROWS]
    answers = [Counter((row["predicted"], row["p_good"]) for row in rows) for rows in (shuffled, ROWS)]
    assert answers[0] == answers[1]
    assert sum(one["p_good"] == other["p_good"] for one, other in zip(shuffled, ROWS, strict=True)) < 4


@pytest.mark.parametrize("name", ["answers-hard", "answers-shuffled"])
def test_a_teacher_can_be_either(written, name):
    spec = TaskSpec(name="own", columns=("text",), labels=("bad", "good"))
    read_answers(written.with_stem(name), spec, form=TableFormat())

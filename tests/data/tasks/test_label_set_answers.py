"""Files of answers about several labels a text: every way to write them gives the same logits."""

import csv
import json

import numpy as np
import pytest
from datasets import Dataset
from scipy.special import expit, logit

from lmdistill.core.errors import DataError
from lmdistill.data.files.table_format import TableFormat
from lmdistill.data.tasks.answer_reader import FLOOR
from lmdistill.data.tasks.task_spec import TaskSpec
from lmdistill.data.tasks.teacher_answers import read_answers

SPEC = TaskSpec(name="own", kind="multilabel", columns=("text",), labels=("blame", "cast", "plot"))
TEXTS = ["a bad plot", "a fine film", "nothing"]
SHARES = np.array([[0.9, 0.25, 0.75], [0.1, 0.5, 0.4], [0.05, 0.02, 0.01]])


def of(path, **settings):
    rows = Dataset.from_dict({"sentence1": TEXTS, "sentence2": [""] * 3})
    return read_answers(path, SPEC, form=TableFormat(), **settings).of(rows)


def lines(path, values, column):
    rows = [{"text": text, column: value} for text, value in zip(TEXTS, values, strict=True)]
    path.write_text("".join(json.dumps(row) + "\n" for row in reversed(rows)))
    return path


def table(path, header, rows):
    with path.open("w", newline="") as file:
        csv.writer(file).writerows(
            [["text", *header], *([t, *row] for t, row in zip(TEXTS, rows, strict=True))]
        )
    return path


def named(values):
    return [dict(zip(SPEC.labels, map(float, row), strict=True)) for row in values]


def test_probabilities_and_logits_give_the_same_however_they_are_written(tmp_path):
    swapped = [{"plot": c, "blame": a, "Cast": b} for a, b, c in SHARES.tolist()]
    paths = [
        lines(tmp_path / "a.jsonl", named(SHARES), "probabilities"),
        lines(tmp_path / "b.jsonl", swapped, "probabilities"),
        lines(tmp_path / "c.jsonl", SHARES.tolist(), "probabilities"),
        lines(tmp_path / "d.jsonl", named(logit(SHARES)), "logits"),
        table(tmp_path / "e.csv", SPEC.labels, SHARES),
        table(tmp_path / "f.csv", ["predicted", "p_plot", "p_blame", "p_cast"],
              [['["blame"]', c, a, b] for a, b, c in SHARES.tolist()]),
    ]  # fmt: skip
    for path in paths:
        np.testing.assert_allclose(of(path), logit(SHARES), rtol=1e-6)


def test_lists_of_labels_and_of_judges_are_shares_of_votes(tmp_path):
    single = [["blame", "plot"], ["cast"], []]
    votes = [[["blame"], ["plot", "blame"]], [["cast"], []], [[], []]]
    by_name = [{"ann": ["blame"], "bob": ["Plot", "blame"]}, {"ann": ["cast"], "bob": []}, {"ann": []}]
    sets = np.array([[1, 0, 1], [0, 1, 0], [0, 0, 0]])
    shares = np.array([[1, 0, 0.5], [0, 0.5, 0], [0, 0, 0]])
    for path, expected in [
        (lines(tmp_path / "a.jsonl", single, "labels"), sets),
        (table(tmp_path / "b.csv", ["predicted"], [[json.dumps(one)] for one in single]), sets),
        (lines(tmp_path / "c.jsonl", votes, "votes"), shares),
        (lines(tmp_path / "d.jsonl", votes, "labels"), shares),
        (lines(tmp_path / "e.jsonl", by_name, "votes"), shares),
    ]:
        np.testing.assert_allclose(expit(of(path).astype(float)), expected, atol=1.1 * FLOOR)
    path = table(tmp_path / "f.csv", ["labels"], [["blame;plot"], ["cast"], ["[]"]])
    np.testing.assert_allclose(expit(of(path, separator=";").astype(float)), sets, atol=1.1 * FLOOR)


@pytest.mark.parametrize(
    ("value", "column", "said"),
    [
        ({"blame": 1.5, "cast": 0, "plot": 0}, "probabilities", r"line 3: a probability is 1\.5, where a number in \[0, 1\]"),
        ({"blame": -0.5, "cast": 0, "plot": 0}, "probabilities", r"line 3: a probability is -0\.5, where"),
        ({"blame": 0.5, "cast": 0}, "probabilities", r"line 3: there is no number for plot"),
        ({"blame": 0.5, "cast": 0, "plto": 0}, "probabilities", r"line 3: the answer is about 'plto', which is no class of own"),
        (["plto"], "labels", r"line 3: the answer is about 'plto', which is no class of own: blame, cast, plot"),
        (None, "labels", r"line 3: labels is empty\. Remove the row, or write \[\]"),
        ("blame", "labels", r"line 3: 'labels' holds 'blame', where a list of labels is needed"),
    ],
)  # fmt: skip
def test_answers_that_cannot_be_used_are_refused_in_one_line(tmp_path, value, column, said):
    others = [[], []] if column == "labels" else named(SHARES)[1:]
    with pytest.raises(DataError, match=said) as caught:
        of(lines(tmp_path / "a.jsonl", [value, *others], column))
    assert "\n" not in str(caught.value)


def test_probabilities_need_not_add_up_but_do_for_one_label_a_text(tmp_path):
    path = lines(tmp_path / "a.jsonl", [[0.9, 0.9, 0.9]] * 3, "probabilities")
    np.testing.assert_allclose(expit(of(path).astype(float)), 0.9, rtol=1e-6)
    classes = TaskSpec(name="own", columns=("text",), labels=SPEC.labels)
    with pytest.raises(DataError, match=r"add up to 2\.7"):
        read_answers(path, classes, form=TableFormat())

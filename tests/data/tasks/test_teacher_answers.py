"""Files of answers: every way to write them gives the same logits, joined by the texts alone."""

import csv
import json
import random

import numpy as np
import pytest
from datasets import Dataset
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import softmax

from lmdistill.core.errors import DataError
from lmdistill.data.files.table_format import TableFormat
from lmdistill.data.tasks.answer_reader import FLOOR
from lmdistill.data.tasks.task_spec import TaskSpec
from lmdistill.data.tasks.teacher_answers import read_answers, require_joined

SPEC = TaskSpec(name="own", columns=("text",), labels=("neg", "mid", "pos"))
TEXTS = ["a bad film", "a fine  film", "a good film"]
SHARES = np.array([[0.7, 0.2, 0.1], [0.25, 0.5, 0.25], [0.05, 0.15, 0.8]])


def task_rows(texts):
    return Dataset.from_dict({"sentence1": texts, "sentence2": [""] * len(texts)})


def read(path, spec=SPEC):
    return read_answers(path, spec, form=TableFormat())


def lines(tmp_path, rows, name="answers.jsonl"):
    path = tmp_path / name
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def table(tmp_path, header, rows):
    path = tmp_path / "answers.csv"
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([header, *rows])
    return path


def written(tmp_path):
    """The same answers in every way that they can be written."""
    named = [dict(zip(SPEC.labels, map(float, shares), strict=True)) for shares in SHARES]
    mixed = [dict(sorted(one.items(), key=lambda item: item[1])) for one in named]
    logits = [{name: float(np.log(p)) for name, p in one.items()} for one in named]
    pairs = list(zip(TEXTS, SHARES.tolist(), strict=True))
    yield lines(
        tmp_path, [{"text": t, "probabilities": one} for t, one in zip(TEXTS, mixed, strict=True)], "a.jsonl"
    )
    yield lines(tmp_path, [{"probabilities": one, "text": t} for t, one in pairs], "b.jsonl")
    yield lines(
        tmp_path, [{"text": t, "logits": one} for t, one in zip(TEXTS, logits, strict=True)], "c.jsonl"
    )
    yield table(tmp_path, ["text", "pos", "neg", "mid"], [[t, one[2], one[0], one[1]] for t, one in pairs])
    yield table(
        tmp_path, ["p_pos", "text", "p_Neg", "p_mid"], [[one[2], t, one[0], one[1]] for t, one in pairs]
    )
    yield table(tmp_path, ["text", "predicted", "logit_neg", "logit_mid", "logit_pos"],
                [[t, "neg", *np.log(one)] for t, one in pairs])  # fmt: skip


def test_every_way_to_write_them_gives_the_same_probabilities(tmp_path):
    for path in written(tmp_path):
        found = read(path).of(task_rows(TEXTS))
        np.testing.assert_allclose(softmax(found, axis=1), SHARES, atol=1e-6)


@given(seed=st.integers(0, 1000))
def test_the_order_of_rows_does_not_matter(seed, tmp_path_factory):
    rows = [{"text": t, "probabilities": one.tolist()} for t, one in zip(TEXTS, SHARES, strict=True)]
    random.Random(seed).shuffle(rows)
    path = lines(tmp_path_factory.mktemp("x"), rows)
    np.testing.assert_allclose(softmax(read(path).of(task_rows(TEXTS)), axis=1), SHARES, atol=1e-6)


def test_shuffled_answers_are_other_answers(tmp_path):
    rows = [{"text": t, "probabilities": one.tolist()} for t, one in zip(TEXTS, SHARES[::-1], strict=True)]
    found = softmax(read(lines(tmp_path, rows)).of(task_rows(TEXTS)), axis=1)
    np.testing.assert_allclose(found, SHARES[::-1], atol=1e-6)


def test_logits_of_probabilities_are_centred_and_never_infinite(tmp_path):
    path = lines(tmp_path, [{"text": "a", "probabilities": {"neg": 1.0, "mid": 0.0, "pos": 0}}])
    (logits,) = read(path).of(task_rows(["a"]))
    assert np.isfinite(logits).all()
    assert logits.sum() == pytest.approx(0, abs=1e-5)
    assert logits[0] - logits[1] == pytest.approx(-np.log(FLOOR), rel=1e-5)


@pytest.mark.parametrize("column", ["label", "predicted", "answer"])
def test_a_label_is_the_probability_one(tmp_path, column):
    path = table(tmp_path, ["text", column], [["a", " POS "], ["b", "neg"]])
    assert read(path).of(task_rows(["a", "b"])).argmax(1).tolist() == [2, 0]


@pytest.mark.parametrize(
    "votes", [["neg", "pos", "neg", "neg"], {"anna": "neg", "ben": "pos", "c": "neg", "d": "neg"}]
)
def test_several_judges_give_the_shares_of_their_votes(tmp_path, votes):
    found = read(lines(tmp_path, [{"text": "a", "labels": votes}]))
    np.testing.assert_allclose(softmax(found.of(task_rows(["a"])))[0], [0.75, 0, 0.25], atol=1e-5)
    assert found.kind == "votes"


def test_a_text_that_is_answered_twice_has_the_mean(tmp_path):
    rows = [{"text": "a", "logits": [1.0, 0, 0]}, {"text": " a ", "logits": [3.0, 0, 0]}]
    found = read(lines(tmp_path, rows))
    assert found.of(task_rows(["a"])).tolist() == [[2.0, 0.0, 0.0]]
    assert found.repeated == 1


def test_texts_without_an_answer_are_counted_and_less_than_half_is_refused(tmp_path):
    answers = read(lines(tmp_path, [{"text": t, "logits": [0.0, 1, 2]} for t in "ab"]))
    logits = answers.of(task_rows(list("abcd")))
    assert np.isnan(logits[:, 0]).tolist() == [False, False, True, True]
    assert require_joined(answers, logits, "training texts").endswith("2 have none")
    with pytest.raises(DataError, match=r"has answers for 2 of 5 training texts, which is less than half"):
        require_joined(answers, answers.of(task_rows(list("abcde"))), "training texts")


def test_scores_are_taken_as_they_are(tmp_path):
    spec = TaskSpec(name="own", kind="regression", columns=("text",), metrics=("pearson",))
    found = read(table(tmp_path, ["text", "score"], [["a", "2.5"]]), spec)
    assert found.of(task_rows(["a"])).tolist() == [[2.5]]


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (
            {"probabilities": {"neg": 0.5, "mid": 0.6, "pos": -0.1}},
            r"line 1: a probability is -0\.1, which is negative",
        ),
        (
            {"probabilities": {"neg": 0.5, "mid": 0.1, "pos": 0.1}},
            r"line 1: the probabilities add up to 0\.7, not to 1",
        ),
        ({"probabilities": {"neg": 0.5, "mid": 0.5}}, r"there is no number for pos"),
        (
            {"probabilities": {"neg": 0.5, "mid": 0.2, "great": 0.3}},
            r"about 'great', which is no class of own: neg, mid",
        ),
        ({"probabilities": [0.5, 0.5]}, r"there are 2 numbers, and the task has 3 classes"),
        ({"probabilities": "0.5"}, r"probabilities is '0\.5', where an object or a list"),
        ({"logits": {"neg": "x", "mid": 0, "pos": 1}}, r"neg is 'x', where a finite number is needed"),
        ({"logits": [True, 0, 1]}, r"is True, where a finite number"),
        ({"label": "great"}, r"about 'great', which is no class"),
        ({"labels": []}, r"labels is empty"),
        ({"other": 1}, r"has no answers: its columns are text, other\. Add one that is called probabilities"),
    ],
)
def test_what_is_no_answer_is_refused_with_its_place(tmp_path, row, said):
    with pytest.raises(DataError, match=said):
        read(lines(tmp_path, [{"text": "a", **row}]))
